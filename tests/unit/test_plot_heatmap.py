"""The heatmap: where each quarter hour stands, and what is hatched."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from dentframe.errors import ConfigError, RangeError
from dentframe.plot.heatmap_and_coverage import lay
from tests.plot_kit import LA, boxes, by_gid, means, utc_days, words


@pytest.fixture
def ax():
    return Figure(figsize=(10, 4), layout="constrained").subplots()


def mesh(ax):
    return ax.collections[0]


def test_a_month_has_a_column_a_day_and_a_row_a_quarter(ax):
    """Value of the k-th quarter of day d is at row k, column d; columns begin at midnight."""
    frame = means("2023-12-01", "2023-12-31", A=np.arange(30 * 96))
    frame.dent.plot.heatmap(tz=LA, ax=ax)
    assert np.array_equal(np.asarray(mesh(ax).get_array()), np.arange(30 * 96).reshape(30, 96).T)
    grid = mesh(ax).get_coordinates()
    edges = utc_days("2023-12-01", "2023-12-02", "2023-12-31")
    assert grid[0, [0, 1, 30], 0].tolist() == pytest.approx(edges)
    assert grid[[0, 1, 96], 0, 1].tolist() == [0, 0.25, 24]
    assert ax.get_ylim() == (0, 24)


def test_few_days_are_rows_from_the_top(ax):
    """Three days are three rows, named by their dates; time runs to the right."""
    means("2023-12-01", "2023-12-04", A=np.arange(3 * 96)).dent.plot.heatmap(tz=LA, ax=ax)
    assert np.asarray(mesh(ax).get_array()).shape == (3, 96)
    assert [x.get_text() for x in ax.get_yticklabels()] == ["Fri 1 Dec", "Sat 2 Dec", "Sun 3 Dec"]
    assert ax.get_ylim() == (3, 0)
    assert ax.get_xlabel() == "local time (America/Los_Angeles), 2023"


def test_the_repeated_hour_is_drawn_twice(ax):
    """5 November 2023 has 25 hours in Los Angeles: 01:00 PDT at 1, 01:00 PST at 2."""
    frame = means("2023-11-04", "2023-11-07", A=0)
    label_utc = pd.DatetimeIndex(["2023-11-05T08:15Z", "2023-11-05T09:15Z"])
    frame.loc[label_utc, "DemandkW/Elm/A"] = [7.0, 9.0]
    frame.dent.plot.heatmap(tz=LA, ax=ax)
    row = np.asarray(mesh(ax).get_array())[1]
    assert row.shape == (100,)
    assert (row[4], row[8], np.nansum(row)) == (7, 9, 16)
    ordinary = np.asarray(np.ma.filled(mesh(ax).get_array(), np.nan))[0]
    assert np.isnan(ordinary[96:]).all()
    assert not np.isnan(ordinary[:96]).any()
    assert "clocks change: a day of 25 h" in words(ax)
    (mark,) = by_gid(ax, "change")
    assert mark.get_xydata().tolist() == [[2, 1], [2, 2]]


def test_the_missing_hour_is_not_drawn_at_all(ax):
    """12 March 2023 has 23 hours: its column ends at 23 and nothing of it is hatched."""
    frame = means("2023-03-01", "2023-03-31", A=np.arange(30 * 96 - 4))
    frame.dent.plot.heatmap(tz=LA, ax=ax)
    table = np.ma.filled(mesh(ax).get_array(), np.nan)
    assert np.isnan(table[92:, 11]).all()
    assert not np.isnan(table[:92, 11]).any()
    assert table[8, 11] == 11 * 96 + 8
    grid = mesh(ax).get_coordinates()[0, :, 0]
    assert (grid[12] - grid[11]) * 24 == pytest.approx(23)
    assert words(ax) == ["clocks change: a day of 23 h"]
    assert boxes(by_gid(ax, "gaps")[0]) == []


def test_a_single_day_has_its_own_clock(ax):
    """The ticks of the day of 25 hours show 01 twice."""
    means("2023-11-05", "2023-11-06", A=1).dent.plot.heatmap(tz=LA, ax=ax)
    shown = [x.get_text() for x in ax.get_xticklabels()]
    assert shown[:4] == ["00", "01", "01", "02"]
    assert shown[-2:] == ["23", "24"]
    assert ax.get_xticks().tolist() == list(range(26))


def test_what_is_not_recorded_is_hatched(ax):
    """Two lost readings hatch the half hour that they closed, and nothing else."""
    frame = means("2023-12-01", "2023-12-03", A=5, B=1)
    frame.iloc[40:42, 1] = np.nan  # they close 10:00-10:30
    frame.dent.plot.heatmap(tz=LA, ax=ax, elements=["A", "B"])
    assert boxes(by_gid(ax, "gaps")[0]) == [(10.0, 0.0, 0.5, 1.0)]
    table = np.ma.filled(mesh(ax).get_array(), np.nan)
    assert np.argwhere(np.isnan(table)).tolist() == [[0, 40], [0, 41]]
    assert np.nanmax(table) == np.nanmin(table) == 6
    assert words(ax) == ["not recorded"]


def test_a_day_outside_the_span_is_blank(ax):
    """What lies before the first reading is neither coloured nor hatched."""
    frame = means("2023-12-01", "2023-12-20", A=5).iloc[48:]
    frame.dent.plot.heatmap(tz=LA, ax=ax)
    assert np.isnan(np.ma.filled(mesh(ax).get_array(), np.nan)).sum() == 48
    assert boxes(by_gid(ax, "gaps")[0]) == []


def test_the_colour_bar_has_a_unit_and_begins_at_0(ax):
    """The bar names what is shown, in kW; power fed in gets colours around 0."""
    means("2023-12-01", "2023-12-03", A=5).dent.plot.heatmap(tz=LA, ax=ax)
    bar = ax.figure.axes[1]
    assert bar.get_ylabel() == "A, demand [kW]"
    assert mesh(ax).get_clim() == (0, 5)
    other = Figure().subplots()
    means("2023-12-01", "2023-12-03", A=np.tile([2.0, -3.0], 96)).dent.plot.heatmap(tz=LA, ax=other)
    assert mesh(other).get_clim() == (-3, 3)


def test_half_an_hour_more_on_lord_howe():
    """The hour in which Lord Howe's clock goes back lasts 90 minutes: three rows of 30."""
    t = pd.date_range("2024-04-06 00:00", "2024-04-07 00:00", tz="Australia/Lord_Howe").tz_convert(
        "UTC"
    )
    s = pd.date_range(t[0], periods=48, freq="30min", tz="UTC").as_unit("us").asi8
    days = lay(s, s + 30 * 60_000_000, np.ones(48), t.tz_convert("Australia/Lord_Howe").tz)
    assert days.hours.tolist() == [24.0]
    change = pd.Timestamp("2024-04-07", tz="Australia/Lord_Howe")
    low, high = (int(x.timestamp() * 1e6) for x in (change, change + pd.DateOffset(days=1)))
    hour = 3_600_000_000
    s = np.array([low, low + hour, low + 5 * hour // 2])
    e = np.array([low + hour, low + 5 * hour // 2, high])
    days = lay(s, e, np.array([1.0, 2.0, 3.0]), change.tz)
    assert days.hours.tolist() == [24.5]
    assert days.kw[:6, 0].tolist() == [1, 1, 2, 2, 2, 3]
    assert list(days.changes()) == [(0, 2.0, 0.5)]


def test_several_elements_need_names(ax):
    """A main beside its branches would count twice, so that they must be named."""
    frame = means("2023-12-01", "2023-12-03", A=5, B=1)
    with pytest.raises(ConfigError, match="elements="):
        frame.dent.plot.heatmap(tz=LA, ax=ax)
    frame.dent.plot.heatmap(tz=LA, ax=ax, elements="all")
    assert np.nanmax(mesh(ax).get_array()) == 6


def test_what_cannot_be_drawn_says_why(ax):
    """No rows, no zone, no whole block, no Axes."""
    frame = means("2023-12-01", "2023-12-03", A=5)
    with pytest.raises(RangeError, match="no rows"):
        frame.iloc[:0].dent.plot.heatmap(tz=LA, ax=ax)
    with pytest.raises(RangeError, match="tz="):
        frame.dent.plot.heatmap(ax=ax)
    with pytest.raises(RangeError, match="none of them whole"):
        frame.dent.plot.heatmap(tz=LA, ax=ax, start="2023-12-01 00:01", end="2023-12-01 00:09")
    with pytest.raises(ConfigError, match="no matplotlib Axes"):
        frame.dent.plot.heatmap(tz=LA, ax=[ax])


def test_a_frame_without_a_value_is_hatched_throughout(ax):
    """Every day is one box of 24 hours, and no cell has a colour."""
    means("2023-12-01", "2023-12-13", A=np.nan).dent.plot.heatmap(
        tz=LA,
        ax=ax,
        start="2023-12-01",
        end="2023-12-13",
    )
    assert [b[1::2] for b in boxes(by_gid(ax, "gaps")[0])] == [(0.0, 24.0)] * 12
    assert np.ma.count(np.ma.masked_invalid(mesh(ax).get_array())) == 0
