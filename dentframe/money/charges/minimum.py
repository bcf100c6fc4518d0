"""A minimum bill: what lacks to it is a line of its own. One kind of charge."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from dentframe.money.charges.tax import base_names
from dentframe.money.days import check_proration
from dentframe.money.fields import check_choice, date_of, put, rate_of
from dentframe.money.rounding import EXACT, exact

if TYPE_CHECKING:
    from dentframe.money.case import Case
    from dentframe.money.lines import Line


@dataclass(frozen=True)
class Minimum:
    """At least so much is due.

    Parameters
    ----------
    name : str
        The line's name.
    rate : Decimal, str or number
        The minimum [currency/month] or [currency/day].
    per : str
        ``"month"`` or ``"day"``.
    on : sequence of str, optional
        The charges that count towards it; by default all before it that are no tax.
    proration : str or int
        What the minimum of a part of a month is: ``"none"``, ``"days"``, ``"month"``, or days.
    valid_from, valid_to : date or str, optional
        Local days ``[valid_from, valid_to)``.
    """

    kind: ClassVar[str] = "minimum"
    name: str
    rate: Any
    per: str = "month"
    on: Any = None
    proration: Any = None
    valid_from: Any = None
    valid_to: Any = None

    def __post_init__(self) -> None:
        put(
            self,
            rate=rate_of(self.rate, "rate"),
            on=None if self.on is None else tuple(self.on),
            proration=check_proration(self.proration, "proration", self.name),
            valid_from=date_of(self.valid_from, "valid_from"),
            valid_to=date_of(self.valid_to, "valid_to"),
        )
        check_choice(self.per, ("month", "day"), "per", self.name)

    def lines(self, case: Case) -> list[Line]:
        """One line with what lacks; none where nothing does."""
        span = case.valid(self)
        if span is None:
            return []
        days = self.per == "day"
        due = len(case.days(*span)) if days else case.months(self, self.proration, *span)
        limit = case.money(EXACT.multiply(self.rate, exact(due)))
        of = base_names(case, self.on)
        base = case.total(of)
        lacks = EXACT.subtract(limit, base)
        if lacks <= 0:
            return []
        note = f"minimum {limit}, charges {base}"
        return [case.priced(self, lacks, case.currency, Decimal(1), note=note, of=of, limit=limit)]
