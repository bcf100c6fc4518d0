"""The limiter keeps an account to its rate [1/s], and to so many requests in flight at once.

All clients of the account share it, in several processes through a small SQLite file. The
table only does arithmetic on the times it is given; the :class:`Limiter` waits.
"""

from __future__ import annotations

import contextlib
import math
import os
import sqlite3
import threading
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from dentframe.atomic_files import SQLITE_FAILURES, open_sqlite
from dentframe.errors import CacheWarning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from dentframe.cloud.client import Notices

T = TypeVar("T")
LEASE = 4.0
"""How long a lease lives without renewal [s]: a killed process frees its own this soon."""
BURST = 3
"""Requests at once after a rest: 5, the service's own burst, meets 429s under jitter."""
NAP = 0.25
"""The longest sleep without a look at whether the read goes on [s]."""
_POLL = 0.02
"""How often a full account is looked at again [s]."""
_FAR = 900.0
"""A slot further ahead comes from another boot's clock and is forgotten [s]."""
_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = OFF;
CREATE TABLE IF NOT EXISTS pace (account TEXT PRIMARY KEY, tat REAL, paused REAL);
CREATE TABLE IF NOT EXISTS leases (lease TEXT PRIMARY KEY, account TEXT, expires REAL);
"""


class PaceTable:
    """An account's slots in time and requests in flight: a few numbers in SQLite, never a key.

    Parameters
    ----------
    path : pathlib.Path or None
        The file that processes share, made where it is missing; None is for this process alone.
    account : str
        The account's hash.
    """

    def __init__(self, path: Path | None, account: str = "") -> None:
        self._path, self._account = path, account
        self._lock = threading.Lock()
        self._con: sqlite3.Connection | None = None
        self._pid = 0

    def reserve(self, rate: float, now: float) -> float:
        """Take the next slot at a rate [1/s], and return when it is."""
        with self._transaction() as con:
            tat, paused = self._row(con, now)
            # A leaky bucket as one number, the theoretical arrival time.
            tat = now if tat > now + _FAR else tat
            self._put(con, max(now, tat) + 1 / rate, paused)
            return max(now, tat - _ahead(rate))

    def pause(self, until: float, rate: float) -> None:
        """Give out no slot before ``until``."""
        with self._transaction() as con:
            tat, paused = self._row(con, until)
            self._put(con, max(tat, until + _ahead(rate)), max(paused, until))

    def paused(self, now: float) -> float:
        """Until when the account is paused."""
        with self._transaction() as con:
            return self._row(con, now)[1]

    def enter(self, limit: int, now: float) -> str | None:
        """Take one of ``limit`` leases, or None."""
        with self._transaction() as con:
            over = "DELETE FROM leases WHERE expires <= ? OR expires > ?"
            con.execute(over, (now, now + 10 * LEASE))
            mine = "SELECT count(*) FROM leases WHERE account = ?"
            if con.execute(mine, (self._account,)).fetchone()[0] >= limit:
                return None
            lease = uuid.uuid4().hex
            con.execute("INSERT INTO leases VALUES (?, ?, ?)", (lease, self._account, now + LEASE))
            return lease

    def renew(self, lease: str, now: float) -> None:
        """Keep a lease for a while longer."""
        with self._transaction() as con:
            con.execute("UPDATE leases SET expires = ? WHERE lease = ?", (now + LEASE, lease))

    def leave(self, lease: str) -> None:
        """Give a lease back."""
        with self._transaction() as con:
            con.execute("DELETE FROM leases WHERE lease = ?", (lease,))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._con is not None and self._pid == os.getpid():
                self._con.close()
            self._con = None

    def __del__(self) -> None:
        # A lease that is given back after close() has opened the file again.
        self.close()

    def _row(self, con: sqlite3.Connection, now: float) -> tuple[float, float]:
        found = con.execute("SELECT tat, paused FROM pace WHERE account = ?", (self._account,))
        row = found.fetchone()
        if row is None or not all(isinstance(value, float) for value in row):
            return now - _FAR, now - _FAR
        return row[0], row[1] if row[1] <= now + _FAR else now - _FAR

    def _put(self, con: sqlite3.Connection, tat: float, paused: float) -> None:
        con.execute("INSERT OR REPLACE INTO pace VALUES (?, ?, ?)", (self._account, tat, paused))

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            if self._con is None or self._pid != os.getpid():
                # After a fork the parent's connection must not be used, nor closed, by the child.
                self._con = open_sqlite(self._path or ":memory:", _SCHEMA)
                self._pid = os.getpid()
            with self._con:  # it commits, or rolls back where anything fails
                self._con.execute("BEGIN IMMEDIATE")
                yield self._con


class Limiter:
    """Slots in time and places in flight, shared by all clients and threads of an account.

    Parameters
    ----------
    clock, sleep : callable
        As ``time.monotonic`` and ``time.sleep``.
    """

    def __init__(self, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._clock, self._sleep = clock, sleep
        self._gate = threading.Condition()
        self._in_flight = 0
        self._table = PaceTable(None)
        self._shared = False
        self._notices: Notices | None = None

    def share(self, folder: Path, account: str, notices: Notices | None) -> None:
        """Pace together with other processes, through a file in ``folder``.

        Without ``notices`` nobody hears of it where that is not possible.
        """
        with self._gate:
            if self._shared:
                return
            self._notices = notices
            try:
                table = PaceTable(folder / "pace.sqlite", account)
                table.paused(self._clock())  # it is opened now, so that one warning says if not
            except SQLITE_FAILURES as error:
                self._warn(error)
                return
            self._table.close()
            self._table, self._shared = table, True

    @contextmanager
    def turn(
        self, rate: float, concurrency: int, check: Callable[[], None] = lambda: None
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
            while True:
                slot = self._do(lambda table: table.reserve(rate, self._clock()))
                self.sleep_until(slot, check)
                if self._do(lambda table: table.paused(self._clock())) <= slot:
                    break
            yield renew

    def sleep_until(self, at: float, check: Callable[[], None]) -> None:
        """Sleep until a time of the clock; `check` may raise to give up."""
        while (remaining := at - self._clock()) > 0:
            self._sleep(min(remaining, NAP))
            check()

    def pause(self, seconds: float, rate: float) -> None:
        """Hold back all threads and processes of the account."""
        until = self._clock() + seconds
        self._do(lambda table: table.pause(until, rate))

    def close(self) -> None:
        """Let go of the shared file."""
        with self._gate:
            self._table.close()

    @contextmanager
    def _place(self, concurrency: int, check: Callable[[], None]) -> Iterator[None]:
        with self._gate:
            while self._in_flight >= concurrency:
                self._gate.wait(NAP)
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
        while (lease := self._do(lambda t: t.enter(concurrency, self._clock()))) is None:
            self._sleep(_POLL)
            check()
        mine = lease
        try:
            yield lambda: self._do(lambda table: table.renew(mine, self._clock()))
        finally:
            self._do(lambda table: table.leave(mine))

    def _do(self, call: Callable[[PaceTable], T]) -> T:
        table = self._table
        try:
            return call(table)
        except SQLITE_FAILURES as error:
            with self._gate:
                if self._table is table:  # no other thread has given it up meanwhile
                    self._table = PaceTable(None)
                    self._table.pause(self._clock() + 1, 1.0)
                    self._warn(error)
            with contextlib.suppress(sqlite3.Error):
                table.close()
            return call(self._table)

    def _warn(self, error: Exception) -> None:
        if self._notices is not None:
            self._notices.once(
                f"Cannot keep the pace together with other processes: {error}. "
                "This process paces itself; give others that run at once a lower rate.",
                CacheWarning,
                kind="pace",
            )


def _ahead(rate: float) -> float:
    """How far ahead of an even pace the requests of one burst are [s]."""
    return (max(1, min(BURST, math.floor(rate))) - 1) / rate
