"""A frame of wire-named columns becomes a Dataset.

What a Dataset has no place for is kept as text in its attrs. netCDF and Zarr keep texts as they
are, so both entries are JSON: ``dentcloud``, the frame's own, and ``dentframe``, how the columns
were labelled and stored. Other columns than the wire's, such as a temperature, become variables
over time.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dentframe.datasets import variables
from dentframe.datasets.variables import METER, TIME, Slot, clean, free
from dentframe.errors import ConfigError, DecodeError, RangeError, UnitError
from dentframe.frame.quantify import magnitudes
from dentframe.wire import columns as _columns
from dentframe.wire.columns import CHANNEL, Column

if TYPE_CHECKING:
    import xarray as xr


KEY = "dentframe"


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


def _kept(frame: pd.DataFrame, labels: list[str], laid: Grid) -> dict[str, str]:
    """How a frame is laid out, and its own entry, as attrs of a Dataset."""
    dtypes = {x: str(frame[x].dtype) for x in labels}
    layout = Layout(
        columns=labels,
        dtypes={x: d for x, d in dtypes.items() if d != "float64"},
        labels_dtype=str(frame.columns.dtype),
        labels_name=_text(frame.columns.name),
        index_names=[_text(n) for n in frame.index.names],
        meter_dtype=laid.meter_dtype,
        time_unit=laid.times.unit,
        attrs={str(k): v for k, v in frame.attrs.items() if k != _columns.ATTRS and _is_json(v)},
    )
    own = frame.attrs.get(_columns.ATTRS)
    note = {} if own is None else {_columns.ATTRS: json.dumps(own, default=str)}
    return {KEY: json.dumps(asdict(layout)), **note}


def read_layout(attrs: Mapping[Any, Any]) -> Layout:
    """The layout that a Dataset's attrs keep; an empty one where they keep none."""
    found = _loaded(attrs.get(KEY))
    known = {f.name for f in fields(Layout)}
    return Layout(**{k: v for k, v in found.items() if k in known})


def read_attrs(attrs: Mapping[Any, Any], layout: Layout) -> dict[str, Any]:
    """The attrs of the frame that a Dataset stands for."""
    note = _loaded(attrs.get(_columns.ATTRS))
    return {**layout.attrs, **({_columns.ATTRS: note} if note else {})}


def _text(name: Any) -> str | None:
    return None if name is None else str(name)


def _is_json(value: Any) -> bool:
    try:
        return bool(json.loads(json.dumps(value)) == value)
    except (TypeError, ValueError):
        return False


def _loaded(value: Any) -> dict[str, Any]:
    if not isinstance(value, str | dict):
        return {}
    found = json.loads(value) if isinstance(value, str) else value
    return found if isinstance(found, dict) else {}


LABEL = "label"
_TEXTS = "OUT"


def other_labels(frame: pd.DataFrame) -> list[str]:
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


def other_variables(frame: pd.DataFrame, laid: Grid, taken: Iterable[str]) -> dict[str, Any]:
    """A variable over time for each such column; a text that is missing is empty."""
    used, found = set(taken), dict[str, Any]()
    for label in other_labels(frame):
        name = free(clean(label), used)
        used.add(name)
        cells, _ = variables.array_of(frame[label])
        found[name] = (laid.dims, laid.laid(cells[:, None])[..., 0], {LABEL: label})
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
    label = str(array.attrs.get(LABEL, name))
    return label if clean(label).rstrip("_") == name.rstrip("_") else name


def column(values: npt.NDArray[Any], dtype: str | None) -> Any:
    """The values as a column again, text as text."""
    if values.dtype.kind not in _TEXTS:
        return values
    whole = pd.Series([str(v) for v in values], dtype="object" if dtype == "object" else "str")
    return whole.array


@dataclass(frozen=True)
class Part:
    """The columns of one variable: their labels and what they are."""

    slot: Slot
    labels: list[str]
    parsed: list[Column]

    @property
    def dim(self) -> str:
        """The dimension that the ids are laid along."""
        return variables.dim_of(self.slot.scope)


def to_dataset(
    frame: pd.DataFrame, *, interval: Any = "15min", demand_lag: Any = "0min"
) -> xr.Dataset:
    """The Dataset of a frame of readings or of wide results; see `to_xarray`."""
    import xarray as xr

    labels = _columns.wire_columns(frame.columns)
    texts = [x for x in frame.columns if isinstance(x, str)]
    repeated = sorted({x for x in texts if texts.count(x) > 1})
    if repeated:
        raise ConfigError(
            f"Cannot tell which column is {repeated[0]!r}: the frame has more than one. "
            "Keep one of them."
        )
    laid, parts = _grid(frame), _parts(labels)
    ids = _ids(parts)
    named = variables.variable_names(p.slot for p in parts)
    found = {named[p.slot]: _variable(frame, p, ids[p.dim], laid) for p in parts}
    taken = {*variables.TAKEN, *ids, *found}
    found |= other_variables(frame, laid, taken)
    dataset = xr.Dataset(found, coords=_coords(laid, ids))
    topics = {p.slot.topic for p in parts}
    bounds = variables.bounds(laid, topics, frame, interval, demand_lag)
    if bounds is not None:
        dataset.coords[variables.BOUNDS] = bounds
        dataset[TIME].attrs["bounds"] = variables.BOUNDS
    every = set(labels) | set(other_labels(frame))
    described = variables.global_attrs(p.slot.topic for p in parts)
    dataset.attrs = described | _kept(frame, [x for x in frame.columns if x in every], laid)
    return dataset


def _parts(labels: Sequence[str]) -> list[Part]:
    found: dict[Slot, Part] = {}
    for label in labels:
        column = _columns.parse(label)
        slot = Slot(column.topic, column.scope)
        part = found.setdefault(slot, Part(slot, [], []))
        part.labels.append(label)
        part.parsed.append(column)
    return list(found.values())


def _ids(parts: Sequence[Part]) -> dict[str, list[str]]:
    """The labels along each dimension, ``A2`` before ``A10``, over all its variables."""
    found: dict[str, dict[str, Column]] = {}
    for part in parts:
        along = found.setdefault(part.dim, {})
        along.update({c.id: c for c in part.parsed})
    return {
        dim: sorted(along, key=lambda x, a=along: _columns.sort_key(a[x])[3:])  # type: ignore[misc]
        for dim, along in found.items()
    }


def _variable(frame: pd.DataFrame, part: Part, ids: list[str], laid: Grid) -> xr.Variable:
    import xarray as xr

    unit = _unit(frame, part)
    columns = {c.id: _numbers(frame, x) for c, x in zip(part.parsed, part.labels, strict=True)}
    dtype = np.result_type(*columns.values())
    if len(columns) < len(ids) and dtype.kind != "f":
        dtype = np.dtype(np.float64)
    values = np.empty((len(frame), len(ids)), dtype)
    for i, name in enumerate(ids):
        values[:, i] = columns.get(name, np.nan)
    return xr.Variable(
        (*laid.dims, part.dim), laid.laid(values), variables.variable_attrs(part.slot, unit)
    )


def _unit(frame: pd.DataFrame, part: Part) -> str | None:
    found = list(dict.fromkeys(_columns.unit_text(frame, x) for x in part.labels))
    first = found[0]
    if not all(u == first or (u and first and _columns.same_unit(u, first)) for u in found[1:]):
        topic = part.slot.topic
        raise UnitError(
            f"Cannot lay {topic!r} along one variable: its columns are in "
            f"{' and '.join(map(str, found))}. Bring them to one unit first, e.g. "
            f'convert({{"{topic}": "{found[0]}"}}).'
        )
    return found[0]


def _numbers(frame: pd.DataFrame, label: str) -> npt.NDArray[Any]:
    data = frame[label]
    kind = data.dtype.kind
    if isinstance(data.dtype, np.dtype) and kind in "fiu":
        return data.to_numpy()
    with contextlib.suppress(TypeError, ValueError):
        if kind not in "bmM":
            return magnitudes(data)
    raise DecodeError(
        f"Cannot read column {label!r} as numbers: it is {data.dtype}. Use "
        'pd.to_numeric(..., errors="coerce") and look at what it drops.'
    )


def _coords(laid: Grid, ids: dict[str, list[str]]) -> dict[str, Any]:
    coords: dict[str, Any] = {}
    for name, values in laid.others.items():
        coords[name] = _texts(name, values)
    coords |= variables.time_coords(laid.times)
    for dim, found in ids.items():
        coords[dim] = _texts(dim, found)
    if variables.DIMS[CHANNEL] in ids:
        owners = [Column("", CHANNEL, x).element or "" for x in ids[variables.DIMS[CHANNEL]]]
        attrs = {"long_name": "element of the channel"}
        coords[variables.CHANNEL_ELEMENT] = _texts(variables.DIMS[CHANNEL], owners, attrs)
    return coords


def _texts(dim: str, values: Sequence[Any], attrs: dict[str, str] | None = None) -> Any:
    """A coordinate of text: fixed-width, which plots; written as objects, which Zarr wants."""
    found = np.array([str(v) for v in values], dtype=str)
    return (dim, found, attrs or {"long_name": dim}, {"dtype": np.dtype(object)})


# --- rows along dimensions --------------------------------------------------------------

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


def _grid(frame: pd.DataFrame) -> Grid:
    """The dimensions of a frame's rows.

    Raises
    ------
    RangeError
        Where the index has no times or naive ones, or the meters' times differ.
    """
    index = frame.index
    if not isinstance(index, pd.MultiIndex):
        return Grid(_aware(index), {}, slice(None))
    levels = [i for i, x in enumerate(index.levels) if isinstance(x, pd.DatetimeIndex)]
    if len(levels) != 1:
        raise RangeError(
            f"Cannot lay out an index of levels {list(index.names)}: it needs one level of times."
        )
    at = levels[0]
    named = (METER if n is None else str(n) for n in index.names)
    names = [n for i, n in enumerate(named) if i != at]
    keys = [index.get_level_values(i) for i in range(index.nlevels) if i != at]
    found = [pd.factorize(k) for k in keys]
    others = {n: list(v) for n, (_, v) in zip(names, found, strict=True)}
    times = _aware(index.get_level_values(at))
    order = np.lexsort([c for c, _ in reversed(found)])
    dtype = str(keys[names.index(METER)].dtype) if METER in others else "object"
    return Grid(_shared(times[order], others), others, order, dtype)


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
        if METER not in others:
            names = ", ".join(others)
            raise RangeError(f"Cannot lay rows along time and {names}: some are missing.")
        first = others[METER][0]
        cure = f"Convert each on its own: df.loc[{first!r}].dent.to_xarray()."
        raise times_differ(len(others[METER]), cure)
    return times[:size]


def times_differ(meters: int, cure: str) -> RangeError:
    """The error for meters that cannot share a time axis, with the way round it."""
    return RangeError(
        f"Cannot lay {meters} meters along one time axis: {THEY_DIFFER}, and nothing is resampled "
        f"or filled in silence. {cure}"
    )
