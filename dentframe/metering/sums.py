"""Signed sums of energy figures, with coverage, status, bounds and flags. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from dentframe.metering.cumulative import STATUSES
from dentframe.metering.figures import detail_of
from dentframe.metering.flags import Flag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dentframe.metering.figures import Figures
    from dentframe.metering.series import Floats, Ints

_TINY = 1e-9
"""Differences of floats below this are no negative residual [kWh]."""


@dataclass(frozen=True)
class Sum:
    """The figures of a virtual meter, or of a part of one; arrays have shape (periods,).

    Attributes
    ----------
    name, source : str
        What it is, and what it was made from.
    starts, ends : ndarray of int64
        The periods [us UTC].
    energy, lo, hi : ndarray of float
        [kWh], NaN where missing or unbounded.
    coverage : ndarray of float
        0 to 1.
    status, flags : ndarray of int64
        A position in `STATUSES`; flag bits.
    readings, expected : ndarray of int64
        How many there are, and should be.
    """

    name: str
    starts: Ints
    ends: Ints
    energy: Floats
    coverage: Floats
    status: Ints
    lo: Floats
    hi: Floats
    flags: Ints
    readings: Ints
    expected: Ints
    source: str


def part_of(f: Figures, interval: int) -> Sum:
    """An element as a part; `interval` is that of its readings [us]."""
    told = detail_of(f, interval)
    return Sum(
        name=f.of.name,
        starts=f.starts,
        ends=f.ends,
        source=f.of.source,
        **{
            k: told[k]
            for k in ("energy", "coverage", "status", "lo", "hi", "flags", "readings", "expected")
        },
    )


def missing(s: Ints, e: Ints) -> Sum:
    """A part of which there is no reading at all."""
    none, zero = np.full(len(s), np.nan), np.zeros(len(s), dtype=np.int64)
    worst = np.full(len(s), STATUSES.index("missing"))
    return Sum("", s, e, none, np.zeros(len(s)), worst, none, none, zero, zero, zero, "")


def add(name: str, factors: Sequence[float], of: Sequence[Sum]) -> Sum:
    """The signed sum of parts, with the worst of their coverage and status.

    Parameters
    ----------
    name : str
        The virtual meter.
    factors : sequence of float
        One per part.
    of : sequence of Sum
        The parts, over the same periods.
    """
    weights = np.array(factors)[:, None]
    lo, hi = np.stack([p.lo for p in of]), np.stack([p.hi for p in of])
    energy = (weights * np.stack([p.energy for p in of])).sum(axis=0)
    coverage = np.stack([p.coverage for p in of]).min(axis=0)
    flags = np.bitwise_or.reduce(np.stack([p.flags for p in of]), axis=0)
    flags = flags | np.where(energy < -_TINY, int(Flag.NEGATIVE_RESIDUAL), 0)
    readings, expected = _fewest(of)
    return Sum(
        name=name,
        starts=of[0].starts,
        ends=of[0].ends,
        energy=energy,
        coverage=coverage,
        status=np.stack([p.status for p in of]).max(axis=0),
        lo=(weights * np.where(weights > 0, lo, hi)).sum(axis=0),
        hi=(weights * np.where(weights > 0, hi, lo)).sum(axis=0),
        flags=flags,
        readings=readings,
        expected=expected,
        source=_source([p.source for p in of]),
    )


def _fewest(of: Sequence[Sum]) -> tuple[Ints, Ints]:
    """Readings and expected readings of the part that lacks most, in each period."""
    readings = np.stack([p.readings for p in of])
    expected = np.stack([p.expected for p in of])
    worst = (readings / np.maximum(expected, 1)).argmin(axis=0)
    every = np.arange(readings.shape[1])
    return readings[worst, every], expected[worst, every]


def _source(sources: Sequence[str]) -> str:
    known = {x for x in sources if x}
    return known.pop() if len(known) == 1 else "mixed"


def withheld(x: Sum, least: float) -> Sum:
    """Without the figures whose coverage is below a share."""
    where = x.coverage < least
    energy, lo, hi = (np.where(where, np.nan, v) for v in (x.energy, x.lo, x.hi))
    return replace(x, energy=energy, lo=lo, hi=hi)
