"""The service answers here, behind the socket: from a request seen to an honest answer.

Its own rules: a request names one whole UTC month, day or hour; numbers come with or without a
leading zero, the list with or without spaces, topics by key or by unit.
"""

from __future__ import annotations

import json
import re
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from dentframe.emulator.sources_and_quirks import Source

    Now = Callable[[], datetime]

JSON = "application/json"


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

    @property
    def content(self) -> bytes:
        """The body: itself, or the payload as JSON without spaces, as the service writes it."""
        return encode(self.payload) if self.body is None else self.body

    @property
    def has_rows(self) -> bool:
        """Whether this is a working answer to getData, with at least one row."""
        return isinstance(self.payload, dict) and bool(self.payload.get("headers"))


def message(status: int, text: str, **headers: str) -> Answer:
    """An answer of the gateway: ``{"message": text}``."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, {"message": text}, headers=named)


def refusal(text: str) -> Answer:
    """The service's observed way to say no: 200 with ``success`` false."""
    return Answer(200, {"success": False, "error": text})


def encode(payload: Any) -> bytes:
    """JSON without spaces, as the service writes it."""
    return json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()


def accepts_gzip(header: str | None) -> bool:
    """Whether an Accept-Encoding header asks for gzip."""
    offers = (part.partition(";") for part in (header or "").lower().split(","))
    weights = {name.strip(): rest.replace(" ", "") for name, _, rest in offers}
    weight = weights.get("gzip", weights.get("*", "q=0"))
    return not weight.startswith("q=0") or weight.strip("q=0.") != ""


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
        rate: float | None = 5.0,
        burst: int = 5,
        concurrency: int | None = 5,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rate, self._burst, self._concurrency = rate, burst, concurrency
        self._clock, self._lock = clock, threading.Lock()
        self._tokens, self._filled, self._flying = float(burst), clock(), 0

    def enter(self) -> bool:
        """Whether one more request may begin now; if so, it counts until it leaves."""
        with self._lock:
            if self._concurrency is not None and self._flying >= self._concurrency:
                return False
            if self._rate is not None:
                now = self._clock()
                flown_in = (now - self._filled) * self._rate
                self._tokens, self._filled = min(self._burst, self._tokens + flown_in), now
                if self._tokens < 1:
                    return False
                self._tokens -= 1
            self._flying += 1
            return True

    def leaving(self) -> Callable[[], None]:
        """A function that ends the request just entered; calling it again does nothing."""
        pending = [1]

        def leave() -> None:
            with self._lock:
                self._flying -= pending.pop() if pending else 0

        return leave


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


def look(params: Mapping[str, str], at: float, key_id: str | None) -> Seen:
    """What was asked, as far as it can be read; refuses nothing."""
    year, month, day, hour = (_number(params.get(x)) for x in ("year", "month", "day", "hour"))
    topics = _items(params.get("topics", ""))
    return Seen(params.get("request"), params.get("meter"), year, month, day, hour, topics,
                at=at, key_id=key_id)  # fmt: skip


def window(params: Mapping[str, str]) -> tuple[datetime, datetime]:
    """The UTC month, day or hour asked, half open; RefusedError where there is none."""
    year, month = _required(params, "year", 1970, 9998), _required(params, "month", 1, 12)
    day, hour = _optional(params, "day", 1, 31), _optional(params, "hour", 0, 23)
    if hour is not None and day is None:
        raise RefusedError("hour needs a day")
    if day is None:
        first = datetime(year, month, 1, tzinfo=UTC)
        return first, datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    try:
        start = datetime(year, month, day, hour or 0, tzinfo=UTC)
    except ValueError:
        raise RefusedError(f"Invalid day: {year:04d}-{month:02d} has no day {day}") from None
    return start, start + (timedelta(days=1) if hour is None else timedelta(hours=1))


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
        if request not in REQUESTS:
            raise RefusedError(f"Unknown request: {request}")
        if request == "getMeters":
            return {"success": True, "meters": self.source.meters()}
        if request == "getTopics":
            return {"success": True, "topics": self.source.topics()}
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


def clock(now: datetime | Now | None) -> Now:
    """A clock from a fixed instant (naive is UTC), a callable, or the real time."""
    if callable(now):
        return now
    if now is None:
        return lambda: datetime.now(UTC)
    fixed = now if now.tzinfo else now.replace(tzinfo=UTC)
    return lambda: fixed
