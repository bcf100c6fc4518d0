"""How decoding compares with the naive way: ``python tests/benchmarks/bench_decode.py``.

A month of 144 columns at 15 minutes; both ways run in turn, and each pair gives a ratio, so
that a busy machine spoils the times but hardly the ratios. Memory is what is
allocated at most while decoding, the result included, in finished frames.
"""

from __future__ import annotations

import json
import random
import statistics
import time
import tracemalloc
from collections.abc import Callable

import numpy as np
import pandas as pd

from dentframe.cloud.windows import Window
from dentframe.cloud.wire import decode, decode_slow

ROUNDS = 9
WINDOW = Window(2023, 12)
TOPICS = {"A/Ch": 3, "dPF/Ch": 3, "kWHNet/Elm": 1, "DemandkW/Elm": 1, "kVAHNet/Elm": 1}
BAD = ("N/A", "", "ERR", None)


def columns() -> list[str]:
    found = [
        f"{topic}/{element}{channel}"
        for element in "ABCDEFGHIJKLMNOP"
        for topic, channels in TOPICS.items()
        for channel in ([""] if channels == 1 else range(1, channels + 1))
    ]
    return found[:144]


def rows(bad: float) -> list[dict[str, str | None]]:
    rng = random.Random(482311252)
    registers = {name: rng.uniform(1e3, 2e5) for name in columns()}

    def cell(name: str) -> str | None:
        if rng.random() < bad:
            return rng.choice(BAD)
        registers[name] += rng.uniform(0, 0.5)
        return f"{registers[name] if 'HNet' in name else rng.uniform(0, 60):.3f}"

    return [
        {
            "date": f"2023-12-{day:02d}",
            "time": f"{hour:02d}:{minute:02d}",
            **{name: cell(name) for name in columns()},
        }
        for day in range(1, 32)
        for hour in range(24)
        for minute in (2, 17, 32, 47)
    ]


def document(kind: str) -> bytes:
    made = rows(0.01 if kind == "1 % bad" else 0.0)
    if kind == "10 % absent":
        rng = random.Random(1)
        made = [
            {k: v for k, v in row.items() if "/" not in k or rng.random() > 0.1} for row in made
        ]
    if kind == "a stray key":
        made = [{**row, "id": str(i)} for i, row in enumerate(made)]
    body = {"headers": ["date", "time", *columns()], "topics": made}
    spaces = {"indent": 1} if kind == "pretty-printed" else {"separators": (",", ":")}
    return json.dumps(body, **spaces).encode()


def naive(body: bytes) -> pd.DataFrame:
    frame = pd.DataFrame(json.loads(body)["topics"])
    frame.index = pd.to_datetime(frame.pop("date") + " " + frame.pop("time"), utc=True)
    return frame.apply(pd.to_numeric, errors="coerce")


def ours(body: bytes) -> object:
    return decode(body, WINDOW)


def seconds(read: Callable[[bytes], object], body: bytes) -> float:
    began = time.process_time()
    read(body)
    return time.process_time() - began


def peak_frames(read: Callable[[bytes], object], body: bytes) -> float:
    page = decode(body, WINDOW)
    frame = page.values.nbytes + page.minutes.nbytes
    tracemalloc.start()
    kept = read(body)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    del kept
    return peak / frame


def compare(kind: str) -> str:
    body = document(kind)
    fast, slow = decode(body, WINDOW), decode_slow(body, WINDOW)
    np.testing.assert_array_equal(fast.values, slow.values)
    pairs = [(seconds(naive, body), seconds(ours, body)) for _ in range(ROUNDS)]
    ratios = [theirs / mine for theirs, mine in pairs]
    theirs, mine = (1e3 * statistics.median(times) for times in zip(*pairs, strict=True))
    median = f"{theirs:9.0f}{mine:8.0f}"
    ratio = f"{statistics.median(ratios):9.1f}{min(ratios):7.1f}{max(ratios):7.1f}"
    memory = f"{peak_frames(ours, body):10.1f}{peak_frames(naive, body):8.1f}"
    return f"{kind:16}{len(body) / 1e6:6.1f}{median}{ratio}{memory}"


def main() -> None:
    times = f"{'naive ms':>9}{'ours':>8}{'ratio':>9}{'min':>7}{'max':>7}"
    print(f"{'a month of':16}{'MB':>6}{times}{'frames':>10}{'naive':>8}")
    for kind in ("clean", "1 % bad", "10 % absent", "a stray key", "pretty-printed"):
        print(compare(kind))


if __name__ == "__main__":
    main()
