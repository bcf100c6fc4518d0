"""Load duration curves: for what share of the time a demand was reached."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dentframe.metering.registers import RegisterRules
from dentframe.plot import axes as canvas
from dentframe.plot.marks import colour, style
from dentframe.plot.power import power, subject
from dentframe.verbs.inputs import Asked

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from dentframe.metering.series import Floats
    from dentframe.times.ranges import Zone


_DEFAULT_RULES = RegisterRules()


def duration(
    frame: pd.DataFrame,
    window: Any = "15min",
    *,
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
    'power reached [kW]'
    """
    canvas.check(ax)
    asked = Asked(tz, start, end, registers, interval, demand_lag)
    of = subject(frame, asked, topic=topic, source=source, elements=elements, site=site)
    found = power(of, window, together=False)
    ax = canvas.axes(ax, (8.0, 4.5))
    lines = []
    for i, (label, kw) in enumerate(zip(found.labels, found.kw, strict=True)):
        x, y = falling(kw)
        told = label + canvas.covered(len(x) - 1, len(kw))
        lines += ax.plot(
            x, y, drawstyle="steps-post", color=colour(i), linestyle=style(i), label=told
        )
    ax.set_xlim(0, 100)
    if not (found.kw < 0).any():
        ax.set_ylim(bottom=0)
    ax.set_xlabel("share of the time [%]")
    ax.set_ylabel(f"power reached [{found.unit}]")
    canvas.dress(ax, title, grid="both")
    canvas.legend(ax, lines)
    return ax


def falling(kw: Floats) -> tuple[Floats, Floats]:
    """The known blocks from the highest to the lowest, as steps over 0 to 100 %."""
    known = -np.sort(-kw[~np.isnan(kw)])
    share = np.linspace(0.0, 100.0, len(known) + 1)
    return share, np.append(known, known[-1:] if len(known) else np.nan)
