"""Readings become E(t) and C(t): from registers, and from interval means. Pure.

A register's glitches go first, then every remaining step is judged. Interval means are
right-labelled steps: a reading covers the time since the reading before it up to one and a
half windows (jitter), else one window only, and the rest is a gap.

E(t) and C(t): the one idea under all energy and coverage. Pure, vectorised.

A `Cumulative` holds one series (an element's register, or its interval means) as two
piecewise linear functions of time, on breakpoints ``t[0] < ... < t[n]``:

- ``E(t)``: accepted energy since ``t[0]`` [kWh], float64;
- ``C(t)``: covered time since ``t[0]`` [us], int64, so that full coverage is exactly 1.

Between two breakpoints lies a *segment*; it is covered (``ok``) or it is not, and carries
flags. For any periods ``[s, e)``, given as arrays of int64 microseconds UTC::

    c = accumulate.from_register(series, rules)     # or from_means(series, window, lag)
    c.energy(s, e)                              # E(e) - E(s), NaN where nothing is covered
    c.covered(s, e), c.coverage(s, e)           # covered us (exact), and its share 0..1
    c.bounds(s, e)                              # lo, hi of the covered part (NaN for means)
    c.flags_in(s, e), status(coverage, flags)   # bits (flags.names), and the status
    c.split(s, e)                               # imported, exported
    c.readings_in(s, e)                         # how many readings close an interval in (s, e]

Any partition adds up to the whole, because E and C are functions of the instant alone.
Block demand is energy over length where coverage is 1. E is a running sum: round to 9
decimals before comparing blocks for ties.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from dentframe.metering import steps
from dentframe.metering.registers import MINUTE, Rules
from dentframe.metering.series import ESTIMATES, NONE, Flag, Floats, Ints, Series
from dentframe.metering.steps import HOUR

if TYPE_CHECKING:
    from dentframe.metering.steps import Bools


STATUSES = ("recorded", "estimated", "partial", "missing")
"""From best to worst."""


@dataclass(frozen=True, eq=False)
class Cumulative:
    """One series as E(t) and C(t).

    Attributes
    ----------
    series : Series
        What it was made from: meter, element, topic, unit, raw readings.
    source : str
        ``"register"`` or ``"demand"``.
    t : ndarray of int64
        Breakpoints [us UTC], rising, shape (segments + 1,).
    E : ndarray of float
        Accepted energy up to each breakpoint [kWh], shape (segments + 1,).
    C : ndarray of int64
        Covered time up to each breakpoint [us], shape (segments + 1,).
    ok : ndarray of bool
        Which segments are covered, shape (segments,).
    hi : ndarray of float
        The greatest energy of each covered segment [kWh], the least is its increment of E; of a
        step that the rules withhold what its readings claim.
    flags : ndarray of int64
        Flag bits of each segment: of its step and of the readings at or inside it.
    gap : ndarray of bool
        Covered segments longer than `max_gap`: an edge inside one is an estimate.
    at, readings : ndarray
        Instants [us] and values of the readings in use, shape (readings,).
    max_gap : int
        The longest spacing inside which an interpolated edge counts as recorded [us].
    max_kw : float or None
        The greatest power by which a register was judged [kW].
    refusal : str
        Why the column is not taken for a register, and what to do; empty where it is.
    """

    series: Series
    source: str
    t: Ints
    E: Floats
    C: Ints
    ok: Bools
    hi: Floats
    flags: Ints
    gap: Bools
    at: Ints
    readings: Floats
    max_gap: int
    max_kw: float | None = None
    refusal: str = ""

    @property
    def meter(self) -> str | None:
        """The meter, None where nothing names it."""
        return self.series.meter

    @property
    def element(self) -> str:
        """The element's letter."""
        return self.series.element

    @property
    def topic(self) -> str:
        """The topic it was made from."""
        return self.series.topic

    @property
    def name(self) -> str:
        """How the element is addressed: ``"P482311252_A"``, or ``"A"`` without a meter."""
        return self.element if self.meter is None else f"{self.meter}_{self.element}"

    @property
    def inc(self) -> Floats:
        """Energy of each segment [kWh], shape (segments,)."""
        return np.diff(self.E)

    def where(self, x: Ints) -> Ints:
        """The last breakpoint at or before each instant; -1 before the first."""
        return np.searchsorted(self.t, x, side="right") - 1

    def energy_at(self, x: Ints) -> Floats:
        """E(x) [kWh]: flat before the first and after the last breakpoint."""
        return self._energy_at(*self._place(x))

    def covered_at(self, x: Ints) -> Ints:
        """C(x) [us]."""
        return self._covered_at(*self._place(x))

    def _place(self, x: Ints) -> tuple[Ints, Ints]:
        """The segment's start and the time into it, both within the breakpoints."""
        if len(self.t) == 0:
            return np.zeros(len(x), dtype=np.int64), np.zeros(len(x), dtype=np.int64)
        x = np.clip(x, self.t[0], self.t[-1])
        i = self.where(x)
        return i, x - self.t[i]

    def _energy_at(self, i: Ints, into: Ints) -> Floats:
        if len(self.t) == 0:
            return np.zeros(len(i))
        after = np.minimum(i + 1, len(self.t) - 1)
        length = np.maximum(self.t[after] - self.t[i], 1)
        return _along(self.E, i, after, into / length)

    def _covered_at(self, i: Ints, into: Ints) -> Ints:
        if len(self.t) == 0:
            return np.zeros(len(i), dtype=np.int64)
        inside = np.minimum(i, len(self.ok) - 1)
        return self.C[i] + np.where(self.ok[inside] if len(self.ok) else False, into, 0)

    def covered(self, s: Ints, e: Ints) -> Ints:
        """Covered time of each period ``[s, e)`` [us], exact."""
        return self.covered_at(e) - self.covered_at(s)

    def coverage(self, s: Ints, e: Ints) -> Floats:
        """Covered share of each period, 0 to 1; 1 is exactly 1."""
        return share(self.covered(s, e), e - s)

    def energy(self, s: Ints, e: Ints) -> Floats:
        """Energy of each period ``[s, e)`` [kWh]; NaN where nothing of it is covered."""
        return self.measure(s, e)[0]

    def measure(self, s: Ints, e: Ints) -> tuple[Floats, Ints]:
        """Energy [kWh] and covered time [us] of each period, at the cost of one look-up."""
        a, b = self._place(s), self._place(e)
        covered = self._covered_at(*b) - self._covered_at(*a)
        energy = self._energy_at(*b) - self._energy_at(*a)
        return np.where(covered > 0, energy, np.nan), covered

    def segments(self, s: Ints, e: Ints) -> tuple[Ints, Ints]:
        """The half-open range of segments that overlap each period."""
        n = len(self.ok)
        first = np.clip(self.where(s), 0, n)
        last = np.clip(np.searchsorted(self.t, e, side="left"), 0, n)
        return first, np.maximum(last, first)

    def edge_inside(self, x: Ints) -> tuple[Bools, Bools]:
        """Whether each instant lies strictly inside a covered segment, and inside a gap."""
        n = len(self.ok)
        if n == 0:
            return np.zeros(len(x), dtype=np.bool_), np.zeros(len(x), dtype=np.bool_)
        at = self.where(x)
        i = np.clip(at, 0, n - 1)
        inside = (at >= 0) & (at < n) & (self.t[i] != x) & self.ok[i]
        return inside, inside & self.gap[i]

    def flags_in(self, s: Ints, e: Ints) -> Ints:
        """The flag bits that bear on each period, those of its edges included."""
        found = self.edge_flags(s) | self.edge_flags(e)
        at = np.flatnonzero(self.flags)
        if len(at) == 0:
            return found
        bits = self.flags[at]
        first, last = (np.searchsorted(at, x) for x in self.segments(s, e))
        present = int(np.bitwise_or.reduce(bits))
        for flag in (1 << k for k in range(present.bit_length()) if present >> k & 1):
            count = np.concatenate(([0], np.cumsum((bits & flag) != 0)))
            found[count[last] > count[first]] |= flag
        return found

    def edge_flags(self, x: Ints) -> Ints:
        """``edge_interpolated`` or ``edge_in_gap`` of each edge; 0 on a breakpoint."""
        inside, gap = self.edge_inside(x)
        bits = np.where(gap, int(Flag.EDGE_IN_GAP), int(Flag.EDGE_INTERPOLATED))
        return np.where(inside, bits, 0).astype(np.int64)

    def bounds(self, s: Ints, e: Ints) -> tuple[Floats, Floats]:
        """The least and the greatest energy of each period's covered part [kWh].

        A segment that an edge cuts may have had all of its energy on either side. An
        exporting increment is taken as one-way, as `split` takes it. NaN for means.
        """
        energy, covered = self.measure(s, e)
        if self.source != "register" or len(self.ok) == 0:
            return np.full(len(s), np.nan), np.full(len(s), np.nan)
        lo, hi = self._whole(s, e)
        for edge in self._cut_segments(s, e):
            has = edge >= 0
            inc = np.where(has, self.inc[edge], 0.0)
            lo = lo + np.minimum(inc, 0.0)
            hi = hi + np.maximum(np.where(has, self.hi[edge], 0.0), 0.0)
        lo, hi = np.minimum(lo, energy), np.maximum(hi, energy)
        return np.where(covered > 0, lo, np.nan), np.where(covered > 0, hi, np.nan)

    def _whole(self, s: Ints, e: Ints) -> tuple[Floats, Floats]:
        """Bounds of the segments that lie wholly inside each period."""
        a = np.searchsorted(self.t, s, side="left")
        b = np.searchsorted(self.t, e, side="right") - 1
        a, b = np.minimum(a, len(self.ok)), np.maximum(b, 0)
        b = np.maximum(a, b)
        lo = self.E[b] - self.E[a]
        beyond = self.hi - self.inc
        beyond[self.flags & (Flag.RESET | Flag.AMBIGUOUS_FALL) == 0] = 0.0
        more = np.concatenate(([0.0], np.cumsum(beyond)))
        return lo, lo + (more[b] - more[a])

    def _cut_segments(self, s: Ints, e: Ints) -> tuple[Ints, Ints]:
        """The covered segment that each edge cuts, -1 for none; a shared one counts once."""
        found = []
        for x in (s, e):
            inside, _ = self.edge_inside(x)
            found.append(np.where(inside, self.where(x), -1))
        left, right = found
        return left, np.where(left == right, -1, right)

    def split(self, s: Ints, e: Ints) -> tuple[Floats, Floats]:
        """Imported and exported energy of each period [kWh], by the sign of each increment."""
        energy, inc = self.energy(s, e), self.inc
        if not (inc < 0).any():
            return energy, np.where(np.isnan(energy), np.nan, 0.0)
        falls = np.concatenate(([0.0], np.cumsum(np.maximum(-inc, 0.0))))
        exported = self._along(falls, e) - self._along(falls, s)
        return energy + exported, np.where(np.isnan(energy), np.nan, exported)

    def _along(self, total: Floats, x: Ints) -> Floats:
        i, into = self._place(x)
        after = np.minimum(i + 1, len(self.t) - 1)
        length = np.maximum(self.t[after] - self.t[i], 1)
        return _along(total, i, after, into / length)

    def readings_in(self, s: Ints, e: Ints) -> Ints:
        """How many readings in use close an interval in ``(s, e]``."""
        return np.searchsorted(self.at, e, side="right") - np.searchsorted(self.at, s, side="right")


def _along(total: Floats, i: Ints, after: Ints, part: Floats) -> Floats:
    """A running total between two breakpoints."""
    between: Floats = total[i] + (total[after] - total[i]) * part
    return between


def share(part: Ints, whole: Ints) -> Floats:
    """A share of time as float, 0 where there is no time."""
    return np.where(whole > 0, part / np.maximum(whole, 1), 0.0)


def status(coverage: Floats, flags: Ints) -> npt.NDArray[np.int64]:
    """The status of each figure as a position in `STATUSES`, the worst part first."""
    estimated = (flags & int(ESTIMATES)) != 0
    worst = np.where(estimated, 1, 0)
    worst = np.where(coverage < 1, 2, worst)
    return np.where(coverage <= 0, 3, worst).astype(np.int64)


def first_covered(c: Cumulative) -> int:
    """The first instant that readings tell about [us]: an interval mean begins before its label."""
    first = int(c.at[0])
    if c.source == "register":
        return first
    return int(c.t[int(np.searchsorted(c.t, first)) - 1])


def from_register(series: Series, rules: Rules, means: Cumulative | None = None) -> Cumulative:
    """E(t) and C(t) of a register.

    Parameters
    ----------
    series : Series
        The readings of the register, the whole column as it was read.
    rules : Rules
        What is known about it.
    means : Cumulative, optional
        The element's interval means, which may confirm a step that stands out.

    Returns
    -------
    Cumulative
        Breakpoints are the readings in use, and the outermost rows where those are blank.
    """
    t, r, dropped = series.t, series.values, NONE
    stay = steps.keep(t, r, rules)
    if stay is not None:
        t, r, dropped = t[stay], r[stay], t[~stay]
    made = _from_steps(series, t, r, steps.judge(t, r, rules, means), rules)
    if len(dropped) or len(series.mark_t):
        made = _widen(made, series.mark_t)
        _mark_around(made, dropped, np.full(len(dropped), int(Flag.GLITCH)))
        _mark_around(made, series.mark_t, series.marks)
    return made


def refused(series: Series, rules: Rules, why: str) -> Cumulative:
    """A column that is no register: all of its time is missing, and flagged."""
    n = max(len(series.t) - 1, 0)
    flag = Flag.DECREASE_UNCLASSIFIED if rules.max_kw is None else Flag.UNEXPLAINED_DECREASE
    judged = steps.Steps(
        d=np.zeros(n),
        hi=np.zeros(n),
        ok=np.zeros(n, dtype=np.bool_),
        odd=np.ones(n, dtype=np.bool_),
        flags=np.full(n, int(flag)),
    )
    made = _from_steps(series, series.t, series.values, judged, rules)
    return replace(_widen(made, series.mark_t), refusal=why)


def jumps(c: Cumulative) -> list[tuple[int, int, float]]:
    """The steps of a register that are withheld as no use: start, end [us], and claimed kWh."""
    found = [i for i in np.flatnonzero(~c.ok).tolist() if c.flags[i] & Flag.UNEXPLAINED_JUMP]
    return [(int(c.t[i]), int(c.t[i + 1]), float(c.hi[i])) for i in found]


def _from_steps(
    series: Series, t: Ints, r: Floats, judged: steps.Steps, rules: Rules
) -> Cumulative:
    spacing = np.diff(t)
    gap, covered = spacing > rules.max_gap, bool(judged.ok.all())
    if gap.any():
        gap &= judged.ok
        judged.flags[gap] |= Flag.GAP_BRIDGED
    return Cumulative(
        series=series,
        source="register",
        t=t,
        E=_anchored(r, judged),
        C=t - t[:1] if covered else _running(np.where(judged.ok, spacing, 0)),
        ok=judged.ok,
        hi=judged.hi,
        flags=judged.flags,
        gap=gap,
        at=t,
        readings=r,
        max_gap=rules.max_gap,
        max_kw=rules.max_kw,
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
    late = np.flatnonzero(starts[1:] > t[:-1]) + 1
    inc = kw * (length / HOUR)
    # Before each late interval lies a gap: a segment of its own, uncovered.
    ends, inc = np.insert(t, late, starts[late]), np.insert(inc, late, 0.0)
    n = len(ends)
    ok = np.ones(n, dtype=np.bool_)
    ok[late + np.arange(len(late))] = False
    edges = np.concatenate((starts[:1], ends))
    time = np.diff(edges)
    time[~ok] = 0
    return Cumulative(
        series=series,
        source="demand",
        t=edges,
        E=np.concatenate((np.zeros(1), np.cumsum(inc)))[: len(edges)],
        C=_running(time),
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
