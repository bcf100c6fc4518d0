"""An exact, slow reading of the metering rules: Fractions, value by value, no numpy.

Written from the text of the rules alone and not from the package, to be compared with it.
Times are whole minutes, powers kW, energies kWh.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from fractions import Fraction

W = 15
MAX_GAP = 30


@dataclass
class Piece:
    """One piece of time between two breakpoints."""

    a: Fraction
    b: Fraction
    covered: bool
    energy: Fraction = Fraction(0)
    lo: Fraction = Fraction(0)
    hi: Fraction = Fraction(0)
    flags: set[str] = field(default_factory=set)


@dataclass
class Figure:
    """What the rules say of one period."""

    energy: Fraction | None
    coverage: Fraction
    status: str
    lo: Fraction | None
    hi: Fraction | None
    imported: Fraction | None
    exported: Fraction | None
    flags: tuple[str, ...]
    readings: int


def clean(rows):
    """Distinct readings in time order, and what was noticed at which minute."""
    readings, noticed = [], []
    for minute in sorted({m for m, _ in rows}):
        values = [v for m, v in rows if m == minute]
        known = [v for v in values if v is not None]
        if len(set(known)) > 1:
            noticed.append((minute, "conflicting_duplicate"))
        elif not known:
            noticed.append((minute, "missing_value"))
            if len(values) > 1:
                noticed.append((minute, "duplicate_dropped"))
        else:
            readings.append((minute, known[0]))
            if len(known) > 1:
                noticed.append((minute, "duplicate_dropped"))
    return readings, noticed


class Rulebook:
    """The rules for registers."""

    def __init__(self, max_kw=None, modulus=None, allow_export=False, swaps=()):
        self.max_kw, self.modulus, self.export = max_kw, modulus, allow_export
        self.swaps = sorted(swaps)

    def cap(self, x, y):
        return None if self.max_kw is None else self.max_kw * Fraction(y[0] - x[0], 60)

    def inside(self, x, y):
        return [s for s in self.swaps if x[0] < s[0] <= y[0]]

    def rolls(self, x, y):
        d, cap = y[1] - x[1], self.cap(x, y)
        return d < 0 and self.modulus is not None and 0 <= d + self.modulus <= cap

    def plausible(self, x, y):
        d, cap = y[1] - x[1], self.cap(x, y)
        if self.inside(x, y) or self.rolls(x, y):
            return True
        if self.export:
            return abs(d) <= cap
        return d >= 0 and (cap is None or d <= cap)

    def without_glitches(self, readings):
        left, dropped, i = list(readings), [], 0
        while i < len(left) - 1:
            if self.plausible(left[i], left[i + 1]):
                i += 1
                continue
            run = self.run_at(left, i)
            if run is None:
                i += 1
                continue
            dropped += left[run[0] : run[1]]
            del left[run[0] : run[1]]
            i = run[0] - 1
        return left, dropped

    def run_at(self, left, i):
        for k in (1, 2, 3, 4):
            for first in (i + 1, i + 1 - k):
                end = first + k
                if first < 1 or end > len(left) - 1:
                    continue
                if self.plausible(left[first - 1], left[end]):
                    return first, end
        return None

    def piece(self, x, y):  # noqa: C901, PLR0911 - rule by rule, as the text has it
        """Rules 1 to 6."""
        d, cap = y[1] - x[1], self.cap(x, y)
        made = Piece(Fraction(x[0]), Fraction(y[0]), True, d, d, d)
        swaps = self.inside(x, y)
        if swaps:
            made.flags.add("meter_swap")
            d, last = Fraction(0), x[1]
            for _, closing, opening in swaps:
                d, last = d + closing - last, opening
            d += y[1] - last
            if d < 0 and not (self.export and -d <= cap):
                return self.missing(made, "unexplained_decrease")
            if cap is not None and d > cap:
                return self.missing(made, "unexplained_jump")
            if d < 0:
                made.flags.add("export")
            made.energy = made.lo = made.hi = d
            return made
        if d < 0 and cap is None:
            return self.missing(made, "decrease_unclassified")
        if d < 0 and self.export and -d <= cap:
            made.flags.add("export")
            if 0 <= y[1] <= cap:
                made.flags.add("ambiguous_fall")
                made.hi = y[1]
            return made
        if self.rolls(x, y):
            made.flags.add("rollover")
            made.energy = made.lo = made.hi = d + self.modulus
            return made
        if d < 0 and 0 <= y[1] <= cap:
            made.flags.add("reset")
            made.energy = made.lo = y[1]
            made.hi = cap
            return made
        if d < 0:
            return self.missing(made, "unexplained_decrease")
        if cap is not None and d > cap:
            return self.missing(made, "unexplained_jump")
        return made

    @staticmethod
    def missing(made, flag):
        made.covered = False
        made.energy = made.lo = made.hi = Fraction(0)
        made.flags.add(flag)
        return made

    def jumps(self, readings, pieces):
        """Rule 7."""
        if self.max_kw is not None:
            return
        rises = [i for i, p in enumerate(pieces) if p.energy > 0]
        power = {i: pieces[i].energy / (pieces[i].b - pieces[i].a) for i in rises}
        doomed = []
        for i in rises:
            if "meter_swap" in pieces[i].flags:
                continue
            others = [power[j] for j in rises if j != i]
            judged = (readings[i][1] == 0 or i == rises[-1]) and len(others) >= 3
            if judged and power[i] > 10 * max(others):
                doomed.append(i)
        for i in doomed:
            self.missing(pieces[i], "unexplained_jump")


def register_pieces(rows, rules):
    """A register's pieces and the readings in use."""
    readings, noticed = clean(rows)
    readings, dropped = rules.without_glitches(readings)
    pieces = [rules.piece(x, y) for x, y in itertools.pairwise(readings)]
    rules.jumps(readings, pieces)
    for p in pieces:
        if p.covered and p.b - p.a > MAX_GAP:
            p.flags.add("gap_bridged")
    outer = [m for m, _ in noticed] + [m for m, _ in readings]
    if readings and min(outer) < readings[0][0]:
        pieces.insert(0, Piece(Fraction(min(outer)), Fraction(readings[0][0]), False))
    if readings and max(outer) > readings[-1][0]:
        pieces.append(Piece(Fraction(readings[-1][0]), Fraction(max(outer)), False))
    if not readings and len(set(outer)) > 1:
        pieces = [Piece(Fraction(min(outer)), Fraction(max(outer)), False)]
    for minute, flag in [*noticed, *((m, "glitch") for m, _ in dropped)]:
        for p in pieces:
            if p.a <= minute <= p.b:
                p.flags.add(flag)
    return pieces, readings


def mean_pieces(rows):
    """The pieces of interval means, right-labelled, and the readings in use."""
    readings, noticed = clean(rows)
    pieces, before = [], None
    for minute, kw in readings:
        spacing = W if before is None else minute - before
        if 2 * spacing > 3 * W:
            pieces.append(Piece(Fraction(before), Fraction(minute - W), False))
            spacing = W
        length = Fraction(spacing)
        pieces.append(Piece(minute - length, Fraction(minute), True, kw * length / 60))
        before = minute
    for minute, flag in noticed:
        holds = [p for p in pieces if p.a < minute <= p.b]
        for p in holds:
            p.flags.add(flag)
    return pieces, readings, noticed


def moved(x, readings):
    """An edge at the last reading at or before it, where one is near enough."""
    before = [m for m, _ in readings if m <= x]
    near = bool(before) and x - before[-1] <= MAX_GAP
    return Fraction(before[-1]) if near else x


def figure(pieces, readings, s, e, *, register):
    """Energy, coverage and the rest of the period ``[s, e)``."""
    energy = covered = lo = hi = imported = exported = Fraction(0)
    flags, estimated = set(), False
    for p in pieces:
        a, b = max(p.a, s), min(p.b, e)
        if a >= b:
            continue
        flags |= p.flags
        if not p.covered:
            continue
        part = p.energy * (b - a) / (p.b - p.a)
        energy, covered = energy + part, covered + (b - a)
        imported, exported = imported + max(part, 0), exported + max(-part, 0)
        estimated |= bool(p.flags & {"reset", "ambiguous_fall"})
        cut = (a, b) != (p.a, p.b)
        lo += min(p.lo, 0) if cut else p.lo
        hi += max(p.hi, 0) if cut else p.hi
    for edge in (s, e):
        for p in pieces:
            if p.covered and p.a < edge < p.b:
                gap = register and p.b - p.a > MAX_GAP
                flags.add("edge_in_gap" if gap else "edge_interpolated")
                estimated |= gap
                if not (max(p.a, s) < min(p.b, e)):
                    raise AssertionError("an edge inside a piece that does not overlap")
    coverage = Fraction(covered) / (e - s)
    status = (
        "missing" if covered == 0
        else "partial" if coverage < 1
        else "estimated" if estimated
        else "recorded"
    )  # fmt: skip
    some = covered > 0
    return Figure(
        energy if some else None,
        coverage,
        status,
        lo if some and register else None,
        hi if some and register else None,
        imported if some else None,
        exported if some else None,
        tuple(sorted(flags)),
        sum(1 for m, _ in readings if s < m <= e),
    )
