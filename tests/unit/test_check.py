"""``check.py`` of a record: it needs only Python, agrees with `verify`, and finds changes."""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import sys

import numpy as np
import pytest

from dentframe import rebill, verify
from dentframe.errors import DentError
from tests.split_kit import LINES, bill, element, line, readings, site, split, tenant

BILL = (
    line("Energy", "energy", "600.00"),
    line("Fixed", "fixed", "10.01"),
    line("Demand", "demand", "77.77"),
    line("Tax", "tax", "33.33"),
)
LOSS = {"loss": {"by": "energy", "rest": True}, "agree": 100}
FEES = {"fees": [{"name": "Reading", "amount": "4.50"},
                 {"name": "Service", "amount": "0.11", "per": "day"}]}  # fmt: skip
COMMON = {"kind": "x", "element": "P1_A", "id": "c", "reason": "r", "on": "2024-02-05"}
FACTOR = COMMON | {"kind": "factor", "from": "2024-01-17 03:20:00", "factor": 1.5}
FIGURE = COMMON | {"kind": "figure", "from": "2024-01-17", "to": "2024-02-01", "kwh": 300,
                   "kw": 4, "by": "A"}  # fmt: skip
LATE = FACTOR | {"id": "late", "from": "2024-01-02"}
IN_GAP = FACTOR | {"from": "2024-01-07"}
BEFORE = FIGURE | {"from": "2024-01-03", "to": "2024-01-07"}
AFTER = FIGURE | {"from": "2024-01-07", "to": "2024-01-09"}
WEEK = FIGURE | {"from": "2024-01-04", "to": "2024-01-08", "kwh": 500}
ACCEPT = ["recorded", "partial", "estimated"]
READING = COMMON | {"kind": "reading", "time": "2024-01-10 00:07:00", "value": 1581}
MOVES = [
    tenant("A", "A", end="2024-01-17", area=100),
    tenant("C", "A", start="2024-01-20", area=50),
    tenant("B", "B", area=300),
]


def frame():
    """A month of two elements whose demand varies."""
    found = readings({"A": 2000.1, "B": 1000}, demand={"A": 5, "B": 3})
    found.iloc[:, 2:] += np.random.default_rng(0).random((len(found), 2))
    return found


def gap():
    """A month of which half a day was lost."""
    found = frame()
    found.iloc[500:640, 0] = np.nan
    return found


HALVES = [tenant("A", "A", end="2024-01-07", area=100), tenant("B", "B", area=300)]
GAPS = {"basis": "area", "tenants": HALVES, "data": gap(), "accept": ["recorded", "estimated"]}


def registers():
    """The same without the meters' own demand."""
    return gap()[["kWHNet/Elm/A", "kWHNet/Elm/B"]]


def run_of(basis="coincident", corrections=(), tenants=None, data=None, **rules):
    """A split with a line of each kind."""
    how = {"lines": LINES | {"demand": basis}} | LOSS | FEES | rules
    elements = {"P1_A": element(area=7), "P1_B": element()}
    where = site(tenants, elements=elements, rules=how, corrections=list(corrections))
    return split(bill(*BILL, kwh=3910), where, frame=frame() if data is None else data)


def check(record):
    """What ``check.py`` prints, and its exit status, without any package."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-W", "error", str(record / "check.py")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert not done.stderr
    return done.returncode, done.stdout


def agree(record):
    """Both say that nothing differs."""
    assert verify(record).differences == ()
    status, told = check(record)
    assert (status, told[:15]) == (0, "Nothing differs")


@pytest.mark.parametrize(
    "case",
    [
        {},
        {"basis": "own_peak", "corrections": [FACTOR]},
        {"basis": "own_peak", "corrections": [FIGURE]},
        {"basis": "area", "corrections": [READING], "tenants": MOVES},
        {"basis": "area", "tenants": MOVES, "data": gap(), "accept": ["recorded", "estimated"]},
        {"basis": "own_peak", "corrections": [FACTOR], "edges": "interpolate", "tenants": MOVES},
        {"basis": "landlord", "data": gap(), "edges": "interpolate"},
        {"tenants": MOVES, "common": {"by": "days", "percent": 3}},
        {"basis": "own_peak", "corrections": [FIGURE, LATE], "tenants": MOVES},
        {"basis": "own_peak", "data": registers(), "accept_demand": ACCEPT, "corrections": [WEEK]},
        {"data": registers(), "window": "4h", "corrections": [FACTOR], "interval": "5min"},
        {"basis": "own_peak", "data": registers(), "demand_coverage": "0.5", "places": "exact"},
        *(GAPS | {"corrections": [x], "edges": "interpolate"} for x in (IN_GAP, BEFORE, AFTER)),
        *(GAPS | {"corrections": [x], "places": 0} for x in (BEFORE, AFTER)),
        {"basis": "area", "data": frame().assign(**{"kWHNet/Elm/B": np.nan})},
        {"basis": "own_peak", "data": frame().assign(**{"DemandkW/Elm/B": np.nan})},
    ],
    ids=range(19),
)
def test_a_record_is_checked_without_dentframe(case, tmp_path):
    """Figures, shares, lines and totals of moves, gaps, corrections and fees."""
    agree(run_of(**case).save(tmp_path / "r", draft=True))


@pytest.mark.parametrize("basis", ["own_peak", "coincident"])
def test_a_line_of_its_own_dates_alone_asks_for_demand(basis, tmp_path):
    """The lines of the bill's dates ask for no figure."""
    lines = line("Fixed", "fixed", "10"), line("Demand", "demand", "30", start="2024-01-17")
    rules = {"lines": LINES | {"demand": basis, "fixed": "area"}}
    run = split(bill(*lines), site(rules=rules), frame=frame())
    agree(run.save(tmp_path / "r", draft=True))


@pytest.mark.parametrize("others", ["bill", "landlord"])
def test_a_re_bill_is_checked_too(others, tmp_path):
    """Its differences, interest and control."""
    utility = bill(*BILL, kwh=3100, total="721.11", issued="2024-02-02")
    run = split(utility, site(rules={"lines": LINES} | LOSS | FEES), frame=frame())
    record = run.save(tmp_path / "first")
    agree(record)
    fix = FACTOR | {"factor": 0.5}
    again = rebill(record, [fix], others=others, interest=5, issued="2024-06-01")
    agree(again.save(tmp_path / "second"))


def test_every_change_is_found_by_both(tmp_path):
    """One byte of one file at a time, a file less, a file more."""
    record = run_of("own_peak", [FACTOR]).save(tmp_path / "r", draft=True)
    rng = random.Random(1)
    files = sorted(p for p in record.parent.rglob("*") if p.is_file())
    small = [p for p in files if p.suffix in {".json", ".toml", ".csv", ".py"}]
    for path in rng.sample(small, 8):
        whole = path.read_bytes()
        at = rng.randrange(len(whole))
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        found(record, path)
        path.write_bytes(whole)
    path = record.parent / "charges.csv"
    whole = path.read_bytes()
    path.unlink()
    found(record, path)
    path.write_bytes(whole)
    (record.parent / "more.csv").write_text("1")
    found(record, record.parent / "more.csv")


def found(record, path):
    """Both say that something differs; what cannot be read is an error."""
    with contextlib.suppress(DentError):
        assert verify(record).differences, path
    status = 1 if path.name == "check.py" else check(record)[0]
    assert status, path


@pytest.mark.parametrize("seed", range(4))
def test_random_sites_are_checked_alike(seed, tmp_path):
    """Tenants who move, gaps, corrections, rules and places by chance: both agree."""
    rng = random.Random(seed)
    data = rng.choice([frame, gap, registers])()
    data.iloc[:, :2] += np.random.default_rng(seed).random((len(data), 1)).cumsum(axis=0) / 9
    fixes = rng.sample(
        [FACTOR, FIGURE | {"element": "P1_B", "id": "b"}, LATE | {"element": "P1_B"}], 1
    )
    case = {
        "basis": rng.choice(["coincident", "own_peak", "area", "days", "energy"]),
        "tenants": rng.choice([None, MOVES]),
        "loss": {"by": rng.choice(["energy", "days", "area", "landlord"]), "rest": True},
        "edges": rng.choice(["last_reading", "interpolate"]),
        "places": rng.choice([0, 1, 2, 3]),
        "accept": ["recorded", "estimated", "partial"],
        "agree": 1000,
    }
    agree(run_of(data=data, corrections=fixes, **case).save(tmp_path / "r", draft=True))


def test_a_figure_that_does_not_come_out_is_named(tmp_path):
    """Also where hashes and seal are made anew, as one who changes a record on purpose would."""
    record = run_of().save(tmp_path / "r", draft=True)
    path = record / "record.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    told["result"]["figures"][0]["quantity"] = "2100.10"
    told["result"]["charges"][1]["amount"] = "1.00"
    told["result"]["control"][1]["amount"] = "700.00"
    path.write_text(json.dumps(told), encoding="utf-8")
    status, said = check(record)
    assert status == 1
    assert "row 1 (A P1_A): quantity 2100.10 is recorded, 2000.10 comes out." in said
    assert "amount 1.00 is recorded" in said
    assert "Control tenants: 700.00 is recorded" in said


def test_a_record_without_its_steps_or_its_name_is_told_so(tmp_path):
    """What is missing is named; nothing ends in a traceback."""
    record = run_of().save(tmp_path / "r", draft=True)
    steps = record / "steps.csv"
    text = steps.read_text(encoding="utf-8")
    steps.unlink()
    status, told = check(record)
    assert (status, told.splitlines()[0]) == (1, "record/steps.csv is missing.")
    steps.write_text(text, encoding="utf-8")
    contents = json.loads((record / "record.json").read_text(encoding="utf-8"))
    del contents["site"]
    (record / "record.json").write_text(json.dumps(contents), encoding="utf-8")
    assert check(record)[1].splitlines()[-1] == "It cannot be computed: KeyError 'site'."


def test_it_is_short_and_stands_alone(tmp_path):
    """Under 600 lines, of the standard library."""
    record = run_of().save(tmp_path / "r", draft=True)
    text = (record / "check.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 600
    assert "dentframe" not in text
    assert max(map(len, text.splitlines())) <= 100


def test_a_cent_of_a_tax_goes_to_the_party_that_is_declared_first(tmp_path):
    """Whichever line comes first in the bill or in the rule; `check.py` agrees."""
    of = {"by": "shares", "shares": {"B": 1}}, {"by": "shares", "shares": {"A": 1}}
    rules = {"lines": {"a": of[0], "b": of[1], "tax": {"by": "lines", "of": ["y", "x"]}}}
    lines = line("x", "a", "10.00"), line("y", "b", "10.00"), line("Tax", "tax", "0.01")
    run = split(bill(*lines), site(rules=rules), frame=readings({"A": 100, "B": 100}))
    tax = run.charges[run.charges["line"] == "Tax"]
    assert dict(zip(tax["party"], map(str, tax["amount"]), strict=True))["A"] == "0.01"
    agree(run.save(tmp_path / "run", draft=True))
