"""Utility bills: what a file says, and what it must not say."""

from __future__ import annotations

import contextlib
import datetime as dt
import tomllib
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dentframe import Site, SplitRules, UtilityBill
from dentframe.errors import ConfigError
from dentframe.money import Tariff
from dentframe.money.utility_bill_and_rules import BillLine

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

TARIFF = """
name = "flat"
currency = "USD"
[[charges]]
kind = "energy"
name = "Energy"
rate = "0.20"
"""
RULES = """
agree = 2
accept = ["recorded"]
[lines]
energy = "energy"
[loss]
by = "energy"
percent = 3
"""
SITE = """
name = "Street"
tz = "America/Los_Angeles"
currency = "USD"
[elements.P1_B]
label = "Bakery"
cts = [200, 200]
volts = 120
[[elements.P1_B.swaps]]
at = 2023-12-05T10:00:00
closing = 10.5
opening = 0
[[tenants]]
name = "Bakery"
area = 80
[[tenants.holds]]
elements = ["P1_B"]
start = 2023-12-02
"""
PIECES = (b"1e999999", b"9" * 5000, b"[" * 3000, b"nan", b"-inf", b'"\\u0000"', b"0001-01-01",
          b"9999-12-31T23:59:59Z", b"{}", b"true", b"[[a]]")  # fmt: skip


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


def test_a_line_reads_its_own_fields():
    """In Python a text is an amount or a date, as in a file."""
    made = BillLine("E", "energy", "1.20", start="2024-01-05")
    assert (made.amount, made.start) == (Decimal("1.20"), dt.date(2024, 1, 5))
    with pytest.raises(ConfigError, match="line 'E' of a bill: field 'start' = 5: it must be a d"):
        BillLine("E", "energy", "1.20", start=5)


@pytest.mark.parametrize(
    "field",
    [
        {"name": 5}, {"start": 5}, {"end": None}, {"lines": 5}, {"lines": [5]}, {"kwh": "x"},
        {"kw": [1]}, {"days": 1.5}, {"currency": 5}, {"total": "x"}, {"elements": 5},
        {"issued": "x"}, {"due": "x"}, {"due": 400}, {"due": 30}, {"accepted": [5]},
    ],
)  # fmt: skip
def test_a_bill_made_in_python_is_checked_as_its_file(field):
    """Each field by its type, and days count from a date of issue."""
    (name,) = field
    own = {"name": "b", "start": "2024-01-01", "end": "2024-02-01"}
    lines = (BillLine("E", "energy", "1.20"),)
    assert UtilityBill(**own, lines=lines).start == dt.date(2024, 1, 1)
    with pytest.raises(ConfigError, match=f"Cannot use bill: field '{name}'"):
        UtilityBill(**{**own, "lines": lines, **field})


def test_money_is_never_a_float():
    """A float amount is refused, in a table and in Python."""
    table = {"name": "E", "kind": "energy", "amount": 0.1}
    with pytest.raises(ConfigError, match="float is no exact amount"):
        UtilityBill.from_dict(
            {"name": "b", "start": "2024-01-01", "end": "2024-02-01", "lines": [table]}
        )
    with pytest.raises(ConfigError, match="float is no exact amount"):
        UtilityBill("b", "2024-01-01", "2024-02-01", (BillLine("E", "energy", 0.1),))


def test_a_bill_without_lines_is_refused():
    """There is nothing to split."""
    with pytest.raises(ConfigError, match="no lines"):
        UtilityBill.from_dict({"name": "b", "start": "2024-01-01", "end": "2024-02-01"})


# --- files that mean no good ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("kw = 55\ncur", f"kw = {'9' * 5000}\ncur", "TOML"),
        ("kw = 55\ncur", f"kw = {'[' * 9000}{']' * 9000}\ncur", "nested too deep"),
        ("kwh = 12345.6\nkw", "kwh = 1e999999\nkw", r"field 'kwh' = .*below 10\^15"),
        ("kwh = 12345.6\nkw", "kwh = 1e-999999\nkw", "field 'kwh' = .*decimals"),
        ('name = "PG&E 2023-12"', 'name = "A\\rB"', r"field 'name' = .*character '\\r'"),
        ('name = "PG&E 2023-12"', 'name = "A\\uFFFFB"', r"field 'name' = .*uffff"),
        ('name = "PG&E 2023-12"', f'name = "{"x" * 3000}"', "field 'name'.*3000 letters"),
        ("kw = 55\ncur", f"{'x' * 3000} = 55\ncur", "no such field"),
    ],
)
def test_what_no_paper_can_hold_is_refused_as_it_is_read(path, old, new, told):
    """With the file and the field, and in a message of some lines."""
    assert old in FILE
    path.write_text(FILE.replace(old, new), encoding="utf-8")
    with pytest.raises(ConfigError, match=f"(?s)bill.toml.*{told}") as caught:
        UtilityBill.load(path)
    assert len(str(caught.value)) < 900


@pytest.mark.parametrize("name", ["a\ud800", "\x00", "a\u2028b", "\x1b[0m"])
def test_a_text_that_python_gives_is_held_to_the_same(name):
    """A dict of tables may have letters that no file has."""
    table = {"name": "E", "kind": "energy", "amount": "1.00"}
    data = {"name": name, "start": "2024-01-01", "end": "2024-02-01", "lines": [table]}
    with pytest.raises(ConfigError, match=r"field 'name'.*printed"):
        UtilityBill.from_dict(data)


@pytest.mark.parametrize("where", ["bill", "line"])
def test_dates_of_centuries_are_refused_at_load(where):
    """One changed digit, 2224 for 2024, made `verify` work out 73,000 days for a minute."""
    table = {"name": "E", "kind": "energy", "amount": "1.00"}
    data = {"name": "B", "start": "2024-01-01", "end": "2027-01-01", "lines": [table]}
    assert UtilityBill.from_dict(data).end.year == 2027
    (table if where == "line" else data).update(start="2024-01-01", end="2224-01-01")
    with pytest.raises(
        ConfigError, match=r"field 'end' = 2224-01-01: .* 73048 days, .*at most 1098"
    ):
        UtilityBill.from_dict(data)


@pytest.mark.parametrize("kind", [UtilityBill, Site, SplitRules, Tariff])
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_bytes_are_read_or_an_error(kind, tmp_path, data):
    """Arbitrary bytes, and a good file with some of them changed."""
    path = tmp_path / "x.toml"
    whole = {UtilityBill: FILE, Tariff: TARIFF, SplitRules: RULES, Site: SITE}[kind].encode()
    at, n = data.draw(st.integers(0, len(whole))), data.draw(st.integers(0, 9))
    piece = data.draw(st.binary(max_size=9) | st.sampled_from(PIECES))
    any_bytes = data.draw(st.none() | st.binary(max_size=99))
    path.write_bytes(whole[:at] + piece + whole[at + n :] if any_bytes is None else any_bytes)
    with contextlib.suppress(ConfigError):
        assert isinstance(kind.load(path), kind)
