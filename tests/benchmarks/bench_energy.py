"""Benchmark: local days of a year of registers, against the usual way that gets them wrong.

Run it with ``python tests/benchmarks/bench_energy.py``; it prints what it sees and fails where
the promise does not hold: at most 0.15 s for a year of 16 elements, at most 3 times
``resample("D").last().diff()``, and linear in rows and elements.
"""

from __future__ import annotations

import time

import numpy as np
import pandas as pd

from dentframe.energy import energy

LA = "America/Los_Angeles"
LIMIT, RATIO = 0.15, 3.0


def year(elements=16, years=1):
    """Rising registers, at minutes 2, 17, 32 and 47."""
    n = 35_040 * years + 1
    index = pd.date_range("2023-01-01 00:02", periods=n, freq="15min", tz="UTC", unit="us")
    steps = np.random.default_rng(7).gamma(2.0, 0.5, (n, elements)).round(3)
    names = [f"kWHNet/Elm/{chr(65 + i)}" for i in range(elements)]
    return pd.DataFrame(1000.0 + np.cumsum(steps, axis=0), index=index, columns=names)


def naive(frame):
    """What is usually written; it loses the energy across each midnight's edge."""
    return frame.tz_convert(LA).resample("D").last().diff()


def best(call, repeat=7):
    """The least of several runs [s]."""
    seconds = []
    for _ in range(repeat):
        began = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def main():
    """Measure and judge."""
    frame = year()
    ours = best(lambda: energy(frame, "D", tz=LA, min_coverage=0))
    usual = best(lambda: naive(frame))
    detail = best(lambda: energy(frame, "D", tz=LA, min_coverage=0, detail=True))
    narrow, long = year(elements=4), year(years=4)
    few = best(lambda: energy(narrow, "D", tz=LA, min_coverage=0))
    four = best(lambda: energy(long, "D", tz=LA, min_coverage=0))
    print(f"energy('D') of a year x 16: {ours * 1e3:.1f} ms; detail: {detail * 1e3:.1f} ms")
    print(f"naive: {usual * 1e3:.1f} ms; ratio {ours / usual:.2f}")
    print(f"4 elements: {few * 1e3:.1f} ms; 4 years: {four * 1e3:.1f} ms ({four / ours:.2f}x)")
    assert ours <= LIMIT, ours
    assert ours <= RATIO * usual, ours / usual
    assert four <= 6 * ours, four / ours


if __name__ == "__main__":
    main()
