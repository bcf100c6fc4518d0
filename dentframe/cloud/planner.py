"""The planner finds the fewest requests for whole UTC windows that contain a range.

Windows are a tree: a month holds days, a day holds hours. :func:`plan` walks it and keeps,
at every node, the cheaper of the node itself and the best of its children, which is optimal.
The present and what is cached are arguments.
"""

from __future__ import annotations

import math
import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import total_ordering
from typing import TYPE_CHECKING, Literal, NamedTuple

from dentframe.errors import RangeError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_HOUR = timedelta(hours=1)
_TEXT = re.compile(r"([0-9]{4})-([0-9]{2})(?:-([0-9]{2})(?:T([0-9]{2}))?)?")


@total_ordering
@dataclass(frozen=True, slots=True)
class Window:
    """One whole UTC month, day or hour: what one getData request asks for.

    Windows sort by their start, the longer one first.

    Parameters
    ----------
    year : int
        The year, 1 to 9998.
    month : int
        The month, 1 to 12.
    day : int, optional
        The day of the month; without it the window is the whole month.
    hour : int, optional
        The hour of the day, 0 to 23; without it the window is the whole day.

    Raises
    ------
    RangeError
        If there is no such month, day or hour.
    """

    year: int
    month: int
    day: int | None = None
    hour: int | None = None

    def __post_init__(self) -> None:
        if not _exists(self.year, self.month, self.day, self.hour):
            raise RangeError(
                f"Cannot make a window of year={self.year!r}, month={self.month!r}, "
                f"day={self.day!r}, hour={self.hour!r}: there is no such UTC month, day or hour. "
                "Give a calendar month, a day of it, and with a day an hour from 0 to 23."
            )

    @classmethod
    def parse(cls, text: str) -> Window:
        """Read ``2023-12``, ``2023-12-12`` or ``2023-12-12T02``.

        Raises
        ------
        RangeError
            If the text is no window.
        """
        found = _TEXT.fullmatch(text)
        if found is None:
            raise RangeError(
                f"Cannot read {text[:40]!r} as a window: it is no UTC month, day or hour. "
                "Write it like 2023-12, 2023-12-12 or 2023-12-12T02."
            )
        year, month, day, hour = found.groups()
        return cls(int(year), int(month), _int(day), _int(hour))

    @property
    def kind(self) -> Literal["month", "day", "hour"]:
        """Whether it is a ``month``, a ``day`` or an ``hour``."""
        if self.day is None:
            return "month"
        return "day" if self.hour is None else "hour"

    @property
    def hours(self) -> range:
        """Its hours, counted from 1970-01-01T00:00Z [h]."""
        first = (date(self.year, self.month, self.day or 1).toordinal() - _EPOCH_DAY) * 24
        if self.hour is not None:
            return range(first + self.hour, first + self.hour + 1)
        days = 1 if self.day is not None else monthrange(self.year, self.month)[1]
        return range(first, first + days * 24)

    @property
    def minutes(self) -> range:
        """Its minutes, counted from 1970-01-01T00:00Z [min]."""
        return range(self.hours.start * 60, self.hours.stop * 60)

    @property
    def start(self) -> datetime:
        """Its first instant, in UTC."""
        return _EPOCH + self.hours.start * _HOUR

    @property
    def end(self) -> datetime:
        """The first instant after it, in UTC."""
        return _EPOCH + self.hours.stop * _HOUR

    def params(self) -> dict[str, str]:
        """Return the parameters of a request that name this window, zero-padded."""
        parts = {"month": self.month, "day": self.day, "hour": self.hour}
        return {"year": f"{self.year:04d}"} | {
            name: f"{part:02d}" for name, part in parts.items() if part is not None
        }

    def children(self) -> tuple[Window, ...]:
        """Return the days of a month, the hours of a day, nothing for an hour."""
        if self.day is None:
            days = range(1, monthrange(self.year, self.month)[1] + 1)
            return tuple(Window(self.year, self.month, day) for day in days)
        if self.hour is None:
            return tuple(Window(self.year, self.month, self.day, hour) for hour in range(24))
        return ()

    def parent(self) -> Window | None:
        """Return the day of an hour, the month of a day, None for a month."""
        if self.day is None:
            return None
        return Window(self.year, self.month, self.day if self.hour is not None else None)

    def contains(self, other: Window) -> bool:
        """Whether every hour of `other` is in this window."""
        mine, theirs = self.hours, other.hours
        return mine.start <= theirs.start and theirs.stop <= mine.stop

    def __str__(self) -> str:
        text = f"{self.year:04d}-{self.month:02d}"
        text += "" if self.day is None else f"-{self.day:02d}"
        return text if self.hour is None else f"{text}T{self.hour:02d}"

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Window):
            return NotImplemented
        return self._order() < other._order()

    def _order(self) -> tuple[int, int]:
        span = self.hours
        return span.start, -len(span)


def _int(text: str | None) -> int | None:
    return None if text is None else int(text)


def _exists(year: int, month: int, day: int | None, hour: int | None) -> bool:
    if not (1 <= year <= 9998 and 1 <= month <= 12):
        return False
    if day is None:
        return hour is None
    return 1 <= day <= monthrange(year, month)[1] and (hour is None or 0 <= hour <= 23)


REQUEST_BYTES: int = 2_000_000
"""A run of smaller windows replaces a larger one only where each added request saves more [B]."""

BYTES_PER_HOUR: float = 2_000.0
"""The size of an answer where nothing is known about the meter: four rows of 500 B [B/h]."""


def plan(
    start: datetime,
    end: datetime,
    *,
    now: datetime,
    cached: Collection[Window] = (),
    bytes_per_hour: float = BYTES_PER_HOUR,
) -> list[Window]:
    """Find the cheapest disjoint windows that contain a range.

    A window costs `REQUEST_BYTES` and the bytes of its hours up to `now`; a cached window
    costs nothing. Of equally cheap plans the one with smaller windows is taken.

    Parameters
    ----------
    start, end : datetime
        The half-open range, time-zone aware, at any minute.
    now : datetime
        Nothing that begins at or after this instant is asked for.
    cached : collection of Window
        The windows that need no request.
    bytes_per_hour : float
        What an hour of data weighs in an answer [B/h].

    Returns
    -------
    list of Window
        Chronological and disjoint; empty if the range is empty or wholly in the future.

    Raises
    ------
    RangeError
        If a datetime has no time zone, or `bytes_per_hour` is not a finite, positive size.
    """
    _check(start, end, now, bytes_per_hour)
    first, stop = _floor_hour(start), _ceil_hour(min(end, now))
    if end <= start or stop <= first:
        return []
    held = {_node(window): window for window in cached}
    tree = _Tree(first, stop, _ceil_hour(now), held, _branches(cached), bytes_per_hour)
    return [window for month in _months(first, stop) for window in tree.windows(month)]


def covers(windows: Iterable[Window], start: datetime, end: datetime) -> bool:
    """Whether the windows together contain the half-open range ``[start, end)``."""
    if end <= start:
        return True
    reach = _floor_hour(start)
    for window in sorted(windows):
        if window.hours.start > reach:
            break
        reach = max(reach, window.hours.stop)
    return reach >= _ceil_hour(end)


class _Node(NamedTuple):
    """A window as hours since 1970-01-01T00:00Z: cheaper to walk than a `Window`."""

    first: int
    stop: int

    def window(self) -> Window:
        day = date.fromordinal(self.first // 24 + _EPOCH_DAY)
        length = self.stop - self.first
        if length > 24:
            return Window(day.year, day.month)
        return Window(day.year, day.month, day.day, self.first % 24 if length == 1 else None)


class _Best(NamedTuple):
    cost: float
    nodes: tuple[_Node, ...]


class _Tree(NamedTuple):
    """What the walk needs; `branches` are the nodes with a cached one below."""

    first: int
    stop: int
    now: int
    cached: dict[_Node, Window]
    branches: frozenset[_Node]
    bytes_per_hour: float

    def windows(self, month: _Node) -> list[Window]:
        return [self.cached.get(node) or node.window() for node in self.best(month).nodes]

    def best(self, node: _Node) -> _Best:
        """``opt(n) = min(cost(n), sum of opt(children in range))``."""
        if node in self.cached:
            return _Best(0.0, (node,))
        own = _Best(self._cost(node), (node,))
        if self._needs_no_look_below(node):
            return own
        below = self._hours(node) if node.stop - node.first == 24 else self._days(node)
        return min(below, own, key=lambda best: best.cost)

    def _days(self, month: _Node) -> _Best:
        firsts = range(max(month.first, self.first // 24 * 24), min(month.stop, self.stop), 24)
        parts = [self.best(_Node(first, first + 24)) for first in firsts]
        nodes = tuple(node for part in parts for node in part.nodes)
        return _Best(sum(part.cost for part in parts), nodes)

    def _hours(self, day: _Node) -> _Best:
        firsts = range(max(day.first, self.first), min(day.stop, self.stop))
        nodes = tuple(_Node(first, first + 1) for first in firsts)
        asked = sum(node not in self.cached for node in nodes)
        return _Best(asked * (REQUEST_BYTES + self.bytes_per_hour), nodes)

    def _cost(self, node: _Node) -> float:
        return REQUEST_BYTES + (min(node.stop, self.now) - node.first) * self.bytes_per_hour

    def _needs_no_look_below(self, node: _Node) -> bool:
        # A node without overhang weighs as much as its children, which are more requests.
        reach = min(node.stop, self.now)
        child = 1 if node.stop - node.first == 24 else 24
        inside = self.first <= node.first and node.first + child < reach <= self.stop
        return inside and node not in self.branches


def _node(window: Window) -> _Node:
    return _Node(window.hours.start, window.hours.stop)


def _months(first: int, stop: int) -> Iterator[_Node]:
    while first < stop:
        day = date.fromordinal(first // 24 + _EPOCH_DAY)
        month = _node(Window(day.year, day.month))
        yield month
        first = month.stop


def _branches(windows: Iterable[Window]) -> frozenset[_Node]:
    days = {(w.year, w.month, w.day) for w in windows if w.hour is not None}
    months = {(w.year, w.month) for w in windows if w.day is not None}
    parents = [*(Window(*day) for day in days), *(Window(*month) for month in months)]
    return frozenset(_node(parent) for parent in parents)


def _floor_hour(instant: datetime) -> int:
    return (instant - _EPOCH) // _HOUR


def _ceil_hour(instant: datetime) -> int:
    return -((_EPOCH - instant) // _HOUR)


def _check(start: datetime, end: datetime, now: datetime, bytes_per_hour: float) -> None:
    for name, instant in (("start", start), ("end", end), ("now", now)):
        if instant.tzinfo is None:
            raise RangeError(
                f"Cannot plan with {name}={instant}: it has no time zone, and windows are UTC. "
                "Give an aware datetime."
            )
    if not 0 < bytes_per_hour < math.inf:
        raise RangeError(
            f"Cannot plan with bytes_per_hour={bytes_per_hour!r}: a size must be finite and "
            "above 0. Leave it out to use the default."
        )
