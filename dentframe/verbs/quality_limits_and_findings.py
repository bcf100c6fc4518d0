"""Each finding of `quality` is a function here, which looks at one element's readings and reports.

A finding changes nothing, and none of them raises. Each yields its span [us UTC], how often it
was seen, how bad it is, and the energy whose amount is in doubt [kWh] (NaN where nothing tells);
the name of the function is that of the finding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dentframe.metering.energy_and_coverage import Cumulative, jumps
from dentframe.metering.register_rules import HOUR, Rules
from dentframe.metering.series import Bools, Flag, Floats, Ints, Series
from dentframe.verbs.energy import FALLS
from dentframe.verbs.gaps_and_coverage import Gaps, within
from dentframe.verbs.inputs_and_keywords import FEWEST, TOO_CLOSE, TOO_FAR

REPEATS = 4
"""So many equal readings make a run; fewer are chance."""
DAY = 24 * HOUR
IQRS, RARE = 3.0, 0.01
"""Demands beyond three interquartile ranges are spikes, where at most one in a hundred is."""
SUM_TOLERANCE = 0.02
CLOCK_JUMP, CLOCK_RUN = 2 * 60_000_000, 4
LOW_FACTOR = 0.55
"""Below it the meter family's own alarm fires (Leviton 71D03 manual, p. 44)."""
THIRD, NEAR = 1 / 3, 0.05
LOADED = 0.05
"""Currents under this share of the greatest say nothing about a phase."""
STEADY, SWINGING = 0.05, 0.25
"""Differences of energy and of current that do not, and do, contradict an equal demand."""
_NAN = float("nan")

Findings = Iterator[tuple[int, int, int, str, float]]
"""Start, end [us UTC], count, severity and energy in doubt [kWh]."""


@dataclass(frozen=True)
class ElementReadings:
    """One element's register and demand in the span asked for, and what else its meter says.

    Attributes
    ----------
    register, demand : Cumulative
        E(t) of each; without breakpoints where the frame has no reading of it.
    interval : int
        The window of the means [us].
    rules : Rules
        What is known about the register.
    series : mapping of (topic, name) to Series
        The readings as they came, of the element by its own name and of its channels.
    gaps : Gaps
        Where readings are missing.
    first, last : int
        The span of its meter's readings [us].
    refused : int
        How many of its columns cannot be read.
    now : int or None
        The present, where the caller tells it [us].
    """

    register: Cumulative
    demand: Cumulative
    interval: int
    rules: Rules
    series: Mapping[tuple[str, str], Series]
    gaps: Gaps
    first: int
    last: int
    refused: int
    now: int | None

    @property
    def mean_kw(self) -> float:
        """The element's mean power, by its register, else its means; NaN where neither tells."""
        for c in (self.register, self.demand):
            energy, covered = c.measure(c.t[:1], c.t[-1:])
            if covered.any():
                return float(energy[0] / (covered[0] / HOUR))
        return _NAN

    @property
    def resolution(self) -> float:
        """The register's least rise [kWh]; 0 where it never rises."""
        rises = self.register.inc[self.register.inc > 0]
        return float(rises.min()) if len(rises) else 0.0

    def channels(self, topic: str) -> dict[str, Series]:
        """The readings of a topic by channel, in order of their names."""
        own, all_of = self.register.element, self.series
        return {x: all_of[t, x] for t, x in sorted(all_of) if t == topic and x != own}

    @cached_property
    def current(self) -> tuple[Ints, Floats]:
        """The sum of the channels' currents at the instants that all of them have [us UTC, A]."""
        found = [x for x in self.channels("A").values() if len(x.t)]
        t, values = _common(found) if found else (self.register.t[:0], [np.empty(0)])
        return t, np.sum(values, axis=0)

    def current_in(self, s: int, e: int) -> Floats:
        """The current of a span [A]."""
        t, amperes = self.current
        return amperes[(t > s) & (t <= e)]


def unreadable(x: ElementReadings) -> Findings:
    """Columns that no verb takes: of text, in a wrong unit, or there twice."""
    if x.refused:
        yield x.first, x.last, x.refused, "error", _NAN


def interval(x: ElementReadings) -> Findings:
    """Readings that come much closer or farther than `interval`: figures of means are wrong."""
    d = x.demand.series
    t = d.t if len(d.t) >= FEWEST else x.register.series.t
    if len(t) < FEWEST:
        return
    spacing = float(np.median(np.diff(t)))
    if not TOO_CLOSE * x.interval <= spacing <= TOO_FAR * x.interval:
        known = len(d.t) >= FEWEST and spacing > x.interval
        risk = abs(float(d.values.sum())) * (spacing - x.interval) / HOUR
        yield int(t[0]), int(t[-1]), len(t), "warning", risk if known else _NAN


def gap(x: ElementReadings) -> Findings:
    """Spacing over one and a half intervals; known energy is not at risk, only its shape."""
    for s, e, n, known in zip(*x.gaps, strict=True):
        risk = 0.0 if known else max(x.mean_kw, 0.0) * (e - s) / HOUR
        yield s, e, n, "info" if known else "warning", risk


def glitch(x: ElementReadings) -> Findings:
    """Register readings that their neighbours expose; they are bridged."""
    t, r = x.register.series.t, x.register.series.values
    for a, b in runs(~np.isin(t, x.register.at)):
        risk = float(np.max(np.abs(r[a:b] - r[max(a - 1, 0)])))
        yield t[a], t[b - 1], b - a, "warning", risk


def jump(x: ElementReadings) -> Findings:
    """Steps that stand out from all others, withheld because the greatest power is not known."""
    for s, e, kwh in jumps(x.register) if x.rules.max_kw is None else ():
        yield s, e, 1, "error", kwh


def stuck(x: ElementReadings) -> Findings:
    """Equal non-zero demands that register or current contradict; or a day of them, unexplained."""
    d = x.demand.series
    same = np.concatenate(([False], (np.diff(d.values) == 0) & (d.values[1:] != 0)))
    found = [(a - 1, b - 1) for a, b in runs(same) if b - a + 1 >= REPEATS]
    first, last = np.array(found, dtype=np.int64).reshape(-1, 2).T
    starts, ends, kws = d.t[first] - x.interval, d.t[last], d.values[first]
    differs = _register_differs(x, starts, ends, kws)
    for k, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        amperes, n = x.current_in(start, end), int(last[k] - first[k]) + 1
        # A current that changes, or is none, does so at no equal demand.
        most = amperes.max(initial=0.0)
        swings = bool(most == 0 or np.ptp(amperes) > SWINGING * most) if len(amperes) else None
        if True in {differs[k], swings} or ({differs[k], swings} == {None} and end - start >= DAY):
            yield start, end, n, "warning", abs(float(kws[k])) * n * x.interval / HOUR


def _register_differs(
    x: ElementReadings, starts: Ints, ends: Ints, kws: Floats
) -> list[bool | None]:
    """Whether the register used another energy than equal demands; None where it tells nothing.

    The last interval is left out: however late demands are stamped, the rest lies inside the run.
    """
    ends = ends - x.interval
    energy, covered = x.register.measure(starts, ends)
    expected = kws * covered / HOUR
    units = np.rint(np.clip(x.register.readings, -1e12, 1e12) * 1e4).astype(np.int64)
    smallest = float(np.gcd.reduce(np.diff(units))) / 1e4
    differs = np.abs(energy - expected) > STEADY * np.abs(expected) + smallest
    known = 2 * covered >= ends - starts
    return [bool(x) if k else None for x, k in zip(differs, known, strict=True)]


def frozen_register(x: ElementReadings) -> Findings:
    """A register that stands still, four readings or more, while power or current flows."""
    c = x.register
    for a, b in runs((c.inc == 0) & c.ok):
        if b - a + 1 < REPEATS:
            continue
        s, e = int(c.t[a]), int(c.t[b])
        kwh = _energy(x.demand, s, e)
        if kwh > max(2 * x.resolution, 1e-9):
            yield s, e, b - a + 1, "error", kwh
        elif not len(x.demand.at) and (x.current_in(s, e) > 0).any():
            yield s, e, b - a + 1, "warning", _NAN


def _energy(c: Cumulative, s: int, e: int, other: Cumulative | None = None) -> float:
    """Energy of a span, of the time that another series covers as well [kWh]; 0 if unknown."""
    span = np.array([s], dtype=np.int64), np.array([e], dtype=np.int64)
    kwh = c.energy(*span) if other is None else within(c, other, *span)[0]
    return float(np.nan_to_num(kwh[0]))


def falling_register(x: ElementReadings) -> Findings:
    """A register that falls and is not declared as exporting: cleared, reversed or exchanged."""
    c = x.register
    if c.refusal:
        t, steps = c.series.t, np.diff(c.series.values)
        yield t[0], t[-1], int((steps < 0).sum()), "error", float(np.abs(steps).sum())
        return
    for i in np.flatnonzero(c.flags & int(FALLS)).tolist():
        hours = float((c.t[i + 1] - c.t[i]) / HOUR)
        risk = float(c.hi[i] - c.inc[i]) if c.ok[i] else max(x.mean_kw, 0.0) * hours
        yield c.t[i], c.t[i + 1], 1, "warning" if c.flags[i] & Flag.RESET else "error", risk


def negative_demand(x: ElementReadings) -> Findings:
    """Demand below zero on an element that is not declared as exporting."""
    d = x.demand.series
    low = np.flatnonzero(d.values < 0)
    if len(low) and not x.rules.allow_export:
        t, risk = d.t[low], float(-d.values[low].sum() * x.interval / HOUR)
        yield t[0] - x.interval, t[-1], len(low), "warning", risk


def reversed_ct(x: ElementReadings) -> Findings:
    """A third of the load of three channels, or one channel's sign against its siblings'.

    One reversed CT of three shows ``V (I1 - I2 + I3)`` for ``V (I1 + I2 + I3)``: a third of a
    balanced load. The sign of dPF alone may mean lead or lag, so that it is only a hint.
    """
    third = list(_third(x))
    yield from third or _other_sign(x)


def _third(x: ElementReadings) -> Findings:
    """Demand that is a third of what current, voltage and dPF of three channels make."""
    amperes = x.channels("A")
    keys = [(t, ch) for t in ("A", "V", "dPF") for ch in amperes]
    if len(amperes) != 3 or not x.series.keys() >= {*keys}:
        return
    t, (kw, *values) = _common([x.demand.series, *(x.series[k] for k in keys)])
    load = sum(values[i] * values[3 + i] * np.abs(values[6 + i]) for i in range(3)) / 1000
    if len(t) < REPEATS or not np.sum(load) > 0:
        return
    if abs(float(kw.sum() / np.sum(load)) - THIRD) <= NEAR:
        yield t[0], t[-1], len(t), "error", float((load - kw).sum() * x.interval / HOUR)


def _other_sign(x: ElementReadings) -> Findings:
    """One channel whose dPF has another sign than the two or more others have."""
    positive, factors = {}, x.channels("dPF")
    for channel in factors:
        values = _loaded(x, channel)
        share = float((values > 0).mean()) if len(values) >= REPEATS else 0.5
        if not 0.1 <= share <= 0.9:
            positive[channel] = share > 0.5
    alone = [ch for ch, sign in positive.items() if list(positive.values()).count(sign) == 1]
    if len(positive) >= 3 and len(alone) == 1:
        t = factors[alone[0]].t
        yield t[0], t[-1], len(t), "info", _NAN


def _loaded(x: ElementReadings, channel: str) -> Floats:
    """A channel's dPF while a current worth naming flows."""
    factor, current = x.series["dPF", channel], x.series.get(("A", channel))
    if current is None:
        return factor.values
    _, (f, a) = _common([factor, current])
    return np.asarray(f[a > LOADED * a.max(initial=0.0)])


def _common(series: Sequence[Series]) -> tuple[Ints, list[Floats]]:
    """The instants at which all have readings, and the readings."""
    t = series[0].t
    for x in series[1:]:
        t = np.intersect1d(t, x.t, assume_unique=True)
    return t, [x.values[np.searchsorted(x.t, t)] for x in series]


def wrong_phase(x: ElementReadings) -> Findings:
    """Channels, or else the element, whose typical ``|dPF|`` under load is below the alarm."""
    found = [(y.t, np.abs(_loaded(x, ch))) for ch, y in x.channels("dPF").items()]
    own = x.series.get(("dPF", x.register.element))
    if not found and own is not None:
        t, (f, kw) = _common([own, x.demand.series])
        loaded = np.abs(kw) > LOADED * np.abs(kw).max(initial=0.0)
        found = [(t[loaded], np.abs(f[loaded]))]
    for t, factor in found:
        if len(factor) >= REPEATS and float(np.median(factor)) < LOW_FACTOR:
            yield t[0], t[-1], int((factor < LOW_FACTOR).sum()), "warning", _NAN


def spike(x: ElementReadings) -> Findings:
    """More than the element can draw; or rare demands beyond three interquartile ranges."""
    d, most = x.demand.series, x.rules.max_kw
    for s, e, kwh in () if most is None else jumps(x.register):
        yield s, e, 1, "error", kwh
    if len(d.t) == 0:
        return
    low, high = np.quantile(d.values, [0.25, 0.75])
    limit = high + IQRS * (high - low) if most is None else most
    beyond = np.flatnonzero(d.values > limit)
    if len(beyond) and (most is not None or (high > low and len(beyond) <= RARE * len(d.t))):
        t = d.t[beyond]
        risk = float((d.values[beyond] - limit).sum() * x.interval / HOUR)
        yield t[0] - x.interval, t[-1], len(beyond), "info" if most is None else "error", risk


def sum_check(x: ElementReadings) -> Findings:
    """The register's rise against the sum of the intervals, where both are known."""
    c, d = x.register, x.demand
    if len(c.at) < 2 or len(d.at) < 2:
        return
    s, e = max(int(c.t[0]), int(d.t[0])), min(int(c.t[-1]), int(d.t[-1]))
    register, demand = _energy(c, s, e, d), _energy(d, s, e, c)
    residual = abs(demand - register)
    # Rounding alone may leave two steps of the register.
    if s < e and residual > max(SUM_TOLERANCE * max(abs(register), 1e-9), 2 * x.resolution, 1e-9):
        yield s, e, 1, "error", residual


def conflicting_duplicate(x: ElementReadings) -> Findings:
    """Rows of one instant with different values; they are missing."""
    for y in (x.register.series, x.demand.series):
        t = y.mark_t[(y.marks & int(Flag.CONFLICTING_DUPLICATE)) != 0]
        if len(t):
            risk = max(x.mean_kw, 0.0) * len(t) * x.interval / HOUR
            yield t[0], t[-1], len(t), "error", risk


def clock_jump(x: ElementReadings) -> Findings:
    """The minute of the readings moves at once and stays: somebody set a clock."""
    t = x.demand.series.t if len(x.demand.series.t) else x.register.series.t
    if len(t) <= 2 * CLOCK_RUN:
        return
    half = x.interval // 2
    moved = (np.diff(t) + half) % x.interval - half
    for i in np.flatnonzero(np.abs(moved) > CLOCK_JUMP) + 1:
        before, after = t[max(i - CLOCK_RUN, 0) : i], t[i : i + CLOCK_RUN]
        shift = (np.median(after % x.interval - before[-1] % x.interval) + half) % x.interval - half
        spread = max(np.ptp((y - y[0] + half) % x.interval - half) for y in (before, after))
        if len(after) == CLOCK_RUN and abs(shift) > CLOCK_JUMP >= spread:
            yield t[i - 1], t[i], 1, "warning", 0.0


def element_set_changed(x: ElementReadings) -> Findings:
    """An element whose readings begin or end a day or more inside those of its meter."""
    t = np.concatenate((x.register.series.t, x.demand.series.t))
    if len(t) and int(t.min()) - x.first >= DAY:
        yield x.first, int(t.min()), 1, "warning", _NAN
    if len(t) and x.last - int(t.max()) >= DAY:
        yield int(t.max()), x.last, 1, "warning", _NAN


def unused(x: ElementReadings) -> Findings:
    """A spare element: it has readings, and all of them say that nothing flows."""
    values = np.concatenate((x.register.inc, x.demand.series.values))
    if len(values) and not values.any() and not x.register.flags.any():
        yield x.first, x.last, 1, "info", 0.0


def future(x: ElementReadings) -> Findings:
    """Readings after the present that the caller tells."""
    if x.now is not None and x.last > x.now:
        late = max(int((y.t > x.now).sum()) for y in (x.demand.series, x.register.series))
        yield x.now, x.last, late, "error", _NAN


def runs(hit: Bools) -> list[tuple[int, int]]:
    """Half-open runs of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], hit, [False])).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


FINDINGS: tuple[Callable[[ElementReadings], Findings], ...] = (
    unreadable, interval, gap, glitch, jump, stuck, frozen_register, falling_register,
    negative_demand, reversed_ct, wrong_phase, spike, sum_check, conflicting_duplicate, clock_jump,
    element_set_changed, unused, future,
)  # fmt: skip
"""In the order in which an element's findings are listed."""
