"""Statements as pages: HTML, a notebook's cell, PDF and its fonts."""

from __future__ import annotations

import re
import zlib
from dataclasses import replace
from pathlib import Path

import pytest

from dentframe.documents import statement_audit_sheet as audit_sheet
from dentframe.documents import statement_pdf as pdf
from dentframe.errors import ConfigError
from tests.statement_kit import MAY, SAID, energy_line, full, reading, statement


def plain(page):
    """The text of a page."""
    from html import unescape

    body = page[page.index("<body>") :] if "<body>" in page else page
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", body)))


def test_the_page_says_everything_and_escapes(tmp_path):
    """Party, period with zone, lines, readings, bounds, flags in words; markup in names is text."""
    pytest.importorskip("jinja2")
    text = full().to_html(tmp_path / "s.html")
    assert (tmp_path / "s.html").read_text(encoding="utf-8") == text
    assert [x for x in SAID if x not in plain(text)] == []
    for part in (
        "2024-05-01 00:00 EDT – 2024-06-01 00:00 EDT",
        "2024-04-30 23:47 EDT last before the beginning",
        "at least 9.50 at most 12.75",
        "99.99 % covered",
        "A dash stands",
    ):
        assert part in plain(text)
    evil = replace(full(), party="<b>Smith & Sons</b>")
    assert "&lt;b&gt;Smith &amp; Sons&lt;/b&gt;" in evil.to_html()


def test_a_line_of_part_of_the_period_shows_its_own_readings():
    """Where a rate changed, the readings at the change stand with the line."""
    pytest.importorskip("jinja2")
    line = energy_line(open_at=MAY[0], open_reading=reading().open_reading, close_at=MAY[1],
                       close_reading=reading().close_reading, close_interpolated=True)  # fmt: skip
    told = "readings 100.0 at 2024-05-01 00:00 EDT and 110.0 at 2024-06-01 00:00 EDT"
    assert told in plain(statement(line).to_html())
    assert told not in plain(statement(line, readings=(reading(),)).to_html())


def test_a_shared_bill_has_no_column_of_rates():
    """Without any rate there is no empty column for them."""
    pytest.importorskip("jinja2")
    share = replace(energy_line(), rate=None)
    assert "Rate" in plain(statement().to_html())
    assert "Rate" not in plain(statement(share).to_html())


def test_a_tax_says_what_it_is_taken_of():
    """Whoever pays a tax sees on which lines."""
    pytest.importorskip("jinja2")
    tax = replace(energy_line("2.50", "0.1"), name="City tax", kind="tax", of=("Energy",))
    assert "City tax taken of Energy" in plain(statement(energy_line(), tax).to_html())


def test_no_comparison_is_said_with_its_reason():
    """An empty section is left out, and the page says why."""
    pytest.importorskip("jinja2")
    assert "Earlier periods" in plain(full().to_html())
    text = plain(statement().to_html())
    assert "Earlier periods" not in text
    assert "There is no comparison with earlier periods" in text
    why = statement(comparison_note="There is none: Bakery moved in on 1 May.")
    assert "Bakery moved in on 1 May" in plain(why.to_html())


def test_the_template_can_be_replaced(tmp_path):
    """A template of one's own gets the statement and its tables; a mistake in it is named."""
    pytest.importorskip("jinja2")
    own = tmp_path / "own.html"
    own.write_text(
        "{{ statement.party }}: {{ total }}{% for x in lines %} {{ x.name }}{% endfor %}"
    )
    assert statement().to_html(template=own) == "Bakery: 2.50 Energy"
    own.write_text("{{ nothing }}")
    with pytest.raises(ConfigError, match=re.escape(str(own))):
        statement().to_html(template=own)


def test_a_notebook_shows_a_table_without_any_extra():
    """_repr_html_ escapes, explains, sets no colours of its own and needs no jinja2."""
    text = replace(full(), party="<i>")._repr_html_()
    assert "<table" in text
    assert "&lt;i&gt;" in text
    assert not re.search(r"(?<!-)\b(color|background):", text)
    assert "2.58 USD" in plain(text)
    assert "display cleared" in plain(text)


# --- PDF ---------------------------------------------------------------------------------


def test_the_pdf_is_a_pdf_and_the_same_each_time(tmp_path):
    """fpdf2 writes it, and the same statement is the same file."""
    pytest.importorskip("fpdf")
    one, two = (full().to_pdf(tmp_path / f"{i}.pdf").read_bytes() for i in (1, 2))
    assert one.startswith(b"%PDF")
    assert one == two


def written(path):
    """The texts of a PDF in the built-in font, as they follow each other on its pages."""
    streams = re.findall(rb"stream\n(.*?)\nendstream", path.read_bytes(), re.DOTALL)
    pages = [zlib.decompress(x) for x in streams if x[:1] == b"x"]
    texts = [x for page in pages for x in re.findall(rb"\((.*?)(?<!\\)\) Tj", page)]
    return " ".join(re.sub(rb"\\(.)", rb"\1", x).decode("cp1252") for x in texts)


def test_the_pdf_says_what_the_page_says(tmp_path):
    """All that is written on it: statuses, flags, bounds, the year before, the words, the notes."""
    pytest.importorskip("fpdf")
    whole = written(full().to_pdf(tmp_path / "s.pdf"))
    assert [x for x in SAID if x not in whole] == []
    assert "last before the beginning" in whole
    assert "99.99 % covered" in whole


def test_a_pdf_in_western_letters_needs_no_font():
    """The built-in font has umlauts, dashes, the trade mark and the euro."""
    assert pdf.fonts_for("Müller & Søn ™ – €") == []


def test_other_letters_take_a_font_that_has_them(tmp_path):
    """Polish, Greek and Cyrillic are written with a font of this machine, bold included."""
    pytest.importorskip("fpdf")
    pytest.importorskip("matplotlib")
    made = replace(full(), party="Łukasz Αθήνα Москва")
    (file,) = pdf.fonts_for(made.party)
    assert file.name == "DejaVuSans.ttf"
    assert pdf.bold_of(file).name == "DejaVuSans-Bold.ttf"
    assert made.to_pdf(tmp_path / "s.pdf").read_bytes().startswith(b"%PDF")
    assert made.to_pdf(tmp_path / "t.pdf", font=file).read_bytes().startswith(b"%PDF")


def test_letters_that_no_font_has_are_named(monkeypatch, tmp_path):
    """The error names the letters and what to do; nothing is replaced by a question mark."""
    pytest.importorskip("fpdf")
    monkeypatch.setattr(pdf, "_installed", list)
    with pytest.raises(ConfigError, match=r"'京東'.*font=.*to_html"):
        replace(full(), party="Søn ™ – 東京").to_pdf(tmp_path / "s.pdf")
    with pytest.raises(ConfigError, match=r"no_font\.ttf"):
        full().to_pdf(tmp_path / "s.pdf", font=tmp_path / "no_font.ttf")


def test_several_fonts_stand_in_for_each_other(tmp_path):
    """A second font gives the letters that the first lacks."""
    pytest.importorskip("fpdf")
    pytest.importorskip("matplotlib")
    first = pdf.fonts_for("Ł")[0]
    second = first.with_name("STIXGeneral.ttf")
    only = chr(min(pdf.letters_of(str(second)) - pdf.letters_of(str(first))))
    made = replace(full(), party=f"Łukasz {only}")
    assert made.to_pdf(tmp_path / "s.pdf", font=[first, second]).is_file()
    with pytest.raises(ConfigError, match="the fonts of font="):
        made.to_pdf(tmp_path / "s.pdf", font=first)


def test_a_font_needs_the_letters_of_the_statement_and_no_others(tmp_path):
    """A font that was cut down to the letters that are printed is enough."""
    pytest.importorskip("fpdf")
    pytest.importorskip("matplotlib")
    from fontTools import subset

    file = tmp_path / "few.ttf"
    kept = "".join(map(chr, range(0x20, 0x250))) + "–…·×"
    options = ["--output-file=" + str(file), f"--text={''.join(x for x in kept if x not in '{}')}"]
    subset.main([str(pdf.fonts_for("Ł")[0]), *options])
    assert not {ord("{")} & pdf.letters_of(str(file))
    assert full().to_pdf(tmp_path / "s.pdf", font=file).is_file()


def test_no_number_is_broken_over_two_lines(tmp_path):
    """Long labels and large readings shrink the text; numbers and times keep one line."""
    fpdf = pytest.importorskip("fpdf")
    long = replace(full().readings[0], element="A very long label " * 8)
    rows = audit_sheet.cells(audit_sheet.readings(replace(full(), readings=(long,))), pdf.READINGS)
    paper = fpdf.FPDF(format="A4")
    paper.set_margins(14, 14)
    paper.set_font("helvetica", size=9)
    size, widths = pdf.fitting(paper, [x[0] for x in pdf.READINGS], rows, ())
    paper.set_font(style="", size=size)
    assert sum(widths) == pytest.approx(paper.epw)
    for cell, width in zip(rows[0][1:], widths[1:], strict=True):
        assert all(paper.get_string_width(x) < width for x in cell.split("\n"))
    assert Path(replace(full(), readings=(long,) * 30).to_pdf(tmp_path / "s.pdf")).is_file()
