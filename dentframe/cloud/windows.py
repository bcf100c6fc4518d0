"""The planner: the fewest requests for whole UTC windows that contain a range. Pure.

Windows are a tree: a month holds days, a day holds hours. :func:`plan` walks it and keeps,
at every node, the cheaper of the node itself and the best of its children, which is optimal.
"now" and what is cached are arguments.
"""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from dentframe.cloud.window import Window
from dentframe.errors import RangeError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

__all__ = [
    "BYTES_PER_HOUR",
    "REQUEST_BYTES",
    "Window",
    "covers",
    "estimate_bytes",
    "hours",
    "plan",
    "split",
]

REQUEST_BYTES: int = 2_000_000
"""A run of smaller windows replaces a larger one only where each added request saves more [B]."""

BYTES_PER_HOUR: float = 2_000.0
"""The size of an answer where nothing is known about the meter: four rows of 500 B [B/h]."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_HOUR = timedelta(hours=1)


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


def split(window: Window) -> tuple[Window, ...]:
    """Return the windows to ask for where the answer for `window` is too large.

    Returns
    -------
    tuple of Window
        Its days or its hours; empty for an hour, which cannot be split.
    """
    return window.children()


def hours(windows: Iterable[Window]) -> int:
    """How many different hours the windows hold together [h]."""
    return len({hour for window in windows for hour in window.hours})


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


def estimate_bytes(window: Window, now: datetime, bytes_per_hour: float = BYTES_PER_HOUR) -> float:
    """How large the answer for a window is likely to be at `now` [B]."""
    span = window.hours
    return max(0, min(span.stop, _ceil_hour(now)) - span.start) * bytes_per_hour


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
