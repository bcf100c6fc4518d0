"""The months before on the statements of a split: shown where the readings reach back."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd

from dentframe import verify
from tests.split_kit import LA, bill, line, readings, site, split, tenant


def reaching_back(start="2023-01-01", kwh=(100, 300)):
    """Registers that rise by so much in each calendar month, whatever its length, to February."""
    edges = pd.date_range(start, "2024-02-01", freq="MS", tz=LA)
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
