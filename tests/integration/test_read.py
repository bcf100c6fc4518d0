"""Reading through the emulator over a real socket."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pandas as pd
import pytest

from dentframe import (
    DentCloud,
    emulator,
    get_meters,
    get_topics,
    inventory,
    plan_dentcloud,
    read_dentcloud,
)
from dentframe.errors import (
    AuthError,
    ConfigError,
    CoverageWarning,
    IncompleteReadError,
    IncompleteReadWarning,
    RangeError,
    ReadingWarning,
    UnknownMeterError,
    UnknownTopicError,
)

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
    with pytest.warns(UserWarning, match="partial"):
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
        "schema": 1,
        "units": {"kWHNet": "kWh", "A": "A"},
        "ranges": {METER: ["2023-12-05T00:00:00+00:00", "2023-12-06T00:00:00+00:00"]},
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


def test_an_element_the_meter_lacks_is_missing_and_told(client):
    """An element that returned nothing is a column of NaN and a warning, never nothing."""
    with pytest.warns(ReadingWarning, match="element Z returned no column"):
        df = read_dentcloud(f"{METER}_Z", "2023-12-05", topics="kWHNet", client=client)
    assert df.columns.tolist() == ["kWHNet/Elm/Z"]
    assert df["kWHNet/Elm/Z"].isna().all()


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
    """Before installation: no rows, the UTC index, no invented zeros."""
    df = read_dentcloud(METER, "2021-12", client=client)
    assert len(df) == 0
    assert str(df.index.dtype) == "datetime64[us, UTC]"


def test_the_future_is_never_asked_for(cloud, client):
    """A range that lies in the future costs no request."""
    assert len(read_dentcloud(METER, "2190", client=client)) == 0
    assert cloud.data_requests == []


def test_unreadable_text_warns_once_and_is_missing(tmp_path):
    """`N/A` is NaN, counted and shown; blanks are NaN without a word."""
    rows = [
        {"date": "2024-01-01", "time": "00:02", "kWHNet/Elm/A": "N/A", "kWHNet/Elm/B": ""},
        {"date": "2024-01-01", "time": "00:17", "kWHNet/Elm/A": "1_0", "kWHNet/Elm/B": "2"},
    ]
    cloud, client = serving(emulator.Fixed({"P1": rows}), tmp_path)
    with cloud, client, pytest.warns(ReadingWarning, match="2 cell.*'N/A', '1_0'") as caught:
        df = read_dentcloud("P1", "2024-01-01", topics="kWHNet", client=client)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert df["kWHNet/Elm/A"].isna().all()
    assert df["kWHNet/Elm/B"].isna().tolist() == [True, False]


def test_unknown_topics_scopes_and_shapes_come_through(tmp_path):
    """`V/Ph/L1-L2`, `kVARHNet/Elm/A` and `Foo` are kept as they are."""
    rows = [
        {
            "date": "2024-01-01",
            "time": "00:02",
            "V/Ph/L1-L2": "480",
            "kVARHNet/Elm/A": "1",
            "Foo": "2",
        }
    ]
    cloud, client = serving(emulator.Fixed({"P1": rows}), tmp_path)
    with cloud, client:
        df = read_dentcloud("P1", "2024-01-01", client=client)
    assert set(df.columns) >= {"V/Ph/L1-L2"}


def test_a_lost_window_is_an_error_that_can_be_taken_up_again(cloud, client):
    """One failed month leaves the others in .partial, and .resume() returns the whole."""
    cloud.faults.add("success_false", where=lambda seen: seen.month == 11)
    with pytest.raises(IncompleteReadError, match="2023-11") as caught:
        read_dentcloud(METER, "2023-10", "2024-01", "kWHNet", client=client)
    error = caught.value
    assert [str(w) for w in error.missing] == ["2023-11"]
    assert set(error.partial.index.month) == {10, 12}
    with pytest.raises(IncompleteReadError):
        error.resume()
    cloud.faults.clear()
    before = len(cloud.data_requests)
    whole = error.resume()
    assert len(cloud.data_requests) == before + 1
    pd.testing.assert_frame_equal(
        whole, read_dentcloud(METER, "2023-10", "2024-01", "kWHNet", client=client)
    )


def test_errors_warn_gives_the_partial_frame_and_says_so(cloud, client):
    """With errors="warn" the missing windows are named in a warning."""
    cloud.faults.add("success_false", where=lambda seen: seen.month == 11)
    with pytest.warns(IncompleteReadWarning, match="2023-11"):
        df = read_dentcloud(METER, "2023-10", "2024-01", "kWHNet", errors="warn", client=client)
    assert set(df.index.month) == {10, 12}


def test_a_refused_key_is_an_auth_error(cloud, tmp_path):
    """A wrong key raises AuthError and shows no key."""
    client = DentCloud("wrong-secret", cloud.key_id, base_url=cloud.url, cache=False)
    with client, pytest.raises(AuthError) as caught:
        read_dentcloud(METER, "2023-12", client=client)
    assert "wrong-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ((METER, "2023-13"), RangeError, "2023-13"),
        ((METER, "2024", "2023"), RangeError, "before end"),
        ((METER, "2023-12-12 02:00"), RangeError, "end"),
        ((METER, "2023-12", None, ["kWhNet"]), UnknownTopicError, "did you mean 'kWHNet'"),
        (("P48231125", "2023-12"), UnknownMeterError, "did you mean 'P482311252'"),
        ((7, "2023-12"), ConfigError, "get_meters"),
    ],
)
def test_arguments_that_cannot_be_meant_are_refused(client, arguments, error, match):
    """Each bad argument has its typed error that names it."""
    with pytest.raises(error, match=match):
        read_dentcloud(*arguments, client=client)


def test_bad_options_are_refused(client):
    """errors="ignore" is no choice."""
    with pytest.raises(ConfigError, match="ignore"):
        read_dentcloud(METER, "2023-12", errors="ignore", client=client)


def test_quantify_gives_pint_dtypes(client):
    """quantify=True attaches the units to the columns."""
    pytest.importorskip("pint_pandas")
    df = read_dentcloud(METER, "2023-12-05", topics="kWHNet", quantify=True, client=client)
    assert all(str(dtype).startswith("pint[kilowatt_hour]") for dtype in df.dtypes)


def test_plans_ask_nothing(cloud, client):
    """A plan sends no request at all and says where its topics come from."""
    plan = plan_dentcloud(METER, "2023", client=client)
    assert cloud.requests == []
    assert plan.topics_from == "built-in catalogue"
    assert (plan.requests, plan.cached, len(list(plan))) == (12, 0, 12)
    assert plan.seconds == pytest.approx(7 / client.rate)


def test_a_plan_counts_what_the_cache_holds(client):
    """After a read its windows are free."""
    read_dentcloud(METER, "2023-11", client=client)
    plan = plan_dentcloud(METER, "2023-10", "2024-01", client=client)
    assert (plan.requests, plan.cached) == (2, 1)
    assert plan.topics_from == "kept getTopics"
    assert "2 request(s), 1 cached" in repr(plan)


def test_the_lists(client):
    """get_meters and get_topics are what the document's answers say."""
    assert get_meters(client) == [METER, "P482102272", "P482102270"]
    topics = get_topics(client)
    assert topics.loc["kWHNet", ["unit", "kind"]].tolist() == ["kWh", "register"]
    assert str(topics.loc["dPF", "pint unit"]) == "dimensionless"


def test_inventory_finds_first_and_last_with_few_requests(cloud, client):
    """About ten requests tell what a meter has and since when."""
    found = inventory(METER, client=client)
    assert found.loc[METER, "elements"] == list("ABCDEFG")
    assert found.loc[METER, "interval"] == pd.Timedelta("15min")
    assert found.loc[METER, "first"] < pd.Timestamp("2022-06-01 01:00", tz="UTC")
    assert found.loc[METER, "last"] > pd.Timestamp.now("UTC") - pd.Timedelta("1h")
    assert len(cloud.data_requests) <= 14


def test_no_progress_bar_without_a_terminal(client, capsys):
    """Neither stdout nor stderr sees a bar when nobody watches."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_dentcloud(METER, "2023-12-05", topics="kWHNet", client=client)
    assert capsys.readouterr() == ("", "")


def test_the_environment_makes_the_default_client(cloud, monkeypatch):
    """Without client= the key pair of the environment is used."""
    monkeypatch.setenv("DENTCLOUD_BASE_URL", cloud.url)
    monkeypatch.setenv("DENTCLOUD_API_KEY", cloud.api_key)
    monkeypatch.setenv("DENTCLOUD_KEY_ID", cloud.key_id)
    assert len(read_dentcloud(METER, "2023-12-05", topics="kWHNet")) == 96


def test_a_meter_that_returned_nothing_is_missing_in_the_energy(tmp_path):
    """Among several meters a silent one is a row of NaN; named by element it is `missing`."""
    rows = [
        {"date": "2024-01-01", "time": f"{h:02d}:02", "kWHNet/Elm/A": str(h)} for h in range(24)
    ]
    cloud, client = serving(emulator.Fixed({"P1": rows, "P2": []}), tmp_path)
    with cloud, client:
        both = read_dentcloud(["P1", "P2"], "2024-01-01", topics="kWHNet", client=client)
        named = read_dentcloud(["P1_A", "P2_A"], "2024-01-01", topics="kWHNet", client=client)
        alone = read_dentcloud("P2_A", "2024-01-01", topics="kWHNet", client=client)
    with pytest.warns(CoverageWarning):
        wide = both.dent.energy("D", tz="UTC")
    assert wide["Energy/Elm/A"].isna().tolist() == [False, True]
    with pytest.warns(CoverageWarning, match="1 missing"):
        detail = named.dent.energy("D", tz="UTC", detail=True)
    assert detail.set_index("meter").loc["P2", "status"] == "missing"
    with pytest.warns(CoverageWarning):
        assert alone.dent.energy("D", tz="UTC", detail=True)["status"].tolist() == ["missing"]
