"""Wire decoding: bytes of an answer → float64 columns, UTC minutes and a report. Pure.

An answer that has the documented shape is decoded fast (:mod:`dentframe.wire.decode`);
any other valid one value by value (:mod:`dentframe.wire.decode`), with the same result.

One cell, one date, one row at a time: what a text of the wire means. Pure.

This is the reference of decoding; the fast way must give the same.

Rows → float64 through a msgspec struct, slice by slice, with the result of the slow way.

Why slicing is sound: an answer is ``head , "topics" : [ S1 , S2 … ] }``. If ``head }`` and every
``[ Si ]`` are valid JSON, so is the whole, and as JSON has one parse only, its rows are the rows
of the slices, one after the other. A cut inside a string, or a head that is none, leaves some
piece invalid, and then the whole is parsed at once. Nothing is repeated or lost, as the
slices and the commas between them are the whole of the text.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from datetime import date
from enum import Enum
from functools import lru_cache
from itertools import chain
from types import GenericAlias
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dentframe.wire.page import (
    Page,
    Report,
    Unreadable,
    load,
    load_answer,
    not_decoded,
    samples,
    shown,
    strings,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import numpy.typing as npt

    from dentframe.cloud.planner import Window


if TYPE_CHECKING:
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


if TYPE_CHECKING:
    Tuples = list[tuple[Any, ...]]
    _Odd = list[list[int]]  # (row, column) of the cells that are no finite number

_BOM = b"\xef\xbb\xbf"
_BLANK = frozenset(b" \t\r\n")
_HEAD_END = re.compile(rb'\][ \t\r\n]*,[ \t\r\n]*"topics"[ \t\r\n]*:[ \t\r\n]*\[')
_CUT = re.compile(rb"\}[ \t\r\n]*,[ \t\r\n]*\{")
_NEGATIVE_ZERO = re.compile(rb"-0+(?![0-9.eE])")
_NAN_TEXT = re.compile(rb'"([+-]?(?:nan|inf|infinity))"', re.IGNORECASE)
_SEED = ("", "-", "N/A")
_TOKENS = 64


class MisfitError(Exception):
    """The bytes do not have the shape that the fast way takes."""


class Envelope(NamedTuple):
    """The headers of an answer, and where its rows are."""

    headers: tuple[str, ...]
    start: int
    stop: int


def open_envelope(body: bytes) -> Envelope:
    """Find the headers and the rows of an answer that is shaped as the document has it.

    Raises
    ------
    MisfitError
        If it is shaped otherwise, even if it is valid.
    """
    import msgspec

    begin = len(_BOM) if body.startswith(_BOM) else 0
    head_end = _HEAD_END.search(body, begin)
    stop = _before(body, _before(body, len(body), b"}"), b"]")
    if head_end is None or stop < head_end.end():
        raise MisfitError
    try:
        head = _head_decoder().decode(body[begin : head_end.start()] + b"]}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise MisfitError from None
    return Envelope(tuple(head.headers), head_end.end(), stop)


def _before(body: bytes, stop: int, mark: bytes) -> int:
    while stop > 0 and body[stop - 1] in _BLANK:
        stop -= 1
    if stop <= 0 or body[stop - 1 : stop] != mark:
        raise MisfitError
    return stop - 1


@lru_cache(maxsize=1)
def _head_decoder() -> Any:
    import msgspec

    head = msgspec.defstruct(
        "Head", [("headers", list[str]), ("success", bool, True)], forbid_unknown_fields=True
    )
    return msgspec.json.Decoder(head)


def cut(body: bytes, start: int, stop: int, size: int) -> Iterator[bytes]:
    """Cut the text of rows into JSON arrays of about `size` bytes each."""
    while start < stop:
        found = _CUT.search(body, start + size, stop)
        end, resume = (stop, stop) if found is None else (found.start() + 1, found.end() - 1)
        yield b"[" + body[start:end] + b"]"
        start = resume


@dataclass
class SliceReader:
    """Reads slice after slice; it learns from each the columns and texts that were unforeseen."""

    headers: tuple[str, ...]
    span: range | None
    columns: tuple[str, ...] = ()
    tokens: tuple[str, ...] = _SEED

    def __post_init__(self) -> None:
        self.columns = self.headers

    def read(self, piece: bytes) -> Block:
        """Decode one slice, the fast way where it fits.

        Raises
        ------
        MisfitError
            If the slice is not valid JSON by itself, or not a list of objects.
        """
        try:
            return self._read_fast(piece)
        except MisfitError:
            return self._read_slowly(piece)

    def _read_fast(self, piece: bytes) -> Block:
        rows = _decode(piece, self.columns, self.tokens)
        width = len(self.columns)
        kept = keep_rows([row[width:] for row in rows], self.span)
        cells = [rows[position][:width] for position in kept.at]
        values = np.fromiter(chain.from_iterable(cells), np.float64, len(cells) * width)
        values = values.reshape(len(cells), width)
        odd = ~np.isfinite(values)
        values[odd] = math.nan
        tally = Tally(self.headers)
        _count(tally, self.columns, cells, np.argwhere(odd).tolist(), piece)
        return Block(self.columns, kept.minutes, values, kept.report + tally.report())

    def _read_slowly(self, piece: bytes) -> Block:
        try:
            rows = load(piece)
        except (ValueError, RecursionError):
            raise MisfitError from None
        if not all(isinstance(row, dict) for row in rows):
            raise MisfitError
        block = read_rows(rows, self.headers, self.span)
        self.columns = tuple(dict.fromkeys((*self.columns, *block.columns)))
        tokens = tuple(dict.fromkeys((*self.tokens, *sorted(block.texts))))
        self.tokens = tokens if len(tokens) <= _TOKENS else self.tokens
        return block


class _Absent:
    """The default of a field whose key is missing: NaN, and unlike anything a cell can be."""

    def __float__(self) -> float:
        return math.nan


class _Text(Enum):
    """A text that msgspec does not read as a float; it knows its own value."""

    __hash__ = object.__hash__

    @property
    def text(self) -> str:
        return str(self._value_)

    def __float__(self) -> float:
        return number(self.text)


_ABSENT = _Absent()


@lru_cache(maxsize=32)
def _decoder(columns: tuple[str, ...], tokens: tuple[str, ...]) -> Callable[[bytes], list[Any]]:
    import msgspec

    make: Any = _Text
    text = make("Text", {f"t{i}": token for i, token in enumerate(tokens)})
    names = {f"f{i}": column for i, column in enumerate(columns)}
    cells: list[Any] = [(name, float | text | None, _ABSENT) for name in names]
    try:
        row = msgspec.defstruct(
            "Row",
            [*cells, *((key, str, "") for key in TIME_KEYS)],
            rename=names,
            forbid_unknown_fields=True,
            gc=False,
        )
    except ValueError:  # a column whose name has quotes or control characters
        raise MisfitError from None
    decode: Callable[[bytes], list[Any]] = msgspec.json.Decoder(
        GenericAlias(list, (row,)), strict=False
    ).decode
    return decode


def _decode(piece: bytes, columns: tuple[str, ...], tokens: tuple[str, ...]) -> Tuples:
    import msgspec

    if _hides_negative_zero(piece):
        raise MisfitError
    try:
        rows = _decoder(columns, tokens)(piece)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise MisfitError from None
    return [msgspec.structs.astuple(row) for row in rows]


def _hides_negative_zero(piece: bytes) -> bool:
    # msgspec reads -0 as 0.0; escaped, it would hide from this look. One byte is found
    # ten times faster than two.
    escaped = b"\\" in piece and b"\\u" in piece
    return escaped or _NEGATIVE_ZERO.search(piece) is not None


def _count(tally: Tally, columns: tuple[str, ...], cells: Tuples, odd: _Odd, piece: bytes) -> None:
    spell = _Speller(piece)
    absent: Counter[int] = Counter()
    for (index, cell), n in Counter((i, cells[row][i]) for row, i in odd).items():
        if cell is _ABSENT:
            absent[index] += n
            tally.absent(columns[index], n)
        else:
            tally.text(columns[index], spell(cell), n)
    for index in range(tally.width, len(columns)):
        tally.present(columns[index], len(cells) - absent[index])


class _Speller:
    """Tells how the wire spelled a cell that is no finite number."""

    def __init__(self, piece: bytes) -> None:
        self._piece = piece
        self._known: dict[str, str] = {}

    def __call__(self, cell: _Text | float | None) -> str:
        if isinstance(cell, _Text):
            return cell.text
        kind = "null" if cell is None else "nan"
        if kind not in self._known:
            self._known[kind] = self._null() if cell is None else self._nan()
        return self._known[kind]

    def _null(self) -> str:
        # msgspec takes the text "null" for null.
        if b'"null"' in self._piece.lower():
            raise MisfitError
        return ""

    def _nan(self) -> str:
        spellings = {bytes(found) for found in _NAN_TEXT.findall(self._piece)}
        if len(spellings) != 1:  # only the slow way tells which is which
            raise MisfitError
        return spellings.pop().decode()


SLICE_BYTES = 262_144


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
    span = None if window is None else window.minutes
    try:
        columns, blocks = _read_fast(body, span, max(1, slice_bytes))
    except MisfitError:
        return decode_slow(body, window)
    return _page(body, window, columns, blocks)


def decode_slow(body: bytes, window: Window | None = None) -> Page:
    """Decode the answer to getData value by value: the reference for :func:`decode`.

    Parameters, result and errors are those of :func:`decode`.
    """
    answer = load_answer(body, "decode readings")
    headers = strings(answer.get("headers"))
    rows = answer.get("topics")
    if headers is None:
        raise not_decoded("decode readings", "its headers are no list of names", body)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise not_decoded("decode readings", "its topics are no list of rows", body)
    columns = _columns(headers)
    block = read_rows(rows, columns, None if window is None else window.minutes)
    return _page(body, window, columns, [block])


def _read_fast(body: bytes, span: range | None, size: int) -> tuple[tuple[str, ...], list[Block]]:
    envelope = open_envelope(body)
    columns = _columns(envelope.headers)
    reader = SliceReader(columns, span)
    pieces = cut(body, envelope.start, envelope.stop, size)
    return columns, [reader.read(piece) for piece in pieces]


def _columns(headers: tuple[str, ...] | list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in headers if name not in TIME_KEYS))


def _page(
    body: bytes, window: Window | None, headers: tuple[str, ...], blocks: list[Block]
) -> Page:
    columns = _all_columns(headers, blocks)
    if not all(_is_unicode(column) for column in columns):
        raise not_decoded("decode readings", "a column's name is not valid Unicode", body)
    report = sum((block.report for block in blocks), Report.zero())
    minutes = np.concatenate([np.empty(0, np.int64), *(block.minutes for block in blocks)])
    values = np.full((len(minutes), len(columns)), np.nan, order="F")
    first = 0
    for block in blocks:
        stop = first + len(block.minutes)
        _fill(values[first:stop], columns, block)
        first = stop
    return Page(window, columns, minutes, values, report + _order_report(minutes))


def _all_columns(headers: tuple[str, ...], blocks: list[Block]) -> tuple[str, ...]:
    found = dict.fromkeys(block.columns for block in blocks)
    return tuple(dict.fromkeys((*headers, *(name for names in found for name in names))))


def _is_unicode(name: str) -> bool:
    # JSON can escape half a surrogate pair, which no file or terminal can hold.
    return not any("\ud800" <= character <= "\udfff" for character in name)


def _fill(out: npt.NDArray[np.float64], columns: tuple[str, ...], block: Block) -> None:
    width = len(block.columns)
    if block.columns == columns[:width]:
        out[:, :width] = block.values
    else:
        out[:, [columns.index(column) for column in block.columns]] = block.values


def _order_report(minutes: npt.NDArray[np.int64]) -> Report:
    return Report(
        unsorted=bool((np.diff(minutes) < 0).any()),
        duplicates=len(minutes) - len(np.unique(minutes)),
    )


def decode_meters(body: bytes) -> list[str]:
    """Decode the answer to getMeters.

    Returns
    -------
    list of str
        The meters, each once, in the order of the answer.

    Raises
    ------
    RequestError
        If the service says ``"success": false``.
    DecodeError
        If the answer is not what the API describes.
    """
    meters = strings(load_answer(body, "decode the meters").get("meters"))
    if meters is None:
        raise not_decoded("decode the meters", "its meters are no list of names", body)
    return list(dict.fromkeys(meters))


def decode_topics(body: bytes) -> list[dict[str, str]]:
    """Decode the answer to getTopics.

    Returns
    -------
    list of dict
        With ``unit``, ``requestKey`` and ``description``; a missing unit or description is empty.

    Raises
    ------
    RequestError
        If the service says ``"success": false``.
    DecodeError
        If the answer is not what the API describes.
    """
    topics = load_answer(body, "decode the topics").get("topics")
    if not isinstance(topics, list) or not all(_is_topic(topic) for topic in topics):
        raise not_decoded("decode the topics", "its topics are no list of request keys", body)
    return [_topic(topic) for topic in topics]


def _is_topic(topic: Any) -> bool:
    return isinstance(topic, dict) and type(topic.get("requestKey")) is str


def _topic(topic: dict[str, Any]) -> dict[str, str]:
    texts = {key: topic.get(key) for key in ("unit", "requestKey", "description")}
    return {key: text if isinstance(text, str) else "" for key, text in texts.items()}
