"""Splits of hand-made readings: every rule, the gate, and what is nobody's."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dentframe.errors import ConfigError, UnknownMeterError
from tests.split_kit import (
    LA,
    LINES,
    balanced,
    bill,
    element,
    found,
    line,
    quantities,
    readings,
    shares,
    site,
    split,
    tenant,
)

EVEN = {"A": 2000, "B": 1000}


def test_energy_and_coincident_demand():
    """M15: 600 by 2000 and 1000 kWh, 400 by 20 and 30 kW: A 400 + 160, B 200 + 240."""
    b = bill(line("Energy", "energy", "600.00"), line("Demand", "demand", "400.00"))
    run = split(b, site(), frame=readings(EVEN, demand={"A": 20, "B": 30}))
    assert shares(run, "Energy") == {"A": "400.00", "B": "200.00"}
    assert shares(run, "Demand") == {"A": "160.00", "B": "240.00"}
    assert [s.total for s in run.statements] == [560, 440]
    assert run.ok
    assert len(run.exceptions) == 0
    assert balanced(run)


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("energy", {"A": "2200.00", "B": "1100.00"}),
        ("area", {"A": "2075.00", "B": "1225.00"}),
        ("landlord", {"A": "2000.00", "B": "1000.00", "Landlord": "300.00"}),
    ],
)
def test_losses(by, expected):
    """M16: 300 of 3300 kWh are lost: pro rata, by area, or the landlord's."""
    s = site(rules={"loss": {"by": by, "rest": True}, "agree": 10})
    run = split(bill(line("Energy", "energy", "330.00"), kwh=3300), s, frame=readings(EVEN))
    assert quantities(run, "Energy") == expected
    assert run.ok
    money = run.charges.groupby("party")["amount"].sum()
    assert {p: f"{10 * q:.2f}" for p, q in money.items()} == expected


def test_what_no_rule_bears_is_unallocated():
    """Without a rule for it, the energy that no meter has is nobody's, and the run says so."""
    run = split(bill(line("Energy", "energy", "330.00"), kwh=3300), site(), frame=readings(EVEN))
    assert shares(run, "Energy: unexplained") == {"unallocated": "30.00"}
    assert str(run.control["unallocated"]) == "30.00"
    assert balanced(run)
    assert not run.ok
    assert set(run.exceptions["kind"]) == {"unallocated", "utility_differs"}


def test_three_parts_each_by_its_own_rule():
    """Of 100 lost kWh 33 are loss (1 %), 20 stated common areas, 47 tolerance."""
    parts = {
        "loss": {"by": "energy", "percent": 1},
        "common": {"by": "area", "kwh": 20},
        "tolerance": {"by": "landlord", "rest": True},
    }
    run = split(
        bill(line("Energy", "energy", "3300.00"), kwh=3300),
        site(rules=parts),
        frame=readings({"A": 2000, "B": 1200}),
    )
    assert shares(run, "Energy: technical loss") == {"A": "20.63", "B": "12.37"}  # 33 x 2000/3200
    assert shares(run, "Energy: common areas") == {"A": "5.00", "B": "15.00"}  # 20 x 100/400
    assert shares(run, "Energy: meter tolerance") == {"Landlord": "47.00"}
    assert run.ok
    assert balanced(run)


def test_a_negative_residual_is_flagged_and_never_clipped():
    """M17: the tenants' meters have 1.2 kWh more: a credit, accepted within the tolerance."""
    rules = {"tolerance": {"by": "energy", "rest": True}, "agree": "2.5"}
    b = bill(line("Energy", "energy", "50.00"), kwh="50.0")
    run = split(b, site(rules=rules), frame=readings({"A": 30.2, "B": 21.0}))
    row = found(run, "negative_residual").iloc[0]
    assert (str(row["value"]), str(row["limit"]), row["accepted"]) == ("-1.20", "-1.25", True)
    assert shares(run, "Energy: meter tolerance") == {"A": "-0.71", "B": "-0.49"}
    assert balanced(run)
    strict = split(b, site(rules=rules | {"agree": 2}), frame=run.frame)
    assert not strict.ok


def test_export_is_a_party_with_a_credit():
    """500 kWh fed in earn the bill's own rate: a line of its own, so that weights stay above 0."""
    solar = {"P1_A": element(), "P1_B": element(), "P1_S": element(role="export")}
    frame = readings({"A": 1000, "B": 500, "S": -500})
    run = split(
        bill(line("Energy", "energy", "200.00"), kwh=1000), site(elements=solar), frame=frame
    )
    assert shares(run, "Energy") == {"A": "200.00", "B": "100.00"}
    assert shares(run, "Energy: export credit") == {"export": "-100.00"}
    assert str(run.control["export"]) == "-100.00"
    assert balanced(run)
    row = found(run, "over_recovery").iloc[0]
    assert (str(row["value"]), row["accepted"]) == ("100.00", False)
    asked = site(elements=solar, rules={"over_recovery": True})
    assert split(run.bill, asked, frame=frame).ok


def test_a_common_area_is_shared_by_its_rule():
    """A metered common area is nobody's use: 600 kWh by area are 150 and 450."""
    elements = {"P1_A": element(), "P1_B": element(), "P1_C": element(common=True)}
    b = bill(line("Energy", "energy", "360.00"), line("Demand", "demand", "90.00"), kwh=3600)
    frame = readings(EVEN | {"C": 600}, demand={"A": 10, "B": 10, "C": 10})
    run = split(b, site(elements=elements, rules={"common": {"by": "area"}}), frame=frame)
    assert shares(run, "Energy: common areas") == {"A": "15.00", "B": "45.00"}
    assert shares(run, "Demand: common areas") == {"A": "7.50", "B": "22.50"}
    without = split(b, site(elements=elements), frame=frame)
    assert shares(without, "Energy: common areas") == {"unallocated": "60.00"}
    assert balanced(without)


def test_days_belong_to_who_holds_the_element_at_their_start():
    """A leaves at midday of the 16th: 16 days are A's, 15 the landlord's, 31 are B's."""
    moved = [tenant("A", "A", end="2024-01-16T12:00:00"), tenant("B", "B")]
    run = split(bill(line("Fixed", "fixed", "62.01")), site(moved), frame=readings(EVEN))
    assert shares(run, "Fixed") == {"A": "16.00", "B": "31.01", "Landlord": "15.00"}
    assert quantities(run, "Fixed") == {"A": "16", "B": "31", "Landlord": "15"}


@pytest.mark.parametrize(
    ("tz", "start", "end", "days"),
    [
        ("Africa/Cairo", "2024-04-01", "2024-05-01", 30),  # 26 April has no midnight
        ("America/Havana", "2024-11-01", "2024-12-01", 30),  # 3 November has two
        ("Pacific/Apia", "2011-12-01", "2012-01-01", 30),  # 30 December was skipped
    ],
)
def test_days_of_odd_calendars(tz, start, end, days):
    """A day without a midnight is a day; one with two is one; a skipped one is none."""
    one = site([tenant("A", "A")], {"P1_A": element()}, tz=tz)
    b = bill(line("Fixed", "fixed", "30.00"), start=start, end=end, days=days)
    run = split(b, one, frame=readings({"A": 100}, start, end, tz=tz))
    assert quantities(run, "Fixed") == {"A": str(days)}
    assert len(found(run, "periods_differ")) == 0


def test_hours_in_a_month_with_a_clock_change():
    """M18's kind: at 1 kW, moves at local midnights give hours, 743 in March 2024."""
    rows = [
        tenant("A", "A", end="2024-03-15"),
        tenant("B", "A", start="2024-03-15", end="2024-03-20"),
        tenant("C", "A", start="2024-03-20"),
    ]
    elements = {"P1_A": element()}
    frame = readings({"A": 743}, "2024-03-01", "2024-04-01")
    b = bill(line("Energy", "energy", "743.00"), kwh=743, start="2024-03-01", end="2024-04-01")
    run = split(b, site(rows, elements), frame=frame)
    assert shares(run, "Energy") == {"A": "335.00", "B": "120.00", "C": "288.00"}


def test_area_counts_days_and_vacancy():
    """A vacant element bears its own area; a missing area is an error, not 0."""
    moved = [tenant("A", "A", area=100, end="2024-01-16"), tenant("B", "B", area=300)]
    elements = {"P1_A": element(area=80), "P1_B": element()}
    rules = {"lines": {"fixed": "area"}}
    b = bill(line("Water", "fixed", "100.00"))
    run = split(b, site(moved, elements, rules), frame=readings(EVEN))
    # A 15 x 100 = 1500, B 31 x 300 = 9300, landlord 16 x 80 = 1280; of 12080
    assert shares(run, "Water") == {"A": "12.42", "B": "76.99", "Landlord": "10.59"}
    assert quantities(run, "Water") == {"A": "1500", "B": "9300", "Landlord": "1280"}
    with pytest.raises(ConfigError, match="has no field 'area'"):
        split(b, site(moved, None, rules), frame=readings(EVEN))


def test_fixed_shares_of_who_is_gone_are_the_landlords():
    """A has 50 % of the month's days: half of A's share is the landlord's."""
    moved = [tenant("A", "A", end="2024-01-16"), tenant("B", "B")]
    rules = {"lines": {"fixed": {"by": "shares", "shares": {"A": 60, "B": 40}}}}
    run = split(
        bill(line("Lift", "fixed", "310.00")), site(moved, rules=rules), frame=readings(EVEN)
    )
    assert shares(run, "Lift") == {"A": "90.00", "B": "124.00", "Landlord": "96.00"}
    wrong = {"lines": {"fixed": {"by": "shares", "shares": {"Z": 1}}}}
    with pytest.raises(ConfigError, match="'Z' is no party"):
        split(run.bill, site(rules=wrong), frame=readings(EVEN))


def test_own_peaks_count_by_the_time_held():
    """Two tenants of one element share its weight by time; a peak is never billed twice."""
    rows = [
        tenant("A", "A", end="2024-01-16T12:00:00"),
        tenant("C", "A", start="2024-01-16T12:00:00"),
        tenant("B", "B"),
    ]
    rules = {"lines": {"demand": "own_peak"}}
    frame = readings(EVEN, demand={"A": 20, "B": 20})
    run = split(bill(line("Demand", "demand", "100.00")), site(rows, rules=rules), frame=frame)
    assert shares(run, "Demand") == {"A": "25.00", "C": "25.00", "B": "50.00"}


def test_a_tax_follows_its_lines():
    """5 % of what each pays on the lines it is taken of."""
    rules = {"lines": LINES | {"tax": {"by": "lines", "of": ["Energy"]}}}
    b = bill(
        line("Energy", "energy", "600.00"),
        line("Fixed", "fixed", "99.00"),
        line("Tax", "tax", "30.00"),
    )
    run = split(b, site(rules=rules), frame=readings(EVEN))
    assert shares(run, "Tax") == {"A": "20.00", "B": "10.00"}
    wrong = site(rules={"lines": LINES | {"tax": {"by": "lines", "of": ["Enrgy"]}}})
    with pytest.raises(ConfigError, match="Enrgy"):
        split(b, wrong, frame=readings(EVEN))


def test_a_refused_figure_withholds_its_lines():
    """A gap across the month's end makes an estimate: its lines are nobody's until accepted."""
    frame = readings(EVEN)
    times = frame.index.get_level_values("time")
    frame.loc[times > pd.Timestamp("2024-01-31 22:00", tz=LA), "kWHNet/Elm/A"] = np.nan
    last = frame.index[-1]
    frame.loc[("P1", last[1] + pd.Timedelta("2h")), :] = [3000.0, 2000.0]
    b = bill(line("Energy", "energy", "600.00"), line("Fixed", "fixed", "10.00"))
    run = split(b, site(), frame=frame)
    assert str(run.control["unallocated"]) == "600.00"
    assert str(run.control["tenants"]) == "10.00"
    row = found(run, "estimated").iloc[0]
    assert (row["subject"], row["accepted"]) == ("P1_A", False)
    assert balanced(run)
    asked = site(
        rules={"accept": ["recorded", "estimated"], "loss": {"by": "energy", "rest": True}}
    )
    accepted = split(b, asked, frame=frame)
    assert found(accepted, "estimated")["accepted"].all()
    assert str(accepted.control["unallocated"]) == "0.00"


def test_an_element_without_readings_is_missing():
    """A column of blanks is missing, not 0, and cannot be accepted."""
    asked = site(rules={"accept": ["recorded", "estimated", "partial"]})
    blank = readings({"A": 2000, "B": 0}).assign(**{"kWHNet/Elm/B": np.nan})
    run = split(bill(), asked, frame=blank)
    assert found(run, "missing")["subject"].tolist() == ["P1_B"]
    assert str(run.control["unallocated"]) == "600.00"


def test_an_element_that_its_meter_does_not_have_is_an_error():
    """A mistyped id names file, table and what the meter has; another meter tells nothing."""
    typo = site(
        [tenant("A", "A"), {"name": "B", "elements": ["P1_Z"]}],
        {"P1_A": element(), "P1_Z": element()},
    )
    with pytest.raises(UnknownMeterError, match=r"\[elements.P1_Z\].*It has A, B"):
        split(bill(), typo, frame=readings(EVEN))
    away = site(
        [tenant("A", "A"), {"name": "B", "elements": ["P2_Z"]}],
        {"P1_A": element(), "P2_Z": element()},
    )
    run = split(bill(), away, frame=readings(EVEN))
    assert found(run, "missing")["subject"].tolist() == ["P2_Z"]


def test_a_lost_row_does_not_withhold_a_demand():
    """A partial peak is used and told; one of half the month is refused."""
    b = bill(line("Demand", "demand", "100.00"))
    frame = readings(EVEN, demand={"A": 30, "B": 20})
    frame.iloc[100, 2] = np.nan
    run = split(b, site(), frame=frame)
    assert shares(run, "Demand") == {"A": "60.00", "B": "40.00"}
    assert found(run, "partial")["accepted"].tolist() == [True]
    frame.iloc[100:1500, 2] = np.nan
    assert str(split(b, site(), frame=frame).control["unallocated"]) == "100.00"


def test_a_mains_meter_is_compared_with_the_utilitys():
    """A main is never billed; where it and the bill differ by more than agreed, it is told."""
    elements = {
        "P1_M": element(role="main"),
        "P1_A": element(parent="P1_M"),
        "P1_B": element(parent="P1_M"),
    }
    run = split(bill(), site(elements=elements), frame=readings(EVEN | {"M": 3100}))
    row = found(run, "utility_differs").iloc[0]
    assert (row["subject"], str(row["value"])) == ("P1_M", "100.00")
    assert shares(run, "Energy") == {"A": "400.00", "B": "200.00"}


def test_a_bill_of_one_of_two_mains():
    """A bill that names a main is for what is below it."""
    elements = {
        "P1_M": element(role="main"),
        "P1_A": element(parent="P1_M"),
        "P1_B": element(),
    }
    run = split(
        bill(kwh=2000, elements=["P1_M"]),
        site(elements=elements),
        frame=readings(EVEN | {"M": 2000}),
    )
    assert shares(run, "Energy") == {"A": "600.00"}
    with pytest.raises(ConfigError, match="does not have"):
        split(bill(elements=["P1_X"]), site(), frame=readings(EVEN))


def test_periods_that_differ_are_told():
    """A line that reaches beyond its bill, and days that are not those of the read dates."""
    late = line("Late", "energy", "600.00", start="2023-12-25", end="2024-01-15", kwh=3000)
    frame = readings(EVEN, start="2023-12-25")
    run = split(bill(late, days=30), site(), frame=frame)
    rows = found(run, "periods_differ")
    assert rows["subject"].tolist() == ["Jan", "Late"]
    assert "by the use of its own dates" in rows["detail"].iloc[1]
    assert shares(run, "Late: unexplained")
    assert not run.ok


def test_what_has_no_basis_is_an_error():
    """M14: nothing used is no reason to share equally; nor can a bill of 0 kWh be shared by it."""
    with pytest.raises(ConfigError, match="basis"):
        split(bill(kwh=0), site(), frame=readings({"A": 0, "B": 0}))
    with pytest.raises(ConfigError, match="no field 'kwh'"):
        split(bill(kwh=None), site(), frame=readings(EVEN))


def test_arguments_that_cannot_be_meant():
    """A path, another currency, a reversed period and a line without a rule are refused."""
    with pytest.raises(ConfigError, match="no UtilityBill"):
        split("bill.toml", site())
    with pytest.raises(ConfigError, match="currency"):
        split(bill(currency="EUR"), site(), frame=readings(EVEN))
    with pytest.raises(ConfigError, match="is not after start"):
        split(bill(end="2023-01-01"), site(), frame=readings(EVEN))
    with pytest.raises(ConfigError, match="no rule names it"):
        split(bill(line("X", "other", "1.00")), site(), frame=readings(EVEN))
    with pytest.raises(ConfigError, match="finer than"):
        split(bill(line("X", "energy", "1.001")), site(), frame=readings(EVEN))


def test_a_frame_of_one_meter_needs_no_meter_level():
    """The site's ids tell whose rows they are."""
    run = split(bill(), site(), frame=readings(EVEN).loc["P1"])
    assert shares(run, "Energy") == {"A": "400.00", "B": "200.00"}


def test_statements_show_the_arithmetic():
    """A statement has readings, their times, and what share of which amount each line is."""
    run = split(bill(), site(), frame=readings(EVEN))
    statement = run.statements["A"]
    (only,) = statement.lines
    assert only.note == "2,000.00 of 3,000.00 kWh of the utility's 600.00 USD"
    assert (str(only.open_reading), str(only.close_reading)) == ("1000.00", "3000.00")
    assert not only.open_interpolated
    assert statement.check() == []
    assert len(run.statements) == 2
    with pytest.raises(KeyError, match="no statement of 'C'"):
        run.statements["C"]


def one_meter_off(max_kw):
    """A and B draw 60 kW together once; B's meter is off for two days of 5 kW of A."""
    t = pd.date_range("2024-01-01", "2024-02-01", freq="15min", tz=LA, name="time")
    t = t.tz_convert("UTC")
    peak = np.arange(len(t)) == 2000
    meters = {}
    for meter, low, high in (("P1", 5.0, 40.0), ("P2", 3.0, 20.0)):
        kw = np.where(peak, high, low)
        columns = {"kWHNet/Elm/A": 1000 + np.cumsum(kw) / 4, "DemandkW/Elm/A": kw}
        meters[meter] = pd.DataFrame(columns, index=t)
    off = pd.Timestamp("2024-01-10", tz=LA), pd.Timestamp("2024-01-12", tz=LA)
    meters["P2"] = meters["P2"][(t <= off[0]) | (t >= off[1])]
    tenants = [{"name": "A", "elements": ["P1_A"]}, {"name": "B", "elements": ["P2_A"]}]
    elements = {"P1_A": element(), "P2_A": {} if max_kw is None else {"max_kw": max_kw}}
    b = bill(line("Demand", "demand", "600.00"))
    return split(b, site(tenants, elements), frame=pd.concat(meters, names=["meter"]))


def test_a_peak_beyond_what_a_missing_meter_could_have_drawn_is_shared():
    """While B was off, A drew 5 kW: with B's 54 kW at most it is below the peak of 60 kW."""
    run = one_meter_off(54)
    assert shares(run, "Demand") == {"A": "400.00", "B": "200.00"}
    assert run.ok
    assert "even if these drew the most that they can" in run.exceptions["detail"].iloc[0]
    assert "even if these drew the most that they can" in run.statements["A"].lines[0].note


def test_an_exporter_that_is_not_declared_is_told_so():
    """Its energy is missing, and the remedy names the role."""
    frame = readings({"A": 1000, "B": 2000})
    day = np.arange(len(frame)) // 48 % 2
    frame["kWHNet/Elm/B"] = 500 + np.cumsum(np.where(day, -0.4, 0.3))
    run = split(bill(kwh=1000), site(), frame=frame)
    missing = found(run, "missing").iloc[0]
    assert missing["subject"] == "P1_B"
    assert 'role = "export" in [elements.P1_B]' in missing["remedy"]


@pytest.mark.parametrize("max_kw", [None, 55, 70])
def test_the_figure_that_would_release_a_peak_is_named(max_kw):
    """From 55 kW on B may have made a higher peak, and without max_kw nothing tells."""
    run = one_meter_off(max_kw)
    assert shares(run, "Demand") == {"unallocated": "600.00"}
    assert "P2_A cannot have drawn 55.00 kW" in found(run, "partial")["remedy"].iloc[0]


def polled(end="2024-02-01 01:00"):
    """A and B on registers with three decimals, read at seven minutes past each quarter."""
    t = pd.date_range("2023-12-31 23:07", end, freq="15min", tz=LA, name="time").tz_convert("UTC")
    hours = (t - t[0]) / pd.Timedelta(hours=1)
    columns = {
        f"kWHNet/Elm/{k}": np.round(1000 + v * hours, 3) for k, v in (("A", 2.7), ("B", 1.3))
    }
    return pd.concat({"P1": pd.DataFrame(columns, index=t)}, names=["meter"])


def test_used_is_closing_less_opening_and_a_move_has_one_reading():
    """Who moves out closes with the printed reading that opens who moves in."""
    move = "2024-01-15"
    tenants = [tenant("A", "A", end=move), tenant("C", "A", start=move), tenant("B", "B")]
    run = split(bill(kwh=2976), site(tenants), frame=polled())
    rows = [run.statements[x].readings[0] for x in ("A", "C", "B")]
    for r in rows:
        assert r.energy == r.close_reading - r.open_reading
        assert not r.open_interpolated
    assert (rows[0].close_at, rows[0].close_reading) == (rows[1].open_at, rows[1].open_reading)
    assert all(s.check() == [] for s in run.statements)


def test_a_period_whose_closing_a_later_upload_would_move_is_not_closed():
    """The last reading is eight minutes before the end: the energy line waits for the next one."""
    run = split(bill(kwh=2976), site(), frame=polled("2024-01-31 23:55"))
    assert set(found(run, "not_closed")["subject"]) == {"P1_A", "P1_B"}
    assert shares(run, "Energy") == {"unallocated": "600.00"}
