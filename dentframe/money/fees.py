"""The landlord's fees as charges: lines of their own, apart from the utility's amount. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from dentframe.errors import ConfigError
from dentframe.money.allocate import allocate
from dentframe.money.rounding import EXACT, add, digits_of, rounded
from dentframe.money.sharing import Charge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dentframe.money.components import Use
    from dentframe.money.fee import Fee

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
    return [c for fee in use.of.rules.fees for c in _of(use, _checked(use, fee))]


def _checked(use: Use, fee: Fee) -> Fee:
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


def _of(use: Use, fee: Fee) -> Iterator[Charge]:
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
