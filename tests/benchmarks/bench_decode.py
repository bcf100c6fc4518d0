"""How decoding compares with other ways: ``python -m tests.benchmarks.bench_decode [--quick]``.

A month of 144 columns at 15 minutes, to a frame of floats. The bare parsers make no frame:
they are the floor, orjson with all its dicts of text, simdjson with nothing read out. Memory
is what is allocated at most while decoding, the result included.
"""

from __future__ import annotations

import json
import mmap
import random
import sys
import tracemalloc
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd

from dentframe.cloud import Window
from dentframe.frame.assemble import join, to_frame
from dentframe.wire.decode import decode, decode_slow
from tests.benchmarks import naive
from tests.benchmarks.rounds import Row, cpus, in_turn, ratios, show, wants_quick

WINDOW = Window(2023, 12)
TOPICS = {"A/Ch": 3, "dPF/Ch": 3, "kWHNet/Elm": 1, "DemandkW/Elm": 1, "kVAHNet/Elm": 1}
KINDS = ("clean", "1 % bad", "10 % absent", "a stray key", "pretty-printed")
BAD = ("N/A", "", "ERR", None)
MONTH = "decode a month × 144 columns"
NAIVE = "json, DataFrame, astype"
Way = Callable[[bytes], object]
TOLERANT: dict[str, Way] = {
    "json, DataFrame, to_numeric": partial(naive.month, numbers=naive.as_numbers)
}


def columns() -> list[str]:
    found = [
        f"{topic}/{element}{channel}"
        for element in "ABCDEFGHIJKLMNOP"
        for topic, channels in TOPICS.items()
        for channel in ([""] if channels == 1 else range(1, channels + 1))
    ]
    return found[:144]


def rows_made(bad: float, days: int) -> list[dict[str, str | None]]:
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
        for day in range(1, days + 1)
        for hour in range(24)
        for minute in (2, 17, 32, 47)
    ]


def document(kind: str, days: int = 31) -> bytes:
    made = rows_made(0.01 if kind == "1 % bad" else 0.0, days)
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


def ours(body: bytes) -> pd.DataFrame:
    page = decode(body, WINDOW)
    return to_frame(join([page], page.columns), shared=False)


def parsers() -> dict[str, Way]:
    """What the group ``bench`` brings, where it is installed."""
    found: dict[str, Way] = {}
    if find_spec("orjson"):
        import orjson

        found["orjson, DataFrame, astype"] = partial(naive.month, loads=orjson.loads)
        found["bare orjson: dicts of text, no frame"] = orjson.loads
    if find_spec("simdjson"):
        import simdjson

        found["bare simdjson: parsed, nothing read out"] = simdjson.Parser().parse
    return found


def agree(body: bytes, way: Way) -> None:
    """Ways that make a frame make the same one."""
    mine, other = ours(body), way(body)
    np.testing.assert_array_equal(mine, decode_slow(body, WINDOW).values)
    if isinstance(other, pd.DataFrame):
        naive.agree(mine, other)


def beside(what: str, body: bytes, others: dict[str, Way], rounds: int) -> list[Row]:
    for way in others.values():
        agree(body, way)
    ways = {name: partial(way, body) for name, way in {"dentframe": ours, **others}.items()}
    return cpus(what, ways, rounds)


def peak(call: Callable[[], object]) -> float:
    """What is allocated at most in a call, its result and the memory it maps included [bytes]."""
    mapped: list[int] = []

    def counting(number: int, size: int, *more: Any, **options: Any) -> mmap.mmap:
        mapped.append(size)
        return real(number, size, *more, **options)

    real, mmap.mmap = mmap.mmap, counting  # type: ignore[misc, assignment]
    tracemalloc.start()
    kept = call()
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    mmap.mmap = real  # type: ignore[misc]
    del kept
    return found + sum(mapped)


def memory(body: bytes, rounds: int) -> list[Row]:
    ways = {"dentframe": partial(ours, body), NAIVE: partial(naive.month, body)}
    took = in_turn(ways, rounds, peak)
    frame = ours(body).memory_usage().sum()
    alone = tuple(float(most / frame) for most in took["dentframe"])
    return [
        Row(MONTH, "the finished frame", alone, "memory"),
        Row(MONTH, NAIVE, ratios(took["dentframe"], took[NAIVE]), "memory"),
    ]


def rows(quick: bool = False) -> list[Row]:
    """The rows of the page on speed."""
    days, rounds = (1, 1) if quick else (31, 15)
    clean, bad = document("clean", days), document("1 % bad", days)
    return [
        *beside(MONTH, clean, {NAIVE: naive.month, **parsers()}, rounds),
        *memory(clean, 1 if quick else 3),
        *beside(f"{MONTH}, 1 % of the cells unreadable", bad, TOLERANT, rounds),
    ]


def odd(quick: bool = False) -> list[Row]:
    """The same for documents that are not as they should be."""
    days, rounds, kinds = (1, 1, KINDS[2:3]) if quick else (31, 7, KINDS[2:])
    bodies = {f"{MONTH}, {kind}": document(kind, days) for kind in kinds}
    return [row for name, body in bodies.items() for row in beside(name, body, TOLERANT, rounds)]


def main(argv: Sequence[str] = ()) -> None:
    show(rows(wants_quick(argv)))
    show(odd(wants_quick(argv)))


if __name__ == "__main__":
    main(sys.argv[1:])
