"""`stats`: trapezoid means, extremes, coverage, ratios; and what it refuses."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dentframe.errors import (
    ConfigError,
    CoverageWarning,
    DecodeError,
    KindError,
    RangeError,
    UnknownTopicError,
)
from tests.unit.test_demand import KW, KWH, quarters


def test_a_period_cuts_the_straight_line_between_samples():
    """Parts of a span add up to the whole: the value at the edge is interpolated."""
    frame = quarters({"V/Elm/A": [100, 130, 160]}, "2024-01-01 00:55")
    found = frame.dent.stats("V", "h", tz="UTC", min_coverage=0)["V/Elm/A"]
    assert found["mean"].tolist() == pytest.approx([105.0, 135.0])
    assert found["coverage"].tolist() == pytest.approx([5 / 60, 25 / 60])
    assert found["max"].tolist() == [100.0, 160.0]
    assert found["min"].tolist() == [100.0, 130.0]


def test_nothing_is_assumed_over_a_gap():
    """A spacing beyond one and a half intervals is not covered."""
    frame = quarters({"A/Ch/A1": [10, 10, np.nan, 50, 50]})
    with pytest.warns(CoverageWarning, match="statistics"):
        found = frame.dent.stats("A")["A/Ch/A1"]
    assert found["mean"].tolist() == [30.0]
    assert found["coverage"].tolist() == [0.5]


@pytest.mark.parametrize("freq", [None, "h"])
def test_a_single_sample_has_its_row(freq):
    """It covers no time: its value is least and greatest, and no mean."""
    with pytest.warns(CoverageWarning, match="1 missing"):
        found = quarters({"A/Ch/A1": [10]}).dent.stats("A", freq, tz="UTC")["A/Ch/A1"]
    assert found[["min", "max", "coverage"]].to_numpy().tolist() == [[10.0, 10.0, 0.0]]
    assert found["mean"].isna().all()


@pytest.mark.parametrize("end", ["2023-12-31", "2024-01-01"])
def test_no_span_is_refused(end):
    """An end that does not lie after the first sample is a mistake, as in `energy`."""
    with pytest.raises(RangeError, match="start is not before end"):
        quarters({"A/Ch/A1": [10, 20]}).dent.stats("A", end=end, tz="UTC")


def test_channels_are_in_wire_order():
    """(column, statistic), A2 before A10."""
    frame = quarters({"A/Ch/A10": [1, 1], "A/Ch/A2": [2, 2]})
    found = frame.dent.stats("A")
    assert found.columns.get_level_values(0).unique().tolist() == ["A/Ch/A2", "A/Ch/A10"]


def test_a_ratio_without_power_has_no_mean():
    """Least and greatest stay; a time mean of lead and lag would say nothing."""
    found = quarters({"dPF/Ch/A1": [0.9, -0.9]}).dent.stats("dPF")["dPF/Ch/A1"].iloc[0]
    assert np.isnan(found["mean"])
    assert (found["min"], found["max"]) == (-0.9, 0.9)


def test_units_in_labels_are_converted():
    """Milliamperes in the label become amperes."""
    found = quarters({"A/Ch/A1 [mA]": [1000, 3000]}).dent.stats("A")
    assert found.xs("mean", axis=1, level=1).iloc[0, 0] == pytest.approx(2.0)


def test_a_unit_makes_a_sample_of_an_unknown_topic():
    """However many readings tell its spacing; text is told what to do."""
    frame = quarters({"Pressure/Ch/A1 [V]": [*range(12)]})
    found = frame.dent.stats("Pressure")["Pressure/Ch/A1 [V]"]
    assert found["mean"].tolist() == [5.5]
    with pytest.raises(DecodeError, match="to_numeric"):
        frame.astype(str).dent.stats("Pressure")


def test_several_meters():
    """Over (meter, time)."""
    parts = {m: quarters({"V/Elm/A": [v, v]}) for m, v in (("P1", 120), ("P2", 277))}
    found = pd.concat(parts, names=["meter", "time"]).dent.stats("V")["V/Elm/A", "mean"]
    assert found.groupby("meter").first().to_dict() == {"P1": 120.0, "P2": 277.0}


@pytest.mark.parametrize(
    ("topic", "error", "says"),
    [
        ("kWHNet", KindError, r"energy\(\)"),
        ("DemandkW", KindError, r"demand\(\)"),
        ("V", UnknownTopicError, "V"),
    ],
)
def test_other_kinds_name_their_verb(topic, error, says):
    """A register is never averaged."""
    with pytest.raises(error, match=says):
        quarters({KWH: [1, 2], KW: [1, 2]}).dent.stats(topic)


def test_an_empty_frame_of_several_meters():
    """No meter, no row; no error."""
    frame = quarters({"V/Elm/A": [1, 2]})
    both = pd.concat({"P1": frame, "P2": frame}, names=["meter", "time"])
    assert both.iloc[:0].dent.stats("V").empty


def test_the_topic_comes_first():
    """A frequency in its place is told so."""
    frame = quarters({"A/Ch/A1": [1.0, 2.0]})
    with pytest.raises(UnknownTopicError, match=r"the topic comes first.*stats\('A', 'MS'\)"):
        frame.dent.stats("MS")


@pytest.mark.parametrize("name", ["sum", "mean", "resample"])
def test_what_readings_have_not_names_the_verbs(name):
    """A register may not be summed, nor a mean averaged: `.dent` says what to ask instead."""
    frame = quarters({"kWHNet/Elm/A": [1.0, 2.0]})
    with pytest.raises(KindError, match=rf"Cannot take \.{name}\(\).*energy\(\)"):
        getattr(frame.dent, name)()
    assert not hasattr(frame.dent, "nothing_of_the_kind")


def test_an_element_is_named_once_as_in_every_verb():
    """Twice the same name, or none, is refused."""
    frame = quarters({"V/Elm/A": [1, 2]})
    for elements in (["A", "A"], []):
        with pytest.raises(ConfigError, match="name each element once"):
            frame.dent.stats("V", elements=elements)
