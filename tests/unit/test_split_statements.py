"""What a tenant reads on a split's statement: own dates, the peak, each share's arithmetic."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from split_kit import bill, element, line, readings, site, split, tenant

from dentframe import Statement, verify
from dentframe.documents.statement_audit_sheet import explained

LINES = (
    line("Energy", "energy", "600.00"),
    line("Demand", "demand", "100.00"),
    line("Fixed", "fixed", "31.00"),
)


def run(rules=None, frame=None):
    """A moves out on 15 January at noon; H is a hallway; the utility billed 100 kWh more."""
    elements = {
        "P1_A": element(area=50),
        "P1_B": element(area=30),
        "P1_H": element(common=True),
    }
    tenants = [tenant("A", "A", area=100, end="2024-01-15T12:00:00"), tenant("B", "B", area=300)]
    own = {"common": {"by": "area"}, "loss": {"by": "energy", "rest": True}, "agree": 5}
    return split(
        bill(*LINES, kwh=3400),
        site(tenants, elements, own | (rules or {})),
        frame=measured() if frame is None else frame,
    )


def measured():
    """3,300 kWh, and the highest demand of each and of all at 10:00 to 10:15 on 9 January."""
    frame = readings({"A": 2000, "B": 1000, "H": 300}, demand={"A": 30, "B": 20, "H": 3})
    at = frame.index.get_level_values("time") == pd.Timestamp("2024-01-09T18:15Z")
    frame.loc[at, [f"DemandkW/Elm/{x}" for x in "ABH"]] += 10
    return frame


def note(of, name):
    """The note of a line."""
    return next(x.note for x in of.lines if x.name == name)


def test_the_period_is_the_tenants_own_with_the_bills_beside_it():
    """In the head of every page, also in a notebook; who stayed has one period."""
    gone, stayed = run().statements
    shown = gone._repr_html_()
    assert "2024-01-01 00:00 PST – 2024-01-15 12:00 PST" in shown
    assert "bill&#x27;s period 2024-01-01 00:00 PST – 2024-02-01 00:00 PST" in shown
    for text in (gone.to_html(), gone.to_csv(), repr(gone)):
        assert "2024-01-15 12:00 PST" in text
        assert "s period" in text
    assert "s period" not in repr(stayed)
    assert Statement.from_dict(gone.to_dict()) == gone


@pytest.mark.parametrize(
    ("rule", "told"), [("coincident", "the whole site's demand"), ("own_peak", "your peak on P1_A")]
)
def test_a_demand_line_tells_when_the_peak_was(rule, told):
    """The site's, or the tenant's own: 10:00 local time."""
    lines = {"energy": "energy", "demand": rule, "fixed": "days"}
    found = note(run({"lines": lines}).statements["A"], "Demand")
    assert told in found
    assert "at 2024-01-09 10:00 PST" in found


def test_a_shared_part_tells_its_arithmetic():
    """Area-days: A 15 x 100, B 31 x 300, the landlord's vacant unit 16 x 50: 11,600."""
    of = run().statements["A"]
    common, loss = note(of, "Energy: common areas"), note(of, "Energy: technical loss")
    assert "300.00 kWh of common areas, by area: 1,500 of 11,600 area-days" in common
    assert "the meters measured 3,300.00 of the utility's 3,400.00 kWh" in loss
    assert "your share of 100.00 kWh of technical loss, by energy:" in loss
    assert " of 3,000.00 kWh" in loss


def test_a_loss_has_only_the_flags_that_make_it_unsure():
    """A bridged gap of B changes no energy, so that nothing of it is said on A's loss."""
    frame = measured()
    frame.loc[frame.index[200:260], "kWHNet/Elm/B"] = np.nan
    found = run(frame=frame).statements
    loss = {x.name: x.flags for x in found["A"].lines}["Energy: technical loss"]
    own = {x.name: x.flags for x in found["B"].lines}["Energy"]
    assert "gap_bridged" in own
    assert loss == ()


def test_terms_are_explained_and_no_column_is_empty(tmp_path):
    """In words on the page; a share has no rate; the record repeats."""
    done = run()
    of = done.statements["A"]
    said = [name for name, _ in explained(of)]
    assert said == ["technical loss", "common areas", "element-days", "area-days"]
    for text in (of.to_html(), of._repr_html_(), repr(of)):
        assert "Rate<" not in text
    assert verify(done.save(tmp_path / "run")).ok
