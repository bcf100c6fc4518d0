"""The other charges are fixed ones, taxes, minimum bills, and reactive energy."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from dentframe.errors import ConfigError
from dentframe.money.pricing import Case, check_choice, measured, read_fields, require, span_text
from dentframe.money.rounding import EXACT, exact
from dentframe.money.usage import worst

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dentframe.money.statement import Line
    from dentframe.money.usage import State


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
        read_fields(self)
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
        read_fields(self)

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
        read_fields(self)
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


KVARH, KVAH = "kVARHNet", "kVAHNet"


@dataclass(frozen=True)
class Reactive:
    """A price for reactive energy, or for a low power factor.

    Parameters
    ----------
    name : str
        The line's name.
    rate : Decimal, str or number
        [currency/kvarh]; with `target_power_factor`, the share of the base per 0.01 below it.
    allowance : Decimal, str or number
        Free reactive energy [kvarh per kWh], e.g. ``"0.5"``.
    target_power_factor : Decimal, str or number, optional
        Instead of reactive energy: a surcharge on `on` per point (0.01) below it.
    on : sequence of str, optional
        The charges that are raised; by default all before it that are no tax.
    valid_from, valid_to : date or str, optional
        Local days ``[valid_from, valid_to)``.

    Notes
    -----
    kvarh are those of the register kVARHNet where it is there, else
    ``sqrt(kVAh^2 - kWh^2)`` of the period. Power factor is kWh / kVAh of the period.
    """

    kind: ClassVar[str] = "reactive"
    name: str
    rate: Any
    allowance: Any = Decimal(0)
    target_power_factor: Any = None
    on: Any = None
    valid_from: Any = None
    valid_to: Any = None

    def __post_init__(self) -> None:
        read_fields(self)

    def lines(self, case: Case) -> list[Line]:
        """One line."""
        span = case.valid(self)
        if span is None:
            return []
        if self.target_power_factor is not None and case.cut(self):
            raise ConfigError(
                f"Cannot price charge {self.name!r}: a surcharge on other lines cannot begin or "
                "end inside the period. Bill each part by itself."
            )
        find = self._energy if self.target_power_factor is None else self._points
        return [find(case, span)]

    def _energy(self, case: Case, span: tuple[int, int]) -> Line:
        kwh, first = _used(case, span, "kWHNet")
        if case.meters.has(KVARH):
            kvarh, second = _used(case, span, KVARH)
        else:
            require(case.meters, KVAH, f"price charge {self.name!r}")
            kvah, second = _used(case, span, KVAH)
            squares = EXACT.subtract(EXACT.multiply(kvah, kvah), EXACT.multiply(kwh, kwh))
            kvarh = EXACT.sqrt(max(squares, Decimal(0)))
        free = EXACT.multiply(self.allowance, max(kwh, Decimal(0)))
        over = max(EXACT.subtract(abs(kvarh), free), Decimal(0))
        note = f"{case.quantity(abs(kvarh))} kvarh, {case.quantity(free)} free"
        told = "; ".join(x for x in (span_text(case, *span), note) if x)
        state = measured(worst([first, second]))
        return case.priced(self, case.quantity(over), "kvarh", self.rate, note=told, **state)

    def _points(self, case: Case, span: tuple[int, int]) -> Line:
        require(case.meters, KVAH, f"price charge {self.name!r}")
        (kwh, first), (kvah, second) = (_used(case, span, t) for t in ("kWHNet", KVAH))
        pf = EXACT.divide(kwh, kvah) if kvah > 0 else Decimal(1)
        points = max(EXACT.multiply(EXACT.subtract(self.target_power_factor, pf), 100), Decimal(0))
        base = case.total(base_names(case, self.on))
        note = f"power factor {pf:.4f}, target {self.target_power_factor}; {self.rate} of {base}"
        rate = EXACT.multiply(self.rate, base)
        state = measured(worst([first, second]))
        return case.priced(self, case.quantity(points), "point", rate, note=note, **state)


def _used(case: Case, span: tuple[int, int], topic: str) -> tuple[Decimal, State]:
    used = case.meters.energy(*span, None, topic=topic)
    return used.energy, used.states[""]
