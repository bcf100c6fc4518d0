"""A statement: lines that add up, and what they rest on. Frozen; its outputs are functions."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from dentframe.money.lines import Line, Past, Reading, priced
from dentframe.money.rounding import add, digits_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pandas as pd

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
        Of dentframe.

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

        Returns
        -------
        list of str
            What differs, one sentence each; empty where everything adds up.
        """
        from dentframe.money.checks import differences

        return differences(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, safe for JSON; `from_dict` reads it back."""
        from dentframe.money.codec import plain

        found: dict[str, Any] = plain(self)
        return found

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Statement:
        """A statement from `to_dict`.

        Raises
        ------
        ConfigError
            For a field that is unknown, missing or cannot be read.
        """
        from dentframe.money.codec import statement_of

        return statement_of(data)

    def to_frame(self) -> pd.DataFrame:
        """One row a line: the fields of `Line`, quantities and amounts as Decimal."""
        from dentframe.money.output.tables import frame

        return frame(self)

    def to_csv(self, path: str | Path | None = None) -> str:
        """The lines as CSV text, written to `path` where one is given.

        Cells that a spreadsheet would run as a formula are escaped with an apostrophe.
        """
        from dentframe.money.output.tables import csv

        return csv(self, path)

    def to_excel(self, path: str | Path) -> Path:
        """A workbook whose amounts are live formulas, with the party's own readings.

        Raises
        ------
        MissingExtraError
            Where openpyxl is not installed (extra ``excel``).
        """
        from dentframe.money.output.excel import write

        return write(self, path)

    def to_html(self, path: str | Path | None = None, *, template: str | Path | None = None) -> str:
        """A page that prints well, written to `path` where one is given.

        Parameters
        ----------
        path : str or Path, optional
            Where to write it.
        template : str or Path, optional
            Your own jinja2 template file instead of the one that comes with dentframe; it gets
            ``statement`` and the tables ``lines``, ``readings``, ``comparison``.

        Raises
        ------
        MissingExtraError
            Where jinja2 is not installed (extra ``report``).
        """
        from dentframe.money.output.html import page

        return page(self, path, template=template)

    def to_pdf(self, path: str | Path, *, font: str | Path | None = None) -> Path:
        """A PDF file.

        Parameters
        ----------
        path : str or Path
            Where to write it.
        font : str or Path, optional
            A TrueType file, for names that the built-in Latin fonts cannot write.

        Raises
        ------
        MissingExtraError
            Where fpdf2 is not installed (extra ``report``).
        ConfigError
            For a text that the font cannot write.
        """
        from dentframe.money.output.pdf import write

        return write(self, path, font=font)

    def _repr_html_(self) -> str:
        from dentframe.money.output.html import fragment

        return fragment(self)


__all__ = ["Line", "Past", "Reading", "Statement", "priced"]
