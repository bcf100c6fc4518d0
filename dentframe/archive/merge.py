"""Answers and their readings are merged into one table here, and cut to pages.

The answer that was read last is right for its window and topics, whatever was kept first:
merging is the same in any order and any number of times, so that a crash cannot change it. So
each hour of a year is owned, topic by topic, by the answer that was read last. An hour is counted
from the year's first; an owner is the place of a record in their order.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from dentframe.cloud.planner import Window
from dentframe.frame.assemble import runs
from dentframe.wire.columns import ordered, topic_of
from dentframe.wire.page import Page, Report

if TYPE_CHECKING:
    import numpy.typing as npt

    from dentframe.archive.metadata import Record

    Ints = npt.NDArray[np.int64]
    Floats = npt.NDArray[np.float64]
    Mask = npt.NDArray[np.bool_]
    Owners = Mapping[str, npt.NDArray[np.int32]]


NOBODY = -1


@lru_cache(maxsize=256)
def span(year: int) -> range:
    """The hours of a UTC year, counted from 1970-01-01T00:00Z [h]."""
    return range(Window(year, 1).hours.start, Window(year, 12).hours.stop)


def owners(records: Sequence[Record], year: int) -> Owners:
    """Topic to the owner of each hour; `records` in their order, the later read last.

    A topic that nobody asked for belongs to an answer only where no answer to a request for
    it is held.
    """
    first, length = span(year).start, len(span(year))
    topics = dict.fromkeys(t for r in records for t in (*r.topics, *sorted(r.unasked)))
    found = {t: np.full(length, NOBODY, np.int32) for t in topics}
    for asked in (False, True):
        for place, record in enumerate(records):
            hours = _hours(record.window)
            inside = slice(hours.start - first, hours.stop - first)
            for topic in record.topics if asked else record.unasked:
                found[topic][inside] = place
    return found


@lru_cache(maxsize=4096)
def _hours(window: Window) -> range:
    return window.hours


def owned(owner: Owners, topics: Iterable[str], length: int, place: int | None = None) -> Mask:
    """The hours that a record owns for any of these topics, or that any record owns."""
    mask = np.zeros(length, np.bool_)
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
    owner, first, hours = owners(records, year), span(year).start, np.array(span(year))
    mask = np.ones(len(hours), np.bool_)
    for topic in topics:
        until = np.full(len(hours), first)
        whose = owner.get(topic, np.full(len(hours), NOBODY, np.int32))
        for place in np.unique(whose[whose != NOBODY]).tolist():
            record = records[place]
            if topic in record.topics:
                stop = _hours(record.window).stop
                over = min(stop, int(record.read_at.timestamp() // 3600)) if stale else first
                fresh = now is not None and record.fresh(now)
                until[whose == place] = stop if fresh else over
        mask &= hours < until
    return mask


def windows(mask: Mask, year: int) -> set[Window]:
    """The largest windows that lie in a mask of a year's hours."""
    first, found = span(year).start, set[Window]()
    left = [Window(year, month) for month in range(1, 13)]
    while left:
        window = left.pop()
        inside = mask[window.hours.start - first : window.hours.stop - first]
        if inside.all():
            found.add(window)
        elif inside.any():
            left += window.children()
    return found


def mask_of(chosen: Iterable[Window], year: int) -> Mask:
    """The hours of some windows of a year."""
    first, mask = span(year).start, np.zeros(len(span(year)), np.bool_)
    for window in chosen:
        mask[window.hours.start - first : window.hours.stop - first] = True
    return mask


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
    values: Floats


Read = Callable[[Sequence[str], Collection[int] | None], Holding]
"""Reads some columns of some months of a year; None is all months."""


@dataclass(frozen=True, eq=False)
class _Share:
    """What a record still owns: which rows of its holding."""

    place: int
    record: Record
    holding: Holding
    live: Mask
    rows: Ints

    @property
    def minutes(self) -> Ints:
        return self.holding.minutes[self.rows]

    @property
    def columns(self) -> list[str]:
        return [c for c in self.record.columns if c in self.holding.columns]


def merge(year: int, holdings: Sequence[Holding]) -> Holding:
    """One holding of all; what was read later replaces what it overlaps."""
    found = {r.name: (r, h) for h in holdings for r in h.records}
    claims = [found[name] for name in sorted(found)]
    owner, hours = owners([r for r, _ in claims], year), span(year)
    shares = []
    for place, (record, holding) in enumerate(claims):
        live = owned(owner, (*record.topics, *record.unasked), len(hours), place)
        if live.any():
            rows = _rows(holding, record, live, hours.start)
            shares.append(_Share(place, record, holding, live, rows))
    minutes = np.unique(np.concatenate([np.empty(0, np.int64), *(s.minutes for s in shares)]))
    columns = tuple(ordered(dict.fromkeys(c for s in shares for c in s.columns)))
    values = np.full((len(minutes), len(columns)), np.nan, order="F")
    for share in shares:
        _place(values, minutes, columns, share, owner, hours.start)
    records = tuple(replace(s.record, lacks=_lacks(minutes, s, hours.start)) for s in shares)
    return Holding(records, columns, minutes, values)


def _rows(holding: Holding, record: Record, live: Mask, first: int) -> Ints:
    """The rows that a record has in the hours given."""
    inside = record.window.minutes
    start, stop = np.searchsorted(holding.minutes, [inside.start, inside.stop]).tolist()
    minutes = holding.minutes[start:stop]
    keep = live[minutes // 60 - first]
    if record.lacks:
        keep &= ~np.isin(minutes, record.lacks)
    rows: Ints = np.flatnonzero(keep) + start
    return rows


def _place(
    out: Floats,
    minutes: Ints,
    columns: tuple[str, ...],
    share: _Share,
    owner: Owners,
    first: int,
) -> None:
    to = {c: i for i, c in enumerate(columns)}
    at = {c: i for i, c in enumerate(share.holding.columns)}
    rows = np.searchsorted(minutes, share.minutes)
    hours = share.minutes // 60 - first
    for topic in dict.fromkeys(map(topic_of, share.columns)):
        mine = owner[topic][hours] == share.place
        target, source = _run(rows[mine]), _run(share.rows[mine])
        for column in share.columns:
            if topic_of(column) == topic:
                out[target, to[column]] = share.holding.values[source, at[column]]


def _run(rows: Ints) -> Ints | slice:
    """Rows that follow one another as a slice: much quicker to copy."""
    if len(rows) and rows[-1] - rows[0] == len(rows) - 1:
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows


def _lacks(minutes: Ints, share: _Share, first: int) -> tuple[int, ...]:
    inside = share.record.window.minutes
    start, stop = np.searchsorted(minutes, [inside.start, inside.stop]).tolist()
    live = minutes[start:stop][share.live[minutes[start:stop] // 60 - first]]
    if len(live) == len(share.rows):
        return ()
    return tuple(np.setdiff1d(live, share.minutes, assume_unique=True).tolist())


# --- pages -------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Choice:
    """What of a holding answers a request: its hours, its records, its columns.

    Attributes
    ----------
    year : int
        The UTC year.
    asked : numpy.ndarray of bool
        The hours of the year that are asked for.
    topics : tuple of str
        The request keys.
    owner : mapping
        Topic to the owner of each hour.
    records : tuple of Record
        All records.
    used : tuple of int
        The places of those that answer.
    columns : tuple of str
        The columns of the answer, in order.
    """

    year: int
    asked: Mask
    topics: tuple[str, ...]
    owner: Owners
    records: tuple[Record, ...]
    used: tuple[int, ...]
    columns: tuple[str, ...]

    @property
    def months(self) -> set[int]:
        """The months that have an hour that is asked for."""
        hours = (np.flatnonzero(self.asked) + span(self.year).start).astype("M8[h]")
        return set((hours.astype("M8[M]").astype(int) % 12 + 1).tolist())


def choose(year: int, records: tuple[Record, ...], asked: Mask, topics: tuple[str, ...]) -> Choice:
    """What answers a request for these hours and topics."""
    owner = owners(records, year)
    whose = [owner[t][asked] for t in topics if t in owner]
    places = np.unique(np.concatenate([np.empty(0, np.int32), *whose])).tolist()
    used = tuple(p for p in places if p != NOBODY)
    wanted = set(topics)
    asked_for = dict.fromkeys((records[p].columns, records[p].topics) for p in used)
    columns = dict.fromkeys(
        c
        for held, about in asked_for
        for c in held
        if topic_of(c) in wanted or wanted.issuperset(about)
    )
    return Choice(year, asked, topics, owner, records, used, tuple(ordered(columns, topics)))


def page(choice: Choice, read: Read, columns: Collection[str] | None = None) -> Page | None:
    """The readings chosen, or some columns of them, as if the service had answered; None for none.

    Parameters
    ----------
    choice : Choice
        What answers.
    read : callable
        Reads some columns and months of the year; it may read more.
    columns : collection of str, optional
        The columns wanted; others are left out. The report is about all.
    """
    if not choice.used:
        return None
    wanted = tuple(c for c in choice.columns if columns is None or c in columns)
    holding = read(wanted, choice.months)
    rows = _chosen_rows(holding, choice)
    values = holding.values
    if holding.columns != wanted:
        at = {c: i for i, c in enumerate(holding.columns)}
        values = np.asfortranarray(values[:, [at[c] for c in wanted]])
    report = sum((_met(holding, choice, place) for place in choice.used), Report())
    return Page(None, wanted, holding.minutes[rows], values[rows], report)


def _met(holding: Holding, choice: Choice, place: int) -> Report:
    """What decoding met in an answer: cells that came twice only where it is still right."""
    record = choice.records[place]
    report = record.report.narrow(set(choice.columns))
    conflicts, doubled = dict(report.conflicts), dict(report.doubled)
    if not (conflicts or doubled):
        return report
    hours = holding.minutes // 60 - span(choice.year).start
    window = mask_of([record.window], choice.year)
    for column in {*conflicts, *doubled} & set(holding.columns):
        mine = window & (choice.owner[topic_of(column)] == place)
        if mine.sum() < window.sum():
            there = holding.minutes[mine[hours]]
            blank = np.isnan(holding.values[mine[hours], holding.columns.index(column)]).sum()
            conflicts[column] = min(conflicts.pop(column, 0), int(blank))
            each = (there[(first <= there) & (there <= last)] for first, last, _ in
                    doubled.pop(column, ()))  # fmt: skip
            doubled[column] = tuple(
                runs(np.unique(np.concatenate([there[:0], *each])), holding.minutes)
            )
    left = {column: count for column, count in conflicts.items() if count}
    return replace(report, conflicts=left, doubled={c: x for c, x in doubled.items() if x})


def _chosen_rows(holding: Holding, choice: Choice) -> Ints | slice:
    hours = span(choice.year)
    if not any(choice.records[place].lacks for place in choice.used):
        inside = choice.asked & owned(choice.owner, choice.topics, len(hours))
        if inside.all():
            return slice(None)
        return _run(np.flatnonzero(inside[holding.minutes // 60 - hours.start]))
    found = [np.empty(0, np.int64)]
    for place in choice.used:
        live = choice.asked & owned(choice.owner, choice.topics, len(hours), place)
        found.append(_rows(holding, choice.records[place], live, hours.start))
    return _run(np.unique(np.concatenate(found)))
