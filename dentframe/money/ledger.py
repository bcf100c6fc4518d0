"""A split as tables: charges for accounting, the control sum, figures, exceptions. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from dentframe.money import judge
from dentframe.money.fees import FEE
from dentframe.money.outcome import behind, worst
from dentframe.money.rounding import add, digits_of, rounded
from dentframe.money.stays import span
from dentframe.site_checks import UNALLOCATED
from dentframe.site_parts import EXPORT

if TYPE_CHECKING:
    from dentframe.money.outcome import Outcome
    from dentframe.money.sharing import Charge

CHARGES = (
    "bill", "start", "end", "party", "role", "code", "line", "bill_line", "kind", "part", "basis",
    "quantity", "unit", "amount", "currency", "status",
)  # fmt: skip
"""The columns of `Run.charges`."""
FIGURES = (
    "element", "label", "party", "kind", "start", "end", "basis", "quantity", "unit", "coverage",
    "status", "flags", "open_at", "open_reading", "close_at", "close_reading", "lo", "hi",
)  # fmt: skip
"""The columns of `Run.figures`."""


def control(of: Outcome) -> pd.Series[Any]:
    """The utility's amount and where it went, as Decimal: the four add up to it.

    The landlord's fees come after them, where the rules have any: no part of that sum.
    """
    total = {
        role: add([c.amount for c in of.shares if of.role(c.party) == role])
        for role in ("tenant", "landlord", EXPORT, UNALLOCATED)
    }
    values = {"utility": of.bill.amount, "tenants": total.pop("tenant"), **total}
    if of.rules.fees:
        values["fees"] = add([c.amount for c in of.fees])
    digits = digits_of(of.site.currency)
    money = {k: rounded(v, digits) for k, v in values.items()}
    return pd.Series(money, dtype=object, name="amount")


def exceptions(of: Outcome) -> pd.DataFrame:
    """What must be looked at, one row each."""
    return judge.table(judge.findings(of.uses, of.shares))


def charges(of: Outcome) -> pd.DataFrame:
    """One row a party and line, ready for accounting."""
    rows = [
        (of.bill.name, *_span(of, c), c.party, of.role(c.party), _code(of, c), c.title,
         c.line, c.kind, c.part, c.basis, c.quantity, c.unit, c.amount, of.site.currency,
         worst(behind(of, c)))
        for c in of.every
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(CHARGES))


def _span(of: Outcome, c: Charge) -> tuple[pd.Timestamp, pd.Timestamp]:
    """The local dates that a charge is for: its line's own, where it has any."""
    start, end = span(of.site, of.uses.of(c.line).of.bill)
    return start.tz_convert(of.site.zone), end.tz_convert(of.site.zone)


def _code(of: Outcome, c: Charge) -> str:
    """A charge's code for accounting: the fee's own, else the party's."""
    codes = {t.name: t.code for t in of.site.tenants} | {of.site.landlord: of.site.landlord_code}
    own = {f.name: f.code for f in of.rules.fees} if c.part == FEE else {}
    return own.get(c.line) or codes.get(c.party, "")


def figures(of: Outcome) -> pd.DataFrame:
    """Every figure that a line rests on, with its status and the readings around its edges."""
    zone, labels = of.site.zone, of.site.labels
    rows = [
        (f.stay.element, labels[f.stay.element], f.stay.party, f.stay.kind,
         f.stay.start.tz_convert(zone), f.stay.end.tz_convert(zone), basis, f.value, f.unit,
         f.coverage, f.status, f.flags, *(f.row.get(x) for x in FIGURES[12:]))
        for use in of.uses.every
        for basis, found in use.asked.items()
        for f in found
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(FIGURES))
