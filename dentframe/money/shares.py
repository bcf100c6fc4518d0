"""A bill's lines are shared among the parties here, to the last unit.

Each line is first cut into signed components that add up to it (own use, common areas, loss,
tolerance, export, what no rule explains), then each component is shared by weights of 0 or
more. What no rule covers, and what rests on a refused figure, goes to ``unallocated``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, TypeAlias

from dentframe.errors import ConfigError
from dentframe.money.occupancy import COMMON, MAIN, OWN
from dentframe.money.rounding_and_tiers import EXACT, add, add_by, allocate, parts_of, rounded
from dentframe.money.split_usage import UNITS, Figure, Usage, needs, refused
from dentframe.money.statement import Share
from dentframe.money.utility_bill_and_rules import BillLine, Fee, Rule
from dentframe.site.site import EXPORT, UNALLOCATED

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
    amount : Decimal
        [currency]
    quantity : Decimal or None
        The weight as printed [unit].
    unit : str
        Of the quantity.
    of_all : Decimal
        What all quantities of the line add up to.
    agreed_by : str
        Of a landlord's ``agreed`` part, the party whose agreed figure it comes from.
    computed : Decimal or None
        What a re-bill computes, where `amount` is what it bills [currency]; else None: `amount`.
    """

    party: str
    line: str
    kind: str
    part: str
    basis: str
    amount: Decimal
    quantity: Decimal | None = None
    unit: str = ""
    of_all: Decimal = ZERO
    agreed_by: str = ""
    computed: Decimal | None = None

    @property
    def title(self) -> str:
        """The line's name, with the component where it is not own use."""
        return f"{self.line}: {TITLES[self.part]}" if self.part in TITLES else self.line


Component: TypeAlias = tuple[str, Decimal, Mapping[str, Decimal]]
"""A signed part of a line: its name, how much it is, and the weights by which it is shared."""


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
    lines, site, of = whole.bill.lines, whole.site, whole.rules.of
    parts = [part for _, part in whole.rules.parts]
    every: list[Rule | Fee] = [*map(of, lines), *parts, *whole.rules.fees]
    known = [site.landlord, *(t.name for t in site.tenants)]
    for name in (x for rule in every for x in rule.shares):
        if name not in known:
            raise ConfigError(
                f"Cannot share by fixed shares: {name!r} is no party of {site.name!r}. "
                f"It has {', '.join(known)}."
            )
    found = {x.name: [*_of_line(dated.get(x.name, whole), x)] for x in lines if of(x).by != "lines"}
    taxes = {x.name: [*_as_lines(whole, x, found)] for x in lines if x.name not in found}
    return [c for x in lines for c in (found | taxes)[x.name]]


def _of_line(use: Usage, line: BillLine) -> Iterable[Charge]:
    rule = use.rules.of(line)
    if line.amount == 0:
        return []
    if any(refused(use, basis) for basis in needs(use, rule) if basis in use.figures):
        return _charges(use, line, rule, "", [(REFUSED, ONE, {UNALLOCATED: ONE})])
    unit = WEIGHT_UNITS.get(rule.by, "")
    if rule.by in UNITS:
        figures = [f for f in use.figures[rule.by] if f.kind == OWN]
        agreed = {k: v for k, v in add_by((f.party, f.agreed) for f in figures).items() if v}
        return _charges(use, line, rule, unit, _measured(use, rule), agreed)
    by, part = weights(use, rule), EXPORT if rule.by == EXPORT else OWN
    return _charges(use, line, rule, unit, [(part, add(by.values()), by)])


def _as_lines(use: Usage, line: BillLine, others: Mapping[str, list[Charge]]) -> Iterable[Charge]:
    """A tax: shared as the lines that it is taken of were."""
    rule = use.rules.of(line)
    names = rule.of or list(others)
    wrong = [x for x in names if x not in others]
    if wrong or not names:
        raise ConfigError(
            f"Cannot share line {line.name!r} as other lines: {', '.join(wrong) or 'nothing'} is "
            f"no line shared otherwise. There are {', '.join(others) or 'none'}."
        )
    if line.amount == 0:
        return []
    taxed = [c for x in others if x in names for c in others[x]]
    # What an agreed figure moved is shared as measured, so that it is nobody else's.
    total = add_by((c.agreed_by or c.party, c.amount) for c in taxed)
    agreed = add_by((c.agreed_by, -c.amount) for c in taxed if c.agreed_by)
    parts = {EXPORT: EXPORT, UNALLOCATED: REFUSED}
    declared = [*(t.name for t in use.site.tenants), use.site.landlord]  # ties go to the first
    own = {k: total[k] for k in declared if total.get(k, -ONE) >= 0}
    # Whom the lines credit, such as for a loss below 0, the tax credits too.
    credited = [(OWN, v, {k: ONE}) for k, v in total.items() if k not in {*parts, *own}]
    rest = [(parts[k], total[k], {k: ONE}) for k in parts if k in total]
    components = [(OWN, add(own.values()), own), *credited, *rest]
    return _charges(use, line, rule, use.site.currency, components, agreed)


# --- what a line's basis is made of ------------------------------------------------------


def _measured(use: Usage, rule: Rule) -> list[Component]:
    """The components of a measured basis."""
    own = weights(use, rule)
    figures = [(f.kind, f.measured) for f in use.figures[rule.by]]
    total = add_by((kind, value) for kind, value in figures if value is not None)
    rest = residuals(use) if rule.by == "energy" else {}
    common = EXACT.add(total.get(COMMON, ZERO), rest.get(COMMON, ZERO))
    found, parts = [(OWN, add(own.values()), own)], dict(use.rules.parts)
    for name, value in {**rest, COMMON: common}.items():
        is_borne = name in parts and value != 0
        found.append((name, value, weights(use, parts[name]) if is_borne else {UNALLOCATED: ONE}))
    return [*found, (EXPORT, total.get(EXPORT, ZERO), {EXPORT: ONE})]


def residuals(use: Usage) -> dict[str, Decimal]:
    """What no meter of the split has, by part [kWh]; signed, and adding up to the residual."""
    found, rest = {}, UNEXPLAINED
    for name, part in use.rules.parts:
        if part.kwh is not None and use.dated:
            raise ConfigError(
                f"Cannot share the lines of {use.bill.file} that are{use.dated}: the rules "
                f"state {part.kwh} kWh for a whole bill, not for these dates. State percent or "
                "rest = true instead of kwh."
            )
        if part.rest:
            rest = name
        else:
            percent = EXACT.multiply(use.kwh, part.percent or ZERO)
            kwh = EXACT.divide(percent, Decimal(100)) if part.kwh is None else part.kwh
            found[name] = rounded(kwh, use.rules.places)
    return {**found, rest: EXACT.subtract(use.residual, add(found.values()))}


# --- weights -----------------------------------------------------------------------------


def weights(use: Usage, rule: Rule) -> dict[str, Decimal]:
    """The weight of each party by a rule, in the declared order: ties go to the first.

    Those that need no meter are without the zeros.

    Raises
    ------
    ConfigError
        Where an area that the rule needs is not stated.
    """
    tenants, landlord = [t.name for t in use.site.tenants], use.site.landlord
    if rule.by in UNITS:
        own = [(f.party, f.measured) for f in use.figures[rule.by] if f.kind == OWN]
        found = add_by((party, value) for party, value in own if value is not None)
    elif rule.by == "days":
        found = add_by((party, ONE) for day in use.holders for party in day.values())
    elif rule.by == "area":
        found = add_by(_area_days(use))
    elif rule.by == "shares":  # the landlord has those of the days when a tenant is not there
        found = {p: rule.shares.get(p, ZERO) * _days_of(use, p) for p in tenants}
        stated = add(rule.shares.values()) * len(use.holders)
        found[landlord] = stated - add(found.values())
    else:
        found = {EXPORT if rule.by == EXPORT else landlord: ONE}
    parties = (x for x in (*tenants, landlord, EXPORT) if x in found)
    return {p: found[p] for p in parties if found[p] or rule.by in UNITS}


def _days_of(use: Usage, party: str) -> Decimal:
    """The days on which a party holds any element."""
    return Decimal(sum(party in day.values() for day in use.holders))


def _area_days(use: Usage) -> Iterator[tuple[str, Decimal]]:
    """Each day's areas: of the tenants who are there, and of vacant elements their own."""
    site, landlord = use.site, use.site.landlord
    rented = {t.name: t.area for t in site.tenants}
    for day in use.holders:
        tenants = [x for x in dict.fromkeys(day.values()) if x != landlord]
        rows = [(x, f"tenants.{x}", rented[x], f"{x!r} holds an element") for x in tenants]
        vacant = [k for k, party in day.items() if party == landlord]
        rows += [(landlord, f"elements.{k}", site.elements[k].area,
                  f"{k!r} stands vacant (0 if it has none)") for k in vacant]  # fmt: skip
        for party, table, area, why in rows:
            if area is None:
                raise ConfigError(
                    f"Cannot share by area: {site.file}, table [{table}], has no field 'area', and "
                    f"{why} in this period. State it: a missing area is not 0."
                )
            yield party, area


# --- money -------------------------------------------------------------------------------


def _charges(
    use: Usage, line: BillLine, rule: Rule, unit: str, components: Sequence[Component],
    agreed: Mapping[str, Decimal] = {},
) -> Iterator[Charge]:  # fmt: skip
    """The amounts of a line: components to the last unit, then each by its weights [unit].

    What an agreed figure adds to a party's quantity is taken from the landlord, nobody else.
    """
    digits, given = use.digits, [x for x in components if x[1] != 0]
    whole = add(total for _, total, _ in given)
    if whole <= 0:
        raise ConfigError(
            f"Cannot share line {line.name!r} of {line.amount} by {rule.by}: its basis adds up to "
            f"{whole}. State another rule for it, e.g. area, shares or landlord."
        )
    _check_places(f"share line {line.name!r}", line.amount, digits)
    exact = [EXACT.divide(EXACT.multiply(line.amount, total), whole) for _, total, _ in given]
    amounts = parts_of(exact, line.amount, digits)
    for (part, total, by), amount in zip(given, amounts, strict=True):
        money = allocate(amount, by, places=digits)
        quantities: Any = by if unit else dict.fromkeys(by)
        if unit and add(by.values()) != total:
            places = digits if unit == use.site.currency else use.rules.places
            quantities = allocate(total, by, places=places)
        for party in by:
            own = Charge(party, line.name, line.kind, part, rule.by, money[party],
                         quantities[party], unit, whole)  # fmt: skip
            if part != OWN or party not in agreed:
                yield own
                continue
            quantity = EXACT.add(quantities[party], agreed[party])
            due = rounded(EXACT.divide(EXACT.multiply(line.amount, quantity), whole), digits)
            yield replace(own, quantity=quantity, amount=due)
            rest = replace(own, quantity=-agreed[party], amount=EXACT.subtract(own.amount, due))
            yield replace(rest, party=use.site.landlord, part=AGREED, agreed_by=party)


def _check_places(what: str, amount: Decimal, digits: int) -> None:
    """Refuse an amount that the currency cannot have."""
    if rounded(amount, digits) != amount:
        raise ConfigError(
            f"Cannot {what}: its amount {amount} is finer than {digits} decimals of the currency."
        )


def figures_of(use: Usage, c: Charge) -> list[Figure]:
    """The figures that a charge rests on."""
    found = use.figures.get(c.basis, [])
    if c.part in {OWN, EXPORT}:
        return [f for f in found if f.party == c.party]
    return [f for f in found if (f.kind == COMMON if c.part == COMMON else f.kind != MAIN)]


def part_of(use: Usage, c: Charge) -> Share | None:
    """Of what a charge is a part, for its statement; a fee and interest are none."""
    if c.part in {FEE, INTEREST}:
        return None
    charged = next(x.amount for x in use.bill.lines if x.name == c.line)
    part = dict(use.rules.parts).get(c.part)
    if part is None or c.quantity is None:
        return Share(charged, None if c.quantity is None else c.of_all)
    by = weights(use, part)
    return Share(charged, c.of_all, by[c.party], add(by.values()), WEIGHT_UNITS.get(part.by, ""))


# --- the landlord's fees: lines of their own, apart from the utility's amount ------------


def fees(use: Usage) -> Iterator[Charge]:
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
    digits = use.digits
    # One who came after the last midnight has no day, but is a tenant of the bill.
    here = [t.name for t in use.site.tenants if any(s.party == t.name for s in use.occupancies)]
    for fee in use.rules.fees:
        whole = rounded(fee.amount, digits)
        if fee.per != "day":
            _check_places(f"charge fee {fee.name!r}", fee.amount, digits)
        if fee.name in {x.name for x in use.bill.lines}:
            raise ConfigError(
                f"Cannot charge fee {fee.name!r}: a line of {use.bill.file} has that name. Name "
                "the fee otherwise, so that a tenant can tell it from the utility's charges."
            )
        money, days, unit = dict.fromkeys(here, whole), dict[str, Decimal](), ""
        if fee.per == "shares":
            money = dict(allocate(whole, weights(use, Rule("shares", fee.shares)), places=digits))
        elif fee.per == "day":
            days, unit = {p: _days_of(use, p) for p in here}, "day"
            priced = ((p, EXACT.multiply(fee.amount, n)) for p, n in days.items() if n)
            money = {p: rounded(x, digits) for p, x in priced}
        basis = "shares" if fee.per == "shares" else f"per {fee.per}"
        for p, amount in money.items():
            yield Charge(p, fee.name, FEE, FEE, basis, amount, days.get(p), unit)
