"""Mistakes of a first split: swapped files, an inclusive end, names that are nearly right."""

from __future__ import annotations

from decimal import Decimal

import pytest
from split_kit import SplitRules, bill, element, found, readings, site, split, tenant

from dentframe import Site, UtilityBill
from dentframe.errors import ConfigError

EVEN = {"A": 2000, "B": 1000}


def test_swapped_files_are_told_as_such():
    """A bill in the site's place, and a site in the bill's."""
    with pytest.raises(ConfigError, match="as a site: this looks like a utility's bill"):
        Site.from_dict(bill().to_dict(), file="bill.toml")
    with pytest.raises(ConfigError, match="as a bill: this looks like a site"):
        UtilityBill.from_dict(site().to_dict(), file="site.toml")


def test_a_value_is_shown_as_the_file_has_it():
    """690.00, not Decimal('690.00'); a table and a list too."""
    amount = {"name": "E", "kind": "energy", "amout": Decimal("690.00")}
    with pytest.raises(ConfigError, match=r"'amout' = 690.00: .*did you mean 'amount'"):
        bill(amount)
    with pytest.raises(ConfigError, match=r"'cts' = \[-1, 0.50\]"):
        site(elements={"P1_A": element(cts=[-1, Decimal("0.50")])})
    with pytest.raises(ConfigError, match=r"'P1_A' = \{ label = 'x', cts = 1.5 \}"):
        site([tenant("A", "A", P1_A={"label": "x", "cts": Decimal("1.5")})])


def test_names_that_are_nearly_right_are_suggested():
    """A basis, and a field that users call by another word."""
    with pytest.raises(ConfigError, match="did you mean 'coincident'"):
        SplitRules.from_dict({"lines": {"demand": "coincidental"}})
    with pytest.raises(ConfigError, match="did you mean 'area'"):
        site([tenant("A", "A", sqft=80)])


@pytest.mark.parametrize(("days", "accepted"), [(None, True), (31, False)])
def test_an_end_that_is_the_last_day_of_a_month(days, accepted):
    """It is hinted at, also where nothing else shows it; with days stated it is refused."""
    own = {} if days is None else {"days": days}
    run = split(bill(end="2024-01-31", kwh=2904, **own), site(), frame=readings(EVEN))
    row = found(run, "periods_differ").iloc[0]
    assert "write end = 2024-02-01: end is exclusive" in row["remedy"]
    assert bool(row["accepted"]) is accepted


@pytest.mark.parametrize(
    ("end", "more"), [("2024-02-01", {}), ("2024-01-31", {"days": 30}), ("2024-01-30", {})]
)
def test_an_end_that_means_what_it_says_is_not_questioned(end, more):
    """A whole month, stated days that agree, another day of the month."""
    run = split(bill(end=end, **more), site(), frame=readings(EVEN))
    assert found(run, "periods_differ").empty
