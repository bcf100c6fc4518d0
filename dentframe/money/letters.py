"""The statements of a split get what stands on their first page beside the figures.

That is the landlord and the tenant of the site file, number and dates of the bill file, the CTs
and exchanges of the meters, and what was used day by day.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dentframe.errors import ConfigError
from dentframe.metering.cumulative import STATUSES
from dentframe.money.figures import Usage, energy_rows
from dentframe.money.occupancy import OWN, midnights, span
from dentframe.money.rounding import add, exact, rounded
from dentframe.money.statement import Day, Exchange, Letter, Reading, Statement

if TYPE_CHECKING:
    from dentframe.money.utility_bill import UtilityBill
    from dentframe.site.elements import Element, Tenant
    from dentframe.site.site import Site


def lettered(found: Sequence[Statement], use: Usage) -> list[Statement]:
    """Statements of tenants, each with its letter, its meters' CTs and exchanges, and its days.

    Raises
    ------
    ConfigError
        For numbers that are not unique, an account that is lacking, or a logo that is not there.
    """
    site, bill = use.site, use.bill
    tenants = {t.name: t for t in (*site.tenants, site.owner)}
    letters = {s.party: _letter(site, bill, tenants[s.party]) for s in found}
    _check_numbers(bill, list(letters.values()))
    named = {_name(site, key): key for key in site.elements}
    daily = _daily(use)
    return [
        replace(
            s,
            letter=letters[s.party],
            daily=daily.get(s.party, ()),
            locale=site.locale,
            readings=tuple(_metered(site, site.elements[named[r.element]], r) for r in s.readings),
        )
        for s in found
    ]


def _letter(site: Site, bill: UtilityBill, tenant: Tenant) -> Letter:
    head = site.letterhead
    due = bill.due
    if isinstance(due, int) and bill.issued is not None:
        due = bill.issued + dt.timedelta(days=due)
    return Letter(
        sender=site.landlord,
        sender_address=head.address,
        contact=head.contact,
        payment_terms=head.payment_terms,
        remit_to=head.remit_to,
        account=tenant.account,
        unit=tenant.unit,
        address=tenant.address,
        number=_number(bill, tenant),
        issued=bill.issued,
        due=due if isinstance(due, dt.date) else None,
        logo=_logo(site),
        accent=head.accent,
        not_from_utility=head.not_from_utility,
        area_unit=head.area_unit,
        schedule=bill.schedule,
    )


def _number(bill: UtilityBill, tenant: Tenant) -> str:
    if "{account}" in bill.number and not tenant.account:
        raise ConfigError(
            f"Cannot number the statement of {tenant.name!r}: field 'number' = {bill.number!r} of "
            f"{bill.file} has the account, and this tenant has none. Give account = in its "
            "[[tenants]]."
        )
    return bill.number.replace("{account}", tenant.account)


def _check_numbers(bill: UtilityBill, letters: Sequence[Letter]) -> None:
    count = Counter(x.number for x in letters if x.number)
    for number, n in count.items():
        if n > 1:
            raise ConfigError(
                f"Cannot number the statements: field 'number' = {bill.number!r} of {bill.file} "
                f"gives {number!r} {n} times. Have the tenant's account in it, e.g. "
                f"'{bill.name}-{{account}}', and each account once."
            )


def _logo(site: Site) -> str:
    """The logo's file: its place is told from the site's file."""
    if not site.letterhead.logo:
        return ""
    path = Path(site.file).parent / site.letterhead.logo
    if not path.is_file():
        raise ConfigError(
            f"Cannot use {site.file}: table [statement], field 'logo' = "
            f"{site.letterhead.logo!r}: there is no file {str(path)!r}."
        )
    return str(path)


def _name(site: Site, key: str) -> str:
    label = site.labels[key]
    return label if label == key else f"{label} ({key})"


def _metered(site: Site, element: Element, r: Reading) -> Reading:
    sizes = ", ".join(dict.fromkeys(f"{exact(x):f}" for x in element.cts))
    swaps = ((site.instant(at), closing, opening) for at, closing, opening in element.swaps)
    return replace(
        r,
        ct=f"CT {sizes} A" if sizes else "",
        exchanges=tuple(
            Exchange(at, exact(float(closing)), exact(float(opening)))
            for at, closing, opening in swaps
            if r.open_at is not None and r.close_at is not None and r.open_at < at <= r.close_at
        ),
    )


def _daily(use: Usage) -> dict[str, tuple[Day, ...]]:
    """What each party used day by day: days end at midnight, whatever readings are there."""
    own = [s for s in use.stays if s.kind == OWN]
    ends = {x for s in own for x in (s.start, s.end)}
    edges = sorted({*midnights(use.site, use.bill), *span(use.site, use.bill), *ends})
    rows = energy_rows(use, edges, "interpolate")
    found: dict[tuple[str, dt.date], list[Day]] = {}
    for stay in own:
        for start, _ in pairwise(edges):
            row = rows.get((stay.element, start))
            if row is not None and stay.start <= start < stay.end:
                value = float(row["energy"])
                used = None if np.isnan(value) else rounded(value, use.rules.places)
                day = start.tz_convert(use.site.zone).date()
                found.setdefault((stay.party, day), []).append(Day(day, used, row["status"]))
    days: dict[str, tuple[Day, ...]] = {}
    for (party, day), parts in sorted(found.items()):
        known = [x.energy for x in parts if x.energy is not None]
        status = max((x.status for x in parts), key=STATUSES.index)
        days[party] = (*days.get(party, ()), Day(day, add(known) if known else None, status))
    return days
