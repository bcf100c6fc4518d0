"""What a frame has and a Dataset has no place for, kept as text in the Dataset's attrs. Pure.

netCDF and Zarr keep texts as they are, so both entries are JSON: ``dentcloud``, the frame's
own, and ``dentframe``, how the columns were labelled and stored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from dentframe import columns as _columns
from dentframe import units as _units

if TYPE_CHECKING:
    import pandas as pd

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
    meters : list of str
        The meters that had rows.
    meter_dtype : str
        Of the level of meters.
    time_unit : str
        Of the instants.
    span : list of int
        The first and the last instant [ns UTC]; empty without rows.
    attrs : dict
        The frame's attrs but ``dentcloud``, where JSON can hold them.
    """

    columns: list[str] = field(default_factory=list)
    dtypes: dict[str, str] = field(default_factory=dict)
    labels_dtype: str = "object"
    labels_name: str | None = None
    index_names: list[str | None] | None = None
    meters: list[str] = field(default_factory=list)
    meter_dtype: str = "object"
    time_unit: str = "us"
    span: list[int] = field(default_factory=list)
    attrs: dict[str, Any] = field(default_factory=dict)


def dataset_attrs(frame: pd.DataFrame, layout: Layout) -> dict[str, str]:
    """The attrs of a Dataset made of `frame`."""
    attrs = {KEY: json.dumps(asdict(layout))}
    if _units.ATTRS in frame.attrs:
        attrs[_units.ATTRS] = json.dumps(frame.attrs[_units.ATTRS], default=str)
    return attrs


def layout_of(
    frame: pd.DataFrame,
    labels: list[str],
    *,
    times: pd.DatetimeIndex,
    meters: list[str],
    meter_dtype: str,
) -> Layout:
    """How a frame is laid out."""
    dtypes = {x: str(frame[x].dtype) for x in labels}
    return Layout(
        columns=labels,
        dtypes={x: d for x, d in dtypes.items() if d != "float64"},
        labels_dtype=str(frame.columns.dtype),
        labels_name=_text(frame.columns.name),
        index_names=[_text(n) for n in frame.index.names],
        meters=meters,
        meter_dtype=meter_dtype,
        time_unit=times.unit,
        span=[int(t.as_unit("ns").value) for t in (times.min(), times.max())] if len(times) else [],
        attrs={str(k): v for k, v in frame.attrs.items() if k != _units.ATTRS and _is_json(v)},
    )


def read_layout(attrs: Mapping[Any, Any]) -> Layout:
    """The layout that a Dataset's attrs keep; an empty one where they keep none."""
    found = _loaded(attrs.get(KEY))
    known = {f.name for f in fields(Layout)}
    return Layout(**{k: v for k, v in found.items() if k in known})


def read_attrs(attrs: Mapping[Any, Any], layout: Layout) -> dict[str, Any]:
    """The attrs of the frame that a Dataset stands for."""
    told = _loaded(attrs.get(_units.ATTRS))
    return {**layout.attrs, **({_units.ATTRS: told} if told else {})}


def stored_label(layout: Layout, column: _columns.Column) -> str | None:
    """The label that the frame had for this column, if it had one."""
    return next((x for x in layout.columns if _columns.parse(x).wire == column.wire), None)


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
