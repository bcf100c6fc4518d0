"""What the HTTP layer costs, in seconds and requests. Prints; judges nothing.

Run ``python -m tests.benchmarks.bench_http [--quick|pace|jitter|slow|processes|writes|kill]``.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from dentframe import DentCloud, emulator
from dentframe.cloud import Job, Window
from dentframe.cloud.client import Notices
from dentframe.cloud.http_cache import CacheFile, pack
from tests.benchmarks.rounds import Row, show, wants_quick

METER = "P482311252"
TOPICS = ("DemandkW", "kWHNet")
TEN_YEARS = [Window(year, month) for year in range(2014, 2024) for month in range(1, 13)]


class Tiny:
    """A few rows a month: the line is measured, not the parsing."""

    def __init__(self):
        self._plant = emulator.Plant(seed=0)
        self.meters, self.topics = self._plant.meters, self._plant.topics

    def rows(self, meter, start, end, topics):
        day = Window(start.year, start.month, 1)
        return self._plant.rows(meter, day.start, day.end, topics)


def jobs(windows=TEN_YEARS, topics=TOPICS):
    return [Job(METER, window, topics) for window in windows]


def read(url, folder, windows=TEN_YEARS, **settings):
    with DentCloud("demo-key", "demo-id", base_url=url, cache=folder, **settings) as client:
        start = time.perf_counter()
        errors = [a.error for a in client.read(jobs(windows)) if a.error]
        return time.perf_counter() - start, len(errors)


def timed(latency, windows=TEN_YEARS):
    """How long a read of these windows takes [s], its errors, and how often it was refused."""
    with tempfile.TemporaryDirectory() as folder, emulator.serve(Tiny(), latency=latency) as cloud:
        took, errors = read(cloud.url, folder, windows)
        return took, errors, sum(seen.status == 429 for seen in cloud.requests)


def least(windows, latency, rate=5, burst=5):
    """The least that the service's limit allows, until the last one is answered [s]."""
    return max(0, windows - burst) / rate + latency


def rows(quick=False):
    """The row of the page on speed."""
    windows, rounds = (TEN_YEARS[-8:], 1) if quick else (TEN_YEARS, 3)
    took = [timed(0.05, windows) for _ in range(rounds)]
    assert not any(errors for _, errors, _ in took)
    ratios = tuple(seconds / least(len(windows), 0.05) for seconds, _, _ in took)
    what = "read 120 windows, ten years by month, each answered after 50 ms"
    return [Row(what, "the least time that 5 requests a second allow", ratios)]


def line(name, latency, theory):
    took, errors, many = timed(latency)
    print(
        f"{name:28} {took:6.2f} s (theory {theory:.1f})  429s {many}  errors {errors}", flush=True
    )


def pace():
    line("120 months, 50 ms", 0.05, least(120, 0.05))


def jitter():
    line("120 months, 50 ms ± 150 ms", lambda rng: 0.05 + abs(rng.uniform(-0.15, 0.15)), 23.1)


def slow():
    line("120 months, 500 ms", 0.5, 23.0 + 0.5)
    line("120 months, 3 s", 3.0, 120 / 5 * 3.0)


def _process(url, folder, windows, out):
    out.put(read(url, folder, windows))


def processes():
    """Two processes, one key: the rate and the places in flight are shared."""
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder, emulator.serve(Tiny(), latency=0.05) as cloud:
        out = context.Queue()
        halves = TEN_YEARS[:30], TEN_YEARS[30:60]
        args = [(cloud.url, folder, half, out) for half in halves]
        both = [context.Process(target=_process, args=one) for one in args]
        for process in both:
            process.start()
        took = [out.get() for _ in both]
        for process in both:
            process.join()
        many = sum(seen.status == 429 for seen in cloud.requests)
        at = sorted(seen.at for seen in cloud.requests)
    print(
        f"two processes, 60 months      {at[-1] - at[0]:6.2f} s (theory 11.4)  429s {many}  "
        f"errors {sum(e for _, e in took)}",
        flush=True,
    )


def write_many(folder, writer, count):
    store = CacheFile(Path(folder), Notices())
    for i in range(count):
        blob = pack(os.urandom(2000) * 20, ("", 0.0))
        store.put(f"account/P{writer}/{i:04d}/x", blob, time.time(), math.inf)
    store.close()


def writes(count=150):
    """4 processes, 150 writes each, one cache."""
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        all_of = [context.Process(target=write_many, args=(folder, w, count)) for w in range(4)]
        for process in all_of:
            process.start()
        for process in all_of:
            process.join()
        took = time.perf_counter() - start
        con = sqlite3.connect(Path(folder) / "answers.sqlite")
        found = con.execute("SELECT count(*) FROM answers").fetchone()[0]
        sound = con.execute("PRAGMA integrity_check").fetchone()[0]
        con.close()
    print(f"4 × {count} writes: {found} of {4 * count} there, {sound}, {took:.1f} s", flush=True)


CHILD = """
import sys
from dentframe.cloud.client import DentCloud
from dentframe.cloud.read_in_threads import Job
from dentframe.cloud.planner import Window
url, folder = sys.argv[1:]
jobs = [Job("P482311252", Window(2023, m), ("DemandkW", "kWHNet")) for m in range(1, 13)]
with DentCloud("demo-key", "demo-id", base_url=url, cache=folder, rate=40) as client:
    print("go", flush=True)
    for answer in client.read(jobs):
        assert answer.error is None, answer.error
"""


def kill(times=50, seed=0):
    """kill -9 in a year's read at random moments; the next read completes it."""
    rng, year = random.Random(seed), [Window(2023, m) for m in range(1, 13)]
    with emulator.serve(rate=None, concurrency=None, latency=0.02) as cloud:
        with tempfile.TemporaryDirectory() as folder:
            whole, _ = digest(cloud.url, folder, year)
        bad = again = 0
        for _ in range(times):
            with tempfile.TemporaryDirectory() as folder:
                kept = _killed(cloud.url, folder, rng.uniform(0.0, 1.0))
                found, sends = digest(cloud.url, folder, year)
                again += sends == 12 - kept
                bad += found != whole or not _sound(folder)
    print(f"kill -9 × {times}: {bad} bad; asked only for the rest {again} times", flush=True)


def _killed(url, folder, after):
    args = [sys.executable, "-c", CHILD, url, folder]
    child = subprocess.Popen(args, stdout=subprocess.PIPE)
    child.stdout.readline()
    time.sleep(after)
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    if not _sound(folder):
        return -1
    con = sqlite3.connect(Path(folder) / "answers.sqlite")
    kept = con.execute("SELECT count(*) FROM answers").fetchone()[0]
    con.close()
    return kept


def _sound(folder):
    con = sqlite3.connect(Path(folder) / "answers.sqlite")
    sound = con.execute("PRAGMA integrity_check").fetchone()[0]
    con.close()
    return sound == "ok"


def digest(url, folder, windows):
    with DentCloud("demo-key", "demo-id", base_url=url, cache=folder, rate=200) as client:
        answers = sorted(client.read(jobs(windows)), key=lambda a: a.window)
    cells = [(str(a.error), [(p.columns, p.values.tobytes()) for p in a.pages]) for a in answers]
    return cells, sum(a.sends for a in answers)


ALL = {
    "pace": pace,
    "jitter": jitter,
    "slow": slow,
    "processes": processes,
    "writes": writes,
    "kill": kill,
}


def main(argv=()):
    if wants_quick(argv):
        show(rows(quick=True))
        return
    for name in argv or ALL:
        ALL[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
