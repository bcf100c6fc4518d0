"""What a fleet costs: the judged sync with its kills, and years of thousands of meters simulated.

Run ``python -m tests.benchmarks.bench_fleet [kills|sizes|simulation]``, or all of them with
``make bench-fleet``; ``--quick`` simulates a few meters. Prints; judges nothing but the kills,
 which raise where the archive differs or too much was asked for.
"""

from __future__ import annotations

import random
import string
import sys
import tempfile
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from heapq import heappop, heappush
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from dentframe import emulator
from dentframe.archive import sync
from dentframe.archive.sync import jobs, plan_meter
from dentframe.cloud.rate_and_concurrency import Limiter
from tests.benchmarks.rounds import wants_quick
from tests.integration.sync_kit import (
    TOPICS,
    Hourly,
    asked,
    child,
    client,
    content,
    killed,
    serving,
)

ALL_TOPICS = ("kVAHNet", "kWHNet", "DemandkW", "A", "dPF", "V")
IN_FLIGHT = 5
LATENCY = 0.3
WORK = 0.15
"""Decoding and keeping a month, longer than measured here for 112 columns [s]."""


def kills(meters=100, times=30, seed=0):
    """100 meters × 12 months with 30 kill -9s: the same archive, no request too many."""
    rng, source = random.Random(seed), Hourly(meters)
    targets = sorted(rng.sample(range(1, 12 * meters), times))
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, serving(source, latency=0.02) as cloud:
        ends = Counter(killed(cloud, f"{folder}/a", f"{folder}/{n}", n) for n in targets)
        last = child(cloud, f"{folder}/a", f"{folder}/last")
        last.join()
        counts = asked(cloud)
        _same(source, Path(folder))
    again = sum(counts.values()) - len(counts)
    print(
        f"{meters} meters × 12 months, {times} kills: {len(counts)} windows, "
        f"{again} asked again (allowed {IN_FLIGHT * times}), same archive, "
        f"{time.perf_counter() - start:.0f} s; exit codes {dict(ends)}",
        flush=True,
    )
    assert last.exitcode == 0
    assert len(counts) == 12 * meters
    assert again <= IN_FLIGHT * times


def _same(source, folder):
    with serving(source) as cloud, client(cloud, folder / "c") as dent:
        report = sync(None, "2023", topics=TOPICS, archive=folder / "b", client=dent)
    assert report.ok
    left, right = content(folder / "a"), content(folder / "b")
    assert list(left) == list(right) == sorted(source.meters())
    for meter in left:
        pd.testing.assert_frame_equal(left[meter], right[meter], check_exact=True)


def _panel(elements):
    letters = string.ascii_uppercase[:elements]
    return emulator.panel("P1", len(letters), channels=3)


def sizes():
    """Bytes of a meter-month, on the wire and on the disk, measured on the plant's physics."""
    small = emulator.Plant(meters=[emulator.METERS[0]], events=())
    for name, plant in {
        "7 elements (the default building)": small,
        "16 elements of 3 channels": emulator.Plant(meters=[_panel(16)], events=()),
    }.items():
        for topics in (TOPICS, ALL_TOPICS):
            _sizes(name, plant, topics)


def _sizes(name, plant, topics):
    meter = plant.meters()[0]
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(plant) as cloud,
        client(cloud, Path(folder) / "c") as dent,
    ):
        report = sync(meter, "2023", topics=topics, archive=f"{folder}/a", client=dent)
        file = Path(folder) / "a" / f"meter={meter}" / "2023.parquet"
        size = file.stat().st_size
        columns = len(pq.read_schema(file).names) - 1
    assert report.ok
    print(
        f"{name}, {len(topics)} topics, {columns} columns: {report.bytes / 12e6:5.2f} MB a month "
        f"of JSON, {size / 12e3:6.1f} kB a month on disk, {size / 1e6:5.2f} MB a year, "
        f"{report.requests} requests, {report.seconds:.1f} s",
        flush=True,
    )


class VirtualTime:
    """A clock that jumps to the next sleeper's hour as soon as all threads sleep."""

    def __init__(self, threads):
        self._now, self._awake, self._sleepers = 0.0, threads, []
        self._turn, self._lock = 0, threading.Lock()

    def clock(self):
        return self._now

    def sleep(self, seconds):
        bell = threading.Event()
        with self._lock:
            self._turn += 1
            heappush(self._sleepers, (self._now + seconds, self._turn, bell))
            self._awake -= 1
            self._jump()
        bell.wait()

    def leave(self):
        with self._lock:
            self._awake -= 1
            self._jump()

    def _jump(self):
        if self._awake == 0 and self._sleepers:
            self._now, _, bell = heappop(self._sleepers)
            self._awake += 1
            bell.set()


def simulation():
    """The real planner's requests through the real pacer, on a clock that does not wait."""
    for meters, years in ((10, 5), (1_000, 5), (10_000, 5)):
        _simulate(meters, years, LATENCY)
    for latency in (1.0, 2.0):
        _simulate(1_000, 5, latency)


def _simulate(meters, years, latency):
    end = datetime(2024, 1, 1, tzinfo=UTC)
    span = end.replace(year=2024 - years), end, datetime(2024, 6, 1, tzinfo=UTC)
    begun = time.perf_counter()
    plans = {f"P{n}": plan_meter(*span) for n in range(meters)}
    requests = sum(len(one.windows) for one in plans.values())
    planned = time.perf_counter() - begun
    seconds = _paced(jobs(plans, ALL_TOPICS), latency)
    print(
        f"{meters:6} meters × {years} years, {latency:g} s an answer: {requests} requests, "
        f"{seconds / 3600:.2f} h ({requests / seconds:.2f}/s); planned in {planned:.2f} s, "
        f"simulated in {time.perf_counter() - begun:.0f} s",
        flush=True,
    )


def _paced(waiting, latency, rate=5, concurrency=5):
    """How long the requests of a plan take, a thread for each place in flight [s]."""
    virtual = VirtualTime(concurrency)
    pacer, lock = Limiter(virtual.clock, virtual.sleep), threading.Lock()

    def work():
        while True:
            with lock:
                job = next(waiting, None)
            if job is None:
                return virtual.leave()
            with pacer.turn(rate, concurrency):
                virtual.sleep(latency)
            virtual.sleep(WORK)  # a sync asks no further until an answer is kept

    threads = [threading.Thread(target=work) for _ in range(concurrency)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return virtual.clock()


ALL = {"kills": kills, "sizes": sizes, "simulation": simulation}


def main(argv=()):
    if wants_quick(argv):
        _simulate(10, 1, LATENCY)
        return
    for name in argv or ALL:
        ALL[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
