"""The shape of a load is shown here: `profile`, `baseload`, `duration`, `unusual`.

They tell how its days look by local time of day, what never switches off, how long a demand lasts,
and which nights, weekends or holidays used more than the element's own profile.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import pandas as pd

from dentframe.errors import ConfigError
from dentframe.metering.energy_and_coverage import status
from dentframe.metering.register_rules import HOUR
from dentframe.metering.series import Bools, Floats, Ints, is_several
from dentframe.times.dates_and_ranges import local
from dentframe.times.schedule import HOLIDAY, Schedule, Window
from dentframe.verbs import inputs_and_keywords as inputs
from dentframe.verbs import result_frames_and_warnings as results
from dentframe.verbs.demand import cut, in_windows, owner, span, window_means

if TYPE_CHECKING:
    from dentframe.times.periods import Freq


@inputs.topic_verb
def duration(
    frame: pd.DataFrame,
    window: Any = "15min",
    *,
    points: int = 101,
    **keywords: Unpack[inputs.TopicKeywords],
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
    of, _, values = _block_inputs(frame, None, window, keywords)
    shares, curves = np.linspace(0.0, 1.0, points), []
    for x in values:
        falling = -np.sort(-x[~np.isnan(x)])
        # Shares such as 0.07 times the count must not step up by their binary noise.
        rank = np.ceil(np.round(shares * len(falling), 9)).astype(np.int64)
        # Where no block is covered, the NaN at the end is the first one, and every share's.
        curves.append(np.append(falling, np.nan)[np.maximum(rank - 1, 0)])
    return results.by_element(of, curves, pd.Index(shares, name="share"))


@inputs.topic_verb
def baseload(
    frame: pd.DataFrame,
    freq: Freq = None,
    *,
    q: float = 0.05,
    window: Any = "15min",
    **keywords: Unpack[inputs.TopicKeywords],
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
    _check_quantiles([q])
    of, blocks, values = _block_inputs(frame, freq, window, keywords)
    found = _quantiles(values, owner(*blocks, of.s, of.e), len(of.s), [q])
    return results.by_element(of, list(found[:, :, 0]), results.periods_index(of))


def _block_inputs(
    frame: pd.DataFrame, freq: Freq, window: Any, keywords: inputs.TopicKeywords, *clock: str
) -> tuple[inputs.Inputs, tuple[Ints, Ints], list[Floats]]:
    """A verb's inputs, its blocks, and the mean power of each series in them [kW].

    `clock` is what else needs a zone, ``"D"`` for days.
    """
    resolved = inputs.VerbKeywords.of(frame, **keywords)
    how = cut("block", window, None, resolved.interval)
    of = in_windows(frame, freq, resolved, how, *clock)
    blocks = span(how, of.s, of.e, of.tz)
    return of, blocks, [window_means(of, c, *blocks) for c in of.series]


def _check_quantiles(q: Sequence[float]) -> None:
    if not q or not all(inputs.is_share(x) for x in q):
        raise ConfigError(f"Cannot use q={q!r}: quantiles are from 0 to 1, and at least one.")


def _quantiles(values: Sequence[Floats], group: Ints, groups: int, q: Sequence[float]) -> Floats:
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
    kept = group >= 0
    table = pd.DataFrame({i: x[kept] for i, x in enumerate(values)}, range(int(kept.sum())))
    of_groups = table.groupby(group[kept])
    found = [of_groups.quantile(x).reindex(range(groups)).to_numpy().T for x in q]
    return np.stack(found, axis=-1)


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@inputs.topic_verb
def profile(
    frame: pd.DataFrame,
    by: str = "weekday",
    q: Sequence[float] = (0.1, 0.5, 0.9),
    *,
    window: Any = "15min",
    holidays: Sequence[Any] = (),
    **keywords: Unpack[inputs.TopicKeywords],
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
        Quantiles, from 0 to 1; a number alone is one.
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
    q = list(q) if isinstance(q, Iterable) else [q]
    _check_quantiles(q)
    of, blocks, values = _block_inputs(frame, "D", window, keywords)
    walls = local(blocks[0], of.tz)
    types, names = _day_types(walls, by, holidays)
    clock = np.asarray(walls.hour * 60 + walls.minute, dtype=np.int64)
    times, place = np.unique(clock, return_inverse=True)
    group = types * len(times) + place
    found = _quantiles(values, group, len(names) * len(times), q)
    found = found.reshape(len(values), len(names), len(times), len(q))
    several = is_several(frame)
    columns: dict[str | None, Any] = {m: {} for m in (of.meters if several else [None])}
    for j, day in enumerate(names):
        for i, c in enumerate(of.series):
            arrays = {(day, c.element, x): found[i, j, :, k] for k, x in enumerate(q)}
            columns[c.meter if several else None] |= arrays
    at = pd.Index([dt.time(*divmod(int(x), 60)) for x in times], dtype=object, name="time_of_day")
    return results.by_column(columns, at, "day_type", "element", "quantile")


def _day_types(
    walls: pd.DatetimeIndex, by: str, holidays: Sequence[Any]
) -> tuple[Ints, tuple[str, ...]]:
    """The position of each block's day type, and the names of those that occur."""
    free = holidays if by == "daytype" else ()
    kinds: dict[str, tuple[Any, tuple[str, ...]]] = {
        "weekday": (walls.day_of_week, ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")),
        "daytype": (_day_kinds(walls, free), ("weekday", "weekend", "holiday")),
        "month": (walls.month - 1, _MONTHS),
        "all": (np.zeros(len(walls)), ("all",)),
    }
    inputs.check_one_of("by", by, tuple(kinds))
    codes, names = kinds[by]
    present, position = np.unique(np.asarray(codes, dtype=np.int64), return_inverse=True)
    return position.astype(np.int64), tuple(names[i] for i in present)


def _day_kinds(walls: pd.DatetimeIndex, holidays: Sequence[Any]) -> Ints:
    """0 where the local day is a working day, 1 on a weekend, 2 on a holiday."""
    dates = pd.DatetimeIndex([pd.Timestamp(x) for x in holidays]).normalize()
    free = np.asarray(walls.tz_localize(None).normalize().isin(dates))
    return np.where(free, 2, np.asarray(walls.day_of_week) >= 5).astype(np.int64)


COLUMNS = ("element", "start", "end", "energy", "expected", "excess")
WINDOWS = {
    "night": Window("night", "22:00", "06:00"),
    "weekend": Window("weekend", days=("sat", "sun")),
    "holiday": Window("holiday", days="holiday"),
}
"""What `freq` may name."""
_WEEK = 7 * 24 * HOUR
_HOLIDAY = 2


@inputs.topic_verb
def unusual(
    frame: pd.DataFrame,
    freq: str | Window = "night",
    *,
    holidays: Sequence[Any] = (),
    window: Any = "15min",
    min_coverage: float | None = None,
    **keywords: Unpack[inputs.TopicKeywords],
) -> pd.DataFrame:
    """Nights, weekends or holidays that used more than the element's own profile, ranked.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns over time, or over (meter, time), shape (readings, columns).
    freq : str or Window
        ``"night"`` (22:00 to 06:00 local time), ``"weekend"`` (Saturday and Sunday),
        ``"holiday"`` (the dates of `holidays`; those that follow each other are one), or a
        `Window` such as ``Window("night", "20:00", "07:00")``.
    holidays : sequence of date
        Local dates. They make no part of a usual day, and are expected to be like a weekend.
    window : str or timedelta
        Length of a block of the local clock, of which the profile is made.
    tz : str or tzinfo, optional
        The zone of the clock; needed on a UTC index.
    start, end, topic, source, registers, interval, demand_lag, elements, site : optional
        As in `demand`.
    min_coverage : float, optional
        Rows with less coverage (0 to 1) are left out, and nothing warns.

    Returns
    -------
    pandas.DataFrame
        Rows of (``meter``,) ``element``, ``start``, ``end``, ``energy``, ``expected`` and
        ``excess`` [kWh, or kVAh of kVAHNet], the greatest excess first. Only those that lie
        wholly in the span, and of which some block is covered; where not all are, ``energy``
        and ``expected`` are both those of the covered blocks, so that they compare.

    Raises
    ------
    RangeError, KindError, ConfigError, UnknownTopicError, UnitError
        As `demand`; ConfigError for another `freq`, or ``"holiday"`` without `holidays`.

    Warns
    -----
    CoverageWarning
        Once a call, where rows are not wholly covered.

    Notes
    -----
    ``expected`` is the median of like stretches: of those that begin on working days, or on days
    of weekends. It comes from the element's mean profile of such days, scaled so that half of
    them lie above: so a stretch of which a part is not covered is compared with that part. A
    holiday is compared with the mean profile of weekends.

    Examples
    --------
    >>> found = df.dent.unusual(elements=["A", "B"], tz=LA)
    >>> found.columns.tolist()
    ['element', 'start', 'end', 'energy', 'expected', 'excess']
    >>> bool(found["excess"].is_monotonic_decreasing)
    True
    """
    clock = _window(freq, holidays)
    inputs.check_share(min_coverage)
    of, (s, e), kw = _block_inputs(frame, None, window, keywords, "D")
    starts, ends = _whole(of, clock, holidays)
    stretch = owner(s, e, starts, ends)
    kind = _day_kinds(local(starts, of.tz), holidays)
    like, usual = _like(local(s, of.tz), stretch, kind, holidays, by_day=freq == "weekend")
    hours = (e - s) / HOUR
    parts = []
    for c, drawn in zip(of.series, kw, strict=True):
        known = (stretch >= 0) & ~np.isnan(drawn)
        # The mean power of like blocks, of those that are usual.
        mean = pd.Series(np.where(usual, drawn, np.nan)).groupby(like).transform("mean")
        energy, profile, covered = (
            np.bincount(stretch[known], (x * hours)[known], len(starts)).astype(np.float64)
            for x in (drawn, mean.to_numpy(), np.ones(len(s)))
        )
        # The median ratio of energy to profile among stretches that begin on like days.
        ratio = np.where(kind < _HOLIDAY, results.divided(energy, profile), np.nan)
        typical = pd.Series(ratio).groupby(kind).transform("median").fillna(1.0)
        expected = profile * typical.to_numpy()
        coverage = covered / ((ends - starts) / HOUR)
        shown = coverage > 0 if min_coverage is None else coverage >= min_coverage
        columns = {"start": starts, "end": ends, "period": starts, "coverage": coverage}
        columns |= {"energy": energy, "expected": expected, "excess": energy - expected}
        columns |= {"status": status(coverage, 0 * starts), "flags": 0 * starts}
        parts.append((c, {k: x[shown] for k, x in columns.items()}))
    what = f"figures by {freq if isinstance(freq, str) else freq.name}"
    results.warn_of_coverage(parts, what, of.tz, accepted=min_coverage is not None)
    rows = results.rows_of(of, parts, COLUMNS)
    order: dict[str, Any] = {"ascending": [False, True], "kind": "stable", "ignore_index": True}
    found: pd.DataFrame = rows.sort_values(["excess", "start"], **order)
    found.attrs = results.attrs_of(of.source.result.replace("Demand", "Energy"))
    return found


def _window(freq: Any, holidays: Sequence[Any]) -> Window:
    found = WINDOWS.get(freq) if isinstance(freq, str) else freq
    if not isinstance(found, Window):
        raise ConfigError(
            f"Cannot look for what is unusual by freq={freq!r}: use 'night', 'weekend', 'holiday' "
            'or a Window, e.g. Window("night", "20:00", "07:00").'
        )
    if HOLIDAY in found.on and len(found.on) == 1 and not len(holidays):
        raise ConfigError(
            "Cannot look for unusual holidays: no date is one. Give them, e.g. "
            'holidays=["2023-12-25"].'
        )
    return found


def _whole(of: inputs.Inputs, window: Window, holidays: Sequence[Any]) -> tuple[Ints, Ints]:
    """The stretches of a window that lie wholly in the span [us UTC]."""
    # A weekend is one where one of its days is a holiday as well.
    schedule = Schedule([window], holidays if HOLIDAY in window.on else ())
    found = schedule.split(of.s[:1] - _WEEK, of.e[-1:] + _WEEK, of.tz)
    keep = (found.window == 0) & (found.s >= of.s[:1]) & (found.e <= of.e[-1:])
    return found.s[keep], found.e[keep]


def _like(
    walls: pd.DatetimeIndex, owner: Ints, kind: Ints, holidays: Sequence[Any], *, by_day: bool
) -> tuple[Ints, Bools]:
    """The group of blocks to which each is compared, and whether it makes part of the usual.

    Blocks of one time of day are alike where their stretches begin on like days. A holiday is
    like the weekends, of which it is no part.
    """
    of_day = _day_kinds(walls, holidays)
    code = np.where(owner >= 0, np.append(kind, 0)[owner], of_day)
    usual = (code < _HOLIDAY) & ((owner >= 0) | bool((kind == _HOLIDAY).all()))
    code = np.minimum(code, 1) + (by_day & (np.asarray(walls.day_of_week) == 6))
    times, place = np.unique(walls.hour * 60 + walls.minute, return_inverse=True)
    return code * len(times) + place, usual
