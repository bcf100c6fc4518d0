"""CSV and Excel, with units and local times, and the identical frame back."""

from __future__ import annotations

import io
import re
import sys

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from dentframe.errors import ConfigError, MissingExtraError, RangeError
from dentframe.frame import csv_and_excel

LA = "America/Los_Angeles"
AWKWARD = [0.1 + 0.2, np.nan, -0.0, 123456.003, 5e-324, 1 / 3, -1e300, 48212.0, 2.0**60, -12.5]


def single(
    labels=("DemandkW/Elm/A", "kWHNet/Elm/A", "A/Ch/A1", "V/Ph/L1-L2"), start="2023-11-05 07:32"
):
    index = pd.date_range(start, periods=len(AWKWARD), freq="15min", tz="UTC", unit="us")
    index.freq, index.name = None, "time"
    return pd.DataFrame({x: np.roll(AWKWARD, i) for i, x in enumerate(labels)}, index=index)


def several():
    return pd.concat({"P1": single(), "P2": single() * 2}, names=["meter", "time"])


def csv_text(frame, **options):
    buffer = io.StringIO()
    frame.dent.to_csv(buffer, **options)
    return buffer.getvalue()


def through(kind, frame, path, **options):
    path = path.with_suffix({"csv": ".csv", "excel": ".xlsx"}[kind])
    getattr(csv_and_excel, f"to_{kind}")(frame, path, **options)
    return getattr(csv_and_excel, f"read_{kind}")(path)


@pytest.mark.parametrize("kind", ["csv", "excel"])
@pytest.mark.parametrize("tz", [None, LA])
@pytest.mark.parametrize("make", [single, several])
def test_the_identical_frame_comes_back(kind, tz, make, tmp_path):
    """Every bit of every value, the UTC index, the levels and the order of columns."""
    frame = make()
    back = through(kind, frame, tmp_path / "readings", tz=tz)
    assert_frame_equal(back, frame, check_exact=True)
    assert back.to_numpy().tobytes() == frame.to_numpy().tobytes()
    assert back.index.get_level_values("time").dtype == "datetime64[us, UTC]"


@pytest.mark.parametrize("kind", ["csv", "excel"])
def test_file_objects_serve_as_paths(kind):
    """What pandas and openpyxl take, we take."""
    buffer = io.StringIO() if kind == "csv" else io.BytesIO()
    getattr(csv_and_excel, f"to_{kind}")(single(), buffer)
    buffer.seek(0)
    assert_frame_equal(getattr(csv_and_excel, f"read_{kind}")(buffer), single(), check_exact=True)


@pytest.mark.parametrize("kind", ["csv", "excel"])
def test_a_frame_without_rows_comes_back(kind, tmp_path):
    """With float64 columns and the UTC index."""
    empty = single().iloc[:0]
    assert_frame_equal(through(kind, empty, tmp_path / "empty"), empty)


@pytest.mark.parametrize("kind", ["csv", "excel"])
def test_an_empty_column_comes_back_as_missing(kind, tmp_path):
    """Never as 0."""
    frame = single() * np.nan
    assert_frame_equal(through(kind, frame, tmp_path / "blank"), frame)


@pytest.mark.parametrize("kind", ["csv", "excel"])
def test_infinite_values_come_back(kind, tmp_path):
    """A sheet has no infinity; it is written as text."""
    frame = single() * 0 + np.inf
    frame.iloc[0] = -np.inf
    frame = frame.fillna(np.inf)
    assert_frame_equal(through(kind, frame, tmp_path / "inf"), frame)


def test_the_header_names_units_and_the_time_is_utc():
    """A reader needs no manual."""
    lines = csv_text(single(["DemandkW/Elm/A", "A/Ch/A1 [mA]", "Foo/Elm/A"])).splitlines()
    assert lines[0] == "time,DemandkW/Elm/A [kW],A/Ch/A1 [mA],Foo/Elm/A"
    assert lines[1].startswith("2023-11-05T07:32:00Z,0.30000000000000004,")


def test_local_time_and_offset_tell_the_two_folds_apart():
    """On the autumn night 01:32 comes twice."""
    lines = csv_text(single(["A/Ch/A1"]), tz=LA).splitlines()
    assert lines[0] == "time,local_time,utc_offset,A/Ch/A1 [A]"
    assert lines[5].startswith("2023-11-05T08:32:00Z,2023-11-05T01:32:00,UTC-07:00,")
    assert lines[9].startswith("2023-11-05T09:32:00Z,2023-11-05T01:32:00,UTC-08:00,")


def test_the_zone_of_the_index_is_the_local_time():
    """tz=None is the index's own zone; UTC needs no second clock."""
    assert csv_text(single().tz_convert(LA)) == csv_text(single(), tz=LA)
    assert "local_time" not in csv_text(single())
    assert "local_time" not in csv_text(single(), tz="UTC")


def test_other_columns_are_not_written():
    """Only the wire grammar reads back."""
    assert csv_text(single().assign(note="x")) == csv_text(single())


def test_a_unit_other_than_usual_stays_in_the_label(tmp_path):
    """The catalogue's unit is dropped again."""
    frame = single(["DemandkW/Elm/A [W]", "DemandkW/Elm/C"])
    assert_frame_equal(through("csv", frame, tmp_path / "w.csv"), frame)


def test_pint_columns_are_written_as_numbers(tmp_path):
    """In their own unit."""
    quantify = pytest.importorskip("dentframe.frame.quantify")
    frame = single(["DemandkW/Elm/A", "dPF/Elm/A"])
    assert_frame_equal(through("csv", quantify.quantify(frame), tmp_path / "q.csv"), frame)


@pytest.mark.parametrize("kind", ["csv", "excel"])
@pytest.mark.parametrize("evil", ["=cmd()", "+1", "-1", "@x", "'x", "\tx"])
def test_text_cells_are_never_formulas(kind, evil, tmp_path):
    """A meter's or a column's name from outside must not run in a spreadsheet."""
    frame = pd.concat({evil: single([f"{evil}/Elm/A [kW]"])}, names=["meter", "time"])
    path = tmp_path / "evil"
    assert_frame_equal(through(kind, frame, path), frame)
    if kind == "csv":
        cells = [
            c.strip('"')
            for line in path.with_suffix(".csv").read_text().splitlines()
            for c in line.split(",")
        ]
        assert not [
            c
            for c in cells
            if c.startswith(evil[0]) and not c.startswith("'") and not c[1:2].isdigit()
        ]


def test_a_workbook_holds_times_and_numbers(tmp_path):
    """Naive UTC, naive local and the offset; numbers are numbers."""
    openpyxl = pytest.importorskip("openpyxl")
    single(["A/Ch/A1"]).dent.to_excel(tmp_path / "a.xlsx", tz=LA)
    sheet = openpyxl.load_workbook(tmp_path / "a.xlsx").active
    assert sheet.column_dimensions["A"].width > 20  # a narrower column shows ###
    rows = list(sheet.values)
    assert rows[0] == ("time_utc", "local_time", "utc_offset", "A/Ch/A1 [A]")
    assert str(rows[1][0]) == "2023-11-05 07:32:00"
    assert str(rows[1][1]) == "2023-11-05 00:32:00"
    assert rows[1][2:] == ("UTC-07:00", 0.1 + 0.2)
    assert rows[2][3] is None


def test_a_naive_index_is_refused():
    """Nobody can tell which instants those are."""
    with pytest.raises(RangeError, match="tz_localize"):
        csv_text(single().tz_localize(None))


def test_a_frame_larger_than_a_sheet_is_refused(monkeypatch, tmp_path):
    """Before anything is written."""
    monkeypatch.setattr(csv_and_excel, "EXCEL_ROWS", 5)
    with pytest.raises(RangeError, match="use to_csv"):
        single().dent.to_excel(tmp_path / "big.xlsx")
    assert not (tmp_path / "big.xlsx").exists()


@pytest.mark.parametrize(
    ("write", "name", "says"),
    [
        ("to_excel", "x.csv", "Use to_csv"),
        ("to_excel", "december.XLS", "the ending .xlsx"),
        ("to_csv", "x.xlsx", "Use to_excel"),
        ("to_csv", "peaks.xls", "Use to_excel"),
    ],
)
def test_a_name_of_another_format_is_refused(tmp_path, write, name, says):
    """Another program would take the file for what it is not; nothing is written."""
    path = tmp_path / name
    for frame in (single(), single().dent.gaps()):
        for given in (path, str(path)):
            with pytest.raises(ConfigError, match=re.escape(says)):
                getattr(frame.dent, write)(given)
    assert not path.exists()


def test_a_missing_openpyxl_says_how_to_install_it(monkeypatch, tmp_path):
    """It is an extra."""
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(MissingExtraError, match=r"write an Excel workbook.*\[excel\]"):
        single().dent.to_excel(tmp_path / "a.xlsx")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "as a CSV file"),
        ("a,b\n1,2\n", "it has no column 'time'"),
        ("time,A/Ch/A1 [A]\n2023-11-05T07:32:00Z,N/A\n", "Cannot read column 'A/Ch/A1 .A.'"),
        ("time,A/Ch/A1 [A]\n2023-11-05T07:32:00Z,1_0\n", "is no number"),
        ("time,A/Ch/A1 [A]\n2023-11-05T07:32:00Z,True\n", "could not convert"),
        ("time,A/Ch/A1 [A]\nyesterday,1\n", "Cannot read the times"),
    ],
)
def test_a_file_of_another_kind_is_refused(text, says):
    """Nothing is guessed."""
    with pytest.raises(ConfigError, match=says):
        csv_and_excel.read_csv(io.StringIO(text))


def test_a_workbook_without_readings_is_refused(tmp_path):
    """An empty sheet has no time."""
    openpyxl = pytest.importorskip("openpyxl")
    openpyxl.Workbook().save(tmp_path / "none.xlsx")
    with pytest.raises(ConfigError, match="it has no column"):
        csv_and_excel.read_excel(tmp_path / "none.xlsx")


def test_whole_numbers_and_offsets_typed_by_hand_are_read():
    """A person may have edited the file."""
    text = "time,A/Ch/A1 [A]\n2023-11-05 00:32-07:00,3\n2023-11-05T07:47:00Z,\n"
    frame = csv_and_excel.read_csv(io.StringIO(text))
    assert str(frame.index[0]) == "2023-11-05 07:32:00+00:00"
    assert frame.iloc[0, 0] == 3.0
    assert frame.dtypes.iloc[0] == "float64"


@pytest.mark.parametrize("tz", ["Asia/Kathmandu", "Africa/Monrovia"])
def test_offsets_are_exact_to_the_second(tz):
    """Monrovia was 44 min 30 s behind until 1972."""
    expected = {"Asia/Kathmandu": "UTC+05:45", "Africa/Monrovia": "UTC-00:44:30"}[tz]
    start = "1971-01-01" if tz == "Africa/Monrovia" else "2023-01-01"
    assert expected in csv_text(single(start=start), tz=tz)


def result(name):
    """What a verb makes of two days of readings."""
    t = pd.date_range("2023-11-04 08:00", periods=193, freq="15min", tz="UTC", name="time")
    frame = pd.DataFrame({"kWHNet/Elm/A": np.arange(193.0), "DemandkW/Elm/A": 4.0}, index=t)
    return {
        "detail": lambda d: d.energy("D", tz=LA, detail=True),
        "peaks": lambda d: d.peaks("D", tz=LA, min_coverage=0),
        "long": lambda d: d.to_long(),
        "by_element": lambda d: d.by_element("DemandkW"),
        "coverage": lambda d: d.coverage("D", tz=LA),
        "profile": lambda d: d.profile(tz=LA),
        "gaps": lambda d: d.gaps(tz=LA),
        "quality": lambda d: d.quality(tz=LA),
    }[name](frame.dent)


@pytest.mark.parametrize(
    "name", ["detail", "peaks", "long", "by_element", "coverage", "profile", "gaps", "quality"]
)
def test_the_table_of_any_verb_is_written(name, tmp_path):
    """Whole: the named levels of its index, then its columns, a row a row."""
    made = result(name)
    made.dent.to_csv(tmp_path / "x.csv")
    back = pd.read_csv(tmp_path / "x.csv")
    assert len(back) == len(made)
    assert back.shape[1] == made.shape[1] + sum(x is not None for x in made.index.names)
    pytest.importorskip("openpyxl")
    made.dent.to_excel(tmp_path / "x.xlsx")
    sheet = pd.read_excel(tmp_path / "x.xlsx")
    assert sheet.shape == back.shape


def test_a_table_tells_its_zone(tmp_path):
    """Times with their offset in CSV, and local ones with the zone in the header in Excel."""
    made = result("detail")
    made.dent.to_csv(tmp_path / "x.csv")
    back = pd.read_csv(tmp_path / "x.csv")
    assert back["start"].tolist()[:2] == ["2023-11-04T00:00:00-07:00", "2023-11-05T00:00:00-07:00"]
    assert back["energy"].tolist() == made["energy"].tolist()
    assert len(back["flags"]) == len(made)
    made.dent.to_csv(tmp_path / "x.csv", tz="UTC")
    assert pd.read_csv(tmp_path / "x.csv")["start"][1] == "2023-11-05T07:00:00+00:00"
    pytest.importorskip("openpyxl")
    made.dent.to_excel(tmp_path / "x.xlsx")
    assert f"start ({LA})" in pd.read_excel(tmp_path / "x.xlsx").columns


def test_times_of_a_table_are_wide_enough_to_be_seen(tmp_path):
    """A narrower column would show only signs in their place."""
    openpyxl = pytest.importorskip("openpyxl")
    t = pd.date_range("2024-01-01", periods=9, freq="15min", tz="UTC", name="time")
    hours = pd.DataFrame({"kWHNet/Elm/A": range(9)}, t, dtype=float).dent.energy(
        "h", tz="UTC", detail=True
    )
    csv_and_excel.to_excel(hours, tmp_path / "a.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "a.xlsx").active
    headers = {cell.value: cell.column_letter for cell in sheet[1]}
    for name in ("start (UTC)", "end (UTC)"):
        assert sheet.column_dimensions[headers[name]].width >= len("2024-01-01 00:00:00")
