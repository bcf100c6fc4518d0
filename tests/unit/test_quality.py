"""`quality`: each finding where it is, and none where it is not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dentframe import RegisterRules
from dentframe.verbs.quality import COLUMNS
from tests.unit.test_demand import KW, KWH, quarters

RNG = np.random.default_rng(5)


def healthy(n=200, factor=0.9):
    """A day or two of one element that has nothing wrong."""
    kw = RNG.uniform(3, 6, n).round(3)
    columns = {KW: kw, KWH: 100 + np.cumsum(kw) / 4}
    for i in (1, 2, 3):
        columns[f"A/Ch/A{i}"] = kw / 3 / 0.12 / factor
        columns[f"V/Ch/A{i}"] = np.full(n, 120.0)
        columns[f"dPF/Ch/A{i}"] = np.full(n, factor)
    return quarters(columns)


def found(frame, **kwargs):
    """Findings by name."""
    rows = frame.dent.quality(**kwargs)
    assert not rows.duplicated(["element", "finding"]).any()
    return rows.set_index("finding")


def test_nothing_wrong_is_nothing_found():
    """No row, but all columns; and the frame is as it was."""
    frame = healthy()
    before = frame.copy()
    assert tuple(frame.dent.quality().columns) == COLUMNS
    assert frame.dent.quality().empty
    pd.testing.assert_frame_equal(frame, before)


def test_gap():
    """Counted in intervals; without a register its energy is at risk."""
    frame = healthy()
    frame.iloc[10:14] = np.nan
    assert found(frame).loc["gap", "count"] == 4
    assert found(frame).loc["gap", "kwh_at_risk"] == 0
    assert found(frame[[KW]]).loc["gap", "kwh_at_risk"] == pytest.approx(4.5, abs=0.5)


def test_glitch():
    """A zero blip of the register, with what a naive difference would bill."""
    frame = healthy()
    frame.iloc[50, 1] = 0.0
    row = found(frame).loc["glitch"]
    assert (row["start"], row["count"]) == (frame.index[50], 1)
    assert row["kwh_at_risk"] == pytest.approx(frame.iloc[49, 1])


def test_a_load_that_idles_is_not_stuck():
    """Equal demands that register and current bear out are a steady load; a day unproved is not."""
    n = 200
    idle = quarters({KW: [0.84] * n, KWH: 100 + 0.21 * np.arange(n)})
    assert idle.dent.quality().empty
    assert found(idle[[KW]]).loc["stuck", "count"] == n
    assert idle[[KW]].iloc[:90].dent.quality().empty
    idle["A/Ch/A1"] = 7.0 + 0.1 * (np.arange(n) % 2)
    assert idle.dent.quality().empty
    swinging = idle.assign(**{"A/Ch/A1": 7.0 + (np.arange(n) % 5)})
    assert found(swinging).loc["stuck", "severity"] == "warning"
    assert found(swinging.drop(columns=KWH)).loc["stuck", "count"] == n
    idle[KWH] = 100 + np.cumsum(np.arange(n) % 3) / 4
    assert "stuck" in found(idle).index


def test_a_jump_without_a_greatest_power():
    """A step that is withheld is named, with its energy, even where nothing else was read."""
    frame = quarters({KWH: [48210.0] * 40 + [99999.0]})
    row = found(frame).loc["jump"]
    assert (row["count"], row["severity"]) == (1, "error")
    assert row["kwh_at_risk"] == pytest.approx(51789)
    assert found(frame, start=frame.index[-2], tz="UTC").loc["jump", "count"] == 1
    known = found(frame, registers=RegisterRules(max_kw=50.0))
    assert "spike" in known.index
    assert "jump" not in known.index


def test_interval():
    """Readings that come at another spacing than `interval` says."""
    hourly = healthy().resample("h").mean()
    row = found(hourly[[KW]]).loc["interval"]
    assert row["count"] == len(hourly)
    assert row["kwh_at_risk"] == pytest.approx(0.75 * hourly[KW].sum())
    assert "interval" not in found(hourly[[KW]], interval="1h").index
    close = healthy()[[KW]].set_axis(
        pd.date_range("2024-01-01", periods=200, freq="5min", tz="UTC")
    )
    assert np.isnan(found(close).loc["interval", "kwh_at_risk"])


def test_what_other_verbs_refuse_is_a_row():
    """A column of text, in a wrong unit, or a register that was differenced by hand."""
    frame = healthy()
    text = frame.astype({KW: object})
    text.iloc[3, 0] = "n/a"
    assert found(text).loc["unreadable", "count"] == 1
    assert "falling_register" in found(frame.assign(**{KWH: RNG.uniform(0, 5, 200)})).index
    wrong = frame.rename(columns={KW: f"{KW} [V]"})
    assert found(wrong).loc["unreadable", "severity"] == "error"
    assert frame[["V/Ch/A1"]].dent.quality().empty
    twice = pd.concat([frame, frame[[KW]]], axis=1)
    assert found(twice).loc["unreadable", "count"] == 1


def test_falling_register():
    """A cleared register, with and without a known greatest power."""
    frame = healthy()
    frame.iloc[100:, 1] -= frame.iloc[99, 1]
    assert found(frame).loc["falling_register", "severity"] == "error"
    known = found(frame, registers=RegisterRules(max_kw=50.0)).loc["falling_register"]
    assert known["severity"] == "warning"


def test_negative_demand_unless_declared():
    """Below zero on an element that is not said to export."""
    frame = healthy()
    frame.iloc[20:24, 0] = -2.0
    row = found(frame[[KW]]).loc["negative_demand"]
    assert (row["count"], row["kwh_at_risk"]) == (4, 2.0)
    declared = RegisterRules(max_kw=50.0, allow_export=True)
    assert "negative_demand" not in found(frame[[KW]], registers=declared).index


def test_wrong_phase():
    """A typical |dPF| under the family's alarm limit."""
    row = found(healthy(factor=0.5)).loc["wrong_phase"]
    assert row["count"] == 600
    assert row["severity"] == "warning"


def test_an_odd_sign_is_only_a_hint():
    """Lead and lag look alike to some conventions: info, not error."""
    frame = healthy()
    frame["dPF/Ch/A2"] *= -1
    assert found(frame).loc["reversed_ct", "severity"] == "info"


def test_spike():
    """Physical where the greatest power is known, else rare and far out."""
    frame = healthy()[[KW]]
    frame.iloc[30, 0] = 400.0
    assert found(frame).loc["spike", "severity"] == "info"
    physical = found(frame, registers=RegisterRules(max_kw=50.0)).loc["spike"]
    assert (physical["severity"], physical["kwh_at_risk"]) == ("error", 350.0 / 4)


def test_sum_check():
    """Register and intervals differ by a constant ratio."""
    frame = healthy()
    frame[KW] *= 1.5
    row = found(frame).loc["sum_check"]
    assert row["kwh_at_risk"] == pytest.approx(0.5 * (frame[KWH].iloc[-1] - frame[KWH].iloc[0]))


def test_conflicting_duplicate():
    """Two rows of one instant with different values."""
    frame = healthy()
    copy = frame.iloc[[40]].copy()
    copy[KW] += 1
    assert found(pd.concat([frame, copy])).loc["conflicting_duplicate", "count"] == 1


def test_clock_jump():
    """The minute moves at once and stays; jitter and a slow drift do not."""
    frame = healthy()
    jumped = frame.copy()
    jumped.index = frame.index.where(
        frame.index < frame.index[90], frame.index + pd.Timedelta("7min")
    )
    assert found(jumped).loc["clock_jump", "start"] == frame.index[89]
    drifting = frame.copy()
    drifting.index = frame.index + pd.to_timedelta(np.arange(len(frame)) // 50, unit="min")
    assert "clock_jump" not in found(drifting).index
    jitter = frame.copy()
    jitter.index = frame.index + pd.to_timedelta(np.arange(len(frame)) % 2, unit="min")
    assert "clock_jump" not in found(jitter).index


def test_element_set_changed():
    """An element that begins a day after its meter."""
    frame = healthy()
    frame["DemandkW/Elm/B"] = frame[KW].where(frame.index >= frame.index[120])
    rows = frame.dent.quality().set_index(["element", "finding"])
    assert ("B", "element_set_changed") in rows.index
    assert ("A", "element_set_changed") not in rows.index


def test_a_spare_element_is_info():
    """All zeros: nothing wrong, but worth knowing."""
    row = found(quarters({KW: [0] * 8, KWH: [0] * 8})).loc["unused"]
    assert row["severity"] == "info"


def test_readings_of_the_future_when_now_is_given():
    """Only the caller knows the present."""
    frame = healthy()
    assert found(frame, now=frame.index[-3]).loc["future", "count"] == 2


def test_detail_lists_every_occurrence():
    """One row each instead of one per element and finding."""
    frame = healthy()
    frame.iloc[10] = frame.iloc[20] = np.nan
    assert frame.dent.quality(detail=True)["finding"].tolist() == ["gap", "gap"]
    assert found(frame).loc["gap", "count"] == 2


def test_several_meters_are_named():
    """A first column `meter`."""
    bad = healthy()
    bad.iloc[10] = np.nan
    rows = pd.concat({"P1": healthy(), "P2": bad}, names=["meter", "time"]).dent.quality()
    assert rows[["meter", "element", "finding"]].to_numpy().tolist() == [["P2", "A", "gap"]]


def test_an_element_that_a_meter_does_not_have_is_no_finding():
    """Among several meters each has the columns of all."""
    one, two = healthy(), healthy().rename(columns=lambda x: x.replace("A", "B"))
    assert pd.concat({"P1": one, "P2": two}, names=["meter", "time"]).dent.quality().empty


def test_a_channel_with_a_register_and_demand_of_its_own_is_compared_as_an_element():
    """What one channel's register and demand disagree on is found under the channel's name."""
    frame = quarters({"kWHNet/Ch/A1": np.arange(200.0), "DemandkW/Ch/A1": np.full(200, 8.0)})
    assert found(frame).loc["sum_check", "element"] == "A1"
