"""One request until it is answered: turns, attempts, backoff, a deadline. Nothing of HTTP."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dentframe.cloud.answers import (
    LOGGER,
    GatewayError,
    SuspectError,
    TooLargeError,
    judge,
    refused,
)
from dentframe.cloud.outage import outage
from dentframe.errors import AuthError, ConfigError, DecodeError, DentError, RateLimitError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from dentframe.cloud.account import Account
    from dentframe.cloud.answers import Ask, Fault, Reply, Value


BASE, CAP = 0.5, 8.0
"""Backoff: a random time up to BASE·2ⁿ, at most CAP [s]."""
ATTEMPTS = 8
LEAST = 0.02
"""With less of the deadline left than this there is no further attempt."""
LONGEST_ATTEMPT = 30.0
"""The service's gateway gives up after 29 s; so does an attempt that does not get on [s]."""
LARGE = 5_000_000
"""Two 502s for an answer predicted above this mean that it was too large [B]."""


@dataclass(frozen=True)
class Limits:
    """What a client allows itself.

    Attributes
    ----------
    rate : float
        Requests a second [1/s].
    concurrency : int
        Requests in flight.
    deadline : float
        From a window's first send to its end, retries and pauses included [s].
    """

    rate: float = 5.0
    concurrency: int = 5
    deadline: float = 60.0

    def __post_init__(self) -> None:
        for name in ("rate", "concurrency", "deadline"):
            value = getattr(self, name)
            if not (isinstance(value, (int, float)) and math.isfinite(value) and value > 0):
                raise ConfigError(f"Cannot use {name}={value!r}: it must be a number above 0.")


@dataclass
class Retrier:
    """Sends a request until it is answered, refused or out of time.

    Attributes
    ----------
    attempt : callable
        ``(ask, limit, left, renew)`` sends once and returns what came back; never raises for it.
    """

    account: Account
    limits: Limits
    now: Callable[[], datetime]
    scrub: Callable[[str], str] = str
    jitter: Callable[[], float] = random.random

    def fetch(
        self, ask: Ask, attempt: Callable[[float, float, Callable[[], None]], Reply | Fault]
    ) -> tuple[Value, bytes]:
        """Return the decoded value and the plain body, or raise the error it came to.

        Parameters
        ----------
        ask : Ask
            The request; its history goes on where it stopped.
        attempt : callable
            ``(limit, left, renew)``: send once, cut after ``limit`` where it does not get on,
            after ``left`` in any case, and call ``renew`` every second.
        """
        while True:
            outcome = self._send(ask, attempt)
            try:
                found = judge(ask, outcome, self.now(), self.scrub)
            except DentError as raised:
                error = raised
            else:
                self.account.breaker.success()
                return found
            self._wait(ask, self._pause(ask, error))

    def _send(
        self, ask: Ask, attempt: Callable[[float, float, Callable[[], None]], Reply | Fault]
    ) -> Reply | Fault:
        breaker, limits = self.account.breaker, self.limits
        while True:
            ask.plan.check()
            patience = math.inf if ask.first is None else self._left(ask)
            waited = breaker.wait(ask.plan.check, patience)
            ask.spent += waited if ask.first is not None else 0.0
            with self.account.pacer.turn(limits.rate, limits.concurrency, ask.plan.check) as renew:
                ask.plan.check()
                if breaker.enter():
                    return self._attempt(ask, attempt, renew)

    def _attempt(
        self,
        ask: Ask,
        attempt: Callable[[float, float, Callable[[], None]], Reply | Fault],
        renew: Callable[[], None],
    ) -> Reply | Fault:
        start = self.account.clock()
        ask.first = start if ask.first is None else ask.first
        ask.sends += 1
        left = max(self._left(ask), 0.05)
        settled = False
        try:
            # Half of what is left: two attempts that hang still leave time for a third.
            outcome = attempt(min(LONGEST_ATTEMPT, left / 2), left, renew)
            settled = True
        finally:
            ask.spent += self.account.clock() - start
            if not settled:
                self.account.breaker.neither()
        if refused(outcome):
            # Before the place in flight is free: no other request may follow this one.
            self._stop(ask, outcome)
        LOGGER.debug("%s send %d: %s", ask, ask.sends, outcome)
        return outcome

    def _stop(self, ask: Ask, outcome: Reply | Fault) -> None:
        try:
            judge(ask, outcome, self.now(), self.scrub)
        except AuthError as error:
            ask.plan.stop(error)

    def _pause(self, ask: Ask, error: DentError) -> float:
        """How long to wait before the next attempt, or raise."""
        breaker = self.account.breaker
        if not (error.retryable or isinstance(error, DecodeError)):
            breaker.neither()
            raise error
        if isinstance(error, RateLimitError):
            breaker.neither()
        elif breaker.failure():
            raise outage(str(error))
        ask.failures += 1
        if isinstance(error, GatewayError):
            self._gateway(ask, error)
        pause = self._backoff(ask, error)
        if ask.failures >= (
            2 if ask.probe else ATTEMPTS
        ) or pause + LEAST * self.limits.deadline >= self._left(ask):
            raise outage(str(error)) if breaker.open and not ask.probe else error
        if isinstance(error, RateLimitError):
            self.account.pacer.pause(pause, self.limits.rate)
        return pause

    def _backoff(self, ask: Ask, error: DentError) -> float:
        longest = min(CAP, BASE * 2 ** (ask.failures - 1), max(self._left(ask), 0.0) / 4)
        pause: float = self.jitter() * longest
        if isinstance(error, RateLimitError) and error.retry_after is None:
            return 1.0 + pause
        return max(pause, error.retry_after or 0.0)

    def _gateway(self, ask: Ask, error: GatewayError) -> None:
        ask.gateway += 1
        if ask.gateway < 2 or ask.probed or ask.probe or ask.window is None:
            return
        answered_since = self.account.breaker.last_success > (ask.first or 0.0)
        if answered_since or (ask.predicted or 0.0) > LARGE:
            raise TooLargeError(str(error), status=502)
        raise SuspectError(str(error), status=502)

    def _wait(self, ask: Ask, pause: float) -> None:
        start = self.account.clock()
        while (ahead := start + pause - self.account.clock()) > 0:
            self.account.sleep(min(ahead, 0.25))
            ask.plan.check()
        ask.spent += pause

    def _left(self, ask: Ask) -> float:
        return self.limits.deadline - ask.spent
