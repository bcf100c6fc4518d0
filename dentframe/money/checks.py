"""A statement re-computed from its own record. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from dentframe.money.rounding import EXACT, add, rounded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dentframe.money.statement import Line, Reading, Statement

MONEY = ("minimum", "tax")
"""Kinds of lines whose quantity is an amount."""


def differences(of: Statement) -> list[str]:
    """What differs, one sentence each.

    Parameters
    ----------
    of : Statement
        The statement.
    """
    return [*_lines(of), *_bases(of), *_readings(of), *_total(of)]


def _lines(of: Statement) -> Iterator[str]:
    for x in of.lines:
        if x.quantity is None or x.rate is None:
            continue
        again = rounded(EXACT.multiply(x.quantity, x.rate), of.digits, of.rounding)
        if again != x.amount:
            yield f"Line {x.name!r}: {x.quantity} × {x.rate} is {again}, printed is {x.amount}."
        # The base of a tax is money: its decimals are the currency's.
        if (
            of.places is not None
            and x.kind not in MONEY
            and rounded(x.quantity, of.places) != x.quantity
        ):
            yield f"Line {x.name!r}: quantity {x.quantity} is finer than {of.places} places."


def _bases(of: Statement) -> Iterator[str]:
    """Taxes and minimums against the lines they were taken of."""
    for x in of.lines:
        if not x.of or x.quantity is None:
            continue
        base = add([y.amount for y in of.lines if y.charge in x.of and y is not x])
        wanted = base if x.limit is None else _shortfall(x, base)
        if rounded(wanted, of.digits, of.rounding) != x.quantity:
            told = f"the lines it is taken of give {wanted}"
            yield f"Line {x.name!r}: {told}, printed is {x.quantity}."


def _shortfall(x: Line, base: Decimal) -> Decimal:
    limit = Decimal(0) if x.limit is None else x.limit
    return max(EXACT.subtract(limit, base), Decimal(0))


def _readings(of: Statement) -> Iterator[str]:
    """The energy against its bounds; closing less opening reading where nothing lies between."""
    for r in of.readings:
        if None not in (r.lo, r.hi, r.energy) and not r.lo <= r.energy <= r.hi:  # type: ignore[operator]
            yield f"Element {r.element!r}: {r.energy} {r.unit} is not between {r.lo} and {r.hi}."
        between = _displayed(r)
        if between is None or r.energy is None:
            continue
        if rounded(between, of.places) != r.energy:
            told = f"{r.close_reading} less {r.open_reading} is {between}"
            yield f"Element {r.element!r}: {told}, printed is {r.energy} {r.unit}."


def _displayed(r: Reading) -> Decimal | None:
    if r.open_reading is None or r.close_reading is None or r.open_interpolated:
        return None
    if r.close_interpolated or r.status != "recorded" or set(r.flags) - {"gap_bridged"}:
        return None
    return EXACT.subtract(r.close_reading, r.open_reading)


def _total(of: Statement) -> Iterator[str]:
    total = add([x.amount for x in of.lines])
    if total != of.total:
        yield f"Total: the lines add up to {total}, printed is {of.total}."
