"""Suggestions for misspelt names."""

from __future__ import annotations

import pandas as pd
import pytest

from dentframe import RegisterRules
from dentframe.errors import (
    ConfigError,
    RangeError,
    UnknownMeterError,
    UnknownTopicError,
    did_you_mean,
)


@pytest.mark.parametrize("word", ["kwhnet", "kWHnet", "KWHNET", "kWNet"])
def test_the_nearest_name_is_suggested_in_its_own_spelling(word):
    """Case and a slip do not hide what was meant."""
    assert did_you_mean(word, ["DemandkW", "kWHNet"]) == ": did you mean 'kWHNet'?"


@pytest.mark.parametrize("candidates", [[], ["DemandkW", "kWHNet"]])
def test_nothing_near_adds_nothing_to_the_message(candidates):
    """A wild guess helps nobody."""
    assert not did_you_mean("gas", candidates)


def test_a_word_that_is_no_text_is_compared_as_text():
    """A caller may pass anything."""
    assert did_you_mean(12, ["123"]) == ": did you mean '123'?"


def test_of_names_equal_but_for_case_the_first_is_taken():
    """The order of the candidates decides."""
    assert did_you_mean("A", ["a", "A"]) == ": did you mean 'a'?"


@pytest.fixture
def frame():
    """Two hours of one element's register and demand."""
    times = pd.date_range("2024-01-01", periods=9, freq="15min", tz="UTC", name="time")
    rising = [float(i) for i in range(9)]
    return pd.DataFrame({"kWHNet/Elm/A": rising, "DemandkW/Elm/A": 4.0}, index=times)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("heatmap", "did you mean 'plot.heatmap'"),
        ("nights", "did you mean 'plot.nights'"),
        ("to_parquet", "df.to_parquet is pandas' own"),
        ("enrgy", "did you mean 'energy'"),
    ],
)
def test_a_name_that_the_accessor_lacks_is_told_where_it_is(frame, name, told):
    """Pictures are under plot, and what pandas does is pandas'."""
    with pytest.raises(AttributeError, match=told):
        getattr(frame.dent, name)


@pytest.mark.parametrize("rules", [{"A": 40}, 40, None])
def test_rules_that_are_no_rules_are_told_how_they_are_written(frame, rules):
    """A mapping of powers is what people type."""
    with pytest.raises(ConfigError, match=r"registers=RegisterRules\(max_kw="):
        frame.dent.energy(registers=rules)


def test_elements_there_are_listed_once(frame):
    """Each topic has them, and the message names them once."""
    with pytest.raises(UnknownMeterError, match=r"It has A\.$"):
        frame.dent.energy(registers=RegisterRules(max_kw={"Z": 40}))


@pytest.mark.parametrize(("unit", "topic"), [("kW", "DemandkW"), ("kWh", "kWHNet")])
def test_a_unit_in_the_place_of_a_topic_is_told_the_topic(frame, unit, topic):
    """The reader takes units too, so people type them."""
    with pytest.raises(UnknownTopicError, match=f"did you mean '{topic}'"):
        frame.dent.by_element(unit)


def test_an_element_in_the_place_of_a_window_is_told_its_name(frame):
    """`heatmap("A")` is no window."""
    with pytest.raises(ConfigError, match="say elements='A'"):
        frame.dent.plot.heatmap("A", tz="UTC")


def test_rows_of_a_verb_are_told_from_readings(frame):
    """An index of times would not make readings of them."""
    rows = frame.dent.energy("h", tz="UTC", detail=True)
    with pytest.raises(RangeError, match="these are rows that a verb answered"):
        rows.dent.plot.heatmap(elements="A", tz="UTC")


def test_meters_side_by_side_are_told_to_be_rows(frame):
    """Columns of the same name cannot be told apart."""
    with pytest.raises(ConfigError, match=r"dentframe\.concat"):
        pd.concat([frame, frame], axis=1).dent.energy("h", tz="UTC")
