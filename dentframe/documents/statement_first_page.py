"""Page one of a statement says, in words of everyday, what is owed and for what, with a chart.

It is made once, as texts, and printed alike as page, PDF and sheet. Whoever wants to check a
figure turns to the audit sheet behind it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from math import ceil, floor
from typing import Any, NamedTuple

import pandas as pd

from dentframe.documents.number_and_date_formats import Formats, aligned, days, formats
from dentframe.documents.statement_audit_sheet import REASONS, WORDS, Texts, labels, texts, visible
from dentframe.money.statement import Letter, Line, Part, Reading, Statement

Layout = tuple[tuple[str, ...], ...]
_NEAR = pd.Timedelta(days=20)
CHARGES = (
    ("For", "name·about"), ("How much", "quantity"), ("Of the utility's", "charged"),
    ("Amount", "amount"),
)  # fmt: skip
METERS = (
    ("Meter", "element", "kind·multiplier", "exchanged"),
    ("Previous reading", "open_reading", "open_at"),
    ("Current reading", "close_reading", "close_at"), ("Used", "used unit", "differs"),
)  # fmt: skip
PARTS = (
    ("Meter", "element"), ("Opening", "opening", "start", "opening_note"),
    ("Closing", "closing", "end", "closing_note"), ("Counts for", "used unit", "factor"),
)  # fmt: skip
COMPARED = (
    ("Bill", "name", "dates"), ("Used", "quantity unit"), ("Amount", "amount"),
    ("This bill against it", "used_more", "owed_more"),
)  # fmt: skip
"""The tables of page one, as `audit_sheet.cells` lays them out."""


class FirstPage:
    """The texts of page one.

    Parameters
    ----------
    of : Statement
        The statement.

    Attributes
    ----------
    sender, to, facts
        Who bills whom, as lines; what there is to know, as pairs.
    mark : str
        What sets a bill apart that is estimated, or lacks readings.
    due, amount : str
        What is owed by when, as label and amount.
    charges, meters, parts, compared : list of dict
        What the amount is made of, what the meters showed, what a corrected meter counts for part
        by part, and this bill beside earlier ones; each a row of texts.
    remarks, closing : list of str
        What must be known of the figures; how to pay and whom to ask.
    compared_note : str
        How periods of different lengths are compared.
    chart : Chart or None
        Daily use.
    """

    def __init__(self, of: Statement) -> None:
        letter, f, meters = of.letter or Letter(), formats(of.locale), counted(of)
        unit = f"Unit {letter.unit}" if letter.unit else ""
        self.sender = _shown([letter.sender, *letter.sender_address])
        self.to = _shown([of.party, unit, *letter.address])
        self.facts = _facts(of, letter, f)
        read = {r.status for r in of.readings}
        self.mark = "Incomplete readings" if read - {"recorded"} else ""
        if "estimated" in read | {x.status for x in of.lines}:
            self.mark = "Estimated bill"
        self.due = "Amount due" if of.total >= 0 else "Credit to you"
        if of.draft:
            self.due = "Not to be paid: draft"
        elif letter.due and of.total > 0:
            self.due += f" by {f.day(letter.due)}"
        self.amount = f.money(abs(of.total), of.currency)
        self.charges = aligned(f, [_charge(x, letter, f) for x in of.lines], "amount")
        self.meters = aligned(f, [meter(of, r, f) for r in meters], "used")
        self.parts = aligned(f, [_part(of, r, p, f) for r in meters for p in r.parts], "used")
        bills = _bills_to_compare(of)
        self.compared = _compared(of, bills, f)
        spans = {days(x.start, x.end, of.tz) for x in bills}
        self.compared_note = "Changes are per day: the periods differ in length." * (len(spans) > 1)
        self.remarks = [x for x in (_measured(of), *_averages(of, f)) if x]
        self.closing = _shown(_closing(letter))
        self.chart = daily_chart(of)

    @property
    def tables(self) -> list[tuple[str, Layout, list[Texts]]]:
        """The tables below the charges that have rows: title, layout and rows."""
        found = (
            ("Your meters", METERS, self.meters),
            ("Corrected readings, part by part", PARTS, self.parts),
            ("Compared with earlier bills", COMPARED, self.compared),
        )
        return [table for table in found if table[-1]]


def _shown(texts: Iterable[str]) -> list[str]:
    return [visible(x) for x in texts if x]


def _facts(of: Statement, letter: Letter, f: Formats) -> list[tuple[str, str]]:
    own = of.held_from or of.start, of.held_to or of.end
    times = sorted(x for r in of.readings for x in (r.open_at, r.close_at) if x is not None)
    read = [f.day(x.tz_convert(of.tz)) for x in times]
    found = [
        ("Account", letter.account),
        ("Statement number", "none, this is a draft" if of.draft else letter.number),
        ("Issued", f.day(letter.issued) if letter.issued else ""),
        ("Due", f.day(letter.due) if letter.due else ""),
        ("Service period", f.dates(*own, of.tz)),
        ("Bill's period", f.dates(of.start, of.end, of.tz) if own != (of.start, of.end) else ""),
        ("Meters read on", " and ".join(dict.fromkeys([*read[:1], *read[-1:]]))),
        ("Rate schedule", letter.schedule or str((of.tariff or {}).get("name", ""))),
    ]
    return [(k, visible(v)) for k, v in found if v]


# --- what is owed, and what the meters showed ----------------------------------------------


def _charge(x: Line, letter: Letter, f: Formats) -> Texts:
    """What a line is called, how much it is, and by what it was shared if that does not say it."""
    units = {**WORDS["units"], "area-days": f"{letter.area_unit or 'area'} · days"}
    quantity, about = "", str(WORDS["bases"].get(x.basis, ""))
    if x.quantity is not None:
        whole = x.share.whole if x.share else None
        of_whole = "" if whole is None else f" of {f.number(whole)}"
        quantity = f"{f.number(x.quantity)}{of_whole} {units.get(x.unit, x.unit)}".strip()
        if x.rate is not None and whole is None:
            quantity += f" × {f.number(x.rate)}"
    if x.share and x.share.weight is not None and x.share.weights is not None:
        share = f"{f.number(x.share.weight)} of {f.number(x.share.weights)}"
        unit = units.get(x.share.unit, x.share.unit)
        about = visible(f"your share: {share} {unit}".strip())
    elif x.unit == "element-days":
        about = "days of all meters of the building, each counted"
    return {
        "name": visible(_called(x)),
        "about": about,
        "quantity": visible(quantity),
        "charged": f.number(x.share.charged) if x.share else "",
        "amount": f.number(x.amount),
    }


def _called(x: Line) -> str:
    """What a charge is called for somebody who knows nothing of meters."""
    name, _, part = x.name.rpartition(": ")
    return f"{name}: {WORDS['parts'][part]}" if part in WORDS["parts"] else x.name


def counted(of: Statement) -> list[Reading]:
    """The readings that make up the use: not those of a part of the period beside its whole."""

    def within(part: Any, whole: Any) -> bool:
        edges = part.open_at, part.close_at, whole.open_at, whole.close_at
        if part.element != whole.element or None in edges:
            return False
        return bool(whole.open_at <= part.open_at and part.close_at <= whole.close_at)

    every = of.readings
    return [r for r in every if not any(within(r, x) and not within(x, r) for x in every)]


def meter(of: Statement, r: Reading, f: Formats) -> Texts:
    """What one meter showed."""
    # The registers hold the CTs' ratio already: who sees a factor multiplies by it.
    multiplier = f"multiplier 1{r.ct and f' ({r.ct}, included)'}" if r.open_at else ""
    exchange = (
        "meter exchanged on {at}: the old one closed at {closing}, the new one opened at {opening}"
    )
    return {
        **texts(r, of.tz, f, f.time),
        "used": "not known" if r.energy is None else f.number(r.energy),
        "unit": "" if r.energy is None else r.unit,
        "kind": "actual" if r.status == "recorded" else r.status,
        "multiplier": "corrected, part by part as printed below" if r.parts else multiplier,
        "exchanged": "; ".join(exchange.format(**texts(x, of.tz, f, f.time)) for x in r.exchanges),
        "differs": _differs(r, f),
    }


def _part(of: Statement, r: Reading, p: Part, f: Formats) -> Texts:
    """What a corrected meter showed over a part of the period, and what that counts for."""
    return {
        **texts(p, of.tz, f, f.time),
        "element": visible(r.element),
        "opening_note": "calculated" if "opening" in p.calculated else "",
        "closing_note": "calculated" if "closing" in p.calculated else "",
        "factor": f"multiplier {f.number(p.factor)}",
        "unit": r.unit,
    }


def _differs(r: Reading, f: Formats) -> str:
    """By how much the energy differs from what the printed readings give."""
    if r.energy is None or r.open_reading is None or r.close_reading is None:
        return ""
    shown = r.close_reading - r.open_reading + sum(x.closing - x.opening for x in r.exchanges)
    by = r.energy - (sum((p.used for p in r.parts), Decimal(0)) if r.parts else shown)
    more = "more" if by > 0 else "less"
    return f"{f.number(abs(by))} {r.unit} {more} than the readings printed here" if by else ""


# --- what must be known of the figures -----------------------------------------------------


def _measured(of: Statement) -> str:
    """In plain sentences what is not measured; ``""`` of a paper without meters."""
    read = [(r.element, r.status, r.flags) for r in of.readings]
    charged = [(_called(x), x.status, x.flags) for x in of.lines]
    sentences = []
    for words, found in (("meters", read), ("charges", charged)):
        for status, what in WORDS[words].items():
            names = dict.fromkeys(name for name, x, _ in found if x == status)
            flags = {y for _, x, f in found if x == status for y in f} & REASONS
            why = f" ({labels(sorted(flags))})" if flags and found is read else ""
            sentences += [f"{what[len(names) > 1]}: {', '.join(names)}{why}."] if names else []
    names = dict.fromkeys(n for n, _, f in (*read, *charged) if {"agreed", "corrected"} & {*f})
    sentences += [f"Corrected, as the audit sheet says: {', '.join(names)}."] if names else []
    if not sentences and (read or any(status for _, status, _ in charged)):
        return "All readings are actual; nothing is estimated."
    return visible(" ".join(sentences))


def _averages(of: Statement, f: Formats) -> Iterator[str]:
    """What energy costs the party on average by its own meters, and what it costs the utility's."""
    lines = [x for x in of.lines if x.basis == "energy" or (not x.basis and x.kind == "energy")]
    used = sum((r.energy for r in counted(of) if r.energy is not None), Decimal(0))
    amount = sum((x.amount for x in lines), Decimal(0))
    shares = {x.charge: x.share for x in lines if x.share and x.share.whole}
    charged = sum((x.charged for x in shares.values()), Decimal(0))
    wholes = {x.whole for x in shares.values()}
    averages = [("You pay", amount, used)] if lines and used > 0 else []
    if len(wholes) == 1 and charged > 0:
        averages.append(("The utility charged", charged, wholes.pop() or Decimal(0)))
    for who, money, energy in averages:
        rate = (money / energy).quantize(Decimal("0.0001"), ROUND_HALF_UP)
        each, paid = (f.money(x, of.currency) for x in (rate, money))
        yield f"{who} {each} per kWh on average: {paid} for energy ÷ {f.number(energy)} kWh."


def _closing(letter: Letter) -> list[str]:
    """How to pay, and whom to ask."""
    whom = letter.contact or f"Ask {letter.sender}." * bool(letter.sender)
    own = letter.not_from_utility and letter.sender
    return [
        letter.payment_terms,
        f"Pay to: {', '.join(letter.remit_to)}" * bool(letter.remit_to),
        f"Questions? {whom}" * bool(whom),
        "This bill is from your landlord. It is not from the utility." * bool(own),
    ]


# --- compared with earlier bills -----------------------------------------------------------


def _bills_to_compare(of: Statement) -> list[Any]:
    """The bill, the one that ends where it begins, and the one about a year before.

    Each is a `Past` with dates, whose label says which it is.
    """
    start, end = of.held_from or of.start, of.held_to or of.end

    def from_a_year_before(x: Any) -> Any:
        middle = x.start + (x.end - x.start) / 2
        return abs(middle + pd.Timedelta(days=365) - start - (end - start) / 2)

    past: list[Any] = [x for x in of.comparison if x.start is not None and x.end is not None]
    now = [replace(x, label="This bill") for x in past if (x.start, x.end) == (start, end)]
    last = [replace(x, label="The bill before") for x in past if x.end == start]
    year = [replace(x, label="A year before") for x in past if from_a_year_before(x) <= _NEAR]
    year.sort(key=from_a_year_before)
    known = [x for x in (*last, *year[:1]) if x.quantity is not None or x.amount]
    return [*now[:1], *known] if now and known else []


def _compared(of: Statement, bills: Sequence[Any], f: Formats) -> list[Texts]:
    rows = []
    for x in bills:
        used, owed = (_change(of, bills[0], x, name, f) for name in ("quantity", "amount"))
        rows.append({
            "name": x.label,
            "dates": f.dates(x.start, x.end, of.tz),
            "quantity": f.number(x.quantity) or "–",
            "unit": x.unit if x.quantity is not None else "",
            "amount": f.number(x.amount) or "–",
            "quantity_change": used,
            "amount_change": owed,
            "used_more": used and f"{used} used",
            "owed_more": owed and f"{owed} amount",
        })  # fmt: skip
    return aligned(f, rows, "quantity", "amount")


def _change(of: Statement, now: Any, then: Any, name: str, f: Formats) -> str:
    """By how many per cent this bill is above an earlier one, per day where the days differ."""
    ours, theirs = getattr(now, name), getattr(then, name)
    if now is then or ours is None or not theirs or theirs < 0:
        return ""
    a, b = (v / days(x.start, x.end, of.tz) for v, x in ((ours, now), (theirs, then)))
    return f.change(((a / b - 1) * 100).quantize(Decimal(1), ROUND_HALF_UP))


# --- daily use, as a chart ------------------------------------------------------------------


class Bar(NamedTuple):
    """One day of the chart.

    Attributes
    ----------
    left, width, top, height : float
        Its place from the left and from the top, as shares of the plot, 0 to 1; the width is
        that of the bar without its gap.
    doubtful : bool
        Whether it is hatched: estimated, or measured only in part.
    known : bool
        Whether anything is known of it.
    text : str
        The day and its use.
    """

    left: float
    width: float
    top: float
    height: float
    doubtful: bool
    known: bool
    text: str


class Chart(NamedTuple):
    """Daily use as bars, which pages and PDFs draw alike.

    Attributes
    ----------
    bars : list of Bar
        One a day.
    ticks, labels : list of (float, str)
        Where lines and numbers stand, from the top, and dates, from the left.
    note : str
        What must be known of hatched and missing days.
    """

    bars: list[Bar]
    ticks: list[tuple[float, str]]
    labels: list[tuple[float, str]]
    note: str


def daily_chart(of: Statement) -> Chart | None:
    """The chart of a statement's days, None where there is nothing to compare."""
    used = [d.energy for d in of.daily if d.energy is not None]
    if len(used) < 2 or not any(used):
        return None
    f = formats(of.locale)
    # The greatest round step that cuts the height into at least three.
    span = max(*used, Decimal(0)) - min(*used, Decimal(0))
    unit = Decimal(10) ** (span.adjusted() - 1)
    step = max(k * unit for k in (1, 2, 5, 10, 20, 50) if k * unit * 3 <= span).normalize() + 0
    low = min(0, *(floor(x / step) for x in used))
    high = max(0, *(ceil(x / step) for x in used))

    def down(value: Decimal) -> float:
        return float((high * step - value) / (step * (high - low)))

    n, bars = len(of.daily), []
    for i, d in enumerate(of.daily):
        top, bottom = sorted((down(d.energy or Decimal(0)), down(Decimal(0))))
        doubtful, known = d.status != "recorded", d.energy is not None
        mark = f" ({d.status})" if doubtful else ""
        text = f"{f.number(d.energy)} kWh{mark}" if known else "not known"
        bars.append(Bar((i + 0.12) / n, 0.76 / n, top, bottom - top, doubtful, known,
                        f"{f.short(d.day)}: {text}"))  # fmt: skip
    ticks = [(down(step * i), f.number(step * i)) for i in range(low, high + 1)]
    labels = [((i + 0.5) / n, f.short(d.day)) for i, d in enumerate(of.daily) if i % 7 == 0]
    notes = []
    if any(bar.doubtful for bar in bars if bar.known):
        actual = of.readings and all(r.status == "recorded" for r in of.readings)
        still = "; the readings above are actual all the same" if actual else ""
        notes.append(f"Hatched days are estimated, or measured only in part{still}.")
    if not all(bar.known for bar in bars):
        notes.append("Of a day with a question mark nothing is known.")
    return Chart(bars, ticks, labels, " ".join(notes))
