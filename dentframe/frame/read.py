"""One read goes from its request to its frame here, or to the error that says what is missing.

A `ReadJob` asks its source for the windows that it lacks and can be taken up again. Unreadable
text and conflicts warn; what is merely absent or blank is ordinary, is NaN, and goes to the log
and to coverage.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
import pandas as pd

from dentframe.cloud.fetch import Job
from dentframe.cloud.planner import Window, covers
from dentframe.errors import (
    ConfigError,
    IncompleteReadError,
    IncompleteReadWarning,
    ReadingWarning,
    UnknownMeterError,
    by,
    warn,
)
from dentframe.frame.assemble import (
    US_PER_MINUTE,
    Table,
    after,
    before,
    clip,
    join,
    stack,
    to_frame,
    wanted_columns,
)
from dentframe.frame.request import around, hour_of, planned
from dentframe.metering.attrs import Run, note, runs
from dentframe.wire.columns import ELEMENT, ordered, parse
from dentframe.wire.page import Report
from dentframe.wire.topics import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dentframe.cloud.fetch import Answer
    from dentframe.errors import DentError
    from dentframe.frame.assemble import Minutes
    from dentframe.frame.request import Request, Source
    from dentframe.wire.page import Page

T = TypeVar("T")

_NONE: Final = np.empty((0, 0))


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
        self.pages: dict[Job, tuple[Page, ...]] = {}
        self.errors: dict[Job, DentError] = {}
        self.resumable = False

    def run(self, progress: bool | None) -> None:
        """Ask for every window that is not here yet, then for brackets still lacking.

        None shows a progress bar where somebody watches.
        """
        self._ask(self.windows, progress)
        if self.bracket and not self.errors:
            self._ask({m: self._further(m) for m in self.windows}, progress)

    def _ask(self, windows: dict[str, list[Window]], progress: bool | None) -> None:
        topics = self.request.topics
        jobs = [Job(meter, w, topics) for meter, found in windows.items() for w in found]
        jobs = [job for job in jobs if job not in self.pages]
        answers: Iterable[Answer] = self.source.read(jobs)
        if jobs and progress is not False:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                from tqdm.auto import tqdm
            shown = False if progress else None  # None: tqdm shows it where somebody watches
            answers = tqdm(answers, None, len(jobs), False, unit="window", disable=shown)
        for answer in answers:
            if answer.error is None:
                self.pages[answer.job] = answer.pages
                self.errors.pop(answer.job, None)
            else:
                self.errors[answer.job], self.resumable = answer.error, True

    def _further(self, meter: str) -> list[Window]:
        """The days to look in for brackets that the neighbouring hours did not have."""
        table = join(self.pages_of(meter), ())
        edges = []
        if not before(table, self.request.start):
            edges.append(hour_of(self.request.start - pd.Timedelta(1, "us")))
        if not after(table, self.request.end):
            edges.append(hour_of(self.request.end))
        days = [Window(h.year, h.month, h.day) for h in edges]
        return [
            w
            for day in dict.fromkeys(days)
            if not covers(self.windows[meter], day.start, day.end)
            for w in around(self.source, self.request, meter, day, self.now)
        ]

    def pages_of(self, meter: str) -> list[Page]:
        """The pages of one meter so far."""
        return [p for job, pages in self.pages.items() if job.meter == meter for p in pages]

    def take(self, meter: str) -> list[Page]:
        """The pages of one meter; their readings go with them, where nothing was ever missing.

        A read that can be taken up again, once or more often, takes the same pages again.
        """
        found = self.pages_of(meter)
        for job, pages in list(self.pages.items()):
            if job.meter == meter and not self.resumable:
                self.pages[job] = tuple(replace(p, values=_NONE) for p in pages)
        return found

    @property
    def missing(self) -> list[Job]:
        """What could not be read, in the order of time."""
        return sorted(self.errors, key=lambda job: (job.meter, job.window))


_log = logging.getLogger("dentframe")

SHORT: Final = timedelta(hours=1)
"""Less than this may have no reading though nothing is missing: meters report by quarter hours."""


def assemble(reading: ReadJob, *, quantify: bool) -> pd.DataFrame:
    """The frame of a read, whole or partial, with its attrs; warns of what was lost."""
    request = reading.request
    tables = {meter: _one(reading, meter) for meter in request.meters}
    found = {m: came_twice(t, reading.pages_of(m)) for m, t in tables.items()}
    doubled = {k: {m: x[k] for m, x in found.items()} for k in ("conflicts", "duplicates")}
    frames = {m: to_frame(tables.pop(m), shared=reading.resumable) for m in list(tables)}
    span = request.start, request.end
    inside = {m: f.index.searchsorted(span) for m, f in frames.items()}
    empty = [m for m, (first, last) in inside.items() if first == last]
    if empty:
        warn_of_no_readings(reading, empty)
    frame = frames.popitem()[1] if request.single else stack(frames, request.topics)
    frame.attrs["dentcloud"] = attrs_of(request, frame, **doubled)
    if quantify:
        from dentframe.frame.quantify import quantify as attach

        return attach(frame)
    return frame


def _runs_of(table: Table, at: Mapping[str, Minutes]) -> dict[str, list[Run]]:
    """By column, the runs of rows [us] that came twice, of the rows that are in the table."""
    among = table.minutes
    low, high = (among[0], among[-1]) if len(among) else (0, -1)
    inside = {c: x[(x >= low) & (x <= high)] for c, x in at.items()}
    return {c: runs(x * US_PER_MINUTE, among * US_PER_MINUTE) for c, x in inside.items()}


def came_twice(table: Table, pages: Sequence[Page]) -> dict[str, dict[str, list[Run]]]:
    """The ``conflicts`` and ``duplicates`` of a note: by column, runs of rows that came twice.

    An archive has settled them; of its conflicts it knows only how many a page had.
    """
    conflicts, again = _runs_of(table, table.conflicts), dict(table.duplicates)
    for page in pages:
        for column in set(page.report.conflicts) & set(table.columns) if len(page.minutes) else ():
            first, last = (int(x) * US_PER_MINUTE for x in page.minutes[[0, -1]])
            conflicts.setdefault(column, []).append((first, last, page.report.conflicts[column]))
        for column in (c for c in table.columns if c in page.report.doubled):
            for first, last, _ in page.report.doubled[column]:
                low, high = np.searchsorted(table.minutes, (first, last + 1)).tolist()
                there = again.get(column, table.minutes[:0])
                again[column] = np.union1d(there, table.minutes[low:high])
    return {"conflicts": conflicts, "duplicates": _runs_of(table, again)}


def warn_of_no_readings(reading: ReadJob, meters: Sequence[str]) -> None:
    """Warn of meters without any reading in the range, where all of it was read.

    A range that is shorter than `SHORT` may well lie between two readings.
    """
    start, end = reading.request.start, reading.request.end
    if reading.errors or end - start < SHORT:
        return
    future = " That span lies in the future." if start >= reading.now else ""
    warn(
        f"Reading {', '.join(meters)}: no readings in [{start.isoformat()}, {end.isoformat()})."
        f"{future} {by('inventory()', 'dentframe inventory')} tells since when there are.",
        ReadingWarning,
    )


def attrs_of(request: Request, frame: pd.DataFrame, **doubled: Any) -> dict[str, Any]:
    """What the frame of a read says of itself."""
    topics = {parse(c).topic for c in frame.columns}
    units = {k: u for k, u in request.units.items() if k in request.topics or k in topics}
    ranges = dict.fromkeys(request.meters, (request.start, request.end))
    return note(units, ranges, frame, elements=request.meters, **doubled)


def _one(reading: ReadJob, meter: str) -> Table:
    request = reading.request
    columns, dropped = wanted_columns(
        reading.pages_of(meter), request.topics, everything=request.all_topics
    )
    check_element(reading, meter, columns)
    chosen = of_elements(columns, request.meters[meter], request.topics)
    joined = join(reading.take(meter), chosen)
    conflicts = sum(map(len, joined.conflicts.values()))
    warn_of_losses(request, meter, reading.pages_of(meter), columns, dropped, conflicts)
    return clip(joined, request.start, request.end, bracket=reading.bracket)


def check_element(reading: ReadJob, meter: str, columns: Sequence[str]) -> None:
    """Refuse the id of one element that a meter with readings does not have.

    In a list of ids such an element is missing and has a warning: the others are served.

    Raises
    ------
    UnknownMeterError
        Naming the elements that there are.
    """
    asked = reading.request.meters[meter]
    there = sorted({e for c in columns if (e := parse(c).element) is not None})
    if not reading.request.single or not asked or not there or reading.errors:
        return
    if asked[0] not in there:
        raise UnknownMeterError(
            f"Cannot read {meter + '_' + asked[0]!r}: meter {meter} has readings in this range, of "
            f"the elements {', '.join(there)}, and none of {asked[0]}."
        )


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
    request: Request,
    meter: str,
    pages: list[Page],
    columns: list[str],
    dropped: list[str],
    conflicts: int,
) -> None:
    """Warn of what one meter's pages lost, and log what was merely not there."""
    report = sum((p.report for p in pages), Report()).narrow(columns)
    conflicts += sum(report.conflicts.values())
    topics = {parse(c).topic for c in columns}
    elements = {parse(c).element for c in columns}
    named = () if request.all_topics else request.topics
    silent = {
        "topic": [t for t in named if report.rows and t not in topics],
        "element": [e for e in request.meters[meter] or () if report.rows and e not in elements],
    }
    most, (_, samples) = max(
        report.unreadable.items(), key=lambda item: item[1][0], default=("", (0, ()))
    )
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
    _log_gaps(meter, report, dropped)


def _log_gaps(meter: str, report: Report, dropped: Sequence[str]) -> None:
    topics = dict.fromkeys(parse(c).topic for c in dropped)
    for count, what in (
        (sum(report.absent.values()), "absent cell(s), read as missing (NaN)"),
        (sum(report.blank.values()), "blank cell(s), read as missing (NaN)"),
        (report.duplicates, "duplicate row(s), counted once"),
        (len(dropped), f"column(s) dropped, not asked for: {', '.join(topics)}"),
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
    reading.run(progress)
    made = make(reading)
    if not reading.errors:
        return made
    if errors == "raise":
        again = partial(complete, make, reading, errors, progress)
        first = reading.errors[reading.missing[0]]
        raise _incomplete(reading, first, partial=made, resume=again) from first
    warn(_what_is_missing(reading), IncompleteReadWarning)
    return made


def _incomplete(reading: ReadJob, first: DentError, **carried: Any) -> IncompleteReadError:
    return IncompleteReadError(
        f"{_what_is_missing(reading)} What was read is in "
        + by(
            ".partial; .resume() asks for the rest.",
            "the cache: run the command again, and only the rest is asked for.",
        ),
        missing=[job.window for job in reading.missing],
        status=first.status,
        retry_after=first.retry_after,
        retryable=first.retryable,
        **carried,
    )


def _what_is_missing(reading: ReadJob) -> str:
    names, lost = _runs(reading.missing), len(reading.missing)
    shown = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
    first = reading.errors[reading.missing[0]]
    start, end = (f"{t:%Y-%m-%dT%H:%M}" for t in (reading.request.start, reading.request.end))
    return (
        f"Cannot read {lost} of {lost + len(reading.pages)} windows of [{start}, {end}) UTC: "
        f"{shown} missing, and missing is not zero. {type(first).__name__}: {first}"
    )


def _runs(jobs: Sequence[Job]) -> list[str]:
    """The windows by name; more than two of a kind in a row as their first and last."""
    runs: list[list[Job]] = []
    for job in jobs:
        last = runs[-1][-1] if runs else job
        same = (last.meter, last.window.kind) == (job.meter, job.window.kind)
        if same and last.window.end == job.window.start:
            runs[-1].append(job)
        else:
            runs.append([job])
    names: list[str] = []
    for run in runs:
        if len(run) > 2:
            names.append(f"{run[0].meter} {run[0].window} to {run[-1].window}")
        else:
            names += [f"{job.meter} {job.window}" for job in run]
    return names
