"""A demand charge prices the peak of a month or of each day, with tiers and ratchet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from dentframe.errors import ConfigError, CoverageError, by
from dentframe.metering.cumulative import STATUSES, share, status
from dentframe.metering.register_rules import HOUR, resolve
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
    require,
    span_text,
)
from dentframe.money.rounding import EXACT, add, exact, parts_of
from dentframe.money.usage import Meters, State, greatest, stretches, worst
from dentframe.times.periods import calendar
from dentframe.times.ranges import ints, local, stamp
from dentframe.verbs import demand as blocks
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


@dataclass(frozen=True)
class _Asked:
    """A span of which a charge bills the demand, arrays of shape (1,), and who answers for it.

    The stretches `inside` are those of the charge's windows: an interval counts that starts in
    one of them.
    """

    charge: Demand
    meters: Meters
    series: Sequence[Cumulative]
    s: Ints
    e: Ints
    inside: tuple[Ints, Ints]

    def peak(self) -> Peak | None:
        """The demand; None where no interval lies in the windows."""
        how, meters, reports = self.charge, self.meters, self.charge.measure == "reported"
        found = self.reported() if reports else self.blocks()
        if found is None:
            return None
        walls = local(found.candidates.e - 1, meters.tz).tz_localize(None).as_unit("us")
        day = np.asarray(walls.asi8 // (24 * HOUR)) if how.one_per_day else None
        top, _ = highest(found.candidates, how.n, day)
        sure, more = self.elsewhere(found, top)
        what = f"{how.measure} demand"
        state = meters.gated(found.states, self.s, self.e, what, sure=sure, more=more)
        if len(top.kw) == 0:
            raise CoverageError(
                f"Cannot bill {what} from {stamp(self.s[0])} to {stamp(self.e[0])}: no interval in "
                "it is wholly covered. Read the period again, or bill an agreed figure of your own."
            )
        # Of a register the noise is that of kWh over a block's hours.
        most = 0.0 if reports else max(map(greatest, self.series))
        noise = most * HOUR / float((top.e - top.s).min())
        total = add([exact(float(x), scale=noise) for x in top.kw])
        mean = EXACT.divide(total, Decimal(len(top.kw)))
        names = ", ".join(c.name for c in self.series)
        at = local(top.s[:1], meters.tz)[0]
        return Peak(mean, at, replace(state, coverage=found.coverage), names)

    def elsewhere(self, found: _Found, top: Candidates) -> tuple[bool, str]:
        """Whether the peak holds whatever uncovered elements drew, else what would show it."""
        series, meters = self.series, self.meters
        if len(series) == 1 or not len(top.kw) or not np.isnan(found.kw).any():
            return False, ""
        rules = [resolve(meters.asked.registers, c.meter, c.element, meters.tz) for c in series]
        most = np.array([np.nan if x.max_kw is None else x.max_kw for x in rules])
        worst = blocks.unaffected(found.kw, most, float(top.kw.min()))
        if worst.sure or worst.room <= 0:
            return worst.sure, ""
        who = ", ".join(c.name for c, blank in zip(series, worst.missing, strict=True) if blank)
        told = f" If {who} cannot have drawn {worst.room:.2f} kW then, state that as "
        told += by("max_kw= in RegisterRules", "--max-kw")
        return False, f"{told}: then the peak lies elsewhere, and it is accepted."

    def in_windows(self, x: Ints) -> Any:
        """Whether instants lie in the windows."""
        k = np.searchsorted(self.inside[0], x, side="right") - 1
        return (k >= 0) & (x < self.inside[1][np.maximum(k, 0)])

    def blocks(self) -> _Found | None:
        """Blocks or rolling windows wholly in the span that start in the windows."""
        how, interval = self.charge, self.meters.asked.interval
        cut = blocks.cut(how.measure, how.window, how.step, interval)
        a, b = blocks.windows(cut, int(self.s[0]), int(self.e[0]), self.meters.tz)
        held = (a >= self.s) & (b <= self.e) & self.in_windows(a)
        a, b = a[held], b[held]
        if len(a) == 0:
            return None
        each = [blocks.means(c, a, b, interval_of(interval, c.meter)) for c in self.series]
        kw = np.stack(each)
        covered = (~np.isnan(kw)).sum(axis=1).tolist()
        pairs = zip(self.series, covered, strict=True)
        states = [(c, self.state(c, n, len(a))) for c, n in pairs]
        found = known(a, b, sum(kw, np.zeros(len(a))), np.zeros(len(a), dtype=np.int64))
        full = found.only(blocks.of_full_length(cut, found.s, found.e))
        return _Found(full, states, len(found.kw) / len(a), kw)

    def reported(self) -> _Found:
        """The meter's own means that end in ``(s, e]`` and start in the windows."""
        if len(self.series) != 1:
            raise ConfigError(
                f"Cannot add up measure='reported' of {len(self.series)} elements: their means "
                "need not be of the same time. Use measure='block', or bill each element by itself."
            )
        c = self.series[0]
        found = reported(c, self.s, self.e, interval_of(self.meters.asked.interval, c.meter))
        found = found.only(np.flatnonzero(self.in_windows(found.s)))
        whole = (self.inside[1] - self.inside[0]).sum()
        state = self.state(c, int(c.covered(*self.inside).sum()), int(whole))
        return _Found(found, [(c, state)], state.coverage)

    def state(self, c: Cumulative, part: int, whole: int) -> State:
        """How sure an element's demand is, of which a part is covered."""
        coverage = share(np.array([part]), np.array([whole]))
        bits = c.flags_in(self.s, self.e, of_edges=False)
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
        found = self._peaks(case.meters, *span, case.schedule(self.windows))
        if not found:
            return []
        return self._daily(case, found) if self.per == "day" else self._monthly(case, found[0])

    def _peaks(self, meters: Meters, s: int, e: int, schedule: Schedule | None) -> list[Peak]:
        """The demand of a span, or of each local day in it."""
        source = "demand" if self.measure == "reported" else meters.source
        series = meters.means(self.topic, source if self.topic is None else "auto")
        edges = np.array([s, e])
        if self.per == "day":
            edges = np.unique(np.clip(ints(calendar("D", stamp(s), stamp(e), meters.tz)), s, e))
        found = []
        for a, b in pairwise(edges.tolist()):
            starts, ends, names = stretches(a, b, schedule, meters.tz)
            own = np.array([schedule is None or w != schedule.other for w in names])
            inside = starts[own], ends[own]
            if own.any():
                span = np.array([a]), np.array([b])
                found.append(_Asked(self, meters, series, *span, inside).peak())
        return [p for p in found if p is not None]

    @property
    def _unit(self) -> str:
        return "kVA" if self.topic is not None and "kVA" in self.topic.replace("H", "") else "kW"

    def _daily(self, case: Case, found: list[Peak]) -> list[Line]:
        """The demands of all days; each day fills the tiers anew."""
        days = [_tiers.fill(case.quantity(_positive(p.kw)), self.tiers) for p in found]
        state = worst([p.state for p in found])
        note = f"highest demand of each of {len(found)} days, added up"
        who = found[0].elements
        return [
            case.priced(self, case.quantity(add([d[i] for d in days])), f"{self._unit}·day", rate,
                        name=self._label(i), note=note, element=who, **measured(state))
            for i, rate in enumerate(_tiers.each(self.rate))
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
        return [
            case.priced(self, q, unit, rate, name=self._label(i), **more)
            for i, (q, rate) in enumerate(zip(tiers, _tiers.each(self.rate), strict=True))
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
    kwh, kvah = (case.meters.energy(*span, None, topic=t).energy for t in ("kWHNet", "kVAHNet"))
    if kvah <= 0 or kwh <= 0:
        return Decimal(1)
    return EXACT.divide(kwh, kvah)


def _check(charge: Demand) -> None:
    _tiers.check_count(charge.rate, charge.tiers, charge.name)
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
