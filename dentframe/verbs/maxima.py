"""The module finds the highest of many demands in each period, and what they leave uncovered.

`peaks`, `load_factor` and bills ask it for peaks; `coincident` for the peak of a sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dentframe.metering import blocks
from dentframe.metering.blocks import PLACES
from dentframe.metering.cumulative import Cumulative, share
from dentframe.metering.steps import HOUR
from dentframe.times.ranges import local
from dentframe.verbs.inputs import REGISTER, Inputs
from dentframe.verbs.pairs import registers_of

if TYPE_CHECKING:
    import datetime as dt

    from dentframe.metering.blocks import Cut
    from dentframe.metering.series import Floats, Ints
    from dentframe.metering.steps import Bools


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

    def only(self, keep: Ints | Bools) -> Candidates:
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
        best = _tops(found, found.period if day is None else found.period * _DAYS + day)
        found, day = found.only(best), None if day is None else day[best]
    order = _by_height(found)
    if day is not None:
        order = order[_firsts(found.period[order], day[order])]
    rank = _rank(found.period[order])
    keep = rank <= n
    return found.only(order[keep]), rank[keep]


def _tops(found: Candidates, group: Ints) -> Ints:
    """Those that none of their group exceeds by more than rounding; groups are runs."""
    if len(group) == 0:
        return group
    first = np.flatnonzero(np.concatenate(([True], group[1:] != group[:-1])))
    sizes = np.diff(np.append(first, len(group)))
    least = np.maximum.reduceat(found.kw, first) - 10.0 ** (1 - PLACES)
    return np.flatnonzero(found.kw >= np.repeat(least, sizes))


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
    a, b, period = covered_pieces(other, starts, ends)
    part, time = c.measure(a, b)
    energy = _sum(np.nan_to_num(part), period, len(starts))
    both = _sum(time, period, len(starts))
    return np.where(both > 0, energy, np.nan), both


def covered_pieces(c: Cumulative, starts: Ints, ends: Ints) -> tuple[Ints, Ints, Ints]:
    """The stretches that a series covers, cut at the periods' edges, and the period of each."""
    return _pieces(*c.stretches(), starts, ends)


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


@dataclass(frozen=True)
class Peaks:
    """The peaks of one series; arrays of shape (periods,) but for `top` and `rank`.

    Attributes
    ----------
    of : Cumulative
        The series.
    top : Candidates
        The highest of each period, by period and rank.
    rank : ndarray of int64
        The rank of each.
    rest : Rest
        What the candidates leave uncovered.
    """

    of: Cumulative
    top: Candidates
    rank: Ints
    rest: Rest


def measured(
    of: Inputs,
    how: Cut | None,
    *,
    n: int = 1,
    per_day: bool = False,
    only: Cumulative | None = None,
) -> list[Peaks]:
    """The peaks of every series of a verb.

    Parameters
    ----------
    of : Inputs
        Series and periods.
    how : Cut or None
        Blocks or rolling windows; None for the meter's own intervals.
    n : int
        How many of each period.
    per_day : bool
        At most one of each local day.
    only : Cumulative, optional
        One of the series, without what the registers know of its uncovered time.
    """
    if only is not None:
        return [_of_series(of, only, how, {}, n, per_day)]
    registers = registers_of(of.frame, of.keywords, _register_topic(of))
    return [_of_series(of, c, how, registers, n, per_day) for c in of.series]


def _register_topic(of: Inputs) -> str:
    return "kVAHNet" if of.source.result == "ApparentDemand" else REGISTER


def _of_series(
    of: Inputs,
    c: Cumulative,
    how: Cut | None,
    registers: dict[Any, Cumulative],
    n: int,
    per_day: bool,
) -> Peaks:
    if how is None:
        found = reported(c, of.s, of.e, of.interval(c))
        cover = c.stretches()
    else:
        cuts = blocks.span(how, of.s, of.e, of.tz)
        kw = blocks.means(c, *cuts, of.interval(c))
        found = known(*cuts, kw, blocks.owner(*cuts, of.s, of.e))
        cover = found.s, found.e
        found = found.only(blocks.of_full_length(how, *cover))
    day = _days(found.e, of.tz) if per_day else None
    top, rank = highest(found, n, day)
    register = registers.get((c.meter, c.element))
    return Peaks(c, top, rank, rest(*cover, of.s, of.e, register))


def reported(c: Cumulative, starts: Ints, ends: Ints, interval: int) -> Candidates:
    """The meter's own means, each in the period ``(start, end]`` that holds its end."""
    if len(starts) == 0 or c.source != "demand":
        none = np.empty(0, dtype=np.int64)
        return Candidates(none, none, np.empty(0), none)
    first, last = np.searchsorted(c.at, (starts, ends), side="right")
    period = np.repeat(np.arange(len(starts)), last - first)
    k: Any = slice(first[0], last[-1])
    if len(period) != last[-1] - first[0]:  # the periods do not follow each other
        k = np.concatenate([np.arange(a, b) for a, b in zip(first, last, strict=True)])
    e = c.at[k]
    return Candidates(e - interval, e, c.readings[k], period)


def _days(ends: Ints, tz: dt.tzinfo) -> Ints:
    """The local day that each interval closes in, as days since 1970."""
    walls = local(ends - 1, tz).tz_localize(None).as_unit("us")
    return walls.asi8 // (24 * HOUR)


def flags_in(c: Cumulative, s: Ints, e: Ints) -> Ints:
    """The flag bits of each period, but for those of its edges: a peak is not cut by them."""
    return c.flags_in(s, e, of_edges=False)
