"""No key in what a person sees of a read: errors, frames, bars, the command line, a notebook."""

from __future__ import annotations

import io
import json
import pickle
import traceback

import pytest

from dentframe import DentCloud, cli, emulator, read_dentcloud
from dentframe.errors import AuthError, DentError, IncompleteReadError

KEY, KEY_ID = "canary-KEY-77aa01", "canary-ID-3b9c2e"
METER = "P482311252"


@pytest.fixture
def cloud():
    settings = {"rate": None, "concurrency": None}
    with emulator.serve(api_key=KEY, key_id=KEY_ID, **settings) as served:
        yield served


@pytest.fixture
def client(cloud, tmp_path):
    settings = {"rate": 500, "deadline": 0.5, "cache": tmp_path / "c"}
    with DentCloud(KEY, KEY_ID, base_url=cloud.url, **settings) as made:
        yield made


def assert_clean(*texts):
    for text in texts:
        assert KEY not in text
        assert KEY_ID not in text


def shown(error):
    """Everything a logger, a rich traceback or a debugger prints of an error."""
    captured = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join(captured.format()) + repr(error) + str(error)


@pytest.mark.parametrize("fault", ["success_false", "500", "reset", "html", "quota"])
def test_an_incomplete_read_shows_no_key(cloud, client, fault):
    """The error, its cause, its locals and its pickle are free of both keys."""
    client.get_topics(), client.get_meters()
    cloud.faults.add(fault, request="getData")
    with pytest.raises(IncompleteReadError) as caught:
        read_dentcloud(METER, "2023-10", "2023-12", "kWHNet", client=client)
    assert_clean(shown(caught.value), repr(pickle.dumps(caught.value)))
    assert caught.value.partial.attrs["dentcloud"]["units"] == {"kWHNet": "kWh"}


def test_a_refused_key_shows_no_key(cloud, client):
    """AuthError names no key, in no frame of its traceback."""
    cloud.faults.add("403")
    with pytest.raises(AuthError) as caught:
        read_dentcloud(METER, "2023-12", topics="kWHNet", client=client)
    assert_clean(shown(caught.value))


def test_a_frame_carries_no_key(client):
    """The attrs, reprs and pickles of what was read are free of keys."""
    df = read_dentcloud(METER, "2023-12-05", topics="kWHNet", client=client)
    assert_clean(json.dumps(df.attrs), repr(df), df.to_html(), repr(pickle.dumps(df)))


def test_a_progress_bar_shows_no_key(client, monkeypatch):
    """The bar on a terminal tells windows, nothing else."""
    terminal = io.StringIO()
    monkeypatch.setattr("sys.stderr", terminal)
    read_dentcloud(METER, "2023-12-05", topics="kWHNet", client=client, progress=True)
    assert "window" in terminal.getvalue()
    assert_clean(terminal.getvalue())


@pytest.mark.parametrize("fault", ["403", "success_false"])
def test_the_command_line_shows_no_key(cloud, monkeypatch, capsys, fault):
    """A failing command prints its error on stderr without a key."""
    monkeypatch.setenv("DENTCLOUD_BASE_URL", cloud.url)
    monkeypatch.setenv("DENTCLOUD_API_KEY", KEY)
    monkeypatch.setenv("DENTCLOUD_KEY_ID", KEY_ID)
    cloud.faults.add(fault, request="getMeters")
    assert cli.main(["meters"]) == 2
    streams = capsys.readouterr()
    assert streams.err.startswith("Error: ")
    assert_clean(streams.out, streams.err)


def test_login_echoes_no_key(monkeypatch, capsys):
    """`dentframe login` says where the profile is, not what is in it."""
    answers = iter([KEY, KEY_ID])
    monkeypatch.setattr("click.prompt", lambda *a, **k: next(answers))
    assert cli.main(["login"]) == 0
    streams = capsys.readouterr()
    assert_clean(streams.out, streams.err)


def test_half_a_pair_is_refused_without_showing_it(monkeypatch):
    """An API key without its id is an error that names the variable, not the key."""
    monkeypatch.setenv("DENTCLOUD_API_KEY", KEY)
    with pytest.raises(DentError, match="DENTCLOUD_KEY_ID") as caught:
        DentCloud()
    assert_clean(shown(caught.value))
