"""Records say of each answer in a file what was asked, when, and what came; here they are checked.

They are JSON in the metadata of a Parquet file. What cannot be read, or cannot be, is an error that
names the file and the field.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from dentframe.archive.files import foreign
from dentframe.cloud.answers import topic_of
from dentframe.cloud.planner import Window
from dentframe.errors import DentError
from dentframe.wire.page import Report

T = TypeVar("T")

SCHEMA = 2
"""Files of version 1 have no checksums; they are read, and written anew by the next sync."""


@dataclass(frozen=True)
class Record:
    """One answer, without its readings.

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

    window: Window
    topics: tuple[str, ...]
    read_at: datetime
    until: float | None
    complete: bool
    columns: tuple[str, ...]
    report: Report
    lacks: tuple[int, ...] = ()
    fingerprint: str = ""
    same_since: datetime | None = None

    @property
    def name(self) -> tuple[datetime, Window, tuple[str, ...]]:
        """What tells answers apart, and their order: the later read one is right."""
        return self.read_at, self.window, self.topics

    @property
    def unasked(self) -> frozenset[str]:
        """Topics of columns that came without being asked for."""
        return _unasked(self.columns, self.topics)

    def fresh(self, now: datetime) -> bool:
        """Whether it need not be asked again."""
        return self.until is None or now.timestamp() < self.until


@lru_cache(maxsize=1024)
def _unasked(columns: tuple[str, ...], topics: tuple[str, ...]) -> frozenset[str]:
    return frozenset(map(topic_of, columns)) - set(topics)


@dataclass(frozen=True)
class _Version:
    schema: int


@dataclass(frozen=True)
class _Answer:
    """A record as it stands in a file: the columns that answers share are written once."""

    window: str
    topics: tuple[str, ...]
    read_at: datetime
    until: float | None
    complete: bool
    columns: int
    report: Report
    lacks: tuple[int, ...]
    fingerprint: str = ""
    same_since: datetime | None = None


@dataclass(frozen=True)
class About(_Version):
    """What the metadata of a meter's file say."""

    meter: str
    year: int
    months: tuple[int, ...]
    units: dict[str, str]
    column_sets: tuple[tuple[str, ...], ...]
    records: tuple[_Answer, ...]


@dataclass(frozen=True)
class _Topics(_Version):
    topics: list[dict[str, str]] | None = None


def dump(records: Iterable[Record]) -> dict[str, Any]:
    """Records as values for JSON; columns that records share are written once."""
    sets: dict[tuple[str, ...], int] = {}
    empty = asdict(Report.zero())
    found = [
        _values(r)
        | {
            "window": str(r.window),
            "read_at": r.read_at.astimezone(UTC),
            "columns": sets.setdefault(r.columns, len(sets)),
            "report": {k: v for k, v in asdict(r.report).items() if v != empty[k]},
        }
        for r in records
    ]
    return {"column_sets": list(sets), "records": found}


def read_metadata(path: Path, text: bytes, kind: type[T]) -> T:
    """The metadata of a file as values of this kind.

    Raises
    ------
    ConfigError
        Where they cannot be read; it names the field.
    """
    import msgspec

    try:
        version = msgspec.json.decode(text, type=_Version).schema
        if version in {1, SCHEMA}:
            return msgspec.json.decode(text, type=kind)
    except (ValueError, RecursionError) as error:  # msgspec's own errors are ValueErrors
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


def _record(answer: _Answer, about: About) -> Record:
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
    return Record(**(_values(answer) | changed))


def _values(of: Record | _Answer) -> dict[str, Any]:
    return {f.name: getattr(of, f.name) for f in fields(of)}


_window = lru_cache(maxsize=4096)(Window.parse)


def said_topics(path: Path, text: bytes) -> list[dict[str, str]] | None:
    """What getTopics said, from the metadata of a file, or a file of version 1."""
    return read_metadata(path, text, _Topics).topics
