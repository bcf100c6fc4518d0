"""The short way to the energy of registers that only rise, beside the verb itself."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dentframe.archive import dask_verbs as rising_module
from dentframe.archive.dask_verbs import rising
from dentframe.frame.assemble import Table, to_frame
from dentframe.metering.registers import RegisterRules
from dentframe.times.periods import Monthly
from dentframe.times.ranges import time_range
from dentframe.verbs.energy import energy
from tests.lazy_kit import LA

KEYWORDS = {
    "freq": "MS", "tz": LA, "topic": None, "source": "auto", "registers": RegisterRules(),
    "edges": "interpolate", "min_coverage": 0.0, "schedule": None, "detail": False,
}  # fmt: skip
COLUMNS = ("kWHNet/Elm/A", "kWHNet/Elm/B")
FIRST = 28_401_117  # 2024-01-01T00:00Z less three minutes [min]


def table(days=70, spacing=15):
    """Two registers that rise, a reading each quarter of an hour."""
    minutes = FIRST + np.arange(0, days * 1440, spacing)
    rises = np.random.default_rng(7).gamma(2.0, 0.5, (len(minutes), 2)).round(3)
    return Table(COLUMNS, minutes, np.asfortranarray((100 + rises.cumsum(axis=0)).round(3)))


def short(read, span=None, **keywords):
    """The figures by the short way; None where it does not serve."""
    found = rising(KEYWORDS | keywords, to_frame(table(1)), span)
    return found and found.part(read, "P1", None)


def long(read, span=None, **keywords):
    """The figures by the verb."""
    first, last = span or (None, None)
    return energy(to_frame(read), **(KEYWORDS | keywords | {"start": first, "end": last}))


@pytest.mark.parametrize(
    "keywords",
    [
        {},
        {"freq": None},
        {"freq": "D"},
        {"freq": Monthly(day=18)},
        {"freq": ["2024-01-03", "2024-02-01", "2024-02-20"]},
        {"edges": "last_reading"},
        {"min_coverage": 0.999},
        {"registers": RegisterRules(max_kw=400, max_gap="1h")},
        {"topic": "kWHNet", "source": "register"},
    ],
    ids=lambda k: "-".join(k) or "plain",
)
@pytest.mark.parametrize("asked", [None, ("2024-01-10", "2024-03-01"), ("2023-12", "2024-05-01")])
def test_the_short_way_gives_the_verbs_figures(keywords, asked):
    """The same periods, and the same floats in them, whatever is asked for."""
    span = asked and time_range(*asked, LA, now=pd.Timestamp("2025-01-01", tz="UTC"))
    found, expected = short(table(), span, **keywords), long(table(), span, **keywords)
    assert found.starts.tolist() == expected.index.as_unit("us").asi8.tolist()
    assert list(found.columns) == list(expected.columns)
    for label, values in found.columns.items():
        np.testing.assert_array_equal(values, expected[label].to_numpy())


def test_a_gap_is_bridged_alike():
    """A long spacing is covered by a register, and cuts nothing."""
    whole = table()
    keep = np.r_[0:2000, 2300 : len(whole.minutes)]
    read = Table(COLUMNS, whole.minutes[keep], np.asfortranarray(whole.values[keep]))
    found, expected = short(read, freq="D"), long(read, freq="D")
    np.testing.assert_array_equal(found.columns[COLUMNS[0].replace("kWHNet", "Energy")],
                                  expected.iloc[:, 0].to_numpy())  # fmt: skip


@pytest.mark.parametrize(
    ("row", "value"),
    [(3000, np.nan), (3000, 0.0), (3000, 1e9), (-1, 1e9)],
    ids=["blank", "fall", "rise", "jump at the end"],
)
def test_what_is_not_plain_is_left_to_the_verb(row, value):
    """A blank, a fall or a power that nothing draws has to be judged."""
    read = table()
    read.values[row, 1] = value
    assert short(read) is None


def test_a_power_that_nothing_draws_is_left_to_the_verb():
    """A rise that stays is accepted, but the verb warns of it."""
    read = table()
    read.values[3000:, 1] += 9e6
    assert short(read) is None


@pytest.mark.parametrize(
    "keywords",
    [
        {"detail": True},
        {"source": "demand"},
        {"registers": RegisterRules(max_kw={"P1_A": 40})},
    ],
    ids="-".join,
)
def test_what_the_short_way_does_not_serve(keywords):
    """Details, means and rules by element are the verb's."""
    assert rising(KEYWORDS | keywords, to_frame(table(1)), None) is None


def test_an_element_that_is_named_and_not_there_is_left_to_the_verb():
    """It is missing, not absent."""
    found = rising(KEYWORDS, to_frame(table(1)), None)
    assert found.part(table(), "P1", ("A", "C")) is None
    assert found.part(table(), "P1", ("A", "B")) is not None


def test_meters_lie_one_below_the_other():
    """With NaN where a meter lacks an element of another one."""
    of = rising(KEYWORDS, to_frame(table(1)), None)
    both = of.part(table(), "P1", None)
    one = of.part(Table(COLUMNS[1:], table().minutes, table().values[:, 1:]), "P2", None)
    meta = pd.DataFrame(columns=["meter", "Energy/Elm/A", "Energy/Elm/B"])
    found = of.frame([both, one], meta)
    assert found["meter"].tolist() == ["P1"] * len(both.starts) + ["P2"] * len(one.starts)
    assert found["Energy/Elm/A"].isna().tolist() == [m == "P2" for m in found["meter"]]
    assert found.index.name == "time"
    assert str(found.index.tz) == LA


def test_periods_are_made_once_for_meters_of_one_span():
    """The calendar is the same for all of them."""
    rising_module._edges.cache_clear()
    for _ in range(3):
        short(table())
    assert rising_module._edges.cache_info().misses == 1
