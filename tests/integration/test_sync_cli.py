"""`dentframe sync`: the report on stdout, progress on stderr, an exit code for cron."""

from __future__ import annotations

import io
import json

import pandas as pd
import pytest

from dentframe import cli
from dentframe.archive import Archive
from tests.integration.sync_kit import Hourly, serving

METERS = ["P100", "P101", "P102"]


@pytest.fixture
def cloud(monkeypatch):
    with serving(Hourly()) as served:
        monkeypatch.setenv("DENTCLOUD_BASE_URL", served.url)
        monkeypatch.setenv("DENTCLOUD_API_KEY", served.api_key)
        monkeypatch.setenv("DENTCLOUD_KEY_ID", served.key_id)
        yield served


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path / "portfolio"


def sync(*args, folder="portfolio"):
    """Run the command with the topics that the meters have."""
    return cli.main(["sync", *args, "--archive", str(folder), "--topics", "DemandkW,kWHNet"])


def test_a_report_for_people_is_the_default(cloud, folder, capsys):
    """The text goes to stdout, nothing to stderr where it is no terminal."""
    assert sync("P100,P102", "2023-01-01", "2023-03-01") == 0
    shown = capsys.readouterr()
    assert "windows: 4 kept, 0 held already, 0 without a reading, 0 missing" in shown.out
    assert "\r" not in shown.err
    assert Archive(folder).meters() == ["P100", "P102"]


def test_all_meters_over_a_period(cloud, folder, capsys):
    """Without METERS it is all of them; days need a zone."""
    args = ("--period", "2023-01-01..2023-02-01", "--json")
    assert sync(*args) == 2
    assert "Give --tz" in capsys.readouterr().err
    assert sync(*args, "--tz", "UTC") == 0
    assert json.loads(capsys.readouterr().out)["kept"] == 3
    assert Archive(folder).meters() == METERS


def test_a_local_month_takes_the_windows_that_contain_it(cloud, folder, capsys):
    """December in Los Angeles is the UTC December and the first hours of January."""
    args = ("all", "--month", "2023-12", "--tz", "America/Los_Angeles", "--format", "json")
    assert sync(*args) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["end"] == "2024-01-01T08:00:00+00:00"
    assert {seen.window for seen in cloud.data_requests} == {"2023-12", "2024-01-01"}


def test_what_is_missing_makes_the_exit_status_3(cloud, folder, capsys):
    """--format csv is the table of what is missing, ready for a program."""
    cloud.faults.add("404", meter="P101", window="2023-02")
    assert sync("all", "2023-01-01", "2023-04-01", "--format", "csv") == 3
    table = pd.read_csv(io.StringIO(capsys.readouterr().out))
    assert list(table.columns) == ["meter", "window", "reason"]
    assert table.iloc[0, :2].tolist() == ["P101", "2023-02"]


def test_progress_goes_to_stderr(cloud, folder, capsys):
    """--progress shows the bar where there is no terminal."""
    assert sync("P100", "2023", "--progress") == 0
    shown = capsys.readouterr()
    assert "to go" in shown.err
    assert "to go" not in shown.out


def test_two_formats_are_refused(cloud, folder, capsys):
    """--json and another --format cannot both be meant; nothing is asked."""
    assert sync("all", "2023", "--json", "--format", "csv") == 2
    assert "give one of the two" in capsys.readouterr().err
    assert cloud.requests == []


def test_the_archive_must_be_named(cloud, capsys):
    """Without --archive the call is wrong: exit code 2."""
    assert cli.main(["sync", "all", "2023"]) == 2
    assert "--archive" in capsys.readouterr().err


def test_an_interrupted_sync_says_how_to_go_on(cloud, folder, capsys, monkeypatch):
    """Ctrl-C is 130, and the next line to type is this one."""

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("dentframe.cli.readings_and_archive.run_sync", interrupted)
    assert sync("P100", "2023") == 130
    assert "run the same line again, it goes on where it was" in capsys.readouterr().err


def test_a_sync_that_finds_all_there_is_status_4(cloud, folder, capsys):
    """Nothing to do is told apart from done."""
    args = ("P100", "2023-01-01", "2023-02-01", "--topics", "kWHNet")
    assert sync(*args) == 0
    assert sync(*args) == 4
    assert "1 held already" in capsys.readouterr().out
