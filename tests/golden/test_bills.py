"""The frozen bills of a year of load, on which three independent implementations agree."""

from __future__ import annotations

import csv
import json
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

from dentframe import Tariff
from dentframe.money import Demand, Energy, Fixed, Ratchet, bill

BILLS = Path(__file__).parents[3] / "shared" / "domain" / "bills"
pytestmark = pytest.mark.skipif(not BILLS.is_dir(), reason="no bills beside us")
SUMMER, WINTER = ("06-01", "09-30"), ("10-01", "05-31")
ON = {"name": "on", "start": "12:00", "end": "18:00", "days": "weekday", "season": SUMMER}
MID = {"name": "mid", "start": "08:00", "end": "22:00", "days": "weekday", "season": SUMMER}
OFF = {"name": "off", "season": SUMMER}
DAY = {"name": "day", "start": "08:00", "end": "22:00", "days": "weekday", "season": WINTER}
WINDOWS = [ON, MID, OFF, DAY]
RATES = {"on": "0.25", "mid": "0.15", "off": "0.08", "day": "0.12", "other": "0.07"}
MID_PARTS = [
    {"start": "08:00", "end": "12:00", "days": "weekday"},
    {"start": "18:00", "end": "22:00", "days": "weekday"},
]
A = Tariff(
    "A",
    [
        Energy("Energy", rates=RATES, windows=WINDOWS),
        Demand("Demand", "6.50"),
        Demand("On-peak demand", "14", windows=[ON]),
        Demand("Mid-peak demand", "4", windows=MID_PARTS, season=SUMMER),
        Demand("Day demand", "4", windows=[DAY]),
        Fixed("Service", "150"),
    ],
)
B = Tariff(
    "B",
    [
        Energy("Energy", ["0.10", "0.12", "0.15"], tiers=[30000, 60000], tier_proration="none"),
        Demand("Demand", [0, 9], tiers=[50]),
        Fixed("Service", "25"),
    ],
)
D2 = Tariff("D2", [Energy("Energy", "0.10"), Demand("Demand", "10", ratchet=Ratchet(90, 11))])
MONTHS = range(1, 13)


def tariff_c(order):
    """Tariff A's energy, dearer above 30 000 kWh a month."""
    more = {"on": "0.35", "mid": "0.20", "off": "0.09", "day": "0.17", "other": "0.08"}
    rates = {w: [r, more[w]] for w, r in RATES.items()}
    return Tariff(
        "C",
        [
            Energy(
                "Energy",
                rates=rates,
                windows=WINDOWS,
                tiers=[30000],
                tier_order=order,
                tier_proration="none",
            )
        ],
    )


@pytest.fixture(scope="module")
def expected():
    """The frozen figures."""
    return json.loads((BILLS / "expected_bills.json").read_text())


@pytest.fixture(scope="module")
def load():
    """The year as DemandkW, labelled by the end of each interval."""
    with (BILLS / "load_2018_15min.csv").open() as f:
        rows = list(csv.DictReader(f))
    starts = pd.DatetimeIndex([r["interval_start_local_standard"] for r in rows], tz="UTC")
    kw = [int(r["avg_watts"]) / 1000 for r in rows]
    index = (starts + pd.Timedelta(minutes=15)).as_unit("us")
    return pd.DataFrame({"DemandkW/Elm/A": kw}, index=index)


@pytest.fixture(scope="module")
def register(load):
    """The same year as a register that stands at 123 456.789 kWh."""
    watts = [round(x * 1000) for x in load["DemandkW/Elm/A"]]
    total, values = 0, [123456.789]
    for w in watts:
        total += w
        values.append(123456.789 + total / 4000)
    first = load.index[0] - pd.Timedelta(minutes=15)
    return pd.DataFrame({"kWHNet/Elm/A": values}, index=load.index.insert(0, first))


def edges(month):
    """First instant of a month of 2018 and of the next."""
    start = pd.Timestamp(2018, month, 1)
    return start, start + pd.DateOffset(months=1)


def months(df, tariff, **how):
    """Twelve bills without rounding, unless asked otherwise."""
    how = {"tz": "UTC", "places": None, **how}
    return [bill(df, tariff, *edges(m), **how) for m in MONTHS]


def amounts(statement, *kinds_or_charges):
    """The sum of some charges of a statement."""
    return sum(x.amount for x in statement.lines if {x.kind, x.charge} & set(kinds_or_charges))


def test_a_of_every_month_is_exact(load, expected):
    """A: energy, both demands, fixed and total of each month, to the last digit."""
    for got, want in zip(months(load, A), expected["A"], strict=True):
        flat = amounts(got, "Demand")
        assert amounts(got, "energy") == Decimal(want["energy"])
        assert flat == Decimal(want["demand_flat"])
        assert amounts(got, "demand") - flat == Decimal(want["demand_tou"])
        assert amounts(got, "fixed") == Decimal(want["fixed"])
        assert got.total == Decimal(want["total"])
        assert got.check() == []


def test_a_of_the_year_is_exact(load, expected):
    """A: the year's total is that of three implementations."""
    total = sum(x.total for x in months(load, A))
    assert total == Decimal(expected["A_total"]["own"])


def test_a_says_when_the_peak_was(load, expected):
    """A: energy and the peak's instant stand on the statement."""
    for got, want in zip(months(load, A), expected["A"], strict=True):
        at = pd.Timestamp(want["peak_interval_start"])
        line = next(x for x in got.lines if x.charge == "Demand")
        assert line.note == f"{want['peak_kw']} kW at {at:%Y-%m-%d %H:%M}"
        assert got.readings[0].energy == Decimal(want["kwh"])


def test_a_from_a_register_is_exact(register, expected):
    """A: a register with six digits before the point gives the same energy to the last digit."""
    for m, want in ((1, expected["A"][0]), (7, expected["A"][6])):
        got = bill(register, A, *edges(m), tz="UTC", places=None)
        assert amounts(got, "energy") == Decimal(want["energy"])
        assert got.total == Decimal(want["total"])


def test_b_of_every_month_is_exact(load, expected):
    """B: tiers and a demand threshold, each month to the last digit."""
    got = months(load, B)
    for x, want in zip(got, expected["B"], strict=True):
        assert amounts(x, "energy") == Decimal(want["energy"])
        assert amounts(x, "demand") == Decimal(want["demand"])
        assert x.total == Decimal(want["total"])
    assert sum(x.total for x in got) == Decimal(expected["B_total"]["own"])


@pytest.mark.parametrize("order", ["prorata", "chronological", "per_period"])
def test_c_of_the_year_in_every_tier_order(load, expected, order):
    """C: the three readings of tiers under time-of-use; pro rata to 1e-9, the others exact."""
    total = sum(x.total for x in months(load, tariff_c(order)))
    want = Decimal(expected["C_total"][order])
    if order == "prorata":
        assert abs(total - want) < Decimal("1e-9")
    else:
        assert total == want


def test_d2_bills_at_least_ninety_percent_of_the_highest_earlier_month(load, expected):
    """D2: twelve billing demands under a ratchet, and the year's total."""
    past, bills = [], []
    for m in MONTHS:
        made = bill(load, D2, *edges(m), tz="UTC", places=None, history={"Demand": past})
        line = next(x for x in made.lines if x.kind == "demand")
        past = [*past, line.measured]
        bills.append((line.quantity, made.total))
    assert [float(q) for q, _ in bills] == expected["D2"]["billing_kw"]
    assert sum(t for _, t in bills) == Decimal(str(expected["D2"]["own_total"]))


def test_rounded_by_lines_a_year_differs_from_rounded_totals(load, expected):
    """A, rounded: each line's quantity is priced as printed, and every statement adds up."""
    got = months(load, A, places=2)
    for x in got:
        assert x.check() == []
        assert all(line.amount.as_tuple().exponent >= -2 for line in x.lines)
    assert abs(sum(x.total for x in got) - Decimal(expected["A_total"]["own"])) < 1
