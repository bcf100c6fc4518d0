"""Load factor, power factor, ratchets and the adjustment for power factor."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from dentframe import adjusted_demand, ratchet
from dentframe.errors import ConfigError, CoverageWarning, KindError
from tests.unit.test_demand import KW, KWH, quarters

KVAH = "kVAHNet/Elm/A"


def test_load_factor_takes_the_registers_energy_and_the_reported_peak():
    """Energy from the register where there is one, the peak from the meter's own means."""
    frame = quarters({KW: [10, 20, 20], KWH: [0, 2, 7]})
    row = frame.dent.load_factor(
        start="2024-01-01 00:15", end="2024-01-01 00:45", tz="UTC", detail=True
    ).iloc[0]
    assert (row["energy"], row["peak"]) == (7.0, 20.0)
    assert row["value"] == pytest.approx(7 / (20 * 0.5))


def test_a_register_that_answers_twice_is_told_once():
    """Its energy and its blocks are of one register: one remedy tells of both."""
    frame = quarters({KWH: [*range(1000, 1012), *range(2001000, 2001012)]})
    with pytest.warns(CoverageWarning, match="load factors") as told:
        frame.dent.load_factor()
    assert str(told[0].message).count("jumps by") == 1


def test_load_factor_of_a_register_alone():
    """Without means the peak is that of clock blocks."""
    assert quarters({KWH: [0, 1, 3]}).dent.load_factor()["A"].tolist() == pytest.approx([0.75])


def test_a_partial_period_warns_and_min_coverage_withholds():
    """What is not covered counts as no energy, and is said."""
    frame = quarters({KW: [4, np.nan, 4, 4]})
    with pytest.warns(CoverageWarning, match="load factors"):
        assert frame.dent.load_factor()["A"].tolist() == pytest.approx([0.75])
    assert frame.dent.load_factor(min_coverage=0.9)["A"].isna().all()


def test_no_peak_no_factor():
    """An element at rest has no load factor."""
    assert quarters({KW: [0, 0]}).dent.load_factor()["A"].isna().all()


def test_power_factor_in_the_time_that_both_registers_cover():
    """A hole in one register leaves the ratio of the time in common."""
    frame = quarters({KWH: [0, 4, 8, 12], KVAH: [100, 105, 1, 6]})
    row = frame.dent.power_factor(detail=True).iloc[0]
    assert row["value"] == pytest.approx(0.8)
    assert row["coverage"] == pytest.approx(2 / 3)
    assert row["apparent_energy"] == pytest.approx(10.0)


def test_power_factor_needs_both_registers():
    """dPF cannot take the place of kVAHNet."""
    with pytest.raises(KindError, match="kVAHNet"):
        quarters({KWH: [0, 1], "dPF/Elm/A": [0.9, 0.9]}).dent.power_factor()


def test_factors_of_several_meters():
    """(meter, time) to element; NaN where a meter has none."""
    parts = {"P1": quarters({KW: [1, 2]}), "P2": quarters({KW: [2, 2], "DemandkW/Elm/B": [1, 1]})}
    found = pd.concat(parts, names=["meter", "time"]).dent.load_factor()
    assert found.index.names == ["meter", "time"]
    assert found["A"].tolist() == pytest.approx([0.75, 1.0])
    assert np.isnan(found["B"].iloc[0])


def test_ratchet_with_history_and_index():
    """Months before the first count; a Series keeps its index."""
    index = pd.period_range("2024-01", periods=2, freq="M")
    found = ratchet(pd.Series([50.0, 60.0], index), 50, 2, history=[200.0, 100.0])
    assert found.tolist() == [100.0, 60.0]
    assert found.index.equals(index)


def test_an_unknown_month_makes_its_followers_unknown():
    """NaN may have been the highest: it is never counted as nothing."""
    found = ratchet([100.0, np.nan, 60.0, 60.0], 80, 1)
    assert np.isnan(found[1])
    assert np.isnan(found[2])
    assert found[3] == 60.0


def test_ratchet_is_exact_in_decimal():
    """Decimals stay decimals."""
    assert ratchet([Decimal("100.1"), Decimal(1)], 33.3, 1)[1] == Decimal("33.3333")


@pytest.mark.parametrize(("percent", "lookback"), [(101, 1), (-1, 1), (80, -1), (80, 1.5)])
def test_ratchets_that_cannot_be_meant(percent, lookback):
    """Percentages are 0 to 100, months whole."""
    with pytest.raises(ConfigError):
        ratchet([1.0], percent, lookback)


def test_adjusted_demand_only_below_target():
    """At or above target nothing is added."""
    assert adjusted_demand(16.0, 0.95, 0.9) == 16.0
    with pytest.raises(ConfigError, match="power_factor=0"):
        adjusted_demand(16.0, 0.0, 0.9)
