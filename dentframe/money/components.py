"""Lines with dates of their own: each rests on the use of its own dates. Pure.

Weights that need no meter: days, area, fixed shares. Pure.

What a line's basis is made of: own use, common areas, loss, tolerance, export. Pure.

The components of a basis are signed and add up to it; each has weights of 0 or more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import pandas as pd

from dentframe.errors import ConfigError
from dentframe.metering.registers import micros
from dentframe.money import usage as _usage
from dentframe.money.occupancy import COMMON, OWN, Stay, holder, midnights, span, stays
from dentframe.money.remedies import when
from dentframe.money.rounding import EXACT, add, rounded
from dentframe.money.usage import Figure, Study, by_party, study
from dentframe.site.elements import EXPORT, UNALLOCATED
from dentframe.verbs.sources import cumulatives, wanted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dentframe.metering.cumulative import Cumulative
    from dentframe.money.split_rules import Part, Rule, SplitRules
    from dentframe.money.utility_bill import BillLine, UtilityBill
    from dentframe.site.site import Site


ZERO = Decimal(0)
_UNITS = {"days": "element-days", "area": "area-days"}


class Bases:
    """The weights of a bill's parties.

    Parameters
    ----------
    site : Site
        Who and where.
    bill : UtilityBill
        When.
    stays : sequence of Stay
        Who held what.
    """

    def __init__(self, site: Site, bill: UtilityBill, stays: Sequence[Stay]) -> None:
        self.site, self.bill = site, bill
        self.own = [s for s in stays if s.kind == OWN]

    def weights(self, rule: Rule) -> dict[str, Decimal]:
        """The weight of each party, those of 0 left out.

        Raises
        ------
        ConfigError
            Where an area that the rule needs is not stated.
        """
        found = self._stated(rule)
        return {k: w for k, w in found.items() if w}

    def unit(self, rule: Rule) -> str:
        """The unit of the weights; ``""`` where they are no quantity."""
        return _UNITS.get(rule.by, "")

    def _stated(self, rule: Rule) -> dict[str, Decimal]:
        if rule.by == "days":
            return self.element_days
        if rule.by == "area":
            return self.area_days
        if rule.by == "shares":
            return self._shares(rule)
        return {EXPORT if rule.by == EXPORT else self.site.landlord: Decimal(1)}

    @cached_property
    def holders(self) -> list[dict[str, str]]:
        """For each local day who holds each element at its start."""
        elements = list(dict.fromkeys(s.element for s in self.own))
        days = midnights(self.site, self.bill)
        return [{k: holder(self.own, k, day) for k in elements} for day in days]

    @property
    def parties(self) -> list[str]:
        """Tenants in their order, then the landlord."""
        return [*(t.name for t in self.site.tenants), self.site.landlord]

    @cached_property
    def element_days(self) -> dict[str, Decimal]:
        """Days times elements held at their start."""
        held = [party for day in self.holders for party in day.values()]
        return {p: Decimal(held.count(p)) for p in self.parties}

    @cached_property
    def area_days(self) -> dict[str, Decimal]:
        """Days times area: the tenants', and of vacant elements their own."""
        total = dict.fromkeys(self.parties, ZERO)
        for day in self.holders:
            for party in dict.fromkeys(day.values()):
                total[party] = EXACT.add(total[party], self._area(party, day))
        return total

    def _area(self, party: str, day: dict[str, str]) -> Decimal:
        if party != self.site.landlord:
            return self._of_tenant(party)
        return sum((self._of_element(k) for k, p in day.items() if p == party), ZERO)

    def _of_tenant(self, party: str) -> Decimal:
        area = next(t.area for t in self.site.tenants if t.name == party)
        if area is None:
            raise self._lacks(f"tenants.{party}", f"{party!r} holds an element")
        return area

    def _of_element(self, key: str) -> Decimal:
        area = self.site.elements[key].area
        if area is None:
            raise self._lacks(f"elements.{key}", f"{key!r} stands vacant (0 if it has none)")
        return area

    def _lacks(self, table: str, why: str) -> ConfigError:
        return ConfigError(
            f"Cannot share by area: {self.site.file}, table [{table}], has no field 'area', and "
            f"{why} in this period. State it: a missing area is not 0."
        )

    def _shares(self, rule: Rule) -> dict[str, Decimal]:
        """Fixed shares by the days a tenant is there; the landlord has the other days'."""
        days = Decimal(len(self.holders))
        present = {p: Decimal(sum(p in d.values() for d in self.holders)) for p in self.parties}
        present[self.site.landlord] = days
        total = {p: rule.shares.get(p, ZERO) * present[p] for p in self.parties}
        gone = sum((rule.shares.get(p, ZERO) * (days - present[p]) for p in self.parties), ZERO)
        total[self.site.landlord] += gone
        return total


MEASURED = {"energy": "kWh", "coincident": "kW", "own_peak": "kW"}
"""The bases that are measured, and their units."""
LOSS, TOLERANCE, UNEXPLAINED = "loss", "tolerance", "unexplained"


@dataclass(frozen=True)
class Component:
    """A signed part of a line: how much, and by which weights it is shared."""

    part: str
    total: Decimal
    weights: Mapping[str, Decimal]
    unit: str


@dataclass(eq=False)
class Use:
    """The figures of a study, each kind computed when a rule asks for it.

    Attributes
    ----------
    of : Study
        Whose figures.
    dated : str
        The dates, where they are those of a line and not the bill's; else ``""``.
    asked : dict
        What was computed, by basis.
    """

    of: Study
    dated: str = ""
    asked: dict[str, list[Figure]] = field(default_factory=dict)

    def figures(self, basis: str) -> list[Figure]:
        """The figures of a measured basis."""
        if basis not in self.asked:
            self.asked[basis] = _VERBS[basis](self.of)
        return self.asked[basis]

    def own(self, basis: str) -> dict[str, Decimal]:
        """What each party used by itself, in the declared order: ties go to the first."""
        total = by_party(self.figures(basis), OWN)
        return {p: total[p] for p in self.bases.parties if p in total}

    @cached_property
    def bases(self) -> Bases:
        """Weights that need no meter."""
        return Bases(self.of.site, self.of.bill, self.of.stays)

    @cached_property
    def residual(self) -> Decimal:
        """The utility's energy less what the elements of the bill measured [kWh]."""
        parts = [f.value for f in self.figures("energy") if f.stay.kind != "main" and f.value]
        return EXACT.subtract(self.kwh, add(parts))

    @property
    def kwh(self) -> Decimal:
        """The utility's energy [kWh]."""
        if self.of.bill.kwh is None:
            raise ConfigError(
                f"Cannot share by energy: {self.of.bill.file} has no field 'kwh'. Type in the "
                "energy that the utility billed."
            )
        return rounded(self.of.bill.kwh, self.of.rules.places)

    def refused(self, basis: str) -> list[Figure]:
        """The figures of a measured basis that the gate refuses."""
        return [f for f in self.figures(basis) if f.stay.kind != "main" and not self.accepts(f)]

    def when(self, f: Figure) -> str:
        """When the register of an energy figure did what makes it doubtful, as text."""
        if f.unit != "kWh" or f.stay.element not in self.registers:
            return ""
        s, e = micros(f.stay.start), micros(f.stay.end)
        return when(self.registers[f.stay.element], s, e, self.of.site.zone)

    @cached_property
    def registers(self) -> dict[str, Cumulative]:
        """The series that answer for energy, by element."""
        how = {k: v for k, v in self.of.keywords.items() if k != "min_coverage"}
        series = cumulatives(self.of.frame, wanted(self.of.frame, None, "auto"), **how)
        return {c.name: c for c in series}

    def accepts(self, f: Figure) -> bool:
        """Whether money may use a figure."""
        rules = self.of.rules
        if f.value is None:
            return False
        if f.unit == "kWh":
            return f.status in rules.accept
        enough = f.status != "partial" or f.coverage >= rules.demand_coverage
        return f.sure or (enough and f.status in rules.accept_demand)


_VERBS: dict[str, Callable[[Study], list[Figure]]] = {
    "energy": _usage.energies,
    "coincident": _usage.coincidents,
    "own_peak": _usage.own_peaks,
}


def measured(use: Use, rule: Rule) -> list[Component]:
    """The components of a measured basis."""
    figures, unit = use.figures(rule.by), MEASURED[rule.by]
    own, export = use.own(rule.by), by_party(figures, EXPORT)
    common = by_party(figures, COMMON).get("", ZERO)
    rest = residuals(use) if rule.by == "energy" else {}
    shared = {**rest, COMMON: EXACT.add(common, rest.get(COMMON, ZERO))}
    return [
        Component(OWN, add(list(own.values())), own, unit),
        *(_by_part(use, name, total, unit) for name, total in shared.items()),
        Component(EXPORT, add(list(export.values())), {EXPORT: Decimal(1)}, unit),
    ]


def residuals(use: Use) -> dict[str, Decimal]:
    """What no meter of the split has, by part [kWh]; signed, and adding up to the residual."""
    parts = use.of.rules.parts
    stated = {name: _stated(use, part) for name, part in parts if not part.rest}
    left = EXACT.subtract(use.residual, add(list(stated.values())))
    rest = next((name for name, part in parts if part.rest), UNEXPLAINED)
    return {**stated, rest: left}


def _stated(use: Use, part: Part) -> Decimal:
    if part.kwh is not None:
        if use.dated:
            raise ConfigError(
                f"Cannot share the lines of {use.of.bill.file} that are{use.dated}: the rules "
                f"state {part.kwh} kWh for a whole bill, not for these dates. State percent or "
                "rest = true instead of kwh."
            )
        return rounded(part.kwh, use.of.rules.places)
    share_of = EXACT.multiply(use.kwh, part.percent or ZERO)
    return rounded(EXACT.divide(share_of, Decimal(100)), use.of.rules.places)


def _by_part(use: Use, name: str, total: Decimal, unit: str) -> Component:
    """A component shared by the rule of its part; without one it stays unallocated."""
    part: Part | None = None if name == UNEXPLAINED else getattr(use.of.rules, name)
    if part is None or total == 0:
        return Component(name, total, {UNALLOCATED: Decimal(1)}, unit)
    if part.rule.by == "energy":
        return Component(name, total, use.own("energy"), unit)
    return Component(name, total, use.bases.weights(part.rule), unit)


def needs(use: Use, rule: Rule) -> list[str]:
    """The measured bases that a line rests on, through its parts too."""
    if rule.by not in MEASURED:
        return []
    through = [p.rule.by for name, p in use.of.rules.parts if _bears(use, name, rule)]
    return list(dict.fromkeys([rule.by, *(x for x in through if x in MEASURED)]))


def _bears(use: Use, name: str, rule: Rule) -> bool:
    return rule.by == "energy" or (name == COMMON and any(s.kind == COMMON for s in use.of.stays))


Span: TypeAlias = tuple[pd.Timestamp, pd.Timestamp]


@dataclass(frozen=True)
class Uses:
    """What the lines of a bill rest on.

    Attributes
    ----------
    whole : Use
        The use of the bill's period.
    dated : mapping of str to Use
        The use of a line's own dates, by the line's name.
    """

    whole: Use
    dated: Mapping[str, Use]

    def of(self, line: str) -> Use:
        """What a line rests on; the whole period for what is no line of the bill."""
        return self.dated.get(line, self.whole)

    @property
    def every(self) -> list[Use]:
        """Each use once, the whole period first."""
        return [self.whole, *dict.fromkeys(self.dated.values())]


def uses(frame: pd.DataFrame, site: Site, bill: UtilityBill, rules: SplitRules) -> Uses:
    """What was used over the bill's period, and over the dates of lines that have their own.

    Raises
    ------
    ConfigError
        For dates that are reversed, or an energy line whose dates have no kWh of the utility.
    """
    whole = study(frame, site, bill, rules)
    apart = _apart(site, bill)
    dated = {x.name: use for lines in apart for use in [_use(whole, lines)] for x in lines}
    return Uses(Use(whole), dated)


def check_lines(site: Site, bill: UtilityBill, rules: SplitRules) -> None:
    """Refuse what the lines lack before anything is read.

    Raises
    ------
    ConfigError
        As `uses`, and for a line without a rule.
    """
    for line in bill.lines:
        rules.of(line)
    for lines in _apart(site, bill):
        _kwh(bill, rules, lines)


def _apart(site: Site, bill: UtilityBill) -> list[list[BillLine]]:
    """The lines with dates of their own, by their dates."""
    found: dict[Span, list[BillLine]] = {}
    for line in bill.lines:
        at = dates(site, bill, line)
        if at != span(site, bill):
            found.setdefault(at, []).append(line)
    return list(found.values())


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


def reach(site: Site, bill: UtilityBill) -> Span:
    """The least period that holds the bill's and those of all its lines."""
    found = [span(site, bill), *(dates(site, bill, x) for x in bill.lines)]
    return min(s for s, _ in found), max(e for _, e in found)


def _use(whole: Study, lines: Sequence[BillLine]) -> Use:
    bill, first = whole.bill, lines[0]
    part = replace(
        bill,
        start=bill.start if first.start is None else first.start,
        end=bill.end if first.end is None else first.end,
        kwh=_kwh(bill, whole.rules, lines),
        days=None,
        total=None,
    )
    return Use(
        Study(whole.frame, whole.site, part, whole.rules, stays(whole.site, part)),
        dated=f" from {part.start} to {part.end}",
    )


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
