"""The wire grammar of column names."""

from __future__ import annotations

import pytest

from dentframe.wire import columns as c

NAMES = [
    ("A/Ch/A1", "A", "Ch", "A1", "A", "A1"),
    ("kWHNet/Elm/A", "kWHNet", "Elm", "A", "A", None),
    ("kVARHNet/Elm/A", "kVARHNet", "Elm", "A", "A", None),
    ("V/Ph/L1-L2", "V", "Ph", "L1-L2", None, None),
    ("A/Ch/P12", "A", "Ch", "P12", "P", "P12"),
    ("A/Ch/X", "A", "Ch", "X", None, "X"),
    ("kWH+/Elm/A", "kWH+", "Elm", "A", "A", None),
    ("A/Ch/A/1", "A", "Ch", "A/1", None, "A/1"),
    ("Foo", "Foo", "", "", None, None),
    ("Foo/Bar", "Foo/Bar", "", "", None, None),
    ("//", "//", "", "", None, None),
    ("", "", "", "", None, None),
]


@pytest.mark.parametrize(("label", "topic", "scope", "id_", "element", "channel"), NAMES)
def test_names_are_taken_apart_and_print_as_they_came(label, topic, scope, id_, element, channel):
    """What the grammar does not know stays readable as it is."""
    column = c.parse(label)
    assert (column.topic, column.scope, column.id) == (topic, scope, id_)
    assert (column.element, column.channel) == (element, channel)
    assert str(column) == column.label == column.wire == label


@pytest.mark.parametrize("unit", ["W", "", "kW h", "%"])
def test_a_unit_in_the_label_is_no_part_of_the_name(unit):
    """It prints back where it was."""
    column = c.parse(f"DemandkW/Elm/A [{unit}]")
    assert (column.wire, column.unit) == ("DemandkW/Elm/A", unit)
    assert column.label == f"DemandkW/Elm/A [{unit}]"


@pytest.mark.parametrize("label", ["A/Elm/A[W]", "A/Elm/A [W", "A/Elm/[W]"])
def test_brackets_that_are_no_unit_stay_in_the_name(label):
    """Only a last word in brackets, after a space, is a unit."""
    assert c.parse(label).unit is None
    assert c.parse(label).label == label


@pytest.mark.parametrize(
    ("label", "wire"),
    [
        ("A/Ch/A1", True),
        ("V/Ph/L1-L2", True),
        ("Foo", False),
        ("a/b", False),
        (3, False),
        (("A", "A1"), False),
        (None, False),
    ],
)
def test_a_wire_name_has_three_parts(label, wire):
    """Anything may be a label in pandas."""
    assert c.is_wire(label) is wire
    assert c.wire_columns([label]) == ([label] if wire else [])


def test_columns_are_ordered_by_topic_asked_scope_element_channel():
    """Channel 2 before 10, element Z before AA; topics nobody asked for come last."""
    labels = ["A/Elm/A", "A/Ch/AA1", "A/Ch/B1", "A/Ch/A10", "A/Ch/A2", "kWHNet/Elm/C", "V/Ph/L1"]
    expected = ["kWHNet/Elm/C", "A/Ch/A2", "A/Ch/A10", "A/Ch/B1", "A/Ch/AA1", "A/Elm/A", "V/Ph/L1"]
    assert c.ordered(labels, ["kWHNet", "A"]) == expected


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("P482311252_A", ("P482311252", "A")),
        ("P482311252", ("P482311252", None)),
        ("P_48_C", ("P_48", "C")),
        ("P48_a", ("P48_a", None)),
        ("_A", ("_A", None)),
    ],
)
def test_an_element_id_is_a_meter_and_a_letter(name, parts):
    """The naming that apps use."""
    assert c.split_element(name) == parts
