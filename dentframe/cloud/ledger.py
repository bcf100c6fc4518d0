"""Who may send when: an account's slots in time and requests in flight, kept in one place.

:class:`MemoryLedger` serves the threads of one process, :class:`FileLedger` several processes
through a small SQLite file. Both only do arithmetic on the times they are given; neither waits.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import uuid
from typing import TYPE_CHECKING

from dentframe.cloud.database import own_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["LEASE", "FileLedger", "MemoryLedger"]

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
