"""The engine over a real socket: what it asks, and that it asks nothing twice."""

from __future__ import annotations

import pickle
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from engine_kit import KEY, KEY_ID, METER, MONTH, OTHER, asked, cloud_and_client

import dentframe
from dentframe import open_dataset
from dentframe.datasets import to_xarray
from dentframe.errors import (
    AuthError,
    ConfigError,
    IncompleteReadError,
    IncompleteReadWarning,
    MissingExtraError,
    RangeError,
    ReadingWarning,
    UnknownMeterError,
    UnknownTopicError,
)

ADDRESS = f"dentcloud://{METER}"
HALF = {"start": "2023-07-01", "end": "2024-01-01"}


@pytest.fixture
def served(tmp_path):
    with cloud_and_client(tmp_path / "cache") as (cloud, client):
        yield cloud, client


@pytest.fixture
def cloud(served, monkeypatch):
    """The cloud that the environment names, as for a user who passes no client."""
    monkeypatch.setenv("DENTCLOUD_BASE_URL", served[0].url)
    monkeypatch.setenv("DENTCLOUD_API_KEY", KEY)
    monkeypatch.setenv("DENTCLOUD_KEY_ID", KEY_ID)
    return served[0]


def opened(client, meter=METER, **options):
    return open_dataset(meter, client=client, **{**MONTH, **options})


def test_six_months_are_asked_for_once_each_and_computing_asks_nothing():
    """Seven variables on Dask's threads, repr and a second compute cost no request at all."""
    with cloud_and_client(False) as (cloud, client):  # no cache: a second look would be asked
        ds = opened(client, **{**HALF, "topics": None}, chunks={})
        months = [f"2023-{month:02d}" for month in range(7, 13)]
        assert sorted(window for _, window, _ in asked(cloud)) == months
        before = len(cloud.requests)
        assert len(ds.data_vars) == 7
        assert "dask.array" in repr(ds) + ds._repr_html_()
        means = ds.mean().compute(scheduler="threads")
        ds.DemandkW.max().compute(scheduler="threads")
        ds.close()
        assert len(cloud.requests) == before
    assert np.isfinite([float(mean) for mean in means.values()]).all()


def test_the_engine_by_name_from_the_environment(cloud):
    """`xr.open_dataset` with the engine's name reads as the reader does, once."""
    with xr.open_dataset(ADDRESS, engine="dentcloud", **MONTH) as ds:
        frame = dentframe.read_dentcloud(METER, **MONTH)
        assert len(cloud.data_requests) == 1
        assert ds.equals(to_xarray(frame).drop_vars("channel_element", errors="ignore"))
        assert ds.encoding["source"] == ADDRESS
        pd.testing.assert_frame_equal(ds.dent.to_frame(), frame)
    assert ds.DemandkW.attrs["units"] == "kW"


def test_chunks_are_months_unless_asked_otherwise(served):
    """None is NumPy; {} a chunk a UTC month; a local month shows its two UTC months."""
    client = served[1]
    assert opened(client).chunks == {}
    by_month = opened(client, **HALF, chunks={})
    assert by_month.chunks["time"] == (2976, 2976, 2880, 2976, 2880, 2976)
    local = opened(client, tz="America/Los_Angeles", chunks={})
    assert local.chunks["time"] == (2976 - 32, 32)
    assert opened(client, chunks={"time": -1}).chunks["time"] == (2976,)
    assert opened(client, chunks="auto").chunks["time"] == (2976,)
    assert by_month.drop_encoding().identical(opened(client, **HALF).drop_encoding())


def test_two_threads_that_open_the_same_share_the_answer(served):
    """Opening the same meter in several threads at once asks for each month once."""
    cloud, client = served
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: opened(client), range(4)))
    assert len(cloud.data_requests) == 1
    assert all(ds.identical(found[0]) for ds in found)


def test_tz_and_bracket_are_the_readers(served):
    """Bounds are wall time in `tz`, and `bracket` adds a row on each side."""
    client = served[1]
    inner = opened(client, start="2023-12-05", tz="America/Los_Angeles")
    outer = opened(client, start="2023-12-05", tz="America/Los_Angeles", bracket=True)
    assert inner.time.values[0] >= np.datetime64("2023-12-05T08:00")
    assert outer.sizes["time"] == inner.sizes["time"] + 2
    assert inner.equals(outer.isel(time=slice(1, -1)))


def test_bounds_follow_interval_and_lag(served):
    """`time_bnds` says what `interval` and `demand_lag` say."""
    ds = opened(served[1], start="2023-12-05", interval="5min", demand_lag="2min")
    ends = ds.time.values - np.timedelta64(2, "m")
    np.testing.assert_array_equal(ds.time_bnds.values[:, 1], ends)
    np.testing.assert_array_equal(ds.time_bnds.values[:, 0], ends - np.timedelta64(5, "m"))


def test_topics_of_dropped_variables_are_not_asked_for(served):
    """What is dropped is in no request; a dropped coordinate changes nothing asked."""
    cloud, client = served
    ds = opened(client, drop_variables=["kWHNet", "time_bnds"])
    assert asked(cloud) == [(METER, "2023-12", ("DemandkW",))]
    assert list(ds.data_vars) == ["DemandkW"]
    assert "time_bnds" not in ds.coords
    everything = opened(client, start="2023-11", topics=None, drop_variables="A")
    assert "A" not in asked(cloud)[-1][2]
    assert "A" not in everything
    assert "kWHNet" in everything


def test_several_meters_have_a_dimension(served):
    """Meters in the address, or as the reader's list, even of one, lie along `meter`."""
    client = served[1]
    both = opened(client, [METER, METER.replace("252", "252_A")])
    assert both.DemandkW.dims == ("meter", "time", "element")
    assert opened(client, [METER]).sizes["meter"] == 1
    address = xr.open_dataset(f"{ADDRESS},", engine="dentcloud", client=client, **MONTH)
    assert address.equals(opened(client, [METER]))


def test_meters_whose_times_differ_are_refused(served):
    """Nothing is resampled in silence: the error names the way meter by meter."""
    with pytest.raises(RangeError, match="their times differ") as caught:
        opened(served[1], [METER, OTHER])
    assert f"Open one meter at a time: open_dataset('{METER}', ...)." in str(caught.value)
    assert "df.loc" not in str(caught.value)


@pytest.mark.parametrize("chunks", [None, {}])
@pytest.mark.parametrize("meter", [METER, [METER]])
def test_a_zone_brings_local_time_to_group_by(served, meter, chunks):
    """The months of `local_time` are those of `tz`; the verbs need no zone again."""
    ds = opened(served[1], meter, start="2023-11", end="2024-01-01", tz="America/Los_Angeles",
                bracket=True, chunks=chunks)  # fmt: skip
    found = ds.time.to_series().dt.tz_localize("UTC").dt.tz_convert("America/Los_Angeles")
    assert (ds.local_time.values == found.dt.tz_localize(None).values).all()
    sums = ds.DemandkW.sel(element="A").groupby("local_time.month").count()
    assert int(sums.sel(month=11).sum()) > 2800
    assert int(sums.sel(month=10).sum()) == 1  # the bracketing row
    periods = ds.dent.energy("MS", min_coverage=0).time
    assert periods.attrs["timezone"] == "America/Los_Angeles"
    assert str(periods.values[0]) == "2023-11-01T07:00:00.000000000"
    assert "local_time" not in opened(served[1], meter).coords


def test_the_engine_by_name_has_local_time_too(cloud):
    """With chunks it is a Dask array until it is loaded."""
    ds = xr.open_dataset(ADDRESS, engine="dentcloud", chunks={}, tz="America/Los_Angeles", **MONTH)
    assert ds.local_time.load().dt.day.values[0] == 1


def test_open_mfdataset_joins_meters(cloud):
    """`open_mfdataset` over addresses opens each once, lazily joined along time."""
    addresses = [f"{ADDRESS}_A", f"{ADDRESS}_B"]
    with xr.open_mfdataset(
        addresses, engine="dentcloud", concat_dim="element", combine="nested", **MONTH
    ) as ds:
        assert ds.element.values.tolist() == ["A", "B"]
        assert ds.chunks["element"] == (1, 1)
        whole = xr.open_dataset(ADDRESS, engine="dentcloud", **MONTH)
        xr.testing.assert_equal(ds.DemandkW.compute(), whole.DemandkW.sel(element=["A", "B"]))
    assert len(cloud.data_requests) == 1


UNPICKLE = """
import pickle, sys
for _ in range(2):
    print(float(pickle.load(sys.stdin.buffer).kWHNet.max()))
"""


def test_a_pickle_holds_no_key_and_needs_none(served):
    """A pickled Dataset carries its data: it opens where there is neither key nor network."""
    cloud, client = served
    data = b"".join(pickle.dumps(opened(client, chunks=chunks)) for chunks in (None, {}))
    for secret in (KEY, KEY_ID):
        assert secret.encode() not in data
        assert secret.encode("utf-16-le") not in data
    before, command = len(cloud.requests), [sys.executable, "-c", UNPICKLE]
    done = subprocess.run(command, input=data, capture_output=True, timeout=60, check=True)
    assert set(done.stdout.split()) == {str(float(opened(client).kWHNet.max())).encode()}
    assert len(cloud.requests) == before


def test_errors_are_the_readers(served):
    """Unknown meters and topics, bad ranges and a refused key raise as in a read."""
    cloud, client = served
    with pytest.raises(UnknownTopicError, match="DemandkW"):
        opened(client, topics="DemandKW")
    with pytest.raises(UnknownMeterError, match="P482311252"):
        opened(client, "P482311253")
    with pytest.raises(RangeError):
        opened(client, start="2023-12-05", end="2023-12-01")
    assert cloud.data_requests == []
    wrong = dentframe.DentCloud("other", KEY_ID, base_url=cloud.url, cache=False)
    with wrong, pytest.raises(AuthError):
        opened(wrong)


def test_a_month_that_fails_raises_with_datasets(tmp_path):
    """The error has the other months as a Dataset, and `resume` returns the whole one."""
    with cloud_and_client(tmp_path) as (cloud, client):
        cloud.faults.add("500", window="2023-09")
        with pytest.raises(IncompleteReadError, match="2023-09") as caught:
            opened(client, **HALF, chunks={})
        assert [str(w) for w in caught.value.missing] == ["2023-09"]
        assert caught.value.partial.sizes["time"] == 17664 - 2880
        cloud.faults.clear()
        before = len(cloud.data_requests)
        whole = caught.value.resume()
        assert [w for _, w, _ in asked(cloud)[before:]] == ["2023-09"]
        assert whole.sizes["time"] == 17664


def test_errors_warn_gives_what_there_is_and_warns_from_the_callers_line(tmp_path):
    """`errors="warn"` names the missing month; the warning points here, not into xarray."""
    with cloud_and_client(tmp_path) as (cloud, client):
        cloud.faults.add("500", window="2023-09")
        with pytest.warns(IncompleteReadWarning, match="2023-09") as caught:
            ds = opened(client, **HALF, errors="warn")
    assert ds.sizes["time"] == 17664 - 2880
    assert caught[0].filename == __file__


def test_a_dataset_of_nothing_opens(served):
    """A range without readings has its variables and no rows."""
    with pytest.warns(ReadingWarning, match="no readings in"):
        ds = opened(served[1], start="2001-01", chunks={})
    assert ds.sizes["time"] == 0


def test_a_chunked_dataset_is_written_and_read_again(served, tmp_path):
    """To netCDF as it is; a netCDF file gives the same Dataset."""
    ds = opened(served[1], topics=["DemandkW", "A"], chunks={})
    ds.to_netcdf(tmp_path / "m.nc")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with xr.open_dataset(tmp_path / "m.nc") as again:
            assert again.equals(ds)


def test_a_tree_has_a_node_a_meter(cloud):
    """Meters whose times differ open as groups, each as its own Dataset would be."""
    address = f"{ADDRESS},{OTHER}"
    tree = xr.open_datatree(address, engine="dentcloud", **MONTH)
    assert sorted(tree.children) == sorted([METER, OTHER])
    with xr.open_dataset(ADDRESS, engine="dentcloud", **MONTH) as alone:
        assert tree[METER].to_dataset().equals(alone)
    groups = xr.open_groups(address, engine="dentcloud", **MONTH)
    assert set(groups) == {f"/{METER}", f"/{OTHER}"}
    assert tree[OTHER].to_dataset().dent.elements == ["A", "B", "C", "D"]


@pytest.mark.parametrize("asked", [{"decode_times": False}, {"decode_cf": False}])
def test_times_are_never_numbers(asked):
    """What cannot be left undecoded is refused in words, before anything is asked."""
    with pytest.raises(ConfigError, match="never as numbers since a date"):
        xr.open_dataset(ADDRESS, engine="dentcloud", **MONTH, **asked)


def test_other_decoders_change_nothing(cloud):
    """There is nothing to mask or to scale."""
    with (
        xr.open_dataset(ADDRESS, engine="dentcloud", **MONTH, mask_and_scale=False) as one,
        xr.open_dataset(ADDRESS, engine="dentcloud", **MONTH) as other,
    ):
        assert one.identical(other)


@pytest.mark.parametrize(
    "opened",
    [
        lambda: dentframe.open_dataset(METER, **MONTH, chunks={}),
        lambda: xr.open_dataset(ADDRESS, engine="dentcloud", **MONTH, chunks={}),
        lambda: xr.open_mfdataset([ADDRESS], engine="dentcloud", **MONTH),
        lambda: xr.open_datatree(ADDRESS, engine="dentcloud", **MONTH, chunks="auto"),
    ],
)
def test_chunks_without_dask_name_the_extra(served, monkeypatch, opened):
    """Each way to open says what to install, before anything is asked."""
    monkeypatch.setattr("dentframe.datasets.engine.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"dentframe\[dask\]"):
        opened()
    assert not served[0].requests
