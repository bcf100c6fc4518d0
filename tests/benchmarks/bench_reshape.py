"""Benchmarks of the reshaping verbs: a year x 96 columns, against the cost of a copy.

Run: ``python tests/benchmarks/bench_reshape.py``
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from dentframe import quantify, reshape

LETTERS = "ABCDEFGHIJKLMNOP"


def year(elements: int = 16) -> pd.DataFrame:
    """A year of 15-minute rows: 3 topics per element and one per channel (96 columns at 16)."""
    letters = LETTERS[:elements]
    labels = [f"{t}/Elm/{e}" for t in ("kVAHNet", "kWHNet", "DemandkW") for e in letters]
    labels += [f"A/Ch/{e}{n}" for e in letters for n in (1, 2, 3)]
    index = pd.date_range("2023-01-01 00:02", periods=35_040, freq="15min", tz="UTC", unit="us")
    rng = np.random.default_rng(1)
    # Column-major, as the reader stores it.
    values = np.asfortranarray(rng.random((len(index), len(labels))))
    return pd.DataFrame(values, index=index.rename("time"), columns=labels, copy=False)


def best(call: Callable[[], Any], times: int = 7) -> float:
    """The least time of `times` calls [s]."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return min(taken)


def main() -> None:
    """Print each verb's time and its ratio to a deep copy of the frame."""
    frame = year()
    copy = best(lambda: frame.copy(deep=True))
    long, quantified = reshape.to_long(frame), quantify.quantify(frame)
    calls: dict[str, Callable[[], Any]] = {
        "to_long": lambda: reshape.to_long(frame),
        "from_long": lambda: reshape.from_long(long),
        "by_element": lambda: reshape.by_element(frame, "DemandkW"),
        "by_channel": lambda: reshape.by_channel(frame, "A"),
        "select": lambda: reshape.select(frame, element=["A", "C"]),
        "table": lambda: reshape.table(frame),
        "quantify": lambda: quantify.quantify(frame),
        "dequantify": lambda: quantify.dequantify(quantified),
        "convert": lambda: quantify.convert(frame, {"DemandkW": "W"}),
    }
    print(f"pandas {pd.__version__}; frame {frame.shape}; copy {copy * 1e3:.1f} ms")
    for name, call in calls.items():
        taken = best(call, 3)
        print(f"{name:12} {taken * 1e3:8.1f} ms   {taken / copy:6.1f} x copy")


if __name__ == "__main__":
    main()
