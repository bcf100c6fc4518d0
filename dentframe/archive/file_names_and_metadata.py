"""File names of an archive, and what each file says of itself, are made and read here.

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

What a Parquet file says of itself, JSON in its metadata, is records: of each answer what was asked,
when, and what came. What cannot be read, or cannot be, is an error that names the file and the
field. The pages of its columns say how large they are: a reader makes room for that, and in a file
without checksums it may be 2 GB where the footer promises a few kB. Their headers are Thrift
structs in the compact protocol: https://github.com/apache/parquet-format, ``PageHeader``.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from calendar import monthrange
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import quote, unquote

from dentframe.atomic_files import make_folder, replace, write_whole
from dentframe.cloud.planner import Window
from dentframe.errors import ConfigError, DentError
from dentframe.wire.columns import topic_of
from dentframe.wire.pages_and_bad_cells import Report

T = TypeVar("T", bound="_Version")

OWN = ".dentframe"
SUFFIX = ".parquet"
PART = ".part"
NO_METER = "-"
_YEAR = re.compile(r"(\d{4})(\.parquet|-.*\.part)")
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
    return int(match[1])


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
    none = contextlib.suppress(FileNotFoundError, NotADirectoryError)
    with none, os.scandir(folder) as entries:
        return [folder / x for x in sorted(e.name for e in entries) if x.endswith(suffix)]
    return []


def meters(root: Path) -> list[str]:
    """The meters of an archive, sorted."""
    found = (f for place in (root, pending_folder(root)) for f in listed(place, ""))
    quoted = {f.name[6:] for f in found if f.name.startswith("meter=") and f.is_dir()}
    return sorted(set(map(unquote, quoted - {"", NO_METER})))


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


# --- what a file says of itself ------------------------------------------------------------

TIME, KEY = "time", b"dentframe"
_LARGEST = 1 << 30
"""No meter's year unpacks to more: 208 columns at every minute are 0.88 GB [B]."""
SCHEMA = 2
"""Files of version 1 have no checksums; they are read, and written anew by the next sync."""


W = TypeVar("W")
C = TypeVar("C")


@dataclass(frozen=True)
class AnswerRecord(Generic[W, C]):
    """One answer, without its readings.

    In a file its window is text, and its columns are the place of their set: the columns that
    answers share are written once.

    Attributes
    ----------
    window : Window
        The UTC month, day or hour that was asked for.
    topics : tuple of str
        The request keys that were asked for.
    read_at : datetime
        When it was asked, UTC.
    until : float or None
        Until when it need not be asked again, POSIX [s]; None is for ever.
    complete : bool
        Whether it held all that its window can hold.
    columns : tuple of str
        The columns of the answer.
    report : Report
        What decoding met.
    lacks : tuple of int
        Minutes of its window that answers about other topics have and it has not.
    fingerprint : str
        Of its readings, where it is not final; empty where it is.
    same_since : datetime or None
        When these readings were read first, if no others came since.
    """

    window: W
    topics: tuple[str, ...]
    read_at: datetime
    until: float | None
    complete: bool
    columns: C
    report: Report
    lacks: tuple[int, ...] = ()
    fingerprint: str = ""
    same_since: datetime | None = None

    @property
    def name(self) -> tuple[datetime, W, tuple[str, ...]]:
        """What tells answers apart, and their order: the later read one is right."""
        return self.read_at, self.window, self.topics

    def fresh(self, now: datetime) -> bool:
        """Whether it need not be asked again."""
        return self.until is None or now.timestamp() < self.until


Record = AnswerRecord[Window, tuple[str, ...]]


def unasked(record: Record) -> frozenset[str]:
    """Topics of columns that came without being asked for."""
    return _unasked(record.columns, record.topics)


@lru_cache(maxsize=1024)
def _unasked(columns: tuple[str, ...], topics: tuple[str, ...]) -> frozenset[str]:
    return frozenset(map(topic_of, columns)) - set(topics)


@dataclass(frozen=True)
class _Version:
    schema: int


@dataclass(frozen=True)
class About(_Version):
    """What the metadata of a meter's file say."""

    meter: str
    year: int
    months: tuple[int, ...]
    units: dict[str, str]
    column_sets: tuple[tuple[str, ...], ...]
    records: tuple[AnswerRecord[str, int], ...]


@dataclass(frozen=True)
class Topics(_Version):
    """What the metadata of the file without rows say."""

    topics: list[dict[str, str]] | None = None


def dump(records: Iterable[Record]) -> dict[str, Any]:
    """Records as values for JSON; columns that records share are written once."""
    sets: dict[tuple[str, ...], int] = {}
    empty = asdict(Report())
    found = [
        vars(r)
        | {
            "window": str(r.window),
            "read_at": r.read_at.astimezone(UTC),
            "columns": sets.setdefault(r.columns, len(sets)),
            "report": {k: v for k, v in asdict(r.report).items() if v != empty[k]},
        }
        for r in records
    ]
    return {"column_sets": list(sets), "records": found}


def read_metadata(path: Path, metadata: Mapping[bytes, bytes] | None, kind: type[T]) -> T:
    """What a file says of itself, as values of this kind.

    Raises
    ------
    ConfigError
        Where they cannot be read; it names the field.
    """
    import msgspec

    text = (metadata or {}).get(KEY)
    if text is None:
        raise foreign(path, "it says nothing of which windows it holds")
    found: T | None = None
    try:
        with contextlib.suppress(msgspec.ValidationError):  # a newer version may have other fields
            found = msgspec.json.decode(text, type=kind)
        version = (found or msgspec.json.decode(text, type=_Version)).schema
        if version in {1, SCHEMA}:
            return found or msgspec.json.decode(text, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise foreign(path, f"what it says of itself cannot be read ({error})") from None
    raise foreign(path, f"it is of version {version}, written by a newer dentframe")


def load(path: Path, about: About, columns: Sequence[str]) -> tuple[Record, ...]:
    """The records of a file that has these columns."""
    here, found = set(columns), []
    for place, answer in enumerate(about.records):
        try:
            found.append(_record(answer, about))
        except (LookupError, ValueError, DentError) as error:
            raise foreign(path, f"its metadata `records[{place}]` is wrong: {error}") from None
        lost = sorted(set(found[-1].columns) - here)
        if lost:
            raise foreign(path, f"it has no column {lost[0]!r}, which `records[{place}]` names")
    return tuple(found)


def _record(answer: AnswerRecord[str, int], about: About) -> Record:
    window = _window(answer.window)
    if window.year != about.year:
        raise ValueError(f"`window` {window} is not of {about.year}")
    for name, at in (("read_at", answer.read_at), ("same_since", answer.same_since)):
        if at is not None and at.tzinfo is None:
            raise ValueError(f"`{name}` {at} has no time zone")
    if not 0 <= answer.columns < len(about.column_sets):
        raise ValueError(f"there are no columns `column_sets[{answer.columns}]`")
    if any(minute not in window.minutes for minute in answer.lacks):
        raise ValueError(f"`lacks` has a minute outside {window}")
    changed = {"window": window, "columns": about.column_sets[answer.columns]}
    return AnswerRecord(**(vars(answer) | changed))


_window = lru_cache(maxsize=4096)(Window.parse)


def reading_columns(path: Path, schema: Any) -> tuple[str, ...]:
    """The columns of readings; refuses a schema that is not the archive's."""
    names: list[str] = schema.names
    if names[:1] != [TIME]:
        raise foreign(path, f"its first column is {names[0] if names else 'none'!r}, not {TIME!r}")
    for name, kind in zip(names, map(str, schema.types), strict=True):
        wanted = "timestamp[us, tz=UTC]" if name == TIME else "double"
        if kind != wanted:
            raise foreign(path, f"its column {name!r} is of {kind}, not {wanted}")
    if len(set(names)) < len(names):
        repeated = next(name for name in names if names.count(name) > 1)
        raise foreign(path, f"it has two columns {repeated!r}")
    return tuple(names[1:])


def check_size(path: Path, metadata: Any, about: About) -> None:
    """Refuse more rows than minutes, and what unpacks to more than any year has, unread."""
    months = about.months
    if list(months) != sorted({m for m in months if 1 <= m <= 12}):
        raise foreign(path, f"its metadata `months` is {months!r}, no months in their order")
    if len(months) != metadata.num_row_groups:
        raise foreign(path, f"it has {metadata.num_row_groups} row groups, `months` {len(months)}")
    groups = [metadata.row_group(i) for i in range(len(months))]
    for month, group in zip(months, groups, strict=True):
        most = monthrange(about.year, month)[1] * 24 * 60
        if group.num_rows > most:
            raise foreign(path, f"it has {group.num_rows} rows for the {most} minutes of a month")
    unpacked_size = sum(group.total_byte_size for group in groups)
    size = max(8 * metadata.num_rows * metadata.num_columns, unpacked_size)
    if size > _LARGEST:
        raise foreign(path, f"it unpacks to {size / 1e9:.1f} GB, more than any meter's year has")


# --- how large pages are ------------------------------------------------------------------

_SKIPPED = {1: 0, 2: 0, 3: 1, 7: 8}
"""What a true, a false, a byte and a double take in a header: they are passed over [B]."""
_INTS, _BINARY, _STRUCT = (4, 5, 6), 8, 12
_DEEPEST = 8


def unpacked(data: memoryview) -> int:
    """What the pages of one column of one row group say that they unpack to [B].

    Raises
    ------
    ValueError
        Where these bytes are no pages one after the other.
    """
    at = total = 0
    try:
        while at < len(data):
            sizes, at = _struct(data, at)
            large, small = sizes[2], sizes[3]
            if large < 0 or small < 0 or at + small > len(data):
                raise ValueError(f"a page says that it has {small} bytes and unpacks to {large}")
            total, at = total + large, at + small
    except (IndexError, KeyError):
        raise ValueError("the header of a page is cut off or no header") from None
    return total


def _struct(data: memoryview, at: int, depth: int = 0) -> tuple[dict[int, int], int]:
    """The whole numbers of a struct by their field, and where it ends."""
    found: dict[int, int] = {}
    number = 0
    while data[at]:
        delta, kind = divmod(data[at], 16)
        at += 1
        if delta:
            number += delta
        else:
            number, at = _value(data, at, _INTS[0], depth)
        value, at = _value(data, at, kind, depth)
        if kind in _INTS:
            found[number] = value
    return found, at + 1


def _value(data: memoryview, at: int, kind: int, depth: int) -> tuple[int, int]:
    """A whole number, 0 for a value of another kind, and where it ends."""
    if kind in _SKIPPED:
        return 0, at + _SKIPPED[kind]
    if kind == _STRUCT and depth < _DEEPEST:
        return 0, _struct(data, at, depth + 1)[1]
    if kind != _BINARY and kind not in _INTS:
        raise ValueError(f"the header of a page has a value of kind {kind}")
    number = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        number, at = number | (byte & 127) << shift, at + 1
        if byte < 128:  # its last byte; signed numbers are in zigzag
            return (0, at + number) if kind == _BINARY else ((number >> 1) ^ -(number & 1), at)
    raise ValueError("the header of a page has a number of more than ten bytes")
