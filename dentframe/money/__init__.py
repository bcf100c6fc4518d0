"""The package makes money of kilowatt-hours: tariffs, bills, shares and statements."""

from __future__ import annotations

from dentframe.money.charges import Energy, Fixed, Minimum, Reactive, Tax
from dentframe.money.demand_charges import Demand, Ratchet
from dentframe.money.earlier_and_daily_use import earlier
from dentframe.money.rounding_and_tiers import allocate
from dentframe.money.statement import Line, Past, Reading, Statement
from dentframe.money.tariff import Tariff
from dentframe.money.tariff_bill import bill, over_recovery
from dentframe.times.schedule import Schedule, Window

__all__ = [
    "Demand", "Energy", "Fixed", "Line", "Minimum", "Past", "Ratchet", "Reactive", "Reading",
    "Schedule", "Statement", "Tariff", "Tax", "Window", "allocate", "bill", "earlier",
    "over_recovery",
]  # fmt: skip
