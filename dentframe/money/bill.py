"""A bill is a tariff applied to the readings of some elements over one billing period."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe.errors import ConfigError, RangeError
from dentframe.metering.attrs import time_index
from dentframe.metering.cumulative import STATUSES
from dentframe.metering.register_rules import RegisterRules
from dentframe.money.occupancy import midnights
from dentframe.money.other_charges import KVAH, KVARH, Reactive
from dentframe.money.pricing import Case, check_accept
from dentframe.money.rounding import EXACT, add, digits_of, exact, mode_of, rounded, unit_of
from dentframe.money.statement import Day, Statement
from dentframe.money.tariff import Tariff
from dentframe.money.usage import Meters
from dentframe.times.periods import verb_zone
from dentframe.times.ranges import instant, ints, zone
from dentframe.verbs.energy import figures
from dentframe.verbs.inputs import EDGES, MEAN, REGISTER, VerbKeywords, check_one_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dentframe.archive.archive import Archive
    from dentframe.money.statement import Line, Past
    from dentframe.times.ranges import Zone


def topics(tariff: Tariff) -> list[str]:
    """The topics that a tariff's charges read, each once; those of its energy first.

    Parameters
    ----------
    tariff : Tariff
        What is to be priced.

    Returns
    -------
    list of str
        ``kVARHNet`` is among them where a charge takes it if it is there.

    Examples
    --------
    >>> from dentframe.money import Energy, Tariff
    >>> topics(Tariff("Flat", [Energy("Energy", "0.12")]))
    ['kWHNet', 'DemandkW']
    """
    own = [x for charge in tariff.charges for x in _of(charge)]
    return list(dict.fromkeys([REGISTER, MEAN, *own]))


def _of(charge: Any) -> list[str]:
    own = [charge.topic] if getattr(charge, "topic", None) else []
    target = getattr(charge, "target_power_factor", None)
    if isinstance(charge, Reactive):
        return [KVAH] if target is not None else [KVAH, KVARH]
    return own if target is None else [*own, KVAH]


def check_period(tariff: Tariff, start: Any, end: Any, tz: Zone) -> None:
    """Refuse a period that a charge per month cannot be priced for, before it is read.

    Parameters
    ----------
    tariff : Tariff
        What is to be priced.
    start, end : Timestamp
        The period ``[start, end)``.
    tz : str or tzinfo
        The zone of the calendar.

    Raises
    ------
    ConfigError
        Naming the charge, the days and what to state.
    """
    s, e = ints(pd.DatetimeIndex([start, end]).tz_convert("UTC").as_unit("us")).tolist()
    nothing = Meters(pd.DataFrame(), zone(tz), None, VerbKeywords(tz), "auto", ())
    case = Case(nothing, s, e, tariff.holidays, None, None, "half-up", None, tariff.currency)
    for charge in tariff.charges:
        span = case.valid(charge)
        if span is not None and getattr(charge, "per", "") == "month":
            case.months(charge, charge.proration, *span)


_DEFAULT_RULES = RegisterRules()


def bill(
    df: pd.DataFrame | Archive,
    tariff: Tariff,
    start: Any,
    end: Any,
    *,
    tz: Zone,
    elements: Any = None,
    registers: RegisterRules = _DEFAULT_RULES,
    source: str = "auto",
    accept: Sequence[str] = ("recorded",),
    places: int | None = 2,
    rounding: str = "half-up",
    edges: str = "last_reading",
    history: Mapping[str, Sequence[Any]] | Sequence[Any] | None = None,
    interval: Any = "15min",
    demand_lag: Any = "0min",
    party: str = "",
    title: str = "Electricity statement",
    comparison: Sequence[Past] = (),
    notes: Sequence[str] = (),
    read_at: pd.Timestamp | None = None,
) -> Statement:
    """Price one billing period of some elements.

    Parameters
    ----------
    df : pandas.DataFrame or Archive
        Wire-named columns over time, or over (meter, time), shape (readings, columns). Of an
        archive the period is read, with its bracketing readings, and nothing is asked.
    tariff : Tariff
        What it costs.
    start, end : str, date, datetime or Timestamp
        The billing period ``[start, end)``: one month for charges per month.
    tz : str or tzinfo
        The zone of the calendar, of the tariff's clock and of naive bounds.
    elements : str, list of str, optional
        Whose energy is added up, ``"all"`` allowed; may be left out where there is one. Of an
        archive by full ids, ``"P482311252_A"``.
    registers : RegisterRules
        What is known about the registers, corrections among it. By windows of time an agreed
        figure is priced where it states what was used in each; else it is refused.
    source : str
        As in `energy`; demand charges read DemandkW first, unless it is ``"register"``.
    accept : sequence of str
        Statuses that may be billed; the others are refused.
    places : int or None
        Decimals of quantities, which are rounded before they are priced (half-up). Amounts
        have the decimals of the currency. None rounds nothing, for cross-checks.
    rounding : str
        Of amounts: ``"half-up"`` or ``"half-even"``.
    edges : str
        ``"last_reading"``: energy lies between the last readings at or before the ends of the
        period and of a charge's validity, so that used is closing less opening, as printed.
        ``"interpolate"``: it is that of the instants themselves.
    history : mapping of charge to sequence, or sequence, optional
        Measured demand of the months before, the oldest first [kW]: for ratchets.
    interval, demand_lag : str, timedelta, or mapping by meter
        A mean stamped t covers ``(t - demand_lag - interval, t - demand_lag]``.
    party, title, comparison, notes, read_at : optional
        What the statement shows beside its lines.

    Returns
    -------
    Statement

    Raises
    ------
    CoverageError
        For a figure whose status is not accepted: element, period, status and what to do.
    ConfigError
        For a setting that cannot be meant, or one that must be stated and is not.
    RangeError, KindError, UnknownTopicError, UnknownMeterError, UnitError
        As `energy`.
    IncompleteReadError
        Where an archive does not hold all of the period.

    Notes
    -----
    The edges of time-of-use windows stay on the clock and are interpolated; time before the
    nominal start has the start's window. Windows and tiers share what was used by largest
    remainder. A closing needs a reading at or after it, else the figure is partial.
    A demand interval belongs to the window it starts in.

    Examples
    --------
    >>> from dentframe.money import Energy
    >>> t = pd.date_range("2024-01-01", periods=32, freq="D", tz="UTC")
    >>> readings = pd.DataFrame({"kWHNet/Elm/A": [10.0 * i for i in range(32)]}, index=t)
    >>> flat = Tariff("Flat", [Energy("Energy", "0.12")], currency="USD")
    >>> bill(readings, flat, "2024-01-01", "2024-02-01", tz="UTC").total
    Decimal('37.20')
    """
    _check(places, rounding, tariff)
    df = _readings(df, elements, start, end, tz)
    zone = verb_zone(time_index(df).tz, tz)
    asked = VerbKeywords.of(df, None, zone, start, end, registers, interval, demand_lag, elements)
    check_one_of("edges", edges, EDGES)
    meters = Meters(df, zone, elements, asked, source, check_accept(accept), edges, places)
    s, e = _span(start, end, zone)
    digits = None if places is None else digits_of(tariff.currency)
    case = Case(
        meters, s[0], e[0], tariff.holidays, places, digits, rounding, history, tariff.currency
    )
    return Statement(
        party=party,
        title=title,
        start=s[1].tz_convert(zone),
        end=e[1].tz_convert(zone),
        tz=str(zone),
        currency=tariff.currency,
        lines=_lines(tariff, case),
        readings=case.readings(),
        comparison=tuple(comparison),
        tariff=tariff.to_dict(),
        places=places,
        rounding=rounding,
        notes=tuple(notes),
        read_at=read_at,
        daily=_daily(meters, s[1], e[1]),
    )


def _daily(meters: Meters, start: pd.Timestamp, end: pd.Timestamp) -> tuple[Day, ...]:
    """What all elements used day by day: days end at midnight, whatever readings are there."""
    edges = sorted({*midnights(start, end, meters.tz), start, end})
    at = ints(pd.DatetimeIndex(edges))
    used = [figures(c, at[:-1], at[1:], edges="interpolate") for c in meters.registers()]
    found = []
    for i, day in enumerate(edges[:-1]):
        parts = [
            (None if np.isnan(f.energy[i]) else rounded(float(f.energy[i]), meters.places),
             STATUSES[int(f.status[i])])
            for f in used
        ]  # fmt: skip
        found.append(Day.of(day.tz_convert(meters.tz).date(), parts))
    return tuple(found)


def _readings(df: Any, elements: Any, start: Any, end: Any, tz: Zone) -> pd.DataFrame:
    from dentframe.archive.archive import Archive

    if not isinstance(df, Archive):
        frame: pd.DataFrame = df
        return frame
    whole = elements is None or elements == "all"
    return df.read(df.meters() if whole else elements, start, end, tz=tz, bracket=True)


def _check(places: int | None, rounding: str, tariff: Any) -> None:
    mode_of(rounding)
    if places is not None:
        unit_of(places)
    if not isinstance(tariff, Tariff):
        raise ConfigError(f"Cannot price by {tariff!r}: use a Tariff, e.g. Tariff.load(path).")


def _span(start: Any, end: Any, zone: Any) -> tuple[tuple[int, Any], tuple[int, Any]]:
    a, b = instant(start, zone, "start"), instant(end, zone, "end")
    if a >= b:
        raise RangeError(
            f"Cannot bill from {start!r} to {end!r}: start is not before end. The period is "
            "half-open, [start, end)."
        )
    at = ints(pd.DatetimeIndex([a, b])).tolist()
    return (at[0], a), (at[1], b)


def _lines(tariff: Tariff, case: Case) -> tuple[Line, ...]:
    for charge in tariff.charges:
        case = replace(case, done=(*case.done, *charge.lines(case)))
    return case.done


def over_recovery(statements: Sequence[Statement], charged: Any, *, allow: bool = False) -> Decimal:
    """What statements collect beyond a utility's bill.

    Parameters
    ----------
    statements : sequence of Statement
        All parties' of one period, landlord and export included.
    charged : Decimal, int or str
        What the utility charged [currency].
    allow : bool
        Whether more may be collected; then print what this returns.

    Returns
    -------
    Decimal
        The excess, 0 or more [currency].

    Raises
    ------
    ConfigError
        Where the statements collect more and nobody allowed it.
    """
    total, cost = add([x.total for x in statements]), exact(charged, "charged")
    excess = max(EXACT.subtract(total, cost), Decimal(0))
    if excess and not allow:
        raise ConfigError(
            f"Cannot bill {total}: the utility charged {cost}, which is {excess} less. Pricing "
            "each tenant on the building's tariff can collect more than it cost. Split the bill "
            "instead, or pass allow=True and print the excess."
        )
    return excess
