"""What a bill measures: energy by window, apparent energy, readings; each figure gated. Pure.

Energy at an instant is taken from E(t) in whole nano-kWh, so that the windows of a tariff add
up to the period exactly and a bill without rounding is exact.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from dentframe.errors import ConfigError, CoverageError, UnknownTopicError
from dentframe.instants import stamp
from dentframe.metering.chosen import chosen
from dentframe.metering.cumulative import STATUSES
from dentframe.metering.series import element_columns
from dentframe.metering.sources import Wanted, cumulatives, wanted
from dentframe.metering.study import demanded, series_of
from dentframe.money.energies import (
    NANO,
    State,
    energy_state,
    flowing,
    nano,
    reading,
    steady,
    worst,
)
from dentframe.money.remedy import BILL, remedy, when
from dentframe.money.rounding import EXACT

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    import pandas as pd

    from dentframe.metering.cumulative import Cumulative
    from dentframe.metering.rows import Ints
    from dentframe.metering.study import Asked
    from dentframe.money.lines import Reading
    from dentframe.schedule import Schedule


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
        self, states: Sequence[tuple[Cumulative, State]], s: Ints, e: Ints, what: str
    ) -> State:
        """The worst of some elements' states, refused where one is not accepted."""
        for c, x in states:
            if x.status not in self.accept:
                raise CoverageError(self._refusal(c, x, int(s[0]), int(e[-1]), what))
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
