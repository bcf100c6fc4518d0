"""Reactive energy above an allowance, or a surcharge per point of power factor. One kind."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from dentframe.errors import ConfigError
from dentframe.money.case import Case, measured, span_text
from dentframe.money.charges.tax import base_names
from dentframe.money.energies import worst
from dentframe.money.fields import date_of, put, rate_of
from dentframe.money.meters import require
from dentframe.money.rounding import EXACT, add

if TYPE_CHECKING:
    from dentframe.money.energies import State
    from dentframe.money.lines import Line

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
        target = self.target_power_factor
        put(
            self,
            rate=rate_of(self.rate, "rate"),
            allowance=rate_of(self.allowance, "allowance"),
            target_power_factor=None if target is None else rate_of(target, "target_power_factor"),
            on=None if self.on is None else tuple(self.on),
            valid_from=date_of(self.valid_from, "valid_from"),
            valid_to=date_of(self.valid_to, "valid_to"),
        )

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
    return add([p.energy for p in used.pieces]), used.states[""]
