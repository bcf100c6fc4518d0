"""The gaps of one element are found and estimated here, by a method, and scaled to its register.

Where demand has readings, its gaps are those of the interval means, and the register says how
much energy they held: its increment, less what demand knows of it. Without demand the means
are the register's own increments. A method of estimation is any callable
``(series, gap, context) -> values`` with a text that discloses it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from dentframe.errors import ConfigError
from dentframe.metering.register_rules import HOUR, micros
from dentframe.metering.series import ESTIMATES, Bools
from dentframe.times.dates_and_ranges import ints, local, localize

if TYPE_CHECKING:
    from dentframe.metering.series import Floats, Ints
    from dentframe.verbs.inputs import Bounds
    from dentframe.verbs.register_and_demand import Pair


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
    middles = pd.DatetimeIndex(series.index) - context.interval / 2
    return np.interp(ints(gap.middles), ints(middles), series.to_numpy())


def reference_days(series: pd.Series[float], gap: Gap, context: Context) -> Any:
    """Up to two hours a straight line; beyond, the mean of like days at the same local time [kW].

    Like days are the ten nearest working days, or weekend days, up to 28 days away, that have a
    reading at that time.
    """
    if gap.end - gap.start <= SHORT:
        return linear(series, gap, context)
    ends, values = ints(pd.DatetimeIndex(series.index)), series.to_numpy(dtype=np.float64)
    length = int(context.interval.as_unit("us").asm8.astype(np.int64))
    x = _like_days(gap.middles, context.tz)
    # The mean whose interval holds each of these instants, NaN where none does.
    i = np.searchsorted(ends, x, side="left")
    near = np.minimum(i, len(ends) - 1)
    found = np.where((i < len(ends)) & (ends[near] - x < length), values[near], np.nan)
    known = ~np.isnan(found)
    used = known & (np.cumsum(known, axis=0) <= DAYS)
    count, total = used.sum(axis=0), np.where(used, found, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _like_days(middles: pd.DatetimeIndex, tz: dt.tzinfo) -> Ints:
    """The same local times on other days, nearest first; 0 on a day of another kind."""
    walls = middles.tz_convert(tz).tz_localize(None).as_unit("us")
    days = [sign * distance for distance in range(1, REACH + 1) for sign in (-1, 1)]
    shifted = walls.to_numpy() + np.array(days, dtype="timedelta64[D]")[:, None]
    others = pd.DatetimeIndex(shifted.ravel())
    like = np.asarray(others.day_of_week >= 5).reshape(shifted.shape) == (walls.day_of_week >= 5)
    return np.where(like, ints(localize(others, tz)).reshape(shifted.shape), 0)


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


_SECOND = 1 / 3600
_CLOSE = 0.02
"""A register that shows less than demand, by this share of its step, is rounding."""


@dataclass(frozen=True)
class Means:
    """What is known of one element's power, as steps.

    Attributes
    ----------
    pair : Pair
        The element.
    t : ndarray of int64
        Edges [us UTC], shape (steps + 1,).
    kw : ndarray of float
        Mean power of each step [kW]; 0 where it is not known.
    ok : ndarray of bool
        Whether it is known, shape (steps,).
    lag : int
        How long after its interval's end a row is stamped [us].
    """

    pair: Pair
    t: Ints
    kw: Floats
    ok: Bools
    lag: int


@dataclass(frozen=True)
class Filled:
    """The estimates of one element.

    Attributes
    ----------
    means : Means
        What it was made from.
    at : ndarray of int64
        The stamps of the estimates [us UTC], shape (estimates,).
    kw : ndarray of float
        The estimates [kW], shape (estimates,).
    scaled : ndarray of bool
        Which of them the register measures, shape (estimates,).
    notes : list of dict
        One per filled gap, JSON-safe.
    unfilled : list of Gap
        Gaps for which the method has no value.
    """

    means: Means
    at: Ints
    kw: Floats
    scaled: Bools
    notes: list[dict[str, Any]]
    unfilled: list[Gap]


def known(pair: Pair) -> list[Means]:
    """An element's steps of known power: of its demand, else of its register; none if neither."""
    demand, register = pair.demand, pair.register
    if len(demand.at):
        c, ok, lag = demand, demand.ok, pair.lag
    else:
        # Inside a longer spacing the register knows the total, not the power.
        c, ok, lag = register, register.ok & (2 * np.diff(register.t) <= 3 * pair.interval), 0
    if not ok.any():
        return []
    inside = slice(int(np.argmax(ok)), len(ok) - int(np.argmax(ok[::-1])))
    t = c.t[inside.start : inside.stop + 1]
    kw = np.where(ok[inside], c.inc[inside] / (np.diff(t) / HOUR), 0.0)
    return [Means(pair, t, kw, ok[inside], lag)]


def fill(means: Means, method: Method, tz: dt.tzinfo, bounds: Bounds) -> Filled:
    """Estimate the gaps of one element within bounds.

    Parameters
    ----------
    means : Means
        What is known.
    method : callable
        ``(series, gap, context) -> values`` [kW].
    tz : tzinfo
        The zone of the gap's instants.
    bounds : tuple
        Gaps outside are left alone; None for no bound.

    Raises
    ------
    ConfigError
        Where the method's values do not fit the gap.
    """
    at = local(means.t[1:][means.ok], tz).rename("time")
    series = pd.Series(means.kw[means.ok], at, name=f"DemandkW/Elm/{means.pair.element}")
    register = _register(means)
    low, high = (None if b is None else micros(b) for b in bounds)
    parts, unfilled = [], []
    for s, e in _gaps(means):
        if (low is not None and s < low) or (high is not None and e > high):
            continue
        # Whole windows, the last as long as is left.
        window = means.pair.interval
        n = max((2 * (e - s) + window) // (2 * window), 1)
        ends = np.append(s + window * np.arange(1, n), e).astype(np.int64)
        edges = local(np.array([s, e]), tz)
        gap = Gap(edges[0], edges[1], local(ends, tz), np.diff(ends, prepend=s) / HOUR)
        values = _values(method, series, gap, _context(means, register, s, e, tz))
        if np.isnan(values).all():
            unfilled.append(gap)
        else:
            parts.append((s, ends, values))
    return _scaled(means, register, parts, unfilled)


def _gaps(means: Means) -> list[tuple[int, int]]:
    """Stretches between known steps, neighbours joined [us]."""
    change = np.diff(np.concatenate(([1], means.ok, [1])).astype(np.int64))
    starts, ends = np.flatnonzero(change == -1), np.flatnonzero(change == 1)
    return [(int(means.t[a]), int(means.t[b])) for a, b in zip(starts, ends, strict=True)]


def _context(means: Means, r: _Register, s: int, e: int, tz: dt.tzinfo) -> Context:
    pair = means.pair
    a = max(int(np.searchsorted(r.t, s, side="right")) - 1, 0)
    b = int(np.searchsorted(r.t, e, side="left"))
    whole = len(r.t) > b > a and r.t[a] <= s and bool(r.known[a:b].all())
    whole = whole and abs(r.unknown[a:b].sum() - (e - s) / HOUR) < _SECOND
    return Context(
        pair.meter,
        pair.element,
        tz,
        pd.Timedelta(pair.interval, unit="us"),
        float(r.left[a:b].sum()) if whole else None,
    )


def _values(method: Method, series: pd.Series[float], gap: Gap, context: Context) -> Floats:
    given = method(series, gap, context)
    try:
        values = np.array(given, dtype=np.float64)
    except (TypeError, ValueError):
        values = np.empty(0)
    if values.shape != (len(gap.at),) or np.isinf(values).any():
        raise ConfigError(
            f"Cannot use what the method gives for {context.element} from {gap.start} to "
            f"{gap.end}: {given!r:.80}. It must give {len(gap.at)} finite numbers [kW], one per "
            "gap.at, or NaN where it has none."
        )
    return values


@dataclass(frozen=True)
class _Register:
    """What a register knows beyond demand, step by step; arrays of shape (steps,).

    Attributes
    ----------
    t : ndarray of int64
        Edges [us UTC], shape (steps + 1,).
    left : ndarray of float
        Energy of each step less what demand knows of it [kWh].
    unknown : ndarray of float
        Time of each step that demand does not cover [h].
    known : ndarray of bool
        Whether the register measures the step, and demand does not contradict it.
    """

    t: Ints
    left: Floats
    unknown: Floats
    known: Bools


def _register(means: Means) -> _Register:
    c = means.pair.register
    if len(c.ok) == 0:
        return _Register(c.t[:0], np.empty(0), np.empty(0), np.empty(0, np.bool_))
    hours = np.diff(means.t) / HOUR
    inc = c.inc
    left = inc - _within(c.t, means.t, means.kw * hours)
    known = c.ok & ((c.flags & int(ESTIMATES)) == 0)
    known &= (left >= -_CLOSE * np.abs(inc) - 1e-9) | (inc < 0)
    unknown = np.diff(c.t) / HOUR - _within(c.t, means.t, hours * means.ok)
    return _Register(c.t, np.where(inc < 0, left, np.maximum(left, 0.0)), unknown, known)


def _within(edges: Ints, t: Ints, parts: Floats) -> Floats:
    """How much of what is spread over the steps of `t` lies between each two edges."""
    return np.diff(np.interp(edges, t, np.concatenate(([0.0], np.cumsum(parts)))))


def _scaled(
    means: Means, r: _Register, parts: list[tuple[int, Ints, Floats]], unfilled: list[Gap]
) -> Filled:
    if not parts:
        none = np.empty(0)
        return Filled(means, none.astype(np.int64), none, none.astype(np.bool_), [], unfilled)
    starts = np.concatenate([np.append(s, ends[:-1]) for s, ends, _ in parts]).astype(np.int64)
    ends = np.concatenate([e for _, e, _ in parts])
    raw = np.concatenate([v for *_, v in parts])
    kw, scaled = _to_register(r, starts, ends, raw)
    which = np.repeat(np.arange(len(parts)), [len(e) for _, e, _ in parts])
    notes = [
        _note(means, starts[which == k], ends[which == k], kw[which == k], scaled[which == k])
        for k in range(len(parts))
    ]
    there = ~np.isnan(kw)
    return Filled(means, ends[there] + means.lag, kw[there], scaled[there], notes, unfilled)


def _to_register(r: _Register, s: Ints, e: Ints, kw: Floats) -> tuple[Floats, Bools]:
    """Estimates so scaled that they fill what the register knows and demand does not.

    Every interval is cut at the register's readings, each piece is scaled with its step, and
    the pieces of an interval are joined again: the total of a gap is kept.
    """
    if len(r.t) == 0:
        return kw, np.zeros(len(kw), dtype=np.bool_)
    a, b, of = _pieces(s, e, r.t)
    n, step = len(r.known), np.clip(np.searchsorted(r.t, a, side="right") - 1, 0, len(r.known) - 1)
    hours = (b - a) / HOUR
    energy = kw[of] * hours
    given = ~np.isnan(energy)
    guess = np.bincount(step[given], weights=energy[given], minlength=n)
    time = np.bincount(step[given], weights=hours[given], minlength=n)
    # Where some of a step stays unknown, nobody can say how much of the rest is the estimates'.
    known = r.known & (np.abs(time - r.unknown) < _SECOND)
    measured = (a >= r.t[0]) & (b <= r.t[-1]) & known[step] & given
    flat = (guess * r.left <= 0)[step]
    factor = np.divide(r.left, guess, out=np.ones(n), where=guess != 0)[step]
    level = np.divide(r.left, time, out=np.zeros(n), where=time > 0)[step]
    new = np.where(flat, level * hours, energy * factor)
    summed = np.bincount(of, weights=np.where(measured, new, energy), minlength=len(s))
    whole = np.bincount(of, weights=~measured, minlength=len(s)) == 0
    return summed / ((e - s) / HOUR), whole


def _pieces(s: Ints, e: Ints, edges: Ints) -> tuple[Ints, Ints, Ints]:
    """Intervals cut at the register's readings, and which interval each piece is of."""
    instants = np.unique(np.concatenate((s, e, edges)))
    a, b = instants[:-1], instants[1:]
    of = np.clip(np.searchsorted(s, a, side="right") - 1, 0, len(s) - 1)
    inside = (a >= s[of]) & (b <= e[of])
    return a[inside], b[inside], of[inside]


def _note(means: Means, s: Ints, e: Ints, kw: Floats, scaled: Bools) -> dict[str, Any]:
    there = ~np.isnan(kw)
    edges = local(np.array([s[0], e[-1]]), dt.UTC)
    return {
        "element": means.pair.register.name,
        "start": edges[0].isoformat(),
        "end": edges[1].isoformat(),
        "intervals": int(there.sum()),
        "energy": float((kw * ((e - s) / HOUR))[there].sum()),
        "scaled": bool(scaled[there].all()),
    }
