"""Decoding rows: their keys, their order, their times."""

import math

import numpy as np
import pytest

from dentframe.cloud import Window
from dentframe.wire.pages_and_bad_cells import Report
from tests.wire_kit import BOTH, answer, is_clean, row


@BOTH
def test_a_missing_key_shifts_nothing(read):
    """A row without a key has NaN there, and its other cells stay in their columns."""
    page = read(answer(row(B="2"), row(A="1", B="2", time="02:17")))
    np.testing.assert_array_equal(page.values, [[math.nan, 2], [1, 2]])
    assert page.report == Report(rows=2, absent={"A": 1})


@BOTH
def test_keys_in_any_order(read):
    """The order of keys in a row, and of date and time in the headers, means nothing."""
    body = (
        b'{"headers":["B","time","A","date"],"topics":'
        b'[{"A":"1","time":"02:02","B":"2","date":"2023-12-12"}]}'
    )
    page = read(body)
    assert page.columns == ("B", "A")
    assert page.values.tolist() == [[2.0, 1.0]]
    assert is_clean(page.report)


@BOTH
def test_a_key_that_the_headers_lack_is_kept(read):
    """An unexpected key becomes a column after the headers', NaN where rows lack it."""
    page = read(answer(row(A="1", B="2"), row(A="1", B="2", X="9", time="02:17")))
    assert page.columns == ("A", "B", "X")
    np.testing.assert_array_equal(page.values, [[1, 2, math.nan], [1, 2, 9]])
    assert page.report == Report(rows=2, unexpected={"X": 1})


@BOTH
def test_the_last_of_duplicate_keys_counts(read):
    """A key twice in a row, or a name twice in the headers, gives one cell."""
    body = (
        b'{"headers":["A","date","time","A"],"topics":'
        b'[{"date":"2023-12-12","time":"02:02","A":"oops","A":"2"}]}'
    )
    page = read(body)
    assert page.columns == ("A",)
    assert page.values.tolist() == [[2.0]]
    assert is_clean(page.report)


@BOTH
def test_rows_keep_the_order_of_the_wire(read):
    """Unsorted and duplicate rows are kept as they came, and reported."""
    page = read(
        answer(
            *(row(A=a, B="0", time=t) for a, t in [("1", "02:17"), ("2", "02:02"), ("3", "02:02")])
        )
    )
    assert page.values[:, 0].tolist() == [1, 2, 3]
    assert (page.report.unsorted, page.report.duplicates) == (True, 1)


@BOTH
def test_rows_outside_the_window_are_dropped_and_counted(read):
    """A window is half-open, and nothing of a dropped row is counted elsewhere."""
    inside = [row(A="1", B="2", day=day) for day in ("2023-12-01", "2023-12-31")]
    outside = [row(A="x", X="1", day=day) for day in ("2023-11-30", "2024-01-01")]
    page = read(answer(outside[0], *inside, outside[1]), Window(2023, 12))
    assert len(page.minutes) == 2
    assert page.columns == ("A", "B")
    assert page.report == Report(rows=2, outside=2)


@BOTH
@pytest.mark.parametrize(
    ("day", "time"),
    [
        ("2023-02-30", "02:02"),
        ("2023-12-12", "25:61"),
        ("2023-12-12", "24:00"),
        ("2023-12-12", "02:02:60"),
        ("", "02:02"),
        ("12/12/2023", "02:02"),
        ("2023-12-12T00:00", "02:02"),
        ("\u0662\u0660\u0662\u0663-12-12", "02:02"),
        ("0000-01-01", "02:02"),
        (None, "02:02"),
        (20231212, "02:02"),
        ("2023-12-12", 2),
    ],
)
def test_rows_without_a_usable_time_are_dropped_and_counted(read, day, time):
    """A date or time that does not exist drops its row, with a sample in the report."""
    page = read(answer(row(A="1", B="2"), row(A="5", B="6", day=day, time=time)))
    assert page.values.tolist() == [[1.0, 2.0]]
    assert page.report.bad_dates == 1
    assert len(page.report.bad_date_samples) == 1


@BOTH
def test_a_row_without_date(read):
    """A row that lacks the date key is a row with a bad date."""
    body = answer({"time": "02:02", "A": "1", "B": "2"})
    assert read(body).report == Report(bad_dates=1, bad_date_samples=(" 02:02",))


@BOTH
@pytest.mark.parametrize(
    ("day", "time", "minute"),
    [
        ("1970-1-2", "3:4", 1440 + 184),
        (" 1970-01-02 ", " 03:04:59 ", 1440 + 184),
        ("1970-01-02", "03:04:59.999", 1440 + 184),
        ("1969-12-31", "23:59", -1),
    ],
)
def test_forms_of_date_and_time(read, day, time, minute):
    """One or two digits are read, and seconds are dropped to the minute."""
    page = read(answer(row(A="1", B="2", day=day, time=time)))
    assert page.minutes.tolist() == [minute]
