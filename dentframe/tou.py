"""Energy by time-of-use window: the stretches of each window added up per period. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe.errors import ConfigError
from dentframe.instants import local
from dentframe.metering.cumulative import STATUSES, share, status
from dentframe.metering.figures import COLUMNS, Figures, all_figures, detail_of
from dentframe.metering.layout import flag_tuples
from dentframe.metering.results import Result, attrs_of, warn_of
from dentframe.metering.rows import is_several, meter_by_meter
from dentframe.metering.sources import interval_of
from dentframe.schedule import Schedule, Stretches

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dentframe.metering.cumulative import Cumulative
    from dentframe.metering.rows import Ints

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
    if min_coverage is None:
        warn_of([x.figures for x in added], result.tz)
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
