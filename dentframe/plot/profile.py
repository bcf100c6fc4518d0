"""How the days of a load look: its power by local time of day and type of day."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np

from dentframe.errors import ConfigError
from dentframe.metering.registers import RegisterRules
from dentframe.metering.series import is_several
from dentframe.plot import axes as canvas
from dentframe.plot.marks import STYLES, colour
from dentframe.plot.power import UNITS, Subject, subject
from dentframe.times.ranges import minutes
from dentframe.verbs.inputs import Asked
from dentframe.verbs.profile import profile as profile_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.axes import Axes

    from dentframe.metering.cumulative import Cumulative
    from dentframe.metering.series import Floats
    from dentframe.times.ranges import Zone


_DEFAULT_RULES = RegisterRules()
_BANDS = 4
"""Up to so many lines have their bands: more would cover each other."""


def profile(
    frame: pd.DataFrame,
    by: str = "daytype",
    q: Sequence[float] = (0.1, 0.5, 0.9),
    *,
    window: Any = "15min",
    holidays: Sequence[Any] = (),
    elements: Any = None,
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
    """Power by local time of day: a line per type of day, within a band of quantiles.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns over time, or over (meter, time), shape (readings, columns).
    by : str
        ``"daytype"`` (weekday, weekend, holiday), ``"weekday"``, ``"month"`` or ``"all"``.
    q : sequence of float
        Quantiles, from 0 to 1: the line is the middle one, the band reaches from the least to
        the greatest. An even number has no middle one and raises.
    window : str or timedelta
        Length of a block of the local clock.
    holidays : sequence of date
        Local dates, for ``by="daytype"``.
    elements : str, list of str, or "all", optional
        ``"A"`` in a frame of one meter, ``"P482311252_A"`` in any; None for all.
    title : str, optional
        None for no title.
    ax : matplotlib.axes.Axes, optional
        Where to draw; None makes a figure with pyplot.
    tz : str or tzinfo, optional
        The zone of the days; needed on a UTC index.
    start, end, topic, source, registers, interval, demand_lag : optional
        As in `demand`.
    site : Site, optional
        Gives labels, `tz`, and what is known about the registers.

    Returns
    -------
    matplotlib.axes.Axes
        Local time of day [h] to power [kW], each block from its start. Of one element the
        colours are types of day; of several the colours are elements, the line styles days.

    Raises
    ------
    RangeError, KindError, ConfigError, UnknownTopicError, UnknownMeterError, UnitError
        As the verb `profile` and `heatmap`.
    MissingExtraError
        Without matplotlib (``pip install "dentframe[plot]"``).

    Notes
    -----
    The hour that comes twice when clocks go back counts twice, the one that is skipped not at
    all. More than four lines have no bands.

    Examples
    --------
    >>> ax = df.dent.plot.profile(elements="A", tz=LA)
    >>> ax.get_ylabel()
    'power, median and 10%–90% band [kW]'
    """
    q = sorted(q)
    if len(q) % 2 == 0:
        raise ConfigError(f"Cannot draw q={q!r}: give an odd number, the middle one is the line.")
    canvas.check(ax)
    asked = Asked(tz, start, end, registers, interval, demand_lag)
    of = subject(frame, asked, topic=topic, source=source, elements=elements, site=site)
    a = of.asked
    table = profile_table(
        frame, by, q, window=window, holidays=holidays, tz=a.tz, start=start, end=end,
        topic=topic, source=source, registers=a.registers, interval=interval,
        demand_lag=demand_lag,
    )  # fmt: skip
    found = of.study("D")
    series = of.each(found.series, found.wanted)
    ax = canvas.axes(ax, (8.0, 4.5))
    types = list(dict.fromkeys(table.columns.get_level_values("day_type")))
    _curves(ax, of, series, table, types, q, minutes(window, "window") / 60)
    _axes_of_day(ax, found.tz)
    shown = q if len(series) * len(types) <= _BANDS else [q[len(q) // 2]]
    ax.set_ylabel(f"power, {_said(shown)} [{UNITS[found.wanted.result]}]")
    canvas.dress(ax, title, grid="both")
    return ax


def _axes_of_day(ax: Axes, tz: dt.tzinfo) -> None:
    ax.set_xticks(range(0, 25, 3), [f"{h:02d}:00" for h in range(0, 25, 3)])
    ax.set_xlim(0, 24)
    utc = str(tz) == "UTC"
    ax.set_xlabel("time of day (UTC)" if utc else f"local time of day ({tz})")


def _said(q: Sequence[float]) -> str:
    """The quantiles in words."""
    middle = "median" if q[len(q) // 2] == 0.5 else f"{q[len(q) // 2]:.0%} quantile"
    return middle if len(q) == 1 else f"{middle} and {q[0]:.0%}–{q[-1]:.0%} band"


def _curves(
    ax: Axes,
    of: Subject,
    series: Sequence[Cumulative],
    table: pd.DataFrame,
    types: Sequence[str],
    q: Sequence[float],
    hours: float,
) -> None:
    one = len(series) == 1
    bands = len(q) > 1 and len(series) * len(types) <= _BANDS
    lines: list[Any] = []
    for i, c in enumerate(series):
        of_meter: Any = table.xs(c.meter, level="meter") if is_several(of.frame) else table
        x = _clock(of_meter.index, hours)
        for j, day in enumerate(types):
            look: dict[str, Any] = {
                "color": colour(j if one else i),
                "linestyle": STYLES[j % len(STYLES)],
            }
            low, middle, high = (_values(of_meter, day, c, q[k]) for k in (0, len(q) // 2, -1))
            lines += ax.plot(x, middle, drawstyle="steps-post", linewidth=1.4, **look)
            lines[-1].set_label(f"{of.label(c)}, {day}")
            if bands:
                edges: dict[str, Any] = {"step": "post", "linewidth": 0, "alpha": 0.2}
                ax.fill_between(x, low, high, color=look["color"], **edges)
    if not any((np.asarray(line.get_ydata()) < 0).any() for line in lines):
        ax.set_ylim(bottom=0)
    canvas.legend(ax, lines if one else _two_keys(lines, of, series, types))


def _clock(index: pd.Index, hours: float) -> Floats:
    """Starts of the blocks [h], and where the last one ends."""
    times: list[dt.time] = list(index)
    starts = np.array([t.hour + t.minute / 60 for t in times])
    return np.append(starts, starts[-1:] + hours)


def _values(table: pd.DataFrame, day: str, c: Cumulative, q: float) -> Floats:
    key = (day, c.element, q)
    y = table[key].to_numpy() if key in table else np.full(len(table), np.nan)
    return np.append(y, y[-1:])


def _two_keys(
    lines: Sequence[Any], of: Subject, series: Sequence[Cumulative], types: Sequence[str]
) -> list[Any]:
    """A legend of colours, and of line styles where there are several types of day."""
    from matplotlib.lines import Line2D

    from dentframe.plot.marks import ink

    colours = [
        Line2D([], [], color=line.get_color(), label=of.label(c))
        for c, line in zip(series, lines[:: len(types)], strict=True)
    ]
    if len(types) == 1:
        return list(colours)
    days = [
        Line2D([], [], color=ink(), linestyle=STYLES[j % len(STYLES)], label=day)
        for j, day in enumerate(types)
    ]
    return [*colours, *days]
