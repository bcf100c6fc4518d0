"""Answers are merged into one table and cut to pages here, and each month's coverage is found.

The answer that was read last is right for its window and topics, whatever was kept first:
merging is the same in any order and any number of times, so that a crash cannot change it. So
each hour of a year is owned, topic by topic, by the answer that was read last. An hour is counted
from the year's first; an owner is the place of a record in their order.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from dentframe.archive.file_names_and_metadata import Record, unasked
from dentframe.cloud.planner import Window
from dentframe.frame.assemble import runs
from dentframe.wire.columns import ordered, topic_of
from dentframe.wire.pages_and_bad_cells import Page, Report

if TYPE_CHECKING:
    import numpy.typing as npt

    from dentframe.archive.keep_settle_and_mend import Meter
    from dentframe.archive.parquet import ArchiveFile

    Ints = npt.NDArray[np.int64]
    Mask = npt.NDArray[np.bool_]
    Owners = Mapping[str, npt.NDArray[np.int32]]


NOBODY = -1


@lru_cache(maxsize=256)
def hours_of(year: int) -> range:
    """The hours of a UTC year, counted from 1970-01-01T00:00Z [h]."""
    return range(Window(year, 1).hours.start, Window(year, 12).hours.stop)


@lru_cache(maxsize=4096)
def inside(window: Window) -> slice:
    """The hours of a window, counted from the first of its year."""
    first, hours = hours_of(window.year).start, window.hours
    return slice(hours.start - first, hours.stop - first)


def owners(records: Sequence[Record], year: int) -> Owners:
    """Topic to the owner of each hour; `records` in their order, the later read last.

    A topic that nobody asked for belongs to an answer only where no answer to a request for
    it is held.
    """
    topics = dict.fromkeys(t for r in records for t in (*r.topics, *sorted(unasked(r))))
    found = {t: np.full(len(hours_of(year)), NOBODY, np.int32) for t in topics}
    for asked in (False, True):
        for place, record in enumerate(records):
            for topic in record.topics if asked else unasked(record):
                found[topic][inside(record.window)] = place
    return found


def owned(owner: Owners, topics: Iterable[str], year: int, place: int | None = None) -> Mask:
    """The hours that a record owns for any of these topics, or that any record owns."""
    mask = np.zeros(len(hours_of(year)), np.bool_)
    for topic in (t for t in topics if t in owner):
        mask |= owner[topic] != NOBODY if place is None else owner[topic] == place
    return mask


def held(
    records: Sequence[Record],
    topics: Iterable[str],
    year: int,
    *,
    now: datetime | None = None,
    stale: bool = False,
) -> Mask:
    """The hours of a year that are held for all of these topics.

    Parameters
    ----------
    records : sequence of Record
        In their order.
    topics : iterable of str
        Request keys.
    year : int
        The UTC year.
    now : datetime, optional
        Of records that need not be asked again at this instant their whole windows are held.
    stale : bool
        Whether other records hold the hours that were over when they were read, or nothing.
    """
    owner, hours = owners(records, year), np.arange(hours_of(year).start, hours_of(year).stop)
    mask = np.ones(len(hours), np.bool_)
    # By the place of a record, and nothing by that of nobody, which is the last.
    fresh = np.array([*(now is not None and r.fresh(now) for r in records), False])
    over = np.array([*(int(r.read_at.timestamp() // 3600) for r in records), 0])
    for topic in topics:
        asked = np.array([*(topic in r.topics for r in records), False])
        whose = owner.get(topic, np.full(len(hours), NOBODY))
        mask &= asked[whose] & (fresh[whose] | (stale & (hours < over[whose])))
    return mask


def windows(mask: Mask, year: int) -> set[Window]:
    """The largest windows that lie in a mask of a year's hours."""
    found = set[Window]()
    left = [Window(year, month) for month in range(1, 13)] if mask.any() else []
    while left:
        window = left.pop()
        here = mask[inside(window)]
        if here.all():
            found.add(window)
        elif here.any():
            left += window.children()
    return found


# --- merging ----------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Holding:
    """Some answers of one meter and year, and their readings in one table.

    Attributes
    ----------
    records : tuple of Record
        In the order they were read.
    columns : tuple of str
        Wire names.
    minutes : numpy.ndarray of int64, shape (rows,)
        UTC minutes since 1970, sorted and unique [min].
    values : numpy.ndarray of float64, shape (rows, columns)
        Column-major; NaN where there is no reading.
    """

    records: tuple[Record, ...]
    columns: tuple[str, ...]
    minutes: Ints
    values: npt.NDArray[np.float64]

    def read(self, _columns: Sequence[str], _months: Collection[int] | None) -> Holding:
        """All that it has, as `ArchiveFile.read` reads some columns and months of a file."""
        return self


def merge(year: int, holdings: Sequence[Holding]) -> Holding:
    """One holding of all; what was read later replaces what it overlaps."""
    found = {r.name: (r, h) for h in holdings for r in h.records}
    claims = [found[name] for name in sorted(found)]
    owner, first = owners([record for record, _ in claims], year), hours_of(year).start
    parts = []
    for place, (record, holding) in enumerate(claims):
        live = owned(owner, (*record.topics, *unasked(record)), year, place)
        if live.any():
            parts.append((place, record, holding, live, _rows(holding, record, live)))
    each = (holding.minutes[rows] for *_, holding, _, rows in parts)
    minutes = np.unique(np.concatenate([np.empty(0, np.int64), *each]))
    there = (c for _, record, holding, *_ in parts for c in record.columns if c in holding.columns)
    columns = tuple(ordered(dict.fromkeys(there)))
    values = np.full((len(minutes), len(columns)), np.nan, order="F")
    records = []
    for place, record, holding, live, rows in parts:
        mine = holding.minutes[rows]
        to, hours = np.searchsorted(minutes, mine), mine // 60 - first
        at, right = {c: i for i, c in enumerate(holding.columns)}, dict[str, Any]()
        for topic in dict.fromkeys(map(topic_of, record.columns)):
            here = owner[topic][hours] == place
            right[topic] = as_run(to[here]), as_run(rows[here])
        for i, column in enumerate(columns):
            if column in record.columns and column in at:
                target, source = right[topic_of(column)]
                values[target, i] = holding.values[source, at[column]]
        span = record.window.minutes
        others = minutes[slice(*np.searchsorted(minutes, [span.start, span.stop]).tolist())]
        others = others[live[others // 60 - first]]
        lacks = np.setdiff1d(others, mine, assume_unique=True).tolist()
        records.append(replace(record, lacks=tuple(lacks)))
    return Holding(tuple(records), columns, minutes, values)


def _rows(holding: Holding, record: Record, live: Mask) -> Ints:
    """The rows that a record has in the hours given."""
    span = record.window.minutes
    start, stop = np.searchsorted(holding.minutes, [span.start, span.stop]).tolist()
    minutes = holding.minutes[start:stop]
    keep = live[minutes // 60 - hours_of(record.window.year).start]
    if record.lacks:
        keep &= ~np.isin(minutes, record.lacks)
    rows: Ints = np.flatnonzero(keep) + start
    return rows


def as_run(rows: Ints) -> Ints | slice:
    """Rows that follow one another as a slice: much quicker to copy."""
    if len(rows) and (np.diff(rows) == 1).all():
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows


# --- pages -------------------------------------------------------------------------------


def page(
    year: int,
    of_year: ArchiveFile | Holding,
    asked: Mask,
    topics: Sequence[str],
    columns: Collection[str] | None = None,
) -> tuple[Page | None, tuple[str, ...]]:
    """The readings of some hours of a year, as if the service had answered.

    Parameters
    ----------
    year : int
        The UTC year.
    of_year : ArchiveFile or Holding
        What is held of it.
    asked : numpy.ndarray of bool
        The hours of the year that are asked for.
    topics : sequence of str
        Request keys.
    columns : collection of str, optional
        The columns wanted; others are left out. The report is about all.

    Returns
    -------
    (Page or None, tuple of str)
        The page, None where no answer is held, and all columns that there are of these topics.
    """
    records = of_year.records
    owner = owners(records, year)
    # Owners come in runs of hours: where each ends tells all of them, quicker than numpy.unique.
    each = [owner[t][asked] for t in topics if t in owner]
    places = {p for x in each for p in (*x[:-1][x[1:] != x[:-1]].tolist(), *x[-1:].tolist())}
    used = {p: r for p, r in enumerate(records) if p in places}
    if not used:
        return None, ()
    found = dict.fromkeys(
        column
        for mine, about in dict.fromkeys((r.columns, r.topics) for r in used.values())
        for column in mine
        if topic_of(column) in topics or set(about) <= set(topics)
    )
    names = tuple(ordered(found, topics))
    wanted = tuple(c for c in names if columns is None or c in columns)
    months = (m for m in range(1, 13) if asked[inside(Window(year, m))].any())
    holding = of_year.read(wanted, None if asked.all() else {*months})
    values = holding.values
    if holding.columns != wanted:
        at = {c: i for i, c in enumerate(holding.columns)}
        values = np.asfortranarray(values[:, [at[c] for c in wanted]])
    report = Report.total(_met(holding, owner, p, r) for p, r in used.items()).narrow(names)
    rows: Ints | slice = slice(None)
    if any(r.lacks for r in used.values()):
        live = {p: asked & owned(owner, topics, year, p) for p in used}
        rows = as_run(np.unique(np.concatenate([_rows(holding, used[p], live[p]) for p in used])))
    elif not (here := asked & owned(owner, topics, year)).all():
        rows = as_run(np.flatnonzero(here[holding.minutes // 60 - hours_of(year).start]))
    return Page(None, wanted, holding.minutes[rows], values[rows], report), names


def _met(holding: Holding, owner: Owners, place: int, record: Record) -> Report:
    """What decoding met in an answer: cells that came twice only where it is still right."""
    report = record.report
    conflicts, doubled = dict(report.conflicts), dict(report.doubled)
    if not (conflicts or doubled):
        return report
    window, year = inside(record.window), record.window.year
    for column in {*conflicts, *doubled} & set(holding.columns):
        right = np.zeros(len(hours_of(year)), np.bool_)
        right[window] = owner[topic_of(column)][window] == place
        if right[window].all():
            continue
        rows = right[holding.minutes // 60 - hours_of(year).start]
        there = holding.minutes[rows]
        blank = np.isnan(holding.values[rows, holding.columns.index(column)]).sum()
        conflicts[column] = min(conflicts.pop(column, 0), int(blank))
        each = (
            there[(first <= there) & (there <= last)] for first, last, _ in doubled.pop(column, ())
        )
        still = np.unique(np.concatenate([there[:0], *each]))
        doubled[column] = tuple(runs(still, holding.minutes))
    left = {column: count for column, count in conflicts.items() if count}
    return replace(report, conflicts=left, doubled={c: x for c, x in doubled.items() if x})


# --- what is held of each month, what is missing, and why --------------------------------

_COVERAGE = {
    "meter": "object", "month": "datetime64[us, UTC]", "windows": "int64", "topics": "object",
    "hours": "int64", "hours_held": "int64", "readings": "int64", "expected": "Int64",
    "complete": "bool", "final": "bool", "read_at": "datetime64[us, UTC]", "missing": "str",
}  # fmt: skip
"""The index and the columns of `Archive.coverage` and their dtypes."""


def coverage(meters: Iterable[Meter]) -> pd.DataFrame:
    """The table of `Archive.coverage`."""
    rows = [(meter.name, *month) for meter in meters for month in _months(meter)]
    table = pd.DataFrame(rows, columns=list(_COVERAGE)).astype(_COVERAGE)
    return table.set_index(["meter", "month"])


def _months(meter: Meter) -> Iterator[tuple[Any, ...]]:
    """The rows of a meter's months, from the first of which anything is held to the last."""
    found = {}
    for year, records in meter.records.items():
        owner, minutes = owners(records, year), meter.minutes(year)
        for window in (Window(year, month) for month in range(1, 13)):
            hours = inside(window)
            places = {place for whose in owner.values() for place in whose[hours].tolist()}
            used = [records[place] for place in sorted(places - {NOBODY})]
            topics = tuple(dict.fromkeys(topic for record in used for topic in record.topics))
            known = held(records, topics, year, stale=True)[hours] & bool(topics)
            first, last = np.searchsorted(minutes, [window.minutes.start, window.minutes.stop])
            if used:
                found[window] = used, topics, known, minutes[first:last]
    starts = [12 * window.year + window.month - 1 for window in found]
    for count in range(min(starts, default=0), max(starts, default=-1) + 1):
        window = Window(count // 12, count % 12 + 1)
        nothing = (), (), np.zeros(len(window.hours), np.bool_), np.empty(0, np.int64)
        yield window.start, *_row(*found.get(window, nothing))


def _row(
    records: Sequence[Record], topics: tuple[str, ...], held: Mask, minutes: Ints
) -> tuple[Any, ...]:
    """What is known of a month: its answers, the hours held, the minutes of its readings."""
    whole, expected = bool(held.all()), cast("Any", pd.NA)
    if not held.any():
        expected = 0
    elif len(minutes) > 1:
        expected = round(held.sum() * 60 / float(np.median(np.diff(minutes))))
    return (
        len(records),
        topics,
        len(held),
        int(held.sum()),
        len(minutes),
        expected,
        whole and all(r.complete for r in records),
        whole and all(r.until is None for r in records),
        min((r.read_at for r in records), default=None),
        "; ".join(_missing(records, topics, held, len(minutes), expected)),
    )


def _missing(
    records: Sequence[Record], topics: Sequence[str], held: Mask, readings: int, expected: Any
) -> Iterator[str]:
    """What is missing of a month, and why."""
    if not records:
        yield "not read"
        return
    if not held.all():
        late = any(r.read_at < r.window.end for r in records)
        lost = len(held) - int(held.sum())
        yield f"{lost} of {len(held)} h not {'over when read' if late else 'read'}"
    if not readings:
        yield "no readings"
    elif expected is not pd.NA and readings < expected:
        yield f"{expected - readings} of {expected} readings"
    reports = [r.report for r in records]
    # A column that is blank throughout is a spare input of the meter.
    kinds = {
        "blank": sum(n for r in reports for n in r.blank.values() if n < r.rows),
        "absent": sum(sum(r.absent.values()) for r in reports),
        "unreadable": sum(n for r in reports for n, _ in r.unreadable.values()),
        "conflicting": sum(sum(r.conflicts.values()) for r in reports),
    }
    yield from (f"{count} {kind} cells" for kind, count in kinds.items() if count)
    rows = sum(r.bad_dates + r.outside for r in reports)
    if rows:
        yield f"{rows} rows dropped, their time is unreadable or outside the window"
    here = {topic_of(c) for r in records for c in r.columns}
    silent = [topic for topic in topics if topic not in here]
    if silent and readings:
        yield f"no column of {', '.join(silent)}"
