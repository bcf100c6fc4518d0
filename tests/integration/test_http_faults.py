"""The fault matrix, over a real socket: what you get, what was sent, what was kept."""

from __future__ import annotations

import pytest
from http_kit import DAYS, TOPICS, client, jobs, service, table, truth

from dentframe import emulator
from dentframe.errors import AuthError, DecodeError, RateLimitError, RequestError, UnavailableError

DAY = DAYS[0]
RETRIED = {
    "500": UnavailableError,
    "503": UnavailableError,
    "504": UnavailableError,
    "reset": UnavailableError,
    "reset_body": UnavailableError,
    "cut": UnavailableError,
    "short": DecodeError,
    "bad_gzip": DecodeError,
    "empty": DecodeError,
    "null": DecodeError,
    "html": DecodeError,
}
REFUSED = {
    "403": AuthError,
    "quota": RateLimitError,
    "404": RequestError,
    "redirect": RequestError,
    "success_false": RequestError,
}
SLOW = {"slow_headers": 5.0, "drip": 0.3}


@pytest.fixture(scope="module")
def source():
    return emulator.Plant(seed=0)


@pytest.fixture(scope="module")
def day(source):
    return truth(source, [DAY])


def read_one(cloud, fault=None, *, times=None, **settings):
    """Read a day while a fault strikes so often; the answer (or error), sends, keys kept."""
    if fault:
        cloud.faults.add(fault, times=times, **settings.pop("fault_settings", {}))
    with client(cloud, **settings) as dent:
        try:
            (answer,) = dent.read(jobs([DAY]))
            error = answer.error
        except AuthError as raised:
            answer, error = None, raised
        kept = dent.held(jobs([DAY])[0].meter, TOPICS)
    return answer, error, len(cloud.data_requests), kept


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("fault", RETRIED)
def test_a_passing_fault_is_retried_and_only_the_whole_answer_is_kept(fault, times, source, day):
    """After one or two failures the window is read whole, and kept."""
    with service(source=source) as cloud:
        answer, error, sends, kept = read_one(cloud, fault, times=times)
    assert (error, sends, answer.sends, kept) == (None, times + 1, times + 1, {DAY})
    assert table([answer]) == day


@pytest.mark.parametrize("fault", RETRIED)
def test_a_lasting_fault_ends_as_a_typed_error(fault, source):
    """A fault every time ends within 8 sends as its type, with nothing kept."""
    with service(source=source) as cloud:
        answer, error, sends, kept = read_one(cloud, fault)
    assert isinstance(error, (RETRIED[fault], UnavailableError))
    assert error.retryable or isinstance(error, DecodeError)
    assert (answer.pages, kept) == ((), set())
    assert 2 <= sends <= 8


@pytest.mark.parametrize("times", [1, 2, None])
@pytest.mark.parametrize("fault", REFUSED)
def test_a_refusal_is_typed_and_not_retried(fault, times, source):
    """The service's no is final: one send, nothing kept."""
    with service(source=source) as cloud:
        _, error, sends, kept = read_one(cloud, fault, times=times)
    assert isinstance(error, REFUSED[fault])
    assert not error.retryable
    assert (sends, kept) == (1, set())


@pytest.mark.parametrize("times", [1, 2])
def test_a_429_is_waited_out(times, source, day):
    """Too many requests: a pause, then the window is whole."""
    with service(source=source) as cloud:
        answer, error, sends, kept = read_one(cloud, "429", times=times)
    assert (error, sends, kept) == (None, times + 1, {DAY})
    assert table([answer]) == day


def test_a_lasting_429_ends_as_a_rate_limit_error(source):
    """Too many requests without an end: a retryable error within the deadline."""
    with service(source=source) as cloud:
        _, error, sends, kept = read_one(cloud, "429")
    assert isinstance(error, RateLimitError)
    assert error.retryable
    assert error.status == 429
    assert (sends <= 8, kept) == (True, set())


def test_a_retry_after_beyond_the_deadline_fails_at_once(source):
    """A Retry-After that cannot be honoured is not waited for; the error carries it."""
    with service(source=source) as cloud:
        _, error, sends, _ = read_one(cloud, "429", fault_settings={"retry_after": 3600})
    assert isinstance(error, RateLimitError)
    assert (error.retry_after, sends) == (3600, 1)


@pytest.mark.parametrize("status", ["429", "503"])
def test_a_retry_after_within_the_deadline_is_honoured(status, source, day):
    """The next send comes no earlier than the service asked."""
    with service(source=source) as cloud:
        settings = {"fault_settings": {"retry_after": 30}}
        answer, error, sends, _ = read_one(cloud, status, times=1, **settings)
        first, second = (seen.at for seen in cloud.data_requests)
    assert (error, sends) == (None, 2)
    assert second - first >= 30 / 60
    assert table([answer]) == day


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("fault", SLOW)
def test_a_slow_answer_is_cut_and_asked_for_again(fault, times, source, day):
    """An attempt that does not get on leaves time for the next one."""
    with service(source=source) as cloud:
        settings = {"fault_settings": {"seconds": SLOW[fault]}, "quick": False, "deadline": 3.5}
        answer, error, sends, kept = read_one(cloud, fault, times=times, **settings)
    assert (error, sends, kept) == (None, times + 1, {DAY})
    assert table([answer]) == day


@pytest.mark.parametrize("fault", SLOW)
def test_no_drip_outlasts_the_deadline(fault, source):
    """A body that comes byte by byte ends with the deadline, typed, nothing kept."""
    with service(source=source) as cloud:
        settings = {"fault_settings": {"seconds": SLOW[fault]}, "quick": False, "deadline": 0.8}
        _, error, sends, kept = read_one(cloud, fault, **settings)
        took = cloud.data_requests[-1].at - cloud.data_requests[0].at
    assert isinstance(error, UnavailableError)
    assert took < 1.0
    assert (2 <= sends <= 8, kept) == (True, set())


def test_a_413_is_cut_by_topics(source, day):
    """Too large: the topics are asked for in halves, and no row is missing or doubled."""
    with service(source=source) as cloud:
        answer, error, sends, kept = read_one(cloud, "413", times=1)
    assert (error, sends, kept) == (None, 3, {DAY})
    assert table([answer]) == day


def test_a_lasting_413_is_a_request_error(source):
    """What is too large even as an hour of one topic is said to be so, in few sends."""
    with service(source=source) as cloud:
        _, error, sends, kept = read_one(cloud, "413")
    assert isinstance(error, RequestError)
    assert (error.status, sends, kept) == (413, 3, set())


def test_one_502_is_bad_luck(source, day):
    """A single 502 is retried like any other."""
    with service(source=source) as cloud:
        answer, error, sends, kept = read_one(cloud, "502", times=1)
    assert (error, sends, kept) == (None, 2, {DAY})
    assert table([answer]) == day


def test_two_502s_and_a_probe_that_answers_mean_too_large(source, day):
    """Two 502s while less of it can be read: the window is cut."""
    with service(source=source) as cloud:
        answer, error, sends, kept = read_one(cloud, "502", times=2)
    assert (error, sends, kept) == (None, 5, {DAY})
    assert table([answer]) == day


def test_502_whatever_is_asked_is_an_outage(source):
    """Two 502s and a probe that fails too: an outage, in few sends."""
    with service(source=source) as cloud:
        _, error, sends, kept = read_one(cloud, "502")
    assert isinstance(error, UnavailableError)
    assert (sends <= 12, kept) == (True, set())


def test_every_named_fault_of_the_service_is_in_this_matrix():
    """A fault that the emulator learns must be placed in the table."""
    here = {*RETRIED, *REFUSED, *SLOW, "429", "413", "502"}
    rows = set(emulator.FAULTS) - here
    assert here <= set(emulator.FAULTS)
    assert not [name for name in rows if name.isdigit()]
