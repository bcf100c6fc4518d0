"""What xarray is told of a Dataset that it opens: its chunks, and what is left out. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from dentframe.labelled.names import BOUNDS, CHANNEL_ELEMENT, TIME

if TYPE_CHECKING:
    import numpy.typing as npt
    import xarray as xr

NEVER = (CHANNEL_ELEMENT,)
"""Texts beside a dimension: xarray would make Dask chunks of them, which ``chunks="auto"``
refuses and `to_netcdf` warns of. The channel's own name tells its element."""


def ready(dataset: xr.Dataset, dropped: Iterable[str]) -> xr.Dataset:
    """The Dataset as xarray is to have it: without what is dropped, with chunks, closable."""
    found = prefer_months(dataset.drop_vars([*dropped, *NEVER], errors="ignore"))
    found.set_close(nothing_open)
    return found


def nothing_open() -> None:
    """Close nothing: no file or connection outlives a read. `open_mfdataset` calls it."""


def prefer_months(dataset: xr.Dataset) -> xr.Dataset:
    """Say in the encodings that time is best cut by month, as it is asked for and kept."""
    sizes = month_sizes(dataset[TIME].values)
    if BOUNDS in dataset.variables:
        # As that of the times: xarray gives bounds their units, but Dask arrays need the dtype.
        dataset.variables[BOUNDS].encoding.update(dataset.variables[TIME].encoding)
    for variable in dataset.variables.values():
        if TIME in variable.dims and sizes:
            variable.encoding["preferred_chunks"] = {TIME: sizes}
    return dataset


def month_sizes(times: npt.NDArray[Any]) -> tuple[int, ...]:
    """How many of these sorted times lie in each month that has any."""
    months = times.astype("datetime64[M]").astype(np.int64)
    edges = np.flatnonzero(np.diff(months, prepend=np.nan)) if len(months) else months
    return tuple(np.diff(edges, append=len(months)).tolist())
