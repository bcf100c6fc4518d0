"""A register against the demand of the same element: do they tell one story? Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe.errors import ConfigError
from dentframe.instants import ints, local
from dentframe.metering.cumulative import share
from dentframe.metering.pairs import Pair, need_both, pairs
from dentframe.metering.rows import is_several, meter_by_meter, time_index
from dentframe.metering.signatures import Evidence, signature
from dentframe.metering.spans import periods
from dentframe.metering.study import Asked
from dentframe.periods import verb_zone
from dentframe.registers import RegisterRules

if TYPE_CHECKING:
    from dentframe.freq import Freq
    from dentframe.instants import Zone
    from dentframe.metering.series import Floats, Ints

COLUMNS = (
    "period",
    "start",
    "end",
    "element",
    "register",
    "demand",
    "residual",
    "ratio",
    "relative",
    "at_gaps",
    "coverage",
    "signature",
)

_DEFAULT_RULES = RegisterRules()
_NAT = np.iinfo(np.int64).min


def reconcile(
    frame: pd.DataFrame,
    freq: Freq = None,
    *,
    tz: Zone = None,
    start: Any = None,
    end: Any = None,
    registers: RegisterRules = _DEFAULT_RULES,
    interval: Any = "15min",
    demand_lag: Any = "0min",
    tolerance: float = 0.02,
    site: Any = None,
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
        in which both are covered) and ``signature``, one of `metering.signatures.SIGNATURES`.

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

    Notes
    -----
    The sum check of validation practice (California's VEE standard). Nothing warns: what
    is wrong stands in ``signature``. See ``docs/guide/reconcile.md``.

    Examples
    --------
    >>> found = df.dent.select(element="A").dent.reconcile(tz=LA)
    >>> bool(abs(found["relative"].item()) < 0.01)
    True
    """
    asked = Asked.of(frame, site, tz, start, end, registers, interval, demand_lag)
    _check_tolerance(tolerance)
    need_both(frame, "reconcile")
    zone = verb_zone(time_index(frame).tz, asked.tz, freq)
    found = pairs(frame, asked)
    series = [c for p in found for c in (p.register, p.demand)]
    when = periods(frame, series, freq, tz=zone, start=start, end=end, naive=asked.tz)
    s, e = ints(when.starts), ints(when.ends)
    meters = meter_by_meter(found, lambda p: p.meter)
    rows = [row for meter in meters for row in _rows(meter, s, e, tolerance)]
    return _table(rows, zone, with_meter=is_several(frame))


def _check_tolerance(tolerance: float) -> None:
    if not 0 <= tolerance < 1:
        raise ConfigError(
            f"Cannot use tolerance={tolerance!r}: it is a share from 0 to below 1, e.g. 0.02."
        )


def _rows(meter: Sequence[Pair], s: Ints, e: Ints, tolerance: float) -> list[dict[str, Any]]:
    """Rows of one meter, by period, then element."""
    atoms = [_atoms(p, s, e) for p in meter]
    return [
        {"meter": p.meter, "period": int(s[k]), **_row(p, a, k, tolerance)}
        for k in range(len(s))
        for p, a in zip(meter, atoms, strict=True)
    ]


@dataclass(frozen=True)
class _Atoms:
    """The shared span cut at every breakpoint and period edge; arrays have shape (atoms,).

    Attributes
    ----------
    t : ndarray of int64
        Edges [us UTC], shape (atoms + 1,).
    x, y : ndarray of float
        Energy by the register and by demand [kWh].
    counted, both : ndarray of bool
        Where the register is covered; where demand is as well.
    step : ndarray of int64
        The register step that holds the atom.
    at_gap : ndarray of bool
        Where demand lacks some part of that step.
    resolution : float
        The register's smallest rise [kWh].
    s, e : ndarray of int64
        The periods [us UTC], shape (periods,).
    first, last : ndarray of int64
        The atoms of each period, half-open, shape (periods,).
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


def _atoms(pair: Pair, s: Ints, e: Ints) -> _Atoms:
    low, high = pair.span or (0, 0)
    t = np.concatenate((pair.register.t, pair.demand.t, s, e, [low, high]))
    t = np.sort(t[(t >= low) & (t <= high)], kind="stable")
    t = t[np.diff(t, prepend=low - 1) > 0]
    a = t[:-1]
    counted = np.diff(pair.register.covered_at(t)) > 0
    both = counted & (np.diff(pair.demand.covered_at(t)) > 0)
    step = pair.register.where(a)
    lacking = np.bincount(step[counted & ~both], minlength=1 + int(step.max(initial=0)))
    return _Atoms(
        t=t,
        x=np.diff(pair.register.energy_at(t)),
        y=np.diff(pair.demand.energy_at(t)),
        counted=counted,
        both=both,
        step=step,
        at_gap=lacking[step] > 0,
        resolution=_resolution(pair.register.readings),
        s=s,
        e=e,
        first=np.searchsorted(a, s, side="left"),
        last=np.searchsorted(a, e, side="left"),
    )


def _row(pair: Pair, atoms: _Atoms, k: int, tolerance: float) -> dict[str, Any]:
    of = _compared(pair.register.t, atoms, k)
    length = np.diff(atoms.t)[of]
    found = _evidence(pair, atoms, of)
    there = len(length) > 0
    covered, span = length[atoms.both[of]].sum(), length.sum()
    return {
        "start": int(atoms.t[of.start]) if there else _NAT,
        "end": int(atoms.t[of.stop]) if there else _NAT,
        "element": pair.element,
        "register": found.register,
        "demand": found.demand,
        "residual": found.residual,
        "ratio": _by(found.demand, found.register),
        "relative": _by(found.residual, found.register),
        "at_gaps": found.at_gaps,
        "coverage": float(share(np.array([covered]), np.array([span]))[0]),
        "signature": signature(found, tolerance),
    }


def _compared(register: Ints, atoms: _Atoms, k: int) -> slice:
    """The atoms of a period, less a register step with a gap that the period's edge cuts.

    How much of such a step lies on either side is not known, so it would tell nothing.
    """
    first, last = int(atoms.first[k]), int(atoms.last[k])
    if first < last and atoms.at_gap[first] and register[atoms.step[first]] < atoms.s[k]:
        first = int(np.searchsorted(atoms.step, atoms.step[first], side="right"))
    end = int(atoms.step[last - 1]) if first < last else 0
    if first < last and atoms.at_gap[last - 1] and register[end + 1] > atoms.e[k]:
        last = int(np.searchsorted(atoms.step, end, side="left"))
    return slice(first, max(first, last))


def _by(part: float, whole: float) -> float:
    return part / whole if whole else np.nan


def _evidence(pair: Pair, atoms: _Atoms, of: slice) -> Evidence:
    x, y, counted, at_gap = atoms.x[of], atoms.y[of], atoms.counted[of], atoms.at_gap[of]
    inside, gaps = counted & ~at_gap, counted & at_gap
    step = atoms.step[of][inside]
    first = np.flatnonzero(np.diff(step, prepend=-1))
    # Without a moment covered by both, nothing was compared.
    none = np.nan if not atoms.both[of].any() else 0.0
    falls, during = _falls(pair, atoms, of)
    return Evidence(
        register=float(x[counted].sum()) + none,
        demand=float(y[counted].sum()) + none,
        at_gaps=float((y - x)[gaps].sum()) + none,
        x=np.add.reduceat(x[inside], first) if len(first) else np.empty(0),
        y=np.add.reduceat(y[inside], first) if len(first) else np.empty(0),
        adjacent=np.diff(step[first], prepend=-2) == 1,
        falls=falls,
        during=during,
        resolution=atoms.resolution,
    )


def _falls(pair: Pair, atoms: _Atoms, of: slice) -> tuple[Floats, Floats]:
    """Falls between readings in use that end in the period, and the demand of each."""
    at, r = pair.register.at, pair.register.readings
    if of.stop <= of.start:
        return np.empty(0), np.empty(0)
    first = max(int(np.searchsorted(at, atoms.t[of.start], side="right")), 1)
    last = max(int(np.searchsorted(at, atoms.t[of.stop], side="right")), first)
    d = np.diff(r[first - 1 : last])
    where = first - 1 + np.flatnonzero(d < 0)
    demand = pair.demand.energy_at(at[where + 1]) - pair.demand.energy_at(at[where])
    return -d[d < 0], demand


def _resolution(readings: Floats) -> float:
    rises = np.diff(readings)
    rises = rises[rises > 1e-9]
    return float(rises.min()) if len(rises) else 0.0


def _table(rows: Sequence[dict[str, Any]], zone: dt.tzinfo, *, with_meter: bool) -> pd.DataFrame:
    names = ("meter", *COLUMNS) if with_meter else COLUMNS
    made = pd.DataFrame({n: [row[n] for row in rows] for n in names})
    for name in ("period", "start", "end"):
        made[name] = local(made[name].to_numpy(dtype=np.int64), zone)
    return made
