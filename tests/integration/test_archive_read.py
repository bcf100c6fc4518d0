"""Reading from an archive is reading from the cloud: the same frames, over a real socket."""

from __future__ import annotations

import contextlib
import warnings

import pandas as pd
import pytest

from dentframe import DentCloud, emulator, read_dentcloud
from dentframe.archive import Archive
from dentframe.cloud import Job, Window
from dentframe.errors import (
    AuthError,
    ConfigError,
    DentWarning,
    IncompleteReadError,
    IncompleteReadWarning,
    ReadingWarning,
    UnknownMeterError,
    UnknownTopicError,
)

LA = "America/Los_Angeles"
METER, OTHER = "P482311252", "P482102272"
MONTHS = [Window(2023, 11), Window(2023, 12), Window(2024, 1)]


def client_of(cloud, tmp_path, name="c", **settings):
    return DentCloud(
        cloud.api_key,
        cloud.key_id,
        base_url=cloud.url,
        cache=tmp_path / name,
        rate=1000,
        **settings,
    )


def fill(archive, client, meters=(METER, OTHER), windows=MONTHS, topics=None):
    """What a sync does: keep all answers, settle some."""
    catalogue = client.get_topics()
    archive.keep_topics(catalogue)
    keys = tuple(t["requestKey"] for t in catalogue) if topics is None else topics
    for answer in client.read([Job(m, w, keys) for m in meters for w in windows]):
        archive.keep(answer, answer.read_at)
    archive.settle(METER)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """An emulator with odd cells, a client of it, and an archive: one meter is not settled."""
    folder = tmp_path_factory.mktemp("world")
    with emulator.serve(rate=None, concurrency=None) as cloud:
        cloud.faults.add("text_value", column="kWHNet/Elm/B", value="N/A", window="2023-12")
        with client_of(cloud, folder) as client:
            archive = Archive(folder / "portfolio")
            fill(archive, client)
            yield cloud, client, archive


def told(read):
    """A frame and the warnings on the way, in any order."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DentWarning)
        frame = read()
    return frame, sorted((w.category.__name__, str(w.message)) for w in caught)


READS = {
    "a month": ((METER, "2023-12"), {}),
    "not settled": ((OTHER, "2023-12"), {}),
    "a local month with brackets": ((METER, "2023-12"), {"tz": LA, "bracket": True}),
    "a subset, in another order": ((METER, "2023-12", None, ["V", "DemandkW"]), {}),
    "an element": ((f"{METER}_B", "2023-12-05", None, "kWHNet"), {"tz": LA}),
    "an element it lacks": (([f"{METER}_B", f"{METER}_Z"], "2023-12-05", None, "kWHNet"), {}),
    "two meters": (([OTHER, METER], "2023-12-30", "2024-01-02", ["kWHNet", "A"]), {}),
    "an odd range": ((METER, "2023-12-31 23:40", "2024-01-01 00:10", "kWHNet"), {"bracket": True}),
    "quantified": ((METER, "2023-12-05", None, "kWHNet"), {"quantify": True}),
}


@pytest.mark.parametrize("name", READS)
def test_the_archive_gives_the_clouds_frame(world, name):
    """Values, dtypes, columns, attrs and warnings are those of the read from the cloud."""
    if name == "quantified":
        pytest.importorskip("pint_pandas")
    cloud, client, archive = world
    args, options = READS[name]
    expected, warned = told(lambda: read_dentcloud(*args, client=client, **options))
    before = len(cloud.requests)
    frame, also = told(lambda: archive.read(*args, **options))
    both, again = told(lambda: read_dentcloud(*args, archive=archive, client=client, **options))
    assert len(cloud.requests) == before
    for found in (frame, both):
        pd.testing.assert_frame_equal(found, expected)
        assert found.attrs == expected.attrs
    assert also == again == warned


def test_a_read_wholly_held_needs_neither_key_nor_service(world, monkeypatch):
    """With an archive and no credentials, what it holds is read."""
    _, _, archive = world
    frame = read_dentcloud(METER, "2023-11", archive=str(archive.path))
    assert len(frame) == 30 * 96
    with pytest.raises(AuthError):
        read_dentcloud(METER, "2023-10", archive=archive)


def test_the_cloud_is_asked_only_for_what_is_not_held(world, tmp_path):
    """Of four months one is asked, and of a month with some topics only the others."""
    cloud, client, archive = world
    with client_of(cloud, tmp_path, "other") as fresh:
        before = len(cloud.data_requests)
        found, _ = told(lambda: read_dentcloud(METER, "2023-10", "2024-02", archive=archive,
                                               client=fresh))  # fmt: skip
        assert [str(s.window) for s in cloud.data_requests[before:]] == ["2023-10"]
        some = Archive(tmp_path / "some")
        fill(some, fresh, [METER], [Window(2023, 11)], ("kWHNet", "V"))
        before = len(cloud.data_requests)
        both = read_dentcloud(METER, "2023-11", archive=some, client=fresh)
        assert [s.topics for s in cloud.data_requests[before:]] == [
            tuple(t for t in _keys(client) if t not in {"kWHNet", "V"})
        ]
    expected, _ = told(lambda: read_dentcloud(METER, "2023-10", "2024-02", client=client))
    pd.testing.assert_frame_equal(found, expected)
    pd.testing.assert_frame_equal(both, read_dentcloud(METER, "2023-11", client=client))


def _keys(client):
    return [t["requestKey"] for t in client.get_topics()]


def test_reading_writes_nothing_into_the_archive(world, tmp_path):
    """Sync fills an archive, reading does not."""
    _, client, _ = world
    empty = Archive(tmp_path / "none")
    read_dentcloud(METER, "2023-11", topics="kWHNet", archive=empty, client=client)
    assert not empty.path.exists()


def test_what_is_not_held_is_missing_by_the_readers_rules(world):
    """The partial frame and the missing windows, or a warning; resume looks again."""
    _, client, archive = world
    with pytest.raises(IncompleteReadError, match=r"2023-10.*sync") as caught:
        archive.read(OTHER, "2023-10", "2023-12", "kWHNet")
    assert [str(w) for w in caught.value.missing] == ["2023-10"]
    pd.testing.assert_frame_equal(
        caught.value.partial, archive.read(OTHER, "2023-11", None, "kWHNet")
    )
    with pytest.warns(IncompleteReadWarning, match="2023-10"):
        partial = archive.read(OTHER, "2023-10", "2023-12", "kWHNet", errors="warn")
    assert set(partial.index.month) == {11}
    fill(archive, client, [OTHER], [Window(2023, 10)])
    whole = caught.value.resume()
    pd.testing.assert_frame_equal(
        whole, read_dentcloud(OTHER, "2023-10", "2023-12", "kWHNet", client=client)
    )


@pytest.mark.filterwarnings("ignore:.*text that is no number:dentframe.errors.ReadingWarning")
def test_a_local_year_ends_after_the_utc_months(world, tmp_path):
    """The error names the missing hours as a range, where the archive ends, and the cure."""
    _, client, _ = world
    months = Archive(tmp_path / "months")
    fill(months, client, [OTHER], [Window(2023, 12)])
    with pytest.raises(IncompleteReadError) as caught:
        months.read(OTHER, "2023-12", topics="kWHNet", tz="America/Los_Angeles")
    said = str(caught.value)
    assert "windows of [2023-12-01T08:00, 2024-01-01T08:00) UTC" in said
    assert f"{OTHER} 2024-01-01T00 to 2024-01-01T07 missing" in said
    assert "What it holds ends at 2024-01-01T00:00 UTC" in said
    assert 'sync up to "2024-01-02"' in said


def test_arguments_that_cannot_be_meant_are_refused(world):
    """Unknown topics and meters, and errors="ignore"."""
    _, _, archive = world
    with pytest.raises(UnknownTopicError, match="did you mean 'kWHNet'"):
        archive.read(METER, "2023-12", topics="kWhNet")
    with pytest.raises(UnknownMeterError, match="holds nothing"):
        archive.read("P1", "2023-12")
    with pytest.raises(ConfigError, match="ignore"):
        archive.read(METER, "2023-12", errors="ignore")


ODD = (
    "blank", "null_value", "missing_keys", "extra_keys", "unasked", "reorder_keys", "numbers",
    "duplicate_rows", "conflicting_rows", "shuffle_rows", "outside_rows",
)  # fmt: skip


@pytest.mark.parametrize("fault", ODD)
@pytest.mark.parametrize("topics", [None, "kWHNet"])
def test_odd_answers_are_told_alike(tmp_path, fault, topics):
    """What is odd in an answer reads and warns as it does from the cloud."""
    with emulator.serve(rate=None, concurrency=None) as cloud:
        cloud.faults.add(fault, request="getData")
        with client_of(cloud, tmp_path) as client:
            archive = Archive(tmp_path / "a")
            keys = None if topics is None else (topics,)
            fill(archive, client, [METER], [Window(2023, 12, 5)], keys)
            args = (METER, "2023-12-05", None, topics)
            expected, warned = told(lambda: read_dentcloud(*args, client=client))
    frame, also = told(lambda: archive.read(*args))
    pd.testing.assert_frame_equal(frame, expected)
    assert also == warned


def test_conflicting_rows_warn_from_the_archive_too(tmp_path):
    """A minute that came twice with two values is NaN and told, settled or not."""
    rows = [
        {"date": "2024-01-01", "time": "00:02", "kWHNet/Elm/A": v, "kWHNet/Elm/B": "1"}
        for v in ("1", "2")
    ]
    source = emulator.Fixed({"P1": rows})
    with (
        emulator.serve(source, rate=None, concurrency=None) as cloud,
        client_of(cloud, tmp_path) as client,
    ):
        archive = Archive(tmp_path / "a")
        fill(archive, client, ["P1"], [Window(2024, 1)], ("kWHNet",))
        with pytest.warns(ReadingWarning, match=r"1 cell\(s\) came twice"):
            expected = read_dentcloud("P1", "2024-01", topics="kWHNet", client=client)
    for settle in (contextlib.nullcontext, archive.settle):
        settle()
        with pytest.warns(ReadingWarning, match=r"1 cell\(s\) came twice"):
            pd.testing.assert_frame_equal(archive.read("P1", "2024-01"), expected)


def test_conflicting_rows_keep_their_flag_on_dask(tmp_path):
    """As in the frame of a read, and with or without a span."""
    pytest.importorskip("dask.dataframe")
    minutes = [("00:02", 1), ("00:17", 2), ("00:17", 9), ("00:32", 3), ("00:47", 4)]
    rows = [{"date": "2024-01-01", "time": t, "kWHNet/Elm/A": str(v)} for t, v in minutes]
    archive = Archive(tmp_path / "a")
    with (
        emulator.serve(emulator.Fixed({"P1": rows}), rate=None, concurrency=None) as cloud,
        client_of(cloud, tmp_path) as client,
    ):
        fill(archive, client, ["P1"], [Window(2024, 1)], ("kWHNet",))
    for span in ({}, {"start": "2024-01-01", "end": "2024-02-01"}):
        found = archive.energy("MS", tz="UTC", detail=True, **span).compute()
        assert any("conflicting_duplicate" in x for x in found["flags"])


def test_what_came_twice_is_forgotten_where_a_later_answer_is_right(tmp_path):
    """A month with doubled and conflicting rows on two days, then the second day anew."""

    def rows(day, twice):
        times = [f"{h:02d}:{m:02d}" for h in range(24) for m in (2, 17, 32, 47)]
        cells = {"kWHNet/Elm/A": "1", "kWHNet/Elm/B": "2"}
        found = [{"date": f"2024-01-{day:02d}", "time": t, **cells} for t in times]
        again = [{**found[i], "kWHNet/Elm/B": "9"} for i in (3, 4)] if twice else []
        return found + again

    archive = Archive(tmp_path / "a")
    for what, days in ((Window(2024, 1), (True, True)), (Window(2024, 1, 2), (True, False))):
        source = emulator.Fixed({"P1": [r for d in (1, 2) for r in rows(d, days[d - 1])]})
        with (
            emulator.serve(source, rate=None, concurrency=None) as cloud,
            client_of(cloud, tmp_path / str(what)) as client,
        ):
            fill(archive, client, ["P1"], [what], ("kWHNet",))
    for settle in (contextlib.nullcontext, archive.settle):
        settle()
        with pytest.warns(ReadingWarning, match=r"2 cell\(s\) came twice"):
            told = archive.read("P1", "2024-01").attrs["dentcloud"]
        (run,) = told["duplicates"]["P1"]["kWHNet/Elm/A"]
        assert run == ["2024-01-01T00:47:00+00:00", "2024-01-01T01:02:00+00:00", 2]
        assert [run[2] for run in told["conflicts"]["P1"]["kWHNet/Elm/B"]] == [2]


def test_rows_that_came_twice_keep_their_flag(tmp_path):
    """From the archive and on Dask as from the cloud; a blank cell of theirs has none."""
    times = ["00:02", "00:17", "00:17", "00:32", "00:47", "01:02", "01:17"]
    rows = [
        {"date": "2024-01-01", "time": t, "kWHNet/Elm/A": t[3:], "kWHNet/Elm/B": ""} for t in times
    ]
    rows += [{**row, "date": "2024-01-02", "kWHNet/Elm/B": "5"} for row in rows[3:5]]
    archive = Archive(tmp_path / "a")
    with (
        emulator.serve(emulator.Fixed({"P1": rows}), rate=None, concurrency=None) as cloud,
        client_of(cloud, tmp_path) as client,
    ):
        fill(archive, client, ["P1"], [Window(2024, 1)], ("kWHNet",))
        for end in ("2024-02-01", "2024-01-01 00:40"):
            span = ("P1", "2024-01-01", end, "kWHNet")
            expected = read_dentcloud(*span, client=client).attrs
            assert archive.read(*span).attrs == expected
            assert list(expected["dentcloud"]["duplicates"]["P1"]) == ["kWHNet/Elm/A"]
    pytest.importorskip("dask.dataframe")
    found = archive.energy([*pd.date_range("2024-01-01", periods=3, tz="UTC")], detail=True)
    told = found.compute()
    told = told[["duplicate_dropped" in x for x in told["flags"]]]
    assert told["element"].tolist() == ["A"]
    assert told["start"].dt.day.tolist() == [1]


def test_late_data_is_read_again(tmp_path):
    """A month kept too early is asked again, and the later answer is the one that is read."""
    rows = [
        {"date": "2024-01-01", "time": f"{h:02d}:02", "kWHNet/Elm/A": str(h)} for h in range(24)
    ]
    source = emulator.Fixed({"P1": rows[:12]})
    archive = Archive(tmp_path / "a")
    with emulator.serve(source, rate=None, concurrency=None) as cloud:
        with client_of(cloud, tmp_path, "1") as client:
            fill(archive, client, ["P1"], [Window(2024, 1)], ("kWHNet",))
        archive.settle()
    with (
        emulator.serve(emulator.Fixed({"P1": rows}), rate=None, concurrency=None) as cloud,
        client_of(cloud, tmp_path, "2") as client,
    ):
        fill(archive, client, ["P1"], [Window(2024, 1)], ("kWHNet",))
        assert len(archive.read("P1", "2024-01")) == 24
        archive.settle()
    assert len(archive.read("P1", "2024-01")) == 24
