"""Laws of `quality`: it never raises on a frame that `.dent` accepts, and hides no jump."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dentframe  # noqa: F401
from dentframe import RegisterRules

LABELS = (
    "kWHNet/Elm/A",
    "kWHNet/Elm/B",
    "kWHNet/Elm/B [Wh]",
    "kWHNet/Ch/A1",
    "DemandkW/Elm/A",
    "DemandkW/Elm/A [V]",
    "DemandkW/Elm/C",
    "A/Ch/A1",
    "A/Ch/A2",
    "V/Ch/A1",
    "dPF/Ch/A1",
    "dPF/Elm/A",
    "Foo/Elm/A",
    "note",
)
CELLS = st.one_of(
    st.none(),
    st.sampled_from([0.0, 1.0, -1.0, 3.2, 99999.0, np.nan, np.inf, -np.inf, 1e300, 5e-324]),
    st.floats(allow_nan=True, allow_infinity=True),
)
TEXT = st.sampled_from(["", "n/a", "7"])
MINUTES = st.lists(st.integers(0, 5000), max_size=40)


@st.composite
def frames(draw):
    """Any columns in any order over any instants, repeated or not, of one meter or two."""
    minutes = draw(MINUTES)
    times = pd.Timestamp("2024-03-30", tz="UTC") + pd.to_timedelta(minutes, unit="min")
    index = pd.DatetimeIndex(times, name="time", tz="UTC")
    n = len(index)
    labels = draw(st.lists(st.sampled_from(LABELS), min_size=1, max_size=6))
    labels.append(draw(st.sampled_from(LABELS[:-1])))
    columns = []
    for _ in labels:
        cells = draw(st.sampled_from([CELLS, CELLS, st.one_of(CELLS, TEXT)]))
        values = draw(st.lists(cells, min_size=n, max_size=n))
        text = any(isinstance(x, str) for x in values)
        columns.append(pd.Series(values, index=index, dtype=object if text else float))
    made = pd.concat(columns, axis=1).set_axis(labels, axis=1)
    if draw(st.booleans()):
        meter = [draw(st.sampled_from(["P1", "P2"])) for _ in range(n)]
        made.index = pd.MultiIndex.from_arrays([meter, index], names=["meter", "time"])
    return made


@given(frames(), st.sampled_from([RegisterRules(), RegisterRules(max_kw=50.0)]), st.booleans())
def test_it_never_raises(frame, registers, detail):
    """Whatever the columns hold: what other verbs refuse is a row."""
    found = frame.dent.quality(registers=registers, detail=detail)
    assert found["start"].le(found["end"]).all()
    assert found["severity"].isin(["info", "warning", "error"]).all()


@pytest.mark.filterwarnings("ignore::dentframe.errors.ReadingWarning")
@given(st.lists(st.sampled_from([0.0, 0.1, 2.0, 50_000.0]), min_size=5, max_size=60))
def test_a_withheld_step_is_a_finding(rises):
    """What `energy` leaves out as a jump is named, with at least the energy it leaves out."""
    time = pd.date_range("2024-01-01", periods=len(rises) + 1, freq="15min", tz="UTC")
    frame = pd.DataFrame({"kWHNet/Elm/A": np.r_[0.0, np.cumsum(rises)] + 48210}, index=time)
    row = frame.dent.energy(detail=True, min_coverage=0).iloc[0]
    found = frame.dent.quality().set_index("finding")
    assert ("jump" in found.index) == ("unexplained_jump" in row["flags"])
    lost = frame.iloc[-1, 0] - frame.iloc[0, 0] - np.nan_to_num(row["energy"])
    assert np.isclose(found["kwh_at_risk"].get("jump", 0.0), lost)
