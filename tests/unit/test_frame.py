"""Pages to one frame: join, order, dedupe, clip."""

from __future__ import annotations

import numpy as np
import pandas as pd

from dentframe.frame import assemble as frame
from dentframe.wire.pages_and_bad_cells import Page, Report

NAN = float("nan")


def page(columns, rows):
    """A page from (minute, values…) rows."""
    minutes = np.array([r[0] for r in rows], dtype=np.int64)
    values = np.array([r[1:] for r in rows], dtype=float).reshape(len(rows), len(columns))
    return Page(None, tuple(columns), minutes, np.asfortranarray(values), Report(rows=len(rows)))


def at(minute):
    return pd.Timestamp(minute * 60, unit="s", tz="UTC")


def test_pages_join_in_time_order_with_columns_by_name():
    """A column that stands elsewhere in another page still lands in its own place."""
    a = page(["x/Elm/A", "y/Elm/A"], [(30, 3, 30)])
    b = page(["y/Elm/A", "x/Elm/A"], [(0, 10, 1), (15, 20, 2)])
    table = frame.join([a, b], ["x/Elm/A", "y/Elm/A"])
    assert table.minutes.tolist() == [0, 15, 30]
    assert table.values.tolist() == [[1, 10], [2, 20], [3, 30]]


def test_a_column_one_page_lacks_is_missing_there():
    """An element that appears later is NaN before, not zero."""
    table = frame.join(
        [page(["a/Elm/A"], [(0, 1)]), page(["a/Elm/A", "a/Elm/B"], [(15, 2, 5)])],
        ["a/Elm/A", "a/Elm/B"],
    )
    assert np.isnan(table.values[0, 1])
    assert table.values[1].tolist() == [2, 5]


def test_unsorted_rows_are_sorted():
    """Row order on the wire does not matter."""
    table = frame.join([page(["a/Elm/A"], [(15, 2), (0, 1)])], ["a/Elm/A"])
    assert table.minutes.tolist() == [0, 15]
    assert table.values[:, 0].tolist() == [1, 2]


def test_identical_duplicates_count_once_and_fill_each_other():
    """Two rows of one minute are one; a cell one of them lacks is the other's."""
    table = frame.join(
        [page(["a/Elm/A", "a/Elm/B"], [(0, 1, NAN), (0, 1, 7)])], ["a/Elm/A", "a/Elm/B"]
    )
    assert table.values.tolist() == [[1, 7]]
    assert not table.conflicts
    assert table.duplicates == {"a/Elm/A": [0]}


def test_conflicting_duplicates_are_missing_and_counted():
    """Two different values for one minute are neither: the cell is NaN."""
    table = frame.join(
        [page(["a/Elm/A", "a/Elm/B"], [(0, 1, 5), (0, 2, 5), (15, 3, 5)])], ["a/Elm/A", "a/Elm/B"]
    )
    assert np.isnan(table.values[0, 0])
    assert table.values[0, 1] == 5
    assert table.values[1].tolist() == [3, 5]
    assert table.conflicts == {"a/Elm/A": [0]}


def test_no_pages_make_an_empty_table():
    """Nothing read is a frame without rows, with the UTC index and the columns known."""
    made = frame.to_frame(frame.join([], ["a/Elm/A"]))
    assert made.shape == (0, 1)
    assert str(made.index.dtype) == "datetime64[us, UTC]"
    assert made.index.name == "time"
    assert made.dtypes.tolist() == [np.dtype("float64")]


def test_clip_is_half_open():
    """The reading at the start is in, the one at the end is not."""
    table = frame.join([page(["a/Elm/A"], [(0, 0), (15, 1), (30, 2)])], ["a/Elm/A"])
    assert frame.clip(table, at(0), at(30)).minutes.tolist() == [0, 15]


def test_clip_works_for_bounds_inside_a_minute():
    """A bound with seconds keeps exactly the minutes inside it."""
    table = frame.join([page(["a/Elm/A"], [(0, 0), (15, 1), (30, 2)])], ["a/Elm/A"])
    half = pd.Timedelta(seconds=30)
    assert frame.clip(table, at(0) + half, at(30) + half).minutes.tolist() == [15, 30]


def test_bracketing_rows_are_the_nearest_ones():
    """With bracket there is one row more on each side, where there is one."""
    rows = [(m, m) for m in range(1440, 1600, 15)]
    table = frame.join([page(["a/Elm/A"], rows)], ["a/Elm/A"])
    clipped = frame.clip(table, at(1480), at(1520), bracket=True)
    assert clipped.minutes.tolist() == [1470, 1485, 1500, 1515, 1530]


def test_a_bracket_is_never_further_than_the_neighbouring_hours_day():
    """A reading of the day before yesterday is at hand but is no bracket."""
    table = frame.join([page(["a/Elm/A"], [(0, 0), (3000, 1)])], ["a/Elm/A"])
    clipped = frame.clip(table, at(2900), at(3100), bracket=True)
    assert clipped.minutes.tolist() == [3000]
    assert not frame.before(table, at(1440 * 2))


def test_a_bracket_at_midnight_lies_in_the_day_before():
    """For a range that begins at midnight the last reading of the day before counts."""
    table = frame.join([page(["a/Elm/A"], [(1435, 0), (1450, 1)])], ["a/Elm/A"])
    assert frame.before(table, at(1440))
    assert frame.after(table, at(1440))


def test_stacked_frames_keep_the_order_of_meters_and_all_columns():
    """Several meters stand under meter, time; a column one lacks is NaN there."""
    one = frame.join([page(["a/Elm/A"], [(15, 1)])], ["a/Elm/A"])
    two = frame.join([page(["a/Elm/B"], [(0, 2), (15, 3)])], ["a/Elm/B"])
    both = frame.stack({"P2": two, "P1": one}, ["a"])
    assert both.index.names == ["meter", "time"]
    assert both.index.get_level_values("meter").tolist() == ["P2", "P2", "P1"]
    assert both.columns.tolist() == ["a/Elm/A", "a/Elm/B"]
    pd.testing.assert_frame_equal(both.loc["P1"].dropna(axis=1), frame.to_frame(one))
    assert str(both.index.levels[1].dtype) == "datetime64[us, UTC]"


def test_columns_come_in_the_order_topic_asked_scope_element_channel():
    """The order does not depend on what the service sent."""
    made = page(["A/Ch/B1", "A/Ch/A10", "A/Ch/A2", "kWHNet/Elm/A", "A/Elm/A"], [])
    wanted = frame.wanted_columns([made], ["kWHNet", "A"])
    assert wanted == ["kWHNet/Elm/A", "A/Ch/A2", "A/Ch/A10", "A/Ch/B1", "A/Elm/A"]


def test_columns_not_asked_for_are_dropped_unless_everything_was_asked():
    """A topic that was not asked for is dropped; with all topics `Foo` stays."""
    made = page(["Foo", "kWHNet/Elm/A"], [])
    assert frame.wanted_columns([made], ["kWHNet"]) == ["kWHNet/Elm/A"]
    assert frame.wanted_columns([made], ["kWHNet"], everything=True) == ["kWHNet/Elm/A", "Foo"]


def test_a_bracket_that_lacks_a_cell_brings_the_row_that_has_it():
    """Each column has its own edge, from the rows of the neighbouring hour."""
    rows = [(1385, 1, 1), (1400, 2, 2), (1415, 3, 3), (1430, 4, NAN), (1445, 5, 5)]
    rows += [(1500, NAN, 6), (1515, 7, 7), (1530, 8, 8)]
    table = frame.join([page(["a/Elm/A", "a/Elm/B"], rows)], ["a/Elm/A", "a/Elm/B"])
    clipped = frame.clip(table, at(1440), at(1490), bracket=True)
    assert clipped.minutes.tolist() == [1415, 1430, 1445, 1500]
    clipped = frame.clip(table, at(1440), at(1500), bracket=True)
    assert clipped.minutes.tolist() == [1415, 1430, 1445, 1500, 1515]
