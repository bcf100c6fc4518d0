"""The emulator's limits: a token bucket and a number in flight, for each account."""

import json
import random
import threading
import time

import pytest

from dentframe import emulator
from dentframe.emulator.requests_sources_and_limits import Limiter
from tests.emulator_kit import HOUR, KEYS, ask, connect


class Clock:
    """A clock that moves when told."""

    now = 0.0

    def __call__(self):
        return self.now


def test_a_burst_then_the_rate():
    """A full bucket gives its burst at once, then as many as flow in."""
    clock = Clock()
    limiter = Limiter(5, 5, None, clock)
    assert [limiter.enter(n) for n in range(7)] == [True] * 5 + [False] * 2
    clock.now = 0.2
    assert [limiter.enter(n) for n in range(2)] == [True, False]
    clock.now = 100.0
    assert sum(limiter.enter(n) for n in range(20)) == 5


def test_no_more_than_rate_in_the_long_run():
    """Over eight seconds of asking all the time, the rate and one burst are let in."""
    clock, let_in = Clock(), 0
    limiter = Limiter(5, 5, None, clock)
    for tick in range(8 * 1024 + 1):
        clock.now = tick / 1024
        let_in += limiter.enter(tick)
    assert abs(let_in - 45) <= 1


def test_refusals_take_no_token():
    """A request refused for concurrency costs nothing, and leaving twice counts once."""
    limiter = Limiter(1, 2, 1, Clock())
    assert limiter.enter(1)
    assert not limiter.enter(2)
    limiter.leave(1)
    limiter.leave(1)
    assert limiter.enter(3)
    assert not limiter.enter(4)


def test_too_many_requests():
    """The sixth request at once is a 429 with the gateway's words."""
    with emulator.serve() as cloud:
        answers = [ask(cloud, "?request=getMeters") for _ in range(6)]
    assert [a[0] for a in answers[:5]] == [200] * 5
    assert (answers[5][0], answers[5][2]) == (429, b'{"message":"Too Many Requests"}')


def test_bad_keys_take_no_token():
    """A refused key is not counted against the account."""
    with emulator.serve() as cloud:
        assert {ask(cloud, HOUR, keys={"x-key-id": "demo-id"})[0] for _ in range(8)} == {403}
        assert ask(cloud, "?request=getMeters")[0] == 200


def test_accounts_have_buckets_of_their_own():
    """One account's haste does not slow another, and each may have its own data."""
    one, two = (emulator.Fixed({name: []}) for name in ("P1", "P2"))
    with emulator.serve({"a": one, "b": two}, accounts={"a": "ka", "b": "kb"}, burst=1) as cloud:
        a, b = ({"x-key-id": i, "x-api-key": k} for i, k in (("a", "ka"), ("b", "kb")))
        statuses = [ask(cloud, "?request=getMeters", keys=k)[0] for k in (a, a, b, b)]
        assert statuses == [200, 429, 200, 429]
        time.sleep(0.25)
        meters = [json.loads(ask(cloud, "?request=getMeters", keys=k)[2])["meters"] for k in (a, b)]
        assert meters == [["P1"], ["P2"]]
        assert ask(cloud, "?request=getMeters", keys={**a, "x-api-key": "kb"})[0] == 403
        assert (cloud.key_id, cloud.api_key) == ("a", "ka")


def test_in_flight():
    """The request beyond those in flight is a 429, and fine once one has ended."""
    with emulator.serve(rate=None, concurrency=2, latency=0.5) as cloud:
        others = [threading.Thread(target=ask, args=(cloud, HOUR)) for _ in range(2)]
        for other in others:
            other.start()
        time.sleep(0.2)
        assert ask(cloud, HOUR)[0] == 429
        for other in others:
            other.join()
        assert ask(cloud, HOUR)[0] == 200


def test_a_request_is_over_when_its_last_byte_is_there():
    """Who keeps to the limit in flight is never refused, however quickly it goes on."""
    with emulator.serve(rate=None, concurrency=2) as cloud:

        def loop():
            connection = connect(cloud)
            for _ in range(150):
                connection.request("GET", "/v1?request=getMeters", headers=KEYS)
                connection.getresponse().read()
            connection.close()

        workers = [threading.Thread(target=loop) for _ in range(2)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert {seen.status for seen in cloud.requests} == {200}
        assert len(cloud.requests) == 300


@pytest.mark.parametrize("latency", [0.15, lambda chance: 0.15 + 0 * chance.random()])
def test_latency(latency):
    """An answer takes its time to think."""
    assert isinstance(random.Random(0), random.Random)
    with emulator.serve(latency=latency) as cloud:
        began = time.perf_counter()
        ask(cloud, "?request=getMeters")
        assert time.perf_counter() - began > 0.14
