"""The windows of one read are read in threads: from the cache, or asked for.

A job is one window of one meter, an :class:`Answer` what became of it. What is too large to be
asked for at once is cut smaller. Answers come back in the caller's thread, and no thread
outlives the read.
"""

from __future__ import annotations

import contextlib
import queue
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, cast

from dentframe.cloud.planner import pieces
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
    warn,
)
from dentframe.wire.columns import topic_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from dentframe.cloud.http_cache import HttpCache
    from dentframe.cloud.planner import Sizes, Window
    from dentframe.cloud.requests_and_responses import Value
    from dentframe.wire.page import Page


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
    def window(self) -> Window:
        """The window of the job."""
        return self.job.window

    @property
    def rows(self) -> int:
        """Rows in its pages."""
        return sum(len(page.minutes) for page in self.pages)


def narrow(page: Page, topics: Iterable[str]) -> Page:
    """Leave out the columns of topics that were not asked for."""
    wanted = set(topics)
    keep = [i for i, column in enumerate(page.columns) if topic_of(column) in wanted]
    if len(keep) == len(page.columns):
        return page
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
        candidates.remove(best)
        rest -= best
    return chosen, rest


def stops_all(error: DentError) -> bool:
    """Whether an error ends the whole read: a refused key, a used-up quota, an outage."""
    quota = isinstance(error, RateLimitError) and not error.retryable
    return quota or isinstance(error, (AuthError, OutageError, StoppedError))


@dataclass
class _Cost:
    """What one job has cost so far; times are POSIX [s]."""

    read_at: float
    same_since: float = 0.0
    sends: int = 0
    size: int = 0


@dataclass
class WindowReader:
    """Reads the windows of one read.

    Attributes
    ----------
    ask : callable
        Sends an :class:`ApiRequest` and returns its page and the size of its body.
    offline : bool
        Whether nothing may be asked: what is kept is served, whatever its age.
    cache : HttpCache or None
        The kept answers.
    sizes : Sizes
        What is known about sizes.
    now : callable
        The present, aware.
    stale_if_error : bool
        Whether an outdated answer may stand in for one that failed.
    store : bool
        Whether the cache may keep what is asked for.
    """

    ask: Callable[[ApiRequest], tuple[Value, int]]
    offline: bool
    cache: HttpCache | None
    sizes: Sizes
    now: Callable[[], datetime]
    stale_if_error: bool = False
    store: bool = True
    state: Cancellation = field(default_factory=Cancellation)
    stale: list[tuple[str, Window, float]] = field(default_factory=list)

    def serve(self, job: Job) -> Answer:
        """Do one job; an error becomes part of the answer."""
        start, cost = time.perf_counter(), _Cost(self.now().timestamp())
        try:
            pages = tuple(self._pages(job, cost))
        except Exception as found:  # noqa: BLE001 - whatever it is, the other windows go on
            error = found if isinstance(found, DentError) else _unforeseen(job, found)
            LOGGER.info("%s %s: %s after %d sends", job.meter, job.window, error, cost.sends)
            return Answer(job, error=error, sends=cost.sends)
        times = (datetime.fromtimestamp(at, UTC) for at in (cost.read_at, cost.same_since))
        answer = Answer(job, pages, None, cost.sends == 0, cost.sends, cost.size, *times)
        LOGGER.info(
            "%s %s: %d rows, %d bytes, %.0f ms, %s",
            *(job.meter, job.window, answer.rows, cost.size),
            (time.perf_counter() - start) * 1000,
            "cached" if answer.cached else f"{cost.sends} sends",
        )
        return answer

    def _pages(self, job: Job, cost: _Cost) -> list[Page]:
        pages, rest = self._kept(job, cost, any_age=self.offline)
        if not rest:
            return pages
        if self.offline:
            raise OfflineError(
                f"Cannot read {job.meter} {job.window} offline: the cache lacks "
                f"{', '.join(rest)}. Read it once with offline=False."
            )
        try:
            return pages + self._asked(replace(job, topics=rest), cost)
        except DentError as error:
            if stops_all(error):
                self.state.stop(error)
            old = self._instead(job, error, cost)
            if old is None:
                raise
            return old

    def _asked(self, job: Job, cost: _Cost) -> list[Page]:
        now = self.now()
        what = job.meter, job.window, job.topics
        smaller = pieces(job.window, job.topics)
        if not smaller or not self.sizes.too_large(*what, now.timestamp()):
            predicted = self.sizes.predict(*what)
            request = ApiRequest("getData", *what, self.state, predicted, store=self.store)
            try:
                return [self._send(request, cost)]
            except TooLargeError:
                self.sizes.refuse(*what, now.timestamp())
                if not smaller:
                    raise
        parts = (Job(job.meter, *part) for part in smaller if part[0].start <= now)
        return [page for part in parts for page in self._pages(part, cost)]

    def _send(self, request: ApiRequest, cost: _Cost) -> Page:
        """Ask; two 502s that say nothing are settled by asking for less."""
        try:
            return self._send_once(request, cost)
        except SuspectError:
            if self._answers_to_less(request, cost):
                raise TooLargeError(
                    f"Cannot read {request}: 502, though less of it can be read."
                ) from None
        request.probed = True
        return self._send_once(request, cost)

    def _send_once(self, request: ApiRequest, cost: _Cost) -> Page:
        before = request.sends
        try:
            value, size = self.ask(request)
        finally:
            cost.sends += request.sends - before
        page = cast("Page", value)
        cost.size += size
        cost.same_since = self.now().timestamp()
        self.sizes.learn(request.meter, page, size)
        return page

    def _answers_to_less(self, request: ApiRequest, cost: _Cost) -> bool:
        less = pieces(request.window, request.topics[:1]) if request.window is not None else []
        if not less:
            return False
        probe = ApiRequest(
            "getData", request.meter, *less[0], self.state, probe=True, store=self.store
        )
        try:
            self._send_once(probe, cost)
        except DentError as error:
            if stops_all(error):
                raise
            return False
        return True

    def _kept(self, job: Job, cost: _Cost, *, any_age: bool) -> tuple[list[Page], tuple[str, ...]]:
        """Return pages from what is kept, and the topics that are left to ask for."""
        if self.cache is None:
            return [], job.topics
        entries = self.cache.servable(job.meter, job.window, any_age=any_age)
        chosen, rest = choose_sets({entry.topics for entry in entries}, job.topics)
        if rest and not any_age and (job.window.end > self.now() or not self.store):
            # An open window grows: parts of different ages would be ragged. And who stores them
            # elsewhere dates them by the oldest: new parts would count as old ones.
            return [], job.topics
        pages = []
        for topics, use in chosen:
            request = ApiRequest("getData", job.meter, job.window, tuple(topics), self.state)
            found = self.cache.value(request, any_age=any_age)
            if found is None:
                rest |= use
                continue
            page, kept = cast("Page", found[0]), found[1]
            pages.append(page if topics == use else narrow(page, use))
            cost.size += len(kept.body)
            cost.read_at = min(cost.read_at, kept.created)
            cost.same_since = max(cost.same_since, kept.same_since)
        return pages, tuple(topic for topic in job.topics if topic in rest)

    def _instead(self, job: Job, error: DentError, cost: _Cost) -> list[Page] | None:
        """Return outdated pages, where that was asked for and they are all there."""
        passing = error.retryable or isinstance(error, (DecodeError, RateLimitError))
        if self.cache is None or not (self.stale_if_error and passing):
            return None
        outdated = _Cost(cost.read_at)
        pages, rest = self._kept(job, outdated, any_age=True)
        if rest:
            return None
        cost.read_at = outdated.read_at  # an archive must not take it for new
        created = [e.created for e in self.cache.servable(job.meter, job.window, any_age=True)]
        self.stale.append((job.meter, job.window, self.cache.now() - min(created)))
        return pages


def warn_stale(stale: Sequence[tuple[str, Window, float]]) -> None:
    """Warn about outdated answers, naming windows and ages."""
    named = ", ".join(f"{meter} {window} ({_age(age)} old)" for meter, window, age in stale[:12])
    more = f" and {len(stale) - 12} more" if len(stale) > 12 else ""
    warn(
        f"DentCloud failed, so outdated answers were served for {named}{more}. "
        "Read them again later.",
        StaleDataWarning,
    )


def _age(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _unforeseen(job: Job, error: Exception) -> DentError:
    found = DentError(
        f"Cannot read {job.meter} {job.window}: {type(error).__name__} ({error}), which "
        "dentframe did not foresee. Read it again; if it stays so, please report it."
    )
    found.__cause__ = error
    return found
