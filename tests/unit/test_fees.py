"""The landlord's fees: lines of their own, apart from the utility's amount, never hidden."""

from __future__ import annotations

from decimal import Decimal

import pytest

from dentframe import SplitRules, verify
from dentframe.errors import ConfigError
from dentframe.money.utility_bill_and_rules import Fee
from tests.split_kit import balanced, bill, line, readings, shares, site, split, tenant

EVEN = {"A": 2000, "B": 1000}
TENANTS = [tenant("A", "A", code="41"), tenant("B", "B", code="42", end="2024-01-11")]


def fee(name="Meter reading", amount="4.50", **more):
    """A fee's table."""
    return {"name": name, "amount": amount} | more


def charged(*fees, **more):
    """A split with fees; B leaves on the 11th."""
    return split(bill(), site(TENANTS, rules={"fees": list(fees)}), frame=readings(EVEN), **more)


def test_a_fee_of_each_tenant_and_of_each_day():
    """4.50 for A and for B; 0.125 a day are 3.88 for A's 31 days (3.875) and 1.25 for B's 10."""
    run = charged(fee(), fee("Service", "0.125", per="day", code="77"))
    assert shares(run, "Meter reading") == {"A": "4.50", "B": "4.50"}
    assert shares(run, "Service") == {"A": "3.88", "B": "1.25"}
    assert str(run.control["fees"]) == "14.13"
    assert run.control["utility"] == 600
    assert balanced(run)
    codes = run.charges[run.charges["kind"] == "fee"]["code"].tolist()
    assert codes == ["41", "42", "77", "77"]


def test_a_fee_stands_on_the_statement_as_what_it_is():
    """The statement adds up with its fee, which is named as no part of the utility's bill."""
    run = charged(fee("Service", "0.125", per="day"))
    last = run.statements["A"].lines[-1]
    assert (last.name, last.kind, str(last.quantity), last.unit) == ("Service", "fee", "31", "day")
    assert (str(last.rate), str(last.amount)) == ("0.125", "3.88")
    assert "no part of the utility's bill" in last.note
    tenants = sum(s.total for s in run.statements)
    assert tenants == run.control["tenants"] + run.control["fees"]
    assert all(s.check() == [] for s in run.statements)


def test_a_fee_by_fixed_shares():
    """10.00 by 60 : 40; B is gone for 21 of 31 days, which are the landlord's."""
    shared = {"per": "shares", "shares": {"A": 60, "B": 40}}
    run = charged(fee("Audit", "10.00", **shared))
    # B 40 x 10/31 = 12.90 of 100, the landlord 27.10
    assert shares(run, "Audit") == {"A": "6.00", "B": "1.29", "Landlord": "2.71"}
    assert str(run.control["fees"]) == "10.00"


def test_without_fees_there_is_no_such_figure():
    """No fee is charged by default."""
    assert "fees" not in split(bill(), site(), frame=readings(EVEN)).control


def test_fees_survive_their_file_and_their_record(tmp_path):
    """Written and read again they are equal, and a record with fees repeats."""
    run = charged(fee(), fee("Audit", "1.00", per="shares", shares={"A": 1}, code="9"))
    path = tmp_path / "rules.toml"
    path.write_text(run.rules.to_toml())
    assert SplitRules.load(path) == run.rules
    assert verify(run.save(tmp_path / "out")).ok


@pytest.mark.parametrize(
    ("table", "why"),
    [
        (fee(per="month"), "one of tenant, day, shares"),
        (fee(per="shares"), "go together"),
        (fee(shares={"A": 1}), "go together"),
        (fee(amount=4.5), "no exact amount"),
        (fee(amount="4.555"), "finer than 2"),
        (fee("Energy"), "a line of bill has that name"),
        (fee(per="shares", shares={"C": 1}), "'C' is no party"),
    ],
)
def test_a_fee_that_cannot_be_meant(table, why):
    """Each mistake names the fee, or file, table and field."""
    with pytest.raises(ConfigError, match=why):
        charged(table)


def test_two_fees_of_one_name():
    """They could not be told apart on paper."""
    with pytest.raises(ConfigError, match="one name"):
        charged(fee(), fee())
    with pytest.raises(ConfigError, match="float is no exact amount"):
        Fee("x", 4.5)
    assert Fee("x", Decimal("4.5")).per == "tenant"


def test_a_bill_of_nothing_but_a_fee_makes_a_statement():
    """A tenant who has only a fee has a statement."""
    run = split(
        bill(line("Energy", "fixed", "9.00")),
        site(TENANTS, rules={"lines": {"fixed": "landlord"}, "fees": [fee()]}),
        frame=readings(EVEN),
    )
    assert [(s.party, str(s.total)) for s in run.statements] == [("A", "4.50"), ("B", "4.50")]
