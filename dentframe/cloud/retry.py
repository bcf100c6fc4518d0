"""A request is sent until it is answered, with backoff and a deadline, unless there is an outage.

What all clients of one account in a process share is here too: the pace, the breaker that
notices an outage, and the single flight, by which what two threads ask for at once is sent
once. Nothing here speaks HTTP.
"""

from __future__ import annotations

import contextlib
import math
import random
import socket
import threading
import time
from concurrent import futures
from concurrent.futures import Future
from copy import copy, deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from dentframe.cloud.rate_and_concurrency import NAP, Limiter
from dentframe.cloud.requests_and_responses import (
    LOGGER,
    GatewayError,
    Reply,
    StoppedError,
    SuspectError,
    TooLargeError,
    read_response,
    refusal,
)
from dentframe.errors import DentError, RateLimitError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from dentframe.cloud.requests_and_responses import ApiRequest, Cancellation, Value

    Exchange = Callable[["AttemptTimer"], Reply | DentError | type[BaseException]]

T = TypeVar("T")
CALM = 5
"""So many failures in a row are bad luck; then one request at a time looks whether it is over."""
GIVE_UP = 14
"""So many in a row are an outage; with those in flight fewer than 20 sends."""
BASE, CAP = 0.5, 8.0
"""Backoff: a random time up to BASE·2ⁿ, at most CAP [s]; in an outage all of that."""
ATTEMPTS = 8
LEAST = 0.02
"""With less of the deadline left than this there is no further attempt."""
LONGEST_ATTEMPT = 30.0
"""The service's gateway gives up after 29 s; so does an attempt that does not get on [s]."""
LARGE = 5_000_000
"""Two 502s for an answer predicted above this mean that it was too large [B]."""
BEAT = 1.0
"""How often an attempt renews its place in flight [s]."""
STEADY = 10_000
"""An attempt that gets on faster than this may use the whole deadline [B/s]."""


class OutageError(UnavailableError):
    """The service is down: the whole read stops."""


class Breaker:
    """Failures in a row, over all windows of an account.

    After :data:`CALM` of them one request at a time goes out, ever more rarely; the others
    wait. A success lets all go on.
    """

    def __init__(self, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self._failures, self._why = 0, ""
        self._until = self.last_success = float("-inf")
        self._probing: int | None = None  # the thread of the one request that looks

    @property
    def open(self) -> bool:
        """Whether the service seems to be down."""
        return self._failures >= CALM

    def wait(self, check: Callable[[], None], patience: float) -> float:
        """Wait while the service is down and it is another's turn to look; how long [s].

        Raises
        ------
        UnavailableError
            If it takes longer than ``patience``.
        """
        start = self._clock()
        while self.open and (self._probing or self._until > self._clock()):
            remaining = NAP if self._probing else max(self._until - self._clock(), 0.001)
            self._sleep(min(NAP, remaining))
            check()
            if self._clock() - start > patience:
                raise outage(self._why)
        return self._clock() - start

    def enter(self) -> bool:
        """Whether this request may go out now; it must then call success or failure."""
        with self._lock:
            if not self.open:
                return True
            if self._probing or self._clock() < self._until:
                return False
            self._probing = threading.get_ident()
            return True

    def success(self) -> None:
        """Note an answer."""
        with self._lock:
            self._failures, self._probing = 0, None
            self.last_success = self._clock()

    def failure(self, why: str = "nothing came back.") -> bool:
        """Note a failure and why; whether it is now an outage."""
        with self._lock:
            self._why = why
            self._failures, self._probing = self._failures + 1, None
            pause = min(CAP, BASE * 2 ** max(self._failures - CALM, 0))
            self._until = self._clock() + pause
            return self._failures >= GIVE_UP

    def neither(self) -> None:
        """Note that an attempt of this thread, if there is one, says nothing about the service."""
        with self._lock:
            if self._probing == threading.get_ident():
                self._probing = None


def outage(why: str) -> OutageError:
    """Make the error that stops a whole read because the service is down."""
    return OutageError(
        f"Cannot reach DentCloud: the requests in a row failed, the last one so: {why} "
        "The rest of the read was not asked for."
    )


class SingleFlight:
    """The calls under way, by key, and those of them for which others wait."""

    def __init__(self) -> None:
        self._under_way: dict[str, Future[Any]] = {}
        self._awaited: set[Future[Any]] = set()
        self._lock = threading.Lock()

    def call(self, key: str, call: Callable[[], T], check: Callable[[], None]) -> T:
        """Call, or wait for the one that does already; `check` may raise to give up waiting.

        Each has a result of its own: what one does to it, no other one sees.
        """
        mine: Future[Any] = Future()
        while (future := self._join(key, mine)) is not mine:
            while not futures.wait([future], NAP).done:
                check()
            error = future.exception()
            if error is None:
                return cast("T", deepcopy(future.result()))
            if isinstance(error, DentError) and not isinstance(error, StoppedError):
                raise copy(error)
            check()  # the leader's read was given up, not this one: go oneself
        try:
            found = call()
            # Those who wait copy a copy that nobody changes.
            mine.set_result(deepcopy(found) if self._leave(key, mine) else None)
        except BaseException as error:
            self._leave(key, mine)
            mine.set_exception(error if isinstance(error, DentError) else StoppedError("Broken."))
            raise
        return found

    def _join(self, key: str, mine: Future[Any]) -> Future[Any]:
        with self._lock:
            future = self._under_way.setdefault(key, mine)
            if future is not mine:
                self._awaited.add(future)
            return future

    def _leave(self, key: str, mine: Future[Any]) -> bool:
        """Whether others wait for this call, which nobody joins any longer."""
        with self._lock:
            if self._under_way.get(key) is mine:
                del self._under_way[key]
            awaited = mine in self._awaited
            self._awaited.discard(mine)
            return awaited


class AttemptTimer:
    """Keeps an attempt's place in flight, and cuts its socket when time is up.

    Parameters
    ----------
    limit : float
        The time for an attempt that does not get on [s].
    left : float
        The time for any attempt [s].
    renew : callable
        Called every :data:`BEAT`.
    read : Cancellation
        The read that it belongs to; where that is cancelled, time is up.
    """

    current = threading.local()
    """The timer of this thread's attempt."""

    def __init__(
        self, limit: float, left: float, renew: Callable[[], object], read: Cancellation
    ) -> None:
        self.limit, self.left, self._renew, self._read = min(limit, left), left, renew, read
        self.received = 0
        self.fired = False
        self._connection: Any = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dentframe-read-timer", daemon=True)

    def __enter__(self) -> AttemptTimer:
        self.current.timer = self
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self.current.timer = None
        self._thread.join()
        self._connection = None

    def adopt(self, connection: Any) -> None:
        """Take the connection that the attempt uses."""
        self._connection = connection
        if self.fired:
            self.cut()

    def cut(self) -> None:
        """Close the socket for both directions: a read that hangs returns at once."""
        self.fired = True
        # A connection lets go of its socket while the answer may still be read from it.
        connection = self._connection
        sock = getattr(connection, "sock", None) or getattr(connection, "last_sock", None)
        with contextlib.suppress(OSError):
            if isinstance(sock, socket.socket):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def _run(self) -> None:
        start = beat = time.monotonic()
        while not self._over.is_set():
            now = time.monotonic()
            elapsed = now - start
            slow = elapsed >= self.limit and self.received < STEADY * elapsed
            if self.fired or slow or elapsed >= self.left or self._read.cancelled:
                self.cut()
            if now - beat >= BEAT:
                beat = now
                with contextlib.suppress(Exception):  # the deadline holds whatever happens here
                    self._renew()
            remaining = (self.left if elapsed >= self.limit else self.limit) - elapsed
            self._over.wait(min(NAP, 0.05 if self.fired else max(remaining, 0.05)))


class Account:
    """What all clients of an account in this process share.

    Parameters
    ----------
    clock, sleep : callable
        As ``time.monotonic`` and ``time.sleep``.
    """

    def __init__(self, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self.clock, self.users = clock, 0
        self.limiter, self.breaker = Limiter(clock, sleep), Breaker(clock, sleep)
        self.single_flight = SingleFlight()


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
            account.limiter.close()


@dataclass
class Retrier:
    """Sends a request until it is answered, refused or out of time.

    Attributes
    ----------
    account : Account
        What it shares with other clients of the account.
    now : callable
        The present, aware.
    scrub : callable
        Takes the keys out of a text.
    rate : float
        Requests a second [1/s].
    concurrency : int
        Requests in flight.
    deadline : float
        From a window's first send to its end, retries and pauses included [s].
    """

    account: Account
    now: Callable[[], datetime]
    scrub: Callable[[str], str]
    rate: float = 5.0
    concurrency: int = 5
    deadline: float = 60.0

    def fetch(self, request: ApiRequest, exchange: Exchange) -> tuple[Value, int, Reply]:
        """Return the decoded value, the size of its body [B] and the response, or raise.

        Parameters
        ----------
        request : ApiRequest
            The request; its history goes on where it stopped.
        exchange : callable
            Sends once, while a timer runs, and returns what came back, why nothing whole did, or
            the type of an interrupt.
        """
        while True:
            try:
                outcome = self._send(request, exchange)
                try:
                    found = read_response(request, outcome, self.now(), self.scrub)
                except DentError as raised:
                    error = raised
                else:
                    self.account.breaker.success()
                    return found
                pause = self._pause(request, error)
            except BaseException:
                # Whatever is raised, wherever: the others wait for the one that looks.
                self.account.breaker.neither()
                raise
            self.account.limiter.sleep_until(self.account.clock() + pause, request.read.check)
            request.spent += pause

    def _send(self, request: ApiRequest, exchange: Exchange) -> Reply | DentError:
        breaker, check = self.account.breaker, request.read.check
        while True:
            check()
            patience = math.inf if request.first is None else self._left(request)
            waited = breaker.wait(check, patience)
            request.spent += waited if request.first is not None else 0.0
            with self.account.limiter.turn(self.rate, self.concurrency, check) as renew:
                check()
                if breaker.enter():
                    return self._attempt(request, exchange, renew)

    def _attempt(
        self, request: ApiRequest, exchange: Exchange, renew: Callable[[], None]
    ) -> Reply | DentError:
        start = self.account.clock()
        request.first = start if request.first is None else request.first
        request.sends += 1
        left = max(self._left(request), 0.05)
        try:
            # Half of what is left: two attempts that hang still leave time for a third.
            with AttemptTimer(min(LONGEST_ATTEMPT, left / 2), left, renew, request.read) as timer:
                outcome = exchange(timer)
        finally:
            request.spent += self.account.clock() - start
        LOGGER.debug("%s send %d: %s", request, request.sends, outcome)
        if isinstance(outcome, type):
            raise outcome  # here no frame is left that held the headers
        if isinstance(outcome, Reply) and outcome.status in (401, 403):
            # Before the place in flight is free: no other request may follow this one.
            request.read.stop(refusal(request, outcome, self.now(), self.scrub))
        return outcome

    def _pause(self, request: ApiRequest, error: DentError) -> float:
        """How long to wait before the next attempt, or raise."""
        breaker = self.account.breaker
        if not error.retryable:
            raise error
        if isinstance(error, RateLimitError):
            breaker.neither()
        elif breaker.failure(str(error)):
            raise outage(str(error))
        request.failures += 1
        if isinstance(error, GatewayError):
            self._gateway(request, error)
        longest = min(CAP, BASE * 2 ** (request.failures - 1), max(self._left(request), 0.0) / 4)
        pause: float = max(random.random() * longest, error.retry_after or 0.0)  # noqa: S311
        if isinstance(error, RateLimitError) and error.retry_after is None:
            pause += 1.0
        spent = pause + LEAST * self.deadline >= self._left(request)
        if spent or request.failures >= (2 if request.probe else ATTEMPTS):
            raise outage(str(error)) if breaker.open and not request.probe else error
        if isinstance(error, RateLimitError):
            self.account.limiter.pause(pause, self.rate)
        return pause

    def _gateway(self, request: ApiRequest, error: GatewayError) -> None:
        request.gateway += 1
        if request.gateway < 2 or request.probed or request.probe or request.window is None:
            return
        answered_since = self.account.breaker.last_success > (request.first or 0.0)
        if answered_since or (request.predicted or 0.0) > LARGE:
            raise TooLargeError(str(error), status=502)
        raise SuspectError(str(error), status=502)

    def _left(self, request: ApiRequest) -> float:
        return self.deadline - request.spent
