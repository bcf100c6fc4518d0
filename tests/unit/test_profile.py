"""`profile`, `baseload`, `duration`: the shape of a load."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from dentframe.errors import ConfigError
from tests.unit.test_demand import KW, quarters


def week(n=96 * 7):
    return quarters({KW: np.arange(n) % 96 + 100 * (np.arange(n) // 96)})


def test_a_profile_by_weekday():
    """Local time of day to (day type, element, quantile)."""
    found = week().dent.profile(tz="UTC")
    assert found.columns.names == ["day_type", "element", "quantile"]
    assert found.index[1] == dt.time(0, 15)
    assert len(found) == 96
    assert found.loc[dt.time(0, 15), ("Tue", "A", 0.5)] == 101.0


def test_quantiles_are_checked_before_anything_is_read():
    """A column of text is another matter."""
    text = week().astype(str)
    for wrong in (lambda: text.dent.baseload(q=2), lambda: text.dent.profile(q=())):
        with pytest.raises(ConfigError, match="quantiles are from 0 to 1"):
            wrong()


def test_quantiles_are_numpys():
    """Linear between the two nearest, value by value."""
    found = week().dent.profile("all", (0.1, 0.5, 0.9), tz="UTC")
    values = week()[KW].to_numpy().reshape(7, 96)
    for q in (0.1, 0.5, 0.9):
        assert found["all", "A", q].to_numpy() == pytest.approx(np.quantile(values, q, axis=0))


def test_one_quantile_is_given_as_it_is():
    """A number alone is one quantile."""
    one = week(96).dent.profile("all", 0.5, tz="UTC")
    pd.testing.assert_frame_equal(one, week(96).dent.profile("all", [0.5], tz="UTC"))


def test_day_types_know_holidays():
    """2024-01-01 is a Monday and a holiday."""
    found = week().dent.profile("daytype", (0.5,), tz="UTC", holidays=["2024-01-01"])
    assert list(found.columns.get_level_values(0).unique()) == ["weekday", "weekend", "holiday"]
    assert found["holiday", "A", 0.5].iloc[3] == 3.0


def test_missing_blocks_are_left_out():
    """NaN never counts as nothing."""
    frame = week()
    frame.iloc[:96] = np.nan
    found = frame.dent.profile("all", (0.0,), tz="UTC", start="2024-01-01", end="2024-01-08")
    assert found["all", "A", 0.0].min() == 100.0


def test_a_profile_of_several_meters():
    """(meter, time of day)."""
    both = pd.concat({"P1": week(), "P2": week() * 2}, names=["meter", "time"])
    found = both.dent.profile("all", (0.5,), tz="UTC")
    assert found.index.names == ["meter", "time_of_day"]
    assert found.loc["P2"].to_numpy() == pytest.approx(2 * found.loc["P1"].to_numpy())


def test_duration_falls_from_the_peak_to_the_least():
    """At share s the demand that was reached for s of the time."""
    found = quarters({KW: [4, 1, 3, 2]}).dent.duration(points=5)["A"]
    assert found.to_dict() == {0.0: 4.0, 0.25: 4.0, 0.5: 3.0, 0.75: 2.0, 1.0: 1.0}


def test_duration_of_several_meters():
    """(meter, share)."""
    both = pd.concat({m: quarters({KW: [4, 1]}) for m in ("P1", "P2")}, names=["meter", "time"])
    assert both.dent.duration(points=2).index.names == ["meter", "share"]


def test_baseload_is_a_low_quantile():
    """Per period; an hour's outage does not make it 0."""
    frame = quarters({KW: [*([0] * 4), *([2.0] * 92)]})
    assert frame.dent.baseload("D", tz="UTC")["A"].tolist() == [pytest.approx(2.0, abs=0.6)]
    assert frame.dent.baseload("D", q=0, tz="UTC")["A"].tolist() == [0.0]


@pytest.mark.parametrize(
    "call",
    [
        lambda f: f.dent.profile("season", tz="UTC"),
        lambda f: f.dent.profile(["month"], tz="UTC"),
        lambda f: f.dent.profile(q=(), tz="UTC"),
        lambda f: f.dent.profile(q=(1.5,), tz="UTC"),
        lambda f: f.dent.profile(q=("median",), tz="UTC"),
        lambda f: f.dent.profile(q=None, tz="UTC"),
        lambda f: f.dent.baseload(q="0.05"),
        lambda f: f.dent.energy(min_coverage="0.9"),
        lambda f: f.dent.energy(min_coverage=[0.9]),
        lambda f: f.dent.duration(points=1),
        lambda f: f.dent.baseload(q=-0.1),
    ],
)
def test_what_cannot_be_meant_is_refused(call):
    """Quantiles are shares, day types are known."""
    with pytest.raises(ConfigError):
        call(week(96))


def test_an_empty_frame():
    """No reading, no row; no error."""
    empty = week().iloc[:0]
    assert empty.dent.profile(tz="UTC").empty
    assert empty.dent.baseload("D", tz="UTC").empty
    assert empty.dent.duration(points=2)["A"].isna().all()


def test_an_empty_frame_of_several_meters():
    """No meter, no row; no error."""
    both = pd.concat({"P1": week(96), "P2": week(96)}, names=["meter", "time"])
    assert both.iloc[:0].dent.profile(tz="UTC").empty


def test_meters_without_a_reading_have_no_profile():
    """No element of several meters is known, so that there is no column."""
    t = pd.date_range("2024-01-01", periods=9, freq="15min", tz="UTC")
    one = pd.DataFrame({"kWHNet/Elm/A": np.nan, "DemandkW/Elm/A": np.nan}, t)
    two = pd.concat({"P1": one, "P2": one}, names=["meter", "time"])
    span = {"tz": "UTC", "start": "2024-01-01", "end": "2024-01-02"}
    assert two.dent.profile(**span).shape[1] == 0
    assert two.dent.baseload("D", **span).shape[1] == 0
