"""Page one of a statement: a bill for somebody who knows nothing of meters."""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from dentframe import Site
from dentframe.documents.number_and_date_formats import Formats
from dentframe.documents.statement_first_page import FirstPage
from dentframe.errors import ConfigError
from dentframe.money import Statement
from dentframe.site.site import Letterhead
from tests.split_kit import LA, bill, element, readings, site, split, tenant
from tests.statement_kit import energy_line, full, reading, statement

HEAD = {
    "address": ["1 Owner Road", "Oakland"],
    "contact": "Ms Rivera, +1 415 555 0100",
    "payment_terms": "Payable without deduction.",
    "remit_to": "Account 12 at a bank",
    "accent": "#1f6feb",
}
TENANTS = [
    tenant("Bakery", "A", account="4711", unit="1A", address=["12 Market St", "Oakland"]),
    tenant("Office", "B", account="4712"),
]


def run(frame=None, head=HEAD, tenants=TENANTS, elements=None, **more):
    """January, with everything that page one can say."""
    told = {"number": "2024-01-{account}", "issued": "2024-02-05", "due": 21} | more
    made = site(tenants, elements, landlord="Market Street LLC", statement=head)
    frame = readings({"A": 2000, "B": 1000}) if frame is None else frame
    return split(bill(kwh=3000, **told), made, frame=frame)


def texts(page):
    """All that stands on a page one."""
    rows = [x for row in (*page.charges, *page.meters) for x in row.values()]
    facts = [x for pair in page.facts for x in pair]
    return "\n".join([*page.sender, *page.to, *facts, page.due, page.amount, *rows, *page.remarks,
                      *page.closing])  # fmt: skip


def test_it_says_who_owes_whom_what_for_when():
    """Both addresses, account, number, dates, days, readings, rate, contact, and no utility."""
    page = FirstPage(run().statements["Bakery"])
    assert page.sender == ["Market Street LLC", "1 Owner Road", "Oakland"]
    assert page.to == ["Bakery", "Unit 1A", "12 Market St", "Oakland"]
    assert dict(page.facts) == {
        "Account": "4711",
        "Statement number": "2024-01-4711",
        "Issued": "5 February 2024",
        "Due": "26 February 2024",
        "Service period": "1–31 January 2024, 31 days",
        "Meters read on": "1 January 2024 and 1 February 2024",
    }
    assert (page.due, page.amount) == ("Amount due by 26 February 2024", "400.00 USD")
    (meter,) = page.meters
    assert (meter["open_reading"], meter["open_at"]) == ("1,000.00", "1 January 2024, 00:00")
    assert (meter["close_reading"], meter["close_at"]) == ("3,000.00", "1 February 2024, 00:00")
    assert meter["multiplier"] == "multiplier 1 (CT 100 A, included)"
    assert (meter["used"], meter["unit"], meter["differs"]) == ("2,000.00", "kWh", "")
    assert page.remarks == [
        "All readings are actual; nothing is estimated.",
        "You pay 0.2000 USD per kWh on average: 400.00 USD for energy ÷ 2,000.00 kWh.",
        "The utility charged 0.2000 USD per kWh on average: 600.00 USD for energy ÷ 3,000.00 kWh.",
    ]
    assert page.closing == [
        "Payable without deduction.",
        "Pay to: Account 12 at a bank",
        "Questions? Ms Rivera, +1 415 555 0100",
        "This bill is from your landlord. It is not from the utility.",
    ]


def test_every_form_has_it(tmp_path):
    """Page, PDF and workbook begin with it; the page in the landlord's colour."""
    openpyxl, _ = pytest.importorskip("openpyxl"), pytest.importorskip("fpdf")
    s = run().statements["Bakery"]
    html = re.sub(r"\s+", " ", s.to_html())
    for text in texts(FirstPage(s)).splitlines():
        assert text in html.replace("&#39;", "'")
    assert "#1f6feb" in html
    sheet = openpyxl.load_workbook(s.to_excel(tmp_path / "s.xlsx")).worksheets[0]
    cells = [c.value for row in sheet.iter_rows() for c in row if c.value is not None]
    assert sheet.title == "Bill"
    assert cells.count(400) == 3
    assert not [c for c in cells if str(c).startswith("=")]
    told = "\n".join(map(str, cells))
    for text in ("Market Street LLC", "4711", "1–31 January 2024, 31 days", "Questions?"):
        assert text in told
    assert s.to_pdf(tmp_path / "s.pdf").read_bytes().startswith(b"%PDF")
    about = {x.split(",")[0] for x in s.to_csv().splitlines()}
    assert {"about", "readings"} <= about
    assert "2024-01-4711" in s.to_csv()


def test_it_survives_as_plain_data():
    """With letter, CTs and exchanges."""
    s = exchanged().statements["Bakery"]
    assert s.readings[0].exchanges
    assert Statement.from_dict(json.loads(json.dumps(s.to_dict()))) == s


def exchanged():
    """A run in which the bakery's meter was exchanged."""
    frame = readings({"A": 2000, "B": 1000})
    after = frame.index.get_level_values("time") >= pd.Timestamp("2024-01-10", tz=LA)
    frame.loc[after, "kWHNet/Elm/A"] += 7.5 - 1580.0
    swap = {"at": "2024-01-10T00:00:00", "closing": 1580.0, "opening": 7.5}
    return run(frame, elements={"P1_A": element(swaps=[swap]), "P1_B": element()})


def test_an_exchange_prints_both_of_its_readings():
    """What was used can be added up by hand from what is printed."""
    (r,) = exchanged().statements["Bakery"].readings
    (meter,) = FirstPage(statement(readings=(r,))).meters
    assert "the old one closed at 1,580, the new one opened at 7.5" in meter["exchanged"]
    (x,) = r.exchanges
    by_hand = x.closing - r.open_reading + r.close_reading - x.opening
    told = Decimal(meter["differs"].split(" ")[0] or 0) if meter["differs"] else Decimal(0)
    assert abs(by_hand - r.energy) == told


def test_what_differs_from_the_printed_readings_is_told():
    """A period that begins between two readings says by how much."""
    (meter,) = FirstPage(statement(readings=(reading(energy=Decimal("9.25")),))).meters
    assert meter["differs"] == "0.75 kWh less than the readings printed here"


def test_an_estimate_has_one_plain_sentence_and_a_mark():
    """Which meter, in words of everyday; no other sentence says that all is actual."""
    page = FirstPage(full())
    assert page.meters[0]["kind"] == "estimated"
    assert page.remarks[0].startswith("This meter's use is estimated: Shop (P482311252_C)")
    assert "nothing is estimated" not in texts(page)


def test_a_statement_without_a_site_needs_no_letter():
    """A priced meter has period, lines and readings, and no sentence that may not be true."""
    page = FirstPage(statement(energy_line(), readings=(reading(),)))
    assert page.sender == []
    assert page.to == ["Bakery"]
    assert page.closing == []
    assert page.facts == [
        ("Service period", "1–31 May 2024, 31 days"),
        ("Meters read on", "1 May 2024 and 1 June 2024"),
    ]
    assert page.charges[0]["quantity"] == "10.00 kWh × 0.25"
    assert FirstPage(statement()).remarks == []


def test_a_credit_and_a_draft_are_not_due():
    """Nobody is asked to pay them, and a draft has no number."""
    credit = replace(run().statements["Bakery"], total=Decimal("-3.00"))
    assert (FirstPage(credit).due, FirstPage(credit).amount) == ("Credit to you", "3.00 USD")
    draft = FirstPage(replace(run().statements["Bakery"], draft=True))
    assert draft.due == "Not to be paid: draft"
    assert dict(draft.facts)["Statement number"] == "none, this is a draft"


@pytest.mark.parametrize(
    ("start", "end", "told"),
    [
        ("2023-11-01", "2023-12-01", "1–30 November 2023, 30 days"),
        ("2023-11-18", "2023-12-18", "18 November – 17 December 2023, 30 days"),
        ("2023-12-18", "2024-01-18", "18 December 2023 – 17 January 2024, 31 days"),
        ("2023-11-05", "2023-11-06", "5 November 2023, 1 day"),
        (
            "2023-12-01",
            "2023-12-15 12:00",
            "1 December 2023, 00:00 to 15 December 2023, 12:00, 14.5 days",
        ),
    ],
)
def test_dates_are_whole_and_inclusive(start, end, told):
    """Also over a change of the clock; a time stands only where it is no midnight."""
    assert Formats().dates(pd.Timestamp(start, tz=LA), pd.Timestamp(end, tz=LA), LA) == told


def test_a_move_within_the_month_has_both_periods():
    """The tenant's own dates first, the bill's beside them."""
    moved = tenant("Office", "B", account="2", start="2024-01-11", area=1)
    elements = {"P1_A": element(), "P1_B": element(area=1)}
    facts = dict(FirstPage(run(tenants=[TENANTS[0], moved], elements=elements).statements[1]).facts)
    assert facts["Service period"] == "11–31 January 2024, 21 days"
    assert facts["Bill's period"] == "1–31 January 2024, 31 days"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"number": "2024-01"}, "gives '2024-01' 2 times"),
        ({"tenants": [tenant("A", "A"), TENANTS[1]]}, "'A'.*has none. Give account"),
        ({"head": {"logo": "gone.png"}}, "'logo' = 'gone.png': there is no file"),
    ],
)
def test_what_cannot_be_printed_is_told(change, told):
    """Before anything is written."""
    with pytest.raises(ConfigError, match=f"(?s){told}"):
        list(run(**change).statements)


@pytest.mark.parametrize(
    ("where", "field", "value", "told"),
    [
        ("site", "accent", "red", "colour like"),
        ("site", "logo", "logo.svg", "ends in .png"),
        ("site", "adress", "x", "did you mean 'address'"),
        ("bill", "due", 3.5, "it must be|Cannot read"),
        ("bill", "due", 400, "days from 0 to 366"),
        ("bill", "issued", "2024-02-05T10:00:00", "without a time"),
    ],
)
def test_fields_of_page_one_are_checked(where, field, value, told):
    """With file, table and field."""
    with pytest.raises(ConfigError, match=told) as caught:
        site(statement={field: value}) if where == "site" else bill(
            **{"issued": "2024-01-01", field: value}
        )
    assert field in str(caught.value)


def test_a_letterhead_of_python_is_checked_too():
    """By the object and its field; a site without one may say so."""
    for field, value in (("accent", "red"), ("accent", 5), ("logo", "logo.svg"), ("logo", b"x")):
        with pytest.raises(ConfigError, match=f"this letterhead: field '{field}' = "):
            Letterhead(**{field: value})
    assert site(statement=None).letterhead == Letterhead()


def test_days_need_a_date_of_issue():
    """Else nobody knows when they are over."""
    with pytest.raises(ConfigError, match="'issued', which is missing"):
        bill(due=14)


def test_the_files_survive():
    """Site and bill come back from their files with all of it."""
    made = site(TENANTS, statement=HEAD)
    assert Site.from_dict(made.to_dict()) == made
    told = bill(number="x", issued="2024-02-05", due=dt.date(2024, 3, 1))
    assert type(told).from_dict(told.to_dict()) == told


def test_a_logo_stands_in_the_page(tmp_path):
    """As part of the one file."""
    pytest.importorskip("fpdf")
    image = pytest.importorskip("PIL.Image")
    image.new("RGB", (9, 4), "blue").save(tmp_path / "logo.png")
    s = run().statements["Bakery"]
    s = replace(s, letter=replace(s.letter, logo=str(tmp_path / "logo.png")))
    assert "data:image/png;base64," in s.to_html()
    assert s.to_pdf(tmp_path / "s.pdf").is_file()


def test_a_bakery_with_gaps_is_not_called_estimated():
    """A gap that the register bridges changes no figure, and page one is quiet about it."""
    frame = readings({"A": 2000, "B": 1000})
    frame.iloc[600:700, 0] = np.nan
    page = FirstPage(run(frame).statements["Bakery"])
    assert page.remarks[0] == "All readings are actual; nothing is estimated."
