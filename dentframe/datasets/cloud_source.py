"""The module opens meters of the cloud as a Dataset whose readings are read when they are used.

The Dataset looks as `to_xarray` would make it: the frame's first and last rows, of NaN, give the
variables, their attrs and what lies along other dimensions; a frame of one column gives all that
lies along time. Meters are read once, at opening, and a Dask worker never asks the cloud.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from dentframe.datasets.results import to_xarray
from dentframe.datasets.variables import BOUNDS, CHANNEL_ELEMENT, THEY_DIFFER, TIME, times_differ
from dentframe.errors import ConfigError, DentError, IncompleteReadError, RangeError
from dentframe.frame import assemble as _frame
from dentframe.frame.read import attrs_of
from dentframe.frame.request import Without
from dentframe.reader import read_dentcloud
from dentframe.times.ranges import is_utc, zone
from dentframe.wire.columns import Column, parse, split_element
from dentframe.wire.topics import kind_of

if TYPE_CHECKING:
    import datetime as dt

    import numpy.typing as npt
    import pandas as pd

    from dentframe.cloud.client import DentCloud
    from dentframe.datasets.archive_source import Rows
    from dentframe.frame.request import Request
    from dentframe.times.ranges import Zone


_SCOPES = ("_ch", "_elm")


@dataclass(frozen=True)
class Opening:
    """One opening: the reader's arguments, and those of the conversion.

    Attributes
    ----------
    meter : str or list of str
        As `read_dentcloud` takes it.
    start, end, topics, tz, bracket, errors
        As `read_dentcloud` takes them.
    interval, demand_lag
        As `to_xarray` takes them.
    dropped : frozenset of str
        The variables to leave out.
    """

    meter: str | list[str]
    start: Any
    end: Any
    topics: Any
    tz: Zone
    bracket: bool
    errors: str
    interval: Any
    demand_lag: Any
    dropped: frozenset[str]


def dropped_names(drop_variables: str | Iterable[str] | None) -> frozenset[str]:
    """The names in xarray's `drop_variables`: one, several or none."""
    if drop_variables is None:
        return frozenset()
    return frozenset([drop_variables] if isinstance(drop_variables, str) else drop_variables)


def topics_without(topics: Any, dropped: frozenset[str]) -> Any:
    """The topics to ask for, so that those of dropped variables are not.

    A topic with a variable over elements and one over channels goes when both are dropped.
    """
    bases = {name.removesuffix(_SCOPES[0]) for name in dropped if name.endswith(_SCOPES[0])}
    both = {base for base in bases if {base + scope for scope in _SCOPES} <= dropped}
    return Without(topics, dropped | both) if dropped else topics


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


def on_worker() -> bool:
    """Whether this runs in a task of a `distributed` cluster."""
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return False
    try:
        distributed.get_worker()
    except (ValueError, AttributeError):
        return False
    return True


def refuse_cloud_on_worker(target: object) -> None:
    """Refuse to ask the cloud from a cluster.

    Raises
    ------
    ConfigError
        In a task of a `distributed` cluster.
    """
    if on_worker():
        raise ConfigError(
            f"Cannot open {target!r} from the cloud on a Dask worker: the service's limits are "
            "one account's, however many workers there are, and keys are not sent to them. "
            "Sync the meters once with dentframe.sync and open them with archive=, or open the "
            "dataset where the cluster's client is."
        )


class Readings(BackendArray):
    """One variable: readings of shape (time, ids), or (meter, time, ids) of several meters.

    Pickles as paths and times; nothing is open between two reads.

    Parameters
    ----------
    meters : sequence of Rows
        The meters, whose rows have the same times.
    columns : sequence of str
        The column of each id, a wire name.
    single : bool
        Whether there is no dimension of meters.
    """

    def __init__(self, meters: Sequence[Rows], columns: Sequence[str], *, single: bool) -> None:
        self.meters, self.columns, self.single = tuple(meters), tuple(columns), single
        size = len(self.meters[0].minutes), len(self.columns)
        self.shape: tuple[int, ...] = size if single else (len(self.meters), *size)
        self.dtype = np.dtype(np.float64)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        support = indexing.IndexingSupport.OUTER
        return indexing.explicit_indexing_adapter(key, self.shape, support, self._read)

    def _read(self, key: tuple[Any, ...]) -> npt.NDArray[np.float64]:
        chosen = [np.atleast_1d(np.arange(n)[k]) for k, n in zip(key, self.shape, strict=True)]
        rows, ids = chosen[-2:]
        columns = [self.columns[i] for i in ids]
        which = [0] if self.single else chosen[0]
        found = [self.meters[i].read(rows, columns) for i in which]
        cube = found[0] if self.single else np.stack(found)
        return cube[tuple(0 if np.ndim(k) == 0 and _is_int(k) else slice(None) for k in key)]

    def variable(self, dims: Sequence[str], attrs: dict[Any, Any]) -> xr.Variable:
        """A variable over these dimensions that reads when it is used."""
        return xr.Variable(dims, indexing.LazilyIndexedArray(self), attrs)


def _is_int(key: Any) -> bool:
    return isinstance(key, int | np.integer)


if TYPE_CHECKING:
    Convert = Callable[[pd.DataFrame], xr.Dataset]


def open_cloud(
    opening: Opening, *, client: DentCloud | None, archive: Any, progress: bool | None
) -> xr.Dataset:
    """Read what is opened, as a Dataset in memory.

    Times come with the data, so there is nothing to gain from being lazy: what has its times
    has been answered. The Dataset holds no client, and pickles with its data.

    Raises
    ------
    IncompleteReadError
        Where windows are missing; ``.partial`` and ``.resume()`` are Datasets.
    """
    read = partial(
        read_dentcloud,
        opening.meter,
        opening.start,
        opening.end,
        opening.topics,
        tz=opening.tz,
        bracket=opening.bracket,
        errors=opening.errors,
        client=client,
        archive=archive,
        progress=progress,
    )
    convert = converter(opening)
    return whole(read, lambda frame: ready(convert(frame), opening.dropped))


def converter(opening: Opening) -> Convert:
    """How the frames of an opening become Datasets: in its zone, for ``local_time``."""
    return partial(_cloud_dataset, opening)


def _cloud_dataset(opening: Opening, frame: pd.DataFrame) -> xr.Dataset:
    local = _in_zone(frame, zone(opening.tz))
    try:
        return to_xarray(local, interval=opening.interval, demand_lag=opening.demand_lag)
    except RangeError as error:
        if THEY_DIFFER not in str(error):
            raise
        meters = [split_element(name)[0] for name in opening.meter]
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


def lay_out(
    request: Request, opening: Opening, rows: Sequence[Rows], columns: Mapping[str, list[str]]
) -> xr.Dataset:
    """The Dataset of some meters' rows, its readings to be read when they are used.

    Parameters
    ----------
    request : Request
        What was asked for.
    opening : Opening
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
    convert = converter(opening)
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
