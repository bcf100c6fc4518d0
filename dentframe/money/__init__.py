"""From kilowatt-hours to money: tariffs, bills, shares and statements."""

from __future__ import annotations

from dentframe.money.allocate import allocate
from dentframe.money.bill import bill, over_recovery
from dentframe.money.charges.demand import Demand, Ratchet
from dentframe.money.charges.energy import Energy
from dentframe.money.charges.fixed import Fixed
from dentframe.money.charges.minimum import Minimum
from dentframe.money.charges.reactive import Reactive
from dentframe.money.charges.tax import Tax
from dentframe.money.past import earlier
from dentframe.money.statement import Line, Past, Reading, Statement
from dentframe.money.tariff import Tariff
from dentframe.schedule import Schedule, Window

__all__ = [
    "Demand",
    "Energy",
    "Fixed",
    "Line",
    "Minimum",
    "Past",
    "Ratchet",
    "Reactive",
    "Reading",
    "Schedule",
    "Statement",
    "Tariff",
    "Tax",
    "Window",
    "allocate",
    "bill",
    "earlier",
    "over_recovery",
]
