"""One rule of a split, and its table in a file. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from dentframe.errors import ConfigError
from dentframe.money.rounding import tidy
from dentframe.site_file import exact
from dentframe.suggest import did_you_mean

if TYPE_CHECKING:
    from dentframe.site_file import Table

BASES = (
    "energy",
    "coincident",
    "own_peak",
    "area",
    "days",
    "shares",
    "lines",
    "landlord",
    "export",
)
PART_BASES = ("energy", "area", "days", "shares", "landlord")
PARTS = ("loss", "common", "tolerance")


@dataclass(frozen=True)
class Rule:
    """By what one line, or one part of the energy, is shared.

    Parameters
    ----------
    by : str
        ``energy``; ``coincident`` (demand when the site peaked); ``own_peak``; ``area``;
        ``days`` (element-days); ``shares`` (fixed); ``lines`` (as other lines were);
        ``landlord``; ``export``.
    shares : mapping of str to Decimal
        Of ``by="shares"``: party to share, in any unit.
    of : tuple of str
        Of ``by="lines"``: their names; empty for all lines shared otherwise.
    """

    by: str
    shares: Mapping[str, Decimal] = field(default_factory=dict)
    of: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.by not in BASES:
            raise ConfigError(
                f"Cannot share by {self.by!r}{did_you_mean(self.by, BASES) or '.'} "
                f"Use one of {', '.join(BASES)}."
            )


@dataclass(frozen=True)
class Part:
    """A part of the energy that no tenant's meter has: how much it is, and who bears it.

    Parameters
    ----------
    rule : Rule
        By what it is shared.
    percent : Decimal, optional
        How much, of the utility's energy [%].
    kwh : Decimal, optional
        How much [kWh].
    rest : bool
        Whether it is what the other parts leave.
    """

    rule: Rule
    percent: Decimal | None = None
    kwh: Decimal | None = None
    rest: bool = False


def rule(parent: Table, name: str, bases: tuple[str, ...]) -> Rule:
    """The rule in a field: its basis as text, or a table."""
    if isinstance(parent.data[name], str):
        return Rule(_by(parent, name, bases))
    table = parent.table(name)
    assert table is not None  # noqa: S101 - `name` is one of its fields
    table.only("by", "shares", "of")
    return _stated(table, bases)


def _stated(table: Table, bases: tuple[str, ...]) -> Rule:
    by = _by(table, "by", bases)
    for name, wanted in (("shares", "shares"), ("of", "lines")):
        if name in table.data and by != wanted:
            raise table.error(name, f'it goes with by = "{wanted}" only.')
    return Rule(by, _shares(table) if by == "shares" else {}, table.names("of", ()))


def _by(table: Table, name: str, bases: tuple[str, ...]) -> str:
    by: str = table.text(name).strip().replace(" ", "_").replace("-", "_")
    if by not in bases:
        near = did_you_mean(by, bases).removeprefix(": ")
        told = f"{near} It" if near else "it"
        raise table.error(name, f"{told} must be one of {', '.join(bases)}.")
    if by == "shares" and name != "by":
        raise table.error(name, 'give the shares: { by = "shares", shares = { ... } }.')
    return by


def _shares(table: Table) -> dict[str, Decimal]:
    inside = table.table("shares")
    if inside is None or not inside.data:
        raise table.error("shares", "it is missing; give a share for each party.")
    return {k: inside.decimal(k, least=0) for k in inside.data}


def part(table: Table | None, *, common: bool) -> Part | None:
    """A part from its table ``[split.loss]``; only metered common areas need no amount."""
    if table is None:
        return None
    table.only("by", "shares", "of", "percent", "kwh", "rest")
    percent, kwh = table.decimal("percent", None, least=0), table.decimal("kwh", None)
    rest = table.flag("rest", default=False)
    stated = (percent is not None) + (kwh is not None) + rest
    if stated > 1 or (stated == 0 and not common):
        raise table.error("percent", "say how much it is by one of percent, kwh and rest = true.")
    return Part(_stated(table, PART_BASES), percent, kwh, rest)


def rule_dict(of: Rule) -> dict[str, Any]:
    """The table of a rule."""
    shares = {k: tidy(exact(v) or Decimal(0)) for k, v in of.shares.items()}
    return {"by": of.by, "shares": shares or None, "of": list(of.of) or None}


def part_dict(of: Part) -> dict[str, Any]:
    """The table of a part."""
    return {
        **rule_dict(of.rule),
        "percent": of.percent,
        "kwh": of.kwh,
        "rest": of.rest or None,
    }
