"""Statements and the tables of a run are written as CSV files.

A statement is one table, each row of which says in its first column what it is.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from dentframe.documents import audit_sheet
from dentframe.documents.audit_sheet import explained, visible
from dentframe.documents.first_page import first_page, meter
from dentframe.documents.formats import formats
from dentframe.frame.csv_and_excel import escaped

if TYPE_CHECKING:
    from dentframe.money.statement import Statement


def save_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table in UTF-8; no text in it is computed by a spreadsheet."""
    table.map(_cell).to_csv(path, index=False, encoding="utf-8", lineterminator="\n")


def joined(values: Sequence[Any]) -> str:
    """Several names in one cell: ``edge_interpolated;reset``."""
    return ";".join(map(str, values))


CSV_COLUMNS = ("section", "party", "start", "end", "currency", *audit_sheet.LINE, "lo", "hi")
"""Sections: ``charges``, ``total``, ``about``, ``readings``, ``parts`` (of a corrected meter; its
factor is the rate), ``daily``, ``earlier``, ``words``, ``notes``."""


def statement_csv(of: Statement, path: str | Path | None = None) -> str:
    """Everything the statement says, as CSV.

    Parameters
    ----------
    of : Statement
        The statement.
    path : str or Path, optional
        Where to write it (UTF-8, line ends as RFC 4180 has them).
    """
    of = replace(of, locale="")  # a file for programs: its numbers are theirs
    out = io.StringIO()
    write = csv.DictWriter(out, CSV_COLUMNS, lineterminator="\r\n", extrasaction="ignore")
    write.writeheader()
    if of.draft:
        write.writerow(
            {"section": "draft", "name": audit_sheet.DRAFT, "note": audit_sheet.DRAFT_NOTE}
        )
    period = {"party": of.party, "start": of.start, "end": of.end, "currency": of.currency}
    for row in _rows(of):
        write.writerow({k: _cell(v) for k, v in {**period, **row}.items()})
    made = out.getvalue()
    if path is not None:
        with Path(path).open("w", encoding="utf-8", newline="") as f:
            f.write(made)
    return made


def _rows(of: Statement) -> Iterator[Mapping[str, Any]]:
    for x in of.lines:
        yield {"section": "charges", **asdict(x)}
    yield {"section": "total", "name": "Total", "kind": "total", "amount": of.total}
    first = first_page(of)
    who = [
        ("From", ", ".join(first.sender)),
        ("To", ", ".join(first.to)),
        (first.due, first.amount),
    ]
    about = [("Statement", audit_sheet.title(of)), *audit_sheet.head(of), *first.facts, *who]
    yield from _csv_rows("about", [(k, v) for k, v in about if v])
    for r in of.readings:
        own, told = asdict(r), meter(of, r, formats(""))
        own["note"] = joined([x for x in (told["multiplier"], told["exchanged"]) if x])
        yield {"section": "readings", "name": "Meter reading", "quantity": own.pop("energy"), **own}
        for part in r.parts:
            yield {
                "section": "parts", "element": r.element, "name": "Corrected reading",
                "quantity": part.used, "unit": r.unit, "rate": part.factor, "open_at": part.start,
                "open_reading": part.opening, "close_at": part.end, "close_reading": part.closing,
                "note": joined([f"{x} calculated" for x in part.calculated]),
            }  # fmt: skip
    for d in of.daily:
        yield {"section": "daily", "name": d.day, "quantity": d.energy, "unit": "kWh",
               "status": d.status}  # fmt: skip
    for p in of.comparison:
        past = {k: v for k, v in asdict(p).items() if v is not None}
        yield {"section": "earlier", "name": past.pop("label"), **past}
    yield from _csv_rows("words", explained(of))
    also = [audit_sheet.comparison_note(of)] if of.comparison else []
    notes = [*first.told, *first.closing, *also, *audit_sheet.foot(of)]
    yield from _csv_rows("notes", [("", x) for x in notes if x])


def _csv_rows(section: str, rows: list[tuple[str, str]]) -> Iterator[Mapping[str, Any]]:
    return ({"section": section, "name": name, "note": note} for name, note in rows)


def _cell(value: Any) -> Any:
    """A cell of a CSV file: numbers stay numbers, text is never computed."""
    if isinstance(value, bool | int | float) and not is_missing(value):
        return value
    return f"{value:f}" if isinstance(value, Decimal) else escaped(text_of(value))


def is_missing(value: Any) -> bool:
    """Whether a value is None, NaT or NaN."""
    return value is None or value is pd.NaT or value != value  # noqa: PLR0124 - NaN


def text_of(value: Any) -> str:
    """A value as text: times as ISO 8601, several names joined, what is missing as nothing."""
    if is_missing(value):
        return ""
    if isinstance(value, tuple | list):
        value = joined(value)
    return value.isoformat() if isinstance(value, pd.Timestamp) else visible(str(value))
