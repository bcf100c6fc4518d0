"""Utility bills: what a file says, and what it must not say."""

from __future__ import annotations

import tomllib
from decimal import Decimal

import pytest

from dentframe.errors import ConfigError
from dentframe.money.utility_bill import BillLine, UtilityBill

FILE = """
name = "PG&E 2023-12"
start = 2023-11-18
end = 2023-12-18
days = 30
kwh = 12345.6
kw = 55
currency = "USD"
total = 2345.67

[[lines]]
name = "Energy"
kind = "energy"
kwh = 12345.6
amount = 2100.10

[[lines]]
name = "Demand"
kind = "demand"
kw = 55
amount = 300

[[lines]]
name = "Credit"
kind = "export"
amount = -54.43
"""


@pytest.fixture
def path(tmp_path):
    """The file on disk."""
    path = tmp_path / "bill.toml"
    path.write_text(FILE, encoding="utf-8")
    return path


def test_a_file_is_read_exactly(path):
    """Amounts are the decimals that the file shows, and add up."""
    bill = UtilityBill.load(path)
    assert [str(x.amount) for x in bill.lines] == ["2100.10", "300", "-54.43"]
    assert bill.amount == bill.total == Decimal("2345.67")
    assert (bill.kwh, bill.days) == (Decimal("12345.6"), 30)


def test_a_bill_survives_its_file(path):
    """Reading what to_toml wrote gives an equal bill."""
    bill = UtilityBill.load(path)
    assert UtilityBill.from_dict(tomllib.loads(bill.to_toml(), parse_float=Decimal)) == bill
    assert UtilityBill.from_dict(bill.to_dict()) == bill


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("amount = 300", "amout = 300", "table [lines #2], field 'amout'"),
        ("amount = 300", 'amount = "much"', "table [lines #2], field 'amount' = 'much'"),
        ("amount = 300", "amount = 301", "the lines add up to 2346.67"),
        ("amount = 300", "amount = nan", "it must be a number"),
        ("end = 2023-12-18", "", "field 'end': it is missing"),
        ("days = 30", "days = 30.5", "whole number"),
        ('name = "Demand"', 'name = "Energy"', "occurs twice"),
    ],
)
def test_errors_name_file_table_and_field(path, old, new, told):
    """What cannot be meant is refused with the file, the table and the field."""
    path.write_text(FILE.replace(old, new), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        UtilityBill.load(path)
    assert told in str(caught.value)
    assert str(path) in str(caught.value)


def test_money_is_never_a_float():
    """A float amount is refused, in a table and in Python."""
    table = {"name": "E", "kind": "energy", "amount": 0.1}
    with pytest.raises(ConfigError, match="float is no exact amount"):
        UtilityBill.from_dict(
            {"name": "b", "start": "2024-01-01", "end": "2024-02-01", "lines": [table]}
        )
    with pytest.raises(ConfigError, match="no Decimal"):
        UtilityBill("b", "2024-01-01", "2024-02-01", (BillLine("E", "energy", 0.1),))


def test_a_bill_without_lines_is_refused():
    """There is nothing to split."""
    with pytest.raises(ConfigError, match="no lines"):
        UtilityBill.from_dict({"name": "b", "start": "2024-01-01", "end": "2024-02-01"})
