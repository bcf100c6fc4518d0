"""The door for those who do not want to name an engine."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import xarray as xr

from dentframe.labelled.names import LOCAL_TIME
from dentframe.xarray_backend.address import address_of
from dentframe.xarray_backend.entrypoint import DentCloudBackendEntrypoint

if TYPE_CHECKING:
    import os

    from dentframe.cloud.client import DentCloud
    from dentframe.instants import Zone


def open_dataset(
    meter: Any,
    start: Any,
    end: Any = None,
    topics: Any = None,
    *,
    tz: Zone = "UTC",
    bracket: bool = False,
    archive: str | os.PathLike[str] | Any = None,
    chunks: Any = None,
    drop_variables: str | Iterable[str] | None = None,
    errors: str = "raise",
    interval: Any = "15min",
    demand_lag: Any = "0min",
    client: DentCloud | None = None,
    progress: bool | None = None,
) -> xr.Dataset:
    """Open meters as one labelled Dataset of xarray.

    The same as ``xr.open_dataset("dentcloud://P482311252", engine="dentcloud", start=…)``.

    From the cloud, opening reads each month once and holds what came: no later call asks for
    anything, and the Dataset pickles with its data and without a key. From an archive it reads
    the times, and the readings when they are used, a month at a time; it pickles as the path.
    In a task of a `distributed` cluster only an archive is read.

    Parameters
    ----------
    meter : str or list of str
        A meter, ``"P482311252"``, or one element of it, ``"P482311252_A"``. A list gives a
        dimension ``meter``, even for one; the meters' times must be the same.
    start, end : str, date, datetime, Timestamp or Period
        The half-open range ``[start, end)``, as `read_dentcloud` takes it.
    topics : str or list of str, optional
        Request keys, or units where no key matches. None: all.
    tz : str or tzinfo
        The zone of naive bounds. Times in the Dataset are naive UTC; where `tz` is not, they
        have the coordinate ``local_time`` beside them, and the verbs take it for theirs.
    bracket : bool
        Also the last reading before `start` and the first at or after `end`.
    archive : path-like or Archive, optional
        Read this archive, and never the cloud, unless a `client` is given too: then it is
        asked for the windows that the archive lacks, and all is held in memory.
    chunks : int, dict, "auto" or None
        As for `xarray.open_dataset`: None for NumPy arrays, ``{}`` for Dask arrays of a UTC
        month each.
    drop_variables : str or iterable of str, optional
        Variables to leave out. A topic whose variables are all named is not asked for.
    errors : {"raise", "warn"}
        What to do where windows cannot be read.
    interval, demand_lag : str, timedelta, or mapping by meter
        A mean stamped t covers ``(t - demand_lag - interval, t - demand_lag]``, for
        ``time_bnds``.
    client : DentCloud, optional
        The client; by default one per process from the environment or the profile.
    progress : bool, optional
        Show a progress bar; None: in a terminal or a notebook.

    Returns
    -------
    xarray.Dataset
        A variable a topic, of shape (time, element) or (time, channel), with a first dimension
        ``meter`` for a list; float64 in the unit that its ``units`` say, NaN where there is no
        reading. See `dentframe.datasets.to_xarray`.

    Raises
    ------
    RangeError, UnknownTopicError, UnknownMeterError
        Where an argument cannot be meant, or the meters' times differ.
    ConfigError
        For another argument that cannot be used, an archive that cannot be read, or a Dask
        worker without `archive`.
    AuthError
        Where the service refuses the key, or there is none.
    IncompleteReadError
        Where windows are missing; ``.partial`` is a Dataset, and so is what ``.resume()``
        returns.

    Examples
    --------
    >>> ds = open_dataset("P482311252", "2023-12", topics="kWHNet", tz=LA, progress=False)
    >>> dict(ds.sizes)["element"], ds["kWHNet"].attrs["units"]
    (7, 'kilowatt_hour')
    """
    found = xr.open_dataset(
        address_of(meter),
        engine=DentCloudBackendEntrypoint,
        chunks=chunks,
        drop_variables=drop_variables,
        start=start,
        end=end,
        topics=topics,
        tz=tz,
        bracket=bracket,
        archive=archive,
        errors=errors,
        interval=interval,
        demand_lag=demand_lag,
        client=client,
        progress=progress,
    )
    if LOCAL_TIME in found.variables:
        # It is in memory, and xarray does not group by what is a Dask array.
        found.variables[LOCAL_TIME].load(scheduler="synchronous")
    return found
