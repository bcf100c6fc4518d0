"""`reconcile` compares a register with the demand of the same element, and names what differs.

Each known cause of a difference is a function that looks at the comparison of one period; the first
that fits gives the signature. Other verbs that compare the two find them here as well, as a `Pair`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, Unpack

import numpy as np

from dentframe.errors import ConfigError, CoverageWarning, KindError, warn
from dentframe.frame.select import check_read, topics
from dentframe.metering import apply_corrections
from dentframe.metering import series as _series
from dentframe.metering.energy_and_coverage import NAT, Cumulative, first_covered
from dentframe.metering.register_rules import Rules, check_elements, resolve
from dentframe.metering.series import NONE, Bools, Floats, Ints, Series, element_columns, time_index
from dentframe.times.dates_and_ranges import naive_zone
from dentframe.times.periods import Freq, verb_zone
from dentframe.verbs import inputs_and_keywords as inputs
from dentframe.verbs.elements_by_name import Element, requested_elements
from dentframe.verbs.inputs_and_keywords import MEAN, REGISTER, Keywords, VerbKeywords, verb
from dentframe.verbs.result_frames_and_warnings import frame_of_rows

if TYPE_CHECKING:
    import pandas as pd


NEAR_THIRD = 0.05
SCATTERED = 0.25
"""Residuals of the steps beyond this share of the demand itself are no constant ratio."""
RUN = 8
"""Steps that are taken together where each by itself scatters."""
FROZEN_RUN = 3
FEWEST_SAMPLES = 30
FORWARD = 0.1
_ZERO = 1e-9


class Comparison(NamedTuple):
    """One element's register and demand in one period.

    Attributes
    ----------
    start, end : int
        The span that is compared [us UTC]; of no length where there is none.
    register, demand : float
        Energy over it [kWh].
    at_gaps : float
        The part of their difference in register steps that demand does not wholly cover [kWh].
    coverage : float
        The share of the span in which both are covered, 0 to 1.
    x, y : ndarray of float
        Energy of each other register step by the register and by the demand [kWh].
    adjacent : ndarray of bool
        Whether a step begins where the one before it ends, shape (steps,).
    falls, during : ndarray of float
        Falls of the register's readings, as positive numbers, and the demand of each [kWh].
    resolution : float
        The register's smallest rise [kWh]; 0 where it never rises.
    """

    start: int
    end: int
    register: float
    demand: float
    at_gaps: float
    coverage: float
    x: Floats
    y: Floats
    adjacent: Bools
    falls: Floats
    during: Floats
    resolution: float

    @property
    def residual(self) -> float:
        """Demand less register [kWh]."""
        return self.demand - self.register


def _opposed(e: Comparison, tolerance: float) -> bool:
    """The register falls again and again, by no more than twice what demand says was drawn."""
    like = (e.during > 0) & (e.falls <= 2 * e.during)
    moved = e.falls.sum() + np.abs(e.x).sum()
    return bool(like.sum() >= 2 and e.falls[like].sum() > tolerance * moved)


def _frozen(e: Comparison, tolerance: float) -> bool:
    """Runs of a flat register while demand flows, which explain the difference."""
    flat = (np.abs(e.x) <= _ZERO) & (e.y > 0)
    new = np.concatenate(([True], ~(flat[1:] & flat[:-1] & e.adjacent[1:])))[: len(flat)]
    run = np.cumsum(new)[flat]
    length, energies = np.bincount(run), np.bincount(run, weights=e.y[flat])
    energy = float(energies[(length >= FROZEN_RUN) & (energies > 2 * e.resolution)].sum())
    return energy > 0 and abs(e.residual - energy) <= tolerance * max(abs(e.demand), energy)


def _lost(e: Comparison, tolerance: float) -> bool:
    """All of the difference lies where demand has gaps."""
    inside = e.residual - e.at_gaps
    return e.at_gaps < 0 and abs(inside) <= tolerance * abs(e.x.sum()) + _ZERO


def _ratio(e: Comparison, tolerance: float) -> float | None:
    """The ratio of demand to register where it is constant and not 1, else None."""
    x, y = e.x, e.y
    if len(x) < 3 or x.sum() <= 0 or y.sum() <= 0:
        return None
    k = y.sum() / x.sum()
    if _scatter(x, y, k) > SCATTERED and len(x) >= 3 * RUN:
        # A window that lies elsewhere than its step blurs a run of steps at its ends alone.
        starts = np.arange(0, len(x) - len(x) % RUN, RUN)
        x, y = (np.add.reduceat(v[: len(x) - len(x) % RUN], starts) for v in (x, y))
    scatter, off = _scatter(x, y, k), abs(k - 1)
    constant = scatter <= SCATTERED and off * np.sqrt(len(x)) > 3 * scatter * max(k, 1.0)
    return float(k) if constant and off > tolerance else None


def _scatter(x: Floats, y: Floats, k: float) -> float:
    """What a constant ratio leaves unexplained, as a share of the demand."""
    return float(np.sqrt(((y - k * x) ** 2).sum() / (y**2).sum()))


def _reversed(e: Comparison, tolerance: float) -> bool:
    """Demand is a third of the register, or two thirds."""
    ratio = _ratio(e, tolerance) or 0.0
    return any(abs(3 * ratio / n - 1) <= NEAR_THIRD for n in (1, 2))


def _sampled(e: Comparison, _: float) -> bool:
    """Scatter without bias, and readings that no mean over the window could show."""
    off = e.y - e.x
    noise = float(np.sqrt((off**2).sum()))
    if len(e.x) < FEWEST_SAMPLES or noise <= SCATTERED * float(np.sqrt((e.y**2).sum())):
        return False
    # No mean is above all the energy of the two steps in which its window must lie.
    impossible = (e.y[1:] > e.x[1:] + e.x[:-1] + 2 * e.resolution) & e.adjacent[1:]
    return bool(abs(off.sum()) <= 3 * noise) and (impossible.sum() >= 3 or _like_next_step(e))


def _like_next_step(e: Comparison) -> bool:
    """A sample knows as much of the interval after it as of the one before; a mean does not."""
    follows = e.adjacent[1:]
    y = e.y[:-1][follows]
    if len(y) < FEWEST_SAMPLES:
        return False
    a = np.column_stack((e.x[:-1][follows], e.x[1:][follows]))
    inverse = np.linalg.pinv(a.T @ a)
    slope = inverse @ (a.T @ y)
    error = np.sqrt(max(float(inverse[1, 1]), 0.0) * ((y - a @ slope) ** 2).sum() / len(y))
    return bool(slope[1] > 4 * error and slope[1] > FORWARD * slope.sum())


_CAUSES: tuple[tuple[str, Callable[[Comparison, float], bool]], ...] = (
    ("absolute demand or reversed CT", _opposed),
    ("no overlap", lambda e, _: bool(np.isnan(e.residual))),
    ("agrees", lambda e, tolerance: abs(e.residual) <= tolerance * abs(e.register) + _ZERO),
    ("frozen register", _frozen),
    ("lost rows", _lost),
    ("reversed CT", _reversed),
    ("CT multiplier", lambda e, tolerance: _ratio(e, tolerance) is not None),
    ("samples, not means", _sampled),
)

SIGNATURES: tuple[str, ...] = (*(name for name, _ in _CAUSES), "unexplained")
"""All that a comparison may be called."""


COLUMNS = (
    "period", "start", "end", "element", "register", "demand", "residual", "ratio", "relative",
    "at_gaps", "coverage", "signature",
)  # fmt: skip


@verb
def reconcile(
    frame: pd.DataFrame, freq: Freq = None, *, tolerance: float = 0.02, **keywords: Unpack[Keywords]
) -> pd.DataFrame:
    """Compare each element's register with its demand, and name what a difference looks like.

    Parameters
    ----------
    frame : pandas.DataFrame
        With kWHNet and DemandkW, over time or (meter, time), shape (readings, columns).
    freq : str, Monthly, list of edges, or None
        One row per period; None for one row over the whole span.
    tz : str or tzinfo, optional
        The zone of the calendar and of naive bounds; None is the index's own where not UTC.
    start, end : str, date, datetime or Timestamp, optional
        The span, as in `energy`.
    registers : RegisterRules
        What is known about the registers.
    interval, demand_lag : str, timedelta, or mapping by meter
        A mean stamped t covers ``(t - demand_lag - interval, t - demand_lag]``.
    tolerance : float
        The relative difference up to which the two agree.
    elements : str or sequence of str, optional
        The elements asked for, as in `energy`; all by default.
    site : Site, optional
        Gives `tz`, and what is known about the registers, where they are not given.

    Returns
    -------
    pandas.DataFrame
        One row per (meter,) period and element, shape (periods x elements, 12): ``period`` (its
        start), ``start`` and ``end`` of the span compared, ``element``, ``register`` and
        ``demand`` [kWh], ``residual`` (demand less register) [kWh], ``ratio`` (demand by
        register), ``relative`` (residual by register), ``at_gaps`` (the part of the residual in
        register steps that demand does not wholly cover) [kWh], ``coverage`` (share of the span
        in which both are covered) and ``signature``, one of `dentframe.verbs.reconcile.SIGNATURES`.

        The span reaches from the later first reading to the earlier last one. Where the
        register does not count (an unexplained fall), neither does demand; where demand has a
        gap, the register goes on, so that lost rows show; only a register step with a gap
        that an edge of the period cuts is left out.

    Raises
    ------
    KindError
        Where registers or demand are not in the frame.
    RangeError
        For a naive index, a missing `tz`, or a span that ends before it starts.
    ConfigError
        For a tolerance that is no share.

    Warns
    -----
    CoverageWarning
        For a register that falls without being declared as exporting: it has no figure.
    ReadingWarning
        Where means come at another spacing than `interval`.

    Notes
    -----
    The sum check of validation practice (California's VEE standard): what is wrong stands in
    ``signature``. See ``docs/guide/reconcile.md``.

    Examples
    --------
    >>> found = df.dent.select(element="A").dent.reconcile(tz=LA)
    >>> bool(abs(found["relative"].item()) < 0.01)
    True
    """
    resolved = VerbKeywords.of(frame, **keywords)
    if not inputs.is_share(tolerance) or tolerance == 1:
        raise ConfigError(
            f"Cannot use tolerance={tolerance!r}: it is a share from 0 to below 1, e.g. 0.02."
        )
    check_both_there(frame, "reconcile")
    zone = verb_zone(time_index(frame).tz, resolved.tz, freq)
    found = pairs(frame, resolved)
    refused = " ".join(p.register.refusal for p in found if p.register.refusal)
    if refused:
        warn(refused, CoverageWarning)
    series = [c for p in found for c in (p.register, p.demand)]
    s, e = inputs.periods(frame, inputs.default_bounds(frame, series), freq, zone, resolved)
    rows: list[tuple[Any, ...]] = []
    for _, group in groupby(found, lambda p: p.register.meter):
        meter = list(group)
        # Period by period, and in each the elements.
        for each in zip(s, *(_comparisons(p, s, e) for p in meter), strict=True):
            rows += [_row(p, each[0], of, tolerance) for p, of in zip(meter, each[1:], strict=True)]
    return frame_of_rows(frame, rows, COLUMNS, zone)


def _row(pair: Pair, period: Any, of: Comparison, tolerance: float) -> tuple[Any, ...]:
    """The row of a period; the first cause that fits gives its signature."""
    span = (of.start, of.end) if of.end > of.start else (NAT, NAT)
    c, whole = pair.register, of.register or np.nan
    signature = next((name for name, fits in _CAUSES if fits(of, tolerance)), "unexplained")
    return (
        c.meter, period, *span, c.element, of.register, of.demand, of.residual, of.demand / whole,
        of.residual / whole, of.at_gaps, of.coverage, signature,
    )  # fmt: skip


def _comparisons(pair: Pair, starts: Ints, ends: Ints) -> Iterator[Comparison]:
    """What the two say of each period, less a register step with a gap that its edge cuts.

    How much of such a step lies on either side is not known, so it would tell nothing. The span
    that both have is cut into pieces at every breakpoint and at the edges of periods.
    """
    low, high = pair.span or (0, 0)
    t = np.unique(np.concatenate((pair.register.t, pair.demand.t, starts, ends, [low, high])))
    t = t[(t >= low) & (t <= high)]
    register, demand = pair.register.edges(t), pair.demand.edges(t)
    counted = np.diff(register.covered) > 0
    both = counted & (np.diff(demand.covered) > 0)
    step, length = register.segment[:-1], np.diff(t)
    lacking = np.bincount(step[counted & ~both], minlength=1 + int(step.max(initial=0)))
    at_gap = lacking[step] > 0
    inside, gaps = counted & ~at_gap, counted & at_gap
    x, y, rises = (np.diff(z) for z in (register.energy, demand.energy, pair.register.readings))
    resolution = float(rises[rises > _ZERO].min()) if (rises > _ZERO).any() else 0.0
    for s, e in zip(starts.tolist(), ends.tolist(), strict=True):
        first, last = np.searchsorted(t[:-1], (s, e)).tolist()
        end = int(step[last - 1]) if first < last else 0
        if first < last and at_gap[first] and pair.register.t[step[first]] < s:
            first = int(np.searchsorted(step, step[first], side="right"))
        if first < last and at_gap[last - 1] and pair.register.t[end + 1] > e:
            last = int(np.searchsorted(step, end, side="left"))
        last = max(first, last)
        of = slice(first, last)
        known, within = both[of], step[of][inside[of]]
        first_pieces = np.flatnonzero(np.diff(within, prepend=-1))
        # Without a moment covered by both, nothing was compared.
        none = 0.0 if known.any() else np.nan
        begin, until = np.searchsorted(pair.register.at, t[[first, last]], side="right").tolist()
        readings = slice(max(begin, 1) - 1, until)
        at, r = pair.register.at[readings], pair.register.readings[readings]
        falls = 1 + np.flatnonzero(np.diff(r) < 0)
        yield Comparison(
            start=int(t[first]),
            end=int(t[last]),
            register=float(x[of][counted[of]].sum()) + none,
            demand=float(y[of][counted[of]].sum()) + none,
            at_gaps=float((y - x)[of][gaps[of]].sum()) + none,
            coverage=float(length[of][known].sum() / max(length[of].sum(), 1)),
            x=np.add.reduceat(x[of][inside[of]], first_pieces),
            y=np.add.reduceat(y[of][inside[of]], first_pieces),
            adjacent=np.diff(within[first_pieces], prepend=-2) == 1,
            falls=r[falls - 1] - r[falls],
            during=pair.demand.energy_at(at[falls]) - pair.demand.energy_at(at[falls - 1]),
            resolution=resolution,
        )


OfElement: TypeAlias = Mapping[tuple[str, str], Series]
"""The readings of one element, and of its channels where they are asked for, by topic and name."""


class Pair(NamedTuple):
    """What one element's register and its interval means say.

    Attributes
    ----------
    register, demand : Cumulative
        E(t) of each; without breakpoints where the frame has no reading of it.
    interval, lag : int
        The window of the means, and how late they are stamped [us].
    rules : Rules
        What is known about the register.
    """

    register: Cumulative
    demand: Cumulative
    interval: int
    lag: int
    rules: Rules

    @property
    def complete(self) -> bool:
        """Whether both have readings."""
        return len(self.register.at) > 0 and len(self.demand.at) > 0

    @property
    def span(self) -> tuple[int, int] | None:
        """From the later first instant to the earlier last one [us]; None without both."""
        if not self.complete:
            return None
        low = max(first_covered(self.register), first_covered(self.demand))
        high = min(int(self.register.at[-1]), int(self.demand.at[-1]))
        return (low, high) if low < high else None


def pair_of(key: Element, series: OfElement, resolved: VerbKeywords, tz: dt.tzinfo | None) -> Pair:
    """An element's register and means among series by topic and name; neither is refused."""
    rules = resolve(resolved.registers, *key, tz)
    register, demand = (
        series.get((topic, key[1]), Series(*key, topic, NONE, np.empty(0), NONE, NONE))
        for topic in (REGISTER, MEAN)
    )
    means = inputs.means_of(demand, rules, resolved)
    window = inputs.interval_of(resolved.interval, key[0])
    lag = inputs.by_meter(resolved.demand_lag, key[0], "0min", "demand_lag")
    return Pair(apply_corrections.register(register, rules, means), means, window, lag, rules)


def pairs(frame: pd.DataFrame, resolved: VerbKeywords) -> list[Pair]:
    """Every element that has a reading of either kind, meters by name, elements in wire order.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns over time or (meter, time), shape (readings, columns).
    resolved : VerbKeywords
        The zone of naive swap times, the rules, interval and lag.

    Warns
    -----
    ReadingWarning
        Where means come at another spacing than `interval`.
    """
    found: dict[Element, dict[tuple[str, str], Series]] = {}
    named = requested_elements(frame, (REGISTER, MEAN), resolved.elements)
    for x in _series.read(_series.rows(frame), frame, element_columns(frame, (REGISTER, MEAN))):
        found.setdefault((x.meter, x.element), {})[x.topic, x.element] = x
    check_elements(resolved.registers, list(found))
    tz = naive_zone(time_index(frame).tz, resolved.tz)
    made = [pair_of(k, x, resolved, tz) for k, x in found.items() if named is None or k in named]
    made.sort(key=lambda p: (p.register.meter or "", len(p.register.element), p.register.element))
    inputs.warn_of_spacing((p.demand.series for p in made), resolved.interval)
    return [p for p in made if len(p.register.at) or len(p.demand.at)]


def check_both_there(frame: pd.DataFrame, verb: str) -> None:
    """Refuse a frame in which there is nothing to compare.

    Raises
    ------
    KindError
        Where the registers or the means are not in the frame at all.
    """
    check_read(frame)
    there = topics(frame)
    for topic in (REGISTER, MEAN):
        if topic not in there:
            raise KindError(
                f"Cannot {verb}: the frame has no {topic} column, only {', '.join(there) or 'none'}"
                f'. It compares registers with demand: read topics=["{REGISTER}", "{MEAN}"].'
            )
