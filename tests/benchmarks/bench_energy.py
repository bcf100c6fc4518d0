"""Energy per local day of a year: ``python -m tests.benchmarks.bench_energy [--quick]``.

Beside what is usually written, which gets it wrong: it loses the energy across each midnight.
Fails where the promise does not hold: at most 0.15 s for a year of 16 elements, and linear in
rows and elements.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd

import dentframe  # noqa: F401 - for the accessor
from tests.benchmarks.rounds import Row, cpus, seconds, show, wants_quick

LA = "America/Los_Angeles"
LIMIT = 0.15
BLANK = 0.03
WHAT = '`energy("D")` of a year × 16 elements'


def year(elements: int = 16, years: float = 1) -> pd.DataFrame:
    """Rising registers, at minutes 2, 17, 32 and 47."""
    n = int(35_040 * years) + 1
    index = pd.date_range("2023-01-01 00:02", periods=n, freq="15min", tz="UTC", unit="us")
    steps = np.random.default_rng(7).gamma(2.0, 0.5, (n, elements)).round(3)
    names = [f"kWHNet/Elm/{chr(65 + i)}" for i in range(elements)]
    return pd.DataFrame(1000.0 + np.cumsum(steps, axis=0), index=index, columns=names)


def blanked(frame: pd.DataFrame) -> pd.DataFrame:
    """The same with some of its cells missing."""
    return frame.mask(np.random.default_rng(8).random(frame.shape) < BLANK)


def last_minus_first(frame: pd.DataFrame) -> pd.DataFrame:
    days = frame.tz_convert(LA).resample("D")
    return days.last() - days.first()


def last_diff(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.tz_convert(LA).resample("D").last().diff()


def days(frame: pd.DataFrame, detail: bool = False) -> pd.DataFrame:
    return frame.dent.energy("D", tz=LA, min_coverage=0, detail=detail)


def beside(what: str, frame: pd.DataFrame, rounds: int) -> list[Row]:
    ways = {
        "dentframe": partial(days, frame),
        "resample, last minus first (wrong)": partial(last_minus_first, frame),
        "resample, last, diff (wrong)": partial(last_diff, frame),
    }
    return cpus(what, ways, rounds)


def rows(quick: bool = False) -> list[Row]:
    """The rows of the page on speed."""
    frame, rounds = (year(2, 0.1), 1) if quick else (year(), 15)
    return [
        *beside(WHAT, frame, rounds),
        *beside(f"{WHAT}, {100 * BLANK:.0f} % of the cells blank", blanked(frame), rounds),
    ]


def judge() -> None:
    """Hold the promise: quick, and linear."""
    frame, long = year(), year(years=4)
    ours, four = (min(seconds(partial(days, f)) for _ in range(7)) for f in (frame, long))
    detail = min(seconds(partial(days, frame, detail=True)) for _ in range(7))
    print(
        f"{WHAT}: {ours * 1e3:.1f} ms; detail: {detail * 1e3:.1f} ms; 4 years: {four / ours:.2f}x"
    )
    assert ours <= LIMIT, ours
    assert four <= 6 * ours, four / ours


def main(argv: Sequence[str] = ()) -> None:
    show(rows(wants_quick(argv)))
    if not wants_quick(argv):
        judge()


if __name__ == "__main__":
    main(sys.argv[1:])
