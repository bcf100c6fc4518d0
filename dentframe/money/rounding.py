"""Where floats become money: the one place that rounds. Pure, on Decimal.

The quantity printed is the quantity priced: quantities are rounded first, then priced, then
each line's amount is rounded. A float is first rounded to nine decimals, so that binary noise
never moves a half.
"""

from __future__ import annotations

from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from dentframe.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

ROUNDINGS = {"half-up": ROUND_HALF_UP, "half-even": ROUND_HALF_EVEN}
EXACT = Context(prec=60)
"""Wide enough that sums and products of a bill are exact, whatever the process has set."""
_NOISE = Decimal("1e-9")
_DIGITS = {
    **dict.fromkeys(("CLP", "ISK", "JPY", "KRW", "PYG", "UGX", "VND", "XAF", "XOF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}


def digits_of(currency: str) -> int:
    """How many decimals a currency's amounts have (ISO 4217); 2 where it is not known."""
    return _DIGITS.get(currency.upper(), 2)


def exact(value: Any, what: str = "value") -> Decimal:
    """A number as Decimal: text and integers exactly, a float to nine decimals.

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
    return number if isinstance(value, Decimal | int | str) else tidy(_denoised(number))


def _denoised(number: Decimal) -> Decimal:
    return number.quantize(_NOISE, ROUND_HALF_EVEN, EXACT)


def tidy(number: Decimal) -> Decimal:
    """Without trailing zeros, and never in exponent form."""
    short = number.normalize(EXACT)
    return short if short.as_tuple().exponent <= 0 else short.quantize(Decimal(1))  # type: ignore[operator]


def rounded(value: Any, places: int | None, rounding: str = "half-up") -> Decimal:
    """A quantity or an amount at so many places; None leaves it exact.

    Parameters
    ----------
    value : Decimal, int, str or float
        A float is rounded to nine decimals first.
    places : int or None
        Decimals.
    rounding : str
        ``"half-up"`` or ``"half-even"``.

    Raises
    ------
    ConfigError
        For an unknown `rounding`, negative `places`, or no finite number.

    Examples
    --------
    >>> rounded("4.445", 2), rounded("4.445", 2, "half-even"), rounded(2.675, 2)
    (Decimal('4.45'), Decimal('4.44'), Decimal('2.68'))
    """
    mode = mode_of(rounding)
    number = exact(value)
    return number if places is None else number.quantize(unit_of(places), mode, EXACT)


def mode_of(rounding: str) -> str:
    """The decimal module's name of a rounding, or a ConfigError."""
    if rounding not in ROUNDINGS:
        raise ConfigError(f"Cannot use rounding={rounding!r}: use one of {', '.join(ROUNDINGS)}.")
    return ROUNDINGS[rounding]


def unit_of(places: int) -> Decimal:
    """One unit of the last of so many places, e.g. 0.01."""
    if isinstance(places, bool) or not isinstance(places, int) or places < 0:
        raise ConfigError(f"Cannot use places={places!r}: it is a whole number from 0, or None.")
    return Decimal(1).scaleb(-places, EXACT)


def parts_of(parts: Sequence[Decimal], total: Decimal, places: int | None) -> list[Decimal]:
    """Round parts so that they add up to their rounded total, by largest remainder.

    Parameters
    ----------
    parts : sequence of Decimal
        Exact, of any sign.
    total : Decimal
        Their sum, rounded to `places`.
    places : int or None
        None returns the parts as they are.
    """
    if places is None:
        return list(parts)
    unit = unit_of(places)
    low = [p.quantize(unit, ROUND_FLOOR, EXACT) for p in parts]
    left = int(EXACT.divide(EXACT.subtract(total, add(low)), unit))
    order = sorted(range(len(parts)), key=lambda i: low[i] - parts[i])
    for k in range(abs(left)):
        i = order[k % len(order)] if left > 0 else order[-1 - k % len(order)]
        low[i] += unit if left > 0 else -unit
    return low


def add(values: Sequence[Decimal]) -> Decimal:
    """The exact sum."""
    total = Decimal(0)
    for value in values:
        total = EXACT.add(total, value)
    return total
