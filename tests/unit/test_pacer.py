"""Rate, places in flight, pauses and the breaker, on a clock that only sleeps move."""

from __future__ import annotations

import itertools
import socket
import sqlite3
import threading
import time

import pytest

from dentframe.cloud.client import Notices
from dentframe.cloud.rate_and_concurrency import LEASE, Limiter, PaceTable
from dentframe.cloud.requests_and_responses import Cancellation
from dentframe.cloud.retry import CALM, GIVE_UP, AttemptTimer, Breaker, OutageError
from dentframe.errors import AuthError, CacheWarning


class Clock:
    """Time that passes by sleeping."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += max(seconds, 0.001)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def pacer(clock):
    made = Limiter(clock, clock.sleep)
    yield made
    made.close()


def sends(pacer, clock, count, rate=5):
    at = []
    for _ in range(count):
        with pacer.turn(rate, 5):
            at.append(round(clock() - 1000, 6))
    return at


def test_three_at_once_then_five_a_second(pacer, clock):
    """Burst 3, then a steady pace: 120 requests take 23.4 s."""
    at = sends(pacer, clock, 120)
    assert at[2] < 0.01
    assert at[-1] == pytest.approx(117 / 5, abs=0.01)
    assert all(b - a >= 0.2 - 0.002 for a, b in itertools.pairwise(at[3:]))


def test_never_more_than_the_service_allows(pacer, clock):
    """In any second of a long run, with rests, at most 5 + 3 requests."""
    at = []
    for _ in range(20):
        at += sends(pacer, clock, 7)
        clock.sleep(0.9)
    assert max(sum(t <= other < t + 1 for other in at) for t in at) <= 8


def test_a_pause_holds_back_everyone_and_has_no_burst_after_it(pacer, clock):
    """After a 429 nobody sends before its end, and then one at a time."""
    pacer.pause(10, 5)
    at = sends(pacer, clock, 3)
    assert at == pytest.approx([10, 10.2, 10.4])


def test_a_shared_file_paces_two_pacers_together(clock, tmp_path):
    """Two processes' pacers over one file send as one would."""
    pair = [Limiter(clock, clock.sleep) for _ in range(2)]
    for pacer in pair:
        pacer.share(tmp_path, "account", None)
    at = [t for _ in range(10) for pacer in pair for t in sends(pacer, clock, 1)]
    assert at[-1] == pytest.approx(17 / 5)
    pair[0].pause(5, 5)
    assert sends(pair[1], clock, 1)[0] >= at[-1] + 5
    for pacer in pair:
        pacer.close()


def test_places_in_flight_are_shared_and_leases_expire(clock, tmp_path):
    """Five leases over two ledgers; those of a killed process are free after a few seconds."""
    one, two = (PaceTable(tmp_path / "pace.sqlite", "account") for _ in range(2))
    leases = [ledger.enter(5, clock()) for ledger in (one, two, one, two, one)]
    assert None not in leases
    assert two.enter(5, clock()) is None
    assert PaceTable.enter(two, 6, clock()) is not None
    clock.sleep(LEASE / 2)
    one.renew(leases[0], clock())
    clock.sleep(LEASE / 2 + 0.1)
    assert [two.enter(5, clock()) is None for _ in range(5)] == [False] * 4 + [True]
    one.leave(leases[0])
    assert one.enter(5, clock()) is not None
    one.close(), two.close()


def test_a_slot_from_another_boots_clock_is_forgotten(tmp_path):
    """A monotonic clock starts anew at boot: an old file does not stop the pace."""
    ledger = PaceTable(tmp_path / "pace.sqlite", "account")
    ledger.reserve(5, 1e9)
    ledger.pause(1e9, 5)
    assert ledger.reserve(5, 10.0) == 10.0
    ledger.close()
    memory = PaceTable(None)
    memory.reserve(5, 1e9)
    assert memory.reserve(5, 10.0) == 10.0
    memory.close()


def test_a_lease_given_back_after_closing_leaves_no_file_open(tmp_path):
    """A thread that ends after its client gives its lease back; the file is closed all the same."""
    table = PaceTable(tmp_path / "pace.sqlite", "account")
    lease = table.enter(1, 0.0)
    table.close()
    table.leave(lease)
    con = table._con
    assert table.enter(1, 0.0) is not None
    del table
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        con.execute("SELECT 1")


def test_without_the_file_a_process_paces_itself_and_says_so(clock, tmp_path):
    """A folder that cannot be made: one warning, and the pace holds within the process."""
    (tmp_path / "file").write_text("")
    notices, pacer = Notices(), Limiter(clock, clock.sleep)
    pacer.share(tmp_path / "file", "account", notices)
    assert sends(pacer, clock, 4)[-1] == pytest.approx(0.2)
    with pytest.warns(CacheWarning, match="pace"):
        notices.flush()
    pacer.close()


def test_a_waiting_thread_can_give_up(pacer):
    """The check that is called while waiting may raise."""
    plan = Cancellation()
    plan.stop(AuthError("no", status=403))
    pacer.pause(5, 5)
    with pytest.raises(AuthError), pacer.turn(5, 5, plan.check):
        pass
    with pacer.turn(5, 5):
        pass


def test_only_so_many_are_in_flight():
    """Threads beyond the concurrency wait for a place."""
    pacer = Limiter(time.monotonic, time.sleep)
    most, now, lock = [0], [0], threading.Lock()

    def one():
        with pacer.turn(1000, 2):
            with lock:
                now[0] += 1
                most[0] = max(most[0], now[0])
            threading.Event().wait(0.01)
            with lock:
                now[0] -= 1

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pacer.close()
    assert most[0] == 2


def test_the_breaker_lets_one_look_at_a_time(clock):
    """After five failures in a row one request goes out, the others wait; a success frees all."""
    breaker = Breaker(clock, clock.sleep)
    for _ in range(CALM):
        assert breaker.enter()
        assert not breaker.failure()
    assert not breaker.enter()
    assert breaker.wait(lambda: None, 60) == pytest.approx(0.5, abs=0.01)
    assert [breaker.enter(), breaker.enter()] == [True, False]
    breaker.success()
    assert [breaker.enter(), breaker.enter()] == [True, True]


def test_the_breaker_gives_up_in_the_end(clock):
    """So many failures in a row are an outage, and waiting has an end."""
    breaker = Breaker(clock, clock.sleep)
    assert [breaker.failure() for _ in range(GIVE_UP)] == [False] * (GIVE_UP - 1) + [True]
    breaker.enter()
    with pytest.raises(OutageError):
        breaker.wait(lambda: None, 3)


def test_a_plan_that_was_cancelled_cuts_what_begins_late():
    """An attempt that begins after the end does not get away."""
    plan = Cancellation()
    plan.cancel()
    ours, theirs = socket.socketpair()
    with ours, theirs, AttemptTimer(10.0, 10.0, lambda: None, plan) as timer:
        timer.adopt(type("Connection", (), {"sock": ours})())
        assert ours.recv(1) == b""
