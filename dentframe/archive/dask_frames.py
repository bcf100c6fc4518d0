"""The readings of an archive as a Dask frame, partitioned by meter.

Dask, where it is installed: frames made part by part.

What a computation wants of an archive, resolved without reading any of it.

The readings of one meter, read from its files on a worker: its year's file, once a year.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe.archive import files, parquet
from dentframe.archive import merge as _hours
from dentframe.archive.merge import Holding, choose, page
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
from dentframe.frame.assemble import check_errors, of_elements
from dentframe.times.ranges import instant, time_range
from dentframe.wire.columns import ELEMENT, ordered, parse

if TYPE_CHECKING:
    from dentframe.archive.merge import Mask
    from dentframe.archive.meters import Meter
    from dentframe.archive.parquet import Record
    from dentframe.archive.store import Archive
    from dentframe.cloud.planner import Window
    from dentframe.times.ranges import Zone
    from dentframe.wire.page import Page


def dataframe(what: str) -> Any:
    """The module ``dask.dataframe``, or the error that names the extra."""
    try:
        import dask.dataframe
    except ImportError:
        raise missing_extra(what, "dask") from None
    return dask.dataframe


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


def assemble(
    dd: Any, make: Callable[..., pd.DataFrame], batches: Sequence[Batch], meta: pd.DataFrame
) -> Any:
    """A Dask frame that makes each of its parts from a batch."""
    import dask.config

    # The text columns are what they should be; Dask would turn `flags`, which are tuples, to text.
    with dask.config.set({"dataframe.convert-string": False}):
        return dd.from_map(make, list(batches), meta=meta, label="dentframe")


def text_dtype() -> Any:
    """The dtype of names in a Dask frame: ``str``, before pandas 3 ``string[pyarrow]``."""
    own = pd.Series(["-"]).dtype
    return "string[pyarrow]" if str(own) == "object" else own


def conform(parts: Sequence[pd.DataFrame], meta: pd.DataFrame) -> pd.DataFrame:
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


if TYPE_CHECKING:
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


def _changed(archive: Archive, meter: str) -> int:
    places = (
        archive.path / files.folder_name(meter),
        files.pending_folder(archive.path, meter),
    )
    return max((p.stat().st_mtime_ns for p in places if p.is_dir()), default=0)


def _chunks(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    found = iter(items)
    while part := list(islice(found, size)):
        yield part


if TYPE_CHECKING:
    Pick = Callable[[Sequence[str]], Collection[str]]
    Read = Callable[[Sequence[str], Collection[int]], Holding]

_DAY = 24
_NOTHING = Holding((), (), np.empty(0, np.int64), np.empty((0, 0)))


def table(wanted: Wanted, name: str, pick: Pick) -> _frame.Table:
    """What an archive holds of one meter, clipped to the range.

    Parameters
    ----------
    wanted : Wanted
        The archive, the topics, the range.
    name : str
        The meter.
    pick : callable
        Which of the columns that a year has are read; the rows do not depend on it.

    Raises
    ------
    IncompleteReadError
        Where the archive does not hold all of the range, and that is not to be warned of.
    """
    look = _Look(wanted, wanted.archive.meter(name), pick)
    pages = [found for year in look.years() if (found := look.page(year)) is not None]
    look.tell()
    columns = ordered(dict.fromkeys(c for p in pages for c in p.columns), wanted.topics)
    joined = _frame.join(pages, columns)
    return joined if wanted.span is None else _frame.clip(
        joined, *wanted.span, bracket=wanted.bracket
    )  # fmt: skip


class _Look:
    """One look at a meter, a year at a time; it remembers what is missing."""

    def __init__(self, wanted: Wanted, meter: Meter, pick: Pick) -> None:
        self.wanted, self.meter, self.pick = wanted, meter, pick
        self.now = pd.Timestamp.now("UTC")
        self.missing: list[Window] = []

    def years(self) -> range:
        """The UTC years to look at."""
        if self.wanted.span is None:
            found = self.meter.settled_years() + [
                files.year_of(path) for path in self.meter.part_paths()
            ]
            return range(min(found), max(found) + 1) if found else range(0)
        start, end = self._near(self.wanted.span)
        return range(_year_of(start), _year_of(max(end - 1, start)) + 1)

    def _near(self, span: Span) -> tuple[int, int]:
        """The hours of the range, with the UTC days in which its bracketing readings lie."""
        start, end = _hours_of(span)
        if not self.wanted.bracket:
            return start, end
        return (_hour(span[0] - pd.Timedelta(1, "us")) // _DAY) * _DAY, (
            _hour(span[1]) // _DAY + 1
        ) * _DAY

    def page(self, year: int) -> Page | None:
        """The rows of a year; None where it has none."""
        if self.meter.part_paths(year):
            merged = self.meter.merged(year)
            return self._cut(year, merged.records, lambda *_: merged)
        try:
            path = files.year_file(self.meter.root, self.meter.name, year)
            opened = parquet.open_file(path, self.meter.name, year)
        except FileNotFoundError:
            return self._cut(year, (), lambda *_: _NOTHING)
        with opened:
            return self._cut(year, opened.records, replace(opened, threads=False).read)

    def _cut(self, year: int, records: Sequence[Record], read: Read) -> Page | None:
        topics = self._topics(records)
        asked = self._asked(year, records, topics)
        choice = choose(year, tuple(records), asked, topics)
        kept = set(self.pick(choice.columns))
        if not choice.used:
            return None
        narrow = replace(choice, columns=tuple(c for c in choice.columns if c in kept))
        if not any(records[place].lacks for place in choice.used):
            narrow = replace(narrow, used=())  # their reports, of which nobody is told here
        return page(read(narrow.columns, _months(asked, year)), narrow)

    def _topics(self, records: Sequence[Record]) -> tuple[str, ...]:
        if self.wanted.strict:
            return self.wanted.topics
        held = {t for r in records for t in (*r.topics, *r.unasked)}
        return tuple(t for t in self.wanted.topics if t in held) or self.wanted.topics

    def _asked(self, year: int, records: Sequence[Record], topics: tuple[str, ...]) -> Mask:
        """The hours to read; those of the range that are not held are missing."""
        span = self.wanted.span
        if span is None:
            return np.ones(len(_hours.span(year)), np.bool_)
        hours = np.arange(_hours.span(year).start, _hours.span(year).stop)
        owner = _hours.owners(records, year)
        reach = _hours.any_reach(self.now.to_pydatetime())
        held = _hours.held(records, owner, topics, year, reach)
        start, end = _hours_of(span)
        inside = (hours >= start) & (hours < min(end, _hour(self.now) + 1))
        self.missing += sorted(_hours.windows(inside & ~held, year))
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
            f"not hold {shown}{more} of {', '.join(self.wanted.topics)}, and missing is not "
            'zero. Sync it (dentframe.sync), or take what there is with errors="warn".'
        )
        if self.wanted.errors == "raise":
            raise IncompleteReadError(text, missing=self.missing)
        warn(text, IncompleteReadWarning)


def _hours_of(span: Span) -> tuple[int, int]:
    start, end = span
    return _hour(start), _hour(end - pd.Timedelta(1, "us")) + 1


def _hour(instant: pd.Timestamp) -> int:
    return int(instant.timestamp() // 3600)


def _year_of(hour: int) -> int:
    return pd.Timestamp(hour, unit="h").year


def _months(asked: Mask, year: int) -> set[int]:
    return {month for month, hours in enumerate(_hours.months(year), 1) if asked[hours].any()}


METER = "meter"


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
    dd = dataframe("put an archive on Dask")
    found = portfolio(
        archive, meters, start, end, topics, tz=tz, bracket=bracket, errors=errors,
        strict=topics is not None,
    )  # fmt: skip
    names = _checked(columns, found.columns)
    meta = _meta(names)
    size = check_batch(batch, 1)
    return assemble(dd, Readings(found.wanted, tuple(names)), found.batches(size), meta)


@dataclass(frozen=True)
class Readings:
    """Makes a partition: the readings of its meters.

    Parameters
    ----------
    wanted : Wanted
        What is wanted of each.
    names : tuple of str
        The columns, wire names.
    """

    wanted: Wanted
    names: tuple[str, ...]

    def __call__(self, batch: Batch, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """The partition, or some of its columns, which Dask asks for."""
        chosen = list((METER, *self.names) if columns is None else columns)
        names = [c for c in chosen if c != METER]
        meta = _meta(names)
        parts = [self._one(meter, elements, names) for meter, elements in batch.meters]
        return conform(parts, meta)[chosen]

    def _one(self, meter: str, elements: Elements, names: Sequence[str]) -> pd.DataFrame:
        found = one_meter(self.wanted, meter, elements, names).frame()
        found.insert(0, METER, _repeated(meter, len(found)))
        return found


@dataclass(frozen=True)
class Found:
    """What was read of a meter.

    Attributes
    ----------
    table : Table
        Its readings.
    here : frozenset of str
        The columns that its files have in the range, of which the table may have fewer.
    """

    table: _frame.Table
    here: frozenset[str]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that were read."""
        return self.table.columns

    def frame(self) -> pd.DataFrame:
        """The readings over ``time``."""
        return _frame.to_frame(self.table, shared=False)


def one_meter(wanted: Wanted, meter: str, elements: Elements, names: Sequence[str]) -> Found:
    """Some columns of a meter, those of the elements asked for; it may have fewer."""
    asked, here = set(names), set[str]()

    def pick(columns: Sequence[str]) -> list[str]:
        kept = of_elements(list(columns), elements, ())
        here.update(c for c in kept if c in columns)
        return [c for c in kept if c in asked]

    found = table(wanted, meter, pick)
    return Found(found, frozenset(here))


def _repeated(name: str, times: int) -> Any:
    codes = np.zeros(times, np.int8)
    return pd.Categorical.from_codes(codes, pd.Index([name])).astype(text_dtype())


def _meta(names: Sequence[str]) -> pd.DataFrame:
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
