"""DENT PowerScout sub-meters, from the DentCloud Meter Data API, as pandas and xarray.

>>> from dentframe import read_dentcloud
>>> df = read_dentcloud("P482311252", "2023-12", topics=["DemandkW", "kWHNet"])  # doctest: +SKIP
>>> df.dent.energy("D", tz="America/Los_Angeles")  # doctest: +SKIP
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any, Final

from dentframe import doors as _doors
from dentframe.accessor import DentAccessor

if TYPE_CHECKING:
    from dentframe import emulator as emulator
    from dentframe import errors as errors
    from dentframe.archive import Archive
    from dentframe.cloud.client import DentCloud
    from dentframe.dent_frame import DentFrame
    from dentframe.fleet.report import SyncReport
    from dentframe.fleet.sync import sync
    from dentframe.freq import Monthly
    from dentframe.inventory import inventory
    from dentframe.money.allocate import allocate
    from dentframe.money.bill import bill
    from dentframe.money.rules import SplitRules
    from dentframe.money.statement import Statement
    from dentframe.money.tariff import Tariff
    from dentframe.money.utility_bill import UtilityBill
    from dentframe.ratchets import adjusted_demand, ratchet
    from dentframe.reader import get_meters, get_topics, plan_dentcloud, read_dentcloud
    from dentframe.reading.plan import Plan
    from dentframe.registers import RegisterRules
    from dentframe.schedule import Schedule, Window
    from dentframe.site import Site
    from dentframe.split import Run, split
    from dentframe.verification import verify
    from dentframe.xarray_backend import open_dataset

    __version__: str

# Where each public name lives; editors and type checkers read the imports above instead.
PLACES: Final = {
    "Archive": "dentframe.archive",
    "DentCloud": "dentframe.cloud.client",
    "DentFrame": "dentframe.dent_frame",
    "Monthly": "dentframe.freq",
    "Plan": "dentframe.reading.plan",
    "RegisterRules": "dentframe.registers",
    "Run": "dentframe.split",
    "Schedule": "dentframe.schedule",
    "Site": "dentframe.site",
    "SplitRules": "dentframe.money.rules",
    "Statement": "dentframe.money.statement",
    "SyncReport": "dentframe.fleet.report",
    "Tariff": "dentframe.money.tariff",
    "UtilityBill": "dentframe.money.utility_bill",
    "Window": "dentframe.schedule",
    "adjusted_demand": "dentframe.ratchets",
    "allocate": "dentframe.money.allocate",
    "bill": "dentframe.money.bill",
    "get_meters": "dentframe.reader",
    "get_topics": "dentframe.reader",
    "inventory": "dentframe.inventory",
    "open_dataset": "dentframe.xarray_backend",
    "plan_dentcloud": "dentframe.reader",
    "ratchet": "dentframe.ratchets",
    "read_dentcloud": "dentframe.reader",
    "split": "dentframe.split",
    "sync": "dentframe.fleet.sync",
    "verify": "dentframe.verification",
}

__all__ = [
    "Archive",
    "DentAccessor",
    "DentCloud",
    "DentFrame",
    "Monthly",
    "Plan",
    "RegisterRules",
    "Run",
    "Schedule",
    "Site",
    "SplitRules",
    "Statement",
    "SyncReport",
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
    "open_dataset",
    "plan_dentcloud",
    "ratchet",
    "read_dentcloud",
    "split",
    "sync",
    "verify",
]

logging.getLogger("dentframe").addHandler(logging.NullHandler())
sys.modules[__name__].__class__ = _doors.Package
if "xarray" in sys.modules:
    from dentframe import xarray_accessor as xarray_accessor

if not TYPE_CHECKING:  # else type checkers would believe in any name

    def __getattr__(name: str) -> Any:
        if name == "__version__":
            from importlib.metadata import version

            return version("dentframe")
        return globals().setdefault(name, _doors.find(__name__, PLACES, name))


def __dir__() -> list[str]:
    return sorted([*__all__, "__doc__", "__file__", "__name__", "__version__", "emulator"])
