"""A statement's workbook: live formulas, texts that stay texts, all that the page says."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from dentframe.money import Past
from tests.statement_kit import SAID, energy_line, full, priced, reading, statement

openpyxl = pytest.importorskip("openpyxl")


def test_the_workbook_computes(tmp_path):
    """Amounts are formulas of quantity and rate, taxes of their lines, the total a SUM."""
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
    evil_cell = sheet.cell(top + 3, 1)
    assert (evil_cell.value, evil_cell.data_type, evil_cell.quotePrefix) == ("=cmd", "s", True)
    assert sheet.cell(top + 3, 6).value == 0.25
    assert sheet.cell(cells["Total"], 6).value == f"=SUM(F{top + 1}:F{top + 3})"
    assert [c.value for c in book["Readings"][2]][:3] == ["A", "2024-05-01 00:00 EDT", 100]
    assert book.sheetnames == ["Bill", "Statement", "Readings", "Comparison"]


def test_half_even_and_exact_workbooks(tmp_path):
    """The workbook rounds as the statement does."""
    for places, rounding, start in ((2, "half-even", "=IF("), (None, "half-up", "=C")):
        made = statement(places=places, rounding=rounding)
        sheet = openpyxl.load_workbook(made.to_excel(tmp_path / "s.xlsx"))["Statement"]
        row = next(c.row for c in sheet["A"] if c.value == "Energy")
        assert sheet.cell(row, 6).value.startswith(start)


def test_a_statement_without_lines_has_a_workbook(tmp_path):
    """A summer charge has no line in winter: a total of nothing, that sums no cells."""
    none = replace(statement(), lines=(), total=Decimal(0), readings=(reading(),))
    sheet = openpyxl.load_workbook(none.to_excel(tmp_path / "s.xlsx"))["Statement"]
    (row,) = (c.row for c in sheet["A"] if c.value == "Total")
    assert sheet.cell(row, 6).value == 0


def test_the_workbook_says_what_the_page_says(tmp_path):
    """Statuses, flags in words, bounds, the year before, the words and the notes."""
    book = openpyxl.load_workbook(full().to_excel(tmp_path / "s.xlsx"))
    cells = [c for sheet in book for row in sheet for c in row if c.value is not None]
    whole = "\n".join(str(c.value) for c in cells)
    decimal = {"9.50": "9.5"}
    assert [x for x in SAID if decimal.get(x, x) not in whole] == []
    assert "A dash stands" not in "\n".join(str(c.value) for c in book["Statement"]["A"])
    read = dict(zip(*([c.value for c in r] for r in book["Readings"].iter_rows()), strict=True))
    assert (read["At least"], read["At most"], read["Opening before the beginning"]) == (
        9.5,
        12.75,
        "yes",
    )
    assert read["Coverage"] == 0.9999


def test_control_characters_do_not_stop_a_workbook(tmp_path):
    """A name pasted with unseen characters is written without them."""
    made = replace(full(), party="Bak\x07ery")
    book = openpyxl.load_workbook(made.to_excel(tmp_path / "s.xlsx"))
    assert "Bakery" in [c.value for c in book["Statement"]["B"]]
