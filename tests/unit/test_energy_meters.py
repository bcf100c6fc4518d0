"""Energy of several meters, and of the intervals between readings."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dentframe import RegisterRules
from dentframe.errors import RangeError
from dentframe.verbs.energy import energy, intervals
from dentframe.verbs.result_frames_and_warnings import COLUMNS
from tests.attrs_kit import told
from tests.energy_kit import MEAN, NY, A, C, quiet, readings, register


@pytest.fixture
def two():
    """P1 with A and C, P2 with A alone."""
    first = register().assign(**{C: register(kw=8)[A]})
    return pd.concat({"P2": register(kw=2), "P1": first}, names=["meter", "time"])


def test_several_meters(two):
    """Rows by meter and period; what a meter lacks is NaN and no warning."""
    wide = two.dent.energy("D", tz=NY)
    assert wide.index.names == ["meter", "time"]
    assert wide.index.get_level_values(0).tolist() == ["P1", "P2"]
    np.testing.assert_array_equal(wide, [[96, 192], [48, np.nan]])
    rows = two.dent.energy("D", tz=NY, detail=True)
    assert rows.columns.tolist() == ["meter", *COLUMNS]
    assert rows["meter"].tolist() == ["P1", "P1", "P2"]


def test_rows_of_meters_in_any_order(two):
    """Shuffled and interleaved rows of meters change nothing."""
    mixed = two.sample(frac=1, random_state=5)
    pd.testing.assert_frame_equal(mixed.dent.energy("D", tz=NY), two.dent.energy("D", tz=NY))
    swapped = two.swaplevel().sort_index()
    pd.testing.assert_frame_equal(swapped.dent.energy("D", tz=NY), two.dent.energy("D", tz=NY))


def test_an_element_read_by_name_is_missing(two):
    """Named in what was read, an element without a value is missing, not absent."""
    span = ["2024-01-01T05:00:00+00:00", "2024-01-02T05:00:00+00:00"]
    told(two, {"P1": span, "P2": span}, elements={"P2": ["B", "C"]})
    rows = quiet(energy, two, "D", tz=NY, detail=True)
    assert rows["status"].tolist() == ["recorded"] * 3 + ["missing"]


def test_one_meter_with_an_index_of_meters(two):
    """One meter keeps the index (meter, time), and its letters are addresses."""
    one = two.loc[["P1"]]
    assert one.dent.energy("D", tz=NY, registers=RegisterRules(max_kw={"A": 9})).shape == (1, 2)


def test_intervals_are_labelled_by_their_start():
    """Each interval ends where the next begins, and they add up."""
    frame = readings([10, 11, np.nan, 14, 15])
    parts = frame.dent.intervals(tz=NY)
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
    cut = frame.dent.intervals(start="2024-01-01 00:05", end="2024-01-01 00:40", tz="UTC")
    assert cut.iloc[:, 0].tolist() == pytest.approx([2 / 3, 1, 2 / 3])
    spans = {"P1": ["2024-01-01T00:20:00+00:00", "2024-01-01T00:40:00+00:00"]}
    told(frame, spans)
    assert frame.dent.intervals().iloc[:, 0].tolist() == [1, 1]


@pytest.mark.parametrize("bounds", [("2024-01-02", "2024-01-01"), ("2024-01-02", None)])
def test_intervals_of_no_span_are_refused(bounds):
    """A start that is not before the end, or not before the last reading, is a mistake."""
    start, end = bounds
    with pytest.raises(RangeError, match="start is not before end"):
        readings([10, 11, 12]).dent.intervals(start=start, end=end, tz="UTC")


def test_intervals_of_several_meters(two):
    """Each meter has the intervals of its own readings."""
    late = two.drop(two.index[5])
    parts = late.dent.intervals(tz=NY)
    assert parts.groupby(level="meter").sum().iloc[:, 0].tolist() == [96, 48]
    assert parts.groupby(level="meter").size().tolist() == [96, 95]


def test_an_element_of_conflicts_is_missing_among_several_meters():
    """Readings that all conflict are missing, not absent."""
    time = pd.date_range("2024-01-01", periods=8, freq="15min", tz="UTC")
    one = pd.DataFrame({"kWHNet/Elm/A": np.arange(8.0), "kWHNet/Elm/B": np.arange(8.0)}, index=time)
    other = one[["kWHNet/Elm/A"]]
    frame = pd.concat(
        [pd.concat([one, one + 7]), other], keys=["P1", "P2"], names=["meter", "time"]
    )
    rows = frame.dent.energy(tz="UTC", detail=True)
    lost = rows[(rows["meter"] == "P1") & (rows["element"] == "B")]
    assert lost["status"].tolist() == ["missing"]
    assert lost["flags"].tolist() == [("conflicting_duplicate",)]


def test_an_empty_frame_of_several_meters_is_an_empty_result():
    """No meter, no rows, no error that speaks of lengths."""
    index = pd.MultiIndex.from_arrays([[], pd.DatetimeIndex([], tz="UTC")], names=["meter", "time"])
    frame = pd.DataFrame({"kWHNet/Elm/A": np.empty(0)}, index=index)
    assert frame.dent.energy("D", tz="UTC", start="2024-01-01", end="2024-01-03").empty
