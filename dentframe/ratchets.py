"""What a peak is billed as: ratchets and power-factor adjustment. Plain functions of numbers."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pandas as pd

from dentframe.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable


def ratchet(
    measured: Iterable[Any],
    percent: Any,
    lookback: int,
    minimum: Any = 0,
    history: Iterable[Any] = (),
) -> Any:
    """Billing demand under a ratchet.

    Parameters
    ----------
    measured : Series or sequence of float or Decimal
        Measured demand of each month, in order [kW].
    percent : float or Decimal
        Share of the highest earlier month that is billed at least [%], 0 to 100.
    lookback : int
        How many earlier months count.
    minimum : float or Decimal
        Contract minimum [kW].
    history : sequence
        Measured demand of the months before the first, the oldest first [kW].

    Returns
    -------
    Series or list
        Of the same length as `measured` [kW]. NaN where the month, or one of those it looks
        back on, is NaN: an unknown month may have been the highest.

    Raises
    ------
    ConfigError
        For a percentage or look-back that cannot be meant.

    Notes
    -----
    ``max(measured_m, p * max(measured_{m-k} .. measured_{m-1}), minimum)``: the look-back is on
    measured demand, not on billed demand, so that a ratchet expires.

    Examples
    --------
    >>> ratchet([100.0, 60.0, 60.0], 80, 11, minimum=70)
    [100.0, 80.0, 80.0]
    >>> ratchet([100.0, 60.0, 60.0], 80, 1)
    [100.0, 80.0, 60.0]
    """
    if isinstance(lookback, bool) or not isinstance(lookback, int) or lookback < 0:
        raise ConfigError(f"Cannot use lookback={lookback!r}: it is a whole number of months.")
    if not 0 <= percent <= 100:
        raise ConfigError(f"Cannot use percent={percent!r}: it is a percentage, from 0 to 100.")
    values, before = list(measured), list(history)
    every = [*before, *values]
    billed = [
        _billed(every[max(i - lookback, 0) : i], every[i], percent, minimum)
        for i in range(len(before), len(every))
    ]
    return pd.Series(billed, measured.index) if isinstance(measured, pd.Series) else billed


def _billed(earlier: list[Any], now: Any, percent: Any, minimum: Any) -> Any:
    if any(x != x for x in (now, *earlier)):  # noqa: PLR0124 - NaN is the only such value
        return float("nan")
    return max(now, _like(now, minimum), *(_like(x, percent) * x / 100 for x in earlier))


def _like(example: Any, value: Any) -> Any:
    """A number in the representation of another: Decimal, or float."""
    return Decimal(str(value)) if isinstance(example, Decimal) else float(value)


def adjusted_demand(kw: Any, power_factor: Any, target: Any) -> Any:
    """Demand raised for a power factor below target.

    Parameters
    ----------
    kw, power_factor, target : float or Decimal
        Measured demand [kW], its power factor [1] and the tariff's target [1].

    Returns
    -------
    float or Decimal
        ``kw * target / power_factor`` where the power factor is below target, else `kw` [kW].

    Raises
    ------
    ConfigError
        For a power factor or target outside (0, 1].

    Examples
    --------
    >>> adjusted_demand(16.0, 0.8, 0.9)
    18.0
    """
    for name, value in (("power_factor", power_factor), ("target", target)):
        if not 0 < value <= 1:
            raise ConfigError(f"Cannot use {name}={value!r}: it must be above 0, at most 1.")
    return kw if power_factor >= target else kw * target / power_factor
