"""An archive on a cluster of processes: the figures of pandas, and workers that reach no cloud."""

from __future__ import annotations

import os
import socket
import warnings

import pytest

from dentframe import RegisterRules, Schedule, Window
from dentframe.archive import Archive
from tests.dask_kit import LA, METERS, SPAN, TOPICS, flat, portfolio, same

distributed = pytest.importorskip("distributed")
pytest.importorskip("dask.dataframe")

pytestmark = pytest.mark.filterwarnings("ignore::dentframe.errors.CoverageWarning")


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return portfolio(tmp_path_factory.mktemp("lazy") / "portfolio")


@pytest.fixture(scope="module")
def frame(archive):
    return archive.read(METERS, **SPAN, topics=list(TOPICS), tz=LA, bracket=True)


@pytest.fixture(scope="module")
def workers(tmp_path_factory):
    """Two processes that have no keys, and no way to the network but to their scheduler."""
    folder = tmp_path_factory.mktemp("dask")
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Dask says of itself while it starts and stops
        for name in [k for k in os.environ if k.startswith("DENTCLOUD_")]:
            patch.delenv(name)
        patch.setenv("XDG_CONFIG_HOME", str(folder))
        with (
            distributed.LocalCluster(
                n_workers=2,
                threads_per_worker=1,
                processes=True,
                dashboard_address=None,
                local_directory=str(folder),
            ) as cluster,
            distributed.Client(cluster) as client,
        ):
            client.run(_cut_off)
            yield client


def _cut_off():
    """Refuse every connection that anything but Dask's own event loop opens."""

    def refuse(*args, **kwargs):
        raise AssertionError("a worker opened a connection")

    import requests.adapters

    socket.create_connection = refuse
    requests.adapters.HTTPAdapter.send = refuse


def test_energy_on_a_cluster_is_that_of_pandas(archive, frame, workers):
    """Two processes, a meter a partition: the same to 1e-9, edges included."""
    lazy = archive.energy("MS", tz=LA, **SPAN, batch=1)
    assert lazy.npartitions == 3
    same(lazy.compute(), flat(frame.dent.energy("MS", tz=LA, **SPAN)))


def test_details_with_rules_travel(archive, frame, workers):
    """Rules by element and a schedule reach the workers."""
    rules = RegisterRules(max_kw={"P1_A": 40, "P2_B": 50})
    schedule = Schedule([Window("peak", "16:00", "21:00", days="weekday")])
    options = {**SPAN, "registers": rules, "schedule": schedule, "detail": True}
    found = archive.energy("MS", tz=LA, batch=1, **options).compute()
    same(found, frame.dent.energy("MS", tz=LA, **options))
    assert {type(flags) for flags in found["flags"]} == {tuple}


def test_peaks_on_a_cluster_are_those_of_pandas(archive, frame, workers):
    """Rows of all meters."""
    found = archive.peaks("MS", tz=LA, **SPAN, batch=1).compute()
    same(found, frame.dent.peaks("MS", tz=LA, **SPAN))


def test_readings_on_a_cluster(archive, frame, workers):
    """What Dask makes of the readings is what pandas makes of them."""
    lazy = archive.to_dask(**SPAN, tz=LA, bracket=True)
    found = lazy.groupby("meter")["DemandkW/Elm/A"].max().compute()
    expected = frame["DemandkW/Elm/A"].groupby(level="meter").max()
    assert found.to_dict() == expected.to_dict()


def _keys_of(archive):
    """What a worker has: the environment's keys, and what travels with an archive."""
    return [k for k in os.environ if k.startswith("DENTCLOUD_")], sorted(vars(archive))


def test_workers_have_no_keys(archive, workers):
    """An archive travels as its path."""
    assert workers.submit(_keys_of, archive).result(30) == ([], ["path"])


def test_a_range_that_is_not_held_raises_here(archive, workers):
    """An error of a worker is the caller's, with what is missing."""
    from dentframe.errors import IncompleteReadError

    lazy = archive.energy("MS", tz="UTC", meters="P1", start="2023-04", end="2023-05-02")
    with pytest.raises(IncompleteReadError, match="2023-05-01") as caught:
        lazy.compute()
    assert len(caught.value.missing) == 1
    assert Archive(archive.path).meters() == METERS
