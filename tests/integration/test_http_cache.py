"""The cache over the socket: what is served again, and what never."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta

import pytest
from http_kit import DAYS, METER, TOPICS, client, jobs, service, table, truth

from dentframe import DentCloud, emulator
from dentframe.cloud import Window
from dentframe.cloud.client import default_client
from dentframe.cloud.http_cache import cache_info, clear_cache
from dentframe.errors import ConfigError, OfflineError, StaleDataWarning, UnavailableError


@pytest.fixture(scope="module")
def source():
    return emulator.Plant(seed=0)


@pytest.fixture
def cloud(source):
    with service(source=source) as running:
        yield running


def test_a_second_read_sends_nothing(cloud, tmp_path):
    """The same windows again, also in a new client: no request, the same cells."""
    with client(cloud, cache=tmp_path) as dent:
        first = table(dent.read(jobs()))
    sent = len(cloud.requests)
    with client(cloud, cache=tmp_path) as dent:
        answers = list(dent.read(jobs()))
    assert len(cloud.requests) == sent
    assert all(a.cached and a.sends == 0 for a in answers)
    assert table(answers) == first


def test_a_window_held_with_more_topics_serves_fewer(cloud, source):
    """Fewer topics: no request, and only the columns that were asked for."""
    with client(cloud) as dent:
        list(dent.read(jobs(topics=("A", "V", "DemandkW"))))
        sent = len(cloud.requests)
        answers = list(dent.read(jobs(topics=("V",))))
        assert len(cloud.requests) == sent
    assert table(answers) == truth(source, topics=("V",))


def test_more_topics_ask_only_for_the_rest(cloud, source):
    """More topics: one request a window, for what is not held."""
    with client(cloud) as dent:
        list(dent.read(jobs(topics=("DemandkW",))))
        answers = list(dent.read(jobs(topics=("DemandkW", "kWHNet", "V"))))
        rest = cloud.data_requests[len(DAYS) :]
        assert {seen.topics for seen in rest} == {("kWHNet", "V")}
        assert dent.held(METER, ("V", "DemandkW")) == set(DAYS)
    assert table(answers) == truth(source, topics=("DemandkW", "kWHNet", "V"))


def test_two_accounts_over_one_cache_never_see_each_others_data(tmp_path):
    """Two keys, one folder: each its own meters, windows and held sets."""
    sources = {"one": emulator.Plant(seed=1), "two": emulator.Plant(seed=2)}
    keys = {"one": "key-one", "two": "key-two"}
    with service(source=sources, accounts=keys) as cloud:
        got = {}
        for name, key in keys.items():
            with client(cloud, cache=tmp_path, keys=(key, name)) as dent:
                assert dent.held(METER, TOPICS) == set()
                got[name] = table(dent.read(jobs()))
        assert {seen.key_id for seen in cloud.requests} == {"one", "two"}
        with client(cloud, cache=tmp_path, keys=("new-key-after-rotation", "one")) as dent:
            assert table(dent.read(jobs())) == got["one"]
    assert got["one"] != got["two"]
    with pytest.raises(ConfigError, match="2 accounts"):
        DentCloud(base_url=cloud.url, cache=tmp_path, offline=True)


def test_offline_reads_the_cache_alone_and_names_what_it_lacks(cloud, tmp_path):
    """offline=True: any age, no key, no request; a window that is not there is named."""
    with client(cloud, cache=tmp_path) as dent:
        first = table(dent.read(jobs()))
        meters = dent.get_meters()
    later = datetime.now(UTC) + timedelta(days=4000)
    settings = {"cache": tmp_path, "offline": True, "_now": lambda: later}
    with DentCloud(base_url=cloud.url, **settings) as dent:
        assert table(dent.read(jobs())) == first
        assert dent.get_meters() == meters
        (lacking,) = dent.read(jobs([Window(2023, 4)]))
        with pytest.raises(OfflineError, match="getTopics"):
            dent.get_topics()
    assert isinstance(lacking.error, OfflineError)
    assert "2023-04" in str(lacking.error)


def test_stale_answers_are_served_on_request_only_and_with_a_warning(source, tmp_path):
    """An expired window and a service that fails: an error, or data with windows and ages named."""
    day, month = Window(2023, 3, 5), datetime(2023, 3, 6, 1, tzinfo=UTC)
    settings = {"cache": tmp_path, "_now": lambda: clock[0], "deadline": 5}
    clock = [month]
    with service(source=source) as cloud:
        with client(cloud, **settings) as dent:
            first = table(dent.read(jobs([day])))
        clock[0] += timedelta(days=1)
        cloud.faults.add("500")
        with client(cloud, **settings) as dent:
            (answer,) = dent.read(jobs([day]))
            assert isinstance(answer.error, UnavailableError)
        named = pytest.warns(StaleDataWarning, match=r"2023-03-05 \(1 d old\)")
        with client(cloud, stale_if_error=True, **settings) as dent, named:
            answers = list(dent.read(jobs([day])))
    assert table(answers) == first


def test_the_open_window_is_asked_again_after_minutes(source, tmp_path):
    """A window that is not over is kept for five minutes."""
    now = [datetime(2023, 3, 5, 12, tzinfo=UTC)]
    day = Window(2023, 3, 5)
    with (
        service(source=source, now=lambda: now[0]) as cloud,
        client(cloud, cache=tmp_path, _now=lambda: now[0]) as dent,
    ):
        for minutes, sends in ((0, 1), (4, 1), (2, 2)):
            now[0] += timedelta(minutes=minutes)
            list(dent.read(jobs([day])))
            assert len(cloud.data_requests) == sends


def test_the_files_are_the_owners_alone(cloud, tmp_path):
    """0700 for the folder, 0600 for every file in it."""
    folder = tmp_path / "new" / "cache"
    with client(cloud, cache=folder) as dent:
        list(dent.read(jobs()))
        modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert modes == {0o600}


def test_info_and_clear(cloud, tmp_path):
    """What is in a cache, by meter; clearing one meter, then all."""
    with client(cloud, cache=tmp_path) as dent:
        other = next(meter for meter in dent.get_meters() if meter != METER)
        list(dent.read(jobs() + jobs(meter=other)))
        assert cache_info(tmp_path)["meters"][METER]["answers"] == 3
        dent.clear_cache(other)
        assert dent.held(other, TOPICS) == set()
        assert dent.held(METER, TOPICS) == set(DAYS)
    assert clear_cache(tmp_path, METER) == 3
    assert clear_cache(tmp_path) == 1
    assert cache_info(tmp_path)["answers"] == 0


def test_without_a_cache_nothing_is_kept(cloud):
    """cache=False: each read asks again."""
    with client(cloud, cache=False) as dent:
        list(dent.read(jobs()))
        list(dent.read(jobs()))
        assert dent.held(METER, TOPICS) == set()
        assert dent.kept_topics() is None
    assert len(cloud.data_requests) == 6


def test_the_lists_are_kept_for_a_day(cloud, tmp_path):
    """getTopics and getMeters: one request a day."""
    now = [datetime(2024, 1, 1, tzinfo=UTC)]
    with client(cloud, cache=tmp_path, _now=lambda: now[0]) as dent:
        assert dent.kept_topics() is None
        for hours, sends in ((0, 2), (23, 2), (2, 4)):
            now[0] += timedelta(hours=hours)
            assert dent.get_topics()
            assert dent.get_meters()
            assert len(cloud.requests) == sends
        now[0] += timedelta(days=100)
        assert dent.kept_topics()


def test_the_default_client_is_one_per_account(cloud, monkeypatch):
    """The same credentials give the same client, a closed one is replaced."""
    monkeypatch.setenv("DENTCLOUD_API_KEY", cloud.api_key)
    monkeypatch.setenv("DENTCLOUD_KEY_ID", cloud.key_id)
    monkeypatch.setenv("DENTCLOUD_BASE_URL", cloud.url)
    with default_client() as one:
        assert default_client() is one
    with default_client() as other:
        assert other is not one
        monkeypatch.setenv("DENTCLOUD_KEY_ID", "another")
        with default_client() as third:
            assert third is not other


class Gappy:
    """A source in which the cells of one hour are blank until it is mended."""

    def __init__(self, plant):
        self._plant, self.mended = plant, False
        self.meters, self.topics = plant.meters, plant.topics

    def rows(self, meter, start, end, topics):
        columns, made = self._plant.rows(meter, start, end, topics)
        if self.mended:
            return columns, made
        blank = {"date", "time"}
        return columns, [
            {k: v if k in blank else "" for k, v in row.items()} if row["time"][:2] == "03" else row
            for row in made
        ]


def test_blanks_are_asked_for_again_and_an_outage_not_for_ever(source, tmp_path):
    """What is back-filled is read; what does not change for a week, a year on, is final."""
    gappy, day = Gappy(source), Window(2023, 3, 5)
    now = [day.end]
    with (
        service(source=gappy, now=lambda: now[0]) as cloud,
        client(cloud, cache=tmp_path, _now=lambda: now[0]) as dent,
    ):
        for days, sends in ((10, 1), (2, 2), (400, 3), (31, 3), (4000, 3)):
            now[0] += timedelta(days=days)
            list(dent.read(jobs([day])))
            assert len(cloud.data_requests) == sends
        dent.clear_cache()
        now[0] = day.end + timedelta(days=10)
        list(dent.read(jobs([day])))
        gappy.mended = True
        now[0] += timedelta(days=2)
        assert table(dent.read(jobs([day]))) == truth(source, [day])
        now[0] += timedelta(days=4000)
        sends = len(cloud.data_requests)
        list(dent.read(jobs([day])))
        assert len(cloud.data_requests) == sends
