"""Frames that are given to `split`: whatever their units and dtypes, the same shares."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dentframe import verify
from tests.split_kit import LA, bill, line, shares, site, split


def readings():
    """A at 2 kW and B at 4 kW through January: 1488 and 2976 kWh."""
    t = pd.date_range("2024-01-01", "2024-02-01", freq="15min", tz=LA, name="time")
    columns = {
        "kWHNet/Elm/A": np.linspace(0, 1488, len(t)),
        "kWHNet/Elm/B": np.linspace(0, 2976, len(t)),
        "DemandkW/Elm/A": 2.0,
        "DemandkW/Elm/B": 4.0,
    }
    return pd.DataFrame(columns, index=t.tz_convert("UTC"))


CHANGES = {
    "as they came": lambda df: df,
    "in MWh and W": lambda df: df.dent.convert({"kWHNet": "MWh", "DemandkW": "W"}),
    "pint": lambda df: df.dent.quantify(),
    "pint in W": lambda df: df.dent.convert({"DemandkW": "W"}).dent.quantify(),
    "in another zone": lambda df: df.tz_convert("Asia/Tokyo"),
    "in any order, some twice": lambda df: pd.concat([df, df[9:99]]).sample(frac=1, random_state=1),
    "beside another meter": lambda df: pd.concat({"P1": df, "P2": 3 * df}, names=["meter"]),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_units_zone_and_order_change_nothing(change, tmp_path):
    """600.00 by 1488 : 2976 kWh are 200 and 400; 60.00 by 2 : 4 kW are 20 and 40."""
    b = bill(line("Energy", "energy", "600.00"), line("Peak", "demand", "60.00"), kwh=4464)
    run = split(b, site(), frame=change(readings()))
    assert shares(run, "Energy") == {"A": "200.00", "B": "400.00"}
    assert shares(run, "Peak") == {"A": "20.00", "B": "40.00"}
    assert run.ok
    assert verify(run.save(tmp_path / "run")).ok
