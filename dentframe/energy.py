"""Energy of periods, and of the intervals between readings: frame in, frame out. Pure.

Energy is the difference of two values of a cumulative function, `metering.cumulative`, so that
the parts of any partition add up to the whole, over midnights, gaps and clock changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe.instants import ints
from dentframe.metering.cumulative import first_covered
from dentframe.metering.figures import all_figures, check_edges
from dentframe.metering.results import Result, warn_of, warn_of_power
from dentframe.metering.rows import meter_by_meter
from dentframe.metering.series import Ints, time_index
from dentframe.metering.sources import wanted
from dentframe.metering.spans import asked_bounds, default_bounds
from dentframe.metering.study import Asked, check_share, series_of, study
from dentframe.periods import verb_zone
from dentframe.registers import RegisterRules
from dentframe.tou import by_window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dentframe.freq import Freq
    from dentframe.instants import Zone
    from dentframe.metering.cumulative import Cumulative

_DEFAULT_RULES = RegisterRules()


def energy(
    frame: pd.DataFrame,
    freq: Freq = None,
    *,
    tz: Zone = None,
    start: Any = None,
    end: Any = None,
    topic: str | None = None,
    source: str = "auto",
    registers: RegisterRules = _DEFAULT_RULES,
    edges: str = "interpolate",
    min_coverage: float | None = None,
    interval: Any = "15min",
    demand_lag: Any = "0min",
    schedule: Any = None,
    site: Any = None,
    detail: bool = False,
) -> pd.DataFrame:
    """Energy of each period and element.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns over time, or over (meter, time), shape (readings, columns).
    freq : str, Monthly, list of edges, or None
        Start-anchored (``"D"``, ``"MS"``, ``"15min"``, ...); None for one period.
    tz : str or tzinfo, optional
        The zone of the calendar and of naive bounds; None is the index's own where not UTC.
    start, end : str, date, datetime or Timestamp, optional
        The span; only these cut a calendar period. By default the range that was read, else
        from the first reading to the last.
    topic : str, optional
        Another register or interval mean, e.g. ``"kVAHNet"`` for apparent energy.
    source : str
        ``"auto"``: per element its register, else its demand; ``"register"``; ``"demand"``.
    registers : RegisterRules
        What is known about the registers: greatest power, modulus, swaps, export.
    edges : str
        ``"interpolate"``, or ``"last_reading"``: each edge moves to the last reading before it.
    min_coverage : float, optional
        Figures with less coverage (0 to 1) are NaN, and nothing warns.
    interval, demand_lag : str, timedelta, or mapping by meter
        A mean stamped t covers ``(t - demand_lag - interval, t - demand_lag]``.
    schedule : Schedule, optional
        Time-of-use windows: the index has a level ``window`` more, `detail` a column, and each
        window its own status.
    site : Site, optional
        Gives `tz`, and what is known about the registers, where they are not given; its
        meter swaps are of kWHNet alone.
    detail : bool
        One row per (meter,) period and element with coverage, status, bounds and readings.

    Returns
    -------
    pandas.DataFrame
        Period start (in `tz`) to ``Energy/Elm/A``... [kWh], or ``ApparentEnergy``,
        ``ReactiveEnergy``; over (meter, time) where the frame is. NaN where nothing is known.
        With `detail`, rows of ``start, end, element, energy, coverage, status, lo, hi,
        readings, expected, source, open_at, open_reading, close_at, close_reading, imported,
        exported, flags``. Floats, or pint dtypes where the frame's columns are.

    Raises
    ------
    KindError
        For what holds no energy, or a register that was differenced by hand.
    RangeError
        For a naive index, a missing `tz`, or a span that ends before it starts.
    UnknownTopicError, UnknownMeterError, UnitError, ConfigError
        For a topic, element, unit or setting that cannot be used.

    Warns
    -----
    CoverageWarning
        Once a call, where figures are not wholly recorded.

    Notes
    -----
    The rules, and what other ways cost on real data: ``docs/explain/registers.md``.

    Examples
    --------
    >>> t = pd.date_range("2024-01-01", periods=3, freq="12h", tz="UTC")
    >>> readings = pd.DataFrame({"kWHNet/Elm/A": [100.0, 106.0, 118.0]}, index=t)
    >>> float(energy(readings, "D", tz="UTC").iloc[0, 0])
    18.0
    """
    asked = Asked.of(frame, site, tz, start, end, registers, interval, demand_lag)
    check_edges(edges)
    check_share(min_coverage)
    of = study(frame, freq, wanted(frame, topic, source), asked)
    warn_of_power(of.series, of.s, of.e, of.tz)
    result = Result(frame, of.wanted, of.tz, interval)
    if schedule is not None:
        cells = result, of.series, of.s, of.e, schedule
        return by_window(*cells, edges=edges, min_coverage=min_coverage, detail=detail)
    found = all_figures(of.series, of.s, of.e, edges=edges, min_coverage=min_coverage)
    if min_coverage is None:
        warn_of(found, of.tz)
    return result.detail(found) if detail else result.wide(found, of.s)


def intervals(
    frame: pd.DataFrame,
    *,
    tz: Zone = None,
    start: Any = None,
    end: Any = None,
    topic: str | None = None,
    source: str = "auto",
    registers: RegisterRules = _DEFAULT_RULES,
    interval: Any = "15min",
    demand_lag: Any = "0min",
    site: Any = None,
) -> pd.DataFrame:
    """Energy of each interval between the readings of a meter.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns over time, or over (meter, time), shape (readings, columns).
    tz : str or tzinfo, optional
        The zone of the result and of naive bounds; None is the index's own.
    start, end : str, date, datetime or Timestamp, optional
        The span; an interval across one of them is cut. By default the intervals that
        overlap the range that was read, each whole.
    topic, source, registers, interval, demand_lag, site : optional
        As in `energy`.

    Returns
    -------
    pandas.DataFrame
        Interval start (in `tz`) to ``Energy/Elm/A``... [kWh]; an interval ends where the next
        begins. The readings of all elements of a meter, and the gaps of its means, are its
        edges; an element's blank is bridged, its share interpolated. Adds up to `energy`.

    Raises
    ------
    KindError, RangeError, UnknownTopicError, UnknownMeterError, UnitError, ConfigError
        As `energy`.

    Warns
    -----
    CoverageWarning
        Once a call, where figures are not wholly recorded.

    Examples
    --------
    >>> main, span = df.dent.select(element="A"), dict(start="2023-12-01", end="2024-01-01")
    >>> parts, whole = main.dent.intervals(tz=LA, **span), main.dent.energy(tz=LA)
    >>> bool(abs(parts.sum().item() - whole.sum().item()) < 1e-6)
    True
    """
    asked = Asked.of(frame, site, tz, start, end, registers, interval, demand_lag)
    zone = verb_zone(time_index(frame).tz, asked.tz)
    answer = wanted(frame, topic, source)
    series = series_of(frame, answer, asked)
    low, high = asked_bounds(frame, start, end, asked.tz)
    first, last = default_bounds(frame, series)
    parts, found = [], []
    result = Result(frame, answer, zone, interval)
    for meter in meter_by_meter(series, lambda c: c.meter):
        s, e = _between_readings(meter)
        keep = _overlapping(s, e, low or first, high or last)
        s, e = _cut(s[keep], e[keep], low, high)
        figs = all_figures(meter, s, e)
        found += figs
        parts.append(result.wide(figs, s, meters=[meter[0].meter]))
    warn_of(found, zone)
    return result.joined(parts)


def _between_readings(meter: Sequence[Cumulative]) -> tuple[Ints, Ints]:
    parts = [c.t[(c.t >= first_covered(c)) & (c.t <= c.at[-1])] for c in meter if len(c.at)]
    edges = np.unique(np.concatenate(parts)) if parts else np.empty(0, dtype=np.int64)
    return edges[:-1], edges[1:]


def _overlapping(s: Ints, e: Ints, low: pd.Timestamp | None, high: pd.Timestamp | None) -> Any:
    keep = np.ones(len(s), dtype=np.bool_)
    if low is not None:
        keep &= e > ints(pd.DatetimeIndex([low]))
    if high is not None:
        keep &= s < ints(pd.DatetimeIndex([high]))
    return keep


def _cut(
    s: Ints, e: Ints, low: pd.Timestamp | None, high: pd.Timestamp | None
) -> tuple[Ints, Ints]:
    if low is not None:
        s = np.maximum(s, ints(pd.DatetimeIndex([low])))
    if high is not None:
        e = np.minimum(e, ints(pd.DatetimeIndex([high])))
    return s, e
