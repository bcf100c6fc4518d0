"""Readings become E(t) and C(t): from registers, and from interval means. Pure.

A register's glitches go first, then every remaining step is judged. Interval means are
right-labelled steps: a reading covers the time since the reading before it up to one and a
half windows (jitter), else one window only, and the rest is a gap.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dentframe.metering import glitches, steps
from dentframe.metering.cumulative import Cumulative
from dentframe.metering.flags import Flag
from dentframe.metering.glitches import HOUR
from dentframe.metering.series import NONE, Floats, Ints, Series
from dentframe.registers import MINUTE, Rules


def from_register(series: Series, rules: Rules) -> Cumulative:
    """E(t) and C(t) of a register.

    Parameters
    ----------
    series : Series
        The readings of the register.
    rules : Rules
        What is known about it.

    Returns
    -------
    Cumulative
        Breakpoints are the readings in use, and the outermost rows where those are blank.
    """
    t, r, dropped = series.t, series.values, NONE
    stay = glitches.keep(t, r, rules)
    if stay is not None:
        t, r, dropped = t[stay], r[stay], t[~stay]
    made = _from_steps(series, t, r, steps.judge(t, r, rules), rules.max_gap)
    made = _widen(made, series.mark_t)
    _mark_around(made, dropped, np.full(len(dropped), int(Flag.GLITCH)))
    _mark_around(made, series.mark_t, series.marks)
    return made


def _from_steps(
    series: Series, t: Ints, r: Floats, judged: steps.Steps, max_gap: int
) -> Cumulative:
    spacing = np.diff(t)
    gap = judged.ok & (spacing > max_gap)
    judged.flags[gap] |= Flag.GAP_BRIDGED
    return Cumulative(
        series=series,
        source="register",
        t=t,
        E=_anchored(r, judged),
        C=_running(np.where(judged.ok, spacing, 0)),
        ok=judged.ok,
        hi=judged.hi,
        flags=judged.flags,
        gap=gap,
        at=t,
        readings=r,
        max_gap=max_gap,
    )


def _running(parts: Ints) -> Ints:
    return np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(parts)))


def _anchored(r: Floats, judged: steps.Steps) -> Floats:
    """Running energy, anchored anew at each odd step, so that plain stretches stay exact."""
    if len(r) == 0 or not judged.odd.any():
        return r - r[:1]
    odd = np.flatnonzero(judged.odd)
    starts = np.concatenate(([0], odd + 1))
    stretch = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(r))))
    local = r - r[starts][stretch]
    base = np.concatenate(([0.0], np.cumsum(local[odd] + judged.d[odd])))
    return base[stretch] + local


def from_means(series: Series, window: int, lag: int = 0, max_gap: int = 30 * MINUTE) -> Cumulative:
    """E(t) and C(t) of interval means, labelled by the interval's end.

    Parameters
    ----------
    series : Series
        The mean powers [kW].
    window : int
        The interval W [us]. A spacing up to 1.5 W is wholly covered by the reading that ends
        it; a longer one for W only.
    lag : int
        How long after its interval's end a reading is stamped [us].
    max_gap : int
        As in the rules of a register [us]; it only serves edges moved to a reading.

    Returns
    -------
    Cumulative
        Segments are the readings' intervals and the gaps between them.
    """
    t, kw = series.t - lag, series.values
    length = np.concatenate(([window], np.diff(t)))[: len(t)]
    length[2 * length > 3 * window] = window
    made = _from_intervals(series, t, kw, length, max_gap)
    marked = series.mark_t - lag
    made = _widen(made, np.concatenate((marked[:1] - window, marked)))
    _mark_ending(made, marked, series.marks)
    return made


def _from_intervals(series: Series, t: Ints, kw: Floats, length: Ints, max_gap: int) -> Cumulative:
    starts = t - length
    late = np.concatenate(([False], starts[1:] > t[:-1]))[: len(t)]
    place = np.arange(len(t)) + np.cumsum(late)
    n = len(t) + int(late.sum())
    ends, ok, inc = np.zeros(n, np.int64), np.zeros(n, np.bool_), np.zeros(n)
    ends[place], ok[place], inc[place] = t, True, kw * (length / HOUR)
    ends[place[late] - 1] = starts[late]
    edges = np.concatenate((starts[:1], ends))
    return Cumulative(
        series=series,
        source="demand",
        t=edges,
        E=np.concatenate((np.zeros(1), np.cumsum(inc)))[: len(edges)],
        C=_running(np.where(ok, np.diff(edges), 0)),
        ok=ok,
        hi=inc,
        flags=np.zeros(n, dtype=np.int64),
        gap=np.zeros(n, dtype=np.bool_),
        at=t,
        readings=kw,
        max_gap=max_gap,
    )


def _widen(made: Cumulative, rows: Ints) -> Cumulative:
    """Reach out to rows beyond the usable readings, uncovered, so that their flags have a place."""
    if len(rows) == 0:
        return made
    t, low, high = made.t, int(rows[0]), int(rows[-1])
    if len(t) == 0:
        t = np.array([low], dtype=np.int64)
        made = replace(made, t=t, E=np.zeros(1), C=np.zeros(1, dtype=np.int64))
    head = int(low < t[0])
    tail = int(high > t[-1] or (len(t) == 1 and not head))
    if not head and not tail:
        return made
    end, pad = max(high, int(t[-1]) + 1), (head, tail)
    return replace(
        made,
        t=np.concatenate(([low] * head, t, [end] * tail)).astype(np.int64),
        E=np.pad(made.E, pad, mode="edge"),
        C=np.pad(made.C, pad, mode="edge"),
        ok=np.pad(made.ok, pad),
        hi=np.pad(made.hi, pad),
        flags=np.pad(made.flags, pad),
        gap=np.pad(made.gap, pad),
    )


def _mark_around(made: Cumulative, at: Ints, bits: Ints) -> None:
    """Put flags on the segment that holds each instant, on both where it is a breakpoint."""
    right = np.searchsorted(made.t, at, side="right") - 1
    _mark(made, right, bits)
    _mark(made, np.searchsorted(made.t, at, side="left") - 1, bits)


def _mark_ending(made: Cumulative, at: Ints, bits: Ints) -> None:
    """Put flags on the segment ``(a, b]`` that holds each instant."""
    _mark(made, np.searchsorted(made.t, at, side="left") - 1, bits)


def _mark(made: Cumulative, segments: Ints, bits: Ints) -> None:
    inside = (segments >= 0) & (segments < len(made.flags))
    np.bitwise_or.at(made.flags, segments[inside], bits[inside])
