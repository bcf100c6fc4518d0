"""Elements and tenants of a site are described here, read from their tables, and checked.

What no single table can tell is checked too: parents, names, and who holds what at once.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pandas as pd

from dentframe.errors import ConfigError, did_you_mean
from dentframe.site.files import Moment, Table, check_currency, exact, is_list, stated

if TYPE_CHECKING:
    from dentframe.site.site import Site

ROLES = ("main", "branch", "export")
EXPORT = "export"


@dataclass(frozen=True)
class Element:
    """One element of a meter, as the site file describes it.

    Parameters
    ----------
    label : str
        What it feeds.
    role : {"branch", "main", "export"}
        A main measures what its branches measure too and is never billed; an export feeds in.
    parent : str, optional
        The main upstream of it.
    cts : tuple of float
        CT ratings [A], one per CT.
    volts : float, optional
        Between line and neutral [V].
    max_kw : float, optional
        Greatest power [kW]; by default the sum over the CTs of rating x volts / 1000.
    common : bool
        Whether it feeds common areas: nobody holds it, a rule shares it.
    area : Decimal, optional
        Of the unit it feeds, for the days when nobody holds it; in the tenants' unit.
    modulus : float, optional
        Where its register starts again at 0 [kWh].
    swaps : tuple of (time, closing, opening)
        Meter swaps, the register values in kWh.
    """

    label: str
    role: str = "branch"
    parent: str | None = None
    cts: tuple[float, ...] = ()
    volts: float | None = None
    max_kw: float | None = None
    common: bool = False
    area: Decimal | None = field(default=None, metadata={"least": 0})
    modulus: float | None = None
    swaps: tuple[tuple[Moment, float, float], ...] = ()

    @property
    def rating(self) -> float | None:
        """The greatest power it can draw or feed [kW], None where nothing tells."""
        if self.max_kw is not None or not self.cts or self.volts is None:
            return self.max_kw
        return float(sum(Decimal(str(x)) for x in self.cts) * Decimal(str(self.volts)) / 1000)


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


# --- their tables ------------------------------------------------------------------------


def element_of(parent: Table, name: str, tz: dt.tzinfo) -> Element:
    """An element from its table ``[elements.P482311252_A]``."""
    parent.check_text(name, name)
    table = parent.table(name)
    assert table is not None  # noqa: S101 - the caller iterates over the keys
    if table.text("role", "branch") not in ROLES:
        raise table.error("role", f"it must be one of {', '.join(ROLES)}.")
    swaps = tuple(
        (row.moment("at", tz), float(row.decimal("closing")), float(row.decimal("opening")))
        for row in table.tables("swaps", "at", "closing", "opening")
    )
    label = table.text("label", name)
    return table.record(Element, label=label, cts=_ratings(table), swaps=swaps)  # type: ignore[no-any-return]


def _ratings(table: Table) -> tuple[float, ...]:
    given = table.data.get("cts", ())
    found = [exact(x) for x in given] if is_list(given) else [None]
    if any(x is None or x <= 0 for x in found):
        raise table.error("cts", "it must be a list of ratings above 0 [A], e.g. [200, 200, 200].")
    return tuple(float(x) for x in found if x is not None)


def element_dict(e: Element) -> dict[str, Any]:
    """The table of an element."""
    swaps = [{"at": a, "closing": c, "opening": o} for a, c, o in e.swaps]
    return {"role": e.role, **stated(replace(e, swaps=())), "swaps": swaps or None}


def tenant_of(table: Table, tz: dt.tzinfo) -> Tenant:
    """A tenant from its table ``[[tenants]]``: one hold in it, or several in ``holds``."""
    table.only(*(f.name for f in (*fields(Tenant), *fields(Hold))))
    own = [f.name for f in fields(Hold)]
    rows = table.tables("holds")
    if rows and "elements" in table.data:
        raise table.error("elements", "give elements here or in [[tenants.holds]], not both.")
    holds = tuple(_hold(row, tz) for row in rows or [table.part(own)])
    rest = table.part([x for x in table.data if x not in own])
    return rest.record(Tenant, holds=holds)  # type: ignore[no-any-return]


def _hold(table: Table, tz: dt.tzinfo) -> Hold:
    names = table.names("elements")
    if len(set(names)) < len(names):
        raise table.error("elements", "it names an element twice.")
    return table.record(Hold, tz)  # type: ignore[no-any-return]


UNALLOCATED = "unallocated"
_RESERVED = (EXPORT, UNALLOCATED)
FIRST = pd.Timestamp("1700-01-01", tz="UTC")
LAST = pd.Timestamp("2200-01-01", tz="UTC")
"""What stands for an open start or end of a hold."""


def check(site: Site) -> None:
    """Refuse a site that cannot be meant.

    Raises
    ------
    ConfigError
        Naming file, table and field.
    """
    check_currency(site.currency, site.file)
    _check_elements(site)
    _check_names(site)
    for tenant in site.tenants:
        _check_tenant(site, tenant)
    _check_doubles(site)


def _wrong(site: Site, where: str, name: str, why: str) -> ConfigError:
    return ConfigError(f"Cannot use {site.file}: table [{where}], field {name!r}: {why}")


def _check_elements(site: Site) -> None:
    for key, e in site.elements.items():
        where = f"elements.{key}"
        if e.parent is not None:
            _check_parent(site, where, key, e.parent)
        if e.role == EXPORT and e.rating is None:
            why = "only a greatest power tells export from a cleared register"
            raise _wrong(site, where, "cts, volts", f"{why}. Give both, or max_kw.")
        if e.modulus is not None and e.rating is None:
            raise _wrong(site, where, "modulus", "it needs cts and volts, or max_kw.")
        if e.common and e.role != "branch":
            raise _wrong(site, where, "common", f"a {e.role} is no common area.")


def _check_parent(site: Site, where: str, key: str, parent: str) -> None:
    if parent not in site.elements:
        near = did_you_mean(parent, site.elements) or "."
        raise _wrong(site, where, "parent", f"no element {parent!r} in this site{near}")
    if site.elements[parent].role != "main":
        why = f'{parent!r} is no main; give it role = "main", or its energy would be billed twice.'
        raise _wrong(site, where, "parent", why)
    seen, above = {key, parent}, site.elements[parent].parent
    while above in site.elements and above is not None:
        if above in seen:
            raise _wrong(site, where, "parent", f"{key!r} is upstream of itself.")
        seen.add(above)
        above = site.elements[above].parent


def _check_names(site: Site) -> None:
    taken = {*_RESERVED, site.landlord}
    if site.landlord in _RESERVED:
        raise ConfigError(
            f"Cannot use {site.file}: field 'landlord' = {site.landlord!r}: that name has a "
            "meaning of its own in a split."
        )
    for tenant in site.tenants:
        if tenant.name in taken:
            raise _wrong(
                site,
                f"tenants.{tenant.name}",
                "name",
                f"{tenant.name!r} names another party already; one tenant may have several holds.",
            )
        taken.add(tenant.name)


def _check_tenant(site: Site, tenant: Tenant) -> None:
    where = f"tenants.{tenant.name}"
    for hold in tenant.holds:
        for key in hold.elements:
            _check_held(site, where, key)
        _check_span(site, where, hold)


def _check_held(site: Site, where: str, key: str) -> None:
    if key not in site.elements:
        near = did_you_mean(key, site.elements) or "."
        raise _wrong(site, where, "elements", f"no element {key!r} in this site{near}")
    e = site.elements[key]
    if e.role != "branch" or e.common:
        what = "a common area" if e.common else "a main" if e.role == "main" else "an export"
        why = f"{key!r} is {what}: only a branch that is not common can be held."
        raise _wrong(site, where, "elements", why)


def _check_span(site: Site, where: str, hold: Hold) -> None:
    if hold.start is None or hold.end is None:
        return
    if site.instant(hold.start) >= site.instant(hold.end):
        raise _wrong(
            site, where, "end", f"{hold.end} is not after start = {hold.start}; end is exclusive."
        )


def _check_doubles(site: Site) -> None:
    """An element may be in one hold at a time."""
    for key in site.elements:
        spans = sorted(stays(site, key), key=lambda s: s[:2])
        for (begin, until, first), (again, end, second) in pairwise(spans):
            if again < until:
                raise _wrong(
                    site,
                    f"tenants.{second}",
                    "elements",
                    f"{key!r} would be held twice: by {first!r} {_dates(site, begin, until)} and "
                    f"by {second!r} {_dates(site, again, end)}. An element has one holder at a "
                    "time: end is exclusive, and where it is open, give the one who leaves an end.",
                )


def _dates(site: Site, start: pd.Timestamp, end: pd.Timestamp) -> str:
    """The dates of a hold as its file has them: an open end is none."""
    low, high = (
        f"{x.tz_convert(site.zone):%Y-%m-%d %H:%M}".removesuffix(" 00:00") for x in (start, end)
    )
    since = "" if start == FIRST else f"from {low} "
    return f"{since}without an end" if end == LAST else f"{since}until {high}"


def stays(site: Site, key: str) -> list[tuple[pd.Timestamp, pd.Timestamp, str]]:
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
