"""Statements and the tables of a run are written as workbooks.

A statement's amounts are formulas that compute what the statement computed, and hold its values
for readers that do not compute; its first sheet shows the same as values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from locale import windows_locale
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dentframe.documents import audit_sheet
from dentframe.documents.audit_sheet import explained, labels, visible
from dentframe.documents.csv import is_missing, text_of
from dentframe.documents.first_page import (
    CHARGES,
    COMPARED,
    METERS,
    PARTS,
    first_page,
)
from dentframe.documents.formats import LETTER, formats
from dentframe.errors import missing_extra
from dentframe.frame.csv_and_excel import escaped

if TYPE_CHECKING:
    import pandas as pd

    from dentframe.money.statement import Line, Statement


class Formula(NamedTuple):
    """A formula, and the value that a reader sees who does not compute it."""

    text: str
    value: Decimal


class Book:
    """A workbook that is filled row by row, whose texts stay texts whatever they begin with."""

    def __init__(self, path: str | Path, draft: bool = False, paper: int = 9) -> None:
        try:
            import xlsxwriter
        except ImportError:
            raise missing_extra("write a workbook", "excel") from None
        self.made: Any = xlsxwriter.Workbook(str(path), {"nan_inf_to_errors": True})
        self._styles: dict[Any, Any] = {}
        self._draft, self._paper = draft, paper

    def sheet(self, name: str, widths: Sequence[float] = (), *, wide: bool = True) -> Sheet:
        """A new sheet with columns of these widths, printed one page wide."""
        made = self.made.add_worksheet(f"{audit_sheet.DRAFT} {name}" if self._draft else name)
        if self._draft:
            made.set_header(f"&C&40{audit_sheet.DRAFT}", {"margin": 0.2})
            made.set_margins(top=1)
            made.set_tab_color("#9A3412")
        for i, width in enumerate(widths):
            made.set_column(i, i, width)
        made.set_paper(self._paper)
        made.fit_to_pages(1, 0)
        if wide:
            made.set_landscape()
        return Sheet(self, made, widths)

    def style(self, **told: Any) -> Any:
        """A format; equal ones are one."""
        key = tuple(sorted(told.items()))
        if key not in self._styles:
            self._styles[key] = self.made.add_format({"valign": "top", **told})
        return self._styles[key]


class Sheet:
    """One sheet, and how many rows it has."""

    def __init__(self, book: Book, made: Any, widths: Sequence[float]) -> None:
        self.book, self.made, self.rows = book, made, 0
        self._widths = widths

    def row(self, values: Sequence[Any] = (), *styles: Mapping[str, Any]) -> None:
        """A row, as high as its texts need; the last style stands for the rest of its cells."""
        lines = max((self._lines(x, i) for i, x in enumerate(values)), default=1)
        size = max((x.get("font_size", 11) for x in styles), default=11)
        if styles and (lines > 1 or size > 11):
            self.made.set_row(self.rows, 15 * lines * size / 11)
        for i, value in enumerate(values):
            self._cell(i, value, dict(styles[min(i, len(styles) - 1)]) if styles else {})
        self.rows += 1

    def _lines(self, value: Any, column: int) -> int:
        if not isinstance(value, str) or column >= len(self._widths):
            return 1
        return sum(1 + int(len(x) / self._widths[column]) for x in value.split("\n"))

    def text(self, text: str, columns: int, letters: int) -> None:
        """A sentence over some columns: a merged cell does not find its height by itself."""
        self.made.merge_range(self.rows, 0, self.rows, columns - 1, "", self.book.style(**_TEXT))
        self.row([text], _TEXT)
        self.made.set_row(self.rows - 1, 15 * (1 + len(text) // letters))

    def _cell(self, column: int, value: Any, style: dict[str, Any]) -> None:
        if isinstance(value, str) and (escaped(value) != value or value.startswith("#")):
            style["quote_prefix"] = True
        at = self.rows, column, visible(value) if isinstance(value, str) else value
        told = self.book.style(**style)
        if isinstance(value, str):
            self.made.write_string(*at, told)
        elif isinstance(value, Formula):
            self.made.write_formula(*at[:2], value.text, told, value.value)
        elif value is not None or style:
            self.made.write(*at, told)


def save_workbook(found: Mapping[str, pd.DataFrame], path: Path, *, draft: bool = False) -> None:
    """Write tables as the sheets of one workbook; decimals and numbers stay numbers."""
    book = Book(path, draft)
    for name, table in found.items():
        sheet = book.sheet(name)
        sheet.made.freeze_panes(1, 0)
        sheet.row([str(c) for c in table.columns])
        for row in table.to_numpy(dtype=object):
            sheet.row([_value(x) for x in row])
    book.made.close()


def _value(value: Any) -> Any:
    number = isinstance(value, bool | int | float | Decimal) and not is_missing(value)
    return value if number and abs(value) != float("inf") else text_of(value) or None


def quantity(x: Line, of: Statement, first: int) -> Decimal | Formula | None:
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
    if not x.of or x.quantity is None:
        return x.quantity
    own = [i for i, y in enumerate(of.lines) if y.charge in x.of and y is not x]
    base = "+".join(f"F{first + i}" for i in own) or "0"
    return Formula(f"={base}" if x.limit is None else f"=MAX({x.limit}-({base}),0)", x.quantity)


def amount(row: int, x: Line, of: Statement) -> Decimal | Formula:
    """Quantity times rate, rounded as the statement rounds it; the amount where it was shared.

    A product in binary may lie just below a half, and not every spreadsheet corrects that: it
    is first made whole in units of its own last decimal.
    """
    if x.quantity is None or x.rate is None:
        return x.amount
    product = f"C{row}*E{row}"
    if of.digits is None:
        return Formula(f"={product}", x.amount)
    fine = max(decimals(x.quantity) + decimals(x.rate), of.digits)
    units = f"ROUND({product}*10^{fine},0)/10^{fine - of.digits}"
    if of.rounding == "half-up":
        return Formula(f"=ROUND({units},0)/10^{of.digits}", x.amount)
    # Spreadsheets round halves away from zero: twice the rounded half of a half is even.
    even = f"IF(ABS({units})-INT(ABS({units}))=0.5,2*ROUND({units}/2,0),ROUND({units},0))"
    return Formula(f"={even}/10^{of.digits}", x.amount)


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
_READING_WIDTHS = (28, 24, 17, 27, 24, 17, 22, 14, 14, 14, 8, 11, 12, 60)
_WIDE, _YES = sum(_WIDTHS) - 20, ("no", "yes")
_TEXT: dict[str, Any] = {"text_wrap": True}
_AFTER: dict[str, Any] = {"text_wrap": True, "align": "left", "indent": 1}
"""A text after a number: with a gap between them."""
_RIGHT: dict[str, Any] = {"text_wrap": True, "align": "right"}
_HEAD: dict[str, Any] = {"text_wrap": True, "bold": True}
_RIGHT_HEAD: dict[str, Any] = {**_HEAD, "align": "right"}
_PERCENT: dict[str, Any] = {"align": "right", "num_format": "0.00%"}


def statement_workbook(of: Statement, path: str | Path) -> Path:
    """Write the workbook and return where.

    Parameters
    ----------
    of : Statement
        The statement.
    path : str or Path
        An ``.xlsx`` file.
    """
    book = Book(path, of.draft, 1 if of.currency in LETTER else 9)
    book.made.set_properties(
        {"title": audit_sheet.title(of), "created": (of.read_at or of.end).tz_localize(None)}
    )
    _first(book.sheet("Bill", (44, 30, 30, 24), wide=False), of)
    _statement(book.sheet("Statement", _WIDTHS), of)
    _readings(book.sheet("Readings", _READING_WIDTHS), of)
    if of.daily:
        _days(book.sheet("Days", (16, 16, 34, 14)), of)
    if of.comparison:
        _comparison(book.sheet("Comparison", (28, 16, 10, 16)), of)
    book.made.close()
    return Path(path)


# --- page one ----------------------------------------------------------------------------


def _first(sheet: Sheet, of: Statement) -> None:
    """What is owed, for what and to whom: numbers here are values, seen without computing."""
    page = first_page(of)
    large: dict[str, Any] = {"bold": True, "font_size": 16}
    money = {**_RIGHT, "num_format": _format(of, of.digits)}
    for text in (*page.sender, "", *page.to, ""):
        sheet.row([text])
    sheet.row([audit_sheet.title(of)], large)
    sheet.row([page.mark], {"bold": True, "font_color": "#9A3412"})
    for fact in page.facts:
        sheet.row(fact)
    sheet.row()
    sheet.row([page.due, of.currency, None, abs(of.total)], large, {**large, **money, "bold": True})
    sheet.row()
    sheet.row([*(head for head, _ in CHARGES[:-1]), f"Amount [{of.currency}]"], _HEAD, _RIGHT_HEAD)
    for texts, x in zip(audit_sheet.cells(page.charges, CHARGES), of.lines, strict=True):
        sheet.row([*texts[:-1], x.amount], _TEXT, _RIGHT, _RIGHT, money)
    sheet.row(["Total", None, None, of.total], _HEAD, {**money, "bold": True})
    for title, layout, found in (
        ("Your meters", METERS, page.meters),
        ("Corrected readings, part by part", PARTS, page.parts),
        ("Compared with earlier bills", COMPARED, page.compared),
    ):
        if found:
            sheet.row()
            sheet.row([title, *(head for head, *_ in layout[1:])], _HEAD, _RIGHT_HEAD)
        for texts in audit_sheet.cells(found, layout):
            sheet.row(texts, _TEXT, _RIGHT)
    sheet.row([page.compared_note])
    if page.chart:
        _chart(sheet, of)
    sheet.row()
    notes = [page.chart.note] if page.chart else []
    for text in (*notes, *page.told, *page.closing):
        if text:
            sheet.text(text, 4, 110)


def _chart(sheet: Sheet, of: Statement) -> None:
    """The chart of the sheet of days; estimated and partial ones are hatched."""
    name = f"{audit_sheet.DRAFT} Days" if of.draft else "Days"
    chart = sheet.book.made.add_chart({"type": "column", "subtype": "stacked"})
    last = len(of.daily)
    fills: tuple[dict[str, Any], ...] = (
        {"fill": {"color": "#5B8DB8"}},
        {"pattern": {"pattern": "wide_upward_diagonal", "fg_color": "#5B8DB8"}},
    )
    for column, fill in enumerate(fills, 1):
        chart.add_series({
            "name": [name, 0, column], "categories": [name, 1, 0, last, 0],
            "values": [name, 1, column, last, column], "gap": 30, **fill,
        })  # fmt: skip
    chart.set_title({"name": "Your use day by day [kWh]", "name_font": {"size": 11}})
    chart.set_x_axis({"interval_unit": 7})
    chart.set_y_axis({"min": min(0, *(float(d.energy or 0) for d in of.daily))})
    chart.set_legend({"position": "bottom"})
    chart.set_size({"width": 900, "height": 260})
    sheet.row()
    sheet.made.insert_chart(sheet.rows, 0, chart)
    sheet.rows += 14


def _days(sheet: Sheet, of: Statement) -> None:
    f = formats(of.locale)
    sheet.row(["Day", "Measured [kWh]", "Estimated or measured in part [kWh]", "Status"], _HEAD)
    number = {"num_format": _format(of, max(decimals(d.energy) for d in of.daily))}
    for d in of.daily:
        sure = d.status == "recorded"
        day = f.short(d.day) + " ?" * (d.energy is None)
        both = [d.energy if sure else None, None if sure else d.energy]
        sheet.row([day, *both, d.status], {}, number)


# --- the statement -----------------------------------------------------------------------


def _statement(sheet: Sheet, of: Statement) -> None:
    title: dict[str, Any] = {"bold": True, "font_size": 14}
    sheet.row([audit_sheet.title(of)], title)
    for row in audit_sheet.head(of):
        sheet.row(row)
    sheet.row()
    right = [i in {2, 4, 5, 7} for i in range(len(SHEET_COLUMNS))]
    sheet.row(SHEET_COLUMNS, *(_RIGHT_HEAD if r else _HEAD for r in right))
    sheet.made.repeat_rows(sheet.rows - 1)
    first, last = sheet.rows + 1, sheet.rows + len(of.lines)
    places = (
        max(decimals(x.quantity) for x in of.lines), max(decimals(x.rate) for x in of.lines),
        of.digits,
    )  # fmt: skip
    used, rate, owed = ({**_RIGHT, "num_format": _format(of, n)} for n in places)
    for at, x in enumerate(of.lines, first):
        cells = [x.name, x.element, quantity(x, of, first), x.unit, x.rate, amount(at, x, of)]
        state = [x.status, _share(x.coverage), audit_sheet.note(x), labels(x.flags)]
        sheet.row(
            [*cells, *state], _TEXT, _TEXT, used, _AFTER, rate, owed, _AFTER, _PERCENT, _AFTER
        )
    total = Formula(f"=SUM(F{first}:F{last})", of.total)
    line = {"bold": True, "top": 2}
    cells = ["Total", None, None, of.currency, None, total, *[None] * 4]
    sheet.row(cells, line, {**owed, **line})
    sheet.row()
    for name, meaning in explained(of):
        sheet.text(f"{name}: {meaning}", len(SHEET_COLUMNS), _WIDE)
    for text in audit_sheet.foot(of):
        sheet.text(text, len(SHEET_COLUMNS), _WIDE)


# --- readings and earlier periods ---------------------------------------------------------


def _readings(sheet: Sheet, of: Statement) -> None:
    f = formats(of.locale)
    rows = [
        [
            r.element,
            *(f.moment(r.open_at, of.tz), r.open_reading, _YES[r.open_interpolated]),
            *(f.moment(r.close_at, of.tz), r.close_reading, _YES[r.close_interpolated]),
            *(r.energy, r.lo, r.hi, r.unit, _share(r.coverage), r.status, labels(r.flags)),
        ]
        for r in of.readings
    ]
    _table(sheet, of, READINGS, rows)


def _comparison(sheet: Sheet, of: Statement) -> None:
    labels = [x["label"] for x in audit_sheet.comparison(of)]
    past = zip(labels, of.comparison, strict=True)
    rows = [[name, p.quantity, p.unit, p.amount] for name, p in past]
    _table(sheet, of, ["Period", "Quantity", "Unit", "Amount"], rows)
    if audit_sheet.comparison_note(of):
        sheet.row()
        sheet.row([audit_sheet.comparison_note(of)])


def _table(sheet: Sheet, of: Statement, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A bold head that stays, and numbers of one column with the same decimals."""
    sheet.row(head, _HEAD)
    sheet.made.freeze_panes(1, 0)
    sheet.made.repeat_rows(0)
    styles: list[Mapping[str, Any]] = []
    for i, name in enumerate(head):
        most = max((decimals(x) for r in rows if isinstance(x := r[i], Decimal)), default=0)
        styles.append(
            _PERCENT if name == "Coverage" else {**_TEXT, "num_format": _format(of, most)}
        )
    for row in rows:
        sheet.row(row, *styles)


# --- cells -------------------------------------------------------------------------------


def _format(of: Statement, places: int | None) -> str:
    """How a number is shown: LibreOffice writes it as the statement's locale does."""
    if places is None:
        return "General"
    known = next((k for k, x in windows_locale.items() if x == of.locale.replace("-", "_")), None)
    own = f"[$-{known:X}]" if known else ""
    return f"{own}#,##0." + "0" * places if places else f"{own}#,##0"


def _share(coverage: float | None) -> float | None:
    """Rounded down, as in print: 100 % is shown only where it is."""
    return None if coverage is None else int(coverage * 10000) / 10000
