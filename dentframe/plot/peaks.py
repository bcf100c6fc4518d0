"""Demand over time, with the highest marked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe.metering import blocks
from dentframe.metering.registers import RegisterRules
from dentframe.metering.series import element_columns
from dentframe.plot import axes as canvas
from dentframe.plot import marks
from dentframe.plot import power as steps
from dentframe.plot.axes import amount, moment
from dentframe.plot.marks import colour, style
from dentframe.plot.power import UNITS, Subject, runs, subject
from dentframe.times.ranges import ints
from dentframe.verbs.demand import window_means
from dentframe.verbs.inputs import Asked, Study, demanded
from dentframe.verbs.peaks import peaks as peaks_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from dentframe.metering.cumulative import Cumulative
    from dentframe.metering.series import Floats, Ints
    from dentframe.times.periods import Freq
    from dentframe.times.ranges import Zone


_DEFAULT_RULES = RegisterRules()
_SEEN = 1 / 2000
"""The least share of the span that a legend speaks of: less is no line wide."""
_DENSE = 2000
"""More intervals are drawn in thin lines."""
Steps = list[tuple["Ints", "Ints", "Floats"]]


def peaks(
    frame: pd.DataFrame,
    freq: Freq = None,
    *,
    window: Any = None,
    kind: str | None = None,
    step: Any = None,
    n: int = 3,
    per_day: bool = False,
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
        demand a line through the ends of its windows [kW].

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
    'reported demand [kW]'
    """
    canvas.check(ax)
    asked = Asked(tz, start, end, registers, interval, demand_lag)
    of = subject(frame, asked, topic=topic, source=source, elements=elements, site=site)
    kind = _kind(frame, topic, source) if kind is None else kind
    a = of.asked
    table = peaks_table(
        frame, freq, tz=a.tz, window=window, kind=kind, step=step, n=n, per_day=per_day,
        start=start, end=end, topic=topic, source=source, registers=a.registers,
        min_coverage=0.0, interval=interval, demand_lag=demand_lag,
    )  # fmt: skip
    of = replace(of, source="demand") if kind == "reported" and source == "auto" else of
    found = of.study()
    series = of.each(found.series, demanded(frame, of.topic, of.source))
    curves = _curves(found, series, kind, window, step)
    return _draw(of, found, series, curves, table, kind, title, ax)


def _kind(frame: pd.DataFrame, topic: str | None, source: str) -> str:
    mean = demanded(frame, topic, source).mean
    return "reported" if mean is not None and element_columns(frame, [mean]) else "block"


def _curves(of: Study, series: Sequence[Cumulative], kind: str, window: Any, step: Any) -> Steps:
    if kind == "reported":
        return [_within(of, *steps.of_series(c, of.interval(c))) for c in series]
    how = blocks.cut(kind, "15min" if window is None else window, step, of.asked.interval)
    s, e = blocks.span(how, of.s, of.e, of.tz)
    return [(s, e, window_means(of, c, s, e)) for c in series]


def _within(of: Study, s: Ints, e: Ints, kw: Floats) -> tuple[Ints, Ints, Floats]:
    """The intervals that overlap the span: a greater demand outside must not stretch the axis."""
    keep = (s < of.e[-1]) & (e > of.s[0])
    return s[keep], e[keep], kw[keep]


def _draw(
    of: Subject,
    found: Study,
    series: Sequence[Cumulative],
    curves: Steps,
    table: pd.DataFrame,
    kind: str,
    title: str | None,
    ax: Axes | None,
) -> Axes:
    from dentframe.plot.axes import local_time

    unit = UNITS[found.wanted.result]
    low, high = int(found.s[0]), int(found.e[-1])
    ax = canvas.axes(ax)
    local_time(ax, low, high, found.tz)
    lines = [
        _line(ax, i, of.label(c), curve, rolling=kind == "rolling")
        for i, (c, curve) in enumerate(zip(series, curves, strict=True))
    ]
    ax.set_ylabel(f"{kind} demand [{unit}]")
    ax.margins(y=0.04)
    ax.autoscale_view(scalex=False)
    if not any((kw < 0).any() for _, _, kw in curves):
        ax.set_ylim(bottom=0)
    marks.draw(ax, _marks(found, series, table, unit))
    boxes = _lost(curves, low, high)
    canvas.hatched(ax, boxes, transform=ax.get_xaxis_transform(), gid="gaps")
    canvas.dress(ax, title)
    seen = sum(width for _, _, width, _ in boxes) * 86.4e9 > _SEEN * (high - low)
    canvas.legend(ax, [*lines, *([canvas.gap_patch("not recorded")] if seen else [])])
    return ax


def _line(ax: Axes, i: int, label: str, curve: tuple[Ints, Ints, Floats], *, rolling: bool) -> Any:
    from dentframe.plot.axes import at

    s, e, kw = curve
    width = 1.0 if len(s) < _DENSE else 0.6
    how: dict[str, Any] = {"color": colour(i), "linestyle": style(i), "linewidth": width}
    if rolling:
        return ax.plot(at(e), kw, label=label, **how)[0]
    x, y = np.append(s, e[-1:]), np.append(kw, kw[-1:])
    return ax.plot(at(x), y, drawstyle="steps-post", label=label, **how)[0]


def _marks(
    of: Study, series: Sequence[Cumulative], table: pd.DataFrame, unit: str
) -> list[marks.Mark]:
    from dentframe.plot.axes import at

    names = [(c.meter, c.element) for c in series]
    meters = table["meter"] if "meter" in table else [c.meter for c in of.series[:1]] * len(table)
    keys = list(zip(meters, table["element"], strict=True))
    rows = table.assign(place=[names.index(k) if k in names else -1 for k in keys])
    rows = rows[(rows["place"] >= 0) & rows["peak"].notna() & (rows["peak"] != 0)]
    rows = rows.sort_values(["rank", "peak"], ascending=[True, False], kind="stable")
    s, e = (ints(pd.DatetimeIndex(rows[x])) for x in ("start", "end"))
    middle = at((s + e) // 2)
    return [
        marks.Mark(x, kw, f"{amount(kw)} {unit}, {moment(a, of.tz)}", colour(i), amount(kw))
        for x, kw, a, i in zip(middle, rows["peak"], s.tolist(), rows["place"], strict=True)
    ]


def _lost(curves: Steps, low: int, high: int) -> list[tuple[float, float, float, float]]:
    """Stretches of the span in which no curve has a value, over the whole height."""
    from dentframe.plot.axes import at

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
