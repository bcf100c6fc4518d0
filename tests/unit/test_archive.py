"""The archive's storage: what is kept, held, settled, refused."""

from __future__ import annotations

import dataclasses
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from dentframe.archive import Archive
from dentframe.archive.archive import ArchiveSource
from dentframe.cloud import Job, Window
from dentframe.errors import (
    ConfigError,
    IncompleteReadError,
    ReadingWarning,
    RequestError,
    UnknownMeterError,
)
from dentframe.wire.pages_and_bad_cells import Report
from tests.archive_kit import METER, READ_AT, answer, cells, every, later

TOPIC = ("kWHNet",)
JANUARY = Window(2024, 1)


@pytest.fixture
def archive(tmp_path):
    return Archive(tmp_path / "portfolio")


def month(value=1.0, window="2024-01", **columns):
    """A complete month of one register, or of these columns."""
    return answer(window, columns or {"kWHNet/Elm/A": every(15, window, value=value)})


def names(windows):
    return sorted(map(str, windows))


def test_a_complete_month_read_two_days_after_it_is_held_for_ever(archive):
    """It need not be asked again, whenever now is."""
    archive.keep(month(), READ_AT)
    assert archive.held(METER, TOPIC, now=later(100_000)) == {JANUARY}
    assert archive.held(METER, (*TOPIC, "V"), now=READ_AT) == set()
    assert archive.held("P2", TOPIC) == set()


def test_a_month_with_a_gap_is_held_for_a_tenth_of_its_age(archive):
    """121 days after its end it is held for 12 days, and what is there for ever."""
    archive.keep(answer("2024-01", {"kWHNet/Elm/A": {2: 1, 17: 2, 40_000: 3}}), READ_AT)
    assert archive.held(METER, TOPIC, now=later(24 * 12)) == {JANUARY}
    assert archive.held(METER, TOPIC, now=later(24 * 13)) == set()
    assert ArchiveSource(archive, later(24 * 13)).held(METER, TOPIC) == {JANUARY}


def test_a_blank_in_a_column_with_values_is_not_final(archive):
    """It may be filled in later, with a peak in it: coverage says so, and it is asked for again."""
    kw = {m: np.nan if 1000 < m < 2440 else v for m, v in every(15, "2024-01").items()}
    archive.keep(answer("2024-01", {"DemandkW/Elm/A": kw}), READ_AT)
    assert archive.held(METER, ("DemandkW",), now=later(24 * 31)) == set()
    assert archive.coverage()[["complete", "final"]].to_numpy().tolist() == [[False, False]]
    many = Report(rows=2976, blank={"DemandkW/Elm/A": 96, "DemandkW/Elm/B": 2976})
    archive.keep(answer("2024-01", {"DemandkW/Elm/A": kw}, report=many), later(1))
    assert archive.coverage()["missing"].tolist() == ["96 blank cells"]


def test_an_honest_outage_is_final_once_it_stays_the_same(archive):
    """A year after the month's end, unchanged for a week, it is not asked for again."""
    gap = answer("2022-01", {"kWHNet/Elm/A": {2: 1, 17: 2, 40_000: 3}})
    more = answer("2022-01", {"kWHNet/Elm/A": {2: 1, 17: 2, 30_000: 2, 40_000: 3}})
    for hours, one, final in ((0, gap, False), (24 * 3, gap, False), (24 * 8, more, False),
                              (24 * 12, more, False), (24 * 16, more, True)):  # fmt: skip
        archive.keep(one, later(hours))
        archive.settle()
        assert archive.coverage()["final"].tolist() == [final], hours


def test_an_open_month_holds_the_hours_that_were_over(archive):
    """What had not happened when the month was read is not held."""
    read_at = pd.Timestamp("2024-01-03 02:40", tz="UTC").to_pydatetime()
    archive.keep(answer("2024-01", {"kWHNet/Elm/A": {2: 1, 17: 2, 32: 3}}), read_at)
    now = pd.Timestamp("2024-01-05", tz="UTC").to_pydatetime()
    held = names(ArchiveSource(archive, now).held(METER, TOPIC))
    assert held == ["2024-01-01", "2024-01-02", "2024-01-03T00", "2024-01-03T01"]
    with pytest.raises(IncompleteReadError, match="2024-01-03T02"):
        archive.read(METER, "2024-01-03")


def test_days_that_are_all_held_are_their_month(archive):
    """The largest windows are told."""
    for day in JANUARY.children():
        archive.keep(month(window=str(day)), READ_AT)
    assert archive.held(METER, TOPIC) == {JANUARY}


def test_settling_makes_one_file_a_year_and_changes_nothing(archive):
    """Two months of two years are two files, sorted and unique, with monthly row groups."""
    pq = pytest.importorskip("pyarrow.parquet")
    for window in ("2024-02", "2023-12", "2024-01"):
        archive.keep(month(window=window), READ_AT)
    before = archive.read(METER, "2023-12", "2024-03")
    archive.settle()
    pd.testing.assert_frame_equal(archive.read(METER, "2023-12", "2024-03"), before)
    files = sorted(p.relative_to(archive.path).as_posix() for p in archive.path.rglob("*.parquet"))
    assert files == ["meter=-/columns.parquet", "meter=P1/2023.parquet", "meter=P1/2024.parquet"]
    assert not list(archive.path.rglob("*.part"))
    assert pq.read_metadata(archive.path / files[2]).num_row_groups == 2
    schema = pq.read_schema(archive.path / files[2])
    assert [str(t) for t in schema.types] == ["timestamp[us, tz=UTC]", "double"]


def test_keeping_or_settling_twice_is_keeping_once(archive):
    """The files are the same to the byte."""
    archive.keep(month(), READ_AT)
    archive.settle()
    first = (archive.path / "meter=P1" / "2024.parquet").read_bytes()
    archive.keep(month(), READ_AT)
    archive.settle()
    archive.settle()
    assert (archive.path / "meter=P1" / "2024.parquet").read_bytes() == first


def test_a_later_read_replaces_an_earlier_one_whatever_was_kept_first(archive):
    """A month read again, with fewer rows, has only those."""
    again = answer("2024-01", {"kWHNet/Elm/A": {2: 9.0, 47: 9.5}})
    archive.keep(again, later(1))
    archive.keep(month(), READ_AT)
    archive.settle()
    found, rows = cells(archive.pages(Job(METER, JANUARY, TOPIC)))
    assert list(found.values()) == [9.0, 9.5]
    assert len(rows) == 2


def test_a_day_read_later_replaces_its_part_of_the_month(archive):
    """The rest of the month stays."""
    archive.keep(month(), READ_AT)
    archive.settle()
    archive.keep(answer("2024-01-02", {"kWHNet/Elm/A": {5: 7.0}}), later(1))
    _, rows = cells(archive.pages(Job(METER, JANUARY, TOPIC)))
    assert len(rows) == 2976 - 96 + 1
    assert JANUARY.minutes.start + 1440 + 5 in rows


def test_other_topics_stand_beside_and_rows_are_their_own(archive):
    """A row that only the other topic has is no row of this one."""
    archive.keep(answer("2024-01", {"kWHNet/Elm/A": {2: 1.0, 17: 2.0}}), READ_AT)
    archive.keep(answer("2024-01", {"DemandkW/Elm/A": {17: 5.0, 32: 6.0}}), later(1))
    archive.settle()
    pages = archive.pages(Job(METER, JANUARY, TOPIC))
    assert [p.columns for p in pages] == [("kWHNet/Elm/A",)]
    assert cells(pages)[1] == [JANUARY.minutes.start + m for m in (2, 17)]
    both, rows = cells(archive.pages(Job(METER, JANUARY, ("DemandkW", "kWHNet"))))
    assert len(rows) == 3
    assert sorted(both.values()) == [1.0, 2.0, 5.0, 6.0]


def test_an_element_added_in_march_is_missing_before_it(archive):
    """A column that appears is NaN where it was not, never zero."""
    archive.keep(month(window="2024-02"), READ_AT)
    both = {f"kWHNet/Elm/{e}": every(15, "2024-03") for e in "AB"}
    archive.keep(answer("2024-03", both), READ_AT)
    archive.settle()
    df = archive.read(METER, "2024-02", "2024-04")
    assert df["kWHNet/Elm/B"].isna().sum() == 2784
    assert df.loc["2024-03", "kWHNet/Elm/B"].notna().all()


def test_an_unasked_column_never_hides_one_that_was_asked_for(archive):
    """A stray V beside kWHNet, read later, leaves the V that was asked for as it is."""
    archive.keep(answer("2024-01", {"V/Ch/A1": {2: 277.0, 17: 278.0}}), READ_AT)
    stray = {"kWHNet/Elm/A": {2: 1.0}, "V/Ch/A1": {2: 0.0}}
    archive.keep(answer("2024-01", stray, ("kWHNet",)), later(1))
    archive.settle()
    found, _ = cells(archive.pages(Job(METER, JANUARY, ("V",))))
    assert list(found.values()) == [277.0, 278.0]


def test_an_empty_month_is_held_and_is_no_row(archive):
    """A meter without data has a file without rows, and reads as an empty UTC frame."""
    archive.keep(answer("2024-01", {}, TOPIC), READ_AT)
    archive.settle()
    assert archive.meters() == [METER]
    assert archive.held(METER, TOPIC, now=READ_AT) == {JANUARY}
    with pytest.warns(ReadingWarning, match="no readings in"):
        df = archive.read(METER, "2024-01")
    assert df.shape == (0, 0)
    assert str(df.index.dtype) == "datetime64[us, UTC]"


def test_the_report_of_an_answer_outlives_the_files(archive):
    """Counts and samples come back as they were, for the columns asked for."""
    report = Report(
        rows=1,
        absent={"kWHNet/Elm/A": 1},
        unreadable={"V/Ch/A1": (2, ("N/A", "x"))},
        bad_dates=1,
        bad_date_samples=("??",),
    )
    one = answer("2024-01", {"kWHNet/Elm/A": {2: 1.0}, "V/Ch/A1": {2: 1.0}}, report=report)
    archive.keep(one, READ_AT)
    archive.settle()
    (page,) = archive.pages(Job(METER, JANUARY, ("kWHNet", "V")))
    assert page.report == report
    (narrow,) = archive.pages(Job(METER, JANUARY, TOPIC))
    assert narrow.report == dataclasses.replace(report, unreadable={})


def test_a_meter_of_any_name_has_a_folder(archive):
    """Names no folder may have are escaped, and come back."""
    for name in ("P/1", "a:b", "-", "x."):
        archive.keep(answer("2024-01", {"kWHNet/Elm/A": {2: 1.0}}, meter=name), READ_AT)
    archive.settle()
    assert archive.meters() == sorted(["P/1", "a:b", "-", "x."])
    folders = [p.name for p in archive.path.iterdir()]
    assert not any(c in name for name in folders for c in ':*?"<>|')
    assert len(archive.read("-", "2024-01")) == 1


def test_an_archive_pickles_as_its_path(archive):
    """A worker gets the path and nothing else."""
    copy = pickle.loads(pickle.dumps(archive))  # noqa: S301 - our own bytes
    assert copy == archive
    assert repr(copy) == repr(archive)


def test_a_torn_file_is_named(archive):
    """The error says which file, and what to do."""
    archive.keep(month(), READ_AT)
    archive.settle()
    path = archive.path / "meter=P1" / "2024.parquet"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ConfigError, match=r"2024\.parquet.*damaged.*sync again"):
        archive.read(METER, "2024-01")


def test_a_foreign_file_is_named(archive):
    """Neither another's Parquet nor another meter's file is taken for ours."""
    archive.keep(month(), READ_AT)
    archive.settle()
    path = archive.path / "meter=P1" / "2024.parquet"
    other = archive.path / "meter=P2" / "2024.parquet"
    other.parent.mkdir()
    other.write_bytes(path.read_bytes())
    with pytest.raises(ConfigError, match="holds 2024 of meter P1"):
        archive.read("P2", "2024-01")
    pd.DataFrame({"x": [1.0]}).to_parquet(path)
    with pytest.raises(ConfigError, match="move it out"):
        archive.read(METER, "2024-01")
    path.rename(path.with_name("notes.parquet"))
    with pytest.raises(ConfigError, match=r"notes\.parquet"):
        archive.held(METER, TOPIC)


def test_what_cannot_be_kept_is_refused(archive):
    """An error is no answer, and a time without a zone no time."""
    with pytest.raises(ConfigError, match="that has no time zone"):
        archive.keep(month(), READ_AT.replace(tzinfo=None))
    failed = dataclasses.replace(month(), pages=(), error=RequestError("no"))
    with pytest.raises(ConfigError, match="was not read"):
        archive.keep(failed, READ_AT)
    with pytest.raises(ConfigError, match="no path"):
        Archive(7)


def test_a_meter_that_is_not_there_is_refused(archive):
    """The error suggests, and says what the archive has."""
    archive.keep(month(), READ_AT)
    with pytest.raises(UnknownMeterError, match="did you mean 'P1'"):
        archive.read("P11", "2024-01")


def test_units_are_those_of_get_topics(archive):
    """Kept topics tell the units; before any were kept, the built-in catalogue does."""
    assert archive.topics() is None
    assert archive.units()["kWHNet"] == "kWh"
    archive.keep_topics([{"requestKey": "Foo", "unit": "foos", "description": ""}])
    assert archive.units() == {"Foo": "foos"}
    (archive.path / "meter=-" / "columns.parquet").write_text("{")
    with pytest.raises(ConfigError, match=r"columns\.parquet"):
        archive.units()
    archive.keep_topics([{"requestKey": "Foo", "unit": "foos"}])
    assert archive.units() == {"Foo": "foos"}


def test_coverage_tells_what_is_missing_and_why(archive):
    """A complete month, a gap, a month never read between them."""
    archive.keep(month(window="2024-01"), READ_AT)
    gap = {m: v for m, v in every(15, "2024-03").items() if not 5000 < m < 6000}
    archive.keep(answer("2024-03", {"kWHNet/Elm/A": gap}, ("kWHNet", "V")), READ_AT)
    archive.settle()
    table = archive.coverage()
    assert [f"{m:%Y-%m}" for m in table.loc[METER].index] == ["2024-01", "2024-02", "2024-03"]
    assert table["complete"].tolist() == [True, False, False]
    assert table["final"].tolist() == [True, False, False]
    assert table["readings"].tolist() == [2976, 0, 2976 - 66]
    assert table["expected"].tolist() == [2976, 0, 2976]
    assert table["missing"].tolist() == ["", "not read", "66 of 2976 readings; no column of V"]
    assert Archive(archive.path / "none").coverage().empty


def test_without_pyarrow_the_extra_is_named(tmp_path):
    """The error says what to install, and importing needs no pyarrow."""
    code = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from dentframe.archive import Archive\n"
        "from tests.archive_kit import answer, READ_AT\n"
        f"archive = Archive({str(tmp_path)!r})\n"
        "archive.keep(answer('2024-01', {'kWHNet/Elm/A': {2: 1.0}}), READ_AT)\n"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True,
                          text=True, timeout=60, check=False)  # fmt: skip
    assert 'pip install "dentframe[archive]"' in done.stderr


def test_importing_the_archive_is_light():
    """Neither pyarrow's Parquet nor requests comes in with it (pandas loads pyarrow itself)."""
    heavy = "{'pyarrow.parquet', 'requests', 'msgspec'}"
    code = f"import sys, dentframe.archive; print(sorted({heavy} & {{*sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


def test_values_survive_to_the_bit(archive):
    """float64 in, the same float64 out; NaN where there was none."""
    values = [1e-300, 123_456.789, -0.1, 1 / 3, 5e-324, 1.7e308]
    column = dict(enumerate(values))
    other = {0: 1.0, 3: 2.0}
    archive.keep(answer("2024-01", {"kWHNet/Elm/A": column, "kWHNet/Elm/B": other}), READ_AT)
    archive.settle()
    df = archive.read(METER, "2024-01")
    assert df["kWHNet/Elm/A"].to_numpy().tobytes() == np.array(values).tobytes()
    assert df["kWHNet/Elm/B"].isna().sum() == 4
