"""A frame becomes one clean series of readings per meter, element and topic here.

The rows of each meter come in time order. Equal rows of one instant become one, conflicting ones
become missing, blanks are taken out and remembered, and values are plain floats in the topic's
own unit (kWh, kW, ...). What was done to a reading stays with the series as a mark: an instant
and its flags. Flags are bits inside, and sorted names where a user sees them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import IntFlag
from functools import lru_cache
from itertools import groupby
from numbers import Number
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from dentframe.errors import ConfigError, DecodeError, UnitError
from dentframe.metering.attrs import (
    Run,
    doubled,
    doubled_columns,
    is_several,
    meter_codes,
    meters_of,
    own_name,
    time_index,
)
from dentframe.times.dates_and_ranges import ints
from dentframe.wire import columns as _columns
from dentframe.wire.columns import ELEMENT, Column, full_name, parse
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


FLAGS: tuple[str, ...] = tuple(sorted(str(f.name).lower() for f in Flag))
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


T = TypeVar("T")
_NO_ROW = -2
"""The code of a meter that was read and returned nothing; no row has it."""
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


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
    """

    meter: str | None
    t: Ints
    order: Any
    first: Ints | None


def rows(frame: pd.DataFrame) -> list[Rows]:
    """The rows of each meter, meters in the order of their names."""
    times = ints(time_index(frame))
    if not is_several(frame):
        return [_meter_rows(own_name(frame), times, None)]
    codes, there = meter_codes(frame)
    meters = ((m, there.get(m, _NO_ROW)) for m in meters_of(frame))
    return [_meter_rows(m, times, np.flatnonzero(codes == i)) for m, i in meters]


def meter_by_meter(items: Iterable[T], meter: Callable[[T], str | None]) -> list[list[T]]:
    """Items in the order of their meters, as one list per meter."""
    return [list(group) for _, group in groupby(items, key=meter)]


def _meter_rows(meter: str | None, times: Ints, where: Any) -> Rows:
    """The rows of one meter, by their positions in the frame; None is all of them."""
    if where is None:
        where = slice(None)
    elif len(where) and where[-1] - where[0] == len(where) - 1:
        where = slice(int(where[0]), int(where[-1]) + 1)  # a slice spares copies
    t = times[where]
    if (t[1:] > t[:-1]).all():
        return Rows(meter, t, where, None)
    by_time = np.argsort(t, kind="stable")
    t, order = t[by_time], np.arange(len(times))[where][by_time]
    new = np.append(True, t[1:] > t[:-1])
    return Rows(meter, t[new], order, None if new.all() else np.flatnonzero(new))


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
    """

    meter: str | None
    element: str
    topic: str
    t: Ints
    values: Floats
    mark_t: Ints
    marks: Ints

    @property
    def name(self) -> str:
        """How the element is addressed: ``"P482311252_A"``, or ``"A"`` without a meter."""
        return full_name(self.meter, self.element)

    @property
    def unit(self) -> str:
        """The unit of the values, as the wire spells it."""
        return TOPICS[self.topic].unit


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
        Whole-element columns, from `element_columns`.

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
    plain, twice = _side_by_side(frame, columns), doubled_columns(frame)
    found = []
    for m in meters:
        for (_, column), values in zip(columns, plain, strict=True):
            kinds = ("conflicts", "duplicates") if column.wire in twice else ()
            runs = [doubled(frame, x, m.meter, column.wire) for x in kinds]
            found.append(usable(m, column, values, *runs))
    return found


def _side_by_side(frame: pd.DataFrame, columns: Sequence[tuple[int, Column]]) -> Sequence[Floats]:
    """The columns as plain floats, each contiguous; as one block where they have one dtype."""
    units, dtypes = _columns.attrs_units(frame), list(frame.dtypes)
    for i, c in columns:
        unit = TOPICS[c.topic].unit
        noted = units.get(c.topic, unit)
        if dtypes[i] != np.float64 or c.unit not in {None, unit} or noted != unit:
            return [numbers(frame, i, c) for i, c in columns]
    at = [i for i, _ in columns]
    together = bool(at) and at == list(range(at[0], at[0] + len(at)))
    part = frame.iloc[:, at[0] : at[-1] + 1] if together else frame.iloc[:, at]
    return list(np.ascontiguousarray(part.to_numpy().T))


def numbers(frame: pd.DataFrame, position: int, column: Column) -> Floats:
    """One column as plain floats in its topic's catalogue unit; blank and infinite are NaN."""
    data: Any = frame.iloc[:, position]
    plain = getattr(data.array, "quantity", None)
    data = data if plain is None else pd.Series(plain.m)
    if data.dtype == object:
        numeric = all(isinstance(x, Number) and not isinstance(x, bool) for x in data[data.notna()])
    else:
        is_bool = pd.api.types.is_bool_dtype(data.dtype)
        numeric = pd.api.types.is_numeric_dtype(data.dtype) and not is_bool
    if not numeric:
        raise DecodeError(
            f"Cannot read column {column.label!r} as numbers: it is {data.dtype}. Readings are "
            'floats with NaN for what is missing: use pd.to_numeric(..., errors="coerce") and look '
            "at what it drops."
        )
    values: Floats = data.to_numpy(dtype=np.float64, na_value=np.nan)
    label, unit = str(frame.columns[position]), TOPICS[column.topic].unit
    text = _columns.unit_text(frame, label)
    if text == unit:
        return values
    found, wanted = _columns.unit_of(frame, label), _columns.parse_unit(unit)
    same_kind = _columns.component(found) == _columns.component(wanted)
    if not found.is_compatible_with(wanted) or not same_kind:
        raise UnitError(
            f"Cannot use column {label!r} in {text}: its topic is measured in {unit}. "
            "Correct the unit in its label, dtype or attrs."
        )
    factor = float(_columns.registry().convert(1.0, found, wanted))
    return values if factor == 1.0 else values * factor


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
            return Series(*name, t, v, NONE, NONE)
        blank = t[~finite]
        marks = np.full(len(blank), int(Flag.MISSING_VALUE))
        return Series(*name, t[finite], v[finite], blank, marks)
    marks = np.zeros(len(t), dtype=np.int64)
    if meter.first is not None:
        v, marks = _merge(v, meter.first)
        finite = np.isfinite(v)
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


def _merge(v: Floats, first: Ints) -> tuple[Floats, Ints]:
    """One value per instant: equal ones are one, conflicting ones missing; blanks do not count."""
    finite = np.isfinite(v)
    low = np.minimum.reduceat(np.where(finite, v, np.inf), first)
    high = np.maximum.reduceat(np.where(finite, v, -np.inf), first)
    given = np.add.reduceat(finite.astype(np.int64), first)
    size = np.diff(np.append(first, len(v)))
    twice = (given > 1) | ((given == 0) & (size > 1))
    conflict = (given > 1) & (low != high)
    marks = np.where(twice & ~conflict, int(Flag.DUPLICATE_DROPPED), 0)
    marks[conflict] = Flag.CONFLICTING_DUPLICATE
    return np.where((given == 0) | conflict, np.nan, low), marks
