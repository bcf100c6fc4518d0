"""Decoded pages become one table, and the table a frame, which notes what was read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from dentframe.metering.series import SCHEMA, is_several, merged, micros_of, outermost
from dentframe.times.dates_and_ranges import micros, utc
from dentframe.wire import columns as _columns
from dentframe.wire.pages_and_bad_cells import room

if TYPE_CHECKING:
    from dentframe.cloud.planner import Window
    from dentframe.metering.series import Floats, Run, Side
    from dentframe.times.dates_and_ranges import Ints
    from dentframe.wire.pages_and_bad_cells import Page


US_PER_MINUTE = 60_000_000
RUNS = 50
"""How many runs of doubled readings a column notes; more are joined to the nearest."""


@dataclass(frozen=True)
class Table:
    """Readings of one meter: UTC minutes, sorted and unique, and float64 columns.

    Attributes
    ----------
    columns : tuple of str
        Wire names.
    minutes : numpy.ndarray
        UTC minutes since 1970, int64, shape (rows,).
    values : numpy.ndarray
        float64, shape (rows, columns), column-major.
    conflicts, duplicates : mapping
        Column to the minutes whose cell came twice: with different values, so that it is
        missing, and with the same.
    """

    columns: tuple[str, ...]
    minutes: Ints
    values: Floats
    conflicts: Mapping[str, Ints] = field(default_factory=dict)
    duplicates: Mapping[str, Ints] = field(default_factory=dict)


@dataclass
class ReservedRows:
    """One array for the readings of a meter, in which each window has rows reserved for it.

    A window's readings are put there as they come, so that they are not in memory twice when the
    last one is there. Windows that do not fit what the first one tells, in its columns and in the
    spacing of its rows, keep arrays of their own.

    Attributes
    ----------
    windows : sequence of Window
        Those that are asked for, in order.
    columns : tuple of str
        Those of the first page that came.
    values : numpy.ndarray
        The array, shape (rows, columns).
    places : dict
        Of each window the first of its rows, and the first of those of the next window.
    filled : dict
        Of each window that came its rows of the array.
    """

    windows: Sequence[Window]
    columns: tuple[str, ...] = ()
    values: Floats = field(default_factory=lambda: np.empty((0, 0)))
    places: dict[Window, tuple[int, int]] = field(default_factory=dict)
    filled: dict[Window | None, Floats] = field(default_factory=dict)

    def put(self, page: Page, columns: Sequence[str]) -> Page:
        """The page with its readings in its window's rows, in the order of `columns`.

        It stays as it is where it has a column that the first one lacks, or more rows than fit.
        """
        rows, window = len(page.minutes), page.window
        if not rows or window is None or window in self.filled or {*columns} != {*page.columns}:
            return page
        spacing = int(np.median(np.abs(np.diff(page.minutes)))) if rows > 1 else 0
        if spacing and not self.places and len(self.windows) > 1:
            # A row more than the spacing allows has a place too.
            edges = np.cumsum([0, *(len(w.minutes) // spacing + 2 for w in self.windows)]).tolist()
            with suppress(OSError):  # the system has no room for so many
                self.values, self.columns = room(edges[-1], len(columns)), tuple(columns)
                self.places = dict(zip(self.windows, pairwise(edges), strict=True))
        first, last = self.places.get(window, (0, 0))
        if rows > last - first or {*columns} - {*self.columns}:
            return page
        here = self.filled[window] = self.values[first : first + rows]
        at = {name: i for i, name in enumerate(page.columns)}
        for i, name in enumerate(self.columns):
            here[:, i] = page.values[:, at[name]] if name in at else np.nan
        return replace(page, columns=self.columns, values=here)

    def together(self, pages: Sequence[Page], columns: tuple[str, ...]) -> Floats | None:
        """The readings of these pages, in order of time, where all are in the array; else None.

        They move up over the rows that no reading came for, so that the pages' own are lost.
        """
        pages, last = [page for page in pages if len(page.minutes)], 0
        if columns != self.columns or any(
            page.values is not self.filled.get(page.window) for page in pages
        ):
            return None
        for page in pages:
            first, last = last, last + len(page.minutes)
            if page.window is not None and first < self.places[page.window][0]:
                self.values[first:last] = page.values
        return self.values[:last]


def join(
    pages: Sequence[Page], columns: Sequence[str], reserved: ReservedRows | None = None
) -> Table:
    """Join pages into one table: rows sorted, identical duplicates dropped.

    Parameters
    ----------
    pages : sequence of Page
        In any order; each holds rows of its own window.
    columns : sequence of str
        The columns wanted, in order; a column that a page lacks is NaN there. A page that
        nothing else holds is let go as soon as its readings have their place.
    reserved : ReservedRows, optional
        Where their readings may be already; no other table can be made of it.

    Returns
    -------
    Table
        Where two rows of one minute disagree in a cell, that cell is NaN and counted.
    """
    pages = sorted(pages, key=lambda p: int(p.minutes[0]) if len(p.minutes) else 0)
    columns = tuple(columns)
    if len(pages) == 1 and pages[0].columns == columns:
        minutes, values = pages[0].minutes, pages[0].values
    else:
        minutes = np.concatenate([np.empty(0, np.int64), *(p.minutes for p in pages)])
        there = reserved.together(pages, columns) if reserved else None
        values = _below_each_other(pages, columns) if there is None else there
        pages, reserved, there = [], None, None  # so that only `values` holds what is replaced
    if (minutes[1:] > minutes[:-1]).all():
        return Table(columns, minutes, values)
    if (minutes[1:] < minutes[:-1]).any():
        order = np.argsort(minutes, kind="stable")
        minutes, values = minutes[order], _rows_of(values, order)
    starts = np.flatnonzero(np.r_[True, np.diff(minutes) != 0])
    counts = np.diff(starts, append=len(minutes))
    twice = counts > 1
    if not twice.any():
        return Table(columns, minutes, values)
    those = values[np.repeat(twice, counts)]
    once, differ, same = merged(those, np.cumsum(counts[twice]) - counts[twice])
    minutes, values = minutes[starts], _rows_of(values, starts)
    values[twice], at = once, minutes[twice]
    conflicts, duplicates = (
        {c: at[mask[:, i]] for i, c in enumerate(columns) if mask[:, i].any()}
        for mask in (differ, same)
    )
    return Table(columns, minutes, values, conflicts, duplicates)


def _rows_of(values: Floats, rows: Ints) -> Floats:
    """Some rows of an array, column by column: nothing is in memory more than twice."""
    found = room(len(rows), values.shape[1])
    for i in range(values.shape[1]):
        found[:, i] = values[rows, i]
    return found


def _below_each_other(parts: list[Page] | list[Table], columns: Sequence[str]) -> Floats:
    """The readings of parts; each is let go as soon as its readings have their place."""
    values, first = room(sum(len(part.minutes) for part in parts), len(columns)), 0
    while parts:
        part = parts.pop(0)
        first, last = first + len(part.minutes), first
        at = {name: i for i, name in enumerate(part.columns)}
        for i, name in enumerate(columns):
            values[last:first, i] = part.values[:, at[name]] if name in at else np.nan
        del part
    return values


def clip(table: Table, start: pd.Timestamp, end: pd.Timestamp, *, bracket: bool = False) -> Table:
    """Rows in ``[start, end)``; with `bracket` also the nearest one outside each edge.

    The bracketing reading before `start` is looked for in the UTC day of the instant before
    it, the one after `end` in the UTC day of `end`: no further, whatever was at hand. Where
    it lacks cells, the rows of its own hour that have them come too: each element has an edge.
    """
    low, high = first_minute(start), first_minute(end)
    first = int(np.searchsorted(table.minutes, low))
    last = int(np.searchsorted(table.minutes, high))
    if bracket and before(table, start):
        hour = int(np.searchsorted(table.minutes, (low - 1) // 60 * 60))
        first -= _rows_needed(table.values[min(hour, first - 1) : first][::-1])
    if bracket and after(table, end):
        hour = int(np.searchsorted(table.minutes, high // 60 * 60 + 60))
        last += _rows_needed(table.values[last : max(hour, last + 1)])
    return replace(table, minutes=table.minutes[first:last], values=table.values[first:last])


def _rows_needed(values: Floats) -> int:
    """How many of these rows, nearest first, until no further one gives a column its first value.

    The rows of the neighbouring hour only: they are always read, so that what comes back does
    not depend on what else was at hand.
    """
    given = ~np.isnan(values)
    nearest = np.argmax(given, axis=0)[given.any(axis=0)]
    return int(nearest.max(initial=0)) + 1


def before(table: Table, start: pd.Timestamp) -> bool:
    """Whether the table holds a reading that brackets `start` from before."""
    low = first_minute(start)
    at = int(np.searchsorted(table.minutes, low)) - 1
    return at >= 0 and bool(table.minutes[at] // 1440 == (low - 1) // 1440)


def after(table: Table, end: pd.Timestamp) -> bool:
    """Whether the table holds a reading that brackets `end` from after, or at it."""
    high = first_minute(end)
    at = int(np.searchsorted(table.minutes, high))
    return at < len(table.minutes) and bool(table.minutes[at] // 1440 == high // 1440)


def first_minute(instant: pd.Timestamp) -> int:
    """The first whole UTC minute at or after an instant."""
    return -(-micros(instant) // US_PER_MINUTE)


def to_frame(table: Table, *, shared: bool = True) -> pd.DataFrame:
    """The table as a frame: index ``time`` in UTC, float64 columns of wire names.

    Where the table is not `shared` with anything that lives on, the frame takes its memory, unless
    more than a quarter of what was read was cut off: it would be kept with it.
    """
    values, whole = table.values, cast("Any", table.values.base)
    copy = shared or (whole is not None and values.nbytes < 0.75 * whole.nbytes)
    columns = pd.Index(table.columns, dtype=object)
    index = _times(table.minutes, out=None if copy else table.minutes)
    return pd.DataFrame(values, index=index, columns=columns, copy=copy)


def _times(minutes: Ints, out: Ints | None = None) -> pd.DatetimeIndex:
    us = np.multiply(minutes, US_PER_MINUTE, out=out)
    return pd.DatetimeIndex(us, dtype=pd.DatetimeTZDtype("us", "UTC"), name="time", copy=False)


def frame_of(pages: Sequence[Page], topics: Sequence[str]) -> pd.DataFrame:
    """The readings of some topics in the pages of one meter, as a frame."""
    return to_frame(join(pages, wanted_columns(pages, topics)))


def stack(tables: dict[str, Table], topics: Sequence[str]) -> pd.DataFrame:
    """Tables of several meters as one frame under an index ``meter, time``.

    Parameters
    ----------
    tables : dict
        Meter to table, in the order wanted. It is emptied, so that no reading is there twice.
    topics : sequence of str
        The order of topics among the columns.
    """
    names, parts = list(tables), list(tables.values())
    tables.clear()
    wanted = _columns.ordered(dict.fromkeys(c for t in parts for c in t.columns), topics)
    minutes = np.concatenate([t.minutes for t in parts])
    unique, codes = np.unique(minutes, return_inverse=True)
    owners = np.repeat(np.arange(len(parts)), [len(t.minutes) for t in parts])
    index = pd.MultiIndex(
        levels=cast("Any", [pd.Index(names, dtype=object), _times(unique)]),
        codes=cast("Any", [owners, codes]),
        names=["meter", "time"],
    )
    values = _below_each_other(parts, wanted)
    return pd.DataFrame(values, index=index, columns=pd.Index(wanted, dtype=object), copy=False)


def wanted_columns(
    pages: Iterable[Page], topics: Sequence[str], *, everything: bool = False
) -> list[str]:
    """The columns of the pages that were asked for, in order."""
    found = dict.fromkeys(c for page in pages for c in page.columns)
    kept = [c for c in found if everything or _columns.parse(c).topic in topics]
    return _columns.ordered(kept, topics)


def note(
    units: Mapping[str, str],
    ranges: Mapping[str, tuple[pd.Timestamp, pd.Timestamp]],
    rows: pd.DataFrame | Mapping[str, Sequence[Side] | None],
    *,
    elements: Mapping[str, Sequence[str] | None] = {},
    conflicts: Mapping[str, Mapping[str, Sequence[Run]]] = {},
    duplicates: Mapping[str, Mapping[str, Sequence[Run]]] = {},
) -> dict[str, Any]:
    """What a read notes of itself, small and JSON-safe.

    Parameters
    ----------
    units : mapping
        Topic to unit, as getTopics said.
    ranges : mapping
        Meter to the half-open range that was asked for.
    rows : pandas.DataFrame or mapping
        What was read, or meter to its first and last row [us UTC]; a side of None is never
        believed.
    elements : mapping
        Meter to the elements that were asked for by name, if any were.
    conflicts, duplicates : mapping
        Meter to column to the runs of rows that came twice, with different values and the same.
    """
    if isinstance(rows, pd.DataFrame):
        ends = outermost(rows)
        rows = ends if is_several(rows) else {m: ends[""] for m in ranges if ends}
    sides = {m: rows.get(m) for m in ranges}
    named = {m: list(x) for m, x in elements.items() if x is not None}
    return {
        "schema": SCHEMA,
        "units": dict(units),
        "ranges": {m: [iso(micros_of(side)) for side in x] for m, x in ranges.items()},
        "rows": {m: None if x is None else [*map(iso, x)] for m, x in sides.items()},
        "conflicts": _as_text(conflicts),
        "duplicates": _as_text(duplicates),
        **({"elements": named} if named else {}),
    }


def _as_text(found: Mapping[str, Mapping[str, Sequence[Run]]]) -> dict[str, dict[str, Any]]:
    """Runs as text; columns with the same runs share one list, which is copied once."""
    shared: dict[tuple[Run, ...], list[Any]] = {}

    def text(runs: Sequence[Run]) -> list[Any]:
        return shared.setdefault(tuple(runs), [[iso(a), iso(b), n] for a, b, n in runs])

    whole = {m: {c: text(r) for c, r in columns.items() if r} for m, columns in found.items()}
    return {m: columns for m, columns in whole.items() if columns}


@lru_cache(maxsize=1024)  # a call notes the same instants more than once
def iso(us: Side) -> str | None:
    """Microseconds UTC as ISO 8601 text."""
    return None if us is None else utc(us).isoformat()


def runs(at: Ints, among: Ints) -> list[Run]:
    """Instants of rows as runs of rows that follow each other, at most `RUNS` of them.

    Parameters
    ----------
    at : ndarray of int64
        The instants of some rows, rising.
    among : ndarray of int64
        The instants of all rows, rising.
    """
    if not len(at):
        return []
    breaks = np.flatnonzero(np.diff(np.searchsorted(among, at)) > 1)
    edges = [-1, *breaks.tolist(), len(at) - 1]
    return fewer([(int(at[a + 1]), int(at[b]), b - a) for a, b in pairwise(edges)])


def fewer(found: Iterable[Run]) -> list[Run]:
    """Runs in order of time, the nearest of them joined where there are more than `RUNS`."""
    runs = sorted(set(found))
    if len(runs) <= RUNS:
        return runs
    pauses = np.array([b[0] - a[1] for a, b in pairwise(runs)])
    breaks = np.sort(np.argsort(pauses, kind="stable")[-(RUNS - 1) :])
    edges = [0, *(breaks + 1).tolist(), len(runs)]
    groups = [runs[a:b] for a, b in pairwise(edges)]
    return [(g[0][0], max(x[1] for x in g), sum(x[2] for x in g)) for g in groups]
