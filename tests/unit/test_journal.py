"""The journal and the invoices of a split: balanced, mapped to ledgers, and silent on drafts."""

from __future__ import annotations

import tomllib
from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dentframe import rebill, split
from dentframe.documents import journal_invoices_and_energy_star as journal
from dentframe.errors import ConfigError
from tests.split_kit import bill, element, line, readings, site, tenant

RULES = {
    "agree": 10,
    "lines": {"energy": "energy", "tax": "lines"},
    "loss": {"by": "landlord", "rest": True},
    "fees": [{"name": "Service", "amount": Decimal("5.00"), "per": "tenant"}],
}
LINES = (line("Energy", "energy", "600.00"), line("Tax", "tax", "-12.34", credit=True))


def saved(folder, accounts=None, **more):
    """A split with a loss, a fee and a credit, saved; its journal and its invoices as text."""
    more = {"number": "JAN-{account}", "issued": "2024-02-05", "due": 14} | more
    tenants = [tenant("A", "A", account="001", code="E1"), tenant("B", "B", account="002")]
    where = site(tenants, rules=RULES, **({} if accounts is None else {"accounts": accounts}))
    run = split(bill(*LINES, **more), where, frame=readings({"A": 1000.0, "B": 1985.0}))
    run.save(folder)
    return run


def table(path, **how):
    """A written file, each cell as text."""
    return pd.read_csv(path, dtype=str, keep_default_na=False, **how)


def cents(values):
    """The sum of texts, exactly."""
    return sum((Decimal(x) for x in values if x), Decimal(0))


def test_every_entry_is_balanced_and_the_whole_is_the_bill(tmp_path):
    """Re-added from the file: each number's debits are its credits, clearing is the bill."""
    run = saved(tmp_path / "out")
    found = table(tmp_path / "out" / "journal.csv")
    for _, rows in found.groupby("number"):
        assert cents(rows["debit"]) == cents(rows["credit"]) > 0
    owed = found[found["account"] == "Accounts receivable"]
    assert cents(owed["debit"]) - cents(owed["credit"]) == run.control["tenants"] + Decimal(10)
    clearing = found[found["account"] == "Utility clearing"]
    assert cents(clearing["credit"]) - cents(clearing["debit"]) == run.bill.amount
    expense = found[found["account"] == "Electricity expense"]
    assert cents(expense["debit"]) - cents(expense["credit"]) == run.control["landlord"]
    assert cents(found[found["account"] == "Fee income"]["credit"]) == Decimal(10)


def test_a_journal_of_the_others_and_the_invoices_are_the_whole_bill(tmp_path):
    """No tenant is posted twice: invoices and journal together credit the bill to clearing."""
    run = saved(tmp_path / "out", {"journal_of": "others"})
    found = table(tmp_path / "out" / "journal.csv")
    assert set(found["contact"]) == {run.site.landlord}
    sold = table(tmp_path / "out" / "invoices.csv")
    assert set(sold["contact"]) == {"A", "B"}
    credited = found[found["account"] == "Utility clearing"]["amount"]
    invoiced = sold[sold["account"] == "Utility clearing"]["amount"]
    assert cents(invoiced) - cents(credited) == run.bill.amount
    with pytest.raises(ConfigError, match="journal_of"):
        saved(tmp_path / "wrong", {"journal_of": "tenants"})


def test_a_negative_amount_changes_sides(tmp_path):
    """A credit of the bill is a credit of the tenant and a debit of the clearing account."""
    saved(tmp_path / "out")
    rows = table(tmp_path / "out" / "journal.csv").query("kind == 'tax' and contact == 'A'")
    assert list(rows["side"]) == ["credit", "debit"]
    assert not (rows["debit"].str.startswith("-") | rows["credit"].str.startswith("-")).any()


def test_the_export_party_is_credited(tmp_path):
    """What is fed in is a credit of its own; the journal still balances with the bill."""
    where = site(
        elements={"P1_A": element(), "P1_B": element(), "P1_S": element(role="export")},
        rules={"lines": {"energy": "energy"}, "over_recovery": True,
               "loss": {"by": "landlord", "rest": True}},
    )  # fmt: skip
    frame = readings({"A": 1000.0, "B": 2500.0, "S": -510.0})
    run = split(bill(line("Energy", "energy", "600.00")), where, frame=frame)
    assert run.control["export"] < 0
    run.save(tmp_path / "out")
    found = table(tmp_path / "out" / "journal.csv")
    assert cents(found[found["account"] == "Electricity exported"]["credit"]) == (
        -run.control["export"]
    )
    assert cents(found["debit"]) == cents(found["credit"])


def test_invoices_have_what_a_program_asks_for(tmp_path):
    """Contact, number, dates, code, quantity and tax code; the lines add up to the statements."""
    codes = {"tax_codes": {"energy": "20%", "other": "none"}}
    run = saved(tmp_path / "out", codes)
    found = table(tmp_path / "out" / "invoices.csv")
    for s in run.statements:
        mine = found[found["contact"] == s.party]
        assert cents(mine["amount"]) == s.total
        assert set(mine["number"]) == {s.letter.number}
    first = found.iloc[0]
    assert dict(first[["contact", "number", "date", "due", "code", "quantity", "tax_code"]]) == {
        "contact": "A", "number": "JAN-001", "date": "2024-02-05", "due": "2024-02-19",
        "code": "E1", "quantity": "1", "tax_code": "20%",
    }  # fmt: skip
    assert set(found["contact"]) == {"A", "B"}


def test_accounts_are_by_tenant_and_kind_of_line(tmp_path):
    """A tenant's own account for a kind, else the general one; tax has one of its own."""
    accounts = {
        "receivable": {"fee": "1190", "other": "1100"},
        "clearing": "2050", "tax": "2310", "fees": "4910", "landlord": "6400",
        "tenants": {"B": {"energy": "1102"}},
    }  # fmt: skip
    saved(tmp_path / "out", accounts)
    found = table(tmp_path / "out" / "journal.csv")
    owed = found[found["contact"] == "B"].groupby("kind")["account"].agg(list)
    assert owed["energy"] == ["1102", "2050"]
    assert owed["tax"] == ["1100", "2310"]
    assert owed["fee"] == ["1190", "4910"]
    assert set(found[(found["contact"] == "A") & (found["kind"] == "energy")]["account"]) == {
        "1100", "2050",
    }  # fmt: skip


LEDGERS = {
    "QuickBooks Online": """
[journal]
date = "%m/%d/%Y"
[journal.columns]
JournalNo = "number"
JournalDate = "date"
AccountName = "account"
Debits = "debit"
Credits = "credit"
Description = "description"
Name = "contact"
[invoices]
date = "%m/%d/%Y"
[invoices.columns]
"*InvoiceNo" = "number"
"*Customer" = "contact"
"*InvoiceDate" = "date"
"*DueDate" = "due"
"Item(Product/Service)" = "=Electricity"
ItemDescription = "description"
ItemQuantity = "quantity"
ItemRate = "unit_amount"
"*ItemAmount" = "amount"
ItemTaxCode = "tax_code"
""",
    "Xero": """
[journal]
date = "%d/%m/%Y"
[journal.columns]
"*Narration" = "number"
"*Date" = "date"
Description = "description"
"*AccountCode" = "account"
"*TaxRate" = "=Tax Exempt"
"*Amount" = "amount"
[invoices]
date = "%d/%m/%Y"
[invoices.columns]
"*ContactName" = "contact"
"*InvoiceNumber" = "number"
"*InvoiceDate" = "date"
"*DueDate" = "due"
"*Description" = "description"
"*Quantity" = "quantity"
"*UnitAmount" = "unit_amount"
"*AccountCode" = "account"
"*TaxType" = "tax_code"
""",
    "a general ledger": """
[journal]
date = "%d.%m.%Y"
decimal = ","
separator = ";"
sign = "credit"
[journal.columns]
Date = "date"
Account = "account"
Amount = "amount"
Text = "description"
[invoices]
""",
}


@pytest.mark.parametrize("name", LEDGERS)
def test_columns_dates_sign_and_separators_are_mapped(tmp_path, name):
    """The files have the program's columns, and re-add to nothing and to the statements."""
    told = tomllib.loads(LEDGERS[name])
    run = saved(tmp_path / "out", told)
    layout = told["journal"]
    sep, point = layout.get("separator", ","), layout.get("decimal", ".")
    found = table(tmp_path / "out" / "journal.csv", sep=sep)
    assert list(found.columns) == list(layout["columns"])
    day = pd.Timestamp("2024-02-05").strftime(layout["date"])
    named = {v: k for k, v in layout["columns"].items()}
    assert set(found[named["date"]]) == {day}
    if "debit" in named:
        assert cents(found["Debits"]) == cents(found["Credits"])
    else:
        amounts = [x.replace(point, ".") for x in found[named["amount"]]]
        assert cents(amounts) == 0
        assert (amounts[0][0] == "-") == (layout.get("sign") == "credit")
    invoices = table(tmp_path / "out" / "invoices.csv")
    amount = next(x for x in ("*ItemAmount", "*UnitAmount", "amount") if x in invoices)
    assert cents(invoices[amount]) == sum(s.total for s in run.statements)


@pytest.mark.parametrize(
    ("accounts", "told"),
    [
        ({"recievable": "1"}, "recievable"),
        ({"tenants": {"C": {"energy": "1"}}}, "no tenant 'C'"),
        ({"journal": {"columns": {"No": "nummer"}}}, "'number'"),
        ({"journal": {"sign": "minus"}}, "sign is 'debit' or 'credit'"),
        ({"journal": {"decimal": ","}}, "separator = ';'"),
        ({"clearing": {"energy": "1"}}, "has no account"),
    ],
)
def test_accounts_that_cannot_be_posted_to_are_refused(tmp_path, accounts, told):
    """A misspelt field, tenant, column or layout, and a kind without an account."""
    with pytest.raises(ConfigError) as found:
        saved(tmp_path / "out", accounts)
    assert told in str(found.value)


def test_a_draft_posts_nothing(tmp_path):
    """Neither file is there while exceptions are open, nor for a draft."""
    strict = site(rules=RULES | {"agree": 0.1})
    run = split(bill(*LINES), strict, frame=readings({"A": 1e3, "B": 1500.0}))
    assert not run.ok
    for draft in (False, True):
        run.save(tmp_path / "out", draft=draft)
        names = {p.name for p in (tmp_path / "out").iterdir()}
        assert "charges.csv" in names
        assert not names & {"journal.csv", "invoices.csv"}


def test_a_saved_rebill_posts_its_notes(tmp_path):
    """The journal of a re-bill is what its notes say, on its issue date, and comes to nothing."""
    old = saved(tmp_path / "old")
    factor = {"kind": "factor", "element": "P1_A", "id": "ct", "reason": "CT 50:5, not 100:5",
              "on": "2024-02-05", "from": "2024-01-01", "factor": 0.9}  # fmt: skip
    how = {"others": "bill", "issued": "2024-03-01"}
    run = rebill(tmp_path / "old", [factor], **how)
    run.save(tmp_path / "new", draft=not run.ok)
    assert run.ok, run.exceptions.to_dict("records")
    found = table(tmp_path / "new" / "journal.csv")
    for party in ("A", "B"):
        mine = found[(found["contact"] == party) & (found["account"] == "Accounts receivable")]
        notes = run.notes[(run.notes["party"] == party) & (run.notes["settled"] == "note")]
        assert cents(mine["amount"]) == sum(notes["difference"])
        if len(mine):
            original = old.statements[party].letter.number
            assert set(mine["original"]) == {original}
            assert set(mine["number"]) == {f"{original}-C1"}
    assert set(found["date"]) == {"2024-03-01"}
    assert cents(found["debit"]) == cents(found["credit"])
    clearing = found[found["account"] == "Utility clearing"]
    assert cents(clearing["amount"]) == 0


def test_a_line_that_a_rebill_no_longer_has_keeps_its_dates(tmp_path):
    """A corrected meter leaves no loss: what was billed of it is credited, with its dates."""
    saved(tmp_path / "old")
    factor = {"kind": "factor", "element": "P1_A", "id": "ct", "reason": "CT", "factor": 1.015,
              "on": "2024-02-05", "from": "2024-01-01"}  # fmt: skip
    rebill(tmp_path / "old", [factor], others="bill", issued="2024-03-01").save(tmp_path / "new")
    found = table(tmp_path / "new" / "journal.csv")
    gone = found[found["description"].str.startswith("Energy: technical loss")]
    assert set(gone["description"]) == {"Energy: technical loss, 2024-01-01 to 2024-01-31"}
    assert set(gone["start"]) == {"2024-01-01"}
    assert set(gone["currency"]) == {"USD"}
    assert cents(gone["amount"]) == 0 != cents(gone["debit"])


def test_a_rebill_of_a_bill_of_nothing_posts_nothing(tmp_path):
    """Nothing was billed before and nothing is billed now: both files have their heads alone."""
    where = site(rules={"lines": {"energy": "energy"}})
    nothing = bill(line("Energy", "energy", "0.00"), issued="2024-02-05", due=14)
    run = split(nothing, where, frame=readings({"A": 1000.0, "B": 2000.0}))
    run.save(tmp_path / "old")
    factor = {"kind": "factor", "element": "P1_A", "id": "ct", "reason": "CT", "factor": 1,
              "on": "2024-02-05", "from": "2024-01-01"}  # fmt: skip
    rebill(tmp_path / "old", [factor], others="bill", issued="2024-03-01").save(tmp_path / "new")
    for name, column in (("journal", "debit"), ("invoices", "unit_amount")):
        found = table(tmp_path / "new" / f"{name}.csv")
        assert found.empty
        assert column in found


def test_a_rebill_posts_the_difference_with_the_original_number(tmp_path):
    """What was billed is taken off; the number of the statement that is replaced stands by."""
    old = saved(tmp_path / "old")
    new = split(old.bill, old.site, frame=readings({"A": 1008.0, "B": 1985.0}))
    changed = journal.differences(new.charges, old.charges)
    numbers = {s.party: f"{s.letter.number}-R1" for s in new.statements}
    originals = {s.party: s.letter.number for s in old.statements}
    day = pd.Timestamp("2024-03-01").date()
    accounts = journal.accounts_of(old.site)
    rows = journal.postings(changed, day, day, numbers, originals)
    found = journal.entries(rows, accounts)
    a = found[(found["contact"] == "A") & (found["account"] == "Accounts receivable")]
    assert a["amount"].sum() == new.statements["A"].total - old.statements["A"].total
    assert set(a["number"]) == {"JAN-001-R1"}
    assert set(a["original"]) == {"JAN-001"}
    assert set(found["date"]) == {day}
    assert found["amount"].sum() == 0
    assert "fee" not in set(found["kind"])


@given(st.lists(st.decimals(-(10**6), 10**6, places=2), min_size=1, max_size=12))
def test_any_charges_are_balanced(amounts):
    """Whatever their signs: each number adds up to nothing, and no amount is negative."""
    day = pd.Timestamp("2024-01-01", tz="UTC")
    roles = ("tenant", "landlord", "export", "unallocated")
    rows = [
        {"bill": "Jan", "start": day, "end": day + pd.Timedelta(days=31), "party": f"P{i % 3}",
         "role": roles[i % 4], "code": "", "line": "Energy", "bill_line": "Energy",
         "kind": "energy", "part": "own", "basis": "energy", "quantity": None, "unit": "",
         "amount": x, "currency": "USD", "status": ""}
        for i, x in enumerate(amounts)
    ]  # fmt: skip
    made = journal.postings(pd.DataFrame(rows), None, None, {}, {})
    found = journal.entries(made, journal.Accounts())
    assert sum(found["amount"], Decimal(0)) == 0
    assert all(x > 0 for side in ("debit", "credit") for x in found[side].dropna())
    posted = [x for i, x in enumerate(amounts) if x and i % 4 != 3]
    assert len(found) == 2 * len(posted)
