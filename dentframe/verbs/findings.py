"""Current transformers that point the wrong way or sit on the wrong phase. Pure.

What the findings of quality look at: one element's readings, side by side. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dentframe.frame import select as selection
from dentframe.metering.cumulative import from_means, from_register
from dentframe.metering.registers import Rules, resolve
from dentframe.metering.series import NONE, Series
from dentframe.metering.steps import HOUR
from dentframe.verbs.gaps import Holes, holes_of
from dentframe.verbs.sources import by_meter, naive_zone
from dentframe.verbs.stats import samples

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd

    from dentframe.metering.cumulative import Cumulative
    from dentframe.metering.series import Floats, Ints
    from dentframe.metering.steps import Bools
    from dentframe.verbs.inputs import Study


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


LOW_FACTOR = 0.55
"""Below it the meter family's own alarm fires (Leviton 71D03 manual, p. 44)."""
THIRD, NEAR = 1 / 3, 0.05
FEWEST = 4
LOADED = 0.05
"""Currents under this share of the greatest say nothing about a phase."""

Span = tuple[int, int, int, str, float]


def reversed_ct(x: Evidence) -> Iterator[Span]:
    """A third of the load of three channels, or one channel's sign against its siblings'.

    One reversed CT of three shows ``V (I1 - I2 + I3)`` for ``V (I1 + I2 + I3)``: a third of a
    balanced load. The sign of dPF alone may mean lead or lag, so that it is only a hint.
    """
    third = list(_third(x))
    yield from third or _odd_sign(x)


def _third(x: Evidence) -> Iterator[Span]:
    names = x.names_of("A")
    if len(names) != 3 or not len(x.demand.t):
        return
    parts = [x.channels.get((t, ch)) for t in ("A", "V", "dPF") for ch in names]
    if any(p is None for p in parts):
        return
    t, values = common([x.demand, *[p for p in parts if p is not None]])
    kw, amperes, volts, factors = values[0], values[1:4], values[4:7], values[7:10]
    load = sum(a * v * np.abs(f) for a, v, f in zip(amperes, volts, factors, strict=True)) / 1000
    if len(t) < FEWEST or not np.sum(load) > 0:
        return
    if abs(float(kw.sum() / np.sum(load)) - THIRD) <= NEAR:
        kwh = float((load - kw).sum() * x.interval / HOUR)
        yield int(t[0]), int(t[-1]), len(t), "error", kwh


def _odd_sign(x: Evidence) -> Iterator[Span]:
    signs = {ch: _sign(x, ch) for ch in x.names_of("dPF")}
    known = {ch: s for ch, s in signs.items() if s}
    odd = [ch for ch, s in known.items() if list(known.values()).count(s) == 1]
    if len(known) >= 3 and len(odd) == 1:
        t = x.channels["dPF", odd[0]].t
        yield int(t[0]), int(t[-1]), len(t), "info", float("nan")


def _sign(x: Evidence, channel: str) -> int:
    values = _loaded(x, channel)
    if len(values) < FEWEST:
        return 0
    share = float((values > 0).mean())
    return 1 if share > 0.9 else -1 if share < 0.1 else 0


def _loaded(x: Evidence, channel: str) -> np.ndarray:
    """A channel's dPF while a current worth naming flows."""
    factor, current = x.channels["dPF", channel], x.channels.get(("A", channel))
    if current is None:
        return factor.values
    _, (f, a) = common([factor, current])
    return np.asarray(f[a > LOADED * a.max(initial=0.0)])


def wrong_phase(x: Evidence) -> Iterator[Span]:
    """Channels, or else the element, whose typical ``|dPF|`` under load is below the alarm."""
    for ch in x.names_of("dPF"):
        values = np.abs(_loaded(x, ch))
        if len(values) >= FEWEST and float(np.median(values)) < LOW_FACTOR:
            t = x.channels["dPF", ch].t
            low = int((values < LOW_FACTOR).sum())
            yield int(t[0]), int(t[-1]), low, "warning", float("nan")
    if not x.names_of("dPF") and x.power_factor is not None:
        yield from _of_element(x)


def _of_element(x: Evidence) -> Iterator[Span]:
    factor = x.power_factor
    if factor is None or not len(x.demand.t):
        return
    t, (f, kw) = common([factor, x.demand])
    loaded = np.abs(kw) > LOADED * np.abs(kw).max(initial=0.0)
    t, f = t[loaded], np.abs(f[loaded])
    if len(f) >= FEWEST and float(np.median(f)) < LOW_FACTOR:
        yield int(t[0]), int(t[-1]), int((f < LOW_FACTOR).sum()), "warning", float("nan")
