"""Every verb takes `elements=`: only they are asked, shown and refused."""

import numpy as np
import pandas as pd
import pytest

from dentframe.errors import ConfigError, RangeError, UnknownMeterError

LA = "America/Los_Angeles"
ASK = {
    "demand": lambda d, **k: d.demand("1h", tz=LA, **k).columns.str[-1],
    "apparent_demand": lambda d, **k: d.apparent_demand("1h", tz=LA, **k).columns.str[-1],
    "peaks": lambda d, **k: d.peaks(tz=LA, min_coverage=0, **k)["element"],
    "load_factor": lambda d, **k: d.load_factor(tz=LA, min_coverage=0, **k).columns,
    "power_factor": lambda d, **k: d.power_factor(tz=LA, min_coverage=0, **k).columns,
    "duration": lambda d, **k: d.duration(tz=LA, **k).columns,
    "baseload": lambda d, **k: d.baseload(tz=LA, **k).columns,
    "profile": lambda d, **k: d.profile(tz=LA, **k).columns.get_level_values("element"),
    "unusual": lambda d, **k: d.unusual(tz=LA, min_coverage=0, **k)["element"],
    "stats": lambda d, **k: d.stats("A", min_coverage=0, **k).columns.get_level_values(0).str[-2],
    "coverage": lambda d, **k: d.coverage(**k).columns,
    "gaps": lambda d, **k: d.gaps(**k)["element"],
    "quality": lambda d, **k: d.quality(**k)["element"],
    "reconcile": lambda d, **k: d.reconcile(tz=LA, **k)["element"],
    "check_demand_window": lambda d, **k: d.check_demand_window(**k)["element"],
}


def two_elements():
    """A day of two elements, one row lost."""
    time = pd.date_range("2024-01-01", periods=97, freq="15min", tz="UTC", name="time")
    kw = np.random.default_rng(1).uniform(1, 5, 97)
    columns = {}
    for x in "AB":
        columns[f"kWHNet/Elm/{x}"] = 100 + np.cumsum(kw) / 4
        columns[f"kVAHNet/Elm/{x}"] = 100 + np.cumsum(kw) / 3.6
        columns[f"DemandkW/Elm/{x}"] = kw
        columns[f"A/Ch/{x}1"] = 4 * kw
    return pd.DataFrame(columns, index=time).drop(time[40])


@pytest.mark.parametrize("verb", ASK)
@pytest.mark.parametrize("several", [False, True])
def test_only_the_elements_asked_for(verb, several):
    """By letter in a frame of one meter, by full id in any; one that is not there is an error."""
    frame, name = two_elements(), "B"
    if several:
        frame, name = pd.concat({"P1": frame, "P2": frame}, names=["meter", "time"]), "P2_B"
    ask = ASK[verb]
    assert set(ask(frame.dent)) == {"A", "B"}
    assert set(ask(frame.dent, elements=name)) == {"B"}
    assert set(ask(frame.dent, elements=[name])) == {"B"}
    with pytest.raises(UnknownMeterError, match="'X'"):
        ask(frame.dent, elements="X")


def test_select_takes_what_every_verb_takes():
    """`elements`, and the rows of a half-open span of wall time."""
    frame = two_elements()
    part = frame.dent.select(
        elements="B", topic="DemandkW", start="2024-01-01", end="2024-01-01 02:00", tz=LA
    )
    assert part.columns.tolist() == ["DemandkW/Elm/B"]
    assert part.index[[0, -1]].tz_convert(LA).strftime("%H:%M").tolist() == ["00:00", "01:45"]
    several = pd.concat({"P1": frame, "P2": frame}, names=["meter", "time"])
    part = several.dent.select(elements="P2_A", end=frame.index[1])
    assert part.index.tolist() == [("P2", frame.index[0])]
    with pytest.raises(ConfigError, match="one and the same"):
        frame.dent.select(element="A", elements="B")
    with pytest.raises(RangeError, match="not before end"):
        frame.dent.select(start=frame.index[5], end=frame.index[5])
    with pytest.raises(RangeError, match="tz"):
        frame.dent.select(start="2024-01-01")


@pytest.mark.parametrize("verb", ["energy", "peaks", "gaps", "quality", "coincident"])
def test_a_wrong_spelling_is_told_the_right_one(verb):
    """`element=` of a verb, of a frame and of a Dataset."""
    frame = two_elements()
    for dent in (frame.dent, frame.dent.to_xarray().dent):
        with pytest.raises(TypeError, match="'element': did you mean 'elements'"):
            getattr(dent, verb)(element="A")
