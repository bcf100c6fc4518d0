"""Peaks and quality of recorded buildings: a year of a steel works, and Forrestal's zones."""

from __future__ import annotations

import importlib.util
import sys

import pandas as pd
import pytest

from dentframe.verbs.peaks import peaks
from tests.cases_kit import SHARED, quiet


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
    found = steel.dent.quality(tz="Asia/Seoul")
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
        kw = frame.dent.demand("24h", tz="America/New_York", interval="24h").iloc[0, 0]
        assert 24 * kw == pytest.approx(p[5], abs=1e-6), p[0]
        zones[day] = zones.get(day, 0.0) + 24 * kw
    for k, total in zones.items():
        assert total == pytest.approx(panels[k][6], abs=1e-6)
