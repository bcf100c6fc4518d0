"""The span of a verb and its periods, from the frame and what the caller asked. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from dentframe.columns import split_element
from dentframe.errors import RangeError
from dentframe.instants import Zone, bound, stamp
from dentframe.metering.cumulative import first_covered
from dentframe.metering.series import is_several, ranges, time_index
from dentframe.periods import Periods, build

if TYPE_CHECKING:
    from dentframe.freq import Freq
    from dentframe.metering.cumulative import Cumulative

Bounds = tuple[pd.Timestamp | None, pd.Timestamp | None]


def asked_bounds(frame: pd.DataFrame, start: Any, end: Any, tz: Zone) -> Bounds:
    """A verb's own `start` and `end` as UTC instants, None where not given."""
    own = time_index(frame).tz
    return bound(start, own, tz, "start"), bound(end, own, tz, "end")


def default_bounds(frame: pd.DataFrame, series: Sequence[Cumulative]) -> Bounds:
    """The range that was read, else the time from the first reading to the last."""
    read = _read_ranges(frame)
    if read:
        return min(a for a, _ in read), max(b for _, b in read)
    firsts = [first_covered(c) for c in series if len(c.at)]
    if not firsts:
        return _rows(frame)
    return stamp(min(firsts)), stamp(max(int(c.at[-1]) for c in series if len(c.at)))


def _read_ranges(frame: pd.DataFrame) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
    found = ranges(frame)
    if not is_several(frame):
        return list(found.values())
    meters = _meters_in(frame) if found else set()
    return [span for key, span in found.items() if split_element(key)[0] in meters]


def _meters_in(frame: pd.DataFrame) -> set[str]:
    """The meters that have rows; a year's times, made text one by one, would take a second."""
    index: Any = frame.index
    own = [i for i, level in enumerate(index.levels) if not isinstance(level, pd.DatetimeIndex)]
    return {str(m) for i in own for m in index.get_level_values(i).unique()}


def _rows(frame: pd.DataFrame) -> Bounds:
    times = time_index(frame)
    return (times.min(), times.max()) if len(times) else (None, None)


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
