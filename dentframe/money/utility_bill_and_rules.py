"""A utility's bill and the rules of its split are read from their TOML files here, and checked.

A bill says what was received: read dates, quantities, lines and amounts. The rules say how each
line of it, each part of its energy and each fee is shared. Nothing is shared by default: what no
rule states is nobody's.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, ClassVar

from dentframe.errors import ConfigError
from dentframe.money.rounding_and_tiers import add
from dentframe.site.currencies import check_currency
from dentframe.site.toml_tables import Moment, Table, dump, load, plain, read_itself


@dataclass(frozen=True)
class BillLine:
    """One line of a utility's bill.

    Parameters
    ----------
    name : str
        As printed, unique in the bill.
    kind : str
        ``energy``, ``demand``, ``fixed``, ``tax``, ``export`` or another: rules share by name
        or by kind.
    amount : Decimal
        [currency], negative for a credit.
    kwh, kw : Decimal, optional
        What the utility priced [kWh], [kW].
    start, end : date or datetime, optional
        The line's own dates ``[start, end)``, where it has any: it is shared by the use of
        those dates.
    metered_kwh : Decimal, optional
        The utility's energy over the line's own dates [kWh], where `kwh` is only a part of it
        (a tier, a time of day).
    credit : bool
        Whether a negative amount is meant: that of no export.
    """

    name: str
    kind: str
    amount: Decimal = field(metadata={"read": "money"})
    kwh: Decimal | None = None
    kw: Decimal | None = field(default=None, metadata={"least": 0})
    start: Moment | None = None
    end: Moment | None = None
    metered_kwh: Decimal | None = None
    credit: bool = False

    def __post_init__(self) -> None:
        _check_length(self, read_itself(self, f"line {self.name!r} of a bill"))


_LONGEST = 1098
"""A bill of more days than three years is a mistake, and each of its days would be worked out."""
KINDS = (
    "estimated", "negative_line", "negative_residual", "no_total", "not_closed", "not_priced",
    "opening_differs", "over_recovery", "partial", "periods_differ", "unallocated",
    "utility_differs",
)  # fmt: skip
"""The exceptions that can be accepted by name; what is missing has no figure to accept."""


@dataclass(frozen=True)
class Accepted:
    """One exception of one bill that somebody accepts: the table ``[[accepted]]``.

    Parameters
    ----------
    kind : str
        As in `Run.exceptions`.
    element : str
        Its subject there: an element, a line, a tenant, the site or the bill.
    reason, by : str
        Why, and who says so; both are printed.
    """

    kind: str = field(metadata={"one_of": KINDS})
    element: str
    reason: str
    by: str

    def __post_init__(self) -> None:
        read_itself(self, "an accepted exception")


@dataclass(frozen=True)
class UtilityBill:
    """A utility's bill.

    Parameters
    ----------
    name : str
        What the bill is called, e.g. its number.
    start, end : date or datetime
        The utility's read dates: the period is ``[start, end)``, a date its local midnight.
    lines : tuple of BillLine
        In their order.
    kwh : Decimal, optional
        Billed energy [kWh]; needed where a line is shared by energy.
    kw : Decimal, optional
        Billed demand [kW].
    days : int, optional
        Days of service as the bill states them: checked against the read dates.
    currency : str, optional
        ISO code: checked against the site's.
    total : Decimal, optional
        The current charges, without prior balance, payments and late fees: checked against the
        lines.
    elements : tuple of str
        What the bill is for, where the site has several bills: a main stands for everything
        below it. Empty: the whole site.
    number : str
        The statements' numbers, e.g. ``"2023-12-{account}"`` with each tenant's account.
    issued : date, optional
        When the statements are made out.
    due : date or int, optional
        Until when they are payable, or within how many days of `issued`.
    schedule : str
        The utility's rate schedule, for the statements.
    accepted : tuple of Accepted
        Exceptions that are accepted by name, for this bill only.
    file : str
        Where it was read from, for errors.

    Raises
    ------
    ConfigError
        For a field of another kind, no or double lines, dates more than three years apart, a
        total that the lines do not add up to, or a currency that ISO 4217 lacks.

    Examples
    --------
    >>> utility.name, utility.kwh, [line.name for line in utility.lines]
    ('2023-12', Decimal('7515'), ['Energy'])
    """

    name: str
    start: Moment
    end: Moment
    lines: tuple[BillLine, ...] = field(metadata={"read": "every", "of": BillLine})
    kwh: Decimal | None = None
    kw: Decimal | None = field(default=None, metadata={"least": 0})
    days: int | None = field(default=None, metadata={"least": 1})
    currency: str | None = None
    total: Decimal | None = field(default=None, metadata={"read": "money"})
    elements: tuple[str, ...] = ()
    number: str = ""
    issued: dt.date | None = None
    due: dt.date | int | None = field(default=None, metadata={"read": "date_or_days"})
    schedule: str = ""
    accepted: tuple[Accepted, ...] = field(default=(), metadata={"read": "every", "of": Accepted})
    file: str = field(default="bill", compare=False, repr=False)

    def __post_init__(self) -> None:
        table = read_itself(self, self.file)
        if self.currency is not None:
            check_currency(self.currency, self.file)
        if isinstance(self.due, int) and self.issued is None:
            raise table.error("due", "days are counted from field 'issued', which is missing.")
        if not self.lines:
            raise ConfigError(
                f"Cannot use {self.file}: it has no lines. Type in each line of the bill as "
                "[[lines]] with name, kind and amount."
            )
        names = [line.name for line in self.lines]
        for name in names:
            if names.count(name) > 1:
                raise ConfigError(
                    f"Cannot use {self.file}: table [lines], field 'name' = {name!r} occurs "
                    "twice. Name each line once, e.g. with its dates."
                )
        _check_length(self, table)
        if self.total is not None and self.total != self.amount:
            raise ConfigError(
                f"Cannot use {self.file}: field 'total' = {self.total}, but the lines add up to "
                f"{self.amount}. Type in every line of the bill, taxes and credits too; the total "
                "is that of the current charges, without prior balance, payments and late fees."
            )

    @property
    def amount(self) -> Decimal:
        """What the lines add up to [currency]."""
        return add([line.amount for line in self.lines])

    @classmethod
    def load(cls, path: Any) -> UtilityBill:
        """Read a bill's TOML file; errors name file, table and field."""
        return cls.from_dict(load(path), file=str(path))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, file: str = "bill") -> UtilityBill:
        """A bill from tables as in the file.

        Raises
        ------
        ConfigError
            Naming `file`, table and field.
        """
        top = Table(data, file)
        if "tenants" in data or isinstance(data.get("elements"), Mapping):
            raise top.other("a bill", "a site", "tenants" if "tenants" in data else "elements")
        return top.record(cls, file=file)

    def to_dict(self) -> dict[str, Any]:
        """The tables of its file; `from_dict` gives an equal bill."""
        return dict(plain(self))

    def to_toml(self) -> str:
        """Its file; reading it gives an equal bill."""
        return dump(self.to_dict())


def _check_length(x: UtilityBill | BillLine, table: Table) -> None:
    if x.start is not None and x.end is not None:
        days = x.end.toordinal() - x.start.toordinal()
        if days > _LONGEST:
            why = f"{x.name!r} would last {days} days, and a bill has at most {_LONGEST}"
            raise table.error("end", f"{why}: correct its dates.")


# --- the rules ---------------------------------------------------------------------------

PARTS = ("loss", "common", "tolerance")
_NO_LINES = 'it is missing; state a rule a line: energy = "energy".'


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

    BASES: ClassVar[tuple[str, ...]] = (
        "energy", "coincident", "own_peak", "area", "days", "shares", "lines", "landlord", "export",
    )  # fmt: skip
    by: str
    shares: Mapping[str, Decimal] = field(default_factory=dict, metadata={"least": 0})
    of: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        table = read_itself(self, "this rule")
        by = self.by.strip().replace(" ", "_").replace("-", "_")
        Table({"by": by}, "this rule").text("by", one_of=self.BASES)
        object.__setattr__(self, "by", by)
        for name, wanted in (("shares", "shares"), ("of", "lines")):
            if getattr(self, name) and by != wanted:
                raise table.error(name, f'it goes with by = "{wanted}" only.')
        if by == "shares" and not self.shares:
            why = "give the shares, one for each party: "
            raise table.error("shares", why + '{ by = "shares", shares = { ... } }.')


@dataclass(frozen=True)
class Part(Rule):
    """A part of the energy that no tenant's meter has: how much it is, and who bears it.

    Parameters
    ----------
    by, shares, of
        By what it is shared, as in `Rule`.
    percent : Decimal, optional
        How much, of the utility's energy [%].
    kwh : Decimal, optional
        How much [kWh].
    rest : bool
        Whether it is what the other parts leave.
    """

    BASES = ("energy", "area", "days", "shares", "landlord")
    percent: Decimal | None = field(default=None, metadata={"least": 0})
    kwh: Decimal | None = None
    rest: bool = False


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
        For an amount that is no exact number, or shares that do not go with `per`.
    """

    name: str
    amount: Decimal = field(metadata={"read": "money"})
    per: str = field(default="tenant", metadata={"one_of": ("tenant", "day", "shares")})
    shares: Mapping[str, Decimal] = field(default_factory=dict, metadata={"least": 0})
    code: str = ""

    def __post_init__(self) -> None:
        table = read_itself(self, f"fee {self.name!r}")
        if bool(self.shares) != (self.per == "shares"):
            raise table.error("shares", 'per = "shares" and a table of shares go together.')


STATUSES = ("recorded", "estimated", "partial")


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
        For a field of another kind, a status that money cannot accept, two parts that are the
        rest, or two fees of one name.

    Examples
    --------
    >>> SplitRules({"Energy": "energy"}).accept
    ('recorded',)
    """

    lines: Mapping[str, Rule | str]
    loss: Part | None = field(default=None, metadata={"read": "one", "of": Part})
    common: Part | None = field(default=None, metadata={"read": "one", "of": Part})
    tolerance: Part | None = field(default=None, metadata={"read": "one", "of": Part})
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
    fees: tuple[Fee, ...] = field(default=(), metadata={"read": "every", "of": Fee})

    def __post_init__(self) -> None:
        what = "these rules"
        exact: dict[str, Any] = {} if self.places is not None else {"places": None}
        table = read_itself(self, what, lines=_rules(Table({"lines": self.lines}, what)), **exact)
        why = f"name some of {', '.join(STATUSES)}. What is missing has no figure to accept."
        for name in ("accept", "accept_demand"):
            wrong = [x for x in getattr(self, name) if x not in STATUSES]
            if wrong or not getattr(self, name):
                raise table.error(name, why)
        table = Table({}, what)  # a part or fees are too long to show
        for name, part in self.parts:
            ways = (part.percent is not None) + (part.kwh is not None) + part.rest
            if ways > 1 or (ways == 0 and name != "common"):  # what is metered needs no amount
                raise table.error(name, "say how much by one of percent, kwh and rest = true.")
        rests = [name for name, part in self.parts if part.rest]
        if len(rests) > 1:
            why = "two of loss, common and tolerance are the rest"
            raise table.error(rests[1], f"{why}. State percent or kwh for all but one.")
        names = [f.name for f in self.fees]
        if len(set(names)) < len(names):
            raise table.error("fees", f"two have one name: {names}.")

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
                f'{line.kind} = "..." to [split.lines], with one of {", ".join(Rule.BASES)}.'
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
        top.fields_of(cls)
        if not data.get("lines"):
            raise top.error("lines", _NO_LINES)
        own: dict[str, Any] = {"places": None} if data.get("places") == "exact" else {}
        return top.record(cls, lines=_rules(top), **own)

    def to_dict(self) -> dict[str, Any]:
        """The tables of their file; `from_dict` gives equal rules."""
        places = "exact" if self.places is None else self.places
        return dict(plain({**vars(self), "places": places, "fees": self.fees or None}))

    def to_toml(self) -> str:
        """Their file; reading it gives equal rules."""
        return dump({"split": self.to_dict()})


def _rules(top: Table) -> dict[str, Rule]:
    """The rules of lines, by their names or kinds; a basis alone is a rule too."""
    lines = top.table("lines")
    if lines is None:
        raise top.error("lines", _NO_LINES)
    texts = {k: {"by": x} for k, x in lines.data.items() if isinstance(x, str)}
    rules = replace(lines, data={**lines.data, **texts})
    return {k: rules.one(k, of=Rule) for k in rules.data}
