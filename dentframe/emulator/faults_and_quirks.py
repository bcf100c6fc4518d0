"""Faults and quirks make the service of the emulator go wrong, or differ from what is assumed.

A fault, by name, is what can go wrong between the service and a client: a function from an honest
answer to a faulty one, or a way to send it badly. Faults of the rows may come together; of the
others, the first that applies is the last word.

A fault goes wrong once; a quirk, by name too, is how the service is. Some quirks change rows,
others meters, limits and sizes.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import random
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from dentframe.emulator import requests_sources_and_limits as api
from dentframe.emulator.requests_sources_and_limits import Answer, Row, Rows, Seen, message, refusal

Quirks = Mapping[str, Any]


def _check_name(name: str, known: Mapping[str, str], what: str) -> None:
    if name not in known:
        raise ValueError(
            f"Cannot {what} {name!r}: there is none of that name. There are: {', '.join(known)}."
        )


# --- faults ---

FAULTS: dict[str, str] = {}
"""Every fault's name and what it does."""
_CHANGES: dict[str, Callable[[Answer, Fault], Answer]] = {}
_CHANGES_OF_ROWS: dict[str, Callable[[list[str], Rows, Fault], None]] = {}
"""Changes of headers and rows in place; several may strike at once."""
_OF_THEIR_TEXT = ("pretty", "duplicate_keys")
"""Faults of how rows are written; they may strike together with those of the rows."""


def _fault(name: str, text: str, changes: Any = _CHANGES) -> Callable[[Any], Any]:
    """Make a change of an answer known as a fault, with a text that describes it."""

    def known(change: Any) -> Any:
        FAULTS[name], changes[name] = text, change
        return change

    return known


_fault_of_rows = partial(_fault, changes=_CHANGES_OF_ROWS)


def _status(name: str, status: int, text: str, description: str) -> None:
    @_fault(name, description)
    def _(_: Answer, settings: Fault) -> Answer:
        after = settings.retry_after
        return message(status, text, **{} if after is None else {"Retry-After": f"{after:g}"})


def _sent(delivery: str, description: str, seconds: float = 0.0) -> None:
    @_fault(delivery, description)
    def _(answer: Answer, fault: Fault) -> Answer:
        pause = seconds if fault.seconds is None else fault.seconds
        return replace(answer, delivery=delivery, seconds=pause)


def _body(name: str, body: bytes, description: str, **headers: str) -> None:
    _fault(name, description)(lambda _, __: Answer(200, body=body, headers=headers))


def _cell(name: str, text: str | None, description: str) -> None:
    @_fault_of_rows(name, description)
    def _(headers: list[str], rows: Rows, fault: Fault) -> None:
        column = fault.column or headers[2]
        rows[len(rows) // 2][column] = text if fault.value is None else fault.value


_status("429", 429, "Too Many Requests", "429, as beyond the rate limit.")
_status("quota", 429, "Limit Exceeded", "429 ``Limit Exceeded``: the plan's quota is used up.")
_status("403", 403, "Forbidden", "403, as for a bad key.")
_status("404", 404, "Not Found", "404.")
_status("413", 413, "Request Entity Too Large", "413, as for an answer too large.")
_status("500", 500, "Internal server error", "500.")
_status("502", 502, "Internal server error", "502, as for an answer too large or a crash.")
_status("503", 503, "Service Unavailable", "503.")
_status("504", 504, "Endpoint request timed out", "504.")


@_fault("redirect", "302 to ``location``, another host by default.")
def _redirect(_: Answer, fault: Fault) -> Answer:
    return Answer(302, body=b"", headers={"Location": fault.location})


_sent("reset", "The connection is reset before an answer.")
_sent("reset_body", "The connection is reset in the middle of the body.")
_sent("cut", "The connection closes before Content-Length bytes have come.")
_sent("slow_headers", "The answer begins after ``seconds`` (1 by default).", 1.0)
_sent("drip", "The body comes byte by byte, ``seconds`` apart (0.05 by default).", 0.05)


@_fault("short", "A body cut in half with a Content-Length that fits: JSON that does not end.")
def _short(answer: Answer, _: Fault) -> Answer:
    return replace(answer, body=answer.content[: len(answer.content) // 2])


@_fault("bad_gzip", "A body that claims to be gzip and breaks off within.")
def _bad_gzip(answer: Answer, _: Fault) -> Answer:
    packed = gzip.compress(answer.content, 1, mtime=0)
    headers = {**answer.headers, "Content-Encoding": "gzip"}
    return replace(answer, body=packed[: len(packed) // 2] + b"\xff" * 8, headers=headers)


_PAGE = b"<!DOCTYPE html><html><body><h1>Service unavailable</h1></body></html>"
_body("empty", b"", "200 without a body.")
_body("null", b"null", "200 with the body ``null``.")
_body("html", _PAGE, "200 with a page of HTML.", **{"Content-Type": "text/html"})


@_fault("success_false", '200 with ``{"success":false,"error":...}``.')
def _success_false(_: Answer, fault: Fault) -> Answer:
    return refusal(fault.value or "Internal error")


_cell("text_value", "N/A", 'One value is text, ``value`` ("N/A" by default).')
_cell("blank", "", "One value is an empty text.")
_cell("null_value", None, "One value is null.")


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
        _check_name(self.name, FAULTS, "add the fault")
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
                of_rows = fault.name in (*_CHANGES_OF_ROWS, *_OF_THEIR_TEXT)
                if (has_rows or not of_rows) and fault.strikes(seen):
                    struck.append(fault)
                    if not of_rows:
                        break
        for fault in struck:
            if fault.name in _CHANGES:
                answer = _CHANGES[fault.name](answer, fault)
                continue
            headers, rows = list(answer.payload["headers"]), answer.payload["topics"]
            rows = [dict(row) for row in rows]
            _CHANGES_OF_ROWS[fault.name](headers, rows, fault)
            answer = replace(answer, payload={"headers": headers, "topics": rows})
        return answer, "+".join(fault.name for fault in struck) or None


# --- quirks ---

QUIRKS: dict[str, str] = {}
"""Every quirk's name and what it does."""
_USUAL: dict[str, Any] = {}
"""The value of a quirk that is only named."""
QUIRKS_OF_ROWS: dict[str, Callable[[Rows, Any, datetime], Rows]] = {}
"""Changes of rows, by the value of a quirk and the present; other quirks change no rows."""


def _quirk(name: str, text: str, usual: Any = True) -> Callable[[Any], Any]:
    """Make a quirk known, with a text that describes it, and the change of rows it decorates."""
    QUIRKS[name], _USUAL[name] = text, usual

    def known(change: Any) -> Any:
        QUIRKS_OF_ROWS[name] = change
        return change

    return known


def _cells(topic: str, change: Callable[[str, Any], str]) -> Any:
    """A change of every reading of a topic."""
    return lambda rows, value, _: [
        {c: change(x, value) if x and api.topic_of(c) == topic else x for c, x in row.items()}
        for row in rows
    ]


def _text(value: float) -> str:
    return repr(round(value, 3) + 0.0)


def _when(row: Row) -> datetime:
    return datetime.fromisoformat(f"{row['date']}T{row['time']}").replace(tzinfo=UTC)


def _stamped(row: Row, when: datetime) -> Row:
    return row | {"date": f"{when:%Y-%m-%d}", "time": f"{when:%H:%M}"}


@_quirk(
    "local_time",
    "Windows, dates and times are those of a zone's wall clock, not UTC.",
    "America/Los_Angeles",
)
def _local_time(rows: Rows, zone: str, _: datetime) -> Rows:
    return [_stamped(r, _when(r).astimezone(ZoneInfo(zone))) for r in rows]


_quirk("no_kVAHNet", "There is no topic kVAHNet.")
_quirk("no_V", "There is no topic V.")


@_quirk("V_scope", "V comes under this scope, one value an element.", "Elm")
def _v_scope(rows: Rows, scope: str, _: datetime) -> Rows:
    columns = {c: c for row in rows for c in row if api.topic_of(c) != "V"}
    columns |= {  # the voltage of each element's first channel
        c: f"V/{scope}/{c[5:-1]}" for row in rows for c in row if re.fullmatch("V/Ch/.*1", c)
    }
    return [{columns[c]: x for c, x in row.items() if c in columns} for row in rows]


_quirk("block_demand", "DemandkW is the mean of the last block that closed on the clock.")
_quirk("sliding_demand", "DemandkW is the mean of the window that ends at the poll.")
_quirk("absolute_demand", "DemandkW has no sign.")(_cells("DemandkW", lambda x, _: x.lstrip("-")))
_IEEE = "dPF is negative where current lags, as by IEEE, whatever the direction of power."
_quirk("dPF_sign", _IEEE)(_cells("dPF", lambda x, _: _text(-abs(float(x)))))
_quirk("interval", "Rows are this many minutes apart [min].", 5)
_quirk("coarse_register", "kWHNet shows whole steps of this size [kWh].", 1.0)(
    _cells("kWHNet", lambda x, step: _text(float(x) // step * step))
)
_SHARE = "kWHNet counts this share of a kilowatt-hour: 0.001 is watt-hours."
_quirk("register_unit", _SHARE, 0.001)(_cells("kWHNet", lambda x, unit: _text(float(x) / unit)))
_quirk("register_modulus", "kWHNet begins again at 0 when it reaches this [kWh].", 1000.0)(
    _cells("kWHNet", lambda x, modulus: _text(float(x) % modulus))
)


@_quirk("blanks", "One reading in so many is an empty text.", 50)
def _blanks(rows: Rows, every: int, _: datetime) -> Rows:
    # They are counted along a row from the row's own minute, so that another window has the same.
    minutes = [int(_when(row).timestamp()) // 60 for row in rows]
    return [
        {c: x if c in api.STAMP or i % every else "" for i, (c, x) in enumerate(row.items(), first)}
        for first, row in zip(minutes, rows, strict=True)
    ]


@_quirk("late_backfill", "Readings between 06:00 and 12:00 UTC come this many hours late [h].", 96)
def _late_backfill(rows: Rows, hours: float, now: datetime) -> Rows:
    late = timedelta(hours=hours)
    return [r for r in rows if not 6 <= _when(r).hour < 12 or now - _when(r) >= late]


@_quirk(
    "repeated_rows",
    "An outage from 03:00 UTC, of this many hours each day, repeats the row before it [h].",
    2,
)
def _repeated_rows(rows: Rows, hours: int, _: datetime) -> Rows:
    made: Rows = []
    for row in rows:
        out = made and 3 <= _when(row).hour < 3 + hours
        made.append(_stamped(made[-1], _when(row)) if out else row)
    return made


_quirk("small_answers", "An answer above this is refused with 413 [B].", 2_000_000)
_quirk("tight_limits", "So many requests a second, and as many at once [1/s].", 2)


def chosen(quirks: Iterable[str] | Quirks) -> Quirks:
    """Quirks and their values: the usual one for a quirk that is only named."""
    given = quirks if isinstance(quirks, Mapping) else dict.fromkeys(quirks, True)
    for name in given:
        _check_name(name, QUIRKS, "serve with the quirk")
    asked = {name: value for name, value in given.items() if value is not False}
    return {name: _USUAL[name] if value is True else value for name, value in asked.items()}
