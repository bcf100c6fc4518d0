"""What a request asks, what its response means and how long that may be kept is decided here.

A response becomes a value or a typed error. Each request belongs to a read, which may be given
up (:class:`Cancellation`). The present is an argument, and no key of the account comes in here.
"""

from __future__ import annotations

import contextlib
import email.utils
import io
import json
import logging
import zlib
from copy import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar
from urllib.parse import quote, urlencode

from dentframe.errors import (
    AuthError,
    DecodeError,
    DentError,
    RateLimitError,
    RequestError,
    UnavailableError,
)
from dentframe.wire.pages_and_bad_cells import Page, complete, decode_meters, decode_topics, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from concurrent.futures import Executor

    from dentframe.cloud.planner import Window

T = TypeVar("T")
LOGGER = logging.getLogger("dentframe.cloud")
logging.getLogger("dentframe").addHandler(logging.NullHandler())
Value: TypeAlias = "Page | list[str] | list[dict[str, str]]"
LARGEST = 1 << 27
"""No answer is read, unpacked or served from the cache beyond this [B]: more than ten times a
month of 16 elements and 6 topics at 15 minutes (11.5 MB)."""
_TOO_LONG = (
    f"it is longer than {LARGEST / 1e6:.0f} MB, more than ten times the longest month of a "
    "meter. Check the base URL and any proxy between."
)
FOREVER = float("inf")
NEVER = 0.0
DAY = 86400.0
WEEK, YEAR = 7 * DAY, 365 * DAY
SETTLED = 2 * DAY
"""Meters upload late: after this time a complete window is final [s]."""
OPEN = 300.0
"""How long an answer is kept whose window has not ended yet, or has just ended [s]."""
_SAID, _STEP = 4096, 1 << 18


class StoppedError(DentError):
    """The read was given up by its caller (an interrupt, or a generator closed)."""


@dataclass(eq=False)
class Cancellation:
    """What ends one read: its windows go on until one of them meets an error that stops all.

    Attributes
    ----------
    error : DentError or None
        What stopped it.
    cancelled : bool
        Whether the requests that are under way are cut too.
    decoder : Executor or None
        The one thread that decodes its answers.
    store : bool
        Whether the cache may keep its answers.
    """

    error: DentError | None = None
    cancelled: bool = False
    decoder: Executor | None = None
    store: bool = True

    def in_turn(self, call: Callable[[], T]) -> T:
        """Call in the one thread that decodes: each more would need memory of its own."""
        return call() if self.decoder is None else self.decoder.submit(call).result()

    def stop(self, error: DentError) -> None:
        """Let no further request of this read go out."""
        self.error = self.error or error

    def cancel(self) -> None:
        """Stop, and let the timers of the requests that are under way cut them."""
        self.stop(StoppedError("The read was given up by its caller."))
        self.cancelled = True

    def check(self) -> None:
        """Raise what stopped this read."""
        if self.error is not None:
            raise copy(self.error)  # so that threads share no traceback


@dataclass(eq=False)
class ApiRequest:
    """A request, and what has become of it so far.

    Attributes
    ----------
    kind : str
        The ``request`` parameter.
    meter, window, topics
        What getData asks for.
    read : Cancellation
        The read that it belongs to.
    predicted : float or None
        How large the answer will be [B], where that is known.
    probe : bool
        Whether it only looks if the service can answer at all.
    probed : bool
        Whether a probe has failed, so that 502 means an outage.
    sends, failures, gateway, spent, first
        Requests sent; failures, and 502s among them; time used [s]; when it was first sent.
    """

    kind: Literal["getData", "getMeters", "getTopics"]
    meter: str = ""
    window: Window | None = None
    topics: tuple[str, ...] = ()
    read: Cancellation = field(default_factory=Cancellation)
    predicted: float | None = None
    probe: bool = False
    probed: bool = False
    sends: int = 0
    failures: int = 0
    gateway: int = 0
    spent: float = 0.0
    first: float | None = None

    def __str__(self) -> str:
        if self.window is None:
            return self.kind
        return f"{self.meter} {self.window} {','.join(self.topics)}"

    def query(self) -> str:
        """The query string of the request."""
        params: dict[str, str] = {"request": self.kind}
        if self.window is not None:
            params |= self.window.params()
            params |= {"topics": f"[{','.join(self.topics)}]", "meter": self.meter}
        return urlencode(params)

    def key(self, account: str) -> str:
        """Its key in the cache, readable by prefix: account, meter, window, sorted topics."""
        if self.window is None:
            return f"{account}//{self.kind}"
        return prefix(account, self.meter, self.window) + ",".join(map(quoted, sorted(self.topics)))

    def decode(self, body: bytes) -> Value:
        """Decode and so validate an answer; whatever is wrong with it is a typed error."""
        from dentframe.wire.decode import decode  # with msgspec, which an archive does without

        try:
            if self.kind == "getMeters":
                return decode_meters(body)
            if self.kind == "getTopics":
                return decode_topics(body)
            return decode(body, self.window)
        except DentError:
            raise
        except Exception as error:
            raise DecodeError(
                f"Cannot decode this answer: {type(error).__name__} ({shown(str(error))}). "
                "Ask again; if it stays so, please report it as a fault of dentframe.",
                retryable=True,
            ) from error


quoted = partial(quote, safe="")
"""A meter or topic as it stands in a key."""


def prefix(account: str, meter: str | None = None, window: Window | None = None) -> str:
    """What the keys of an account, of its meter, of a window begin with."""
    parts = account, meter if meter is None else quoted(meter), window
    return "".join(f"{part}/" for part in parts if part is not None)


# --- what a response means ---------------------------------------------------------------


class TooLargeError(RequestError):
    """The answer is larger than the service's gateway lets through: request for less."""


class GatewayError(UnavailableError):
    """A 502: an outage, or an answer that was too large."""


class SuspectError(UnavailableError):
    """Two 502s and nothing to tell which it is: a smaller request has to show."""


@dataclass(frozen=True)
class Reply:
    """What came back: status, headers in lower case, the whole body as sent."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)

    @property
    def coding(self) -> str:
        """How the body is packed, or nothing where it is not."""
        coding = self.headers.get("content-encoding", "").strip().lower()
        return "" if coding == "identity" else coding


def read_response(
    request: ApiRequest, outcome: Reply | DentError, now: datetime, scrub: Callable[[str], str]
) -> tuple[Value, int, Reply]:
    """Return the value of a response, the size of its body [B] and itself, or raise what it is.

    Parameters
    ----------
    request : ApiRequest
        The request.
    outcome : Reply or DentError
        What came back, or why nothing whole did.
    now : datetime
        The present, for a Retry-After that is a date.
    scrub : callable
        Takes the keys out of a text of the service.
    """
    if isinstance(outcome, DentError):
        raise outcome
    if outcome.status != 200:
        raise refusal(request, outcome, now, scrub)
    try:
        return *request.read.in_turn(partial(_plain, request, outcome)), outcome
    except (DecodeError, RequestError) as found:
        said = f"Cannot use the answer for {request}: {scrub(str(found))}"
        error = type(found)(said, status=200, retryable=found.retryable)
    raise error


def refusal(
    request: ApiRequest, reply: Reply, now: datetime, scrub: Callable[[str], str]
) -> DentError:
    """The error that a response of another status than 200 is."""
    status, said = reply.status, shown(scrub(_said(reply)), 120)
    what = f"Cannot read {request}: DentCloud answered {status}{said and f' ({said})'}"
    after = retry_after(reply.headers.get("retry-after"), now)
    kind, advice = _MEANING.get(status) or _MEANING.get(status // 100, _MEANING[5])
    retryable = True if kind is DecodeError else None
    if status == 429 and "limit exceeded" in said.lower():
        advice, retryable = _SPENT, False
    return kind(f"{what}: {advice}.", status=status, retry_after=after, retryable=retryable)


_AGAIN = "run it again later; what was read is in the cache"
_SPENT = "the account's quota is used up. Wait for its next period"
_KEY = "it refuses the key. Check api_key and key_id, or ask for a new pair"
_MEANING: dict[int, tuple[type[DentError], str]] = {
    401: (AuthError, _KEY),
    403: (AuthError, _KEY),
    408: (UnavailableError, _AGAIN),
    413: (TooLargeError, "the answer is too large, and cannot be cut smaller"),
    429: (RateLimitError, "too many requests. Something else uses this key; lower the rate"),
    502: (GatewayError, _AGAIN),
    1: (DecodeError, "that is no answer"),
    2: (DecodeError, "that is no answer"),
    3: (
        RequestError,
        "a redirect, never followed because the keys would go with it. Check the base URL",
    ),
    4: (RequestError, "it will not answer this. Check the meter, the topics and the base URL"),
    5: (UnavailableError, _AGAIN),
}
"""By status, else by its first digit."""


def _said(reply: Reply) -> str:
    with contextlib.suppress(ValueError, AttributeError, DecodeError, RecursionError):
        found = json.loads(_unpacked(reply, _SAID))
        return str(found.get("message") or found.get("error") or "")
    return ""


def retry_after(text: str | None, now: datetime) -> float | None:
    """Read a Retry-After: seconds, or a date [s]."""
    if not text:
        return None
    with contextlib.suppress(ValueError):
        return max(0.0, min(float(text), 1e6))
    with contextlib.suppress(ValueError, TypeError, OverflowError, LookupError):
        date = email.utils.parsedate_to_datetime(text)
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        return max(0.0, (date - now).total_seconds())
    return None


def _plain(request: ApiRequest, reply: Reply) -> tuple[Value, int]:
    """Make a body plain and decode it: its value and its size [B].

    It lives in the one thread that decodes, where its memory serves the next one too.
    """
    if len(reply.body) > LARGEST:
        raise DecodeError(_TOO_LONG)
    said = reply.headers.get("content-length", "")
    counted = said.isascii() and said.isdigit() and "transfer-encoding" not in reply.headers
    if counted and (said.lstrip("0") or "0") != str(len(reply.body)):
        came = f"{len(reply.body)} of {shown(said)} bytes came"
        raise DecodeError(f"the body is cut: {came}.", retryable=True)
    body = _unpacked(reply, LARGEST)
    if not body or body.isspace():
        raise DecodeError("the body is empty.", retryable=True)
    return request.decode(body), len(body)


def _unpacked(reply: Reply, largest: int) -> bytes:
    if not reply.coding:
        return reply.body[:largest]
    if reply.coding not in ("gzip", "x-gzip", "deflate"):
        said = f"it is packed as {reply.coding[:20]!r}, which was not asked for."
        raise DecodeError(said, retryable=True)
    # So gzip ends; elsewhere it is a guess, and nothing unpacks to more than 1032 times its size.
    size = min(int.from_bytes(reply.body[-4:], "little"), 1032 * len(reply.body))
    body, whole = inflate(reply.body, largest, size)
    if not whole and len(body) >= largest:
        raise DecodeError(_TOO_LONG)
    if not whole:
        raise DecodeError("the packed body is damaged.", retryable=True)
    return body


def lifetime(
    value: Value, topics: Iterable[str], now: datetime, same_since: datetime | None = None
) -> float:
    """How long an answer may be served again [s]; 0 means it is not kept.

    The cache and the archive both keep an answer by this rule.

    Parameters
    ----------
    value : Page or list
        The decoded answer. A list of meters or topics is kept a day.
    topics : iterable of str
        What was asked for.
    now : datetime
        When it was read, aware.
    same_since : datetime, optional
        When an answer with the same :func:`fingerprint` was read first, if no other came since.
        A window that did not change for a week, and ended a year ago, is final as it is.
    """
    if not isinstance(value, Page) or value.window is None:
        return DAY if value else NEVER
    age = (now - value.window.end).total_seconds()
    unchanged = 0.0 if same_since is None else (now - same_since).total_seconds()
    if age >= YEAR and unchanged >= WEEK:
        return FOREVER
    if not len(value.minutes):
        return min(age / 10, DAY) if age > SETTLED else NEVER
    if age >= SETTLED and complete(value, topics):
        return FOREVER
    return min(max(age / 10, OPEN), 30 * DAY)


def inflate(packed: bytes, largest: int, expected: int) -> tuple[bytes, bool]:
    """Unpack gzip or zlib, up to a size [B]; the body so far, and whether it is whole.

    Room is made once for the size that is expected, and the steps are so small that their memory
    is used again: fresh pages cost more than the unpacking.
    """
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)  # 32: either, as its first bytes say
    body = io.BytesIO(bytes(min(expected, largest)))
    with contextlib.suppress(zlib.error):
        for first in range(0, len(packed), _STEP // 4):
            part = packed[first : first + _STEP // 4]
            while part and not unpacker.eof and (room := largest - body.tell()) > 0:
                body.write(unpacker.decompress(part, min(room, _STEP)))
                part = unpacker.unconsumed_tail
    body.truncate()
    return body.getvalue(), unpacker.eof
