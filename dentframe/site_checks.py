"""What no single table of a site can tell: parents, names, and who holds what at once. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

import pandas as pd

from dentframe.errors import ConfigError
from dentframe.site_parts import EXPORT, Element, Hold, Tenant
from dentframe.suggest import did_you_mean

if TYPE_CHECKING:
    from dentframe.site_file import Moment

UNALLOCATED = "unallocated"
_RESERVED = (EXPORT, UNALLOCATED)
FIRST = pd.Timestamp("1700-01-01", tz="UTC")
LAST = pd.Timestamp("2200-01-01", tz="UTC")
"""What stands for an open start or end of a hold."""


class Described(Protocol):
    """What is checked: a site."""

    @property
    def elements(self) -> Mapping[str, Element]:
        """By id."""
        raise NotImplementedError

    @property
    def tenants(self) -> tuple[Tenant, ...]:
        """In the declared order."""
        raise NotImplementedError

    @property
    def landlord(self) -> str:
        """The party that bears vacancy."""
        raise NotImplementedError

    @property
    def file(self) -> str:
        """Where it was read from."""
        raise NotImplementedError

    @property
    def zone(self) -> dt.tzinfo:
        """Its zone."""
        raise NotImplementedError

    def instant(self, when: Moment) -> pd.Timestamp:
        """A moment as a UTC instant."""
        raise NotImplementedError


def check(site: Described) -> None:
    """Refuse a site that cannot be meant.

    Raises
    ------
    ConfigError
        Naming file, table and field.
    """
    _check_elements(site)
    _check_names(site)
    for tenant in site.tenants:
        _check_tenant(site, tenant)
    _check_doubles(site)


def _wrong(site: Described, where: str, name: str, why: str) -> ConfigError:
    return ConfigError(f"Cannot use {site.file}: table [{where}], field {name!r}: {why}")


def _check_elements(site: Described) -> None:
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


def _check_parent(site: Described, where: str, key: str, parent: str) -> None:
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


def _check_names(site: Described) -> None:
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


def _check_tenant(site: Described, tenant: Tenant) -> None:
    where = f"tenants.{tenant.name}"
    for hold in tenant.holds:
        for key in hold.elements:
            _check_held(site, where, key)
        _check_span(site, where, hold)


def _check_held(site: Described, where: str, key: str) -> None:
    if key not in site.elements:
        near = did_you_mean(key, site.elements) or "."
        raise _wrong(site, where, "elements", f"no element {key!r} in this site{near}")
    e = site.elements[key]
    if e.role != "branch" or e.common:
        what = "a common area" if e.common else "a main" if e.role == "main" else "an export"
        why = f"{key!r} is {what}: only a branch that is not common can be held."
        raise _wrong(site, where, "elements", why)


def _check_span(site: Described, where: str, hold: Hold) -> None:
    if hold.start is None or hold.end is None:
        return
    if site.instant(hold.start) >= site.instant(hold.end):
        raise _wrong(
            site, where, "end", f"{hold.end} is not after start = {hold.start}; end is exclusive."
        )


def _check_doubles(site: Described) -> None:
    """An element may be in one hold at a time."""
    for key in site.elements:
        spans = sorted(stays(site, key), key=lambda s: s[:2])
        for (_, until, first), (begin, _, second) in pairwise(spans):
            if begin < until:
                raise _wrong(
                    site,
                    f"tenants.{second}",
                    "elements",
                    f"{key!r} would be held twice from {begin.tz_convert(site.zone)}: by "
                    f"{first!r} until {until.tz_convert(site.zone)} and by {second!r}. An element "
                    "has one holder at a time; end is exclusive.",
                )


def stays(site: Described, key: str) -> list[tuple[pd.Timestamp, pd.Timestamp, str]]:
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
