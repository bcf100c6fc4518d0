"""Plans, lists and the inventory, and what a read has by itself."""

from __future__ import annotations

import re
import warnings

import pandas as pd
import pytest

from dentframe import emulator, get_meters, get_topics, inventory, plan_dentcloud, read_dentcloud
from dentframe.errors import RangeError, ReadingWarning, UnknownMeterError
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
    assert "2 requests, 1 cached" in repr(plan)


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


def test_a_year_as_a_number_is_that_year(client):
    """`(M, 2023)` and the half-open `(M, 2023, 2024)` are the same."""
    plans = [plan_dentcloud(METER, *span, client=client) for span in ((2023,), (2023, 2024))]
    assert list(plans[0]) == list(plans[1])
    assert len(plans[0]) == 12


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("12/2023", "'2023-12'"),
        ("2023/12", "'2023-12'"),
        ("2023.12", "'2023-12'"),
        ("Dec 2023", "'2023-12'"),
        ("202312", "'2023-12'"),
        (202312, "'2023-12'"),
        ("31/12/2023", "'2023-12-31'"),
        ("12/31/2023", "'2023-12-31'"),
        ("1 December 2023", "'2023-12-01'"),
        (20231231, "'2023-12-31'"),
        ("05/06/2023", "'2023-05-06' or '2023-06-05'"),
    ],
)
def test_a_date_in_another_spelling_is_told_the_right_one(client, given, meant):
    """What it means is suggested, never guessed; two meanings are both named."""
    with pytest.raises(RangeError, match=rf"Did you mean {meant}\?"):
        read_dentcloud(METER, given, client=client)


@pytest.mark.parametrize("given", [["DemandkW"], "kWh"])
def test_topics_in_the_place_of_the_end_are_told_their_name(client, given):
    """The third argument is the end of the range."""
    with pytest.raises(RangeError, match=re.escape(f"say topics={given!r}")):
        read_dentcloud(METER, "2023-12", given, client=client)


@pytest.mark.parametrize("given", ["31/31/2023", 1701388800, 2023.5, "yesterday"])
def test_what_is_no_date_gets_no_suggestion(client, given):
    """Nothing near is better than a wrong guess."""
    with pytest.raises(RangeError, match=r"as a time\. Use a date like"):
        read_dentcloud(METER, given, client=client)


def test_an_element_that_is_none_is_told_the_right_one(client):
    """In small letters it is suggested; another letter lists those that there are."""
    with pytest.raises(UnknownMeterError, match=f"did you mean its element '{METER}_A'"):
        read_dentcloud(f"{METER}_a", "2023-12-05", client=client)
    with pytest.raises(UnknownMeterError, match="of the elements A, B, C, D, E, F, G, and none of"):
        read_dentcloud(f"{METER}_X", "2023-12-05", topics="kWHNet", client=client)


@pytest.mark.parametrize(("old", "new"), [("H", "h"), ("15T", "15min"), ("2H", "2h")])
def test_old_spellings_of_pandas_are_named(client, old, new):
    """The reason is told, and what to write."""
    frame = read_dentcloud(METER, "2023-12-05", topics="kWHNet", client=client)
    with pytest.raises(RangeError, match=f"pandas' old spelling.*'{new}'"):
        frame.dent.energy(old, tz="UTC")


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
