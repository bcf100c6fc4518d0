"""The sync of a portfolio into an archive: plan, ask, keep, settle. The effects are here."""

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

from dentframe.archive import layout
from dentframe.archive.archive import opened
from dentframe.cloud.default import default_client
from dentframe.cloud.reading import stops_all
from dentframe.errors import AuthError, ConfigError
from dentframe.fleet.lock import lock
from dentframe.fleet.plan import FleetPlan, Planner
from dentframe.fleet.progress import Bar
from dentframe.fleet.report import Counts, Missing, SyncReport
from dentframe.instants import time_range
from dentframe.reading.source import resolve

if TYPE_CHECKING:
    from dentframe.archive import Archive
    from dentframe.cloud.client import DentCloud
    from dentframe.cloud.job import Answer, Job
    from dentframe.errors import DentError
    from dentframe.reading.request import Request

__all__ = ["sync"]


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
    with lock(store.path / layout.OWN / "sync.lock", str(store.path)):
        _sweep(store)
        store.keep_topics(client.get_topics())
        plan = _plan(store, client, request, now)
        with _Run(store, plan, Bar(plan.windows, plan.requests, client.rate, progress)) as run:
            run.all(client)
    return _report(store, request, run, time.monotonic() - begun)


def _sweep(store: Archive) -> None:
    """Remove what a killed sync was writing: it never took its place."""
    for half in (store.path / layout.OWN / "aside").glob("*"):
        half.unlink(missing_ok=True)


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


def _report(store: Archive, request: Request, run: _Run, seconds: float) -> SyncReport:
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
    )
