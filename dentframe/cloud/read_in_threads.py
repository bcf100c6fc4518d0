"""The windows of one read are read in threads: from the cache, or asked for.

A job is one window of one meter, an :class:`Answer` what became of it. What is too large to be
asked for at once is cut smaller. Answers come back in the caller's thread, and no thread
outlives the read.
"""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, cast

from dentframe.cloud.planner import Window, pieces
from dentframe.cloud.requests_and_responses import (
    LOGGER,
    ApiRequest,
    Cancellation,
    StoppedError,
    SuspectError,
    TooLargeError,
)
from dentframe.cloud.retry import OutageError
from dentframe.errors import (
    AuthError,
    DecodeError,
    DentError,
    OfflineError,
    RateLimitError,
    StaleDataWarning,
    first_of,
    warn,
)
from dentframe.wire.columns import topic_of

if TYPE_CHECKING:
    from dentframe.cloud.client import Service
    from dentframe.wire.pages_and_bad_cells import Page


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


@dataclass
class Answer:
    """What became of a job, or what has become of it so far.

    Attributes
    ----------
    job : Job
        The job.
    pages : tuple of Page
        What was found; more than one where it was cut, or joined from what was kept.
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
    same_since : datetime or None
        When the same readings were read first, as far as the cache knows.
    """

    job: Job
    pages: tuple[Page, ...] = ()
    error: DentError | None = None
    cached: bool = False
    sends: int = 0
    size: int = 0
    read_at: datetime | None = None
    same_since: datetime | None = None

    @property
    def rows(self) -> int:
        """Rows in its pages."""
        return sum(len(page.minutes) for page in self.pages)

    @property
    def window(self) -> Window:
        """The window of the job."""
        return self.job.window


def narrow(page: Page, topics: Iterable[str]) -> Page:
    """Leave out the columns of topics that were not asked for."""
    wanted = set(topics)
    keep = [i for i, column in enumerate(page.columns) if topic_of(column) in wanted]
    columns = tuple(page.columns[i] for i in keep)
    values = page.values[:, keep].copy(order="F")
    return replace(page, columns=columns, values=values, report=page.report.narrow(columns))


def run(
    reader: WindowReader, jobs: Iterable[Job], workers: int, at_once: int | None = None
) -> Iterator[Answer]:
    """Do the jobs in threads, and yield their answers as they come.

    With `at_once` never more than so many jobs are under way or not yet dealt with: the next one
    is taken when the caller comes back for more.

    When the caller stops early, by an interrupt or otherwise, what is under way is cut.
    """
    done: queue.SimpleQueue[Future[Answer]] = queue.SimpleQueue()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="dentframe-read")
    reader.state.decoder = decoder = ThreadPoolExecutor(1, thread_name_prefix="dentframe-decode")
    waiting, under_way, finished = iter(jobs), 0, False
    try:
        while True:
            for job in islice(waiting, at_once):
                pool.submit(reader.serve, job).add_done_callback(done.put)
                under_way += 1
            if not under_way:
                break
            future: Future[Answer] | None = None
            while future is None:  # in steps: Windows cannot interrupt a wait without an end
                with contextlib.suppress(queue.Empty):
                    future = done.get(timeout=0.5)
            yield future.result()
            under_way, at_once = under_way - 1, 1
        finished = True
    finally:
        if not finished:
            reader.state.cancel()
        pool.shutdown(wait=True, cancel_futures=True)
        decoder.shutdown()


def choose_sets(
    kept: Iterable[frozenset[str]], topics: Iterable[str]
) -> tuple[list[tuple[frozenset[str], frozenset[str]]], frozenset[str]]:
    """Choose which kept sets of topics to use and for which topics, and what is left.

    One that holds all is used alone, the smallest first; else the ones that add most.
    """
    rest = frozenset(topics)
    chosen: list[tuple[frozenset[str], frozenset[str]]] = []
    candidates = sorted(kept, key=lambda one: (len(one), sorted(one)))
    while rest and candidates:
        best = max(candidates, key=lambda one: len(one & rest))
        if not best & rest:
            break
        chosen.append((best, best & rest))
        rest -= best
    return chosen, rest


def stops_all(error: DentError) -> bool:
    """Whether an error ends the whole read: a refused key, a used-up quota, an outage."""
    quota = isinstance(error, RateLimitError) and not error.retryable
    return quota or isinstance(error, (AuthError, OutageError, StoppedError))


@dataclass
class WindowReader:
    """Reads the windows of one read.

    Attributes
    ----------
    service : Service
        The service and what is kept of it.
    state : Cancellation
        What ends the read, and whether the cache may keep what is asked for.
    stale : list of tuple
        The outdated answers that were served: meter, window, age [s].
    """

    service: Service
    state: Cancellation
    stale: list[tuple[str, Window, float]] = field(default_factory=list)

    def serve(self, job: Job) -> Answer:
        """Do one job; an error becomes part of the answer."""
        start, answer = time.perf_counter(), Answer(job, read_at=self.service.retrier.now())
        try:
            answer.pages = tuple(self._pages(job, answer))
        except DentError as found:
            error = found
        except Exception as found:  # noqa: BLE001 - whatever it is, the other windows go on
            error = DentError(
                f"Cannot read {job.meter} {job.window}: {type(found).__name__} ({found}), "
                "which dentframe did not foresee. Read it again; if it stays so, please report it."
            )
            error.__cause__ = found
        else:
            answer.cached = answer.sends == 0
            LOGGER.info(
                "%s %s: %d rows, %d bytes, %.0f ms, %s",
                *(job.meter, job.window, answer.rows, answer.size),
                (time.perf_counter() - start) * 1000,
                "cached" if answer.cached else f"{answer.sends} sends",
            )
            return answer
        LOGGER.info("%s %s: %s after %d sends", job.meter, job.window, error, answer.sends)
        return Answer(job, error=error, sends=answer.sends)

    def _pages(self, job: Job, answer: Answer) -> list[Page]:
        pages, rest = self._kept(job, answer, any_age=self.service.offline)
        if not rest:
            return pages
        if self.service.offline:
            raise OfflineError(
                f"Cannot read {job.meter} {job.window} offline: the cache lacks "
                f"{', '.join(rest)}. Read it once with offline=False."
            )
        try:
            return pages + self._asked(replace(job, topics=rest), answer)
        except DentError as error:
            if stops_all(error):
                self.state.stop(error)
            old = self._outdated(job, error, answer)
            if old is None:
                raise
            return old

    def _asked(self, job: Job, answer: Answer) -> list[Page]:
        now, sizes = self.service.retrier.now(), self.service.sizes
        what = job.meter, job.window, job.topics
        smaller = pieces(job.window, job.topics)
        if not smaller or not sizes.too_large(*what, now.timestamp()):
            request = ApiRequest("getData", *what, self.state, sizes.predict(*what))
            try:
                return [self._settled(request, answer)]
            except TooLargeError:
                sizes.refuse(*what, now.timestamp())
                if not smaller:
                    raise
        parts = (Job(job.meter, *part) for part in smaller if part[0].start <= now)
        return [page for part in parts for page in self._pages(part, answer)]

    def _settled(self, request: ApiRequest, answer: Answer) -> Page:
        """Ask; two 502s that say nothing are settled by asking for less, once."""
        with contextlib.suppress(SuspectError):
            return self._send(request, answer)
        less = pieces(cast("Window", request.window), request.topics[:1])
        if less:
            probe = ApiRequest("getData", request.meter, *less[0], self.state, probe=True)
            try:
                self._send(probe, answer)
            except DentError as error:
                if stops_all(error):
                    raise
            else:
                raise TooLargeError(f"Cannot read {request}: 502, though less of it can be read.")
        request.probed = True
        return self._send(request, answer)

    def _send(self, request: ApiRequest, answer: Answer) -> Page:
        before = request.sends
        try:
            value, size = self.service.fetch(request)
        finally:
            answer.sends += request.sends - before
        page = cast("Page", value)
        answer.size += size
        answer.same_since = self.service.retrier.now()
        self.service.sizes.learn(request.meter, page, size)
        return page

    def _kept(
        self, job: Job, answer: Answer, *, any_age: bool
    ) -> tuple[list[Page], tuple[str, ...]]:
        """Return pages from what is kept, and the topics that are left to ask for."""
        cache = self.service.cache
        entries = cache.servable(job.meter, job.window, any_age=any_age)
        chosen, rest = choose_sets({entry.topics for entry in entries}, job.topics)
        store, now = self.state.store, self.service.retrier.now
        if rest and not any_age and not (store and job.window.end <= now()):
            # An open window grows: parts of different ages would be ragged. And who stores them
            # elsewhere dates them by the oldest: new parts would count as old ones.
            return [], job.topics
        pages = []
        for topics, use in chosen:
            request = ApiRequest("getData", job.meter, job.window, tuple(topics), self.state)
            found = cache.value(request, any_age=any_age)
            if found is None:
                rest |= use
                continue
            page, kept = cast("Page", found[0]), found[1]
            pages.append(page if topics == use else narrow(page, use))
            answer.size += len(kept.body)
            answer.read_at = min(answer.read_at or kept.created, kept.created)
            answer.same_since = max(answer.same_since or kept.same_since, kept.same_since)
        return pages, tuple(topic for topic in job.topics if topic in rest)

    def _outdated(self, job: Job, error: DentError, answer: Answer) -> list[Page] | None:
        """Return outdated pages, where that was asked for and they are all there."""
        passing = error.retryable or isinstance(error, (DecodeError, RateLimitError))
        if not (self.service.stale_if_error and passing):
            return None
        outdated = Answer(job)
        pages, rest = self._kept(job, outdated, any_age=True)
        if rest or outdated.read_at is None:
            return None
        # An archive must not take it for new.
        answer.read_at = min(answer.read_at or outdated.read_at, outdated.read_at)
        age = self.service.retrier.now() - outdated.read_at
        self.stale.append((job.meter, job.window, age.total_seconds()))
        return pages


def warn_stale(stale: Sequence[tuple[str, Window, float]]) -> None:
    """Warn about outdated answers, naming windows and ages."""
    named = [f"{meter} {window} ({_age(age)} old)" for meter, window, age in stale]
    warn(
        f"DentCloud failed, so outdated answers were served for {first_of(named, 12)}. "
        "Read them again later.",
        StaleDataWarning,
    )


def _age(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
