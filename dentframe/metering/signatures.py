"""What a difference between a register and its demand looks like: the known causes. Pure.

Each cause claims the evidence of one period in turn; the first that fits names it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from dentframe.metering.glitches import Bools
    from dentframe.metering.series import Floats

NO_OVERLAP = "no overlap"
AGREES = "agrees"
UNEXPLAINED = "unexplained"

NEAR_THIRD = 0.05
SCATTERED = 0.25
"""Residuals of the steps beyond this share of the demand itself are no constant ratio."""
FROZEN_RUN = 3
FEWEST_SAMPLES = 30
FORWARD = 0.1
_ZERO = 1e-9


@dataclass(frozen=True)
class Evidence:
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


def signature(e: Evidence, tolerance: float) -> str:
    """The name of what the evidence looks like.

    Parameters
    ----------
    e : Evidence
        Of one element and period.
    tolerance : float
        The relative difference that is none.
    """
    return next((name for name, fits in _CAUSES if fits(e, tolerance)), UNEXPLAINED)


def _nothing(e: Evidence, _: float) -> bool:
    return bool(np.isnan(e.residual))


def _opposed(e: Evidence, tolerance: float) -> bool:
    """The register falls again and again, by no more than twice what demand says was drawn."""
    like = (e.during > 0) & (e.falls <= 2 * e.during)
    moved = e.falls.sum() + np.abs(e.x).sum()
    return bool(like.sum() >= 2 and e.falls[like].sum() > tolerance * moved)


def _agrees(e: Evidence, tolerance: float) -> bool:
    return abs(e.residual) <= tolerance * abs(e.register) + _ZERO


def _frozen(e: Evidence, tolerance: float) -> bool:
    """Runs of a flat register while demand flows, which explain the difference."""
    energy = _flat_runs(e)
    return energy > 0 and abs(e.residual - energy) <= tolerance * max(abs(e.demand), energy)


def _flat_runs(e: Evidence) -> float:
    flat = (np.abs(e.x) <= _ZERO) & (e.y > 0)
    new = np.concatenate(([True], ~(flat[1:] & flat[:-1] & e.adjacent[1:])))[: len(flat)]
    run = np.cumsum(new)[flat]
    if len(run) == 0:
        return 0.0
    length, energy = np.bincount(run), np.bincount(run, weights=e.y[flat])
    return float(energy[(length >= FROZEN_RUN) & (energy > 2 * e.resolution)].sum())


def _lost(e: Evidence, tolerance: float) -> bool:
    """All of the difference lies where demand has gaps."""
    inside = e.residual - e.at_gaps
    return e.at_gaps < 0 and abs(inside) <= tolerance * abs(e.x.sum()) + _ZERO


def _ratio(e: Evidence, tolerance: float) -> float | None:
    """The ratio of demand to register where it is constant and not 1, else None."""
    n, x, y = len(e.x), e.x.sum(), e.y.sum()
    if n < 3 or x <= 0 or y <= 0:
        return None
    k = y / x
    scatter = float(np.sqrt(((e.y - k * e.x) ** 2).sum() / (e.y**2).sum()))
    off = abs(k - 1)
    constant = scatter <= SCATTERED and off * np.sqrt(n) > 3 * scatter * max(k, 1.0)
    return float(k) if constant and off > tolerance else None


def _reversed(e: Evidence, tolerance: float) -> bool:
    k = _ratio(e, tolerance)
    return k is not None and any(abs(k * 3 / n - 1) <= NEAR_THIRD for n in (1, 2))


def _multiplied(e: Evidence, tolerance: float) -> bool:
    return _ratio(e, tolerance) is not None


def _sampled(e: Evidence, _: float) -> bool:
    """Scatter without bias, and readings that no mean over the window could show."""
    off = e.y - e.x
    noise = float(np.sqrt((off**2).sum()))
    if len(e.x) < FEWEST_SAMPLES or noise <= SCATTERED * float(np.sqrt((e.y**2).sum())):
        return False
    return bool(abs(off.sum()) <= 3 * noise) and (_impossible(e) >= 3 or _looks_ahead(e))


def _impossible(e: Evidence) -> int:
    """Readings above all the energy of the two steps in which their window must lie."""
    two = e.x[1:] + e.x[:-1] + 2 * e.resolution
    return int(((e.y[1:] > two) & e.adjacent[1:]).sum())


def _looks_ahead(e: Evidence) -> bool:
    """A sample knows as much of the interval after it as of the one before; a mean does not."""
    follows = e.adjacent[1:]
    own, ahead, y = e.x[:-1][follows], e.x[1:][follows], e.y[:-1][follows]
    if len(y) < FEWEST_SAMPLES:
        return False
    a = np.column_stack((own, ahead))
    inverse = np.linalg.pinv(a.T @ a)
    slope = inverse @ (a.T @ y)
    error = np.sqrt(max(float(inverse[1, 1]), 0.0) * ((y - a @ slope) ** 2).sum() / len(y))
    return bool(slope[1] > 4 * error and slope[1] > FORWARD * slope.sum())


_CAUSES: tuple[tuple[str, Callable[[Evidence, float], bool]], ...] = (
    ("absolute demand or reversed CT", _opposed),
    (NO_OVERLAP, _nothing),
    (AGREES, _agrees),
    ("frozen register", _frozen),
    ("lost rows", _lost),
    ("reversed CT", _reversed),
    ("CT multiplier", _multiplied),
    ("samples, not means", _sampled),
)

SIGNATURES: tuple[str, ...] = (*(name for name, _ in _CAUSES), UNEXPLAINED)
"""All that a comparison may be called."""
