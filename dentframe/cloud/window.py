"""One window: a whole UTC month, day or hour that the service can be asked for. Pure."""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import total_ordering
from typing import Literal

from dentframe.errors import RangeError

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
