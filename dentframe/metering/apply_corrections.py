"""Corrections are applied to a series here, and nowhere else.

The order is: exchange, hand reading, register rules, factor, agreed figure. The series as it was
read stays beside the corrected one, for papers that show both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from dentframe.errors import ConfigError
from dentframe.metering.energy_and_coverage import Cumulative, Special, from_means, reaching
from dentframe.metering.falls_glitches_and_exchanges import from_register
from dentframe.metering.series import Bools, Flag, Floats, Ints, Series
from dentframe.times.dates_and_ranges import stamp

if TYPE_CHECKING:
    from dentframe.metering.register_rules import Fix, Rules


_BEARING = {
    "kWHNet": {"factor", "reading", "exchange", "figure"},
    "DemandkW": {"factor", "figure"},
    "kVAHNet": {"factor"},
    "A": {"factor"},
}
"""The kinds of corrections that bear on a topic: but for factors they are of energy."""
_REFUTED = Flag.UNEXPLAINED_DECREASE | Flag.UNEXPLAINED_JUMP | Flag.DECREASE_UNCLASSIFIED


@dataclass(frozen=True, eq=False)
class Corrected:
    """What a corrected series was made from.

    Attributes
    ----------
    raw : Cumulative
        The series as it was read.
    measured : Cumulative
        It with every correction but that of agreed figures, which fill only what nobody measured.
    moved : Cumulative or None
        The corrected series for edges that move to a reading: agreed spans move as well. None of
        that series itself.
    fixes : tuple of Fix
        The corrections.
    calculated : ndarray of int64
        Where a part of the series begins or ends that no meter showed [us].
    """

    raw: Cumulative
    measured: Cumulative
    moved: Cumulative | None
    fixes: tuple[Fix, ...]
    calculated: Ints


def register(series: Series, rules: Rules, means: Cumulative | None = None) -> Cumulative:
    """E(t) and C(t) of a register, corrected; as `from_register` where nothing corrects it.

    Raises
    ------
    ConfigError
        For a hand reading or an exchange that the register rules refute.
    """
    fixes = _bearing(series, rules)
    raw = from_register(series, replace(rules, fixes=()), means)
    if not fixes:
        return raw
    swaps = {swap[0]: swap for swap in rules.swaps}
    swaps |= {f.start: (f.start, f.values[0], f.values[1]) for f in fixes if f.kind == "exchange"}
    own = replace(rules, swaps=tuple(sorted(swaps.values())))
    made = from_register(_with_readings(series, fixes), own, means)
    if made.refusal:
        names = ", ".join(f.name for f in fixes)
        return replace(made, refusal=f"{made.refusal} So {names} cannot be applied.")
    for f in fixes:
        if f.kind in {"reading", "exchange"}:
            touching = (made.t[1:] >= f.start) & (made.t[:-1] <= f.start)
            _check(made, f, touching)
            flags = np.where(touching, made.flags | Flag.CORRECTED, made.flags)
            made = _remade(made, made.t, made.E, made.ok, flags, made.hi - made.inc)
    return _finished(raw, _scaled(_exchanged(made, fixes), fixes), fixes)


def demand(series: Series, rules: Rules, window: int, lag: int) -> Cumulative:
    """E(t) and C(t) of interval means, corrected; as `from_means` where nothing corrects them."""
    raw = from_means(series, window, lag, rules.max_gap)
    fixes = _bearing(series, rules)
    if not fixes:
        return raw
    ends = raw.at
    length = np.minimum(np.diff(ends, prepend=ends[:1] - window), window)
    readings = raw.readings * mean_factor(ends - length, ends, fixes)
    made = _finished(raw, replace(_scaled(raw, fixes), readings=readings), fixes)
    for f in fixes:
        if f.kind == "figure" and f.peak is not None:
            made = _with_peak(made, f, f.peak)
    return made


def samples(series: Series, rules: Rules) -> Series:
    """Samples of a topic that a factor applies to, corrected."""
    fixes = _bearing(series, rules)
    return replace(series, values=series.values * mean_factor(series.t, series.t, fixes))


def _bearing(series: Series, rules: Rules) -> tuple[Fix, ...]:
    """The corrections that bear on a series."""
    return tuple(f for f in rules.fixes if f.kind in _BEARING.get(series.topic, ()))


def _with_readings(series: Series, fixes: Sequence[Fix]) -> Series:
    """The readings with those by hand among them, or in their place."""
    hand = {f.start: f.values[0] for f in fixes if f.kind == "reading"}
    if not hand:
        return series
    shown = dict(zip(series.t.tolist(), series.values.tolist(), strict=True)) | hand
    t, values = (np.array(x) for x in zip(*sorted(shown.items()), strict=True))
    kept = ~np.isin(series.mark_t, list(hand))
    mark_t, marks = series.mark_t[kept], series.marks[kept]
    return replace(series, t=t, values=values, mark_t=mark_t, marks=marks, spacing=None)


def _check(made: Cumulative, f: Fix, touching: Bools) -> None:
    """Refuse a hand reading or an exchange that the readings around it contradict."""
    i = int(np.searchsorted(made.at, f.start, side="left"))
    around = [k for k in (i - 1, i, i + 1) if 0 <= k < len(made.at) and made.at[k] != f.start]
    refuted = bool((touching & ~made.ok & ((made.flags & _REFUTED) != 0)).any())
    lost = f.kind == "reading" and f.start not in made.at
    if (refuted or lost) and around:
        shown = " and ".join(
            f"{made.readings[k]:,.3f} kWh at {stamp(int(made.at[k])).isoformat()}" for k in around
        )
        stated = " to ".join(f"{x:,.3f}" for x in f.values)
        raise ConfigError(
            f"Cannot use {f.name}: the {f.kind} of {stated} kWh at {stamp(f.start).isoformat()} is "
            f"refuted by the register, which showed {shown}: it would fall, or rise by more than "
            "the element can draw. Correct the value or its time, or state the exchange of the "
            "meter, or its max_kw."
        )


def _exchanged(c: Cumulative, fixes: Sequence[Fix]) -> Cumulative:
    """The series with both readings of each exchange: the old one closes there, the new opens."""
    for at, (closing, opening) in [(f.start, f.values) for f in fixes if f.kind == "exchange"]:
        i = int(np.searchsorted(c.at, at)) - 1
        k = int(np.searchsorted(c.t, at)) - 1
        inside = 0 <= i < len(c.at) - 1 and c.at[i + 1] != at and c.t[k] == c.at[i]
        if not inside or not c.ok[k] or not c.flags[k] & Flag.METER_SWAP:
            continue
        c = _cut(c, [at])
        c.E[k + 1] = c.E[k] + (closing - float(c.readings[i]))
        c = replace(
            c,
            at=np.insert(c.at, i + 1, at),
            readings=np.insert(c.readings, i + 1, opening),
            closings={**c.closings, at: closing},
        )
    return c


def _remade(c: Cumulative, t: Ints, E: Floats, ok: Bools, flags: Ints, more: Floats) -> Cumulative:
    """A series with other segments, each of which is given."""
    at = np.flatnonzero(~ok | (flags != 0) | (more != 0))
    special = Special.of(t, (at, flags[at], ok[at], more[at]))
    return replace(c, t=t, E=E, special=special)


def mean_factor(s: Ints, e: Ints, fixes: Sequence[Fix]) -> Floats:
    """The mean factor of each stretch; that at the instant where a stretch has no length."""
    found = np.ones(len(s))
    for f in fixes:
        if f.kind == "factor":
            part = np.clip(np.minimum(e, f.end) - np.maximum(s, f.start), 0, None)
            share = np.where(e > s, part / np.maximum(e - s, 1), (s >= f.start) & (s < f.end))
            found += share * (f.values[0] - 1.0)
    return found


def _cut(c: Cumulative, at: Sequence[int]) -> Cumulative:
    """The same series with breakpoints at some instants between its first and last one."""
    x = np.setdiff1d(np.array(at, dtype=np.int64), c.t)
    x = x[(x > c.t[0]) & (x < c.t[-1])] if len(c.t) else x[:0]
    if not len(x):
        return c
    where = np.searchsorted(c.t, x)
    t = np.insert(c.t, where, x)
    old = np.searchsorted(c.t, t[1:], side="left") - 1
    more = (c.hi - c.inc)[old] * (np.diff(t) / np.diff(c.t)[old])
    return _remade(c, t, np.insert(c.E, where, c.energy_at(x)), c.ok[old], c.flags[old], more)


def _scaled(c: Cumulative, fixes: Sequence[Fix]) -> Cumulative:
    """Increments times their factor, exact over any partition."""
    factors = [f for f in fixes if f.kind == "factor"]
    if not factors or len(c.ok) == 0:
        return c
    steps = c.t
    c = _cut(c, [x for f in factors for x in (f.start, f.end)])
    k = mean_factor(c.t[:-1], c.t[1:], factors)
    new = np.flatnonzero(np.diff(k)) + 1  # anchored where the factor changes: no long sum
    starts = np.concatenate(([0], new))
    stretch = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(k))))
    energy = np.diff(np.append(c.E[starts], c.E[-1])) * k[starts]
    base = np.concatenate(([0.0], np.cumsum(energy)))
    inside = base[stretch] + (c.E[:-1] - c.E[starts][stretch]) * k
    flags = c.flags.copy()
    for f in factors:
        flags[(c.t[1:] > f.start) & (c.t[:-1] < f.end)] |= Flag.CORRECTED
    for i in np.flatnonzero(~np.isin(c.t, steps)).tolist():
        if flags[i] & Flag.GAP_BRIDGED:  # nobody knows how much of it was used at which factor
            flags[i - 1 : i + 1] |= Flag.EDGE_IN_GAP
    return _remade(c, c.t, np.append(inside, base[-1]), c.ok, flags, (c.hi - c.inc) * k)


# --- agreed figures ----------------------------------------------------------------------


def _finished(raw: Cumulative, made: Cumulative, fixes: tuple[Fix, ...]) -> Cumulative:
    """The corrected series with its agreed figures, and what it was made from."""
    ends = [x for f in fixes if f.kind in {"factor", "figure"} for x in (f.start, f.end)]
    calculated = np.setdiff1d(np.array(ends, dtype=np.int64), made.at)

    def with_figures(own: tuple[Fix, ...], moved: Cumulative | None) -> Cumulative:
        measured = whole = made
        for f in (f for f in own if f.kind == "figure"):
            measured, whole = _agreed(measured, f), _agreed(whole, f, wholly=True)
        corrected = Corrected(raw, measured, moved, own, calculated)
        return replace(whole, corrected=corrected, greatest_kw=np.inf)

    return with_figures(fixes, with_figures(tuple(_at_readings(made, f) for f in fixes), None))


def _at_readings(c: Cumulative, f: Fix) -> Fix:
    """An agreed figure of the span whose ends have moved to readings, as a period's edges do."""
    if f.kind != "figure":
        return f
    s, e = c.at_readings(np.array([f.start]), np.array([f.end]))
    if s[0] == e[0]:
        first, last = stamp(f.start).isoformat(), stamp(f.end).isoformat()
        raise ConfigError(
            f"Cannot use {f.name}: no reading lies after {first} and up to {last}, so that both "
            f"ends move to the one of {stamp(int(s[0])).isoformat()}, and its energy would be of "
            "no time. Agree on a span from one reading to a later one."
        )
    return replace(f, start=int(s[0]), end=int(e[0]))


def _agreed(c: Cumulative, f: Fix, wholly: bool = False) -> Cumulative:
    """A series whose unmeasured time has what measured time leaves of a figure.

    With `wholly` the energy of the span is that of the figure, whatever was measured in it.
    """
    c = _cut(_reaching(c, f.start, f.end), [f.start, f.end])
    inside = (c.t[:-1] >= f.start) & (c.t[1:] <= f.end)
    time, inc, kwh = np.diff(c.t), np.diff(c.E), f.values[0]
    known, blank = float(inc[inside].sum()), inside & ~c.ok
    fill = max(kwh - known, 0.0) if blank.any() else 0.0
    inc[blank] = fill * time[blank] / max(time[blank].sum(), 1)
    if wholly and known + fill:
        inc[inside] *= kwh / (known + fill)
    elif wholly:
        inc[inside] = kwh * time[inside] / max(time[inside].sum(), 1)
    unsure = Flag.GAP_BRIDGED | Flag.EDGE_IN_GAP
    flags = np.where(inside, c.flags & ~unsure | Flag.AGREED | Flag.CORRECTED, c.flags)
    first, last = (int(np.flatnonzero(inside)[i]) for i in (0, -1))
    E = c.E.copy()
    E[first + 1 : last + 2] = c.E[first] + np.cumsum(inc[first : last + 1])
    E[last + 2 :] = E[last + 1] + (c.E[last + 2 :] - c.E[last + 1])
    return _remade(c, c.t, E, c.ok | inside, flags, np.where(inside, 0.0, c.hi - c.inc))


def _reaching(c: Cumulative, start: int, end: int) -> Cumulative:
    """The same series with uncovered time before and after it, as far as a span needs it."""
    t, E, head, _ = reaching(c.t, c.E, np.array([start, end]))
    pad = head, len(t) - 1 - len(c.ok) - head
    return _remade(c, t, E, np.pad(c.ok, pad), np.pad(c.flags, pad), np.pad(c.hi - c.inc, pad))


def _with_peak(c: Cumulative, f: Fix, kw: float) -> Cumulative:
    """Means of an agreed span whose highest is the agreed demand [kW]."""
    inside = (c.at > f.start) & (c.at <= f.end)
    top = c.readings[inside].max(initial=0.0)
    if top > 0:
        return replace(c, readings=np.where(inside, c.readings * (kw / top), c.readings))
    at, readings = c.at[~inside], c.readings[~inside]
    i = int(np.searchsorted(at, f.end))
    return replace(c, at=np.insert(at, i, f.end), readings=np.insert(readings, i, kw))
