"""Which interval a DemandkW row covers, found by regression on the register. Pure.

It never shifts anything: it reports the best lag and how clear it is.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe.errors import RangeError
from dentframe.metering.attrs import is_several, time_index
from dentframe.metering.registers import MINUTE, RegisterRules, micros
from dentframe.metering.series import ESTIMATES, meter_by_meter
from dentframe.metering.steps import HOUR, Bools
from dentframe.times.periods import verb_zone
from dentframe.times.ranges import Zone, minutes
from dentframe.verbs.inputs import Asked, Bounds, asked_bounds
from dentframe.verbs.sources import Pair, need_both, pairs

if TYPE_CHECKING:
    from dentframe.metering.cumulative import Cumulative
    from dentframe.metering.series import Floats, Ints


CLEAR = 0.5
"""Share by which a sliding window's residual stays below that of any other lag."""
SHALLOW = 0.005
SURE = 10.0
"""Least log likelihood ratio of the best lag against the next, to be told apart at all."""
FEWEST = 24
LEAST = 1e-6
"""Residuals below this are none [kWh]: they are rounding of floats."""

COLUMNS = (
    "element",
    "best_lag",
    "own_lag",
    "rms",
    "next_lag",
    "next_rms",
    "margin",
    "rms_at_zero",
    "verdict",
    "n",
)

_DEFAULT_RULES = RegisterRules()


def check_demand_window(
    frame: pd.DataFrame,
    *,
    max_lag: Any = "15min",
    interval: Any = "15min",
    registers: RegisterRules = _DEFAULT_RULES,
    tz: Zone = None,
    start: Any = None,
    end: Any = None,
    site: Any = None,
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
        else ``"unclear"``. Where polls fall on the clock's quarter the two are the same, and
        the verdict is ``"sliding"``.

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
    need_both(frame, "check the demand window")
    asked = Asked.of(frame, site, tz, start, end, registers, interval)
    verb_zone(time_index(frame).tz, asked.tz)
    bounds = asked_bounds(frame, start, end, asked.tz)
    _check_order(bounds)
    lags = _lags(max_lag)
    fits = [_fit(p, lags, bounds) for p in pairs(frame, asked) if p.complete]
    meters = meter_by_meter(fits, lambda f: f.pair.meter)
    rows = [row for meter in meters for row in _rows(meter, lags)]
    made = pd.DataFrame(rows, columns=pd.Index(COLUMNS))
    for name in ("best_lag", "own_lag", "next_lag"):
        made[name] = pd.to_timedelta(made[name].astype(object)).astype("timedelta64[us]")
    if is_several(frame):
        made.insert(0, "meter", [f.pair.meter for f in fits])
    return made


def _lags(max_lag: Any) -> Ints:
    last = minutes(max_lag, "max_lag")
    if last == 0:
        raise RangeError(
            f"Cannot use max_lag={max_lag!r}: there is no other lag to compare 0 with. "
            "Use e.g. '15min'."
        )
    return np.arange(last + 1) * MINUTE


def _check_order(bounds: Bounds) -> None:
    low, high = bounds
    if low is not None and high is not None and low >= high:
        raise RangeError(
            f"Cannot use the span from {low.isoformat()} to {high.isoformat()}: start is not "
            "before end. The span is half-open."
        )


@dataclass(frozen=True)
class _Fit:
    """How well each lag explains one element.

    Attributes
    ----------
    pair : Pair
        The element.
    rms : ndarray of float
        Residual of the regression at each lag [kWh], shape (lags,).
    n : int
        The rows used, the same at every lag.
    telling : bool
        Whether the element drew anything, so that lags can differ.
    past_clock : int
        The minutes that its polls come after the clock's own window edges [us].
    """

    pair: Pair
    rms: Floats
    n: int
    telling: bool
    past_clock: int


def _fit(pair: Pair, lags: Ints, bounds: Bounds) -> _Fit:
    t, kw = _in_span(pair.demand, bounds)
    use = _usable(pair.register, t - int(lags[-1]) - pair.interval, t)
    t, y = t[use], kw[use] * (pair.interval / HOUR)
    rms = _residuals(pair.register, t, y, lags, pair.interval)
    return _Fit(pair, rms, len(t), bool((y != 0).any()), _past_clock(t, pair.interval))


def _rows(meter: Sequence[_Fit], lags: Ints) -> list[tuple[Any, ...]]:
    """The rows of one meter: its elements share one clock, so they are judged together."""
    telling = [f for f in meter if f.telling]
    if not telling:
        return [_silent(f) for f in meter]
    weights = np.array([f.n for f in telling], dtype=np.float64)
    logs = np.log(np.maximum(np.stack([f.rms for f in telling]), LEAST))
    pooled = weights @ logs / weights.sum()
    best, after = (int(i) for i in np.argsort(pooled, kind="stable")[:2])
    margin = -float(np.expm1(pooled[best] - pooled[after]))
    verdict = _verdict(int(lags[best]), margin, int(weights.sum()), telling[0].past_clock)
    return [
        _told(f, lags, best, after, margin, verdict) if f.telling else _silent(f) for f in meter
    ]


def _told(
    f: _Fit, lags: Ints, best: int, after: int, margin: float, verdict: str
) -> tuple[Any, ...]:
    own = _delta(lags[int(np.argmin(f.rms))])
    here = (_delta(lags[best]), own, f.rms[best], _delta(lags[after]), f.rms[after])
    return f.pair.element, *here, margin, f.rms[0], verdict, f.n


def _silent(f: _Fit) -> tuple[Any, ...]:
    nothing = (pd.NaT, pd.NaT, np.nan, pd.NaT, np.nan, np.nan, np.nan)
    return f.pair.element, *nothing, "unclear", f.n


def _delta(us: Any) -> dt.timedelta:
    return dt.timedelta(microseconds=int(us))


def _in_span(demand: Cumulative, bounds: Bounds) -> tuple[Ints, Floats]:
    keep = np.ones(len(demand.at), dtype=np.bool_)
    low, high = bounds
    if low is not None:
        keep &= demand.at > micros(low)
    if high is not None:
        keep &= demand.at <= micros(high)
    return demand.at[keep], demand.readings[keep]


def _usable(register: Cumulative, s: Ints, e: Ints) -> Bools:
    """Windows in which the register is measured: covered, without gap, reset or the like."""
    doubt = register.gap | ((register.flags & int(ESTIMATES)) != 0)
    count = np.concatenate(([0], np.cumsum(doubt)))
    first, last = register.segments(s, e)
    return np.asarray((register.covered(s, e) == e - s) & (count[last] == count[first]))


def _residuals(register: Cumulative, t: Ints, y: Floats, lags: Ints, window: int) -> Floats:
    """Residual rms of the regression at each lag [kWh], shape (lags,)."""
    # Lag by lag: arrays of one lag stay in the processor's cache.
    x = np.stack([_rise(register, t - lag, window) for lag in lags])
    norm = np.einsum("ij,ij->i", x, x)
    slope = np.divide(x @ y, norm, out=np.zeros(len(lags)), where=norm > 0)
    off = y[None, :] - slope[:, None] * x
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", off, off) / max(len(t), 1)))


def _rise(register: Cumulative, ends: Ints, window: int) -> Floats:
    """The register's increment over the window before each instant [kWh]."""
    return register.energy_at(ends) - register.energy_at(ends - window)


def _past_clock(t: Ints, window: int) -> int:
    """The minutes that most polls come after the clock's own window edges [us]."""
    if len(t) == 0:
        return 0
    past, count = np.unique(t % window // MINUTE, return_counts=True)
    return int(past[int(np.argmax(count))]) * MINUTE


def _verdict(best: int, margin: float, n: int, past_clock: int) -> str:
    if n < FEWEST or -2 * n * np.log1p(-min(margin, 1 - 1e-12)) < SURE:
        return "unclear"
    if best == 0 and margin >= CLEAR:
        return "sliding"
    near = abs(best - past_clock) <= MINUTE
    return "block" if best > 0 and near and margin >= SHALLOW else "unclear"
