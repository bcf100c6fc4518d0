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

import pandas as pd

from dentframe.documents.number_and_date_formats import formats
from dentframe.documents.statement_audit_sheet import WORDS
from dentframe.errors import ConfigError
from dentframe.money.credit_notes import replacing
from dentframe.money.earlier_and_daily_use import comparison, daily, measured_year_before, own_dates
from dentframe.money.occupancy import COMMON, OWN, span
from dentframe.money.rounding_and_tiers import EXACT, add, around, bounds, exact, rounded
from dentframe.money.shares import FEE, TITLES, Charge, figures_of, part_of
from dentframe.money.split_usage import UNMOVED, energy_rows, moves, scale_of, worst_status
from dentframe.money.statement import Exchange, Letter, Line, Part, Reading, Statement, Statements
from dentframe.money.utility_bill_and_rules import PARTS
from dentframe.site.site import EXPORT, UNALLOCATED, Tenant

if TYPE_CHECKING:
    from dentframe.money.split_bill import Run
    from dentframe.money.split_usage import Figure, Usage
    from dentframe.money.statement import Share


def statements(run: Run, *, landlord: bool = False) -> Statements:
    """One statement a tenant who has charges, in the site's order; the landlord's on request.

    Raises
    ------
    ConfigError
        For numbers that are not unique, an account that is lacking, or a logo that is not there.
    """
    site, bill, whole, period = run.site, run.bill, run.whole, span(run.site, run.bill)
    measured, accepted = measured_year_before(whole), [*_accepted(run)]
    own = [s for s in whole.occupancies if s.kind == OWN]
    days = daily(whole.energy.series, own, period, site.zone, run.rules.places)
    start, end = (x.tz_convert(site.zone) for x in period)
    found = []
    for party in (*site.tenants, *[site.owner] * (landlord or site.letterhead.landlord)):
        charges = [c for c in run.every_charge if c.party == party.name]
        if not charges:
            continue
        compared, why = comparison(run, party, *measured)
        held = own_dates(run, party.name)
        held_from, held_to = held if held != (start, end) else (None, None)
        mine = [f for x in run.uses for f in x.figures.get("energy", []) if f.party == party.name]
        reasons = [text for names, text in accepted if party.name in (names or {site.landlord})]
        found.append(Statement(
            party=party.name,
            title=f"{site.name}: your share of the electricity bill {bill.name}",
            start=start,
            end=end,
            tz=site.tz,
            currency=site.currency,
            lines=tuple(_line(run, c) for c in charges),
            readings=tuple(_reading(run, f) for f in mine),
            comparison=compared,
            comparison_note=why,
            daily=tuple(days.get(party.name, ())),
            places=run.rules.places,
            notes=(*_notes(run, mine), *reasons),
            read_at=run.read_at,
            held_from=held_from,
            held_to=held_to,
            letter=_letter(run, party),
            locale=site.locale,
        ))  # fmt: skip
    count = Counter(x.letter.number for x in found if x.letter and x.letter.number)
    for number, n in count.items():
        if n > 1:
            raise ConfigError(
                f"Cannot number the statements: field 'number' = {bill.number!r} of {bill.file} "
                f"gives {number!r} {n} times. Have the tenant's account in it, e.g. "
                f"'{bill.name}-{{account}}', and each account once."
            )
    return Statements(replacing(run, found))


def _letter(run: Run, tenant: Tenant) -> Letter:
    """Who bills whom: the landlord and the tenant of the site file, the bill file's dates."""
    site, bill, head = run.site, run.bill, run.site.letterhead
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
    same = ("contact", "payment_terms", "remit_to", "accent", "not_from_utility", "area_unit")
    return Letter(
        sender=site.landlord,
        sender_address=head.address,
        **{name: getattr(head, name) for name in same},
        account=tenant.account,
        unit=tenant.unit,
        address=tenant.address,
        number=bill.number.replace("{account}", tenant.account),
        issued=bill.issued,
        due=due if isinstance(due, dt.date) else None,
        logo=str(logo or ""),
        schedule=bill.schedule,
    )


def _line(run: Run, c: Charge) -> Line:
    use = run.use(c.line)
    found, share = figures_of(use, c), part_of(use, c)
    one = len(found) == 1 and found[0].unit == "kWh" and c.part == OWN
    # What happened to another's meter is nobody else's business.
    bears = c.part in {OWN, EXPORT, COMMON}
    mine = [f.element for f in found if f.party == c.party]
    flags = {x for f in found if bears and f.party in {c.party, EXPORT, ""} for x in f.flags}
    by_day = c.part == FEE and c.quantity is not None
    return Line(
        name=c.title,
        kind=c.kind,
        quantity=c.quantity,
        unit=c.unit,
        rate=next(f.amount for f in run.rules.fees if f.name == c.line) if by_day else None,
        amount=c.amount,
        element=", ".join(_named(run, x) for x in dict.fromkeys(mine)),
        basis=c.basis.replace("_", " "),
        coverage=min((f.coverage for f in found), default=None),
        status=worst_status(found),
        flags=tuple(sorted(flags)),
        note=_note(run, c, found, share),
        share=share,
        charge=c.line,
        **(_around(run, found[0]) if one else {}),
    )


def _named(run: Run, key: str) -> str:
    """An element's label with its id, where it has another; what is no element as it is."""
    label = run.site.labels.get(key, key)
    return label if label == key else f"{label} ({key})"


def _reading(run: Run, f: Figure) -> Reading:
    element, places, edges = run.site.elements[f.element], run.rules.places, _around(run, f)
    sizes = ", ".join(dict.fromkeys(f"{exact(x):f}" for x in element.cts))
    exchanges = []
    for when, *noted in element.swaps:
        at, low, high = run.site.instant(when), edges["open_at"], edges["close_at"]
        if low is not None and high is not None and low < at <= high:
            # A reading that was noted is printed no finer than the others.
            pairs = ((exact(float(x)), rounded(float(x), places)) for x in noted)
            exchanges.append(Exchange(at, *(x if x == shown else shown for x, shown in pairs)))
    return Reading(
        element=_named(run, f.element),
        **edges,
        energy=f.value,
        coverage=f.coverage,
        status=f.status,
        flags=f.flags,
        **bounds(f.row, f.value if moves(run.rules, f.row) else None, places, scale_of(f.row)),
        ct=f"CT {sizes} A" if sizes else "",
        exchanges=tuple(exchanges),
        parts=_parts(run.whole, f),
    )


def _around(run: Run, f: Figure) -> dict[str, Any]:
    """The readings around an occupancy's edges, and whether the edge lies between two of them."""
    moved = run.rules.edges == "last_reading" and not UNMOVED & {*f.flags}
    found = around(f.row, run.rules.places if moves(run.rules, f.row) else None)
    for name, edge in (("open", f.start), ("close", f.end)):
        at = found[f"{name}_at"]
        found[f"{name}_interpolated"] = at is not None and at != edge and not moved
    return found


def _parts(use: Usage, f: Figure) -> tuple[Part, ...]:
    """What a register that a factor corrects showed and counts for, part by part.

    A reading where the factor changes is calculated: no meter showed it. At an exchange the old
    meter's closing ends a part, and the new one's opening begins the next.
    """
    zone, low, high = use.site.zone, f.row.get("open_at"), f.row.get("close_at")
    key, first, places = f.element, f.row.get("open_reading"), use.rules.places
    own = [x for x in use.registers.corrections if x.element == key]
    fixes = [(*x.span(zone), x.factor) for x in own if x.factor is not None]
    if not fixes or pd.isna(low) or pd.isna(high) or pd.isna(first):
        return ()
    swaps = {use.site.instant(at): (a, b) for at, a, b in use.site.elements[key].swaps}
    swaps |= {
        x.span(zone)[0]: (float(x.closing), float(x.opening))
        for x in own
        if x.closing is not None and x.opening is not None
    }
    inner = {x for *both, _ in fixes for x in both} | {*swaps}
    edges = sorted({low, high} | {x for x in inner if low < x < high})
    rows = energy_rows(use, {key: edges}, "interpolate")
    found: list[Part] = []
    opening, seen = swaps.get(low, (first, first))[1], True
    for start, end in pairwise(edges):
        row, after = (rows.get((key, x.tz_convert("UTC")), {}) for x in (start, end))
        last, closing, read = row["close_at"], float(row["close_reading"]), True
        next_opening = closing
        if end in swaps:
            closing, next_opening = swaps[end]
        elif last != end:
            at, later, read = after["open_at"], float(after["open_reading"]), False
            closing = next_opening = later + (closing - later) * ((end - at) / (last - at))
        times = next((x for a, b, x in fixes if a <= start < b), None) or Decimal(1)
        a, b = (rounded(float(x), places) for x in (opening, closing))
        by_hand = rounded(EXACT.multiply(EXACT.subtract(b, a), times), places)
        used = rounded(float(row["energy"]), places)
        # What the printed readings give, unless more than their rounding lies between.
        near = abs(by_hand - used) <= (times + 1) * Decimal(1).scaleb(-(places or 9))
        counted = by_hand if near or {start, end} & {*swaps} else used
        unseen = ("opening",) * (not seen) + ("closing",) * (not read)
        found.append(Part(start, end, a, b, times, counted, unseen))
        opening, seen = next_opening, read
    return tuple(found) if any(x.factor != 1 for x in found) else ()


# --- notes: what the figures rest on, in words -------------------------------------------


def _notes(run: Run, mine: Sequence[Figure]) -> Iterator[str]:
    """Which element was whose, where that was not the whole time; what was corrected on them."""
    zone, f = run.site.zone, formats(run.site.locale)
    spans = {span(run.site, use.bill) for use in run.uses}
    for x in mine:
        if (x.start, x.end) not in spans:
            start, end = (f.moment(at, zone) for at in (x.start, x.end))
            yield f"{_named(run, x.element)} is yours from {start} to {end}."
    for x in mine:
        for fix in run.whole.registers.corrections:
            if fix.element == x.element and fix.touches(x.start, x.end, zone):
                by = f" ({fix.by})" if fix.by else ""
                name = _named(run, fix.element)
                yield f"{name} is corrected, {fix.id}: {fix.reason}{by}, {f.day(fix.on)}."


def _accepted(run: Run) -> Iterator[tuple[set[str], str]]:
    """What the bill accepts by name, and why: each with the parties whom it concerns.

    Those are the ones whose own meter, common area, line or bill it is about; where it is about
    none of theirs, no party is named, and it is the landlord's.
    """
    for x in run.exceptions.to_dict("records") if run.bill.accepted else ():
        if x["reason"]:
            concerned = set()
            for c in run.every_charge:
                about = {c.party, c.title, c.line, run.bill.name, run.site.name}
                if c.part in {OWN, COMMON}:
                    about |= {f.element for f in figures_of(run.use(c.line), c)}
                if x["subject"] in about:
                    concerned.add(c.party)
            text = WORDS["accepted"][x["kind"]].format(_named(run, x["subject"]))
            text = f"{text[0].upper()}{text[1:]}: {x['reason']}."
            yield concerned - {EXPORT, UNALLOCATED}, text


def _note(run: Run, c: Charge, found: Sequence[Figure], share: Share | None) -> str:
    """The arithmetic of a line in words, so that a tenant can check it."""
    f, use = formats(run.site.locale), run.use(c.line)
    if share is None:
        if c.part == FEE:
            return "a fee of the landlord, no part of the utility's bill"
        return "simple, actual/365, on what was billed too much"
    text = f"of the utility's {f.money(share.charged, run.site.currency)}"
    if use.dated:
        text += f" for {f.dates(*span(run.site, use.bill), run.site.tz)}"
    if c.quantity is None:
        return "; ".join([text, *_peak(run, c, found)])
    credit, number = "a credit: " if c.quantity < 0 else "", f.number
    said = [f"{credit}{number(c.quantity)} of {number(c.of_all)} {c.unit} {text}"]
    said += _peak(run, c, found)
    if c.part not in PARTS:
        return "; ".join(said)
    if c.unit == "kWh" and (c.part != COMMON or all(s.kind != COMMON for s in use.occupancies)):
        known = number(EXACT.subtract(use.kwh, use.residual))
        said.append(f"the meters measured {known} of the utility's {number(use.kwh)} kWh")
    if share.weight is not None and share.weights is not None:
        same = [x.quantity for x in run.shares if (x.line, x.part) == (c.line, c.part)]
        whole = number(add(x for x in same if x is not None))
        weights = f"{number(share.weight)} of {number(share.weights)} {share.unit}".rstrip()
        what, by = TITLES[c.part], getattr(use.rules, c.part).by
        said.append(f"your share of {whole} {c.unit} of {what}, by {by}: {weights}")
    return "; ".join(said)


def _peak(run: Run, c: Charge, found: Sequence[Figure]) -> Iterator[str]:
    """When the demand was that a line was shared by."""
    zone, moment = run.site.zone, formats(run.site.locale).moment
    if c.basis == "coincident":
        for f in found[:1]:
            if not pd.isna(f.row.get("at")):
                yield f"the whole site's demand was highest at {moment(f.row['at'], zone)}"
                yield from [f.note] if f.certain and f.note else []
    elif c.basis == "own_peak" and c.part != COMMON:
        for f in found:
            if not pd.isna(f.row.get("start")):
                peak = moment(f.row["start"], zone)
                yield f"your peak on {run.site.labels[f.element]} was at {peak}"
