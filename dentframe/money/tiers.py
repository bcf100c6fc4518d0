"""Tiers part a quantity at rising edges, so that each part of it has a rate of its own."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from dentframe.errors import ConfigError
from dentframe.money.rounding import EXACT, add, as_written, rounded, tidy, times

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction


ORDERS = ("chronological", "prorata", "per_period")
"""How tiers fill under prices by time of use."""


@dataclass(frozen=True)
class Tiers:
    """The tiers of a quantity.

    Attributes
    ----------
    edges : sequence of Decimal
        Upper edges of all tiers but the last, rising; an edge belongs to the lower tier.
    """

    edges: Sequence[Decimal]

    @classmethod
    def read(cls, edges: Any, charge: str) -> Tiers:
        """Tiers by edges as a tariff has them.

        Raises
        ------
        ConfigError
            For edges that are not above 0 and rising; `charge` names them.
        """
        found = tuple(as_written(x, "tiers") for x in edges)
        if any(b <= a for a, b in pairwise((Decimal(0), *found))):
            raise ConfigError(
                f"Cannot use tiers={[str(x) for x in found]} in charge {charge!r}: they are the "
                "upper edges of all tiers but the last, above 0 and rising, e.g. [500, 1000]."
            )
        return cls(found)

    def scaled(self, part: Fraction) -> Tiers:
        """The tiers with their edges scaled to a part of a month."""
        return Tiers([tidy(times(x, part)) for x in self.edges])

    def rates(self, rate: Any, charge: str) -> tuple[Decimal, ...]:
        """The rate of each tier; a single one is that of the only tier.

        Raises
        ------
        ConfigError
            For rates that are not one a tier.
        """
        rates, n = rate if isinstance(rate, tuple) else (rate,), len(self.edges)
        if len(rates) != n + 1:
            raise ConfigError(
                f"Cannot price charge {charge!r}: {n} tier edges need {n + 1} rates, given are "
                f"{len(rates)}."
            )
        return rates

    def fill(self, total: Decimal) -> list[Decimal]:
        """How much of a total lies in each tier; a negative total is all in the first.

        Examples
        --------
        >>> Tiers([Decimal(500), Decimal(1000)]).fill(Decimal(1250))
        [Decimal('500'), Decimal('500'), Decimal('250')]
        """
        zero = Decimal(0)
        if total < 0:
            return [total, *[zero] * len(self.edges)]
        bounds = zip((zero, *self.edges), (*self.edges, total), strict=True)
        return [max(EXACT.subtract(min(total, high), low), zero) for low, high in bounds]

    def split(self, order: str, pieces: Sequence[tuple[str, Decimal]]) -> dict[str, list[Decimal]]:
        """Exact quantity of each window and tier.

        Parameters
        ----------
        order : str
            ``"chronological"``, ``"prorata"`` (in the proportions of the whole) or
            ``"per_period"``.
        pieces : sequence of (window, Decimal)
            In order of time.
        """
        if order == "chronological":
            return self._chronological(pieces)
        totals: dict[str, Decimal] = {}
        for window, energy in pieces:
            totals[window] = EXACT.add(totals.get(window, Decimal(0)), energy)
        if order == "per_period":
            return {w: self.fill(x) for w, x in totals.items()}
        whole = add(list(totals.values()))
        if whole <= 0:
            return {w: [x, *[Decimal(0)] * len(self.edges)] for w, x in totals.items()}
        tiers = self.fill(whole)
        return {
            w: [EXACT.divide(EXACT.multiply(x, t), whole) for t in tiers] for w, x in totals.items()
        }

    def _chronological(self, pieces: Sequence[tuple[str, Decimal]]) -> dict[str, list[Decimal]]:
        """Each window's tiers as energy fills them in order of time."""
        found: dict[str, list[Decimal]] = {}
        before, so_far = self.fill(Decimal(0)), Decimal(0)
        for window, energy in pieces:
            so_far = EXACT.add(so_far, energy)
            after = self.fill(so_far)
            own = found.setdefault(window, [Decimal(0)] * len(after))
            steps = zip(own, before, after, strict=True)
            found[window] = [EXACT.add(x, EXACT.subtract(b, a)) for x, a, b in steps]
            before = after
        return found

    def label(self, tier: int, unit: str) -> str:
        """How a tier is called, e.g. ``"0–500 kWh"``; an edge that is no decimal is shown to two.

        The only tier has no name.
        """
        if not self.edges:
            return ""
        shown = [
            f"{tidy(x if _is_short(x) else rounded(x, 2)):f}" for x in (Decimal(0), *self.edges)
        ]
        low, *high = shown[tier : tier + 2]
        return f"{low}–{high[0]} {unit}" if high else f"above {low} {unit}"


def _is_short(edge: Decimal) -> bool:
    exponent = edge.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -9
