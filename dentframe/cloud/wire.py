"""Wire decoding: bytes of an answer → float64 columns, UTC minutes and a report. Pure.

An answer that has the documented shape is decoded fast (:mod:`dentframe.cloud.wire_fast`);
any other valid one value by value (:mod:`dentframe.cloud.wire_cells`), with the same result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dentframe.cloud.wire_cells import TIME_KEYS, Block, read_rows
from dentframe.cloud.wire_fast import MisfitError, SliceReader, cut, open_envelope
from dentframe.cloud.wire_json import load_answer, not_decoded, strings
from dentframe.cloud.wire_report import Page, Report

if TYPE_CHECKING:
    import numpy.typing as npt

    from dentframe.cloud.windows import Window

__all__ = ["Page", "Report", "decode", "decode_meters", "decode_slow", "decode_topics"]

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
