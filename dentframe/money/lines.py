"""The parts of a statement: lines, meter readings, earlier periods. Frozen records."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from dentframe.money.rounding import EXACT, rounded

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Line:
    """One line of a statement.

    Parameters
    ----------
    name, kind : str
        What it is called, and what it is: ``energy``, ``demand``, ``fixed``, ``reactive``,
        ``minimum``, ``tax``, ``share``, or another.
    quantity : Decimal or None
        The quantity that is printed and priced [unit]; None where an amount is shared.
    unit : str
        Of the quantity.
    rate : Decimal or None
        [currency per unit]; None where the amount is given, e.g. a share.
    amount : Decimal
        [currency], rounded.
    element, basis : str
        The elements it was measured on; by what it was shared.
    coverage : float or None
        Covered share of the period, 0 to 1.
    status : str
        ``recorded``, ``estimated``, ``partial``, ``missing``; ``""`` where nothing was measured.
    flags : tuple of str
        What happened to the readings.
    open_at, close_at : Timestamp or None
        When the readings around the period's edges were taken, for a line of one element.
    open_reading, close_reading : Decimal or None
        Their register values [kWh].
    open_interpolated, close_interpolated : bool
        Whether the edge lies between two readings.
    note : str
        What a reader must know.
    of : tuple of str
        The charges whose lines a tax or minimum was taken of.
    limit : Decimal or None
        The minimum of a minimum line [currency].
    measured : Decimal or None
        Measured demand, where a ratchet or a power factor raised what is billed [kW]. It is
        what the next months' ratchet looks back on.
    charge : str
        The charge of the tariff that the line comes from.
    """

    name: str
    kind: str
    quantity: Decimal | None
    unit: str
    rate: Decimal | None
    amount: Decimal
    element: str = ""
    basis: str = ""
    coverage: float | None = None
    status: str = ""
    flags: tuple[str, ...] = ()
    open_at: pd.Timestamp | None = None
    open_reading: Decimal | None = None
    open_interpolated: bool = False
    close_at: pd.Timestamp | None = None
    close_reading: Decimal | None = None
    close_interpolated: bool = False
    note: str = ""
    of: tuple[str, ...] = ()
    limit: Decimal | None = None
    measured: Decimal | None = None
    charge: str = ""


@dataclass(frozen=True)
class Reading:
    """What one element's register showed at the edges of a period.

    Parameters
    ----------
    element : str
        The element.
    open_at, close_at : Timestamp or None
        When the last reading at or before the start, the first at or after the end was taken.
    open_reading, close_reading : Decimal or None
        Their register values [kWh]; None where there is no register.
    open_interpolated, close_interpolated : bool
        Whether the edge lies between two readings.
    energy : Decimal or None
        Energy of the period [kWh].
    coverage : float
        Covered share of the period, 0 to 1.
    status : str
        ``recorded``, ``estimated``, ``partial`` or ``missing``.
    flags : tuple of str
        What happened to the readings.
    unit : str
        Of readings and energy.
    lo, hi : Decimal or None
        Bounds of the energy, where the readings give any [kWh].
    """

    element: str
    open_at: pd.Timestamp | None
    open_reading: Decimal | None
    open_interpolated: bool
    close_at: pd.Timestamp | None
    close_reading: Decimal | None
    close_interpolated: bool
    energy: Decimal | None
    coverage: float
    status: str
    flags: tuple[str, ...] = ()
    unit: str = "kWh"
    lo: Decimal | None = None
    hi: Decimal | None = None


@dataclass(frozen=True)
class Past:
    """An earlier period, to compare with.

    Parameters
    ----------
    label : str
        E.g. ``"2023-11"``.
    quantity : Decimal or None
        [unit]; None where it is not known.
    unit : str
        Of the quantity.
    amount : Decimal or None
        [currency]
    """

    label: str
    quantity: Decimal | None
    unit: str = "kWh"
    amount: Decimal | None = None


def priced(
    name: str,
    kind: str,
    quantity: Decimal,
    unit: str,
    rate: Decimal,
    *,
    digits: int | None,
    rounding: str = "half-up",
    **more: Any,
) -> Line:
    """A line whose amount is quantity times rate, rounded to `digits` [currency]."""
    amount = rounded(EXACT.multiply(quantity, rate), digits, rounding)
    return Line(name, kind, quantity, unit, rate, amount, **more)
