"""How reading an archive compares: ``python -m tests.benchmarks.bench_archive [--quick]``.

A year of 144 columns at 15 minutes. The naive way parses the twelve bodies of the service from
memory. Wall time, since Parquet is read in threads. Memory is by how much a fresh process'
high-water mark grows while it reads, after its imports.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq

from dentframe.archive import Archive
from dentframe.cloud import Answer, Job, Window
from dentframe.wire.decode import decode
from tests.benchmarks import naive, year
from tests.benchmarks.rounds import Row, in_turn, ratios, show, walls, wants_quick
from tests.benchmarks.year import METER, NARROW, WIDE, YEAR

ROOT = Path(__file__).parents[2]
READ_AT = datetime(2024, 6, 1, tzinfo=UTC)
WHAT = "read a year × 144 columns from an archive"
NAIVE = "json, DataFrame, astype of its 12 bodies"
CHILD = """
import sys
from pathlib import Path
import pandas as pd
import pyarrow.dataset
import pyarrow.parquet
from dentframe.archive import Archive
from tests.benchmarks import naive
from tests.benchmarks.high_water import high_water
way, folder = sys.argv[1:]
before = high_water()
if way == "naive":
    frame = naive.year(path.read_bytes() for path in sorted(Path(folder).glob("*.json")))
else:
    frame = Archive(folder).read("P482311252", "2023")
print((high_water() - before) / frame.memory_usage().sum())
"""


def filled(folder: str | Path, answers: Sequence[bytes], topics: Sequence[str]) -> Archive:
    archive = Archive(folder)
    for month, body in enumerate(answers, 1):
        job = Job(METER, Window(YEAR, month), tuple(topics))
        archive.keep(Answer(job, (decode(body, job.window),)), READ_AT)
    archive.settle()
    return archive


def times(archive: Archive, answers: Sequence[bytes], rounds: int) -> list[Row]:
    whole = partial(archive.read, METER, *year.span(answers))
    naive.agree(whole(), naive.year(answers))
    return walls(WHAT, {"dentframe": whole, NAIVE: partial(naive.year, answers)}, rounds)


def peak_frames(way: str, folder: Path) -> float:
    """What a process that reads a year holds at most, in finished frames."""
    command = [sys.executable, "-c", CHILD, way, str(folder / way)]
    return float(subprocess.run(command, check=True, capture_output=True, cwd=ROOT).stdout)


def memory(folder: Path, rounds: int) -> list[Row]:
    ways = {"archive": "archive", NAIVE: "naive"}
    took = in_turn(ways, rounds, partial(peak_frames, folder=folder))
    return [
        Row(WHAT, "the finished frame", tuple(took["archive"]), "memory"),
        Row(WHAT, NAIVE, ratios(took["archive"], took[NAIVE]), "memory"),
    ]


def rows(quick: bool = False) -> list[Row]:
    """The rows of the page on speed."""
    answers = year.wide(quick)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        archive = filled(folder / "archive", answers, year.topics())
        year.write(answers, folder / "naive")
        found = times(archive, answers, 1 if quick else 5)
        return found + ([] if quick else memory(folder, 2))


def parts(quick: bool = False) -> list[Row]:
    """Parts of a year, and what bare pyarrow takes for the whole."""
    answers = year.wide(quick)
    span = year.span(answers)
    with tempfile.TemporaryDirectory() as folder:
        archive = filled(folder, answers, year.topics())
        path = next(archive.path.glob(f"meter={METER}/*.parquet"))
        read = partial(archive.read, METER)
        bare = {"bare pyarrow to pandas, all of it": lambda: pq.read_table(path).to_pandas()}
        ours = {
            WHAT: partial(read, *span),
            "2 of 5 topics": partial(read, *span, topics=["kWHNet", "DemandkW"]),
            "a month": partial(read, f"{YEAR}-02"),
        }
        rounds = 1 if quick else 7
        return [r for name, way in ours.items() for r in walls(name, {name: way, **bare}, rounds)]


def size(topics: dict[str, int]) -> float:
    """What a meter-year needs on disk [MB]."""
    with tempfile.TemporaryDirectory() as folder:
        answers = list(year.bodies(year.made(topics)))
        archive = filled(folder, answers, year.topics(topics))
        return sum(f.stat().st_size for f in Path(archive.path).glob("meter=P*/*")) / 1e6


def main(argv: Sequence[str] = ()) -> None:
    quick = wants_quick(argv)
    show(rows(quick))
    show(parts(quick))
    if not quick:
        print(f"A meter-year of 96 columns: {size(NARROW):.2f} MB; of 144: {size(WIDE):.2f} MB")


if __name__ == "__main__":
    main(sys.argv[1:])
