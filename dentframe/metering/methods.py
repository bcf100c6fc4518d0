"""Ways to estimate what a gap held: pure functions of the series, the gap and its context.

A method is any callable ``(series, gap, context) -> values`` with a text that discloses it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from dentframe.instants import localize

SHORT = pd.Timedelta(hours=2)
"""The longest gap that California's VEE standard interpolates."""
REACH = 28
"""How many days before and after a gap reference days are looked for."""
DAYS = 10


@dataclass(frozen=True)
class Gap:
    """A stretch without readings, and the intervals to estimate in it.

    Attributes
    ----------
    start, end : pandas.Timestamp
        Where it begins and ends, in the verb's zone.
    at : pandas.DatetimeIndex
        The end of each interval to estimate, shape (intervals,).
    hours : ndarray of float
        The length of each interval [h], shape (intervals,).
    """

    start: pd.Timestamp
    end: pd.Timestamp
    at: pd.DatetimeIndex
    hours: npt.NDArray[np.float64]

    @property
    def middles(self) -> pd.DatetimeIndex:
        """The middle of each interval."""
        return self.at - pd.to_timedelta(self.hours / 2, unit="h").round("us")


@dataclass(frozen=True)
class Context:
    """What else a method may want to know.

    Attributes
    ----------
    meter, element : str
        Whose gap it is; the meter is None where nothing names it.
    tz : tzinfo
        The zone of days and clocks.
    interval : pandas.Timedelta
        The length of the series' intervals.
    register_kwh : float or None
        The gap's energy by the register [kWh], None where it does not know; the values are
        scaled to it afterwards.
    """

    meter: str | None
    element: str
    tz: dt.tzinfo
    interval: pd.Timedelta
    register_kwh: float | None


Method: TypeAlias = Callable[["pd.Series[float]", Gap, Context], Any]


def linear(series: pd.Series[float], gap: Gap, context: Context) -> Any:
    """A straight line between the means beside the gap; NaN for gaps beyond two hours [kW]."""
    if gap.end - gap.start > SHORT:
        return np.full(len(gap.at), np.nan)
    ends = _middles(series, context)
    return np.interp(_us(gap.middles), _us(ends), series.to_numpy())


def reference_days(series: pd.Series[float], gap: Gap, context: Context) -> Any:
    """Up to two hours a straight line; beyond, the mean of like days at the same local time [kW].

    Like days are the ten nearest working days, or weekend days, up to 28 days away, that have a
    reading at that time.
    """
    if gap.end - gap.start <= SHORT:
        return linear(series, gap, context)
    ends, values = _us(pd.DatetimeIndex(series.index)), series.to_numpy(dtype=np.float64)
    length = int(context.interval.as_unit("us").asm8.astype(np.int64))
    found = [_at(ends, values, length, days) for days in _like_days(gap.middles, context.tz)]
    return _mean_of_nearest(np.array(found))


def _like_days(middles: pd.DatetimeIndex, tz: dt.tzinfo) -> list[npt.NDArray[np.int64]]:
    """The same local times on other days, nearest first; 0 on a day of another kind."""
    walls = middles.tz_convert(tz).tz_localize(None).as_unit("us")
    days = [sign * distance for distance in range(1, REACH + 1) for sign in (-1, 1)]
    shifted = walls.to_numpy() + np.array(days, dtype="timedelta64[D]")[:, None]
    others = pd.DatetimeIndex(shifted.ravel())
    like = np.asarray(others.day_of_week >= 5).reshape(shifted.shape) == (walls.day_of_week >= 5)
    return list(np.where(like, _us(localize(others, tz)).reshape(shifted.shape), 0))


def _at(
    ends: npt.NDArray[np.int64],
    values: npt.NDArray[Any],
    length: int,
    x: npt.NDArray[np.int64],
) -> npt.NDArray[np.float64]:
    """The mean whose interval holds each instant, NaN where none does."""
    i = np.searchsorted(ends, x, side="left")
    near = np.minimum(i, len(ends) - 1)
    return np.where((i < len(ends)) & (ends[near] - x < length), values[near], np.nan)


def _mean_of_nearest(found: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    known = ~np.isnan(found)
    used = known & (np.cumsum(known, axis=0) <= DAYS)
    count = used.sum(axis=0)
    total = np.where(used, found, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _middles(series: pd.Series[float], context: Context) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(series.index) - context.interval / 2


def _us(x: pd.DatetimeIndex) -> npt.NDArray[np.int64]:
    return x.as_unit("us").asi8


METHODS: dict[str, tuple[Method, str]] = {
    "linear": (linear, "linear interpolation between the readings beside the gap, up to 2 h"),
    "reference_days": (
        reference_days,
        (
            "linear interpolation up to 2 h, beyond that the mean of the ten nearest like days "
            "(working days or weekends) at the same local time"
        ),
    ),
}
"""The built-in methods, by California's VEE practice, with what discloses them."""
