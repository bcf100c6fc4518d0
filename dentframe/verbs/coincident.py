"""`coincident` tells what each element drew when all of them together drew the most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe.errors import ConfigError
from dentframe.metering import blocks
from dentframe.metering.cumulative import Cumulative, status
from dentframe.metering.figures import NAT
from dentframe.metering.registers import RegisterRules
from dentframe.verbs.elements import summed_series
from dentframe.verbs.inputs import Inputs, VerbKeywords, check_share, demand_source, inputs_of
from dentframe.verbs.peaks import highest, known, rest
from dentframe.verbs.results import EXPORT, MISSING, REBLOCKED, rows_of, warn_of_coverage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dentframe.metering.series import Bools, Floats, Ints
    from dentframe.times.periods import Freq
    from dentframe.times.ranges import Zone


_DEFAULT_RULES = RegisterRules()
COLUMNS = (
    "period",
    "at",
    "site_peak",
    "element",
    "coincident",
    "own_peak",
    "share",
    "diversity",
    "coincidence",
    "coverage",
    "status",
    "flags",
)


def coincident(
    frame: pd.DataFrame,
    freq: Freq = None,
    *,
    tz: Zone = None,
    window: Any = "15min",
    elements: Any = None,
    by: str = "site",
    start: Any = None,
    end: Any = None,
    topic: str | None = None,
    source: str = "auto",
    registers: RegisterRules = _DEFAULT_RULES,
    min_coverage: float | None = None,
    interval: Any = "15min",
    demand_lag: Any = "0min",
    site: Any = None,
    corrections: Any = (),
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
    how = blocks.cut("block", window, None, interval)
    check_share(min_coverage)
    _check_by(by)
    asked = VerbKeywords.of(
        frame, site, tz, start, end, registers, interval, demand_lag, corrections=corrections
    )
    wanted = demand_source(frame, topic, source)
    of = inputs_of(frame, freq, wanted, asked, how.freq)
    picked = summed_series(frame, of.series, of.source.topics, elements, site)
    groups = [_rows(of, _sum(of, g, how, site), min_coverage) for g in _groups(picked, by)]
    tables = [rows_of(of, parts, COLUMNS, across=True) for parts in groups or [[]]]
    rows = pd.concat(tables, ignore_index=True)
    warn_of_coverage(rows, "coincident demands", picked, accepted=min_coverage is not None)
    return rows


def _check_by(by: str) -> None:
    if by not in {"site", "meter"}:
        raise ConfigError(f"Cannot use by={by!r}: use 'site' (all meters together) or 'meter'.")


def _groups(series: Sequence[Cumulative], by: str) -> list[list[Cumulative]]:
    if by == "site":
        return [list(series)] if series else []
    meters = dict.fromkeys(c.meter for c in series)
    return [[c for c in series if c.meter == m] for m in meters]


@dataclass(frozen=True)
class _Together:
    """Elements summed; arrays of shape (periods,) or (elements, periods)."""

    of: list[Cumulative]
    at: Ints
    until: Ints
    peak: Floats
    parts: Floats
    own: Floats
    coverage: Floats
    exports: Bools


def _sum(of: Inputs, group: list[Cumulative], how: blocks.Cut, site: Any) -> _Together:
    s, e = blocks.span(how, of.s, of.e, of.tz)
    kw = np.stack([blocks.means(c, s, e, of.interval(c)) for c in group])
    period = blocks.owner(s, e, of.s, of.e)
    found = known(s, e, kw.sum(axis=0), period)
    coverage = rest(found.s, found.e, of.s, of.e, None).coverage
    period = np.where(blocks.of_full_length(how, s, e), period, -1)
    top, _ = highest(known(s, e, kw.sum(axis=0), period), 1)
    n = len(of.s)
    at, until = np.full(n, NAT), np.full(n, NAT)
    peak, parts = np.full(n, np.nan), np.full((len(group), n), np.nan)
    at[top.period], until[top.period], peak[top.period] = top.s, top.e, top.kw
    parts[:, top.period] = kw[:, np.searchsorted(s, top.s)]
    own = np.stack([_own_peaks(x, period, n) for x in kw])
    exports = _exports(group, kw, period, n, site)
    return _Together(group, at, until, peak, parts, own, coverage, exports)


def _own_peaks(kw: Floats, period: Ints, n: int) -> Floats:
    some = np.flatnonzero((period >= 0) & ~np.isnan(kw))
    own = np.full(n, -np.inf)
    np.maximum.at(own, period[some], kw[some])
    return np.where(np.isinf(own), np.nan, own)


def _exports(group: list[Cumulative], kw: Floats, period: Ints, n: int, site: Any) -> Bools:
    """Which elements feed power back in which period, by their demand or their role."""
    roles = getattr(site, "elements", None) or {}
    found = np.zeros((len(group), n), dtype=np.bool_)
    for i, c in enumerate(group):
        found[i, period[(kw[i] < 0) & (period >= 0)]] = True
        found[i] |= getattr(roles.get(c.name), "role", None) == EXPORT
    return found


def _rows(of: Inputs, x: _Together, least: float | None) -> list[tuple[Cumulative, dict[str, Any]]]:
    peak = x.peak if least is None else np.where(x.coverage < least, np.nan, x.peak)
    with np.errstate(divide="ignore", invalid="ignore"):
        diversity = x.own.sum(axis=0) / peak
        share = x.parts / peak
    meaningless = (len(x.of) < 2) | x.exports.any(axis=0) | ~(peak > 0)
    diversity = np.where(meaningless, np.nan, diversity)
    bits = np.stack([c.flags_in(of.s, of.e, of_edges=False) for c in x.of])
    state = status(x.coverage, np.bitwise_or.reduce(bits, axis=0))
    state = np.where(x.at == NAT, MISSING, state)
    of_all = {
        "period": of.s,
        "at": x.at,
        "site_peak": peak,
        "diversity": diversity,
        "coincidence": 1 / diversity,
        "coverage": x.coverage,
        "status": state,
    }
    return [
        (
            c,
            {
                **of_all,
                "coincident": np.where(np.isnan(peak), np.nan, x.parts[i]),
                "own_peak": np.where(np.isnan(peak) & (x.at != NAT), np.nan, x.own[i]),
                "share": np.where(peak > 0, share[i], np.nan),
                "flags": bits[i],
                "told": _told(c, x, i),
            },
        )
        for i, c in enumerate(x.of)
    ]


def _told(c: Cumulative, x: _Together, i: int) -> list[list[str]]:
    """Flags that are no bits: of the block that was the site's peak, and of the element."""
    there = x.at != NAT
    cut = there & (c.edges(x.at).inside | c.edges(x.until).inside)
    flags = (EXPORT, x.exports[i]), (REBLOCKED, cut)
    return [[name for name, of in flags if of[k]] for k in range(len(cut))]
