"""A fixed charge per month or per real local day. One kind of charge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from dentframe.money.case import Case, span_text
from dentframe.money.days import check_proration
from dentframe.money.fields import check_choice, date_of, put, rate_of
from dentframe.money.rounding import exact

if TYPE_CHECKING:
    from dentframe.money.lines import Line


@dataclass(frozen=True)
class Fixed:
    """A price per month or day, whatever is used.

    Parameters
    ----------
    name : str
        The line's name.
    rate : Decimal, str or number
        [currency/month] or [currency/day].
    per : str
        ``"month"``, or ``"day"``: each local day that begins in the period.
    proration : str or int
        What a part of a month costs: ``"none"``, ``"days"``, ``"month"`` or days of a month.
    valid_from, valid_to : date or str, optional
        Local days ``[valid_from, valid_to)``.
    """

    kind: ClassVar[str] = "fixed"
    name: str
    rate: Any
    per: str = "month"
    proration: Any = None
    valid_from: Any = None
    valid_to: Any = None

    def __post_init__(self) -> None:
        put(
            self,
            rate=rate_of(self.rate, "rate"),
            proration=check_proration(self.proration, "proration", self.name),
            valid_from=date_of(self.valid_from, "valid_from"),
            valid_to=date_of(self.valid_to, "valid_to"),
        )
        check_choice(self.per, ("month", "day"), "per", self.name)

    def lines(self, case: Case) -> list[Line]:
        """One line."""
        span = case.valid(self)
        if span is None:
            return []
        days = len(case.days(*span))
        due = days if self.per == "day" else case.months(self, self.proration, *span)
        note = span_text(case, *span)
        if self.per == "month" and due != 1:
            note = f"{days} days: {due} of a month"
        return [case.priced(self, case.quantity(exact(due)), self.per, self.rate, note=note)]
