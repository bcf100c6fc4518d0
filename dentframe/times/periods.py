"""Calendar periods are cut on the local clock, and are half-open ranges of UTC instants.

A frequency is a start-anchored name (``"MS"``), billing months, or a list of edges. Every edge is
a local calendar edge converted to UTC; nothing ever adds 24 hours.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from dentframe.errors import RangeError, by
from dentframe.times.ranges import Zone, check_spelling, instant, is_utc, localize, minutes, zone
from dentframe.wire.topics import TOPICS

Freq: TypeAlias = "str | Monthly | Sequence[Any] | pd.DatetimeIndex | dt.timedelta | None"

WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_FREQ = re.compile(
    rf"^(?P<n>\d+)?(?P<unit>min|h|D|W-(?:{'|'.join(WEEKDAYS)})"
    rf"|MS|[QY]S(?:-(?:{'|'.join(MONTHS)}))?)$"
)
_START_FORM = {
    "ME": "MS",
    "M": "MS",
    "BM": "MS",
    "BME": "MS",
    "Q": "QS",
    "QE": "QS",
    "A": "YS",
    "Y": "YS",
    "YE": "YS",
    "AS": "YS",
    "W": "W-MON",
    "d": "D",
    "B": "D",
}


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
    text = _freq_text(freq)
    check_spelling(text, "freq")
    match = _FREQ.match(text)
    if match is None or match["n"] in {"0", "00"}:
        raise RangeError(_freq_help(text))
    return int(match["n"] or 1), match["unit"]


def _freq_text(freq: Any) -> str:
    if isinstance(freq, dt.timedelta | np.timedelta64):
        return f"{minutes(freq, 'freq')}min"
    return str(getattr(freq, "freqstr", freq)).strip()


def _freq_help(text: str) -> str:
    found = re.match(r"^(\d*)([A-Za-z]+)", text)
    start_form = _START_FORM.get(found[2]) if found else None
    named = by(f"freq={text!r}", f"--freq {text}")
    if start_form is None:
        topic = f"it is a topic: say topic={text!r}" if text in TOPICS else "it is not known here"
        return (
            f"Cannot use {named}: {topic}. Use a start-anchored one (15min, h, D, W-MON, MS, QS, "
            + by("YS, or a multiple), Monthly(day=...), or a list of edges.", "YS, or a multiple).")
        )
    return (
        f"Cannot use {named}: periods here are named by their start. "
        f"Use {(found[1] if found else '') + start_form!r}."
    )


def needs_zone(freq: Any) -> bool:
    """Whether a frequency depends on the local clock: all but None and up to 15 minutes."""
    if freq is None:
        return False
    if isinstance(freq, Monthly):
        return True
    if is_edges(freq):
        return any(pd.Timestamp(e).tzinfo is None for e in freq)
    n, unit = parse_freq(freq)
    return not (unit == "min" and n <= 15)


def is_edges(freq: Any) -> bool:
    """Whether a frequency is a list of edges."""
    return isinstance(freq, list | tuple | pd.DatetimeIndex | np.ndarray | pd.Series)


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


_CALENDAR = {"h": "hour", "D": "day", "MS": "month", "QS": "quarter", "YS": "year"}


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
        freq = next(f for f in needed_by if needs_zone(f))
        each = _CALENDAR.get(freq, f"period of {freq!r}") if isinstance(freq, str) else "period"
        raise RangeError(
            f"Cannot tell where each local {each} begins without a time zone: the index is UTC, "
            "and days, months and hours are local. "
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
