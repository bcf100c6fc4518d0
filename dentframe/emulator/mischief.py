"""The table of faults: name to a function of an answer and its settings (pure)."""

from __future__ import annotations

import gzip
import json
import random
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from .answer import Answer, encode, message, refusal, rendered

if TYPE_CHECKING:
    from collections.abc import Callable

    from .faults import Fault

    Mischief = Callable[[Answer, Fault], Answer]
    Rows = list[dict[str, Any]]

_PAGE = b"<!DOCTYPE html><html><body><h1>Service unavailable</h1></body></html>"


def _retry_after(fault: Fault) -> dict[str, str]:
    return {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}


def _status(status: int, text: str, doc: str) -> Mischief:
    """A fault that is nothing but a status of the gateway."""

    def fault(_: Answer, settings: Fault) -> Answer:
        return replace(message(status, text), headers=_retry_after(settings))

    fault.__doc__ = doc
    return fault


def _sent(delivery: str, seconds: float, doc: str) -> Mischief:
    """A fault in how an honest answer is sent."""

    def fault(answer: Answer, settings: Fault) -> Answer:
        pause = seconds if settings.seconds is None else settings.seconds
        return replace(answer, delivery=delivery, seconds=pause)

    fault.__doc__ = doc
    return fault


def _said(body: bytes, doc: str, kind: str = "application/json") -> Mischief:
    """A fault that answers 200 with another body."""

    def fault(_: Answer, __: Fault) -> Answer:
        return Answer(200, body=body, headers={"Content-Type": kind})

    fault.__doc__ = doc
    return fault


def _redirect(_: Answer, fault: Fault) -> Answer:
    """302 to ``location``, another host by default."""
    return Answer(302, body=b"", headers={"Location": fault.location})


def _success_false(_: Answer, fault: Fault) -> Answer:
    """200 with ``{"success":false,"error":...}``."""
    return refusal(fault.value or "Internal error")


def _short(answer: Answer, _: Fault) -> Answer:
    """A body cut in half with a Content-Length that fits: JSON that does not end."""
    body = rendered(answer).body or b""
    return replace(answer, body=body[: len(body) // 2])


def _bad_gzip(answer: Answer, _: Fault) -> Answer:
    """A body that claims to be gzip and breaks off within."""
    packed = gzip.compress(rendered(answer).body or b"", 1, mtime=0)
    headers = {**answer.headers, "Content-Encoding": "gzip"}
    return replace(answer, body=packed[: len(packed) // 2] + b"\xff" * 8, headers=headers)


def _pretty(answer: Answer, _: Fault) -> Answer:
    """JSON with spaces and line breaks."""
    body = rendered(answer).body or b"null"
    return replace(answer, body=json.dumps(json.loads(body), indent=2).encode())


def _duplicate_keys(answer: Answer, _: Fault) -> Answer:
    """Rows that hold their first key twice; the last value counts."""
    body = encode(answer.payload)
    return replace(answer, body=body.replace(b'{"date":', b'{"date":"1999-01-01","date":'))


TABLE: dict[str, Mischief] = {
    "429": _status(429, "Too Many Requests", "429, as beyond the rate limit."),
    "quota": _status(429, "Limit Exceeded", "429 ``Limit Exceeded``: the plan's quota is used up."),
    "403": _status(403, "Forbidden", "403, as for a bad key."),
    "404": _status(404, "Not Found", "404."),
    "413": _status(413, "Request Entity Too Large", "413, as for an answer too large."),
    "500": _status(500, "Internal server error", "500."),
    "502": _status(502, "Internal server error", "502, as for an answer too large or a crash."),
    "503": _status(503, "Service Unavailable", "503."),
    "504": _status(504, "Endpoint request timed out", "504."),
    "redirect": _redirect,
    "reset": _sent("reset", 0, "The connection is reset before an answer."),
    "reset_body": _sent("reset_body", 0, "The connection is reset in the middle of the body."),
    "cut": _sent("cut", 0, "The connection closes before Content-Length bytes have come."),
    "slow_headers": _sent(
        "slow_headers", 1.0, "The answer begins after ``seconds`` (1 by default)."
    ),
    "drip": _sent(
        "drip", 0.05, "The body comes byte by byte, ``seconds`` apart (0.05 by default)."
    ),
    "short": _short,
    "bad_gzip": _bad_gzip,
    "empty": _said(b"", "200 without a body."),
    "null": _said(b"null", "200 with the body ``null``."),
    "html": _said(_PAGE, "200 with a page of HTML.", "text/html"),
    "success_false": _success_false,
}
"""Faults of the whole answer, for every request."""


def _on_rows(change: Callable[[list[str], Rows, Fault], tuple[list[str], Rows]]) -> Mischief:
    """A fault of headers and rows, given copies of them that it may change."""

    def fault(answer: Answer, settings: Fault) -> Answer:
        rows = [dict(row) for row in answer.payload["topics"]]
        headers, rows = change(list(answer.payload["headers"]), rows, settings)
        return replace(answer, payload={"headers": headers, "topics": rows})

    fault.__doc__ = change.__doc__
    return fault


def _cell(text: Any, doc: str) -> Mischief:
    """A fault of one cell, in the middle row: ``column``, or the first one."""

    def change(headers: list[str], rows: Rows, fault: Fault) -> tuple[list[str], Rows]:
        column = fault.column or headers[2]
        rows[len(rows) // 2][column] = text if fault.value is None else fault.value
        return headers, rows

    change.__doc__ = doc
    return _on_rows(change)


def _missing_keys(headers: list[str], rows: Rows, fault: Fault) -> tuple[list[str], Rows]:
    """Every third row lacks a column, ``column`` or the first one."""
    for row in rows[::3]:
        row.pop(fault.column or headers[2], None)
    return headers, rows


def _extra_keys(headers: list[str], rows: Rows, _: Fault) -> tuple[list[str], Rows]:
    """Rows hold a key that the headers do not list."""
    return headers, [row | {"A/Ch/Z9": "9.0"} for row in rows]


def _unasked(headers: list[str], rows: Rows, _: Fault) -> tuple[list[str], Rows]:
    """A column of a topic that was not asked for, in headers and rows."""
    return [*headers, "kVARHNet/Elm/A"], [row | {"kVARHNet/Elm/A": "9.0"} for row in rows]


def _reorder_keys(headers: list[str], rows: Rows, _: Fault) -> tuple[list[str], Rows]:
    """Every other row has its keys in reverse order."""
    turned = [dict(reversed(row.items())) if i % 2 else row for i, row in enumerate(rows)]
    return headers, turned


def _numbers(headers: list[str], rows: Rows, _: Fault) -> tuple[list[str], Rows]:
    """Values come as numbers, not as text."""
    stamps, columns = headers[:2], headers[2:]
    return headers, [
        {c: row[c] for c in stamps} | {c: _number(row[c]) for c in columns if c in row}
        for row in rows
    ]


def _number(text: Any) -> Any:
    try:
        return float(text)
    except (TypeError, ValueError):
        return text


def _duplicate_rows(headers: list[str], rows: Rows, _: Fault) -> tuple[list[str], Rows]:
    """Every fourth row comes twice, alike."""
    return headers, [row for i, r in enumerate(rows) for row in [r] * (2 if i % 4 == 0 else 1)]


def _conflicting_rows(headers: list[str], rows: Rows, fault: Fault) -> tuple[list[str], Rows]:
    """The middle row comes twice, with different values in ``column`` or the first one."""
    middle, column = len(rows) // 2, fault.column or headers[2]
    other = rows[middle] | {column: "123456.789" if fault.value is None else fault.value}
    return headers, [*rows[: middle + 1], other, *rows[middle + 1 :]]


def _shuffle_rows(headers: list[str], rows: Rows, fault: Fault) -> tuple[list[str], Rows]:
    """Rows in no order."""
    random.Random(fault.seed).shuffle(rows)  # noqa: S311 - repeatable chance is the point
    return headers, rows


def _outside_rows(headers: list[str], rows: Rows, _: Fault) -> tuple[list[str], Rows]:
    """A row from 40 days before the window, and one from 40 days after it."""
    return headers, [_moved(rows[0], -40), *rows, _moved(rows[-1], 40)]


def _moved(row: dict[str, Any], days: int) -> dict[str, Any]:
    return row | {"date": str(date.fromisoformat(row["date"]) + timedelta(days=days))}


ON_ROWS: dict[str, Mischief] = {
    "text_value": _cell("N/A", 'One value is text, ``value`` ("N/A" by default).'),
    "blank": _cell("", "One value is an empty text."),
    "null_value": _cell(None, "One value is null."),
    "missing_keys": _on_rows(_missing_keys),
    "extra_keys": _on_rows(_extra_keys),
    "unasked": _on_rows(_unasked),
    "reorder_keys": _on_rows(_reorder_keys),
    "numbers": _on_rows(_numbers),
    "duplicate_rows": _on_rows(_duplicate_rows),
    "conflicting_rows": _on_rows(_conflicting_rows),
    "shuffle_rows": _on_rows(_shuffle_rows),
    "outside_rows": _on_rows(_outside_rows),
    "pretty": _pretty,
    "duplicate_keys": _duplicate_keys,
}
"""Faults of the rows of a getData answer; several may strike at once."""
