"""A statement as a workbook with live formulas."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dentframe.errors import missing_extra
from dentframe.money.checks import MONEY
from dentframe.money.output.tables import foot, head, moment, safe

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from dentframe.money.statement import Line, Statement

COLUMNS = ("Line", "Element", "Quantity", "Unit", "Rate", "Amount", "Status", "Coverage", "Note")
READINGS = (
    "Element", "Opening time", "Opening reading", "Opening interpolated", "Closing time",
    "Closing reading", "Closing interpolated", "Energy", "Unit", "Coverage", "Status", "Flags",
)  # fmt: skip
_WIDTHS = (30, 16, 14, 10, 12, 14, 12, 10, 48)


def write(of: Statement, path: str | Path) -> Path:
    """Write the workbook and return where.

    Parameters
    ----------
    of : Statement
        The statement.
    path : str or Path
        An ``.xlsx`` file.
    """
    try:
        from openpyxl import Workbook
    except ImportError:
        raise missing_extra("write a workbook", "excel") from None
    book = Workbook()
    _statement(book.active, of)
    _readings(book.create_sheet("Readings"), of)
    if of.comparison:
        _comparison(book.create_sheet("Comparison"), of)
    book.save(path)
    return Path(path)


def _statement(sheet: Any, of: Statement) -> None:
    sheet.title = "Statement"
    _row(sheet, [of.title])
    for row in head(of):
        _row(sheet, row)
    _row(sheet, [])
    _row(sheet, COLUMNS)
    top = sheet.max_row
    for i, x in enumerate(of.lines):
        at = top + 1 + i
        _row(sheet, [x.name, x.element, None, x.unit, None, None, x.status, x.coverage, x.note])
        _put(sheet, at, x, of, top + 1)
    last = top + len(of.lines)
    _row(sheet, ["Total", "", None, of.currency, None])
    total = sheet.cell(row=last + 1, column=6, value=f"=SUM(F{top + 1}:F{last})")
    total.number_format = _format(of.digits)
    _row(sheet, [])
    for text in foot(of):
        _row(sheet, [text])
    _dress(sheet, top, last + 1)


def _put(sheet: Any, row: int, x: Line, of: Statement, first: int) -> None:
    """Quantity, rate and amount of a line: formulas where the statement computed them."""
    quantity = sheet.cell(row=row, column=3, value=_quantity(x, of, first))
    quantity.number_format = _format(of.digits if x.kind in MONEY else of.places)
    sheet.cell(row=row, column=5, value=x.rate)
    priced = x.quantity is not None and x.rate is not None
    amount = sheet.cell(row=row, column=6, value=_amount(row, x, of) if priced else x.amount)
    amount.number_format = _format(of.digits)


def _quantity(x: Line, of: Statement, first: int) -> Any:
    if not x.of:
        return x.quantity
    own = [i for i, y in enumerate(of.lines) if y.charge in x.of and y is not x]
    base = "+".join(f"F{first + i}" for i in own) or "0"
    return f"={base}" if x.limit is None else f"=MAX({x.limit}-({base}),0)"


def _amount(row: int, x: Line, of: Statement) -> str:
    """Quantity times rate, rounded as the statement rounds it.

    A product in binary may lie just below a half, and not every spreadsheet corrects that: it
    is first made whole in units of its own last decimal.
    """
    product = f"C{row}*E{row}"
    if of.digits is None:
        return f"={product}"
    fine = max(_decimals(x.quantity) + _decimals(x.rate), of.digits)
    units = f"ROUND({product}*10^{fine},0)/10^{fine - of.digits}"
    if of.rounding == "half-up":
        return f"=ROUND({units},0)/10^{of.digits}"
    # Spreadsheets round halves away from zero: twice the rounded half of a half is even.
    return (
        f"=IF(ABS({units})-INT(ABS({units}))=0.5,2*ROUND({units}/2,0),ROUND({units},0))"
        f"/10^{of.digits}"
    )


def _decimals(value: Decimal | None) -> int:
    exponent = 0 if value is None else value.as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0


def _format(places: int | None) -> str:
    if places is None:
        return "General"
    return "#,##0." + "0" * places if places else "#,##0"


def _row(sheet: Any, values: Sequence[Any]) -> None:
    """A row whose texts stay texts, whatever they begin with."""
    sheet.append([safe(v) if isinstance(v, str) else v for v in values])


def _dress(sheet: Any, top: int, total: int) -> None:
    from openpyxl.styles import Alignment, Font

    for cell in [*sheet[1], *sheet[top], *sheet[total]]:
        cell.font = Font(bold=True)
    for row in sheet.iter_rows(min_row=top + 1, max_row=total, min_col=9, max_col=9):
        row[0].alignment = Alignment(wrap_text=True, vertical="top")
    for letter, width in zip("ABCDEFGHI", _WIDTHS, strict=True):
        sheet.column_dimensions[letter].width = width
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True


def _readings(sheet: Any, of: Statement) -> None:
    _row(sheet, READINGS)
    for r in of.readings:
        opened = [moment(r.open_at, of.tz), r.open_reading, _yes(r.open_interpolated)]
        closed = [moment(r.close_at, of.tz), r.close_reading, _yes(r.close_interpolated)]
        state = [r.energy, r.unit, r.coverage, r.status, ", ".join(r.flags)]
        _row(sheet, [r.element, *opened, *closed, *state])
    _widen(sheet)


def _comparison(sheet: Any, of: Statement) -> None:
    _row(sheet, ["Period", "Quantity", "Unit", "Amount"])
    for p in of.comparison:
        _row(sheet, [p.label, p.quantity, p.unit, p.amount])
    _widen(sheet)


def _widen(sheet: Any) -> None:
    from openpyxl.styles import Font

    for cell in sheet[1]:
        cell.font = Font(bold=True)
        sheet.column_dimensions[cell.column_letter].width = 22


def _yes(value: bool) -> str:
    return "yes" if value else "no"
