"""The emulator over a real socket: requests, keys, parameters and answers."""

import json
from datetime import UTC, datetime

import pytest

from dentframe import emulator
from tests import emulator_kit
from tests.emulator_kit import EXAMPLE, HOUR, ask, said

cloud = emulator_kit.cloud
recorded = emulator_kit.recorded


def test_the_documents_meters(cloud):
    """getMeters answers the document's example, byte for byte."""
    body = b'{"success":true,"meters":["P482311252","P482102272","P482102270"]}'
    assert ask(cloud, "?request=getMeters")[2] == body


def test_the_documents_topics(cloud):
    """getTopics answers the document's catalogue in its order."""
    body = ask(cloud, "?request=getTopics")[2]
    assert body.startswith(b'{"success":true,"topics":[{"unit":"kVAh","requestKey":"kVAHNet",')
    keys = [t["requestKey"] for t in json.loads(body)["topics"]]
    assert keys == ["kVAHNet", "kWHNet", "DemandkW", "A", "dPF", "V"]


def test_the_documents_data(recorded):
    """The document's example answer comes back byte for byte, asked with units for topics."""
    status, headers, body = ask(recorded, HOUR)
    assert (status, body.decode()) == (200, EXAMPLE)
    assert headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("path", ["/v1", "/v1/"])
@pytest.mark.parametrize(
    "topics",
    [
        "[kW,A]",
        "[kW,%20A]",
        "[kW,+A]",
        "%5BkW%2C%20A%5D",
        "[A,DemandkW]",
        "[%20A,kW%20]",
        "[A,kW,A]",
    ],
)
def test_topics_as_clients_write_them(recorded, path, topics):
    """Lists come with and without spaces, escaped or not, in any order, by key or unit."""
    query = HOUR.replace("[kW,A]", topics)
    assert ask(recorded, query, path=path)[2].decode() == EXAMPLE


@pytest.mark.parametrize(
    "month", ["month=12&day=12&hour=2", "month=12&day=12&hour=02", "month=12&day=12", "month=12"]
)
def test_windows_as_clients_write_them(recorded, month):
    """Hours come with and without a leading zero; a day and a month hold the same rows."""
    query = HOUR.replace("month=12&day=12&hour=2", month)
    assert ask(recorded, query)[2].decode() == EXAMPLE


@pytest.mark.parametrize("month", ["month=3&day=5", "month=03&day=05", "month=3&day=05"])
def test_leading_zeros(cloud, month):
    """Months and days come with and without a leading zero."""
    rows = said(cloud, f"?request=getData&year=2023&{month}&topics=[kW]&meter=P482102270")["topics"]
    assert len(rows) == 96
    assert {row["date"] for row in rows} == {"2023-03-05"}


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("", "Missing required parameter: request"),
        ("?request=getPower", "Unknown request: getPower"),
        (HOUR.replace("year=2023&", ""), "Missing required parameter: year"),
        (HOUR.replace("month=12&", ""), "Missing required parameter: month"),
        (HOUR.replace("&meter=P482311252", ""), "Missing required parameter: meter"),
        (HOUR.replace("&topics=[kW,A]", ""), "Missing required parameter: topics"),
        (HOUR.replace("year=2023", "year=23x"), "Invalid year: 23x"),
        (HOUR.replace("month=12", "month=13"), "Invalid month: 13"),
        (HOUR.replace("month=12", "month=0"), "Invalid month: 0"),
        (HOUR.replace("month=12", "month=012"), "Invalid month: 012"),
        (HOUR.replace("hour=2", "hour=24"), "Invalid hour: 24"),
        (HOUR.replace("hour=2", "hour="), "Invalid hour: "),
        (HOUR.replace("day=12&", ""), "hour needs a day"),
        (HOUR.replace("month=12&day=12", "month=2&day=31"), "Invalid day: 2023-02 has no day 31"),
        (HOUR.replace("[kW,A]", "[Watts]"), "Unknown topic: Watts"),
        (HOUR.replace("[kW,A]", "[kw]"), "Unknown topic: kw"),
        (HOUR.replace("P482311252", "P1"), "Unknown meter: P1"),
    ],
)
def test_bad_parameters(cloud, query, error):
    """Bad parameters are answered 200 with success false and a reason."""
    status, _, body = ask(cloud, query)
    assert status == 200
    assert json.loads(body) == {"success": False, "error": error}


@pytest.mark.parametrize("topics", ["kW", "[]", "", "[", '["kW"]', "[kW,]"])
def test_lists_that_are_none(cloud, topics):
    """Topics must be a list in brackets of names that exist."""
    assert said(cloud, HOUR.replace("[kW,A]", topics))["success"] is False


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"x-api-key": "demo-key"},
        {"x-key-id": "demo-id"},
        {"x-api-key": "demo-id", "x-key-id": "demo-key"},
        {"x-api-key": "demo-key ", "x-key-id": "demo-id2"},
    ],
)
def test_bad_keys(cloud, keys):
    """Without the right pair of key and id, 403 and the gateway's words."""
    status, _, body = ask(cloud, "?request=getMeters", keys=keys)
    assert (status, body) == (403, b'{"message":"Forbidden"}')


def test_values_are_text(cloud):
    """Every value is a string."""
    rows = said(cloud, HOUR)["topics"]
    assert all(isinstance(value, str) for row in rows for value in row.values())


def test_empty_before_the_installation(cloud):
    """Before the installation both lists are empty."""
    query = HOUR.replace("2023", "2021")
    assert said(cloud, query) == {"headers": [], "topics": []}


def test_empty_in_the_future():
    """After now both lists are empty, and the current window ends at now."""
    with emulator.serve(now=lambda: datetime(2023, 12, 12, 2, 40, tzinfo=UTC)) as cloud:
        assert [r["time"] for r in said(cloud, HOUR)["topics"]] == ["02:02", "02:17", "02:32"]
        later = HOUR.replace("day=12", "day=13")
        assert said(cloud, later) == {"headers": [], "topics": []}


def test_answers_too_large():
    """Above max_body the answer is a 413, or what is asked for."""
    for status in (413, 502):
        with emulator.serve(max_body=500, too_large=status) as cloud:
            assert ask(cloud, HOUR)[0] == status
            assert ask(cloud, "?request=getMeters")[0] == 200


def test_requests_are_remembered(recorded):
    """Each request is remembered in order with what it asked and got."""
    ask(recorded, "?request=getMeters")
    ask(recorded, HOUR.replace("[kW,A]", "[kW,%20A]"))
    ask(recorded, HOUR, keys={})
    first, second, third = recorded.requests
    assert (first.request, first.status, first.meter, first.window) == (
        "getMeters",
        200,
        None,
        None,
    )
    assert (second.meter, second.window) == ("P482311252", "2023-12-12T02")
    assert (second.topics, second.size) == (("kW", "A"), len(EXAMPLE))
    assert third.status == 403
    assert recorded.data_requests == [second, third]


def test_the_log_holds_no_key():
    """The log has a line a request, and no credential in it."""
    lines = []
    with emulator.serve(api_key="s3cret", key_id="who", log=lines.append) as cloud:
        ask(cloud, HOUR, keys={"x-api-key": "s3cret", "x-key-id": "who"})
        ask(cloud, HOUR, keys={"x-api-key": "s3cret", "x-key-id": "whom"})
    assert [line.split()[:4] for line in lines] == [
        ["200", "getData", "P482311252", "2023-12-12T02"],
        ["403", "getData", "P482311252", "2023-12-12T02"],
    ]
    assert not any("s3cret" in line or "who" in line for line in lines)


def test_a_broken_source_is_a_500():
    """An error in a source is answered 500 and kept for the test to see."""
    source = emulator.Fixed({"P1": [{"time": "02:02"}]})
    with emulator.serve(source) as cloud:
        assert ask(cloud, HOUR.replace("P482311252", "P1"))[0] == 500
        assert [type(e) for e in cloud.errors] == [KeyError]
