"""Meters from the cloud: read once, at opening; nothing is asked after it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from dentframe.columns import split_element
from dentframe.datasets import to_xarray
from dentframe.errors import DentError, IncompleteReadError, RangeError
from dentframe.instants import is_utc, zone
from dentframe.labelled.names import TIME
from dentframe.labelled.rows import THEY_DIFFER, times_differ
from dentframe.reader import read_dentcloud
from dentframe.xarray_backend.chunks import ready

if TYPE_CHECKING:
    import datetime as dt

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
    """How the frames of an opening become Datasets: in its zone, for ``local_time``."""
    return partial(_dataset, wanted)


def _dataset(wanted: Wanted, frame: pd.DataFrame) -> xr.Dataset:
    local = _in_zone(frame, zone(wanted.tz))
    try:
        return to_xarray(local, interval=wanted.interval, demand_lag=wanted.demand_lag)
    except RangeError as error:
        if THEY_DIFFER not in str(error):
            raise
        meters = [split_element(name)[0] for name in wanted.meter]
        cure = f"Open one meter at a time: open_dataset({meters[0]!r}, ...)."
        raise times_differ(len(set(meters)), cure) from None


def _in_zone(frame: pd.DataFrame, tz: dt.tzinfo) -> pd.DataFrame:
    """The frame with its times in a zone; its values are not copied, as `tz_convert` might."""
    if is_utc(tz):
        return frame
    index: Any = frame.index
    found = frame.copy(deep=False)
    if index.nlevels > 1:
        times = index.levels[index.names.index(TIME)].tz_convert(tz)
        found.index = index.set_levels(times, level=TIME)
    else:
        found.index = index.tz_convert(tz)
    return found


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
