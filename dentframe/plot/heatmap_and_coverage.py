"""The pictures `heatmap` and `coverage` show what was recorded, and when.

`heatmap` shows the power of every local day by the time of day, as colours; `coverage` has a lane
per element, with its gaps and their hours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from dentframe.display import percent
from dentframe.metering.register_rules import HOUR
from dentframe.plot import axes_colours_and_labels as shared
from dentframe.plot.axes_colours_and_labels import GAP, KNOWN, MISSING, RECORDED
from dentframe.plot.elements_shown import PictureKeywords, picture, power, shown
from dentframe.times.dates_and_ranges import ints, local, stamp
from dentframe.times.periods import calendar
from dentframe.verbs.gaps_and_coverage import Gaps, gaps_of, registers_of
from dentframe.verbs.inputs_and_keywords import REGISTER
from dentframe.verbs.quality_limits_and_findings import runs

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    import pandas as pd
    from matplotlib.axes import Axes

    from dentframe.metering.series import Floats, Ints


@picture
def heatmap(
    frame: pd.DataFrame, window: Any = "15min", *, cmap: Any = None, **how: Unpack[PictureKeywords]
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
    of, s, e, kw = power(frame, how, window, "D", together=True)
    days = lay(s, e, kw.sum(axis=0), of.tz)
    most = float(np.nanmax(np.abs(days.kw), initial=0.0)) or 1.0
    least, default = (-most, "PuOr_r") if (days.kw < 0).any() else (0.0, "viridis")
    colours = {"cmap": default if cmap is None else cmap, "vmin": least, "vmax": most}
    few = len(days.hours) <= 10  # then days are rows, one below the other; more are columns
    ax = shared.axes(how.get("ax"), (10.0, 2.4 + 0.3 * len(days.hours)) if few else (10.0, 4.5))
    mesh = _mesh(ax, days, few, colours)
    _clock_times(ax.xaxis if few else ax.yaxis, days)
    (_rows if few else _columns)(ax, days)
    ax.tick_params(length=3)
    bar = ax.figure.colorbar(mesh, ax=ax, pad=0.015, aspect=12 if few else 25)
    bar.set_label(of.summed(of.quantity, of.unit))
    bar.outline.set_visible(False)
    keys: list[Any] = [shared.gap_patch("not recorded")] if days.lost.any() else []
    lengths = sorted({f"{24 + gained:g}" for _, _, gained in days.changes()})
    if lengths:
        text = f"clocks change: a day of {' or '.join(lengths)} h"
        keys.append(Line2D([], [], **_MARK, label=text))
    return shared.finish(ax, how.get("title"), keys, grid=None)


def _mesh(ax: Axes, days: Days, few: bool, colours: dict[str, Any]) -> Any:
    """The power of each day, what is hatched of it, and where its clock changes."""
    (rows, n), lost = days.kw.shape, []
    x = np.arange(n + 1.0) if few else shared.at(days.edges)
    y = np.arange(rows + 1) * (days.row / HOUR)
    table = (y, x, days.kw.T) if few else (x, y, days.kw)
    mesh = ax.pcolormesh(*table, rasterized=True, **colours)
    for d in range(n):
        lost += [(x[d], y[a], x[d + 1] - x[d], y[b] - y[a]) for a, b in runs(days.lost[:, d])]
    turned = [(down, right, high, wide) for right, down, wide, high in lost]
    shared.hatched(ax, turned if few else lost, gid="gaps")
    for d, hour, _ in days.changes():
        line = [x[d], x[d + 1]], [hour, hour]
        ax.plot(*(line[::-1] if few else line), **_MARK, gid="change")
    return mesh


def _columns(ax: Axes, days: Days) -> None:
    """Days from left to right, each as wide as it is long; midnight at the bottom."""
    low, high, top = int(days.edges[0]), int(days.edges[-1]), days.hours.max()
    shared.local_time(ax, low, high, days.tz)
    for d, *_ in days.changes():
        middle = shared.at(days.edges[d : d + 2]).mean()
        ax.plot(middle, top, marker=7, clip_on=False, color=_MARK["color"])
    ax.set_ylim(0, top)
    ax.set_ylabel("time of day")


def _rows(ax: Axes, days: Days) -> None:
    """Days from top to bottom; midnight at the left."""
    n = len(days.hours)
    ax.set_xlim(0, days.hours.max())
    dates = [shared.moment(int(x), days.tz, clock=False) for x in days.edges[:-1]]
    ax.set_yticks(np.arange(n) + 0.5, dates)
    ax.set_ylim(n, 0)
    year = stamp(int(days.edges[0])).tz_convert(days.tz).year
    ax.set_xlabel(f"{shared.zone_label(days.tz)}, {year}")


_MARK: dict[str, Any] = {"color": "#D55E00", "linewidth": 2.0, "solid_capstyle": "butt"}


def _clock_times(axis: Any, days: Days) -> None:
    """Clock times of an ordinary day; the day's own where there is no other day."""
    if len(days.hours) == 1:
        low, high = int(days.edges[0]), int(days.edges[1])
        edges = shared.ticks(low, high, "h", days.tz)
        shown = [x[:5].removesuffix(":00") for x in shared.texts(edges, days.tz)]
        shown[-1] = "24" if high == edges[-1] else shown[-1]
        axis.set_ticks((edges - low) / HOUR, shown)
        return
    axis.set_ticks(*shared.CLOCK)


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

    def changes(self) -> Iterator[tuple[int, float, float]]:
        """Days on which the clock changes: (day, hours since midnight, hours gained)."""
        for day in np.flatnonzero(self.hours != 24.0).tolist():
            low, high = int(self.edges[day]), int(self.edges[day + 1])
            grid = np.arange(low, high + 1, self.row)
            drift = grid - ints(local(grid, self.tz).tz_localize(None))
            i = int(np.argmax(drift != drift[0]))
            yield day, (int(grid[i]) - low) / HOUR, float(self.hours[day] - 24.0)


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
    edges = calendar("D", int(s[0]), int(e[-1]), tz)
    lengths = np.diff(edges)
    after = s - edges[np.searchsorted(edges, s, side="right") - 1]
    row = int(np.gcd.reduce(np.concatenate((after, e - s, lengths))))
    since = np.arange(0, lengths.max(), row)[:, np.newaxis]
    at = edges[:-1] + since
    block = np.searchsorted(s, at, side="right") - 1
    inside = (block >= 0) & (at < e[block]) & (since < lengths)
    table = np.where(inside, kw[block], np.nan)
    return Days(edges, row, table, inside & np.isnan(table), tz)


_GAPS = ((True, KNOWN, "known", "gap, energy known"), (False, MISSING, "missing", "missing"))
"""Whether a register bridges a gap; its colour, its gid, and what a legend says."""
_TALL, _LABEL = 0.5, 0.27
"""Height of a lane, and from its middle to the label above it, of the distance of two."""


@picture
def coverage(frame: pd.DataFrame, **how: Unpack[PictureKeywords]) -> Axes:
    """When readings came: a lane per element, with its gaps and their hours.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns over time, or over (meter, time), shape (readings, columns).
    elements : str, list of str, or "all", optional
        ``"A"`` in a frame of one meter, ``"P482311252_A"`` in any; None for all.
    title : str, optional
        None for no title.
    ax : matplotlib.axes.Axes, optional
        Where to draw; None makes a figure with pyplot.
    tz, start, end, topic, source, registers, interval, demand_lag : optional
        As in `gaps`.
    site : Site, optional
        Gives labels, `tz`, and what is known about the registers.

    Returns
    -------
    matplotlib.axes.Axes
        Lanes from the top in the order of the elements. Beside each stands the share of the
        span for which readings came; 100 % only where that is exactly so.

    Raises
    ------
    RangeError, KindError, ConfigError, UnknownTopicError, UnknownMeterError, UnitError
        As `gaps` and `heatmap`.
    MissingExtraError
        Without matplotlib (``pip install "dentframe[plot]"``).

    Notes
    -----
    The gaps are those of the verb `gaps`. One that a register bridges has a known total, and
    only its shape is lost: it has another colour than one of which nothing is known. A gap
    too short to be seen is drawn a line wide. The longest are labelled first; a label that
    would stand on another is left out.

    Examples
    --------
    >>> ax = df.dent.plot.coverage(tz=LA)
    >>> ax.get_xlabel()
    'local time (America/Los_Angeles)'
    """
    of = shown(frame, how)
    known, span = registers_of(of.found, REGISTER), of.span
    lanes = [gaps_of(of.found, c, known.get((c.meter, c.element))) for c in of.series]
    ax = shared.axes(how.get("ax"), (10.0, 1.3 + 0.42 * len(lanes)))
    shared.local_time(ax, *span, of.tz)
    ax.set_yticks(range(len(lanes)), of.labels)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(lanes) - 0.5, -0.7)
    for place, lane in enumerate(lanes):
        _lane(ax, place, lane, span)
    ax.spines["left"].set_visible(False)
    some = any(int((x.e - x.s).sum()) < span[1] - span[0] for x in lanes)
    keys = [Patch(facecolor=RECORDED, label="recorded")] if some else []
    kinds = {bool(x) for lane in lanes for x in lane.known}
    look: dict[str, Any] = {"edgecolor": shared.ink(), "linewidth": 0, "hatch": GAP}
    keys += [Patch(facecolor=hue, label=x, **look) for kind, hue, _, x in _GAPS if kind in kinds]
    return shared.finish(ax, how.get("title"), keys, grid=None)


def _lane(ax: Axes, place: int, lane: Gaps, span: tuple[int, int]) -> None:
    edges = np.concatenate((span[:1], np.column_stack((lane.s, lane.e)).ravel(), span[1:]))
    a, b = shared.at(edges[0::2]), shared.at(edges[1::2])
    y = (place - _TALL / 2, _TALL)
    pieces = [(x, w) for x, w in zip(a, b - a, strict=True) if w > 0]
    ax.broken_barh(pieces, y, facecolor=RECORDED, linewidth=0, gid="recorded")
    x, width = shared.at(lane.s), shared.at(lane.e) - shared.at(lane.s)
    for kind, hue, gid, _ in _GAPS:
        of = lane.known == kind
        if of.any():
            holes = list(zip(x[of], width[of], strict=True))
            look: dict[str, Any] = {"facecolor": hue, "edgecolor": hue, "linewidth": 0.8}
            ax.broken_barh(holes, y, gid=gid, **look)
            shared.hatched(ax, [(v, y[0], w, _TALL) for v, w in holes], gid="hatch")
    _hours_of_gaps(ax, place, lane, x + width / 2)
    lost = int((lane.e - lane.s).sum())
    share = percent(1.0 if lost == 0 else 1 - lost / (span[1] - span[0]))
    how: dict[str, Any] = {"transform": ax.get_yaxis_transform(), "va": "center"}
    ax.text(1.01, place, share, size="small", gid="share", **how)


def _hours_of_gaps(ax: Axes, place: int, lane: Gaps, middle: Floats) -> None:
    """The hours of each gap above it, the longest first, as far as there is room."""
    low, high = ax.get_xlim()
    letter = ax.figure.dpi / 72 * 8 * 0.62 / ax.get_window_extent().width
    order = np.argsort(lane.s - lane.e, kind="stable")
    texts = [f"{x:,.4g} h" for x in (lane.e - lane.s)[order] / HOUR]
    at = (middle[order] - low) / (high - low)
    wanted = [(x, len(text) * letter) for x, text in zip(at, texts, strict=True)]
    for text, p in zip(texts, shared.place(wanted, rows=1, sides=(0.5,)), strict=True):
        if p is not None:
            x, y = low + (p.left + p.right) / 2 * (high - low), place - _LABEL
            ax.text(x, y, text, size=8, ha="center", va="bottom", color=shared.ink(), gid="hours")
