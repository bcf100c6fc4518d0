"""Plans, splits and statements as a terminal and a notebook show them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dentframe import Plan
from dentframe.cloud import Window
from tests import split_kit as kit

MONTHS = tuple(Window(2023, month) for month in range(1, 13))
PLAN = Plan(
    {"P1": MONTHS, "P2": MONTHS[:2]},
    {"P1": frozenset(MONTHS[:4]), "P2": frozenset()},
    ("DemandkW",),
    "built-in catalogue",
    5.0,
)
MANY = replace(
    PLAN,
    windows={f"P{i}": () for i in range(99)},
    held={f"P{i}": frozenset() for i in range(99)},
)


def run(name="A", *, blank=False):
    """January of two tenants; `blank` takes most of B's readings away."""
    tenants = [kit.tenant(name, "A", area=100), kit.tenant("B", "B", area=300)]
    frame = kit.readings({"A": 1000, "B": 2000})
    if blank:
        frame.iloc[200:, 1] = np.nan
    return kit.split(kit.bill(), kit.site(tenants), frame=frame)


def test_a_plan_shows_its_meters():
    """Twelve windows of which four are held, and two: ten to ask, one second at 5 a second."""
    shown = PLAN._repr_html_()
    assert "Plan: 10 requests, 4 cached, at least 1.0 s" in shown
    assert all(text in shown for text in (">12<", ">4<", ">8<", "2023-01", "2023-12"))


def test_a_plan_of_a_fleet_stays_short():
    """Ten meters are named, the rest counted."""
    assert "And 89 more meters." in repr(MANY)
    assert "P10" not in repr(MANY)
    assert "And 89 more meters." in MANY._repr_html_()
    assert len(MANY._repr_html_()) < 20_000


def test_a_split_shows_where_the_money_went():
    """1000 and 2000 of 3000 kWh: 200 and 400 of 600.00."""
    shown = repr(run())
    assert shown.startswith("<Run of Jan: no exceptions>")
    assert "utility      600.00 USD" in shown
    assert "statements   A 200.00, B 400.00" in shown


def test_a_split_shows_what_is_not_accepted_and_the_remedy():
    """A figure that is partly covered is named with what to do."""
    told = run(blank=True)
    shown = repr(told)
    assert "2 exceptions that the rules do not accept" in shown
    for _, row in told.exceptions.iterrows():
        assert " ".join(str(row["detail"]).split()) in shown
        assert row["remedy"] in shown


def test_a_statement_shows_its_lines_and_total():
    """Head, one row a line, and the total."""
    shown = repr(run().statements["A"]).split("\n")
    assert shown[0] == "<Statement of A: 200.00 USD>"
    assert shown[-1].split() == ["Energy", "1,000.00", "kWh", "200.00", "recorded"]


@pytest.mark.parametrize("of", ["run", "statement"])
def test_a_name_is_escaped(of):
    """A tenant's name from a file is text, never markup."""
    told = run("<script>x</script>")
    html = told._repr_html_() if of == "run" else told.statements[0]._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_a_broken_run_is_still_shown():
    """What cannot be worked out is told in its place."""
    broken = replace(run(), bill=None)
    assert "Run that cannot be shown: AttributeError" in repr(broken)
    assert "Run that cannot be shown: AttributeError" in broken._repr_html_()
