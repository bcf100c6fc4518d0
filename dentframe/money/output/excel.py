"""A statement as a workbook with live formulas."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dentframe.errors import missing_extra
from dentframe.money.output import tables
from dentframe.money.output.cells import moment, safe, visible
from dentframe.money.output.explanations import explained, labels
from dentframe.money.output.formulas import amount, decimals, quantity

if TYPE_CHECKING:
    from dentframe.money.statement import Line, Statement

COLUMNS = (
    "Line", "Element", "Quantity", "Unit", "Rate", "Amount", "Status", "Coverage", "Note",
    "Readings",
)  # fmt: skip
READINGS = (
    "Element", "Opening time", "Opening reading", "Opening before the beginning", "Closing time",
    "Closing reading", "Closing after the end", "Energy", "At least", "At most", "Unit",
    "Coverage", "Status", "Readings",
)  # fmt: skip
_WIDTHS = (32, 24, 14, 13, 12, 14, 12, 11, 44, 44)
_READING_WIDTHS = (28, 22, 17, 27, 22, 17, 22, 14, 14, 14, 8, 11, 12, 60)
_WIDE = sum(_WIDTHS) - 20


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


# --- the statement -----------------------------------------------------------------------


def _statement(sheet: Any, of: Statement) -> None:
    sheet.title = "Statement"
    _row(sheet, [of.title])
    for row in tables.head(of):
        _row(sheet, row)
    _row(sheet, [])
    _row(sheet, COLUMNS)
    top = sheet.max_row
    for i, x in enumerate(of.lines):
        state = [x.status, _share(x.coverage), tables.note(x), labels(x.flags)]
        _row(sheet, [x.name, x.element, None, x.unit, None, None, *state])
        _put(sheet, top + 1 + i, x, of, top + 1)
    last = top + len(of.lines)
    _row(sheet, ["Total", "", None, of.currency, None])
    total = sheet.cell(row=last + 1, column=6, value=f"=SUM(F{top + 1}:F{last})")
    total.number_format = _format(of.digits)
    _dress(sheet, top, last + 1)
    _texts(sheet, of)


def _put(sheet: Any, row: int, x: Line, of: Statement, first: int) -> None:
    """Quantity, rate and amount of a line: formulas where the statement computed them."""
    used = sheet.cell(row=row, column=3, value=quantity(x, of, first))
    used.number_format = _format(max(decimals(y.quantity) for y in of.lines))
    rate = sheet.cell(row=row, column=5, value=x.rate)
    rate.number_format = _format(max(decimals(y.rate) for y in of.lines))
    owed = sheet.cell(row=row, column=6, value=amount(row, x, of))
    owed.number_format = _format(of.digits)


def _dress(sheet: Any, top: int, total: int) -> None:
    from openpyxl.styles import Alignment, Border, Font, Side

    for cell in [*sheet[1], *sheet[top], *sheet[total]]:
        cell.font = Font(bold=True, size=14 if cell.row == 1 else 11)
    for cell in sheet[total]:
        cell.border = Border(top=Side(style="medium"))
    for row in sheet.iter_rows(min_row=top, max_row=total, max_col=len(COLUMNS)):
        for cell in row:
            right = "right" if cell.column in {3, 5, 6, 8} else "left"
            cell.alignment = Alignment(wrap_text=True, vertical="top", horizontal=right)
    for row in sheet.iter_rows(min_row=top + 1, max_row=total, min_col=8, max_col=8):
        row[0].number_format = "0.00%"
    _widths(sheet, _WIDTHS)
    sheet.print_title_rows = f"{top}:{top}"


def _texts(sheet: Any, of: Statement) -> None:
    """Below the lines: what the words mean, notes, rounding, version."""
    _row(sheet, [])
    for name, meaning in explained(of):
        _told(sheet, f"{name}: {meaning}")
    for text in tables.foot(of):
        _told(sheet, text)


def _told(sheet: Any, text: str) -> None:
    """A sentence over the whole width: a merged cell does not find its height by itself."""
    from openpyxl.styles import Alignment

    _row(sheet, [text])
    at = sheet.max_row
    sheet.merge_cells(start_row=at, end_row=at, start_column=1, end_column=len(COLUMNS))
    sheet.cell(row=at, column=1).alignment = Alignment(wrap_text=True, vertical="top")
    sheet.row_dimensions[at].height = 15 * (1 + len(text) // _WIDE)


# --- readings and earlier periods ---------------------------------------------------------


def _readings(sheet: Any, of: Statement) -> None:
    _row(sheet, READINGS)
    for r in of.readings:
        opened = [moment(r.open_at, of.tz), r.open_reading, _yes(r.open_interpolated)]
        closed = [moment(r.close_at, of.tz), r.close_reading, _yes(r.close_interpolated)]
        state = [r.unit, _share(r.coverage), r.status, labels(r.flags)]
        _row(sheet, [r.element, *opened, *closed, r.energy, r.lo, r.hi, *state])
    _columns(sheet, _READING_WIDTHS)
    for row in sheet.iter_rows(min_row=2, min_col=12, max_col=12):
        row[0].number_format = "0.00%"


def _comparison(sheet: Any, of: Statement) -> None:
    _row(sheet, ["Period", "Quantity", "Unit", "Amount"])
    for p in of.comparison:
        _row(sheet, [p.label, p.quantity, p.unit, p.amount])
    _columns(sheet, (28, 16, 10, 16))
    if tables.comparison_note(of):
        _row(sheet, [])
        _row(sheet, [tables.comparison_note(of)])


def _columns(sheet: Any, widths: Sequence[float]) -> None:
    """A bold head that stays, and numbers of one column with the same decimals."""
    from openpyxl.styles import Alignment, Font

    for cell in sheet[1]:
        cell.font = Font(bold=True)
    for column in sheet.iter_cols(min_row=2):
        most = max((decimals(c.value) for c in column if isinstance(c.value, Decimal)), default=0)
        for cell in column:
            cell.alignment = Alignment(wrap_text=True, vertical="top")
            if isinstance(cell.value, Decimal):
                cell.number_format = _format(most)
    sheet.freeze_panes = "A2"
    sheet.print_title_rows = "1:1"
    _widths(sheet, widths)


def _widths(sheet: Any, widths: Sequence[float]) -> None:
    from openpyxl.utils import get_column_letter

    for i, width in enumerate(widths, 1):
        sheet.column_dimensions[get_column_letter(i)].width = width
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True


# --- cells -------------------------------------------------------------------------------


def _row(sheet: Any, values: Sequence[Any]) -> None:
    """A row whose texts stay texts, whatever they begin with."""
    sheet.append([safe(visible(v)) if isinstance(v, str) else v for v in values])


def _format(places: int | None) -> str:
    if places is None:
        return "General"
    return "#,##0." + "0" * places if places else "#,##0"


def _share(coverage: float | None) -> float | None:
    """Rounded down, as in print: 100 % is shown only where it is."""
    return None if coverage is None else int(coverage * 10000) / 10000


def _yes(value: bool) -> str:
    return "yes" if value else "no"
