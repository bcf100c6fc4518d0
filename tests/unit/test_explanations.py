"""The words of a statement: every flag and status has its own, and no jargon."""

from __future__ import annotations

import re
from decimal import Decimal

import pandas as pd
import pytest

from dentframe.documents import statement_audit_sheet as explanations
from dentframe.documents.statement_audit_sheet import explained, label
from dentframe.metering.energy_and_coverage import STATUSES
from dentframe.metering.series import Flag
from tests.statement_kit import MAY, NY, energy_line, reading, statement

JARGON = re.compile(r"interpolat|telescop|register|rollover|glitch|NaN|residual|delta|_|coverage")


def test_every_flag_and_status_has_words():
    """Whatever the readings carry can be explained; `recorded` needs no words."""
    assert set(explanations.FLAGS) == {str(x.name).lower() for x in Flag}
    assert set(explanations.WORDS["statuses"]) == set(STATUSES) - {"recorded"}


@pytest.mark.parametrize("flag", sorted(explanations.FLAGS))
def test_words_are_plain(flag):
    """No term of the trade, whole sentences."""
    name, meaning = explanations.FLAGS[flag]
    assert not JARGON.search(f"{name} {meaning}")
    assert meaning.endswith(".")


def test_only_what_a_statement_has_is_explained():
    """A recorded statement explains nothing; each other word is explained once."""
    assert explained(statement()) == []
    made = statement(
        energy_line(status="estimated", flags=("reset",)),
        readings=(reading(status="estimated", flags=("reset", "gap_bridged")),),
    )
    names = [name for name, _ in explained(made)]
    assert names == ["estimated", "readings in between missing", "display cleared"]


def test_an_unknown_flag_is_not_hidden():
    """A mark that has no words yet is shown as it is."""
    made = statement(energy_line(flags=("new_mark",)))
    assert [name for name, _ in explained(made)] == ["new mark"]
    assert label("new_mark") == "new mark"


def test_the_edges_of_a_line_are_those_of_its_meter_in_whatever_zone():
    """An hour that the clock shows twice, in the site's zone and in UTC, is one instant."""
    again = pd.Timestamp("2024-11-03 06:30", tz="UTC")
    own = {"open_at": MAY[0], "open_reading": Decimal(100), "close_reading": Decimal(110)}
    line = energy_line(**own, close_at=again)
    local = reading(close_at=again.tz_convert(NY))
    assert explanations.lines(statement(line, readings=(local,)))[0]["edges"] == ""
    assert explanations.lines(statement(line, readings=(reading(),)))[0]["edges"] != ""
