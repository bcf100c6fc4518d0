"""Periods on random local clocks, against a construction with zoneinfo alone."""

from __future__ import annotations

import datetime as dt
import zoneinfo

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dentframe.times import periods
from dentframe.times.dates_and_ranges import local

HARD = [
    "America/Los_Angeles",
    "America/Havana",
    "America/St_Johns",
    "America/Sao_Paulo",
    "America/Asuncion",
    "Africa/Cairo",
    "Asia/Kathmandu",
    "Asia/Beirut",
    "Australia/Lord_Howe",
    "Europe/Dublin",
    "Pacific/Apia",
    "Pacific/Kwajalein",
    "Pacific/Chatham",
    "UTC",
]
ALL = sorted(zoneinfo.available_timezones() - {"localtime", "Factory"})
ZONES = st.one_of(st.sampled_from(HARD), st.sampled_from(ALL))
DATES = st.dates(dt.date(1990, 1, 1), dt.date(2037, 12, 31))
APIA = {"name": "Pacific/Apia", "day": dt.date(2011, 12, 28), "days": 5}


def first_instant(day, tz):
    """The first instant of a local day: scanned minute by minute, by zoneinfo alone."""
    guess = dt.datetime.combine(day, dt.time(), dt.UTC) - dt.timedelta(hours=27)
    low, high = 0, 54 * 60
    # The first minute at or after which the local date is never before `day`.
    while low < high:
        middle = (low + high) // 2
        local = (guess + dt.timedelta(minutes=middle)).astimezone(tz)
        low, high = (low, middle) if local.date() >= day else (middle + 1, high)
    found = guess + dt.timedelta(minutes=low)
    for back in range(1, 181):  # a clock set back past midnight shows the day before again
        earlier = guess + dt.timedelta(minutes=low - back)
        if earlier.astimezone(tz).date() >= day:
            found = earlier
    return found


def span(name, day, days):
    tz = zoneinfo.ZoneInfo(name)
    start = pd.Timestamp(first_instant(day, tz)).tz_convert(tz)
    return tz, start, start + pd.Timedelta(days=days, hours=3)


def built(freq, start, end, tz, **cut):
    """The starts and the ends of periods, on the local clock."""
    return tuple(local(x, tz) for x in periods.build(freq, start, end, tz, **cut))


def tiles(starts, ends, low, high):
    assert (starts < ends).all()
    assert (starts[1:] == ends[:-1]).all()
    assert starts[0] <= low
    assert ends[-1] >= high


@given(name=ZONES, day=DATES, days=st.integers(1, 40))
@example(**APIA)
@example(name="Australia/Lord_Howe", day=dt.date(2023, 9, 30), days=3)
@example(name="America/Havana", day=dt.date(2023, 11, 4), days=3)
@example(name="Africa/Cairo", day=dt.date(2024, 4, 25), days=3)
def test_days_are_the_local_calendar(name, day, days):
    """Contiguous, covering, and each start the day's first instant by zoneinfo."""
    tz, start, end = span(name, day, days)
    starts, ends = built("D", start, end, tz)
    tiles(starts, ends, start, end)
    local_days = [s.date() for s in starts]
    expected = [first_instant(d, tz) for d in local_days]
    assert list(starts.tz_convert("UTC")) == expected
    assert local_days == sorted(set(local_days))
    every = {day + dt.timedelta(days=i) for i in range((local_days[-1] - day).days + 1)}
    skipped = every - set(local_days)
    assert all(first_instant(d, tz) == first_instant(d + dt.timedelta(1), tz) for d in skipped)


@pytest.mark.parametrize(
    "freq",
    [
        "15min",
        "7min",
        "h",
        "2h",
        "7h",
        "2D",
        "W-MON",
        "2W-SUN",
        "MS",
        "2MS",
        "QS-FEB",
        "YS",
        periods.Monthly(18),
    ],
)
@settings(max_examples=25)
@given(name=ZONES, day=DATES, days=st.integers(1, 10))
@example(**APIA)
@example(name="America/Los_Angeles", day=dt.date(2024, 3, 9), days=3)
@example(name="Australia/Lord_Howe", day=dt.date(2024, 4, 6), days=3)
def test_every_frequency_tiles_the_span(freq, name, day, days):
    """No gap, no overlap, no empty period; each starts no later than the span."""
    tz, start, end = span(name, day, days)
    starts, ends = built(freq, start, end, tz)
    tiles(starts, ends, start, end)
    opened, closed = built(freq, start, end, tz, cut_start=True, cut_end=True)
    assert (opened[0], closed[-1]) == (start, end)
    assert len(opened) <= len(starts)


@given(name=ZONES, day=DATES)
@example(name="America/St_Johns", day=dt.date(2000, 10, 29))  # back by an hour at 00:01
def test_quarter_hours_show_quarters_on_the_clock(name, day):
    """Wherever the clock is whole; a day's quarters add up to the day."""
    tz, start, _ = span(name, day, 1)
    day, next_day = (x[0] for x in built("D", start, start + pd.Timedelta(hours=1), tz))
    starts, ends = built("15min", day, next_day, tz)
    assert (ends - starts).sum() == next_day - day
    assert (ends - starts).max() <= pd.Timedelta(minutes=45)
