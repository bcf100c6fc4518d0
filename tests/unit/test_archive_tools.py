"""The archive's files as other tools read them, without dentframe."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from dentframe.archive import Archive
from dentframe.archive.archive import lock
from tests.archive_kit import READ_AT, answer, every, later


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Two meters, one with more elements, two years; and an answer that is not settled."""
    made = Archive(tmp_path_factory.mktemp("portfolio"))
    for meter, window, elements in (
        ("P1", "2023-12", "A"), ("P1", "2024-01", "AB"), ("P2", "2024-01", "ABC"),
    ):  # fmt: skip
        columns = {f"kWHNet/Elm/{e}": every(60, window) for e in elements}
        columns["kWHNet/Elm/A"].pop(62)
        made.keep(answer(window, columns, meter=meter), READ_AT)
    made.settle()
    made.keep(answer("2024-02", {"kWHNet/Elm/D": every(60, "2024-02")}, meter="P1"), later(1))
    return made


@pytest.fixture(scope="module")
def expected(archive):
    """The settled rows as our own reader has them."""
    one = archive.read("P1", "2023-12", "2024-02")
    two = archive.read("P2", "2024-01")
    frame = pd.concat({"P1": one, "P2": two}, names=["meter", "time"]).reset_index()
    return normal(frame)


def normal(frame):
    """Rows in one order, columns by name, plain dtypes."""
    frame = frame[sorted(frame.columns)].astype({"meter": "str"})
    time = pd.to_datetime(frame["time"], utc=True).dt.as_unit("us")
    frame = frame.assign(time=time).sort_values(["meter", "time"], ignore_index=True)
    return frame.astype({c: "float64" for c in frame if "/" in c})


def test_pandas_reads_the_folder(archive, expected):
    """pd.read_parquet of the folder has every row and column, the meter as a column."""
    pytest.importorskip("pyarrow")
    frame = pd.read_parquet(archive.path)
    pd.testing.assert_frame_equal(normal(frame), expected)
    one = pd.read_parquet(archive.path, filters=[("meter", "==", "P2")])
    assert len(one) == 744


def test_polars_reads_the_folder(archive, expected):
    """pl.scan_parquet of all files has the same rows, and missing is null."""
    pl = pytest.importorskip("polars")
    path = archive.path / "**/*.parquet"
    lazy = pl.scan_parquet(path, hive_partitioning=True, missing_columns="insert")
    pd.testing.assert_frame_equal(normal(pd.DataFrame(lazy.collect().to_dicts())), expected)
    count = lazy.filter(pl.col("meter") == "P2").select(pl.col("kWHNet/Elm/A").count())
    assert count.collect().item() == 743


def test_duckdb_reads_the_folder(archive, expected):
    """read_parquet over all files has the same rows; missing is NULL, so that means are right."""
    duckdb = pytest.importorskip("duckdb")
    files = f"{archive.path.as_posix()}/**/*.parquet"
    rows = "FROM read_parquet(?, hive_partitioning=true, union_by_name=true)"
    with duckdb.connect() as connection:
        us = "SELECT * REPLACE (epoch_us(time) AS time)"
        found = connection.execute(f"{us} {rows}", [files])
        names = [column[0] for column in found.description]
        frame = pd.DataFrame(found.fetchall(), columns=names)
        frame["time"] = pd.to_datetime(frame["time"], unit="us", utc=True)
        pd.testing.assert_frame_equal(normal(frame), expected)
        count = f"""SELECT count("kWHNet/Elm/A"), count(*) {rows} WHERE meter = 'P2'"""
        assert connection.execute(count, [files]).fetchone() == (743, 744)


def test_whole_folder_readers_take_the_folder_as_it_is(tmp_path):
    """After a sync the folder's own name is enough for pyarrow, Polars and DuckDB."""
    dataset = pytest.importorskip("pyarrow.dataset")
    duckdb, pl = pytest.importorskip("duckdb"), pytest.importorskip("polars")
    archive = Archive(tmp_path / "portfolio")
    for meter in ("P1", "P2"):
        archive.keep(
            answer("2024-01", {"kWHNet/Elm/A": every(60, "2024-01")}, meter=meter), READ_AT
        )
    archive.keep_topics([{"requestKey": "kWHNet", "unit": "kWh"}])
    archive.settle()
    with lock(archive.path):
        pass
    path = archive.path.as_posix()
    polars = pl.read_parquet(path)
    assert polars.shape == (2 * 744, 3)
    assert sorted(polars["meter"].unique()) == ["P1", "P2"]
    assert dataset.dataset(path, partitioning="hive").to_table().shape == (2 * 744, 3)
    with duckdb.connect() as connection:
        count = connection.execute("SELECT count(*) FROM read_parquet(?)", [path + "/**/*.parquet"])
        assert count.fetchone() == (2 * 744,)


SMAPS = Path("/proc/self/smaps")


@pytest.mark.skipif(not SMAPS.exists(), reason="only Linux tells what of a file is in memory")
def test_the_bytes_of_a_file_leave_the_memory_once_they_are_unpacked(archive):
    """A year that is read is not held twice, packed and unpacked."""
    with archive.meter("P1").open(2024) as opened:
        assert len(opened.read().minutes) == 744
        maps = SMAPS.read_text(encoding="utf-8").partition(str(opened.path))[2]
    found = re.search(r"^Rss: +(\d+) kB$", maps, re.MULTILINE)
    assert found is not None
    assert int(found[1]) == 0
