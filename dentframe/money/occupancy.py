"""Occupancy is who holds which element over which part of a bill's period.

An occupancy is one element with one party; vacancy is an occupancy of the landlord, never a hole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pandas as pd

from dentframe.errors import ConfigError, UnknownMeterError, did_you_mean
from dentframe.site.site import EXPORT, Site
from dentframe.verbs.inputs_and_keywords import MEAN, REGISTER
from dentframe.wire.columns import ELEMENT, Column, element_ids, parse, split_element, wire_columns

if TYPE_CHECKING:
    from dentframe.money.utility_bill_and_rules import BillLine, SplitRules, UtilityBill


OWN, COMMON, MAIN = "own", "common", "main"
Span: TypeAlias = tuple[pd.Timestamp, pd.Timestamp]


@dataclass(frozen=True)
class Occupancy:
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


def span(site: Site, bill: UtilityBill, line: BillLine | None = None) -> Span:
    """The period of a bill as UTC instants; of a line its own dates, where it has any.

    Raises
    ------
    ConfigError
        Where it ends before it starts.
    """
    of = line if line is not None and (line.start or line.end) else bill
    first, last = of.start or bill.start, of.end or bill.end
    start, end = site.instant(first), site.instant(last)
    if not start < end:
        which = "" if of is bill else f"line {of.name!r}, "
        raise ConfigError(
            f"Cannot use {bill.file}: {which}field 'end' = {last} is not after start = {first}. "
            "The period is [start, end): end is the next read date."
        )
    return start, end


def tops_and_branches(site: Site, bill: UtilityBill) -> tuple[list[str], list[str]]:
    """The elements that measure what a bill is for, in two ways that add up to the same.

    Returns
    -------
    tuple of list of str
        Those whose energies add up to the utility's meter, no main beside its branches; and the
        branches and exports, in the site's order.

    Raises
    ------
    ConfigError
        For an element of the bill that the site does not have, where nothing tells which
        branches a main measures, or where there is no branch: a main alone tells nothing about
        tenants.
    """
    for name in bill.elements:
        if name not in site.elements:
            raise ConfigError(
                f"Cannot use {bill.file}: field 'elements' names {name!r}, which {site.file} does "
                f"not have{did_you_mean(name, site.elements) or '.'}"
            )
    named = list(bill.elements) or [k for k, e in site.elements.items() if e.parent is None]
    inside = {x for k in named for x in site.inside(k)}
    loose = _loose(site, bill, named, inside)
    tops = [k for k in named if k not in inside and k not in loose]
    known = {*named, *inside}
    branches = [k for k, e in site.elements.items() if k in known and e.role != MAIN]
    if not branches:
        raise ConfigError(
            f"Cannot split {bill.name!r}: {site.file} has no branch below {', '.join(tops)}. Give "
            "the branches their parent, or name the branches in the bill's elements."
        )
    return tops, branches


def _loose(site: Site, bill: UtilityBill, named: Sequence[str], inside: set[str]) -> list[str]:
    """The branches without a parent that the only main measures: it measures all or nothing.

    A main that has branches of its own is summed with others only where they are another
    service: on other meters than the mains, or named by the bill's elements.
    """
    mains = [k for k in named if site.elements[k].role == MAIN]
    loose = [k for k in named if k not in mains and k not in inside]
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


def occupancies(site: Site, bill: UtilityBill) -> list[Occupancy]:
    """Every element of the bill over its period, part by part, mains last.

    What no tenant holds of a branch is vacant, the landlord's.
    """
    (start, end), found = span(site, bill), []
    tops, branches = tops_and_branches(site, bill)
    for key in branches:
        element, vacant_from = site.elements[key], start
        if element.role == EXPORT or element.common:
            kind, party = (EXPORT, EXPORT) if element.role == EXPORT else (COMMON, "")
            found.append(Occupancy(key, kind, party, start, end))
            continue
        for begin, until, tenant in sorted(site.holds_of(key)):
            low, high = max(begin, start), min(until, end)
            if low < high:
                found.append(Occupancy(key, OWN, site.landlord, vacant_from, low))
                found.append(Occupancy(key, OWN, tenant, low, high))
                vacant_from = high
        found.append(Occupancy(key, OWN, site.landlord, vacant_from, end))
    found += [Occupancy(k, MAIN, "", start, end) for k in tops if site.elements[k].role == MAIN]
    return [x for x in found if x.start < x.end]


def check_frame(site: Site, names: Iterable[str], frame: pd.DataFrame) -> None:
    """Refuse elements that their meter's readings have no column for.

    An element with a column of blanks is there: its figures are ``missing``. A meter without a
    reading or a column tells nothing about its elements.

    Parameters
    ----------
    site : Site
        Whose file is wrong.
    names : iterable of str
        Ids of elements; those of meters that the frame does not have are passed over.
    frame : pandas.DataFrame
        What whole meters returned, over (meter, time), or over time for one meter.

    Raises
    ------
    UnknownMeterError
        Naming file, table and the likely element.
    """
    have = sorted(element_ids(frame.columns)) if len(frame) else []
    several = isinstance(frame.index, pd.MultiIndex)
    meters = {*frame.index.unique(level=0).astype(str)} if several else set()
    for name in sorted(names, key=lambda x: str(split_element(x)[0])):
        meter, element = split_element(name)
        here = have and (meter in meters or not several)
        if here and element is not None and element not in have:
            near = did_you_mean(element, have) or "."
            raise UnknownMeterError(
                f"Cannot use {site.file}: table [elements.{name}]: meter {meter} has no element "
                f"{element!r}{near} It has {', '.join(have)}. Correct the id here and wherever "
                "tenants, parents and bills name it."
            )


def completed(frame: pd.DataFrame, held: Sequence[Occupancy], at: pd.Timestamp) -> pd.DataFrame:
    """The frame over (meter, time), elements that it lacks as blanks: missing, not absent."""
    names = list(dict.fromkeys(split_element(s.element) for s in held))
    if any(element is None for _, element in names):
        raise ConfigError(
            "Cannot find the site's elements among the readings: give them full ids in the site "
            'file, the meter first, e.g. "P482311252_B".'
        )
    meters, whole = sorted({meter for meter, _ in names}), frame
    if not isinstance(frame.index, pd.MultiIndex):
        if len(meters) > 1:
            raise ConfigError(
                f"Cannot tell whose rows these are: the site has {len(meters)} meters and the "
                "frame no meter level. Read it with a list of meters."
            )
        whole = pd.concat({meters[0]: frame}, names=["meter", "time"])
    absent = sorted({*meters} - {*map(str, whole.index.unique(level=0))})
    if absent:
        when = pd.DatetimeIndex([at]).as_unit("us")
        index = pd.MultiIndex.from_product([absent, when], names=whole.index.names)
        whole = pd.concat([whole, pd.DataFrame(np.nan, index=index, columns=whole.columns)])
    columns = {c.wire: c for c in map(parse, wire_columns(whole.columns))}
    topics = {c.topic for c in columns.values()} & {REGISTER, MEAN} or {REGISTER}
    wanted = [Column(x, ELEMENT, str(element)).wire for x in sorted(topics) for _, element in names]
    whole = whole.assign(**{x: np.nan for x in wanted if x not in columns})
    whole.attrs = frame.attrs
    return whole


def dated_parts(site: Site, bill: UtilityBill, rules: SplitRules) -> list[UtilityBill]:
    """The lines that have dates of their own, as bills of those dates.

    Raises
    ------
    ConfigError
        For a line without a rule, dates that are reversed, or an energy line whose dates have
        no kWh of the utility.
    """
    found: dict[Span, list[BillLine]] = {}
    for line in bill.lines:
        rules.of(line)
        at = span(site, bill, line)
        if at != span(site, bill):
            found.setdefault(at, []).append(line)
    return [
        replace(
            bill,
            start=lines[0].start or bill.start,
            end=lines[0].end or bill.end,
            lines=tuple(lines),
            kwh=_kwh(bill, rules, lines),
            days=None,
            total=None,
        )
        for lines in found.values()
    ]


def _kwh(bill: UtilityBill, rules: SplitRules, lines: Sequence[BillLine]) -> Decimal | None:
    """The utility's energy over some lines' dates, as the lines state it [kWh]."""
    metered = [x.metered_kwh for x in lines if x.metered_kwh is not None]
    found = dict.fromkeys(metered or [x.kwh for x in lines if x.kwh is not None])
    if len(found) == 1 or all(rules.of(x).by != "energy" for x in lines):
        return next(iter(found), None)
    stated = f"they state {' and '.join(map(str, found))} kWh" if found else "they state no kWh"
    raise ConfigError(
        f"Cannot share line {lines[0].name!r} of {bill.file} by the energy of its own "
        f"dates, {lines[0].start or bill.start} to {lines[0].end or bill.end}: of the "
        f"lines with these dates, {stated}. Give the line the field 'kwh', or 'metered_kwh' where "
        "it prices only a part: the energy that the utility metered over those dates."
    )
