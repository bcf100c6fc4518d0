"""The stack: heights of its parts, the total, and where there is none."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, StepPatch

from dentframe.errors import ConfigError, KindError
from dentframe.plot.stack_and_nights import layers
from tests.plot_kit import LA, boxes, by_gid, means, utc_days, words
from tests.split_kit import element, readings, site


@pytest.fixture
def ax():
    return Figure(figsize=(10, 4), layout="constrained").subplots()


def parts(ax):
    """(values, edges, baseline) of each element's area."""
    return [p.get_data() for p in ax.patches if isinstance(p, StepPatch)]


def total(ax):
    (line,) = [x for x in ax.lines if x.get_label() == "total"]
    return np.asarray(line.get_xdata()), np.asarray(line.get_ydata())


def test_a_day_is_stacked_from_the_start_of_each_interval(ax):
    """The reading stamped 00:15 is drawn from 00:00; B stands on A."""
    frame = means("2023-12-05", "2023-12-06", A=np.arange(96), B=2)
    frame.dent.plot.stack(elements=["A", "B"], tz=LA, ax=ax)
    a, b = parts(ax)
    assert a.values.tolist() == list(range(96))
    assert a.baseline.tolist() == [0] * 96
    assert b.baseline.tolist() == a.values.tolist()
    assert (b.values - b.baseline).tolist() == [2] * 96
    assert a.edges[[0, 1, 96]] == pytest.approx(
        utc_days("2023-12-05", "2023-12-05 00:15", "2023-12-06")
    )
    assert ax.get_ylabel() == "demand [kW]"


def test_the_total_is_missing_where_a_part_is(ax):
    """Where B lost a reading there is no total, the stretch is hatched, A is still drawn."""
    frame = means("2023-12-05", "2023-12-06", A=3, B=2)
    frame.iloc[8, 1] = np.nan  # closes 02:00-02:15
    frame.dent.plot.stack(elements=["A", "B"], tz=LA, ax=ax)
    _, y = total(ax)
    assert np.flatnonzero(np.isnan(y)).tolist() == [8]
    assert np.nanmin(y) == np.nanmax(y) == 5
    low, high = utc_days("2023-12-05 02:00", "2023-12-05 02:15")
    assert boxes(by_gid(ax, "gaps")[0]) == [pytest.approx((low, 0, high - low, 1), abs=1e-8)]
    assert parts(ax)[0].values[8] == 3
    assert np.isnan(parts(ax)[1].values[8])
    assert words(ax) == ["B", "A", "a part is missing:\nno total"]


def test_the_day_of_25_hours_is_25_hours_wide(ax):
    """Both hours called 01:00 have four quarters each, in the order of time."""
    frame = means("2023-11-05", "2023-11-06", A=np.arange(100))
    frame.dent.plot.stack(tz=LA, ax=ax)
    x, y = total(ax)
    assert (x[-1] - x[0]) * 24 == pytest.approx(25)
    assert y[:100].tolist() == list(range(100))
    at = pd.to_datetime(x[4:12] * 86400e9).round("s").tz_localize("UTC").tz_convert(LA)
    assert [f"{t:%H:%M %Z}" for t in at][::4] == ["01:00 PDT", "01:00 PST"]


def test_beyond_a_week_there_is_a_bar_a_day(ax):
    """Nine days at 4 kW are nine bars of 96 kWh from midnight to midnight, and their caps."""
    frame = means("2023-12-01", "2023-12-10", A=4, B=1)
    frame.dent.plot.stack(elements=["A", "B"], tz=LA, ax=ax)
    a, b = [
        p
        for p in ax.artists + ax.patches
        if isinstance(p, PathPatch) and p.get_label() in {"A", "B"}
    ]
    edges = utc_days(*(f"2023-12-{d:02d}" for d in range(1, 11)))
    assert boxes(a) == [pytest.approx((x, 0, 1, 96), abs=1e-7) for x in edges[:-1]]
    assert boxes(b) == [pytest.approx((x, 96, 1, 24), abs=1e-7) for x in edges[:-1]]
    assert total(ax)[1].reshape(9, 3)[:, :2] == pytest.approx(120)
    assert ax.get_ylabel() == "energy per local day [kWh]"


def test_a_bar_of_the_day_of_25_hours_is_wider(ax):
    """The bar of 5 November 2023 is 25 hours wide and 25 kWh high at 1 kW."""
    means("2023-11-01", "2023-11-15", A=1).dent.plot.stack(tz=LA, ax=ax)
    (a,) = [p for p in ax.patches if p.get_label() == "A"]
    x, y, width, height = boxes(a)[4]
    assert (width * 24, height, y) == pytest.approx((25, 25, 0), abs=1e-6)
    assert x == pytest.approx(utc_days("2023-11-05")[0])


def test_a_partial_day_is_hatched_and_has_no_total(ax):
    """A day with a lost reading shows what is known of it, 95.75 kWh less the gap's, and no cap."""
    frame = means("2023-12-01", "2023-12-11", A=4, B=1)
    frame.iloc[96 + 20, 0] = np.nan
    frame.dent.plot.stack(elements=["A", "B"], tz=LA, ax=ax)
    doubtful = [b for artist in by_gid(ax, "doubtful") for b in boxes(artist)]
    assert [b[3] for b in doubtful] == [pytest.approx(95)]
    caps = total(ax)[1].reshape(10, 3)[:, 0]
    assert np.flatnonzero(np.isnan(caps)).tolist() == [1]
    assert words(ax) == ["B", "A", "partial or estimated", "a part is missing:\nno total"]


def test_the_bars_grow_with_the_span(ax):
    """Weeks for a quarter of a year, months for four years; `freq` is what the caller says."""
    for days, each in ((120, "week"), (1200, "month")):
        t = pd.date_range("2020-01-01", periods=days + 1, freq="D", tz="UTC")
        frame = pd.DataFrame({"kWHNet/Elm/A": np.arange(days + 1.0)}, index=t)
        other = Figure().subplots()
        frame.dent.plot.stack(tz="UTC", ax=other)
        assert other.get_ylabel() == f"energy per {each} [kWh]"
    means("2023-12-01", "2023-12-02", A=4).dent.plot.stack("6h", tz=LA, ax=ax)
    assert ax.get_ylabel() == "energy per 6 hours [kWh]"
    assert total(ax)[1].reshape(4, 3)[:, 0] == pytest.approx(24)


def test_the_highest_total_is_marked(ax):
    """The mark is in the middle of its interval and says how much and when."""
    frame = means("2023-12-05", "2023-12-06", A=np.where(np.arange(96) == 40, 9, 1), B=2)
    frame.dent.plot.stack(elements="all", tz=LA, ax=ax)
    (mark,) = by_gid(ax, "mark")
    x = np.mean(utc_days("2023-12-05 10:00", "2023-12-05 10:15"))
    assert mark.get_xydata()[0] == pytest.approx([x, 11])
    assert [t.get_text() for t in by_gid(ax, "label")] == ["11.0 kW, Tue 5 Dec 10:00"]
    assert ax.get_ylim()[1] > 11


def test_a_site_says_what_is_stacked(ax):
    """Branches and exports with their labels, not the main; what feeds in stands below 0."""
    s = site(
        elements={
            "P1_M": element(role="main", label="Main"),
            "P1_A": element(label="Bakery"),
            "P1_S": element(role="export", label="Solar"),
        },
        tenants=[{"name": "A", "elements": ["P1_A"]}],
    )
    frame = readings({}, demand={"M": 9, "A": 10, "S": -1})
    frame.dent.plot.stack(site=s, start="2024-01-03", end="2024-01-05", ax=ax)
    a, solar = parts(ax)
    assert set(a.values) == {10.0}
    assert (set(solar.baseline), set(solar.values)) == ({-1.0}, {0.0})
    assert set(total(ax)[1]) == {9.0}
    assert words(ax) == ["Solar (P1_S)", "Bakery (P1_A)"]
    with pytest.raises(ConfigError, match="elements="):
        frame.dent.plot.stack(tz=LA, ax=ax)


def test_it_refuses_what_makes_no_sense(ax):
    """A negative number of marks, and a topic that has no energy."""
    frame = means("2023-12-05", "2023-12-06", A=1)
    with pytest.raises(ConfigError, match="n=-1"):
        frame.dent.plot.stack(n=-1, tz=LA, ax=ax)
    with pytest.raises(KindError):
        frame.assign(**{"V/Ch/A1": 1.0}).dent.plot.stack(topic="V", tz=LA, ax=ax)


@given(st.lists(st.lists(st.floats(-9, 9), min_size=3, max_size=3), min_size=1, max_size=5))
def test_layers_touch_and_add_up(rows):
    """Loads stand on each other from 0 up, what feeds in hangs from 0 down."""
    x = np.array(rows)
    low, high = layers(x)
    assert np.allclose(high - low, np.abs(x))
    assert np.allclose(high.max(axis=0).clip(min=0), np.maximum(x, 0).sum(axis=0))
    assert np.allclose(low.min(axis=0).clip(max=0), np.minimum(x, 0).sum(axis=0))
