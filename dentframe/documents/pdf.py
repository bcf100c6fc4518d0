"""A statement as PDF, by fpdf2: wheels alone, on every system.

The font of a PDF: the built-in one where its letters do, else one found on this machine.

A table of a PDF whose numbers and times are never broken. By fpdf2.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from dentframe.documents import tables
from dentframe.documents.tables import explained, number, visible
from dentframe.errors import ConfigError, missing_extra

if TYPE_CHECKING:
    from dentframe.money.statement import Statement


Font: TypeAlias = "str | Path | Sequence[str | Path] | None"
BUILT_IN = "cp1252"
"""What the built-in Helvetica of every PDF reader can write: Western European letters."""
_NAMES = (
    "DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf", "segoeui.ttf",
    "arial.ttf", "Arial.ttf", "Arial Unicode.ttf", "arialuni.ttf", "malgun.ttf",
    "simhei.ttf", "DroidSansFallbackFull.ttf", "DroidSansFallback.ttf", "ipag.ttf", "ipaexg.ttf",
)  # fmt: skip
_FOLDERS = (
    "/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts",
    "/System/Library/Fonts/Supplemental", "/Library/Fonts", "~/Library/Fonts",
    "%WINDIR%/Fonts", "%LOCALAPPDATA%/Microsoft/Windows/Fonts",
)  # fmt: skip


def plain(texts: Sequence[str]) -> bool:
    """Whether the built-in font can write some texts."""
    return not _beyond(texts)


def _beyond(texts: Sequence[str]) -> set[str]:
    return {c for c in set("".join(texts)) if not c.encode(BUILT_IN, "ignore")}


def chosen(texts: Sequence[str], font: Font = None) -> list[Path]:
    """The TrueType files that together can write some texts, the main one first.

    Parameters
    ----------
    texts : sequence of str
        All that is to be written.
    font : str, Path, or sequence of them, optional
        The user's choice; None looks among the common fonts of this machine.

    Returns
    -------
    list of Path
        Empty where the built-in font will do.

    Raises
    ------
    ConfigError
        For a file that is no font, or letters that no font here has.
    """
    if font is None and plain(texts):
        return []
    if font is None:
        return _least(_at_hand(), _needed(texts))
    files = [Path(x) for x in ([font] if isinstance(font, str | Path) else font)]
    return _least(files, _needed(texts), everything=True)


def _needed(texts: Sequence[str]) -> set[int]:
    return {ord(c) for c in set("".join(texts)) if not c.isspace()}


def _least(files: Sequence[Path], needed: set[int], *, everything: bool = False) -> list[Path]:
    """The main font and those that add a letter to it; all of the user's own."""
    taken: list[Path] = []
    for file in files:
        have = letters(str(file))
        if everything or needed & have:
            taken.append(file)
            needed = needed - have
        if not needed:
            break
    if needed:
        raise ConfigError(_lacking(needed, everything=everything))
    return list(files) if everything else taken


def _lacking(needed: set[int], *, everything: bool) -> str:
    letters_needed = "".join(map(chr, sorted(needed)))
    told = "".join(sorted(_beyond([letters_needed])))[:20] or letters_needed[:20]
    whose = "the fonts of font=" if everything else "the fonts found on this machine"
    return (
        f"Cannot write {told!r} in a PDF: neither the built-in font nor {whose} have these "
        "letters. Pass font= with a TrueType file that has them (or several, e.g. "
        "font=['DejaVuSans.ttf', 'NotoSansJP-Regular.ttf']), or print to_html() from a browser."
    )


def _at_hand() -> list[Path]:
    """The common fonts that are installed, matplotlib's own first: it is the same everywhere."""
    found = {p.name: p for p in reversed([*_files()])}
    own = _matplotlib()
    return [*([own] if own else []), *(found[n] for n in _NAMES if n in found)]


def _matplotlib() -> Path | None:
    spec = find_spec("matplotlib")
    if spec is None or spec.origin is None:
        return None
    file = Path(spec.origin).parent / "mpl-data/fonts/ttf/DejaVuSans.ttf"
    return file if file.is_file() else None


def _files() -> Iterator[Path]:
    for folder in _FOLDERS:
        at = Path(os.path.expandvars(folder)).expanduser()
        if at.is_dir():
            yield from (p for p in at.rglob("*.ttf") if p.name in _NAMES)


@lru_cache(maxsize=64)
def letters(file: str) -> frozenset[int]:
    """The code points that a font can write.

    Raises
    ------
    ConfigError
        For a file that is not there, or is no TrueType font.
    """
    from fontTools.ttLib import TTFont, TTLibError

    try:
        with TTFont(file, fontNumber=0, lazy=True) as font:
            return frozenset(font.getBestCmap() or ())
    except (OSError, TTLibError) as e:
        raise ConfigError(
            f"Cannot use the font {file!r}: {e}. Name a TrueType file (.ttf)."
        ) from None


def bold(file: Path) -> Path:
    """The bold face beside a font, else the font itself."""
    beside = [f"{file.stem}-Bold", file.stem.replace("-Regular", "-Bold"), f"{file.stem}bd"]
    names = [file.with_name(f"{n}{file.suffix}") for n in beside if n != file.stem]
    return next((p for p in names if p.is_file()), file)


SIZES = (8.5, 8.0, 7.5, 7.0, 6.5, 6.0)
"""Sizes of text, tried in this order [pt]."""
_PAD, _FIRST, _SLACK = 1.2, 44, 0.3
"""Room beside a cell's text, least width of the first column, room for rounding [mm]."""
_TOTAL = 1.5
_RIGHT = {"Quantity", "Rate", "Amount", "Reading", "Used"}

Rows = Sequence[Sequence[str]]


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
    align = tuple("RIGHT" if name in _RIGHT else "LEFT" for name in columns)
    pdf.set_font(style="", size=size)
    with pdf.table(
        col_widths=widths, text_align=align, width=pdf.epw, align="LEFT", v_align="TOP",
        line_height=size * 0.52, borders_layout="HORIZONTAL_LINES", padding=(0.9, _PAD),
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


_LINES = ("Line", "Quantity", "Unit", "Rate", "Amount", "Status")
_READINGS = ("Meter", "Opening", "Reading", "Closing", "Reading", "Used")
_PAST, _AMOUNT, _ROW = (44, 28, 16), 30, 5
_BAR = (91, 141, 184)
_LETTER = {"USD", "CAD", "MXN"}
"""Where Letter is the paper; A4 is it elsewhere."""
_GREY, _BLACK, _RULE, _FAINT = 90, 0, 190, 225
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
    pdf = _opened(FPDF, of, chosen(_texts(of), font))
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

    pdf = Paper(format="letter" if of.currency in _LETTER else "A4")
    pdf.set_auto_page_break(auto=True, margin=16)
    pdf.set_margins(14, 14)
    pdf.set_title(tables.title(of))
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
    pdf.ln(4)
    pdf.set_text_color(_BLACK)
    pdf.set_font(style="B", size=11)
    pdf.cell(0, 6, text, new_x="LMARGIN", new_y="NEXT")
    pdf.set_font(style="", size=8.5)


# --- what stands on it --------------------------------------------------------------------


def _head(pdf: Any, of: Statement) -> None:
    pdf.set_font(style="B", size=15)
    pdf.multi_cell(0, 8, tables.title(of), new_x="LMARGIN", new_y="NEXT")
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
