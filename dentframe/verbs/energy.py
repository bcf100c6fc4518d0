"""`energy` measures the energy of periods, and `intervals` that between each two readings.

Energy is the difference of two values of a cumulative function, so that the parts of any partition
add up to the whole, over midnights, gaps and clock changes. With a `Schedule` the stretches of each
window are added up per period.
"""

from __future__ import annotations

import datetime as dt
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple, Unpack

import numpy as np
import pandas as pd

from dentframe.errors import ConfigError
from dentframe.metering.energy_and_coverage import Cumulative, first_covered, share, status, totals
from dentframe.metering.series import NONE, Flag, Floats, Ints
from dentframe.times.dates_and_ranges import stamp
from dentframe.times.schedule import Schedule
from dentframe.verbs import inputs_and_keywords as inputs
from dentframe.verbs import result_frames_and_warnings as results

if TYPE_CHECKING:
    from dentframe.times.periods import Freq


@inputs.corrected_verb
def energy(
    frame: pd.DataFrame,
    freq: Freq = None,
    *,
    edges: str = "interpolate",
    min_coverage: float | None = None,
    schedule: Any = None,
    detail: bool = False,
    **keywords: Unpack[inputs.CorrectedKeywords],
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
        ``"interpolate"``, or ``"last_reading"``: each edge moves to the last reading before it;
        those of the windows of a `schedule` stay on the clock.
    min_coverage : float, optional
        Figures with less coverage (0 to 1) are NaN, and nothing warns.
    interval, demand_lag : str, timedelta, or mapping by meter
        A mean stamped t covers ``(t - demand_lag - interval, t - demand_lag]``.
    schedule : Schedule, optional
        Time-of-use windows: the index has a level ``window`` more, `detail` a column, and each
        window its own status.
    elements : str or sequence of str, optional
        The elements asked for, ``"A"`` in a frame of one meter or ``"P482311252_A"`` in any; all
        by default.
    site : Site, optional
        Gives `tz`, and what is known about the registers, where they are not given; its
        meter swaps are of kWHNet alone.
    corrections : sequence of Correction, optional
        CT factors, readings by hand, exchanges and agreed figures, beside those of `site`; the
        frame is not changed.
    detail : bool
        One row per (meter,) period and element with coverage, status, bounds and readings; where
        corrections bear on an element also ``raw``, what the meter itself showed [kWh], and
        ``agreed``, what an agreed figure adds to what was measured [kWh].

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
        For what holds no energy, or where an element that is named has a register that was
        differenced by hand or feeds back undeclared. In a whole frame it is missing, and the
        warning names the remedy.
    RangeError
        For a naive index, a missing `tz`, or a span that ends before it starts.
    UnknownTopicError, UnknownMeterError, UnitError, ConfigError
        For a topic, element, unit or setting that cannot be used.

    Warns
    -----
    CoverageWarning
        Once a call, where figures are not wholly recorded; `detail` says it in its rows.

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
    resolved = inputs.VerbKeywords.of(frame, **keywords)
    inputs.check_one_of("edges", edges, inputs.EDGES)
    inputs.check_share(min_coverage)
    answer = inputs.energy_source(frame, resolved.topic, resolved.source)
    of = inputs.inputs_of(frame, freq, answer, resolved)
    results.warn_of_power(of.series, of.s, of.e, of.tz)
    if schedule is not None:
        return _by_window(of, schedule, edges, min_coverage, detail=detail)
    found = [figures(c, of.s, of.e, edges=edges, least=min_coverage or 0.0) for c in of.series]
    if detail:
        parts = [(f.of, results.detail_of(f, of.interval(f.of))) for f in found]
        return results.detail_rows(of, parts)
    if min_coverage is None:
        results.warn_of_figures(found, of.tz)
    return results.wide(of, [f.energy for f in found], of.s, of.e)


def _by_window(
    of: inputs.Inputs, schedule: Any, edges: str, least: float | None, *, detail: bool
) -> pd.DataFrame:
    """Energy of each period, window and element, each window with a status of its own.

    A window without time in a period has no row.

    Raises
    ------
    ConfigError
        For a `schedule` that is none.
    """
    if not isinstance(schedule, Schedule):
        raise ConfigError(
            f"Cannot use schedule={schedule!r}: use a Schedule, e.g. "
            'Schedule([Window("peak", "16:00", "21:00", days="weekday")]).'
        )
    pieces, n = schedule.split(of.s, of.e, of.tz), len(schedule.names)
    cells, cell = np.unique(pieces.period * n + pieces.window, return_inverse=True)
    s, e = of.s[cells // n], of.e[cells // n]
    windows = np.array(schedule.names, dtype=object)[cells % n]
    of_pieces = [_on_the_clock(c, of, pieces, edges) for c in of.series]
    parts = [_added(f, cell, s, e, of.interval(f.of), least or 0.0) for f in of_pieces]
    if detail:
        more = {"window": windows, "period": np.arange(len(s))}
        every = [(f.of, x | more) for f, x in parts]
        return results.detail_rows(of, every, ("window", *results.COLUMNS))
    if least is None:
        results.warn_of_figures([f for f, _ in parts], of.tz)
    made = results.wide(of, [f.energy for f, _ in parts], s, e)
    repeated = np.tile(windows, len(made) // max(len(s), 1))
    return made.set_index(pd.Index(repeated, dtype=object, name="window"), append=True)


def _on_the_clock(c: Cumulative, of: inputs.Inputs, pieces: Any, edges: str) -> Figures:
    """The figures of the stretches of windows, of which only the ends of a period may move."""
    if edges == "interpolate":
        return figures(c, pieces.s, pieces.e)
    c = moving(c, edges)
    low, high = (x[pieces.period] for x in c.at_readings(of.s, of.e))
    s = np.where(pieces.s == of.s[pieces.period], low, np.clip(pieces.s, low, high))
    e = np.where(pieces.e == of.e[pieces.period], high, np.clip(pieces.e, low, high))
    return figures(c, s, e)._replace(starts=pieces.s, ends=pieces.e)


def _added(
    f: Figures, cell: Ints, s: Ints, e: Ints, interval: int, least: float
) -> tuple[Figures, dict[str, Any]]:
    """The stretches of one series as one figure per cell, and its columns of `detail`."""
    n, parts = len(s), results.detail_of(f, interval)
    measured, covered = (totals(x, cell, n) for x in (f.e - f.s, f.of.covered(f.s, f.e)))
    flags = np.zeros(n, dtype=np.int64)
    np.bitwise_or.at(flags, cell, f.flags)
    coverage = share(covered, measured)
    state, hidden = status(coverage, flags), (covered == 0) | (coverage < least)
    total = {"readings": totals(parts["readings"], cell, n)}
    for k in ("energy", "lo", "hi", "imported", "exported", "raw", "agreed"):
        unknown = totals(~np.isnan(parts[k]), cell, n) == 0
        unknown |= hidden if k not in results.CORRECTED else False
        total[k] = np.where(unknown, np.nan, totals(np.nan_to_num(parts[k]), cell, n))
    first = np.unique(cell, return_index=True)[1]
    last = len(cell) - 1 - np.unique(cell[::-1], return_index=True)[1]
    total |= {k: parts[k][first] for k in ("open_at", "open_reading")}
    total |= {k: parts[k][last] for k in ("close_at", "close_reading")}
    total |= {"expected": results.expected(0 * measured, measured, interval), "start": s, "end": e}
    made = Figures(f.of, s, e, s, e, total["energy"], coverage, flags, state)
    return made, {**total, "coverage": coverage, "status": state, "flags": flags}


@inputs.corrected_verb
def intervals(frame: pd.DataFrame, **keywords: Unpack[inputs.CorrectedKeywords]) -> pd.DataFrame:
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
    topic, source, registers, interval, demand_lag, elements, site, corrections : optional
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
    resolved = inputs.VerbKeywords.of(frame, **keywords)
    answer = inputs.energy_source(frame, resolved.topic, resolved.source)
    of = inputs.inputs_of(frame, None, answer, resolved)
    (low, high), parts, found = resolved.limits(frame), [], []
    for _, group in groupby(of.series, lambda c: c.meter):
        meter = list(group)
        # The readings of all elements, and the gaps of their means.
        edges = [c.t[(c.t >= first_covered(c)) & (c.t <= c.at[-1])] for c in meter if len(c.at)]
        t = np.unique(np.concatenate([NONE, *edges]))
        s, e = t[:-1], t[1:]
        # The one period is the whole span; where nothing was read there is none, and no interval.
        there = (e > of.s) & (s < of.e)
        s, e = np.maximum(s[there], low), np.minimum(e[there], high)
        of_meter = [figures(c, s, e) for c in meter]
        found += of_meter
        one = of._replace(series=meter)
        parts.append(results.wide(one, [f.energy for f in of_meter], s, e, meter[0].meter))
    results.warn_of_figures(found, of.tz)
    if len(parts) == 1:
        return parts[0]
    whole = pd.concat(parts) if parts else results.wide(of, [], NONE, NONE)
    whole.attrs = results.attrs_of(of.source.result)
    return whole


class Figures(NamedTuple):
    """The figures of one series; every array has shape (periods,).

    Attributes
    ----------
    of : Cumulative
        The series.
    starts, ends : ndarray of int64
        The periods [us UTC].
    s, e : ndarray of int64
        The edges between which energy was measured [us UTC]; the periods' own, or moved.
    energy : ndarray of float
        [kWh], NaN where missing (or withheld by `min_coverage`).
    coverage : ndarray of float
        0 to 1.
    flags, status : ndarray of int64
        Flag bits; a position in `STATUSES`.
    """

    of: Cumulative
    starts: Ints
    ends: Ints
    s: Ints
    e: Ints
    energy: Floats
    coverage: Floats
    flags: Ints
    status: Ints


def moving(c: Cumulative, edges: str) -> Cumulative:
    """The series that figures with such edges are taken from: agreed spans move as edges do."""
    return (c.corrected.moved or c) if c.corrected and edges == "last_reading" else c


def figures(
    c: Cumulative, starts: Ints, ends: Ints, *, edges: str = "interpolate", least: float = 0.0
) -> Figures:
    """The energy of each period ``[start, end)`` of one series.

    Parameters
    ----------
    c : Cumulative
        The series.
    starts, ends : ndarray of int64
        The periods [us UTC], shape (periods,).
    edges : str
        ``"interpolate"``, or ``"last_reading"``: each edge moves to the last reading at or
        before it, where that is at most `max_gap` away.
    least : float
        Energy is NaN where coverage is below this.
    """
    s, e = starts, ends
    if edges == "last_reading":
        c = moving(c, edges)
        s, e = c.at_readings(starts, ends)
    a, b = c.both_edges(s, e)
    covered = b.covered - a.covered
    coverage = share(covered, e - s)
    known = (covered > 0) & (coverage >= least)
    energy = np.where(known, b.energy - a.energy, np.nan)
    flags = c.flags_between(a, b) | a.flags | b.flags
    return Figures(c, starts, ends, s, e, energy, coverage, flags, status(coverage, flags))


FALLS = Flag.UNEXPLAINED_DECREASE | Flag.DECREASE_UNCLASSIFIED | Flag.RESET | Flag.AMBIGUOUS_FALL
STEPS = FALLS | Flag.UNEXPLAINED_JUMP
"""What happens at one step of a register, and so has a time."""


def when(c: Cumulative, s: int, e: int, tz: dt.tzinfo) -> str:
    """Between which two readings the first doubtful step of a span lies, ``""`` without one.

    Parameters
    ----------
    c : Cumulative
        The element's series.
    s, e : int
        The span [us UTC].
    tz : tzinfo
        The zone of the times.
    """
    inside = (c.t[1:] > s) & (c.t[:-1] < e) & ((c.flags & int(STEPS)) != 0)
    found = np.flatnonzero(inside).tolist()
    if not found:
        return ""
    low, high = (stamp(int(x)).tz_convert(tz) for x in c.t[found[0] : found[0] + 2])
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return f"between {low:%Y-%m-%d %H:%M} and {high:%H:%M}{more}"
