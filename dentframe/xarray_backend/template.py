"""The Dataset of rows whose readings are not read: as `to_xarray` would make it. Pure.

The frame's first and last rows, of NaN, give the variables, their attrs and what lies along other
dimensions; a frame of one column gives all that lies along time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from dentframe.columns import Column, parse
from dentframe.labelled.names import TIME
from dentframe.reading import frame as _frame
from dentframe.reading.assemble import attrs_of
from dentframe.topics import kind_of
from dentframe.xarray_backend.cloud import converter
from dentframe.xarray_backend.lazy import Readings

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from dentframe.reading.request import Request
    from dentframe.xarray_backend.rows import Rows
    from dentframe.xarray_backend.wanted import Wanted


def lay_out(
    request: Request, wanted: Wanted, rows: Sequence[Rows], columns: Mapping[str, list[str]]
) -> xr.Dataset:
    """The Dataset of some meters' rows, its readings to be read when they are used.

    Parameters
    ----------
    request : Request
        What was asked for.
    wanted : Wanted
        How it is converted.
    rows : sequence of Rows
        One a meter.
    columns : mapping
        Meter to the columns of its frame.

    Raises
    ------
    RangeError
        Where the meters' times differ.
    """
    convert = converter(wanted)
    ends = convert(_frame_of(request, [r.ends() for r in rows], columns))
    along = convert(_frame_of(request, rows, {m: _telling(c) for m, c in columns.items()}))
    if not along.sizes[TIME]:
        return ends
    still = [name for name in ends.variables if TIME not in ends[name].dims]
    times = [name for name in along.coords if TIME in along[name].dims]
    found = ends[still].assign_coords({name: along[name].variable for name in times})
    found = found.assign({name: _lazy(ends[name], rows, request) for name in ends.data_vars})
    return found.assign_attrs(ends.attrs)


def _frame_of(
    request: Request, rows: Sequence[Rows], columns: Mapping[str, list[str]]
) -> pd.DataFrame:
    """The frame of a read without its readings."""
    frames = {r.meter: _nothing(r, columns[r.meter]) for r in rows}
    frame = next(iter(frames.values())) if request.single else _frame.stack(frames, request.topics)
    frame.attrs["dentcloud"] = attrs_of(request, frame)
    return frame


def _nothing(rows: Rows, columns: Sequence[str]) -> pd.DataFrame:
    values = np.full((len(rows.minutes), len(columns)), np.nan)
    return _frame.to_frame(_frame.Table(tuple(columns), rows.minutes, values))


def _telling(columns: Sequence[str]) -> list[str]:
    """One column, which tells whether there are time bounds: an interval mean, if there is any."""
    means = [c for c in columns if kind_of(parse(c).topic) == "interval_mean"]
    return (means or list(columns))[:1]


def _lazy(variable: xr.DataArray, rows: Sequence[Rows], request: Request) -> xr.Variable:
    topic, scope = variable.attrs["topic"], variable.attrs["scope"]
    ids = variable[variable.dims[-1]].values
    columns = [Column(topic, scope, str(name)).wire for name in ids]
    found = Readings(rows, columns, single=request.single)
    return found.variable([str(d) for d in variable.dims], dict(variable.attrs))
