"""What the tests of the HTTP layer share: quick clocks, clients, jobs and what they got."""

from __future__ import annotations

import tempfile
import time
from contextlib import contextmanager

import numpy as np

from dentframe import emulator
from dentframe.cloud import DentCloud, Job, Window

SPEED = 60
METER = "P482311252"
TOPICS = ("DemandkW", "kWHNet")
DAYS = tuple(Window(2023, 3, day) for day in range(1, 4))


def quick_clock():
    """A clock that runs 60 times as fast."""
    return time.monotonic() * SPEED


def quick_sleep(seconds):
    """Sleep on that clock."""
    time.sleep(max(seconds, 0) / SPEED)


@contextmanager
def service(**settings):
    """An emulator that answers as fast as it can."""
    settings = {"rate": None, "concurrency": None} | settings
    with emulator.serve(**settings) as cloud:
        yield cloud


def client(cloud, *, quick=True, **settings):
    """A client of it, on the quick clock."""
    settings = {"rate": 500} | settings
    if quick:
        settings |= {"_clock": quick_clock, "_sleep": quick_sleep}
    keys = settings.pop("keys", (cloud.api_key, cloud.key_id))
    return DentCloud(*keys, base_url=cloud.url, **settings)


def jobs(windows=DAYS, topics=TOPICS, meter=METER):
    """One job a window."""
    return [Job(meter, window, tuple(topics)) for window in windows]


def months(first, last):
    """The months of some years."""
    return [Window(year, month) for year in range(first, last + 1) for month in range(1, 13)]


def table(answers):
    """All cells of some answers by (minute, column), to compare reads however they were cut."""
    cells = {}
    for answer in answers:
        for page in answer.pages:
            for j, column in enumerate(page.columns):
                for minute, value in zip(page.minutes.tolist(), page.values[:, j], strict=True):
                    key = (answer.job.meter, minute, column)
                    assert key not in cells, f"doubled: {key}"
                    cells[key] = np.float64(value).tobytes()
    return cells


def truth(source, windows=DAYS, topics=TOPICS, meter=METER):
    """What a read of these windows must give, from an emulator without faults."""
    with (
        tempfile.TemporaryDirectory() as folder,
        service(source=source) as cloud,
        client(cloud, cache=folder) as calm,
    ):
        return table(calm.read(jobs(windows, topics, meter)))
