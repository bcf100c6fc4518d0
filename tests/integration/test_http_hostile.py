"""A hostile service, cache or fault inside: a typed error, and a read that ends."""

from __future__ import annotations

import functools
import gzip
import http.server
import json
import random
import sqlite3
import threading
import time
import zlib

import pytest
from http_kit import DAYS, METER, TOPICS, client, jobs, service, table
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dentframe import emulator, read_dentcloud
from dentframe.cloud import DentCloud
from dentframe.errors import AuthError, CacheWarning, DecodeError, DentError

SURROGATE = json.dumps("\ud800")


@pytest.fixture(scope="module")
def source():
    return emulator.Plant(seed=0)


class Strange(http.server.BaseHTTPRequestHandler):
    """Answers with what the test says."""

    def do_GET(self):
        answer = self.server.answers[0]
        if len(self.server.answers) > 1:
            self.server.answers.pop(0)
        self.server.count += 1
        answer(self)

    def log_message(self, *args):
        """Print nothing."""


@pytest.fixture
def strange():
    """A server whose answers are a list of functions; the last one lasts."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Strange)
    server.answers, server.count, server.daemon_threads = [], 0, True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def says(body=b"", status=200, **headers):
    def answer(handler):
        handler.send_response_only(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            # Raw, as no library would send it.
            handler._headers_buffer.append(f"{name.replace('_', '-')}: {value}\r\n".encode())
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def endless(handler):
    handler.send_response_only(200)
    handler.end_headers()
    while True:
        try:
            handler.wfile.write(b" " * 65536)
        except OSError:
            return


def read_of(server, tmp_path, **settings):
    """Read a day; the error, and how long it took."""
    url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    start = time.monotonic()
    given = {"cache": tmp_path, "rate": 500, "deadline": 2} | settings
    with DentCloud("key", "id", base_url=url, **given) as dent:
        (answer,) = dent.read(jobs(DAYS[:1]))
    return answer.error, time.monotonic() - start


def rows(count, cell):
    many = (
        f'{{"date":"2023-03-01","time":"{i // 60 % 24:02d}:{i % 60:02d}",{cell(i)}}}'
        for i in range(count)
    )
    head = '{"headers":["date","time","DemandkW/Elm/A"],"topics":['
    return (head + ",".join(many) + "]}").encode()


MANY_KEYS = rows(8000, lambda i: f'"K{i}":"1"')
BODIES = {
    "superscript length": says(b"{}", Content_Length="\u00b2"),
    "long length": says(b"{}", Content_Length="9" * 5000),
    "deep error": says(b"[" * 4096, status=500),
    "surrogate in an error": says(f'{{"message":{SURROGATE}}}'.encode(), status=404),
    "a key a row": says(MANY_KEYS),
    "too many rows": says(rows(200_000, lambda i: '"DemandkW/Elm/A":"1"')),
    "rows without a date": says(b'{"headers":[],"topics":[' + b"{}," * 2_000_000 + b"{}]}"),
    "a bomb": says(gzip.compress(b" " * (1 << 28)), Content_Encoding="gzip"),
    "deep cell": says(rows(1, lambda i: '"DemandkW/Elm/A":' + "[" * 900 + "]" * 900)),
    "endless": endless,
}


@pytest.mark.parametrize("name", BODIES)
def test_no_body_is_anything_but_a_typed_error_in_time(name, strange, tmp_path):
    """Lengths, depths, surrogates, bombs, rows, keys and blanks without an end."""
    strange.answers = [BODIES[name]]
    error, took = read_of(strange, tmp_path)
    if name == "deep cell":
        assert error is None or isinstance(error, DecodeError)
    else:
        assert isinstance(error, DentError)
        str(error).encode()
    assert took < 20
    assert strange.count <= 8


def test_a_text_that_is_no_unicode_is_an_unreadable_cell(strange, tmp_path):
    """A lone surrogate in a cell of a large body is counted as text, wherever a slice ends."""
    cell = '"DemandkW/Elm/A":' + SURROGATE
    strange.answers = [says(rows(1440, lambda i: cell if i % 7 == 0 else '"DemandkW/Elm/A":"1"'))]
    url = f"http://127.0.0.1:{strange.server_address[1]}/v1"
    with DentCloud("key", "id", base_url=url, cache=tmp_path) as dent:
        (answer,) = dent.read(jobs(DAYS[:1], topics=("DemandkW",)))
    assert answer.error is None
    (count, samples) = answer.pages[0].report.unreadable["DemandkW/Elm/A"]
    assert (count, samples) == (206, ("\ufffd",))


@pytest.mark.parametrize("what", ["getTopics", "getMeters"])
def test_a_list_with_half_a_character_is_a_typed_error(what, strange, tmp_path):
    """A surrogate in a request key or a meter can be in no key, file or terminal."""
    strange.answers = [
        says(f'{{"meters":[{SURROGATE}],"topics":[{{"requestKey":{SURROGATE}}}]}}'.encode())
    ]
    url = f"http://127.0.0.1:{strange.server_address[1]}/v1"
    with DentCloud("key", "id", base_url=url, cache=tmp_path, deadline=4) as dent:
        ask = dent.get_topics if what == "getTopics" else dent.get_meters
        with pytest.raises(DentError, match="what the API describes"):
            ask()


def test_after_failures_and_an_odd_answer_the_next_read_ends(strange, tmp_path):
    """Five 503s open the breaker; an answer that cannot be decoded leaves it to the next look."""
    odd = says(b"{}", Content_Length="\u00b2")
    strange.answers = [says(status=503)] * 5 + [odd]
    error, _ = read_of(strange, tmp_path, deadline=6)
    assert isinstance(error, DentError)
    strange.answers = [says(rows(96, lambda i: '"DemandkW/Elm/A":"1"'))]
    error, took = read_of(strange, tmp_path, deadline=6)
    assert error is None
    assert took < 12


STAGES = [
    "dentframe.cloud.rate_and_concurrency.PaceTable.reserve",
    "dentframe.cloud.rate_and_concurrency.PaceTable.enter",
    "dentframe.cloud.rate_and_concurrency.PaceTable.leave",
    "dentframe.cloud.http_cache.CacheFile.get",
    "dentframe.cloud.http_cache.CacheFile.put",
    "dentframe.cloud.http_cache.CacheFile.entries",
    "dentframe.cloud.http_cache.unpack",
    "dentframe.cloud.http_cache.fingerprint",
    "dentframe.cloud.http_cache.lifetime",
    "dentframe.wire.decode.decode",
    "dentframe.cloud.planner.Sizes.learn",
    "dentframe.cloud.planner.Sizes.too_large",
    "dentframe.cloud.requests_and_responses._plain",
    "dentframe.cloud.retry.Breaker.enter",
    "dentframe.cloud.retry.Breaker.success",
    "dentframe.cloud.retry.Retrier._pause",
    "dentframe.cloud.retry.read_response",
    "dentframe.cloud.transport._read",
    "dentframe.cloud.retry.AttemptTimer.adopt",
    "dentframe.cloud.read_in_threads.narrow",
]
ERRORS = [ValueError, KeyError, UnicodeError, MemoryError, RecursionError, OSError, sqlite3.Error]


@pytest.mark.filterwarnings("ignore::dentframe.errors.CacheWarning")
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(STAGES), st.sampled_from(ERRORS), st.integers(0, 5), st.booleans())
# Each strikes the one request that looks whether an outage is over: the others wait for it.
@example("dentframe.cloud.rate_and_concurrency.PaceTable.leave", ValueError, 5, True)
@example("dentframe.cloud.retry.Breaker.success", ValueError, 0, True)
@example("dentframe.cloud.retry.Retrier._pause", ValueError, 5, True)
def test_whatever_is_raised_wherever_a_read_ends_and_the_next_is_whole(
    source, tmp_path_factory, stage, error, skipped, down
):
    """An exception at any stage is the error of a window; breaker, places and flights are free."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch, service(source=source) as cloud:
        if down:
            cloud.faults.add("503", times=6)
        with client(cloud, cache=folder, deadline=30) as dent:
            calls, real = [], _resolve(stage)

            def broken(*args, **kwargs):
                calls.append(1)
                if skipped < len(calls) <= skipped + 3:
                    raise error("injected")
                return real(*args, **kwargs)

            patch.setattr(stage, broken)
            answers = _read_all(dent)
            assert all(a.error is None or isinstance(a.error, DentError) for a in answers)
            patch.undo()
            cloud.faults.clear()
            again = _read_all(dent)
    assert len(answers) == len(again) == len(DAYS)
    assert not [a.error for a in again if a.error]


def _resolve(stage):
    return functools.reduce(getattr, stage.split(".")[1:], __import__("dentframe"))


def _read_all(dent):
    done = []
    thread = threading.Thread(target=lambda: done.extend(dent.read(jobs())), daemon=True)
    thread.start()
    thread.join(30)
    assert not thread.is_alive(), "the read does not end"
    return done


HARMS = {
    "a text for a blob": "UPDATE answers SET value = 'x'",
    "no blob": "UPDATE answers SET value = NULL",
    "a time that is text": "UPDATE answers SET created = 'x', expires = 'y', used = x'00'",
    "a time that no date has": "UPDATE answers SET created = 1e300, expires = NULL",
    "a time before all": "UPDATE answers SET created = -1e300",
    "a size that is none": "UPDATE answers SET size = 'x'",
    "an odd key": "UPDATE answers SET key = key || '/a/b'",
    "a key of bytes": "UPDATE answers SET key = CAST(key || x'ff' AS TEXT)",
    "facts": "UPDATE facts SET value = '[[1e999, [], {}]]', at = 'x'",
    "deep facts": "UPDATE facts SET value = replace(hex(zeroblob(5000)), '0', '[')",
}


@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS.keys())
@pytest.mark.filterwarnings("ignore::dentframe.errors.CacheWarning")
def test_rows_of_the_wrong_type_are_as_if_absent(harm, source, tmp_path):
    """Whatever a row of the cache holds, the read is whole."""
    with service(source=source) as cloud:
        with client(cloud, cache=tmp_path) as dent:
            first = table(dent.read(jobs()))
            dent.get_meters()
        with sqlite3.connect(tmp_path / "answers.sqlite") as con:
            con.execute(harm)
        con.close()
        with client(cloud, cache=tmp_path) as dent:
            assert table(dent.read(jobs())) == first
            assert METER in dent.get_meters()
            dent.held(METER, TOPICS)


@pytest.mark.parametrize("name", ["answers.sqlite", "pace.sqlite"])
@pytest.mark.filterwarnings("ignore::dentframe.errors.CacheWarning")
def test_a_name_that_is_no_text_is_damage(name, source, tmp_path):
    """SQLite puts it in its own error, which Python then cannot read."""
    with service(source=source) as cloud:
        with client(cloud, cache=tmp_path) as dent:
            first = table(dent.read(jobs()))
        with sqlite3.connect(tmp_path / name) as con:
            con.execute("PRAGMA writable_schema = ON")
            con.execute("UPDATE sqlite_master SET name = CAST(x'61f6' AS TEXT), sql = 'CREATE x'")
        con.close()
        with client(cloud, cache=tmp_path) as dent:
            assert table(dent.read(jobs())) == first


def test_a_bomb_in_the_cache_is_a_miss(source, tmp_path):
    """A blob that says little and unpacks to much is asked for again."""
    bomb = b'{"v":1,"size":100}\n' + zlib.compress(b" " * (1 << 28), 9)
    huge = b'{"v":1,"size":99999999999}\n' + zlib.compress(b" " * 1000)
    with service(source=source) as cloud, client(cloud, cache=tmp_path) as dent:
        first = table(dent.read(jobs()))
        for blob in (bomb, huge, b"[" * 3000, b'{"v":1,"size":1e999}\n'):
            with sqlite3.connect(tmp_path / "answers.sqlite") as con:
                con.execute("UPDATE answers SET value = ?", (blob,))
            con.close()
            assert table(dent.read(jobs())) == first


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.filterwarnings("ignore::dentframe.errors.CacheWarning")
def test_any_bytes_in_the_cache_are_an_answer_as_if_absent(seed, source, tmp_path):
    """Random damage anywhere in the file: the read is whole."""
    rng = random.Random(seed)
    with service(source=source) as cloud:
        with client(cloud, cache=tmp_path) as dent:
            first = table(dent.read(jobs()))
        path = tmp_path / "answers.sqlite"
        data = bytearray(path.read_bytes())
        for _ in range(40):
            data[rng.randrange(len(data))] = rng.randrange(256)
        path.write_bytes(bytes(data))
        with client(cloud, cache=tmp_path) as dent:
            assert table(dent.read(jobs())) == first


def test_a_refused_key_beside_a_cache_is_said_once(source, tmp_path):
    """After a refusal figures from the cache alone are named so, once; a success ends it."""
    with service(source=source) as cloud:
        with client(cloud, cache=tmp_path) as dent:
            list(dent.read(jobs(DAYS[:2])))
        with client(cloud, cache=tmp_path, keys=("wrong", cloud.key_id)) as dent:
            list(dent.read(jobs(DAYS[:2])))
            with pytest.raises(AuthError):
                list(dent.read(jobs(DAYS)))
            with pytest.warns(CacheWarning, match="come from the cache alone"):
                list(dent.read(jobs(DAYS[:2])))
            list(dent.read(jobs(DAYS[:2])))


def test_another_key_beside_a_cache_is_said_once_though_nothing_is_asked(source, tmp_path):
    """Lists and windows from the cache: that this key was not tried is told, with the figures."""
    topics = list(TOPICS)
    with service(source=source) as cloud:
        with client(cloud, cache=tmp_path, quick=False) as dent:
            first = read_dentcloud(METER, "2023-03-01", topics=topics, tz="UTC", client=dent)
        asked = len(cloud.requests)
        with client(cloud, cache=tmp_path, quick=False, keys=("wrong", cloud.key_id)) as dent:
            with pytest.warns(CacheWarning, match="has not been asked with this one"):
                again = read_dentcloud(METER, "2023-03-01", topics=topics, tz="UTC", client=dent)
            read_dentcloud(METER, "2023-03-01", topics=topics, tz="UTC", client=dent)
            assert again.equals(first)
            assert len(cloud.requests) == asked
            with pytest.raises(AuthError):
                read_dentcloud(METER, "2023-03", topics=topics, tz="UTC", client=dent)
            with pytest.warns(CacheWarning, match="refused this client's key where it was"):
                read_dentcloud(METER, "2023-03-01", topics=topics, tz="UTC", client=dent)
        with client(cloud, cache=tmp_path, quick=False) as dent:
            read_dentcloud(METER, "2023-03-01", topics=topics, tz="UTC", client=dent)
