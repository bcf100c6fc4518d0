"""Rounding makes Decimals of floats; shares and tiers cut amounts into parts that add up.

The quantity printed is the quantity priced: quantities are rounded first, then priced, then
each line's amount is rounded. A float first loses its binary noise, so that noise never moves
a half.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from functools import reduce
from itertools import accumulate, cycle, islice, pairwise
from math import floor
from typing import Any, ClassVar, TypeVar

import pandas as pd

from dentframe.errors import ConfigError
from dentframe.site.currencies import CURRENCIES

Key = TypeVar("Key", bound=Hashable)
ROUNDINGS = {"half-up": ROUND_HALF_UP, "half-even": ROUND_HALF_EVEN}
EXACT = Context(prec=60)
"""Wide enough that sums and products of a bill are exact, whatever the process has set."""
_DIGITS_OF_A_FLOAT, _DECIMALS_OF_A_FLOAT = 14, 9


def digits_of(currency: str) -> int:
    """How many decimals a currency's amounts have (ISO 4217); 2 where it is not known."""
    return CURRENCIES.get(currency.upper(), 2)


def exact(value: Any, what: str = "value", scale: float = 0.0) -> Decimal:
    """A number as Decimal: text and integers exactly, a float without its binary noise.

    A float is rounded to nine decimals or to 14 significant digits, whichever is coarser.

    Parameters
    ----------
    value : Decimal, int, str, Fraction or float
        A finite number.
    what : str
        What it is, for the error.
    scale : float
        The greatest number that a float came from: what is left of two readings of millions
        has the noise of millions.

    Raises
    ------
    ConfigError
        For what is no finite number.
    """
    if isinstance(value, Fraction):
        return EXACT.divide(Decimal(value.numerator), Decimal(value.denominator))
    try:
        number = Decimal(value) if isinstance(value, Decimal | int | str) else Decimal(float(value))
    except (ArithmeticError, TypeError, ValueError):
        number = Decimal("NaN")
    if isinstance(value, bool) or not number.is_finite():
        raise ConfigError(f"Cannot use {what}={value!r}: it must be a finite number, e.g. '0.12'.")
    if isinstance(value, Decimal | int | str):
        return number
    digits = max(number.adjusted(), Decimal(float(scale)).adjusted()) - _DIGITS_OF_A_FLOAT + 1
    noise = Decimal(1).scaleb(max(digits, -_DECIMALS_OF_A_FLOAT), EXACT)
    return tidy(number.quantize(noise, ROUND_HALF_EVEN, EXACT))


def as_written(value: Any, what: str) -> Decimal:
    """A number exactly as it was written: a float is what its text says.

    Raises
    ------
    ConfigError
        For what is no finite number.
    """
    return exact(repr(value) if isinstance(value, float) else value, what)


def tidy(number: Decimal) -> Decimal:
    """Without trailing zeros, and never in exponent form."""
    short = number.normalize(EXACT)
    return short if short.as_tuple().exponent <= 0 else short.quantize(Decimal(1))  # type: ignore[operator]


def rounded(
    value: Any, places: int | None, rounding: str = "half-up", scale: float = 0.0
) -> Decimal:
    """A quantity or an amount at so many places; None leaves it exact.

    Parameters
    ----------
    value : Decimal, int, str or float
        A float loses its binary noise first, as in `exact`.
    places : int or None
        Decimals.
    rounding : str
        ``"half-up"`` or ``"half-even"``.
    scale : float
        As in `exact`.

    Raises
    ------
    ConfigError
        For an unknown `rounding`, negative `places`, or no finite number.

    Examples
    --------
    >>> rounded("4.445", 2), rounded("4.445", 2, "half-even"), rounded(2.675, 2)
    (Decimal('4.45'), Decimal('4.44'), Decimal('2.68'))
    """
    if rounding not in ROUNDINGS:
        raise ConfigError(f"Cannot use rounding={rounding!r}: use one of {', '.join(ROUNDINGS)}.")
    number = exact(value, scale=scale)
    if places is None:
        return number
    return number.quantize(_unit(places), ROUNDINGS[rounding], EXACT)


def _unit(places: int) -> Decimal:
    """One unit of the last of so many places, e.g. 0.01."""
    if isinstance(places, bool) or not isinstance(places, int) or places < 0:
        raise ConfigError(f"Cannot use places={places!r}: it is a whole number from 0, or None.")
    return Decimal(1).scaleb(-places, EXACT)


def parts_of(
    parts: Sequence[Decimal | Fraction], total: Decimal, places: int | None
) -> list[Decimal]:
    """Round parts so that they add up to their rounded total, by largest remainder.

    Parameters
    ----------
    parts : sequence of Decimal or Fraction
        Exact, of any sign.
    total : Decimal
        What they add up to at `places`: their sum rounded, or as their readings are printed.
    places : int or None
        None returns the parts as they are.

    Notes
    -----
    Hamilton's method in units of the last place: what the parts rounded down leave of the total
    goes to the largest remainders, ties to the first. A total below 0 is shared by magnitude.
    """
    if places is None:
        return [exact(p) for p in parts]
    unit, sign = _unit(places), -1 if total < 0 else 1
    whole = [sign * Fraction(p) / Fraction(unit) for p in parts]
    low = [floor(x) for x in whole]
    left = int(sign * Fraction(total) / Fraction(unit)) - sum(low)
    # A part of nothing gets nothing, unless there is no other.
    some = [i for i, part in enumerate(parts) if part] or list(range(len(parts)))
    order = sorted(some, key=lambda i: low[i] - whole[i])
    step = 1 if left > 0 else -1
    for i in islice(cycle(order[::step]), abs(left)):
        low[i] += step
    return [EXACT.multiply(Decimal(sign * n), unit).quantize(unit) for n in low]


def add(values: Iterable[Decimal]) -> Decimal:
    """The exact sum."""
    return reduce(EXACT.add, values, Decimal(0))


def add_by(pairs: Iterable[tuple[Key, Decimal]]) -> dict[Key, Decimal]:
    """The exact sum of the values of each key, in the order in which the keys come."""
    total: dict[Key, Decimal] = {}
    for key, value in pairs:
        total[key] = EXACT.add(total.get(key, Decimal(0)), value)
    return total


def times(value: Decimal, share: Fraction) -> Decimal:
    """The exact value times a fraction."""
    return EXACT.divide(EXACT.multiply(value, share.numerator), share.denominator)


def printed(energy: Decimal, opening: Decimal, closing: Decimal, places: int | None) -> Decimal:
    """Energy as its readings are printed: used = closing - opening, so that a tenant can check it.

    What an exchange, a clear or a rollover between them adds is rounded by itself.
    """
    shown = EXACT.subtract(rounded(closing, places), rounded(opening, places))
    apart = EXACT.subtract(energy, EXACT.subtract(closing, opening))
    return EXACT.add(shown, rounded(apart, places))


def around(row: Mapping[Any, Any], places: int | None) -> dict[str, Any]:
    """The readings around a period's edges as they are printed, from a row of `detail`."""
    found: dict[str, Any] = {}
    for name in ("open", "close"):
        at, value = row.get(f"{name}_at"), row.get(f"{name}_reading")
        found[f"{name}_at"] = None if pd.isna(at) else at
        found[f"{name}_reading"] = None if pd.isna(value) else rounded(float(value), places)
    return found


def bounds(
    row: Mapping[Any, Any], used: Decimal | None, places: int | None, scale: float
) -> dict[str, Any]:
    """The bounds of a row of `detail` as they are printed, about the energy that is."""
    found: dict[str, Any] = {}
    for name, limit in (("lo", min), ("hi", max)):
        value = row.get(name)
        if not pd.isna(value):
            bound = rounded(float(value), places, scale=scale)
            found[name] = bound if used is None else limit(bound, used)
    return found


def allocate(amount: Any, weights: Any, *, places: int | None = 2) -> pd.Series[Any]:
    """Share an amount by weights, to the last unit.

    Parameters
    ----------
    amount : Decimal, int or str
        What is shared [currency]; negative for a credit.
    weights : mapping, Series or sequence
        One per party, 0 or more, in the declared order; not all 0.
    places : int or None
        Decimals of the shares: 2 for cents; None rounds nothing.

    Returns
    -------
    pandas.Series of Decimal
        Over the parties in their order; the shares add up to `amount`, always.

    Raises
    ------
    ConfigError
        For an amount finer than `places`, a negative or missing weight, or weights that are
        all 0: nothing is ever split equally in silence.

    Notes
    -----
    Largest remainder (Hamilton's method) in whole units of the last place: each share is
    rounded toward zero, and the units left go to the largest remainders, ties to the first
    declared. A credit is shared by its magnitude.

    Examples
    --------
    >>> allocate("100.00", {"A": 1, "B": 1, "C": 1}).tolist()
    [Decimal('33.34'), Decimal('33.33'), Decimal('33.33')]
    """
    series, basis = weights, []
    if not isinstance(weights, pd.Series):
        named = isinstance(weights, Mapping)
        values = weights.values() if named else weights
        series = pd.Series(list(values), list(weights) if named else None, dtype=object)
    for name, weight in series.items():
        is_exact = isinstance(weight, Fraction)
        basis.append(weight if is_exact else Fraction(exact(weight, f"weight of {name!r}")))
        if basis[-1] < 0:
            raise ConfigError(
                f"Cannot allocate: the weight of {name!r} is {weight}, below 0. Make export a "
                "party with a credit line of its own, so that weights stay at 0 or more."
            )
    if not any(basis):
        raise ConfigError(
            f"Cannot allocate by {dict(series)!r}: there is no basis, every weight is 0. "
            "State another basis (area, fixed shares), or who bears it."
        )
    if isinstance(amount, float):
        raise ConfigError(
            f"Cannot allocate {amount!r}: a float is no exact amount. Use Decimal('{amount!r}') "
            "or the text."
        )
    whole = exact(amount, "amount")
    if rounded(whole, places) != whole:
        raise ConfigError(
            f"Cannot allocate {amount} to {places} places: the amount is finer than that. "
            "Round it first, or pass more places."
        )
    parts = [Fraction(whole) * w / sum(basis) for w in basis]
    return pd.Series(parts_of(parts, whole, places), index=series.index, dtype=object)


# --- tiers -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tiers:
    """The tiers of a quantity.

    Attributes
    ----------
    edges : sequence of Decimal
        Upper edges of all tiers but the last, rising; an edge belongs to the lower tier.
    """

    ORDERS: ClassVar = ("chronological", "prorata", "per_period")
    """How tiers fill under prices by time of use."""
    edges: Sequence[Decimal]

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
        totals = add_by(pieces)
        if order == "per_period":
            return {w: self.fill(x) for w, x in totals.items()}
        whole, nothing = add(totals.values()), self.fill(Decimal(0))
        if order == "prorata" and whole <= 0:
            return {w: [x, *nothing[1:]] for w, x in totals.items()}
        if order == "prorata":
            tiers = self.fill(whole)
            return {w: [EXACT.divide(EXACT.multiply(x, tier), whole) for tier in tiers]
                    for w, x in totals.items()}  # fmt: skip
        found = dict.fromkeys(totals, nothing)
        so_far = accumulate((x for _, x in pieces), EXACT.add, initial=Decimal(0))
        filled = pairwise(map(self.fill, so_far))
        for (window, _), (before, after) in zip(pieces, filled, strict=True):
            steps = zip(found[window], before, after, strict=True)
            found[window] = [EXACT.add(x, EXACT.subtract(b, a)) for x, a, b in steps]
        return found

    def label(self, tier: int, unit: str) -> str:
        """How a tier is called, e.g. ``"0–500 kWh"``; an edge that is no decimal is shown to two.

        The only tier has no name.
        """
        if not self.edges:
            return ""
        edges = ((x, rounded(x, 9) == x) for x in (Decimal(0), *self.edges))
        shown = [f"{tidy(x if short else rounded(x, 2)):f}" for x, short in edges]
        low, *high = shown[tier : tier + 2]
        return f"{low}–{high[0]} {unit}" if high else f"above {low} {unit}"
