"""The M cases of tariffs, and the ratchets P10 and P11 as a tariff bills them."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from dentframe import Tariff, Window
from dentframe.errors import ConfigError
from dentframe.money import Demand, Energy, Fixed, Minimum, Ratchet, Reactive, Tax, bill
from dentframe.money.rounding_and_tiers import add, rounded
from tests.golden.money_kit import NY, case, hourly, price, used


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
