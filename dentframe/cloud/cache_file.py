"""One SQLite file holds the kept answers, and small facts about them, by key.

The file may fail; a read must not. Where it is damaged, locked, read-only or full, every
method returns what an empty cache would, and says so once. It is opened for its owner alone,
or to read only where it cannot be written.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import unquote

from dentframe.errors import CacheWarning

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dentframe.cloud.answers import Notices


_SETTINGS = """
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
"""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, value BLOB, created REAL, expires REAL, size INTEGER, used REAL);
CREATE INDEX IF NOT EXISTS answers_head ON answers (key, expires, created, size, used);
CREATE TABLE IF NOT EXISTS facts (key TEXT PRIMARY KEY, value TEXT, at REAL);
"""


FAILURES = (sqlite3.Error, OSError, UnicodeDecodeError)
"""What SQLite raises; the last where a damaged name stands in its own message."""


def damaged(error: Exception) -> bool:
    """Whether an error means that the file is no cache, or a broken one."""
    if isinstance(error, sqlite3.OperationalError):
        return any(word in str(error) for word in ("malformed", "no such", "no column", "decode"))
    return isinstance(error, sqlite3.DatabaseError | UnicodeDecodeError)


def open_database(path: Path, busy: float) -> tuple[sqlite3.Connection, bool]:
    """Open the file; the flag says whether it is only for reading."""
    try:
        create_private(path)
        return connect(path, busy, _SETTINGS + _SCHEMA), False
    except (sqlite3.OperationalError, OSError) as error:
        if not path.exists() or "locked" in str(error):
            raise
    # A folder we may not write to allows no WAL; without one the file cannot be changing.
    still = not path.with_name(path.name + "-wal").exists()
    uri = path.absolute().as_uri() + ("?mode=ro&immutable=1" if still else "?mode=ro")
    return connect(uri, busy, "SELECT count(*) FROM sqlite_master"), True


def connect(name: str | Path, busy: float, script: str) -> sqlite3.Connection:
    """Open an SQLite file, or a URI of one, and run a script."""
    con = sqlite3.connect(
        name,
        timeout=busy,
        isolation_level=None,
        check_same_thread=False,
        uri=isinstance(name, str),
    )
    try:
        con.executescript(script)
    except BaseException:
        con.close()
        raise
    return con


def create_private(path: Path) -> None:
    """Make a file and its folder for their owner alone; what is there already stays as it is."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


CAP = 2_000_000_000
"""The size above which the least recently used answers go [B]."""
_KEEP = 0.9
_BUSY = 5.0
_REST = 30.0
"""How long a file that failed is left alone [s]."""
_DAY = 86400.0
_LAST = "\x7f"
_SOUND = ((str, float, float, int), (str, float, type(None), int))
"""The types of a sound row: another is bit rot, and as if it were not there."""
T = TypeVar("T")


class Entry(NamedTuple):
    """What is known of an answer without reading it; times are POSIX [s], None is for ever."""

    key: str
    created: float
    expires: float | None
    size: int
    account: str
    meter: str
    window: str
    topics: frozenset[str]

    def fresh(self, now: float) -> bool:
        """Whether it may still be served."""
        return self.expires is None or now < self.expires


def _entry(row: tuple[Any, ...]) -> Entry | None:
    if tuple(map(type, row)) not in _SOUND:
        return None
    key, created, expires, size = row
    account, meter, window, topics = (*key.split("/"), "", "", "")[:4]
    held = frozenset(map(unquote, topics.split(",")))
    return Entry(key, created, expires, size, account, unquote(meter), window, held)


class CacheFile:
    """A table of answers and one of small facts, shared by threads and processes.

    Parameters
    ----------
    folder : pathlib.Path
        Where the file is; made for its owner alone where it is missing.
    notices : Notices
        Takes what there is to warn about.
    cap : int, optional
        The largest size [B].
    """

    def __init__(
        self, folder: Path, notices: Notices, *, cap: int = CAP, busy: float | None = None
    ) -> None:
        self.path = folder / "answers.sqlite"
        self._notices, self._cap, self._busy = notices, cap, _BUSY if busy is None else busy
        self._lock = threading.RLock()
        self._con: sqlite3.Connection | None = None
        self._pid = 0
        self._rest_until = self._no_writes_until = float("-inf")
        self._written: int | None = None
        self._read_only = False
        self._closed = False

    def get(self, key: str, now: float) -> tuple[Entry, bytes] | None:
        """Return an answer, however old."""
        sql = "SELECT key, created, expires, size, value, used FROM answers WHERE key = ?"
        row = self._read(lambda con: con.execute(sql, (key,)).fetchone(), None)
        if row is None:
            return None
        entry = _entry(row[:4])
        if entry is None:
            return None
        if not (type(row[5]) is float and row[5] >= now - _DAY) and not self._read_only:
            used = "UPDATE answers SET used = ? WHERE key = ?"
            self._write(lambda con: con.execute(used, (now, key)))
        return entry, row[4]

    def put(self, key: str, value: bytes, now: float, expires: float | None) -> None:
        """Keep an answer; it is there whole or not at all."""
        row = (key, value, now, expires, len(value), now)
        if self._write(
            lambda con: con.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?)", row)
        ):
            self._grown(len(value), now)

    def entries(self, prefix: str) -> list[Entry]:
        """Return what is known of the answers whose keys begin so."""
        sql = (
            "SELECT key, created, expires, size FROM answers INDEXED BY answers_head "
            "WHERE key >= ? AND key < ?"
        )
        span = (prefix, prefix + _LAST)
        rows: list[Any] = self._read(lambda con: con.execute(sql, span).fetchall(), [])
        return [entry for row in rows if (entry := _entry(row)) is not None]

    def delete(self, prefix: str = "", key: str | None = None) -> None:
        """Forget answers and facts: one key, or all that begin so."""
        span = (key, key) if key is not None else (prefix, prefix + _LAST)

        def forget(con: sqlite3.Connection) -> None:
            con.execute("DELETE FROM answers WHERE key >= ? AND key <= ?", span)
            con.execute("DELETE FROM facts WHERE key >= ? AND key <= ?", span)

        if self._write(forget) and key is None:
            self._shrink()

    def fact(self, key: str) -> tuple[str, float] | None:
        """Return a small fact and when it was noted."""
        sql = "SELECT value, at FROM facts WHERE key = ?"
        row: Any = self._read(lambda con: con.execute(sql, (key,)).fetchone(), None)
        return row if row and tuple(map(type, row)) == (str, float) else None

    def note(self, key: str, value: str, now: float) -> None:
        """Keep a small fact."""
        self._write(
            lambda con: con.execute(
                "INSERT OR REPLACE INTO facts VALUES (?, ?, ?)", (key, value, now)
            )
        )

    def accounts(self) -> list[str]:
        """Return the accounts that have answers here."""
        return list(dict.fromkeys(entry.account for entry in self.entries("")))

    def close(self) -> None:
        """Close the file; a later call finds an empty cache."""
        with self._lock:
            self._closed = True
            self._drop()

    def _grown(self, size: int, now: float) -> None:
        with self._lock:
            if self._written is None:
                self._written = sum(entry.size for entry in self.entries(""))
            else:
                self._written += size
            if self._written <= self._cap:
                return
            if self._write(lambda con: self._prune(con, now)):
                self._shrink()
            self._written = None

    def _shrink(self) -> None:
        # A script, as execute() takes one step only, which frees one page.
        self._read(lambda con: con.executescript("PRAGMA incremental_vacuum"), None)

    def _prune(self, con: sqlite3.Connection, now: float) -> None:
        con.execute("DELETE FROM answers WHERE expires <= ?", (now,))
        rows = con.execute("SELECT key, length(value) FROM answers ORDER BY used, key").fetchall()
        too_much = sum(size for _, size in rows) - self._cap * _KEEP
        for key, size in rows:
            if too_much <= 0:
                return
            con.execute("DELETE FROM answers WHERE key = ?", (key,))
            too_much -= size

    def _read(self, call: Callable[[sqlite3.Connection], T], nothing: T) -> T:
        with self._lock:
            if self._closed or time.monotonic() < self._rest_until:
                return nothing
            found = self._try(call)
            return nothing if isinstance(found, _Failed) else found

    def _write(self, call: Callable[[sqlite3.Connection], object]) -> bool:
        with self._lock:
            late = max(self._rest_until, self._no_writes_until)
            if self._closed or time.monotonic() < late:
                return False
            return not isinstance(self._try(lambda con: _whole(con, call)), _Failed)

    def _try(self, call: Callable[[sqlite3.Connection], T]) -> T | _Failed:
        for attempt in range(3):
            try:
                return call(self._connection())
            except FAILURES as error:
                if not damaged(error) or attempt == 2:
                    return self._failed(error)
                self._damage(error, move=attempt == 1)
        return _Failed()

    def _failed(self, error: Exception) -> _Failed:
        full = any(word in str(error).lower() for word in ("full", "readonly", "read-only"))
        if full:
            self._no_writes_until = time.monotonic() + _REST
        else:
            self._rest_until = time.monotonic() + _REST
            self._drop()
        self._notices.once(
            f"Cannot {'write to' if full else 'use'} the cache {self.path}: {error}. "
            "The read goes on without it, and asks the service for what it needs.",
            CacheWarning,
            kind=f"cache-{'full' if full else 'use'}",
        )
        return _Failed()

    def _damage(self, error: Exception, *, move: bool) -> None:
        """Open the file afresh (another process may have replaced it), else put it aside."""
        self._drop()
        if not move:
            return
        self._rest_until = float("-inf")
        with contextlib.suppress(OSError):
            for end in ("", "-wal", "-shm"):
                part = self.path.with_name(self.path.name + end)
                if part.exists():
                    part.replace(part.with_name(f"damaged-{part.name}"))
        self._notices.once(
            f"The cache {self.path} was damaged ({error}) and has been put aside as "
            f"damaged-{self.path.name}. The read goes on with an empty one.",
            CacheWarning,
            kind="cache-damaged",
        )

    def _connection(self) -> sqlite3.Connection:
        if self._con is not None and self._pid == os.getpid():
            return self._con
        self._con, self._read_only = open_database(self.path, self._busy)
        self._pid = os.getpid()
        return self._con

    def _drop(self) -> None:
        con, self._con = self._con, None
        if con is not None and self._pid == os.getpid():
            with contextlib.suppress(sqlite3.Error):
                con.close()


class _Failed:
    """No result."""


def _whole(con: sqlite3.Connection, call: Callable[[sqlite3.Connection], object]) -> None:
    """Do a write in one transaction: all of it or nothing."""
    con.execute("BEGIN IMMEDIATE")
    try:
        call(con)
        con.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            con.execute("ROLLBACK")
        raise
