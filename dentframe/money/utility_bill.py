"""A utility's bill says what was received: read dates, quantities, lines and amounts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from dentframe.errors import ConfigError, did_you_mean
from dentframe.money.rounding import add
from dentframe.site.toml_tables import Moment, Table, check_currency, dump, load, stated


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

    kind: str
    element: str
    reason: str
    by: str


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
        For no or double lines, dates more than three years apart, a total that the lines do not
        add up to, a currency that ISO 4217 lacks, or an accepted kind that does not exist.

    Examples
    --------
    >>> utility.name, utility.kwh, [line.name for line in utility.lines]
    ('2023-12', Decimal('7515'), ['Energy'])
    """

    name: str
    start: Moment
    end: Moment
    lines: tuple[BillLine, ...]
    kwh: Decimal | None = None
    kw: Decimal | None = field(default=None, metadata={"least": 0})
    days: int | None = field(default=None, metadata={"least": 1})
    currency: str | None = None
    total: Decimal | None = field(default=None, metadata={"read": "money"})
    elements: tuple[str, ...] = ()
    number: str = ""
    issued: dt.date | None = None
    due: dt.date | int | None = None
    schedule: str = ""
    accepted: tuple[Accepted, ...] = ()
    file: str = field(default="bill", compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.currency is not None:
            check_currency(self.currency, self.file)
        _check_lines(self)
        _check_dates(self)
        for x in self.accepted:
            if x.kind not in KINDS:
                near = did_you_mean(x.kind, KINDS) or f": use one of {', '.join(KINDS)}."
                raise ConfigError(
                    f"Cannot use {self.file}: table [accepted], field 'kind' = {x.kind!r}: no such "
                    f"exception can be accepted{near}"
                )
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
        return top.record(
            cls,
            lines=tuple(t.record(BillLine) for t in top.tables("lines")),
            accepted=tuple(t.record(Accepted) for t in top.tables("accepted")),
            due=_due(top),
            file=file,
        )

    def to_dict(self) -> dict[str, Any]:
        """The tables of its file; `from_dict` gives an equal bill."""
        return stated(self)

    def to_toml(self) -> str:
        """Its file; reading it gives an equal bill."""
        return dump(self.to_dict())


def _due(top: Table) -> dt.date | int | None:
    """A date, or days after the date of issue."""
    given = top.data.get("due")
    if not isinstance(given, int):
        found: dt.date | None = top.date("due", None)
        return found
    if isinstance(given, bool) or not 0 <= given <= 366:
        raise top.error("due", "it must be a date, or days from 0 to 366.")
    if "issued" not in top.data:
        raise top.error("due", "days are counted from field 'issued', which is missing.")
    return given


def _check_lines(bill: UtilityBill) -> None:
    if not bill.lines:
        raise ConfigError(
            f"Cannot use {bill.file}: it has no lines. Type in each line of the bill as [[lines]] "
            "with name, kind and amount."
        )
    names = [line.name for line in bill.lines]
    for line in bill.lines:
        if names.count(line.name) > 1:
            raise ConfigError(
                f"Cannot use {bill.file}: table [lines], field 'name' = {line.name!r} occurs "
                "twice. Name each line once, e.g. with its dates."
            )
        if not isinstance(line.amount, Decimal):
            raise ConfigError(
                f"Cannot use {bill.file}: the amount of line {line.name!r} is {line.amount!r}, "
                "no Decimal. Money is exact: Decimal('12.34')."
            )


def _check_dates(bill: UtilityBill) -> None:
    dated: tuple[UtilityBill | BillLine, ...] = (bill, *bill.lines)
    for x in dated:
        where = "" if x is bill else "table [lines], "
        if x.start is None or x.end is None:
            continue
        days = x.end.toordinal() - x.start.toordinal()
        if days > _LONGEST:
            raise ConfigError(
                f"Cannot use {bill.file}: {where}field 'end' = {x.end}: {x.name!r} would last "
                f"{days} days, and a bill has at most {_LONGEST}: correct its dates."
            )
