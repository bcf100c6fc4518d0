"""The command line: data on stdout, messages on stderr, no key anywhere."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from dentframe import cli, emulator, read_dentcloud
from dentframe.cli.options_and_output import write
from dentframe.frame.csv_and_excel import plain

LA = "America/Los_Angeles"
METER = "P482311252"


@pytest.fixture
def cloud(monkeypatch):
    with emulator.serve(rate=None, concurrency=None) as served:
        monkeypatch.setenv("DENTCLOUD_BASE_URL", served.url)
        monkeypatch.setenv("DENTCLOUD_API_KEY", served.api_key)
        monkeypatch.setenv("DENTCLOUD_KEY_ID", served.key_id)
        yield served


def test_the_demo_shows_one_screen_and_writes_a_picture(tmp_path, capsys):
    """The demo needs no key, shows an estimated day and a peak, and fits a screen."""
    picture = tmp_path / "demo.png"
    assert cli.main(["demo", "--out", str(picture)]) == 0
    shown = capsys.readouterr().out
    assert picture.stat().st_size > 10_000
    assert "estimated" in shown
    assert "Peak demand" in shown
    assert "dentframe login" in shown
    assert shown.count("\n") < 50


def test_a_picture_of_another_kind_and_a_port_that_is_none_are_wrong_use(tmp_path, capsys):
    """The message names the file and the formats, or the range of ports; no traceback."""
    assert cli.main(["demo", "--out", str(tmp_path / "demo.xyz")]) == 2
    assert "demo.xyz: Format 'xyz' is not supported (supported formats:" in capsys.readouterr().err
    assert cli.main(["emulate", "--port", "99999"]) == 2
    assert "99999 is not in the range 0<=x<=65535" in capsys.readouterr().err


def test_meters_are_listed_one_a_line(cloud, capsys):
    """`dentframe meters` is ready for a shell loop."""
    assert cli.main(["meters"]) == 0
    assert capsys.readouterr().out.split() == [METER, "P482102272", "P482102270"]


@pytest.mark.parametrize("argv", [["meters"], ["topics"], ["--help"]])
def test_a_closed_standard_output_is_no_error(cloud, monkeypatch, argv):
    """Python has none after ``>&-``, as some schedulers start it: nobody hears what is said."""
    monkeypatch.setattr(sys, "stdout", None)
    assert cli.main(argv) == 0


def test_topics_as_json(cloud, capsys):
    """`dentframe topics --format json` is a list of objects."""
    assert cli.main(["topics", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {r["topic"]: r["kind"] for r in rows}["kWHNet"] == "register"


def test_a_plan_asks_nothing(cloud, capsys):
    """`dentframe plan --json` names the windows and sends no request."""
    assert cli.main(["plan", METER, "2023-12", "--tz", LA, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["windows"] == {METER: ["2023-12", "2024-01-01"]}
    assert cloud.requests == []


def test_a_read_prints_csv_that_pandas_reads(cloud, capsys):
    """In a pipe the readings are CSV."""
    assert cli.main(["read", METER, "2023-12-05", "--topics", "kWHNet"]) == 0
    frame = pd.read_csv(io.StringIO(capsys.readouterr().out), index_col="time")
    assert frame.shape == (96, 7)


def test_energy_is_read_with_its_brackets(cloud, capsys):
    """`dentframe energy` covers the whole day, edges included, without --bracket."""
    assert cli.main(["energy", METER, "2023-12-05", "--tz", LA, "--freq", "D", "--detail"]) == 0
    frame = pd.read_csv(io.StringIO(capsys.readouterr().out))
    assert set(frame["status"]) == {"recorded"}


def test_no_text_of_a_printed_csv_is_computed(tmp_path):
    """Names in cells, headers and the index are escaped; numbers and times stay."""
    texts = ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "plain"]
    at = pd.date_range("2024-01-01", periods=7, freq="h", tz="UTC")
    index = pd.Index(texts, name="=meter")
    frame = pd.DataFrame({"@at": at, "kWh": -1.5, "note": texts}, index=index)
    write(frame, "csv", tmp_path / "x.csv")
    found = pd.read_csv(tmp_path / "x.csv", keep_default_na=False)
    assert list(found.columns) == ["'=meter", "'@at", "kWh", "note"]
    for name in ("note", "'=meter"):
        assert [plain(x) for x in found[name]] == [x.replace("\r", "\n") for x in texts]
        assert sum(x.startswith("'") for x in found[name]) == 6
    assert set(found["kWh"]) == {-1.5}
    assert found["'@at"][0] == "2024-01-01T00:00:00+00:00"


@pytest.mark.parametrize("ending", ["csv", "json", "parquet", "xlsx"])
def test_a_file_is_written_by_its_ending(cloud, tmp_path, ending):
    """--out chooses the format."""
    pytest.importorskip({"parquet": "pyarrow", "xlsx": "openpyxl"}.get(ending, "json"))
    out = tmp_path / f"x.{ending}"
    assert cli.main(["read", METER, "2023-12-05", "--topics", "kWHNet", "--out", str(out)]) == 0
    assert out.stat().st_size > 1000


@pytest.mark.parametrize("name", ["topics.csv", "topics.xlsx", "topics.json"])
def test_a_file_is_replaced_whole_or_not_at_all(cloud, tmp_path, monkeypatch, capsys, name):
    """What fails while a file is written leaves the old one, and nothing beside it."""
    out = tmp_path / "made" / name
    out.parent.mkdir()
    out.write_bytes(b"old")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    assert cli.main(["topics", "--out", str(out)]) == 2
    assert "No space left" in capsys.readouterr().err
    assert [x.read_bytes() for x in out.parent.iterdir()] == [b"old"]


@pytest.mark.skipif(os.name != "posix", reason="pipes with a name")
def test_a_device_is_written_to_and_never_replaced(cloud):
    """--out /dev/null stays a device."""
    assert cli.main(["topics", "--format", "csv", "--out", os.devnull]) == 0
    assert not Path(os.devnull).is_file()


def test_the_cache_can_be_shown_and_cleared(cloud, capsys):
    """`dentframe cache info` counts what a read kept; clear removes it."""
    cli.main(["read", METER, "2023-12-05", "--topics", "kWHNet"])
    capsys.readouterr()
    assert cli.main(["cache", "info", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)
    assert cli.main(["cache", "clear"]) == 0
    cli.main(["read", METER, "2023-12-05", "--topics", "kWHNet"])
    assert len(cloud.data_requests) == 2


def test_login_keeps_a_profile(cloud, monkeypatch, tmp_path):
    """After `dentframe login` no variable is needed; the profile is 0600 and shown nowhere."""
    answers = iter([cloud.api_key, cloud.key_id])
    monkeypatch.setattr("click.prompt", lambda *a, **k: next(answers))
    assert cli.main(["login"]) == 0
    for name in ("DENTCLOUD_API_KEY", "DENTCLOUD_KEY_ID"):
        monkeypatch.delenv(name)
    assert cli.main(["meters"]) == 0
    profiles = [p for p in (tmp_path / "config").rglob("*") if p.is_file()]
    assert len(profiles) == 1
    if os.name == "posix":
        assert profiles[0].stat().st_mode & 0o777 == 0o600


def test_errors_go_to_stderr_with_status_2(cloud, capsys):
    """A typed error is one line on stderr; stdout stays empty."""
    assert cli.main(["read", "P4823", "2023-12"]) == 2
    streams = capsys.readouterr()
    assert streams.out == ""
    assert streams.err.startswith("Error: Cannot read meter 'P4823'")


def test_a_wrong_call_has_status_2(capsys):
    """An unknown command is a usage error."""
    assert cli.main(["frobnicate"]) == 2


def test_without_the_extra_the_command_names_it():
    """Where click is missing, `dentframe` says how to install it."""
    code = (
        "import sys; sys.modules['click'] = None\n"
        "from dentframe.cli import main; sys.exit(main(['meters']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert 'pip install "dentframe[cli]"' in done.stderr


def test_emulate_serves_until_it_is_stopped(tmp_path):
    """`dentframe emulate` prints what points a program at it."""
    running = subprocess.Popen(
        [sys.executable, "-u", "-m", "dentframe", "emulate", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        lines = [running.stdout.readline() for _ in range(3)]
    finally:
        running.terminate()
        running.wait(10)
        running.stdout.close()
    assert "DENTCLOUD_BASE_URL=http://127.0.0.1:" in lines[1]
    assert "DENTCLOUD_API_KEY=" in lines[2]


TARIFF = """
name = "flat"
currency = "USD"

[[charges]]
kind = "energy"
name = "Energy"
rate = "0.20"
"""


def test_a_tariff_prices_a_tenant(cloud, tmp_path, capsys):
    """`dentframe bill` prints lines that add up, or writes the file that was asked for."""
    tariff = tmp_path / "flat.toml"
    tariff.write_text(TARIFF)
    call = ["bill", METER, str(tariff), "--month", "2023-12", "--tz", LA, "--elements", "B"]
    assert cli.main(call) == 0
    printed = pd.read_csv(io.StringIO(capsys.readouterr().out))
    december = read_dentcloud(f"{METER}_B", "2023-12", topics="kWHNet", tz=LA, bracket=True)
    used = december.dent.energy("MS", tz=LA, edges="last_reading", detail=True).iloc[0]
    billed = round(used["close_reading"], 2) - round(used["open_reading"], 2)
    assert printed["amount"].iloc[0] == pytest.approx(billed * 0.20, abs=0.005)
    assert cli.main([*call, "--out", str(tmp_path / "b.html")]) == 0
    assert "Energy" in (tmp_path / "b.html").read_text()


def test_what_is_not_recorded_is_not_billed(cloud, tmp_path, capsys):
    """Element E's register was cleared: the bill is refused and says what to do."""
    tariff = tmp_path / "flat.toml"
    tariff.write_text(TARIFF)
    call = ["bill", METER, str(tariff), "--month", "2023-12", "--tz", LA, "--elements", "E"]
    assert cli.main(call) == 1
    assert "partial" in capsys.readouterr().err


def test_a_period_names_its_days(cloud, capsys):
    """--period A..B is half-open, and a span is named once."""
    call = ["peaks", METER, "--period", "2023-12-05..2023-12-07", "--tz", LA, "--freq", "D"]
    assert cli.main(call) == 0
    rows = pd.read_csv(io.StringIO(capsys.readouterr().out))
    assert rows["period"].nunique() == 2
    assert cli.main([*call, "--month", "2023-12"]) == 2
    assert "Cannot tell the span" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["energy", "peaks"])
def test_days_and_months_need_a_zone(cloud, capsys, command):
    """The command line guesses no time zone either."""
    assert cli.main([command, METER, "--month", "2023-12"]) == 2
    assert "--tz" in capsys.readouterr().err


def test_an_unknown_ending_is_refused(cloud, tmp_path, capsys):
    """Nothing is written under a name that says something else."""
    out = tmp_path / "x.docx"
    assert cli.main(["read", METER, "2023-12-05", "--topics", "kWHNet", "--out", str(out)]) == 2
    assert "ending" in capsys.readouterr().err
    assert not out.exists()


def test_a_service_that_fails_is_status_3(cloud, capsys):
    """Try again: an outage is no fault of the caller's."""
    cloud.faults.add("404", request="getData")
    assert cli.main(["read", METER, "2023-12-05", "--topics", "kWHNet"]) == 3
    assert capsys.readouterr().err.startswith("Error: ")


def test_a_log_has_every_message_and_the_status_with_their_times(cloud, tmp_path, capsys):
    """--log appends: messages, warnings and errors, how each run ended, never a key."""
    log = tmp_path / "job.log"
    assert cli.main(["energy", METER, "2023-12", "--tz", LA, "--log", str(log)]) == 0
    assert cli.main(["energy", METER, "2023-13", "--tz", LA, "--log", str(log)]) == 2
    said = capsys.readouterr().err
    lines = log.read_text(encoding="utf-8").splitlines()
    times = [pd.Timestamp(line.split(" ")[0]) for line in lines]
    assert times == sorted(times)
    assert all(t.tz is not None for t in times)
    assert lines[-1].endswith("exit status 2")
    assert sum("exit status" in line for line in lines) == 2
    told = [line.split(" ", 2)[2] for line in lines]
    assert all(line in told for line in said.splitlines())
    assert cloud.api_key not in "".join(lines)
    handlers = logging.getLogger("dentframe").handlers
    assert not [x for x in handlers if isinstance(x, logging.FileHandler)]


def test_a_log_that_cannot_be_written_is_a_wrong_call(cloud, tmp_path, capsys):
    """Nothing is asked where the log cannot be opened."""
    assert cli.main(["meters", "--log", str(tmp_path / "none" / "x.log")]) == 2
    assert "x.log" in capsys.readouterr().err
    assert cloud.requests == []


def test_the_demo_fits_a_screen_of_80_columns(tmp_path, monkeypatch, capsys):
    """No line is longer, no cell is cut."""
    monkeypatch.setenv("COLUMNS", "80")
    assert cli.main(["demo", "--out", str(tmp_path / "demo.png")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(len(line) for line in lines if "picture" not in line) <= 80
    assert not [line for line in lines if "…" in line and " … " not in line]
