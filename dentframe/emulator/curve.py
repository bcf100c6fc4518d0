"""The exact cumulative energy of loads: integral of constant-power steps (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from .loads import STEP, Load, Power, month_of, month_start, power

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from .noise import Ints
    from .plant import Plant

    Loads = tuple[Load, ...]


@dataclass(frozen=True)
class Curve:
    """Power and cumulative energy of some loads together over whole months.

    Attributes
    ----------
    first : int
        Number of the first step since 1970.
    p, q, s : array
        Active, reactive and apparent power in each step [W], [var], [VA].
    sums, sums_s : array
        Active and apparent energy from the first step to each step [W s], [VA s].
    before, before_s : int
        Active and apparent energy from the installation to the first step [W s], [VA s].
    """

    first: int
    p: Ints
    q: Ints
    s: Ints
    sums: Ints
    sums_s: Ints
    before: int
    before_s: int

    def energy(self, seconds: Any) -> Any:
        """Active energy since the installation at some Unix seconds [W s]."""
        return _cumulative(self.p, self.sums, self.first, seconds) + self.before

    def apparent(self, seconds: Any) -> Any:
        """Apparent energy since the installation at some Unix seconds [VA s]."""
        return _cumulative(self.s, self.sums_s, self.first, seconds) + self.before_s


def curve(
    loads: Loads, seed: int, tz: str, installed: datetime, start: datetime, end: datetime
) -> Curve:
    """The curve of some loads over the months that hold ``[start - 1 h, end]``."""
    origin = int(installed.timestamp())
    lo = month_of(int((start - timedelta(hours=1)).timestamp()))
    hi = month_of(int(end.timestamp()))
    return _curve(loads, seed, tz, origin, lo, hi)


@lru_cache(maxsize=64)
def _curve(loads: Loads, seed: int, tz: str, origin: int, lo: int, hi: int) -> Curve:
    p, q = (np.concatenate(part) for part in zip(*_months(loads, seed, tz, lo, hi), strict=True))
    s = _apparent(p, q)
    before, before_s = _since(loads, seed, tz, origin, lo)
    return Curve(month_start(lo) // STEP, p, q, s, _sums(p), _sums(s), before, before_s)


def total(loads: Loads, seed: int, tz: str, month: int) -> Power:
    """Active and reactive power of some loads together in a month."""
    parts = [power(load, seed, tz, month) for load in loads]
    return Power(sum(x.p for x in parts), sum(x.q for x in parts))  # type: ignore[arg-type]


def sample(load: Load, plant: Plant, steps: Ints) -> Power:
    """Power of a load in some steps, in order [W], [var]."""
    lo, hi = (month_of(int(steps[i]) * STEP) for i in (0, -1))
    parts = _months((load,), plant.seed, plant.tz, lo, hi)
    p, q = (np.concatenate(part) for part in zip(*parts, strict=True))
    at = steps - month_start(lo) // STEP
    return Power(p[at], q[at])


def _months(loads: Loads, seed: int, tz: str, lo: int, hi: int) -> Iterable[Power]:
    return (total(loads, seed, tz, m) for m in range(lo, hi + 1))


def _since(loads: Loads, seed: int, tz: str, origin: int, month: int) -> tuple[int, int]:
    """Energy from the installation to the start of a month, negative before it."""
    home = month_of(origin)
    sign = 1 if month >= home else -1
    span = range(min(home, month), max(home, month))
    sums = [_month_energy(loads, seed, tz, m) for m in span]
    head = _head(loads, seed, tz, origin)
    return (
        sign * sum(p for p, _ in sums) - head[0],
        sign * sum(s for _, s in sums) - head[1],
    )


@lru_cache(maxsize=65536)
def _month_energy(loads: Loads, seed: int, tz: str, month: int) -> tuple[int, int]:
    both = total(loads, seed, tz, month)
    return int(both.p.sum()) * STEP, int(_apparent(*both).sum()) * STEP


@lru_cache(maxsize=1024)
def _head(loads: Loads, seed: int, tz: str, origin: int) -> tuple[int, int]:
    """Energy between the start of the installation's month and the installation."""
    month = month_of(origin)
    both, first = total(loads, seed, tz, month), month_start(month) // STEP
    at = np.array([origin])
    p, s = (_cumulative(x, _sums(x), first, at)[0] for x in (both.p, _apparent(*both)))
    return int(p), int(s)


def _apparent(p: Ints, q: Ints) -> Ints:
    return np.rint(np.hypot(p, q)).astype(np.int64)


def _sums(watts: Ints) -> Ints:
    """Energy from the first step to the start of each step, and to the end of the last."""
    return np.concatenate([[0], np.cumsum(watts)]) * STEP


def _cumulative(watts: Ints, sums: Ints, first: int, seconds: Any) -> Any:
    """Energy from the first step to some seconds: whole steps, then the rest in proportion."""
    step = seconds // STEP
    at = np.asarray(step - first).astype(np.int64)
    inside = np.minimum(at, len(watts) - 1)
    return sums[at] + watts[inside] * (seconds - step * STEP) * (at == inside)
