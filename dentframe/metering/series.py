"""A frame becomes one clean series of readings per meter, element and topic here.

A read leaves a note in ``frame.attrs["dentcloud"]`` (schema 2): units, the range asked for and
the first and last row of each meter, and where readings came twice. pandas copies the note
whatever is done to the frame. So a range is believed only on a side whose outermost row is
still the one that was read: what was sliced, joined, shifted or resampled has its span from its
own rows, and no reading is dropped for a range that is no longer the frame's.

The rows of each meter come in time order. Equal rows of one instant become one, conflicting ones
become missing, blanks are taken out and remembered, and values are plain floats in the topic's
own unit (kWh, kW, ...). What was done to a reading stays with the series as a mark: an instant
and its flags. Flags are bits inside, and sorted names where a user sees them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntFlag
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from dentframe.errors import ConfigError, RangeError
from dentframe.times.dates_and_ranges import ints, micros, stamp
from dentframe.wire import columns as _columns
from dentframe.wire.columns import ATTRS, ELEMENT, Column, full_name, numbers, parse
from dentframe.wire.topics import TOPICS


class Flag(IntFlag):
    """What bears on a figure. Names in lower case are what users see."""

    AMBIGUOUS_FALL = 1 << 0
    CONFLICTING_DUPLICATE = 1 << 1
    DECREASE_UNCLASSIFIED = 1 << 2
    DUPLICATE_DROPPED = 1 << 3
    EDGE_IN_GAP = 1 << 4
    EDGE_INTERPOLATED = 1 << 5
    EXPORT = 1 << 6
    GAP_BRIDGED = 1 << 7
    GLITCH = 1 << 8
    METER_SWAP = 1 << 9
    MISSING_VALUE = 1 << 10
    NEGATIVE_RESIDUAL = 1 << 11
    RESET = 1 << 12
    ROLLOVER = 1 << 13
    UNEXPLAINED_DECREASE = 1 << 14
    UNEXPLAINED_JUMP = 1 << 15
    CORRECTED = 1 << 16
    AGREED = 1 << 17
    REBLOCKED = 1 << 18


ESTIMATES = Flag.RESET | Flag.AMBIGUOUS_FALL | Flag.EDGE_IN_GAP | Flag.AGREED
"""Flags that make a wholly covered figure an estimate."""


@lru_cache(maxsize=1024)
def names(bits: int) -> tuple[str, ...]:
    """The flags of a bit pattern, sorted.

    Examples
    --------
    >>> names(Flag.RESET | Flag.GLITCH)
    ('glitch', 'reset')
    """
    return tuple(sorted(str(f.name).lower() for f in Flag if bits & f))


SCHEMA = 2
"""Of the note that a read leaves in ``frame.attrs["dentcloud"]``."""
Side: TypeAlias = int | None
Run: TypeAlias = tuple[int, int, int]
_NO_ROW = -2
"""The code of a meter that was read and returned nothing; no row has it."""
_TURNED_AT_ONCE = 1024
"""How many rows of a block are turned at a time, so that the cache holds them."""
_STEPS_AT_ONCE = 16384
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def time_index(frame: pd.DataFrame) -> pd.DatetimeIndex:
    """The frame's times, row by row, whether it holds one meter or several.

    Raises
    ------
    RangeError
        Where the index has no times, or some row has none.
    """
    index = frame.index
    if isinstance(index, pd.MultiIndex):
        index = index.get_level_values(1 - meter_level(index))
    if not isinstance(index, pd.DatetimeIndex):
        kind = "text" if isinstance(index.dtype, pd.StringDtype) else str(index.dtype)
        use = "df.index = pd.to_datetime(df.index, utc=True)"
        if "time" in frame.columns:
            use = 'df = df.set_index(pd.to_datetime(df["time"], utc=True))'
        elif {"element", "start"} <= {*frame.columns}:
            use = "the frame of readings: these are rows that a verb answered"
        elif isinstance(index, pd.RangeIndex):
            use = "df.set_index(...) with a column of times"
        raise RangeError(
            f"Cannot find the times of this frame: its index, {type(index).__name__}, is of "
            f"{kind}; it must be a DatetimeIndex (or a MultiIndex of meter and time). Use {use}."
        )
    if index.hasnans:
        raise RangeError(
            f"Cannot place {int(np.sum(index.isna()))} of {len(index)} rows: they have no time. "
            "Drop them first, e.g. df[df.index.notna()]."
        )
    return index


def meter_level(index: pd.MultiIndex) -> int:
    """Which of the two levels of an index holds the meters; the other one holds the times."""
    levels = [i for i, x in enumerate(index.levels) if isinstance(x, pd.DatetimeIndex)]
    if index.nlevels != 2 or len(levels) != 1:
        raise RangeError(
            f"Cannot read an index of levels {list(index.names)}: the rows of several meters "
            "need exactly two levels, meter and time."
        )
    return 1 - levels[0]


def is_several(frame: pd.DataFrame) -> bool:
    """Whether rows carry their meter: a MultiIndex (meter, time)."""
    return isinstance(frame.index, pd.MultiIndex)


def meter_codes(frame: pd.DataFrame) -> tuple[Ints, dict[str, int]]:
    """Each row's meter as a code, and the code of each meter that has rows."""
    index: Any = frame.index
    level = meter_level(index)
    codes = np.asarray(index.codes[level])
    return codes, {str(index.levels[level][i]): i for i in np.unique(codes).tolist() if i >= 0}


def note_of(frame: pd.DataFrame) -> Mapping[str, Any]:
    """What a read noted in the frame's attrs; nothing where the note is of schema 1."""
    note = frame.attrs.get(ATTRS)
    return note if isinstance(note, Mapping) and note.get("schema") == SCHEMA else {}


def spans(frame: pd.DataFrame) -> dict[str | None, tuple[Side, Side]]:
    """The meters of a frame, and the range that was read of each, as far as it is believed.

    Returns
    -------
    dict
        Meter to start and end [us UTC], each None where nothing tells it or the outermost row
        on that side is not the one that was read. A meter that was read and returned nothing
        is among them. A frame of one meter has one item; None is the meter that nothing names.
    """
    note, several = note_of(frame), is_several(frame)
    ranges, rows = (
        {m: x and (micros_of(x[0]), micros_of(x[1])) for m, x in (note.get(key) or {}).items()}
        for key in ("ranges", "rows")
    )
    if not ranges and not several:
        return {None: (None, None)}
    ends = outermost(frame)
    meters = sorted({*ends, *(m for m in ranges if rows.get(m) is None)}) if several else ranges
    believed, nothing = dict[str | None, tuple[Side, Side]](), (None, None)
    for m in meters:
        own, noted = ends.get(m if several else "") or nothing, rows.get(m) or nothing
        sides = zip(ranges.get(m) or nothing, own, noted, strict=True)
        start, end = (side if its == read else None for side, its, read in sides)
        believed[m] = start, end
    if several or len(ranges) == 1:
        return believed
    # One meter of a read of several, by .loc: its rows tell which, unless others have the same.
    same = [m for m in ranges if "" in ends and rows.get(m) == ends[""]]
    low, high = ({*side} - {None} for side in zip(*believed.values(), strict=True))
    only = [found.pop() if len(found) == 1 else None for found in (low, high)]
    return {same[0] if len(same) == 1 else None: (only[0], only[1])}


def outermost(frame: pd.DataFrame) -> dict[str, tuple[int, int]]:
    """The first and last instant [us] of each meter that has rows; ``""`` is a single one."""
    try:
        times = ints(time_index(frame))
    except RangeError:  # where there are no times there is nothing to believe
        return {}
    if not len(times):
        return {}
    if not is_several(frame):
        return {"": (int(times.min()), int(times.max()))}
    codes, names = meter_codes(frame)
    by_code = pd.Series(times).groupby(codes)
    low, high = by_code.min(), by_code.max()
    return {name: (int(low[i]), int(high[i])) for name, i in names.items()}


@lru_cache(maxsize=1024)
def micros_of(time: Any) -> Any:
    """A time of a note as microseconds UTC; None for one that is not known.

    Kept, because a call reads its note more than once.
    """
    if time is None:
        return None
    at = pd.Timestamp(time)
    return micros(at.tz_localize("UTC") if at.tzinfo is None else at)


def span_of(
    frame: pd.DataFrame, readings: Iterable[tuple[str | None, int, int]]
) -> tuple[pd.Timestamp | None, pd.Timestamp | None]:
    """The span of a frame: the range that was read, else the time that its readings cover.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns over time or (meter, time).
    readings : iterable of (meter, first, last)
        What each column that has readings covers [us UTC].
    """
    believed, times = spans(frame), time_index(frame)
    covered = [(m, ends) for m, *ends in readings]
    sides: list[pd.Timestamp | None] = []
    for i, furthest in enumerate((min, max)):
        sides_read = [span[i] for span in believed.values()]
        own = [ends[i] for m, ends in covered if believed.get(m, (None, None))[i] is None]
        known = [x for x in [*sides_read, *own] if x is not None]
        outer = (times.min, times.max)[i]
        sides.append(stamp(furthest(known)) if known else outer() if len(times) else None)
    return sides[0], sides[1]


def own_name(frame: pd.DataFrame) -> str | None:
    """The meter of a frame whose rows do not carry it; None where nothing names it."""
    return next(iter(spans(frame)))


def meters_of(frame: pd.DataFrame) -> list[str]:
    """The meters of a frame, in the order of their names, as far as it names them.

    One that was read and returned nothing is among them: it is missing, not absent.
    """
    return [m for m in spans(frame) if m is not None]


def named_elements(frame: pd.DataFrame) -> set[tuple[str, str]]:
    """The elements that were read by their ids (``P1_A``), as (meter, element)."""
    named = note_of(frame).get("elements") or {}
    return {(str(m), str(e)) for m, elements in named.items() for e in elements}


def doubled(
    frame: pd.DataFrame, what: str, meter: str | None, columns: Collection[str] | None = None
) -> dict[str, list[Run]]:
    """Where columns had readings twice: the ``"conflicts"`` or ``"duplicates"`` of their read.

    Parameters
    ----------
    frame : pandas.DataFrame
        What was read.
    what : str
        ``"conflicts"`` or ``"duplicates"``.
    meter : str or None
        The meter; None where nothing names it.
    columns : collection of str, optional
        The wire columns that matter; all by default.

    Returns
    -------
    dict of str to list of (first, last, count)
        Of each column the first and last instant of each run of rows [us UTC], and how many
        there were.
    """
    of_meter = (note_of(frame).get(what) or {}).get(meter or "") or {}
    return {
        column: [(micros_of(a), micros_of(b), int(n)) for a, b, n in runs]
        for column, runs in of_meter.items()
        if columns is None or column in columns
    }


@dataclass(frozen=True)
class Rows:
    """The rows of one meter in time order.

    Attributes
    ----------
    meter : str or None
        The meter; None where nothing names it.
    t : ndarray of int64
        The distinct instants [us], rising, shape (instants,).
    order : ndarray, slice
        What takes a column's values into time order.
    first : ndarray or None
        Where each distinct instant begins in that order; None where all are distinct.
    spacing : tuple of int
        The shortest and the longest time between two instants [us], 0 where there is one.
    """

    meter: str | None
    t: Ints
    order: Any
    first: Ints | None
    spacing: tuple[int, int]


def least_and_greatest(x: Any) -> tuple[Any, Any]:
    """The least and the greatest step between neighbours, 0 where there is none."""
    # Part by part: for an array of all steps memory is asked of the system, for each series anew.
    piece, ends = np.empty(min(_STEPS_AT_ONCE, len(x)), x.dtype), list[Any]()
    for i in range(0, len(x) - 1, _STEPS_AT_ONCE):
        part = x[i : i + _STEPS_AT_ONCE + 1]
        steps = np.subtract(part[1:], part[:-1], out=piece[: len(part) - 1])
        ends += np.minimum.reduce(steps), np.maximum.reduce(steps)
    return min(ends, default=0), max(ends, default=0)


def rows(frame: pd.DataFrame) -> list[Rows]:
    """The rows of each meter, meters in the order of their names."""
    times, several, found = ints(time_index(frame)), is_several(frame), list[Rows]()
    codes, there = meter_codes(frame) if several else (times, {})
    for meter in spans(frame):
        order: Any = slice(None)
        if several:
            order = np.flatnonzero(codes == there.get(str(meter), _NO_ROW))
            if len(order) and order[-1] - order[0] == len(order) - 1:
                order = slice(int(order[0]), int(order[-1]) + 1)  # a slice spares copies
        t, first = times[order], None
        spacing = least_and_greatest(t)
        if len(t) > 1 and spacing[0] <= 0:
            by_time = np.argsort(t, kind="stable")
            t, order = t[by_time], np.arange(len(times))[order][by_time]
            new = np.append(True, t[1:] > t[:-1])
            first = None if new.all() else np.flatnonzero(new)
            t = t[new]
            spacing = least_and_greatest(t)
        found.append(Rows(meter, t, order, first, spacing))
    return found


NONE: Ints = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class Series:
    """The usable readings of one element's topic.

    Attributes
    ----------
    meter, element, topic : str
        What it is; the meter is None where nothing names it.
    t : ndarray of int64
        Instants of the readings [us UTC], rising, shape (readings,).
    values : ndarray of float
        Finite, in the topic's catalogue unit, shape (readings,).
    mark_t, marks : ndarray of int64
        Instants at which something was noticed, and the flags of each.
    spacing : tuple of float, optional
        No two readings are nearer, no neighbours farther apart [us]; None where nobody looked.
    """

    meter: str | None
    element: str
    topic: str
    t: Ints
    values: Floats
    mark_t: Ints
    marks: Ints
    spacing: tuple[float, float] | None = None

    @property
    def name(self) -> str:
        """How the element is addressed: ``"P482311252_A"``, or ``"A"`` without a meter."""
        return full_name(self.meter, self.element)


def element_columns(frame: pd.DataFrame, topics: Iterable[str]) -> list[tuple[int, Column]]:
    """Position and name of the whole-element columns of some topics, in wire order.

    Raises
    ------
    ConfigError
        Where two columns are the same quantity.
    """
    wanted, seen = set(topics), set[str]()
    found: list[tuple[int, Column]] = []
    for i, label in enumerate(frame.columns):
        column = parse(label) if isinstance(label, str) else Column("")
        if column.scope != ELEMENT or column.topic not in wanted:
            continue
        if column.wire in seen:
            raise ConfigError(
                f"Cannot tell which column is {column.wire!r}: the frame has more than one. "
                "Keep one of them; meters are joined as rows, with dentframe.concat([a, b])."
            )
        seen.add(column.wire)
        found.append((i, column))
    return sorted(found, key=lambda x: _columns.sort_key(x[1]))


def read(
    meters: Sequence[Rows], frame: pd.DataFrame, columns: Sequence[tuple[int, Column]]
) -> list[Series]:
    """Every series of some columns, meter by meter.

    Parameters
    ----------
    meters : sequence of Rows
        The rows of each meter, from `rows`.
    frame : pandas.DataFrame
        Wire-named columns over time or (meter, time), shape (readings, columns); any order,
        duplicates allowed; float or pint columns, or ``[unit]`` labels.
    columns : sequence of (position, Column)
        Of elements and channels, e.g. from `element_columns`.

    Returns
    -------
    list of Series
        One per meter and column, also where every value is blank.

    Raises
    ------
    UnitError
        Where a column's unit cannot become its topic's.
    DecodeError
        Where a column holds text.
    """
    if not columns:
        return []
    at, dtypes, noted = [i for i, _ in columns], list(frame.dtypes), _columns.attrs_units(frame)
    own = {c.topic: TOPICS[c.topic].unit for _, c in columns if c.topic in TOPICS}
    plain: Any
    if all(
        dtypes[i] == np.float64
        and c.topic in own
        and c.unit in {None, own[c.topic]}
        and noted.get(c.topic, own[c.topic]) == own[c.topic]
        for i, c in columns
    ):
        # As one block, which costs less than a column after the other.
        together = at == list(range(at[0], at[0] + len(at)))
        chosen = slice(at[0], at[-1] + 1) if together else at
        whole = chosen == slice(0, len(dtypes))  # the usual case; cutting a frame costs more
        plain = _by_column((frame if whole else frame.iloc[:, chosen]).to_numpy())
    else:
        plain = [numbers(frame, i, c) for i, c in columns]
    found, wanted = [], {column.wire for _, column in columns}
    for m in meters:
        twice = [doubled(frame, what, m.meter, wanted) for what in ("conflicts", "duplicates")]
        for (_, column), values in zip(columns, plain, strict=True):
            found.append(usable(m, column, values, *(x.get(column.wire, ()) for x in twice)))
    return found


def _by_column(values: Floats) -> Floats:
    """The columns of a block one after the other, turned in parts that the cache holds."""
    if values.strides[0] == values.itemsize:
        return values.T
    turned = np.empty(values.shape[::-1])
    for i in range(0, len(values), _TURNED_AT_ONCE):
        turned[:, i : i + _TURNED_AT_ONCE] = values[i : i + _TURNED_AT_ONCE].T
    return turned


def usable(
    meter: Rows,
    column: Column,
    values: Floats,
    conflicts: Sequence[Run] = (),
    duplicates: Sequence[Run] = (),
) -> Series:
    """The usable readings of one column of a meter; blanks and doubles leave marks."""
    v, t, name = values[meter.order], meter.t, (meter.meter, column.id, column.topic)
    finite = np.isfinite(v)
    if meter.first is None and not conflicts and not duplicates:
        if finite.all():
            return Series(*name, t, v, NONE, NONE, meter.spacing)
        missing, apart = t[~finite], (meter.spacing[0], np.inf)  # how far blanks leave them apart
        marks = np.full(len(missing), int(Flag.MISSING_VALUE))
        return Series(*name, t[finite], v[finite], missing, marks, apart)
    marks = np.zeros(len(t), dtype=np.int64)
    if meter.first is not None:
        low, differ, same = merged(np.where(finite, v, np.nan), meter.first)
        blank = np.isnan(low) & (np.diff(meter.first, append=len(v)) > 1)
        marks[same | blank] = Flag.DUPLICATE_DROPPED
        marks[differ] = Flag.CONFLICTING_DUPLICATE
        v, finite = low, ~np.isnan(low)
    runs = [(run, Flag.CONFLICTING_DUPLICATE) for run in conflicts]
    runs += [(run, Flag.DUPLICATE_DROPPED) for run in duplicates]
    for (first, last, _), flag in runs:
        part = slice(*np.searchsorted(t, (first, last + 1)).tolist())
        # A conflict of the read is none where another reading came since.
        there = ~finite[part] if flag == Flag.CONFLICTING_DUPLICATE else slice(None)
        marks[part][there] |= flag
    marks[~finite & (marks & Flag.CONFLICTING_DUPLICATE == 0)] |= Flag.MISSING_VALUE
    marked = np.flatnonzero(marks)
    return Series(*name, t[finite], v[finite], t[marked], marks[marked])


def merged(values: Floats, first: Ints) -> tuple[Floats, Bools, Bools]:
    """One value per instant: equal ones are one, different ones missing; NaN does not count.

    `first` is where the rows of each instant begin. The marks say where values of it differed,
    and where they were the same.
    """
    low = np.fmin.reduceat(values, first, axis=0)
    twice = np.add.reduceat(~np.isnan(values), first, axis=0, dtype=np.int64) > 1
    differ = twice & (low != np.fmax.reduceat(values, first, axis=0))
    return np.where(differ, np.nan, low), differ, twice & ~differ
