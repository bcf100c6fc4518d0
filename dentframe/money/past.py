"""Earlier periods to compare with, where the data is at hand. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from dentframe.errors import CoverageError
from dentframe.instants import instant, ints, localize
from dentframe.metering.rows import time_index
from dentframe.metering.study import Asked
from dentframe.money.lines import Past
from dentframe.money.meters import Meters, check_accept
from dentframe.money.rounding import add, rounded
from dentframe.periods import verb_zone
from dentframe.registers import RegisterRules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dentframe.instants import Zone

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
    elements, registers, source, accept, places, interval, demand_lag : optional
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
    meters = Meters(df, zone, elements, asked, source, check_accept(accept))
    walls = [last.tz_localize(None) - pd.DateOffset(months=i) for i in range(months, -1, -1)]
    edges = localize(pd.DatetimeIndex(walls).as_unit("us"), zone)
    at = ints(edges).tolist()
    return tuple(
        Past(label(edges[i], edges[i + 1]), _energy(meters, at[i], at[i + 1], places))
        for i in range(months)
    )


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
    return rounded(add([p.energy for p in used.pieces]), places)
