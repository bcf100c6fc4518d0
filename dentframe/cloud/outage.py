"""When to stop: an outage of the account's service, or the end of one read."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Protocol

from dentframe.errors import DentError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable


CALM = 5
"""So many failures in a row are bad luck; then one request at a time looks whether it is over."""
GIVE_UP = 14
"""So many in a row are an outage; with those in flight fewer than 20 sends."""
_FIRST, _LONGEST = 0.5, 8.0
_NAP = 0.25


class Cut(Protocol):
    """An attempt that can be cut short."""

    def cut(self) -> None:
        """Close its socket."""
        ...


class StoppedError(DentError):
    """The read was given up by its caller (an interrupt, or a generator closed)."""


class OutageError(UnavailableError):
    """The service is down: the whole read stops."""


class Plan:
    """One read: its windows go on until one of them meets an error that stops all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._attempts: set[Cut] = set()
        self.error: DentError | None = None

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

    def begin(self, attempt: Cut) -> None:
        """Note an attempt that :meth:`cancel` would cut, or raise where it already has."""
        with self._lock:
            self._attempts.add(attempt)
        self.check()

    def done(self, attempt: Cut) -> None:
        """Forget an attempt."""
        with self._lock:
            self._attempts.discard(attempt)


def again(error: DentError) -> DentError:
    """The same error as a new object, so that threads share no traceback."""
    copy = type(error)(*error.args, status=error.status, retry_after=error.retry_after)
    copy.retryable = error.retryable
    return copy


class Breaker:
    """Failures in a row, over all windows of an account.

    After :data:`CALM` of them one request at a time goes out, ever more rarely; the others
    wait. A success lets all go on.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self._failures = 0
        self._until = float("-inf")
        self._probing = False
        self.last_success = float("-inf")

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
        while not self._may_go():
            self._sleep(_NAP if self._probing else min(_NAP, max(self._ahead(), 0.001)))
            check()
            if self._clock() - start > patience:
                raise outage("it did not come back in time.")
        return self._clock() - start

    def enter(self) -> bool:
        """Whether this request may go out now; it must then call success or failure."""
        with self._lock:
            if not self.open:
                return True
            if self._probing or self._clock() < self._until:
                return False
            self._probing = True
            return True

    def success(self) -> None:
        """Note an answer."""
        with self._lock:
            self._failures, self._probing = 0, False
            self.last_success = self._clock()

    def failure(self) -> bool:
        """Note a failure; whether it is now an outage."""
        with self._lock:
            self._failures, self._probing = self._failures + 1, False
            pause = min(_LONGEST, _FIRST * 2 ** max(self._failures - CALM, 0))
            self._until = self._clock() + pause
            return self._failures >= GIVE_UP

    def neither(self) -> None:
        """Note an attempt that says nothing about the service."""
        with self._lock:
            self._probing = False

    def _may_go(self) -> bool:
        return not self.open or (not self._probing and self._ahead() <= 0)

    def _ahead(self) -> float:
        return self._until - self._clock()


def outage(why: str) -> OutageError:
    """Make the error that stops a whole read because the service is down."""
    return OutageError(
        f"Cannot reach DentCloud: the requests in a row failed, the last one so: {why} "
        "The rest of the read was not asked for."
    )
