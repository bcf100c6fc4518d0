"""Statements and the tables of a run are written as CSV files and workbooks here.

A statement's CSV is one table, each row of which says in its first column what it is. In its
workbook, amounts are formulas that compute what the statement computed, and hold its values for
readers that do not compute; the first sheet shows the same as values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from decimal import Decimal
from locale import windows_locale
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from dentframe.documents.number_and_date_formats import LETTER, decimals, formats
from dentframe.documents.statement_audit_sheet import DRAFT, DRAFT_NOTE, AuditSheet, cells, visible
from dentframe.documents.statement_first_page import CHARGES, FirstPage, meter
from dentframe.errors import import_extra
from dentframe.frame.csv_and_excel import escaped
from dentframe.money.statement import LINE_FIELDS, Line, Statement

# --- CSV ---

CSV_COLUMNS = ("section", "party", "start", "end", "currency", *LINE_FIELDS, "lo", "hi")
"""Sections: ``charges``, ``total``, ``about``, ``readings``, ``parts`` (of a corrected meter; its
factor is the rate), ``daily``, ``earlier``, ``words``, ``notes``."""


def save_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table in UTF-8; no text in it is computed by a spreadsheet."""
    table.map(csv_cell).to_csv(path, index=False, encoding="utf-8", lineterminator="\n")


def statement_csv(of: Statement, path: str | Path | None = None) -> str:
    """Everything the statement says, as CSV.

    Parameters
    ----------
    of : Statement
        The statement.
    path : str or Path, optional
        Where to write it (UTF-8, line ends as RFC 4180 has them).
    """
    of = replace(of, locale="")  # a file for programs: its numbers are theirs
    period = {"party": of.party, "start": of.start, "end": of.end, "currency": of.currency}
    rows = [{**period, **row} for row in _csv_rows(of)]
    if of.draft:
        rows.insert(0, {"section": "draft", "name": DRAFT, "note": DRAFT_NOTE})
    table = pd.DataFrame(rows, columns=CSV_COLUMNS, dtype=object).map(csv_cell)
    text = table.to_csv(index=False, lineterminator="\r\n")
    if path is not None:
        Path(path).write_text(text, encoding="utf-8", newline="")
    return text


def _csv_rows(of: Statement) -> Iterator[Mapping[str, Any]]:
    first, sheet = FirstPage(of), AuditSheet(of)
    about = [
        ("Statement", sheet.title), *sheet.head, *first.facts,
        ("From", ", ".join(first.sender)), ("To", ", ".join(first.to)), (first.due, first.amount),
    ]  # fmt: skip
    notes = (*first.remarks, *first.closing, sheet.comparison_note, *sheet.foot)

    def named(section: str, pairs: Iterable[tuple[str, str]]) -> Iterator[Mapping[str, Any]]:
        return ({"section": section, "name": name, "note": x} for name, x in pairs if x)

    for line in of.lines:
        yield {"section": "charges", **asdict(line)}
    yield {"section": "total", "name": "Total", "kind": "total", "amount": of.total}
    yield from named("about", about)
    for r in of.readings:
        own, shown = asdict(r), meter(of, r, formats(""))
        own["note"] = [x for x in (shown["multiplier"], shown["exchanged"]) if x]
        yield {"section": "readings", "name": "Meter reading", "quantity": own.pop("energy"), **own}
        for part in r.parts:
            yield {
                "section": "parts", "element": r.element, "name": "Corrected reading",
                "quantity": part.used, "unit": r.unit, "rate": part.factor, "open_at": part.start,
                "open_reading": part.opening, "close_at": part.end, "close_reading": part.closing,
                "note": [f"{x} calculated" for x in part.calculated],
            }  # fmt: skip
    for d in of.daily:
        yield {"section": "daily", "name": d.day, "quantity": d.energy, "unit": "kWh",
               "status": d.status}  # fmt: skip
    for p in of.comparison:
        past = {k: v for k, v in asdict(p).items() if v is not None}
        yield {"section": "earlier", "name": past.pop("label"), **past}
    yield from named("words", sheet.explained)
    yield from named("notes", (("", x) for x in notes))


def csv_cell(value: Any) -> Any:
    """A cell of a CSV file: numbers stay numbers, text is never computed."""
    if isinstance(value, bool | int | float) and not pd.isna(value):
        return value
    return f"{value:f}" if isinstance(value, Decimal) else escaped(_text(value))


def _text(value: Any) -> str:
    """Times as ISO 8601, several names as ``edge_interpolated;reset``, nothing if missing."""
    if isinstance(value, tuple | list):
        return visible(";".join(map(str, value)))
    if pd.isna(value):
        return ""
    return value.isoformat() if isinstance(value, pd.Timestamp) else visible(str(value))


# --- workbooks ---


class Formula(NamedTuple):
    """A formula, and the value that a reader sees who does not compute it."""

    text: str
    value: Decimal


class Book:
    """A workbook that is filled row by row, whose texts stay texts whatever they begin with."""

    def __init__(self, path: str | Path, draft: bool = False, paper: int = 9) -> None:
        xlsxwriter = import_extra("xlsxwriter", "write a workbook", "excel")
        self.made: Any = xlsxwriter.Workbook(str(path), {"nan_inf_to_errors": True})
        self._styles, self._draft, self._paper = dict[Any, Any](), draft, paper

    def begin(self, name: str, widths: Sequence[float] = (), *, wide: bool = True) -> None:
        """Begin a sheet with columns of these widths, printed one page wide: rows go there."""
        self.sheet: Any = self.made.add_worksheet(f"{DRAFT} {name}" if self._draft else name)
        self.rows, self._widths = 0, widths
        if self._draft:
            self.sheet.set_header(f"&C&40{DRAFT}", {"margin": 0.2})
            self.sheet.set_margins(top=1)
            self.sheet.set_tab_color("#9A3412")
        for i, width in enumerate(widths):
            self.sheet.set_column(i, i, width)
        self.sheet.set_paper(self._paper)
        self.sheet.fit_to_pages(1, 0)
        if wide:
            self.sheet.set_landscape()

    def row(self, values: Sequence[Any] = (), *styles: Mapping[str, Any]) -> None:
        """A row, as high as its texts need; the last style stands for the rest of its cells."""
        texts = [(x, w) for x, w in zip(values, self._widths, strict=False) if isinstance(x, str)]
        high = [sum(1 + int(len(line) / w) for line in text.split("\n")) for text, w in texts]
        lines = max(high, default=1)
        size = max((x.get("font_size", 11) for x in styles), default=11)
        if styles and (lines > 1 or size > 11):
            self.sheet.set_row(self.rows, 15 * lines * size / 11)
        for i, value in enumerate(values):
            self._cell(i, value, dict(styles[min(i, len(styles) - 1)]) if styles else {})
        self.rows += 1

    def fill(self, rows: Iterable[Sequence[Any]], *styles: Mapping[str, Any]) -> None:
        """Some rows of the same styles."""
        for values in rows:
            self.row(values, *styles)

    def text(self, text: str, columns: int, letters: int) -> None:
        """A sentence over some columns: a merged cell does not find its height by itself."""
        self.sheet.merge_range(self.rows, 0, self.rows, columns - 1, "", self._style(_TEXT))
        self.row([text], _TEXT)
        self.sheet.set_row(self.rows - 1, 15 * (1 + len(text) // letters))

    def _cell(self, column: int, value: Any, style: dict[str, Any]) -> None:
        if isinstance(value, str) and (escaped(value) != value or value.startswith("#")):
            style["quote_prefix"] = True
        how = self._style(style)
        if isinstance(value, str):
            self.sheet.write_string(self.rows, column, visible(value), how)
        elif isinstance(value, Formula):
            self.sheet.write_formula(self.rows, column, value.text, how, value.value)
        elif value is not None or style:
            self.sheet.write(self.rows, column, value, how)

    def _style(self, settings: Mapping[str, Any]) -> Any:
        """A format; equal ones are one."""
        key = tuple(sorted(settings.items()))
        if key not in self._styles:
            self._styles[key] = self.made.add_format({"valign": "top", **settings})
        return self._styles[key]


def save_workbook(tables: Mapping[str, pd.DataFrame], path: Path, *, draft: bool = False) -> None:
    """Write tables as the sheets of one workbook; decimals and numbers stay numbers."""

    def cell(value: Any) -> Any:
        finite = isinstance(value, bool | int | float | Decimal) and isfinite(value)
        return value if finite else _text(value) or None

    book = Book(path, draft)
    for name, table in tables.items():
        book.begin(name)
        book.sheet.freeze_panes(1, 0)
        rows = (map(str, table.columns), *table.to_numpy(dtype=object))
        book.fill([cell(x) for x in row] for row in rows)
    book.made.close()


# --- the workbook of a statement ---

_COLUMNS = {
    "Line": 32, "Element": 24, "Quantity": 14, "Unit": 13, "Rate": 12, "Amount": 14,
    "Status": 12, "Coverage": 11, "Note": 44, "Readings": 44,
}  # fmt: skip
_READINGS = {
    "Element": 28, "Opening time": 24, "Opening reading": 17, "Opening before the beginning": 27,
    "Closing time": 24, "Closing reading": 17, "Closing after the end": 22, "Energy": 14,
    "At least": 14, "At most": 14, "Unit": 8, "Coverage": 11, "Status": 12, "Readings": 60,
}  # fmt: skip
_DAYS = {"Day": 16, "Measured [kWh]": 16, "Estimated or measured in part [kWh]": 34, "Status": 14}
_EARLIER = {"Period": 28, "Quantity": 16, "Unit": 10, "Amount": 16}
"""The columns of each sheet, and their widths in letters."""
_WIDE, _YES = sum(_COLUMNS.values()) - 20, ("no", "yes")
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
    created = (of.read_at or of.end).tz_localize(None)
    sheet = AuditSheet(of)
    book.made.set_properties({"title": sheet.title, "created": created})
    _bill(book, of, FirstPage(of), sheet.title)
    _statement(book, of, sheet)
    rows: list[list[Any]] = [
        [
            texts["element"],
            *(texts["open_at"], r.open_reading, _YES[r.open_interpolated]),
            *(texts["close_at"], r.close_reading, _YES[r.close_interpolated]),
            *(r.energy, r.lo, r.hi, r.unit, _share(r.coverage), r.status, texts["flags"]),
        ]
        for texts, r in zip(sheet.readings, of.readings, strict=True)
    ]
    _table(book, of, "Readings", _READINGS, rows)
    if of.daily:
        rows = []
        for d in of.daily:
            day = formats(of.locale).short(d.day) + " ?" * (d.energy is None)
            both = [d.energy, None] if d.status == "recorded" else [None, d.energy]
            rows.append([day, *both, d.status])
        _table(book, of, "Days", _DAYS, rows)
    if of.comparison:
        past = zip(sheet.comparison, of.comparison, strict=True)
        rows = [[texts["label"], p.quantity, p.unit, p.amount] for texts, p in past]
        _table(book, of, "Comparison", _EARLIER, rows)
        if sheet.comparison_note:
            book.row()
            book.row([sheet.comparison_note])
    book.made.close()
    return Path(path)


def _bill(book: Book, of: Statement, page: FirstPage, title: str) -> None:
    """What is owed, for what and to whom: numbers here are values, seen without computing."""
    book.begin("Bill", (44, 30, 30, 24), wide=False)
    large: dict[str, Any] = {"bold": True, "font_size": 16}
    money = {**_RIGHT, "num_format": _number_format(of, of.digits)}
    book.fill([text] for text in (*page.sender, "", *page.to, ""))
    book.row([title], large)
    book.row([page.mark], {"bold": True, "font_color": "#9A3412"})
    book.fill(page.facts)
    book.row()
    book.row([page.due, of.currency, None, abs(of.total)], large, {**large, **money, "bold": True})
    book.row()
    book.row([*(head for head, _ in CHARGES[:-1]), f"Amount [{of.currency}]"], _HEAD, _RIGHT_HEAD)
    for texts, x in zip(cells(page.charges, CHARGES), of.lines, strict=True):
        book.row([*texts[:-1], x.amount], _TEXT, _RIGHT, _RIGHT, money)
    book.row(["Total", None, None, of.total], _HEAD, {**money, "bold": True})
    for name, layout, rows in page.tables:
        book.row()
        book.row([name, *(head for head, *_ in layout[1:])], _HEAD, _RIGHT_HEAD)
        book.fill(cells(rows, layout), _TEXT, _RIGHT)
    book.row([page.compared_note])
    if page.chart:
        book.row()
        book.sheet.insert_chart(book.rows, 0, _chart(book, of))
        book.rows += 14
    book.row()
    for text in (page.chart.note if page.chart else "", *page.remarks, *page.closing):
        if text:
            book.text(text, 4, 110)


def _chart(book: Book, of: Statement) -> Any:
    """The chart of the sheet of days, for a sheet to insert; doubtful days are hatched."""
    chart = book.made.add_chart({"type": "column", "subtype": "stacked"})
    days, last = f"{DRAFT} Days" if of.draft else "Days", len(of.daily)
    hatched = {"pattern": {"pattern": "wide_upward_diagonal", "fg_color": "#5B8DB8"}}
    for column, fill in enumerate(({"fill": {"color": "#5B8DB8"}}, hatched), 1):
        chart.add_series({
            "name": [days, 0, column], "categories": [days, 1, 0, last, 0],
            "values": [days, 1, column, last, column], "gap": 30, **fill,
        })  # fmt: skip
    chart.set_title({"name": "Your use day by day [kWh]", "name_font": {"size": 11}})
    chart.set_x_axis({"interval_unit": 7})
    chart.set_y_axis({"min": min(0, *(float(d.energy or 0) for d in of.daily))})
    chart.set_legend({"position": "bottom"})
    chart.set_size({"width": 900, "height": 260})
    return chart


def _statement(book: Book, of: Statement, sheet: AuditSheet) -> None:
    """The charges as formulas, what the words mean, and the notes."""
    book.begin("Statement", [*_COLUMNS.values()])
    book.row([sheet.title], {"bold": True, "font_size": 14})
    book.fill(sheet.head)
    book.row()
    numbers = {"Quantity", "Rate", "Amount", "Coverage"}
    book.row([*_COLUMNS], *(_RIGHT_HEAD if name in numbers else _HEAD for name in _COLUMNS))
    book.sheet.repeat_rows(book.rows - 1)
    first, last = book.rows + 1, book.rows + len(of.lines)
    columns = [x.quantity for x in of.lines], [x.rate for x in of.lines]
    places = [max(map(decimals, values), default=0) for values in columns]
    shown = [_number_format(of, n) for n in (*places, of.digits)]
    used, rate, owed = ({**_RIGHT, "num_format": x} for x in shown)
    styles = (_TEXT, _TEXT, used, _AFTER, rate, owed, _AFTER, _PERCENT, _AFTER)
    for at, (x, texts) in enumerate(zip(of.lines, sheet.lines, strict=True), first):
        charged = [x.name, x.element, _quantity(x, of, first), x.unit, x.rate, _amount(at, x, of)]
        about = [x.status, _share(x.coverage), texts["note"], texts["flags"]]
        book.row([*charged, *about], *styles)
    line = {"bold": True, "top": 2}
    total = Formula(f"=SUM(F{first}:F{last})", of.total) if of.lines else of.total
    sums = ["Total", None, None, of.currency, None, total, *[None] * 4]
    book.row(sums, line, {**owed, **line})
    book.row()
    for text in (*(f"{name}: {meaning}" for name, meaning in sheet.explained), *sheet.foot):
        book.text(text, len(_COLUMNS), _WIDE)


def _quantity(x: Line, of: Statement, first: int) -> Decimal | Formula | None:
    """A line's quantity, or the formula of a tax's or minimum's base, from the first line's row."""
    if not x.of or x.quantity is None:
        return x.quantity
    own = [i for i, y in enumerate(of.lines) if y.charge in x.of and y is not x]
    base = "+".join(f"F{first + i}" for i in own) or "0"
    return Formula(f"={base}" if x.limit is None else f"=MAX({x.limit}-({base}),0)", x.quantity)


def _amount(row: int, x: Line, of: Statement) -> Decimal | Formula:
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


def _table(
    book: Book, of: Statement, name: str, columns: Mapping[str, float], rows: list[list[Any]]
) -> None:
    """A sheet with a bold head that stays, and numbers of one column with the same decimals."""
    book.begin(name, [*columns.values()])
    book.row([*columns], _HEAD)
    book.sheet.freeze_panes(1, 0)
    book.sheet.repeat_rows(0)
    places = [max((decimals(row[i]) for row in rows), default=0) for i in range(len(columns))]
    styles = [
        _PERCENT if head == "Coverage" else {**_TEXT, "num_format": _number_format(of, n)}
        for head, n in zip(columns, places, strict=True)
    ]
    book.fill(rows, *styles)


def _number_format(of: Statement, places: int | None) -> str:
    """How a number is shown: LibreOffice writes it as the statement's locale does."""
    if places is None:
        return "General"
    locale = of.locale.replace("-", "_")
    own = next((f"[$-{k:X}]" for k, x in windows_locale.items() if x == locale), "")
    return f"{own}#,##0." + "0" * places if places else f"{own}#,##0"


def _share(coverage: float | None) -> float | None:
    """Rounded down, as in print: 100 % is shown only where it is."""
    return None if coverage is None else int(coverage * 10000) / 10000
