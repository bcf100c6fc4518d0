"""Tariffs from OpenEI's rate database: priced as by an independent script, or refused by name."""

from __future__ import annotations

import copy
import json
from decimal import Decimal
from fractions import Fraction

import pandas as pd
import pytest

from dentframe import Tariff
from dentframe.errors import ConfigError
from dentframe.money import bill
from tests import urdb_kit as kit

NY = "America/New_York"


@pytest.fixture(scope="module")
def load():
    """Watts of a year by the start of each quarter of an hour."""
    return kit.watts()


@pytest.fixture(scope="module")
def frame(load):
    """The same year as DemandkW, labelled by the end of each interval."""
    index = pd.DatetimeIndex(list(load)).as_unit("us") + pd.Timedelta(minutes=15)
    return pd.DataFrame({"DemandkW/Elm/A": [w / 1000 for w in load.values()]}, index=index)


def bills(frame, tariff, **how):
    """Twelve bills; each looks back on what the ones before measured."""
    measured, found = {}, []
    for start in pd.date_range("2023-01-01", periods=12, freq="MS", tz=NY):
        end = start + pd.DateOffset(months=1)
        names = [c.name for c in tariff.charges if c.kind == "demand"]
        history = {k: measured.get(k.split(", months")[0], []) for k in names}
        part = frame[(frame.index > start) & (frame.index <= end)]
        found.append(bill(part, tariff, start, end, tz=NY, history=history, **how))
        for x in found[-1].lines:
            if x.kind == "demand" and x.measured is not None:
                at = measured.setdefault(x.charge.split(", months")[0], [])
                at[len(found) - 1 :] = [x.measured]
    return found


@pytest.mark.parametrize("shape", kit.SHAPES)
def test_a_year_costs_what_an_independent_script_says(shape, load, frame):
    """Each month of each shape is right to the cent."""
    load = kit.months_of(load)
    record, stated = kit.SHAPES[shape]
    tariff = Tariff.from_urdb(record, **stated)
    order = stated.get("tier_order")
    back = stated.get("ratchet_lookback") or record.get("lookbackRange", 0)
    on = stated.get("ratchet_on", "both")
    exact = order == "prorata"  # its parts have more decimals than are printed
    for month, got in enumerate(bills(frame, tariff, places=None if exact else 2), 1):
        lines = kit.price(record, load, month, order=order, lookback=back, ratchet_on=on)
        wanted = kit.half_up(sum(lines)) if exact else sum(map(kit.half_up, lines))
        assert kit.half_up(Fraction(got.total)) == wanted, month


def test_the_shapes_are_a_dozen_or_more():
    """What was promised is there."""
    assert len(kit.SHAPES) >= 12


@pytest.mark.parametrize("shape", kit.SHAPES)
def test_a_record_is_not_changed_and_reads_the_same_twice(shape):
    """Reading adds nothing to the caller's schedules."""
    record, stated = kit.SHAPES[shape]
    before = copy.deepcopy(record)
    first = Tariff.from_urdb(record, **stated)
    assert Tariff.from_urdb(record, **stated) == first
    assert record == before
    assert Tariff.from_toml(first.to_toml()) == first


def test_text_file_and_answer_give_the_same_tariff(tmp_path):
    """JSON text, a file and an answer with one item are read alike."""
    record = {"name": "R", **kit.SHAPES["seasons"][0]}
    text = json.dumps(record)
    path = tmp_path / "rate.json"
    path.write_text(json.dumps({"items": [record]}))
    assert Tariff.from_urdb(text) == Tariff.from_urdb(record)
    assert Tariff.from_urdb(path) == Tariff.from_urdb(record)


REFUSED = [
    ({"fueladjustmentsmonthly": [0.0] * 11 + [0.002]}, {}, "fueladjustmentsmonthly"),
    ({"demandreactivepowercharge": 0.3}, {}, "demandreactivepowercharge"),
    ({"coincidentratestructure": [[{"rate": 3}]]}, {}, "coincidentratestructure"),
    ({"annualmincharge": 400}, {}, "annualmincharge"),
    ({"fixedchargeeaaddl": 5}, {}, "fixedchargeeaaddl"),
    ({"energyattrs": [{"Power cost adjustment": "$0.0012/kWh"}]}, {}, "energyattrs"),
    ({"wildfirefundcharge": 0.004}, {}, "wildfirefundcharge"),
    ({"energyratestructure": [[{"rate": 0.1, "sell": 0.05}]]}, {}, "energyratestructure.sell"),
    ({"energyratestructure": [[{"rate": 0.1, "tax": 0.05}]]}, {}, "energyratestructure.tax"),
    ({"energyratestructure": [[{"unit": "kWh"}]]}, {}, "energyratestructure.rate"),
    ({"energyratestructure": []}, {}, "energyratestructure is missing"),
    ({"energyratestructure": [[{"rate": 0.1}], [{"rate": 0.2}]]}, {}, "energyweekdayschedule"),
    ({"energyratestructure": [[{"rate": 0.1, "max": 5}]]}, {}, "energyratestructure.max"),
    ({"energyratestructure": [[{"rate": 1, "max": 5, "unit": "kWh/kW"}, {"rate": 2}]]},
     {"tier_proration": "none"}, "energyratestructure.unit"),
    ({"energyratestructure": [[{"rate": 1, "unit": "kWh daily"}]]}, {},
     "energyratestructure.unit is 'kWh daily'"),
    ({"energyratestructure": [[{"rate": 1, "unit": "kWh/kW"}]]}, {}, "energyratestructure.unit"),
    ({"energyratestructure": [[{"rate": 1, "unit": "kW"}]]}, {}, "energyratestructure.unit"),
    ({"demandratestructure": [[{"rate": 3, "unit": "kWh"}]], "demandwindow": 15}, {},
     "demandratestructure.unit"),
    ({"flatdemandstructure": [[{"rate": 3, "unit": "hp"}]], "demandwindow": 15}, {},
     "flatdemandstructure.unit"),
    ({"energyratestructure": [kit.tiers(1, 2)]}, {}, "state tier_proration="),
    (kit.SHAPES["tiers under time of use, in proportion"][0], {"tier_proration": "none"},
     "state tier_order="),
    (kit.SHAPES["tiers of each period"][0],
     {"tier_proration": "none", "tier_order": "prorata"}, "per_period"),
    ({"flatdemandstructure": [[{"rate": 3}]]}, {}, "demandwindow is missing"),
    ({"flatdemandstructure": [[{"rate": 3}]], "demandwindow": 1e38}, {}, "demandwindow is"),
    ({"flatdemandstructure": [[{"rate": 3}]], "flatdemandmonths": [1] * 12, "demandwindow": 15},
     {}, "flatdemandmonths"),
    ({"flatdemandstructure": [[{"rate": 3}]], "demandwindow": 15, "flatdemandunit": "hp"}, {},
     "flatdemandunit is 'hp'"),
    ({"flatdemandstructure": [[{"rate": 3}]], "demandwindow": 15,
      "demandratchetpercentage": [0.8] * 12}, {}, "state ratchet_lookback="),
    ({"flatdemandstructure": [[{"rate": 3}]], "demandwindow": 15, "lookbackRange": 11,
      "demandratchetpercentage": [80] * 12}, {}, "0.8 is 80 %"),
    ({"flatdemandstructure": [[{"rate": 3}]], "demandwindow": 15, "lookbackPercent": 0.8,
      "lookbackRange": 11, "lookbackMonths": [m == 5 for m in range(12)]}, {}, "lookbackMonths"),
    (kit.SHAPES["a ratchet of one of two demands"][0], {}, "state ratchet_on="),
    ({"fixedchargefirstmeter": 120, "fixedchargeunits": "$/year"}, {}, "fixedchargeunits"),
    ({"fixedchargefirstmeter": 12}, {}, "fixedchargeunits"),
]  # fmt: skip


@pytest.mark.parametrize(("more", "stated", "named"), REFUSED)
def test_money_that_is_not_understood_is_refused_by_name(more, stated, named):
    """Nothing that may change a price is left out in silence."""
    with pytest.raises(ConfigError, match="Cannot price by the rate 'R'") as found:
        Tariff.from_urdb({"name": "R", **kit.ONE, **more}, **stated)
    assert named in str(found.value)


def test_all_that_is_refused_is_named_at_once():
    """One message has every field."""
    more = {"fueladjustmentsmonthly": [0.1] * 12, "demandreactivepowercharge": 0.3}
    with pytest.raises(ConfigError, match=r"fueladjustmentsmonthly.*demandreactivepowercharge"):
        Tariff.from_urdb(kit.ONE | more)


@pytest.mark.parametrize("text", ["{", "no such file.json", '{"items": []}', "[1]"])
def test_what_is_no_record_is_said(text):
    """A text, file or answer that is no rate names itself."""
    with pytest.raises(ConfigError, match="Cannot read a rate from"):
        Tariff.from_urdb(text)


@pytest.mark.parametrize("structure", [5, {"rate": 1}, [{"rate": 1}], [[5]]])
def test_a_record_of_another_shape_is_no_record(structure):
    """A structure that is no list of periods with tiers raises dentframe's own error."""
    with pytest.raises(ConfigError, match="Cannot read this rate"):
        Tariff.from_urdb({"energyratestructure": structure})


def test_a_field_that_is_no_matter_can_be_ignored():
    """What is ignored is said in the notes."""
    more = {"fixedchargeeaaddl": 5, "energyratestructure": [[{"rate": 0.1, "sell": 0.05}]]}
    ignore = ["fixedchargeeaaddl", "energyratestructure.sell"]
    found = Tariff.from_urdb(more, ignore=ignore)
    assert "Ignored as asked: energyratestructure.sell, fixedchargeeaaddl." in found.notes


def test_a_days_limit_is_priced_by_the_days_of_a_bill(frame):
    """Limits in kWh daily need the statement that they are meant so: 100 kWh a day, 31 days."""
    tiers = [{"rate": 0.1, "max": 100, "unit": "kWh daily"}, {"rate": 0.2, "unit": "kWh daily"}]
    found = Tariff.from_urdb({"energyratestructure": [tiers]}, tier_proration=1)
    january = frame[frame.index <= pd.Timestamp("2023-02-01", tz=NY)]
    lines = bill(january, found, "2023-01-01", "2023-02-01", tz=NY).lines
    assert lines[0].quantity == 3100
    assert lines[0].quantity + lines[1].quantity > 4000


def test_zero_fields_are_no_money():
    """A record that writes out its zeros is priced."""
    zeros = {
        "fueladjustmentsmonthly": [0] * 12,
        "demandreactivepowercharge": 0.0,
        "coincidentratestructure": [[{"rate": 0}]],
        "annualmincharge": None,
        "demandratchetpercentage": [0] * 12,
        "energyattrs": [{"Rider": "see the book"}],
    }
    assert Tariff.from_urdb(kit.ONE | zeros).charges[0].rate == (Decimal("0.1"),)


def test_the_notes_say_what_the_database_cannot():
    """Whole hours, no holidays, months; validity, words and harmless fields."""
    record = {
        "name": "R",
        "utility": "City",
        "startdate": 1672531200,
        "sector": "Commercial",
        "energycomments": "Riders  apply.",
        **kit.ONE,
    }
    found = Tariff.from_urdb(record)
    told = " ".join(found.notes)
    assert (found.name, found.currency) == ("City: R", "USD")
    for text in (
        "whole hours",
        "no holidays",
        "whole months",
        "from 2023-01-01 to now",
        "The record's energycomments: Riders apply.",
        "sector",
        "startdate",
    ):
        assert text in told
    assert Tariff.from_json(found.to_json()).notes == found.notes


def test_a_holiday_that_is_added_costs_what_a_weekend_costs(frame):
    """The database has no holidays; a user can add them."""
    record, stated = copy.deepcopy(kit.SHAPES["time of use with a minimum"])
    del record["mincharge"]
    plain = Tariff.from_urdb(record, **stated).to_dict()
    tariff = Tariff.from_dict(plain | {"holidays": ["2023-01-02"]})
    part = frame[frame.index <= pd.Timestamp("2023-01-03", tz=NY)]
    found = bill(part, tariff, "2023-01-02", "2023-01-03", tz=NY, places=None)
    assert [x.name for x in found.lines] == ["Energy period 1"]


@pytest.mark.parametrize("stated", [{"tier_order": "monthly"}, {"ratchet_on": "all"}])
def test_a_word_that_means_nothing_is_refused_where_the_rate_needs_none(stated):
    """What is misspelt is told, whether or not this rate has tiers or a ratchet."""
    ((name, word),) = stated.items()
    with pytest.raises(ConfigError, match=f"Cannot use this import: field '{name}' = '{word}': "):
        Tariff.from_urdb(kit.ONE, **stated)
