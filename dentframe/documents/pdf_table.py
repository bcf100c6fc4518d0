"""A table of a PDF is drawn so that no number and no time is broken over two lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

SIZES = (8.5, 8.0, 7.5, 7.0, 6.5, 6.0)
"""Sizes of text, tried in this order [pt]."""
_PAD, _FIRST, _SLACK = 1.2, 44, 0.3
"""Room beside a cell's text, least width of the first column, room for rounding [mm]."""
_TOTAL = 1.5
LETTER = {"USD", "CAD", "MXN"}
"""Where Letter is the paper; A4 is it elsewhere."""
_LEFT = {"For", "Meter", "Bill", "Line", "Unit", "Opening", "Closing", "Status"}

Rows: TypeAlias = Sequence[Sequence[str]]


def table(pdf: Any, columns: Sequence[str], rows: Rows, total: Sequence[str] = ()) -> None:
    """Draw a table whose head is on every page; only its first column breaks lines.

    Parameters
    ----------
    pdf : FPDF
        The paper, at the place where the table begins.
    columns : sequence of str
        The head.
    rows : sequence of sequence of str
        The cells.
    total : sequence of str, optional
        A last row, larger.
    """
    size, widths = _fitting(pdf, columns, rows, total)
    align = tuple("LEFT" if name in _LEFT else "RIGHT" for name in columns)
    pdf.set_font(style="", size=size)
    with pdf.table(
        col_widths=widths, text_align=align, width=pdf.epw, align="LEFT", v_align="TOP",
        line_height=size * 0.47, borders_layout="HORIZONTAL_LINES", padding=(0.5, _PAD),
    ) as drawn:  # fmt: skip
        drawn.row(columns)
        for texts in rows:
            drawn.row(texts)
        if total:
            pdf.set_font(style="B", size=size + _TOTAL)
            drawn.row(total)
    pdf.set_font(style="", size=SIZES[0])


def _fitting(
    pdf: Any, columns: Sequence[str], rows: Rows, total: Sequence[str]
) -> tuple[float, tuple[float, ...]]:
    """The greatest size at which nothing but the first column breaks, and the widths for it."""
    tried = ((size, _rest(pdf, size, columns, rows, total)) for size in SIZES)
    fits = (found for found in tried if pdf.epw - sum(found[1]) >= _FIRST)
    least = SIZES[-1]
    size, rest = next(fits, None) or (least, _rest(pdf, least, columns, rows, total))
    return size, (max(pdf.epw - sum(rest), _FIRST), *rest)


def _rest(
    pdf: Any, size: float, columns: Sequence[str], rows: Rows, total: Sequence[str]
) -> list[float]:
    """The widths that all columns but the first need at a size."""
    found = [0.0] * len(columns)
    faces = (
        ("B", size, [columns]),
        ("", size, rows),
        ("B", size + _TOTAL, [total] if total else []),
    )
    for style, points, cells in faces:
        pdf.set_font(style=style, size=points)
        for row in cells:
            found = [max(w, _width(pdf, x)) for w, x in zip(found, row, strict=True)]
    return [w + 2 * _PAD + _SLACK for w in found[1:]]


def _width(pdf: Any, text: str) -> float:
    return max(float(pdf.get_string_width(line)) for line in text.split("\n"))
