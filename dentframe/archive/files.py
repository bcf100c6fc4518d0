"""Things lie in an archive where this module says; it writes them safely, and locks the folder.

::

    ARCHIVE/meter=P482311252/2023.parquet           the readings of a meter and UTC year
    ARCHIVE/meter=-/columns.parquet                 no rows, every column, what getTopics said
    ARCHIVE/.dentframe/sync.lock                    empty, or who is syncing
    ARCHIVE/.dentframe/pending/meter=P…/….part      answers that are not yet in a year's file
    ARCHIVE/.dentframe/aside/                       files being written
    ARCHIVE/.dentframe/damaged/meter=P…/            files whose bytes have changed, as found

Outside a sync ``.dentframe`` holds no file with content, so that readers of whole folders, which
look into hidden folders too, find the readings alone.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import secrets
import socket
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import quote, unquote

from dentframe.errors import ConfigError

if TYPE_CHECKING:
    from dentframe.archive.records import Record

OWN = ".dentframe"
SUFFIX = ".parquet"
PART = ".part"
NO_METER = "-"
_YEAR = re.compile(r"(\d{4})\.parquet|(\d{4})-.*\.part")
_LONGEST = 255
"""The longest name that the usual file systems take [B]."""


# --- names -------------------------------------------------------------------------------


def folder_name(meter: str) -> str:
    """The folder of a meter, ``meter=P482311252``; characters no folder may have are escaped.

    Raises
    ------
    ConfigError
        Where the name is longer than a file system takes.
    """
    quoted = quote(meter, safe="")
    name = quoted.rstrip(".")
    dots = len(quoted) - len(name)
    found = "meter=" + ("%2D" if meter == NO_METER else name + "%2E" * dots)
    if len(found) > _LONGEST:
        raise ConfigError(
            f"Cannot keep meter {meter[:40]!r}… in an archive: its name has {len(meter)} "
            f"characters, and its folder would have {len(found)}, more than the {_LONGEST} that "
            "file systems take. Name meters as getMeters does."
        )
    return found


def meter_of(folder: Path) -> str | None:
    """The meter of a folder, or None where it is no meter's."""
    head, equals, name = folder.name.partition("=")
    if head != "meter" or not equals or name in {"", NO_METER}:
        return None
    return unquote(name)


def year_file(root: Path, meter: str, year: int) -> Path:
    """The file of a meter and UTC year."""
    return root / folder_name(meter) / f"{year:04d}{SUFFIX}"


def year_of(path: Path) -> int:
    """The year of a meter's file or waiting answer.

    Raises
    ------
    ConfigError
        Where its name is no year's.
    """
    match = _YEAR.fullmatch(path.name)
    if match is None:
        raise foreign(path, "its name is no year's")
    return int(match[1] or match[2])


def columns_file(root: Path) -> Path:
    """The file without rows that shows every column of the archive.

    It sorts first. Readers that take all columns from the first file, as pandas and Polars do,
    would else lose those of the meters and years that have more.
    """
    return root / f"meter={NO_METER}" / f"columns{SUFFIX}"


def pending_folder(root: Path, meter: str | None = None) -> Path:
    """Where answers wait to be settled, all or those of one meter."""
    folder = root / OWN / "pending"
    return folder if meter is None else folder / folder_name(meter)


def part_file(root: Path, meter: str, record: Record) -> Path:
    """The file of one answer; the same answer has the same name."""
    asked = hashlib.sha256("\n".join(sorted(record.topics)).encode()).hexdigest()[:12]
    stamp = f"{record.read_at:%Y%m%dT%H%M%S.%f}"
    return pending_folder(root, meter) / f"{record.window}~{stamp}~{asked}{PART}"


def damaged_file(root: Path, path: Path) -> Path:
    """Where a damaged file is kept; its name ends so that no reader takes it for readings."""
    return root / OWN / "damaged" / path.parent.name / f"{path.name}.damaged"


def listed(folder: Path, suffix: str) -> list[Path]:
    """The files of a folder whose names end so, sorted; none where there is no folder."""
    try:
        with os.scandir(folder) as entries:
            found = sorted(entry.name for entry in entries if entry.name.endswith(suffix))
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [folder / name for name in found]


def meters(root: Path) -> list[str]:
    """The meters of an archive, sorted."""
    folders = [f for place in (root, pending_folder(root)) for f in _folders(place)]
    return sorted({m for f in folders if (m := meter_of(f)) is not None})


def _folders(place: Path) -> list[Path]:
    if not place.is_dir():
        return []
    with os.scandir(place) as entries:
        return [Path(entry.path) for entry in entries if entry.is_dir()]


def foreign(path: Path, why: str) -> ConfigError:
    """The error for a file that is not the archive's."""
    return ConfigError(
        f"Cannot read the archive's file {path}: {why}. dentframe did not write it for this "
        "place: move it out of the archive."
    )


# --- files that are there whole or not at all, and on the disk when the call returns ------

_TRIES = 50
_PAUSE = 0.02


def write(root: Path, path: Path, data: bytes | memoryview) -> None:
    """Write a file aside, sync it, and put it in its place, and sync that too."""
    aside = root / OWN / "aside" / secrets.token_hex(8)
    make_folder(aside.parent)
    make_folder(path.parent)
    try:
        with aside.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        move(aside, path)
    except OSError:
        aside.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def move(source: Path, target: Path) -> None:
    """Rename over a file; on Windows a reader may hold it open for a moment."""
    make_folder(target.parent)
    for left in reversed(range(_TRIES)):
        try:
            os.replace(source, target)  # noqa: PTH105 - the tests break it here
        except PermissionError:
            if not left:
                raise
            time.sleep(_PAUSE)
        else:
            return


def make_folder(folder: Path) -> None:
    """Make a folder that outlives a crash, and those above it."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    with contextlib.suppress(FileExistsError):
        folder.mkdir()
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    """Put a folder's list of names on the disk, where the system can."""
    if os.name == "nt":
        return  # Windows opens no folders; its file system logs renames itself
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# --- one sync at a time ------------------------------------------------------------------

_FAR = 1 << 30
"""Windows locks bytes against reading too, so the byte that is locked is none of the text."""
_BUSY = {errno.EACCES, errno.EAGAIN, errno.EDEADLK}


@contextlib.contextmanager
def lock(root: Path) -> Iterator[None]:
    """Hold the lock of an archive; killed or not, the process that ends frees it.

    The file stays, empty; while it is held it says by whom, which no lock library does.

    Raises
    ------
    ConfigError
        Where another process, or another thread of this one, holds it.
    """
    path = root / OWN / "sync.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with _open_lock(path) as file:
        _take(file, path, root)
        try:
            _say(file, {"pid": os.getpid(), "host": socket.gethostname(), "since": _now()})
            yield
        finally:
            _say(file, {})
            _system_lock(file, free=True)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _open_lock(path: Path) -> IO[str]:
    # A link would lead to a file of somebody else, whose text would be lost.
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    try:
        if not path.is_symlink():
            return os.fdopen(os.open(path, flags, 0o666), "r+", encoding="utf-8")
        reason = "it is a link"
    except OSError as error:
        reason = str(error.strerror)
    raise ConfigError(
        f"Cannot lock the archive with {path}: {reason}. Remove it where it is a link or a "
        "folder, and see who may write there."
    )


def _take(file: IO[str], path: Path, root: Path) -> None:
    try:
        _system_lock(file)
    except OSError as error:
        if error.errno in _BUSY:
            raise ConfigError(
                f"Cannot sync into {root}: {_holder(path)} is syncing into it. Wait until it "
                "ends, or end it: what it has read is kept, and the lock goes with its process. "
                "Reading the archive needs no lock.",
                retryable=True,
            ) from None
        raise ConfigError(
            f"Cannot lock {root}: the file system of {path} has no locks ({error.strerror}). "
            "Put the archive on a local disk, or on a share that has them."
        ) from error


def _holder(path: Path) -> str:
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError, RecursionError):
        said = json.loads(path.read_text(encoding="utf-8"))
        return f"process {said['pid']} on {said['host']}, since {said['since']},"
    return "another process"


def _say(file: IO[str], said: dict[str, object]) -> None:
    file.seek(0)
    file.truncate()
    file.write(json.dumps(said) if said else "")
    file.flush()


def _system_lock(file: IO[str], *, free: bool = False) -> None:
    if sys.platform == "win32":  # pragma: no cover
        import msvcrt

        os.lseek(file.fileno(), _FAR, os.SEEK_SET)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK if free else msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        # flock, not lockf: it keeps two threads of one process apart as well.
        fcntl.flock(file.fileno(), fcntl.LOCK_UN if free else fcntl.LOCK_EX | fcntl.LOCK_NB)
