"""The power of every local day by the time of day, as colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dentframe.metering.registers import RegisterRules
from dentframe.plot import axes as canvas
from dentframe.plot.axes import date, texts, ticks
from dentframe.plot.power import Days, lay, power, subject, sum_of
from dentframe.verbs.inputs import Asked

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from dentframe.times.ranges import Zone


_DEFAULT_RULES = RegisterRules()
_FEW = 10
"""Up to so many days are rows, one below the other; more are columns."""


def heatmap(
    frame: pd.DataFrame,
    window: Any = "15min",
    *,
    elements: Any = None,
    cmap: Any = None,
    title: str | None = None,
    ax: Axes | None = None,
    tz: Zone = None,
    start: Any = None,
    end: Any = None,
    topic: str | None = None,
    source: str = "auto",
    registers: RegisterRules = _DEFAULT_RULES,
    interval: Any = "15min",
    demand_lag: Any = "0min",
    site: Any = None,
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
        the only element, else the roles of `site`. A main beside its branches counts twice.
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
        The colour bar tells kW (kVA for ``topic="kVAHNet"``).

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
    canvas.check(ax)
    asked = Asked(tz, start, end, registers, interval, demand_lag)
    of = subject(frame, asked, topic=topic, source=source, elements=elements, site=site)
    found = power(of, window, "D", together=True)
    days = lay(found.s, found.e, found.total, found.tz)
    few = len(days.hours) <= _FEW
    ax = canvas.axes(ax, (10.0, 2.4 + 0.3 * len(days.hours)) if few else (10.0, 4.5))
    mesh = (_rows if few else _columns)(ax, days, _colours(days, cmap))
    canvas.dress(ax, title, grid=None)
    ax.tick_params(length=3)
    bar = ax.figure.colorbar(mesh, ax=ax, pad=0.015, aspect=12 if few else 25)
    bar.set_label(f"{sum_of(found.labels)} [{found.unit}]")
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
    return np.arange(days.kw.shape[0] + 1) * (days.row / 3.6e9)


def _columns(ax: Axes, days: Days, colours: dict[str, Any]) -> Any:
    """Days from left to right, each as wide as it is long; midnight at the bottom."""
    from dentframe.plot.axes import at, local_time

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
    from dentframe.plot.axes import zone_label

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
        axis.set_ticks((edges - low) / 3.6e9, shown)
        return
    axis.set_ticks(range(0, 25, 3), [f"{h:02d}:00" for h in range(0, 25, 3)])


def _legend(ax: Axes, days: Days) -> None:
    from matplotlib.lines import Line2D

    handles: list[Any] = []
    if days.lost.any():
        handles.append(canvas.gap_patch("not recorded"))
    lengths = sorted({f"{24 + gained:g}" for _, _, gained in days.changes()})
    if lengths:
        text = f"clocks change: a day of {' or '.join(lengths)} h"
        handles.append(Line2D([], [], **_MARK, label=text))
    canvas.legend_below(ax, handles)
