"""DENT PowerScout sub-meters, from the DentCloud Meter Data API, as pandas and xarray.

>>> from dentframe import read_dentcloud
>>> df = read_dentcloud("P482311252", "2023-12", topics=["DemandkW", "kWHNet"])  # doctest: +SKIP
>>> df.dent.energy("D", tz="America/Los_Angeles")  # doctest: +SKIP
"""

from __future__ import annotations

import logging
from typing import Any

from dentframe import errors
from dentframe.accessor import DentAccessor
from dentframe.cloud.client import DentCloud
from dentframe.inventory import inventory
from dentframe.money import Statement, Tariff, allocate, bill
from dentframe.money.rules import SplitRules
from dentframe.money.utility_bill import UtilityBill
from dentframe.periods import Monthly
from dentframe.ratchets import adjusted_demand, ratchet
from dentframe.reader import get_meters, get_topics, plan_dentcloud, read_dentcloud
from dentframe.reading.plan import Plan
from dentframe.record import verify
from dentframe.registers import RegisterRules
from dentframe.schedule import Schedule, Window
from dentframe.site import Site
from dentframe.split import Run, split

__all__ = [
    "DentAccessor",
    "DentCloud",
    "Monthly",
    "Plan",
    "RegisterRules",
    "Run",
    "Schedule",
    "Site",
    "SplitRules",
    "Statement",
    "Tariff",
    "UtilityBill",
    "Window",
    "adjusted_demand",
    "allocate",
    "bill",
    "errors",
    "get_meters",
    "get_topics",
    "inventory",
    "plan_dentcloud",
    "ratchet",
    "read_dentcloud",
    "split",
    "verify",
]

logging.getLogger("dentframe").addHandler(logging.NullHandler())


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("dentframe")
    if name == "emulator":
        import dentframe.emulator as module

        return module
    raise AttributeError(f"module 'dentframe' has no attribute {name!r}")
