"""Faults, by name, are what can go wrong between the service and a client, on demand.

A fault is a function from an honest answer to a faulty one, or a way to send it badly. Faults of
the rows may come together; of the others, the first that applies is the last word.
"""

from __future__ import annotations

import gzip
import json
import random
import threading
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from dentframe.emulator.service import JSON, Answer, encode, message, refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dentframe.emulator.service import Seen

    Change = Callable[[Answer, "Fault"], Answer]
    Rows = list[dict[str, Any]]

_PAGE = b"<!DOCTYPE html><html><body><h1>Service unavailable</h1></body></html>"


def _status(status: int, text: str) -> Change:
    def fault(_: Answer, settings: Fault) -> Answer:
        after = settings.retry_after
        headers = {} if after is None else {"Retry-After": f"{after:g}"}
        return replace(message(status, text), headers=headers)

    return fault


def _sent(delivery: str, seconds: float = 0.0) -> Change:
    return lambda answer, fault: replace(
        answer, delivery=delivery, seconds=seconds if fault.seconds is None else fault.seconds
    )


def _said(body: bytes, kind: str = JSON) -> Change:
    return lambda _, __: Answer(200, body=body, headers={"Content-Type": kind})


def _short(answer: Answer, _: Fault) -> Answer:
    return replace(answer, body=answer.content[: len(answer.content) // 2])


def _bad_gzip(answer: Answer, _: Fault) -> Answer:
    packed = gzip.compress(answer.content, 1, mtime=0)
    headers = {**answer.headers, "Content-Encoding": "gzip"}
    return replace(answer, body=packed[: len(packed) // 2] + b"\xff" * 8, headers=headers)


def _pretty(answer: Answer, _: Fault) -> Answer:
    payload = json.loads(answer.content or b"null")
    return replace(answer, body=json.dumps(payload, indent=2).encode())


def _duplicate_keys(answer: Answer, _: Fault) -> Answer:
    body = encode(answer.payload)
    return replace(answer, body=body.replace(b'{"date":', b'{"date":"1999-01-01","date":'))


_OF_ALL: dict[str, tuple[str, Change]] = {
    "429": ("429, as beyond the rate limit.", _status(429, "Too Many Requests")),
    "quota": (
        "429 ``Limit Exceeded``: the plan's quota is used up.", _status(429, "Limit Exceeded")
    ),
    "403": ("403, as for a bad key.", _status(403, "Forbidden")),
    "404": ("404.", _status(404, "Not Found")),
    "413": ("413, as for an answer too large.", _status(413, "Request Entity Too Large")),
    "500": ("500.", _status(500, "Internal server error")),
    "502": (
        "502, as for an answer too large or a crash.", _status(502, "Internal server error")
    ),
    "503": ("503.", _status(503, "Service Unavailable")),
    "504": ("504.", _status(504, "Endpoint request timed out")),
    "redirect": (
        "302 to ``location``, another host by default.",
        lambda _, fault: Answer(302, body=b"", headers={"Location": fault.location}),
    ),
    "reset": ("The connection is reset before an answer.", _sent("reset")),
    "reset_body": ("The connection is reset in the middle of the body.", _sent("reset_body")),
    "cut": ("The connection closes before Content-Length bytes have come.", _sent("cut")),
    "slow_headers": (
        "The answer begins after ``seconds`` (1 by default).", _sent("slow_headers", 1.0)
    ),
    "drip": (
        "The body comes byte by byte, ``seconds`` apart (0.05 by default).", _sent("drip", 0.05)
    ),
    "short": (
        "A body cut in half with a Content-Length that fits: JSON that does not end.", _short
    ),
    "bad_gzip": ("A body that claims to be gzip and breaks off within.", _bad_gzip),
    "empty": ("200 without a body.", _said(b"")),
    "null": ("200 with the body ``null``.", _said(b"null")),
    "html": ("200 with a page of HTML.", _said(_PAGE, "text/html")),
    "success_false": (
        '200 with ``{"success":false,"error":...}``.',
        lambda _, fault: refusal(fault.value or "Internal error"),
    ),
}  # fmt: skip
"""Faults of the whole answer, for every request: what each does, and how."""


def _on_rows(change: Callable[[list[str], Rows, Fault], tuple[list[str], Rows]]) -> Change:
    """A fault of headers and rows, given copies of them that it may change."""

    def fault(answer: Answer, settings: Fault) -> Answer:
        rows = [dict(row) for row in answer.payload["topics"]]
        headers, rows = change(list(answer.payload["headers"]), rows, settings)
        return replace(answer, payload={"headers": headers, "topics": rows})

    return fault


def _cell(text: Any) -> Change:
    """A fault of one cell, in the middle row: ``column``, or the first one."""

    def change(headers: list[str], rows: Rows, fault: Fault) -> tuple[list[str], Rows]:
        column = fault.column or headers[2]
        rows[len(rows) // 2][column] = text if fault.value is None else fault.value
        return headers, rows

    return _on_rows(change)


def _missing_keys(headers: list[str], rows: Rows, fault: Fault) -> tuple[list[str], Rows]:
    for row in rows[::3]:
        row.pop(fault.column or headers[2], None)
    return headers, rows


def _reorder_keys(headers: list[str], rows: Rows, _: Fault) -> tuple[list[str], Rows]:
    return headers, [dict(reversed(r.items())) if i % 2 else r for i, r in enumerate(rows)]


def _numbers(headers: list[str], rows: Rows, _: Fault) -> tuple[list[str], Rows]:
    return headers, [{c: x if c in headers[:2] else _number(x) for c, x in r.items()} for r in rows]


def _number(text: Any) -> Any:
    try:
        return float(text)
    except (TypeError, ValueError):
        return text


def _conflicting_rows(headers: list[str], rows: Rows, fault: Fault) -> tuple[list[str], Rows]:
    middle, column = len(rows) // 2, fault.column or headers[2]
    other = rows[middle] | {column: "123456.789" if fault.value is None else fault.value}
    return headers, [*rows[: middle + 1], other, *rows[middle + 1 :]]


def _shuffle_rows(headers: list[str], rows: Rows, fault: Fault) -> tuple[list[str], Rows]:
    random.Random(fault.seed).shuffle(rows)  # noqa: S311 - repeatable chance is the point
    return headers, rows


def _moved(row: dict[str, Any], days: int) -> dict[str, Any]:
    return row | {"date": str(date.fromisoformat(row["date"]) + timedelta(days=days))}


_OF_ROWS: dict[str, tuple[str, Change]] = {
    "text_value": ('One value is text, ``value`` ("N/A" by default).', _cell("N/A")),
    "blank": ("One value is an empty text.", _cell("")),
    "null_value": ("One value is null.", _cell(None)),
    "missing_keys": (
        "Every third row lacks a column, ``column`` or the first one.", _on_rows(_missing_keys)
    ),
    "extra_keys": (
        "Rows hold a key that the headers do not list.",
        _on_rows(lambda headers, rows, _: (headers, [r | {"A/Ch/Z9": "9.0"} for r in rows])),
    ),
    "unasked": (
        "A column of a topic that was not asked for, in headers and rows.",
        _on_rows(lambda headers, rows, _: (
            [*headers, "kVARHNet/Elm/A"], [r | {"kVARHNet/Elm/A": "9.0"} for r in rows]
        )),
    ),
    "reorder_keys": ("Every other row has its keys in reverse order.", _on_rows(_reorder_keys)),
    "numbers": ("Values come as numbers, not as text.", _on_rows(_numbers)),
    "duplicate_rows": (
        "Every fourth row comes twice, alike.",
        _on_rows(lambda headers, rows, _: (
            headers, [r for i, row in enumerate(rows) for r in [row] * (1 + (i % 4 == 0))]
        )),
    ),
    "conflicting_rows": (
        "The middle row comes twice, with different values in ``column`` or the first one.",
        _on_rows(_conflicting_rows),
    ),
    "shuffle_rows": ("Rows in no order.", _on_rows(_shuffle_rows)),
    "outside_rows": (
        "A row from 40 days before the window, and one from 40 days after it.",
        _on_rows(lambda headers, rows, _: (
            headers, [_moved(rows[0], -40), *rows, _moved(rows[-1], 40)]
        )),
    ),
    "pretty": ("JSON with spaces and line breaks.", _pretty),
    "duplicate_keys": (
        "Rows that hold their first key twice; the last value counts.", _duplicate_keys
    ),
}  # fmt: skip
"""Faults of the rows of a getData answer; several may strike at once."""

FAULTS: dict[str, str] = {name: said for name, (said, _) in (_OF_ALL | _OF_ROWS).items()}
"""Every fault's name and what it does."""


@dataclass
class Fault:
    """One fault and when it strikes; every condition given must hold.

    Attributes
    ----------
    name : str
        A key of :data:`FAULTS`.
    times : int, optional
        Strike at most so often.
    every : int, optional
        Strike only each so manieth time: 3 is the 3rd, 6th, ...
    probability : float, optional
        Strike by chance, repeatably for the same ``seed``.
    request, meter, window : str, optional
        Only such requests: ``"getData"``, a meter's name, ``"2023-12"`` or ``"2023-12-12T02"``.
    where : callable, optional
        Only requests for which this is true; given a :class:`Seen`.
    retry_after : float, optional
        A Retry-After header for the faults that are a status [s].
    seconds : float, optional
        The pause of ``slow_headers``, or between two bytes of ``drip`` [s].
    location : str
        Where ``redirect`` points.
    column, value : str, optional
        The cell of ``text_value`` and its kin (the first column by default), and its text.
    seed : int
        For ``probability`` and ``shuffle_rows``.
    """

    name: str
    times: int | None = None
    every: int | None = None
    probability: float | None = None
    request: str | None = None
    meter: str | None = None
    window: str | None = None
    where: Callable[[Seen], bool] | None = None
    retry_after: float | None = None
    seconds: float | None = None
    location: str = "https://elsewhere.invalid/v1"
    column: str | None = None
    value: str | None = None
    seed: int = 0
    struck: int = field(default=0, init=False)
    met: int = field(default=0, init=False)
    chance: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.name not in FAULTS:
            raise ValueError(
                f"Cannot add the fault {self.name!r}: there is none of that name. "
                f"There are: {', '.join(FAULTS)}."
            )
        self.chance = random.Random(self.seed)  # noqa: S311 - repeatable chance is the point

    def concerns(self, seen: Seen) -> bool:
        """Whether this request is one of those the fault is meant for."""
        pairs = ((self.request, seen.request), (self.meter, seen.meter), (self.window, seen.window))
        asked = all(want is None or want == got for want, got in pairs)
        return asked and (self.where is None or self.where(seen))

    def strikes(self) -> bool:
        """Whether it strikes this time; counts."""
        if self.times is not None and self.struck >= self.times:
            return False
        self.met += 1
        due = self.every is None or self.met % self.every == 0
        hit = due and (self.probability is None or self.chance.random() < self.probability)
        self.struck += hit
        return hit


class Faults:
    """The faults of a running emulator, changeable while it runs.

    Parameters
    ----------
    faults : iterable of Fault or str
        Those to begin with.
    """

    def __init__(self, faults: Iterable[Fault | str] = ()) -> None:
        self._lock = threading.Lock()
        self._faults = [f if isinstance(f, Fault) else Fault(f) for f in faults]

    def add(self, name: str, **settings: Any) -> Fault:
        """Add a fault by name, with the settings of :class:`Fault`; returns it."""
        fault = Fault(name, **settings)
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._faults.clear()

    def __iter__(self) -> Iterator[Fault]:
        with self._lock:
            return iter(tuple(self._faults))

    def __len__(self) -> int:
        return len(self._faults)

    def apply(self, seen: Seen, answer: Answer) -> tuple[Answer, str | None]:
        """The answer after the faults that strike, and their names."""
        chosen: list[Fault] = []
        with self._lock:
            for fault in self._faults:
                needs_rows = fault.name in _OF_ROWS
                if not fault.concerns(seen) or (needs_rows and not answer.has_rows):
                    continue
                if fault.strikes():
                    chosen.append(fault)
                    if not needs_rows:
                        break
        for fault in chosen:
            answer = (_OF_ALL | _OF_ROWS)[fault.name][1](answer, fault)
        return answer, "+".join(fault.name for fault in chosen) or None
