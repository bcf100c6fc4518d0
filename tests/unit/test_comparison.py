"""The months before on the statements of a split: shown where the readings reach back."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from dentframe import DentCloud, emulator, sync, verify
from tests.split_kit import LA, bill, element, line, readings, site, split, tenant


def reaching_back(start="2023-01-01", kwh=(100, 300), end="2024-02-01"):
    """Registers that rise by so much in each calendar month, whatever its length, to February."""
    edges = pd.date_range(start, end, freq="MS", tz=LA)
    at = np.array([x.timestamp() for x in edges])
    t = pd.date_range(edges[0], edges[-1], freq="h").tz_convert("UTC").rename("time")
    now = np.array([x.timestamp() for x in t])
    columns = {
        f"kWHNet/Elm/{k}": 1000 + np.interp(now, at, v * np.arange(len(at)))
        for k, v in zip("AB", kwh, strict=True)
    }
    return pd.concat({"P1": pd.DataFrame(columns, index=t)}, names=["meter"])


def told(run, party="A"):
    """Label to energy of a party's comparison."""
    return {p.label: p.quantity for p in run.statements[party].comparison}


def test_thirteen_months_of_ones_own():
    """Twelve months before and the bill's own, the oldest first, each tenant's own elements."""
    run = split(bill(kwh=400), site(), frame=reaching_back())
    labels = [f"2023-{m:02d}" for m in range(1, 13)] + ["2024-01"]
    assert told(run) == dict.fromkeys(labels, Decimal("100.00"))
    assert told(run, "B") == dict.fromkeys(labels, Decimal("300.00"))
    assert run.statements["A"].comparison_note == ""


def test_a_bill_of_read_dates_is_compared_with_such_periods():
    """From the 18th to the 18th, the periods before are so too, named by their dates."""
    run = split(bill(kwh=400, start="2023-12-18", end="2024-01-18"), site(), frame=reaching_back())
    labels = list(told(run))
    assert labels[-2:] == ["2023-11-18 to 2023-12-18", "2023-12-18 to 2024-01-18"]
    assert labels[0] == "2023-01-18 to 2023-02-18"
    assert len(labels) == 12


def test_the_oldest_month_known_is_the_first():
    """Months before the first reading are not listed; one in between stays, unknown."""
    frame = reaching_back("2023-10-01")
    frame.loc[("P1", pd.Timestamp("2023-11-20", tz="UTC")) :, "kWHNet/Elm/A"] -= 1090
    rules = {"accept": ["recorded"]}
    run = split(bill(kwh=400), site(rules=rules), frame=frame)
    found = told(run)
    assert list(found) == ["2023-10", "2023-11", "2023-12", "2024-01"]
    assert found["2023-11"] is None
    assert found["2023-10"] == Decimal("100.00")


def test_without_readings_before_the_statement_says_why():
    """The section is left out; the reason is on the statement and on its page."""
    run = split(bill(), site(), frame=readings({"A": 1000, "B": 2000}))
    made = run.statements["A"]
    assert made.comparison == ()
    assert "the readings at hand begin on 2024-01-01 00:00" in made.comparison_note
    assert made.comparison_note in made.to_csv()


def test_a_tenant_is_not_shown_who_was_there_before():
    """Months of another tenant, and the month of moving in, are not compared."""
    a = {"name": "A", "holds": [{"elements": ["P1_A"], "start": "2023-11-10"}], "area": 1}
    run = split(bill(kwh=400), site(tenants=[a, tenant("B", "B")]), frame=reaching_back())
    assert list(told(run)) == ["2023-12", "2024-01"]
    late = {"name": "A", "holds": [{"elements": ["P1_A"], "start": "2023-12-10"}], "area": 1}
    run = split(bill(kwh=400), site(tenants=[late, tenant("B", "B")]), frame=reaching_back())
    assert told(run) == {}
    assert "none was wholly A's" in run.statements["A"].comparison_note


def test_a_record_with_a_comparison_repeats(tmp_path):
    """The comparison changes no figure of the record."""
    run = split(bill(line("Energy", "energy", "60.00"), kwh=400), site(), frame=reaching_back())
    assert verify(run.save(tmp_path / "r")).ok


def january(folder, **more):
    """The record of January: A 100 kWh for 15.00, B 300 kWh for 45.00."""
    run = split(bill(line("Energy", "energy", "60.00"), kwh=400, **more), site(), frame=earlier())
    return run.save(folder / "2024-01")


def earlier(shift=0.0):
    """Readings of January and February; `shift` raises A's from the end of January on."""
    frame = reaching_back("2024-01-01", end="2024-03-01")
    at = pd.Timestamp("2024-02-01", tz=LA).tz_convert("UTC")
    frame.loc[("P1", at) :, "kWHNet/Elm/A"] += shift
    return frame


def february(records, frame=None, **more):
    """The split of February with earlier records at hand."""
    told = {"start": "2024-02-01", "end": "2024-03-01", "name": "Feb", "kwh": 400}
    b = bill(line("Energy", "energy", "80.00"), **told | more)
    return split(b, site(), frame=earlier() if frame is None else frame, records=records)


def test_earlier_records_are_compared_with_in_energy_and_money(tmp_path):
    """January of the same tenant, as it was billed; no other tenant's, no draft."""
    january(tmp_path)
    run = february(tmp_path)
    assert run.ok
    past = run.statements["A"].comparison[0]
    assert (past.label, past.quantity, str(past.amount)) == ("2024-01", Decimal("100.00"), "15.00")
    assert verify(run.save(tmp_path / "2024-02")).ok
    # The month itself lies in the folder now, and is none of the earlier ones.
    again = february(tmp_path)
    labels = [p.label for p in again.statements["A"].comparison]
    assert labels == ["2024-01", "2024-02"]


def test_an_opening_that_is_not_the_printed_closing(tmp_path):
    """A late reading moved the end of January: told, until it is accepted by name."""
    january(tmp_path)
    run = february(tmp_path, earlier(0.5))
    row = run.exceptions.set_index("kind").loc["opening_differs"]
    assert (row["subject"], str(row["value"]), str(row["limit"])) == ("P1_A", "1100.50", "1100.00")
    assert "2024-02-01 00:00" in row["detail"]
    assert not run.ok
    said = {"kind": "opening_differs", "element": "P1_A", "reason": "settled", "by": "J. Smith"}
    accepted = february(tmp_path, earlier(0.5), accepted=[said])
    assert "opening_differs" in set(accepted.exceptions["kind"])
    assert verify(accepted.save(tmp_path / "2024-02", draft=True)).ok


def test_an_opening_of_a_vacant_or_a_common_element_is_held_to_its_closing(tmp_path):
    """Nobody's paper printed it, and the record has it all the same."""
    elements = {"P1_A": element(common=True), "P1_B": element(area=1), "P1_C": element()}
    rules = {"common": {"by": "energy"}}
    where = site([tenant("C", "C")], elements, rules, landlord="Owner")
    frame = earlier()
    frame["kWHNet/Elm/C"] = frame["kWHNet/Elm/B"]
    january = bill(line("Energy", "energy", "60.00"), kwh=700)
    assert split(january, where, frame=frame).save(tmp_path / "2024-01")
    at = pd.Timestamp("2024-02-01", tz=LA).tz_convert("UTC")
    frame.loc[("P1", at) :, ["kWHNet/Elm/A", "kWHNet/Elm/B"]] += 0.5
    told = {"start": "2024-02-01", "end": "2024-03-01", "name": "Feb", "kwh": 700}
    run = split(bill(line("Energy", "energy", "80.00"), **told), where, frame=frame,
                records=tmp_path)  # fmt: skip
    found = run.exceptions.query("kind == 'opening_differs'")
    assert set(found["subject"]) == {"P1_A", "P1_B"}


def test_records_of_drafts_and_of_other_sites_do_not_count(tmp_path):
    """Only what went out is compared with."""
    run = split(bill(line("Energy", "energy", "60.00"), kwh=400), site(), frame=earlier())
    run.save(tmp_path / "draft", draft=True)
    other = split(run.bill, site(name="T"), frame=earlier())
    other.save(tmp_path / "other")
    frame = reaching_back("2024-02-01", end="2024-03-01")
    assert february(tmp_path, frame).statements["A"].comparison == ()


def test_an_archive_is_compared_with(tmp_path):
    """What the archive holds of the year before, and no more; nothing is asked for."""
    pytest.importorskip("pyarrow")
    run = split_of_archive(tmp_path)
    labels = [p.label for p in run.statements["Bakery"].comparison]
    assert labels == ["2023-11", "2023-12"]


def split_of_archive(folder):
    """December of the emulator's building from an archive that begins in November."""
    meter = "P482311252"
    elements = {f"{meter}_B": element(label="Bakery")}
    where = site([{"name": "Bakery", "elements": list(elements)}], elements, rules={"agree": 99})
    b = bill(line("E", "energy", "9.00"), start="2023-12-01", end="2024-01-01", kwh=9000)
    with emulator.serve(rate=None, concurrency=None) as served:
        client = DentCloud(served.api_key, served.key_id, base_url=served.url, rate=1000)
        kept = {"topics": ["kWHNet", "DemandkW"], "archive": folder, "client": client}
        sync([meter], "2023-10-31", "2024-01-03", **kept)
        before = len(served.data_requests)
        run = split(b, where, archive=folder, client=client)
        assert len(served.data_requests) == before
        client.close()
    return run


def test_the_landlords_statement_on_request():
    """Vacant elements with their readings, and what the rules lay on the landlord."""
    rules = {"lines": {"energy": "energy", "fixed": "landlord"}}
    where = site([tenant("A", "A")], rules=rules, statement={"landlord": True})
    b = bill(line("Energy", "energy", "60.00"), line("Fee", "fixed", "5.00"), kwh=400)
    run = split(b, where, frame=earlier())
    assert run.statements.parties == ["A", "Landlord"]
    made = run.statements["Landlord"]
    assert str(made.total) == "50.00"
    assert [r.energy for r in made.readings] == [Decimal("300.00")]
    plain = split(b, site([tenant("A", "A")], rules=rules), frame=earlier())
    assert plain.statements.parties == ["A"]
    assert str(plain.landlord.total) == "50.00"


def test_a_gap_at_the_edge_is_no_other_opening(tmp_path):
    """Neither bill has a reading at its edge: each prints the nearest of its own, and fits."""
    rules = {"accept": ["recorded", "estimated"]}
    frame = reaching_back(start="2023-12-01", end="2024-03-01")
    at = frame.index.get_level_values("time")
    edge = pd.Timestamp("2024-02-01", tz=LA)
    hole = (at > edge - pd.Timedelta("9h")) & (at < edge + pd.Timedelta("5h"))
    where = site(rules=rules)
    assert split(bill(kwh=400), where, frame=frame[~hole]).save(tmp_path / "jan")
    told = {"start": "2024-02-01", "end": "2024-03-01", "name": "Feb", "kwh": 400}
    run = split(bill(**told), where, frame=frame[~hole], records=tmp_path)
    assert run.statements["A"].readings[0].open_at < edge.tz_convert("UTC")
    assert "opening_differs" not in set(run.exceptions["kind"])
