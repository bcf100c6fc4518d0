"""Every verb takes `elements=`: only they are asked, shown and refused."""

import numpy as np
import pandas as pd
import pytest

from dentframe.errors import UnknownMeterError

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
