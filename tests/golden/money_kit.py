"""What the tests of the money cases share: the cases, their registers, and a bill of a day."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pandas as pd
import pytest

from dentframe import Tariff
from dentframe.money import bill

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
