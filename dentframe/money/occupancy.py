"""Occupancy is who holds which element over which part of a bill's period.

A stay is one element with one party; vacancy is a stay of the landlord, never a hole.
"""

from __future__ import annotations

import calendar
import datetime as dt
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd

from dentframe.errors import ConfigError, UnknownMeterError, did_you_mean
from dentframe.site.elements_and_tenants import EXPORT
from dentframe.site.elements_and_tenants import stays as held
from dentframe.times.ranges import localize
from dentframe.verbs.inputs import MEAN, REGISTER
from dentframe.wire.columns import ELEMENT, Column, parse, split_element, wire_columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dentframe.money.split_rules import SplitRules
    from dentframe.money.utility_bill import BillLine, UtilityBill
    from dentframe.site.site import Site


def midnights(start: pd.Timestamp, end: pd.Timestamp, tz: dt.tzinfo) -> list[pd.Timestamp]:
    """The local midnights in ``[start, end)`` as UTC instants: a day belongs to who has its start.

    Parameters
    ----------
    start, end : Timestamp
        The period, aware.
    tz : tzinfo
        The zone of the calendar.
    """
    first, last = (x.tz_convert(tz).tz_localize(None).normalize() for x in (start, end))
    edges = localize(pd.date_range(first, last, freq="D", unit="us"), tz).tz_convert("UTC")
    return [x for x in edges.unique() if start <= x < end]


def factor(rule: Any, days: Sequence[dt.date], whole: Sequence[dt.date]) -> Fraction:
    """The part of a monthly amount or limit that falls on some days.

    Parameters
    ----------
    rule : str or int
        ``"none"``: 1. ``"days"``: their share of `whole`. ``"month"``: each day is one part of
        its calendar month. A number: each day is one part of so many.
    days, whole : sequence of date
        The days a charge is valid, and those of the billing period.
    """
    if rule == "none":
        return Fraction(1)
    if rule == "month":
        parts = (Fraction(1, calendar.monthrange(d.year, d.month)[1]) for d in days)
        return sum(parts, Fraction(0))
    return Fraction(len(days), rule if isinstance(rule, int) else max(len(whole), 1))


OWN, COMMON, MAIN = "own", "common", "main"
Span: TypeAlias = tuple[pd.Timestamp, pd.Timestamp]


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


def span(site: Site, bill: UtilityBill) -> Span:
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


def dates(site: Site, bill: UtilityBill, line: BillLine) -> Span:
    """The period of a line as UTC instants: its own dates, else the bill's.

    Raises
    ------
    ConfigError
        Where it ends before it starts.
    """
    first, last = span(site, bill)
    start = first if line.start is None else site.instant(line.start)
    end = last if line.end is None else site.instant(line.end)
    if not start < end:
        raise ConfigError(
            f"Cannot use {bill.file}: line {line.name!r} is from {line.start or bill.start} to "
            f"{line.end or bill.end}: its end is not after its start. The end is exclusive."
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


def holder(own: Sequence[Stay], element: str, at: pd.Timestamp) -> str:
    """Who holds an element at an instant of the period."""
    return next(s.party for s in own if s.element == element and s.start <= at < s.end)


def check_present(site: Site, names: Iterable[str], frame: pd.DataFrame, meter: str) -> None:
    """Refuse elements of one meter that its readings have no column for.

    An element with a column of blanks is there: its figures are ``missing``. A meter without a
    reading or a column tells nothing about its elements.

    Parameters
    ----------
    site : Site
        Whose file is wrong.
    names : iterable of str
        Ids of elements; those of other meters are passed over.
    frame : pandas.DataFrame
        What the whole meter returned, over time.
    meter : str
        The meter.

    Raises
    ------
    UnknownMeterError
        Naming file, table and the likely element.
    """
    have = _elements(frame)
    for name in names:
        of, element = split_element(name)
        if element is not None and of == meter and have and element not in have:
            near = did_you_mean(element, have) or "."
            raise UnknownMeterError(
                f"Cannot use {site.file}: table [elements.{name}]: meter {meter} has no element "
                f"{element!r}{near} It has {', '.join(have)}. Correct the id here and wherever "
                "tenants, parents and bills name it."
            )


def _elements(frame: pd.DataFrame) -> list[str]:
    if not len(frame):
        return []
    columns: list[Any] = [parse(x) for x in wire_columns(frame.columns)]
    return sorted({c.id for c in columns if c.scope == ELEMENT})


def check_frame(site: Site, names: Iterable[str], frame: pd.DataFrame) -> None:
    """The same for a frame that was given, where one meter's columns tell them apart."""
    wanted = list(names)
    meters = {str(split_element(x)[0]) for x in wanted}
    several = isinstance(frame.index, pd.MultiIndex)
    there = set(frame.index.get_level_values(0).astype(str)) if several else meters
    for meter in sorted(meters & there):
        check_present(site, wanted, frame, meter)


def blank(frame: pd.DataFrame, names: Iterable[str]) -> list[str]:
    """The elements of which a read brought no value at all: blank, or not there."""
    found = []
    for name in names:
        meter, element = split_element(name)
        rows = frame
        if isinstance(frame.index, pd.MultiIndex):
            rows = frame[frame.index.get_level_values(0) == meter]
        mine = [x for x in wire_columns(frame.columns) if _absent(x, element)]
        if len(rows) and not rows[mine].notna().to_numpy().any():
            found.append(name)
    return found


def _absent(label: Any, element: str | None) -> bool:
    column = parse(label)
    return column.scope == ELEMENT and column.id == element


def completed(frame: pd.DataFrame, found: Sequence[Stay], at: pd.Timestamp) -> pd.DataFrame:
    """The frame over (meter, time), elements that it lacks as blanks: missing, not absent."""
    names = list(dict.fromkeys(split_element(s.element) for s in found))
    if any(e is None for _, e in names):
        raise ConfigError(
            "Cannot find the site's elements among the readings: give them full ids in the site "
            'file, the meter first, e.g. "P482311252_B".'
        )
    whole = _several(frame, sorted({m for m, _ in names}))
    absent = sorted({m for m, _ in names} - {*map(str, whole.index.unique(level=0))})
    if absent:
        when = pd.DatetimeIndex([at]).as_unit("us")
        index = pd.MultiIndex.from_product([absent, when], names=whole.index.names)
        blank = pd.DataFrame(np.nan, index=index, columns=whole.columns)
        attrs, whole = whole.attrs, pd.concat([whole, blank])
        whole.attrs = attrs
    here = [parse(x) for x in wire_columns(whole.columns)]
    have, known = {c.topic for c in here} & {REGISTER, MEAN}, {c.wire for c in here}
    wanted = [Column(t, ELEMENT, str(e)).wire for t in sorted(have or {REGISTER}) for _, e in names]
    return whole.assign(**{x: np.nan for x in wanted if x not in known})


def _several(frame: pd.DataFrame, meters: list[str]) -> pd.DataFrame:
    if isinstance(frame.index, pd.MultiIndex):
        return frame
    if len(meters) > 1:
        raise ConfigError(
            f"Cannot tell whose rows these are: the site has {len(meters)} meters and the frame "
            "no meter level. Read it with a list of meters."
        )
    whole = pd.concat({meters[0]: frame}, names=["meter", "time"])
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
        at = dates(site, bill, line)
        if at != span(site, bill):
            found.setdefault(at, []).append(line)
    return [
        replace(
            bill,
            start=bill.start if lines[0].start is None else lines[0].start,
            end=bill.end if lines[0].end is None else lines[0].end,
            lines=tuple(lines),
            kwh=_kwh(bill, rules, lines),
            days=None,
            total=None,
        )
        for lines in found.values()
    ]


def _kwh(bill: UtilityBill, rules: SplitRules, lines: Sequence[BillLine]) -> Decimal | None:
    """The utility's energy over some lines' dates, as the lines state it [kWh]."""
    told = [x.metered_kwh for x in lines if x.metered_kwh is not None]
    found = dict.fromkeys(told or [x.kwh for x in lines if x.kwh is not None])
    if len(found) == 1 or all(rules.of(x).by != "energy" for x in lines):
        return next(iter(found), None)
    stated = f"they state {' and '.join(map(str, found))} kWh" if found else "they state no kWh"
    raise ConfigError(
        f"Cannot share line {lines[0].name!r} of {bill.file} by the energy of its own "
        f"dates, {lines[0].start or bill.start} to {lines[0].end or bill.end}: of the "
        f"lines with these dates, {stated}. Give the line the field 'kwh', or 'metered_kwh' where "
        "it prices only a part: the energy that the utility metered over those dates."
    )
