"""Calendar periods are cut on the local clock, and are half-open ranges of UTC instants.

A frequency is a start-anchored name (``"MS"``), billing months, or a list of edges. Every edge is
a local calendar edge converted to UTC; nothing ever adds 24 hours.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias, cast

import numpy as np
import pandas as pd
from pandas.tseries.frequencies import to_offset

from dentframe.errors import RangeError, by
from dentframe.times.dates_and_ranges import (
    Ints,
    Zone,
    check_spelling,
    instant,
    ints,
    is_utc,
    localize,
    micros,
    minutes,
    stamp,
    utc,
    zone,
)
from dentframe.wire.topics import TOPICS

Freq: TypeAlias = "str | Monthly | Sequence[Any] | pd.DatetimeIndex | dt.timedelta | None"

WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_FREQ = re.compile(
    rf"^(?P<n>\d+)?(?P<unit>min|h|D|W-(?:{'|'.join(WEEKDAYS)})"
    rf"|MS|[QY]S(?:-(?:{'|'.join(MONTHS)}))?)$"
)
_START_FORM = {
    **dict.fromkeys(("ME", "M", "BM", "BME"), "MS"),
    **dict.fromkeys(("Q", "QE"), "QS"),
    **dict.fromkeys(("A", "Y", "YE", "AS"), "YS"),
    **dict.fromkeys(("d", "B"), "D"),
    "W": "W-MON",
}
_CALENDAR = {"h": "hour", "D": "day", "MS": "month", "QS": "quarter", "YS": "year"}
_EDGES = (list, tuple, pd.DatetimeIndex, np.ndarray, pd.Series)
"""What a frequency is where it lists the edges."""
DAY_MINUTES = 1440
_DAYS = {"min": 1 / 1440, "h": 1 / 24, "D": 1, "W": 7, "MS": 31, "QS": 92, "YS": 366}
"""How long a period of each unit is at most."""


@dataclass(frozen=True)
class Monthly:
    """Billing months that begin on one day of the month.

    Parameters
    ----------
    day : int
        The day each month begins on, at local midnight, 1 to 28.

    Examples
    --------
    >>> main = df.dent.select(element="A")
    >>> main.dent.energy(Monthly(day=18), tz=LA).index.strftime("%Y-%m-%d").tolist()
    ['2023-11-18', '2023-12-18']
    """

    day: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.day, int) or not 1 <= self.day <= 28:
            raise RangeError(
                f"Cannot begin a month on day {self.day!r}: not every month has it. "
                "Use a day from 1 to 28, or give a list of edges."
            )


def parse_freq(freq: Any) -> tuple[int, str]:
    """A start-anchored frequency as (multiple, unit), e.g. ``(15, "min")``.

    Raises
    ------
    RangeError
        For an end-anchored or unknown frequency, naming the start form.
    """
    text = str(getattr(freq, "freqstr", freq)).strip()
    if isinstance(freq, dt.timedelta | np.timedelta64):
        text = f"{minutes(freq, 'freq')}min"
    match = _FREQ.match(text)
    # Python reads no number of 5,000 digits; nine are more than a century of minutes.
    if match is not None and (n := int((match["n"] or "1")[:9])):
        if n * _DAYS[match["unit"].partition("-")[0]] > 100 * _DAYS["YS"]:
            named = by(f"freq={text!r}", f"--freq {text}")
            raise RangeError(
                f"Cannot use {named}: its periods are longer than a century. Use a shorter one."
            )
        return n, match["unit"]
    named = by(f"freq={text!r}", f"--freq {text}")
    check_spelling(text, "freq")
    found = re.match(r"^(\d*)([A-Za-z]+)", text)
    start_form = _START_FORM.get(found[2]) if found else None
    if found and start_form is not None:
        raise RangeError(
            f"Cannot use {named}: periods here are named by their start. "
            f"Use {found[1] + start_form!r}."
        )
    topic = f"it is a topic: say topic={text!r}" if text in TOPICS else "it is not known here"
    raise RangeError(
        f"Cannot use {named}: {topic}. Use a start-anchored one (15min, h, D, W-MON, MS, QS, "
        + by("YS, or a multiple), Monthly(day=...), or a list of edges.", "YS, or a multiple).")
    )


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
    for freq in needed_by if is_utc(index_tz) else ():
        if isinstance(freq, _EDGES):
            needed = any(pd.Timestamp(e).tzinfo is None for e in freq)
        elif freq is None or isinstance(freq, Monthly):
            needed = freq is not None
        else:
            n, unit = parse_freq(freq)
            needed = unit != "min" or n > 15
        if needed:
            each = _CALENDAR.get(freq, f"period of {freq!r}") if isinstance(freq, str) else "period"
            raise RangeError(
                f"Cannot tell where each local {each} begins without a time zone: the index is "
                "UTC, and days, months and hours are local. "
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
) -> tuple[Ints, Ints]:
    """The start and the end of the periods that cover ``[start, end)`` [us UTC], in order.

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

    Raises
    ------
    RangeError
        For edges that do not rise, or a frequency that cannot be used.
    """
    low, high = micros(start), micros(end)
    if freq is None:
        return np.array([low]), np.array([high])
    given = isinstance(freq, _EDGES)
    if given:
        listed = pd.DatetimeIndex([instant(e, tz, "edge") for e in cast("Any", freq)])
        if len(listed) < 2 or not (listed[1:] > listed[:-1]).all():
            raise RangeError(
                f"Cannot use {len(listed)} edges as periods: at least two, rising, are needed; "
                f"got {[str(e) for e in listed[:4]]}."
            )
        edges = ints(listed)
    else:
        edges = calendar(freq, low, high, tz)
    starts, ends = edges[:-1], edges[1:]
    # Listed periods are kept, also those beyond the span, unless it is the caller's own.
    keep = (ends > low) | (given and not cut_start)
    keep &= (starts < high) | (given and not cut_end)
    starts, ends = starts[keep], ends[keep]
    if cut_start:
        starts = np.maximum(starts, low)
    return starts, np.minimum(ends, high) if cut_end else ends


def calendar(freq: Any, low: int, high: int, tz: dt.tzinfo) -> Ints:
    """Calendar edges from the period that holds `low` to the first at or after `high` [us UTC]."""
    n, unit = (1, "MS") if isinstance(freq, Monthly) else parse_freq(freq)
    one = {"min": 1, "h": 60}.get(unit, 0)
    step = n * one
    if not step:
        day = freq.day if isinstance(freq, Monthly) else 1
        days = (utc(x).astimezone(tz).date() for x in (low, high))
        kept = isinstance(tz, Hashable)  # zones of dateutil have no hash
        edges = (_days if kept else _days.__wrapped__)(n, unit, day, *days, tz)
    elif DAY_MINUTES % step == 0:
        edges = ints(clock_grid(step, stamp(low), stamp(high), tz))
    else:
        grid = ints(clock_grid(one, stamp(low), stamp(low), tz))
        origin = grid[int(np.searchsorted(grid, low, side="right")) - 1]
        us = step * 60_000_000
        edges = np.arange(origin, high + us + 1, us)
    first = max(int(np.searchsorted(edges, low, side="right")) - 1, 0)
    last = max(int(np.searchsorted(edges, high, side="left")), first + 1)
    return edges[first : last + 1]


def midnights(start: pd.Timestamp, end: pd.Timestamp, tz: dt.tzinfo) -> list[pd.Timestamp]:
    """The local midnights in ``[start, end)`` as UTC instants: where a day begins.

    Parameters
    ----------
    start, end : Timestamp
        The period, aware.
    tz : tzinfo
        The zone of the calendar.
    """
    low, high = micros(start), micros(end)
    return [stamp(x) for x in calendar("D", low, high, tz).tolist() if low <= x < high]


@lru_cache(maxsize=64)  # the meters of a portfolio mostly have the same ones
def _days(n: int, unit: str, day: int, first: dt.date, last: dt.date, tz: dt.tzinfo) -> Ints:
    """The edges of days, weeks, months, quarters and years between two local days [us UTC]."""
    one, later = to_offset(unit), pd.Timedelta(days=day - 1)
    low = one.rollback(pd.Timestamp(first) - later)
    high = pd.Timestamp(last) - later + (n + 1) * one
    walls = pd.date_range(low, high, freq=n * one, unit="us") + later
    found = ints(localize(walls.as_unit("us"), tz).unique())
    found.flags.writeable = False  # all callers share it
    return found


def clock_grid(
    step: int, start: pd.Timestamp, end: pd.Timestamp, tz: dt.tzinfo
) -> pd.DatetimeIndex:
    """Instants at which the local clock shows a multiple of `step` minutes, both folds.

    The grid reaches from a day or two before `start` to a day or two after `end`.
    """
    day = pd.Timedelta(days=1)
    first, last = (x.tz_convert(tz).tz_localize(None).normalize() for x in (start, end))
    # A clock that goes back at midnight shows the hour of the day before again.
    walls = pd.date_range(first - day, last + 2 * day, freq=f"{step}min", unit="us")
    # A skipped hour (or day) has one edge, where the clock goes on: hence unique.
    return localize(walls, tz).unique().union(localize(walls, tz, second=True).unique())
