"""The CSV of a statement: one table that says everything, and that no spreadsheet runs."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from dentframe.documents.number_and_date_formats import Formats, aligned
from dentframe.documents.statement_audit_sheet import covered, visible
from dentframe.frame.csv_and_excel import escaped, plain
from dentframe.money import Line
from tests.statement_kit import SAID, energy_line, full, statement


def rows_of(text):
    """The rows by column name."""
    return list(csv.DictReader(io.StringIO(text)))


def test_what_a_spreadsheet_would_run_is_text(tmp_path):
    """A party or note that begins with = + - @ is text; a negative amount stays a number."""
    evil = replace(energy_line("-10.00"), name="=1+1", note="@SUM(A1)", element="+A")
    made = replace(statement(evil), party="-Bakery", total=Decimal("-2.50"))
    text = made.to_csv(tmp_path / "s.csv")
    assert (tmp_path / "s.csv").read_bytes().decode() == text
    first, total = rows_of(text)[:2]
    told = (first["party"], first["name"], first["note"], first["element"])
    assert told == ("'-Bakery", "'=1+1", "'@SUM(A1)", "'+A")
    assert (first["amount"], total["name"], total["amount"]) == ("-2.50", "Total", "-2.50")


def test_nothing_else_gets_an_apostrophe():
    """Texts of our own and names with an apostrophe inside or before a letter stay as they are."""
    line = Line("'t Hooft's share", "share", Decimal(-3), "kWh", None, Decimal("-1.00"),
                note="a credit: -3 of 9 kWh of the utility's 3.00 USD")  # fmt: skip
    first = rows_of(statement(line).to_csv())[0]
    assert first["name"] == "'t Hooft's share"
    assert first["note"].startswith("a credit")
    assert not any(v.startswith("'") for v in rows_of(full().to_csv())[0].values())


@given(st.text() | st.from_regex(r"'*[ \t\n\u00a0]*[=+@'-]+x", fullmatch=True))
def test_the_escape_can_be_taken_back(text):
    """No cell begins like a formula, and what `plain` gives is the text but for line ends."""
    cell = escaped(text)
    assert not cell.lstrip().startswith(("=", "+", "-", "@"))
    assert not cell.startswith(("\t", "\r", "\n"))
    assert "\r" not in cell
    assert plain(cell) == text.replace("\r\n", "\n").replace("\r", "\n")


def test_the_csv_says_everything():
    """Charges, total, who and when, readings, the year before, the words and the notes."""
    rows = rows_of(full().to_csv())
    sections = list(dict.fromkeys(r["section"] for r in rows))
    assert sections == ["charges", "total", "about", "readings", "earlier", "words", "notes"]
    whole = "\n".join(v for r in rows for v in r.values())
    assert [x for x in SAID if x not in whole] == []
    about = {r["name"]: r["note"] for r in rows if r["section"] == "about"}
    assert about["Time zone"] == "America/New_York"
    (read,) = [r for r in rows if r["section"] == "readings"]
    assert (read["quantity"], read["lo"], read["hi"]) == ("10.00", "9.50", "12.75")
    assert (read["open_at"], read["open_reading"]) == ("2024-04-30T23:47:00-04:00", "50669.932")
    assert (read["open_interpolated"], read["status"]) == ("True", "estimated")
    assert [r["quantity"] for r in rows if r["section"] == "earlier"] == ["", "9.50"]


def test_amounts_of_charges_add_up_to_the_total():
    """A reader who filters on the section never adds a total or an earlier amount."""
    rows = rows_of(full().to_csv())
    charged = sum(Decimal(r["amount"]) for r in rows if r["section"] == "charges")
    assert [charged] == [Decimal(r["amount"]) for r in rows if r["section"] == "total"]


def test_cells_as_text():
    """Coverage is rounded down, decimals are filled up, control characters go."""
    told = [covered(x, Formats()) for x in (None, 1.0, 0.999999)]
    assert told == ["", "100 % covered", "99.99 % covered"]
    rows = aligned(Formats(), [{"n": x} for x in ("1.5", "0.0825", "12", "")], "n")
    assert [row["n_tail"] for row in rows] == ["000", "", ".0000", ""]
    assert visible("a\x00\x1bb\tc\ud800") == "ab\tc"
