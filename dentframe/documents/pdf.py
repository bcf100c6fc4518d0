"""A statement is written as PDF by fpdf2, which is pure Python: wheels alone, on every system.

Page one is the bill; the audit sheet begins on a page of its own. Numbers and times in tables
are never broken over two lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dentframe.documents import tables
from dentframe.documents.chart import BLUE, draw
from dentframe.documents.first_page import FirstPage, first_page
from dentframe.documents.fonts import BUILT_IN, Font, bold, chosen
from dentframe.documents.formats import formats
from dentframe.documents.pdf_table import LETTER, table
from dentframe.documents.tables import explained, visible
from dentframe.errors import missing_extra

if TYPE_CHECKING:
    from dentframe.money.statement import Statement


_LINES = ("Line", "Quantity", "Unit", "Rate", "Amount", "Status")
_READINGS = ("Meter", "Opening", "Reading", "Closing", "Reading", "Used")
_PAST, _AMOUNT, _ROW = (44, 28, 16), 30, 5
_GREY, _BLACK, _RULE, _FAINT, _WARN = 90, 0, 190, 225, (154, 52, 18)
_NBSP = "\N{NO-BREAK SPACE}"


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
    try:
        from fpdf import FPDF
    except ImportError:
        raise missing_extra("write a PDF", "report") from None
    first = first_page(of)
    pdf = _opened(FPDF, of, chosen([*_first_texts(first), *_texts(of)], font))
    _first(pdf, of, first)
    pdf.add_page()
    _head(pdf, of)
    _charges(pdf, of)
    if of.readings:
        _title(pdf, "Meter readings", room=30)
        table(pdf, _READINGS, _reading_rows(of))
    if of.comparison:
        _past(pdf, of)
    _words(pdf, of)
    _foot(pdf, of)
    pdf.output(str(path))
    return Path(path)


# --- the paper ---------------------------------------------------------------------------


def _opened(make: Any, of: Statement, files: Sequence[Path]) -> Any:
    told = " · ".join(x for x in (visible(of.party), tables.title(of)) if x)

    class Paper(make):  # type: ignore[misc]
        """A page with its number at the foot, and from the second on whose it is."""

        def header(self) -> None:
            if not of.draft:
                return
            self.set_font(style="B", size=110)
            self.set_text_color(_FAINT)
            with self.rotation(35, self.w / 2, self.h / 2):
                width = self.get_string_width(tables.DRAFT)
                self.text((self.w - width) / 2, self.h / 2, tables.DRAFT)
            self.set_text_color(_BLACK)

        def footer(self) -> None:
            self.set_y(-12)
            self.set_font(style="", size=8)
            self.set_text_color(_GREY)
            self.cell(0, 5, told[:100] if self.page_no() > 1 else "")
            self.set_x(self.l_margin)
            self.cell(0, 5, f"{self.page_no()} / {{nb}}", align="R")

    pdf = Paper(format="letter" if of.currency in LETTER else "A4")
    pdf.set_auto_page_break(auto=True, margin=13)
    pdf.set_margins(14, 14)
    pdf.set_title(tables.title(of))
    pdf.set_lang("en")
    # The same statement is the same file.
    pdf.set_creation_date((of.read_at or of.end).to_pydatetime())
    _face(pdf, files)
    pdf.set_draw_color(_RULE)
    pdf.add_page()
    return pdf


def _face(pdf: Any, files: Sequence[Path]) -> None:
    if not files:
        pdf.core_fonts_encoding = BUILT_IN
        pdf.set_font("helvetica", size=9)
        return
    names = [f"own{i}" for i in range(len(files))]
    for name, file in zip(names, files, strict=True):
        for style, face in (("", file), ("B", bold(file))):
            pdf.add_font(name, style=style, fname=str(face))
    pdf.set_font(names[0], size=9)
    pdf.set_fallback_fonts(names[1:], exact_match=False)


def _texts(of: Statement) -> list[str]:
    cells = [
        x for rows in (_line_rows(of), _reading_rows(of), _past_rows(of)) for r in rows for x in r
    ]
    told = [x for pair in (*tables.head(of), *explained(of)) for x in pair]
    return [tables.title(of), of.currency, *told, *cells, *_notes(of)]


def _title(pdf: Any, text: str, room: float = 18) -> None:
    """A heading that is never the last thing on a page."""
    if pdf.will_page_break(room):
        pdf.add_page()
    pdf.ln(2)
    pdf.set_text_color(_BLACK)
    pdf.set_font(style="B", size=10.5)
    pdf.cell(0, 5.5, text, new_x="LMARGIN", new_y="NEXT")
    pdf.set_font(style="", size=8.5)


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
    _heading(pdf, tables.title(of))
    with pdf.local_context(text_color=_WARN):
        _sentence(pdf, first.mark, 11)
    _owed(pdf, of, first)
    total = ("Total", "", "", formats(of.locale).number(of.total))
    table(pdf, ("For", "How much", "Of the utility's", "Amount"), _charge_rows(first), total)
    if first.meters:
        _title(pdf, "Your meters", room=30)
        table(pdf, ("Meter", "Previous reading", "Current reading", "Used"), _meter_rows(first))
    if first.compared:
        _title(pdf, "Compared with earlier bills", room=30)
        table(pdf, ("Bill", "Used", "Change", "Amount", "Change"), _compared_rows(first))
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
        pdf.multi_cell(width, 4.6, text, align="L", new_x="LMARGIN", new_y="NEXT")


def _sentence(pdf: Any, text: str, size: float = 8.2) -> None:
    if text:
        pdf.set_font(style="", size=size)
        pdf.multi_cell(0, size * 0.48, text, align="L", new_x="LMARGIN", new_y="NEXT")


def _charge_rows(first: FirstPage) -> list[list[str]]:
    return [
        [_told(x["name"], x["about"]), x["quantity"], x["charged"], _padded(x, "amount")]
        for x in first.charges
    ]


def _compared_rows(first: FirstPage) -> list[list[str]]:
    return [
        [
            f"{p['name']}: {p['dates']}",
            f"{_padded(p, 'quantity')} {p['unit']}".strip(),
            p["quantity_change"],
            _padded(p, "amount"),
            p["amount_change"],
        ]
        for p in first.compared
    ]


def _told(*texts: str) -> str:
    return " · ".join(x for x in texts if x)


def _meter_rows(first: FirstPage) -> list[list[str]]:
    return [
        [
            _below(m["element"], _told(m["kind"], m["multiplier"]), m["exchanged"]),
            _below(m["previous"], m["previous_at"]),
            _below(m["current"], m["current_at"]),
            _below(f"{m['used']} {m['unit']}".strip(), m["differs"]),
        ]
        for m in first.meters
    ]


def _first_texts(first: FirstPage) -> list[str]:
    cells = [*_charge_rows(first), *_meter_rows(first), *_compared_rows(first), *first.facts]
    told = [*first.sender, *first.to, *first.told, *first.closing, first.due, first.amount]
    marks = [x for _, x in (*first.chart.ticks, *first.chart.labels)] if first.chart else []
    return [*told, *marks, *(x for row in cells for x in row)]


# --- the audit sheet --------------------------------------------------------------------


def _head(pdf: Any, of: Statement) -> None:
    _heading(pdf, f"Audit sheet: {tables.title(of)}")
    _pairs(pdf, tables.head(of), pdf.l_margin, 26)
    _title(pdf, f"Charges [{of.currency}]" if of.currency else "Charges")


def _heading(pdf: Any, text: str) -> None:
    pdf.set_font(style="B", size=15)
    pdf.multi_cell(0, 8, text, align="L", new_x="LMARGIN", new_y="NEXT")
    pdf.ln(1)


def _pairs(pdf: Any, found: Sequence[tuple[str, str]], x: float, width: float) -> None:
    for name, text in found:
        pdf.set_x(x)
        pdf.set_font(style="", size=9)
        pdf.set_text_color(_GREY)
        pdf.cell(width, 5, name)
        pdf.set_text_color(_BLACK)
        pdf.multi_cell(0, 5, text, align="L", new_x="LMARGIN", new_y="NEXT")


def _charges(pdf: Any, of: Statement) -> None:
    """The lines; a bill that is shared has no rates, and no column for them."""
    rows, total = _line_rows(of), ["Total", "", "", "", formats(of.locale).number(of.total), ""]
    keep = [i for i, name in enumerate(_LINES) if name != "Rate" or tables.rated(of)]
    table(
        pdf,
        [_LINES[i] for i in keep],
        [[r[i] for i in keep] for r in rows],
        [total[i] for i in keep],
    )


def _line_rows(of: Statement) -> list[list[str]]:
    return [
        [
            _below(x["name"], _meter(x["element"]), x["note"], x["edges"], x["flags"]),
            _padded(x, "quantity"),
            x["unit"],
            _padded(x, "rate"),
            x["amount"],
            _below(x["status"], _covered(x)),
        ]
        for x in tables.lines(of)
    ]


def _reading_rows(of: Statement) -> list[list[str]]:
    return [
        [
            _below(r["element"], f"{r['status']}, {_covered(r)}", r["flags"]),
            _below(r["open_at"], r["open_note"]),
            _padded(r, "open_reading"),
            _below(r["close_at"], r["close_note"]),
            _padded(r, "close_reading"),
            _below(f"{r['energy']} {r['unit']}".strip(), *r["limits"].split(", ")),
        ]
        for r in tables.readings(of)
    ]


def _below(*texts: str) -> str:
    return "\n".join(t for t in texts if t)


def _meter(element: str) -> str:
    return f"meter {element}" if element else ""


def _covered(x: dict[str, str]) -> str:
    return f"{x['coverage']} covered" if x["coverage"] else ""


def _padded(row: dict[str, str], name: str) -> str:
    """A number with room for the decimals that others have: a digit is as wide as two spaces."""
    return row[name] + "".join(_NBSP * (1 if c == "." else 2) for c in row[f"{name}_tail"])


def _past_rows(of: Statement) -> list[list[str]]:
    return [
        [p["label"], _padded(p, "quantity") or "–", p["unit"], p["amount"]]
        for p in tables.comparison(of)
    ]


def _past(pdf: Any, of: Statement) -> None:
    """A row a period with its bar, drawn by hand: fpdf2's own tables hold text alone."""
    rows = _past_rows(of)
    _title(pdf, "Earlier periods", room=min(12 + _ROW * (len(rows) + 1), 200))
    pdf.set_font(style="B", size=8.5)
    _past_row(pdf, ("Period", "Quantity", "Unit", "Amount" if any(r[3] for r in rows) else ""))
    pdf.set_font(style="", size=8.5)
    for row, texts in zip(rows, tables.comparison(of), strict=True):
        _past_row(pdf, row, float(texts["bar"]) / 100)


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


def _words(pdf: Any, of: Statement) -> None:
    found = explained(of)
    if not found:
        return
    _title(pdf, "What the words mean")
    for name, meaning in found:
        pdf.set_font(style="", size=8)
        pdf.multi_cell(
            0, 4, f"**{name}**: {meaning}", markdown=True, align="L", new_x="LMARGIN", new_y="NEXT"
        )


def _notes(of: Statement) -> list[str]:
    return [*([tables.comparison_note(of)] if of.comparison else []), *tables.foot(of)]


def _foot(pdf: Any, of: Statement) -> None:
    pdf.ln(4)
    pdf.set_font(style="", size=7.5)
    pdf.set_text_color(_GREY)
    for text in _notes(of):
        if text:
            pdf.multi_cell(0, 3.8, text, new_x="LMARGIN", new_y="NEXT")
