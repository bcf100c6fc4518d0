"""The invariants of demand, and blocks and windows against an exact oracle in fractions."""

from __future__ import annotations

import warnings
from datetime import timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
import strategies as gen
from hypothesis import given, settings
from hypothesis import strategies as st

from dentframe.emulator import Element, Load, Meter, Plant
from dentframe.errors import DentWarning
from dentframe.verbs.demand import demand
from dentframe.verbs.peaks import coincident, peaks

pytestmark = pytest.mark.filterwarnings("ignore::dentframe.errors.ReadingWarning")

KW = "DemandkW/Elm/A"
ZONES = ("UTC", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe")


def quiet(call, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DentWarning)
        return call(*args, **kwargs)


def pieces(rows, w=15, lag=0):
    """Interval means as (start, end, kW) in minutes: exact, one rule a line."""
    by_minute: dict[int, set] = {}
    for minute, value in rows:
        by_minute.setdefault(minute, set())
        if value is not None:
            by_minute[minute].add(value)
    known = [(m, v.pop()) for m, v in sorted(by_minute.items()) if len(v) == 1]
    found, before = [], None
    for minute, value in known:
        spacing = w if before is None else minute - before
        length = spacing if 2 * spacing <= 3 * w else w
        found.append((Fraction(minute - length - lag), Fraction(minute - lag), value))
        before = minute
    return found


def mean(parts, s, e):
    """Mean power of [s, e) in minutes, None where a moment of it is unknown."""
    overlaps = [(min(b, e) - max(a, s), v) for a, b, v in parts if min(b, e) > max(a, s)]
    if sum((d for d, _ in overlaps), Fraction(0)) != e - s:
        return None
    return sum((d * v for d, v in overlaps), Fraction(0)) / (e - s)


def minute_of(stamp):
    return Fraction(int((stamp.tz_convert("UTC") - gen.ORIGIN) / timedelta(seconds=1)), 60)


def local_edges(start, end, step, zone):
    """Edges of clock blocks, minute by minute: the wall clock shows or passes a multiple."""
    found, before = [], None
    at = start.tz_convert("UTC")
    while at <= end.tz_convert("UTC"):
        wall = at.tz_convert(zone).tz_localize(None)
        block = (wall.normalize(), (wall.hour * 60 + wall.minute) // step)
        if before is not None and (block != before or (wall.hour * 60 + wall.minute) % step == 0):
            found.append(minute_of(at))
        before, at = block, at + timedelta(minutes=1)
    return found


@settings(max_examples=200)
@given(rows=gen.means(), window=st.sampled_from([5, 15, 30, 60]), lag=st.integers(0, 7))
def test_blocks_as_the_oracle_says(rows, window, lag):
    """Every block's mean, and which ones are unknown, value by value."""
    frame = gen.frame_of(rows, KW)
    found = quiet(demand, frame, f"{window}min", tz="UTC", demand_lag=f"{lag}min")["Demand/Elm/A"]
    parts = pieces(rows, lag=lag)
    for at, kw in found.items():
        s = minute_of(at)
        wanted = mean(parts, s, s + window)
        assert (wanted is None) == bool(np.isnan(kw)), at
        assert wanted is None or kw == pytest.approx(float(wanted), abs=2e-9), at


@settings(max_examples=100)
@given(rows=gen.means(), window=st.sampled_from([10, 30, 45]), step=st.sampled_from([5, 15]))
def test_rolling_windows_as_the_oracle_says(rows, window, step):
    """Every rolling window's mean, by its end."""
    frame = gen.frame_of(rows, KW)
    how = {"kind": "rolling", "step": f"{step}min", "tz": "UTC"}
    found = frame.dent.demand(f"{window}min", **how)["Demand/Elm/A"]
    parts = pieces(rows)
    for at, kw in found.items():
        e = minute_of(at)
        assert e % step == 0
        wanted = mean(parts, e - window, e)
        assert (wanted is None) == bool(np.isnan(kw)), at
        assert wanted is None or kw == pytest.approx(float(wanted), abs=2e-9), at


@settings(max_examples=100)
@given(rows=gen.means(least=4), window=st.sampled_from([15, 30, 60]))
def test_block_rolling_and_readings_are_in_order(rows, window):
    """Invariant 8: block peak <= rolling peak <= the greatest reading that overlaps."""
    frame = gen.frame_of(rows, KW)
    size = f"{window}min"
    block = quiet(peaks, frame, kind="block", window=size, tz="UTC")["peak"].iloc[0]
    rolling = quiet(peaks, frame, kind="rolling", window=size, step="15min", tz="UTC")
    most = max((v for _, _, v in pieces(rows)), default=None)
    if not np.isnan(block):
        assert block <= rolling["peak"].iloc[0] + 1e-9
    if most is not None and not np.isnan(rolling["peak"].iloc[0]):
        assert rolling["peak"].iloc[0] <= float(most) + 1e-9


@settings(max_examples=100)
@given(
    values=st.lists(st.tuples(*[gen.thousandths(0, 30)] * 3), min_size=1, max_size=12),
    lost=st.sets(st.integers(0, 35), max_size=6),
)
def test_coincident_demands_add_up(values, lost):
    """Invariant 9: they add up to the site's peak, and none exceeds its own."""
    kw = np.array([[float(x) for x in row] for row in values])
    for i in lost:
        kw[i // 3 % len(kw), i % 3] = np.nan
    index = pd.date_range("2024-01-01 00:15", periods=len(kw), freq="15min", tz="UTC")
    frame = pd.DataFrame(kw, index, [f"DemandkW/Elm/{x}" for x in "ABC"])
    rows = quiet(coincident, frame, elements="all", tz="UTC")
    whole = kw[~np.isnan(kw).any(axis=1)].sum(axis=1)
    if len(whole) == 0:
        assert rows["site_peak"].isna().all()
        assert set(rows["status"]) <= {"missing"}
        return
    assert rows["site_peak"].iloc[0] == pytest.approx(whole.max(), abs=1e-9)
    assert rows["coincident"].sum() == pytest.approx(rows["site_peak"].iloc[0], abs=1e-9)
    assert (rows["coincident"] <= rows["own_peak"] + 1e-9).all()


@settings(max_examples=60)
@given(rows=gen.means(), data=st.data())
def test_order_and_copies_of_rows_change_nothing(rows, data):
    """Invariant 2: peaks of shuffled rows with copies are the same."""
    frame = gen.frame_of(rows, KW)
    order = data.draw(st.permutations(range(len(frame))))
    mixed = pd.concat([frame.iloc[list(order)], frame.iloc[:3]])
    for kind in ("reported", "block"):
        one, two = (quiet(peaks, f, kind=kind, tz="UTC") for f in (frame, mixed))
        pd.testing.assert_frame_equal(one.drop(columns="flags"), two.drop(columns="flags"))


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("day", ["2024-04-06", "2024-10-05", "2024-03-10", "2024-11-03"])
@pytest.mark.parametrize("window", [15, 30, 60])
def test_blocks_follow_the_wall_clock(zone, day, window):
    """Edges on days of clock changes and in quarter-hour zones are where the wall clock says."""
    start = pd.Timestamp(day, tz=ZoneInfo(zone)) - timedelta(minutes=5)
    end = start + timedelta(hours=30)
    index = pd.date_range(start.tz_convert("UTC"), end.tz_convert("UTC"), freq="5min")
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({KW: rng.integers(0, 9000, len(index)) / 1000}, index=index)
    found = frame.dent.demand(f"{window}min", tz=zone, interval="5min")["Demand/Elm/A"].dropna()
    starts = [minute_of(t) for t in found.index]
    wanted = local_edges(start, end, window, zone)
    assert starts == wanted[: len(starts)] or starts == wanted[1 : len(starts) + 1]
    parts = [
        (minute_of(t) - 5, minute_of(t), Fraction(v).limit_denominator(1000))
        for t, v in frame[KW].items()
    ]
    for s, e, kw in zip(starts[:-1], starts[1:], found, strict=False):
        assert kw == pytest.approx(float(mean(parts, s, e)), abs=2e-9)


def _plant(window):
    """Three meters of one site, polled at different minutes."""
    loads = [
        Load("bakery", 18000, standby=0.15, hours=(3, 15)),
        Load("office", 11000, standby=0.12, hours=(7, 19)),
        Load("kitchen", 24000, standby=0.07, hours=(10, 22)),
    ]
    meters = [
        Meter(f"P{i}", (Element("A", x.name, (x,)),), offset=offset, demand_window=window)
        for i, (x, offset) in enumerate(zip(loads, (2, 5, 11), strict=True))
    ]
    return Plant(7, meters=meters, events=())


def _site(plant, start, end):
    """The readings of all meters, over (meter, time)."""
    parts = {}
    for meter in plant.meters():
        headers, rows = plant.rows(meter, start, end, ["DemandkW", "kWHNet"])
        index = pd.to_datetime([f"{r['date']} {r['time']}" for r in rows], utc=True)
        data = {c: [float(r[c]) for r in rows] for c in headers[2:]}
        parts[meter] = pd.DataFrame(data, index=pd.DatetimeIndex(index).as_unit("us"))
    return pd.concat(parts, names=["meter", "time"])


LA = "America/Los_Angeles"
SPAN = ("2023-11-03 07:00", "2023-11-08 08:00")


def test_the_plants_own_coincident_peak():
    """Windows that close on the quarter, each lag given: the plant's own peak, nothing flagged."""
    plant = _plant("block")
    frame = _site(plant, "2023-11-03T06:00", "2023-11-08T09:00")
    names = [f"{m}_A" for m in plant.meters()]
    start, end = (pd.Timestamp(x, tz="UTC") for x in SPAN)
    truth = plant.coincident_peak(names, start.isoformat(), end.isoformat(), tz=LA)
    rows = frame.dent.coincident(
        tz=LA,
        elements=names,
        start=start,
        end=end,
        demand_lag={"P0": "2min", "P1": "5min", "P2": "11min"},
    ).set_index("element")
    assert rows["at"].iloc[0] == truth.start
    assert rows["site_peak"].iloc[0] == pytest.approx(truth.kw, abs=2e-3)
    for name, kw in truth.parts.items():
        assert rows.loc[name, "coincident"] == pytest.approx(kw, abs=1e-3)
    assert set(rows["flags"]) == {()}
    assert set(rows["status"]) == {"recorded"}


def test_sliding_windows_are_an_exact_re_blocking_and_called_such():
    """Windows that slide: the exact re-blocking of the same readings, flagged `reblocked`."""
    plant = _plant("sliding")
    frame = _site(plant, "2023-11-03T06:00", "2023-11-05T09:00")
    start, end = pd.Timestamp(SPAN[0], tz="UTC"), pd.Timestamp("2023-11-05 08:00", tz="UTC")
    rows = frame.dent.coincident(tz=LA, elements="all", start=start, end=end)
    parts = {}
    for meter in plant.meters():
        readings = frame.loc[meter, KW]
        exact = [Fraction(f"{v:.3f}") for v in readings]
        parts[meter] = [
            (minute_of(t) - 15, minute_of(t), v) for t, v in zip(readings.index, exact, strict=True)
        ]
    quarters = pd.date_range(start, end, freq="15min", inclusive="left")
    sums = {}
    for at in quarters:
        s = minute_of(at)
        sums[at] = sum(
            mean([x for x in p if x[1] > s and x[0] < s + 15], s, s + 15) for p in parts.values()
        )
    best = max(sums, key=lambda at: (sums[at], -at.value))
    assert rows["at"].iloc[0] == best
    assert rows["site_peak"].iloc[0] == pytest.approx(float(sums[best]), abs=2e-9)
    assert set(rows["flags"]) == {("reblocked",)}
