"""What a reader of a split must look at: refused figures, residuals, periods that differ. Pure."""

from __future__ import annotations

from dataclasses import dataclass, fields
from decimal import Decimal
from typing import TYPE_CHECKING

import pandas as pd

from dentframe.money.components import TOLERANCE, UNEXPLAINED, residuals
from dentframe.money.rounding import EXACT, add, rounded
from dentframe.money.stays import COMMON, MAIN, midnights, span, tops
from dentframe.site_checks import UNALLOCATED
from dentframe.site_parts import EXPORT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dentframe.money.components import Use
    from dentframe.money.sharing import Charge
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
    accepted : bool
        Whether the rules allow it.
    """

    kind: str
    subject: str
    detail: str
    value: Decimal | None = None
    limit: Decimal | None = None
    unit: str = ""
    accepted: bool = False


COLUMNS = tuple(f.name for f in fields(Finding))


def findings(use: Use, charges: Sequence[Charge]) -> list[Finding]:
    """All findings of a split, figures first.

    Parameters
    ----------
    use : Use
        The figures that the lines rested on.
    charges : sequence of Charge
        The shares.
    """
    judged = "energy" in use.asked and not use.refused("energy")
    return [
        *(x for basis in use.asked for f in _apart(use, basis) for x in _status(use, f)),
        *(_residual(use) if judged else ()),
        *(_main(use) if judged else ()),
        *_periods(use),
        *_recovery(use, charges),
        *_unallocated(use, charges),
    ]


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
    yield Finding(f.status, subject, _detail(use, f), value, None, f.unit, accepted=accepted)


def _detail(use: Use, f: Figure) -> str:
    s, zone = f.stay, use.of.site.zone
    start, end, who = s.start, s.end, s.party or _NAMES[s.kind]
    if "site_peak" in f.row:
        (start, end), who = span(use.of.site, use.of.bill), "all elements together"
    flags = f" ({', '.join(f.flags)})" if f.flags else ""
    return (
        f"{'energy' if f.unit == 'kWh' else 'demand'} of {who}, "
        f"{start.tz_convert(zone):%Y-%m-%d %H:%M} to {end.tz_convert(zone):%Y-%m-%d %H:%M}: "
        f"{f.status}, coverage {f.coverage:.4f}{flags}"
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
                f"the elements measured {-value} kWh more than the utility billed"
                if value == use.residual
                else f"the stated parts exceed what is left by {-value} kWh"
            )
            yield Finding(
                "negative_residual", use.of.bill.name, detail, value, -limit, "kWh",
                accepted=-value <= limit,
            )  # fmt: skip
            return
    if parts[rest] > limit and rest != COMMON:
        what = "meter tolerance" if rest == TOLERANCE else rest
        detail = f"{parts[rest]} of the utility's {use.kwh} kWh are {what}"
        yield Finding("utility_differs", use.of.bill.name, detail, parts[rest], limit, "kWh")


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
        detail = f"{', '.join(at)} measured {measured} kWh, the utility billed {use.kwh} kWh"
        yield Finding("utility_differs", at[0], detail, off, _limit(use), "kWh")


def _periods(use: Use) -> Iterator[Finding]:
    site, bill = use.of.site, use.of.bill
    days = len(midnights(site, bill))
    if bill.days is not None and bill.days != days:
        detail = f"the bill states {bill.days} days, its read dates span {days}"
        yield Finding(
            "periods_differ", bill.name, detail, Decimal(days), Decimal(bill.days), "days"
        )
    start, end = span(site, bill)
    for line in bill.lines:
        low = start if line.start is None else site.instant(line.start)
        high = end if line.end is None else site.instant(line.end)
        if (low, high) != (start, end):
            detail = (
                f"the line is for {line.start or bill.start} to {line.end or bill.end}, the bill "
                f"for {bill.start} to {bill.end}: it was shared by the use of the whole bill"
            )
            yield Finding("periods_differ", line.name, detail)


def _recovery(use: Use, charges: Sequence[Charge]) -> Iterator[Finding]:
    """What parties pay against what the utility charges: an export credit is paid by others."""
    paid = add([c.amount for c in charges if c.party not in {EXPORT, UNALLOCATED}])
    billed = use.of.bill.amount
    if paid > max(billed, ZERO):
        detail = f"tenants and landlord pay {paid} of a bill of {billed}"
        yield Finding(
            "over_recovery", use.of.bill.name, detail, EXACT.subtract(paid, billed), ZERO,
            use.of.site.currency, accepted=use.of.rules.over_recovery,
        )  # fmt: skip


def _unallocated(use: Use, charges: Sequence[Charge]) -> Iterator[Finding]:
    for c in charges:
        if c.party == UNALLOCATED and c.amount:
            why = "a figure it rests on was refused" if c.part == "refused" else "no rule bears it"
            yield Finding(
                "unallocated", c.title, f"{c.amount} are nobody's: {why}", c.amount, ZERO,
                use.of.site.currency,
            )  # fmt: skip
