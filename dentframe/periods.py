"""Calendar periods on local clocks, as half-open ranges of UTC instants. Pure.

Every edge is a local calendar edge converted to UTC; nothing ever adds 24 hours.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dentframe.errors import RangeError
from dentframe.freq import MONTHS, WEEKDAYS, Freq, Monthly, is_edges, needs_zone, parse_freq
from dentframe.instants import Zone, instant, is_utc, localize, zone

DAY_MINUTES = 1440


@dataclass(frozen=True)
class Periods:
    """Half-open periods ``[start, end)``, in order.

    Attributes
    ----------
    starts, ends : pandas.DatetimeIndex
        In the periods' own zone, shape (periods,).
    """

    starts: pd.DatetimeIndex
    ends: pd.DatetimeIndex

    def __len__(self) -> int:
        return len(self.starts)


def verb_zone(index_tz: dt.tzinfo | None, tz: Zone, *needed_by: Any) -> dt.tzinfo:
    """The zone a verb works in, by the rules of the accessor.

    Parameters
    ----------
    index_tz : tzinfo or None
        The index's zone.
    tz : str, tzinfo or None
        What the caller asked for; None takes the index's own zone where that is not UTC.
    *needed_by : object
        Frequencies and blocks that are longer than 15 minutes need a zone.

    Raises
    ------
    RangeError
        For a naive index, or where a zone is needed and none is given.
    """
    if index_tz is None:
        raise RangeError(
            "Cannot tell the instants of a naive time index: it has no time zone. The wire is "
            'UTC: use df.tz_localize("UTC").'
        )
    if tz is not None:
        return zone(tz)
    if is_utc(index_tz) and any(needs_zone(f) for f in needed_by):
        raise RangeError(
            f"Cannot build periods of {next(f for f in needed_by if needs_zone(f))!r} without a "
            "time zone: the index is UTC, and days, months and hours are local. "
            'Pass tz="America/Los_Angeles" or the like (say tz="UTC" if UTC is meant).'
        )
    return index_tz


def build(
    freq: Freq,
    start: pd.Timestamp,
    end: pd.Timestamp,
    tz: dt.tzinfo,
    *,
    cut_start: bool = False,
    cut_end: bool = False,
) -> Periods:
    """The periods that cover ``[start, end)``.

    Parameters
    ----------
    freq : str, Monthly, list of edges, or None
        None: one period, the whole span.
    start, end : pandas.Timestamp
        The span, aware.
    tz : tzinfo
        The zone of the calendar.
    cut_start, cut_end : bool
        Whether the span's own edge cuts the first or last period; otherwise the period
        keeps its whole calendar length.

    Returns
    -------
    Periods
    """
    start, end = start.tz_convert(tz).as_unit("us"), end.tz_convert(tz).as_unit("us")
    if freq is None:
        return _periods(pd.DatetimeIndex([start, end]))
    given = is_edges(freq)
    periods = _periods(_given_edges(freq, tz) if given else calendar(freq, start, end, tz))
    keep = np.ones(len(periods), dtype=bool)
    if cut_start or not given:
        keep &= np.asarray(periods.ends > start)
    if cut_end or not given:
        keep &= np.asarray(periods.starts < end)
    starts, ends = periods.starts[keep], periods.ends[keep]
    if cut_start:
        starts = starts.where(starts >= start, start)
    if cut_end:
        ends = ends.where(ends <= end, end)
    return Periods(starts, ends)


def _periods(edges: pd.DatetimeIndex) -> Periods:
    return Periods(edges[:-1], edges[1:])


def _given_edges(freq: Any, tz: dt.tzinfo) -> pd.DatetimeIndex:
    edges = pd.DatetimeIndex([instant(e, tz, "edge") for e in freq])
    if len(edges) < 2 or not (edges[1:] > edges[:-1]).all():
        raise RangeError(
            f"Cannot use {len(edges)} edges as periods: at least two, rising, are needed; "
            f"got {[str(e) for e in edges[:4]]}."
        )
    return edges.as_unit("us").tz_convert(tz)


def calendar(freq: Any, start: pd.Timestamp, end: pd.Timestamp, tz: dt.tzinfo) -> pd.DatetimeIndex:
    """Calendar edges from the period that holds `start` to the first at or after `end`."""
    if isinstance(freq, Monthly):
        return _trim(localize(_months(start, end, 1, freq.day), tz).unique(), start, end)
    n, unit = parse_freq(freq)
    if unit in {"min", "h"}:
        return _trim(_clock_edges(n, unit, start, end, tz), start, end)
    return _trim(localize(_walls(n, unit, start, end), tz).unique(), start, end)


def _trim(edges: pd.DatetimeIndex, start: pd.Timestamp, end: pd.Timestamp) -> pd.DatetimeIndex:
    first = max(int(edges.searchsorted(start, side="right")) - 1, 0)
    last = max(int(edges.searchsorted(end, side="left")), first + 1)
    return edges[first : last + 1]


def _wall(stamp: pd.Timestamp) -> pd.Timestamp:
    return stamp.tz_localize(None).normalize()


def _walls(n: int, unit: str, start: pd.Timestamp, end: pd.Timestamp) -> pd.DatetimeIndex:
    if unit == "D":
        return _days(_wall(start), end, n)
    if unit.startswith("W"):
        weekday = WEEKDAYS.index(unit[2:])
        first = _wall(start)
        return _days(first - pd.Timedelta(days=(first.weekday() - weekday) % 7), end, 7 * n)
    months = {"MS": 1, "QS": 3, "YS": 12}[unit[:2]]
    anchor = MONTHS.index(unit[3:]) if len(unit) > 2 else 0
    return _months(start, end, months * n, base=months, anchor=anchor)


def _days(first: pd.Timestamp, end: pd.Timestamp, step: int) -> pd.DatetimeIndex:
    last = _wall(end) + pd.Timedelta(days=step + 1)
    return pd.date_range(first, last, freq=f"{step}D", unit="us")


def _months(
    start: pd.Timestamp, end: pd.Timestamp, step: int, day: int = 1, base: int = 1, anchor: int = 0
) -> pd.DatetimeIndex:
    first = 12 * start.year + start.month - 1 - (start.day < day)
    first -= (first - anchor) % base
    last = 12 * end.year + end.month + step
    return pd.DatetimeIndex(
        [pd.Timestamp(m // 12, m % 12 + 1, day) for m in range(first, last + 1, step)]
    ).as_unit("us")


def _clock_edges(
    n: int, unit: str, start: pd.Timestamp, end: pd.Timestamp, tz: dt.tzinfo
) -> pd.DatetimeIndex:
    step = n * (60 if unit == "h" else 1)
    if DAY_MINUTES % step == 0:
        return clock_grid(step, start, end, tz)
    first = clock_grid(60 if unit == "h" else 1, start, start, tz)
    origin = first[int(first.searchsorted(start, side="right")) - 1]
    return pd.date_range(origin, end + pd.Timedelta(minutes=step), freq=f"{step}min", unit="us")


def clock_grid(
    step: int, start: pd.Timestamp, end: pd.Timestamp, tz: dt.tzinfo
) -> pd.DatetimeIndex:
    """Instants at which the local clock shows a multiple of `step` minutes, both folds.

    The grid reaches from the local midnight before `start` to a day or two after `end`.
    """
    start, end = start.tz_convert(tz), end.tz_convert(tz)
    walls = pd.date_range(
        _wall(start), _wall(end) + pd.Timedelta(days=2), freq=f"{step}min", unit="us"
    )
    # A skipped hour (or day) has one edge, where the clock goes on: hence unique.
    return localize(walls, tz).unique().union(localize(walls, tz, second=True).unique())
