"""What a line's basis is made of: own use, common areas, loss, tolerance, export. Pure.

The components of a basis are signed and add up to it; each has weights of 0 or more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING

from dentframe.errors import ConfigError
from dentframe.metering.sources import cumulatives, wanted
from dentframe.money import usage as _usage
from dentframe.money.bases import Bases
from dentframe.money.remedy import when
from dentframe.money.rounding import EXACT, add, rounded
from dentframe.money.stays import COMMON, OWN
from dentframe.money.usage import Figure, Study, by_party
from dentframe.registers import micros
from dentframe.site_checks import UNALLOCATED
from dentframe.site_parts import EXPORT

if TYPE_CHECKING:
    from dentframe.metering.cumulative import Cumulative
    from dentframe.money.rule import Part, Rule

ZERO = Decimal(0)
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
        return enough and f.status in rules.accept_demand


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
