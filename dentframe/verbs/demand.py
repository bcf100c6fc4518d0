"""`demand` computes mean power, `check_demand_window` which interval a reading of demand covers.

Blocks lie on the local clock, or windows roll. A block's mean is its energy over its true length,
and is known only where every moment of it is: a block with a lost reading is NaN, never the mean
of what is left. Means are rounded to nine decimals, so that equal ones compare equal whatever was
added up before them.

The check is a regression on the register. It never shifts anything: it reports the best lag and
how clear it is.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple, Unpack

import numpy as np
import pandas as pd

from dentframe.accessor_methods import with_keywords
from dentframe.errors import ConfigError, RangeError
from dentframe.metering import series as _series
from dentframe.metering.register_rules import HOUR, MINUTE
from dentframe.metering.series import Bools, Flag, Floats, Ints, element_columns, time_index
from dentframe.times.dates_and_ranges import check_order, ints, minutes, stamp
from dentframe.times.periods import DAY_MINUTES, Freq, clock_grid, verb_zone
from dentframe.verbs import inputs_and_keywords as inputs
from dentframe.verbs.reconcile import Pair, check_both_there, pairs
from dentframe.verbs.result_frames_and_warnings import frame_of_rows, wide

if TYPE_CHECKING:
    from dentframe.metering.energy_and_coverage import Cumulative


KINDS = ("block", "rolling")
PLACES = 9


@inputs.corrected_verb
def demand(
    frame: pd.DataFrame,
    window: Any = "15min",
    *,
    kind: str = "block",
    step: Any = None,
    **keywords: Unpack[inputs.CorrectedKeywords],
) -> pd.DataFrame:
    """Mean power of each block or rolling window, per element.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns over time, or over (meter, time), shape (readings, columns).
    window : str or timedelta
        Length of a block or window. A block's must divide the day.
    kind : str
        ``"block"``: blocks of the local clock, end to end. ``"rolling"``: windows of a fixed
        length that end on a step of the local clock.
    step : str or timedelta, optional
        Between the ends of rolling windows; by default the longest that divides both the
        window and `interval`.
    tz : str or tzinfo, optional
        The zone of the clock and of naive bounds; None is the index's own where not UTC.
        Blocks over 15 minutes need it on a UTC index.
    start, end : str, date, datetime or Timestamp, optional
        The span. A block that one of them cuts is NaN. By default the range that was read,
        else from the first reading to the last.
    topic : str, optional
        Another register or interval mean, e.g. ``"kVAHNet"`` for apparent demand [kVA].
    source : str
        ``"auto"``: per element its interval means (DemandkW), else its register;
        ``"demand"``; ``"register"``.
    registers : RegisterRules
        What is known about the registers.
    interval, demand_lag : str, timedelta, or mapping by meter
        A mean stamped t covers ``(t - demand_lag - interval, t - demand_lag]``.
    elements : str or sequence of str, optional
        The elements asked for, as in `energy`; all by default.
    site : Site, optional
        Gives `tz`, and what is known about the registers, where they are not given.
    corrections : sequence of Correction, optional
        CT factors, readings by hand, exchanges and agreed figures, beside those of `site`; the
        frame is not changed.

    Returns
    -------
    pandas.DataFrame
        Block start (rolling: window end) in `tz` to ``Demand/Elm/A``... [kW] or
        ``ApparentDemand`` [kVA], shape (blocks, elements); over (meter, time) where the frame
        is. NaN where a moment of the block is not covered; never the mean of what is left.

    Raises
    ------
    RangeError
        For a naive index, a missing `tz`, a window the clock does not have.
    KindError
        For a topic that has no demand.
    ConfigError, UnknownTopicError, UnitError
        For a setting, topic or unit that cannot be used.

    Notes
    -----
    A block's demand is its energy over its true length: the block in which the clock is put
    back by half an hour is half an hour longer. Readings that do not end on a block's edge are
    apportioned, which can only lower a peak: 30.0 kW stamped :17 show as 27.6 in clock blocks.

    Examples
    --------
    >>> import pandas as pd
    >>> t = pd.date_range("2024-01-01 00:15", periods=4, freq="15min", tz="UTC")
    >>> kw = pd.DataFrame({"DemandkW/Elm/A": [10.0, 20.0, 30.0, 10.0]}, index=t)
    >>> demand(kw, "30min", tz="UTC")["Demand/Elm/A"].tolist()
    [15.0, 20.0]
    """
    resolved = inputs.VerbKeywords.of(frame, **keywords)
    how = cut(kind, window, step, resolved.interval)
    of = in_windows(frame, None, resolved, how)
    s, e = span(how, of.s, of.e, of.tz)
    return wide(of, [window_means(of, c, s, e) for c in of.series], s if kind == "block" else e, e)


@with_keywords(inputs.CorrectedKeywords, inputs.DEFAULTS, without=["topic"])
def apparent_demand(
    frame: pd.DataFrame,
    window: Any = "15min",
    *,
    kind: str = "block",
    step: Any = None,
    **keywords: Unpack[inputs.CorrectedKeywords],
) -> pd.DataFrame:
    """Mean apparent power of each block or rolling window, from kVAHNet (or DemandkVA).

    Parameters
    ----------
    frame : pandas.DataFrame
        With ``kVAHNet/Elm/...`` or ``DemandkVA/Elm/...``, shape (readings, columns).
    window, kind, step, tz, start, end, source, registers : optional
        As in `demand`.
    interval, demand_lag, elements, site, corrections : optional
        As in `demand`.

    Returns
    -------
    pandas.DataFrame
        Block start in `tz` to ``ApparentDemand/Elm/A``... [kVA]; NaN where incomplete.

    Raises
    ------
    UnknownTopicError
        Where the frame has neither topic.
    RangeError, KindError, ConfigError, UnitError
        As `demand`.

    Notes
    -----
    ``kVAh / h`` of the register's increments: 5.0 kVAh in 15 minutes are 20 kVA.

    Examples
    --------
    >>> df.dent.select(element="A").dent.apparent_demand(tz=LA).columns.tolist()
    ['ApparentDemand/Elm/A']
    """
    means = keywords.get("source") != "register" and element_columns(frame, ["DemandkVA"])
    keywords["topic"] = "DemandkVA" if means else "kVAHNet"
    return demand(frame, window, kind=kind, step=step, **keywords)


def window_means(of: inputs.Inputs, c: Cumulative, s: Ints, e: Ints) -> Floats:
    """Mean power of each window [kW]; NaN where not wholly known, or cut by a bound."""
    low, high = of.keywords.limits(of.frame)
    return np.where((s >= low) & (e <= high), means(c, s, e, of.interval(c)), np.nan)


class Cut(NamedTuple):
    """How time is cut into windows.

    Attributes
    ----------
    kind : str
        ``"block"`` (on the local clock, end to end) or ``"rolling"`` (overlapping).
    window, step : int
        Length of a window, and from the end of one to the end of the next [min]; of blocks the
        two are the same.
    """

    kind: str
    window: int
    step: int


def cut(kind: str, window: Any, step: Any, interval: Any) -> Cut:
    """The windows that a caller's keywords describe.

    Parameters
    ----------
    kind : str
        ``"block"`` or ``"rolling"``.
    window : str or timedelta
        Length of a window; of a block, a divisor of the day.
    step : str, timedelta or None
        Only for rolling windows: a divisor of the day. None: the longest that divides both
        the window and the interval of the readings, so that no block's edge is missed.
    interval : object
        The interval of the readings, where it is one for all.

    Raises
    ------
    ConfigError
        For an unknown kind, or a `step` where nothing rolls.
    RangeError
        For a window or step that the clock does not have.
    """
    inputs.check_one_of("kind", kind, KINDS)
    length = _minutes(window, "window", divides_day=kind == "block" and step is None)
    if kind == "block":
        if step is not None:
            raise ConfigError(
                f"Cannot use step={step!r} with kind='block': blocks lie end to end. "
                "Use kind='rolling' for windows that overlap."
            )
        return Cut(kind, length, length)
    if step is not None:
        return Cut(kind, length, _minutes(step, "step", divides_day=True))
    spacings = interval.values() if isinstance(interval, Mapping) else [interval]
    each = [_minutes(x, "interval") for x in spacings]
    return Cut(kind, length, int(np.gcd.reduce([length, DAY_MINUTES, *each])))


def _minutes(value: Any, what: str, *, divides_day: bool = False) -> int:
    length = minutes(value, what)
    if length == 0:
        raise RangeError(f"Cannot use {what}={value!r}: it has no length. Use e.g. '15min'.")
    if divides_day and DAY_MINUTES % length:
        raise RangeError(
            f"Cannot align {what}='{length}min' with the clock: it does not divide the day. "
            "Use e.g. 5, 10, 15, 20, 30 or 60 minutes."
        )
    return length


def in_windows(
    frame: pd.DataFrame, freq: Freq, keywords: inputs.VerbKeywords, how: Cut, *clock: str
) -> inputs.Inputs:
    """The series that answer for demand, with a verb's periods whose time is cut into windows.

    `clock` is what needs a zone, as the step from window to window may: ``"D"`` for days.
    """
    answer = inputs.demand_source(frame, keywords.topic, keywords.source)
    return inputs.inputs_of(frame, freq, answer, keywords, f"{how.step}min", *clock)


def span(how: Cut, starts: Ints, ends: Ints, tz: dt.tzinfo) -> tuple[Ints, Ints]:
    """Start and end of the windows that overlap a run of periods, in order [us UTC].

    Rolling windows are those that end in the run, after its start. A clock change makes the block
    that holds it longer or shorter, never a rolling window.
    """
    if len(starts) == 0 or starts[0] >= ends[-1]:
        return starts[:0], starts[:0]
    low, high = int(starts[0]), int(ends[-1])
    edges = ints(clock_grid(how.step, stamp(low), stamp(high), tz))
    if how.kind == "rolling":
        edges = edges[(edges > low) & (edges <= high)]
        return edges - how.window * MINUTE, edges
    first = max(int(np.searchsorted(edges, low, side="right")) - 1, 0)
    last = int(np.searchsorted(edges, high, side="left"))
    return edges[first:last], edges[first + 1 : last + 1]


def means(c: Cumulative, s: Ints, e: Ints, interval: int) -> Floats:
    """Mean power of each window ``[s, e)`` of one series [kW]; NaN where not wholly known.

    Parameters
    ----------
    c : Cumulative
        The series.
    s, e : ndarray of int64
        The windows [us UTC], shape (windows,).
    interval : int
        The interval of the readings [us]: a register's longer spacing has a known total but
        an unknown shape, so that no window may begin or end inside it.
    """
    a, b = c.both_edges(s, e)
    known = (b.covered - a.covered == e - s) & (e > s)
    if c.source == "register":
        for edge in (a, b):
            cuts = np.flatnonzero(edge.inside)
            known[cuts[2 * np.diff(c.t)[edge.segment[cuts]] > 3 * interval]] = False
    kw: Floats = np.full(len(s), np.nan)
    np.divide(b.energy - a.energy, (e - s) / HOUR, out=kw, where=known)
    return np.round(kw, PLACES)


def of_full_length(how: Cut, s: Ints, e: Ints) -> Bools:
    """Whether each window is of full length: a clock change makes its block longer or shorter.

    Such a block is covered, but its mean is not to be compared with those of the others.
    """
    return np.asarray(e - s == how.window * MINUTE)


def owner(s: Ints, e: Ints, starts: Ints, ends: Ints) -> Ints:
    """The period that wholly holds each window; -1 for none.

    Parameters
    ----------
    s, e : ndarray of int64
        Windows [us UTC], shape (windows,).
    starts, ends : ndarray of int64
        Disjoint periods in order [us UTC], shape (periods,).
    """
    period = np.searchsorted(starts, s, side="right") - 1
    return np.where(np.searchsorted(ends, e) == period, period, -1)


class Uncovered(NamedTuple):
    """What elements may have drawn together while some of them were not covered.

    Attributes
    ----------
    below : bool
        Whether it stays below a peak at any rate.
    block : int
        Where it comes nearest to the peak, or exceeds it most.
    missing : ndarray of bool
        The elements that are not covered there.
    room : float
        What these would have to draw to reach the peak [kW].
    """

    below: bool
    block: int
    missing: Any
    room: float


def unaffected(kw: Floats, most: Floats, peak: float) -> Uncovered:
    """Whether a peak holds whatever was drawn in the blocks that are not wholly covered.

    Parameters
    ----------
    kw : ndarray of float
        Demand, NaN where not covered [kW], shape (elements, blocks).
    most : ndarray of float
        The greatest power of each element, NaN where not known [kW].
    peak : float
        The highest demand of all elements together in the blocks that are covered [kW].
    """
    blank = np.isnan(kw)
    room = np.where(blank.any(axis=0), peak - np.nansum(kw, axis=0), np.inf)
    left = room - np.where(blank, most[:, None], 0.0).sum(axis=0)
    block = int(np.argmin(room if np.isnan(left).any() else left))
    return Uncovered(bool((left > 0).all()), block, blank[:, block], float(room[block]))


CLEAR = 0.5
"""Share by which a sliding window's residual stays below that of any other lag."""
SHALLOW = 0.005
SURE = 10.0
"""Least log likelihood ratio of the best lag against the next, to be told apart at all."""
HALVES, AGREEING = 100, 0.95
"""How many halves of the days are tried, and the share in which the best lag must be the best."""
DAY = 24 * HOUR
FEWEST_ROWS = 24
NO_RESIDUAL = 1e-6
"""Residuals below this are none [kWh]: they are rounding of floats."""

COLUMNS = (
    "element", "best_lag", "own_lag", "rms", "next_lag", "next_rms", "margin", "rms_at_zero",
    "verdict", "n",
)  # fmt: skip
"""The columns of `check_demand_window`, after `meter` where the frame has several."""


@with_keywords(inputs.Keywords, inputs.DEFAULTS, without=["demand_lag"])
def check_demand_window(
    frame: pd.DataFrame, *, max_lag: Any = "15min", **keywords: Unpack[inputs.Keywords]
) -> pd.DataFrame:
    """Which lag of DemandkW fits the register best; nothing is shifted.

    For each whole minute L up to `max_lag`, the energy of a DemandkW row stamped t is
    regressed (through the origin) on the register's increment over ``(t - L - interval, t - L]``.
    The elements of a meter share its clock, so their evidence is pooled: the best lag of a meter
    has the least mean of ``log(rms)``, weighted by rows. Regular cycles of a load can mislead one
    element.

    Parameters
    ----------
    frame : pandas.DataFrame
        With kWHNet and DemandkW of the same elements, over time or (meter, time), shape
        (readings, columns).
    max_lag : str or timedelta
        The longest lag to try, whole minutes.
    interval : str, timedelta, or mapping by meter
        The length of the demand window.
    registers : RegisterRules
        What is known about the registers.
    tz : str or tzinfo, optional
        The zone of naive bounds and swap times.
    start, end : str, date, datetime or Timestamp, optional
        Only rows stamped in ``(start, end]`` are used.
    elements : str or sequence of str, optional
        The elements asked for, as in `energy`; all by default.
    site : Site, optional
        Gives `tz`, and what is known about the registers, where they are not given.

    Returns
    -------
    pandas.DataFrame
        One row per (meter and) element that has both: ``best_lag`` and ``next_lag``
        (timedelta; NaT where nothing tells) of its meter, the residuals of this element there
        and at lag 0, ``rms``, ``next_rms`` and ``rms_at_zero`` [kWh], ``own_lag`` (best for
        this element alone), the meter's ``margin`` (of one element: ``1 - rms / next_rms``; 1
        is as clear as can be), its ``verdict``, and ``n``, the rows used at every lag.
        Verdicts: ``"sliding"``, the window ends at the poll (best lag 0, margin at least 0.5);
        ``"block"``, it is closed on the clock (the best lag is the polls' minutes past it);
        else ``"unclear"``, as where another lag fits best on some halves of the days. Where
        polls fall on the clock's quarter the two are the same, and the verdict is
        ``"sliding"``.

    Raises
    ------
    KindError
        Where registers or demand are not in the frame.
    RangeError
        For a naive index, or a span, lag or interval that cannot be meant.
    ConfigError
        For a `site` that is no Site.

    Examples
    --------
    >>> found = df.dent.select(element="A").dent.check_demand_window()
    >>> found["verdict"].item()
    'sliding'
    """
    check_both_there(frame, "check the demand window")
    resolved = inputs.VerbKeywords.of(frame, **keywords)
    zone = verb_zone(time_index(frame).tz, resolved.tz)
    check_order(*resolved.bounds(frame))
    last = minutes(max_lag, "max_lag")
    if last == 0:
        raise RangeError(
            f"Cannot use max_lag={max_lag!r}: there is no other lag to compare 0 with. "
            "Use e.g. '15min'."
        )
    both = [p for p in pairs(frame, resolved) if p.complete]
    ends = [int(t) for p in both for t in p.demand.at[[0, -1]]]
    low, high = min(ends, default=0), max(ends, default=0)
    # Day by day; by eighths of the span where it has fewer days.
    days = np.arange(low, high + 1, max(min(DAY, (high - low) // 8), MINUTE))
    lags = np.arange(last + 1) * MINUTE
    fits = [_fit(p, lags, resolved.limits(frame), days) for p in both]
    meters = (list(group) for _, group in groupby(fits, lambda f: f.pair.register.meter))
    made = frame_of_rows(frame, [x for m in meters for x in _rows(m, lags)], COLUMNS, zone)
    for name in ("best_lag", "own_lag", "next_lag"):
        made[name] = pd.to_timedelta(made[name].astype(object)).astype("timedelta64[us]")
    return made


class _Fit(NamedTuple):
    """How well each lag explains one element, day by day.

    Attributes
    ----------
    pair : Pair
        The element.
    n : ndarray of float
        The rows used of each day, the same at every lag, shape (days,).
    xx, xy, yy : ndarray of float
        Sums of the products of register and demand [kWh²], shape (lags, days).
    past_clock : int
        The minutes that its polls come after the clock's own window edges [us].
    """

    pair: Pair
    n: Floats
    xx: Floats
    xy: Floats
    yy: Floats
    past_clock: int

    def rms(self, days: Floats) -> Floats:
        """Residuals of the regression over some days [kWh], shape (lags, choices of days)."""
        xx, xy, yy = self.xx @ days, self.xy @ days, self.yy @ days
        explained = np.divide(xy**2, xx, out=np.zeros_like(xx), where=xx > 0)
        left = np.maximum(yy - explained, 0.0) / np.maximum(self.n @ days, 1)
        return np.asarray(np.sqrt(left))


def _fit(pair: Pair, lags: Ints, bounds: tuple[int, int], days: Ints) -> _Fit:
    t, register, window = pair.demand.at, pair.register, pair.interval
    use = (t > bounds[0]) & (t <= bounds[1])
    # Windows in which the register is measured: covered, without gap, reset or the like.
    s = t - int(lags[-1]) - window
    doubt = register.flags_in(s, t, of_edges=False) & int(_series.ESTIMATES | Flag.GAP_BRIDGED)
    use &= (register.covered(s, t) == t - s) & (doubt == 0)
    t, y = t[use], pair.demand.readings[use] * (window / HOUR)
    day = np.searchsorted(days, t, side="right") - 1

    def summed(values: Any) -> Floats:
        return np.asarray(np.bincount(day, values, minlength=len(days)), dtype=np.float64)

    # Lag by lag: arrays of one lag stay in the processor's cache.
    at = register.energy_at
    rises = (at(t - lag) - at(t - lag - window) for lag in lags)
    xx, xy = zip(*((summed(x * x), summed(x * y)) for x in rises), strict=True)
    yy = np.tile(summed(y * y), (len(lags), 1))
    past_clock = int(np.bincount(t % window // MINUTE, minlength=1).argmax()) * MINUTE
    return _Fit(pair, summed(np.ones(len(t))), np.stack(xx), np.stack(xy), yy, past_clock)


def _rows(meter: Sequence[_Fit], lags: Ints) -> list[tuple[Any, ...]]:
    """The rows of one meter: its elements share one clock, so they share one verdict."""
    best, after, margin, verdict = 0, 0, np.nan, "unclear"
    telling = [f for f in meter if f.yy.any()]  # where nothing was drawn, no lag differs
    if telling:
        # All days, then halves of them, each a column of 0 and 1; the same at every call.
        days = len(telling[0].n)
        order = np.random.default_rng(0).random((days, HALVES)).argsort(axis=0)
        halves = np.column_stack((np.ones(days), np.where(2 * order < days, 1.0, 0.0)))
        weights = np.stack([f.n @ halves for f in telling])
        logs = np.log(np.maximum(np.stack([f.rms(halves) for f in telling]), NO_RESIDUAL))
        pooled = np.einsum("fh,flh->lh", weights, logs) / np.maximum(weights.sum(axis=0), 1)
        best, after = (int(i) for i in np.argsort(pooled[:, 0], kind="stable")[:2])
        margin = -float(np.expm1(pooled[best, 0] - pooled[after, 0]))
        n, past_clock = int(weights[:, 0].sum()), telling[0].past_clock
        known = n >= FEWEST_ROWS and -2 * n * np.log1p(-min(margin, 1 - 1e-12)) >= SURE
        if known and (pooled[:, 1:].argmin(axis=0) == best).mean() >= AGREEING:
            if lags[best] == 0 and margin >= CLEAR:
                verdict = "sliding"
            elif lags[best] == past_clock > 0 and margin >= SHALLOW:
                verdict = "block"
    delta, rows = [dt.timedelta(microseconds=int(x)) for x in lags], []
    for f in meter:
        found: tuple[Any, ...] = (pd.NaT, pd.NaT, np.nan, pd.NaT, *[np.nan] * 3, "unclear")
        if f.yy.any():
            rms = f.rms(np.ones((len(f.n), 1)))[:, 0]
            here = delta[best], delta[int(np.argmin(rms))], rms[best]
            found = (*here, delta[after], rms[after], margin, rms[0], verdict)
        c = f.pair.register
        rows.append((c.meter, c.element, *found, int(f.n.sum())))
    return rows
