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
from dentframe.metering.register_rules import full_name
from dentframe.wire import columns as _columns
from dentframe.wire.columns import ELEMENT, Column, parse
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
    times = time_index(frame).as_unit("us").asi8
    if not is_several(frame):
        return [_meter_rows(own_name(frame), times, None)]
    codes, there = meter_codes(frame)
    meters = ((m, there.get(m, _NO_ROW)) for m in meters_of(frame))
    return [_meter_rows(m, times, np.flatnonzero(codes == i)) for m, i in meters]


def meter_by_meter(items: Iterable[T], meter: Callable[[T], str | None]) -> list[list[T]]:
    """Items in the order of their meters, as one list per meter."""
    return [list(group) for _, group in groupby(items, key=meter)]


def _meter_rows(meter: str | None, times: Ints, where: Ints | None) -> Rows:
    t = times if where is None else times[where]
    order: Any = slice(None) if where is None else _slice(where)
    steps = np.diff(t)
    if (steps > 0).all():
        return Rows(meter, t, order, None)
    by_time = np.argsort(t, kind="stable")
    t = t[by_time]
    order = by_time if where is None else where[by_time]
    new = np.r_[True, np.diff(t) > 0]
    if new.all():
        return Rows(meter, t, order, None)
    return Rows(meter, t[new], order, np.flatnonzero(new))


def _slice(where: Ints) -> Any:
    """Rows as a slice where they follow each other, which spares copies."""
    if len(where) and where[-1] - where[0] == len(where) - 1:
        return slice(int(where[0]), int(where[-1]) + 1)
    return where


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
    plain, told = _side_by_side(frame, columns), doubled_columns(frame)
    found = []
    for m in meters:
        for (_, column), values in zip(columns, plain, strict=True):
            twice = ("conflicts", "duplicates") if column.wire in told else ()
            runs = [doubled(frame, x, m.meter, column.wire) for x in twice]
            found.append(usable(m, column, values, *runs))
    return found


def _side_by_side(frame: pd.DataFrame, columns: Sequence[tuple[int, Column]]) -> Sequence[Floats]:
    """The columns as plain floats, each contiguous; as one block where they have one dtype."""
    at, told, dtypes = [i for i, _ in columns], _columns.attrs_units(frame), list(frame.dtypes)
    for i, c in columns:
        unit = TOPICS[c.topic].unit
        if dtypes[i] != np.float64 or c.unit not in {None, unit} or told.get(c.topic, unit) != unit:
            return [numbers(frame, i, c) for i, c in columns]
    together = at == list(range(at[0], at[0] + len(at))) if at else False
    part = frame.iloc[:, at[0] : at[-1] + 1] if together else frame.iloc[:, at]
    return list(np.ascontiguousarray(part.to_numpy().T))


def numbers(frame: pd.DataFrame, position: int, column: Column) -> Floats:
    """One column as plain floats in its topic's catalogue unit; blank and infinite are NaN."""
    data = frame.iloc[:, position]
    values = _floats(data, column.label)
    factor = _factor(frame, str(frame.columns[position]), TOPICS[column.topic].unit)
    return values if factor == 1.0 else values * factor


def _floats(data: pd.Series[Any], label: str) -> Floats:
    if data.dtype == np.float64:
        return data.to_numpy()
    plain = getattr(data.array, "quantity", None)
    source = data if plain is None else pd.Series(plain.m)
    if not _is_numeric(source):
        raise DecodeError(
            f"Cannot read column {label!r} as numbers: it is {source.dtype}. Readings are floats "
            'with NaN for what is missing: use pd.to_numeric(..., errors="coerce") and look at '
            "what it drops."
        )
    return source.to_numpy(dtype=np.float64, na_value=np.nan)


def _is_numeric(data: pd.Series[Any]) -> bool:
    """Whether every value is a number: text, truth values, times and spans are none."""
    if data.dtype == object:
        return all(isinstance(x, Number) and not isinstance(x, bool) for x in data[data.notna()])
    return pd.api.types.is_numeric_dtype(data.dtype) and not pd.api.types.is_bool_dtype(data.dtype)


def _factor(frame: pd.DataFrame, label: str, unit: str) -> float:
    text = _columns.unit_text(frame, label)
    if text == unit:
        return 1.0
    found, wanted = _columns.unit_of(frame, label), _columns.parse_unit(unit)
    if not found.is_compatible_with(wanted) or _columns.component(found) != _columns.component(
        wanted
    ):
        raise UnitError(
            f"Cannot use column {label!r} in {text}: its topic is measured in {unit}. "
            "Correct the unit in its label, dtype or attrs."
        )
    return float(_columns.registry().convert(1.0, found, wanted))


def usable(
    meter: Rows,
    column: Column,
    values: Floats,
    conflicts: Sequence[Run] = (),
    duplicates: Sequence[Run] = (),
) -> Series:
    """The usable readings of one column of a meter; blanks and doubles leave marks."""
    v, t = values[meter.order], meter.t
    finite = np.isfinite(v)
    if meter.first is None and not conflicts and not duplicates:
        blank = np.flatnonzero(~finite)
        if len(blank):
            used = np.flatnonzero(finite)
            t, v = t[used], v[used]
        marks = np.full(len(blank), int(Flag.MISSING_VALUE))
        return Series(meter.meter, column.id, column.topic, t, v, meter.t[blank], marks)
    marks = np.zeros(len(meter.t), dtype=np.int64)
    if meter.first is not None:
        v, marks = _merge(v, meter.first, len(v))
        finite = np.isfinite(v)
    for first, last, _ in conflicts:  # of the read: where another reading came since, it is none
        part = slice(*np.searchsorted(meter.t, (first, last + 1)).tolist())
        marks[part][~finite[part]] |= Flag.CONFLICTING_DUPLICATE
    for first, last, _ in duplicates:
        part = slice(*np.searchsorted(meter.t, (first, last + 1)).tolist())
        marks[part] |= Flag.DUPLICATE_DROPPED
    blank, used = np.flatnonzero(~finite), np.flatnonzero(finite)
    plain = blank[marks[blank] & Flag.CONFLICTING_DUPLICATE == 0]
    marks[plain] |= Flag.MISSING_VALUE
    marked = np.flatnonzero(marks)
    return Series(
        meter.meter, column.id, column.topic, meter.t[used], v[used], meter.t[marked], marks[marked]
    )


def _merge(v: Floats, first: Ints, n: int) -> tuple[Floats, Ints]:
    """One value per instant: equal ones are one, conflicting ones missing; blanks do not count."""
    finite = np.isfinite(v)
    low = np.minimum.reduceat(np.where(finite, v, np.inf), first)
    high = np.maximum.reduceat(np.where(finite, v, -np.inf), first)
    given = np.add.reduceat(finite.astype(np.int64), first)
    size = np.diff(np.r_[first, n])
    twice = (given > 1) | ((given == 0) & (size > 1))
    conflict = (given > 1) & (low != high)
    marks = np.where(twice & ~conflict, int(Flag.DUPLICATE_DROPPED), 0)
    marks[conflict] = Flag.CONFLICTING_DUPLICATE
    return np.where((given == 0) | conflict, np.nan, low), marks
