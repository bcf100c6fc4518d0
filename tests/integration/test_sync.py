"""A portfolio is synced: once, whole, and what fails is told."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from dentframe.archive import Archive, sync
from dentframe.archive import file_names_and_metadata as paths
from dentframe.archive.archive import lock
from dentframe.errors import (
    AuthError,
    ConfigError,
    IncompleteReadError,
    RangeError,
    UnknownMeterError,
)
from tests.integration.http_kit import quick_clock, quick_sleep
from tests.integration.sync_kit import TOPICS, Hourly, asked, client, content, serving

YEAR = {"start": "2023", "topics": TOPICS}
MONTHS = [f"2023-{month:02d}" for month in range(1, 13)]


@pytest.fixture
def cloud():
    with serving(Hourly()) as served:
        yield served


@pytest.fixture
def dent(cloud, tmp_path):
    with client(cloud, tmp_path / "c", deadline=4) as made:
        yield made


def test_a_year_of_all_meters(cloud, dent, tmp_path):
    """Every month of every meter is asked for once, and every reading is there."""
    report = sync(None, **YEAR, archive=tmp_path / "a", client=dent)
    assert report.ok
    assert (report.meters, report.requests, report.kept, report.held) == (3, 36, 36, 0)
    assert report.bytes == sum(seen.size for seen in cloud.data_requests)
    assert asked(cloud) == {
        (m, w): 1 for m in cloud._services[cloud.key_id].source.meters() for w in MONTHS
    }
    found = content(tmp_path / "a")
    assert {m: len(frame) for m, frame in found.items()} == dict.fromkeys(found, 8760)
    hour = int(datetime(2023, 6, 1, 5, tzinfo=UTC).timestamp()) // 3600
    cell = found["P101"].loc[pd.Timestamp("2023-06-01 05:07", tz="UTC"), "kWHNet/Elm/B"]
    assert cell == hour % 10_000 * 2 + 3 / 4


def test_the_archive_reads_as_the_cloud(cloud, dent, tmp_path):
    """The frame of a span is the same from both, attrs and dtypes included."""
    from dentframe import read_dentcloud

    sync(["P101", "P102"], **YEAR, archive=tmp_path / "a", client=dent)
    how = {"start": "2023-03", "topics": TOPICS, "tz": "America/Los_Angeles", "bracket": True}
    for meter in ("P102", ["P101", "P102"]):
        ours = Archive(tmp_path / "a").read(meter, **how)
        theirs = read_dentcloud(meter, **how, client=dent)
        pd.testing.assert_frame_equal(ours, theirs, check_exact=True)
        assert ours.attrs == theirs.attrs


def test_a_second_run_asks_nothing(cloud, dent, tmp_path):
    """What is complete and 48 h old is not asked for again, nor written again."""
    sync(None, **YEAR, archive=tmp_path / "a", client=dent)
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "a").glob("meter=*/*")}
    again = sync(None, **YEAR, archive=Archive(tmp_path / "a"), client=dent)
    assert (again.requests, again.kept, again.held) == (0, 0, 36)
    assert len(cloud.data_requests) == 36
    assert before == {p: p.stat().st_mtime_ns for p in (tmp_path / "a").glob("meter=*/*")}


def test_what_the_cache_holds_is_taken_from_there(cloud, dent, tmp_path):
    """A month that was read before costs no request."""
    from dentframe import read_dentcloud

    read_dentcloud("P100", "2023-05", topics=TOPICS, client=dent)
    report = sync("P100", **YEAR, archive=tmp_path / "a", client=dent)
    assert (report.requests, report.kept) == (11, 12)
    assert set(asked(cloud).values()) == {1}


def test_late_data_is_picked_up(tmp_path):
    """A month that lacked its last hours is asked for again until it is whole and 48 h old."""
    source, present = Hourly(1), datetime(2023, 4, 1, 1, tzinfo=UTC)
    source.visible = datetime(2023, 3, 31, 20, tzinfo=UTC)
    how = {"start": "2023-02", "end": "2023-04", "topics": TOPICS, "archive": tmp_path / "a"}
    with serving(source) as cloud, client(cloud, False, _now=lambda: present) as dent:
        assert sync(None, **how, client=dent).kept == 2
        assert len(content(tmp_path / "a")["P100"]) == 28 * 24 + 30 * 24 + 20
        source.visible = datetime(2023, 4, 1, tzinfo=UTC)
        present += timedelta(hours=1)
        assert sync(None, **how, client=dent).kept == 1
        assert len(content(tmp_path / "a")["P100"]) == 59 * 24
        present += timedelta(hours=1)
        assert sync(None, **how, client=dent).kept == 1  # whole, but only 2 h old
        present += timedelta(hours=50)
        assert sync(None, **how, client=dent).kept == 1
        present += timedelta(days=400)
        assert sync(None, **how, client=dent).kept == 0
    assert asked(cloud) == {("P100", "2023-02"): 1, ("P100", "2023-03"): 4}


def test_an_open_month_grows(tmp_path):
    """What is measured after one sync is there after the next; the future is not asked for."""
    source, present = Hourly(1), datetime(2023, 3, 10, tzinfo=UTC)
    how = {"start": "2023-03-01", "end": "2023-12-31", "topics": TOPICS, "archive": tmp_path}
    with serving(source) as cloud, client(cloud, False, _now=lambda: present) as dent:
        for days, rows in ((0, 9 * 24), (1, 10 * 24)):
            present += timedelta(days=days)
            source.visible = present
            assert sync(None, **how, client=dent).kept == 1
            assert len(content(tmp_path)["P100"]) == rows
    assert set(asked(cloud)) == {("P100", "2023-03")}


def test_months_without_a_reading_are_counted_and_not_missing(tmp_path):
    """Before a meter was installed there is nothing, which is no failure."""
    source = Hourly(1, datetime(2023, 3, 1, tzinfo=UTC))
    with serving(source) as cloud, client(cloud, tmp_path / "c") as dent:
        report = sync(None, **YEAR, archive=tmp_path / "a", client=dent)
        assert (report.kept, report.empty, report.ok) == (2, 10, True)
        assert sync(None, **YEAR, archive=tmp_path / "a", client=dent).requests == 0


def test_a_window_that_fails_does_not_stop_the_others(cloud, dent, tmp_path):
    """It is named with its reason, and the next sync asks for it alone."""
    fault = cloud.faults.add("404", meter="P101", window="2023-07")
    report = sync(None, **YEAR, archive=tmp_path / "a", client=dent)
    assert (report.kept, report.failed, report.stopped) == (35, 1, None)
    row = report.missing.iloc[0]
    assert (row["meter"], row["window"]) == ("P101", "2023-07")
    assert "404" in row["reason"]
    fault.times = 0
    before = len(cloud.data_requests)
    assert sync(None, **YEAR, archive=tmp_path / "a", client=dent).kept == 1
    assert len(cloud.data_requests) == before + 1


def test_a_used_up_quota_stops_and_keeps(cloud, dent, tmp_path):
    """What was read is kept; the rest is missing, not asked for, and says so."""
    cloud.faults.add("quota", where=lambda seen: len(cloud.data_requests) >= 15)
    report = sync(None, **YEAR, archive=tmp_path / "a", client=dent)
    assert not report.ok
    assert report.stopped is not None
    assert report.kept + report.failed == 36
    assert report.kept >= 10
    assert len(cloud.data_requests) <= 15 + 5
    assert report.missing["reason"].str.startswith("not asked for, since: ").sum() >= 15
    assert sum(map(len, content(tmp_path / "a").values())) >= report.kept * 28 * 24
    cloud.faults.clear()
    assert sync(None, **YEAR, archive=tmp_path / "a", client=dent).kept == report.failed


def test_an_outage_stops_and_keeps(cloud, tmp_path):
    """A service that is down is not hammered, and what was read is kept."""
    cloud.faults.add("503", where=lambda seen: len(cloud.data_requests) >= 15)
    with client(cloud, tmp_path / "c", _clock=quick_clock, _sleep=quick_sleep) as dent:
        report = sync(None, **YEAR, archive=tmp_path / "a", client=dent)
    assert report.stopped is not None
    assert report.kept >= 10
    assert report.kept + report.failed == 36
    assert len(cloud.data_requests) <= 15 + 5 + 20


def test_a_refused_key_stops_with_what_is_done_kept(cloud, dent, tmp_path):
    """AuthError, and the archive holds what came before."""
    cloud.faults.add("403", where=lambda seen: len(cloud.data_requests) >= 15)
    with pytest.raises(AuthError):
        sync(None, **YEAR, archive=tmp_path / "a", client=dent)
    kept = sum(len(Archive(tmp_path / "a").records(m)) for m in ("P100", "P101", "P102"))
    assert kept >= 10
    cloud.faults.clear()
    assert sync(None, **YEAR, archive=tmp_path / "a", client=dent).kept == 36 - kept


def test_a_month_that_is_too_large_arrives_in_pieces(tmp_path):
    """413: topics, then days are asked for, and the month is whole and held."""
    with serving(Hourly(1), max_body=40_000) as cloud, client(cloud, tmp_path / "c") as dent:
        first = sync(None, "2023-03", topics=TOPICS, archive=tmp_path / "a", client=dent)
        assert first.kept == 1
        assert first.requests > 2
        assert content(tmp_path / "a")["P100"].notna().sum().tolist() == [744] * 4
        assert sync(None, "2023-03", topics=TOPICS, archive=tmp_path / "a", client=dent).held == 1


def test_two_syncs_of_one_archive_are_kept_apart(cloud, dent, tmp_path):
    """The second is refused before it asks for anything; reading goes on meanwhile."""
    sync("P100", "2023-01", topics=TOPICS, archive=tmp_path, client=dent)
    before = len(cloud.data_requests)
    with lock(tmp_path):
        with pytest.raises(ConfigError, match="is syncing into it"):
            sync("P100", **YEAR, archive=tmp_path, client=dent)
        assert Archive(tmp_path).meters() == ["P100"]
        assert len(content(tmp_path)["P100"]) == 744
    assert len(cloud.data_requests) == before


def test_an_interrupt_keeps_what_was_read(cloud, dent, tmp_path, monkeypatch):
    """Ctrl-C comes through at once; the next sync asks for the rest."""
    kept, keep = [], Archive.keep

    def interrupted(self, answer, read_at):
        keep(self, answer, read_at)
        kept.append(answer)
        if len(kept) == 20:
            raise KeyboardInterrupt

    monkeypatch.setattr(Archive, "keep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sync(None, **YEAR, archive=tmp_path / "a", client=dent)
    monkeypatch.setattr(Archive, "keep", keep)
    assert not [t for t in threading.enumerate() if t.name.startswith("dentframe-settle")]
    assert sync(None, **YEAR, archive=tmp_path / "a", client=dent).kept == 16


def test_a_full_disk_is_told(cloud, dent, tmp_path, monkeypatch):
    """What cannot be written ends the sync with an error that says what to do."""

    def full(self, answer, read_at):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Archive, "keep", full)
    with pytest.raises(ConfigError, match=r"No space left.+sync again"):
        sync(None, **YEAR, archive=tmp_path / "a", client=dent)


def test_each_year_is_written_once(cloud, dent, tmp_path, monkeypatch):
    """A meter's years are settled when all of them are read: one write a file."""
    written, write = [], paths.write

    def noted(root, path, data):
        written.append(path.relative_to(root).as_posix())
        write(root, path, data)

    monkeypatch.setattr(paths, "write", noted)
    sync(["P100", "P102"], "2022-01-01", "2024-01-01", TOPICS, archive=tmp_path / "a", client=dent)
    years = [path for path in written if path.endswith(("/2022.parquet", "/2023.parquet"))]
    assert sorted(years) == [
        f"meter={m}/{y}.parquet" for m in ("P100", "P102") for y in (2022, 2023)
    ]


def damage(path, month, column):
    """Flip a bit in the readings of a column of a month."""
    import pyarrow.parquet as pq

    data = bytearray(path.read_bytes())
    with pq.ParquetFile(path) as file:
        chunk = file.metadata.row_group(month - 1).column(1 + column)
    data[chunk.data_page_offset + chunk.total_compressed_size - 3] ^= 4
    path.write_bytes(data)


def test_a_damaged_month_is_asked_for_again(cloud, dent, tmp_path):
    """It alone is asked for; the report names it, and the damaged file is kept beside."""
    sync("P100", **YEAR, archive=tmp_path, client=dent)
    before, path = content(tmp_path)["P100"], tmp_path / "meter=P100" / "2023.parquet"
    damage(path, 5, 0)
    damaged = path.read_bytes()
    with pytest.raises(ConfigError, match="2023-05"):
        Archive(tmp_path).read("P100", "2023-05")
    report = sync("P100", **YEAR, archive=tmp_path, client=dent)
    assert [(m.meter, m.window) for m in report.damaged] == [("P100", "2023-05")]
    assert (report.kept, report.held, report.ok) == (1, 11, True)
    assert "damaged P100 2023-05" in str(report)
    pd.testing.assert_frame_equal(content(tmp_path)["P100"], before)
    aside = tmp_path / ".dentframe" / "damaged" / "meter=P100" / "2023.parquet.damaged"
    assert aside.read_bytes() == damaged
    assert sync("P100", **YEAR, archive=tmp_path, client=dent).damaged == ()


def test_what_of_a_damaged_file_is_whole_stays(cloud, dent, tmp_path):
    """Only the damaged topic of the damaged month is lost, also where it is not synced again."""
    sync("P100", **YEAR, archive=tmp_path, client=dent)
    damage(tmp_path / "meter=P100" / "2023.parquet", 5, 0)
    before = len(cloud.data_requests)
    report = sync("P100", "2023-01", topics="kWHNet", archive=tmp_path, client=dent)
    assert len(report.damaged) == 1
    assert len(cloud.data_requests) == before
    archive = Archive(tmp_path)
    assert len(archive.read("P100", "2023-05", topics="kWHNet")) == 744
    assert len(archive.read("P100", "2023-06")) == 720
    with pytest.raises(IncompleteReadError, match="2023-05"):
        archive.read("P100", "2023-05", topics="DemandkW")


def test_a_file_whose_footer_is_damaged_is_asked_for_again(cloud, dent, tmp_path):
    """Nobody can tell what it holds: all of its year is read again."""
    sync("P100", **YEAR, archive=tmp_path, client=dent)
    before, path = content(tmp_path)["P100"], tmp_path / "meter=P100" / "2023.parquet"
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes(data)
    report = sync("P100", **YEAR, archive=tmp_path, client=dent)
    assert [(m.meter, m.window) for m in report.damaged] == [("P100", "2023")]
    assert report.kept == 12
    pd.testing.assert_frame_equal(content(tmp_path)["P100"], before)


def test_a_file_without_checksums_gets_them(cloud, dent, tmp_path):
    """What an earlier version wrote is written anew; nothing is asked for."""
    import pyarrow.parquet as pq

    sync("P100", **YEAR, archive=tmp_path, client=dent)
    path = tmp_path / "meter=P100" / "2023.parquet"
    sealed = path.read_bytes()
    with pq.ParquetFile(path) as file:
        said = file.metadata.metadata[b"dentframe"].replace(b'"schema":2', b'"schema":1')
        months = [file.read_row_group(i) for i in range(12)]
    schema = months[0].schema.with_metadata({b"dentframe": said})
    with pq.ParquetWriter(path, schema) as writer:
        for month in months:
            writer.write_table(month.replace_schema_metadata(schema.metadata))
    report = sync("P100", **YEAR, archive=tmp_path, client=dent)
    assert (report.requests, report.held, report.damaged) == (0, 12, ())
    assert path.read_bytes() == sealed


def test_arguments_that_cannot_be_meant(dent, tmp_path):
    """Unknown meters, turned spans and files in the archive's place are refused."""
    with pytest.raises(UnknownMeterError):
        sync("P1", **YEAR, archive=tmp_path / "a", client=dent)
    with pytest.raises(RangeError):
        sync("P100", "2023-02-01", "2023-01-01", archive=tmp_path / "a", client=dent)
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError):
        sync("P100", **YEAR, archive=tmp_path / "file", client=dent)
    assert not (tmp_path / "a").exists()
