"""What site= gives the verbs."""

from __future__ import annotations

import inspect
from functools import partial

import numpy as np
import pandas as pd
import pytest

from dentframe import DentAccessor, RegisterRules
from dentframe.errors import ConfigError, UnknownMeterError
from dentframe.verbs.energy import energy
from dentframe.verbs.inputs_and_keywords import VerbKeywords
from dentframe.verbs.peaks import peaks
from tests.split_kit import LA, element, readings, site

SPAN = {"start": "2024-01-02", "end": "2024-01-05"}
SWAP = ("2024-01-03 10:00", 1150.0, 5.0)
CALLS = {
    "energy": ["D"],
    "intervals": [],
    "virtual": [{"Rest": "P1_M - P1_A - P1_S"}, "D"],
    "demand": ["1h"],
    "apparent_demand": ["1h"],
    "peaks": ["D"],
    "coincident": ["D"],
    "load_factor": ["D"],
    "power_factor": ["D"],
    "duration": ["1h"],
    "baseload": ["D"],
    "profile": [],
    "stats": ["A", "D"],
    "coverage": ["D"],
    "gaps": [],
    "quality": [],
    "reconcile": ["D"],
    "check_demand_window": [],
    "estimate": ["reference_days"],
    "unusual": [],
}
"""Every verb that takes `site=`, with what else it needs."""
MORE = {"coincident": {"elements": ["P1_A", "P1_S"]}}
NOBODY = [{"name": "A", "elements": ["P2_A"]}]
OF_APPARENT = {"apparent_demand", "power_factor"}


def place(*, swap=True):
    """A main, a branch whose meter was swapped, and an export."""
    when, closing, opening = SWAP
    at = pd.Timestamp(when).to_pydatetime()
    swaps = {"swaps": [{"at": at, "closing": closing, "opening": opening}]} if swap else {}
    return site(
        elements={
            "P1_M": element(role="main"),
            "P1_A": element(**swaps),
            "P1_S": element(role="export"),
            "P1_Z": element(),
        },
        tenants=[{"name": "A", "elements": ["P1_A"]}],
    )


def by_hand(*, swap=True):
    """The same as `place` as register rules."""
    return RegisterRules(
        max_kw=dict.fromkeys(("P1_M", "P1_A", "P1_S"), 83.1),
        allow_export={"P1_S": True},
        swaps={"P1_A": [SWAP]} if swap else (),
    )


def week(*, swap=True):
    """Registers, means and samples of three elements, with a gap and an export."""
    frame = readings({"M": 900, "A": 1000, "S": -100}, demand={"M": 9, "A": 10, "S": -1})
    frame = frame.loc[pd.IndexSlice[:, "2024-01-01":"2024-01-06"], :].copy()
    t = frame.index.get_level_values("time")
    for x in "MAS":
        frame[f"kVAHNet/Elm/{x}"] = 500 + np.arange(len(frame)) * 3.0
    frame["A/Ch/A1"] = np.arange(len(frame)) % 96.0
    frame["DemandkW/Elm/A"] += np.arange(len(frame)) % 7
    after = t >= pd.Timestamp(SWAP[0], tz=LA)
    if swap:
        frame.loc[after, "kWHNet/Elm/A"] -= 1080.0
    gap = (t > pd.Timestamp("2024-01-04 03:00", tz=LA)) & (
        t < pd.Timestamp("2024-01-04 04:00", tz=LA)
    )
    return frame[~gap]


def called(name, frame, **more):
    """What a verb of the accessor gives."""
    return getattr(frame.dent, name)(*CALLS[name], **SPAN, **MORE.get(name, {}), **more)


def test_the_list_has_every_verb_that_takes_a_site():
    """No verb with site= is left out of these tests."""
    methods = inspect.getmembers(DentAccessor, inspect.isfunction)
    assert set(CALLS) == {n for n, f in methods if "site" in inspect.signature(f).parameters}


@pytest.mark.filterwarnings("ignore::dentframe.errors.DentWarning")
@pytest.mark.parametrize("name", CALLS)
def test_a_site_says_what_could_be_given_by_hand(name):
    """site= gives the same result as its zone and its rules, passed as tz= and registers=."""
    swap = name not in OF_APPARENT
    hand = {"tz": LA, "registers": by_hand(swap=swap)}
    if name == "stats":
        del hand["registers"]
    found = called(name, week(swap=swap), site=place(swap=swap))
    pd.testing.assert_frame_equal(found, called(name, week(swap=swap), **hand))
    assert len(found)


@pytest.mark.parametrize("name", CALLS)
def test_what_is_no_site_is_refused(name):
    """A path, or anything else that is no Site, is an error that says how to read one."""
    with pytest.raises(ConfigError, match=r"Site\.load"):
        called(name, week(), site="site.toml")


def test_keywords_win_over_the_site():
    """tz= and each field of registers= that is given stand; the site fills the others."""
    asked = VerbKeywords.of(week(), place(), "UTC", None, None, RegisterRules(max_kw=5.0))
    assert asked.tz == "UTC"
    assert asked.registers.max_kw == 5.0
    assert asked.registers.allow_export == {"P1_S": True}


def test_a_site_may_know_more_than_the_frame_shows():
    """An element of the site may lack a column; one named by hand may not."""
    frame = week()[["kWHNet/Elm/M", "DemandkW/Elm/M", "DemandkW/Elm/A"]]
    when = {"tz": LA, "window": "1h", "kind": "block", "min_coverage": 0}
    assert set(frame.dent.peaks("D", site=place(), **when)["element"]) == {"M", "A"}
    with pytest.raises(UnknownMeterError):
        frame.dent.peaks("D", registers=by_hand(), **when)


def test_a_swap_of_the_site_is_of_its_kwh_register_alone():
    """kVAHNet of a swapped meter is not measured by the swap's kWh values, nor across it."""
    frame = week()
    t = frame.index.get_level_values("time")
    frame.loc[t >= pd.Timestamp(SWAP[0], tz=LA), "kVAHNet/Elm/A"] -= 1000.0
    asked = {"topic": "kVAHNet", "site": place(), "min_coverage": 0, "detail": True, **SPAN}
    rows = frame.dent.energy("D", **asked)
    row = rows[(rows["element"] == "A") & (rows["start"] == pd.Timestamp("2024-01-03", tz=LA))]
    assert row["status"].item() == "partial"
    assert row["energy"].item() == pytest.approx(95 * 3.0)
    factor = frame.dent.power_factor("D", site=place(), detail=True, min_coverage=0, **SPAN)
    swapped = factor[
        (factor["element"] == "A") & (factor["period"] == pd.Timestamp("2024-01-03", tz=LA))
    ]
    assert swapped["status"].item() == "partial"


def test_an_element_that_the_site_names_is_missing_not_absent():
    """Among several meters, an element without a reading has a row where the site names it."""
    one = readings({"A": 900}, demand={"A": 9}).droplevel("meter")
    two = readings({"A": 900, "B": 90}, demand={"A": 9, "B": 1}).droplevel("meter")
    frame = pd.concat({"P1": one, "P2": two}, names=["meter", "time"])
    named = site(elements=dict.fromkeys(("P1_B", "P2_A", "P2_B"), element()), tenants=NOBODY)
    more = {"start": "2024-01-01", "end": "2024-02-01", "min_coverage": 0}
    for verb in (partial(energy, detail=True), peaks):
        assert len(verb(frame, "MS", tz=LA, **more)) == 3
        rows = verb(frame, "MS", site=named, **more).set_index(["meter", "element"])
        assert rows.loc[("P1", "B"), "status"] == "missing"
        assert len(rows) == 4


def test_a_site_gives_zone_rules_and_roles():
    """energy, peaks and coincident take tz, max_kw, export and roles from the site."""
    s = site(
        elements={"P1_M": element(role="main"), "P1_A": element(), "P1_S": element(role="export")},
        tenants=[{"name": "A", "elements": ["P1_A"]}],
    )
    when = {"start": "2024-01-01", "end": "2024-02-01", "site": s}
    frame = readings({"M": 900, "A": 1000, "S": -100}, demand={"M": 9, "A": 10, "S": -1})
    found = frame.dent.energy("MS", **when)
    assert found.loc["P1"].iloc[0].round(6).tolist() == [1000, 900, -100]
    assert str(found.index.get_level_values("time").tz) == "America/Los_Angeles"
    assert frame.dent.peaks("MS", **when)["peak"].tolist() == [10, 9, -1]
    assert frame.dent.coincident("MS", **when)["element"].tolist() == ["P1_A", "P1_S"]
