"""A statement as PDF, by fpdf2: wheels alone, on every system."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dentframe.errors import ConfigError, missing_extra
from dentframe.money.output import tables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dentframe.money.statement import Statement

_LINES = (
    ("Line", 62),
    ("Quantity", 28),
    ("Unit", 18),
    ("Rate", 24),
    ("Amount", 28),
    ("Status", 22),
)
_READINGS = (
    ("Meter", 22), ("Opening", 36), ("Reading", 24), ("Closing", 36), ("Reading", 24),
    ("Used", 22), ("Status", 18),
)  # fmt: skip
_NUMBERS = {"Quantity", "Rate", "Amount", "Reading", "Used"}
_BUILT_IN = "cp1252"


def write(of: Statement, path: str | Path, *, font: str | Path | None = None) -> Path:
    """Write the PDF and return where.

    Parameters
    ----------
    of : Statement
        The statement.
    path : str or Path
        A ``.pdf`` file.
    font : str or Path, optional
        A TrueType file; without it the built-in Helvetica (Western European letters).
    """
    try:
        from fpdf import FPDF
    except ImportError:
        raise missing_extra("write a PDF", "report") from None
    pdf = _opened(FPDF, of, font)
    _head(pdf, of)
    _table(pdf, _LINES, _line_rows(of), total=_total(of))
    if of.readings:
        _title(pdf, "Meter readings")
        _table(pdf, _READINGS, _reading_rows(of))
    if of.comparison:
        _title(pdf, "Earlier periods")
        _table(pdf, (("Period", 40), ("Quantity", 34), ("Unit", 20), ("Amount", 34)), _past(of))
    _foot(pdf, of)
    pdf.output(str(path))
    return Path(path)


def _opened(make: Any, of: Statement, font: str | Path | None) -> Any:
    class Paper(make):  # type: ignore[misc]
        """A page with its number at the foot."""

        def footer(self) -> None:
            self.set_y(-12)
            self.set_font(size=8)
            self.cell(0, 5, f"{self.page_no()} / {{nb}}", align="R")

    pdf = Paper(format="A4")
    pdf.set_auto_page_break(auto=True, margin=16)
    pdf.set_margins(14, 14)
    pdf.set_title(of.title)
    # The same statement is the same file.
    pdf.set_creation_date((of.read_at or of.end).to_pydatetime())
    if font is None:
        _check_letters(of)
        pdf.core_fonts_encoding = _BUILT_IN
        pdf.set_font("helvetica", size=9)
    else:
        for style in ("", "B"):
            pdf.add_font("own", style=style, fname=str(font))
        pdf.set_font("own", size=9)
    pdf.add_page()
    return pdf


def _check_letters(of: Statement) -> None:
    for text in _texts(of):
        try:
            text.encode(_BUILT_IN)
        except UnicodeEncodeError:
            raise ConfigError(
                f"Cannot write {text!r} in a PDF: the built-in font has only Western European "
                "letters. Pass font= with a TrueType file that has them, e.g. DejaVuSans.ttf, or "
                "print to_html() from a browser."
            ) from None


def _texts(of: Statement) -> list[str]:
    rows = [*_line_rows(of), *_reading_rows(of), *_past(of)]
    return [of.title, *(v for _, v in tables.head(of)), *(x for r in rows for x in r), *_feet(of)]


def _feet(of: Statement) -> list[str]:
    return tables.foot(of)


def _head(pdf: Any, of: Statement) -> None:
    pdf.set_font(style="B", size=15)
    pdf.multi_cell(0, 8, of.title, new_x="LMARGIN", new_y="NEXT")
    pdf.ln(1)
    for name, text in tables.head(of):
        pdf.set_font(style="", size=9)
        pdf.set_text_color(90)
        pdf.cell(26, 5, name)
        pdf.set_text_color(0)
        pdf.multi_cell(0, 5, text, new_x="LMARGIN", new_y="NEXT")
    _title(pdf, f"Charges [{of.currency}]" if of.currency else "Charges")


def _title(pdf: Any, text: str) -> None:
    pdf.ln(5)
    pdf.set_font(style="B", size=11)
    pdf.cell(0, 6, text, new_x="LMARGIN", new_y="NEXT")
    pdf.set_font(style="", size=8.5)


def _table(
    pdf: Any,
    columns: Sequence[tuple[str, int]],
    rows: Sequence[Sequence[str]],
    total: Sequence[str] = (),
) -> None:
    align = tuple("RIGHT" if name in _NUMBERS else "LEFT" for name, _ in columns)
    pdf.set_font(style="", size=8.5)
    widths = tuple(w for _, w in columns)
    with pdf.table(
        col_widths=widths, text_align=align, width=sum(widths), align="LEFT", line_height=4.6,
        borders_layout="HORIZONTAL_LINES", padding=0.8,
    ) as table:  # fmt: skip
        table.row([name for name, _ in columns])
        for texts in rows:
            table.row(texts)
        if total:
            pdf.set_font(style="B", size=9.5)
            table.row(total)
    pdf.set_font(style="", size=8.5)


def _line_rows(of: Statement) -> list[list[str]]:
    return [
        [
            "\n".join(t for t in (x["name"], _meter(x["element"]), x["note"]) if t),
            x["quantity"],
            x["unit"],
            x["rate"],
            x["amount"],
            _status(x),
        ]
        for x in tables.lines(of)
    ]


def _meter(element: str) -> str:
    return f"meter {element}" if element else ""


def _status(x: dict[str, str]) -> str:
    poor = x["status"] not in {"", "recorded"}
    return f"{x['status']}\n{x['coverage']}" if poor else x["status"]


def _total(of: Statement) -> list[str]:
    return ["Total", "", "", "", tables.number(of.total), ""]


def _reading_rows(of: Statement) -> list[list[str]]:
    return [
        [
            r["element"],
            r["open_at"],
            r["open_reading"],
            r["close_at"],
            r["close_reading"],
            f"{r['energy']} {r['unit']}".strip(),
            _status(r),
        ]
        for r in tables.readings(of)
    ]


def _past(of: Statement) -> list[list[str]]:
    return [[p["label"], p["quantity"], p["unit"], p["amount"]] for p in tables.comparison(of)]


def _foot(pdf: Any, of: Statement) -> None:
    pdf.ln(4)
    pdf.set_font(style="", size=7.5)
    pdf.set_text_color(90)
    for text in _feet(of):
        pdf.multi_cell(0, 3.8, text, new_x="LMARGIN", new_y="NEXT")
