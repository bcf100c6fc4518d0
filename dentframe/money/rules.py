"""How a utility's bill is shared: a stated rule for each line and each part. Pure.

`SplitRules.load` is the only thing here that reads a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from dentframe.errors import ConfigError
from dentframe.money.fee import Fee, fee, fee_dict
from dentframe.money.rule import BASES, PARTS, Part, Rule, part, part_dict, rule, rule_dict
from dentframe.site_file import Table, dump, load, without_none

if TYPE_CHECKING:
    from dentframe.money.utility_bill import BillLine
    from dentframe.site import Site

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
        As in `dentframe.energy.energy`.
    edges : str
        ``"interpolate"`` or ``"last_reading"``.
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
    edges: str = "interpolate"
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
