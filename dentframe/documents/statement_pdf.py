"""A statement is written as PDF by fpdf2, which is pure Python: wheels alone, on every system.

Page one is the bill; the audit sheet begins on a page of its own. No number and no time in a
table is broken over two lines.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from dentframe.documents import statement_audit_sheet as audit_sheet
from dentframe.documents.number_and_date_formats import LETTER
from dentframe.documents.statement_audit_sheet import DRAFT, AuditSheet, Texts, title, visible
from dentframe.documents.statement_first_page import CHARGES, Bar, Chart, FirstPage
from dentframe.errors import ConfigError, import_extra

if TYPE_CHECKING:
    from dentframe.money.statement import Statement

BLACK, GREY, RULE, FAINT, WARN, BLUE = 0, 90, 190, 225, (154, 52, 18), (91, 141, 184)
SIZES = (8.5, 8.0, 7.5, 7.0, 6.5, 6.0)
"""Sizes of text in tables, tried in this order [pt]."""
_LARGER = 1.5
"""How much larger a total is [pt]."""
_PADDING, _FIRST_COLUMN, _SLACK = 1.2, 44, 0.3
"""Room around a cell's text, least width of the first column, room for rounding [mm]."""
_DIGIT = "\N{NO-BREAK SPACE}" * 2
"""As wide as a digit."""
_LEFT = {"For", "Meter", "Bill", "Line", "Unit", "Status"}
_LINES = (
    ("Line", "name", "meter", "note", "edges", "flags"), ("Quantity", "quantity"),
    ("Unit", "unit"), ("Rate", "rate"), ("Amount", "amount"), ("Status", "status", "covered"),
)  # fmt: skip
READINGS = (
    ("Meter", "element", "state", "flags"), ("Opening", "open_at", "open_note"),
    ("Reading", "open_reading"), ("Closing", "close_at", "close_note"),
    ("Reading", "close_reading"), ("Used", "energy unit", "least", "most"),
)  # fmt: skip
_EARLIER = (("", "label"), ("", "quantity"), ("", "unit"), ("", "amount"))
_EARLIER_WIDTHS, _AMOUNT, _ROW = (58, 28, 16), 30, 5
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

    Raises
    ------
    MissingExtraError
        Where fpdf2 is not installed.
    ConfigError
        As `fonts_for`.
    """
    first, sheet = FirstPage(of), AuditSheet(of)
    pdf = _opened(of, "".join(_strings([vars(first), vars(sheet), of.currency])), font)
    _first(pdf, of, first, sheet.total)
    pdf.add_page()
    _heading(pdf, f"Audit sheet: {sheet.title}")
    _pairs(pdf, sheet.head, pdf.l_margin, 26)
    _title(pdf, f"Charges [{of.currency}]" if of.currency else "Charges")
    # A bill that is shared has no rates, and no column for them.
    layout = [x for x in _LINES if x[0] != "Rate" or sheet.rated]
    _table(pdf, layout, sheet.lines, ["Total", *[""] * (len(layout) - 3), sheet.total, ""])
    if sheet.readings:
        _title(pdf, "Meter readings", room=30)
        _table(pdf, READINGS, sheet.readings)
    if sheet.comparison:
        _earlier(pdf, sheet.comparison)
    if sheet.explained:
        _title(pdf, "What the words mean")
    for name, meaning in sheet.explained:
        _text(pdf, f"**{name}**: {meaning}", 8, 4, markdown=True)
    pdf.ln(4)
    pdf.set_text_color(GREY)
    for text in (sheet.comparison_note, *sheet.foot):
        _text(pdf, text, 7.5, 3.8, align="J")
    pdf.output(str(path))
    return Path(path)


def _strings(value: Any) -> Iterator[str]:
    """All texts in some data: the fonts must have their letters, and need no others."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | Sequence):
        for x in value.values() if isinstance(value, Mapping) else value:
            yield from _strings(x)


def _opened(of: Statement, texts: str, font: Font) -> Any:
    """A PDF whose fonts can write some texts, with a first page, to which pages are added."""
    import_extra("fpdf", "write a PDF", "report")
    from fpdf import FPDF

    files = fonts_for(texts, font)
    whose = " · ".join(x for x in (visible(of.party), title(of)) if x)

    class Paper(FPDF):
        """A page with its number at the foot, and from the second on whose it is."""

        def header(self) -> None:
            if of.draft:
                self.set_font(style="B", size=110)
                self.set_text_color(FAINT)
                with self.rotation(35, self.w / 2, self.h / 2):
                    width = self.get_string_width(DRAFT)
                    self.text((self.w - width) / 2, self.h / 2, DRAFT)

        def footer(self) -> None:
            self.set_y(-12)
            self.set_font(style="", size=8)
            self.set_text_color(GREY)
            self.cell(0, 5, whose[:100] if self.page_no() > 1 else "")
            self.set_x(self.l_margin)
            self.cell(0, 5, f"{self.page_no()} / {{nb}}", align="R")

    pdf = Paper(format="letter" if of.currency in LETTER else "A4")
    pdf.set_auto_page_break(auto=True, margin=13)
    pdf.set_margins(14, 14)
    pdf.set_title(title(of))
    pdf.set_lang("en")
    # The same statement is the same file.
    pdf.set_creation_date((of.read_at or of.end).to_pydatetime())
    pdf.core_fonts_encoding = BUILT_IN
    for i, file in enumerate(files):
        pdf.add_font(f"own{i}", style="", fname=str(file))
        pdf.add_font(f"own{i}", style="B", fname=str(bold_of(file)))
    pdf.set_font("own0" if files else "helvetica", size=9)
    pdf.set_fallback_fonts([f"own{i}" for i in range(1, len(files))], exact_match=False)
    pdf.set_draw_color(RULE)
    pdf.add_page()
    return pdf


# --- texts and tables ---


def _text(
    pdf: Any, text: str, size: float = 8.2, height: float = 0, *, style: str = "", **how: Any
) -> None:
    """A text, where there is one, over as many lines as it needs."""
    if text:
        pdf.set_font(style=style, size=size)
        how = {"w": 0, "align": "L", "new_x": "LMARGIN", "new_y": "NEXT", **how}
        pdf.multi_cell(h=height or size * 0.48, text=text, **how)


def _heading(pdf: Any, text: str) -> None:
    _text(pdf, text, 15, 8, style="B")
    pdf.ln(1)


def _title(pdf: Any, text: str, room: float = 18) -> None:
    """A heading that is never the last thing on a page."""
    if pdf.will_page_break(room):
        pdf.add_page()
    pdf.ln(1.2)
    _text(pdf, text, 10.5, 5.5, style="B")


def _pairs(pdf: Any, pairs: Sequence[tuple[str, str]], x: float, width: float) -> None:
    for name, text in pairs:
        pdf.set_x(x)
        pdf.set_font(style="", size=9)
        pdf.set_text_color(GREY)
        pdf.cell(width, 4.5, name)
        pdf.set_text_color(BLACK)
        _text(pdf, text, 9, 4.5)


def _table(
    pdf: Any, layout: Sequence[Sequence[str]], rows: Sequence[Texts], total: Sequence[str] = ()
) -> None:
    """A table whose head is on every page; only its first column breaks lines."""
    columns, cells = [head for head, *_ in layout], audit_sheet.cells(rows, layout, _DIGIT)
    size, widths = fitting(pdf, columns, cells, total)
    align = tuple("LEFT" if name in _LEFT else "RIGHT" for name in columns)
    pdf.set_font(style="", size=size)
    with pdf.table(
        col_widths=widths, text_align=align, width=pdf.epw, align="LEFT", v_align="TOP",
        line_height=size * 0.47, borders_layout="HORIZONTAL_LINES", padding=(0.5, _PADDING),
    ) as drawn:  # fmt: skip
        for texts in (columns, *cells):
            drawn.row(texts)
        if total:
            pdf.set_font(style="B", size=size + _LARGER)
            drawn.row(total)


def fitting(
    pdf: Any, columns: Sequence[str], rows: Sequence[Sequence[str]], total: Sequence[str]
) -> tuple[float, tuple[float, ...]]:
    """The greatest size at which nothing but the first column breaks, and the widths for it."""
    size, rest, others = 0.0, 0.0, list[float]()
    for size in SIZES:
        texts = [("B", size, columns), *(("", size, row) for row in rows)]
        texts += [("B", size + _LARGER, total)] * bool(total)
        widths = []
        for style, points, row in texts:
            pdf.set_font(style=style, size=points)
            widths.append([max(map(pdf.get_string_width, x.split("\n"))) for x in row[1:]])
        others = [max(column) + 2 * _PADDING + _SLACK for column in zip(*widths, strict=True)]
        rest = pdf.epw - sum(others)
        if rest >= _FIRST_COLUMN:
            break
    return size, (max(rest, _FIRST_COLUMN), *others)


# --- page one ---


def _first(pdf: Any, of: Statement, first: FirstPage, total: str) -> None:
    """Who bills whom, what is owed, for what, what the meters showed, and whom to ask."""
    if of.letter and of.letter.logo:
        pdf.image(of.letter.logo, h=18, w=60, keep_aspect_ratio=True)
        pdf.set_y(pdf.t_margin + 20)
    top, half = pdf.get_y(), pdf.epw / 2
    for lines, gap in ((first.sender, 5 if first.sender else 0), (first.to, 0)):
        for i, text in enumerate(lines):
            _text(pdf, text, 10, 4.4, w=half, style="" if i else "B")
        pdf.ln(gap)
    left, page = pdf.get_y(), pdf.page
    pdf.set_y(top)
    _pairs(pdf, first.facts, pdf.l_margin + half, 31)
    pdf.set_y(max(left, pdf.get_y()) + 2 if pdf.page == page else pdf.get_y())
    _heading(pdf, title(of))
    with pdf.local_context(text_color=WARN):
        _text(pdf, first.mark, 11)
    # The amount stands beside a bar in the landlord's colour.
    with pdf.local_context(fill_color=(of.letter and of.letter.accent) or "#333333"):
        pdf.rect(pdf.l_margin, pdf.get_y() + 0.5, 1.6, 10, style="F")
    pdf.set_x(pdf.l_margin + 5)
    pdf.set_font(style="", size=12)
    pdf.cell(pdf.epw / 2, 11, first.due)
    pdf.set_font(style="B", size=18)
    pdf.cell(0, 11, first.amount, align="R", new_x="LMARGIN", new_y="NEXT")
    pdf.ln(1)
    _table(pdf, CHARGES, first.charges, ("Total", "", "", total))
    for name, layout, rows in first.tables:
        _title(pdf, name, room=30)
        _table(pdf, layout, rows)
    _text(pdf, first.compared_note, 8)
    if first.chart:
        _title(pdf, "Your use day by day [kWh]", room=40)
        _chart(pdf, first.chart)
        _text(pdf, first.chart.note, 8)
    for texts in (first.remarks, first.closing):
        pdf.ln(1)
        for text in texts:
            _text(pdf, text)


# --- bars: daily use and earlier periods ---


def _chart(pdf: Any, chart: Chart) -> None:
    """Draw a chart as vectors over the whole width of a page."""
    x, y, width, height = pdf.l_margin + 14, pdf.get_y() + 1, pdf.epw - 14, 18
    pdf.set_font(style="", size=7)
    with pdf.local_context(text_color=GREY, fill_color=BLUE):
        for down, text in chart.ticks:
            pdf.line(x, y + height * down, x + width, y + height * down)
            pdf.set_xy(pdf.l_margin, y + height * down - 1.5)
            pdf.cell(12.5, 3, text, align="R")
        for bar in chart.bars:
            _bar(pdf, bar, x + width * bar.left, y, width * bar.width, height)
        for across, text in chart.labels:
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


def _earlier(pdf: Any, periods: Sequence[Texts]) -> None:
    """A row a period with its bar, drawn by hand: fpdf2's own tables hold text alone."""
    _title(pdf, "Earlier periods", room=min(12 + _ROW * (len(periods) + 1), 200))
    amount = "Amount" if any(x["amount"] for x in periods) else ""
    rows = [["Period", "Quantity", "Unit", amount], *audit_sheet.cells(periods, _EARLIER, _DIGIT)]
    shares = [0.0, *(float(x["bar"]) / 100 for x in periods)]
    for i, (texts, share) in enumerate(zip(rows, shares, strict=True)):
        pdf.set_font(style="" if i else "B", size=8.5)
        for text, width, align in zip(texts[:3], _EARLIER_WIDTHS, "LRL", strict=True):
            pdf.cell(width, _ROW, text or "–" * (align == "R"), align=align)
        room = pdf.epw - sum(_EARLIER_WIDTHS) - _AMOUNT
        if share:
            pdf.set_fill_color(*BLUE)
            pdf.rect(pdf.get_x(), pdf.get_y() + 1, room * share, _ROW - 2, style="F")
        pdf.set_x(pdf.l_margin + pdf.epw - _AMOUNT)
        pdf.cell(_AMOUNT, _ROW, texts[3], align="R", new_x="LMARGIN", new_y="NEXT")
        pdf.line(pdf.l_margin, pdf.get_y(), pdf.l_margin + pdf.epw, pdf.get_y())


# --- fonts ---


def fonts_for(texts: str, font: Font = None) -> list[Path]:
    """The TrueType files that together can write some texts, the main one first.

    Parameters
    ----------
    texts : str
        All that is to be written.
    font : str, Path, or sequence of them, optional
        The user's choice; None looks among the common fonts of this machine.

    Returns
    -------
    list of Path
        Empty where the built-in font will do; all of the user's own, of the others those that
        add a letter.

    Raises
    ------
    ConfigError
        For a file that is no font, or letters that no font here has.
    """
    foreign = {ord(c) for c in texts if not c.encode(BUILT_IN, "ignore")}
    needed = {ord(c) for c in texts if not c.isspace()}
    if font is None and not foreign:
        return []
    files = [font] if isinstance(font, str | Path) else _installed() if font is None else font
    taken: list[Path] = []
    for file in map(Path, files):
        letters = letters_of(str(file))
        if font is not None or needed & letters:
            taken.append(file)
        needed -= letters
        if font is None and not needed:
            break
    if needed:
        lacking = "".join(map(chr, sorted(needed & foreign or needed)))[:20]
        whose = "found on this machine" if font is None else "of font="
        raise ConfigError(
            f"Cannot write {lacking!r} in a PDF: neither the built-in font nor the fonts {whose} "
            "have these letters. Pass font= with a TrueType file that has them (or several, e.g. "
            "font=['DejaVuSans.ttf', 'NotoSansJP-Regular.ttf']), or print to_html() from a browser."
        )
    return taken


def _installed() -> list[Path]:
    """The common fonts of this machine, matplotlib's own first: it is the same everywhere."""
    folders = [Path(os.path.expandvars(x)).expanduser() for x in _FOLDERS]
    matplotlib = find_spec("matplotlib")
    if matplotlib and matplotlib.origin:
        folders.insert(0, Path(matplotlib.origin).parent / "mpl-data/fonts/ttf")
    files = [file for folder in folders for file in folder.rglob("*.ttf")]
    found = {file.name: file for file in reversed(files)}  # the first of a name counts
    return [found[name] for name in _NAMES if name in found]


@lru_cache(maxsize=64)
def letters_of(file: str) -> frozenset[int]:
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


def bold_of(file: Path) -> Path:
    """The bold face beside a font, else the font itself."""
    stems = (f"{file.stem}-Bold", file.stem.replace("-Regular", "-Bold"), f"{file.stem}bd")
    faces = (file.with_stem(stem) for stem in stems if stem != file.stem)
    return next((face for face in faces if face.is_file()), file)
