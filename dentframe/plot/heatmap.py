"""The picture `heatmap` shows the power of every local day by the time of day, as colours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
from matplotlib.lines import Line2D

from dentframe.metering.register_rules import MINUTE
from dentframe.plot import axes as canvas
from dentframe.plot.local_time import at, date, local_time, texts, ticks, zone_label
from dentframe.plot.subject import Keywords, picture, power, subject
from dentframe.times.periods import calendar
from dentframe.times.ranges import ints, local, stamp
from dentframe.verbs.quality_findings import runs

if TYPE_CHECKING:
    import datetime as dt

    import pandas as pd
    from matplotlib.axes import Axes

    from dentframe.metering.series import Floats, Ints


HOUR = 60 * MINUTE
_FEW = 10
"""Up to so many days are rows, one below the other; more are columns."""


@picture
def heatmap(
    frame: pd.DataFrame, window: Any = "15min", *, cmap: Any = None, **how: Unpack[Keywords]
) -> Axes:
    """Power by local day and time of day, as colours; what is not recorded is hatched.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns over time, or over (meter, time), shape (readings, columns).
    window : str or timedelta
        Length of a block of the local clock; a divisor of the day.
    elements : str, list of str, or "all", optional
        What is added up, ``"A"`` in a frame of one meter and ``"P482311252_A"`` in any. None:
        the only element, else the roles of `site`; ``"all"`` is refused where it has a main
        beside its branches, which would count twice.
    cmap : str or Colormap, optional
        By default ``"viridis"``, or ``"PuOr_r"`` around 0 where power is fed in.
    title : str, optional
        None for no title.
    ax : matplotlib.axes.Axes, optional
        Where to draw; None makes a figure with pyplot.
    tz : str or tzinfo, optional
        The zone of the days; needed on a UTC index.
    start, end, topic, source, registers, interval, demand_lag : optional
        As in `demand`.
    site : Site, optional
        Gives labels, roles, `tz`, and what is known about the registers.

    Returns
    -------
    matplotlib.axes.Axes
        The colour bar names what is shown: ``HVAC, demand [kW]``.

    Raises
    ------
    RangeError
        For a frame without rows or span, a naive index, a missing `tz`.
    KindError, ConfigError, UnknownTopicError, UnknownMeterError, UnitError
        As `demand` and `coincident`.
    MissingExtraError
        Without matplotlib (``pip install "dentframe[plot]"``).

    Notes
    -----
    Up to ten days are rows, more are columns. A day runs from its local midnight by the time
    that has passed, so the day on which the clock goes back is 25 hours long and the other 23.
    A mark shows where the clock changes; past it that day's clock is an hour off the axis.
    A block is hatched where some moment of it is not covered, in one element of a sum.

    Examples
    --------
    >>> ax = df.dent.plot.heatmap(elements="A", tz=LA)
    >>> ax.get_ylabel()
    'time of day'
    """
    of = subject(frame, how)
    found = power(of, window, "D", together=True)
    days = lay(found.s, found.e, found.total, found.tz)
    few = len(days.hours) <= _FEW
    ax = canvas.axes(how.get("ax"), (10.0, 2.4 + 0.3 * len(days.hours)) if few else (10.0, 4.5))
    mesh = (_rows if few else _columns)(ax, days, _colours(days, cmap))
    canvas.dress(ax, how.get("title"), grid=None)
    ax.tick_params(length=3)
    bar = ax.figure.colorbar(mesh, ax=ax, pad=0.015, aspect=12 if few else 25)
    bar.set_label(of.summed(found.series, found.quantity, found.unit))
    bar.outline.set_visible(False)
    _legend(ax, days)
    return ax


def _colours(days: Days, cmap: Any) -> dict[str, Any]:
    some = days.kw[~np.isnan(days.kw)]
    top, low = float(some.max(initial=0.0)), float(some.min(initial=0.0))
    if low < 0:
        most = max(top, -low)
        return {"cmap": "PuOr_r" if cmap is None else cmap, "vmin": -most, "vmax": most}
    return {"cmap": "viridis" if cmap is None else cmap, "vmin": 0.0, "vmax": top or 1.0}


def _elapsed(days: Days) -> Any:
    return np.arange(days.kw.shape[0] + 1) * (days.row / HOUR)


def _columns(ax: Axes, days: Days, colours: dict[str, Any]) -> Any:
    """Days from left to right, each as wide as it is long; midnight at the bottom."""
    local_time(ax, int(days.edges[0]), int(days.edges[-1]), days.tz)
    x = at(days.edges)
    mesh = ax.pcolormesh(x, _elapsed(days), days.kw, rasterized=True, **colours)
    width = np.diff(x)
    boxes = [(x[d], a, width[d], b - a) for d, a, b in days.boxes()]
    canvas.hatched(ax, boxes, gid="gaps")
    top = float(days.hours.max())
    for d, hour, _ in days.changes():
        ax.plot([x[d], x[d + 1]], [hour, hour], **_MARK, gid="change")
        ax.plot((x[d] + x[d + 1]) / 2, top, marker=7, clip_on=False, color=_MARK["color"])
    _hours(ax.yaxis, days)
    ax.set_ylim(0, top)
    ax.set_ylabel("time of day")
    return mesh


def _rows(ax: Axes, days: Days, colours: dict[str, Any]) -> Any:
    """Days from top to bottom; midnight at the left."""
    n = len(days.hours)
    mesh = ax.pcolormesh(
        _elapsed(days), np.arange(n + 1), days.kw.T, rasterized=True, edgecolors="none", **colours
    )
    boxes = [(a, float(d), b - a, 1.0) for d, a, b in days.boxes()]
    canvas.hatched(ax, boxes, gid="gaps")
    for d, hour, _ in days.changes():
        ax.plot([hour, hour], [d, d + 1], **_MARK, gid="change")
    _hours(ax.xaxis, days)
    ax.set_xlim(0, days.hours.max())
    ax.set_yticks(np.arange(n) + 0.5, [date(int(x), days.tz) for x in days.edges[:-1]])
    ax.set_ylim(n, 0)
    year = "" if n == 0 else f", {texts(days.edges[:1], days.tz)[0].splitlines()[-1]}"
    ax.set_xlabel(zone_label(days.tz) + year)
    return mesh


_MARK: dict[str, Any] = {"color": "#D55E00", "linewidth": 2.0, "solid_capstyle": "butt"}


def _hours(axis: Any, days: Days) -> None:
    """Clock times of an ordinary day; the day's own where there is no other day."""
    if len(days.hours) == 1:
        low, high = int(days.edges[0]), int(days.edges[1])
        edges = ticks(low, high, "h", days.tz)
        shown = [x[:5].removesuffix(":00") for x in texts(edges, days.tz)]
        shown[-1] = "24" if high == edges[-1] else shown[-1]
        axis.set_ticks((edges - low) / HOUR, shown)
        return
    axis.set_ticks(range(0, 25, 3), [f"{h:02d}:00" for h in range(0, 25, 3)])


def _legend(ax: Axes, days: Days) -> None:
    handles: list[Any] = []
    if days.lost.any():
        handles.append(canvas.gap_patch("not recorded"))
    lengths = sorted({f"{24 + gained:g}" for _, _, gained in days.changes()})
    if lengths:
        text = f"clocks change: a day of {' or '.join(lengths)} h"
        handles.append(Line2D([], [], **_MARK, label=text))
    canvas.legend_below(ax, handles)


@dataclass(frozen=True)
class Days:
    """A table of rows of equal length by local days of 23, 24 or 25 hours.

    Attributes
    ----------
    edges : ndarray of int64
        The local midnights [us UTC], shape (days + 1,).
    row : int
        Length of a row [us].
    kw : ndarray of float
        Shape (rows, days); row 0 begins at midnight; NaN where nothing is recorded, and where
        there is no such time.
    lost : ndarray of bool
        Where the span has a block that nothing covers, shape (rows, days).
    tz : tzinfo
        The zone of the days.
    """

    edges: Ints
    row: int
    kw: Floats
    lost: np.ndarray
    tz: dt.tzinfo

    @property
    def hours(self) -> Floats:
        """The length of each day [h]."""
        return np.asarray(np.diff(self.edges) / HOUR)

    def boxes(self) -> list[tuple[int, float, float]]:
        """Stretches that are not recorded, as (day, from, to) [hours since midnight]."""
        step = self.row / HOUR
        return [
            (day, a * step, b * step)
            for day in np.flatnonzero(self.lost.any(axis=0)).tolist()
            for a, b in runs(self.lost[:, day])
        ]

    def changes(self) -> list[tuple[int, float, float]]:
        """Days on which the clock changes: (day, hours since midnight, hours gained)."""
        found = []
        for day in np.flatnonzero(self.hours != 24.0).tolist():
            low, high = int(self.edges[day]), int(self.edges[day + 1])
            grid = np.arange(low, high + 1, self.row)
            walls = local(grid, self.tz).tz_localize(None).as_unit("us").asi8
            drift = grid - walls
            i = int(np.argmax(drift != drift[0]))
            found.append((day, (int(grid[i]) - low) / HOUR, float(self.hours[day] - 24.0)))
        return found


def lay(s: Ints, e: Ints, kw: Floats, tz: dt.tzinfo) -> Days:
    """Lay blocks out by day.

    Parameters
    ----------
    s, e : ndarray of int64
        Blocks in order that cross no local midnight [us UTC], shape (blocks,).
    kw : ndarray of float
        Shape (blocks,); NaN where not wholly covered.
    tz : tzinfo
        The zone of the days.
    """
    first, last = (stamp(int(x)).tz_convert(tz) for x in (s[0], e[-1]))
    edges = ints(calendar("D", first, last, tz))
    day = np.searchsorted(edges, s, side="right") - 1
    a, b = s - edges[day], e - edges[day]
    row = int(np.gcd.reduce(np.concatenate((a, b, np.diff(edges)))))
    table = np.full((int(np.diff(edges).max()) // row, len(edges) - 1), np.nan)
    lost = np.zeros(table.shape, dtype=np.bool_)
    many = (b - a) // row
    block = np.repeat(np.arange(len(s)), many)
    within = np.arange(len(block)) - np.repeat(np.cumsum(many) - many, many)
    where = a[block] // row + within, day[block]
    table[where], lost[where] = kw[block], np.isnan(kw[block])
    return Days(edges, row, table, lost, tz)
