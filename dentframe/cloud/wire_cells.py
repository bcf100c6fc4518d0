"""One cell, one date, one row at a time: what a text of the wire means. Pure.

This is the reference of decoding; the fast way must give the same.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from dentframe.cloud.wire_report import Report, Unreadable, samples, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy.typing as npt

    Rows = Sequence[Mapping[str, Any]]

TIME_KEYS = ("date", "time")

_DATE = re.compile(r"\s*([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})\s*")
_TIME = re.compile(r"\s*([0-9]{1,2}):([0-9]{1,2})(?::([0-9]{1,2})(?:\.[0-9]+)?)?\s*")
_PLAIN = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_LEARNED = 64


@dataclass(frozen=True, slots=True)
class Block:
    """Some consecutive rows of an answer, decoded; `values` has shape (rows, columns)."""

    columns: tuple[str, ...]
    minutes: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]
    report: Report
    texts: frozenset[str] = frozenset()


def number(text: str) -> float:
    """Read a text as ``float()`` does, but only finite numbers in plain ASCII digits.

    Returns
    -------
    float
        NaN where the text is no such number: blank, ``1_0``, ``nan``, ``inf``, ``1e999``.
    """
    bare = text.strip()
    if "_" in bare or not bare.isascii():
        return math.nan
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


@lru_cache(maxsize=4096)
def _day(text: str) -> int | None:
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    try:
        return (date(*map(int, found.groups())).toordinal() - _EPOCH_DAY) * 1440
    except ValueError:
        return None


@lru_cache(maxsize=4096)
def _clock(text: str) -> int | None:
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    hour, minute, second = (int(part or 0) for part in found.groups())
    return hour * 60 + minute if hour < 24 and minute < 60 and second < 60 else None


def minute_of(day: object, clock: object) -> int | None:
    """Read a date and a time, UTC.

    Returns
    -------
    int or None
        Minutes since 1970-01-01T00:00Z [min], seconds dropped; None where there is no
        such date or time.
    """
    if type(day) is not str or type(clock) is not str:
        return None
    days, minutes = _day(day), _clock(clock)
    return None if days is None or minutes is None else days + minutes


@dataclass(frozen=True, slots=True)
class Kept:
    """Which rows to keep: their positions and minutes, and the report of the others."""

    at: list[int]
    minutes: npt.NDArray[np.int64]
    report: Report


def keep_rows(dates: Iterable[tuple[object, object]], span: range | None) -> Kept:
    """Choose the rows that have a date and time within `span` [min since 1970]."""
    at: list[int] = []
    minutes: list[int] = []
    bad: list[str] = []
    outside = 0
    for position, (day, clock) in enumerate(dates):
        minute = minute_of(day, clock)
        if minute is None:
            bad.append(shown(f"{as_text(day)} {as_text(clock)}"))
        elif span is not None and minute not in span:
            outside += 1
        else:
            at.append(position)
            minutes.append(minute)
    report = Report(
        rows=len(at), bad_dates=len(bad), bad_date_samples=samples(bad), outside=outside
    )
    return Kept(at, np.array(minutes, dtype=np.int64), report)


def as_text(value: object) -> str:
    """Show a JSON value as a text; a missing or null one is empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def read_rows(rows: Rows, headers: tuple[str, ...], span: range | None) -> Block:
    """Decode rows value by value.

    Parameters
    ----------
    rows : sequence of mapping
        Rows of parsed JSON, numbers as `Number`.
    headers : tuple of str
        The columns that every row should have.
    span : range or None
        The minutes to keep, since 1970-01-01T00:00Z [min].

    Returns
    -------
    Block
        With a column more for each key that `headers` lacks.
    """
    kept = keep_rows(((row.get("date"), row.get("time")) for row in rows), span)
    chosen = [rows[position] for position in kept.at]
    strays = dict.fromkeys(key for row in chosen for key in row)
    columns = tuple(dict.fromkeys((*headers, *(k for k in strays if k not in TIME_KEYS))))
    values = np.full((len(chosen), len(columns)), math.nan)
    tally = Tally(headers)
    for position, row in enumerate(chosen):
        values[position] = [tally.read(column, row) for column in columns]
    return Block(columns, kept.minutes, values, kept.report + tally.report(), _odd_texts(chosen))


def _odd_texts(rows: Rows) -> frozenset[str]:
    texts: set[str] = set()
    for row in rows:
        cells = (value for key, value in row.items() if key not in TIME_KEYS)
        texts.update(v for v in cells if type(v) is str and not _PLAIN.fullmatch(v))
        if len(texts) > _LEARNED:
            return frozenset()
    return frozenset(texts)


class Tally:
    """Reads cells and counts what they were."""

    def __init__(self, headers: tuple[str, ...]) -> None:
        self.width = len(headers)
        self._headers = frozenset(headers)
        self._absent: Counter[str] = Counter()
        self._blank: Counter[str] = Counter()
        self._unexpected: Counter[str] = Counter()
        self._unreadable: dict[str, Counter[str]] = {}

    def read(self, column: str, row: Mapping[str, Any]) -> float:
        """Read the cell of a column."""
        if column not in row:
            self.absent(column)
            return math.nan
        self.present(column)
        value = row[column]
        result = number(value) if isinstance(value, str) else math.nan
        if math.isnan(result):
            self.text(column, value)
        return result

    def present(self, column: str, count: int = 1) -> None:
        """Count cells that are there; only those of a column that the headers lack matter."""
        if count and column not in self._headers:
            self._unexpected[column] += count

    def absent(self, column: str, count: int = 1) -> None:
        """Count missing keys; a key that the headers lack cannot be missing."""
        if column in self._headers:
            self._absent[column] += count

    def text(self, column: str, value: object, count: int = 1) -> None:
        """Count cells that hold no finite number."""
        text = as_text(value)
        if text.strip():
            self._unreadable.setdefault(column, Counter())[shown(text)] += count
        else:
            self._blank[column] += count

    def report(self) -> Report:
        """Return what was counted."""
        unreadable: dict[str, Unreadable] = {
            column: (texts.total(), samples(texts)) for column, texts in self._unreadable.items()
        }
        return Report(
            absent=dict(self._absent),
            blank=dict(self._blank),
            unreadable=unreadable,
            unexpected=dict(self._unexpected),
        )
