"""Page one is added up again from its HTML alone, and looked at by a browser where one is there."""

from __future__ import annotations

import html as escape
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from html.parser import HTMLParser

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dentframe.documents.first_page import first_page
from dentframe.documents.formats import formats
from dentframe.documents.tables import FLAGS
from dentframe.errors import ConfigError, MissingExtraError
from dentframe.money.comparison import Billed
from tests.split_kit import LA, bill, element, line, readings, site, split, tenant
from tests.statement_kit import energy_line, full, reading, statement

pytest.importorskip("jinja2")
CHROMIUM = shutil.which("chromium")


class Page(HTMLParser):
    """The tables of page one as rows of cells, by class, and its sentences."""

    def __init__(self, text):
        super().__init__()
        self.tables, self.told, self._open, self._cell = {}, [], None, None
        self.feed(text[text.index("<body>") : text.index('<section class="audit">')])

    def handle_starttag(self, tag, attrs):
        if tag == "table":
            self._open = self.tables.setdefault(dict(attrs)["class"], [])
        elif tag == "tr":
            self._open.append([])
        elif tag in {"td", "p"}:
            self._cell = []
        elif tag == "span" and self._cell is not None:
            tail = dict(attrs).get("class") == "tail"
            self._cell.append("" if tail else "\n")

    def handle_data(self, data):
        if self._cell is not None:
            self._cell.append(data)

    def handle_endtag(self, tag):
        if tag in {"td", "p"} and self._cell is not None:
            text = "".join(self._cell).strip()
            (self._open[-1] if tag == "td" else self.told).append(text)
            self._cell = None


def numbers(text):
    """The numbers in a text."""
    return [Decimal(x.replace(",", "")) for x in re.findall(r"-?\d[\d,]*(?:\.\d+)?", text)]


def run():
    """January of A, who has a bill before, a share of a hallway, a loss, a tax and a fee."""
    elements = {"P1_A": element(), "P1_B": element(), "P1_H": element(common=True)}
    rules = {
        "lines": {"energy": "energy", "fixed": "days", "tax": "lines"},
        "common": {"by": "area"},
        "loss": {"by": "energy", "rest": True},
        "agree": 5,
        "fees": [{"name": "Reading", "amount": "4.50"}],
    }
    tenants = [tenant("A", "A", area=100), tenant("B", "B", area=300)]
    lines = (
        line("Energy", "energy", "600.01"),
        line("Fixed", "fixed", "31.00"),
        line("Tax", "tax", "37.77"),
    )
    spans = [
        ("2023-12-01", "2024-01-01"),
        ("2022-12-31", "2023-02-01"),
        ("2023-10-01", "2023-11-01"),
    ]
    earlier = [
        Billed(
            "A",
            "",
            pd.Timestamp(s, tz=LA),
            pd.Timestamp(e, tz=LA),
            Decimal(1800 + i),
            Decimal(300 + i),
        )
        for i, (s, e) in enumerate(spans)
    ]
    frame = readings({"A": 2000.37, "B": 1000.11, "H": 300.77})
    made = site(tenants, elements, rules, landlord="Owner")
    done = split(bill(*lines, kwh=3400), made, frame=frame)
    return replace(done, outcome=replace(done.outcome, earlier=tuple(earlier)))


def test_every_number_is_added_up_again():
    """Amounts, the total, each share, used = closing - opening, rates, and changes."""
    text = run().statements["A"].to_html()
    page = Page(text)
    *rows, total = page.tables["owed"][1:]
    amounts = [numbers(r[-1].partition("\n")[0])[0] for r in rows]
    assert sum(amounts) == numbers(total[-1])[0] == numbers(page.told[0])[-1]
    shared = [(numbers(r[1]), x) for r, x in zip(rows, amounts, strict=True) if " of " in r[1]]
    assert len(shared) == 5
    for (own, whole, charged), amount in shared:
        assert abs(own / whole * charged - amount) <= Decimal("0.02")
    ((_, previous, current, used),) = page.tables["meters"][1:]
    assert numbers(current)[0] - numbers(previous)[0] == numbers(used)[0]
    for told in (x for x in page.told if "÷" in x):
        rate, amount, kwh = numbers(told)
        assert rate == round(amount / kwh, 4)
    energy = sum(x for r, x in zip(rows, amounts, strict=True) if "kWh" in r[1])
    assert numbers(next(x for x in page.told if x.startswith("You pay")))[1] == energy


def test_changes_are_per_day_where_days_differ():
    """The bill that ends here, the one a year before, not one between; each change by hand."""
    page = first_page(run().statements["A"])
    assert [p["name"] for p in page.compared] == ["This bill", "The bill before", "A year before"]
    now, *then = page.compared
    for p in then:
        days = [numbers(x["dates"])[-1] for x in (now, p)]
        for name in ("quantity", "amount"):
            a, b = (numbers(x[name])[0] / d for x, d in zip((now, p), days, strict=True))
            assert abs(
                (a / b - 1) * 100 - numbers(p[f"{name}_change"].replace("+", ""))[0]
            ) <= Decimal("0.5")
    assert page.compared_note == "Changes are per day: the periods differ in length."


def test_another_tenant_is_not_compared():
    """Nor a period that overlaps the bill's own."""
    page = first_page(run().statements["B"])
    assert page.compared == []


STATUS = st.sampled_from(["recorded", "estimated", "partial", "missing"])
MARKS = st.lists(st.sampled_from(sorted(FLAGS)), max_size=3).map(tuple)
WORDS = {"estimated": "is estimated", "partial": "only for a part", "missing": "not"}


@given(st.tuples(STATUS, MARKS), st.tuples(STATUS, MARKS), st.tuples(STATUS, MARKS))
def test_no_sentence_is_untrue(one, two, charge):
    """Whatever the statuses and flags: each meter and charge stands only where it belongs."""
    made = statement(
        energy_line(status=charge[0], flags=charge[1]),
        readings=(
            reading(element="Meter1", status=one[0], flags=one[1]),
            reading(element="Meter2", status=two[0], flags=two[1]),
        ),
    )
    page = first_page(made)
    told = page.told[0]
    fine = all(
        s == "recorded" and not {"corrected", "agreed"} & {*f} for s, f in (one, two, charge)
    )
    assert (told == "All readings are actual; nothing is estimated.") == fine
    for name, (status, flags) in (("Meter1", one), ("Meter2", two)):
        sentences = [x for x in told.split(". ") if name in x]
        corrected = [x for x in sentences if x.startswith("Corrected")]
        assert bool(corrected) == bool({"corrected", "agreed"} & {*flags})
        assert len(sentences) - len(corrected) == (status != "recorded")
        assert all(WORDS[status] in x for x in sentences if x not in corrected)
    assert bool(page.mark) == ({one[0], two[0]} != {"recorded"} or charge[0] == "estimated")
    assert [m["kind"] == "actual" for m in page.meters] == [x[0] == "recorded" for x in (one, two)]


def test_numbers_and_dates_are_the_locales():
    """On page, PDF and sheet; a file for programs stays theirs."""
    pytest.importorskip("babel")
    german = replace(run().statements["A"], locale="de-DE", currency="EUR")
    page = first_page(german)
    assert page.amount == "441,64 €" or page.amount.endswith("€")
    assert dict(page.facts)["Service period"] == "1.–31. Jan. 2024, 31 days"
    assert page.meters[0]["current"] == "3.000,37"
    assert "3.000,37" in german.to_html()
    assert "3000.37" in german.to_csv()
    japanese = formats("ja-JP")
    assert japanese.money(Decimal(1234), "JPY") == "￥1,234"
    assert formats("fr-CA").number(Decimal("1234.50")) == "1\u00a0234,50"
    assert formats("en-US").money(Decimal("0.2154"), "USD") == "$0.2154"


def test_the_audit_sheet_is_the_locales_too():
    """Its notes and its times, with their zone."""
    pytest.importorskip("babel")
    frame = readings({"A": 2000.37, "B": 1000.11})
    tenants = [tenant("A", "A", end="2024-01-16"), tenant("B", "B")]
    german = site(tenants, landlord="Owner", locale="de-DE", currency="EUR")
    first = split(bill(kwh=3000.48), german, frame=frame).statements["B"]
    assert first.lines[0].note.startswith("1.000,11 of 3.000,48 kWh of the utility's 600,00")
    other = split(bill(kwh=3000.48), german, frame=frame).statements["A"]
    assert any("01.01.2024, 00:00 PST to 16.01.2024, 00:00 PST" in x for x in other.notes)
    assert "01.01.2024, 00:00 PST" in other.to_html()


def test_a_locale_needs_babel(monkeypatch):
    """Without it the error names the extra; an unknown locale is named too."""
    formats.cache_clear()
    with pytest.raises(ConfigError, match="'xx-XX'"):
        formats("xx-XX")
    monkeypatch.setitem(sys.modules, "babel.dates", None)
    with pytest.raises(MissingExtraError, match=r"dentframe\[report\]"):
        formats("de-DE")
    assert statement().to_html()


def test_a_reader_that_does_not_compute_sees_the_totals(tmp_path):
    """The formulas of the workbook hold their values."""
    openpyxl = pytest.importorskip("openpyxl")
    path = statement(energy_line(), energy_line("3.00")).to_excel(tmp_path / "s.xlsx")
    sheet = openpyxl.load_workbook(path, data_only=True)["Statement"]
    assert [c.value for c in sheet["F"] if c.value is not None] == ["Amount", 2.5, 0.75, 3.25]
    assert pd.read_excel(path, sheet_name="Statement").iloc[:, 5].tolist().count(3.25) == 1


def test_days_that_are_not_sure_are_hatched(tmp_path):
    """In the page and in the workbook; the note says what hatching means."""
    pytest.importorskip("xlsxwriter")
    s = run().statements["A"]
    sure, doubtful, *rest = s.daily
    days = (sure, replace(doubtful, status="estimated"), replace(rest[0], energy=None), *rest[1:])
    made = replace(s, daily=days)
    text = made.to_html()
    assert text.count('class="hatched"') == 1
    assert "Hatched days are estimated" in text
    assert "question mark" in text
    assert 'class="hatched"' not in s.to_html()
    assert made.to_excel(tmp_path / "s.xlsx").is_file()


def long():
    """A statement of 40 lines with names of 120 letters."""
    name = "Verylongname" * 10
    lines = [replace(energy_line("12345.67", "0.12345"), name=f"{name} {i}") for i in range(40)]
    cut = reading(element=name, open_reading=Decimal("1234567.89"))
    return replace(full(), party=name, lines=tuple(lines), readings=(cut,), total=Decimal(60964))


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("width", [400, 900])
def test_no_amount_is_cut(tmp_path, width):
    """On a phone and on a desk nothing of page one reaches beyond the screen."""
    inner = escape.escape(long().to_html())
    script = (
        "const d=document.querySelector('iframe').contentDocument;"
        "const cut=[...d.querySelectorAll('.first td, .first dd, .first strong')]"
        f".filter(x=>x.getBoundingClientRect().right>{width}+1);document.title='cut '+cut.length"
    )
    page = tmp_path / "page.html"
    page.write_text(
        f'<iframe srcdoc="{inner}" style="width:{width}px;height:900px;border:0"></iframe>'
        f"<script>onload=()=>{{{script}}}</script>"
    )
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
               "--disable-background-networking", "--disable-sync",
               f"--user-data-dir={tmp_path}/profile", "--dump-dom"]  # fmt: skip
    made = subprocess.run(
        [CHROMIUM, *options, page.as_uri()], capture_output=True, text=True, timeout=90, check=True
    )
    assert "<title>cut 0</title>" in made.stdout


def test_forty_lines_fit_a_pdf(tmp_path):
    """The paper has a title, its text can be selected, and names of 120 letters are whole."""
    fpdf = pytest.importorskip("fpdf")
    assert fpdf
    body = long().to_pdf(tmp_path / "s.pdf").read_bytes()
    assert b"/Title" in body
    assert b"/Lang" in body
