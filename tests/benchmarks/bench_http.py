"""What the HTTP layer costs, in seconds and requests. Prints; judges nothing.

Run ``python tests/benchmarks/bench_http.py [pace|jitter|slow|processes|cache|writes|kill]``.
"""

from __future__ import annotations

import json
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

import pandas as pd

from dentframe import emulator
from dentframe.cloud.cache import Shelf
from dentframe.cloud.client import DentCloud
from dentframe.cloud.job import Job
from dentframe.cloud.notices import Notices
from dentframe.cloud.store import Store
from dentframe.cloud.windows import Window

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


def line(name, latency, theory):
    with tempfile.TemporaryDirectory() as folder, emulator.serve(Tiny(), latency=latency) as cloud:
        took, errors = read(cloud.url, folder)
        many = sum(seen.status == 429 for seen in cloud.requests)
    print(
        f"{name:28} {took:6.2f} s (theory {theory:.1f})  429s {many}  errors {errors}", flush=True
    )


def pace():
    line("120 months, 50 ms", 0.05, 23.0 + 0.05)


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


def _naive(body):
    frame = pd.DataFrame(json.loads(body)["topics"])
    index = pd.to_datetime(frame["date"] + " " + frame["time"], utc=True)
    frame = frame.drop(columns=["date", "time"]).apply(pd.to_numeric, errors="coerce")
    return frame.set_index(index)


def cache():
    """A second read of a year against the naive route over the same kept bodies."""
    topics, year = ("DemandkW", "kWHNet", "A", "V", "dPF", "kVAHNet"), TEN_YEARS[-12:]
    with tempfile.TemporaryDirectory() as folder, emulator.serve(rate=None) as cloud:
        keys = {"base_url": cloud.url, "cache": folder, "rate": 500}
        with DentCloud("demo-key", "demo-id", **keys) as client:
            list(client.read(jobs(year, topics)))
        sent = len(cloud.requests)
        with DentCloud("demo-key", "demo-id", **keys) as client:
            ours = min(_timed(lambda: list(client.read(jobs(year, topics)))) for _ in range(5))
            shelf = client._shelf
            held = [e.key for e in shelf.store.entries("") if "getTopics" not in e.key]
            naive = min(
                _timed(lambda: pd.concat(_naive(shelf.body(key)[0]) for key in held))
                for _ in range(3)
            )
            size = sum(len(shelf.body(key)[0]) for key in held)
        sent = len(cloud.requests) - sent
    print(
        f"a year again, {size / 1e6:.0f} MB: ours {ours:.2f} s, naive {naive:.2f} s, "
        f"ratio {ours / naive:.2f}, requests {sent}",
        flush=True,
    )


def _timed(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def write_many(folder, writer, count):
    from datetime import UTC, datetime

    store = Store(Path(folder), Notices())
    shelf = Shelf(store, "account", lambda: datetime.now(UTC))
    for i in range(count):
        shelf.keep(f"account/P{writer}/{i:04d}/x", os.urandom(2000) * 20, None)
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
from dentframe.cloud.job import Job
from dentframe.cloud.windows import Window
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
    "cache": cache,
    "writes": writes,
    "kill": kill,
}

if __name__ == "__main__":
    for name in sys.argv[1:] or ALL:
        ALL[name]()
