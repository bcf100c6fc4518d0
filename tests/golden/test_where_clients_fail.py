"""What the usual ways to ask and to keep answers do, of docs/explain/where-others-fail.md."""

from __future__ import annotations

import contextlib
import sqlite3

import numpy as np
import pandas as pd
import pytest
import requests
import requests_cache

from dentframe import DentCloud, read_dentcloud
from dentframe.errors import AuthError, IncompleteReadError
from tests.golden import usual_kit
from tests.golden.usual_kit import METER, TOPICS, ask

plant = usual_kit.plant
cloud = usual_kit.cloud
client = usual_kit.client
no_fault_is_left = usual_kit.no_fault_is_left


def truth(plant, element, start="2023-12-01", end="2024-01-01", zone="UTC"):
    """What the element really used [kWh]."""
    edges = (pd.Timestamp(when, tz=zone).to_pydatetime() for when in (start, end))
    return plant.energy(METER, element, *edges)


def test_a_failed_request_is_billed_as_no_use(cloud, client, plant):
    """A loop that goes on after an error has less energy, and nothing says so."""
    cloud.faults.add("404", window="2023-11-07")
    parts = []
    for day in range(1, 15):
        with contextlib.suppress(requests.HTTPError):
            answer = ask(cloud, year=2023, month=11, day=day)
            answer.raise_for_status()
            parts.append(pd.DataFrame(answer.json()["topics"])["DemandkW/Elm/A"].astype(float))
    lost = truth(plant, "A", "2023-11-01", "2023-11-15") - sum(part.sum() / 4 for part in parts)
    assert lost > 100
    with pytest.raises(IncompleteReadError) as caught:
        read_dentcloud(METER, "2023-11-07", topics=TOPICS, client=client)
    assert [str(w) for w in caught.value.missing] == ["2023-11-07"]
    cloud.faults.clear()
    assert len(caught.value.resume()) == 96


def test_a_refusal_looks_like_an_empty_day(cloud, client):
    """`{"success": false}` comes as 200: a loop that reads `.get("topics", [])` sees no rows."""
    cloud.faults.add("success_false", request="getData")
    answer = ask(cloud, year=2023, month=11, day=3)
    assert answer.status_code == 200
    assert answer.json().get("topics", []) == []
    with pytest.raises(IncompleteReadError, match="2023-11-03"):
        read_dentcloud(METER, "2023-11-03", topics=TOPICS, client=client)


def test_a_day_a_request(cloud, client):
    """A year by days is 365 requests, 73 seconds at the limit; here it is 12."""
    before = len(cloud.data_requests)
    read_dentcloud(METER, "2023", topics="kWHNet", client=client)
    assert len(cloud.data_requests) - before == 12


def test_the_cache_keeps_the_keys(cloud, client, tmp_path):
    """requests-cache writes both keys into its file; dentframe's file holds neither."""
    with requests_cache.CachedSession(str(tmp_path / "theirs"), allowable_codes=[200]) as session:
        ask(cloud, session, year=2023, month=12, day=1)
    theirs = (tmp_path / "theirs.sqlite").read_bytes()
    assert cloud.api_key.encode() in theirs
    read_dentcloud(METER, "2023-12-01", topics=TOPICS, client=client)
    client.close()
    files = [p for p in (tmp_path / "cache").rglob("*") if p.is_file()]
    assert files
    assert not any(
        key.encode() in path.read_bytes() for path in files for key in (cloud.api_key, cloud.key_id)
    )


def test_the_cache_serves_one_account_to_another(cloud, tmp_path):
    """With the keys ignored, as is advised, a wrong key is served the right key's data."""
    hidden = ["x-api-key", "x-key-id", "X-Api-Key", "X-Key-Id"]
    with requests_cache.CachedSession(
        str(tmp_path / "shared"), ignored_parameters=hidden
    ) as session:
        ask(cloud, session, year=2023, month=12, day=1)
        wrong = {"x-api-key": "nobody", "x-key-id": "nobody"}
        query = {"request": "getData", "meter": METER, "topics": "[kWHNet,DemandkW]"}
        query |= {"year": 2023, "month": 12, "day": 1}
        theirs = session.get(cloud.url, params=query, headers=wrong, timeout=30)
    assert theirs.from_cache
    assert theirs.json()["topics"]
    for keys in ((cloud.api_key, cloud.key_id), ("nobody", "nobody")):
        with DentCloud(*keys, base_url=cloud.url, cache=tmp_path / "ours") as made:
            if keys[0] == "nobody":
                with pytest.raises(AuthError):
                    read_dentcloud(METER, "2023-12-01", topics=TOPICS, client=made)
            else:
                assert len(read_dentcloud(METER, "2023-12-01", topics=TOPICS, client=made)) == 96


def test_a_redirect_takes_the_keys_along(cloud):
    """requests sends both headers on to wherever a redirect points, another host included."""
    session = requests.Session()
    request = requests.Request("GET", cloud.url, headers={"x-api-key": cloud.api_key}).prepare()
    session.rebuild_auth(request, _redirect_of(request))
    assert request.headers["x-api-key"] == cloud.api_key
    session.close()


def _redirect_of(request):
    answer = requests.Response()
    answer.status_code, answer.request = 302, request.copy()
    answer.request.url = "https://elsewhere.example/v1"
    return answer


def test_a_text_becomes_ten(cloud):
    """`float("1_0")` is 10.0: Python's float takes what no meter means; here it is missing."""
    from dentframe.wire.decode import decode

    body = b'{"headers":["date","time","DemandkW/Elm/A"],"topics":['
    body += b'{"date":"2023-12-01","time":"00:02","DemandkW/Elm/A":"1_0"}]}'
    assert float("1_0") == 10.0
    page = decode(body)
    assert np.isnan(page.values).all()
    assert "DemandkW/Elm/A" in page.report.unreadable


def test_a_missing_key_moves_the_columns():
    """Rows taken by position put B's reading under A when A's key is absent."""
    from dentframe.wire.decode import decode

    body = b'{"headers":["date","time","A/Ch/A1","A/Ch/B1"],"topics":['
    body += b'{"date":"2023-12-01","time":"00:02","A/Ch/B1":"7.0"}]}'
    row = requests.models.complexjson.loads(body)["topics"][0]
    assert list(row.values())[2] == "7.0"  # third header: A1
    page = decode(body)
    assert np.isnan(page.values[0, 0])
    assert page.values[0, 1] == 7.0


def test_the_file_is_no_database_of_secrets(cloud, client, tmp_path):
    """The cache of a read holds answers by account hash; no table has a header's text."""
    read_dentcloud(METER, "2023-12-01", topics=TOPICS, client=client)
    for path in (tmp_path / "cache").rglob("*.sqlite"):
        with contextlib.closing(sqlite3.connect(path)) as db:
            text = "\n".join(db.iterdump())
        assert "x-api-key" not in text.lower()
