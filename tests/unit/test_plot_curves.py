"""Duration curves and profiles: every point of them by an independent way."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from dentframe.errors import ConfigError
from dentframe.plot.axes_colours_and_labels import colour
from tests.plot_kit import LA, by_gid, means, words


@pytest.fixture
def ax():
    return Figure(figsize=(8, 4), layout="constrained").subplots()


def test_a_duration_curve_holds_every_block(ax):
    """At each share stands the demand that was reached for it: the sorted blocks as steps."""
    values = np.random.default_rng(1).permutation(np.arange(96.0))
    means("2023-12-05", "2023-12-06", A=values).dent.plot.duration(ax=ax)
    x, y = (np.asarray(v) for v in ax.lines[0].get_data())
    assert y.tolist() == [*range(95, -1, -1), 0]
    assert x == pytest.approx(np.arange(97) / 96 * 100)
    assert ax.lines[0].get_drawstyle() == "steps-post"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("share of the time [%]", "A, demand reached [kW]")


def test_the_legend_tells_what_was_covered(ax):
    """A curve is of the covered blocks only, and says so where that is not all."""
    frame = means("2023-12-05", "2023-12-06", A=1, B=np.arange(96), C=np.nan)
    frame.iloc[:24, 1] = np.nan
    frame.dent.plot.duration(ax=ax, start="2023-12-05 08:00", end="2023-12-06 08:00", tz="UTC")
    assert words(ax) == ["A", "B, 75.0 % covered", "C, no reading"]
    assert ax.lines[1].get_ydata()[:2].tolist() == [95, 94]


def test_a_single_lost_block_is_no_100_percent(ax):
    """One block of a month lost is 99.9 %, not 100 %."""
    frame = means("2023-12-01", "2024-01-01", A=1)
    frame.iloc[100] = np.nan
    frame.dent.plot.duration(ax=ax)
    assert words(ax) == ["A, 99.9 % covered"]


def test_a_profile_of_one_element_has_a_line_and_a_band_a_day_type(ax):
    """Median and quantiles of each quarter hour over weekdays, as numpy has them."""
    values = np.random.default_rng(2).uniform(0, 9, 28 * 96)
    means("2023-11-06", "2023-12-04", A=values).dent.plot.profile(q=(0.1, 0.5, 0.9), tz=LA, ax=ax)
    days = values.reshape(28, 96)
    working = days[np.arange(28) % 7 < 5]
    line, band = ax.lines[0], ax.collections[0]
    assert np.asarray(line.get_ydata())[:96] == pytest.approx(np.median(working, axis=0))
    assert np.asarray(line.get_xdata()).tolist() == [i / 4 for i in range(97)]
    reach = band.get_paths()[0].vertices[:, 1]
    assert reach.max() == pytest.approx(np.quantile(working, 0.9, axis=0).max())
    assert words(ax) == ["A, weekday", "A, weekend"]
    assert ax.get_ylabel() == "A, demand, median and 10%–90% band [kW]"
    assert ax.get_xlabel() == "local time of day (America/Los_Angeles)"


def test_a_band_below_zero_is_shown_whole(ax):
    """A load that feeds in on some days has a median above 0, and a band below it."""
    values = np.repeat([5.0, 5.0, -4.0], 96)
    frame = means("2023-12-05", "2023-12-08", A=values)
    frame.dent.plot.profile(by="all", q=(0, 0.5, 1), tz=LA, ax=ax)
    assert np.asarray(ax.lines[0].get_ydata()).min() == 5
    assert ax.get_ylim()[0] < -4


def test_several_elements_are_colours_and_days_are_styles(ax):
    """Three elements and two types of day: five entries, no bands that would cover each other."""
    frame = means("2023-11-06", "2023-11-20", A=1, B=2, C=3)
    frame.dent.plot.profile(tz=LA, ax=ax)
    assert len(ax.lines) == 6
    assert words(ax) == ["A", "B", "C", "weekday", "weekend"]
    assert [x.get_color() for x in ax.lines[::2]] == ["#0072B2", "#E69F00", "#009E73"]
    assert len({str(x.get_linestyle()) for x in ax.lines[:2]}) == 2
    assert len(ax.collections) == 0


def test_the_repeated_hour_counts_twice_in_a_profile(ax):
    """On 5 November 2023 01:00 PDT had 2 kW and 01:00 PST 4 kW: the median is 3."""
    frame = means("2023-11-05", "2023-11-06", A=0)
    at = pd.DatetimeIndex(["2023-11-05T08:15Z", "2023-11-05T09:15Z"])
    frame.loc[at, "DemandkW/Elm/A"] = [2.0, 4.0]
    frame.dent.plot.profile(by="all", q=[0.5], tz=LA, ax=ax)
    y = np.asarray(ax.lines[0].get_ydata())
    assert y[4] == 3
    assert y.sum() == 3


def test_an_even_number_of_quantiles_has_no_line(ax):
    """Of two quantiles none is the middle one."""
    with pytest.raises(ConfigError, match="odd number"):
        means("2023-12-05", "2023-12-06", A=1).dent.plot.profile(q=(0.1, 0.9), tz=LA, ax=ax)


def test_months_stand_side_by_side(ax):
    """A month has a day of its own beside the others, named at its top; the colour is one."""
    values = np.concatenate([np.full(31 * 96, 1.0), np.full(29 * 96, 3.0)])
    means("2024-01-01", "2024-03-01", B=values).dent.plot.profile("month", tz=LA, ax=ax)
    first, second = (line for line in ax.lines if line.get_drawstyle() == "steps-post")
    assert (first.get_xdata()[0], first.get_xdata()[-1]) == (0, 24)
    assert (second.get_xdata()[0], second.get_xdata()[-1]) == (24, 48)
    assert set(first.get_ydata()) == {1}
    assert set(second.get_ydata()) == {3}
    assert [x.get_text() for x in by_gid(ax, "day")] == ["Jan", "Feb"]
    assert {first.get_color(), second.get_color()} == {colour(1)}
    assert ax.get_ylabel() == "B, demand, median and 10%–90% band [kW]"
