"""Elements asked for: names, refusals of registers that are none, and what stays of the others."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest

from dentframe import RegisterRules
from dentframe.errors import ConfigError, CoverageWarning, KindError, UnknownMeterError
from dentframe.money import Energy, Tariff, bill

FLAT = Tariff("Flat", [Energy("E", "0.10")], currency="USD")
DAY = {"tz": "UTC", "start": "2024-01-01", "end": "2024-01-02"}


def whole(n=97):
    """A load A, and B that feeds back undeclared."""
    index = pd.date_range("2024-01-01", periods=n, freq="15min", tz="UTC", name="time")
    falls = 500 + np.cumsum(np.random.default_rng(1).normal(0, 1, n)).round(3)
    return pd.DataFrame(
        {"kWHNet/Elm/A": 1000 + np.arange(n, dtype=float), "kWHNet/Elm/B": falls}, index=index
    )


def several():
    return pd.concat({"P1": whole(), "P2": whole()[["kWHNet/Elm/A"]]}, names=["meter", "time"])


def test_in_a_whole_frame_a_register_that_falls_is_missing():
    """One warning names the remedy, and the others have their figures."""
    with pytest.warns(CoverageWarning, match="allow_export") as caught:
        found = whole().dent.energy(**DAY)
    assert len(caught) == 1
    assert found.iloc[0, 0] == 96
    assert np.isnan(found.iloc[0, 1])
    rows = whole().dent.energy(**DAY, detail=True).set_index("element")
    assert (rows.loc["B", "status"], rows.loc["B", "flags"]) == (
        "missing",
        ("decrease_unclassified",),
    )


@pytest.mark.parametrize("elements", ["B", ["A", "B"]])
def test_named_outright_it_is_refused(elements):
    """What was asked for by name cannot be left out in a footnote."""
    with pytest.raises(KindError, match="allow_export"):
        whole().dent.energy(**DAY, elements=elements)


def test_alone_it_is_missing_until_it_is_named():
    """A whole frame has its row, one warning has the remedy; a name, or money, is refused."""
    alone = whole()[["kWHNet/Elm/B"]]
    with pytest.warns(CoverageWarning, match="allow_export") as told:
        found = alone.dent.energy(**DAY)
    assert len(told) == 1
    assert found["Energy/Elm/B"].isna().tolist() == [True]
    (row,) = alone.dent.energy(**DAY, detail=True).itertuples()
    assert (row.status, row.flags) == ("missing", ("decrease_unclassified",))
    for refused in (alone.dent.energy, partial(bill, alone, FLAT)):
        with pytest.raises(KindError, match="allow_export"):
            refused(**DAY, elements="B")
    with pytest.raises(KindError, match="allow_export"):
        bill(alone, FLAT, **DAY)


def test_others_are_not_stopped():
    """Neither a figure of A nor its bill asks what B is."""
    assert whole().dent.energy(**DAY, elements="A").iloc[0, 0] == 96
    assert str(bill(whole(), FLAT, elements="A", **DAY).total) == "9.60"
    with pytest.raises(KindError, match="allow_export"):
        bill(whole(), FLAT, elements=["A", "B"], **DAY)


def test_a_declared_exporter_is_no_matter():
    """With its rules it is a register like any other."""
    rules = RegisterRules(allow_export={"B": True}, max_kw={"B": 50})
    found = whole().dent.energy(**DAY, registers=rules, elements="B")
    assert found.columns.tolist() == ["Energy/Elm/B"]
    assert np.isfinite(found.iloc[0, 0])


def test_elements_of_several_meters():
    """Full ids; only the meters and elements that are named have a place in the result."""
    found = several().dent.energy(**DAY, elements=["P2_A"])
    assert found.index.get_level_values("meter").tolist() == ["P2"]
    assert found.columns.tolist() == ["Energy/Elm/A"]
    parts = several().dent.intervals(**DAY, elements="P1_A")
    assert parts.shape == (96, 1)
    with pytest.warns(CoverageWarning, match="P2_B"):
        assert np.isnan(several().dent.energy(**DAY, elements="P2_B").iloc[0, 0])


@pytest.mark.parametrize(
    ("frame", "elements", "error", "match"),
    [
        (whole(), "C", UnknownMeterError, "has A, B"),
        (several(), "A", UnknownMeterError, "P1_A, P1_B, P2_A"),
        (whole(), ["A", "A"], ConfigError, "once"),
        (whole(), [], ConfigError, "at least one"),
    ],
)
def test_elements_that_cannot_be_meant(frame, elements, error, match):
    """What is not there is named, with what is."""
    with pytest.raises(error, match=match):
        frame.dent.energy(**DAY, elements=elements)


def test_a_misspelt_keyword_is_told_the_right_one():
    """`element` for `elements`, and the other way round."""
    with pytest.raises(TypeError, match="did you mean 'elements'"):
        whole().dent.energy(**DAY, element="A")


def test_an_accepted_jump_is_told_on_a_bill_as_well():
    """Where the status is accepted, a warning still names the withheld kWh and max_kw."""
    frame = pd.DataFrame({"kWHNet/Elm/A": [48210.0] * 96 + [99999.0]}, index=whole().index)
    flat = Tariff("Flat", [Energy("E", "0.20")], currency="USD")
    with pytest.warns(CoverageWarning, match="51,789.0 kWh.*max_kw"):
        bill(frame, flat, accept=("recorded", "partial"), **DAY)


@pytest.mark.parametrize("verb", ["load_factor", "power_factor", "energy"])
def test_every_verb_of_a_register_names_the_remedy(verb):
    """A ratio is missing for the reason that its energy is."""
    alone = whole()[["kWHNet/Elm/B"]]
    alone["DemandkW/Elm/B"], alone["kVAHNet/Elm/B"] = 4.0, np.arange(97.0)
    with pytest.warns(CoverageWarning, match=r"declare RegisterRules\(allow_export=") as told:
        found = getattr(alone.dent, verb)(**DAY)
    assert len(told) == 1
    assert found.isna().to_numpy().all()


def test_elements_that_are_no_names_are_refused():
    """A number is neither a name nor a list of names."""
    with pytest.raises(ConfigError, match=r"elements=5: give a name or a list of names"):
        whole().dent.energy(**DAY, elements=5)
