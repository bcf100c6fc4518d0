"""A demand charge prices the peak of a month or of each day, with tiers and ratchet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from dentframe.errors import ConfigError, CoverageError, by
from dentframe.metering import blocks
from dentframe.metering.cumulative import STATUSES, share, status
from dentframe.metering.registers import HOUR, resolve
from dentframe.metering.series import names as flag_names
from dentframe.money import energy_charges as _tiers
from dentframe.money.pricing import (
    Case,
    check_choice,
    made,
    measured,
    put,
    rate_of,
    read_fields,
    span_text,
)
from dentframe.money.rounding import EXACT, add, exact, parts_of
from dentframe.money.usage import Meters, State, greatest, require, stretches, unaffected, worst
from dentframe.times.periods import calendar
from dentframe.times.ranges import ints, local, stamp
from dentframe.verbs.inputs import interval_of
from dentframe.verbs.peaks import Candidates, highest, known, reported

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dentframe.metering.cumulative import Cumulative
    from dentframe.metering.series import Floats, Ints
    from dentframe.money.statement import Line
    from dentframe.times.schedule import Schedule


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
    billed = [
        _billed(every[max(i - lookback, 0) : i], every[i], percent, minimum)
        for i in range(len(before), len(every))
    ]
    return pd.Series(billed, measured.index) if isinstance(measured, pd.Series) else billed


def _billed(earlier: list[Any], now: Any, percent: Any, minimum: Any) -> Any:
    if any(x != x for x in (now, *earlier)):  # noqa: PLR0124 - NaN is the only such value
        return float("nan")
    return max(now, _like(now, minimum), *(_like(x, percent) * x / 100 for x in earlier))


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


MEASURES = ("block", "rolling", "reported")


@dataclass(frozen=True)
class How:
    """How a demand is measured: kind, window, step, n highest, one of each day, topic."""

    measure: str
    window: str
    step: str | None
    n: int
    one_per_day: bool
    topic: str | None


@dataclass(frozen=True)
class Peak:
    """A measured demand: the mean of the n highest, exact [kW], and the instant of the first."""

    kw: Decimal
    at: pd.Timestamp
    state: State
    elements: str


@dataclass(frozen=True)
class _Found:
    """Candidates in the tariff's windows, how sure each element is of them, and all together."""

    candidates: Candidates
    states: list[tuple[Cumulative, State]]
    coverage: float
    kw: Floats = field(default_factory=lambda: np.empty((0, 0)))


def peaks(
    meters: Meters, s: int, e: int, schedule: Schedule | None, how: How, *, daily: bool = False
) -> list[Peak]:
    """The billed demand of a span, or of each local day in it.

    Parameters
    ----------
    meters : Meters
        Whose.
    s, e : int
        The span [us UTC].
    schedule : Schedule or None
        Only intervals that start in its named windows count.
    how : How
        The measure.
    daily : bool
        One of each local day.

    Returns
    -------
    list of Peak
        Empty where the span has no interval in the windows.

    Raises
    ------
    CoverageError
        For a demand whose status is not accepted, or a span without any.
    """
    series = meters.means(how.topic, _source(how, meters))
    spans = _days(s, e, meters) if daily else [(s, e)]
    found = [_peak(meters, series, a, b, schedule, how) for a, b in spans]
    return [p for p in found if p is not None]


def _source(how: How, meters: Meters) -> str:
    if how.topic is not None:
        return "auto"
    return "demand" if how.measure == "reported" else meters.source


def _days(s: int, e: int, meters: Meters) -> list[tuple[int, int]]:
    edges = ints(calendar("D", stamp(s), stamp(e), meters.tz))
    cut = np.unique(np.clip(edges, s, e))
    return list(zip(cut[:-1].tolist(), cut[1:].tolist(), strict=True))


def _peak(
    meters: Meters,
    series: Sequence[Cumulative],
    s: int,
    e: int,
    schedule: Schedule | None,
    how: How,
) -> Peak | None:
    starts, ends, window = stretches(s, e, schedule, meters.tz)
    own = np.array([schedule is None or w != schedule.other for w in window])
    if not own.any():
        return None
    inside = starts[own], ends[own]
    find = _reported if how.measure == "reported" else _blocks
    found = find(meters, series, s, e, inside, how)
    if found is None:
        return None
    day = _day_of(found.candidates, meters) if how.one_per_day else None
    top, _ = highest(found.candidates, how.n, day)
    sure, more = _elsewhere(meters, series, found, top)
    what = f"{how.measure} demand"
    state = meters.gated(found.states, *_whole(s, e), what, sure=sure, more=more)
    state = replace(state, coverage=found.coverage)
    if len(top.kw) == 0:
        raise CoverageError(
            f"Cannot bill {how.measure} demand from {stamp(s)} to {stamp(e)}: no interval in it is "
            "wholly covered. Read the period again, or bill an agreed figure of your own."
        )
    noise = 0.0 if how.measure == "reported" else _scale(series, top)
    mean = EXACT.divide(add([exact(float(x), scale=noise) for x in top.kw]), Decimal(len(top.kw)))
    names = ", ".join(c.name for c in series)
    return Peak(mean, local(top.s[:1], meters.tz)[0], state, names)


def _elsewhere(
    meters: Meters, series: Sequence[Cumulative], found: _Found, top: Candidates
) -> tuple[bool, str]:
    """Whether the peak holds whatever the uncovered elements drew, else what would show it."""
    if len(series) == 1 or not len(top.kw) or not np.isnan(found.kw).any():
        return False, ""
    rules = [resolve(meters.asked.registers, c.meter, c.element, meters.tz) for c in series]
    most = np.array([np.nan if x.max_kw is None else x.max_kw for x in rules])
    worst = unaffected(found.kw, most, float(top.kw.min()))
    if worst.sure or worst.room <= 0:
        return worst.sure, ""
    who = ", ".join(c.name for c, blank in zip(series, worst.missing, strict=True) if blank)
    told = f" If {who} cannot have drawn {worst.room:.2f} kW then, state that as "
    told += by("max_kw= in RegisterRules", "--max-kw")
    return False, f"{told}: then the peak lies elsewhere, and it is accepted."


def _scale(series: Sequence[Cumulative], top: Candidates) -> float:
    """The greatest power that the noise of the readings is a part of: kWh over a block's hours."""
    return max(map(greatest, series)) * HOUR / float((top.e - top.s).min())


def _whole(s: int, e: int) -> tuple[Ints, Ints]:
    return np.array([s], dtype=np.int64), np.array([e], dtype=np.int64)


def _day_of(found: Candidates, meters: Meters) -> Ints:
    walls = local(found.e - 1, meters.tz).tz_localize(None).as_unit("us")
    return np.asarray(walls.asi8 // (24 * 3_600_000_000))


def _in(x: Ints, inside: tuple[Ints, Ints]) -> Any:
    """Whether instants lie in some of the stretches."""
    k = np.searchsorted(inside[0], x, side="right") - 1
    return (k >= 0) & (x < inside[1][np.maximum(k, 0)])


def _blocks(
    meters: Meters,
    series: Sequence[Cumulative],
    s: int,
    e: int,
    inside: tuple[Ints, Ints],
    how: How,
) -> _Found | None:
    """Blocks or rolling windows wholly in the span that start in the tariff's windows."""
    cut = blocks.cut(how.measure, how.window, how.step, meters.asked.interval)
    a, b = blocks.windows(cut, s, e, meters.tz)
    held = (a >= s) & (b <= e) & _in(a, inside)
    a, b = a[held], b[held]
    if len(a) == 0:
        return None
    kw = np.stack(
        [blocks.means(c, a, b, interval_of(meters.asked.interval, c.meter)) for c in series]
    )
    covered = (~np.isnan(kw)).sum(axis=1).tolist()
    states = [(c, _state(c, s, e, n, len(a))) for c, n in zip(series, covered, strict=True)]
    found = known(a, b, sum(kw, np.zeros(len(a))), np.zeros(len(a), dtype=np.int64))
    full = found.only(blocks.of_full_length(cut, found.s, found.e))
    return _Found(full, states, len(found.kw) / len(a), kw)


def _reported(
    meters: Meters,
    series: Sequence[Cumulative],
    s: int,
    e: int,
    inside: tuple[Ints, Ints],
    _: How,
) -> _Found:
    """The meter's own means that end in ``(s, e]`` and start in the tariff's windows."""
    if len(series) != 1:
        raise ConfigError(
            f"Cannot add up measure='reported' of {len(series)} elements: their means need not "
            "be of the same time. Use measure='block', or bill each element by itself."
        )
    c = series[0]
    found = reported(c, *_whole(s, e), interval_of(meters.asked.interval, c.meter))
    found = found.only(np.flatnonzero(_in(found.s, inside)))
    covered, whole = c.covered(*inside).sum(), (inside[1] - inside[0]).sum()
    state = _state(c, s, e, int(covered), int(whole))
    return _Found(found, [(c, state)], state.coverage)


def _state(c: Cumulative, s: int, e: int, part: int, whole: int) -> State:
    coverage = share(np.array([part]), np.array([whole]))
    bits = c.flags_in(*_whole(s, e), of_edges=False)
    worst = STATUSES[int(status(coverage, bits)[0])]
    return State(float(coverage[0]), worst, flag_names(int(bits[0])))


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
        if isinstance(self.ratchet, Mapping):
            put(self, ratchet=made(Ratchet, self.ratchet, "ratchet"))
        read_fields(self)
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
