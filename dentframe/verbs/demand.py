"""`demand` computes the mean power of blocks on the local clock, or of rolling windows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dentframe.metering import blocks
from dentframe.metering.figures import Figures
from dentframe.metering.registers import RegisterRules
from dentframe.metering.series import element_columns
from dentframe.verbs.inputs import Inputs, VerbKeywords, demand_source, inputs_of
from dentframe.verbs.results import Result

if TYPE_CHECKING:
    import pandas as pd

    from dentframe.metering.cumulative import Cumulative
    from dentframe.metering.series import Floats, Ints
    from dentframe.times.ranges import Zone


_DEFAULT_RULES = RegisterRules()


def demand(
    frame: pd.DataFrame,
    window: Any = "15min",
    *,
    kind: str = "block",
    step: Any = None,
    tz: Zone = None,
    start: Any = None,
    end: Any = None,
    topic: str | None = None,
    source: str = "auto",
    registers: RegisterRules = _DEFAULT_RULES,
    interval: Any = "15min",
    demand_lag: Any = "0min",
    elements: Any = None,
    site: Any = None,
    corrections: Any = (),
) -> pd.DataFrame:
    """Mean power of each block or rolling window, per element.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns over time, or over (meter, time), shape (readings, columns).
    window : str or timedelta
        Length of a block or window. A block's must divide the day.
    kind : str
        ``"block"``: blocks of the local clock, end to end. ``"rolling"``: windows of a fixed
        length that end on a step of the local clock.
    step : str or timedelta, optional
        Between the ends of rolling windows; by default the longest that divides both the
        window and `interval`.
    tz : str or tzinfo, optional
        The zone of the clock and of naive bounds; None is the index's own where not UTC.
        Blocks over 15 minutes need it on a UTC index.
    start, end : str, date, datetime or Timestamp, optional
        The span. A block that one of them cuts is NaN. By default the range that was read,
        else from the first reading to the last.
    topic : str, optional
        Another register or interval mean, e.g. ``"kVAHNet"`` for apparent demand [kVA].
    source : str
        ``"auto"``: per element its interval means (DemandkW), else its register;
        ``"demand"``; ``"register"``.
    registers : RegisterRules
        What is known about the registers.
    interval, demand_lag : str, timedelta, or mapping by meter
        A mean stamped t covers ``(t - demand_lag - interval, t - demand_lag]``.
    elements : str or sequence of str, optional
        The elements asked for, as in `energy`; all by default.
    site : Site, optional
        Gives `tz`, and what is known about the registers, where they are not given.
    corrections : sequence of Correction, optional
        CT factors, readings by hand, exchanges and agreed figures, beside those of `site`; the
        frame is not changed.

    Returns
    -------
    pandas.DataFrame
        Block start (rolling: window end) in `tz` to ``Demand/Elm/A``... [kW] or
        ``ApparentDemand`` [kVA], shape (blocks, elements); over (meter, time) where the frame
        is. NaN where a moment of the block is not covered; never the mean of what is left.

    Raises
    ------
    RangeError
        For a naive index, a missing `tz`, a window the clock does not have.
    KindError
        For a topic that has no demand.
    ConfigError, UnknownTopicError, UnitError
        For a setting, topic or unit that cannot be used.

    Notes
    -----
    A block's demand is its energy over its true length: the block in which the clock is put
    back by half an hour is half an hour longer. Readings that do not end on a block's edge are
    apportioned, which can only lower a peak: 30.0 kW stamped :17 show as 27.6 in clock blocks.

    Examples
    --------
    >>> import pandas as pd
    >>> t = pd.date_range("2024-01-01 00:15", periods=4, freq="15min", tz="UTC")
    >>> kw = pd.DataFrame({"DemandkW/Elm/A": [10.0, 20.0, 30.0, 10.0]}, index=t)
    >>> demand(kw, "30min", tz="UTC")["Demand/Elm/A"].tolist()
    [15.0, 20.0]
    """
    how = blocks.cut(kind, window, step, interval)
    asked = VerbKeywords.of(
        frame, site, tz, start, end, registers, interval, demand_lag, elements, corrections
    )
    of = inputs_of(frame, None, demand_source(frame, topic, source), asked, how.freq)
    s, e = blocks.span(how, of.s, of.e, of.tz)
    found = [_figures(c, s, e, window_means(of, c, s, e)) for c in of.series]
    result = Result(frame, of.source, of.tz, interval, elements)
    return result.wide(found, s if how.kind == "block" else e)


def window_means(of: Inputs, c: Cumulative, s: Ints, e: Ints) -> Floats:
    """Mean power of each window [kW]; NaN where not wholly covered, or cut by a bound."""
    low, high = of.bounds
    kw = blocks.means(c, s, e, of.interval(c))
    return np.where((s >= low) & (e <= high), kw, np.nan)


def _figures(c: Cumulative, s: Ints, e: Ints, kw: Floats) -> Figures:
    """In the shape that `Result.wide` lays out."""
    coverage = np.where(np.isnan(kw), 0.0, 1.0)
    none = np.zeros(len(s), dtype=np.int64)
    return Figures(c, s, e, s, e, kw, coverage, none, none)


def apparent_demand(
    frame: pd.DataFrame,
    window: Any = "15min",
    *,
    kind: str = "block",
    step: Any = None,
    tz: Zone = None,
    start: Any = None,
    end: Any = None,
    source: str = "auto",
    registers: RegisterRules = _DEFAULT_RULES,
    interval: Any = "15min",
    demand_lag: Any = "0min",
    elements: Any = None,
    site: Any = None,
    corrections: Any = (),
) -> pd.DataFrame:
    """Mean apparent power of each block or rolling window, from kVAHNet (or DemandkVA).

    Parameters
    ----------
    frame : pandas.DataFrame
        With ``kVAHNet/Elm/...`` or ``DemandkVA/Elm/...``, shape (readings, columns).
    window, kind, step, tz, start, end, source, registers : optional
        As in `demand`.
    interval, demand_lag, elements, site, corrections : optional
        As in `demand`.

    Returns
    -------
    pandas.DataFrame
        Block start in `tz` to ``ApparentDemand/Elm/A``... [kVA]; NaN where incomplete.

    Raises
    ------
    UnknownTopicError
        Where the frame has neither topic.
    RangeError, KindError, ConfigError, UnitError
        As `demand`.

    Notes
    -----
    ``kVAh / h`` of the register's increments: 5.0 kVAh in 15 minutes are 20 kVA.

    Examples
    --------
    >>> df.dent.select(element="A").dent.apparent_demand(tz=LA).columns.tolist()
    ['ApparentDemand/Elm/A']
    """
    means = source != "register" and bool(element_columns(frame, ["DemandkVA"]))
    return demand(
        frame,
        window,
        kind=kind,
        step=step,
        tz=tz,
        start=start,
        end=end,
        topic="DemandkVA" if means else "kVAHNet",
        source=source,
        registers=registers,
        interval=interval,
        demand_lag=demand_lag,
        elements=elements,
        site=site,
        corrections=corrections,
    )
