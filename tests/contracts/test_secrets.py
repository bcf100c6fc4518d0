"""Two canaries, one a key: they are found nowhere but in the two headers on the wire."""

from __future__ import annotations

import copy
import http.client
import io
import logging
import pickle
import traceback
import types
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from dentframe import emulator
from dentframe.cloud import DentCloud, Job, Window
from dentframe.cloud import credentials as creds
from dentframe.cloud.client import default_client
from dentframe.cloud.credentials import Secret
from dentframe.errors import ConfigError, DentError

KEY, KEY_ID = "canary-KEY-5f0c2d", "canary-ID-91ab7e"
CANARIES = (KEY, KEY_ID)
DAY = Job("P482311252", Window(2023, 3, 1), ("DemandkW",))
FAULTS = [
    "403",
    "404",
    "413",
    "429",
    "500",
    "502",
    "quota",
    "redirect",
    "reset",
    "cut",
    "bad_gzip",
    "html",
    "success_false",
    "slow_headers",
]


@pytest.fixture
def said():
    """All that the libraries of the stack log, at DEBUG."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root, names = logging.getLogger(), ("requests_cache", "urllib3", "requests", "dentframe")
    levels = {name: logging.getLogger(name).level for name in names} | {"": root.level}
    for name in levels:
        logging.getLogger(name).setLevel(logging.DEBUG)
    root.addHandler(handler)
    yield stream
    root.removeHandler(handler)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture
def log():
    return []


@pytest.fixture
def cloud(log):
    settings = {"rate": None, "concurrency": None, "log": log.append}
    with emulator.serve(api_key=KEY, key_id=KEY_ID, **settings) as service:
        yield service


def client(cloud, **settings):
    settings = {"rate": 500, "deadline": 0.3} | settings
    return DentCloud(KEY, KEY_ID, base_url=cloud.url, **settings)


def free_of_canaries(*texts):
    for text in texts:
        found = text if isinstance(text, str) else str(text)
        assert not [canary for canary in CANARIES if canary in found], found[:2000]


def walk(thing, depth=7, seen=None):
    """Texts in a thing: its repr, and those of all that attributes, items and slots lead to."""
    seen = set() if seen is None else seen
    if depth < 0 or id(thing) in seen or isinstance(thing, (types.ModuleType, type)):
        return
    seen.add(id(thing))
    yield f"{type(thing).__name__}: {_repr(thing)}"
    if isinstance(thing, (str, bytes, int, float, logging.Logger)):
        return
    for part in _parts(thing):
        yield from walk(part, depth - 1, seen)


def _repr(thing):
    try:
        return repr(thing)
    except AttributeError as error:
        return type(error).__name__


def _parts(thing):
    if isinstance(thing, dict):
        yield from list(thing.keys()) + list(thing.values())
    elif isinstance(thing, (list, tuple, set, frozenset)):
        yield from list(thing)
    yield from list(getattr(thing, "__dict__", {}).values())
    for kind in type(thing).__mro__:
        for name in getattr(kind, "__slots__", ()):
            yield getattr(thing, name, None)


def frames_of(error, seen=None):
    """Every frame of an error, of its causes and of its contexts."""
    seen = set() if seen is None else seen
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        for frame, _ in traceback.walk_tb(error.__traceback__):
            yield frame
        yield from frames_of(error.__cause__, seen)
        error = error.__context__


def check_error(error):
    """No canary in what pytest, rich, cgitb or logging could show of an error."""
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    own = Path(__file__).name
    free_of_canaries(
        str(error), repr(error), *map(repr, error.args), *map(str, walk(error.__dict__))
    )
    for frame in frames_of(error):
        if not frame.f_code.co_filename.endswith(own):
            for name, value in frame.f_locals.items():
                free_of_canaries(*(f"{frame.f_code.co_qualname} {name} {t}" for t in walk(value)))
    while shown is not None:
        ours = [frame for frame in shown.stack if not frame.filename.endswith(own)]
        free_of_canaries(str(shown), *(f"{frame} {frame.locals}" for frame in ours))
        shown = shown.__cause__ or shown.__context__


def test_the_service_does_get_both_keys(cloud):
    """The canaries are real: with them the service answers."""
    with client(cloud) as dent:
        assert dent.get_meters()


def test_no_byte_of_the_cache_folder_holds_a_key(cloud, tmp_path):
    """Cache, pace file and their journals: nothing, while open and after."""
    with client(cloud, cache=tmp_path) as dent:
        dent.get_meters(), dent.get_topics(), list(dent.read([DAY]))
        files = [p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()]
    files += [p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()]
    assert len(files) >= 3
    assert not [c for c in CANARIES for data in files if c.encode() in data]


def test_no_log_of_any_library_holds_a_key(cloud, said, log):
    """DEBUG of requests-cache, urllib3 and our own, through success and failure."""
    with client(cloud) as dent:
        list(dent.read([DAY]))
        for fault in ("500", "reset", "429", "html"):
            dent.clear_cache()
            cloud.faults.add(fault, times=1)
            list(dent.read([DAY]))
    assert "P482311252 2023-03-01" in said.getvalue()
    assert log
    free_of_canaries(said.getvalue(), *log)


def test_http_client_in_debug_mode_prints_no_header(cloud, monkeypatch):
    """http.client's debuglevel prints headers; our connections do not heed it."""
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(out), client(cloud) as dent:
        dent.get_meters()
    free_of_canaries(out.getvalue())


def test_a_client_shows_and_leads_to_no_key(cloud):
    """repr, str, vars and all that attributes lead to, open and in use."""
    with client(cloud) as dent:
        answers = list(dent.read([DAY]))
        free_of_canaries(
            repr(dent), str(dent), f"{dent}", repr(answers), *walk(dent), *walk(answers)
        )


@pytest.mark.parametrize("clone", [pickle.dumps, copy.copy, copy.deepcopy])
def test_what_holds_a_key_refuses_to_be_copied(cloud, clone):
    """Pickle and deepcopy of the client, the credentials, the key and the session raise."""
    with client(cloud) as dent:
        dent.get_meters()
        credentials = dent._service.credentials
        holders = [dent, credentials, credentials.api_key]
        if clone is pickle.dumps:
            holders += list(dent._service.session().adapters.values())[:1]
        for holder in holders[: 4 if clone is not copy.copy else 1]:
            with pytest.raises(ConfigError, match="keys stay in the process"):
                clone(holder)


@pytest.mark.parametrize("fault", FAULTS)
def test_no_error_or_traceback_with_locals_holds_a_key(cloud, fault):
    """Every fault's error, with all frames, causes and contexts, recursively."""
    cloud.faults.add(fault)
    with client(cloud) as dent:
        with pytest.raises(DentError) as caught:
            dent.get_meters()
        check_error(caught.value)
        try:
            (answer,) = dent.read([DAY])
            check_error(answer.error)
        except DentError as error:
            check_error(error)


def test_an_error_of_the_service_that_repeats_the_key_is_scrubbed(cloud):
    """A message of the service is shown without the keys in it."""
    found = creds.load(KEY, KEY_ID, cloud.url)
    assert found.scrub(f"bad key {KEY} of {KEY_ID}") == "bad key *** of ***"


class OddInterrupt(BaseException):
    """An interrupt that cannot be made again without its reason."""

    def __init__(self, reason):
        super().__init__(reason)


@pytest.mark.parametrize(
    ("interrupt", "seen"),
    [(KeyboardInterrupt(), KeyboardInterrupt), (OddInterrupt("late"), TypeError)],
)
def test_an_interrupt_in_a_request_carries_no_key(interrupt, seen, cloud, monkeypatch):
    """Ctrl-C while a request is under way: the frames that held the headers are gone."""
    from dentframe.cloud import transport as session

    def interrupted(*args):
        raise interrupt

    monkeypatch.setattr(session, "_read", interrupted)
    with client(cloud) as dent:
        with pytest.raises(seen) as caught:
            dent.get_meters()
        check_error(caught.value)


BAD = [
    (f"{KEY} {KEY}", KEY_ID, None),
    (KEY, None, None),
    (None, KEY_ID, None),
    (KEY, KEY_ID, f"https://{KEY}:x@host/v1"),
    (KEY, KEY_ID, f"https://[{KEY}/v1"),
    (KEY, KEY_ID, 5),
]


@pytest.mark.parametrize(("api_key", "key_id", "url"), BAD)
def test_a_refused_argument_is_not_shown(api_key, key_id, url):
    """Arguments that cannot be used: the error and its frames hold no key."""
    with pytest.raises(DentError) as caught:
        DentCloud(api_key, key_id, base_url=url)
    check_error(caught.value)


def test_the_environment_and_the_profile_are_not_shown(monkeypatch, tmp_path):
    """Half a pair in the environment, a profile that is no TOML: no key in the error."""
    monkeypatch.setenv("DENTCLOUD_API_KEY", KEY)
    with pytest.raises(ConfigError) as caught:
        default_client()
    check_error(caught.value)
    monkeypatch.delenv("DENTCLOUD_API_KEY")
    broken = tmp_path / "broken.toml"
    broken.write_text(f"api_key = {KEY}\nkey_id = '{KEY_ID}'")
    broken.chmod(0o600)
    monkeypatch.setenv("DENTCLOUD_PROFILE", str(broken))
    with pytest.raises(ConfigError) as caught:
        default_client()
    check_error(caught.value)


def test_a_profile_that_cannot_be_written_is_not_shown(tmp_path, monkeypatch):
    """A file in the folder's place: no key in the error."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DENTCLOUD_PROFILE", str(tmp_path / "file" / "profile.toml"))
    with pytest.raises(ConfigError) as caught:
        creds.save_profile(KEY, KEY_ID)
    check_error(caught.value)


def test_a_secret_shows_stars_however_it_is_asked():
    """repr, str, format, %-formatting and in a container."""
    secret = Secret(KEY)
    texts = [
        repr(secret),
        str(secret),
        f"{secret:>10}",
        f"{secret}",
        repr([secret]),
        repr({1: secret}),
    ]
    free_of_canaries(*texts)
    assert secret.reveal() == KEY
