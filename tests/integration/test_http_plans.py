"""Whole reads from a bad service: few sends, every row, or an error that says what is missing."""

from __future__ import annotations

import contextlib
import itertools
import signal
import threading
import time

import pytest
from http_kit import DAYS, METER, TOPICS, client, jobs, months, service, table, truth

from dentframe import emulator
from dentframe.cloud import Job, Window
from dentframe.errors import AuthError, RateLimitError, UnavailableError

TEN_YEARS = months(2014, 2023)


class Sparse:
    """A source with a row an hour, so that ten years are quick."""

    def __init__(self):
        self._plant = emulator.Plant(seed=0)
        self.meters, self.topics = self._plant.meters, self._plant.topics

    def rows(self, meter, start, end, topics):
        days = [Window(start.year, start.month, start.day)]
        return self._plant.rows(meter, days[0].start, min(end, days[0].end), topics)


def ours():
    """The client's threads that are alive."""
    names = ("dentframe-read", "dentframe-watch")
    return [t for t in threading.enumerate() if t.name.startswith(names)]


@pytest.fixture(scope="module")
def source():
    return Sparse()


def test_a_refused_key_stops_ten_years_within_5_sends(source):
    """403: AuthError for the read, and no more than 5 requests ever went out."""
    with service(source=source, latency=0.05) as cloud, client(cloud) as dent:
        cloud.faults.add("403")
        with pytest.raises(AuthError, match="refuses the key"):
            list(dent.read(jobs(TEN_YEARS)))
        assert len(cloud.requests) <= 5


def test_a_used_up_quota_stops_the_plan_and_names_every_window(source):
    """Limit Exceeded: few sends, and each window of the plan has the error."""
    with service(source=source) as cloud, client(cloud) as dent:
        cloud.faults.add("quota")
        answers = list(dent.read(jobs(TEN_YEARS)))
        assert len(cloud.requests) <= 7
    assert {a.window for a in answers} == set(TEN_YEARS)
    assert all(isinstance(a.error, RateLimitError) and not a.error.retryable for a in answers)


@pytest.mark.parametrize("fault", ["500", "502", "reset", "html", "503"])
def test_an_outage_stops_ten_years_within_20_sends(fault, source):
    """The service is down: within 20 sends every window has its error."""
    with service(source=source) as cloud, client(cloud) as dent:
        cloud.faults.add(fault)
        answers = list(dent.read(jobs(TEN_YEARS)))
        assert len(cloud.requests) <= 20
    assert len(answers) == 120
    assert all(isinstance(a.error, UnavailableError) for a in answers)


def test_after_an_outage_the_next_read_gets_all(source):
    """The breaker lets the next read through as soon as the service answers."""
    with service(source=source) as cloud, client(cloud) as dent:
        cloud.faults.add("503")
        assert all(a.error for a in dent.read(jobs(TEN_YEARS[:24])))
        cloud.faults.clear()
        assert not [a.error for a in dent.read(jobs(TEN_YEARS[:24])) if a.error]


def test_a_short_outage_is_ridden_out(source):
    """Ten failures in a row in the middle of a read cost time, no window."""
    with service(source=source) as cloud, client(cloud) as dent:
        count = itertools.count()
        cloud.faults.add("503", where=lambda seen: 30 <= next(count) < 40)
        answers = list(dent.read(jobs(TEN_YEARS)))
        assert len(cloud.requests) <= 132
    assert not [a.error for a in answers if a.error]


def test_ten_percent_of_random_faults_lose_no_row_and_cost_a_quarter_more_at_most(source):
    """120 months through a bad line: every row, at most 1.25 sends a window."""
    names = [
        "500",
        "503",
        "504",
        "reset",
        "reset_body",
        "cut",
        "short",
        "bad_gzip",
        "empty",
        "html",
    ]
    with service(source=source) as cloud, client(cloud) as dent:
        for seed, name in enumerate(names):
            cloud.faults.add(name, probability=0.01, seed=seed)
        answers = list(dent.read(jobs(TEN_YEARS)))
        sends = len(cloud.data_requests)
    assert not [a.error for a in answers if a.error]
    assert 120 < sends <= 1.25 * 120
    assert table(answers) == truth(source, TEN_YEARS)


def test_one_poisoned_window_stops_no_other(source):
    """A month that always fails is one error; the other months are read."""
    bad = TEN_YEARS[7]
    with service(source=source) as cloud, client(cloud) as dent:
        cloud.faults.add("500", window=str(bad))
        answers = {a.window: a for a in dent.read(jobs(TEN_YEARS[:24]))}
    assert isinstance(answers.pop(bad).error, UnavailableError)
    assert not [a.error for a in answers.values() if a.error]


@pytest.mark.parametrize("status", [413, 502])
def test_what_is_too_large_is_cut_and_remembered(status, tmp_path):
    """Months beyond the gateway's limit come whole; a re-run asks for nothing, a new year knows."""
    plant = emulator.Plant(seed=0)
    topics = ("DemandkW", "kWHNet", "A", "V")
    year = months(2023, 2023)[1:2]
    # The quick clock counts each second that the emulator takes for a month as a minute.
    patient = {"cache": tmp_path, "deadline": 1200}
    with service(source=plant, max_body=1_000_000, too_large=status) as cloud:
        with client(cloud, **patient) as dent:
            answers = list(dent.read(jobs(year, topics)))
            refused = sum(seen.status == status for seen in cloud.data_requests)
            list(dent.read(jobs(year, topics)))
            sends = len(cloud.data_requests)
            again = list(dent.read(jobs(year, topics)))
            assert len(cloud.data_requests) == sends
            assert all(a.cached for a in again)
        with client(cloud, **patient) as dent:
            more = list(dent.read(jobs([Window(2023, 7)], topics)))
            later = sum(seen.status == status for seen in cloud.data_requests) - refused
    assert not [a.error for a in answers + more if a.error]
    assert later <= 2  # one more lesson at most: nothing of that size was asked for before
    assert table(answers) == table(again) == truth(plant, year, topics)


def test_sizes_are_predicted_and_cut_before_asking(tmp_path):
    """Once the size of a cell is known, no request beyond a known limit is made."""
    plant = emulator.Plant(seed=0)
    with service(source=plant, max_body=1_000_000) as cloud, client(cloud, cache=tmp_path) as dent:
        for window in months(2023, 2023)[:3]:
            list(dent.read(jobs([window], ("DemandkW", "kWHNet", "A", "V"))))
        refusals = [seen for seen in cloud.data_requests if seen.status == 413]
    assert len(refusals) <= 4
    assert {seen.month for seen in refusals} == {1}


def test_two_reads_at_once_ask_once(source):
    """Single flight: what two threads want at the same time is sent once."""
    with service(source=source, latency=0.1) as cloud, client(cloud) as dent:
        answers = []
        threads = [
            threading.Thread(target=lambda: answers.extend(dent.read(jobs(TEN_YEARS[:12]))))
            for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(cloud.data_requests) == 12
    assert len(answers) == 36
    assert not [a.error for a in answers if a.error]


@contextlib.contextmanager
def interruptible():
    """Ctrl-C raises here, also in a process that was started to ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_interrupt_ends_the_read_and_keeps_what_came(source):
    """Ctrl-C: the threads end, the cache is whole, and a re-run asks only for the rest."""
    with service(source=source, latency=0.2) as cloud, client(cloud) as dent, interruptible():
        timer = threading.Timer(0.5, signal.raise_signal, [signal.SIGINT])
        timer.start()
        got = []
        with pytest.raises(KeyboardInterrupt):
            got.extend(answer.window for answer in dent.read(jobs(TEN_YEARS)))
        timer.join()
        assert not ours()
        held = dent.held(METER, TOPICS)
        assert set(got) <= held
        assert all(a.cached for a in dent.read(jobs(sorted(held))))


def test_a_read_that_is_closed_early_leaves_no_thread(source):
    """Breaking out of the loop cuts what is under way, promptly."""
    with service(source=source) as cloud, client(cloud) as dent:
        cloud.faults.add("slow_headers", seconds=5.0, where=lambda seen: seen.month != 1)
        reading = dent.read(jobs(TEN_YEARS[:12]))
        next(reading)
        start = time.monotonic()
        reading.close()
        assert time.monotonic() - start < 2
        assert not ours()


def test_jobs_of_several_meters_are_one_read(source):
    """Jobs name their meter; answers carry their job."""
    with service(source=source) as cloud, client(cloud) as dent:
        wanted = [Job(meter, day, TOPICS) for meter in dent.get_meters() for day in DAYS]
        assert {a.job for a in dent.read(wanted)} == set(wanted)
