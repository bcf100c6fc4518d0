"""Selecting, and wide shapes with their ways back."""

from __future__ import annotations

import numpy as np
import pytest
from pandas.testing import assert_frame_equal

from dentframe.errors import KindError, UnitError, UnknownMeterError, UnknownTopicError
from dentframe.frame import reshape, select
from tests.reshape_kit import LABELS, several, single


def test_the_table_names_what_each_column_is():
    """One row per wire column; other columns are ignored."""
    frame = single().assign(note=1.0)
    table = select.table(frame)
    assert list(table.index) == LABELS
    assert table.index.name == "column"
    assert list(table.columns) == ["topic", "scope", "element", "channel", "kind", "unit"]
    assert list(table.loc["A/Ch/C10"]) == ["A", "Ch", "C", "C10", "sample", "A"]
    assert list(table.loc["kWHNet/Elm/A"]) == ["kWHNet", "Elm", "A", None, "register", "kWh"]


def test_the_table_shows_a_unit_that_the_label_names():
    """The label goes before attrs and catalogue."""
    assert select.table(single(["DemandkW/Elm/A [W]"])).unit.iloc[0] == "W"


def test_lists_of_what_there_is():
    """Topics as they stand, elements and channels in natural order."""
    frame = single(["A/Ch/B10", "A/Ch/B2", "kWHNet/Elm/A", "V/Ph/L1-L2"])
    assert select.topics(frame) == ["A", "kWHNet", "V"]
    assert select.elements(frame) == ["A", "B"]
    assert select.channels(frame) == ["B2", "B10"]


def test_meters_come_from_the_index_or_the_attrs():
    """A frame without either cannot tell."""
    assert select.meters(several()) == ["P1", "P2"]
    assert select.meters(single()) == ["P1"]
    bare = single()
    bare.attrs = {}
    assert select.meters(bare) == []


@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        ({}, LABELS),
        ({"topic": "A"}, ["A/Ch/A1", "A/Ch/A2", "A/Ch/C10"]),
        ({"topic": ["kWHNet", "DemandkW"], "element": "C"}, ["kWHNet/Elm/C", "DemandkW/Elm/C"]),
        ({"element": "C"}, ["DemandkW/Elm/C", "kWHNet/Elm/C", "A/Ch/C10"]),
        ({"element": "P1_C", "topic": "kWHNet"}, ["kWHNet/Elm/C"]),
        ({"channel": "A1"}, ["A/Ch/A1", "dPF/Ch/A1"]),
        ({"channel": ["P1_A2", "C10"]}, ["A/Ch/A2", "A/Ch/C10"]),
        ({"topic": ("dPF",), "meter": "P1"}, ["dPF/Elm/A", "dPF/Ch/A1"]),
    ],
)
def test_select_takes_what_fits_every_criterion(criteria, expected):
    """Values, index and attrs stay; columns come in the order asked."""
    frame = single()
    part = frame.assign(note=1).dent.select(**criteria)
    assert_frame_equal(part, frame[expected])
    assert part.attrs == single().attrs


def test_select_gives_a_copy():
    """Writing into the selection leaves the frame alone."""
    frame = single()
    part = frame.dent.select(topic="kWHNet")
    part.iloc[:] = -1.0
    assert (frame["kWHNet/Elm/A"] >= 0).all()


@pytest.mark.parametrize(
    ("criteria", "error", "says"),
    [
        ({"topic": "kWhNet"}, UnknownTopicError, "did you mean 'kWHNet'?"),
        ({"topic": "gas"}, UnknownTopicError, "it has DemandkW, kWHNet, A, dPF"),
        ({"element": "Z"}, UnknownMeterError, "element 'Z': this frame has A, C"),
        ({"element": "P9_A"}, UnknownMeterError, "no meter 'P9', it has P1"),
        ({"element": "P1_Z"}, UnknownMeterError, "has A, C"),
        ({"channel": "A7"}, UnknownMeterError, "has A1, A2, C10"),
        ({"meter": "P9"}, UnknownMeterError, "it has P1"),
        ({"topic": "kWHNet", "channel": "A1"}, UnknownMeterError, "no column of this frame fits"),
    ],
)
def test_select_refuses_what_is_not_there(criteria, error, says):
    """The error names what there is."""
    with pytest.raises(error) as caught:
        single().dent.select(**criteria)
    assert says in str(caught.value)


def test_a_frame_that_cannot_tell_its_meter_takes_any_name():
    """Without attrs, ``P482311252_A`` can only mean this frame's A."""
    frame = single()
    frame.attrs = {}
    part = frame.dent.select(topic="kWHNet", element="P482311252_A")
    assert list(part.columns) == ["kWHNet/Elm/A"]


def test_a_letter_means_every_meter_of_several():
    """The rows of both stay."""
    part = several().dent.select(topic="kWHNet", element="A")
    assert_frame_equal(part, several()[["kWHNet/Elm/A"]])


def test_one_meter_of_several_keeps_the_two_levels():
    """And its attrs name no range of a meter that is gone."""
    part = several().dent.select(topic="kWHNet", meter="P2")
    assert_frame_equal(part, several().loc[["P2"], ["kWHNet/Elm/A", "kWHNet/Elm/C"]])
    assert select.meters(part) == ["P2"]
    assert list(part.attrs["dentcloud"]["ranges"]) == ["P2"]


def test_names_may_come_from_a_generator():
    """It is gone through once, whatever it names."""
    part = several().dent.select(topic=iter(["kWHNet"]), meter=iter(["P2"]))
    assert_frame_equal(part, several().dent.select(topic="kWHNet", meter=["P2"]))
    assert len(part) > 0


def test_an_element_of_one_meter_drops_the_other_meters():
    """``P2_C`` is one column and the rows of P2."""
    part = several().dent.select(topic="kWHNet", element="P2_C")
    assert_frame_equal(part, several().loc[["P2"], ["kWHNet/Elm/C"]])


def test_elements_of_different_meters_leave_the_rest_nan():
    """P1's C and P2's A were not named, so they are not there."""
    part = several().dent.select(topic="kWHNet", element=["P1_A", "P2_C"])
    assert part.loc["P1", "kWHNet/Elm/A"].notna().all()
    assert part.loc["P2", "kWHNet/Elm/C"].notna().all()
    assert part.loc["P1", "kWHNet/Elm/C"].isna().all()
    assert part.loc["P2", "kWHNet/Elm/A"].isna().all()


def test_channels_of_different_meters_leave_the_rest_nan():
    """As for elements."""
    part = several().dent.select(topic="A", channel=["P1_A1", "A2"])
    assert part.loc["P2", "A/Ch/A1"].isna().all()
    assert part["A/Ch/A2"].notna().all()


def test_by_element_is_a_column_per_letter():
    """Index and values stay; the columns have a name."""
    wide = single().dent.by_element("DemandkW")
    assert list(wide.columns) == ["A", "C"]
    assert wide.columns.name == "element"
    np.testing.assert_array_equal(wide.to_numpy(), single().iloc[:, :2].to_numpy())


def test_by_channel_is_a_column_per_pair():
    """The element stands above its channels."""
    wide = several().dent.by_channel("A")
    assert list(wide.columns) == [("A", "A1"), ("A", "A2"), ("C", "C10")]
    assert list(wide.columns.names) == ["element", "channel"]
    assert list(wide.index.names) == ["meter", "time"]


@pytest.mark.parametrize("make", [single, several])
def test_the_ways_back_are_exact(make):
    """by_element and by_channel lose nothing but the topic's name."""
    frame = make()
    elements = reshape.from_elements(frame.dent.by_element("kWHNet"), "kWHNet")
    assert_frame_equal(elements, frame.dent.select("kWHNet"))
    channels = reshape.from_channels(frame.dent.by_channel("A"), "A")
    assert_frame_equal(channels, frame.dent.select("A"))
    assert elements.attrs == frame.attrs


def test_the_way_back_takes_a_unit_that_the_label_named():
    """The wide form has no place for it."""
    frame = single(["DemandkW/Elm/A [W]"])
    wide = frame.dent.by_element("DemandkW")
    assert_frame_equal(reshape.from_elements(wide, "DemandkW", "W"), frame)


@pytest.mark.parametrize(
    ("verb", "topic", "error", "says"),
    [
        (reshape.by_element, "A", KindError, "Use by_channel('A')"),
        (reshape.by_channel, "kWHNet", KindError, "Use by_element('kWHNet')"),
        (reshape.by_element, "V", KindError, "Use select(topic='V')"),
        (reshape.by_element, "kWhNet", UnknownTopicError, "did you mean 'kWHNet'?"),
        (reshape.by_channel, "gas", UnknownTopicError, "it has A, kWHNet, V"),
    ],
)
def test_the_wide_forms_refuse_what_they_cannot_show(verb, topic, error, says):
    """The error names the verb or the topic that would do."""
    with pytest.raises(error) as caught:
        verb(single(["A/Ch/A1", "kWHNet/Elm/A", "V/Ph/L1-L2"]), topic)
    assert says in str(caught.value)


def test_columns_of_different_units_are_not_put_side_by_side():
    """Watts and kilowatts in one table would be read as one."""
    with pytest.raises(UnitError, match="W and kW"):
        single(["DemandkW/Elm/A", "DemandkW/Elm/C [W]"]).dent.by_element("DemandkW")
