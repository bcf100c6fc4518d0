"""Rows → float64 through a msgspec struct, slice by slice, with the result of the slow way.

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
from enum import Enum
from functools import lru_cache
from itertools import chain
from types import GenericAlias
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dentframe.cloud.wire_cells import TIME_KEYS, Block, Tally, keep_rows, number, read_rows
from dentframe.cloud.wire_json import load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Rows = list[tuple[Any, ...]]
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


def _decode(piece: bytes, columns: tuple[str, ...], tokens: tuple[str, ...]) -> Rows:
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


def _count(tally: Tally, columns: tuple[str, ...], cells: Rows, odd: _Odd, piece: bytes) -> None:
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
