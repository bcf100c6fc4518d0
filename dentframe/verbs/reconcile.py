"""`reconcile` compares a register with the demand of the same element, and names what differs.

Each known cause of a difference is a function that looks at the comparison of one period; the first
that fits gives the signature.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import pandas as pd

from dentframe.errors import ConfigError, CoverageWarning, warn
from dentframe.metering.attrs import is_several, time_index
from dentframe.metering.energy_and_coverage import NAT
from dentframe.metering.series import meter_by_meter
from dentframe.times.dates_and_ranges import local
from dentframe.times.periods import verb_zone
from dentframe.verbs.inputs import Keywords, VerbKeywords, periods, verb
from dentframe.verbs.register_and_demand import Pair, check_both_there, pairs

if TYPE_CHECKING:
    from collections.abc import Callable

    from dentframe.metering.series import Bools, Floats, Ints
    from dentframe.times.periods import Freq


NO_OVERLAP = "no overlap"
AGREES = "agrees"
UNEXPLAINED = "unexplained"

NEAR_THIRD = 0.05
SCATTERED = 0.25
"""Residuals of the steps beyond this share of the demand itself are no constant ratio."""
RUN = 8
"""Steps that are taken together where each by itself scatters."""
FROZEN_RUN = 3
FEWEST_SAMPLES = 30
FORWARD = 0.1
_ZERO = 1e-9


@dataclass(frozen=True)
class Comparison:
    """One element's register and demand in one period.

    Attributes
    ----------
    register, demand : float
        Energy over the span in which both have readings [kWh].
    at_gaps : float
        The part of their difference in register steps that demand does not wholly cover [kWh].
    x, y : ndarray of float
        Energy of each other register step by the register and by the demand [kWh].
    adjacent : ndarray of bool
        Whether a step begins where the one before it ends, shape (steps,).
    falls, during : ndarray of float
        Falls of the register's readings, as positive numbers, and the demand of each [kWh].
    resolution : float
        The register's smallest rise [kWh]; 0 where it never rises.
    """

    register: float
    demand: float
    at_gaps: float
    x: Floats
    y: Floats
    adjacent: Bools
    falls: Floats
    during: Floats
    resolution: float

    @property
    def residual(self) -> float:
        """Demand less register [kWh]."""
        return self.demand - self.register


def _opposed(e: Comparison, tolerance: float) -> bool:
    """The register falls again and again, by no more than twice what demand says was drawn."""
    like = (e.during > 0) & (e.falls <= 2 * e.during)
    moved = e.falls.sum() + np.abs(e.x).sum()
    return bool(like.sum() >= 2 and e.falls[like].sum() > tolerance * moved)


def _frozen(e: Comparison, tolerance: float) -> bool:
    """Runs of a flat register while demand flows, which explain the difference."""
    flat = (np.abs(e.x) <= _ZERO) & (e.y > 0)
    new = np.concatenate(([True], ~(flat[1:] & flat[:-1] & e.adjacent[1:])))[: len(flat)]
    run = np.cumsum(new)[flat]
    length, energies = np.bincount(run), np.bincount(run, weights=e.y[flat])
    energy = float(energies[(length >= FROZEN_RUN) & (energies > 2 * e.resolution)].sum())
    return energy > 0 and abs(e.residual - energy) <= tolerance * max(abs(e.demand), energy)


def _lost(e: Comparison, tolerance: float) -> bool:
    """All of the difference lies where demand has gaps."""
    inside = e.residual - e.at_gaps
    return e.at_gaps < 0 and abs(inside) <= tolerance * abs(e.x.sum()) + _ZERO


def _ratio(e: Comparison, tolerance: float) -> float | None:
    """The ratio of demand to register where it is constant and not 1, else None."""
    x, y = e.x, e.y
    if len(x) < 3 or x.sum() <= 0 or y.sum() <= 0:
        return None
    k = y.sum() / x.sum()
    if _scatter(x, y, k) > SCATTERED and len(x) >= 3 * RUN:
        # A window that lies elsewhere than its step blurs a run of steps at its ends alone.
        starts = np.arange(0, len(x) - len(x) % RUN, RUN)
        x, y = (np.add.reduceat(v[: len(x) - len(x) % RUN], starts) for v in (x, y))
    scatter, off = _scatter(x, y, k), abs(k - 1)
    constant = scatter <= SCATTERED and off * np.sqrt(len(x)) > 3 * scatter * max(k, 1.0)
    return float(k) if constant and off > tolerance else None


def _scatter(x: Floats, y: Floats, k: float) -> float:
    """What a constant ratio leaves unexplained, as a share of the demand."""
    return float(np.sqrt(((y - k * x) ** 2).sum() / (y**2).sum()))


def _reversed(e: Comparison, tolerance: float) -> bool:
    k = _ratio(e, tolerance)
    return k is not None and any(abs(k * 3 / n - 1) <= NEAR_THIRD for n in (1, 2))


def _sampled(e: Comparison, _: float) -> bool:
    """Scatter without bias, and readings that no mean over the window could show."""
    off = e.y - e.x
    noise = float(np.sqrt((off**2).sum()))
    if len(e.x) < FEWEST_SAMPLES or noise <= SCATTERED * float(np.sqrt((e.y**2).sum())):
        return False
    # No mean is above all the energy of the two steps in which its window must lie.
    impossible = (e.y[1:] > e.x[1:] + e.x[:-1] + 2 * e.resolution) & e.adjacent[1:]
    return bool(abs(off.sum()) <= 3 * noise) and (impossible.sum() >= 3 or _like_next_step(e))


def _like_next_step(e: Comparison) -> bool:
    """A sample knows as much of the interval after it as of the one before; a mean does not."""
    follows = e.adjacent[1:]
    y = e.y[:-1][follows]
    if len(y) < FEWEST_SAMPLES:
        return False
    a = np.column_stack((e.x[:-1][follows], e.x[1:][follows]))
    inverse = np.linalg.pinv(a.T @ a)
    slope = inverse @ (a.T @ y)
    error = np.sqrt(max(float(inverse[1, 1]), 0.0) * ((y - a @ slope) ** 2).sum() / len(y))
    return bool(slope[1] > 4 * error and slope[1] > FORWARD * slope.sum())


_CAUSES: tuple[tuple[str, Callable[[Comparison, float], bool]], ...] = (
    ("absolute demand or reversed CT", _opposed),
    (NO_OVERLAP, lambda e, _: bool(np.isnan(e.residual))),
    (AGREES, lambda e, tolerance: abs(e.residual) <= tolerance * abs(e.register) + _ZERO),
    ("frozen register", _frozen),
    ("lost rows", _lost),
    ("reversed CT", _reversed),
    ("CT multiplier", lambda e, tolerance: _ratio(e, tolerance) is not None),
    ("samples, not means", _sampled),
)

SIGNATURES: tuple[str, ...] = (*(name for name, _ in _CAUSES), UNEXPLAINED)
"""All that a comparison may be called."""


COLUMNS = (
    "period", "start", "end", "element", "register", "demand", "residual", "ratio", "relative",
    "at_gaps", "coverage", "signature",
)  # fmt: skip


@verb
def reconcile(
    frame: pd.DataFrame,
    freq: Freq = None,
    *,
    tolerance: float = 0.02,
    **keywords: Unpack[Keywords],
) -> pd.DataFrame:
    """Compare each element's register with its demand, and name what a difference looks like.

    Parameters
    ----------
    frame : pandas.DataFrame
        With kWHNet and DemandkW, over time or (meter, time), shape (readings, columns).
    freq : str, Monthly, list of edges, or None
        One row per period; None for one row over the whole span.
    tz : str or tzinfo, optional
        The zone of the calendar and of naive bounds; None is the index's own where not UTC.
    start, end : str, date, datetime or Timestamp, optional
        The span, as in `energy`.
    registers : RegisterRules
        What is known about the registers.
    interval, demand_lag : str, timedelta, or mapping by meter
        A mean stamped t covers ``(t - demand_lag - interval, t - demand_lag]``.
    tolerance : float
        The relative difference up to which the two agree.
    elements : str or sequence of str, optional
        The elements asked for, as in `energy`; all by default.
    site : Site, optional
        Gives `tz`, and what is known about the registers, where they are not given.

    Returns
    -------
    pandas.DataFrame
        One row per (meter,) period and element, shape (periods x elements, 12): ``period`` (its
        start), ``start`` and ``end`` of the span compared, ``element``, ``register`` and
        ``demand`` [kWh], ``residual`` (demand less register) [kWh], ``ratio`` (demand by
        register), ``relative`` (residual by register), ``at_gaps`` (the part of the residual in
        register steps that demand does not wholly cover) [kWh], ``coverage`` (share of the span
        in which both are covered) and ``signature``, one of `dentframe.verbs.reconcile.SIGNATURES`.

        The span reaches from the later first reading to the earlier last one. Where the
        register does not count (an unexplained fall), neither does demand; where demand has a
        gap, the register goes on, so that lost rows show; only a register step with a gap
        that an edge of the period cuts is left out.

    Raises
    ------
    KindError
        Where registers or demand are not in the frame.
    RangeError
        For a naive index, a missing `tz`, or a span that ends before it starts.
    ConfigError
        For a tolerance that is no share.

    Warns
    -----
    CoverageWarning
        For a register that falls without being declared as exporting: it has no figure.
    ReadingWarning
        Where means come at another spacing than `interval`.

    Notes
    -----
    The sum check of validation practice (California's VEE standard): what is wrong stands in
    ``signature``. See ``docs/guide/reconcile.md``.

    Examples
    --------
    >>> found = df.dent.select(element="A").dent.reconcile(tz=LA)
    >>> bool(abs(found["relative"].item()) < 0.01)
    True
    """
    resolved = VerbKeywords.of(frame, **keywords)
    if not 0 <= tolerance < 1:
        raise ConfigError(
            f"Cannot use tolerance={tolerance!r}: it is a share from 0 to below 1, e.g. 0.02."
        )
    check_both_there(frame, "reconcile")
    zone = verb_zone(time_index(frame).tz, resolved.tz, freq)
    found = pairs(frame, resolved)
    refused = " ".join(p.register.refusal for p in found if p.register.refusal)
    if refused:
        warn(refused, CoverageWarning)
    series = [c for p in found for c in (p.register, p.demand)]
    s, e = periods(frame, series, freq, zone, resolved)
    rows = []
    for meter in meter_by_meter(found, lambda p: p.meter):
        pieces = [(p, _pieces(p, s, e)) for p in meter]
        rows += [_row(p, a, k, tolerance) for k in range(len(s)) for p, a in pieces]
    made = pd.DataFrame(rows, columns=["meter", *COLUMNS])
    for name in ("period", "start", "end"):
        made[name] = local(made[name].to_numpy(dtype=np.int64), zone)
    return made if is_several(frame) else made[list(COLUMNS)]


@dataclass(frozen=True)
class _Pieces:
    """The shared span cut at every breakpoint and period edge; arrays have shape (pieces,).

    Attributes
    ----------
    t : ndarray of int64
        Edges [us UTC], shape (pieces + 1,).
    x, y : ndarray of float
        Energy by the register and by demand [kWh].
    counted, both : ndarray of bool
        Where the register is covered; where demand is as well.
    step : ndarray of int64
        The register step that holds the piece.
    at_gap : ndarray of bool
        Where demand lacks some part of that step.
    resolution : float
        The register's smallest rise [kWh].
    s, e : ndarray of int64
        The periods [us UTC], shape (periods,).
    first, last : ndarray of int64
        The pieces of each period, half-open, shape (periods,).
    """

    t: Ints
    x: Floats
    y: Floats
    counted: Any
    both: Any
    step: Ints
    at_gap: Any
    resolution: float
    s: Ints
    e: Ints
    first: Ints
    last: Ints


def _pieces(pair: Pair, s: Ints, e: Ints) -> _Pieces:
    low, high = pair.span or (0, 0)
    t = np.concatenate((pair.register.t, pair.demand.t, s, e, [low, high]))
    t = np.sort(t[(t >= low) & (t <= high)], kind="stable")
    t = t[np.diff(t, prepend=low - 1) > 0]
    a = t[:-1]
    counted = np.diff(pair.register.edges(t).covered) > 0
    both = counted & (np.diff(pair.demand.edges(t).covered) > 0)
    step, rises = pair.register.where(a), np.diff(pair.register.readings)
    rises = rises[rises > _ZERO]
    lacking = np.bincount(step[counted & ~both], minlength=1 + int(step.max(initial=0)))
    return _Pieces(
        t=t,
        x=np.diff(pair.register.energy_at(t)),
        y=np.diff(pair.demand.energy_at(t)),
        counted=counted,
        both=both,
        step=step,
        at_gap=lacking[step] > 0,
        resolution=float(rises.min()) if len(rises) else 0.0,
        s=s,
        e=e,
        first=np.searchsorted(a, s, side="left"),
        last=np.searchsorted(a, e, side="left"),
    )


def _row(pair: Pair, pieces: _Pieces, k: int, tolerance: float) -> dict[str, Any]:
    """The row of one element and period; the first cause that fits gives its signature."""
    of = _compared(pair.register.t, pieces, k)
    length = np.diff(pieces.t)[of]
    found = _comparison(pair, pieces, of)
    there, whole = len(length) > 0, found.register or np.nan
    return {
        "meter": pair.meter,
        "period": int(pieces.s[k]),
        "start": int(pieces.t[of.start]) if there else NAT,
        "end": int(pieces.t[of.stop]) if there else NAT,
        "element": pair.element,
        "register": found.register,
        "demand": found.demand,
        "residual": found.residual,
        "ratio": found.demand / whole,
        "relative": found.residual / whole,
        "at_gaps": found.at_gaps,
        "coverage": float(length[pieces.both[of]].sum() / max(length.sum(), 1)),
        "signature": next((name for name, fits in _CAUSES if fits(found, tolerance)), UNEXPLAINED),
    }


def _compared(register: Ints, pieces: _Pieces, k: int) -> slice:
    """The pieces of a period, less a register step with a gap that the period's edge cuts.

    How much of such a step lies on either side is not known, so it would tell nothing.
    """
    first, last = int(pieces.first[k]), int(pieces.last[k])
    if first < last and pieces.at_gap[first] and register[pieces.step[first]] < pieces.s[k]:
        first = int(np.searchsorted(pieces.step, pieces.step[first], side="right"))
    end = int(pieces.step[last - 1]) if first < last else 0
    if first < last and pieces.at_gap[last - 1] and register[end + 1] > pieces.e[k]:
        last = int(np.searchsorted(pieces.step, end, side="left"))
    return slice(first, max(first, last))


def _comparison(pair: Pair, pieces: _Pieces, of: slice) -> Comparison:
    x, y, counted, at_gap = pieces.x[of], pieces.y[of], pieces.counted[of], pieces.at_gap[of]
    inside, gaps = counted & ~at_gap, counted & at_gap
    step = pieces.step[of][inside]
    first = np.flatnonzero(np.diff(step, prepend=-1))
    # Without a moment covered by both, nothing was compared.
    none = np.nan if not pieces.both[of].any() else 0.0
    falls, during = _falls(pair, pieces, of)
    return Comparison(
        register=float(x[counted].sum()) + none,
        demand=float(y[counted].sum()) + none,
        at_gaps=float((y - x)[gaps].sum()) + none,
        x=np.add.reduceat(x[inside], first) if len(first) else np.empty(0),
        y=np.add.reduceat(y[inside], first) if len(first) else np.empty(0),
        adjacent=np.diff(step[first], prepend=-2) == 1,
        falls=falls,
        during=during,
        resolution=pieces.resolution,
    )


def _falls(pair: Pair, pieces: _Pieces, of: slice) -> tuple[Floats, Floats]:
    """Falls between readings in use that end in the period, and the demand of each."""
    at, r = pair.register.at, pair.register.readings
    if of.stop <= of.start:
        return np.empty(0), np.empty(0)
    first = max(int(np.searchsorted(at, pieces.t[of.start], side="right")), 1)
    last = max(int(np.searchsorted(at, pieces.t[of.stop], side="right")), first)
    d = np.diff(r[first - 1 : last])
    where = first - 1 + np.flatnonzero(d < 0)
    demand = pair.demand.energy_at(at[where + 1]) - pair.demand.energy_at(at[where])
    return -d[d < 0], demand
