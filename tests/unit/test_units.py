"""Units of columns, looked up and named."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pandas as pd
import pint
import pytest

from dentframe.errors import UnitError
from dentframe.wire import columns as units
from dentframe.wire.columns import parse
from dentframe.wire.topics import TOPICS


def frame_of(*labels, attrs=None):
    frame = pd.DataFrame(1.0, index=range(2), columns=list(labels))
    frame.attrs = {"dentcloud": {"units": attrs or {}}}
    return frame


@pytest.mark.parametrize("text", ["dPF", "aPF", "PF", "", "1"])
def test_power_factors_are_dimensionless(text):
    """pint alone reads PF as petafarad."""
    assert units.parse_unit(text).dimensionless
    assert units.symbol(units.parse_unit(text)) == "1"


@pytest.mark.parametrize("text", [u for u in units.WIRE_UNITS if u])
def test_every_wire_unit_has_a_symbol_that_reads_back(text):
    """kWh stays kWh."""
    unit = units.parse_unit(text)
    assert units.same_unit(units.parse_unit(units.symbol(unit)), unit)


@pytest.mark.parametrize("text", ["kWh", "kVAh", "kvarh", "kW", "kVA", "kvar", "A", "V", "Hz"])
def test_the_usual_spelling_is_the_symbol(text):
    """As on the wire."""
    assert units.symbol(units.parse_unit(text)) == text


@pytest.mark.parametrize("pair", [("kWh", "kVAh"), ("kWh", "kvarh"), ("kVAh", "kvarh")])
def test_active_apparent_and_reactive_energy_do_not_add(pair):
    """Each has a dimension of its own."""
    one, other = (units.registry().Quantity(1, units.parse_unit(u)) for u in pair)
    with pytest.raises(pint.DimensionalityError):
        one + other


def test_the_same_unit_has_one_name():
    """kVA is no kW, though pint adds them."""
    assert units.same_unit("kWh", units.parse_unit("kilowatt_hour"))
    assert units.same_unit("dPF", "1")
    assert not units.same_unit("kW", "kVA")
    assert not units.same_unit("kW", "no_such_unit")


def test_the_registry_is_the_applications_and_asking_twice_is_harmless():
    """A second definition would raise."""
    assert units.registry() is units.registry()
    assert units.registry() is pint.get_application_registry()


def test_units_that_others_defined_before_are_kept():
    """A user's registry with VAh and a nonsense A1 of its own still works, and stays theirs."""
    code = """
        import warnings
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", r"\\s*Pyarrow will become", DeprecationWarning)
        import pint
        ureg = pint.UnitRegistry()
        ureg.define("volt_ampere_hour = [mine] = VAh")
        ureg.define("petafarad_of_mine = 2 * farad = PF")
        pint.set_application_registry(ureg)
        from dentframe.wire import columns as units
        assert units.registry().get() is ureg
        assert units.parse_unit("PF").dimensionless
        assert str(units.parse_unit("kVAh").dimensionality) == "[mine]"
        assert str(units.parse_unit("kvarh").dimensionality) == "[reactive_energy]"
    """
    done = subprocess.run(
        [sys.executable, "-P", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("label", "attrs", "unit"),
    [
        ("DemandkW/Elm/A", {}, "kW"),
        ("DemandkW/Elm/A", {"DemandkW": "MW"}, "MW"),
        ("DemandkW/Elm/A [W]", {"DemandkW": "MW"}, "W"),
        ("V/Ph/L1-L2", {}, "V"),
        ("New/Elm/A", {"New": "Hz"}, "Hz"),
    ],
)
def test_label_goes_before_attrs_before_catalogue(label, attrs, unit):
    """A frame that lost its attrs still knows."""
    frame = frame_of(label, attrs=attrs)
    assert units.unit_text(frame, label) == unit
    assert units.units(frame) == {label: units.parse_unit(unit)}


def test_a_pint_dtype_goes_before_all():
    """And prints as the bare name's unit where it is the same."""
    pint_pandas = pytest.importorskip("pint_pandas")
    frame = frame_of("DemandkW/Elm/A [W]", "dPF/Elm/A")
    for label, unit in zip(frame, ("kW", "dPF"), strict=True):
        dtype = pint_pandas.PintType(units.parse_unit(unit), "Float64")
        frame[label] = frame[label].astype(dtype)
    assert [units.unit_text(frame, x) for x in frame] == ["kW", "dPF"]
    assert units.unit_of(frame, "DemandkW/Elm/A [W]") == units.parse_unit("kW")


def test_a_column_that_nothing_tells_is_refused():
    """The error says where to write the unit."""
    frame = frame_of("What/Elm/A")
    assert units.unit_text(frame, "What/Elm/A") is None
    with pytest.raises(UnitError, match=r"What/Elm/A \[kW\]"):
        units.units(frame)


@pytest.mark.parametrize("text", ["furlongs_per_x", "kW +", "[", "3 kW kW)"])
def test_text_that_is_no_unit_is_refused(text):
    """Whatever pint raises, it is a UnitError."""
    with pytest.raises(UnitError, match="Cannot read"):
        units.parse_unit(text)


@pytest.mark.parametrize("attrs", [None, 3, {}, {"units": None}, {"units": ["kW"]}])
def test_odd_attrs_are_no_attrs(attrs):
    """Anyone may write into attrs."""
    frame = frame_of("DemandkW/Elm/A")
    frame.attrs = {"dentcloud": attrs}
    assert units.unit_text(frame, "DemandkW/Elm/A") == "kW"


@pytest.mark.parametrize(
    ("unit", "label"),
    [("kW", "DemandkW/Elm/A"), (None, "DemandkW/Elm/A"), ("W", "DemandkW/Elm/A [W]")],
)
def test_a_label_names_a_unit_only_where_it_must(unit, label):
    """The bare name already means the catalogue's unit."""
    assert units.label_in(frame_of(), parse("DemandkW/Elm/A [MW]"), unit) == label


def test_every_catalogue_unit_is_on_the_whitelist():
    """No topic's unit is left to pint's guesses."""
    assert {t.unit for t in TOPICS.values()} <= set(units.WIRE_UNITS)
