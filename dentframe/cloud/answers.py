"""What an answer means: the value in it, or the typed error it is. Pure, and without keys.

Warnings that arise in worker threads, kept until the caller's thread can give them.

What is complete, and how long an answer is kept. Pure: "now" is an argument.

One request to the service as a value: what it asks for, its key in the cache, its history.
"""

from __future__ import annotations

import contextlib
import email.utils
import hashlib
import json
import logging
import threading
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import quote, urlencode

import numpy as np

from dentframe.cloud.outage import Plan
from dentframe.errors import (
    AuthError,
    ConfigError,
    DecodeError,
    DentError,
    RateLimitError,
    RequestError,
    StaleDataWarning,
    UnavailableError,
    warn,
)
from dentframe.wire import decode as wire
from dentframe.wire.page import Page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from dentframe.cloud.planner import Window
    from dentframe.errors import DentWarning


LOGGER = logging.getLogger("dentframe.cloud")
logging.getLogger("dentframe").addHandler(logging.NullHandler())


class Notices:
    """What there is to warn about, each kind once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._said: set[str] = set()
        self._waiting: list[tuple[str, type[DentWarning]]] = []

    def once(self, message: str, category: type[DentWarning], kind: str | None = None) -> None:
        """Keep a warning, unless its kind (else its text) was kept before."""
        with self._lock:
            if (kind or message) in self._said:
                return
            self._said.add(kind or message)
            self._waiting.append((message, category))
        LOGGER.info("%s", message)

    def flush(self) -> None:
        """Give the warnings, from the line of the caller outside dentframe."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
        for message, category in waiting:
            warn(message, category)


def warn_stale(stale: Sequence[tuple[str, Window, float]]) -> None:
    """Warn about outdated answers, naming windows and ages."""
    if not stale:
        return
    named = ", ".join(f"{meter} {window} ({_age(age)} old)" for meter, window, age in stale[:12])
    more = f" and {len(stale) - 12} more" if len(stale) > 12 else ""
    warn(
        f"DentCloud failed, so outdated answers were served for {named}{more}. "
        "Read them again later.",
        StaleDataWarning,
    )


def _age(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


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


def cache_control(seconds: float) -> str:
    """The header that tells the cache how long to keep an answer."""
    if seconds == FOREVER:
        return "immutable"
    return f"max-age={max(int(seconds), 1)}" if seconds > 0 else "no-store"


def cover(
    held: Iterable[frozenset[str]], topics: Iterable[str]
) -> tuple[list[tuple[frozenset[str], frozenset[str]]], frozenset[str]]:
    """Choose which held sets of topics to use and for which topics, and what is left.

    One that holds all is used alone, the smallest first; else the ones that add most.
    """
    rest = frozenset(topics)
    chosen: list[tuple[frozenset[str], frozenset[str]]] = []
    candidates = sorted(held, key=lambda h: (len(h), sorted(h)))
    while rest and candidates:
        best = max(candidates, key=lambda h: len(h & rest))
        if not best & rest:
            break
        chosen.append((best, best & rest))
        candidates.remove(best)
        rest -= best
    return chosen, rest


Value: TypeAlias = "Page | list[str] | list[dict[str, str]]"


@dataclass(eq=False)
class Ask:
    """A request, and what has become of it so far.

    Attributes
    ----------
    kind : str
        The ``request`` parameter.
    meter, window, topics
        What getData asks for.
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
    plan: Plan = field(default_factory=Plan)
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
        return prefix(account, self.meter, self.window) + ",".join(
            map(_quoted, sorted(self.topics))
        )

    def decode(self, body: bytes) -> Value:
        """Decode and so validate an answer."""
        if self.kind == "getMeters":
            return wire.decode_meters(body)
        if self.kind == "getTopics":
            return wire.decode_topics(body)
        return wire.decode(body, self.window)

    def cache_control(self, value: Value, now: datetime) -> str:
        """How long the cache may keep an answer."""
        if not self.store:
            return cache_control(NEVER)
        if isinstance(value, Page):
            return cache_control(lifetime(value, self.topics, now))
        return cache_control(LISTS if value else NEVER)


def prefix(account: str, meter: str | None = None, window: Window | None = None) -> str:
    """What the keys of an account, of its meter, of a window begin with."""
    parts = [account]
    if meter is not None:
        parts.append(_quoted(meter))
    if window is not None:
        parts.append(str(window))
    return "/".join(parts) + "/"


def window_in(key: str) -> str:
    """The window in a key."""
    return key.rsplit("/", 2)[1]


def topics_in(key: str) -> frozenset[str]:
    """The topics in a key, as they stand in it: compare with :func:`quoted`."""
    return frozenset(key.rsplit("/", 1)[1].split(","))


def quoted(topics: tuple[str, ...]) -> frozenset[str]:
    """Topics as they stand in a key."""
    return frozenset(map(_quoted, topics))


def _quoted(text: str) -> str:
    return quote(text, safe="")


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
