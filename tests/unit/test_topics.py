"""The table of topics."""

from __future__ import annotations

from typing import get_args

import pytest

from dentframe.wire import columns as units
from dentframe.wire import topics as t


def test_the_documented_service_offers_six_topics():
    """As in the API's own sheet."""
    assert set(t.SERVED) == {"kVAHNet", "kWHNet", "DemandkW", "A", "dPF", "V"}


@pytest.mark.parametrize("topic", t.TOPICS.values(), ids=lambda topic: topic.key)
def test_every_row_is_whole(topic):
    """A kind of the list, a unit that pint reads, a sentence."""
    assert t.TOPICS[topic.key] is topic
    assert topic.kind in get_args(t.Kind)
    assert topic.kind != "unknown"
    units.parse_unit(topic.unit)
    assert topic.description.endswith(".")


@pytest.mark.parametrize(
    ("topic", "unit", "kind"),
    [
        ("kWHNet", None, "register"),
        ("kVAHNet", "kW", "register"),
        ("DemandkW", None, "interval_mean"),
        ("A", None, "sample"),
        ("dPF", None, "ratio"),
        ("Energy", None, "interval_energy"),
        ("New", "kvar", "sample"),
        ("New", "PF", "ratio"),
        ("New", "kWh", "unknown"),
        ("New", "kvarh", "unknown"),
        ("New", None, "unknown"),
    ],
)
def test_a_kind_comes_from_the_table_then_from_the_unit(topic, unit, kind):
    """A new topic in an energy unit stays unknown: it might be a register or an interval."""
    assert t.kind_of(topic, unit) == kind
