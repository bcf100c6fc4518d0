"""The state of the data: findings per element. Reported, never applied. Pure.

The findings of quality: one function each, in a table. Pure; they report and change nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe.metering.registers import RegisterRules, micros
from dentframe.metering.series import Flag
from dentframe.metering.steps import HOUR
from dentframe.times.ranges import instant, local
from dentframe.verbs.findings import Evidence, gather, reversed_ct, runs, wrong_phase
from dentframe.verbs.inputs import Asked, Study, demanded, study
from dentframe.verbs.maxima import within

if TYPE_CHECKING:
    import datetime as dt

    from dentframe.metering.series import Ints
    from dentframe.times.ranges import Zone


STUCK = 4
FROZEN = 4
IQRS = 3.0
RARE = 0.01
SUM_TOLERANCE = 0.02
CLOCK_JUMP = 2 * 60_000_000
CLOCK_RUN = 4
DAY = 24 * HOUR
_NAN = float("nan")
_FALLS = Flag.UNEXPLAINED_DECREASE | Flag.DECREASE_UNCLASSIFIED | Flag.RESET | Flag.AMBIGUOUS_FALL


@dataclass(frozen=True)
class Finding:
    """One thing that was found: its span [us], how often, how bad, and what energy it touches."""

    name: str
    start: int
    end: int
    count: int
    severity: str
    kwh: float


Found = Iterator[Finding]


def gap(x: Evidence) -> Found:
    """Spacing over one and a half intervals; known energy is not at risk, only its shape."""
    h = x.holes
    for s, e, n, known in zip(h.s, h.e, h.missing, h.known, strict=True):
        risk = 0.0 if known else max(x.mean_kw, 0.0) * (e - s) / HOUR
        yield Finding("gap", s, e, n, "info" if known else "warning", risk)


def glitch(x: Evidence) -> Found:
    """Register readings that their neighbours expose; they are bridged."""
    t, r = x.register.series.t, x.register.series.values
    dropped = np.ones(len(t), dtype=np.bool_)
    dropped[np.searchsorted(t, x.register.at)] = False
    for a, b in runs(dropped):
        risk = float(np.max(np.abs(r[a:b] - r[max(a - 1, 0)])))
        yield Finding("glitch", t[a], t[b - 1], b - a, "warning", risk)


def falling_register(x: Evidence) -> Found:
    """A register that falls and is not declared as exporting: cleared, reversed or exchanged."""
    c = x.register
    for i in np.flatnonzero(c.flags & int(_FALLS)).tolist():
        reset = bool(c.flags[i] & Flag.RESET)
        risk = float(c.hi[i] - c.inc[i]) if c.ok[i] else max(x.mean_kw, 0.0) * _hours(c.t, i)
        yield Finding(
            "falling_register", c.t[i], c.t[i + 1], 1, "warning" if reset else "error", risk
        )


def _hours(t: Ints, i: int) -> float:
    return float((t[i + 1] - t[i]) / HOUR)


def stuck(x: Evidence) -> Found:
    """Equal non-zero demands, four or more; zeros are legal."""
    d = x.demand
    same = np.concatenate(([False], (np.diff(d.values) == 0) & (d.values[1:] != 0)))
    for a, b in runs(same):
        n = b - a + 1
        if n >= STUCK:
            start, end = int(d.t[a - 1] - x.interval), int(d.t[b - 1])
            risk = abs(float(d.values[a])) * n * x.interval / HOUR
            yield Finding("stuck", start, end, n, "warning", risk)


def frozen_register(x: Evidence) -> Found:
    """A register that stands still, four readings or more, while power or current flows."""
    c = x.register
    rises = c.inc[c.inc > 0]
    resolution = float(rises.min()) if len(rises) else 0.0
    for a, b in runs((c.inc == 0) & c.ok):
        if b - a + 1 < FROZEN:
            continue
        s, e = int(c.t[a]), int(c.t[b])
        kwh = float(np.nan_to_num(x.means.energy(*_one(s, e)))[0])
        if kwh > max(2 * resolution, 1e-9):
            yield Finding("frozen_register", s, e, b - a + 1, "error", kwh)
        elif not len(x.means.at) and _current(x, s, e):
            yield Finding("frozen_register", s, e, b - a + 1, "warning", _NAN)


def _one(s: int, e: int) -> tuple[Ints, Ints]:
    return np.array([s], dtype=np.int64), np.array([e], dtype=np.int64)


def _current(x: Evidence, s: int, e: int) -> bool:
    amperes = [y for (t, _), y in x.channels.items() if t == "A"]
    return any((y.values[(y.t > s) & (y.t <= e)] > 0).any() for y in amperes)


def negative_demand(x: Evidence) -> Found:
    """Demand below zero on an element that is not declared as exporting."""
    low = np.flatnonzero(x.demand.values < 0)
    if len(low) and not x.rules.allow_export:
        t = x.demand.t[low]
        risk = float(-x.demand.values[low].sum() * x.interval / HOUR)
        yield Finding("negative_demand", t[0] - x.interval, t[-1], len(low), "warning", risk)


def spike(x: Evidence) -> Found:
    """More than the element can draw; or rare demands beyond three interquartile ranges."""
    c, d = x.register, x.demand
    for i in np.flatnonzero(c.flags & int(Flag.UNEXPLAINED_JUMP)):
        risk = float(c.series.values[np.searchsorted(c.series.t, c.t[i + 1])])
        risk -= float(c.series.values[np.searchsorted(c.series.t, c.t[i])])
        yield Finding("spike", c.t[i], c.t[i + 1], 1, "error", risk)
    if len(d.t) == 0:
        return
    low, high = np.quantile(d.values, [0.25, 0.75])
    usual = high + IQRS * (high - low)
    limit, severity = (x.rules.max_kw, "error") if x.rules.max_kw else (usual, "info")
    beyond = np.flatnonzero(d.values > limit)
    if len(beyond) and (severity == "error" or (high > low and len(beyond) <= RARE * len(d.t))):
        t = d.t[beyond]
        risk = float((d.values[beyond] - limit).sum() * x.interval / HOUR)
        yield Finding("spike", t[0] - x.interval, t[-1], len(beyond), severity, risk)


def sum_check(x: Evidence) -> Found:
    """The register's rise against the sum of the intervals, where both are known."""
    if len(x.register.at) < 2 or len(x.means.at) < 2:
        return
    s = max(int(x.register.t[0]), int(x.means.t[0]))
    e = min(int(x.register.t[-1]), int(x.means.t[-1]))
    if s >= e:
        return
    span = _one(s, e)
    register = float(np.nan_to_num(within(x.register, x.means, *span)[0])[0])
    demand = float(np.nan_to_num(within(x.means, x.register, *span)[0])[0])
    residual = abs(demand - register)
    if residual > SUM_TOLERANCE * max(abs(register), 1e-9) and residual > _resolution(x):
        yield Finding("sum_check", s, e, 1, "error", residual)


def _resolution(x: Evidence) -> float:
    """What rounding alone may leave: two steps of the register."""
    rises = x.register.inc[x.register.inc > 0]
    return 2 * float(rises.min()) if len(rises) else 1e-9


def conflicting_duplicate(x: Evidence) -> Found:
    """Rows of one instant with different values; they are missing."""
    for y in (x.register.series, x.demand):
        t = y.mark_t[(y.marks & int(Flag.CONFLICTING_DUPLICATE)) != 0]
        if len(t):
            risk = max(x.mean_kw, 0.0) * len(t) * x.interval / HOUR
            yield Finding("conflicting_duplicate", t[0], t[-1], len(t), "error", risk)


def clock_jump(x: Evidence) -> Found:
    """The minute of the readings moves at once and stays: somebody set a clock."""
    t = x.demand.t if len(x.demand.t) else x.register.series.t
    if len(t) <= 2 * CLOCK_RUN:
        return
    half = x.interval // 2
    moved = (np.diff(t) + half) % x.interval - half
    for i in np.flatnonzero(np.abs(moved) > CLOCK_JUMP) + 1:
        before, after = t[max(i - CLOCK_RUN, 0) : i], t[i : i + CLOCK_RUN]
        shift = (np.median(after % x.interval - before[-1] % x.interval) + half) % x.interval - half
        spread = max(_spread(before, x.interval), _spread(after, x.interval))
        if len(after) == CLOCK_RUN and abs(shift) > CLOCK_JUMP >= spread:
            yield Finding("clock_jump", t[i - 1], t[i], 1, "warning", 0.0)


def _spread(t: Ints, interval: int) -> float:
    half = interval // 2
    off = (t - t[0] + half) % interval - half
    return float(off.max() - off.min())


def element_set_changed(x: Evidence) -> Found:
    """An element whose readings begin or end a day or more inside those of its meter."""
    t = np.concatenate((x.register.series.t, x.demand.t))
    if len(t) == 0:
        return
    first, last = int(t.min()), int(t.max())
    if first - x.first >= DAY:
        yield Finding("element_set_changed", x.first, first, 1, "warning", _NAN)
    if x.last - last >= DAY:
        yield Finding("element_set_changed", last, x.last, 1, "warning", _NAN)


def unused(x: Evidence) -> Found:
    """A spare element: it has readings, and all of them say that nothing flows."""
    values = np.concatenate((x.register.inc, x.demand.values))
    if len(values) and not values.any() and not x.register.flags.any():
        yield Finding("unused", x.first, x.last, 1, "info", 0.0)


def _reversed(x: Evidence) -> Found:
    for s, e, n, severity, kwh in reversed_ct(x):
        yield Finding("reversed_ct", s, e, n, severity, kwh)


def _wrong_phase(x: Evidence) -> Found:
    for s, e, n, severity, kwh in wrong_phase(x):
        yield Finding("wrong_phase", s, e, n, severity, kwh)


FINDINGS: tuple[Callable[[Evidence], Found], ...] = (
    gap,
    glitch,
    stuck,
    frozen_register,
    falling_register,
    negative_demand,
    _reversed,
    _wrong_phase,
    spike,
    sum_check,
    conflicting_duplicate,
    clock_jump,
    element_set_changed,
    unused,
)
"""In the order in which an element's findings are listed."""


_DEFAULT_RULES = RegisterRules()
SEVERITIES = ("info", "warning", "error")
COLUMNS = ("element", "finding", "start", "end", "count", "severity", "kwh_at_risk")


def quality(
    frame: pd.DataFrame,
    *,
    tz: Zone = None,
    start: Any = None,
    end: Any = None,
    registers: RegisterRules = _DEFAULT_RULES,
    interval: Any = "15min",
    demand_lag: Any = "0min",
    now: Any = None,
    site: Any = None,
    detail: bool = False,
) -> pd.DataFrame:
    """What is wrong or odd with the readings, one row per element and finding.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns over time, or over (meter, time), shape (readings, columns).
    tz : str or tzinfo, optional
        The zone of the result and of naive bounds; None is the index's own.
    start, end : str, date, datetime or Timestamp, optional
        The span; by default the range that was read, else all readings.
    registers : RegisterRules
        What is known: the greatest power tells spikes, a declared export is no finding.
    interval, demand_lag : str, timedelta, or mapping by meter
        A mean stamped t covers ``(t - demand_lag - interval, t - demand_lag]``.
    now : datetime, optional
        Readings after it are reported as ``future``; None asks for none.
    site : Site, optional
        Gives `tz`, and what is known about the registers, where they are not given.
    detail : bool
        One row per occurrence instead of one per element and finding.

    Returns
    -------
    pandas.DataFrame
        Rows of (``meter``,) ``element``, ``finding``, ``start``, ``end``, ``count``,
        ``severity`` (info, warning, error), ``kwh_at_risk`` (energy whose amount is in doubt;
        NaN where nothing tells) [kWh]. An element's like findings are one row: from the first
        to the last, counts and energies added up, the worst severity.

    Raises
    ------
    RangeError, KindError, ConfigError, UnitError
        As `demand`.

    Notes
    -----
    Nothing is changed: no other verb looks at a finding. Each finding has a section in
    ``docs/guide/quality.md``.

    Examples
    --------
    >>> sorted(set(df.dent.quality(tz=LA)["finding"]))
    ['falling_register', 'gap', 'glitch', 'stuck', 'unused']
    """
    asked = Asked.of(frame, site, tz, start, end, registers, interval, demand_lag)
    of = study(frame, None, demanded(frame, None, "auto"), asked)
    latest = _micros(now, of.tz)
    found = [(x, list(_findings(x, latest))) for x in gather(of)]
    if not detail:
        found = [(x, _merged(listed)) for x, listed in found]
    return _table(of, [(x, f) for x, listed in found for f in listed])


def _merged(listed: list[Finding]) -> list[Finding]:
    """Findings of one name as one."""
    by_name: dict[str, list[Finding]] = {}
    for f in listed:
        by_name.setdefault(f.name, []).append(f)
    return [_of_one_meter(name, group) for name, group in by_name.items()]


def _of_one_meter(name: str, group: list[Finding]) -> Finding:
    known = [f.kwh for f in group if f.kwh == f.kwh]
    return Finding(
        name,
        min(f.start for f in group),
        max(f.end for f in group),
        sum(f.count for f in group),
        max((f.severity for f in group), key=SEVERITIES.index),
        sum(known) if known else float("nan"),
    )


def _micros(now: Any, tz: dt.tzinfo) -> int | None:
    return None if now is None else micros(instant(now, tz, "now"))


def _findings(x: Evidence, now: int | None) -> Iterator[Finding]:
    for look in FINDINGS:
        yield from look(x)
    if now is not None and x.last > now:
        late = max(int((x.demand.t > now).sum()), int((x.register.series.t > now).sum()))
        yield Finding("future", now, x.last, late, "error", float("nan"))


def _table(of: Study, found: list[tuple[Evidence, Finding]]) -> pd.DataFrame:
    rows = pd.DataFrame(
        {
            "meter": [x.meter for x, _ in found],
            "element": [x.element for x, _ in found],
            "finding": [f.name for _, f in found],
            "start": _instants([f.start for _, f in found], of.tz),
            "end": _instants([f.end for _, f in found], of.tz),
            "count": [int(f.count) for _, f in found],
            "severity": [f.severity for _, f in found],
            "kwh_at_risk": [float(f.kwh) for _, f in found],
        }
    )
    return rows if of.several else rows[list(COLUMNS)]


def _instants(us: list[int], tz: dt.tzinfo) -> pd.DatetimeIndex:
    return local(np.array(us, dtype=np.int64), tz)
