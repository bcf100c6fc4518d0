"""Page one of a statement says, in words of everyday, what is owed, for what and to whom.

It is made once, as texts, and printed alike as page, PDF and sheet. Whoever wants to check a
figure turns to the audit sheet behind it.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import pandas as pd

from dentframe.documents.tables import Texts, aligned, labels, number, visible
from dentframe.money.statement import Letter

if TYPE_CHECKING:
    from dentframe.money.statement import Line, Reading, Statement

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_UNITS = {"element-days": "meters × days", "area-days": "area × days"}
_PARTS = {
    "technical loss": "lost in the building's wires",
    "meter tolerance": "what meters may be off",
    "common areas": "your share of the common areas",
}
"""What a part of a line is called for somebody who knows nothing of meters."""


@dataclass(frozen=True)
class FirstPage:
    """The texts of page one.

    Attributes
    ----------
    sender, to, facts
        Who bills whom, as lines; what there is to know, as pairs.
    due, amount : str
        What is owed by when, as label and amount.
    charges, meters : list of dict
        What the amount is made of, and what the meters showed; each a row of texts.
    told, closing : list of str
        What must be known of the figures; how to pay and whom to ask.
    """

    sender: list[str]
    to: list[str]
    facts: list[tuple[str, str]]
    due: str
    amount: str
    charges: list[Texts]
    meters: list[Texts]
    told: list[str]
    closing: list[str]


def first_page(of: Statement) -> FirstPage:
    """The texts of a statement's first page."""
    letter = of.letter or Letter()
    unit = f"Unit {letter.unit}" if letter.unit else ""
    sender = [letter.sender, *letter.sender_address]
    to = [of.party, unit, *letter.address]
    due = "Amount due" if of.total >= 0 else "Credit to you"
    if letter.due and of.total > 0:
        due += f" by {day(letter.due)}"
    return FirstPage(
        sender=[visible(x) for x in sender if x],
        to=[visible(x) for x in to if x],
        facts=_facts(of, letter),
        due="Not to be paid: draft" if of.draft else due,
        amount=f"{number(abs(of.total))} {of.currency}".strip(),
        charges=aligned([_charge(x) for x in of.lines], "amount"),
        meters=[_meter(of, r) for r in of.readings],
        told=[x for x in (_estimated(of), _rate(of)) if x],
        closing=[visible(x) for x in _closing(letter) if x],
    )


def _facts(of: Statement, letter: Letter) -> list[tuple[str, str]]:
    own = of.held_from or of.start, of.held_to or of.end
    whole = dates(of.start, of.end, of.tz)
    found = [
        ("Account", letter.account),
        ("Statement number", "none, this is a draft" if of.draft else letter.number),
        ("Issued", day(letter.issued) if letter.issued else ""),
        ("Due", day(letter.due) if letter.due else ""),
        ("Service period", dates(*own, of.tz)),
        ("Bill's period", whole if own != (of.start, of.end) else ""),
    ]
    return [(k, visible(v)) for k, v in found if v]


# --- dates -------------------------------------------------------------------------------


def day(at: dt.date) -> str:
    """A date in full: ``30 November 2023``."""
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}"


def dates(start: pd.Timestamp, end: pd.Timestamp, tz: str) -> str:
    """A period in whole inclusive dates and its days; a time only where it is no midnight.

    Examples
    --------
    >>> november = pd.Timestamp("2023-11-01", tz="UTC"), pd.Timestamp("2023-12-01", tz="UTC")
    >>> dates(*november, "UTC")
    '1–30 November 2023, 30 days'
    """
    first, last = (x.tz_convert(tz).tz_localize(None) for x in (start, end))
    length = (last - first) / pd.Timedelta(days=1)
    many = f"{length:.4g} day{'s' * (length != 1)}"
    if (first, last) != (first.normalize(), last.normalize()):
        return f"{_time(first)} to {_time(last)}, {many}"
    last -= pd.Timedelta(days=1)
    if first == last:
        return f"{day(first)}, {many}"
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}–{day(last)}, {many}"
    begun = day(first) if first.year != last.year else day(first).rsplit(" ", 1)[0]
    return f"{begun} – {day(last)}, {many}"


def _time(at: pd.Timestamp) -> str:
    return f"{day(at)}, {at:%H:%M}"


# --- what is owed, and what the meters showed ----------------------------------------------


def _charge(x: Line) -> Texts:
    name, _, part = x.name.rpartition(": ")
    quantity = f"{number(x.quantity)} {_UNITS.get(x.unit, x.unit)}" if x.quantity else ""
    return {
        "name": visible(f"{name}: {_PARTS[part]}" if part in _PARTS else x.name),
        "quantity": visible(quantity).strip(),
        "rate": f"× {number(x.rate)}" if x.rate is not None and x.quantity else "",
        "amount": number(x.amount),
    }


def _meter(of: Statement, r: Reading) -> Texts:
    return {
        "element": visible(r.element),
        "previous": number(r.open_reading),
        "previous_at": "" if r.open_at is None else _time(r.open_at.tz_convert(of.tz)),
        "current": number(r.close_reading),
        "current_at": "" if r.close_at is None else _time(r.close_at.tz_convert(of.tz)),
        "used": f"{number(r.energy)} {r.unit}" if r.energy is not None else "not known",
        "kind": "actual" if r.status == "recorded" else r.status,
        "multiplier": f"multiplier 1{r.ct and f' ({r.ct}, included)'}" if r.open_at else "",
        "exchanged": "; ".join(
            f"meter exchanged on {_time(x.at.tz_convert(of.tz))}: the old one closed at "
            f"{number(x.closing)}, the new one opened at {number(x.opening)}"
            for x in r.exchanges
        ),
        "differs": _differs(r),
    }


def _differs(r: Reading) -> str:
    """By how much the energy differs from what the printed readings give."""
    if r.energy is None or r.open_reading is None or r.close_reading is None:
        return ""
    shown = r.close_reading - r.open_reading + sum(x.closing - x.opening for x in r.exchanges)
    by = r.energy - shown
    if not by:
        return ""
    return (
        f"{number(abs(by))} {r.unit} {'more' if by > 0 else 'less'} than the readings printed here"
    )


def _estimated(of: Statement) -> str:
    """One plain sentence on what is estimated, or not known; ``""`` of a paper without meters."""
    doubtful: list[Line | Reading] = [r for r in of.readings if r.status != "recorded"]
    doubtful += [x for x in of.lines if x.status not in {"", "recorded"}]
    if not doubtful:
        measured = of.readings or any(x.status for x in of.lines)
        return "All readings are actual; nothing is estimated." if measured else ""
    names = list(dict.fromkeys(x.element or getattr(x, "name", "") for x in doubtful))
    flags = labels([f for x in doubtful for f in x.flags])
    why = f" ({flags})" if flags else ""
    return visible(
        f"Estimated or measured only in part: {', '.join(names)}{why}. The audit sheet behind this "
        "page says how."
    )


def _rate(of: Statement) -> str:
    """The lines shared or priced by energy, over the party's own energy."""
    lines = [x for x in of.lines if x.basis == "energy" or (not x.basis and x.kind == "energy")]
    used = sum((r.energy for r in of.readings if r.energy is not None), Decimal(0))
    if not lines or used <= 0:
        return ""
    amount = sum((x.amount for x in lines), Decimal(0))
    rate = round(amount / used, 4)
    return (
        f"Average energy rate: {number(rate)} {of.currency} per kWh "
        f"({number(amount)} {of.currency} for energy ÷ {number(used)} kWh)."
    )


def _closing(letter: Letter) -> list[str]:
    remit = f"Pay to: {', '.join(letter.remit_to)}" if letter.remit_to else ""
    ask = f"Questions? {letter.contact}" if letter.contact else ""
    if not ask and letter.sender:
        ask = f"Questions? Ask {letter.sender}."
    own = "This bill is from your landlord. It is not from the utility."
    return [
        letter.payment_terms,
        remit,
        ask,
        own * (letter.not_from_utility and bool(letter.sender)),
    ]
