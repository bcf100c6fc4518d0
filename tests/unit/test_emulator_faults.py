"""The emulator's faults: each does what its name says, when it is meant to."""

import http.client
import json
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest

from dentframe import emulator
from tests.emulator_kit import HOUR, KEYS, ask, connect, said

MONTH = HOUR.replace("&day=12&hour=2", "")
PAGE = Path(__file__).parents[2] / "docs" / "guide" / "testing-your-code.md"


@pytest.fixture
def cloud():
    with emulator.serve(rate=None) as cloud:
        yield cloud


def good(cloud):
    """The honest answer."""
    cloud.faults.clear()
    return said(cloud, HOUR)


@pytest.mark.parametrize(
    ("name", "status", "message"),
    [
        ("429", 429, "Too Many Requests"),
        ("quota", 429, "Limit Exceeded"),
        ("403", 403, "Forbidden"),
        ("404", 404, "Not Found"),
        ("413", 413, "Request Entity Too Large"),
        ("500", 500, "Internal server error"),
        ("502", 502, "Internal server error"),
        ("503", 503, "Service Unavailable"),
        ("504", 504, "Endpoint request timed out"),
    ],
)
def test_statuses(cloud, name, status, message):
    """Faults that are a status answer it with the gateway's message."""
    cloud.faults.add(name, retry_after=2)
    got, headers, body = ask(cloud, HOUR)
    assert (got, json.loads(body), headers["Retry-After"]) == (status, {"message": message}, "2")


@pytest.mark.parametrize(("name", "body"), [("empty", b""), ("null", b"null")])
def test_bodies(cloud, name, body):
    """Some faults answer 200 with a body that says nothing."""
    cloud.faults.add(name)
    assert ask(cloud, HOUR)[::2] == (200, body)


def test_html(cloud):
    """A page of HTML says that it is one."""
    cloud.faults.add("html")
    status, headers, body = ask(cloud, HOUR)
    assert (status, headers["Content-Type"], body[:15]) == (200, "text/html", b"<!DOCTYPE html>")


def test_success_false(cloud):
    """The observed refusal, with a text of choice."""
    cloud.faults.add("success_false", value="meter offline")
    assert said(cloud, HOUR) == {"success": False, "error": "meter offline"}


def test_redirect(cloud):
    """A redirect goes where it is told, to another host by default."""
    cloud.faults.add("redirect", location="http://127.0.0.1:9/v1", times=1)
    assert ask(cloud, HOUR)[1]["Location"] == "http://127.0.0.1:9/v1"
    cloud.faults.add("redirect")
    status, headers, _ = ask(cloud, HOUR)
    assert (status, headers["Location"]) == (302, "https://elsewhere.invalid/v1")


def test_reset(cloud):
    """The connection is reset before an answer; the request is remembered without a status."""
    cloud.faults.add("reset")
    with pytest.raises(ConnectionError):
        ask(cloud, HOUR)
    assert (cloud.requests[-1].status, cloud.requests[-1].fault) == (0, "reset")


@pytest.mark.parametrize("name", ["reset_body", "cut"])
def test_broken_bodies(cloud, name):
    """The body breaks off although its length was announced."""
    cloud.faults.add(name)
    error = ConnectionError if name == "reset_body" else http.client.IncompleteRead
    with pytest.raises((error, http.client.IncompleteRead)):
        ask(cloud, MONTH)


def test_short(cloud):
    """Half a body of the right length is not JSON."""
    cloud.faults.add("short")
    status, headers, body = ask(cloud, HOUR)
    assert (status, int(headers["Content-Length"])) == (200, len(body))
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)


def test_bad_gzip(cloud):
    """What claims to be gzip is none, even for who did not ask for it."""
    cloud.faults.add("bad_gzip")
    _, headers, body = ask(cloud, HOUR)
    assert headers["Content-Encoding"] == "gzip"
    unpack = zlib.decompressobj(31)
    try:
        unpack.decompress(body)
        assert not unpack.eof
    except zlib.error:
        pass


def test_slow_headers(cloud):
    """The answer begins late and is whole."""
    cloud.faults.add("slow_headers", seconds=0.2)
    began = time.perf_counter()
    assert len(said(cloud, HOUR)["topics"]) == 4
    assert time.perf_counter() - began > 0.19


def test_drip(cloud):
    """The body comes byte by byte and is whole in the end."""
    cloud.faults.add("drip", seconds=0.003)
    began = time.perf_counter()
    assert said(cloud, "?request=getMeters")["success"] is True
    assert time.perf_counter() - began > 0.15


@pytest.mark.parametrize(
    ("name", "value"), [("text_value", "N/A"), ("blank", ""), ("null_value", None)]
)
def test_cells(cloud, name, value):
    """One cell is spoilt, the column may be chosen."""
    cloud.faults.add(name, column="DemandkW/Elm/B")
    spoilt, honest = said(cloud, HOUR)["topics"], good(cloud)["topics"]
    assert spoilt[2].pop("DemandkW/Elm/B") == value
    honest[2].pop("DemandkW/Elm/B")
    assert spoilt == honest


def test_missing_keys(cloud):
    """Rows lack a column, in silence."""
    cloud.faults.add("missing_keys")
    spoilt = said(cloud, HOUR)
    assert ["A/Ch/A1" in row for row in spoilt["topics"]] == [False, True, True, False]
    assert "A/Ch/A1" in spoilt["headers"]


def test_extra_and_unasked(cloud):
    """Keys beyond the headers, and columns beyond the topics asked."""
    cloud.faults.add("extra_keys")
    cloud.faults.add("unasked")
    spoilt = said(cloud, HOUR)
    assert spoilt["headers"][-1] == "kVARHNet/Elm/A"
    assert set(spoilt["topics"][0]) - set(spoilt["headers"]) == {"A/Ch/Z9"}


def test_rows_out_of_order(cloud):
    """Shuffled rows are the same rows."""
    cloud.faults.add("shuffle_rows")
    spoilt, honest = said(cloud, MONTH)["topics"], None
    honest = json.loads(ask_good(cloud, MONTH))["topics"]
    assert spoilt != honest
    assert sorted(spoilt, key=lambda r: (r["date"], r["time"])) == honest


def ask_good(cloud, query):
    """The honest answer's body."""
    cloud.faults.clear()
    return ask(cloud, query)[2]


def test_rows_twice(cloud):
    """Duplicates are alike, conflicts are not."""
    cloud.faults.add("duplicate_rows", times=1)
    cloud.faults.add("conflicting_rows", request="getData")
    rows = said(cloud, HOUR)["topics"]
    assert len(rows) == 6
    assert rows[0] == rows[1]
    rows = said(cloud, HOUR)["topics"]
    assert (rows[2]["time"], rows[3]["A/Ch/A1"]) == (rows[3]["time"], "123456.789")


def test_rows_outside(cloud):
    """Rows come from outside the window."""
    cloud.faults.add("outside_rows")
    dates = [row["date"] for row in said(cloud, HOUR)["topics"]]
    assert dates == ["2023-11-02", *["2023-12-12"] * 4, "2024-01-21"]


@pytest.mark.parametrize("name", ["pretty", "reorder_keys"])
def test_the_same_said_otherwise(cloud, name):
    """Other JSON, the same content."""
    cloud.faults.add(name)
    body = ask(cloud, HOUR)[2]
    honest = ask_good(cloud, HOUR)
    assert body != honest
    assert json.loads(body) == json.loads(honest)


def test_numbers(cloud):
    """Values are numbers, dates stay text."""
    cloud.faults.add("numbers")
    row = said(cloud, HOUR)["topics"][0]
    assert {type(row[c]) for c in row} == {str, float}
    assert row["date"] == "2023-12-12"


def test_duplicate_keys(cloud):
    """A key stands twice in a row, and its last value is the honest one."""
    cloud.faults.add("duplicate_keys")
    body = ask(cloud, HOUR)[2]
    assert body.count(b'"date":"1999-01-01"') == 4
    assert json.loads(body) == good(cloud)


def test_faults_of_rows_spare_other_requests(cloud):
    """A fault of rows is not used up by getTopics or an empty window."""
    cloud.faults.add("text_value", times=1)
    said(cloud, "?request=getTopics")
    said(cloud, HOUR.replace("2023", "2021"))
    assert "N/A" in json.dumps(said(cloud, HOUR))
    assert "N/A" not in json.dumps(said(cloud, HOUR))


def statuses(cloud, n, query="?request=getMeters"):
    """The statuses of n requests."""
    return [ask(cloud, query)[0] for _ in range(n)]


def test_times(cloud):
    """A fault strikes as often as it is told, then the next has its turn."""
    cloud.faults.add("503", times=2)
    fault = cloud.faults.add("429", times=1)
    assert statuses(cloud, 5) == [503, 503, 429, 200, 200]
    assert (fault.struck, len(cloud.faults), list(cloud.faults)[1]) == (1, 2, fault)


def test_every(cloud):
    """A fault can strike each so manieth time."""
    cloud.faults.add("500", every=3)
    assert statuses(cloud, 6) == [200, 200, 500, 200, 200, 500]


def test_probability(cloud):
    """Chance is repeatable."""
    runs = []
    for _ in range(2):
        cloud.faults.clear()
        cloud.faults.add("500", probability=0.5, seed=4)
        runs.append(statuses(cloud, 20))
    assert runs[0] == runs[1]
    assert set(runs[0]) == {200, 500}


def test_only_some_requests(cloud):
    """A fault can be meant for a request, a meter, a window, or whatever one likes."""
    cloud.faults.add("500", request="getData", window="2023-12-12T03")
    cloud.faults.add("502", meter="P482102272")
    cloud.faults.add("504", where=lambda seen: seen.hour == 4)
    queries = [HOUR, HOUR.replace("hour=2", "hour=3"), HOUR.replace("P482311252", "P482102272")]
    assert [ask(cloud, q)[0] for q in queries] == [200, 500, 502]
    assert ask(cloud, HOUR.replace("hour=2", "hour=4"))[0] == 504
    assert statuses(cloud, 1) == [200]


def test_faults_from_the_start():
    """Faults can be given to serve, by name or with settings."""
    with emulator.serve(faults=("503", emulator.Fault("404"))) as cloud:
        assert statuses(cloud, 1) == [503]
        assert cloud.requests[0].fault == "503"
        assert cloud.requests[0].status == 503


def test_unknown_faults_are_refused(cloud):
    """A misspelt fault says which ones there are."""
    with pytest.raises(ValueError, match=r"'teapot': there is none of that name. There are: 429"):
        cloud.faults.add("teapot")


def test_faulty_answers_keep_the_connection(cloud):
    """After a faulty but whole answer the connection goes on."""
    connection = connect(cloud)
    for name in ("503", "null", "short", "empty", "redirect"):
        cloud.faults.add(name, times=1)
        connection.request("GET", "/v1?request=getMeters", headers=KEYS)
        connection.getresponse().read()
        connection.request("GET", "/v1?request=getMeters", headers=KEYS)
        assert connection.getresponse().read().startswith(b'{"success":true')
    connection.close()


def test_every_fault_is_documented():
    """Each fault has a line in the guide, the one it describes itself with."""
    rows = [f"| `{name}` | {what.rstrip('.')} |" for name, what in emulator.FAULTS.items()]
    assert all(what.endswith(".") for what in emulator.FAULTS.values())
    lines = PAGE.read_text().splitlines()
    assert [line for line in lines if line in rows] == rows


def test_descriptions_are_data():
    """They are there too where Python leaves docstrings out."""
    code = "from dentframe.emulator import FAULTS, QUIRKS; print(*{**FAULTS, **QUIRKS}.values())"
    texts = [*emulator.FAULTS.values(), *emulator.QUIRKS.values()]
    command = [sys.executable, "-OO", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == " ".join(texts).split()
