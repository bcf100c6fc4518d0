"""Register rules: checked when given, resolved per element."""

from __future__ import annotations

import pandas as pd
import pytest

from dentframe import RegisterRules
from dentframe.errors import ConfigError, RangeError, UnknownMeterError
from dentframe.metering.register_rules import MINUTE, check_elements, resolve

TWO = [("P1", "A"), ("P2", "A")]


@pytest.mark.parametrize("field", [{"allow_export": True}, {"modulus": 1e6}])
def test_rules_that_need_a_greatest_power(field):
    """Export and a modulus mean nothing without max_kw."""
    with pytest.raises(ConfigError, match="without max_kw"):
        RegisterRules(**field)


def test_rules_that_need_a_greatest_power_by_element():
    """The element that lacks max_kw is named."""
    rules = RegisterRules(max_kw={"A": 5}, modulus=1e6)
    assert resolve(rules, None, "A", None).modulus == 1e6
    with pytest.raises(ConfigError, match="element C"):
        resolve(rules, None, "C", None)


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), "50", True])
def test_impossible_powers(value):
    """A greatest power is a number above 0."""
    with pytest.raises(ConfigError, match="max_kw"):
        RegisterRules(max_kw=value)


def test_one_value_serves_all():
    """A plain value holds for every element."""
    rules = RegisterRules(max_kw=50, max_gap="1h")
    assert resolve(rules, "P1", "C", None).max_kw == 50.0
    assert resolve(rules, "P1", "C", None).max_gap == 60 * MINUTE


@pytest.mark.parametrize("key", ["A", "P1_A"])
def test_addresses(key):
    """An element is addressed by its letter or by its full id; others have the default."""
    rules = RegisterRules(max_kw={key: 5})
    assert resolve(rules, "P1", "A", None).max_kw == 5.0
    assert resolve(rules, "P1", "C", None).max_kw is None


def test_a_frame_that_lost_its_meter_knows_full_ids():
    """One meter's full ids serve a frame whose attrs are gone; two meters' do not."""
    assert resolve(RegisterRules(max_kw={"P1_A": 5}), None, "A", None).max_kw == 5.0
    with pytest.raises(ConfigError, match="does not name its meter"):
        resolve(RegisterRules(max_kw={"P1_A": 5, "P2_A": 6}), None, "A", None)


def test_unknown_elements_are_refused():
    """A misspelt key would leave a register without its rules."""
    with pytest.raises(UnknownMeterError, match="'B'"):
        check_elements(RegisterRules(max_kw={"B": 5}), [(None, "A")])
    with pytest.raises(UnknownMeterError, match="P1_B"):
        check_elements(RegisterRules(max_kw={"P1_B": 5}), TWO)


def test_a_letter_is_ambiguous_among_meters():
    """A bare letter does not address an element among several meters."""
    with pytest.raises(ConfigError, match="full ids"):
        check_elements(RegisterRules(max_kw={"A": 5}), TWO)


def test_other_meters_may_be_named():
    """One table may serve a whole site."""
    check_elements(RegisterRules(max_kw={"P1_A": 5, "P9_Z": 6}), TWO)


def test_swaps():
    """A naive swap time is wall time in the verb's zone."""
    rules = RegisterRules(swaps=[("2024-01-01 00:20", 7000.5, 12)])
    when = pd.Timestamp("2024-01-01 00:20", tz="America/New_York")
    assert resolve(rules, None, "A", "America/New_York").swaps == (
        (int(when.timestamp()) * 1_000_000, 7000.5, 12.0),
    )
    with pytest.raises(RangeError, match="time zone"):
        resolve(rules, None, "A", None)


@pytest.mark.parametrize("swap", [("2024-01-01",), ("2024-01-01", "x", 1), 5, ("2024", 1, None)])
def test_unreadable_swaps(swap):
    """A swap is a time and two register values."""
    with pytest.raises(ConfigError, match="swap"):
        resolve(RegisterRules(swaps=[swap]), None, "A", "UTC")
