"""Estimates: columns of their own, scaled to the register, disclosed."""

import json

import numpy as np
import pandas as pd
import pytest

from dentframe.errors import ConfigError, CoverageWarning, KindError, RangeError

KW = np.array([4, 4, 5, 6, 7, 8, 7, 6, 5, 4, 4, 4, 4.0])
COLUMN = "EstimatedDemandkW/Elm/A [kW]"


def made(kw=KW, start="2024-01-01 00:02"):
    """Demand and its register."""
    t = pd.date_range(start, periods=len(kw), freq="15min", tz="UTC", name="time")
    register = 100 + np.cumsum(kw) / 4
    return pd.DataFrame({"DemandkW/Elm/A": kw, "kWHNet/Elm/A": register}, index=t)


def flat(series, gap, context):
    """A method that knows nothing."""
    return np.ones(len(gap.at))


def test_lost_rows_come_back_scaled():
    """Q02: the estimates of lost rows add up to what the register says the gap held."""
    frame = made()
    found = frame.drop(frame.index[4:8]).dent.estimate()
    assert found.index.equals(frame.index)
    assert found[COLUMN].notna().tolist() == [4 <= i < 8 for i in range(13)]
    assert found[COLUMN].sum() / 4 == pytest.approx(KW[4:8].sum() / 4, abs=1e-9)
    assert found["estimated"].tolist() == found[COLUMN].notna().tolist()


def test_readings_stay_as_they_are():
    """Original columns are untouched, and energy takes no estimate for a reading."""
    frame = made()
    lost = frame.drop(frame.index[4:8])
    found = lost.dent.estimate()
    pd.testing.assert_frame_equal(found.loc[lost.index, lost.columns], lost, check_freq=False)
    assert found.loc[found["estimated"], lost.columns].isna().all().all()
    span = {"start": frame.index[0], "end": frame.index[-1], "min_coverage": 0, "source": "demand"}
    pd.testing.assert_frame_equal(found.dent.energy(**span), lost.dent.energy(**span))


def test_register_rows_in_the_gap_give_its_shape():
    """Where the register was read meanwhile, each interval is its own increment."""
    frame = made()
    frame.iloc[4:8, 0] = np.nan
    assert frame.dent.estimate()[COLUMN].iloc[4:8].to_numpy() == pytest.approx(KW[4:8])


def test_what_lies_before_the_register_stays_and_its_first_step_is_scaled():
    """With a lag a gap may begin before the register does: what it measured is still kept."""
    frame = made(np.full(8, 10.0))
    frame["DemandkW/Elm/A"] = [8, np.nan, np.nan, 8, 8, 8, 8, 8]
    found = frame.dent.estimate("linear", demand_lag="2min")[COLUMN].dropna()
    # Each interval lies 13 minutes in one step of the register and 2 minutes in the one before;
    # of the second step demand knows the last 2 minutes, and the estimate has the rest.
    assert found.tolist() == pytest.approx(
        [(2 * 8 + 13 * 10) / 15, (2 * 10 + 15 * 10 - 2 * 8) / 15]
    )


def test_without_a_register_the_line_stands():
    """Nothing to scale to: plain linear interpolation, and the text says so."""
    frame = made()[["DemandkW/Elm/A"]]
    found = frame.drop(frame.index[4:8]).dent.estimate()
    assert found[COLUMN].iloc[4:8].to_numpy() == pytest.approx([5.8, 5.6, 5.4, 5.2])
    assert "not measured by a register" in found["disclosure"].iloc[4]


def test_without_demand_the_register_is_the_series():
    """The register's own gap is filled and adds up to its increment."""
    frame = made()[["kWHNet/Elm/A"]]
    found = frame.drop(frame.index[4:8]).dent.estimate()
    assert found[COLUMN].sum() / 4 == pytest.approx(KW[4:9].sum() / 4, abs=1e-9)


def test_linear_leaves_long_gaps():
    """Beyond two hours nothing is filled, and one warning says what would."""
    frame = made()
    with pytest.warns(CoverageWarning, match="reference_days") as caught:
        found = frame.drop(frame.index[1:11]).dent.estimate()
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert found[COLUMN].isna().all()
    assert not found["estimated"].any()


def test_reference_days_use_like_days():
    """A long gap on a Wednesday takes the other working days' load at the same local time."""
    t = pd.date_range("2024-03-04 00:15", periods=96 * 14, freq="15min", tz="America/New_York")
    weekend = (t - pd.Timedelta("1min")).day_of_week >= 5
    kw = np.where(weekend, 1.0, 5 + 4 * np.sin(2 * np.pi * (t.hour * 4 + t.minute // 15) / 96))
    frame = pd.DataFrame({"DemandkW/Elm/A": kw}, index=t.rename("time"))
    gap = slice(96 * 9 + 30, 96 * 9 + 60)
    found = frame.drop(frame.index[gap]).dent.estimate("reference_days")
    assert found[COLUMN].iloc[gap].to_numpy() == pytest.approx(kw[gap])
    assert found.index.equals(frame.index)


def test_a_callable_needs_a_disclosure():
    """Nobody may estimate without saying how."""
    frame = made().drop(made().index[4:8])
    for text in (None, "  "):
        with pytest.raises(ConfigError, match="without a disclosure"):
            frame.dent.estimate(flat, text)
    found = frame.dent.estimate(flat, "a flat guess")
    assert found["disclosure"].iloc[4] == "A: a flat guess; scaled to the register"
    assert found["disclosure"].iloc[0] is None
    assert found[COLUMN].iloc[4:8].to_numpy() == pytest.approx(np.full(4, 7.0))


def test_what_a_callable_is_given():
    """The known means, the gap's intervals, and what the register says it held."""
    seen = []

    def look(series, gap, context):
        seen.append((series, gap, context))
        return np.full(len(gap.at), 2.0)

    frame = made()
    frame.drop(frame.index[4:8]).dent.estimate(look, "looked")
    ((series, gap, context),) = seen
    assert series.tolist() == KW[[0, 1, 2, 3, 8, 9, 10, 11, 12]].tolist()
    assert gap.at.tolist() == frame.index[4:8].tolist()
    assert gap.hours.tolist() == [0.25] * 4
    assert context.register_kwh == pytest.approx(7.0)
    assert (context.element, context.interval) == ("A", pd.Timedelta("15min"))


@pytest.mark.parametrize("values", [[1.0], [1.0, np.inf, 1.0, 1.0], "text", None])
def test_a_callable_whose_values_do_not_fit(values):
    """One finite number per interval, else an error that says so."""
    frame = made().drop(made().index[4:8])
    with pytest.raises(ConfigError, match="4 finite numbers"):
        frame.dent.estimate(lambda *_: values, "wrong")


def test_a_callable_may_pass():
    """NaN leaves an interval unfilled; then the register cannot scale the rest."""
    frame = made().drop(made().index[4:8])
    found = frame.dent.estimate(lambda *_: [1.0, 1.0, np.nan, np.nan], "half")
    assert found[COLUMN].dropna().tolist() == [1.0, 1.0]
    assert "not measured" in found["disclosure"].iloc[4]


def test_attrs_tell_each_gap():
    """JSON-safe, beside what the reader said."""
    frame = made().drop(made().index[4:8])
    frame.attrs["dentcloud"] = {"schema": 1}
    found = frame.dent.estimate()
    (note,) = json.loads(json.dumps(found.attrs["estimates"]))
    assert note["energy"] == pytest.approx(7.0)
    assert note["scaled"] is True
    assert note["intervals"] == 4
    assert "linear" in note["disclosure"]
    assert found.attrs["dentcloud"] == {"schema": 1}


def test_nothing_to_fill():
    """A whole frame comes back with empty columns."""
    found = made().dent.estimate()
    assert found[COLUMN].isna().all()
    assert found.attrs["estimates"] == []


def test_only_gaps_within_bounds():
    """A gap outside is left alone."""
    frame = made()
    lost = frame.drop(frame.index[[2, 9]])
    found = lost.dent.estimate(start="2024-01-01 01:00", tz="UTC")
    assert found[COLUMN].notna().sum() == 1


def test_bounds_are_read_where_there_is_no_row():
    """A bound that is no time is refused in every frame, before what it lacks."""
    for frame in (made().iloc[:0], made()[[]].assign(**{"V/Ch/A1": 120.0})):
        with pytest.raises(RangeError, match="start='soon'"):
            frame.dent.estimate(start="soon")


def test_a_reset_in_the_gap_scales_nothing():
    """What ran before a clear is unknown, so the register does not measure the gap."""
    from dentframe import RegisterRules

    frame = made()
    frame.iloc[8:, 1] -= frame.iloc[7, 1]
    found = frame.drop(frame.index[4:8]).dent.estimate(registers=RegisterRules(max_kw=20))
    assert found[COLUMN].iloc[4:8].to_numpy() == pytest.approx([5.8, 5.6, 5.4, 5.2])


def test_several_meters_and_shuffled_rows():
    """Each meter's gap gets rows of its own, in order of meter and time."""
    frame = made()
    both = pd.concat(
        {"P2": frame.drop(frame.index[4:8]), "P1": frame.drop(frame.index[9])},
        names=["meter", "time"],
    )
    found = both.sample(frac=1, random_state=1).dent.estimate()
    assert found.index.is_monotonic_increasing
    assert len(found) == 26
    sums = found.groupby("meter")[COLUMN].sum() / 4
    assert sums.to_dict() == pytest.approx({"P1": 1.0, "P2": 7.0})
    assert found["disclosure"].dropna().iloc[0].startswith("P1_A: ")


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_the_index_keeps_its_unit_and_zone(unit):
    """New rows are stamped as the others are."""
    frame = made().tz_convert("Asia/Kathmandu")
    frame.index = frame.index.as_unit(unit)
    found = frame.drop(frame.index[4:8]).dent.estimate()
    assert found.index.dtype == frame.index.dtype


def test_late_stamps():
    """With a lag the estimates are stamped as late as the readings."""
    frame = made()
    demand = frame[["DemandkW/Elm/A"]].drop(frame.index[4:8])
    late = demand.set_axis(demand.index + pd.Timedelta("3min")).rename_axis("time")
    found = frame[["kWHNet/Elm/A"]].join(late, how="outer").dent.estimate(demand_lag="3min")
    assert found[COLUMN].dropna().to_numpy() == pytest.approx(KW[4:8])
    assert (found.index[found["estimated"]] == frame.index[4:8] + pd.Timedelta("3min")).all()


def test_what_is_refused():
    """An unknown method, one that is none, no readings, days without a zone."""
    frame = made()
    with pytest.raises(ConfigError, match="linear, reference_days"):
        frame.dent.estimate("spline")
    with pytest.raises(ConfigError, match="neither a name nor a callable"):
        frame.dent.estimate(3)
    with pytest.raises(KindError, match="Cannot estimate"):
        frame.rename(
            columns=lambda c: c.replace("kWHNet", "V").replace("DemandkW", "A")
        ).dent.estimate()
    with pytest.raises(RangeError, match="time zone"):
        frame.dent.estimate("reference_days")
