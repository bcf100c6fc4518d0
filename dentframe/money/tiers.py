"""Cumulative tiers, alone and under time-of-use windows. Pure, on exact Decimals."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from dentframe.errors import ConfigError
from dentframe.money.rounding import EXACT, add, exact, rounded, tidy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from fractions import Fraction

ORDERS = ("chronological", "prorata", "per_period")


def edges_of(tiers: Any, charge: str) -> tuple[Decimal, ...]:
    """Upper edges of all tiers but the last, rising; an edge belongs to the lower tier."""
    found = tuple(exact(repr(x) if isinstance(x, float) else x, "tiers") for x in tiers)
    if any(b <= a for a, b in zip((Decimal(0), *found), found, strict=False)):
        raise ConfigError(
            f"Cannot use tiers={[str(x) for x in found]} in charge {charge!r}: they are the upper "
            "edges of all tiers but the last, above 0 and rising, e.g. [500, 1000]."
        )
    return found


def scaled(edges: Sequence[Decimal], factor: Fraction) -> tuple[Decimal, ...]:
    """Edges for a part of a month."""
    top, bottom = Decimal(factor.numerator), Decimal(factor.denominator)
    return tuple(tidy(EXACT.divide(EXACT.multiply(x, top), bottom)) for x in edges)


def fill(total: Decimal, edges: Sequence[Decimal]) -> list[Decimal]:
    """How much of a total lies in each tier; a negative total is all in the first.

    Examples
    --------
    >>> fill(Decimal(1250), [Decimal(500), Decimal(1000)])
    [Decimal('500'), Decimal('500'), Decimal('250')]
    """
    lows = (Decimal(0), *edges)
    highs = (*edges, None)
    return [_within(total, a, b) for a, b in zip(lows, highs, strict=True)]


def _within(total: Decimal, low: Decimal, high: Decimal | None) -> Decimal:
    if low == 0 and total < 0:
        return total
    top = total if high is None else min(total, high)
    return max(EXACT.subtract(top, low), Decimal(0))


def chronological(
    pieces: Iterable[tuple[str, Decimal]], edges: Sequence[Decimal]
) -> dict[str, list[Decimal]]:
    """Each window's tiers as energy fills them in order of time."""
    found: dict[str, list[Decimal]] = {}
    before, so_far = fill(Decimal(0), edges), Decimal(0)
    for window, energy in pieces:
        so_far = EXACT.add(so_far, energy)
        after = fill(so_far, edges)
        step = [EXACT.subtract(b, a) for a, b in zip(before, after, strict=True)]
        own = found.setdefault(window, [Decimal(0)] * len(step))
        found[window] = [EXACT.add(a, b) for a, b in zip(own, step, strict=True)]
        before = after
    return found


def prorata(totals: Mapping[str, Decimal], edges: Sequence[Decimal]) -> dict[str, list[Decimal]]:
    """Each window's tiers in the proportions of the whole."""
    whole = add(list(totals.values()))
    tiers = fill(whole, edges)
    if whole <= 0:
        return {w: [x, *[Decimal(0)] * len(edges)] for w, x in totals.items()}
    return {
        w: [EXACT.divide(EXACT.multiply(x, t), whole) for t in tiers] for w, x in totals.items()
    }


def split(
    order: str, pieces: Sequence[tuple[str, Decimal]], edges: Sequence[Decimal]
) -> dict[str, list[Decimal]]:
    """Exact quantity of each window and tier.

    Parameters
    ----------
    order : str
        ``"chronological"``, ``"prorata"`` or ``"per_period"``.
    pieces : sequence of (window, Decimal)
        In order of time.
    edges : sequence of Decimal
        Upper edges of all tiers but the last.
    """
    if order == "chronological":
        return chronological(pieces, edges)
    totals: dict[str, Decimal] = {}
    for window, energy in pieces:
        totals[window] = EXACT.add(totals.get(window, Decimal(0)), energy)
    if order == "prorata":
        return prorata(totals, edges)
    return {w: fill(x, edges) for w, x in totals.items()}


def label(edges: Sequence[Decimal], tier: int, unit: str) -> str:
    """How a tier is called, e.g. ``"0–500 kWh"``; an edge that is no decimal is shown to two."""
    low = Decimal(0) if tier == 0 else edges[tier - 1]
    if tier == len(edges):
        return f"above {_short(low)} {unit}"
    return f"{_short(low)}–{_short(edges[tier])} {unit}"


def _short(edge: Decimal) -> str:
    exponent = edge.as_tuple().exponent
    fine = isinstance(exponent, int) and exponent < -9
    return f"{tidy(rounded(edge, 2) if fine else edge):f}"
