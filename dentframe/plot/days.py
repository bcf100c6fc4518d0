"""Blocks laid out by local day and by the time that has passed since its midnight. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dentframe.instants import ints, local, stamp
from dentframe.periods import calendar
from dentframe.plot.subject import runs
from dentframe.registers import MINUTE

if TYPE_CHECKING:
    import datetime as dt

    from dentframe.metering.rows import Floats, Ints

HOUR = 60 * MINUTE


@dataclass(frozen=True)
class Days:
    """A table of rows of equal length by local days of 23, 24 or 25 hours.

    Attributes
    ----------
    edges : ndarray of int64
        The local midnights [us UTC], shape (days + 1,).
    row : int
        Length of a row [us].
    kw : ndarray of float
        Shape (rows, days); row 0 begins at midnight; NaN where nothing is recorded, and where
        there is no such time.
    lost : ndarray of bool
        Where the span has a block that nothing covers, shape (rows, days).
    tz : tzinfo
        The zone of the days.
    """

    edges: Ints
    row: int
    kw: Floats
    lost: np.ndarray
    tz: dt.tzinfo

    @property
    def hours(self) -> Floats:
        """The length of each day [h]."""
        return np.asarray(np.diff(self.edges) / HOUR)

    def boxes(self) -> list[tuple[int, float, float]]:
        """Stretches that are not recorded, as (day, from, to) [hours since midnight]."""
        step = self.row / HOUR
        return [
            (day, a * step, b * step)
            for day in np.flatnonzero(self.lost.any(axis=0)).tolist()
            for a, b in runs(self.lost[:, day])
        ]

    def changes(self) -> list[tuple[int, float, float]]:
        """Days on which the clock changes: (day, hours since midnight, hours gained)."""
        found = []
        for day in np.flatnonzero(self.hours != 24.0).tolist():
            low, high = int(self.edges[day]), int(self.edges[day + 1])
            grid = np.arange(low, high + 1, self.row)
            walls = local(grid, self.tz).tz_localize(None).as_unit("us").asi8
            drift = grid - walls
            i = int(np.argmax(drift != drift[0]))
            found.append((day, (int(grid[i]) - low) / HOUR, float(self.hours[day] - 24.0)))
        return found


def lay(s: Ints, e: Ints, kw: Floats, tz: dt.tzinfo) -> Days:
    """Lay blocks out by day.

    Parameters
    ----------
    s, e : ndarray of int64
        Blocks in order that cross no local midnight [us UTC], shape (blocks,).
    kw : ndarray of float
        Shape (blocks,); NaN where not wholly covered.
    tz : tzinfo
        The zone of the days.
    """
    first, last = (stamp(int(x)).tz_convert(tz) for x in (s[0], e[-1]))
    edges = ints(calendar("D", first, last, tz))
    day = np.searchsorted(edges, s, side="right") - 1
    a, b = s - edges[day], e - edges[day]
    row = int(np.gcd.reduce(np.concatenate((a, b, np.diff(edges)))))
    table = np.full((int(np.diff(edges).max()) // row, len(edges) - 1), np.nan)
    lost = np.zeros(table.shape, dtype=np.bool_)
    many = (b - a) // row
    block = np.repeat(np.arange(len(s)), many)
    within = np.arange(len(block)) - np.repeat(np.cumsum(many) - many, many)
    where = a[block] // row + within, day[block]
    table[where], lost[where] = kw[block], np.isnan(kw[block])
    return Days(edges, row, table, lost, tz)
