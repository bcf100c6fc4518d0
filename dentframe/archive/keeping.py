"""From an answer of the service to what the archive keeps of it. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dentframe.archive.holding import Holding
from dentframe.archive.record import Record
from dentframe.cloud.policy import FOREVER, complete, lifetime
from dentframe.cloud.wire_report import Page, Report
from dentframe.columns import ordered
from dentframe.errors import ConfigError
from dentframe.reading import frame as _frame

if TYPE_CHECKING:
    from dentframe.cloud.job import Answer


def holding_of(answer: Answer, read_at: datetime) -> Holding:
    """What there is to keep of an answer.

    Raises
    ------
    ConfigError
        Where the answer is an error, or `read_at` has no time zone.
    """
    _check(answer, read_at)
    columns = ordered(dict.fromkeys(c for page in answer.pages for c in page.columns))
    table = _frame.join(answer.pages, columns)
    report = sum((page.report for page in answer.pages), Report.zero())
    report = replace(report, conflicts={**report.conflicts, **table.conflicting})
    page = Page(answer.window, table.columns, table.minutes, table.values, report)
    record = _record(answer, page, read_at.astimezone(UTC))
    return Holding((record,), table.columns, table.minutes, table.values)


def _record(answer: Answer, page: Page, read_at: datetime) -> Record:
    topics = answer.job.topics
    seconds = lifetime(page, topics, read_at)
    return Record(
        window=answer.window,
        topics=topics,
        read_at=read_at,
        until=None if seconds == FOREVER else read_at.timestamp() + seconds,
        complete=complete(page, topics),
        columns=page.columns,
        report=page.report,
    )


def _check(answer: Answer, read_at: datetime) -> None:
    if answer.error is not None:
        raise ConfigError(
            f"Cannot keep {answer.job.meter} {answer.window}: it was not read ({answer.error}). "
            "Keep answers without an error only."
        )
    if read_at.tzinfo is None:
        raise ConfigError(
            f"Cannot keep {answer.job.meter} {answer.window} as read at {read_at}: that has no "
            "time zone. Give an aware datetime, as datetime.now(UTC)."
        )
