"""Profiles: how the days of a load look, by local time of day. Pure."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe.errors import ConfigError
from dentframe.instants import local
from dentframe.metering.rows import meters_of
from dentframe.metering.study import Asked
from dentframe.registers import RegisterRules
from dentframe.shape import block_study, check_quantiles, quantiles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dentframe.instants import Zone
    from dentframe.metering.rows import Floats, Ints
    from dentframe.metering.study import Study

_DEFAULT_RULES = RegisterRules()
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_HOUR = 60


def profile(
    frame: pd.DataFrame,
    by: str = "weekday",
    q: Sequence[float] = (0.1, 0.5, 0.9),
    *,
    window: Any = "15min",
    holidays: Sequence[Any] = (),
    tz: Zone = None,
    start: Any = None,
    end: Any = None,
    topic: str | None = None,
    source: str = "auto",
    registers: RegisterRules = _DEFAULT_RULES,
    interval: Any = "15min",
    demand_lag: Any = "0min",
    site: Any = None,
) -> pd.DataFrame:
    """Quantiles of block demand by local time of day and type of day.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns over time, or over (meter, time), shape (readings, columns).
    by : str
        ``"weekday"`` (Mon to Sun), ``"daytype"`` (weekday, weekend, holiday), ``"month"``
        (Jan to Dec) or ``"all"``.
    q : sequence of float
        Quantiles, from 0 to 1.
    window : str or timedelta
        Length of a block of the local clock.
    holidays : sequence of date
        Local dates; only ``by="daytype"`` knows them.
    tz : str or tzinfo, optional
        The zone of the days; needed on a UTC index.
    start, end, topic, source, registers, interval, demand_lag, site : optional
        As in `demand`.

    Returns
    -------
    pandas.DataFrame
        Local time of day to (day type, element, quantile) [kW]; over (meter, time of day) in a
        frame of several meters. Of covered blocks only; NaN where there is none.

    Raises
    ------
    RangeError, KindError, ConfigError, UnknownTopicError, UnitError
        As `demand`.

    Notes
    -----
    The hour that comes twice when clocks go back counts twice, the one that is skipped not at
    all. A quantile is linear between the two nearest blocks.

    Examples
    --------
    >>> df.dent.select(element="A").dent.profile(tz=LA).shape
    (96, 21)
    """
    q = list(q)
    check_quantiles(q)
    asked = Asked.of(frame, site, tz, start, end, registers, interval, demand_lag)
    of, cuts, values = block_study(frame, "D", window, asked, topic, source)
    walls = local(cuts[0], of.tz)
    types, names = _day_types(walls, by, holidays)
    clock = np.asarray(walls.hour * _HOUR + walls.minute, dtype=np.int64)
    times, place = np.unique(clock, return_inverse=True)
    group = types * len(times) + place
    found = quantiles(_stacked(values, len(group)), group, len(names) * len(times), q)
    shaped = found.reshape(len(values), len(names), len(times), len(q))
    return _frame(of, shaped, names, times, q)


def _stacked(values: Sequence[Floats], n: int) -> Floats:
    return np.stack(values) if values else np.empty((0, n))


def _day_types(
    walls: pd.DatetimeIndex, by: str, holidays: Sequence[Any]
) -> tuple[Ints, tuple[str, ...]]:
    """The position of each block's day type, and the names of those that occur."""
    names: tuple[str, ...]
    if by == "all":
        codes, names = np.zeros(len(walls), dtype=np.int64), ("all",)
    elif by == "weekday":
        codes, names = np.asarray(walls.day_of_week, dtype=np.int64), _WEEKDAYS
    elif by == "month":
        codes, names = np.asarray(walls.month, dtype=np.int64) - 1, _MONTHS
    elif by == "daytype":
        codes, names = _working(walls, holidays), ("weekday", "weekend", "holiday")
    else:
        raise ConfigError(f"Cannot use by={by!r}: use 'weekday', 'daytype', 'month' or 'all'.")
    present, position = np.unique(codes, return_inverse=True)
    return position.astype(np.int64), tuple(names[i] for i in present)


def _working(walls: pd.DatetimeIndex, holidays: Sequence[Any]) -> Ints:
    given = pd.DatetimeIndex([pd.Timestamp(x) for x in holidays]).normalize()
    free = np.asarray(walls.tz_localize(None).normalize().isin(given))
    return np.where(free, 2, np.asarray(walls.day_of_week) >= 5).astype(np.int64)


def _frame(
    of: Study, found: Floats, names: Sequence[str], times: Ints, q: Sequence[float]
) -> pd.DataFrame:
    """Lay (series, day type, time, quantile) out as time to (day type, element, quantile)."""
    clock = pd.Index([dt.time(int(x) // _HOUR, int(x) % _HOUR) for x in times], dtype=object)
    clock = clock.rename("time_of_day")
    meters: list[str | None] = [*meters_of(of.frame)] if of.several else [None]
    parts = {m: _of_meter(of, found, names, clock, q, m) for m in meters}
    if not of.several or not parts:
        return parts.get(None, pd.DataFrame())
    return pd.concat(parts, names=["meter", "time_of_day"])


def _of_meter(
    of: Study,
    found: Floats,
    names: Sequence[str],
    clock: pd.Index,
    q: Sequence[float],
    meter: str | None,
) -> pd.DataFrame:
    columns = {
        (day, c.element, x): found[i, j, :, k]
        for j, day in enumerate(names)
        for i, c in enumerate(of.series)
        if meter is None or c.meter == meter
        for k, x in enumerate(q)
    }
    labels = pd.MultiIndex.from_tuples(list(columns), names=["day_type", "element", "quantile"])
    return pd.DataFrame(dict(enumerate(columns.values())), index=clock).set_axis(labels, axis=1)
