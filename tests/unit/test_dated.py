"""Lines with dates of their own: shared by the use of those dates."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dentframe import verify
from dentframe.errors import ConfigError
from tests.split_kit import (
    LA,
    balanced,
    bill,
    element,
    found,
    line,
    quantities,
    readings,
    shares,
    site,
    split,
    tenant,
)

HALF = {"end": "2024-01-11"}
REST = {"start": "2024-01-11"}


def changing():
    """A at 2 kW for ten days, then 4 kW; B the other way round; A's peak is late, B's early."""
    t = pd.date_range("2024-01-01", "2024-02-01", freq="15min", tz=LA, name="time")
    early = t < pd.Timestamp("2024-01-11", tz=LA)
    power = {"A": np.where(early, 2.0, 4.0), "B": np.where(early, 4.0, 2.0)}
    columns = {
        f"kWHNet/Elm/{k}": 100 + np.concatenate([[0], np.cumsum(p[:-1] / 4)])
        for k, p in power.items()
    }
    columns |= {f"DemandkW/Elm/{k}": np.concatenate([p[:1], p[:-1]]) for k, p in power.items()}
    return pd.concat({"P1": pd.DataFrame(columns, index=t.tz_convert("UTC"))}, names=["meter"])


def test_a_rate_change_by_hand():
    """Ten days: A 480, B 960 kWh; 21 days: A 2016, B 1008 kWh; each line by its own.

    144.00 by 480 : 960 are 48 and 96; 604.80 by 2016 : 1008 are 403.20 and 201.60. Shared by the
    month's 2496 : 1968 A would have paid 80.52 of the first.
    """
    b = bill(
        line("Old", "energy", "144.00", kwh=1440, **HALF),
        line("New", "energy", "604.80", kwh=3024, **REST),
        kwh=4464,
    )
    run = split(b, site(), frame=changing())
    assert shares(run, "Old") == {"A": "48.00", "B": "96.00"}
    assert shares(run, "New") == {"A": "403.20", "B": "201.60"}
    assert quantities(run, "New") == {"A": "2016.00", "B": "1008.00"}
    assert run.ok
    assert len(run.exceptions) == 0
    assert balanced(run)
    assert [f"{x:%m-%d}" for x in run.charges["end"]] == ["01-11", "01-11", "02-01", "02-01"]
    first = run.statements["A"].lines[0]
    assert first.note.endswith("of the utility's 144.00 USD for 1–10 January 2024, 10 days")
    assert [str(r.energy) for r in run.statements["A"].readings] == ["480.00", "2016.00"]


def test_demand_days_and_stays_inside_the_dates():
    """B leaves at noon of the 6th: of ten days B has six, its peak counts 5.5 of ten days."""
    moved = [tenant("A", "A"), tenant("B", "B", end="2024-01-06T12:00:00")]
    rules = {"lines": {"energy": "energy", "demand": "own_peak", "fixed": "days"}}
    b = bill(
        line("Demand", "demand", "60.00", **HALF),
        line("Service", "fixed", "20.00", **HALF),
        line("Energy", "energy", "446.40"),
        kwh=4464,
    )
    run = split(b, site(moved, rules=rules), frame=changing())
    # own peaks: A 2 kW, B 4 x 5.5/10 = 2.2, vacant 4 x 4.5/10 = 1.8: 60 by 2 : 2.2 : 1.8
    assert shares(run, "Demand") == {"A": "20.00", "B": "22.00", "Landlord": "18.00"}
    assert shares(run, "Service") == {"A": "10.00", "B": "6.00", "Landlord": "4.00"}
    # the undated line: A 2496, B 5.5 days x 96 = 528, vacant 432 + 1008 = 1440 kWh
    assert quantities(run, "Energy") == {"A": "2496.00", "B": "528.00", "Landlord": "1440.00"}
    assert balanced(run)


def test_tiers_of_one_stretch_state_what_was_metered():
    """Two tiers of the same dates: only metered_kwh says what the utility measured."""
    tiers = (
        line("Tier 1", "energy", "100.00", kwh=1000, **HALF),
        line("Tier 2", "energy", "66.00", kwh=440, **HALF),
    )
    with pytest.raises(ConfigError, match=r"1000 and 440 kWh.*'metered_kwh'"):
        split(bill(*tiers), site(), frame=changing())
    told = [x | {"metered_kwh": 1440} for x in tiers]
    run = split(bill(*told), site(), frame=changing())
    assert shares(run, "Tier 2") == {"A": "22.00", "B": "44.00"}
    with pytest.raises(ConfigError, match="they state no kWh"):
        split(bill(line("Old", "energy", "1.00", **HALF)), site(), frame=changing())


def test_a_gap_in_one_stretch_refuses_its_line_alone(tmp_path):
    """B's last days are lost: the new line is nobody's, the old one is shared; both repeat."""
    frame = changing()
    frame.iloc[-200:, 1] = np.nan
    b = bill(
        line("Old", "energy", "144.00", kwh=1440, **HALF),
        line("New", "energy", "604.80", kwh=3024, **REST),
        kwh=4464,
    )
    run = split(b, site(), frame=frame)
    assert shares(run, "Old") == {"A": "48.00", "B": "96.00"}
    assert shares(run, "New") == {"unallocated": "604.80"}
    assert "2024-01-11" in found(run, "not_closed")["detail"].iloc[0]
    assert balanced(run)
    assert verify(run.save(tmp_path / "out")).ok


@pytest.mark.parametrize("dates", [{}, HALF])
def test_demand_needs_no_energy_of_the_utility(dates, tmp_path):
    """Common areas of a demand line go by the tenants' own energy, which nothing is held against.

    2 and 4 kW are their own; the common 0.5 kW goes by 1000 : 2000 kWh, 0.17 and 0.33 kW.
    """
    elements = {"P1_A": element(), "P1_B": element(), "P1_C": element(common=True)}
    where = site(elements=elements, rules={"common": {"by": "energy"}})
    totals, demand = {"A": 1000, "B": 2000, "C": 100}, {"A": 2, "B": 4, "C": 0.5}
    b = bill(line("Peak", "demand", "97.50", **dates), kwh=None)
    run = split(b, where, frame=readings(totals, demand=demand))
    assert quantities(run, "Peak") == {"A": "2.17", "B": "4.33"}
    assert balanced(run)
    assert run.ok
    assert verify(run.save(tmp_path / "run")).ok


def test_dates_that_cannot_be_meant():
    """A reversed line, and a stated loss in kWh that is the whole bill's."""
    wrong = line("Old", "energy", "1.00", start="2024-01-20", end="2024-01-10", kwh=1)
    with pytest.raises(
        ConfigError, match=r"line 'Old', field 'end' = 2024-01-10 is not after start"
    ):
        split(bill(wrong), site(), frame=readings({"A": 1, "B": 1}))
    loss = {"loss": {"by": "energy", "kwh": 10}}
    dated = line("Old", "energy", "1.00", kwh=1440, **HALF)
    with pytest.raises(ConfigError, match="State percent"):
        split(bill(dated), site(rules=loss), frame=changing())
