"""Monthly energy of a portfolio on Dask, against Polars: ``python tests/benchmarks/bench_dask.py``.

Both compute the energy of 100 meter-years by local month from the same Parquet files, with the
registers interpolated at the months' edges, and must agree. What is timed is all that a user
waits for: from the call to the result in this process, the graph, the names and footers, and the
transfer included. What is not timed is what happens once a session: imports and the start of the
workers. All ways run in turn, their order turning, with the files in the page cache; the first
round does not count, and each other round gives a ratio, so that a busy machine spoils the times
but hardly the ratios. The processor time of this process and of the workers is told beside it.

The Polars query is written by hand: one scan of the columns it needs, one group by meter and
local month, on its streaming engine (the quickest of the ways tried here). Dask has its
threads in this process, which share Python's lock, before a cluster is there to disturb them;
then a cluster with a process for each core, as it comes and with the memory thresholds that the
guide names.
Then the memory: one process for each number of meters, in which a year is read meter by meter on
two threads. It tells, and judges nothing.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dask
import numpy as np
import polars as pl
import psutil
from distributed import Client, LocalCluster

from dentframe.archive import Archive
from dentframe.cloud import Answer, Job, Window
from dentframe.wire.pages_and_bad_cells import Page, Report

ROUNDS, METERS, YEAR = 9, 100, 2023
LA = "America/Los_Angeles"
TOPICS = ("DemandkW", "kWHNet")
COLUMNS = tuple(f"{topic}/Elm/{e}" for topic in TOPICS for e in "ABCD")
REGISTERS = [c for c in COLUMNS if c.startswith("kWHNet")]
READ_AT = datetime(2024, 6, 1, tzinfo=UTC)
POLARS = "Polars by hand"
THRESHOLDS = {"MALLOC_TRIM_THRESHOLD_": 134217728, "MALLOC_MMAP_THRESHOLD_": 33554432}
"""The memory thresholds that docs/guide/cluster.md names, where memory is no concern [B]."""


# --- the archive -------------------------------------------------------------------------


def keep_meter(archive: Archive, name: str, seed: int) -> None:
    """A year of one meter: demand about a daily load, and the registers it runs up."""
    months = [Window(YEAR, m) for m in range(1, 13)]
    minutes = np.arange(months[0].minutes.start + 2, months[-1].minutes.stop, 15)
    rng = np.random.default_rng(seed)
    daily = 5 - 4 * np.cos(2 * np.pi * (minutes % 1440) / 1440)
    kw = np.maximum(0, daily[:, None] + rng.normal(0, 0.8, (len(minutes), 4))).round(3)
    kwh = (12_345 + kw.cumsum(axis=0) / 4).round(3)
    values = np.asfortranarray(np.hstack([kw, kwh]))
    for month in months:
        first, last = np.searchsorted(minutes, [month.minutes.start, month.minutes.stop])
        page = Page(month, COLUMNS, minutes[first:last], values[first:last], Report())
        archive.keep(Answer(Job(name, month, TOPICS), (page,)), READ_AT)
    archive.settle(name)


def filled(folder: Path, meters: int) -> Archive:
    """An archive of so many meters."""
    archive = Archive(folder)
    archive.keep_topics(
        [{"requestKey": "DemandkW", "unit": "kW"}, {"requestKey": "kWHNet", "unit": "kWh"}]
    )
    for i in range(meters):
        keep_meter(archive, f"P{400_000_000 + i}", i)
    return archive


# --- the two ways ------------------------------------------------------------------------


def ours(archive: Archive, **scheduler: Any) -> Callable[[], Any]:
    """What a user writes."""
    return lambda: archive.energy("MS", tz=LA).compute(**scheduler)


def theirs(archive: Archive) -> Callable[[], Any]:
    """What an expert writes in Polars: the neighbours of each local month's edge, interpolated."""
    month = pl.col("time").dt.convert_time_zone(LA).dt.truncate("1mo")

    def before(name: str) -> pl.Expr:
        return pl.col(name).shift(1).over("meter")

    def query() -> pl.DataFrame:
        files = pl.scan_parquet(archive.path / "meter=P*/*.parquet", hive_partitioning=True)
        ends = (
            files.select("meter", "time", *REGISTERS)
            .group_by("meter", month.alias("month"))
            .agg(
                pl.col("time").min().alias("t0"),
                pl.col("time").max().alias("t1"),
                *(pl.col(c).sort_by("time").first().alias(f"{c}<") for c in REGISTERS),
                *(pl.col(c).sort_by("time").last().alias(f"{c}>") for c in REGISTERS),
            )
        )
        edge = pl.col("month").dt.convert_time_zone("UTC")
        part = _us(edge - before("t1")) / _us(pl.col("t0") - before("t1"))
        at_edge = ends.sort("meter", "month").with_columns(
            (before(f"{c}>") + (pl.col(f"{c}<") - before(f"{c}>")) * part)
            .fill_null(pl.col(f"{c}<"))
            .alias(c)
            for c in REGISTERS
        )
        used = (
            pl.col(c).shift(-1).over("meter").fill_null(pl.col(f"{c}>")) - pl.col(c)
            for c in REGISTERS
        )
        return at_edge.select("meter", "month", *used).collect(engine="streaming")

    return query


def _us(span: pl.Expr) -> pl.Expr:
    return span.dt.total_microseconds()


def agree(archive: Archive) -> float:
    """The greatest difference between the two ways [kWh]."""
    mine = ours(archive, scheduler="threads")().reset_index().sort_values(["meter", "time"])
    other = theirs(archive)().sort("meter", "month")
    assert mine["meter"].tolist() == other["meter"].to_list()
    starts = [t.astimezone(dt.UTC) for t in other["month"].to_list()]
    assert [t.to_pydatetime().astimezone(dt.UTC) for t in mine["time"]] == starts
    energies = mine[[f"Energy/Elm/{e}" for e in "ABCD"]].to_numpy()
    return float(np.abs(energies - other.select(REGISTERS).to_numpy()).max())


@contextmanager
def processes(environment: Mapping[str, int] | None = None) -> Iterator[Any]:
    """A cluster with a process for each core, with these environment variables or Dask's own."""
    settings = {"n_workers": os.cpu_count(), "threads_per_worker": 1, "dashboard_address": None}
    own = {"distributed.nanny.pre-spawn-environ": environment} if environment else {}
    with dask.config.set(own), LocalCluster(**settings) as cluster, Client(cluster) as client:
        yield client


def schedulers(quick: bool = False) -> Iterator[dict[str, Any]]:
    """The ways of Dask: threads alone first, as a cluster in this process would disturb them."""
    yield {"threads": "threads"}
    if not quick:
        with processes() as plain, processes(THRESHOLDS) as guided:
            name = "a process a core"
            yield {name: plain, f"{name}, larger memory thresholds": guided}


def clocked(way: Callable[[], Any], pids: Sequence[int]) -> tuple[float, float]:
    """Elapsed time and processor time [s], that of the workers included."""
    cpu, began = _cpu(pids), time.perf_counter()
    way()
    return time.perf_counter() - began, _cpu(pids) - cpu


def _cpu(pids: Sequence[int]) -> float:
    """Processor time of this process and of others so far [s]."""
    return time.process_time() + sum(sum(psutil.Process(p).cpu_times()[:2]) for p in pids)


def compare(archive: Archive, some: Mapping[str, Any]) -> None:
    """Tell the times of each way, and their ratios to Polars'."""
    ways = {POLARS: theirs(archive)}
    ways |= {name: ours(archive, scheduler=one) for name, one in some.items()}
    clients = [one for one in some.values() if isinstance(one, Client)]
    pids = [pid for client in clients for pid in client.run(os.getpid).values()]
    took: list[dict[str, tuple[float, float]]] = []
    for i in range(ROUNDS + 1):
        turned = [*ways][i % len(ways) :] + [*ways][: i % len(ways)]
        took.append({name: clocked(ways[name], pids) for name in turned})
    print(f"{'median (least-most)':44}{'wall [s]':>20}{'ratio':>20}{'CPU [s]':>20}{'ratio':>20}")
    for name in ways:
        cells = []
        for k in (0, 1):
            taken = [r[name][k] for r in took[1:]]
            ratios = [r[name][k] / r[POLARS][k] for r in took[1:]]
            cells += [_spread(taken), _spread(ratios)]
        print(f"{name:44}" + "".join(f"{cell:>20}" for cell in cells))


def _spread(x: Sequence[float]) -> str:
    return f"{statistics.median(x):.2f} ({min(x):.2f}-{max(x):.2f})"


# --- memory ------------------------------------------------------------------------------


def peak(folder: Path, meters: int) -> float:
    """The most memory of a process that computes this many meters [MB]."""
    call = [sys.executable, __file__, str(folder), str(meters)]
    return float(subprocess.run(call, check=True, capture_output=True, text=True).stdout)


def child(folder: str, meters: int) -> None:
    """What that process does."""
    archive = Archive(folder)
    names = archive.meters()[:meters]
    with dask.config.set(scheduler="threads", num_workers=2):
        result = archive.energy("MS", tz=LA, meters=names).compute()
    assert result["meter"].nunique() == meters
    # Not ru_maxrss: it begins with what the parent had.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    print(int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024)


def widened(archive: Archive, meters: int) -> None:
    """More meters, as copies of the files that are there, under their own names."""
    from dentframe.archive import parquet

    names = archive.meters()
    for i in range(len(names), meters):
        name, source = f"P{400_000_000 + i}", names[i % len(names)]
        with parquet.ArchiveFile(
            archive.path / f"meter={source}/{YEAR}.parquet", source, YEAR
        ) as file:
            data = parquet.encode(name, YEAR, file.read(), archive.units(), quick=True)
        path = archive.path / f"meter={name}/{YEAR}.parquet"
        path.parent.mkdir()
        path.write_bytes(data)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        archive = filled(Path(folder) / "portfolio", METERS)
        print(f"{METERS} meter-years x 4 elements; greatest difference {agree(archive):.1e} kWh")
        for some in schedulers():
            compare(archive, some)
        widened(archive, 500)
        found = {n: peak(archive.path, n) for n in (10, 100, 500)}
        print("peak memory: " + ", ".join(f"{n} meters {mb:.0f} MB" for n, mb in found.items()))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        child(sys.argv[1], int(sys.argv[2]))
    else:
        main()
