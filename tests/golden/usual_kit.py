"""What the tests of the usual ways share: a building that knows the truth, and a usual request."""

from __future__ import annotations

import pandas as pd
import pytest
import requests

from dentframe import DentCloud, emulator

METER = "P482311252"
LA = "America/Los_Angeles"
TOPICS = ["kWHNet", "DemandkW"]


@pytest.fixture(scope="module")
def plant():
    """The building, which knows the truth."""
    return emulator.Plant()


@pytest.fixture(scope="module")
def cloud(plant):
    """The service."""
    with emulator.serve(plant, rate=None, concurrency=None) as server:
        yield server


@pytest.fixture
def client(cloud, tmp_path):
    """dentframe's client of it."""
    with DentCloud(
        cloud.api_key, cloud.key_id, base_url=cloud.url, cache=tmp_path / "cache", rate=500
    ) as made:
        yield made


def ask(cloud, session=requests, **when):
    """What everyone writes first: one GET with the two headers."""
    keys = {"x-api-key": cloud.api_key, "x-key-id": cloud.key_id}
    query = {"request": "getData", "meter": METER, "topics": "[kWHNet,DemandkW]", **when}
    return session.get(cloud.url, params=query, headers=keys, timeout=30)


@pytest.fixture(scope="module")
def december(cloud):
    """A UTC month as everyone decodes it: strings to floats, what is not there to NaN."""
    rows = pd.DataFrame(ask(cloud, year=2023, month=12).json()["topics"])
    rows.index = pd.to_datetime(rows.pop("date") + " " + rows.pop("time"))
    return rows.apply(pd.to_numeric, errors="coerce")


@pytest.fixture(autouse=True)
def no_fault_is_left(cloud):
    yield
    cloud.faults.clear()
