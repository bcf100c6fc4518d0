"""Advice names options where the command line runs, and Python everywhere else."""

from __future__ import annotations

import re
from threading import Thread

import pandas as pd
import pytest

from dentframe import Tariff, cli, emulator, split
from dentframe.errors import CoverageError, CoverageWarning, by, on_command_line
from dentframe.money import Energy, bill
from tests.split_kit import bill as bill_of
from tests.split_kit import line, readings, site, tenant

LA = "America/Los_Angeles"
METER = "P482311252"
PYTHON = re.compile(r"RegisterRules|accept=\(|detail=|min_coverage=|bracket=|elements=|Run\.save")
OPTIONS = re.compile(r"(?<![\w-])--[a-z]")


@pytest.fixture
def cloud(monkeypatch):
    """The emulator as the account."""
    with emulator.serve(rate=None, concurrency=None) as served:
        monkeypatch.setenv("DENTCLOUD_BASE_URL", served.url)
        monkeypatch.setenv("DENTCLOUD_API_KEY", served.api_key)
        monkeypatch.setenv("DENTCLOUD_KEY_ID", served.key_id)
        yield served


def test_one_message_in_two_words():
    """The words follow who is asking, are back afterwards, and are the thread's own."""
    heard = []
    with on_command_line():
        assert by("elements=", "--elements") == "--elements"
        other = Thread(target=lambda: heard.append(by("elements=", "--elements")))
        other.start()
        other.join()
    assert by("elements=", "--elements") == "elements="
    assert heard == ["elements="]


def falling():
    """A register that is cleared in the middle of a day."""
    t = pd.date_range("2023-12-01", periods=97, freq="15min", tz="UTC")
    values = [float(i if i < 50 else i - 50) for i in range(97)]
    return pd.DataFrame({"kWHNet/Elm/E": values}, index=t)


def test_a_splits_advice_on_a_half_read_month_has_two_words():
    """A keyword of a read says nothing to who runs a command."""
    utility = bill_of(line("Energy", "energy", "300.00"), kwh=2000)
    rules = {"loss": {"by": "energy", "rest": True}, "agree": 100}
    where = site([tenant("A", "A")], rules=rules, elements={"P1_A": {"label": "A"}})
    frame = readings({"A": 2000})
    half = frame.iloc[len(frame) // 2 :]

    def cures():
        return " ".join(split(utility, where, frame=half).exceptions["remedy"])

    assert PYTHON.search(cures())
    with on_command_line():
        assert not PYTHON.search(cures())


def test_python_is_advised_in_python():
    """A bill's refusal and a coverage warning name keywords and no option."""
    flat = Tariff("Flat", [Energy("Energy", "0.1")])
    with pytest.raises(CoverageError) as refused:
        bill(falling(), flat, "2023-12-01", "2023-12-02", tz="UTC")
    with pytest.warns(CoverageWarning) as warned:
        falling().dent.energy("D", tz="UTC")
    for told in (str(refused.value), str(warned[0].message)):
        assert PYTHON.search(told)
        assert not OPTIONS.search(told)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (["energy", METER, "2023-12", "--tz", LA, "--freq", "D"], "--detail tells each one."),
        (["bill", METER, "flat.toml", "2023-12", "--tz", LA, "--elements", "E"],
         f"--max-kw {METER}_E=KW, or in a file for --site"),
        (["bill", METER, "flat.toml", "2023-12", "--tz", LA, "--elements", "E", "--max-kw", "E=40"],
         "--accept-estimated"),
        (["read", METER, "2020-12-05", "--tz", LA], "dentframe inventory tells"),
        (["verify", "."], "the folder of --out"),
        (["peaks", METER, "2020-12", "--tz", LA], "dentframe inventory tells"),
    ],
)  # fmt: skip
def test_the_command_line_is_advised_in_options(cloud, monkeypatch, tmp_path, capsys, call, said):
    """Its messages name options and no keyword."""
    monkeypatch.chdir(tmp_path)
    tariff = Tariff("Flat", [Energy("Energy", "0.1")])
    (tmp_path / "flat.toml").write_text(tariff.to_toml())
    cli.main(call)
    told = capsys.readouterr().err
    assert said in told
    assert not PYTHON.search(told)
