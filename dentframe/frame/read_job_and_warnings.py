"""One read goes from its request to its frame here, or to the error that says what is missing.

A `ReadJob` asks its source for the windows that it lacks and can be taken up again. Unreadable
text and conflicts warn; what is merely absent or blank is ordinary, is NaN, and goes to the log
and to coverage.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
import pandas as pd

from dentframe.cloud.planner import Window, plan
from dentframe.cloud.read_in_threads import Answer, Job
from dentframe.errors import (
    ConfigError,
    DentError,
    IncompleteReadError,
    IncompleteReadWarning,
    ReadingWarning,
    UnknownMeterError,
    by,
    first_of,
    warn,
)
from dentframe.frame import assemble as _frame
from dentframe.frame import quantify as _quantify
from dentframe.wire.columns import ELEMENT, ordered, parse
from dentframe.wire.pages_and_bad_cells import Page, Report
from dentframe.wire.topics import kind_of

if TYPE_CHECKING:
    from dentframe.frame.meters_and_topics import Request, Source
    from dentframe.metering.series import Run

T = TypeVar("T")

_INSTANT: Final = pd.Timedelta(1, "us")
_log = logging.getLogger("dentframe")


class ReadJob:
    """One read: which windows to ask, what came, what is missing; it can be taken up again.

    Parameters
    ----------
    source : Source
        Has the windows: a client, an archive, or one before the other.
    request : Request
        What is read.
    bracket : bool
        Whether the readings around the range are read too.
    now : pandas.Timestamp
        The present: the future is never asked for.
    """

    def __init__(
        self, source: Source, request: Request, *, bracket: bool, now: pd.Timestamp
    ) -> None:
        self.source = source
        self.request = request
        self.bracket = bracket
        self.now = now
        self.windows = {
            m: planned(source, request, m, bracket=bracket, now=now)[0] for m in request.meters
        }
        self.pages: dict[str, dict[Job, tuple[Page, ...]]] = {m: {} for m in request.meters}
        self.reserved = {m: _frame.ReservedRows(found) for m, found in self.windows.items()}
        self.errors: dict[Job, DentError] = {}
        self.resumable = False

    def ask(self, windows: Mapping[str, Sequence[Window]], progress: bool | None) -> None:
        """Ask for those of some windows that are not here yet.

        A progress of None shows a bar where somebody watches.
        """
        topics = self.request.topics
        jobs = [Job(meter, w, topics) for meter, found in windows.items() for w in found]
        jobs = [job for job in jobs if job not in self.pages[job.meter]]
        answers: Iterable[Answer] = self.source.read(jobs)
        if jobs and progress is not False:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                from tqdm.auto import tqdm
            shown = False if progress else None  # None: tqdm shows it where somebody watches
            answers = tqdm(answers, None, len(jobs), False, unit="window", disable=shown)
        for answer in answers:
            if answer.error is None:
                meter, pages = answer.job.meter, answer.pages
                columns = _frame.wanted_columns(pages, topics, everything=self.request.all_topics)
                self.pages[meter][answer.job] = tuple(
                    self.reserved[meter].put(page, columns) for page in pages
                )
                self.errors.pop(answer.job, None)
            else:
                self.errors[answer.job], self.resumable = answer.error, True

    def further(self, meter: str) -> list[Window]:
        """The windows, with the days to look in for brackets that the neighbouring hours lack."""
        table, request = _frame.join(self.pages_of(meter), ()), self.request
        edges = []
        if not _frame.before(table, request.start):
            edges.append(request.start - _INSTANT)
        if not _frame.after(table, request.end):
            edges.append(request.end)
        if not edges:
            return []
        cached = self.source.held(meter, request.topics)
        days = [Window(edge.year, edge.month, edge.day) for edge in edges]
        return _extended(self.windows[meter], days, now=self.now, cached=cached)

    def pages_of(self, meter: str, *, keep: bool = True) -> list[Page]:
        """The pages of one meter so far, whose readings need not be kept here any longer.

        A read that can be taken up again, once or more often, keeps them all the same.
        """
        found = [page for pages in self.pages[meter].values() for page in pages]
        if not (keep or self.resumable):
            for job, pages in self.pages[meter].items():
                self.pages[meter][job] = tuple(replace(p, values=np.empty((0, 0))) for p in pages)
        return found


def planned(
    source: Source, request: Request, meter: str, *, bracket: bool, now: pd.Timestamp
) -> tuple[list[Window], set[Window]]:
    """The windows to read for one meter, and those that need no request."""
    cached = source.held(meter, request.topics)
    size = source.bytes_per_hour(meter, request.topics)
    windows = plan(request.start, request.end, now=now, cached=cached, bytes_per_hour=size)
    if bracket:
        edges = request.start - _INSTANT, request.end
        hours = [Window(edge.year, edge.month, edge.day, edge.hour) for edge in edges]
        windows = _extended(windows, hours, now=now, cached=cached)
    return windows, cached


def _extended(
    windows: list[Window], more: Sequence[Window], *, now: pd.Timestamp, cached: set[Window]
) -> list[Window]:
    """The windows, and with them those that are needed to cover some more."""
    for one in more:
        free = {*cached, *windows}
        windows = sorted({*windows, *plan(one.start, one.end, now=now, cached=free)})
    return windows


def assemble(reading: ReadJob, *, quantify: bool) -> pd.DataFrame:
    """The frame of a read, whole or partial, with its attrs; warns of what was lost."""
    request = reading.request
    tables = {}
    for meter in request.meters:
        columns, chosen = columns_of(reading, meter)
        joined = _frame.join(
            reading.pages_of(meter, keep=False),
            chosen,
            None if reading.resumable else reading.reserved.pop(meter),
        )
        conflicts = sum(map(len, joined.conflicts.values()))
        warn_of_losses(request, meter, reading.pages_of(meter), columns, conflicts)
        tables[meter] = _frame.clip(joined, request.start, request.end, bracket=reading.bracket)
        del joined
    found = {m: came_twice(t, reading.pages_of(m)) for m, t in tables.items()}
    doubled = {k: {m: x[k] for m, x in found.items()} for k in ("conflicts", "duplicates")}
    span = [_frame.first_minute(at) for at in (request.start, request.end)]
    inside = {m: np.searchsorted(t.minutes, span) for m, t in tables.items()}
    empty = [m for m, (first, last) in inside.items() if first == last]
    if empty:
        warn_of_no_readings(reading, empty)
    frame = frame_of_meters(request, tables, shared=reading.resumable, **doubled)
    return _quantify.quantify(frame) if quantify else frame


def frame_of_meters(
    request: Request, tables: dict[str, _frame.Table], *, shared: bool, **doubled: Any
) -> pd.DataFrame:
    """The frame of a read, of the tables of its meters, with what it says of itself."""
    minutes = {m: t.minutes[[0, -1]].tolist() for m, t in tables.items() if len(t.minutes)}
    rows = {m: [at * _frame.US_PER_MINUTE for at in x] for m, x in minutes.items()}
    if request.single:
        frame = _frame.to_frame(tables.popitem()[1], shared=shared)
    else:
        frame = _frame.stack(tables, request.topics)
    topics = {*request.topics, *(parse(c).topic for c in frame.columns)}
    units = {topic: unit for topic, unit in request.units.items() if topic in topics}
    ranges = dict.fromkeys(request.meters, (request.start, request.end))
    frame.attrs["dentcloud"] = _frame.note(units, ranges, rows, elements=request.meters, **doubled)
    return frame


def came_twice(table: _frame.Table, pages: Sequence[Page]) -> dict[str, dict[str, list[Run]]]:
    """The ``conflicts`` and ``duplicates`` of a note: by column, runs of rows that came twice.

    An archive has settled them; of its conflicts it knows only how many a page had.
    """
    there, again = table.minutes, dict(table.duplicates)
    for page in pages:
        for column in (c for c in table.columns if c in page.report.doubled):
            for first, last, _ in page.report.doubled[column]:
                low, high = np.searchsorted(there, (first, last + 1)).tolist()
                again[column] = np.union1d(again.get(column, there[:0]), there[low:high])
    us = _frame.US_PER_MINUTE
    conflicts, duplicates = (
        {c: _frame.runs(np.intersect1d(at, there) * us, there * us) for c, at in found.items()}
        for found in (table.conflicts, again)
    )
    for page in (p for p in pages if len(p.minutes)):
        first, last = (page.minutes[[0, -1]] * us).tolist()
        for column in set(page.report.conflicts) & set(table.columns):
            run = (first, last, page.report.conflicts[column])
            conflicts.setdefault(column, []).append(run)
    return {"conflicts": conflicts, "duplicates": duplicates}


def warn_of_no_readings(reading: ReadJob, meters: Sequence[str]) -> None:
    """Warn of meters without any reading in the range, where all of it was read.

    Less than an hour may well lie between two readings: meters report by quarter hours.
    """
    start, end = reading.request.start, reading.request.end
    if reading.errors or end - start < timedelta(hours=1):
        return
    future = " That span lies in the future." if start >= reading.now else ""
    warn(
        f"Reading {', '.join(meters)}: no readings in [{start.isoformat()}, {end.isoformat()})."
        f"{future} {by('inventory()', 'dentframe inventory')} tells since when there are.",
        ReadingWarning,
    )


def columns_of(reading: ReadJob, meter: str) -> tuple[list[str], list[str]]:
    """The columns of a meter's pages that were asked for, and those of the elements asked for.

    Raises
    ------
    UnknownMeterError
        For the id of one element that a meter with readings does not have, naming the elements
        that there are. In a list of ids it is missing and has a warning: the others are served.
    """
    request, elements = reading.request, reading.request.meters[meter]
    columns = _frame.wanted_columns(
        reading.pages_of(meter), request.topics, everything=request.all_topics
    )
    if not elements:
        return columns, columns
    there = sorted({e for c in columns if (e := parse(c).element) is not None})
    if request.single and there and elements[0] not in there and not reading.errors:
        raise UnknownMeterError(
            f"Cannot read {meter + '_' + elements[0]!r}: meter {meter} has readings in this range, "
            f"of the elements {', '.join(there)}, and none of {elements[0]}."
        )
    return columns, of_elements(columns, elements, request.topics)


def of_elements(
    columns: list[str], elements: tuple[str, ...] | None, topics: tuple[str, ...]
) -> list[str]:
    """The columns of the elements asked for; one that returned nothing is a column of NaN."""
    if elements is None:
        return columns
    kept = [c for c in columns if parse(c).element in elements]
    found = {parse(c).element for c in kept}
    scoped = dict.fromkeys(parse(c).topic for c in columns if parse(c).scope == ELEMENT)
    scoped |= {t: None for t in topics if kind_of(t) in {"register", "interval_mean"}}
    lost = [f"{t}/{ELEMENT}/{e}" for t in scoped for e in elements if e not in found]
    return ordered([*kept, *lost], topics)


def warn_of_losses(
    request: Request, meter: str, pages: list[Page], columns: list[str], conflicts: int
) -> None:
    """Warn of what one meter's pages lost, and log what was merely not there."""
    dropped = [c for c in dict.fromkeys(c for p in pages for c in p.columns) if c not in columns]
    report = Report.total(p.report for p in pages)
    report = report.narrow(columns) if dropped else report
    conflicts += sum(report.conflicts.values())
    topics = {parse(c).topic for c in columns}
    elements = {parse(c).element for c in columns}
    named = () if request.all_topics else request.topics
    silent = {
        "topic": [t for t in named if report.rows and t not in topics],
        "element": [e for e in request.meters[meter] or () if report.rows and e not in elements],
    }
    most = max(report.unreadable, key=lambda column: report.unreadable[column][0], default=None)
    samples = () if most is None else report.unreadable[most][1]
    unreadable = (
        f"cell(s) in {len(report.unreadable)} column(s) are text that is no number and are missing "
        f"(NaN), most in {most}: {', '.join(map(repr, samples))}"
    )
    bad = ", ".join(map(repr, report.bad_date_samples))
    losses = {
        unreadable: sum(count for count, _ in report.unreadable.values()),
        "cell(s) came twice with different values and are missing (NaN)": conflicts,
        f"row(s) dropped, their date or time is unreadable ({bad})": report.bad_dates,
        "row(s) dropped, they lie outside the window that was asked for": report.outside,
    }
    found = [f"{count} {what}" for what, count in losses.items() if count]
    found += [
        f"{what} {', '.join(names)} returned no column (has this meter that {what}?)"
        for what, names in silent.items()
        if names
    ]
    if found:
        warn(f"Reading {meter}: {'; '.join(found)}.", ReadingWarning)
    others = ", ".join(dict.fromkeys(parse(c).topic for c in dropped))
    for count, what in (
        (sum(report.absent.values()), "absent cell(s), read as missing (NaN)"),
        (sum(report.blank.values()), "blank cell(s), read as missing (NaN)"),
        (report.duplicates, "duplicate row(s), counted once"),
        (len(dropped), f"column(s) dropped, not asked for: {others}"),
    ):
        if count:
            _log.info("%s: %d %s", meter, count, what)


def check_errors(errors: str) -> None:
    """Refuse an `errors` that is no choice.

    Raises
    ------
    ConfigError
        Where it is neither "raise" nor "warn".
    """
    if errors not in {"raise", "warn"}:
        raise ConfigError(
            f'Cannot read with errors={errors!r}: use "raise" (an IncompleteReadError) or "warn" '
            "(the partial frame and a warning). Silence is no choice: what fails is not zero."
        )


def complete(
    make: Callable[[ReadJob], T], reading: ReadJob, errors: str, progress: bool | None
) -> T:
    """Read what is not here yet, and return what `make` makes of the read.

    Raises
    ------
    IncompleteReadError
        Where windows are missing and `errors` is "raise".
    """
    reading.ask(reading.windows, progress)
    if reading.bracket and not reading.errors:
        reading.ask({m: reading.further(m) for m in reading.windows}, progress)
    made = make(reading)
    if not reading.errors:
        return made
    missing = sorted(reading.errors, key=lambda job: (job.meter, job.window))
    there = sum(map(len, reading.pages.values()))
    first = reading.errors[missing[0]]
    start, end = (f"{t:%Y-%m-%dT%H:%M}" for t in (reading.request.start, reading.request.end))
    message = (
        f"Cannot read {len(missing)} of {len(missing) + there} windows of "
        f"[{start}, {end}) UTC: {first_of(_names_of(missing), 6)} missing, and missing is not "
        f"zero. {type(first).__name__}: {first}"
    )
    if errors == "warn":
        warn(message, IncompleteReadWarning)
        return made
    raise IncompleteReadError(
        f"{message} What was read is in "
        + by(
            ".partial; .resume() asks for the rest.",
            "the cache: run the command again, and only the rest is asked for.",
        ),
        partial=made,
        missing=[job.window for job in missing],
        resume=partial(complete, make, reading, errors, progress),
        status=first.status,
        retry_after=first.retry_after,
        retryable=first.retryable,
    ) from first


def _names_of(jobs: Sequence[Job]) -> list[str]:
    """The windows by name; more than two of a kind in a row as their first and last."""
    breaks = [
        i
        for i, (one, other) in enumerate(pairwise(jobs), 1)
        if (one.meter, one.window.kind, one.window.end)
        != (other.meter, other.window.kind, other.window.start)
    ]
    names: list[str] = []
    for first, last in pairwise([0, *breaks, len(jobs)]):
        named = [f"{job.meter} {job.window}" for job in jobs[first:last]]
        names += named if len(named) <= 2 else [f"{named[0]} to {jobs[last - 1].window}"]
    return names
