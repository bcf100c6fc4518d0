"""A request's parameters are checked and answered here, and each account's limits are counted.

Its own rules: a request names one whole UTC month, day or hour; numbers come with or without a
leading zero, the list with or without spaces, topics by key or by unit.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dentframe.emulator.sources import Source

Now = Callable[[], datetime]


@dataclass(frozen=True)
class Answer:
    """An HTTP answer.

    Attributes
    ----------
    status : int
        The HTTP status.
    payload : object
        What the body says; ignored where ``body`` is given.
    body : bytes or None
        The body itself.
    headers : dict
        Headers beyond length and type.
    delivery : str
        How to send it: ``"plain"`` is the honest way, the others are the faults that
        `Handler.deliver` of the server knows.
    seconds : float
        Pause for deliveries that pause [s].
    """

    status: int = 200
    payload: Any = None
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    delivery: str = "plain"
    seconds: float = 0.0

    @cached_property
    def content(self) -> bytes:
        """The body: itself, or the payload as JSON without spaces, as the service writes it."""
        if self.body is not None:
            return self.body
        return json.dumps(self.payload, separators=(",", ":"), ensure_ascii=False).encode()


def message(status: int, text: str, **headers: str) -> Answer:
    """An answer of the gateway: ``{"message": text}``."""
    return Answer(status, {"message": text}, headers=headers)


def refusal(text: str) -> Answer:
    """The service's observed way to say no: 200 with ``success`` false."""
    return Answer(200, {"success": False, "error": text})


class Limiter:
    """A token bucket with a limit on requests in flight; None lifts either limit.

    A refused request takes no token.

    Parameters
    ----------
    rate : float or None
        Tokens that flow in [1/s].
    burst : int
        Tokens that the bucket holds, full at first.
    concurrency : int or None
        Requests in flight at once.
    clock : callable
        Seconds that never go back [s].
    """

    def __init__(
        self,
        rate: float | None,
        burst: int,
        concurrency: int | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rate, self._burst, self._concurrency = rate, burst, concurrency
        self._clock, self._lock = clock, threading.Lock()
        self._tokens, self._filled = float(burst), clock()
        self._in_flight = set[Hashable]()

    def enter(self, connection: Hashable) -> bool:
        """Whether a connection may begin a request now; if so, it counts until it leaves."""
        with self._lock:
            if self._concurrency is not None and len(self._in_flight) >= self._concurrency:
                return False
            if self._rate is not None:
                now = self._clock()
                flown_in = (now - self._filled) * self._rate
                self._tokens, self._filled = min(self._burst, self._tokens + flown_in), now
                if self._tokens < 1:
                    return False
                self._tokens -= 1
            self._in_flight.add(connection)
            return True

    def leave(self, connection: Hashable) -> None:
        """End a connection's request; ending it again does nothing."""
        with self._lock:
            self._in_flight.discard(connection)


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
        """The request's window, such as ``"2023-12-12T02"``."""
        if self.year is None:
            return None
        parts = [p for p in (self.month, self.day, self.hour) if p is not None]
        return f"{self.year:04d}" + "".join(
            f"{mark}{part:02d}" for mark, part in zip("--T", parts, strict=False)
        )


_RANGES = {"year": (1970, 9998), "month": (1, 12), "day": (1, 31), "hour": (0, 23)}


def look(params: Mapping[str, str], key_id: str | None) -> Seen:
    """A request, as far as it can be read; refuses nothing."""
    year, month, day, hour = (_number(params.get(name)) for name in _RANGES)
    topics = _items(params.get("topics", ""))
    return Seen(params.get("request"), params.get("meter"), year, month, day, hour, topics,
                at=time.monotonic(), key_id=key_id)  # fmt: skip


def window(params: Mapping[str, str]) -> tuple[datetime, datetime]:
    """The UTC month, day or hour of a request, half open; RefusedError where there is none."""
    found = {"day": 1}
    for name, (low, high) in _RANGES.items():
        text = params.get(name)
        if text is None and name in {"year", "month"}:
            raise RefusedError(f"Missing required parameter: {name}")
        if text is None:
            continue
        value = _number(text)
        if value is None or len(text) > len(str(high)) or not low <= value <= high:
            raise RefusedError(f"Invalid {name}: {text}")
        found[name] = value
    if "hour" in found and "day" not in params:
        raise RefusedError("hour needs a day")
    try:
        start = datetime(**found, tzinfo=UTC)
    except ValueError:
        month = f"{found['year']:04d}-{found['month']:02d}"
        raise RefusedError(f"Invalid day: {month} has no day {found['day']}") from None
    if "day" not in params:
        return start, (start + timedelta(days=31)).replace(day=1)
    return start, start + (timedelta(hours=1) if "hour" in found else timedelta(days=1))


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


def _items(text: str) -> tuple[str, ...]:
    bare = text.removeprefix("[").removesuffix("]")
    return tuple(item.strip() for item in bare.split(",")) if bare.strip() else ()


def _number(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"[0-9]{1,4}", text) else None


_TOO_LARGE = {413: "Request Entity Too Large", 502: "Internal server error"}


@dataclass(frozen=True)
class Service:
    """What one account is served, and how large an answer may be.

    Attributes
    ----------
    source : Source
        Where the data is.
    api_key : str
        The account's key.
    limiter : Limiter
        The account's limits.
    now : callable
        The present, for sources that are ``live``.
    max_body : int or None
        Bytes of JSON above which the answer is ``too_large`` [B].
    too_large : int
        413, or 502 as some gateways say.
    """

    source: Source
    api_key: str
    limiter: Limiter
    now: Now
    max_body: int | None = None
    too_large: int = 413

    def answer(self, params: Mapping[str, str]) -> Answer:
        """The honest answer to the parameters of a request."""
        try:
            answer = Answer(payload=self._payload(params))
        except RefusedError as refused:
            return refusal(str(refused))
        if self.max_body is not None and len(answer.content) > self.max_body:
            return message(self.too_large, _TOO_LARGE.get(self.too_large, "Too large"))
        return answer

    def _payload(self, params: Mapping[str, str]) -> dict[str, Any]:
        request = params.get("request")
        if not request:
            raise RefusedError("Missing required parameter: request")
        if request == "getMeters":
            return {"success": True, "meters": self.source.meters()}
        if request == "getTopics":
            return {"success": True, "topics": self.source.topics()}
        if request != "getData":
            raise RefusedError(f"Unknown request: {request}")
        start, end = window(params)
        meter = params.get("meter")
        if not meter:
            raise RefusedError("Missing required parameter: meter")
        if meter not in self.source.meters():
            raise RefusedError(f"Unknown meter: {meter}")
        topics = topic_keys(params.get("topics"), self.source.topics())
        if getattr(self.source, "live", False):
            end = min(end, self.now() + timedelta.resolution)
        headers, rows = self.source.rows(meter, start, end, topics) if start < end else ([], [])
        return {"headers": headers, "topics": rows}
