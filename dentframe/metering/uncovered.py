"""What the candidates of a peak leave uncovered, and the register's mean power in it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dentframe.metering.cumulative import Cumulative, share
from dentframe.metering.glitches import HOUR

if TYPE_CHECKING:
    from dentframe.metering.rows import Floats, Ints


@dataclass(frozen=True)
class Rest:
    """What is left of each period; arrays of shape (periods,).

    Attributes
    ----------
    coverage : ndarray of float
        The covered share, 0 to 1; 1 is exactly 1.
    hours : ndarray of float
        The uncovered time [h].
    kw : ndarray of float
        The register's mean power in the part of it that the register knows [kW]; NaN where
        it knows none, or nothing is uncovered.
    """

    coverage: Floats
    hours: Floats
    kw: Floats


def rest(s: Ints, e: Ints, starts: Ints, ends: Ints, register: Cumulative | None) -> Rest:
    """What intervals ``[s, e)``, which may overlap, leave of each period.

    Parameters
    ----------
    s, e : ndarray of int64
        Covered intervals in order of time [us UTC], shape (intervals,).
    starts, ends : ndarray of int64
        Disjoint periods in order [us UTC], shape (periods,).
    register : Cumulative or None
        The register that may know what was used meanwhile.
    """
    a, b, period = _pieces(*_union(s, e), starts, ends)
    covered = _sum(b - a, period, len(starts))
    left = ends - starts - covered
    kw: Floats = np.full(len(starts), np.nan)
    if register is not None:
        whole, time = register.measure(starts, ends)
        part, within = register.measure(a, b)
        energy = np.nan_to_num(whole) - _sum(np.nan_to_num(part), period, len(starts))
        unknown = time - _sum(within, period, len(starts))
        some = (left > 0) & (unknown > 0)
        np.divide(energy, unknown / HOUR, out=kw, where=some)
    return Rest(share(covered, ends - starts), left / HOUR, np.round(kw, 9))


def within(c: Cumulative, other: Cumulative, starts: Ints, ends: Ints) -> tuple[Floats, Ints]:
    """Energy of one series in the time that another covers as well, and that time.

    Returns
    -------
    ndarray of float
        Energy of `c` [kWh], NaN where the two have no time in common; shape (periods,).
    ndarray of int64
        The common time [us].
    """
    a, b, period = _pieces(*_union(other.t[:-1][other.ok], other.t[1:][other.ok]), starts, ends)
    part, time = c.measure(a, b)
    energy = _sum(np.nan_to_num(part), period, len(starts))
    both = _sum(time, period, len(starts))
    return np.where(both > 0, energy, np.nan), both


def _union(s: Ints, e: Ints) -> tuple[Ints, Ints]:
    """Overlapping and touching intervals as one."""
    if len(s) == 0:
        return s, e
    reach = np.maximum.accumulate(e)
    new = np.concatenate(([True], s[1:] > reach[:-1]))
    first = np.flatnonzero(new)
    return s[first], reach[np.append(first[1:], len(s)) - 1]


def _pieces(s: Ints, e: Ints, starts: Ints, ends: Ints) -> tuple[Ints, Ints, Ints]:
    """Disjoint intervals cut at the periods' edges, and the period of each piece."""
    first = np.searchsorted(ends, s, side="right")
    last = np.searchsorted(starts, e, side="left")
    count = np.maximum(last - first, 0)
    which = np.repeat(np.arange(len(s)), count)
    offset = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
    period = first[which] + offset
    return np.maximum(s[which], starts[period]), np.minimum(e[which], ends[period]), period


def _sum(values: Any, period: Ints, n: int) -> Any:
    total = np.zeros(n, dtype=values.dtype)
    np.add.at(total, period, values)
    return total
