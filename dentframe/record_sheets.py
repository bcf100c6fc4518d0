"""Tables and statements of a split as files, and as plain data. An I/O edge."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe.errors import ConfigError, DentWarning, warn

if TYPE_CHECKING:
    from dentframe.money.statement import Statement

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")


def csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table; cells that a spreadsheet would compute are escaped."""
    table.map(_cell).to_csv(path, index=False, encoding="utf-8", lineterminator="\n")


def _cell(value: Any) -> Any:
    """A value as a spreadsheet must read it: text is never computed."""
    if isinstance(value, tuple | list):
        value = joined(value)
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    return plain(value)


def joined(values: Sequence[Any]) -> str:
    """Several names in one cell: ``edge_interpolated;reset``."""
    return ";".join(map(str, values))


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


def papers(statements: Sequence[Statement], folder: Path) -> None:
    """Each statement as CSV, and as page, PDF and workbook where their extras are there.

    What could not be written is told once, and is no error: the CSV and the record have it all.
    """
    folder.mkdir()
    lacking = [x for x in ("jinja2", "fpdf", "openpyxl") if find_spec(x) is None]
    unwritten = []
    for i, s in enumerate(statements, 1):
        stem = folder / f"{i:02d}-{_slug(s.party)}"
        s.to_csv(stem.with_suffix(".csv"))
        if "jinja2" not in lacking:
            s.to_html(stem.with_suffix(".html"))
        if "openpyxl" not in lacking:
            s.to_excel(stem.with_suffix(".xlsx"))
        if "fpdf" not in lacking:
            unwritten += _pdf(s, stem.with_suffix(".pdf"))
    _tell(lacking, unwritten)


def _pdf(statement: Statement, path: Path) -> list[str]:
    """Write it; a name that the built-in font cannot write leaves the other forms."""
    try:
        statement.to_pdf(path)
    except ConfigError as error:
        path.unlink(missing_ok=True)
        return [str(error)]
    return []


def _tell(lacking: Sequence[str], unwritten: Sequence[str]) -> None:
    report = [x for x in ("jinja2", "fpdf") if x in lacking]
    if report:
        forms = " and ".join("pages" if x == "jinja2" else "PDFs" for x in report)
        warn(
            f"The statements are saved without {forms}: an optional package is not installed. "
            'Install it with: pip install "dentframe[report]"',
            DentWarning,
        )
    if unwritten:
        warn(
            f"{len(unwritten)} statements are saved without a PDF. The first: {unwritten[0]}",
            DentWarning,
        )


def _slug(name: str) -> str:
    return re.sub(r"[^\w]+", "-", name).strip("-").lower()[:40] or "party"
