"""Bills of saved splits become the rows that ENERGY STAR Portfolio Manager uploads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd

from dentframe.atomic_files import whole_file
from dentframe.documents.statement_csv_and_excel import save_csv, save_workbook
from dentframe.errors import ConfigError

COLUMNS = (
    "Property Name", "Portfolio Manager Meter ID", "Meter Type", "Start Date", "End Date",
    "Usage/Quantity", "Usage Units", "Cost ($)", "Estimated Value",
)  # fmt: skip
"""As the spreadsheet for adding bills to energy meters has them."""


def to_portfolio_manager(
    runs: Any, path: str | Path | None = None, *, meters: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """The bills of runs or records as rows for ENERGY STAR Portfolio Manager.

    Parameters
    ----------
    runs : Run, Record, or iterable of them
        Each is a row.
    path : str or Path, optional
        Where to write it, ``.xlsx`` or ``.csv``.
    meters : mapping of site name to str, optional
        The id that Portfolio Manager gave the site's electric meter.

    Returns
    -------
    DataFrame
        A row a bill: first and last day (both included) as ``MM/DD/YYYY``, use [kWh], cost
        [currency], and whether a figure of it is estimated.

    Raises
    ------
    ConfigError
        For a site that `meters` does not have, a bill without energy, or
        another ending.
    MissingExtraError
        Where XlsxWriter is not installed (extra ``excel``).

    Notes
    -----
    Use is the bill's ``kwh``. Portfolio Manager distributes bills over calendar months itself.

    Examples
    --------
    >>> to_portfolio_manager([run])["Cost ($)"].tolist()
    [Decimal('1234.56')]
    """
    every: Iterable[Any] = runs if isinstance(runs, Iterable) else [runs]
    rows = sorted((_row(x, meters) for x in every), key=lambda row: (row[0], row[3]))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    for name in ("Start Date", "End Date"):
        table[name] = [f"{x:%m/%d/%Y}" for x in table[name]]
    if path is not None:
        path = Path(path)
        if path.suffix not in {".xlsx", ".csv"}:
            raise ConfigError(f"Cannot write {path}: name a .xlsx or .csv file.")
        with whole_file(path) as part:
            if path.suffix == ".xlsx":
                save_workbook({"Meter Entries": table}, part)
            else:
                save_csv(table, part)
    return table


def _row(run: Any, meters: Mapping[str, str] | None) -> tuple[Any, ...]:
    site, bill = run.site, run.bill
    if meters is not None and site.name not in meters:
        raise ConfigError(
            f"Cannot upload the bills of {site.name!r}: meters= has no id for it. Portfolio "
            "Manager shows the id on the meter's page."
        )
    if bill.kwh is None:
        raise ConfigError(
            f"Cannot upload bill {bill.name!r}: it has no kwh, and no line of it is shared by "
            "energy, so that nothing was measured. Type in the utility's kwh."
        )
    energy = run.figures.query("basis == 'energy'")
    start, end = (site.instant(x).tz_convert(site.tz) for x in (bill.start, bill.end))
    return (
        site.name,
        "" if meters is None else meters[site.name],
        "Electric - Grid",
        start.date(),
        (end - pd.Timedelta(1, "us")).date(),
        Decimal(bill.kwh),
        "kWh (thousand Watt-hours)",
        bill.amount,
        "Yes" if (energy["status"] == "estimated").any() else "No",
    )
