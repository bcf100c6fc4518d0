"""How long planning takes: ``python -m tests.benchmarks.bench_plan [--quick]``.

Ten local years, with more and more in the cache; the goal is under 0.1 s. The last line is
an extreme: ten years of which every single hour is cached on its own.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from dentframe.cloud import Window
from dentframe.cloud.planner import plan
from tests.benchmarks.rounds import seconds, wants_quick

START, END = datetime(2010, 1, 1, 8, tzinfo=UTC), datetime(2020, 1, 1, 8, tzinfo=UTC)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
MONTHS = [Window(year, month) for year in range(2010, 2020) for month in range(1, 13)]
DAYS = [day for month in MONTHS for day in month.children()]
HOURS = [hour for day in DAYS for hour in day.children()]
CACHES = {
    "nothing": [],
    "every month": MONTHS,
    "every other month": MONTHS[::2],
    "every day": DAYS,
    "every other day": DAYS[::2],
    "one hour a day": HOURS[::24],
    "every hour": HOURS,
}


def main(argv: Sequence[str] = ()) -> None:
    quick = wants_quick(argv)
    print(f"{'cached':20}{'windows':>9}{'median ms':>12}{'min':>9}{'max':>9}")
    for name, cached in list(CACHES.items())[: 2 if quick else None]:
        planned = partial(plan, START, END, now=NOW, cached=cached)
        times = [1e3 * seconds(planned) for _ in range(1 if quick else 7)]
        spread = f"{min(times):9.1f}{max(times):9.1f}"
        print(f"{name:20}{len(planned()):9}{statistics.median(times):12.1f}{spread}")


if __name__ == "__main__":
    main(sys.argv[1:])
