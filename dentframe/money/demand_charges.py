"""A demand charge prices the peak of a month or of each day, with tiers and ratchet."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from dentframe.errors import ConfigError, CoverageError, by
from dentframe.metering.register_rules import HOUR, resolve
from dentframe.money.charges import KVAH, Charge
from dentframe.money.rounding_and_tiers import EXACT, Tiers, add, exact, parts_of, times
from dentframe.money.tariff_usage import ALWAYS, OUT, Meters, State, greatest, stretches, worst
from dentframe.site.toml_tables import read_itself
from dentframe.times.dates_and_ranges import local, micros, stamp
from dentframe.times.periods import midnights
from dentframe.times.schedule import Schedule
from dentframe.verbs import demand as blocks
from dentframe.verbs.inputs_and_keywords import MEAN, interval_of
from dentframe.verbs.peaks import Candidates, highest, known, reported
from dentframe.wire.topics import TOPICS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dentframe.metering.energy_and_coverage import Cumulative
    from dentframe.metering.series import Floats, Ints
    from dentframe.money.statement import Line
    from dentframe.money.tariff_bill import Case

    Inside = tuple[Ints, Ints]


def ratchet(
    measured: Iterable[Any],
    percent: Any,
    lookback: int,
    minimum: Any = 0,
    history: Iterable[Any] = (),
) -> Any:
    """Billing demand under a ratchet.

    Parameters
    ----------
    measured : Series or sequence of float or Decimal
        Measured demand of each month, in order [kW].
    percent : float or Decimal
        Share of the highest earlier month that is billed at least [%], 0 to 100.
    lookback : int
        How many earlier months count.
    minimum : float or Decimal
        Contract minimum [kW].
    history : sequence
        Measured demand of the months before the first, the oldest first [kW].

    Returns
    -------
    Series or list
        Of the same length as `measured` [kW]. NaN where the month, or one of those it looks
        back on, is NaN: an unknown month may have been the highest.

    Raises
    ------
    ConfigError
        For a percentage or look-back that cannot be meant.

    Notes
    -----
    ``max(measured_m, p * max(measured_{m-k} .. measured_{m-1}), minimum)``: the look-back is on
    measured demand, not on billed demand, so that a ratchet expires.

    Examples
    --------
    >>> ratchet([100.0, 60.0, 60.0], 80, 11, minimum=70)
    [100.0, 80.0, 80.0]
    >>> ratchet([100.0, 60.0, 60.0], 80, 1)
    [100.0, 80.0, 60.0]
    """
    if isinstance(lookback, bool) or not isinstance(lookback, int) or lookback < 0:
        raise ConfigError(f"Cannot use lookback={lookback!r}: it is a whole number of months.")
    if not 0 <= percent <= 100:
        raise ConfigError(f"Cannot use percent={percent!r}: it is a percentage, from 0 to 100.")
    values, before = list(measured), list(history)
    every = [*before, *values]
    billed = []
    for i in range(len(before), len(every)):
        now, earlier = every[i], every[max(i - lookback, 0) : i]
        if any(x != x for x in (now, *earlier)):  # noqa: PLR0124 - NaN is the only such value
            billed.append(float("nan"))
        else:
            shares = (_like(x, percent) * x / 100 for x in earlier)
            billed.append(max(now, _like(now, minimum), *shares))
    return pd.Series(billed, measured.index) if isinstance(measured, pd.Series) else billed


def _like(example: Any, value: Any) -> Any:
    """A number in the representation of another: Decimal, or float."""
    return Decimal(str(value)) if isinstance(example, Decimal) else float(value)


def adjusted_demand(kw: Any, power_factor: Any, target: Any) -> Any:
    """Demand raised for a power factor below target.

    Parameters
    ----------
    kw, power_factor, target : float or Decimal
        Measured demand [kW], its power factor [1] and the tariff's target [1].

    Returns
    -------
    float or Decimal
        ``kw * target / power_factor`` where the power factor is below target, else `kw` [kW].

    Raises
    ------
    ConfigError
        For a power factor or target outside (0, 1].

    Examples
    --------
    >>> adjusted_demand(16.0, 0.8, 0.9)
    18.0
    """
    for name, value in (("power_factor", power_factor), ("target", target)):
        if not 0 < value <= 1:
            raise ConfigError(f"Cannot use {name}={value!r}: it must be above 0, at most 1.")
    return kw if power_factor >= target else kw * target / power_factor


@dataclass(frozen=True)
class Peak:
    """A measured demand: the mean of the n highest, exact [kW], and the instant of the first."""

    kw: Decimal
    at: pd.Timestamp
    state: State


def _elsewhere(
    meters: Meters, series: Sequence[Cumulative], kw: Floats, peak: float
) -> tuple[bool, str]:
    """Whether a peak holds whatever uncovered elements drew, else what would show it."""
    rules = [resolve(meters.keywords.registers, c.meter, c.element, meters.tz) for c in series]
    most = np.array([x.max_kw for x in rules], dtype=float)
    worst = blocks.unaffected(kw, most, peak)
    if worst.below or worst.room <= 0:
        return worst.below, ""
    who = ", ".join(c.name for c, blank in zip(series, worst.missing, strict=True) if blank)
    return False, (
        f" If {who} cannot have drawn {worst.room:.2f} kW then, state that as "
        f"{by('max_kw= in RegisterRules', '--max-kw')}: then the peak lies elsewhere, and it is "
        "accepted."
    )


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

    percent: Any = field(metadata={"read": "decimal"})
    lookback: int
    minimum: Any = field(default=Decimal(0), metadata={"read": "decimal"})

    def __post_init__(self) -> None:
        read_itself(self, "a ratchet")
        ratchet([Decimal(0)], self.percent, self.lookback, self.minimum)


@dataclass(frozen=True)
class Demand(Charge):
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
    rate: Any = field(metadata={"read": "rate"})
    windows: Any = field(default=(), metadata={"read": "windows"})
    season: Any = field(default=None, metadata={"read": "season"})
    tiers: Any = field(default=(), metadata={"read": "tiers"})
    measure: str = field(default="block", metadata={"one_of": ("block", "rolling", "reported")})
    window: str = "15min"
    step: str | None = None
    per: str = field(default="month", metadata={"one_of": ("month", "day")})
    n: int = field(default=1, metadata={"least": 1})
    one_per_day: bool = False
    ratchet: Any = field(default=None, metadata={"read": "setting", "of": Ratchet})
    target_power_factor: Any = field(default=None, metadata={"read": "decimal"})
    topic: str | None = None
    proration: Any = field(default=None, metadata={"read": "proration"})

    def faults(self) -> Iterator[str]:
        """What its fields together cannot mean."""
        Tiers(self.tiers).rates(self.rate, self.name)
        if self.per == "day" and (self.ratchet or self.target_power_factor is not None):
            yield "per='day' has no ratchet and no target_power_factor: both are of a month."
        if self.measure == "reported" and (self.step or self.window != "15min"):
            yield (
                "measure='reported' has no window or step, for the meter has its own. Use "
                "measure='block' or 'rolling'."
            )

    def lines(self, case: Case) -> list[Line]:
        """One line a tier; none where no interval lies in the windows."""
        meters, tiers = case.meters, Tiers(self.tiers)
        source = "demand" if self.measure == "reported" else meters.source
        series = meters.means(self.topic, source if self.topic is None else "auto")
        found = list(self._peaks(case, series))
        if not found:
            return []
        unit = TOPICS[self.topic or MEAN].unit.removesuffix("h")
        state = vars(worst([p.state for p in found]))
        more: dict[str, Any] = {"element": ", ".join(c.name for c in series), **state}
        if self.per == "day":  # each day fills the tiers anew
            days = [tiers.fill(case.quantity(max(p.kw, Decimal(0)))) for p in found]
            parts, per = [case.quantity(add(x)) for x in zip(*days, strict=True)], "day"
            more["note"] = f"highest demand of each of {len(found)} days, added up"
        else:
            parts, per, more["note"], more["measured"] = self._month(case, found[0], unit)
        return case.lines(self.name, tiers, parts, self.rate, unit, per, **more)

    def _peaks(self, case: Case, series: Sequence[Cumulative]) -> Iterator[Peak]:
        """The demand of the span, or of each local day in it; none without an interval."""
        s, e, tz = case.span.start, case.span.end, case.meters.tz
        schedule = Schedule(self.windows, case.tariff.holidays, OUT) if self.windows else ALWAYS
        days = midnights(stamp(s), stamp(e), tz) if self.per == "day" else []
        for a, b in pairwise(sorted({s, e, *map(micros, days)})):
            starts, ends, names = stretches(a, b, schedule, tz)
            own = np.array([w != OUT for w in names])
            if own.any():
                yield from self._peak(case.meters, series, a, b, (starts[own], ends[own]))

    def _peak(
        self, meters: Meters, series: Sequence[Cumulative], s: int, e: int, inside: Inside
    ) -> Iterator[Peak]:
        """The demand between two instants [us UTC], none where there is no interval.

        The stretches `inside` are those of the windows: an interval counts that starts in one.
        """
        demands = self._demands(meters, series, s, e, inside)
        if demands is None:
            return
        found, covered, together, whole, kw = demands
        top = highest(found, self.n, meters.tz if self.one_per_day else None)
        below, more = False, ""
        if len(series) > 1 and len(top.kw) and np.isnan(kw).any():
            below, more = _elsewhere(meters, series, kw, float(top.kw.min()))
        what, states = f"{self.measure} demand", []
        for c, own in zip(series, covered, strict=True):
            flags = c.flags_in(np.array([s]), np.array([e]), of_edges=False)
            states.append((c, State.of(own, whole, flags)))
        state = meters.accepted(states, s, e, what, unaffected=below, more=more)
        if len(top.kw) == 0:
            raise CoverageError(
                f"Cannot bill {what} from {stamp(s)} to {stamp(e)}: no interval in it is wholly "
                "covered. Read the period again, or bill an agreed figure of your own."
            )
        # Of a register the noise is that of kWh over a block's hours.
        most = 0.0 if self.measure == "reported" else max(map(greatest, series))
        noise = most * HOUR / float((top.e - top.s).min())
        total = add([exact(float(x), scale=noise) for x in top.kw])
        mean = EXACT.divide(total, Decimal(len(top.kw)))
        yield Peak(mean, local(top.s[:1], meters.tz)[0], replace(state, coverage=together / whole))

    def _demands(
        self, meters: Meters, series: Sequence[Cumulative], s: int, e: int, inside: Inside
    ) -> tuple[Candidates, list[int], int, int, Floats] | None:
        """The demands among which a peak is sought, and how well they are covered.

        Returns
        -------
        tuple, or None where no interval lies in the windows
            The demands of all elements together; how much each element covers, all of them
            cover, and there is (blocks, or time [us]); the demand of each element, NaN where
            not covered [kW], shape (elements, blocks).
        """
        interval = meters.keywords.interval
        if self.measure != "reported":
            cut = blocks.cut(self.measure, self.window, self.step, interval)
            a, b = blocks.span(cut, np.array([s]), np.array([e]), meters.tz)
            there = (a >= s) & (b <= e) & (blocks.owner(a, a + 1, *inside) >= 0)
            a, b = a[there], b[there]
            if len(a) == 0:
                return None
            kw = np.stack([blocks.means(c, a, b, interval_of(interval, c.meter)) for c in series])
            found = known(a, b, sum(kw, np.zeros(len(a))), np.zeros(len(a), dtype=np.int64))
            full = found.only(blocks.of_full_length(cut, found.s, found.e))
            return full, (~np.isnan(kw)).sum(axis=1).tolist(), len(found.kw), len(a), kw
        if len(series) != 1:
            raise ConfigError(
                f"Cannot add up measure='reported' of {len(series)} elements: their means need not "
                "be of the same time. Use measure='block', or bill each element by itself."
            )
        c = series[0]
        found = reported(c, np.array([s]), np.array([e]), interval_of(interval, c.meter))
        covered, whole = int(c.covered(*inside).sum()), int((inside[1] - inside[0]).sum())
        found = found.only(blocks.owner(found.s, found.s + 1, *inside) >= 0)
        return found, [covered], covered, whole, np.empty((0, 0))

    def _month(
        self, case: Case, peak: Peak, unit: str
    ) -> tuple[list[Decimal], str, str, Decimal | None]:
        """The demand that is billed by tier, per what, a note and, where it differs, the peak.

        A demand fed back costs nothing.
        """
        billed, notes, r = max(peak.kw, Decimal(0)), [], self.ratchet
        if self.target_power_factor is not None:
            kvah, kwh = (case.energy(x, " by power factor")[0] for x in (KVAH, "kWHNet"))
            pf = EXACT.divide(kwh, kvah) if kvah > 0 and kwh > 0 else Decimal(1)
            billed = adjusted_demand(billed, min(pf, Decimal(1)), self.target_power_factor)
            notes.append(f"power factor {pf:.4f}, target {self.target_power_factor}")
        if r is not None:
            past = case.past() if r.lookback else []
            raised = ratchet([billed], r.percent, r.lookback, r.minimum, past)[0]
            if raised != billed:
                notes.append(f"ratchet {r.percent} % of {r.lookback} months, at least {r.minimum}")
            billed = raised
        tiers, per = Tiers(self.tiers).fill(case.quantity(billed)), ""
        months = case.span.due(self)
        if months != 1:
            per = "month"
            days = len(case.span.days)
            notes.append(f"{add(tiers)} {unit} for {days} days: {months} of a month")
            parts = [times(x, months) for x in tiers]
            tiers = parts_of(parts, case.quantity(add(parts)), case.meters.places)
        measured = peak.kw if notes or r is not None else None
        notes.append(f"{case.quantity(peak.kw)} {unit} at {peak.at:%Y-%m-%d %H:%M}")
        return tiers, per, "; ".join(filter(None, [case.span.text, *notes])), measured
