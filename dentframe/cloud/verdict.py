"""What an answer means: the value in it, or the typed error it is. Pure, and without keys."""

from __future__ import annotations

import contextlib
import email.utils
import json
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
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

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dentframe.cloud.ask import Ask, Value

__all__ = ["Fault", "GatewayError", "Reply", "SuspectError", "TooLargeError", "judge", "refused"]

LARGEST = 1 << 29
"""No answer is unpacked beyond this [B]."""


class TooLargeError(RequestError):
    """The answer is larger than the service's gateway lets through: ask for less."""


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


def refused(outcome: Reply | Fault) -> bool:
    """Whether the service refuses the key, so that no further request may go out."""
    return isinstance(outcome, Reply) and outcome.status in (401, 403)


def judge(
    ask: Ask, outcome: Reply | Fault, now: datetime, scrub: Callable[[str], str]
) -> tuple[Value, bytes]:
    """Return the decoded value and the plain body of an answer, or raise what it is.

    Parameters
    ----------
    ask : Ask
        The request.
    outcome : Reply or Fault
        What came back.
    now : datetime
        The present, for a Retry-After that is a date.
    scrub : callable
        Takes the keys out of a text of the service.
    """
    if isinstance(outcome, Fault):
        raise _fault(ask, outcome)
    if outcome.status != 200:
        raise _refusal(ask, outcome, now, scrub)
    body = _plain(ask, outcome)
    error = None
    try:
        return ask.decode(body), body
    except (DecodeError, RequestError) as found:
        error = type(found)(f"Cannot use the answer for {ask}: {scrub(str(found))}", status=200)
    raise error


def _fault(ask: Ask, fault: Fault) -> DentError:
    if fault.config:
        return ConfigError(f"Cannot ask for {ask}: {fault.why}.")
    return UnavailableError(
        f"Cannot read {ask}: {fault.why}. Run it again later; what was read is in the cache.",
        retryable=fault.retryable,
    )


def _refusal(ask: Ask, reply: Reply, now: datetime, scrub: Callable[[str], str]) -> DentError:
    status, said = reply.status, scrub(_said(reply))
    what = f"Cannot read {ask}: DentCloud answered {status}{said and f' ({said})'}"
    after = retry_after(reply.headers.get("retry-after"), now)
    if status == 429:
        return _too_many(what, said, after)
    kind, advice = _MEANING.get(status) or _MEANING.get(status // 100, _MEANING[5])
    return kind(f"{what}: {advice}.", status=status, retry_after=after)


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
    with contextlib.suppress(ValueError, AttributeError, DecodeError):
        found = json.loads(_unpacked(None, reply)[:4096])
        return str(found.get("message") or found.get("error") or "")[:120]
    return ""


def retry_after(text: str | None, now: datetime) -> float | None:
    """Read a Retry-After: seconds, or a date [s]."""
    if not text:
        return None
    with contextlib.suppress(ValueError):
        return max(0.0, min(float(text), 1e6))
    with contextlib.suppress(ValueError, TypeError):
        date = email.utils.parsedate_to_datetime(text)
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        return max(0.0, (date - now).total_seconds())
    return None


def _plain(ask: Ask, reply: Reply) -> bytes:
    said = reply.headers.get("content-length", "")
    if said.isdigit() and "transfer-encoding" not in reply.headers and int(said) != len(reply.body):
        raise _broken(ask, f"the body is cut: {len(reply.body)} of {said} bytes came")
    body = _unpacked(ask, reply)
    if not body.strip():
        raise _broken(ask, "the body is empty")
    return body


def _unpacked(ask: Ask | None, reply: Reply) -> bytes:
    coding = reply.headers.get("content-encoding", "identity").strip().lower()
    if coding in ("", "identity"):
        return reply.body
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise _broken(ask, f"it is packed as {coding[:20]!r}, which was not asked for")
    unpacker = zlib.decompressobj(wbits=47)
    body = b""
    with contextlib.suppress(zlib.error):
        body = unpacker.decompress(reply.body, LARGEST)
    if not unpacker.eof:
        raise _broken(ask, "the packed body is damaged")
    return body


def _broken(ask: Ask | None, why: str) -> DecodeError:
    return DecodeError(f"Cannot use the answer for {ask}: {why}.", retryable=True, status=200)
