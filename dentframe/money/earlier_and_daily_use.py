"""Use in earlier periods and on single days is found here, to stand beside a statement's period."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe.archive.archive import opened
from dentframe.errors import CoverageError, IncompleteReadError, UnknownMeterError
from dentframe.metering.energy_and_coverage import STATUSES, Cumulative
from dentframe.metering.series import time_index
from dentframe.money.occupancy import MAIN, OWN, Occupancy, completed, span
from dentframe.money.rounding_and_tiers import add, rounded
from dentframe.money.split_usage import MISSING, Rows, Usage, accepts, energy_of, energy_rows
from dentframe.money.statement import Day, Past
from dentframe.money.tariff_usage import ALWAYS, Meters
from dentframe.times.dates_and_ranges import Zone, instant, ints, localize, micros
from dentframe.times.periods import midnights, verb_zone
from dentframe.verbs.energy import figures
from dentframe.verbs.inputs_and_keywords import DEFAULT_RULES, VerbKeywords

if TYPE_CHECKING:
    from dentframe.metering.register_rules import RegisterRules
    from dentframe.money.split_bill import Run
    from dentframe.site.site import Tenant

NONE = "There is no comparison with earlier periods: "


def earlier(
    df: pd.DataFrame,
    end: Any,
    *,
    tz: Zone,
    months: int = 13,
    elements: Any = None,
    registers: RegisterRules = DEFAULT_RULES,
    source: str = "auto",
    accept: Sequence[str] = ("recorded",),
    places: int | None = 2,
    edges: str = "last_reading",
    interval: Any = "15min",
    demand_lag: Any = "0min",
) -> tuple[Past, ...]:
    """Energy of the months up to an instant, for a statement's comparison.

    Parameters
    ----------
    df : pandas.DataFrame
        The readings of all these months, as far as they are at hand.
    end : str, date, datetime or Timestamp
        The end of the last month, e.g. that of the billing period.
    tz : str or tzinfo
        The zone of the calendar.
    months : int
        How many: 13 show the same month a year ago.
    elements, registers, source, accept, places, edges, interval, demand_lag : optional
        As in `bill`.

    Returns
    -------
    tuple of Past
        The oldest first; the quantity is None where it is not known well enough [kWh].

    Raises
    ------
    RangeError, KindError, UnknownMeterError, ConfigError
        As `bill`.
    """
    zone = verb_zone(time_index(df).tz, tz)
    last = instant(end, zone, "end").tz_convert(zone)
    keywords = VerbKeywords(zone, None, None, registers, interval, demand_lag)
    meters = Meters(df, zone, elements, keywords, source, accept, edges, places)
    found = []
    for start, until in pairwise(_months_before(last, months, zone)):
        try:
            pieces, _, whole = meters.energy(micros(start), micros(until), ALWAYS)
            used = rounded(add(x for _, x in pieces) if whole is None else whole, places)
        except CoverageError:
            used = None
        found.append(Past(label(start, until), used, start=start, end=until))
    return tuple(found)


def _months_before(end: pd.Timestamp, months: int, tz: dt.tzinfo) -> pd.DatetimeIndex:
    """The edges of so many months up to an instant, by the local calendar."""
    walls = [end.tz_localize(None) - pd.DateOffset(months=i) for i in range(months, -1, -1)]
    return localize(pd.DatetimeIndex(walls).as_unit("us"), tz)


def label(start: pd.Timestamp, end: pd.Timestamp) -> str:
    """What a period is called: ``2023-12`` where it is a calendar month, else its dates.

    Examples
    --------
    >>> label(pd.Timestamp("2023-11-18"), pd.Timestamp("2023-12-18"))
    '2023-11-18 to 2023-12-18'
    """
    month = start.day == end.day == 1 and start + pd.DateOffset(months=1) == end
    return f"{start:%Y-%m}" if month else f"{start:%Y-%m-%d} to {end:%Y-%m-%d}"


@dataclass(frozen=True)
class BilledPeriod:
    """What one tenant used and was billed in an earlier period, as a record or readings tell it.

    Parameters
    ----------
    party, account : str
        The tenant's name, and account at the landlord where there is one.
    start, end : Timestamp
        The tenant's own part ``[start, end)`` of the bill's period.
    kwh : Decimal or None
        Own energy as printed, corrected where the bill was [kWh]; None where it is not known.
    amount : Decimal or None
        The statement's total [currency]; None where readings alone tell of the period.
    closings : mapping of str to (Timestamp, Decimal)
        By element id, when the closing reading was taken and what it was, as printed [kWh].
    """

    party: str
    account: str
    start: pd.Timestamp
    end: pd.Timestamp
    kwh: Decimal | None
    amount: Decimal | None = None
    closings: Mapping[str, tuple[pd.Timestamp, Decimal]] = field(default_factory=dict)


def measured_year_before(use: Usage) -> tuple[list[BilledPeriod], str]:
    """The energies of the twelve periods before a split's own, by its readings; or why none.

    A period counts only where the tenant had each of its elements over the whole of it, and
    where the rules accept the figures; any other is unknown, never 0.
    """
    if "energy" not in use.figures:
        return [], "nothing is shared by the energy of the whole period."
    zone = use.site.zone
    edges = list(_months_before(span(use.site, use.bill)[0].tz_convert(zone), 12, zone))
    first = time_index(use.frame).min().tz_convert(zone)
    if first > edges[-2]:
        return [], f"the readings at hand begin on {first:%Y-%m-%d %H:%M}."
    rows = energy_rows(use, dict.fromkeys(use.site.elements, edges))
    return [
        BilledPeriod(t.name, t.account, s, e, _used(use, rows, t.name, s, e))
        for t in use.site.tenants
        for s, e in pairwise(edges)
    ], ""


def archived_year_before(archive: Any, use: Usage) -> list[BilledPeriod]:
    """The same of the year before, as far as an archive holds it; nothing is asked."""
    start = span(use.site, use.bill)[0].tz_convert(use.site.zone)
    elements = list(dict.fromkeys(s.element for s in use.occupancies))
    first = start - pd.DateOffset(years=1)
    try:
        frame = opened(archive).read(elements, first, start, tz=use.site.tz, bracket=True)
    except UnknownMeterError:
        return []
    except IncompleteReadError as error:
        frame = error.partial
    if not len(frame):
        return []
    return measured_year_before(replace(use, frame=completed(frame, use.occupancies, start)))[0]


def _used(use: Usage, rows: Rows, party: str, s: pd.Timestamp, e: pd.Timestamp) -> Decimal | None:
    """The energy of a tenant in an earlier period [kWh], None where it is not known."""
    values = []
    for name in dict.fromkeys(x.element for x in use.occupancies if x.kind != MAIN):
        holds = use.site.holds_of(name)
        mine = [(a, b) for a, b, who in holds if who == party and a < e and b > s]
        if any(a > s or b < e for a, b in mine):
            return None
        if mine:
            row = rows.get((name, s.tz_convert("UTC")), MISSING)
            values.append(energy_of(use.rules, row) if row["status"] in use.rules.accept else None)
    known = [x for x in values if x is not None]
    return add(known) if known and len(known) == len(values) else None


def daily(
    series: Iterable[Cumulative],
    held: Sequence[Occupancy],
    period: tuple[pd.Timestamp, pd.Timestamp],
    tz: dt.tzinfo,
    places: int | None,
) -> dict[str, list[Day]]:
    """What each party used day by day: days end at midnight, whatever readings are there.

    Parameters
    ----------
    series : iterable of Cumulative
        The elements.
    held : sequence of Occupancy
        Who had which of them, and when.
    period : tuple of Timestamp
        The bill's.
    tz : tzinfo
        The zone of the days.
    places : int or None
        Decimals of energy.
    """
    ends = {x for s in held for x in (s.start, s.end)}
    edges = sorted({*midnights(*period, tz), *period, *ends})
    at, found = ints(pd.DatetimeIndex(edges)), defaultdict(list)
    for c in series:
        f = figures(c, at[:-1], at[1:])
        used = [None if np.isnan(x) else rounded(x, places) for x in f.energy.tolist()]
        for s in (s for s in held if s.element == c.name):
            for start, energy, i in zip(edges, used, f.status.tolist(), strict=False):
                if s.start <= start < s.end:
                    day = start.tz_convert(tz).date()
                    found[s.party, day].append((energy, STATUSES[i]))
    days = defaultdict(list)
    for (party, day), parts in sorted(found.items()):
        days[party].append(Day.of(day, parts))
    return days


def own_dates(run: Run, party: str) -> tuple[pd.Timestamp, pd.Timestamp]:
    """A party's dates, from its first to its last; those of the bill are the landlord's."""
    is_landlord = party == run.site.landlord
    mine = [s for s in run.whole.occupancies if s.party == party and not is_landlord]
    edges = [x for s in mine for x in (s.start, s.end)] or span(run.site, run.bill)
    return min(edges).tz_convert(run.site.zone), max(edges).tz_convert(run.site.zone)


def comparison(
    run: Run, tenant: Tenant, measured: Iterable[BilledPeriod], why: str
) -> tuple[tuple[Past, ...], str]:
    """A tenant's periods, the oldest known first and the bill's own last; or why there is none.

    Of two that tell of one period, the later one counts, where it knows the energy: a record
    after readings, a corrected record after what it replaces.

    Parameters
    ----------
    run : Run
        The split.
    tenant : Tenant
        Whose periods.
    measured : iterable of BilledPeriod
        What readings tell of earlier periods, of other tenants too.
    why : str
        Why readings tell of none.
    """
    zone = run.site.zone
    start, end = own_dates(run, tenant.name)
    found: dict[tuple[pd.Timestamp, pd.Timestamp], BilledPeriod] = {}
    for x in (*measured, *run.earlier):
        by_account = x.account and tenant.account
        mine = x.account == tenant.account if by_account else x.party == tenant.name
        if mine and x.end <= start and (x.kwh is not None or (x.start, x.end) not in found):
            found[x.start, x.end] = x
    past = sorted(found.values(), key=lambda x: x.start)
    first = next((i for i, x in enumerate(past) if (x.kwh, x.amount) != (None, None)), None)
    if first is None:
        return (), NONE + (why or f"none was wholly {tenant.name}'s and measured well enough.")
    energies = run.whole.figures.get("energy", [])
    own = [f for f in energies if f.party == tenant.name and f.kind == OWN]
    known = own and all(accepts(run.whole, f) for f in own)
    used = add([f.value for f in own if f.value is not None]) if known else None
    owed = add([c.amount for c in run.every_charge if c.party == tenant.name])
    now = BilledPeriod(tenant.name, tenant.account, start, end, used, owed)
    shown = []
    for x in (*past[first:], now):
        low, high = x.start.tz_convert(zone), x.end.tz_convert(zone)
        shown.append(Past(label(low, high), x.kwh, amount=x.amount, start=low, end=high))
    return tuple(shown), ""
