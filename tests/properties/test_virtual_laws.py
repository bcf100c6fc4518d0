"""Laws of virtual meters: they are linear, and add up over time."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

STEPS = st.lists(st.integers(0, 4000), min_size=9, max_size=9)
FACTORS = st.tuples(*(st.integers(1, 40) for _ in range(3)))


def frame_of(a, b, c, dropped=()):
    """Three registers, watt-hours exact, without some rows."""
    t = pd.date_range("2024-03-30 22:02", periods=10, freq="37min", tz="UTC", name="time")
    cells = {
        f"kWHNet/Elm/{e}": 100 + np.concatenate(([0], np.cumsum(x))) / 1000
        for e, x in zip("ABC", (a, b, c), strict=True)
    }
    made = pd.DataFrame(cells, index=t)
    return made.drop(t[sorted(dropped)])


@given(STEPS, STEPS, STEPS, FACTORS)
def test_a_sum_is_linear_in_its_parts(a, b, c, factors):
    """The signed sum of what `energy` says of each part."""
    frame = frame_of(a, b, c)
    p, q, r = (f / 8 for f in factors)
    found = frame.dent.virtual({"X": f"{p}*A - {q}*B + {r}*C"}, "h", tz="UTC", min_coverage=0)
    parts = frame.dent.energy("h", tz="UTC", min_coverage=0)
    expected = p * parts.iloc[:, 0] - q * parts.iloc[:, 1] + r * parts.iloc[:, 2]
    assert found.iloc[:, 0].to_numpy() == pytest.approx(expected.to_numpy(), abs=1e-9)


@given(STEPS, STEPS, STEPS, st.sets(st.integers(1, 8), max_size=6))
def test_periods_add_up_to_the_whole(a, b, c, dropped):
    """Any partition of the span has the energy of the whole, and bounds hold it."""
    frame = frame_of(a, b, c, dropped)
    formulas = {"X": "A - B - C", "Y": "2*A + 0.5*C"}
    whole = frame.dent.virtual(formulas, min_coverage=0)
    parts = frame.dent.virtual(formulas, "h", tz="UTC", min_coverage=0, detail=True)
    sums = parts.groupby("element")["energy"].sum()
    assert sums["X"] == pytest.approx(whole.iloc[0, 0], abs=1e-9)
    assert sums["Y"] == pytest.approx(whole.iloc[0, 1], abs=1e-9)
    assert (parts["lo"] <= parts["energy"] + 1e-9).all()
    assert (parts["energy"] <= parts["hi"] + 1e-9).all()
    negative = parts["energy"] < -1e-9
    assert parts["flags"].map(lambda f: "negative_residual" in f).tolist() == negative.tolist()


@given(STEPS, STEPS, STEPS, st.randoms())
def test_the_order_of_rows_changes_nothing(a, b, c, random):
    """Rows may come in any order."""
    frame = frame_of(a, b, c)
    order = list(range(len(frame)))
    random.shuffle(order)
    one = frame.dent.virtual({"X": "A - B"}, "h", tz="UTC", min_coverage=0)
    other = frame.iloc[order].dent.virtual({"X": "A - B"}, "h", tz="UTC", min_coverage=0)
    pd.testing.assert_frame_equal(one, other)
