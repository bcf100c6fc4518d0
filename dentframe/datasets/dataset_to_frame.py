"""A Dataset becomes the frame of wire-named columns that it was made of."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dentframe.datasets import frame_to_dataset, variables
from dentframe.datasets.variables import METER, TIME, Slot
from dentframe.errors import RangeError, missing_extra
from dentframe.frame.select import keep_meters
from dentframe.wire import columns as _columns
from dentframe.wire.columns import Column

if TYPE_CHECKING:
    import xarray as xr

    from dentframe.datasets.frame_to_dataset import Layout


_PINT = re.compile(r"^pint\[.*\]\[(?P<sub>[^\[\]]+)\]$", re.DOTALL)


@dataclass(frozen=True)
class Found:
    """One variable that holds readings: its name, what it is, and where its ids are."""

    name: str
    slot: Slot
    dim: str


def readings(dataset: xr.Dataset) -> list[Found]:
    """The variables over time and elements, channels or what else has ids, in their order."""
    found = []
    for name, array in dataset.data_vars.items():
        dim = _id_dim(array) if TIME in array.coords and array.dtype.kind in "fiu" else None
        if dim is not None:
            found.append(Found(str(name), variables.slot_of(str(name), array.attrs, dim), dim))
    return found


def is_dent(dataset: xr.Dataset) -> bool:
    """Whether a Dataset has readings, or came from a frame."""
    return (
        _columns.ATTRS in dataset.attrs
        or frame_to_dataset.KEY in dataset.attrs
        or bool(readings(dataset))
    )


def _id_dim(array: xr.DataArray) -> str | None:
    """The dimension or, after ``sel(element="A")``, the scalar that names the column."""
    if frame_to_dataset.LABEL in array.attrs:
        return None
    scope = array.attrs.get("scope")
    own = variables.dim_of(str(scope)) if scope else None
    known = [own] if own else list(variables.DIMS.values())
    along = [d for d in known if d in array.dims]
    alone = [d for d in known if d in array.coords and array[d].ndim == 0]
    return next(iter([*along, *alone]), None)


def to_frame(dataset: xr.Dataset) -> pd.DataFrame:
    """The frame of a Dataset: the way back from `to_xarray`, also through netCDF and Zarr.

    Parameters
    ----------
    dataset : xarray.Dataset
        Variables over time (and meter) and elements or channels; variables that have no time,
        or hold something else, are ignored. Dask-backed variables are computed, all at once.

    Returns
    -------
    pandas.DataFrame
        Wire-named columns over time or (meter, time), shape (readings, columns), in the zone
        of ``time.attrs["timezone"]``; labels, their order, dtypes and attrs are those of the
        frame that the Dataset came from, as far as its own attrs still tell. A variable in
        another unit than its topic's says so in the label, ``DemandkW/Elm/A [W]``.

    Raises
    ------
    RangeError
        Where readings have no times.
    UnitError
        Where pint has taken a variable's units away and they were lost.
    MissingExtraError
        Where columns had pint dtypes and pint-pandas is not installed.
    """
    read = [f.name for f in readings(dataset)]
    wanted = {*read, *frame_to_dataset.found(dataset, read)}
    held = dataset.drop_vars([n for n in dataset.data_vars if n not in wanted]).compute()
    return _frame(held, held)


def head(dataset: xr.Dataset) -> pd.DataFrame:
    """The frame without its rows: its columns, attrs and zone. Lazy variables stay so.

    Only cells that may be no column at all are looked at.
    """
    if TIME not in dataset.dims:
        return to_frame(dataset)
    none = {n: _without_rows(a) for n, a in dataset.data_vars.items()}
    return _frame(dataset.isel({TIME: slice(0, 0)}).assign(none), dataset)


def _without_rows(array: xr.DataArray) -> Any:
    # Even no rows of a lazy array would load some, and .data all of them.
    attrs = array.attrs
    shape = [0 if d == TIME else n for d, n in array.sizes.items()]
    if "wire_unit" in attrs and "units" not in attrs:
        return array.isel({TIME: slice(0, 0)}).variable if TIME in array.dims else array.variable
    return (array.dims, np.empty(shape, array.dtype), attrs)


def _frame(held: xr.Dataset, whole: xr.Dataset) -> pd.DataFrame:
    """The rows of `held`; `whole` tells which columns there are."""
    kept = frame_to_dataset.read_layout(whole.attrs)
    found = readings(held)
    others = frame_to_dataset.found(held, [f.name for f in found])
    rows = _Rows(held, _row_dims(held, found), kept)
    bare = pd.DataFrame(index=rows.index)
    attrs: Any = frame_to_dataset.read_attrs(whole.attrs, kept)
    bare.attrs = attrs
    if METER in held.coords and held[METER].ndim == 0:  # what sel(meter="P1") left
        keep_meters(bare, {str(held[METER].item())})
    columns: dict[str, Any] = {}
    for one in found:
        columns |= _columns_of(held, one, rows, bare, kept, whole)
    for name, label in others.items():
        values = rows.flat(held[name].expand_dims("_"), "_")[:, 0]
        columns[label] = frame_to_dataset.column(values, kept.dtypes.get(label))
    order = [x for x in kept.columns if x in columns]
    order += [x for x in columns if x not in set(order)]
    frame = pd.DataFrame({i: columns[x] for i, x in enumerate(order)}, index=bare.index)
    labels_dtype: Any = kept.labels_dtype if kept.labels_dtype in {"object", "str"} else None
    frame.columns = pd.Index(order, dtype=labels_dtype, name=kept.labels_name)
    frame.attrs = bare.attrs
    return frame


class _Rows:
    """The rows that the dimensions stand for, meters first, then time."""

    def __init__(self, dataset: xr.Dataset, dims: tuple[str, ...], kept: Layout) -> None:
        self.dims = dims
        self.sizes = {d: dataset.sizes.get(d, 1) for d in dims}
        self.index = _index(dataset, dims, kept)

    def flat(self, array: xr.DataArray, dim: str) -> npt.NDArray[Any]:
        """The values as (rows, ids)."""
        missing = {d: n for d, n in self.sizes.items() if d not in array.dims}
        wide = array.drop_vars(
            [d for d in (*missing, dim) if d in array.coords and d not in array.dims]
        )
        wide = wide.expand_dims(missing) if missing else wide
        if dim not in wide.dims:
            wide = wide.expand_dims(dim)
        data = wide.transpose(*self.dims, dim).data
        values = np.asarray(getattr(data, "magnitude", data))
        return values.reshape(-1, wide.sizes[dim])


def _row_dims(dataset: xr.Dataset, found: list[Found]) -> tuple[str, ...]:
    """The dimensions that rows come from: meter, time, then whatever else there is."""
    dims = {str(d) for f in found for d in dataset[f.name].dims if d != f.dim}
    if not found:
        dims = {METER} & set(dataset.dims)
    first = [METER] if METER in dims else []
    return (*first, TIME, *sorted(dims - {METER, TIME}))


def _index(dataset: xr.Dataset, dims: tuple[str, ...], kept: Layout) -> pd.Index:
    times = dataset[TIME] if TIME in dataset.coords else None
    if times is None:
        raise RangeError(
            "Cannot make a frame of this Dataset: it has no coordinate 'time'. Convert what "
            "still has its times."
        )
    zone = str(times.attrs.get(variables.ZONE, "UTC"))
    when = variables.aware(times.values, zone, kept.time_unit)
    own = kept.index_names or []
    if dims == (TIME,):
        return when.rename(own[0] if len(own) == 1 else TIME)
    levels: list[pd.Index] = []
    for dim in dims:
        dtype: Any = kept.meter_dtype if dim == METER else None
        if dim == TIME:
            levels.append(when)
        elif dim in dataset.coords:
            levels.append(pd.Index(dataset[dim].to_numpy(), dtype=dtype))
        else:
            levels.append(pd.RangeIndex(dataset.sizes[dim]))
    labels = own if len(own) == len(dims) else list(dims)
    return pd.MultiIndex.from_product(levels, names=labels)


def _columns_of(
    dataset: xr.Dataset,
    one: Found,
    rows: _Rows,
    bare: pd.DataFrame,
    kept: Layout,
    whole: xr.Dataset,
) -> dict[str, Any]:
    array, cells = dataset[one.name], whole[one.name]
    unit = variables.unit_in(array.attrs, array.data)
    values = rows.flat(array, one.dim)
    stored = {_columns.parse(x) for x in kept.columns}
    of_slot = {c.wire for c in stored if Slot(c.topic, c.scope) == one.slot}
    result = {}
    for i, name in enumerate(np.atleast_1d(array[one.dim].values)):
        column = Column(one.slot.topic, one.slot.scope, str(name))
        if of_slot and column.wire not in of_slot:
            cell = cells.isel({one.dim: i} if one.dim in cells.dims else {})
            if bool(cell.isnull().all()):
                continue  # a cell of the grid that was no column of the frame is not one now
        label = _label(bare, column, unit, kept)
        result[label] = _typed(values[:, i], kept.dtypes.get(label), unit)
    return result


def _label(bare: pd.DataFrame, column: Column, unit: str | None, kept: Layout) -> str:
    stored = next((x for x in kept.columns if _columns.parse(x).wire == column.wire), None)
    old = _columns.parse(stored).unit if stored else None
    if stored and old is not None and unit is not None and _columns.same_unit(old, unit):
        return stored
    if stored and kept.dtypes.get(stored, "").startswith("pint["):
        return stored
    return _columns.label_in(bare, column, unit)


def _typed(values: npt.NDArray[Any], dtype: str | None, unit: str | None) -> Any:
    """A column in the dtype it had, where it can still hold the values."""
    if dtype is None:
        return values.astype(np.float64)
    if dtype.startswith("pint["):
        return _in_pint(values, dtype, unit)
    target: Any = pd.api.types.pandas_dtype(dtype)
    if target.kind in "iu":  # whole numbers may not be whole any more: a mean of them is none
        own = np.iinfo(getattr(target, "numpy_dtype", target))
        inside = (values >= own.min) & (values <= own.max)
        if not (inside & (values == np.floor(values))).all():
            return values
    return (values if isinstance(target, np.dtype) else pd.array(values)).astype(target)


def _in_pint(values: npt.NDArray[Any], dtype: str, unit: str | None) -> Any:
    try:
        from pint_pandas import PintType
    except ImportError:
        raise missing_extra("give a Dataset's columns their pint dtypes", "quantify") from None
    _columns.registry()
    pint_type: Any = PintType
    sub = _PINT.match(dtype)
    parsed = _columns.parse_unit(unit or "dimensionless")
    made = pint_type(parsed, sub["sub"]) if sub else pint_type(parsed)
    return pd.Series(values).astype(made).array
