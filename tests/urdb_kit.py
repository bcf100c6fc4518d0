"""Rates in the schema of OpenEI's rate database, made up here, and a pricing of them by loops.

The pricing reads the record itself, interval by interval, in fractions. It shares no code with
dentframe, and none of its ideas of windows, seasons or charges.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from fractions import Fraction
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("America/New_York")
QUARTER = dt.timedelta(minutes=15)
ALL_DAY = [[0] * 24 for _ in range(12)]


def watts():
    """Mean watts of each quarter of an hour of 2023 in New York, by the UTC start of each."""
    at = dt.datetime(2023, 1, 1, tzinfo=ZONE).astimezone(dt.UTC)
    end = dt.datetime(2024, 1, 1, tzinfo=ZONE).astimezone(dt.UTC)
    found, state = {}, 12345
    while at < end:
        state = (state * 1103515245 + 12345) % 2**31
        local = at.astimezone(ZONE)
        busy = 8 <= local.hour < 19 and local.weekday() < 5
        base = 22_000 if busy else 6_000
        summer = 9_000 if local.month in {6, 7, 8} and 12 <= local.hour < 20 else 0
        found[at] = 40 * ((base + summer + state % 15_000) // 40)
        at += QUARTER
    return found


def months_of(load):
    """The quarters of each month: instant, local date and hour, kind of day, watts."""
    found = defaultdict(list)
    for t, w in load.items():
        local = t.astimezone(ZONE)
        day = "weekday" if local.weekday() < 5 else "weekend"
        found[local.month].append((t, local.date(), local.hour, day, w))
    return found


def grid(months, spans, inside, outside):
    """A table of 12 months by 24 hours: `inside` in some hours of some months."""
    return [
        [inside if m in months and any(a <= h < b for a, b in spans) else outside
         for h in range(24)]
        for m in range(12)
    ]  # fmt: skip


def half_up(x):
    """An exact amount as cents."""
    sign = -1 if x < 0 else 1
    return Fraction(sign * int(abs(x) * 100 + Fraction(1, 2)), 100)


def price(record, load, month, *, order=None, lookback=0, ratchet_on="both"):
    """The exact amounts of a month of a load (`months_of`), one a price; the minimum last."""
    found = [*_energy(record, load, month, order)]
    for kind in ("flat", "tou"):
        found += _demand(record, load, month, kind, lookback, ratchet_on in {kind, "both"})
    days = len({day for _, day, *_ in load[month]})
    per = {"$/month": 1, "$/day": days}
    found.append(_exact(record.get("fixedchargefirstmeter", 0))
                 * per.get(record.get("fixedchargeunits"), 1))  # fmt: skip
    least = _exact(record.get("mincharge", 0)) * per.get(record.get("minchargeunits"), 1)
    due = sum(map(half_up, found))
    return [*found, max(least - due, 0)]


def _exact(x):
    return Fraction(str(x))


def _steps(tiers):
    """(width, price) of each tier; the last is wide enough for all."""
    low, found = Fraction(0), []
    for t in tiers:
        high = _exact(t.get("max", 10**12))
        found.append((high - low, _exact(t.get("rate", 0)) + _exact(t.get("adj", 0))))
        low = high
    return found


def _fill(amount, tiers):
    """The cost of an amount in each tier."""
    found = []
    for width, rate in _steps(tiers):
        part = min(amount, width)
        found.append(part * rate)
        amount -= part
    return found


def _period(record, name, month, hour, kind):
    return record.get(f"{name}{kind}schedule", ALL_DAY)[month - 1][hour]


def _energy(record, load, month, order):
    structure = record["energyratestructure"]
    kwh, costs, so_far = defaultdict(Fraction), defaultdict(Fraction), Fraction(0)
    for _, _, hour, kind, w in load[month]:
        p = _period(record, "energy", month, hour, kind)
        kwh[p] += Fraction(w, 4000)
        if order == "chronological":
            before = _fill(so_far, structure[p])
            so_far += Fraction(w, 4000)
            for i, cost in enumerate(_fill(so_far, structure[p])):
                costs[p, i] += cost - before[i]
    if order == "chronological":
        return list(costs.values())
    if order == "prorata":
        whole = sum(kwh.values())
        return [c * kwh[p] / whole for p in kwh for c in _fill(whole, structure[p])]
    return [c for p in kwh for c in _fill(kwh[p], structure[p])]


def _peaks(record, load, month, kind):
    """Greatest block of each period of a month, or of each day and period for a daily price."""
    minutes = record.get("demandwindow", 15)
    unit = record.get("flatdemandunit" if kind == "flat" else "demandrateunit", "kW")
    blocks = defaultdict(list)
    for quarter in load[month]:
        blocks[quarter[0].timestamp() // (60 * minutes)].append(quarter)
    found = defaultdict(Fraction)
    for block in blocks.values():
        _, day, hour, weekday, _ = block[0]
        kw = Fraction(sum(w for *_, w in block), 1000 * len(block))
        p = record["flatdemandmonths"][month - 1] if kind == "flat" else _period(
            record, "demand", month, hour, weekday)  # fmt: skip
        key = (p, day if "daily" in unit else None)
        found[key] = max(found[key], kw)
    return found


def _demand(record, load, month, kind, lookback, ratcheted):
    structure = record.get(f"{'flatdemand' if kind == 'flat' else 'demandrate'}structure")
    if not structure:
        return
    shares = record.get("demandratchetpercentage") or [record.get("lookbackPercent", 0)] * 12
    share = _exact(shares[month - 1]) if ratcheted else 0
    daily = defaultdict(lambda: [Fraction(0)] * 9)
    for (p, day), kw in _peaks(record, load, month, kind).items():
        past = range(max(1, month - lookback), month) if share else ()
        earlier = [share * _peaks(record, load, m, kind).get((p, None), 0) for m in past]
        billed = max([kw, *earlier])
        if day is None:
            yield from _fill(half_up(billed), structure[p])
        else:
            costs = [*_fill(kw, structure[p]), *[Fraction(0)] * 9]
            daily[p] = [a + b for a, b in zip(daily[p], costs, strict=False)]
    for costs in daily.values():
        yield from costs


DAY = grid(range(12), [(8, 20)], 1, 0)
EVENING = grid(range(5, 9), [(14, 21)], 2, 0)
MIXED = [[EVENING[m][h] or DAY[m][h] for h in range(24)] for m in range(12)]
SEASONS = [[int(5 <= m <= 8)] * 24 for m in range(12)]


def tou(*structures):
    """Three periods: off-peak, day, and summer evenings; weekends are off-peak."""
    return {"energyratestructure": list(structures), "energyweekdayschedule": MIXED,
            "energyweekendschedule": ALL_DAY}  # fmt: skip


def tiers(*rates, limits=(3000, 9000)):
    """Tiers of one period."""
    found = [{"rate": r, "unit": "kWh"} for r in rates]
    for tier, limit in zip(found[:-1], limits, strict=False):
        tier["max"] = limit
    return found


ONE = {"energyratestructure": [[{"rate": 0.1}]]}
SHAPES = {
    "flat with an adjustment": (
        {"energyratestructure": [[{"rate": 0.1033, "adj": 0.0121, "unit": "kWh"}]],
         "fixedchargefirstmeter": 24.5, "fixedchargeunits": "$/month"}, {}),
    "seasons": (
        {"energyratestructure": [[{"rate": 0.09}], [{"rate": 0.137}]],
         "energyweekdayschedule": SEASONS, "energyweekendschedule": SEASONS,
         "fixedchargefirstmeter": 0.37, "fixedchargeunits": "$/day"}, {}),
    "time of use with a minimum": (
        tou([{"rate": 0.07}], [{"rate": 0.11}], [{"rate": 0.31, "adj": -0.01}])
        | {"mincharge": 1100, "minchargeunits": "$/month"}, {}),
    "tiers": ({"energyratestructure": [tiers(0.08, 0.1, 0.13)]}, {"tier_proration": "none"}),
    "tiers under time of use, in order of time": (
        tou(tiers(0.07, 0.09), tiers(0.11, 0.14), tiers(0.3, 0.4)),
        {"tier_proration": "none", "tier_order": "chronological"}),
    "tiers under time of use, in proportion": (
        tou(tiers(0.07, 0.09), tiers(0.11, 0.14), tiers(0.3, 0.4)),
        {"tier_proration": "none", "tier_order": "prorata"}),
    "tiers of each period": (
        tou(tiers(0.07, 0.09), tiers(0.11, 0.14, limits=(2000,)), [{"rate": 0.3}]),
        {"tier_proration": "none", "tier_order": "per_period"}),
    "other tiers in summer": (
        {"energyratestructure": [tiers(0.08, 0.1), tiers(0.09, 0.12, 0.15, limits=(2500, 7000))],
         "energyweekdayschedule": SEASONS, "energyweekendschedule": SEASONS},
        {"tier_proration": "none"}),
    "flat demand by season": (
        ONE | {"flatdemandstructure": [[{"rate": 7.5}], [{"rate": 11.25, "adj": 0.5}]],
               "flatdemandmonths": [0] * 5 + [1] * 4 + [0] * 3, "demandwindow": 30,
               "flatdemandunit": "kW"}, {}),
    "demand by time of use beside a flat one": (
        ONE | {"flatdemandstructure": [[{"rate": 4}]], "flatdemandmonths": [0] * 12,
               "demandratestructure": [[{"rate": 0}], [{"rate": 3.1}], [{"rate": 9.9}]],
               "demandweekdayschedule": MIXED, "demandweekendschedule": ALL_DAY,
               "demandwindow": 60}, {}),
    "tiers of demand under a ratchet": (
        ONE | {"flatdemandstructure": [[{"rate": 0, "max": 20}, {"rate": 9.5}]],
               "flatdemandmonths": [0] * 12, "demandwindow": 15.0, "lookbackPercent": 0.95,
               "lookbackRange": 11}, {}),
    "a ratchet that differs by month": (
        ONE | {"flatdemandstructure": [[{"rate": 8}]], "flatdemandmonths": [0] * 12,
               "demandwindow": 15, "demandratchetpercentage": [0.95] * 5 + [0.5] * 4 + [1.0] * 3},
        {"ratchet_lookback": 6}),
    "a ratchet of one of two demands": (
        ONE | {"flatdemandstructure": [[{"rate": 8}]], "flatdemandmonths": [0] * 12,
               "demandratestructure": [[{"rate": 2}]], "demandwindow": 15,
               "lookbackPercent": 0.98, "lookbackRange": 3},
        {"ratchet_on": "tou"}),
    "demand of each day with a minimum by day": (
        ONE | {"demandratestructure": [[{"rate": 0.25}], [{"rate": 0.4}], [{"rate": 0.4}]],
               "demandweekdayschedule": MIXED, "demandweekendschedule": ALL_DAY,
               "demandrateunit": "kW daily", "demandwindow": 15, "mincharge": 55,
               "minchargeunits": "$/day"}, {}),
}  # fmt: skip
"""By name a record and what must be stated to price it."""
