"""Elements on top of each other: their power, or their energy in bars beyond a week."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dentframe.errors import ConfigError
from dentframe.metering.registers import RegisterRules
from dentframe.plot import axes as canvas
from dentframe.plot import marks
from dentframe.plot import power as steps
from dentframe.plot.axes import amount, moment
from dentframe.plot.marks import colour, hatch, ink, paper
from dentframe.plot.power import Bars, Power, bars, power, runs, subject
from dentframe.verbs.inputs import Asked

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.axes import Axes

    from dentframe.metering.series import Floats, Ints
    from dentframe.plot.power import Subject
    from dentframe.times.periods import Freq
    from dentframe.times.ranges import Zone


_DEFAULT_RULES = RegisterRules()
_MANY = 200
"""More blocks have no outlines, which would cover what they hold."""


def stack(
    frame: pd.DataFrame,
    freq: Freq = None,
    *,
    window: Any = "15min",
    elements: Any = None,
    n: int = 1,
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
    canvas.check(ax)
    asked = Asked(tz, start, end, registers, interval, demand_lag)
    of = subject(frame, asked, topic=topic, source=source, elements=elements, site=site)
    found = bars(of, freq)
    ax = _energy(found, n, ax) if found else _power(of, window, n, ax)
    canvas.dress(ax, title)
    return ax


def _power(of: Subject, window: Any, n: int, ax: Axes | None) -> Axes:
    from matplotlib.patches import StepPatch

    from dentframe.plot.axes import at, local_time

    found = power(of, window, together=True)
    ax = canvas.axes(ax)
    local_time(ax, found.low, found.high, found.tz)
    low, high = steps.layers(found.kw)
    edges = at(np.append(found.s, found.e[-1]))
    many = len(found.s) > _MANY
    for i, label in enumerate(found.labels):
        look: dict[str, Any] = _face(i) | ({"linewidth": 0.0} if many else {})
        # Not ax.stairs: it looks for the limits in every corner, 0.4 s for 16 elements' weeks.
        part = StepPatch(high[i], edges, baseline=low[i], fill=True, label=label, **look)
        ax.add_artist(part)
    y = np.append(found.total, found.total[-1:])
    thin = 0.4 if many else 0.9
    ax.plot(edges, y, drawstyle="steps-post", color=ink(), linewidth=thin, label="total")
    _limits(ax, edges, low, high)
    _finish(ax, found, _said(found, moment, n))
    ax.set_ylabel(f"power [{found.unit}]")
    return ax


def _energy(found: Bars, n: int, ax: Axes | None) -> Axes:
    from dentframe.plot.axes import at, local_time

    ax = canvas.axes(ax)
    local_time(ax, int(found.s[0]), int(found.e[-1]), found.tz)
    x, width = at(found.s), at(found.e) - at(found.s)
    low, high = steps.layers(found.kwh)
    for i, label in enumerate(found.labels):
        rows = list(zip(x, low[i], width, high[i] - low[i], strict=True))
        known = ~np.isnan(found.kwh[i])
        canvas.boxes(ax, _only(rows, known), label=label, **_face(i))
        doubtful = _only(rows, found.doubtful[i])
        canvas.hatched(ax, doubtful, zorder=2, gid="doubtful", alpha=0.9)
    _limits(ax, x, low, high)
    caps = np.column_stack((x, x + width, np.full(len(x), np.nan))).ravel()
    y = np.column_stack((found.total, found.total, np.full(len(x), np.nan))).ravel()
    ax.plot(caps, y, color=ink(), linewidth=0.9, label="total")
    _finish(ax, found, _said(found, found.name, n))
    ax.set_ylabel(f"energy per {found.each} [{found.unit}]")
    return ax


def _face(i: int) -> dict[str, Any]:
    return {
        "facecolor": colour(i),
        "edgecolor": paper() if not hatch(i) else ink(),
        "linewidth": 0.3,
        "hatch": hatch(i) or None,
    }


def _said(found: Power | Bars, when: Any, n: int) -> list[tuple[int, str]]:
    """The places of the n highest totals, and what to write there."""
    total = np.round(found.total, 9)
    order = np.argsort(-total, kind="stable")[: np.count_nonzero(~np.isnan(total))]
    return [
        (int(i), f"{amount(float(total[i]))} {found.unit}, {when(int(found.s[i]), found.tz)}")
        for i in order[:n]
    ]


def _limits(ax: Axes, x: Floats, low: Floats, high: Floats) -> None:
    """Tell the axes what the stack reaches; artists that are no lines do not."""
    known = np.concatenate(([0.0], low[~np.isnan(low)], high[~np.isnan(high)]))
    ax.update_datalim([(x[0], known.min()), (x[-1], known.max())])


def _only(rows: Sequence[Any], keep: Any) -> list[Any]:
    return [row for row, kept in zip(rows, keep, strict=True) if kept]


def _finish(ax: Axes, found: Power | Bars, said: Sequence[tuple[int, str]]) -> None:
    from dentframe.plot.axes import at

    ax.autoscale_view(scalex=False)
    ax.margins(y=0.04)
    if (found.parts < 0).any():
        ax.axhline(0.0, color=ink(), linewidth=0.8)
    else:
        ax.set_ylim(bottom=0)
    middle = at((found.s + found.e) // 2)
    marks.draw(
        ax,
        [
            marks.Mark(middle[i], found.total[i], text, ink(), text.split(",")[0])
            for i, text in said
        ],
    )
    lost = np.isnan(found.total)
    boxes = _boxes(found.s, found.e, lost)
    canvas.hatched(ax, boxes, transform=ax.get_xaxis_transform(), zorder=3, gid="gaps")
    canvas.legend(ax, _keys(found, lost=bool(lost.any())))


def _keys(found: Power | Bars, *, lost: bool) -> list[Any]:
    """The elements as they lie, and what is hatched."""
    from matplotlib.patches import Patch

    keys: list[Any] = [Patch(label=label, **_face(i)) for i, label in enumerate(found.labels)]
    keys.reverse()
    if found.doubtful.any():
        keys.append(canvas.gap_patch("partial or estimated", alpha=0.9))
    if lost:
        keys.append(canvas.gap_patch("a part is missing:\nno total"))
    return keys


def _boxes(s: Ints, e: Ints, lost: Floats) -> list[tuple[float, float, float, float]]:
    from dentframe.plot.axes import at

    a, b = at(s), at(e)
    return [(a[i], 0.0, b[j - 1] - a[i], 1.0) for i, j in runs(lost)]
