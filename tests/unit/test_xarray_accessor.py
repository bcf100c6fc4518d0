"""``Dataset.dent`` mirrors the frame's accessor: signatures, figures, properties, errors."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import dentframe
import dentframe.datasets.accessor
from dentframe import DentAccessor, Schedule, Window
from dentframe.datasets import DatasetAccessor, to_frame, to_xarray
from dentframe.errors import KindError, RangeError
from tests.attrs_kit import told

pytestmark = [
    # The oldest netCDF4 was built against another numpy; numpy says this is harmless.
    pytest.mark.filterwarnings("ignore:numpy.ndarray size changed:RuntimeWarning"),
]
CONVERTED = """
import pandas as pd, dentframe
from tests.attrs_kit import told
t = pd.DatetimeIndex(["2024-01-01"], tz="UTC")
ds = pd.DataFrame({"A/Ch/A1": [1.0]}, index=t).dent.to_xarray()
print(ds.dent.topics == ["A"])
"""
NOT_OF_DATASETS = {"to_xarray"}


def verbs(accessor):
    """The names of an accessor's verbs, looked up already or not."""
    found = vars(accessor).items()
    return {n for n, v in found if inspect.isfunction(v) and n[0] != "_"}


@pytest.fixture(scope="module")
def frame():
    """Eight days of two elements: a register, its demand, volts; A loses an hour."""
    index = pd.date_range("2023-12-28", "2024-01-05", freq="15min", tz="UTC", name="time")
    n = np.arange(len(index))
    kw = 2 + np.sin(n / 96 * 2 * np.pi)
    made = pd.DataFrame(
        {
            "DemandkW/Elm/A": kw,
            "DemandkW/Elm/C": 3 - kw / 2,
            "kWHNet/Elm/A": 100 + np.cumsum(kw) / 4,
            "kWHNet/Elm/C": 50 + np.cumsum(3 - kw / 2) / 4,
            "kVAHNet/Elm/A": 100 + np.cumsum(kw) / 3,
            "V/Ch/A1": 120 + n % 7,
        },
        index=index.as_unit("us"),
    )
    made.iloc[200:204] = np.nan
    return made


@pytest.fixture(scope="module")
def ds(frame):
    """Its Dataset."""
    return to_xarray(frame)


def test_the_verbs_are_the_frames():
    """Every verb of a frame is one of a Dataset, but the one that makes Datasets."""
    assert (
        verbs(DatasetAccessor) - {"to_frame", "to_netcdf"} == verbs(DentAccessor) - NOT_OF_DATASETS
    )


@pytest.mark.parametrize("name", sorted(verbs(DentAccessor) - NOT_OF_DATASETS))
def test_a_verb_has_the_signature_of_the_frames(name):
    """Parameters, defaults and docstrings are the function's, and so is the name."""
    ours, theirs = getattr(DatasetAccessor, name), getattr(DentAccessor, name)
    assert (
        list(inspect.signature(ours).parameters.values())[1:]
        == (list(inspect.signature(theirs).parameters.values())[1:])
    )
    assert ours.__name__ == name
    assert inspect.getdoc(ours)
    if hasattr(ours, "__wrapped__"):
        assert ours.__doc__ == theirs.__doc__


def test_the_properties_are_the_frames(ds, frame):
    """Units, elements, channels, topics and the table of columns."""
    assert ds.dent.units == frame.dent.units
    assert ds.dent.elements == ["A", "C"]
    assert ds.dent.channels == ["A1"]
    assert ds.dent.topics == ["DemandkW", "kWHNet", "kVAHNet", "V"]
    pd.testing.assert_frame_equal(ds.dent.columns, frame.dent.columns)


def test_properties_compute_nothing(frame):
    """What there is in a lazy Dataset is told without its values."""
    dask = pytest.importorskip("dask")
    lazy = to_xarray(frame[["DemandkW/Elm/A", "DemandkW/Elm/C", "V/Ch/A1"]]).chunk(time=96)

    def refuse(*args, **kwargs):
        raise AssertionError("computed")

    with dask.config.set(scheduler=refuse):
        assert lazy.dent.elements == ["A", "C"]
        assert len(lazy.dent.columns) == 3


@pytest.mark.parametrize("name", ["energy", "demand", "intervals", "apparent_demand"])
def test_wide_results_have_the_same_figures(name, ds, frame):
    """A wide result is the frame's result, as a Dataset."""
    options = {"energy": {"freq": "MS", "tz": "UTC", "min_coverage": 0}}.get(name, {"tz": "UTC"})
    theirs = getattr(frame.dent, name)(**options)
    ours = getattr(ds.dent, name)(**options)
    pd.testing.assert_frame_equal(to_frame(ours), theirs, check_freq=False)


@pytest.mark.parametrize("name", ["load_factor", "baseload", "coverage"])
def test_figures_by_element_have_the_verbs_name(name, ds, frame):
    """What has no topic is one variable over time and element, named after the verb."""
    options = {"load_factor": {"min_coverage": 0}}.get(name, {})
    theirs = getattr(frame.dent, name)("MS", tz="UTC", **options)
    ours = getattr(ds.dent, name)("MS", tz="UTC", **options)[name]
    assert ours.dims == ("time", "element")
    np.testing.assert_array_equal(ours.values, theirs.to_numpy())
    assert ours["element"].values.tolist() == list(theirs)


def test_rows_have_the_same_figures(ds, frame):
    """Peaks, detail and coincident demands are variables over their keys."""
    rows = frame.dent.peaks("MS", tz="UTC", min_coverage=0)
    peaks = ds.dent.peaks("MS", tz="UTC", min_coverage=0)
    for row in rows.itertuples():
        cell = peaks.sel(element=row.element, rank=row.rank, period=_naive(row.period))
        assert float(cell["peak"]) == row.peak
        assert pd.Timestamp(cell["end"].values, tz="UTC") == row.end
        assert str(cell["status"].values) == row.status


def _naive(instant):
    return instant.tz_convert("UTC").tz_localize(None)


def test_stats_profile_and_duration_have_their_labels_as_dimensions(ds, frame):
    """Statistics are variables; day types, quantiles and shares are dimensions."""
    stats = ds.dent.stats("V", "MS", tz="UTC", min_coverage=0)
    theirs = frame.dent.stats("V", "MS", tz="UTC", min_coverage=0)
    assert float(stats["max"].isel(time=0, column=0)) == theirs[("V/Ch/A1", "max")].iloc[0] == 126
    assert stats["mean"].attrs["units"] == "V"
    profile = ds.dent.profile(tz="UTC")["profile"]
    assert set(profile.dims) == {"time_of_day", "day_type", "element", "quantile"}
    cell = profile.sel(time_of_day="06:00", day_type="Mon", element="A", quantile=0.5)
    rows = frame.dent.profile(tz="UTC")
    at = [str(t)[:5] for t in rows.index].index("06:00")
    assert float(cell) == rows[("Mon", "A", 0.5)].iloc[at]
    assert ds.dent.duration(tz="UTC")["duration"].dims == ("share", "element")


def test_gaps_keep_their_rows(ds):
    """A list of gaps is a list: one dimension, row."""
    gaps = ds.dent.gaps()
    assert gaps["start"].dims == ("row",)
    assert set(gaps["element"].values) == {"A", "C"}


def test_time_of_use_windows_are_a_dimension(ds):
    """A window that has no time in a period is NaN there, not 0."""
    peak = Schedule([Window("peak", "16:00", "21:00", days="weekday")])
    found = ds.dent.energy("D", tz="UTC", min_coverage=0, schedule=peak)["Energy"]
    assert set(found.dims) == {"time", "window", "element"}
    saturday = found.sel(time="2023-12-30", window="peak", element="C")
    assert np.isnan(float(saturday))
    day = found.sel(time="2023-12-29", element="C")
    assert float(day.sel(window="peak")) > 0


def test_parts_keep_the_bounds_of_the_whole(frame):
    """A Dataset whose interval is 5 minutes stays so through `select` and `convert`."""
    whole = to_xarray(frame, interval="5min")
    for part in (whole.dent.select(element="A"), whole.dent.convert({"DemandkW": "W"})):
        np.testing.assert_array_equal(part["time_bnds"].values, whole["time_bnds"].values)


def test_a_dataset_of_one_instant_is_asked_as_well(frame):
    """What `isel(time=0)` leaves has a time but no index of times; verbs still answer."""
    one = to_xarray(frame).isel(time=0)
    for part in (one.dent.select(element="A"), one.dent.convert({"DemandkW": "W"})):
        assert part.sizes["time"] == 1


def test_blocks_have_bounds_of_their_own():
    """A reading at 00:15 covers the quarter before it, a block named 00:15 the one after it."""
    t = pd.date_range("2024-01-01", periods=96, freq="15min", tz="UTC", name="time")
    readings = pd.DataFrame({"DemandkW/Elm/A": np.arange(96.0)}, index=t)
    span = [t[0].isoformat(), "2024-01-02T00:00:00+00:00"]
    told(readings, {"P1": span})
    whole = to_xarray(readings)
    for found in (
        whole.dent.demand("15min", tz="UTC"),
        whole.dent.energy("15min", tz="UTC", min_coverage=0),
    ):
        np.testing.assert_array_equal(found["time"].values, whole["time"].values)
        np.testing.assert_array_equal(found["time_bnds"].values[:, 0], found["time"].values)


def test_estimates_keep_their_flag_and_disclosure(ds):
    """What was estimated is told along time."""
    found = ds.dent.estimate("linear")
    assert "EstimatedDemandkW" in found
    assert bool(found["estimated"].any())
    assert set(np.unique(found["disclosure"].values.astype(str))) >= {""}


def test_long_rows_and_files_are_the_frames(ds, frame, tmp_path):
    """`to_long` and `to_csv` give what they give for a frame."""
    pd.testing.assert_frame_equal(ds.dent.to_long(), frame.dent.to_long())
    ds.dent.to_csv(tmp_path / "a.csv")
    frame.dent.to_csv(tmp_path / "b.csv")
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_quantities_go_to_pint_and_back(ds):
    """`quantify` gives pint arrays; energies of different kinds do not add up."""
    pint = pytest.importorskip("pint")
    quantities = ds.dent.quantify()
    assert str(quantities["DemandkW"].data.units) == "kilowatt"
    with pytest.raises(pint.DimensionalityError):
        quantities["kWHNet"] + quantities["kVAHNet"]
    watts = quantities.assign(DemandkW=quantities["DemandkW"] * 1000)
    assert float(watts["DemandkW"][0, 0].data.magnitude) == 2000.0
    xr.testing.assert_identical(quantities.dent.dequantify(), ds)
    assert to_frame(quantities).equals(to_frame(ds))


def test_results_write_to_netcdf(ds, tmp_path):
    """Rows, flags, instants and spans of time are what a file can hold."""
    for i, found in enumerate(
        (
            ds.dent.peaks("MS", tz="UTC", min_coverage=0),
            ds.dent.energy("MS", tz="UTC", min_coverage=0, detail=True),
            ds.dent.check_demand_window(),
        )
    ):
        found.to_netcdf(tmp_path / f"{i}.nc")
        with xr.open_dataset(tmp_path / f"{i}.nc") as back:
            assert set(back.variables) == set(found.variables)


def test_errors_are_the_frames(ds):
    """A Dataset is asked like a frame, and refuses like one."""
    with pytest.raises(RangeError, match="tz"):
        ds.dent.energy("D")
    with pytest.raises(KindError, match="energy"):
        ds.dent.stats("kWHNet", tz="UTC")


def test_a_dataset_that_is_none_of_ours_has_no_accessor():
    """A Dataset without readings has no verb and no property; looking at it raises nothing."""
    other = xr.Dataset({"x": ("y", [1.0])})
    assert "energy" in dir(other.dent)
    with pytest.raises(AttributeError, match="to_xarray"):
        other.dent.energy(tz="UTC")
    with pytest.raises(AttributeError, match="to_xarray"):
        _ = other.dent.units


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import dentframe, sys; print('xarray' in sys.modules)", False),
        ("import xarray, dentframe; print('dent' in dir(xarray.Dataset))", True),
        ("import dentframe, xarray; print('dent' in dir(xarray.Dataset))", False),
        (
            "import dentframe.datasets.accessor, xarray; print('dent' in dir(xarray.Dataset))",
            True,
        ),
        (
            CONVERTED,
            True,
        ),
    ],
)
def test_the_accessor_is_registered_when_it_is_needed(code, expected):
    """With xarray loaded first, by hand, or by converting a frame; never by dentframe alone."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == str(expected), done.stderr


def test_attrs_are_text(ds, frame):
    """What the Dataset keeps of the frame is JSON, and names no path or key."""
    told = json.loads(ds.attrs["dentframe"])
    assert told["columns"] == list(frame)
    assert dentframe.__name__ == "dentframe"


def test_the_repr_is_the_frames_and_computes_nothing(ds, frame):
    """`ds.dent` shows what a frame shows; of Dask arrays what is known without them."""
    pytest.importorskip("dask")
    assert repr(ds.dent) == repr(frame.dent)
    assert "elements" in ds.dent._repr_html_()
    lazy = repr(ds.chunk(time=100).dent)
    assert "not computed yet" in lazy
    assert "DemandkW" in lazy
    assert "needs a Dataset" in repr(DatasetAccessor(xr.Dataset({"x": ("time", [1.0])})))


def test_a_quantified_dataset_gives_quantities(ds):
    """Units in, units out: energy, rows of peaks, a ratio."""
    quantified = ds.dent.quantify()
    energy = quantified.dent.energy("D", tz="UTC")["Energy"]
    assert str(energy.data.units) == "kilowatt_hour"
    np.testing.assert_array_equal(
        energy.data.magnitude, ds.dent.energy("D", tz="UTC")["Energy"].to_numpy()
    )
    assert (
        str(quantified.dent.peaks("D", tz="UTC", min_coverage=0)["peak"].data.units) == "kilowatt"
    )
    assert not hasattr(ds.dent.energy("D", tz="UTC")["Energy"].data, "units")


def test_one_variable_has_the_verbs(ds, frame):
    """`.dent` on a DataArray of a topic, named or not, and on a column of the frame."""
    whole = ds.dent.demand("h", tz="UTC")["Demand"]
    for array in (ds["DemandkW"], ds["DemandkW"].rename(None)):
        xr.testing.assert_equal(array.dent.demand("h", tz="UTC")["Demand"], whole)
    column = frame["DemandkW/Elm/A"]
    assert column.dent.elements == ["A"]
    assert column.dent.demand("h", tz="UTC").equals(
        frame[["DemandkW/Elm/A"]].dent.demand("h", tz="UTC")
    )
    assert not hasattr(frame["DemandkW/Elm/A"].rename("x"), "dent")


def test_pictures_of_a_dataset_are_the_frames(ds):
    """`ds.dent.plot` draws what `df.dent.plot` draws."""
    pytest.importorskip("matplotlib").use("Agg")
    from matplotlib import pyplot as plt

    assert ds.dent.plot.duration(tz="UTC").lines
    plt.close("all")


def test_a_file_is_plain_and_leaves_the_dataset_as_it_was(ds, tmp_path):
    """`to_netcdf` writes quantities as numbers with units, and changes no encoding."""
    pytest.importorskip("netCDF4")
    ds.dent.quantify().dent.to_netcdf(tmp_path / "x.nc")
    with xr.open_dataset(tmp_path / "x.nc") as found:
        assert found["DemandkW"].attrs["units"] == "kW"
        assert found["element"].values.tolist() == ["A", "C"]
    ds.dent.to_netcdf(tmp_path / "y.nc")
    assert ds["element"].encoding.get("dtype") != "S1"
