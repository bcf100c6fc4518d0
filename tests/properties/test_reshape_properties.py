"""Reshaping loses nothing, on random frames."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from dentframe.frame import reshape, select

ELEMENTS = [f"{t}/Elm/{e}" for t in ("kWHNet", "DemandkW", "New") for e in ("A", "C", "AA")]
CHANNELS = [f"A/Ch/{e}{n}" for e in "AC" for n in (1, 2, 10)]
ODD = ["V/Ph/L1-L2", "DemandkW/Elm/P [W]", "dPF/Elm/A", "dPF/Ch/A1", "V/Elm/A [mV]"]
FLOATS = st.floats(width=64, allow_nan=True, allow_infinity=True)


@st.composite
def frames(draw, labels=tuple(ELEMENTS + CHANNELS + ODD)):
    columns = draw(st.lists(st.sampled_from(labels), min_size=1, max_size=8, unique=True))
    rows = draw(st.integers(1, 5))
    minutes = draw(st.lists(st.integers(0, 10**6), min_size=rows, max_size=rows, unique=True))
    index = pd.DatetimeIndex(
        np.array(minutes) * np.timedelta64(1, "m") + np.datetime64("2023-01-01", "us"), name="time"
    ).tz_localize("UTC")
    zone = draw(st.sampled_from(["UTC", "America/Los_Angeles", "Asia/Kathmandu"]))
    size = rows * len(columns)
    values = draw(st.lists(FLOATS, min_size=size, max_size=size))
    frame = pd.DataFrame(
        np.array(values).reshape(rows, -1), index=index.tz_convert(zone), columns=columns
    )
    meters = draw(st.sampled_from([(), ("P1",), ("P1", "P_2")]))
    return pd.concat(dict.fromkeys(meters, frame), names=["meter", "time"]) if meters else frame


@given(frames())
def test_long_and_back_is_identical(frame):
    """Every bit, the order of rows and columns, the zone and the levels."""
    assert_frame_equal(reshape.from_long(frame.dent.to_long()), frame, check_exact=True)


@given(frames(), st.randoms(use_true_random=False))
def test_long_rows_in_any_order_give_the_same_frame(frame, random):
    """Up to the order of rows and columns."""
    long = frame.dent.to_long()
    order = list(range(len(long)))
    random.shuffle(order)
    back = reshape.from_long(long.iloc[order])
    assert_frame_equal(
        back.sort_index()[sorted(frame)], frame.sort_index()[sorted(frame)], check_exact=True
    )


@given(frames(labels=tuple(ELEMENTS)))
def test_wide_by_element_and_back_is_identical(frame):
    """Topic by topic."""
    for topic in select.topics(frame):
        back = reshape.from_elements(frame.dent.by_element(topic), topic)
        assert_frame_equal(back, frame.dent.select(topic), check_exact=True)


@given(frames())
def test_what_is_selected_is_in_the_frame(frame):
    """Selecting by each element gives the frame's own columns, once each."""
    for element in select.elements(frame):
        part = frame.dent.select(element=element)
        assert_frame_equal(part, frame[list(part.columns)], check_exact=True)
        assert set(select.table(part).element) == {element}


@given(frames(labels=("kWHNet/Elm/A", "DemandkW/Elm/P [W]", "dPF/Elm/A", "V/Elm/A [mV]")))
def test_units_on_and_off_change_no_bit(frame):
    """NaN to NA and back, signed zeros and infinities."""
    back = frame.dent.quantify().dent.dequantify()
    assert_frame_equal(back, frame, check_exact=True)
    same_bits = back.fillna(0.0).to_numpy().tobytes() == frame.fillna(0.0).to_numpy().tobytes()
    assert same_bits
