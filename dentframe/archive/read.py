"""An archive is read here: alone, before the client that has the rest, or meter by meter.

`ArchiveSource` is the source of a read job. `read_meter` reads some columns of one meter, with or
without a range, for a Dask worker.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe.archive import file_layout as layout
from dentframe.archive import merge, parquet
from dentframe.archive.meter import Meter
from dentframe.cloud.read_in_threads import Answer, Job
from dentframe.errors import (
    AuthError,
    ConfigError,
    IncompleteReadError,
    IncompleteReadWarning,
    OfflineError,
    RangeError,
    UnknownMeterError,
    did_you_mean,
    warn,
)
from dentframe.frame import assemble as _frame
from dentframe.frame import meters_topics_and_plan as _request
from dentframe.frame.assemble import note
from dentframe.frame.meters_topics_and_plan import Request
from dentframe.frame.read_job_and_warnings import came_twice, check_errors, of_elements
from dentframe.times.dates_and_ranges import instant, time_range
from dentframe.wire.columns import ordered, parse

if TYPE_CHECKING:
    from datetime import datetime

    from dentframe.archive.archive import Archive
    from dentframe.archive.file_layout import Record
    from dentframe.archive.merge import Mask
    from dentframe.cloud.client import DentCloud
    from dentframe.cloud.planner import Window
    from dentframe.times.dates_and_ranges import Zone
    from dentframe.wire.page import Page

    Elements = tuple[str, ...] | None


_WHOLE = 1e12
"""An hour so large that the planner leaves out none that is held, whatever windows it takes [B]."""


class ArchiveSource:
    """What an archive holds, and a client, if there is one, for what it does not hold.

    Parameters
    ----------
    archive : Archive
        The archive.
    now : datetime
        The present, aware.
    client : callable, optional
        Makes the client, the first time it is needed. Without it the rest is missing, and what
        is held counts whatever its age.
    spare : bool
        Whether what is damaged is missing, and the rest is read; else it is an error.
    columns : collection of str, optional
        The columns to read, as for `Meter.pages`: none for times, names and reports alone.
    """

    def __init__(
        self,
        archive: Archive,
        now: datetime,
        client: Callable[[], DentCloud] | None = None,
        *,
        spare: bool = False,
        columns: Collection[str] | None = None,
    ) -> None:
        self.archive, self.now, self.client = archive, now, client
        self.spare, self.columns = spare, columns
        self._meters: dict[str, Meter] = {}

    def _meter(self, name: str) -> Meter:
        """One look at a meter's files serves the plan and the read that follows it."""
        new = Meter(self.archive.path, name, {} if self.spare else None)
        return self._meters.setdefault(name, new)

    def get_meters(self, *, refresh: bool = False) -> list[str]:
        """The meters of the archive; with `refresh` the account's too."""
        known = self.archive.meters()
        if self.client is None or not refresh:
            return known
        return [*known, *self.client().get_meters(refresh=True)]

    def get_topics(self, *, refresh: bool = False) -> list[dict[str, str]]:
        """The topics that the archive keeps; with `refresh`, or where it has none, the client's."""
        if self.client is not None and refresh:
            return self.client().get_topics(refresh=True)
        kept = self.archive.topics()
        if kept is None and self.client is not None:
            return self.client().get_topics()
        builtin = _request.builtin_units()
        return [{"requestKey": t, "unit": u} for t, u in builtin.items()] if kept is None else kept

    def held(self, meter: str, topics: Iterable[str]) -> set[Window]:
        """The windows that archive or cache hold, and that need not be asked again."""
        wanted = tuple(topics)
        found = self._meter(meter).held(wanted, self.now, stale=self.client is None)
        if self.client is not None:
            # Without a key: enough where the archive holds all; else reading says so.
            with contextlib.suppress(AuthError):
                found |= self.client().held(meter, wanted)
        return found

    def bytes_per_hour(self, meter: str, topics: Sequence[str]) -> float | None:
        """What the client knows of the size; without one all that is held is taken [B/h]."""
        if self.client is None:
            return _WHOLE
        try:
            return self.client().bytes_per_hour(meter, topics)
        except AuthError:
            return None

    def read(self, jobs: Iterable[Job]) -> Iterator[Answer]:
        """The answers of the archive; then the client's, or an error for each window it lacks."""
        groups: dict[tuple[str, tuple[str, ...]], list[Job]] = {}
        for job in jobs:
            groups.setdefault((job.meter, job.topics), []).append(job)
        asked: dict[Job, Job] = {}
        try:
            for (name, topics), group in groups.items():
                meter, stale = self._meter(name), self.client is None
                here = meter.held(topics, self.now, stale=stale)
                whole = {job for job in group if _in(job.window, here)}
                yield from self._answers(meter, [job for job in group if job in whole])
                rest = [job for job in group if job not in whole]
                if self.client is None:
                    for job in rest:
                        damaged = (meter.damaged or {}).get(job.window.year)
                        yield Answer(job, error=damaged or self._lacks(job, here))
                elif rest:
                    of_topic = {t: meter.held([t], self.now) for t in topics}
                    asked |= {self._lacking(job, of_topic): job for job in rest}
        finally:
            self._meters = {}  # also where the reading ends early: the next one looks anew
        for answer in self.client().read(list(asked)) if self.client and asked else ():
            job = asked[answer.job]
            kept = tuple(t for t in job.topics if t not in answer.job.topics)
            mine = self.archive.pages(replace(job, topics=kept)) if kept else ()
            yield replace(answer, job=job, pages=(*mine, *answer.pages))

    def _lacking(self, job: Job, here: Mapping[str, set[Window]]) -> Job:
        """The job of the topics that are not held, which the client is asked for."""
        if job.window.end > self.now:
            return job  # an open window grows: parts of different ages would be ragged
        return replace(job, topics=tuple(t for t in job.topics if not _in(job.window, here[t])))

    def _answers(self, meter: Meter, jobs: Sequence[Job]) -> Iterator[Answer]:
        """The answers to jobs that a meter holds: the readings of all come with the first.

        One page a year, cut from the year's file at once, is far quicker than twelve joined.
        Where some are damaged, and the rest is to be read, they come window by window.
        """
        if not jobs:
            return
        try:
            pages = meter.pages([job.window for job in jobs], jobs[0].topics, self.columns)
        except parquet.DamagedError as error:
            if not self.spare:
                raise
            if len(jobs) == 1:
                yield Answer(jobs[0], error=error)
            else:
                for job in jobs:
                    yield from self._answers(meter, [job])
            return
        yield Answer(jobs[0], tuple(pages), cached=True)
        yield from (Answer(job, cached=True) for job in jobs[1:])

    def _lacks(self, job: Job, here: set[Window]) -> OfflineError:
        until = max((w.end for w in here), default=job.window.end)
        after = (job.window.end - timedelta(microseconds=1)).date() + timedelta(days=1)
        # That the archive ends before a window, which that of UTC months does for local ones.
        ends = "" if until > job.window.start else (
            f"What it holds ends at {until:%Y-%m-%dT%H:%M} UTC, and local days and months end at "
            f'other hours: sync up to "{after}" (naive times of sync are UTC), or give the command '
            "dentframe sync your --tz. "
        )  # fmt: skip
        return OfflineError(
            f"Cannot read {job.meter} {job.window} from the archive {self.archive.path}: it does "
            f"not hold all of {', '.join(job.topics)}. {ends}"
            "Sync it (dentframe.sync), or use read_dentcloud(..., archive=) to ask the service "
            "for the rest."
        )


def _in(window: Window, here: set[Window]) -> bool:
    return window in here or any(larger.contains(window) for larger in here)


def resolve(
    archive: Archive, meter: Any, span: tuple[Any, Any], topics: Any, *, spare: bool = False
) -> Request:
    """Resolve what is asked for, by what the archive has; refuse what it does not have."""
    meters, there = _request.parse_meters(meter), archive.meters()
    for name in meters:
        if name not in there:
            raise UnknownMeterError(
                f"Cannot read meter {name!r}: the archive {archive.path} holds nothing of it"
                f"{did_you_mean(name, there) or '.'} It holds {len(there)} meter(s); sync the "
                "meter first."
            )
    units = archive.units()
    everything = _request.is_everything(topics)
    known = units
    if everything:  # the topics that the archive holds anything of, in the order of getTopics
        held = {t for m in meters for t in Meter(archive.path, m, {} if spare else None).topics}
        known = {t: unit for t, unit in units.items() if t in held} or units
    keys = _request.resolve_topics(topics, known)
    return Request(meters, isinstance(meter, str), *span, keys, everything, units)


# --- what Dask's workers read ----------------------------------------------------------------

_INSTANT = pd.Timedelta(1, "us")


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
    span: tuple[pd.Timestamp, pd.Timestamp] | None
    bracket: bool
    errors: str


def select(
    archive: Archive, meters: Any, start: Any, end: Any, topics: Any, *, tz: Zone, strict: bool,
    bracket: bool, errors: str,
) -> tuple[Selection, dict[str, Elements], list[str]]:  # fmt: skip
    """What is read of each meter, the meters with their elements, and the columns of all of them.

    Raises
    ------
    RangeError, UnknownTopicError, UnknownMeterError, ConfigError
        Where an argument cannot be meant.
    MissingExtraError
        Where pyarrow is not installed.
    """
    check_errors(errors)
    parquet.pyarrow("read an archive")
    span = _span(start, end, tz)
    names = archive.meters() if meters is None else [meters] if isinstance(meters, str) else meters
    if meters is None and not names:
        raise ConfigError(
            f"Cannot compute from the archive {archive.path}: it holds nothing. Fill it with "
            "dentframe.sync first."
        )
    keys = list(archive.units()) if topics is None else topics
    request = resolve(archive, names, span or (pd.NaT, pd.NaT), keys)
    found = dict(sorted(request.meters.items()))
    here = type(archive)(archive.path.absolute())
    labels = _labels(here, None if meters is None else list(found))
    kept = [c for c in labels if topics is None or parse(c).topic in request.topics]
    asked = (
        c for elements in {*found.values()} for c in of_elements(kept, elements, request.topics)
    )
    columns = ordered(dict.fromkeys(asked), request.topics)
    return Selection(here, request.topics, strict, span, bracket, errors), found, columns


def _span(start: Any, end: Any, tz: Zone) -> tuple[pd.Timestamp, pd.Timestamp] | None:
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


def _labels(archive: Archive, meters: list[str] | None) -> list[str]:
    """The columns of some meters by the footers of their files; of all, by the archive's own."""
    shown = parquet.columns_of(layout.columns_file(archive.path)) if meters is None else ()
    found = dict.fromkeys(shown)
    for meter in archive.meters() if meters is None else meters:
        folder = archive.path / layout.folder_name(meter)
        settled = () if shown else folder.glob(f"*{layout.SUFFIX}")
        for path in (*archive.meter(meter).part_paths(), *settled):
            found.update(dict.fromkeys(parquet.columns_of(path)))
    return list(found)


def read_meter(
    selection: Selection, name: str, elements: Elements, columns: Collection[str]
) -> tuple[pd.DataFrame, set[str]]:
    """Some columns of a meter, of the elements asked for, and all that its files have of these.

    The frame has the attrs of a read. Without a range they name the meter, and no range.

    Parameters
    ----------
    selection : Selection
        The archive, the topics, the range.
    name : str
        The meter.
    elements : tuple of str or None
        The elements asked for; None for all.
    columns : collection of str
        The columns to read; the meter may have fewer. The rows do not depend on them.

    Raises
    ------
    IncompleteReadError
        Where the archive does not hold all of the range, and that is not to be warned of.
    """
    meter = selection.archive.meter(name)
    pages: list[Page] = []
    known: set[str] = set()
    missing: list[Window] = []
    years: Iterable[int] = sorted(
        {*meter.settled_years(), *map(layout.year_of, meter.part_paths())}
    )
    if selection.span is not None:
        start, end = selection.span
        # A year that is not asked for is not opened: its file may be damaged.
        first, last = (start - _INSTANT, end) if selection.bracket else (start, end - _INSTANT)
        years = range(first.year, last.year + 1)
    for year in years:
        with meter.of_year(year) as (records, read):
            topics = selection.topics
            if not selection.strict:
                here = {t for r in records for t in (*r.topics, *r.unasked)}
                topics = tuple(t for t in topics if t in here) or topics
            asked, lost = _hours(selection, year, records, topics)
            missing += sorted(merge.windows(lost, year))
            wanted = _of_elements(columns, elements)
            page, there = merge.page(year, records, read, asked, topics, wanted)
        known |= _of_elements(there, elements)
        pages += [] if page is None else [page]
    if missing:
        _tell_of_missing(selection, name, missing)
    names = dict.fromkeys(c for page in pages for c in page.columns)
    table = _frame.join(pages, ordered(names, selection.topics))
    if selection.span is not None:
        table = _frame.clip(table, *selection.span, bracket=selection.bracket)
    frame = _frame.to_frame(table, shared=False)
    ranges: Any = {name: selection.span or (None, None)}
    doubled = {what: {name: found} for what, found in came_twice(table, pages).items()}
    frame.attrs["dentcloud"] = note({}, ranges, frame, elements={name: elements}, **doubled)
    return frame, known


def _of_elements(columns: Iterable[str], elements: Elements) -> set[str]:
    return {c for c in columns if elements is None or parse(c).element in elements}


def _hours(
    selection: Selection, year: int, records: Sequence[Record], topics: tuple[str, ...]
) -> tuple[Mask, Mask]:
    """The hours of a year to read, and those of the range that are missing.

    Bracketing readings are looked for in the UTC days around the range; they may be missing.
    """
    here = merge.hours_of(year)
    if selection.span is None:
        return np.ones(len(here), np.bool_), np.zeros(len(here), np.bool_)
    hours = np.arange(here.start, here.stop)
    now, (start, end) = pd.Timestamp.now("UTC"), selection.span
    held = merge.held(records, topics, year, now=now, stale=True)
    inside = near = (hours >= _hour(start)) & (hours <= _hour(end - _INSTANT))
    if selection.bracket:
        first, last = _hour(start - _INSTANT) // 24 * 24, _hour(end) // 24 * 24 + 23
        near = (hours >= first) & (hours <= last)
    return held & near, inside & ~held & (hours <= _hour(now))


def _hour(instant: pd.Timestamp) -> int:
    return int(instant.timestamp() // 3600)


def _tell_of_missing(selection: Selection, meter: str, missing: list[Window]) -> None:
    shown = ", ".join(map(str, missing[:6]))
    more = f" and {len(missing) - 6} more" if len(missing) > 6 else ""
    text = (
        f"Cannot read all of {meter} from the archive {selection.archive.path}: it does "
        f"not hold {shown}{more} of {', '.join(selection.topics)}, and missing is not "
        'zero. Sync it (dentframe.sync), or take what there is with errors="warn".'
    )
    if selection.errors == "raise":
        raise IncompleteReadError(text, missing=missing)
    warn(text, IncompleteReadWarning)
