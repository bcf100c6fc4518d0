"""Faults, by name, are what can go wrong between the service and a client, on demand.

A fault is a function from an honest answer to a faulty one, or a way to send it badly. Faults of
the rows may come together; of the others, the first that applies is the last word.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from dentframe.emulator.requests_and_limits import Answer, message, refusal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dentframe.emulator.requests_and_limits import Seen

    Rows = list[dict[str, Any]]

Change = Callable[[Answer, "Fault"], Answer]
ChangeOfRows = Callable[[list[str], list[dict[str, Any]], "Fault"], None]
FAULTS: dict[str, str] = {}
"""Every fault's name and what it does."""
_CHANGES: dict[str, Change] = {}
_OF_ROWS: set[str] = set()
"""Faults of the rows of a getData answer; several may strike at once."""


def _fault(name: str, description: str) -> Callable[[Change], Change]:
    """Make a change of an answer known as a fault."""

    def known(change: Change) -> Change:
        FAULTS[name], _CHANGES[name] = description, change
        return change

    return known


def _fault_of_rows(name: str, description: str) -> Callable[[ChangeOfRows], ChangeOfRows]:
    """Make a change of headers and rows known as a fault; it is given copies of them."""

    def known(change: ChangeOfRows) -> ChangeOfRows:
        def fault(answer: Answer, settings: Fault) -> Answer:
            headers, rows = list(answer.payload["headers"]), answer.payload["topics"]
            rows = [dict(row) for row in rows]
            change(headers, rows, settings)
            return replace(answer, payload={"headers": headers, "topics": rows})

        _OF_ROWS.add(name)
        _fault(name, description)(fault)
        return change

    return known


def _status(status: int, text: str) -> Change:
    def fault(_: Answer, settings: Fault) -> Answer:
        after = settings.retry_after
        return message(status, text, **{} if after is None else {"Retry-After": f"{after:g}"})

    return fault


def _sent(delivery: str, seconds: float = 0.0) -> Change:
    return lambda answer, fault: replace(
        answer, delivery=delivery, seconds=seconds if fault.seconds is None else fault.seconds
    )


def _body(body: bytes, **headers: str) -> Change:
    return lambda _, __: Answer(200, body=body, headers=headers)


_fault("429", "429, as beyond the rate limit.")(_status(429, "Too Many Requests"))
_fault("quota", "429 ``Limit Exceeded``: the plan's quota is used up.")(
    _status(429, "Limit Exceeded")
)
_fault("403", "403, as for a bad key.")(_status(403, "Forbidden"))
_fault("404", "404.")(_status(404, "Not Found"))
_fault("413", "413, as for an answer too large.")(_status(413, "Request Entity Too Large"))
_fault("500", "500.")(_status(500, "Internal server error"))
_fault("502", "502, as for an answer too large or a crash.")(_status(502, "Internal server error"))
_fault("503", "503.")(_status(503, "Service Unavailable"))
_fault("504", "504.")(_status(504, "Endpoint request timed out"))


@_fault("redirect", "302 to ``location``, another host by default.")
def _redirect(_: Answer, fault: Fault) -> Answer:
    return Answer(302, body=b"", headers={"Location": fault.location})


_fault("reset", "The connection is reset before an answer.")(_sent("reset"))
_fault("reset_body", "The connection is reset in the middle of the body.")(_sent("reset_body"))
_fault("cut", "The connection closes before Content-Length bytes have come.")(_sent("cut"))
_fault("slow_headers", "The answer begins after ``seconds`` (1 by default).")(
    _sent("slow_headers", 1.0)
)
_fault("drip", "The body comes byte by byte, ``seconds`` apart (0.05 by default).")(
    _sent("drip", 0.05)
)


@_fault("short", "A body cut in half with a Content-Length that fits: JSON that does not end.")
def _short(answer: Answer, _: Fault) -> Answer:
    return replace(answer, body=answer.content[: len(answer.content) // 2])


@_fault("bad_gzip", "A body that claims to be gzip and breaks off within.")
def _bad_gzip(answer: Answer, _: Fault) -> Answer:
    packed = gzip.compress(answer.content, 1, mtime=0)
    headers = {**answer.headers, "Content-Encoding": "gzip"}
    return replace(answer, body=packed[: len(packed) // 2] + b"\xff" * 8, headers=headers)


_PAGE = b"<!DOCTYPE html><html><body><h1>Service unavailable</h1></body></html>"
_fault("empty", "200 without a body.")(_body(b""))
_fault("null", "200 with the body ``null``.")(_body(b"null"))
_fault("html", "200 with a page of HTML.")(_body(_PAGE, **{"Content-Type": "text/html"}))


@_fault("success_false", '200 with ``{"success":false,"error":...}``.')
def _success_false(_: Answer, fault: Fault) -> Answer:
    return refusal(fault.value or "Internal error")


def _cell(text: str | None) -> ChangeOfRows:
    def change(headers: list[str], rows: Rows, fault: Fault) -> None:
        column = fault.column or headers[2]
        rows[len(rows) // 2][column] = text if fault.value is None else fault.value

    return change


_fault_of_rows("text_value", 'One value is text, ``value`` ("N/A" by default).')(_cell("N/A"))
_fault_of_rows("blank", "One value is an empty text.")(_cell(""))
_fault_of_rows("null_value", "One value is null.")(_cell(None))


@_fault_of_rows("missing_keys", "Every third row lacks a column, ``column`` or the first one.")
def _missing_keys(headers: list[str], rows: Rows, fault: Fault) -> None:
    for row in rows[::3]:
        row.pop(fault.column or headers[2], None)


@_fault_of_rows("extra_keys", "Rows hold a key that the headers do not list.")
def _extra_keys(_: list[str], rows: Rows, __: Fault) -> None:
    for row in rows:
        row["A/Ch/Z9"] = "9.0"


@_fault_of_rows("unasked", "A column of a topic that was not asked for, in headers and rows.")
def _unasked(headers: list[str], rows: Rows, _: Fault) -> None:
    headers.append("kVARHNet/Elm/A")
    for row in rows:
        row["kVARHNet/Elm/A"] = "9.0"


@_fault_of_rows("reorder_keys", "Every other row has its keys in reverse order.")
def _reorder_keys(_: list[str], rows: Rows, __: Fault) -> None:
    rows[1::2] = [dict(reversed(row.items())) for row in rows[1::2]]


@_fault_of_rows("numbers", "Values come as numbers, not as text.")
def _numbers(headers: list[str], rows: Rows, _: Fault) -> None:
    for row in rows:
        for column in row.keys() - headers[:2]:
            with contextlib.suppress(TypeError, ValueError):
                row[column] = float(row[column])


@_fault_of_rows("duplicate_rows", "Every fourth row comes twice, alike.")
def _duplicate_rows(_: list[str], rows: Rows, __: Fault) -> None:
    rows[:] = [copy for i, row in enumerate(rows) for copy in [row] * (1 + (i % 4 == 0))]


@_fault_of_rows(
    "conflicting_rows",
    "The middle row comes twice, with different values in ``column`` or the first one.",
)
def _conflicting_rows(headers: list[str], rows: Rows, fault: Fault) -> None:
    middle, value = len(rows) // 2, "123456.789" if fault.value is None else fault.value
    rows.insert(middle + 1, rows[middle] | {fault.column or headers[2]: value})


@_fault_of_rows("shuffle_rows", "Rows in no order.")
def _shuffle_rows(_: list[str], rows: Rows, fault: Fault) -> None:
    random.Random(fault.seed).shuffle(rows)  # noqa: S311 - repeatable chance is the point


@_fault_of_rows(
    "outside_rows", "A row from 40 days before the window, and one from 40 days after it."
)
def _outside_rows(_: list[str], rows: Rows, __: Fault) -> None:
    first, last = (date.fromisoformat(row["date"]) for row in (rows[0], rows[-1]))
    rows.insert(0, rows[0] | {"date": str(first - timedelta(days=40))})
    rows.append(rows[-1] | {"date": str(last + timedelta(days=40))})


@_fault("pretty", "JSON with spaces and line breaks.")
def _pretty(answer: Answer, _: Fault) -> Answer:
    payload = json.loads(answer.content or b"null")
    return replace(answer, body=json.dumps(payload, indent=2).encode())


@_fault("duplicate_keys", "Rows that hold their first key twice; the last value counts.")
def _duplicate_keys(answer: Answer, _: Fault) -> Answer:
    body = Answer(payload=answer.payload).content
    return replace(answer, body=body.replace(b'{"date":', b'{"date":"1999-01-01","date":'))


_OF_ROWS |= {"pretty", "duplicate_keys"}


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

    def strikes(self, seen: Seen) -> bool:
        """Whether it strikes this request, if it is one that the fault is meant for; counts."""
        conditions = ("request", "meter", "window")
        meant = all(getattr(self, x) in (None, getattr(seen, x)) for x in conditions)
        if not meant or (self.where is not None and not self.where(seen)):
            return False
        if self.times is not None and self.struck >= self.times:
            return False
        self.met += 1
        due = self.every is None or self.met % self.every == 0
        hit = due and (self.probability is None or self.chance.random() < self.probability)
        self.struck += hit
        return hit


class Faults(list[Fault]):
    """The faults of a running emulator, changeable while it runs.

    Parameters
    ----------
    faults : iterable of Fault or str
        Those to begin with.
    """

    def __init__(self, faults: Iterable[Fault | str] = ()) -> None:
        super().__init__(f if isinstance(f, Fault) else Fault(f) for f in faults)
        self._lock = threading.Lock()

    def add(self, name: str, **settings: Any) -> Fault:
        """Add a fault by name, with the settings of :class:`Fault`; returns it."""
        fault = Fault(name, **settings)
        self.append(fault)
        return fault

    def apply(self, seen: Seen, answer: Answer) -> tuple[Answer, str | None]:
        """The answer after the faults that strike, and their names."""
        struck: list[Fault] = []
        has_rows = isinstance(answer.payload, dict) and bool(answer.payload.get("headers"))
        with self._lock:
            for fault in tuple(self):
                of_rows = fault.name in _OF_ROWS
                if (has_rows or not of_rows) and fault.strikes(seen):
                    struck.append(fault)
                    if not of_rows:
                        break
        for fault in struck:
            answer = _CHANGES[fault.name](answer, fault)
        return answer, "+".join(fault.name for fault in struck) or None
