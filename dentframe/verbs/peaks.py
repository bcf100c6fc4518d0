"""`peaks` lists the highest demands: the meter's own, or those of blocks or rolling windows.

`load_factor` and bills ask here for peaks too, and `coincident` for the peak of a sum.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from dentframe.errors import ConfigError
from dentframe.metering.energy_and_coverage import NAT, Cumulative, share, status, totals
from dentframe.metering.register_rules import HOUR
from dentframe.metering.series import element_columns
from dentframe.times.dates_and_ranges import local
from dentframe.verbs import demand
from dentframe.verbs.demand import PLACES, Cut, cut, means, of_full_length, owner, span
from dentframe.verbs.inputs import (
    REGISTER,
    Inputs,
    Keywords,
    Source,
    VerbKeywords,
    check_one_of,
    check_share,
    demand_source,
    inputs_of,
    series_of,
    verb,
)
from dentframe.verbs.results import MISSING, REBLOCKED, attrs_of, rows_of, warn_of_coverage

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from dentframe.metering.series import Bools, Floats, Ints
    from dentframe.times.periods import Freq
    from dentframe.verbs.chosen_elements import Element


KINDS = ("reported", *demand.KINDS)
REGISTERS = {"Demand": REGISTER, "ApparentDemand": "kVAHNet"}
"""What may know of the time that demand leaves uncovered."""
COLUMNS = (
    "period", "element", "rank", "peak", "start", "end", "coverage", "status", "uncovered_hours",
    "uncovered_kw", "flags",
)  # fmt: skip
"""The columns of `peaks`, after `meter` where the frame has several."""


@verb
def peaks(
    frame: pd.DataFrame,
    freq: Freq = None,
    *,
    window: Any = None,
    kind: str = "reported",
    step: Any = None,
    n: int = 1,
    per_day: bool = False,
    topic: str | None = None,
    source: str = "auto",
    min_coverage: float | None = None,
    corrections: Any = (),
    **keywords: Unpack[Keywords],
) -> pd.DataFrame:
    """The highest demands of each period and element, and when they were.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns over time, or over (meter, time), shape (readings, columns).
    freq : str, Monthly, list of edges, or None
        Start-anchored (``"MS"``, ``"D"``, ...); None for one period.
    tz : str or tzinfo, optional
        The zone of the calendar, the blocks and naive bounds; None is the index's own where
        not UTC.
    window : str or timedelta, optional
        Length of a block or rolling window, 15 minutes by default. A reported peak has the
        meter's own.
    kind : str
        ``"reported"``: the greatest DemandkW whose interval ends in ``(start, end]``, so that
        the reading at a month's edge belongs to the month it closes. ``"block"``: the greatest
        mean of a clock block. ``"rolling"``: that of a rolling window.
    step : str or timedelta, optional
        Between the ends of rolling windows, as in `demand`.
    n : int
        How many of each period, the highest first.
    per_day : bool
        At most one of each local day.
    start, end : str, date, datetime or Timestamp, optional
        The span; only these cut a calendar period.
    topic, source : str, optional
        As in `demand`; a reported peak reads interval means only.
    registers : RegisterRules
        What is known about the registers.
    min_coverage : float, optional
        Peaks of periods with less coverage (0 to 1) are NaN, and nothing warns.
    interval, demand_lag : str, timedelta, or mapping by meter
        A mean stamped t covers ``(t - demand_lag - interval, t - demand_lag]``.
    elements : str or sequence of str, optional
        The elements asked for, as in `energy`; all by default.
    site : Site, optional
        Gives `tz`, and what is known about the registers, where they are not given.
    corrections : sequence of Correction, optional
        CT factors, readings by hand, exchanges and agreed figures, beside those of `site`; the
        frame is not changed.

    Returns
    -------
    pandas.DataFrame
        Rows of (``meter``,) ``period`` (its start), ``element``, ``rank`` (1 is the highest),
        ``peak`` [kW] or [kVA], ``start``, ``end`` (of the peak's interval), ``coverage``,
        ``status``, ``uncovered_hours`` [h], ``uncovered_kw`` (the register's mean power in
        them, where it is known) [kW], ``flags``. A period without a peak has one row with NaN.
        Coverage is the share of the period that readings cover; for blocks and rolling
        windows, the share that lies in windows wholly covered.

    Raises
    ------
    RangeError
        For a naive index, a missing `tz`, a window the clock does not have.
    KindError
        For a topic that has no demand, or a frame without interval means.
    ConfigError, UnknownTopicError, UnitError
        For a setting, topic or unit that cannot be used.

    Warns
    -----
    CoverageWarning
        Once a call, where peaks are not wholly recorded.

    Notes
    -----
    A lost row makes a peak ``partial``, it never withholds it: the peak is that of what is
    covered, and `uncovered_hours` and `uncovered_kw` tell what it may have missed. Of equal
    demands the earliest is the peak. The flag ``reblocked`` marks a peak whose window cuts
    a reading's interval: the meter never measured that mean, and the true one of its clock
    block cannot be recovered from it.

    Examples
    --------
    >>> import pandas as pd
    >>> t = pd.date_range("2024-01-01 00:15", periods=4, freq="15min", tz="UTC")
    >>> kw = pd.DataFrame({"DemandkW/Elm/A": [10.0, 30.0, 30.0, 10.0]}, index=t)
    >>> found = peaks(kw, tz="UTC")
    >>> float(found["peak"][0]), str(found["end"][0].time())
    (30.0, '00:30:00')
    """
    resolved = VerbKeywords.of(frame, **keywords, corrections=corrections)
    how = _how(kind, window, step, n, resolved.interval)
    check_share(min_coverage)
    answer = demand_source(frame, topic, _source(kind, source, topic))
    if kind == "reported" and answer.mean is None:
        raise ConfigError(
            f"Cannot use topic={answer.register!r} with kind='reported': a register reports no "
            "demand. Use kind='block'."
        )
    of = inputs_of(frame, freq, answer, resolved, *([how.freq] if how else []))
    registers = registers_of(frame, resolved, REGISTERS[answer.result])
    found = [highest_of(of, c, how, registers, n=n, per_day=per_day) for c in of.series]
    rows = rows_of(of, [(p.of, _arrays(p, of.s, of.e, min_coverage)) for p in found], COLUMNS)
    rows.attrs = attrs_of(answer.result)
    warn_of_coverage(rows, "peaks", of.series, accepted=min_coverage is not None)
    return rows


def _how(kind: str, window: Any, step: Any, n: int, interval: Any) -> Cut | None:
    """The windows that are asked for; None for the meter's own."""
    if not isinstance(n, int) or isinstance(n, bool) or n < 1:
        raise ConfigError(f"Cannot use n={n!r}: it must be a whole number from 1.")
    check_one_of("kind", kind, KINDS)
    if kind != "reported":
        return cut(kind, "15min" if window is None else window, step, interval)
    for name, value in (("window", window), ("step", step)):
        if value is not None:
            raise ConfigError(
                f"Cannot use {name}={value!r} with kind='reported': a reported peak has the "
                "meter's own window. Use kind='block' or kind='rolling'."
            )
    return None


def _source(kind: str, source: str, topic: str | None) -> str:
    if kind != "reported" or topic is not None:
        return source
    if source == "register":
        raise ConfigError(
            "Cannot use source='register' with kind='reported': only the meter's own means are "
            "reported. Use kind='block'."
        )
    return "demand" if source == "auto" else source


def _arrays(p: Peaks, s: Ints, e: Ints, least: float | None) -> dict[str, Any]:
    """The rows of one element, a row of NaN for each period that has no peak."""
    none = np.setdiff1d(np.arange(len(s)), p.top.period)
    blank = np.full(len(none), NAT, dtype=np.int64)
    period = np.concatenate((p.top.period, none))
    a, b = np.concatenate((p.top.s, blank)), np.concatenate((p.top.e, blank))
    kw = np.concatenate((p.top.kw, np.full(len(none), np.nan)))
    coverage, bits = p.coverage[period], p.of.flags_in(s, e, of_edges=False)[period]
    inside = (a != NAT) & p.of.edges(np.stack((a, b)).ravel()).inside.reshape(2, -1).any(axis=0)
    kw = kw if least is None else np.where(coverage < least, np.nan, kw)
    return {
        "period": s[period],
        "rank": np.concatenate((p.rank, np.ones(len(none), dtype=np.int64))),
        "peak": kw,
        "start": a,
        "end": b,
        "coverage": coverage,
        "status": np.where(np.isnan(kw) & (a == NAT), MISSING, status(coverage, bits)),
        "uncovered_hours": p.hours[period],
        "uncovered_kw": p.kw[period],
        "flags": bits,
        "named": [(REBLOCKED,) if x else () for x in inside.tolist()],
    }


_DAYS = 1 << 24
"""More days than a calendar has: packs a period and a day into one integer."""


@dataclass(frozen=True)
class Candidates:
    """Demands that may be a period's highest, in order of time.

    Attributes
    ----------
    s, e : ndarray of int64
        The interval of each [us UTC], shape (candidates,).
    kw : ndarray of float
        Its mean power [kW].
    period : ndarray of int64
        The position of its period.
    """

    s: Ints
    e: Ints
    kw: Floats
    period: Ints

    def only(self, keep: Ints | Bools) -> Candidates:
        """Some of them, by position or mask."""
        return Candidates(self.s[keep], self.e[keep], self.kw[keep], self.period[keep])


def known(s: Ints, e: Ints, kw: Floats, period: Ints) -> Candidates:
    """The candidates that have a value and a period."""
    return Candidates(s, e, kw, period).only(np.flatnonzero((period >= 0) & ~np.isnan(kw)))


def highest(found: Candidates, n: int, day: Ints | None = None) -> tuple[Candidates, Ints]:
    """The n highest of each period, the earliest of equals first.

    Parameters
    ----------
    found : Candidates
        All candidates.
    n : int
        How many of each period.
    day : ndarray of int64, optional
        The local day of each candidate: then at most one of a day.

    Returns
    -------
    Candidates
        By period, then rank.
    ndarray of int64
        Their ranks, from 1.
    """
    if n == 1 or day is not None:
        # Sorting all of a year's candidates costs more than everything else.
        best = _tops(found, found.period if day is None else found.period * _DAYS + day)
        found, day = found.only(best), None if day is None else day[best]
    order = np.lexsort((-np.round(found.kw, PLACES), found.period))
    if day is not None:
        days = found.period[order] * _DAYS + day[order]
        order = order[np.sort(np.unique(days, return_index=True)[1])]
    period = found.period[order]
    rank = np.arange(len(period)) - np.searchsorted(period, period) + 1
    keep = rank <= n
    return found.only(order[keep]), rank[keep]


def _tops(found: Candidates, group: Ints) -> Ints:
    """Those that none of their group exceeds by more than rounding; groups are runs."""
    if len(group) == 0:
        return group
    first = np.append(0, np.flatnonzero(group[1:] != group[:-1]) + 1)
    least = np.maximum.reduceat(found.kw, first) - 10.0 ** (1 - PLACES)
    return np.flatnonzero(found.kw >= np.repeat(least, np.diff(np.append(first, len(group)))))


def uncovered(
    s: Ints, e: Ints, starts: Ints, ends: Ints, register: Cumulative | None = None
) -> tuple[Floats, Floats, Floats]:
    """What intervals ``[s, e)``, which may overlap, leave of each period.

    Parameters
    ----------
    s, e : ndarray of int64
        Covered intervals in order of time [us UTC], shape (intervals,).
    starts, ends : ndarray of int64
        Disjoint periods in order [us UTC], shape (periods,).
    register : Cumulative, optional
        The register that may know what was used meanwhile.

    Returns
    -------
    ndarray of float
        The covered share, 0 to 1; 1 is exactly 1; shape (periods,).
    ndarray of float
        The uncovered time [h].
    ndarray of float
        The register's mean power in the part of it that the register knows [kW]; NaN where
        it knows none, or nothing is uncovered.
    """
    a, b, period = _pieces(*_union(s, e), starts, ends)
    covered = totals(b - a, period, len(starts))
    left = ends - starts - covered
    kw: Floats = np.full(len(starts), np.nan)
    if register is not None and left.any():
        whole, time = register.measure(starts, ends)
        part, known = register.measure(a, b)
        energy = np.nan_to_num(whole) - totals(np.nan_to_num(part), period, len(starts))
        unknown = time - totals(known, period, len(starts))
        np.divide(energy, unknown / HOUR, out=kw, where=(left > 0) & (unknown > 0))
    return share(covered, ends - starts), left / HOUR, np.round(kw, 9)


def within(c: Cumulative, other: Cumulative, starts: Ints, ends: Ints) -> tuple[Floats, Ints]:
    """Energy of one series in the time that another covers as well, and that time.

    Returns
    -------
    ndarray of float
        Energy of `c` [kWh], NaN where the two have no time in common; shape (periods,).
    ndarray of int64
        The common time [us].
    """
    a, b, period = covered_pieces(other, starts, ends)
    part, time = c.measure(a, b)
    energy = totals(np.nan_to_num(part), period, len(starts))
    both = totals(time, period, len(starts))
    return np.where(both > 0, energy, np.nan), both


def covered_pieces(c: Cumulative, starts: Ints, ends: Ints) -> tuple[Ints, Ints, Ints]:
    """The stretches that a series covers, cut at the periods' edges, and the period of each."""
    return _pieces(*c.stretches(), starts, ends)


def outside(a: Ints, b: Ints, period: Ints, s: Ints, e: Ints) -> tuple[Ints, Ints, Ints]:
    """What disjoint stretches leave of their periods: starts, ends and periods, in order."""
    each = np.arange(len(s))
    low, high = s[period], e[period]
    starts = np.concatenate((s, np.clip(b, low, high)))
    ends = np.concatenate((np.clip(a, low, high), e))
    starts = starts[np.argsort(np.concatenate((each, period)), kind="stable")]
    of_end = np.concatenate((period, each))
    order = np.argsort(of_end, kind="stable")
    some = ends[order] > starts
    return starts[some], ends[order][some], of_end[order][some]


def _union(s: Ints, e: Ints) -> tuple[Ints, Ints]:
    """Overlapping and touching intervals as one."""
    if len(s) == 0:
        return s, e
    reach = np.maximum.accumulate(e)
    new = np.concatenate(([True], s[1:] > reach[:-1]))
    first = np.flatnonzero(new)
    return s[first], reach[np.append(first[1:], len(s)) - 1]


def _pieces(s: Ints, e: Ints, starts: Ints, ends: Ints) -> tuple[Ints, Ints, Ints]:
    """Disjoint intervals cut at the periods' edges, and the period of each piece."""
    first = np.searchsorted(ends, s, side="right")
    last = np.searchsorted(starts, e, side="left")
    count = np.maximum(last - first, 0)
    which = np.repeat(np.arange(len(s)), count)
    offset = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
    period = first[which] + offset
    return np.maximum(s[which], starts[period]), np.minimum(e[which], ends[period]), period


@dataclass(frozen=True)
class Peaks:
    """The peaks of one series; arrays of shape (periods,) but for `top` and `rank`.

    Attributes
    ----------
    of : Cumulative
        The series.
    top : Candidates
        The highest of each period, by period and rank.
    rank : ndarray of int64
        The rank of each.
    coverage, hours, kw : ndarray of float
        What the candidates leave: see `uncovered`.
    """

    of: Cumulative
    top: Candidates
    rank: Ints
    coverage: Floats
    hours: Floats
    kw: Floats


def highest_of(
    of: Inputs,
    c: Cumulative,
    how: Cut | None,
    registers: Mapping[Element, Cumulative],
    *,
    n: int = 1,
    per_day: bool = False,
) -> Peaks:
    """The peaks of one series of a verb.

    Parameters
    ----------
    of : Inputs
        Series and periods.
    c : Cumulative
        The series.
    how : Cut or None
        Blocks or rolling windows; None for the meter's own intervals.
    registers : mapping of (meter, element) to Cumulative
        What may know of the uncovered time.
    n : int
        How many of each period.
    per_day : bool
        At most one of each local day.
    """
    if how is None:
        found, covered = reported(c, of.s, of.e, of.interval(c)), c.stretches()
    else:
        windows = span(how, of.s, of.e, of.tz)
        found = known(*windows, means(c, *windows, of.interval(c)), owner(*windows, of.s, of.e))
        covered = found.s, found.e
        found = found.only(of_full_length(how, *covered))
    day = None
    if per_day:  # the local day in which an interval closes
        day = local(found.e - 1, of.tz).tz_localize(None).as_unit("us").asi8 // (24 * HOUR)
    register = registers.get((c.meter, c.element))
    return Peaks(c, *highest(found, n, day), *uncovered(*covered, of.s, of.e, register))


def reported(c: Cumulative, starts: Ints, ends: Ints, interval: int) -> Candidates:
    """The meter's own means, each in the period ``(start, end]`` that holds its end."""
    if len(starts) == 0 or c.source != "demand":
        none = np.empty(0, dtype=np.int64)
        return Candidates(none, none, np.empty(0), none)
    first, last = np.searchsorted(c.at, (starts, ends), side="right")
    period = np.repeat(np.arange(len(starts)), last - first)
    k: Any = slice(first[0], last[-1])
    if len(period) != last[-1] - first[0]:  # the periods do not follow each other
        k = np.concatenate([np.arange(a, b) for a, b in zip(first, last, strict=True)])
    e = c.at[k]
    return Candidates(e - interval, e, c.readings[k], period)


def registers_of(
    frame: pd.DataFrame, keywords: VerbKeywords, topic: str
) -> dict[Element, Cumulative]:
    """The registers of a frame by (meter, element), where it has any that can be read."""
    if not element_columns(frame, [topic]):
        return {}
    every = replace(keywords, elements=None, refuse=False)
    return {(c.meter, c.element): c for c in series_of(frame, Source(topic, None), every)}
