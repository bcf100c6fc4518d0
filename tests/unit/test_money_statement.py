"""Statements: what they say, how they check themselves, and what each output holds."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from decimal import Decimal

import pandas as pd
import pytest

from dentframe.errors import ConfigError, MissingExtraError
from dentframe.money import Line, Past, Reading, Statement
from dentframe.money.statement import priced

NY = "America/New_York"
MAY = pd.Timestamp("2024-05-01", tz=NY), pd.Timestamp("2024-06-01", tz=NY)


def energy_line(quantity="10.00", rate="0.25", **more):
    """One priced line."""
    return priced("Energy", "energy", Decimal(quantity), "kWh", Decimal(rate), digits=2,
                  charge="Energy", **more)  # fmt: skip


def statement(*lines, **more):
    """A statement of May."""
    lines = lines or (energy_line(),)
    return Statement("Bakery", "Electricity", *MAY, NY, "USD", lines, **more)


def reading(**more):
    """A meter that was read at both edges."""
    told = {
        "element": "A",
        "open_at": MAY[0],
        "open_reading": Decimal("100.0"),
        "open_interpolated": False,
        "close_at": MAY[1],
        "close_reading": Decimal("110.0"),
        "close_interpolated": False,
        "energy": Decimal("10.00"),
        "coverage": 1.0,
        "status": "recorded",
    }
    return Reading(**{**told, **more})


def test_the_total_is_the_sum_of_the_lines():
    """Without a total of its own, a statement adds up its lines and knows its version."""
    made = statement(energy_line(), energy_line("1.00", "0.10"))
    assert made.total == Decimal("2.60")
    assert made.version
    assert made.check() == []


def test_check_names_what_differs():
    """A changed amount, total, tax base or reading is told, each by its name."""
    tax = priced("Tax", "tax", Decimal("9.00"), "USD", Decimal("0.1"), digits=2, of=("Energy",))
    bad = replace(energy_line(), amount=Decimal("2.51"))
    made = statement(bad, tax, total=Decimal("1.00"), readings=(reading(energy=Decimal("9.00")),))
    told = made.check()
    assert [x.split(":")[0] for x in told] == [
        "Line 'Energy'",
        "Line 'Tax'",
        "Element 'A'",
        "Total",
    ]
    assert "10.00 × 0.25 is 2.50, printed is 2.51" in told[0]


def test_a_quantity_finer_than_printed_is_told():
    """The quantity printed is the quantity priced: hidden decimals are a difference."""
    assert "finer than 2 places" in statement(energy_line("10.001")).check()[0]


def test_shares_without_a_rate_are_taken_as_given():
    """A line whose amount was shared is summed, not multiplied."""
    share = Line("Share", "share", Decimal(20), "kWh", None, Decimal("3.33"), basis="energy")
    assert statement(share).check() == []


def test_a_statement_survives_json():
    """to_dict is plain data, from_dict reads it back, an unknown field is refused."""
    made = statement(
        energy_line(status="recorded", coverage=1.0, flags=("glitch",), open_at=MAY[0]),
        readings=(reading(),),
        comparison=(Past("2023-05", Decimal("9.5")),),
        notes=("a note",),
        read_at=MAY[1],
        tariff={"name": "Flat"},
    )
    data = json.loads(json.dumps(made.to_dict()))
    assert Statement.from_dict(data) == made
    with pytest.raises(ConfigError, match="no field 'colour'"):
        Statement.from_dict({**data, "colour": "red"})


def test_the_frame_has_a_row_a_line_and_money_as_decimal():
    """to_frame keeps Decimals."""
    df = statement(energy_line(), energy_line()).to_frame()
    assert df["amount"].tolist() == [Decimal("2.50")] * 2
    assert list(df.columns[:3]) == ["name", "kind", "quantity"]


def test_csv_escapes_what_a_spreadsheet_would_run(tmp_path):
    """A party or note that begins with = + - @ is text; a negative amount stays a number."""
    evil = replace(energy_line("-10.00"), name="=1+1", note="@SUM(A1)", element="+A")
    made = replace(statement(evil), party="-Bakery", total=Decimal("-2.50"))
    text = made.to_csv(tmp_path / "s.csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert (tmp_path / "s.csv").read_bytes().decode() == text
    first = rows[0]
    assert (first["party"], first["name"], first["note"], first["element"]) == (
        "'-Bakery",
        "'=1+1",
        "'@SUM(A1)",
        "'+A",
    )
    assert (first["amount"], rows[-1]["name"], rows[-1]["amount"]) == ("-2.50", "Total", "-2.50")


def test_the_workbook_computes(tmp_path):
    """Amounts are formulas of quantity and rate, taxes of their lines, the total a SUM."""
    openpyxl = pytest.importorskip("openpyxl")
    tax = priced("Tax", "tax", Decimal("2.50"), "USD", Decimal("0.1"), digits=2, of=("Energy",))
    evil = replace(tax, name="=cmd", of=(), rate=None, quantity=None)
    made = statement(energy_line(), tax, evil, readings=(reading(),), comparison=(Past("x", None),))
    book = openpyxl.load_workbook(made.to_excel(tmp_path / "s.xlsx"))
    sheet = book["Statement"]
    top = next(c.row for c in sheet["A"] if c.value == "Line")
    cells = {c.value: c.row for c in sheet["A"]}
    assert (
        sheet.cell(top + 1, 6).value == f"=ROUND(ROUND(C{top + 1}*E{top + 1}*10^4,0)/10^2,0)/10^2"
    )
    assert sheet.cell(top + 2, 3).value == f"=F{top + 1}"
    assert sheet.cell(top + 3, 1).value == "'=cmd"
    assert sheet.cell(top + 3, 6).value == 0.25
    assert sheet.cell(cells["Total"], 6).value == f"=SUM(F{top + 1}:F{top + 3})"
    assert [c.value for c in book["Readings"][2]][:3] == ["A", "2024-05-01 00:00 EDT", 100]
    assert book.sheetnames == ["Statement", "Readings", "Comparison"]


def test_half_even_and_exact_workbooks(tmp_path):
    """The workbook rounds as the statement does."""
    openpyxl = pytest.importorskip("openpyxl")
    for places, rounding, start in ((2, "half-even", "=IF("), (None, "half-up", "=C")):
        made = statement(places=places, rounding=rounding)
        sheet = openpyxl.load_workbook(made.to_excel(tmp_path / "s.xlsx"))["Statement"]
        row = next(c.row for c in sheet["A"] if c.value == "Energy")
        assert sheet.cell(row, 6).value.startswith(start)


def test_the_page_says_everything_and_escapes(tmp_path):
    """Party, period with zone, lines, readings, status, rounding; markup in names is text."""
    pytest.importorskip("jinja2")
    made = statement(
        energy_line(status="estimated", coverage=0.999999, element="A"),
        readings=(reading(open_interpolated=True, status="estimated", flags=("reset",)),),
        comparison=(Past("2023-05", Decimal("9.5"), amount=Decimal("2.10")),),
    )
    made = replace(made, party="<b>Smith & Sons</b>")
    text = made.to_html(tmp_path / "s.html")
    assert (tmp_path / "s.html").read_text(encoding="utf-8") == text
    for part in (
        "&lt;b&gt;Smith &amp; Sons&lt;/b&gt;",
        "2024-05-01 00:00 EDT – 2024-06-01 00:00 EDT",
        "99.99 % covered",
        "(last reading before)",
        "part of the energy is an estimate",
        "rounded half-up",
        "2023-05",
    ):
        assert part in text


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
    """_repr_html_ escapes and needs no jinja2."""
    text = replace(statement(), party="<i>").__class__._repr_html_(statement())
    assert "<table>" in text
    assert "2.50 USD" in text


def test_the_pdf_is_a_pdf_and_the_same_each_time(tmp_path):
    """fpdf2 writes it; the same statement is the same file; foreign letters ask for a font."""
    pytest.importorskip("fpdf")
    made = statement(energy_line(note="ä – €"), readings=(reading(),), read_at=MAY[1])
    one, two = (made.to_pdf(tmp_path / f"{i}.pdf").read_bytes() for i in (1, 2))
    assert one.startswith(b"%PDF")
    assert one == two
    with pytest.raises(ConfigError, match="font="):
        replace(made, party="Łukasz").to_pdf(tmp_path / "3.pdf")


@pytest.mark.parametrize(
    ("module", "method", "name"),
    [
        ("openpyxl", "to_excel", "excel"),
        ("jinja2", "to_html", "report"),
        ("fpdf", "to_pdf", "report"),
    ],
)
def test_a_missing_extra_is_named(monkeypatch, tmp_path, module, method, name):
    """Without its package, an output says what to install."""
    import sys

    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=re.escape(f"dentframe[{name}]")):
        getattr(statement(), method)(tmp_path / "out")
