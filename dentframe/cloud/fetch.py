"""The windows of one read, each served from what is held, asked for, or cut smaller.

What a read is made of: a job is one window of one meter, an answer what became of it. Pure.

Jobs in threads: answers come back in the caller's thread, and no thread outlives the read.
"""

from __future__ import annotations

import contextlib
import math
import queue
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

from dentframe.cloud.answer_sizes import pieces
from dentframe.cloud.answers import (
    LOGGER,
    Ask,
    SuspectError,
    TooLargeError,
    cover,
    quoted,
    topic_of,
)
from dentframe.cloud.outage import OutageError, Plan, StoppedError
from dentframe.errors import AuthError, DecodeError, DentError, OfflineError, RateLimitError
from dentframe.wire.decode import decode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from dentframe.cloud.answer_sizes import Sizes
    from dentframe.cloud.http_cache import Shelf
    from dentframe.cloud.planner import Window
    from dentframe.wire.page import Page, Report


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


def run(
    reading: Reading, jobs: Iterable[Job], workers: int, ahead: int | None = None
) -> Iterator[Answer]:
    """Do the jobs in threads, and yield their answers as they come.

    With `ahead` the next job is taken only when the caller comes back for more, so that never
    more than so many are under way or not yet dealt with.

    When the caller stops early, by an interrupt or otherwise, what is under way is cut.
    """
    answers: queue.SimpleQueue[Answer | BaseException] = queue.SimpleQueue()

    def work(job: Job) -> None:
        try:
            answers.put(reading.serve(job))
        except BaseException as error:  # noqa: BLE001 - it is raised in the caller's thread
            answers.put(error)

    pool = ThreadPoolExecutor(workers, thread_name_prefix="dentframe-read")
    waiting = iter(jobs)
    finished = False
    try:
        under_way = _submit(pool, work, islice(waiting, ahead))
        while under_way:
            answer = _next(answers)
            if isinstance(answer, BaseException):
                raise answer
            yield answer
            under_way += _submit(pool, work, islice(waiting, 1)) - 1
        finished = True
    finally:
        if not finished:
            reading.plan.cancel()
        pool.shutdown(wait=True, cancel_futures=True)


def _submit(pool: ThreadPoolExecutor, work: Callable[[Job], None], jobs: Iterable[Job]) -> int:
    return len([pool.submit(work, job) for job in jobs])


def _next(answers: queue.SimpleQueue[Answer | BaseException]) -> Answer | BaseException:
    # In steps: on Windows a wait without an end cannot be interrupted.
    while True:
        with contextlib.suppress(queue.Empty):
            return answers.get(timeout=0.5)


@dataclass
class _Tally:
    """What one job has cost so far."""

    sends: int = 0
    size: int = 0
    read_at: float = math.inf


def stops_all(error: DentError) -> bool:
    """Whether an error ends the whole read: a refused key, a used-up quota, an outage."""
    quota = isinstance(error, RateLimitError) and not error.retryable
    return quota or isinstance(error, (AuthError, OutageError, StoppedError))


@dataclass
class Reading:
    """One read.

    Attributes
    ----------
    ask : callable or None
        Sends an :class:`Ask` and returns its page and the size of its body; None is offline.
    shelf : Shelf or None
        The kept answers.
    sizes : Sizes
        What is known about sizes.
    now : callable
        The present, aware.
    stale_if_error : bool
        Whether an outdated answer may stand in for one that failed.
    store : bool
        Whether the shelf may keep what is asked for.
    """

    ask: Callable[[Ask], tuple[Page, int]] | None
    shelf: Shelf | None
    sizes: Sizes
    now: Callable[[], datetime]
    stale_if_error: bool = False
    store: bool = True
    plan: Plan = field(default_factory=Plan)
    stale: list[tuple[str, Window, float]] = field(default_factory=list)

    def serve(self, job: Job) -> Answer:
        """Do one job; an error becomes part of the answer."""
        start, tally = time.perf_counter(), _Tally(read_at=self.now().timestamp())
        try:
            pages = tuple(self._need(job.meter, job.window, job.topics, tally))
        except DentError as error:
            LOGGER.info("%s %s: %s after %d sends", job.meter, job.window, error, tally.sends)
            return Answer(job, error=error, sends=tally.sends)
        read_at = datetime.fromtimestamp(tally.read_at, UTC)
        answer = Answer(job, pages, None, tally.sends == 0, tally.sends, tally.size, read_at)
        took = (time.perf_counter() - start) * 1000
        how = "cached" if answer.cached else f"{tally.sends} sends"
        LOGGER.info(
            "%s %s: %d rows, %d bytes, %.0f ms, %s",
            *(job.meter, job.window, answer.rows, tally.size, took, how),
        )
        return answer

    def _need(self, meter: str, window: Window, topics: Sequence[str], tally: _Tally) -> list[Page]:
        pages, rest = self._held(meter, window, tuple(topics), tally, any_age=self.ask is None)
        if not rest:
            return pages
        if self.ask is None:
            raise _lacks(meter, window, rest)
        try:
            return pages + self._asked(meter, window, rest, tally)
        except DentError as error:
            if stops_all(error):
                self.plan.stop(error)
            old = self._instead(meter, window, tuple(topics), error, tally)
            if old is None:
                raise
            return old

    def _asked(
        self, meter: str, window: Window, topics: tuple[str, ...], tally: _Tally
    ) -> list[Page]:
        now = self.now().timestamp()
        if self.sizes.too_large(meter, window, topics, now):
            smaller = pieces(window, topics)
            if smaller:
                return self._cut(meter, smaller, tally)
        predicted = self.sizes.predict(meter, window, topics)
        ask = Ask("getData", meter, window, topics, self.plan, predicted, store=self.store)
        try:
            return [self._send(ask, tally)]
        except TooLargeError:
            self.sizes.refuse(meter, window, topics, now)
            smaller = pieces(window, topics)
            if not smaller:
                raise
        return self._cut(meter, smaller, tally)

    def _cut(
        self, meter: str, smaller: Sequence[tuple[Window, tuple[str, ...]]], tally: _Tally
    ) -> list[Page]:
        now = self.now()
        return [
            page
            for window, topics in smaller
            if window.start <= now
            for page in self._need(meter, window, topics, tally)
        ]

    def _send(self, ask: Ask, tally: _Tally) -> Page:
        """Ask; two 502s that say nothing are settled by asking for less."""
        try:
            return self._once(ask, tally)
        except SuspectError:
            if self._answers_to_less(ask, tally):
                raise TooLargeError(
                    f"Cannot read {ask}: 502, though less of it can be read."
                ) from None
        ask.probed = True
        return self._once(ask, tally)

    def _once(self, ask: Ask, tally: _Tally) -> Page:
        if self.ask is None:
            raise OfflineError(f"Cannot ask for {ask}: this client is offline.")
        before = ask.sends
        try:
            page, size = self.ask(ask)
        finally:
            tally.sends += ask.sends - before
        tally.size += size
        self.sizes.learn(ask.meter, page, size)
        return page

    def _answers_to_less(self, ask: Ask, tally: _Tally) -> bool:
        less = pieces(ask.window, ask.topics[:1]) if ask.window is not None else []
        if not less:
            return False
        probe = Ask("getData", ask.meter, *less[0], self.plan, probe=True, store=self.store)
        try:
            return bool(self._once(probe, tally))
        except DentError as error:
            if stops_all(error):
                raise
            return False

    def _held(
        self,
        meter: str,
        window: Window,
        topics: tuple[str, ...],
        tally: _Tally,
        *,
        any_age: bool = False,
    ) -> tuple[list[Page], tuple[str, ...]]:
        """Return pages from what is held, and the topics that are left to ask for."""
        if self.shelf is None:
            return [], topics
        sets = self.shelf.sets(meter, window, any_age=any_age)
        chosen, rest = cover(sets, quoted(topics))
        if rest and not any_age and (window.end > self.now() or not self.store):
            # An open window grows: parts of different ages would be ragged. And who stores them
            # elsewhere dates them by the oldest: new parts would count as old ones.
            return [], topics
        pages = []
        for one, use in chosen:
            wanted = tuple(t for t in topics if quoted((t,)) <= use)
            page = self._kept_page(sets[one].key, window, tally, any_age=any_age)
            if page is None:
                rest |= use
            else:
                pages.append(page if one == use else narrow(page, wanted))
        return pages, tuple(t for t in topics if quoted((t,)) <= rest)

    def _kept_page(self, key: str, window: Window, tally: _Tally, *, any_age: bool) -> Page | None:
        found = None if self.shelf is None else self.shelf.body(key, any_age=any_age)
        if self.shelf is None or found is None:
            return None
        try:
            page = decode(found[0], window)
        except DentError:
            self.shelf.forget(key)
            return None
        tally.size += len(found[0])
        tally.read_at = min(tally.read_at, found[1].created)
        return page

    def _instead(
        self,
        meter: str,
        window: Window,
        topics: tuple[str, ...],
        error: DentError,
        tally: _Tally,
    ) -> list[Page] | None:
        """Return outdated pages, where that was asked for and they are all there."""
        may = self.stale_if_error and (error.retryable or isinstance(error, DecodeError))
        if self.shelf is None or not (may or (self.stale_if_error and _quota(error))):
            return None
        kept = _Tally()
        pages, rest = self._held(meter, window, topics, kept, any_age=True)
        if rest:
            return None
        tally.read_at = min(tally.read_at, kept.read_at)  # an archive must not take it for new
        created = [e.created for e in self.shelf.sets(meter, window, any_age=True).values()]
        self.stale.append((meter, window, self.shelf.now() - min(created)))
        return pages


def _quota(error: DentError) -> bool:
    return isinstance(error, RateLimitError)


def _lacks(meter: str, window: Window, topics: Sequence[str]) -> OfflineError:
    return OfflineError(
        f"Cannot read {meter} {window} offline: the cache lacks {', '.join(topics)}. "
        "Read it once with offline=False."
    )
