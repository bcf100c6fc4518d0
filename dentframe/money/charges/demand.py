"""Demand: the peak of a month or of each day, with tiers, ratchet, power factor. One kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from dentframe.errors import ConfigError
from dentframe.money import tiers as _tiers
from dentframe.money.case import Case, measured, span_text
from dentframe.money.days import check_proration
from dentframe.money.energies import worst
from dentframe.money.fields import (
    check_choice,
    date_of,
    made,
    put,
    rate_of,
    rates_of,
    windows_of,
)
from dentframe.money.maximum import MEASURES, How, peaks
from dentframe.money.meters import require
from dentframe.money.rounding import EXACT, add, parts_of
from dentframe.ratchets import adjusted_demand, ratchet

if TYPE_CHECKING:
    from dentframe.money.lines import Line
    from dentframe.money.maximum import Peak


@dataclass(frozen=True)
class Ratchet:
    """At least a share of the highest earlier month is billed.

    Parameters
    ----------
    percent : Decimal, str or number
        Of the highest measured demand of the months looked back on [%].
    lookback : int
        How many months.
    minimum : Decimal, str or number
        Contract minimum [kW].
    """

    percent: Any
    lookback: int
    minimum: Any = Decimal(0)

    def __post_init__(self) -> None:
        put(self, percent=rate_of(self.percent, "percent"))
        put(self, minimum=rate_of(self.minimum, "minimum"))
        ratchet([Decimal(0)], self.percent, self.lookback, self.minimum)


@dataclass(frozen=True)
class Demand:
    """A price per kW of the highest demand.

    Parameters
    ----------
    name : str
        The line's name.
    rate : Decimal, str or number, or a list of one per tier
        [currency/kW].
    windows : sequence of Window or dict
        Only intervals that start in them count.
    season : tuple of two str, optional
        ``("06-01", "09-30")``.
    tiers : sequence of number
        Upper edges of all tiers but the last [kW]; ``tiers=[50], rate=[0, 9]`` has 50 kW free.
    measure : str
        ``"block"`` (clock), ``"rolling"``, or ``"reported"`` (the meter's own DemandkW).
    window, step : str
        Length of a block or rolling window, and between the ends of rolling windows.
    per : str
        ``"month"`` (of the billing period) or ``"day"`` (of each local day, added up).
    n : int
        The mean of the n highest is billed.
    one_per_day : bool
        At most one of the n from each local day.
    ratchet : Ratchet or dict, optional
        Needs ``history=`` in `bill`.
    target_power_factor : Decimal, str or number, optional
        Below it, ``kW * target / PF`` is billed; PF is kWh / kVAh of the period.
    topic : str, optional
        ``"kVAHNet"`` bills kVA.
    proration : str or int
        What a part of a month costs: ``"none"``, ``"days"``, ``"month"`` or days of a month.
    valid_from, valid_to : date or str, optional
        Local days ``[valid_from, valid_to)``.

    Raises
    ------
    ConfigError
        For a field that cannot be meant.
    """

    kind: ClassVar[str] = "demand"
    name: str
    rate: Any
    windows: Any = ()
    season: Any = None
    tiers: Any = ()
    measure: str = "block"
    window: str = "15min"
    step: str | None = None
    per: str = "month"
    n: int = 1
    one_per_day: bool = False
    ratchet: Any = None
    target_power_factor: Any = None
    topic: str | None = None
    proration: Any = None
    valid_from: Any = None
    valid_to: Any = None

    def __post_init__(self) -> None:
        target, steps = self.target_power_factor, self.ratchet
        steps = made(Ratchet, steps, "ratchet") if isinstance(steps, Mapping) else steps
        put(
            self,
            rate=rates_of(self.rate, "rate"),
            windows=windows_of(self.windows, self.season, self.name),
            season=None,
            tiers=_tiers.edges_of(self.tiers, self.name),
            ratchet=steps,
            target_power_factor=None if target is None else rate_of(target, "target_power_factor"),
            proration=check_proration(self.proration, "proration", self.name),
            valid_from=date_of(self.valid_from, "valid_from"),
            valid_to=date_of(self.valid_to, "valid_to"),
        )
        check_choice(self.measure, MEASURES, "measure", self.name)
        check_choice(self.per, ("month", "day"), "per", self.name)
        _check(self)

    def lines(self, case: Case) -> list[Line]:
        """One line a tier; none where no interval lies in the windows."""
        span = case.valid(self)
        if span is None:
            return []
        how = How(self.measure, self.window, self.step, self.n, self.one_per_day, self.topic)
        schedule = case.schedule(self.windows)
        found = peaks(case.meters, *span, schedule, how, daily=self.per == "day")
        if not found:
            return []
        return self._daily(case, found) if self.per == "day" else self._monthly(case, found[0])

    @property
    def _unit(self) -> str:
        return "kVA" if self.topic is not None and "kVA" in self.topic.replace("H", "") else "kW"

    def _daily(self, case: Case, found: list[Peak]) -> list[Line]:
        """The demands of all days; each day fills the tiers anew."""
        rates = self.rate if isinstance(self.rate, tuple) else (self.rate,)
        days = [_tiers.fill(case.quantity(_positive(p.kw)), self.tiers) for p in found]
        state = worst([p.state for p in found])
        note = f"highest demand of each of {len(found)} days, added up"
        who = found[0].elements
        return [
            case.priced(self, case.quantity(add([d[i] for d in days])), f"{self._unit}·day", rate,
                        name=self._label(i), note=note, element=who, **measured(state))
            for i, rate in enumerate(rates)
        ]  # fmt: skip

    def _monthly(self, case: Case, peak: Peak) -> list[Line]:
        span = case.valid(self) or (case.start, case.end)
        billed, notes = self._billed(case, peak.kw)
        months = case.months(self, self.proration, *span)
        tiers = _tiers.fill(case.quantity(billed), self.tiers)
        unit = self._unit
        if months != 1:
            n, whole = len(case.days(*span)), tiers
            share = Decimal(months.numerator), Decimal(months.denominator)
            tiers = [EXACT.divide(EXACT.multiply(q, share[0]), share[1]) for q in whole]
            tiers = parts_of(tiers, case.quantity(add(tiers)), case.places)
            notes.append(f"{add(whole)} {unit} for {n} days: {months} of a month")
            unit = f"{unit}·month"
        notes.append(f"{case.quantity(peak.kw)} {self._unit} at {peak.at:%Y-%m-%d %H:%M}")
        where = span_text(case, *span)
        more = {
            **measured(peak.state),
            "element": peak.elements,
            "note": "; ".join([*([where] if where else []), *notes]),
            "measured": peak.kw if notes[:-1] or self.ratchet else None,
        }
        rates = self.rate if isinstance(self.rate, tuple) else (self.rate,)
        return [
            case.priced(self, q, unit, rate, name=self._label(i), **more)
            for i, (q, rate) in enumerate(zip(tiers, rates, strict=True))
            if i == 0 or q
        ]

    def _billed(self, case: Case, kw: Decimal) -> tuple[Decimal, list[str]]:
        """Billing demand of a measured one, and what raised it."""
        billed, notes = _positive(kw), []
        if self.target_power_factor is not None:
            pf = _power_factor(case, self)
            billed = adjusted_demand(billed, min(pf, Decimal(1)), self.target_power_factor)
            notes.append(f"power factor {pf:.4f}, target {self.target_power_factor}")
        if self.ratchet is not None:
            r = self.ratchet
            past = case.past(self) if r.lookback else []
            raised = ratchet([billed], r.percent, r.lookback, r.minimum, past)[0]
            if raised != billed:
                notes.append(f"ratchet {r.percent} % of {r.lookback} months, at least {r.minimum}")
            billed = raised
        return billed, notes

    def _label(self, tier: int) -> str:
        tail = _tiers.label(self.tiers, tier, self._unit) if self.tiers else ""
        return f"{self.name} {tail}".strip()


def _positive(kw: Decimal) -> Decimal:
    """A demand fed back is no negative price."""
    return max(kw, Decimal(0))


def _power_factor(case: Case, charge: Demand) -> Decimal:
    span = case.valid(charge) or (case.start, case.end)
    require(case.meters, "kVAHNet", f"price charge {charge.name!r} by power factor")
    kwh, kvah = (
        add([p.energy for p in case.meters.energy(*span, None, topic=t).pieces])
        for t in ("kWHNet", "kVAHNet")
    )
    if kvah <= 0 or kwh <= 0:
        return Decimal(1)
    return EXACT.divide(kwh, kvah)


def _check(charge: Demand) -> None:
    rates = charge.rate if isinstance(charge.rate, tuple) else (charge.rate,)
    if len(rates) != len(charge.tiers) + 1:
        raise ConfigError(
            f"Cannot price charge {charge.name!r}: {len(charge.tiers)} tier edges need "
            f"{len(charge.tiers) + 1} rates, given are {len(rates)}."
        )
    if isinstance(charge.n, bool) or not isinstance(charge.n, int) or charge.n < 1:
        raise ConfigError(f"Cannot use n={charge.n!r} in charge {charge.name!r}: use 1 or more.")
    if charge.per == "day" and (charge.ratchet or charge.target_power_factor is not None):
        raise ConfigError(
            f"Cannot use per='day' with a ratchet or target_power_factor in charge "
            f"{charge.name!r}: both are of a month."
        )
    if charge.measure == "reported" and (charge.step or charge.window != "15min"):
        raise ConfigError(
            f"Cannot use window or step with measure='reported' in charge {charge.name!r}: the "
            "meter has its own window. Use measure='block' or 'rolling'."
        )
