"""Energy: which column answers, and what is refused as none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dentframe import RegisterRules
from dentframe.errors import (
    ConfigError,
    CoverageWarning,
    DecodeError,
    KindError,
    RangeError,
    ReadingWarning,
    UnitError,
    UnknownTopicError,
)
from dentframe.verbs.energy import energy
from tests.energy_kit import MEAN, NY, C, quiet, readings, register


def test_the_register_goes_before_the_demand():
    """Per element: register, else demand; a register without a value is none."""
    frame = register().assign(**{MEAN: 5.0, "DemandkW/Elm/C": 6.0, C: np.nan})
    found = quiet(energy, frame, "D", tz=NY, detail=True)
    last = found.groupby("element")["source"].last().to_dict()
    assert last == {"A": "register", "C": "demand"}
    only = quiet(energy, frame, "D", tz=NY, source="demand")
    assert only.columns.tolist() == ["Energy/Elm/A", "Energy/Elm/C"]


def test_apparent_energy():
    """kVAHNet is asked for by name and has its own result."""
    frame = register(label="kVAHNet/Elm/A")
    result = frame.dent.energy("D", tz=NY, topic="kVAHNet")
    assert result.columns.tolist() == ["ApparentEnergy/Elm/A"]
    assert result.attrs["dentcloud"]["units"] == {"ApparentEnergy": "kVAh"}
    with pytest.raises(KindError, match="topic='kVAHNet'"):
        frame.dent.energy("D", tz=NY)


@pytest.mark.parametrize(
    ("topic", "match"),
    [
        ("A", "stats"),
        ("dPF", "power_factor"),
        ("Energy", "sum"),
        ("Demand", "start of its"),
        ("kW", "stats"),
    ],
)
def test_topics_without_energy(topic, match):
    """Kind before unit: the error names the right verb."""
    with pytest.raises(KindError, match=match):
        register().dent.energy(topic=topic)


def test_unknown_topics():
    """Absent topics are told from those of unknown kind."""
    with pytest.raises(UnknownTopicError, match="kWHNet"):
        register().dent.energy(topic="kWHNett")
    with pytest.raises(UnknownTopicError):
        register().dent.energy(topic="kVAHNet")
    with pytest.raises(KindError, match="whole register"):
        register(label="Foo/Elm/A [kWh]").dent.energy(topic="Foo")
    with pytest.raises(UnknownTopicError, match="did you mean 'kWHNet'"):
        register().dent.energy(topic=["kWHNet"])  # as a read has them


@pytest.mark.parametrize("result", ["Energy", "Demand"])
@pytest.mark.parametrize("ask", [lambda d: d.peaks(), lambda d: d.demand(), lambda d: d.energy()])
def test_a_computed_frame_is_told_no_register(result, ask):
    """A figure of a verb is called so; no register is suggested that is not there."""
    frame = register(label=f"{result}/Elm/A")
    with pytest.raises(KindError, match=rf"'{result}/Elm/A' is (a figure of|the energy)") as told:
        ask(frame.dent)
    assert "kind='block'" not in str(told.value)


@pytest.mark.parametrize(
    ("label", "match"),
    [("A/Ch/A1", "Read topics"), ("Energy/Elm/A", "sum"), ("kWHNet/Ch/A1", "channels")],
)
def test_frames_without_energy(label, match):
    """Nothing answers: the error says what the frame has."""
    with pytest.raises(KindError, match=match):
        register(label=label).dent.energy()


def test_a_register_differenced_by_hand():
    """Steps that go up and down belong to no register."""
    noise = np.random.default_rng(1).uniform(0, 3, 97)
    frame = readings(1000 + np.cumsum(noise))
    with pytest.warns(CoverageWarning, match="differenced by hand"):
        assert frame.diff().dent.energy().isna().to_numpy().all()
    with pytest.raises(KindError, match="differenced by hand") as caught:
        frame.diff().dent.energy(elements="A")
    assert 'RegisterRules(allow_export={"A": True}, max_kw={"A": ...})' in str(caught.value)
    rules = RegisterRules(max_kw=50, allow_export=True)
    assert np.isfinite(frame.diff().dent.energy(registers=rules, min_coverage=0).iloc[0, 0])


@pytest.mark.parametrize(
    "bad",
    [
        {"edges": "nearest"},
        {"source": "kWh"},
        {"min_coverage": 1.5},
        {"schedule": object()},
        {"site": object()},
        {"topic": "kWHNet", "source": "demand"},
    ],
)
def test_settings_that_cannot_be_used(bad):
    """Every bad setting is named."""
    with pytest.raises(ConfigError, match="Cannot use"):
        register().dent.energy(**bad)


def test_an_interval_has_a_length():
    """An interval of no length is refused."""
    with pytest.raises(RangeError, match="no length"):
        readings([4, 4], label=MEAN).dent.energy(interval="0min")


def quarter_frame(values, **columns):
    """A frame of quarter-hourly readings."""
    time = pd.date_range("2024-01-01", periods=len(values), freq="15min", tz="UTC")
    return pd.DataFrame({"kWHNet/Elm/A": values, **columns}, index=time)


@pytest.mark.parametrize(
    "values", [[0.0] + [48210.0] * 20, [48210.0] * 20 + [99999.0], [5.0] * 9 + [90005.0] * 9]
)
def test_a_whole_register_is_never_billed_in_silence(values):
    """A step that stands out is missing without max_kw, and the warning names max_kw."""
    with pytest.warns(CoverageWarning, match=r"jumps by .*max_kw=\{\"A\": ...\}"):
        assert quarter_frame(values).dent.energy(tz="UTC").iloc[0, 0] == 0


def test_a_great_power_among_others_is_use_and_is_told():
    """Where too few others are left the figure stands, and a warning says so."""
    frame = quarter_frame([0.0, 48210.0, 48211.0])
    with pytest.warns(ReadingWarning, match="max_kw"):
        assert frame.dent.energy(tz="UTC").iloc[0, 0] == 48211.0
    known = RegisterRules(max_kw=1e6)
    assert frame.dent.energy(tz="UTC", registers=known).iloc[0, 0] == 48211.0


def test_a_step_that_demand_confirms_is_use():
    """A jump is spared where DemandkW of the same time agrees within a fifth."""
    values = np.r_[np.arange(9.0), 1008.0 + np.arange(9.0)]
    demand = np.r_[[4.0] * 9, 3600.0, [4.0] * 8]
    frame = quarter_frame(values, **{"DemandkW/Elm/A": demand})
    with pytest.warns(ReadingWarning, match="4,000 kW"):
        assert frame.dent.energy(tz="UTC").iloc[0, 0] == 1016.0
    frame["DemandkW/Elm/A"] = 4.0
    with pytest.warns(CoverageWarning, match="unexplained_jump"):
        assert frame.dent.energy(tz="UTC").iloc[0, 0] == 16.0


@pytest.mark.parametrize("unit", ["kVA", "kvar"])
def test_apparent_power_is_no_demand(unit):
    """kVA in a DemandkW column is refused, as kW + kVA is."""
    frame = quarter_frame([1.0] * 4).rename(columns={"kWHNet/Elm/A": f"DemandkW/Elm/A [{unit}]"})
    with pytest.raises(UnitError, match=unit):
        frame.dent.energy(tz="UTC")


@pytest.mark.parametrize(
    "values", [["4_82_10"] * 4, [True] * 4, list(pd.to_timedelta([1, 2, 3, 4], unit="s"))]
)
def test_what_is_no_number_is_no_reading(values):
    """Text, truth values and spans of time are refused, not converted."""
    with pytest.raises(DecodeError, match="numbers"):
        quarter_frame(values).dent.energy(tz="UTC")


def test_an_idle_register_that_flickers_stops_nobody():
    """Last-digit jitter on one element leaves the others their figures."""
    rng = np.random.default_rng(1)
    flicker = 215.6 + 0.1 * rng.integers(0, 2, 200)
    frame = quarter_frame(np.arange(200.0), **{"kWHNet/Elm/B": flicker})
    with pytest.warns(CoverageWarning):
        found = frame.dent.energy(tz="UTC")
    assert found["Energy/Elm/A"].tolist() == [199.0]
