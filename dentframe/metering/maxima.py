"""The peaks of one series after another, with what they leave uncovered. Pure, on arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dentframe.instants import local
from dentframe.metering import blocks
from dentframe.metering.flags import Flag
from dentframe.metering.glitches import HOUR
from dentframe.metering.ranking import Candidates, highest, known
from dentframe.metering.sources import REGISTER
from dentframe.metering.study import Study, registers_of
from dentframe.metering.uncovered import Rest, rest

if TYPE_CHECKING:
    import datetime as dt

    from dentframe.metering.blocks import Cut
    from dentframe.metering.cumulative import Cumulative
    from dentframe.metering.rows import Ints

_OF_EDGES = int(Flag.EDGE_INTERPOLATED | Flag.EDGE_IN_GAP)


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
    of: Study,
    how: Cut | None,
    *,
    n: int = 1,
    per_day: bool = False,
    only: Cumulative | None = None,
) -> list[Peaks]:
    """The peaks of every series of a study.

    Parameters
    ----------
    of : Study
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
    cuts = None if how is None else blocks.span(how, of.s, of.e, of.tz)
    if only is not None:
        return [_of_series(of, only, cuts, {}, n, per_day)]
    registers = registers_of(of.frame, of.asked, _register_topic(of))
    return [_of_series(of, c, cuts, registers, n, per_day) for c in of.series]


def _register_topic(of: Study) -> str:
    return "kVAHNet" if of.wanted.result == "ApparentDemand" else REGISTER


def _of_series(
    of: Study,
    c: Cumulative,
    cuts: tuple[Ints, Ints] | None,
    registers: dict[Any, Cumulative],
    n: int,
    per_day: bool,
) -> Peaks:
    if cuts is None:
        found = reported(c, of.s, of.e, of.interval(c))
        cover = c.t[:-1][c.ok], c.t[1:][c.ok]
    else:
        kw = blocks.means(c, *cuts, of.interval(c))
        found = known(*cuts, kw, blocks.owner(*cuts, of.s, of.e))
        cover = found.s, found.e
    day = _days(found.e, of.tz) if per_day else None
    top, rank = highest(found, n, day)
    register = registers.get((c.meter, c.element))
    return Peaks(c, top, rank, rest(*cover, of.s, of.e, register))


def reported(c: Cumulative, starts: Ints, ends: Ints, interval: int) -> Candidates:
    """The meter's own means, each in the period ``(start, end]`` that holds its end."""
    if len(starts) == 0 or c.source != "demand":
        none = np.empty(0, dtype=np.int64)
        return Candidates(none, none, np.empty(0), none)
    p = np.searchsorted(starts, c.at, side="left") - 1
    held = (p >= 0) & (c.at <= ends[np.maximum(p, 0)])
    return known(c.at - interval, c.at, c.readings, np.where(held, p, -1))


def _days(ends: Ints, tz: dt.tzinfo) -> Ints:
    """The local day that each interval closes in, as days since 1970."""
    walls = local(ends - 1, tz).tz_localize(None).as_unit("us")
    return walls.asi8 // (24 * HOUR)


def flags_in(c: Cumulative, s: Ints, e: Ints) -> Ints:
    """The flag bits of each period, but for those of its edges: a peak is not cut by them."""
    return np.asarray(c.flags_in(s, e) & ~_OF_EDGES)
