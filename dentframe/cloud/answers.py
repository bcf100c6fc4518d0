"""A request says what it asks for, and one rule how long its answer may be kept.

The cache and the archive keep an answer by the same rule: :func:`lifetime`, which rests on
:func:`complete`. The present is an argument, and no key of the account comes in here.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar
from urllib.parse import quote, urlencode

import numpy as np

from dentframe.errors import DecodeError, DentError, StaleDataWarning, warn
from dentframe.wire.decode import decode
from dentframe.wire.page import Page, decode_meters, decode_topics, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from concurrent.futures import Executor
    from datetime import datetime

    from dentframe.cloud.planner import Window
    from dentframe.cloud.transport import AttemptTimer
    from dentframe.errors import DentWarning


T = TypeVar("T")
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


class StoppedError(DentError):
    """The read was given up by its caller (an interrupt, or a generator closed)."""


class Cancellation:
    """What ends one read: its windows go on until one of them meets an error that stops all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._attempts: set[AttemptTimer] = set()
        self.error: DentError | None = None
        self.decoder: Executor | None = None

    def in_turn(self, call: Callable[[], T]) -> T:
        """Call in the one thread that decodes: each more would need memory of its own."""
        return call() if self.decoder is None else self.decoder.submit(call).result()

    def stop(self, error: DentError) -> None:
        """Let no further request of this read go out."""
        with self._lock:
            if self.error is None:
                self.error = error

    def cancel(self) -> None:
        """Stop, and cut the requests that are under way."""
        self.stop(StoppedError("The read was given up by its caller."))
        with self._lock:
            attempts = list(self._attempts)
        for attempt in attempts:
            attempt.cut()

    def check(self) -> None:
        """Raise what stopped this read."""
        if self.error is not None:
            raise again(self.error)

    def begin(self, attempt: AttemptTimer) -> None:
        """Note an attempt that :meth:`cancel` would cut, or raise where it already has."""
        with self._lock:
            self._attempts.add(attempt)
        self.check()

    def done(self, attempt: AttemptTimer) -> None:
        """Forget an attempt."""
        with self._lock:
            self._attempts.discard(attempt)


def again(error: DentError) -> DentError:
    """The same error as a new object, so that threads share no traceback."""
    copy = type(error)(*error.args, status=error.status, retry_after=error.retry_after)
    copy.retryable = error.retryable
    return copy


Value: TypeAlias = "Page | list[str] | list[dict[str, str]]"


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
