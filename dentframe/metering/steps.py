"""The module decides what each step between two readings of a register means.

Glitches go first: a step is plausible when the register could have made it, and at an implausible
step the shortest run of one to four readings goes, starting at the step or ending just before it,
whose removal makes its neighbours plausible. Of two runs of equal length the one that starts at
the step goes. A real reset stays down, so that no run can be dropped. Then rules 1 to 7 judge the
steps that remain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dentframe.metering.series import Flag

if TYPE_CHECKING:
    from dentframe.metering.cumulative import Cumulative
    from dentframe.metering.registers import Rules
    from dentframe.metering.series import Floats, Ints, Series


HOUR = 3_600_000_000
LONGEST = 4
"""The most readings that a glitch has."""
MOST_JUMPS, LEAST_LEFT = 4, 3
"""How many steps may stand out, and how many others it takes to say so."""
JUMP = 10.0
IDLE_KW, IDLE_KW_OF_LONG, LONG = 50.0, 5.0, 6 * HOUR
"""Below ten times this power no step stands out; a long step averages, so its bound is lower."""
_EPS = 8 * np.finfo(float).eps

Bools = npt.NDArray[np.bool_]
Swap = tuple[int, float, float]
"""An exchange of the meter: when [us], the closing and the opening reading [kWh]."""


def slack(r0: Any, r1: Any) -> Any:
    """What decimal readings may be off as floats, so that a step at its cap stays within it."""
    return _EPS * (abs(r0) + abs(r1))


def _limits(t0: Ints, r0: Floats, t1: Ints, r1: Floats, rules: Rules) -> Floats:
    """The greatest energy of each step [kWh]; infinite where `max_kw` is not known."""
    if rules.max_kw is None:
        return np.full(len(t0), np.inf)
    limits: Floats = rules.max_kw * ((t1 - t0) / HOUR) + slack(r0, r1)
    return limits


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
    good: Bools
    if rules.max_kw is None:
        good = d >= 0
    else:
        limit = _limits(t0, r0, t1, r1, rules)
        good = (d <= limit) & (d >= (-limit if rules.allow_export else 0.0))
        if rules.modulus is not None:
            good |= _rolls_over(d, r0, r1, limit, rules.modulus)
    for i, swaps in exchanges(t0, t1, rules).items():
        good[i] = not judge_exchange((t0[i], r0[i]), (t1[i], r1[i]), swaps, rules)[1]
    return good


def _rolls_over(d: Any, r0: Any, r1: Any, limit: Any, modulus: float) -> Any:
    """Whether a fall is the register starting again at its modulus."""
    after = (modulus - r0) + r1
    return (d < 0) & (after >= -slack(r0, r1)) & (after <= limit)


def exchanges(t0: Ints, t1: Ints, rules: Rules) -> dict[int, tuple[Swap, ...]]:
    """The steps ``(t0, t1]`` that hold exchanges of the rules, and those exchanges."""
    if not rules.swaps:
        return {}
    when = np.array([at for at, _, _ in rules.swaps], dtype=np.int64)
    first, last = np.searchsorted(when, t0, side="right"), np.searchsorted(when, t1, side="right")
    return {i: rules.swaps[first[i] : last[i]] for i in np.flatnonzero(last > first).tolist()}


def judge_exchange(
    x: tuple[int, float], y: tuple[int, float], swaps: Sequence[Swap], rules: Rules
) -> tuple[float, int]:
    """What passed in a step that holds exchanges [kWh], and the flag of what refutes it, else 0.

    Each meter's own piece is judged, and their sum: a closing reading below the reading before
    it is a mistake in the record, whatever the sum. A declared exporter's pieces may fall.
    """
    begins = np.array([x[1], *(opening for _, _, opening in swaps)])
    ends = np.array([*(closing for _, closing, _ in swaps), y[1]])
    may_be_off = slack(begins, ends)
    pieces = np.append(ends - begins, (ends - begins).sum())
    limit = np.append(may_be_off, may_be_off.sum())
    cap = np.inf if rules.max_kw is None else rules.max_kw * (y[0] - x[0]) / HOUR
    least = -cap if rules.allow_export else 0.0
    d = float(pieces[-1])
    if (pieces < least - limit).any():
        return d, Flag.UNEXPLAINED_DECREASE
    if (pieces > cap + limit).any():
        return d, Flag.UNEXPLAINED_JUMP
    return (d if rules.allow_export else max(d, 0.0)), 0


def keep(t: Ints, r: Floats, rules: Rules) -> Bools | None:
    """Which readings stay when glitches are dropped; None where no step is implausible."""
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
        # No run goes across an exchange, unless it is that of the step at hand.
        at_hand = self._exchanges(np.array([i]), np.array([i + 1])).get(0)
        across = self._exchanges(a, b)
        good &= np.array([across.get(k) == at_hand for k in range(len(pairs))])
        if good.any():
            self._join(*pairs[int(np.argmax(good))])

    def _exchanges(self, a: Ints, b: Ints) -> dict[int, tuple[Swap, ...]]:
        return exchanges(self.t[a], self.t[b], self.rules)

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


@dataclass
class Steps:
    """The steps between consecutive readings, judged; every array has shape (steps,).

    Attributes
    ----------
    d : ndarray of float
        Accepted energy [kWh]; 0 where the step is withheld.
    hi : ndarray of float
        The greatest energy the step may have had [kWh], the least is `d`; of a withheld step
        what its readings claim.
    ok : ndarray of bool
        Where energy is accepted, so that the step's time is covered.
    odd : ndarray of bool
        Where `d` is not simply the difference of the two readings.
    flags : ndarray of int64
        What the rules found.
    """

    d: Floats
    hi: Floats
    ok: Bools
    odd: Bools
    flags: Ints

    def accept(self, i: int, d: float, flag: int, hi: float | None = None) -> None:
        """Take an energy as what passed in a step; `hi` is the most that it can have been."""
        self._own_bounds()
        self.odd[i] = self.odd[i] or d != self.d[i]
        self.d[i], self.hi[i] = d, d if hi is None else hi
        self.flags[i] |= flag

    def withhold(self, i: int, flag: int) -> None:
        """Make a step missing."""
        self._own_bounds()
        self.ok[i], self.odd[i], self.d[i] = False, True, 0.0
        self.flags[i] |= flag

    def _own_bounds(self) -> None:
        """Most registers have no step to judge, and need no second array."""
        if self.hi is self.d:
            self.hi = self.d.copy()


def judge(t: Ints, r: Floats, rules: Rules, means: Cumulative | None = None) -> Steps:
    """Judge every step of a register without glitches.

    Parameters
    ----------
    t : ndarray of int64
        Instants [us UTC], rising, shape (readings,).
    r : ndarray of float
        Register values [kWh], shape (readings,).
    rules : Rules
        What is known about the register.
    means : Cumulative, optional
        The element's interval means: a step with which they agree is use.
    """
    d = np.diff(r)
    n = len(d)
    x = Steps(d, d, np.ones(n, np.bool_), np.zeros(n, np.bool_), np.zeros(n, np.int64))
    limit = None if rules.max_kw is None else _limits(t[:-1], r[:-1], t[1:], r[1:], rules)
    held = exchanges(t[:-1], t[1:], rules)
    odd = d < 0 if limit is None else (d < 0) | (d > limit)
    for i in {*np.flatnonzero(odd).tolist(), *held}:
        if i in held:
            told = judge_exchange((t[i], r[i]), (t[i + 1], r[i + 1]), held[i], rules)
            _judge_exchange(x, i, told)
        elif d[i] < 0:
            _judge_fall(x, i, r[i], r[i + 1], rules, np.inf if limit is None else limit[i])
        else:
            x.withhold(i, Flag.UNEXPLAINED_JUMP)
    for i in _that_stand_out(t, r, x) if limit is None else ():
        if not _agrees(means, t[i], t[i + 1], x.d[i]):
            x.withhold(i, Flag.UNEXPLAINED_JUMP)
    return x


def _judge_exchange(x: Steps, i: int, told: tuple[float, int]) -> None:
    """Rule 1: the old meter's rest and the new meter's start."""
    d, refuted = told
    x.accept(i, d, Flag.METER_SWAP | (Flag.EXPORT if d < 0 and not refuted else 0))
    x.odd[i] = True
    if refuted:
        x.withhold(i, refuted)


def _judge_fall(x: Steps, i: int, r0: float, r1: float, rules: Rules, limit: float) -> None:
    """Rules 2 to 6: export, rollover, reset, else missing."""
    d, small = x.d[i], 0 <= r1 <= limit
    if rules.max_kw is None:
        x.withhold(i, Flag.DECREASE_UNCLASSIFIED)
    elif rules.allow_export and -d <= limit:
        unsure = Flag.AMBIGUOUS_FALL if small else 0
        x.accept(i, d, Flag.EXPORT | unsure, hi=r1 if small else d)
    elif rules.modulus is not None and _rolls_over(d, r0, r1, limit, rules.modulus):
        x.accept(i, max(rules.modulus - r0 + r1, 0.0), Flag.ROLLOVER)
    elif small:
        x.accept(i, r1, Flag.RESET, hi=max(limit - slack(r0, r1), r1))
    else:
        x.withhold(i, Flag.UNEXPLAINED_DECREASE)


def _that_stand_out(t: Ints, r: Floats, x: Steps) -> list[int]:
    """Rule 7: the one to four steps whose power is far above that of all others."""
    spacing = np.diff(t)
    if len(spacing) == 0 or x.d.max() <= JUMP * IDLE_KW_OF_LONG * int(spacing.min()) / HOUR:
        return []
    power = np.where(x.ok, x.d / (spacing / HOUR), -1.0)
    idle = np.where(spacing > LONG, IDLE_KW_OF_LONG, IDLE_KW)
    if not (power > JUMP * idle).any():
        return []
    top = np.argpartition(-power, MOST_JUMPS)[: MOST_JUMPS + 1] if len(power) > MOST_JUMPS else ...
    top = np.arange(len(power))[top]
    top = top[np.argsort(-power[top], kind="stable")]
    off = slack(r[top], r[top + 1]) / (spacing[top] / HOUR)
    for k in range(min(MOST_JUMPS, int(x.ok.sum()) - LEAST_LEFT), 0, -1):
        others = max(idle[top[k - 1]], power[top[k]] + off[k])
        if power[top[k - 1]] - off[k - 1] > JUMP * others:
            return [int(i) for i in top[:k]]
    return []


def _agrees(means: Cumulative | None, s: int, e: int, d: float) -> bool:
    """Whether interval means that cover a whole step tell its energy within a fifth."""
    if means is None:
        return False
    energy, covered = means.measure(np.array([s]), np.array([e]))
    return bool(covered[0] == e - s and 5 * abs(energy[0] - d) <= d * (1 + _EPS))


JITTER = 0.01
"""A register that idles within this share of its value flickers in its last digit."""
FEWEST_FALLS = 8
"""Fewer falls are resets and glitches that the rules judge; more are another quantity."""


def refusal(series: Series, rules: Rules) -> str:
    """Why a column that bears a register's name is none, and what to do; empty where it is one."""
    d = np.diff(series.values)
    falls = np.flatnonzero(d < 0)
    if rules.allow_export or len(falls) < FEWEST_FALLS:
        return ""
    t, r = series.t, series.values
    explained = plausible(t[falls], r[falls], t[falls + 1], r[falls + 1], rules)
    left, moving = int((~explained).sum()), int((d != 0).sum())
    if left < FEWEST_FALLS or 5 * left <= moving or np.ptp(r) < JITTER * np.abs(r).max():
        return ""
    return (
        f"Cannot take {series.topic}/Elm/{series.element} of {series.name} for a register: "
        f"{left} of its {moving} non-zero steps fall. Either it was differenced by hand (then it "
        "is no register any more: use the readings as they came, or sum it yourself), or the "
        f'element feeds energy back: declare RegisterRules(allow_export={{"{series.name}": True}}, '
        f'max_kw={{"{series.name}": ...}}).'
    )
