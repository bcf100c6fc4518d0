"""The paper of a PDF has its pages, its fonts, its tables and its chart from here.

The font is the built-in one where its letters do, else one found on this machine. No number and
no time in a table is broken over two lines.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from dentframe.documents.audit_sheet import DRAFT, title, visible
from dentframe.documents.formats import LETTER
from dentframe.errors import ConfigError, missing_extra

if TYPE_CHECKING:
    from dentframe.documents.chart import Bar, Chart
    from dentframe.money.statement import Statement

GREY, BLACK, RULE, FAINT, WARN = 90, 0, 190, 225, (154, 52, 18)
BLUE = (91, 141, 184)


# --- pages ---


def opened(of: Statement, texts: Sequence[str], font: Font = None) -> Any:
    """A PDF whose fonts can write some texts, with a first page, to which pages are added.

    Parameters
    ----------
    of : Statement
        Whose paper it is.
    texts : sequence of str
        All that is to be written.
    font : str, Path, or sequence of them, optional
        As in `chosen`.

    Raises
    ------
    MissingExtraError
        Where fpdf2 is not installed.
    ConfigError
        As `chosen`.
    """
    try:
        from fpdf import FPDF
    except ImportError:
        raise missing_extra("write a PDF", "report") from None
    files = chosen(texts, font)
    told = " · ".join(x for x in (visible(of.party), title(of)) if x)

    class Paper(FPDF):
        """A page with its number at the foot, and from the second on whose it is."""

        def header(self) -> None:
            if not of.draft:
                return
            self.set_font(style="B", size=110)
            self.set_text_color(FAINT)
            with self.rotation(35, self.w / 2, self.h / 2):
                width = self.get_string_width(DRAFT)
                self.text((self.w - width) / 2, self.h / 2, DRAFT)
            self.set_text_color(BLACK)

        def footer(self) -> None:
            self.set_y(-12)
            self.set_font(style="", size=8)
            self.set_text_color(GREY)
            self.cell(0, 5, told[:100] if self.page_no() > 1 else "")
            self.set_x(self.l_margin)
            self.cell(0, 5, f"{self.page_no()} / {{nb}}", align="R")

    pdf = Paper(format="letter" if of.currency in LETTER else "A4")
    pdf.set_auto_page_break(auto=True, margin=13)
    pdf.set_margins(14, 14)
    pdf.set_title(title(of))
    pdf.set_lang("en")
    # The same statement is the same file.
    pdf.set_creation_date((of.read_at or of.end).to_pydatetime())
    _face(pdf, files)
    pdf.set_draw_color(RULE)
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


# --- fonts ---

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
    if font is None and not _beyond(texts):
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


# --- tables and the chart ---

SIZES = (8.5, 8.0, 7.5, 7.0, 6.5, 6.0)
"""Sizes of text, tried in this order [pt]."""
_PAD, _FIRST, _SLACK = 1.2, 44, 0.3
"""Room beside a cell's text, least width of the first column, room for rounding [mm]."""
_TOTAL = 1.5
_LEFT = {"For", "Meter", "Bill", "Line", "Unit", "Status"}

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


def draw(pdf: Any, found: Chart) -> None:
    """Draw a chart into a PDF, as vectors, over its whole width.

    Parameters
    ----------
    pdf : FPDF
        The paper, at the place where the chart begins.
    found : Chart
        What is drawn.
    """
    x, y, width, height = pdf.l_margin + 14, pdf.get_y() + 1, pdf.epw - 14, 18
    pdf.set_font(style="", size=7)
    with pdf.local_context(text_color=GREY, fill_color=BLUE):
        for down, text in found.ticks:
            pdf.line(x, y + height * down, x + width, y + height * down)
            pdf.set_xy(pdf.l_margin, y + height * down - 1.5)
            pdf.cell(12.5, 3, text, align="R")
        for bar in found.bars:
            _bar(pdf, bar, x + width * bar.left, y, width * bar.width, height)
        for across, text in found.labels:
            pdf.set_xy(x + width * across - 10, y + height + 1.5)
            pdf.cell(20, 3, text, align="C")
    pdf.set_y(y + height + 5.5)


def _bar(pdf: Any, bar: Bar, x: float, y: float, width: float, scale: float) -> None:
    top, height = y + scale * bar.top, scale * bar.height
    if not bar.known:
        pdf.text(x + width / 2 - 0.6, y + scale - 0.5, "?")
    elif not bar.doubtful:
        pdf.rect(x, top, width, height, style="F")
    elif height:
        with pdf.local_context(draw_color=BLUE), pdf.rect_clip(x, top, width, height):
            pdf.rect(x, top, width, height)
            for i in range(int((width + height) / 1.2) + 1):
                pdf.line(x, top + i * 1.2, x + i * 1.2, top)
