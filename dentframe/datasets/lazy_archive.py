"""Meters of an archive are opened as Datasets here, whose readings come when they are used.

Their times, rows, columns and reports are known at opening; readings are read by the month. A
Dataset looks as `to_xarray` would make it: the frame's first and last rows, of NaN, give the
variables, their attrs and what lies along other dimensions; a frame of one column gives all that
lies along time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from xarray.backends import BackendArray
from xarray.core import indexing

from dentframe.archive.archive import Archive, ArchiveSource, opened
from dentframe.archive.keep_settle_and_mend import resolve
from dentframe.archive.merge_and_monthly_coverage import as_run
from dentframe.cloud.planner import Window
from dentframe.datasets.cf_names_units_and_times import TIME
from dentframe.datasets.engine import ready
from dentframe.errors import ConfigError
from dentframe.frame import assemble as _frame
from dentframe.frame import read_job_and_warnings as _read
from dentframe.times.dates_and_ranges import time_range
from dentframe.wire.columns import Column, parse
from dentframe.wire.topics import kind_of

if TYPE_CHECKING:
    import numpy.typing as npt
    import xarray as xr

    from dentframe.frame.meters_and_topics import Request
    from dentframe.wire.pages_and_bad_cells import Page

    Convert = Callable[[pd.DataFrame], xr.Dataset]
    Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of one meter, without their readings.

    Attributes
    ----------
    archive : Archive
        Where they are: a path, no open file.
    meter : str
        Whose they are.
    topics : tuple of str
        The request keys.
    columns : list of str
        The columns that their frame has.
    minutes : numpy.ndarray of int64, shape (rows,)
        UTC minutes since 1970, sorted and unique [min].
    """

    archive: Archive
    meter: str
    topics: tuple[str, ...]
    columns: list[str]
    minutes: Ints

    def read(self, rows: Ints, columns: Sequence[str]) -> npt.NDArray[np.float64]:
        """The readings of some rows, in any order, shape (rows, columns); NaN where there is none.

        Raises
        ------
        ConfigError
            Where the archive no longer has these rows.
        """
        out = np.full((len(rows), len(columns)), np.nan)
        years = self.minutes[rows].astype("M8[m]").astype("M8[Y]")
        for year in np.unique(years) if columns else ():
            mine = np.flatnonzero(years == year)
            page, found = self._page(self.minutes[rows[mine]], columns)
            target, source = as_run(mine), as_run(found)
            at = {name: place for place, name in enumerate(page.columns)}
            for i, name in enumerate(columns):  # one may be asked for twice
                if name in at:
                    out[target, i] = page.values[source, at[name]]
        return out

    def _page(self, minutes: Ints, columns: Collection[str]) -> tuple[Page, Ints]:
        """The readings of the months of some minutes of a year, and where those are in it."""
        months = np.unique(minutes.astype("M8[m]").astype("M8[M]")).astype(np.int64)
        windows = [Window(1970 + m // 12, m % 12 + 1) for m in months.tolist()]
        for page in self.archive.meter(self.meter).pages(windows, self.topics, columns):
            at = np.searchsorted(page.minutes, minutes)
            if len(page.minutes) and np.array_equal(page.minutes.take(at, mode="clip"), minutes):
                return page, at
        which = windows[0] if len(windows) == 1 else f"{windows[0]} to {windows[-1]}"
        raise ConfigError(
            f"Cannot read {self.meter} {which} from {self.archive.path}: the archive no longer "
            "has the rows that it had when the dataset was opened. Open it again."
        )


def open_archive(
    options: Mapping[str, Any], convert: Convert, dropped: Collection[str]
) -> xr.Dataset:
    """What is opened, as a Dataset that reads the archive when it is used, never the cloud.

    Parameters
    ----------
    options : mapping
        All arguments of `dentframe.open_dataset`, by their names.
    convert : callable
        Makes the Dataset of a frame.
    dropped : collection of str
        The variables to leave out.

    Raises
    ------
    IncompleteReadError
        Where the archive lacks windows; ``.partial`` and ``.resume()`` are Datasets.
    """
    _read.check_errors(options["errors"])
    # Absolute, for whoever unpickles the Dataset in another folder.
    found = Archive(opened(options["archive"]).path.absolute())
    now = pd.Timestamp.now("UTC")
    span = time_range(options["start"], options["end"], options["tz"], now=now)
    request = resolve(found, options["meter"], span, options["topics"])
    source = ArchiveSource(found, now, columns=())
    reading = _read.ReadJob(source, request, bracket=options["bracket"], now=now)
    make = partial(_dataset, found, convert, dropped)
    return _read.complete(make, reading, options["errors"], False)


def _dataset(
    archive: Archive, convert: Convert, dropped: Collection[str], reading: _read.ReadJob
) -> xr.Dataset:
    """Of the frame's first and last rows come the variables, of one column what lies along time."""
    request = reading.request
    rows = [_rows(archive, reading, meter) for meter in request.meters]
    low, high = map(_frame.first_minute, (request.start, request.end))
    empty = [r.meter for r in rows if not ((r.minutes >= low) & (r.minutes < high)).any()]
    if empty:
        _read.warn_of_no_readings(reading, empty)
    edges = [replace(r, minutes=np.unique(np.r_[r.minutes[:1], r.minutes[-1:]])) for r in rows]
    ends = convert(_frame_of(request, edges))
    # An interval mean, if there is any, tells that there are time bounds.
    means = [[x for x in r.columns if kind_of(parse(x).topic) == "interval_mean"] for r in rows]
    one = [replace(r, columns=(x or r.columns)[:1]) for r, x in zip(rows, means, strict=True)]
    along = convert(_frame_of(request, one))
    if not along.sizes[TIME]:
        return ready(ends, dropped)
    found = ends[[name for name in ends.variables if TIME not in ends[name].dims]]
    times = [name for name in along.coords if TIME in along[name].dims]
    found = found.assign_coords({name: along[name].variable for name in times})
    for name, variable in ends.data_vars.items():
        topic, scope = variable.attrs["topic"], variable.attrs["scope"]
        ids = variable[variable.dims[-1]].values
        wires = [Column(topic, scope, str(x)).wire for x in ids]
        array = indexing.LazilyIndexedArray(Readings(rows, wires, single=request.single))
        found[name] = (variable.dims, array, variable.attrs)
    return ready(found.assign_attrs(ends.attrs), dropped)


def _rows(archive: Archive, reading: _read.ReadJob, meter: str) -> Rows:
    """The rows of a meter."""
    request, pages = reading.request, reading.pages_of(meter)
    columns, chosen = _read.columns_of(reading, meter)
    table = _frame.join([replace(page, columns=()) for page in pages], ())
    minutes = _frame.clip(table, request.start, request.end).minutes
    _read.warn_of_losses(request, meter, pages, columns, 0)
    if reading.bracket:  # which rows bracket the range depends on which cells are there
        edges = request.start - pd.Timedelta(1, "us"), request.end
        days = [Window(edge.year, edge.month, edge.day) for edge in edges]
        near = _frame.join(archive.meter(meter).pages(days, request.topics, chosen), chosen)
        near = _frame.clip(near, request.start, request.end, bracket=True)
        low, high = map(_frame.first_minute, (request.start, request.end))
        around = near.minutes[(near.minutes < low) | (near.minutes >= high)]
        minutes = np.union1d(minutes, around)
    return Rows(archive, meter, request.topics, chosen, minutes)


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
        return cube[tuple(0 if isinstance(k, int | np.integer) else slice(None) for k in key)]


def _frame_of(request: Request, rows: Sequence[Rows]) -> pd.DataFrame:
    """The frame of a read without its readings."""
    tables = {}
    for r in rows:
        none = np.full((len(r.minutes), len(r.columns)), np.nan)
        tables[r.meter] = _frame.Table(tuple(r.columns), r.minutes, none)
    return _read.frame_of_meters(request, tables, shared=True)
