"""A statement has lines that add up and what they rest on, checks itself, and is plain data too."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsIndex, overload

import msgspec
import pandas as pd

from dentframe.display import Card, WithCard
from dentframe.errors import ConfigError
from dentframe.metering.energy_and_coverage import STATUSES
from dentframe.money.rounding_and_tiers import EXACT, add, digits_of, rounded
from dentframe.site.toml_tables import Table, plain

if TYPE_CHECKING:
    from dentframe.documents.statement_pdf import Font


@dataclass(frozen=True)
class Line:
    """One line of a statement.

    Parameters
    ----------
    name, kind : str
        What it is called, and what it is: ``energy``, ``demand``, ``fixed``, ``reactive``,
        ``minimum``, ``tax``, ``share``, or another.
    quantity : Decimal or None
        The quantity that is printed and priced [unit]; None where an amount is shared.
    unit : str
        Of the quantity.
    rate : Decimal or None
        [currency per unit]; None where the amount is given, e.g. a share.
    amount : Decimal
        [currency], rounded.
    element, basis : str
        The elements it was measured on; by what it was shared.
    coverage : float or None
        Covered share of the period, 0 to 1.
    status : str
        ``recorded``, ``estimated``, ``partial``, ``missing``; ``""`` where nothing was measured.
    flags : tuple of str
        What happened to the readings.
    open_at, close_at : Timestamp or None
        When the readings around the period's edges were taken, for a line of one element.
    open_reading, close_reading : Decimal or None
        Their register values [kWh].
    open_interpolated, close_interpolated : bool
        Whether the edge lies between two readings.
    note : str
        What a reader must know.
    of : tuple of str
        The charges whose lines a tax or minimum was taken of.
    limit : Decimal or None
        The minimum of a minimum line [currency].
    measured : Decimal or None
        Measured demand, where a ratchet or a power factor raised what is billed [kW]. It is
        what the next months' ratchet looks back on.
    charge : str
        The charge of the tariff that the line comes from.
    share : Share or None
        Of what the line is a part, where a bill was shared.
    """

    name: str
    kind: str
    quantity: Decimal | None
    unit: str
    rate: Decimal | None
    amount: Decimal
    element: str = ""
    basis: str = ""
    coverage: float | None = None
    status: str = ""
    flags: tuple[str, ...] = ()
    open_at: pd.Timestamp | None = None
    open_reading: Decimal | None = None
    open_interpolated: bool = False
    close_at: pd.Timestamp | None = None
    close_reading: Decimal | None = None
    close_interpolated: bool = False
    note: str = ""
    of: tuple[str, ...] = ()
    limit: Decimal | None = None
    measured: Decimal | None = None
    charge: str = ""
    share: Share | None = None


LINE_FIELDS = tuple(f.name for f in fields(Line) if f.name != "share")
"""The fields of a line that a table has."""


@dataclass(frozen=True)
class Share:
    """Of what a line of a shared bill is a part.

    Parameters
    ----------
    charged : Decimal
        What the utility charged for the whole line [currency].
    whole : Decimal or None
        What the quantities of all parties add up to [the line's unit].
    weight, weights : Decimal or None
        The party's and all parties' weights, by which a common area or a loss was shared.
    unit : str
        Of the weights.
    """

    charged: Decimal
    whole: Decimal | None = None
    weight: Decimal | None = None
    weights: Decimal | None = None
    unit: str = ""


@dataclass(frozen=True)
class Day:
    """What a party used on one local day.

    Parameters
    ----------
    day : date
        The day.
    energy : Decimal or None
        From midnight to midnight [kWh]; None where it is not known.
    status : str
        ``recorded``, ``estimated``, ``partial`` or ``missing``.
    """

    day: dt.date
    energy: Decimal | None
    status: str

    @classmethod
    def of(cls, day: dt.date, found: Sequence[tuple[Decimal | None, str]]) -> Day:
        """The day of several elements: what is known of it, and the worst status."""
        known = [x for x, _ in found if x is not None]
        worst = max((status for _, status in found), key=STATUSES.index)
        return cls(day, add(known) if known else None, worst)


@dataclass(frozen=True)
class Exchange:
    """A meter that was exchanged, or whose register was set, within a period.

    Parameters
    ----------
    at : Timestamp
        When.
    closing, opening : Decimal
        The last reading before it, the first after it [kWh].
    """

    at: pd.Timestamp
    closing: Decimal
    opening: Decimal


@dataclass(frozen=True)
class Part:
    """What a corrected meter showed over a part of a period, and what that counts for.

    Parameters
    ----------
    start, end : Timestamp
        The part ``[start, end)``.
    opening, closing : Decimal
        The register at its beginning and end [kWh].
    factor : Decimal
        What the difference is multiplied by.
    used : Decimal
        Energy of the part [kWh].
    calculated : tuple of str
        ``"opening"`` and ``"closing"``, where no meter showed it.
    """

    start: pd.Timestamp
    end: pd.Timestamp
    opening: Decimal
    closing: Decimal
    factor: Decimal
    used: Decimal
    calculated: tuple[str, ...] = ()


@dataclass(frozen=True)
class Letter:
    """Who bills whom, for the first page of a statement.

    Parameters
    ----------
    sender, contact, payment_terms : str
        The landlord's name, whom to ask, how to pay.
    sender_address, remit_to, address : tuple of str
        Lines: of the landlord, where to pay, of the tenant.
    account, unit, number : str
        The tenant's account and unit, the statement's number.
    issued, due : date or None
        When it was made, and until when it is payable.
    logo : str
        A picture's file (PNG or JPEG).
    accent : str
        A colour, ``"#1f6feb"``.
    not_from_utility : bool
        Say that the bill does not come from the utility.
    area_unit : str
        Of rented areas, e.g. ``"m²"``.
    schedule : str
        The utility's rate schedule.
    """

    sender: str = ""
    sender_address: tuple[str, ...] = ()
    contact: str = ""
    payment_terms: str = ""
    remit_to: tuple[str, ...] = ()
    account: str = ""
    unit: str = ""
    address: tuple[str, ...] = ()
    number: str = ""
    issued: dt.date | None = None
    due: dt.date | None = None
    logo: str = ""
    accent: str = ""
    not_from_utility: bool = True
    area_unit: str = ""
    schedule: str = ""


@dataclass(frozen=True)
class Reading:
    """What one element's register showed at the edges of a period.

    Parameters
    ----------
    element : str
        The element.
    open_at, close_at : Timestamp or None
        When the last reading at or before the start, the first at or after the end was taken.
    open_reading, close_reading : Decimal or None
        Their register values [kWh]; None where there is no register.
    open_interpolated, close_interpolated : bool
        Whether the edge lies between two readings.
    energy : Decimal or None
        Energy of the period [kWh].
    coverage : float
        Covered share of the period, 0 to 1.
    status : str
        ``recorded``, ``estimated``, ``partial`` or ``missing``.
    flags : tuple of str
        What happened to the readings.
    unit : str
        Of readings and energy.
    lo, hi : Decimal or None
        Bounds of the energy, where the readings give any [kWh].
    ct : str
        What the meter measures through, e.g. ``"CT 100 A"``: readings hold its ratio already.
    exchanges : tuple of Exchange
        Exchanges of the meter within the period.
    parts : tuple of Part
        Where a factor corrects the meter: what it showed and counts for, part by part.
    """

    element: str
    open_at: pd.Timestamp | None
    open_reading: Decimal | None
    open_interpolated: bool
    close_at: pd.Timestamp | None
    close_reading: Decimal | None
    close_interpolated: bool
    energy: Decimal | None
    coverage: float
    status: str
    flags: tuple[str, ...] = ()
    unit: str = "kWh"
    lo: Decimal | None = None
    hi: Decimal | None = None
    ct: str = ""
    exchanges: tuple[Exchange, ...] = ()
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True)
class Past:
    """An earlier period, to compare with.

    Parameters
    ----------
    label : str
        E.g. ``"2023-11"``.
    quantity : Decimal or None
        [unit]; None where it is not known.
    unit : str
        Of the quantity.
    amount : Decimal or None
        [currency]
    start, end : Timestamp or None
        ``[start, end)``; without them it is on the audit sheet alone.
    """

    label: str
    quantity: Decimal | None
    unit: str = "kWh"
    amount: Decimal | None = None
    start: pd.Timestamp | None = None
    end: pd.Timestamp | None = None


def _differing_lines(of: Statement) -> Iterator[str]:
    """Each amount against quantity and rate; taxes and minimums against what they were taken of."""
    for x in of.lines:
        if x.quantity is None:
            continue
        if x.rate is not None:
            again = rounded(EXACT.multiply(x.quantity, x.rate), of.digits, of.rounding)
            if again != x.amount:
                yield f"Line {x.name!r}: {x.quantity} × {x.rate} is {again}, printed is {x.amount}."
            # The base of a tax or minimum is money: its decimals are the currency's.
            if x.kind not in {"minimum", "tax"} and rounded(x.quantity, of.places) != x.quantity:
                yield f"Line {x.name!r}: quantity {x.quantity} is finer than {of.places} places."
        if x.of:
            base = add(y.amount for y in of.lines if y.charge in x.of and y is not x)
            if x.limit is not None:
                base = max(EXACT.subtract(x.limit, base), Decimal(0))
            if rounded(base, of.digits, of.rounding) != x.quantity:
                due = f"the lines it is taken of give {base}"
                yield f"Line {x.name!r}: {due}, printed is {x.quantity}."


def _differing_readings(of: Statement) -> Iterator[str]:
    """The energy against its bounds; closing less opening reading where nothing lies between."""
    for r in of.readings:
        if r.energy is None:
            continue
        if r.lo is not None and r.hi is not None and not r.lo <= r.energy <= r.hi:
            yield f"Element {r.element!r}: {r.energy} {r.unit} is not between {r.lo} and {r.hi}."
        if r.open_reading is None or r.close_reading is None or r.status != "recorded":
            continue
        if r.open_interpolated or r.close_interpolated or set(r.flags) - {"gap_bridged"}:
            continue
        between = EXACT.subtract(r.close_reading, r.open_reading)
        if rounded(between, of.places) != r.energy:
            yield (
                f"Element {r.element!r}: {r.close_reading} less {r.open_reading} is {between}, "
                f"printed is {r.energy} {r.unit}."
            )


@dataclass(frozen=True, repr=False)
class Statement(WithCard):
    """What one party owes for one period, with the record to check it by.

    Parameters
    ----------
    party, title : str
        Who pays, and what the paper is called.
    start, end : Timestamp
        The period ``[start, end)``.
    tz : str
        The zone in which times are printed.
    currency : str
        ISO 4217 code; it decides the decimals of amounts.
    lines : tuple of Line
        In their order.
    total : Decimal
        [currency]; by default the sum of the lines.
    readings : tuple of Reading
        The party's own, one per element.
    comparison : tuple of Past
        Earlier periods, the oldest first.
    tariff : mapping, optional
        The rates that were applied, as plain data.
    places : int or None
        Decimals of quantities; None where nothing was rounded.
    rounding : str
        ``"half-up"`` or ``"half-even"``.
    notes : tuple of str
        What a reader must know.
    read_at : Timestamp or None
        When the readings were read.
    version : str
        dentframe's.
    comparison_note : str
        Why there is no comparison, or what must be known of it.
    held_from, held_to : Timestamp or None
        The party's own dates, where a split's are not those of the bill.
    draft : bool
        Whether exceptions are open: every page, sheet and table says so.
    letter : Letter or None
        Who bills whom, for the first page.
    daily : tuple of Day
        The party's own use day by day, for the chart of the first page.
    locale : str
        How numbers, dates and money are written, e.g. ``"de-DE"``; ``""`` needs no Babel.

    Examples
    --------
    >>> import pandas as pd
    >>> may = pd.Timestamp("2024-05-01", tz="UTC"), pd.Timestamp("2024-06-01", tz="UTC")
    >>> line = Line("Energy", "energy", Decimal("10.00"), "kWh", Decimal("0.25"), Decimal("2.50"))
    >>> Statement("Bakery", "Electricity", *may, "UTC", "USD", (line,)).total
    Decimal('2.50')
    """

    party: str
    title: str
    start: pd.Timestamp
    end: pd.Timestamp
    tz: str
    currency: str
    lines: tuple[Line, ...]
    total: Decimal = Decimal("NaN")
    readings: tuple[Reading, ...] = ()
    comparison: tuple[Past, ...] = ()
    tariff: Mapping[str, Any] | None = None
    places: int | None = 2
    rounding: str = "half-up"
    notes: tuple[str, ...] = ()
    read_at: pd.Timestamp | None = None
    version: str = ""
    comparison_note: str = ""
    held_from: pd.Timestamp | None = None
    held_to: pd.Timestamp | None = None
    draft: bool = False
    letter: Letter | None = None
    daily: tuple[Day, ...] = ()
    locale: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "lines", tuple(self.lines))
        if self.total.is_nan():
            object.__setattr__(self, "total", add(x.amount for x in self.lines))
        if not self.version:
            object.__setattr__(self, "version", version("dentframe"))

    @property
    def digits(self) -> int | None:
        """Decimals of the amounts; None where nothing was rounded."""
        return None if self.places is None else digits_of(self.currency)

    def check(self) -> list[str]:
        """Re-compute the statement from its own record.

        Each amount from quantity and rate, each tax and minimum from its lines, the energy from
        its readings and against its bounds, the total. `dentframe.verify` re-computes shares.

        Returns
        -------
        list of str
            What differs, a sentence each.

        Raises
        ------
        ConfigError
            For `places` or `rounding` that cannot be meant.

        Examples
        --------
        >>> import pandas as pd
        >>> may = pd.Timestamp("2024-05-01", tz="UTC"), pd.Timestamp("2024-06-01", tz="UTC")
        >>> line = Line("Energy", "energy", Decimal("10.00"), "kWh", Decimal("0.25"), Decimal(3))
        >>> Statement("Bakery", "Electricity", *may, "UTC", "USD", (line,)).check()
        ["Line 'Energy': 10.00 × 0.25 is 2.50, printed is 3."]
        """
        found = [*_differing_lines(self), *_differing_readings(self)]
        total = add(x.amount for x in self.lines)
        if total != self.total:
            found.append(f"Total: the lines add up to {total}, printed is {self.total}.")
        return found

    def to_dict(self) -> dict[str, Any]:
        """Plain data, safe for JSON; `from_dict` reads it back.

        Returns
        -------
        dict
            The fields, amounts and times as text, and ``schema``, the layout they are in.
        """
        return {"schema": SCHEMA, **plain(self, texts=True, defaults=True)}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Statement:
        """A statement from `to_dict`.

        Parameters
        ----------
        data : mapping
            Plain data.

        Raises
        ------
        ConfigError
            For a field that is unknown, missing or cannot be read, or another layout.
        """
        rest = dict(data)
        layout = rest.pop("schema", None)
        if layout != SCHEMA:
            raise ConfigError(
                f"Cannot read this statement: its schema is {layout!r}, and this dentframe reads "
                f"{SCHEMA}. Another version of dentframe may have written it: update dentframe."
            )
        try:
            Table(rest, "this statement").fields_of(Statement)
        except ConfigError as e:
            raise ConfigError(f"{e} A later version of dentframe may have written it.") from None
        try:
            return msgspec.convert(rest, Statement, dec_hook=_time)
        except (msgspec.ValidationError, ValueError) as e:
            raise ConfigError(f"Cannot read this statement: {e}.") from None

    def to_frame(self) -> pd.DataFrame:
        """The lines as a frame.

        Returns
        -------
        DataFrame
            One row a line, shape (lines, fields of `Line`); quantities [unit], rates [currency
            per unit] and amounts [currency] as Decimal.
        """
        columns = {x: [getattr(line, x) for line in self.lines] for x in LINE_FIELDS}
        return pd.DataFrame({x: pd.Series(v, dtype=object) for x, v in columns.items()})

    def to_csv(self, path: str | Path | None = None) -> str:
        """Everything the statement says as CSV text.

        Parameters
        ----------
        path : str or Path, optional
            Where to write it (UTF-8).

        Returns
        -------
        str
            One table. ``section`` says what a row is: ``charges`` (the fields of `Line`),
            ``total``, ``about`` (who, when, zone, tariff), ``readings``, ``parts`` (of a corrected
            meter; its multiplier is the rate), ``daily``, ``earlier`` (periods to compare with),
            ``words`` (what statuses and flags mean) or ``notes``.

        Notes
        -----
        A text that begins with ``= + - @``, a tab or a line end (also after apostrophes) would be
        run by a spreadsheet: it gets an apostrophe before it. Numbers stay numbers.

        Examples
        --------
        >>> import io
        >>> import pandas as pd
        >>> may = pd.Timestamp("2024-05-01", tz="UTC"), pd.Timestamp("2024-06-01", tz="UTC")
        >>> line = Line("Energy", "energy", Decimal(10), "kWh", Decimal("0.25"), Decimal("2.50"))
        >>> text = Statement("Bakery", "Electricity", *may, "UTC", "USD", (line,)).to_csv()
        >>> table = pd.read_csv(io.StringIO(text), dtype=str)
        >>> table[table["section"] == "charges"][["name", "amount"]].to_dict("records")
        [{'name': 'Energy', 'amount': '2.50'}]
        """
        from dentframe.documents.statement_csv_and_excel import statement_csv

        return statement_csv(self, path)

    def to_excel(self, path: str | Path) -> Path:
        """A workbook whose amounts are live formulas, with the party's own readings.

        Parameters
        ----------
        path : str or Path
            An ``.xlsx`` file. Texts are escaped as in `to_csv`.

        Returns
        -------
        Path
            Where it is.

        Raises
        ------
        MissingExtraError
            Where XlsxWriter is not installed (extra ``excel``).
        """
        from dentframe.documents.statement_csv_and_excel import statement_workbook

        return statement_workbook(self, path)

    def to_html(self, path: str | Path | None = None, *, template: str | Path | None = None) -> str:
        """A page that prints well and follows the reader's light or dark setting.

        Parameters
        ----------
        path : str or Path, optional
            Where to write it (UTF-8).
        template : str or Path, optional
            Your own jinja2 template file instead of the one that comes with dentframe. It gets
            ``statement``, the texts ``title``, ``total`` and ``comparison_note``, the pairs of
            texts ``head`` and ``explained``, the texts ``foot``, the tables of texts ``lines``,
            ``readings`` and ``comparison``, and ``rated``: whether any line has a rate.

        Returns
        -------
        str

        Raises
        ------
        MissingExtraError
            Where jinja2 is not installed (extra ``report``).
        ConfigError
            For a template that cannot be read or filled.
        """
        from dentframe.documents.statement_and_portfolio_html import statement_page

        return statement_page(self, path, template=template)

    def to_pdf(self, path: str | Path, *, font: Font = None) -> Path:
        """A PDF file, on Letter for USD, CAD and MXN, on A4 for other currencies.

        Parameters
        ----------
        path : str or Path
            Where to write it.
        font : str, Path or list of them, optional
            TrueType files; a later one gives the letters that those before it lack. Without it
            the built-in Helvetica writes Western European letters; for others a common font of
            this machine is taken (matplotlib's DejaVu Sans first). No letter is ever replaced.

        Returns
        -------
        Path
            Where it was written.

        Raises
        ------
        MissingExtraError
            Where fpdf2 is not installed (extra ``report``).
        ConfigError
            For letters that no font at hand can write, named; or a file that is no font.
        """
        from dentframe.documents.statement_pdf import write

        return write(self, path, font=font)

    def _card(self) -> Card:
        from dentframe.documents.statement_and_portfolio_html import terminal_card

        return terminal_card(self)

    def _notebook_card(self) -> Card:
        from dentframe.documents.statement_and_portfolio_html import notebook_card

        return notebook_card(self)


class Statements(tuple[Statement, ...]):
    """The tenants' statements, by position or by the party's name."""

    __slots__ = ()

    @overload
    def __getitem__(self, key: SupportsIndex | str) -> Statement: ...
    @overload
    def __getitem__(self, key: slice) -> Statements: ...
    def __getitem__(self, key: SupportsIndex | slice | str) -> Statement | Statements:
        if isinstance(key, slice):
            return Statements(super().__getitem__(key))
        if not isinstance(key, str):
            return super().__getitem__(key)
        if key not in self.parties:
            there = ", ".join(self.parties) or "none"
            raise KeyError(f"no statement of {key!r}; there are {there}")
        return super().__getitem__(self.parties.index(key))

    def __repr__(self) -> str:
        return f"Statements of {', '.join(self.parties) or 'nobody'}"

    @property
    def parties(self) -> list[str]:
        """Whose they are."""
        return [s.party for s in self]


SCHEMA = 2
"""The layout of plain data; another one is refused."""


def _time(_: Any, value: Any) -> pd.Timestamp:
    return pd.Timestamp(value).as_unit("us")
