"""The readings of an archive as a Dask frame."""

from __future__ import annotations

import contextlib
import os
import pickle

import pandas as pd
import pyarrow.parquet as pq
import pytest

from dentframe.archive import Archive, parquet
from dentframe.errors import (
    ConfigError,
    IncompleteReadError,
    IncompleteReadWarning,
    MissingExtraError,
    RangeError,
    UnknownMeterError,
    UnknownTopicError,
)
from tests.dask_kit import LA, METERS, MONTHS, READ_AT, SPAN, answer, portfolio, readings

dd = pytest.importorskip("dask.dataframe")


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return portfolio(tmp_path_factory.mktemp("lazy") / "portfolio")


def computed(frame):
    return frame.compute(scheduler="sync")


@pytest.fixture
def opened(monkeypatch):
    """What is opened: footers alone, and readings."""
    seen = {"footers": 0, "readings": []}
    read, file = parquet.ArchiveFile.read, pq.ParquetFile

    def counted(self, columns=None, months=None):
        seen["readings"].append((self.path.name, tuple(columns or ())))
        return read(self, columns, months)

    def footer(source):
        seen["footers"] += 1
        return file(source)

    monkeypatch.setattr(parquet.ArchiveFile, "read", counted)
    monkeypatch.setattr(pq, "ParquetFile", footer)
    return seen


@pytest.mark.parametrize("bracket", [False, True])
@pytest.mark.parametrize("meter", METERS)
def test_a_partition_is_the_frame_of_its_meter(archive, meter, bracket):
    """Rows, order and values are those of `Archive.read`, in columns that all meters share."""
    options = {**SPAN, "tz": LA, "bracket": bracket}
    found = computed(archive.to_dask([meter], **options))
    expected = archive.read(meter, **options)
    assert set(found.pop("meter")) == {meter}
    pd.testing.assert_frame_equal(found[expected.columns], expected, check_column_type=False)
    assert set(found.columns) == set(expected.columns)


def test_a_year_that_is_settled_while_it_is_looked_for_is_not_lost(tmp_path, monkeypatch):
    """Another process settles the first answer of a year between two looks at the folders."""
    archive = Archive(tmp_path / "own")
    minutes, columns = readings(1)
    archive.keep(answer(METERS[0], MONTHS[1], minutes, columns), READ_AT)
    lazy, look = archive.to_dask(), os.scandir

    def settled_after_the_first_look(folder):
        try:
            with look(folder) as entries:
                return contextlib.nullcontext([*entries])
        finally:
            monkeypatch.undo()
            archive.settle()

    monkeypatch.setattr(os, "scandir", settled_after_the_first_look)
    assert len(computed(lazy)) == 28 * 96
    assert not list(archive.path.rglob("*.part"))


def test_without_a_range_all_is_there(archive):
    """Neither start nor end: everything held, waiting answers too, a partition a meter."""
    lazy = archive.to_dask()
    assert lazy.npartitions == 3
    found = computed(lazy)
    for number, name in enumerate(METERS, 1):
        minutes, columns = readings(number)
        mine = found[found["meter"] == name]
        assert len(mine) == len(minutes)
        for column, values in columns.items():
            assert mine[column].equals(pd.Series(values, index=mine.index, name=column))


def test_the_graph_is_built_from_names_and_footers(archive, opened):
    """Building reads no readings, and of all meters only one file and the waiting ones."""
    lazy = archive.to_dask()
    assert opened["readings"] == []
    assert opened["footers"] <= 3 + len(METERS)  # topics, columns, waiting answers
    assert lazy.columns[0] == "meter"
    assert lazy.index.name == "time"
    archive.energy("MS", tz=LA)
    archive.peaks("MS", tz=LA, **SPAN)
    assert opened["readings"] == []


def test_dask_reads_only_the_columns_it_needs(archive, opened):
    """A column that is used is the only one read, from each year's file."""
    settled = Archive(archive.path)
    found = settled.to_dask(["P1"], start="2023-01", end=None)["DemandkW/Elm/A"].max()
    assert found.compute(scheduler="sync") > 0
    read = {c for name, columns in opened["readings"] if name == "2023.parquet" for c in columns}
    assert read <= {"DemandkW/Elm/A"} or not read
    fewer = computed(settled.to_dask("P1", columns=["kWHNet/Elm/B"], **SPAN))
    assert list(fewer.columns) == ["meter", "kWHNet/Elm/B"]


def test_batches_hold_whole_meters(archive):
    """`batch` meters a partition, and the same rows."""
    lazy = archive.to_dask(batch=2, **SPAN)
    assert lazy.npartitions == 2
    first = lazy.get_partition(0).compute(scheduler="sync")
    assert list(dict.fromkeys(first["meter"])) == ["P1", "P2"]
    for value in (0, 1.5, True):
        with pytest.raises(ConfigError, match="batch="):
            archive.to_dask(batch=value)


def test_elements_by_their_ids(archive):
    """An element's id leaves the others out; one that is not there is a column of NaN."""
    found = computed(archive.to_dask(["P1_B", "P2_Z"], **SPAN))
    assert {c.rpartition("/")[2] for c in found.columns[1:]} == {"B", "Z"}
    assert found.filter(like="/Z").isna().all(axis=None)
    assert found.loc[found["meter"] == "P1", "kWHNet/Elm/B"].notna().all()
    assert found.loc[found["meter"] == "P2", "kWHNet/Elm/B"].isna().all()


def test_what_is_not_held_is_missing(archive):
    """Outside of what is held: an error when it is computed, or a warning; never silence."""
    lazy = archive.to_dask("P1", start="2023-04-20", end="2023-05-03")
    with pytest.raises(IncompleteReadError, match="2023-05") as caught:
        computed(lazy)
    assert [str(w) for w in caught.value.missing] == ["2023-05-01", "2023-05-02"]
    partial = archive.to_dask("P1", start="2023-04-20", end="2023-05-03", errors="warn")
    with pytest.warns(IncompleteReadWarning, match="2023-05-01"):
        assert len(computed(partial)) == 11 * 96


def test_hours_before_1970_are_missing_too(archive):
    """Hours that nobody holds are missing, whatever side of 1970 they are on."""
    with pytest.raises(IncompleteReadError, match="it does not hold 1969-06 of"):
        computed(archive.to_dask("P1", start="1969-06", end=None))


def test_a_year_next_to_the_range_is_not_opened(tmp_path):
    """Damage in it harms nobody who asks for the next one."""
    archive = portfolio(tmp_path / "portfolio")
    archive.settle()
    damaged = next(archive.path.glob("*P1*/2023.parquet"))
    damaged.with_name("2022.parquet").write_bytes(b"damaged")
    found = computed(archive.to_dask("P1", start="2023-01", end=None))
    assert str(found.index[0]) == "2023-01-01 00:01:00+00:00"


def test_topics_that_were_asked_for_must_be_held(tmp_path):
    """A topic that was never synced is missing where it is asked for by name."""
    archive = portfolio(tmp_path / "portfolio")
    with pytest.raises(IncompleteReadError, match="kVAHNet"):
        computed(archive.to_dask("P1", topics="kVAHNet", start="2023-01"))
    assert len(computed(archive.to_dask("P1", start="2023-02"))) == 28 * 96


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"meters": "P9"}, UnknownMeterError),
        ({"topics": "kWHNett"}, UnknownTopicError),
        ({"start": "2023-02", "end": "2023-01"}, RangeError),
        ({"end": "2023-01"}, RangeError),
        ({"columns": ["kWHNet/Elm/Q"]}, ConfigError),
        ({"errors": "ignore"}, ConfigError),
    ],
)
def test_what_cannot_be_meant_is_refused_at_once(archive, options, error):
    """Before anything is computed."""
    with pytest.raises(error):
        archive.to_dask(**options)


def test_an_empty_archive_says_so(tmp_path):
    """Nothing held: the error tells what to do."""
    with pytest.raises(ConfigError, match="sync"):
        Archive(tmp_path / "none").to_dask()


def test_a_sync_is_seen_by_what_is_built_after_it(tmp_path):
    """What changes on the disk changes the names of the tasks, so that no old result is used."""
    archive = portfolio(tmp_path / "portfolio")
    before, same = archive.to_dask(), archive.to_dask()
    assert before._name == same._name
    minutes, columns = readings(1)
    archive.keep(answer("P1", *_may(minutes, columns)), READ_AT)
    assert archive.to_dask()._name != before._name


def _may(minutes, columns):
    from dentframe.cloud import Window

    may = Window(2023, 5)
    shift = may.minutes.start - Window(2023, 1).minutes.start
    return may, minutes + shift, columns


def test_the_graph_travels_as_paths(archive):
    """An archive and its frames pickle; there is no key and no open file in them."""
    travelled, lazy = pickle.loads(pickle.dumps((archive, archive.to_dask("P1", **SPAN))))  # noqa: S301 - our own
    assert travelled == archive
    assert len(computed(lazy)) > 0


def test_without_dask_the_extra_is_named(archive, monkeypatch):
    """Without Dask: the error names the extra."""
    import sys

    monkeypatch.setitem(sys.modules, "dask.dataframe", None)
    with pytest.raises(MissingExtraError, match=r"dentframe\[dask\]"):
        archive.to_dask()
