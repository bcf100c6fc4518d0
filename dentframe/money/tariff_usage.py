"""What a tariff prices is measured here: energy by window, and the readings around its edges.

Energy at an instant is taken from E(t) in whole nano-kWh, so that the windows of a tariff add
up to the period exactly. A figure that money may not use is refused here, with what to do.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dentframe.errors import ConfigError, CoverageError, KindError, by
from dentframe.metering.energy_and_coverage import STATUSES, Cumulative, share, status
from dentframe.metering.series import Flag, Floats, Ints, element_columns, names
from dentframe.money.rounding_and_tiers import EXACT, add, around, bounds, exact, printed, rounded
from dentframe.money.statement import Reading
from dentframe.site.toml_tables import load
from dentframe.times.dates_and_ranges import local, stamp
from dentframe.times.schedule import Schedule, Window
from dentframe.verbs import inputs_and_keywords as inputs
from dentframe.verbs.elements_by_name import summed_series
from dentframe.verbs.energy import figures, moving, when
from dentframe.verbs.result_frames_and_warnings import detail_of

if TYPE_CHECKING:
    import pandas as pd


NANO = 1_000_000_000
OUT = "(outside all)"
"""The name of the time that no window of a charge has."""
ALWAYS = Schedule([Window("")])
"""One window without a name."""


@dataclass(frozen=True)
class State:
    """Coverage, status and flags of a figure: the worst of its elements."""

    coverage: float
    status: str
    flags: tuple[str, ...]

    @classmethod
    def of(cls, covered: Any, whole: Any, flags: Ints) -> State:
        """The state of a figure, by how much of its time is covered and the flags of its parts."""
        coverage, bits = share(covered, whole), np.bitwise_or.reduce(flags)
        return cls(float(coverage), STATUSES[int(status(coverage, bits))], names(int(bits)))

    @classmethod
    def of_energy(cls, c: Cumulative, s: Ints, e: Ints) -> State:
        """The state of the energy of some stretches, taken together."""
        return cls.of(c.covered(s, e).sum(), (e - s).sum(), c.flags_in(s, e))


def of_flow(c: Cumulative, flow: str) -> Cumulative:
    """The series of the rising increments (``"import"``) or of the falling ones (``"export"``)."""
    sign = -1.0 if flow == "export" else 1.0
    return c if flow == "net" else _summed(c, np.maximum(sign * np.diff(c.E), 0.0))


def _summed(c: Cumulative, increments: Floats) -> Cumulative:
    """The series with increments of whole nano-kWh, so that a long sum does not drift."""
    units = NANO // resolution(c)
    whole = np.cumsum(np.rint(increments * units).astype(np.int64))
    return replace(c, E=np.concatenate(([0], whole))[: len(c.t)] / units)


def nano_kwh(c: Cumulative, x: Ints) -> Ints:
    """E(x) in whole nano-kWh, to the last digit that its floats have."""
    return np.rint(c.energy_at(x) * (NANO // resolution(c))).astype(np.int64) * resolution(c)


def resolution(c: Cumulative) -> int:
    """The unit of the last significant digit of a series' readings [nano-kWh].

    A float has 15 significant digits: from a million kWh on a nano-kWh is noise.
    """
    most = greatest(c)
    return 1 if most < 1e6 else 10 ** (int(np.floor(np.log10(most))) - 5)


def greatest(c: Cumulative) -> float:
    """The greatest number among the readings and the energy of a series."""
    return float(max(np.nanmax(np.abs(x), initial=0.0) for x in (c.readings, c.E)))


def worst(states: Sequence[State]) -> State:
    """The least coverage, the worst status, all flags."""
    coverage, flags = min(x.coverage for x in states), sorted({f for x in states for f in x.flags})
    return State(coverage, max((x.status for x in states), key=STATUSES.index), tuple(flags))


def use_between(c: Cumulative, s: int, e: int, places: int | None) -> Decimal:
    """Energy between two instants, as printed where both are readings of a register."""
    ends = np.array([s, e], dtype=np.int64)
    energy = EXACT.divide(Decimal(int(np.diff(nano_kwh(c, ends))[0])), Decimal(NANO))
    if places is None or c.source != "register" or not np.isin(ends, c.at).all():
        return rounded(energy, places)
    opening, closing = c.readings[np.searchsorted(c.at, ends)].tolist()
    closing = c.closings.get(e, closing)  # at an exchange the old meter's last one
    return printed(energy, exact(opening), exact(closing), places)


def _agreed(c: Cumulative, starts: Ints, ends: Ints, window: Sequence[str]) -> Ints:
    """What agreed figures state of windows, less what the shape of the span gave them [nano-kWh].

    A name that the charge does not have is of the time outside its windows. A figure is refused
    that lies beyond the span, or does not state what was used in each window that it has, and in
    no other.
    """
    added = np.zeros(len(starts), dtype=np.int64)
    fixes = c.corrected.fixes if c.corrected else ()
    figures = [f for f in fixes if f.kind == "figure" and f.start < ends[-1] and f.end > starts[0]]
    known = bool(figures) or not (c.flags_in(starts, ends) & Flag.AGREED).any()
    outside = next((x for x in window if x in {OUT, "other"}), "")
    for f in figures:
        a, b = np.clip(starts, f.start, f.end), np.clip(ends, f.start, f.end)
        inside = {w: np.flatnonzero((np.array(window) == w) & (b > a))
                  for w in dict.fromkeys(window)}  # fmt: skip
        stated = dict.fromkeys(("", *window), 0)
        for name, kwh in f.windows:
            stated[name if name in window else outside] += round(kwh * NANO)
        within = bool(f.windows) and starts[0] <= f.start and f.end <= ends[-1]
        known = known and within and all(len(inside.get(w, ())) for w, x in stated.items() if x)
        by_shape = nano_kwh(c, b) - nano_kwh(c, a)
        for w, own in inside.items():
            added[own[-1:]] += stated[w] - by_shape[own].sum()
    if not known:
        who = ", ".join(f.name for f in figures) or "the agreed figure of one of several elements"
        raise ConfigError(
            f"Cannot price {c.name} by windows of time: {who} says how much was used, and not how "
            f"much in each of {', '.join(dict.fromkeys(window))}. State it by these names, as "
            "windows = { … } of a figure that lies within the period, and bill each such element "
            "by itself."
        )
    return added


@dataclass(eq=False)
class Meters:
    """The elements a bill is for, and which of their figures may be billed.

    Attributes
    ----------
    frame : DataFrame
        The readings.
    tz : tzinfo
        The zone of the tariff's clock.
    elements : str, list of str, or None
        Whose; None where the frame has only one.
    keywords : VerbKeywords
        Zone, register rules, interval and lag.
    source : str
        As in `energy`.
    accept : sequence of str
        The statuses that may be billed.
    edges : str
        As in `energy`: where a span's ends lie.
    places : int or None
        Decimals of what is printed.

    Raises
    ------
    ConfigError
        For `edges` or `accept` that cannot be meant: what is missing is never accepted.
    """

    frame: pd.DataFrame
    tz: dt.tzinfo
    elements: Any
    keywords: inputs.VerbKeywords
    source: str
    accept: Sequence[str]
    edges: str
    places: int | None
    _series: dict[inputs.Source, list[Cumulative]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        inputs.check_one_of("edges", self.edges, inputs.EDGES)
        self.accept = (self.accept,) if isinstance(self.accept, str) else tuple(self.accept)
        for x in self.accept:
            if x not in STATUSES[:-1]:
                raise ConfigError(
                    f"Cannot accept={x!r}: use some of {', '.join(STATUSES[:-1])}. What is missing "
                    "has no figure to bill."
                )

    def registers(self, topic: str | None = None) -> list[Cumulative]:
        """The series that answer for energy."""
        want = inputs.energy_source(self.frame, topic, self.source if topic is None else "auto")
        return self._answering(want, self.edges)

    def means(self, topic: str | None, source: str) -> list[Cumulative]:
        """The series that answer for demand: interval means first."""
        return self._answering(inputs.demand_source(self.frame, topic, source), "")

    def has(self, topic: str) -> bool:
        """Whether the frame has a topic for whole elements."""
        return bool(element_columns(self.frame, [topic]))

    def _answering(self, want: inputs.Source, edges: str) -> list[Cumulative]:
        if want not in self._series:
            series = inputs.series_of(self.frame, want, self.keywords)
            if len(series) > 1 or self.elements is not None:
                series = summed_series(self.frame, series, want.topics, self.elements)
            if why := next((c.refusal for c in series if c.refusal), ""):
                raise KindError(why)
            inputs.warn_of_spacing((c.series for c in series), self.keywords.interval)
            series = [moving(c, edges) for c in series]
            self._series[want] = [
                c if c.source == "register" else _summed(c, np.diff(c.E)) for c in series
            ]
        return self._series[want]

    def energy(
        self, s: int, e: int, schedule: Schedule, flow: str = "net", topic: str | None = None
    ) -> tuple[list[tuple[str, Decimal]], dict[str, State], Decimal | None]:
        """Energy of a span by window, refused where its status is not accepted.

        Parameters
        ----------
        s, e : int
            The span [us UTC].
        schedule : Schedule
            The windows.
        flow : str
            ``"net"``, or the rising (``"import"``) or falling (``"export"``) increments alone.
        topic : str, optional
            Another register.

        Returns
        -------
        list of (str, Decimal)
            Each stretch's window and exact energy [kWh], in order of time.
        dict of str to State
            The state of each window.
        Decimal or None
            The energy of the whole span as printed: the difference of the printed readings. None
            where nothing is rounded or the edges are interpolated.

        Raises
        ------
        CoverageError
            For a figure whose status is not accepted.
        """
        bounds = np.array([[s], [e]], dtype=np.int64)
        starts, ends, window = stretches(s, e, schedule, self.tz)
        total = np.zeros(len(starts), dtype=np.int64)
        states: dict[str, list[tuple[Cumulative, State]]] = {w: [] for w in window}
        whole = []
        for c in (of_flow(x, flow) for x in self.registers(topic)):
            f = figures(c, *bounds, edges=self.edges)
            low, high = int(f.s[0]), int(f.e[0])
            # Time before the nominal start has the start's window.
            a, b = np.clip(starts, low, high), np.clip(ends, low, high)
            a[0] = low
            total += nano_kwh(c, b) - nano_kwh(c, a)
            if schedule is not ALWAYS:
                total += _agreed(c, a, b, window)
            whole.append(use_between(c, low, high, self.places))
            for w, found in states.items():
                own = np.array([x == w for x in window]) & ((b > a) | (low == high))
                if own.any():
                    found.append((c, State.of_energy(c, a[own], b[own])))
        exactly = (EXACT.divide(Decimal(n), Decimal(NANO)) for n in total.tolist())
        what = {w: f"energy in window {w!r}" if w else "energy" for w in states}
        accepted = {w: self.accepted(x, s, e, what[w]) for w, x in states.items()}
        reads = flow == "net" and self.edges == "last_reading" and self.places is not None
        return list(zip(window, exactly, strict=True)), accepted, add(whole) if reads else None

    def reading(self, c: Cumulative, s: int, e: int) -> Reading:
        """What one element showed around the ends of a span [us UTC]."""
        f = figures(c, *np.array([[s], [e]], dtype=np.int64), edges=self.edges)
        row, state = {k: x[0] for k, x in detail_of(f, 1).items()}, State.of_energy(c, f.s, f.e)
        row |= {k: local(np.array([row[k]]), self.tz)[0] for k in ("open_at", "close_at")}
        moves = self.edges == "last_reading"
        places = self.places if moves else None
        energy = rounded(use_between(c, int(f.s[0]), int(f.e[0]), places), self.places)
        return Reading(
            element=c.name,
            energy=None if state.status == STATUSES[-1] else energy,
            open_interpolated=bool(c.edges(f.s).inside[0]),
            close_interpolated=bool(c.edges(f.e).inside[0]),
            **vars(state),
            **around(row, places),
            **bounds(row, energy if moves else None, self.places, greatest(c)),
        )

    def accepted(
        self,
        states: Sequence[tuple[Cumulative, State]],
        s: int,
        e: int,
        what: str,
        *,
        unaffected: bool = False,
        more: str = "",
    ) -> State:
        """The worst of some elements' states, refused where one is not accepted.

        A partial one is accepted where the figure is `unaffected` by what is not covered; `more`
        says what would show that.
        """
        accepted = {*self.accept, "partial"} if unaffected else self.accept
        refused = [(c, x) for c, x in states if x.status not in accepted]
        if not refused:
            return worst([x for _, x in states] or [State(1.0, STATUSES[0], ())])
        c, x = refused[0]
        why = [*x.flags, *filter(None, [when(c, s, e, self.tz)])]
        if x.status == "partial" and len(c.at) and c.at[-1] < e:
            why.append("no reading at or after its end closes it")
        known = f" ({', '.join(why)})" if why else ""
        a, b = (f"{stamp(t).tz_convert(self.tz):%Y-%m-%d %H:%M}" for t in (s, e))
        raise CoverageError(
            f"Cannot bill {what} of element {c.name!r} from {a} to {b}: it is {x.status}, coverage "
            f"{x.coverage:.6g}{known}, and accepted is {', '.join(self.accept)}. "
            f"{remedy(x.status, x.flags, c.name, by('python', 'command_line'))}{more}"
        )


def stretches(s: int, e: int, schedule: Schedule, tz: dt.tzinfo) -> tuple[Ints, Ints, list[str]]:
    """The stretches of a span and the window of each, in order of time."""
    cut = schedule.split(np.array([s]), np.array([e]), tz)
    return cut.s, cut.e, [schedule.names[i] for i in cut.window.tolist()]


# --- refused figures, and what to do about them ---


_REMEDIES: dict[str, dict[str, Any]] = load(Path(__file__).with_name("remedies.toml"))
CURES: dict[str, str] = _REMEDIES["exceptions"]
"""What to do about a split's exception, by what it is about."""


def remedy(status: str, flags: Sequence[str], element: str, where: str) -> str:
    """What to do about a figure, by its flags, else by its status.

    Parameters
    ----------
    status : str
        ``estimated``, ``partial`` or ``missing``.
    flags : sequence of str
        What happened to the readings.
    element : str
        As it is addressed.
    where : str
        Where the caller states what is known: ``python``, ``command_line`` or ``site_file``.
    """
    phrases = _REMEDIES["phrases"][where]
    by_flag = (x for x in _REMEDIES["figures"] if x in flags and status != "estimated")
    key = next(by_flag, status)
    if key == "partial":
        key = by("partial", "partial_command") if phrases["partial"] else "late"
    stated = {name: phrase.format(element) for name, phrase in phrases.items()}
    return str(_REMEDIES["figures"][key]).format(**stated)
