"""Suggestions for misspelt names."""

from __future__ import annotations

import pytest

from dentframe.errors import did_you_mean


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
