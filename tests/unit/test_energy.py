"""Energy of periods: figures, warnings, representation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dentframe import RegisterRules
from dentframe.errors import CoverageWarning, UnknownMeterError
from dentframe.verbs.energy import energy
from dentframe.verbs.result_frames_and_warnings import COLUMNS
from tests.energy_kit import MEAN, NY, C, quiet, readings, register, row


def test_detail_has_the_columns_of_the_schema():
    """Names and order are fixed."""
    found = register().dent.energy("D", tz=NY, detail=True)
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
    days = frame.dent.energy(
        "D", tz=NY, start="2024-01-01", end="2024-01-03", edges="last_reading", detail=True
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
        frame.dent.energy(registers=RegisterRules(max_kw={"B": 50}))


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


def test_one_warning_a_call():
    """It counts the figures, names the worst, and the option that helps."""
    frame = register("2024-01-01 05:02", n=300).assign(**{C: np.nan})
    with pytest.warns(CoverageWarning) as caught:
        frame.dent.energy("D", tz=NY)
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
    assert np.isnan(frame.dent.energy("D", tz=NY, min_coverage=0.9).iloc[0, 0])
    assert frame.dent.energy("D", tz=NY, min_coverage=0.5).iloc[0, 0] == 48
    found = frame.dent.energy("D", tz=NY, min_coverage=0.9, detail=True).iloc[0]
    assert np.isnan([found[k] for k in ("lo", "hi", "imported", "exported")]).all()
    assert found["coverage"] == 0.5


def test_pint_in_pint_out():
    """Results come in the representation of the readings."""
    pytest.importorskip("pint_pandas")
    frame = register().astype("pint[kWh][Float64]")
    result = frame.dent.energy("D", tz=NY)
    assert str(result.dtypes.iloc[0].units) == "kilowatt_hour"
    assert result.iloc[0, 0].magnitude == 96
    rows = frame.dent.energy("D", tz=NY, detail=True)
    assert str(rows.dtypes["lo"].units) == "kilowatt_hour"
    assert rows["coverage"].dtype == "float64"


def test_the_frame_is_left_alone():
    """A verb changes nothing in its input."""
    frame = register()
    before = frame.copy()
    frame.dent.energy("D", tz=NY, detail=True)
    pd.testing.assert_frame_equal(frame, before)
