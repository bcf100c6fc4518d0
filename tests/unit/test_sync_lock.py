"""Two syncs of one archive are kept apart; filelock has the branch of each system."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from dentframe.archive.archive import lock
from dentframe.errors import ConfigError

HOLDER = """
import sys
from pathlib import Path
from dentframe.archive.archive import lock
with lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path):
    """Another process that holds the lock."""
    args = [sys.executable, "-c", HOLDER, str(tmp_path / "there")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(args, **pipes) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_a_second_process_is_refused_and_told_who(other, tmp_path):
    """The error names the process and its host, and what to do; nobody is harmed."""
    with (
        pytest.raises(ConfigError, match=rf"process {other.pid} on .+ since .+ Wait") as raised,
        lock(tmp_path / "there"),
    ):
        pass
    assert raised.value.retryable
    assert "there" in str(raised.value)


def test_a_killed_process_frees_its_lock(other, tmp_path):
    """After kill -9 the lock is free at once."""
    other.kill()
    other.wait()
    with lock(tmp_path / "there"):
        pass


def test_two_threads_are_kept_apart_too(tmp_path):
    """The lock belongs to a sync, not to a process."""
    refused = []

    def second():
        try:
            with lock(tmp_path):
                pass
        except ConfigError as error:
            refused.append(str(error))

    with lock(tmp_path):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert len(refused) == 1
    assert f"process {os.getpid()}" in refused[0]


def test_it_is_free_after_an_error(tmp_path):
    """An error inside frees the lock."""
    with pytest.raises(KeyError), lock(tmp_path):
        raise KeyError
    with lock(tmp_path):
        pass
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and p.stat().st_size]


def test_a_link_in_its_place_is_refused(tmp_path):
    """A link would lead to somebody else's file, whose text is left as it is."""
    path, other = tmp_path / ".dentframe" / "sync.lock", tmp_path / "other.txt"
    path.parent.mkdir()
    other.write_text("mine")
    path.symlink_to(other)
    with pytest.raises(ConfigError, match="Remove it where it is a link"), lock(tmp_path):
        pass
    assert other.read_text() == "mine"
