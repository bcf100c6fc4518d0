"""Meters from the cloud: read once, at opening; nothing is asked after it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from dentframe.datasets import to_xarray
from dentframe.errors import DentError, IncompleteReadError
from dentframe.reader import read_dentcloud
from dentframe.xarray_backend.chunks import ready

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from dentframe.cloud.client import DentCloud
    from dentframe.xarray_backend.wanted import Wanted

    Convert = Callable[[pd.DataFrame], xr.Dataset]


def open_cloud(
    wanted: Wanted, *, client: DentCloud | None, archive: Any, progress: bool | None
) -> xr.Dataset:
    """Read what is wanted, as a Dataset in memory.

    Times come with the data, so there is nothing to gain from being lazy: what has its times
    has been answered. The Dataset holds no client, and pickles with its data.

    Raises
    ------
    IncompleteReadError
        Where windows are missing; ``.partial`` and ``.resume()`` are Datasets.
    """
    read = partial(
        read_dentcloud,
        wanted.meter,
        wanted.start,
        wanted.end,
        wanted.topics,
        tz=wanted.tz,
        bracket=wanted.bracket,
        errors=wanted.errors,
        client=client,
        archive=archive,
        progress=progress,
    )
    convert = converter(wanted)
    return whole(read, lambda frame: ready(convert(frame), wanted.dropped))


def converter(wanted: Wanted) -> Convert:
    """How the frames of an opening become Datasets."""
    return partial(to_xarray, interval=wanted.interval, demand_lag=wanted.demand_lag)


def whole(read: Callable[[], pd.DataFrame], convert: Convert) -> xr.Dataset:
    """The Dataset of a read; one that is not whole raises with Datasets."""
    try:
        return convert(read())
    except IncompleteReadError as error:
        raise IncompleteReadError(
            str(error),
            partial=_converted(error.partial, convert),
            missing=error.missing,
            resume=partial(whole, error.resume, convert),
            status=error.status,
            retry_after=error.retry_after,
            retryable=error.retryable,
        ) from error


def _converted(frame: pd.DataFrame, convert: Convert) -> Any:
    """A partial read as a Dataset; as the frame where its meters' times differ."""
    try:
        return convert(frame)
    except DentError:
        return frame
