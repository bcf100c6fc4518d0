"""Bills and tariffs on the command line: peaks of earlier months, last year, and public rates."""

from __future__ import annotations

import io
import json

import pandas as pd
import pytest

from dentframe import Tariff, cli, emulator

LA = "America/Los_Angeles"
METER = "P482311252"
RATCHET = """
name = "Ratchet"
currency = "USD"
[[charges]]
kind = "demand"
name = "Demand"
rate = "10"
ratchet = { percent = 100, lookback = 2 }
"""
RATE = {"name": "R", "energyratestructure": [[{"rate": 0.1, "max": 500}, {"rate": 0.2}]]}


@pytest.fixture
def here(monkeypatch, tmp_path):
    """A folder with a tariff and a rate; the emulator as the account."""
    (tmp_path / "ratchet.toml").write_text(RATCHET)
    (tmp_path / "rate.json").write_text(json.dumps({"items": [RATE]}))
    monkeypatch.chdir(tmp_path)
    with emulator.serve(rate=None, concurrency=None) as served:
        monkeypatch.setenv("DENTCLOUD_BASE_URL", served.url)
        monkeypatch.setenv("DENTCLOUD_API_KEY", served.api_key)
        monkeypatch.setenv("DENTCLOUD_KEY_ID", served.key_id)
        yield tmp_path


CALL = ["bill", METER, "ratchet.toml", "2023-12", "--tz", LA, "--elements", "B"]


def test_peaks_of_earlier_months_feed_a_ratchet(here, capsys):
    """What `dentframe peaks` writes for a range is the history of a bill."""
    (here / "peaks.csv").write_text("period,peak\n2023-10-01,900\n2023-11-01,800\n")
    assert cli.main([*CALL, "--history", "peaks.csv", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["total"] == "9000.00"
    more = ["--freq", "MS", "--format", "csv", "--out", "own.csv"]
    assert cli.main(["peaks", f"{METER}_B", "2023-10-01", "2023-12-01", "--tz", LA, *more]) == 0
    capsys.readouterr()
    assert cli.main([*CALL, "--history", "own.csv", "--json"]) == 0
    line = json.loads(capsys.readouterr().out)["lines"][0]
    highest = pd.read_csv("own.csv")["peak"].max()
    assert float(line["quantity"]) == pytest.approx(max(float(line["measured"]), highest), abs=0.01)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("period,peak\n2023-09-01,900\n2023-11-01,800\n", "2023-10 is missing"),
        ("period,peak\n2023-10-01,900\n", "2023-11 is missing"),
        ("period,element,peak\n2023-11-01,B,900\n2023-11-01,C,8\n", "do not add up"),
        ("month,peak\n2023-11-01,900\n", "a column 'period'"),
        ("period,Other\n2023-11-01,900\n", "its ratchet looks back"),
    ],
)
def test_a_history_that_would_bill_wrongly_is_refused(here, capsys, text, told):
    """A missing month, several elements, another file."""
    (here / "peaks.csv").write_text(text)
    assert cli.main([*CALL, "--history", "peaks.csv"]) == 2
    assert told in capsys.readouterr().err


def test_what_a_bill_lacks_is_named_as_the_command_line_has_it(here, capsys):
    """No Python where an option is meant; a history of no month is a file without rows."""
    assert cli.main(CALL) == 2
    told = capsys.readouterr().err
    assert "Give --history PEAKS.csv" in told
    assert "history=" not in told
    (here / "none.csv").write_text("period,peak\n")
    assert cli.main([*CALL, "--history", "none.csv"]) == 0
    for more, hint in (
        (["peaks", METER, "2023-12", "--tz", LA, "--topics", "kWHNet"], "--window 15min"),
        (["energy", METER, "2023-12", "--tz", LA, "--freq", "M"], "Cannot use --freq M"),
        (["energy", "P9", "2023-12", "--tz", LA], "dentframe meters lists"),
        (["read", METER, "2023-12-05T08:00"], "Give END"),
    ):
        assert cli.main(more) == 2
        assert hint in capsys.readouterr().err


@pytest.mark.parametrize("power", ["B=60", f"{METER}_B=60"])
def test_a_power_is_given_with_or_without_its_meter(here, capsys, power):
    """--max-kw B=60 is of the meter that is billed."""
    (here / "none.csv").write_text("period,peak\n")
    assert cli.main([*CALL, "--history", "none.csv", "--max-kw", power, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["lines"]


def test_a_bill_compares_with_last_year(here, capsys):
    """--compare shows thirteen months, the same month of last year first."""
    (here / "peaks.csv").write_text("period,Demand\n2023-11-01,800\n")
    assert cli.main([*CALL, "--history", "peaks.csv", "--compare", "--json"]) == 0
    earlier = json.loads(capsys.readouterr().out)["comparison"]
    assert len(earlier) == 13
    assert earlier[0]["label"] == "2022-12"


def test_own_and_coincident_peaks_stand_beside_each_other(here, capsys):
    """--coincident prints both of each element; the coincident ones add up to the site's."""
    names = f"{METER}_B,{METER}_C"
    assert cli.main(["peaks", names, "2023-12", "--tz", LA, "--coincident"]) == 0
    found = pd.read_csv(io.StringIO(capsys.readouterr().out))
    assert {"coincident", "own_peak"} <= set(found.columns)
    assert found["coincident"].sum() == pytest.approx(found["site_peak"].iloc[0])


def test_a_public_rate_becomes_a_file_that_a_bill_takes(here, capsys):
    """What must be stated is asked for; notes go to stderr, the tariff to the file."""
    assert cli.main(["tariff", "import", "rate.json"]) == 2
    told = capsys.readouterr().err
    assert "state --tier-proration." in told
    assert "name it in --ignore." in told
    call = ["tariff", "import", "rate.json", "--tier-proration", "30", "--out", "r.toml"]
    assert cli.main(call) == 0
    assert "no holidays" in capsys.readouterr().err
    assert Tariff.load("r.toml").charges[0].tier_proration == 30
    assert cli.main(["bill", METER, "r.toml", "2023-12", "--tz", LA, "--elements", "B"]) == 0
