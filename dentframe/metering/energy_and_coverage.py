"""Readings become energy over time here: E(t) of a register or of interval means, and C(t).

A `Cumulative` holds one series as a piecewise linear function of time, on breakpoints
``t[0] < ... < t[n]``. Between two of them lies a *segment*. E(t) is the energy accepted so far
[kWh], C(t) the time covered so far [us]: an integer, so that full coverage is exactly 1. What is
special about a segment (not covered, flagged, of doubtful energy) stands in one short table, so
that a year of plain readings costs no arrays of its own.

The energy of a period is E(end) - E(start), so that the parts of any partition add up to the
whole. E is a running sum: round to 9 decimals before comparing blocks for ties.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dentframe.metering.register_rules import HOUR, MINUTE
from dentframe.metering.series import ESTIMATES, Bools, Flag, Floats, Ints, Series

if TYPE_CHECKING:
    from dentframe.metering.apply_corrections import Corrected


NAT, FOREVER = np.iinfo(np.int64).min, np.iinfo(np.int64).max
STATUSES = ("recorded", "estimated", "partial", "missing")
"""From best to worst."""
_DOUBTFUL = int(Flag.RESET | Flag.AMBIGUOUS_FALL)
_NO_SPECIAL = tuple(np.broadcast_to(np.array(x), 1) for x in (0, True, 0.0, 0))
"""Flags, ok, more and lost of a table without a segment: all such tables share them, read-only."""


@dataclass(frozen=True)
class Special:
    """The segments about which there is something to say; arrays of shape (special + 1,).

    The last item is no segment: it ends the table, so that every look-up finds a place.

    Attributes
    ----------
    at : ndarray of int64
        Their positions, rising.
    flags : ndarray of int64
        Their flag bits.
    ok : ndarray of bool
        Whether they are covered.
    more : ndarray of float
        By how much their greatest possible energy exceeds the accepted one [kWh]; of a step
        that is withheld, what its readings claim.
    lost : ndarray of int64
        The time before each that is not covered [us].
    """

    at: Ints
    flags: Ints
    ok: Bools
    more: Floats
    lost: Ints

    @classmethod
    def of(cls, t: Ints, *parts: tuple[Any, ...]) -> Special:
        """The table of the segments between breakpoints, from parts of (at, flags, ok, more).

        A segment may stand in several parts. What a part leaves out is covered, and has no more
        energy.
        """
        n = max(len(t) - 1, 0)
        used = [part for part in parts if len(part[0])]
        if not used:
            return cls(np.array([n]), *_NO_SPECIAL)
        at = np.concatenate([*(part[0] for part in used), [n]])
        flags, ok, more = np.zeros(len(at), np.int64), np.ones(len(at), np.bool_), np.zeros(len(at))
        begin = 0
        for where, *values in used:
            for column, value in zip((flags, ok, more), values, strict=False):
                column[begin : begin + len(where)] = value
            begin += len(where)
        order = np.argsort(at, kind="stable")
        low, high = np.searchsorted(at[order], (0, n))
        order = np.append(order[low:high], len(at) - 1)  # last its end, which is no segment
        at = at[order]
        first = np.flatnonzero(np.append(True, at[1:] != at[:-1]))
        flags = np.bitwise_or.reduceat(flags[order], first)
        # Most tables are of blanks alone, whose time is covered.
        ok = ok[first] if ok.all() else np.logical_and.reduceat(ok[order], first)
        more = np.add.reduceat(more[order], first) if more.any() else more[first]
        at = at[first]
        lost = np.zeros(len(at), np.int64)
        if not ok.all():
            gone = at[:-1][~ok[:-1]]
            lost[1:][~ok[:-1]] = t[gone + 1] - t[gone]
            lost = np.cumsum(lost)
        return cls(at, flags, ok, more, lost)


class Edges(NamedTuple):
    """Instants and what a series knows at each; arrays of shape (instants,).

    Attributes
    ----------
    segment : ndarray of int64
        The segment that begins at an instant or holds it: -1 before the first, n after the last.
    special_from, special_until : ndarray of int64
        How many special segments lie before the one that begins at it or holds it, and before the
        first breakpoint at or after it: between them are those of a period from or until it.
    energy : ndarray of float
        E(x) [kWh]: flat before the first and after the last breakpoint.
    covered : ndarray of int64
        C(x) [us].
    inside : ndarray of bool
        Whether it lies strictly inside a covered segment.
    flags : ndarray of int64
        ``edge_interpolated`` or ``edge_in_gap`` there, else 0.
    """

    segment: Ints
    special_from: Ints
    special_until: Ints
    energy: Floats
    covered: Ints
    inside: Bools
    flags: Ints


@dataclass(eq=False)
class Cumulative:
    """One series as E(t) and C(t).

    Attributes
    ----------
    series : Series
        What it was made from: topic, unit, raw readings.
    meter, element, name : str
        The series' own; the meter is None where nothing names it.
    source : str
        ``"register"`` or ``"demand"``.
    t : ndarray of int64
        Breakpoints [us UTC], rising, shape (segments + 1,).
    E : ndarray of float
        A running total of the accepted energy at each breakpoint [kWh]: of a register without
        a special step its readings as they came, shape (segments + 1,).
    special : Special
        The segments that are not plainly covered.
    at, readings : ndarray
        Instants [us] and values of the readings in use, shape (readings,).
    max_gap : int
        The longest spacing inside which an interpolated edge counts as recorded [us].
    max_kw : float or None
        The greatest power that the rules of a register state [kW].
    greatest_kw : float
        The mean power of no segment is above this [kW], in either direction.
    refusal : str
        Why the column is not taken for a register, and what to do; empty where it is.
    closings : mapping of int to float
        The last value of the old register at an exchange of the meter, by its instant [us]; the
        reading there is the first value of the new one.
    corrected : Corrected or None
        What it was made from, where corrections bear on it.
    """

    series: Series
    source: str
    t: Ints
    E: Floats
    special: Special
    at: Ints
    readings: Floats
    max_gap: int
    max_kw: float | None = None
    greatest_kw: float = np.inf
    refusal: str = ""
    closings: Mapping[int, float] = field(default_factory=dict)
    corrected: Corrected | None = None

    def __post_init__(self) -> None:
        self.meter, self.element = self.series.meter, self.series.element
        self.name = self.series.name

    @cached_property
    def inc(self) -> Floats:
        """Energy of each segment [kWh], shape (segments,)."""
        return np.diff(self.E)

    @cached_property
    def ok(self) -> Bools:
        """Which segments are covered, shape (segments,)."""
        return self._dense(True, self.special.ok)

    @cached_property
    def flags(self) -> Ints:
        """Flag bits of each segment: of its step and of the readings at or inside it."""
        return self._dense(0, self.special.flags)

    @cached_property
    def hi(self) -> Floats:
        """The greatest energy of each segment [kWh]; the least is its increment of E."""
        return np.asarray(self.inc + self._dense(0.0, self.special.more))

    def _dense(self, plain: Any, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        found = np.full(max(len(self.t) - 1, 0), plain, dtype=values.dtype)
        found[self.special.at[:-1]] = values[:-1]
        return found

    def edges(self, x: Ints) -> Edges:
        """What is known at each instant."""
        n, t, special = len(self.t) - 1, self.t, self.special
        none = np.zeros(len(x), dtype=np.int64)
        if n < 0:
            return Edges(none - 1, none, none, np.zeros(len(x)), none, none > 0, none)
        segment = np.searchsorted(t, x, side="right") - 1
        i = np.maximum(segment, 0)
        after = np.minimum(i + 1, n)
        begin = t[i]
        length = t[after] - begin
        into = np.minimum(np.maximum(x - begin, 0), length)
        energy = self.E[i]
        energy = energy + (self.E[after] - energy) * (into / np.maximum(length, 1))
        first, until, lost, counted = none, none, none > 0, into
        covered: Ints = begin - t[0]
        bits: Any = int(Flag.EDGE_INTERPOLATED)
        if len(special.at) > 1:
            first = np.searchsorted(special.at, i)
            is_special = special.at[first] == i
            until = first + (is_special & (into > 0))
            in_gap = is_special & ((special.flags[first] & int(Flag.GAP_BRIDGED)) != 0)
            bits = np.where(in_gap, int(Flag.EDGE_IN_GAP), bits)
            if special.lost[-1] > 0:
                lost = is_special & ~special.ok[first]
                counted = np.where(lost, 0, into)
                covered = covered - special.lost[first]
        covered = covered + counted
        inside = (counted > 0) & (counted < length)
        if self.corrected is not None:  # there is a breakpoint, and no meter showed it
            shown = (x <= t[0]) | (x >= t[-1]) | lost
            inside |= np.isin(x, self.corrected.calculated) & ~shown
        return Edges(segment, first, until, energy, covered, inside, inside * bits)

    def both_edges(self, s: Ints, e: Ints) -> tuple[Edges, Edges]:
        """What is known at the start and at the end of each period, looked up once where shared."""
        if len(s) < 2 or (s[1:] != e[:-1]).any():
            a, b = self.edges(s), self.edges(e)
        else:
            every = self.edges(np.append(s, e[-1:]))
            a, b = Edges._make(x[:-1] for x in every), Edges._make(x[1:] for x in every)
        if self.corrected is not None:  # where one cuts a gap, an end rests on what lies before it
            cut = b.inside & np.isin(e, self.corrected.calculated)
            b = b._replace(flags=np.where(cut, self.edges(e - 1).flags, b.flags))
        return a, b

    def at_readings(self, s: Ints, e: Ints) -> tuple[Ints, Ints]:
        """Periods whose edges move to the last reading before them, where one is near enough.

        An edge moves only where a reading at or after it is there: the end of one period and the
        start of the next one stay together.
        """
        if not len(self.at):
            return s, e
        k = np.searchsorted(self.at, (s, e), side="right") - 1
        last = self.at[np.maximum(k, 0)]
        both = np.stack((s, e))
        near = (k >= 0) & (both - last <= self.max_gap) & (both <= self.at[-1])
        begin, end = np.where(near, last, both)
        return begin, end

    def energy_at(self, x: Ints) -> Floats:
        """E(x) [kWh]: flat before the first and after the last breakpoint."""
        return self.edges(x).energy

    def measure(self, s: Ints, e: Ints) -> tuple[Floats, Ints]:
        """Energy [kWh], NaN where nothing is covered, and covered time [us] of each ``[s, e)``."""
        a, b = self.both_edges(s, e)
        covered = b.covered - a.covered
        return np.where(covered > 0, b.energy - a.energy, np.nan), covered

    def covered(self, s: Ints, e: Ints) -> Ints:
        """Covered time of each period ``[s, e)`` [us], exact."""
        return self.measure(s, e)[1]

    def coverage(self, s: Ints, e: Ints) -> Floats:
        """Covered share of each period, 0 to 1; 1 is exactly 1."""
        return share(self.covered(s, e), e - s)

    def energy(self, s: Ints, e: Ints) -> Floats:
        """Energy of each period ``[s, e)`` [kWh]; NaN where nothing of it is covered."""
        return self.measure(s, e)[0]

    def flags_in(self, s: Ints, e: Ints, *, of_edges: bool = True) -> Ints:
        """The flag bits that bear on each period, those of its edges included if need be."""
        a, b = self.both_edges(s, e)
        found = self.flags_between(a, b)
        return found | a.flags | b.flags if of_edges else found

    def flags_between(self, a: Edges, b: Edges) -> Ints:
        """The flag bits of the segments that overlap each period between two edges."""
        if len(self.special.at) == 1:
            return np.zeros(len(a.segment), dtype=np.int64)
        pairs = np.stack((a.special_from, b.special_until), axis=1).ravel()
        found = np.bitwise_or.reduceat(self.special.flags, pairs)[::2]
        return np.where(b.special_until > a.special_from, found, 0)

    def bounds(self, s: Ints, e: Ints) -> tuple[Floats, Floats]:
        """The least and the greatest energy of each period's covered part [kWh].

        A segment that an edge cuts may have had all of its energy on either side. An
        exporting increment is taken as one-way, as `split` takes it. NaN for means.
        """
        if self.source != "register" or len(self.t) < 2:
            return np.full(len(s), np.nan), np.full(len(s), np.nan)
        # The segments that lie wholly inside each period, then those that its edges cut.
        c, used_later, used_earlier, less, over = self._steps
        n = len(c.t) - 1
        a = np.minimum(np.searchsorted(c.t, s, side="left"), n)
        b = np.maximum(a, np.searchsorted(c.t, e, side="right") - 1)
        special = c.special
        beyond = np.where(special.flags & _DOUBTFUL, special.more, 0.0)
        more = np.concatenate(([0.0], np.cumsum(beyond)))
        p, q = np.searchsorted(special.at, (a, b))
        lo = c.E[b] - c.E[a] - (less[b] - less[a])
        hi = c.E[b] - c.E[a] + (more[q] - more[p]) + (over[b] - over[a])
        left, right = c.edges(s), c.edges(e)
        energy, covered = self.energy_at(e) - self.energy_at(s), right.covered > left.covered
        both = left.inside & right.inside & (left.segment == right.segment)
        of_start = left, left.inside, used_later, np.searchsorted(self.t, s, side="right") - 1
        of_end = right, right.inside & ~both, used_earlier, np.searchsorted(self.t, e) - 1
        for edge, cuts_one, greatest, part in (of_start, of_end):
            i = np.where(cuts_one, edge.segment, 0)
            k = np.searchsorted(special.at, i)
            inc = c.E[i + 1] - c.E[i]
            lo = lo + np.where(cuts_one, np.minimum(inc, 0.0), 0.0)
            most = inc + np.where(special.at[k] == i, special.more[k], 0.0)
            most = most if greatest is None else greatest[np.where(cuts_one, part, 0)]
            hi = hi + np.where(cuts_one, np.maximum(most, 0.0), 0.0)
        lo, hi = np.minimum(lo, energy), np.maximum(hi, energy)
        return np.where(covered, lo, np.nan), np.where(covered, hi, np.nan)

    @cached_property
    def _steps(self) -> tuple[Cumulative, Floats | None, Floats | None, Floats, Floats]:
        """The series from reading to reading, where corrections cut its steps between them.

        With it for each part of a step the greatest energy that the step has if all of it was
        used in that part or later, and in that part or earlier; None where nothing is cut. Last, by
        how much less and more than its energy each step of a gap may have, because it is cut.
        """
        if self.corrected is None or len(self.corrected.calculated) == 0:
            none = np.zeros(len(self.t))
            return self, None, None, none, none
        agreed = (self.flags & int(Flag.AGREED)) != 0
        inner = np.isin(self.t[1:-1], self.corrected.calculated) & ~(agreed[1:] | agreed[:-1])
        kept = np.flatnonzero(np.r_[True, ~inner, True])
        first, parts, t, E = kept[:-1], np.diff(kept), self.t[kept], self.E[kept]
        rate = np.repeat(np.diff(t), parts) / np.diff(self.t)
        whole, inc = self.hi * rate, np.diff(E)
        gap = (parts > 1) & ((self.flags[first] & int(Flag.GAP_BRIDGED)) != 0)
        less = np.where(gap, inc - np.minimum.reduceat(self.inc * rate, first), 0.0)
        over = np.where(gap, np.maximum.reduceat(whole, first) - inc, 0.0)
        used_later, used_earlier = whole.copy(), whole.copy()
        for i, n in zip(first[parts > 1], parts[parts > 1], strict=True):
            used_later[i : i + n] = np.maximum.accumulate(whole[i : i + n][::-1])[::-1]
            used_earlier[i : i + n] = np.maximum.accumulate(whole[i : i + n])
        flags, ok = np.bitwise_or.reduceat(self.flags, first), self.ok[first]
        more = np.where(gap, 0.0, np.add.reduceat(self.hi, first) - inc)
        special = Special.of(t, (np.arange(len(first)), flags, ok, more))
        steps = replace(self, t=t, E=E, special=special, corrected=None)
        less, over = (np.concatenate(([0.0], np.cumsum(x))) for x in (less, over))
        return steps, used_later, used_earlier, less, over

    def split(self, s: Ints, e: Ints) -> tuple[Floats, Floats]:
        """Imported and exported energy of each period [kWh], by the sign of each increment."""
        falls = np.maximum(-self.inc, 0.0)
        exported = replace(self, E=np.append(0.0, np.cumsum(falls))).energy(s, e)
        return self.energy(s, e) + exported, exported

    def readings_in(self, s: Ints, e: Ints) -> Ints:
        """How many readings in use close an interval in ``(s, e]``."""
        return np.searchsorted(self.at, e, side="right") - np.searchsorted(self.at, s, side="right")

    def stretches(self) -> tuple[Ints, Ints]:
        """Start and end of the stretches that are covered without a break [us UTC]."""
        lost = self.special.at[:-1][~self.special.ok[:-1]]
        s, e = np.append(self.t[:1], self.t[lost + 1]), np.append(self.t[lost], self.t[-1:])
        return s[e > s], e[e > s]

    def cut(self, low: int, high: int) -> Cumulative:
        """The steps that lie in a span or reach into it, as the whole column has them."""
        first = max(int(np.searchsorted(self.t, low, side="right")) - 1, 0)
        last = max(int(np.searchsorted(self.t, high, side="left")) + 1, first)
        t, whole = self.t[first:last], self.special
        special = Special.of(t, (whole.at - first, whole.flags, whole.ok, whole.more))
        kept = (self.at >= (t[0] if len(t) else low)) & (self.at <= (t[-1] if len(t) else high))
        return replace(
            self, t=t, E=self.E[first:last], special=special,
            at=self.at[kept], readings=self.readings[kept],
        )  # fmt: skip


def totals(values: Any, group: Ints, n: int) -> Any:
    """The sum of the values of each of `n` groups; integers stay exact, and truth is counted."""
    total = np.zeros(n, dtype=np.int64 if values.dtype == np.bool_ else values.dtype)
    np.add.at(total, group, values)
    return total


def share(part: Ints, whole: Ints) -> Floats:
    """A share of time as float, 0 where there is no time."""
    return np.where(whole > 0, part / np.maximum(whole, 1), 0.0)


def status(coverage: Floats, flags: Ints) -> npt.NDArray[np.int64]:
    """The status of each figure as a position in `STATUSES`, the worst part first."""
    estimated = (flags & int(ESTIMATES)) != 0
    worst = np.where(coverage < 1, 2, estimated)
    return np.where(coverage <= 0, 3, worst).astype(np.int64)


def first_covered(c: Cumulative) -> int:
    """The first instant that readings tell about [us]: an interval mean begins before its label."""
    first = int(np.searchsorted(c.t, c.at[0]))
    return int(c.t[first if c.source == "register" else first - 1])


def jumps(c: Cumulative) -> list[tuple[int, int, float]]:
    """The steps of a register that are withheld as no use: start, end [us], and claimed kWh."""
    if len(c.special.at) == 1:  # most registers have no special step
        return []
    withheld = ((c.special.flags & int(Flag.UNEXPLAINED_JUMP)) != 0) & ~c.special.ok
    at = c.special.at[withheld]
    claimed = c.special.more[withheld]
    return list(zip(c.t[at].tolist(), c.t[at + 1].tolist(), claimed.tolist(), strict=True))


def reaching(t: Ints, E: Floats, rows: Ints) -> tuple[Ints, Floats, int, Ints]:
    """Breakpoints that reach out to rows beyond the usable readings, so that flags have a place.

    Returns them with E, how many were put before the first, and the segments that only reach out.
    """
    if len(rows) == 0:
        return t, E, 0, rows
    low, high = int(rows[0]), int(rows[-1])
    if len(t) == 0:
        t, E = np.array([low], dtype=np.int64), np.zeros(1)
    head = int(low < t[0])
    tail = int(high > t[-1] or (len(t) == 1 and not head))
    if head or tail:
        end = [max(high, int(t[-1]) + 1)] * tail
        t = np.concatenate(([low] * head, t, end)).astype(np.int64)
        E = np.pad(E, (head, tail), mode="edge")
    return t, E, head, np.array([0] * head + [len(t) - 2] * tail, dtype=np.int64)


def from_means(series: Series, window: int, lag: int = 0, max_gap: int = 30 * MINUTE) -> Cumulative:
    """E(t) and C(t) of interval means, labelled by the interval's end.

    Parameters
    ----------
    series : Series
        The mean powers [kW].
    window : int
        The interval W [us]. A spacing up to 1.5 W is wholly covered by the reading that ends
        it (jitter); a longer one for W only, and the rest is a gap.
    lag : int
        How long after its interval's end a reading is stamped [us].
    max_gap : int
        As in the rules of a register [us]; it only serves edges moved to a reading.

    Returns
    -------
    Cumulative
        Segments are the readings' intervals and the gaps between them.
    """
    t, kw = (series.t - lag if lag else series.t), series.values
    edges, E = np.empty(len(t) and len(t) + 1, dtype=np.int64), np.zeros(len(t) and len(t) + 1)
    edges[:1], edges[1:] = t[:1] - window, t
    length = np.diff(edges)
    late = np.flatnonzero(length > 3 * window // 2)
    length[late] = window
    energy = length / HOUR
    energy *= kw
    np.cumsum(energy, out=E[1:])
    # Before each late interval lies a gap: a segment of its own, uncovered.
    lost = late + np.arange(len(late))
    if len(late):
        edges, E = np.insert(edges, late + 1, t[late] - window), np.insert(E, late + 1, E[late])
    marked = series.mark_t - lag
    whole, E, head, padding = reaching(edges, E, np.concatenate((marked[:1] - window, marked)))
    ends = np.searchsorted(whole, marked, side="left") - 1
    special = Special.of(
        whole,
        (lost + head, 0, False),
        (padding, 0, False),
        (ends, series.marks),  # on the segment (a, b] that holds it
    )
    greatest = max(kw.max(initial=0.0), -kw.min(initial=0.0))
    return Cumulative(
        series, "demand", whole, E, special, t, kw, max_gap, greatest_kw=float(greatest)
    )
