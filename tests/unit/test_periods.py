"""Calendar periods on local clocks."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from dentframe.errors import RangeError
from dentframe.times import periods as p
from dentframe.times.dates_and_ranges import local

LA = "America/Los_Angeles"


def built(freq, start, end, tz=LA, **cut):
    """The starts and the ends of periods, on the local clock."""
    zone = ZoneInfo(tz)
    found = p.build(freq, pd.Timestamp(start, tz=zone), pd.Timestamp(end, tz=zone), zone, **cut)
    return tuple(local(x, zone) for x in found)


def hours(periods):
    return [d / pd.Timedelta(hours=1) for d in periods[1] - periods[0]]


def starts(periods):
    return [s.strftime("%Y-%m-%d %H:%M") for s in periods[0]]


@pytest.mark.parametrize(
    ("tz", "day", "length"),
    [
        (LA, "2023-03-12", 23),
        (LA, "2023-06-01", 24),
        (LA, "2023-11-05", 25),
        ("Australia/Lord_Howe", "2024-04-07", 24.5),
        ("Australia/Lord_Howe", "2023-10-01", 23.5),
        ("America/Havana", "2023-11-05", 25),
        ("America/Havana", "2023-03-12", 23),
        ("Africa/Cairo", "2024-04-26", 23),
    ],
)
def test_a_day_is_as_long_as_its_clock_says(tz, day, length):
    """23, 23.5, 24, 24.5 and 25 hours."""
    found = built("D", f"{day} 12:00", f"{day} 13:00", tz)
    assert hours(found) == [length]
    starts, ends = p.build("15min", found[0][0], found[1][0], ZoneInfo(tz))
    assert len(starts) == length * 4
    assert set(ends - starts) == {900_000_000}


def test_a_day_that_was_skipped_is_no_period():
    """Samoa had no 30 December 2011."""
    found = built("D", "2011-12-29", "2012-01-01", "Pacific/Apia")
    assert starts(found) == ["2011-12-29 00:00", "2011-12-31 00:00"]
    assert hours(found) == [24, 24]


@pytest.mark.parametrize(
    ("freq", "expected"),
    [
        ("MS", ["2023-11-01", "2023-12-01", "2024-01-01"]),
        ("2MS", ["2023-11-01", "2024-01-01"]),
        ("QS", ["2023-10-01", "2024-01-01"]),
        ("QS-NOV", ["2023-11-01"]),
        ("YS", ["2023-01-01", "2024-01-01"]),
        ("YS-JUL", ["2023-07-01"]),
        (p.Monthly(18), ["2023-10-18", "2023-11-18", "2023-12-18"]),
        (p.Monthly(), ["2023-11-01", "2023-12-01", "2024-01-01"]),
    ],
)
def test_months_begin_where_they_are_said_to(freq, expected):
    """Multiples count from the span's first period."""
    found = built(freq, "2023-11-05", "2024-01-10")
    assert [s[:10] for s in starts(found)] == expected
    assert {s[11:] for s in starts(found)} == {"00:00"}


@pytest.mark.parametrize(
    ("freq", "expected"),
    [
        ("2D", ["2023-12-06", "2023-12-08"]),
        ("W-MON", ["2023-12-04"]),
        ("W-THU", ["2023-11-30", "2023-12-07"]),
        ("2W-MON", ["2023-12-04"]),
    ],
)
def test_days_and_weeks_count_from_the_first_period(freq, expected):
    """A Wednesday to a Saturday."""
    found = built(freq, "2023-12-06", "2023-12-09")
    assert [s[:10] for s in starts(found)] == expected


def test_hours_begin_on_the_local_clock():
    """In Kathmandu an hour starts at a quarter past of UTC."""
    found = built("h", "2023-12-06", "2023-12-06 03:00", "Asia/Kathmandu")
    assert starts(found) == ["2023-12-06 00:00", "2023-12-06 01:00", "2023-12-06 02:00"]
    assert found[0].tz_convert("UTC")[0].minute == 15


@pytest.mark.parametrize(
    ("day", "count", "lengths"),
    [("2023-03-12", 23, {1}), ("2023-11-05", 25, {1}), ("2023-12-06", 24, {1})],
)
def test_an_hour_that_comes_twice_is_two_and_a_skipped_one_is_none(day, count, lengths):
    """No empty period in the gap."""
    found = built("h", day, f"{day} 23:59")
    assert len(found[0]) == count
    assert set(hours(found)) == lengths


def test_hours_on_lord_howe_are_cut_by_the_half_hour():
    """The hour at two lasts 30 minutes in spring, the one at one 90 in autumn."""
    spring = built("h", "2023-10-01", "2023-10-01 04:00", "Australia/Lord_Howe")
    assert hours(spring) == [1, 1, 0.5, 1]
    autumn = built("h", "2024-04-07", "2024-04-07 03:00", "Australia/Lord_Howe")
    assert hours(autumn) == [1, 1.5, 1]


def test_a_multiple_that_does_not_divide_the_day_runs_on():
    """From the span's first hour."""
    found = built("7h", "2023-12-06 02:30", "2023-12-07")
    assert starts(found)[:2] == ["2023-12-06 02:00", "2023-12-06 09:00"]
    assert set(hours(found)) == {7}


def test_without_a_freq_the_span_is_one_period():
    """As it is."""
    found = built(None, "2023-12-06 02:30", "2023-12-07")
    assert starts(found) == ["2023-12-06 02:30"]
    assert hours(found) == [21.5]


def test_a_span_cuts_periods_only_where_it_is_told_to():
    """Otherwise a period keeps its calendar length."""
    whole = built("D", "2023-12-06 02:30", "2023-12-07 12:00")
    assert hours(whole) == [24, 24]
    cut = built("D", "2023-12-06 02:30", "2023-12-07 12:00", cut_start=True, cut_end=True)
    assert hours(cut) == [21.5, 12]
    assert starts(cut)[0] == "2023-12-06 02:30"


def test_a_list_of_edges_is_taken_as_it_is():
    """Naive edges are local, aware ones are instants."""
    edges = ["2023-11-03", dt.date(2023, 11, 5), pd.Timestamp("2023-11-06T08:00Z")]
    found = built(edges, "2023-11-04", "2023-11-05")
    assert starts(found) == ["2023-11-03 00:00", "2023-11-05 00:00"]
    assert hours(found) == [48, 25]


@pytest.mark.parametrize(
    "edges", [["2023-12-01"], [], ["2023-12-02", "2023-12-01"], ["2023-12-01", "2023-12-01"]]
)
def test_edges_that_do_not_rise_are_refused(edges):
    """At least two are needed."""
    with pytest.raises(RangeError, match="edges as periods"):
        built(edges, "2023-12-01", "2023-12-02")


@pytest.mark.parametrize(
    ("freq", "instead"),
    [
        ("ME", "MS"),
        ("M", "MS"),
        ("2ME", "2MS"),
        ("QE", "QS"),
        ("YE", "YS"),
        ("A", "YS"),
        ("W", "W-MON"),
        ("H", "h"),
        ("15T", "15min"),
        ("B", "D"),
    ],
)
def test_an_end_anchored_freq_names_its_start_form(freq, instead):
    """Periods here are named by their start."""
    with pytest.raises(RangeError, match=f"Use '{instead}'"):
        p.parse_freq(freq)


@pytest.mark.parametrize(
    "freq", ["", "0D", "-1D", "1.5h", "fortnight", "W-XYZ", "QS-XYZ", 5, "000D"]
)
def test_an_unknown_freq_is_refused(freq):
    """Each names what there is, never a bare KeyError."""
    with pytest.raises(RangeError, match="Cannot use freq="):
        built(freq, "2023-12-01", "2023-12-02")


@pytest.mark.parametrize("freq", ["101YS", "9000YS-APR", "100000QS", "99999999W-MON", "99999999h"])
def test_a_period_of_more_than_a_century_is_refused(freq):
    """Before it leaves the years that pandas and Python know."""
    assert p.parse_freq("100YS") == (100, "YS")
    with pytest.raises(RangeError, match="longer than a century"):
        p.parse_freq(freq)
    with pytest.raises(RangeError, match="longer than a century"):
        p.parse_freq("1" * 5000 + "min")


@pytest.mark.parametrize(
    ("freq", "parsed"),
    [
        ("15min", (15, "min")),
        ("D", (1, "D")),
        ("2W-SUN", (2, "W-SUN")),
        (dt.timedelta(hours=1), (60, "min")),
        (pd.offsets.MonthBegin(2), (2, "MS")),
        (pd.Timedelta("30min"), (30, "min")),
    ],
)
def test_a_freq_is_a_multiple_and_a_unit(freq, parsed):
    """Text, a timedelta or a pandas offset."""
    assert p.parse_freq(freq) == parsed


@pytest.mark.parametrize("day", [0, 29, 31, -1, 1.5, "18"])
def test_a_month_begins_on_a_day_that_every_month_has(day):
    """1 to 28."""
    with pytest.raises(RangeError, match="Cannot begin a month"):
        p.Monthly(day)


@pytest.mark.parametrize(
    ("freq", "needs"),
    [
        (None, False),
        ("15min", False),
        ("5min", False),
        ("30min", True),
        ("h", True),
        ("D", True),
        (p.Monthly(18), True),
        (["2023-12-01", "2023-12-02"], True),
        (["2023-12-01T00Z", "2023-12-02T00Z"], False),
    ],
)
def test_what_is_longer_than_15_minutes_needs_a_zone(freq, needs):
    """An hour starts at :15 in Kathmandu."""
    if needs:
        with pytest.raises(RangeError, match="without a time zone"):
            p.verb_zone(dt.UTC, None, freq)
    else:
        assert p.verb_zone(dt.UTC, None, freq) == dt.UTC


def test_the_zone_of_a_verb_is_given_or_the_indexs_own():
    """UTC in the index is nobody's calendar, and a naive index is nobody's time."""
    pacific = ZoneInfo(LA)
    assert p.verb_zone(pacific, None, "D") == pacific
    assert p.verb_zone(pacific, "UTC", "D") == dt.UTC
    assert p.verb_zone(dt.UTC, LA, "D") == pacific
    assert p.verb_zone(dt.UTC, None, "15min", None) == dt.UTC
    with pytest.raises(RangeError, match='tz="UTC" if UTC is meant'):
        p.verb_zone(dt.UTC, None, "15min", "MS")
    with pytest.raises(RangeError, match="tz_localize"):
        p.verb_zone(None, LA, "D")
