"""The audit sheet of a statement is made here, as the texts that every form of it prints."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from dentframe.documents.number_and_date_formats import Formats, aligned, formats

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from dentframe.money.statement import Line, Reading, Statement


_INVISIBLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
DRAFT = "DRAFT"
DRAFT_NOTE = "This is a draft: exceptions are open, figures may change, and nothing is to be paid."


def visible(text: str) -> str:
    """Without control characters, which no page, sheet or PDF can hold."""
    return _INVISIBLE.sub("", text)


def title(of: Statement) -> str:
    """What the paper is called; a draft says first that it is one."""
    return f"{DRAFT}: {visible(of.title)}" if of.draft else visible(of.title)


def covered(coverage: float | None, f: Formats) -> str:
    """How much of the time is covered, rounded down: 100 % is said only where it is."""
    if coverage is None:
        return ""
    return f"{f.percent(Decimal(f'{int(coverage * 10000) / 100:g}'))} covered"


Texts = dict[str, str]
NO_COMPARISON = "There is no comparison with earlier periods: their readings were not at hand."


class AuditSheet:
    """The texts of a statement's audit sheet.

    Parameters
    ----------
    of : Statement
        The statement.

    Attributes
    ----------
    title, total : str
        What the paper is called, and the sum of its lines.
    head, explained : list of (str, str)
        What stands above the lines; each status, term and flag with what it means.
    rated : bool
        Whether any line has a rate: the shares of a split have none.
    lines, readings, comparison : list of dict
        The lines, the readings of each element and the earlier periods, each a row of texts.
    comparison_note : str
        What must be known of the comparison; nothing where there is none.
    foot : list of str
        What stands below everything.
    """

    def __init__(self, of: Statement) -> None:
        self.title, self.total = title(of), formats(of.locale).number(of.total)
        self.head, self.explained = head(of), explained(of)
        self.rated = any(x.rate is not None for x in of.lines)
        self.lines, self.readings, self.comparison = lines(of), readings(of), comparison(of)
        unknown = "A dash stands where the readings do not tell the figure well enough."
        lacks = any(p.quantity is None for p in of.comparison)
        notes = (of.comparison_note, unknown * lacks) if of.comparison else ()
        self.comparison_note = " ".join(filter(None, notes))
        self.foot = _foot(of, self.rated)


def texts(record: Any, tz: str, f: Formats, time: Callable[[Any, str], str]) -> Texts:
    """The numbers, times and texts in the fields of a record, each as it is printed.

    Fields of other kinds are empty. `time` writes an instant in a zone.
    """

    def printed(value: Any) -> str:
        if isinstance(value, Decimal):
            return f.number(value)
        if isinstance(value, pd.Timestamp):
            return time(value, tz)
        return visible(value) if isinstance(value, str) else ""

    return {x.name: printed(getattr(record, x.name)) for x in fields(record)}


def lines(of: Statement) -> list[Texts]:
    """The texts of each line; ``rate_tail`` fills its decimals up to those of the column."""
    f = formats(of.locale)
    found = [
        {
            **texts(x, of.tz, f, f.moment),
            "meter": f"meter {visible(x.element)}" if x.element else "",
            "covered": covered(x.coverage, f),
            "note": note(x),
            "flags": labels(x.flags),
            "edges": _own_edges(of, x, f),
        }
        for x in of.lines
    ]
    return aligned(f, found, "quantity", "rate", "amount")


def note(x: Line) -> str:
    """What a reader must know of a line: its note or basis, and the charges it is taken of."""
    of = f"taken of {', '.join(x.of)}" if x.of else ""
    return visible("; ".join(t for t in (x.note or x.basis, of) if t))


def _own_edges(of: Statement, x: Line, f: Formats) -> str:
    """The readings around a line's own part of the period, where the readings' table lacks them."""
    own = x.open_at, x.close_at
    if None in own or own in [(r.open_at, r.close_at) for r in of.readings]:
        return ""
    at = texts(x, of.tz, f, f.moment)
    first = f"{at['open_reading']} at {at['open_at']}".strip()
    last = f"{at['close_reading']} at {at['close_at']}".strip()
    before, after = f" ({_BEFORE})" * x.open_interpolated, f" ({_AFTER})" * x.close_interpolated
    return f"readings {first}{before} and {last}{after}"


_BEFORE, _AFTER = "last before the beginning", "first after the end"


def readings(of: Statement) -> list[Texts]:
    """The texts of each element's readings."""
    f = formats(of.locale)
    rows = []
    for r in of.readings:
        bounded = None not in {r.lo, r.hi} and r.lo != r.hi
        rows.append({
            **texts(r, of.tz, f, f.moment),
            "open_note": _BEFORE if r.open_interpolated and r.open_at is not None else "",
            "close_note": _AFTER if r.close_interpolated and r.close_at is not None else "",
            "least": f"at least {f.number(r.lo)}" if bounded else "",
            "most": f"at most {f.number(r.hi)}" if bounded else "",
            "state": f"{r.status}, {covered(r.coverage, f)}",
            "flags": labels(r.flags),
        })  # fmt: skip
    return aligned(f, rows, "open_reading", "close_reading", "energy")


def comparison(of: Statement) -> list[Texts]:
    """The texts of earlier periods, with the width of a bar for each [%]."""
    f, rows = formats(of.locale), []
    most = max((abs(p.quantity) for p in of.comparison if p.quantity is not None), default=None)
    for p in of.comparison:
        bar = f"{abs(p.quantity) / most * 100:.1f}" if p.quantity and most else "0"
        rows.append({**texts(p, of.tz, f, f.moment), "bar": bar})
        if p.start is not None and p.end is not None:
            rows[-1]["label"] = f.period(p.start, p.end, of.tz)
    return aligned(f, rows, "quantity", "amount")


def cells(rows: Sequence[Texts], layout: Sequence[Sequence[str]], pad: str = "") -> list[list[str]]:
    """The cells of a table: of each column its head, then the names of the texts in its cells.

    Parameters
    ----------
    rows : sequence of dict
        The texts.
    layout : sequence of sequence of str
        Each name is a line of its own in the cell; ``"a b"`` and ``"a·b"`` are two in one line.
    pad : str
        Stands for each digit that a number lacks of the longest decimals in its column.
    """

    def filled(row: Texts, names: Sequence[str]) -> Iterator[str]:
        for name in names:
            own = [x for x in name.replace("·", " ").split() if row[x]]
            parts = [row[x] + pad * len(row.get(f"{x}_tail", "").strip(".,")) for x in own]
            yield (" · " if "·" in name else " ").join(parts)

    return [["\n".join(filter(None, filled(row, names))) for _, *names in layout] for row in rows]


def head(of: Statement) -> list[tuple[str, str]]:
    """What stands above the lines."""
    f = formats(of.locale)
    own, whole = (of.held_from or of.start, of.held_to or of.end), (of.start, of.end)
    period, bills = (" – ".join(f.moment(x, of.tz) for x in span) for span in (own, whole))
    pairs = [
        ("For", visible(of.party)),
        ("Period", period),
        ("Bill's period", bills if own != whole else ""),
        ("Time zone", of.tz),
        ("Tariff", visible(str((of.tariff or {}).get("name", "")))),
        ("Readings fetched", "" if of.read_at is None else f.moment(of.read_at, of.tz)),
    ]
    return [(k, v) for k, v in pairs if v]


def _foot(of: Statement, rated: bool) -> list[str]:
    """What stands below everything: notes, the comparison that is not there, rounding, version."""
    rounding = "Quantities and amounts are not rounded."
    if of.places is not None:
        how = {"half-up": "a half goes up", "half-even": "a half goes to the even digit"}
        rounding = (
            f"Quantities are rounded to {of.places} decimals"
            f"{', and priced as printed' * rated}. Each amount is rounded to {of.digits} "
            f"decimals ({how[of.rounding]}); the total is the sum of the printed amounts."
        )
    return [
        *[DRAFT_NOTE] * of.draft,
        *map(visible, of.notes),
        *([] if of.comparison else [of.comparison_note or NO_COMPARISON]),
        rounding,
        f"Made by dentframe {of.version}.",
    ]


# --- what each status, term and flag means to those who pay ---------------------------------


WORDS = tomllib.loads((Path(__file__).parent / "templates/words.toml").read_text(encoding="utf-8"))
"""The words of page one, of audit sheets and of notes; the file says what they are of."""
TERMS: dict[str, str] = WORDS["terms"]
"""By the unit of a line, or the part of the energy that its name ends with."""
FLAGS: dict[str, tuple[str, str]] = {flag: tuple(words) for flag, words in WORDS["flags"].items()}
"""What a flag is called, and what that means."""
REASONS = FLAGS.keys() - WORDS["only_told"]
"""The flags that can make a figure doubtful; the others only say what happened."""
_UNKNOWN = "The readings carry this mark. Ask whoever sent the statement what it means."


def label(flag: str) -> str:
    """What a flag is called on a statement.

    Examples
    --------
    >>> label("gap_bridged")
    'readings in between missing'
    """
    return FLAGS[flag][0] if flag in FLAGS else flag.replace("_", " ")


def labels(flags: Iterable[str]) -> str:
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
    found = [(k, v) for k, v in WORDS["statuses"].items() if k in statuses]
    said = {x for line in of.lines for x in (line.unit, line.name.rpartition(": ")[2])}
    said |= {x for x in TERMS if any(line.basis and x in line.note for line in of.lines)}
    found += [(k, v) for k, v in TERMS.items() if k in said]
    return [*found, *(FLAGS.get(f, (label(f), _UNKNOWN)) for f in sorted(flags))]
