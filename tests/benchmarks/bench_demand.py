"""The demand, quality and load-study verbs on a year x 16 elements.

``python -m tests.benchmarks.bench_demand [--quick]`` prints what it sees and fails where the
promise does not hold: each verb under 0.3 s, and linear in years.
"""

from __future__ import annotations

import sys
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe import Schedule, Window
from dentframe.errors import CoverageWarning
from dentframe.verbs.peaks import peaks
from tests.benchmarks.rounds import Row, cpus, in_turn, seconds, show, wants_quick

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LA = "America/Los_Angeles"
LIMIT, LINEAR = 0.3, 3.0
PEAK = Schedule([Window("peak", "16:00", "21:00", days="weekday")])


def year(years: float = 1, elements: int = 16) -> pd.DataFrame:
    """Demand, registers and voltages at minutes 2, 17, 32 and 47."""
    n = int(35_040 * years)
    index = pd.date_range("2022-01-01 00:02", periods=n, freq="15min", tz="UTC", unit="us")
    kw = np.random.default_rng(7).gamma(2.0, 2.0, (n, elements)).round(3)
    letters = [chr(65 + i) for i in range(elements)]
    parts = {
        "DemandkW": kw,
        "kWHNet": 1000 + np.cumsum(kw, axis=0) / 4,
        "kVAHNet": 1000 + np.cumsum(kw, axis=0) / 3.6,
        "V": 277 + kw / 10,
    }
    frames = [
        pd.DataFrame(v, index=index, columns=[f"{t}/Elm/{x}" for x in letters])
        for t, v in parts.items()
    ]
    return pd.concat(frames, axis=1)


def verbs(frame: pd.DataFrame) -> dict[str, Callable[[], Any]]:
    """Each verb as a user calls it."""
    return {
        "demand": lambda: frame.dent.demand(tz=LA),
        "demand rolling": lambda: frame.dent.demand("30min", kind="rolling", tz=LA),
        "apparent_demand": lambda: frame.dent.apparent_demand(tz=LA),
        "peaks reported": lambda: frame.dent.peaks("MS", tz=LA),
        "peaks daily": lambda: frame.dent.peaks("D", tz=LA),
        "peaks block": lambda: frame.dent.peaks("MS", kind="block", n=3, per_day=True, tz=LA),
        "peaks rolling": lambda: frame.dent.peaks("MS", kind="rolling", window="30min", tz=LA),
        "coincident": lambda: frame.dent.coincident("MS", elements="all", tz=LA),
        "load_factor": lambda: frame.dent.load_factor("MS", tz=LA),
        "power_factor": lambda: frame.dent.power_factor("MS", tz=LA),
        "duration": lambda: frame.dent.duration(tz=LA),
        "profile": lambda: frame.dent.profile(tz=LA),
        "baseload": lambda: frame.dent.baseload("MS", tz=LA),
        "stats": lambda: frame.dent.stats("V", "D", tz=LA),
        "coverage": lambda: frame.dent.coverage("D", tz=LA),
        "gaps": lambda: frame.dent.gaps(tz=LA),
        "quality": lambda: frame.dent.quality(tz=LA),
        "energy schedule": lambda: frame.dent.energy("MS", tz=LA, schedule=PEAK),
    }


def max_and_when(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Each month's highest value and when it was, without coverage or doubt."""
    local = frame.filter(like="DemandkW/").tz_convert(LA)
    months = local.groupby(pd.Grouper(freq="MS"))
    return months.max(), months.idxmax()


def rows(quick: bool = False) -> list[Row]:
    """The row of the page on speed."""
    frame = year(0.1, 2) if quick else year()
    ways = {
        "dentframe": partial(peaks, frame, "MS", tz=LA, min_coverage=0),
        "groupby, max and idxmax": partial(max_and_when, frame),
    }
    return cpus('`peaks("MS")` of a year × 16 elements', ways, 1 if quick else 15)


def judge(quick: bool) -> None:
    """Hold the promise; a quick run only looks whether all verbs run."""
    frames = (year(0.1 * n, 2) if quick else year(n) for n in (1, 2))
    one, two = (in_turn(verbs(frame), 1 if quick else 3, seconds) for frame in frames)
    failed = []
    for name in one:
        taken, twice = min(one[name]), min(two[name])
        print(f"{name:16} {taken * 1e3:7.1f} ms   two years {twice / taken:4.1f} x")
        if taken > LIMIT or twice > LINEAR * taken:
            failed.append(name)
    assert quick or not failed, failed


def main(argv: Sequence[str] = ()) -> None:
    show(rows(wants_quick(argv)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CoverageWarning)
        judge(wants_quick(argv))


if __name__ == "__main__":
    main(sys.argv[1:])
