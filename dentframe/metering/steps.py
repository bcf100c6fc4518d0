"""A column that bears a register's name and is none: differenced by hand, or feeding back. Pure.

Glitches of a register: short runs of readings that their neighbours expose. Pure.

A step between two readings is plausible when the register could have made it. At an
implausible step the shortest run of one to four readings goes, starting at the step or ending
just before it, whose removal makes its neighbours plausible. Of two runs of equal length the
one that starts at the step goes. A real reset stays down, so that no run can be dropped.

What each step of a register means: the rules for falls and jumps, in their order. Pure.

Glitches are gone before. Each rule claims its steps; the first that claims one judges it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from dentframe.errors import KindError
from dentframe.metering.series import Flag

if TYPE_CHECKING:
    from dentframe.metering.registers import Rules
    from dentframe.metering.series import Floats, Ints, Series


HOUR = 3_600_000_000
LONGEST = 4
_EPS = 8 * np.finfo(float).eps

Bools = npt.NDArray[np.bool_]


def caps(h: Floats, rules: Rules) -> Floats:
    """The greatest energy of each step [kWh]; infinite where `max_kw` is not known."""
    return np.full(len(h), np.inf) if rules.max_kw is None else rules.max_kw * h


def slack(r0: Floats, r1: Floats) -> Floats:
    """What decimal readings may be off as floats, so that a step at its cap stays within it."""
    return _EPS * (np.abs(r0) + np.abs(r1))


def has_swap(t0: Ints, t1: Ints, rules: Rules) -> Bools:
    """Whether a meter swap lies in each step ``(t0, t1]``."""
    found = np.zeros(len(t0), dtype=np.bool_)
    for when, _, _ in rules.swaps:
        found |= (t0 < when) & (when <= t1)
    return found


def plausible(t0: Ints, r0: Floats, t1: Ints, r1: Floats, rules: Rules) -> Bools:
    """Whether the register could have gone from each `r0` to its `r1`.

    Parameters
    ----------
    t0, t1 : ndarray of int64
        Instants of the two readings [us], shape (steps,).
    r0, r1 : ndarray of float
        Register values [kWh], shape (steps,).
    rules : Rules
        What is known about the register.
    """
    d = r1 - r0
    if rules.max_kw is None:
        good = d >= 0
    else:
        cap = caps((t1 - t0) / HOUR, rules) + slack(r0, r1)
        good = d <= cap
        good &= (-d <= cap) if rules.allow_export else (d >= 0)
        if rules.modulus is not None:
            good |= rolls_over(d, r0, r1, cap, rules.modulus)
    return good | has_swap(t0, t1, rules) if rules.swaps else good


def rolls_over(d: Floats, r0: Floats, r1: Floats, cap: Floats, modulus: float) -> Bools:
    """Whether a fall is the register starting again at its modulus."""
    after = (modulus - r0) + r1
    return (d < 0) & (after >= -slack(r0, r1)) & (after <= cap)


def keep(t: Ints, r: Floats, rules: Rules) -> Bools | None:
    """Which readings stay, shape (readings,); None where no step is implausible."""
    bad = np.flatnonzero(~plausible(t[:-1], r[:-1], t[1:], r[1:], rules))
    if len(bad) == 0:
        return None
    return _Chain(t, r, rules).drop(bad.tolist())


class _Chain:
    """The remaining readings as a chain from which runs are taken out."""

    def __init__(self, t: Ints, r: Floats, rules: Rules) -> None:
        self.t, self.r, self.rules, n = t, r, rules, len(t)
        self.after = [*range(1, n), -1]
        self.before = list(range(-1, n - 1))
        self.alive = np.ones(n, dtype=np.bool_)

    def drop(self, bad: list[int]) -> Bools:
        # A dropped run leaves a plausible step behind, so only the first steps can be bad.
        for i in bad:
            if self.alive[i] and self.after[i] == i + 1:
                self._drop_at(i)
        return self.alive

    def _drop_at(self, i: int) -> None:
        pairs = self._neighbours(i)
        if not pairs:
            return
        a, b = np.array(pairs).T
        good = plausible(self.t[a], self.r[a], self.t[b], self.r[b], self.rules)
        if good.any():
            self._join(*pairs[int(np.argmax(good))])

    def _neighbours(self, i: int) -> list[tuple[int, int]]:
        """Pairs that may become neighbours: shortest run first, the run at the step first."""
        ahead = self._walk(self.after, i + 1)
        behind = self._walk(self.before, i)
        pairs = zip_longest([(i, b) for b in ahead], [(a, i + 1) for a in behind])
        return [pair for both in pairs for pair in both if pair is not None]

    @staticmethod
    def _walk(links: list[int], at: int) -> list[int]:
        found: list[int] = []
        while len(found) < LONGEST and (at := links[at]) >= 0:
            found.append(at)
        return found

    def _join(self, a: int, b: int) -> None:
        self.alive[a + 1 : b] = False
        self.after[a], self.before[b] = b, a


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


JITTER = 0.01
"""A register that idles within this share of its value flickers in its last digit."""
FEWEST_FALLS = 8
"""Fewer falls are resets and glitches that the rules judge; more are another quantity."""


def refuse_differences(series: Series, rules: Rules) -> None:
    """A frame differenced by hand still carries the register's name."""
    d = np.diff(series.values)
    falls = np.flatnonzero(d < 0)
    if rules.allow_export or len(falls) < FEWEST_FALLS:
        return
    t, r = series.t, series.values
    explained = plausible(t[falls], r[falls], t[falls + 1], r[falls + 1], rules)
    left, moving = int((~explained).sum()), int((d != 0).sum())
    if left < FEWEST_FALLS or 5 * left <= moving or np.ptp(r) < JITTER * np.abs(r).max():
        return
    raise KindError(
        f"Cannot take {series.topic}/Elm/{series.element} of {series.name} for a register: "
        f"{left} of its {moving} non-zero steps fall. Either it was differenced by hand (then it "
        "is no register any more: use the readings as they came, or sum it yourself), or the "
        f'element feeds energy back: declare RegisterRules(allow_export={{"{series.name}": True}}, '
        f'max_kw={{"{series.name}": ...}}).'
    )
