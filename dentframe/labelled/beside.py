"""Columns beside the wire's, such as a temperature, as variables over time, and back. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dentframe import columns as _columns
from dentframe.labelled.names import METER, TIME, clean, free

if TYPE_CHECKING:
    import xarray as xr

    from dentframe.labelled.rows import Grid

LABEL = "label"
_TEXTS = "OUT"


def labels(frame: pd.DataFrame) -> list[str]:
    """The labels, that are no wire names, of columns of numbers, truth values or text."""
    plain = [x for x in frame.columns if isinstance(x, str) and not _columns.is_wire(x)]
    return [x for x in plain if _fits(frame[x])]


def _fits(column: Any) -> bool:
    dtype = getattr(column, "dtype", None)
    if isinstance(dtype, np.dtype) and dtype.kind in "biuf":
        return True
    if not isinstance(column, pd.Series) or not pd.api.types.is_string_dtype(column.dropna()):
        return False
    return str(dtype) in {"object", "str"}


def variables(frame: pd.DataFrame, laid: Grid, taken: Iterable[str]) -> dict[str, Any]:
    """A variable over time for each such column; a text that is missing is empty."""
    used, found = set(taken), dict[str, Any]()
    for label in labels(frame):
        name = free(clean(label), used)
        used.add(name)
        found[name] = (laid.dims, laid.laid(_values(frame[label])[:, None])[..., 0], {LABEL: label})
    return found


def _values(column: pd.Series[Any]) -> npt.NDArray[Any]:
    if isinstance(column.dtype, np.dtype) and column.dtype.kind != "O":
        return column.to_numpy()
    found = np.empty(len(column), dtype=object)
    found[:] = ["" if pd.isna(v) else str(v) for v in column]
    return found


def found(dataset: xr.Dataset, readings: Iterable[str]) -> dict[str, str]:
    """Variables over time (and meter) alone that are no readings, and their labels."""
    taken = set(readings)
    names = [str(n) for n in dataset.data_vars if n not in taken]
    return {n: _label(n, dataset[n]) for n in names if _along_time(dataset[n])}


def _along_time(array: xr.DataArray) -> bool:
    dims = set(array.dims)
    return TIME in dims and dims <= {TIME, METER} and array.dtype.kind in "biuf" + _TEXTS


def _label(name: str, array: xr.DataArray) -> str:
    told = str(array.attrs.get(LABEL, name))
    return told if clean(told).rstrip("_") == name.rstrip("_") else name


def column(values: npt.NDArray[Any], dtype: str | None) -> Any:
    """The values as a column again, text as text."""
    if values.dtype.kind not in _TEXTS:
        return values
    whole = pd.Series([str(v) for v in values], dtype="object" if dtype == "object" else "str")
    return whole.array
