"""What a tariff reads, and which periods it can price, before anything is read."""

from __future__ import annotations

import pandas as pd
import pytest

from dentframe import Tariff
from dentframe.errors import ConfigError
from dentframe.money import Demand, Energy, Fixed, Reactive
from dentframe.money.tariff_bill import check_period, topics

NY = "America/New_York"


@pytest.mark.parametrize(
    ("charge", "more"),
    [
        (Energy("E", "0.1"), []),
        (Fixed("F", "1"), []),
        (Demand("D", "9"), []),
        (Demand("D", "9", topic="kVAHNet"), ["kVAHNet"]),
        (Demand("D", "9", target_power_factor="0.9"), ["kVAHNet"]),
        (Reactive("R", "0.01"), ["kVAHNet", "kVARHNet"]),
        (Reactive("R", "0.01", target_power_factor="0.9"), ["kVAHNet"]),
    ],
)
def test_topics_are_those_of_the_charges(charge, more):
    """Energy always: a statement shows the readings; others where a charge takes them."""
    assert topics(Tariff("T", [charge])) == ["kWHNet", "DemandkW", *more]


def test_a_year_of_a_charge_per_month_is_refused():
    """Unless the charge says what it costs; a month and a charge by the day are fine."""
    start, month, year = (
        pd.Timestamp(x, tz=NY) for x in ("2024-01-01", "2024-02-01", "2025-01-01")
    )
    monthly = Tariff("T", [Fixed("Service", "10")])
    check_period(monthly, start, month, NY)
    check_period(Tariff("T", [Fixed("Service", "1", per="day")]), start, year, NY)
    check_period(Tariff("T", [Fixed("Service", "10", proration="month")]), start, year, NY)
    with pytest.raises(ConfigError, match="'Service' for 366 days"):
        check_period(monthly, start, year, NY)
