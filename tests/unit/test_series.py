"""A frame as clean series: order, duplicates, blanks, units, meters."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dentframe.errors import ConfigError, DecodeError, RangeError, UnitError
from dentframe.metering import series
from dentframe.metering.series import names
from tests.attrs_kit import told

A = "kWHNet/Elm/A"


def index(*minutes):
    return pd.DatetimeIndex(
        [pd.Timestamp("2024-01-01", tz="UTC") + pd.Timedelta(minutes=m) for m in minutes]
    )


def read(frame, topic="kWHNet"):
    return series.read(series.rows(frame), frame, series.element_columns(frame, [topic]))


def one(values, minutes, label=A):
    found = read(pd.DataFrame({label: values}, index=index(*minutes)))
    assert len(found) == 1
    return found[0]


def marks(s):
    start = pd.Timestamp("2024-01-01", tz="UTC").value // 1000
    return {
        int(t - start) // 60_000_000: names(int(b)) for t, b in zip(s.mark_t, s.marks, strict=True)
    }


def test_rows_are_sorted():
    """Rows in any order are one series in time order."""
    assert one([3.0, 1.0, 2.0], (30, 0, 15)).values.tolist() == [1, 2, 3]


def test_equal_duplicates_are_one():
    """An overlapping request changes nothing but a mark."""
    s = one([1.0, 2.0, 2.0], (0, 15, 15))
    assert s.values.tolist() == [1, 2]
    assert marks(s) == {15: ("duplicate_dropped",)}


def test_conflicting_duplicates_are_missing():
    """Two values at one instant: neither is believed."""
    s = one([1.0, 2.0, 2.5, 3.0], (0, 15, 15, 30))
    assert s.values.tolist() == [1, 3]
    assert marks(s) == {15: ("conflicting_duplicate",)}


def test_a_blank_twin_says_nothing():
    """Two reads of different topics, put together, are no duplicates."""
    s = one([1.0, np.nan, np.nan, 2.0], (0, 0, 15, 15))
    assert s.values.tolist() == [1, 2]
    assert marks(s) == {}


@pytest.mark.parametrize("blank", [np.nan, np.inf, -np.inf])
def test_blanks_are_taken_out(blank):
    """What is no finite number is missing, and remembered."""
    s = one([1.0, blank, 3.0], (0, 15, 30))
    assert s.values.tolist() == [1, 3]
    assert marks(s) == {15: ("missing_value",)}


def test_the_unit_in_a_label_is_converted():
    """A register in MWh counts as kWh."""
    assert one([1.0, 1.5], (0, 15), f"{A} [MWh]").values.tolist() == [1000, 1500]


def test_nullable_and_decimal_columns():
    """Nullable floats and objects of numbers are read as floats."""
    assert one(pd.array([1.0, None, 2.0], "Float64"), (0, 15, 30)).values.tolist() == [1, 2]
    assert one(np.array([1, 2.5], dtype=object), (0, 15)).values.tolist() == [1, 2.5]


def test_pint_columns():
    """A pint column is read in its own unit."""
    pytest.importorskip("pint_pandas")
    values = pd.Series([1.0, None, 1.5]).astype("pint[MWh][Float64]").array
    assert one(values, (0, 15, 30)).values.tolist() == [1000, 1500]


def test_text_is_refused():
    """Text is no reading."""
    with pytest.raises(DecodeError, match="numbers"):
        one(["1.0", "N/A"], (0, 15))


def test_the_wrong_dimension_is_refused():
    """A register is no power."""
    with pytest.raises(UnitError, match="kWh"):
        one([1.0, 2.0], (0, 15), f"{A} [kW]")


def test_two_columns_of_one_quantity_are_refused():
    """Nothing tells which of two is meant."""
    frame = pd.DataFrame({A: [1.0], f"{A} [MWh]": [2.0]}, index=index(0))
    with pytest.raises(ConfigError, match="more than one"):
        read(frame)


def test_meters_come_by_name():
    """Rows of several meters are split by meter, whatever their order."""
    part = pd.DataFrame({A: [1.0, 2.0]}, index=index(0, 15))
    frame = pd.concat({"P2": part, "P1": part + 1}, names=["meter", "time"])
    shuffled = frame.iloc[[3, 0, 2, 1]]
    found = read(shuffled)
    assert [s.name for s in found] == ["P1_A", "P2_A"]
    assert [s.values.tolist() for s in found] == [[2, 3], [1, 2]]


def test_the_attrs_name_the_meter():
    """A frame of one meter knows its name while it has its attrs."""
    frame = pd.DataFrame({A: [1.0]}, index=index(0))
    told(frame, {"P1": ["2024-01-01", "2024-01-02"]})
    assert read(frame)[0].name == "P1_A"


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_any_resolution(unit):
    """Instants are the same whatever the index counts in."""
    frame = pd.DataFrame({A: [1.0, 2.0]}, index=index(0, 15).as_unit(unit))
    assert np.diff(read(frame)[0].t).tolist() == [15 * 60_000_000]


def test_indexes_without_times_are_refused():
    """A frame needs instants, and every row one."""
    with pytest.raises(RangeError, match="DatetimeIndex"):
        series.time_index(pd.DataFrame({A: [1.0]}))
    holey = pd.DataFrame({A: [1.0, 2.0]}, index=index(0).append(pd.DatetimeIndex([pd.NaT])))
    with pytest.raises(RangeError, match="no time"):
        series.time_index(holey.tz_localize(None) if holey.index.tz is None else holey)
    three = pd.MultiIndex.from_product([["P1"], index(0), [1]])
    with pytest.raises(RangeError, match="two levels"):
        series.time_index(pd.DataFrame({A: [1.0]}, index=three))
