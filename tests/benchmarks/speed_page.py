"""Write the table of ``docs/explain/speed.md``: ``make bench``.

``python -m tests.benchmarks.speed_page --quick`` prints a small one and leaves the page alone.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from pathlib import Path

from tests.benchmarks import (
    bench_archive,
    bench_cache,
    bench_dask,
    bench_decode,
    bench_demand,
    bench_energy,
    bench_first_read,
    bench_http,
    bench_import,
)
from tests.benchmarks.rounds import Row, in_turn, ratios, seconds, show, wants_quick

PAGE = Path(__file__).parents[2] / "docs" / "explain" / "speed.md"
BEGIN, END = "<!-- made by make bench -->", "<!-- end of what make bench made -->"
HEAD = ("what dentframe does", "beside", "measured", "ratio", "least – most", "rounds")
POLARS = "Polars, a query by hand"
PACKAGES = ("pandas", "numpy", "msgspec", "pyarrow", "dask", "polars", "orjson", "pysimdjson")


def portfolio(quick: bool = False) -> list[Row]:
    """Monthly energy of many meter-years from an archive."""
    what = f"energy by month of {bench_dask.METERS} meter-years of an archive, on Dask with"
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        archive = bench_dask.filled(Path(folder) / "portfolio", 2 if quick else bench_dask.METERS)
        assert bench_dask.agree(archive) < 1e-6
        for some in bench_dask.schedulers(quick):
            ways = {name: bench_dask.ours(archive, scheduler=one) for name, one in some.items()}
            every = {POLARS: bench_dask.theirs(archive), **ways}
            took = in_turn(every, 1 if quick else 9, seconds)
            found += [Row(f"{what} {x}", POLARS, ratios(took[x], took[POLARS])) for x in ways]
    return found


PARTS: tuple[Callable[[bool], list[Row]], ...] = (
    bench_decode.rows,
    bench_first_read.rows,
    bench_cache.rows,
    bench_archive.rows,
    bench_energy.rows,
    bench_demand.rows,
    portfolio,
    bench_http.rows,
    bench_import.rows,
)


def measured(quick: bool = False) -> list[Row]:
    """All rows; those of a long run are shown as they come."""
    found: list[Row] = []
    for part in PARTS:
        began = time.perf_counter()
        rows = part(quick)
        if not quick:
            show(rows)
            print(f"    ({time.perf_counter() - began:.0f} s)", flush=True)
        found += rows
    return found


def table(rows: Iterable[Row]) -> str:
    """The rows as a Markdown table; what is done stands once above its comparisons."""
    lines = ["| " + " | ".join(HEAD) + " |", "|---|---|---|--:|--:|--:|"]
    before = None
    for row in rows:
        what, *rest = row.cells
        lines.append("| " + " | ".join(["" if what == before else what, *rest]) + " |")
        before = what
    return "\n".join(lines)


def machine() -> str:
    """What was measured on, in words that name no host."""
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    cores = f"{os.cpu_count()} cores ({platform.machine()})"
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"Measured on {platform.system()} with {cores}, {python}, {packages}."


def replaced(page: str, made: str) -> str:
    """The page with this between its markers, and nothing else changed.

    Raises
    ------
    ValueError
        If the page does not hold each marker once, in order.
    """
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end) or BEGIN in rest or END in head + tail:
        raise ValueError(f"Cannot write the table: the page must hold {BEGIN} and {END} once each.")
    return f"{head}{BEGIN}\n\n{made}\n\n{END}{tail}"


def main(argv: Sequence[str] = ()) -> None:
    page, on = PAGE.read_text(encoding="utf-8"), machine()
    replaced(page, on)
    small = table(measured(quick=True))  # what is amiss is told before the long run
    if wants_quick(argv):
        print(small)
        return
    PAGE.write_text(replaced(page, f"{table(measured())}\n\n{on}"), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
