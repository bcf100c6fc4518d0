"""What a charge is given to price: the period, the meters, the lines so far. Pure.

What a bill measures: energy by window, apparent energy, readings; each figure gated. Pure.

Energy at an instant is taken from E(t) in whole nano-kWh, so that the windows of a tariff add
up to the period exactly and a bill without rounding is exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
import pandas as pd

from dentframe.errors import ConfigError, CoverageError, UnknownTopicError
from dentframe.metering.cumulative import STATUSES
from dentframe.metering.series import element_columns
from dentframe.money.occupancy import factor, local_days
from dentframe.money.remedies import BILL, remedy, when
from dentframe.money.rounding import EXACT, add, rounded
from dentframe.money.statement import Line, Reading, priced
from dentframe.money.usage import NANO, State, energy_state, flowing, nano, reading, steady, worst
from dentframe.times.ranges import ints, midnight, stamp
from dentframe.times.schedule import Schedule
from dentframe.verbs.inputs import chosen, demanded, series_of
from dentframe.verbs.sources import Wanted, cumulatives, wanted

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from dentframe.metering.cumulative import Cumulative
    from dentframe.metering.series import Ints
    from dentframe.times.schedule import Window
    from dentframe.verbs.inputs import Asked


@dataclass(frozen=True)
class Piece:
    """Energy of one stretch of one window [the topic's unit], exact."""

    window: str
    energy: Decimal


@dataclass(frozen=True)
class Used:
    """Energy of a span: its stretches in order of time, and each window's state."""

    pieces: tuple[Piece, ...]
    states: dict[str, State]


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
    asked : Asked
        Zone, register rules, interval and lag.
    source : str
        As in `energy`.
    accept : tuple of str
        The statuses that may be billed.
    held : dict
        Series that were made already.
    """

    frame: pd.DataFrame
    tz: dt.tzinfo
    elements: Any
    asked: Asked
    source: str
    accept: tuple[str, ...]
    held: dict[Any, list[Cumulative]] = field(default_factory=dict, repr=False, compare=False)

    def registers(self, topic: str | None = None) -> list[Cumulative]:
        """The series that answer for energy."""
        if ("energy", topic) not in self.held:
            self.held["energy", topic] = self._registers(topic)
        return self.held["energy", topic]

    def _registers(self, topic: str | None) -> list[Cumulative]:
        want = wanted(self.frame, topic, self.source if topic is None else "auto")
        series = cumulatives(
            self.frame,
            want,
            tz=self.asked.tz,
            registers=self.asked.registers,
            interval=self.asked.interval,
            demand_lag=self.asked.demand_lag,
        )
        return self._chosen(series, want)

    def means(self, topic: str | None, source: str) -> list[Cumulative]:
        """The series that answer for demand: interval means first."""
        key = ("demand", topic, source)
        if key not in self.held:
            want = demanded(self.frame, topic, source)
            self.held[key] = self._chosen(series_of(self.frame, want, self.asked), want)
        return self.held[key]

    def has(self, topic: str) -> bool:
        """Whether the frame has a topic for whole elements."""
        return bool(element_columns(self.frame, [topic]))

    def _chosen(self, series: list[Cumulative], want: Wanted) -> list[Cumulative]:
        only = len(series) == 1 and self.elements is None
        found = series if only else chosen(self.frame, series, want, self.elements, None)
        return [steady(c) for c in found]

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
        series = [flowing(c, flow) for c in self.registers(topic)]
        total = np.zeros(len(starts), dtype=np.int64)
        for c in series:
            total += nano(c, ends) - nano(c, starts)
        states = {
            w: self._state(series, starts[own], ends[own], w)
            for w in dict.fromkeys(window)
            for own in [np.array([x == w for x in window])]
        }
        exactly = [EXACT.divide(Decimal(n), Decimal(NANO)) for n in total.tolist()]
        pieces = tuple(Piece(w, x) for w, x in zip(window, exactly, strict=True))
        return Used(pieces, states)

    def _state(self, series: Sequence[Cumulative], s: Ints, e: Ints, window: str) -> State:
        states = [(c, energy_state(c, s, e)) for c in series]
        what = f"energy in window {window!r}" if window else "energy"
        return self.gated(states, s, e, what)

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
        return (
            f"Cannot bill {what} of element {c.name!r} from {a} to {b}: it is {x.status}, coverage "
            f"{x.coverage:.6g}{f' ({told})' if told else ''}, and accepted is "
            f"{', '.join(self.accept)}. {remedy(x.status, x.flags, c.name, BILL)}"
        )

    def readings(self, s: int, e: int, rounds: Any) -> tuple[Reading, ...]:
        """The readings around the edges of a span, one row per element."""
        return tuple(reading(c, s, e, self.tz, rounds) for c in self.registers())


def check_accept(accept: Any) -> tuple[str, ...]:
    """The accepted statuses; missing is never one."""
    asked = (accept,) if isinstance(accept, str) else tuple(accept)
    for x in asked:
        if x not in STATUSES[:-1]:
            raise ConfigError(
                f"Cannot accept={x!r}: use some of {', '.join(STATUSES[:-1])}. What is missing "
                "has no figure to bill."
            )
    return asked


def stretches(
    s: int, e: int, schedule: Schedule | None, tz: dt.tzinfo
) -> tuple[Ints, Ints, list[str]]:
    """The stretches of a span and the window of each, in order of time."""
    starts, ends = np.array([s], dtype=np.int64), np.array([e], dtype=np.int64)
    if schedule is None:
        return starts, ends, [""]
    cut = schedule.split(starts, ends, tz)
    return cut.s, cut.e, [schedule.names[i] for i in cut.window.tolist()]


def require(meters: Meters, topic: str, why: str) -> None:
    """Refuse a charge that the readings cannot answer for."""
    if not meters.has(topic):
        raise UnknownTopicError(
            f"Cannot {why}: the readings have no {topic}/Elm/... column. "
            f'Read topics=[..., "{topic}"] as well.'
        )


OUT = "\0"
"""The name of the time that no window of a charge has."""


class Charge(Protocol):
    """What a tariff is a list of. A new kind is one class with these, and a row in `KINDS`."""

    kind: ClassVar[str]
    """Its name in files."""

    @property
    def name(self) -> str:
        """The name of its lines."""
        raise NotImplementedError

    @property
    def valid_from(self) -> dt.date | None:
        """The first local day on which it holds."""

    @property
    def valid_to(self) -> dt.date | None:
        """The first local day on which it no longer holds."""

    def lines(self, case: Case) -> list[Line]:
        """What it adds to a bill."""
        raise NotImplementedError


@dataclass(frozen=True)
class Case:
    """One period of one party under a tariff.

    Attributes
    ----------
    meters : Meters
        The readings.
    start, end : int
        The billing period [us UTC].
    holidays : tuple of date
        Local dates.
    places, digits : int or None
        Decimals of quantities, of amounts.
    rounding : str
        Of amounts.
    history : mapping, sequence or None
        Measured demand before the period, by charge or for the only ratchet [kW].
    done : tuple of Line
        The lines of the charges before.
    currency : str
        For lines whose quantity is money.
    """

    meters: Meters
    start: int
    end: int
    holidays: tuple[dt.date, ...]
    places: int | None
    digits: int | None
    rounding: str
    history: Mapping[str, Sequence[Any]] | Sequence[Any] | None
    currency: str
    done: tuple[Line, ...] = ()

    def valid(self, charge: Charge) -> tuple[int, int] | None:
        """The part of the period in which a charge is valid [us UTC], None for no part."""
        s = max(self.start, self._edge(charge.valid_from, self.start))
        e = min(self.end, self._edge(charge.valid_to, self.end))
        return (s, e) if s < e else None

    def _edge(self, day: dt.date | None, default: int) -> int:
        if day is None:
            return default
        return int(ints(pd.DatetimeIndex([midnight(day, self.meters.tz)]))[0])

    def cut(self, charge: Charge) -> bool:
        """Whether its validity begins or ends inside the period."""
        return self.valid(charge) != (self.start, self.end)

    def days(self, s: int, e: int) -> list[dt.date]:
        """The local days that begin in a span."""
        return local_days(stamp(s), stamp(e), self.meters.tz)

    def factor(self, rule: Any, s: int, e: int) -> Fraction:
        """The part of a month that a span is, by a charge's stated rule."""
        if rule == "none":
            return Fraction(1)
        return factor(rule, self.days(s, e), self.days(self.start, self.end))

    def months(self, charge: Charge, rule: Any, s: int, e: int) -> Fraction:
        """How many months a monthly charge is due for; unstated only for one ordinary month.

        Raises
        ------
        ConfigError
            Where the span is no ordinary month and the charge does not say how to prorate.
        """
        n = len(self.days(s, e))
        if rule is None and (self.cut(charge) or not 25 <= n <= 36):
            raise ConfigError(
                f"Cannot price charge {charge.name!r} for {n} days: it is per month, and nothing "
                "says what a part of one (or several) costs. State proration='none' (whole), "
                "'days' (share of the billed days), 'month' (share of calendar months), or a "
                "number of days; or bill each month by itself."
            )
        return Fraction(1) if rule is None else self.factor(rule, s, e)

    def schedule(self, windows: Sequence[Window], other: str = OUT) -> Schedule | None:
        """The tariff's clock for some windows; None where there are none."""
        return Schedule(windows, self.holidays, other) if windows else None

    def quantity(self, value: Any) -> Decimal:
        """As it is printed and priced."""
        return rounded(value, self.places)

    def money(self, value: Any) -> Decimal:
        """As an amount."""
        return rounded(value, self.digits, self.rounding)

    def priced(
        self, charge: Charge, quantity: Decimal, unit: str, rate: Decimal, **more: Any
    ) -> Line:
        """A line of a charge."""
        return priced(
            more.pop("name", charge.name),
            charge.kind,
            quantity,
            unit,
            rate,
            digits=self.digits,
            rounding=self.rounding,
            charge=charge.name,
            **more,
        )

    def total(self, charges: Sequence[str]) -> Decimal:
        """What the lines of some charges before add up to [currency]."""
        return add([x.amount for x in self.done if x.charge in charges])

    def rounds(self, value: Decimal) -> Decimal:
        """How readings' energy is printed."""
        return self.quantity(value)

    def edges(self, s: int, e: int, flow: str, topic: str | None) -> dict[str, Any]:
        """The readings around a span, for a line of one element."""
        series = self.meters.registers(topic)
        names = ", ".join(c.name for c in series)
        if len(series) != 1:
            return {"element": names}
        found = reading(flowing(series[0], flow), s, e, self.meters.tz, self.rounds)
        return {"element": names} | {k: getattr(found, k) for k in _EDGES}

    def readings(self) -> tuple[Reading, ...]:
        """The readings around the whole period."""
        return self.meters.readings(self.start, self.end, self.rounds)

    def past(self, charge: Charge) -> list[Decimal]:
        """Measured demand before the period, for a ratchet.

        Raises
        ------
        ConfigError
            Where none was given: no history is said with an empty list.
        """
        told = self.history
        if isinstance(told, Mapping):
            told = told.get(charge.name)
        if told is None:
            raise ConfigError(
                f"Cannot price charge {charge.name!r}: its ratchet looks back on earlier months, "
                f"and history= does not have them. Pass history={{{charge.name!r}: [...]}} with "
                "the measured demand of earlier months, the oldest first ([] if there is none)."
            )
        return [EXACT.plus(Decimal(str(x))) for x in told]


_EDGES = (
    "open_at", "open_reading", "open_interpolated",
    "close_at", "close_reading", "close_interpolated",
)  # fmt: skip


def measured(state: State) -> dict[str, Any]:
    """A state as fields of a line."""
    return {"coverage": state.coverage, "status": state.status, "flags": state.flags}


def span_text(case: Case, s: int, e: int) -> str:
    """A part of the period as text, ``""`` for the whole."""
    if (s, e) == (case.start, case.end):
        return ""
    a, b = (stamp(x).tz_convert(case.meters.tz) for x in (s, e))
    return f"{a:%Y-%m-%d} to {b:%Y-%m-%d}"
