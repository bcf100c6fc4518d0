"""Current transformers that point the wrong way or sit on the wrong phase. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dentframe.findings.evidence import common
from dentframe.metering.glitches import HOUR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dentframe.findings.evidence import Evidence

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
