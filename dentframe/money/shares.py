"""The landlord's fees as charges: lines of their own, apart from the utility's amount. Pure.

A bill's lines shared among the parties, to the last unit. Pure, on Decimal.

Each line is first cut into signed components that add up to it (own use, common areas, loss,
tolerance, export, what no rule explains), then each component is shared by weights of 0 or
more. What no rule covers, and what the gate refuses, goes to ``unallocated``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from dentframe.errors import ConfigError
from dentframe.money.components import (
    LOSS,
    MEASURED,
    TOLERANCE,
    UNEXPLAINED,
    Component,
    Use,
    measured,
    needs,
)
from dentframe.money.occupancy import COMMON, OWN
from dentframe.money.rounding import EXACT, add, allocate, digits_of, parts_of, rounded
from dentframe.site.elements import EXPORT, UNALLOCATED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dentframe.money.components import Uses
    from dentframe.money.split_rules import Fee, Rule
    from dentframe.money.utility_bill import BillLine


ZERO = Decimal(0)
TITLES = {
    COMMON: "common areas",
    LOSS: "technical loss",
    TOLERANCE: "meter tolerance",
    EXPORT: "export credit",
    UNEXPLAINED: "unexplained",
}


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
        ``own``, ``common``, ``loss``, ``tolerance``, ``export``, ``unexplained``,
        ``refused``, or ``fee``: the landlord's own, no part of the utility's bill.
    basis : str
        By what it was shared.
    quantity : Decimal or None
        The weight as printed [unit].
    unit : str
        Of the quantity.
    whole : Decimal
        What all quantities of the line add up to.
    amount : Decimal
        [currency]
    """

    party: str
    line: str
    kind: str
    part: str
    basis: str
    quantity: Decimal | None
    unit: str
    whole: Decimal
    amount: Decimal

    @property
    def title(self) -> str:
        """The line's name, with the component where it is not own use."""
        return f"{self.line}: {TITLES[self.part]}" if self.part in TITLES else self.line


def share(of: Uses) -> list[Charge]:
    """Every line of the bill, shared.

    Parameters
    ----------
    of : Uses
        What was used, over the bill's period and over the dates of single lines.

    Returns
    -------
    list of Charge
        By line, component and party; the amounts of a line add up to it.

    Raises
    ------
    ConfigError
        For a line without a rule, or a rule without a basis.
    """
    lines = of.whole.of.bill.lines
    rules = {line.name: of.whole.of.rules.of(line) for line in lines}
    _check_parties(of.whole, rules)
    found: list[Charge] = []
    first = [x for x in lines if rules[x.name].by != "lines"]
    for line in first:
        found += _of_line(of.of(line.name), line, rules[line.name])
    for line in lines:
        if rules[line.name].by == "lines":
            found += _as_lines(of.whole, line, rules[line.name], [x.name for x in first], found)
    order = {line.name: i for i, line in enumerate(lines)}
    return sorted(found, key=lambda c: order[c.line])


def _check_parties(use: Use, rules: Mapping[str, Rule]) -> None:
    site, how = use.of.site, use.of.rules
    stated = [p.rule for _, p in how.parts] + [f.rule for f in how.fees]
    known = [site.landlord, *(t.name for t in site.tenants)]
    for rule in [*rules.values(), *stated]:
        for name in rule.shares:
            if name not in known:
                raise ConfigError(
                    f"Cannot share by fixed shares: {name!r} is no party of {site.name!r}. "
                    f"It has {', '.join(known)}."
                )


def _of_line(use: Use, line: BillLine, rule: Rule) -> list[Charge]:
    if line.amount == 0:
        return []
    if any(use.refused(basis) for basis in needs(use, rule)):
        whole = Component("refused", Decimal(1), {UNALLOCATED: Decimal(1)}, "")
        return _charges(use, line, rule, [whole], printed=False)
    if rule.by in MEASURED:
        return _charges(use, line, rule, measured(use, rule))
    weights = use.bases.weights(rule)
    part = EXPORT if rule.by == EXPORT else OWN
    unit = use.bases.unit(rule)
    whole = Component(part, add(list(weights.values())), weights, unit)
    return _charges(use, line, rule, [whole], printed=bool(unit))


def _as_lines(
    use: Use, line: BillLine, rule: Rule, first: Sequence[str], found: Sequence[Charge]
) -> list[Charge]:
    """A tax: shared as the lines that it is taken of were."""
    names = rule.of or first
    wrong = [x for x in names if x not in first]
    if wrong or not names:
        raise ConfigError(
            f"Cannot share line {line.name!r} as other lines: {', '.join(wrong) or 'nothing'} is "
            f"no line shared otherwise. There are {', '.join(first) or 'none'}."
        )
    if line.amount == 0:
        return []
    total: dict[str, Decimal] = {}
    for c in found:
        if c.line in names:
            total[c.party] = total.get(c.party, ZERO) + c.amount
    apart = (EXPORT, UNALLOCATED)
    own = {k: v for k, v in total.items() if k not in apart}
    unit = use.of.site.currency
    rest = {k: total[k] for k in apart if k in total}
    components = [Component(OWN, add(list(own.values())), own, unit)]
    parts = {EXPORT: EXPORT, UNALLOCATED: "refused"}
    components += [Component(parts[k], v, {k: Decimal(1)}, unit) for k, v in rest.items()]
    return _charges(use, line, rule, components)


# --- money -------------------------------------------------------------------------------


def _charges(
    use: Use, line: BillLine, rule: Rule, components: Sequence[Component], *, printed: bool = True
) -> list[Charge]:
    """The amounts of a line: components to the last unit, then each by its weights."""
    digits = digits_of(use.of.site.currency)
    given = [c for c in components if c.total != 0]
    whole = add([c.total for c in given])
    if whole <= 0:
        raise ConfigError(
            f"Cannot share line {line.name!r} of {line.amount} by {rule.by}: its basis adds up to "
            f"{whole}. State another rule for it, e.g. area, shares or landlord."
        )
    exact = [EXACT.divide(EXACT.multiply(line.amount, c.total), whole) for c in given]
    amounts = parts_of(exact, _checked(line, digits), digits)
    return [
        Charge(party, line.name, line.kind, c.part, rule.by, q, c.unit, whole, money)
        for c, amount in zip(given, amounts, strict=True)
        for party, q, money in _shares(use, c, amount, digits, printed=printed)
    ]


def _shares(
    use: Use, c: Component, amount: Decimal, digits: int, *, printed: bool
) -> list[tuple[str, Decimal | None, Decimal]]:
    money = allocate(amount, c.weights, places=digits)
    if not printed:
        return [(str(k), None, money[k]) for k in c.weights]
    if add(list(c.weights.values())) == c.total:
        return [(k, w, money[k]) for k, w in c.weights.items()]
    places = digits if c.unit == use.of.site.currency else use.of.rules.places
    quantity = allocate(c.total, c.weights, places=places)
    return [(str(k), quantity[k], money[k]) for k in c.weights]


def _checked(line: BillLine, digits: int) -> Decimal:
    if rounded(line.amount, digits) != line.amount:
        raise ConfigError(
            f"Cannot share line {line.name!r}: its amount {line.amount} is finer than "
            f"{digits} decimals of the currency."
        )
    return rounded(line.amount, digits)


FEE = "fee"
ONE = Decimal(1)


def fees(use: Use) -> list[Charge]:
    """What each party pays of each fee.

    Parameters
    ----------
    use : Use
        The whole bill's: its parties and their days.

    Returns
    -------
    list of Charge
        By fee and party, ``part="fee"``.

    Raises
    ------
    ConfigError
        For a fee finer than the currency, or one that bears the name of a line of the bill.
    """
    return [c for fee in use.of.rules.fees for c in _charge_of(use, _checked_fee(use, fee))]


def _checked_fee(use: Use, fee: Fee) -> Fee:
    digits = digits_of(use.of.site.currency)
    if fee.per != "day" and rounded(fee.amount, digits) != fee.amount:
        raise ConfigError(
            f"Cannot charge fee {fee.name!r}: its amount {fee.amount} is finer than {digits} "
            "decimals of the currency."
        )
    if fee.name in {x.name for x in use.of.bill.lines}:
        raise ConfigError(
            f"Cannot charge fee {fee.name!r}: a line of {use.of.bill.file} has that name. Name "
            "the fee otherwise, so that a tenant can tell it from the utility's charges."
        )
    return fee


def _charge_of(use: Use, fee: Fee) -> Iterator[Charge]:
    digits = digits_of(use.of.site.currency)
    if fee.per == "shares":
        weights = use.bases.weights(fee.rule)
        money = allocate(rounded(fee.amount, digits), weights, places=digits)
        yield from (_charge(fee, p, None, "", money[p]) for p in weights)
    elif fee.per == "day":
        for party, days in _tenants(use).items():
            amount = rounded(EXACT.multiply(fee.amount, days), digits)
            yield _charge(fee, party, days, "day", amount)
    else:
        for party in _tenants(use, whole=True):
            yield _charge(fee, party, None, "", rounded(fee.amount, digits))


def _tenants(use: Use, *, whole: bool = False) -> dict[str, Decimal]:
    """The tenants who held an element, and on how many local days they did at its start.

    One who came after the last midnight has no day, but is a tenant of the bill.
    """
    here = {s.party for s in use.bases.own}
    days = {
        t.name: add([ONE for day in use.bases.holders if t.name in day.values()])
        for t in use.of.site.tenants
        if t.name in here
    }
    return {k: n for k, n in days.items() if n or whole}


def _charge(fee: Fee, party: str, quantity: Decimal | None, unit: str, amount: Decimal) -> Charge:
    return Charge(
        party=party,
        line=fee.name,
        kind=FEE,
        part=FEE,
        basis=f"per {fee.per}" if fee.per != "shares" else "shares",
        quantity=quantity,
        unit=unit,
        whole=quantity or ONE,
        amount=amount,
    )
