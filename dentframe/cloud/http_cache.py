"""The cache keeps answers in one SQLite file, and serves them for as long as the rule says.

The file may fail; a read must not. Where it is damaged, locked, read-only or full, every method
does what an empty cache would, and says so once. It is opened for its owner alone, or to read
only where it cannot be written. A cache without a file is an empty one. A second table has small
facts about answers, as their sizes.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import threading
import time
import zlib
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar
from urllib.parse import unquote

from dentframe.atomic_files import SQLITE_FAILURES, open_sqlite
from dentframe.cloud.credentials import cache_folder
from dentframe.cloud.planner import Window
from dentframe.cloud.requests_and_responses import FOREVER, LARGEST, inflate, lifetime, prefix
from dentframe.errors import CacheWarning, DentError, RangeError, warn
from dentframe.wire.pages_and_bad_cells import Page, fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dentframe.cloud.client import Notices
    from dentframe.cloud.requests_and_responses import ApiRequest, Reply, Value

T = TypeVar("T")
_SCHEMA = """
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, value BLOB, created REAL, expires REAL, size INTEGER, used REAL);
CREATE INDEX IF NOT EXISTS answers_head ON answers (key, expires, created, size, used);
CREATE TABLE IF NOT EXISTS facts (key TEXT PRIMARY KEY, value TEXT, at REAL);
"""
_DELETE_LEAST_RECENTLY_USED = """
DELETE FROM answers WHERE key IN (SELECT key FROM (
    SELECT key, sum(size) OVER (ORDER BY used DESC, key DESC) AS kept FROM answers)
    WHERE kept > ?)
"""
CAP = 2_000_000_000
"""The size above which the least recently used answers go [B]."""
_KEEP, _DAY, _BUSY = 0.9, 86400.0, 5.0
_REST = 30.0
"""How long a file that failed is left alone [s]."""
_LAST = "\x7f"


class Entry(NamedTuple):
    """What is known of an answer without reading it; times are POSIX [s]."""

    key: str
    created: float
    expires: float
    size: int
    meter: str
    window: str
    topics: frozenset[str]


def _entry(row: tuple[Any, ...]) -> Entry | None:
    """Take a row apart; one of other types is bit rot, and as if it were not there."""
    match row:
        # No answer was kept before 1970 or after 4147: no date has such a time.
        case str(key), float(created), float() | None as end, int(size) if 0 <= created < 2**36:
            _, meter, window, names = (*key.split("/"), "", "", "")[:4]
            topics = frozenset(map(unquote, names.split(",")))
            until = FOREVER if end is None else end
            return Entry(key, created, until, size, unquote(meter), window, topics)
    return None


class CacheFile:
    """A table of answers and one of small facts, shared by threads and processes.

    Parameters
    ----------
    folder : pathlib.Path or None
        Where the file is; made for its owner alone where it is missing. None: nothing is kept.
    notices : Notices, optional
        Takes what there is to warn about; else it is warned of at once.
    cap : int, optional
        The largest size [B].
    """

    def __init__(
        self, folder: Path | None, notices: Notices | None = None, *, cap: int = CAP
    ) -> None:
        self.path = (folder or Path()) / "answers.sqlite"
        self._notices, self._cap = notices, cap
        self._lock = threading.RLock()
        self._con: sqlite3.Connection | None = None
        self._pid = 0
        self._rest_until = self._no_writes_until = float("-inf")
        self._written: int | None = None
        self._read_only, self.closed = False, folder is None

    def get(self, key: str, now: float) -> tuple[Entry, bytes] | None:
        """Return an answer, however old."""
        sql = "SELECT key, created, expires, size, value, used FROM answers WHERE key = ?"
        row: Any = self._do(lambda con: con.execute(sql, (key,)).fetchone(), None) or ()
        entry = _entry(row[:4])
        if entry is None:
            return None
        *_, value, used = row
        if not (type(used) is float and used >= now - _DAY) and not self._read_only:
            self._write(("UPDATE answers SET used = ? WHERE key = ?", now, key))
        return entry, value

    def put(self, key: str, value: bytes, now: float, expires: float) -> None:
        """Keep an answer; it is there whole or not at all."""
        row = (key, value, now, None if expires == FOREVER else expires, len(value), now)
        if not self._write(("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?)", *row)):
            return
        with self._lock:
            before = self._written
            new = sum(e.size for e in self.entries("")) if before is None else before + len(value)
            self._written = new
            if new > self._cap:
                self._forget(
                    ("DELETE FROM answers WHERE expires <= ?", now),
                    (_DELETE_LEAST_RECENTLY_USED, self._cap * _KEEP),
                )
                self._written = None

    def entries(self, prefix: str) -> list[Entry]:
        """Return what is known of the answers whose keys begin so."""
        sql = (
            "SELECT key, created, expires, size FROM answers INDEXED BY answers_head "
            "WHERE key >= ? AND key < ?"
        )
        span = (prefix, prefix + _LAST)
        rows: list[Any] = self._do(lambda con: con.execute(sql, span).fetchall(), [])
        return list(filter(None, map(_entry, rows)))

    def delete(self, prefix: str = "", key: str | None = None) -> None:
        """Forget answers and facts: one key, or all that begin so."""
        first, last = (key, key) if key is not None else (prefix, prefix + _LAST)
        self._forget(
            ("DELETE FROM answers WHERE key >= ? AND key <= ?", first, last),
            ("DELETE FROM facts WHERE key >= ? AND key <= ?", first, last),
        )

    def fact(self, key: str) -> tuple[str, float] | None:
        """Return a small fact and when it was noted."""
        sql = "SELECT value, at FROM facts WHERE key = ?"
        row: Any = self._do(lambda con: con.execute(sql, (key,)).fetchone(), None)
        return row if row and tuple(map(type, row)) == (str, float) else None

    def note(self, key: str, value: str, now: float) -> None:
        """Keep a small fact."""
        self._write(("INSERT OR REPLACE INTO facts VALUES (?, ?, ?)", key, value, now))

    def accounts(self) -> list[str]:
        """Return the accounts that have answers here."""
        return list(dict.fromkeys(entry.key.partition("/")[0] for entry in self.entries("")))

    def close(self) -> None:
        """Close the file; a later call finds an empty cache."""
        with self._lock:
            self.closed = True
            self._drop()

    def _write(self, *statements: tuple[Any, ...]) -> bool:
        """Do statements, each with its values, in one transaction; whether all was done."""

        def whole(con: sqlite3.Connection) -> bool:
            with con:  # it commits, or rolls back where anything fails
                con.execute("BEGIN IMMEDIATE")
                for sql, *values in statements:
                    con.execute(sql, values)
            return True

        with self._lock:
            return time.monotonic() >= self._no_writes_until and self._do(whole, False)

    def _forget(self, *statements: tuple[Any, ...]) -> None:
        """Do statements that delete, and give the room back to the disk."""
        if self._write(*statements):
            # A script, as execute() takes one step only, which frees one page.
            self._do(lambda con: con.executescript("PRAGMA incremental_vacuum"), None)

    def _do(self, call: Callable[[sqlite3.Connection], T], nothing: T) -> T:
        """Call with the open file; where that fails, mend what can be mended, else `nothing`."""
        with self._lock:
            for attempt in range(3):
                if self.closed or time.monotonic() < self._rest_until:
                    break
                try:
                    if self._con is None or self._pid != os.getpid():
                        self._con, self._read_only = _open(self.path)
                        self._pid = os.getpid()
                    return call(self._con)
                except SQLITE_FAILURES as error:
                    if attempt == 2 or not _damaged(error):
                        self._failed(error)
                        break
                    self._drop()  # another process may have put a new file there
                    if attempt == 1:
                        self._put_aside(error)
            return nothing

    def _failed(self, error: Exception) -> None:
        full = any(word in str(error).lower() for word in ("full", "readonly", "read-only"))
        if full:
            self._no_writes_until = time.monotonic() + _REST
        else:
            self._rest_until = time.monotonic() + _REST
            self._drop()
        self._say(
            f"Cannot {'write to' if full else 'use'} the cache {self.path}: {error}. "
            "The read goes on without it, and asks the service for what it needs.",
            kind=f"cache-{'full' if full else 'use'}",
        )

    def _put_aside(self, error: Exception) -> None:
        for end in ("", "-wal", "-shm"):
            part = self.path.with_name(self.path.name + end)
            with contextlib.suppress(OSError):
                part.replace(part.with_name(f"damaged-{part.name}"))
        self._say(
            f"The cache {self.path} was damaged ({error}) and has been put aside as "
            f"damaged-{self.path.name}. The read goes on with an empty one.",
            kind="cache-damaged",
        )

    def _say(self, message: str, kind: str) -> None:
        if self._notices is None:
            warn(message, CacheWarning)
        else:
            self._notices.once(message, CacheWarning, kind)

    def _drop(self) -> None:
        con, self._con = self._con, None
        if con is not None and self._pid == os.getpid():
            with contextlib.suppress(sqlite3.Error):
                con.close()


def _damaged(error: Exception) -> bool:
    """Whether an error means that the file is no cache, or a broken one."""
    if isinstance(error, sqlite3.OperationalError):
        return any(word in str(error) for word in ("malformed", "no such", "no column", "decode"))
    return isinstance(error, sqlite3.DatabaseError | UnicodeDecodeError)


def _open(path: Path) -> tuple[sqlite3.Connection, bool]:
    """Open the file; the flag says whether it is only for reading."""
    try:
        return open_sqlite(path, _SCHEMA, _BUSY), False
    except (sqlite3.OperationalError, OSError) as error:
        if not path.exists() or "locked" in str(error):
            raise
    # A folder we may not write to allows no WAL; without one the file cannot be changing.
    still = not path.with_name(path.name + "-wal").exists()
    uri = path.absolute().as_uri() + ("?mode=ro&immutable=1" if still else "?mode=ro")
    return open_sqlite(uri, "SELECT count(*) FROM sqlite_master", _BUSY), True


class Kept(NamedTuple):
    """A body from the cache; `same_since` is when one with this fingerprint was read first."""

    body: bytes
    created: datetime
    same_since: datetime
    same: str


class HttpCache:
    """The kept answers of one account.

    Parameters
    ----------
    file : CacheFile
        Where they are.
    account : str
        Whose they are.
    present : callable
        The present, aware.
    """

    def __init__(self, file: CacheFile, account: str, present: Callable[[], datetime]) -> None:
        self.file, self.account, self.present = file, account, present

    def keep_answer(self, request: ApiRequest, value: Value, reply: Reply, size: int) -> None:
        """Keep an answer as long as the rule says, if at all; unpacked it has that size [B]."""
        key, present = request.key(self.account), self.present()
        same, since = "", present
        seconds = lifetime(value, request.topics, present)
        if isinstance(value, Page) and seconds != FOREVER:
            same, before = fingerprint(value), self.body(key, any_age=True)
            since = before.same_since if before is not None and before.same == same else present
            seconds = lifetime(value, request.topics, present, since)
        if seconds > 0:
            now, unpacked = present.timestamp(), size if reply.coding else None
            blob = pack(reply.body, (same, since.timestamp()), unpacked)
            self.file.put(key, blob, now, now + seconds)

    def body(self, key: str, *, any_age: bool = False) -> Kept | None:
        """Return a kept body; one that is damaged is forgotten."""
        now = self.present().timestamp()
        found = self.file.get(key, now)
        if found is None or not (any_age or now < found[0].expires):
            return None
        at, unpacked = found[0].created, unpack(found[1])
        if unpacked is None:
            self.file.delete(key=key)
            return None
        body, (same, since) = unpacked
        created = datetime.fromtimestamp(at, UTC)
        known = same and 0 <= since <= at
        return Kept(body, created, datetime.fromtimestamp(since, UTC) if known else created, same)

    def value(self, request: ApiRequest, *, any_age: bool = False) -> tuple[Value, Kept] | None:
        """Return a kept answer, decoded; one that cannot be decoded is forgotten."""
        key = request.key(self.account)
        found = self.body(key, any_age=any_age)
        if found is None:
            return None
        try:
            return request.read.in_turn(partial(request.decode, found.body)), found
        except DentError:
            self.file.delete(key=key)
            return None

    def servable(self, meter: str, window: Window | None, *, any_age: bool = False) -> list[Entry]:
        """Return the answers that may be served of a meter, or of one window of it."""
        now = self.present().timestamp()
        found = self.file.entries(prefix(self.account, meter, window))
        return [entry for entry in found if any_age or now < entry.expires]

    def held(self, meter: str, topics: Iterable[str], *, any_age: bool = False) -> set[Window]:
        """Return the windows for which all of these topics are held."""
        wanted = frozenset(topics)
        found: dict[str, set[str]] = defaultdict(set)
        for entry in self.servable(meter, None, any_age=any_age):
            found[entry.window] |= entry.topics
        windows = set()
        for name in (name for name, topics_held in found.items() if topics_held >= wanted):
            with contextlib.suppress(RangeError):
                windows.add(Window.parse(name))
        return windows


@dataclass
class _Head:
    """The head of a blob: its version, the size of its body [B], its fingerprint and since when."""

    v: Literal[1]
    size: int
    same: tuple[str, float] = "", 0.0


def pack(body: bytes, same: tuple[str, float], packed: int | None = None) -> bytes:
    """Make one blob of a body: a head of JSON, then the compressed bytes. Never a pickle.

    `packed` is the size of a body that is compressed already, once unpacked [B].
    """
    size = len(body) if packed is None else packed
    head = json.dumps({"v": 1, "size": size, "same": same}).encode()
    return b"\n".join((head, zlib.compress(body, 1) if packed is None else body))


def unpack(blob: Any) -> tuple[bytes, tuple[str, float]] | None:
    """Return the body of a blob and its fingerprint, or None where it is damaged."""
    import msgspec  # which a plan does without

    if not isinstance(blob, bytes):
        return None
    head, _, packed = blob.partition(b"\n")
    try:
        found = msgspec.json.decode(head, type=_Head)
    except (msgspec.MsgspecError, ValueError, RecursionError):  # ValueError: no UTF-8
        return None
    if not 0 <= found.size <= LARGEST:
        return None
    # One byte more than it says, so that a blob that holds more is noticed.
    body, whole = inflate(packed, found.size + 1, found.size)
    return (body, found.same) if whole and len(body) == found.size else None


def cache_info(folder: str | os.PathLike[str] | None = None) -> dict[str, Any]:
    """Describe a cache folder.

    Parameters
    ----------
    folder : path-like, optional
        The folder; else the one that a client would use.

    Returns
    -------
    dict
        ``folder``, ``answers``, ``bytes`` (compressed) [B], ``accounts``, and ``meters``:
        by meter its answers and bytes.
    """
    with contextlib.closing(CacheFile(cache_folder(True if folder is None else folder))) as file:
        entries = file.entries("") if file.path.exists() else []
    sizes: dict[str, list[int]] = {}
    for entry in (entry for entry in entries if entry.meter):
        sizes.setdefault(entry.meter, []).append(entry.size)
    return {
        "folder": str(file.path.parent),
        "answers": len(entries),
        "bytes": sum(entry.size for entry in entries),
        "accounts": len({entry.key.partition("/")[0] for entry in entries}),
        "meters": {m: {"answers": len(s), "bytes": sum(s)} for m, s in sorted(sizes.items())},
    }


def clear_cache(folder: str | os.PathLike[str] | None = None, meter: str | None = None) -> int:
    """Forget the kept answers of all accounts, or those of one meter.

    Parameters
    ----------
    folder : path-like, optional
        The folder; else the one that a client would use.
    meter : str, optional
        This meter's alone.

    Returns
    -------
    int
        How many answers are gone.
    """
    with contextlib.closing(CacheFile(cache_folder(True if folder is None else folder))) as file:
        if not file.path.exists():
            return 0
        before = len(file.entries(""))
        for account in file.accounts():
            file.delete(prefix(account, meter))
        return before - len(file.entries(""))
