"""A statement: lines that add up, and what they rest on. Frozen; its outputs are functions."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from dentframe.money.lines import Line, Past, Reading, priced
from dentframe.money.rounding import add, digits_of
from dentframe.shown import text_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pandas as pd

    from dentframe.money.output.fonts import Font

_UNSET = Decimal("NaN")


@dataclass(frozen=True)
class Statement:
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
    total: Decimal = _UNSET
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

    def __post_init__(self) -> None:
        object.__setattr__(self, "lines", tuple(self.lines))
        if self.total.is_nan():
            object.__setattr__(self, "total", add([x.amount for x in self.lines]))
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
        from dentframe.money.checks import differences

        return differences(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, safe for JSON; `from_dict` reads it back.

        Returns
        -------
        dict
            The fields, amounts and times as text, and ``schema``, the layout they are in.
        """
        from dentframe.money.codec import dict_of

        return dict_of(self)

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Statement:
        """A statement from `to_dict`, also from that of an older layout.

        Parameters
        ----------
        data : mapping
            Plain data; fields that an older layout lacks take their defaults.

        Raises
        ------
        ConfigError
            For a field that is unknown, missing or cannot be read, or a later layout.
        """
        from dentframe.money.codec import statement_of

        return statement_of(data)

    def to_frame(self) -> pd.DataFrame:
        """The lines as a frame.

        Returns
        -------
        DataFrame
            One row a line, shape (lines, fields of `Line`); quantities [unit], rates [currency
            per unit] and amounts [currency] as Decimal.
        """
        from dentframe.money.output.tables import frame

        return frame(self)

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
            ``total``, ``about`` (who, when, zone, tariff), ``readings``, ``earlier`` (periods to
            compare with), ``words`` (what statuses and flags mean) or ``notes``.

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
        from dentframe.money.output.csv_file import text

        return text(self, path)

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
            Where openpyxl is not installed (extra ``excel``).
        """
        from dentframe.money.output.excel import write

        return write(self, path)

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
        from dentframe.money.output.html import page

        return page(self, path, template=template)

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
        from dentframe.money.output.pdf import write

        return write(self, path, font=font)

    def __repr__(self) -> str:
        from dentframe.money.output.card import statement

        return text_of(statement, self)

    def _repr_html_(self) -> str:
        from dentframe.money.output.html import fragment

        return fragment(self)


__all__ = ["Line", "Past", "Reading", "Statement", "priced"]
