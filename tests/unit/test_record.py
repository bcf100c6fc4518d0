"""Records of splits: what is saved, that it repeats, and that a change is seen."""

from __future__ import annotations

import contextlib
import errno
import json
import os

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dentframe import Statement, verify
from dentframe.errors import ConfigError, DentError, DentWarning
from dentframe.money import record as recorded
from dentframe.money import verification
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


def test_the_workbook_has_every_table(saved):
    """Amounts are numbers, and text that looks like a formula is text."""
    book = openpyxl.load_workbook(saved / "internal.xlsx")
    assert book.sheetnames == ["charges", "control", "exceptions", "figures"]
    rows = list(book["charges"].iter_rows(values_only=True))
    amount = rows[0].index("amount")
    assert sum(row[amount] for row in rows[1:]) == pytest.approx(610.01)
    party = book["charges"].cell(2, rows[0].index("party") + 1)
    assert (party.value, party.data_type) == ("=A & Sons", "s")


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
        ("readings", None, "readings"),
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


FILES = ("record.json", "site.toml", "bill.toml", "rules.toml", "readings.parquet")


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
        # A space more in record.json, or a version in its notes, changes nothing.
        assert verify(saved).differences or damaged == whole or name == "record.json"
    path.write_bytes(whole)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from(FILES[:4]), st.binary(max_size=200))
def test_any_bytes_are_an_error(saved, name, data):
    """A file of a record that holds anything at all is told with its name."""
    path = saved / "record" / name
    whole = path.read_bytes()
    path.write_bytes(data)
    with pytest.raises(DentError, match=name.replace(".", r"\.")):
        verify(saved)
    path.write_bytes(whole)
