"""A statement as PDF, by fpdf2: wheels alone, on every system."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dentframe.errors import missing_extra
from dentframe.money.output import fonts, tables
from dentframe.money.output.cells import number, visible
from dentframe.money.output.explanations import explained
from dentframe.money.output.pdf_table import table

if TYPE_CHECKING:
    from dentframe.money.output.fonts import Font
    from dentframe.money.statement import Statement

_LINES = ("Line", "Quantity", "Unit", "Rate", "Amount", "Status")
_READINGS = ("Meter", "Opening", "Reading", "Closing", "Reading", "Used")
_PAST, _AMOUNT, _ROW = (44, 28, 16), 30, 5
_BAR = (91, 141, 184)
_LETTER = {"USD", "CAD", "MXN"}
"""Where Letter is the paper; A4 is it elsewhere."""
_GREY, _BLACK, _RULE = 90, 0, 190
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
    pdf = _opened(FPDF, of, fonts.chosen(_texts(of), font))
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
    told = " · ".join(x for x in (visible(of.party), visible(of.title)) if x)

    class Paper(make):  # type: ignore[misc]
        """A page with its number at the foot, and from the second on whose it is."""

        def footer(self) -> None:
            self.set_y(-12)
            self.set_font(style="", size=8)
            self.set_text_color(_GREY)
            self.cell(0, 5, told[:100] if self.page_no() > 1 else "")
            self.set_x(self.l_margin)
            self.cell(0, 5, f"{self.page_no()} / {{nb}}", align="R")

    pdf = Paper(format="letter" if of.currency in _LETTER else "A4")
    pdf.set_auto_page_break(auto=True, margin=16)
    pdf.set_margins(14, 14)
    pdf.set_title(visible(of.title))
    # The same statement is the same file.
    pdf.set_creation_date((of.read_at or of.end).to_pydatetime())
    _face(pdf, files)
    pdf.set_draw_color(_RULE)
    pdf.add_page()
    return pdf


def _face(pdf: Any, files: Sequence[Path]) -> None:
    if not files:
        pdf.core_fonts_encoding = fonts.BUILT_IN
        pdf.set_font("helvetica", size=9)
        return
    names = [f"own{i}" for i in range(len(files))]
    for name, file in zip(names, files, strict=True):
        for style, face in (("", file), ("B", fonts.bold(file))):
            pdf.add_font(name, style=style, fname=str(face))
    pdf.set_font(names[0], size=9)
    pdf.set_fallback_fonts(names[1:], exact_match=False)


def _texts(of: Statement) -> list[str]:
    cells = [
        x for rows in (_line_rows(of), _reading_rows(of), _past_rows(of)) for r in rows for x in r
    ]
    told = [x for pair in (*tables.head(of), *explained(of)) for x in pair]
    return [visible(of.title), of.currency, *told, *cells, *_notes(of)]


def _title(pdf: Any, text: str, room: float = 18) -> None:
    """A heading that is never the last thing on a page."""
    if pdf.will_page_break(room):
        pdf.add_page()
    pdf.ln(4)
    pdf.set_text_color(_BLACK)
    pdf.set_font(style="B", size=11)
    pdf.cell(0, 6, text, new_x="LMARGIN", new_y="NEXT")
    pdf.set_font(style="", size=8.5)


# --- what stands on it --------------------------------------------------------------------


def _head(pdf: Any, of: Statement) -> None:
    pdf.set_font(style="B", size=15)
    pdf.multi_cell(0, 8, visible(of.title), new_x="LMARGIN", new_y="NEXT")
    pdf.ln(1)
    for name, text in tables.head(of):
        pdf.set_font(style="", size=9)
        pdf.set_text_color(_GREY)
        pdf.cell(26, 5, name)
        pdf.set_text_color(_BLACK)
        pdf.multi_cell(0, 5, text, new_x="LMARGIN", new_y="NEXT")
    _title(pdf, f"Charges [{of.currency}]" if of.currency else "Charges")


def _charges(pdf: Any, of: Statement) -> None:
    """The lines; a bill that is shared has no rates, and no column for them."""
    rows, total = _line_rows(of), ["Total", "", "", "", number(of.total), ""]
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
        pdf.set_fill_color(*_BAR)
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
