"""What a source of meter data must offer, and what all sources share (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from dentframe.topics import TOPICS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    Row = dict[str, Any]

STAMP = ("date", "time")
"""The two columns that every answer starts with."""


@runtime_checkable
class Source(Protocol):
    """Where the emulator takes its answers from; write your own with these three methods.

    Give it a true attribute ``live`` if it must not be asked for the future.
    """

    def meters(self) -> list[str]:
        """Names of the meters, in the order of getMeters."""
        ...

    def topics(self) -> list[dict[str, str]]:
        """Rows of getTopics: ``unit``, ``requestKey`` and ``description``."""
        ...

    def rows(
        self, meter: str, start: datetime, end: datetime, topics: Sequence[str]
    ) -> tuple[list[str], list[Row]]:
        """Headers and rows of a meter in ``[start, end)``, both empty if there are none.

        ``topics`` are request keys; ``start`` and ``end`` are in UTC.
        """
        ...


def catalogue() -> list[dict[str, str]]:
    """The topics that the API's document lists, in its order."""
    return [
        {"unit": t.unit, "requestKey": t.key, "description": t.description}
        for t in TOPICS.values()
        if t.served
    ]


def topic_of(column: str) -> str:
    """The topic of a column: ``"A/Ch/A1"`` is of ``"A"``."""
    return column.partition("/")[0]


def select(
    headers: Sequence[str],
    rows: Iterable[Row],
    start: datetime,
    end: datetime,
    topics: Sequence[str],
) -> tuple[list[str], list[Row]]:
    """Rows in ``[start, end)`` with the columns of some topics, in the order they came."""
    kept = [h for h in headers if h in STAMP or topic_of(h) in topics]
    lo, hi = f"{start:%Y-%m-%d %H:%M}", f"{end:%Y-%m-%d %H:%M}"
    inside = [_pick(r, kept) for r in rows if lo <= f"{r['date']} {r['time']}" < hi]
    if not inside or len(kept) <= len(STAMP):
        return [], []
    return kept, inside


def _pick(row: Row, columns: Sequence[str]) -> Row:
    return {c: row[c] for c in columns if c in row}
