"""An exact, slow reading of the rules for interval means: Fractions, value by value, no numpy.

Written from the text of the rules alone and not from the package, to be compared with it.
Times are whole minutes, powers kW, energies kWh.
"""

from __future__ import annotations

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
