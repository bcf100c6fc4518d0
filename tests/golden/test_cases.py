"""Every R, G, D and T case of the metering rules, but trapezoids, gap lists and load factors."""

from __future__ import annotations

import json
import warnings
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dentframe import RegisterRules
from dentframe.errors import CoverageWarning
from dentframe.verbs.energy import energy

CASES = Path(__file__).parents[3] / "shared" / "domain" / "cases.json"
ENERGY = {"register_energy": "kWHNet/Elm/A", "demand_energy": "DemandkW/Elm/A"}


def _cases(*ops):
    if not CASES.is_file():
        return [pytest.param(None, marks=pytest.mark.skip(reason=f"no {CASES.name} beside us"))]
    found = json.loads(CASES.read_text())["cases"]
    return [pytest.param(c, id=c["id"]) for c in found if c["op"] in ops]


def _number(text):
    try:
        return float(Fraction(text))
    except ValueError:
        return np.nan


def _frame(readings, column):
    index = pd.DatetimeIndex([pd.Timestamp(t) for t, _ in readings], tz="UTC").as_unit("us")
    values = [_number(v) for _, v in readings]
    return pd.DataFrame({column: pd.Series(values, index=index, dtype="float64")})


def _rules(args):
    return RegisterRules(
        max_kw=args.get("max_kw"),
        modulus=args.get("modulus"),
        swaps=[(t, float(a), float(b)) for t, a, b in args.get("swaps", ())],
        allow_export=args.get("allow_export", False),
        max_gap=f"{args.get('max_gap_min', 30)}min",
    )


def _quiet(*args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CoverageWarning)
        return energy(*args, **kwargs)


def _flat(start, end, kw):
    index = pd.date_range(start, end, freq="15min", tz="UTC", unit="us")
    return pd.DataFrame({"DemandkW/Elm/A": float(kw)}, index=index)


@pytest.mark.parametrize("case", _cases(*ENERGY))
def test_energy_of_one_period(case):
    """Energy, coverage, bounds, split and flags are those of the case."""
    args, expect = case["args"], case["expect"]
    frame = _frame(args["readings"], ENERGY[case["op"]])
    row = _quiet(
        frame, start=args["start"], end=args["end"], registers=_rules(args), detail=True
    ).iloc[0]
    if expect["energy"] is None:
        assert np.isnan(row["energy"])
    else:
        assert row["energy"] == pytest.approx(_number(expect["energy"]), abs=1e-9)
    for name in {"coverage", "lo", "hi", "imported", "exported"} & expect.keys():
        assert row[name] == pytest.approx(_number(expect[name]), abs=1e-9), name
    if "flags" in expect:
        assert row["flags"] == tuple(sorted(expect["flags"]))


@pytest.mark.parametrize("case", _cases("partition"))
def test_parts_add_up(case):
    """Adjacent periods add up to last minus first."""
    args, expect = case["args"], case["expect"]
    parts = _quiet(_frame(args["readings"], "kWHNet/Elm/A"), args["edges"], tz="UTC").iloc[:, 0]
    assert parts.tolist() == pytest.approx([_number(p) for p in expect["parts"]], abs=1e-9)
    assert parts.sum() == pytest.approx(_number(expect["total"]), abs=1e-9)


@pytest.mark.parametrize("case", _cases("flat_day"))
def test_local_days(case):
    """A local day has its true hours, over clock changes and doubled midnights."""
    args, expect = case["args"], case["expect"]
    day = pd.Timestamp(args["day"])
    frame = _flat(day - pd.Timedelta(days=2), day + pd.Timedelta(days=3), args["kw"])
    rows = _quiet(frame, "D", tz=args["tz"], detail=True)
    row = rows[rows["start"] == pd.Timestamp(expect["start"])].iloc[0]
    assert row["end"] == pd.Timestamp(expect["end"])
    assert (row["end"] - row["start"]) / pd.Timedelta(hours=1) == _number(expect["hours"])
    assert row["energy"] == pytest.approx(_number(expect["energy"]), abs=1e-9)


@pytest.mark.parametrize("case", _cases("flat_month"))
def test_local_months(case):
    """A local month has its true hours."""
    args, expect = case["args"], case["expect"]
    first = pd.Timestamp(args["month"])
    frame = _flat(first - pd.Timedelta(days=2), first + pd.Timedelta(days=34), args["kw"])
    rows = _quiet(frame, "MS", tz=args["tz"], detail=True)
    row = rows[rows["start"] == first.tz_localize(args["tz"])].iloc[0]
    assert (row["end"] - row["start"]) / pd.Timedelta(hours=1) == _number(expect["hours"])
    assert row["energy"] == pytest.approx(_number(expect["energy"]), abs=1e-9)
    assert row["coverage"] == 1
