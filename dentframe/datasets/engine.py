"""xarray finds this engine for an address such as ``dentcloud://P482311252``.

`open_dataset` passes the engine for those who do not want to name it. Meters of the cloud are read
once, at opening, and a Dask worker never asks it.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
import pandas as pd
import xarray as xr
from xarray.backends import BackendEntrypoint

from dentframe.datasets.cf_names_units_and_times import BOUNDS, CHANNEL_ELEMENT, LOCAL_TIME, TIME
from dentframe.datasets.frame_and_dataset import to_dataset
from dentframe.errors import (
    ConfigError,
    DentError,
    IncompleteReadError,
    RangeError,
    did_you_mean,
    missing_extra,
)
from dentframe.frame.meters_and_topics import Without
from dentframe.read_plan_and_inventory import read_dentcloud
from dentframe.times.dates_and_ranges import Zone, zone
from dentframe.wire.columns import split_element

if TYPE_CHECKING:
    from dentframe.cloud.client import DentCloud


SCHEME = "dentcloud://"


@dataclass(frozen=True, repr=False)
class Address(os.PathLike[str]):
    """An address that is new each time it is made, for Dask.

    xarray names the chunks of two Datasets alike where their arguments are. On a cluster that
    keeps the chunks of one, the other would get those, though readings came in between.

    Attributes
    ----------
    text : str
        ``dentcloud://P482311252``.
    made : str
        What tells it from others.
    """

    text: str
    made: str = field(default_factory=lambda: uuid4().hex)

    def __fspath__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.text


def is_address(target: object) -> bool:
    """Whether xarray's first argument names meters of DentCloud."""
    return isinstance(target, str | os.PathLike) and str(os.fspath(target)).startswith(SCHEME)


def address_of(meter: Any) -> Any:
    """The address of the reader's `meter`: a name, or a list even of one.

    Examples
    --------
    >>> address_of(["P482311252", "P482102272_A"])
    dentcloud://P482311252,P482102272_A
    >>> address_of(["P482311252"])
    dentcloud://P482311252,
    """
    if isinstance(meter, str) and not is_address(meter):
        return Address(SCHEME + meter.strip())
    if _is_list(meter) and all(isinstance(name, str) for name in meter):
        names = [name.strip() for name in meter]
        return Address(SCHEME + ",".join(names) + ("," if len(names) == 1 else ""))
    return meter


def meters_of(target: Any) -> str | list[str]:
    """The reader's `meter` of an address or a list of meters; `address_of` backwards.

    Raises
    ------
    ConfigError
        Where it is neither.
    """
    if _is_list(target):
        return [name.removeprefix(SCHEME) if isinstance(name, str) else name for name in target]
    if not is_address(target):
        raise ConfigError(
            f"Cannot open {target!r} with the engine dentcloud: it is no meter's address. "
            'Use "dentcloud://P482311252", several as "dentcloud://P482311252,P482102272", '
            "or a list of meters."
        )
    names = str(os.fspath(target)).removeprefix(SCHEME).strip("/")
    if "," not in names:
        return names
    return [name.strip() for name in names.split(",") if name.strip()]


def _is_list(value: object) -> bool:
    return isinstance(value, Collection) and not isinstance(value, str | bytes | Mapping)


def wanted(topics: Any, dropped: frozenset[str]) -> Any:
    """The topics to ask for, so that those of dropped variables are not.

    A topic with a variable over elements and one over channels goes when both are dropped.
    """
    bases = {name.removesuffix("_ch") for name in dropped}
    both = {base for base in bases if {f"{base}_ch", f"{base}_elm"} <= dropped}
    return Without(topics, dropped | both) if dropped else topics


def ready(dataset: xr.Dataset, dropped: Iterable[str]) -> xr.Dataset:
    """The Dataset as xarray is to have it: without what is dropped, with chunks, closable.

    Its encodings say that time is best cut by month, as it is asked for and kept. The elements
    of channels are dropped always, for the channel's own name tells its element: xarray would
    make Dask chunks of those texts, which ``chunks="auto"`` refuses and `to_netcdf` warns of.
    """
    found = dataset.drop_vars([*dropped, CHANNEL_ELEMENT], errors="ignore")
    if BOUNDS in found.variables:
        # As that of the times: xarray gives bounds their units, but Dask arrays need the dtype.
        found.variables[BOUNDS].encoding.update(found.variables[TIME].encoding)
    _, sizes = np.unique(found[TIME].values.astype("M8[M]"), return_counts=True)
    for variable in found.variables.values():
        if TIME in variable.dims and len(sizes):
            variable.encoding["preferred_chunks"] = {TIME: tuple(sizes.tolist())}
    found.set_close(nothing_open)
    return found


def nothing_open() -> None:
    """Close nothing: no file or connection outlives a read. `open_mfdataset` calls it."""


def refuse_cloud_on_worker(target: object) -> None:
    """Refuse to ask the cloud from a cluster.

    Raises
    ------
    ConfigError
        In a task of a `distributed` cluster.
    """
    try:
        sys.modules["distributed"].get_worker()
    except (KeyError, ValueError, AttributeError):
        return
    raise ConfigError(
        f"Cannot open {target!r} from the cloud on a Dask worker: the service's limits are "
        "one account's, however many workers there are, and keys are not sent to them. "
        "Sync the meters once with dentframe.sync and open them with archive=, or open the "
        "dataset where the cluster's client is."
    )


def _complete(
    read: Callable[[], pd.DataFrame], make: Callable[[pd.DataFrame], xr.Dataset]
) -> xr.Dataset:
    """The Dataset of a read, in memory; one that is not whole raises with Datasets.

    Times come with the data, so there is nothing to gain from being lazy: what has its times
    has been answered. The Dataset holds no client, and pickles with its data.
    """
    try:
        return make(read())
    except IncompleteReadError as error:
        part = error.partial
        with contextlib.suppress(DentError):  # a frame where its meters' times differ
            part = make(part)
        raise IncompleteReadError(
            str(error),
            partial=part,
            missing=error.missing,
            resume=partial(_complete, error.resume, make),
            status=error.status,
            retry_after=error.retry_after,
            retryable=error.retryable,
        ) from error


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
        also have the coordinate ``local_time``, and the verbs take it for theirs.
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
    MissingExtraError
        For `chunks` without Dask.
    IncompleteReadError
        Where windows are missing; ``.partial`` is a Dataset, and so is what ``.resume()``
        returns.

    Examples
    --------
    >>> ds = open_dataset("P482311252", "2023-12", topics="kWHNet", tz=LA, progress=False)
    >>> dict(ds.sizes)["element"], ds["kWHNet"].attrs["units"]
    (7, 'kW h')
    """
    found = xr.open_dataset(
        address_of(meter), engine=DentCloudBackendEntrypoint, chunks=chunks,
        drop_variables=drop_variables, start=start, end=end, topics=topics, tz=tz, bracket=bracket,
        archive=archive, errors=errors, interval=interval, demand_lag=demand_lag, client=client,
        progress=progress,
    )  # fmt: skip
    if LOCAL_TIME in found.variables:
        # It is in memory, and xarray does not group by what is a Dask array.
        found.variables[LOCAL_TIME].load(scheduler="synchronous")
    return found


_SIGNATURE = inspect.signature(open_dataset)
_OPTIONS = [x for x in _SIGNATURE.parameters if x not in {"meter", "chunks", "drop_variables"}]


def _convert(options: Mapping[str, Any], frame: pd.DataFrame) -> xr.Dataset:
    """The Dataset of a read: in its zone, for ``local_time``."""
    level = TIME if isinstance(frame.index, pd.MultiIndex) else None
    local = frame.copy(deep=False)
    # Of the index alone: that of a frame copies all readings in pandas 2.
    local.index = pd.DataFrame(index=frame.index).tz_convert(zone(options["tz"]), level=level).index
    meter = options["meter"]
    first, _ = split_element(meter if isinstance(meter, str) else meter[0])
    return to_dataset(
        local,
        interval=options["interval"],
        demand_lag=options["demand_lag"],
        cure=f"Open one meter at a time: open_dataset({first!r}, ...).",
    )


class DentCloudBackendEntrypoint(BackendEntrypoint):
    """Meters of DentCloud as Datasets: ``xr.open_dataset("dentcloud://P…", engine="dentcloud")``.

    Name the engine: xarray's guess gives every ``…://`` to netCDF4.
    """

    description = "DENT meters from DentCloud or an archive (dentcloud://METER)"
    open_dataset_parameters = ("filename_or_obj", "drop_variables", *_OPTIONS, "decode_times")
    supports_groups = True

    def open_dataset(
        self,
        filename_or_obj: Any,
        *,
        drop_variables: str | Iterable[str] | None = None,
        decode_times: Any = None,
        **asked: Any,
    ) -> xr.Dataset:
        """Open meters; `dentframe.open_dataset` tells of the parameters and errors."""
        options = {name: asked.pop(name) for name in _OPTIONS if name in asked}
        _check_decoders(decode_times, asked)
        _check_dask(sys._getframe(1))  # noqa: SLF001 - see there
        if options.get("start") is None:
            raise RangeError(
                f"Cannot open {filename_or_obj!r} without a start. Pass it to open_dataset, "
                'e.g. start="2023-12" (and end= for what is no whole year, month or day).'
            )
        out = [drop_variables] if isinstance(drop_variables, str) else drop_variables or ()
        dropped = frozenset(out)
        bound = _SIGNATURE.bind(meters_of(filename_or_obj), **options)
        bound.apply_defaults()
        whole = bound.arguments | {"topics": wanted(options.get("topics"), dropped)}
        make = partial(_convert, whole)
        if whole["archive"] is not None and whole["client"] is None:
            from dentframe.datasets.lazy_archive import open_archive

            return open_archive(whole, make, dropped)
        refuse_cloud_on_worker(filename_or_obj)
        known = inspect.signature(read_dentcloud).parameters.keys() & whole.keys()
        read = partial(read_dentcloud, **{name: whole[name] for name in known})
        return _complete(read, lambda frame: ready(make(frame), dropped))

    def open_groups_as_dict(
        self, filename_or_obj: Any, *, drop_variables: Any = None, **asked: Any
    ) -> dict[str, xr.Dataset]:
        """Open meters, each as a group of its own, so that their times may differ."""
        found = meters_of(filename_or_obj)
        names = [found] if isinstance(found, str) else found
        return {
            f"/{name}": self.open_dataset(SCHEME + name, drop_variables=drop_variables, **asked)
            for name in names
        }

    def open_datatree(
        self, filename_or_obj: Any, *, drop_variables: Any = None, **asked: Any
    ) -> xr.DataTree:
        """Open meters as a tree, a node a meter."""
        groups = self.open_groups_as_dict(filename_or_obj, drop_variables=drop_variables, **asked)
        return xr.DataTree.from_dict(groups)

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Whether this is an address ``dentcloud://…``."""
        return is_address(filename_or_obj)


def _check_dask(caller: Any) -> None:
    """Refuse chunks where nothing makes them, before anything is read.

    xarray does not tell an engine which chunks its caller asked for, and names no extra.
    """
    while caller is not None and caller.f_globals.get("__name__") != "xarray.backends.api":
        caller = caller.f_back
    asked = None if caller is None else caller.f_locals.get("chunks")
    if asked is not None and not any(map(find_spec, ("dask", "cubed"))):
        raise missing_extra("open meters in chunks", "dask")


_DECODERS = {"mask_and_scale", "decode_timedelta", "decode_coords", "concat_characters"}


def _check_decoders(decode_times: Any, others: dict[str, Any]) -> None:
    """Refuse what cannot be left undecoded; what changes nothing here may be given."""
    for name in sorted(set(others) - _DECODERS - {"use_cftime"}):
        raise ConfigError(
            f"Cannot open with {name}={others[name]!r}: the engine dentcloud has no such "
            f"option{did_you_mean(name, _OPTIONS)}"
        )
    if decode_times is False or others.get("use_cftime"):
        asked = "decode_times=False (or decode_cf=False)"
        raise ConfigError(
            f"Cannot open with {asked if decode_times is False else 'use_cftime=True'}: times "
            "come from the service as instants, never as numbers since a date. Leave it out; "
            "to_netcdf writes numbers."
        )
