"""Statements and the tables of a run are written as workbooks.

A statement's amounts are formulas that compute what the statement computed; its first sheet
shows the same as values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dentframe.documents import tables
from dentframe.documents.csv import is_missing, text_of
from dentframe.documents.first_page import first_page
from dentframe.documents.tables import explained, labels, moment, visible
from dentframe.errors import missing_extra
from dentframe.frame.tables import excel_text

if TYPE_CHECKING:
    import pandas as pd

    from dentframe.money.statement import Line, Statement


def save_workbook(found: Mapping[str, pd.DataFrame], path: Path) -> None:
    """Write tables as the sheets of one workbook; decimals and numbers stay numbers."""
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    for name, table in found.items():
        sheet = book.create_sheet(name)
        sheet.freeze_panes = "A2"
        sheet.append([excel_text(sheet, visible(str(c))) for c in table.columns])
        for row in table.to_numpy(dtype=object):
            sheet.append([_sheet_cell(sheet, x) for x in row])
    book.save(path)


def _sheet_cell(sheet: Any, value: Any) -> Any:
    if isinstance(value, bool | int | float | Decimal) and not is_missing(value):
        return value
    return excel_text(sheet, text_of(value)) or None


def quantity(x: Line, of: Statement, first: int) -> Decimal | str | None:
    """A line's quantity, or the formula of a tax's or minimum's base.

    Parameters
    ----------
    x : Line
        The line.
    of : Statement
        Its statement.
    first : int
        The row of the statement's first line.
    """
    if not x.of:
        return x.quantity
    own = [i for i, y in enumerate(of.lines) if y.charge in x.of and y is not x]
    base = "+".join(f"F{first + i}" for i in own) or "0"
    return f"={base}" if x.limit is None else f"=MAX({x.limit}-({base}),0)"


def amount(row: int, x: Line, of: Statement) -> Decimal | str:
    """Quantity times rate, rounded as the statement rounds it; the amount where it was shared.

    A product in binary may lie just below a half, and not every spreadsheet corrects that: it
    is first made whole in units of its own last decimal.
    """
    if x.quantity is None or x.rate is None:
        return x.amount
    product = f"C{row}*E{row}"
    if of.digits is None:
        return f"={product}"
    fine = max(decimals(x.quantity) + decimals(x.rate), of.digits)
    units = f"ROUND({product}*10^{fine},0)/10^{fine - of.digits}"
    if of.rounding == "half-up":
        return f"=ROUND({units},0)/10^{of.digits}"
    # Spreadsheets round halves away from zero: twice the rounded half of a half is even.
    return (
        f"=IF(ABS({units})-INT(ABS({units}))=0.5,2*ROUND({units}/2,0),ROUND({units},0))"
        f"/10^{of.digits}"
    )


def decimals(value: Decimal | None) -> int:
    """How many decimals a number has."""
    exponent = 0 if value is None else value.as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0


SHEET_COLUMNS = (
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


def statement_workbook(of: Statement, path: str | Path) -> Path:
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
    _first(book.active, of)
    _statement(book.create_sheet("Statement"), of)
    _readings(book.create_sheet("Readings"), of)
    if of.comparison:
        _comparison(book.create_sheet("Comparison"), of)
    if of.draft:
        for sheet in book:
            head: Any = sheet.oddHeader  # the library says that it may be None; it never is
            sheet.title = f"{tables.DRAFT} {sheet.title}"
            head.center.text, head.center.size = tables.DRAFT, 40
            sheet.sheet_properties.tabColor = "9A3412"
    book.save(path)
    return Path(path)


# --- page one ----------------------------------------------------------------------------


def _first(sheet: Any, of: Statement) -> None:
    """What is owed, for what and to whom: numbers here are values, seen without computing."""
    from openpyxl.styles import Font

    sheet.title = "Bill"
    page = first_page(of)
    for text in (*page.sender, "", *page.to, "", tables.title(of)):
        _row(sheet, [text])
    sheet.cell(sheet.max_row, 1).font = Font(bold=True, size=16)
    for fact in page.facts:
        _row(sheet, fact)
    _row(sheet, [])
    _row(sheet, [page.due, of.currency, None, abs(of.total)])
    for cell in sheet[sheet.max_row]:
        cell.font = Font(bold=True, size=16)
    charged = [
        [texts["name"], texts["quantity"], texts["rate"], x.amount]
        for texts, x in zip(page.charges, of.lines, strict=True)
    ]
    head = ["For", "Quantity", "Rate", f"Amount [{of.currency}]"]
    _first_table(sheet, [head, *charged, ["Total", None, None, of.total]])
    _emphasised(sheet, sheet.max_row)
    for cell in sheet["D"]:
        cell.number_format = _format(of.digits)
    if page.meters:
        meters = [
            ["\n".join(x for x in (m[k] for k in names) if x) for names in _METER]
            for m in page.meters
        ]
        _first_table(
            sheet, [["Your meters", "Previous reading", "Current reading", "Used"], *meters]
        )
    _row(sheet, [])
    _widths(sheet, (46, 30, 30, 24))
    sheet.page_setup.orientation = "portrait"
    for text in (*page.told, *page.closing):
        _wide(sheet, text, 4, 110)


def _first_table(sheet: Any, rows: Sequence[Sequence[Any]]) -> None:
    """Rows below an empty one, the first of them bold, texts and numbers to their sides."""
    from openpyxl.styles import Alignment

    _row(sheet, [])
    first = sheet.max_row + 1
    for values in rows:
        _row(sheet, values)
    for row in sheet.iter_rows(min_row=first):
        for cell in row:
            side = "right" if cell.column > 1 else "left"
            cell.alignment = Alignment(wrap_text=True, vertical="top", horizontal=side)
    _emphasised(sheet, first)


def _emphasised(sheet: Any, row: int) -> None:
    from openpyxl.styles import Font

    for cell in sheet[row]:
        cell.font = Font(bold=True)


_METER = (
    ("element", "kind", "multiplier", "exchanged"), ("previous", "previous_at"),
    ("current", "current_at"), ("used", "differs"),
)  # fmt: skip
"""The texts of a meter in each of its cells."""


# --- the statement -----------------------------------------------------------------------


def _statement(sheet: Any, of: Statement) -> None:
    _row(sheet, [tables.title(of)])
    for row in tables.head(of):
        _row(sheet, row)
    _row(sheet, [])
    _row(sheet, SHEET_COLUMNS)
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
    for row in sheet.iter_rows(min_row=top, max_row=total, max_col=len(SHEET_COLUMNS)):
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
        _wide(sheet, f"{name}: {meaning}", len(SHEET_COLUMNS), _WIDE)
    for text in tables.foot(of):
        _wide(sheet, text, len(SHEET_COLUMNS), _WIDE)


def _wide(sheet: Any, text: str, columns: int, letters: int) -> None:
    """A sentence over the whole width: a merged cell does not find its height by itself."""
    from openpyxl.styles import Alignment

    _row(sheet, [text])
    at = sheet.max_row
    sheet.merge_cells(start_row=at, end_row=at, start_column=1, end_column=columns)
    sheet.cell(row=at, column=1).alignment = Alignment(wrap_text=True, vertical="top")
    sheet.row_dimensions[at].height = 15 * (1 + len(text) // letters)


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
    sheet.append([excel_text(sheet, visible(v)) if isinstance(v, str) else v for v in values])


def _format(places: int | None) -> str:
    if places is None:
        return "General"
    return "#,##0." + "0" * places if places else "#,##0"


def _share(coverage: float | None) -> float | None:
    """Rounded down, as in print: 100 % is shown only where it is."""
    return None if coverage is None else int(coverage * 10000) / 10000


def _yes(value: bool) -> str:
    return "yes" if value else "no"
