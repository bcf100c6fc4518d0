"""The pace of an account: so many requests a second, so many in flight, for all its clients."""

from __future__ import annotations

import math
import sqlite3
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from dentframe.cloud.ledger import FileLedger, MemoryLedger
from dentframe.errors import CacheWarning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from dentframe.cloud.notices import Notices

__all__ = ["BURST", "Pacer", "nothing"]

BURST = 3
"""Requests at once after a rest: 5, the service's own burst, meets 429s under jitter."""

_POLL = 0.02
"""How often a full account is looked at again [s]."""
_NAP = 0.25
"""The longest sleep without a look at whether the read goes on [s]."""
T = TypeVar("T")


def nothing() -> None:
    """Do nothing."""


class Pacer:
    """Slots in time and places in flight, shared by all clients and threads of an account.

    Parameters
    ----------
    clock, sleep : callable
        As ``time.monotonic`` and ``time.sleep``.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock, self._sleep = clock, sleep
        self._gate = threading.Condition()
        self._in_flight = 0
        self._memory = MemoryLedger()
        self._file: FileLedger | None = None
        self._notices: Notices | None = None

    def share(self, folder: Path, account: str, notices: Notices | None) -> None:
        """Pace together with other processes, through a file in ``folder``.

        Without ``notices`` nobody hears of it where that is not possible.
        """
        with self._gate:
            if self._file is not None:
                return
            self._notices = notices
            try:
                self._file = FileLedger(folder / "pace.sqlite", account)
            except (OSError, sqlite3.Error) as error:
                self._give_up(error)

    @contextmanager
    def turn(
        self, rate: float, concurrency: int, check: Callable[[], None] = nothing
    ) -> Iterator[Callable[[], None]]:
        """Wait for a place in flight and a slot in time; the value renews the place.

        Parameters
        ----------
        rate : float
            Requests a second [1/s].
        concurrency : int
            Requests in flight.
        check : callable
            Called while waiting; may raise to give up.
        """
        with self._place(concurrency, check), self._lease(concurrency, check) as renew:
            self._wait_for_slot(rate, check)
            yield renew

    def pause(self, seconds: float, rate: float) -> None:
        """Hold back all threads and processes of the account."""
        until = self._clock() + seconds
        pace = 1 / rate, burst_of(rate)
        self._memory.pause(until, *pace)
        self._shared(lambda file: file.pause(until, *pace), None)

    def close(self) -> None:
        """Let go of the shared file."""
        with self._gate:
            if self._file is not None:
                self._file.close()
            self._file = None

    @contextmanager
    def _place(self, concurrency: int, check: Callable[[], None]) -> Iterator[None]:
        with self._gate:
            while self._in_flight >= concurrency:
                self._gate.wait(_NAP)
                check()
            self._in_flight += 1
        try:
            yield
        finally:
            with self._gate:
                self._in_flight -= 1
                self._gate.notify_all()

    @contextmanager
    def _lease(self, concurrency: int, check: Callable[[], None]) -> Iterator[Callable[[], None]]:
        lease = self._enter(concurrency)
        while lease is None:
            self._sleep(_POLL)
            check()
            lease = self._enter(concurrency)
        held = lease
        try:
            yield lambda: self._shared(lambda file: file.renew(held, self._clock()), None)
        finally:
            self._shared(lambda file: file.leave(held), None)

    def _enter(self, concurrency: int) -> str | None:
        alone: str | None = "alone"
        return self._shared(lambda file: file.enter(concurrency, self._clock()), alone)

    def _wait_for_slot(self, rate: float, check: Callable[[], None]) -> None:
        while True:
            slot = self._reserve(1 / rate, burst_of(rate))
            while (ahead := slot - self._clock()) > 0:
                self._sleep(min(ahead, _NAP))
                check()
            if self._paused() <= slot:
                return

    def _reserve(self, interval: float, burst: int) -> float:
        now = self._clock()
        alone = self._memory.reserve(interval, burst, now)
        return max(alone, self._shared(lambda file: file.reserve(interval, burst, now), alone))

    def _paused(self) -> float:
        alone = self._memory.paused()
        return max(alone, self._shared(lambda file: file.paused(), alone))

    def _shared(self, call: Callable[[FileLedger], T], alone: T) -> T:
        file = self._file
        if file is None:
            return alone
        try:
            return call(file)
        except (OSError, sqlite3.Error) as error:
            self._give_up(error)
            return alone

    def _give_up(self, error: Exception) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()
        if self._notices is not None:
            self._notices.once(
                f"Cannot keep the pace together with other processes: {error}. "
                "This process paces itself; give others that run at once a lower rate.",
                CacheWarning,
                kind="pace",
            )


def burst_of(rate: float) -> int:
    """Requests at once after a rest, for a rate [1/s]."""
    return max(1, min(BURST, math.floor(rate)))
