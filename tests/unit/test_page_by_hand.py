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
from itertools import product

import pandas as pd
import pytest

from dentframe.documents.number_and_date_formats import formats
from dentframe.documents.statement_audit_sheet import FLAGS
from dentframe.documents.statement_first_page import FirstPage
from dentframe.errors import ConfigError, MissingExtraError
from dentframe.money.earlier_and_daily_use import BilledPeriod
from tests.split_kit import LA, bill, element, line, readings, site, split, tenant
from tests.statement_kit import energy_line, full, reading, statement

pytest.importorskip("jinja2")
CHROMIUM = shutil.which("chromium")


class Page(HTMLParser):
    """The tables of page one as rows of cells, by class, and its sentences."""

    def __init__(self, text):
        super().__init__()
        self.tables, self.remarks, self._open, self._cell = {}, [], None, None
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
            (self._open[-1] if tag == "td" else self.remarks).append(text)
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
        BilledPeriod(
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
    return replace(done, earlier=tuple(earlier))


def first(cell):
    """The number that a cell begins with."""
    return numbers(cell.partition("\n")[0])[0]


def added_again(text):
    """Add up page one from its HTML alone, and count how many numbers of it were proven."""
    page = Page(text)
    *rows, total = page.tables["owed"][1:]
    amounts = [first(r[-1]) for r in rows]
    assert sum(amounts) == first(total[-1]) == abs(numbers(page.remarks[0])[-1])
    used, metered = meters_again(page)
    energy = sum(x for r, x in zip(rows, amounts, strict=True) if "kWh" in r[1])
    averages = [x for x in page.remarks if "÷" in x]
    for told in averages:
        rate, amount, kwh = numbers(told)
        assert rate == round(amount / kwh, 4)
        assert not told.startswith("You pay") or (amount, kwh) == (energy, used)
    lines = sum(line_again(r, x) for r, x in zip(rows, amounts, strict=True))
    compared = compared_again(page, first(total[-1]), used)
    return len(amounts) + 2 + 3 * len(averages) + lines + metered + compared


def line_again(row, amount):
    """A charge: its share of what the utility charged, or quantity times rate."""
    proven = 0
    if "of the utility's" in row[1]:
        own, whole, charged = numbers(row[1])
        assert abs(own / whole * charged - amount) <= Decimal("0.02")
        proven += 3
    if " × " in row[1]:
        quantity, rate = numbers(row[1])
        assert abs(quantity * rate - amount) <= Decimal("0.005")
        proven += 2
    if "your share:" in row[0]:
        mine, all_of = numbers(row[0].partition("your share:")[2])[:2]
        assert 0 < mine <= all_of
        proven += 2
    return proven


def meters_again(page):
    """Used is closing less opening, over exchanges and the rows of a corrected meter."""
    parts, used, proven = {}, Decimal(0), 0
    for name, opening, closing, counts in page.tables.get("parts", [[]])[1:]:
        times = numbers(counts.partition("multiplier")[2])[0]
        assert round((first(closing) - first(opening)) * times, 2) == first(counts)
        parts[name] = parts.get(name, 0) + first(counts)
        proven += 4
    for name, previous, current, counted in page.tables.get("meters", [[]])[1:]:
        shown = first(current) - first(previous)
        for told in name.split("the old one closed at ")[1:]:
            closed, opened = numbers(told)[:2]
            shown += closed - opened
            proven += 2
        shown = parts.get(name.partition("\n")[0], shown)
        differs = re.search(r"([\d.,]+) kWh (more|less) than the readings", counted)
        if differs:
            shown += numbers(differs[1])[0] * (1 if differs[2] == "more" else -1)
        assert shown == first(counted)
        used += first(counted)
        proven += 3
    return used, proven


def compared_again(page, total, used):
    """Each change of the table of earlier bills, by hand; how many numbers were proven."""
    rows, proven = page.tables.get("compared", [[]])[1:], 0
    for i, (_, *figures) in enumerate(rows):
        if not i:
            assert [first(x) for x in figures] == [used, total]
            continue
        days = [numbers(r[0])[-1] for r in (rows[0], rows[i])]
        for now, then in zip(rows[0][1:], figures, strict=True):
            if "this bill:" in then:
                change = numbers(then.partition("this bill:")[2].replace("+", ""))[0]
                ratio = (first(now) / days[0]) / (first(then) / days[1])
                assert abs((ratio - 1) * 100 - change) <= Decimal("0.5")
                proven += 2
    return proven


def test_every_number_is_added_up_again():
    """Amounts, the total, each share, used = closing - opening, rates, and changes."""
    s = run().statements["A"]
    assert added_again(s.to_html()) > 40


def moved(**more):
    """A month in which A's meter was exchanged, its CT corrected, and B moved in on the 11th."""
    frame = readings({"A": 2000.37, "B": 1000.11, "H": 300.77})
    after = frame.index.get_level_values("time") >= pd.Timestamp("2024-01-10", tz=LA)
    frame.loc[after, "kWHNet/Elm/A"] -= 1500.0
    at_swap = frame.xs("P1")["kWHNet/Elm/A"][pd.Timestamp("2024-01-10", tz=LA)]
    swap = {"at": "2024-01-10T00:00:00", "closing": at_swap + 1500.0, "opening": at_swap}
    elements = {
        "P1_A": element(swaps=[swap]),
        "P1_B": element(area=300),
        "P1_H": element(common=True),
    }
    tenants = [tenant("A", "A", area=100), tenant("B", "B", area=300, start="2024-01-11")]
    rules = {"common": {"by": "area"}, "loss": {"by": "energy", "rest": True}, "agree": 90}
    made = site(tenants, elements, rules, landlord="Owner", **more)
    lines = (line("Energy", "energy", "600.01"), line("Fixed", "fixed", "31.00"))
    return split(bill(*lines, kwh=5400), made, frame=frame)


@pytest.mark.parametrize("factor", [None, "2", "0.75", "1.3333"])
def test_exchanges_moves_and_corrections_are_added_up_again(factor):
    """The old closing and the new opening, and a row a part of a corrected meter."""
    fix = {"kind": "factor", "element": "P1_A", "id": "c1", "reason": "CT", "on": "2024-02-05",
           "from": "2024-01-17T10:07:00", "factor": factor}  # fmt: skip
    done = moved(corrections=[fix] if factor else [])
    papers = [*done.statements, done.landlord]
    assert [s.party for s in papers] == ["A", "B", "Owner"]
    for s in papers:
        assert added_again(s.to_html()) >= 20
    assert bool(Page(papers[0].to_html()).tables.get("parts")) == (factor is not None)


def test_changes_are_per_day_where_days_differ():
    """The bill that ends here, the one a year before, not one between; each change by hand."""
    page = FirstPage(run().statements["A"])
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
    page = FirstPage(run().statements["B"])
    assert page.compared == []


STATUSES = ("recorded", "estimated", "partial", "missing")
WORDS = {"estimated": "estimated", "partial": "only for a part of the time", "missing": "not "}
CORRECTED = {"corrected", "agreed"}


def sentences(text):
    """Each sentence of a text, with the names that stand in it."""
    found = re.findall(r"[A-Z][^.:;]*(?:: [^.]*|; [^.]*)?\.", text)
    assert "".join(found).replace(" ", "") == text.replace(" ", "")
    return [(x, {n for n in ("Meter1", "Meter2", "Charge1", "Charge2") if n in x}) for x in found]


@pytest.mark.parametrize("flag", ["", *sorted(FLAGS)])
def test_no_sentence_is_untrue(flag):
    """Every flag with every pair of statuses, of meters and of charges: all is told, and no more.

    A flag of one meter never stands beside the other, and a meter that is only flagged is not
    called unsure.
    """
    for one, two in product(STATUSES, repeat=2):
        marked = {"flags": (flag,) if flag else ()}
        made = statement(
            replace(energy_line(status=one, **marked), name="Charge1"),
            replace(energy_line(status=two), name="Charge2"),
            readings=(
                reading(element="Meter1", status=one, **marked),
                reading(element="Meter2", status=two),
            ),
        )
        page = FirstPage(made)
        remarks = sentences(page.remarks[0])
        states = {"Meter1": one, "Charge1": one, "Meter2": two, "Charge2": two}
        fixed = {"Meter1", "Charge1"} if flag in CORRECTED else set()
        if {one, two} == {"recorded"} and not fixed:
            assert [x for x, _ in remarks] == ["All readings are actual; nothing is estimated."]
        else:
            assert "nothing is estimated" not in page.remarks[0]
        for name, status in states.items():
            mine = [x for x, names in remarks if name in names]
            unsure = [x for x in mine if not x.startswith("Corrected, as the audit sheet says")]
            assert len(mine) - len(unsure) == (name in fixed)
            assert len(unsure) == (status != "recorded")
            assert all(WORDS[status] in x for x in unsure)
        for text, names in remarks:
            shared = {states[x] for x in names} if not text.startswith("Corrected") else {one}
            assert len(shared) <= 1
            many = len(names) > 1 and not text.startswith("Corrected")
            assert many == bool(re.match(r"These|The use of these", text))
            if FLAGS and flag and f"({FLAGS[flag][0]}" in text:
                assert "Meter1" in names
                assert one != "recorded"
        unsure = {one, two} - {"recorded"}
        wanted = "Incomplete readings" if unsure else ""
        assert page.mark == ("Estimated bill" if "estimated" in unsure else wanted)
        kinds = ["actual" if x == "recorded" else x for x in (one, two)]
        assert [m["kind"] for m in page.meters] == kinds


def test_numbers_and_dates_are_the_locales():
    """On page, PDF and sheet; a file for programs stays theirs."""
    pytest.importorskip("babel")
    german = replace(run().statements["A"], locale="de-DE", currency="EUR")
    page = FirstPage(german)
    assert page.amount == "441,64 €" or page.amount.endswith("€")
    assert dict(page.facts)["Service period"] == "1.–31. Jan. 2024, 31 days"
    assert page.meters[0]["close_reading"] == "3.000,37"
    assert "3.000,37" in german.to_html()
    assert "3000.37" in german.to_csv()
    japanese = formats("ja-JP")
    assert japanese.money(Decimal(1234), "JPY") == "￥1,234"
    assert formats("fr-CA").number(Decimal("1234.50")) == "1\u00a0234,50"
    assert formats("en-US").money(Decimal("0.2154"), "USD") == "$0.2154"


def test_an_exact_share_is_written_with_every_digit(tmp_path):
    """Sixty digits, which are more than the context of decimals has."""
    pytest.importorskip("babel")
    third = Decimal("333333." + "3" * 54)
    german = formats("de-DE")
    assert german.number(third) == f"333.333,{'3' * 54}"
    assert german.money(third, "EUR") == f"333.333,{'3' * 54}\u00a0€"
    tenants = [tenant("A", "A"), tenant("B", "B")]
    rules = {"places": "exact", "loss": {"by": "energy", "rest": True}}
    made = site(tenants, rules=rules, locale="de-DE", currency="EUR")
    frame = readings({"A": 2000.37, "B": 1000.11})
    run = split(bill(kwh=3001), made, frame=frame)
    assert run.ok
    record = run.save(tmp_path / "exact")
    assert list((record.parent / "statements").glob("*.html"))


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


@pytest.mark.parametrize(
    ("locale", "currency", "day", "month"),
    [
        ("de-DE", "EUR", "17. Januar 2024", "Dezember 2023"),
        ("fr-CA", "CAD", "17 janvier 2024", "décembre 2023"),
        ("ja-JP", "JPY", "2024年1月17日", "2023年12月"),
        ("en-US", "USD", "January 17, 2024", "December 2023"),
    ],
)
def test_nothing_on_the_paper_is_of_another_locale(locale, currency, day, month):
    """Notes of dated lines, of corrections and of moves, rows of parts, names of months."""
    pytest.importorskip("babel")
    fix = {"kind": "factor", "element": "P1_B", "id": "c1", "reason": "CT", "on": "2024-01-17",
           "from": "2024-01-17T10:07:00", "factor": 2}  # fmt: skip
    tenants = [tenant("A", "A", end="2024-01-16"), tenant("B", "B")]
    made = site(tenants, rules={"agree": 90, "loss": {"by": "energy", "rest": True}},
                landlord="Owner", locale=locale, currency=currency, corrections=[fix])  # fmt: skip
    lines = (line("Old", "energy", "300", kwh=1300, end="2024-01-16"),
             line("New", "energy", "600", kwh=3200, start="2024-01-16"))  # fmt: skip
    run = split(bill(*lines, kwh=4500), made, frame=readings({"A": 2000.37, "B": 1000.11}))
    december = pd.Timestamp("2023-12-01", tz=LA), pd.Timestamp("2024-01-01", tz=LA)
    past = BilledPeriod("B", "", *december, Decimal(1800), Decimal(300))
    s = replace(run, earlier=(past,)).statements["B"]
    page = s.to_html()
    assert f"CT, {day}." in page
    assert month in page
    plain = re.sub(r"<style>.*?</style>|<[^>]*>", " ", page, flags=re.DOTALL)
    assert not re.search(r"\d{4}-\d\d-\d\d", plain)
    ours = [*FirstPage(s).parts, *FirstPage(s).meters]
    assert len(FirstPage(s).parts) == 2
    point = formats(locale).point
    for row in ours:
        assert {row[k][-3] for k in ("used", "closing", "close_reading") if k in row} == {point}


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
