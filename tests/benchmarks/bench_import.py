"""What ``import dentframe`` costs: ``python -m tests.benchmarks.bench_import [--quick]``.

Each run is a fresh interpreter, which tells the processor time of the import alone, without its
own start; the goal is at most 1.2 times ``import pandas``.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from tests.benchmarks.rounds import Row, in_turn, ratios, show, wants_quick

PANDAS = "import pandas"
STATEMENTS = (
    "import dentframe",
    "from dentframe import read_dentcloud",
    "from dentframe import *",
)
TIMER = "from time import process_time as now\nbegan = now()\n{}\nprint(now() - began)"


def seconds(statement: str) -> float:
    """The processor time of a statement in a fresh interpreter [s]."""
    command = [sys.executable, "-c", TIMER.format(statement)]
    return float(subprocess.run(command, check=True, capture_output=True).stdout)


def rows(quick: bool = False) -> list[Row]:
    """The rows of the page on speed."""
    statements = STATEMENTS[:1] if quick else STATEMENTS
    took = in_turn({s: s for s in (PANDAS, *statements)}, 1 if quick else 9, seconds)
    return [Row(f"`{s}`", f"`{PANDAS}`", ratios(took[s], took[PANDAS]), "CPU") for s in statements]


def main(argv: Sequence[str] = ()) -> None:
    show(rows(wants_quick(argv)))


if __name__ == "__main__":
    main(sys.argv[1:])
