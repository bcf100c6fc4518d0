"""The client's own promises: arguments, what it logs, what it refuses."""

from __future__ import annotations

import gc
import logging

import pytest

from dentframe import DentCloud, emulator
from dentframe.cloud import Job, Window
from dentframe.errors import ConfigError

DAY = Job("P482311252", Window(2023, 3, 1), ("DemandkW", "kWHNet"))


@pytest.fixture
def cloud():
    with emulator.serve(rate=None, concurrency=None) as running:
        yield running


def client(cloud, **settings):
    return DentCloud(cloud.api_key, cloud.key_id, base_url=cloud.url, **({"rate": 500} | settings))


@pytest.mark.parametrize("name", ["rate", "concurrency", "deadline"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), "5", None])
def test_a_limit_that_is_none_is_refused(name, value):
    """Rate, concurrency and deadline are numbers above 0."""
    with pytest.raises(ConfigError, match=f"Cannot use {name}="):
        DentCloud("a", "b", **{name: value})


def test_a_cache_that_is_no_folder_is_refused():
    """True, False or a folder: None could mean either."""
    with pytest.raises(ConfigError, match="Cannot use cache=None: it is no folder"):
        DentCloud("a", "b", cache=None)


def test_a_closed_client_says_so(cloud):
    """After close() no request is made; closing twice is fine."""
    with client(cloud) as dent:
        dent.get_meters()
    dent.close()
    for call in (dent.get_meters, lambda: list(dent.read([DAY]))):
        with pytest.raises(ConfigError, match="closed"):
            call()


def test_a_forgotten_client_closes_itself(cloud):
    """Without close() or with, no file and no socket is left open."""
    dent = client(cloud)
    dent.get_meters()
    del dent
    gc.collect()


def test_offline_needs_a_cache():
    """offline without a cache and a key id cannot be meant."""
    with pytest.raises(ConfigError, match="offline"):
        DentCloud(offline=True, cache=False)


def test_one_info_line_a_window(cloud, caplog):
    """INFO names meter, window, rows, bytes, time, and whether it was kept."""
    with caplog.at_level(logging.INFO, "dentframe"), client(cloud) as dent:
        list(dent.read([DAY])), list(dent.read([DAY]))
    lines = [r.getMessage() for r in caplog.records if r.levelno == logging.INFO]
    assert len(lines) == 2
    assert all(line.startswith("P482311252 2023-03-01: 96 rows, ") for line in lines)
    assert lines[0].endswith("ms, 1 sends")
    assert lines[1].endswith("ms, cached")


def test_answers_say_what_they_cost(cloud):
    """Rows, bytes, sends, and whether it was free; on_done sees each in the caller's thread."""
    seen = []
    with client(cloud) as dent:
        (first,) = dent.read([DAY], on_done=seen.append)
        (second,) = dent.read([DAY], on_done=seen.append)
    assert seen == [first, second]
    assert (first.rows, first.sends, first.cached) == (96, 1, False)
    assert (second.rows, second.sends, second.cached) == (96, 0, True)
    assert first.size == second.size > 0


def test_no_jobs_are_no_answers(cloud):
    """An empty read is empty, and sends nothing."""
    with client(cloud) as dent:
        assert list(dent.read([])) == []
    assert not cloud.requests


def test_the_repr_names_service_and_account(cloud):
    """Enough to tell clients apart, nothing to log in with."""
    with client(cloud) as dent:
        assert cloud.url in repr(dent)
