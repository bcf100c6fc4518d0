"""Jobs in threads: answers come back in the caller's thread, and no thread outlives the read."""

from __future__ import annotations

import contextlib
import queue
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dentframe.cloud.job import Answer, Job
    from dentframe.cloud.reading import Reading

__all__ = ["run"]


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
