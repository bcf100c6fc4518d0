"""Files as programs read them that know nothing of dentframe."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from shutil import which

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import dentframe
from dentframe.datasets import to_frame, to_xarray
from dentframe.errors import MissingExtraError

pytest.importorskip("netCDF4")


def readings(freq="15min", start="2023-12-05 08:02"):
    index = pd.date_range(start, periods=8, freq=freq, tz="UTC", name="time").as_unit("us")
    n = np.arange(8.0)
    columns = {"kWHNet/Elm/A": 100 + n, "kVAHNet/Elm/A": 110 + n, "DemandkW/Elm/A": 4 * n + 0.125}
    return pd.DataFrame(columns | {"dPF/Ch/A1": 0.9}, index=index)


@pytest.fixture
def file(tmp_path):
    to_xarray(readings()).dent.to_netcdf(tmp_path / "readings.nc")
    return tmp_path / "readings.nc"


def said(program, *arguments):
    """What a program prints; the test is skipped where there is none."""
    here = which(program) or which(program, path=str(Path(sys.executable).parent))
    if here is None:
        pytest.skip(f"there is no {program}")
    done = subprocess.run([here, *map(str, arguments)], capture_output=True, check=True)
    return done.stdout.decode() + done.stderr.decode()


@pytest.mark.parametrize(
    ("frame", "unit"),
    [
        (readings(), "minutes"),
        (readings("10s"), "seconds"),
        (readings("1ms"), "microseconds"),
    ],
)
def test_times_are_minutes_where_those_are_exact(tmp_path, frame, unit):
    """The coarsest unit that loses nothing; the frame comes back to the last bit."""
    to_xarray(frame).to_netcdf(tmp_path / "x.nc")
    with xr.open_dataset(tmp_path / "x.nc", decode_times=False) as raw:
        assert raw["time"].attrs["units"] == f"{unit} since 1970-01-01"
    with xr.open_dataset(tmp_path / "x.nc") as found:
        pd.testing.assert_frame_equal(to_frame(found), frame, check_exact=True, check_freq=False)


def test_netcdf_3_takes_it(tmp_path):
    """The classic format has no 64-bit integers, and needs none."""
    frame = readings()
    to_xarray(frame).to_netcdf(tmp_path / "x.nc", format="NETCDF3_CLASSIC")
    with xr.open_dataset(tmp_path / "x.nc") as found:
        pd.testing.assert_frame_equal(to_frame(found), frame, check_exact=True, check_freq=False)


def told(code, file):
    """What a fresh session prints: pint_xarray changes the process that imports it."""
    if find_spec("pint_xarray") is None:
        pytest.skip("there is no pint-xarray")
    line = [sys.executable, "-W", "ignore", "-c", code, str(file)]
    return subprocess.run(line, capture_output=True, check=True, text=True).stdout.split()


def test_pint_quantifies_it_in_a_session_without_dentframe(file):
    """`units` are pint's own words, so that kWh become MWh; nothing is defined."""
    code = """
import sys, pint, pint_xarray, xarray as xr
ds = xr.open_dataset(sys.argv[1]).pint.quantify()
print(float(ds["kWHNet"].pint.to("MW h").max().data.magnitude), ds["DemandkW"].data.units)
print("varh" in pint.get_application_registry())
"""
    assert told(code, file) == ["0.107", "kilowatt", "False"]


def test_what_pint_xarray_quantified_is_still_ours(file):
    """kW h is kWh and kV A h is kVAh: labels and figures are the frame's, quantities too."""
    code = """
import sys, pint_xarray, xarray as xr, dentframe
ds = xr.open_dataset(sys.argv[1])
quantified = ds.pint.quantify()
print(*quantified.dent.to_frame().columns)
answer, plain = (x.dent.energy("h", tz="UTC")["Energy"] for x in (quantified, ds))
print(answer.data.units, (answer.data.magnitude == plain.to_numpy()).all())
"""
    *columns, unit, equal = told(code, file)
    assert columns == list(readings().columns)
    assert (unit, equal) == ("kilowatt_hour", "True")


def test_kvarh_needs_one_call():
    """Nothing is defined on import; `define_units` does it, as often as it is called."""
    code = """
import pint, dentframe
assert "varh" not in pint.get_application_registry()
dentframe.define_units(); dentframe.define_units()
print(pint.get_application_registry().Unit("kvarh"))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "kilovolt_ampere_reactive_hour"
    assert "define_units" in dentframe.__all__


def test_ncdump_prints_times(file):
    """`ncdump -t` prints dates, not integers."""
    assert '"2023-12-05 08:02", "2023-12-05 08:17"' in said("ncdump", "-t", "-v", "time", file)


def test_cdo_reads_dates_and_values(file):
    """CDO shows the dates, and the mean of demand."""
    shown = said("cdo", "-s", "infon", "-selname,DemandkW", file)
    assert "2023-12-05 08:02:00" in shown
    assert "0000-00-00" not in shown
    mean = said("cdo", "-s", "outputf,%.3f", "-timmean", "-selname,DemandkW", file)
    assert mean.split()[0] == "14.125"


def test_nco_cuts_and_averages(file, tmp_path):
    """NCO takes a slice of time, and keeps what the file says."""
    said("ncks", "-d", "time,0,3", file, tmp_path / "part.nc")
    with xr.open_dataset(tmp_path / "part.nc") as part:
        pd.testing.assert_frame_equal(to_frame(part), readings().iloc[:4], check_freq=False)


def test_the_compliance_checker_has_no_error(file):
    """CF 1.11: warnings about the order of dimensions at most."""
    report = said("compliance-checker", "-t", "cf:1.11", "-c", "lenient", file)
    assert not re.search(r"^\s*Errors\s*$", report, re.MULTILINE)


def test_panoply_s_rules_are_kept(file):
    """It draws what has a title, units and a long name on every variable and coordinate."""
    with xr.open_dataset(file) as ds:
        assert ds.attrs["title"].startswith("DENT sub-meters: ")
        assert ds.attrs["history"].startswith("made by dentframe ")
        assert all("long_name" in ds[name].attrs for name in {*ds.data_vars, *ds.dims} - {"nv"})
        assert all("units" in array.attrs for array in ds.data_vars.values())


def test_without_a_writer_the_extra_is_named(monkeypatch, tmp_path):
    """`ds.dent.to_netcdf` says what to install."""
    monkeypatch.setattr("dentframe.datasets.accessor.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"dentframe\[netcdf\]"):
        to_xarray(readings()).dent.to_netcdf(tmp_path / "x.nc")
