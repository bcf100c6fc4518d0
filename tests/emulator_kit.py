"""What the tests of the emulator share: requests over a socket, and the document's example."""

import http.client
import json
import socket
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
