"""Tenants hold elements over dates: their tables in a site's file, and who holds what when."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, fields
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING

import pandas as pd

from dentframe.errors import ConfigError, did_you_mean
from dentframe.site.toml_tables import Moment  # noqa: TC001 - get_type_hints(Hold) needs it

if TYPE_CHECKING:
    from dentframe.site.site import Site
    from dentframe.site.toml_tables import Table

EXPORT, UNALLOCATED = "export", "unallocated"
"""Parties of a split that are no tenant or landlord; nobody else may have these names."""
FIRST = pd.Timestamp("1700-01-01", tz="UTC")
LAST = pd.Timestamp("2200-01-01", tz="UTC")
"""What stands for an open start or end of a hold."""


@dataclass(frozen=True)
class Hold:
    """Elements that a tenant holds over ``[start, end)``.

    Parameters
    ----------
    elements : tuple of str
        Their ids, ``"P482311252_B"``.
    start, end : date or datetime, optional
        A date is its local midnight; None is open.
    """

    elements: tuple[str, ...]
    start: Moment | None = None
    end: Moment | None = None


@dataclass(frozen=True)
class Tenant:
    """Who pays.

    Parameters
    ----------
    name : str
        The party's name, unique in the site.
    holds : tuple of Hold
        Which elements, when.
    area : Decimal, optional
        What is rented, in any one unit.
    code : str
        The charge code for accounting.
    account : str
        The tenant's account at the landlord; files are called after it.
    unit : str
        Which unit is rented, as the tenant knows it.
    address : tuple of str
        Lines of the tenant's address.
    """

    name: str
    holds: tuple[Hold, ...] = ()
    area: Decimal | None = field(default=None, metadata={"least": 0})
    code: str = ""
    account: str = ""
    unit: str = ""
    address: tuple[str, ...] = ()


def tenant_of(table: Table, tz: dt.tzinfo) -> Tenant:
    """A tenant from its table ``[[tenants]]``: one hold in it, or several in ``holds``."""
    own = [f.name for f in fields(Hold)]
    table.only(*(f.name for f in fields(Tenant)), *own)
    rows = table.tables("holds")
    if rows and "elements" in table.data:
        raise table.error("elements", "give elements here or in [[tenants.holds]], not both.")
    holds = []
    for row in rows or [table.part(own)]:
        names = row.names("elements")
        if len(set(names)) < len(names):
            raise row.error("elements", "it names an element twice.")
        holds.append(row.record(Hold, tz))
    rest = table.part([x for x in table.data if x not in own])
    return rest.record(Tenant, holds=tuple(holds))


def check_tenants(site: Site) -> None:
    """Refuse names that two parties have, and holds that cannot be meant."""
    taken = {EXPORT, UNALLOCATED}
    if site.landlord in taken:
        raise ConfigError(
            f"Cannot use {site.file}: field 'landlord' = {site.landlord!r}: that name has a "
            "meaning of its own in a split."
        )
    taken.add(site.landlord)
    for tenant in site.tenants:
        if tenant.name in taken:
            why = f"{tenant.name!r} names another party already; one tenant may have several holds."
            raise wrong(site, f"tenants.{tenant.name}", "name", why)
        taken.add(tenant.name)
    for tenant in site.tenants:
        for hold in tenant.holds:
            _check_hold(site, f"tenants.{tenant.name}", hold)
    for key in site.elements:
        _check_one_holder(site, key)


def _check_hold(site: Site, where: str, hold: Hold) -> None:
    for key in hold.elements:
        if key not in site.elements:
            near = did_you_mean(key, site.elements) or "."
            raise wrong(site, where, "elements", f"no element {key!r} in this site{near}")
        e = site.elements[key]
        if e.role != "branch" or e.common:
            what = "a common area" if e.common else "a main" if e.role == "main" else "an export"
            why = f"{key!r} is {what}: only a branch that is not common can be held."
            raise wrong(site, where, "elements", why)
    start, end = hold.start, hold.end
    if start is not None and end is not None and site.instant(start) >= site.instant(end):
        why = f"{end} is not after start = {start}; end is exclusive."
        raise wrong(site, where, "end", why)


def _check_one_holder(site: Site, key: str) -> None:
    """An element may be in one hold at a time."""
    spans = sorted(holds_of(site, key), key=lambda x: x[:2])
    for (begin, until, first), (again, end, second) in pairwise(spans):
        if again < until:
            why = (
                f"{key!r} would be held twice: by {first!r} {_dates(site, begin, until)} and "
                f"by {second!r} {_dates(site, again, end)}. An element has one holder at a "
                "time: end is exclusive, and where it is open, give the one who leaves an end."
            )
            raise wrong(site, f"tenants.{second}", "elements", why)


def _dates(site: Site, start: pd.Timestamp, end: pd.Timestamp) -> str:
    """The dates of a hold as its file has them: an open end is none."""
    low, high = (
        f"{x.tz_convert(site.zone):%Y-%m-%d %H:%M}".removesuffix(" 00:00") for x in (start, end)
    )
    since = "" if start == FIRST else f"from {low} "
    return f"{since}without an end" if end == LAST else f"{since}until {high}"


def holds_of(site: Site, key: str) -> list[tuple[pd.Timestamp, pd.Timestamp, str]]:
    """Who holds an element over which ``[start, end)``, as UTC instants."""
    return [
        (
            FIRST if h.start is None else site.instant(h.start),
            LAST if h.end is None else site.instant(h.end),
            tenant.name,
        )
        for tenant in site.tenants
        for h in tenant.holds
        if key in h.elements
    ]


def wrong(site: Site, where: str, name: str, why: str) -> ConfigError:
    """An error about a field of a site's table."""
    return ConfigError(f"Cannot use {site.file}: table [{where}], field {name!r}: {why}")
