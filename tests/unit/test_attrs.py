"""What a frame says of its read, after what pandas did to it."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import dentframe
from dentframe.errors import RangeError
from tests.attrs_kit import told

pytestmark = pytest.mark.filterwarnings("ignore::dentframe.errors.CoverageWarning")
UTC = "UTC"
KWH, KW = "kWHNet/Elm/A", "DemandkW/Elm/A"
JUNE, JULY = ["2023-06-01", "2023-07-01"], ["2023-07-01", "2023-08-01"]


def read(span, *, bracket=False, meter="P1"):
    """A read of a register that counts 1 kW, and of its demand, every 15 minutes from :03."""
    start, end = (pd.Timestamp(x, tz=UTC) for x in span)
    more = pd.Timedelta("15min") if bracket else pd.Timedelta(0)
    times = pd.date_range(start + pd.Timedelta("3min") - more, end + more, freq="15min")
    hours = (times - pd.Timestamp("2023-01-01", tz=UTC)) / pd.Timedelta("1h")
    frame = pd.DataFrame({KWH: hours, KW: 1.0}, index=times.as_unit("us").rename("time"))
    return told(frame, {meter: span}, units={"kWHNet": "kWh"})


def total(frame):
    return frame.dent.energy(detail=True)["energy"].item()


def test_two_reads_joined_are_the_time_of_both():
    """`combine_first` keeps the first one's attrs, whose range is not that of the whole."""
    frame = read(JUNE).combine_first(read(JULY))
    assert frame.attrs["dentcloud"]["ranges"] == {
        "P1": ["2023-06-01T00:00:00+00:00", "2023-07-01T00:00:00+00:00"]
    }
    rows = frame.dent.energy("MS", tz=UTC, detail=True)
    assert rows["energy"].tolist() == pytest.approx([720, 744], abs=0.3)


def test_a_month_of_a_year_is_that_month():
    """No month but June, and no kWh at risk elsewhere."""
    june = read(["2023-01-01", "2024-01-01"]).loc["2023-06"]
    rows = june.dent.energy("MS", tz=UTC, detail=True)
    assert rows["start"].dt.month.tolist() == [6]
    assert june.dent.gaps().empty
    assert june.dent.quality().empty
    assert "first to last reading" in repr(june.dent)


def test_a_side_whose_outermost_row_stays_keeps_its_range():
    """From 15 June on: the end is that of the read, the begin that of the rows."""
    part = read(JUNE, bracket=True).loc["2023-06-15":]
    row = part.dent.energy(detail=True).iloc[0]
    assert row["start"] == pd.Timestamp("2023-06-15 00:03", tz=UTC)
    assert row["end"] == pd.Timestamp("2023-07-01", tz=UTC)
    assert row["status"] == "recorded"


def test_shifted_readings_are_where_they_were_shifted_to():
    """`shift(freq="30D")` leaves no reading behind."""
    moved = read(JUNE).shift(freq="30D")
    assert total(moved) == pytest.approx(total(read(JUNE).iloc[:]), abs=1)


def test_an_empty_read_is_believed_while_it_is_empty():
    """It says which days have no reading, until rows come."""
    empty = told(read(JUNE).iloc[:0], {"P1": JUNE})
    assert len(empty.dent.energy("D", tz=UTC)) == 30
    assert total(empty.combine_first(read(JULY))) == pytest.approx(744, abs=0.5)
    sliced = read(JUNE).iloc[:0]
    assert len(sliced.dent.energy("D", tz=UTC)) == 0


def test_one_meter_of_several_has_its_own_name_only():
    """By `.loc`, named where its rows tell which it is."""
    one, two = read(JUNE), read(JUNE, meter="P2").iloc[1:]
    both = told(
        pd.concat({"P1": one, "P2": two}, names=["meter", "time"]), {"P1": JUNE, "P2": JUNE}
    )
    assert repr(both.loc["P2"].dent).startswith("<dent, P2, ")
    assert repr(both.loc[["P1"]].dent).startswith("<dent, P1, ")
    assert both.loc["P2"].dent.energy(detail=True)["end"].item() == pd.Timestamp(JUNE[1], tz=UTC)


def test_one_meter_of_several_alike_is_not_named():
    """Rows that another meter has as well do not tell whose they are; the range is the same."""
    parts = {m: read(JUNE, meter=m) for m in ("P1", "P2")}
    both = told(pd.concat(parts, names=["meter", "time"]), {"P1": JUNE, "P2": JUNE})
    shown = repr(both.loc["P1"].dent)
    assert "P1" not in shown
    assert "P2" not in shown
    assert "the range that was read" in shown


def test_of_schema_1_only_the_units_are_read():
    """Its ranges cannot tell whether they are still those of the frame."""
    frame = read(JUNE)
    old = {"schema": 1, "units": {"kWHNet": "Wh"}, "ranges": {"P1": ["2023-01-01", "2024-01-01"]}}
    frame.attrs["dentcloud"] = old
    assert str(frame.dent.units[KWH]) == "watt_hour"
    assert frame.dent.energy("MS", tz=UTC, detail=True)["start"].dt.month.tolist() == [6]


def test_a_meter_without_a_range_is_as_long_as_its_readings():
    """A note that a file or another program changed may say nothing of a meter."""
    frame = read(JUNE)
    frame.attrs["dentcloud"]["ranges"] = {"P1": None}
    assert frame.dent.energy("MS", tz=UTC, detail=True)["start"].dt.month.tolist() == [6]


def test_readings_that_came_twice_keep_their_flags():
    """The read notes where; the flags are those of the frame before it was cleaned."""
    frame = read(["2023-06-01", "2023-06-02"])
    at = [int(x.value // 1000) for x in frame.index[[40, 41]]]
    frame.iloc[40:42, 0] = np.nan
    twice = [int(x.value // 1000) for x in frame.index[[60, 60]]]
    told(
        frame,
        {"P1": ["2023-06-01", "2023-06-02"]},
        conflicts={"P1": {KWH: [(*at, 2)]}},
        duplicates={"P1": {KWH: [(*twice, 1)]}},
    )
    json.dumps(frame.attrs)
    flags = frame.dent.energy("h", tz=UTC, detail=True).set_index("start")["flags"]
    assert "conflicting_duplicate" in flags["2023-06-01 10:00+00:00"]
    assert "duplicate_dropped" in flags["2023-06-01 15:00+00:00"]
    assert flags["2023-06-01 03:00+00:00"] == ("edge_interpolated",)
    frame.iloc[40:42, 0] = read(["2023-06-01", "2023-06-02"]).iloc[40:42, 0]
    filled = frame.dent.energy("h", tz=UTC, detail=True)["flags"]
    assert not filled.map(lambda x: "conflicting_duplicate" in x).any()


def test_many_runs_are_joined_to_the_nearest():
    """The note stays small."""
    from dentframe.frame.assemble import RUNS, runs

    among = np.arange(1000)
    found = runs(among[::2], among)
    assert len(found) == RUNS
    assert sum(n for _, _, n in found) == 500
    assert runs(among[3:6], among) == [(3, 5, 3)]


def test_concat_joins_reads_and_their_ranges():
    """Rows that both have are there once, and the range is that of both."""
    june, july = read(JUNE, bracket=True), read(JULY, bracket=True)
    both = dentframe.concat([july, june])
    assert both.index.is_monotonic_increasing
    assert both.index.is_unique
    note = both.attrs["dentcloud"]
    assert note["ranges"] == {"P1": ["2023-06-01T00:00:00+00:00", "2023-08-01T00:00:00+00:00"]}
    assert note["rows"] == {"P1": [both.index[0].isoformat(), both.index[-1].isoformat()]}
    rows = both.dent.energy("MS", tz=UTC, detail=True)
    assert rows["energy"].tolist() == pytest.approx([720, 744])
    assert rows["status"].tolist() == ["recorded", "recorded"]
    part = dentframe.concat([june.loc["2023-06-10":], july]).dent.energy("MS", tz=UTC, detail=True)
    assert part["status"].tolist() == ["partial", "recorded"]


def test_concat_of_meters_topics_and_nothing():
    """Other meters are other rows, other topics other columns; an empty read is missing."""
    one, two = read(JUNE), read(JUNE, meter="P2")
    both = dentframe.concat([one[[KWH]], two[[KW]], one[[KW]]])
    assert both.index.names == ["meter", "time"]
    without_frequency = one.set_axis(pd.DatetimeIndex(one.index, freq=None))
    pd.testing.assert_frame_equal(both.loc["P1"], without_frequency)
    assert both.loc["P2", KWH].isna().all()
    empty = told(read(JULY).iloc[:0], {"P1": JULY})
    whole = dentframe.concat([one, empty])
    assert whole.dent.energy("MS", tz=UTC, detail=True)["status"].tolist()[1:] == ["missing"]


def test_concat_names_conflicts():
    """A cell with two values is none of them, and its figures say so."""
    one, two = read(["2023-06-01", "2023-06-02"]), read(["2023-06-01", "2023-06-02"])
    two.iloc[40, 0] += 5
    with pytest.warns(dentframe.errors.ReadingWarning, match=r"1 cell.*kWHNet/Elm/A.*10:03"):
        both = dentframe.concat([one, two])
    assert np.isnan(both.iloc[40, 0])
    flags = both.dent.energy("h", tz=UTC, detail=True).set_index("start")["flags"]
    assert "conflicting_duplicate" in flags["2023-06-01 10:00+00:00"]
    again = dentframe.concat([both, read(["2023-06-01", "2023-06-02"]).iloc[40:41]])
    assert not np.isnan(again.iloc[40, 0])


def test_concat_refuses_what_cannot_be_joined():
    """No frame, no table, two units, rows of nobody."""
    frame = read(JUNE)
    with pytest.raises(dentframe.errors.ConfigError, match="no frames"):
        dentframe.concat([])
    with pytest.raises(dentframe.errors.ConfigError, match="takes DataFrames"):
        dentframe.concat([frame[KW]])
    with pytest.raises(dentframe.errors.UnitError, match="two units"):
        dentframe.concat([frame, frame.dent.convert({"kWHNet": "MWh"})])
    nobody = frame.copy()
    nobody.attrs = {}
    with pytest.raises(dentframe.errors.ConfigError, match="whose rows"):
        dentframe.concat([frame, nobody])
    assert len(dentframe.concat([nobody, nobody])) == len(nobody)


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        (lambda f: f.set_axis(f.index.astype(str)), r"pd\.to_datetime\(df\.index, utc=True\)"),
        (lambda f: f.reset_index(), r'pd\.to_datetime\(df\["time"\], utc=True\)'),
        (lambda f: f.reset_index(drop=True), "with a column of times"),
    ],
)
def test_an_index_without_times_is_told_the_way(change, hint):
    """As CSV gives it back, and with the times in a column."""
    t = pd.date_range("2024-01-01", periods=5, freq="15min", tz="UTC", name="time")
    frame = pd.DataFrame({"kWHNet/Elm/A": np.arange(5.0)}, index=t)
    with pytest.raises(RangeError, match=hint):
        change(frame).dent.energy()
    assert frame["kWHNet/Elm/A"].dent.energy().iloc[0, 0] == 4.0
    with pytest.raises(AttributeError, match="wire name"):
        _ = frame["kWHNet/Elm/A"].rename("x").dent
