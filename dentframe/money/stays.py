"""Who holds which element over which part of a bill's period. Pure.

A stay is one element with one party; vacancy is a stay of the landlord, never a hole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from dentframe.columns import split_element
from dentframe.errors import ConfigError
from dentframe.instants import localize
from dentframe.site_checks import stays as held
from dentframe.site_parts import EXPORT
from dentframe.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dentframe.money.utility_bill import UtilityBill
    from dentframe.site import Site

OWN, COMMON, MAIN = "own", "common", "main"


@dataclass(frozen=True)
class Stay:
    """One element over ``[start, end)``.

    Attributes
    ----------
    element : str
        Its id.
    kind : str
        ``own`` (a tenant's, or vacant), ``common``, ``export`` or ``main``.
    party : str
        Who holds it; ``""`` for a common area or a main.
    start, end : pandas.Timestamp
        UTC instants.
    """

    element: str
    kind: str
    party: str
    start: pd.Timestamp
    end: pd.Timestamp


def span(site: Site, bill: UtilityBill) -> tuple[pd.Timestamp, pd.Timestamp]:
    """The bill's period as UTC instants.

    Raises
    ------
    ConfigError
        Where it ends before it starts.
    """
    start, end = site.instant(bill.start), site.instant(bill.end)
    if not start < end:
        raise ConfigError(
            f"Cannot use {bill.file}: field 'end' = {bill.end} is not after start = {bill.start}. "
            "The period is [start, end): end is the next read date."
        )
    return start, end


def tops(site: Site, bill: UtilityBill) -> list[str]:
    """The elements whose energies add up to the utility's meter: no main beside its branches.

    Raises
    ------
    ConfigError
        For an element of the bill that the site does not have, or where nothing tells which
        branches a main measures.
    """
    at = _asked(site, bill)
    measured = {x for k in at for x in _inside(site, k)} | set(_loose(site, bill, at))
    return [k for k in at if k not in measured]


def _asked(site: Site, bill: UtilityBill) -> list[str]:
    """What the bill is for as it says; all that has no parent where it does not."""
    for name in bill.elements:
        if name not in site.elements:
            raise ConfigError(
                f"Cannot use {bill.file}: field 'elements' names {name!r}, which {site.file} does "
                f"not have{did_you_mean(name, site.elements) or '.'}"
            )
    return list(bill.elements) or [k for k, e in site.elements.items() if e.parent is None]


def _inside(site: Site, main: str) -> set[str]:
    """All that a main measures by the stated parents, mains too."""
    own = {k for k, e in site.elements.items() if e.parent == main}
    return own | {x for k in own for x in _inside(site, k)}


def _loose(site: Site, bill: UtilityBill, at: Sequence[str]) -> list[str]:
    """The branches without a parent that the only main measures: it measures all or nothing.

    A main that has branches of its own is summed with others only where they are another
    service: on other meters than the mains, or named by the bill's elements.
    """
    mains = [k for k in at if site.elements[k].role == MAIN]
    inside = {x for k in mains for x in _inside(site, k)}
    loose = [k for k in at if k not in mains and k not in inside]
    bare = [k for k in mains if not site.below(k)]
    if len(mains) == 1 and bare:
        return loose
    meters = {split_element(k)[0] for k in mains}
    apart = bill.elements or not any(split_element(k)[0] in meters for k in loose)
    if not loose or not mains or (apart and not bare):
        return []
    raise ConfigError(
        f'Cannot split {bill.name!r}: {site.file} has {", ".join(mains)} with role = "main" and '
        f"no parent for {', '.join(loose)}, so nothing tells which of them measures what. Give "
        f'each branch its main, e.g. parent = "{(bare or mains)[0]}" in [elements.{loose[0]}]; a '
        "main beside its branches would count twice. What has a service of its own is named in "
        "the bill's elements."
    )


def billed(site: Site, bill: UtilityBill) -> list[str]:
    """The branches and exports that the bill is for, in the site's order.

    Raises
    ------
    ConfigError
        Where there is none: a main alone tells nothing about tenants.
    """
    at = tops(site, bill)
    below = {x for k in at for x in (site.below(k) if site.elements[k].role == MAIN else [k])}
    below |= set(_loose(site, bill, _asked(site, bill)))
    found = [k for k in site.elements if k in below]
    if not found:
        raise ConfigError(
            f"Cannot split {bill.name!r}: {site.file} has no branch below {', '.join(at)}. Give "
            "the branches their parent, or name the branches in the bill's elements."
        )
    return found


def stays(site: Site, bill: UtilityBill) -> list[Stay]:
    """Every element of the bill over its period, part by part, mains last."""
    start, end = span(site, bill)
    branches = [s for k in billed(site, bill) for s in _of(site, k, start, end)]
    mains = [k for k in tops(site, bill) if site.elements[k].role == MAIN]
    return [*branches, *(Stay(k, MAIN, "", start, end) for k in mains)]


def _of(site: Site, key: str, start: pd.Timestamp, end: pd.Timestamp) -> list[Stay]:
    e = site.elements[key]
    if e.role == EXPORT:
        return [Stay(key, EXPORT, EXPORT, start, end)]
    if e.common:
        return [Stay(key, COMMON, "", start, end)]
    found, at = [], start
    for begin, until, tenant in sorted(held(site, key), key=lambda s: s[:2]):
        low, high = max(begin, start), min(until, end)
        if low < high:
            found += _vacant(site, key, at, low)
            found.append(Stay(key, OWN, tenant, low, high))
            at = high
    return [*found, *_vacant(site, key, at, end)]


def _vacant(site: Site, key: str, start: pd.Timestamp, end: pd.Timestamp) -> list[Stay]:
    return [Stay(key, OWN, site.landlord, start, end)] if start < end else []


def midnights(site: Site, bill: UtilityBill) -> list[pd.Timestamp]:
    """The local midnights in the bill's period, as UTC instants: each begins one day of it."""
    start, end = (x.tz_convert(site.zone) for x in span(site, bill))
    days = pd.date_range(
        start.tz_localize(None).normalize(), end.tz_localize(None).normalize(), freq="D"
    )
    edges = localize(days.as_unit("us"), site.zone).tz_convert("UTC")
    return [x for x in edges.unique() if start <= x < end]


def holder(own: Sequence[Stay], element: str, at: pd.Timestamp) -> str:
    """Who holds an element at an instant of the period."""
    return next(s.party for s in own if s.element == element and s.start <= at < s.end)
