"""What `df.dent` shows of a frame, against frames counted by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dentframe.verbs.frame_summary import card, row_counts
from tests.attrs_kit import told

DAY = ["2024-01-01T00:00:00+00:00", "2024-01-02T00:00:00+00:00"]


def day(*columns, freq="15min", meter="P1"):
    """One whole UTC day, with what the reader says of it."""
    times = pd.date_range("2024-01-01", periods=96, freq=freq, tz="UTC", name="time")
    frame = pd.DataFrame({c: np.arange(96.0) for c in columns}, index=times.as_unit("us"))
    return told(frame, {meter: DAY})


def facts(frame):
    return dict(card(frame).facts)


def test_a_whole_day():
    """Everything is there: 96 of 96 readings of each column."""
    shown = card(day("DemandkW/Elm/A", "kWHNet/Elm/A", "A/Ch/A1"))
    assert shown.title == "dent, P1, 96 rows"
    assert dict(shown.facts) == {
        "span": "2024-01-01 00:00 … 2024-01-02 00:00 UTC (the range that was read, 24 h)",
        "interval": "15 min",
        "elements": "A",
        "channels": "A1",
        "other columns": "",
    }
    assert [list(row) for row in shown.rows] == [
        ["DemandkW", "interval mean", "kW", "1", "100 %"],
        ["kWHNet", "register", "kWh", "1", "100 %"],
        ["A", "sample", "A", "1", "100 %"],
    ]
    assert shown.notes == ["No gap, no blank cell, no time twice; .quality() looks at the values."]


def test_a_gap_and_blanks_are_counted():
    """Four rows of 96 dropped and two cells blanked: 90 of 96 is 93.75 %."""
    frame = day("DemandkW/Elm/A").drop(day("DemandkW/Elm/A").index[10:14])
    frame.iloc[[50, 60], 0] = np.nan
    shown = card(frame)
    assert shown.rows[0][-1] == "93.75 %"
    assert shown.notes == [
        "1 gap without a row, of 1 h; .gaps() tells where.",
        "2 blank cells in rows that came.",
    ]


def test_rows_missing_at_the_ends_are_gaps():
    """The range that was read tells that the first and last hour did not come."""
    shown = card(told(day("DemandkW/Elm/A").iloc[4:-8], {"P1": DAY}))
    assert shown.rows[0][-1] == "87.50 %"
    assert shown.notes == ["2 gaps without a row, 3 h in all, the longest 2 h; .gaps() lists them."]


def test_bracketing_rows_count_for_nothing():
    """A reading before the range and one after it change no count."""
    frame = day("kWHNet/Elm/A")
    wide = frame.reindex(
        pd.date_range("2023-12-31 23:45", "2024-01-02 00:00", freq="15min", tz="UTC"),
        fill_value=1.0,
    )
    told(wide, {"P1": DAY})
    (lane,) = row_counts(wide)
    assert (len(lane.t), lane.expected, lane.lacks) == (96, 96, [])


def test_a_share_is_never_rounded_to_all_or_nothing():
    """One blank in 96 000 cells is 99.99 %, and one reading in them 0.01 %."""
    columns = [f"V/Ch/A{i}" for i in range(1000)]
    frame = pd.DataFrame(np.ones((96, 1000)), index=day("x").index, columns=columns)
    almost, hardly = frame.copy(), frame * np.nan
    almost.iloc[0, 0], hardly.iloc[0, 0] = np.nan, 1.0
    shares = [card(f).rows[0][-1] for f in (frame, almost, hardly, frame * np.nan)]
    assert shares == ["100 %", "99.99 %", "0.01 %", "0 %"]


def test_several_meters_owe_only_their_own_columns():
    """Meter P2 has no element A: that is no missing reading."""
    one, two = day("kWHNet/Elm/A"), day("kWHNet/Elm/B", meter="P2")
    frame = pd.concat({"P1": one, "P2": two}, names=["meter"])
    told(frame, {"P1": DAY, "P2": DAY})
    shown = card(frame)
    assert shown.title == "dent, P1, P2, 192 rows"
    assert shown.rows[0] == ("kWHNet", "register", "kWh", "2", "100 %")


def test_a_column_without_any_reading_is_named():
    """Blank from first to last: named, not counted cell by cell."""
    frame = day("DemandkW/Elm/A", "DemandkW/Elm/C")
    frame["DemandkW/Elm/C"] = np.nan
    assert card(frame).notes == ["No reading at all in DemandkW/Elm/C."]


def test_repeated_times_and_a_missing_zone_are_told():
    """Both are told, and rows that repeat a time count once."""
    frame = day("DemandkW/Elm/A")
    twice = pd.concat([frame, frame.iloc[:2]]).tz_localize(None)
    twice.attrs = {}
    shown = card(twice)
    assert shown.rows[0][-1] == "100 %"
    assert "tz_localize" in shown.notes[0]
    assert shown.notes[1].startswith("2 rows repeat a time")


def test_other_columns_and_unknown_units():
    """Columns that are no readings are told; a topic of no known unit says so."""
    frame = day("Foo/Elm/A").assign(weather=1.0)
    assert facts(frame)["other columns"] == "1, which the verbs ignore"
    assert card(frame).rows[0][1:3] == ("unknown", "unknown")


def test_the_times_are_shown_in_the_frames_zone():
    """A converted index shows its own wall time."""
    frame = day("kWHNet/Elm/A")
    local = frame.tz_convert("Asia/Kathmandu")
    local.attrs = frame.attrs
    assert facts(local)["span"].startswith("2024-01-01 05:45 … 2024-01-02 05:45 Asia/Kathmandu")


def test_an_empty_read_says_so():
    """No rows: the range is shown, and no share is made up."""
    shown = card(day("kWHNet/Elm/A").iloc[:0])
    assert shown.rows[0][-1] == "–"
    assert shown.notes == ["There are no readings."]


@pytest.mark.parametrize(
    "index",
    [pd.Index([3]), pd.DatetimeIndex([pd.NaT]), pd.MultiIndex.from_tuples([(1, 2)])],
)
def test_showing_never_raises(index):
    """A frame that no verb can use is shown with the reason."""
    frame = pd.DataFrame({"A/Ch/A1": [1.0]}, index=index)
    assert "cannot be shown: RangeError" in repr(frame.dent)
    assert "cannot be shown: RangeError" in frame.dent._repr_html_()


def test_units_of_pint_and_labels_are_shown():
    """A unit in the label is the topic's unit."""
    frame = day("DemandkW/Elm/A [W]")
    assert card(frame).rows[0][2] == "W"
    assert "<dent, P1, 96 rows>" in repr(frame.dent)


def test_a_computed_frame_is_called_so():
    """Daily energy is no reading."""
    days = day("kWHNet/Elm/A").dent.energy("h", tz="UTC", min_coverage=0)
    shown = card(days)
    assert shown.title == "dent, computed, 24 rows"
    assert "first to last period" in dict(shown.facts)["span"]
    assert shown.notes[0] == "Figures of a verb, not readings: .quality() is for those."


def test_columns_that_are_not_understood_are_counted():
    """Of no scope or kind that a verb knows: then it is not said that all is well."""
    shown = card(day("DemandkW/Elm/A", "V/Ph/L1-L2", "Foo/Elm/A"))
    assert shown.notes == ["2 columns not understood: V/Ph/L1-L2, Foo/Elm/A."]


def test_the_table_of_a_verb_says_what_it_is():
    """Its columns, and that it holds no readings."""
    t = pd.date_range("2024-01-01", periods=9, freq="15min", tz="UTC", name="time")
    frame = pd.DataFrame({"kWHNet/Elm/A": np.arange(9.0)}, index=t)
    shown = repr(frame.dent.energy(detail=True).dent)
    assert shown.startswith("<dent, computed, 1 rows>")
    assert "to_csv" in shown
