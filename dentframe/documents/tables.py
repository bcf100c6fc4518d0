"""A statement becomes the texts that its page, PDF, sheet and CSV print alike.

Statuses, flags and terms have words here for those who pay, and each number one form.
"""

from __future__ import annotations

import re
from dataclasses import fields
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from dentframe.money.statement import Line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dentframe.money.statement import Past, Reading, Statement


_INVISIBLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def visible(text: str) -> str:
    """Without control characters, which no page, sheet or PDF can hold."""
    return _INVISIBLE.sub("", text)


DRAFT = "DRAFT"
DRAFT_NOTE = "This is a draft: exceptions are open, figures may change, and nothing is to be paid."


def title(of: Statement) -> str:
    """What the paper is called; a draft says first that it is one."""
    return f"{DRAFT}: {visible(of.title)}" if of.draft else visible(of.title)


def number(value: Decimal | None) -> str:
    """With thousands separated, and every decimal that it has."""
    return "" if value is None else f"{value:,f}"


def moment(at: pd.Timestamp | None, tz: str) -> str:
    """A local time to the minute, with its zone."""
    return "" if at is None else f"{at.tz_convert(tz):%Y-%m-%d %H:%M %Z}"


def percent(coverage: float | None) -> str:
    """A share, rounded down: 100 % is said only where it is."""
    return "" if coverage is None else f"{int(coverage * 10000) / 100:g} %"


def tails(texts: Sequence[str]) -> list[str]:
    """What each number lacks of the longest decimals in its column, to stand below each other.

    Examples
    --------
    >>> tails(["1.5", "0.0825", "12", ""])
    ['000', '', '.0000', '']
    """
    have = [len(t.partition(".")[2]) for t in texts]
    most = max(have, default=0)
    return [
        "." * (n == 0 and most > 0) + "0" * (most - n) if t else ""
        for t, n in zip(texts, have, strict=True)
    ]


class Word(NamedTuple):
    """What a flag is called on a statement, and what that means."""

    name: str
    meaning: str


STATUSES = {
    "estimated": "A part of the figure could not be measured and is an estimate. The reason is "
    "given with the figure; where readings set limits to it, they are printed as 'at least' and "
    "'at most'.",
    "partial": "Readings are missing for a part of the time. The figure is what was measured in "
    "the rest of it; nothing was added for the missing part.",
    "missing": "There is no reading of the time, so there is no figure. It was not taken as zero.",
}
TERMS = {
    "technical loss": "Energy that the utility's meter counted and no meter of a tenant or common "
    "area did: lines and transformers turn a little of it into heat. The building's rules say how "
    "it is shared.",
    "meter tolerance": "Every meter may be a little off. This is the energy that is put down to "
    "that, shared by the building's rules.",
    "common areas": "What nobody rents, such as hallways and lighting outside. What it uses is "
    "shared by the building's rules.",
    "element-days": "One meter of yours on one day. A tenant with two meters has 62 in a month "
    "of 31 days; a day counts for whoever has the meter at its beginning.",
    "area-days": "The area that is rented, times the days on which it is.",
}
"""By the unit of a line, or the part of the energy that its name ends with."""
FLAGS: dict[str, Word] = {
    "agreed": Word(
        "agreed figure",
        "The meter does not tell this figure. It was agreed upon.",
    ),
    "ambiguous_fall": Word(
        "display went down",
        "The meter's display went down once. Energy may have been fed back, or the display may "
        "have been cleared: the readings cannot tell, so the figure is an estimate.",
    ),
    "conflicting_duplicate": Word(
        "two values for one time",
        "Two different values arrived for the same time. Neither was used.",
    ),
    "corrected": Word(
        "corrected",
        "A stated correction was applied to what the meter showed.",
    ),
    "decrease_unclassified": Word(
        "display went down",
        "The meter's display went down and the reason is not known. The energy of that stretch "
        "is not counted.",
    ),
    "duplicate_dropped": Word(
        "reading sent twice",
        "A reading arrived twice. It was used once, and no figure changes by it.",
    ),
    "edge_in_gap": Word(
        "no reading near the beginning or end",
        "The meter sent no reading near the beginning or the end of the period. The display "
        "before and after shows what was used in that whole time; the share of this period was "
        "taken by time. The true share lies between the limits 'at least' and 'at most'.",
    ),
    "edge_interpolated": Word(
        "begins or ends between two readings",
        "The period begins or ends between two readings of the meter. What was used between "
        "these two readings was divided at that moment in proportion to time.",
    ),
    "export": Word(
        "energy fed back",
        "Energy also flowed in the other direction, e.g. from solar panels. The figure is what "
        "was taken less what was fed back.",
    ),
    "gap_bridged": Word(
        "readings in between missing",
        "Some readings within the period are missing. The meter went on counting, so what was "
        "used in that time is measured; only at which hours it was used is not known.",
    ),
    "glitch": Word(
        "wrong reading left out",
        "The display jumped to a wrong value and came back. The wrong readings were left out; "
        "the good readings before and after them give the figure.",
    ),
    "meter_swap": Word(
        "meter exchanged",
        "The meter was exchanged or its display set. The last reading before and the first "
        "reading after were noted, and both stretches are counted.",
    ),
    "missing_value": Word(
        "reading without a value",
        "The meter sent a reading without a value. It was not taken as zero.",
    ),
    "negative_residual": Word(
        "parts exceed the whole",
        "The meters of the parts show more than the meter of the whole. The difference is shown "
        "as it is.",
    ),
    "reblocked": Word(
        "demand by the clock",
        "The meter is read at other minutes than those on which demand is reckoned. Demand was "
        "worked out from its readings; a short peak may come out lower than it was.",
    ),
    "reset": Word(
        "display cleared",
        "The meter's display was cleared and began again. What was used between the last "
        "reading before and the clearing is not known and not counted: the figure is an estimate.",
    ),
    "rollover": Word(
        "display began again at zero",
        "The display reached its highest number and went on from zero, as it must. That is "
        "counted.",
    ),
    "unexplained_decrease": Word(
        "display went down",
        "The meter's display went down and nothing explains it. The energy of that stretch is "
        "not counted.",
    ),
    "unexplained_jump": Word(
        "display jumped up",
        "The display rose by more than can have been used. The energy of that stretch is not "
        "counted.",
    ),
}
"""By flag."""


def label(flag: str) -> str:
    """What a flag is called on a statement.

    Examples
    --------
    >>> label("gap_bridged")
    'readings in between missing'
    """
    return FLAGS[flag].name if flag in FLAGS else flag.replace("_", " ")


def labels(flags: Sequence[str]) -> str:
    """What some flags are called, each once."""
    return "; ".join(dict.fromkeys(label(f) for f in flags))


def explained(of: Statement) -> list[tuple[str, str]]:
    """Each status, term and flag of a statement, with what it means; ``recorded`` needs no words.

    Parameters
    ----------
    of : Statement
        The statement.

    Returns
    -------
    list of (str, str)
        What it is called, what it means.
    """
    parts: list[Line | Reading] = [*of.lines, *of.readings]
    statuses, flags = {p.status for p in parts}, {f for p in parts for f in p.flags}
    found = [(k, v) for k, v in STATUSES.items() if k in statuses]
    said = {x for line in of.lines for x in (line.unit, line.name.rpartition(": ")[2])}
    said |= {x for x in TERMS if any(line.basis and x in line.note for line in of.lines)}
    found += [(k, v) for k, v in TERMS.items() if k in said]
    return [*found, *(FLAGS.get(f, Word(label(f), _UNKNOWN)) for f in sorted(flags))]


_UNKNOWN = "The readings carry this mark. Ask whoever sent the statement what it means."


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
    return aligned(found, "quantity", "rate", "amount")


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
    return aligned(found, "open_reading", "close_reading", "energy")


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
    return aligned(found, "quantity", "amount")


def _past(p: Past, most: Decimal | None) -> Texts:
    return {
        "label": visible(p.label),
        "quantity": number(p.quantity),
        "unit": p.unit,
        "amount": number(p.amount),
        "bar": f"{abs(p.quantity) / most * 100:.1f}" if p.quantity and most else "0",
    }


def aligned(rows: list[Texts], *names: str) -> list[Texts]:
    """Rows whose numbers get what each lacks of the longest decimals in its column."""
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
    draft = [DRAFT_NOTE] if of.draft else []
    return [
        *draft,
        *map(visible, of.notes),
        *none,
        _rounding(of),
        f"Made by dentframe {of.version}.",
    ]


def _rounding(of: Statement) -> str:
    if of.places is None:
        return "Quantities and amounts are not rounded."
    how = {"half-up": "a half goes up", "half-even": "a half goes to the even digit"}
    priced = ", and priced as printed" if rated(of) else ""
    return (
        f"Quantities are rounded to {of.places} decimals{priced}. Each amount is rounded to "
        f"{of.digits} decimals ({how[of.rounding]}); the total is the sum of the printed amounts."
    )
