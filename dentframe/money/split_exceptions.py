"""The exceptions of a split name what its owner must look at, and what to do about each."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dentframe.money.occupancy import COMMON, MAIN, span, tops_and_branches
from dentframe.money.rounding_and_tiers import EXACT, add, rounded
from dentframe.money.shares import REFUSED, TITLES, TOLERANCE, UNEXPLAINED, ZERO, residuals
from dentframe.money.split_usage import Figure, Usage, accepts, refused
from dentframe.money.tariff_usage import CURES, remedy
from dentframe.site.site import EXPORT, UNALLOCATED
from dentframe.times.dates_and_ranges import micros
from dentframe.times.periods import midnights
from dentframe.verbs.energy import when
from dentframe.wire.columns import split_element

if TYPE_CHECKING:
    from dentframe.money.split_bill import Run
    from dentframe.site.toml_tables import Moment


@dataclass(frozen=True)
class Finding:
    """One row of `Run.exceptions`.

    Attributes
    ----------
    kind : str
        ``missing``, ``partial``, ``not_closed``, ``estimated``, ``negative_residual``,
        ``utility_differs``, ``periods_differ``, ``no_total``, ``not_priced``, ``negative_line``,
        ``opening_differs``, ``also_affected``, ``over_recovery`` or ``unallocated``.
    subject : str
        The element, line or bill.
    detail : str
        What it is about.
    value, limit : Decimal or None
        The number that was compared, and with what.
    unit : str
        Of both.
    rule : str
        The field of ``[split]`` that decides; ``""`` where none does.
    remedy : str
        What to do; ``""`` takes that of its kind, where one is written. In the frame none is left
        where a rule allows it.
    accepted : bool
        Whether the rules allow it, or the bill does by name.
    reason : str
        Why and by whom, where the bill accepts it by name.
    """

    kind: str
    subject: str
    detail: str
    value: Decimal | None = None
    limit: Decimal | None = None
    unit: str = ""
    rule: str = ""
    remedy: str = ""
    accepted: bool = False
    reason: str = ""


def exceptions_of(run: Run) -> pd.DataFrame:
    """All findings of a split as a frame, one row each, figures first."""
    whole = run.whole
    found = [
        _not_recorded(use, f)
        for use in run.uses
        for basis, every in use.figures.items()
        for f in (every[:1] if basis == "coincident" else every)  # one for all elements
        if f.status != "recorded"
    ]
    found += [x for use in run.uses for x in _energies(use)]
    found += [*_openings(run), *_amounts(run), *_periods(whole), *_tenants(whole), *_lines(whole)]
    for record in run.rebilling.affected if run.rebilling else ():
        detail = "the corrections bear on its period or its edge too"
        found.append(Finding("also_affected", record, detail, accepted=True))
    rows, named = [], {(x.kind, x.element): x for x in reversed(whole.bill.accepted)}
    for x in found:
        row, by_name = {**vars(x)}, named.get((x.kind, x.subject))
        row["remedy"] = "" if x.accepted and x.rule else x.remedy or CURES.get(x.kind, "")
        if by_name and x.remedy != CURES["refused"]:  # a refused figure never is accepted
            reason = f"{by_name.reason} (accepted by {by_name.by})"
            row |= {"accepted": True, "reason": reason, "remedy": ""}
        rows.append(row)
    names = [f.name for f in fields(Finding)]
    return pd.DataFrame(rows, columns=names, dtype=object).astype({"accepted": bool})


def _not_recorded(use: Usage, f: Figure) -> Finding:
    """What a figure says itself."""
    subject, value, rule = f.element, f.value, "accept"
    if "site_peak" in f.row:
        subject, peak = use.site.name, float(f.row["site_peak"])
        value = None if np.isnan(peak) else rounded(peak, use.rules.places)
    kind, accepted = f.exception_kind(use.rules), f.kind == MAIN or accepts(use, f)
    if f.unit == "kW":
        low = f.status == "partial" and f.coverage < use.rules.demand_coverage
        rule, cure = "demand_coverage" if low else "accept_demand", f.note + CURES["demand"]
    else:
        cure = CURES.get(kind) or remedy(f.status, f.flags, f.element, "site_file")
    return Finding(kind, subject, _detail(use, f), value, None, f.unit, rule, cure, accepted)


def _detail(use: Usage, f: Figure) -> str:
    zone, facts, named = use.site.zone, list(f.flags), "demand"
    start, end, who = f.start, f.end, f.party or {**TITLES, MAIN: "the main"}[f.kind]
    if "site_peak" in f.row:
        (start, end), who = span(use.site, use.bill), "all elements together"
    if f.unit == "kWh":
        named, mine = "energy", [c for c in use.energy.series if c.name == f.element]
        facts += filter(None, [when(c, micros(start), micros(end), zone) for c in mine])
    flags = f" ({', '.join(facts)})" if facts else ""
    return (
        f"{named} of {who}, {start.tz_convert(zone):%Y-%m-%d %H:%M} to "
        f"{end.tz_convert(zone):%Y-%m-%d %H:%M}: {f.status}, coverage {f.coverage:.4f}{flags}"
        f"{f'; {f.note}' if f.certain and f.note else ''}"
    )


def _energies(use: Usage) -> Iterator[Finding]:
    """The meters against the utility's, where its energy is known and was shared.

    A demand line asks for energy too, where common areas are shared by it.
    """
    if "energy" not in use.figures or use.bill.kwh is None or refused(use, "energy"):
        return
    share = EXACT.divide(EXACT.multiply(abs(use.kwh), use.rules.agree), Decimal(100))
    limit = rounded(share, use.rules.places)
    rest = next((n for n, p in use.rules.parts if p.rest), UNEXPLAINED)
    left = residuals(use)[rest]
    low = next((x for x in (use.residual, left) if x < 0), None)
    if low is not None:
        detail = f"the stated parts exceed what is left by {-low} kWh{use.dated}"
        if low == use.residual:
            detail = f"the elements measured {-low} kWh more than the utility billed{use.dated}"
        found = "negative_residual", use.bill.name, detail, low, -limit, "kWh", "agree"
        yield Finding(*found, CURES["utility_differs"], -low <= limit)
    elif left > limit and rest != COMMON:
        what = "meter tolerance" if rest == TOLERANCE else rest
        detail = f"{left} of the utility's {use.kwh} kWh{use.dated} are {what}"
        yield Finding("utility_differs", use.bill.name, detail, left, limit, "kWh", "agree")
    yield from _main(use, limit)


def _main(use: Usage, limit: Decimal) -> Iterator[Finding]:
    """The site's own main against the utility's meter."""
    at, branches = tops_and_branches(use.site, use.bill)
    mains = [k for k in at if use.site.elements[k].role == MAIN]
    own = [f for f in use.figures["energy"] if f.element in at]
    if not mains or any(f.value is None or f.status == "partial" for f in own):
        return
    measured = add([f.value for f in own if f.value is not None])
    off = EXACT.subtract(measured, use.kwh)
    if abs(off) > limit:
        billed = f"the utility billed {use.kwh} kWh{use.dated}"
        detail = f"{', '.join(at)} measured {measured} kWh, {billed}"
        meters = {split_element(k)[0] for k in mains}
        loose = [k for k in branches if use.site.elements[k].parent is None]
        apart = mains != at or any(split_element(k)[0] not in meters for k in loose)
        cure = CURES["parent"].format(main=mains[0]) if apart else ""
        yield Finding("utility_differs", at[0], detail, off, limit, "kWh", "agree", cure)


def _openings(run: Run) -> Iterator[Finding]:
    """Openings that are not the printed closings of the period before."""
    use = run.whole
    start, places = span(use.site, use.bill)[0], use.rules.places
    for f in use.figures.get("energy", []):
        name, opening = f.element, f.row.get("open_reading")
        if f.start != start or name not in run.closings or pd.isna(opening):
            continue
        (read, closing), at = run.closings[name], f.row["open_at"]
        if read > start:  # the edge lies in a gap: no reading is the printed one of both bills
            continue
        swaps = [use.site.instant(x[0]) for x in use.site.elements[name].swaps]
        own = rounded(float(opening), places)
        if own != closing and not any(read <= x <= at for x in swaps):
            a, b = (x.tz_convert(use.site.zone) for x in (at, read))
            detail = (
                f"the opening {own} of {a:%Y-%m-%d %H:%M} is not the closing {closing} of "
                f"{b:%Y-%m-%d %H:%M} that the statement before has"
            )
            yield Finding("opening_differs", name, detail, own, closing, "kWh")


def _amounts(run: Run) -> Iterator[Finding]:
    """What parties pay against what the utility charges, and what is nobody's.

    An export credit is paid by others.
    """
    paid = add([c.amount for c in run.shares if c.party not in {EXPORT, UNALLOCATED}])
    billed, meant, currency = run.bill.amount, run.rules.over_recovery, run.site.currency
    if paid > max(billed, ZERO):
        detail = f"tenants and landlord pay {paid} of a bill of {billed}"
        found = "over_recovery", run.bill.name, detail, EXACT.subtract(paid, billed), ZERO, currency
        yield Finding(*found, "over_recovery", accepted=meant)
    for c in run.shares:
        if c.party == UNALLOCATED and c.amount:
            why, rule, cure = "no rule bears it", "loss, common, tolerance", CURES["bears"]
            if c.part == REFUSED:
                why, rule, cure = "a figure it rests on was refused", "accept", CURES["refused"]
            detail = f"{c.amount} are nobody's: {why}"
            yield Finding("unallocated", c.title, detail, c.amount, ZERO, currency, rule, cure)


# --- what was left out of a bill or a site, or typed in wrongly ---------------------------


def _periods(use: Usage) -> Iterator[Finding]:
    site, bill = use.site, use.bill
    start, end = span(site, bill)
    days, hint = len(midnights(start, end, site.zone)), _exclusive_end(bill.start, bill.end)
    compared = Decimal(days), None if bill.days is None else Decimal(bill.days), "days"
    if bill.days is not None and bill.days != days:
        detail = f"the bill states {bill.days} days, its read dates span {days}"
        cure = f"{CURES['days']} {hint}".strip()
        yield Finding("periods_differ", bill.name, detail, *compared, remedy=cure)
    elif bill.days is None and hint:
        detail = f"the period ends before {bill.end} begins: {days} days"
        yield Finding("periods_differ", bill.name, detail, *compared, remedy=hint, accepted=True)
    for line in bill.lines:
        low, high = span(site, bill, line)
        if low < start or high > end:
            detail = (
                f"the line is for {line.start or bill.start} to {line.end or bill.end}, the bill "
                f"for {bill.start} to {bill.end}: it was shared by the use of its own dates"
            )
            yield Finding("periods_differ", line.name, detail, remedy=CURES["beyond"])


def _tenants(use: Usage) -> Iterator[Finding]:
    """Tenants whose end seems to be their last day, which is then not theirs."""
    start, end = span(use.site, use.bill)
    for tenant in use.site.tenants:
        for hold in tenant.holds:
            if hold.end is None or not start <= use.site.instant(hold.end) < end:
                continue
            next_day = hold.end + dt.timedelta(days=1)
            starts = [x[0] for k in hold.elements for x in use.site.holds_of(k)]
            follows = use.site.instant(next_day) in starts
            hint = _exclusive_end(hold.end.replace(day=1), hold.end)
            if not isinstance(hold.end, dt.datetime) and (hint or follows):
                detail = f"{tenant.name}'s time ends before {hold.end} begins: end is exclusive"
                cure = CURES["tenant_end"].format(end=hold.end, after=next_day)
                yield Finding("periods_differ", tenant.name, detail, remedy=cure, accepted=True)


def _lines(use: Usage) -> Iterator[Finding]:
    """What may have been left out of a bill's lines, or typed in with the wrong sign."""
    bill, currency = use.bill, use.site.currency
    if bill.total is None:
        detail = "the bill's file has no total, so nothing tells whether a line was left out"
        yield Finding("no_total", bill.name, detail, bill.amount, None, currency, accepted=True)
    by = {x.name: use.rules.of(x).by for x in bill.lines}
    energy = [x for x in bill.lines if x.kwh is not None or "energy" in {x.kind, by[x.name]}]
    stated = [x.kwh for x in energy if x.kwh is not None]
    priced = add(stated) if len(stated) == len(energy) else bill.kwh
    if bill.kwh and priced is not None and priced < bill.kwh:
        detail = f"the bill has {bill.kwh} kWh, and its lines price {priced} of them"
        yield Finding("not_priced", bill.name, detail, priced, bill.kwh, "kWh")
    for x in bill.lines:
        if x.amount < 0 and not x.credit and not {EXPORT, "credit"} & {x.kind, by[x.name]}:
            detail = f"line {x.name!r} is negative, and neither an export nor said to be a credit"
            yield Finding("negative_line", x.name, detail, x.amount, None, currency)


def _exclusive_end(start: Moment, end: Moment) -> str:
    """A hint where a bill seems to end with the last day of a month, which is then not in it."""
    if isinstance(start, dt.datetime) or isinstance(end, dt.datetime):
        return ""  # only dates can be meant so
    after = end + dt.timedelta(days=1)
    return CURES["bill_end"].format(end=end, after=after) if start.day == after.day == 1 else ""
