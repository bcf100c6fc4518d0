"""The client of a read that names none.

DentCloud, the client: one account, its limits, its cache.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import weakref
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn, Self, cast

from dentframe.cloud import credentials as creds
from dentframe.cloud.account import Line, account_of, join
from dentframe.cloud.answer_sizes import Sizes
from dentframe.cloud.answers import Ask, Notices, prefix, warn_stale
from dentframe.cloud.cache_file import Store
from dentframe.cloud.credentials import refuse, secret
from dentframe.cloud.fetch import Answer, Job, Reading, run
from dentframe.cloud.http_cache import Shelf, cache_folder
from dentframe.cloud.outage import again
from dentframe.cloud.retry import Limits
from dentframe.errors import AuthError, ConfigError, DentError, OfflineError, StaleDataWarning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Literal

    from dentframe.cloud.answers import Value
    from dentframe.cloud.planner import Window
    from dentframe.wire.page import Page


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
        self._credentials = creds.load(api_key, key_id, base_url, offline=offline)
        self._limits = Limits(rate, concurrency, deadline)
        self._offline, self._stale_if_error = offline, stale_if_error
        self._now = _now or _utcnow
        self._notices = Notices()
        folder = cache_folder(cache)
        store = None if cache is False else Store(folder, self._notices)
        self._name = account_of(self._credentials, store)
        self._shelf = None if store is None else Shelf(store, self._name, self._now)
        self._sizes = Sizes(self._shelf)
        account = join(self._name, _clock, _sleep)
        if not offline:
            account.pacer.share(folder, self._name, self._notices if store else None)
        parts = self._credentials, self._limits, self._now, account, self._shelf
        self._line = Line(self._name, *parts)
        self._close = weakref.finalize(self, self._line.close)

    def __repr__(self) -> str:
        if not hasattr(self, "_name"):
            return "<DentCloud, not made>"
        how = "offline" if self._offline else f"{self._limits.rate:g}/s"
        return f"<DentCloud {self._credentials.base_url} account {self._name[:6]} {how}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __copy__(self) -> NoReturn:
        refuse("copy a DentCloud")

    def __deepcopy__(self, memo: dict[int, Any]) -> NoReturn:
        refuse("copy a DentCloud")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        refuse("pickle a DentCloud")

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
        return self._limits.rate

    def now(self) -> datetime:
        """Return the present by the client's own clock, aware."""
        return self._now()

    def get_meters(self, *, refresh: bool = False) -> list[str]:
        """Return the meters of the account, kept for a day (offline: any age).

        With `refresh` a kept answer is forgotten first, as for a meter installed today.
        """
        self._forget("getMeters", refresh)
        return list(cast("list[str]", self._list("getMeters")))

    def get_topics(self, *, refresh: bool = False) -> list[dict[str, str]]:
        """Return ``unit``, ``requestKey`` and ``description`` of each topic, kept for a day.

        Offline of any age; with `refresh` a kept answer is forgotten first.
        """
        self._forget("getTopics", refresh)
        return [dict(topic) for topic in cast("list[dict[str, str]]", self._list("getTopics"))]

    def _forget(self, kind: Literal["getMeters", "getTopics"], refresh: bool) -> None:
        if refresh and not self._offline and self._shelf is not None:
            self._shelf.forget(Ask(kind).key(self._name))

    def kept_topics(self) -> list[dict[str, str]] | None:
        """Return the topics from the cache, whatever their age, or None. Sends nothing."""
        return cast("list[dict[str, str]] | None", self._kept(Ask("getTopics"), any_age=True))

    def held(self, meter: str, topics: Iterable[str]) -> set[Window]:
        """Return the windows that cost nothing: all these topics are held for them, and fresh."""
        if self._shelf is None:
            return set()
        return self._shelf.held(meter, topics, any_age=self._offline)

    def bytes_per_hour(self, meter: str, topics: Sequence[str]) -> float | None:
        """How large an hour of these topics is, as far as answers have shown [B/h]."""
        return self._sizes.per_hour(meter, topics)

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
        self._open()
        send = None if self._offline else self._page
        parts = self._sizes, self._now, self._stale_if_error, store
        reading = Reading(send, self._shelf, *parts)
        places = max(1, int(self._limits.concurrency))
        try:
            for answer in run(reading, jobs, places + _WORKERS, None if eager else places):
                self._notices.flush()
                if isinstance(answer.error, AuthError):
                    raise again(answer.error)
                if on_done is not None:
                    on_done(answer)
                yield answer
        finally:
            self._notices.flush()
        warn_stale(reading.stale)

    def clear_cache(self, meter: str | None = None) -> None:
        """Forget the kept answers of this account, or those of one meter."""
        if self._shelf is not None:
            self._shelf.store.delete(prefix(self._name, meter))
            self._sizes = Sizes(self._shelf)
        self._notices.flush()

    def _open(self) -> None:
        if self.closed:
            raise ConfigError("Cannot read with a closed DentCloud. Make a new one.")

    def _list(self, kind: Literal["getMeters", "getTopics"]) -> Value:
        self._open()
        ask = Ask(kind)
        found = self._kept(ask, any_age=self._offline)
        if found is None and self._offline:
            raise OfflineError(
                f"Cannot answer {kind} offline: the cache does not hold it. "
                "Ask once with offline=False."
            )
        try:
            return self._line.fetch(ask)[0] if found is None else found
        except DentError as error:
            old = self._kept(ask, any_age=True) if self._stale_if_error else None
            if old is None or not error.retryable:
                raise
            self._notices.once(f"{kind} failed; an outdated answer is served.", StaleDataWarning)
            return old
        finally:
            self._notices.flush()

    def _kept(self, ask: Ask, *, any_age: bool) -> Value | None:
        found = self._shelf and self._shelf.body(ask.key(self._name), any_age=any_age)
        if not found:
            return None
        with contextlib.suppress(DentError):
            return ask.decode(found[0])
        return None

    def _page(self, ask: Ask) -> tuple[Page, int]:
        value, size = self._line.fetch(ask)
        return cast("Page", value), size


def _utcnow() -> datetime:
    return datetime.now(UTC)


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
    key = (found.base_url, found.key_id, found.api_key, cache_folder(), os.getpid())
    with _DEFAULT_LOCK:
        client = _DEFAULT.get(key)
        if client is None or client.closed:
            keys = cast("tuple[str, str]", (found.api_key, found.key_id))
            client = _DEFAULT[key] = DentCloud(*keys, base_url=found.base_url)
        return client
