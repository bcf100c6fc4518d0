"""`Schedule` and `energy(schedule=)`: windows, days, seasons, clock changes, statuses."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from dentframe.errors import ConfigError
from dentframe.times.dates_and_ranges import ints
from dentframe.times.schedule import Schedule, Window
from dentframe.verbs.energy import energy
from tests.unit.test_demand import KW, KWH, quarters

NY = "America/New_York"


def hours(schedule, start, end, tz=NY):
    """Hours of each window in a span."""
    from dentframe.times.dates_and_ranges import zone

    s, e = (ints(pd.DatetimeIndex([pd.Timestamp(x, tz=tz)])) for x in (start, end))
    found = schedule.split(s, e, zone(tz))
    assert (found.s[1:] == found.e[:-1]).all()
    total = np.bincount(found.window, found.e - found.s, len(schedule.names)) / 3.6e9
    return dict(zip(schedule.names, total.tolist(), strict=True))


def test_weekdays_holidays_and_seasons():
    """A holiday is neither weekday nor weekend; a season includes both its days."""
    peak = Window("peak", "16:00", "21:00", days="weekday", season=("06-01", "09-30"))
    schedule = Schedule([peak], holidays=[dt.date(2024, 7, 4)])
    assert hours(schedule, "2024-07-01", "2024-07-08")["peak"] == 20
    assert hours(schedule, "2024-09-30", "2024-10-02")["peak"] == 5
    assert hours(schedule, "2024-10-01", "2024-10-08")["peak"] == 0


def test_a_window_across_midnight_belongs_to_the_day_it_starts_on():
    """Friday 22:00 to 06:00 goes on into Saturday; Saturday opens none."""
    night = Schedule([Window("night", "22:00", "06:00", days="fri")])
    assert hours(night, "2024-01-05 20:00", "2024-01-06 12:00")["night"] == 8
    assert hours(night, "2024-01-06", "2024-01-07")["night"] == 6


def test_to_24_00_and_the_first_in_the_list_wins():
    """Windows end at 24:00; where two overlap the earlier has the time."""
    schedule = Schedule([Window("late", "20:00", "24:00"), Window("day", "08:00", "22:00")])
    assert hours(schedule, "2024-01-01", "2024-01-02") == {"late": 4, "day": 12, "other": 8}


def test_both_folds_of_an_hour_are_in_its_window():
    """01:00-01:30 comes twice when the clocks go back, and not at all at 02:00 in March."""
    schedule = Schedule([Window("half", "01:00", "01:30"), Window("two", "02:00", "03:00")])
    autumn = hours(schedule, "2024-11-03", "2024-11-04")
    assert (autumn["half"], autumn["two"], sum(autumn.values())) == (1.0, 1.0, 25.0)
    assert hours(schedule, "2024-03-10", "2024-03-11")["two"] == 0.0


@pytest.mark.parametrize("season", [("11-01", "02-28"), ("11-01", "02-29"), ("02-01", "02-28")])
def test_a_season_to_the_end_of_february_includes_its_last_day(season):
    """In a leap year that is the 29th, however the end is written."""
    window = Window("winter", season=season)
    assert window.applies(dt.date(2024, 2, 29), 3)
    assert window.applies(dt.date(2023, 2, 28), 1)
    assert not window.applies(dt.date(2024, 3, 1), 4)


def test_a_season_across_new_year():
    """From November to March."""
    winter = Schedule([Window("w", season=("11-01", "03-31"))])
    assert hours(winter, "2024-01-01", "2025-01-01")["w"] == 24 * (91 + 61) - 1 + 1


def test_one_window_and_one_holiday_are_lists_of_one():
    """What stands alone needs no brackets."""
    alone = Schedule(Window("x"), holidays="2024-01-01")
    assert alone == Schedule([Window("x")], holidays=[dt.date(2024, 1, 1)])


@pytest.mark.parametrize(
    "make",
    [
        lambda: Window("x", "25:00"),
        lambda: Window("x", "16"),
        lambda: Window("x", "24:00", "24:00"),
        lambda: Window("x", days="someday"),
        lambda: Window("x", days=()),
        lambda: Window("x", season=("13-01", "14-01")),
        lambda: Window("x", season="summer"),
        lambda: Schedule([]),
        lambda: Schedule(5),
        lambda: Schedule([Window("x")], holidays=["never"]),
        lambda: Schedule([Window("x")], holidays=5),
        lambda: Schedule([Window("x")], holidays=[None]),
    ],
)
def test_what_cannot_be_read_is_refused(make):
    """Times, days, seasons and holidays say what they should be."""
    with pytest.raises(ConfigError):
        make()


def test_windows_add_up_and_have_their_own_status():
    """A lost reading in the peak leaves the rest recorded."""
    frame = quarters({KW: [4.0] * 96}, "2024-01-01 00:15")
    frame.iloc[66] = np.nan
    schedule = Schedule([Window("peak", "16:00", "21:00")])
    rows = energy(frame, "D", tz="UTC", schedule=schedule, detail=True)
    assert rows["window"].tolist() == ["peak", "other"]
    assert rows["status"].tolist() == ["partial", "recorded"]
    assert rows["energy"].tolist() == [19.0, 76.0]
    assert rows["expected"].tolist() == [20, 76]


def test_a_gap_across_a_windows_edge_makes_both_sides_estimates():
    """The register knows the total, not which window had it."""
    frame = quarters({KWH: np.arange(96.0)}, "2024-01-01 00:00")
    frame.iloc[60:70] = np.nan
    schedule = Schedule([Window("peak", "16:00", "21:00")])
    end = frame.index[-1]
    rows = energy(frame, schedule=schedule, tz="UTC", end=end, detail=True)
    assert rows["status"].tolist() == ["estimated", "estimated"]
    assert rows["energy"].sum() == pytest.approx(95.0)
    assert (rows["lo"] < rows["energy"]).all()


def test_the_wide_form_has_a_level_more():
    """(time, window), and (meter, time, window) in a frame of several."""
    frame = quarters({KW: [4.0] * 96}, "2024-01-01 00:15")
    schedule = Schedule([Window("peak", "16:00", "21:00")])
    found = energy(frame, "D", tz="UTC", schedule=schedule)
    assert found.index.names == ["time", "window"]
    both = pd.concat({"P1": frame, "P2": frame}, names=["meter", "time"])
    found = energy(both, "D", tz="UTC", schedule=schedule)
    assert found.index.names == ["meter", "time", "window"]
    assert found["Energy/Elm/A"].tolist() == [20.0, 76.0, 20.0, 76.0]


def test_a_schedule_must_be_one():
    """Anything else is refused."""
    with pytest.raises(ConfigError, match="Schedule"):
        energy(quarters({KW: [1.0]}), schedule="peak")


def test_windows_stay_on_the_clock_where_edges_move():
    """Readings at :02, :17, …: 10 kW from 16:00 to 21:00 and 1 kW else, whichever edges."""
    t = pd.date_range("2023-12-31 23:47", "2024-01-02 00:02", freq="15min", tz="UTC")
    kw = np.where((t.hour >= 16) & (t.hour < 21), 10.0, 1.0)
    frame = pd.DataFrame({KWH: 1000 + np.r_[0, np.cumsum(kw[1:] / 4)]}, index=t)
    how = {"tz": "UTC", "start": "2024-01-01", "end": "2024-01-02", "detail": True}
    peak = Schedule([Window("peak", "16:00", "21:00")])
    found = {
        edges: frame.dent.energy("D", schedule=peak, edges=edges, **how).set_index("window")
        for edges in ("interpolate", "last_reading")
    }
    for rows in found.values():
        assert rows.loc["peak", "energy"] == pytest.approx(48.05)
    whole = frame.dent.energy("D", edges="last_reading", **how)
    assert found["last_reading"]["energy"].sum() == pytest.approx(whole["energy"].item())
    assert found["last_reading"].loc["other", "open_reading"] == whole["open_reading"].item()
