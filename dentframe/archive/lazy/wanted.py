"""What a computation wants of an archive, resolved without reading any of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from dentframe.archive import layout, parquet
from dentframe.archive.read import resolve
from dentframe.columns import ELEMENT, ordered, parse
from dentframe.errors import ConfigError, RangeError
from dentframe.instants import instant, time_range
from dentframe.reading.assemble import of_elements
from dentframe.reading.finish import check_errors

if TYPE_CHECKING:
    from dentframe.archive.archive import Archive
    from dentframe.instants import Zone

    Span = tuple[pd.Timestamp, pd.Timestamp]
    Elements = tuple[str, ...] | None


@dataclass(frozen=True)
class Wanted:
    """What is wanted of each meter; it travels to the workers as a path, names and times.

    Attributes
    ----------
    archive : Archive
        Where it is, by an absolute path.
    topics : tuple of str
        Request keys, in order.
    strict : bool
        Whether a meter must hold every topic, or those it has anything of.
    span : tuple of pandas.Timestamp, or None
        The half-open range, UTC; None is all that is held of each meter.
    bracket : bool
        Whether the readings around the range are wanted too.
    errors : str
        ``"raise"`` or ``"warn"``, where a meter does not hold all of the range.
    """

    archive: Archive
    topics: tuple[str, ...]
    strict: bool
    span: Span | None
    bracket: bool
    errors: str


@dataclass(frozen=True)
class Batch:
    """The meters of one partition.

    Attributes
    ----------
    meters : tuple of (str, tuple of str or None)
        Each meter and the elements asked for, None for all.
    state : tuple of int
        When the folder of each was last changed [ns]: what was computed before a sync is not
        taken for what is there after it.
    """

    meters: tuple[tuple[str, Elements], ...]
    state: tuple[int, ...]


@dataclass(frozen=True)
class Portfolio:
    """What is wanted, of whom, and which columns they have.

    Attributes
    ----------
    wanted : Wanted
        What is wanted of each meter.
    meters : mapping
        Meter to the elements asked for, or None for all of them; sorted.
    columns : tuple of str
        The wire names of all of them together, in order.
    """

    wanted: Wanted
    meters: Mapping[str, Elements]
    columns: tuple[str, ...]

    def batches(self, size: int) -> list[Batch]:
        """The meters in partitions of so many."""
        state = {name: _changed(self.wanted.archive, name) for name in self.meters}
        return [
            Batch(tuple(part), tuple(state[name] for name, _ in part))
            for part in _chunks(self.meters.items(), size)
        ]


def portfolio(
    archive: Archive,
    meters: Any,
    start: Any,
    end: Any,
    topics: Any,
    *,
    tz: Zone,
    bracket: bool,
    errors: str,
    strict: bool,
) -> Portfolio:
    """Resolve what is asked for by names and footers alone.

    Raises
    ------
    RangeError, UnknownTopicError, UnknownMeterError, ConfigError
        Where an argument cannot be meant.
    """
    check_errors(errors)
    parquet.pyarrow("read an archive")
    span = _span(start, end, tz)
    names = _named(archive, meters)
    keys = list(archive.units()) if topics is None else topics
    request = resolve(archive, names, span or (pd.NaT, pd.NaT), keys)
    found = dict(sorted(request.meters.items()))
    here = type(archive)(archive.path.absolute())
    wanted = Wanted(here, request.topics, strict, span, bracket, errors)
    labels = _labels(here, None if meters is None else list(found))
    kept = [c for c in labels if topics is None or parse(c).topic in request.topics]
    return Portfolio(wanted, found, tuple(_of(found, kept, request.topics)))


def _named(archive: Archive, meters: Any) -> Any:
    if meters is not None:
        return [meters] if isinstance(meters, str) else meters
    names = archive.meters()
    if not names:
        raise ConfigError(
            f"Cannot compute from the archive {archive.path}: it holds nothing. Fill it with "
            "dentframe.sync first."
        )
    return names


def _span(start: Any, end: Any, tz: Zone) -> Span | None:
    if start is not None:
        _check_zone(start, end, tz)
        zone = "UTC" if tz is None else tz
        return time_range(start, end, zone, now=pd.Timestamp.now("UTC"))
    if end is not None:
        raise RangeError(
            f"Cannot use end={end!r} without a start: give both, or neither for all that the "
            "archive holds."
        )
    return None


def _check_zone(start: Any, end: Any, tz: Zone) -> None:
    """Refuse a naive bound where no zone says what it means."""
    if tz is None:
        instant(start, None, "start")
        if end is not None and end != "now":
            instant(end, None, "end")


def _of(
    meters: Mapping[str, Elements], labels: Sequence[str], topics: tuple[str, ...]
) -> list[str]:
    """The columns that the meters can have: those of the elements asked for."""
    asked = set(meters.values())
    found = (c for elements in asked for c in of_elements(list(labels), elements, topics))
    return ordered(dict.fromkeys(found), topics)


def _labels(archive: Archive, meters: list[str] | None) -> list[str]:
    """The columns of some meters by the footers of their files; of all, by the archive's own."""
    shown = parquet.columns_of(layout.columns_file(archive.path)) if meters is None else ()
    paths = _files(archive, archive.meters() if meters is None else meters, settled=not shown)
    return list(dict.fromkeys((*shown, *(c for p in paths for c in parquet.columns_of(p)))))


def _files(archive: Archive, meters: Iterable[str], *, settled: bool) -> Iterator[Path]:
    for meter in meters:
        yield from archive.meter(meter).part_paths()
        if settled:
            yield from (archive.path / layout.folder_name(meter)).glob(f"*{layout.SUFFIX}")


def whole_elements(labels: Iterable[str], topics: Sequence[str]) -> list[str]:
    """The columns of whole elements of some topics."""
    return [c for c in labels if parse(c).scope == ELEMENT and parse(c).topic in topics]


def _changed(archive: Archive, meter: str) -> int:
    places = (
        archive.path / layout.folder_name(meter),
        layout.pending_folder(archive.path, meter),
    )
    return max((p.stat().st_mtime_ns for p in places if p.is_dir()), default=0)


def _chunks(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    found = iter(items)
    while part := list(islice(found, size)):
        yield part
