"""What getTopics said, kept in the archive, so that reading it needs no service.

Where things lie in an archive, as paths and names. Pure.

::

    ARCHIVE/meter=P482311252/2023.parquet           the readings of a meter and UTC year
    ARCHIVE/meter=-/columns.parquet                 no rows, every column: see `columns_file`
    ARCHIVE/.dentframe/topics.json                  what getTopics said
    ARCHIVE/.dentframe/pending/meter=P…/….part      answers not yet settled in a year's file
    ARCHIVE/.dentframe/aside/                       files being written

Nothing but readings ends in ``.parquet``, so a glob over all of them finds each reading once.

Files that are there whole or not at all, and on the disk when the call returns.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from dentframe.errors import ConfigError
from dentframe.frame.request import builtin_units, topic_units

if TYPE_CHECKING:
    from dentframe.archive.parquet import Record


OWN = ".dentframe"
SUFFIX = ".parquet"
PART = ".part"
NO_METER = "-"
_YEAR = re.compile(r"(\d{4})\.parquet")


def folder_name(meter: str) -> str:
    """The folder of a meter, ``meter=P482311252``; characters no folder may have are escaped."""
    name = quote(meter, safe="").rstrip(".")
    dots = len(quote(meter, safe="")) - len(name)
    return "meter=" + ("%2D" if meter == NO_METER else name + "%2E" * dots)


def meter_of(folder: Path) -> str | None:
    """The meter of a folder, or None where it is no meter's."""
    head, equals, name = folder.name.partition("=")
    if head != "meter" or not equals or name in {"", NO_METER}:
        return None
    return unquote(name)


def year_file(root: Path, meter: str, year: int) -> Path:
    """The file of a meter and UTC year."""
    return root / folder_name(meter) / f"{year:04d}{SUFFIX}"


def year_of(path: Path) -> int | None:
    """The year of a file, or None where its name is no year's."""
    match = _YEAR.fullmatch(path.name)
    return int(match[1]) if match else None


def columns_file(root: Path) -> Path:
    """The file without rows that shows every column of the archive.

    It sorts first. Readers that take all columns from the first file, as pandas and Polars do,
    would else lose those of the meters and years that have more.
    """
    return root / f"meter={NO_METER}" / f"columns{SUFFIX}"


def topics_file(root: Path) -> Path:
    """The file of what getTopics said."""
    return root / OWN / "topics.json"


def pending_folder(root: Path, meter: str | None = None) -> Path:
    """Where answers wait to be settled, all or those of one meter."""
    folder = root / OWN / "pending"
    return folder if meter is None else folder / folder_name(meter)


def part_file(root: Path, meter: str, record: Record) -> Path:
    """The file of one answer; the same answer has the same name."""
    asked = hashlib.sha256("\n".join(sorted(record.topics)).encode()).hexdigest()[:12]
    stamp = f"{record.read_at:%Y%m%dT%H%M%S.%f}"
    return pending_folder(root, meter) / f"{record.window}~{stamp}~{asked}{PART}"


def aside(root: Path, path: Path) -> Path:
    """Where a file is written before it takes its place."""
    return root / OWN / "aside" / f"{path.parent.name}~{path.name}~"


_TRIES = 50
_PAUSE = 0.02


def write(path: Path, data: bytes | memoryview, aside: Path) -> None:
    """Write a file aside, sync it, and put it in its place, and sync that too."""
    make_folder(aside.parent)
    make_folder(path.parent)
    with aside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    moved(aside, path)
    sync_folder(path.parent)


def moved(source: Path, target: Path) -> None:
    """Rename over a file; on Windows a reader may hold it open for a moment."""
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
    sync_folder(folder.parent)


def remove(path: Path) -> None:
    """Remove a file, if it is there."""
    path.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Put a folder's list of names on the disk, where the system can."""
    if os.name == "nt":
        return  # Windows opens no folders; its file system logs renames itself
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def keep(root: Path, topics: Sequence[Mapping[str, str]]) -> None:
    """Write the catalogue down, where it is another."""
    found = [dict(topic) for topic in topics]
    if found == load(root):
        return
    path = topics_file(root)
    data = json.dumps({"schema": 1, "topics": found}, indent=1).encode()
    write(path, data, aside(root, path))


def load(root: Path) -> list[dict[str, str]] | None:
    """The catalogue, or None where none was kept."""
    path = topics_file(root)
    try:
        found: Any = json.loads(path.read_bytes())
        return [dict(topic) for topic in found["topics"]]
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        raise ConfigError(
            f"Cannot read the archive's topics in {path}: the file is damaged. "
            "Remove it, and sync again."
        ) from None


def units(root: Path) -> dict[str, str]:
    """Topic to unit: as kept, else from the built-in catalogue."""
    kept = load(root)
    return builtin_units() if kept is None else topic_units(kept)
