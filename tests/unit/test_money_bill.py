"""Bills: gates, windows, seasons, clock changes, several elements, export, proration."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from dentframe import RegisterRules, Tariff, Window
from dentframe.errors import (
    ConfigError,
    CoverageError,
    RangeError,
    ReadingWarning,
    UnknownTopicError,
)
from dentframe.money import (
    Demand,
    Energy,
    Fixed,
    Minimum,
    Ratchet,
    Reactive,
    Tax,
    bill,
    over_recovery,
)

NY = "America/New_York"


def registers(start, end, freq="15min", tz=NY, **kw):
    """Registers under constant powers [kW], read from start to end."""
    index = pd.date_range(start, end, freq=freq, tz=tz).tz_convert("UTC").as_unit("us")
    hours = (index - index[0]) / pd.Timedelta(hours=1)
    return pd.DataFrame(
        {f"kWHNet/Elm/{k}": np.round(1000 + v * hours, 6) for k, v in kw.items()}, index=index
    )


def march(charges, df=None, **how):
    """A bill of March 2024 in New York, where the clock goes forward on the 10th."""
    df = registers("2024-03-01", "2024-04-01", A=4.0) if df is None else df
    made = Tariff("t", charges if isinstance(charges, list) else [charges], "USD")
    return bill(df, made, "2024-03-01", "2024-04-01", tz=NY, **how)


def test_a_month_has_its_true_hours():
    """March has 743 hours in New York: 4 kW are 2972 kWh."""
    made = march(Energy("E", "0.10"))
    assert (made.lines[0].quantity, made.total) == (Decimal("2972.00"), Decimal("297.20"))
    assert made.lines[0].open_at == pd.Timestamp("2024-03-01", tz=NY)
    assert not made.lines[0].open_interpolated


@pytest.mark.parametrize(("topic", "unit"), [("DemandkW", "kWh"), ("DemandkVA", "kVAh")])
def test_energy_of_means_has_the_unit_of_energy(topic, unit):
    """What a mean power used in its time is energy."""
    df = registers("2024-03-01", "2024-04-01", A=4.0)
    df[f"{topic}/Elm/A"] = 4.0
    (line,) = march(Energy("E", "1", topic=topic), df).lines
    assert (line.quantity, line.unit) == (Decimal("2972.00"), unit)


def test_windows_on_the_day_the_clock_changes():
    """From midnight to six is five hours on 10 March and six on the others."""
    night = Window("night", "00:00", "06:00")
    made = march(Energy("E", rates={"night": "1", "other": "1"}, windows=[night]), places=None)
    assert [x.quantity for x in made.lines] == [4 * (31 * 6 - 1), 4 * 31 * 18]


def test_a_season_that_does_not_occur_makes_no_line():
    """A summer charge has no line in March."""
    charges = [
        Energy("S", "1", season=("06-01", "09-30")),
        Demand("D", "1", season=("06-01", "09-30")),
    ]
    assert march(charges).lines == ()


def test_a_season_that_ends_inside_the_period_counts_its_days():
    """A winter that ends on 15 March is 15 days less the hour that the clock skips."""
    made = march(Energy("W", "1", season=("11-01", "03-15")), places=None)
    assert made.total == 4 * (15 * 24 - 1)


@pytest.mark.parametrize(
    ("drop", "status"),
    [(slice(0, 8), "partial"), (slice(-1000, None), "partial"), (slice(1, 4), "recorded")],
)
def test_what_is_not_recorded_is_refused(drop, status):
    """Uncovered edges are refused with element, period and status; a bridged gap is not."""
    df = registers("2024-03-01", "2024-04-01", A=4.0)
    df = df.drop(df.index[drop])
    if status == "recorded":
        assert march(Energy("E", "1"), df).lines[0].status == status
        return
    told = f"element 'A' from 2024-03-01 00:00 to 2024-04-01 00:00: it is {status}"
    with pytest.raises(CoverageError, match=told):
        march(Energy("E", "1"), df)
    made = march(Energy("E", "1"), df, accept=("recorded", "partial"))
    assert made.lines[0].status == status
    assert made.lines[0].coverage < 1


def test_an_edge_in_a_gap_is_an_estimate():
    """Three hours without readings over the month's start: refused, or billed when accepted."""
    df = registers("2024-02-29", "2024-04-01", A=4.0)
    df = df[(df.index < "2024-03-01 03:00+00:00") | (df.index > "2024-03-01 08:00+00:00")]
    with pytest.raises(CoverageError, match=r"estimated.*edge_in_gap"):
        march(Energy("E", "1"), df)
    assert march(Energy("E", "1"), df, accept="estimated").total == Decimal("2972.00")


def test_a_gap_over_a_window_edge_spoils_the_windows_not_the_total():
    """The total over a gap is measured; how it falls into windows is not."""
    df = registers("2024-03-01", "2024-04-01", A=4.0)
    df = df[(df.index < "2024-03-05 16:00+00:00") | (df.index > "2024-03-05 20:00+00:00")]
    assert march(Energy("E", "1"), df).lines[0].status == "recorded"
    noon = Window("peak", "12:00", "18:00")
    with pytest.raises(CoverageError, match="window"):
        march(Energy("E", rates={"peak": 1, "other": 1}, windows=[noon]), df)


def test_missing_is_never_accepted():
    """No figure, no bill: accept cannot name missing."""
    with pytest.raises(ConfigError, match="missing"):
        march(Energy("E", "1"), accept=("recorded", "missing"))
    with pytest.raises(CoverageError, match="name recorded among the statuses"):
        march(Energy("E", "1"), accept="partial")


def test_notes_of_a_bill_are_a_list():
    """A text alone would be printed letter by letter."""
    with pytest.raises(ConfigError, match="'free' as notes of a bill: give a list"):
        march(Energy("E", "1"), notes="free")


def test_a_lost_row_makes_a_peak_partial():
    """The peak of what is covered is billed only where partial is accepted."""
    index = pd.date_range("2024-03-01 00:15", "2024-04-01", freq="15min", tz=NY)
    df = pd.DataFrame({"DemandkW/Elm/A": np.full(len(index), 7.0)}, index=index.tz_convert("UTC"))
    df = df.drop(df.index[100])
    for measure in ("block", "reported"):
        with pytest.raises(CoverageError, match=f"{measure} demand"):
            march(Demand("D", "1", measure=measure), df)
        made = march(Demand("D", "1", measure=measure), df, accept=("recorded", "partial"))
        assert (made.lines[0].quantity, made.lines[0].status) == (Decimal("7.00"), "partial")


def test_a_demand_interval_belongs_to_the_window_it_starts_in():
    """The interval labelled 12:00 began at 11:45, before the peak window."""
    index = pd.date_range("2024-03-01 00:15", "2024-04-01", freq="15min", tz=NY)
    kw = np.full(len(index), 5.0)
    kw[index == pd.Timestamp("2024-03-05 12:00", tz=NY)] = 90.0
    kw[index == pd.Timestamp("2024-03-05 12:15", tz=NY)] = 40.0
    df = pd.DataFrame({"DemandkW/Elm/A": kw}, index=index.tz_convert("UTC"))
    window = [Window("peak", "12:00", "18:00", days="weekday")]
    for measure in ("block", "reported"):
        charges = [
            Demand("All", "1", measure=measure),
            Demand("Peak", "1", windows=window, measure=measure),
        ]
        assert [x.quantity for x in march(charges, df).lines] == [90, 40]


def test_daily_demand_is_added_up_and_n_highest_are_averaged():
    """per='day' adds each day's peak; n=2, one of each day, is a mean."""
    index = pd.date_range("2024-03-01 00:15", "2024-04-01", freq="15min", tz=NY)
    kw = np.where(index.hour == 9, 10.0, 2.0)
    kw[index == pd.Timestamp("2024-03-05 09:15", tz=NY)] = 20.0
    df = pd.DataFrame({"DemandkW/Elm/A": kw}, index=index.tz_convert("UTC"))
    charges = [Demand("Daily", "1", per="day"), Demand("Two", "1", n=2, one_per_day=True)]
    daily, two = march(charges, df).lines
    assert (daily.quantity, daily.unit) == (Decimal("320.00"), "kW·day")
    assert two.quantity == 15


def test_daily_demand_counts_the_rest_of_a_first_day():
    """A period that begins in the evening, when UTC has the next day, bills that evening too."""
    df = registers("2024-03-01", "2024-03-04", A=4.0)
    made = Tariff("t", [Demand("Daily", "1", per="day")], "USD")
    found = bill(df, made, "2024-03-01 20:00", "2024-03-03", tz=NY)
    assert found.lines[0].quantity == 8


def test_elements_are_added_up_in_energy_and_in_coincident_demand():
    """Two elements: energies add, demand is that of the sum of the same block."""
    df = registers("2024-03-01", "2024-04-01", A=4.0, B=2.0)
    charges = [Energy("E", "1"), Demand("D", "1")]
    made = march(charges, df, elements="all")
    assert [x.quantity for x in made.lines] == [Decimal("4458.00"), Decimal("6.00")]
    assert [r.element for r in made.readings] == ["A", "B"]
    assert made.lines[0].open_at is None
    with pytest.raises(ConfigError, match="elements="):
        march(charges, df)
    wide = df.assign(**{"DemandkW/Elm/A": 4.0, "DemandkW/Elm/B": 2.0})
    with pytest.raises(ConfigError, match="reported"):
        march(Demand("D", "1", measure="reported"), wide, elements=["A", "B"])


def test_a_register_reports_no_demand():
    """Where nothing can be the peak, the error says of which demand and when."""
    df = registers("2024-03-01", "2024-04-01", A=4.0)
    df["kVAHNet/Elm/A"] = df["kWHNet/Elm/A"]
    with pytest.raises(CoverageError, match="reported demand from 2024-03-01 05:00:00"):
        march(Demand("D", "1", measure="reported", topic="kVAHNet"), df)


def test_export_is_a_credit_of_its_own():
    """Import is charged, export credited: two lines of the same register."""
    df = registers("2024-03-01", "2024-04-01", freq="h", A=1.0)
    steps = np.tile([3.0] * 12 + [-1.0] * 12, 31)[: len(df) - 1]
    df["kWHNet/Elm/A"] = 1000 + np.concatenate([[0], np.cumsum(steps)])
    rules = RegisterRules(max_kw=50, allow_export=True, max_gap="2h")
    charges = [Energy("Import", "0.20", flow="import"), Energy("Export", "-0.05", flow="export")]
    accept = ("recorded", "estimated")
    made = march(charges, df, registers=rules, accept=accept, places=None)
    up, down = made.lines
    assert up.quantity - down.quantity == Decimal(str(steps.sum()))
    assert (up.amount, down.amount) == (
        up.quantity * Decimal("0.20"),
        down.quantity * Decimal("-0.05"),
    )
    assert down.quantity == -steps[steps < 0].sum()


@pytest.mark.parametrize(
    ("rule", "quantity"), [("none", "1.00"), ("days", "0.55"), ("month", "0.55"), (30, "0.57")]
)
def test_a_monthly_charge_for_part_of_a_month(rule, quantity):
    """A fee that begins on 15 March: 17 of 31 days, by the rule that the tariff states."""
    made = march(Fixed("Fee", "10", proration=rule, valid_from="2024-03-15"))
    assert made.lines[0].quantity == Decimal(quantity)
    with pytest.raises(ConfigError, match="proration"):
        march(Fixed("Fee", "10", valid_from="2024-03-15"))


def test_demand_of_hourly_means_names_the_interval():
    """Means an hour apart are no quarter-hours: a bill says so, as the verbs do."""
    t = pd.date_range("2024-03-01", "2024-04-01", freq="h", tz=NY).tz_convert("UTC").as_unit("us")
    hourly = pd.DataFrame({"DemandkW/Elm/A": np.full(len(t), 23.0)}, index=t)
    with pytest.warns(ReadingWarning, match="interval='60min'"):
        march(Demand("D", "1", measure="reported"), hourly, accept=("recorded", "partial"))
    made = march(Demand("D", "1", measure="reported"), hourly, interval="60min")
    assert made.total == Decimal("23.00")


def test_a_demand_charge_for_part_of_a_month():
    """Old and new demand rates share a month by days; unstated is refused."""
    kw = registers("2024-03-01", "2024-04-01", A=31.0)
    old = Demand("D", "10", valid_to="2024-03-15", proration="days")
    new = Demand("D", "20", valid_from="2024-03-15", proration="days")
    made = march([old, new], kw)
    assert [(x.quantity, x.unit) for x in made.lines] == [(14, "kW·month"), (17, "kW·month")]
    with pytest.raises(ConfigError, match="proration"):
        march(Demand("D", "10", valid_to="2024-03-15"), kw)


def test_a_year_in_one_bill_is_refused_for_monthly_charges():
    """A month's charge over a year would be charged once: the bill says so instead."""
    df = registers("2023-03-01", "2024-03-01", freq="h", A=1.0)
    for charge in (Demand("D", "1", window="60min"), Fixed("F", "1")):
        with pytest.raises(ConfigError, match="each month by itself"):
            bill(df, Tariff("t", [charge]), "2023-03-01", "2024-03-01", tz=NY,
                 accept=("recorded", "estimated", "partial"), interval="60min")  # fmt: skip


def test_taxes_and_minimums_stand_on_the_lines_before_them():
    """A tax of named charges, of all, of a tax; a minimum that is met makes no line."""
    charges = [
        Energy("Energy", "0.10"),
        Fixed("Service", "10"),
        Minimum("Minimum", "5"),
        Tax("City", "0.05", on=["Energy"]),
        Tax("State", "0.10"),
        Tax("On tax", "0.50", on=["City"]),
    ]
    made = march(charges)
    assert [x.amount for x in made.lines[2:]] == [
        Decimal("14.86"),
        Decimal("30.72"),
        Decimal("7.43"),
    ]
    assert made.check() == []


def test_a_currency_without_cents():
    """Yen have no decimals, dinars three."""
    df = registers("2024-03-01", "2024-04-01", A=4.0)
    for currency, amount in (("JPY", "367"), ("KWD", "366.893")):
        tariff = Tariff("t", [Energy("E", "0.12345")], currency)
        made = bill(df, tariff, "2024-03-01", "2024-04-01", tz=NY)
        assert made.total == Decimal(amount)


def test_reactive_energy_above_an_allowance():
    """From kVARHNet, else from kVAh and kWh: 3-4-5."""
    df = registers("2024-03-01", "2024-04-01", A=4.0)
    df["kVAHNet/Elm/A"] = (df["kWHNet/Elm/A"] - 1000) * 1.25
    line = march(Reactive("R", "0.02", allowance="0.5"), df).lines[0]
    assert line.quantity == Decimal("743.00")
    df["kVARHNet/Elm/A"] = (df["kWHNet/Elm/A"] - 1000) * 0.5
    assert march(Reactive("R", "0.02", allowance="0.5"), df).lines[0].quantity == 0
    with pytest.raises(UnknownTopicError, match="kVAHNet"):
        march(Reactive("R", "0.02"))


def test_a_ratchet_needs_its_history():
    """No history is said with an empty list, never assumed."""
    charge = Demand("D", "1", ratchet={"percent": 80, "lookback": 11})
    with pytest.raises(ConfigError, match="history"):
        march(charge)
    assert march(charge, history={"D": []}).lines[0].quantity == 4
    assert march(charge, history=[10.0]).lines[0].quantity == 8


def test_rates_must_cover_the_time():
    """Time outside all windows needs a rate named other."""
    charge = Energy("E", rates={"peak": "1"}, windows=[Window("peak", "12:00", "18:00")])
    with pytest.raises(ConfigError, match="other"):
        march(charge)


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: Energy("E"), "rate"),
        (lambda: Energy("E", "1", rates={"other": 1}), "either rate"),
        (lambda: Energy("E", ["1", "2"]), "rates, given are 2"),
        (lambda: Energy("E", ["1", "2"], tiers=[0], tier_proration="none"), "tiers"),
        (lambda: Energy("E", "x"), "'rate' = 'x': it must be a number"),
        (lambda: Energy("E", "1", flow="out"), "flow"),
        (lambda: Energy("E", rates={"peek": 1}, windows=[Window("peak")]), "peek"),
        (lambda: Energy("E", "1", valid_from="soon"), "'valid_from' = 'soon': it must be a date w"),
        (lambda: Demand("D", "1", measure="peak"), "measure"),
        (lambda: Demand("D", "1", n=0), "'n' = 0: it must be at least 1"),
        (lambda: Demand("D", "1", windows=[{"name": "w", "days": 5}]), "5 as a day"),
        (lambda: Demand("D", "1", measure="reported", window="30min"), "window"),
        (lambda: Demand("D", "1", per="day", ratchet={"percent": 1, "lookback": 1}), "per='day'"),
        (lambda: Fixed("F", "1", proration="half"), "proration"),
        (lambda: Tax("T", "1", proration="month"), "proration"),
        (lambda: Energy("E", "1", tiers=500), "500 as tiers of 'E': give a list"),
        (lambda: Energy("E", "1", windows=5), "5 as windows of 'E': give a list"),
        (lambda: Energy("E", "1", season=6.1), "6.1 as season of 'E': give a list"),
        (lambda: Tax("T", "1", on="E"), "'E' as on of 'T': give a list"),
        (
            lambda: Demand("D", "1", ratchet=80),
            "charge 'D': field 'ratchet' = 80: it must be a Ratchet",
        ),
        (lambda: Tariff("t", Fixed("F", "1")), "as charges of tariff 't': give a list"),
        (lambda: Tariff("t", [Fixed("F", "1")], holidays=7), "as holidays of .*give a list"),
        (lambda: Tariff("t", [Fixed("F", "1")], notes="free"), "as notes of .*give a list"),
        (lambda: Tariff("t", [Fixed("F", "1")], currency=5), "ISO 4217"),
        (lambda: Tariff("t", []), "no charges"),
        (lambda: Tariff("t", [Tax("T", "1", on=["Energie"])]), "Energie"),
        (lambda: Tariff.from_dict({"name": "t", "charges": [{"kind": "enrgy"}]}), "did you mean"),
        (lambda: Tariff.from_dict({"name": "t", "charges": [{"kind": ["tax"]}]}), "kind"),
        (lambda: Tariff.from_dict({"name": "t", "charges": [], "tax": 1}), "tax"),
        (lambda: Tariff.from_dict([]), "table"),
        (
            lambda: Tariff("t", [{"kind": "fixed", "name": "F", "rate": 1, "prorate": 1}]),
            "proration",
        ),
        (lambda: Tariff("t", [{"kind": "fixed", "name": "F"}]), "rate"),
        (lambda: Tariff("t", ["energy"]), "charge"),
        (lambda: Tariff.from_toml("name = "), "TOML"),
        (lambda: Tariff.from_json("[]"), "table"),
        (lambda: Tariff.load("tariff.yaml"), ".toml or .json"),
        (lambda: Tariff.load("absent.toml"), "absent.toml"),
    ],
)
def test_what_a_tariff_cannot_mean_is_named(make, field):
    """Every mistake in a tariff is an error that names the field or value."""
    with pytest.raises(ConfigError, match=field):
        make()


def test_none_is_not_given():
    """null in JSON, and None in Python, is what a field has by default."""
    text = """{"name": "t", "currency": null, "holidays": null, "notes": null, "charges": [
        {"kind": "demand", "name": "D", "rate": 1, "window": null, "n": null, "tiers": null,
         "one_per_day": null, "windows": [{"name": "w", "days": null, "season": null}]}]}"""
    made = Tariff.from_json(text)
    assert made == Tariff("t", [Demand("D", 1, windows=[Window("w")])])
    assert Demand("D", 1, windows=None, season=["06-01", "09-30"], per=None, n=None) == Demand(
        "D", 1, season=["06-01", "09-30"]
    )
    assert Ratchet(80, np.int64(11), None) == Ratchet(80, 11)


def test_a_fraction_is_a_number():
    """A quarter exactly, a third with 30 digits; a date may be written without hyphens."""
    rates = Energy("E", [Fraction(1, 4), Fraction(1, 3)], tiers=[500], tier_proration=30).rate
    assert rates == (Decimal("0.25"), Decimal("0." + 30 * "3"))
    assert Fixed("F", "1", valid_from="20240615").valid_from == dt.date(2024, 6, 15)


def test_numbers_in_files_are_read_as_they_are_written(tmp_path):
    """0.1 in TOML or JSON is a tenth, and a float in Python what it prints as."""
    text = 'name = "t"\n[[charges]]\nkind = "fixed"\nname = "F"\nrate = 0.1234567890123\n'
    (tmp_path / "t.toml").write_text(text)
    made = Tariff.load(tmp_path / "t.toml")
    assert made.charges[0].rate == Decimal("0.1234567890123")
    assert Fixed("F", 0.1).rate == Decimal("0.1")
    (tmp_path / "t.json").write_text(made.to_json())
    assert Tariff.load(tmp_path / "t.json") == made


def test_more_than_the_utility_charged_is_refused_unless_asked_for():
    """Declining blocks: 244.50 for 198.00 is refused, or returned as 46.50."""
    made = [march(Fixed("F", x)) for x in ("122.25", "122.25")]
    with pytest.raises(ConfigError, match=r"46\.50"):
        over_recovery(made, "198.00")
    assert over_recovery(made, "198.00", allow=True) == Decimal("46.50")
    assert over_recovery(made, "244.50") == 0


def test_a_period_must_begin_before_it_ends():
    """An empty period is refused, as are settings that no bill has."""
    df = registers("2024-03-01", "2024-04-01", A=4.0)
    flat = Tariff("t", [Energy("E", "1")])
    with pytest.raises(RangeError, match="not before end"):
        bill(df, flat, "2024-03-01", "2024-03-01", tz=NY)
    for how in ({"places": -1}, {"rounding": "up"}):
        with pytest.raises(ConfigError, match=next(iter(how))):
            bill(df, flat, "2024-03-01", "2024-04-01", tz=NY, **how)


def test_the_element_that_lacks_a_block_is_named():
    """Of two elements, the refusal names the one whose blocks are not all covered."""
    index = pd.date_range("2024-03-01 00:15", "2024-04-01", freq="15min", tz=NY)
    data = {f"DemandkW/Elm/{x}": np.full(len(index), 3.0) for x in "AB"}
    df = pd.DataFrame(data, index=index.tz_convert("UTC"))
    df.iloc[100, 1] = np.nan
    with pytest.raises(CoverageError, match="element 'B'"):
        march(Demand("D", "1"), df, elements="all")
    made = march(Demand("D", "1"), df, elements="all", accept=("recorded", "partial"))
    assert (made.lines[0].element, made.lines[0].quantity) == ("A, B", 6)


def test_a_peak_that_an_uncovered_element_cannot_have_changed_is_billed():
    """B is off for two days in which A drew 5 kW: with 54 kW of B that is below their 60 kW."""
    index = pd.date_range("2024-03-01", "2024-04-01", freq="15min", tz=NY).tz_convert("UTC")
    peak = np.arange(len(index)) == 2000
    power = {"A": np.where(peak, 40.0, 5.0), "B": np.where(peak, 20.0, 3.0)}
    df = pd.DataFrame({f"kWHNet/Elm/{k}": 1000 + kw.cumsum() / 4 for k, kw in power.items()}, index)
    df.iloc[700:900, 1] = np.nan
    charges = [Energy("E", "0.20"), Demand("D", "10")]
    for most in (None, 55):
        rules = RegisterRules(max_kw=most)
        with pytest.raises(CoverageError, match=r"If B cannot have drawn 55\.00 kW then"):
            march(charges, df, elements="all", registers=rules)
    made = march(charges, df, elements="all", registers=RegisterRules(max_kw={"B": 54}))
    assert [str(x.quantity) for x in made.lines] == ["5957.00", "60.00"]
    assert made.check() == []


def polled(minute=47, kw=3.333, start="2024-02-29 22:00", end="2024-05-01 02:00"):
    """A register with three decimals that is read off the quarter hour."""
    first = pd.Timestamp(start, tz=NY) + pd.Timedelta(minute % 15, unit="min")
    index = pd.date_range(first, pd.Timestamp(end, tz=NY), freq="15min").tz_convert("UTC")
    hours = (index - index[0]) / pd.Timedelta(hours=1)
    return pd.DataFrame({"kWHNet/Elm/A": np.round(1000 + kw * hours, 3)}, index=index)


NIGHT = Window("night", "22:00", "06:00")
RATES = Energy("E", rates={"night": "0.1", "other": "0.3"}, windows=[NIGHT])


@pytest.mark.parametrize("minute", [45, 47, 58])
def test_used_is_closing_less_opening_on_the_paper(minute):
    """Used is the difference of the printed readings, and a month opens where the last closed."""
    df, tariff = polled(minute), Tariff("t", [RATES], "USD")
    edges = ["2024-03-01", "2024-04-01", "2024-05-01"]
    made = [bill(df, tariff, *edges[i : i + 2], tz=NY) for i in range(2)]
    for x in made:
        (r,) = x.readings
        assert r.energy == r.close_reading - r.open_reading
        assert sum(line.quantity for line in x.lines) == r.energy
        assert all(line.open_reading == r.open_reading for line in x.lines)
        assert x.check() == []
    first, second = (x.readings[0] for x in made)
    assert (first.close_at, first.close_reading) == (second.open_at, second.open_reading)


def test_time_before_the_nominal_start_has_the_starts_window():
    """Read at 23:52 and 00:07 only: the eight minutes of February are night, as midnight is."""
    df = polled(52, kw=60.0)
    made = bill(df, Tariff("t", [RATES], "USD"), "2024-03-01", "2024-04-01", tz=NY)
    nominal = bill(
        df, Tariff("t", [RATES], "USD"), "2024-03-01", "2024-04-01", tz=NY, edges="interpolate"
    )
    night, other = (b.quantity - a.quantity for a, b in zip(nominal.lines, made.lines, strict=True))
    assert abs(night) <= Decimal("0.02")  # eight minutes more at the start, eight less at the end
    assert abs(other) <= Decimal("0.02")
    assert made.readings[0].open_at == pd.Timestamp("2024-02-29 23:52", tz=NY)


def test_a_closing_needs_a_reading_at_or_after_it():
    """A later upload would move the closing: until then the period is partial."""
    df = polled()
    early = df[df.index < pd.Timestamp("2024-04-01", tz=NY)]
    with pytest.raises(CoverageError, match="no reading at or after its end closes it"):
        bill(early, Tariff("t", [RATES], "USD"), "2024-03-01", "2024-04-01", tz=NY)


def test_edges_that_are_no_choice_are_refused():
    """Only last_reading and interpolate are known."""
    with pytest.raises(ConfigError, match="edges"):
        march(Energy("E", "1"), edges="nearest")


def test_dated_charges_share_one_reading():
    """Of a rate that changes the first part closes with the reading that opens the next."""
    df = polled()
    charges = [
        Energy("Old", "0.1", valid_to="2024-03-15"),
        Energy("New", "0.2", valid_from="2024-03-15"),
    ]
    made = bill(df, Tariff("t", charges, "USD"), "2024-03-01", "2024-04-01", tz=NY)
    old, new = made.lines
    assert (old.close_at, old.close_reading) == (new.open_at, new.open_reading)
    assert old.quantity + new.quantity == made.readings[0].energy


def test_a_bill_has_its_chart_of_days():
    """Days of 23 and 24 hours, of all elements together; a gap makes its days doubtful."""
    flat = Energy("Energy", "0.10")
    made = march(flat)
    used = [d.energy for d in made.daily]
    assert len(used) == 31
    assert used[:2] == [Decimal("96.00")] * 2
    assert used[9] == Decimal("92.00")
    assert {d.status for d in made.daily} == {"recorded"}
    df = registers("2024-03-01", "2024-04-01", A=4.0, B=1.0)
    df.iloc[:4, 0] = np.nan
    cut = march(flat, df, elements=["A", "B"], accept=("recorded", "partial"))
    assert (cut.daily[0].status, cut.daily[0].energy) == ("partial", Decimal("116.00"))
    assert (cut.daily[1].status, cut.daily[1].energy) == ("recorded", Decimal("120.00"))
