"""A request's parameters are checked and answered here from a source, within an account's limits.

A source is a folder of recorded answers, rows that are given, simulated meters, or one's own. A
request names one whole UTC month, day or hour; numbers come with or without a leading zero, the
list with or without spaces, topics by key or by unit.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from dentframe.wire.topics import TOPICS

Now = Callable[[], datetime]
Row = dict[str, Any]
Rows = list[Row]
Table = tuple[list[str], Rows]
"""Headers and rows."""
STAMP = ("date", "time")
"""The two columns that every answer starts with."""


def catalogue() -> list[dict[str, str]]:
    """The topics that the API's document lists, in its order."""
    served = (t for t in TOPICS.values() if t.served)
    return [{"unit": t.unit, "requestKey": t.key, "description": t.description} for t in served]


def topic_of(column: str) -> str:
    """The topic of a column: ``"A/Ch/A1"`` is of ``"A"``."""
    return column.partition("/")[0]


# --- sources ---


@runtime_checkable
class Source(Protocol):
    """Where the emulator takes its answers from; write your own with these three methods.

    Give it a true attribute ``live`` if it must not be asked for the future. A subclass has the
    topics of the API's document, unless it says others.
    """

    def meters(self) -> list[str]:
        """Names of the meters, in the order of getMeters."""
        ...

    def topics(self) -> list[dict[str, str]]:
        """Rows of getTopics: ``unit``, ``requestKey`` and ``description``."""
        return catalogue()

    def rows(self, meter: str, start: datetime, end: datetime, topics: Sequence[str]) -> Table:
        """Headers and rows of a meter in ``[start, end)``, both empty if there are none.

        ``topics`` are request keys; ``start`` and ``end`` are in UTC.
        """
        ...


def select(
    rows: Rows, start: datetime, end: datetime, topics: Sequence[str], headers: Iterable[str] = ()
) -> Table:
    """Rows in ``[start, end)`` in the order they came, with the columns of some topics.

    The columns come in the order of the headers; without any, sorted by name.
    """
    headers = headers or [*STAMP, *sorted({c for row in rows for c in row} - set(STAMP))]
    kept = [h for h in headers if h in STAMP or topic_of(h) in topics]
    lo, hi = f"{start:%Y-%m-%d %H:%M}", f"{end:%Y-%m-%d %H:%M}"
    inside = [
        {c: r[c] for c in kept if c in r} for r in rows if lo <= f"{r['date']} {r['time']}" < hi
    ]
    return (kept, inside) if inside and len(kept) > len(STAMP) else ([], [])


_NAME = re.compile(r"(?P<meter>.+)-(?P<month>\d{4}-\d{2})\.json")


class Recorded(Source):
    """A folder of ``<meter>-<YYYY-MM>.json`` files, each a month's getData answer.

    Headers and rows keep their order and their text; what a file lacks stays lacking.

    Parameters
    ----------
    folder : path
        Where the files are; read when asked for, so that files may be added meanwhile.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise FileNotFoundError(
                f"Cannot serve recorded answers: {self.folder} is not a folder. "
                "It must hold files named <meter>-<YYYY-MM>.json."
            )

    def meters(self) -> list[str]:
        """Names of the meters that have a file, sorted."""
        found = (_NAME.fullmatch(p.name) for p in self.folder.iterdir())
        return sorted({match["meter"] for match in found if match})

    def rows(self, meter: str, start: datetime, end: datetime, topics: Sequence[str]) -> Table:
        """Headers and rows in ``[start, end)``, from the files of its months."""
        days = (start + timedelta(days=n) for n in range((end - start).days + 2))
        paths = dict.fromkeys(self.folder / f"{meter}-{day:%Y-%m}.json" for day in days)
        months = [_load(p, p.stat().st_mtime_ns) for p in paths if p.is_file()]
        headers = dict.fromkeys(h for month in months for h in month["headers"])
        rows = [row for month in months for row in month["topics"]]
        return select(rows, start, end, topics, headers)


@lru_cache(maxsize=8)
def _load(path: Path, _modified: int) -> Any:
    return json.loads(path.read_bytes())


class Fixed(Source):
    """Rows given in Python, for small tests.

    Parameters
    ----------
    meters : mapping
        Meter to rows: ``{"P1": [{"date": "2023-12-12", "time": "02:02", "A/Ch/A1": "1.0"}]}``.
        Values go out as they are; a None becomes null, a number a number.
    topics : sequence of dict, optional
        Rows of getTopics; the document's by default.
    """

    def __init__(
        self, meters: Mapping[str, Sequence[Row]], topics: Sequence[Mapping[str, str]] | None = None
    ) -> None:
        self._meters = meters
        self._topics = catalogue() if topics is None else [dict(t) for t in topics]

    def meters(self) -> list[str]:
        """Names of the meters, in the order given."""
        return list(self._meters)

    def topics(self) -> list[dict[str, str]]:
        """Rows of getTopics."""
        return [dict(t) for t in self._topics]

    def rows(self, meter: str, start: datetime, end: datetime, topics: Sequence[str]) -> Table:
        """Headers, sorted, and rows in ``[start, end)``, in the order given."""
        return select(list(self._meters[meter]), start, end, topics)


# --- requests, answers and limits ---


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
        marked = (f"{mark}{part:02d}" for mark, part in zip("--T", parts, strict=False))
        return f"{self.year:04d}{''.join(marked)}"


_RANGES = {"year": (1970, 9998), "month": (1, 12), "day": (1, 31), "hour": (0, 23)}


def look(params: Mapping[str, str], key_id: str | None) -> Seen:
    """A request, as far as it can be read; refuses nothing."""
    year, month, day, hour = (_number(params.get(name)) for name in _RANGES)
    topics = _items(params.get("topics", ""))
    return Seen(params.get("request"), params.get("meter"), year, month, day, hour, topics,
                at=time.monotonic(), key_id=key_id)  # fmt: skip


def window(params: Mapping[str, str]) -> tuple[datetime, datetime]:
    """The UTC month, day or hour of a request, half open; RefusedError where there is none."""
    given: Mapping[str, str] = {"day": "1", "hour": "0", **params}
    found: dict[str, int] = {}
    for name, (low, high) in _RANGES.items():
        text = given.get(name)
        if text is None:
            raise RefusedError(f"Missing required parameter: {name}")
        value = _number(text)
        if value is None or len(text) > len(str(high)) or not low <= value <= high:
            raise RefusedError(f"Invalid {name}: {text}")
        found[name] = value
    if "hour" in params and "day" not in params:
        raise RefusedError("hour needs a day")
    try:
        start = datetime(**found, tzinfo=UTC)
    except ValueError:
        month = f"{found['year']:04d}-{found['month']:02d}"
        raise RefusedError(f"Invalid day: {month} has no day {found['day']}") from None
    if "day" not in params:
        return start, (start + timedelta(days=31)).replace(day=1)
    return start, start + (timedelta(hours=1) if "hour" in params else timedelta(days=1))


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
    quirks : mapping
        How this service differs, by name.
    changes : sequence of (function, value)
        What quirks make of rows; a function is given rows, the value and the present.
    """

    source: Source
    api_key: str
    limiter: Limiter
    now: Now
    max_body: int | None
    too_large: int
    quirks: Mapping[str, Any]
    changes: Sequence[tuple[Callable[[Rows, Any, datetime], Rows], Any]]

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
            return {"success": True, "topics": self._topics()}
        if request != "getData":
            raise RefusedError(f"Unknown request: {request}")
        start, end = window(params)
        meter = params.get("meter")
        if not meter:
            raise RefusedError("Missing required parameter: meter")
        if meter not in self.source.meters():
            raise RefusedError(f"Unknown meter: {meter}")
        topics = topic_keys(params.get("topics"), self._topics())
        headers, rows = self._rows(meter, start, end, topics)
        return {"headers": headers, "topics": rows}

    def _topics(self) -> list[dict[str, str]]:
        return [t for t in self.source.topics() if f"no_{t['requestKey']}" not in self.quirks]

    def _rows(self, meter: str, start: datetime, end: datetime, topics: Sequence[str]) -> Table:
        """Headers and rows of a window, after the quirks; what is not yet, is not there."""
        now, around = self.now(), timedelta(days=bool(self.changes))
        first, stop = start - around, end + around
        if getattr(self.source, "live", False):
            stop = min(stop, now + timedelta.resolution)
        headers, rows = self.source.rows(meter, first, stop, topics) if first < stop else ([], [])
        for change, value in self.changes:
            rows = change(rows, value, now)
        return select(rows, start, end, topics) if self.changes else (headers, rows)
