"""A tax: a share of the lines before it, on a line of its own. One kind of charge."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from dentframe.errors import ConfigError
from dentframe.money.case import Case, span_text
from dentframe.money.fields import date_of, put, rate_of
from dentframe.money.rounding import EXACT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dentframe.money.lines import Line


@dataclass(frozen=True)
class Tax:
    """A share of other lines.

    Parameters
    ----------
    name : str
        The line's name.
    rate : Decimal, str or number
        As a fraction: ``"0.05"`` is 5 % [1].
    on : sequence of str, optional
        The charges it is taken of; by default all before it that are no tax.
    proration : str, optional
        Where its validity begins or ends inside the period: ``"days"`` takes its share of the
        billed days, ``"none"`` all.
    valid_from, valid_to : date or str, optional
        Local days ``[valid_from, valid_to)``.
    """

    kind: ClassVar[str] = "tax"
    name: str
    rate: Any
    on: Any = None
    proration: str | None = None
    valid_from: Any = None
    valid_to: Any = None

    def __post_init__(self) -> None:
        if self.proration not in {None, "none", "days"}:
            raise ConfigError(
                f"Cannot use proration={self.proration!r} in tax {self.name!r}: use 'days' or "
                "'none'."
            )
        put(
            self,
            rate=rate_of(self.rate, "rate"),
            on=None if self.on is None else tuple(self.on),
            valid_from=date_of(self.valid_from, "valid_from"),
            valid_to=date_of(self.valid_to, "valid_to"),
        )

    def lines(self, case: Case) -> list[Line]:
        """One line."""
        span = case.valid(self)
        if span is None:
            return []
        of = base_names(case, self.on)
        base = case.total(of)
        note = span_text(case, *span)
        if case.cut(self):
            base, of, note = self._part(case, base, note)
        return [case.priced(self, base, case.currency, self.rate, note=note, of=of)]

    def _part(self, case: Case, base: Decimal, note: str) -> tuple[Decimal, tuple[str, ...], str]:
        if self.proration is None:
            raise ConfigError(
                f"Cannot price tax {self.name!r}: its validity begins or ends inside the period. "
                "State proration='days' (its share of the billed days) or 'none', or bill each "
                "part by itself."
            )
        span = case.valid(self) or (case.start, case.end)
        part = case.factor(self.proration, *span)
        share = EXACT.divide(
            EXACT.multiply(base, Decimal(part.numerator)), Decimal(part.denominator)
        )
        return case.money(share), (), f"{note}: {part} of {base}"


def base_names(case: Case, on: Sequence[str] | None) -> tuple[str, ...]:
    """The charges whose lines a tax or minimum is taken of."""
    found = [x.charge for x in case.done if (x.kind != "tax" if on is None else x.charge in on)]
    return tuple(dict.fromkeys(found))
