"""What each step of a register means: the rules for falls and jumps, in their order. Pure.

Glitches are gone before. Each rule claims its steps; the first that claims one judges it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dentframe.metering.flags import Flag
from dentframe.metering.glitches import HOUR, Bools, caps, has_swap, rolls_over, slack

if TYPE_CHECKING:
    from dentframe.metering.series import Floats, Ints
    from dentframe.registers import Rules

JUMP = 10.0
OTHERS = 3


@dataclass(frozen=True)
class Steps:
    """The steps between consecutive readings, judged; every array has shape (steps,).

    Attributes
    ----------
    d : ndarray of float
        Accepted energy [kWh]; 0 where the step is missing.
    odd : ndarray of bool
        Where `d` is not simply the difference of the two readings.
    ok : ndarray of bool
        Where energy is accepted, so that the step's time is covered.
    hi : ndarray of float
        The greatest energy the step may have had [kWh]; the least is `d`.
    flags : ndarray of int64
        What the rules found.
    """

    d: Floats
    odd: Bools
    ok: Bools
    hi: Floats
    flags: Ints


@dataclass
class _Draft:
    t: Ints
    r: Floats
    d: Floats
    cap: Floats
    slack: Floats
    hi: Floats
    odd: Bools
    ok: Bools
    flags: Ints
    rules: Rules

    def mark(self, where: Bools, flag: Flag) -> None:
        self.flags[where] |= flag

    def reject(self, where: Bools, flag: Flag) -> None:
        if not where.any():
            return
        self.ok[where], self.d[where], self.hi[where] = False, 0.0, 0.0
        self.odd[where] = True
        self.mark(where, flag)


def judge(t: Ints, r: Floats, rules: Rules) -> Steps:
    """Judge every step of a register without glitches.

    Parameters
    ----------
    t : ndarray of int64
        Instants [us UTC], rising, shape (readings,).
    r : ndarray of float
        Register values [kWh], shape (readings,).
    rules : Rules
        What is known about the register.
    """
    draft = _draft(t, r, rules)
    swapped = _swaps(draft)
    if rules.max_kw is None:
        _unknown_cap(draft, swapped)
    else:
        _known_cap(draft, swapped)
    return Steps(draft.d, draft.odd, draft.ok, draft.hi, draft.flags)


def _draft(t: Ints, r: Floats, rules: Rules) -> _Draft:
    d, n = np.diff(r), max(len(r) - 1, 0)
    return _Draft(
        t=t,
        r=r,
        d=d,
        cap=caps(np.diff(t) / HOUR, rules),
        slack=slack(r[:-1], r[1:]),
        hi=d.copy(),
        odd=np.zeros(n, dtype=np.bool_),
        ok=np.ones(n, dtype=np.bool_),
        flags=np.zeros(n, dtype=np.int64),
        rules=rules,
    )


def _swaps(x: _Draft) -> Bools:
    """Rule 1: the old meter's rest and the new meter's start."""
    swapped = has_swap(x.t[:-1], x.t[1:], x.rules)
    for i in np.flatnonzero(swapped):
        d, last = 0.0, x.r[i]
        for when, closing, opening in x.rules.swaps:
            if x.t[i] < when <= x.t[i + 1]:
                d, last = d + (closing - last), opening
        x.d[i] = x.hi[i] = d + (x.r[i + 1] - last)
    x.odd |= swapped
    x.mark(swapped, Flag.METER_SWAP)
    return swapped


def _known_cap(x: _Draft, swapped: Bools) -> None:
    """Rules 2 to 5, with a greatest power."""
    fall, limit = x.d < 0, x.cap + x.slack
    jump = x.d > limit
    left = fall & ~swapped
    if x.rules.allow_export:
        left &= ~_exports(x, fall & (-x.d <= limit))
    if left.any():
        left &= ~_rollovers(x, left, limit)
        left &= ~_resets(x, left)
    below = swapped & (x.d < (-limit if x.rules.allow_export else -x.slack))
    x.reject(left | below, Flag.UNEXPLAINED_DECREASE)
    x.reject(jump, Flag.UNEXPLAINED_JUMP)


def _small(x: _Draft) -> Bools:
    after = x.r[1:]
    return (after >= 0) & (after <= x.cap + x.slack)


def _exports(x: _Draft, found: Bools) -> Bools:
    """Rule 2: a declared exporter; a small register may as well have been cleared."""
    x.mark(found, Flag.EXPORT)
    unsure = found & _small(x) & (x.flags & Flag.METER_SWAP == 0)
    x.mark(unsure, Flag.AMBIGUOUS_FALL)
    x.hi[unsure] = x.r[1:][unsure]
    return found


def _rollovers(x: _Draft, left: Bools, limit: Floats) -> Bools:
    """Rule 3: the register starts again at its modulus."""
    modulus = x.rules.modulus
    if modulus is None:
        return np.zeros_like(left)
    found = left & rolls_over(x.d, x.r[:-1], x.r[1:], limit, modulus)
    x.d[found] = x.hi[found] = np.maximum((modulus - x.r[:-1] + x.r[1:])[found], 0.0)
    x.odd |= found
    x.mark(found, Flag.ROLLOVER)
    return found


def _resets(x: _Draft, left: Bools) -> Bools:
    """Rule 4: cleared; what ran before the clear is unknown, up to the cap."""
    found = left & _small(x)
    x.d[found] = x.r[1:][found]
    x.hi[found] = np.maximum(x.cap, x.r[1:])[found]
    x.odd |= found
    x.mark(found, Flag.RESET)
    return found


def _unknown_cap(x: _Draft, swapped: Bools) -> None:
    """Rules 6 and 7, without a greatest power."""
    x.reject(swapped & (x.d < -x.slack), Flag.UNEXPLAINED_DECREASE)
    x.reject(~swapped & (x.d < 0), Flag.DECREASE_UNCLASSIFIED)
    x.reject(_jumps(x, swapped), Flag.UNEXPLAINED_JUMP)


def _jumps(x: _Draft, swapped: Bools) -> Bools:
    """A rise from exactly 0, or the last one, beyond ten times the greatest other."""
    found = np.zeros(len(x.d), dtype=np.bool_)
    rises = np.flatnonzero(x.d > 0)
    if len(rises) <= OTHERS:
        return found
    spacing = np.diff(x.t)[rises]
    power = x.d[rises] / spacing
    asked = (x.r[:-1][rises] == 0) & ~swapped[rises]
    asked[-1] = not swapped[rises[-1]]
    for i in np.flatnonzero(asked):
        others = max(power[:i].max(initial=0.0), power[i + 1 :].max(initial=0.0))
        found[rises[i]] = power[i] - x.slack[rises[i]] / spacing[i] > JUMP * others
    return found
