"""An archive is read here: alone, before the client that has the rest, or meter by meter.

`ArchiveOnly` and `ArchiveFirst` are sources of a read job. `read_meter` reads some columns of one
meter, with or without a range, for a Dask worker.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe.archive import merge, parquet
from dentframe.archive import paths_and_lock as paths
from dentframe.archive.merge import choose, page
from dentframe.archive.meter import Meter, held, pages
from dentframe.cloud.read_windows import Answer, Job
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
from dentframe.frame import request as _request
from dentframe.frame.read import came_twice, check_errors, of_elements
from dentframe.frame.request import Request
from dentframe.times.dates_and_ranges import instant, time_range
from dentframe.wire.columns import ordered, parse

if TYPE_CHECKING:
    from datetime import datetime

    from dentframe.archive.archive import Archive
    from dentframe.archive.merge import Mask
    from dentframe.archive.metadata import Record
    from dentframe.cloud.client import DentCloud
    from dentframe.cloud.planner import Window
    from dentframe.metering.series import Run
    from dentframe.times.dates_and_ranges import Zone
    from dentframe.wire.page import Page

    Doubled = dict[str, dict[str, list[Run]]]
    Elements = tuple[str, ...] | None


_WHOLE = 1e12
"""An hour so large that the planner leaves out none that is held, whatever windows it takes [B]."""


class ArchiveOnly:
    """The archive and nothing behind it: what it does not hold is missing.

    Parameters
    ----------
    archive : Archive
        The archive.
    now : datetime
        The present, aware.
    spare : bool
        Whether what is damaged is missing, and the rest is read; else it is an error.
    columns : collection of str, optional
        The columns to read, as for `pages`: none for times, names and reports alone.
    """

    def __init__(
        self,
        archive: Archive,
        now: datetime,
        *,
        spare: bool = False,
        columns: Collection[str] | None = None,
    ) -> None:
        self.archive, self.now, self.spare, self.columns = archive, now, spare, columns
        self._meters: dict[str, Meter] = {}

    def _meter(self, name: str) -> Meter:
        """One look at a meter's files serves the plan and the read that follows it."""
        new = Meter(self.archive.path, name, {} if self.spare else None)
        return self._meters.setdefault(name, new)

    def get_meters(self, **_: bool) -> list[str]:
        """The meters of the archive."""
        return self.archive.meters()

    def get_topics(self, **_: bool) -> list[dict[str, str]]:
        """The topics that the archive keeps, else those of the built-in catalogue."""
        kept = self.archive.topics()
        builtin = ({"requestKey": t, "unit": u} for t, u in self.archive.units().items())
        return list(builtin) if kept is None else kept

    def held(self, meter: str, topics: Iterable[str]) -> set[Window]:
        """The windows that are held, whatever their age."""
        return held(self._meter(meter), topics, self.now, stale=True)

    def bytes_per_hour(self, *_: Any, **__: Any) -> float | None:
        """A size that makes the planner take all that is held."""
        return _WHOLE

    def read(self, jobs: Iterable[Job]) -> Iterator[Answer]:
        """The answers of the archive, and an error for each window that it does not hold."""
        try:
            for (name, topics), group in _groups(jobs).items():
                meter = self._meter(name)
                here = self.held(name, topics)
                yield from self._answers(meter, [job for job in group if _in(job.window, here)])
                for job in (job for job in group if not _in(job.window, here)):
                    damaged = (meter.damaged or {}).get(job.window.year)
                    yield Answer(job, error=damaged or self._lacks(job, here))
        finally:
            self._meters = {}  # also where the reading ends early: the next one looks anew

    def _answers(self, meter: Meter, jobs: Sequence[Job]) -> Iterator[Answer]:
        """The answers that are whole; where some are damaged, window by window."""
        try:
            yield from list(answers(meter, jobs, self.columns))
        except parquet.DamagedError as error:
            if not self.spare:
                raise
            if len(jobs) == 1:
                yield Answer(jobs[0], error=error)
            else:
                for job in jobs:
                    yield from self._answers(meter, [job])

    def _lacks(self, job: Job, here: set[Window]) -> OfflineError:
        return OfflineError(
            f"Cannot read {job.meter} {job.window} from the archive {self.archive.path}: it does "
            f"not hold all of {', '.join(job.topics)}. {_held_until(job, here)}"
            "Sync it (dentframe.sync), or use read_dentcloud(..., archive=) to ask the service "
            "for the rest."
        )


def _held_until(job: Job, here: set[Window]) -> str:
    """That the archive ends before a window, which that of UTC months does for local ones."""
    until = max((w.end for w in here), default=job.window.end)
    if until > job.window.start:
        return ""
    after = (job.window.end - timedelta(microseconds=1)).date() + timedelta(days=1)
    return (
        f"What it holds ends at {until:%Y-%m-%dT%H:%M} UTC, and local days and months end at "
        f'other hours: sync up to "{after}" (naive times of sync are UTC), or give the command '
        "dentframe sync your --tz. "
    )


class ArchiveFirst:
    """The archive, and a client for what it does not hold.

    Parameters
    ----------
    archive : Archive
        The archive.
    client : callable
        Makes the client, the first time it is needed.
    now : datetime
        The present, aware.
    """

    def __init__(self, archive: Archive, client: Callable[[], DentCloud], now: datetime) -> None:
        self.archive, self.client, self.now = archive, client, now

    def get_meters(self, *, refresh: bool = False) -> list[str]:
        """The meters of the archive; with `refresh` the account's too."""
        known = self.archive.meters()
        return [*known, *self.client().get_meters(refresh=True)] if refresh else known

    def get_topics(self, *, refresh: bool = False) -> list[dict[str, str]]:
        """The topics that the archive keeps; with `refresh`, or where it has none, the client's."""
        kept = None if refresh else self.archive.topics()
        return self.client().get_topics(refresh=refresh) if kept is None else kept

    def held(self, meter: str, topics: Iterable[str]) -> set[Window]:
        """The windows that archive or cache hold, and that need not be asked again."""
        wanted = tuple(topics)
        found = self.archive.held(meter, wanted, now=self.now)
        try:
            return found | self.client().held(meter, wanted)
        except AuthError:  # no key: enough where the archive holds all; else reading says so
            return found

    def bytes_per_hour(self, meter: str, topics: Sequence[str]) -> float | None:
        """What the client knows of the size [B/h]."""
        try:
            return self.client().bytes_per_hour(meter, topics)
        except AuthError:
            return None

    def read(self, jobs: Iterable[Job]) -> Iterator[Answer]:
        """The answers of the archive, and the client's for what the archive does not hold."""
        asked: dict[Job, Job] = {}
        for (name, topics), group in _groups(jobs).items():
            meter = self.archive.meter(name)
            here = {t: held(meter, [t], self.now) for t in topics}
            whole = [job for job in group if all(_in(job.window, here[t]) for t in topics)]
            yield from answers(meter, whole)
            for job in (job for job in group if job not in whole):
                lacking = tuple(t for t in topics if not _in(job.window, here[t]))
                asked[self._rest(job, lacking)] = job
        if asked:
            yield from self._asked(asked)

    def _rest(self, job: Job, lacking: tuple[str, ...]) -> Job:
        # An open window grows: parts of different ages would be ragged.
        return job if job.window.end > self.now else replace(job, topics=lacking)

    def _asked(self, asked: dict[Job, Job]) -> Iterator[Answer]:
        for answer in self.client().read(list(asked)):
            job = asked[answer.job]
            kept = tuple(t for t in job.topics if t not in answer.job.topics)
            mine = self.archive.pages(replace(job, topics=kept)) if kept else ()
            yield replace(answer, job=job, pages=(*mine, *answer.pages))


def answers(
    meter: Meter, jobs: Sequence[Job], columns: Collection[str] | None = None
) -> Iterator[Answer]:
    """The answers to jobs that a meter holds: the readings of all come with the first.

    One page a year, cut from the year's file at once, is far quicker than twelve joined.
    """
    if not jobs:
        return
    found = pages(meter, [job.window for job in jobs], jobs[0].topics, columns)
    yield Answer(jobs[0], tuple(found), cached=True)
    yield from (Answer(job, cached=True) for job in jobs[1:])


def _groups(jobs: Iterable[Job]) -> dict[tuple[str, tuple[str, ...]], list[Job]]:
    found: dict[tuple[str, tuple[str, ...]], list[Job]] = {}
    for job in jobs:
        found.setdefault((job.meter, job.topics), []).append(job)
    return found


def _in(window: Window, here: set[Window]) -> bool:
    return window in here or any(larger.contains(window) for larger in here)


def resolve(
    archive: Archive, meter: Any, span: tuple[Any, Any], topics: Any, *, spare: bool = False
) -> Request:
    """Resolve what is asked for, by what the archive has; refuse what it does not have."""
    meters = _request.parse_meters(meter)
    _check_meters(archive, list(meters))
    units = archive.units()
    everything = _request.is_everything(topics)
    known = units
    if everything:  # the topics that the archive holds anything of, in the order of getTopics
        each = (Meter(archive.path, m, {} if spare else None) for m in meters)
        held = {t for m in each for found in m.records.values() for r in found for t in r.topics}
        known = {t: unit for t, unit in units.items() if t in held} or units
    keys = _request.resolve_topics(topics, known)
    return Request(meters, isinstance(meter, str), *span, keys, everything, units)


def _check_meters(archive: Archive, meters: list[str]) -> None:
    known = archive.meters()
    for name in meters:
        if name not in known:
            raise UnknownMeterError(
                f"Cannot read meter {name!r}: the archive {archive.path} holds nothing of it"
                f"{did_you_mean(name, known) or '.'} It holds {len(known)} meter(s); sync the "
                "meter first."
            )


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
    shown = parquet.columns_of(paths.columns_file(archive.path)) if meters is None else ()
    found = dict.fromkeys(shown)
    for meter in archive.meters() if meters is None else meters:
        folder = archive.path / paths.folder_name(meter)
        settled = () if shown else folder.glob(f"*{paths.SUFFIX}")
        for path in (*archive.meter(meter).part_paths(), *settled):
            found.update(dict.fromkeys(parquet.columns_of(path)))
    return list(found)


def read_meter(
    selection: Selection, name: str, elements: Elements, columns: Collection[str]
) -> tuple[_frame.Table, set[str], Doubled]:
    """Some columns of a meter, of the elements asked for, and all that its files have of these.

    The third part of the result is where cells came twice, as `came_twice` tells it.

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
    meter, wanted = selection.archive.meter(name), set(columns)
    pages: list[Page | None] = []
    known: set[str] = set()
    missing: list[Window] = []
    years: Iterable[int] = sorted({*meter.settled_years(), *map(paths.year_of, meter.part_paths())})
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
            choice = choose(year, records, asked, topics)
            found = {*of_elements(list(choice.columns), elements, ())} & {*choice.columns}
            known |= found
            pages.append(page(choice, read, wanted & found))
    if missing:
        _tell_of_missing(selection, name, missing)
    there = [page for page in pages if page is not None]
    names = dict.fromkeys(c for page in there for c in page.columns)
    table = _frame.join(there, ordered(names, selection.topics))
    if selection.span is not None:
        table = _frame.clip(table, *selection.span, bracket=selection.bracket)
    return table, known, came_twice(table, there)


def _hours(
    selection: Selection, year: int, records: Sequence[Record], topics: tuple[str, ...]
) -> tuple[Mask, Mask]:
    """The hours of a year to read, and those of the range that are missing.

    Bracketing readings are looked for in the UTC days around the range; they may be missing.
    """
    hours = np.arange(merge.span(year).start, merge.span(year).stop)
    if selection.span is None:
        return np.ones(len(hours), np.bool_), np.zeros(len(hours), np.bool_)
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
