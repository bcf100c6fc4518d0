"""What the tests of the sync share: a quick portfolio, a client, an archive's whole content."""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

from dentframe import DentCloud, emulator
from dentframe.archive import Archive, sync
from dentframe.emulator import Plant

TOPICS = ("DemandkW", "kWHNet")
PROCESSES = multiprocessing.get_context("spawn")  # as on Windows and macOS


class Hourly:
    """Meters with a reading of two elements each `step` hours; no two cells are alike.

    Attributes
    ----------
    names : list of str
        The meters.
    visible : datetime
        What was measured later has not been uploaded yet.
    """

    def __init__(self, meters=3, visible=datetime(9999, 1, 1, tzinfo=UTC), step=1):
        self.names = [f"P{100 + n}" for n in range(meters)]
        self.visible, self.step = visible, step

    def meters(self):
        return self.names

    def topics(self):
        return Plant().topics()

    def rows(self, meter, start, end, topics):
        first, stop = (int(t.timestamp()) // 3600 for t in (start, min(end, self.visible)))
        kept = [f"{t}/Elm/{e}" for t in TOPICS if t in topics for e in "AB"]
        if stop <= first or not kept:
            return [], []
        place = 1 + self.names.index(meter)
        rows = [_row(hour, place, kept) for hour in range(first, stop, self.step)]
        return ["date", "time", *kept], rows


def _row(hour, place, columns):
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(hours=hour, minutes=7)
    cells = {c: f"{hour % 10_000 * place + i / 4}" for i, c in enumerate(columns)}
    return {"date": f"{at:%Y-%m-%d}", "time": f"{at:%H:%M}", **cells}


def serving(source, **settings):
    """An emulator of it without limits."""
    return emulator.serve(source, rate=None, concurrency=None, **settings)


def client(cloud, folder, **settings):
    """A client of it."""
    settings = {"rate": 1000, "cache": folder} | settings
    return DentCloud(cloud.api_key, cloud.key_id, base_url=cloud.url, **settings)


def content(folder):
    """All of an archive: meter to its readings, as any Parquet reader finds them."""
    import pandas as pd

    archive = Archive(folder)
    years = {m: sorted((archive.path / f"meter={m}").glob("*.parquet")) for m in archive.meters()}
    return {m: pd.concat([_file(path) for path in paths]) for m, paths in years.items()}


def _file(path):
    import pyarrow.parquet as pq

    return pq.ParquetFile(path).read().to_pandas().set_index("time")


def asked(cloud):
    """How often each window of each meter was asked for."""
    return Counter((seen.meter, seen.window) for seen in cloud.data_requests)


def child(cloud, folder, cache, start="2023"):
    """A process that syncs all meters."""
    process = PROCESSES.Process(target=_sync, args=(cloud.url, str(folder), str(cache), start))
    process.start()
    return process


def _sync(url, folder, cache, start):
    with DentCloud("demo-key", "demo-id", base_url=url, cache=cache, rate=1000) as dent:
        report = sync(None, start, topics=TOPICS, archive=folder, client=dent, progress=False)
    sys.exit(not report.ok)


def killed(cloud, folder, cache, target):
    """Sync, and kill -9 as the emulator has seen so many requests; the exit code."""
    # A cache of its own: a killed process' places in flight are free after 4 s only.
    process = child(cloud, folder, cache)
    while len(cloud.data_requests) < target and process.is_alive():
        time.sleep(0.002)
    process.kill()
    process.join()
    return process.exitcode
