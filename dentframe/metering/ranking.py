"""The highest of many candidates, period by period. Pure, on arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dentframe.metering.blocks import PLACES

if TYPE_CHECKING:
    from dentframe.metering.rows import Floats, Ints

_DAYS = 1 << 24
"""More days than a calendar has: packs a period and a day into one integer."""


@dataclass(frozen=True)
class Candidates:
    """Demands that may be a period's highest, in order of time.

    Attributes
    ----------
    s, e : ndarray of int64
        The interval of each [us UTC], shape (candidates,).
    kw : ndarray of float
        Its mean power [kW].
    period : ndarray of int64
        The position of its period.
    """

    s: Ints
    e: Ints
    kw: Floats
    period: Ints

    def only(self, keep: Ints) -> Candidates:
        """Some of them, by position or mask."""
        return Candidates(self.s[keep], self.e[keep], self.kw[keep], self.period[keep])


def known(s: Ints, e: Ints, kw: Floats, period: Ints) -> Candidates:
    """The candidates that have a value and a period."""
    return Candidates(s, e, kw, period).only(np.flatnonzero((period >= 0) & ~np.isnan(kw)))


def highest(found: Candidates, n: int, day: Ints | None = None) -> tuple[Candidates, Ints]:
    """The n highest of each period, the earliest of equals first.

    Parameters
    ----------
    found : Candidates
        All candidates.
    n : int
        How many of each period.
    day : ndarray of int64, optional
        The local day of each candidate: then at most one of a day.

    Returns
    -------
    Candidates
        By period, then rank.
    ndarray of int64
        Their ranks, from 1.
    """
    if n == 1 or day is not None:
        # Sorting all of a year's candidates costs more than everything else.
        day = np.zeros_like(found.period) if day is None else day
        best = _tops(found, found.period * _DAYS + day)
        found, day = found.only(best), day[best]
    order = _by_height(found)
    if day is not None:
        order = order[_firsts(found.period[order], day[order])]
    rank = _rank(found.period[order])
    keep = rank <= n
    return found.only(order[keep]), rank[keep]


def _tops(found: Candidates, group: Ints) -> Ints:
    """Those that no other of their group exceeds; groups are runs of candidates."""
    if len(group) == 0:
        return group
    kw = np.round(found.kw, PLACES)
    first = np.flatnonzero(np.concatenate(([True], group[1:] != group[:-1])))
    top = np.maximum.reduceat(kw, first)
    sizes = np.diff(np.append(first, len(group)))
    return np.flatnonzero(kw == np.repeat(top, sizes))


def _by_height(found: Candidates) -> Ints:
    falling = np.argsort(-np.round(found.kw, PLACES), kind="stable")
    return falling[np.argsort(found.period[falling], kind="stable")]


def _firsts(period: Ints, day: Ints) -> Ints:
    """The first position of each (period, day), in order."""
    pairs = period * _DAYS + day
    return np.sort(np.unique(pairs, return_index=True)[1])


def _rank(period: Ints) -> Ints:
    """The place of each among those of its period, which lie together; from 1."""
    new = np.concatenate(([True], period[1:] != period[:-1]))[: len(period)]
    first = np.flatnonzero(new)
    return np.asarray(np.arange(len(period)) - first[np.cumsum(new) - 1] + 1)
