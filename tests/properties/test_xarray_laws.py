"""Laws of the way to xarray: there and back, through netCDF and Zarr, is the identity."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dentframe.datasets import to_frame, to_xarray
from tests.attrs_kit import told

pytestmark = [
    # The oldest netCDF4 was built against another numpy; numpy says this is harmless.
    pytest.mark.filterwarnings("ignore:numpy.ndarray size changed:RuntimeWarning"),
]
ZONES = ("UTC", "America/Los_Angeles", "Asia/Kathmandu", "UTC+05:00")
NAMES = tuple(
    [f"{t}/Elm/{e}" for t in ("DemandkW", "kWHNet", "kVAHNet", "dPF") for e in ("A", "B", "AA")]
    + [f"{t}/Ch/{c}" for t in ("A", "V", "dPF") for c in ("A1", "A2", "A10", "B1")]
    + ["Foo/Elm/A", "kWH+/Elm/B", "V/Ph/L1-L2"]
)
DTYPES = ("float64", "float64", "float32", "int64", "Float64")
cells = st.one_of(st.floats(width=32), st.integers(-1000, 1000).map(float), st.just(float("nan")))


@st.composite
def indexes(draw):
    """Instants, in any unit and zone, in any order, of one meter or of two with the same times."""
    unit = draw(st.sampled_from(["s", "us", "ns"]))
    ticks = draw(st.lists(st.integers(0, 4000), unique=True, max_size=6))
    base = np.datetime64("2023-11-05T08:00", "s") + np.array(ticks, dtype="m8[m]")
    times = pd.DatetimeIndex(base.astype("M8[s]")).as_unit(unit).tz_localize("UTC")
    times = times.tz_convert(draw(st.sampled_from(ZONES))).rename("time")
    if not draw(st.booleans()) or not len(times):
        return times
    return pd.MultiIndex.from_product([["P2", "P1"], times], names=["meter", "time"])


@st.composite
def frames(draw):
    """Frames of the wire grammar, some columns missing, blank, converted or quantified."""
    index = draw(indexes())
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1, max_size=8))
    dtype = draw(st.sampled_from(DTYPES))
    values = draw(
        st.lists(
            st.lists(cells, min_size=len(names), max_size=len(names)),
            min_size=len(index),
            max_size=len(index),
        )
    )
    table = np.array(values, dtype=float).reshape(len(index), len(names))
    if dtype == "int64":
        table = np.nan_to_num(table, nan=0, posinf=1, neginf=-1).clip(-(2**31), 2**31)
    with np.errstate(over="ignore"):
        frame = pd.DataFrame(table, index=index, columns=pd.Index(names, dtype=object))
        frame = frame.astype(dtype)
    ranges = {"P1": ["2023-11-05T00:00:00+00:00", "2023-11-06T00:00:00+00:00"]}
    if draw(st.booleans()):
        told(frame, ranges, units={"DemandkW": "kW"})
    return _dressed(draw, frame, dtype)


def _dressed(draw, frame, dtype):
    """Sometimes in watts, sometimes in pint."""
    known = [c for c in frame if not c.startswith("Foo")]
    how = draw(st.sampled_from(["plain", "plain", "watts", "pint"]))
    if dtype != "float64" or not known:
        return frame
    if how == "pint":
        return frame[known].dent.quantify()
    if how == "watts" and any(c.startswith("DemandkW") for c in frame):
        return frame.dent.convert({"DemandkW": "W"})
    return frame


def same(found, frame):
    """Equal to the last bit: values, dtypes, labels, order, zone, unit, names, attrs."""
    pd.testing.assert_frame_equal(found, frame, check_exact=True, check_column_type="exact")
    assert found.attrs == frame.attrs
    assert found.index.names == frame.index.names
    assert [str(d) for d in found.dtypes] == [str(d) for d in frame.dtypes]
    level = found.index.get_level_values(-1)
    assert str(level.dtype) == str(frame.index.get_level_values(-1).dtype)
    assert found.index.nlevels > 1 or level.freq is None
    assert np.array_equal(_bits(found), _bits(frame))


def _bits(frame):
    return np.signbit(np.nan_to_num(frame.dent.dequantify().to_numpy(dtype=float, na_value=0.0)))


def wire(dtype="float64"):
    """A small frame that has once failed."""
    index = pd.DatetimeIndex(["2023-11-05 09:30"], tz="UTC", name="time").as_unit("us")
    return pd.DataFrame({"A/Ch/A10": [-0.0], "DemandkW/Elm/AA": [1.0]}, index=index).astype(dtype)


@settings(max_examples=60)
@given(frames())
@example(wire())
@example(wire("int64"))
def test_there_and_back_is_the_identity(frame):
    """Frame -> Dataset -> frame."""
    same(to_frame(to_xarray(frame)), frame)


@settings(max_examples=20)
@given(frames())
@example(wire())
def test_through_netcdf_is_the_identity(frame):
    """Frame -> Dataset -> netCDF -> Dataset -> frame."""
    pytest.importorskip("netCDF4")
    with tempfile.TemporaryDirectory() as folder:
        to_xarray(frame).to_netcdf(Path(folder) / "x.nc")
        with xr.open_dataset(Path(folder) / "x.nc") as ds:
            same(to_frame(ds), frame)


@settings(max_examples=8)
@given(frames())
def test_through_zarr_is_the_identity(frame):
    """Frame -> Dataset -> Zarr -> Dataset -> frame."""
    pytest.importorskip("zarr")
    with tempfile.TemporaryDirectory() as folder:
        to_xarray(frame).to_zarr(Path(folder) / "x.zarr", consolidated=False)
        with xr.open_zarr(Path(folder) / "x.zarr", consolidated=False) as ds:
            same(to_frame(ds), frame)


@settings(max_examples=20)
@given(frames(), st.data())
def test_a_part_of_the_dataset_is_the_part_of_the_frame(frame, data):
    """Rows chosen in the Dataset are the rows chosen in the frame."""
    if frame.index.nlevels > 1 or not len(frame):
        return
    i = data.draw(st.integers(0, len(frame) - 1))
    found = to_frame(to_xarray(frame).isel(time=slice(i, None)))
    pd.testing.assert_frame_equal(found, frame.iloc[i:], check_exact=True)


@settings(max_examples=20)
@given(frames())
def test_units_are_what_pint_reads_or_not_there(frame):
    """Every ``units`` attr is a unit of the application's registry: `.pint.quantify()` works."""
    import pint

    ureg = pint.get_application_registry()
    for array in to_xarray(frame).data_vars.values():
        if "units" in array.attrs:
            assert ureg.Unit(array.attrs["units"]) is not None
