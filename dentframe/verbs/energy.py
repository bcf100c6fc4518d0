"""`energy` measures the energy of periods, and `intervals` that between each two readings.

Energy is the difference of two values of a cumulative function, so that the parts of any partition
add up to the whole, over midnights, gaps and clock changes. With a `Schedule` the stretches of each
window are added up per period.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe.errors import ConfigError
from dentframe.metering.attrs import is_several, time_index
from dentframe.metering.cumulative import STATUSES, first_covered, share, status
from dentframe.metering.figures import COLUMNS, Figures, all_figures, check_edges, detail_of
from dentframe.metering.registers import RegisterRules
from dentframe.metering.series import Ints, meter_by_meter
from dentframe.times.periods import verb_zone
from dentframe.times.ranges import ints, local
from dentframe.times.schedule import Schedule, Stretches
from dentframe.verbs.inputs import (
    VerbKeywords,
    asked_bounds,
    check_share,
    default_bounds,
    energy_source,
    inputs_of,
    interval_of,
    series_of,
    warn_of_spacing,
)
from dentframe.verbs.results import Result, attrs_of, flag_tuples, warn_of_figures, warn_of_power

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dentframe.metering.cumulative import Cumulative
    from dentframe.times.periods import Freq
    from dentframe.times.ranges import Zone


WINDOW = "window"
_ADDED = ("energy", "lo", "hi", "readings", "imported", "exported")


def by_window(
    result: Result,
    series: Sequence[Cumulative],
    starts: Ints,
    ends: Ints,
    schedule: Schedule,
    *,
    edges: str = "interpolate",
    min_coverage: float | None = None,
    detail: bool = False,
) -> pd.DataFrame:
    """Energy of each period, window and element, each window with a status of its own.

    Parameters
    ----------
    result : Result
        How figures become a frame.
    series : sequence of Cumulative
        One per (meter and) element.
    starts, ends : ndarray of int64
        The periods [us UTC].
    schedule : Schedule
        The windows.
    edges, min_coverage, detail : optional
        As in `energy`.

    Returns
    -------
    pandas.DataFrame
        (Period start, window) to ``Energy/Elm/A``... [kWh], (meter, period start, window) in a
        frame of several meters; a window without time in a period has no row. With `detail`,
        the rows of `energy` with a column ``window`` before ``start``.

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
    cells = _cells(schedule.split(starts, ends, result.tz), starts, ends, schedule.names)
    pieces = all_figures(series, cells.pieces.s, cells.pieces.e, edges=edges)
    added = [_added(f, cells, min_coverage, result) for f in pieces]
    if min_coverage is None and not detail:
        warn_of_figures([x.figures for x in added], result.tz)
    return _detail(result, added, cells) if detail else _wide(result, added, cells)


@dataclass(frozen=True)
class _Cells:
    """The (period, window) pairs that have time, and the cell of each stretch."""

    pieces: Stretches
    of_piece: Ints
    s: Ints
    e: Ints
    names: list[str]
    time: Ints


def _cells(pieces: Stretches, starts: Ints, ends: Ints, names: Sequence[str]) -> _Cells:
    key = pieces.period * len(names) + pieces.window
    cells, of_piece = np.unique(key, return_inverse=True)
    period = cells // len(names)
    time = np.zeros(len(cells), dtype=np.int64)
    np.add.at(time, of_piece, pieces.e - pieces.s)
    shown = [names[int(i)] for i in cells % len(names)]
    return _Cells(pieces, of_piece, starts[period], ends[period], shown, time)


@dataclass(frozen=True)
class _Added:
    figures: Figures
    detail: dict[str, Any]


def _added(f: Figures, cells: _Cells, least: float | None, result: Result) -> _Added:
    """The stretches of one series as one figure per cell."""
    n = len(cells.time)
    parts = detail_of(f, interval_of(result.interval, f.of.meter))
    measured = np.zeros(n, dtype=np.int64)
    np.add.at(measured, cells.of_piece, f.e - f.s)
    covered = np.zeros(n, dtype=np.int64)
    np.add.at(covered, cells.of_piece, f.of.covered(f.s, f.e))
    flags = np.zeros(n, dtype=np.int64)
    np.bitwise_or.at(flags, cells.of_piece, f.flags)
    coverage = share(covered, measured)
    hidden = (covered == 0) | (coverage < (0.0 if least is None else least))
    total = {k: _total(parts[k], cells.of_piece, n, hidden) for k in _ADDED}
    total["expected"] = _expected(measured, interval_of(result.interval, f.of.meter))
    total |= _brackets(parts, cells.of_piece, n)
    state = status(coverage, flags)
    made = Figures(
        f.of, cells.s, cells.e, cells.s, cells.e, total["energy"], coverage, flags, state
    )
    return _Added(made, {**total, "coverage": coverage, "status": state, "flags": flags})


def _total(values: Any, cell: Ints, n: int, hidden: Any) -> Any:
    if values.dtype.kind == "i":
        counted = np.zeros(n, dtype=np.int64)
        np.add.at(counted, cell, values)
        return counted
    known = np.zeros(n)
    np.add.at(known, cell, np.nan_to_num(values))
    some = np.zeros(n, dtype=np.bool_)
    np.logical_or.at(some, cell, ~np.isnan(values))
    return np.where(hidden | ~some, np.nan, known)


def _expected(time: Ints, interval: int) -> Ints:
    return np.asarray((2 * time + interval) // (2 * interval))


def _brackets(parts: dict[str, Any], cell: Ints, n: int) -> dict[str, Any]:
    """The readings around the first stretch's start and the last one's end."""
    first, last = np.full(n, len(cell), dtype=np.int64), np.zeros(n, dtype=np.int64)
    np.minimum.at(first, cell, np.arange(len(cell)))
    np.maximum.at(last, cell, np.arange(len(cell)))
    opened = {k: parts[k][first] for k in ("open_at", "open_reading")}
    return opened | {k: parts[k][last] for k in ("close_at", "close_reading")}


def _wide(result: Result, added: Sequence[_Added], cells: _Cells) -> pd.DataFrame:
    plain = result.wide([x.figures for x in added], cells.s)
    meters = len(plain) // len(cells.s) if len(cells.s) else 0
    windows = pd.Index(cells.names * meters, name=WINDOW, dtype=object)
    plain.index = pd.MultiIndex.from_arrays(
        [*(plain.index.get_level_values(i) for i in range(plain.index.nlevels)), windows],
        names=[*plain.index.names, WINDOW],
    )
    return plain


def _detail(result: Result, added: Sequence[_Added], cells: _Cells) -> pd.DataFrame:
    several = is_several(result.frame)
    names = [*(["meter"] if several else []), WINDOW, *COLUMNS]
    parts = []
    for group in meter_by_meter(added, lambda x: x.figures.of.meter):
        rows = [_rows(x, cells, result) for x in group]
        order = np.arange(len(cells.s))
        whole = pd.concat([r.assign(_cell=order) for r in rows])
        parts.append(whole.sort_values("_cell", kind="stable"))
    if not parts:
        return pd.DataFrame(columns=names)
    made = pd.concat(parts, ignore_index=True)[names]
    made.attrs = attrs_of(result.asked.result)
    return made


def _rows(x: _Added, cells: _Cells, result: Result) -> pd.DataFrame:
    of, d = x.figures.of, x.detail
    flags = d["flags"].tolist()
    return pd.DataFrame(
        {
            **{k: v for k, v in d.items() if k in COLUMNS},
            "meter": of.meter,
            WINDOW: cells.names,
            "element": of.element,
            "source": of.source,
            "start": local(cells.s, result.tz),
            "end": local(cells.e, result.tz),
            "open_at": local(np.asarray(d["open_at"], dtype=np.int64), result.tz),
            "close_at": local(np.asarray(d["close_at"], dtype=np.int64), result.tz),
            "status": np.array(STATUSES, dtype=object)[d["status"]],
            "flags": flag_tuples(flags, [()] * len(flags)),
        }
    )


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
    elements: Any = None,
    site: Any = None,
    corrections: Any = (),
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
        corrections bear on an element also ``raw``, what the meter itself told [kWh], and
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
    asked = VerbKeywords.of(
        frame, site, tz, start, end, registers, interval, demand_lag, elements, corrections
    )
    check_edges(edges)
    check_share(min_coverage)
    of = inputs_of(frame, freq, energy_source(frame, topic, source), asked)
    warn_of_power(of.series, of.s, of.e, of.tz)
    result = Result(frame, of.source, of.tz, interval, elements)
    if schedule is not None:
        cells = result, of.series, of.s, of.e, schedule
        return by_window(*cells, edges=edges, min_coverage=min_coverage, detail=detail)
    found = all_figures(of.series, of.s, of.e, edges=edges, min_coverage=min_coverage)
    if min_coverage is None and not detail:
        warn_of_figures(found, of.tz)
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
    elements: Any = None,
    site: Any = None,
    corrections: Any = (),
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
    asked = VerbKeywords.of(
        frame, site, tz, start, end, registers, interval, demand_lag, elements, corrections
    )
    zone = verb_zone(time_index(frame).tz, asked.tz)
    answer = energy_source(frame, topic, source)
    series = series_of(frame, answer, asked)
    warn_of_spacing((c.series for c in series), interval)
    low, high = asked_bounds(frame, start, end, asked.tz)
    first, last = default_bounds(frame, series)
    parts, found = [], []
    result = Result(frame, answer, zone, interval, elements)
    for meter in meter_by_meter(series, lambda c: c.meter):
        s, e = _between_readings(meter)
        keep = _overlapping(s, e, low or first, high or last)
        s, e = _cut(s[keep], e[keep], low, high)
        figs = all_figures(meter, s, e)
        found += figs
        parts.append(result.wide(figs, s, meters=[meter[0].meter]))
    warn_of_figures(found, zone)
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
