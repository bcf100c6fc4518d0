"""The rows of a frame, by meter and in time order. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from dentframe import units as _units
from dentframe.columns import split_element
from dentframe.errors import RangeError

T = TypeVar("T")
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


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


def time_index(frame: pd.DataFrame) -> pd.DatetimeIndex:
    """The frame's times, row by row, whether it holds one meter or several.

    Raises
    ------
    RangeError
        Where the index has no times, or some row has none.
    """
    index = frame.index
    if isinstance(index, pd.MultiIndex):
        index = index.get_level_values(_time_level(index))
    if not isinstance(index, pd.DatetimeIndex):
        raise RangeError(
            f"Cannot find the times of this frame: its index is a {type(index).__name__}, not a "
            "DatetimeIndex (or a MultiIndex of meter and time). Use df.set_index(...) first."
        )
    if index.hasnans:
        raise RangeError(
            f"Cannot place {int(np.sum(index.isna()))} of {len(index)} rows: they have no time. "
            "Drop them first, e.g. df[df.index.notna()]."
        )
    return index


def _time_level(index: pd.MultiIndex) -> int:
    levels = [i for i, x in enumerate(index.levels) if isinstance(x, pd.DatetimeIndex)]
    if index.nlevels != 2 or len(levels) != 1:
        raise RangeError(
            f"Cannot read an index of levels {list(index.names)}: the rows of several meters "
            "need exactly two levels, meter and time."
        )
    return levels[0]


_NO_ROW = -2
"""The code of a meter that was read and returned nothing; no row has it."""


def is_several(frame: pd.DataFrame) -> bool:
    """Whether rows carry their meter: a MultiIndex (meter, time)."""
    return isinstance(frame.index, pd.MultiIndex)


def ranges(frame: pd.DataFrame) -> dict[str, tuple[pd.Timestamp, pd.Timestamp]]:
    """What the reader asked for, by meter (or element id), where the frame still carries it."""
    info = frame.attrs.get(_units.ATTRS)
    found = info.get("ranges") if isinstance(info, dict) else None
    if not isinstance(found, dict):
        return {}
    return {str(k): (_utc(a), _utc(b)) for k, (a, b) in found.items()}


def _utc(value: Any) -> pd.Timestamp:
    stamp = pd.Timestamp(value)
    return stamp.tz_localize("UTC") if stamp.tzinfo is None else stamp.tz_convert("UTC")


def _own_name(frame: pd.DataFrame) -> str | None:
    found = {split_element(key)[0] for key in ranges(frame)}
    return found.pop() if len(found) == 1 else None


def rows(frame: pd.DataFrame) -> list[Rows]:
    """The rows of each meter, meters in the order of their names."""
    times = time_index(frame).as_unit("us").asi8
    if not is_several(frame):
        return [_meter_rows(_own_name(frame), times, None)]
    codes, names = _meter_codes(frame)
    return [_meter_rows(m, times, np.flatnonzero(codes == i)) for m, i in names]


def meters_of(frame: pd.DataFrame) -> list[str]:
    """The meters of a frame of (meter, time), in the order of their names.

    One that was read and returned nothing is among them: it is missing, not absent.
    """
    return [m for m, _ in _meter_codes(frame)[1]]


def meter_by_meter(items: Iterable[T], meter: Callable[[T], str | None]) -> list[list[T]]:
    """Items in the order of their meters, as one list per meter."""
    return [list(group) for _, group in groupby(items, key=meter)]


def named_elements(frame: pd.DataFrame) -> set[tuple[str, str | None]]:
    """The elements that were read by their ids (``P1_A``), as (meter, element)."""
    info = frame.attrs.get(_units.ATTRS)
    found = info.get("elements") if isinstance(info, dict) else None
    listed = found if isinstance(found, dict) else {}
    by_id = {split_element(key) for key in ranges(frame)}
    return by_id | {(str(m), str(e)) for m, elements in listed.items() for e in elements}


def _meter_codes(frame: pd.DataFrame) -> tuple[Ints, list[tuple[str, int]]]:
    """Each row's meter as a code, and the names of those codes that occur."""
    index: Any = frame.index
    level = 1 - _time_level(index)
    codes = np.asarray(index.codes[level])
    present = {str(index.levels[level][i]): i for i in np.unique(codes).tolist() if i >= 0}
    known = set(map(str, index.levels[level]))
    read = (key if key in known else split_element(key)[0] for key in ranges(frame))
    silent = {m: _NO_ROW for m in read if m not in present}
    return codes, sorted({**present, **silent}.items())


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
