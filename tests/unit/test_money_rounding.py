"""Rounding, shares and tiers: the small arithmetic under every bill."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pandas as pd
import pytest

from dentframe.errors import ConfigError
from dentframe.money import allocate
from dentframe.money.rounding_and_tiers import Tiers, digits_of, exact, parts_of, rounded, tidy


@pytest.mark.parametrize(
    ("value", "places", "wanted"),
    [
        (1.005, 2, "1.01"),
        (-1.005, 2, "-1.01"),
        (0.1 + 0.2, None, "0.3"),
        (31.005000000001, 2, "31.01"),
        ("31.0049999999999", 2, "31.00"),
        (1e6, None, "1000000"),
        (7, 2, "7.00"),
    ],
)
def test_a_number_is_rounded_as_its_decimal_text(value, places, wanted):
    """Binary noise below nine decimals never moves a half; text is taken as it is."""
    assert str(rounded(value, places)) == wanted


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None, "x", True, pd.NA])
def test_what_is_no_number_is_refused(value):
    """NaN, infinity, text, booleans: none of them is money."""
    with pytest.raises(ConfigError, match="finite number"):
        exact(value)


def test_parts_are_rounded_to_their_total():
    """Largest remainder, of any sign; without places nothing changes."""
    thirds = [Decimal(10) / 3] * 3
    assert [str(x) for x in parts_of(thirds, Decimal("10.00"), 2)] == ["3.34", "3.33", "3.33"]
    signed = [Decimal("-1.005"), Decimal("2.004")]
    assert sum(parts_of(signed, Decimal("1.00"), 2)) == 1
    assert parts_of(thirds, Decimal(10), None) == thirds


def test_currencies_have_their_decimals():
    """Two, unless ISO 4217 says otherwise."""
    assert [digits_of(x) for x in ("USD", "jpy", "KWD", "")] == [2, 0, 3, 2]
    assert f"{tidy(Decimal('1E+3'))}" == "1000"


@pytest.mark.parametrize(
    ("amount", "weights", "told"),
    [
        ("1.005", [1], "finer"),
        (1.5, [1], "float"),
        ("1.00", [], "no basis"),
        ("1.00", [1, -1], "below 0"),
        ("1.00", [1, None], "finite"),
        ("1.00", [float("nan")], "finite"),
    ],
)
def test_allocate_refuses_what_it_cannot_share_exactly(amount, weights, told):
    """Every refusal says why."""
    with pytest.raises(ConfigError, match=told):
        allocate(amount, weights)


def test_allocate_keeps_parties_of_two_names_in_one_level():
    shares = allocate("4", {("a", 1): 1, ("b", 2): 3})
    assert shares.index.nlevels == 1
    assert shares.to_dict() == {("a", 1): Decimal("1.00"), ("b", 2): Decimal("3.00")}


def test_allocate_keeps_the_parties_and_their_order():
    """Mapping, Series or list; fractions, floats and text as weights; no places, many places."""
    basis = pd.Series([Fraction(1, 3), Fraction(2, 3)], index=["B", "A"])
    assert allocate("10", basis, places=0).to_dict() == {"B": 3, "A": 7}
    assert allocate("0.0001", {"x": 0.5, "y": "0.5"}, places=4).tolist() == [
        Decimal("0.0001"),
        Decimal("0.0000"),
    ]
    assert allocate(7, [0, 1]).tolist() == [Decimal("0.00"), Decimal("7.00")]


def test_tiers_fill_and_are_named():
    """An edge belongs to the lower tier; a negative total stays in the first."""
    tiers = Tiers([Decimal(500), Decimal("1000.5")])
    assert tiers.fill(Decimal(500)) == [500, 0, 0]
    assert tiers.fill(Decimal(-3)) == [-3, 0, 0]
    assert Tiers([Decimal(0)]).fill(Decimal(-3)) == [-3, 0]
    assert [tiers.label(i, "kWh") for i in range(3)] == [
        "0–500 kWh",
        "500–1000.5 kWh",
        "above 1000.5 kWh",
    ]
    assert Tiers([Decimal(500) / 3]).label(0, "kWh") == "0–166.67 kWh"
