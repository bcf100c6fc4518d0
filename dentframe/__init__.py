"""dentframe reads DENT PowerScout sub-meters through the DentCloud API into pandas and xarray.

>>> from dentframe import read_dentcloud
>>> df = read_dentcloud("P482311252", "2023-12", topics=["DemandkW", "kWHNet"])  # doctest: +SKIP
>>> df.dent.energy("D", tz="America/Los_Angeles")  # doctest: +SKIP
"""

from __future__ import annotations

import logging
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from dentframe import errors as errors
from dentframe.accessor import DentAccessor as DentAccessor
from dentframe.accessor_methods import DentFrame as DentFrame
from dentframe.metering.register_rules import RegisterRules as RegisterRules
from dentframe.times.periods import Monthly as Monthly
from dentframe.times.schedule import Schedule as Schedule
from dentframe.times.schedule import Window as Window

if TYPE_CHECKING:
    from dentframe import emulator as emulator
    from dentframe.archive import Archive as Archive
    from dentframe.archive import SyncReport as SyncReport
    from dentframe.archive import sync as sync
    from dentframe.cloud.client import DentCloud as DentCloud
    from dentframe.datasets import open_dataset as open_dataset
    from dentframe.documents.portfolio_report_and_energy_star import (
        to_portfolio_manager as to_portfolio_manager,
    )
    from dentframe.frame.concat import concat as concat
    from dentframe.frame.request import Plan as Plan
    from dentframe.money.demand_charges import adjusted_demand as adjusted_demand
    from dentframe.money.demand_charges import ratchet as ratchet
    from dentframe.money.portfolio_and_status import Report as Report
    from dentframe.money.portfolio_and_status import report as report
    from dentframe.money.rebill import rebill as rebill
    from dentframe.money.record_reader import Record as Record
    from dentframe.money.record_reader import records as records
    from dentframe.money.rounding_and_tiers import allocate as allocate
    from dentframe.money.split_bill import Run as Run
    from dentframe.money.split_bill import split as split
    from dentframe.money.statement import Statement as Statement
    from dentframe.money.tariff import Tariff as Tariff
    from dentframe.money.tariff_bill import bill as bill
    from dentframe.money.utility_bill_and_rules import SplitRules as SplitRules
    from dentframe.money.utility_bill_and_rules import UtilityBill as UtilityBill
    from dentframe.money.verify_record import verify as verify
    from dentframe.reader import get_meters as get_meters
    from dentframe.reader import get_topics as get_topics
    from dentframe.reader import inventory as inventory
    from dentframe.reader import plan_dentcloud as plan_dentcloud
    from dentframe.reader import read_dentcloud as read_dentcloud
    from dentframe.site.corrections import Correction as Correction
    from dentframe.site.site import Site as Site
    from dentframe.wire.columns import define_units as define_units

    __version__: str

# What the accessor does not need is imported when it is first asked for: all of it at once
# would double the time of `import pandas`. Type checkers read the imports above instead.
_MODULES: Final = {
    "archive": ("Archive", "SyncReport", "sync"),
    "cloud.client": ("DentCloud",),
    "datasets": ("open_dataset",),
    "documents.portfolio_report_and_energy_star": ("to_portfolio_manager",),
    "frame.concat": ("concat",),
    "frame.request": ("Plan",),
    "money.demand_charges": ("adjusted_demand", "ratchet"),
    "money.portfolio_and_status": ("Report", "report"),
    "money.rebill": ("rebill",),
    "money.record_reader": ("Record", "records"),
    "money.rounding_and_tiers": ("allocate",),
    "money.split_bill": ("Run", "split"),
    "money.statement": ("Statement",),
    "money.tariff": ("Tariff",),
    "money.tariff_bill": ("bill",),
    "money.utility_bill_and_rules": ("SplitRules", "UtilityBill"),
    "money.verify_record": ("verify",),
    "reader": ("get_meters", "get_topics", "inventory", "plan_dentcloud", "read_dentcloud"),
    "site.corrections": ("Correction",),
    "site.site": ("Site",),
    "wire.columns": ("define_units",),
}
ON_USE: Final = {
    name: f"dentframe.{module}" for module, names in _MODULES.items() for name in names
}
_AT_ONCE: Final = {"DentAccessor", "DentFrame", "Monthly", "RegisterRules", "Schedule", "Window"}
_NAMES: Final = sorted({*_AT_ONCE, *ON_USE, "errors"}, key=lambda n: (n.islower(), n))
_PACKAGES: Final = {"archive", "cli", "cloud", "datasets", "doctor", "emulator", "money", "plot"}

logging.getLogger("dentframe").addHandler(logging.NullHandler())
if "xarray" in sys.modules:
    import_module("dentframe.datasets")

if not TYPE_CHECKING:  # else type checkers would believe in any name
    __all__ = list(_NAMES)

    def __getattr__(name: str) -> Any:
        if name == "__version__":
            from importlib.metadata import version

            return version("dentframe")
        if name in _PACKAGES:
            return import_module(f"dentframe.{name}")
        if name not in ON_USE:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return globals().setdefault(name, getattr(import_module(ON_USE[name]), name))


def __dir__() -> list[str]:
    return sorted([*_NAMES, "__doc__", "__file__", "__name__", "__version__", "emulator"])
