"""Opening an SQLite file of the cache: for its owner alone, else to read only."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["damaged", "open_database", "own_folder", "whole"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, value BLOB, created REAL, expires REAL, size INTEGER, used REAL);
CREATE INDEX IF NOT EXISTS answers_head ON answers (key, expires, created, size, used);
CREATE TABLE IF NOT EXISTS facts (key TEXT PRIMARY KEY, value TEXT, at REAL);
"""


def whole(call: Callable[[sqlite3.Connection], object]) -> Callable[[sqlite3.Connection], bool]:
    """Do a write in one transaction: all of it or nothing."""

    def inside(con: sqlite3.Connection) -> bool:
        con.execute("BEGIN IMMEDIATE")
        try:
            call(con)
            con.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                con.execute("ROLLBACK")
            raise
        return True

    return inside


def damaged(error: Exception) -> bool:
    """Whether an error means that the file is no cache, or a broken one."""
    if isinstance(error, sqlite3.OperationalError):
        return "malformed" in str(error) or "no such" in str(error) or "no column" in str(error)
    return isinstance(error, sqlite3.DatabaseError)


def open_database(path: Path, busy: float) -> tuple[sqlite3.Connection, bool]:
    """Open the file; the flag says whether it is only for reading."""
    try:
        return _open_for_writing(path, busy), False
    except (sqlite3.OperationalError, OSError) as error:
        if not path.exists() or "locked" in str(error):
            raise
    return _open_for_reading(path, busy), True


def _open_for_writing(path: Path, busy: float) -> sqlite3.Connection:
    own_folder(path.parent)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    con = sqlite3.connect(path, timeout=busy, isolation_level=None, check_same_thread=False)
    try:
        con.execute("PRAGMA auto_vacuum = INCREMENTAL")
        con.execute("PRAGMA journal_mode = WAL")
        con.execute("PRAGMA synchronous = NORMAL")
        con.executescript(_SCHEMA)
    except BaseException:
        con.close()
        raise
    return con


def _open_for_reading(path: Path, busy: float) -> sqlite3.Connection:
    # A folder we may not write to allows no WAL; without one the file cannot be changing.
    still = not path.with_name(path.name + "-wal").exists()
    uri = path.absolute().as_uri() + ("?mode=ro&immutable=1" if still else "?mode=ro")
    con = sqlite3.connect(
        uri, uri=True, timeout=busy, isolation_level=None, check_same_thread=False
    )
    try:
        con.execute("SELECT count(*) FROM sqlite_master")
    except BaseException:
        con.close()
        raise
    return con


def own_folder(folder: Path) -> None:
    """Make a folder for its owner alone; one that exists stays as it is."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
