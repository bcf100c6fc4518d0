"""What a read asks for, resolved and checked."""

from __future__ import annotations

import pytest

from dentframe.errors import ConfigError, UnitError, UnknownMeterError, UnknownTopicError
from dentframe.frame import meters_and_topics as request

UNITS = {"kVAHNet": "kVAh", "kWHNet": "kWh", "DemandkW": "kW", "A": "A", "dPF": "dPF", "V": "V"}


def test_a_meter_is_itself_with_all_elements():
    """A plain name asks for the whole meter."""
    assert request.parse_meters("P482311252") == {"P482311252": None}


def test_an_element_id_names_meter_and_element():
    """`P1_A` is element A of meter P1, and elements of one meter are joined."""
    assert request.parse_meters(["P1_A", "P1_C", "P2", "P1_A"]) == {"P1": ("A", "C"), "P2": None}


def test_the_whole_meter_wins_over_its_elements():
    """A meter asked for whole and by element is read whole, in either order."""
    assert request.parse_meters(["P1_A", "P1"]) == request.parse_meters(["P1", "P1_A"])


@pytest.mark.parametrize("bad", [None, 5, "", "  ", [], [5], ["P1", ""], b"P1"])
def test_what_is_no_name_of_a_meter_is_refused(bad):
    """Anything but names raises, showing the value and what to write."""
    with pytest.raises(ConfigError, match="get_meters"):
        request.parse_meters(bad)


def test_an_unknown_meter_gets_a_suggestion():
    """The nearest known meter is suggested."""
    with pytest.raises(UnknownMeterError, match="did you mean 'P482311252'"):
        request.check_meters(["P48231125"], ["P482311252", "X"])


def test_topics_none_means_all():
    """Without topics every topic of the service is asked for."""
    assert request.resolve_topics(None, UNITS) == tuple(UNITS)


def test_a_unit_names_the_topics_that_have_it():
    """`kW` finds DemandkW; `A` is both a key and a unit, and is the key."""
    assert request.resolve_topics(["kW", "A"], UNITS) == ("DemandkW", "A")


def test_a_topic_asked_twice_is_asked_once():
    """The order asked is kept and repeats are dropped."""
    assert request.resolve_topics(["kWHNet", "kW", "DemandkW"], UNITS) == ("kWHNet", "DemandkW")


def test_one_topic_may_be_a_string():
    """A plain string is one topic, not its letters."""
    assert request.resolve_topics("kWHNet", UNITS) == ("kWHNet",)


def test_an_unknown_topic_gets_a_suggestion():
    """The message names the topic, the nearest one, and what there is."""
    with pytest.raises(UnknownTopicError, match="unknown topic 'kWhNet': did you mean 'kWHNet'"):
        request.resolve_topics(["kWhNet"], UNITS)
    with pytest.raises(UnknownTopicError, match="did you mean 'kWHNet'"):
        request.resolve_topics([["kWHNet"]], UNITS)


def test_an_empty_list_of_topics_is_refused():
    """Asking for nothing is an error, not an empty frame."""
    with pytest.raises(UnknownTopicError, match="empty list"):
        request.resolve_topics([], UNITS)


def test_a_known_topic_in_another_unit_is_refused():
    """A service that calls kWHNet watt-hours would bill a thousandfold."""
    catalogue = [{"requestKey": "kWHNet", "unit": "Wh", "description": ""}]
    with pytest.raises(UnitError, match="'Wh'"):
        request.topic_units(catalogue)


def test_an_unknown_topic_keeps_the_services_unit():
    """A new topic is kept with whatever unit the service gives."""
    catalogue = [{"requestKey": "Foo", "unit": "furlong", "description": ""}]
    assert request.topic_units(catalogue) == {"Foo": "furlong"}


def test_the_builtin_catalogue_is_the_documents():
    """Without getTopics the plan uses the six topics of the API's document."""
    assert set(request.builtin_units().items()) == set(UNITS.items())
