"""The decoder makes a page of columns, minutes and a report from the bytes of an answer.

The rows of an answer are read slice by slice through a msgspec struct, and a slice that does
not fit one is read value by value; both give rows of cells, which one function validates and
counts. An answer of another shape that is valid all the same is one such slice.

Why slicing is sound: an answer is ``head , "topics" : [ S1 , S2 … ] }``. If ``head }`` and every
``[ Si ]`` are valid JSON, so is the whole, and as JSON has one parse only, its rows are the rows
of the slices, one after the other. A cut inside a string, or a head that is none, leaves some
piece invalid, and then the whole is parsed at once. Nothing is repeated or lost, as the
slices and the commas between them are the whole of the text.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections import Counter
from dataclasses import dataclass, replace
from datetime import date
from enum import Enum
from functools import lru_cache
from itertools import chain
from types import GenericAlias
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
import numpy as np

from dentframe.wire.pages_and_bad_cells import (
    BOM,
    Page,
    Report,
    is_name,
    load,
    load_answer,
    not_decoded,
    room,
    samples,
    shown,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from dentframe.cloud.planner import Window

Cells: TypeAlias = "tuple[Any, ...]"
TIME_KEYS = ("date", "time")
SLICE_BYTES = 262_144
MOST_COLUMNS = 1_024
MOST_ROWS = 1 << 17
MOST_CELLS = 1 << 24
MOST_AT_ONCE = 1 << 25
"""No answer is decoded beyond these: a month of minutes has 44,640 rows, a meter 400 columns.
What does not fit a struct is parsed at once, up to three times the longest month [B]."""
_PLAIN = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_HEAD_END = re.compile(rb'\][ \t\r\n]*,[ \t\r\n]*"topics"[ \t\r\n]*:[ \t\r\n]*\[')
_TAIL = re.compile(rb"\][ \t\r\n]*\}[ \t\r\n]*\Z")
_CUT = re.compile(rb"\}[ \t\r\n]*,[ \t\r\n]*\{")
_NEGATIVE_ZERO = re.compile(rb"-0+(?![0-9.eE])")
_SEED = ("", "-", "N/A")


_DATE = re.compile(r"\s*([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})\s*")
_TIME = re.compile(r"\s*([01]?[0-9]|2[0-3]):([0-5]?[0-9])(?::[0-5]?[0-9](?:\.[0-9]+)?)?\s*")


def number(text: str) -> float:
    """Read a text as ``float()`` does, but only finite numbers in plain ASCII digits.

    Returns
    -------
    float
        NaN where the text is no such number: blank, ``1_0``, ``nan``, ``inf``, ``1e999``.
    """
    try:
        value = float(text)
    except ValueError:
        return math.nan
    plain = "_" not in text and text.strip().isascii()
    return value if plain and math.isfinite(value) else math.nan


@lru_cache(maxsize=4096)
def _day(text: str) -> int | None:
    found = _DATE.fullmatch(text)
    with contextlib.suppress(ValueError):  # a day that no calendar has
        return (date(*map(int, found.groups())) - date(1970, 1, 1)).days * 1440 if found else None
    return None


@lru_cache(maxsize=4096)
def _clock(text: str) -> int | None:
    found = _TIME.fullmatch(text)
    return int(found[1]) * 60 + int(found[2]) if found else None


def as_text(value: object) -> str:
    """Show a JSON value as a text; a missing or null one is empty."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


class MisfitError(ValueError):
    """The bytes do not have the shape that is read through a struct."""


def decode(body: bytes, window: Window | None = None, *, slice_bytes: int = SLICE_BYTES) -> Page:
    """Decode the answer to getData.

    Parameters
    ----------
    body : bytes
        The whole body of the answer.
    window : Window, optional
        The window that was asked for; rows outside it are dropped and counted.
    slice_bytes : int
        How much is decoded at a time [B]; the result does not depend on it.

    Returns
    -------
    Page
        Values are bit-identical to ``float()`` of the texts. Keys that the headers lack are
        kept as columns of their own, after those of the headers.

    Raises
    ------
    RequestError
        If the service says ``"success": false``.
    DecodeError
        If the answer is not what the API describes; asking again may help.
    """
    begin = len(BOM) if body.startswith(BOM) else 0
    head = _HEAD_END.search(body, begin)
    tail = _TAIL.search(body, max(0, len(body) - 64))
    if head is None or tail is None or tail.start() < head.end():
        return decode_slow(body, window)
    try:
        first = msgspec.json.decode(body[begin : head.start()] + b"]}", type=_Head)
        reader = SliceReader(first.headers, window)
        pieces = cut(body, head.end(), tail.start(), max(1, slice_bytes))
        return _page(body, window, reader.headers, map(reader.read, pieces))
    except (MisfitError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return decode_slow(body, window)


def decode_slow(body: bytes, window: Window | None = None) -> Page:
    """Decode the answer to getData value by value: the reference for :func:`decode`.

    Parameters, result and errors are those of :func:`decode`.
    """
    if len(body) > MOST_AT_ONCE:
        why = f"it is longer than {MOST_AT_ONCE / 1e6:.0f} MB and not laid out as documented"
        raise not_decoded("decode readings", why, body, retryable=False)
    answer = load_answer(body, "decode readings")
    names, rows = answer.get("headers"), answer.get("topics")
    if not isinstance(names, list) or not all(type(name) is str for name in names):
        raise not_decoded("decode readings", "its headers are no list of names", body)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise not_decoded("decode readings", "its topics are no list of rows", body)
    reader = SliceReader(names, window)
    # In parts, so that no answer is spread out beyond the limits.
    parts = (rows[first : first + 512] for first in range(0, len(rows), 512))
    return _page(body, window, reader.headers, map(reader.spread, parts))


def keep_rows(
    dates: Iterable[tuple[object, object]], span: range | None
) -> tuple[list[int], list[int], Report]:
    """Choose the rows that have a date and time, UTC, within `span` [min since 1970].

    Seconds are dropped.

    Returns
    -------
    tuple
        Their positions, their minutes, and the report of them and the others.
    """
    at, minutes, bad, outside = list[int](), list[int](), list[str](), 0
    for position, (date_text, time_text) in enumerate(dates):
        day = _day(date_text) if type(date_text) is str else None
        minute = _clock(time_text) if type(time_text) is str else None
        if day is None or minute is None:
            bad.append(shown(f"{as_text(date_text)} {as_text(time_text)}"))
        elif span is not None and day + minute not in span:
            outside += 1
        else:
            at.append(position)
            minutes.append(day + minute)
    report = Report(len(at), bad_dates=len(bad), bad_date_samples=samples(bad), outside=outside)
    return at, minutes, report


class SliceReader:
    """Reads slice after slice; it learns from each the columns and texts that were unforeseen."""

    def __init__(self, headers: Iterable[str], window: Window | None) -> None:
        self.headers = tuple(dict.fromkeys(name for name in headers if name not in TIME_KEYS))
        self.columns = self.headers
        self.span = None if window is None else window.minutes
        self.tokens = _SEED

    def read(self, piece: bytes) -> Page:
        """Decode one slice, through a struct where it fits one.

        Raises
        ------
        MisfitError
            If the slice is not valid JSON by itself, or not a list of objects.
        """
        rows: Any = None
        # Escaped, a -0 would hide from the look for one. One byte is found ten times faster.
        escaped = b"\\" in piece and b"\\u" in piece
        with contextlib.suppress(msgspec.DecodeError, ValueError, RecursionError):
            if not escaped:
                found = map(msgspec.structs.astuple, _decoder(self.columns, self.tokens)(piece))
                return self._block(self.columns, list(found), piece)
        with contextlib.suppress(ValueError, RecursionError):
            rows = load(piece) if len(piece) <= MOST_AT_ONCE else None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise MisfitError
        return self.spread(rows)

    def spread(self, rows: Sequence[Mapping[str, Any]]) -> Page:
        """Decode rows of parsed JSON value by value, a column more for each unforeseen key."""
        dates = [(row.get("date"), row.get("time")) for row in rows]
        kept = keep_rows(dates, self.span)[0]
        keys = (key for i in kept for key in rows[i] if key not in TIME_KEYS)
        columns = tuple(dict.fromkeys((*self.headers, *keys)))
        if len(columns) > MOST_COLUMNS:
            none = np.empty((0, len(columns)))
            return Page(None, columns, np.empty(0, np.int64), none, Report())
        spread = [
            (*(_Cell(as_text(row[c])) if c in row else _ABSENT for c in columns), *dates[i])
            for i, row in enumerate(rows)
        ]
        self.columns = tuple(dict.fromkeys((*self.columns, *columns)))
        cells: set[Any] = {cell for row in spread for cell in row[: len(columns)]} - {_ABSENT}
        texts = sorted(cell.value for cell in cells if not _PLAIN.fullmatch(cell.value))
        tokens = tuple(dict.fromkeys((*self.tokens, *filter(is_name, texts))))
        self.tokens = tokens if len(tokens) <= 64 else self.tokens
        return self._block(columns, spread)

    def _block(self, columns: tuple[str, ...], rows: list[Cells], piece: bytes = b"") -> Page:
        """Validate rows of cells, each with its date and time at its end, and count them."""
        width = len(columns)
        at, minutes, report = keep_rows([row[width:] for row in rows], self.span)
        cells = [rows[position][:width] for position in at]
        values = np.fromiter(chain.from_iterable(cells), np.float64, len(cells) * width)
        values = values.reshape(len(cells), width)
        not_finite = ~np.isfinite(values)
        values[not_finite] = math.nan
        found = Counter((i, cells[row][i]) for row, i in np.argwhere(not_finite).tolist())
        kinds = {type(cell) for _, cell in found}
        # msgspec takes the texts "nan" and "inf" for floats, "null" for null, and -0 for 0.0.
        null = type(None) in kinds and b'"null"' in piece.lower()
        if float in kinds or null or (not values.all() and _NEGATIVE_ZERO.search(piece)):
            raise MisfitError
        absent, blank, unreadable = Counter[str](), Counter[str](), dict[str, Counter[str]]()
        for (index, cell), count in found.items():
            column, text = columns[index], "" if cell is None else cell.value
            if cell is _ABSENT:
                absent[column] += count
            elif text.strip():
                unreadable.setdefault(column, Counter())[shown(text)] += count
            else:
                blank[column] += count
        more = columns[len(self.headers) :]
        report = replace(
            report,
            # A key that the headers lack cannot be missing.
            absent={column: n for column, n in absent.items() if column not in more},
            blank=dict(blank),
            unreadable={c: (texts.total(), samples(texts)) for c, texts in unreadable.items()},
            unexpected={c: len(cells) - absent[c] for c in more if len(cells) > absent[c]},
        )
        return Page(None, columns, np.array(minutes, dtype=np.int64), values, report)


@dataclass(frozen=True, slots=True)
class _Cell:
    """The text of a cell; it knows its own value, which is NaN where it is no finite number."""

    value: str | None

    def __float__(self) -> float:
        return math.nan if self.value is None else number(self.value)


class _Text(Enum):
    """A text that msgspec does not read as a float, as :class:`_Cell`."""

    __hash__ = object.__hash__

    def __float__(self) -> float:
        return number(self.value)


_ABSENT = _Cell(None)
"""The default of a field whose key is missing: unlike anything a cell can be."""


@lru_cache(maxsize=32)
def _decoder(columns: tuple[str, ...], tokens: tuple[str, ...]) -> Callable[[bytes], list[Any]]:
    make: Any = _Text
    text = make("Text", {f"t{i}": token for i, token in enumerate(tokens)})
    names = {f"f{i}": column for i, column in enumerate(columns)}
    fields: list[Any] = [(name, float | text | None, _ABSENT) for name in names]
    fields += [(key, str, "") for key in TIME_KEYS]
    # It raises a ValueError for a name with quotes or control characters.
    row = msgspec.defstruct("Row", fields, rename=names, forbid_unknown_fields=True, gc=False)
    return msgspec.json.Decoder(GenericAlias(list, (row,)), strict=False).decode


class _Head(msgspec.Struct, forbid_unknown_fields=True):
    """An answer without its rows."""

    headers: list[str]
    success: bool = True


def cut(body: bytes, start: int, stop: int, size: int) -> Iterator[bytes]:
    """Cut the text of rows into JSON arrays of about `size` bytes each."""
    while start < stop:
        found = _CUT.search(body, start + size, stop)
        end, resume = (stop, stop) if found is None else (found.start() + 1, found.end() - 1)
        yield b"[" + body[start:end] + b"]"
        start = resume


def _page(
    body: bytes, window: Window | None, headers: tuple[str, ...], blocks: Iterable[Page]
) -> Page:
    """Put each block in its place as it comes, so that no reading is held twice."""
    columns, reports, parts = headers, list[Report](), [np.empty(0, np.int64)]
    last = rows = 0
    most = min(body.count(b"{") - 1, MOST_ROWS)  # each row has one, and so has the answer
    values = room(min(most, MOST_CELLS // max(len(columns), 1)), len(columns))
    for block in blocks:
        reports.append(block.report)
        rows += block.report.rows + block.report.bad_dates + block.report.outside
        width = len({*columns, *block.columns})
        if width > MOST_COLUMNS or rows > MOST_ROWS or rows * width > MOST_CELLS:
            why = f"it has {rows} rows or more and {width} columns, far beyond any meter's"
            raise not_decoded("decode readings", why, body, retryable=False)
        if width > len(columns):
            columns, old = tuple(dict.fromkeys((*columns, *block.columns))), values
            values = room(min(most, MOST_CELLS // width), width)
            values[:last, : old.shape[1]], values[:last, old.shape[1] :] = old[:last], np.nan
        first, last = last, last + len(block.minutes)
        values[first:last, len(headers) :] = np.nan
        at = slice(None) if block.columns == columns else [*map(columns.index, block.columns)]
        values[first:last, at] = block.values
        parts.append(block.minutes)
    if not all(map(is_name, columns)):
        raise not_decoded("decode readings", "a column's name is not valid Unicode", body)
    minutes = np.concatenate(parts)
    doubled, unsorted = len(minutes) - len(np.unique(minutes)), bool((np.diff(minutes) < 0).any())
    report = Report.total((*reports, Report(unsorted=unsorted, duplicates=doubled)))
    return Page(window, columns, minutes, np.asfortranarray(values[:last]), report)
