"""Damaged, foreign and hostile files of an archive: named, never served, never a crash."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dentframe import Archive
from dentframe.archive.file_names_and_metadata import unpacked
from dentframe.errors import ConfigError, DentError, IncompleteReadWarning
from tests.archive_kit import METER, READ_AT, answer, every

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

COLUMNS = ("kWHNet/Elm/A", "DemandkW/Elm/A")


def filled(folder):
    """An archive of one meter and two settled months."""
    archive = Archive(folder)
    archive.keep_topics([{"requestKey": t, "unit": u} for t, u in
                         {"kWHNet": "kWh", "DemandkW": "kW"}.items()])  # fmt: skip
    for window in ("2024-01", "2024-02"):
        cells = {c: every(60, window, value=1.0 + i) for i, c in enumerate(COLUMNS)}
        archive.keep(answer(window, cells), READ_AT)
    archive.settle()
    return archive


@pytest.fixture
def archive(tmp_path):
    return filled(tmp_path / "portfolio")


def year_of(archive):
    return archive.path / "meter=P1" / "2024.parquet"


def rewritten(archive, table=None, **about):
    """Put a file of version 1, which has no checksums, in the year's place."""
    path = year_of(archive)
    with pq.ParquetFile(path) as file:
        found, groups = file.read(), file.num_row_groups
        said = json.loads(file.metadata.metadata[b"dentframe"]) | {"schema": 1} | about
    table = found if table is None else table(found)
    table = table.replace_schema_metadata({b"dentframe": json.dumps(said)})
    with pq.ParquetWriter(path, table.schema) as writer:
        edges = [0, 744, len(table)] if groups == 2 else [0, len(table)]
        for first, last in pairwise(edges):
            writer.write_table(table.slice(first, last - first))


def test_other_readers_find_page_checksums_and_the_same_values(archive):
    """A reader that verifies pages finds nothing wrong, and nothing of ours in its way."""
    with pq.ParquetFile(year_of(archive), page_checksum_verification=True) as file:
        found = file.read().to_pandas().set_index("time")
    pd.testing.assert_frame_equal(
        found[list(COLUMNS)], archive.read(METER, "2024-01", "2024-03")[list(COLUMNS)],
        check_freq=False, check_column_type=False,
    )  # fmt: skip


def test_no_flipped_bit_is_served_as_a_reading(archive):
    """Whichever bit of the file flips, the readings are the same or an error names the file."""
    path = year_of(archive)
    whole, expected = path.read_bytes(), archive.read(METER, "2024-01", "2024-03")
    caught = 0
    for bit in np.random.default_rng(1).integers(0, 8 * len(whole), 300).tolist():
        data = bytearray(whole)
        data[bit // 8] ^= 1 << bit % 8
        path.write_bytes(data)
        try:
            found = archive.read(METER, "2024-01", "2024-03")
        except ConfigError as error:
            caught += "2024.parquet" in str(error)
        else:
            pd.testing.assert_frame_equal(found, expected)
    assert caught > 290


def test_a_damaged_month_is_named_and_the_other_is_read(archive):
    """The error has month and column; a read of the other month does not meet it."""
    path = year_of(archive)
    with pq.ParquetFile(path) as file:
        chunk = file.metadata.row_group(1).column(1)
        at = chunk.data_page_offset + chunk.total_compressed_size // 2
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    assert len(archive.read(METER, "2024-01")) == 744
    with pytest.raises(ConfigError, match=r"2024\.parquet.*2024-02: DemandkW/Elm/A\).*sync"):
        archive.read(METER, "2024-02")
    lazy = archive.read(METER, "2024-02", topics="kWHNet")
    assert len(lazy) == 696
    with pytest.warns(IncompleteReadWarning, match=r"P1 2024-02 missing.*2024-02: DemandkW/Elm/A"):
        rest = archive.read(METER, "2024-01", "2024-03", errors="warn")
    assert len(rest) == 744


def test_a_year_whose_footer_is_damaged_is_missing_and_the_others_are_read(archive):
    """With errors="warn" the file is named; as an error it is what it was."""
    archive.keep(answer("2023-12", {c: every(60, "2023-12") for c in COLUMNS}), READ_AT)
    archive.settle()
    path = year_of(archive)
    path.write_bytes(path.read_bytes()[:-300] + bytes(300))
    with pytest.warns(IncompleteReadWarning, match=r"2024-01 missing.*2024\.parquet: it is damag"):
        rest = archive.read(METER, "2023-12", "2024-02", errors="warn")
    assert len(rest) == 744
    with pytest.raises(ConfigError, match=r"2024\.parquet: it is damaged"):
        archive.read(METER, "2023-12", "2024-02")


def test_a_file_of_an_earlier_version_is_read(archive):
    """Without checksums the readings are the same."""
    expected = archive.read(METER, "2024-01", "2024-03")
    rewritten(archive)
    pd.testing.assert_frame_equal(archive.read(METER, "2024-01", "2024-03"), expected)


def _renamed(*names):
    return lambda table: table.rename_columns(list(names))


def _text(table):
    return table.set_column(1, COLUMNS[1], table.column(1).cast("string"))


def _naive(table):
    return table.set_column(0, "time", table.column(0).cast("int64").cast(pa.timestamp("us")))


def _backwards(table):
    return table.take(list(range(len(table)))[::-1])


@pytest.mark.parametrize(
    ("table", "about", "said"),
    [
        (_text, {}, "its column 'DemandkW/Elm/A' is of string, not double"),
        (_naive, {}, "its column 'time' is of timestamp"),
        (_renamed("when", *COLUMNS[::-1]), {}, "its first column is 'when', not 'time'"),
        (_renamed("time", "V", "V"), {}, "two columns 'V'"),
        (_renamed("time", "time", COLUMNS[0]), {}, "its column 'time' is of double"),
        (_renamed("time", "V", COLUMNS[0]), {}, "no column 'DemandkW/Elm/A', which `records"),
        (_backwards, {}, "'time' is not sorted"),
        (None, {"months": [1, 13]}, "`months` is"),
        (None, {"months": [1]}, "2 row groups, `months` 1"),
        (None, {"months": "x"}, r"Expected `array`, got `str` - at `\$.months`"),
        (None, {"records": [{}]}, r"missing required field .* at `\$.records\[0\]`"),
        (None, {"records": [{"window": "2024-99"}]}, "missing required field"),
        (None, {"units": {"V": 7}}, "Expected `str`, got `int`"),
        (None, {"year": 2023}, "holds 2023 of meter P1"),
        (None, {"schema": 3}, "version 3, written by a newer dentframe"),
    ],
)
def test_a_file_that_is_not_as_we_write_is_named_with_its_field(archive, table, about, said):
    """The error has the path, and the column or the field of the metadata."""
    rewritten(archive, table, **about)
    with pytest.raises(ConfigError, match=rf"2024\.parquet: .*{said}"):
        archive.read(METER, "2024-01", "2024-03")


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("window", "2024-99", r"`records\[0\]` is wrong: Cannot make a window"),
        ("window", "2023-01", "is not of 2024"),
        ("read_at", "2024-06-01T00:00:00", "has no time zone"),
        ("columns", 7, r"`column_sets\[7\]`"),
        ("lacks", [1], "a minute outside 2024-01"),
        ("complete", "yes", "Expected `bool`"),
    ],
)
def test_a_record_that_cannot_be_is_named(archive, field, value, said):
    """One wrong field of one answer."""
    with pq.ParquetFile(year_of(archive)) as file:
        records = json.loads(file.metadata.metadata[b"dentframe"])["records"]
    records[0][field] = value
    rewritten(archive, records=records)
    with pytest.raises(ConfigError, match=rf"2024\.parquet: .*{said}"):
        archive.read(METER, "2024-01", "2024-03")


def test_a_small_file_that_unpacks_to_gigabytes_is_refused_unread(archive):
    """274 kB of Parquet may be 6 GB of readings: rows and sizes are looked at first."""
    rows, columns = 40_000, 4_000
    time = pa.array(np.arange(rows) * 60_000_000 + 1_704_067_200_000_000, pa.timestamp("us", "UTC"))
    same = pa.array(np.zeros(rows))
    about = {
        "schema": 1, "meter": METER, "year": 2024, "months": [1], "units": {}, "column_sets": [],
        "records": [],
    }  # fmt: skip
    for table, said in (
        (pa.table([time, *[same] * columns], ["time", *map(str, range(columns))]), "unpacks to 1"),
        (pa.table([pa.concat_arrays([time] * 2)], ["time"]), "80000 rows for the 44640 minutes"),
    ):
        kept = table.replace_schema_metadata({b"dentframe": json.dumps(about)})
        pq.write_table(kept, year_of(archive), compression="zstd", row_group_size=rows * 2)
        with pytest.raises(ConfigError, match=said):
            archive.read(METER, "2024-01")


def test_a_page_that_unpacks_to_more_than_the_footer_says_is_refused_unread(archive):
    """A reader makes room for what a page's header says: without checksums it must not be 2 GB."""
    path = year_of(archive)
    rewritten(archive)
    with pq.ParquetFile(path) as file:
        table = file.read()
    with pq.ParquetWriter(path, table.schema, use_dictionary=False) as writer:
        for first, last in ((0, 744), (744, len(table))):
            writer.write_table(table.slice(first, last - first))
    assert len(archive.read(METER, "2024-01", "2024-03")) == len(table)
    with pq.ParquetFile(path) as file:
        at = file.metadata.row_group(0).column(1).data_page_offset
    data = bytearray(path.read_bytes())
    assert data[at : at + 3] == bytes([0x15, 0, 0x15])  # its kind, then its unpacked size
    data[at + 3 : at + 5] = bytes([0xFE, 0x7F])  # 8191 bytes in place of 744 doubles
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=r"2024\.parquet.*unpacks to 8191 bytes, not \d+"):
        archive.read(METER, "2024-01")
    assert len(archive.read(METER, "2024-02")) == 696
    data[at + 3 : at + 5] = bytes([0xFF, 0x7F])  # less than nothing
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=r"2024\.parquet.*unpacks to -"):
        archive.read(METER, "2024-01")


@given(
    st.binary(max_size=300)
    | st.lists(st.sampled_from(b"\x15\x1c\x2c\x00\x80\x18\x9c\xff")).map(bytes)
)
def test_any_bytes_of_pages_have_a_size_or_an_error(data):
    """The walk over the headers of pages ends, whatever they are."""
    with contextlib.suppress(ValueError):
        assert unpacked(memoryview(data)) >= 0


def test_stray_files_are_named_or_passed_by(archive):
    """What could be taken for readings is named; notes and folders of others are not touched."""
    (archive.path / "notes.txt").write_text("mine")
    (archive.path / "meter=").mkdir()
    (archive.path / "other").mkdir()
    assert len(archive.read(METER, "2024-01")) == 744
    pending = archive.path / ".dentframe" / "pending" / "meter=P1"
    (pending / "x.part").write_bytes(b"x")
    with pytest.raises(ConfigError, match=r"x\.part: its name is no year's"):
        archive.read(METER, "2024-01")
    (pending / "x.part").unlink()
    (archive.path / "meter=P1" / "2023.parquet").mkdir()
    with pytest.raises(ConfigError, match=r"2023\.parquet"):
        archive.read(METER, "2023-01", "2024-03")


def test_where_folders_ignore_case_no_meter_has_anothers_readings(archive):
    """On Windows and macOS ``p1`` opens the folder of ``P1``: the file says whose it is."""
    (archive.path / "meter=p1").symlink_to(archive.path / "meter=P1")
    for use in (archive.coverage, lambda: archive.read("p1", "2024-01")):
        with pytest.raises(ConfigError, match=r"2024\.parquet: it holds 2024 of meter P1"):
            use()


def test_a_meter_whose_name_is_too_long_is_refused(archive):
    """No file system takes a name of 300 letters; the error says which meter it is."""
    with pytest.raises(ConfigError, match="its name has 300 characters"):
        archive.keep(answer("2024-01", {}, ("kWHNet",), meter="P" * 300), READ_AT)
    archive.keep(answer("2024-01", {}, ("kWHNet",), meter="P" * 249), READ_AT)
    archive.settle()
    assert "P" * 249 in archive.meters()


def test_a_full_disk_leaves_nothing_half_written(archive, monkeypatch):
    """The file that could not be written is gone; what was there is as it was."""
    before = year_of(archive).read_bytes()

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        archive.keep(answer("2024-03", {"kWHNet/Elm/A": {2: 1.0}}), READ_AT)
    assert not [p for p in (archive.path / ".dentframe").rglob("*") if p.is_file()]
    assert year_of(archive).read_bytes() == before


FUZZ = """
import random, sys, warnings
from dentframe import Archive
from dentframe.errors import DentError
from tests.unit.test_archive_damage import METER, READ_AT, answer, filled, rewritten
warnings.simplefilter("ignore")
archive = filled(sys.argv[1])
if sys.argv[2] == "old":
    rewritten(archive)
archive.keep(answer("2024-03", {"kWHNet/Elm/A": {2: 1.0, 17: 2.0}}), READ_AT)
rng = random.Random(int(sys.argv[3]))
files = sorted(p for p in archive.path.rglob("*") if p.is_file() and p.suffix != ".lock")
kept = {p: p.read_bytes() for p in files}
for turn in range(int(sys.argv[4])):
    path = rng.choice(files)
    data = bytearray(kept[path])
    for _ in range(rng.choice([1, 1, 2, 8])):
        at = rng.randrange(len(data))
        kind = rng.randrange(4)
        if kind == 0:
            data[at] = rng.randrange(256)
        elif kind == 1:
            del data[at:]
        elif kind == 2:
            data[at:at] = rng.randbytes(rng.randrange(20))
        else:
            data[at:at + 9] = rng.randbytes(9)
        if not data:
            break
    path.write_bytes(data)
    for use in (
        lambda: archive.read(METER, "2024-01", "2024-04", errors="warn"),
        archive.coverage,
        archive.units,
    ):
        try:
            use()
        except DentError:
            pass
    path.write_bytes(kept[path])
print("done")
"""


def _fuzzed(folder, kind, seed, turns):
    return subprocess.run(
        [sys.executable, "-c", FUZZ, str(folder), kind, str(seed), str(turns)],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


def test_arbitrary_bytes_in_any_file_are_a_dent_error(tmp_path):
    """In a process of its own, for a native reader may crash; checksums keep the bytes from it."""
    done = _fuzzed(tmp_path / "a", "new", 5, 150)
    assert done.stdout.strip() == "done", done.stderr[-2000:]
    assert issubclass(ConfigError, DentError)
