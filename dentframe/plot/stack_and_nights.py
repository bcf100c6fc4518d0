"""The pictures `stack` and `nights` show elements on each other, as areas or as bars.

`stack` shows their power, or their energy beyond a week; `nights` how much more each night used
than usual.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import pandas as pd
from matplotlib.patches import Patch, StepPatch

from dentframe.errors import RangeError
from dentframe.metering.series import Floats, Ints, is_several, time_index
from dentframe.plot import axes_colours_and_labels as shared
from dentframe.plot.elements_shown import PictureKeywords, Shown, for_verb, picture, power, shown
from dentframe.times.dates_and_ranges import ints
from dentframe.times.periods import Freq, Monthly, parse_freq, verb_zone
from dentframe.verbs import inputs_and_keywords as verbs
from dentframe.verbs.energy import figures
from dentframe.verbs.load_shape import unusual
from dentframe.verbs.quality_limits_and_findings import runs
from dentframe.wire.topics import TOPICS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from dentframe.metering.energy_and_coverage import Cumulative
    from dentframe.times.schedule import Window


@dataclass(frozen=True)
class Stack:
    """What is stacked: the energy of periods, or the power in blocks of the clock.

    Attributes
    ----------
    of : Shown
        The elements.
    s, e : ndarray of int64
        The blocks, or the periods, cut at the span [us UTC], shape (n,).
    parts : ndarray of float
        Power, or the energy of what is covered, shape (elements, n); NaN where nothing is.
    total : ndarray of float
        The sum of the elements, NaN where one is not wholly covered, shape (n,).
    doubtful : ndarray of bool
        Whether a figure is not simply recorded, shape (elements, n).
    each : str
        What a period is called; empty for blocks.
    """

    of: Shown
    s: Ints
    e: Ints
    parts: Floats
    total: Floats
    doubtful: np.ndarray
    each: str


@picture
def stack(
    frame: pd.DataFrame,
    freq: Freq = None,
    *,
    window: Any = "15min",
    n: int = 1,
    **how: Unpack[PictureKeywords],
) -> Axes:
    """Elements stacked: power over time, or bars of energy beyond a week; the peak is marked.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns over time, or over (meter, time), shape (readings, columns).
    freq : str, Monthly, list of edges, or None
        Start-anchored (``"D"``, ``"MS"``, ...): bars of energy [kWh]. None: power [kW] up to
        eight days, daily bars up to a hundred, weekly ones up to three years, then monthly.
    window : str or timedelta
        Length of a block of the local clock, where power is drawn.
    elements : str, list of str, or "all", optional
        What is stacked, from the bottom up; as in `heatmap`.
    n : int
        How many of the highest totals are marked.
    title : str, optional
        None for no title.
    ax : matplotlib.axes.Axes, optional
        Where to draw; None makes a figure with pyplot.
    tz : str or tzinfo, optional
        The zone of clock and calendar; bars need it on a UTC index.
    start, end, topic, source, registers, interval, demand_lag : optional
        As in `demand` and `energy`.
    site : Site, optional
        Gives labels, roles, `tz`, and what is known about the registers.

    Returns
    -------
    matplotlib.axes.Axes
        The line (or the caps of the bars) named ``total`` is NaN where a part is missing.

    Raises
    ------
    RangeError
        For a frame without rows or span, a naive index, a missing `tz`.
    KindError, ConfigError, UnknownTopicError, UnknownMeterError, UnitError
        As `demand`, `energy` and `coincident`.
    MissingExtraError
        Without matplotlib (``pip install "dentframe[plot]"``).

    Notes
    -----
    Where one part is not wholly covered there is no total: the stretch is hatched, and shows
    the parts that are known. In bars the doubtful part itself is hatched too, whether
    `partial` or `estimated`. What feeds in stands below 0 and is subtracted from the total.
    The first and last bar are cut at the span, and as wide as they are long.

    Examples
    --------
    >>> ax = df.dent.plot.stack("D", elements=["A"], tz=LA)
    >>> ax.get_ylabel()
    'energy per local day [kWh]'
    """
    verbs.check_count(n, 0)
    found = _bars_of_energy(frame, how, freq)
    if found is None:
        of, s, e, kw = power(frame, how, window, together=True)
        found = Stack(of, s, e, kw, kw.sum(axis=0), np.zeros(kw.shape, np.bool_), "")
    ax = shared.axes(how.get("ax"))
    shared.local_time(ax, *found.of.span, found.of.tz)
    (_energy if found.each else _power)(ax, found)
    keys = _marks_and_keys(ax, found, n)
    return shared.finish(ax, how.get("title"), keys)


def _power(ax: Axes, found: Stack) -> None:
    low, high = layers(found.parts)
    edges = shared.at(np.append(found.s, found.e[-1]))
    many = len(found.s) > 200  # their outlines would cover what they hold
    for place, label, a, b in zip(found.of.places, found.of.labels, low, high, strict=True):
        look: dict[str, Any] = shared.face(place) | ({"linewidth": 0.0} if many else {})
        # Not ax.stairs: it looks for the limits in every corner, 0.4 s for 16 elements' weeks.
        ax.add_artist(StepPatch(b, edges, baseline=a, fill=True, label=label, **look))
    y = np.append(found.total, found.total[-1:])
    thin = 0.4 if many else 0.9
    ax.plot(edges, y, drawstyle="steps-post", color=shared.ink(), linewidth=thin, label="total")
    _limits(ax, edges, low, high)
    ax.set_ylabel(f"{found.of.quantity} [{found.of.unit}]")


def _energy(ax: Axes, found: Stack) -> None:
    x, width = shared.at(found.s), shared.at(found.e) - shared.at(found.s)
    pairs = zip(found.of.places, found.of.labels, strict=True)
    faces = [shared.face(place) | {"label": label} for place, label in pairs]
    rows = _bars(ax, x, width, found.parts, faces)
    for boxes, doubtful in zip(rows, found.doubtful, strict=True):
        shared.hatched(ax, boxes[doubtful].tolist(), zorder=2, gid="doubtful", alpha=0.9)
    caps = np.column_stack((x, x + width, x)).ravel()
    y = np.outer(found.total, (1.0, 1.0, np.nan)).ravel()  # the line ends after each bar
    ax.plot(caps, y, color=shared.ink(), linewidth=0.9, label="total")
    ax.set_ylabel(f"{found.of.quantity} per {found.each} [{found.of.unit}]")


def _bars(
    ax: Axes, x: Floats, width: Floats, parts: Floats, faces: Sequence[dict[str, Any]]
) -> Floats:
    """Draw a bar of each column of parts; the box of each, shape (elements, bars, 4)."""
    low, high = layers(parts)
    rows = np.stack([np.broadcast_to(v, parts.shape) for v in (x, low, width, high - low)], axis=2)
    for boxes, part, look in zip(rows, parts, faces, strict=True):
        shared.boxes(ax, boxes[~np.isnan(part)].tolist(), **look)
    _limits(ax, x, low, high)
    return rows


def _limits(ax: Axes, x: Floats, low: Floats, high: Floats) -> None:
    """Tell the axes what the stack reaches; artists that are no lines do not."""
    bottom, top = np.nanmin(low, initial=0.0), np.nanmax(high, initial=0.0)
    ax.update_datalim([(x[0], bottom), (x[-1], top)])


def _marks_and_keys(ax: Axes, found: Stack, n: int) -> list[Any]:
    """Mark the n highest totals, hatch where there is none, and tell what a legend shows."""
    if (found.parts < 0).any():
        ax.axhline(0.0, color=shared.ink(), linewidth=0.8)
    total, lost = np.round(found.total, 9), np.isnan(found.total)
    middle, height = shared.at((found.s + found.e) // 2).tolist(), found.total.tolist()
    marks, since = [], "" if found.each in {"", "local day"} else "from "
    for i in np.argsort(-total, kind="stable")[: np.count_nonzero(~lost)][:n].tolist():
        short = f"{shared.amount(float(total[i]))} {found.of.unit}"
        when = shared.moment(int(found.s[i]), found.of.tz, clock=not found.each)
        marks.append(shared.Mark(middle[i], height[i], short, f", {since}{when}"))
    shared.mark(ax, marks)
    a, b = shared.at(found.s), shared.at(found.e)
    gaps = [(a[i], 0.0, b[j - 1] - a[i], 1.0) for i, j in runs(lost)]
    shared.hatched(ax, gaps, transform=ax.get_xaxis_transform(), zorder=3, gid="gaps")
    pairs = zip(found.of.labels, found.of.places, strict=True)
    keys: list[Any] = [Patch(label=label, **shared.face(place)) for label, place in pairs][::-1]
    if found.doubtful.any():
        keys.append(shared.gap_patch("partial or estimated", alpha=0.9))
    if lost.any():
        keys.append(shared.gap_patch("a part is missing:\nno total"))
    return keys


_AUTO = ((8, None), (100, "D"), (3 * 366, "W-MON"))
"""The longest span [days] of each way; beyond them months."""
_NAMES = {"D": "local day", "MS": "month", "QS": "quarter", "YS": "year", "h": "hour"}


def _bars_of_energy(frame: pd.DataFrame, how: PictureKeywords, freq: Freq) -> Stack | None:
    """The energy of periods; None where power is to be drawn instead."""
    keywords = verbs.VerbKeywords.of(frame, **for_verb(frame, how))
    wanted = verbs.energy_source(frame, keywords.topic, keywords.source)
    low, high = keywords.bounds(frame)
    series = verbs.series_of(frame, wanted, keywords)
    first, last = verbs.default_bounds(frame, series)
    low, high = (low or first), (high or last)
    if freq is None and low is not None and high is not None:
        days = (high - low) / pd.Timedelta(days=1)
        freq = next((x for most, x in _AUTO if days <= most + 0.1), "MS")
    if freq is None:
        return None
    zone = verb_zone(time_index(frame).tz, keywords.tz, freq)
    s, e = verbs.periods(frame, (low, high), freq, zone, replace(keywords, start=low, end=high))
    if len(s) == 0:
        raise RangeError(f"Cannot draw energy per {freq!r}: the span holds no such period.")
    of = Shown.choose(verbs.Inputs(frame, wanted, zone, series, s, e, keywords), how, together=True)
    found = [figures(c, s, e) for c in of.series]
    parts = np.stack([f.energy for f in found])
    total = np.where(np.stack([f.coverage for f in found]) == 1, parts, np.nan).sum(axis=0)
    doubtful = np.stack([f.status for f in found]) > 0
    return Stack(of, s, e, parts, total, doubtful & ~np.isnan(parts), _each(freq))


def _each(freq: Any) -> str:
    if not isinstance(freq, str):
        return "month" if isinstance(freq, Monthly) else "period"
    n, unit = parse_freq(freq)
    name = "week" if unit.startswith("W") else _NAMES.get(unit.split("-")[0], unit)
    return name if n == 1 else f"{n} {name}s"


def layers(parts: Floats) -> tuple[Floats, Floats]:
    """Lower and upper edge of each part of a stack: what draws above 0, what feeds below it.

    Parameters
    ----------
    parts : ndarray of float
        Shape (elements, intervals); NaN takes no room, and its own edges are NaN.
    """
    known = np.nan_to_num(parts)
    up, down = np.maximum(known, 0.0), np.minimum(known, 0.0)
    high = np.where(known < 0, np.cumsum(down, axis=0) - down, np.cumsum(up, axis=0))
    high[np.isnan(parts)] = np.nan
    return high - np.abs(parts), high


@picture
def nights(
    frame: pd.DataFrame,
    freq: str | Window = "night",
    *,
    holidays: Sequence[Any] = (),
    n: int = 3,
    **how: Unpack[PictureKeywords],
) -> Axes:
    """Energy of each night beyond what the element usually uses then; the greatest are marked.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns over time, or over (meter, time), shape (readings, columns).
    freq : str or Window
        ``"night"``, ``"weekend"``, ``"holiday"`` or a `Window`, as in the verb `unusual`.
    holidays : sequence of date
        As in the verb.
    n : int
        How many of the greatest excesses are marked.
    elements : str, list of str, or "all", optional
        ``"A"`` in a frame of one meter, ``"P482311252_A"`` in any. None: the branches and
        exports of `site`; without a site, all.
    title : str, optional
        None for no title.
    ax : matplotlib.axes.Axes, optional
        Where to draw; None makes a figure with pyplot.
    tz : str or tzinfo, optional
        The zone of the clock; needed on a UTC index.
    start, end, topic, source, registers, interval, demand_lag : optional
        As in the verb.
    site : Site, optional
        Gives labels, roles, `tz`, and what is known about the registers.

    Returns
    -------
    matplotlib.axes.Axes
        A bar a night [kWh], at its middle: what each element used beyond its own usual night
        stands above 0, what it used less below.

    Raises
    ------
    RangeError
        Where the span holds no whole night.
    KindError, ConfigError, UnknownTopicError, UnknownMeterError, UnitError
        As the verb and `heatmap`.
    MissingExtraError
        Without matplotlib (``pip install "dentframe[plot]"``).

    Notes
    -----
    Where not all of a night is covered, both its energy and what is usual are of the covered
    part. The marks name the elements with the greatest excess, as the verb ranks them.

    Examples
    --------
    >>> ax = df.dent.plot.nights(elements="B", tz=LA)
    >>> ax.get_ylabel()
    'B, energy beyond the usual night [kWh]'
    """
    verbs.check_count(n, 0)
    verb = for_verb(frame, how) | {"holidays": holidays, "min_coverage": 0.0}
    of = shown(frame, how, "D", together=how.get("site") is not None)
    names = [c.name if is_several(frame) else c.element for c in of.series]
    rows = unusual(frame, freq, elements=names, **verb).dropna(subset="excess")
    name = freq if isinstance(freq, str) else freq.name
    if rows.empty:
        raise RangeError(
            f"Cannot draw what each {name} used: the span holds no whole {name}. Read a longer one."
        )
    s, e, excess = _excess(rows, of.series)
    ax = shared.axes(how.get("ax"))
    shared.local_time(ax, *of.span, of.tz)
    x, width = shared.at(s), shared.at(e) - shared.at(s)
    wide = np.maximum(width, 0.6 * np.diff(x).min(initial=7.0))  # of the distance of two
    faces = [shared.face(place) for place in of.places]
    thin = {"linewidth": 0.3 if len(x) < 60 else 0}  # outlines of many bars cover what they hold
    bars = _bars(ax, x + (width - wide) / 2, wide, excess, [look | thin for look in faces])
    ax.axhline(0.0, color=shared.ink(), linewidth=0.8)
    unit = TOPICS[of.found.source.result.replace("Demand", "Energy")].unit
    middle, marks = shared.at((s + e) // 2), []
    for place in np.argsort(-np.nan_to_num(excess), axis=None, kind="stable").tolist()[:n]:
        i, j = divmod(place, len(s))
        if excess[i, j] > 1e-9:
            short = f"+{shared.amount(float(excess[i, j]))} {unit}, {of.labels[i]}"
            when = f", {shared.moment(int(s[j]), of.tz, clock=False)}"
            top = bars[i, j, 1] + bars[i, j, 3]
            marks.append(shared.Mark(float(middle[j]), top, short, when))
    shared.mark(ax, marks, around_zero=True)
    ax.set_ylabel(of.axis(f"energy beyond the usual {name}", unit))
    keys = [Patch(label=label, **look) for label, look in zip(of.labels, faces, strict=True)]
    return shared.finish(ax, how.get("title"), keys[::-1] if len(of.series) > 1 else [])


def _excess(rows: pd.DataFrame, series: Sequence[Cumulative]) -> tuple[Ints, Ints, Floats]:
    """Starts and ends of the nights [us UTC], and excess, shape (elements, nights)."""
    several = "meter" in rows
    rows = rows if several else rows.assign(meter="")
    table = rows.pivot(index=["meter", "element"], columns="start", values="excess")
    ends = rows.groupby("start")["end"].first()
    keys = [(c.meter if several else "", c.element) for c in series]
    s, e = (ints(pd.DatetimeIndex(x)) for x in (ends.index, ends))
    return s, e, table.reindex(keys).to_numpy()
