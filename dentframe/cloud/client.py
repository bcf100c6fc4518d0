"""The client reads from one account, within its limits and with its cache."""

from __future__ import annotations

import math
import os
import threading
import time
import weakref
from copy import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Self, cast

from dentframe.cloud import credentials as creds
from dentframe.cloud.credentials import Credentials, cache_folder, refuse, secret
from dentframe.cloud.http_cache import CacheFile, HttpCache
from dentframe.cloud.planner import Sizes, Window
from dentframe.cloud.read_in_threads import Answer, Job, WindowReader, run, warn_stale
from dentframe.cloud.requests_and_responses import LOGGER, ApiRequest, Cancellation, prefix
from dentframe.cloud.retry import Retrier, join, leave
from dentframe.errors import (
    AuthError,
    CacheWarning,
    ConfigError,
    DentError,
    OfflineError,
    StaleDataWarning,
    warn,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import requests

    from dentframe.cloud.requests_and_responses import Value
    from dentframe.errors import DentWarning


_CLOSED = "Cannot read with a closed DentCloud. Make a new one."
_REFUSED = (
    "These figures come from the cache alone: DentCloud refused this client's key where it was "
    "tried. Check api_key and key_id; offline=True reads the cache on purpose."
)
_UNTRIED = (
    "The figures come from the cache, which was read with another api_key; DentCloud has not been "
    "asked with this one yet. The next request tells whether it is accepted."
)
_WORKERS = 2
"""Threads beyond those in flight, so that decoding leaves no place empty."""


class DentCloud:
    """A client of one DentCloud account; share it between threads.

    Parameters
    ----------
    api_key, key_id : str, optional
        The pair; else ``DENTCLOUD_API_KEY`` and ``DENTCLOUD_KEY_ID``, else the profile that
        ``dentframe login`` wrote. Offline the key id alone will do, or nothing where the cache
        holds one account.
    base_url : str, optional
        The service, https (http on loopback); else ``DENTCLOUD_BASE_URL``.
    cache : bool or path-like
        Whether to keep answers, or the folder to keep them in.
    offline : bool
        Serve from the cache alone, whatever its age.
    rate : float
        Requests a second, shared with all clients of the account [1/s].
    concurrency : int
        Requests in flight, shared likewise.
    deadline : float
        From a window's first send to its end, retries and pauses included [s].
    stale_if_error : bool
        Whether an outdated answer may stand in, with a warning, where the service fails.

    Raises
    ------
    AuthError
        If there are no credentials.
    ConfigError
        If an argument cannot be used.

    Examples
    --------
    >>> client = DentCloud("key", "key-id")
    >>> client.close()
    >>> client.closed
    True
    """

    def __init__(
        self,
        api_key: str | None = None,
        key_id: str | None = None,
        *,
        base_url: str | None = None,
        cache: bool | str | os.PathLike[str] = True,
        offline: bool = False,
        rate: float = 5,
        concurrency: int = 5,
        deadline: float = 60,
        stale_if_error: bool = False,
        _clock: Callable[[], float] = time.monotonic,
        _sleep: Callable[[float], None] = time.sleep,
        _now: Callable[[], datetime] | None = None,
    ) -> None:
        # First of all: no traceback from below may find the bare keys in this frame.
        keys = secret(api_key), secret(key_id), secret(base_url)
        api_key, key_id, base_url = cast("Any", keys)
        credentials = creds.load(*keys, offline=offline)
        limits = {"rate": rate, "concurrency": concurrency, "deadline": deadline}
        for name, value in limits.items():
            if not (isinstance(value, (int, float)) and math.isfinite(value) and value > 0):
                raise ConfigError(f"Cannot use {name}={value!r}: it must be a number above 0.")
        self._notices, self._refused = Notices(), False
        folder, now = cache_folder(cache), _now or partial(datetime.now, UTC)
        file = CacheFile(None if cache is False else folder, self._notices)
        name = _account_of(credentials, file)
        self._cache = HttpCache(file, name, now)
        account = join(name, _clock, _sleep)
        if not offline:
            account.limiter.share(folder, name, None if cache is False else self._notices)
        retrier = Retrier(account, now, credentials.scrub, rate, concurrency, deadline)
        self._service = Service(credentials, retrier, self._cache, offline, stale_if_error)
        self._close = weakref.finalize(self, self._service.close)

    def __repr__(self) -> str:
        if not hasattr(self, "_service"):
            return "<DentCloud, not made>"
        service = self._service
        how = "offline" if service.offline else f"{self.rate:g}/s"
        return f"<DentCloud {service.credentials.base_url} account {self._cache.account[:6]} {how}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        refuse("copy or pickle a DentCloud")

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return not self._close.alive

    def close(self) -> None:
        """Close connections and files; the client cannot be used after it."""
        self._close()

    @property
    def rate(self) -> float:
        """How many requests may be sent a second [1/s]."""
        return self._service.retrier.rate

    def now(self) -> datetime:
        """Return the present by the client's own clock, aware."""
        return self._service.retrier.now()

    def get_meters(self, *, refresh: bool = False) -> list[str]:
        """Return the meters of the account, kept for a day (offline: any age).

        With `refresh` a kept answer is forgotten first, as for a meter installed today.
        """
        return list(cast("list[str]", self._list("getMeters", refresh)))

    def get_topics(self, *, refresh: bool = False) -> list[dict[str, str]]:
        """Return ``unit``, ``requestKey`` and ``description`` of each topic, kept for a day.

        Offline of any age; with `refresh` a kept answer is forgotten first.
        """
        topics = cast("list[dict[str, str]]", self._list("getTopics", refresh))
        return [dict(topic) for topic in topics]

    def kept_topics(self) -> list[dict[str, str]] | None:
        """Return the topics from the cache, whatever their age, or None. Sends nothing."""
        found = self._cache.value(ApiRequest("getTopics"), any_age=True)
        return cast("list[dict[str, str]]", found[0]) if found else None

    def held(self, meter: str, topics: Iterable[str]) -> set[Window]:
        """Return the windows that cost nothing: all these topics are held for them, and fresh."""
        return self._cache.held(meter, topics, any_age=self._service.offline)

    def bytes_per_hour(self, meter: str, topics: Sequence[str]) -> float | None:
        """How large an hour of these topics is, as far as answers have shown [B/h]."""
        return self._service.sizes.per_hour(meter, topics)

    def read(
        self,
        jobs: Iterable[Job],
        *,
        on_done: Callable[[Answer], object] | None = None,
        eager: bool = True,
        store: bool = True,
    ) -> Iterator[Answer]:
        """Do jobs within the limits, and yield each one's answer as it comes.

        A job that fails yields an answer with its error, and the others go on. After an outage
        or a used-up quota the jobs that are left yield that error without a request.

        Parameters
        ----------
        jobs : iterable of Job
            Windows of meters.
        on_done : callable, optional
            Called with each answer, in the caller's thread.
        eager : bool
            Whether to take all jobs at once; else at most `concurrency` are not dealt with.
        store : bool
            Whether the cache keeps what is asked for; it serves what it holds in any case.

        Raises
        ------
        AuthError
            If the service refuses the key: the read stops there.
        """
        if not self._close.alive:
            raise ConfigError(_CLOSED)
        reader = WindowReader(self._service, Cancellation(store=store))
        places = max(1, int(self._service.retrier.concurrency))
        cached = True
        try:
            for answer in run(reader, jobs, places + _WORKERS, None if eager else places):
                if isinstance(answer.error, AuthError):
                    self._refused = True
                    raise copy(answer.error)
                self._refused = self._refused and (answer.cached or answer.error is not None)
                cached = cached and answer.cached
                self._notices.flush()
                if on_done is not None:
                    on_done(answer)
                yield answer
            if self._refused and cached:
                self._notices.once(_REFUSED, CacheWarning)
        finally:
            self._notices.flush()
        if reader.stale:
            warn_stale(reader.stale)

    def clear_cache(self, meter: str | None = None) -> None:
        """Forget the kept answers of this account, or those of one meter."""
        self._cache.file.delete(prefix(self._cache.account, meter))
        self._service.sizes = Sizes(self._cache)
        self._notices.flush()

    def _list(self, kind: Literal["getMeters", "getTopics"], refresh: bool) -> Value:
        if not self._close.alive:
            raise ConfigError(_CLOSED)
        request, service = ApiRequest(kind), self._service
        if refresh and not service.offline:
            self._cache.file.delete(key=request.key(self._cache.account))
        found = self._cache.value(request, any_age=service.offline)
        if found:
            accepted = self._cache.file.fact(f"{prefix(self._cache.account)}~key")
            if accepted and accepted[0] != service.credentials.mark and not service.offline:
                self._notices.once(_UNTRIED, CacheWarning)
            self._notices.flush()
            return found[0]
        if service.offline:
            raise OfflineError(
                f"Cannot answer {kind} offline: the cache does not hold it. "
                "Ask once with offline=False."
            )
        try:
            return service.fetch(request)[0]
        except DentError as error:
            self._refused = self._refused or isinstance(error, AuthError)
            if service.stale_if_error and error.retryable:
                found = self._cache.value(request, any_age=True)
            if found is None:
                raise
            self._notices.once(f"{kind} failed; an outdated answer is served.", StaleDataWarning)
            return found[0]
        finally:
            self._notices.flush()


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


@dataclass
class Service:
    """Sends requests; it knows nothing of the client, so that a forgotten one closes it.

    Attributes
    ----------
    credentials : Credentials
        The keys and the base URL.
    retrier : Retrier
        Decides when to send, and what an answer means.
    cache : HttpCache
        The kept answers of the account.
    offline : bool
        Whether nothing may be asked: what is kept is served, whatever its age.
    stale_if_error : bool
        Whether an outdated answer may stand in for one that failed.
    """

    credentials: Credentials
    retrier: Retrier
    cache: HttpCache
    offline: bool = False
    stale_if_error: bool = False
    _accepted: bool = False
    _session: requests.Session | None = field(default=None, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        self.sizes = Sizes(self.cache)

    def fetch(self, request: ApiRequest) -> tuple[Value, int]:
        """Return the decoded value and the size of its body [B]; asked at once, sent once."""
        flight = self.retrier.account.single_flight
        key, check = request.key(self.cache.account), request.read.check
        return flight.call(key, lambda: self._send(request), check)

    def session(self) -> requests.Session:
        """Return the session; requests is imported here, on first use."""
        from dentframe.cloud.transport import new_session

        with self._lock:
            if self._session is None:
                self._session = new_session(self.credentials, self.retrier, self.cache)
            return self._session

    def close(self) -> None:
        """Close it all."""
        if self._session is not None:
            self._session.close()
        self.cache.file.close()
        leave(self.cache.account, self.retrier.account)

    def _send(self, request: ApiRequest) -> tuple[Value, int]:
        from dentframe.cloud.transport import send

        response = send(self.session(), self.credentials.base_url, request)
        if not hasattr(response, "value"):  # kept meanwhile, by another read
            body = response.content
            return request.read.in_turn(lambda: request.decode(body)), len(body)
        if not self._accepted:
            fact = f"{prefix(self.cache.account)}~key"
            self.cache.file.note(fact, self.credentials.mark, self.cache.present().timestamp())
            self._accepted = True
        return response.value, response.size


def _account_of(credentials: Credentials, file: CacheFile) -> str:
    """The account to read: the credentials', or offline the only one that the cache holds."""
    if credentials.account is not None:
        return credentials.account
    if file.closed:
        raise ConfigError("Cannot be offline without a cache: give a cache, or offline=False.")
    accounts = file.accounts()
    if len(accounts) > 1:
        file.close()
        raise ConfigError(
            f"Cannot tell whose data to read offline: the cache holds {len(accounts)} accounts. "
            "Give the key_id, or set DENTCLOUD_KEY_ID."
        )
    return accounts[0] if accounts else "none"


_DEFAULT: dict[tuple[object, ...], DentCloud] = {}
_DEFAULT_LOCK = threading.Lock()


def default_client() -> DentCloud:
    """Return the client of a read that names none: one per process, base URL and key id.

    Raises
    ------
    AuthError
        If there are no credentials.
    ConfigError
        If they cannot be used.
    """
    found = creds.load()
    key = (found.account, found.mark, cache_folder(), os.getpid())
    with _DEFAULT_LOCK:
        client = _DEFAULT.get(key)
        if client is None or client.closed:
            keys = cast("tuple[str, str]", (found.api_key, found.key_id))
            client = _DEFAULT[key] = DentCloud(*keys, base_url=found.base_url)
        return client
