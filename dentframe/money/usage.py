"""What a bill measures: energy by window of the tariff, and the readings around its edges.

Energy at an instant is taken from E(t) in whole nano-kWh, so that the windows of a tariff add
up to the period exactly. A figure that money may not use is refused here, with what to do.
"""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from dentframe.errors import ConfigError, CoverageError, KindError, by
from dentframe.metering.cumulative import STATUSES, Cumulative, share, status
from dentframe.metering.series import Flag, element_columns, names
from dentframe.money.rounding import EXACT, add, exact, printed, rounded
from dentframe.money.statement import Reading
from dentframe.times.ranges import local, stamp
from dentframe.verbs.element_names import summed_series
from dentframe.verbs.energy import Figures, figures, moving, when
from dentframe.verbs.inputs import Source, demand_source, energy_source, series_of, warn_of_spacing
from dentframe.verbs.results import detail_of

if TYPE_CHECKING:
    from dentframe.metering.register_rules import Fix
    from dentframe.metering.series import Floats, Ints
    from dentframe.times.schedule import Schedule
    from dentframe.verbs.inputs import VerbKeywords

FLOWS = ("net", "import", "export")
NANO = 1_000_000_000
OUT = "\0"
"""The name of the time that no window of a charge has."""


@dataclass(frozen=True)
class State:
    """How sure a figure is: the worst of its elements."""

    coverage: float
    status: str
    flags: tuple[str, ...]


def steady(c: Cumulative) -> Cumulative:
    """The series with increments of whole nano-kWh, so that a long sum does not drift."""
    return c if c.source == "register" else _with(c, np.diff(c.E))


def flowing(c: Cumulative, flow: str) -> Cumulative:
    """The rising or the falling increments alone."""
    if flow == "net":
        return c
    inc = np.diff(c.E)
    return _with(c, np.maximum(inc if flow == "import" else -inc, 0.0))


def _with(c: Cumulative, inc: Floats) -> Cumulative:
    units = NANO // sure(c)
    whole = np.cumsum(np.rint(inc * units).astype(np.int64))
    running = np.concatenate(([0], whole))[: len(c.t)] / units
    kept = {f.name: getattr(c, f.name) for f in fields(Cumulative)}
    return Cumulative(**{**kept, "E": running})


def nano(c: Cumulative, x: Ints) -> Ints:
    """E(x) in whole nano-kWh, to the last digit that its floats are sure of."""
    return np.rint(c.energy_at(x) * (NANO // sure(c))).astype(np.int64) * sure(c)


def sure(c: Cumulative) -> int:
    """The unit of the last digit that the readings of a series are sure of [nano-kWh].

    A float has 15 sure digits: from a million kWh on a nano-kWh is noise.
    """
    most = greatest(c)
    return 1 if most < 1e6 else 10 ** (int(np.floor(np.log10(most))) - 5)


def greatest(c: Cumulative) -> float:
    """The greatest number among the readings and the energy of a series."""
    return float(max(np.nanmax(np.abs(x), initial=0.0) for x in (c.readings, c.E)))


def energy_state(c: Cumulative, s: Ints, e: Ints) -> State:
    """How sure the energy of some stretches is, taken together."""
    coverage = share(np.array([c.covered(s, e).sum()]), np.array([(e - s).sum()]))
    bits = np.array([np.bitwise_or.reduce(c.flags_in(s, e))])
    return State(float(coverage[0]), STATUSES[int(status(coverage, bits)[0])], names(int(bits[0])))


def worst(states: Sequence[State]) -> State:
    """The least coverage, the worst status, all flags."""
    return State(
        min(x.coverage for x in states),
        max((x.status for x in states), key=STATUSES.index),
        tuple(sorted({f for x in states for f in x.flags})),
    )


def use_between(c: Cumulative, s: int, e: int, places: int | None) -> Decimal:
    """Energy between two instants, as printed where both are readings of a register."""
    a, b = (np.array([x], dtype=np.int64) for x in (s, e))
    energy = EXACT.divide(Decimal(int(nano(c, b)[0] - nano(c, a)[0])), Decimal(NANO))
    opening, closing = _shown(c, s), _shown(c, e)
    if places is None or opening is None or closing is None:
        return rounded(energy, places)
    return printed(energy, opening, closing, places)


def _shown(c: Cumulative, x: int) -> Decimal | None:
    """What the register showed at an instant, None where it was not read then."""
    k = int(np.searchsorted(c.at, x))
    read = c.source == "register" and k < len(c.at) and c.at[k] == x
    return exact(float(c.readings[k])) if read else None


def _bound(values: Any, places: int | None, scale: float) -> Decimal | None:
    return None if np.isnan(values[0]) else rounded(float(values[0]), places, scale=scale)


def _agreed(c: Cumulative, starts: Ints, ends: Ints, window: Sequence[str]) -> Ints:
    """What agreed figures state of windows, less what the shape of the span gave them [nano-kWh].

    A name that the charge does not have is of the time outside its windows.
    """
    added = np.zeros(len(starts), dtype=np.int64)
    fixes = c.corrected.fixes if c.corrected else ()
    figures = [f for f in fixes if f.kind == "figure" and f.start < ends[-1] and f.end > starts[0]]
    unknown = not figures and (c.flags_in(starts, ends) & Flag.AGREED).any()
    if unknown or any(not _states(f, starts, ends, window) for f in figures):
        who = ", ".join(f.name for f in figures) or "the agreed figure of one of several elements"
        raise ConfigError(
            f"Cannot price {c.name} by windows of time: {who} says how much was used, and not how "
            f"much in each of {', '.join(dict.fromkeys(window))}. State it by these names, as "
            "windows = { … } of a figure that lies within the period, and bill each such element "
            "by itself."
        )
    names_of = np.array(window)
    for f in figures:
        a, b = np.clip(starts, f.start, f.end), np.clip(ends, f.start, f.end)
        shaped = nano(c, b) - nano(c, a)
        stated = dict.fromkeys(window, 0)
        for name, kwh in f.windows:
            stated[name if name in stated else _outside(window)] += round(kwh * NANO)
        for name, want in stated.items():
            inside = np.flatnonzero((names_of == name) & (b > a))
            if len(inside):
                added[inside[-1]] += want - shaped[inside].sum()
    return added


def _states(f: Fix, starts: Ints, ends: Ints, window: Sequence[str]) -> bool:
    """Whether a figure says what was used in each window that its span has, and in no other."""
    a, b = np.clip(starts, f.start, f.end), np.clip(ends, f.start, f.end)
    there = {name for name, length in zip(window, b - a, strict=True) if length}
    told = {name if name in window else _outside(window) for name, kwh in f.windows if kwh}
    return bool(f.windows) and f.start >= starts[0] and f.end <= ends[-1] and told <= there


def _outside(window: Sequence[str]) -> str:
    return next((x for x in window if x in {OUT, "other"}), "")


@dataclass(frozen=True)
class Used:
    """Energy of a span: each stretch's window and exact energy, in order of time, and the whole.

    The whole is as printed: the difference of the printed readings; None where nothing is
    rounded or the edges are interpolated.
    """

    pieces: tuple[tuple[str, Decimal], ...]
    states: dict[str, State]
    whole: Decimal | None = None

    @property
    def energy(self) -> Decimal:
        """All of it, exact."""
        return add([x for _, x in self.pieces])


@dataclass(frozen=True)
class Meters:
    """The elements a bill is for, and how their readings are judged.

    Attributes
    ----------
    frame : DataFrame
        The readings.
    tz : tzinfo
        The zone of the tariff's clock.
    elements : str, list of str, or None
        Whose; None where the frame has only one.
    asked : VerbKeywords
        Zone, register rules, interval and lag.
    source : str
        As in `energy`.
    accept : tuple of str
        The statuses that may be billed.
    edges : str
        As in `energy`: where a span's ends lie.
    places : int or None
        Decimals of what is printed.
    held : dict
        Series that were made already.
    """

    frame: pd.DataFrame
    tz: dt.tzinfo
    elements: Any
    asked: VerbKeywords
    source: str
    accept: tuple[str, ...]
    edges: str = "interpolate"
    places: int | None = None
    held: dict[Any, list[Cumulative]] = field(default_factory=dict, repr=False, compare=False)

    def registers(self, topic: str | None = None) -> list[Cumulative]:
        """The series that answer for energy."""
        want = energy_source(self.frame, topic, self.source if topic is None else "auto")
        return self._answering(want, self.edges)

    def means(self, topic: str | None, source: str) -> list[Cumulative]:
        """The series that answer for demand: interval means first."""
        return self._answering(demand_source(self.frame, topic, source), "")

    def has(self, topic: str) -> bool:
        """Whether the frame has a topic for whole elements."""
        return bool(element_columns(self.frame, [topic]))

    def _answering(self, want: Source, edges: str) -> list[Cumulative]:
        if want in self.held:
            return self.held[want]
        series = series_of(self.frame, want, self.asked)
        if len(series) > 1 or self.elements is not None:
            series = summed_series(self.frame, series, want.topics, self.elements, None)
        if why := next((c.refusal for c in series if c.refusal), ""):
            raise KindError(why)
        warn_of_spacing((c.series for c in series), self.asked.interval)
        self.held[want] = [steady(moving(c, edges)) for c in series]
        return self.held[want]

    def energy(
        self, s: int, e: int, schedule: Schedule | None, flow: str = "net", topic: str | None = None
    ) -> Used:
        """Energy of a span by window, refused where it is not sure enough.

        Parameters
        ----------
        s, e : int
            The span [us UTC].
        schedule : Schedule or None
            The windows; None is one window named ``""``.
        flow : str
            ``"net"``, or the rising (``"import"``) or falling (``"export"``) increments alone.
        topic : str, optional
            Another register.

        Raises
        ------
        CoverageError
            For a figure whose status is not accepted.
        """
        starts, ends, window = stretches(s, e, schedule, self.tz)
        total = np.zeros(len(starts), dtype=np.int64)
        states: dict[str, list[tuple[Cumulative, State]]] = {w: [] for w in window}
        whole = []
        for c in (flowing(x, flow) for x in self.registers(topic)):
            low, high = self.moved(c, s, e)
            # Time before the nominal start has the start's window.
            a, b = np.clip(starts, low, high), np.clip(ends, low, high)
            a[0] = low
            total += nano(c, b) - nano(c, a)
            if schedule is not None:
                total += _agreed(c, a, b, window)
            whole.append(use_between(c, low, high, self.places))
            for w, told in states.items():
                own = np.array([x == w for x in window]) & ((b > a) | (low == high))
                if own.any():
                    told.append((c, energy_state(c, a[own], b[own])))
        exactly = [EXACT.divide(Decimal(n), Decimal(NANO)) for n in total.tolist()]
        pieces = tuple(zip(window, exactly, strict=True))
        gated = {w: self._state(told, s, e, w) for w, told in states.items()}
        reads = flow == "net" and self.edges == "last_reading" and self.places is not None
        return Used(pieces, gated, add(whole) if reads else None)

    def moved(self, c: Cumulative, s: int, e: int) -> tuple[int, int]:
        """The ends of a span, where the edges move to readings."""
        f = self._figures(c, s, e)
        return int(f.s[0]), int(f.e[0])

    def _figures(self, c: Cumulative, s: int, e: int) -> Figures:
        a, b = (np.array([x], dtype=np.int64) for x in (s, e))
        return figures(c, a, b, edges=self.edges)

    def _state(self, told: list[tuple[Cumulative, State]], s: int, e: int, window: str) -> State:
        what = f"energy in window {window!r}" if window else "energy"
        if not told:
            return State(1.0, STATUSES[0], ())
        return self.gated(told, np.array([s]), np.array([e]), what)

    def reading(self, c: Cumulative, s: int, e: int) -> Reading:
        """What one element showed around the ends of a span [us UTC]."""
        f = self._figures(c, s, e)
        told, state = detail_of(f, 1), energy_state(c, f.s, f.e)
        known, moves = state.status != STATUSES[-1], self.edges == "last_reading"
        energy = use_between(c, int(f.s[0]), int(f.e[0]), self.places if moves else None)
        energy = rounded(energy, self.places)
        lo, hi = (_bound(told[x], self.places, greatest(c)) for x in ("lo", "hi"))
        found: dict[str, Any] = {}
        for name, x in (("open", f.s), ("close", f.e)):
            at = local(np.asarray(told[f"{name}_at"], dtype=np.int64), self.tz)[0]
            value = float(told[f"{name}_reading"][0])
            found[f"{name}_at"] = None if pd.isna(at) else at
            places = self.places if moves else None
            found[f"{name}_reading"] = None if np.isnan(value) else rounded(value, places)
            found[f"{name}_interpolated"] = bool(c.edges(x).inside[0])
        return Reading(
            element=c.name,
            energy=energy if known else None,
            coverage=state.coverage,
            status=state.status,
            flags=state.flags,
            lo=min(lo, energy) if moves and lo is not None else lo,
            hi=max(hi, energy) if moves and hi is not None else hi,
            **found,
        )

    def gated(
        self,
        states: Sequence[tuple[Cumulative, State]],
        s: Ints,
        e: Ints,
        what: str,
        *,
        sure: bool = False,
        more: str = "",
    ) -> State:
        """The worst of some elements' states, refused where one is not accepted.

        A partial one is accepted where it is `sure` that what is uncovered changes nothing;
        `more` says what would make it sure.
        """
        for c, x in states:
            if x.status not in self.accept and not (sure and x.status == "partial"):
                raise CoverageError(self._refusal(c, x, int(s[0]), int(e[-1]), what) + more)
        return worst([x for _, x in states])

    def _refusal(self, c: Cumulative, x: State, s: int, e: int, what: str) -> str:
        told = ", ".join((*x.flags, *filter(None, [when(c, s, e, self.tz)])))
        a, b = (f"{stamp(t).tz_convert(self.tz):%Y-%m-%d %H:%M}" for t in (s, e))
        if x.status == "partial" and len(c.at) and c.at[-1] < e:
            told = ", ".join(filter(None, [told, "no reading at or after its end closes it"]))
        return (
            f"Cannot bill {what} of element {c.name!r} from {a} to {b}: it is {x.status}, coverage "
            f"{x.coverage:.6g}{f' ({told})' if told else ''}, and accepted is "
            f"{', '.join(self.accept)}. {remedy(x.status, x.flags, c.name, bill_words())}"
        )


def stretches(
    s: int, e: int, schedule: Schedule | None, tz: dt.tzinfo
) -> tuple[Ints, Ints, list[str]]:
    """The stretches of a span and the window of each, in order of time."""
    starts, ends = np.array([s], dtype=np.int64), np.array([e], dtype=np.int64)
    if schedule is None:
        return starts, ends, [""]
    cut = schedule.split(starts, ends, tz)
    return cut.s, cut.e, [schedule.names[i] for i in cut.window.tolist()]


# --- refused figures, and what to do about them ---


_FILE = Path(__file__).with_name("remedies.toml")
_TOLD: dict[str, dict[str, str]] = tomllib.loads(_FILE.read_text(encoding="utf-8"))
CURES = _TOLD["exceptions"]
"""What to do about a split's exception, by what it is about."""


class Words(NamedTuple):
    """How a caller states things; ``{}`` is the element.

    Attributes
    ----------
    power, swap, export : str
        How an element's greatest power, a meter swap, and that it feeds energy back are stated.
    estimated, partial : str
        How such a figure is accepted.
    """

    power: str
    swap: str
    export: str
    estimated: str
    partial: str


def bill_words() -> Words:
    """What a bill's caller can state."""
    return Words(
        by('RegisterRules(max_kw={{"{}": ...}})', "--max-kw {}=KW, or in a file for --site"),
        by('RegisterRules(swaps={{"{}": ...}})', "[[elements.{}.swaps]] in a file for --site"),
        by(
            'RegisterRules(allow_export={{"{}": True}})',
            'role = "export" in [elements.{}] in a file for --site',
        ),
        by('accept=("recorded", "estimated")', "--accept-estimated"),
        by('accept=("recorded", "partial")', ""),
    )


def remedy(status: str, flags: Sequence[str], element: str, words: Words) -> str:
    """What to do about a figure, by its flags, else by its status.

    Parameters
    ----------
    status : str
        ``estimated``, ``partial`` or ``missing``.
    flags : sequence of str
        What happened to the readings.
    element : str
        As it is addressed.
    words : Words
        The caller's own.
    """
    if status == "estimated":
        key = status
    elif "decrease_unclassified" in flags:
        key = "cleared"
    elif {"unexplained_decrease", "unexplained_jump"} & {*flags}:
        key = "fell" if "unexplained_decrease" in flags else "jumped"
    elif status == "partial":
        key = by("partial", "partial_command") if words.partial else "late"
    else:
        key = status
    told = {k: v.format(element) for k, v in words._asdict().items()}
    return _TOLD["figures"][key].format(**told)
