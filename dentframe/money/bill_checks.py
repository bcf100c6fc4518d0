"""The checks of a split look for what was left out of a bill or a site, or typed in wrongly."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

from dentframe.money.exceptions import Finding
from dentframe.money.occupancy import dates, midnights, span
from dentframe.money.rounding import add
from dentframe.site.elements import EXPORT
from dentframe.site.elements import stays as held

if TYPE_CHECKING:
    from dentframe.money.figures import Usage
    from dentframe.money.utility_bill import BillLine
    from dentframe.site.files import Moment

_BEYOND = (
    "Correct the line's start and end. If it belongs to another period, split it as a bill of "
    "its own with that period's dates."
)
_TOTAL = (
    "Type in the current charges of the paper as total, without prior balance, payments and late "
    "fees: it is checked against the lines."
)
_PRICE = (
    'Type in the line of the energy too, with kind = "energy"; where some energy is free, accept '
    "it in [[accepted]]."
)
_CREDIT = "Correct its sign; where it is a credit, state credit = true in its [[lines]]."


def checks(use: Usage) -> Iterator[Finding]:
    """What a bill's dates, its tenants' dates and its lines leave open.

    Parameters
    ----------
    use : Usage
        The whole period of the bill.
    """
    yield from _periods(use)
    yield from _tenants(use)
    yield from _lines(use)


def _periods(use: Usage) -> Iterator[Finding]:
    site, bill = use.site, use.bill
    start, end = span(site, bill)
    days, hint = len(midnights(start, end, site.zone)), exclusive_end(bill.start, bill.end)
    if bill.days is not None and bill.days != days:
        detail = f"the bill states {bill.days} days, its read dates span {days}"
        cure = "Correct the bill's start, end or days; end is the next read date, exclusive."
        yield Finding(
            "periods_differ", bill.name, detail, Decimal(days), Decimal(bill.days), "days",
            remedy=cure + hint,
        )  # fmt: skip
    elif bill.days is None and hint:
        detail = f"the period ends before {bill.end} begins: {days} days"
        yield Finding(
            "periods_differ", bill.name, detail, Decimal(days), unit="days",
            remedy=hint.strip(), accepted=True,
        )  # fmt: skip
    for line in bill.lines:
        low, high = dates(site, bill, line)
        if low < start or high > end:
            detail = (
                f"the line is for {line.start or bill.start} to {line.end or bill.end}, the bill "
                f"for {bill.start} to {bill.end}: it was shared by the use of its own dates"
            )
            yield Finding("periods_differ", line.name, detail, remedy=_BEYOND)


def _tenants(use: Usage) -> Iterator[Finding]:
    """Tenants whose end seems to be their last day, which is then not theirs."""
    start, end = span(use.site, use.bill)
    for tenant in use.site.tenants:
        for hold in tenant.holds:
            if hold.end is None or not start <= use.site.instant(hold.end) < end:
                continue
            next_day = hold.end + dt.timedelta(days=1)
            spans = [x for k in hold.elements for x in held(use.site, k)]
            follows = any(use.site.instant(next_day) == x[0] for x in spans)
            hint = exclusive_end(hold.end.replace(day=1), hold.end)
            if not isinstance(hold.end, dt.datetime) and (hint or follows):
                detail = f"{tenant.name}'s time ends before {hold.end} begins: end is exclusive"
                cure = f"If {hold.end} was the last day, write end = {next_day} in [[tenants]]."
                yield Finding("periods_differ", tenant.name, detail, remedy=cure, accepted=True)


def _lines(use: Usage) -> Iterator[Finding]:
    """What may have been left out of a bill's lines, or typed in with the wrong sign."""
    bill, currency = use.bill, use.site.currency
    if bill.total is None:
        detail = "the bill's file has no total, so nothing tells whether a line was left out"
        yield Finding(
            "no_total", bill.name, detail, bill.amount, None, currency, remedy=_TOTAL, accepted=True
        )
    energy = [x for x in bill.lines if _prices_energy(use, x)]
    told = [x.kwh for x in energy if x.kwh is not None]
    priced = add(told) if len(told) == len(energy) else bill.kwh
    if bill.kwh and priced is not None and priced < bill.kwh:
        detail = f"the bill has {bill.kwh} kWh, and its lines price {priced} of them"
        yield Finding("not_priced", bill.name, detail, priced, bill.kwh, "kWh", remedy=_PRICE)
    for x in bill.lines:
        export = x.kind == EXPORT or use.rules.of(x).by == EXPORT
        if x.amount < 0 and not (x.credit or x.kind == "credit" or export):
            detail = f"line {x.name!r} is negative, and neither an export nor said to be a credit"
            yield Finding("negative_line", x.name, detail, x.amount, None, currency, remedy=_CREDIT)


def _prices_energy(use: Usage, x: BillLine) -> bool:
    return x.kwh is not None or x.kind == "energy" or use.rules.of(x).by == "energy"


def exclusive_end(start: Moment, end: Moment) -> str:
    """A hint where a bill seems to end with the last day of a month, which is then not in it.

    Parameters
    ----------
    start, end : date or datetime
        The bill's; only dates can be meant so.
    """
    if any(isinstance(x, dt.datetime) or not isinstance(x, dt.date) for x in (start, end)):
        return ""
    after = end + dt.timedelta(days=1)
    if start.day != 1 or after.day != 1:
        return ""
    return (
        f" If {end} belongs to the bill, write end = {after}: end is exclusive. If it is the "
        "utility's read date, state the bill's days."
    )
