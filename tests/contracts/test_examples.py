"""Every public name has an example in its docstring, and the examples run as they are printed."""

from __future__ import annotations

import doctest
import inspect
import shutil
import sys
import tomllib
import warnings
from decimal import Decimal

import pandas as pd
import pytest

import dentframe
from dentframe import DentAccessor, emulator
from dentframe.errors import DentWarning

NAMES = [name for name in dentframe.__all__ if name not in {"DentFrame", "errors"}]
VERBS = [name for name in vars(DentAccessor) if not name.startswith("_")]
LA = "America/Los_Angeles"
SITE = """
name = "Market Street 12"
tz = "America/Los_Angeles"
currency = "USD"
elements.P482311252_B.label = "Bakery"
elements.P482311252_F.label = "Hallways"
tenants = [{name = "Bakery", elements = ["P482311252_B"]}]
split = {lines = {energy = "energy"}, loss = {by = "energy", rest = true}}
"""
BILL = """
name = "2023-12"
start = 2023-12-01
end = 2024-01-01
kwh = 7515
total = 1234.56
lines = [{name = "Energy", kind = "energy", amount = 1234.56}]
"""
CORRECTIONS = """
[[corrections]]
id = "ct-bakery"
kind = "factor"
element = "P482311252_B"
from = 2023-12-12
factor = 0.5
reason = "CT 100 A, recorded as 200 A"
on = 2024-01-20
"""
LIKE_PRINTED = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.fixture(scope="module")
def building(tmp_path_factory):
    """The emulated building's service, and its December."""
    cache = tmp_path_factory.mktemp("cache")
    with (
        emulator.serve(rate=None, concurrency=None) as cloud,
        dentframe.DentCloud(cloud.api_key, cloud.key_id, base_url=cloud.url, cache=cache) as client,
    ):
        df = dentframe.read_dentcloud("P482311252", "2023-12", tz=LA, bracket=True, client=client)
        yield cloud, df


@pytest.fixture(scope="module")
def kept(building, tmp_path_factory):
    """What a manager has on the disk: a site file, an archive, and December's record."""
    folder = tmp_path_factory.mktemp("kept")
    site = dentframe.Site.from_dict(tomllib.loads(SITE, parse_float=Decimal))
    utility = dentframe.UtilityBill.from_dict(tomllib.loads(BILL, parse_float=Decimal))
    run = dentframe.split(utility, site, frame=building[1])
    run.save(folder / "bills" / "2023-12")
    (folder / "sites").mkdir()
    (folder / "sites" / "market.toml").write_text(SITE, encoding="utf-8")
    (folder / "corrections.toml").write_text(CORRECTIONS, encoding="utf-8")
    return folder, run


@pytest.fixture
def names(building, kept, monkeypatch, tmp_path):
    """What an example takes for granted: names, LA, December as df and as a record, a site."""
    cloud, df = building
    folder, run = kept
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DENTCLOUD_BASE_URL", cloud.url)
    monkeypatch.setenv("DENTCLOUD_API_KEY", cloud.api_key)
    monkeypatch.setenv("DENTCLOUD_KEY_ID", cloud.key_id)
    public = {name: getattr(dentframe, name) for name in dentframe.__all__}
    site = dentframe.Site.from_dict(tomllib.loads(SITE, parse_float=Decimal))
    utility = dentframe.UtilityBill.from_dict(tomllib.loads(BILL, parse_float=Decimal))
    given = {"LA": LA, "df": df.copy(), "site": site, "utility": utility, "run": run}
    return public | given | {"pd": pd, "dentframe": dentframe}


def _run(thing, name, names):
    """Run the examples of a docstring in the names it takes for granted."""
    function = inspect.unwrap(thing) if callable(thing) else thing
    said = []
    inside = vars(sys.modules[getattr(function, "__module__", None) or "dentframe"])
    test = doctest.DocTestParser().get_doctest(
        inspect.getdoc(thing) or "", {**inside, **names, name: function}, name, None, None
    )
    assert test.examples, f"{name} has no example"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DentWarning)
        result = doctest.DocTestRunner(optionflags=LIKE_PRINTED).run(test, out=said.append)
    assert result.failed == 0, "".join(said)


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_has_an_example_that_runs(name, names):
    """What `help()` shows for a name is what happens."""
    _run(getattr(dentframe, name), name, names)


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_has_an_example_that_runs(name, names):
    """What `help(df.dent.energy)` shows is what happens; functions are called by their name."""
    _run(getattr(DentAccessor, name), name, names)
