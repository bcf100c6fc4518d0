"""What an archive knows of an answer it keeps: its window, topics, age and report. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from dentframe.cloud.policy import topic_of
from dentframe.cloud.window import Window
from dentframe.cloud.wire_report import Report

SCHEMA = 1
_REPORTED = frozenset(f.name for f in fields(Report))


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
    """

    window: Window
    topics: tuple[str, ...]
    read_at: datetime
    until: float | None
    complete: bool
    columns: tuple[str, ...]
    report: Report
    lacks: tuple[int, ...] = ()

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


def dump(records: Iterable[Record]) -> dict[str, Any]:
    """Records as JSON-safe values; columns that records share are written once."""
    sets: dict[tuple[str, ...], int] = {}
    found = [_dump_one(r, sets.setdefault(r.columns, len(sets))) for r in records]
    return {"column_sets": [list(c) for c in sets], "records": found}


def _dump_one(record: Record, columns: int) -> dict[str, Any]:
    empty = asdict(Report.zero())
    met = {k: v for k, v in asdict(record.report).items() if v != empty[k]}
    return {
        "window": str(record.window),
        "topics": list(record.topics),
        "read_at": record.read_at.astimezone(UTC).isoformat(),
        "until": record.until,
        "complete": record.complete,
        "columns": columns,
        "report": met,
        "lacks": list(record.lacks),
    }


def load(data: dict[str, Any]) -> tuple[Record, ...]:
    """Records from what `dump` made."""
    sets = [tuple(map(str, columns)) for columns in data["column_sets"]]
    return tuple(_load_one(found, sets) for found in data["records"])


def _load_one(found: dict[str, Any], sets: Sequence[tuple[str, ...]]) -> Record:
    return Record(
        window=_window(found["window"]),
        topics=tuple(found["topics"]),
        read_at=datetime.fromisoformat(found["read_at"]),
        until=found["until"],
        complete=bool(found["complete"]),
        columns=sets[found["columns"]],
        report=_load_report(found["report"]),
        lacks=tuple(found["lacks"]),
    )


_window = lru_cache(maxsize=4096)(Window.parse)


def _load_report(met: dict[str, Any]) -> Report:
    found = {k: v for k, v in met.items() if k in _REPORTED}
    if "unreadable" in found:
        found["unreadable"] = {c: (n, tuple(s)) for c, (n, s) in found["unreadable"].items()}
    if "bad_date_samples" in found:
        found["bad_date_samples"] = tuple(found["bad_date_samples"])
    return Report(**found)
