"""The engine on a cluster of processes: workers read an archive, and never the cloud."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime

import pytest
import xarray as xr
from engine_kit import KEY, KEY_ID, METER, MONTH, cloud_and_client

from dentframe import open_dataset
from dentframe.archive import Archive
from dentframe.cloud import Job, Window
from dentframe.errors import ConfigError

distributed = pytest.importorskip("distributed")
pytest.importorskip("pyarrow")


@pytest.fixture
def cluster(monkeypatch, tmp_path):
    """One worker process."""
    settings = {"n_workers": 1, "threads_per_worker": 2, "dashboard_address": ":0"}
    with (
        distributed.LocalCluster(**settings, local_directory=str(tmp_path)) as made,
        distributed.Client(made) as client,
    ):
        yield client


def highest(archive=None):
    """What a worker is given to do: open by itself, and compute."""
    ds = xr.open_dataset(f"dentcloud://{METER}", engine="dentcloud", archive=archive, **MONTH)
    return float(ds.kWHNet.max())


def test_a_worker_reads_an_archive_only(monkeypatch, tmp_path, request):
    """Opening the cloud on a worker is refused, keys or not; an archive is read, and lazily."""
    archive = Archive(tmp_path / "archive")
    with cloud_and_client(tmp_path / "cache") as (cloud, client):
        monkeypatch.setenv("DENTCLOUD_BASE_URL", cloud.url)
        monkeypatch.setenv("DENTCLOUD_API_KEY", KEY)
        monkeypatch.setenv("DENTCLOUD_KEY_ID", KEY_ID)
        job = Job(METER, Window(2023, 12), tuple(MONTH["topics"]))
        for answer in client.read([job]):
            archive.keep(answer, datetime.now(UTC))
        archive.settle()
        held = open_dataset(METER, client=client, chunks={}, **MONTH)
        expected = float(held.kWHNet.max().compute(scheduler="threads"))
        before = len(cloud.requests)
        workers = request.getfixturevalue("cluster")
        with pytest.raises(ConfigError, match="Dask worker"):
            workers.submit(highest).result(30)
        assert workers.submit(highest, str(archive.path)).result(30) == expected
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sending large graph")
            assert float(held.kWHNet.max()) == expected  # what was read travels with the graph
        lazy = open_dataset(METER, archive=archive, chunks={}, **MONTH)
        assert float(lazy.kWHNet.max()) == expected
        assert len(cloud.requests) == before
