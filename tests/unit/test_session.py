"""The adapter: where it sends, what of the environment it heeds, what an answer means."""

from __future__ import annotations

import gzip
import json
import socket
import threading
from datetime import UTC, datetime

import pytest
import requests

from dentframe import emulator
from dentframe.cloud import DentCloud, Window
from dentframe.cloud.requests_and_responses import (
    ApiRequest,
    Cancellation,
    Reply,
    TooLargeError,
    read_response,
    retry_after,
)
from dentframe.cloud.retry import AttemptTimer
from dentframe.errors import (
    AuthError,
    ConfigError,
    DecodeError,
    DentError,
    RateLimitError,
    RequestError,
    UnavailableError,
)

NOW = datetime(2024, 1, 1, tzinfo=UTC)
ASK = ApiRequest("getMeters")
GOOD = b'{"success":true,"meters":["P1"]}'


def meaning(outcome, scrub=str):
    return read_response(ASK, outcome, NOW, scrub)


@pytest.mark.parametrize(
    ("status", "error", "retryable"),
    [
        (401, AuthError, False),
        (403, AuthError, False),
        (404, RequestError, False),
        (400, RequestError, False),
        (413, TooLargeError, False),
        (301, RequestError, False),
        (429, RateLimitError, True),
        (408, UnavailableError, True),
        (500, UnavailableError, True),
        (502, UnavailableError, True),
        (599, UnavailableError, True),
        (204, DecodeError, None),
        (0, DentError, None),
    ],
)
def test_a_status_is_a_typed_error(status, error, retryable):
    """Each status becomes its class, with the status in it."""
    with pytest.raises(error) as caught:
        meaning(Reply(status))
    assert caught.value.status == status
    assert retryable in (None, caught.value.retryable)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, {"content-length": "99"}, GOOD),
        Reply(200, {}, b""),
        Reply(200, {}, b"  \n"),
        Reply(200, {}, b"null"),
        Reply(200, {}, b"<html>"),
        Reply(200, {}, GOOD[:-3]),
        Reply(200, {"content-encoding": "gzip"}, gzip.compress(GOOD)[:-4]),
        Reply(200, {"content-encoding": "gzip"}, GOOD),
        Reply(200, {"content-encoding": "br"}, GOOD),
    ],
)
def test_a_body_that_is_not_whole_is_a_decode_error(reply):
    """Cut, empty, null, HTML, bad gzip, an unknown coding: never half used."""
    with pytest.raises(DecodeError):
        meaning(reply)


def test_a_whole_body_is_its_value_and_its_size():
    """Plain and gzip give the same."""
    packed = Reply(200, {"content-encoding": "gzip"}, gzip.compress(GOOD))
    plain = Reply(200, {}, GOOD)
    assert [meaning(x) for x in (plain, packed)] == [
        (["P1"], len(GOOD), x) for x in (plain, packed)
    ]


def test_a_quota_is_told_from_too_many_requests():
    """Limit Exceeded is final, whether packed or not."""
    said = json.dumps({"message": "Limit Exceeded"}).encode()
    for reply in (
        Reply(429, {}, said),
        Reply(429, {"content-encoding": "gzip"}, gzip.compress(said)),
    ):
        with pytest.raises(RateLimitError, match="quota") as caught:
            meaning(reply)
        assert not caught.value.retryable


def test_what_the_service_says_is_scrubbed():
    """A message that repeats a key is shown without it."""
    with pytest.raises(RequestError, match=r"key \*\*\* is odd"):
        meaning(Reply(400, {}, b'{"message":"key K is odd"}'), lambda t: t.replace("K", "***"))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("", None),
        ("7", 7),
        ("1.5", 1.5),
        ("-3", 0),
        ("soon", None),
        ("Mon, 01 Jan 2024 00:00:30 GMT", 30),
        ("Sun, 31 Dec 2023 00:00:00 GMT", 0),
    ],
)
def test_a_retry_after_is_seconds_or_a_date(text, seconds):
    """Both forms, and neither below zero."""
    assert retry_after(text, NOW) == seconds


@pytest.fixture
def cloud():
    with emulator.serve(rate=None, concurrency=None) as running:
        yield running


@pytest.fixture
def dent(cloud):
    with DentCloud(cloud.api_key, cloud.key_id, base_url=cloud.url, rate=500, deadline=1) as made:
        yield made


def test_nothing_is_sent_to_another_address(dent, cloud):
    """Another host, scheme, port or path: refused before a socket is opened."""
    session = dent._service.session()
    for url in (
        "https://evil.example/",
        cloud.url + "evil",
        cloud.url.replace("/v1", "/v2"),
        cloud.url.replace("127.0.0.1", "127.0.0.1.evil.example"),
    ):
        with pytest.raises(RequestError, match="its base URL alone"):
            session.get(url)
    with pytest.raises(RequestError, match="its base URL alone"):
        requests.Session.send(session, requests.Request("GET", cloud.url).prepare())
    assert not cloud.requests


def test_a_redirect_is_not_followed(dent, cloud):
    """A 302, even to the service itself, is an error after one request."""
    cloud.faults.add("redirect", location=cloud.url + "?request=getMeters")
    with pytest.raises(RequestError, match="redirect"):
        dent.get_meters()
    assert len(cloud.requests) == 1


def test_netrc_cannot_put_in_a_password(cloud, dent, tmp_path, monkeypatch):
    """A netrc entry for the host sends no Authorization header."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret-of-netrc")
    monkeypatch.setenv("NETRC", str(netrc))
    sent = []
    from dentframe.cloud import transport as session

    keep = session.requests.adapters.HTTPAdapter.send
    monkeypatch.setattr(
        session.requests.adapters.HTTPAdapter,
        "send",
        lambda self, request, **kw: (sent.append(dict(request.headers)), keep(self, request, **kw))[
            1
        ],
    )
    dent.get_meters()
    assert sent
    assert "Authorization" not in sent[0]


def test_http_on_loopback_never_goes_through_a_proxy(cloud, dent, monkeypatch):
    """HTTP_PROXY would see the keys in the clear: loopback goes direct."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert dent.get_meters()


def test_https_goes_through_the_proxy_of_the_environment(monkeypatch):
    """HTTPS_PROXY gets a CONNECT without a key in it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        heard = []

        def listen():
            peer, _ = server.accept()
            with peer:
                heard.append(peer.recv(4096))
                peer.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")

        thread = threading.Thread(target=listen)
        thread.start()
        proxy = f"http://127.0.0.1:{server.getsockname()[1]}"
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, proxy)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        url = "https://service.invalid/v1"
        said = pytest.raises(UnavailableError, match="Cannot read getMeters")
        with DentCloud("key-a", "id-b", base_url=url, deadline=0.2) as dent, said:
            dent.get_meters()
        thread.join()
    assert heard[0].startswith(b"CONNECT service.invalid:443")
    assert b"key-a" not in heard[0]


def test_a_ca_bundle_that_is_not_there_is_a_config_error(monkeypatch, tmp_path):
    """REQUESTS_CA_BUNDLE is honoured: a wrong path is said, once, and not retried."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    said = pytest.raises(ConfigError, match=r"none\.pem")
    with DentCloud("key-a", "id-b", base_url="https://127.0.0.1:9/v1") as dent, said:
        dent.get_meters()


def test_a_watch_renews_and_cuts():
    """It renews while it waits, and shuts the socket when time is up."""
    ours, theirs = socket.socketpair()
    renewed = []
    with ours, theirs, AttemptTimer(0.05, 1.0, lambda: renewed.append(1), Cancellation()) as timer:
        timer.adopt(type("Connection", (), {"sock": ours})())
        assert ours.recv(1) == b""
        assert timer.fired


def test_an_ask_names_its_window_and_quotes_its_topics():
    """The query string of a request, a plus in a topic included."""
    query = ApiRequest("getData", "P1", Window(2023, 12, 12, 2), ("kWH+", "A")).query()
    assert query == (
        "request=getData&year=2023&month=12&day=12&hour=02&topics=%5BkWH%2B%2CA%5D&meter=P1"
    )
