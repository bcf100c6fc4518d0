"""What a second read costs: ``python -m tests.benchmarks.bench_cache [--quick]``.

A year of 144 columns, read once from an emulator on loopback; then `read_dentcloud` again, by
a client that is opened anew, without a request. The naive way parses the same twelve bodies,
and has them in memory already.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from dentframe import DentCloud, emulator, read_dentcloud
from tests.benchmarks import naive, year
from tests.benchmarks.rounds import Row, show, walls, wants_quick
from tests.benchmarks.year import METER

if TYPE_CHECKING:
    import pandas as pd

WHAT = "read a year × 144 columns again, from the cache"
NAIVE = "json, DataFrame, astype of the same 12 bodies"


def again(cloud: emulator.Cloud, folder: Path, span: tuple[str, str]) -> Callable[[], pd.DataFrame]:
    """What reads this range with a client of its own."""

    def read() -> pd.DataFrame:
        keys = cloud.api_key, cloud.key_id
        with DentCloud(*keys, base_url=cloud.url, cache=folder, rate=500) as client:
            topics = list(year.topics())
            return read_dentcloud(METER, *span, topics, client=client)

    return read


def rows(quick: bool = False) -> list[Row]:
    """The row of the page on speed."""
    answers = year.wide(quick)
    with tempfile.TemporaryDirectory() as name:
        source = year.write(answers, Path(name) / "bodies")
        with emulator.serve(source, rate=None, concurrency=None) as cloud:
            read = again(cloud, Path(name) / "cache", year.span(answers))
            naive.agree(read(), naive.year(answers))
            sent = len(cloud.requests)
            ways = {"dentframe": read, NAIVE: partial(naive.year, answers)}
            found = walls(WHAT, ways, 1 if quick else 5)
            assert len(cloud.requests) == sent
    return found


def main(argv: Sequence[str] = ()) -> None:
    show(rows(wants_quick(argv)))


if __name__ == "__main__":
    main(sys.argv[1:])
