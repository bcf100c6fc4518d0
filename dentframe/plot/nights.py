"""The picture `nights` shows how much more each night used than usual, element by element."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import pandas as pd
from matplotlib.patches import Patch

from dentframe.errors import RangeError
from dentframe.plot import axes as canvas
from dentframe.plot.axes import Mark, amount, ink, mark
from dentframe.plot.local_time import at, date, local_time
from dentframe.plot.stack import face, layers, limits
from dentframe.plot.subject import UNITS, Keywords, picture, subject
from dentframe.times.ranges import ints
from dentframe.verbs.unusual import unusual

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Sequence

    from matplotlib.axes import Axes

    from dentframe.metering.cumulative import Cumulative
    from dentframe.metering.series import Floats, Ints
    from dentframe.times.schedule import Window

    Bars = tuple[Ints, Ints, Floats]


_WIDE, _MANY = 0.6, 60
"""The least width of a bar, of the distance of two; more bars have no outlines."""


@picture
def nights(
    frame: pd.DataFrame,
    freq: str | Window = "night",
    *,
    holidays: Sequence[Any] = (),
    n: int = 3,
    **how: Unpack[Keywords],
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
    of = subject(frame, how)
    found = of.inputs("D")
    series = of.together(found.series, found.source) if of.site is not None else of.each(found)
    names = [c.name if found.several else c.element for c in series]
    asked: dict[str, Any] = {"holidays": holidays, "min_coverage": 0.0, "elements": names}
    rows = unusual(frame, freq, **asked, **of.verb).dropna(subset="excess")
    name = freq if isinstance(freq, str) else freq.name
    if rows.empty:
        raise RangeError(
            f"Cannot draw what each {name} used: the span holds no whole {name}. Read a longer one."
        )
    bars = _excess(rows, series)
    ax = canvas.axes(how.get("ax"))
    local_time(ax, int(found.s[0]), int(found.e[-1]), found.tz)
    places, labels = of.places(series, found.series), [of.label(c) for c in series]
    faces = [face(place) for place in places]
    high = _draw(ax, bars, faces)
    unit = UNITS[found.source.result.replace("Demand", "Energy")]
    mark(ax, list(_marks(bars, high, labels, unit, found.tz))[:n])
    ax.set_ylabel(of.axis(series, f"energy beyond the usual {name}", unit))
    canvas.dress(ax, how.get("title"))
    keys = [Patch(label=label, **look) for label, look in zip(labels, faces, strict=True)]
    canvas.legend(ax, keys[::-1] if len(series) > 1 else [])
    return ax


def _excess(rows: pd.DataFrame, series: Sequence[Cumulative]) -> Bars:
    """Starts and ends of the nights [us UTC], and excess, shape (elements, nights)."""
    s, column = np.unique(ints(pd.DatetimeIndex(rows["start"])), return_inverse=True)
    e = np.zeros(len(s), dtype=np.int64)
    e[column] = ints(pd.DatetimeIndex(rows["end"]))
    excess = np.full((len(series), len(s)), np.nan)
    for i, c in enumerate(series):
        own = (rows["element"] == c.element).to_numpy()
        own = own & (rows["meter"] == c.meter).to_numpy() if "meter" in rows else own
        excess[i, column[own]] = rows["excess"].to_numpy()[own]
    return s, e, excess


def _draw(ax: Axes, bars: Bars, faces: Sequence[dict[str, Any]]) -> Floats:
    """Draw the bars; the upper edges of their parts, shape (elements, nights)."""
    s, e, excess = bars
    low, high = layers(excess)
    x, width = at(s), at(e) - at(s)
    wide = np.maximum(width, _WIDE * np.diff(x).min(initial=7.0))
    for i, look in enumerate(faces):
        boxes = np.column_stack((x + (width - wide) / 2, low[i], wide, high[i] - low[i]))
        known = boxes[~np.isnan(excess[i])].tolist()
        canvas.boxes(ax, known, **(look | {"linewidth": 0.3 if len(x) < _MANY else 0}))
    limits(ax, x, low, high)
    ax.autoscale_view(scalex=False)
    ax.margins(y=0.04)
    ax.axhline(0.0, color=ink(), linewidth=0.8)
    return high


def _marks(
    bars: Bars, high: Floats, labels: Sequence[str], unit: str, tz: dt.tzinfo
) -> Iterator[Mark]:
    """The greatest excesses first, none below 0."""
    s, e, excess = bars
    for place in np.argsort(-np.nan_to_num(excess), axis=None, kind="stable").tolist():
        i, j = divmod(place, len(s))
        if excess[i, j] > 1e-9:
            short = f"+{amount(float(excess[i, j]))} {unit}, {labels[i]}"
            x = float(at((s + e) // 2)[j])
            text = f"{short}, {date(int(s[j]), tz)}"
            yield Mark(x, float(high[i, j]), text, ink(), short)
