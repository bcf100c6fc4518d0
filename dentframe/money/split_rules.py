"""How a utility's bill is shared: a stated rule for each line and each part. Pure.

`SplitRules.load` is the only thing here that reads a file.

One rule of a split, and its table in a file. Pure.

A fee of the landlord beside the utility's bill, and its table in a file. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from dentframe.errors import ConfigError, did_you_mean
from dentframe.money.rounding import tidy
from dentframe.site.files import Table, dump, exact, load, without_none

if TYPE_CHECKING:
    from dentframe.money.utility_bill import BillLine
    from dentframe.site.site import Site


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


STATUSES = ("recorded", "estimated", "partial")
_RULES = (
    "lines",
    *PARTS,
    "accept",
    "accept_demand",
    "demand_coverage",
    "agree",
    "over_recovery",
    "window",
    "interval",
    "demand_lag",
    "edges",
    "places",
    "fees",
)


@dataclass(frozen=True)
class SplitRules:
    """How a bill is shared. What no rule states is unallocated, never shared in silence.

    Parameters
    ----------
    lines : mapping of str to Rule
        By a line's name, else by its kind; a basis alone (``"energy"``) is a rule too.
    loss, common, tolerance : Part, optional
        Technical loss, common areas and meter tolerance: the utility's energy less the
        tenants'. None has a default.
    accept : tuple of str
        Statuses of energy that money accepts.
    accept_demand : tuple of str
        The same of demand: a lost row makes a peak partial, it must not withhold it.
    demand_coverage : Decimal
        The least coverage of a partial peak, 0 to 1.
    agree : Decimal
        By how much sub-meters and utility may differ [%].
    over_recovery : bool
        Whether charges may exceed the utility's amount (an export credit makes them).
    window : str
        Length of a demand block.
    interval, demand_lag : str or mapping by meter
        As in `dentframe.verbs.energy.energy`.
    edges : str
        ``"last_reading"``: used is closing less opening, as printed; or ``"interpolate"``.
    places : int
        Decimals of quantities: what is printed is what is priced.
    fees : tuple of Fee
        What the landlord charges beside the utility's bill, each a line of its own.

    Raises
    ------
    ConfigError
        For a status that money cannot accept, two parts that are the rest, or two fees of one
        name.

    Examples
    --------
    >>> SplitRules({"Energy": "energy"}).accept
    ('recorded',)
    """

    lines: Mapping[str, Rule | str]
    loss: Part | None = None
    common: Part | None = None
    tolerance: Part | None = None
    accept: tuple[str, ...] = ("recorded",)
    accept_demand: tuple[str, ...] = ("recorded", "partial")
    demand_coverage: Decimal = Decimal("0.95")
    agree: Decimal = Decimal(2)
    over_recovery: bool = False
    window: str = "15min"
    interval: Any = "15min"
    demand_lag: Any = "0min"
    edges: str = "last_reading"
    places: int = 2
    fees: tuple[Fee, ...] = ()

    def __post_init__(self) -> None:
        rules = {k: Rule(r) if isinstance(r, str) else r for k, r in self.lines.items()}
        object.__setattr__(self, "lines", rules)
        for name in ("accept", "accept_demand"):
            wrong = [x for x in getattr(self, name) if x not in STATUSES]
            if wrong or not getattr(self, name):
                raise ConfigError(
                    f"Cannot use {name}={getattr(self, name)!r}: name some of "
                    f"{', '.join(STATUSES)}. What is missing has no figure to accept."
                )
        if sum(p.rest for _, p in self.parts) > 1:
            raise ConfigError(
                "Cannot use these rules: two of loss, common and tolerance are the rest. State "
                "percent or kwh for all but one."
            )
        names = [f.name for f in self.fees]
        if len(set(names)) < len(names):
            raise ConfigError(f"Cannot use these rules: two fees have one name: {names}.")

    @property
    def parts(self) -> list[tuple[str, Part]]:
        """The parts that have a rule, by name."""
        return [(x, getattr(self, x)) for x in PARTS if getattr(self, x) is not None]

    def of(self, line: BillLine) -> Rule:
        """The rule of a line: by its name, else by its kind.

        Raises
        ------
        ConfigError
            Where neither has one: no line is shared by default.
        """
        found = self.lines.get(line.name) or self.lines.get(line.kind)
        if not isinstance(found, Rule):
            raise ConfigError(
                f"Cannot share line {line.name!r} of kind {line.kind!r}: no rule names it. Add "
                f'{line.kind} = "..." to [split.lines], with one of {", ".join(BASES)}.'
            )
        return found

    @classmethod
    def load(cls, path: Any) -> SplitRules:
        """Read a TOML file of rules: its table ``[split]``, or the same at its top."""
        data = load(path)
        inside = data.get("split", data)
        return cls.from_dict(inside, file=str(path), where="split" if "split" in data else "")

    @classmethod
    def from_dict(
        cls, data: Mapping[str, Any], *, file: str = "rules", where: str = ""
    ) -> SplitRules:
        """Rules from tables as in the file.

        Raises
        ------
        ConfigError
            Naming `file`, table and field.
        """
        top = Table(data, file, where)
        top.only(*_RULES)
        lines = top.table("lines")
        if lines is None or not lines.data:
            raise top.error("lines", 'it is missing; state a rule a line: energy = "energy".')
        given = {x: part(top.table(x), common=x == "common") for x in PARTS if x in data}
        texts = {x: top.text(x) for x in ("window", "edges") if x in data}
        spans = {x: data[x] for x in ("interval", "demand_lag") if x in data}
        numbers = {x: top.decimal(x, least=0) for x in ("demand_coverage", "agree") if x in data}
        accepted = {x: top.names(x) for x in ("accept", "accept_demand") if x in data}
        places = {"places": _whole(top)} if "places" in data else {}
        return cls(
            lines={k: rule(lines, k, BASES) for k in lines.data},
            over_recovery=top.flag("over_recovery", default=False),
            fees=tuple(fee(t) for t in top.tables("fees")),
            **{**given, **texts, **spans, **numbers, **accepted, **places},
        )

    def to_dict(self) -> dict[str, Any]:
        """The tables of their file; `from_dict` gives equal rules."""
        plain = {k: getattr(self, k) for k in _RULES if k not in {"lines", "fees", *PARTS}}
        return without_none(
            {
                **plain,
                "accept": list(self.accept),
                "accept_demand": list(self.accept_demand),
                "lines": {k: rule_dict(r) for k, r in self.lines.items() if isinstance(r, Rule)},
                **{x: part_dict(p) for x, p in self.parts},
                "fees": [fee_dict(f) for f in self.fees] or None,
            }
        )

    def to_toml(self) -> str:
        """Their file; reading it gives equal rules."""
        return dump({"split": self.to_dict()})


def rules_of(site: Site, rules: SplitRules | None) -> SplitRules:
    """The rules given, else those of the site's ``[split]`` table.

    Raises
    ------
    ConfigError
        Where there are neither.
    """
    if rules is not None:
        if not isinstance(rules, SplitRules):
            raise ConfigError(
                f"Cannot use rules={rules!r}: they are no SplitRules. Read them with "
                "SplitRules.load('rules.toml')."
            )
        return rules
    if site.split is None:
        raise ConfigError(
            f"Cannot split a bill of {site.name!r}: no rule says how. Add a [split] table to "
            f"{site.file}, or pass rules=SplitRules.load('rules.toml')."
        )
    return SplitRules.from_dict(site.split, file=site.file, where="split")


def _whole(top: Table) -> int:
    number = top.decimal("places", least=0)
    if number != int(number):
        raise top.error("places", "it must be a whole number.")
    return int(number)
