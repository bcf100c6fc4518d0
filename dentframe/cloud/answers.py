"""A request says what it asks for; here its answer becomes a value, or a typed error.

One rule, :func:`lifetime`, says how long an answer may be kept, by the cache and by an archive
alike; it rests on :func:`complete`. The present is an argument, and no key of the account comes
in here.
"""

from __future__ import annotations

import contextlib
import email.utils
import hashlib
import io
import json
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import quote, urlencode

import numpy as np

from dentframe.cloud.limiter import Cancellation
from dentframe.errors import (
    AuthError,
    ConfigError,
    DecodeError,
    DentError,
    RateLimitError,
    RequestError,
    UnavailableError,
)
from dentframe.wire.decode import decode
from dentframe.wire.page import Page, decode_meters, decode_topics, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from dentframe.cloud.planner import Window

Value: TypeAlias = "Page | list[str] | list[dict[str, str]]"
LARGEST = 1 << 27
"""No answer is read, unpacked or served from the cache beyond this [B]: more than ten times a
month of 16 elements and 6 topics at 15 minutes (11.5 MB)."""
_SAID, _STEP = 4096, 1 << 18
_VERSION, _HEAD = 1, 256


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
    store : bool
        Whether the cache may keep the answer.
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
    store: bool = True
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


def prefix(account: str, meter: str | None = None, window: Window | None = None) -> str:
    """What the keys of an account, of its meter, of a window begin with."""
    parts = [account]
    if meter is not None:
        parts.append(quoted(meter))
    if window is not None:
        parts.append(str(window))
    return "/".join(parts) + "/"


def quoted(text: str) -> str:
    """A meter or topic as it stands in a key."""
    return quote(text, safe="")


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


@dataclass(frozen=True)
class Fault:
    """Why nothing whole came back."""

    why: str
    retryable: bool = True
    config: bool = False


def read_response(
    request: ApiRequest, outcome: Reply | Fault, now: datetime, scrub: Callable[[str], str]
) -> tuple[Value, bytes]:
    """Return the decoded value and the plain body of an answer, or raise what it is.

    Parameters
    ----------
    request : ApiRequest
        The request.
    outcome : Reply or Fault
        What came back.
    now : datetime
        The present, for a Retry-After that is a date.
    scrub : callable
        Takes the keys out of a text of the service.
    """
    if isinstance(outcome, Fault):
        raise _fault(request, outcome)
    if outcome.status != 200:
        raise _refusal(request, outcome, now, scrub)
    body = _plain(request, outcome)
    error = None
    try:
        return request.read.in_turn(partial(request.decode, body)), body
    except (DecodeError, RequestError) as found:
        said = f"Cannot use the answer for {request}: {scrub(str(found))}"
        error = type(found)(said, status=200, retryable=found.retryable)
    raise error


def _fault(request: ApiRequest, fault: Fault) -> DentError:
    if fault.config:
        return ConfigError(f"Cannot ask for {request}: {fault.why}.")
    return UnavailableError(
        f"Cannot read {request}: {fault.why}. Run it again later; what was read is in the cache.",
        retryable=fault.retryable,
    )


def _refusal(
    request: ApiRequest, reply: Reply, now: datetime, scrub: Callable[[str], str]
) -> DentError:
    status, said = reply.status, shown(scrub(_said(reply)), 120)
    what = f"Cannot read {request}: DentCloud answered {status}{said and f' ({said})'}"
    after = retry_after(reply.headers.get("retry-after"), now)
    if status == 429:
        spent = "limit exceeded" in said.lower()
        advice = _SPENT if spent else _TOO_MANY
        return RateLimitError(
            f"{what}: {advice}.", status=429, retry_after=after, retryable=not spent
        )
    kind, advice = _MEANING.get(status) or _MEANING.get(status // 100, _MEANING[5])
    retryable = True if kind is DecodeError else None
    return kind(f"{what}: {advice}.", status=status, retry_after=after, retryable=retryable)


_AGAIN = "run it again later; what was read is in the cache"
_SPENT = "the account's quota is used up. Wait for its next period"
_TOO_MANY = "too many requests. Something else uses this key; lower the rate"
_KEY = "it refuses the key. Check api_key and key_id, or ask for a new pair"
_MEANING: dict[int, tuple[type[DentError], str]] = {
    401: (AuthError, _KEY),
    403: (AuthError, _KEY),
    408: (UnavailableError, _AGAIN),
    413: (TooLargeError, "the answer is too large, and cannot be cut smaller"),
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
        found = json.loads(_unpacked(None, reply, _SAID))
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


def _plain(request: ApiRequest, reply: Reply) -> bytes:
    if len(reply.body) > LARGEST:
        raise _too_long(request)
    said = reply.headers.get("content-length", "")
    counted = said.isascii() and said.isdigit() and "transfer-encoding" not in reply.headers
    if counted and (said.lstrip("0") or "0") != str(len(reply.body)):
        came = f"{len(reply.body)} of {shown(said)} bytes came"
        raise _broken(request, f"the body is cut: {came}")
    body = _unpacked(request, reply, LARGEST)
    if not body.strip():
        raise _broken(request, "the body is empty")
    return body


def _unpacked(request: ApiRequest | None, reply: Reply, largest: int) -> bytes:
    coding = reply.headers.get("content-encoding", "identity").strip().lower()
    if coding in ("", "identity"):
        return reply.body[:largest]
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise _broken(request, f"it is packed as {coding[:20]!r}, which was not asked for")
    # So gzip ends; elsewhere it is a guess, and nothing unpacks to more than 1032 times its size.
    size = min(int.from_bytes(reply.body[-4:], "little"), 1032 * len(reply.body))
    body, whole = inflate(reply.body, largest, size, 47)
    if not whole:
        if len(body) >= largest:
            raise _too_long(request)
        raise _broken(request, "the packed body is damaged")
    return body


def inflate(packed: bytes, largest: int, expected: int, wbits: int = 15) -> tuple[bytes, bool]:
    """Unpack in steps, up to a size [B]; the body so far, and whether it is whole.

    Room is made once for the size that is expected, and the steps are so small that their memory
    is used again: fresh pages cost more than the unpacking.
    """
    unpacker, body = zlib.decompressobj(wbits), io.BytesIO(bytes(min(expected, largest)))
    with contextlib.suppress(zlib.error):
        for first in range(0, len(packed), _STEP // 4):
            part = packed[first : first + _STEP // 4]
            while part and not unpacker.eof and (room := largest - body.tell()) > 0:
                body.write(unpacker.decompress(part, min(room, _STEP)))
                part = unpacker.unconsumed_tail
    body.truncate()
    return body.getvalue(), unpacker.eof


def pack(body: bytes, same: tuple[str, float]) -> bytes:
    """Make one blob of a body: a head of JSON, then the compressed bytes. Never a pickle."""
    head = {"v": _VERSION, "size": len(body), "same": same}
    return json.dumps(head).encode() + b"\n" + zlib.compress(body, 1)


def unpack(blob: Any) -> bytes | None:
    """Return the body of a blob, or None where it is damaged or of another version."""
    head = head_of(blob)
    size = head.get("size")
    if head.get("v") != _VERSION or type(size) is not int or not 0 <= size <= LARGEST:
        return None
    # One byte more than it says, so that a blob that holds more is noticed.
    body, whole = inflate(blob[blob.index(b"\n") + 1 :], size + 1, size)
    return body if whole and len(body) == size else None


def head_of(blob: Any) -> dict[str, Any]:
    """The head of a blob; empty where it has none."""
    with contextlib.suppress(ValueError, RecursionError, TypeError, AttributeError):
        return dict(json.loads(blob[:_HEAD].partition(b"\n")[0]))
    return {}


def _broken(request: ApiRequest | None, why: str, *, retryable: bool = True) -> DecodeError:
    said = f"Cannot use the answer for {request}: {why}."
    return DecodeError(said, retryable=retryable, status=200)


def _too_long(request: ApiRequest | None) -> DecodeError:
    why = (
        f"it is longer than {LARGEST / 1e6:.0f} MB, more than ten times the longest month of a "
        "meter. Check the base URL and any proxy between"
    )
    return _broken(request, why, retryable=False)


# --- how long an answer may be kept ------------------------------------------------------


FOREVER = float("inf")
NEVER = 0.0
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
WEEK, YEAR = 7 * DAY, 365 * DAY
SETTLED = 48 * HOUR
"""Meters upload late: after this time a complete window is final [s]."""
OPEN = 5 * MINUTE
LISTS = DAY
"""How long getTopics and getMeters are kept [s]."""


def topic_of(column: str) -> str:
    """The topic of a column on the wire: what stands before its first slash."""
    return column.partition("/")[0]


def complete(page: Page, topics: Iterable[str]) -> bool:
    """Whether a page holds all that its window can hold.

    Every topic returned a column, no cell is absent or unreadable, none is blank in a column
    that has values, not every cell is blank, and every spacing, the window's edges included, is
    at most 1.5 times the median spacing. A column that is blank throughout beside others with
    values is a spare input of the meter.
    """
    got = {topic_of(column) for column in page.columns}
    if not got.issuperset(topics) or len(page.minutes) < 2:
        return False
    report = page.report
    if report.absent or report.unreadable or report.bad_dates or report.outside:
        return False
    return _filled(page) and _evenly_spaced(page)


def _filled(page: Page) -> bool:
    conflicts = np.array([page.report.conflicts.get(column, 0) for column in page.columns])
    blank = np.isnan(page.values).sum(axis=0) - conflicts
    spare = blank == len(page.minutes)
    return not spare.all() and not (blank[~spare] > 0).any()


def _evenly_spaced(page: Page) -> bool:
    minutes = np.sort(page.minutes)
    inner = np.diff(minutes)
    span = _window(page).minutes
    widest = max(int(inner.max()), int(minutes[0]) - span.start, span.stop - int(minutes[-1]))
    return bool(widest <= 1.5 * float(np.median(inner)))


def _window(page: Page) -> Window:
    if page.window is None:
        raise ValueError("a page without a window has no lifetime")
    return page.window


def fingerprint(page: Page) -> str:
    """A short text that is the same for two answers with the same readings."""
    rows = np.argsort(page.minutes, kind="stable")
    columns = sorted(range(len(page.columns)), key=page.columns.__getitem__)
    digest = hashlib.blake2b(digest_size=16)
    digest.update(json.dumps([page.columns[column] for column in columns]).encode())
    digest.update(page.minutes[rows].tobytes())
    for column in columns:
        digest.update(page.values[rows, column].tobytes())
    return digest.hexdigest()


def lifetime(
    page: Page, topics: Iterable[str], now: datetime, same_since: datetime | None = None
) -> float:
    """How long the answer may be served again [s]; 0 means it is not kept.

    The cache and the archive both keep an answer by this rule.

    Parameters
    ----------
    page : Page
        The decoded answer.
    topics : iterable of str
        What was asked for.
    now : datetime
        When it was read, aware.
    same_since : datetime, optional
        When an answer with the same :func:`fingerprint` was read first, if no other came since.
        A window that did not change for a week, and ended a year ago, is final as it is.
    """
    age = (now - _window(page).end).total_seconds()
    unchanged = 0.0 if same_since is None else (now - same_since).total_seconds()
    if age >= YEAR and unchanged >= WEEK:
        return FOREVER
    if not len(page.minutes):
        return min(age / 10, DAY) if age > SETTLED else NEVER
    if age < 0:
        return OPEN
    if age >= SETTLED and complete(page, topics):
        return FOREVER
    return min(max(age / 10, 5 * MINUTE), 30 * DAY)
