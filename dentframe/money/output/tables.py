"""A statement as frames, as CSV, and as the texts that pages print."""

from __future__ import annotations

import csv as _csv
import io
from dataclasses import asdict, fields
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from dentframe.money.statement import Line

if TYPE_CHECKING:
    from dentframe.money.statement import Statement

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
STATUS_NOTES = {
    "estimated": "part of the energy is an estimate",
    "partial": "readings are missing, and only what is covered was billed",
}


def frame(of: Statement) -> pd.DataFrame:
    """One row a line."""
    names = [f.name for f in fields(Line)]
    rows = {n: [getattr(x, n) for x in of.lines] for n in names}
    return pd.DataFrame({n: pd.Series(v, dtype=object) for n, v in rows.items()}, columns=names)


def csv(of: Statement, path: str | Path | None = None) -> str:
    """The lines and the total as CSV text.

    Parameters
    ----------
    of : Statement
        The statement.
    path : str or Path, optional
        Where to write it (UTF-8, line ends as RFC 4180 has them).
    """
    out = io.StringIO()
    write = _csv.writer(out, lineterminator="\r\n")
    names = ["party", "start", "end", "currency", *(f.name for f in fields(Line))]
    write.writerow(names)
    period = [safe(of.party), of.start.isoformat(), of.end.isoformat(), safe(of.currency)]
    for x in of.lines:
        write.writerow([*period, *(_cell(v) for v in asdict(x).values())])
    total = {"name": "Total", "kind": "total", "amount": of.total}
    write.writerow([*period, *(_cell(total.get(f.name)) for f in fields(Line))])
    text = out.getvalue()
    if path is not None:
        with Path(path).open("w", encoding="utf-8", newline="") as f:
            f.write(text)
    return text


def _cell(value: Any) -> str:
    if value is None or value is pd.NaT:
        return ""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, tuple | list):
        return safe(" ".join(value))
    return value.isoformat() if isinstance(value, pd.Timestamp) else safe(str(value))


def safe(text: str) -> str:
    """Text that no spreadsheet runs as a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def number(value: Decimal | None) -> str:
    """With thousands separated, and every decimal that it has."""
    return "" if value is None else f"{value:,f}"


def moment(at: pd.Timestamp | None, tz: str) -> str:
    """A local time to the minute, with its zone."""
    return "" if at is None else f"{at.tz_convert(tz):%Y-%m-%d %H:%M %Z}"


def lines(of: Statement) -> list[dict[str, str]]:
    """The texts of each line."""
    return [
        {
            "name": x.name,
            "element": x.element,
            "quantity": number(x.quantity),
            "unit": x.unit,
            "rate": number(x.rate),
            "amount": number(x.amount),
            "status": x.status,
            "coverage": "" if x.coverage is None else percent(x.coverage),
            "note": x.note or x.basis,
        }
        for x in of.lines
    ]


def percent(coverage: float) -> str:
    """A share, rounded down: 100 % is said only where it is."""
    return f"{int(coverage * 10000) / 100:g} %"


def readings(of: Statement) -> list[dict[str, str]]:
    """The texts of each element's readings."""
    return [
        {
            "element": r.element,
            "open_at": _edge(r.open_at, of.tz, "last reading before" * r.open_interpolated),
            "open_reading": number(r.open_reading),
            "close_at": _edge(r.close_at, of.tz, "first reading after" * r.close_interpolated),
            "close_reading": number(r.close_reading),
            "energy": number(r.energy),
            "unit": r.unit,
            "coverage": percent(r.coverage),
            "status": r.status,
            "flags": ", ".join(x.replace("_", " ") for x in r.flags),
        }
        for r in of.readings
    ]


def _edge(at: pd.Timestamp | None, tz: str, why: str) -> str:
    return f"{moment(at, tz)} ({why})" if why and at is not None else moment(at, tz)


def comparison(of: Statement) -> list[dict[str, str]]:
    """The texts of earlier periods, with the width of a bar for each [%]."""
    most = max((abs(p.quantity) for p in of.comparison if p.quantity is not None), default=None)
    return [
        {
            "label": p.label,
            "quantity": number(p.quantity),
            "unit": p.unit,
            "amount": number(p.amount),
            "bar": f"{abs(p.quantity) / most * 100:.1f}" if p.quantity and most else "0",
        }
        for p in of.comparison
    ]


def head(of: Statement) -> list[tuple[str, str]]:
    """What stands above the lines."""
    read = moment(of.read_at, of.tz)
    told = [
        ("Party", of.party),
        ("Period", f"{moment(of.start, of.tz)} – {moment(of.end, of.tz)}"),
        ("Time zone", of.tz),
        ("Tariff", str((of.tariff or {}).get("name", ""))),
        ("Read", read),
    ]
    return [(k, v) for k, v in told if v]


def foot(of: Statement) -> list[str]:
    """What stands below the lines: what was not recorded, how it was rounded, by what."""
    poor = {x.status for x in of.lines} | {r.status for r in of.readings}
    told = [f"{k}: {v}." for k, v in STATUS_NOTES.items() if k in poor]
    edges = any(r.open_interpolated or r.close_interpolated for r in of.readings)
    if edges:
        told.append(
            "The period begins or ends between two readings of the meter: energy in between is "
            "shared by time."
        )
    places = "Quantities and amounts are not rounded."
    if of.places is not None:
        places = (
            f"Quantities are rounded to {of.places} decimals, then priced; each amount is rounded "
            f"{of.rounding}."
        )
    return [*of.notes, *told, places, f"dentframe {of.version}"]
