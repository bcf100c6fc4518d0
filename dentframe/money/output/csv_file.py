"""A statement as CSV: one table, each row saying in its first column what it is."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from dentframe.money.output import tables
from dentframe.money.output.cells import safe, visible
from dentframe.money.output.explanations import explained
from dentframe.money.statement import Line

if TYPE_CHECKING:
    from dentframe.money.statement import Statement

_LINE = tuple(f.name for f in fields(Line))
COLUMNS = ("section", "party", "start", "end", "currency", *_LINE, "lo", "hi")
"""Sections: ``charges``, ``total``, ``about``, ``readings``, ``earlier``, ``words``, ``notes``."""


def text(of: Statement, path: str | Path | None = None) -> str:
    """Everything the statement says, as CSV.

    Parameters
    ----------
    of : Statement
        The statement.
    path : str or Path, optional
        Where to write it (UTF-8, line ends as RFC 4180 has them).
    """
    out = io.StringIO()
    write = csv.DictWriter(out, COLUMNS, lineterminator="\r\n", restval="")
    write.writeheader()
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
    yield from _told("about", [("Statement", of.title), *tables.head(of)])
    for r in of.readings:
        own = asdict(r)
        yield {"section": "readings", "name": "Meter reading", "quantity": own.pop("energy"), **own}
    for p in of.comparison:
        past = asdict(p)
        yield {"section": "earlier", "name": past.pop("label"), **past}
    yield from _told("words", explained(of))
    also = [tables.comparison_note(of)] if of.comparison else []
    yield from _told("notes", [("", x) for x in [*also, *tables.foot(of)] if x])


def _told(section: str, rows: list[tuple[str, str]]) -> Iterator[Mapping[str, Any]]:
    return ({"section": section, "name": name, "note": note} for name, note in rows)


def _cell(value: Any) -> str:
    if value is None or value is pd.NaT:
        return ""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, tuple | list):
        return safe(visible(";".join(value)))
    return value.isoformat() if isinstance(value, pd.Timestamp) else safe(visible(str(value)))
