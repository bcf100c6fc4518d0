"""A frame of the wire grammar as a Dataset. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dentframe import columns as _columns
from dentframe import units as _units
from dentframe.columns import CHANNEL, Column
from dentframe.errors import ConfigError, DecodeError, UnitError
from dentframe.labelled import beside, cf, layout, names, rows, times
from dentframe.labelled.names import Slot
from dentframe.quantify import magnitudes

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from dentframe.labelled.rows import Grid


@dataclass(frozen=True)
class Part:
    """The columns of one variable: their labels and what they are."""

    slot: Slot
    labels: list[str]
    parsed: list[Column]

    @property
    def dim(self) -> str:
        """The dimension that the ids are laid along."""
        return names.dim_of(self.slot.scope)


def to_dataset(
    frame: pd.DataFrame, *, interval: Any = "15min", demand_lag: Any = "0min"
) -> xr.Dataset:
    """The Dataset of a frame of readings or of wide results; see `dentframe.datasets.to_xarray`."""
    import xarray as xr

    _units.registry()  # pint has to know kVAh before anyone quantifies the Dataset
    labels = _columns.wire_columns(frame.columns)
    _check_unique([x for x in frame.columns if isinstance(x, str)])
    laid, parts = rows.grid(frame), _parts(labels)
    ids = _ids(parts)
    named = names.variable_names(p.slot for p in parts)
    found = {named[p.slot]: _variable(frame, p, ids[p.dim], laid) for p in parts}
    taken = {*names.TAKEN, *ids, *found}
    found |= beside.variables(frame, laid, taken)
    dataset = xr.Dataset(found, coords=_coords(laid, ids))
    _add_bounds(dataset, frame, laid, parts, interval, demand_lag)
    every = set(labels) | set(beside.labels(frame))
    shown = [x for x in frame.columns if x in every]
    kept = layout.layout_of(
        frame,
        shown,
        times=laid.times,
        meters=[str(m) for m in laid.others.get(names.METER, [])],
        meter_dtype=laid.meter_dtype,
    )
    dataset.attrs = {"Conventions": cf.CONVENTIONS, **layout.dataset_attrs(frame, kept)}
    return dataset


def _check_unique(labels: list[str]) -> None:
    twice = sorted({x for x in labels if labels.count(x) > 1})
    if twice:
        raise ConfigError(
            f"Cannot tell which column is {twice[0]!r}: the frame has more than one. "
            "Keep one of them."
        )


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
        (*laid.dims, part.dim), laid.laid(values), cf.variable_attrs(part.slot, unit)
    )


def _unit(frame: pd.DataFrame, part: Part) -> str | None:
    found = list(dict.fromkeys(_units.unit_text(frame, x) for x in part.labels))
    if any(str(u) != str(found[0]) and not _same(u, found[0]) for u in found[1:]):
        topic = part.slot.topic
        raise UnitError(
            f"Cannot lay {topic!r} along one variable: its columns are in "
            f"{' and '.join(map(str, found))}. Bring them to one unit first, e.g. "
            f'convert({{"{topic}": "{found[0]}"}}).'
        )
    return found[0]


def _same(one: str | None, other: str | None) -> bool:
    return one is not None and other is not None and _units.same_unit(one, other)


def _numbers(frame: pd.DataFrame, label: str) -> npt.NDArray[Any]:
    data = frame[label]
    kind = data.dtype.kind
    if isinstance(data.dtype, np.dtype) and kind in "fiu":
        return data.to_numpy()
    if kind in "bmM":
        raise _no_numbers(label, data)
    try:
        return magnitudes(data)
    except (TypeError, ValueError):
        raise _no_numbers(label, data) from None


def _no_numbers(label: str, data: Any) -> DecodeError:
    return DecodeError(
        f"Cannot read column {label!r} as numbers: it is {data.dtype}. Use "
        'pd.to_numeric(..., errors="coerce") and look at what it drops.'
    )


def _coords(laid: Grid, ids: dict[str, list[str]]) -> dict[str, Any]:
    coords: dict[str, Any] = {}
    for name, values in laid.others.items():
        coords[name] = _texts(name, values)
    coords |= times.time_coords(laid.times)
    for dim, found in ids.items():
        coords[dim] = _texts(dim, found)
    if names.DIMS[CHANNEL] in ids:
        owners = [Column("", CHANNEL, x).element or "" for x in ids[names.DIMS[CHANNEL]]]
        told = {"long_name": "element of the channel"}
        coords[names.CHANNEL_ELEMENT] = _texts(names.DIMS[CHANNEL], owners, told)
    return coords


def _texts(dim: str, values: Sequence[Any], attrs: dict[str, str] | None = None) -> Any:
    """A coordinate of text: fixed-width, which plots; written as objects, which Zarr wants."""
    found = np.array([str(v) for v in values], dtype=str)
    return (dim, found, attrs or {}, {"dtype": np.dtype(object)})


def _add_bounds(
    dataset: xr.Dataset,
    frame: pd.DataFrame,
    laid: Grid,
    parts: Sequence[Part],
    interval: Any,
    lag: Any,
) -> None:
    info = frame.attrs.get(_units.ATTRS)
    told = info if isinstance(info, dict) else {}
    found = times.bounds(laid, {p.slot.topic for p in parts}, told, interval, lag)
    if found is not None:
        dataset.coords[names.BOUNDS] = found
        dataset[names.TIME].attrs["bounds"] = names.BOUNDS
