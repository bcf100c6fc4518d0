"""Virtual meters: formulas read strictly, sums that carry the worst of their parts."""

import numpy as np
import pandas as pd
import pytest

from dentframe import RegisterRules
from dentframe.errors import ConfigError, CoverageWarning, KindError, RangeError, UnknownMeterError
from dentframe.verbs.result_frames_and_warnings import COLUMNS
from dentframe.verbs.virtual import parse


def made(**registers):
    """Registers by element, a reading each quarter hour."""
    n = len(next(iter(registers.values())))
    t = pd.date_range("2024-01-01", periods=n, freq="15min", tz="UTC", name="time")
    return pd.DataFrame({f"kWHNet/Elm/{e}": v for e, v in registers.items()}, index=t)


M17 = made(A=[0.0, 50.0], B=[0.0, 30.2], C=[7.0, 28.0])


def test_m17_goes_negative_and_says_so():
    """M17: 50.0 - 30.2 - 21.0 is -1.2, flagged, not clipped."""
    (row,) = M17.dent.virtual({"Common": "A - B - C"}, detail=True).itertuples()
    assert row.energy == pytest.approx(-1.2, abs=1e-9)
    assert row.flags == ("negative_residual",)
    assert row.status == "recorded"
    assert row.lo == row.hi == pytest.approx(-1.2, abs=1e-9)


def test_the_wide_form_is_that_of_energy():
    """Columns Energy/Elm/<name> in kWh over the period starts, units beside them."""
    found = M17.dent.virtual({"Sum": "A+B", "Rest": "A-B"})
    assert found.columns.tolist() == ["Energy/Elm/Sum", "Energy/Elm/Rest"]
    pd.testing.assert_index_equal(found.index, M17.dent.energy().index)
    assert found.iloc[0].tolist() == pytest.approx([80.2, 19.8])
    assert found.attrs == M17.dent.energy().attrs


def test_the_detail_form_is_that_of_energy():
    """The same columns in the same order, and dtypes that instants have."""
    found = M17.dent.virtual({"Rest": "A - B"}, detail=True)
    assert tuple(found.columns) == COLUMNS
    assert found["element"].tolist() == ["Rest"]
    assert found["open_at"].isna().all()
    assert str(found["open_at"].dtype).startswith("datetime64")


def test_factors_scale_and_turn_bounds():
    """A negative factor swaps lo and hi."""
    frame = made(A=[0.0, 8.0], B=[0.0, 2.0])
    (row,) = frame.dent.virtual(
        {"X": "A - 0.5*B"}, start="2024-01-01 00:03", end="2024-01-01 00:09", tz="UTC",
        detail=True,
    ).itertuples()  # fmt: skip
    assert row.energy == pytest.approx(0.4 * 7.0)
    assert (row.lo, row.hi) == pytest.approx((0.0 - 0.5 * 2.0, 8.0))


def test_meters_are_added_across():
    """Full ids reach into several meters; the result has no meter level."""
    frame = pd.concat({"P1": M17, "P2": 2 * M17}, names=["meter", "time"])
    found = frame.dent.virtual({"Common": "P1_A - 0.25*P2_B"})
    assert found.index.nlevels == 1
    assert found.iloc[0, 0] == pytest.approx(50 - 0.25 * 60.4)


def test_meters_read_at_different_minutes():
    """Sums of energies per period need no common instants."""
    shifted = made(A=np.arange(9.0)).set_axis(
        pd.date_range("2023-12-31 23:53", periods=9, freq="15min", tz="UTC", name="time")
    )
    frame = pd.concat({"P1": made(A=2 * np.arange(9.0)), "P2": shifted}, names=["meter", "time"])
    (row,) = frame.dent.virtual(
        {"X": "P1_A - P2_A"}, start="2024-01-01 00:00", end="2024-01-01 01:45", tz="UTC",
        detail=True,
    ).itertuples()  # fmt: skip
    assert row.energy == pytest.approx(7.0)
    assert row.coverage == 1.0


def test_the_least_coverage_counts():
    """A part that lacks half a period makes the sum partial, and one warning says so."""
    frame = pd.concat(
        {"P1": made(A=np.arange(5.0)), "P2": made(A=np.arange(3.0))}, names=["meter", "time"]
    )
    with pytest.warns(CoverageWarning, match="1 of 1 figures") as caught:
        found = frame.dent.virtual({"X": "P1_A - P2_A"}, "h", tz="UTC")
    assert len(caught) == 1
    assert caught[0].filename == __file__
    (row,) = frame.dent.virtual({"X": "P1_A - P2_A"}, "h", tz="UTC", detail=True).itertuples()
    assert found.iloc[0, 0] == row.energy == 0.0
    assert (row.coverage, row.status, row.readings, row.expected) == (0.5, "partial", 2, 4)


def test_a_missing_part_makes_it_missing():
    """An element without any reading is missing, never zero."""
    frame = made(A=np.arange(5.0), B=np.full(5, np.nan))
    with pytest.warns(CoverageWarning, match="missing"):
        frame.dent.virtual({"X": "A - B"})
    (row,) = frame.dent.virtual({"X": "A - B"}, detail=True).itertuples()
    assert np.isnan(row.energy)
    assert (row.coverage, row.status) == (0.0, "missing")


def test_an_element_of_another_meter_only_is_missing():
    """A column that a meter does not have is NaN there, so its part is missing."""
    one, two = made(A=np.arange(5.0)), made(A=np.arange(5.0), B=np.arange(5.0))
    frame = pd.concat({"P1": one, "P2": two}, names=["meter", "time"])
    with pytest.warns(CoverageWarning, match="missing"):
        found = frame.dent.virtual({"X": "P2_A - P1_B"})
    assert found.isna().all().all()


def test_only_the_time_that_all_parts_cover_counts():
    """A whole less half of B is no rest: A's first half less B's first half is."""
    t = pd.date_range("2024-01-01", periods=97, freq="15min", tz="UTC", name="time")
    frame = pd.DataFrame({"DemandkW/Elm/A": 2.2, "DemandkW/Elm/B": 1.8}, index=t[1:])
    frame.iloc[48:, 1] = np.nan
    (row,) = frame.dent.virtual({"Rest": "A - B"}, "D", tz="UTC", detail=True).itertuples()
    assert row.energy == pytest.approx(12 * 0.4)
    assert (row.coverage, row.status) == (0.5, "partial")


def test_the_middle_that_one_part_lacks_is_taken_from_all():
    """A refused step of one register takes its time from the others, bounds included."""
    frame = made(A=np.arange(9.0), B=[0, 1, 2, 3, 9000, 9001, 9002, 9003, 9004.0])
    rules = RegisterRules(max_kw={"B": 8.0})
    (row,) = frame.dent.virtual({"X": "A + B"}, registers=rules, detail=True).itertuples()
    assert row.energy == row.lo == row.hi == pytest.approx(14.0)
    assert row.coverage == pytest.approx(7 / 8)
    assert row.flags == ("unexplained_jump",)


def test_last_readings_move_each_part_on_its_own():
    """With `last_reading` a part runs between its own readings, and that costs no coverage."""
    t = pd.date_range("2023-12-31 23:45", periods=99, freq="15min", tz="UTC", name="time")
    one = pd.DataFrame({"kWHNet/Elm/A": 3.0 * np.arange(99)}, index=t + pd.Timedelta("2min"))
    two = pd.DataFrame({"kWHNet/Elm/A": 1.0 * np.arange(99)}, index=t + pd.Timedelta("9min"))
    frame = pd.concat({"P1": one, "P2": two}, names=["meter", "time"])
    span = {"tz": "UTC", "start": "2024-01-01", "end": "2024-01-02", "edges": "last_reading"}
    (row,) = frame.dent.virtual({"X": "P1_A - P2_A"}, detail=True, **span).itertuples()
    parts = frame.dent.energy(**span)
    assert row.energy == parts.iloc[0, 0] - parts.iloc[1, 0] == 2 * 96
    assert (row.coverage, row.status, row.flags) == (1.0, "recorded", ())
    lost = frame.drop(index=("P2", t[41] + pd.Timedelta("9min")))
    lost.loc[("P2", t[42]) :, :] += 5000.0
    (row,) = lost.dent.virtual(
        {"X": "P1_A - P2_A"}, detail=True, registers=RegisterRules(max_kw=20.0), **span
    ).itertuples()
    assert row.energy == pytest.approx(2 * 94)
    assert row.coverage == pytest.approx(94 / 96)


def test_a_moved_span_without_length_is_missing():
    """Both edges at one reading: nothing was measured, though the other part was."""
    frame = made(A=np.arange(9.0), B=[0, 1, 2, np.nan, 3, 4, 5, 6, 7.0])
    span = {"start": "2024-01-01 00:31", "end": "2024-01-01 00:46", "edges": "last_reading"}
    (row,) = frame.dent.virtual({"X": "A - B"}, tz="UTC", detail=True, **span).itertuples()
    assert (row.status, row.coverage) == ("missing", 0.0)
    assert np.isnan(row.energy)


def test_min_coverage_withholds_in_silence():
    """Below it NaN, and nothing warns."""
    frame = pd.concat(
        {"P1": made(A=np.arange(5.0)), "P2": made(A=np.arange(3.0))}, names=["meter", "time"]
    )
    found = frame.dent.virtual({"X": "P1_A - P2_A"}, "h", tz="UTC", min_coverage=0.9)
    assert found.isna().all().all()


def test_flags_and_the_worst_status_travel():
    """A reset of one part makes the sum an estimate, with its flag."""
    frame = made(A=[0.0, 4.0, 8.0, 12.0], B=[900.0, 901.0, 0.5, 1.5])
    rules = RegisterRules(max_kw={"B": 8.0})
    (row,) = frame.dent.virtual({"X": "A - B"}, registers=rules, detail=True).itertuples()
    assert row.status == "estimated"
    assert row.flags == ("reset",)
    assert row.lo < row.energy < row.hi or row.energy == pytest.approx(row.hi)


def test_sources_may_differ():
    """A register and a demand together are mixed, and have no bounds."""
    frame = made(A=np.arange(5.0))
    frame["DemandkW/Elm/B"] = 2.0
    (row,) = frame.dent.virtual(
        {"X": "A - B"}, start="2024-01-01", end="2024-01-01 01:00", tz="UTC", detail=True
    ).itertuples()
    assert row.source == "mixed"
    assert row.energy == pytest.approx(2.0)
    assert np.isnan(row.lo)


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("A -", "its end at position 4.*an element"),
        ("A ** B", r"'\*' at position 3"),
        ("A / B", "'/' at position 3"),
        ("(A)", r"'\(' at position 1"),
        ("1 + A", r"'\+' at position 3"),
        ("A B", r"'B' at position 3.*\+ or -"),
        ("A - - B", "'-' at position 5"),
        ("0*A", "not 0"),
        ("1e3*A", "'1' at position 1"),
        ("A*2", r"'\*' at position 2"),
        ("A - A", "names 'A' twice"),
        ("__import__('os')", "'_' at position 1"),
        ("", "its end at position 1"),
    ],
)
def test_a_formula_that_cannot_be_read(formula, words):
    """The message names the token, where it stands, and what is allowed."""
    with pytest.raises(ConfigError, match=words):
        M17.dent.virtual({"X": formula})


def test_a_formula_is_read_strictly():
    """Signs, factors and ids, with or without spaces."""
    terms = [(t.factor, t.name) for t in parse("-A+ 2*P1_B -.5 * C", "X")]
    assert terms == [(-1.0, "A"), (2.0, "P1_B"), (-0.5, "C")]


@pytest.mark.parametrize("name", ["A", "a b", "P1_A", "1x", "", 3])
def test_a_name_that_cannot_be_used(name):
    """Taken by an element, or no name at all."""
    with pytest.raises(ConfigError, match="Cannot name"):
        M17.dent.virtual({name: "B"})


def test_elements_that_are_not_there():
    """The message lists what there is; a bare letter is ambiguous among meters."""
    with pytest.raises(UnknownMeterError, match="A, B, C"):
        M17.dent.virtual({"X": "A - D"})
    frame = pd.concat({"P1": M17, "P2": M17}, names=["meter", "time"])
    with pytest.raises(ConfigError, match="P1_A, P2_A"):
        frame.dent.virtual({"X": "A"})
    with pytest.raises(UnknownMeterError, match="P3_A"):
        frame.dent.virtual({"X": "P3_A"})


def test_a_part_that_is_no_register_is_refused_and_no_other():
    """An undeclared exporter stops the formulas that name it."""
    frame = made(A=np.arange(41.0), B=np.arange(41.0), C=np.r_[np.arange(41.0, 0, -1)])
    assert frame.dent.virtual({"X": "A + B"}).iloc[0, 0] == 80.0
    with pytest.raises(KindError, match="allow_export"):
        frame.dent.virtual({"X": "A - C"})


def test_what_does_not_add_up_is_refused():
    """kVAh of two loads, no formula at all, days without a zone."""
    frame = M17.rename(columns=lambda c: c.replace("kWHNet", "kVAHNet"))
    with pytest.raises(KindError, match="do not add up"):
        frame.dent.virtual({"X": "A - B"}, topic="kVAHNet")
    with pytest.raises(ConfigError, match="at least one"):
        M17.dent.virtual({})
    with pytest.raises(RangeError, match="time zone"):
        M17.dent.virtual({"X": "A"}, "D")
