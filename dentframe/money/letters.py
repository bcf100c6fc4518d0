"""The statements of a split get what stands on their first page beside the figures.

That is the landlord and the tenant of the site file, number and dates of the bill file, and the
CTs and exchanges of the meters.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from dentframe.errors import ConfigError
from dentframe.money.rounding import exact
from dentframe.money.statement import Exchange, Letter, Reading, Statement

if TYPE_CHECKING:
    from dentframe.money.utility_bill import UtilityBill
    from dentframe.site.elements import Element, Tenant
    from dentframe.site.site import Site


def lettered(found: Sequence[Statement], site: Site, bill: UtilityBill) -> list[Statement]:
    """Statements of tenants, each with its letter, and its meters' CTs and exchanges.

    Raises
    ------
    ConfigError
        For numbers that are not unique, an account that is lacking, or a logo that is not there.
    """
    tenants = {t.name: t for t in site.tenants}
    letters = {s.party: _letter(site, bill, tenants[s.party]) for s in found}
    _check_numbers(bill, list(letters.values()))
    named = {_name(site, key): key for key in site.elements}
    return [
        replace(
            s,
            letter=letters[s.party],
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
            Exchange(at, _kwh(closing), _kwh(opening))
            for at, closing, opening in swaps
            if r.open_at is not None and r.close_at is not None and r.open_at < at <= r.close_at
        ),
    )


def _kwh(value: float) -> Decimal:
    return exact(float(value))
