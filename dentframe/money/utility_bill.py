"""A utility's bill says what was received: read dates, quantities, lines and amounts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, cast

from dentframe.errors import ConfigError
from dentframe.money.rounding import add
from dentframe.site.files import Moment, Table, dump, load, without_none

_BILL = (
    "name", "start", "end", "days", "kwh", "kw", "currency", "total", "elements", "number",
    "issued", "due", "lines",
)  # fmt: skip
_LINE = ("name", "kind", "kwh", "metered_kwh", "kw", "amount", "start", "end")


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
    """

    name: str
    kind: str
    amount: Decimal
    kwh: Decimal | None = None
    kw: Decimal | None = None
    start: Moment | None = None
    end: Moment | None = None
    metered_kwh: Decimal | None = None


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
        What the bill adds up to: checked against the lines.
    elements : tuple of str
        What the bill is for, where the site has several bills: a main stands for everything
        below it. Empty: the whole site.
    number : str
        The statements' numbers, e.g. ``"2023-12-{account}"`` with each tenant's account.
    issued : date, optional
        When the statements are made out.
    due : date or int, optional
        Until when they are payable, or within how many days of `issued`.
    file : str
        Where it was read from, for errors.

    Raises
    ------
    ConfigError
        For no or double lines, or a total that the lines do not add up to.

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
    kw: Decimal | None = None
    days: int | None = None
    currency: str | None = None
    total: Decimal | None = None
    elements: tuple[str, ...] = ()
    number: str = ""
    issued: dt.date | None = None
    due: dt.date | int | None = None
    file: str = field(default="bill", compare=False, repr=False)

    def __post_init__(self) -> None:
        _check_lines(self)
        if self.total is not None and self.total != self.amount:
            raise ConfigError(
                f"Cannot use {self.file}: field 'total' = {self.total}, but the lines add up to "
                f"{self.amount}. Type in every line of the bill, taxes and credits too."
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
        top.only(*_BILL)
        return cls(
            name=top.text("name"),
            start=top.moment("start", None),
            end=top.moment("end", None),
            lines=tuple(_line(t) for t in top.tables("lines")),
            kwh=top.decimal("kwh", None),
            kw=top.decimal("kw", None, least=0),
            days=_days(top),
            currency=top.text("currency", None),
            total=_money(top, "total", None),
            elements=top.names("elements", ()),
            number=top.text("number", ""),
            issued=_date(top, "issued"),
            due=_due(top),
            file=file,
        )

    def to_dict(self) -> dict[str, Any]:
        """The tables of its file; `from_dict` gives an equal bill."""
        return without_none(
            {
                **{k: getattr(self, k) for k in _BILL if k not in {"elements", "lines", "number"}},
                "elements": list(self.elements) or None,
                "number": self.number or None,
                "lines": [{k: getattr(x, k) for k in _LINE} for x in self.lines],
            }
        )

    def to_toml(self) -> str:
        """Its file; reading it gives an equal bill."""
        return dump(self.to_dict())


def _line(table: Table) -> BillLine:
    table.only(*_LINE)
    return BillLine(
        name=table.text("name"),
        kind=table.text("kind"),
        amount=_money(table, "amount"),
        kwh=table.decimal("kwh", None),
        kw=table.decimal("kw", None, least=0),
        start=table.moment("start", None, None),
        end=table.moment("end", None, None),
        metered_kwh=table.decimal("metered_kwh", None),
    )


def _money(table: Table, name: str, *default: Any) -> Any:
    if isinstance(table.data.get(name), float):
        raise table.error(name, "a float is no exact amount; use a Decimal or a text.")
    return table.decimal(name, *default)


def _date(top: Table, name: str) -> dt.date | None:
    found = top.moment(name, None, None)
    if found is None or not isinstance(found, dt.datetime):
        return cast("dt.date | None", found)
    raise top.error(name, "it must be a date without a time, e.g. 2024-01-05.")


def _due(top: Table) -> dt.date | int | None:
    """A date, or days after the date of issue."""
    given = top.data.get("due")
    if not isinstance(given, int):
        return _date(top, "due")
    if isinstance(given, bool) or not 0 <= given <= 366:
        raise top.error("due", "it must be a date, or days from 0 to 366.")
    if "issued" not in top.data:
        raise top.error("due", "days are counted from field 'issued', which is missing.")
    return given


def _days(top: Table) -> int | None:
    number = top.positive("days", None)
    if number is None or number == int(number):
        return None if number is None else int(number)
    raise top.error("days", "it must be a whole number.")


def _check_lines(bill: UtilityBill) -> None:
    if not bill.lines:
        raise ConfigError(
            f"Cannot use {bill.file}: it has no lines. Type in each line of the bill as [[lines]] "
            "with name, kind and amount."
        )
    names = [line.name for line in bill.lines]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(
                f"Cannot use {bill.file}: table [lines], field 'name' = {name!r} occurs twice. "
                "Name each line once, e.g. with its dates."
            )
    for line in bill.lines:
        if not isinstance(line.amount, Decimal):
            raise ConfigError(
                f"Cannot use {bill.file}: the amount of line {line.name!r} is {line.amount!r}, "
                "no Decimal. Money is exact: Decimal('12.34')."
            )
