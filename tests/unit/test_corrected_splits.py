"""Splits of corrected readings, priced by hand: the sums are the utility's bill in every one."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from dentframe import Correction, RegisterRules, Tariff, verify
from dentframe.documents.statement_first_page import FirstPage
from dentframe.errors import ConfigError
from dentframe.money import Energy
from dentframe.money import bill as priced
from tests.split_kit import (
    LA,
    balanced,
    bill,
    element,
    line,
    quantities,
    readings,
    shares,
    site,
    split,
    tenant,
)

BILL = (line("Energy", "energy", "300.00"), line("Tax", "tax", "30.00"))
LOSS = {"loss": {"by": "energy", "rest": True}, "agree": 100}


def table(kind, letter="A", **more):
    """A correction's table."""
    return {"kind": kind, "element": f"P1_{letter}", "id": "c1", "reason": "because",
            "on": "2024-02-05"} | more  # fmt: skip


def run_of(frame, *corrections, kwh=3000, rules=LOSS, elements=None, **more):
    """January's bill of 300.00 and 30.00 tax, on readings with corrections."""
    where = site(corrections=list(corrections), rules=rules, elements=elements, **more)
    return split(bill(*BILL, kwh=kwh), where, frame=frame)


def amounts(run):
    """Party and title to amount."""
    rows = run.charges
    return {f"{p} {t}": str(a) for p, t, a in
            zip(rows["party"], rows["line"], rows["amount"], strict=True)}  # fmt: skip


def test_a_factor_for_half_a_month():
    """A used 1,000 and B 1,000 by their registers; A's CT was 2 from the 17th of 31 days on."""
    frame = readings({"A": 992, "B": 1000})
    fix = table("factor", factor=2, **{"from": "2024-01-17"})
    run = run_of(frame, fix, kwh=2472)
    # 992 / 31 = 32 kWh a day: 16 days x 32 + 15 days x 64 = 1,472; no loss is left.
    assert amounts(run) == {"A Energy": "178.64", "B Energy": "121.36", "A Tax": "17.86",
                            "B Tax": "12.14"}  # fmt: skip
    statement = run.statements["A"]
    assert statement.notes[0] == "P1_A is corrected, c1: because, 5 February 2024."
    first, second = statement.readings[0].parts
    assert [str(x) for x in (first.closing, first.factor, first.used)] == ["1512.00", "1", "512.00"]
    assert [str(x) for x in (second.opening, second.factor, second.used)] == [
        "1512.00",
        "2",
        "960.00",
    ]
    assert first.calculated == second.calculated == ()  # the meter was read at that midnight
    figure = run.figures.iloc[0]
    assert (figure["quantity"], figure["flags"]) == (Decimal("1472.00"), ("corrected",))
    assert balanced(run)


def test_a_reading_that_no_meter_showed_is_called_calculated():
    """The factor changes between two readings: a row a part, which add up to what is used."""
    pytest.importorskip("jinja2")
    frame = readings({"A": 992, "B": 1000})
    fix = table("factor", factor=2, **{"from": "2024-01-17T00:07:00"})
    (r,) = run_of(frame, fix, kwh=2472).statements["A"].readings
    first, second = r.parts
    assert first.calculated == ("closing",)
    assert second.calculated == ("opening",)
    assert first.closing == second.opening == Decimal("1512.16")
    assert first.used + second.used == r.energy == Decimal("1471.84")
    page = FirstPage(run_of(frame, fix, kwh=2472).statements["A"])
    assert [p["closing_note"] for p in page.parts] == ["calculated", ""]
    assert page.meters[0]["multiplier"] == "corrected, part by part as printed below"
    assert page.meters[0]["differs"] == ""


def test_an_exchange_ends_a_part_of_a_corrected_meter():
    """The old meter's closing and the new one's opening stand in the rows."""
    frame = readings({"A": 992, "B": 1000})
    after = frame.index.get_level_values("time") >= pd.Timestamp("2024-01-10", tz=LA)
    frame.loc[after, "kWHNet/Elm/A"] -= 1200.0
    swap = {"at": "2024-01-10T00:00:00", "closing": 1288.0, "opening": 88.0}
    fix = table("factor", factor=2, **{"from": "2024-01-17"})
    elements = {"P1_A": element(swaps=[swap]), "P1_B": element()}
    (r,) = run_of(frame, fix, kwh=2472, elements=elements).statements["A"].readings
    assert [(str(p.opening), str(p.closing), str(p.factor)) for p in r.parts] == [
        ("1000.00", "1288.00", "1"), ("88.00", "312.00", "1"), ("312.00", "792.00", "2"),
    ]  # fmt: skip
    assert sum(p.used for p in r.parts) == r.energy == Decimal("1472.00")


def test_a_hand_reading_after_a_gap_of_36_hours():
    """The reading at the move is used, and is recorded."""
    frame = readings({"A": 992, "B": 1000})
    gap = (frame.index.get_level_values(1) > pd.Timestamp("2024-01-16 08:00Z")) & (
        frame.index.get_level_values(1) < pd.Timestamp("2024-01-17 20:00Z"))  # fmt: skip
    frame.loc[gap, "kWHNet/Elm/A"] = np.nan
    tenants = [tenant("A", "A", end="2024-01-17"), tenant("C", "A", start="2024-01-17"),
               tenant("B", "B")]  # fmt: skip
    hand = table("reading", time="2024-01-17", value=1500, by="caretaker")
    run = run_of(frame, hand, kwh=1992, tenants=tenants)
    # A: 1,500 - 1,000 = 500; C: 1,992 - 1,500 = 492; B: 1,000.
    quantities = run.charges.query("line == 'Energy'")["quantity"].astype(str).tolist()
    assert sorted(quantities) == ["1000.00", "492.00", "500.00"]
    assert set(run.figures["status"]) == {"recorded"}
    assert shares(run, "Energy") == {"A": "75.30", "C": "74.10", "B": "150.60"}


def test_an_exchange_whose_reading_was_mistyped():
    """The correction takes the place of the one that names it, and prices as it should."""
    frame = readings({"A": 992, "B": 1000})
    at = pd.Timestamp("2024-01-17 08:00Z")
    later = frame.index.get_level_values(1) > at
    frame.loc[later, "kWHNet/Elm/A"] -= 1512  # 16 days: the old meter closed at 1,512
    frame = frame[frame.index.get_level_values(1) != at]
    wrong = table("exchange", time="2024-01-17", closing=1521, opening=0)
    right = table("exchange", time="2024-01-17", closing=1512, opening=0) | {
        "id": "c2", "replaces": "c1"}  # fmt: skip
    run = run_of(frame, wrong, right, kwh=1992)
    assert shares(run, "Energy") == {"A": "149.40", "B": "150.60"}
    worse = run_of(frame, wrong, kwh=1992)
    assert worse.figures["quantity"].iloc[0] == Decimal("1001.00")


@pytest.mark.parametrize("kwh", [700, 1300])
def test_an_agreed_figure_is_the_landlords_alone(kwh):
    """A's bill follows the figure, B's stays; the difference is a line of the landlord."""
    frame = readings({"A": 1000, "B": 1000})
    before = amounts(run_of(frame, kwh=2100))
    fix = table("figure", kwh=kwh, by="A", to="2024-02-01", **{"from": "2024-01-01"})
    run = run_of(frame, fix, kwh=2100)
    after = amounts(run)
    assert after["B Energy"] == before["B Energy"] == "142.85"
    assert after["B Energy: technical loss"] == before["B Energy: technical loss"]
    assert after["B Tax"] == before["B Tax"]
    # 300.00 / 2,100 kWh: 700 are 100.00, 1,300 are 185.71; the landlord has the rest.
    assert after["A Energy"] == {700: "100.00", 1300: "185.71"}[kwh]
    assert after["Landlord Energy: agreed figure"] == {700: "42.86", 1300: "-42.85"}[kwh]
    assert balanced(run)
    assert run.ok
    assert run.figures["status"].iloc[0] == "estimated"


def test_beside_an_agreed_figure_what_was_measured_is_rounded_as_without_it():
    """A's half of the month begins in a gap: no reading opens it, so that none is subtracted.

    15 of 31 days of 3,100.62 kWh are 1,500.30, and 99.98 more were agreed: 1,600 less 1,500.
    """
    frame = readings({"A": 3100.62, "B": 1000})
    frame.loc[(slice(None), slice("2024-01-16 20:15Z", "2024-01-18")), "kWHNet/Elm/A"] = np.nan
    fix = table("figure", kwh=200, by="A", to="2024-01-21", **{"from": "2024-01-20"})
    rules = LOSS | {"places": 0, "accept": ["recorded", "estimated"]}
    moves = {"tenants": [tenant("A", "A", start="2024-01-17"), tenant("B", "B")]}
    elements = {"P1_A": element(area=1), "P1_B": element()}
    agreed, plain = (run_of(frame, *x, kwh=4101, rules=rules, elements=elements, **moves)
                     for x in ([fix], []))  # fmt: skip
    used = [x.figures.set_index("party")["quantity"]["A"] for x in (agreed, plain)]
    assert used == [1600, 1500]
    quantity = agreed.charges.set_index(["party", "line"])["quantity"]
    assert quantity["Landlord", "Energy: agreed figure"] == -100


def test_an_agreed_figure_replaces_what_nobody_measured():
    """It then counts against the loss, and the landlord has no line."""
    frame = readings({"A": 1000, "B": 1000})
    frame["kWHNet/Elm/A"] = np.nan
    fix = table("figure", kwh=900, by="A", to="2024-02-01", **{"from": "2024-01-01"})
    run = run_of(frame, fix, kwh=2000)
    assert set(run.charges["party"]) == {"A", "B"}
    assert amounts(run)["A Energy"] == "135.00"


def test_a_demand_line_is_refused_where_the_figure_states_none():
    """With kw the own peak is that, at no cost of others; without, the line is nobody's."""
    frame = readings({"A": 1000, "B": 1000}, demand={"A": 5, "B": 5})
    how = {"lines": {"energy": "energy", "tax": "lines", "demand": "own_peak"}} | LOSS
    fix = table("figure", kwh=700, by="A", to="2024-02-01", **{"from": "2024-01-01"})
    bills = bill(*BILL, line("Demand", "demand", "100.00"), kwh=2000)
    refused = split(bills, site(corrections=[fix], rules=how), frame=frame)
    assert shares(refused, "Demand") == {"unallocated": "100.00"}
    assert "states no kw" in " ".join(refused.exceptions["detail"] + refused.exceptions["remedy"])
    stated = split(bills, site(corrections=[fix | {"kw": 3}], rules=how), frame=frame)
    assert shares(stated, "Demand") == {"A": "30.00", "B": "50.00"}
    assert shares(stated, "Demand: agreed figure") == {"Landlord": "20.00"}


def test_a_corrected_record_repeats(tmp_path):
    """Its site file has the corrections, and verify computes with them."""
    frame = readings({"A": 992, "B": 1000})
    fix = table("factor", factor=2, **{"from": "2024-01-17"})
    record = run_of(frame, fix, kwh=2472).save(tmp_path / "r")
    assert verify(record).ok
    assert "c1" in (record / "site.toml").read_text(encoding="utf-8")
    assert Correction.from_dict(fix).factor == 2
    assert element()["cts"]


@pytest.mark.parametrize(
    ("windows", "amounts"),
    [
        ({"peak": 90, "off": 10}, ["34.20", "17.80"]),
        ({"peak": 0, "off": 100}, ["7.20", "26.80"]),
        ({}, None),
        ({"peak": 40, "noon": 60}, ["19.20", "22.80"]),
    ],
)
def test_windows_of_time_take_what_the_figure_states(windows, amounts):
    """Ten days of 24 kWh of which two are agreed: 100 kWh; without windows the bill is refused."""
    t = pd.date_range("2024-01-01", "2024-01-11", freq="h", tz="UTC", name="time")
    df = pd.DataFrame({"kWHNet/Elm/A": np.arange(len(t)) * 1.0}, t)
    peak = {"name": "peak", "start": "09:00", "end": "12:00"}
    charge = Energy("E", rates={"peak": "0.30", "other": "0.10"}, windows=[peak])
    fix = Correction("figure", "A", "c1", "because", "2024-02-05", start="2024-01-03",
                     end="2024-01-05", kwh=100, by="A", windows=windows)  # fmt: skip
    tariff = Tariff("T", [charge], currency="USD")

    def run():
        rules = RegisterRules(corrections=[fix])
        span = "2024-01-01", "2024-01-11"
        return priced(df, tariff, *span, tz="UTC", accept=("estimated",), registers=rules)

    if amounts is None:
        with pytest.raises(ConfigError, match=r"correction 'c1' of A says how much was used, and"):
            run()
        return
    # Eight days: 24 kWh in the peak and 168 beside it; with the figure's own of the two days.
    found = {x.name: x for x in run().lines}
    assert sum(x.quantity for x in found.values()) == 292
    assert sorted(str(x.amount) for x in found.values()) == sorted(amounts)


def test_a_window_of_which_a_figure_states_nothing_need_not_be_there():
    """A tariff whose windows are the whole day has no time of another name."""
    t = pd.date_range("2024-01-01", "2024-01-11", freq="h", tz="UTC", name="time")
    df = pd.DataFrame({"kWHNet/Elm/A": np.arange(len(t)) * 1.0}, t)
    halves = [{"name": "am", "end": "12:00"}, {"name": "pm", "start": "12:00"}]
    tariff = Tariff("T", [Energy("E", rates={"am": 1, "pm": 2}, windows=halves)], currency="USD")
    fix = Correction("figure", "A", "c1", "because", "2024-02-05", start="2024-01-03", by="A",
                     end="2024-01-05", kwh=100, windows={"am": 40, "pm": 60, "off": 0})  # fmt: skip
    made = priced(df, tariff, "2024-01-01", "2024-01-11", tz="UTC", accept=("estimated",),
                  registers=RegisterRules(corrections=[fix]))  # fmt: skip
    assert [str(x.quantity) for x in made.lines] == ["136.00", "156.00"]


@pytest.mark.parametrize("kw", [{}, {"kw": 3}])
def test_an_agreed_figure_accepts_nothing_that_is_not_covered(kw):
    """Five days are agreed; the meter stops on the 25th, and nobody is billed for a part."""
    frame = readings({"A": 1000, "B": 1000}, demand={"A": 5, "B": 5})
    frame.loc[frame.index.get_level_values(1) > pd.Timestamp("2024-01-25 08:00Z"), :] = np.nan
    fix = table("figure", kwh=200, by="A", to="2024-01-15", **kw, **{"from": "2024-01-10"})
    how = {"lines": {"energy": "energy", "demand": "own_peak", "tax": "lines"}} | LOSS
    bills = bill(*BILL, line("Demand", "demand", "100.00"), kwh=2000)
    run = split(bills, site(corrections=[fix], rules=how), frame=frame)
    assert not run.ok
    assert set(run.figures["status"]) == {"partial"}
    assert shares(run, "Energy") == {"unallocated": "300.00"}
    assert shares(run, "Demand") == {"unallocated": "100.00"}
    own = run.exceptions.query("subject == 'P1_A'")
    assert not own["accepted"].any()


@pytest.mark.parametrize("windows", [{}, {"day": 900, "night": 300}])
def test_a_bill_of_an_agreed_span_is_the_figure_between_readings(windows):
    """Readings come at 8, 23, 38 and 53 minutes past: the span moves as the bill's edges do."""
    t = pd.date_range("2023-12-31 23:53", "2024-02-15", freq="15min", tz="UTC", name="time")
    df = pd.DataFrame({"kWHNet/Elm/A": 1000 + 0.25 * np.arange(len(t))}, t)
    fix = Correction("figure", "A", "c1", "because", "2024-02-05", start="2024-01-20",
                     end="2024-02-01", kwh=1200, by="A", windows=windows)  # fmt: skip
    day = {"name": "day", "start": "06:00", "end": "22:00"}
    own = {"rates": {"day": 1, "other": 1}, "windows": [day]} if windows else {"rate": 1}
    tariff = Tariff("T", [Energy("E", **own)], currency="USD")
    how = {"tz": "UTC", "accept": ("recorded", "estimated"),
           "registers": RegisterRules(corrections=[fix])}  # fmt: skip

    def used(start, end):
        return [str(x.quantity) for x in priced(df, tariff, start, end, **how).lines]

    assert used("2024-01-20", "2024-02-01") == (["900.00", "300.00"] if windows else ["1200.00"])
    if not windows:
        # 19 days of 24 kWh before it; a bill that ends inside the span has its part of it.
        assert used("2024-01-01", "2024-02-01") == ["1656.00"]
        parts = used("2024-01-01", "2024-01-26") + used("2024-01-26", "2024-02-01")
        assert sum(map(Decimal, parts)) == 1656


def test_an_agreed_span_moves_to_a_reading_by_hand():
    """A period's edge moves to it, so that the span of the figure does too."""
    t = pd.date_range("2024-01-01", "2024-01-03", freq="15min", tz="UTC", name="time")
    df = pd.DataFrame({"kWHNet/Elm/A": 1000 + 0.25 * np.arange(len(t))}, t)
    df.loc["2024-01-02 10:15Z":"2024-01-02 11:45Z"] = np.nan
    more = {"element": "A", "reason": "because", "on": "2024-02-05", "by": "A"}
    hand = Correction("reading", id="h", time="2024-01-02 11:00", value="1035.5", **more)
    figure = Correction("figure", id="f", start="2024-01-02 11:10", end="2024-01-02 18:00",
                        kwh=70, **more)  # fmt: skip
    rows = df.dent.energy(["2024-01-02 11:10", "2024-01-02 18:00"], tz="UTC", detail=True,
                          edges="last_reading", corrections=[hand, figure])  # fmt: skip
    assert rows["energy"].tolist() == pytest.approx([70])


@pytest.mark.parametrize("basis", ["own_peak", "coincident"])
@pytest.mark.parametrize(("cleared", "blank"), [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_an_agreed_figure_without_kw_opens_its_demand_line(basis, cleared, blank):
    """Whatever else is odd of the element: nothing tells its demand, and others' money stays."""
    frame = readings({"A": 300, "B": 600}, end="2024-01-11")
    register = frame["kWHNet/Elm/A"].to_numpy().copy()
    if cleared:
        register[298:] -= register[298] - 0.1
    if blank:
        register[677] = np.nan
    frame["kWHNet/Elm/A"] = register
    fix = table("figure", kwh=90, by="A", **{"from": "2024-01-04", "to": "2024-01-05"})
    where = site(corrections=[fix], rules={"lines": {"demand": basis}})
    run = split(bill(line("D", "demand", "900.00"), end="2024-01-11"), where, frame=frame)
    assert shares(run, "D") == {"unallocated": "900.00"}
    assert not run.ok


@pytest.mark.parametrize(("kw", "own"), [("5", "5.00"), ("0.5", "1.25")])
def test_the_kw_of_an_agreed_figure_needs_means(kw, own):
    """It is the highest mean of the span; of blocks of a register it is not known which."""
    fix = table("figure", kwh=90, kw=kw, by="A", **{"from": "2024-01-04", "to": "2024-01-05"})
    where = site(corrections=[fix], rules={"lines": {"demand": "own_peak"}})
    demand = bill(line("D", "demand", "900.00"), end="2024-01-11")
    totals = {"A": 300, "B": 600}
    frame = readings(totals, end="2024-01-11", demand={"A": 1.25, "B": 2.5})
    assert quantities(split(demand, where, frame=frame), "D")["A"] == own
    run = split(demand, where, frame=readings(totals, end="2024-01-11"))
    assert shares(run, "D") == {"unallocated": "900.00"}
    assert "goes with DemandkW, which was not read" in run.exceptions["remedy"].iloc[0]


def test_an_agreed_figure_after_the_last_reading_is_counted_once():
    """A holder leaves 20 minutes after it: the start of the next one does not move back over it."""
    t = pd.date_range("2024-01-01", periods=49, freq="15min", tz="UTC", name="time")
    frame = pd.DataFrame({"kWHNet/Elm/A": 1000 + np.arange(49.0)}, index=t)
    fix = Correction("figure", "A", "g", "meter dead", "2024-02-01", start="2024-01-01T12:00:00",
                     end="2024-01-02", kwh=72, by="T")  # fmt: skip
    how = {"tz": "UTC", "edges": "last_reading", "corrections": [fix], "min_coverage": 0}
    parts = frame.dent.energy(["2024-01-01", "2024-01-01 12:20", "2024-01-02"], **how)
    whole = frame.dent.energy(["2024-01-01", "2024-01-02"], **how)
    assert whole.iloc[0, 0] == pytest.approx(120)
    assert parts.iloc[:, 0].sum() == pytest.approx(120)


def test_a_bill_that_ends_at_an_exchange_is_closing_less_opening():
    """The old meter's last reading closes it, as printed: 110.00 less 100.01."""
    t = pd.to_datetime(
        ["2024-01-01", "2024-01-01 23:50", "2024-01-02 00:05", "2024-01-02 00:20"], utc=True,
        format="ISO8601",
    )  # fmt: skip
    frame = pd.DataFrame({"kWHNet/Elm/A": [100.006, 109.9, 5.1, 5.2]}, index=t)
    fix = Correction("exchange", "A", "e", "x", "2024-03-01", time="2024-01-02 00:00Z",
                     closing="110.004", opening="5.006")  # fmt: skip
    rules = RegisterRules(max_kw=50, corrections=[fix])
    tariff = Tariff("T", [Energy("E", "1.00")])
    made = priced(frame, tariff, "2024-01-01", "2024-01-02", tz="UTC", registers=rules)
    (read,) = made.readings
    assert (read.open_reading, read.close_reading) == (Decimal("100.01"), Decimal("110.00"))
    assert read.energy == made.lines[0].quantity == Decimal("9.99")
