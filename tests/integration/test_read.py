"""Reading through the emulator over a real socket."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

from dentframe import Archive, DentCloud, emulator, plan_dentcloud, read_dentcloud, sync
from dentframe.errors import RangeError, ReadingWarning
from tests.integration import read_kit
from tests.integration.read_kit import BOTH, LA, METER, serving

cloud = read_kit.cloud
client = read_kit.client


def test_the_documents_example(shared, tmp_path):
    """The document's answer gives its 4 rows and 8 columns, in the units of getTopics."""
    answer = json.loads((shared / "api/examples/getData.json").read_text())
    cloud, client = serving(emulator.Fixed({METER: answer["topics"]}), tmp_path)
    with cloud, client:
        df = read_dentcloud(METER, "2023-12-12 02:00", "2023-12-12 03:00", client=client)
        assert df.shape == (4, 8)
        assert [str(t) for t in df.index[[0, -1]]] == [
            "2023-12-12 02:02:00+00:00",
            "2023-12-12 02:47:00+00:00",
        ]
        assert {str(u) for u in df.dent.units.values()} == {"ampere", "kilowatt"}
        asked = read_dentcloud(
            METER, "2023-12-12 02:00", "2023-12-12 03:00", ["kW", "A"], client=client
        )
    assert asked.columns[0] == "DemandkW/Elm/A"
    assert asked.columns[-1] == "A/Ch/E2"
    hour = asked.dent.energy("h", tz="UTC", detail=True)
    row = hour[hour["element"] == "A"].iloc[0]
    assert row["energy"] == pytest.approx(0.32115, abs=1e-12)
    assert row["coverage"] == pytest.approx(47 / 60, abs=1e-12)


def test_december_in_los_angeles_is_two_requests(cloud, client):
    """A local month is its UTC month and one day; a second read asks nothing."""
    planned = plan_dentcloud(METER, "2023-12", topics=BOTH, tz=LA, client=client)
    df = read_dentcloud(METER, "2023-12", topics=BOTH, tz=LA, client=client)
    assert planned.requests == len(planned) == len(cloud.data_requests) == 2
    assert df.index[0] >= pd.Timestamp("2023-12-01", tz=LA)
    assert df.index[-1] < pd.Timestamp("2024-01-01", tz=LA)
    again = read_dentcloud(METER, "2023-12", topics=BOTH, tz=LA, client=client)
    assert len(cloud.data_requests) == 2
    pd.testing.assert_frame_equal(df, again)


def test_the_frames_promises(client):
    """UTC microseconds, sorted, unique, float64, wire names in order, JSON-safe attrs."""
    df = read_dentcloud(METER, "2023-12-05", topics=["kWHNet", "A"], client=client)
    assert str(df.index.dtype) == "datetime64[us, UTC]"
    assert df.index.name == "time"
    assert df.index.is_monotonic_increasing
    assert df.index.is_unique
    assert set(df.dtypes) == {np.dtype("float64")}
    assert df.columns[0] == "kWHNet/Elm/A"
    assert json.loads(json.dumps(df.attrs["dentcloud"])) == {
        "schema": 2,
        "units": {"kWHNet": "kWh", "A": "A"},
        "ranges": {METER: ["2023-12-05T00:00:00+00:00", "2023-12-06T00:00:00+00:00"]},
        "rows": {METER: [df.index[0].isoformat(), df.index[-1].isoformat()]},
        "conflicts": {},
        "duplicates": {},
    }


def test_a_list_gives_a_meter_level_even_for_one(client):
    """A list of meters, or of one, has rows under meter, time."""
    df = read_dentcloud([METER], "2023-12-05", topics="kWHNet", client=client)
    assert df.index.names == ["meter", "time"]
    single = read_dentcloud(METER, "2023-12-05", topics="kWHNet", client=client)
    pd.testing.assert_frame_equal(df.loc[METER], single, check_index_type=False)


def test_elements_of_one_meter_are_fetched_once(cloud, client):
    """Two elements of a meter cost one request, and only their columns come back."""
    df = read_dentcloud([f"{METER}_B", f"{METER}_D"], "2023-12-05", client=client)
    assert len(cloud.data_requests) == 1
    assert df.dent.elements == ["B", "D"]


def test_bracket_adds_one_row_on_each_side(client):
    """The bracketing readings are those around the range, and the rest is the same."""
    inner = read_dentcloud(METER, "2023-12-05", topics="kWHNet", tz=LA, client=client)
    outer = read_dentcloud(METER, "2023-12-05", topics="kWHNet", tz=LA, bracket=True, client=client)
    pd.testing.assert_frame_equal(outer.iloc[1:-1], inner)
    assert outer.index[0] < pd.Timestamp("2023-12-05", tz=LA) <= outer.index[1]
    assert outer.index[-2] < pd.Timestamp("2023-12-06", tz=LA) <= outer.index[-1]


def test_a_bracket_is_looked_for_in_its_hour_then_its_day(tmp_path):
    """A lost hour at the edge costs one more request, the day; no more than that."""
    rows = [
        {"date": "2024-01-01", "time": "20:02", "kWHNet/Elm/A": "10"},
        {"date": "2024-01-02", "time": "00:02", "kWHNet/Elm/A": "12"},
        {"date": "2024-01-03", "time": "00:02", "kWHNet/Elm/A": "15"},
    ]
    cloud, client = serving(emulator.Fixed({"P1": rows}), tmp_path)
    with cloud, client:
        df = read_dentcloud("P1", "2024-01-02", topics="kWHNet", bracket=True, client=client)
        asked = [(r.day, r.hour) for r in cloud.data_requests]
    assert df["kWHNet/Elm/A"].tolist() == [10, 12, 15]
    assert asked[-1] == (1, None)
    assert len(asked) == 4


def test_a_bracket_not_found_is_no_row(tmp_path):
    """Before installation there is no bracket, and the read says nothing it does not know."""
    rows = [{"date": "2024-01-02", "time": "00:02", "kWHNet/Elm/A": "12"}]
    cloud, client = serving(emulator.Fixed({"P1": rows}), tmp_path)
    with cloud, client:
        df = read_dentcloud("P1", "2024-01-02", topics="kWHNet", bracket=True, client=client)
    assert len(df) == 1


def test_an_empty_read_is_an_empty_utc_frame(client):
    """Before installation: no rows, the UTC index, no invented zeros; the read says so."""
    with pytest.warns(ReadingWarning, match=r"no readings in \[2021-12-01.*inventory\(\)") as told:
        df = read_dentcloud(METER, "2021-12", client=client)
    assert len(told) == 1
    assert "future" not in str(told[0].message)
    with pytest.raises(RangeError, match=f"no readings of {METER} in .2021-12-01"):
        df.dent.energy("D", tz="UTC")
    with pytest.raises(RangeError, match="no readings"):
        df.dent.peaks(tz="UTC")
    with pytest.raises(RangeError, match="no readings"):
        df.dent.stats("V", tz="UTC")
    assert len(df) == 0
    assert str(df.index.dtype) == "datetime64[us, UTC]"


def test_the_future_is_never_asked_for(cloud, client):
    """A range that lies in the future costs no request."""
    with pytest.warns(ReadingWarning, match="lies in the future"):
        assert len(read_dentcloud(METER, "2190", client=client)) == 0
    assert cloud.data_requests == []


def test_quantify_gives_pint_dtypes(client):
    """quantify=True attaches the units to the columns."""
    pytest.importorskip("pint_pandas")
    df = read_dentcloud(METER, "2023-12-05", topics="kWHNet", quantify=True, client=client)
    assert all(str(dtype).startswith("pint[kilowatt_hour]") for dtype in df.dtypes)


@pytest.mark.filterwarnings("ignore::dentframe.errors.DentWarning")
def test_readings_that_came_twice_are_flags_of_their_figures(tmp_path):
    """Conflicting and identical ones, from the cloud, an archive and as a Dataset."""
    times = pd.date_range("2023-12-12", periods=96, freq="15min")
    rows = [
        {"date": f"{t:%Y-%m-%d}", "time": f"{t:%H:%M}", "kWHNet/Elm/A": str(n)}
        for n, t in enumerate(times)
    ]
    rows.insert(41, {**rows[40], "kWHNet/Elm/A": "7"})
    rows.insert(70, rows[69])
    cloud, client = serving(emulator.Fixed({"P1": rows}), tmp_path)
    with cloud, client:
        read = read_dentcloud("P1", "2023-12-12", topics="kWHNet", client=client)
        sync("P1", "2023-12-12", topics="kWHNet", archive=tmp_path / "a", client=client)
    kept = Archive(tmp_path / "a").read("P1", "2023-12-12", topics="kWHNet")
    for frame in (read, kept, read.dent.to_xarray().dent.to_frame()):
        assert _hours(frame, "conflicting_duplicate") == [9, 10]
    for frame in (read, read.dent.to_xarray().dent.to_frame()):
        assert _hours(frame, "duplicate_dropped") == [16, 17]


def _hours(frame, flag):
    """The hours whose energy has a flag."""
    rows = frame.dent.energy("h", tz="UTC", detail=True)
    return rows.loc[rows["flags"].map(lambda x: flag in x), "start"].dt.hour.tolist()


@pytest.mark.parametrize("span", [("2023-12-01", "2024-01-01"), ("2023-10-01", "2024-01-01")])
def test_what_is_read_at_once_belongs_to_each_reader(tmp_path, span):
    """Four threads read the same from one request a window; a change to one frame is its own."""
    with emulator.serve(rate=None, concurrency=None, latency=0.3) as cloud:
        keys = cloud.api_key, cloud.key_id
        with DentCloud(*keys, base_url=cloud.url, cache=tmp_path / "c", rate=1000) as client:
            client.get_meters()
            client.get_topics()

            def read(_):
                return read_dentcloud(METER, *span, topics="kWHNet", tz="UTC", client=client)

            with ThreadPoolExecutor(4) as pool:
                frames = list(pool.map(read, range(4)))
            assert len(cloud.data_requests) == (1 if span[0] == "2023-12-01" else 3)
            again = read(0)
    for frame in frames:
        pd.testing.assert_frame_equal(frame, again)
        assert not np.shares_memory(frame.columns.to_numpy(), again.columns.to_numpy())
        assert not np.shares_memory(frame.index.asi8, again.index.asi8)
        frame.iloc[:] = -1.0
