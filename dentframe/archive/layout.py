"""Where things lie in an archive, as paths and names. Pure.

::

    ARCHIVE/meter=P482311252/2023.parquet           the readings of a meter and UTC year
    ARCHIVE/meter=-/columns.parquet                 no rows, every column: see `columns_file`
    ARCHIVE/.dentframe/topics.json                  what getTopics said
    ARCHIVE/.dentframe/pending/meter=P…/….part      answers not yet settled in a year's file
    ARCHIVE/.dentframe/aside/                       files being written

Nothing but readings ends in ``.parquet``, so a glob over all of them finds each reading once.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from dentframe.archive.record import Record

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
