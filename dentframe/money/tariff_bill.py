"""A bill is a tariff applied to the readings of some elements over one billing period."""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from dentframe.archive.archive import Archive
from dentframe.errors import ConfigError, RangeError, UnknownTopicError, by
from dentframe.metering.series import time_index
from dentframe.money.charges import KVAH, KVARH, Reactive, as_list
from dentframe.money.earlier_and_daily_use import daily
from dentframe.money.occupancy import OWN, Occupancy
from dentframe.money.rounding_and_tiers import EXACT, Tiers, add, digits_of, exact, rounded
from dentframe.money.statement import Line, Past, Statement
from dentframe.money.tariff import Tariff
from dentframe.money.tariff_usage import ALWAYS, Meters, State
from dentframe.times.dates_and_ranges import Zone, instant, micros, stamp, zone
from dentframe.times.periods import midnights, verb_zone
from dentframe.verbs.inputs_and_keywords import DEFAULT_RULES, MEAN, REGISTER, VerbKeywords
from dentframe.verbs.result_frames_and_warnings import warn_of_power, warn_of_withheld

if TYPE_CHECKING:
    import pandas as pd

    from dentframe.metering.register_rules import RegisterRules


def topics(tariff: Tariff) -> list[str]:
    """The topics that a tariff's charges read, each once; those of its energy first.

    Parameters
    ----------
    tariff : Tariff
        What is to be priced.

    Returns
    -------
    list of str
        ``kVARHNet`` is among them where a charge takes it if it is there.

    Examples
    --------
    >>> from dentframe.money import Energy, Tariff
    >>> topics(Tariff("Flat", [Energy("Energy", "0.12")]))
    ['kWHNet', 'DemandkW']
    """
    found = [REGISTER, MEAN]
    for charge in tariff.charges:
        if getattr(charge, "topic", None):
            found.append(charge.topic)
        if getattr(charge, "target_power_factor", None) is not None:
            found.append(KVAH)
        elif isinstance(charge, Reactive):
            found += [KVAH, KVARH]
    return list(dict.fromkeys(found))


def check_period(tariff: Tariff, start: Any, end: Any, tz: Zone) -> None:
    """Refuse a period that a charge per month cannot be priced for, before it is read.

    Parameters
    ----------
    tariff : Tariff
        What is to be priced.
    start, end : Timestamp
        The period ``[start, end)``.
    tz : str or tzinfo
        The zone of the calendar.

    Raises
    ------
    ConfigError
        Naming the charge, the days and what to state.
    """
    for charge, span in spans(tariff, (micros(start), micros(end)), zone(tz)):
        if hasattr(charge, "per"):
            span.due(charge)


@dataclass(frozen=True)
class Span:
    """The part of a billing period in which a charge is valid.

    Attributes
    ----------
    start, end : int
        The part [us UTC].
    period : tuple of int
        The whole period [us UTC].
    tz : tzinfo
        The zone of the calendar.
    """

    start: int
    end: int
    period: tuple[int, int]
    tz: dt.tzinfo

    @property
    def is_whole(self) -> bool:
        """Whether the charge is valid in the whole period."""
        return (self.start, self.end) == self.period

    @property
    def days(self) -> list[dt.date]:
        """The local days that begin in it."""
        each = midnights(stamp(self.start), stamp(self.end), self.tz)
        return [x.tz_convert(self.tz).date() for x in each]

    @property
    def text(self) -> str:
        """Its dates, ``""`` for the whole period."""
        a, b = (stamp(x).tz_convert(self.tz) for x in (self.start, self.end))
        return "" if self.is_whole else f"{a:%Y-%m-%d} to {b:%Y-%m-%d}"

    def factor(self, rule: Any) -> Fraction:
        """The part of a monthly amount or limit that falls on its days.

        Parameters
        ----------
        rule : str or int
            ``"none"``: 1. ``"days"``: their share of the billing period's. ``"month"``: each day
            is one part of its calendar month. A number: each day is one part of so many.
        """
        if rule == "none":
            return Fraction(1)
        if rule == "month":
            months = (calendar.monthrange(d.year, d.month)[1] for d in self.days)
            return sum((Fraction(1, n) for n in months), Fraction(0))
        first, last = map(stamp, self.period)
        whole = rule if isinstance(rule, int) else len(midnights(first, last, self.tz))
        return Fraction(len(self.days), max(whole, 1))

    def due(self, charge: Any) -> Fraction:
        """How many months or days (by `charge.per`) a charge is due for.

        Raises
        ------
        ConfigError
            Where it is no ordinary month, and a charge per month does not say how to prorate.
        """
        n = len(self.days)
        if charge.per == "day":
            return Fraction(n)
        if charge.proration is not None:
            return self.factor(charge.proration)
        if not self.is_whole or not 25 <= n <= 36:
            raise ConfigError(
                f"Cannot price charge {charge.name!r} for {n} days: it is per month, and nothing "
                "says what a part of one (or several) costs. State proration='none' (whole), "
                "'days' (share of the billed days), 'month' (share of calendar months), or a "
                "number of days; or bill each month by itself."
            )
        return Fraction(1)


def spans(tariff: Tariff, period: tuple[int, int], tz: dt.tzinfo) -> Iterator[tuple[Any, Span]]:
    """The charges that are valid in some part of a period, each with that part."""
    for charge in tariff.charges:
        start, end = period
        if charge.valid_from is not None:
            start = max(start, micros(instant(charge.valid_from, tz)))
        if charge.valid_to is not None:
            end = min(end, micros(instant(charge.valid_to, tz)))
        if start < end:
            yield charge, Span(start, end, period, tz)


@dataclass(frozen=True)
class Case:
    """One charge of a tariff that is priced for its span of a billing period.

    Attributes
    ----------
    charge : charge
        What is priced.
    span : Span
        The part of the period in which it is valid.
    tariff : Tariff
        Whose charge it is.
    meters : Meters
        The readings.
    rounding : str
        Of amounts.
    history : mapping, sequence or None
        Measured demand before the period, by charge or for the only ratchet [kW].
    done : tuple of Line
        The lines of the charges before.
    """

    charge: Any
    span: Span
    tariff: Tariff
    meters: Meters
    rounding: str
    history: Mapping[str, Sequence[Any]] | Sequence[Any] | None
    done: tuple[Line, ...]

    def quantity(self, value: Any) -> Decimal:
        """As it is printed and priced."""
        return rounded(value, self.meters.places)

    def money(self, value: Any) -> Decimal:
        """As an amount; nothing is rounded where quantities are not."""
        digits = None if self.meters.places is None else digits_of(self.tariff.currency)
        return rounded(value, digits, self.rounding)

    def line(
        self, quantity: Decimal, unit: str, rate: Decimal, name: str = "", **more: Any
    ) -> Line:
        """A line of the charge."""
        charge, amount = self.charge, self.money(EXACT.multiply(quantity, rate))
        more["charge"] = charge.name
        return Line(name or charge.name, charge.kind, quantity, unit, rate, amount, **more)

    def lines(
        self, name: str, tiers: Tiers, parts: Sequence[Decimal], rate: Any, unit: str,
        per: str = "", **more: Any,
    ) -> list[Line]:  # fmt: skip
        """A line for the first tier, and for each other that has a part of the quantity.

        Of a quantity `per` day each tier has its line, since days fill them anew.
        """
        rates = tiers.rates(rate, self.charge.name)
        return [
            self.line(x, f"{unit}·{per}" if per else unit, each,
                      f"{name} {tiers.label(i, unit)}".strip(), **more)
            for i, (x, each) in enumerate(zip(parts, rates, strict=True))
            if i == 0 or x or per == "day"
        ]  # fmt: skip

    def bases(self) -> tuple[tuple[str, ...], Decimal]:
        """The charges before that a tax or a minimum is taken of, and their total [currency]."""
        on = self.charge.on
        taken = [x for x in self.done if (x.kind != "tax" if on is None else x.charge in on)]
        charges = tuple(dict.fromkeys(x.charge for x in taken))
        return charges, add([x.amount for x in self.done if x.charge in charges])

    def energy(self, topic: str, how: str = "") -> tuple[Decimal, State]:
        """What a register measured in the span, exact [its unit], and its state.

        Parameters
        ----------
        topic : str
            The register.
        how : str
            By what the charge needs it, for the error.

        Raises
        ------
        UnknownTopicError
            Where the readings have no such register beside that of kWh.
        """
        if topic != REGISTER and not self.meters.has(topic):
            raise UnknownTopicError(
                f"Cannot price charge {self.charge.name!r}{how}: the readings have no "
                f'{topic}/Elm/... column. Read topics=[..., "{topic}"] as well.'
            )
        pieces, states, _ = self.meters.energy(self.span.start, self.span.end, ALWAYS, topic=topic)
        return add(x for _, x in pieces), states[""]

    def past(self) -> list[Decimal]:
        """Measured demand before the period, for a ratchet.

        Raises
        ------
        ConfigError
            Where none was given: no history is said with an empty list.
        """
        name, earlier = self.charge.name, self.history
        if isinstance(earlier, Mapping):
            earlier = earlier.get(name)
        if earlier is None:
            raise ConfigError(
                f"Cannot price charge {name!r}: its ratchet looks back on earlier months, "
                + by(
                    f"and history= does not have them. Pass history={{{name!r}: [...]}} with the "
                    "measured demand of earlier months, the oldest first ([] if there is none).",
                    "and their peaks are not given. Give --history PEAKS.csv with the columns "
                    f"period (2023-11) and peak or {name!r}; with no row if there is none.",
                )
            )
        return [EXACT.plus(Decimal(str(x))) for x in earlier]


def bill(
    df: pd.DataFrame | Archive,
    tariff: Tariff,
    start: Any,
    end: Any,
    *,
    tz: Zone,
    elements: Any = None,
    registers: RegisterRules = DEFAULT_RULES,
    source: str = "auto",
    accept: Sequence[str] = ("recorded",),
    places: int | None = 2,
    rounding: str = "half-up",
    edges: str = "last_reading",
    history: Mapping[str, Sequence[Any]] | Sequence[Any] | None = None,
    interval: Any = "15min",
    demand_lag: Any = "0min",
    party: str = "",
    title: str = "Electricity statement",
    comparison: Sequence[Past] = (),
    notes: Sequence[str] = (),
    read_at: pd.Timestamp | None = None,
) -> Statement:
    """Price one billing period of some elements.

    Parameters
    ----------
    df : pandas.DataFrame or Archive
        Wire-named columns over time, or over (meter, time), shape (readings, columns). Of an
        archive the period is read, with its bracketing readings, and nothing is asked.
    tariff : Tariff
        What it costs.
    start, end : str, date, datetime or Timestamp
        The billing period ``[start, end)``: one month for charges per month.
    tz : str or tzinfo
        The zone of the calendar, of the tariff's clock and of naive bounds.
    elements : str, list of str, optional
        Whose energy is added up, ``"all"`` allowed; may be left out where there is one. Of an
        archive by full ids, ``"P482311252_A"``.
    registers : RegisterRules
        What is known about the registers, corrections among it. By windows of time an agreed
        figure is priced where it states what was used in each; else it is refused.
    source : str
        As in `energy`; demand charges read DemandkW first, unless it is ``"register"``.
    accept : sequence of str
        Statuses that may be billed; the others are refused.
    places : int or None
        Decimals of quantities, which are rounded before they are priced (half-up). Amounts
        have the decimals of the currency. None rounds nothing, for cross-checks.
    rounding : str
        Of amounts: ``"half-up"`` or ``"half-even"``.
    edges : str
        ``"last_reading"``: energy lies between the last readings at or before the ends of the
        period and of a charge's validity, so that used is closing less opening, as printed.
        ``"interpolate"``: it is that of the instants themselves.
    history : mapping of charge to sequence, or sequence, optional
        Measured demand of the months before, the oldest first [kW]: for ratchets.
    interval, demand_lag : str, timedelta, or mapping by meter
        A mean stamped t covers ``(t - demand_lag - interval, t - demand_lag]``.
    party, title, comparison, notes, read_at : optional
        What the statement shows beside its lines.

    Returns
    -------
    Statement

    Raises
    ------
    CoverageError
        For a figure whose status is not accepted: element, period, status and what to do.
    ConfigError
        For a setting that cannot be meant, or one that must be stated and is not.
    RangeError, KindError, UnknownTopicError, UnknownMeterError, UnitError
        As `energy`.
    IncompleteReadError
        Where an archive does not hold all of the period.

    Notes
    -----
    The edges of time-of-use windows stay on the clock and are interpolated; time before the
    nominal start has the start's window. Windows and tiers share what was used by largest
    remainder. A closing needs a reading at or after it, else the figure is partial.
    A demand interval belongs to the window it starts in.

    Examples
    --------
    >>> from dentframe.money import Energy
    >>> t = pd.date_range("2024-01-01", periods=32, freq="D", tz="UTC")
    >>> readings = pd.DataFrame({"kWHNet/Elm/A": [10.0 * i for i in range(32)]}, index=t)
    >>> flat = Tariff("Flat", [Energy("Energy", "0.12")], currency="USD")
    >>> bill(readings, flat, "2024-01-01", "2024-02-01", tz="UTC").total
    Decimal('37.20')
    """
    rounded(0, places, rounding)  # refuses settings that cannot be meant, before it reads
    if not isinstance(tariff, Tariff):
        raise ConfigError(f"Cannot price by {tariff!r}: use a Tariff, e.g. Tariff.load(path).")
    if isinstance(df, Archive):
        named = df.meters() if elements is None or elements == "all" else elements
        df = df.read(named, start, end, tz=tz, bracket=True)
    zone = verb_zone(time_index(df).tz, tz)
    keywords = VerbKeywords.of(
        df, None, zone, start, end, registers, interval, demand_lag, elements
    )
    meters = Meters(df, zone, elements, keywords, source, accept, edges, places)
    first, last = instant(start, zone, "start"), instant(end, zone, "end")
    if first >= last:
        raise RangeError(
            f"Cannot bill from {start!r} to {end!r}: start is not before end. The period is "
            "half-open, [start, end)."
        )
    period, lines = (micros(first), micros(last)), tuple[Line, ...]()
    for charge, span in spans(tariff, period, zone):
        case = Case(charge, span, tariff, meters, rounding, history, lines)
        lines = (*lines, *charge.lines(case))
    series = meters.registers()
    # Steps that count as no use are warned of, after whatever is refused.
    warn_of_power(series, np.array(period[:1]), np.array(period[1:]), zone)
    warn_of_withheld(series, *period)
    held = [Occupancy(c.name, OWN, party, first, last) for c in series]
    return Statement(
        party=party,
        title=title,
        start=first.tz_convert(zone),
        end=last.tz_convert(zone),
        tz=str(zone),
        currency=tariff.currency,
        lines=lines,
        readings=tuple(meters.reading(c, *period) for c in series),
        comparison=tuple(comparison),
        tariff=tariff.to_dict(),
        places=places,
        rounding=rounding,
        notes=tuple(as_list(notes, "notes of a bill", "['Read by hand']")),
        read_at=read_at,
        daily=tuple(daily(series, held, (first, last), zone, places).get(party, ())),
    )


def over_recovery(statements: Sequence[Statement], charged: Any, *, allow: bool = False) -> Decimal:
    """What statements collect beyond a utility's bill.

    Parameters
    ----------
    statements : sequence of Statement
        All parties' of one period, landlord and export included.
    charged : Decimal, int or str
        What the utility charged [currency].
    allow : bool
        Whether more may be collected; then print what this returns.

    Returns
    -------
    Decimal
        The excess, 0 or more [currency].

    Raises
    ------
    ConfigError
        Where the statements collect more and nobody allowed it.
    """
    total, cost = add([x.total for x in statements]), exact(charged, "charged")
    excess = max(EXACT.subtract(total, cost), Decimal(0))
    if excess and not allow:
        raise ConfigError(
            f"Cannot bill {total}: the utility charged {cost}, which is {excess} less. Pricing "
            "each tenant on the building's tariff can collect more than it cost. Split the bill "
            "instead, or pass allow=True and print the excess."
        )
    return excess
