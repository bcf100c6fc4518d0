"""Meters from an archive: their times at opening, their readings when they are used."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe.archive.archive import Archive, opened
from dentframe.archive.read import resolve
from dentframe.cloud.windows import Window
from dentframe.instants import time_range
from dentframe.reading import frame as _frame
from dentframe.reading.assemble import of_elements, tell_of, tell_of_nothing
from dentframe.reading.finish import bar, check_errors, finish_as
from dentframe.reading.state import Reading
from dentframe.xarray_backend.chunks import ready
from dentframe.xarray_backend.glance import Glance, cut
from dentframe.xarray_backend.rows import Rows
from dentframe.xarray_backend.template import lay_out

if TYPE_CHECKING:
    import numpy.typing as npt
    import xarray as xr

    from dentframe.xarray_backend.wanted import Wanted

    Ints = npt.NDArray[np.int64]


def open_archive(wanted: Wanted, archive: Any) -> xr.Dataset:
    """What is wanted, as a Dataset that reads the archive when it is used, never the cloud.

    Raises
    ------
    IncompleteReadError
        Where the archive lacks windows; ``.partial`` and ``.resume()`` are Datasets.
    """
    check_errors(wanted.errors)
    # Absolute, for whoever unpickles the Dataset in another folder.
    found, now = Archive(opened(archive).path.absolute()), pd.Timestamp.now("UTC")
    span = time_range(wanted.start, wanted.end, wanted.tz, now=now)
    request = resolve(found, wanted.meter, span, wanted.topics)
    reading = Reading(Glance(found, now), request, bracket=wanted.bracket, now=now)
    make = partial(_dataset, found, wanted)
    return finish_as(make, reading, wanted.errors, partial(bar, False))


def _dataset(archive: Archive, wanted: Wanted, reading: Reading) -> xr.Dataset:
    meters = {meter: _rows(archive, reading, meter) for meter in reading.request.meters}
    frames = {meter: columns for meter, (_, columns) in meters.items()}
    rows = [found for found, _ in meters.values()]
    low, high = _minute(reading.request.start), _minute(reading.request.end)
    here = {r.meter: bool(((r.minutes >= low) & (r.minutes < high)).any()) for r in rows}
    tell_of_nothing(reading, here)
    return ready(lay_out(reading.request, wanted, rows, frames), wanted.dropped)


def _rows(archive: Archive, reading: Reading, meter: str) -> tuple[Rows, list[str]]:
    """The rows of a meter, and the columns that its frame has."""
    request, pages = reading.request, reading.of(meter)
    columns, dropped = _frame.wanted_columns(pages, request.topics, everything=request.all_topics)
    chosen = of_elements(columns, request.meters[meter], request.topics)
    table = _frame.join([replace(page, columns=()) for page in pages], ())
    minutes = _frame.clip(table, request.start, request.end).minutes
    tell_of(request, meter, pages, columns, dropped, 0)
    rows = Rows(archive, meter, request.topics, tuple(columns), minutes)
    return (_bracketed(rows, reading, chosen) if reading.bracket else rows), chosen


def _bracketed(rows: Rows, reading: Reading, columns: list[str]) -> Rows:
    """The rows with those that bracket the range: they depend on which cells are there."""
    start, end = reading.request.start, reading.request.end
    before = _around(rows, start, start - pd.Timedelta(1, "us"), columns)
    after = _around(rows, end, end, columns)
    parts = [before[before < _minute(start)], rows.minutes, after[after >= _minute(end)]]
    return replace(rows, minutes=np.concatenate(parts))


def _around(rows: Rows, edge: pd.Timestamp, within: pd.Timestamp, columns: list[str]) -> Ints:
    """The minutes that bracket an edge, in the UTC day of an instant."""
    day = Window(within.year, within.month, within.day)
    found = cut(rows.archive, rows.meter, [day], rows.topics, columns)
    table = _frame.join([] if found is None else [found[1]], columns)
    return _frame.clip(table, edge, edge, bracket=True).minutes


def _minute(instant: pd.Timestamp) -> int:
    """The first whole UTC minute at or after an instant."""
    return math.ceil(instant.timestamp() / 60)
