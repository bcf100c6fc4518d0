"""Whatever pandas does to a read, no recorded figure differs from that of a fresh read."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dentframe
from dentframe import datasets
from tests.attrs_kit import told

pytestmark = pytest.mark.filterwarnings("ignore::dentframe.errors.DentWarning")
KWH, KW = "kWHNet/Elm/A", "DemandkW/Elm/A"
START = pd.Timestamp("2023-06-01", tz="UTC")
STEP = pd.Timedelta("1h")
ROWS = 24 * 6


@st.composite
def reads(draw, lates=(0, 3, 59)):
    """Hourly readings of some days, with or without the readings around them."""
    bracket = draw(st.booleans())
    late = pd.Timedelta(minutes=draw(st.sampled_from(lates)))
    times = pd.date_range(START + late, periods=ROWS, freq=STEP) - (STEP if bracket else late * 0)
    power = np.array(draw(st.lists(st.integers(1, 9), min_size=ROWS, max_size=ROWS)), dtype=float)
    frame = pd.DataFrame(
        {KWH: np.cumsum(power), KW: power}, index=times.rename("time").as_unit("us")
    )
    return told(frame, {"P1": (START, START + ROWS * STEP)})


def join(how, parts):
    if how == "concat":
        return dentframe.concat(parts)
    if how == "pandas":
        return pd.concat(parts)
    whole = parts[0]
    for part in parts[1:]:
        whole = whole.combine_first(part)
    return whole


@st.composite
def changed(draw, frame):
    """Slices of a read, joined, in another order, through xarray."""
    cuts = draw(st.lists(st.integers(0, len(frame)), min_size=2, max_size=6))
    slices = [
        frame.iloc[min(a, b) : max(a, b)] for a, b in zip(cuts[::2], cuts[1::2], strict=False)
    ]
    parts = [x for x in slices if len(x)] or [frame]
    made = join(draw(st.sampled_from(["concat", "pandas", "combine_first"])), parts)
    if draw(st.booleans()):
        made = made.sample(frac=1, random_state=draw(st.integers(0, 9)))
    elif draw(st.booleans()) and made.index.is_unique:
        made = datasets.to_frame(datasets.to_xarray(made.sort_index()))
    return made


def days(frame, source):
    options = {"tz": "UTC", "source": source, "interval": "1h", "detail": True}
    return frame.dent.energy("D", **options).set_index("start")


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from(["register", "demand"]))
def test_slices_joined_give_the_figures_of_a_fresh_read(data, source):
    """A recorded day is the same day; a day that is not says so."""
    fresh = data.draw(reads())
    made = days(data.draw(changed(fresh)), source)
    figures = made[made["status"] == "recorded"]
    whole = days(fresh, source).reindex(figures.index)
    assert figures["energy"].to_numpy() == pytest.approx(whole["energy"].to_numpy(), abs=1e-9)
    assert not figures.index.isna().any()


@settings(max_examples=30, deadline=None)
@given(reads(), st.integers(1, 60), st.sampled_from(["register", "demand"]))
def test_shifted_readings_have_their_figures_where_they_are(frame, shift, source):
    """As those of the same readings of which nothing is known."""
    moved = frame.shift(freq=f"{shift}D")
    bare = moved.copy()
    bare.attrs = {}
    columns = ["energy", "status", "end"]
    pd.testing.assert_frame_equal(days(moved, source)[columns], days(bare, source)[columns])


@settings(max_examples=30, deadline=None)
@given(reads(), st.sampled_from([2, 3, 6]))
def test_means_of_hours_are_not_taken_for_what_was_read(frame, hours):
    """Resampled to their true labels, they give what was read; no reading is dropped."""
    coarse = frame[[KW]].resample(f"{hours}h", closed="right", label="right").mean()
    lost = coarse.dent.energy(tz="UTC", interval=f"{hours}h", detail=True)
    covered = lost["coverage"].item() * (lost["end"].item() - lost["start"].item()) / STEP
    assert covered >= len(frame) - hours


@settings(max_examples=30, deadline=None)
@given(reads(lates=(0,)), st.sampled_from([2, 3, 6]), st.booleans(), st.booleans())
def test_fewer_readings_give_no_other_recorded_figure(fresh, hours, told_so, register):
    """Last values and means of whole hours, at their true labels, with the interval told or not."""
    source = "register" if register else "demand"
    parts = fresh.resample(f"{hours}h", closed="right", label="right")
    made = parts.agg({KWH: "last", KW: "mean"})[parts.size() == hours]
    made.attrs = fresh.attrs
    options = {"tz": "UTC", "source": source, "interval": f"{hours}h" if told_so else "1h"}
    figures = made.dent.energy("D", detail=True, **options).set_index("start")
    figures = figures[figures["status"] == "recorded"]
    whole = days(fresh, source).reindex(figures.index)
    assert figures["energy"].to_numpy() == pytest.approx(whole["energy"].to_numpy(), abs=1e-9)
