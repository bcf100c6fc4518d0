"""`peaks`: reported, block and rolling; ranks, days, lost rows, months' edges."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from dentframe import RegisterRules
from dentframe.errors import (
    ConfigError,
    CoverageWarning,
    DecodeError,
    KindError,
    UnitError,
    UnknownMeterError,
)
from dentframe.verbs.peaks import COLUMNS, peaks
from tests.unit.test_demand import KW, KWH, quarters


def quiet(*args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CoverageWarning)
        return peaks(*args, **kwargs)


def test_the_columns_are_the_designs():
    """One row per period and element, with these columns in this order."""
    assert tuple(quarters({KW: [1, 2]}).dent.peaks().columns) == COLUMNS


def test_a_lost_row_makes_a_partial_peak():
    """The peak is that of what is covered; hours and mean power of the rest stand beside it."""
    frame = quarters({KW: [4, np.nan, 6, 4], KWH: [1, np.nan, 9.5, 10.5]})
    with pytest.warns(CoverageWarning, match="1 of 1 peaks"):
        row = frame.dent.peaks(tz="UTC").iloc[0]
    assert (row["peak"], row["status"], row["coverage"]) == (6.0, "partial", 0.75)
    assert row["uncovered_hours"] == 0.25
    assert row["uncovered_kw"] == pytest.approx(8.5 / 0.5)
    assert "missing_value" in row["flags"]


def test_a_column_that_is_no_register_does_not_stop_a_reported_peak():
    """The register only tells of what is uncovered; without it that is NaN."""
    frame = quarters({KW: np.arange(40.0), KWH: np.tile([1.0, 5.0], 20)})
    assert frame.dent.peaks()["peak"].tolist() == [39.0]


@pytest.mark.parametrize("kw", [[4, 5, 6, 4], [4, np.nan, 6, 4]], ids=["whole", "with a gap"])
def test_a_register_that_cannot_be_read_is_refused_with_and_without_a_gap(kw):
    """What a verb raises does not hang on whether readings are missing."""
    frame = quarters({KW: kw, KWH: [1, 2, 3, 4]})
    with pytest.raises(DecodeError, match=f"Cannot read column '{KWH}'"):
        quiet(frame.astype({KWH: str}), tz="UTC")
    with pytest.raises(UnitError, match="its topic is measured in kWh"):
        quiet(frame.rename(columns={KWH: f"{KWH} [kW]"}), tz="UTC")
    other = frame.assign(**{"DemandkW/Elm/Z": 1.0})
    with pytest.raises(UnknownMeterError, match="Cannot use max_kw for 'Z'"):
        quiet(other, tz="UTC", registers=RegisterRules(max_kw={"Z": 5}))


def test_min_coverage_silences_and_withholds():
    """No warning; NaN below it, whatever else."""
    frame = quarters({KW: [4, np.nan, 6, 4]})
    assert frame.dent.peaks(min_coverage=0.5)["peak"].tolist() == [6.0]
    assert np.isnan(frame.dent.peaks(min_coverage=0.9)["peak"].iloc[0])


def test_a_period_without_a_reading_is_a_missing_row():
    """It has a row with NaN and coverage 0, and no time of a peak."""
    frame = quarters({KW: [1, 2]})
    later = quarters({KW: [3]}, "2024-01-03 12:00")
    rows = quiet(pd.concat([frame, later]), "D", tz="UTC")
    assert rows["status"].tolist() == ["partial", "missing", "partial"]
    assert pd.isna(rows["start"][1])
    assert np.isnan(rows["peak"][1])


def test_equal_but_for_binary_noise_is_a_tie():
    """0.1 + 0.2 and 0.3 are the same demand: the earliest wins."""
    rows = quarters({KW: [0.3, 0.1 + 0.2]}).dent.peaks()
    assert rows["end"][0] == pd.Timestamp("2024-01-01 00:15", tz="UTC")


def test_n_ranks_and_one_a_day():
    """Ranks count from 1, highest first; per_day takes one of each local day."""
    frame = quarters({KW: [5, 9, 8, *([1] * 95), 7, 2]})
    rows = quiet(frame, n=3, tz="UTC")
    assert rows["peak"].tolist() == [9.0, 8.0, 7.0]
    daily = quiet(frame, n=3, per_day=True, tz="UTC")
    assert daily["peak"].tolist() == [9.0, 7.0]
    assert daily["rank"].tolist() == [1, 2]


def test_a_reported_day_is_the_day_that_its_reading_closes():
    """The row at local midnight belongs to the day before, for periods and for `per_day`."""
    frame = quarters({KW: [1, 9, 8, 1]}, "2024-01-01 23:45")
    assert quiet(frame, "D", tz="UTC")["peak"].tolist() == [9.0, 8.0]
    assert quiet(frame, n=2, per_day=True, tz="UTC")["peak"].tolist() == [9.0, 8.0]


def test_the_lag_moves_a_reading_to_the_month_its_window_closes():
    """Stamped 1 February 00:02 with a lag of two minutes, it is January's."""
    frame = quarters({KW: [1, 9, 2]}, "2024-01-31 23:47")
    assert quiet(frame, "MS", tz="UTC")["peak"].tolist() == [1.0, 9.0]
    assert quiet(frame, "MS", tz="UTC", demand_lag="2min")["peak"].tolist() == [9.0, 2.0]


def test_block_coverage_is_that_of_whole_blocks():
    """A half-covered block is uncovered, and the register tells its mean."""
    frame = quarters({KW: [10, 10, np.nan, 90], KWH: [2.5, 5.0, np.nan, 30.0]})
    row = quiet(frame, kind="block", window="30min", tz="UTC").iloc[0]
    assert (row["peak"], row["coverage"], row["uncovered_hours"]) == (10.0, 0.5, 0.5)
    assert row["uncovered_kw"] == pytest.approx(50.0)


def test_block_peak_of_a_register():
    """Without means, blocks come from the register; a reported peak is refused."""
    frame = quarters({KWH: [0, 1, 3, 4]})
    assert frame.dent.peaks(kind="block")["peak"].tolist() == [8.0]
    with pytest.raises(KindError, match="DemandkW"):
        frame.dent.peaks()


def test_several_meters_are_named():
    """A first column `meter`, rows by meter, period and element."""
    parts = {m: quarters({KW: [1, 2], "DemandkW/Elm/B": [3, 4]}) for m in ("P2", "P1")}
    rows = pd.concat(parts, names=["meter", "time"]).dent.peaks()
    assert rows.columns[0] == "meter"
    assert list(zip(rows["meter"], rows["element"], strict=True)) == [
        ("P1", "A"),
        ("P1", "B"),
        ("P2", "A"),
        ("P2", "B"),
    ]


def test_negative_demand_has_a_peak():
    """With generation the peak may be below zero."""
    assert quarters({KW: [-3, -1]}).dent.peaks()["peak"].tolist() == [-1.0]


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"window": "30min"}, "kind='block'"),
        ({"kind": "highest"}, "reported, block, rolling"),
        ({"n": 0}, "n=0"),
        ({"source": "register"}, "kind='block'"),
        ({"topic": "kWHNet"}, "a register reports no"),
        ({"min_coverage": 2}, "min_coverage=2"),
    ],
)
def test_what_cannot_be_meant_is_refused(how, says):
    """Errors name the value and what to do."""
    with pytest.raises(ConfigError, match=says):
        quarters({KW: [1, 2], KWH: [1, 2]}).dent.peaks(**how)


def test_the_warning_points_at_the_caller():
    """One warning a call, raised from this line."""
    with pytest.warns(CoverageWarning) as caught:
        quarters({KW: [1, 2]}).dent.peaks("D", tz="UTC")
    assert len(caught) == 1
    assert caught[0].filename == __file__


@pytest.mark.parametrize("kind", ["reported", "block", "rolling"])
def test_nothing_read_is_nothing_found(kind):
    """No readings at all: the columns, and no figure."""
    frame = quarters({KW: [1, 2]})
    assert tuple(frame.iloc[:0].dent.peaks(kind=kind, tz="UTC").columns) == COLUMNS
    assert quiet(frame * np.nan, kind=kind, tz="UTC")["peak"].isna().all()
    both = pd.concat({"P1": frame * np.nan, "P2": frame * np.nan}, names=["meter", "time"])
    assert quiet(both, kind=kind, tz="UTC")["peak"].isna().all()


def test_a_register_is_not_judged_where_the_element_has_demand():
    """Of several meters, an exporter with DemandkW needs no register rules for its peak."""
    time = pd.date_range("2024-01-01 00:15", periods=40, freq="15min", tz="UTC")
    index = pd.MultiIndex.from_product([["P1", "P2"], time], names=["meter", "time"])
    falling = np.r_[np.arange(40.0, 0, -1), np.full(40, np.nan)]
    frame = pd.DataFrame(
        {
            "DemandkW/Elm/A": np.r_[np.arange(40.0), np.full(40, np.nan)],
            "DemandkW/Elm/B": np.r_[np.full(40, np.nan), np.arange(40.0)],
            "kWHNet/Elm/A": falling,
            "kWHNet/Elm/B": np.r_[np.full(40, np.nan), np.arange(40.0)],
        },
        index=index,
    )
    found = frame.dent.peaks(kind="block", window="15min", tz="UTC")
    assert found.set_index("meter")["peak"].to_dict() == {"P1": 39.0, "P2": 39.0}


def test_one_column_that_is_no_register_does_not_hide_the_others():
    """The register's mean power stands beside each peak, but for the one that falls."""
    time = pd.date_range("2024-01-01 00:15", periods=40, freq="15min", tz="UTC").delete([20, 21])
    frame = pd.DataFrame(
        {
            "DemandkW/Elm/A": 4.0,
            "DemandkW/Elm/B": 4.0,
            "kWHNet/Elm/A": (time - time[0]) / pd.Timedelta("1h") * 4,
            "kWHNet/Elm/B": np.arange(38.0, 0, -1),
        },
        index=time,
    )
    with pytest.warns(CoverageWarning):
        found = frame.dent.peaks(tz="UTC").set_index("element")
    assert found.loc["A", "uncovered_kw"] == pytest.approx(4)
    assert np.isnan(found.loc["B", "uncovered_kw"])


@pytest.mark.parametrize("day", ["2024-04-07", "2024-10-06"])
def test_an_hour_of_another_length_is_no_peak(day):
    """Lord Howe moves its clock by half an hour: an hour of 30 or 90 minutes, then no more 60."""
    start = pd.Timestamp(day, tz="Australia/Lord_Howe")
    end = start + pd.DateOffset(days=1)
    time = pd.date_range(start.tz_convert("UTC"), end.tz_convert("UTC"), freq="15min")[1:]
    frame = pd.DataFrame({"DemandkW/Elm/A": 4.0}, index=time)
    local = time.tz_convert("Australia/Lord_Howe")
    frame[(local.hour == 1) | (local == local.normalize() + pd.Timedelta("2h"))] = 90.0
    found = frame.dent.peaks("D", kind="block", window="1h", tz="Australia/Lord_Howe")
    lengths = (found["end"] - found["start"]).unique().tolist()
    assert lengths == [pd.Timedelta("1h")]
    assert (found["status"].item(), found["coverage"].item()) == ("recorded", 1.0)
