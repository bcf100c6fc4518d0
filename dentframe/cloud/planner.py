"""The planner finds the fewest requests for whole UTC windows that contain a range.

Windows are a tree: a month holds days, a day holds hours. :func:`plan` walks it and keeps,
at every node, the cheaper of the node itself and the best of its children, which is optimal.
The present and what is cached are arguments. A request whose answer would be too large is cut
smaller, by what :class:`Sizes` knows of answers.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import total_ordering
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np

from dentframe.cloud.requests_and_responses import LARGEST, prefix
from dentframe.errors import RangeError
from dentframe.wire.columns import topic_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from dentframe.cloud.http_cache import HttpCache
    from dentframe.wire.pages_and_bad_cells import Page


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = _EPOCH.toordinal()
_HOUR = timedelta(hours=1)
_TEXT = re.compile(r"[0-9]{4}-[0-9]{2}(-[0-9]{2}(T[0-9]{2})?)?")


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
        there = 1 <= self.year <= 9998 and 1 <= self.month <= 12
        if there and self.day is not None:
            there = 1 <= self.day <= monthrange(self.year, self.month)[1]
        if not there or not (self.hour is None or (self.day and 0 <= self.hour <= 23)):
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
        if not _TEXT.fullmatch(text):
            raise RangeError(
                f"Cannot read {text[:40]!r} as a window: it is no UTC month, day or hour. "
                "Write it like 2023-12, 2023-12-12 or 2023-12-12T02."
            )
        return cls(*map(int, re.split("[-T]", text)))

    @property
    def kind(self) -> Literal["month", "day", "hour"]:
        """Whether it is a ``month``, a ``day`` or an ``hour``."""
        if self.day is None:
            return "month"
        return "day" if self.hour is None else "hour"

    @property
    def hours(self) -> range:
        """Its hours, counted from 1970-01-01T00:00Z [h]."""
        day = date(self.year, self.month, self.day or 1).toordinal() - _EPOCH_DAY
        first = day * 24 + (self.hour or 0)
        days = 1 if self.day is not None else monthrange(self.year, self.month)[1]
        return range(first, first + (days * 24 if self.hour is None else 1))

    @property
    def minutes(self) -> range:
        """Its minutes, counted from 1970-01-01T00:00Z [min]."""
        hours = self.hours
        return range(hours.start * 60, hours.stop * 60)

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
        names = "year", "month", "day", "hour"
        return dict(zip(names, re.split("[-T]", str(self)), strict=False))

    def children(self) -> tuple[Window, ...]:
        """Return the days of a month, the hours of a day, nothing for an hour."""
        if self.day is None:
            days = range(1, monthrange(self.year, self.month)[1] + 1)
            return tuple(Window(self.year, self.month, day) for day in days)
        if self.hour is None:
            return tuple(Window(self.year, self.month, self.day, hour) for hour in range(24))
        return ()

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
        return str(self) < str(other)  # a text begins before those that go on


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
    bytes_per_hour: float | None = None,
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
    bytes_per_hour : float, optional
        What an hour of data weighs in an answer [B/h]; else `BYTES_PER_HOUR`.

    Returns
    -------
    list of Window
        Chronological and disjoint; empty if the range is empty or wholly in the future.
    """
    weight = BYTES_PER_HOUR if bytes_per_hour is None else bytes_per_hour
    # Windows are ranges of hours here, which are cheaper to walk than a `Window`.
    first = (start - _EPOCH) // _HOUR
    # Rounded up: an hour that has begun is asked for.
    last, present = (-((_EPOCH - instant) // _HOUR) for instant in (end, now))
    stop = min(last, present)
    if end <= start or stop <= first:
        return []
    free = {window.hours: window for window in cached}
    days = {Window(w.year, w.month, w.day) for w in cached if w.hour is not None}
    months = {Window(w.year, w.month) for w in cached if w.day is not None}
    above = {window.hours for window in days | months}
    asked = range(first, stop)

    def cheapest(hours: range) -> tuple[float, list[range]]:
        """``opt(n) = min(cost(n), sum of opt(children in range))``: the cost and the windows."""
        if hours in free:
            return 0.0, [hours]
        until = min(hours.stop, present)
        cost = REQUEST_BYTES + (until - hours.start) * weight
        child = {1: 0, 24: 1}.get(len(hours), 24)
        # A window without overhang weighs as much as its children, which are more requests.
        inside = asked.start <= hours.start and hours.start + child < until <= asked.stop
        if not child or (inside and hours not in above):
            return cost, [hours]
        begin = max(hours.start, asked.start // child * child)
        firsts = range(begin, min(hours.stop, asked.stop), child)
        parts = [cheapest(range(first, first + child)) for first in firsts]
        together = sum(part for part, _ in parts)
        if cost < together:
            return cost, [hours]
        return together, [smaller for _, chosen in parts for smaller in chosen]

    chosen: list[range] = []
    while not chosen or chosen[-1].stop < stop:
        day = date.fromordinal((chosen[-1].stop if chosen else first) // 24 + _EPOCH_DAY)
        chosen += cheapest(Window(day.year, day.month).hours)[1]
    return [free.get(hours) or _window(hours) for hours in chosen]


def _window(hours: range) -> Window:
    day = date.fromordinal(hours.start // 24 + _EPOCH_DAY)
    parts = day.year, day.month, day.day, hours.start % 24
    return Window(*parts[: {1: 4, 24: 3}.get(len(hours), 2)])


# --- what is too large to be asked for at once -------------------------------------------


GATEWAY = 10_000_000
"""No gateway of this kind lets more through [B]; what it refuses lowers this."""
MEMORY = 30 * 86400.0
"""How long a refusal is remembered [s]."""
_RANK: dict[str, Literal[0, 1, 2]] = {"hour": 0, "day": 1, "month": 2}

T = TypeVar("T")
Refusal = tuple[Literal[0, 1, 2], frozenset[str], float]


def pieces(window: Window, topics: Sequence[str]) -> list[tuple[Window, tuple[str, ...]]]:
    """Cut a request in smaller ones that together are the same: topics, then days, then hours.

    An hour of one topic cannot be cut: the result is empty.
    """
    half = (len(topics) + 1) // 2
    if half < len(topics):
        return [(window, tuple(topics[:half])), (window, tuple(topics[half:]))]
    return [(child, tuple(topics)) for child in window.children()]


class Sizes:
    """What is known about the sizes of an account's answers, kept in the same file.

    Parameters
    ----------
    cache : HttpCache
        Where it is kept; without a file it lasts as long as the client.
    """

    def __init__(self, cache: HttpCache) -> None:
        self._cache = cache
        self._lock = threading.Lock()
        self._meters: dict[str, tuple[dict[str, float], list[Refusal]]] = {}
        limit = self._fact("", "limit", float, 0.0)
        self._limit = limit if 0 < limit < LARGEST else float(GATEWAY)

    def per_hour(self, meter: str, topics: Sequence[str]) -> float | None:
        """How large an hour of these topics is [B/h], where any of them is known."""
        with self._lock:
            known, _ = self._of(meter)
            got = [known[topic] for topic in topics if topic in known]
        return len(topics) * sum(got) / len(got) if got else None

    def predict(self, meter: str, window: Window, topics: Sequence[str]) -> float | None:
        """How large an answer will be [B]."""
        per_hour = self.per_hour(meter, topics)
        return None if per_hour is None else per_hour * len(window.hours)

    def too_large(self, meter: str, window: Window, topics: Sequence[str], now: float) -> bool:
        """Whether to cut a request before asking."""
        predicted = self.predict(meter, window, topics)
        if predicted is not None and predicted >= self._limit:
            return True
        asked = frozenset(topics)
        with self._lock:
            lately = [r for r in self._of(meter)[1] if now - r[2] < MEMORY]
        return any(
            _RANK[window.kind] >= rank
            and (asked >= refused or (predicted is None and len(asked) >= len(refused)))
            for rank, refused, _ in lately
        )

    def learn(self, meter: str, page: Page, size: int) -> None:
        """Take note of an answer's size [B]."""
        if len(page.minutes) < 2 or not page.columns:
            return
        spacing = float(np.median(np.diff(np.sort(page.minutes)))) or 1.0
        per_cell = size * 60 / (len(page.minutes) * spacing * len(page.columns))
        found: dict[str, float] = {}
        for topic in map(topic_of, page.columns):
            found[topic] = found.get(topic, 0.0) + per_cell
        with self._lock:
            self._limit = max(self._limit, size + 1)
            known, _ = self._of(meter)
            news = any(not 0.9 * b < known.get(t, 0.0) < 1.1 * b for t, b in found.items())
            known |= found
            if news:
                self._note(meter, "sizes", {topic: round(size, 1) for topic, size in known.items()})

    def refuse(self, meter: str, window: Window, topics: Sequence[str], now: float) -> None:
        """Remember a request whose answer was too large."""
        predicted = self.predict(meter, window, topics)
        with self._lock:
            _, found = self._of(meter)
            found.append((_RANK[window.kind], frozenset(topics), now))
            if predicted is not None:
                self._limit = min(self._limit, predicted)
            kept = [[rank, sorted(asked), at] for rank, asked, at in found[-64:]]
            self._note(meter, "refused", kept)
            self._note("", "limit", self._limit)

    def _of(self, meter: str) -> tuple[dict[str, float], list[Refusal]]:
        """The sizes of a meter's topics [B/h] and its refusals, which a caller may add to."""
        if meter not in self._meters:
            sizes: dict[str, float] = self._fact(meter, "sizes", dict[str, float], {})
            known = {topic: size for topic, size in sizes.items() if 0 < size < LARGEST}
            self._meters[meter] = known, self._fact(meter, "refused", list[Refusal], [])
        return self._meters[meter]

    def _note(self, meter: str, name: str, value: object) -> None:
        key = f"{prefix(self._cache.account, meter)}~{name}"
        self._cache.file.note(key, json.dumps(value), self._cache.present().timestamp())

    def _fact(self, meter: str, name: str, kind: Any, nothing: T) -> T:
        """What was noted lately and is of its kind, else `nothing`."""
        found = self._cache.file.fact(f"{prefix(self._cache.account, meter)}~{name}")
        if found is not None and self._cache.present().timestamp() - found[1] <= MEMORY:
            import msgspec

            with contextlib.suppress(msgspec.MsgspecError, RecursionError):
                value: T = msgspec.json.decode(found[0], type=kind)
                return value
        return nothing
