"""Records of splits: what is saved, that it repeats, and that a change is seen."""

from __future__ import annotations

import json

import numpy as np
import openpyxl
import pandas as pd
import pytest

from dentframe import record as recorded
from dentframe.errors import ConfigError
from dentframe.record import verify
from tests.split_kit import bill, line, readings, shares, site, split, tenant

BILL = (line("Energy", "energy", "600.00"), line("Fixed", "fixed", "10.01"))


@pytest.fixture
def run():
    """A split with an awkward name and an odd float."""
    names = [tenant("=A & Sons", "A", code="+1"), tenant("B", "B")]
    return split(bill(*BILL, kwh=3010), site(names), frame=readings({"A": 2000.1, "B": 1000}))


@pytest.fixture
def saved(run, tmp_path):
    """Its folder."""
    run.save(tmp_path / "2024-01")
    return tmp_path / "2024-01"


def test_what_is_saved(run, saved):
    """Statements, charges, tables for the owner, and the record with its hashes."""
    names = {p.relative_to(saved).as_posix() for p in saved.rglob("*") if p.is_file()}
    assert {"charges.csv", "control.csv", "exceptions.csv", "figures.csv"} <= names
    assert {"record/site.toml", "record/bill.toml", "record/rules.toml"} <= names
    assert {"statements/01-a-sons.csv", "statements/02-b.csv"} <= names
    told = json.loads((saved / "record/record.json").read_text(encoding="utf-8"))
    assert set(told["files"]) == names - {"record/record.json"}
    assert set(told["versions"]) == {"dentframe", "pandas", "numpy", "python"}
    charges = pd.read_csv(saved / "charges.csv", dtype=str)
    assert charges["amount"].tolist() == run.charges["amount"].astype(str).tolist()
    assert charges["party"].iloc[0] == "'=A & Sons"
    assert charges["code"].iloc[0] == "'+1"


def test_the_workbook_has_every_table(saved):
    """Amounts are numbers, and text that looks like a formula is text."""
    book = openpyxl.load_workbook(saved / "internal.xlsx")
    assert book.sheetnames == ["charges", "control", "exceptions", "figures"]
    rows = list(book["charges"].iter_rows(values_only=True))
    amount = rows[0].index("amount")
    assert sum(row[amount] for row in rows[1:]) == pytest.approx(610.01)
    assert rows[1][rows[0].index("party")] == "'=A & Sons"


@pytest.mark.parametrize("name", ["", "record", "record/record.json"])
def test_a_record_repeats(saved, name):
    """Computed again from its own readings, nothing differs; a record may be moved."""
    moved = saved.rename(saved.with_name("elsewhere"))
    found = verify(moved / name)
    assert (found.ok, found.differences, found.notes) == (True, (), ())


def test_a_record_repeats_from_csv(run, tmp_path, monkeypatch):
    """Without pyarrow the readings are exact CSV, with the same result."""
    real = recorded.find_spec
    monkeypatch.setattr(recorded, "find_spec", lambda x: None if x == "pyarrow" else real(x))
    folder = run.save(tmp_path / "out")
    assert (folder / "readings.csv").is_file()
    assert verify(folder).ok


def test_a_changed_file_is_named(saved):
    """A changed charge, a changed bill and a lost file are each told."""
    path = saved / "record/bill.toml"
    path.write_text(path.read_text().replace("600.00", "660.00"))
    (saved / "charges.csv").write_text("")
    (saved / "control.csv").unlink()
    found = verify(saved)
    assert not found.ok
    told = "\n".join(found.differences)
    assert "File charges.csv was changed" in told
    assert "File record/bill.toml was changed" in told
    assert "File control.csv is missing" in told
    assert "amount 398.69 is recorded, 438.56 comes out" in told


def test_a_changed_result_is_seen(saved):
    """A record whose figures were edited does not come out again."""
    path = saved / "record/record.json"
    told = json.loads(path.read_text())
    told["result"]["charges"][0]["amount"] = "1.00"
    told["versions"]["pandas"] = "0.1"
    path.write_text(json.dumps(told))
    found = verify(saved)
    assert len(found.differences) == 1
    assert "amount 1.00 is recorded" in found.differences[0]
    assert found.notes[0].startswith("Recorded with pandas 0.1")


def test_a_record_is_never_overwritten(run, saved):
    """A folder that holds something is refused, and stays as it is."""
    with pytest.raises(ConfigError, match="never"):
        run.save(saved)
    assert verify(saved).ok
    assert not saved.with_name("2024-01.part").exists()


def test_what_is_no_record(tmp_path):
    """An empty folder, broken JSON and another schema say so."""
    with pytest.raises(ConfigError, match=r"no record\.json"):
        verify(tmp_path)
    (tmp_path / "record.json").write_text("{")
    with pytest.raises(ConfigError, match="no JSON"):
        verify(tmp_path)
    (tmp_path / "record.json").write_text('{"schema": 99}')
    with pytest.raises(ConfigError, match="schema 1"):
        verify(tmp_path)


def test_missing_readings_survive_the_record(tmp_path):
    """Blanks come back as blanks: what was refused is refused again."""
    frame = readings({"A": 2000, "B": 1000})
    frame.iloc[-300:, 0] = np.nan
    run = split(bill(*BILL), site(), frame=frame)
    assert shares(run, "Energy") == {"unallocated": "600.00"}
    assert verify(run.save(tmp_path / "out")).ok
