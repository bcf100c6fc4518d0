"""Real PowerScout data, served by the emulator from the shared folder, read completely."""

from __future__ import annotations

import importlib.util
import json
import sys

import pandas as pd
import pytest

from dentframe import DentCloud, emulator, read_dentcloud
from tests.conftest import SHARED

SEOUL = "Asia/Seoul"


@pytest.fixture(scope="module", params=["ampds", "forrestal", "steel"])
def recorded(request, tmp_path_factory):
    """One data set in the wire format: its name and the folder of month answers."""
    if not SHARED.is_dir():
        pytest.skip(f"no folder {SHARED.name!r} beside the project")
    folder = tmp_path_factory.mktemp(request.param)
    spec = importlib.util.spec_from_file_location("to_wire", SHARED / "data/to_wire.py")
    to_wire = importlib.util.module_from_spec(spec)
    sys.modules["to_wire"] = to_wire
    spec.loader.exec_module(to_wire)
    to_wire.main([request.param, str(folder)])
    return request.param, folder


@pytest.fixture
def cloud(recorded):
    with emulator.serve(emulator.Recorded(recorded[1]), rate=None, concurrency=None) as served:
        yield served


@pytest.fixture
def client(cloud, tmp_path):
    with DentCloud(
        cloud.api_key, cloud.key_id, base_url=cloud.url, cache=tmp_path / "c", rate=1000
    ) as made:
        yield made


def naive(folder, meter):
    """What the month files hold, cell by cell: {column: {instant: float}}."""
    cells: dict[str, dict[pd.Timestamp, float]] = {}
    for path in sorted(folder.glob(f"{meter}-*.json")):
        for row in json.loads(path.read_text())["topics"]:
            at = pd.Timestamp(f"{row.pop('date')} {row.pop('time')}", tz="UTC")
            for column, text in row.items():
                cells.setdefault(column, {})[at] = float(text)
    return cells


def test_every_reading_of_every_meter_comes_through(recorded, client):
    """Each column holds exactly the readings of the files, bit for bit, and no more."""
    _, folder = recorded
    for meter in client.get_meters():
        wanted = naive(folder, meter)
        times = sorted(set().union(*wanted.values()))
        df = read_dentcloud(meter, times[0], times[-1] + pd.Timedelta("1min"), client=client)
        assert set(df.columns) == set(wanted)
        assert df.index.tolist() == times
        for column, readings in wanted.items():
            assert df[column].dropna().to_dict() == readings


def test_ampds_has_its_3414_rows(recorded, client):
    """The real PowerScout's 35 days at 15 min are 3,414 rows of 7 columns."""
    if recorded[0] != "ampds":
        pytest.skip("another data set")
    df = read_dentcloud("P900000005", "2014-02", "2014-05", client=client)
    assert df.shape == (3414, 7)


@pytest.mark.parametrize(("bracket", "rows"), [(False, 35_040), (True, 35_041)])
def test_the_steel_year_costs_13_requests(recorded, cloud, client, bracket, rows):
    """A local year is 13 requests, with or without its brackets."""
    if recorded[0] != "steel":
        pytest.skip("another data set")
    df = read_dentcloud("P900000006", "2018", tz=SEOUL, bracket=bracket, client=client)
    assert len(df) == rows
    assert len(cloud.data_requests) == 13
