"""`coincident`: which elements, which meters, factors, flags."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dentframe import RegisterRules, Site
from dentframe.errors import ConfigError, CoverageWarning, UnknownMeterError
from dentframe.site.site import Element
from dentframe.verbs.peaks import COINCIDENT_COLUMNS
from tests.unit.test_demand import KW, quarters

A, B = KW, "DemandkW/Elm/B"


def two_meters():
    parts = {"P1": quarters({A: [10, 40], B: [5, 5]}), "P2": quarters({A: [30, 10]})}
    return pd.concat(parts, names=["meter", "time"])


def test_the_columns_are_the_designs():
    """These columns in this order; elements of several meters by their full id."""
    rows = two_meters().dent.coincident(elements="all")
    assert tuple(rows.columns) == COINCIDENT_COLUMNS
    assert rows["element"].tolist() == ["P1_A", "P1_B", "P2_A"]


def test_elements_must_be_chosen():
    """Neither names nor a site: refused, naming `elements=`."""
    with pytest.raises(ConfigError, match="elements="):
        two_meters().dent.coincident()


def test_named_elements_alone_are_summed():
    """The order is the caller's; the rest has no part."""
    rows = two_meters().dent.coincident(elements=["P2_A", "P1_A"])
    assert rows["coincident"].tolist() == [10.0, 40.0]
    assert rows["share"].sum() == pytest.approx(1.0)


def test_each_meter_by_itself():
    """`by="meter"`: every meter has its own peak."""
    rows = two_meters().dent.coincident(elements="all", by="meter")
    assert rows["site_peak"].tolist() == [45.0, 45.0, 30.0]
    assert np.isnan(rows["diversity"].iloc[2])


def test_the_roles_of_a_site_choose():
    """A main beside its branches is left out; the site's zone serves."""
    roles = {"P1_A": "main", "P1_B": "branch", "P2_A": "branch"}
    site = Site("S", "UTC", "USD", {k: Element(k, role=v) for k, v in roles.items()})
    rows = two_meters().dent.coincident("D", site=site, min_coverage=0)
    assert rows["element"].tolist() == ["P1_B", "P2_A"]


def test_exports_make_factors_meaningless():
    """An element that feeds back: NaN and a flag, the sum stays."""
    rows = quarters({A: [10, 40], B: [-5, -6]}).dent.coincident(elements="all")
    assert rows["diversity"].isna().all()
    assert rows["coincidence"].isna().all()
    assert dict(zip(rows["element"], rows["flags"], strict=True)) == {"A": (), "B": ("export",)}
    assert rows["site_peak"].iloc[0] == 34.0


def test_an_export_is_of_the_element_and_period_that_has_it():
    """A day of feeding back says nothing of the other element, nor of the day after."""
    frame = quarters({A: [10.0] * 192, B: [-5.0] + [6.0] * 191})
    rows = frame.dent.coincident("D", elements="all", tz="UTC")
    assert rows["flags"].tolist() == [(), ("export",), (), ()]
    assert rows["diversity"].notna().tolist() == [False, False, True, True]


def test_a_block_of_another_length_is_no_peak():
    """A three-hour block of `4h`, as the clock is put forward, is covered and no candidate."""
    frame = quarters({A: [10.0] * 92, B: [5.0] * 92}, start="2024-03-10 08:15")
    frame.loc["2024-03-10 10:01":"2024-03-10 10:59", :] += 90.0
    rows = frame.dent.coincident("D", elements="all", tz="America/Los_Angeles", window="4h")
    assert rows["site_peak"].iloc[0] == 15.0
    assert rows["own_peak"].tolist()[:2] == [10.0, 5.0]
    assert rows["coverage"].iloc[0] == 1.0


def test_a_named_element_without_readings_is_missing():
    """No block is covered by all: every row is missing, with one warning."""
    with pytest.warns(CoverageWarning, match="missing"):
        rows = two_meters().dent.coincident(elements=["P1_A", "P2_B"])
    assert set(rows["status"]) == {"missing"}
    assert rows["site_peak"].isna().all()
    assert rows["own_peak"].tolist()[0] == 40.0


@pytest.mark.parametrize(
    ("how", "error", "says"),
    [
        ({"elements": ["P3_A"]}, UnknownMeterError, "P3_A"),
        ({"elements": ["P1_A", "P1_A"]}, ConfigError, "once"),
        ({"elements": []}, ConfigError, "at least one"),
        ({"elements": "all", "by": "zone"}, ConfigError, "by='zone'"),
        ({"elements": "all", "by": ["site"]}, ConfigError, r"by=\['site'\]"),
    ],
)
def test_what_cannot_be_meant_is_refused(how, error, says):
    """Errors name the value."""
    with pytest.raises(error, match=says):
        two_meters().dent.coincident(**how)


def test_unaligned_readings_are_called_re_blocked():
    """The flag names the element whose readings its block cuts."""
    frame = quarters({A: [10, 40, 20]}, "2024-01-01 00:17")
    with pytest.warns(CoverageWarning):
        rows = frame.dent.coincident(elements="A")
    assert rows["flags"].tolist() == [("reblocked",)]


@pytest.mark.parametrize("rows", [0, 2])
def test_nothing_read_is_nothing_found(rows):
    """No readings at all: no figure, no error."""
    frame = two_meters() * np.nan
    found = frame.iloc[:rows].dent.coincident(elements="all", min_coverage=0)
    assert tuple(found.columns) == COINCIDENT_COLUMNS
    assert found["site_peak"].isna().all()


def test_an_element_that_a_meter_does_not_have_is_absent_with_registers_too():
    """A register in the frame does not make a missing element of one that a meter never had."""
    parts = {
        "P1": quarters({A: [10, 40], B: [5, 5], "kWHNet/Elm/A": [1, 11]}),
        "P2": quarters({A: [30, 10], "kWHNet/Elm/A": [1, 3.5]}),
    }
    rows = pd.concat(parts, names=["meter", "time"]).dent.coincident(elements="all")
    assert rows["element"].tolist() == ["P1_A", "P1_B", "P2_A"]
    assert rows["site_peak"].tolist() == [55.0] * 3


def test_a_flag_is_named_once():
    """A register that falls as an exporter's feeds back at its own peak too."""
    t = pd.date_range("2024-01-01", periods=5, freq="15min", tz="UTC")
    frame = pd.DataFrame({"kWHNet/Elm/A": [100.0, 101, 100, 101, 102]}, t)
    rules = RegisterRules(max_kw=8, allow_export=True)
    found = frame.dent.coincident(elements="all", source="register", registers=rules, tz="UTC")
    assert found["flags"][0].count("export") == 1
