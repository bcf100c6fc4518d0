"""What a first read costs a fresh process: ``python -m tests.benchmarks.bench_first_read --quick``.

A year of 144 columns, from an emulator on loopback in another process. The naive way is the loop
of requests that one writes: get, json, DataFrame, times, numbers. Of each process is measured,
after its imports, how often the system had to find it a page of memory (page faults), by how
much its high-water mark grows, and its processor time.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from dentframe import emulator
from tests.benchmarks import year
from tests.benchmarks.rounds import Row, in_turn, show, wants_quick
from tests.benchmarks.year import METER, YEAR

ROOT = Path(__file__).parents[2]
WHAT = "read a year × 144 columns for the first time, over HTTP"
NAIVE = "requests, json, DataFrame, to_numeric, month by month"
MEASURES = ("page faults", "memory", "CPU")
CHILD = """
import hashlib, json, resource, sys, time
import msgspec, pandas as pd, requests, requests_cache
import dentframe.wire.decode, dentframe.cloud.transport
from dentframe import DentCloud, read_dentcloud
from tests.benchmarks import naive
from tests.benchmarks.high_water import high_water
way, url, key, key_id, folder, topics, meter, year, months = json.loads(sys.argv[1])

def used():
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    return faults, high_water(), time.process_time()

before = used()
if way == "naive":
    asked = {"request": "getData", "meter": meter, "year": year, "topics": f"[{','.join(topics)}]"}
    keys = {"x-api-key": key, "x-key-id": key_id}
    parts = []
    for month in range(1, months + 1):
        reply = requests.get(url, params=asked | {"month": f"{month:02d}"}, headers=keys)
        parts.append(naive.month(reply.content, numbers=naive.as_numbers))
    frame = pd.concat(parts)
else:
    end = pd.Timestamp(f"{year}-01-01") + pd.DateOffset(months=months)
    with DentCloud(key, key_id, base_url=url, cache=folder, rate=500) as client:
        frame = read_dentcloud(meter, f"{year}-01-01", end, topics, client=client, progress=False)
took = [b - a for a, b in zip(before, used())]
frame = frame[sorted(frame.columns)].to_numpy(), frame.index.as_unit("us").asi8
digest = hashlib.sha256(b"".join(x.tobytes() for x in frame)).hexdigest()
print(json.dumps([digest, *took]))
"""


def measure(way: str, cloud: emulator.Cloud, months: int, digests: set[str]) -> list[float]:
    """What one process takes: page faults, memory [B] and processor time [s].

    The digest of its readings and times must be that of the processes before it.
    """
    with tempfile.TemporaryDirectory() as folder:
        keys = cloud.url, cloud.api_key, cloud.key_id
        how = json.dumps([way, *keys, folder, year.topics(), METER, str(YEAR), months])
        command = [sys.executable, "-c", CHILD, how]
        said = subprocess.run(command, check=True, capture_output=True, cwd=ROOT).stdout
    digest, *took = json.loads(said)
    digests.add(digest)
    assert len(digests) == 1
    return took


def rows(quick: bool = False) -> list[Row]:
    """The rows of the page on speed."""
    answers, rounds = year.wide(quick), 1 if quick else 5
    with tempfile.TemporaryDirectory() as name:
        source = year.write(answers, Path(name) / "bodies")
        with emulator.serve(source, rate=None, concurrency=None) as cloud:
            run = partial(measure, cloud=cloud, months=len(answers), digests=set())
            took = in_turn({"dentframe": "dentframe", NAIVE: "naive"}, rounds, run)
    each = [list(zip(*took[way], strict=True)) for way in took]
    return [
        Row(WHAT, NAIVE, tuple(a / max(b, 1e-9) for a, b in zip(*both, strict=True)), of)
        for of, *both in zip(MEASURES, *each, strict=True)
    ]


def main(argv: Sequence[str] = ()) -> None:
    show(rows(wants_quick(argv)))


if __name__ == "__main__":
    main(sys.argv[1:])
