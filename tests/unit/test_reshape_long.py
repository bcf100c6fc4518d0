"""The long shape with its way back."""

from __future__ import annotations

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from dentframe.errors import RangeError
from dentframe.frame import reshape
from tests.reshape_kit import several, single


def test_long_has_a_row_per_reading_and_column():
    """NaN rows are kept; all but time and value are categorical."""
    frame = single()
    long = frame.dent.to_long()
    assert list(long.columns) == ["time", "topic", "element", "channel", "value", "unit"]
    assert len(long) == frame.size
    assert long["value"].isna().sum() == 1
    assert long["time"].dtype == frame.index.dtype
    for name in ("topic", "element", "channel", "unit"):
        assert isinstance(long[name].dtype, pd.CategoricalDtype)
    first = long.iloc[0]
    assert (first.topic, first.element, first.unit) == ("DemandkW", "A", "kW")
    assert pd.isna(first.channel)


def test_long_of_several_meters_names_the_meter():
    """As a categorical, before the time."""
    long = several().dent.to_long()
    assert list(long.columns)[:2] == ["meter", "time"]
    assert isinstance(long["meter"].dtype, pd.CategoricalDtype)


@pytest.mark.parametrize(
    "frame",
    [
        single(),
        single(tz="America/Los_Angeles"),
        several(),
        single(
            ["DemandkW/Elm/A [W]", "V/Ph/L1-L2", "Foo/Elm/A", "What/Elm/A", "A/Ch/X", "A/Elm/P1"]
        ),
        single(["kWHNet/Elm/A"]).astype("int64", errors="ignore"),
        single(["kWHNet/Elm/A"]).astype("float32"),
        single().iloc[::-1],
    ],
    ids=["utc", "zone", "meters", "odd names", "one", "float32", "unsorted"],
)
def test_long_and_back_is_the_identical_frame(frame):
    """Dtypes, index unit and zone, column order and attrs included."""
    back = reshape.from_long(frame.dent.to_long())
    assert_frame_equal(back, frame, check_exact=True)
    assert back.attrs == frame.attrs
    assert back.index.dtype == frame.index.dtype


def test_long_rows_may_come_shuffled_and_with_gaps():
    """What is missing is NaN, and the index is sorted again."""
    frame = several()
    long = frame.dent.to_long().dropna(subset="value").sample(frac=1, random_state=1)
    back = reshape.from_long(long)
    assert_frame_equal(back[frame.columns], frame, check_exact=True)


def test_long_as_plain_text_goes_back_too():
    """Categoricals do not survive a file; the way back does not need them."""
    frame = several()
    long = frame.dent.to_long()
    for name in ("meter", "topic", "element", "channel", "unit"):
        long[name] = long[name].astype(object)
    assert_frame_equal(reshape.from_long(long), frame, check_exact=True)


@pytest.mark.parametrize("name", ["time", "topic"])
def test_long_rows_may_be_indexed_by_a_column(name):
    """As `set_index(..., drop=False)` makes them: the columns are what counts."""
    long = several().dent.to_long()
    assert_frame_equal(reshape.from_long(long.set_index(name, drop=False)), several())


def test_two_values_for_one_cell_are_refused():
    """Neither is better than the other."""
    long = single().dent.to_long()
    with pytest.raises(RangeError, match="two values for one time"):
        reshape.from_long(pd.concat([long, long.iloc[:1]]))


def test_long_of_no_rows_is_empty():
    """With all its columns."""
    long = single(rows=0).dent.to_long()
    assert len(long) == 0
    assert "unit" in long.columns
    assert len(reshape.from_long(long)) == 0


def test_long_of_very_many_columns_keeps_their_names():
    """More categories than a byte holds."""
    frame = single([f"A/Ch/A{i}" for i in range(200)])
    assert_frame_equal(reshape.from_long(frame.dent.to_long()), frame)
