"""Every P and Q case of the metering rules, D09, the lists of gaps and the load factors."""

from __future__ import annotations

import importlib.util
import json
import sys
import warnings
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dentframe.coincident import coincident
from dentframe.demand import apparent_demand, demand
from dentframe.energy import energy
from dentframe.errors import CoverageWarning
from dentframe.factors import load_factor, power_factor
from dentframe.gaps import gaps
from dentframe.peaks import peaks
from dentframe.quality import quality
from dentframe.ratchets import adjusted_demand, ratchet
from dentframe.stats import stats

SHARED = Path(__file__).parents[3] / "shared"
CASES = SHARED / "domain" / "cases.json"
KW = "DemandkW/Elm/A"


def _cases(*ops, having=None):
    if not CASES.is_file():
        return [pytest.param(None, marks=pytest.mark.skip(reason=f"no {CASES.name} beside us"))]
    found = json.loads(CASES.read_text())["cases"]
    found = [c for c in found if c["op"] in ops and (having is None or having in c["expect"])]
    return [pytest.param(c, id=c["id"]) for c in found]


def near(text):
    """The exact number of a case, to 1e-9."""
    return pytest.approx(float(Fraction(text)), abs=1e-9)


def _frame(readings, column=KW):
    index = pd.DatetimeIndex([pd.Timestamp(t) for t, _ in readings], tz="UTC").as_unit("us")
    values = [pd.to_numeric(v, errors="coerce") for _, v in readings]
    return pd.DataFrame({column: np.array(values, dtype=float)}, index=index)


def _quarters(columns, start="2024-01-01 00:15", minutes=15):
    n = len(next(iter(columns.values())))
    index = pd.date_range(start, periods=n, freq=f"{minutes}min", tz="UTC", unit="us")
    return pd.DataFrame({k: [float(x) for x in v] for k, v in columns.items()}, index=index)


def quiet(call, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CoverageWarning)
        return call(*args, **kwargs)


@pytest.mark.parametrize("case", _cases("block_peak"))
def test_block_peaks(case):
    """P01, P04, P06: blocks, the peak among them and where it is."""
    args, expect = case["args"], case["expect"]
    how = {"start": args["start"], "end": args["end"], "tz": args["tz"]}
    window = f"{args['minutes']}min"
    blocks = demand(_frame(args["readings"]), window, **how)["Demand/Elm/A"].tolist()
    wanted = [np.nan if b is None else float(Fraction(b)) for b in expect["blocks"]]
    assert blocks == pytest.approx(wanted, abs=1e-9, nan_ok=True)
    row = quiet(peaks, _frame(args["readings"]), kind="block", window=window, **how).iloc[0]
    assert row["peak"] == near(expect["peak"])
    assert row["start"] == pd.Timestamp(expect["at"])


@pytest.mark.parametrize("case", _cases("rolling_peak"))
def test_rolling_peaks(case):
    """P02: 30 minutes in steps of 15."""
    args, expect = case["args"], case["expect"]
    row = peaks(
        _frame(args["readings"]),
        start=args["start"],
        end=args["end"],
        tz="UTC",
        kind="rolling",
        window=f"{args['minutes']}min",
        step=f"{args['step_min']}min",
    ).iloc[0]
    assert row["peak"] == near(expect["peak"])
    assert (row["start"], row["end"]) == (
        pd.Timestamp(expect["start"]),
        pd.Timestamp(expect["end"]),
    )


@pytest.mark.parametrize("case", _cases("reported_peak"))
def test_reported_peaks(case):
    """P05: of equal readings the earliest is the peak."""
    args, expect = case["args"], case["expect"]
    row = peaks(_frame(args["readings"]), start=args["start"], end=args["end"], tz="UTC").iloc[0]
    assert row["peak"] == near(expect["peak"])
    assert row["end"] == pd.Timestamp(expect["interval_end"])


def test_p07_an_interval_belongs_to_the_window_it_starts_in():
    """P07: energy of 15:45-16:00 is not peak energy though its label is the peak's start."""
    from dentframe.schedule import Schedule, Window

    frame = _quarters({KW: ["40", "8"]}, "2024-01-01 16:00")
    found = energy(
        frame, "D", tz="UTC", schedule=Schedule([Window("peak", "16:00", "21:00")]), min_coverage=0
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


@pytest.mark.parametrize("case", _cases("top_n"))
def test_n_highest(case):
    """P09: the three highest, any or one of each local day."""
    args, expect = case["args"], case["expect"]
    times, seen = [], {}
    for day, _ in args["values"]:
        seen[day] = seen.get(day, 0) + 1
        times.append(pd.Timestamp(f"{day} 12:00") + pd.Timedelta(minutes=15 * seen[day]))
    frame = _frame([(t, v) for t, (_, v) in zip(times, args["values"], strict=True)])
    frame = frame.sort_index()
    for per_day, wanted in ((False, expect["any"]), (True, expect["one_per_day"])):
        rows = quiet(peaks, frame, n=args["n"], per_day=per_day, tz="UTC")
        assert rows["rank"].tolist() == [1, 2, 3]
        assert rows["peak"].mean() == near(wanted)


@pytest.mark.parametrize("case", _cases("ratchet"))
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


@pytest.mark.parametrize("case", _cases("coincident"))
def test_coincident_peaks(case):
    """P12, P13: the site's peak, what each had in it, and the factors."""
    values, expect = case["args"]["elements"], case["expect"]
    frame = _quarters({f"DemandkW/Elm/{k}": v for k, v in values.items()})
    rows = coincident(frame, elements="all").set_index("element")
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
    frame = _quarters({KW: [10, 90, 20], "DemandkW/Elm/B": [10, np.nan, 20]})
    rows = quiet(coincident, frame, elements="all")
    assert rows["site_peak"].tolist() == [40.0, 40.0]
    assert rows["coverage"].tolist() == pytest.approx([2 / 3, 2 / 3])
    assert set(rows["status"]) == {"partial"}


@pytest.mark.parametrize("case", _cases("load_factor"))
def test_load_factor(case):
    """P15: energy over the peak for all of the true hours."""
    args, expect = case["args"], case["expect"]
    kw = np.full(743 * 4, (7430 - 25 / 4) / (743 - 0.25))
    kw[100] = 25.0
    frame = _quarters({KW: kw}, "2024-03-01 05:15")
    row = load_factor(frame, "MS", tz="America/New_York", detail=True).iloc[0]
    assert row["energy"] == near(args["energy"])
    assert row["value"] == near(expect["load_factor"])


@pytest.mark.parametrize("case", _cases("flat_month"))
def test_load_factor_of_a_flat_month(case):
    """T07-T09: a flat month has a load factor of 1, whatever its hours."""
    args = case["args"]
    first = pd.Timestamp(args["month"])
    index = pd.date_range(first - pd.Timedelta("2D"), first + pd.Timedelta("34D"), freq="15min")
    frame = pd.DataFrame({KW: float(args["kw"])}, index=index.tz_localize("UTC"))
    found = quiet(load_factor, frame, "MS", tz=args["tz"])
    wanted = case["expect"].get("load_factor", "1")
    assert found.loc[first.tz_localize(args["tz"]), "A"] == near(wanted)


@pytest.mark.parametrize("case", _cases("pf"))
def test_apparent_demand_and_power_factor(case):
    """P16: kW, kVA and PF from the two registers, and what is billed."""
    args, expect = case["args"], case["expect"]
    frame = _quarters({"kWHNet/Elm/A": [100, 104], "kVAHNet/Elm/A": [200, 205]})
    assert demand(frame).iloc[0, 0] == near(expect["kw"])
    kva = apparent_demand(frame)
    assert kva.columns.tolist() == ["ApparentDemand/Elm/A"]
    assert kva.iloc[0, 0] == near(expect["kva"])
    assert kva.iloc[0, 0] * float(args["rate_kva"]) == near(expect["kva_charge"])
    factor = power_factor(frame)["A"].iloc[0]
    assert factor == near(expect["pf"])
    assert adjusted_demand(16.0, factor, float(args["target"])) == near(expect["pf_adjusted_kw"])


@pytest.mark.parametrize("case", _cases("pf_mean"))
def test_mean_power_factor(case):
    """P17: weighted by energy, from registers or from dPF, signs ignored."""
    args = case["args"]
    kw, pf = ([float(x) for x in args[k]] for k in ("kw", "pf"))
    kvah = np.cumsum([0.0, *(k / p / 4 for k, p in zip(kw, pf, strict=True))])
    frame = _quarters(
        {"kWHNet/Elm/A": np.cumsum([0.0, *(k / 4 for k in kw)]), "kVAHNet/Elm/A": kvah}
    )
    assert power_factor(frame)["A"].iloc[0] == near(case["expect"]["pf"])
    signed = _quarters({KW: kw, "dPF/Elm/A": [pf[0], -pf[1]]})
    assert stats(signed, "dPF")["dPF/Elm/A", "mean"].iloc[0] == near(case["expect"]["pf"])


@pytest.mark.parametrize("case", _cases("trapezoid_mean"))
def test_time_weighted_mean_of_samples(case):
    """D09: samples are joined by straight lines."""
    frame = _frame(case["args"]["readings"], "A/Ch/A1")
    assert stats(frame, "A")["A/Ch/A1", "mean"].iloc[0] == near(case["expect"]["mean"])


@pytest.mark.parametrize("case", _cases("demand_energy", having="gaps"))
def test_gaps(case):
    """The gaps of every D and Q case: jitter is none, a blank value is one."""
    args = case["args"]
    rows = gaps(_frame(args["readings"]), start=args["start"], end=args["end"], tz="UTC")
    wanted = [(pd.Timestamp(a), pd.Timestamp(b)) for a, b in case["expect"]["gaps"]]
    assert list(zip(rows["start"], rows["end"], strict=True)) == wanted


@pytest.mark.parametrize("case", _cases("ct"))
def test_a_reversed_ct_of_three(case):
    """Q03: a third of the load of V x A x |PF|."""
    args, expect = case["args"], case["expect"]
    n = 8
    columns = {KW: [expect["reported_kw"]] * n}
    for i in range(3):
        columns[f"A/Ch/A{i + 1}"] = [args["amps"][i]] * n
        columns[f"V/Ch/A{i + 1}"] = [args["volts"]] * n
        columns[f"dPF/Ch/A{i + 1}"] = [args["pf"][i]] * n
    row = quality(_quarters(columns)).set_index("finding").loc["reversed_ct"]
    assert row["severity"] == "error"
    missing = Fraction(expect["true_kw"]) - Fraction(expect["reported_kw"])
    assert row["kwh_at_risk"] == near(missing * n / 4)


@pytest.mark.parametrize("case", _cases("float32"))
def test_double_precision_keeps_small_increments(case):
    """Q04: an increment that 32 bits lose is measured."""
    value, step = (float(case["args"][k]) for k in ("value", "increment"))
    frame = _quarters({"kWHNet/Elm/A": [value, value + step]})
    assert demand(frame).iloc[0, 0] == pytest.approx(4 * step, abs=1e-9)


@pytest.mark.parametrize("case", _cases("stuck"))
def test_stuck_demand(case):
    """Q05: equal non-zero values are stuck, zeros are not."""
    args, expect = case["args"], case["expect"]
    frame = _quarters({KW: args["kw"]})
    rows = quality(frame, detail=True).query("finding == 'stuck'")
    quarter = pd.Timedelta(minutes=15)
    wanted = [(frame.index[a] - quarter, frame.index[b - 1]) for a, b in expect["runs"]]
    assert list(zip(rows["start"], rows["end"], strict=True)) == wanted
    assert rows["count"].tolist() == [b - a for a, b in expect["runs"]]


@pytest.mark.parametrize("case", _cases("frozen_register"))
def test_frozen_register(case):
    """Q06: the register stands while power flows; what it missed is told."""
    args, expect = case["args"], case["expect"]
    frame = _quarters({"kWHNet/Elm/A": args["kwh"], KW: args["kw"]}, minutes=args["minutes"])
    row = quality(frame).set_index("finding").loc["frozen_register"]
    assert row["kwh_at_risk"] == near(expect["missing_kwh_estimate"])


def test_q07_lost_rows_leave_the_registers_total_known():
    """Q07: what is lost between readings is a gap whose energy the register knows."""
    frame = _quarters({KW: [4, 4, np.nan, 4], "kWHNet/Elm/A": [1, 2, np.nan, 4]})
    row = quality(frame).set_index("finding").loc["gap"]
    assert (row["severity"], row["kwh_at_risk"]) == ("info", 0.0)
    peak = quiet(peaks, frame).iloc[0]
    assert (peak["peak"], peak["status"], peak["uncovered_hours"]) == (4.0, "partial", 0.25)
    assert peak["uncovered_kw"] == pytest.approx(4.0)


@pytest.fixture(scope="module")
def to_wire():
    if not SHARED.is_dir():
        pytest.skip("no shared data beside the project")
    spec = importlib.util.spec_from_file_location("to_wire", SHARED / "data" / "to_wire.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["to_wire"] = module
    spec.loader.exec_module(module)
    return module


def recorded(wire, meter):
    """The readings of one meter as a frame."""
    rows = wire.rows[meter]
    times = sorted(rows)
    columns = sorted({c for r in rows.values() for c in r})
    index = pd.DatetimeIndex(pd.to_datetime(times, utc=True)).as_unit("us").rename("time")
    data = {c: [float(rows[t].get(c, "nan")) for t in times] for c in columns}
    return pd.DataFrame(data, index=index)


@pytest.fixture(scope="module")
def steel(to_wire):
    return recorded(to_wire.steel(2), "P900000006")


@pytest.mark.parametrize(
    ("how", "start", "end"),
    [({}, "09:32", "09:47"), ({"kind": "block", "demand_lag": "2min"}, "09:30", "09:45")],
)
def test_peak_of_the_steel_year(steel, how, start, end):
    """628.72 kW on 22 November 2018, as reported and as a clock block."""
    row = quiet(peaks, steel, "YS", tz="Asia/Seoul", **how).iloc[0]
    assert row["peak"] == pytest.approx(628.72, abs=1e-9)
    assert f"{row['start']:%F %H:%M}" == f"2018-11-22 {start}"
    assert f"{row['end']:%F %H:%M}" == f"2018-11-22 {end}"


def test_re_blocking_the_steel_year_only_lowers_its_peaks(steel):
    """Without the lag, clock blocks smear: no month's peak exceeds the reported one."""
    reported = quiet(peaks, steel, "MS", tz="Asia/Seoul")["peak"]
    smeared = quiet(peaks, steel, "MS", tz="Asia/Seoul", kind="block")
    assert (smeared["peak"].dropna() <= reported[smeared["peak"].notna()] + 1e-9).all()
    assert smeared["flags"].map(lambda f: "reblocked" in f).sum() == 12


def test_quality_of_the_steel_year_is_clean_of_errors(steel):
    """Register and demand agree: no gap, no sum check, no fall in a year of real load."""
    found = quality(steel, tz="Asia/Seoul")
    assert not {"gap", "sum_check", "glitch", "falling_register"} & set(found["finding"])


def test_forrestal_zones_as_the_doe_adds_them():
    """The DOE's own registers of a day give its own kWh per panel and zone, as mean power too."""
    openpyxl = pytest.importorskip("openpyxl")
    path = SHARED / "data/forrestal/Forrestal_Sub_Metering_Data_Reference_Guide.xlsx"
    if not path.is_file():
        pytest.skip("no guide of the Forrestal data beside the project")
    rows = openpyxl.load_workbook(path, data_only=True).active.iter_rows(values_only=True)
    panels = [[x for x in r if x is not None] for r in rows]
    panels = [p for p in panels if len(p) >= 6 and isinstance(p[1], int | float)]
    assert len(panels) == 25
    midnights = pd.DatetimeIndex(["2014-11-12", "2014-11-13"], tz="America/New_York")
    zones, day = {}, 0
    for k, p in enumerate(panels):
        day = k if len(p) > 6 else day
        frame = pd.DataFrame(
            {"kWHNet/Elm/A": [float(p[1] + p[2]), float(p[3] + p[4])]},
            index=midnights.tz_convert("UTC"),
        )
        kw = demand(frame, "24h", tz="America/New_York", interval="24h").iloc[0, 0]
        assert 24 * kw == pytest.approx(p[5], abs=1e-6), p[0]
        zones[day] = zones.get(day, 0.0) + 24 * kw
    for k, total in zones.items():
        assert total == pytest.approx(panels[k][6], abs=1e-6)
