"""What a read is made of: a job is one window of one meter, an answer what became of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dentframe.cloud.policy import topic_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from dentframe.cloud.windows import Window
    from dentframe.cloud.wire import Page, Report
    from dentframe.errors import DentError

__all__ = ["Answer", "Job", "narrow", "narrow_report"]


@dataclass(frozen=True)
class Job:
    """One window of one meter that a read needs.

    Attributes
    ----------
    meter : str
        The meter.
    window : Window
        The month, day or hour.
    topics : tuple of str
        The request keys.
    """

    meter: str
    window: Window
    topics: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """What became of a job.

    Attributes
    ----------
    job : Job
        The job.
    pages : tuple of Page
        What was found; more than one where it was cut, or joined from what was held.
    error : DentError or None
        Why it is missing.
    cached : bool
        Whether no request was sent for it.
    sends : int
        Requests sent for it.
    size : int
        The bodies together [B].
    read_at : datetime or None
        When the service was asked, for the oldest of its pages.
    """

    job: Job
    pages: tuple[Page, ...] = ()
    error: DentError | None = None
    cached: bool = False
    sends: int = 0
    size: int = 0
    read_at: datetime | None = None

    @property
    def window(self) -> Window:
        """The window of the job."""
        return self.job.window

    @property
    def rows(self) -> int:
        """Rows in its pages."""
        return sum(len(page.minutes) for page in self.pages)


def narrow(page: Page, topics: Sequence[str]) -> Page:
    """Leave out the columns of topics that were not asked for."""
    wanted = set(topics)
    keep = [i for i, column in enumerate(page.columns) if topic_of(column) in wanted]
    if len(keep) == len(page.columns):
        return page
    columns = tuple(page.columns[i] for i in keep)
    values = page.values[:, keep].copy(order="F")
    report = narrow_report(page.report, set(columns))
    return replace(page, columns=columns, values=values, report=report)


def narrow_report(report: Report, columns: set[str]) -> Report:
    """Leave out the counts of other columns."""
    return replace(
        report,
        absent={c: n for c, n in report.absent.items() if c in columns},
        blank={c: n for c, n in report.blank.items() if c in columns},
        unreadable={c: n for c, n in report.unreadable.items() if c in columns},
        unexpected={c: n for c, n in report.unexpected.items() if c in columns},
        conflicts={c: n for c, n in report.conflicts.items() if c in columns},
    )
