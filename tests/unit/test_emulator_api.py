"""The emulator over a real socket: requests, keys, parameters, HTTP."""

import gzip
import http.client
import json
import shutil
import socket
import subprocess
import time
from urllib.parse import urlsplit

import pytest

from dentframe import emulator

KEYS = {"x-api-key": "demo-key", "x-key-id": "demo-id"}
EXAMPLE = (
    '{"headers":["date","time","A/Ch/A1","A/Ch/A2","A/Ch/C1","A/Ch/E1","A/Ch/E2",'
    '"DemandkW/Elm/A","DemandkW/Elm/C","DemandkW/Elm/E"],"topics":['
    '{"date":"2023-12-12","time":"02:02","A/Ch/A1":"1.358","A/Ch/A2":"0.373","A/Ch/C1":"0.23",'
    '"A/Ch/E1":"0.0","A/Ch/E2":"0.0","DemandkW/Elm/A":"0.357","DemandkW/Elm/C":"0.0",'
    '"DemandkW/Elm/E":"0.0"},'
    '{"date":"2023-12-12","time":"02:17","A/Ch/A1":"1.747","A/Ch/A2":"0.374","A/Ch/C1":"0.23",'
    '"A/Ch/E1":"0.0","A/Ch/E2":"0.0","DemandkW/Elm/A":"0.222","DemandkW/Elm/C":"0.0",'
    '"DemandkW/Elm/E":"0.0"},'
    '{"date":"2023-12-12","time":"02:32","A/Ch/A1":"7.366","A/Ch/A2":"0.374","A/Ch/C1":"0.23",'
    '"A/Ch/E1":"0.0","A/Ch/E2":"0.0","DemandkW/Elm/A":"0.639","DemandkW/Elm/C":"0.0",'
    '"DemandkW/Elm/E":"0.0"},'
    '{"date":"2023-12-12","time":"02:47","A/Ch/A1":"1.373","A/Ch/A2":"2.758","A/Ch/C1":"0.23",'
    '"A/Ch/E1":"0.0","A/Ch/E2":"0.0","DemandkW/Elm/A":"0.376","DemandkW/Elm/C":"0.0",'
    '"DemandkW/Elm/E":"0.0"}]}'
)
HEAD = (
    b" HTTP/1.1\r\nHost: x\r\nX-API-KEY: demo-key\r\nX-Key-Id: demo-id\r\nConnection: close\r\n\r\n"
)
HOUR = "?request=getData&year=2023&month=12&day=12&hour=2&topics=[kW,A]&meter=P482311252"


def connect(cloud):
    """A connection to an emulator."""
    return http.client.HTTPConnection(urlsplit(cloud.url).netloc, timeout=10)


def ask(cloud, query, *, path="/v1", method="GET", keys=KEYS, **headers):
    """One request on a connection of its own: status, headers, body."""
    connection = connect(cloud)
    try:
        connection.request(method, path + query, headers={**keys, **headers})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def said(cloud, query):
    """What a request is answered, decoded."""
    return json.loads(ask(cloud, query)[2])


def raw(cloud, text):
    """Everything the emulator sends for some bytes, until it closes."""
    address = urlsplit(cloud.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as s:
        s.sendall(text)
        return b"".join(iter(lambda: s.recv(65536), b""))


@pytest.fixture(scope="module")
def cloud():
    with emulator.serve(rate=None) as cloud:
        yield cloud


@pytest.fixture
def recorded(tmp_path):
    (tmp_path / "P482311252-2023-12.json").write_text(EXAMPLE)
    with emulator.serve(emulator.Recorded(tmp_path), rate=None) as cloud:
        yield cloud


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


def test_raw_spaces_in_the_request_line(cloud):
    """The document's own URLs have a space in them, and are understood as they stand."""
    assert b'"meters":[' in raw(cloud, b"GET /v1?request= getMeters" + HEAD)
    query = HOUR.replace("[kW,A]", "[kW, A]").encode()
    assert b'"time":"02:02"' in raw(cloud, b"GET /v1" + query + HEAD)


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


def test_header_names_have_no_case(cloud):
    """Header names are matched whatever their case."""
    keys = {"X-API-Key": "demo-key", "X-KEY-ID": "demo-id"}
    assert ask(cloud, "?request=getMeters", keys=keys)[0] == 200


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_other_methods(cloud, method):
    """Only GET is allowed, and the connection stays usable after the refusal."""
    connection = connect(cloud)
    for _ in range(2):
        connection.request(method, "/v1?request=getMeters", body=b"x=1", headers=KEYS)
        answer = connection.getresponse()
        answer.read()
        assert (answer.status, answer.headers["Allow"]) == (405, "GET")
    connection.close()


def test_other_paths(cloud):
    """Anything but /v1 is not found."""
    assert ask(cloud, "", path="/")[0] == 404
    assert ask(cloud, "?request=getMeters", path="/v2")[0] == 404


def test_keep_alive(cloud):
    """Many requests go over one connection."""
    connection = connect(cloud)
    connection.connect()
    first = connection.sock
    for _ in range(20):
        connection.request("GET", "/v1" + HOUR, headers=KEYS)
        assert len(json.loads(connection.getresponse().read())["topics"]) == 4
    assert connection.sock is first
    connection.close()


def test_connection_close(cloud):
    """A client that asks for it gets its connection closed."""
    request = b"GET /v1?request=getMeters HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert b"\r\nConnection: close\r\n" in raw(cloud, request)


def test_nonsense_is_a_bad_request(cloud):
    """What is not HTTP is answered 400 in JSON, and a request without Host too."""
    assert b" 400 " in raw(cloud, b"NONSENSE\r\n\r\n")
    assert raw(cloud, b"GET /v1 HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 400 ")


def test_absolute_targets(cloud):
    """A request target in absolute form, as proxies send it, is understood."""
    target = cloud.url.encode() + b"?request=getMeters"
    assert b'"meters":[' in raw(cloud, b"GET " + target + HEAD)


@pytest.mark.parametrize("header", ["gzip", "deflate, gzip;q=0.5", "*", "GZIP"])
def test_gzip_where_asked_for(cloud, header):
    """Who asks for gzip gets it, and the same bytes inside."""
    _, headers, body = ask(cloud, HOUR, **{"Accept-Encoding": header})
    assert headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(body) == ask(cloud, HOUR)[2]


@pytest.mark.parametrize("header", ["identity", "", "deflate", "gzip;q=0", "gzip; q=0.0, br"])
def test_no_gzip_where_not(cloud, header):
    """Who does not ask for gzip does not get it."""
    assert "Content-Encoding" not in ask(cloud, HOUR, **{"Accept-Encoding": header})[1]


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
    with emulator.serve(now=lambda: emulator.plant._instant("2023-12-12T02:40")) as cloud:
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


def test_close_is_quick_with_connections_open():
    """Closing ends idle connections and slow answers at once."""
    cloud = emulator.serve(faults=[emulator.Fault("drip", seconds=5)])
    idle, slow = connect(cloud), connect(cloud)
    idle.connect()
    slow.request("GET", "/v1?request=getMeters", headers=KEYS)
    answer = slow.getresponse()
    began = time.perf_counter()
    cloud.close()
    cloud.close()
    assert time.perf_counter() - began < 0.5
    with pytest.raises(http.client.IncompleteRead):
        answer.read()
    answer.close()
    idle.close()
    slow.close()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("extra", [[], ["--compressed"], ["--http1.0"]])
def test_curl(recorded, extra):
    """curl, a client that nobody here wrote, gets the document's example."""
    headers = [x for name, key in KEYS.items() for x in ("-H", f"{name}: {key}")]
    command = ["curl", "-sg", "--noproxy", "*", *extra, *headers, recorded.url + HOUR]
    done = subprocess.run(command, capture_output=True, check=True, timeout=20)
    assert done.stdout.decode() == EXAMPLE


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_encodes(recorded):
    """curl's own encoding of the list with a space is understood."""
    headers = [x for name, key in KEYS.items() for x in ("-H", f"{name}: {key}")]
    fields = HOUR[1:].replace("[kW,A]", "[kW, A]").split("&")
    data = [x for field in fields for x in ("--data-urlencode", field)]
    command = ["curl", "-sG", "--noproxy", "*", *headers, *data, recorded.url]
    done = subprocess.run(command, capture_output=True, check=True, timeout=20)
    assert done.stdout.decode() == EXAMPLE
