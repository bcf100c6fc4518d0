"""Energy of periods: spans, zones, sources, guards, warnings, several meters, representation."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from dentframe.energy import energy, intervals
from dentframe.errors import (
    ConfigError,
    CoverageWarning,
    DecodeError,
    KindError,
    RangeError,
    ReadingWarning,
    UnitError,
    UnknownMeterError,
    UnknownTopicError,
)
from dentframe.metering.figures import COLUMNS
from dentframe.periods import Monthly
from dentframe.registers import RegisterRules

NY, LA = "America/New_York", "America/Los_Angeles"
A, C, MEAN = "kWHNet/Elm/A", "kWHNet/Elm/C", "DemandkW/Elm/A"


def register(start="2024-01-01 05:00", n=97, label=A, kw=4.0, freq="15min", first=1000.0):
    """A steady load's register."""
    index = pd.date_range(start, periods=n, freq=freq, tz="UTC", unit="us", name="time")
    step = kw * pd.Timedelta(freq) / pd.Timedelta(hours=1)
    return pd.DataFrame({label: first + step * np.arange(n)}, index=index)


def readings(values, start="2024-01-01", freq="15min", label=A):
    index = pd.date_range(start, periods=len(values), freq=freq, tz="UTC", unit="us")
    return pd.DataFrame({label: np.array(values, dtype=float)}, index=index)


def quiet(call, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CoverageWarning)
        return call(*args, **kwargs)


def row(frame, **kwargs):
    return quiet(energy, frame, detail=True, **kwargs).iloc[0]


# Periods and zones


def test_a_day_of_a_steady_load():
    """A bracketed local day is recorded, and nobody warns."""
    result = energy(register(), "D", tz=NY)
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
    assert energy(register()).iloc[:, 0].tolist() == [96.0]


def test_long_periods_need_a_zone():
    """A day of a UTC index is nobody's day; quarter hours are everybody's."""
    with pytest.raises(RangeError, match="time zone"):
        energy(register(), "D")
    assert len(energy(register(), "15min")) == 96


def test_the_zone_of_the_index_counts():
    """An index in a zone of its own needs no tz, and gives it to the result."""
    result = energy(register().tz_convert(NY), "D")
    assert str(result.index.tz) == NY


def test_naive_indexes_are_refused():
    """The error names the way out."""
    with pytest.raises(RangeError, match="tz_localize"):
        energy(register().tz_localize(None), "D", tz=NY)


def test_naive_bounds_need_a_zone():
    """A naive bound is wall time somewhere."""
    with pytest.raises(RangeError, match="tz"):
        energy(register(), start="2024-01-01 06:00")
    assert row(register(), start="2024-01-01 01:00", tz=NY)["energy"] == 92


def test_end_anchored_periods_are_refused():
    """The error names the start form."""
    with pytest.raises(RangeError, match="MS"):
        energy(register(), "ME", tz=NY)


# Spans


def test_only_explicit_bounds_cut_a_period():
    """Data that begin at noon make a partial day; start= makes a recorded half."""
    frame = register("2024-01-01 17:00", n=49)
    cut = energy(frame, "D", tz=NY, start="2024-01-01 12:00", detail=True).iloc[0]
    assert (cut["status"], cut["expected"]) == ("recorded", 48)
    whole = row(frame, freq="D", tz=NY)
    assert (whole["status"], whole["coverage"], whole["expected"]) == ("partial", 0.5, 96)


def test_the_range_that_was_read_makes_the_periods():
    """Bracketing rows make no period; a period without a reading is a row."""
    frame = register("2024-01-01 04:45", n=99)
    spans = {"P1": ["2024-01-01T00:00:00-05:00", "2024-01-04T00:00:00-05:00"]}
    frame.attrs["dentcloud"] = {"schema": 1, "units": {}, "ranges": spans}
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
        energy(register(), start="2024-01-02", end="2024-01-01", tz=NY)
    with pytest.raises(RangeError, match="readings begin or end"):
        energy(register(), start="2025-01-02", tz=NY)


def test_empty_frames():
    """No readings: no periods, or missing ones where the span is given."""
    empty = register(n=0)
    assert energy(empty, "D", tz=NY).shape == (0, 1)
    assert energy(empty, "D", tz=NY, detail=True).columns.tolist() == list(COLUMNS)
    assert intervals(empty).shape == (0, 1)
    span = {"start": "2024-01-01", "end": "2024-01-03", "tz": NY}
    days = quiet(energy, empty, "D", **span, detail=True)
    assert days["status"].tolist() == ["missing"] * 2


def test_one_reading_is_no_energy():
    """A single reading is a period without energy, never zero."""
    assert np.isnan(quiet(energy, register(n=1), "D", tz=NY).iloc[0, 0])
    assert np.isnan(quiet(energy, register(n=1)).iloc[0, 0])


# Figures


def test_detail_has_the_columns_of_the_schema():
    """Names and order are fixed."""
    found = energy(register(), "D", tz=NY, detail=True)
    assert found.columns.tolist() == list(COLUMNS)
    assert isinstance(found.index, pd.RangeIndex)
    assert found["flags"].tolist() == [()]
    assert str(found["open_at"].dt.tz) == NY


def test_bracketing_readings():
    """The readings around each edge, and their times."""
    found = row(register("2024-01-01 04:52"), freq="D", tz=NY, start="2024-01-01")
    assert found["open_at"] == pd.Timestamp("2024-01-01 04:52", tz="UTC")
    assert found["open_reading"] == 1000
    assert pd.isna(found["close_at"])


def test_edges_at_the_last_reading():
    """Each edge moves to the reading before it; parts telescope."""
    frame = register("2024-01-01 04:52", n=200)
    days = energy(
        frame, "D", tz=NY, start="2024-01-01", end="2024-01-03", edges="last_reading", detail=True
    )
    assert days["open_at"].iloc[1] == days["close_at"].iloc[0]
    assert days["open_at"].iloc[0] == pd.Timestamp("2024-01-01 04:52", tz="UTC")
    assert days["energy"].tolist() == [96.0, 96.0]
    assert (days["energy"] == days["close_reading"] - days["open_reading"]).all()
    assert days["flags"].tolist() == [(), ()]


def test_an_edge_far_from_a_reading_is_interpolated():
    """Beyond max_gap an edge stays, and is an estimate."""
    frame = register(n=97).drop(register(n=97).index[40:48])
    at = frame.index[39] + pd.Timedelta(hours=1)
    found = row(frame, start=frame.index[0], end=at, edges="last_reading")
    assert (found["status"], found["flags"]) == ("estimated", ("edge_in_gap", "gap_bridged"))
    assert found["energy"] == pytest.approx(43.0)


def test_a_gap_inside_the_period_costs_only_the_shape():
    """R10: both edges outside the gap."""
    found = row(register().drop(register().index[40:48]), freq="D", tz=NY)
    assert (found["energy"], found["status"], found["flags"]) == (96, "recorded", ("gap_bridged",))
    assert (found["readings"], found["expected"]) == (88, 96)


def test_unclassified_decrease():
    """G07: a fall without max_kw is missing, never zero."""
    found = row(readings([10, 11, 5, 6, 7]))
    assert (found["energy"], found["coverage"]) == (3, 0.75)
    assert found["flags"] == ("decrease_unclassified",)


def test_export_is_split():
    """Imported and exported are those of the increments."""
    rules = RegisterRules(max_kw=10, allow_export=True)
    found = row(readings([10, 9, 9.5]), registers=rules)
    assert (found["energy"], found["imported"], found["exported"]) == (-0.5, 0.5, 1.0)


def test_rules_by_element():
    """Each element has its own rules; a misspelt one is refused."""
    frame = readings([5230.9, 5231.7, 0.4, 1.2]).assign(**{C: [1.0, 2.0, 3.0, 4.0]})
    rules = RegisterRules(max_kw={"A": 50})
    found = quiet(energy, frame, registers=rules, detail=True)
    assert found["flags"].tolist() == [("reset",), ()]
    with pytest.raises(UnknownMeterError):
        energy(frame, registers=RegisterRules(max_kw={"B": 50}))


def test_intervals_by_meter():
    """Expected readings and a mean's reach follow the meter's own interval."""
    hourly = readings([4, 4, 4], freq="60min", label=MEAN)
    assert row(hourly, interval="60min")["energy"] == 12
    assert row(hourly, interval="60min")["status"] == "recorded"
    assert row(hourly)["coverage"] < 1
    assert row(hourly, interval={"P1": "60min"})["energy"] == 12


def test_a_demand_lag_moves_the_means():
    """A stated lag shifts the intervals, nothing else."""
    found = row(readings([4, 8], label=MEAN), demand_lag="5min")
    assert found["start"] == pd.Timestamp("2023-12-31 23:40", tz="UTC")
    assert found["energy"] == 3


# Sources and guards


def test_the_register_goes_before_the_demand():
    """Per element: register, else demand; a register without a value is none."""
    frame = register().assign(**{MEAN: 5.0, "DemandkW/Elm/C": 6.0, C: np.nan})
    found = quiet(energy, frame, "D", tz=NY, detail=True)
    last = found.groupby("element")["source"].last().to_dict()
    assert last == {"A": "register", "C": "demand"}
    only = quiet(energy, frame, "D", tz=NY, source="demand")
    assert only.columns.tolist() == ["Energy/Elm/A", "Energy/Elm/C"]


def test_apparent_energy():
    """kVAHNet is asked for by name and has its own result."""
    frame = register(label="kVAHNet/Elm/A")
    result = energy(frame, "D", tz=NY, topic="kVAHNet")
    assert result.columns.tolist() == ["ApparentEnergy/Elm/A"]
    assert result.attrs["dentcloud"]["units"] == {"ApparentEnergy": "kVAh"}
    with pytest.raises(KindError, match="topic='kVAHNet'"):
        energy(frame, "D", tz=NY)


@pytest.mark.parametrize(
    ("topic", "match"),
    [
        ("A", "stats"),
        ("dPF", "power_factor"),
        ("Energy", "sum"),
        ("Demand", "start of its"),
        ("kW", "stats"),
    ],
)
def test_topics_without_energy(topic, match):
    """Kind before unit: the error names the right verb."""
    with pytest.raises(KindError, match=match):
        energy(register(), topic=topic)


def test_unknown_topics():
    """Absent topics are told from those of unknown kind."""
    with pytest.raises(UnknownTopicError, match="kWHNet"):
        energy(register(), topic="kWHNett")
    with pytest.raises(UnknownTopicError):
        energy(register(), topic="kVAHNet")
    with pytest.raises(KindError, match="whole register"):
        energy(register(label="Foo/Elm/A [kWh]"), topic="Foo")


@pytest.mark.parametrize(
    ("label", "match"),
    [("A/Ch/A1", "Read topics"), ("Energy/Elm/A", "sum"), ("kWHNet/Ch/A1", "channels")],
)
def test_frames_without_energy(label, match):
    """Nothing answers: the error says what the frame has."""
    with pytest.raises(KindError, match=match):
        energy(register(label=label))


def test_a_register_differenced_by_hand():
    """Steps that go up and down belong to no register."""
    noise = np.random.default_rng(1).uniform(0, 3, 97)
    frame = readings(1000 + np.cumsum(noise))
    with pytest.raises(KindError, match="differenced by hand"):
        energy(frame.diff())
    rules = RegisterRules(max_kw=50, allow_export=True)
    assert np.isfinite(energy(frame.diff(), registers=rules, min_coverage=0).iloc[0, 0])


@pytest.mark.parametrize(
    "bad",
    [
        {"edges": "nearest"},
        {"source": "kWh"},
        {"min_coverage": 1.5},
        {"schedule": object()},
        {"site": object()},
        {"topic": "kWHNet", "source": "demand"},
    ],
)
def test_settings_that_cannot_be_used(bad):
    """Every bad setting is named."""
    with pytest.raises(ConfigError, match="Cannot use"):
        energy(register(), **bad)


def test_an_interval_has_a_length():
    """An interval of no length is refused."""
    with pytest.raises(RangeError, match="no length"):
        energy(readings([4, 4], label=MEAN), interval="0min")


# Warnings


def test_one_warning_a_call():
    """It counts the figures, names the worst, and the option that helps."""
    frame = register("2024-01-01 05:02", n=300).assign(**{C: np.nan})
    with pytest.warns(CoverageWarning) as caught:
        energy(frame, "D", tz=NY)
    assert len(caught) == 1
    text = str(caught[0].message)
    assert "6 of 8" in text
    assert "4 missing" in text
    assert "C from 2024-01-01" in text
    assert "bracket=True" in text
    assert caught[0].filename == __file__


def test_min_coverage_withholds_and_silences():
    """Below it figures are NaN, with their bounds; nothing warns."""
    frame = register("2024-01-01 17:00", n=49)
    assert np.isnan(energy(frame, "D", tz=NY, min_coverage=0.9).iloc[0, 0])
    assert energy(frame, "D", tz=NY, min_coverage=0.5).iloc[0, 0] == 48
    found = energy(frame, "D", tz=NY, min_coverage=0.9, detail=True).iloc[0]
    assert np.isnan([found[k] for k in ("lo", "hi", "imported", "exported")]).all()
    assert found["coverage"] == 0.5


# Several meters


@pytest.fixture
def two():
    """P1 with A and C, P2 with A alone."""
    first = register().assign(**{C: register(kw=8)[A]})
    return pd.concat({"P2": register(kw=2), "P1": first}, names=["meter", "time"])


def test_several_meters(two):
    """Rows by meter and period; what a meter lacks is NaN and no warning."""
    wide = energy(two, "D", tz=NY)
    assert wide.index.names == ["meter", "time"]
    assert wide.index.get_level_values(0).tolist() == ["P1", "P2"]
    np.testing.assert_array_equal(wide, [[96, 192], [48, np.nan]])
    rows = energy(two, "D", tz=NY, detail=True)
    assert rows.columns.tolist() == ["meter", *COLUMNS]
    assert rows["meter"].tolist() == ["P1", "P1", "P2"]


def test_rows_of_meters_in_any_order(two):
    """Shuffled and interleaved rows of meters change nothing."""
    mixed = two.sample(frac=1, random_state=5)
    pd.testing.assert_frame_equal(energy(mixed, "D", tz=NY), energy(two, "D", tz=NY))
    swapped = two.swaplevel().sort_index()
    pd.testing.assert_frame_equal(energy(swapped, "D", tz=NY), energy(two, "D", tz=NY))


def test_an_element_read_by_name_is_missing(two):
    """Named in what was read, an element without a value is missing, not absent."""
    span = ["2024-01-01T05:00:00+00:00", "2024-01-02T05:00:00+00:00"]
    two.attrs["dentcloud"] = {"schema": 1, "units": {}, "ranges": {"P1": span, "P2_C": span}}
    rows = quiet(energy, two, "D", tz=NY, detail=True)
    assert rows["status"].tolist() == ["recorded"] * 3 + ["missing"]


def test_one_meter_with_an_index_of_meters(two):
    """One meter keeps the index (meter, time), and its letters are addresses."""
    one = two.loc[["P1"]]
    assert energy(one, "D", tz=NY, registers=RegisterRules(max_kw={"A": 9})).shape == (1, 2)


# Intervals between readings


def test_intervals_are_labelled_by_their_start():
    """Each interval ends where the next begins, and they add up."""
    frame = readings([10, 11, np.nan, 14, 15])
    parts = intervals(frame, tz=NY)
    assert parts.iloc[:, 0].tolist() == [1, 3, 1]
    assert parts.index[0] == frame.index[0]
    assert str(parts.index.tz) == NY


def test_intervals_of_means_show_their_gaps():
    """A gap between means is an interval without energy."""
    frame = readings([4, 4, 4, 4, 4], label=MEAN).drop(
        readings([4, 4, 4, 4, 4], label=MEAN).index[2]
    )
    parts = quiet(intervals, frame)
    assert parts.iloc[:, 0].tolist() == pytest.approx([1, 1, np.nan, 1, 1], nan_ok=True)


def test_intervals_are_cut_by_bounds_only():
    """start= and end= cut; the range that was read does not."""
    frame = readings([10, 11, 12, 13])
    cut = intervals(frame, start="2024-01-01 00:05", end="2024-01-01 00:40", tz="UTC")
    assert cut.iloc[:, 0].tolist() == pytest.approx([2 / 3, 1, 2 / 3])
    spans = {"P1": ["2024-01-01T00:20:00+00:00", "2024-01-01T00:40:00+00:00"]}
    frame.attrs["dentcloud"] = {"schema": 1, "units": {}, "ranges": spans}
    assert intervals(frame).iloc[:, 0].tolist() == [1, 1]


def test_intervals_of_several_meters(two):
    """Each meter has the intervals of its own readings."""
    late = two.drop(two.index[5])
    parts = intervals(late, tz=NY)
    assert parts.groupby(level="meter").sum().iloc[:, 0].tolist() == [96, 48]
    assert parts.groupby(level="meter").size().tolist() == [96, 95]


# Representation


def test_pint_in_pint_out():
    """Results come in the representation of the readings."""
    pytest.importorskip("pint_pandas")
    frame = register().astype("pint[kWh][Float64]")
    result = energy(frame, "D", tz=NY)
    assert str(result.dtypes.iloc[0].units) == "kilowatt_hour"
    assert result.iloc[0, 0].magnitude == 96
    rows = energy(frame, "D", tz=NY, detail=True)
    assert str(rows.dtypes["lo"].units) == "kilowatt_hour"
    assert rows["coverage"].dtype == "float64"


def test_the_frame_is_left_alone():
    """A verb changes nothing in its input."""
    frame = register()
    before = frame.copy()
    energy(frame, "D", tz=NY, detail=True)
    pd.testing.assert_frame_equal(frame, before)


def quarter_frame(values, **columns):
    """A frame of quarter-hourly readings."""
    time = pd.date_range("2024-01-01", periods=len(values), freq="15min", tz="UTC")
    return pd.DataFrame({"kWHNet/Elm/A": values, **columns}, index=time)


def test_a_whole_register_is_never_billed_in_silence():
    """A blip that the rules must accept without max_kw is warned of, and gone with it."""
    frame = quarter_frame([0.0] + [48210.0] * 20)
    with pytest.warns(ReadingWarning, match="max_kw"):
        assert energy(frame, tz="UTC").iloc[0, 0] == 48210.0
    with pytest.warns(CoverageWarning):
        known = energy(frame, tz="UTC", registers=RegisterRules(max_kw=50), detail=True)
    assert known.loc[0, "energy"] == 0
    assert known.loc[0, "status"] == "partial"


@pytest.mark.parametrize("unit", ["kVA", "kvar"])
def test_apparent_power_is_no_demand(unit):
    """kVA in a DemandkW column is refused, as kW + kVA is."""
    frame = quarter_frame([1.0] * 4).rename(columns={"kWHNet/Elm/A": f"DemandkW/Elm/A [{unit}]"})
    with pytest.raises(UnitError, match=unit):
        energy(frame, tz="UTC")


@pytest.mark.parametrize(
    "values", [["4_82_10"] * 4, [True] * 4, list(pd.to_timedelta([1, 2, 3, 4], unit="s"))]
)
def test_what_is_no_number_is_no_reading(values):
    """Text, truth values and spans of time are refused, not converted."""
    with pytest.raises(DecodeError, match="numbers"):
        energy(quarter_frame(values), tz="UTC")


def test_an_element_of_conflicts_is_missing_among_several_meters():
    """Readings that all conflict are missing, not absent."""
    time = pd.date_range("2024-01-01", periods=8, freq="15min", tz="UTC")
    one = pd.DataFrame({"kWHNet/Elm/A": np.arange(8.0), "kWHNet/Elm/B": np.arange(8.0)}, index=time)
    other = one[["kWHNet/Elm/A"]]
    frame = pd.concat(
        [pd.concat([one, one + 7]), other], keys=["P1", "P2"], names=["meter", "time"]
    )
    with pytest.warns(CoverageWarning):
        rows = energy(frame, tz="UTC", detail=True)
    lost = rows[(rows["meter"] == "P1") & (rows["element"] == "B")]
    assert lost["status"].tolist() == ["missing"]
    assert lost["flags"].tolist() == [("conflicting_duplicate",)]


def test_an_idle_register_that_flickers_stops_nobody():
    """Last-digit jitter on one element leaves the others their figures."""
    rng = np.random.default_rng(1)
    flicker = 215.6 + 0.1 * rng.integers(0, 2, 200)
    frame = quarter_frame(np.arange(200.0), **{"kWHNet/Elm/B": flicker})
    with pytest.warns(CoverageWarning):
        found = energy(frame, tz="UTC")
    assert found["Energy/Elm/A"].tolist() == [199.0]


def test_listed_periods_after_the_data_stay():
    """With a list of edges, only a given bound cuts; what has no reading is missing."""
    edges = ["2024-01-01", "2024-01-02", "2024-01-03"]
    with pytest.warns(CoverageWarning):
        found = energy(
            quarter_frame(np.arange(50.0)), edges, tz="UTC", start="2024-01-01 06:00", detail=True
        )
    assert found["status"].tolist() == ["partial", "missing"]


def test_an_empty_frame_of_several_meters_is_an_empty_result():
    """No meter, no rows, no error that speaks of lengths."""
    index = pd.MultiIndex.from_arrays([[], pd.DatetimeIndex([], tz="UTC")], names=["meter", "time"])
    frame = pd.DataFrame({"kWHNet/Elm/A": np.empty(0)}, index=index)
    assert energy(frame, "D", tz="UTC", start="2024-01-01", end="2024-01-03").empty
