"""Shares of an amount that add up to it, by largest remainder. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pandas as pd

from dentframe.errors import ConfigError
from dentframe.money.rounding import EXACT, exact, unit_of

if TYPE_CHECKING:
    from collections.abc import Sequence


def allocate(amount: Any, weights: Any, *, places: int = 2) -> pd.Series[Any]:
    """Share an amount by weights, to the last unit.

    Parameters
    ----------
    amount : Decimal, int or str
        What is shared [currency]; negative for a credit.
    weights : mapping, Series or sequence
        One per party, 0 or more, in the declared order; not all 0.
    places : int
        Decimals of the shares: 2 for cents.

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
    unit = unit_of(places)
    names, basis = _named(weights)
    whole = _units(amount, unit, places)
    sign = -1 if whole < 0 else 1
    shares = [sign * n for n in _largest_remainder(abs(whole), basis)]
    money = [EXACT.multiply(Decimal(n), unit).quantize(unit) for n in shares]
    return pd.Series(money, index=names, dtype=object)


def _named(weights: Any) -> tuple[pd.Index[Any], list[Fraction]]:
    series = weights if isinstance(weights, pd.Series) else None
    if isinstance(weights, Mapping):
        series = pd.Series(list(weights.values()), index=list(weights), dtype=object)
    elif series is None:
        series = pd.Series(list(weights), dtype=object)
    basis = [_weight(name, w) for name, w in series.items()]
    if not any(basis):
        raise ConfigError(
            f"Cannot allocate by {dict(series)!r}: there is no basis, every weight is 0. "
            "State another basis (area, fixed shares), or who bears it."
        )
    return series.index, basis


def _weight(name: Any, weight: Any) -> Fraction:
    if isinstance(weight, Fraction):
        number = weight
    else:
        number = Fraction(exact(weight, f"weight of {name!r}"))
    if number < 0:
        raise ConfigError(
            f"Cannot allocate: the weight of {name!r} is {weight}, below 0. Make export a party "
            "with a credit line of its own, so that weights stay at 0 or more."
        )
    return number


def _units(amount: Any, unit: Decimal, places: int) -> int:
    """The amount in units of the last place."""
    if isinstance(amount, float):
        raise ConfigError(
            f"Cannot allocate {amount!r}: a float is no exact amount. Use Decimal('{amount!r}') "
            "or the text."
        )
    units = EXACT.divide(exact(amount, "amount"), unit)
    if units != units.to_integral_value():
        raise ConfigError(
            f"Cannot allocate {amount} to {places} places: the amount is finer than that. "
            "Round it first, or pass more places."
        )
    return int(units)


def _largest_remainder(whole: int, basis: Sequence[Fraction]) -> list[int]:
    total = sum(basis, Fraction(0))
    exact_shares = [whole * w / total for w in basis]
    shares = [int(x) for x in exact_shares]
    by_remainder = sorted(range(len(basis)), key=lambda i: shares[i] - exact_shares[i])
    for i in by_remainder[: whole - sum(shares)]:
        shares[i] += 1
    return shares
