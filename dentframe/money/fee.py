"""A fee of the landlord beside the utility's bill, and its table in a file. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from dentframe.errors import ConfigError
from dentframe.money.rounding import tidy
from dentframe.money.rule import Rule
from dentframe.site_file import exact

if TYPE_CHECKING:
    from dentframe.site_file import Table

PER = ("tenant", "day", "shares")


@dataclass(frozen=True)
class Fee:
    """What the landlord charges for the metering itself; no part of the utility's bill.

    Parameters
    ----------
    name : str
        The line's name on the statements.
    amount : Decimal
        [currency]: of each tenant, of each tenant's day, or of all shares together.
    per : {"tenant", "day", "shares"}
        ``tenant``: once for each who holds an element in the bill's period. ``day``: for each
        local day that a tenant holds an element at its start. ``shares``: `amount` by fixed
        shares, as a line of the bill by ``shares``.
    shares : mapping of str to Decimal
        Of ``per="shares"``: party to share.
    code : str
        Its charge code; ``""`` is the party's.

    Raises
    ------
    ConfigError
        For an amount that is no Decimal, or shares that do not go with `per`.
    """

    name: str
    amount: Decimal
    per: str = "tenant"
    shares: Mapping[str, Decimal] = field(default_factory=dict)
    code: str = ""

    def __post_init__(self) -> None:
        if self.per not in PER:
            why = f"per={self.per!r} is none of {', '.join(PER)}"
        elif not isinstance(self.amount, Decimal):
            why = f"its amount {self.amount!r} is no Decimal: money is exact, Decimal('4.50')"
        elif bool(self.shares) != (self.per == "shares"):
            why = 'per="shares" and shares={...} go together'
        else:
            return
        raise ConfigError(f"Cannot use fee {self.name!r}: {why}.")

    @property
    def rule(self) -> Rule:
        """By what it is shared, as a rule of a line."""
        return Rule("shares", self.shares) if self.per == "shares" else Rule("days")


def fee(table: Table) -> Fee:
    """A fee from its table ``[[split.fees]]``.

    Raises
    ------
    ConfigError
        Naming file, table and field.
    """
    table.only("name", "amount", "per", "shares", "code")
    if isinstance(table.data.get("amount"), float):
        raise table.error("amount", "a float is no exact amount; use a Decimal or a text.")
    per = table.text("per", "tenant")
    if per not in PER:
        raise table.error("per", f"it must be one of {', '.join(PER)}.")
    shares = table.table("shares")
    if (shares is not None) != (per == "shares"):
        raise table.error("shares", 'per = "shares" and a table of shares go together.')
    return Fee(
        name=table.text("name"),
        amount=table.decimal("amount"),
        per=per,
        shares={} if shares is None else {k: shares.decimal(k, least=0) for k in shares.data},
        code=table.text("code", ""),
    )


def fee_dict(of: Fee) -> dict[str, Any]:
    """The table of a fee."""
    shares = {k: tidy(exact(v) or Decimal(0)) for k, v in of.shares.items()}
    return {
        "name": of.name,
        "amount": of.amount,
        "per": of.per,
        "shares": shares or None,
        "code": of.code or None,
    }
