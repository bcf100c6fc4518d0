"""Every P case of the metering rules: peaks, ratchets, coincidence and factors."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from dentframe import adjusted_demand, ratchet
from dentframe.verbs.peaks import coincident, peaks
from dentframe.verbs.stats_and_factors import load_factor
from tests.cases_kit import KW, cases, frame_of, near, quarters, quiet


@pytest.mark.parametrize("case", cases("block_peak"))
def test_block_peaks(case):
    """P01, P04, P06: blocks, the peak among them and where it is."""
    args, expect = case["args"], case["expect"]
    how = {"start": args["start"], "end": args["end"], "tz": args["tz"]}
    window = f"{args['minutes']}min"
    blocks = frame_of(args["readings"]).dent.demand(window, **how)["Demand/Elm/A"].tolist()
    wanted = [np.nan if b is None else float(Fraction(b)) for b in expect["blocks"]]
    assert blocks == pytest.approx(wanted, abs=1e-9, nan_ok=True)
    row = quiet(peaks, frame_of(args["readings"]), kind="block", window=window, **how).iloc[0]
    assert row["peak"] == near(expect["peak"])
    assert row["start"] == pd.Timestamp(expect["at"])


@pytest.mark.parametrize("case", cases("rolling_peak"))
def test_rolling_peaks(case):
    """P02: 30 minutes in steps of 15."""
    args, expect = case["args"], case["expect"]
    row = (
        frame_of(args["readings"])
        .dent.peaks(
            start=args["start"],
            end=args["end"],
            tz="UTC",
            kind="rolling",
            window=f"{args['minutes']}min",
            step=f"{args['step_min']}min",
        )
        .iloc[0]
    )
    assert row["peak"] == near(expect["peak"])
    assert (row["start"], row["end"]) == (
        pd.Timestamp(expect["start"]),
        pd.Timestamp(expect["end"]),
    )


@pytest.mark.parametrize("case", cases("reported_peak"))
def test_reported_peaks(case):
    """P05: of equal readings the earliest is the peak."""
    args, expect = case["args"], case["expect"]
    row = (
        frame_of(args["readings"])
        .dent.peaks(start=args["start"], end=args["end"], tz="UTC")
        .iloc[0]
    )
    assert row["peak"] == near(expect["peak"])
    assert row["end"] == pd.Timestamp(expect["interval_end"])


def test_p07_an_interval_belongs_to_the_window_it_starts_in():
    """P07: energy of 15:45-16:00 is not peak energy though its label is the peak's start."""
    from dentframe import Schedule, Window

    frame = quarters({KW: ["40", "8"]}, "2024-01-01 16:00")
    found = frame.dent.energy(
        "D", tz="UTC", schedule=Schedule([Window("peak", "16:00", "21:00")]), min_coverage=0
    )
    assert found[("Energy/Elm/A")].droplevel(0).to_dict() == {"peak": 2.0, "other": 10.0}


def test_p08_the_reading_at_a_months_edge_belongs_to_the_month_it_closes():
    """P08: the row stamped 1 February 00:00 local is January's."""
    index = pd.DatetimeIndex(
        ["2024-01-31 23:45", "2024-02-01 00:00", "2024-02-01 00:15"], tz="America/New_York"
    )
    frame = pd.DataFrame({KW: [5.0, 50.0, 7.0]}, index=index.tz_convert("UTC"))
    rows = quiet(peaks, frame, "MS", tz="America/New_York")
    assert rows["peak"].tolist() == [50.0, 7.0]


@pytest.mark.parametrize("case", cases("top_n"))
def test_n_highest(case):
    """P09: the three highest, any or one of each local day."""
    args, expect = case["args"], case["expect"]
    times, seen = [], {}
    for day, _ in args["values"]:
        seen[day] = seen.get(day, 0) + 1
        times.append(pd.Timestamp(f"{day} 12:00") + pd.Timedelta(minutes=15 * seen[day]))
    frame = frame_of([(t, v) for t, (_, v) in zip(times, args["values"], strict=True)])
    frame = frame.sort_index()
    for per_day, wanted in ((False, expect["any"]), (True, expect["one_per_day"])):
        rows = quiet(peaks, frame, n=args["n"], per_day=per_day, tz="UTC")
        assert rows["rank"].tolist() == [1, 2, 3]
        assert rows["peak"].mean() == near(wanted)


@pytest.mark.parametrize("case", cases("ratchet"))
def test_ratchets(case):
    """P10, P11: the look-back is on measured demand, in float and in Decimal."""
    args, expect = case["args"], case["expect"]
    for number in (float, Decimal):
        billed = ratchet(
            [number(p) for p in args["peaks"]],
            number(args["percent"]),
            args["lookback"],
            number(args["minimum"]),
        )
        assert billed == [number(b) for b in expect["billing"]]


@pytest.mark.parametrize("case", cases("coincident"))
def test_coincident_peaks(case):
    """P12, P13: the site's peak, what each had in it, and the factors."""
    values, expect = case["args"]["elements"], case["expect"]
    frame = quarters({f"DemandkW/Elm/{k}": v for k, v in values.items()})
    rows = frame.dent.coincident(elements="all").set_index("element")
    at = frame.index[expect["at"]] - pd.Timedelta(minutes=15)
    assert set(rows["at"]) == {at}
    assert rows["site_peak"].iloc[0] == near(expect["site_peak"])
    for name, kw in expect["coincident"].items():
        assert rows.loc[name, "coincident"] == near(kw)
        assert rows.loc[name, "own_peak"] == near(expect["noncoincident"][name])
    assert rows["own_peak"].sum() == near(expect["sum_ncp"])
    assert rows["diversity"].iloc[0] == near(expect["diversity"])
    assert rows["coincidence"].iloc[0] == near(expect["coincidence"])


def test_p14_a_block_counts_only_where_every_element_covers_it():
    """P14: the greatest sum of what is there is not the site's peak."""
    frame = quarters({KW: [10, 90, 20], "DemandkW/Elm/B": [10, np.nan, 20]})
    rows = quiet(coincident, frame, elements="all")
    assert rows["site_peak"].tolist() == [40.0, 40.0]
    assert rows["coverage"].tolist() == pytest.approx([2 / 3, 2 / 3])
    assert set(rows["status"]) == {"partial"}


@pytest.mark.parametrize("case", cases("load_factor"))
def test_load_factor(case):
    """P15: energy over the peak for all of the true hours."""
    args, expect = case["args"], case["expect"]
    kw = np.full(743 * 4, (7430 - 25 / 4) / (743 - 0.25))
    kw[100] = 25.0
    frame = quarters({KW: kw}, "2024-03-01 05:15")
    row = frame.dent.load_factor("MS", tz="America/New_York", detail=True).iloc[0]
    assert row["energy"] == near(args["energy"])
    assert row["value"] == near(expect["load_factor"])


@pytest.mark.parametrize("case", cases("flat_month"))
def test_load_factor_of_a_flat_month(case):
    """T07-T09: a flat month has a load factor of 1, whatever its hours."""
    args = case["args"]
    first = pd.Timestamp(args["month"])
    index = pd.date_range(first - pd.Timedelta("2D"), first + pd.Timedelta("34D"), freq="15min")
    frame = pd.DataFrame({KW: float(args["kw"])}, index=index.tz_localize("UTC"))
    found = quiet(load_factor, frame, "MS", tz=args["tz"])
    wanted = case["expect"].get("load_factor", "1")
    assert found.loc[first.tz_localize(args["tz"]), "A"] == near(wanted)


@pytest.mark.parametrize("case", cases("pf"))
def test_apparent_demand_and_power_factor(case):
    """P16: kW, kVA and PF from the two registers, and what is billed."""
    args, expect = case["args"], case["expect"]
    frame = quarters({"kWHNet/Elm/A": [100, 104], "kVAHNet/Elm/A": [200, 205]})
    assert frame.dent.demand().iloc[0, 0] == near(expect["kw"])
    kva = frame.dent.apparent_demand()
    assert kva.columns.tolist() == ["ApparentDemand/Elm/A"]
    assert kva.iloc[0, 0] == near(expect["kva"])
    assert kva.iloc[0, 0] * float(args["rate_kva"]) == near(expect["kva_charge"])
    factor = frame.dent.power_factor()["A"].iloc[0]
    assert factor == near(expect["pf"])
    assert adjusted_demand(16.0, factor, float(args["target"])) == near(expect["pf_adjusted_kw"])


@pytest.mark.parametrize("case", cases("pf_mean"))
def test_mean_power_factor(case):
    """P17: weighted by energy, from registers or from dPF, signs ignored."""
    args = case["args"]
    kw, pf = ([float(x) for x in args[k]] for k in ("kw", "pf"))
    kvah = np.cumsum([0.0, *(k / p / 4 for k, p in zip(kw, pf, strict=True))])
    frame = quarters(
        {"kWHNet/Elm/A": np.cumsum([0.0, *(k / 4 for k in kw)]), "kVAHNet/Elm/A": kvah}
    )
    assert frame.dent.power_factor()["A"].iloc[0] == near(case["expect"]["pf"])
    signed = quarters({KW: kw, "dPF/Elm/A": [pf[0], -pf[1]]})
    assert signed.dent.stats("dPF")["dPF/Elm/A", "mean"].iloc[0] == near(case["expect"]["pf"])
