"""The rules of a split say how each line of a bill, each part of its energy and each fee is shared.

Nothing is shared by default: what no rule states is nobody's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from dentframe.errors import ConfigError, by, did_you_mean
from dentframe.site.toml_tables import Table, dump, load, plain, stated

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
    percent: Decimal | None = field(default=None, metadata={"least": 0})
    kwh: Decimal | None = None
    rest: bool = False


def _rule(parent: Table, name: str, bases: tuple[str, ...]) -> Rule:
    """The rule in a field: its basis as text, or a table."""
    if isinstance(parent.data[name], str):
        return Rule(_by(parent, name, bases))
    table = parent.table(name)
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
        it = f"{near} It" if near else "it"
        raise table.error(name, f"{it} must be one of {', '.join(bases)}.")
    if by == "shares" and name != "by":
        raise table.error(name, 'give the shares: { by = "shares", shares = { ... } }.')
    return by


def _shares(table: Table) -> dict[str, Decimal]:
    inside = table.table("shares")
    if inside is None or not inside.data:
        raise table.error("shares", "it is missing; give a share for each party.")
    return {k: inside.decimal(k, least=0) for k in inside.data}


def _part(table: Table, *, common: bool) -> Part:
    """A part from its table ``[split.loss]``; only metered common areas need no amount."""
    table.only("by", "shares", "of", "percent", "kwh", "rest")
    amounts = table.part(["percent", "kwh", "rest"])
    found: Part = amounts.record(Part, rule=None)
    ways = (found.percent is not None) + (found.kwh is not None) + found.rest
    if ways > 1 or (ways == 0 and not common):
        raise table.error("percent", "say how much it is by one of percent, kwh and rest = true.")
    return replace(found, rule=_stated(table, PART_BASES))


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
    amount: Decimal = field(metadata={"read": "money"})
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


def _fee(table: Table) -> Fee:
    """A fee from its table ``[[split.fees]]``."""
    per = table.text("per", "tenant")
    if per not in PER:
        raise table.error("per", f"it must be one of {', '.join(PER)}.")
    if ("shares" in table.data) != (per == "shares"):
        raise table.error("shares", 'per = "shares" and a table of shares go together.')
    return table.record(Fee, shares=_shares(table) if per == "shares" else {})


STATUSES = ("recorded", "estimated", "partial")
_EXACT = "exact"
"""What a file says for places that are not rounded."""


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
    places : int or None
        Decimals of quantities: what is printed is what is priced. None (``"exact"`` in a file)
        rounds no quantity, for cross-checks.
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
    demand_coverage: Decimal = field(default=Decimal("0.95"), metadata={"least": 0})
    agree: Decimal = field(default=Decimal(2), metadata={"least": 0})
    over_recovery: bool = False
    window: str = "15min"
    interval: Any = "15min"
    demand_lag: Any = "0min"
    edges: str = "last_reading"
    places: int | None = 2
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
        top.only(*(f.name for f in fields(cls)))
        lines = top.table("lines")
        if lines is None or not lines.data:
            raise top.error("lines", 'it is missing; state a rule a line: energy = "energy".')
        own: dict[str, Any] = {x: data[x] for x in ("interval", "demand_lag") if x in data}
        for name in PARTS:
            table = top.table(name)
            own[name] = None if table is None else _part(table, common=name == "common")
        if data.get("places") == _EXACT:
            own["places"] = None
        return top.record(
            cls,
            lines={k: _rule(lines, k, BASES) for k in lines.data},
            fees=tuple(_fee(t) for t in top.tables("fees")),
            **own,
        )

    def to_dict(self) -> dict[str, Any]:
        """The tables of their file; `from_dict` gives equal rules."""
        own = {f.name: getattr(self, f.name) for f in fields(self)}
        parts = {x: stated(p) for x, p in self.parts}
        found: dict[str, Any] = plain(
            {
                **own,
                "places": _EXACT if self.places is None else self.places,
                "fees": [stated(f) for f in self.fees] or None,
                **{x: {**p.pop("rule"), **p} for x, p in parts.items()},
            }
        )
        return found

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
            f"{site.file}, or "
            + by("pass rules=SplitRules.load('rules.toml').", "give --rules rules.toml.")
        )
    return SplitRules.from_dict(site.split, file=site.file, where="split")
