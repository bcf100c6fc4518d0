"""Register against demand: the figures, and the name of each known cause."""

import numpy as np
import pandas as pd
import pytest

from dentframe import RegisterRules
from dentframe.errors import (
    ConfigError,
    CoverageWarning,
    KindError,
    RangeError,
    ReadingWarning,
)
from dentframe.verbs.reconcile import COLUMNS, SIGNATURES

N = 96
KW = 5 + 3 * np.sin(np.arange(N) / 7) + 0.5 * np.cos(np.arange(N) * 1.3)


def made(register, demand, start="2024-01-01 00:02"):
    """A frame of one element; the first register reading stands at the first stamp."""
    t = pd.date_range(start, periods=len(register), freq="15min", tz="UTC", name="time")
    return pd.DataFrame({"kWHNet/Elm/A": register, "DemandkW/Elm/A": demand}, index=t)


def both(factor=1.0, sign=1.0):
    register = 1000 + sign * np.concatenate(([0.0], np.cumsum(KW[1:]))) / 4
    return made(register, factor * KW)


def named(frame, **more):
    (row,) = frame.dent.reconcile(**more).itertuples()
    return row.signature


def test_d08_to_the_last_digit():
    """D08: 1.50 against 1.55 kWh is -1/31, beyond 2 %."""
    (row,) = made([100.0, 101.55], [7.0, 6.0]).dent.reconcile().itertuples()
    assert row.register == pytest.approx(1.55, abs=1e-9)
    assert row.demand == pytest.approx(1.50, abs=1e-9)
    assert row.residual == pytest.approx(-0.05, abs=1e-9)
    assert row.relative == pytest.approx(-1 / 31, abs=1e-9)
    assert row.ratio == pytest.approx(30 / 31, abs=1e-9)
    assert row.signature == "unexplained"


def test_the_tolerance_decides():
    """D08 agrees where 5 % are allowed."""
    assert named(made([100.0, 101.55], [7.0, 6.0]), tolerance=0.05) == "agrees"


def test_equal_stories_agree():
    """No residual, whole coverage, the columns of the contract."""
    found = both().dent.reconcile()
    assert tuple(found.columns) == COLUMNS
    assert found["signature"].tolist() == ["agrees"]
    assert found["residual"][0] == pytest.approx(0, abs=1e-9)
    assert found["coverage"][0] == 1.0


@pytest.mark.parametrize(
    ("factor", "name"),
    [
        (1 / 3, "reversed CT"),
        (2 / 3, "reversed CT"),
        (2.0, "CT multiplier"),
        (0.5, "CT multiplier"),
        (1.05, "CT multiplier"),
    ],
)
def test_a_constant_ratio(factor, name):
    """One or two thirds are a reversed CT, other constants a multiplier."""
    assert named(both(factor)) == name


def test_demand_while_the_register_falls():
    """Q of B5: demand is positive while the register runs backwards; a warning, no error."""
    with pytest.warns(CoverageWarning, match="allow_export"):
        (row,) = both(sign=-1.0).dent.reconcile().itertuples()
    assert row.signature == "absolute demand or reversed CT"
    assert np.isnan(row.register)


def test_a_declared_exporter_with_absolute_demand():
    """The register counts backwards, demand forwards: the ratio is -1."""
    rules = RegisterRules(max_kw=50, allow_export=True)
    (row,) = both(sign=-1.0).dent.reconcile(registers=rules).itertuples()
    assert row.ratio == pytest.approx(-1)
    assert row.signature == "absolute demand or reversed CT"


def test_a_declared_exporter_with_signed_demand_agrees():
    """Signed demand follows the register down."""
    rules = RegisterRules(max_kw=50, allow_export=True)
    assert named(both(factor=-1.0, sign=-1.0), registers=rules) == "agrees"


def test_q06_frozen_register():
    """Q06: four equal registers beside 5 kW miss 3.75 kWh."""
    (row,) = made([100.0] * 4, [5.0] * 4).dent.reconcile().itertuples()
    assert row.residual == pytest.approx(3.75)
    assert row.signature == "frozen register"


def test_a_register_frozen_for_a_while():
    """The flat stretch explains the whole residual."""
    frame = both()
    register = frame["kWHNet/Elm/A"].to_numpy().copy()
    lost = register[40] - register[20]
    register[20:40] = register[20]
    register[40:] -= lost
    assert named(frame.assign(**{"kWHNet/Elm/A": register})) == "frozen register"


@pytest.mark.parametrize("whole_rows", [True, False])
def test_q07_lost_rows(whole_rows):
    """Q07: the register went on over the gap; all of the residual lies there."""
    frame = both()
    lost = slice(30, 50)
    if whole_rows:
        frame = frame.drop(frame.index[lost])
    else:
        frame.iloc[lost, 1] = np.nan
    (row,) = frame.dent.reconcile().itertuples()
    assert row.signature == "lost rows"
    assert row.residual == pytest.approx(-KW[lost].sum() / 4)
    assert row.at_gaps == pytest.approx(row.residual)
    assert row.coverage < 1


def test_a_gap_over_midnight_blames_no_day():
    """A register step that the period's edge cuts says nothing of either side."""
    frame = both().tz_convert("America/New_York")
    frame = frame.drop(frame.index[15:25])
    found = frame.dent.reconcile("D")
    assert found["signature"].tolist() == ["agrees", "agrees"]
    assert named(frame) == "lost rows"


def test_samples_are_told_from_means():
    """Power at the poll scatters about the mean without bias, and shows what no mean could."""
    rng = np.random.default_rng(3)
    minutes = 15 * 960
    on = np.zeros(minutes)
    for s in rng.choice(minutes - 10, 220, replace=False):
        on[s : s + 6] = 2.0
    register = 50 + np.concatenate(([0.0], np.cumsum(on)))[::15] / 60
    samples = np.concatenate((on[::15], [0.0]))
    samples *= 1.05 * np.diff(register).sum() * 4 / samples.sum()
    assert named(made(register, samples)) == "samples, not means"


def test_a_bias_in_few_rows_is_not_explained():
    """One wild reading is neither a ratio nor a sample."""
    frame = both()
    frame.iloc[50, 1] = 500.0
    assert named(frame) == "unexplained"


def test_one_sided_and_disjoint_elements_have_no_overlap():
    """An element with one kind of reading stays in the table, without figures."""
    frame = both()
    frame["DemandkW/Elm/B"] = KW
    frame["kWHNet/Elm/C"] = np.where(np.arange(N) < 10, np.arange(N) * 1.0, np.nan)
    frame["DemandkW/Elm/C"] = np.where(np.arange(N) > 50, 1.0, np.nan)
    found = frame.dent.reconcile().set_index("element")
    assert found["signature"].to_dict() == {"A": "agrees", "B": "no overlap", "C": "no overlap"}
    assert np.isnan(found.loc["B", "residual"])


def test_a_vacant_unit_agrees():
    """Zero against zero is no finding."""
    (row,) = made([5.0] * 5, [0.0] * 5).dent.reconcile().itertuples()
    assert row.signature == "agrees"
    assert np.isnan(row.ratio)


def test_days_add_up():
    """Figures of a partition add up to the whole."""
    frame = both(1.1)
    whole, days = frame.dent.reconcile(), frame.dent.reconcile("D", tz="America/Los_Angeles")
    for name in ("register", "demand", "residual"):
        assert days[name].sum() == pytest.approx(whole[name][0], abs=1e-9)


def test_several_meters_name_theirs():
    """Rows of several meters begin with the meter."""
    frame = pd.concat({"P2": both(), "P1": both(2.0)}, names=["meter", "time"])
    found = frame.dent.reconcile()
    assert found["meter"].tolist() == ["P1", "P2"]
    assert found["signature"].tolist() == ["CT multiplier", "agrees"]


def test_a_lag_moves_the_demand():
    """Demand stamped late agrees once its lag is given."""
    frame = both()
    demand = frame[["DemandkW/Elm/A"]].set_axis(frame.index + pd.Timedelta("4min"))
    late = frame[["kWHNet/Elm/A"]].join(demand, how="outer")
    (row,) = late.dent.reconcile(demand_lag="4min").itertuples()
    assert row.residual == pytest.approx(0, abs=1e-9)


def test_every_signature_is_listed():
    """The list of signatures is what users may match on."""
    assert len(set(SIGNATURES)) == len(SIGNATURES)
    assert {"agrees", "lost rows", "unexplained", "no overlap"} <= set(SIGNATURES)


@pytest.mark.parametrize(
    "ask",
    [
        lambda d: d.reconcile(),
        lambda d: d.estimate(),
        lambda d: d.check_demand_window(),
    ],
)
def test_means_over_another_spacing_are_told(ask):
    """Hourly means, taken for a quarter of an hour each: one warning names `interval`."""
    hourly = both().resample("h").last()
    with pytest.warns(ReadingWarning, match="say interval='60min'") as told:
        ask(hourly.dent)
    assert [w.category for w in told].count(ReadingWarning) == 1


def test_what_is_refused():
    """One kind of reading, a naive index, a senseless tolerance, a site."""
    frame = both()
    with pytest.raises(KindError, match="no DemandkW column"):
        frame[["kWHNet/Elm/A"]].dent.reconcile()
    with pytest.raises(RangeError, match="tz_localize"):
        frame.tz_localize(None).dent.reconcile()
    for tolerance in (1.5, 1, "2%"):
        with pytest.raises(ConfigError, match=f"tolerance={tolerance!r}"):
            frame.dent.reconcile(tolerance=tolerance)
    with pytest.raises(ConfigError, match="site="):
        frame.dent.reconcile(site="x.toml")


@pytest.mark.parametrize("factor", [1 / 3, 2 / 3, 0.5, 2.0])
@pytest.mark.parametrize("late", [5, 8, 10])
@pytest.mark.parametrize("lag", [True, False])
def test_a_ratio_is_seen_at_any_minute_of_the_polls(factor, late, lag):
    """Windows that lie between the register's steps scatter each by itself, and not in runs."""
    rng = np.random.default_rng(late)
    used = np.r_[0.0, np.cumsum(np.repeat(rng.lognormal(1, 0.9, 4032), 5)) / 60]
    polls = np.arange(30, 20160, 15) + late
    index = pd.Timestamp("2024-01-01", tz="UTC") + pd.to_timedelta(polls, unit="min")
    kw = 4 * factor * (used[polls - late] - used[polls - late - 15])
    frame = pd.DataFrame({"kWHNet/Elm/A": used[polls], "DemandkW/Elm/A": kw}, index=index)
    found = frame.dent.reconcile(demand_lag=f"{late}min" if lag else "0min")["signature"].item()
    assert found == ("CT multiplier" if factor in {0.5, 2.0} else "reversed CT")
