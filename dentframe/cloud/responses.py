"""A response of the service becomes the value in it, or a typed error."""

from __future__ import annotations

import contextlib
import email.utils
import json
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from dentframe.errors import (
    AuthError,
    ConfigError,
    DecodeError,
    DentError,
    RateLimitError,
    RequestError,
    UnavailableError,
)
from dentframe.wire.page import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dentframe.cloud.answers import ApiRequest, Value


LARGEST = 1 << 27
"""No answer is read, unpacked or served from the cache beyond this [B]: more than ten times a
month of 16 elements and 6 topics at 15 minutes (11.5 MB)."""
_SAID, _STEP = 4096, 1 << 24


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
        return _too_many(what, said, after)
    kind, advice = _MEANING.get(status) or _MEANING.get(status // 100, _MEANING[5])
    retryable = True if kind is DecodeError else None
    return kind(f"{what}: {advice}.", status=status, retry_after=after, retryable=retryable)


_AGAIN = "run it again later; what was read is in the cache"
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


def _too_many(what: str, said: str, after: float | None) -> RateLimitError:
    if "limit exceeded" in said.lower():
        return RateLimitError(
            f"{what}: the account's quota is used up. Wait for its next period.",
            retryable=False,
            status=429,
            retry_after=after,
        )
    return RateLimitError(
        f"{what}: too many requests. Something else uses this key; lower the rate.",
        status=429,
        retry_after=after,
    )


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
    body, whole = inflate(reply.body, largest, 47)
    if not whole:
        if len(body) >= largest:
            raise _too_long(request)
        raise _broken(request, "the packed body is damaged")
    return body


def inflate(packed: bytes, largest: int, wbits: int = 15) -> tuple[bytes, bool]:
    """Unpack in steps, up to a size [B]; the body so far, and whether it is whole."""
    unpacker, parts = zlib.decompressobj(wbits), list[bytes]()
    with contextlib.suppress(zlib.error):
        while packed and not unpacker.eof and largest > 0:
            parts.append(unpacker.decompress(packed, min(largest, _STEP)))
            largest -= len(parts[-1])
            packed = unpacker.unconsumed_tail
    return b"".join(parts), unpacker.eof


def _broken(request: ApiRequest | None, why: str, *, retryable: bool = True) -> DecodeError:
    said = f"Cannot use the answer for {request}: {why}."
    return DecodeError(said, retryable=retryable, status=200)


def _too_long(request: ApiRequest | None) -> DecodeError:
    why = (
        f"it is longer than {LARGEST / 1e6:.0f} MB, more than ten times the longest month of a "
        "meter. Check the base URL and any proxy between"
    )
    return _broken(request, why, retryable=False)
