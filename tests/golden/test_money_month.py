"""One month's bill, worked out by hand: holiday, clock change, rate change, glitch, reset."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from dentframe import RegisterRules, Tariff, Window
from dentframe.errors import CoverageError
from dentframe.money import Energy, Fixed, Tax, bill, earlier

NY = "America/New_York"


@pytest.fixture
def november():
    """November 2024 in New York: 721 hours, the clock goes back on Sunday the 3rd."""
    index = pd.date_range("2024-11-01", "2024-12-01", freq="15min", tz=NY)
    kw = np.where((index.hour >= 12) & (index.hour < 18), 8.0, 2.0)
    register = 7000 + np.concatenate([[0], np.cumsum(kw[:-1] / 4)])
    return pd.DataFrame({"kWHNet/Elm/A": register}, index=index.tz_convert("UTC").as_unit("us"))


def tariff():
    """Peak on weekdays; Thanksgiving (the 28th) is a holiday; dearer from the 18th."""
    peak = [Window("peak", "12:00", "18:00", days="weekday")]
    return Tariff(
        "t",
        [
            Energy("Energy", rates={"peak": "0.30", "other": "0.10"}, windows=peak,
                   valid_to="2024-11-18"),
            Energy("Energy", rates={"peak": "0.40", "other": "0.20"}, windows=peak,
                   valid_from="2024-11-18"),
            Fixed("Service", "0.45", per="day"),
            Tax("Tax", "0.0825", on=["Energy"]),
        ],
        "USD",
        ["2024-11-28"],
    )  # fmt: skip


def test_a_month_by_hand(november):
    """November with its extra hour, a holiday and a rate change.

    1 to 17 November: 11 weekdays of 6 h at 8 kW: 528 kWh on peak. The other hours: 17 days x
    18 h + 1 h of the clock change = 307 h at 2 kW, 6 weekend afternoons of 48 kWh: 614 + 288 = 902.
    18 to 30 November: 10 weekdays less the holiday, 9 x 48 = 432 kWh on peak. The other hours:
    13 x 18 h x 2 kW = 468, and 4 afternoons (holiday, 23, 24, 30) x 48 = 192: 660.
    Energy 158.40 + 90.20 + 172.80 + 132.00 = 553.40; service 30 x 0.45 = 13.50;
    tax 553.40 x 0.0825 = 45.6555, printed 45.66. Total 612.56.
    """
    november.iloc[700] = 0.0  # a zero blip, bridged by its neighbours
    rules = RegisterRules(max_kw=20)
    made = bill(november, tariff(), "2024-11-01", "2024-12-01", tz=NY, registers=rules)
    assert [(x.quantity, x.amount) for x in made.lines] == [
        (Decimal("528.00"), Decimal("158.40")),
        (Decimal("902.00"), Decimal("90.20")),
        (Decimal("432.00"), Decimal("172.80")),
        (Decimal("660.00"), Decimal("132.00")),
        (Decimal("30.00"), Decimal("13.50")),
        (Decimal("553.40"), Decimal("45.66")),
    ]
    assert made.total == Decimal("612.56")
    assert made.check() == []
    assert "glitch" in made.readings[0].flags
    assert made.readings[0].status == "recorded"


def test_a_reset_is_billed_only_when_it_is_accepted(november):
    """After a clear at noon on the 20th the quarter hour before it is unknown: an estimate.

    The register counted 2 kWh in that quarter hour (8 kW); 0.8 kWh of them stand on the cleared
    display, so 1.2 kWh are lost to the estimate: peak energy is 432 - 1.2 = 430.8 kWh.
    """
    rules = RegisterRules(max_kw=20)
    at = november.index.get_loc(pd.Timestamp("2024-11-20 12:15", tz=NY).tz_convert("UTC"))
    november.iloc[at:] -= float(november.iloc[at, 0]) - 0.8
    how = {"tz": NY, "registers": rules}
    with pytest.raises(CoverageError, match=r"window 'peak'.*estimated.*reset"):
        bill(november, tariff(), "2024-11-01", "2024-12-01", **how)
    accept = ("recorded", "estimated")
    made = bill(november, tariff(), "2024-11-01", "2024-12-01", accept=accept, **how)
    assert [x.status for x in made.lines[:4]] == ["recorded", "recorded", "estimated", "recorded"]
    assert made.lines[2].quantity == Decimal("430.80")


def test_a_move_out_at_midday(november):
    """A tenant leaves on the 12th at noon: the two bills add up to the month's energy."""
    noon = pd.Timestamp("2024-11-12 12:00", tz=NY)
    one = bill(november, tariff(), "2024-11-01", noon, tz=NY)
    two = bill(november, tariff(), noon, "2024-12-01", tz=NY)
    assert sum(x.readings[0].energy for x in (one, two)) == Decimal("2522.00")
    days = [next(x.quantity for x in s.lines if x.kind == "fixed") for s in (one, two)]
    assert days == [12, 18]


def test_earlier_months_where_the_data_is_at_hand(november):
    """November is known, October is not: it is shown as unknown, never as 0."""
    found = earlier(november, "2024-12-01", tz=NY, months=2)
    assert [(p.label, p.quantity) for p in found] == [
        ("2024-10", None),
        ("2024-11", Decimal("2522.00")),
    ]
