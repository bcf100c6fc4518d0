"""From the emulator's building to statements, through the doors and the command line."""

from __future__ import annotations

import pytest

from dentframe import DentCloud, Site, UtilityBill, emulator, split, verify
from dentframe.cli.commands_log_and_exit_status import run as run_cli
from dentframe.cli.money import split as split_command
from dentframe.cli.money import verify as verify_command
from tests.split_kit import balanced, found, shares

MAIN, SECOND, THIRD = "P482311252", "P482102272", "P482102270"
VOLTS = {MAIN: 277, SECOND: 120, THIRD: 120}
BRANCHES = {
    f"{MAIN}_B": f'parent = "{MAIN}_A"',
    f"{MAIN}_C": f'parent = "{MAIN}_A"',
    f"{MAIN}_D": f'parent = "{MAIN}_A"',
    f"{MAIN}_E": f'parent = "{MAIN}_A"\ncommon = true',
    f"{MAIN}_F": f'parent = "{MAIN}_A"\ncommon = true',
    f"{MAIN}_G": f'parent = "{MAIN}_A"\narea = 50',
    f"{SECOND}_A": "",
    f"{SECOND}_B": "",
    f"{SECOND}_C": "",
    f"{SECOND}_D": 'role = "export"',
    f"{THIRD}_A": "",
    f"{THIRD}_B": "",
    f"{THIRD}_C": "common = true",
}
HOLDERS = {
    "Bakery": [f"{MAIN}_B"],
    "Office": [f"{MAIN}_C"],
    "Dentist": [f"{MAIN}_D"],
    "Restaurant": [f"{SECOND}_A", f"{SECOND}_B", f"{SECOND}_C"],
    "Flat 1": [f"{THIRD}_A"],
    "Flat 2": [f"{THIRD}_B"],
}
RULES = """
[split]
accept = ["recorded", "estimated"]
over_recovery = true
[split.lines]
energy = "energy"
demand = "coincident"
fixed = "days"
tax = "lines"
[split.common]
by = "area"
[split.loss]
by = "energy"
rest = true
"""
BILL = """
name = "2023-12"
start = 2023-12-01
end = 2024-01-01
days = 31
kwh = 29900
total = 7182.96
lines = [
  { name = "Energy", kind = "energy", amount = 5980.00 },
  { name = "Demand", kind = "demand", amount = 900.01 },
  { name = "Customer charge", kind = "fixed", amount = 45.67 },
  { name = "City tax", kind = "tax", amount = 257.28 },
]
"""


def site_text():
    """The building as a site file."""
    elements = "".join(
        f"[elements.{k}]\ncts = [200, 200, 200]\nvolts = {VOLTS[k.split('_')[0]]}\n{more}\n"
        for k, more in {f"{MAIN}_A": 'role = "main"'}.items() | BRANCHES.items()
    )
    tenants = "".join(
        f'[[tenants]]\nname = "{name}"\narea = 80\nelements = {held}\n'.replace("'", '"')
        for name, held in HOLDERS.items()
    )
    head = 'name = "Market Street"\ntz = "America/Los_Angeles"\ncurrency = "USD"\n'
    return head + elements + tenants + RULES


@pytest.fixture
def files(tmp_path):
    """Site and bill on disk."""
    (tmp_path / "site.toml").write_text(site_text())
    (tmp_path / "bill.toml").write_text(BILL)
    return tmp_path


@pytest.fixture
def cloud():
    """The emulator."""
    with emulator.serve(rate=None, concurrency=None) as served:
        yield served


@pytest.fixture
def keys(cloud, monkeypatch):
    """The emulator's account as the process's own."""
    monkeypatch.setenv("DENTCLOUD_BASE_URL", cloud.url)
    monkeypatch.setenv("DENTCLOUD_API_KEY", cloud.api_key)
    monkeypatch.setenv("DENTCLOUD_KEY_ID", cloud.key_id)


def test_from_the_building_to_statements(cloud, files, tmp_path):
    """December, with its gaps, glitch and reset: every cent has a party, and the record repeats."""
    site, bill = Site.load(files / "site.toml"), UtilityBill.load(files / "bill.toml")
    with DentCloud(
        cloud.api_key, cloud.key_id, base_url=cloud.url, cache=tmp_path / "c", rate=1000
    ) as client:
        run = split(bill, site, client=client)
    assert balanced(run)
    assert run.ok
    assert run.control["unallocated"] == 0
    assert run.control["export"] < 0
    assert found(run, "estimated")["subject"].tolist() == [f"{MAIN}_E"]
    assert [s.party for s in run.statements] == list(HOLDERS)
    assert set(shares(run, "Customer charge").values()) >= {"5.08"}
    assert all(s.check() == [] for s in run.statements)
    bakery = run.statements["Bakery"]
    used = bakery.readings[0]
    assert used.energy == used.close_reading - used.open_reading
    assert used.flags == ("glitch",)
    assert bakery.read_at == run.read_at is not None
    record = run.save(tmp_path / "out")
    assert verify(record).ok


def test_an_estimate_is_refused_by_default(keys, files):
    """Without accept, the cleared register's lines are nobody's."""
    text = (files / "site.toml").read_text().replace('accept = ["recorded", "estimated"]', "")
    (files / "site.toml").write_text(text)
    run = split(UtilityBill.load(files / "bill.toml"), Site.load(files / "site.toml"))
    assert not run.ok
    assert run.control["unallocated"] > 5980
    assert balanced(run)


def test_the_commands(keys, files, monkeypatch, capsys):
    """split saves and prints the control; verify repeats it; exceptions make the exit code 1."""
    from dentframe.cli.commands_log_and_exit_status import dentframe

    for command in (split_command, verify_command):
        monkeypatch.setitem(dentframe.commands, command.name, command)
    monkeypatch.chdir(files)
    assert run_cli(["split", "bill.toml", "--site", "site.toml", "--out", "2023-12"]) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines()[0] == "utility,7182.96"
    assert "estimated (accepted)" in printed.err
    assert run_cli(["verify", "2023-12"]) == 0
    (files / "2023-12" / "charges.csv").write_text("")
    assert run_cli(["verify", "2023-12"]) == 1
    assert "charges.csv was changed" in capsys.readouterr().out
    (files / "rules.toml").write_text(RULES.replace('accept = ["recorded", "estimated"]', ""))
    strict = ["--rules", "rules.toml", "--out", "strict"]
    assert run_cli(["split", "bill.toml", "--site", "site.toml", *strict]) == 1
    assert "NOT ACCEPTED" in capsys.readouterr().err
