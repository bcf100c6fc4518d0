"""Mistakes of a first split: swapped files, an inclusive end, names that are nearly right."""

from __future__ import annotations

import re
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from dentframe import Site, SplitRules, Tariff, UtilityBill, split, verify
from dentframe.errors import ConfigError
from dentframe.money import Energy
from tests.split_kit import (
    LA,
    LINES,
    balanced,
    bill,
    element,
    found,
    line,
    readings,
    shares,
    site,
    tenant,
)

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


def test_energy_that_no_line_prices():
    """The energy line deleted, or one tier of two; a tier for each is whole."""
    service = line("Service", "fixed", "10.00")
    run = split(bill(service, kwh=3000), site(), frame=readings(EVEN))
    row = found(run, "not_priced").iloc[0]
    assert (row["value"], row["limit"]) == (0, 3000)
    assert 'kind = "energy"' in row["remedy"]
    assert not run.ok
    tiers = [
        line("Tier 1", "energy", "100.00", kwh=1000),
        line("Tier 2", "energy", "9.00", kwh=2000),
    ]
    assert not split(bill(tiers[0]), site(), frame=readings(EVEN)).ok
    assert split(bill(*tiers), site(), frame=readings(EVEN)).ok


def test_a_total_is_asked_for_and_is_that_of_the_current_charges():
    """A missing one is a hint; one that does not come out says what does not belong to it."""
    run = split(bill(total=None), site(), frame=readings(EVEN))
    row = found(run, "no_total").iloc[0]
    assert "without prior balance, payments and late fees" in row["remedy"]
    assert run.ok
    with pytest.raises(ConfigError, match=r"'total' = 650\.00.*prior balance"):
        bill(total="650.00")


@pytest.mark.parametrize("code", ["USX", "usd", "US Dollar"])
def test_a_currency_that_does_not_exist(code):
    """In a site, a bill and a tariff, with the code that was meant where one is near."""
    with pytest.raises(ConfigError, match=f"'currency' = '{code}': ISO 4217"):
        bill(currency=code)
    with pytest.raises(ConfigError, match=f"'currency' = '{code}': ISO 4217"):
        site(currency=code)
    with pytest.raises(ConfigError, match="ISO 4217"):
        Tariff("t", [Energy("Energy", "0.1")], code)
    if code == "usd":
        with pytest.raises(ConfigError, match="did you mean 'USD'"):
            site(currency=code)


@pytest.mark.parametrize(("end", "told"), [("2024-01-15", True), ("2024-01-20", False)])
def test_a_tenants_end_that_looks_inclusive(end, told):
    """The next one begins a day after it, so a day would be the landlord's."""
    moved = [tenant("A", "A", end=end), tenant("C", "A", start="2024-01-16"), tenant("B", "B")]
    if end > "2024-01-16":
        moved[1]["start"] = "2024-01-25"
    run = split(bill(), site(moved), frame=readings(EVEN))
    rows = found(run, "periods_differ")
    assert rows["subject"].tolist() == (["A"] if told else [])
    assert all("write end = 2024-01-16" in x for x in rows["remedy"])


def test_a_tenants_end_at_the_end_of_a_month():
    """The last day of the month, as a bill's; the first of the next is not questioned."""
    for end, told in (("2024-01-31", ["A"]), ("2024-02-01", [])):
        moved = [tenant("A", "A", end=end), tenant("B", "B")]
        run = split(bill(), site(moved), frame=readings(EVEN))
        assert found(run, "periods_differ")["subject"].tolist() == told


def test_tenants_that_overlap_show_open_ends_as_open():
    """No year that nobody wrote."""
    with pytest.raises(ConfigError, match=r"'A' without an end and by 'C' from 2024-01-16 "):
        site([tenant("A", "A"), tenant("C", "A", start="2024-01-16", end="2024-03-01")])
    with pytest.raises(ConfigError) as caught:
        site([tenant("A", "A"), tenant("C", "A")])
    assert "1699" not in str(caught.value)
    assert "2199" not in str(caught.value)


@pytest.mark.parametrize("more", [{"credit": True}, {"kind": "export"}, {}])
def test_a_negative_line_is_an_export_or_a_credit(more):
    """Anything else may be a slip of the pen."""
    rules = {"lines": LINES | {"export": "energy"}}
    low = line("Rebate", "fixed", "-5.00") | more
    run = split(bill(line("E", "energy", "600.00"), low), site(rules=rules), frame=readings(EVEN))
    assert run.ok is bool(more)
    rows = found(run, "negative_line")
    assert all("credit = true" in x for x in rows["remedy"])
    assert rows["subject"].tolist() == ([] if more else ["Rebate"])
    assert balanced(run)


def test_a_main_on_one_of_three_meters():
    """Nothing names it as parent: that is the remedy, and no wider tolerance."""
    elements = {"P1_M": element(role="main"), "P1_A": element()}
    elements |= {"P2_A": element(), "P3_A": element()}
    tenants = [{"name": x, "elements": [f"{x}_A"]} for x in ("P1", "P2", "P3")]
    one = readings({"A": 1000, "M": 1000})
    others = [readings({"A": 1000}).rename(index={"P1": x}, level=0) for x in ("P2", "P3")]
    run = split(bill(), site(tenants, elements), frame=pd.concat([one, *others]))
    remedy = found(run, "utility_differs").iloc[0]["remedy"]
    assert 'parent = "P1_M"' in remedy
    assert "agree" not in remedy
    elements["P1_A"] = element(parent="P1_M")
    assert split(bill(), site(tenants, elements), frame=pd.concat([one, *others])).ok


def test_one_exception_is_accepted_by_name(tmp_path):
    """An estimate of one element is billed, for the stated reason; that of another is not."""
    frame = readings(EVEN)
    times = frame.index.get_level_values("time")
    frame.loc[times > pd.Timestamp("2024-01-31 22:00", tz=LA)] = np.nan
    frame.loc[("P1", frame.index[-1][1] + pd.Timedelta("2h")), :] = [3000.0, 2000.0]
    said = {"kind": "estimated", "element": "P1_A", "reason": "meter off", "by": "J. Smith"}
    rules = {"loss": {"by": "energy", "rest": True}}
    run = split(bill(accepted=[said]), site(rules=rules), frame=frame)
    rows = found(run, "estimated").set_index("subject")
    assert rows["accepted"].to_dict() == {"P1_A": True, "P1_B": False}
    assert rows.loc["P1_A", "reason"] == "meter off (accepted by J. Smith)"
    assert shares(run, "Energy") == {"unallocated": "600.00"}
    both = [said, said | {"element": "P1_B"}]
    run = split(bill(accepted=both), site(rules=rules), frame=frame)
    assert run.ok
    assert [s.total for s in run.statements] == [400, 200]
    assert any("meter off (accepted by J. Smith)" in x for x in run.statements["A"].notes)
    assert not any("P1_B" in x for x in run.statements["A"].notes)
    assert verify(run.save(tmp_path / "out")).ok


def test_what_cannot_be_accepted_by_name():
    """A kind that does not exist; a missing figure; energy that rests on a refused one."""
    said = {"kind": "estimate", "element": "P1_A", "reason": "x", "by": "y"}
    with pytest.raises(ConfigError, match="did you mean 'estimated'"):
        bill(accepted=[said])
    with pytest.raises(ConfigError, match="it must be one of estimated, negative_line"):
        bill(accepted=[said | {"kind": "missing"}])
    with pytest.raises(ConfigError, match="'by': it is missing"):
        bill(accepted=[{"kind": "estimated", "element": "P1_A", "reason": "x"}])
    blank = readings(EVEN).assign(**{"kWHNet/Elm/B": np.nan})
    nobody = said | {"kind": "unallocated", "element": "Energy"}
    assert not split(bill(accepted=[nobody]), site(), frame=blank).ok


def test_a_difference_can_be_accepted_for_one_bill():
    """The residual beyond agree, and what no rule bears."""
    said = [
        {"kind": kind, "element": name, "reason": "new wiring", "by": "J. Smith"}
        for kind, name in (("utility_differs", "Jan"), ("unallocated", "Energy: unexplained"))
    ]
    assert not split(bill(kwh=3300), site(), frame=readings(EVEN)).ok
    run = split(bill(kwh=3300, accepted=said), site(), frame=readings(EVEN))
    assert run.ok
    assert set(run.exceptions["reason"]) == {"new wiring (accepted by J. Smith)"}


@pytest.mark.parametrize(
    ("kind", "subject", "papers", "told"),
    [
        ("not_priced", "Jan", "AB", "The lines of the utility's bill price less energy than"),
        ("negative_line", "Rebate", "AB", "The line Rebate of the utility's bill is negative"),
        ("periods_differ", "A", "A", "The dates of A differ from those of the utility's bill"),
        ("unallocated", "Energy: unexplained", "", "No rule says who bears Energy: unexplained"),
    ],
)
def test_an_accepted_exception_stands_where_it_concerns(kind, subject, papers, told):
    """On the papers of those whose line, dates or bill it is; the landlord's where nobody's."""
    said = {"kind": kind, "element": subject, "reason": "as agreed", "by": "J. Smith"}
    lines = (line("Energy", "energy", "600.00", kwh=2900), line("Rebate", "fixed", "-5.00"))
    tenants = [tenant("A", "A", end="2024-01-31"), tenant("B", "B")]
    rules = {"lines": LINES | {"fixed": "days"}, "agree": 50}
    where = site(tenants, rules=rules, landlord="Owner")
    run = split(bill(*lines, kwh=3100, accepted=[said]), where, frame=readings(EVEN))
    notes = {s.party: " ".join(s.notes) for s in (*run.statements, run.landlord)}
    sentence = f"{told}.*: as agreed \\(accepted by J. Smith\\)\\."
    have = {party for party, text in notes.items() if re.search(sentence, text)}
    assert have - {"Owner"} == set(papers)
    assert ("Owner" in have) or papers
    assert split(bill(kwh=3000), site(), frame=readings(EVEN)).statements["A"].notes == ()
