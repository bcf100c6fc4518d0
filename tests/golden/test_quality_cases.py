"""Every Q case of the metering rules, the list of gaps, and means of samples."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from dentframe.verbs.peaks import peaks
from tests.cases_kit import KW, cases, frame_of, near, quarters, quiet


@pytest.mark.parametrize("case", cases("trapezoid_mean"))
def test_time_weighted_mean_of_samples(case):
    """D09: samples are joined by straight lines."""
    frame = frame_of(case["args"]["readings"], "A/Ch/A1")
    assert frame.dent.stats("A")["A/Ch/A1", "mean"].iloc[0] == near(case["expect"]["mean"])


@pytest.mark.parametrize("case", cases("demand_energy", having="gaps"))
def test_gaps(case):
    """The gaps of every D and Q case: jitter is none, a blank value is one."""
    args = case["args"]
    rows = frame_of(args["readings"]).dent.gaps(start=args["start"], end=args["end"], tz="UTC")
    wanted = [(pd.Timestamp(a), pd.Timestamp(b)) for a, b in case["expect"]["gaps"]]
    assert list(zip(rows["start"], rows["end"], strict=True)) == wanted


@pytest.mark.parametrize("case", cases("ct"))
def test_a_reversed_ct_of_three(case):
    """Q03: a third of the load of V x A x |PF|."""
    args, expect = case["args"], case["expect"]
    n = 8
    columns = {KW: [expect["reported_kw"]] * n}
    for i in range(3):
        columns[f"A/Ch/A{i + 1}"] = [args["amps"][i]] * n
        columns[f"V/Ch/A{i + 1}"] = [args["volts"]] * n
        columns[f"dPF/Ch/A{i + 1}"] = [args["pf"][i]] * n
    row = quarters(columns).dent.quality().set_index("finding").loc["reversed_ct"]
    assert row["severity"] == "error"
    missing = Fraction(expect["true_kw"]) - Fraction(expect["reported_kw"])
    assert row["kwh_at_risk"] == near(missing * n / 4)


@pytest.mark.parametrize("case", cases("float32"))
def test_double_precision_keeps_small_increments(case):
    """Q04: an increment that 32 bits lose is measured."""
    value, step = (float(case["args"][k]) for k in ("value", "increment"))
    frame = quarters({"kWHNet/Elm/A": [value, value + step]})
    assert frame.dent.demand().iloc[0, 0] == pytest.approx(4 * step, abs=1e-9)


@pytest.mark.parametrize("case", cases("stuck"))
def test_stuck_demand(case):
    """Q05: equal non-zero values that a register contradicts are stuck, zeros are not."""
    args, expect = case["args"], case["expect"]
    frame = quarters({KW: args["kw"]})
    assert "stuck" not in set(frame.dent.quality()["finding"])
    frame["kWHNet/Elm/A"] = 7000 + 1.5 * np.arange(len(frame))
    rows = frame.dent.quality(detail=True).query("finding == 'stuck'")
    quarter = pd.Timedelta(minutes=15)
    wanted = [(frame.index[a] - quarter, frame.index[b - 1]) for a, b in expect["runs"]]
    assert list(zip(rows["start"], rows["end"], strict=True)) == wanted
    assert rows["count"].tolist() == [b - a for a, b in expect["runs"]]


@pytest.mark.parametrize("case", cases("frozen_register"))
def test_frozen_register(case):
    """Q06: the register stands while power flows; what it missed is told."""
    args, expect = case["args"], case["expect"]
    frame = quarters({"kWHNet/Elm/A": args["kwh"], KW: args["kw"]}, minutes=args["minutes"])
    row = frame.dent.quality().set_index("finding").loc["frozen_register"]
    assert row["kwh_at_risk"] == near(expect["missing_kwh_estimate"])


def test_q07_lost_rows_leave_the_registers_total_known():
    """Q07: what is lost between readings is a gap whose energy the register knows."""
    frame = quarters({KW: [4, 4, np.nan, 4], "kWHNet/Elm/A": [1, 2, np.nan, 4]})
    row = frame.dent.quality().set_index("finding").loc["gap"]
    assert (row["severity"], row["kwh_at_risk"]) == ("info", 0.0)
    peak = quiet(peaks, frame).iloc[0]
    assert (peak["peak"], peak["status"], peak["uncovered_hours"]) == (4.0, "partial", 0.25)
    assert peak["uncovered_kw"] == pytest.approx(4.0)
