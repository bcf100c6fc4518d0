"""What all clients of one account in this process share: pace, breaker, single flight.

Single flight: what two threads ask for at once is asked for once.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from dentframe.cloud.limiter import Pacer
from dentframe.cloud.outage import Breaker, StoppedError, again
from dentframe.cloud.retry import Limits, Retrier
from dentframe.errors import ConfigError, DentError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    import requests

    from dentframe.cloud.answers import Ask, Value
    from dentframe.cloud.cache_file import Store
    from dentframe.cloud.credentials import Credentials
    from dentframe.cloud.http_cache import Shelf


T = TypeVar("T")


class Flights(Generic[T]):
    """The calls under way, by key."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: dict[str, Future[T]] = {}

    def fly(self, key: str, call: Callable[[], T], check: Callable[[], None]) -> tuple[T, bool]:
        """Call, or wait for the one that does already; the flag says whether it was this one."""
        while True:
            with self._lock:
                future = self._under_way.get(key)
                if mine := future is None:
                    future = self._under_way[key] = Future()
            if mine:
                return self._lead(key, future, call), True
            try:
                return self._follow(future, check), False
            except StoppedError:
                check()  # the leader's read was given up, not this one: go oneself

    def _lead(self, key: str, future: Future[T], call: Callable[[], T]) -> T:
        try:
            found = call()
        except BaseException as error:
            future.set_exception(error if isinstance(error, DentError) else StoppedError("Broken."))
            raise
        else:
            future.set_result(found)
            return found
        finally:
            with self._lock:
                del self._under_way[key]

    def _follow(self, future: Future[T], check: Callable[[], None]) -> T:
        error: DentError | None = None
        while error is None:
            try:
                return future.result(timeout=0.25)
            except NotYet:
                check()
            except DentError as found:
                error = again(found)
        raise error


@dataclass
class Account:
    """The shared state of an account.

    Attributes
    ----------
    clock, sleep : callable
        As ``time.monotonic`` and ``time.sleep``.
    """

    clock: Callable[[], float]
    sleep: Callable[[float], None]
    users: int = 0
    pacer: Pacer = field(init=False)
    breaker: Breaker = field(init=False)
    flights: Flights[Any] = field(init=False, default_factory=Flights)

    def __post_init__(self) -> None:
        self.pacer = Pacer(self.clock, self.sleep)
        self.breaker = Breaker(self.clock, self.sleep)


_LOCK = threading.Lock()
_ACCOUNTS: dict[tuple[str, Callable[[], float]], Account] = {}


def join(name: str, clock: Callable[[], float], sleep: Callable[[float], None]) -> Account:
    """Return the account's shared state, made where this is its first client."""
    with _LOCK:
        account = _ACCOUNTS.setdefault((name, clock), Account(clock, sleep))
        account.users += 1
        return account


def leave(name: str, account: Account) -> None:
    """Give it back; the last client closes it."""
    with _LOCK:
        account.users -= 1
        if not account.users:
            _ACCOUNTS.pop((name, account.clock), None)
            account.pacer.close()


@dataclass
class Line:
    """What sends requests; it knows nothing of the client, so that a forgotten one closes it.

    Attributes
    ----------
    name : str
        The account's name.
    account : Account
        What it shares with other clients.
    shelf : Shelf or None
        The kept answers.
    """

    name: str
    credentials: Credentials
    limits: Limits
    now: Callable[[], datetime]
    account: Account
    shelf: Shelf | None
    _session: requests.Session | None = field(default=None, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def fetch(self, ask: Ask) -> tuple[Value, int]:
        """Return the decoded value and the size of its body [B]; asked at once, sent once."""
        found, _ = self.account.flights.fly(
            ask.key(self.name), lambda: self._request(ask), ask.plan.check
        )
        return cast("tuple[Value, int]", found)

    def session(self) -> requests.Session:
        """Return the session; requests is imported here, on first use."""
        with self._lock:
            if self._session is None:
                self._session = self._new_session()
            return self._session

    def close(self) -> None:
        """Close it all."""
        if self._session is not None:
            self._session.close()
        if self.shelf is not None:
            self.shelf.store.close()
        leave(self.name, self.account)

    def _request(self, ask: Ask) -> tuple[Value, int]:
        from dentframe.cloud.transport import fetch

        response = fetch(self.session(), self.credentials.base_url, ask)
        value = getattr(response, "value", None)
        return (ask.decode(response.content) if value is None else value), len(response.content)

    def _new_session(self) -> requests.Session:
        from dentframe.cloud.transport import DentAdapter, cached_session, fit_out, plain_session

        retrier = Retrier(self.account, self.limits, self.now, self.credentials.scrub)
        adapter = DentAdapter(self.credentials, retrier)
        if self.shelf is None:
            return fit_out(plain_session(), self.credentials.base_url, adapter)
        return fit_out(cached_session(self.shelf), self.credentials.base_url, adapter)


def account_of(credentials: Credentials, store: Store | None) -> str:
    """The account to read: the credentials', or offline the only one that the cache holds.

    Raises
    ------
    ConfigError
        If that cannot be told.
    """
    if credentials.account is not None:
        return credentials.account
    if store is None:
        raise ConfigError("Cannot be offline without a cache: give a cache, or offline=False.")
    accounts = store.accounts()
    if len(accounts) > 1:
        raise ConfigError(
            f"Cannot tell whose data to read offline: the cache holds {len(accounts)} accounts. "
            "Give the key_id, or set DENTCLOUD_KEY_ID."
        )
    return accounts[0] if accounts else "none"
