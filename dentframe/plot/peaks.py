"""The picture `peaks` shows demand over time, with the highest marked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import pandas as pd

from dentframe.metering.register_rules import HOUR
from dentframe.metering.series import element_columns
from dentframe.plot.axes import at, axes, dress, legend, local_time, moment
from dentframe.plot.colours_and_labels import Mark, amount, colour, gap_patch, hatched, mark, style
from dentframe.plot.elements_shown import QUANTITIES, PictureKeywords, picture, subject
from dentframe.times.dates_and_ranges import ints, stamp
from dentframe.times.periods import calendar
from dentframe.verbs import demand as blocks
from dentframe.verbs.demand import window_means
from dentframe.verbs.inputs import Inputs, demand_source
from dentframe.verbs.peaks import peaks as peaks_table
from dentframe.verbs.quality_findings import runs
from dentframe.wire.topics import TOPICS, kind_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from dentframe.metering.energy_and_coverage import Cumulative
    from dentframe.metering.series import Floats, Ints
    from dentframe.times.periods import Freq


_SEEN = 1 / 2000
"""The least share of the span that a legend speaks of: less is no line wide."""
_DENSE = 2000
"""More intervals are drawn in thin lines."""
_DAY = 24 * HOUR
_HIGHEST = ((3 * 366, "W-MON"), (62, "D"))
"""Longer spans [days] show the highest of each such period: a line through all has no shape."""
_NAMES = {"D": "day", "W-MON": "week"}
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
    of = subject(frame, how)
    if kind is None:
        first = demand_source(frame, of.topic, of.source).topics[0]
        reported = kind_of(first) == "interval_mean" and element_columns(frame, [first])
        kind = "reported" if reported else "block"
    table = peaks_table(
        frame, freq, window=window, kind=kind, step=step, n=n, per_day=per_day,
        min_coverage=0.0, **of.verb,
    )  # fmt: skip
    of = replace(of, source="demand") if kind == "reported" and of.source == "auto" else of
    found = of.inputs()
    series = of.each(found)
    curves = _curves(found, series, kind, window, step)
    low, high = int(found.s[0]), int(found.e[-1])
    every = next((x for most, x in _HIGHEST if high - low > most * _DAY), None)
    ax = axes(how.get("ax"))
    local_time(ax, low, high, found.tz)
    shown = [highest(c, low, high, every, found.tz) for c in curves] if every else curves
    places = of.places(series, found.series)
    lines = [
        _line(ax, i, of.label(c), curve, rolling=kind == "rolling" and not every)
        for i, c, curve in zip(places, series, shown, strict=True)
    ]
    result = found.source.result
    quantity = f"{kind} {QUANTITIES[result]}"
    if every:
        quantity += f", highest of each {_NAMES[every]}"
    ax.set_ylabel(of.axis(series, quantity, TOPICS[result].unit))
    ax.margins(y=0.04)
    ax.autoscale_view(scalex=False)
    if not any((kw < 0).any() for _, _, kw in shown):
        ax.set_ylim(bottom=0)
    mark(ax, _marks(found, series, places, table))
    boxes = _lost(curves, low, high)
    hatched(ax, boxes, transform=ax.get_xaxis_transform(), gid="gaps")
    dress(ax, how.get("title"))
    seen = sum(width for _, _, width, _ in boxes) * _DAY > _SEEN * (high - low)
    legend(ax, [*lines, *([gap_patch("not recorded")] if seen else [])])
    return ax


def _curves(
    of: Inputs, series: Sequence[Cumulative], kind: str, window: Any, step: Any
) -> list[Step]:
    """Start, end and mean power of every interval or window of each series [kW].

    NaN where it is not covered, and where a register's spacing of more than one and a half
    intervals leaves open when its energy was used.
    """
    if kind != "reported":
        how = blocks.cut(kind, "15min" if window is None else window, step, of.keywords.interval)
        s, e = blocks.span(how, of.s, of.e, of.tz)
        return [(s, e, window_means(of, c, s, e)) for c in series]
    curves = []
    for c in series:
        s, e = c.t[:-1], c.t[1:]
        kw = np.full(len(s), np.nan)
        known = c.ok & (2 * (e - s) <= 3 * of.interval(c))
        np.divide(c.inc, (e - s) / HOUR, out=kw, where=known)
        # A greater demand outside the span must not stretch the axis.
        inside = (s < of.e[-1]) & (e > of.s[0])
        curves.append((s[inside], e[inside], kw[inside]))
    return curves


def _line(ax: Axes, i: int, label: str, curve: Step, *, rolling: bool) -> Any:
    s, e, kw = curve
    width = 1.0 if len(s) < _DENSE else 0.6
    how: dict[str, Any] = {"color": colour(i), "linestyle": style(i), "linewidth": width}
    if rolling:
        return ax.plot(at(e), kw, label=label, **how)[0]
    x, y = np.append(s, e[-1:]), np.append(kw, kw[-1:])
    return ax.plot(at(x), y, drawstyle="steps-post", label=label, **how)[0]


def highest(curve: Step, low: int, high: int, every: str, tz: Any) -> Step:
    """The highest of a curve in each calendar period of the span, NaN where it has no value.

    An interval belongs to the period in which it starts, the first one to that of its end.
    """
    s, _, kw = curve
    first, last = (stamp(x).tz_convert(tz) for x in (low, high))
    edges = ints(calendar(every, first, last, tz))
    known = ~np.isnan(kw)
    where = np.searchsorted(edges, np.maximum(s[known], low), side="right") - 1
    top = np.full(len(edges) - 1, -np.inf)
    np.maximum.at(top, np.clip(where, 0, len(top) - 1), kw[known])
    edges = np.clip(edges, low, high)
    return edges[:-1], edges[1:], np.where(np.isinf(top), np.nan, top)


def _marks(
    of: Inputs, series: Sequence[Cumulative], places: Sequence[int], table: pd.DataFrame
) -> list[Mark]:
    place_of = {(c.meter, c.element): i for c, i in zip(series, places, strict=True)}
    meters = table["meter"] if "meter" in table else [c.meter for c in of.series[:1]] * len(table)
    keys = zip(meters, table["element"], strict=True)
    rows = table.assign(place=[place_of.get(k, -1) for k in keys])
    rows = rows[(rows["place"] >= 0) & rows["peak"].notna() & (rows["peak"] != 0)]
    rows = rows.sort_values(["rank", "peak"], ascending=[True, False], kind="stable")
    s, e = (ints(pd.DatetimeIndex(rows[x])) for x in ("start", "end"))
    unit = TOPICS[of.source.result].unit
    return [
        Mark(x, kw, f"{amount(kw)} {unit}, {moment(a, of.tz)}", colour(i), amount(kw))
        for x, kw, a, i in zip(
            at((s + e) // 2), rows["peak"], s.tolist(), rows["place"], strict=True
        )
    ]


def _lost(curves: Sequence[Step], low: int, high: int) -> list[tuple[float, float, float, float]]:
    """Stretches of the span in which no curve has a value, over the whole height."""
    parts = [x for s, e, _ in curves for x in (s, e)]
    edges = np.unique(np.clip(np.concatenate([np.array([low, high]), *parts]), low, high))
    lost = np.ones(len(edges) - 1, dtype=np.bool_)
    for s, e, kw in curves:
        known = ~np.isnan(kw)
        depth = np.zeros(len(edges), dtype=np.int64)
        np.add.at(depth, np.searchsorted(edges, np.clip(s[known], low, high)), 1)
        np.add.at(depth, np.searchsorted(edges, np.clip(e[known], low, high)), -1)
        lost &= np.cumsum(depth)[:-1] == 0
    x = at(edges)
    return [(x[a], 0.0, x[b] - x[a], 1.0) for a, b in runs(lost)]
