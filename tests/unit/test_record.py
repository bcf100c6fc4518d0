"""Records of splits: what is saved, that it repeats, and that a change is seen."""

from __future__ import annotations

import json

import numpy as np
import openpyxl
import pandas as pd
import pytest

from dentframe.errors import ConfigError, DentWarning
from dentframe.money import record as recorded
from dentframe.money import record as sheets
from dentframe.money.record import verify
from dentframe.money.statement import Statement
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


def good(name="Jan"):
    """A split without exceptions."""
    return split(bill(*BILL, kwh=3000, name=name), site(), frame=readings({"A": 2000, "B": 1000}))


def test_a_good_record_is_never_overwritten(run, tmp_path):
    """A folder that holds a run without open exceptions is refused, and stays as it is."""
    folder = tmp_path / "2024-01"
    good().save(folder)
    with pytest.raises(ConfigError, match="never overwritten"):
        run.save(folder)
    with pytest.raises(ConfigError, match="never overwritten"):
        good().save(folder)
    assert verify(folder).ok
    assert sorted(p.name for p in tmp_path.iterdir()) == ["2024-01"]


def test_a_run_with_open_exceptions_gives_way_to_its_correction(run, saved):
    """The same bill and site split again replace it; then it is good and stays."""
    assert not run.ok
    good().save(saved)
    assert verify(saved).ok
    assert len(pd.read_csv(saved / "exceptions.csv")) == 0
    assert sorted(p.name for p in saved.parent.iterdir()) == ["2024-01"]
    with pytest.raises(ConfigError, match="never overwritten"):
        run.save(saved)


def test_what_is_not_the_same_split_stays(saved, tmp_path):
    """Another bill, a file of the user's own, and a folder that is no record are kept."""
    with pytest.raises(ConfigError, match="a split of 'Jan' of 'S' is there"):
        good("Feb").save(saved)
    (saved / "statements" / "letter.txt").write_text("mine")
    with pytest.raises(ConfigError, match=r"letter\.txt.*dentframe did not write"):
        good().save(saved)
    assert (saved / "charges.csv").is_file()
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match="no record of a split"):
        good().save(tmp_path / "x")


def test_statements_are_saved_as_pdf(saved):
    """Each tenant's statement is a PDF beside the page, the workbook and the CSV."""
    for stem in ("01-a-sons", "02-b"):
        endings = {p.suffix for p in (saved / "statements").glob(f"{stem}.*")}
        assert endings == {".csv", ".html", ".pdf", ".xlsx"}
    assert (saved / "statements/02-b.pdf").read_bytes().startswith(b"%PDF-")


def test_without_the_extra_it_says_so_once(run, tmp_path, monkeypatch):
    """Without fpdf2 nothing fails: one warning names the extra, and the rest is saved."""
    real = sheets.find_spec
    monkeypatch.setattr(sheets, "find_spec", lambda x: None if x == "fpdf" else real(x))
    with pytest.warns(DentWarning, match=r"without PDFs.*dentframe\[report\]") as told:
        folder = run.save(tmp_path / "out")
    assert len(told) == 1
    assert not list((tmp_path / "out").rglob("*.pdf"))
    assert verify(folder).ok


def test_a_name_that_no_built_in_font_has(run, tmp_path, monkeypatch):
    """One statement that cannot be a PDF does not lose the others, and is told."""
    real = Statement.to_pdf

    def refuse(self, path, **more):
        if self.party == "B":
            raise ConfigError("Cannot write 'B': the font has no such letter. Pass font=.")
        return real(self, path, **more)

    monkeypatch.setattr(Statement, "to_pdf", refuse)
    with pytest.warns(DentWarning, match="1 statements are saved without a PDF"):
        run.save(tmp_path / "out")
    assert [p.name for p in (tmp_path / "out").rglob("*.pdf")] == ["01-a-sons.pdf"]


def test_flags_share_a_cell(tmp_path):
    """In CSV files the flags of a figure are a;b, as on the command line."""
    frame = readings({"A": 2000, "B": 1000})
    frame.iloc[500, 0] = 0.0
    frame.iloc[600:700, 0] = np.nan
    split(bill(*BILL), site(), frame=frame).save(tmp_path / "out")
    figures = pd.read_csv(tmp_path / "out/figures.csv")
    assert {"gap_bridged", "glitch"} <= set(figures["flags"].iloc[0].split(";"))


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
