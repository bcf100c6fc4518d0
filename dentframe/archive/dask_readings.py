"""The readings of an archive are a Dask frame here: partitioned by meter, read by workers.

What is asked for is resolved from names and footers alone. A worker then reads the files of one
meter at a time, a UTC year after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe.archive import files, merge, parquet
from dentframe.archive.merge import choose
from dentframe.archive.meters import chosen
from dentframe.archive.source import resolve
from dentframe.errors import (
    ConfigError,
    IncompleteReadError,
    IncompleteReadWarning,
    RangeError,
    did_you_mean,
    missing_extra,
    warn,
)
from dentframe.frame import assemble as _frame
from dentframe.frame.read import came_twice, check_errors, of_elements
from dentframe.times.ranges import instant, time_range
from dentframe.wire.columns import ELEMENT, ordered, parse

if TYPE_CHECKING:
    from dentframe.archive.merge import Mask
    from dentframe.archive.records import Record
    from dentframe.archive.store import Archive
    from dentframe.cloud.planner import Window
    from dentframe.metering.attrs import Run
    from dentframe.times.ranges import Zone
    from dentframe.wire.page import Page

    Doubled = dict[str, dict[str, list[Run]]]
    Span = tuple[pd.Timestamp, pd.Timestamp]
    Elements = tuple[str, ...] | None
    Batch = tuple[tuple[str, Elements, int], ...]

METER = "meter"
_DAY = 24


def check_dask(what: str) -> None:
    """See that Dask is there, or raise the error that names the extra."""
    try:
        import_module("dask.dataframe")
    except ImportError:
        raise missing_extra(what, "dask") from None


def check_batch(batch: int | None, otherwise: int) -> int:
    """How many meters a partition has.

    Raises
    ------
    ConfigError
        For what is no whole number from 1.
    """
    if batch is None:
        return otherwise
    if not isinstance(batch, int) or isinstance(batch, bool) or batch < 1:
        raise ConfigError(
            f"Cannot use batch={batch!r}: it is how many meters a partition has, a whole number "
            "from 1."
        )
    return batch


def text_dtype() -> Any:
    """The dtype of names in a Dask frame: ``str``, before pandas 3 ``string[pyarrow]``."""
    own = pd.Series(["-"]).dtype
    return "string[pyarrow]" if str(own) == "object" else own


def conform(parts: Iterable[pd.DataFrame], meta: pd.DataFrame) -> pd.DataFrame:
    """Parts as one frame with the columns and dtypes of `meta`."""
    found = [part for part in parts if len(part)]
    if not found:
        return meta
    whole = found[0] if len(found) == 1 else pd.concat(found)
    if list(whole.columns) != list(meta.columns):
        whole = whole.reindex(columns=meta.columns)
    whole.attrs = {}
    here, wanted = dict(whole.dtypes), dict(meta.dtypes)
    changed = {c: wanted[c] for c in wanted if here[c] != wanted[c]}
    return whole.astype(changed) if changed else whole


# --- what is asked for, resolved without reading any of it --------------------------------


@dataclass(frozen=True)
class Selection:
    """What is read of each meter; it travels to the workers as a path, names and times.

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
class Portfolio:
    """What is read, of whom, and which columns they have.

    Attributes
    ----------
    selection : Selection
        What is read of each meter.
    meters : mapping
        Meter to the elements asked for, or None for all of them; sorted.
    columns : tuple of str
        The wire names of all of them together, in order.
    """

    selection: Selection
    meters: Mapping[str, Elements]
    columns: tuple[str, ...]

    def graph(self, make: Callable[[Batch], pd.DataFrame], size: int, meta: pd.DataFrame) -> Any:
        """A Dask frame that makes each of its parts from so many meters."""
        import dask.config
        import dask.dataframe

        dd: Any = dask.dataframe
        named = list(self.meters.items())
        parts = (named[first : first + size] for first in range(0, len(named), size))
        batches = [tuple(self._stamped(part)) for part in parts]
        # The text columns are what they should be; Dask would turn `flags`, tuples, to text.
        with dask.config.set({"dataframe.convert-string": False}):
            return dd.from_map(make, batches, meta=meta, label="dentframe")

    def _stamped(self, part: Iterable[tuple[str, Elements]]) -> Iterator[tuple[str, Elements, int]]:
        """Meters with when their folders last changed [ns]: no result outlives the next sync."""
        root = self.selection.archive.path
        for name, elements in part:
            places = (root / files.folder_name(name), files.pending_folder(root, name))
            changed = max((p.stat().st_mtime_ns for p in places if p.is_dir()), default=0)
            yield name, elements, changed


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
    selection = Selection(here, request.topics, strict, span, bracket, errors)
    labels = _labels(here, None if meters is None else list(found))
    kept = [c for c in labels if topics is None or parse(c).topic in request.topics]
    return Portfolio(selection, found, tuple(_of(found, kept, request.topics)))


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
        if tz is None:  # nothing says what a naive bound means
            for name, bound in (("start", start), ("end", end)):
                if bound is not None and bound != "now":
                    instant(bound, None, name)
        return time_range(start, end, tz or "UTC", now=pd.Timestamp.now("UTC"))
    if end is not None:
        raise RangeError(
            f"Cannot use end={end!r} without a start: give both, or neither for all that the "
            "archive holds."
        )
    return None


def _of(
    meters: Mapping[str, Elements], labels: Sequence[str], topics: tuple[str, ...]
) -> list[str]:
    """The columns that the meters can have: those of the elements asked for."""
    asked = set(meters.values())
    found = (c for elements in asked for c in of_elements(list(labels), elements, topics))
    return ordered(dict.fromkeys(found), topics)


def _labels(archive: Archive, meters: list[str] | None) -> list[str]:
    """The columns of some meters by the footers of their files; of all, by the archive's own."""
    shown = parquet.columns_of(files.columns_file(archive.path)) if meters is None else ()
    paths = _files(archive, archive.meters() if meters is None else meters, settled=not shown)
    return list(dict.fromkeys((*shown, *(c for p in paths for c in parquet.columns_of(p)))))


def _files(archive: Archive, meters: Iterable[str], *, settled: bool) -> Iterator[Path]:
    for meter in meters:
        yield from archive.meter(meter).part_paths()
        if settled:
            yield from (archive.path / files.folder_name(meter)).glob(f"*{files.SUFFIX}")


def whole_elements(labels: Iterable[str], topics: Sequence[str]) -> list[str]:
    """The columns of whole elements of some topics."""
    return [c for c in labels if parse(c).scope == ELEMENT and parse(c).topic in topics]


# --- the readings of one meter, on a worker ------------------------------------------------


def one_meter(
    selection: Selection, meter: str, elements: Elements, names: Collection[str]
) -> tuple[_frame.Table, set[str], Doubled]:
    """Some columns of a meter, of the elements asked for, and all that its files have of these.

    The third part of the result is where cells came twice, as `came_twice` tells it.

    Parameters
    ----------
    selection : Selection
        The archive, the topics, the range.
    meter : str
        The meter.
    elements : tuple of str or None
        The elements asked for; None for all.
    names : collection of str
        The columns to read; the meter may have fewer. The rows do not depend on them.

    Raises
    ------
    IncompleteReadError
        Where the archive does not hold all of the range, and that is not to be warned of.
    """
    reader = _MeterReader(selection, meter, elements, names)
    pages = [found for year in reader.years() if (found := reader.page(year)) is not None]
    reader.tell()
    columns = ordered(dict.fromkeys(c for p in pages for c in p.columns), selection.topics)
    table = _frame.join(pages, columns)
    if selection.span is not None:
        table = _frame.clip(table, *selection.span, bracket=selection.bracket)
    return table, reader.here, came_twice(table, pages)


class _MeterReader:
    """Reads a meter a year at a time; it remembers what is there and what is missing."""

    def __init__(
        self, selection: Selection, meter: str, elements: Elements, names: Collection[str]
    ) -> None:
        self.selection, self.elements, self.names = selection, elements, set(names)
        self.meter, self.now = selection.archive.meter(meter), pd.Timestamp.now("UTC")
        self.missing: list[Window] = []
        self.here: set[str] = set()

    def years(self) -> Iterable[int]:
        """The UTC years to read."""
        if self.selection.span is None:
            parts = map(files.year_of, self.meter.part_paths())
            return sorted({*self.meter.settled_years(), *parts})
        start, end = self._near(self.selection.span)
        years = np.array([start, max(end - 1, start)], "M8[h]").astype("M8[Y]").astype(int) + 1970
        return range(years[0], years[1] + 1)

    def _near(self, span: Span) -> tuple[int, int]:
        """The hours of the range, with the UTC days in which its bracketing readings lie."""
        start, end = _hours_of(span)
        if not self.selection.bracket:
            return start, end
        first, last = _hour(span[0] - pd.Timedelta(1, "us")), _hour(span[1])
        return first // _DAY * _DAY, (last // _DAY + 1) * _DAY

    def page(self, year: int) -> Page | None:
        """The rows of a year; None where it has none."""
        with self.meter.of_year(year) as (records, read):
            topics = self._topics(records)
            choice = choose(year, records, self._asked(year, records, topics), topics)
            kept = of_elements(list(choice.columns), self.elements, ())
            self.here.update(set(kept) & set(choice.columns))
            return chosen(read, choice, self.names & set(kept))

    def _topics(self, records: Sequence[Record]) -> tuple[str, ...]:
        if self.selection.strict:
            return self.selection.topics
        held = {t for r in records for t in (*r.topics, *r.unasked)}
        return tuple(t for t in self.selection.topics if t in held) or self.selection.topics

    def _asked(self, year: int, records: Sequence[Record], topics: tuple[str, ...]) -> Mask:
        """The hours to read; those of the range that are not held are missing."""
        span = self.selection.span
        hours = np.arange(merge.span(year).start, merge.span(year).stop)
        if span is None:
            return np.ones(len(hours), np.bool_)
        reach = merge.any_reach(self.now.to_pydatetime())
        held = merge.held(records, merge.owners(records, year), topics, year, reach)
        start, end = _hours_of(span)
        inside = (hours >= start) & (hours < min(end, _hour(self.now) + 1))
        self.missing += sorted(merge.windows(inside & ~held, year))
        low, high = self._near(span)
        return np.asarray(held & (hours >= low) & (hours < high))

    def tell(self) -> None:
        """Raise or warn of what is missing."""
        if not self.missing:
            return
        shown = ", ".join(map(str, self.missing[:6]))
        more = f" and {len(self.missing) - 6} more" if len(self.missing) > 6 else ""
        text = (
            f"Cannot read all of {self.meter.name} from the archive {self.meter.root}: it does "
            f"not hold {shown}{more} of {', '.join(self.selection.topics)}, and missing is not "
            'zero. Sync it (dentframe.sync), or take what there is with errors="warn".'
        )
        if self.selection.errors == "raise":
            raise IncompleteReadError(text, missing=self.missing)
        warn(text, IncompleteReadWarning)


def _hours_of(span: Span) -> tuple[int, int]:
    return _hour(span[0]), _hour(span[1] - pd.Timedelta(1, "us")) + 1


def _hour(instant: pd.Timestamp) -> int:
    return int(instant.timestamp() // 3600)


# --- readings as a frame -----------------------------------------------------------------


def to_dask(
    archive: Archive,
    meters: Any = None,
    topics: Any = None,
    start: Any = None,
    end: Any = None,
    *,
    tz: Zone = "UTC",
    columns: Sequence[str] | None = None,
    bracket: bool = False,
    errors: str = "raise",
    batch: int | None = None,
) -> Any:
    """The readings as a Dask frame, partitioned by meter; nothing is read before it is computed.

    Parameters
    ----------
    archive : Archive
        The archive; workers must reach its folder by the same path.
    meters : str, list of str, optional
        Meters, or elements of them (``"P482311252_A"``). None: all.
    topics : str or list of str, optional
        Request keys, or units where no key matches. None: all that the archive holds.
    start, end : str, date, datetime, Timestamp or Period, optional
        The half-open range, as in `Archive.read`. Neither: all that is held of each meter.
    tz : str or tzinfo
        The zone of naive bounds.
    columns : list of str, optional
        Only these wire names. What Dask finds out to be needed is read in any case, no more.
    bracket : bool
        Also the last reading before `start` and the first at or after `end`.
    errors : str
        ``"raise"``, or ``"warn"`` where the archive does not hold all of the range.
    batch : int, optional
        How many meters a partition has; 1 by default.

    Returns
    -------
    dask.dataframe.DataFrame
        Index ``time`` (UTC), a column ``meter`` (Dask has no MultiIndex), and float64 columns
        of wire names in the units of getTopics; NaN where a meter has no such column. Sorted
        by time within a meter. A partition holds whole meters, never a part of one, so that no
        interval is lost at an edge. Without attrs: units are known by name.

    Raises
    ------
    RangeError, UnknownTopicError, UnknownMeterError, ConfigError
        Where an argument cannot be meant.
    IncompleteReadError
        When it is computed, where the archive does not hold all of the range.
    MissingExtraError
        Where Dask is not installed.

    Notes
    -----
    Never asks the cloud, and needs no key. It looks at names and footers only; readings are
    read by the workers. pint dtypes do not survive Dask: the columns are floats.
    """
    check_dask("put an archive on Dask")
    found = portfolio(
        archive, meters, start, end, topics, tz=tz, bracket=bracket, errors=errors,
        strict=topics is not None,
    )  # fmt: skip
    names = _checked(columns, found.columns)
    meta = _form(names)
    return found.graph(Readings(found.selection, tuple(names)), check_batch(batch, 1), meta)


@dataclass(frozen=True)
class Readings:
    """Makes a partition: the readings of its meters.

    Parameters
    ----------
    selection : Selection
        What is read of each.
    names : tuple of str
        The columns, wire names.
    """

    selection: Selection
    names: tuple[str, ...]

    def __call__(self, batch: Batch, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """The partition, or some of its columns, which Dask asks for."""
        wanted = list((METER, *self.names) if columns is None else columns)
        names = [c for c in wanted if c != METER]
        parts = (self._one(meter, elements, names) for meter, elements, _ in batch)
        return conform(parts, _form(names))[wanted]

    def _one(self, meter: str, elements: Elements, names: Sequence[str]) -> pd.DataFrame:
        table, *_ = one_meter(self.selection, meter, elements, names)
        found = _frame.to_frame(table, shared=False)
        codes = np.zeros(len(found), np.int8)
        names_of = pd.Categorical.from_codes(codes, pd.Index([meter]))
        found.insert(0, METER, names_of.astype(text_dtype()))
        return found


def _form(names: Sequence[str]) -> pd.DataFrame:
    time = pd.DatetimeIndex(np.empty(0, "M8[us]"), name="time").tz_localize("UTC")
    found = pd.DataFrame(np.empty((0, len(names))), index=time, columns=list(names))
    found.insert(0, METER, pd.Series([], dtype=text_dtype(), index=time))
    return found


def _checked(columns: Sequence[str] | None, known: Sequence[str]) -> list[str]:
    if columns is None:
        return list(known)
    names = [columns] if isinstance(columns, str) else [c for c in columns if c != METER]
    for name in names:
        if name not in known:
            raise ConfigError(
                f"Cannot read column {name!r}: the meters and topics asked for have none"
                f"{did_you_mean(name, list(known)) or '.'} They have {len(known)} columns."
            )
    return names
