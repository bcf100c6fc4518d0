"""The rows of each meter of a frame, counted: what came, what should have come. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dentframe.columns import is_wire, split_element, wire_columns
from dentframe.metering.rows import Ints, Rows, is_several, ranges, rows

if TYPE_CHECKING:
    import pandas as pd

_LATE = 1.5  # times the interval: a longer spacing is a gap, as the cache judges it too


@dataclass(frozen=True)
class Lane:
    """The rows of one meter, those outside the range that was read left out.

    Attributes
    ----------
    t : ndarray of int64
        Distinct instants, rising [us].
    counts : dict
        Wire column to the number of its readings; a meter among several has only columns
        with a reading, for the others need not be its own.
    repeated : int
        Rows that repeat an instant.
    bounds : tuple of int, or None
        The half-open range that was read [us], where the frame tells it.
    """

    t: Ints
    counts: dict[str, int]
    repeated: int
    bounds: tuple[int, int] | None

    @property
    def interval(self) -> int:
        """The median spacing [us]; 0 below two rows."""
        return int(np.median(np.diff(self.t))) if len(self.t) > 1 else 0

    @property
    def expected(self) -> int:
        """How many rows the span should have."""
        if not self.interval:
            return len(self.t)
        if self.bounds is None:
            return round(int(self.t[-1] - self.t[0]) / self.interval) + 1
        return max(round((self.bounds[1] - self.bounds[0]) / self.interval), len(self.t))

    @property
    def lacks(self) -> list[int]:
        """What is missing of each gap between rows and at the ends of the range [us]."""
        if not self.interval:
            return []
        first, last = self.bounds or (int(self.t[0]), int(self.t[-1]))
        steps = np.diff(np.r_[min(first, self.t[0]) - self.interval, self.t, last])
        return [int(x) - self.interval for x in steps[steps > _LATE * self.interval]]

    def there(self, labels: Sequence[str]) -> int:
        """How many readings some columns have."""
        return sum(self.counts.get(x, 0) for x in labels)

    def due(self, labels: Sequence[str]) -> int:
        """How many readings some columns should have."""
        return self.expected * sum(x in self.counts for x in labels)

    def blank(self, labels: Sequence[str]) -> int:
        """Cells without a reading in rows that came, of columns that have any."""
        return sum(len(self.t) - n for n in (self.counts.get(x, 0) for x in labels) if n)


def lanes(frame: pd.DataFrame) -> list[Lane]:
    """The rows of each meter, meters in the order of their names.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns over time, or over (meter, time), shape (readings, columns).

    Raises
    ------
    RangeError
        Where rows have no time.
    """
    labels = wire_columns(frame.columns)
    filled = frame.loc[:, [is_wire(x) for x in frame.columns]].notna().to_numpy()
    several = is_several(frame)
    return [_lane(of, labels, filled, _bounds(frame, of, several), several) for of in rows(frame)]


def _bounds(frame: pd.DataFrame, of: Rows, several: bool) -> tuple[int, int] | None:
    read = ranges(frame)
    mine = [span for key, span in read.items() if not several or split_element(key)[0] == of.meter]
    if not mine:
        return None
    return _us(min(a for a, _ in mine)), _us(max(b for _, b in mine))


def _us(at: pd.Timestamp) -> int:
    return at.value // 1000


def _lane(
    of: Rows,
    labels: Sequence[str],
    filled: npt.NDArray[np.bool_],
    bounds: tuple[int, int] | None,
    several: bool,
) -> Lane:
    cells = filled[of.order]
    repeated = len(cells) - len(of.t)
    if of.first is not None and len(of.first):
        cells = np.logical_or.reduceat(cells, of.first, axis=0)
    inside: Any = slice(None)
    if bounds is not None:
        inside = slice(*np.searchsorted(of.t, bounds).tolist())
    sums = cells[inside].sum(axis=0).tolist()
    counts = {x: n for x, n in zip(labels, sums, strict=True) if n or not several}
    return Lane(of.t[inside], counts, repeated, bounds)
