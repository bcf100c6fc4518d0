"""What a charge is given to price: the period, the meters, the lines so far. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import pandas as pd

from dentframe.errors import ConfigError
from dentframe.instants import ints, midnight, stamp
from dentframe.money.days import factor, local_days
from dentframe.money.energies import flowing, reading
from dentframe.money.lines import Line, Reading, priced
from dentframe.money.rounding import EXACT, add, rounded
from dentframe.schedule import Schedule

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from dentframe.money.energies import State
    from dentframe.money.meters import Meters
    from dentframe.schedule import Window

OUT = "\0"
"""The name of the time that no window of a charge has."""


class Charge(Protocol):
    """What a tariff is a list of. A new kind is one class with these, and a row in `KINDS`."""

    kind: ClassVar[str]
    """Its name in files."""

    @property
    def name(self) -> str:
        """The name of its lines."""
        raise NotImplementedError

    @property
    def valid_from(self) -> dt.date | None:
        """The first local day on which it holds."""

    @property
    def valid_to(self) -> dt.date | None:
        """The first local day on which it no longer holds."""

    def lines(self, case: Case) -> list[Line]:
        """What it adds to a bill."""
        raise NotImplementedError


@dataclass(frozen=True)
class Case:
    """One period of one party under a tariff.

    Attributes
    ----------
    meters : Meters
        The readings.
    start, end : int
        The billing period [us UTC].
    holidays : tuple of date
        Local dates.
    places, digits : int or None
        Decimals of quantities, of amounts.
    rounding : str
        Of amounts.
    history : mapping, sequence or None
        Measured demand before the period, by charge or for the only ratchet [kW].
    done : tuple of Line
        The lines of the charges before.
    currency : str
        For lines whose quantity is money.
    """

    meters: Meters
    start: int
    end: int
    holidays: tuple[dt.date, ...]
    places: int | None
    digits: int | None
    rounding: str
    history: Mapping[str, Sequence[Any]] | Sequence[Any] | None
    currency: str
    done: tuple[Line, ...] = ()

    def valid(self, charge: Charge) -> tuple[int, int] | None:
        """The part of the period in which a charge is valid [us UTC], None for no part."""
        s = max(self.start, self._edge(charge.valid_from, self.start))
        e = min(self.end, self._edge(charge.valid_to, self.end))
        return (s, e) if s < e else None

    def _edge(self, day: dt.date | None, default: int) -> int:
        if day is None:
            return default
        return int(ints(pd.DatetimeIndex([midnight(day, self.meters.tz)]))[0])

    def cut(self, charge: Charge) -> bool:
        """Whether its validity begins or ends inside the period."""
        return self.valid(charge) != (self.start, self.end)

    def days(self, s: int, e: int) -> list[dt.date]:
        """The local days that begin in a span."""
        return local_days(stamp(s), stamp(e), self.meters.tz)

    def factor(self, rule: Any, s: int, e: int) -> Fraction:
        """The part of a month that a span is, by a charge's stated rule."""
        if rule == "none":
            return Fraction(1)
        return factor(rule, self.days(s, e), self.days(self.start, self.end))

    def months(self, charge: Charge, rule: Any, s: int, e: int) -> Fraction:
        """How many months a monthly charge is due for; unstated only for one ordinary month.

        Raises
        ------
        ConfigError
            Where the span is no ordinary month and the charge does not say how to prorate.
        """
        n = len(self.days(s, e))
        if rule is None and (self.cut(charge) or not 25 <= n <= 36):
            raise ConfigError(
                f"Cannot price charge {charge.name!r} for {n} days: it is per month, and nothing "
                "says what a part of one (or several) costs. State proration='none' (whole), "
                "'days' (share of the billed days), 'month' (share of calendar months), or a "
                "number of days; or bill each month by itself."
            )
        return Fraction(1) if rule is None else self.factor(rule, s, e)

    def schedule(self, windows: Sequence[Window], other: str = OUT) -> Schedule | None:
        """The tariff's clock for some windows; None where there are none."""
        return Schedule(windows, self.holidays, other) if windows else None

    def quantity(self, value: Any) -> Decimal:
        """As it is printed and priced."""
        return rounded(value, self.places)

    def money(self, value: Any) -> Decimal:
        """As an amount."""
        return rounded(value, self.digits, self.rounding)

    def priced(
        self, charge: Charge, quantity: Decimal, unit: str, rate: Decimal, **more: Any
    ) -> Line:
        """A line of a charge."""
        return priced(
            more.pop("name", charge.name),
            charge.kind,
            quantity,
            unit,
            rate,
            digits=self.digits,
            rounding=self.rounding,
            charge=charge.name,
            **more,
        )

    def total(self, charges: Sequence[str]) -> Decimal:
        """What the lines of some charges before add up to [currency]."""
        return add([x.amount for x in self.done if x.charge in charges])

    def rounds(self, value: Decimal) -> Decimal:
        """How readings' energy is printed."""
        return self.quantity(value)

    def edges(self, s: int, e: int, flow: str, topic: str | None) -> dict[str, Any]:
        """The readings around a span, for a line of one element."""
        series = self.meters.registers(topic)
        names = ", ".join(c.name for c in series)
        if len(series) != 1:
            return {"element": names}
        found = reading(flowing(series[0], flow), s, e, self.meters.tz, self.rounds)
        return {"element": names} | {k: getattr(found, k) for k in _EDGES}

    def readings(self) -> tuple[Reading, ...]:
        """The readings around the whole period."""
        return self.meters.readings(self.start, self.end, self.rounds)

    def past(self, charge: Charge) -> list[Decimal]:
        """Measured demand before the period, for a ratchet.

        Raises
        ------
        ConfigError
            Where none was given: no history is said with an empty list.
        """
        told = self.history
        if isinstance(told, Mapping):
            told = told.get(charge.name)
        if told is None:
            raise ConfigError(
                f"Cannot price charge {charge.name!r}: its ratchet looks back on earlier months, "
                f"and history= does not have them. Pass history={{{charge.name!r}: [...]}} with "
                "the measured demand of earlier months, the oldest first ([] if there is none)."
            )
        return [EXACT.plus(Decimal(str(x))) for x in told]


_EDGES = (
    "open_at", "open_reading", "open_interpolated",
    "close_at", "close_reading", "close_interpolated",
)  # fmt: skip


def measured(state: State) -> dict[str, Any]:
    """A state as fields of a line."""
    return {"coverage": state.coverage, "status": state.status, "flags": state.flags}


def span_text(case: Case, s: int, e: int) -> str:
    """A part of the period as text, ``""`` for the whole."""
    if (s, e) == (case.start, case.end):
        return ""
    a, b = (stamp(x).tz_convert(case.meters.tz) for x in (s, e))
    return f"{a:%Y-%m-%d} to {b:%Y-%m-%d}"
