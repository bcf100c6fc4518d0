"""What a sync asks of the client: lazily, without filling the cache, with honest read times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dentframe.cloud.http_cache import cache_info
from dentframe.errors import StaleDataWarning, UnavailableError
from tests.integration.http_kit import DAYS, METER, TOPICS, client, jobs, months, service


@pytest.fixture
def cloud():
    with service() as served:
        yield served


def test_the_cache_serves_what_it_has_and_is_not_filled(cloud, tmp_path):
    """With store=False a kept day costs nothing, and a new one leaves nothing behind."""
    with client(cloud, cache=tmp_path) as dent:
        list(dent.read(jobs(DAYS[:1])))
        before = cache_info(tmp_path)
        answers = list(dent.read(jobs(DAYS), store=False))
        assert sorted(a.cached for a in answers) == [False, False, True]
        assert all(a.rows == 96 for a in answers)
        assert cache_info(tmp_path) == before
        assert dent.held(METER, TOPICS) == {DAYS[0]}


def test_parts_of_a_window_that_is_too_large_are_not_kept_either(tmp_path):
    """A month cut by 413 arrives whole and leaves no answer in the cache."""
    with service(max_body=200_000) as cloud, client(cloud, cache=tmp_path) as dent:
        (answer,) = dent.read(jobs(months(2023, 2023)[2:3]), store=False)
        assert len({m for page in answer.pages for m in page.minutes.tolist()}) == 2976
        assert answer.sends > 2
        assert cache_info(tmp_path)["answers"] == 0


def test_jobs_are_taken_as_answers_are_dealt_with(cloud, tmp_path):
    """With eager=False no more than `concurrency` jobs are begun and not dealt with."""
    taken, dealt, most = 0, 0, 0

    def lazily():
        nonlocal taken
        for job in jobs(months(2021, 2021)):
            taken += 1
            yield job

    with client(cloud, cache=False, concurrency=3) as dent:
        for answer in dent.read(lazily(), eager=False):
            assert answer.error is None
            most = max(most, taken - dealt)
            dealt += 1
    assert (dealt, most) == (12, 3)


def test_an_answer_knows_when_it_was_asked_for(cloud, tmp_path):
    """From the service it is now, from the cache it is when the kept answer came."""
    present = datetime(2024, 1, 1, tzinfo=UTC)
    with client(cloud, cache=tmp_path, _now=lambda: present) as dent:
        (first,) = dent.read(jobs(DAYS[:1]))
        assert first.read_at == dent.now() == present
        present += timedelta(days=3)
        (again,) = dent.read(jobs(DAYS[:1]))
    assert again.cached
    assert again.read_at == first.read_at


def test_a_window_joined_from_two_answers_is_as_old_as_the_older(cloud, tmp_path):
    """Half from the cache, half from the service: the read time is the cache's."""
    present = datetime(2024, 1, 1, tzinfo=UTC)
    with client(cloud, cache=tmp_path, _now=lambda: present) as dent:
        list(dent.read(jobs(DAYS[:1], TOPICS[:1])))
        present += timedelta(days=3)
        (both,) = dent.read(jobs(DAYS[:1]))
    assert both.sends == 1
    assert both.read_at == datetime(2024, 1, 1, tzinfo=UTC)


def test_what_an_archive_is_given_is_of_one_age(cloud, tmp_path):
    """Half from the cache would make the new half old, and a newer record would win over it."""
    present = datetime(2024, 1, 1, tzinfo=UTC)
    with client(cloud, cache=tmp_path, _now=lambda: present) as dent:
        list(dent.read(jobs(DAYS[:1], TOPICS[:1])))
        present += timedelta(days=3)
        (both,) = dent.read(jobs(DAYS[:1]), store=False)
    assert both.sends == 1
    assert both.read_at == present


def test_an_outdated_answer_is_as_old_as_it_is(tmp_path):
    """Half a month that stands in for a failed one must not pass for the whole in an archive."""
    present = datetime(2023, 3, 16, tzinfo=UTC)
    month, settings = months(2023, 2023)[2:3], {"cache": tmp_path, "_now": lambda: present}
    with service(now=lambda: present) as cloud:
        with client(cloud, **settings) as dent:
            list(dent.read(jobs(month)))
        present += timedelta(days=20)
        cloud.faults.add("500")
        told = pytest.warns(StaleDataWarning, match="2023-03")
        with client(cloud, stale_if_error=True, deadline=5, **settings) as dent, told:
            (answer,) = dent.read(jobs(month), store=False)
    assert answer.error is None
    assert answer.read_at == datetime(2023, 3, 16, tzinfo=UTC)


def test_an_error_in_the_callers_jobs_is_the_callers(cloud, tmp_path):
    """What the iterable of jobs raises comes out, and no thread is left."""

    def broken():
        yield from jobs(DAYS[:1])
        raise KeyError("mine")

    with client(cloud, cache=False) as dent, pytest.raises(KeyError, match="mine"):
        list(dent.read(broken(), eager=False))


def test_failures_do_not_stop_a_lazy_read(cloud, tmp_path):
    """A window that fails is an answer with an error; the next job is taken all the same."""
    cloud.faults.add("503", window="2023-03-01")
    with client(cloud, cache=False, deadline=5) as dent:
        answers = {str(a.window): a.error for a in dent.read(jobs(), eager=False)}
    assert isinstance(answers.pop("2023-03-01"), UnavailableError)
    assert set(answers.values()) == {None}
