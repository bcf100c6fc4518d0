"""A bill settled by readings: its tables, and the tenants' statements of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pandas as pd

from dentframe.errors import ConfigError
from dentframe.metering.cumulative import STATUSES
from dentframe.money import exceptions as _exceptions
from dentframe.money.figures import Figure, Usage, figures_by, needs, refused
from dentframe.money.occupancy import (
    COMMON,
    MAIN,
    OWN,
    completed,
    dated_parts,
    holder,
    midnights,
    span,
    stays,
)
from dentframe.money.rebill_notes import DIFFERENCE, Rebilling
from dentframe.money.rounding import add, digits_of, rounded
from dentframe.money.shares import FEE, Charge, fees, share
from dentframe.site.elements_and_tenants import EXPORT, UNALLOCATED

if TYPE_CHECKING:
    from dentframe.money.comparison import Billed
    from dentframe.money.split_rules import SplitRules
    from dentframe.money.utility_bill import BillLine, UtilityBill
    from dentframe.site.site import Site


@dataclass(frozen=True)
class Outcome:
    """What follows from readings, site, bill and rules, and from nothing else.

    Attributes
    ----------
    site, bill, rules
        What it was made from.
    whole : Usage
        What was used over the bill's period.
    dated : mapping of str to Usage
        What was used over a line's own dates, by the line's name.
    shares, fees : list of Charge
        What each party has of each line of the bill, and of each fee of the landlord.
    earlier : tuple of Billed
        What earlier records tell of the tenants, for the statements to compare with.
    closings : mapping of str to (Timestamp, Decimal)
        By element, the closing that was printed of the period before, and when it was read.
    rebilling : Rebilling or None
        What was billed before, where this is a re-bill.
    """

    site: Site
    bill: UtilityBill
    rules: SplitRules
    whole: Usage
    dated: Mapping[str, Usage]
    shares: list[Charge]
    fees: list[Charge]
    earlier: tuple[Billed, ...] = ()
    closings: Mapping[str, tuple[pd.Timestamp, Decimal]] = field(default_factory=dict)
    rebilling: Rebilling | None = None

    @property
    def charges(self) -> list[Charge]:
        """The shares, then the fees."""
        return [*self.shares, *self.fees]

    @property
    def uses(self) -> list[Usage]:
        """Each use once, the whole period first."""
        return [self.whole, *dict.fromkeys(self.dated.values())]

    def use(self, line: str) -> Usage:
        """What a line rests on; the whole period for what is no line of the bill."""
        return self.dated.get(line, self.whole)

    def figures_of(self, c: Charge) -> list[Figure]:
        """The figures that a charge rests on."""
        found = self.use(c.line).figures.get(c.basis, [])
        if c.part in {OWN, EXPORT}:
            return [f for f in found if f.stay.party == c.party]
        if c.part == COMMON:
            return [f for f in found if f.stay.kind == COMMON]
        return [f for f in found if f.stay.kind != MAIN]


def settle(
    frame: pd.DataFrame,
    site: Site,
    bill: UtilityBill,
    rules: SplitRules,
    *,
    closings: Mapping[str, tuple[pd.Timestamp, Decimal]] | None = None,
    earlier: Sequence[Billed] = (),
) -> Outcome:
    """Share a bill by readings.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns over (meter, time), or over time for a site of one meter.
    site, bill, rules
        The description, the bill and the rules.
    closings : mapping of str to (Timestamp, Decimal), optional
        As in `Outcome`; by default those of `earlier` that end where the bill starts.
    earlier : sequence of Billed
        As in `Outcome`.

    Raises
    ------
    ConfigError
        For a line without a rule or a basis, or a bill in another currency.
    """
    if bill.currency is not None and bill.currency != site.currency:
        raise ConfigError(
            f"Cannot split {bill.name!r}: it is in {bill.currency}, {site.name!r} in "
            f"{site.currency}. Correct field 'currency' in one of them."
        )
    parts = dated_parts(site, bill, rules)
    apart = {x.name for part in parts for x in part.lines}
    whole = usage(frame, site, bill, rules, [x for x in bill.lines if x.name not in apart])
    dated = {
        x.name: use
        for part in parts
        for use in [
            usage(frame, site, part, rules, part.lines, f" from {part.start} to {part.end}")
        ]
        for x in part.lines
    }
    if closings is None:
        start = span(site, bill)[0]
        closings = {k: v for x in earlier if x.end == start for k, v in x.closings.items()}
    charges = share(whole, dated), fees(whole)
    return Outcome(site, bill, rules, whole, dated, *charges, tuple(earlier), closings)


def usage(
    frame: pd.DataFrame,
    site: Site,
    bill: UtilityBill,
    rules: SplitRules,
    lines: Iterable[BillLine],
    dated: str = "",
) -> Usage:
    """Measure what some lines of a bill rest on, in the bill's period.

    A line whose first basis is refused asks for no other: it is nobody's as a whole.
    """
    found = stays(site, bill)
    own = [s for s in found if s.kind == OWN]
    elements = list(dict.fromkeys(s.element for s in own))
    days = midnights(*span(site, bill), site.zone)
    holders = [{k: holder(own, k, day) for k in elements} for day in days]
    whole = completed(frame, found, span(site, bill)[0])
    use = Usage(whole, site, bill, rules, dated, found, holders)
    for line in lines:
        for basis in needs(use, rules.of(line)) if line.amount else ():
            if basis not in use.figures:
                use.figures[basis] = [_by_name(use, f) for f in figures_by(use, basis)]
            if refused(use, basis):
                break
    return use


def _by_name(use: Usage, f: Figure) -> Figure:
    """A figure with what the bill says of it, where it accepts it by name."""
    kind = f.kind(use.rules)
    names = {f.stay.element, *([use.site.name] if "site_peak" in f.row else [])}
    found = [x for x in use.bill.accepted if x.kind == kind and x.element in names]
    return replace(f, accepted=found[0]) if found else f


def worst(found: Sequence[Figure]) -> str:
    """The worst status of some figures, ``""`` of none."""
    return max((f.status for f in found), key=STATUSES.index, default="")


# --- tables -------------------------------------------------------------------------------

CHARGES = (
    "bill", "start", "end", "party", "role", "code", "line", "bill_line", "kind", "part", "basis",
    "quantity", "unit", "amount", "currency", "status", "computed", "billed",
)  # fmt: skip
"""The columns of `Run.charges`."""
FIGURES = (
    "element", "label", "party", "kind", "start", "end", "basis", "quantity", "unit", "coverage",
    "status", "flags", "open_at", "open_reading", "close_at", "close_reading", "lo", "hi",
)  # fmt: skip
"""The columns of `Run.figures`."""


def control(of: Outcome) -> pd.Series[Any]:
    """The utility's amount and where it went, as Decimal: the four add up to it.

    The landlord's fees come after them, where the rules have any: no part of that sum.
    """
    total = {
        role: add([c.amount for c in of.shares if role_of(of, c.party) == role])
        for role in ("tenant", "landlord", EXPORT, UNALLOCATED)
    }
    values = {"utility": of.bill.amount, "tenants": total.pop("tenant"), **total}
    if of.rebilling is not None:
        values["rebill_difference"] = add([c.amount for c in of.shares if c.part == DIFFERENCE])
        values["landlord"] -= values["rebill_difference"]
    if of.fees:
        values["fees"] = add([c.amount for c in of.fees])
    digits = digits_of(of.site.currency)
    money = {k: rounded(v, digits) for k, v in values.items()}
    return pd.Series(money, dtype=object, name="amount")


def exceptions(of: Outcome) -> pd.DataFrame:
    """What must be looked at, one row each."""
    affected = of.rebilling.affected if of.rebilling else ()
    found = [
        *_exceptions.findings(of.uses, of.shares, of.closings),
        *_exceptions.checks(of.whole),
        *map(_exceptions.also_affected, affected),
    ]
    return _exceptions.table([_exceptions.by_name(of.bill, x) for x in found])


def charges(of: Outcome) -> pd.DataFrame:
    """One row a party and line, ready for accounting."""
    rows = [
        (of.bill.name, *_span(of, c), c.party, role_of(of, c.party), _code(of, c), c.title,
         c.line, c.kind, c.part, c.basis, c.quantity, c.unit, c.amount, of.site.currency,
         worst(of.figures_of(c)), c.amount if c.computed is None else c.computed, c.amount)
        for c in of.charges
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(CHARGES))


def role_of(of: Outcome, party: str) -> str:
    """``tenant``, ``landlord``, ``export`` or ``unallocated``."""
    if party in {EXPORT, UNALLOCATED}:
        return party
    return "landlord" if party == of.site.landlord else "tenant"


def _span(of: Outcome, c: Charge) -> tuple[pd.Timestamp, pd.Timestamp]:
    """The local dates that a charge is for: its line's own, where it has any."""
    start, end = span(of.site, of.use(c.line).bill)
    return start.tz_convert(of.site.zone), end.tz_convert(of.site.zone)


def _code(of: Outcome, c: Charge) -> str:
    """A charge's code for accounting: the fee's own, else the party's."""
    codes = {t.name: t.code for t in of.site.tenants} | {of.site.landlord: of.site.landlord_code}
    own = {f.name: f.code for f in of.rules.fees} if c.part == FEE else {}
    return own.get(c.line) or codes.get(c.party, "")


def figures(of: Outcome) -> pd.DataFrame:
    """Every figure that a line rests on, with its status and the readings around its edges."""
    zone, labels = of.site.zone, of.site.labels
    rows = [
        (f.stay.element, labels[f.stay.element], f.stay.party, f.stay.kind,
         f.stay.start.tz_convert(zone), f.stay.end.tz_convert(zone), basis, f.value, f.unit,
         f.coverage, f.status, f.flags, *(f.row.get(x) for x in FIGURES[12:]))
        for use in of.uses
        for basis, found in use.figures.items()
        for f in found
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(FIGURES))
