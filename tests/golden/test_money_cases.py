"""Every M case of the metering rules, and the ratchets P10 and P11 as a tariff bills them."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dentframe.errors import ConfigError
from dentframe.money import (
    Demand,
    Energy,
    Fixed,
    Minimum,
    Ratchet,
    Reactive,
    Tariff,
    Tax,
    Window,
    allocate,
    bill,
)
from dentframe.money.rounding import add, rounded
from dentframe.virtual import virtual

CASES = Path(__file__).parents[3] / "shared" / "domain" / "cases.json"
NY = "America/New_York"


def case(name):
    """One case's arguments and expected results."""
    if not CASES.is_file():
        pytest.skip(f"no {CASES.name} beside us")
    found = {c["id"]: c for c in json.loads(CASES.read_text())["cases"]}
    return found[name]["args"], found[name]["expect"]


def hourly(kw, start, end, tz="UTC"):
    """A register that is read each hour, under powers [kW] that repeat day by day."""
    index = pd.date_range(start, end, freq="h", tz=tz)
    by_hour = kw if callable(kw) else (lambda _: kw)
    steps = [Fraction(str(by_hour(t))) for t in index[:-1]]
    total = [Fraction(1000)]
    for step in steps:
        total.append(total[-1] + step)
    values = [float(x) for x in total]
    return pd.DataFrame({"kWHNet/Elm/A": values}, index=index.tz_convert("UTC").as_unit("us"))


def used(kwh, hours=24):
    """A register that moves by so much in one day, evenly."""
    index = pd.date_range("2024-03-04", periods=hours + 1, freq="h", tz="UTC").as_unit("us")
    step = Fraction(kwh) / hours
    values = [float(step * i) + 500 for i in range(hours + 1)]
    return pd.DataFrame({"kWHNet/Elm/A": values}, index=index)


def price(df, *charges, start="2024-03-04", end="2024-03-05", tz="UTC", **how):
    """A bill of one day, exact unless asked otherwise."""
    return bill(df, Tariff("case", charges), start, end, tz=tz, **{"places": None, **how})


def test_m01_time_of_use():
    """M01: 100 kWh on peak and 300 off cost 55."""
    args, expect = case("M01")
    kw = {True: Fraction(args["kwh"]["on"]) / 6, False: Fraction(args["kwh"]["off"]) / 18}
    df = hourly(lambda t: kw[12 <= t.hour < 18], "2024-03-04", "2024-03-05")
    rates = {"on": args["rate"]["on"], "other": args["rate"]["off"]}
    made = price(df, Energy("E", rates=rates, windows=[Window("on", "12:00", "18:00")]), places=2)
    assert made.total == Decimal(expect["cost"])


@pytest.mark.parametrize("name", ["M02", "M03", "M04"])
def test_m02_to_m04_tiers(name):
    """M02, M03, M04: three blocks, an edge, and edges for 15 of 30 days."""
    args, expect = case(name)
    rates = [r for _, r in args["bands"]]
    edges = [Decimal(e) for e, _ in args["bands"][:-1]]
    charge = Energy("E", rates, tiers=edges, tier_proration="none")
    assert price(used(args["kwh"]), charge).total == Decimal(expect["cost"])


@pytest.mark.parametrize("rule", ["month", 30])
def test_m04_from_the_limits_of_a_whole_month(rule):
    """M04: limits of 500 and 1000 kWh are 250 and 500 for 15 of April's 30 days."""
    df = hourly(Fraction(600, 15 * 24), "2024-04-01", "2024-04-16")
    charge = Energy("E", ["0.10", "0.12", "0.15"], tiers=[500, 1000], tier_proration=rule)
    made = price(df, charge, start="2024-04-01", end="2024-04-16", places=2)
    assert made.total == Decimal("70.00")
    assert [x.quantity for x in made.lines] == [250, 250, 100]


def test_m05_tier_proration_and_order_must_be_stated():
    """M04, M06: what a tariff does not say is asked for by name, never assumed."""
    with pytest.raises(ConfigError, match="tier_proration"):
        Energy("E", ["0.1", "0.2"], tiers=[100])
    two = {"on": ["0.1", "0.2"], "other": ["0.1", "0.2"]}
    with pytest.raises(ConfigError, match="tier_order"):
        Energy("E", rates=two, windows=[Window("on")], tiers=[100], tier_proration="none")


@pytest.mark.parametrize("order", ["chronological", "prorata", "per_period"])
def test_m06_tiers_under_time_of_use(order):
    """M06: 36, 31.5 or 24 for the same use, by the order that the tariff states."""
    args, expect = case("M06")
    (_, first), (_, second) = args["sequence"]
    halves = Fraction(first) / 12, Fraction(second) / 12
    df = hourly(lambda t: halves[t.hour >= 12], "2024-03-04", "2024-03-05")
    charge = Energy(
        "E",
        rates={"on": args["rates"]["on"], "other": args["rates"]["off"]},
        windows=[Window("on", "12:00", "24:00")],
        tiers=[args["limit"]],
        tier_order=order,
        tier_proration="none",
    )
    assert price(df, charge).total == Decimal(expect[order])


def test_m07_fixed_per_day():
    """M07: a month of 31 days, whatever the clock does in it."""
    args, expect = case("M07")
    charge = Fixed("Service", args["per_day"], per="day")
    df = hourly(1, "2024-03-01", "2024-04-01", NY)
    made = price(df, charge, start="2024-03-01", end="2024-04-01", tz=NY)
    assert made.lines[0].quantity == args["days"]
    assert made.total == Decimal(expect["cost"])


def test_m08_minimum_bill():
    """M08: what lacks to the minimum is a line of its own."""
    args, expect = case("M08")
    kwh = Fraction(args["charges"]) * 10
    charges = Energy("E", "0.10"), Minimum("Minimum", args["minimum"], proration="none")
    made = price(used(kwh), *charges, places=2)
    assert made.total == Decimal(expect["total"])
    assert made.lines[1].amount == Decimal(expect["adjustment"])
    assert made.check() == []


def test_m09_half_up_against_half_even():
    """M09: 4.445 is 4.45 or 4.44, as number and as a tax of 88.90."""
    args, expect = case("M09")
    for rounding, key in (("half-up", "half_up"), ("half-even", "half_even")):
        assert rounded(args["value"], 2, rounding) == Decimal(expect[key])
        made = price(used("889"), Energy("E", "0.10"), Tax("Tax", "0.05"), places=2,
                     rounding=rounding)  # fmt: skip
        assert made.lines[1].amount == Decimal(expect[key])
    assert rounded(2.675, 2) == Decimal("2.68")


def test_m10_lines_are_rounded_not_their_sum():
    """M10: three lines of 10.004 add up to 30.00."""
    args, expect = case("M10")
    assert add([rounded(x, 2) for x in args["lines"]]) == Decimal(expect["sum_of_rounded"])
    assert rounded(sum(Decimal(x) for x in args["lines"]), 2) == Decimal(expect["rounded_sum"])
    charges = [Fixed(f"F{i}", x, proration="none") for i, x in enumerate(args["lines"])]
    assert price(used("1"), *charges, places=2).total == Decimal(expect["sum_of_rounded"])


def test_m11_largest_remainder():
    """M11: the cent that is left goes to the first of equals."""
    args, expect = case("M11")
    shares = allocate(args["total"], args["weights"])
    assert shares.tolist() == [Decimal(x) for x in expect["shares"]]


def test_m12_half_up_shares_would_overshoot():
    """M12: 123.45 by equal halves and sixths stays 123.45, where rounding each gives 123.46."""
    weights = {"A": 1, "B": 1}
    each = [rounded(Decimal("123.45") / 2, 2) for _ in weights]
    assert sum(each) == Decimal("123.46")
    assert allocate("123.45", weights).tolist() == [Decimal("61.73"), Decimal("61.72")]


def test_m13_a_credit_is_shared_by_its_magnitude():
    """M13: -100.00 in three is -33.34, -33.33, -33.33."""
    shares = allocate("-100.00", {"A": 1, "B": 1, "C": 1})
    assert [str(x) for x in shares] == ["-33.34", "-33.33", "-33.33"]


def test_m14_no_basis_is_an_error():
    """M14: nothing is split equally in silence."""
    args, _ = case("M14")
    with pytest.raises(ValueError, match="no basis"):
        allocate(args["total"], args["weights"])


def test_m15_each_line_by_its_own_basis():
    """M15: energy by kWh, demand by coincident kW."""
    args, expect = case("M15")
    total = allocate(args["energy_cost"], args["kwh"]) + allocate(args["demand_cost"], args["kw"])
    assert total.to_dict() == {k: Decimal(v) for k, v in expect.items()}


def test_m16_losses_by_a_stated_rule():
    """M16: the loss of 300 kWh pro rata, by area, or to the landlord."""
    args, expect = case("M16")
    kwh = {k: Decimal(v) for k, v in args["kwh"].items()}
    loss = Decimal(args["master"]) - sum(kwh.values())
    assert loss == Decimal(expect["loss"])
    for rule, basis in (("pro_rata", args["kwh"]), ("by_area", args["area"])):
        shares = allocate(loss, basis)
        assert {k: kwh[k] + shares[k] for k in kwh} == {
            k: Decimal(v) for k, v in expect[rule].items()
        }
    assert {**kwh, "common": loss} == {k: Decimal(v) for k, v in expect["landlord"].items()}


def test_m17_a_negative_residual_is_flagged():
    """M17: main less branches goes below 0 and is shown as it is."""
    args, expect = case("M17")
    index = pd.DatetimeIndex(["2024-01-01", "2024-01-02"], tz="UTC").as_unit("us")
    moved = {"A": args["plus"][0], "B": args["minus"][0], "C": args["minus"][1]}
    df = pd.DataFrame({f"kWHNet/Elm/{k}": [0.0, float(v)] for k, v in moved.items()}, index=index)
    row = virtual(df, {"Common": "A - B - C"}, "D", tz="UTC", detail=True,
                  registers=_wide_gaps()).iloc[0]  # fmt: skip
    assert row["energy"] == pytest.approx(float(expect["value"]))
    assert expect["flags"][0] in row["flags"]


def _wide_gaps():
    from dentframe import RegisterRules

    return RegisterRules(max_gap="2D")


def test_m18_fixed_charges_by_the_days_a_party_has():
    """M18: March with a move-out on the 15th and a vacancy: 14, 5 and 12 days share 31."""
    df = hourly(1, "2024-03-01", "2024-04-01", NY)
    stays = [("2024-03-01", "2024-03-15"), ("2024-03-15", "2024-03-20"),
             ("2024-03-20", "2024-04-01")]  # fmt: skip
    charges = Fixed("Service", "1", per="day"), Energy("E", "1")
    made = [price(df, *charges, start=a, end=b, tz=NY) for a, b in stays]
    days = [int(x.lines[0].quantity) for x in made]
    assert days == [14, 5, 12]
    assert [int(x.lines[1].quantity) for x in made] == [335, 120, 288]
    assert sum(allocate("15.50", days)) == Decimal("15.50")


def test_m19_a_holiday_is_off_peak():
    """M19: 4 July on a Thursday has no peak hours."""
    args, expect = case("M19")
    df = hourly(args["kw"], args["days"][0], "2024-07-06", NY)
    on = Window("on", f"{args['on'][0]}:00", f"{args['on'][1]}:00", days="weekday")
    tariff = Tariff(
        "case",
        [Energy("E", rates={"on": "1", "other": "1"}, windows=[on])],
        holidays=args["holidays"],
    )
    made = bill(df, tariff, args["days"][0], "2024-07-06", tz=NY, places=None)
    got = {x.name: x.quantity for x in made.lines}
    assert got == {"E on": Decimal(expect["on"]), "E other": Decimal(expect["off"])}


def test_m20_a_rate_change_inside_the_period():
    """M20: the old rate until the 14th, the new from the 15th, on two lines."""
    args, expect = case("M20")
    df = hourly(args["kw"], args["start"], args["end"], args["tz"])
    charges = (
        Energy("Energy", args["old"], valid_to=args["change"]),
        Energy("Energy", args["new"], valid_from=args["change"]),
    )
    made = price(df, *charges, start=args["start"], end=args["end"], tz=args["tz"], places=2)
    assert [x.quantity for x in made.lines] == [Decimal(x) for x in expect["kwh"]]
    assert made.total == Decimal(expect["cost"])
    assert made.lines[0].note == "2024-06-01 to 2024-06-15"


@pytest.mark.parametrize("name", ["P10", "P11"])
def test_p10_and_p11_a_ratchet_in_a_tariff(name):
    """P10, P11: billing demand month by month, each with the measured history before it."""
    args, expect = case(name)
    ratchet = Ratchet(args["percent"], args["lookback"], args["minimum"])
    charge = Demand("Demand", "1", ratchet=ratchet, proration="none")
    billed, past = [], []
    for kw in args["peaks"]:
        made = price(quarters(float(kw)), charge, history=past)
        billed.append(made.lines[0].quantity)
        past.append(made.lines[0].measured)
    assert billed == [Decimal(x) for x in expect["billing"]]


def quarters(kw, **more):
    """One day of DemandkW whose noon is the highest."""
    index = pd.date_range("2024-03-04 00:15", periods=96, freq="15min", tz="UTC").as_unit("us")
    values = np.full(96, kw / 2)
    values[47] = kw
    return pd.DataFrame({"DemandkW/Elm/A": values, **more}, index=index)


def test_p16_apparent_demand_and_power_factor():
    """P16: 20 kVA at 9, or 16 kW raised to 18 by a power factor of 0.8 below 0.9."""
    args, expect = case("P16")
    index = pd.date_range("2024-03-04", periods=97, freq="15min", tz="UTC").as_unit("us")
    steps = np.arange(97)
    df = pd.DataFrame(
        {
            "kWHNet/Elm/A": float(args["kwh"]) * steps,
            "kVAHNet/Elm/A": float(args["kvah"]) * steps,
        },
        index=index,
    )
    charges = (
        Demand("kVA", args["rate_kva"], topic="kVAHNet", proration="none"),
        Demand("kW", "1", target_power_factor=args["target"], proration="none"),
        Reactive("Surcharge", "0.01", target_power_factor=args["target"], on=["kVA"]),
    )
    apparent, active, points = price(df, *charges).lines
    assert (apparent.quantity, apparent.unit) == (Decimal(expect["kva"]), "kVA")
    assert apparent.amount == Decimal(expect["kva_charge"])
    assert active.quantity == Decimal(expect["pf_adjusted_kw"])
    assert active.measured == Decimal(expect["kw"])
    assert (points.quantity, points.amount) == (10, 18)
