"""The cache over the socket: what a bad file, a lock, a full disk or a kill costs."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from http_kit import DAYS, METER, TOPICS, client, jobs, months, service, table

from dentframe import emulator
from dentframe.cloud import http_cache as store
from dentframe.errors import CacheWarning

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))


KILLS = int(os.environ.get("DENTFRAME_KILLS", "1"))


WRITES = int(os.environ.get("DENTFRAME_WRITES", "40"))


@pytest.fixture(scope="module")
def source():
    return emulator.Plant(seed=0)


@pytest.fixture
def cloud(source):
    with service(source=source) as running:
        yield running


def damage(path):
    path.write_bytes(b"this is no database" * 1000)


def scramble(path):
    data = bytearray(path.read_bytes())
    data[4096:] = os.urandom(len(data) - 4096)
    path.write_bytes(bytes(data))


def cut_off(path):
    path.write_bytes(path.read_bytes()[:5000])


def another_schema(path):
    path.unlink()
    con = sqlite3.connect(path)
    con.execute("CREATE TABLE answers (a)")
    con.close()


@pytest.mark.parametrize("harm", [damage, scramble, cut_off, another_schema])
def test_a_damaged_cache_costs_a_warning_and_requests(harm, cloud, tmp_path):
    """The read is whole, says so once, and the cache works again after it."""
    with client(cloud, cache=tmp_path) as dent:
        first = table(dent.read(jobs()))
    harm(tmp_path / "answers.sqlite")
    with client(cloud, cache=tmp_path) as dent:
        with pytest.warns(CacheWarning) as caught:
            assert table(dent.read(jobs())) == first
        assert len(caught) == 1
        sent = len(cloud.requests)
        assert table(dent.read(jobs())) == first
        assert len(cloud.requests) == sent


def test_a_damaged_answer_is_asked_for_again(cloud, tmp_path):
    """One blob is harmed: it is a miss, and replaced."""
    with client(cloud, cache=tmp_path) as dent:
        first = table(dent.read(jobs()))
        con = sqlite3.connect(tmp_path / "answers.sqlite")
        con.execute("UPDATE answers SET value = substr(value, 1, length(value) - 9)")
        con.commit()
        con.close()
        sent = len(cloud.requests)
        assert table(dent.read(jobs())) == first
        assert len(cloud.requests) == sent + 3
        assert dent.held(METER, TOPICS) == set(DAYS)


def test_a_locked_cache_slows_a_read_and_never_fails_it(cloud, tmp_path, monkeypatch):
    """Another process holds the file: one warning, all rows."""
    with client(cloud, cache=tmp_path) as dent:
        first = table(dent.read(jobs()))
    con = sqlite3.connect(tmp_path / "answers.sqlite", isolation_level=None)
    con.execute("PRAGMA journal_mode = DELETE")
    con.execute("BEGIN EXCLUSIVE")
    monkeypatch.setattr(store, "_BUSY", 0.05)
    with client(cloud, cache=tmp_path) as dent, pytest.warns(CacheWarning) as caught:
        assert table(dent.read(jobs())) == first
    con.close()
    assert len(caught) == 1


def test_a_full_disk_slows_a_read_and_never_fails_it(cloud, tmp_path):
    """No room: one warning, all rows, and what was there is still served."""
    with client(cloud, cache=tmp_path) as dent:
        list(dent.read(jobs(DAYS[:1])))
        dent._cache.file._con.execute("PRAGMA max_page_count = 1")
        with pytest.warns(CacheWarning, match="full") as caught:
            answers = list(dent.read(jobs()))
    assert len(caught) == 1
    assert not [a.error for a in answers if a.error]
    assert sum(a.cached for a in answers) == 1


@pytest.mark.skipif(os.name != "posix", reason="folder modes are POSIX")
def test_a_read_only_cache_is_read(cloud, tmp_path):
    """A file that cannot be written serves what it has, and says so where it would write."""
    with client(cloud, cache=tmp_path) as dent:
        list(dent.read(jobs(DAYS[:1])))
    con = sqlite3.connect(f"file:{tmp_path / 'answers.sqlite'}?mode=ro", uri=True)
    con.close()
    with client(cloud, cache=tmp_path) as dent:
        dent._cache.file.entries("")
        dent._cache.file._con.execute("PRAGMA query_only = 1")
        with pytest.warns(CacheWarning, match="readonly"):
            answers = list(dent.read(jobs()))
    assert sum(a.cached for a in answers) == 1
    assert not [a.error for a in answers if a.error]


def test_four_processes_lose_no_write(tmp_path):
    """4 processes write to one cache at once: every answer is there, and the file is sound."""
    from bench_http import write_many

    context = multiprocessing.get_context("spawn")
    all_of = [context.Process(target=write_many, args=(str(tmp_path), w, WRITES)) for w in range(4)]
    for process in all_of:
        process.start()
    for process in all_of:
        process.join()
    con = sqlite3.connect(tmp_path / "answers.sqlite")
    assert con.execute("SELECT count(*) FROM answers").fetchone()[0] == 4 * WRITES
    assert con.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    con.close()


def test_a_kill_leaves_the_cache_whole(source, tmp_path):
    """kill -9 at random moments of a year's read: the next run completes it, bit for bit."""
    from bench_http import CHILD, digest

    year, rng = months(2023, 2023), random.Random(7)
    with service(source=source, latency=0.02) as cloud:
        whole, _ = digest(cloud.url, tmp_path / "calm", year)
        for run in range(KILLS):
            folder = tmp_path / str(run)
            args = [sys.executable, "-c", CHILD, cloud.url, str(folder)]
            with subprocess.Popen(args, stdout=subprocess.PIPE) as child:
                child.stdout.readline()
                time.sleep(rng.uniform(0, 0.8))
                child.send_signal(signal.SIGKILL)
            con = sqlite3.connect(folder / "answers.sqlite")
            assert con.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
            con.close()
            with client(cloud, cache=folder) as dent:
                held = dent.held(METER, TOPICS)
            assert digest(cloud.url, folder, year) == (whole, 12 - len(held))
