"""The engine over an archive: the same Dataset, read a month at a time, and never the cloud."""

from __future__ import annotations

import pickle
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from engine_kit import HALF, KEY, METER, OTHER, cloud_and_client, eager, kept, lazy, reads

from dentframe.archive import Archive
from dentframe.datasets import to_xarray
from dentframe.errors import (
    ConfigError,
    IncompleteReadError,
    IncompleteReadWarning,
    RangeError,
    ReadingWarning,
    UnknownMeterError,
    UnknownTopicError,
)

pytest.importorskip("pyarrow")

LA = "America/Los_Angeles"
__all__ = ["reads"]  # a fixture


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Two meters, June 2023 to January 2024, settled; the service is gone."""
    made = Archive(tmp_path_factory.mktemp("archive"))
    months = [*(f"2023-{month:02d}" for month in range(6, 13)), "2024-01"]
    with cloud_and_client(tmp_path_factory.mktemp("cache")) as (_, client):
        for meter in (METER, OTHER):
            kept(made, client, months, meter)
    made.settle()
    return made


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"topics": None},
        {"topics": "kWHNet"},
        {"bracket": True},
        {"tz": LA, "bracket": True},
        {"start": "2023-12-13 05:07", "end": "2023-12-13 17:31", "tz": LA, "bracket": True},
        {"start": "2023-12-13 05:03", "end": "2023-12-13 05:10"},
        {"start": "2023-12", "end": None, "tz": LA},
        {"meter": f"{METER}_D"},
        {"meter": [METER]},
        {"meter": [f"{METER}_A", f"{METER}_B"], "bracket": True},
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:Reading .* no readings:dentframe.errors.ReadingWarning")
def test_what_is_lazy_is_what_the_archive_reads(archive, options):
    """Loaded, the lazy Dataset is identical to the frame's, with times, bounds and attrs."""
    found = lazy(archive, **options, chunks={})
    expected = eager(archive, **options)
    assert found.load().identical(expected)
    assert found.time.encoding["units"] == expected.time.encoding["units"]


@pytest.mark.parametrize(
    "key",
    [
        {"time": 0},
        {"time": -1, "element": 2},
        {"time": slice(2970, 2990)},
        {"time": slice(None, None, -1000)},
        {"time": [5000, 3, 3, 17000], "element": [3, 0]},
        {"time": [3, 5000], "element": [1, 0, 1]},
        {"time": np.array([], int)},
        {"time": xr.DataArray([3, 9000], dims="p"), "element": xr.DataArray([1, 0], dims="p")},
    ],
    ids=str,
)
def test_any_index_gives_what_numpy_gives(archive, key):
    """Scalars, slices, steps, lists and points, within and over months."""
    one, whole = lazy(archive), eager(archive)
    xr.testing.assert_identical(one.DemandkW.isel(key).load(), whole.DemandkW.isel(key))


def test_opening_reads_times_alone(archive, reads):
    """Opening reads no column of readings; repr, chunks and close read nothing at all."""
    ds = lazy(archive, chunks={})
    assert reads
    assert all(columns == () for _, _, columns in reads)
    reads.clear()
    repr(ds), ds._repr_html_(), ds.chunks, ds.sizes, ds.nbytes
    ds.close()
    assert reads == []


@pytest.mark.parametrize("chunks", [None, {}])
def test_ten_rows_touch_one_months_row_group_and_the_columns_used(archive, reads, chunks):
    """The first ten rows of one variable read July's row group, of that topic's columns."""
    ds = lazy(archive, chunks=chunks)
    reads.clear()
    first = ds.DemandkW.isel(time=slice(0, 10)).values
    assert first.shape == (10, 7)
    assert reads == [(2023, {7}, tuple(f"DemandkW/Elm/{e}" for e in "ABCDEFG"))]
    reads.clear()
    _ = lazy(archive).A.sel(time="2023-10", channel="B2").values
    assert [(y, m, c) for y, m, c in reads if c] == [(2023, {10}, ("A/Ch/B2",))]


def test_seven_variables_on_threads_read_each_months_columns_once(archive, reads):
    """No cell is read twice when every variable is computed."""
    ds = lazy(archive, chunks={})
    reads.clear()
    ds.mean().compute(scheduler="threads")
    cells = [(year, month, c) for year, months, cs in reads for month in months for c in cs]
    assert len(cells) == len(set(cells)) == 6 * (7 + 7 + 16)


def peak_of(ds):
    """The most memory that summing the currents takes [B]."""
    ds.A.sum().compute(scheduler="synchronous")
    tracemalloc.start()
    ds.A.sum().compute(scheduler="synchronous")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_memory_is_flat_over_the_months(archive):
    """A sum over six months takes no more memory than one over two."""
    six, two = lazy(archive, chunks={}), lazy(archive, chunks={}, end="2023-09-01")
    assert peak_of(six) < 1.3 * peak_of(two)


def test_a_pickle_is_a_path(archive, reads):
    """A pickled Dataset holds paths and times, and reads where it is opened."""
    ds = lazy(archive)
    data = pickle.dumps(ds)
    assert len(data) < 0.5 * ds.nbytes
    assert KEY.encode() not in data
    reads.clear()
    again = pickle.loads(data)  # noqa: S301 - our own
    assert reads == []
    assert again.load().identical(eager(archive))


def test_the_engine_takes_a_path_and_no_credentials(archive):
    """By name, with the archive as text, where no key is set."""
    with xr.open_dataset(
        f"dentcloud://{METER}", engine="dentcloud", archive=str(archive.path), **HALF
    ) as ds:
        assert float(ds.kWHNet.isel(time=-1, element=0)) == float(
            archive.read(METER, **HALF)["kWHNet/Elm/A"].iloc[-1]
        )
        energy = ds.dent.energy("MS", tz=LA, min_coverage=0.9)
    expected = archive.read(METER, **HALF).dent.energy("MS", tz=LA, min_coverage=0.9)
    xr.testing.assert_equal(energy.Energy, to_xarray(expected).Energy)


def test_dropped_variables_are_not_read(archive, reads):
    """What is dropped costs nothing, at opening or later."""
    ds = lazy(archive, drop_variables=["A"])
    assert list(ds.data_vars) == ["DemandkW", "kWHNet"]
    assert "channel" not in ds.dims
    ds.load()
    assert not [c for _, _, columns in reads for c in columns if c.startswith("A/")]


def test_errors_are_the_archives(archive):
    """Unknown meters and topics, differing times and a bad `errors` raise."""
    with pytest.raises(UnknownMeterError, match="sync"):
        lazy(archive, "P482311253")
    with pytest.raises(UnknownTopicError, match="DemandkW"):
        lazy(archive, topics="DemandKW")
    with pytest.raises(RangeError, match=r"their times differ.*Open one meter at a time"):
        lazy(archive, [METER, OTHER])
    with pytest.raises(ConfigError, match="errors='ignore'"):
        lazy(archive, errors="ignore")


def test_an_element_that_is_not_there_is_nan_and_told(archive):
    """As in a read: in a list a column of NaN and a warning, alone an error."""
    with pytest.warns(ReadingWarning, match="element Z returned no column"):
        ds = lazy(archive, [f"{METER}_Z"], topics="kWHNet")
    with pytest.raises(UnknownMeterError, match="and none of Z"):
        lazy(archive, f"{METER}_Z", topics="kWHNet")
    assert ds.element.values.tolist() == ["Z"]
    assert ds.kWHNet.isnull().all()


def test_what_the_archive_lacks_is_missing(archive):
    """A month that is not held raises with the rest as a lazy Dataset, or warns."""
    with pytest.raises(IncompleteReadError, match="2023-05") as caught:
        lazy(archive, start="2023-05-01")
    assert [str(w) for w in caught.value.missing] == ["2023-05"]
    there = lazy(archive, start="2023-06-01")
    xr.testing.assert_equal(caught.value.partial.load(), there.load())
    with pytest.warns(IncompleteReadWarning, match="2023-05") as warned:
        ds = lazy(archive, start="2023-05-01", errors="warn")
    assert Path(warned[0].filename).name == "engine_kit.py"  # it calls open_dataset
    assert ds.sizes == there.sizes


def test_a_client_beside_the_archive_is_asked_for_the_rest(archive, tmp_path):
    """With `client=` the archive serves what it holds, and only the rest is asked."""
    with cloud_and_client(tmp_path) as (cloud, client):
        ds = lazy(archive, start="2023-05-01", client=client)
        asked = [str(seen.window) for seen in cloud.data_requests]
        whole = lazy(archive)
    assert "2023-05" in asked
    assert ds.sel(time=slice("2023-07", None)).equals(whole)


def test_answers_that_are_not_settled_yet_are_read_too(tmp_path):
    """What waits to be settled is seen; settling and reading again change nothing."""
    archive = Archive(tmp_path / "a")
    with cloud_and_client(tmp_path / "c") as (_, client):
        kept(archive, client, ["2023-07"])
        archive.settle()
        kept(archive, client, ["2023-08"])
    options = {"end": "2023-09-01"}
    ds = lazy(archive, **options)
    expected = eager(archive, **options)
    early = pickle.loads(pickle.dumps(ds)).load()  # noqa: S301 - our own
    archive.settle()
    assert early.identical(expected)
    assert ds.load().identical(expected)


def test_rows_that_are_gone_are_an_error_not_nan(tmp_path):
    """An archive that was emptied after opening says so: missing is never made up."""
    archive = Archive(tmp_path / "a")
    with cloud_and_client(tmp_path / "c") as (_, client):
        kept(archive, client, ["2023-07"])
    archive.settle()
    ds = lazy(archive, end="2023-08-01")
    next(archive.path.glob(f"meter={METER}/2023.parquet")).unlink()
    with pytest.raises(ConfigError, match="Open it again"):
        ds.load()


def test_a_pickle_finds_a_relative_archive_from_another_folder(archive, tmp_path, monkeypatch):
    """The archive's path is kept whole."""
    monkeypatch.chdir(archive.path.parent)
    data = pickle.dumps(lazy(archive.path.name))
    monkeypatch.chdir(tmp_path)
    again = pickle.loads(data)  # noqa: S301 - our own
    assert float(again.kWHNet.max()) == float(eager(archive).kWHNet.max())


def test_a_zone_brings_local_time_and_nothing_is_read(archive, reads):
    """`local_time` comes with the times, also in chunks, and groups readings that are lazy."""
    ds = lazy(archive, tz=LA, chunks={})
    assert all(columns == () for _, _, columns in reads)
    counts = ds.DemandkW.sel(element="A").groupby("local_time.month").count()
    assert counts.month.values.tolist() == [7, 8, 9, 10, 11, 12]
    assert pickle.loads(pickle.dumps(ds)).local_time.equals(ds.local_time)  # noqa: S301 - our own


def test_minutes_between_two_readings_are_no_loss(archive):
    """As in a read: seven minutes between two readings have none, and nobody is warned."""
    ds = lazy(archive, start="2023-12-13 05:03", end="2023-12-13 05:10")
    assert ds.sizes["time"] == 0


def test_time_is_that_of_the_reader(archive):
    """Rows are those of the range, half-open, in naive UTC."""
    ds = lazy(archive, start="2023-12-01", end="2024-01-01", tz=LA)
    assert pd.Timestamp(ds.time.values[0], tz="UTC") >= pd.Timestamp("2023-12-01", tz=LA)
    assert pd.Timestamp(ds.time.values[-1], tz="UTC") < pd.Timestamp("2024-01-01", tz=LA)
