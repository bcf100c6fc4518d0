"""The failings that are measured in docs/explain/where-others-fail.md, and dentframe beside each.

Every test runs the usual way, shows that it is wrong, and holds dentframe to the truth: that of
the emulator's plant, which knows what each element really used.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pandas as pd
import pint
import pytest
import xarray as xr

from dentframe import allocate, read_dentcloud
from dentframe.errors import CoverageWarning, KindError, UnitError
from dentframe.wire.columns import registry
from tests.golden import usual_kit
from tests.golden.usual_kit import LA, METER, TOPICS

plant = usual_kit.plant
cloud = usual_kit.cloud
client = usual_kit.client
december = usual_kit.december
no_fault_is_left = usual_kit.no_fault_is_left

RESOLUTION = 0.01  # kWh: the register's last digit, and a minute at an edge


@pytest.fixture
def ours(client):
    """The same month as dentframe reads it."""
    return read_dentcloud(METER, "2023-12", topics=TOPICS, bracket=True, client=client)


def truth(plant, element, start="2023-12-01", end="2024-01-01", zone="UTC"):
    """What the element really used [kWh]."""
    edges = (pd.Timestamp(when, tz=zone).to_pydatetime() for when in (start, end))
    return plant.energy(METER, element, *edges)


def test_a_register_is_summed(december, ours, plant):
    """`df.sum()` of a register bills tens of thousands of times the energy."""
    assert december["kWHNet/Elm/D"].sum() > 10_000 * truth(plant, "D")
    with pytest.raises(KindError, match="register"):
        ours.dent.stats("kWHNet", "D", tz="UTC")
    assert ours.dent.select(element="D").dent.energy(tz="UTC")[
        "Energy/Elm/D"
    ].item() == pytest.approx(truth(plant, "D"), abs=RESOLUTION)


def test_each_midnight_loses_a_step(december, ours, plant):
    """Last minus first of each day, summed, lacks thirty steps of the month."""
    days = december["kWHNet/Elm/A"].resample("D").agg(lambda day: day.iloc[-1] - day.iloc[0])
    assert truth(plant, "A") - days.sum() > 100
    main = ours.dent.select(element="A")
    month = main.dent.energy(tz="UTC", detail=True).iloc[0]
    assert month["lo"] <= truth(plant, "A") <= month["hi"]
    assert main.dent.energy("D", tz="UTC").sum().item() == pytest.approx(month["energy"], abs=1e-6)


def test_a_blank_is_read_as_zero(december, ours, plant):
    """`fillna(0).diff().clip(lower=0)` bills the whole register after each blank."""
    filled = december["kWHNet/Elm/D"].fillna(0).diff().clip(lower=0).sum()
    assert filled > 25_000 + truth(plant, "D")
    assert ours.dent.select(element="D").dent.energy(tz="UTC")[
        "Energy/Elm/D"
    ].item() == pytest.approx(truth(plant, "D"), abs=RESOLUTION)


def test_a_zero_blip_is_read_as_use(december, ours, plant):
    """One reading of 0 among 107,000 costs a whole register with `diff().clip(lower=0)`."""
    clipped = december["kWHNet/Elm/B"].diff().clip(lower=0).sum()
    assert clipped > 100_000
    assert ours.dent.select(element="B").dent.energy(tz="UTC")[
        "Energy/Elm/B"
    ].item() == pytest.approx(truth(plant, "B"), abs=RESOLUTION)


def test_a_cleared_register_is_negative_use(december, ours):
    """Last minus first over a reset is minus 97,213 kWh; here it is partial, and says why."""
    register = december["kWHNet/Elm/E"]
    assert register.iloc[-1] - register.iloc[0] < -90_000
    with pytest.warns(CoverageWarning, match="decrease_unclassified"):
        ours.dent.select(element="E").dent.energy(tz="UTC")
    found = ours.dent.select(element="E").dent.energy(tz="UTC", detail=True)
    row = found.iloc[0]
    assert row["status"] == "partial"
    assert "decrease_unclassified" in row["flags"]
    assert row["energy"] > 0


def test_demand_is_summed_as_if_it_were_energy(december, ours, plant):
    """The sum of 15-minute kW is about four times the kWh."""
    assert december["DemandkW/Elm/A"].sum() == pytest.approx(4 * truth(plant, "A"), rel=0.01)
    alone = ours.dent.select(element="A")
    energy = alone.dent.energy(tz="UTC", source="demand")["Energy/Elm/A"].item()
    assert energy == pytest.approx(truth(plant, "A"), rel=1e-3)


def test_days_are_those_of_greenwich(december, client, plant):
    """UTC days are not Los Angeles' days; a day is off by more than a tenth."""
    utc_day = december["kWHNet/Elm/A"].resample("D").first().diff().shift(-1)["2023-12-12"]
    true = truth(plant, "A", "2023-12-12", "2023-12-13", LA)
    assert abs(utc_day / true - 1) > 0.02
    one = f"{METER}_A"
    frame = read_dentcloud([one], "2023-12", topics="kWHNet", tz=LA, bracket=True, client=client)
    frame = frame.loc[METER]
    days = frame.dent.energy("D", tz=LA, detail=True).set_index("start")
    assert days.loc["2023-12-12", "lo"].item() <= true <= days.loc["2023-12-12", "hi"].item()


def test_float32_loses_small_increments():
    """At 123,456 kWh a float32 steps by 0.0078 kWh: 0.003 kWh are nothing."""
    readings = [123_456.000, 123_456.003]
    assert np.diff(np.float32(readings)).item() == 0
    index = pd.date_range("2024-01-01", periods=2, freq="15min", tz="UTC")
    frame = pd.DataFrame({"kWHNet/Elm/A": readings}, index)
    assert frame.dent.energy(tz="UTC").iloc[0, 0] == pytest.approx(0.003, abs=1e-9)


def test_half_up_shares_overshoot():
    """Three equal shares of 100.00... each half-up: 123.45 in six parts bills a cent too much."""
    amount, parts = Decimal("123.45"), 6
    cent = Decimal("0.01")
    each = (amount / parts).quantize(cent, ROUND_HALF_UP)
    assert each * parts != amount
    assert sum(allocate(amount, pd.Series(1, index=range(parts)))) == amount


def test_pint_adds_what_has_no_sum():
    """pint adds kW and kVA, and parses PF as a petafarad; the verbs refuse by kind."""
    plain = pint.UnitRegistry()
    assert (plain("1 kW") + plain("1 kVA")).magnitude == 2
    assert plain("PF").check("[capacitance]")
    with pytest.raises(pint.DimensionalityError):
        registry()("1 kWh") + registry()("1 kVAh")
    index = pd.date_range("2024-01-01", periods=2, freq="15min", tz="UTC")
    with pytest.raises((KindError, UnitError)):
        pd.DataFrame({"DemandkW/Elm/A": [1.0, 2.0]}, index).dent.convert({"DemandkW": "kVA"})


def test_netcdf_refuses_a_zoned_index(tmp_path):
    """A frame's own `to_xarray` keeps the zone, and `to_netcdf` then fails."""
    index = pd.date_range("2024-01-01", periods=3, freq="15min", tz="UTC", name="time")
    frame = pd.DataFrame({"DemandkW/Elm/A": [1.0, 2.0, 3.0]}, index)
    plain = xr.Dataset.from_dataframe(frame)
    with pytest.raises((TypeError, ValueError, NotImplementedError)):
        plain.to_netcdf(tmp_path / "theirs.nc")


def test_the_last_day_is_cut_at_its_last_reading(december, plant):
    """`resample("D").last().diff()` has no first day, and days end at 23:47."""
    days = december["kWHNet/Elm/A"].resample("D").last().diff()
    assert np.isnan(days.iloc[0])
    true = [truth(plant, "A", f"2023-12-{d:02}", f"2023-12-{d + 1:02}") for d in range(2, 31)]
    assert np.abs(days.iloc[1:30].to_numpy() - true).max() > 1
