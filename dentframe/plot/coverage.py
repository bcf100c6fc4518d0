"""The picture `coverage` shows when readings came: a lane per element, gaps with their hours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
from matplotlib.patches import Patch

from dentframe.plot import axes as canvas
from dentframe.plot.axes import GAP, KNOWN, MISSING, RECORDED, ink
from dentframe.plot.local_time import at, local_time
from dentframe.plot.subject import Keywords, picture, subject
from dentframe.verbs.inputs import REGISTER
from dentframe.verbs.peaks import registers_of
from dentframe.verbs.quality import Holes, holes_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.axes import Axes

    from dentframe.metering.series import Floats


_HOUR = 3.6e9
_TALL, _LABEL = 0.5, 0.27
"""Height of a lane, and from its middle to the label above it, of the distance of two."""


@picture
def coverage(frame: pd.DataFrame, **how: Unpack[Keywords]) -> Axes:
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
    of = subject(frame, how)
    found = of.inputs()
    series = of.each(found)
    known = registers_of(frame, of.asked, REGISTER)
    lanes = [holes_of(found, c, known.get((c.meter, c.element))) for c in series]
    span = int(found.s[0]), int(found.e[-1])
    ax = canvas.axes(how.get("ax"), (10.0, 1.3 + 0.42 * len(lanes)))
    local_time(ax, *span, found.tz)
    ax.set_yticks(range(len(lanes)), [of.label(c) for c in series])
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(lanes) - 0.5, -0.7)
    for place, lane in enumerate(lanes):
        _lane(ax, place, lane, span)
    canvas.dress(ax, how.get("title"), grid=None)
    ax.spines["left"].set_visible(False)
    some = any(int((x.e - x.s).sum()) < span[1] - span[0] for x in lanes)
    canvas.legend_below(ax, _keys(lanes, some=some))
    return ax


def _lane(ax: Axes, place: int, lane: Holes, span: tuple[int, int]) -> None:
    edges = np.concatenate((span[:1], np.column_stack((lane.s, lane.e)).ravel(), span[1:]))
    a, b = at(edges[0::2]), at(edges[1::2])
    y = (place - _TALL / 2, _TALL)
    pieces = [(x, w) for x, w in zip(a, b - a, strict=True) if w > 0]
    ax.broken_barh(pieces, y, facecolor=RECORDED, linewidth=0, gid="recorded")
    x, width = at(lane.s), at(lane.e) - at(lane.s)
    for of, hue, name in ((lane.known, KNOWN, "known"), (~lane.known, MISSING, "missing")):
        if of.any():
            holes = list(zip(x[of], width[of], strict=True))
            look: dict[str, Any] = {"facecolor": hue, "edgecolor": hue, "linewidth": 0.8}
            ax.broken_barh(holes, y, gid=name, **look)
            canvas.hatched(ax, [(v, y[0], w, _TALL) for v, w in holes], gid="hatch")
    _hours(ax, place, lane, x + width / 2)
    lost = int((lane.e - lane.s).sum())
    share = canvas.percent(1.0 if lost == 0 else 1 - lost / (span[1] - span[0]))
    how: dict[str, Any] = {"transform": ax.get_yaxis_transform(), "va": "center"}
    ax.text(1.01, place, share, size="small", gid="share", **how)


def _hours(ax: Axes, place: int, lane: Holes, middle: Floats) -> None:
    """The hours of each gap above it, the longest first, as far as there is room."""
    box, (low, high) = ax.get_window_extent(), ax.get_xlim()
    per = ax.figure.dpi / 72 * 8 * 0.62 / box.width * (high - low)
    taken: list[tuple[float, float]] = []
    for i in np.argsort(lane.s - lane.e, kind="stable").tolist():
        text = f"{(lane.e[i] - lane.s[i]) / _HOUR:,.4g} h"
        half = len(text) * per / 2
        x = min(max(float(middle[i]), low + half), high - half)
        if any(x - half < b and a < x + half for a, b in taken):
            continue
        taken.append((x - half, x + half))
        y = place - _LABEL
        ax.text(x, y, text, size=8, ha="center", va="bottom", color=ink(), gid="hours")


def _keys(lanes: Sequence[Holes], *, some: bool) -> list[Any]:
    kinds = {bool(x) for lane in lanes for x in lane.known}
    keys = [Patch(facecolor=RECORDED, label="recorded")] if some else []
    for known, hue, text in ((True, KNOWN, "gap, energy known"), (False, MISSING, "missing")):
        if known in kinds:
            keys.append(Patch(facecolor=hue, edgecolor=ink(), linewidth=0, hatch=GAP, label=text))
    return keys
