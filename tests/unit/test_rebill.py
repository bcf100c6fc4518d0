"""Re-bills: what changes, who gets a note, and that both runs add up to the utility's bill."""

from __future__ import annotations

import re
import subprocess
import sys
from decimal import Decimal

import pandas as pd
import pytest

from dentframe import Record, rebill, records, split, verify
from dentframe.errors import ConfigError
from dentframe.money import Statement
from tests.split_kit import bill, line, readings, site, tenant

BILL = (line("Energy", "energy", "300.00"), line("Tax", "tax", "30.00"))
LOSS = {"loss": {"by": "energy", "rest": True}, "agree": 100}
FACTOR = {"kind": "factor", "element": "P1_A", "id": "ct", "reason": "CT 50:5, not 100:5",
          "on": "2024-02-05", "from": "2024-01-01", "factor": 0.5}  # fmt: skip


def first(
    folder,
    name="Jan",
    start="2024-01-01",
    end="2024-02-01",
    months=0,
    number="{name}-{{account}}",
    **more,
):
    """A saved first bill: A used 2,000, B and C 1,000 each, in the months before it too."""
    tenants = [tenant("A", "A", account="101", area=1), tenant("B", "B", account="102", area=2),
               tenant("C", "C", account="103", area=3)]  # fmt: skip
    elements = {f"P1_{x}": {"cts": [100] * 3, "volts": 277} for x in "ABC"}
    numbered = {"number": number.format(name=name)} if number else {}
    utility = bill(*BILL, kwh=4000, **numbered, issued="2024-02-02", due=14,
                   total="330.00", name=name, start=start, end=end)  # fmt: skip
    frame = readings({"A": 2000, "B": 1000, "C": 1000}, start=start, end=end)
    frame += [2000 * months, 1000 * months, 1000 * months]
    run = split(utility, site(tenants, elements=elements, rules=LOSS, **more), frame=frame)
    assert run.ok, run.exceptions.to_dict("records")
    return run.save(folder).parent


@pytest.fixture(autouse=True)
def quick_papers(monkeypatch):
    """PDFs and workbooks are of no matter here, and take most of the time."""
    for form in ("to_pdf", "to_excel"):
        monkeypatch.setattr(Statement, form, lambda _, path: path.write_bytes(b""))


@pytest.fixture
def issued(tmp_path):
    """The folder of a bill that went out."""
    return first(tmp_path / "Jan")


def billed(run):
    """Party to what is billed in all."""
    return {str(k): str(v) for k, v in run.charges.groupby("party")["billed"].sum().items()}


def adds_up(run):
    """Whether the control adds up to the cent, the re-bill's own line included."""
    c = run.control
    parts = ("tenants", "landlord", "rebill_difference", "export", "unallocated")
    return c["utility"] == sum(c[x] for x in parts)


def test_all_is_billed_where_that_is_the_rule(issued, tmp_path):
    """A 1,000 of 3,000 kWh, and a loss of 1,000 that is shared by energy: a third each."""
    run = rebill(issued, [FACTOR], others="bill", issued="2024-02-20")
    assert billed(run) == {"A": "110.00", "B": "110.00", "C": "110.00"}
    assert adds_up(run)
    assert run.control["rebill_difference"] == 0
    notes = run.notes.groupby("party")["difference"].sum()
    assert notes.to_dict() == {"A": Decimal("-55.00"), "B": Decimal("27.50"), "C": Decimal("27.50")}
    assert run.notes.query("direct")["party"].unique().tolist() == ["A"]
    record = run.save(tmp_path / "Jan-C1")
    assert verify(record).ok, verify(record).differences
    told = {s.party: s for s in Record.load(record).statements}
    assert told["A"].letter.number == "Jan-101-C1"
    assert told["A"].notes[0] == "This statement replaces No. Jan-101."
    assert "CT 50:5" in told["A"].notes[1]
    papers = {p.name for p in (tmp_path / "Jan-C1/statements").iterdir()}
    assert {"101.csv", "101-note.csv", "103-note.html"} <= papers
    assert "Credit note" in (tmp_path / "Jan-C1/statements/101-note.html").read_text()


def test_a_note_names_the_numbers_that_there_are(issued, tmp_path):
    """A bill without a number has a note too, which speaks of the earlier statement."""
    rebill(issued, [FACTOR], others="bill", issued="2024-02-20").save(tmp_path / "one")
    note = (tmp_path / "one/statements/101-note.html").read_text()
    assert "difference between statement No. Jan-101 and Jan-101-C1." in note
    old = first(tmp_path / "none", number="")
    rebill(old, [FACTOR], others="bill", issued="2024-02-20").save(tmp_path / "two")
    note = (tmp_path / "two/statements/101-note.html").read_text()
    assert "difference between the earlier statement and the new." in note


def test_others_keep_their_bill_where_the_landlord_bears_it(issued, tmp_path):
    """Only A has a note; what B and C would pay more is the control's line, by the line."""
    run = rebill(issued, [FACTOR], others="landlord", issued="2024-02-20")
    assert billed(run) == {"A": "110.00", "B": "82.50", "C": "82.50", "Landlord": "55.00"}
    assert adds_up(run)
    assert run.control["rebill_difference"] == Decimal("55.00")
    assert run.control["landlord"] == 0
    assert run.statements.parties == ["A"]
    borne = run.notes.query("settled == 'landlord' and party in ['B', 'C']")
    assert borne["difference"].sum() == Decimal("55.00")
    assert not borne["direct"].any()
    record = run.save(tmp_path / "Jan-C1")
    assert verify(record).ok, verify(record).differences


def test_a_chain_credits_nothing_twice(issued, tmp_path):
    """A second correction replaces the first: its note is the new bill less what was billed."""
    one = rebill(issued, [FACTOR], others="landlord", issued="2024-02-20").save(tmp_path / "C1")
    second = FACTOR | {"id": "ct2", "replaces": "ct", "factor": 0.75}
    run = rebill(one, [second], others="landlord", issued="2024-03-20")
    # A: 1,500 of 3,500, with the loss the same share: 3/7 of 330.00 = 141.43; 110.00 were billed.
    notes = run.notes.query("settled == 'note' and party == 'A'")
    assert notes["difference"].sum() == Decimal("31.43")
    assert run.statements["A"].letter.number == "Jan-101-C2"
    assert run.statements["A"].notes[0] == "This statement replaces No. Jan-101-C1."
    assert adds_up(run)
    two = run.save(tmp_path / "C2")
    assert verify(two).ok, verify(two).differences
    found = records(tmp_path)
    assert found["record"].unique().tolist() == ["C2"]
    assert found["amount"].sum() == Decimal("330.00")
    assert len(records(tmp_path, replaced=True)["record"].unique()) == 3
    again = rebill(two, [FACTOR | {"id": "ct3", "replaces": "ct2", "factor": 0.75}],
                   others="landlord", issued="2024-04-01")  # fmt: skip
    assert again.notes.query("settled == 'note'").empty
    assert len(again.statements) == 0


def test_a_record_that_was_replaced_is_refused(issued, tmp_path):
    """The message names the last of the chain; where nothing is known of it, nothing is refused."""
    one = rebill(issued, [FACTOR], others="bill").save(tmp_path / "C1")
    second = [FACTOR | {"id": "ct2", "replaces": "ct", "factor": 0.75}]
    with pytest.raises(ConfigError, match=r"the record '.*C1' replaces it.*Re-bill that one"):
        rebill(issued, second, others="bill")
    rebill(one, second, others="bill").save(tmp_path / "C2")
    for old in (issued, one):
        with pytest.raises(ConfigError, match=r"the record '.*C2' replaces it"):
            rebill(old, second, others="bill")
    assert rebill(issued, [FACTOR], others="bill", records=issued)


def test_numbers_count_the_re_bills_of_the_first(issued, tmp_path):
    """A party that the second re-bill left alone has the number of the first with -C3."""
    one = rebill(issued, [FACTOR], others="bill").save(tmp_path / "C1")
    other = FACTOR | {"element": "P1_B", "id": "b", "factor": 0.9}
    two = rebill(one, [other], others="landlord").save(tmp_path / "C2")
    assert Record.load(two).statements.parties == ["B"]
    run = rebill(two, [other | {"element": "P1_A", "id": "ct2", "replaces": "ct"}], others="bill")
    told = {s.party: (s.letter.number, s.notes[0].split()[-1]) for s in run.statements}
    assert told["A"] == ("Jan-101-C3", "Jan-101-C1.")
    assert told["B"] == ("Jan-102-C3", "Jan-102-C2.")


def test_a_re_bill_compares_with_earlier_months(issued, tmp_path):
    """In energy and money; and February's opening is January's closing, unless a other reading."""
    feb = first(tmp_path / "Feb", "Feb", "2024-02-01", "2024-03-01", 1)
    run = rebill(feb, [FACTOR | {"from": "2024-02-01"}], others="bill")
    assert run.ok
    past = run.statements["A"].comparison
    assert [str(x.quantity) for x in past] == ["2000.00", "1000.00"]
    assert [str(x.amount) for x in past] == ["165.00", "110.00"]
    edge = {"kind": "reading", "element": "P1_B", "id": "edge", "reason": "read",
            "on": "2024-02-05", "time": "2024-02-01", "value": "1999.5", "by": "C"}  # fmt: skip
    run = rebill(feb, [edge], others="bill")
    differs = run.exceptions.query("kind == 'opening_differs'")
    assert differs["subject"].tolist() == ["P1_B"]
    assert "opening 1999.50" in differs["detail"].iloc[0]
    assert verify(run.save(tmp_path / "Feb-draft", draft=True)).ok
    rebill(issued, [edge], others="bill").save(tmp_path / "Jan-C1")
    assert rebill(feb, [edge], others="bill").ok


def test_interest_on_what_was_overcharged(issued):
    """55.00 at 9 % from 16 February, when it was due, to 20 February: four days."""
    run = rebill(issued, [FACTOR], others="bill", issued="2024-02-20", interest="9")
    rows = run.charges[run.charges["kind"] == "interest"]
    assert rows["party"].tolist() == ["A"]
    assert rows["amount"].tolist() == [Decimal("-0.05")]
    assert rows["line"].iloc[0] == "Interest 9 % from 2024-02-16 to 2024-02-20"
    assert adds_up(run)
    with pytest.raises(ConfigError, match="issued"):
        rebill(issued, [FACTOR], others="bill", interest="9")


def test_interest_never_runs_backwards(issued):
    """Papers issued before the first were due carry none; a stated day after the issue is wrong."""
    run = rebill(issued, [FACTOR], others="bill", issued="2024-02-10", interest="9")
    assert "interest" not in set(run.charges["kind"])
    with pytest.raises(ConfigError, match="after the day of issue"):
        rebill(issued, [FACTOR], others="bill", issued="2024-02-10", interest="9",
               interest_from="2024-02-11")  # fmt: skip


def test_interest_of_a_second_rebill_is_of_its_own_difference(issued, tmp_path):
    """What the first re-bill credited, its interest included, is no overcharge again."""
    first = rebill(issued, [FACTOR], others="bill", issued="2024-12-20", interest="9")
    one = Record.load(first.save(tmp_path / "one"))
    again = rebill(one, [FACTOR | {"id": "ct2", "replaces": "ct", "factor": 0.25}], others="bill",
                   issued="2024-12-20", interest="9")  # fmt: skip
    moved = again.notes.query("party == 'A' and not line.str.startswith('Interest')")["difference"]
    new = again.notes.query("party == 'A' and line.str.startswith('Interest')")["difference"]
    days = (pd.Timestamp("2024-12-20") - pd.Timestamp("2024-02-16")).days
    due = float(moved.sum()) * 0.09 * days / 365
    assert abs(float(new.sum()) - due) < 0.0051
    two = again.save(tmp_path / "two")
    assert verify(two).ok, verify(two).differences
    done = subprocess.run([sys.executable, "-I", "-S", str(two / "check.py")], capture_output=True,
                          text=True, timeout=60, check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_a_rule_for_others_has_no_default(issued, tmp_path):
    """It comes from the call, the corrections' file or the site's."""
    with pytest.raises(ConfigError, match="others = "):
        rebill(issued, [FACTOR])
    path = tmp_path / "c.toml"
    fix = "\n".join(f'{k} = "{v}"' for k, v in FACTOR.items())
    path.write_text(f'[[corrections]]\n{fix}\n[rebill]\nothers = "bill"\n')
    assert billed(rebill(issued, path)) == {"A": "110.00", "B": "110.00", "C": "110.00"}


def test_terms_that_are_no_table_are_refused(issued, tmp_path):
    """With the file; so is what is no file of corrections."""
    path = tmp_path / "corrections.toml"
    fix = "\n".join(f'{k} = "{v}"' for k, v in FACTOR.items())
    path.write_text(f'rebill = "landlord"\n[[corrections]]\n{fix}\n')
    with pytest.raises(
        ConfigError, match=r"corrections.toml: field 'rebill' = 'landlord': it must"
    ):
        rebill(issued, path)
    with pytest.raises(ConfigError, match="Cannot read 'None': "):
        rebill(issued, None)


def test_what_else_differs_is_refused_by_name(issued):
    """An edited area, and a reading that came later."""
    old = Record.load(issued)
    tables = old.site.to_dict()
    tables["tenants"][1]["area"] = 9
    other = type(old.site).from_dict(tables)
    with pytest.raises(ConfigError, match=r"site\.tenants\.B\.area: 2 became 9"):
        rebill(issued, [FACTOR], others="bill", site=other)
    assert rebill(
        issued, [FACTOR], others="bill", site=other, accept_change=["site.tenants.B.area"]
    )
    frame = readings({"A": 2000, "B": 1000, "C": 1000})
    frame.iloc[50, 0] += 0.125
    with pytest.raises(ConfigError, match=r"readings\.kWHNet/Elm/A: 1 of"):
        rebill(issued, [FACTOR], others="bill", frame=frame)


def test_a_name_with_a_colon_is_named_whole(tmp_path):
    """What the message says to accept is accepted."""
    lines = (line("Energy: peak", "energy", "300.00"), line("Tax", "tax", "30.00"))
    frame = readings({"A": 1000.0, "B": 2000.0})
    folder = split(bill(*lines), site(), frame=frame).save(tmp_path / "old").parent
    lines[0]["amount"] = "310.00"
    name = "bill.lines.Energy: peak.amount"
    more = {"others": "bill", "bill": bill(*lines)}
    with pytest.raises(ConfigError, match=re.escape(f"accept_change=['{name}']")):
        rebill(folder, [FACTOR], accept_change=["bill.total"], **more)
    assert rebill(folder, [FACTOR], accept_change=["bill.total", name], **more)


def test_records_that_a_correction_touches_too_are_named(issued, tmp_path):
    """A reading at the month's edge is the next month's opening."""
    first(tmp_path / "Feb", "Feb", "2024-02-01", "2024-03-01", 1)
    first(tmp_path / "Mar", "Mar", "2024-03-01", "2024-04-01", 2)
    edge = {"kind": "reading", "element": "P1_B", "id": "edge", "reason": "read",
            "on": "2024-02-05", "time": "2024-02-01", "value": 2000}  # fmt: skip
    run = rebill(issued, [edge], others="bill")
    found = run.exceptions.query("kind == 'also_affected'")
    assert found["subject"].tolist() == ["Feb"]
    assert run.ok
    assert verify(run.save(tmp_path / "C1")).ok


def test_an_open_record_cannot_be_rebilled(tmp_path):
    """Nothing was billed by it."""
    run = split(bill(*BILL, kwh=3010), site(), frame=readings({"A": 2000, "B": 1000}))
    record = run.save(tmp_path / "open")
    with pytest.raises(ConfigError, match="nothing was billed"):
        rebill(record, [FACTOR], others="bill")


def test_a_first_bill_has_no_notes(issued):
    """Its charges are billed as they are computed."""
    old = Record.load(issued)
    assert (old.charges["computed"] == old.charges["billed"]).all()
    assert old.rebilling is None
    run = split(old.bill, old.site, frame=readings({"A": 2000, "B": 1000, "C": 1000}))
    assert run.notes.empty
    assert isinstance(run.notes, pd.DataFrame)


@pytest.mark.parametrize(
    ("kind", "fields", "expected"),
    [
        # 1,516.13 kWh are 113.71; of the loss of 36.29 15.65; 12.94 tax.
        ("factor", {"from": "2024-01-17", "factor": 0.5}, "A 142.30, B 93.85, C 93.85"),
        # 1,999.40 kWh are 149.96; of the loss of 0.04 0.02; 15.00 tax.
        ("reading", {"time": "2024-02-01", "value": 2999.4}, "A 164.98, B 82.51, C 82.51"),
        # 1,031.60 and 967.10 kWh are 149.90; of the loss of 0.10 0.05; 15.00 tax.
        (
            "exchange",
            {"time": "2024-01-17", "closing": 2031.6, "opening": 2032.9},
            "A 164.95, B 82.53, C 82.52",
        ),
        # 1,600 kWh are 120.00, 12.00 tax; the other 400 kWh are the landlord's, 30.00 and 3.00.
        (
            "figure",
            {"from": "2024-01-01", "to": "2024-02-01", "kwh": 1600, "by": "A"},
            "A 132.00, B 82.50, C 82.50, Landlord 33.00",
        ),
    ],
)
def test_each_kind_is_billed_again_by_hand(issued, kind, fields, expected):
    """A used 2,000 kWh by its first bill, B and C 1,000 each, at 0.075 and 10 % tax."""
    fix = {"kind": kind, "element": "P1_A", "id": "c1", "reason": "r", "on": "2024-02-05"}
    run = rebill(issued, [fix | fields], others="bill", issued="2024-02-20")
    assert ", ".join(f"{k} {v}" for k, v in sorted(billed(run).items())) == expected
    assert adds_up(run)


def test_other_corrections_of_a_site_are_differences_too(issued):
    """A correction that the record did not know is refused, unless it is among the new ones."""
    other = FACTOR | {"element": "P1_B", "id": "more"}
    where = Record.load(issued).site.to_dict() | {"corrections": [other]}
    told = type(Record.load(issued).site).from_dict(where)
    with pytest.raises(ConfigError, match=r"site\.corrections: .*'more'"):
        rebill(issued, [FACTOR], others="bill", site=told)
    assert rebill(issued, [FACTOR, other], others="bill", site=told).notes["direct"].any()


def test_a_record_with_some_of_the_corrections_is_named_too(issued, tmp_path):
    """February knows the factor and not the reading at its edge; once re-billed it is not named."""
    feb = first(tmp_path / "Feb", "Feb", "2024-02-01", "2024-03-01", 1, corrections=[FACTOR])
    edge = {"kind": "reading", "element": "P1_B", "id": "edge", "reason": "read",
            "on": "2024-02-05", "time": "2024-02-01", "value": "1999.5", "by": "C"}  # fmt: skip

    def named():
        run = rebill(issued, [FACTOR, edge], others="bill")
        return run.exceptions.query("kind == 'also_affected'")["subject"].tolist()

    assert named() == ["Feb"]
    again = rebill(feb, [edge], others="bill")
    assert again.exceptions.query("kind == 'opening_differs'")["subject"].tolist() == ["P1_B"]
    alone = rebill(feb, [edge], others="bill", records=feb)
    alone.save(tmp_path / "Feb-C1")
    assert named() == []


def test_two_agreed_figures_of_one_line_are_one_sum_in_the_notes(issued, tmp_path):
    """The landlord bears both: a second re-bill compares with the sum of them."""
    figure = {"kind": "figure", "from": "2024-01-01", "to": "2024-02-01", "reason": "r", "by": "A",
              "on": "2024-02-05"}  # fmt: skip
    both = [figure | {"element": "P1_A", "id": "a", "kwh": 1500},
            figure | {"element": "P1_B", "id": "b", "kwh": 800}]  # fmt: skip
    one = rebill(issued, both, others="bill", issued="2024-02-20")
    one.save(tmp_path / "one")
    again = figure | {"element": "P1_A", "id": "c", "kwh": 1400, "replaces": "a"}
    two = rebill(tmp_path / "one", [again], others="bill", issued="2024-03-20")
    was, now = (x.charges.groupby("party")["amount"].sum() for x in (one, two))
    found = two.notes.groupby("party")["difference"].sum()
    assert found.to_dict() == {x: now[x] - was[x] for x in ("A", "Landlord")}
    assert sum(found) == 0
