"""A statement is written as PDF by fpdf2, which is pure Python: wheels alone, on every system.

Page one is the bill; the audit sheet begins on a page of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dentframe.documents import audit_sheet
from dentframe.documents.first_page import (
    CHARGES,
    COMPARED,
    METERS,
    PARTS,
    FirstPage,
    first_page,
)
from dentframe.documents.formats import formats
from dentframe.documents.pdf_paper import BLACK, BLUE, GREY, WARN, Font, draw, opened, table

if TYPE_CHECKING:
    from dentframe.money.statement import Statement


_LINES = (
    ("Line", "name", "meter", "note", "edges", "flags"), ("Quantity", "quantity"),
    ("Unit", "unit"), ("Rate", "rate"), ("Amount", "amount"), ("Status", "status", "covered"),
)  # fmt: skip
_READINGS = (
    ("Meter", "element", "state", "flags"), ("Opening", "open_at", "open_note"),
    ("Reading", "open_reading"), ("Closing", "close_at", "close_note"),
    ("Reading", "close_reading"), ("Used", "energy unit", "least", "most"),
)  # fmt: skip
_PAST, _AMOUNT, _ROW = (58, 28, 16), 30, 5
_DIGIT = "\N{NO-BREAK SPACE}" * 2
"""As wide as a digit."""


def write(of: Statement, path: str | Path, *, font: Font = None) -> Path:
    """Write the PDF and return where.

    Parameters
    ----------
    of : Statement
        The statement.
    path : str or Path
        A ``.pdf`` file.
    font : str, Path or list of them, optional
        TrueType files; without any the built-in Helvetica, or where it lacks a letter, a font
        found on this machine.
    """
    first, past = first_page(of), audit_sheet.comparison(of)
    lines, readings, words = (
        audit_sheet.lines(of),
        audit_sheet.readings(of),
        audit_sheet.explained(of),
    )
    notes = [*([audit_sheet.comparison_note(of)] if past else []), *audit_sheet.foot(of)]
    head = [audit_sheet.title(of), of.currency, *audit_sheet.head(of)]
    pdf = opened(of, [*_strings([vars(first), head, lines, readings, past, words, notes])], font)
    _first(pdf, of, first)
    pdf.add_page()
    _heading(pdf, f"Audit sheet: {audit_sheet.title(of)}")
    _pairs(pdf, audit_sheet.head(of), pdf.l_margin, 26)
    _title(pdf, f"Charges [{of.currency}]" if of.currency else "Charges")
    # A bill that is shared has no rates, and no column for them.
    layout = [x for x in _LINES if x[0] != "Rate" or audit_sheet.rated(of)]
    total = ["Total", *[""] * (len(layout) - 3), formats(of.locale).number(of.total), ""]
    _table(pdf, layout, lines, total)
    if readings:
        _title(pdf, "Meter readings", room=30)
        _table(pdf, _READINGS, readings)
    if past:
        _past(pdf, past)
    if words:
        _title(pdf, "What the words mean")
    for name, meaning in words:
        pdf.set_font(style="", size=8)
        pdf.multi_cell(
            0, 4, f"**{name}**: {meaning}", markdown=True, align="L", new_x="LMARGIN", new_y="NEXT"
        )
    pdf.ln(4)
    pdf.set_font(style="", size=7.5)
    pdf.set_text_color(GREY)
    for text in filter(None, notes):
        pdf.multi_cell(0, 3.8, text, new_x="LMARGIN", new_y="NEXT")
    pdf.output(str(path))
    return Path(path)


def _strings(value: Any) -> Iterator[str]:
    """All texts in some data: the fonts must have their letters."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping) or is_dataclass(value):
        yield from _strings([*(value if isinstance(value, Mapping) else vars(value)).values()])
    elif isinstance(value, Sequence):
        for x in value:
            yield from _strings(x)


def _table(
    pdf: Any,
    layout: Sequence[Sequence[str]],
    rows: Sequence[audit_sheet.Texts],
    total: Sequence[str] = (),
) -> None:
    table(pdf, [head for head, *_ in layout], audit_sheet.cells(rows, layout, _DIGIT), total)


def _title(pdf: Any, text: str, room: float = 18) -> None:
    """A heading that is never the last thing on a page."""
    if pdf.will_page_break(room):
        pdf.add_page()
    pdf.ln(1.2)
    pdf.set_text_color(BLACK)
    pdf.set_font(style="B", size=10.5)
    pdf.cell(0, 5.5, text, new_x="LMARGIN", new_y="NEXT")
    pdf.set_font(style="", size=8.5)


def _heading(pdf: Any, text: str) -> None:
    pdf.set_font(style="B", size=15)
    pdf.multi_cell(0, 8, text, align="L", new_x="LMARGIN", new_y="NEXT")
    pdf.ln(1)


def _pairs(pdf: Any, found: Sequence[tuple[str, str]], x: float, width: float) -> None:
    for name, text in found:
        pdf.set_x(x)
        pdf.set_font(style="", size=9)
        pdf.set_text_color(GREY)
        pdf.cell(width, 4.5, name)
        pdf.set_text_color(BLACK)
        pdf.multi_cell(0, 4.5, text, align="L", new_x="LMARGIN", new_y="NEXT")


# --- page one ----------------------------------------------------------------------------


def _first(pdf: Any, of: Statement, first: FirstPage) -> None:
    """Who bills whom, what is owed, for what, what the meters showed, and whom to ask."""
    if of.letter and of.letter.logo:
        pdf.image(of.letter.logo, h=18, w=60, keep_aspect_ratio=True)
        pdf.set_y(pdf.t_margin + 20)
    top, half = pdf.get_y(), pdf.epw / 2
    _block(pdf, first.sender, half)
    pdf.ln(5 if first.sender else 0)
    _block(pdf, first.to, half)
    left, page = pdf.get_y(), pdf.page
    pdf.set_y(top)
    _pairs(pdf, first.facts, pdf.l_margin + half, 31)
    pdf.set_y(max(left, pdf.get_y()) + 2 if pdf.page == page else pdf.get_y())
    _heading(pdf, audit_sheet.title(of))
    with pdf.local_context(text_color=WARN):
        _sentence(pdf, first.mark, 11)
    _owed(pdf, of, first)
    _table(pdf, CHARGES, first.charges, ("Total", "", "", formats(of.locale).number(of.total)))
    for title, layout, rows in (
        ("Your meters", METERS, first.meters),
        ("Corrected readings, part by part", PARTS, first.parts),
        ("Compared with earlier bills", COMPARED, first.compared),
    ):
        if rows:
            _title(pdf, title, room=30)
            _table(pdf, layout, rows)
    _sentence(pdf, first.compared_note, 8)
    if first.chart:
        _title(pdf, "Your use day by day [kWh]", room=40)
        draw(pdf, first.chart)
        _sentence(pdf, first.chart.note, 8)
    pdf.ln(1)
    for text in first.told:
        _sentence(pdf, text)
    pdf.ln(1)
    for text in first.closing:
        _sentence(pdf, text)


def _owed(pdf: Any, of: Statement, first: FirstPage) -> None:
    """The amount, beside a bar in the landlord's colour."""
    with pdf.local_context(fill_color=(of.letter and of.letter.accent) or "#333333"):
        pdf.rect(pdf.l_margin, pdf.get_y() + 0.5, 1.6, 10, style="F")
    pdf.set_x(pdf.l_margin + 5)
    pdf.set_font(style="", size=12)
    pdf.cell(pdf.epw / 2, 11, first.due)
    pdf.set_font(style="B", size=18)
    pdf.cell(0, 11, first.amount, align="R", new_x="LMARGIN", new_y="NEXT")
    pdf.ln(1)


def _block(pdf: Any, lines: Sequence[str], width: float) -> None:
    for i, text in enumerate(lines):
        pdf.set_font(style="" if i else "B", size=10)
        pdf.multi_cell(width, 4.4, text, align="L", new_x="LMARGIN", new_y="NEXT")


def _sentence(pdf: Any, text: str, size: float = 8.2) -> None:
    if text:
        pdf.set_font(style="", size=size)
        pdf.multi_cell(0, size * 0.48, text, align="L", new_x="LMARGIN", new_y="NEXT")


# --- earlier periods ---------------------------------------------------------------------


def _past(pdf: Any, found: Sequence[audit_sheet.Texts]) -> None:
    """A row a period with its bar, drawn by hand: fpdf2's own tables hold text alone."""
    layout = (("", "label"), ("", "quantity"), ("", "unit"), ("", "amount"))
    _title(pdf, "Earlier periods", room=min(12 + _ROW * (len(found) + 1), 200))
    pdf.set_font(style="B", size=8.5)
    _past_row(
        pdf, ("Period", "Quantity", "Unit", "Amount" if any(x["amount"] for x in found) else "")
    )
    pdf.set_font(style="", size=8.5)
    for x, (label, used, *rest) in zip(
        found, audit_sheet.cells(found, layout, _DIGIT), strict=True
    ):
        _past_row(pdf, (label, used or "–", *rest), float(x["bar"]) / 100)


def _past_row(pdf: Any, texts: Sequence[str], share: float = 0) -> None:
    if pdf.will_page_break(_ROW):
        pdf.add_page()
    for text, width, align in zip(texts[:3], _PAST, "LRL", strict=True):
        pdf.cell(width, _ROW, text, align=align)
    room = pdf.epw - sum(_PAST) - _AMOUNT
    if share:
        pdf.set_fill_color(*BLUE)
        pdf.rect(pdf.get_x(), pdf.get_y() + 1, room * share, _ROW - 2, style="F")
    pdf.set_x(pdf.l_margin + pdf.epw - _AMOUNT)
    pdf.cell(_AMOUNT, _ROW, texts[3], align="R")
    pdf.ln(_ROW)
    pdf.line(pdf.l_margin, pdf.get_y(), pdf.l_margin + pdf.epw, pdf.get_y())
