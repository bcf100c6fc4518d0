"""The rows of a frame as the dimensions of a Dataset: meter, time, and what else there is. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dentframe.errors import RangeError
from dentframe.labelled.names import METER, TIME

THEY_DIFFER = "their times differ"


@dataclass(frozen=True)
class Grid:
    """Rows laid out along dimensions.

    Attributes
    ----------
    times : pandas.DatetimeIndex
        Of every meter, in the zone of the frame.
    others : dict
        Name of each further level to its values, e.g. the meters.
    order : ndarray of int64, or slice
        Takes rows into the order others, time.
    meter_dtype : str
        Of the level of meters.
    """

    times: pd.DatetimeIndex
    others: dict[str, list[Any]]
    order: Any
    meter_dtype: str = "object"

    @property
    def dims(self) -> tuple[str, ...]:
        """Meter first, then time, then the rest."""
        first = (METER,) if METER in self.others else ()
        return (*first, TIME, *(n for n in self.others if n != METER))

    def laid(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Values of shape (rows, n) as (*dims, n)."""
        sizes = [len(v) for v in self.others.values()]
        cube: npt.NDArray[Any] = values[self.order].reshape(
            *sizes, len(self.times), values.shape[1]
        )
        names = [*self.others, TIME]
        return cube.transpose([*(names.index(d) for d in self.dims), len(names)])


def grid(frame: pd.DataFrame) -> Grid:
    """The dimensions of a frame's rows.

    Raises
    ------
    RangeError
        Where the index has no times or naive ones, or the meters' times differ.
    """
    index = frame.index
    if not isinstance(index, pd.MultiIndex):
        return Grid(_aware(index), {}, slice(None))
    at = _time_level(index)
    names = [n for i, n in enumerate(_names(index)) if i != at]
    keys = [index.get_level_values(i) for i in range(index.nlevels) if i != at]
    found = [pd.factorize(k) for k in keys]
    others = {n: list(v) for n, (_, v) in zip(names, found, strict=True)}
    times = _aware(index.get_level_values(at))
    order = np.lexsort([c for c, _ in reversed(found)])
    dtype = str(keys[names.index(METER)].dtype) if METER in others else "object"
    return Grid(_shared(times[order], others), others, order, dtype)


def _names(index: pd.MultiIndex) -> list[str]:
    return [str(n) if n is not None else METER for n in index.names]


def _time_level(index: pd.MultiIndex) -> int:
    levels = [i for i, x in enumerate(index.levels) if isinstance(x, pd.DatetimeIndex)]
    if len(levels) != 1:
        raise RangeError(
            f"Cannot lay out an index of levels {list(index.names)}: it needs one level of times."
        )
    return levels[0]


def _aware(index: pd.Index) -> pd.DatetimeIndex:
    if not isinstance(index, pd.DatetimeIndex):
        raise RangeError(
            f"Cannot find the times of this frame: its index is a {type(index).__name__}, not a "
            "DatetimeIndex (or a MultiIndex of meter and time). Use df.set_index(...) first."
        )
    if index.tz is None:
        raise RangeError(
            "Cannot tell which instants a naive index means. Use "
            'df.tz_localize("UTC") where it is UTC, or name the zone it is in.'
        )
    if index.hasnans:
        raise RangeError("Cannot place rows without a time. Use df[df.index.notna()] first.")
    return index


def _shared(times: pd.DatetimeIndex, others: dict[str, list[Any]]) -> pd.DatetimeIndex:
    """The times that every meter has; `times` come meter after meter."""
    cells = int(np.prod([len(v) for v in others.values()]))
    if not len(times):
        return times
    size, left = divmod(len(times), cells)
    rows = times.asi8[: size * cells].reshape(cells, size)
    if left or not (rows == rows[0]).all():
        raise _unequal(others)
    return times[:size]


def _unequal(others: dict[str, list[Any]]) -> RangeError:
    if METER not in others:
        return RangeError(f"Cannot lay rows along time and {', '.join(others)}: some are missing.")
    first = others[METER][0]
    cure = f"Convert each on its own: df.loc[{first!r}].dent.to_xarray()."
    return times_differ(len(others[METER]), cure)


def times_differ(meters: int, cure: str) -> RangeError:
    """The error for meters that cannot share a time axis, with the way round it."""
    return RangeError(
        f"Cannot lay {meters} meters along one time axis: {THEY_DIFFER}, and nothing is resampled "
        f"or filled in silence. {cure}"
    )
