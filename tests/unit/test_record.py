"""Records of splits: what is saved, that it repeats, and that a change is seen."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import subprocess
import sys
from decimal import Decimal

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dentframe import Record, Statement, records, verify
from dentframe.errors import ConfigError, DentError, DentWarning, MissingExtraError
from dentframe.money import record_reader
from dentframe.money import record_writer as recorded
from tests.split_kit import bill, line, readings, shares, site, split, tenant

BILL = (line("Energy", "energy", "600.00"), line("Fixed", "fixed", "10.01"))


@pytest.fixture
def run():
    """A split with an awkward name and an odd float."""
    names = [tenant("=A & Sons", "A", code="+1"), tenant("B", "B")]
    return split(bill(*BILL, kwh=3010), site(names), frame=readings({"A": 2000.1, "B": 1000}))


@pytest.fixture
def saved(run, tmp_path):
    """Its folder, with its papers as drafts: an exception is open."""
    run.save(tmp_path / "2024-01", draft=True)
    return tmp_path / "2024-01"


def test_what_is_saved(run, saved):
    """Statements, charges, tables for the owner, and the record with its hashes."""
    names = {p.relative_to(saved).as_posix() for p in saved.rglob("*") if p.is_file()}
    assert {"charges.csv", "control.csv", "exceptions.csv", "figures.csv"} <= names
    assert {"record/site.toml", "record/bill.toml", "record/rules.toml"} <= names
    assert {"statements/a-sons-DRAFT.csv", "statements/b-DRAFT.csv"} <= names
    told = json.loads((saved / "record/record.json").read_text(encoding="utf-8"))
    assert set(told["files"]) == names - {"record/record.json"}
    assert set(told["versions"]) == {"dentframe", "pandas", "numpy", "python"}
    charges = pd.read_csv(saved / "charges.csv", dtype=str)
    assert charges["amount"].tolist() == run.charges["amount"].astype(str).tolist()
    assert charges["party"].iloc[0] == "'=A & Sons"
    assert charges["code"].iloc[0] == "'+1"


@pytest.mark.parametrize("next_", ["load", "records", "save"])
def test_a_record_left_hidden_by_a_kill_is_there_again(run, saved, next_):
    """A process ended between the two renames of a replacing save: whoever comes next has it."""
    hidden = saved.parent / ".2024-01.abcdefgh"
    (hidden / "old").mkdir(parents=True)
    saved.rename(hidden / "old" / saved.name)
    if next_ == "load":
        assert Record.load(saved).bill.name == "Jan"
    elif next_ == "records":
        assert len(records(saved.parent)) == len(run.charges)
    else:
        run.save(saved, draft=True)
    assert verify(saved).ok
    assert [p.name for p in saved.parent.iterdir()] == [saved.name]


def test_the_workbook_has_every_table(saved):
    """Amounts are numbers, and text that looks like a formula is text."""
    book = openpyxl.load_workbook(saved / "internal.xlsx")
    tables = ["charges", "control", "exceptions", "figures"]
    assert book.sheetnames == [f"DRAFT {x}" for x in tables]
    assert all("DRAFT" in sheet.oddHeader.center.text for sheet in book)
    rows = list(book["DRAFT charges"].iter_rows(values_only=True))
    amount = rows[0].index("amount")
    assert sum(row[amount] for row in rows[1:]) == pytest.approx(610.01)
    party = book["DRAFT charges"].cell(2, rows[0].index("party") + 1)
    assert (party.value, party.data_type) == ("=A & Sons", "s")


@pytest.mark.parametrize("name", ["", "record", "record/record.json"])
def test_a_record_repeats(saved, name):
    """Computed again from its own readings, nothing differs; a record may be moved."""
    moved = saved.rename(saved.with_name("elsewhere"))
    found = verify(moved / name)
    assert (found.ok, found.differences, found.notes) == (True, (), ())


def test_a_record_is_read(run, saved):
    """Its tables are those of the run, its statements those that were written."""
    record = Record.load(saved)
    assert repr(record) == f"Record(folder={record.folder!r})"  # not all that it contains
    pd.testing.assert_frame_equal(record.charges, run.charges)
    assert record.control.to_dict() == run.control.to_dict()
    assert record.figures["flags"].tolist() == run.figures["flags"].tolist()
    assert record.figures["close_at"].tolist() == run.figures["close_at"].tolist()
    assert [s.total for s in record.statements] == [s.total for s in run.statements]
    assert (record.site, record.bill, record.rules) == (run.site, run.bill, run.rules)
    assert not record.ok


def test_a_record_of_fixed_lines_rests_on_no_figure(tmp_path):
    """Its tables have their columns all the same, and a later bill compares with none."""
    run = split(bill(line("Fixed", "fixed", "10.01")), site(), frame=readings({"A": 1, "B": 1}))
    record = Record.load(run.save(tmp_path / "Jan"))
    assert list(record.exceptions) == list(run.exceptions)
    assert record.exceptions.empty
    assert list(record.figures) == list(run.figures)
    assert record.figures.empty
    assert record.billed == []


def test_a_charge_without_a_quantity_is_read_as_it_was(tmp_path):
    """The landlord's fixed line has none: None, as in the run, beside the others' decimals."""
    rules = {"lines": {"energy": "energy", "fixed": "landlord"}}
    what = bill(line("Energy", "energy", "600.00"), line("Fixed", "fixed", "10.00"))
    run = split(what, site(rules=rules), frame=readings({"A": 1000, "B": 2000}))
    found = Record.load(run.save(tmp_path / "Jan")).charges["quantity"].tolist()
    assert found == [Decimal(1000), Decimal(2000), None] == run.charges["quantity"].tolist()


def test_records_are_one_frame(tmp_path):
    """Months in their order, with the tenants' amounts; billed earlier periods to compare with."""
    assert records(tmp_path).empty
    months = [("2024-02-01", "2024-03-01"), ("2024-01-01", "2024-02-01")]
    for start, end in months:
        what = bill(*BILL, kwh=3000, name=start[:7], start=start, end=end)
        frame = readings({"A": 2000, "B": 1000}, start=start, end=end)
        split(what, site(), frame=frame).save(tmp_path / "S" / start)
    found = records(tmp_path)
    assert found["bill"].drop_duplicates().tolist() == ["2024-01", "2024-02"]
    assert found["record"].iloc[0] == "S/2024-01-01"
    paid = found.groupby("party")["amount"].sum()
    assert paid.sum() == 2 * Decimal("610.01")
    assert found["period_start"].iloc[0] == pd.Timestamp("2024-01-01", tz="America/Los_Angeles")
    assert len(records(tmp_path, "figures")) == 4
    with pytest.raises(ConfigError, match="use charges"):
        records(tmp_path, "sums")
    past = Record.load(tmp_path / "S/2024-01-01").billed
    assert [(x.party, x.kwh, x.amount) for x in past] == [
        ("A", Decimal("2000.00"), paid["A"] / 2),
        ("B", Decimal("1000.00"), paid["B"] / 2),
    ]
    assert past[0].closings["P1_A"][1] == Decimal("3000.00")


def test_a_changed_file_is_named(saved):
    """A changed charge, a changed bill and a lost file are each told."""
    path = saved / "record/bill.toml"
    text = path.read_text()
    path.write_text(text.replace("600.00", "660.00").replace("610.01", "670.01"))
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
    assert "its seal is not that of its text" in found.differences[0]
    assert "amount 1.00 is recorded" in found.differences[1]
    assert len(found.differences) == 2
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
    for stem in ("a-sons-DRAFT", "b-DRAFT"):
        endings = {p.suffix for p in (saved / "statements").glob(f"{stem}.*")}
        assert endings == {".csv", ".html", ".pdf", ".xlsx"}
    assert (saved / "statements/b-DRAFT.pdf").read_bytes().startswith(b"%PDF-")


def test_without_the_extra_it_says_so_once(run, tmp_path, monkeypatch):
    """Without fpdf2 nothing fails: one warning names the extra, and the rest is saved."""
    real = recorded.find_spec
    monkeypatch.setattr(recorded, "find_spec", lambda x: None if x == "fpdf" else real(x))
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
        run.save(tmp_path / "out", draft=True)
    assert [p.name for p in (tmp_path / "out").rglob("*.pdf")] == ["a-sons-DRAFT.pdf"]


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
    with pytest.raises(ConfigError, match="schema 2"):
        verify(tmp_path)


def test_missing_readings_survive_the_record(tmp_path):
    """Blanks come back as blanks: what was refused is refused again."""
    frame = readings({"A": 2000, "B": 1000})
    frame.iloc[-300:, 0] = np.nan
    run = split(bill(*BILL), site(), frame=frame)
    assert shares(run, "Energy") == {"unallocated": "600.00"}
    assert verify(run.save(tmp_path / "out")).ok


# --- nothing of the user's is touched ------------------------------------------------------


def test_neighbours_are_never_touched(tmp_path):
    """Folders that are called as if we had made them are the user's own."""
    for name in ("out.old", "out.part"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine").write_text("mine")
    good().save(tmp_path / "out")
    assert [(tmp_path / x / "mine").read_text() for x in ("out.old", "out.part")] == ["mine"] * 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "out.old", "out.part"]


@pytest.mark.skipif(os.name == "nt", reason="permissions and links of POSIX")
def test_links_and_permissions(tmp_path):
    """A link to an empty folder stays one; what is saved is the owner's alone."""
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "out").symlink_to("real")
    good().save(tmp_path / "out")
    assert (tmp_path / "out").is_symlink()
    assert verify(tmp_path / "out").ok
    modes = {p.is_dir(): p.stat().st_mode & 0o777 for p in (tmp_path / "real").rglob("*")}
    assert modes == {True: 0o700, False: 0o600}


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    """The error is typed, says what to do, and no half is left."""

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match=r"Cannot save to .*out'.*No space left.*Nothing was"):
        good().save(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


KILLED = """
import os, sys
from tests.unit.test_record import good
name, left = sys.argv[2], [int(sys.argv[3])]
real = getattr(os, name)
def strike(*given):
    left[0] -= 1
    if left[0] < 0:
        os._exit(9)
    return real(*given)
setattr(os, name, strike)
good().save(sys.argv[1])
"""


@pytest.mark.parametrize(("call", "after"), [("fsync", 7), ("replace", 0)])
def test_a_killed_save_leaves_no_half_and_what_the_user_has(tmp_path, call, after):
    """Nothing runs after the stroke: the folder is not there, and the next save makes it."""
    for name in ("out.old", "out.part"):
        (tmp_path / name).write_text("mine")
    killed = [sys.executable, "-W", "ignore", "-c", KILLED, str(tmp_path / "out"), call, str(after)]
    assert subprocess.run(killed, check=False, timeout=120).returncode == 9
    assert not (tmp_path / "out").exists()
    good().save(tmp_path / "out")
    assert verify(tmp_path / "out").ok
    assert {(tmp_path / x).read_text() for x in ("out.old", "out.part")} == {"mine"}


# --- drafts and what comes later ---------------------------------------------------------


def test_open_exceptions_write_no_paper(run, tmp_path):
    """Charges say that they are a draft; with draft=True every paper does, in its name too."""
    run.save(tmp_path / "out")
    assert not (tmp_path / "out/statements").exists()
    assert set(pd.read_csv(tmp_path / "out/charges.csv")["draft"]) == {"DRAFT"}
    assert not verify(tmp_path / "out").differences
    run.save(tmp_path / "out", draft=True)
    papers = sorted((tmp_path / "out/statements").iterdir())
    assert {p.name.split(".")[0] for p in papers} == {"a-sons-DRAFT", "b-DRAFT"}
    for path in papers:
        if path.suffix in {".csv", ".html"}:
            assert "DRAFT" in path.read_text(encoding="utf-8")
    book = openpyxl.load_workbook(tmp_path / "out/statements/b-DRAFT.xlsx")
    assert all(name.startswith("DRAFT") for name in book.sheetnames)
    assert verify(tmp_path / "out").ok


def test_a_draft_of_a_good_run_gives_way(tmp_path):
    """What was a draft by wish is replaced by the papers themselves."""
    good().save(tmp_path / "out", draft=True)
    good().save(tmp_path / "out")
    assert {p.stem for p in (tmp_path / "out/statements").iterdir()} == {"a", "b"}
    assert "draft" not in pd.read_csv(tmp_path / "out/charges.csv").columns


def test_papers_keep_their_names(tmp_path):
    """By account or name: who comes and goes changes no other file's name."""
    names = [tenant("B", "B", account="4711"), tenant("A", "A")]
    for i, tenants in enumerate((names, names[::-1])):
        run = split(bill(*BILL, kwh=3000), site(tenants), frame=readings({"A": 2000, "B": 1000}))
        run.save(tmp_path / str(i))
    stems = [{p.stem for p in (tmp_path / x / "statements").iterdir()} for x in "01"]
    assert stems == [{"a", "4711"}] * 2


def test_missing_extras_are_told_at_once_and_added_later(tmp_path, monkeypatch):
    """One warning before the work names all; a second save to the folder completes it."""
    with monkeypatch.context() as bare:
        bare.setattr(recorded, "find_spec", lambda x: None)
        with pytest.warns(DentWarning, match=r"pages and PDFs and workbooks.*\[report,excel\]"):
            good().save(tmp_path / "out")
    assert {p.suffix for p in (tmp_path / "out/statements").iterdir()} == {".csv"}
    other = split(bill(*BILL, kwh=3000), site(), frame=readings({"A": 1500, "B": 1500}))
    with pytest.raises(ConfigError, match="never overwritten"):
        other.save(tmp_path / "out")
    good().save(tmp_path / "out")
    endings = {p.suffix for p in (tmp_path / "out/statements").iterdir()}
    assert endings == {".csv", ".html", ".pdf", ".xlsx"}
    assert (tmp_path / "out/internal.xlsx").is_file()
    assert verify(tmp_path / "out").ok
    with pytest.raises(ConfigError, match="never overwritten"):
        good().save(tmp_path / "out")


def test_a_locale_that_cannot_be_written_is_told_before_the_work(monkeypatch):
    """Before anything is read; Babel is named together with all that is not there."""
    with pytest.raises(ConfigError, match="'xx-XX'"):
        split(bill(*BILL, kwh=3000), site(locale="xx-XX"))
    monkeypatch.setattr(recorded, "find_spec", lambda x: None)
    with pytest.raises(MissingExtraError, match=r"'de-DE'.*pages and PDFs.*\[report,excel\]"):
        split(bill(*BILL, kwh=3000), site(locale="de-DE"))
    monkeypatch.setattr(recorded, "find_spec", lambda x: None if x == "babel" else x)
    with pytest.raises(MissingExtraError, match=r"'de-DE' has them: .*dentframe\[report\]"):
        recorded.missing_extras("de-DE")
    assert recorded.missing_extras("") == ""


# --- verify stays inside, and damage is told -----------------------------------------------


def told(folder):
    """The record's own account, to be changed."""
    return json.loads((folder / "record/record.json").read_text(encoding="utf-8"))


def tell(folder, changed):
    """Write it back."""
    (folder / "record/record.json").write_text(json.dumps(changed), encoding="utf-8")


@pytest.mark.parametrize("name", ["../secret", "/etc/hostname", "a/../../secret", "x\0y"])
def test_a_list_leads_nowhere_outside(saved, name, monkeypatch):
    """A path of the list opens no file that is not one of the record's own."""
    (saved.parent / "secret").write_text("secret")
    changed = told(saved)
    changed["files"][name] = "0" * 64
    tell(saved, changed)
    opened = []
    real = record_reader.digest
    monkeypatch.setattr(record_reader, "digest", lambda p: opened.append(p) or real(p))
    assert f"File {name} is missing." in verify(saved).differences
    assert all(p.resolve().is_relative_to(saved.resolve()) for p in opened)


@pytest.mark.skipif(os.name == "nt", reason="links of POSIX")
def test_links_in_a_record_are_not_followed(saved):
    """A linked paper is named and not read, a linked bill or record is refused."""
    outside = (saved / "charges.csv").rename(saved.parent / "charges.csv")
    (saved / "charges.csv").symlink_to(outside)
    assert "File charges.csv is a link or no plain file: it was not read." in (
        verify(saved).differences
    )
    linked = (saved / "record/bill.toml").rename(saved.parent / "bill.toml")
    (saved / "record/bill.toml").symlink_to(linked)
    with pytest.raises(ConfigError, match=r"bill\.toml is a link"):
        verify(saved)
    (saved / "record").rename(saved.parent / "elsewhere")
    (saved / "record").symlink_to(saved.parent / "elsewhere")
    with pytest.raises(ConfigError, match="record is a link"):
        verify(saved)


def test_what_was_taken_from_the_list_or_added_is_named(saved):
    """A file without its entry, an entry and its file gone, a page that was added."""
    changed = told(saved)
    del changed["files"]["charges.csv"]
    for name in ("control.csv", "statements/b-DRAFT.csv"):
        del changed["files"][name]
        (saved / name).unlink()
    tell(saved, changed)
    (saved / "statements/extra.html").write_text("x")
    found = "\n".join(verify(saved).differences)
    assert "charges.csv is not in the record's list: it was added, or taken" in found
    assert "control.csv is not in the record's list, which every record has" in found
    assert "statements/b-DRAFT.csv is not in the record's list, which every" in found
    assert "statements/extra.html is not in the record's list" in found


@pytest.mark.parametrize("ending", [".html", ".pdf", ".xlsx"])
def test_papers_of_one_kind_that_were_all_taken_away_are_named(saved, ending):
    """Their files and their entries in the list are gone: that they were written is told."""
    changed = told(saved)
    gone = [name for name in changed["files"] if name.endswith(ending)]
    for name in gone:
        del changed["files"][name]
        (saved / name).unlink()
    tell(saved, changed)
    assert gone
    assert [f"File {x} is not in the record's list, which every record has." for x in gone] == [
        x for x in verify(saved).differences if ending in x
    ]


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("files", 3, "files"),
        ("files", {"a": 1}, "files"),
        ("seal", None, "seal"),
        ("result", {"charges": [3]}, "result"),
        ("attrs", [], "attrs"),
        ("versions", "1", "versions"),
        ("ok", "yes", "ok"),
    ],
)
def test_a_mistyped_field_is_named(saved, field, value, says):
    """The record's file and the field."""
    changed = told(saved)
    changed[field] = value
    tell(saved, changed)
    with pytest.raises(ConfigError, match=rf"record\.json.*{says}"):
        verify(saved)
    del changed[field]
    tell(saved, changed)
    if field != "versions":
        with pytest.raises(ConfigError, match=rf"record\.json.*{says}"):
            verify(saved)


@pytest.mark.parametrize("attrs", [{"dentcloud": 3}, {"dentcloud": {"units": [1]}}])
def test_odd_attrs_are_an_error_or_no_matter(saved, attrs):
    """Never another kind of error."""
    changed = told(saved)
    changed["attrs"] = attrs
    tell(saved, changed)
    with contextlib.suppress(DentError):
        verify(saved)


FILES = ("record.json", "site.toml", "bill.toml", "rules.toml", "readings.csv")


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from(FILES), st.integers(0, 10**6), st.binary(min_size=1, max_size=6))
def test_damaged_bytes_are_an_error_or_a_difference(saved, name, at, data):
    """Whatever is written over a record: a DentError, or what differs is said."""
    path = saved / "record" / name
    whole = path.read_bytes()
    at %= len(whole)
    damaged = whole[:at] + data + whole[at + len(data) :]
    path.write_bytes(damaged)
    with contextlib.suppress(DentError):
        assert verify(saved).differences or damaged == whole
    path.write_bytes(whole)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from(FILES[:4]), st.binary(max_size=200))
def test_any_bytes_are_an_error(saved, name, data):
    """A file of a record that holds anything at all is told with its name, and why."""
    path = saved / "record" / name
    whole = path.read_bytes()
    path.write_bytes(data)
    if name == "record.json":
        with pytest.raises(DentError, match=r"record\.json"):
            verify(saved)
    else:
        found = verify(saved).differences
        assert any("not computed again" in x and name in x for x in found)
    path.write_bytes(whole)


def test_a_bill_that_no_longer_adds_up_is_a_difference(saved):
    """A figure of it was changed: the file is named, and what does not come out."""
    path = saved / "record/bill.toml"
    text = path.read_text(encoding="utf-8")
    amount = re.search(r'amount = "?([1-9][0-9.]*)', text)[1]
    path.write_text(text.replace(amount, f"9{amount}", 1), encoding="utf-8")
    found = verify(saved).differences
    assert found[0].startswith("File record/bill.toml was changed")
    assert any(x.startswith("The figures were not computed again.") for x in found)
