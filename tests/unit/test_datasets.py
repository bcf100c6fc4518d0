"""`to_xarray` and `to_frame`: names, coordinates, attrs, bounds, and the way back."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pint
import pytest
import xarray as xr

from dentframe.datasets import to_frame, to_xarray
from dentframe.errors import ConfigError, DecodeError, RangeError, UnitError
from tests.attrs_kit import told

LA = "America/Los_Angeles"


def readings(periods=4, start="2023-12-31 23:30", tz="UTC"):
    """Quarter hours across a year's end: two elements' demand and register, three channels."""
    index = pd.date_range(start, periods=periods, freq="15min", tz="UTC", name="time")
    n = np.arange(float(periods))
    frame = pd.DataFrame(
        {
            "DemandkW/Elm/A": 1 + n,
            "DemandkW/Elm/C": 10 * (1 + n),
            "kWHNet/Elm/A": 100 + n / 4,
            "A/Ch/A1": 5 + n,
            "A/Ch/A2": 6 + n,
            "A/Ch/C10": 7 + n,
            "dPF/Ch/A1": 0.9,
            "dPF/Elm/A": 0.8,
        },
        index=index.as_unit("us").tz_convert(tz),
    )
    units = {"DemandkW": "kW", "kWHNet": "kWh", "A": "A", "dPF": "dPF"}
    return told(frame, {"P1": [index[0], index[-1]]}, units=units)


def same(left, right):
    """Equal to the last bit, attrs included."""
    pd.testing.assert_frame_equal(left, right, check_exact=True, check_freq=False)
    assert left.attrs == right.attrs


def several(*frames):
    """Frames of meters P1, P2, ... over (meter, time)."""
    named = {f"P{i}": frame for i, frame in enumerate(frames, 1)}
    return pd.concat(named, names=["meter", "time"])


def test_variables_lie_along_elements_and_channels():
    """One variable a topic; a topic with both scopes has two, named by scope."""
    ds = to_xarray(readings())
    assert {str(k): v.dims for k, v in ds.data_vars.items()} == {
        "DemandkW": ("time", "element"),
        "kWHNet": ("time", "element"),
        "A": ("time", "channel"),
        "dPF_ch": ("time", "channel"),
        "dPF_elm": ("time", "element"),
    }
    assert ds["element"].values.tolist() == ["A", "C"]
    assert ds["channel"].values.tolist() == ["A1", "A2", "C10"]
    assert ds["channel_element"].values.tolist() == ["A", "A", "C"]
    assert ds["DemandkW"].sel(element="C").values.tolist() == [10.0, 20.0, 30.0, 40.0]


def test_an_absent_column_is_nan_and_comes_back_absent():
    """C has no register: NaN in the Dataset, no column in the frame."""
    frame = readings()
    ds = to_xarray(frame)
    assert np.isnan(ds["kWHNet"].sel(element="C")).all()
    same(to_frame(ds), frame)


def test_a_column_of_nan_stays_a_column():
    """What was read and is all blank is there; only what was never there is not."""
    frame = readings().assign(**{"DemandkW/Elm/C": np.nan})
    assert "DemandkW/Elm/C" in to_frame(to_xarray(frame))


def test_times_are_naive_utc_with_the_zone_beside_them():
    """The zone is an attr, local time a coordinate, and both come back as the index's zone."""
    frame = readings(tz=LA)
    ds = to_xarray(frame)
    assert ds["time"].dtype.kind == "M"
    assert pd.Timestamp(ds["time"].values[0]) == pd.Timestamp("2023-12-31 23:30")
    assert ds["time"].attrs["timezone"] == LA
    assert pd.Timestamp(ds["local_time"].values[0]) == pd.Timestamp("2023-12-31 15:30")
    assert str(to_frame(ds).index.dtype) == f"datetime64[us, {LA}]"
    assert "local_time" not in to_xarray(readings()).coords


def test_attrs_follow_cf_and_pint():
    """Each variable says its unit three ways, how it fills time, its topic and its kind."""
    ds = to_xarray(readings())
    assert ds["DemandkW"].attrs == {
        "long_name": "active power demand",
        "units": "kW",
        "pint_unit": "kilowatt",
        "wire_unit": "kW",
        "cell_methods": "time: mean",
        "topic": "DemandkW",
        "scope": "Elm",
        "kind": "interval_mean",
    }
    assert ds["kWHNet"].attrs["cell_methods"] == "time: point"
    assert ds["A"].attrs["cell_methods"] == "time: point"
    assert ds["dPF_ch"].attrs["units"] == "1"
    assert ds["time"].attrs["standard_name"] == "time"


def test_every_units_attr_parses_in_a_pint_that_knows_nothing_of_metering():
    """``units`` is UDUNITS, and pint's own; ``pint_unit`` is the unit of the column."""
    columns = {f"{t}/Elm/A": [1.0] for t in ("kWHNet", "kVAHNet", "DemandkW", "DemandkVA", "V")}
    ds = to_xarray(readings()[[]].head(1).assign(**columns))
    told = {name: array.attrs["units"] for name, array in ds.data_vars.items()}
    assert told == {
        "kWHNet": "kW h", "kVAHNet": "kV A h", "DemandkW": "kW", "DemandkVA": "kV A", "V": "V",
    }  # fmt: skip
    fresh = pint.UnitRegistry()
    assert fresh.Quantity(1, told["kWHNet"]) == fresh.Quantity(1, "kilowatt_hour")
    assert fresh.Quantity(1, told["kVAHNet"]).to("kV A h").magnitude == 1
    assert ds["kVAHNet"].attrs["pint_unit"] == "kilovolt_ampere_hour"


def test_bounds_are_the_interval_before_the_label():
    """A mean stamped t covers (t - lag - interval, t - lag]."""
    ds = to_xarray(readings())
    t = pd.Timestamp("2023-12-31 23:30")
    quarter = pd.Timedelta("15min")
    assert [pd.Timestamp(x) for x in ds["time_bnds"].values[0]] == [t - quarter, t]
    late = to_xarray(readings(), interval="5min", demand_lag="1min")["time_bnds"].values[0]
    minute = pd.Timedelta("1min")
    assert [pd.Timestamp(x) for x in late] == [t - 6 * minute, t - minute]
    assert "time_bnds" not in to_xarray(readings()[["A/Ch/A1"]]).coords


def test_bounds_by_meter_lie_along_meter():
    """Meters with different intervals have bounds of their own."""
    ds = to_xarray(several(readings(), readings()), interval={"P1": "15min", "P2": "5min"})
    assert ds["time_bnds"].dims == ("meter", "time", "nv")
    spans = (ds["time_bnds"][:, 0, 1] - ds["time_bnds"][:, 0, 0]).values
    assert [pd.Timedelta(x) for x in spans] == [pd.Timedelta("15min"), pd.Timedelta("5min")]


def test_meters_lie_along_a_dimension_and_come_back():
    """Meters with the same times share one axis."""
    frame = several(readings(), readings() * 2)
    ds = to_xarray(frame)
    assert ds["DemandkW"].dims == ("meter", "time", "element")
    assert float(ds["DemandkW"].sel(meter="P2", element="A")[0]) == 2.0
    same(to_frame(ds), frame)


def test_meters_with_other_times_are_refused_by_name():
    """Nothing is resampled in silence: the message says how to convert one meter."""
    frame = several(readings(), readings(start="2023-12-31 23:31"))
    with pytest.raises(RangeError, match=r"df\.loc\['P1'\]\.dent\.to_xarray\(\)"):
        to_xarray(frame)
    with pytest.raises(RangeError, match="times differ"):
        to_xarray(several(readings(4), readings(3)))
    assert to_xarray(frame.loc["P1"]).sizes["time"] == 4


def test_one_meter_of_several_is_a_frame_of_one():
    """`sel(meter=...)` leaves one meter's frame, without the other's range."""
    frame = several(readings(), readings() * 2)
    told(frame, {m: ["2023-12-31", "2024-01-01"] for m in ("P1", "P2", "P3")})
    one = to_frame(to_xarray(frame).sel(meter="P2"))
    assert one.index.names == ["time"]
    assert one["DemandkW/Elm/A"].tolist() == [2.0, 4.0, 6.0, 8.0]
    assert set(one.attrs["dentcloud"]["ranges"]) == {"P2"}


def test_parts_of_a_dataset_are_frames():
    """`sel` and `isel` of an element, a channel or an instant leave columns and rows."""
    ds = to_xarray(readings())
    assert list(to_frame(ds[["DemandkW"]].sel(element="C"))) == ["DemandkW/Elm/C"]
    assert list(to_frame(ds[["A"]].sel(channel="A2"))) == ["A/Ch/A2"]
    both = to_frame(ds[["A", "DemandkW"]].sel(element="A", channel="A2"))
    assert list(both) == ["DemandkW/Elm/A", "A/Ch/A2"]
    assert to_frame(ds.isel(time=1)).shape == (1, 8)
    assert to_frame(ds.transpose()).equals(readings())


def test_labels_dtypes_and_other_columns_come_back():
    """Order, label dtypes, whole numbers, truth values and text survive."""
    frame = readings()[["kWHNet/Elm/A", "DemandkW/Elm/C", "DemandkW/Elm/A"]]
    frame = frame.astype({"DemandkW/Elm/C": "int64", "DemandkW/Elm/A": "float32"})
    frame = frame.assign(outside=[1.5, np.nan, 2.5, 3.0], holiday=True, note="x")
    ds = to_xarray(frame)
    assert ds["outside"].dims == ("time",)
    same(to_frame(ds), frame)


@pytest.mark.parametrize("dtype", ["int64", "int16", "Int64"])
def test_whole_numbers_that_became_fractions_are_not_cut(dtype):
    """The mean of 3 and 4 W is 3.5 W, though the frame's column held whole numbers."""
    index = pd.date_range("2024-01-01", periods=4, freq="15min", tz="UTC", name="time")
    whole = pd.DataFrame({"DemandkW/Elm/A [W]": [3, 4, 5, 7]}, index=index, dtype=dtype)
    hourly = to_frame(to_xarray(whole).resample(time="30min").mean(keep_attrs=True))
    assert hourly["DemandkW/Elm/A [W]"].tolist() == [3.5, 6.0]
    assert to_frame(to_xarray(whole)).dtypes.tolist() == whole.dtypes.tolist()


def test_units_in_labels_come_back():
    """`convert` writes the unit into the label; the Dataset says it, and so does the frame."""
    frame = readings().dent.convert({"DemandkW": "W"})
    ds = to_xarray(frame)
    assert ds["DemandkW"].attrs["units"] == "W"
    same(to_frame(ds), frame)


def test_a_changed_unit_is_told_in_the_label():
    """The Dataset's ``units`` are what counts on the way back."""
    ds = to_xarray(readings())
    ds["DemandkW"] = (ds["DemandkW"] * 1000).assign_attrs(ds["DemandkW"].attrs | {"units": "W"})
    back = to_frame(ds)
    assert back["DemandkW/Elm/A [W]"].tolist() == [1000.0, 2000.0, 3000.0, 4000.0]


def test_lost_units_are_refused():
    """Where pint took ``units`` away and lost them, no unit is guessed."""
    ds = to_xarray(readings())
    del ds["DemandkW"].attrs["units"]
    with pytest.raises(UnitError, match="Dask"):
        to_frame(ds)


def test_pint_dtypes_come_back():
    """A quantified frame is one again, to the dtype."""
    frame = readings().dent.quantify()
    same(to_frame(to_xarray(frame)), frame)


def test_a_variable_made_of_another_is_not_it():
    """Arithmetic keeps attrs: a new variable goes by its own name."""
    ds = to_xarray(readings())[["A"]]
    ds["twice"] = (ds["A"] * 2).assign_attrs(ds["A"].attrs)
    assert "twice/Ch/A1 [A]" in to_frame(ds)
    assert to_frame(ds)["A/Ch/A1"].tolist() == [5.0, 6.0, 7.0, 8.0]


def test_odd_names_come_back():
    """Scopes and topics that no file format would take are kept in the attrs."""
    t = readings().index
    names = ["V/Ph/L1-L2", "kWH+/Elm/A", "α β/Elm/A", "time/Elm/A", "x/Elm/a/b"]
    frame = pd.DataFrame(
        np.arange(20.0).reshape(4, 5), index=t, columns=pd.Index(names, dtype=object)
    )
    ds = to_xarray(frame)
    assert all("/" not in str(v) and str(v).isascii() for v in ds.variables)
    same(to_frame(ds), frame)


def test_a_dataset_without_our_attrs_still_has_a_frame():
    """Names and dimensions are enough."""
    ds = to_xarray(readings()).drop_attrs() if hasattr(xr.Dataset, "drop_attrs") else None
    if ds is None:
        pytest.skip("this xarray cannot drop all attrs")
    back = to_frame(ds)
    assert back["dPF/Elm/A"].tolist() == [0.8] * 4
    assert str(back.index.dtype) == "datetime64[us, UTC]"


def test_dask_backed_variables_are_computed_once():
    """A lazy Dataset gives the same frame, in one computation."""
    dask = pytest.importorskip("dask")
    calls = []
    with dask.config.set(scheduler=lambda *a, **k: calls.append(1) or dask.get(*a, **k)):
        back = to_frame(to_xarray(readings()).chunk(time=2))
    same(back, readings())
    assert calls == [1]


@pytest.mark.parametrize(
    ("frame", "error", "words"),
    [
        (readings().tz_localize(None), RangeError, "tz_localize"),
        (readings().reset_index(drop=True), RangeError, "DatetimeIndex"),
        (readings().assign(**{"A/Ch/A1": "x"}), DecodeError, "to_numeric"),
        (readings().rename(columns={"DemandkW/Elm/C": "DemandkW/Elm/C [W]"}), UnitError, "convert"),
        (readings()[["A/Ch/A1", "A/Ch/A1"]], ConfigError, "more than one"),
    ],
)
def test_what_cannot_be_laid_out_is_refused(frame, error, words):
    """Naive times, text, mixed units and columns that come twice: each says what to do."""
    with pytest.raises(error, match=words):
        to_xarray(frame)
