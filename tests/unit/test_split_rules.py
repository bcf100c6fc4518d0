"""Rules of a split: what they say, and that none is taken for granted."""

from __future__ import annotations

import tomllib
from decimal import Decimal

import pandas as pd
import pytest

from dentframe import SplitRules
from dentframe.errors import ConfigError
from dentframe.money.split_bill import rules_of
from dentframe.money.utility_bill_and_rules import Part, Rule
from tests.split_kit import bill, line, site, split

FILE = """
[split]
accept = ["recorded", "estimated"]
agree = 1.5
demand_lag = "2min"
interval = { P1 = "15min" }

[split.lines]
energy = "energy"
demand = "own peak"
"City levy" = { by = "shares", shares = { A = 40, Landlord = 60.5 } }
tax = { by = "lines", of = ["Energy"] }

[split.loss]
percent = 1.5
by = "energy"

[split.common]
by = "area"

[split.tolerance]
rest = true
by = "landlord"
"""


@pytest.fixture
def path(tmp_path):
    """The file on disk."""
    path = tmp_path / "rules.toml"
    path.write_text(FILE, encoding="utf-8")
    return path


def test_rules_are_read(path):
    """Each line, part and setting is what the file says."""
    rules = SplitRules.load(path)
    assert rules.lines["demand"] == Rule("own_peak")
    assert rules.lines["City levy"].shares == {"A": Decimal(40), "Landlord": Decimal("60.5")}
    assert rules.loss == Part("energy", percent=Decimal("1.5"))
    assert rules.tolerance == Part("landlord", rest=True)
    assert (rules.accept, rules.agree) == (("recorded", "estimated"), Decimal("1.5"))


def test_rules_survive_their_file(path):
    """Reading what to_toml wrote gives equal rules."""
    rules = SplitRules.load(path)
    data = tomllib.loads(rules.to_toml(), parse_float=Decimal)["split"]
    assert SplitRules.from_dict(data) == rules


def test_a_line_goes_by_its_name_before_its_kind():
    """A rule for one line overrides the rule for its kind."""
    rules = SplitRules({"energy": Rule("energy"), "Night": Rule("area")})
    day, night = bill(line("Day", "energy", "1"), line("Night", "energy", "1")).lines
    assert (rules.of(day).by, rules.of(night).by) == ("energy", "area")


def test_no_line_is_shared_by_default():
    """A line that no rule names is an error that says what to write."""
    with pytest.raises(ConfigError, match="no rule names it"):
        SplitRules({"energy": Rule("energy")}).of(bill(line("Tax", "tax", "1")).lines[0])


def test_none_takes_the_sites_table_and_neither_raises():
    """Rules come from the call, else from the site's file, else nothing happens."""
    assert rules_of(site()).lines["energy"] == Rule("energy")
    with pytest.raises(ConfigError, match="no rule says how"):
        rules_of(site(split=None))
    for given in ("rules.toml", pd.DataFrame({"kWHNet/Elm/A": [1.0]})):
        with pytest.raises(ConfigError, match="no SplitRules"):
            split(bill(), site(), given)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('energy = "energy"', 'energy = "enrgy"', "[split.lines.energy], field 'by' = 'enrgy'"),
        ("percent = 1.5", "", "percent, kwh and rest"),
        ("percent = 1.5", "rest = true", "two of loss, common and tolerance"),
        ('"estimated"', '"missing"', "has no figure to accept"),
        ("agree = 1.5", "agre = 1.5", "did you mean 'agree'"),
        ('demand = "own peak"', 'demand = "shares"', "give the shares"),
        ("rest = true\nby", 'of = ["x"]\nby', 'it goes with by = "lines" only'),
    ],
)
def test_errors_name_table_and_field(path, old, new, told):
    """What cannot be meant is refused and says where."""
    path.write_text(FILE.replace(old, new), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        SplitRules.load(path)
    assert told in str(caught.value)


def test_a_basis_alone_is_a_rule():
    """In Python too a basis may be given by its name; an unknown one is refused."""
    assert SplitRules({"energy": "energy"}) == SplitRules({"energy": Rule("energy")})
    with pytest.raises(ConfigError, match="did you mean 'energy'"):
        SplitRules({"energy": "enrgy"})


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (lambda: Part("coincident"), "this rule: field 'by' = 'coincident': it must be one of"),
        (lambda: Rule("shares"), "give the shares, one for each party"),
        (
            lambda: Rule("shares", {"A": -1}),
            r"this rule: table \[shares\], field 'A' = -1: ",
        ),
        (lambda: Rule("energy", of=("Tax",)), 'it goes with by = "lines" only'),
        (lambda: SplitRules({"energy": "energy"}, loss=Part("area")), "percent, kwh and rest"),
        (
            lambda: SplitRules(None),
            "these rules: field 'lines' = None: it is missing; state",
        ),
        (lambda: SplitRules(5), "these rules: field 'lines' = 5: it must be a table"),
        (lambda: SplitRules({"energy": 5}), r"table \[lines\], field 'energy' = 5: it must be a "),
        (lambda: SplitRules({}, loss=5), "field 'loss' = 5: it must be a table"),
        (lambda: SplitRules({}, accept=5), "field 'accept' = 5: it must be a list of texts"),
        (lambda: SplitRules({}, agree="x"), "field 'agree' = 'x': it must be a number"),
        (lambda: SplitRules({}, places=0.5), "field 'places' = 0.5: it must be a whole number"),
        (lambda: SplitRules({}, fees=5), "field 'fees' = 5: it must be an array of tables"),
    ],
)
def test_python_has_the_checks_of_a_file(made, told):
    """A rule that cannot be meant is refused as it is made; a basis may be written in words."""
    assert Rule("own peak") == Rule("own_peak")
    with pytest.raises(ConfigError, match=told):
        made()


@pytest.mark.parametrize(
    "inside",
    [
        {"lines": {"energy": "energi"}},
        {"loss": {"by": "energy"}},
        {"loss": {"by": "energy", "rest": True}, "common": {"by": "area", "rest": True}},
        {"accept": ["missing"]},
        {"fees": [{"name": "F", "amount": 1, "per": "shares"}]},
        {"fees": [{"name": "F", "amount": 1}] * 2},
    ],
)
def test_an_error_names_the_file_once(inside):
    """What a record itself refuses is told of its table in the file."""
    with pytest.raises(ConfigError) as caught:
        SplitRules.from_dict({"lines": {"energy": "energy"}} | inside, file="r.toml", where="split")
    told = str(caught.value)
    assert told.startswith("Cannot use r.toml: table [split")
    assert ", field " in told
    assert told.count("Cannot") == 1
