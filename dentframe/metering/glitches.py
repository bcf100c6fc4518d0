"""Glitches of a register: short runs of readings that their neighbours expose. Pure.

A step between two readings is plausible when the register could have made it. At an
implausible step the shortest run of one to four readings goes, starting at the step or ending
just before it, whose removal makes its neighbours plausible. Of two runs of equal length the
one that starts at the step goes. A real reset stays down, so that no run can be dropped.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from dentframe.metering.series import Floats, Ints
    from dentframe.registers import Rules

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
