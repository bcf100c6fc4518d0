"""Zones, bounds and ranges as UTC instants."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from dentframe.errors import RangeError
from dentframe.times import dates_and_ranges as i

LA = "America/Los_Angeles"
NOW = pd.Timestamp("2024-01-15 12:00", tz="UTC")


def utc(text):
    return pd.Timestamp(text, tz="UTC")


@pytest.mark.parametrize(
    ("start", "end", "low", "high"),
    [
        ("2023", None, "2023-01-01 08:00", "2024-01-01 08:00"),
        ("2023-12", None, "2023-12-01 08:00", "2024-01-01 08:00"),
        ("2023-03-12", None, "2023-03-12 08:00", "2023-03-13 07:00"),
        ("2023-11-05", None, "2023-11-05 07:00", "2023-11-06 08:00"),
        ("2023Q2", None, "2023-04-01 07:00", "2023-07-01 07:00"),
        (pd.Period("2023-12", "M"), None, "2023-12-01 08:00", "2024-01-01 08:00"),
        (pd.Period("2023-12-12 14", "h"), None, "2023-12-12 22:00", "2023-12-12 23:00"),
        (dt.date(2023, 12, 12), None, "2023-12-12 08:00", "2023-12-13 08:00"),
        ("2023-12-01", "2023-12-02", "2023-12-01 08:00", "2023-12-02 08:00"),
        ("2023-12-01 06:30", "2023-12-01T07", "2023-12-01 14:30", "2023-12-01 15:00"),
        ("2023-12-01T00:00Z", dt.date(2023, 12, 1), "2023-12-01", "2023-12-01 08:00"),
        (dt.datetime(2023, 12, 1, 5), "2023-12", "2023-12-01 13:00", None),  # noqa: DTZ001
        (np.datetime64("2023-12-01T01:00"), "now", "2023-12-01 09:00", "2024-01-15 12:00"),
        ("2024-01-01", " NOW ", "2024-01-01 08:00", "2024-01-15 12:00"),
        (dt.datetime(2023, 12, 1, tzinfo=dt.UTC), utc("2023-12-02"), "2023-12-01", "2023-12-02"),
    ],
)
def test_a_range_is_half_open_and_in_utc(start, end, low, high):
    """Naive values are wall time in tz; end=None takes the period that start names."""
    if high is None:
        with pytest.raises(RangeError, match="start is not before end"):
            i.time_range(start, end, LA, now=NOW)
    else:
        assert i.time_range(start, end, LA, now=NOW) == (utc(low), utc(high))


@pytest.mark.parametrize(
    ("start", "end", "says"),
    [
        ("2023-12-12 14:30", None, "without an end"),
        (dt.datetime(2023, 12, 12), None, "without an end"),  # noqa: DTZ001
        (utc("2023-12-12"), None, "without an end"),
        ("2023-12-02", "2023-12-01", "start is not before end"),
        ("2023-12-01", "2023-12-01", "start is not before end"),
        ("yesterday", "now", "Cannot read start='yesterday'"),
        ("yesterday", None, "Cannot read start='yesterday'"),
        ("2023-13", None, "Cannot read start='2023-13'"),
        ("2023-02-30", "now", "Cannot read start='2023-02-30'"),
        ("12/11/2023", "now", "Cannot read start="),
        (20231212, "now", "Cannot read start=20231212"),
        (1.5, "now", "Cannot read start=1.5"),
        (pd.NaT, "now", "Cannot read start=NaT"),
        (None, "now", "Cannot read start=None"),
        ("2023-12-01", "", "Cannot read end=''"),
        ("2023-03-12 02:30", "now", "does not exist"),
        ("2023-11-05 01:30", "now", "comes twice"),
    ],
)
def test_a_range_that_cannot_be_meant_is_refused(start, end, says):
    """With the value, the reason and what to do."""
    with pytest.raises(RangeError) as caught:
        i.time_range(start, end, LA, now=NOW)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2023-11-05 01:30-07:00", "2023-11-05 08:30"),
        ("2023-11-05 01:30-08:00", "2023-11-05 09:30"),
    ],
)
def test_an_offset_settles_an_hour_that_comes_twice(text, instant):
    """As the error says."""
    assert i.instant(text, ZoneInfo(LA)) == utc(instant)


@pytest.mark.parametrize(
    ("tz", "day", "instant"),
    [
        ("Africa/Cairo", "2024-04-26", "2024-04-25 22:00"),  # 00:00 does not exist, 01:00 does
        ("America/Havana", "2023-11-05", "2023-11-05 04:00"),  # 00:00 comes twice: the first
        ("America/Havana", "2023-03-12", "2023-03-12 05:00"),  # 00:00 does not exist
        ("America/Sao_Paulo", "2017-10-15", "2017-10-15 03:00"),
        ("America/St_Johns", "2010-11-07", "2010-11-07 02:30"),  # set back at 00:01
        ("Pacific/Apia", "2011-12-30", "2011-12-30 10:00"),  # the day that Samoa skipped
        ("Asia/Kathmandu", "2023-12-12", "2023-12-11 18:15"),
        ("UTC", "2023-12-12", "2023-12-12"),
    ],
)
def test_a_midnight_is_the_first_instant_of_its_day(tz, day, instant):
    """The next instant of none, the first of two."""
    zone = i.zone(tz)
    assert i.instant(dt.date.fromisoformat(day), zone) == utc(instant)
    assert i.instant(day, zone) == utc(instant)


@pytest.mark.parametrize(
    ("wall", "instant"),
    [
        ("2023-10-01 02:00", "2023-09-30 15:30"),
        ("2023-10-01 02:29", "2023-09-30 15:30"),
        ("2023-10-01 02:30", "2023-09-30 15:30"),
        ("2023-10-01 02:31", "2023-09-30 15:31"),
    ],
)
def test_a_gap_of_half_an_hour_ends_when_it_ends(wall, instant):
    """pandas' shift_forward goes on to the full hour on Lord Howe."""
    found = i.localize(pd.DatetimeIndex([wall]), ZoneInfo("Australia/Lord_Howe"))
    assert found[0] == utc(instant)


def test_the_second_of_two_can_be_asked_for():
    """Both folds of an hour are on the clock."""
    walls = pd.DatetimeIndex(["2023-11-05 01:30"])
    assert i.localize(walls, ZoneInfo(LA))[0] == utc("2023-11-05 08:30")
    assert i.localize(walls, ZoneInfo(LA), second=True)[0] == utc("2023-11-05 09:30")


@pytest.mark.parametrize("tz", ["UTC", "utc", "Etc/UTC", dt.UTC, ZoneInfo("UTC"), ZoneInfo("Zulu")])
def test_utc_has_many_names(tz):
    """All of them are UTC."""
    assert i.is_utc(i.zone(tz))


@pytest.mark.parametrize("tz", [None, ZoneInfo("Europe/London"), ZoneInfo(LA)])
def test_london_is_not_utc(tz):
    """Nor is a naive index."""
    assert not i.is_utc(tz)


@pytest.mark.parametrize("tz", ["Mars/Olympus", "", "../etc/passwd", 5, None])
def test_an_unknown_zone_is_refused(tz):
    """The error shows how a zone is written."""
    with pytest.raises(RangeError, match="no such time zone"):
        i.zone(tz)


def test_a_naive_bound_needs_a_zone_unless_the_index_has_one():
    """UTC in the index is not taken for the user's own clock."""
    pacific = ZoneInfo(LA)
    assert i.bound(None, dt.UTC, None, "start") is None
    assert i.bound("2023-12-01", pacific, None, "start") == utc("2023-12-01 08:00")
    assert i.bound("2023-12-01", pacific, "UTC", "start") == utc("2023-12-01")
    assert i.bound("2023-12-01T00:00Z", dt.UTC, None, "start") == utc("2023-12-01")
    with pytest.raises(RangeError, match='say "UTC" if UTC is meant'):
        i.bound("2023-12-01", dt.UTC, None, "start")


@pytest.mark.parametrize(
    ("value", "minutes"),
    [
        ("15min", 15),
        ("1h", 60),
        ("h", 60),
        ("min", 1),
        ("D", 1440),
        ("0min", 0),
        (dt.timedelta(minutes=5), 5),
        ("1D", 1440),
    ],
)
def test_a_span_of_time_is_whole_minutes(value, minutes):
    """The wire has no seconds."""
    assert i.minutes(value, "window") == minutes


@pytest.mark.parametrize("value", ["90s", "-15min", "soon", None])
def test_no_whole_number_of_minutes_is_refused(value):
    """With the argument's name."""
    with pytest.raises(RangeError, match="Cannot use window="):
        i.minutes(value, "window")
