"""The emulator over a real socket: methods, connections, encodings, curl."""

import gzip
import http.client
import json
import shutil
import subprocess
import threading
import time

import pytest

from dentframe import emulator
from tests import emulator_kit
from tests.emulator_kit import EXAMPLE, HEAD, HOUR, KEYS, ask, connect, raw

cloud = emulator_kit.cloud
recorded = emulator_kit.recorded


def test_raw_spaces_in_the_request_line(cloud):
    """The document's own URLs have a space in them, and are understood as they stand."""
    assert b'"meters":[' in raw(cloud, b"GET /v1?request= getMeters" + HEAD)
    query = HOUR.replace("[kW,A]", "[kW, A]").encode()
    assert b'"time":"02:02"' in raw(cloud, b"GET /v1" + query + HEAD)


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


def test_what_is_under_way_is_noted_before_it_is_closed():
    """Who asserts on requests or the log after the end finds all of them, and no thread is left."""
    lines, before, came = [], set(threading.enumerate()), threading.Semaphore(0)

    def think(_):
        came.release()
        return 30

    with emulator.serve(latency=think, rate=None, concurrency=None, log=lines.append) as cloud:
        asked = [connect(cloud) for _ in range(8)]
        for connection in asked:
            connection.request("GET", "/v1?request=getMeters", headers=KEYS)
        assert all(came.acquire(timeout=10) for _ in asked)
    assert set(threading.enumerate()) <= before
    assert len(lines) == len(cloud.requests) == 8
    for connection in asked:
        connection.close()


def test_a_source_may_close_the_emulator_that_asks_it():
    """A test that plays an outage may do so from within; closing does not wait for itself."""

    class Outage(emulator.Plant):
        def meters(self):
            cloud.close()
            return super().meters()

    with emulator.serve(Outage()) as cloud, pytest.raises((OSError, http.client.HTTPException)):
        ask(cloud, "?request=getMeters")
    until = time.monotonic() + 10
    while not cloud.requests and time.monotonic() < until:
        time.sleep(0.01)
    assert [seen.status for seen in cloud.requests] == [200]
    assert cloud.errors == []


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


@pytest.mark.parametrize("lengths", [("4", "5"), ("x",), ("-1",), ("4, 5",), ("\xb2",)])
def test_a_body_of_unclear_length_is_refused(cloud, lengths):
    """Two lengths that differ, or one that is no number, end the connection with 400."""
    lines = "".join(f"Content-Length: {x}\r\n" for x in lengths).encode("latin-1")
    request = b"GET /v1?request=getMeters HTTP/1.1\r\nHost: x\r\n" + lines
    answer = raw(cloud, request + b"\r\nabcdGET /v1 HTTP/1.1\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400")
    assert answer.count(b"HTTP/1.1") == 1


def test_the_same_length_twice_is_one_length(cloud):
    """A repeated header that says the same is harmless."""
    lines = b"Content-Length: 4\r\nContent-Length: 4\r\n"
    answer = raw(cloud, b"GET /v1?request=getMeters" + HEAD[:-2] + lines + b"\r\nabcd")
    assert answer.startswith(b"HTTP/1.1 200")


def test_an_idle_connection_is_closed():
    """Who says nothing, or half a request, is hung up on; a busy one goes on."""
    with emulator.serve(rate=None, idle_timeout=0.2) as cloud:
        began = time.monotonic()
        assert raw(cloud, b"") == raw(cloud, b"GET /v1?requ") == b""
        assert time.monotonic() - began < 5
        assert ask(cloud, "?request=getMeters")[0] == 200
