"""What the tests of the xarray engine share: a cloud, a client of it, what was asked."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime

import numpy as np
import pytest
from http_kit import quick_clock, quick_sleep

from dentframe import DentCloud, emulator, open_dataset
from dentframe.archive import parquet
from dentframe.cloud import Answer, Job, Window
from dentframe.datasets import to_xarray
from dentframe.wire.pages_and_bad_cells import Page, Report

METER = "P482311252"
OTHER = "P482102272"
KEY, KEY_ID = "k3y-that-nobody-may-see", "id-that-nobody-may-see"
TOPICS = ("DemandkW", "kWHNet", "A")
HALF = {"start": "2023-07-01", "end": "2024-01-01", "topics": list(TOPICS)}
MONTH = {"start": "2023-12", "topics": ["DemandkW", "kWHNet"]}


@contextmanager
def cloud_and_client(folder, **settings):
    """An emulator without limits, and a client with keys that a search would find."""
    settings = {"rate": None, "concurrency": None} | settings
    with (
        emulator.serve(api_key=KEY, key_id=KEY_ID, **settings) as cloud,
        DentCloud(
            KEY,
            KEY_ID,
            base_url=cloud.url,
            cache=folder,
            rate=1000,
            _clock=quick_clock,
            _sleep=quick_sleep,
        ) as client,
    ):
        yield cloud, client


def asked(cloud):
    """(meter, window, topics) of each getData request so far."""
    return [(seen.meter, str(seen.window), seen.topics) for seen in cloud.data_requests]


def kept(archive, client, windows, meter=METER, topics=TOPICS):
    """Keep what a client reads of some windows."""
    jobs = [Job(meter, Window.parse(w), topics) for w in windows]
    archive.keep_topics(client.get_topics())
    for answer in client.read(jobs):
        archive.keep(answer, datetime.now(UTC))


def eager(archive, meter=METER, **options):
    """The Dataset of the frame that the archive reads."""
    frame = archive.read(meter, **{**HALF, **options})
    if "tz" in options:
        frame = frame.tz_convert(options["tz"])
    return to_xarray(frame).drop_vars("channel_element", errors="ignore")


def lazy(archive, meter=METER, **options):
    return open_dataset(meter, archive=archive, **{**HALF, **options})


def answer_of(meter, month, columns, minutes):
    """A made-up answer: each cell is its minute and column in one number."""
    window = Window.parse(month)
    at = np.arange(window.minutes.start, window.minutes.stop, 15)[minutes]
    values = np.asfortranarray(at[:, None] * 100.0 + np.arange(len(columns)) + int(meter[-1]) * 10)
    topics = tuple(dict.fromkeys(c.partition("/")[0] for c in columns))
    page = Page(window, tuple(columns), at, values, Report(rows=len(at)))
    return Answer(Job(meter, window, topics), (page,))


@pytest.fixture
def reads(monkeypatch):
    """The (year, row groups' months, columns) that are read from the archive's files."""
    seen = []
    read = parquet.ArchiveFile.read

    def counted(self, columns=None, months=None):
        seen.append((int(self.path.name[:4]), months, columns))
        return read(self, columns, months)

    monkeypatch.setattr(parquet.ArchiveFile, "read", counted)
    return seen
