"""Which interval a DemandkW row covers, against the emulator's plant."""

import numpy as np
import pandas as pd
import pytest

from dentframe import RegisterRules
from dentframe.emulator import Element, Load, Meter, Plant
from dentframe.errors import KindError, RangeError
from dentframe.verbs.demand import COLUMNS

START, END = "2023-11-01", "2023-11-15"
ALL = ((1, 0.4), (2, 0.3), (3, 0.3))


def meter_at(offset):
    """A bakery, an office, a cycling cooler, solar panels and a vacant unit."""
    loads = {
        "B": Load("bakery", 18000, standby=0.15, hours=(3, 15), weekend=0.95, split=ALL),
        "C": Load("office", 11000, standby=0.12, hours=(7, 19), weekend=0.1, split=ALL),
        "E": Load("cooler", 2400, standby=0.03, hours=(0, 24), cycle=10, split=ALL),
        "G": Load("solar", 7500, solar=True, split=ALL),
        "H": Load("vacant", 0, split=ALL),
    }
    return Meter("P1", tuple(Element(k, k, (v,)) for k, v in loads.items()), offset=offset)


def read(window, offset=2):
    """Fourteen days of a plant's meter, as a frame."""
    plant = Plant(0, meters=[meter_at(offset)], demand_window=window, events=())
    headers, rows = plant.rows("P1", START, END, ["DemandkW", "kWHNet"])
    stamps = [f"{r['date']}T{r['time']}Z" for r in rows]
    cells = {c: [float(r.get(c, "nan")) for r in rows] for c in headers[2:]}
    return pd.DataFrame(cells, index=pd.DatetimeIndex(stamps).rename("time"))


def one(frame, element):
    return frame[[f"DemandkW/Elm/{element}", f"kWHNet/Elm/{element}"]]


def test_a_sliding_window_is_clear():
    """A3: at lag 0 only the rounding of the wire is left, elsewhere far more."""
    (row,) = one(read("sliding"), "B").dent.check_demand_window().itertuples()
    assert row.best_lag == row.own_lag == pd.Timedelta(0)
    assert row.rms < 0.0005
    assert row.margin > 0.95
    assert row.verdict == "sliding"


@pytest.mark.parametrize("minutes", [2, 5, 11])
def test_a_block_is_found_at_the_polls_offset(minutes):
    """A3: the least residual is at the true lag, with a shallow margin, for all elements."""
    frame = read("block", minutes)
    rules = RegisterRules(max_kw={"G": 60}, allow_export={"G": True})
    found = frame.dent.check_demand_window(registers=rules)
    found = found[found["element"] != "H"]
    assert (found["best_lag"] == pd.Timedelta(minutes=minutes)).all()
    assert (found["verdict"] == "block").all()
    assert found["margin"].between(0.005, 0.3).all()
    assert (found["rms"] < found["rms_at_zero"]).any()


def test_one_element_of_a_block():
    """An element without regular cycles tells the lag by itself."""
    (row,) = one(read("block"), "C").dent.check_demand_window().itertuples()
    assert row.best_lag == row.own_lag == pd.Timedelta("2min")
    assert row.rms < row.next_rms < row.rms_at_zero


def test_a_vacant_element_tells_nothing():
    """Zeros fit every lag."""
    (row,) = one(read("block"), "H").dent.check_demand_window().itertuples()
    assert row.verdict == "unclear"
    assert pd.isna(row.best_lag)
    assert np.isnan(row.margin)


def test_samples_are_unclear():
    """Noise that belongs to no window is called so."""
    frame = one(read("sliding"), "B")
    noise = np.random.default_rng(1).permutation(frame["DemandkW/Elm/B"].to_numpy())
    (row,) = frame.assign(**{"DemandkW/Elm/B": noise}).dent.check_demand_window().itertuples()
    assert row.verdict == "unclear"


def test_gaps_and_resets_are_left_out():
    """Windows in which the register is not measured do not count."""
    frame = one(read("sliding"), "B")
    cut = frame.drop(frame.index[100:140])
    (row,) = cut.dent.check_demand_window().itertuples()
    assert row.verdict == "sliding"
    assert row.n < len(cut) - 2


def test_few_rows_are_unclear():
    """A handful of rows proves nothing."""
    frame = one(read("sliding"), "B").iloc[:12]
    assert frame.dent.check_demand_window()["verdict"].tolist() == ["unclear"]


def test_bounds_restrict_the_rows():
    """Only rows stamped in (start, end] are used, naive bounds being wall time in tz."""
    frame = one(read("sliding"), "B")
    found = frame.dent.check_demand_window(start="2023-11-05", end="2023-11-06", tz="UTC")
    assert found["n"].tolist() == [96]


def test_it_never_shifts():
    """The frame is left as it is."""
    frame = one(read("block"), "B")
    before = frame.copy()
    frame.dent.check_demand_window()
    pd.testing.assert_frame_equal(frame, before)


def test_several_meters_are_judged_apart():
    """Each meter has its own clock."""
    one_meter, other = read("block", 11), read("sliding", 11)
    frame = pd.concat({"P1": one_meter, "P2": other}, names=["meter", "time"])
    found = frame.dent.check_demand_window()
    assert tuple(found.columns) == ("meter", *COLUMNS)
    assert found.groupby("meter")["verdict"].first().to_dict() == {"P1": "block", "P2": "sliding"}


def test_what_is_refused():
    """Nothing to compare, no lag to compare with, a span that ends before it starts."""
    frame = one(read("sliding"), "B")
    with pytest.raises(KindError, match="no kWHNet column"):
        frame[["DemandkW/Elm/B"]].dent.check_demand_window()
    with pytest.raises(RangeError, match="max_lag"):
        frame.dent.check_demand_window(max_lag="0min")
    with pytest.raises(RangeError, match="start is not before"):
        frame.dent.check_demand_window(start="2023-11-06", end="2023-11-05", tz="UTC")


def test_a_load_of_five_minute_steps_is_never_called_wrongly():
    """Such a load pulls the best lag of a block a minute off: then the verdict is `unclear`."""
    for seed in range(12):
        rng, late = np.random.default_rng(seed), 1 + seed
        used = np.r_[0.0, np.cumsum(np.repeat(rng.lognormal(1, 0.7, 4032), 5)) / 60]
        polls = np.arange(30, 20160, 15) + late
        index = pd.Timestamp("2024-01-01", tz="UTC") + pd.to_timedelta(polls, unit="min")
        kwh = used[polls - late] - used[polls - late - 15]
        columns = {"kWHNet/Elm/A": 1000 + used[polls].round(3), "DemandkW/Elm/A": 4 * kwh}
        (row,) = pd.DataFrame(columns, index=index).dent.check_demand_window().itertuples()
        right = row.verdict == "block" and row.best_lag == pd.Timedelta(late, unit="min")
        assert right or row.verdict == "unclear"
