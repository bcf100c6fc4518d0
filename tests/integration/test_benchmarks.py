"""Every benchmark still imports and runs: small and once, without a word on how long it takes."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

pytest.importorskip("pyarrow")
pytest.importorskip("dask")
pytest.importorskip("pint_pandas")
pytest.importorskip("polars")

FOLDER = Path(__file__).parents[1] / "benchmarks"
ON_THE_PAGE = "bench_dask"
"""It has no quick run of its own; that of the page runs it."""
NAMES = sorted(path.stem for path in FOLDER.glob("bench_*.py"))


@pytest.mark.parametrize("name", [name for name in NAMES if name != ON_THE_PAGE])
def test_a_benchmark_runs(name, capsys):
    """`--quick` prints something and raises nothing."""
    importlib.import_module(f"tests.benchmarks.{name}").main(["--quick"])
    assert capsys.readouterr().out


def test_the_portfolio_of_the_page_runs():
    """Two meter-years on Dask and on Polars: they agree, and give one row."""
    from tests.benchmarks.speed_page import portfolio

    [row] = portfolio(quick=True)
    assert len(row.ratios) == 1
