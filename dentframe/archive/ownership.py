"""Each hour of a year is owned, topic by topic, by the answer that was read last.

An hour is counted from the year's first; an owner is the place of a record in their order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from dentframe.cloud.planner import Window

if TYPE_CHECKING:
    import numpy.typing as npt

    from dentframe.archive.records import Record

    Mask = npt.NDArray[np.bool_]
    Owners = Mapping[str, npt.NDArray[np.int32]]
    Reach = Callable[[Record], int]

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


@lru_cache(maxsize=256)
def months(year: int) -> tuple[slice, ...]:
    """The hours of each month of a year, counted from its first."""
    first = span(year).start
    found = (Window(year, month).hours for month in range(1, 13))
    return tuple(slice(hours.start - first, hours.stop - first) for hours in found)


def owned(owner: Owners, topics: Iterable[str], place: int, length: int) -> Mask:
    """The hours that a record owns for any of these topics."""
    mask = np.zeros(length, np.bool_)
    for topic in topics:
        mask |= owner[topic] == place
    return mask


def any_owner(owner: Owners, topics: Iterable[str], length: int) -> Mask:
    """The hours that belong to anybody for any of these topics."""
    mask = np.zeros(length, np.bool_)
    for topic in topics:
        if topic in owner:
            mask |= owner[topic] != NOBODY
    return mask


def held(
    records: Sequence[Record], owner: Owners, topics: Iterable[str], year: int, reach: Reach
) -> Mask:
    """The hours held for all of these topics; `reach` tells up to which hour a record holds."""
    hours = np.arange(span(year).start, span(year).stop)
    mask = np.ones(len(hours), np.bool_)
    for topic in topics:
        limit = np.full(len(hours), np.iinfo(np.int64).min)
        whose = owner.get(topic, np.full(len(hours), NOBODY, np.int32))
        for place in np.unique(whose[whose != NOBODY]).tolist():
            if topic in records[place].topics:
                limit[whose == place] = reach(records[place])
        mask &= hours < limit
    return mask


def fresh_reach(now: datetime) -> Reach:
    """How far records hold that need not be asked again: their whole windows."""
    return lambda record: record.window.hours.stop if record.fresh(now) else 0


def any_reach(now: datetime) -> Reach:
    """How far records hold, whatever their age: the hours that were over when they were read."""

    def reach(record: Record) -> int:
        if record.fresh(now):
            return record.window.hours.stop
        return min(record.window.hours.stop, int(record.read_at.timestamp() // 3600))

    return reach


def windows(mask: Mask, year: int) -> set[Window]:
    """The largest windows that lie in a mask of a year's hours."""
    first = span(year).start
    found: set[Window] = set()
    for month in (Window(year, m) for m in range(1, 13)):
        inside = mask[month.hours.start - first : month.hours.stop - first]
        if inside.all():
            found.add(month)
        elif inside.any():
            found |= _days(inside, month)
    return found


def _days(inside: Mask, month: Window) -> set[Window]:
    found: set[Window] = set()
    for day, hours in zip(month.children(), inside.reshape(-1, 24), strict=True):
        if hours.all():
            found.add(day)
        else:
            found |= {day.children()[h] for h in np.flatnonzero(hours).tolist()}
    return found


def mask_of(chosen: Iterable[Window], year: int) -> Mask:
    """The hours of some windows of a year."""
    first, mask = span(year).start, np.zeros(len(span(year)), np.bool_)
    for window in chosen:
        mask[window.hours.start - first : window.hours.stop - first] = True
    return mask


def utc(instant: datetime | None) -> datetime:
    """An instant in UTC; None is the present."""
    return datetime.now(UTC) if instant is None else instant.astimezone(UTC)
