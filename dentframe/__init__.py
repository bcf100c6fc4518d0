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

from dentframe import errors
from dentframe.accessor import DentAccessor
from dentframe.accessor_methods import DentFrame
from dentframe.frame.concat import concat
from dentframe.metering.register_rules import RegisterRules
from dentframe.site.corrections import Correction
from dentframe.site.site import Site
from dentframe.times.periods import Monthly
from dentframe.times.schedule import Schedule, Window
from dentframe.wire.columns import define_units

__all__ = [
    "Archive", "Correction", "DentAccessor", "DentCloud", "DentFrame", "Monthly", "Plan",
    "Record", "RegisterRules", "Report", "Run", "Schedule", "Site", "SplitRules", "Statement",
    "SyncReport", "Tariff", "UtilityBill", "Window", "adjusted_demand", "allocate", "bill",
    "concat", "define_units", "errors", "get_meters", "get_topics", "inventory", "open_dataset",
    "plan_dentcloud", "ratchet", "read_dentcloud", "rebill", "records", "report", "split",
    "sync", "to_portfolio_manager", "verify",
]  # fmt: skip

if TYPE_CHECKING:
    from dentframe import emulator as emulator
    from dentframe.archive import Archive, SyncReport, sync
    from dentframe.cloud.client import DentCloud
    from dentframe.datasets import open_dataset
    from dentframe.documents.journal_invoices_and_energy_star import to_portfolio_manager
    from dentframe.money.demand_charges import adjusted_demand, ratchet
    from dentframe.money.portfolio_report_and_status import Report, report
    from dentframe.money.rebill_and_verify import rebill, verify
    from dentframe.money.record_reader import Record, records
    from dentframe.money.rounding_and_tiers import allocate
    from dentframe.money.split_bill import Run, split
    from dentframe.money.statement import Statement
    from dentframe.money.tariff import Tariff
    from dentframe.money.tariff_bill import bill
    from dentframe.money.utility_bill_and_rules import SplitRules, UtilityBill
    from dentframe.read_plan_and_inventory import (
        Plan,
        get_meters,
        get_topics,
        inventory,
        plan_dentcloud,
        read_dentcloud,
    )  # fmt: skip

    __version__: str

# What the accessor does not need is imported when it is first asked for: all of it at once
# would double the time of `import pandas`. Type checkers read the imports above instead.
_MODULES: Final = {
    "archive": "Archive SyncReport sync",
    "cloud.client": "DentCloud",
    "datasets": "open_dataset",
    "documents.journal_invoices_and_energy_star": "to_portfolio_manager",
    "money.demand_charges": "adjusted_demand ratchet",
    "money.portfolio_report_and_status": "Report report",
    "money.rebill_and_verify": "rebill verify",
    "money.record_reader": "Record records",
    "money.rounding_and_tiers": "allocate",
    "money.split_bill": "Run split",
    "money.statement": "Statement",
    "money.tariff": "Tariff",
    "money.tariff_bill": "bill",
    "money.utility_bill_and_rules": "SplitRules UtilityBill",
    "read_plan_and_inventory": "Plan get_meters get_topics inventory plan_dentcloud read_dentcloud",
}
ON_USE: Final = {n: f"dentframe.{module}" for module, x in _MODULES.items() for n in x.split()}
_PACKAGES: Final = {"archive", "cli", "cloud", "datasets", "doctor", "emulator", "money", "plot"}

logging.getLogger("dentframe").addHandler(logging.NullHandler())
if "xarray" in sys.modules:
    import_module("dentframe.datasets")

if not TYPE_CHECKING:  # else type checkers would believe in any name

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
    return sorted([*__all__, "__doc__", "__file__", "__name__", "__version__", "emulator"])
