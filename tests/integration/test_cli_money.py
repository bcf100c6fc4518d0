"""Bills and splits on the command line: what is refused, how it is told, and the way out."""

from __future__ import annotations

import io
import json

import pandas as pd
import pytest

from dentframe import cli, emulator

LA = "America/Los_Angeles"
METER = "P482311252"
TARIFF = """
name = "flat"
currency = "USD"
[[charges]]
kind = "energy"
name = "Energy"
rate = "0.20"
"""
SITE = f"""
name = "Market Street"
tz = "{LA}"
currency = "USD"
[elements.{METER}_E]
label = "Heat pump"
[elements.{METER}_B]
label = "Bakery"
max_kw = 60
[[tenants]]
name = "Gym"
elements = ["{METER}_E"]
[[tenants]]
name = "Bakery"
elements = ["{METER}_B"]
[split]
agree = 5
[split.lines]
energy = "energy"
[split.loss]
by = "energy"
rest = true
"""
BILL = """
name = "2023-12"
start = 2023-12-01
end = 2024-01-01
kwh = 10000
total = 2000.00
[[lines]]
name = "Energy"
kind = "energy"
amount = 2000.00
"""
RATED = 'label = "Heat pump"\nmax_kw = 40'


@pytest.fixture
def cloud(monkeypatch):
    """The emulator as the account."""
    with emulator.serve(rate=None, concurrency=None) as served:
        monkeypatch.setenv("DENTCLOUD_BASE_URL", served.url)
        monkeypatch.setenv("DENTCLOUD_API_KEY", served.api_key)
        monkeypatch.setenv("DENTCLOUD_KEY_ID", served.key_id)
        yield served


@pytest.fixture
def here(cloud, monkeypatch, tmp_path):
    """A folder with the files."""
    for name, text in (("flat", TARIFF), ("site", SITE), ("bill", BILL)):
        (tmp_path / f"{name}.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def change(path, *swaps):
    """Edit a file as its user would."""
    text = path.read_text()
    for old, new in swaps:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)


def test_a_cleared_register_tells_its_way_out(here, capsys):
    """Figure, status, flag, when, and options; following them step by step ends in a bill."""
    call = ["bill", METER, "flat.toml", "2023-12", "--tz", LA, "--elements", "E"]
    assert cli.main(call) == 1
    told = capsys.readouterr().err
    assert f"{METER}_E" in told
    assert "partial" in told
    assert "decrease_unclassified" in told
    assert "between 2023-12-18 09:" in told
    assert f"--max-kw {METER}_E=KW" in told
    assert "RegisterRules" not in told
    call += ["--max-kw", "E=40"]
    assert cli.main(call) == 1
    told = capsys.readouterr().err
    assert "estimated" in told
    assert "--accept-estimated" in told
    assert cli.main([*call, "--accept-estimated"]) == 0
    lines = pd.read_csv(io.StringIO(capsys.readouterr().out))
    assert lines["status"].iloc[0] == "estimated"


def test_a_site_gives_bill_its_zone_powers_and_labels(here, capsys):
    """With --site no --tz is needed, and elements have their names."""
    change(here / "site.toml", ('label = "Heat pump"', RATED))
    call = ["bill", METER, "flat.toml", "--month", "2023-12", "--site", "site.toml"]
    assert cli.main([*call, "--elements", "E", "--accept-estimated"]) == 0
    lines = pd.read_csv(io.StringIO(capsys.readouterr().out))
    assert lines["element"].iloc[0] == f"Heat pump ({METER}_E)"
    assert "-08:00" in lines["start"].iloc[0]


def test_a_site_that_cannot_be_read_is_refused_before_anything_is_asked(here, cloud, capsys):
    """With --tz too, where nothing else needs the site before."""
    change(here / "site.toml", ("max_kw = 60", "max_kv = 60"))
    for call in (["energy", METER], ["bill", METER, "flat.toml"]):
        assert cli.main([*call, "2023-12-05", "--tz", LA, "--site", "site.toml"]) == 2
        assert "max_kv" in capsys.readouterr().err
    assert cloud.requests == []


def test_the_span_of_a_bill_is_named_as_elsewhere(here, capsys):
    """START END, a month and a period that mean the same cost the same."""
    same = (["2023-12-01", "2024-01-01"], ["2023-12"], ["--period", "2023-12-01..2024-01-01"])
    found = []
    for span in same:
        call = ["bill", METER, "flat.toml", *span, "--tz", LA, "--elements", "B"]
        assert cli.main(call) == 0
        found.append(capsys.readouterr().out)
    assert len(set(found)) == 1
    assert cli.main(["bill", METER, "flat.toml", "2023-12", "--elements", "B"]) == 2
    assert "--site" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["40", "E=", "E=x", "=40"])
def test_a_power_that_cannot_be_read(here, capsys, text):
    """The form is told."""
    call = ["energy", METER, "2023-12-05", "--tz", LA, "--max-kw", text]
    assert cli.main(call) == 2
    assert "E=40,B=30" in capsys.readouterr().err


def test_a_failed_split_gives_way_to_its_correction(here, monkeypatch, capsys):
    """Refused, told with rule and remedy, corrected, run again into the same folder."""
    call = ["split", "bill.toml", "--site", "site.toml", "--out", "2023-12"]
    assert cli.main(call) == 1
    told = capsys.readouterr().err
    assert "NOT ACCEPTED" in told
    assert "rule accept" in told
    assert f"max_kw, in [elements.{METER}_E]" in told
    assert "between 2023-12-18 09:" in told
    assert "2023-12/exceptions.csv" in told.replace("\\", "/")
    assert "No statement was written (--draft does)" in told
    assert not (here / "2023-12/statements").exists()
    assert cli.main([*call, "--draft"]) == 1
    assert "The statements are drafts" in capsys.readouterr().err
    assert "DRAFT" in (here / "2023-12/charges.csv").read_text()
    change(
        here / "site.toml",
        ('label = "Heat pump"', RATED),
        ("agree = 5", 'agree = 5\naccept = ["recorded", "estimated"]'),
    )
    assert cli.main(call) == 0
    assert "fees" not in capsys.readouterr().out
    assert cli.main(["verify", "2023-12"]) == 0
    assert cli.main(call) == 4
    assert "never overwritten" in capsys.readouterr().err
    monkeypatch.setenv("DENTCLOUD_BASE_URL", "http://127.0.0.1:9")
    assert cli.main(["cache", "clear"]) == 0
    assert cli.main(call) == 4, "a finished month asks for nothing, whatever the network does"
    change(here / "bill.toml", ("2000.00", "2001.00"))
    assert cli.main(call) == 2
    assert "a record without open exceptions is there" in capsys.readouterr().err
    assert cli.main([*call[:-1], "again"]) == 3


def test_value_limit_and_rule_are_told(here, capsys):
    """A bill that differs by more than agreed shows by how much, and which rule judged it."""
    change(
        here / "site.toml",
        ('label = "Heat pump"', RATED),
        ("agree = 5", 'agree = 2\naccept = ["recorded", "estimated"]'),
    )
    change(here / "bill.toml", ("kwh = 10000", "kwh = 20000"))
    assert cli.main(["split", "bill.toml", "--site", "site.toml", "--out", "x"]) == 1
    told = capsys.readouterr().err
    assert "limit 400.00 kWh, rule agree" in told
    assert "raise agree" in told


def test_a_mistyped_element_is_an_error_with_a_suggestion(here, capsys):
    """Not in what the meter returns: the file, the table, what there is; nothing is saved."""
    change(here / "site.toml", (f"{METER}_E", f"{METER}_Z"))
    assert cli.main(["split", "bill.toml", "--site", "site.toml", "--out", "x"]) == 2
    told = capsys.readouterr().err
    assert f"[elements.{METER}_Z]" in told
    assert "It has A, B, C, D, E, F, G" in told
    assert not (here / "x").exists()
    change(here / "site.toml", (f"{METER}_Z", "P482311253_E"))
    assert cli.main(["split", "bill.toml", "--site", "site.toml", "--out", "x"]) == 2
    told = capsys.readouterr().err
    assert "site.toml" in told
    assert "P482311253" in told


def test_warnings_speak_in_options(here, capsys):
    """No keyword of Python reaches a user of the command line."""
    assert cli.main(["energy", METER, "--month", "2023-12", "--tz", LA]) == 0
    told = capsys.readouterr().err
    assert "--detail tells each one" in told
    assert "=True" not in told
    assert "min_coverage" not in told


def test_flags_are_joined_by_semicolons(here, capsys):
    """A program gets a;b, not a Python tuple; JSON gets a list."""
    call = ["energy", METER, "--month", "2023-12", "--tz", LA, "--max-kw", "E=40", "--detail"]
    assert cli.main(call) == 0
    rows = pd.read_csv(io.StringIO(capsys.readouterr().out)).set_index("element")
    assert "reset" in rows.loc["E", "flags"].split(";")
    assert cli.main([*call, "--json"]) == 0
    assert cli.main([*call, "--json", "--format", "csv"]) == 2


@pytest.mark.parametrize("ending", ["xlsx", "parquet"])
def test_figures_go_to_a_file_whole(here, ending):
    """A table of figures in a workbook or Parquet has all of its columns."""
    out = here / f"peaks.{ending}"
    call = ["peaks", METER, "2023-12-05", "--tz", LA, "--out", str(out)]
    assert cli.main(call) == 0
    found = pd.read_excel(out) if ending == "xlsx" else pd.read_parquet(out)
    assert {"element", "peak", "status", "flags"} <= set(found.columns)
    assert len(found) == 7


def test_an_archive_is_asked_first(here, cloud, capsys):
    """What was synced is not asked again, by any command, and the figures are the same."""
    pytest.importorskip("pyarrow")
    change(
        here / "site.toml",
        ('label = "Heat pump"', RATED),
        ("agree = 5", 'agree = 5\naccept = ["recorded", "estimated"]'),
    )
    energy = ["energy", METER, "2023-12", "--tz", LA]
    split = ["split", "bill.toml", "--site", "site.toml", "--out"]
    assert cli.main(energy) == 0
    assert cli.main([*split, "cloud"]) == 0
    plain = capsys.readouterr().out
    span = ["2023-11-30", "2024-01-03", "--tz", "UTC", "--topics", "kWHNet,DemandkW"]
    assert cli.main(["sync", METER, *span, "--archive", "archive"]) == 0
    assert cli.main(["cache", "clear"]) == 0
    capsys.readouterr()
    before = len(cloud.data_requests)
    assert cli.main([*energy, "--archive", "archive"]) == 0
    assert cli.main([*split, "archived", "--archive", "archive"]) == 0
    assert capsys.readouterr().out == plain
    assert len(cloud.data_requests) == before


def test_a_bill_reads_only_what_its_tariff_uses(here, cloud, capsys):
    """Two topics for energy; a year of a charge per month is refused before it is read."""
    call = ["bill", METER, "flat.toml", "2023-12", "--tz", LA, "--elements", "B"]
    assert cli.main(call) == 0
    asked = {tuple(sorted(x.topics)) for x in cloud.data_requests}
    assert asked == {("DemandkW", "kWHNet")}
    fixed = '[[charges]]\nkind = "fixed"\nname = "Service"\nrate = "10"\nper = "month"\n'
    (here / "flat.toml").write_text(TARIFF + fixed)
    before = len(cloud.data_requests)
    assert cli.main(["bill", METER, "flat.toml", "2022", "--tz", LA, "--elements", "B"]) == 2
    assert "for 365 days: it is per month" in capsys.readouterr().err
    assert len(cloud.data_requests) == before


def test_a_bill_is_a_table_json_or_csv(here, capsys):
    """A person sees lines and total, a program the whole statement, flags joined by ;."""
    call = ["bill", METER, "flat.toml", "2023-12", "--tz", LA, "--elements", "B"]
    assert cli.main([*call, "--format", "table"]) == 0
    table = capsys.readouterr().out
    assert max(map(len, table.splitlines())) < 110
    assert "Energy" in table
    assert "kWh" in table
    assert cli.main([*call, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["total"] in table.replace(",", "")
    assert cli.main(call) == 0
    rows = pd.read_csv(io.StringIO(capsys.readouterr().out))
    assert str(rows.loc[rows["section"] == "total", "amount"].iloc[0]) == told["total"].rstrip("0")
    assert cli.main([*call, "--format", "parquet"]) == 2
    assert cli.main([*call, "--json", "--out", "b.json"]) == 0
    assert json.loads((here / "b.json").read_text())["total"] == told["total"]
    assert cli.main([*call, "--format", "table", "--out", "b.txt"]) == 0
    assert (here / "b.txt").read_text() == table


def test_elements_are_named_by_an_option(here, capsys):
    """--elements A,C in place of a Python list."""
    assert cli.main(["bill", METER, "flat.toml", "2023-12", "--tz", LA]) == 2
    told = capsys.readouterr().err
    assert "--elements A,C, or say --elements all" in told
    assert "elements=" not in told


def test_one_exception_is_open(here, capsys):
    """In the right number."""
    change(
        here / "site.toml",
        ('label = "Heat pump"', RATED),
        ("agree = 5", 'agree = 2\naccept = ["recorded", "estimated"]'),
    )
    change(here / "bill.toml", ("kwh = 10000", "kwh = 20000"))
    assert cli.main(["split", "bill.toml", "--site", "site.toml", "--out", "x"]) == 1
    assert "1 exception is open" in capsys.readouterr().err
