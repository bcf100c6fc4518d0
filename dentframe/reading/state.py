"""One read in progress: which windows to ask, what came, what is missing.

The network and the disk are behind the source; everything else here is bookkeeping.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from dentframe.cloud.job import Job
from dentframe.cloud.windows import Window, covers, plan
from dentframe.reading import frame as _frame

if TYPE_CHECKING:
    from dentframe.cloud.wire import Page
    from dentframe.errors import DentError
    from dentframe.reading.request import Request
    from dentframe.reading.source import Source

Progress = Callable[[Iterable[Any], int], Iterable[Any]]


class Reading:
    """The state of one read, so that it can be taken up again.

    Parameters
    ----------
    source : Source
        Has the windows: a client, an archive, or one before the other.
    request : Request
        What is read.
    bracket : bool
        Whether the readings around the range are wanted too.
    now : pandas.Timestamp
        The present: the future is never asked for.
    """

    def __init__(
        self, source: Source, request: Request, *, bracket: bool, now: pd.Timestamp
    ) -> None:
        self.source = source
        self.request = request
        self.bracket = bracket
        self.now = now
        self.windows = {
            m: planned(source, request, m, bracket=bracket, now=now)[0] for m in request.meters
        }
        self.pages: dict[Job, tuple[Page, ...]] = {}
        self.errors: dict[Job, DentError] = {}

    def run(self, progress: Progress) -> None:
        """Ask for every window that is not here yet, then for brackets still lacking."""
        self._ask(self._jobs(self.windows), progress)
        if self.bracket and not self.errors:
            self._ask(self._jobs({m: self._further(m) for m in self.windows}), progress)

    def _jobs(self, windows: dict[str, list[Window]]) -> list[Job]:
        topics = self.request.topics
        jobs = (Job(meter, w, topics) for meter, found in windows.items() for w in found)
        return [job for job in jobs if job not in self.pages]

    def _ask(self, jobs: Sequence[Job], progress: Progress) -> None:
        for answer in progress(self.source.read(jobs), len(jobs)):
            if answer.error is None:
                self.pages[answer.job] = answer.pages
                self.errors.pop(answer.job, None)
            else:
                self.errors[answer.job] = answer.error

    def _further(self, meter: str) -> list[Window]:
        """The days to look in for brackets that the neighbouring hours did not have."""
        table = self._clipless(meter)
        edges = []
        if not _frame.before(table, self.request.start):
            edges.append(_hour(self.request.start - pd.Timedelta(1, "us")))
        if not _frame.after(table, self.request.end):
            edges.append(_hour(self.request.end))
        asked = self.windows[meter]
        days = [Window(h.year, h.month, h.day) for h in edges]
        return [
            w
            for day in dict.fromkeys(days)
            if not covers(asked, day.start, day.end)
            for w in _around(self.source, self.request, meter, day, self.now)
        ]

    def _clipless(self, meter: str) -> _frame.Table:
        return _frame.join(self.of(meter), ())

    def of(self, meter: str) -> list[Page]:
        """The pages of one meter so far."""
        return [p for job, pages in self.pages.items() if job.meter == meter for p in pages]

    @property
    def missing(self) -> list[Job]:
        """What could not be read, in the order of time."""
        return sorted(self.errors, key=lambda job: (job.meter, job.window))


def planned(
    source: Source,
    request: Request,
    meter: str,
    *,
    bracket: bool,
    now: pd.Timestamp,
) -> tuple[list[Window], set[Window]]:
    """The windows to read for one meter, and those that need no request."""
    held = source.held(meter, request.topics)
    size = source.bytes_per_hour(meter, request.topics)
    known = {} if size is None else {"bytes_per_hour": size}
    windows = plan(request.start, request.end, now=now, cached=held, **known)
    if bracket:
        windows = sorted({*windows, *_neighbours(source, request, meter, windows, now)})
    return windows, held


def _neighbours(
    source: Source, request: Request, meter: str, windows: list[Window], now: pd.Timestamp
) -> Iterator[Window]:
    for hour in (_hour(request.start - pd.Timedelta(1, "us")), _hour(request.end)):
        if not covers(windows, hour.start, hour.end):
            yield from _around(source, request, meter, hour, now)


def _around(
    source: Source, request: Request, meter: str, window: Window, now: pd.Timestamp
) -> list[Window]:
    held = source.held(meter, request.topics)
    return plan(window.start, window.end, now=now, cached=held)


def _hour(instant: pd.Timestamp) -> Window:
    utc = instant.tz_convert("UTC")
    return Window(utc.year, utc.month, utc.day, utc.hour)
