"""The lanes of coverage: where they are whole, and what their gaps say."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from tests.plot_kit import LA, by_gid, means, utc_days, words
from tests.split_kit import element, readings, site


@pytest.fixture
def ax():
    return Figure(figsize=(10, 4), layout="constrained").subplots()


def bars(ax, gid):
    """(x, width, middle) of the bars of a kind, and their colour."""
    found = []
    for c in by_gid(ax, gid):
        for path in c.get_paths():
            (x0, y0), (x1, y1) = path.vertices.min(axis=0), path.vertices.max(axis=0)
            found.append(
                (float(x0), float(x1 - x0), float((y0 + y1) / 2), to_hex(c.get_facecolor()[0]))
            )
    return found


def test_a_gap_has_its_place_its_hours_and_its_colour(ax):
    """Ten lost readings are a gap of 2.5 hours in the lane of their element."""
    frame = means("2023-12-05", "2023-12-06", A=1, B=1)
    frame.iloc[8:18, 1] = np.nan  # 02:00-04:30
    frame.dent.plot.coverage(tz=LA, ax=ax)
    low, high, left, right = utc_days(
        "2023-12-05 02:00", "2023-12-05 04:30", "2023-12-05", "2023-12-06"
    )
    assert bars(ax, "missing") == [(pytest.approx(low), pytest.approx(high - low), 1, "#d55e00")]
    whole, before, after = bars(ax, "recorded")
    assert whole == (pytest.approx(left), pytest.approx(right - left), 0, "#009e73")
    assert (before[0], before[1]) == pytest.approx((left, low - left))
    assert (after[0], after[1]) == pytest.approx((high, right - high))
    assert [(x.get_text(), x.get_position()[0]) for x in by_gid(ax, "hours")] == [
        ("2.5 h", pytest.approx((low + high) / 2))
    ]
    assert [x.get_text() for x in by_gid(ax, "share")] == ["100 %", "89.5 %"]
    assert words(ax) == ["recorded", "missing"]
    assert [x.get_text() for x in ax.get_yticklabels()] == ["A", "B"]


def test_a_gap_that_a_register_bridges_has_another_colour(ax):
    """What the register knows is no missing energy, but its shape is lost."""
    frame = readings({"A": 100}, demand={"A": 1}, start="2024-01-01", end="2024-01-03")
    frame = frame.drop(frame.index[40:44])
    s = site(
        elements={"P1_A": element(label="Bakery")}, tenants=[{"name": "A", "elements": ["P1_A"]}]
    )
    frame.dent.plot.coverage(site=s, ax=ax)
    ((_, width, _, colour),) = bars(ax, "known")
    assert width * 24 == pytest.approx(1)
    assert colour == "#e69f00"
    assert words(ax) == ["recorded", "gap, energy known"]
    assert ax.get_yticklabels()[0].get_text() == "Bakery (P1_A)"


def test_labels_do_not_stand_on_each_other(ax):
    """Of many gaps close together the longest are labelled."""
    frame = means("2023-01-01", "2023-12-31", A=1)
    keep = np.ones(len(frame), dtype=bool)
    keep[np.arange(0, len(frame), 50)] = False
    keep[5000:5100] = False
    frame[keep].dent.plot.coverage(tz=LA, ax=ax)
    shown = by_gid(ax, "hours")
    assert shown[0].get_text() == "25.25 h"  # 5000 to 5100, the last of them a multiple of 50
    assert 5 < len(shown) < 60
    at = sorted(x.get_position()[0] for x in shown)
    assert np.diff(at).min() > 3


def test_an_element_without_a_reading_is_one_gap(ax):
    """A lane of nothing says how long, 0.0 %, and has no green."""
    frame = means("2023-12-05", "2023-12-06", A=np.nan)
    frame.dent.plot.coverage(tz=LA, start="2023-12-05", end="2023-12-06", ax=ax)
    assert bars(ax, "recorded") == []
    assert [x.get_text() for x in by_gid(ax, "hours")] == ["24 h"]
    assert [x.get_text() for x in by_gid(ax, "share")] == ["0.0 %"]
    assert words(ax) == ["missing"]


def test_the_day_of_23_hours_is_whole(ax):
    """A day without an hour has no gap."""
    frame = means("2023-03-12", "2023-03-13", A=1)
    frame.dent.plot.coverage(tz=LA, ax=ax)
    ((x, width, _, _),) = bars(ax, "recorded")
    assert width * 24 == pytest.approx(23)
    assert x == pytest.approx(pd.Timestamp("2023-03-12", tz=LA).timestamp() / 86400)
