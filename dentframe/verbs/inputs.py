"""The module turns a verb's keywords into its series and its periods.

For demand, ``source="auto"`` means the meter's own interval means (DemandkW) first, else the
register: means know when power flowed, a register only how much between two readings.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe.errors import ConfigError, KindError, RangeError, ReadingWarning, warn
from dentframe.frame import select as selection
from dentframe.metering.attrs import is_several, meters_of, span_of, time_index
from dentframe.metering.cumulative import STATUSES, Cumulative, first_covered, from_means
from dentframe.metering.registers import MINUTE, RegisterRules, SiteRules
from dentframe.metering.series import (
    NONE,
    Series,
    element_columns,
)
from dentframe.site.corrections import corrections_of, in_force
from dentframe.site.site import apply_site, summed
from dentframe.times.periods import Periods, build, verb_zone
from dentframe.times.ranges import Zone, bound, ints
from dentframe.verbs import sources
from dentframe.verbs.sources import Wanted
from dentframe.wire.topics import TOPICS

if TYPE_CHECKING:
    from dentframe.metering.series import Ints
    from dentframe.times.periods import Freq


Bounds = tuple[pd.Timestamp | None, pd.Timestamp | None]


def asked_bounds(frame: pd.DataFrame, start: Any, end: Any, tz: Zone) -> Bounds:
    """A verb's own `start` and `end` as UTC instants, None where not given."""
    own = time_index(frame).tz
    return bound(start, own, tz, "start"), bound(end, own, tz, "end")


def default_bounds(frame: pd.DataFrame, series: Sequence[Cumulative]) -> Bounds:
    """The range that was read, as far as it is believed, else what the readings cover."""
    return span_of(frame, ((c.meter, first_covered(c), int(c.at[-1])) for c in series if len(c.at)))


def periods(
    frame: pd.DataFrame,
    series: Sequence[Cumulative],
    freq: Freq,
    *,
    tz: dt.tzinfo,
    start: Any = None,
    end: Any = None,
    naive: Zone = None,
) -> Periods:
    """The periods of a verb.

    Parameters
    ----------
    frame : pandas.DataFrame
        The readings; its attrs may tell the range that was read.
    series : sequence of Cumulative
        What the periods are for; they tell the span where nothing else does.
    freq : str, Monthly, list of edges, or None
        None: one period, the whole span.
    tz : tzinfo
        The zone of the calendar.
    start, end : optional
        Bounds that cut a period; otherwise periods keep their whole calendar length.
    naive : str or tzinfo, optional
        The zone of naive bounds, as the caller gave it.

    Raises
    ------
    RangeError
        Where `start` is not before `end`.
    """
    low, high = asked_bounds(frame, start, end, naive)
    first, last = default_bounds(frame, series)
    a, b = (first if low is None else low), (last if high is None else high)
    if a is None or b is None:
        none = pd.DatetimeIndex([], tz=tz).as_unit("us")
        return Periods(none, none)
    if a > b or (a == b and (low is not None or high is not None)):
        raise RangeError(
            f"Cannot use the span from {a.isoformat()} to {b.isoformat()}: start is not before "
            f"end{_whose(low, high)}. The span is half-open, [start, end)."
        )
    if a == b and freq is not None:
        b += pd.Timedelta(1, unit="us")
    return build(freq, a, b, tz, cut_start=low is not None, cut_end=high is not None)


def _whose(low: pd.Timestamp | None, high: pd.Timestamp | None) -> str:
    if low is not None and high is not None:
        return ""
    return " (the other bound is where the readings begin or end)"


TOO_CLOSE, TOO_FAR = 0.6, 1.5
"""A median spacing outside these multiples of `interval` means another interval."""
FEWEST = 6
"""So many readings tell their usual spacing; fewer may be picked ones."""
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
    elements: Any = None
    corrections: Any = ()
    refuse: bool = True

    @classmethod
    def of(cls, frame: pd.DataFrame, site: Any, tz: Zone, *rest: Any, **more: Any) -> Asked:
        """The keywords, `tz` and then the others in their order, with what `site` adds to them.

        Raises
        ------
        ConfigError
            For a `site` that is no Site, or corrections that contradict each other.
        """
        given = cls(tz, *rest, **more)
        tz, registers, _ = apply_site(site, tz, given.registers, frame=frame)
        stated = (*given.registers.corrections, *given.corrections)
        if stated:
            own = () if site is None else site.corrections
            every = in_force([*own, *corrections_of(stated)], sources.naive_zone(frame, tz))
            registers = replace(registers, corrections=tuple(every))
        return replace(given, tz=tz, registers=registers)


@dataclass(frozen=True)
class Inputs:
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

    @property
    def meters(self) -> list[str]:
        """The meters that a result has rows of, where it names them."""
        if self.asked.elements is None:
            return meters_of(self.frame)
        return sorted({c.meter or "" for c in self.series})

    def interval(self, c: Cumulative) -> int:
        """The interval of a series' readings [us]."""
        return sources.interval_of(self.asked.interval, c.meter)


def inputs_of(frame: pd.DataFrame, freq: Freq, wanted: Wanted, asked: Asked, *cuts: str) -> Inputs:
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
    warn_of_spacing([c.series for c in series if c.source == "demand"], asked.interval)
    when = periods(frame, series, freq, tz=zone, start=asked.start, end=asked.end, naive=asked.tz)
    return Inputs(frame, wanted, zone, series, ints(when.starts), ints(when.ends), asked)


def warn_of_spacing(found: Iterable[Series], interval: Any) -> None:
    """Warn once of readings that come much closer or farther than a caller's `interval`.

    Nothing tells whether they are means over another interval or most of them are lost; but an
    hourly mean that counts for 15 minutes makes a quarter of the energy, and no demand at all.
    """
    for x in found:
        if len(x.t) < FEWEST:
            continue
        usual = sources.interval_of(interval, x.meter)
        spacing = float(np.median(np.diff(x.t)))
        if not TOO_CLOSE * usual <= spacing <= TOO_FAR * usual:
            warn(
                f"{x.topic} of {x.name} comes every {spacing / MINUTE:g} min, and each reading is "
                f"taken for {usual / MINUTE:g} min, by interval=. If it is a mean over its whole "
                f"spacing, say interval='{spacing / MINUTE:g}min'; and note that pandas labels "
                "resampled means by their start, where a reading here is labelled by its end.",
                ReadingWarning,
            )
            return


def series_of(frame: pd.DataFrame, wanted: Wanted, asked: Asked) -> list[Cumulative]:
    """The series that answer, by the caller's keywords, the preferred topic of each element.

    Raises
    ------
    KindError
        Where no column answers.
    """
    if isinstance(wanted, Demanded):
        _need_one(frame, wanted)
        if wanted.mean and wanted.register and not element_columns(frame, [wanted.register]):
            # Rules address registers: an element without means may be named in them.
            known = asked.registers
            none = known.of_means if isinstance(known, SiteRules) else RegisterRules()
            asked = replace(asked, registers=none)
    return sources.cumulatives(
        frame,
        wanted,
        tz=asked.tz,
        registers=asked.registers,
        interval=asked.interval,
        demand_lag=asked.demand_lag,
        elements=asked.elements,
        refuse=asked.refuse,
    )


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


def registers_of(
    frame: pd.DataFrame, asked: Asked, topic: str
) -> dict[tuple[str | None, str], Cumulative]:
    """The registers of a frame by (meter, element), where it has any that can be read."""
    if not element_columns(frame, [topic]):
        return {}
    asked = replace(asked, elements=None, refuse=False)
    return keyed(series_of(frame, Wanted(topic, None), asked))


def keyed(series: Iterable[Cumulative]) -> dict[tuple[str | None, str], Cumulative]:
    """Series by (meter, element)."""
    return {(c.meter, c.element): c for c in series}


def named(of: Inputs, c: Cumulative) -> str:
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


def chosen(
    frame: pd.DataFrame, series: Sequence[Cumulative], wanted: Wanted, elements: Any, site: Any
) -> list[Cumulative]:
    """The series of the elements that are summed, in the order in which they are named.

    Parameters
    ----------
    frame : pandas.DataFrame
        The input.
    series : sequence of Cumulative
        What there is.
    wanted : Wanted
        The topics that answer.
    elements : str, list of str, or None
        ``"all"``, or names; None asks `site`.
    site : Site or None
        Its roles tell, by `dentframe.site.site.summed`.

    Raises
    ------
    ConfigError
        Where nothing tells which, or one is named twice.
    UnknownMeterError
        For an element that is not there.
    """
    names = summed_names(elements, site)
    named = sources.named_outright(frame, wanted.topics, names)
    if named is None:
        return list(series)
    there = keyed(series)
    blank = [Series(m, x, wanted.topics[0], NONE, np.empty(0), NONE, NONE) for m, x in named]
    found = [there.get((x.meter, x.element)) or from_means(x, 15 * MINUTE) for x in blank]
    for c in found:
        if c.refusal:
            raise KindError(c.refusal)
    return found


def summed_names(elements: Any, site: Any) -> Any:
    """The names of the elements that make up a sum, ``"all"`` included.

    Raises
    ------
    ConfigError
        Where nothing tells which.
    """
    names = summed(site) if elements is None and site is not None else elements
    if names is None:
        raise ConfigError(
            "Cannot tell which elements make up the site: a main beside its branches would "
            'count twice. Name them, e.g. elements=["A", "C"], or say elements="all".'
        )
    return names
