"""The windows of one read, each served from what is held, asked for, or cut smaller."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dentframe.cloud.ask import Ask, quoted
from dentframe.cloud.breaker import OutageError, Plan, StoppedError
from dentframe.cloud.job import Answer, Job, narrow
from dentframe.cloud.notices import LOGGER
from dentframe.cloud.policy import cover
from dentframe.cloud.sizes import pieces
from dentframe.cloud.verdict import SuspectError, TooLargeError
from dentframe.cloud.wire import decode
from dentframe.errors import AuthError, DecodeError, DentError, OfflineError, RateLimitError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dentframe.cloud.cache import Shelf
    from dentframe.cloud.sizes import Sizes
    from dentframe.cloud.windows import Window
    from dentframe.cloud.wire import Page

__all__ = ["Answer", "Job", "Reading"]


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
