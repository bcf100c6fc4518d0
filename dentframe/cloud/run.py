"""Jobs in threads: answers come back in the caller's thread, and no thread outlives the read."""

from __future__ import annotations

import contextlib
import queue
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dentframe.cloud.job import Answer, Job
    from dentframe.cloud.reading import Reading

__all__ = ["run"]


def run(reading: Reading, jobs: Sequence[Job], workers: int) -> Iterator[Answer]:
    """Do the jobs in threads, and yield their answers as they come.

    When the caller stops early, by an interrupt or otherwise, what is under way is cut.
    """
    answers: queue.SimpleQueue[Answer | BaseException] = queue.SimpleQueue()

    def work(job: Job) -> None:
        try:
            answers.put(reading.serve(job))
        except BaseException as error:  # noqa: BLE001 - it is raised in the caller's thread
            answers.put(error)

    pool = ThreadPoolExecutor(min(workers, max(len(jobs), 1)), thread_name_prefix="dentframe-read")
    finished = False
    try:
        for job in jobs:
            pool.submit(work, job)
        for _ in jobs:
            answer = _next(answers)
            if isinstance(answer, BaseException):
                raise answer
            yield answer
        finished = True
    finally:
        if not finished:
            reading.plan.cancel()
        pool.shutdown(wait=True, cancel_futures=True)


def _next(answers: queue.SimpleQueue[Answer | BaseException]) -> Answer | BaseException:
    # In steps: on Windows a wait without an end cannot be interrupted.
    while True:
        with contextlib.suppress(queue.Empty):
            return answers.get(timeout=0.5)
