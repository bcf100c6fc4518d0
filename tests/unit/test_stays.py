"""A main beside its branches: compared with the utility, never summed with them."""

from __future__ import annotations

import pandas as pd
import pytest
from split_kit import bill, element, found, readings, shares, site, split, tenant

from dentframe.errors import ConfigError

EVEN = {"A": 2000, "B": 1000, "M": 3010}
MAIN = {"P1_M": element(role="main")}
BARE = {"P1_A": element(), "P1_B": element()}


def test_the_only_main_measures_branches_that_name_no_parent():
    """3,010 kWh of the main agree with 3,000 of the bill; 6,010 would not."""
    run = split(bill(), site(elements=MAIN | BARE), frame=readings(EVEN))
    assert run.ok
    assert shares(run, "Energy") == {"A": "400.00", "B": "200.00"}


def test_naming_them_all_in_the_bill_sums_nothing_twice():
    """A bill that lists the main and its branches, with a parent or without, is the main's."""
    names = ["P1_M", "P1_A", "P1_B"]
    run = split(bill(elements=names), site(elements=MAIN | BARE), frame=readings(EVEN))
    assert run.ok
    inside = {k: v | {"parent": "P1_M"} for k, v in BARE.items()}
    run = split(bill(elements=names), site(elements=MAIN | inside), frame=readings(EVEN))
    assert run.ok


def test_a_main_that_differs_is_told_alone():
    """The exception compares the main, without its branches, with the utility."""
    run = split(bill(), site(elements=MAIN | BARE), frame=readings(EVEN | {"M": 3100}))
    row = found(run, "utility_differs").iloc[0]
    assert "P1_M measured 3100.00 kWh, the utility billed 3000.00" in row["detail"]


@pytest.mark.parametrize(
    "elements",
    [
        MAIN | {"P1_N": element(role="main")} | BARE,
        MAIN | {"P1_A": element(parent="P1_M"), "P1_B": element()},
    ],
    ids=["two mains", "one branch without a parent"],
)
def test_which_main_measures_a_branch_must_be_stated(elements):
    """Refused before anything is read, naming parent and the branch."""
    with pytest.raises(ConfigError, match=r'parent = "P1_[MN]" in \[elements\.P1_[AB]\]'):
        split(bill(), site([tenant("A", "A"), tenant("B", "B")], elements))


def test_two_services_on_one_bill_are_stated_by_its_elements():
    """A main of 2,000 and a branch of 1,000 with a meter of the utility's own are one bill."""
    elements = MAIN | {"P1_A": element(parent="P1_M"), "P1_B": element()}
    run = split(
        bill(elements=["P1_M", "P1_B"]),
        site(elements=elements),
        frame=readings(EVEN | {"M": 2000}),
    )
    assert run.ok
    assert shares(run, "Energy") == {"A": "400.00", "B": "200.00"}


def test_another_meter_is_another_service_and_the_remedy_names_parent():
    """Beside a main with branches of its own; where they do not agree, it may be a lost parent."""
    elements = MAIN | {"P1_A": element(parent="P1_M"), "P2_B": element()}
    tenants = [tenant("A", "A"), {"name": "B", "elements": ["P2_B"]}]
    own = readings({"A": 2000, "M": 2000})
    other = readings({"B": 1000}).rename(index={"P1": "P2"}, level=0)
    frame = pd.concat([own, other])
    assert split(bill(), site(tenants, elements), frame=frame).ok
    run = split(bill(kwh=2000), site(tenants, elements), frame=frame)
    assert "must name it as its parent" in found(run, "utility_differs").iloc[0]["remedy"]
