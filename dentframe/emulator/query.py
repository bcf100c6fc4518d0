"""What a request asks, read from its query string (pure).

The service's own rules: a request names one whole UTC month, day or hour; numbers come
with or without a leading zero, the list with or without spaces, topics by key or by unit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

REQUESTS = ("getData", "getMeters", "getTopics")


class RefusedError(ValueError):
    """The request cannot be meant; its text is the answer's ``error``."""


@dataclass(frozen=True)
class Seen:
    """One request as the emulator saw it.

    Attributes
    ----------
    request, meter : str or None
        As sent, spaces around them cut.
    year, month, day, hour : int or None
        None where absent or not a number.
    topics : tuple of str
        The list as sent: keys or units.
    status : int
        The HTTP status answered; 0 where the connection was cut before one.
    at : float
        When it came, on the monotonic clock [s].
    key_id : str or None
        The account that asked.
    fault : str or None
        The fault that was put in the answer's place.
    size : int
        Bytes of the body before compression.
    """

    request: str | None
    meter: str | None = None
    year: int | None = None
    month: int | None = None
    day: int | None = None
    hour: int | None = None
    topics: tuple[str, ...] = ()
    status: int = 0
    at: float = 0.0
    key_id: str | None = None
    fault: str | None = None
    size: int = 0

    @property
    def window(self) -> str | None:
        """The window asked, such as ``"2023-12-12T02"``."""
        if self.year is None:
            return None
        parts = [p for p in (self.month, self.day, self.hour) if p is not None]
        return f"{self.year:04d}" + "".join(
            f"{mark}{part:02d}" for mark, part in zip("--T", parts, strict=False)
        )


def parameters(query: str) -> dict[str, str]:
    """Parameters of a query string, decoded; of a repeated one the last."""
    return {k: v.strip() for k, v in parse_qsl(query, keep_blank_values=True)}


def look(params: Mapping[str, str], at: float, key_id: str | None) -> Seen:
    """What was asked, as far as it can be read; refuses nothing."""
    year, month, day, hour = (_number(params.get(x)) for x in ("year", "month", "day", "hour"))
    return Seen(
        params.get("request"),
        params.get("meter"),
        year,
        month,
        day,
        hour,
        topics=_items(params.get("topics", "")),
        at=at,
        key_id=key_id,
    )


def window(params: Mapping[str, str]) -> tuple[datetime, datetime]:
    """The UTC month, day or hour asked, half open; RefusedError where there is none."""
    year, month = _required(params, "year", 1970, 9998), _required(params, "month", 1, 12)
    day, hour = _optional(params, "day", 1, 31), _optional(params, "hour", 0, 23)
    if hour is not None and day is None:
        raise RefusedError("hour needs a day")
    if day is None:
        return datetime(year, month, 1, tzinfo=UTC), _next_month(year, month)
    return _day_or_hour(year, month, day, hour)


def topic_keys(text: str | None, catalogue: Iterable[Mapping[str, str]]) -> tuple[str, ...]:
    """Request keys of a list such as ``[kW, A]``, each once: keys first, then units."""
    if text is None:
        raise RefusedError("Missing required parameter: topics")
    if not (text.startswith("[") and text.endswith("]")) or not _items(text):
        raise RefusedError(f"Invalid topics, expected a list such as [DemandkW, kWHNet]: {text}")
    units = {row["unit"]: row["requestKey"] for row in catalogue}
    keys = units | {key: key for key in units.values()}
    unknown = [item for item in _items(text) if item not in keys]
    if unknown:
        raise RefusedError(f"Unknown topic: {unknown[0]}")
    return tuple(dict.fromkeys(keys[item] for item in _items(text)))


def known_meter(meter: str | None, meters: Sequence[str]) -> str:
    """The meter asked; RefusedError where it is absent or not one of the account's."""
    if not meter:
        raise RefusedError("Missing required parameter: meter")
    if meter not in meters:
        raise RefusedError(f"Unknown meter: {meter}")
    return meter


def _items(text: str) -> tuple[str, ...]:
    bare = text.removeprefix("[").removesuffix("]")
    return tuple(item.strip() for item in bare.split(",")) if bare.strip() else ()


def _number(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"[0-9]{1,4}", text) else None


def _required(params: Mapping[str, str], name: str, low: int, high: int) -> int:
    value = _optional(params, name, low, high)
    if value is None:
        raise RefusedError(f"Missing required parameter: {name}")
    return value


def _optional(params: Mapping[str, str], name: str, low: int, high: int) -> int | None:
    if name not in params:
        return None
    value = _number(params[name])
    if value is None or len(params[name]) > len(str(high)) or not low <= value <= high:
        raise RefusedError(f"Invalid {name}: {params[name]}")
    return value


def _next_month(year: int, month: int) -> datetime:
    return datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)


def _day_or_hour(year: int, month: int, day: int, hour: int | None) -> tuple[datetime, datetime]:
    try:
        start = datetime(year, month, day, hour or 0, tzinfo=UTC)
    except ValueError:
        raise RefusedError(f"Invalid day: {year:04d}-{month:02d} has no day {day}") from None
    return start, start + (timedelta(days=1) if hour is None else timedelta(hours=1))
