"""A statement as a frame, and as the texts that every page, PDF, sheet and CSV prints."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import pandas as pd

from dentframe.money.output.cells import moment, number, percent, tails, visible
from dentframe.money.output.explanations import labels
from dentframe.money.statement import Line

if TYPE_CHECKING:
    from decimal import Decimal

    from dentframe.money.statement import Past, Reading, Statement

Texts = dict[str, str]
NO_COMPARISON = "There is no comparison with earlier periods: their readings were not at hand."


def frame(of: Statement) -> pd.DataFrame:
    """One row a line."""
    names = [f.name for f in fields(Line)]
    rows = {n: [getattr(x, n) for x in of.lines] for n in names}
    return pd.DataFrame({n: pd.Series(v, dtype=object) for n, v in rows.items()}, columns=names)


def lines(of: Statement) -> list[Texts]:
    """The texts of each line; ``rate_tail`` fills its decimals up to those of the column."""
    found = [_line(of, x) for x in of.lines]
    return _aligned(found, "quantity", "rate", "amount")


def _line(of: Statement, x: Line) -> Texts:
    return {
        "name": visible(x.name),
        "element": visible(x.element),
        "quantity": number(x.quantity),
        "unit": visible(x.unit),
        "rate": number(x.rate),
        "amount": number(x.amount),
        "status": x.status,
        "coverage": percent(x.coverage),
        "note": note(x),
        "flags": labels(x.flags),
        "edges": _own_edges(of, x),
    }


def note(x: Line) -> str:
    """What a reader must know of a line: its note or basis, and the charges it is taken of."""
    of = f"taken of {', '.join(x.of)}" if x.of else ""
    return visible("; ".join(t for t in (x.note or x.basis, of) if t))


def _own_edges(of: Statement, x: Line) -> str:
    """The readings around a line's own part of the period, where the readings' table lacks them."""
    if x.open_at is None or x.close_at is None:
        return ""
    if any((r.open_at, r.close_at) == (x.open_at, x.close_at) for r in of.readings):
        return ""
    opened = _shown(of, x.open_at, x.open_reading, _BEFORE * x.open_interpolated)
    closed = _shown(of, x.close_at, x.close_reading, _AFTER * x.close_interpolated)
    return f"readings {opened} and {closed}"


def _shown(of: Statement, at: pd.Timestamp, value: Decimal | None, why: str) -> str:
    told = " ".join(x for x in (number(value), f"at {moment(at, of.tz)}") if x)
    return f"{told} ({why})" if why else told


_BEFORE, _AFTER = "last before the beginning", "first after the end"


def readings(of: Statement) -> list[Texts]:
    """The texts of each element's readings."""
    found = [_reading(of, r) for r in of.readings]
    return _aligned(found, "open_reading", "close_reading", "energy")


def _reading(of: Statement, r: Reading) -> Texts:
    opened = bool(r.open_interpolated and r.open_at is not None)
    closed = bool(r.close_interpolated and r.close_at is not None)
    return {
        "element": visible(r.element),
        "open_at": moment(r.open_at, of.tz),
        "open_note": _BEFORE * opened,
        "open_reading": number(r.open_reading),
        "close_at": moment(r.close_at, of.tz),
        "close_note": _AFTER * closed,
        "close_reading": number(r.close_reading),
        "energy": number(r.energy),
        "limits": limits(r),
        "unit": r.unit,
        "coverage": percent(r.coverage),
        "status": r.status,
        "flags": labels(r.flags),
    }


def limits(r: Reading) -> str:
    """Between what the readings say that the energy must lie."""
    if r.lo is None or r.hi is None or r.lo == r.hi:
        return ""
    return f"at least {number(r.lo)}, at most {number(r.hi)}"


def comparison(of: Statement) -> list[Texts]:
    """The texts of earlier periods, with the width of a bar for each [%]."""
    most = max((abs(p.quantity) for p in of.comparison if p.quantity is not None), default=None)
    found = [_past(p, most) for p in of.comparison]
    return _aligned(found, "quantity", "amount")


def _past(p: Past, most: Decimal | None) -> Texts:
    return {
        "label": visible(p.label),
        "quantity": number(p.quantity),
        "unit": p.unit,
        "amount": number(p.amount),
        "bar": f"{abs(p.quantity) / most * 100:.1f}" if p.quantity and most else "0",
    }


def _aligned(rows: list[Texts], *names: str) -> list[Texts]:
    for name in names:
        for row, tail in zip(rows, tails([row[name] for row in rows]), strict=True):
            row[f"{name}_tail"] = tail
    return rows


def comparison_note(of: Statement) -> str:
    """Why there is no comparison, or what must be known of it."""
    if not of.comparison:
        return of.comparison_note or NO_COMPARISON
    unknown = "A dash stands where the readings do not tell the figure well enough."
    lacks = any(p.quantity is None for p in of.comparison)
    return " ".join(x for x in (of.comparison_note, unknown * lacks) if x)


def head(of: Statement) -> list[tuple[str, str]]:
    """What stands above the lines."""
    read = moment(of.read_at, of.tz)
    own = of.held_from or of.start, of.held_to or of.end
    told = [
        ("For", visible(of.party)),
        ("Period", _span(of, *own)),
        ("Bill's period", _span(of, of.start, of.end) if own != (of.start, of.end) else ""),
        ("Time zone", of.tz),
        ("Tariff", visible(str((of.tariff or {}).get("name", "")))),
        ("Meters read", f"{read} (when the readings were fetched)" if read else ""),
    ]
    return [(k, v) for k, v in told if v]


def beside(of: Statement) -> list[str]:
    """The same in one row: what a bill's period is must be said."""
    return [f"{k.lower()} {v}" if k == "Bill's period" else v for k, v in head(of)]


def _span(of: Statement, start: pd.Timestamp, end: pd.Timestamp) -> str:
    return f"{moment(start, of.tz)} – {moment(end, of.tz)}"


def rated(of: Statement) -> bool:
    """Whether any line has a rate: the shares of a split have none."""
    return any(x.rate is not None for x in of.lines)


def foot(of: Statement) -> list[str]:
    """What stands below everything: notes, the comparison that is not there, rounding, version."""
    none = [] if of.comparison else [comparison_note(of)]
    return [*map(visible, of.notes), *none, _rounding(of), f"Made by dentframe {of.version}."]


def _rounding(of: Statement) -> str:
    if of.places is None:
        return "Quantities and amounts are not rounded."
    how = {"half-up": "a half goes up", "half-even": "a half goes to the even digit"}
    priced = ", and priced as printed" if rated(of) else ""
    return (
        f"Quantities are rounded to {of.places} decimals{priced}. Each amount is rounded to "
        f"{of.digits} decimals ({how[of.rounding]}); the total is the sum of the printed amounts."
    )
