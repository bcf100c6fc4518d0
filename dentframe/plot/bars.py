"""Energy per period of the elements of a picture. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe.errors import RangeError
from dentframe.freq import Monthly, parse_freq
from dentframe.instants import ints
from dentframe.metering import sources
from dentframe.metering.figures import all_figures
from dentframe.metering.rows import time_index
from dentframe.metering.spans import asked_bounds, default_bounds, periods
from dentframe.periods import verb_zone
from dentframe.plot.subject import UNITS
from dentframe.plot.ticks import date

if TYPE_CHECKING:
    import datetime as dt

    from dentframe.freq import Freq
    from dentframe.metering.rows import Floats, Ints
    from dentframe.plot.subject import Subject

_AUTO = ((8, None), (100, "D"), (3 * 366, "W-MON"))
"""The longest span [days] of each way; beyond them months."""
_NAMES = {"D": "local day", "MS": "month", "QS": "quarter", "YS": "year", "h": "hour"}


@dataclass(frozen=True)
class Bars:
    """Energy of periods.

    Attributes
    ----------
    s, e : ndarray of int64
        The periods, the first and last cut at the span [us UTC], shape (periods,).
    kwh : ndarray of float
        Of what is covered, shape (elements, periods); NaN where nothing is.
    whole, doubtful : ndarray of bool
        Whether all of a period is covered, and whether its figure is not simply recorded.
    labels : list of str
        Of the elements.
    tz : tzinfo
        The zone of the calendar.
    unit, each : str
        ``kWh`` or another; what a period is called.
    """

    s: Ints
    e: Ints
    kwh: Floats
    whole: np.ndarray
    doubtful: np.ndarray
    labels: list[str]
    tz: dt.tzinfo
    unit: str
    each: str

    def name(self, us: int, tz: dt.tzinfo) -> str:
        """What the period that starts then is called."""
        return date(us, tz) if self.each == "local day" else f"from {date(us, tz)}"

    @property
    def parts(self) -> Floats:
        """What is stacked."""
        return self.kwh

    @property
    def total(self) -> Floats:
        """The sum of the elements, NaN where one is not wholly covered."""
        return np.asarray(np.where(self.whole, self.kwh, np.nan).sum(axis=0))


def bars(of: Subject, freq: Freq) -> Bars | None:
    """The bars of a subject; None where its power is to be drawn instead."""
    asked, frame = of.asked, of.frame
    wanted = sources.wanted(frame, of.topic, of.source)
    low, high = asked_bounds(frame, asked.start, asked.end, asked.tz)
    series = sources.cumulatives(
        frame,
        wanted,
        tz=asked.tz,
        registers=asked.registers,
        interval=asked.interval,
        demand_lag=asked.demand_lag,
    )
    first, last = default_bounds(frame, series)
    low, high = (low or first), (high or last)
    freq = _freq(low, high) if freq is None else freq
    if freq is None:
        return None
    zone = verb_zone(time_index(frame).tz, asked.tz, freq)
    when = periods(frame, series, freq, tz=zone, start=low, end=high, naive=asked.tz)
    s, e = ints(when.starts), ints(when.ends)
    if len(s) == 0:
        raise RangeError(f"Cannot draw energy per {freq!r}: the span holds no such period.")
    found = all_figures(of.together(series, wanted), s, e)
    return Bars(
        s,
        e,
        np.stack([f.energy for f in found]),
        np.stack([f.coverage == 1 for f in found]),
        np.stack([(f.status > 0) & ~np.isnan(f.energy) for f in found]),
        [of.label(f.of) for f in found],
        zone,
        UNITS[wanted.result],
        _each(freq),
    )


def _freq(low: pd.Timestamp | None, high: pd.Timestamp | None) -> str | None:
    if low is None or high is None:
        return None
    days = (high - low) / pd.Timedelta(days=1)
    return next((x for most, x in _AUTO if days <= most + 0.1), "MS")


def _each(freq: Any) -> str:
    if isinstance(freq, Monthly):
        return "month"
    if not isinstance(freq, str):
        return "period"
    n, unit = parse_freq(freq)
    name = "week" if unit.startswith("W") else _NAMES.get(unit.split("-")[0], unit)
    return name if n == 1 else f"{n} {name}s"
