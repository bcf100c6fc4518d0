"""Steps and stacks of intervals drawn from their start. Pure.

What a picture is of: the elements asked for, and their power in blocks. Pure.

Energy per period of the elements of a picture. Pure.

Blocks laid out by local day and by the time that has passed since its midnight. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe.errors import RangeError
from dentframe.metering import blocks
from dentframe.metering.figures import all_figures
from dentframe.metering.registers import MINUTE
from dentframe.metering.series import is_several, meters_of, time_index
from dentframe.plot.axes import date
from dentframe.site.site import apply_site
from dentframe.times.periods import Monthly, calendar, parse_freq, verb_zone
from dentframe.times.ranges import ints, local, stamp
from dentframe.verbs import sources
from dentframe.verbs.demand import window_means
from dentframe.verbs.inputs import (
    Asked,
    Study,
    asked_bounds,
    chosen,
    default_bounds,
    demanded,
    periods,
    study,
)
from dentframe.wire.columns import split_element

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from dentframe.metering.cumulative import Cumulative
    from dentframe.metering.series import Floats, Ints
    from dentframe.times.periods import Freq
    from dentframe.verbs.sources import Wanted


UNITS = {
    "Demand": "kW",
    "ApparentDemand": "kVA",
    "Energy": "kWh",
    "ApparentEnergy": "kVAh",
    "ReactiveEnergy": "kvarh",
}


@dataclass(frozen=True)
class Subject:
    """A caller's keywords, with what a site adds to them.

    Attributes
    ----------
    frame : pandas.DataFrame
        The readings.
    asked : Asked
        Zone, span, register rules, interval and lag.
    topic, source : str
        As the verbs take them.
    elements : str, list of str, or None
        None: every element, or for a sum what the site's roles say.
    site : Site or None
        Gives labels and roles.
    """

    frame: pd.DataFrame
    asked: Asked
    topic: str | None
    source: str
    elements: Any
    site: Any

    def each(self, series: Sequence[Cumulative], wanted: Wanted) -> list[Cumulative]:
        """The elements that are shown side by side: all, where none is named."""
        names = "all" if self.elements is None else self.elements
        return chosen(self.frame, series, wanted, names, None)

    def together(self, series: Sequence[Cumulative], wanted: Wanted) -> list[Cumulative]:
        """The elements that are added up: the only one, or those named, or by their roles.

        Raises
        ------
        ConfigError
            Where nothing tells which of several.
        """
        names = self._by_role(series) if self.elements is None else self.elements
        if names is None and len(series) == 1:
            names = "all"
        return chosen(self.frame, series, wanted, names, None)

    def _by_role(self, series: Sequence[Cumulative]) -> list[str] | None:
        """The branches and exports of the meters that the frame has, None without a site."""
        if self.site is None:
            return None
        _, _, names = apply_site(self.site, None, self.asked.registers)
        several = is_several(self.frame)
        meters = {*meters_of(self.frame)} if several else {str(c.meter) for c in series}
        return [x for x in names if split_element(x)[0] in meters] or None

    def label(self, c: Cumulative) -> str:
        """How an element is named in the picture."""
        own = c.name if is_several(self.frame) else c.element
        told = None if self.site is None else self.site.labels.get(c.name)
        return own if told in {None, c.name} else f"{told} ({own})"

    def study(self, *clock: str) -> Study:
        """The series that answer for demand and the span, one period."""
        wanted = demanded(self.frame, self.topic, self.source)
        of = study(self.frame, None, wanted, self.asked, *clock)
        if len(of.s) == 0 or of.s[0] == of.e[-1]:
            raise RangeError(
                "Cannot draw this frame: it has no span of time, for its readings are of fewer "
                "than two instants. Read a longer range, or give start= and end=."
            )
        return of


def subject(
    frame: pd.DataFrame,
    asked: Asked,
    *,
    topic: str | None,
    source: str,
    elements: Any,
    site: Any,
) -> Subject:
    """A picture's subject.

    Raises
    ------
    RangeError
        For a frame without rows.
    ConfigError
        For a `site` that is no Site.
    """
    if len(frame) == 0:
        raise RangeError(
            "Cannot draw this frame: it has no rows. Read a range that has readings; "
            "inventory() tells which have."
        )
    tz, registers, _ = apply_site(site, asked.tz, asked.registers, frame=frame)
    full = Asked(tz, asked.start, asked.end, registers, asked.interval, asked.demand_lag)
    return Subject(frame, full, topic, source, elements, site)


@dataclass(frozen=True)
class Power:
    """Mean power of blocks of the local clock.

    Attributes
    ----------
    s, e : ndarray of int64
        The blocks that lie wholly in the span [us UTC], shape (blocks,).
    kw : ndarray of float
        Shape (elements, blocks); NaN where not wholly covered.
    labels : list of str
        Of the elements.
    tz : tzinfo
        The zone of the clock.
    unit : str
        ``kW`` or ``kVA``.
    low, high : int
        The span [us UTC].
    """

    s: Ints
    e: Ints
    kw: Floats
    labels: list[str]
    tz: dt.tzinfo
    unit: str
    low: int
    high: int

    @property
    def parts(self) -> Floats:
        """What is stacked."""
        return self.kw

    @property
    def doubtful(self) -> np.ndarray:
        """No block is: it is wholly known or not at all."""
        return np.zeros(self.kw.shape, dtype=np.bool_)

    @property
    def total(self) -> Floats:
        """The sum of the elements, NaN where one is, shape (blocks,)."""
        return np.asarray(self.kw.sum(axis=0))


def power(of: Subject, window: Any, *clock: str, together: bool) -> Power:
    """Mean power of the subject's elements.

    Parameters
    ----------
    of : Subject
        What is drawn.
    window : str or timedelta
        Length of a block.
    *clock : str
        What else needs a zone, ``"D"`` for days.
    together : bool
        Whether the elements are added up.
    """
    how = blocks.cut("block", window, None, of.asked.interval)
    found = of.study(how.freq, *clock)
    pick = of.together if together else of.each
    series = pick(found.series, found.wanted)
    low, high = int(found.s[0]), int(found.e[-1])
    s, e = blocks.span(how, found.s, found.e, found.tz)
    inside = (s >= low) & (e <= high)
    s, e = s[inside], e[inside]
    if len(s) == 0:
        raise RangeError(
            f"Cannot draw blocks of {how.freq}: the span holds none of them whole. "
            "Use a shorter window= or a longer span."
        )
    kw = np.stack([window_means(found, c, s, e) for c in series])
    labels = [of.label(c) for c in series]
    return Power(s, e, kw, labels, found.tz, UNITS[found.wanted.result], low, high)


def runs(mask: Any) -> list[tuple[int, int]]:
    """The half-open runs of True in a mask."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], np.asarray(mask, dtype=np.int8), [0]))))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def sum_of(labels: Sequence[str], most: int = 3) -> str:
    """Elements that are added up, in words."""
    return " + ".join(labels) if len(labels) <= most else f"sum of {len(labels)} elements"


_AUTO = ((8, None), (100, "D"), (3 * 366, "W-MON"))
"""The longest span [days] of each way; beyond them months."""
_NAMES = {"D": "local day", "MS": "month", "QS": "quarter", "YS": "year", "h": "hour"}


@dataclass(frozen=True)
class Bars:
    """Energy of periods.

    Attributes
    ----------
    s, e : ndarray of int64
        The periods, the first and last cut at the span [us UTC], shape (periods,).
    kwh : ndarray of float
        Of what is covered, shape (elements, periods); NaN where nothing is.
    whole, doubtful : ndarray of bool
        Whether all of a period is covered, and whether its figure is not simply recorded.
    labels : list of str
        Of the elements.
    tz : tzinfo
        The zone of the calendar.
    unit, each : str
        ``kWh`` or another; what a period is called.
    """

    s: Ints
    e: Ints
    kwh: Floats
    whole: np.ndarray
    doubtful: np.ndarray
    labels: list[str]
    tz: dt.tzinfo
    unit: str
    each: str

    def name(self, us: int, tz: dt.tzinfo) -> str:
        """What the period that starts then is called."""
        return date(us, tz) if self.each == "local day" else f"from {date(us, tz)}"

    @property
    def parts(self) -> Floats:
        """What is stacked."""
        return self.kwh

    @property
    def total(self) -> Floats:
        """The sum of the elements, NaN where one is not wholly covered."""
        return np.asarray(np.where(self.whole, self.kwh, np.nan).sum(axis=0))


def bars(of: Subject, freq: Freq) -> Bars | None:
    """The bars of a subject; None where its power is to be drawn instead."""
    asked, frame = of.asked, of.frame
    wanted = sources.wanted(frame, of.topic, of.source)
    low, high = asked_bounds(frame, asked.start, asked.end, asked.tz)
    series = sources.cumulatives(
        frame,
        wanted,
        tz=asked.tz,
        registers=asked.registers,
        interval=asked.interval,
        demand_lag=asked.demand_lag,
    )
    first, last = default_bounds(frame, series)
    low, high = (low or first), (high or last)
    freq = _freq(low, high) if freq is None else freq
    if freq is None:
        return None
    zone = verb_zone(time_index(frame).tz, asked.tz, freq)
    when = periods(frame, series, freq, tz=zone, start=low, end=high, naive=asked.tz)
    s, e = ints(when.starts), ints(when.ends)
    if len(s) == 0:
        raise RangeError(f"Cannot draw energy per {freq!r}: the span holds no such period.")
    found = all_figures(of.together(series, wanted), s, e)
    return Bars(
        s,
        e,
        np.stack([f.energy for f in found]),
        np.stack([f.coverage == 1 for f in found]),
        np.stack([(f.status > 0) & ~np.isnan(f.energy) for f in found]),
        [of.label(f.of) for f in found],
        zone,
        UNITS[wanted.result],
        _each(freq),
    )


def _freq(low: pd.Timestamp | None, high: pd.Timestamp | None) -> str | None:
    if low is None or high is None:
        return None
    days = (high - low) / pd.Timedelta(days=1)
    return next((x for most, x in _AUTO if days <= most + 0.1), "MS")


def _each(freq: Any) -> str:
    if isinstance(freq, Monthly):
        return "month"
    if not isinstance(freq, str):
        return "period"
    n, unit = parse_freq(freq)
    name = "week" if unit.startswith("W") else _NAMES.get(unit.split("-")[0], unit)
    return name if n == 1 else f"{n} {name}s"


HOUR = 60 * MINUTE


@dataclass(frozen=True)
class Days:
    """A table of rows of equal length by local days of 23, 24 or 25 hours.

    Attributes
    ----------
    edges : ndarray of int64
        The local midnights [us UTC], shape (days + 1,).
    row : int
        Length of a row [us].
    kw : ndarray of float
        Shape (rows, days); row 0 begins at midnight; NaN where nothing is recorded, and where
        there is no such time.
    lost : ndarray of bool
        Where the span has a block that nothing covers, shape (rows, days).
    tz : tzinfo
        The zone of the days.
    """

    edges: Ints
    row: int
    kw: Floats
    lost: np.ndarray
    tz: dt.tzinfo

    @property
    def hours(self) -> Floats:
        """The length of each day [h]."""
        return np.asarray(np.diff(self.edges) / HOUR)

    def boxes(self) -> list[tuple[int, float, float]]:
        """Stretches that are not recorded, as (day, from, to) [hours since midnight]."""
        step = self.row / HOUR
        return [
            (day, a * step, b * step)
            for day in np.flatnonzero(self.lost.any(axis=0)).tolist()
            for a, b in runs(self.lost[:, day])
        ]

    def changes(self) -> list[tuple[int, float, float]]:
        """Days on which the clock changes: (day, hours since midnight, hours gained)."""
        found = []
        for day in np.flatnonzero(self.hours != 24.0).tolist():
            low, high = int(self.edges[day]), int(self.edges[day + 1])
            grid = np.arange(low, high + 1, self.row)
            walls = local(grid, self.tz).tz_localize(None).as_unit("us").asi8
            drift = grid - walls
            i = int(np.argmax(drift != drift[0]))
            found.append((day, (int(grid[i]) - low) / HOUR, float(self.hours[day] - 24.0)))
        return found


def lay(s: Ints, e: Ints, kw: Floats, tz: dt.tzinfo) -> Days:
    """Lay blocks out by day.

    Parameters
    ----------
    s, e : ndarray of int64
        Blocks in order that cross no local midnight [us UTC], shape (blocks,).
    kw : ndarray of float
        Shape (blocks,); NaN where not wholly covered.
    tz : tzinfo
        The zone of the days.
    """
    first, last = (stamp(int(x)).tz_convert(tz) for x in (s[0], e[-1]))
    edges = ints(calendar("D", first, last, tz))
    day = np.searchsorted(edges, s, side="right") - 1
    a, b = s - edges[day], e - edges[day]
    row = int(np.gcd.reduce(np.concatenate((a, b, np.diff(edges)))))
    table = np.full((int(np.diff(edges).max()) // row, len(edges) - 1), np.nan)
    lost = np.zeros(table.shape, dtype=np.bool_)
    many = (b - a) // row
    block = np.repeat(np.arange(len(s)), many)
    within = np.arange(len(block)) - np.repeat(np.cumsum(many) - many, many)
    where = a[block] // row + within, day[block]
    table[where], lost[where] = kw[block], np.isnan(kw[block])
    return Days(edges, row, table, lost, tz)


_HOUR = 3.6e9


def of_series(c: Cumulative, interval: int) -> tuple[Ints, Ints, Floats]:
    """Start, end and mean power of every interval between a series' readings [kW].

    NaN where it is not covered, and where a register's spacing of more than one and a half
    intervals leaves open when its energy was used.
    """
    s, e = c.t[:-1], c.t[1:]
    known = c.ok & (2 * (e - s) <= 3 * interval)
    kw = np.full(len(s), np.nan)
    np.divide(c.inc, (e - s) / _HOUR, out=kw, where=known)
    return s, e, kw


def layers(parts: Floats) -> tuple[Floats, Floats]:
    """Lower and upper edge of each part of a stack: what draws above 0, what feeds below it.

    Parameters
    ----------
    parts : ndarray of float
        Shape (elements, intervals); NaN takes no room, and its own edges are NaN.
    """
    known = np.nan_to_num(parts)
    up, down = np.maximum(known, 0.0), np.minimum(known, 0.0)
    low = np.where(known < 0, np.cumsum(down, axis=0), np.cumsum(up, axis=0) - up)
    high = np.where(known < 0, np.cumsum(down, axis=0) - down, np.cumsum(up, axis=0))
    lost = np.isnan(parts)
    return np.where(lost, np.nan, low), np.where(lost, np.nan, high)
