"""What people do with a Dataset works on ours, with the values worked out by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from dentframe.datasets import to_frame, to_xarray
from tests.attrs_kit import told

pytestmark = [
    # The oldest netCDF4 was built against another numpy; numpy says this is harmless.
    pytest.mark.filterwarnings("ignore:numpy.ndarray size changed:RuntimeWarning"),
    # xarray before 2025 warns of any instant that is not in nanoseconds.
    pytest.mark.filterwarnings("ignore:Converting non-nanosecond:UserWarning"),
]
LA = "America/Los_Angeles"


@pytest.fixture
def frame():
    """Quarter hours of three days: 1 kW in December, 3 kW in January, twice that for C."""
    index = pd.date_range("2023-12-31", "2024-01-02", freq="15min", tz="UTC", name="time")
    kw = np.where(index < pd.Timestamp("2024-01-01", tz="UTC"), 1.0, 3.0)
    return pd.DataFrame({"DemandkW/Elm/A": kw, "DemandkW/Elm/C": 2 * kw}, index=index.as_unit("us"))


@pytest.fixture(params=["UTC", LA])
def ds(request, frame):
    """Its Dataset, of a UTC frame and of one with a zone, which has a local time."""
    return to_xarray(frame.tz_convert(request.param))


def test_groupby_month(ds):
    """The mean of a month."""
    months = ds["DemandkW"].groupby("time.month").mean()
    assert months.sel(month=12, element="A") == 1.0
    assert months.sel(month=1, element="C") == 6.0


def test_groupby_month_of_the_whole_dataset(ds):
    """The mean of every variable by month."""
    assert ds.groupby("time.month").mean()["DemandkW"].sel(month=12, element="C") == 2.0


def test_groupby_local_day(frame):
    """Local time is a coordinate to group by: 00:00 UTC is 16:00 of the day before."""
    ds = to_xarray(frame.tz_convert(LA))
    counts = ds["DemandkW"].sel(element="A").groupby("local_time.day").count()
    assert counts.sel(day=[30, 31, 1]).values.tolist() == [32, 96, 65]


def test_resample(ds):
    """Days are means of their readings."""
    days = ds.resample(time="1D").mean()
    assert days["DemandkW"].sel(element="A").values.tolist() == [1.0, 3.0, 3.0]


def test_interp(ds):
    """Half way between 1 and 3 kW is 2 kW."""
    text = "2023-12-31T23:52:30"
    for at in (text, pd.Timestamp(text), np.datetime64(text), np.datetime64(text, "ns")):
        assert float(ds[["DemandkW"]].interp(time=at)["DemandkW"].sel(element="A")) == 2.0
        assert float(ds["DemandkW"].interp(time=at).sel(element="C")) == 4.0


def test_integrate(ds):
    """The trapezoids of December's 23:45 and of two days at 3 kW."""
    hours = ds["DemandkW"].integrate("time", datetime_unit="h").sel(element="A")
    assert float(hours) == pytest.approx(23.75 + 0.25 * 2 + 24 * 3)
    assert float(ds.integrate("time", datetime_unit="h")["DemandkW"][1]) == pytest.approx(192.5)


def test_dt_hour(ds):
    """The hour of a time, in UTC."""
    assert ds["time"].dt.hour.values[:5].tolist() == [0, 0, 0, 0, 1]


def test_sel_and_isel(ds):
    """By label, by a slice of time, by position."""
    assert ds["DemandkW"].sel(element="A", time="2024-01-01T00:00") == 3.0
    assert ds.sel(time=slice("2024-01-01", "2024-01-01")).sizes["time"] == 96
    assert ds.isel(time=-1, element=1)["DemandkW"] == 6.0


def test_to_dataframe(ds):
    """xarray's own frame: one row a time and element."""
    long = ds["DemandkW"].to_dataframe()["DemandkW"]
    assert long.loc[pd.Timestamp("2024-01-01"), "C"] == 6.0


def test_plot(ds):
    """A line a element, with its unit on the axis."""
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    lines = ds["DemandkW"].plot.line(x="time")
    assert lines[1].get_ydata()[-1] == 6.0
    assert "[kW]" in plt.gca().get_ylabel()
    plt.close("all")
    mesh = ds["DemandkW"].plot()
    assert mesh is not None
    plt.close("all")


def test_to_netcdf(ds, tmp_path):
    """The file holds the values, the times and the units."""
    ds.to_netcdf(tmp_path / "month.nc")
    with xr.open_dataset(tmp_path / "month.nc") as found:
        assert float(found["DemandkW"].sum()) == (96 + 97 * 3) * 3
        assert found["DemandkW"].attrs["units"] == "kW"
        assert pd.Timestamp(found["time"].values[-1]) == pd.Timestamp("2024-01-02")
        pd.testing.assert_frame_equal(to_frame(found), to_frame(ds))


def test_to_zarr(ds, tmp_path):
    """The store holds the same, read back lazily."""
    pytest.importorskip("zarr")
    ds.to_zarr(tmp_path / "month.zarr", consolidated=False)
    with xr.open_zarr(tmp_path / "month.zarr", consolidated=False) as found:
        pd.testing.assert_frame_equal(to_frame(found), to_frame(ds))


def test_concat_of_two_months(frame):
    """Two converted months, one after the other, are the converted whole."""
    december, january = frame.loc[:"2023-12-31"], frame.loc["2024-01-01":]
    whole = xr.concat(
        [to_xarray(december), to_xarray(january)],
        dim="time",
        data_vars="minimal",
        coords="minimal",
        compat="equals",
        join="outer",
    )
    pd.testing.assert_frame_equal(to_frame(whole), frame, check_freq=False)


def test_concat_does_not_hide_the_second_month(frame):
    """The ranges of the first month are not those of the whole: energy is that of both."""
    parts = [frame.loc[:"2023-12-31"], frame.loc["2024-01-01":]]
    for part in parts:
        span = [part.index[0].isoformat(), part.index[-1].isoformat()]
        told(part, {"P1": span})
    options = {"data_vars": "minimal", "coords": "minimal", "compat": "equals", "join": "outer"}
    joined = [to_xarray(part) for part in parts]
    whole = xr.concat(joined, dim="time", combine_attrs="override", **options)
    energy = whole.dent.energy("MS", tz="UTC", min_coverage=0)["Energy"].sel(element="A")
    # A reading covers the quarter hour before it: 1 kW from 23:45 to 23:45, then 3 kW.
    assert energy.sel(time="2023-12-01").item() == pytest.approx(24 + 0.25 * 3)
    assert energy.sel(time="2024-01-01").item() == pytest.approx(24 * 3)


def test_merge_of_topics(frame):
    """Two topics read apart are one Dataset, and one frame."""
    other = frame.rename(columns=lambda x: x.replace("DemandkW", "kW"))[["kW/Elm/A"]]
    parts = [to_xarray(frame), to_xarray(other)]
    whole = xr.merge(parts, compat="no_conflicts", join="outer", combine_attrs="override")
    back = to_frame(whole)
    assert list(back)[:3] == ["DemandkW/Elm/A", "DemandkW/Elm/C", "kW/Elm/A"]
    assert back["kW/Elm/A"].tolist() == frame["DemandkW/Elm/A"].tolist()


def test_merge_of_elements_leaves_nothing_out(frame):
    """Attrs of the first part do not hide the columns of the second."""
    parts = [to_xarray(frame[[c]]) for c in frame]
    whole = xr.merge(parts, compat="no_conflicts", join="outer", combine_attrs="override")
    assert list(to_frame(whole)) == ["DemandkW/Elm/A", "DemandkW/Elm/C"]
    assert whole.dent.elements == ["A", "C"]
