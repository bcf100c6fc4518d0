"""Units attached, detached and changed, bit for bit."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pint
import pytest
from pandas.testing import assert_frame_equal

from dentframe.errors import KindError, MissingExtraError, UnitError, UnknownTopicError
from dentframe.wire import columns as units

AWKWARD = [0.1 + 0.2, np.nan, -0.0, np.inf, 123456.003, 5e-324, 1 / 3]


def frame_of(*labels, values=AWKWARD):
    index = pd.date_range("2023-12-01 00:02", periods=len(values), freq="15min", tz="UTC")
    frame = pd.DataFrame(dict.fromkeys(labels, values), index=index.rename("time"))
    frame.attrs = {"dentcloud": {"schema": 1, "units": {"DemandkW": "kW"}}}
    return frame


@pytest.fixture
def no_pint_pandas(monkeypatch):
    monkeypatch.setitem(sys.modules, "pint_pandas", None)


@pytest.mark.parametrize(
    ("label", "unit"),
    [
        ("DemandkW/Elm/A", "kilowatt"),
        ("DemandkW/Elm/A [W]", "watt"),
        ("kWHNet/Elm/A", "kilowatt_hour"),
        ("kVAHNet/Elm/A", "kilovolt_ampere_hour"),
        ("dPF/Ch/A1", "dimensionless"),
        ("V/Ph/L1-L2", "volt"),
    ],
)
def test_each_wire_column_gets_its_unit_as_dtype(label, unit):
    """The unit in a label moves into the dtype."""
    quantified = frame_of(label).dent.quantify()
    assert list(quantified.columns) == [label.split(" ")[0]]
    assert f"{quantified.dtypes.iloc[0].units:D}" == unit
    assert quantified.iloc[:, 0].isna().tolist() == [False, True, *[False] * 5]


@pytest.mark.parametrize(
    "label", ["DemandkW/Elm/A", "DemandkW/Elm/A [W]", "kVAHNet/Elm/A", "dPF/Ch/A1"]
)
def test_quantify_and_back_is_bit_identical(label):
    """NaN, signed zero, infinity and denormals come back as they were."""
    frame = frame_of(label)
    back = frame.dent.quantify().dent.dequantify()
    assert_frame_equal(back, frame, check_exact=True)
    assert back.to_numpy().tobytes() == frame.to_numpy().tobytes()
    assert back.attrs == frame.attrs


def test_quantifying_twice_changes_nothing():
    """A pint column stays as it is."""
    once = frame_of("DemandkW/Elm/A").dent.quantify()
    assert_frame_equal(once.dent.quantify(), once)


def test_other_columns_stay_as_they_are():
    """Notes and sums beside the readings are not ours."""
    frame = frame_of("DemandkW/Elm/A").assign(note="x", total=1)
    quantified = frame.dent.quantify()
    assert_frame_equal(quantified[["note", "total"]], frame[["note", "total"]])
    assert list(quantified.dent.dequantify().columns) == list(frame.columns)


def test_a_frame_without_rows_gets_its_units():
    """An empty read has units too."""
    empty = frame_of("DemandkW/Elm/A").iloc[:0]
    assert empty.dent.quantify().dtypes.iloc[0].units == units.parse_unit("kW")
    assert_frame_equal(empty.dent.quantify().dent.dequantify(), empty)


def test_every_column_without_a_unit_is_named():
    """One error for all of them."""
    with pytest.raises(UnitError, match=r"Cannot quantify 2 of 3 columns.*Foo/Elm/A, Bar/Elm/A"):
        frame_of("Foo/Elm/A", "Bar/Elm/A", "A/Ch/A1").dent.quantify()


def test_two_columns_are_not_given_one_label():
    """Kilowatts and watts of one element would be one name."""
    with pytest.raises(UnitError, match="DemandkW/Elm/A would be there twice"):
        frame_of("DemandkW/Elm/A", "DemandkW/Elm/A [W]").dent.quantify()


def test_a_missing_pint_pandas_says_how_to_install_it(no_pint_pandas):
    """It is an extra."""
    with pytest.raises(MissingExtraError, match=r"attach pint units to columns.*\[quantify\]"):
        frame_of("A/Ch/A1").dent.quantify()


def test_floats_convert_without_pint_pandas(no_pint_pandas):
    """Only dtypes need the extra."""
    assert list(frame_of("DemandkW/Elm/A").dent.convert({"DemandkW": "W"})) == [
        "DemandkW/Elm/A [W]"
    ]
    assert list(frame_of("A/Ch/A1").dent.dequantify()) == ["A/Ch/A1"]


@pytest.mark.parametrize("key", ["DemandkW", "DemandkW/Elm/A"])
def test_convert_writes_the_unit_into_the_label(key):
    """Never into the attrs, which only repeat what the service said."""
    frame = frame_of("DemandkW/Elm/A", "kWHNet/Elm/A", values=[1.5, np.nan])
    watts = frame.dent.convert({key: "W"})
    assert list(watts.columns) == ["DemandkW/Elm/A [W]", "kWHNet/Elm/A"]
    assert watts.iloc[0, 0] == 1500.0
    assert np.isnan(watts.iloc[1, 0])
    assert watts.attrs == frame.attrs
    assert_frame_equal(watts.dent.convert({key: "kW"}), frame)


def test_convert_of_a_pint_frame_changes_the_dtype():
    """The representation stays."""
    quantified = frame_of("DemandkW/Elm/A", values=[1.5, np.nan]).dent.quantify()
    watts = quantified.dent.convert({"DemandkW": units.parse_unit("W")})
    assert list(watts.columns) == ["DemandkW/Elm/A"]
    assert watts.dtypes.iloc[0].units == units.parse_unit("W")
    assert watts.dent.dequantify().iloc[0].to_dict() == {"DemandkW/Elm/A [W]": 1500.0}


def test_converting_to_the_unit_it_has_changes_no_bit():
    """No factor is applied at all."""
    frame = frame_of("DemandkW/Elm/A")
    same = frame.dent.convert({"DemandkW": "kilowatt"})
    assert same.to_numpy().tobytes() == frame.to_numpy().tobytes()
    assert list(same.columns) == list(frame.columns)


def test_a_label_goes_before_its_topic():
    """The narrower key wins."""
    frame = frame_of("DemandkW/Elm/A", "DemandkW/Elm/C")
    mixed = frame.dent.convert({"DemandkW": "W", "DemandkW/Elm/C": "MW"})
    assert list(mixed.columns) == ["DemandkW/Elm/A [W]", "DemandkW/Elm/C [MW]"]


@pytest.mark.parametrize(
    ("label", "to", "error", "says"),
    [
        ("kWHNet/Elm/A", {"kWHNet": "kW"}, KindError, "a register, energy that counts up"),
        ("kWHNet/Elm/A", {"kWHNet": "kW"}, KindError, "Use demand()"),
        ("kVAHNet/Elm/A", {"kVAHNet": "kVA"}, KindError, "a register"),
        ("Energy/Elm/A", {"Energy": "kW"}, KindError, "it is energy"),
        ("DemandkW/Elm/A", {"DemandkW": "kWh"}, KindError, "Use energy()"),
        ("DemandkW/Elm/A", {"DemandkW": "kVA"}, KindError, "power factor"),
        ("DemandkVA/Elm/A", {"DemandkVA": "kvar"}, KindError, "not reactive power"),
        ("kWHNet/Elm/A", {"kWHNet": "kVAh"}, UnitError, "different dimensions"),
        ("A/Ch/A1", {"A": "V"}, UnitError, "ampere and volt have different dimensions"),
        ("A/Ch/A1", {"A": "parsec_per_moo"}, UnitError, "Cannot read 'parsec_per_moo'"),
        ("A/Ch/A1", {"A": None}, UnitError, "Cannot read 'None'"),
        ("DemandkW/Elm/A", {"demandkw": "W"}, UnknownTopicError, "did you mean 'DemandkW'?"),
        ("Foo/Elm/A", {"Foo": "W"}, UnitError, "Cannot tell the unit"),
    ],
)
def test_convert_refuses_what_makes_no_sense(label, to, error, says):
    """The kind is looked at before the unit."""
    with pytest.raises(error) as caught:
        frame_of(label).dent.convert(to)
    assert says in str(caught.value)


def test_a_user_own_default_format_changes_no_label():
    """The registry is the application's, and so is its taste in printing."""
    formatter = pint.get_application_registry().formatter
    before = formatter.default_format
    formatter.default_format = "~P"
    try:
        frame = frame_of("dPF/Elm/A", "kVAHNet/Elm/A", "DemandkVA/Elm/A")
        assert list(frame.dent.quantify().dent.dequantify()) == list(frame)
        with pytest.raises(KindError):
            frame.dent.convert({"DemandkVA": "kvar"})
    finally:
        formatter.default_format = before


@pytest.mark.parametrize("unit", ["MJ", "kW*h/1", "percent", "degC", "1/h"])
def test_a_written_unit_reads_back(unit):
    """What dequantify writes, quantify reads."""
    label = f"What/Elm/A [{unit}]"
    once = frame_of(label).dent.quantify()
    again = once.dent.dequantify().dent.quantify()
    assert again.dtypes.iloc[0].units == once.dtypes.iloc[0].units
