"""What a reader of a split must look at: refused figures, residuals, periods that differ. Pure."""

from __future__ import annotations

from dataclasses import dataclass, fields
from decimal import Decimal
from typing import TYPE_CHECKING

import pandas as pd

from dentframe.money.components import TOLERANCE, UNEXPLAINED, dates, residuals
from dentframe.money.occupancy import COMMON, MAIN, midnights, span, tops
from dentframe.money.remedies import SPLIT, exclusive_end, remedy
from dentframe.money.rounding import EXACT, add, rounded
from dentframe.site.elements import EXPORT, UNALLOCATED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dentframe.money.components import Use, Uses
    from dentframe.money.shares import Charge
    from dentframe.money.usage import Figure


ZERO = Decimal(0)
_NAMES = {COMMON: "common areas", MAIN: "the main"}


@dataclass(frozen=True)
class Finding:
    """One row of `Run.exceptions`.

    Attributes
    ----------
    kind : str
        ``missing``, ``partial``, ``estimated``, ``negative_residual``, ``utility_differs``,
        ``periods_differ``, ``over_recovery`` or ``unallocated``.
    subject : str
        The element, line or bill.
    detail : str
        What it is about.
    value, limit : Decimal or None
        The number that was judged, and against what.
    unit : str
        Of both.
    rule : str
        The field of ``[split]`` that decides; ``""`` where none does.
    remedy : str
        What to do; ``""`` where nothing has to be done.
    accepted : bool
        Whether the rules allow it.
    """

    kind: str
    subject: str
    detail: str
    value: Decimal | None = None
    limit: Decimal | None = None
    unit: str = ""
    rule: str = ""
    remedy: str = ""
    accepted: bool = False


COLUMNS = tuple(f.name for f in fields(Finding))


def findings(of: Uses, charges: Sequence[Charge]) -> list[Finding]:
    """All findings of a split, figures first.

    Parameters
    ----------
    of : Uses
        The figures that the lines rested on.
    charges : sequence of Charge
        The shares.
    """
    return [
        *(x for use in of.every for x in _measured(use)),
        *(x for use in of.every for x in _energies(use)),
        *_periods(of.whole),
        *_recovery(of.whole, charges),
        *_unallocated(of.whole, charges),
    ]


def _measured(use: Use) -> Iterator[Finding]:
    """What the figures themselves say."""
    for basis in use.asked:
        for f in _apart(use, basis):
            yield from _status(use, f)


def _energies(use: Use) -> Iterator[Finding]:
    """The meters against the utility's, where its energy is known and was shared.

    A demand line asks for energy too, where common areas are shared by it.
    """
    if "energy" not in use.asked or use.of.bill.kwh is None:
        return
    if not use.refused("energy"):
        yield from _residual(use)
        yield from _main(use)


def table(found: Sequence[Finding]) -> pd.DataFrame:
    """Findings as a frame, one row each."""
    rows = [[getattr(x, c) for c in COLUMNS] for x in found]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"accepted": bool})


def _apart(use: Use, basis: str) -> Sequence[Figure]:
    """The figures that have a status of their own: a coincident peak is one for all."""
    found = use.figures(basis)
    return found[:1] if basis == "coincident" else found


def _status(use: Use, f: Figure) -> Iterator[Finding]:
    if f.status == "recorded":
        return
    together = "site_peak" in f.row
    subject = use.of.site.name if together else f.stay.element
    value = _rounded(use, f.row["site_peak"]) if together else f.value
    accepted = f.stay.kind == MAIN or use.accepts(f)
    energy = f.unit == "kWh"
    yield Finding(
        f.status, subject, _detail(use, f), value, None, f.unit,
        rule="accept" if energy else _demand_rule(use, f),
        remedy="" if accepted else _remedy(f) if energy else f.note + _DEMAND,
        accepted=accepted,
    )  # fmt: skip


_DEMAND = (
    "Read the period again: late readings may have come. Else state accept_demand or "
    "demand_coverage in [split], or share the line by another rule."
)


def _demand_rule(use: Use, f: Figure) -> str:
    low = f.status == "partial" and f.coverage < use.of.rules.demand_coverage
    return "demand_coverage" if low else "accept_demand"


def _remedy(f: Figure) -> str:
    return remedy(f.status, f.flags, f.stay.element, SPLIT)


def _detail(use: Use, f: Figure) -> str:
    s, zone = f.stay, use.of.site.zone
    start, end, who = s.start, s.end, s.party or _NAMES[s.kind]
    if "site_peak" in f.row:
        (start, end), who = span(use.of.site, use.of.bill), "all elements together"
    told = ", ".join((*f.flags, *filter(None, [use.when(f)])))
    flags = f" ({told})" if told else ""
    return (
        f"{'energy' if f.unit == 'kWh' else 'demand'} of {who}, "
        f"{start.tz_convert(zone):%Y-%m-%d %H:%M} to {end.tz_convert(zone):%Y-%m-%d %H:%M}: "
        f"{f.status}, coverage {f.coverage:.4f}{flags}{f'; {f.note}' if f.sure else ''}"
    )


def _rounded(use: Use, value: float) -> Decimal | None:
    return None if pd.isna(value) else rounded(float(value), use.of.rules.places)


def _limit(use: Use) -> Decimal:
    return rounded(
        EXACT.divide(EXACT.multiply(abs(use.kwh), use.of.rules.agree), Decimal(100)),
        use.of.rules.places,
    )


def _residual(use: Use) -> Iterator[Finding]:
    """What is left of the utility's energy after the parts that are stated as amounts."""
    limit, parts = _limit(use), residuals(use)
    rest = next((n for n, p in use.of.rules.parts if p.rest), UNEXPLAINED)
    for value in dict.fromkeys((use.residual, parts[rest])):
        if value < 0:
            detail = (
                f"the elements measured {-value} kWh more than the utility billed{use.dated}"
                if value == use.residual
                else f"the stated parts exceed what is left by {-value} kWh{use.dated}"
            )
            yield Finding(
                "negative_residual", use.of.bill.name, detail, value, -limit, "kWh", "agree",
                "" if -value <= limit else _COMPARE, accepted=-value <= limit,
            )  # fmt: skip
            return
    if parts[rest] > limit and rest != COMMON:
        what = "meter tolerance" if rest == TOLERANCE else rest
        detail = f"{parts[rest]} of the utility's {use.kwh} kWh{use.dated} are {what}"
        yield Finding(
            "utility_differs", use.of.bill.name, detail, parts[rest], limit, "kWh", "agree",
            _COMPARE,
        )  # fmt: skip


_COMPARE = (
    "Compare the bill's kwh and read dates with its paper, and the site's elements with the "
    "meters; where the difference is real, raise agree [%] in [split]."
)
_TWICE = (
    " Before that: a branch that a main of the site measures too must name it as its parent, or "
    "it counts twice."
)


def _main(use: Use) -> Iterator[Finding]:
    """The site's own main against the utility's meter."""
    at = tops(use.of.site, use.of.bill)
    if not any(use.of.site.elements[k].role == MAIN for k in at):
        return
    own = [f for f in use.figures("energy") if f.stay.element in at]
    if any(f.value is None or f.status == "partial" for f in own):
        return
    measured = add([f.value for f in own if f.value is not None])
    off = EXACT.subtract(measured, use.kwh)
    if abs(off) > _limit(use):
        told = f"the utility billed {use.kwh} kWh{use.dated}"
        detail = f"{', '.join(at)} measured {measured} kWh, {told}"
        both = any(use.of.site.elements[k].role != MAIN for k in at)
        told = _COMPARE + _TWICE * both
        yield Finding("utility_differs", at[0], detail, off, _limit(use), "kWh", "agree", told)


def _periods(use: Use) -> Iterator[Finding]:
    site, bill = use.of.site, use.of.bill
    days = len(midnights(site, bill))
    if bill.days is not None and bill.days != days:
        detail = f"the bill states {bill.days} days, its read dates span {days}"
        yield Finding(
            "periods_differ", bill.name, detail, Decimal(days), Decimal(bill.days), "days",
            remedy="Correct the bill's start, end or days; end is the next read date, exclusive."
            + exclusive_end(bill.start, bill.end),
        )  # fmt: skip
    elif bill.days is None and exclusive_end(bill.start, bill.end):
        detail = f"the period ends before {bill.end} begins: {days} days"
        yield Finding(
            "periods_differ", bill.name, detail, Decimal(days), unit="days",
            remedy=exclusive_end(bill.start, bill.end).strip(), accepted=True,
        )  # fmt: skip
    start, end = span(site, bill)
    for line in bill.lines:
        low, high = dates(site, bill, line)
        if low < start or high > end:
            detail = (
                f"the line is for {line.start or bill.start} to {line.end or bill.end}, the bill "
                f"for {bill.start} to {bill.end}: it was shared by the use of its own dates"
            )
            yield Finding("periods_differ", line.name, detail, remedy=_BEYOND)


_BEYOND = (
    "Correct the line's start and end. If it belongs to another period, split it as a bill of "
    "its own with that period's dates."
)


def _recovery(use: Use, charges: Sequence[Charge]) -> Iterator[Finding]:
    """What parties pay against what the utility charges: an export credit is paid by others."""
    paid = add([c.amount for c in charges if c.party not in {EXPORT, UNALLOCATED}])
    billed = use.of.bill.amount
    if paid > max(billed, ZERO):
        detail = f"tenants and landlord pay {paid} of a bill of {billed}"
        yield Finding(
            "over_recovery", use.of.bill.name, detail, EXACT.subtract(paid, billed), ZERO,
            use.of.site.currency, "over_recovery",
            "" if use.of.rules.over_recovery else "If that is meant (an export credit), state "
            "over_recovery = true in [split].",
            accepted=use.of.rules.over_recovery,
        )  # fmt: skip


def _unallocated(use: Use, charges: Sequence[Charge]) -> Iterator[Finding]:
    for c in charges:
        if c.party == UNALLOCATED and c.amount:
            refused = c.part == "refused"
            why = "a figure it rests on was refused" if refused else "no rule bears it"
            yield Finding(
                "unallocated", c.title, f"{c.amount} are nobody's: {why}", c.amount, ZERO,
                use.of.site.currency, "accept" if refused else "loss, common, tolerance",
                _REFUSED if refused else _BEARS,
            )  # fmt: skip


_REFUSED = "See the figures that are not accepted, above."
_BEARS = (
    "State who bears it: a table [split.loss], [split.common] or [split.tolerance] with by, and "
    "percent, kwh or rest = true."
)
