"""The engine's pure parts: addresses, dropped variables, months, workers."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from dentframe import open_dataset, read_dentcloud
from dentframe.datasets import DentCloudBackendEntrypoint, to_xarray
from dentframe.datasets.engine import (
    Address,
    address_of,
    is_address,
    meters_of,
    ready,
    refuse_cloud_on_worker,
)
from dentframe.datasets.engine import wanted as left_of
from dentframe.errors import ConfigError, RangeError
from dentframe.frame.meters_and_topics import builtin_units, is_everything, resolve_topics


def wanted(topics, dropped):
    names = [dropped] if isinstance(dropped, str) else dropped or ()
    return left_of(topics, frozenset(names))


METER = st.from_regex(r"P[0-9]{9}(_[A-Z])?", fullmatch=True)


@given(METER | st.lists(METER, min_size=1, max_size=4))
def test_an_address_names_what_the_reader_takes(meter):
    """A meter, or a list even of one, goes through its address unchanged."""
    assert meters_of(address_of(meter)) == meter


@pytest.mark.parametrize(
    ("address", "meter"),
    [
        ("dentcloud://P482311252", "P482311252"),
        ("dentcloud://P482311252/", "P482311252"),
        ("dentcloud://P482311252_A", "P482311252_A"),
        ("dentcloud://P1,P2", ["P1", "P2"]),
        ("dentcloud://P1, P2_B", ["P1", "P2_B"]),
        ("dentcloud://P1,", ["P1"]),
        (["P1", "dentcloud://P2"], ["P1", "P2"]),
        (("P1",), ["P1"]),
        (pd.Index(["P1", "P2"]), ["P1", "P2"]),
    ],
)
def test_what_an_address_means(address, meter):
    """An address names a meter, an element of it, or several."""
    assert meters_of(address) == meter


@pytest.mark.parametrize(
    "target", ["P482311252", "https://x/P1", Path("a.nc"), 7, b"dentcloud://P"]
)
def test_what_is_no_address_is_refused(target):
    """What is neither an address nor a list says how an address reads."""
    assert not is_address(target)
    with pytest.raises(ConfigError, match="dentcloud://P482311252"):
        meters_of(target)


def test_an_address_is_new_each_time_for_dask():
    """Two openings never share the names of their chunks: readings may have come in between."""
    tokenize = pytest.importorskip("dask.base").tokenize
    one = Address("dentcloud://P1")
    assert tokenize(one) == tokenize(one)
    assert tokenize(one) != tokenize(Address("dentcloud://P1"))
    assert str(one) == "dentcloud://P1"


@pytest.mark.parametrize(
    ("dropped", "left"),
    [
        (None, ("DemandkW", "dPF", "A")),
        ("A", ("DemandkW", "dPF")),
        (["A", "time_bnds"], ("DemandkW", "dPF")),
        ({"dPF_ch"}, ("DemandkW", "dPF", "A")),
        ({"dPF_ch", "dPF_elm"}, ("DemandkW", "A")),
        (("dPF", "DemandkW"), ("A",)),
    ],
)
def test_topics_of_dropped_variables_are_not_asked_for(dropped, left):
    """A topic goes when all its variables are dropped, under whatever name they have."""
    topics = wanted(["DemandkW", "dPF", "A"], dropped)
    assert resolve_topics(topics, builtin_units()) == left
    assert not is_everything(topics)


def test_all_topics_but_some():
    """Dropping from all topics is still asking for all, so that what else comes is kept."""
    topics = wanted(None, "A")
    assert set(builtin_units()) - set(resolve_topics(topics, builtin_units())) == {"A"}
    assert is_everything(topics)
    assert wanted(None, None) is None


def test_dropping_everything_is_refused():
    """Nothing left to ask for is an error that says what was dropped."""
    with pytest.raises(ConfigError, match=r"without A: nothing is left"):
        resolve_topics(wanted("A", "A"), builtin_units())


@given(st.lists(st.integers(0, 40 * 525_600), max_size=60))
def test_month_sizes_count_the_rows_of_each_month(minutes):
    """The sizes add up to the rows, and each run has one month of its own."""
    times = np.sort(np.array(minutes, "int64")).astype("datetime64[m]").astype("datetime64[us]")
    counted = pd.Series(1, pd.DatetimeIndex(times)).groupby(lambda t: (t.year, t.month)).sum()
    found = ready(xr.Dataset(coords={"time": times.astype("datetime64[ns]")}), ())
    sizes = found["time"].encoding.get("preferred_chunks", {"time": ()})
    assert sizes == {"time": tuple(counted.tolist())}


def test_open_dataset_takes_what_the_engine_takes():
    """`dentframe.open_dataset` has the engine's parameters, and the defaults of reading."""
    listed = DentCloudBackendEntrypoint.open_dataset_parameters
    shown = inspect.signature(open_dataset).parameters
    assert set(shown) == (set(listed) - {"filename_or_obj", "decode_times"}) | {"meter", "chunks"}
    for of in (read_dentcloud, to_xarray):
        usual = inspect.signature(of).parameters
        for name in shown.keys() & usual.keys():
            assert shown[name].default == usual[name].default


def test_xarray_finds_the_engine():
    """The entry point is registered, and says that it can open our addresses and no file."""
    engine = xr.backends.list_engines()["dentcloud"]
    assert engine.guess_can_open("dentcloud://P482311252")
    assert engine.guess_can_open(Address("dentcloud://P482311252"))
    assert not engine.guess_can_open("file.nc")
    assert not engine.guess_can_open(b"CDF\x01")
    assert "dentcloud://" in repr(engine)


def test_opening_without_a_start_says_what_to_pass():
    """The engine names `start`, which xarray itself does not know."""
    with pytest.raises(RangeError, match='start="2023-12"'):
        xr.open_dataset("dentcloud://P482311252", engine="dentcloud")


def test_an_unknown_argument_is_refused():
    """A misspelt argument is an error, never ignored."""
    with pytest.raises(ConfigError, match=r"topic='A'.*did you mean 'topics'"):
        xr.open_dataset("dentcloud://P1", engine="dentcloud", start="2023", topic="A")


def test_a_worker_is_one_only_inside_a_task(monkeypatch):
    """Without `distributed`, or outside its tasks, the cloud may be asked."""

    def outside():
        raise ValueError("No worker found")

    monkeypatch.delitem(sys.modules, "distributed", raising=False)
    refuse_cloud_on_worker("dentcloud://P1")
    monkeypatch.setitem(sys.modules, "distributed", SimpleNamespace(get_worker=outside))
    refuse_cloud_on_worker("dentcloud://P1")
    monkeypatch.setitem(sys.modules, "distributed", SimpleNamespace(get_worker=object))
    with pytest.raises(ConfigError, match=r"Dask worker.*archive="):
        refuse_cloud_on_worker("dentcloud://P1")
