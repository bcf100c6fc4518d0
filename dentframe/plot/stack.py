"""The picture `stack` shows elements on each other: their power, or energy beyond a week."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import pandas as pd
from matplotlib.patches import Patch, StepPatch

from dentframe.errors import ConfigError, RangeError
from dentframe.metering.attrs import time_index
from dentframe.plot import axes as canvas
from dentframe.plot.axes import Mark, amount, colour, hatch, ink, mark, paper
from dentframe.plot.local_time import at, date, local_time, moment
from dentframe.plot.subject import UNITS, Figures, Keywords, Subject, picture, power, subject
from dentframe.times.periods import Monthly, parse_freq, verb_zone
from dentframe.verbs.energy import figures
from dentframe.verbs.inputs import asked_bounds, default_bounds, energy_source, periods, series_of
from dentframe.verbs.quality_findings import runs

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from dentframe.metering.series import Floats
    from dentframe.times.periods import Freq


_MANY = 200
"""More blocks have no outlines, which would cover what they hold."""


@picture
def stack(
    frame: pd.DataFrame,
    freq: Freq = None,
    *,
    window: Any = "15min",
    n: int = 1,
    **how: Unpack[Keywords],
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
    if isinstance(n, bool) or not isinstance(n, int) or n < 0:
        raise ConfigError(f"Cannot mark n={n!r} peaks: it must be a whole number from 0.")
    of = subject(frame, how)
    found = bars(of, freq) or power(of, window, together=True)
    ax = canvas.axes(how.get("ax"))
    local_time(ax, *found.span, found.tz)
    (_energy if found.each else _power)(ax, found)
    _finish(ax, found, n)
    canvas.dress(ax, how.get("title"))
    return ax


def _power(ax: Axes, found: Figures) -> None:
    low, high = layers(found.parts)
    edges = at(np.append(found.s, found.e[-1]))
    many = len(found.s) > _MANY
    for place, label, a, b in zip(found.places, found.labels, low, high, strict=True):
        look: dict[str, Any] = face(place) | ({"linewidth": 0.0} if many else {})
        # Not ax.stairs: it looks for the limits in every corner, 0.4 s for 16 elements' weeks.
        ax.add_artist(StepPatch(b, edges, baseline=a, fill=True, label=label, **look))
    y = np.append(found.total, found.total[-1:])
    thin = 0.4 if many else 0.9
    ax.plot(edges, y, drawstyle="steps-post", color=ink(), linewidth=thin, label="total")
    limits(ax, edges, low, high)
    ax.set_ylabel(f"{found.quantity} [{found.unit}]")


def _energy(ax: Axes, found: Figures) -> None:
    x, width = at(found.s), at(found.e) - at(found.s)
    low, high = layers(found.parts)
    for i, label in enumerate(found.labels):
        rows = np.column_stack((x, low[i], width, high[i] - low[i]))
        known = ~np.isnan(found.parts[i])
        canvas.boxes(ax, rows[known].tolist(), label=label, **face(found.places[i]))
        canvas.hatched(ax, rows[found.doubtful[i]].tolist(), zorder=2, gid="doubtful", alpha=0.9)
    limits(ax, x, low, high)
    none = np.full(len(x), np.nan)
    caps = np.column_stack((x, x + width, none)).ravel()
    y = np.column_stack((found.total, found.total, none)).ravel()
    ax.plot(caps, y, color=ink(), linewidth=0.9, label="total")
    ax.set_ylabel(f"{found.quantity} per {found.each} [{found.unit}]")


def face(i: int) -> dict[str, Any]:
    """How the i-th element's area looks."""
    return {
        "facecolor": colour(i),
        "edgecolor": paper() if not hatch(i) else ink(),
        "linewidth": 0.3,
        "hatch": hatch(i) or None,
    }


def limits(ax: Axes, x: Floats, low: Floats, high: Floats) -> None:
    """Tell the axes what the stack reaches; artists that are no lines do not."""
    known = np.concatenate(([0.0], low[~np.isnan(low)], high[~np.isnan(high)]))
    ax.update_datalim([(x[0], known.min()), (x[-1], known.max())])


def _finish(ax: Axes, found: Figures, n: int) -> None:
    """Mark the n highest totals, hatch where there is none, and add the legend."""
    ax.autoscale_view(scalex=False)
    ax.margins(y=0.04)
    if (found.parts < 0).any():
        ax.axhline(0.0, color=ink(), linewidth=0.8)
    else:
        ax.set_ylim(bottom=0)
    total, lost = np.round(found.total, 9), np.isnan(found.total)
    middle = at((found.s + found.e) // 2)
    marks = []
    for i in np.argsort(-total, kind="stable")[: np.count_nonzero(~lost)][:n].tolist():
        short = f"{amount(float(total[i]))} {found.unit}"
        start = int(found.s[i])
        when = (date if found.each else moment)(start, found.tz)
        when = when if found.each in {"", "local day"} else f"from {when}"
        marks.append(
            Mark(float(middle[i]), float(found.total[i]), f"{short}, {when}", ink(), short)
        )
    mark(ax, marks)
    a, b = at(found.s), at(found.e)
    boxes = [(a[i], 0.0, b[j - 1] - a[i], 1.0) for i, j in runs(lost)]
    canvas.hatched(ax, boxes, transform=ax.get_xaxis_transform(), zorder=3, gid="gaps")
    pairs = zip(found.labels, found.places, strict=True)
    keys: list[Any] = [Patch(label=label, **face(place)) for label, place in pairs][::-1]
    if found.doubtful.any():
        keys.append(canvas.gap_patch("partial or estimated", alpha=0.9))
    if lost.any():
        keys.append(canvas.gap_patch("a part is missing:\nno total"))
    canvas.legend(ax, keys)


_AUTO = ((8, None), (100, "D"), (3 * 366, "W-MON"))
"""The longest span [days] of each way; beyond them months."""
_NAMES = {"D": "local day", "MS": "month", "QS": "quarter", "YS": "year", "h": "hour"}


def bars(of: Subject, freq: Freq) -> Figures | None:
    """The bars of a subject; None where its power is to be drawn instead."""
    asked, frame = of.asked, of.frame
    wanted = energy_source(frame, of.topic, of.source)
    low, high = asked_bounds(frame, asked)
    series = series_of(frame, wanted, asked)
    first, last = default_bounds(frame, series)
    low, high = (low or first), (high or last)
    freq = _freq(low, high) if freq is None else freq
    if freq is None:
        return None
    zone = verb_zone(time_index(frame).tz, asked.tz, freq)
    s, e = periods(frame, series, freq, zone, replace(asked, start=low, end=high))
    if len(s) == 0:
        raise RangeError(f"Cannot draw energy per {freq!r}: the span holds no such period.")
    drawn = of.together(series, wanted)
    found = [figures(c, s, e) for c in drawn]
    return Figures(
        drawn, s, e, np.stack([f.energy for f in found]),
        np.stack([f.coverage == 1 for f in found]),
        np.stack([(f.status > 0) & ~np.isnan(f.energy) for f in found]),
        [of.label(c) for c in drawn], of.places(drawn, series), zone,
        "energy", UNITS[wanted.result], (int(s[0]), int(e[-1])), _each(freq),
    )  # fmt: skip


def _freq(low: pd.Timestamp | None, high: pd.Timestamp | None) -> str | None:
    if low is None or high is None:
        return None
    days = (high - low) / pd.Timedelta(days=1)
    return next((x for most, x in _AUTO if days <= most + 0.1), "MS")


def _each(freq: Any) -> str:
    if isinstance(freq, Monthly):
        return "month"
    if not isinstance(freq, str):
        return "period"
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
    low = np.where(known < 0, np.cumsum(down, axis=0), np.cumsum(up, axis=0) - up)
    high = np.where(known < 0, np.cumsum(down, axis=0) - down, np.cumsum(up, axis=0))
    lost = np.isnan(parts)
    return np.where(lost, np.nan, low), np.where(lost, np.nan, high)
