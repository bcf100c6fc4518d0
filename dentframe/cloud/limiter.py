"""The pace of an account: so many requests a second, so many in flight, for all its clients.

Who may send when: an account's slots in time and requests in flight, kept in one place.

:class:`MemoryLedger` serves the threads of one process, :class:`FileLedger` several processes
through a small SQLite file. Both only do arithmetic on the times they are given; neither waits.
"""

from __future__ import annotations

import contextlib
import math
import os
import sqlite3
import threading
import time
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from dentframe.cloud.cache_file import own_folder
from dentframe.errors import CacheWarning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from dentframe.cloud.answers import Notices


LEASE = 4.0
"""How long a lease lives without renewal [s]: a killed process frees its own this soon."""

_FAR = 900.0
"""A slot further ahead comes from another boot's clock and is forgotten [s]."""


def next_slot(tat: float, interval: float, burst: int, now: float) -> tuple[float, float]:
    """The next slot and the new theoretical arrival time (a leaky bucket as one number)."""
    if tat > now + _FAR:
        tat = now
    slot = max(now, tat - (burst - 1) * interval)
    return slot, max(now, tat) + interval


class MemoryLedger:
    """The ledger of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tat = self._paused = float("-inf")

    def reserve(self, interval: float, burst: int, now: float) -> float:
        """Take the next slot and return when it is."""
        with self._lock:
            slot, self._tat = next_slot(self._tat, interval, burst, now)
            return slot

    def pause(self, until: float, interval: float, burst: int) -> None:
        """Give out no slot before ``until``."""
        with self._lock:
            self._paused = max(self._paused, until)
            self._tat = max(self._tat, until + (burst - 1) * interval)

    def paused(self) -> float:
        """Until when the account is paused."""
        return self._paused


_SCHEMA = """
CREATE TABLE IF NOT EXISTS pace (account TEXT PRIMARY KEY, tat REAL, paused REAL);
CREATE TABLE IF NOT EXISTS leases (lease TEXT PRIMARY KEY, account TEXT, expires REAL);
"""


class FileLedger:
    """The ledger that processes share: a few numbers in SQLite, never a key.

    Parameters
    ----------
    path : pathlib.Path
        The file; made where it is missing, readable by its owner alone.
    account : str
        The account's hash.
    """

    def __init__(self, path: Path, account: str) -> None:
        self._path, self._account = path, account
        self._lock = threading.Lock()
        self._con: sqlite3.Connection | None = None
        self._pid = 0
        with self._transaction():
            pass

    def reserve(self, interval: float, burst: int, now: float) -> float:
        """Take the next slot and return when it is."""
        with self._transaction() as con:
            tat, paused = self._row(con, now)
            slot, tat = next_slot(tat, interval, burst, now)
            self._put(con, tat, paused)
            return slot

    def pause(self, until: float, interval: float, burst: int) -> None:
        """Give out no slot before ``until``."""
        with self._transaction() as con:
            tat, paused = self._row(con, until)
            self._put(con, max(tat, until + (burst - 1) * interval), max(paused, until))

    def paused(self) -> float:
        """Until when the account is paused."""
        with self._lock:
            found = self._connection().execute(
                "SELECT paused FROM pace WHERE account = ?", (self._account,)
            )
            row = found.fetchone()
        return float(row[0]) if row else float("-inf")

    def enter(self, limit: int, now: float) -> str | None:
        """Take one of ``limit`` leases, or None."""
        with self._transaction() as con:
            con.execute(
                "DELETE FROM leases WHERE expires <= ? OR expires > ?", (now, now + 10 * LEASE)
            )
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
            self._drop()

    def _row(self, con: sqlite3.Connection, now: float) -> tuple[float, float]:
        found = con.execute("SELECT tat, paused FROM pace WHERE account = ?", (self._account,))
        tat, paused = found.fetchone() or (now - _FAR, now - _FAR)
        return float(tat), float(paused) if paused <= now + _FAR else now - _FAR

    def _put(self, con: sqlite3.Connection, tat: float, paused: float) -> None:
        con.execute("INSERT OR REPLACE INTO pace VALUES (?, ?, ?)", (self._account, tat, paused))

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            con = self._connection()
            con.execute("BEGIN IMMEDIATE")
            try:
                yield con
            except BaseException:
                con.rollback()
                raise
            con.commit()

    def _connection(self) -> sqlite3.Connection:
        if self._con is not None and self._pid == os.getpid():
            return self._con
        # After a fork the parent's connection must not be used, nor closed, by the child.
        self._con, self._pid = _open(self._path), os.getpid()
        return self._con

    def _drop(self) -> None:
        if self._con is not None and self._pid == os.getpid():
            self._con.close()
        self._con = None


def _open(path: Path) -> sqlite3.Connection:
    own_folder(path.parent)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    con = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
    try:
        con.execute("PRAGMA journal_mode = WAL")
        con.execute("PRAGMA synchronous = OFF")
        con.executescript(_SCHEMA)
    except BaseException:
        con.close()
        raise
    return con


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
