"""A frame of wire-named columns becomes a Dataset here, and a Dataset the frame it was made of.

What a Dataset has no place for is kept as text in its attrs. netCDF and Zarr keep texts as they
are, so both entries are JSON: ``dentcloud``, the frame's own, and ``dentframe``, how the columns
were labelled and stored. Other columns than the wire's, such as a temperature, become variables
over time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from dentframe.datasets import cf_names_units_and_times as variables
from dentframe.datasets.cf_names_units_and_times import METER, TIME, Grid, clean, free
from dentframe.errors import ConfigError, RangeError, UnitError, import_extra
from dentframe.frame.select import keep_meters
from dentframe.wire import columns as _columns
from dentframe.wire.columns import CHANNEL, Column

KEY, LABEL = "dentframe", "label"
_TEXTS = "OUT"
_PINT = re.compile(r"^pint\[.*\]\[(?P<sub>[^\[\]]+)\]$", re.DOTALL)


@dataclass(frozen=True)
class Layout:
    """How the columns and the index of a frame were.

    Attributes
    ----------
    columns : list of str
        The labels, in their order.
    dtypes : dict
        Label to dtype, of the columns that are not float64.
    labels_dtype, labels_name : str, optional
        Of the index of columns.
    index_names : list
        Of the index's levels.
    meter_dtype : str
        Of the level of meters.
    time_unit : str
        Of the instants.
    attrs : dict
        The frame's attrs but ``dentcloud``, where JSON can hold them.
    """

    columns: list[str] = field(default_factory=list)
    dtypes: dict[str, str] = field(default_factory=dict)
    labels_dtype: str = "object"
    labels_name: str | None = None
    index_names: list[str | None] | None = None
    meter_dtype: str = "object"
    time_unit: str = "us"
    attrs: dict[str, Any] = field(default_factory=dict)


def to_dataset(
    frame: pd.DataFrame, *, interval: Any, demand_lag: Any, cure: str | None = None
) -> xr.Dataset:
    """The Dataset of a frame of readings or of wide results; see `to_xarray` and `grid_of`."""
    texts = [x for x in frame.columns if isinstance(x, str)]
    repeated = sorted({x for x in texts if texts.count(x) > 1})
    if repeated:
        raise ConfigError(
            f"Cannot tell which column is {repeated[0]!r}: the frame has more than one. "
            "Keep one of them."
        )
    grid = variables.grid_of(frame, cure)
    columns = {x: _columns.parse(x) for x in _columns.wire_columns(frame.columns)}
    slots: dict[Column, dict[str, Column]] = {}
    for label, column in columns.items():
        slots.setdefault(Column(column.topic, column.scope), {})[label] = column
    along: dict[str, dict[str, None]] = {variables.dim_of(slot.scope): {} for slot in slots}
    # A2 before A10, over all variables of a dimension.
    for column in sorted(columns.values(), key=lambda column: _columns.sort_key(column)[3:]):
        along[variables.dim_of(column.scope)].setdefault(column.id)
    found = {
        name: _variable(frame, slot, slots[slot], along[variables.dim_of(slot.scope)], grid)
        for slot, name in variables.variable_names(slots).items()
    }
    others = [x for x in texts if not _columns.is_wire(x) and _fits(frame[x])]
    for label in others:
        cells, _ = variables.array_of(frame[label])
        name = free(clean(label), {*variables.TAKEN, *along, *found})
        found[name] = xr.Variable(grid.dims, grid.laid(cells[:, None])[..., 0], {LABEL: label})
    coords: dict[str, Any] = {name: _texts(name, x, name) for name, x in grid.others.items()}
    coords |= variables.time_coords(grid.times)
    coords |= {dim: _texts(dim, of, dim) for dim, of in along.items()}
    channels = variables.DIMS[CHANNEL]
    if channels in along:
        owners = [Column("", CHANNEL, x).element or "" for x in along[channels]]
        coords[variables.CHANNEL_ELEMENT] = _texts(channels, owners, "element of the channel")
    dataset = xr.Dataset(found, coords=coords)
    topics = [slot.topic for slot in slots]
    bounds = variables.bounds(grid, set(topics), frame, interval, demand_lag)
    if bounds is not None:
        dataset.coords[variables.BOUNDS] = bounds
        dataset[TIME].attrs["bounds"] = variables.BOUNDS
    kept = [x for x in texts if _columns.is_wire(x) or x in others]
    dataset.attrs = variables.global_attrs(topics) | _layout(frame, kept, grid)
    return dataset


def _fits(column: pd.Series[Any]) -> bool:
    """Whether a column that is no reading can lie along time: numbers, truth values or text."""
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "biuf":
        return True
    return str(column.dtype) in {"object", "str"} and pd.api.types.is_string_dtype(column.dropna())


def _variable(
    frame: pd.DataFrame, slot: Column, columns: dict[str, Column], ids: Collection[str], grid: Grid
) -> xr.Variable:
    units = list(dict.fromkeys(_columns.unit_text(frame, x) for x in columns))
    first = units[0]
    if not all(u == first or (u and first and _columns.same_unit(u, first)) for u in units[1:]):
        raise UnitError(
            f"Cannot lay {slot.topic!r} along one variable: its columns are in "
            f"{' and '.join(map(str, units))}. Bring them to one unit first, e.g. "
            f'convert({{"{slot.topic}": "{first}"}}).'
        )
    cells = {column.id: _numbers(frame[label]) for label, column in columns.items()}
    dtype = np.result_type(*cells.values())
    if len(cells) < len(ids) and dtype.kind != "f":
        dtype = np.dtype(np.float64)
    values = np.empty((len(frame), len(ids)), dtype)
    for i, name in enumerate(ids):
        values[:, i] = cells.get(name, np.nan)
    attrs = variables.variable_attrs(slot, first)
    return xr.Variable((*grid.dims, variables.dim_of(slot.scope)), grid.laid(values), attrs)


def _numbers(column: pd.Series[Any]) -> npt.NDArray[Any]:
    """The values in the dtype that they have, where that is NumPy's own."""
    own = isinstance(column.dtype, np.dtype) and column.dtype.kind in "fiu"
    return column.to_numpy() if own else _columns.plain_numbers(column)


def _texts(dim: str, values: Iterable[Any], long_name: str) -> Any:
    """A coordinate of text: fixed-width, which plots; written as objects, which Zarr wants."""
    found = np.array([str(v) for v in values], dtype=str)
    return (dim, found, {"long_name": long_name}, {"dtype": np.dtype(object)})


def _layout(frame: pd.DataFrame, labels: list[str], grid: Grid) -> dict[str, str]:
    """How a frame is laid out, and its own entry, as attrs of a Dataset."""
    dtypes = {x: str(frame[x].dtype) for x in labels}
    named = frame.columns.name
    layout = Layout(
        columns=labels,
        dtypes={x: d for x, d in dtypes.items() if d != "float64"},
        labels_dtype=str(frame.columns.dtype),
        labels_name=None if named is None else str(named),
        index_names=[None if n is None else str(n) for n in frame.index.names],
        meter_dtype=grid.meter_dtype,
        time_unit=grid.times.unit,
        attrs={str(k): v for k, v in frame.attrs.items() if k != _columns.ATTRS and _is_json(v)},
    )
    own = frame.attrs.get(_columns.ATTRS)
    note = {} if own is None else {_columns.ATTRS: json.dumps(own, default=str)}
    return {KEY: json.dumps(asdict(layout)), **note}


def _is_json(value: Any) -> bool:
    try:
        return bool(json.loads(json.dumps(value)) == value)
    except (TypeError, ValueError):
        return False


def readings(dataset: xr.Dataset) -> dict[str, tuple[Column, str]]:
    """What each variable of readings holds, and the dimension or scalar that has its ids.

    Readings are variables of numbers over time and elements, channels or what else has ids.
    """
    found = {}
    for name, array in dataset.data_vars.items():
        if TIME not in array.coords or array.dtype.kind not in "fiu" or LABEL in array.attrs:
            continue
        scope = array.attrs.get("scope")
        known = [variables.dim_of(str(scope))] if scope else list(variables.DIMS.values())
        along = [d for d in known if d in array.dims]
        alone = [d for d in known if d in array.coords and array[d].ndim == 0]  # after sel()
        for dim in [*along, *alone][:1]:
            found[str(name)] = (variables.slot_of(str(name), array.attrs, dim), dim)
    return found


def is_dent(dataset: xr.Dataset) -> bool:
    """Whether a Dataset has readings, or came from a frame."""
    return bool({_columns.ATTRS, KEY} & set(dataset.attrs)) or bool(readings(dataset))


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
    wanted = {*readings(dataset), *_others(dataset)}
    computed = dataset.drop_vars([n for n in dataset.data_vars if n not in wanted]).compute()
    return _frame(computed, computed)


def head(dataset: xr.Dataset) -> pd.DataFrame:
    """The frame without its rows: its columns, attrs and zone. Lazy variables stay so.

    Only cells that may be no column at all are looked at.
    """
    if TIME not in dataset.dims:
        return to_frame(dataset)
    empty = dataset.isel({TIME: slice(0, 0)})
    for name, array in dataset.data_vars.items():
        # Even no rows of a lazy array would load some, and .data all of them.
        if "wire_unit" not in array.attrs or "units" in array.attrs:
            shape = [0 if d == TIME else n for d, n in array.sizes.items()]
            empty[name] = (array.dims, np.empty(shape, array.dtype), array.attrs)
    return _frame(empty, dataset)


def _others(dataset: xr.Dataset) -> dict[str, str]:
    """Variables over time (and meter) alone that are no readings, and their labels."""
    found, taken = {}, readings(dataset)
    for name, array in dataset.data_vars.items():
        over_time = TIME in array.dims and set(array.dims) <= {TIME, METER}
        if name not in taken and over_time and array.dtype.kind in "biuf" + _TEXTS:
            label = str(array.attrs.get(LABEL, name))
            same = clean(label).rstrip("_") == str(name).rstrip("_")
            found[str(name)] = label if same else str(name)
    return found


def _frame(computed: xr.Dataset, whole: xr.Dataset) -> pd.DataFrame:
    """The rows of `computed`; `whole` tells which columns there are."""
    own = _loaded(whole.attrs.get(KEY))
    layout = Layout(**{f.name: own[f.name] for f in fields(Layout) if f.name in own})
    found = readings(computed)
    # Rows come from meter, time, then whatever else there is.
    dims = {str(d) for name, (_, dim) in found.items() for d in computed[name].dims if d != dim}
    first = [METER] if METER in (dims if found else computed.dims) else []
    sizes = {d: computed.sizes.get(d, 1) for d in (*first, TIME, *sorted(dims - {METER, TIME}))}
    bare = pd.DataFrame(index=_index(computed, list(sizes), layout))
    note = _loaded(whole.attrs.get(_columns.ATTRS))
    attrs: Any = layout.attrs | ({_columns.ATTRS: note} if note else {})
    bare.attrs = attrs
    if METER in computed.coords and computed[METER].ndim == 0:  # what sel(meter="P1") left
        keep_meters(bare, {str(computed[METER].item())})
    columns: dict[str, Any] = {}
    for name, (slot, dim) in found.items():
        columns |= _columns_of(computed[name], whole[name], slot, dim, sizes, bare, layout)
    for name, label in _others(computed).items():
        values = _flat(computed[name], sizes, "_")[:, 0]
        if values.dtype.kind in _TEXTS:
            dtype: Any = "object" if layout.dtypes.get(label) == "object" else "str"
            values = pd.Series([str(v) for v in values], dtype=dtype).array
        columns[label] = values
    order = list(dict.fromkeys(x for x in (*layout.columns, *columns) if x in columns))
    frame = pd.DataFrame({i: columns[x] for i, x in enumerate(order)}, index=bare.index)
    known: Any = layout.labels_dtype if layout.labels_dtype in {"object", "str"} else None
    frame.columns = pd.Index(order, dtype=known, name=layout.labels_name)
    frame.attrs = bare.attrs
    return frame


def _loaded(value: Any) -> dict[str, Any]:
    found = json.loads(value) if isinstance(value, str) else value
    return found if isinstance(found, dict) else {}


def _index(dataset: xr.Dataset, dims: Sequence[str], layout: Layout) -> pd.Index:
    if TIME not in dataset.coords:
        raise RangeError(
            "Cannot make a frame of this Dataset: it has no coordinate 'time'. Convert what "
            "still has its times."
        )
    zone = str(dataset[TIME].attrs.get(variables.ZONE, "UTC"))
    known: Any = layout.time_unit if layout.time_unit in {"s", "ms", "us", "ns"} else "us"
    utc = pd.DatetimeIndex(np.atleast_1d(dataset[TIME].values)).as_unit(known).tz_localize("UTC")
    when = utc.tz_convert(zone)
    own = layout.index_names or []
    names = own if len(own) == len(dims) else list(dims)
    if len(dims) == 1:
        return when.rename(names[0])
    dtypes: dict[str, Any] = {METER: layout.meter_dtype} if METER in dataset.coords else {}
    levels = [
        when if dim == TIME else pd.Index(dataset[dim].to_numpy(), dtype=dtypes.get(dim))
        for dim in dims
    ]
    return pd.MultiIndex.from_product(levels, names=names)


def _flat(array: xr.DataArray, sizes: Mapping[str, int], dim: str) -> npt.NDArray[Any]:
    """The values as (rows, ids)."""
    variable: Any = array.variable
    data = variable.set_dims({**sizes, dim: array.sizes.get(dim, 1)}).data
    values = np.asarray(getattr(data, "magnitude", data))
    return values.reshape(-1, values.shape[-1])


def _columns_of(
    array: xr.DataArray,
    whole: xr.DataArray,
    slot: Column,
    dim: str,
    sizes: Mapping[str, int],
    bare: pd.DataFrame,
    layout: Layout,
) -> dict[str, Any]:
    """The columns of one variable of readings, by their labels."""
    unit, values = variables.unit_in(array.attrs, array.data), _flat(array, sizes, dim)
    stored = {_columns.parse(x).wire: x for x in reversed(layout.columns)}
    known = any(slot == Column(c.topic, c.scope) for c in map(_columns.parse, stored))
    found = {}
    for i, name in enumerate(np.atleast_1d(array[dim].values)):
        column = Column(slot.topic, slot.scope, str(name))
        label = stored.get(column.wire)
        if known and label is None:
            cell = whole.isel({dim: i} if dim in whole.dims else {})
            if bool(cell.isnull().all()):
                continue  # a cell of the grid that was no column of the frame is not one now
        own = None if label is None else _columns.parse(label).unit
        told = own is not None and unit is not None and _columns.same_unit(own, unit)
        # Else the label does not tell the truth of a column in this unit.
        if label is None or not (told or layout.dtypes.get(label, "").startswith("pint[")):
            label = _columns.label_in(bare, column, unit)
        found[label] = _typed(values[:, i], layout.dtypes.get(label), unit)
    return found


def _typed(values: npt.NDArray[Any], dtype: str | None, unit: str | None) -> Any:
    """A column in the dtype it had, where it can still hold the values."""
    if dtype is None:
        return values.astype(np.float64)
    if dtype.startswith("pint["):
        what = "give a Dataset's columns their pint dtypes"
        pint_type = import_extra("pint_pandas", what, "quantify").PintType
        parsed, sub = _columns.parse_unit(unit or "dimensionless"), _PINT.match(dtype)
        made = pint_type(parsed, sub["sub"]) if sub else pint_type(parsed)
        return pd.Series(values).astype(made).array
    target: Any = pd.api.types.pandas_dtype(dtype)
    if target.kind in "iu":  # whole numbers may not be whole any more: a mean of them is none
        own = np.iinfo(getattr(target, "numpy_dtype", target))
        inside = (values >= own.min) & (values <= own.max)
        if not (inside & (values == np.floor(values))).all():
            return values
    return (values if isinstance(target, np.dtype) else pd.array(values)).astype(target)
