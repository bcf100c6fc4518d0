"""The pictures `peaks`, `duration` and `profile` show demand as lines.

`peaks` shows it over time, with the highest marked; `duration` how long it lasts; `profile` how
the days of a load look.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D

from dentframe.display import percent
from dentframe.errors import ConfigError
from dentframe.metering.register_rules import HOUR
from dentframe.metering.series import Floats, Ints, element_columns, is_several
from dentframe.plot import axes_colours_and_labels as shared
from dentframe.plot.axes_colours_and_labels import STYLES
from dentframe.plot.elements_shown import PictureKeywords, Shown, for_verb, picture, power, shown
from dentframe.times.dates_and_ranges import ints, minutes
from dentframe.times.periods import Freq, calendar
from dentframe.verbs import demand as blocks
from dentframe.verbs.gaps_and_coverage import uncovered
from dentframe.verbs.inputs_and_keywords import demand_source
from dentframe.verbs.load_shape import profile as profile_table
from dentframe.verbs.peaks import peaks as peaks_table
from dentframe.wire.topics import kind_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes


_DAY = 24 * HOUR
_HIGHEST = ((3 * 366, "W-MON", "week"), (62, "D", "day"))
"""Longer spans [days] show the highest of each such period: a line through all has no shape."""
Step = tuple["Ints", "Ints", "Floats"]


@picture
def peaks(
    frame: pd.DataFrame,
    freq: Freq = None,
    *,
    window: Any = None,
    kind: str | None = None,
    step: Any = None,
    n: int = 3,
    per_day: bool = False,
    **how: Unpack[PictureKeywords],
) -> Axes:
    """Demand over time, one line per element, the n highest of each period marked.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns over time, or over (meter, time), shape (readings, columns).
    freq : str, Monthly, list of edges, or None
        The periods that have n peaks each; None for one, the whole span.
    window, step, per_day : optional
        As in the verb `peaks`.
    kind : str, optional
        ``"reported"``, ``"block"`` or ``"rolling"``, as in the verb; None is reported where
        the frame has interval means, else block.
    n : int
        How many of each period and element are marked.
    elements : str, list of str, or "all", optional
        ``"A"`` in a frame of one meter, ``"P482311252_A"`` in any; None for all.
    title : str, optional
        None for no title.
    ax : matplotlib.axes.Axes, optional
        Where to draw; None makes a figure with pyplot.
    tz, start, end, topic, source, registers, interval, demand_lag : optional
        As in the verb.
    site : Site, optional
        Gives labels, `tz`, and what is known about the registers.

    Returns
    -------
    matplotlib.axes.Axes
        Reported means and blocks are steps from the start of each interval to its end, rolling
        demand a line through the ends of its windows [kW]. Beyond two months the line is the
        highest of each local day, beyond three years of each week.

    Raises
    ------
    RangeError, KindError, ConfigError, UnknownTopicError, UnknownMeterError, UnitError
        As the verb and `heatmap`.
    MissingExtraError
        Without matplotlib (``pip install "dentframe[plot]"``).

    Notes
    -----
    The marks are those of the verb `peaks`, but for peaks of 0 kW. Labels stand in rows above
    the data, the highest demand first; one that finds no room is left out, its mark is not. A
    line is broken where nothing is recorded; where that is so for every element, the stretch
    is hatched.

    Examples
    --------
    >>> ax = df.dent.plot.peaks(elements="A", tz=LA)
    >>> ax.get_ylabel()
    'A, reported demand [kW]'
    """
    verb, source = for_verb(frame, how), how.get("source", "auto")
    if kind is None:
        first = demand_source(frame, how.get("topic"), source).topics[0]
        reported = kind_of(first) == "interval_mean" and element_columns(frame, [first])
        kind = "reported" if reported else "block"
    table = peaks_table(
        frame, freq, window=window, kind=kind, step=step, n=n, per_day=per_day,
        min_coverage=0.0, **verb,
    )  # fmt: skip
    how["source"] = "demand" if kind == "reported" and source == "auto" else source
    of = shown(frame, how)
    curves, (low, high) = _curves(of, kind, window, step), of.span
    longer = ((x, name) for most, x, name in _HIGHEST if high - low > most * _DAY)
    every, name = next(longer, ("", ""))
    ax = shared.axes(how.get("ax"))
    shared.local_time(ax, low, high, of.tz)
    drawn = [highest(c, low, high, every, of.tz) for c in curves] if every else curves
    lines = []
    for i, label, (s, e, kw) in zip(of.places, of.labels, drawn, strict=True):
        # Many intervals are drawn in thin lines, which keep their shape.
        look = shared.line(i) | {"label": label, "linewidth": 1.0 if len(s) < 2000 else 0.6}
        if kind == "rolling" and not every:
            lines += ax.plot(shared.at(e), kw, **look)
        else:
            x, y = np.append(s, e[-1:]), np.append(kw, kw[-1:])
            lines += ax.plot(shared.at(x), y, drawstyle="steps-post", **look)
    highest_of = f", highest of each {name}" if every else ""
    ax.set_ylabel(of.axis(f"{kind} {of.quantity}{highest_of}", of.unit))
    shared.mark(ax, list(_marks(of, table)))
    boxes = _lost(curves, low, high)
    shared.hatched(ax, boxes, transform=ax.get_xaxis_transform(), gid="gaps")
    # Less than this share of the span is no line wide, so that a legend need not speak of it.
    seen = sum(width for _, _, width, _ in boxes) * _DAY > 1 / 2000 * (high - low)
    keys = [*lines, *([shared.gap_patch("not recorded")] if seen else [])]
    return shared.finish(ax, how.get("title"), keys)


def _curves(of: Shown, kind: str, window: Any, step: Any) -> list[Step]:
    """Start, end and mean power of every interval or window of each series [kW], NaN in gaps."""
    if kind != "reported":
        how = blocks.cut(kind, window or "15min", step, of.found.keywords.interval)
        s, e = blocks.span(how, of.found.s, of.found.e, of.tz)
        return [(s, e, blocks.window_means(of.found, c, s, e)) for c in of.series]
    curves = []
    for c in of.series:
        # A greater demand outside the span must not stretch the axis.
        inside = (c.t[:-1] < of.span[1]) & (c.t[1:] > of.span[0])
        s, e = c.t[:-1][inside], c.t[1:][inside]
        curves.append((s, e, blocks.means(c, s, e, of.found.interval(c))))
    return curves


def highest(curve: Step, low: int, high: int, every: str, tz: Any) -> Step:
    """The highest of a curve in each calendar period of the span, NaN where it has no value.

    An interval belongs to the period in which it starts, the first one to that of its end.
    """
    s, _, kw = curve
    edges = calendar(every, low, high, tz)
    period = np.searchsorted(edges, np.maximum(s, low), side="right") - 1
    top = pd.Series(kw).groupby(period).max().reindex(range(len(edges) - 1))
    edges = np.clip(edges, low, high)
    return edges[:-1], edges[1:], np.asarray(top, dtype=np.float64)


def _marks(of: Shown, table: pd.DataFrame) -> Iterator[shared.Mark]:
    place_of = {(c.meter, c.element): i for c, i in zip(of.series, of.places, strict=True)}
    meters = table["meter"] if "meter" in table else [of.series[0].meter] * len(table)
    keys = zip(meters, table["element"], strict=True)
    rows = table.assign(place=[place_of.get(k, -1) for k in keys])
    rows = rows[(rows["place"] >= 0) & rows["peak"].notna() & (rows["peak"] != 0)]
    rows = rows.sort_values(["rank", "peak"], ascending=[True, False], kind="stable")
    s, e = (ints(pd.DatetimeIndex(rows[x])) for x in ("start", "end"))
    middle = shared.at((s + e) // 2)
    for x, kw, begin, i in zip(middle, rows["peak"], s.tolist(), rows["place"], strict=True):
        when = f" {of.unit}, {shared.moment(begin, of.tz)}"
        yield shared.Mark(x, kw, shared.amount(kw), when, shared.colour(i))


def _lost(curves: Sequence[Step], low: int, high: int) -> list[tuple[float, float, float, float]]:
    """Stretches of the span in which no curve has a value, over the whole height."""
    s, e, kw = (np.concatenate(x) for x in zip(*curves, strict=True))
    order = np.argsort(s, kind="stable")
    known = order[~np.isnan(kw[order])]
    a, b, _ = uncovered(s[known], e[known], np.array([low]), np.array([high]))
    x = shared.at(a)
    return [(v, 0.0, width, 1.0) for v, width in zip(x, shared.at(b) - x, strict=True)]


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
    of, _, _, parts = power(frame, how, window)
    ax = shared.axes(how.get("ax"), (8.0, 4.5))
    lines = []
    for i, label, kw in zip(of.places, of.labels, parts, strict=True):
        known = -np.sort(-kw[~np.isnan(kw)])
        some = f", {percent(len(known) / len(kw))} covered" if len(known) else ", no reading"
        named = label + ("" if len(known) == len(kw) else some)
        x = np.linspace(0.0, 100.0, len(known) + 1)
        y = np.append(known, known[-1:] if len(known) else np.nan)
        lines += ax.plot(x, y, drawstyle="steps-post", label=named, **shared.line(i))
    ax.set_xlim(0, 100)
    if ax.dataLim.y0 >= 0:
        ax.set_ylim(bottom=0)
    ax.set_xlabel("share of the time [%]")
    ax.set_ylabel(of.axis(f"{of.quantity} reached", of.unit))
    return shared.finish(ax, how.get("title"), lines, grid="both")


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
    verb = for_verb(frame, how)
    table = profile_table(frame, by, q, window=window, holidays=holidays, **verb)
    of = shown(frame, how, "D")
    types = list(dict.fromkeys(table.columns.get_level_values("day_type")))
    apart = by in {"weekday", "month"}
    many = len(of.series) * (1 if apart else len(types)) > 4  # bands would cover each other
    lines_of = [q[len(q) // 2]] if many or len(q) == 1 else [q[0], q[len(q) // 2], q[-1]]
    ax = shared.axes(how.get("ax"), (12.0, 4.0) if apart else (8.0, 4.5))
    lines = []
    for c, place, label in zip(of.series, of.places, of.labels, strict=True):
        rows: Any = table.xs(c.meter, level="meter") if is_several(frame) else table
        starts = [t.hour + t.minute / 60 for t in rows.index]
        x = np.array([*starts, *(h + minutes(window, "window") / 60 for h in starts[-1:])])
        for j, day in enumerate(types):
            look = shared.line(place)
            if j and not apart:
                look["linestyle"] = STYLES[j % len(STYLES)]
            if len(of.series) == 1:
                look["color"] = shared.shade(look["color"], 0 if apart else j)
            columns = [(day, c.element, quantile) for quantile in lines_of]
            lines.append(_band(ax, x + j * 24 * apart, rows.reindex(columns=columns), look))
            lines[-1].set_label(f"{label}, {day}")
    if ax.dataLim.y0 >= 0:
        ax.set_ylim(bottom=0)
    _clock_axis(ax, types if apart else [], of.tz)
    middle = "median" if q[len(q) // 2] == 0.5 else f"{q[len(q) // 2]:.0%} quantile"
    band = f" and {q[0]:.0%}–{q[-1]:.0%} band" if len(lines_of) > 1 else ""
    ax.set_ylabel(of.axis(f"{of.quantity}, {middle}{band}", of.unit))
    keys = _keys(lines, of.labels, [] if apart else types)
    return shared.finish(ax, how.get("title"), keys, grid="y" if apart else "both")


def _band(ax: Axes, x: Floats, curves: pd.DataFrame, look: dict[str, Any]) -> Any:
    """The middle one of the curves as a line, within a band from the first to the last."""
    y = curves.to_numpy().T
    y = np.append(y, y[:, -1:], axis=1)
    (line,) = ax.plot(x, y[len(y) // 2], drawstyle="steps-post", linewidth=1.4, **look)
    if len(y) > 1:
        how: dict[str, Any] = {"step": "post", "linewidth": 0, "alpha": 0.2}
        ax.fill_between(x, y[0], y[-1], color=look["color"], **how)
    return line


def _clock_axis(ax: Axes, types: Sequence[str], tz: dt.tzinfo) -> None:
    """One day; or days of some types beside each other, each with its name at the top."""
    clock = "time of day (UTC)" if str(tz) == "UTC" else f"local time of day ({tz})"
    ax.set_xlabel(f"hour, {clock}" if types else clock)
    ax.set_xlim(0, 24 * max(len(types), 1))
    if not types:
        ax.set_xticks(*shared.CLOCK)
        return
    # Up to a week of days has room for a tick every six hours.
    hours = range(0, 24 * len(types), 6 if len(types) <= 7 else 12)
    ax.set_xticks(hours, [f"{h % 24}" for h in hours])
    for j, day in enumerate(types):
        ax.axvline(24 * j, color=shared.ink(), linewidth=0.6, alpha=0.4)
        where: dict[str, Any] = {"transform": ax.get_xaxis_transform(), "ha": "center"}
        ax.text(24 * j + 12, 1.01, day, va="bottom", gid="day", size="small", **where)


def _keys(lines: Sequence[Any], labels: Sequence[str], types: Sequence[str]) -> list[Any]:
    """A legend of the lines of one element, else of colours and of line styles."""
    if len(labels) == 1 and types:
        return list(lines)
    keys = [
        Line2D([], [], color=x.get_color(), linestyle=x.get_linestyle(), label=label)
        for label, x in zip(labels, lines[:: len(lines) // len(labels)], strict=True)
    ]
    for j, day in enumerate(types if len(types) > 1 else []):
        style = STYLES[j % len(STYLES)]
        keys.append(Line2D([], [], color=shared.ink(), linestyle=style, label=day))
    return keys
