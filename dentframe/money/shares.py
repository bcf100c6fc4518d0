"""A bill's lines are shared among the parties here, to the last unit.

Each line is first cut into signed components that add up to it (own use, common areas, loss,
tolerance, export, what no rule explains), then each component is shared by weights of 0 or
more. What no rule covers, and what rests on a refused figure, goes to ``unallocated``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from dentframe.errors import ConfigError
from dentframe.money.occupancy import COMMON, OWN
from dentframe.money.rounding_and_tiers import EXACT, add, allocate, digits_of, parts_of, rounded
from dentframe.money.split_usage import UNITS, Usage, measured_sum, needs, refused
from dentframe.money.statement import Share
from dentframe.site.site import EXPORT, UNALLOCATED

if TYPE_CHECKING:
    from dentframe.money.utility_bill_and_rules import BillLine, Fee, Part, Rule

ZERO, ONE = Decimal(0), Decimal(1)
AGREED = "agreed"
LOSS, TOLERANCE, UNEXPLAINED, REFUSED, FEE = "loss", "tolerance", "unexplained", "refused", "fee"
DIFFERENCE, INTEREST = "rebill_difference", "interest"
"""The parts that only a re-bill has: what the landlord bears, and interest."""
TITLES = {
    COMMON: "common areas",
    LOSS: "technical loss",
    TOLERANCE: "meter tolerance",
    EXPORT: "export credit",
    UNEXPLAINED: "unexplained",
    AGREED: "agreed figure",
    DIFFERENCE: "re-bill difference",
}
WEIGHT_UNITS = {"days": "element-days", "area": "area-days"} | UNITS
"""The units of the weights that are quantities."""


@dataclass(frozen=True)
class Charge:
    """What one party has of one line, or of one component of it.

    Attributes
    ----------
    party : str
        Who.
    line, kind : str
        The bill's line.
    part : str
        ``own``, ``agreed``, ``common``, ``loss``, ``tolerance``, ``export``,
        ``unexplained``, ``refused``, or ``fee``: the landlord's own, no part of the utility's bill.
    basis : str
        By what it was shared.
    quantity : Decimal or None
        The weight as printed [unit].
    unit : str
        Of the quantity.
    of_all : Decimal
        What all quantities of the line add up to.
    amount : Decimal
        [currency]
    agreed_by : str
        Of a landlord's ``agreed`` part, the party whose agreed figure it comes from.
    computed : Decimal or None
        What a re-bill computes, of which `amount` is billed [currency]; None of a first bill.
    """

    party: str
    line: str
    kind: str
    part: str
    basis: str
    quantity: Decimal | None
    unit: str
    of_all: Decimal
    amount: Decimal
    agreed_by: str = ""
    computed: Decimal | None = None

    @property
    def title(self) -> str:
        """The line's name, with the component where it is not own use."""
        return f"{self.line}: {TITLES[self.part]}" if self.part in TITLES else self.line


@dataclass(frozen=True)
class Component:
    """A signed part of a line: how much, and by which weights it is shared."""

    part: str
    total: Decimal
    weights: Mapping[str, Decimal]
    unit: str


def share(whole: Usage, dated: Mapping[str, Usage]) -> list[Charge]:
    """Every line of the bill, shared.

    Parameters
    ----------
    whole : Usage
        What was used over the bill's period.
    dated : mapping of str to Usage
        What was used over a line's own dates, by the line's name.

    Returns
    -------
    list of Charge
        By line, component and party; the amounts of a line add up to it.

    Raises
    ------
    ConfigError
        For a line without a rule, or a rule without a basis.
    """
    lines = whole.bill.lines
    rules = {line.name: whole.rules.of(line) for line in lines}
    _check_parties(whole, rules)
    found = {
        x.name: _of_line(dated.get(x.name, whole), x, rules[x.name])
        for x in lines
        if rules[x.name].by != "lines"
    }
    others = dict(found)
    for x in lines:
        if x.name not in others:
            found[x.name] = _as_lines(whole, x, rules[x.name], others)
    return [c for x in lines for c in found[x.name]]


def _check_parties(use: Usage, rules: Mapping[str, Rule]) -> None:
    stated = [p.rule for _, p in use.rules.parts] + [f.rule for f in use.rules.fees]
    known = [use.site.landlord, *(t.name for t in use.site.tenants)]
    for rule in [*rules.values(), *stated]:
        for name in rule.shares:
            if name not in known:
                raise ConfigError(
                    f"Cannot share by fixed shares: {name!r} is no party of {use.site.name!r}. "
                    f"It has {', '.join(known)}."
                )


def _of_line(use: Usage, line: BillLine, rule: Rule) -> list[Charge]:
    if line.amount == 0:
        return []
    if any(refused(use, basis) for basis in needs(use, rule) if basis in use.figures):
        nobody = Component(REFUSED, ONE, {UNALLOCATED: ONE}, "")
        return _charges(use, line, rule, [nobody], printed=False)
    if rule.by in UNITS:
        found = _charges(use, line, rule, _measured(use, rule))
        measured = own_use(use, rule.by, measured=True)
        agreed = {k: v - measured[k] for k, v in own_use(use, rule.by).items() if v != measured[k]}
        return [x for c in found for x in _agreed(use, line, c, agreed)]
    by = weights(use, rule)
    unit = WEIGHT_UNITS.get(rule.by, "")
    part = Component(EXPORT if rule.by == EXPORT else OWN, add(list(by.values())), by, unit)
    return _charges(use, line, rule, [part], printed=bool(unit))


def _as_lines(
    use: Usage, line: BillLine, rule: Rule, others: Mapping[str, Sequence[Charge]]
) -> list[Charge]:
    """A tax: shared as the lines that it is taken of were."""
    names = rule.of or list(others)
    wrong = [x for x in names if x not in others]
    if wrong or not names:
        raise ConfigError(
            f"Cannot share line {line.name!r} as other lines: {', '.join(wrong) or 'nothing'} is "
            f"no line shared otherwise. There are {', '.join(others) or 'none'}."
        )
    if line.amount == 0:
        return []
    total: dict[str, Decimal] = {}
    agreed: dict[str, Decimal] = {}
    for c in (c for x in others if x in names for c in others[x]):
        whose = c.agreed_by or c.party  # shared as measured, so that it is nobody else's
        total[whose] = total.get(whose, ZERO) + c.amount
        if c.agreed_by:
            agreed[whose] = agreed.get(whose, ZERO) - c.amount
    parts, unit = {EXPORT: EXPORT, UNALLOCATED: REFUSED}, use.site.currency
    own = {k: v for k, v in total.items() if k not in parts and v >= 0}
    components = [Component(OWN, add(list(own.values())), own, unit)]
    # Whom the lines credit, such as for a loss below 0, the tax credits too.
    components += [Component(OWN, v, {k: ONE}, unit) for k, v in total.items()
                   if k not in parts and v < 0]  # fmt: skip
    components += [Component(parts[k], total[k], {k: ONE}, unit) for k in parts if k in total]
    return [x for c in _charges(use, line, rule, components) for x in _agreed(use, line, c, agreed)]


def _agreed(use: Usage, line: BillLine, c: Charge, agreed: Mapping[str, Decimal]) -> list[Charge]:
    """A charge by an agreed figure, and what that leaves of it: the landlord's, nobody else's."""
    if c.part != OWN or c.party not in agreed or c.quantity is None:
        return [c]
    more, digits = agreed[c.party], digits_of(use.site.currency)
    quantity = EXACT.add(c.quantity, more)
    amount = rounded(EXACT.divide(EXACT.multiply(line.amount, quantity), c.of_all), digits)
    rest = replace(
        c,
        party=use.site.landlord,
        part=AGREED,
        quantity=-more,
        amount=EXACT.subtract(c.amount, amount),
        agreed_by=c.party,
    )
    return [replace(c, quantity=quantity, amount=amount), rest]


# --- what a line's basis is made of ------------------------------------------------------


def own_use(use: Usage, basis: str, *, measured: bool = False) -> dict[str, Decimal]:
    """What each party used by itself, in the declared order: ties go to the first."""
    total: dict[str, Decimal] = {}
    for f in use.figures[basis]:
        value = f.measured if measured else f.value
        if f.kind == OWN and value is not None:
            total[f.party] = EXACT.add(total.get(f.party, ZERO), value)
    return {p: total[p] for p in _parties(use) if p in total}


def _measured(use: Usage, rule: Rule) -> list[Component]:
    """The components of a measured basis."""
    unit = UNITS[rule.by]
    export, common = (
        measured_sum(f for f in use.figures[rule.by] if f.kind == kind) for kind in (EXPORT, COMMON)
    )
    own = own_use(use, rule.by, measured=True)
    rest = residuals(use) if rule.by == "energy" else {}
    shared = {**rest, COMMON: EXACT.add(common, rest.get(COMMON, ZERO))}
    found, parts = [Component(OWN, add(list(own.values())), own, unit)], dict(use.rules.parts)
    for name, total in shared.items():
        bearers = {UNALLOCATED: ONE}  # of what no rule bears
        if name in parts and total != 0:
            bearers = weights(use, parts[name].rule)
        found.append(Component(name, total, bearers, unit))
    return [*found, Component(EXPORT, export, {EXPORT: ONE}, unit)]


def residuals(use: Usage) -> dict[str, Decimal]:
    """What no meter of the split has, by part [kWh]; signed, and adding up to the residual."""
    parts = use.rules.parts
    stated = {name: _stated(use, part) for name, part in parts if not part.rest}
    left = EXACT.subtract(use.residual, add(list(stated.values())))
    rest = next((name for name, part in parts if part.rest), UNEXPLAINED)
    return {**stated, rest: left}


def _stated(use: Usage, part: Part) -> Decimal:
    if part.kwh is not None:
        if use.dated:
            raise ConfigError(
                f"Cannot share the lines of {use.bill.file} that are{use.dated}: the rules "
                f"state {part.kwh} kWh for a whole bill, not for these dates. State percent or "
                "rest = true instead of kwh."
            )
        return rounded(part.kwh, use.rules.places)
    share_of = EXACT.multiply(use.kwh, part.percent or ZERO)
    return rounded(EXACT.divide(share_of, Decimal(100)), use.rules.places)


# --- weights -----------------------------------------------------------------------------


def weights(use: Usage, rule: Rule) -> dict[str, Decimal]:
    """The weight of each party by a rule; those that need no meter without the zeros.

    Raises
    ------
    ConfigError
        Where an area that the rule needs is not stated.
    """
    if rule.by in UNITS:
        return own_use(use, rule.by, measured=True)
    if rule.by == "days":
        days = [party for day in use.holders for party in day.values()]
        found = {p: Decimal(days.count(p)) for p in _parties(use)}
    elif rule.by == "area":
        found = _area_days(use)
    elif rule.by == "shares":
        found = _fixed(use, rule)
    else:
        found = {EXPORT if rule.by == EXPORT else use.site.landlord: ONE}
    return {k: w for k, w in found.items() if w}


def _parties(use: Usage) -> list[str]:
    """Tenants in their order, then the landlord."""
    return [*(t.name for t in use.site.tenants), use.site.landlord]


def _area_days(use: Usage) -> dict[str, Decimal]:
    """Days times area: the tenants', and of vacant elements their own."""
    total = dict.fromkeys(_parties(use), ZERO)
    areas = {t.name: t.area for t in use.site.tenants}
    for day in use.holders:
        for party in dict.fromkeys(x for x in day.values() if x != use.site.landlord):
            area = areas[party]
            if area is None:
                raise _no_area(use, f"tenants.{party}", f"{party!r} holds an element")
            total[party] = EXACT.add(total[party], area)
        for key in (k for k, party in day.items() if party == use.site.landlord):
            area = use.site.elements[key].area
            if area is None:
                why = f"{key!r} stands vacant (0 if it has none)"
                raise _no_area(use, f"elements.{key}", why)
            total[use.site.landlord] = EXACT.add(total[use.site.landlord], area)
    return total


def _no_area(use: Usage, table: str, why: str) -> ConfigError:
    return ConfigError(
        f"Cannot share by area: {use.site.file}, table [{table}], has no field 'area', and "
        f"{why} in this period. State it: a missing area is not 0."
    )


def _fixed(use: Usage, rule: Rule) -> dict[str, Decimal]:
    """Fixed shares by the days a tenant is there; the landlord has the other days'."""
    days, landlord = Decimal(len(use.holders)), use.site.landlord
    total = {}
    for p in _parties(use):
        there = days if p == landlord else Decimal(sum(p in d.values() for d in use.holders))
        total[p] = rule.shares.get(p, ZERO) * there
    stated = add([rule.shares.get(p, ZERO) for p in _parties(use)])
    total[landlord] += stated * days - add(list(total.values()))
    return total


# --- money -------------------------------------------------------------------------------


def _charges(
    use: Usage, line: BillLine, rule: Rule, components: Sequence[Component], *, printed: bool = True
) -> list[Charge]:
    """The amounts of a line: components to the last unit, then each by its weights."""
    digits = digits_of(use.site.currency)
    given = [c for c in components if c.total != 0]
    whole = add([c.total for c in given])
    if whole <= 0:
        raise ConfigError(
            f"Cannot share line {line.name!r} of {line.amount} by {rule.by}: its basis adds up to "
            f"{whole}. State another rule for it, e.g. area, shares or landlord."
        )
    if rounded(line.amount, digits) != line.amount:
        raise ConfigError(
            f"Cannot share line {line.name!r}: its amount {line.amount} is finer than "
            f"{digits} decimals of the currency."
        )
    exact = [EXACT.divide(EXACT.multiply(line.amount, c.total), whole) for c in given]
    amounts = parts_of(exact, rounded(line.amount, digits), digits)
    found = []
    for c, amount in zip(given, amounts, strict=True):
        money = allocate(amount, c.weights, places=digits)
        quantities: Any = c.weights if printed else dict.fromkeys(c.weights)
        if printed and add(list(c.weights.values())) != c.total:
            places = digits if c.unit == use.site.currency else use.rules.places
            quantities = allocate(c.total, c.weights, places=places)
        found += [
            Charge(party, line.name, line.kind, c.part, rule.by, quantities[party], c.unit, whole,
                   money[party])
            for party in c.weights
        ]  # fmt: skip
    return found


def part_of(use: Usage, c: Charge) -> Share | None:
    """Of what a charge is a part, for its statement; a fee and interest are none."""
    if c.part in {FEE, INTEREST}:
        return None
    charged = next(x.amount for x in use.bill.lines if x.name == c.line)
    part = dict(use.rules.parts).get(c.part)
    by = {} if part is None or c.quantity is None else weights(use, part.rule)
    whole = None if c.quantity is None else c.of_all
    if part is None or c.party not in by:
        return Share(charged, whole)
    unit = WEIGHT_UNITS.get(part.rule.by, "")
    return Share(charged, whole, by[c.party], add(list(by.values())), unit)


# --- the landlord's fees: lines of their own, apart from the utility's amount ------------


def fees(use: Usage) -> list[Charge]:
    """What each party pays of each fee.

    Parameters
    ----------
    use : Usage
        The whole bill's: its parties and their days.

    Raises
    ------
    ConfigError
        For a fee finer than the currency, or one that bears the name of a line of the bill.
    """
    return [c for fee in use.rules.fees for c in _of_fee(use, fee)]


def _of_fee(use: Usage, fee: Fee) -> list[Charge]:
    digits = digits_of(use.site.currency)
    whole = rounded(fee.amount, digits)
    if fee.per != "day" and whole != fee.amount:
        raise ConfigError(
            f"Cannot charge fee {fee.name!r}: its amount {fee.amount} is finer than {digits} "
            "decimals of the currency."
        )
    if fee.name in {x.name for x in use.bill.lines}:
        raise ConfigError(
            f"Cannot charge fee {fee.name!r}: a line of {use.bill.file} has that name. Name "
            "the fee otherwise, so that a tenant can tell it from the utility's charges."
        )
    if fee.per == "shares":
        by = weights(use, fee.rule)
        money = allocate(whole, by, places=digits)
        return [Charge(p, fee.name, FEE, FEE, "shares", None, "", ONE, money[p]) for p in by]
    # One who came after the last midnight has no day, but is a tenant of the bill.
    here = [t.name for t in use.site.tenants if any(s.party == t.name for s in use.occupancies)]
    if fee.per == "tenant":
        return [Charge(p, fee.name, FEE, FEE, "per tenant", None, "", ONE, whole) for p in here]
    days = {p: Decimal(sum(p in day.values() for day in use.holders)) for p in here}
    return [
        Charge(p, fee.name, FEE, FEE, "per day", n, "day", n,
               rounded(EXACT.multiply(fee.amount, n), digits))
        for p, n in days.items() if n
    ]  # fmt: skip
