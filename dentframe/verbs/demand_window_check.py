"""`check_demand_window` finds which interval a DemandkW row covers, by regression on the register.

It never shifts anything: it reports the best lag and how clear it is.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np
import pandas as pd

from dentframe.accessor_methods import with_keywords
from dentframe.errors import RangeError
from dentframe.metering.register_rules import HOUR, MINUTE
from dentframe.metering.series import ESTIMATES, Flag, Floats, Ints, meter_by_meter, time_index
from dentframe.times.dates_and_ranges import check_order, minutes
from dentframe.times.periods import verb_zone
from dentframe.verbs.inputs_and_keywords import DEFAULTS, Keywords, VerbKeywords
from dentframe.verbs.reconcile import Pair, check_both_there, pairs
from dentframe.verbs.result_frames_and_warnings import frame_of_rows

CLEAR = 0.5
"""Share by which a sliding window's residual stays below that of any other lag."""
SHALLOW = 0.005
SURE = 10.0
"""Least log likelihood ratio of the best lag against the next, to be told apart at all."""
HALVES, AGREEING = 100, 0.95
"""How many halves of the days are tried, and the share in which the best lag must be the best."""
DAY = 24 * HOUR
FEWEST = 24
LEAST = 1e-6
"""Residuals below this are none [kWh]: they are rounding of floats."""

COLUMNS = (
    "element", "best_lag", "own_lag", "rms", "next_lag", "next_rms", "margin", "rms_at_zero",
    "verdict", "n",
)  # fmt: skip


@with_keywords(Keywords, DEFAULTS, without=["demand_lag"])
def check_demand_window(
    frame: pd.DataFrame, *, max_lag: Any = "15min", **keywords: Unpack[Keywords]
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
    resolved = VerbKeywords.of(frame, **keywords)
    zone = verb_zone(time_index(frame).tz, resolved.tz)
    check_order(*resolved.bounds(frame))
    last = minutes(max_lag, "max_lag")
    if last == 0:
        raise RangeError(
            f"Cannot use max_lag={max_lag!r}: there is no other lag to compare 0 with. "
            "Use e.g. '15min'."
        )
    lags, found = np.arange(last + 1) * MINUTE, pairs(frame, resolved)
    both = [p for p in found if p.complete]
    fits = [_fit(p, lags, resolved.limits(frame), _days(both)) for p in both]
    meters = meter_by_meter(fits, lambda f: f.pair.register.meter)
    made = frame_of_rows(frame, [x for m in meters for x in _rows(m, lags)], COLUMNS, zone)
    for name in ("best_lag", "own_lag", "next_lag"):
        made[name] = pd.to_timedelta(made[name].astype(object)).astype("timedelta64[us]")
    return made


@dataclass(frozen=True)
class _Fit:
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

    @property
    def telling(self) -> bool:
        """Whether the element drew anything, so that lags can differ."""
        return bool(self.yy.any())

    def rms(self, days: Floats) -> Floats:
        """Residuals of the regression over some days [kWh], shape (lags, choices of days)."""
        xx, xy, yy = self.xx @ days, self.xy @ days, self.yy @ days
        explained = np.divide(xy**2, xx, out=np.zeros_like(xx), where=xx > 0)
        left = np.maximum(yy - explained, 0.0) / np.maximum(self.n @ days, 1)
        return np.asarray(np.sqrt(left))


def _days(found: Sequence[Pair]) -> Ints:
    """The days that readings lie in [us UTC]; eighths of the span where it has fewer days."""
    low = min((int(p.demand.at[0]) for p in found), default=0)
    high = max((int(p.demand.at[-1]) for p in found), default=0)
    return np.arange(low, high + 1, max(min(DAY, (high - low) // 8), MINUTE))


def _fit(pair: Pair, lags: Ints, bounds: tuple[int, int], days: Ints) -> _Fit:
    t, register, window = pair.demand.at, pair.register, pair.interval
    use = (t > bounds[0]) & (t <= bounds[1])
    # Windows in which the register is measured: covered, without gap, reset or the like.
    s = t - int(lags[-1]) - window
    doubt = register.flags_in(s, t, of_edges=False) & int(ESTIMATES | Flag.GAP_BRIDGED)
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
    past, count = np.unique(t % window // MINUTE, return_counts=True)
    past_clock = int(past[np.argmax(count)]) * MINUTE if len(t) else 0
    return _Fit(pair, summed(np.ones(len(t))), np.stack(xx), np.stack(xy), yy, past_clock)


def _rows(meter: Sequence[_Fit], lags: Ints) -> list[tuple[Any, ...]]:
    """The rows of one meter: its elements share one clock, so they share one verdict."""
    best, after, margin, verdict = 0, 0, np.nan, "unclear"
    telling = [f for f in meter if f.telling]
    if telling:
        # All days, then halves of them, each a column of 0 and 1; the same at every call.
        days = len(telling[0].n)
        order = np.random.default_rng(0).random((days, HALVES)).argsort(axis=0)
        halves = np.column_stack((np.ones(days), np.where(2 * order < days, 1.0, 0.0)))
        weights = np.stack([f.n @ halves for f in telling])
        logs = np.log(np.maximum(np.stack([f.rms(halves) for f in telling]), LEAST))
        pooled = np.einsum("fh,flh->lh", weights, logs) / np.maximum(weights.sum(axis=0), 1)
        best, after = (int(i) for i in np.argsort(pooled[:, 0], kind="stable")[:2])
        margin = -float(np.expm1(pooled[best, 0] - pooled[after, 0]))
        n, past_clock = int(weights[:, 0].sum()), telling[0].past_clock
        known = n >= FEWEST and -2 * n * np.log1p(-min(margin, 1 - 1e-12)) >= SURE
        if known and (pooled[:, 1:].argmin(axis=0) == best).mean() >= AGREEING:
            if lags[best] == 0 and margin >= CLEAR:
                verdict = "sliding"
            elif lags[best] == past_clock > 0 and margin >= SHALLOW:
                verdict = "block"
    delta, rows = [dt.timedelta(microseconds=int(x)) for x in lags], []
    for f in meter:
        found: tuple[Any, ...] = (pd.NaT, pd.NaT, np.nan, pd.NaT, *[np.nan] * 3, "unclear")
        if f.telling:
            rms = f.rms(np.ones((len(f.n), 1)))[:, 0]
            here = delta[best], delta[int(np.argmin(rms))], rms[best]
            found = (*here, delta[after], rms[after], margin, rms[0], verdict)
        c = f.pair.register
        rows.append((c.meter, c.element, *found, int(f.n.sum())))
    return rows
