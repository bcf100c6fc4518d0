"""A decoded answer is a page of columns, with a report of its bad cells and whether it is complete.

Lists of meters and topics are decoded here too, and what is no answer becomes an error that says
what came instead.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import mmap
import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from dentframe.errors import DecodeError, RequestError
from dentframe.wire.columns import topic_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from dentframe.cloud.planner import Window


SAMPLES = 3
SAMPLE_LENGTH = 40

_COUNTS = ("rows", "bad_dates", "outside", "duplicates")
_ADDED = ("absent", "blank", "unexpected", "conflicts", "doubled")
"""The tables of a report by column whose values add up with ``+``."""

Unreadable = tuple[int, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Report:
    """What decoding met; `total` adds reports up.

    Cells are counted in the rows that were kept only.

    Attributes
    ----------
    rows : int
        Rows kept.
    absent : dict of str to int
        Column of the headers → rows that lack its key.
    blank : dict of str to int
        Column → cells that are empty, white space or null.
    unreadable : dict of str to (int, tuple of str)
        Column → cells that are no finite number, and up to three different samples.
    unexpected : dict of str to int
        Key that the headers lack → rows that have it; it is kept as a column.
    bad_dates : int
        Rows dropped because their date or time cannot be read.
    bad_date_samples : tuple of str
        Up to three different samples of them.
    outside : int
        Rows dropped because they lie outside the window.
    unsorted : bool
        Whether a row is earlier than the one before it.
    duplicates : int
        Rows whose minute another row of the answer already had.
    conflicts : dict of str to int
        Column → cells that such rows gave different values, where that is settled already:
        in an archive they are NaN.
    doubled : dict of str to tuple of (int, int, int)
        Column → runs of minutes, first, last and how many, whose cells such rows gave the same
        value, where that is settled already.
    """

    rows: int = 0
    absent: Mapping[str, int] = field(default_factory=dict)
    blank: Mapping[str, int] = field(default_factory=dict)
    unreadable: Mapping[str, Unreadable] = field(default_factory=dict)
    unexpected: Mapping[str, int] = field(default_factory=dict)
    bad_dates: int = 0
    bad_date_samples: tuple[str, ...] = ()
    outside: int = 0
    unsorted: bool = False
    duplicates: int = 0
    conflicts: Mapping[str, int] = field(default_factory=dict)
    doubled: Mapping[str, tuple[tuple[int, int, int], ...]] = field(default_factory=dict)

    def narrow(self, columns: Container[str]) -> Report:
        """Leave out the counts of other columns."""
        tables: dict[str, Any] = {
            name: {column: n for column, n in getattr(self, name).items() if column in columns}
            for name in ("unreadable", *_ADDED)
        }
        return replace(self, **tables)

    @classmethod
    def total(cls, reports: Iterable[Report]) -> Report:
        """The sum of any number of reports."""
        every = list(reports)
        added: dict[str, Any] = {x: sum(getattr(r, x) for r in every) for x in _COUNTS}
        for name in _ADDED:
            table = added[name] = dict[str, Any]()
            for column, n in (x for r in every for x in getattr(r, name).items()):
                table[column] = table[column] + n if column in table else n
        unreadable = dict[str, Unreadable]()
        for column, (count, texts) in (x for r in every for x in r.unreadable.items()):
            before, known = unreadable.get(column, (0, ()))
            unreadable[column] = before + count, samples((*known, *texts))
        return cls(
            unreadable=unreadable,
            bad_date_samples=samples(text for r in every for text in r.bad_date_samples),
            unsorted=any(r.unsorted for r in every),
            **added,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """One decoded getData answer.

    Attributes
    ----------
    window : Window or None
        The window that was asked for, if it was given.
    columns : tuple of str
        The headers without date and time, then the keys that only rows have.
    minutes : numpy.ndarray of int64, shape (rows,)
        UTC minutes since 1970-01-01T00:00Z [min], in the order of the answer.
    values : numpy.ndarray of float64, shape (rows, columns)
        Column-major, in the units of the columns' topics; NaN where there is no finite number.
    report : Report
        What was absent, blank, unreadable, unexpected or dropped.
    """

    window: Window | None
    columns: tuple[str, ...]
    minutes: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]
    report: Report


def complete(page: Page, topics: Iterable[str]) -> bool:
    """Whether a page holds all that its window can hold.

    Every topic returned a column, no cell is absent or unreadable, none is blank in a column
    that has values, not every cell is blank, and every spacing, the window's edges included, is
    at most 1.5 times the median spacing. A column that is blank throughout, where others have
    values, is a spare input of the meter.
    """
    got, window = {topic_of(column) for column in page.columns}, page.window
    if window is None or not got.issuperset(topics) or len(page.minutes) < 2:
        return False
    report = page.report
    if report.absent or report.unreadable or report.bad_dates or report.outside:
        return False
    conflicts = np.array([report.conflicts.get(column, 0) for column in page.columns])
    blank = np.isnan(page.values).sum(axis=0) - conflicts
    spare = blank == len(page.minutes)
    if spare.all() or (blank[~spare] > 0).any():
        return False
    span = window.minutes
    spacings = np.diff(np.sort(page.minutes), prepend=span.start, append=span.stop)
    return bool(spacings.max() <= 1.5 * float(np.median(spacings[1:-1])))


def fingerprint(page: Page) -> str:
    """A short text that is the same for two answers with the same readings."""
    rows = np.argsort(page.minutes, kind="stable")
    columns = sorted(range(len(page.columns)), key=page.columns.__getitem__)
    digest = hashlib.blake2b(digest_size=16)
    digest.update(json.dumps([page.columns[column] for column in columns]).encode())
    digest.update(page.minutes[rows].tobytes())
    for column in columns:
        digest.update(page.values[rows, column].tobytes())
    return digest.hexdigest()


_OWN_MEMORY = 1 << 20
"""What is larger has memory of its own, which a forked process does not share [B]."""
_HUGE = range(2 << 20, 64 << 20)
"""Arrays of this size lie in huge pages where Linux has them, which come five times quicker. A page
is there whole once a value is written: a larger array, filled in part, would take much more."""
_PRIVATE: dict[str, Any] = (
    {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}
)


def room(rows: int, width: int) -> npt.NDArray[np.float64]:
    """An array, column-major, whose memory goes back to the system as soon as it is let go."""
    size = 8 * rows * width
    if size < _OWN_MEMORY:
        return np.empty((rows, width), order="F")
    own = mmap.mmap(-1, size, **_PRIVATE)
    if size in _HUGE and hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # a kernel may have none
            own.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(own, np.float64).reshape((rows, width), order="F")


def shown(text: str, length: int = SAMPLE_LENGTH) -> str:
    """Make a text of the wire safe to show: one short, printable line."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:length])


def samples(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the first few different texts."""
    return tuple(dict.fromkeys(texts))[:SAMPLES]


_HALF_PAIR = re.compile("[\ud800-\udfff]")
BOM = b"\xef\xbb\xbf"
_BLANK = b" \t\r\n"
_REASON_LENGTH = 200
_SHOWN_LENGTH = 60


class Number(str):
    """The text of a JSON number, told apart from a JSON string."""

    __slots__ = ()


def load(body: bytes) -> Any:
    """Parse JSON; numbers become `Number`, so that no digit is lost.

    Raises
    ------
    ValueError
        If it is not JSON in UTF-8.
    RecursionError
        If it is nested too deeply.
    """
    return json.loads(
        body.decode(), parse_int=Number, parse_float=Number, parse_constant=_refuse_constant
    )


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def load_answer(body: bytes, what: str) -> dict[str, Any]:
    """Parse an answer and check that it is an object with which the service says yes.

    Parameters
    ----------
    body : bytes
        The whole body of the answer.
    what : str
        The name of the request, for the messages.

    Raises
    ------
    DecodeError
        If it is no JSON object.
    RequestError
        If it says ``"success": false``.
    """
    try:
        answer = load(body.removeprefix(BOM))
    except json.JSONDecodeError as error:
        why = f"{error.msg} at character {error.pos}"
    except (ValueError, RecursionError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else shown(str(error))
    else:
        if not isinstance(answer, dict):
            raise not_decoded(what, "it is not a JSON object", body)
        if answer.get("success") in (False, "false"):
            said = answer.get("error") or answer.get("message") or "it gives no reason"
            text = shown(said if isinstance(said, str) else json.dumps(said), _REASON_LENGTH)
            raise RequestError(
                f"Cannot {what}: the service refused the request and says {text!r}. "
                "Check the meter, the topics and the time that were asked for."
            )
        return answer
    raise not_decoded(what, f"it is not valid JSON ({why})", body)


def not_decoded(what: str, why: str, body: bytes, *, retryable: bool = True) -> DecodeError:
    """Build the error for an answer that is not what the API describes."""
    start = body[: 4 * _SHOWN_LENGTH].removeprefix(BOM).strip(_BLANK)
    kind = "HTML or XML" if start.startswith(b"<") else "the body"
    text = shown(start.decode("utf-8", "replace"), _SHOWN_LENGTH)
    came = f"{kind} of {len(body)} bytes begins {text!r}"
    came = came if start else f"it is empty or blank ({len(body)} bytes)"
    return DecodeError(
        f"Cannot {what}: the answer is not what the API describes, {why}; {came}. "
        "Ask again; if it stays so, check the base URL and any proxy between.",
        retryable=retryable,
    )


def is_name(value: object) -> bool:
    """Whether a JSON value is a text without half a surrogate pair, which no file can hold."""
    return type(value) is str and not _HALF_PAIR.search(value)


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
    meters = load_answer(body, "decode the meters").get("meters")
    if not isinstance(meters, list) or not all(map(is_name, meters)):
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
    if not isinstance(topics, list) or not all(
        isinstance(row, dict) and is_name(row.get("requestKey")) for row in topics
    ):
        raise not_decoded("decode the topics", "its topics are no list of request keys", body)
    return [
        {
            name: text if isinstance(text := row.get(name), str) and is_name(str(text)) else ""
            for name in ("unit", "requestKey", "description")
        }
        for row in topics
    ]
