"""Benchmarks of the reshaping verbs: a year x 96 columns, against the cost of a copy.

Run: ``python -m tests.benchmarks.bench_reshape [--quick]``
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from dentframe.frame import reshape, select
from tests.benchmarks.rounds import Row, cpus, show, wants_quick

LETTERS = "ABCDEFGHIJKLMNOP"


def year(elements: int = 16, rows: int = 35_040) -> pd.DataFrame:
    """A year of 15-minute rows: 3 topics per element and one per channel (96 columns at 16)."""
    letters = LETTERS[:elements]
    labels = [f"{t}/Elm/{e}" for t in ("kVAHNet", "kWHNet", "DemandkW") for e in letters]
    labels += [f"A/Ch/{e}{n}" for e in letters for n in (1, 2, 3)]
    index = pd.date_range("2023-01-01 00:02", periods=rows, freq="15min", tz="UTC", unit="us")
    rng = np.random.default_rng(1)
    # Column-major, as the reader stores it.
    values = np.asfortranarray(rng.random((len(index), len(labels))))
    return pd.DataFrame(values, index=index.rename("time"), columns=labels, copy=False)


def verbs(frame: pd.DataFrame) -> dict[str, Callable[[], object]]:
    """Each verb as a user calls it."""
    long, quantified = frame.dent.to_long(), frame.dent.quantify()
    return {
        "to_long": frame.dent.to_long,
        "from_long": lambda: reshape.from_long(long),
        "by_element": lambda: frame.dent.by_element("DemandkW"),
        "by_channel": lambda: frame.dent.by_channel("A"),
        "select": lambda: frame.dent.select(element=["A", "C"]),
        "table": lambda: select.table(frame),
        "quantify": frame.dent.quantify,
        "dequantify": quantified.dent.dequantify,
        "convert": lambda: frame.dent.convert({"DemandkW": "W"}),
    }


def rows(quick: bool = False) -> list[Row]:
    """Each verb beside a deep copy."""
    frame = year(3, 96) if quick else year()
    copy = {"a deep copy of the frame": lambda: frame.copy(deep=True)}
    ways = verbs(frame).items()
    rounds = 1 if quick else 5
    return [row for name, way in ways for row in cpus(name, {name: way, **copy}, rounds)]


def main(argv: Sequence[str] = ()) -> None:
    show(rows(wants_quick(argv)))


if __name__ == "__main__":
    main(sys.argv[1:])
