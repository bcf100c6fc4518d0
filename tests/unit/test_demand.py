"""`demand`: sources, clocks, bounds, shapes and refusals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import dentframe  # noqa: F401
from dentframe import RegisterRules
from dentframe.errors import ConfigError, KindError, RangeError, ReadingWarning, UnknownTopicError

KW, KWH = "DemandkW/Elm/A", "kWHNet/Elm/A"


def quarters(columns, start="2024-01-01 00:15", tz="UTC"):
    n = len(next(iter(columns.values())))
    index = pd.date_range(start, periods=n, freq="15min", tz=tz, name="time", unit="us")
    return pd.DataFrame({k: np.array(v, dtype=float) for k, v in columns.items()}, index=index)


def test_means_answer_before_the_register():
    """`auto` is DemandkW where an element has it, else its register."""
    frame = quarters({KW: [8, 8], KWH: [1, 2], "kWHNet/Elm/B": [5, 7]})
    found = frame.dent.demand(start="2024-01-01 00:15", end="2024-01-01 00:30", tz="UTC")
    assert found.columns.tolist() == ["Demand/Elm/A", "Demand/Elm/B"]
    assert found.iloc[0].tolist() == [8.0, 8.0]
    by_register = frame.dent.demand(source="register")
    assert by_register["Demand/Elm/A"].tolist() == [4.0]


def test_an_element_whose_means_are_blank_falls_back_to_its_register():
    """A column of NaN answers nothing."""
    frame = quarters({KW: [np.nan, np.nan], KWH: [1, 2]})
    assert frame.dent.demand()["Demand/Elm/A"].tolist() == [4.0]


def test_rules_may_name_an_element_without_means():
    """Register rules address registers, also where another element has only means."""
    frame = quarters({"DemandkW/Elm/B": [4, 4], KWH: [1, 2]})
    found = frame.dent.demand(registers=RegisterRules(max_kw={"A": 50.0}))
    assert found["Demand/Elm/A"].dropna().tolist() == [4.0]


def test_a_block_with_a_lost_reading_is_not_known():
    """NaN, never the mean of what is left; the register's shape is as unknown there."""
    frame = quarters({KW: [4, np.nan, 4, 4], KWH: [1, np.nan, 3, 4]})
    assert np.isnan(frame.dent.demand()["Demand/Elm/A"]).tolist() == [False, True, False, False]
    by_register = frame.dent.demand(source="register")["Demand/Elm/A"]
    assert np.isnan(by_register).tolist() == [True, True, False]


def test_a_bound_cuts_a_block_and_the_span_does_not():
    """A block that an explicit bound cuts is NaN, though all of it is covered."""
    frame = quarters({KW: [4, 4, 4, 4]})
    assert frame.dent.demand("30min", tz="UTC")["Demand/Elm/A"].tolist() == [4.0, 4.0]
    cut = frame.dent.demand("30min", tz="UTC", start="2024-01-01 00:15")["Demand/Elm/A"]
    assert cut.iloc[1:].tolist() == [4.0]
    assert np.isnan(cut.iloc[0])


def test_hours_begin_at_15_past_in_kathmandu():
    """Blocks follow the local clock: UTC :15."""
    found = quarters({KW: range(12)}).dent.demand("60min", tz="Asia/Kathmandu")
    assert set(found.index.tz_convert("UTC").minute) == {15}
    assert set(found.index.minute) == {0}


def test_the_lag_moves_the_reading_to_its_window():
    """A reading stamped :17 with a lag of two minutes is the block that closed at :15."""
    frame = quarters({KW: [12, 30, 12]}, "2024-01-01 02:02")
    found = frame.dent.demand(demand_lag="2min")["Demand/Elm/A"]
    assert found.tolist() == [12.0, 30.0, 12.0]
    assert found.index[1] == pd.Timestamp("2024-01-01 02:00", tz="UTC")


def test_several_meters():
    """Rows are (meter, time); a meter without the element is NaN; lags go by meter."""
    one = quarters({KW: [4, 8]}, "2024-01-01 00:17")
    two = quarters({KW: [1, 2], "DemandkW/Elm/B": [3, 3]})
    frame = pd.concat({"P1": one, "P2": two}, names=["meter", "time"])
    found = frame.dent.demand(demand_lag={"P1": "2min"})
    assert found.index.names == ["meter", "time"]
    assert found.loc["P1", "Demand/Elm/A"].tolist() == [4.0, 8.0]
    assert found.loc["P1", "Demand/Elm/B"].isna().all()
    assert found.loc["P2", "Demand/Elm/B"].tolist() == [3.0, 3.0]


def test_units_are_converted_and_kept():
    """Watts in the label are watts; the result is kW."""
    frame = quarters({"DemandkW/Elm/A [W]": [4000, 8000]})
    assert frame.dent.demand()["Demand/Elm/A"].tolist() == [4.0, 8.0]


def test_apparent_demand_prefers_the_meters_own():
    """DemandkVA where there is one, else the kVAHNet register."""
    frame = quarters({"DemandkVA/Elm/A": [7, 7], "kVAHNet/Elm/A": [1, 2]})
    assert frame.dent.apparent_demand()["ApparentDemand/Elm/A"].dropna().unique().tolist() == [7.0]
    assert frame.dent.apparent_demand(source="register").iloc[0, 0] == 4.0


@pytest.mark.parametrize(
    ("how", "error", "says"),
    [
        ({"window": "30min"}, RangeError, "without a time zone"),
        ({"window": "7min"}, RangeError, "does not divide the day"),
        ({"window": "0min"}, RangeError, "no length"),
        ({"kind": "sliding"}, ConfigError, "block, rolling"),
        ({"step": "5min"}, ConfigError, "end to end"),
        ({"kind": "rolling", "step": "7min"}, RangeError, "step='7min'"),
        ({"topic": "V"}, KindError, "sample"),
        ({"topic": "kVAHNet"}, UnknownTopicError, "kVAHNet"),
        ({"source": "meter"}, ConfigError, "auto"),
        ({"site": object()}, ConfigError, "site="),
    ],
)
def test_what_cannot_be_meant_is_refused(how, error, says):
    """Errors name the value and what to do."""
    with pytest.raises(error, match=says):
        quarters({KW: [1, 2], "V/Elm/A": [3, 3]}).dent.demand(**how)


def test_a_naive_index_is_refused():
    """Its instants are not known."""
    frame = quarters({KW: [1, 2]}).tz_localize(None)
    with pytest.raises(RangeError, match="tz_localize"):
        frame.dent.demand()


def test_an_empty_frame_has_columns_and_no_rows():
    """Nothing read is nothing found, without an error."""
    found = quarters({KW: [1]}).iloc[:0].dent.demand(tz="UTC")
    assert found.columns.tolist() == ["Demand/Elm/A"]
    assert found.empty


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_any_resolution_of_the_index(unit):
    """Seconds to nanoseconds give the same blocks."""
    frame = quarters({KW: [4, 8]})
    frame.index = frame.index.as_unit(unit)
    assert frame.dent.demand()["Demand/Elm/A"].tolist() == [4.0, 8.0]


@pytest.mark.filterwarnings("ignore::dentframe.errors.CoverageWarning")
@pytest.mark.parametrize(
    "ask",
    [
        lambda x: x.energy(tz="UTC", min_coverage=0),
        lambda x: x.intervals(tz="UTC"),
        lambda x: x.virtual({"X": "A"}, tz="UTC", min_coverage=0),
        lambda x: x.demand("1h", tz="UTC"),
        lambda x: x.peaks(tz="UTC", min_coverage=0),
        lambda x: x.coincident(elements="all", tz="UTC", min_coverage=0),
        lambda x: x.load_factor(tz="UTC", min_coverage=0),
        lambda x: x.profile(tz="UTC"),
        lambda x: x.baseload(tz="UTC"),
        lambda x: x.duration(tz="UTC"),
    ],
)
def test_means_of_an_hour_are_told_to_name_their_interval(ask):
    """A resampled frame makes a quarter of the energy, and no demand: every verb says why."""
    hourly = quarters({KW: np.arange(96.0)}).resample("h").mean()
    with pytest.warns(ReadingWarning, match="every 60 min.*taken for 15 min.*interval='60min'"):
        found = ask(hourly.dent)
    assert len(found)
    assert hourly.dent.demand("1h", tz="UTC", interval="1h").notna().all(axis=None)


def test_close_readings_are_told_to_name_their_interval():
    """Of a 5-minute meter up to two lost rows in three would look whole."""
    close = quarters({KW: np.arange(96.0)})
    close.index = pd.date_range("2024-01-01", periods=96, freq="5min", tz="UTC")
    with pytest.warns(ReadingWarning, match="every 5 min"):
        close.dent.energy()
    assert len(close.dent.energy(interval="5min")) == 1
