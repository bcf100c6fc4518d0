"""Bills with a line of every kind, corrected and billed again: each amount is priced by hand.

A used 992 kWh in January by its register, 32 a day, and B 1,000; A's demand was 5 kW, B's 3.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dentframe import Statement, rebill, verify
from tests.split_kit import bill, element, line, readings, site, split, tenant

RULES = {
    "lines": {"energy": "energy", "demand": "own_peak", "fixed": "days", "area": "area",
              "credit": "export", "tax": "lines"},
    "loss": {"by": "energy", "rest": True}, "agree": 100, "over_recovery": True,
    "accept": ["recorded", "estimated"],
}  # fmt: skip
FIX = {"element": "P1_A", "id": "c2", "reason": "r", "on": "2024-02-05"}


@pytest.fixture(autouse=True)
def quick_papers(monkeypatch):
    """PDFs and workbooks are of no matter here, and take most of the time."""
    for form in ("to_pdf", "to_excel"):
        monkeypatch.setattr(Statement, form, lambda _, path: path.write_bytes(b""))


def data(export=False):
    """Readings of the month."""
    totals = {"A": 992, "B": 1000} | ({"D": -100} if export else {})
    return readings(totals, demand={"A": 5, "B": 3})


def lines(energy, tax, *more):
    """Energy at 0.10, demand 80.00, fixed 31.00, an area's 40.00, and 10 % tax."""
    return (line("Energy", "energy", energy), line("Demand", "demand", "80.00"),
            line("Fixed", "fixed", "31.00"), line("Lift", "area", "40.00"), *more,
            line("Tax", "tax", tax))  # fmt: skip


def billed(run):
    """Party to what is billed in all, and that it is the utility's bill to the cent."""
    c = run.control
    parts = ("tenants", "landlord", "export", "unallocated")
    assert c["utility"] == sum(c[x] for x in parts) + c.get("rebill_difference", 0)
    assert run.ok, run.exceptions.to_dict("records")
    found = run.charges.groupby("party")["billed"].sum()
    return ", ".join(f"{k} {found[k]}" for k in sorted(found.index) if found[k])


def both(tmp_path, what, frame, fix, others="bill", **more):
    """What is billed first, and after the correction; both records repeat."""
    tenants = more.pop("tenants", [tenant("A", "A", area=100), tenant("B", "B", area=300)])
    elements = {"P1_A": element(), "P1_B": element()} | more.pop("elements", {})
    first = split(what, site(tenants, elements=elements, rules=RULES, **more), frame=frame)
    record = first.save(tmp_path / "Jan")
    again = rebill(record, [FIX | fix], others=others, issued="2024-02-20")
    assert verify(again.save(tmp_path / "Jan-C1")).ok
    return billed(first), billed(again)


@pytest.mark.parametrize(
    ("others", "after"),
    [
        # Energy 147.20 and 100.00; demand 10 and 3 of 13 kW; tax 23.42 and 16.40.
        ("bill", "A 257.66, B 180.36, export -33.00"),
        ("landlord", "A 257.66, B 219.56, Landlord -39.20, export -33.00"),
    ],
)
def test_a_factor_for_half_a_month(others, after, tmp_path):
    """A's CT was 2 from the 17th: 16 days of 32 kWh and 15 of 64 are 1,472, and 10 kW.

    The utility metered 2,372 kWh, of which 100 kWh were fed back. Before, 480 kWh were a loss:
    23.90 of it were A's and 24.10 B's; tax 19.86 and 19.96, and of the export's credit -3.00.
    """
    what = bill(*lines("237.20", "36.82", line("Feed-in", "credit", "-20.00")), kwh=2372)
    fix = {"kind": "factor", "from": "2024-01-17", "factor": 2}
    elements = {"P1_D": element(role="export")}
    found = both(tmp_path, what, data(export=True), fix, others, elements=elements)
    assert found == ("A 218.46, B 219.56, export -33.00", after)


def test_a_reading_by_hand_after_36_hours_without(tmp_path):
    """The register was read at A's move on the 17th: 1,500, and not the 1,512 of a straight line.

    A and C share the element's fixed charge, area and demand by their days: 16 and 15 of 31.
    """
    frame = data()
    t = frame.index.get_level_values(1)
    frame.loc[(t > pd.Timestamp("2024-01-16 08:00Z")) & (t < pd.Timestamp("2024-01-17 20:00Z")),
              "kWHNet/Elm/A"] = np.nan  # fmt: skip
    tenants = [tenant("A", "A", end="2024-01-17", area=100), tenant("B", "B", area=300),
               tenant("C", "A", start="2024-01-17", area=100)]  # fmt: skip
    fix = {"kind": "reading", "time": "2024-01-17", "value": 1500, "by": "caretaker"}
    what = bill(*lines("199.20", "35.02"), kwh=1992)
    found = both(tmp_path, what, frame, fix, tenants=tenants)
    assert found == ("A 99.18, B 193.05, C 92.99", "A 97.86, B 193.05, C 94.31")


def test_an_exchange_whose_reading_was_mistyped(tmp_path):
    """The old meter closed at 1,512, not at 1,521: before, the loss was 9 kWh below 0."""
    frame = data()
    at = pd.Timestamp("2024-01-17 08:00Z")
    t = frame.index.get_level_values(1)
    frame.loc[t > at, "kWHNet/Elm/A"] -= 1512
    frame = frame[t != at]
    wrong = FIX | {"id": "c1", "kind": "exchange", "time": "2024-01-17", "closing": 1521,
                   "opening": 0}  # fmt: skip
    fix = wrong | {"id": "c2", "replaces": "c1", "closing": 1512}
    what = bill(*lines("199.20", "35.02"), kwh=1992)
    found = both(tmp_path, what, frame, fix, corrections=[wrong])
    assert found == ("A 192.67, B 192.55", "A 192.17, B 193.05")


def test_an_agreed_figure(tmp_path):
    """700 kWh and 4 kW were agreed with A: B pays the same, the landlord bears the difference.

    A: 70.00, 4 of 8 kW are 40.00, 15.50 and 10.00, tax 13.55; the landlord: 29.20, 10.00, 3.92.
    """
    fix = {"kind": "figure", "from": "2024-01-01", "to": "2024-02-01", "kwh": 700, "kw": 4,
           "by": "A"}  # fmt: skip
    what = bill(*lines("199.20", "35.02"), kwh=1992)
    found = both(tmp_path, what, data(), fix)
    assert found == ("A 192.17, B 193.05", "A 149.05, B 193.05, Landlord 43.12")
