"""Energy of periods: zones, lengths of days, spans and what cuts them."""

from __future__ import annotations

import dateutil.tz
import numpy as np
import pandas as pd
import pytest

from dentframe import Monthly
from dentframe.errors import RangeError
from dentframe.verbs.energy import energy
from dentframe.verbs.result_frames_and_warnings import COLUMNS
from tests.attrs_kit import told
from tests.energy_kit import MEAN, NY, quiet, readings, register, row


def test_a_day_of_a_steady_load():
    """A bracketed local day is recorded, and nobody warns."""
    result = register().dent.energy("D", tz=NY)
    assert result.iloc[:, 0].tolist() == [96.0]
    assert result.columns.tolist() == ["Energy/Elm/A"]
    assert result.index.name == "time"
    assert str(result.index.tz) == NY
    assert result.index[0] == pd.Timestamp("2024-01-01", tz=NY)
    assert result.attrs["dentcloud"]["units"] == {"Energy": "kWh"}


@pytest.mark.parametrize(
    ("day", "tz", "hours"),
    [
        ("2024-03-10", NY, 23),
        ("2024-11-03", NY, 25),
        ("2024-04-26", "Africa/Cairo", 23),
        ("2024-11-03", "America/Havana", 25),
        ("2024-04-07", "Australia/Lord_Howe", 24.5),
        ("2024-10-06", "Australia/Lord_Howe", 23.5),
    ],
)
def test_days_of_other_lengths(day, tz, hours):
    """Days have their true length, over midnights that do not exist or come twice."""
    frame = register(pd.Timestamp(day) - pd.Timedelta(days=2), n=5 * 96)
    days = quiet(energy, frame, "D", tz=tz, detail=True)
    dates = days["start"].dt.tz_convert(tz).dt.date
    found = days[dates == pd.Timestamp(day).date()].iloc[0]
    assert found["energy"] == pytest.approx(4 * hours, abs=1e-9)
    assert found["expected"] == 4 * hours


def test_hours_of_kathmandu():
    """A local hour begins where the local clock says so."""
    hours = quiet(energy, register(n=9), "h", tz="Asia/Kathmandu")
    assert {t.minute for t in hours.index} == {0}
    assert {t.tz_convert("UTC").minute for t in hours.index} == {15}


def test_billing_months():
    """Months may begin on any day up to the 28th."""
    frame = register("2024-01-18 05:00", n=70 * 96)
    months = quiet(energy, frame, Monthly(day=18), tz=NY, detail=True)
    assert months["energy"].iloc[0] == pytest.approx(31 * 96, abs=1e-9)
    assert months["energy"].iloc[1] == pytest.approx((29 * 24 - 1) * 4, abs=1e-9)


def test_no_freq_is_one_period():
    """Without freq the whole span is one period, and UTC needs no zone."""
    assert register().dent.energy().iloc[:, 0].tolist() == [96.0]


def test_long_periods_need_a_zone():
    """A day of a UTC index is nobody's day; quarter hours are everybody's."""
    with pytest.raises(RangeError, match="time zone"):
        register().dent.energy("D")
    assert len(register().dent.energy("15min")) == 96


def test_the_zone_of_the_index_counts():
    """An index in a zone of its own needs no tz, and gives it to the result."""
    result = register().tz_convert(NY).dent.energy("D")
    assert str(result.index.tz) == NY


def test_naive_indexes_are_refused():
    """The error names the way out."""
    with pytest.raises(RangeError, match="tz_localize"):
        register().tz_localize(None).dent.energy("D", tz=NY)


def test_naive_bounds_need_a_zone():
    """A naive bound is wall time somewhere."""
    with pytest.raises(RangeError, match="tz"):
        register().dent.energy(start="2024-01-01 06:00")
    assert row(register(), start="2024-01-01 01:00", tz=NY)["energy"] == 92


def test_end_anchored_periods_are_refused():
    """The error names the start form."""
    with pytest.raises(RangeError, match="MS"):
        register().dent.energy("ME", tz=NY)


def test_only_explicit_bounds_cut_a_period():
    """Data that begin at noon make a partial day; start= makes a recorded half."""
    frame = register("2024-01-01 17:00", n=49)
    cut = frame.dent.energy("D", tz=NY, start="2024-01-01 12:00", detail=True).iloc[0]
    assert (cut["status"], cut["expected"]) == ("recorded", 48)
    whole = row(frame, freq="D", tz=NY)
    assert (whole["status"], whole["coverage"], whole["expected"]) == ("partial", 0.5, 96)


def test_the_range_that_was_read_makes_the_periods():
    """Bracketing rows make no period; a period without a reading is a row."""
    frame = register("2024-01-01 04:45", n=99)
    spans = {"P1": ["2024-01-01T00:00:00-05:00", "2024-01-04T00:00:00-05:00"]}
    told(frame, spans)
    days = quiet(energy, frame, "D", tz=NY, detail=True)
    assert days["status"].tolist() == ["recorded", "partial", "missing"]
    assert days["coverage"].iloc[2] == 0
    assert np.isnan(days["energy"].iloc[2])


def test_a_mean_begins_before_its_label():
    """The span of interval means begins one interval before the first."""
    found = row(readings([4, 4], label=MEAN))
    assert found["start"] == pd.Timestamp("2023-12-31 23:45", tz="UTC")
    assert (found["energy"], found["coverage"], found["readings"], found["expected"]) == (
        2,
        1,
        2,
        2,
    )


def test_spans_that_end_before_they_start():
    """The error shows both bounds."""
    with pytest.raises(RangeError, match="not before end"):
        register().dent.energy(start="2024-01-02", end="2024-01-01", tz=NY)
    with pytest.raises(RangeError, match="readings begin or end"):
        register().dent.energy(start="2025-01-02", tz=NY)


def test_empty_frames():
    """No readings: no periods, or missing ones where the span is given."""
    empty = register(n=0)
    assert empty.dent.energy("D", tz=NY).shape == (0, 1)
    assert empty.dent.energy("D", tz=NY, detail=True).columns.tolist() == list(COLUMNS)
    assert empty.dent.intervals().shape == (0, 1)
    span = {"start": "2024-01-01", "end": "2024-01-03", "tz": NY}
    days = quiet(energy, empty, "D", **span, detail=True)
    assert days["status"].tolist() == ["missing"] * 2


def test_one_reading_is_no_energy():
    """A single reading is a period without energy, never zero."""
    assert np.isnan(quiet(energy, register(n=1), "D", tz=NY).iloc[0, 0])
    assert np.isnan(quiet(energy, register(n=1)).iloc[0, 0])


def quarter_frame(values, **columns):
    """A frame of quarter-hourly readings."""
    time = pd.date_range("2024-01-01", periods=len(values), freq="15min", tz="UTC")
    return pd.DataFrame({"kWHNet/Elm/A": values, **columns}, index=time)


def test_listed_periods_after_the_data_stay():
    """With a list of edges, only a given bound cuts; what has no reading is missing."""
    edges = ["2024-01-01", "2024-01-02", "2024-01-03"]
    found = quarter_frame(np.arange(50.0)).dent.energy(
        edges, tz="UTC", start="2024-01-01 06:00", detail=True
    )
    assert found["status"].tolist() == ["partial", "missing"]


@pytest.mark.parametrize("freq", ["D", "MS", "h"])
def test_a_zone_of_dateutil_has_the_same_periods(freq):
    """Its zones have no hash, and so are kept by nothing; their days and months are the same."""
    times = pd.date_range("2023-10-01", "2023-12-01", freq="15min", tz="UTC", unit="us")
    frame = pd.DataFrame({"kWHNet/Elm/A": np.arange(len(times)) / 4}, index=times)
    found = energy(frame, freq, tz=dateutil.tz.gettz(NY), min_coverage=0)
    usual = energy(frame, freq, tz=NY, min_coverage=0)
    np.testing.assert_array_equal(found.to_numpy(), usual.to_numpy())
    assert (found.index == usual.index).all()
