"""What the findings of quality look at: one element's readings, side by side. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dentframe import selection
from dentframe.gaps import Holes, holes_of
from dentframe.metering.accumulate import from_means, from_register
from dentframe.metering.glitches import HOUR
from dentframe.metering.series import NONE, Series
from dentframe.metering.sources import by_meter, naive_zone
from dentframe.registers import Rules, resolve
from dentframe.stats import samples

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from dentframe.metering.cumulative import Cumulative
    from dentframe.metering.glitches import Bools
    from dentframe.metering.rows import Floats, Ints
    from dentframe.metering.study import Study

REGISTER, MEAN = "kWHNet", "DemandkW"
CHANNEL_TOPICS = ("A", "V", "dPF")


@dataclass(frozen=True)
class Evidence:
    """One element's readings in the span asked for.

    Attributes
    ----------
    meter, element : str
        What it is.
    interval : int
        Between readings [us].
    rules : Rules
        What is known about its register.
    register, means : Cumulative
        Without readings where the frame has none.
    channels : dict
        (topic, channel) to readings, of A, V and dPF.
    power_factor : Series or None
        The element's own dPF.
    holes : Holes
        Its gaps.
    first, last : int
        The span of its meter's readings [us].
    """

    meter: str | None
    element: str
    interval: int
    rules: Rules
    register: Cumulative
    means: Cumulative
    channels: dict[tuple[str, str], Series]
    power_factor: Series | None
    holes: Holes
    first: int
    last: int

    @property
    def demand(self) -> Series:
        """The interval means as they came."""
        return self.means.series

    @property
    def mean_kw(self) -> float:
        """The element's mean power, by its register, else its means; NaN where neither tells."""
        for c in (self.register, self.means):
            if len(c.t) and c.C[-1]:
                return float(c.E[-1] / (c.C[-1] / HOUR))
        return float("nan")

    def names_of(self, topic: str) -> list[str]:
        """The channels that have readings of a topic."""
        return sorted(ch for t, ch in self.channels if t == topic)


def gather(of: Study) -> list[Evidence]:
    """The evidence of every element of a study."""
    frame = of.frame
    elements = {(x.meter, c.id): None for x, c in _all(frame, REGISTER, MEAN) if c.scope == "Elm"}
    series = {(t, x.meter, c.id): _clip(x, of) for t, x, c in _by_topic(frame)}
    spans = _spans(series)
    return [_evidence(of, m, e, series, spans.get(m, (0, 0))) for m, e in elements]


def _all(frame: pd.DataFrame, *topics: str) -> list[Any]:
    there = selection.topics(frame)
    return [pair for t in topics if t in there for pair in samples(frame, t)]


def _by_topic(frame: pd.DataFrame) -> list[Any]:
    topics = (REGISTER, MEAN, *CHANNEL_TOPICS)
    return [(t, x, c) for t in topics for x, c in _all(frame, t)]


def _clip(x: Series, of: Study) -> Series:
    """The readings in the span; those outside serve nothing here."""
    if len(of.s) == 0:
        return x
    w = int(of.s[0]), int(of.e[-1])
    keep, marked = (x.t >= w[0]) & (x.t <= w[1]), (x.mark_t >= w[0]) & (x.mark_t <= w[1])
    return Series(
        x.meter, x.element, x.topic, x.t[keep], x.values[keep], x.mark_t[marked], x.marks[marked]
    )


def _spans(series: dict[Any, Series]) -> dict[str | None, tuple[int, int]]:
    found: dict[str | None, tuple[int, int]] = {}
    for (_, meter, _), x in series.items():
        if len(x.t):
            low, high = found.get(meter, (int(x.t[0]), int(x.t[-1])))
            found[meter] = min(low, int(x.t[0])), max(high, int(x.t[-1]))
    return found


def _evidence(
    of: Study,
    meter: str | None,
    element: str,
    series: dict[Any, Series],
    span: tuple[int, int],
) -> Evidence:
    tz = naive_zone(of.frame, of.asked.tz)
    rules = resolve(of.asked.registers, meter, element, tz)
    blank = Series(meter, element, MEAN, NONE, np.empty(0), NONE, NONE)
    register = from_register(series.get((REGISTER, meter, element), blank), rules)
    w = of.interval(register)
    lag = by_meter(of.asked.demand_lag, meter, "0min", "demand_lag")
    means = from_means(series.get((MEAN, meter, element), blank), w, lag)
    channels = {
        (t, c): x
        for (t, m, c), x in series.items()
        if t in CHANNEL_TOPICS and m == meter and _is_channel(c, element)
    }
    main, other = (means, register) if len(means.at) else (register, None)
    holes = holes_of(of, main, other)
    factor = series.get(("dPF", meter, element))
    return Evidence(meter, element, w, rules, register, means, channels, factor, holes, *span)


def _is_channel(name: str, element: str) -> bool:
    return name.startswith(element) and name[len(element) :].isdigit()


def runs(hit: Bools) -> list[tuple[int, int]]:
    """Half-open runs of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], hit, [False])).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def common(series: Sequence[Series]) -> tuple[Ints, list[Floats]]:
    """The instants at which all have readings, and the readings."""
    t = series[0].t
    for x in series[1:]:
        t = np.intersect1d(t, x.t, assume_unique=True)
    return t, [x.values[np.searchsorted(x.t, t)] for x in series]
