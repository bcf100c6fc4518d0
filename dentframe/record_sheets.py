"""Tables of a split as CSV, workbook and plain data. An I/O edge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")


def csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table; cells that a spreadsheet would compute are escaped."""
    table.map(_cell).to_csv(path, index=False, encoding="utf-8", lineterminator="\n")


def _cell(value: Any) -> Any:
    """A value as a spreadsheet must read it: text is never computed."""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    return plain(value)


def plain(value: Any) -> Any:
    """A value as JSON has it: decimals and times as text, what is missing as None."""
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value))
    if value is None or value is pd.NaT or (isinstance(value, float) and np.isnan(value)):
        return None
    if isinstance(value, bool | int | float | str):
        return value
    return value.isoformat() if isinstance(value, pd.Timestamp) else str(value)


def workbook(found: Mapping[str, pd.DataFrame], path: Path) -> None:
    """All tables in one file, for the owner alone."""
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    for name, table in found.items():
        sheet = book.create_sheet(name)
        sheet.freeze_panes = "A2"
        sheet.append(list(table.columns))
        for row in table.to_numpy(dtype=object):
            sheet.append([_number(x) for x in row])
    book.save(path)


def _number(value: Any) -> Any:
    return value if isinstance(value, Decimal) else _cell(value)


def records(table: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Rows by column name."""
    names = [str(c) for c in table.columns]
    for row in table.astype(object).to_numpy():
        yield dict(zip(names, row, strict=True))
