"""The statements of a split are made here from its charges and figures, one a party.

A line's note is its arithmetic in words, so that who pays can check it.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe.documents.audit_sheet import WORDS
from dentframe.documents.formats import formats
from dentframe.errors import ConfigError
from dentframe.money.comparison import Billed, compared, measured
from dentframe.money.figures import UNMOVED, Figure, Usage, accepts, energy_rows, moves, scale_of
from dentframe.money.occupancy import COMMON, OWN, midnights, span
from dentframe.money.rebill_notes import INTEREST, replacing
from dentframe.money.record_steps import parts
from dentframe.money.rounding import EXACT, add, exact, rounded
from dentframe.money.settlement import Outcome, exceptions, worst
from dentframe.money.shares import FEE, TITLES, WEIGHT_UNITS, Charge, part_of, weights
from dentframe.money.split_rules import PARTS
from dentframe.money.statement import Day, Exchange, Letter, Line, Reading, Statement
from dentframe.site.corrections import in_force
from dentframe.site.elements_and_tenants import EXPORT, UNALLOCATED

if TYPE_CHECKING:
    from dentframe.site.elements_and_tenants import Tenant


def statements(
    of: Outcome, read_at: pd.Timestamp | None, *, landlord: bool = False
) -> list[Statement]:
    """One statement a tenant who has charges, in the site's order; the landlord's on request.

    Raises
    ------
    ConfigError
        For numbers that are not unique, an account that is lacking, or a logo that is not there.
    """
    before, why = measured(of.whole)
    earlier, daily, said = [*before, *of.earlier], _daily(of.whole), _accepted(of)
    found = [
        _statement(
            of, t, read_at, compared(_billed(of, t), earlier, of.site.zone, why), daily, said
        )
        for t in (*of.site.tenants, *[of.site.owner] * (landlord or of.site.letterhead.landlord))
        if any(c.party == t.name for c in of.charges)
    ]
    count = Counter(x.letter.number for x in found if x.letter and x.letter.number)
    for number, n in count.items():
        if n > 1:
            raise ConfigError(
                f"Cannot number the statements: field 'number' = {of.bill.number!r} of "
                f"{of.bill.file} gives {number!r} {n} times. Have the tenant's account in it, e.g. "
                f"'{of.bill.name}-{{account}}', and each account once."
            )
    return replacing(of, found)


def _statement(
    of: Outcome,
    tenant: Tenant,
    read_at: pd.Timestamp | None,
    compared_with: tuple[tuple[Any, ...], str],
    daily: dict[str, tuple[Day, ...]],
    said: Sequence[tuple[set[str], str]],
) -> Statement:
    """The statement of one party."""
    party, zone, own = tenant.name, of.site.zone, _held(of, tenant.name)
    start, end = (x.tz_convert(zone) for x in span(of.site, of.bill))
    mine = [f for use in of.uses for f in use.figures.get("energy", []) if f.stay.party == party]
    accepted = [told for parties, told in said if party in (parties or {of.site.landlord})]
    return Statement(
        party=party,
        title=f"{of.site.name}: your share of the electricity bill {of.bill.name}",
        start=start,
        end=end,
        tz=of.site.tz,
        currency=of.site.currency,
        lines=tuple(_line(of, c) for c in of.charges if c.party == party),
        readings=tuple(_reading(of, f) for f in mine),
        comparison=compared_with[0],
        comparison_note=compared_with[1],
        places=of.rules.places,
        notes=(*_notes(of, mine), *_corrected(of, mine), *accepted),
        read_at=read_at,
        held_from=own[0].tz_convert(zone) if own else None,
        held_to=own[1].tz_convert(zone) if own else None,
        letter=_letter(of, tenant),
        daily=daily.get(party, ()),
        locale=of.site.locale,
    )


def _billed(of: Outcome, tenant: Tenant) -> Billed:
    """What a party has of this bill, for the comparison with earlier ones."""
    figures = [f for f in of.whole.figures.get("energy", []) if f.stay.party == tenant.name]
    mine = [f for f in figures if f.stay.kind == OWN]
    known = mine and all(accepts(of.rules, f) for f in mine)
    used = add([f.value for f in mine if f.value is not None]) if known else None
    owed = add([c.amount for c in of.charges if c.party == tenant.name])
    held = _held(of, tenant.name) or span(of.site, of.bill)
    return Billed(tenant.name, tenant.account, *held, used, owed)


def _held(of: Outcome, party: str) -> tuple[pd.Timestamp, pd.Timestamp] | None:
    """The party's own dates, from its first to its last, where they are not the bill's."""
    mine = [s for s in of.whole.stays if s.party == party]
    if not mine or party == of.site.landlord:
        return None
    own = min(s.start for s in mine), max(s.end for s in mine)
    return None if own == span(of.site, of.bill) else own


# --- the letter and the chart ------------------------------------------------------------


def _letter(of: Outcome, tenant: Tenant) -> Letter:
    """Who bills whom: the landlord and the tenant of the site file, the bill file's dates."""
    site, bill, head = of.site, of.bill, of.site.letterhead
    if "{account}" in bill.number and not tenant.account:
        raise ConfigError(
            f"Cannot number the statement of {tenant.name!r}: field 'number' = {bill.number!r} of "
            f"{bill.file} has the account, and this tenant has none. Give account = in its "
            "[[tenants]]."
        )
    logo = Path(site.file).parent / head.logo if head.logo else None
    if logo is not None and not logo.is_file():
        raise ConfigError(
            f"Cannot use {site.file}: table [statement], field 'logo' = {head.logo!r}: there is no "
            f"file {str(logo)!r}."
        )
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
        number=bill.number.replace("{account}", tenant.account),
        issued=bill.issued,
        due=due if isinstance(due, dt.date) else None,
        logo=str(logo or ""),
        accent=head.accent,
        not_from_utility=head.not_from_utility,
        area_unit=head.area_unit,
        schedule=bill.schedule,
    )


def _daily(use: Usage) -> dict[str, tuple[Day, ...]]:
    """What each party used day by day: days end at midnight, whatever readings are there."""
    own, (first, last) = [s for s in use.stays if s.kind == OWN], span(use.site, use.bill)
    ends = {x for s in own for x in (s.start, s.end)}
    edges = sorted({*midnights(first, last, use.site.zone), first, last, *ends})
    rows = energy_rows(use, edges, "interpolate")
    found: dict[str, dict[dt.date, list[tuple[Decimal | None, str]]]] = {}
    for stay in own:
        for start, _ in pairwise(edges):
            row = rows.get((stay.element, start))
            if row is not None and stay.start <= start < stay.end:
                value = float(row["energy"])
                used = None if np.isnan(value) else rounded(value, use.rules.places)
                day = start.tz_convert(use.site.zone).date()
                days = found.setdefault(stay.party, {})
                days.setdefault(day, []).append((used, row["status"]))
    return {
        party: tuple(Day.of(day, told) for day, told in sorted(days.items()))
        for party, days in found.items()
    }


# --- lines and readings ------------------------------------------------------------------


def _line(of: Outcome, c: Charge) -> Line:
    found = of.figures_of(c)
    one = len(found) == 1 and found[0].unit == "kWh" and c.part == OWN
    # Nobody is told of what happened to another's meter.
    bears = c.part in {OWN, EXPORT, COMMON}
    flags = {x for f in found if bears and f.stay.party in {c.party, EXPORT, ""} for x in f.flags}
    by_day = c.part == FEE and c.quantity is not None
    return Line(
        name=c.title,
        kind=c.kind,
        quantity=c.quantity,
        unit=c.unit,
        rate=next(f.amount for f in of.rules.fees if f.name == c.line) if by_day else None,
        amount=c.amount,
        element=", ".join(dict.fromkeys(_name(of, f) for f in found if f.stay.party == c.party)),
        basis=c.basis.replace("_", " "),
        coverage=min((f.coverage for f in found), default=None),
        status=worst(found),
        flags=tuple(sorted(flags)),
        note="; ".join([_note(of, c), *_peak(of, c, found), *_shared(of, c)]),
        share=part_of(of.use(c.line), c),
        charge=c.line,
        **(_edges(of, found[0]) if one else {}),
    )


def _name(of: Outcome, f: Figure) -> str:
    label = of.site.labels[f.stay.element]
    return label if label == f.stay.element else f"{label} ({f.stay.element})"


def _reading(of: Outcome, f: Figure) -> Reading:
    element, edges = of.site.elements[f.stay.element], _edges(of, f)
    sizes = ", ".join(dict.fromkeys(f"{exact(x):f}" for x in element.cts))
    low, high = edges["open_at"], edges["close_at"]
    swaps = ((of.site.instant(x[0]), x[1], x[2]) for x in element.swaps)
    return Reading(
        element=_name(of, f),
        **edges,
        energy=f.value,
        coverage=f.coverage,
        status=f.status,
        flags=f.flags,
        lo=_bound(of, f, "lo"),
        hi=_bound(of, f, "hi"),
        ct=f"CT {sizes} A" if sizes else "",
        exchanges=tuple(
            Exchange(at, _noted(of, closing), _noted(of, opening))
            for at, closing, opening in swaps
            if low is not None and high is not None and low < at <= high
        ),
        parts=parts(of.whole, f),
    )


def _noted(of: Outcome, value: float) -> Decimal:
    """A reading that was noted at an exchange, no finer than others are printed."""
    told, places = exact(float(value)), of.rules.places
    finer = places is not None and told != rounded(told, places)
    return rounded(told, places) if finer else told


def _bound(of: Outcome, f: Figure, name: str) -> Decimal | None:
    value = f.row.get(name)
    if value is None or pd.isna(value):
        return None
    bound = rounded(float(value), of.rules.places, scale=scale_of(f.row))
    if f.value is None or not moves(of.rules, f.row):
        return bound
    return min(bound, f.value) if name == "lo" else max(bound, f.value)


def _edges(of: Outcome, f: Figure) -> dict[str, Any]:
    """The readings around a stay's edges, and whether the edge lies between two of them."""
    found: dict[str, Any] = {}
    moved = of.rules.edges == "last_reading" and not UNMOVED & {*f.flags}
    for name, edge in (("open", f.stay.start), ("close", f.stay.end)):
        at, value = f.row.get(f"{name}_at"), f.row.get(f"{name}_reading")
        known = at is not None and not pd.isna(at)
        places = of.rules.places if f.row and moves(of.rules, f.row) else None
        found[f"{name}_at"] = at if known else None
        found[f"{name}_reading"] = None if pd.isna(value) else rounded(float(value), places)
        found[f"{name}_interpolated"] = bool(known and at != edge and not moved)
    return found


# --- notes: what the figures rest on, in words -------------------------------------------


def _notes(of: Outcome, mine: Sequence[Figure]) -> list[str]:
    """Which element was whose, where that was not the whole time."""
    spans = {span(of.site, use.bill) for use in of.uses}
    return [
        f"{_name(of, f)} is yours from {_moment(of, f.stay.start)} to {_moment(of, f.stay.end)}."
        for f in mine
        if (f.stay.start, f.stay.end) not in spans
    ]


def _corrected(of: Outcome, mine: Sequence[Figure]) -> Iterator[str]:
    """What was corrected on a party's own meters, why, and when that was decided."""
    zone, day = of.site.zone, formats(of.site.locale).day
    for f in mine if of.site.corrections else ():
        for x in in_force(of.site.corrections, zone):
            if x.element == f.stay.element and x.touches(f.stay.start, f.stay.end, zone):
                by = f" ({x.by})" if x.by else ""
                yield f"{_name(of, f)} is corrected, {x.id}: {x.reason}{by}, {day(x.on)}."


def _accepted(of: Outcome) -> list[tuple[set[str], str]]:
    """What the bill accepts by name, and why: each with the parties whom it concerns.

    Those are the ones whose own meter, common area, line or bill it is about; where it is about
    none of theirs, no party is named, and it is the landlord's.
    """
    table = exceptions(of) if of.bill.accepted else pd.DataFrame()
    return [
        (
            {c.party for c in of.charges if x["subject"] in _subjects(of, c)}
            - {EXPORT, UNALLOCATED},
            f"{_told(of, x['kind'], x['subject'])}: {x['reason']}.",
        )
        for x in table.to_dict("records")
        if x["reason"]
    ]


def _subjects(of: Outcome, c: Charge) -> set[str]:
    """What an exception must be about to concern a charge."""
    own = of.figures_of(c) if c.part in {OWN, COMMON} else []
    whole = {of.bill.name, of.site.name}
    return {f.stay.element for f in own} | {c.party, c.title, c.line, *whole}


def _told(of: Outcome, kind: str, subject: str) -> str:
    label = of.site.labels.get(subject, subject)
    name = label if label == subject else f"{label} ({subject})"
    told: str = WORDS["accepted"][kind].format(name)
    return told[0].upper() + told[1:]


def _note(of: Outcome, c: Charge) -> str:
    """The arithmetic of a line, so that a tenant can check it."""
    if c.part == INTEREST:
        return "simple, actual/365, on what was billed too much"
    if c.part == FEE:
        return "a fee of the landlord, no part of the utility's bill"
    f, use = formats(of.site.locale), of.use(c.line)
    amount = next(x.amount for x in of.bill.lines if x.name == c.line)
    told = f"of the utility's {f.money(amount, of.site.currency)}"
    if use.dated:
        told += f" for {f.dates(*span(of.site, use.bill), of.site.tz)}"
    if c.quantity is None:
        return told
    credit = "a credit: " if c.quantity < 0 else ""
    return f"{credit}{f.number(c.quantity)} of {f.number(c.whole)} {c.unit} {told}"


def _peak(of: Outcome, c: Charge, found: Sequence[Figure]) -> Iterator[str]:
    """When the demand was that a line was shared by."""
    if c.basis == "coincident":
        at = next((f.row.get("at") for f in found), None)
        if at is not None and not pd.isna(at):
            yield f"the whole site's demand was highest at {_moment(of, at)}"
            yield from (f.note for f in found[:1] if f.sure and f.note)
    elif c.basis == "own_peak" and c.part != COMMON:
        for f in found:
            at = f.row.get("start")
            if at is not None and not pd.isna(at):
                yield f"your peak on {of.site.labels[f.stay.element]} was at {_moment(of, at)}"


def _moment(of: Outcome, at: pd.Timestamp) -> str:
    return formats(of.site.locale).moment(at, of.site.zone)


def _shared(of: Outcome, c: Charge) -> Iterator[str]:
    """What the meters leave of the utility's energy, and the party's share of that part."""
    use, number = of.use(c.line), formats(of.site.locale).number
    if c.part not in PARTS or c.quantity is None:
        return
    metered = c.part == COMMON and any(s.kind == COMMON for s in use.stays)
    if c.unit == "kWh" and not metered:
        known = number(EXACT.subtract(use.kwh, use.residual))
        yield f"the meters measured {known} of the utility's {number(use.kwh)} kWh"
    part = getattr(use.rules, c.part)
    own = {} if part is None else weights(use, part.rule)
    if part is not None and c.party in own:
        by, mine, all_of = part.rule.by, number(own[c.party]), number(add(list(own.values())))
        same = [x for x in of.shares if (x.line, x.part) == (c.line, c.part)]
        whole = number(add([x.quantity for x in same if x.quantity is not None]))
        head = f"your share of {whole} {c.unit} of {TITLES[c.part]}, by {by}"
        yield f"{head}: {mine} of {all_of} {WEIGHT_UNITS.get(by, '')}".rstrip()
