"""Instants with a zone as naive UTC with a ``timezone`` attr, and back; time bounds. Pure.

xarray keeps a zoned dtype only as an extension array, which netCDF, Zarr, ``interp``, ``.dt``
and ``groupby`` refuse: hence naive UTC.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dentframe.columns import split_element
from dentframe.instants import is_utc
from dentframe.labelled.names import EDGE, LOCAL_TIME, METER, TIME
from dentframe.metering.sources import by_meter, interval_of
from dentframe.topics import TOPICS

if TYPE_CHECKING:
    from dentframe.labelled.rows import Grid

Bounds = tuple[tuple[str, ...], npt.NDArray[Any]]
ZONE = "timezone"
_UNITS = ("s", "ms", "us", "ns")
_RESULTS = {"Demand", "ApparentDemand"}


def zone_text(tz: dt.tzinfo | None) -> str:
    """A zone as text that pandas reads back."""
    return "UTC" if tz is None or is_utc(tz) else str(tz)


def naive(index: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """Instants as naive UTC in nanoseconds, whatever the frame's unit.

    Not in microseconds: `interp` on those is NaN, in silence, at a text or a nanosecond.
    """
    return index.tz_convert("UTC").tz_localize(None).as_unit("ns")


def aware(values: Any, zone: str, unit: str) -> pd.DatetimeIndex:
    """Naive UTC instants in their zone again."""
    known: Any = unit if unit in _UNITS else "us"
    index = pd.DatetimeIndex(np.atleast_1d(values)).as_unit(known)
    return index.tz_localize("UTC").tz_convert(zone)


def time_coords(index: pd.DatetimeIndex) -> dict[str, Any]:
    """The coordinate of time, and local time beside it where the zone is not UTC."""
    tz: Any = index.tz
    utc = naive(index)
    attrs = {"standard_name": "time", "long_name": "time (UTC)", ZONE: zone_text(tz)}
    coords: dict[str, Any] = {TIME: (TIME, utc, attrs, encoding(utc))}
    if not is_utc(tz):
        walls = index.tz_localize(None).as_unit(utc.unit)
        told = {"long_name": f"local time ({zone_text(tz)})"}
        coords[LOCAL_TIME] = (TIME, walls, told, encoding(walls))
    return coords


def encoding(index: pd.DatetimeIndex) -> dict[str, Any]:
    """How instants are written so that they are read back to the last digit."""
    unit = "nanoseconds" if (index.asi8 % 1000).any() else "microseconds"
    calendar = {"calendar": "proleptic_gregorian", "dtype": "int64"}
    return {"units": f"{unit} since 1970-01-01", **calendar}


def bounds(
    grid: Grid, topics: set[str], info: dict[str, Any], interval: Any, lag: Any
) -> Bounds | None:
    """What time each row stands for, as (dims, array [..., 2]), where one answer fits all.

    A result of a period or block: from its start to the next one's. A mean that the meter
    reported: the interval before its label. None where there is neither, or nothing tells.
    """
    kinds = {TOPICS[t].kind for t in topics if t in TOPICS}
    if "interval_energy" in kinds or topics & _RESULTS:
        return _periods(grid, info)
    if "interval_mean" not in kinds:
        return None
    of = list(info.get("ranges") or ())
    own = split_element(of[0])[0] if len(of) == 1 else None
    return _means(grid, own, interval, lag)


def _means(grid: Grid, own: str | None, interval: Any, lag: Any) -> Bounds | None:
    utc = naive(grid.times)
    parts = []
    for meter in grid.others.get(METER, [own]):
        late = by_meter(lag, meter, "0min", "demand_lag")
        end = utc - pd.Timedelta(late, unit="us")
        start = end - pd.Timedelta(interval_of(interval, meter), unit="us")
        parts.append(np.stack([start.as_unit(utc.unit), end.as_unit(utc.unit)], axis=1))
    if not parts:
        return None
    if all((p == parts[0]).all() for p in parts):
        return (TIME, EDGE), parts[0]
    return (METER, TIME, EDGE), np.stack(parts)


def _periods(grid: Grid, info: dict[str, Any]) -> Bounds | None:
    """From each start to the next, as long as no period was taken out."""
    until, starts = info.get("until"), naive(grid.times)
    if until is None or not len(starts) or info.get("periods") != len(starts):
        return None
    end = naive(pd.DatetimeIndex([until]).as_unit(starts.unit))
    if not starts[-1] < end[0]:
        return None
    return (TIME, EDGE), np.stack([starts, starts[1:].append(end)], axis=1)
