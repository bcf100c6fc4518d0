"""The laws of physics that the plant obeys, whatever the seed, the meter and the day."""

import json
import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dentframe import emulator
from dentframe.emulator.loads import power
from dentframe.wire.topics import SERVED

FIRST = datetime(2022, 6, 3, tzinfo=UTC)
SEEDS = st.integers(0, 3)
DAYS = st.integers(0, 1500).map(lambda n: FIRST + timedelta(days=n))
METERS = st.sampled_from([m.name for m in emulator.METERS])
ELEMENTS = st.sampled_from([(m.name, e.name) for m in emulator.METERS for e in m.elements])
INSTANTS = st.integers(0, 1500 * 86400).map(lambda s: FIRST + timedelta(seconds=s))
DAY = timedelta(days=1)


@lru_cache(maxsize=16)
def plant(seed=0, window=None):
    """A plant without mishaps."""
    return emulator.Plant(seed, events=(), demand_window=window)


def columns(meter, start, days=1, source=None):
    """Columns of some days as numbers, by name."""
    headers, rows = (source or plant()).rows(meter, start, start + days * DAY, SERVED)
    return {h: np.array([float(r[h]) for r in rows]) for h in headers[2:]}


def elements(meter, topic, read):
    """Columns of a topic by element."""
    start = f"{topic}/Elm/"
    return {c.removeprefix(start): v for c, v in read.items() if c.startswith(start)}


def polls(meter, start, days=1):
    """Instants of the rows."""
    _, rows = plant().rows(meter, start, start + days * DAY, ["V"])
    return [datetime.fromisoformat(f"{r['date']}T{r['time']}:00+00:00") for r in rows]


@given(METERS, DAYS, SEEDS)
@settings(max_examples=30, deadline=None)
def test_registers_are_the_integral_of_demand(meter, day, seed):
    """Where the demand window is the spacing, each register step is the demand's energy."""
    read = columns(meter, day, source=plant(seed, "sliding"))
    demand = elements(meter, "DemandkW", read)
    for element, register in elements(meter, "kWHNet", read).items():
        steps = np.diff(register)
        assert np.abs(steps - demand[element][1:] / 4).max() <= 0.0012


@given(METERS, DAYS, SEEDS)
@settings(max_examples=20, deadline=None)
def test_registers_tell_the_truth(meter, day, seed):
    """A difference of readings is the energy that flowed, to the register's last digit."""
    source = plant(seed)
    read, times = columns(meter, day, source=source), polls(meter, day)
    for element, register in elements(meter, "kWHNet", read).items():
        assert (
            abs(register[-1] - register[0] - source.energy(meter, element, times[0], times[-1]))
            <= 0.001
        )
    for element, register in elements(meter, "kVAHNet", read).items():
        truth = source.apparent_energy(meter, element, times[0], times[-1])
        assert abs(register[-1] - register[0] - truth) <= 0.001


@given(METERS, DAYS, st.sampled_from(["sliding", "block"]))
@settings(max_examples=20, deadline=None)
def test_demand_is_the_mean_of_its_window(meter, day, window):
    """DemandkW is the mean of the 15 min up to the poll, or of the clock's last quarter."""
    source = plant(0, window)
    read = columns(meter, day, source=source)
    quarter = timedelta(minutes=15)
    for i, t in list(enumerate(polls(meter, day)))[::19]:
        end = t if window == "sliding" else t - timedelta(minutes=t.minute % 15)
        for element, demand in elements(meter, "DemandkW", read).items():
            truth = source.mean_power(meter, element, end - quarter, end)
            assert abs(demand[i] - truth) <= 0.0006


@given(METERS, DAYS, SEEDS)
@settings(max_examples=20, deadline=None)
def test_current_is_apparent_power_over_voltage(meter, day, seed):
    """Channel powers V x A x dPF of an element add up to its power at the poll."""
    source = plant(seed)
    read, times = columns(meter, day, source=source), polls(meter, day)
    for name, element in source.elements(meter).items():
        total = sum(
            read[f"V/Ch/{c}"] * read[f"A/Ch/{c}"] * read[f"dPF/Ch/{c}"] for c in element.channels
        )
        for i in range(0, len(times), 31):
            seen = source.mean_power(meter, name, times[i] - timedelta(seconds=1), times[i])
            assert abs(total[i] / 1000 - seen) <= 0.01 + 0.002 * abs(seen)


@given(ELEMENTS, DAYS, SEEDS)
@settings(max_examples=30, deadline=None)
def test_power_triangle(where, day, seed):
    """kVA squared is kW squared and kvar squared, to the rounding of a volt-ampere."""
    source, month = plant(seed), 12 * day.year + day.month - 1
    loads = source.elements(where[0])[where[1]].loads
    p, q = sum(np.array(power(load, seed, source.tz, month)) for load in loads)
    middle = day.replace(day=10)  # so that the curve is of this month alone
    active, apparent = (
        source.curve(*where, middle, middle + DAY, apparent=x).power for x in (False, True)
    )
    assert (active == p).all()
    assert np.abs(np.hypot(p, q) - apparent).max() <= 0.5


@given(DAYS, SEEDS)
@settings(max_examples=20, deadline=None)
def test_the_main_carries_its_branches(day, seed):
    """The main is the sum of the branches and a loss of the wiring, small and not negative."""
    source, meter, end = plant(seed), "P482311252", day + DAY
    main = source.energy(meter, "A", day, end)
    branches = sum(source.energy(meter, e, day, end) for e in "BCDEFG")
    assert 0 < main - branches < 0.05 * main


@given(ELEMENTS, INSTANTS, INSTANTS, INSTANTS)
@settings(max_examples=60, deadline=None)
def test_energy_is_additive(where, a, b, c):
    """Energy from a to c is that from a to b and from b to c, months apart or seconds."""
    source = plant()
    parts = source.energy(*where, a, b) + source.energy(*where, b, c)
    assert parts == pytest.approx(source.energy(*where, a, c), abs=1e-6)


@given(METERS, DAYS, SEEDS)
@settings(max_examples=15, deadline=None)
def test_same_seed_same_bytes(meter, day, seed):
    """The same seed gives the same bytes, another seed others."""
    args = (meter, day, day + DAY, SERVED)
    one, two, other = (emulator.Plant(s).rows(*args) for s in (seed, seed, seed + 10))
    assert json.dumps(one) == json.dumps(two)
    assert other != one


@given(METERS, DAYS, st.integers(0, 23))
@settings(max_examples=15, deadline=None)
def test_days_and_hours_are_slices_of_months(meter, day, hour):
    """A day's answer, and an hour's, are the month's rows of that day and hour."""
    source = emulator.Plant()
    month = day.replace(day=1)
    _, whole = source.rows(meter, month, (month + 32 * DAY).replace(day=1), SERVED)
    _, rows = source.rows(meter, day, day + DAY, SERVED)
    assert rows == [r for r in whole if r["date"] == f"{day:%Y-%m-%d}"]
    start = day + timedelta(hours=hour)
    _, few = source.rows(meter, start, start + timedelta(hours=1), ["kWHNet"])
    assert [r["kWHNet/Elm/A"] for r in few] == [
        r["kWHNet/Elm/A"]
        for r in rows
        if r["time"].startswith(f"{hour:02d}:") and "kWHNet/Elm/A" in r
    ]


@given(st.lists(ELEMENTS, min_size=1, max_size=4, unique=True), DAYS, st.sampled_from([15, 30, 60]))
@settings(max_examples=20, deadline=None)
def test_coincident_peak_is_the_greatest_block(where, day, minutes):
    """No block of the day has more power together, and each part is that block's mean."""
    source = plant()
    peak = source.coincident_peak(where, day, day + DAY, minutes, tz="Asia/Kathmandu")
    assert (peak.start.minute % minutes, peak.end - peak.start) == (0, timedelta(minutes=minutes))
    assert peak.kw == pytest.approx(sum(peak.parts.values()))
    for meter, element in where:
        mean = source.mean_power(meter, element, peak.start, peak.end)
        assert peak.parts[f"{meter}_{element}"] == pytest.approx(mean)
    at = day + timedelta(hours=12) + timedelta(minutes=minutes * 3) - timedelta(minutes=45)
    assert (
        sum(source.mean_power(*w, at, at + timedelta(minutes=minutes)) for w in where)
        <= peak.kw + 1e-9
    )


def test_peaks_need_a_block():
    """A span without a whole block has no peak."""
    with pytest.raises(ValueError, match="no whole block"):
        plant().coincident_peak(["P482311252_A"], "2023-12-01T00:01", "2023-12-01T00:14")


def year(element, meter="P482311252"):
    """Power of an element in every step of 2023 [W]."""
    return (
        plant()
        .curve(
            meter, element, datetime(2023, 1, 1, 2, tzinfo=UTC), datetime(2023, 12, 31, tzinfo=UTC)
        )
        .power
    )


def test_the_characters_of_the_building():
    """Solar exports and rests at night, the vacant unit is zero, the main never exports."""
    assert year("D", "P482102272").min() < -5000
    assert year("D", "P482102272").max() == 0
    assert not year("G").any()
    assert year("A").min() > 0


def test_weekdays_and_seasons():
    """The office rests at weekends, the air conditioning works in summer."""
    source, meter = plant(), "P482311252"
    monday, sunday = (
        source.energy(meter, "C", f"2023-03-{d}T08:00", f"2023-03-{d + 1}T08:00") for d in (13, 19)
    )
    assert sunday < 0.5 * monday
    july, december = (
        source.energy(meter, "E", f"2023-{m}-01", f"2023-{m}-29") for m in ("07", "12")
    )
    assert july > 1.4 * december


def test_one_load_on_two_meters_is_one_load():
    """A load of the same name draws the same power wherever it is measured."""
    load = emulator.Load("shop", 5000)
    one, two = (
        emulator.Meter(n, (emulator.Element("A", "Shop", (load,)),), offset=o)
        for n, o in (("P1", 2), ("P2", 9))
    )
    source = emulator.Plant(meters=[one, two])
    span = "2023-12-01", "2023-12-02"
    assert source.energy("P1", "A", *span) == source.energy("P2", "A", *span) > 0


def test_absolute_demand():
    """A meter that loses the sign of demand shows export as demand while its register falls."""
    meter = emulator.Meter(
        "P1",
        (emulator.Element("A", "Sun", (emulator.Load("s", 5000, solar=True),)),),
        absolute_demand=True,
    )
    read = columns("P1", datetime(2023, 6, 1, tzinfo=UTC), source=emulator.Plant(meters=[meter]))
    assert read["DemandkW/Elm/A"].max() > 1
    assert np.diff(read["kWHNet/Elm/A"]).max() == 0


def default_rows(element, start, end, meter="P482311252"):
    """Registers of an element over a span in the default plant: (time, text or None)."""
    _, rows = emulator.Plant().rows(meter, start, end, ["kWHNet", "DemandkW"])
    return [(r["time"], r.get(f"kWHNet/Elm/{element}")) for r in rows]


def test_gaps_of_an_element():
    """In an element's gap its keys are missing, others are there."""
    read = default_rows("C", "2023-12-06T17:30", "2023-12-06T22:00")
    assert len(read) == 18
    assert [t for t, v in read if v is not None] == ["17:32", "17:47", "21:32", "21:47"]


def test_gaps_of_a_meter():
    """In a meter's gap there are no rows; the gap straddles a local midnight."""
    read = default_rows("A", "2023-12-20T05:00", "2023-12-20T12:00", "P482102272")
    assert [t for t, _ in read] == ["05:05", "11:50"]


def test_the_reset():
    """A reset register starts again from zero and goes on with the energy since."""
    read = [float(v) for _, v in default_rows("E", "2023-12-18T17:15", "2023-12-18T19:00")]
    assert read[0] > 50000
    assert read[2] < 1
    truth = emulator.Plant().energy("P482311252", "E", "2023-12-18T17:40", "2023-12-18T18:47")
    assert read[-1] == pytest.approx(truth, abs=0.0006)
    later = default_rows("E", "2024-02-01", "2024-02-02")
    truth = emulator.Plant().energy("P482311252", "E", "2023-12-18T17:40", "2024-02-01T00:02")
    assert float(later[0][1]) == pytest.approx(truth, abs=0.0006)


def test_the_zero_blip():
    """One reading is 0.0 and the next goes on as if nothing had been."""
    read = [v for _, v in default_rows("B", "2023-12-11T15:00", "2023-12-11T16:00")]
    assert read[1] == "0.0"
    assert 50000 < float(read[0]) < float(read[2])


def test_events_are_known():
    """What happens is listed: a gap over a local midnight, one within a day, reset and blip."""
    kinds = [(e.element, e.kind) for e in emulator.Plant().events]
    assert kinds == [("C", "gap"), ("B", "zero_blip"), ("D", "gap"), ("E", "reset"), (None, "gap")]
    assert len(emulator.Plant(meters=emulator.METERS[:1]).events) == 4
    assert emulator.Plant().labels()["P482311252_B"] == "Bakery"


def test_polls_are_off_the_quarter_hour():
    """Each meter is polled at its own minute."""
    minutes = {m: {t.minute % 15 for t in polls(m, FIRST)} for m in plant().meters()}
    assert minutes == {"P482311252": {2}, "P482102272": {5}, "P482102270": {11}}


def test_the_installation_may_be_any_instant():
    """Registers start at zero when the meter is installed, in the middle of a month too."""
    source = emulator.Plant(installed="2023-03-15T10:07", events=())
    day = datetime(2023, 3, 15, tzinfo=UTC)
    _, rows = source.rows("P482311252", day, day + DAY, ["kWHNet"])
    assert (rows[0]["time"], float(rows[0]["kWHNet/Elm/A"]) < 12) == ("10:17", True)
    assert source.energy(
        "P482311252", "A", "2023-03-15T10:07", "2023-03-15T10:17"
    ) == pytest.approx(float(rows[0]["kWHNet/Elm/A"]), abs=0.0005)


def test_any_month_in_well_under_a_second():
    """A month years after the installation comes quickly, cold."""
    start = datetime(2026, 3, 1, tzinfo=UTC)
    began = time.process_time()
    emulator.Plant(seed=991).rows(
        "P482311252", start, start + 31 * DAY, ["DemandkW", "kWHNet", "A"]
    )
    assert time.process_time() - began < 2.0


def test_panels():
    """A panel of sixteen elements of three channels has the columns that it should."""
    source = emulator.Plant(meters=[emulator.panel("P9")])
    headers, rows = source.rows("P9", FIRST, FIRST + timedelta(hours=1), SERVED)
    assert (len(headers), len(rows)) == (2 + 48 * 3 + 16 * 4, 4)
