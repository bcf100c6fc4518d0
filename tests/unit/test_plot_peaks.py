"""Demand over time: the steps, the marks, and the labels above them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from dentframe.errors import ConfigError, KindError
from dentframe.plot.axes_colours_and_labels import place
from tests.plot_kit import LA, boxes, by_gid, means, utc_days, words


@pytest.fixture
def ax():
    return Figure(figsize=(10, 4), layout="constrained").subplots()


def curve(ax, label="A"):
    (line,) = [x for x in ax.lines if x.get_label() == label]
    return np.asarray(line.get_xdata()), np.asarray(line.get_ydata())


def marks(ax):
    return [tuple(x.get_xydata()[0]) for x in by_gid(ax, "mark")]


def test_a_reading_is_drawn_over_the_interval_it_covers(ax):
    """Readings at :02, :17, ... are steps from 15 minutes before to their own time."""
    t = pd.date_range("2023-12-05 08:02", periods=4, freq="15min", tz="UTC")
    frame = pd.DataFrame({"DemandkW/Elm/A": [1.0, 4.0, 2.0, 3.0]}, index=t)
    frame.dent.plot.peaks(n=1, ax=ax)
    x, y = curve(ax)
    assert x.tolist() == pytest.approx(utc_days(t[0] - pd.Timedelta("15min"), *t))
    assert y.tolist() == [1, 4, 2, 3, 3]
    assert ax.lines[0].get_drawstyle() == "steps-post"
    middle = np.mean(utc_days(t[0], t[1]))
    assert marks(ax) == [pytest.approx((middle, 4))]
    assert ax.get_xlabel() == "time (UTC)"
    assert ax.get_ylabel() == "A, reported demand [kW]"


def test_the_marks_are_the_verbs(ax):
    """The n highest of each month and element, at the middle of their intervals."""
    values = np.random.default_rng(3).uniform(1, 50, 45 * 96)
    frame = means("2023-11-20", "2024-01-04", A=values, B=values[::-1])
    frame.dent.plot.peaks("MS", n=2, tz=LA, ax=ax)
    table = frame.dent.peaks("MS", n=2, tz=LA, min_coverage=0)
    middle = table["start"] + (table["end"] - table["start"]) / 2
    wanted = sorted(zip(utc_days(*middle), table["peak"], strict=True))
    assert len(wanted) == 12
    assert sorted(marks(ax)) == [pytest.approx(x) for x in wanted]


def test_one_peak_a_day(ax):
    """`per_day` marks the second day's best before the first day's second best."""
    frame = means("2023-12-05", "2023-12-07", A=1)
    frame.iloc[[10, 20, 150], 0] = [9.0, 8.0, 5.0]
    frame.dent.plot.peaks(n=2, per_day=True, tz=LA, ax=ax)
    assert [kw for _, kw in marks(ax)] == [9, 5]
    assert [x.get_text() for x in by_gid(ax, "label")] == [
        "9.00 kW, Tue 5 Dec 02:30",
        "5.00 kW, Wed 6 Dec 13:30",
    ]


def test_a_gap_breaks_the_line_and_is_hatched(ax):
    """Where no element has a reading the line is broken and the stretch hatched."""
    frame = means("2023-12-05", "2023-12-06", A=1, B=2)
    frame.iloc[8:12] = np.nan  # 02:00-03:00
    frame.iloc[40, 0] = np.nan  # B goes on
    frame.dent.plot.peaks(tz=LA, ax=ax)
    low, high = utc_days("2023-12-05 02:00", "2023-12-05 03:00")
    assert boxes(by_gid(ax, "gaps")[0]) == [pytest.approx((low, 0, high - low, 1), abs=1e-7)]
    x, y = curve(ax)
    assert np.isnan(y[np.searchsorted(x, low + 1e-6) - 1])
    assert words(ax) == ["A", "B", "not recorded"]


def test_what_lies_outside_the_span_does_not_stretch_the_axis(ax):
    """With `start` and `end` only their demand is drawn."""
    frame = means("2023-12-05", "2023-12-07", A=1)
    frame.iloc[0, 0] = 99.0
    frame.dent.plot.peaks(tz=LA, start="2023-12-06", n=1, ax=ax)
    x, y = curve(ax)
    assert (x[0], y.max()) == (pytest.approx(utc_days("2023-12-06")[0]), 1)
    assert ax.get_ylim()[1] < 2


def test_a_register_alone_has_block_demand(ax):
    """Without interval means the blocks of the register are drawn: 2 kWh an hour are 2 kW."""
    t = pd.date_range("2023-12-05", periods=97, freq="15min", tz=LA).tz_convert("UTC")
    frame = pd.DataFrame({"kWHNet/Elm/A": np.arange(97) * 0.5}, index=t)
    frame.dent.plot.peaks(tz=LA, ax=ax)
    assert set(curve(ax)[1]) == {2.0}
    assert ax.get_ylabel() == "A, block demand [kW]"
    with pytest.raises(KindError, match="kind='block'"):
        frame.dent.plot.peaks(tz=LA, kind="reported", ax=ax)


def test_rolling_demand_is_a_line_through_the_ends(ax):
    """A rolling half hour ends on each quarter."""
    frame = means("2023-12-05", "2023-12-06", A=np.arange(96))
    frame.dent.plot.peaks(kind="rolling", window="30min", n=1, tz=LA, ax=ax)
    x, y = curve(ax)
    assert x[1] == pytest.approx(utc_days("2023-12-05 00:30")[0])
    assert y[1:4].tolist() == [0.5, 1.5, 2.5]
    assert ax.get_ylabel() == "A, rolling demand [kW]"


def test_a_vacant_element_has_no_mark(ax):
    """The highest of nothing but zeros is no peak to mark."""
    means("2023-12-05", "2023-12-06", A=0).dent.plot.peaks(tz=LA, ax=ax)
    assert marks(ax) == []


def test_the_verbs_refusals_stand(ax):
    """What the verb refuses is refused with its words."""
    frame = means("2023-12-05", "2023-12-06", A=1)
    with pytest.raises(ConfigError, match="kind='best'"):
        frame.dent.plot.peaks(kind="best", tz=LA, ax=ax)
    with pytest.raises(ConfigError, match="n=0"):
        frame.dent.plot.peaks(n=0, tz=LA, ax=ax)


def test_two_labels_side_by_side():
    """Labels of neighbouring points stand left and right of them, not in each other."""
    first, second = place([(0.5, 0.2), (0.51, 0.2)])
    assert (
        (first.row, second.row) != (0, 0)
        or first.right <= second.left
        or second.right <= first.left
    )


def test_a_label_without_room_is_left_out():
    """One row holds one label that is as wide as the axes; the first comes first."""
    found = place([(0.2, 1.0), (0.8, 1.0)], rows=1)
    assert [x is not None for x in found] == [True, False]


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0.02, 0.4)), max_size=20))
def test_labels_never_cover_each_other(wanted):
    """No label covers another of its row, nor the leader of one above it."""
    found = [x for x in place(wanted) if x is not None]
    assert all(p.left >= 0 and p.right <= 1 + 1e-9 for p in found)
    for i, p in enumerate(found):
        for q in found[:i]:
            if p.row == q.row:
                assert p.right <= q.left or q.right <= p.left
            else:
                low, high = sorted((p, q), key=lambda x: x.row)
                assert not low.left < high.at < low.right


def test_a_year_shows_the_highest_of_each_day(ax):
    """Beyond two months a day is one step at its highest; the marks stay where the peaks were."""
    values = np.tile(np.arange(96), 100) + np.repeat(np.arange(100), 96)
    frame = means("2023-06-01", "2023-09-09", A=values)
    frame.iloc[5 * 96 : 6 * 96] = np.nan
    frame.dent.plot.peaks(n=1, tz=LA, ax=ax)
    x, y = curve(ax)
    days = pd.date_range("2023-06-01", "2023-09-09", tz=LA)
    assert x == pytest.approx(utc_days(*days))
    assert np.isnan(y[5])
    expected = 95.0 + np.arange(100)
    expected[5] = np.nan
    assert np.array_equal(y[:100], expected, equal_nan=True)
    assert ax.get_ylabel() == "A, reported demand, highest of each day [kW]"
    assert [m.get_ydata()[0] for m in by_gid(ax, "mark")] == [194]
