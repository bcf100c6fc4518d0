"""What the verbs share: their keywords, their sources and their periods. Pure.

For demand, ``source="auto"`` means the meter's own interval means (DemandkW) first, else the
register: means know when power flowed, a register only how much between two readings.
"""

from __future__ import annotations

import contextlib
from collections.abc import Container, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe import selection
from dentframe.errors import ConfigError, KindError
from dentframe.instants import ints
from dentframe.metering import sources
from dentframe.metering.cumulative import STATUSES, Cumulative
from dentframe.metering.rows import is_several, meters_of, rows, time_index
from dentframe.metering.series import element_columns
from dentframe.metering.sources import Wanted
from dentframe.metering.spans import asked_bounds, periods
from dentframe.periods import verb_zone
from dentframe.registers import RegisterRules, SiteRules
from dentframe.site import apply_site
from dentframe.topics import TOPICS

if TYPE_CHECKING:
    import datetime as dt

    from dentframe.freq import Freq
    from dentframe.instants import Zone
    from dentframe.metering.rows import Ints

REBLOCKED = "reblocked"
"""The flag of a block or window whose edges cut a reading's interval: not the meter's own mean."""
EXPORT = "export"
MISSING = STATUSES.index("missing")
_DEFAULT_RULES = RegisterRules()
_RESULTS = {"kWh": "Demand", "kW": "Demand", "kVAh": "ApparentDemand", "kVA": "ApparentDemand"}


class Demanded(Wanted):
    """The topics that may answer for demand: the interval means first."""

    @property
    def topics(self) -> list[str]:
        """Those asked for, the means first."""
        return [t for t in (self.mean, self.register) if t is not None]

    @property
    def result(self) -> str:
        """``Demand`` or ``ApparentDemand``."""
        return _RESULTS[TOPICS[self.topics[0]].unit]


def demanded(frame: pd.DataFrame, topic: str | None, source: str) -> Demanded:
    """What `topic` and `source` ask for, kind checked first.

    Raises
    ------
    KindError
        For a topic that is neither a register nor an interval mean of active or apparent power.
    UnknownTopicError, ConfigError
        For a topic or source that is not there.
    """
    try:
        asked = sources.wanted(frame, topic, source)
    except KindError as error:
        raise KindError(str(error).replace("compute energy of", "compute demand of")) from None
    if TOPICS[asked.topics[0]].unit not in _RESULTS:
        raise ConfigError(
            f"Cannot compute demand of {topic!r}: only active and apparent power have a demand "
            'here. Use topic="kVAHNet" for kVA.'
        )
    return Demanded(asked.register, asked.mean)


@dataclass(frozen=True)
class Asked:
    """The keywords that almost every verb takes, as given or as a site gives them."""

    tz: Zone = None
    start: Any = None
    end: Any = None
    registers: RegisterRules = _DEFAULT_RULES
    interval: Any = "15min"
    demand_lag: Any = "0min"

    @classmethod
    def of(cls, frame: pd.DataFrame, site: Any, tz: Zone, *rest: Any) -> Asked:
        """The keywords, `tz` and then the others in their order, with what `site` adds to them.

        Raises
        ------
        ConfigError
            For a `site` that is no Site.
        """
        given = cls(tz, *rest)
        tz, registers, _ = apply_site(site, tz, given.registers, frame=frame)
        return replace(given, tz=tz, registers=registers)


@dataclass(frozen=True)
class Study:
    """The series of a verb and the periods it asks of them.

    Attributes
    ----------
    frame : pandas.DataFrame
        The input.
    wanted : Wanted
        Which topics answer.
    tz : tzinfo
        The zone of the calendar and of the result.
    series : list of Cumulative
        One per (meter and) element.
    s, e : ndarray of int64
        The periods [us UTC], shape (periods,).
    asked : Asked
        The caller's keywords.
    """

    frame: pd.DataFrame
    wanted: Wanted
    tz: dt.tzinfo
    series: list[Cumulative]
    s: Ints
    e: Ints
    asked: Asked

    @property
    def several(self) -> bool:
        """Whether results name their meter."""
        return is_several(self.frame)

    def interval(self, c: Cumulative) -> int:
        """The interval of a series' readings [us]."""
        return sources.interval_of(self.asked.interval, c.meter)


def study(frame: pd.DataFrame, freq: Freq, wanted: Wanted, asked: Asked, *cuts: str) -> Study:
    """Read the series that answer and build the periods.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns over time, or over (meter, time), shape (readings, columns).
    freq : str, Monthly, list of edges, or None
        The periods.
    wanted : Wanted
        Which topics answer.
    asked : Asked
        The caller's keywords.
    *cuts : str
        Lengths of blocks: those over 15 minutes need a zone too.
    """
    zone = verb_zone(time_index(frame).tz, asked.tz, freq, *cuts)
    series = series_of(frame, wanted, asked)
    when = periods(frame, series, freq, tz=zone, start=asked.start, end=asked.end, naive=asked.tz)
    return Study(frame, wanted, zone, series, ints(when.starts), ints(when.ends), asked)


def series_of(frame: pd.DataFrame, wanted: Wanted, asked: Asked) -> list[Cumulative]:
    """The series that answer, by the caller's keywords, the preferred topic of each element.

    Raises
    ------
    KindError
        Where no column answers.
    """
    if not isinstance(wanted, Demanded):
        return _read(frame, wanted, asked)
    _need_one(frame, wanted)
    if not (wanted.mean and wanted.register):
        return _read(frame, wanted, asked)
    if not element_columns(frame, [wanted.mean]):
        return _read(frame, Wanted(wanted.register, None), asked)
    # Rules address registers: an element without means may be named in them.
    rules = asked.registers.of_means if isinstance(asked.registers, SiteRules) else RegisterRules()
    means = _read(frame, Wanted(None, wanted.mean), replace(asked, registers=rules))
    if not element_columns(frame, [wanted.register]):
        return means
    have = {(c.meter, c.element) for c in means if len(c.at)}
    named = {c.id for _, c in element_columns(frame, [wanted.register])}
    meters = {c.meter for c in means}
    if all((m, x) in have for m in meters | set(_meters(frame)) for x in named):
        return means
    registers = _read(frame, Wanted(wanted.register, None), asked, have)
    more = keyed(registers)
    kept = [c for c in means if (c.meter, c.element) not in more]
    return sorted([*kept, *more.values()], key=_wire_order)


def _need_one(frame: pd.DataFrame, wanted: Wanted) -> None:
    if element_columns(frame, wanted.topics):
        return
    selection.check_read(frame)
    there = ", ".join(selection.topics(frame)) or "none"
    other = (
        " Or take clock blocks of the register: kind='block'." if wanted.register is None else ""
    )
    raise KindError(
        f"Cannot compute demand: no column of a whole element is {' or '.join(wanted.topics)}; "
        f"the frame's topics are {there}. Read topics={wanted.topics!r} as well.{other}"
    )


def _meters(frame: pd.DataFrame) -> list[str]:
    return meters_of(frame) if is_several(frame) else []


def _wire_order(c: Cumulative) -> tuple[str, int, str]:
    return c.meter or "", len(c.element), c.element


def _read(
    frame: pd.DataFrame,
    wanted: Wanted,
    asked: Asked,
    skip: Container[tuple[str | None, str]] = (),
) -> list[Cumulative]:
    return sources.cumulatives(
        frame,
        wanted,
        tz=asked.tz,
        registers=asked.registers,
        interval=asked.interval,
        demand_lag=asked.demand_lag,
        skip=skip,
    )


def registers_of(
    frame: pd.DataFrame, asked: Asked, topic: str
) -> dict[tuple[str | None, str], Cumulative]:
    """The registers of a frame by (meter, element), where it has any that can be read."""
    if not element_columns(frame, [topic]):
        return {}
    try:
        found = _read(frame, Wanted(topic, None), asked)
    except KindError:
        found = _read_singly(frame, Wanted(topic, None), asked)
    return keyed(found)


def _read_singly(frame: pd.DataFrame, wanted: Wanted, asked: Asked) -> list[Cumulative]:
    """The registers that are some: they only tell of what is uncovered, and stop no peak."""
    found: list[Cumulative] = []
    meters = [row.meter for row in rows(frame)]
    for meter in meters:
        for _, column in element_columns(frame, wanted.topics):
            with contextlib.suppress(KindError):
                found += _read(frame, wanted, asked, _AllBut((meter, column.id)))
    return found


@dataclass(frozen=True)
class _AllBut:
    only: tuple[str | None, str]

    def __contains__(self, key: object) -> bool:
        return key != self.only


def keyed(series: Iterable[Cumulative]) -> dict[tuple[str | None, str], Cumulative]:
    """Series by (meter, element)."""
    return {(c.meter, c.element): c for c in series}


def named(of: Study, c: Cumulative) -> str:
    """How a result names an element that has no column of its meter beside it."""
    return c.name if of.several else c.element


def explicit(frame: pd.DataFrame, asked: Asked) -> tuple[int, int]:
    """The caller's own bounds [us UTC]; the least and the greatest int64 where not given."""
    low, high = asked_bounds(frame, asked.start, asked.end, asked.tz)
    info = np.iinfo(np.int64)
    return (
        info.min if low is None else int(ints(pd.DatetimeIndex([low]))[0]),
        info.max if high is None else int(ints(pd.DatetimeIndex([high]))[0]),
    )


def check_share(least: float | None) -> None:
    """Refuse a `min_coverage` that is no share."""
    if least is not None and not 0 <= least <= 1:
        raise ConfigError(f"Cannot use min_coverage={least!r}: it is a share, from 0 to 1.")
