"""Plans, lists and the inventory, and what a read has by itself."""

from __future__ import annotations

import warnings

import pandas as pd
import pytest

from dentframe import emulator, inventory
from dentframe.errors import ReadingWarning
from dentframe.reader import get_meters, get_topics, plan_dentcloud, read_dentcloud
from tests.integration import read_kit
from tests.integration.read_kit import METER

cloud = read_kit.cloud
client = read_kit.client


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


def test_inventory_of_meters_with_little(tmp_path):
    """No reading at all, one, and no DemandkW: each has a row of what there is."""
    day = pd.Timestamp.now("UTC").strftime("%Y-%m-%d")
    stamp = {"date": day, "time": "00:00"}
    rows = {"P1": [], "P2": [{**stamp, "kWHNet/Elm/A": "1"}], "P3": [{**stamp, "V/Ch/A1": "230"}]}
    cloud, client = read_kit.serving(emulator.Fixed(rows), tmp_path)
    with cloud, client:
        found = inventory(client=client)
        nothing = inventory("P1", client=client)
    assert found["elements"].tolist() == [[], ["A"], ["A"]]
    assert found["topics"].tolist() == [[], ["kWHNet"], ["V"]]
    assert found["interval"].isna().all()
    assert found["last"].isna().tolist() == [True, False, False]
    assert nothing.dtypes.tolist() == found.dtypes.tolist()


def test_a_unit_that_nobody_knows_is_named_and_hinders_no_other(tmp_path):
    """``%THD`` beside kW: the others have their units, pint dtypes too."""
    topics = [{"unit": "kW", "requestKey": "DemandkW", "description": ""}]
    topics += [{"unit": "%THD", "requestKey": "THD", "description": ""}]
    row = {"date": "2023-12-12", "time": "00:00", "DemandkW/Elm/A": "1", "THD/Ch/A1": "3"}
    cloud, client = read_kit.serving(emulator.Fixed({"P1": [row]}, topics), tmp_path)
    with cloud, client:
        frame = read_dentcloud("P1", "2023-12-12", client=client)
    with pytest.warns(ReadingWarning, match="THD in '%THD'"):
        assert list(frame.dent.units) == ["DemandkW/Elm/A"]
    with pytest.warns(ReadingWarning, match="THD in '%THD'"):
        quantified = frame.dent.quantify()
    assert list(map(str, quantified.dtypes)) == ["pint[kilowatt][Float64]", "float64"]
    assert "%THD" in repr(frame.dent)


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
