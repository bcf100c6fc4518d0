"""Earlier periods are measured here, for a statement to compare its own with."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pandas as pd

from dentframe.errors import CoverageError
from dentframe.metering.attrs import time_index
from dentframe.metering.figures import check_edges
from dentframe.metering.registers import RegisterRules
from dentframe.money.figures import Row, Usage, accepts, energy_of, energy_rows
from dentframe.money.occupancy import OWN, billed, span
from dentframe.money.rounding import add, rounded
from dentframe.money.statement import Past
from dentframe.money.usage import Meters, check_accept
from dentframe.site.elements import stays as held
from dentframe.times.periods import verb_zone
from dentframe.times.ranges import instant, ints, localize
from dentframe.verbs.inputs import Asked

if TYPE_CHECKING:
    from dentframe.times.ranges import Zone

MONTHS = 12
NONE = "There is no comparison with earlier periods: "
_DEFAULT_RULES = RegisterRules()


def earlier(
    df: pd.DataFrame,
    end: Any,
    *,
    tz: Zone,
    months: int = 13,
    elements: Any = None,
    registers: RegisterRules = _DEFAULT_RULES,
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
    asked = Asked(zone, None, None, registers, interval, demand_lag)
    check_edges(edges)
    meters = Meters(df, zone, elements, asked, source, check_accept(accept), edges, places)
    bounds = _months_before(last, months, zone)
    at = ints(bounds).tolist()
    return tuple(
        Past(label(bounds[i], bounds[i + 1]), _energy(meters, at[i], at[i + 1], places))
        for i in range(months)
    )


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


def _energy(meters: Meters, s: int, e: int, places: int | None) -> Any:
    try:
        used = meters.energy(s, e, None)
    except CoverageError:
        return None
    whole = add([p.energy for p in used.pieces]) if used.whole is None else used.whole
    return rounded(whole, places)


@dataclass(frozen=True)
class EarlierYear:
    """The energies of the twelve periods before a split's own.

    Attributes
    ----------
    edges : list of pandas.Timestamp
        Of the periods; the last one ends where the split's begins.
    rows : dict
        Each element's energy by element and start.
    why : str
        Why there are none; ``""`` where there are.
    """

    edges: list[pd.Timestamp]
    rows: dict[tuple[str, pd.Timestamp], Row]
    why: str = ""


def earlier_year(use: Usage) -> EarlierYear:
    """Measure the periods before a split's own, as far as its readings reach back."""
    if "energy" not in use.figures:
        return EarlierYear([], {}, "nothing is shared by the energy of the whole period.")
    zone = use.site.zone
    start = span(use.site, use.bill)[0].tz_convert(zone)
    edges = list(_months_before(start, MONTHS, zone))
    first = time_index(use.frame).min().tz_convert(zone)
    if first > edges[-2]:
        return EarlierYear([], {}, f"the readings at hand begin on {first:%Y-%m-%d %H:%M}.")
    return EarlierYear(edges, energy_rows(use, edges))


def compared(use: Usage, year: EarlierYear, party: str) -> tuple[tuple[Past, ...], str]:
    """A tenant's periods, the oldest known first and the bill's own last; or why there is none.

    A period counts only where the tenant held each of its elements over the whole of it, and
    where the rules accept the figures; any other is unknown, never 0.
    """
    if year.why:
        return (), NONE + year.why
    found = [_used(use, year, party, i) for i in range(MONTHS)]
    known = next((i for i, x in enumerate(found) if x is not None), None)
    if known is None:
        return (), f"{NONE}none was wholly {party}'s and measured well enough."
    past = [Past(label(*year.edges[i : i + 2]), found[i]) for i in range(known, MONTHS)]
    mine = [f for f in use.figures["energy"] if f.stay.party == party and f.stay.kind == OWN]
    fine = all(accepts(use.rules, f) for f in mine)
    now = add([f.value for f in mine if f.value is not None]) if fine else None
    start, end = (x.tz_convert(use.site.zone) for x in span(use.site, use.bill))
    return (*past, Past(label(start, end), now)), ""


def _used(use: Usage, year: EarlierYear, party: str, i: int) -> Decimal | None:
    """The energy of a tenant in an earlier period [kWh], None where it is not known."""
    s, e = year.edges[i : i + 2]
    values = []
    for name in billed(use.site, use.bill):
        mine = [(a, b) for a, b, who in held(use.site, name) if who == party and a < e and b > s]
        if any(a > s or b < e for a, b in mine):
            return None
        if mine:
            row = year.rows.get((name, s.tz_convert("UTC")))
            accepted = row is not None and row["status"] in use.rules.accept
            values.append(energy_of(use.rules, row) if accepted else None)
    known = [x for x in values if x is not None]
    return add(known) if known and len(known) == len(values) else None
