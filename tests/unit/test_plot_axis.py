"""The axis of local time: where its ticks are and what they say."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from dentframe.plot.axes_colours_and_labels import (
    STEPS,
    amount,
    at,
    local_time,
    moment,
    step_of,
    texts,
    ticks,
    us_of,
)  # fmt: skip
from dentframe.times.dates_and_ranges import zone

LA = zone("America/Los_Angeles")


def us(text, tz="America/Los_Angeles"):
    return int(pd.Timestamp(text, tz=tz).timestamp() * 1e6)


def told(low, high, step, tz=LA):
    return [x.replace("\n", " ") for x in texts(ticks(us(low), us(high), step, tz), tz)]


def test_the_repeated_hour_has_two_ticks():
    """When clocks go back 01:00 comes twice, an hour apart, and each names its offset."""
    found = ticks(us("2023-11-05 00:00"), us("2023-11-05 03:00"), "h", LA)
    assert np.diff(found).tolist() == [3_600_000_000] * 4
    assert told("2023-11-05 00:00", "2023-11-05 03:00", "h") == [
        "00:00 Sun 5 Nov 2023",
        "01:00 PDT",
        "01:00 PST",
        "02:00",
        "03:00",
    ]


def test_the_skipped_hour_has_no_tick():
    """When clocks go forward 02:00 is not there."""
    assert told("2023-03-12 00:00", "2023-03-12 04:00", "h")[1:] == ["01:00", "03:00", "04:00"]


def test_ticks_stand_on_local_midnights():
    """Days, Mondays, months and years begin at midnight on the local clock."""
    for step in ("D", "2D", "W-MON", "MS", "QS", "YS"):
        found = ticks(us("2023-01-15"), us("2024-06-15"), step, LA)
        walls = pd.to_datetime(found, unit="us", utc=True).tz_convert(LA)
        assert len(walls)
        assert (walls.hour == 0).all()
    assert told("2023-12-01", "2023-12-31", "W-MON") == ["4 Dec 2023", "11 Dec", "18 Dec", "25 Dec"]
    assert told("2023-11-15", "2024-02-15", "MS") == ["Dec 2023", "Jan 2024", "Feb"]
    assert told("2022-06-01", "2024-06-01", "YS") == ["2023", "2024"]


def test_an_early_local_midnight_is_found_from_a_late_utc_day():
    """Tokyo's midnight lies in the UTC day before: the first tick of its day is not lost."""
    tz = zone("Asia/Tokyo")
    low = us("2023-12-05 00:00", "Asia/Tokyo")
    assert ticks(low, low + 6 * 3_600_000_000, "6h", tz).tolist() == [low, low + 6 * 3_600_000_000]
    low = us("2023-12-04 23:00")
    assert ticks(low, low + 2 * 3_600_000_000, "D", LA).tolist() == [us("2023-12-05 00:00")]


@given(st.integers(0, 4_000_000_000), st.integers(3600, 400_000_000), st.floats(2, 20))
def test_ticks_have_room(start, seconds, inches):
    """Never many more ticks than labels find room for, whatever is in view."""
    low, high = start * 1_000_000, (start + seconds) * 1_000_000
    step = step_of(low, high, inches)
    assert step in STEPS
    if step != "YS":
        assert len(ticks(low, high, step, LA)) <= inches / 0.48 + 3


def test_positions_are_matplotlibs_dates():
    """A position is what matplotlib makes of the same instant, and back."""
    from matplotlib.dates import date2num

    stamps = pd.DatetimeIndex(["2023-12-05 10:02", "1999-01-01"], tz="UTC")
    found = at(stamps.as_unit("us").asi8)
    assert found.tolist() == pytest.approx(date2num(stamps.to_pydatetime()).tolist(), abs=1e-9)
    assert us_of(found).tolist() == stamps.as_unit("us").asi8.tolist()


def test_an_axis_follows_what_is_in_view():
    """Zooming from a month to a day changes the ticks from days to hours; the zone is named."""
    ax = Figure(figsize=(8, 3)).subplots()
    local_time(ax, us("2023-12-01"), us("2024-01-01"), LA)
    assert ax.get_xlabel() == "local time (America/Los_Angeles)"
    labels = ax.xaxis.get_major_formatter().format_ticks(ax.get_xticks())
    assert labels[0] == "4 Dec\n2023"
    ax.set_xlim(*at([us("2023-12-05"), us("2023-12-06")]))
    labels = ax.xaxis.get_major_formatter().format_ticks(ax.get_xticks())
    assert labels[:2] == ["00:00\nTue 5 Dec\n2023", "03:00"]
    assert ax.xaxis.get_major_formatter()(at([us("2023-12-05 09:00")])[0]).startswith("09:00")


def test_a_view_without_ticks_has_none():
    """A view of a few minutes, or beyond all calendars, raises nothing."""
    assert texts(ticks(us("2023-12-05 10:01"), us("2023-12-05 10:02"), "15min", LA), LA) == []
    assert len(ticks(-(10**17), -(10**16), "YS", LA)) == 0


def test_words():
    """Amounts have three or four figures, moments no year."""
    assert [amount(x) for x in (0.1234, 1.234, 12.34, 123.4, 12345.6, -2.5)] == [
        "0.123",
        "1.23",
        "12.3",
        "123.4",
        "12,346",
        "-2.50",
    ]
    assert moment(us("2023-12-05 09:07"), LA) == "Tue 5 Dec 09:07"
