"""`sync` copies a portfolio into an archive: it plans, asks, keeps and settles.

What is asked for is what the archive lacks: the windows of each meter that it does not hold for
good. Each answer is on the disk before the next one is taken.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from dentframe.archive import files
from dentframe.archive.store import opened
from dentframe.archive.sync_report import Bar, Counts, Missing, SyncReport
from dentframe.cloud.client import default_client
from dentframe.cloud.fetch import Job, stops_all
from dentframe.cloud.planner import Window, plan
from dentframe.errors import AuthError, ConfigError
from dentframe.frame.request import resolve
from dentframe.times.ranges import time_range

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from dentframe.archive.store import Archive
    from dentframe.cloud.client import DentCloud
    from dentframe.cloud.fetch import Answer
    from dentframe.errors import DentError
    from dentframe.frame.request import Request


class Need(NamedTuple):
    """What one meter needs.

    Attributes
    ----------
    windows : tuple of Window
        To be read, in the order of time.
    free : int
        How many of them the client's cache serves.
    held : int
        How many windows of the span the archive holds already.
    """

    windows: tuple[Window, ...]
    free: int
    held: int


@lru_cache(maxsize=256)  # what thousands of meters need alike is there once
def need(
    start: datetime,
    end: datetime,
    now: datetime,
    held: frozenset[Window] = frozenset(),
    cached: frozenset[Window] = frozenset(),
    bytes_per_hour: float | None = None,
) -> Need:
    """What a meter needs of a span, given what archive and cache hold of it.

    Parameters
    ----------
    start, end, now : datetime
        The half-open span, and the present: nothing that begins later is asked for.
    held, cached : frozenset of Window
        What the archive need not be given again; what the client's cache serves.
    bytes_per_hour : float, optional
        What an hour of the meter weighs in an answer [B/h].
    """
    size = {} if bytes_per_hour is None else {"bytes_per_hour": bytes_per_hour}
    chosen = plan(start, end, now=now, cached=held | cached, **size)
    windows = tuple(window for window in chosen if window not in held)
    return Need(windows, len(cached.intersection(windows)), len(chosen) - len(windows))


def jobs(needs: Mapping[str, Need], topics: tuple[str, ...]) -> Iterator[Job]:
    """The jobs one by one, a meter's years in order, so that few are open at a time."""
    return (Job(m, window, topics) for m, one in needs.items() for window in one.windows)


def sync(
    meters: Any,
    start: Any,
    end: Any = None,
    topics: Any = None,
    *,
    archive: Any,
    client: DentCloud | None = None,
    progress: bool | None = None,
) -> SyncReport:
    """Bring an archive up to date with the cloud.

    Asks for the windows of the span that the archive does not hold for good, meter after
    meter, within the account's limits. Each answer is safe on disk before the next is asked
    for, so a sync can be killed at any moment, and the next one asks for the rest. Windows
    that are open, or ended less than 48 h before they were read, or are incomplete, are read
    again as the reader's cache would: late data is picked up.

    Parameters
    ----------
    meters : str, list of str or None
        A meter, several, or None for all of getMeters. An element stands for its whole meter.
    start, end : str, date, datetime, Timestamp or Period
        The half-open range ``[start, end)``, naive values in UTC. ``end=None``: `start`
        names a whole year, month or day; ``end="now"``: up to now. What is synced is the
        whole UTC windows that contain it.
    topics : str or list of str, optional
        Request keys, or units where no key matches. None: all.
    archive : Archive or path-like
        The archive, or its folder, which is made where it is missing.
    client : DentCloud, optional
        By default one per process. Its cache serves what it holds, and is not filled.
    progress : bool, optional
        Show a progress bar on standard error; None: in a terminal or a notebook.

    Returns
    -------
    SyncReport
        Counts of requests and windows, and ``.missing``: what could not be read, and why. A
        window that fails does not stop the others; an outage or a used-up quota does, and
        what is left is missing for that reason.

    Raises
    ------
    RangeError, UnknownTopicError, UnknownMeterError
        Where an argument cannot be meant.
    ConfigError
        Where another sync of the archive is under way, or the archive cannot be written.
    AuthError
        Where the service refuses the key; what was read until then is kept.

    Examples
    --------
    >>> report = sync("P482311252", "2023-12", topics="kWHNet", archive="meters", progress=False)
    >>> report.ok, report.requests
    (True, 1)
    >>> sync("P482311252", "2023-12", topics="kWHNet", archive="meters", progress=False).requests
    0
    """
    client = client or default_client()
    now = pd.Timestamp(client.now())
    span = time_range(start, end, "UTC", now=now)
    request = resolve(client, client.get_meters() if meters is None else meters, span, topics)
    store = opened(archive)
    begun = time.monotonic()
    with files.lock(store.path):
        with _writing(store):
            _sweep(store)
            store.keep_topics(client.get_topics())
            damaged = _mend(store, request)
        needs = _needs(store, client, request, now)
        windows = sum(len(one.windows) for one in needs.values())
        requests = windows - sum(one.free for one in needs.values())
        run = _Run(store, needs, request.topics, Bar(windows, requests, client.rate, progress))
        run.all(client)
    return _report(store, request, run, damaged, time.monotonic() - begun)


def _sweep(store: Archive) -> None:
    """Remove what a killed sync was writing: it never took its place."""
    for half in (store.path / files.OWN / "aside").glob("*"):
        half.unlink(missing_ok=True)


def _mend(store: Archive, request: Request) -> list[Missing]:
    """Set aside what is damaged of the years to be synced, so that it is asked for again."""
    years = range(request.start.year, request.end.year + 1)
    return [
        Missing(meter, window, reason)
        for meter in request.meters
        for window, reason in store.meter(meter).mend(years)
    ]


def _needs(
    store: Archive, client: DentCloud, request: Request, now: pd.Timestamp
) -> dict[str, Need]:
    topics = request.topics
    return {
        meter: need(
            request.start,
            request.end,
            now,
            frozenset(store.held(meter, topics, now=now)),
            frozenset(client.held(meter, topics)),
            client.bytes_per_hour(meter, topics),
        )
        for meter in request.meters
    }


@dataclass
class _Run:
    """One sync under way."""

    store: Archive
    needs: Mapping[str, Need]
    topics: tuple[str, ...]
    bar: Bar
    counts: Counts = field(default_factory=Counts)
    failures: list[Missing] = field(default_factory=list)
    stopped: DentError | None = None
    _left: Counter[str] = field(default_factory=Counter)
    _settling: Future[None] | None = None
    _pool: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="dentframe-settle")
    )

    def all(self, client: DentCloud) -> None:
        """Read it all; after a refused key what was read is settled too."""
        self._left.update({meter: len(one.windows) for meter, one in self.needs.items()})
        with contextlib.closing(self.bar), self._pool:
            try:
                for answer in client.read(self._jobs(), eager=False, store=False):
                    self._take(answer)
                    self.bar.step(asked=not answer.cached)
            except AuthError:
                self._settle()
                raise
            self._settle()

    def _jobs(self) -> Iterator[Job]:
        for job in jobs(self.needs, self.topics):
            if self.stopped is None:
                yield job
            else:
                self._fail(job, f"not asked for, since: {self.stopped}")

    def _take(self, answer: Answer) -> None:
        self.counts = self.counts.plus(answer)
        if answer.error is not None:
            self._fail(answer.job, str(answer.error))
            self.stopped = answer.error if stops_all(answer.error) else self.stopped
        elif answer.read_at is not None:
            with _writing(self.store):
                self.store.keep(answer, answer.read_at)
        self._left[answer.job.meter] -= 1
        if not self._left[answer.job.meter]:
            del self._left[answer.job.meter]
            # Beside the reading: while a meter's years are written, the next one is asked for.
            self._wait()
            self._settling = self._pool.submit(self.store.settle, answer.job.meter)

    def _fail(self, job: Job, reason: str) -> None:
        self.failures.append(Missing(job.meter, str(job.window), reason))

    def _settle(self) -> None:
        """Settle the rest, also what a sync that was killed has left."""
        self._wait()
        with _writing(self.store):
            self.store.settle()

    def _wait(self) -> None:
        if self._settling is not None:
            with _writing(self.store):
                self._settling.result()


@contextlib.contextmanager
def _writing(store: Archive) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"Cannot write to the archive {store.path}: {error}. What was kept before is safe. "
            "Make room, or see who may write there, and sync again: it goes on where it was."
        ) from error


def _report(
    store: Archive, request: Request, run: _Run, damaged: Iterable[Missing], seconds: float
) -> SyncReport:
    counts = run.counts
    return SyncReport(
        archive=str(store.path),
        meters=len(request.meters),
        start=request.start,
        end=request.end,
        topics=request.topics,
        requests=counts.requests,
        kept=counts.kept,
        empty=counts.empty,
        held=sum(one.held for one in run.needs.values()),
        failures=tuple(run.failures),
        bytes=counts.size,
        seconds=seconds,
        stopped=None if run.stopped is None else str(run.stopped),
        damaged=tuple(damaged),
    )
