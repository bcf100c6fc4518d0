"""The formulas of a workbook's cells: they compute what the statement computed. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dentframe.money.statement import Line, Statement


def quantity(x: Line, of: Statement, first: int) -> Decimal | str | None:
    """A line's quantity, or the formula of a tax's or minimum's base.

    Parameters
    ----------
    x : Line
        The line.
    of : Statement
        Its statement.
    first : int
        The row of the statement's first line.
    """
    if not x.of:
        return x.quantity
    own = [i for i, y in enumerate(of.lines) if y.charge in x.of and y is not x]
    base = "+".join(f"F{first + i}" for i in own) or "0"
    return f"={base}" if x.limit is None else f"=MAX({x.limit}-({base}),0)"


def amount(row: int, x: Line, of: Statement) -> Decimal | str:
    """Quantity times rate, rounded as the statement rounds it; the amount where it was shared.

    A product in binary may lie just below a half, and not every spreadsheet corrects that: it
    is first made whole in units of its own last decimal.
    """
    if x.quantity is None or x.rate is None:
        return x.amount
    product = f"C{row}*E{row}"
    if of.digits is None:
        return f"={product}"
    fine = max(decimals(x.quantity) + decimals(x.rate), of.digits)
    units = f"ROUND({product}*10^{fine},0)/10^{fine - of.digits}"
    if of.rounding == "half-up":
        return f"=ROUND({units},0)/10^{of.digits}"
    # Spreadsheets round halves away from zero: twice the rounded half of a half is even.
    return (
        f"=IF(ABS({units})-INT(ABS({units}))=0.5,2*ROUND({units}/2,0),ROUND({units},0))"
        f"/10^{of.digits}"
    )


def decimals(value: Decimal | None) -> int:
    """How many decimals a number has."""
    exponent = 0 if value is None else value.as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0
