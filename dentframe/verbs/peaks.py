"""`peaks` lists the highest demands, and `coincident` what each element had part in that of all.

A peak is the meter's own mean, or that of a clock block or rolling window. `load_factor` and bills
ask here for peaks too.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Unpack

import numpy as np
import pandas as pd

from dentframe.errors import ConfigError
from dentframe.metering.energy_and_coverage import FOREVER, NAT, Cumulative, status, totals
from dentframe.metering.register_rules import HOUR
from dentframe.metering.series import NONE, Bools, Flag, Floats, Ints, time_index
from dentframe.site.site import summed
from dentframe.times.dates_and_ranges import ints, local
from dentframe.verbs import demand
from dentframe.verbs import inputs_and_keywords as inputs
from dentframe.verbs import result_frames_and_warnings as results
from dentframe.verbs.elements_by_name import summed_series
from dentframe.verbs.gaps_and_coverage import Stretches, registers_of, time_and_share, uncovered

if TYPE_CHECKING:
    from dentframe.times.periods import Freq


KINDS = ("reported", *demand.KINDS)
_REGISTERS = {"Demand": inputs.REGISTER, "ApparentDemand": "kVAHNet"}
"""What may know of the time that demand leaves uncovered."""
COLUMNS = (
    "period", "element", "rank", "peak", "start", "end", "coverage", "status", "uncovered_hours",
    "uncovered_kw", "flags",
)  # fmt: skip
"""The columns of `peaks`, after `meter` where the frame has several."""
COINCIDENT_COLUMNS = (
    "period", "at", "site_peak", "element", "coincident", "own_peak", "share", "diversity",
    "coincidence", "coverage", "status", "flags",
)  # fmt: skip


_DAYS = 1 << 24
"""More days than a calendar has: packs a period and a day into one integer."""


@inputs.corrected_verb
def peaks(
    frame: pd.DataFrame,
    freq: Freq = None,
    *,
    window: Any = None,
    kind: str = "reported",
    step: Any = None,
    n: int = 1,
    per_day: bool = False,
    min_coverage: float | None = None,
    **keywords: Unpack[inputs.CorrectedKeywords],
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
    resolved = inputs.VerbKeywords.of(frame, **keywords)
    inputs.check_count(n, 1)
    inputs.check_one_of("kind", kind, KINDS)
    inputs.check_share(min_coverage)
    if kind == "reported":
        how, answer = None, _reported_source(frame, resolved, window, step)
        of = inputs.inputs_of(frame, freq, answer, resolved)
    else:
        how = demand.cut(kind, "15min" if window is None else window, step, resolved.interval)
        of = demand.in_windows(frame, freq, resolved, how)
    found = highest_of(of, how, n, per_day=per_day)
    missed = _missed_kw(of, found)
    parts = [(p.of, _arrays(of, p, kw, min_coverage)) for p, kw in zip(found, missed, strict=True)]
    rows = results.rows_of(of, parts, COLUMNS)
    rows.attrs = results.attrs_of(of.source.result)
    results.warn_of_coverage(parts, "peaks", of.tz, accepted=min_coverage is not None)
    return rows


def _reported_source(
    frame: pd.DataFrame, keywords: inputs.VerbKeywords, window: Any, step: Any
) -> inputs.Source:
    """The interval means that report peaks; refuses what only blocks and rolling windows have."""
    for name, value in (("window", window), ("step", step)):
        if value is not None:
            raise ConfigError(
                f"Cannot use {name}={value!r} with kind='reported': a reported peak has the "
                "meter's own window. Use kind='block' or kind='rolling'."
            )
    topic, source = keywords.topic, keywords.source
    means_only = topic is None and source == "auto"
    answer = inputs.demand_source(frame, topic, "demand" if means_only else source)
    if answer.topics[0] in inputs.REGISTERS:
        given = f"{source=}" if topic is None else f"{topic=}"
        raise ConfigError(
            f"Cannot use {given} with kind='reported': a register reports no demand, only the "
            "meter's own means are reported. Use kind='block'."
        )
    return answer


def _arrays(of: inputs.Inputs, p: Peaks, missed_kw: Floats, least: float | None) -> dict[str, Any]:
    """The rows of one element, a row of NaN for each period that has no peak."""
    top = p.top
    rank = np.arange(len(top.kw)) - np.searchsorted(top.period, top.period)
    without = np.flatnonzero(np.bincount(top.period, minlength=len(of.s)) == 0)
    never = np.full(len(without), NAT)
    period = np.append(top.period, without)
    coverage, bits = p.coverage[period], p.of.flags_in(of.s, of.e, of_edges=False)[period]
    kw = np.append(top.kw, np.full(len(without), np.nan))
    state = status(coverage, bits)
    state[len(top.kw) :] = results.MISSING
    inside = p.of.edges(np.concatenate((top.s, top.e))).inside
    bits[: len(top.kw)] |= np.logical_or(*np.split(inside, 2)) * int(Flag.REBLOCKED)
    return {
        "period": of.s[period],
        "rank": np.append(rank + 1, np.ones(len(without), np.int64)),
        "peak": kw if least is None else np.where(coverage < least, np.nan, kw),
        "start": np.append(top.s, never),
        "end": np.append(top.e, never),
        "coverage": coverage,
        "status": state,
        "uncovered_hours": p.time[period] / HOUR,
        "uncovered_kw": missed_kw[period],
        "flags": bits,
    }


def _missed_kw(of: inputs.Inputs, found: Sequence[Peaks]) -> list[Floats]:
    """The register's mean power in the part that it knows of what peaks leave uncovered [kW].

    NaN where it knows nothing of it, or nothing is uncovered; shape (periods,) by element.
    """
    times = ints(time_index(of.frame))
    first, last = times.min(initial=FOREVER), times.max(initial=NAT)
    # Uncorrected, a register knows nothing of the time before the first row and after the last.
    inside = any(((e > first) & (s < last)).any() for s, e, _ in (p.uncovered for p in found))
    needed = inside or bool(of.keywords.registers.corrections)
    registers = registers_of(of, _REGISTERS[of.source.result], needed=needed)
    missed = []
    for p in found:
        kw, register = np.full(len(of.s), np.nan), registers.get((p.of.meter, p.of.element))
        if register is not None:
            s, e, period = p.uncovered
            part, time = register.measure(s, e)
            energy, known = (totals(x, period, len(kw)) for x in (np.nan_to_num(part), time))
            np.divide(energy, known / HOUR, out=kw, where=known > 0)
        missed.append(np.round(kw, 9))
    return missed


class Candidates(NamedTuple):
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
        return Candidates._make(x[keep] for x in self)


def known(s: Ints, e: Ints, kw: Floats, period: Ints) -> Candidates:
    """The candidates that have a value and a period."""
    return Candidates(s, e, kw, period).only(np.flatnonzero((period >= 0) & ~np.isnan(kw)))


def highest(found: Candidates, n: int, tz: dt.tzinfo | None = None) -> Candidates:
    """The n highest of each period, by period and rank, the earliest of equals first.

    Parameters
    ----------
    found : Candidates
        All candidates.
    n : int
        How many of each period.
    tz : tzinfo, optional
        A zone: then at most one of each of its days, that in which an interval closes.
    """
    group = found.period
    if tz is not None:
        days = local(found.e - 1, tz).tz_localize(None).as_unit("us").asi8 // (24 * HOUR)
        group = group * _DAYS + days
    if len(found.kw) and (n == 1 or tz is not None):
        # Sorting all of a year's candidates costs more than everything else: only those go on
        # that none of their group exceeds by more than rounding. Groups are runs.
        first = np.append(0, np.flatnonzero(group[1:] != group[:-1]) + 1)
        least = np.maximum.reduceat(found.kw, first) - 10.0 ** (1 - demand.PLACES)
        length = np.diff(np.append(first, len(group)))
        best = np.flatnonzero(found.kw >= np.repeat(least, length))
        found, group = found.only(best), group[best]
    order = np.lexsort((-np.round(found.kw, demand.PLACES), found.period))
    if tz is not None:
        order = order[np.sort(np.unique(group[order], return_index=True)[1])]
    period = found.period[order]
    return found.only(order[np.arange(len(period)) < np.searchsorted(period, period) + n])


class Peaks(NamedTuple):
    """The peaks of one series.

    Attributes
    ----------
    of : Cumulative
        The series.
    top : Candidates
        The highest of each period, by period and rank.
    uncovered : tuple of ndarray
        The stretches in which there may have been a higher one: start, end and period.
    time : ndarray of int64
        How long they are in each period [us], shape (periods,).
    coverage : ndarray of float
        The share of each period that is covered, 0 to 1, shape (periods,).
    """

    of: Cumulative
    top: Candidates
    uncovered: Stretches
    time: Ints
    coverage: Floats


def highest_of(
    of: inputs.Inputs, how: demand.Cut | None, n: int, *, per_day: bool = False, auto: bool = False
) -> list[Peaks]:
    """The peaks of each series of a verb.

    Parameters
    ----------
    of : Inputs
        Series and periods.
    how : Cut or None
        Blocks or rolling windows; None for the meter's own intervals.
    n : int
        How many of each period.
    per_day : bool
        At most one of each local day.
    auto : bool
        Whether the meter's own intervals go before blocks, where there are any.
    """
    windows, found = None, []
    for c in of.series:
        interval = of.interval(c)
        if how is None or (auto and c.source == "demand"):
            some, covered = reported(c, of.s, of.e, interval), c.stretches()
        else:
            windows = windows or demand.span(how, of.s, of.e, of.tz)
            period = demand.owner(*windows, of.s, of.e)
            some = known(*windows, demand.means(c, *windows, interval), period)
            covered = some.s, some.e
            some = some.only(demand.of_full_length(how, *covered))
        lost = uncovered(*covered, of.s, of.e)
        time, coverage = time_and_share(lost, of.s, of.e)
        top = highest(some, n, of.tz if per_day else None)
        found.append(Peaks(c, top, lost, time, coverage))
    return found


def reported(c: Cumulative, starts: Ints, ends: Ints, interval: int) -> Candidates:
    """The meter's own means, each in the period ``(start, end]`` that holds its end."""
    if len(starts) == 0 or c.source != "demand":
        return Candidates(NONE, NONE, np.empty(0), NONE)
    first, last = np.searchsorted(c.at, (starts, ends), side="right")
    period = np.repeat(np.arange(len(starts)), last - first)
    k: Any = slice(first[0], last[-1])
    if len(period) != last[-1] - first[0]:  # the periods do not follow each other
        k = np.concatenate([np.arange(a, b) for a, b in zip(first, last, strict=True)])
    e = c.at[k]
    return Candidates(e - interval, e, c.readings[k], period)


@inputs.corrected_verb
def coincident(
    frame: pd.DataFrame,
    freq: Freq = None,
    *,
    window: Any = "15min",
    by: str = "site",
    min_coverage: float | None = None,
    **keywords: Unpack[inputs.CorrectedKeywords],
) -> pd.DataFrame:
    """The peak of several elements together, and what each had part in it.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns over time, or over (meter, time), shape (readings, columns).
    freq : str, Monthly, list of edges, or None
        Start-anchored (``"MS"``, ``"D"``, ...); None for one period.
    tz : str or tzinfo, optional
        The zone of the calendar, the blocks and naive bounds.
    window : str or timedelta
        Length of a block of the local clock: meters poll at different minutes, only clock
        blocks have them side by side.
    elements : list of str or "all", optional
        The elements that are summed, ``"A"`` in a frame of one meter and ``"P482311252_A"`` in
        any. None takes the roles of `site`. A main beside its branches counts twice.
    by : str
        ``"site"``: all meters together; ``"meter"``: each by itself.
    start, end : str, date, datetime or Timestamp, optional
        The span; only these cut a calendar period.
    topic, source, registers : optional
        As in `demand`.
    min_coverage : float, optional
        Figures of periods with less coverage (0 to 1) are NaN, and nothing warns.
    interval, demand_lag : str, timedelta, or mapping by meter
        A mean stamped t covers ``(t - demand_lag - interval, t - demand_lag]``.
    site : Site, optional
        Gives `tz`, and what is known about the registers, where they are not given; and
        `elements`: its branches and exports, or its mains where there is nothing else.
    corrections : sequence of Correction, optional
        CT factors, readings by hand, exchanges and agreed figures, beside those of `site`; the
        frame is not changed.

    Returns
    -------
    pandas.DataFrame
        Rows of ``period``, ``at`` (start of the block of the site's peak), ``site_peak`` [kW],
        ``element``, ``coincident`` [kW], ``own_peak`` [kW], ``share`` (coincident over site
        peak), ``diversity`` (sum of own peaks over site peak), ``coincidence`` (its inverse),
        ``coverage`` (share of the period in blocks that all elements cover), ``status``,
        ``flags``. Coincident demands add up to the site's peak.

    Raises
    ------
    ConfigError
        Where nothing tells which elements to sum, or a setting cannot be used.
    UnknownMeterError
        For an element that is not there.
    RangeError, KindError, UnknownTopicError, UnitError
        As `demand`.

    Warns
    -----
    CoverageWarning
        Once a call, where figures are not wholly recorded.

    Notes
    -----
    A block counts only where every element covers it. The flag ``reblocked`` marks an element
    whose readings do not end on the block's edges (its demand window slides, or its
    `demand_lag` is not given): its figure is apportioned from the readings that overlap
    the block, and is not what the meter itself would have reported for it. Factors are NaN for
    fewer than two elements, and where an element exports (flag ``export``), because they have
    no meaning there.

    Examples
    --------
    >>> import pandas as pd
    >>> t = pd.date_range("2024-01-01 00:15", periods=3, freq="15min", tz="UTC")
    >>> kw = pd.DataFrame({"DemandkW/Elm/A": [10.0, 40, 20], "DemandkW/Elm/B": [30.0, 10, 25]}, t)
    >>> coincident(kw, elements="all")["coincident"].tolist()
    [40.0, 10.0]
    """
    elements, site = keywords.pop("elements", None), keywords.get("site")
    resolved = inputs.VerbKeywords.of(frame, **keywords)
    inputs.check_share(min_coverage)
    if not isinstance(by, str) or by not in {"site", "meter"}:
        raise ConfigError(f"Cannot use by={by!r}: use 'site' (all meters together) or 'meter'.")
    how = demand.cut("block", window, None, resolved.interval)
    of = demand.in_windows(frame, freq, resolved, how)
    if elements is None and site is not None:
        elements = summed(site)
    series = summed_series(frame, of.series, of.source.topics, elements)
    meters = dict.fromkeys(c.meter if by == "meter" else None for c in series)
    groups = [[c for c in series if by == "site" or c.meter == m] for m in meters]
    parts = [_parts(of, group, how, site, min_coverage) for group in groups]
    tables = [results.rows_of(of, x, COINCIDENT_COLUMNS, across=True) for x in parts or [[]]]
    every, accepted = [x for group in parts for x in group], min_coverage is not None
    results.warn_of_coverage(every, "coincident demands", of.tz, accepted=accepted)
    return pd.concat(tables, ignore_index=True)


def _parts(
    of: inputs.Inputs, group: Sequence[Cumulative], how: demand.Cut, site: Any, least: float | None
) -> list[tuple[Cumulative, dict[str, Any]]]:
    """The rows of elements that are summed, arrays of shape (periods,) by element."""
    n, (s, e) = len(of.s), demand.span(how, of.s, of.e, of.tz)
    kw = np.stack([demand.means(c, s, e, of.interval(c)) for c in group])
    period = demand.owner(s, e, of.s, of.e)
    covered = known(s, e, kw.sum(axis=0), period)
    _, coverage = time_and_share(uncovered(covered.s, covered.e, of.s, of.e), of.s, of.e)
    period = np.where(demand.of_full_length(how, s, e), period, -1)
    top = highest(known(s, e, kw.sum(axis=0), period), 1)
    at, until, peak = np.full(n, NAT), np.full(n, NAT), np.full(n, np.nan)
    at[top.period], until[top.period], peak[top.period] = top.s, top.e, top.kw
    parts = np.full((len(group), n), np.nan)
    parts[:, top.period] = kw[:, np.searchsorted(s, top.s)]
    by_period = pd.DataFrame(kw[:, period >= 0].T).groupby(period[period >= 0])
    own, lowest = (x.reindex(range(n)).to_numpy().T for x in (by_period.max(), by_period.min()))
    roles = getattr(site, "elements", None) or {}
    declared = [getattr(roles.get(c.name), "role", None) == "export" for c in group]
    exports = (lowest < 0) | np.array(declared)[:, None]
    peak = peak if least is None else np.where(coverage < least, np.nan, peak)
    with np.errstate(divide="ignore", invalid="ignore"):
        diversity, share = own.sum(axis=0) / peak, parts / peak
    meaningless = (len(group) < 2) | exports.any(axis=0) | ~(peak > 0)
    diversity = np.where(meaningless, np.nan, diversity)
    bits = np.stack([c.flags_in(of.s, of.e, of_edges=False) for c in group])
    state = status(coverage, np.bitwise_or.reduce(bits, axis=0))
    of_all = {
        "period": of.s,
        "at": at,
        "site_peak": peak,
        "diversity": diversity,
        "coincidence": 1 / diversity,
        "coverage": coverage,
        "status": np.where(at == NAT, results.MISSING, state),
    }
    found = []
    for i, c in enumerate(group):
        inside = (at != NAT) & (c.edges(at).inside | c.edges(until).inside)
        own_columns = {
            "coincident": np.where(np.isnan(peak), np.nan, parts[i]),
            "own_peak": np.where(np.isnan(peak) & (at != NAT), np.nan, own[i]),
            "share": np.where(peak > 0, share[i], np.nan),
            "flags": bits[i] | exports[i] * int(Flag.EXPORT) | inside * int(Flag.REBLOCKED),
        }
        found.append((c, of_all | own_columns))
    return found
