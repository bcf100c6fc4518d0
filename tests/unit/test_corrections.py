"""Corrections of a meter: what they may say, and what every verb makes of them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dentframe import Correction, RegisterRules, Schedule, Site, Window
from dentframe.errors import ConfigError, KindError, UnknownMeterError
from dentframe.money.demand_charges import Ratchet
from dentframe.money.utility_bill_and_rules import BillLine
from dentframe.site.corrections import in_force, load_corrections
from tests.split_kit import element, readings, site

T = pd.date_range("2024-01-01", "2024-01-05", freq="15min", tz="UTC", name="time")
N = len(T)


@pytest.fixture
def df():
    """Four kW for four days: 96 kWh a day, in the register and in the means."""
    return pd.DataFrame(
        {"kWHNet/Elm/A": 100 + np.arange(N) * 1.0, "DemandkW/Elm/A": 4.0, "A/Ch/A1": 5.0}, T
    )


def make(kind, name="c", on_element="A", **more):
    """A correction."""
    return Correction(kind, on_element, name, "because", "2024-02-01", **more)


def days(df, *corrections, **more):
    """The rows of each day."""
    return df.dent.energy("D", tz="UTC", corrections=corrections, detail=True, **more)


FACTOR = make("factor", start="2024-01-02 12:07", factor=2)


# --- what they say -----------------------------------------------------------------------

TOML = """
[[corrections]]
kind = "factor"
element = "P1_A"
id = "ct"
reason = "CT 200:5"
on = 2024-01-09
from = 2024-01-03
factor = 2.0

[[corrections]]
kind = "figure"
element = "P1_B"
id = "agreed"
reason = "flood"
on = 2024-01-09
from = 2024-01-03
to = 2024-01-05
kwh = 120.5
kw = 4
windows = { peak = 100.5, off = 20 }
by = "the tenant"
"""


def test_a_site_file_keeps_them(tmp_path):
    """Read, written, read again; a file of their own is read alone."""
    (tmp_path / "c.toml").write_text(TOML)
    found = load_corrections(tmp_path / "c.toml")
    assert [x.id for x in found] == ["ct", "agreed"]
    whole = site(corrections=[x.to_dict() for x in found])
    assert whole.corrections == found
    assert Site.from_dict(whole.to_dict()) == whole
    (tmp_path / "site.toml").write_text(whole.to_toml())
    assert load_corrections(tmp_path / "site.toml") == found
    (tmp_path / "none.toml").write_text("")
    with pytest.raises(ConfigError, match=r"no table \[\[corrections\]\]"):
        load_corrections(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("kind", "more", "says"),
    [
        ("ct", {}, "'kind' = 'ct': it must be one of factor"),
        ("factor", {"factor": 2}, "'from': it is missing"),
        ("factor", {"start": "2024-01-01", "factor": 0}, "above 0"),
        ("factor", {"start": "2024-01-01", "factor": "x"}, "'factor' = 'x': it must be a number"),
        ("factor", {"start": "2024-01-01", "factor": 2, "kwh": 3}, "'kwh' = 3: it goes not with"),
        ("reading", {"time": "2024-01-01"}, "'value': it is missing"),
        ("exchange", {"time": "2024-01-01", "closing": 1}, "'opening': it is missing"),
        ("figure", {"start": "2024-01-01", "kwh": 1, "by": "B"}, "'to': it is missing"),
        ("figure", {"start": "2024-01-01", "end": "2024-01-02", "kwh": 1}, "'by': it is missing"),
        (
            "figure",
            {"start": "2024-01-01", "end": "2024-01-02", "kwh": 9, "by": "B", "windows": {"p": 1}},
            "add up to 1",
        ),
    ],
)
def test_what_cannot_be_meant_is_told(kind, more, says):
    """The correction, its field, and why."""
    with pytest.raises(ConfigError, match=says):
        make(kind, **more)


@pytest.mark.parametrize("number", [np.float64(8.5), np.float32(8.5), Decimal("8.5"), "8.5"])
def test_a_number_may_be_numpys(number):
    """A sum of a frame's column, as it is; a line of a bill and a ratchet take it too."""
    assert make("figure", start="2024-01-01", end="2024-01-02", kwh=number, by="B").kwh == 8.5
    assert BillLine("Energy", "energy", Decimal(1), kwh=number).kwh == Decimal("8.5")
    assert Ratchet(number, 11).percent == Decimal("8.5")


@pytest.mark.parametrize("nothing", ["", {}, ()])
def test_nothing_is_no_number_and_no_time(nothing):
    """What is empty and of another kind than the field's default is refused, not left out."""
    for made in (
        lambda: make("figure", start="2024-01-01", end="2024-01-02", kwh=nothing, by="B"),
        lambda: BillLine("Energy", "energy", Decimal(1), kwh=nothing),
        lambda: BillLine("Energy", "energy", Decimal(1), start=nothing, end="2024-01-02"),
        lambda: Ratchet(80, 11, minimum=nothing),
    ):
        with pytest.raises(ConfigError, match=r"it must be a (number|date)"):
            made()


def test_what_has_no_value_is_refused_in_words():
    """A frame's blank cell, or a column where one cell is meant."""
    for value in (pd.NA, np.array([1.0, 2.0]), pd.Series([1.0])):
        with pytest.raises(ConfigError, match=r"correction 'c' of .*: field 'value' = .* a number"):
            make("reading", time="2024-01-02", value=value)


def test_only_an_overlap_of_one_kind_is_an_error():
    """Both sides are named; one that replaces the other takes its place."""
    first = make("factor", "first", "P1_A", start="2024-01-01", factor=2)
    second = make("factor", "second", "P1_A", start="2024-01-03", end="2024-01-04", factor=3)
    other = make("factor", "other", "P1_B", start="2024-01-01", factor=2)
    reading = make("reading", "read", "P1_A", time="2024-01-03", value=300)
    with pytest.raises(ConfigError, match=r"'second' of P1_A: it overlaps correction 'first'"):
        site(corrections=[x.to_dict() for x in (first, second)])
    site(corrections=[x.to_dict() for x in (first, other, reading)])
    chained = make("factor", "second", "P1_A", start="2024-01-03", factor=3, replaces="first")
    assert [x.id for x in in_force([first, chained], T.tz)] == ["second"]


def test_many_corrections_are_compared_by_times_that_are_read_once(monkeypatch):
    spans, read = [], Correction.span
    monkeypatch.setattr(Correction, "span", lambda x, tz: spans.append(x) or read(x, tz))
    given = [
        Correction("factor", f"P{i}_A", id=f"{i}", reason="CT", on="2024-05-01", factor=2,
                   start="2024-01-01", end="2024-02-01")
        for i in range(20)
    ]  # fmt: skip
    in_force(given, dt.UTC)
    assert len(spans) <= 3 * len(given)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"on_element": "P1_C"}, "no such element"),
        ({"replaces": "x"}, "replaces 'x', and there is none"),
        ({"end": "2023-12-01"}, "is not after 'from'"),
    ],
)
def test_a_site_knows_its_elements(given, says):
    """An unknown element, an unknown id, a span the wrong way round."""
    one = make("factor", **{"on_element": "P1_A", "start": "2024-01-01", "factor": 2} | given)
    with pytest.raises(ConfigError, match=says):
        site(corrections=[one.to_dict()])
    two = [make("factor", "c", x, start="2024-01-01", factor=2).to_dict() for x in ("P1_A", "P1_B")]
    with pytest.raises(ConfigError, match="same id"):
        site(corrections=two)


# --- what verbs make of them -------------------------------------------------------------


def test_a_factor_multiplies_increments(df):
    """From its instant on, to the minute; the raw figure stands beside; nothing is changed."""
    before = df.copy()
    rows = days(df, FACTOR)
    assert rows["energy"].tolist() == pytest.approx([96, 96 + (11 * 60 + 53) / 60 * 4, 192, 192])
    assert rows["raw"].tolist() == [96.0] * 4
    assert rows["flags"].tolist() == [(), ("corrected",), ("corrected",), ("corrected",)]
    assert set(rows["status"]) == {"recorded"}
    pd.testing.assert_frame_equal(df, before)


def test_each_window_of_time_has_its_raw_energy_too(df):
    """A schedule cuts raw energy as it cuts the corrected one: both add up to those of the day."""
    peak = Schedule([Window("peak", "16:00", "21:00")])
    rows, whole = days(df, FACTOR, schedule=peak), days(df, FACTOR)
    found = rows.groupby("start")[["raw", "energy"]].sum()
    np.testing.assert_allclose(found.to_numpy(), whole[["raw", "energy"]].to_numpy())
    assert set(rows["window"]) == {"peak", "other"}


@pytest.mark.parametrize("source", ["register", "demand"])
@pytest.mark.parametrize("end", [None, "2024-01-04"])
def test_a_factor_covers_nothing_that_was_not_read(df, source, end):
    """Time before the first reading stays missing where a factor began earlier; never zero."""
    early = make("factor", start="2023-12-30", end=end, factor=2)
    rows = days(df["2024-01-02 06:00":], early, source=source, start="2023-12-31", end="2024-01-03")
    assert rows["energy"].isna().tolist() == [True, True, False]
    assert rows["status"].tolist() == ["missing", "missing", "partial"]
    assert rows["coverage"].tolist()[:2] == [0.0, 0.0]
    assert rows["energy"].tolist()[2] == pytest.approx(rows["coverage"].tolist()[2] * 192)


def test_verbs_agree_on_a_factor(df):
    """Energy of either source, intervals, peaks, demand, coincident demand."""
    how = {"tz": "UTC", "corrections": [FACTOR], "start": T[0], "end": T[-1]}
    whole = df.dent.energy(**how).iloc[0, 0]
    assert df.dent.energy(source="demand", **how).iloc[0, 0] == pytest.approx(whole)
    assert df.dent.intervals(**how).sum().iloc[0] == pytest.approx(whole)
    assert df.dent.peaks("D", **how)["peak"].tolist() == [4.0, 8.0, 8.0, 8.0]
    assert df.dent.demand("1h", **how).iloc[-1, 0] == 8.0
    assert df.dent.coincident("D", elements="all", **how)["site_peak"].tolist()[-1] == 8.0
    rules = RegisterRules(corrections=[FACTOR])
    assert df.dent.load_factor(registers=rules, tz="UTC", start=T[0], end=T[-1]).iloc[0, 0] > 0.7


def test_a_factor_is_of_amperes_too(df):
    """Each sample from its instant on, by the site as well; volts and power factors stay."""
    frame = df.assign(**{"V/Ch/A1": 120.0, "A/Ch/B1": 5.0, "dPF/Ch/A1": [0.5] * 240 + [1.0] * 145})
    how = {"tz": "UTC", "start": T[0], "end": T[-1], "min_coverage": 0}
    noon = make("factor", start="2024-01-02 12:00", factor=2)
    found = frame.dent.stats("A", "D", corrections=[noon], **how)
    assert found["A/Ch/A1", "mean"].tolist() == pytest.approx(
        [5, 7.5 - 5 * 7.5 / 60 / 24, 10, 10], abs=0.06
    )
    assert found["A/Ch/A1", "max"].tolist() == [5.0, 10.0, 10.0, 10.0]
    assert set(found["A/Ch/B1", "max"]) == {5.0}
    assert set(frame.dent.stats("V", "D", corrections=[noon], **how)["V/Ch/A1", "mean"]) == {120.0}
    where = site(tz="UTC", corrections=[{**noon.to_dict(), "element": "P1_A"}])
    several = pd.concat({"P1": frame}, names=["meter"])
    by_site = several.dent.stats("A", "D", site=where, start=T[0], end=T[-1], min_coverage=0)
    assert by_site["A/Ch/A1", "max"].tolist() == [5.0, 10.0, 10.0, 10.0]
    with pytest.raises(UnknownMeterError, match="no such element"):
        frame.dent.stats(
            "A", tz="UTC", corrections=[make("factor", "x", "Z", start="2024-01-02", factor=2)]
        )


def test_a_sites_corrections_are_those_given(df):
    """`site=` gives the same as `corrections=`; both at once add up."""
    frame = pd.concat({"P1": df}, names=["meter"])
    own = make("factor", "own", "P1_A", start="2024-01-02 12:07Z", factor=2)
    where = site(elements={"P1_A": element()}, tenants=[{"name": "A", "elements": ["P1_A"]}],
                 corrections=[own.to_dict()])  # fmt: skip
    a = frame.dent.energy("D", tz="UTC", site=where)
    pd.testing.assert_frame_equal(a, frame.dent.energy("D", tz="UTC", corrections=[own]))
    more = make("reading", "read", "P1_A", time="2024-01-03 00:07Z", value=292.5)
    both = frame.dent.energy("D", tz="UTC", site=where, corrections=[more], detail=True)
    assert both["energy"].sum() == pytest.approx(a.sum().sum())
    again = make("factor", "again", "P1_A", start="2024-01-03 00:00Z", factor=2)
    with pytest.raises(ConfigError, match="overlaps"):
        frame.dent.energy(tz="UTC", site=where, corrections=[again])


def test_a_cap_is_of_the_true_power(df):
    """With CTs of half the ratio the register shows half: steps above that are refuted."""
    half = df.assign(**{"kWHNet/Elm/A": df["kWHNet/Elm/A"] / 2})
    jump = half.copy()
    jump.iloc[200:, 0] += 20.0
    two = make("factor", start="2024-01-01", factor=2)
    rules = RegisterRules(max_kw=9)
    assert set(days(half, two, registers=rules)["status"]) == {"recorded"}
    assert days(jump, two, registers=rules)["status"].tolist()[2] == "partial"


def test_a_hand_reading_records_the_edge_of_a_gap(df):
    """After 36 hours without a reading the midnight that was read by hand is recorded."""
    df.iloc[100:244, 0] = np.nan
    assert "estimated" in set(days(df)["status"])
    hand = make("reading", time="2024-01-03", value=290, by="caretaker")
    rows = days(df, hand)
    assert set(rows["status"]) == {"recorded"}
    assert rows["energy"].tolist() == [96.0, 94.0, 98.0, 96.0]
    assert rows["open_reading"].tolist()[2] == 290.0
    assert "corrected" in rows["flags"][1]


def test_a_hand_reading_takes_the_place_of_a_wrong_one(df):
    """A mistyped reading at the same instant is gone."""
    df.loc["2024-01-03", "kWHNet/Elm/A"].iloc[0]
    df.loc["2024-01-03 00:00", "kWHNet/Elm/A"] = 2920.0
    rows = days(df, make("reading", time="2024-01-03", value=292))
    assert rows["energy"].tolist() == [96.0] * 4


def test_an_exchange_has_two_readings_and_its_own_instant(df):
    """The old closing ends one day, the new opening begins the next."""
    df.iloc[100:250, 0] = np.nan
    df.iloc[250:, 0] -= 290
    rows = days(df, make("exchange", time="2024-01-03", closing=290, opening=0))
    assert rows["energy"].tolist() == [96.0, 94.0, 98.0, 96.0]
    assert rows["close_reading"].tolist()[1] == 290.0
    assert rows["open_reading"].tolist()[2] == 0.0


@pytest.mark.parametrize(
    "wrong",
    [
        make("reading", time="2024-01-03 00:07", value=900),
        make("reading", time="2024-01-03 00:07", value=2),
        make("exchange", time="2024-01-03 00:07", closing=20, opening=280),
    ],
)
def test_what_the_register_refutes_names_both_sides(df, wrong):
    """The value by hand, and the readings around it."""
    with pytest.raises(ConfigError, match=r"refuted by the register, which showed 292\.000 kWh"):
        days(df, wrong)


def test_what_is_no_list_is_no_corrections(df):
    """A number is refused by its value, as a text is."""
    with pytest.raises(ConfigError, match="Cannot use corrections=5: they are no corrections"):
        df.dent.energy("D", tz="UTC", corrections=5)


@pytest.mark.parametrize("topic", ["kWHNet", "DemandkW"])
def test_an_agreed_figure_between_two_readings_is_refused(df, topic):
    """Both its ends would move to one reading, and what was agreed would be of no time."""
    figure = make("figure", start="2024-01-02 03:01", end="2024-01-02 03:10", kwh=5, by="B")
    with pytest.raises(ConfigError, match=r"to the one of 2024-01-02T03:00:00\+00:00, and its"):
        days(df[[f"{topic}/Elm/A"]], figure)


def test_an_agreed_figure_replaces_what_nobody_measured(df):
    """It adds up to the figure; what it adds to the meter is told apart."""
    figure = make("figure", start="2024-01-02", end="2024-01-03", kwh=50, by="B")
    rows = days(df, figure)
    assert rows["energy"].tolist() == pytest.approx([96, 50, 96, 96])
    assert rows["agreed"].tolist() == pytest.approx([0, -46, 0, 0])
    assert rows["status"].tolist()[1] == "estimated"
    assert rows["flags"][1] == ("agreed", "corrected")
    df.iloc[96:193, 0] = np.nan
    df.iloc[193:, 0] = np.nan
    gone = df[["kWHNet/Elm/A"]]
    rows = days(gone, figure, start=T[0], end=T[-1])
    assert rows["energy"].tolist()[:2] == pytest.approx([95, 50])
    assert rows["agreed"].tolist()[1] == 0.0


@pytest.mark.parametrize("how", ["interpolate", "last_reading"])
def test_an_agreed_figure_makes_no_edge_in_a_gap_sure(df, how):
    """Of two periods that meet in a gap only that of the figure is known there."""
    df.iloc[150:250, 0] = np.nan
    edges = [T[0], pd.Timestamp("2024-01-03", tz="UTC"), T[-1]]
    for inside, span in enumerate([("2024-01-02", edges[1]), (edges[1], "2024-01-04")]):
        figure = make("figure", start=span[0], end=span[1], kwh=50, by="B")
        rows = df.dent.energy(edges, tz="UTC", elements="A", edges=how, corrections=figure,
                              detail=True)  # fmt: skip
        assert rows["status"].tolist() == ["estimated", "estimated"]
        assert ["edge_in_gap" in x for x in rows["flags"]] == [inside == 1, inside == 0]
        assert ["agreed" in x for x in rows["flags"]] == [inside == 0, inside == 1]


def test_an_agreed_demand_is_the_peak(df):
    """Where the figure states kW it is the highest demand of its span."""
    figure = make("figure", start="2024-01-02", end="2024-01-03", kwh=50, kw=3, by="B")
    how = {"start": T[0], "end": T[-1], "min_coverage": 0}
    peaks = df.dent.peaks("D", tz="UTC", corrections=[figure], **how)
    assert peaks["peak"].tolist() == [4.0, 3.0, 4.0, 4.0]
    assert peaks["status"].tolist()[1] == "estimated"


def test_an_agreed_demand_is_that_of_its_day_where_all_others_are_zero():
    """It stands at the end of its span, and leaves the day before its own peak."""
    frame = pd.DataFrame({"DemandkW/Elm/A": 1.0}, T)
    frame.loc["2024-01-02 00:15":"2024-01-03 00:00"] = 0.0
    figure = make("figure", start="2024-01-02", end="2024-01-03", kwh=50, kw=3, by="B")
    how = {"start": T[0], "end": T[-1], "min_coverage": 0}
    peaks = frame.dent.peaks("D", tz="UTC", corrections=[figure], **how)
    assert peaks["peak"].tolist() == [1.0, 3.0, 1.0, 1.0]
    assert peaks["end"][1] == pd.Timestamp("2024-01-03", tz="UTC")


def test_an_unknown_element_is_refused(df):
    """As a rule that names one."""
    with pytest.raises(UnknownMeterError, match="corrections"):
        days(df, make("factor", on_element="B", start="2024-01-02", factor=2))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 96 * 4), min_size=1, max_size=6, unique=True),
    st.floats(0.1, 10),
    st.integers(0, 5000),
    st.integers(1, 5000),
    st.floats(0, 500).map(lambda x: round(x, 9)),
)
def test_conservation_holds(cuts, factor, first, length, kwh):
    """The parts of any partition add up to the whole, whatever is corrected."""
    rng = np.random.default_rng(first)
    frame = pd.DataFrame({"kWHNet/Elm/A": np.cumsum(rng.random(N))}, T)
    frame[rng.random(N) < 0.2] = np.nan
    start = T[0] + pd.Timedelta(minutes=first)
    end = start + pd.Timedelta(minutes=length)
    later = end + pd.Timedelta("7h")
    made = [
        make("factor", "f", start=start, end=end, factor=factor),
        make("figure", "g", start=end, end=later, kwh=kwh, by="B"),
    ]
    edges = [T[0], *(T[0] + pd.Timedelta(minutes=15 * x + 4) for x in sorted(cuts)), T[-1]]
    edges = sorted({x for x in edges if x <= T[-1]})
    how = {"tz": "UTC", "corrections": made, "min_coverage": 0}
    for way in ("interpolate", "last_reading"):
        parts = frame.dent.energy(edges, edges=way, **how)
        whole = frame.dent.energy([edges[0], edges[-1]], edges=way, **how)
        assert np.nansum(parts) == pytest.approx(np.nansum(whole), abs=1e-6)


# --- a Dataset, Dask and an archive ------------------------------------------------------

EACH = [
    FACTOR,
    make("reading", time="2024-01-02 12:07", value=244.5),
    make("exchange", time="2024-01-02 12:07", closing=244.5, opening=244.5),
    make("figure", start="2024-01-02", end="2024-01-03", kwh=120, by="the tenant", kw=9),
]


@pytest.mark.parametrize("one", EACH, ids=lambda x: x.kind)
def test_a_dataset_says_the_same(df, one):
    """Energy and peaks, of a Dataset and of a chunked one."""
    pytest.importorskip("xarray")
    how = {"tz": "UTC", "corrections": [one], "start": T[0], "end": T[-1], "min_coverage": 0}
    data = df.drop(columns="A/Ch/A1").dent.to_xarray()
    energy = df.dent.energy("D", **how)
    for x in (data, data.chunk({"time": 96}) if find_spec("dask") else data):
        found = x.dent.energy("D", **how)
        assert found["Energy"].sel(element="A").values.tolist() == energy.iloc[:, 0].tolist()
        peaks = x.dent.peaks("D", **how)["peak"].values.ravel().tolist()
        assert peaks == df.dent.peaks("D", **how)["peak"].tolist()


@pytest.mark.parametrize("at", ["2024-01-02 12:03", "2024-01-02 12:07", "2024-01-02 12:14"])
def test_bounds_where_a_factor_cuts_a_step(df, at):
    """All of the step's kWh may have been used before that minute, or after it and count twice."""
    two = make("factor", start=at, factor=2)
    edges = [T[0], pd.Timestamp(at, tz="UTC"), T[-1]]
    rows = df.dent.energy(edges, tz="UTC", elements="A", corrections=two, detail=True)
    before = (pd.Timestamp(at, tz="UTC").floor("15min") - T[0]) / pd.Timedelta("15min")
    after = 2 * (N - 2 - before)
    assert rows["lo"].tolist() == pytest.approx([before, after])
    assert rows["hi"].tolist() == pytest.approx([before + 1, after + 2])
    edges = [T[0], pd.Timestamp("2024-01-02 12:10Z"), T[-1]]
    rows = df.dent.energy(edges, tz="UTC", elements="A", corrections=two, detail=True)
    times = 2 if at < "2024-01-02 12:10" else 1
    assert rows["hi"].tolist() == pytest.approx([rows["lo"][0] + times, rows["lo"][1] + 2])
    assert ((rows["lo"] <= rows["energy"]) & (rows["energy"] <= rows["hi"])).all()


def test_bounds_of_an_agreed_figure_are_the_figure(df):
    """Its ends lie between two readings, and it says what was used between them."""
    figure = make("figure", start="2024-01-02 12:07", end="2024-01-03 12:08", kwh=50, by="B")
    edges = [pd.Timestamp(x, tz="UTC") for x in ("2024-01-02 12:07", "2024-01-03 12:08")]
    row = df.dent.energy(edges, tz="UTC", elements="A", corrections=figure, detail=True).iloc[0]
    assert row[["lo", "energy", "hi"]].tolist() == pytest.approx([50, 50, 50])


def test_an_exchange_explains_a_falling_register(df):
    """Ten falls are no register; ten exchanges of a meter that was replaced again and again are."""
    fallen = df.copy()
    at = range(30, 330, 30)
    swaps = []
    for n, i in enumerate(at):
        fallen.iloc[i:, 0] -= 30.0 + 0.5 * n
        value = float(fallen.iloc[i, 0])
        swaps.append(make("exchange", f"e{n}", time=T[i], closing=value + 30 + 0.5 * n,
                          opening=value))  # fmt: skip
    fallen = fallen.iloc[25:333]
    rows = fallen.dent.energy(tz="UTC", elements="A", corrections=swaps, detail=True)
    assert rows["energy"].tolist() == [307.0]
    assert rows["status"].tolist() == ["recorded"]


def test_corrections_that_leave_a_falling_register_are_named(df):
    """The error says that they were not applied."""
    df["kWHNet/Elm/A"] = 50 + 40 * np.sin(np.arange(N))
    with pytest.raises(KindError, match="So correction 'c' of A cannot be applied"):
        df.dent.energy("D", tz="UTC", elements="A", corrections=FACTOR)


@pytest.mark.parametrize("what", [pd.DataFrame({"kind": ["factor"]}), np.array([1.0]), "a.toml"])
def test_what_is_no_correction_is_refused_in_words(what):
    """A table of pandas, numbers, or the name of a file are none."""
    frame = readings({"A": 100})
    with pytest.raises(ConfigError, match="Give a list of "):
        frame.dent.energy("D", tz="UTC", corrections=what)


def test_a_factor_that_begins_inside_a_long_gap_makes_an_estimate():
    """Nobody knows how much of the gap's use came before; the parts have the same bounds."""
    t = pd.DatetimeIndex(["2024-01-01", "2024-01-11"], tz="UTC", name="time")
    frame = pd.concat({"P1": pd.DataFrame({"kWHNet/Elm/A": [0.0, 100.0]}, t)}, names=["meter"])
    fix = Correction("factor", "P1_A", "c", "x", on="2024-12-01", start="2024-01-06", factor=2)
    whole = frame.dent.energy(None, tz="UTC", detail=True, corrections=[fix]).iloc[0]
    assert whole[["energy", "lo", "hi", "status"]].tolist() == [150, 100, 200, "estimated"]
    assert "edge_in_gap" in whole["flags"]


def test_a_factor_that_begins_between_two_near_readings_makes_no_estimate():
    """The step between them is no gap."""
    t = pd.date_range("2024-01-01", periods=9, freq="15min", tz="UTC", name="time")
    frame = pd.concat({"P1": pd.DataFrame({"kWHNet/Elm/A": range(9)}, t, dtype=float)})
    frame.index.names = ["meter", "time"]
    fix = Correction(
        "factor", "P1_A", "c", "x", on="2024-12-01", start="2024-01-01T01:05Z", factor=2
    )
    whole = frame.dent.energy(None, tz="UTC", detail=True, corrections=[fix]).iloc[0]
    assert whole["status"] == "recorded"
    assert whole["energy"] == pytest.approx(4 + 1 / 3 + 2 * (2 / 3 + 3))
