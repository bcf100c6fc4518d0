"""What the tests of reading share: an emulator, a client of it, and a meter."""

from __future__ import annotations

import pytest

from dentframe import DentCloud, emulator

LA = "America/Los_Angeles"
METER = "P482311252"
BOTH = ["DemandkW", "kWHNet"]


@pytest.fixture
def cloud():
    with emulator.serve(rate=None, concurrency=None) as served:
        yield served


@pytest.fixture
def client(cloud, tmp_path):
    with DentCloud(
        cloud.api_key, cloud.key_id, base_url=cloud.url, cache=tmp_path / "c", rate=1000
    ) as made:
        yield made


def serving(source, tmp_path, **settings):
    """An emulator over a source, and a client of it."""
    cloud = emulator.serve(source, rate=None, concurrency=None, **settings)
    client = DentCloud(
        cloud.api_key, cloud.key_id, base_url=cloud.url, cache=tmp_path / "c2", rate=1000
    )
    return cloud, client
