"""Things lie in an archive where this module says; it writes them safely, and locks the folder.

::

    ARCHIVE/meter=P482311252/2023.parquet           the readings of a meter and UTC year
    ARCHIVE/meter=-/columns.parquet                 no rows, every column, what getTopics said
    ARCHIVE/.dentframe/sync.lock                    empty; held while a sync is under way
    ARCHIVE/.dentframe/sync.json                    who is syncing
    ARCHIVE/.dentframe/pending/meter=P…/….part      answers that are not yet in a year's file
    ARCHIVE/.dentframe/aside/                       files being written
    ARCHIVE/.dentframe/damaged/meter=P…/            files whose bytes have changed, as found

Outside a sync ``.dentframe`` holds no file with content, so that readers of whole folders, which
look into hidden folders too, find the readings alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from dentframe.atomic_files import make_folder, replace, write_whole
from dentframe.errors import ConfigError, missing_extra

if TYPE_CHECKING:
    from dentframe.archive.metadata import Record

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


# --- writing, one sync at a time ----------------------------------------------------------


def write(root: Path, path: Path, data: bytes | memoryview) -> None:
    """Write a file of the archive whole; what is half written lies aside."""
    write_whole(path, data, 0o666, root / OWN / "aside")


def move(source: Path, target: Path) -> None:
    """Give a file another place."""
    make_folder(target.parent)
    replace(source, target)


@contextlib.contextmanager
def lock(root: Path) -> Iterator[None]:
    """Hold the lock of an archive; killed or not, the process that ends frees it.

    Raises
    ------
    ConfigError
        Where another process, or another thread of this one, holds it.
    MissingExtraError
        Where filelock is not installed.
    """
    try:
        import filelock
    except ImportError:
        raise missing_extra("write an archive", "archive") from None
    path, holder = root / OWN / "sync.lock", root / OWN / "sync.json"
    make_folder(path.parent)
    try:
        held = filelock.FileLock(path, timeout=0).acquire()
    except filelock.Timeout:
        raise ConfigError(
            f"Cannot sync into {root}: {_holder(holder)} is syncing into it. Wait until it ends, "
            "or end it: what it has read is kept, and the lock goes with its process. Reading "
            "the archive needs no lock.",
            retryable=True,
        ) from None
    except (OSError, NotImplementedError) as error:
        raise ConfigError(
            f"Cannot lock the archive with {path}: {getattr(error, 'strerror', None) or error}. "
            "Remove it where it is a link or a folder, see who may write there, and keep the "
            "archive on a local disk or on a share that has locks."
        ) from None
    with held:
        said = {"pid": os.getpid(), "host": socket.gethostname(), "since": _now()}
        with contextlib.suppress(OSError):  # the lock holds whether this can be said or not
            write(root, holder, json.dumps(said).encode())
        try:
            yield
        finally:
            holder.unlink(missing_ok=True)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _holder(path: Path) -> str:
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError, RecursionError):
        said = json.loads(path.read_text(encoding="utf-8"))
        return f"process {said['pid']} on {said['host']}, since {said['since']},"
    return "another process"
