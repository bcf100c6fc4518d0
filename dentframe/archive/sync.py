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
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

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


@dataclass(frozen=True)
class Need:
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


@dataclass(frozen=True)
class FleetPlan:
    """What a sync has to read, meter after meter.

    Attributes
    ----------
    needs : dict
        Meter to its need.
    topics : tuple of str
        The request keys.
    """

    needs: Mapping[str, Need]
    topics: tuple[str, ...]

    def jobs(self) -> Iterator[Job]:
        """The jobs one by one, a meter's years in order, so that few are open at a time."""
        for meter, need in self.needs.items():
            for window in need.windows:
                yield Job(meter, window, self.topics)

    @property
    def windows(self) -> int:
        """How many windows are to be read."""
        return sum(len(need.windows) for need in self.needs.values())

    @property
    def requests(self) -> int:
        """How many getData requests that takes, where no answer is too large."""
        return self.windows - sum(need.free for need in self.needs.values())

    @property
    def held(self) -> int:
        """How many windows of the span the archive holds already."""
        return sum(need.held for need in self.needs.values())


@dataclass
class Planner:
    """Plans meter after meter; what many meters need alike is kept once.

    Attributes
    ----------
    start, end : datetime
        The half-open span, aware.
    now : datetime
        Nothing that begins later is asked for.
    """

    start: datetime
    end: datetime
    now: datetime
    _known: dict[tuple[object, ...], Need] = field(default_factory=dict, repr=False)

    def need(
        self, held: Iterable[Window], cached: Iterable[Window], bytes_per_hour: float | None = None
    ) -> Need:
        """What a meter needs, given what archive and cache hold of it.

        Parameters
        ----------
        held : iterable of Window
            What the archive need not be given again.
        cached : iterable of Window
            What the client's cache serves.
        bytes_per_hour : float, optional
            What an hour of the meter weighs in an answer [B/h].
        """
        mine, free = frozenset(held), frozenset(cached)
        key = (mine, free, bytes_per_hour)
        if key not in self._known:
            self._known[key] = self._plan(mine, free, bytes_per_hour)
        return self._known[key]

    def _plan(
        self, held: frozenset[Window], cached: frozenset[Window], bytes_per_hour: float | None
    ) -> Need:
        known = {} if bytes_per_hour is None else {"bytes_per_hour": bytes_per_hour}
        chosen = plan(self.start, self.end, now=self.now, cached=held | cached, **known)
        windows = tuple(window for window in chosen if window not in held)
        free = sum(window in cached for window in windows)
        return Need(windows, free, len(chosen) - len(windows))


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
        plan = _plan(store, client, request, now)
        with _Run(store, plan, Bar(plan.windows, plan.requests, client.rate, progress)) as run:
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


def _plan(store: Archive, client: DentCloud, request: Request, now: pd.Timestamp) -> FleetPlan:
    planner, topics = Planner(request.start, request.end, now), request.topics
    needs = {
        meter: planner.need(
            store.held(meter, topics, now=now),
            client.held(meter, topics),
            client.bytes_per_hour(meter, topics),
        )
        for meter in request.meters
    }
    return FleetPlan(needs, topics)


@dataclass
class _Run:
    """One sync under way.

    Attributes
    ----------
    store : Archive
        Where answers are kept.
    plan : FleetPlan
        What there is to read.
    bar : Bar
        Shows how far it is.
    """

    store: Archive
    plan: FleetPlan
    bar: Bar
    counts: Counts = field(default_factory=Counts)
    failures: list[Missing] = field(default_factory=list)
    stopped: DentError | None = None
    _left: Counter[str] = field(default_factory=Counter)
    _settling: Future[None] | None = None
    _pool: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="dentframe-settle")
    )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.bar.close()
        self._pool.shutdown()
        if kind is None or issubclass(kind, AuthError):
            self._wait()
            with _writing(self.store):
                self.store.settle()  # also what a sync that was killed has left

    def all(self, client: DentCloud) -> None:
        """Read it all."""
        for answer in client.read(self._jobs(), eager=False, store=False):
            self._take(answer)
            self.bar.step(asked=not answer.cached)

    def _jobs(self) -> Iterator[Job]:
        for meter, need in self.plan.needs.items():
            self._left[meter] = len(need.windows)
        for job in self.plan.jobs():
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
            self._settle(answer.job.meter)

    def _fail(self, job: Job, reason: str) -> None:
        self.failures.append(Missing(job.meter, str(job.window), reason))

    def _settle(self, meter: str) -> None:
        # Beside the reading: while a meter's years are written, the next one is asked for.
        self._wait()
        self._settling = self._pool.submit(self.store.settle, meter)

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
        held=run.plan.held,
        failures=tuple(run.failures),
        bytes=counts.size,
        seconds=seconds,
        stopped=None if run.stopped is None else str(run.stopped),
        damaged=tuple(damaged),
    )
