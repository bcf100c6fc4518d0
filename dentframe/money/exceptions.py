"""The exceptions of a split tell what its owner must look at, and what to do about it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pandas as pd

from dentframe.metering.registers import micros
from dentframe.money.figures import Figure, Usage, accepts, refused
from dentframe.money.occupancy import COMMON, MAIN, billed, dates, midnights, span, tops
from dentframe.money.rounding import EXACT, add, rounded
from dentframe.money.shares import REFUSED, TOLERANCE, UNEXPLAINED, Charge, residuals
from dentframe.money.usage import Words, remedy, when
from dentframe.site.elements import EXPORT, UNALLOCATED
from dentframe.site.elements import stays as held
from dentframe.verbs.inputs import VerbKeywords, energy_source, series_of
from dentframe.wire.columns import split_element

if TYPE_CHECKING:
    from dentframe.metering.cumulative import Cumulative
    from dentframe.money.utility_bill import BillLine, UtilityBill
    from dentframe.site.files import Moment

ZERO = Decimal(0)
_NAMES = {COMMON: "common areas", MAIN: "the main"}
_WORDS = Words(
    "cts and volts, or max_kw, in [elements.{}] of the site file",
    "[[elements.{}.swaps]] of the site file",
    'accept = ["recorded", "estimated"] in [split]',
    'accept = ["recorded", "partial"] in [split]',
)
_OPEN = (
    "There is no reading at or after its end yet, and one that comes later would move the closing: "
    "read again when the meter has uploaded. Else accept what is covered: "
    'accept = ["recorded", "partial"] in [split].'
)
_DEMAND = (
    "Read the period again: late readings may have come. Else state accept_demand or "
    "demand_coverage in [split], or share the line by another rule."
)
_COMPARE = (
    "Compare the bill's kwh and read dates with its paper, and the site's elements with the "
    "meters; where the difference is real, raise agree [%] in [split]."
)
_PARENT = (
    'A branch that {main} measures must name it as its parent: parent = "{main}" in its '
    "[elements]. As long as none does, {main} stands for all branches; once one does, a branch on "
    "another meter without a parent counts as a service of its own. Where all of them are right, "
    "compare the bill's kwh and read dates with its paper."
)
_BEYOND = (
    "Correct the line's start and end. If it belongs to another period, split it as a bill of "
    "its own with that period's dates."
)
_TOTAL = (
    "Type in the current charges of the paper as total, without prior balance, payments and late "
    "fees: it is checked against the lines."
)
_PRICE = (
    'Type in the line of the energy too, with kind = "energy"; where some energy is free, accept '
    "it in [[accepted]]."
)
_CREDIT = "Correct its sign; where it is a credit, state credit = true in its [[lines]]."
_REFUSED = "See the figures that are not accepted, above."
_BEARS = (
    "State who bears it: a table [split.loss], [split.common] or [split.tolerance] with by, and "
    "percent, kwh or rest = true."
)


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
        The number that was judged, and against what.
    unit : str
        Of both.
    rule : str
        The field of ``[split]`` that decides; ``""`` where none does.
    remedy : str
        What to do; ``""`` where nothing has to be done.
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


COLUMNS = tuple(f.name for f in fields(Finding))


def findings(uses: Sequence[Usage], charges: Sequence[Charge]) -> list[Finding]:
    """All findings of a split, figures first.

    Parameters
    ----------
    uses : sequence of Usage
        What the lines rested on, the whole period first.
    charges : sequence of Charge
        The shares.
    """
    found = [
        *(x for use in uses for x in _statuses(use)),
        *(x for use in uses for x in _energies(use)),
        *_periods(uses[0]),
        *_tenants(uses[0]),
        *_lines(uses[0]),
        *_recovery(uses[0], charges),
        *_unallocated(uses[0], charges),
    ]
    return [_by_name(uses[0].bill, x) for x in found]


def _by_name(bill: UtilityBill, x: Finding) -> Finding:
    """A finding as accepted where the bill accepts it by name; a refused figure never is."""
    said = [a for a in bill.accepted if (a.kind, a.element) == (x.kind, x.subject)]
    if not said or x.remedy == _REFUSED:
        return x
    reason = f"{said[0].reason} (accepted by {said[0].by})"
    return replace(x, accepted=True, reason=reason, remedy="")


def table(found: Sequence[Finding]) -> pd.DataFrame:
    """Findings as a frame, one row each."""
    rows = [[getattr(x, c) for c in COLUMNS] for x in found]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"accepted": bool})


def _statuses(use: Usage) -> Iterator[Finding]:
    """What the figures themselves say."""
    unsure = [
        f
        for basis, found in use.figures.items()
        for f in (found[:1] if basis == "coincident" else found)  # one for all elements
        if f.status != "recorded"
    ]
    registers = _registers(use) if any(f.unit == "kWh" for f in unsure) else {}
    for f in unsure:
        together, energy = "site_peak" in f.row, f.unit == "kWh"
        accepted = f.stay.kind == MAIN or accepts(use.rules, f)
        cure = remedy(f.status, f.flags, f.stay.element, _WORDS) if energy else f.note + _DEMAND
        low = f.status == "partial" and f.coverage < use.rules.demand_coverage
        kind = f.kind(use.rules)
        if kind == "not_closed":
            cure = _OPEN
        yield Finding(
            kind,
            use.site.name if together else f.stay.element,
            _detail(use, f, registers),
            _peak(use, f) if together else f.value,
            None,
            f.unit,
            rule="accept" if energy else "demand_coverage" if low else "accept_demand",
            remedy="" if accepted else cure,
            accepted=accepted,
        )


def _registers(use: Usage) -> dict[str, Cumulative]:
    """The series that answer for energy, by element."""
    source = energy_source(use.frame, None, "auto")
    series = series_of(use.frame, source, VerbKeywords(**use.keywords))
    return {c.name: c for c in series}


def _peak(use: Usage, f: Figure) -> Decimal | None:
    value = f.row["site_peak"]
    return None if pd.isna(value) else rounded(float(value), use.rules.places)


def _detail(use: Usage, f: Figure, registers: dict[str, Cumulative]) -> str:
    s, zone, at = f.stay, use.site.zone, ""
    start, end, who = s.start, s.end, s.party or _NAMES[s.kind]
    if "site_peak" in f.row:
        (start, end), who = span(use.site, use.bill), "all elements together"
    if f.unit == "kWh" and s.element in registers:
        at = when(registers[s.element], micros(start), micros(end), zone)
    told = ", ".join((*f.flags, *filter(None, [at])))
    flags = f" ({told})" if told else ""
    return (
        f"{'energy' if f.unit == 'kWh' else 'demand'} of {who}, "
        f"{start.tz_convert(zone):%Y-%m-%d %H:%M} to {end.tz_convert(zone):%Y-%m-%d %H:%M}: "
        f"{f.status}, coverage {f.coverage:.4f}{flags}{f'; {f.note}' if f.sure else ''}"
    )


def _energies(use: Usage) -> Iterator[Finding]:
    """The meters against the utility's, where its energy is known and was shared.

    A demand line asks for energy too, where common areas are shared by it.
    """
    if "energy" in use.figures and use.bill.kwh is not None and not refused(use, "energy"):
        share = EXACT.divide(EXACT.multiply(abs(use.kwh), use.rules.agree), Decimal(100))
        limit = rounded(share, use.rules.places)
        yield from _residual(use, limit)
        yield from _main(use, limit)


def _residual(use: Usage, limit: Decimal) -> Iterator[Finding]:
    """What is left of the utility's energy after the parts that are stated as amounts."""
    parts = residuals(use)
    rest = next((n for n, p in use.rules.parts if p.rest), UNEXPLAINED)
    left = parts[rest]
    low = next((x for x in (use.residual, left) if x < 0), None)
    if low is not None:
        detail = (
            f"the elements measured {-low} kWh more than the utility billed{use.dated}"
            if low == use.residual
            else f"the stated parts exceed what is left by {-low} kWh{use.dated}"
        )
        agrees = -low <= limit
        yield Finding(
            "negative_residual", use.bill.name, detail, low, -limit, "kWh", "agree",
            "" if agrees else _COMPARE, accepted=agrees,
        )  # fmt: skip
    elif left > limit and rest != COMMON:
        what = "meter tolerance" if rest == TOLERANCE else rest
        detail = f"{left} of the utility's {use.kwh} kWh{use.dated} are {what}"
        yield Finding(
            "utility_differs", use.bill.name, detail, left, limit, "kWh", "agree", _COMPARE
        )


def _main(use: Usage, limit: Decimal) -> Iterator[Finding]:
    """The site's own main against the utility's meter."""
    at = tops(use.site, use.bill)
    mains = [k for k in at if use.site.elements[k].role == MAIN]
    own = [f for f in use.figures["energy"] if f.stay.element in at]
    if not mains or any(f.value is None or f.status == "partial" for f in own):
        return
    measured = add([f.value for f in own if f.value is not None])
    off = EXACT.subtract(measured, use.kwh)
    if abs(off) > limit:
        told = f"the utility billed {use.kwh} kWh{use.dated}"
        detail = f"{', '.join(at)} measured {measured} kWh, {told}"
        meters = {split_element(k)[0] for k in mains}
        loose = [k for k in billed(use.site, use.bill) if use.site.elements[k].parent is None]
        apart = mains != at or any(split_element(k)[0] not in meters for k in loose)
        cure = _PARENT.format(main=mains[0]) if apart else _COMPARE
        yield Finding("utility_differs", at[0], detail, off, limit, "kWh", "agree", cure)


def _periods(use: Usage) -> Iterator[Finding]:
    site, bill = use.site, use.bill
    days, hint = len(midnights(site, bill)), exclusive_end(bill.start, bill.end)
    if bill.days is not None and bill.days != days:
        detail = f"the bill states {bill.days} days, its read dates span {days}"
        cure = "Correct the bill's start, end or days; end is the next read date, exclusive."
        yield Finding(
            "periods_differ", bill.name, detail, Decimal(days), Decimal(bill.days), "days",
            remedy=cure + hint,
        )  # fmt: skip
    elif bill.days is None and hint:
        detail = f"the period ends before {bill.end} begins: {days} days"
        yield Finding(
            "periods_differ", bill.name, detail, Decimal(days), unit="days",
            remedy=hint.strip(), accepted=True,
        )  # fmt: skip
    start, end = span(site, bill)
    for line in bill.lines:
        low, high = dates(site, bill, line)
        if low < start or high > end:
            detail = (
                f"the line is for {line.start or bill.start} to {line.end or bill.end}, the bill "
                f"for {bill.start} to {bill.end}: it was shared by the use of its own dates"
            )
            yield Finding("periods_differ", line.name, detail, remedy=_BEYOND)


def _tenants(use: Usage) -> Iterator[Finding]:
    """Tenants whose end seems to be their last day, which is then not theirs."""
    start, end = span(use.site, use.bill)
    for tenant in use.site.tenants:
        for hold in tenant.holds:
            if hold.end is None or not start <= use.site.instant(hold.end) < end:
                continue
            next_day = hold.end + dt.timedelta(days=1)
            spans = [x for k in hold.elements for x in held(use.site, k)]
            follows = any(use.site.instant(next_day) == x[0] for x in spans)
            hint = exclusive_end(hold.end.replace(day=1), hold.end)
            if not isinstance(hold.end, dt.datetime) and (hint or follows):
                detail = f"{tenant.name}'s time ends before {hold.end} begins: end is exclusive"
                cure = f"If {hold.end} was the last day, write end = {next_day} in [[tenants]]."
                yield Finding("periods_differ", tenant.name, detail, remedy=cure, accepted=True)


def _lines(use: Usage) -> Iterator[Finding]:
    """What may have been left out of a bill's lines, or typed in with the wrong sign."""
    bill, currency = use.bill, use.site.currency
    if bill.total is None:
        detail = "the bill's file has no total, so nothing tells whether a line was left out"
        yield Finding(
            "no_total", bill.name, detail, bill.amount, None, currency, remedy=_TOTAL, accepted=True
        )
    energy = [x for x in bill.lines if _prices_energy(use, x)]
    told = [x.kwh for x in energy if x.kwh is not None]
    priced = add(told) if len(told) == len(energy) else bill.kwh
    if bill.kwh and priced is not None and priced < bill.kwh:
        detail = f"the bill has {bill.kwh} kWh, and its lines price {priced} of them"
        yield Finding("not_priced", bill.name, detail, priced, bill.kwh, "kWh", remedy=_PRICE)
    for x in bill.lines:
        export = x.kind == EXPORT or use.rules.of(x).by == EXPORT
        if x.amount < 0 and not (x.credit or x.kind == "credit" or export):
            detail = f"line {x.name!r} is negative, and neither an export nor said to be a credit"
            yield Finding("negative_line", x.name, detail, x.amount, ZERO, currency, remedy=_CREDIT)


def _prices_energy(use: Usage, x: BillLine) -> bool:
    return x.kwh is not None or x.kind == "energy" or use.rules.of(x).by == "energy"


def exclusive_end(start: Moment, end: Moment) -> str:
    """A hint where a bill seems to end with the last day of a month, which is then not in it.

    Parameters
    ----------
    start, end : date or datetime
        The bill's; only dates can be meant so.
    """
    if any(isinstance(x, dt.datetime) or not isinstance(x, dt.date) for x in (start, end)):
        return ""
    after = end + dt.timedelta(days=1)
    if start.day != 1 or after.day != 1:
        return ""
    return (
        f" If {end} belongs to the bill, write end = {after}: end is exclusive. If it is the "
        "utility's read date, state the bill's days."
    )


def _recovery(use: Usage, charges: Sequence[Charge]) -> Iterator[Finding]:
    """What parties pay against what the utility charges: an export credit is paid by others."""
    paid = add([c.amount for c in charges if c.party not in {EXPORT, UNALLOCATED}])
    billed, meant = use.bill.amount, use.rules.over_recovery
    if paid > max(billed, ZERO):
        detail = f"tenants and landlord pay {paid} of a bill of {billed}"
        cure = "If that is meant (an export credit), state over_recovery = true in [split]."
        yield Finding(
            "over_recovery", use.bill.name, detail, EXACT.subtract(paid, billed), ZERO,
            use.site.currency, "over_recovery", "" if meant else cure, accepted=meant,
        )  # fmt: skip


def _unallocated(use: Usage, charges: Sequence[Charge]) -> Iterator[Finding]:
    for c in charges:
        if c.party == UNALLOCATED and c.amount:
            no = c.part == REFUSED
            why = "a figure it rests on was refused" if no else "no rule bears it"
            yield Finding(
                "unallocated", c.title, f"{c.amount} are nobody's: {why}", c.amount, ZERO,
                use.site.currency, "accept" if no else "loss, common, tolerance",
                _REFUSED if no else _BEARS,
            )  # fmt: skip


def also_affected(record: str) -> Finding:
    """Another record that the corrections of a re-bill bear on too."""
    return Finding(
        "also_affected", record, "the corrections bear on its period or its edge too",
        remedy="Re-bill it with the same corrections.", accepted=True,
    )  # fmt: skip
