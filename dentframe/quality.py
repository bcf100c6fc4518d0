"""The state of the data: findings per element. Reported, never applied. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe.findings.evidence import Evidence, gather
from dentframe.findings.table import FINDINGS, Finding
from dentframe.instants import instant, local
from dentframe.metering.study import Asked, Study, demanded, study
from dentframe.registers import RegisterRules, micros

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    from dentframe.instants import Zone

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
    return [_one(name, group) for name, group in by_name.items()]


def _one(name: str, group: list[Finding]) -> Finding:
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
