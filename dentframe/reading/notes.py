"""What a read tells its user about the readings it met: warnings and log lines.

Unreadable text and conflicts warn; what is merely absent or blank is ordinary, is NaN, and
goes to the log and to coverage.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from dentframe import columns as _columns
from dentframe.errors import ReadingWarning, warn

if TYPE_CHECKING:
    import pandas as pd

    from dentframe.cloud.wire import Report

_log = logging.getLogger("dentframe")

SHORT: Final = timedelta(hours=1)
"""Less than this may have no reading though nothing is missing: meters report by quarter hours."""


def tell(
    meter: str,
    report: Report,
    *,
    columns: Sequence[str],
    dropped: Sequence[str],
    conflicts: int,
    silent_topics: Iterable[str],
    absent_elements: Iterable[str],
) -> None:
    """Warn of what was lost, and log what was merely not there."""
    found = [*_losses(report, columns, conflicts), *_silent(silent_topics, absent_elements)]
    if found:
        warn(f"Reading {meter}: {'; '.join(found)}.", ReadingWarning)
    for line in _ordinary(report, columns, dropped):
        _log.info("%s: %s", meter, line)


def tell_nothing(
    meters: Sequence[str], start: pd.Timestamp, end: pd.Timestamp, now: pd.Timestamp
) -> None:
    """Warn of meters without any reading in the range that was read.

    A range that is shorter than `SHORT` may well lie between two readings.
    """
    if not meters or end - start < SHORT:
        return
    future = " That span lies in the future." if start >= now else ""
    warn(
        f"Reading {', '.join(meters)}: no readings in [{start.isoformat()}, {end.isoformat()})."
        f"{future} inventory() tells since when there are.",
        ReadingWarning,
    )


def _losses(report: Report, columns: Sequence[str], conflicts: int) -> Iterable[str]:
    unreadable = {c: n for c, n in report.unreadable.items() if c in columns}
    if unreadable:
        yield _unreadable(unreadable)
    if conflicts:
        yield f"{conflicts} cell(s) came twice with different values and are missing (NaN)"
    if report.bad_dates:
        samples = ", ".join(repr(s) for s in report.bad_date_samples)
        yield f"{report.bad_dates} row(s) dropped, their date or time is unreadable ({samples})"
    if report.outside:
        yield f"{report.outside} row(s) dropped, they lie outside the window that was asked for"


def _silent(topics: Iterable[str], elements: Iterable[str]) -> Iterable[str]:
    for what, names in (("topic", list(topics)), ("element", list(elements))):
        if names:
            yield f"{what} {', '.join(names)} returned no column (has this meter that {what}?)"


def _unreadable(cells: Mapping[str, tuple[int, tuple[str, ...]]]) -> str:
    count = sum(n for n, _ in cells.values())
    column, (_, samples) = max(cells.items(), key=lambda item: item[1][0])
    shown = ", ".join(repr(s) for s in samples)
    return (
        f"{count} cell(s) in {len(cells)} column(s) are text that is no number and are missing "
        f"(NaN), most in {column}: {shown}"
    )


def _ordinary(report: Report, columns: Sequence[str], dropped: Sequence[str]) -> Iterable[str]:
    for what, counts in (("absent", report.absent), ("blank", report.blank)):
        count = sum(n for c, n in counts.items() if c in columns)
        if count:
            yield f"{count} {what} cell(s), read as missing (NaN)"
    if report.duplicates:
        yield f"{report.duplicates} duplicate row(s), counted once"
    if dropped:
        topics = dict.fromkeys(_columns.parse(c).topic for c in dropped)
        yield f"{len(dropped)} column(s) dropped, not asked for: {', '.join(topics)}"
