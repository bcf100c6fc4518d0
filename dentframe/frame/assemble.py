"""From a read to the frame its user gets, or the error that says what is missing.

Decoded pages to one frame: join, order, dedupe, clip. Pure.

What a read tells its user about the readings it met: warnings and log lines.

Unreadable text and conflicts warn; what is merely absent or blank is ordinary, is NaN, and
goes to the log and to coverage.

What a read brought, as the frame its user asked for.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import numpy as np
import pandas as pd

from dentframe.errors import (
    ConfigError,
    IncompleteReadError,
    IncompleteReadWarning,
    ReadingWarning,
    UnknownMeterError,
    warn,
)
from dentframe.metering.attrs import Run, note, runs
from dentframe.wire import columns as _columns
from dentframe.wire.columns import ELEMENT, ordered, parse
from dentframe.wire.page import Report
from dentframe.wire.topics import kind_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from dentframe.cloud.fetch import Job
    from dentframe.errors import DentError
    from dentframe.frame.request import Progress, Reading, Request
    from dentframe.wire.page import Page


if TYPE_CHECKING:
    Floats = npt.NDArray[np.float64]
    Minutes = npt.NDArray[np.int64]

_US_PER_MINUTE = 60_000_000


@dataclass(frozen=True)
class Table:
    """Readings of one meter: UTC minutes, sorted and unique, beside float64 columns.

    Attributes
    ----------
    columns : tuple of str
        Wire names.
    minutes : numpy.ndarray
        UTC minutes since 1970, int64, shape (rows,).
    values : numpy.ndarray
        float64, shape (rows, columns), column-major.
    conflicts, duplicates : mapping
        Column to the minutes whose cell came twice: with different values, so that it is
        missing, and with the same.
    """

    columns: tuple[str, ...]
    minutes: Minutes
    values: Floats
    conflicts: Mapping[str, Minutes] = field(default_factory=dict)
    duplicates: Mapping[str, Minutes] = field(default_factory=dict)


def join(pages: Sequence[Page], columns: Sequence[str]) -> Table:
    """Join pages into one table: rows sorted, identical duplicates dropped.

    Parameters
    ----------
    pages : sequence of Page
        In any order; each holds rows of its own window.
    columns : sequence of str
        The columns wanted, in order; a column that a page lacks is NaN there.

    Returns
    -------
    Table
        Where two rows of one minute disagree in a cell, that cell is NaN and counted.
    """
    pages = sorted(pages, key=lambda p: int(p.minutes[0]) if len(p.minutes) else 0)
    if len(pages) == 1 and pages[0].columns == tuple(columns):
        return _distinct(pages[0].minutes, pages[0].values, tuple(columns))
    minutes = np.concatenate([np.empty(0, np.int64), *(p.minutes for p in pages)])
    values = np.full((len(minutes), len(columns)), np.nan, order="F")
    first = 0
    for page in pages:
        last = first + len(page.minutes)
        _place(values[first:last], page, columns)
        first = last
    return _distinct(minutes, values, tuple(columns))


def _distinct(minutes: Minutes, values: Floats, columns: tuple[str, ...]) -> Table:
    if (minutes[1:] > minutes[:-1]).all():
        return Table(columns, minutes, values)
    return _dedupe(*_sorted(minutes, values), columns)


def _place(out: Floats, page: Page, columns: Sequence[str]) -> None:
    at = {name: i for i, name in enumerate(page.columns)}
    for i, name in enumerate(columns):
        if name in at:
            out[:, i] = page.values[:, at[name]]


def _sorted(minutes: Minutes, values: Floats) -> tuple[Minutes, Floats]:
    if len(minutes) < 2 or (np.diff(minutes) >= 0).all():
        return minutes, values
    order = np.argsort(minutes, kind="stable")
    return minutes[order], np.asfortranarray(values[order])


def _dedupe(minutes: Minutes, values: Floats, columns: tuple[str, ...]) -> Table:
    starts = np.flatnonzero(np.r_[True, np.diff(minutes) != 0]) if len(minutes) else minutes
    if len(starts) == len(minutes):
        return Table(columns, minutes, values)
    low = np.fmin.reduceat(values, starts, axis=0)
    conflict = (low != np.fmax.reduceat(values, starts, axis=0)) & ~np.isnan(low)
    given = np.add.reduceat(~np.isnan(values), starts, axis=0, dtype=np.int64)
    several = np.diff(starts, append=len(minutes)) > 1
    same = ((given > 1) | ((given == 0) & several[:, None])) & ~conflict
    low[conflict] = np.nan
    minutes = minutes[starts]
    conflicts, duplicates = (
        {c: minutes[mask[:, i]] for i, c in enumerate(columns) if mask[:, i].any()}
        for mask in (conflict, same)
    )
    return Table(columns, minutes, np.asfortranarray(low), conflicts, duplicates)


def clip(table: Table, start: pd.Timestamp, end: pd.Timestamp, *, bracket: bool = False) -> Table:
    """Rows in ``[start, end)``; with `bracket` also the nearest one outside each edge.

    The bracketing reading before `start` is looked for in the UTC day of the instant before
    it, the one after `end` in the UTC day of `end`: no further, whatever was at hand. Where
    it lacks cells, the rows of its own hour that have them come too: each element has an edge.
    """
    low, high = _minute(start), _minute(end)
    first = int(np.searchsorted(table.minutes, low))
    last = int(np.searchsorted(table.minutes, high))
    if bracket and before(table, start):
        hour = int(np.searchsorted(table.minutes, (low - 1) // 60 * 60))
        first -= _rows_needed(table.values[min(hour, first - 1) : first][::-1])
    if bracket and after(table, end):
        hour = int(np.searchsorted(table.minutes, high // 60 * 60 + 60))
        last += _rows_needed(table.values[last : max(hour, last + 1)])
    return replace(table, minutes=table.minutes[first:last], values=table.values[first:last])


def _rows_needed(values: Floats) -> int:
    """How many of these rows, nearest first, until no further one gives a column its first value.

    The rows of the neighbouring hour only: they are always read, so that what comes back does
    not depend on what else was at hand.
    """
    held = ~np.isnan(values)
    nearest = np.argmax(held, axis=0)[held.any(axis=0)]
    return int(nearest.max(initial=0)) + 1


def before(table: Table, start: pd.Timestamp) -> bool:
    """Whether the table holds a reading that brackets `start` from before."""
    low = _minute(start)
    at = int(np.searchsorted(table.minutes, low)) - 1
    return at >= 0 and bool(table.minutes[at] // 1440 == (low - 1) // 1440)


def after(table: Table, end: pd.Timestamp) -> bool:
    """Whether the table holds a reading that brackets `end` from after, or at it."""
    high = _minute(end)
    at = int(np.searchsorted(table.minutes, high))
    held = at < len(table.minutes)
    return held and bool(table.minutes[at] // 1440 == high // 1440)


def _minute(instant: pd.Timestamp) -> int:
    """The first whole UTC minute at or after an instant."""
    return -(-int(instant.as_unit("us").asm8.astype(np.int64)) // _US_PER_MINUTE)


def to_frame(table: Table, *, shared: bool = True) -> pd.DataFrame:
    """The table as a frame: index ``time`` in UTC, float64 columns of wire names.

    Where the values are not `shared` with anything that lives on, they are not copied.
    """
    time = pd.DatetimeIndex(
        (table.minutes * _US_PER_MINUTE).view("M8[us]"), name="time"
    ).tz_localize("UTC")
    copy = None if shared or not table.values.flags.f_contiguous else False
    return pd.DataFrame(
        table.values, index=time, columns=pd.Index(table.columns, dtype=object), copy=copy
    )


def stack(frames: Mapping[str, pd.DataFrame], topics: Sequence[str]) -> pd.DataFrame:
    """Frames of several meters under one index ``meter, time``.

    Parameters
    ----------
    frames : mapping
        Meter to frame, in the order wanted.
    topics : sequence of str
        The order of topics among the columns.
    """
    labels = dict.fromkeys(c for f in frames.values() for c in f.columns)
    wanted = _columns.ordered(labels, topics)
    parts = [f.reindex(columns=wanted) for f in frames.values()]
    index = _meter_index(list(frames), [pd.DatetimeIndex(p.index) for p in parts])
    values = np.concatenate([p.to_numpy() for p in parts]) if parts else np.empty((0, 0))
    return pd.DataFrame(values, index=index, columns=pd.Index(wanted, dtype=object))


def _meter_index(meters: list[str], times: list[pd.DatetimeIndex]) -> pd.MultiIndex:
    stamps = np.concatenate([t.asi8 for t in times])
    unique, codes = np.unique(stamps, return_inverse=True)
    level = pd.DatetimeIndex(unique.view("M8[us]"), name="time").tz_localize("UTC")
    owners = np.repeat(np.arange(len(times)), [len(t) for t in times])
    return pd.MultiIndex(
        levels=cast("Any", [pd.Index(meters, dtype=object), level]),
        codes=cast("Any", [owners, codes]),
        names=["meter", "time"],
    )


def wanted_columns(
    pages: Iterable[Page], topics: Sequence[str], *, everything: bool = False
) -> tuple[list[str], list[str]]:
    """The columns of the pages that were asked for, in order, and those that were not."""
    found = dict.fromkeys(c for page in pages for c in page.columns)
    kept = [c for c in found if everything or _columns.parse(c).topic in topics]
    return _columns.ordered(kept, topics), [c for c in found if c not in set(kept)]


_log = logging.getLogger("dentframe")

SHORT: Final = timedelta(hours=1)
"""Less than this may have no reading though nothing is missing: meters report by quarter hours."""


def tell(
    meter: str,
    report: Report,
    *,
    columns: Sequence[str],
    dropped: Sequence[str],
    conflicts: int,
    silent_topics: Iterable[str],
    absent_elements: Iterable[str],
) -> None:
    """Warn of what was lost, and log what was merely not there."""
    found = [*_losses(report, columns, conflicts), *_silent(silent_topics, absent_elements)]
    if found:
        warn(f"Reading {meter}: {'; '.join(found)}.", ReadingWarning)
    for line in _ordinary(report, columns, dropped):
        _log.info("%s: %s", meter, line)


def tell_nothing(
    meters: Sequence[str], start: pd.Timestamp, end: pd.Timestamp, now: pd.Timestamp
) -> None:
    """Warn of meters without any reading in the range that was read.

    A range that is shorter than `SHORT` may well lie between two readings.
    """
    if not meters or end - start < SHORT:
        return
    future = " That span lies in the future." if start >= now else ""
    warn(
        f"Reading {', '.join(meters)}: no readings in [{start.isoformat()}, {end.isoformat()})."
        f"{future} inventory() tells since when there are.",
        ReadingWarning,
    )


def _losses(report: Report, columns: Sequence[str], conflicts: int) -> Iterable[str]:
    unreadable = {c: n for c, n in report.unreadable.items() if c in columns}
    if unreadable:
        yield _unreadable(unreadable)
    if conflicts:
        yield f"{conflicts} cell(s) came twice with different values and are missing (NaN)"
    if report.bad_dates:
        samples = ", ".join(repr(s) for s in report.bad_date_samples)
        yield f"{report.bad_dates} row(s) dropped, their date or time is unreadable ({samples})"
    if report.outside:
        yield f"{report.outside} row(s) dropped, they lie outside the window that was asked for"


def _silent(topics: Iterable[str], elements: Iterable[str]) -> Iterable[str]:
    for what, names in (("topic", list(topics)), ("element", list(elements))):
        if names:
            yield f"{what} {', '.join(names)} returned no column (has this meter that {what}?)"


def _unreadable(cells: Mapping[str, tuple[int, tuple[str, ...]]]) -> str:
    count = sum(n for n, _ in cells.values())
    column, (_, samples) = max(cells.items(), key=lambda item: item[1][0])
    shown = ", ".join(repr(s) for s in samples)
    return (
        f"{count} cell(s) in {len(cells)} column(s) are text that is no number and are missing "
        f"(NaN), most in {column}: {shown}"
    )


def _ordinary(report: Report, columns: Sequence[str], dropped: Sequence[str]) -> Iterable[str]:
    for what, counts in (("absent", report.absent), ("blank", report.blank)):
        count = sum(n for c, n in counts.items() if c in columns)
        if count:
            yield f"{count} {what} cell(s), read as missing (NaN)"
    if report.duplicates:
        yield f"{report.duplicates} duplicate row(s), counted once"
    if dropped:
        topics = dict.fromkeys(_columns.parse(c).topic for c in dropped)
        yield f"{len(dropped)} column(s) dropped, not asked for: {', '.join(topics)}"


def assemble(reading: Reading, *, quantify: bool) -> pd.DataFrame:
    """The frame of a read, whole or partial, with its attrs; warns of what was lost."""
    request = reading.request
    tables = {meter: _one(reading, meter) for meter in request.meters}
    # A read that is taken up again takes the same pages again: what is missing shares them.
    frames = {m: to_frame(table, shared=bool(reading.missing)) for m, table in tables.items()}
    tell_of_nothing(reading, {m: _any_inside(request, f) for m, f in frames.items()})
    frame = next(iter(frames.values())) if request.single else stack(frames, request.topics)
    frame.attrs["dentcloud"] = attrs_of(
        request,
        frame,
        conflicts={m: _conflicts(t, reading.of(m)) for m, t in tables.items()},
        duplicates={m: _runs_of(t, t.duplicates) for m, t in tables.items()},
    )
    if quantify:
        from dentframe.frame.quantify import quantify as attach

        return attach(frame)
    return frame


def _runs_of(table: Table, at: Mapping[str, Minutes]) -> dict[str, list[Run]]:
    """By column, the runs of rows [us] that came twice, of the rows that are in the table."""
    among = table.minutes
    low, high = (among[0], among[-1]) if len(among) else (0, -1)
    inside = {c: x[(x >= low) & (x <= high)] for c, x in at.items()}
    return {c: runs(x * _US_PER_MINUTE, among * _US_PER_MINUTE) for c, x in inside.items()}


def _conflicts(table: Table, pages: Sequence[Page]) -> dict[str, list[Run]]:
    """As `_runs_of`; an archive has settled its conflicts, and knows only how many a page had."""
    found = _runs_of(table, table.conflicts)
    for page in pages:
        for column in set(page.report.conflicts) & set(table.columns) if len(page.minutes) else ():
            first, last = (int(x) * _US_PER_MINUTE for x in page.minutes[[0, -1]])
            found.setdefault(column, []).append((first, last, page.report.conflicts[column]))
    return found


def tell_of_nothing(reading: Reading, here: Mapping[str, bool]) -> None:
    """Tell which meters have no reading in the range, where all of it was read."""
    if not reading.missing:
        silent = [meter for meter, any_ in here.items() if not any_]
        tell_nothing(silent, reading.request.start, reading.request.end, reading.now)


def _any_inside(request: Request, frame: pd.DataFrame) -> bool:
    """Whether any row lies in the range, which those that bracket it do not."""
    first, last = frame.index.searchsorted([request.start, request.end])
    return bool(first < last)


def attrs_of(request: Request, frame: pd.DataFrame, **doubled: Any) -> dict[str, Any]:
    """What the frame of a read says of itself."""
    here = {parse(c).topic for c in frame.columns}
    units = {k: u for k, u in request.units.items() if k in request.topics or k in here}
    ranges = dict.fromkeys(request.meters, (request.start, request.end))
    return note(units, ranges, frame, elements=request.meters, **doubled)


def _one(reading: Reading, meter: str) -> Table:
    request = reading.request
    pages = reading.of(meter)
    columns, dropped = wanted_columns(pages, request.topics, everything=request.all_topics)
    check_element(reading, meter, columns)
    chosen = of_elements(columns, request.meters[meter], request.topics)
    joined = join(pages, chosen)
    tell_of(request, meter, pages, columns, dropped, sum(map(len, joined.conflicts.values())))
    return clip(joined, request.start, request.end, bracket=reading.bracket)


def check_element(reading: Reading, meter: str, columns: Sequence[str]) -> None:
    """Refuse the id of one element that a meter with readings does not have.

    In a list of ids such an element is missing and has a warning: the others are served.

    Raises
    ------
    UnknownMeterError
        Naming the elements that there are.
    """
    asked = reading.request.meters[meter]
    there = sorted({e for c in columns if (e := parse(c).element) is not None})
    if not reading.request.single or not asked or not there or reading.missing:
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
    here = {parse(c).element for c in kept}
    scoped = dict.fromkeys(parse(c).topic for c in columns if parse(c).scope == ELEMENT)
    scoped |= {t: None for t in topics if kind_of(t) in {"register", "interval_mean"}}
    lost = [f"{t}/{ELEMENT}/{e}" for t in scoped for e in elements if e not in here]
    return ordered([*kept, *lost], topics)


def tell_of(
    request: Request,
    meter: str,
    pages: list[Page],
    columns: list[str],
    dropped: list[str],
    conflicts: int,
) -> None:
    """Tell of what one meter's pages met."""
    report = sum((p.report for p in pages), Report.zero())
    here = {parse(c).topic for c in columns}
    silent = [t for t in request.topics if t not in here]
    asked = report.rows > 0 and not request.all_topics
    tell(
        meter,
        report,
        columns=columns,
        dropped=dropped,
        conflicts=conflicts + sum(n for c, n in report.conflicts.items() if c in columns),
        silent_topics=silent if asked else (),
        absent_elements=_absent(columns, request.meters[meter]) if report.rows else (),
    )


def _absent(columns: list[str], elements: tuple[str, ...] | None) -> Iterator[str]:
    here = {parse(c).element for c in columns}
    return (e for e in elements or () if e not in here)


T = TypeVar("T")


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


def bar(progress: bool | None, answers: Iterable[Any], total: int) -> Iterable[Any]:
    """The answers behind a progress bar; None: where somebody watches."""
    if progress is False or total == 0:
        return answers
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm
    shown = None if progress is None else False
    return tqdm(answers, total=total, unit="window", leave=False, disable=shown)


def finish(reading: Reading, errors: str, quantify: bool, progress: Progress) -> pd.DataFrame:
    """Read what is not here yet, and return the frame.

    Raises
    ------
    IncompleteReadError
        Where windows are missing and `errors` is "raise".
    """
    return finish_as(partial(assemble, quantify=quantify), reading, errors, progress)


def finish_as(make: Callable[[Reading], T], reading: Reading, errors: str, progress: Progress) -> T:
    """Read what is not here yet, and return what `make` makes of the read.

    Raises
    ------
    IncompleteReadError
        Where windows are missing and `errors` is "raise".
    """
    reading.run(progress)
    made = make(reading)
    if not reading.missing:
        return made
    if errors == "raise":
        again = partial(finish_as, make, reading, errors, progress)
        first = reading.errors[reading.missing[0]]
        raise _incomplete(reading, first, partial=made, resume=again) from first
    warn(_what_is_missing(reading), IncompleteReadWarning)
    return made


def _incomplete(reading: Reading, first: DentError, **carried: Any) -> IncompleteReadError:
    return IncompleteReadError(
        f"{_what_is_missing(reading)} What was read is in .partial; .resume() asks for the rest.",
        missing=[job.window for job in reading.missing],
        status=first.status,
        retry_after=first.retry_after,
        retryable=first.retryable,
        **carried,
    )


def _what_is_missing(reading: Reading) -> str:
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
        if runs and _follows(runs[-1][-1], job):
            runs[-1].append(job)
        else:
            runs.append([job])
    return [name for run in runs for name in _named(run)]


def _follows(one: Job, other: Job) -> bool:
    same = (one.meter, one.window.kind) == (other.meter, other.window.kind)
    return same and one.window.end == other.window.start


def _named(run: list[Job]) -> list[str]:
    if len(run) > 2:
        return [f"{run[0].meter} {run[0].window} to {run[-1].window}"]
    return [f"{job.meter} {job.window}" for job in run]
