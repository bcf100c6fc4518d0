"""`profile`, `baseload` and `duration` show the shape of a load.

They tell how its days look by local time of day, what never switches off, and how long a demand
lasts.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import pandas as pd

from dentframe.errors import ConfigError
from dentframe.times.ranges import local
from dentframe.verbs.demand import cut, owner, span, window_means
from dentframe.verbs.inputs import Inputs, Keywords, VerbKeywords, demand_source, inputs_of, verb
from dentframe.verbs.results import by_column, by_element, periods_index

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dentframe.metering.series import Floats, Ints
    from dentframe.times.periods import Freq


@verb
def duration(
    frame: pd.DataFrame,
    window: Any = "15min",
    *,
    points: int = 101,
    topic: str | None = None,
    source: str = "auto",
    **keywords: Unpack[Keywords],
) -> pd.DataFrame:
    """Load duration curve: the demand that was reached for a share of the time.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns over time, or over (meter, time), shape (readings, columns).
    window : str or timedelta
        Length of a block of the local clock.
    points : int
        How many shares, from 0 to 1, at least 2.
    tz, start, end, topic, source, registers, interval, demand_lag, elements, site : optional
        As in `demand`.

    Returns
    -------
    pandas.DataFrame
        Share of the covered blocks (0 is the peak, 1 the least) to one column per element
        [kW], shape (points, elements); over (meter, share) in a frame of several meters.

    Raises
    ------
    RangeError, KindError, ConfigError, UnknownTopicError, UnitError
        As `demand`.

    Examples
    --------
    >>> curve = df.dent.select(element="A").dent.duration(tz=LA)
    >>> curve.iloc[:, 0].is_monotonic_decreasing
    True
    """
    if isinstance(points, bool) or not isinstance(points, int) or points < 2:
        raise ConfigError(f"Cannot use points={points!r}: at least 2 shares are needed.")
    given = VerbKeywords.of(frame, **keywords)
    of, _, values = block_inputs(frame, None, window, given, topic, source)
    shares = np.linspace(0.0, 1.0, points)
    return by_element(of, [_reached(x, shares) for x in values], pd.Index(shares, name="share"))


def _reached(kw: Floats, shares: Floats) -> Floats:
    """The demand that at least a share of the known blocks reached."""
    falling = -np.sort(-kw[~np.isnan(kw)])
    if len(falling) == 0:
        return np.full(len(shares), np.nan)
    # Shares such as 0.07 times the count must not step up by their binary noise.
    rank = np.ceil(np.round(shares * len(falling), 9)).astype(np.int64)
    return np.asarray(falling[np.maximum(rank - 1, 0)])


@verb
def baseload(
    frame: pd.DataFrame,
    freq: Freq = None,
    *,
    q: float = 0.05,
    window: Any = "15min",
    topic: str | None = None,
    source: str = "auto",
    **keywords: Unpack[Keywords],
) -> pd.DataFrame:
    """What never switches off: a low quantile of block demand in each period.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns over time, or over (meter, time), shape (readings, columns).
    freq : str, Monthly, list of edges, or None
        Start-anchored (``"MS"``, ``"D"``, ...); None for one period.
    q : float
        The quantile, 0 to 1; 0 is the least block.
    window : str or timedelta
        Length of a block of the local clock.
    tz, start, end, topic, source, registers, interval, demand_lag, elements, site : optional
        As in `demand`.

    Returns
    -------
    pandas.DataFrame
        Period start (in `tz`) to one column per element [kW]; of the covered blocks only.

    Raises
    ------
    RangeError, KindError, ConfigError, UnknownTopicError, UnitError
        As `demand`.

    Notes
    -----
    The least block alone is a poor measure: one outage makes it 0. The quantile is linear
    between the two nearest blocks, as in `numpy.quantile`.

    Examples
    --------
    >>> df.dent.select(element="A").dent.baseload("MS", tz=LA).round(1).iloc[0, 0].item()
    5.8
    """
    check_quantiles([q])
    given = VerbKeywords.of(frame, **keywords)
    of, cuts, values = block_inputs(frame, freq, window, given, topic, source)
    found = quantiles(values, owner(*cuts, of.s, of.e), len(of.s), [q])
    return by_element(of, list(found[:, :, 0]), periods_index(of))


def block_inputs(
    frame: pd.DataFrame,
    freq: Freq,
    window: Any,
    given: VerbKeywords,
    topic: str | None,
    source: str,
    *clock: str,
) -> tuple[Inputs, tuple[Ints, Ints], list[Floats]]:
    """A verb's inputs, its blocks, and the mean power of each series in them [kW].

    `clock` is what else needs a zone, ``"D"`` for days.
    """
    how = cut("block", window, None, given.interval)
    of = inputs_of(frame, freq, demand_source(frame, topic, source), given, how.freq, *clock)
    cuts = span(how, of.s, of.e, of.tz)
    return of, cuts, [window_means(of, c, *cuts) for c in of.series]


def check_quantiles(q: Sequence[float]) -> None:
    """Refuse quantiles outside 0 to 1, or none."""
    if not q or not all(0 <= x <= 1 for x in q):
        raise ConfigError(f"Cannot use q={q!r}: quantiles are from 0 to 1, and at least one.")


def quantiles(values: Sequence[Floats], group: Ints, groups: int, q: Sequence[float]) -> Floats:
    """Quantiles of known values, group by group, linear between the two nearest.

    Parameters
    ----------
    values : sequence of ndarray of float
        Of each series; NaN is left out.
    group : ndarray of int64
        The group of each value, -1 for none.
    groups : int
        How many groups there are.
    q : sequence of float
        From 0 to 1.

    Returns
    -------
    ndarray of float
        Shape (series, groups, quantiles), NaN where a group has no value.
    """
    found = np.full((len(values), groups, len(q)), np.nan)
    if not values:
        return found
    kept = group >= 0
    table = pd.DataFrame({i: x[kept] for i, x in enumerate(values)}).groupby(group[kept])
    for k, share in enumerate(q):
        at = table.quantile(share)
        found[:, at.index.to_numpy(), k] = at.to_numpy().T
    return found


_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@verb
def profile(
    frame: pd.DataFrame,
    by: str = "weekday",
    q: Sequence[float] = (0.1, 0.5, 0.9),
    *,
    window: Any = "15min",
    holidays: Sequence[Any] = (),
    topic: str | None = None,
    source: str = "auto",
    **keywords: Unpack[Keywords],
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
    start, end, topic, source, registers, interval, demand_lag, elements, site : optional
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
    given = VerbKeywords.of(frame, **keywords)
    of, cuts, values = block_inputs(frame, "D", window, given, topic, source)
    walls = local(cuts[0], of.tz)
    types, names = _day_types(walls, by, holidays)
    clock = np.asarray(walls.hour * 60 + walls.minute, dtype=np.int64)
    times, place = np.unique(clock, return_inverse=True)
    group = types * len(times) + place
    found = quantiles(values, group, len(names) * len(times), q)
    found = found.reshape(len(values), len(names), len(times), len(q))
    columns: dict[str | None, Any] = {m: {} for m in (of.meters if of.several else [None])}
    for j, day in enumerate(names):
        for i, c in enumerate(of.series):
            arrays = {(day, c.element, x): found[i, j, :, k] for k, x in enumerate(q)}
            columns[c.meter if of.several else None] |= arrays
    at = pd.Index([dt.time(*divmod(int(x), 60)) for x in times], dtype=object, name="time_of_day")
    return by_column(columns, at, "day_type", "element", "quantile")


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
        codes, names = working_days(walls, holidays), ("weekday", "weekend", "holiday")
    else:
        raise ConfigError(f"Cannot use by={by!r}: use 'weekday', 'daytype', 'month' or 'all'.")
    present, position = np.unique(codes, return_inverse=True)
    return position.astype(np.int64), tuple(names[i] for i in present)


def working_days(walls: pd.DatetimeIndex, holidays: Sequence[Any]) -> Ints:
    """0 where the local day is a working day, 1 on a weekend, 2 on a holiday."""
    given = pd.DatetimeIndex([pd.Timestamp(x) for x in holidays]).normalize()
    free = np.asarray(walls.tz_localize(None).normalize().isin(given))
    return np.where(free, 2, np.asarray(walls.day_of_week) >= 5).astype(np.int64)
