"""The picture `duration` shows how long a demand lasts, `profile` how the days of a load look."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
from matplotlib.lines import Line2D

from dentframe.errors import ConfigError
from dentframe.metering.series import is_several
from dentframe.plot.axes import axes, dress, legend
from dentframe.plot.colours_and_labels import STYLES, colour, ink, percent, shade, style
from dentframe.plot.elements_shown import (
    QUANTITIES,
    PictureKeywords,
    Subject,
    picture,
    power,
    subject,
)
from dentframe.times.dates_and_ranges import minutes
from dentframe.verbs.load_shape import profile as profile_table
from dentframe.wire.topics import TOPICS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.axes import Axes

    from dentframe.metering.energy_and_coverage import Cumulative
    from dentframe.metering.series import Floats


@picture
def duration(frame: pd.DataFrame, window: Any = "15min", **how: Unpack[PictureKeywords]) -> Axes:
    """Load duration curves, one per element: the demand reached for a share of the time.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns over time, or over (meter, time), shape (readings, columns).
    window : str or timedelta
        Length of a block of the local clock.
    elements : str, list of str, or "all", optional
        ``"A"`` in a frame of one meter, ``"P482311252_A"`` in any; None for all.
    title : str, optional
        None for no title.
    ax : matplotlib.axes.Axes, optional
        Where to draw; None makes a figure with pyplot.
    tz, start, end, topic, source, registers, interval, demand_lag : optional
        As in `demand`.
    site : Site, optional
        Gives labels, `tz`, and what is known about the registers.

    Returns
    -------
    matplotlib.axes.Axes
        Share of the covered blocks [%] to their power [kW], every block in its place. The
        legend tells how much was covered where that is not all.

    Raises
    ------
    RangeError, KindError, ConfigError, UnknownTopicError, UnknownMeterError, UnitError
        As `demand` and `heatmap`.
    MissingExtraError
        Without matplotlib (``pip install "dentframe[plot]"``).

    Examples
    --------
    >>> ax = df.dent.plot.duration(elements="A", tz=LA)
    >>> ax.get_ylabel()
    'A, demand reached [kW]'
    """
    of = subject(frame, how)
    found = power(of, window, together=False)
    ax = axes(how.get("ax"), (8.0, 4.5))
    lines = []
    for i, label, kw in zip(found.places, found.labels, found.parts, strict=True):
        known = -np.sort(-kw[~np.isnan(kw)])
        some = f", {percent(len(known) / len(kw))} covered" if len(known) else ", no reading"
        named = label + ("" if len(known) == len(kw) else some)
        x = np.linspace(0.0, 100.0, len(known) + 1)
        y = np.append(known, known[-1:] if len(known) else np.nan)
        look = {"color": colour(i), "linestyle": style(i), "label": named}
        lines += ax.plot(x, y, drawstyle="steps-post", **look)
    ax.set_xlim(0, 100)
    if not (found.parts < 0).any():
        ax.set_ylim(bottom=0)
    ax.set_xlabel("share of the time [%]")
    ax.set_ylabel(of.axis(found.series, f"{found.quantity} reached", found.unit))
    dress(ax, how.get("title"), grid="both")
    legend(ax, lines)
    return ax


_BANDS = 4
"""Up to so many lines have their bands: more would cover each other."""
_APART = ("weekday", "month")
_WIDE = 7
"""Up to so many days side by side have room for a tick every six hours."""


@picture
def profile(
    frame: pd.DataFrame,
    by: str = "daytype",
    q: Sequence[float] = (0.1, 0.5, 0.9),
    *,
    window: Any = "15min",
    holidays: Sequence[Any] = (),
    **how: Unpack[PictureKeywords],
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
        Local time of day to power [kW], each block from its start. An element has its own
        colour; types of day have shades of it and line styles. Weekdays and months stand side
        by side, each from midnight to midnight.

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
    'A, demand, median and 10%–90% band [kW]'
    """
    q = sorted(q)
    if len(q) % 2 == 0:
        raise ConfigError(f"Cannot draw q={q!r}: give an odd number, the middle one is the line.")
    of = subject(frame, how)
    table = profile_table(frame, by, q, window=window, holidays=holidays, **of.verb)
    found = of.inputs("D")
    series = of.each(found)
    places = of.places(series, found.series)
    types = list(dict.fromkeys(table.columns.get_level_values("day_type")))
    apart = by in _APART
    shown = [q[0], q[len(q) // 2], q[-1]] if len(q) > 1 else q
    if len(series) * (1 if apart else len(types)) > _BANDS:
        shown = shown[len(shown) // 2 :][:1]
    ax = axes(how.get("ax"), (12.0, 4.0) if apart else (8.0, 4.5))
    lines = []
    for c, place in zip(series, places, strict=True):
        rows: Any = table.xs(c.meter, level="meter") if is_several(frame) else table
        starts = [t.hour + t.minute / 60 for t in rows.index]
        x = np.array([*starts, *(h + minutes(window, "window") / 60 for h in starts[-1:])])
        for j, day in enumerate(types):
            curves = [_values(rows, day, c, y) for y in shown]
            look = _look(place, 0 if apart else j, one=len(series) == 1)
            lines.append(_curve(ax, x + j * 24 * apart, curves, look))
            lines[-1].set_label(f"{of.label(c)}, {day}")
    if not any((np.asarray(line.get_ydata()) < 0).any() for line in lines):
        ax.set_ylim(bottom=0)
    (_days_apart if apart else _one_day)(ax, types, found.tz)
    result = found.source.result
    ax.set_ylabel(
        of.axis(series, f"{QUANTITIES[result]}, {_quantile_words(shown)}", TOPICS[result].unit)
    )
    dress(ax, how.get("title"), grid="y" if apart else "both")
    legend(ax, _keys(lines, of, series, [] if apart else types))
    return ax


def _look(place: int, day: int, *, one: bool) -> dict[str, Any]:
    """An element's own colour; of one element a type of day has a shade of it as well."""
    return {
        "color": shade(colour(place), day) if one else colour(place),
        "linestyle": STYLES[day % len(STYLES)] if day else style(place),
    }


def _curve(ax: Axes, x: Floats, curves: Sequence[Floats], look: dict[str, Any]) -> Any:
    """The middle one of the curves as a line, within a band from the first to the last."""
    middle = curves[len(curves) // 2]
    (line,) = ax.plot(x, middle, drawstyle="steps-post", linewidth=1.4, **look)
    if len(curves) > 1:
        how: dict[str, Any] = {"step": "post", "linewidth": 0, "alpha": 0.2}
        ax.fill_between(x, curves[0], curves[-1], color=look["color"], **how)
    return line


def _one_day(ax: Axes, _: Sequence[str], tz: dt.tzinfo) -> None:
    ax.set_xticks(range(0, 25, 3), [f"{h:02d}:00" for h in range(0, 25, 3)])
    ax.set_xlim(0, 24)
    ax.set_xlabel(_of_day(tz))


def _days_apart(ax: Axes, types: Sequence[str], tz: dt.tzinfo) -> None:
    """A day beside the other, its name at the top and a line between each two."""
    n = len(types)
    every = 6 if n <= _WIDE else 12
    hours = [h for h in range(24 * n) if h % every == 0]
    ax.set_xticks(hours, [f"{h % 24}" for h in hours])
    ax.set_xlim(0, 24 * n)
    for j, day in enumerate(types):
        ax.axvline(24 * j, color=ink(), linewidth=0.6, alpha=0.4)
        where: dict[str, Any] = {"transform": ax.get_xaxis_transform(), "ha": "center"}
        ax.text(24 * j + 12, 1.01, day, va="bottom", gid="day", size="small", **where)
    ax.set_xlabel(f"hour, {_of_day(tz)}")


def _of_day(tz: dt.tzinfo) -> str:
    return "time of day (UTC)" if str(tz) == "UTC" else f"local time of day ({tz})"


def _quantile_words(q: Sequence[float]) -> str:
    """The quantiles in words."""
    middle = "median" if q[len(q) // 2] == 0.5 else f"{q[len(q) // 2]:.0%} quantile"
    return middle if len(q) == 1 else f"{middle} and {q[0]:.0%}–{q[-1]:.0%} band"


def _values(table: pd.DataFrame, day: str, c: Cumulative, q: float) -> Floats:
    key = (day, c.element, q)
    y = table[key].to_numpy() if key in table else np.full(len(table), np.nan)
    return np.append(y, y[-1:])


def _keys(
    lines: Sequence[Any], of: Subject, series: Sequence[Cumulative], types: Sequence[str]
) -> list[Any]:
    """A legend of the lines of one element, else of colours and of line styles."""
    if len(series) == 1 and types:
        return list(lines)
    each = len(lines) // len(series)
    keys = [
        Line2D([], [], color=x.get_color(), linestyle=x.get_linestyle(), label=of.label(c))
        for c, x in zip(series, lines[::each], strict=True)
    ]
    if len(types) < 2:
        return list(keys)
    days = [
        Line2D([], [], color=ink(), linestyle=STYLES[j % len(STYLES)], label=day)
        for j, day in enumerate(types)
    ]
    return [*keys, *days]
