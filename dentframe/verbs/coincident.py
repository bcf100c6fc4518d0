"""`coincident` tells what each element drew when all of them together drew the most."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import pandas as pd

from dentframe.errors import ConfigError
from dentframe.metering.energy_and_coverage import NAT, Cumulative, status
from dentframe.verbs.chosen_elements import summed_series
from dentframe.verbs.demand import Cut, cut, means, of_full_length, owner, span
from dentframe.verbs.inputs import (
    Inputs,
    Keywords,
    VerbKeywords,
    check_share,
    demand_source,
    inputs_of,
    verb,
)
from dentframe.verbs.peaks import highest, known, uncovered
from dentframe.verbs.results import EXPORT, MISSING, REBLOCKED, rows_of, warn_of_coverage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dentframe.times.periods import Freq


COLUMNS = (
    "period", "at", "site_peak", "element", "coincident", "own_peak", "share", "diversity",
    "coincidence", "coverage", "status", "flags",
)  # fmt: skip


@verb
def coincident(
    frame: pd.DataFrame,
    freq: Freq = None,
    *,
    window: Any = "15min",
    by: str = "site",
    topic: str | None = None,
    source: str = "auto",
    min_coverage: float | None = None,
    corrections: Any = (),
    **keywords: Unpack[Keywords],
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
    resolved = VerbKeywords.of(frame, **keywords, corrections=corrections)
    how = cut("block", window, None, resolved.interval)
    check_share(min_coverage)
    if by not in {"site", "meter"}:
        raise ConfigError(f"Cannot use by={by!r}: use 'site' (all meters together) or 'meter'.")
    of = inputs_of(frame, freq, demand_source(frame, topic, source), resolved, how.freq)
    summed = summed_series(frame, of.series, of.source.topics, elements, site)
    meters = dict.fromkeys(c.meter if by == "meter" else None for c in summed)
    groups = [[c for c in summed if by == "site" or c.meter == m] for m in meters]
    parts = [_parts(of, group, how, site, min_coverage) for group in groups]
    tables = [rows_of(of, x, COLUMNS, across=True) for x in parts or [[]]]
    rows = pd.concat(tables, ignore_index=True)
    warn_of_coverage(rows, "coincident demands", summed, accepted=min_coverage is not None)
    return rows


def _parts(
    of: Inputs, group: Sequence[Cumulative], how: Cut, site: Any, least: float | None
) -> list[tuple[Cumulative, dict[str, Any]]]:
    """The rows of elements that are summed, arrays of shape (periods,) by element."""
    n, (s, e) = len(of.s), span(how, of.s, of.e, of.tz)
    kw = np.stack([means(c, s, e, of.interval(c)) for c in group])
    period = owner(s, e, of.s, of.e)
    covered = known(s, e, kw.sum(axis=0), period)
    coverage, *_ = uncovered(covered.s, covered.e, of.s, of.e)
    period = np.where(of_full_length(how, s, e), period, -1)
    top, _ = highest(known(s, e, kw.sum(axis=0), period), 1)
    at, until, peak = np.full(n, NAT), np.full(n, NAT), np.full(n, np.nan)
    at[top.period], until[top.period], peak[top.period] = top.s, top.e, top.kw
    parts = np.full((len(group), n), np.nan)
    parts[:, top.period] = kw[:, np.searchsorted(s, top.s)]
    by_period = pd.DataFrame(kw[:, period >= 0].T).groupby(period[period >= 0])
    own, lowest = (x.reindex(range(n)).to_numpy().T for x in (by_period.max(), by_period.min()))
    roles = getattr(site, "elements", None) or {}
    declared = [getattr(roles.get(c.name), "role", None) == EXPORT for c in group]
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
        "status": np.where(at == NAT, MISSING, state),
    }
    found = []
    for i, c in enumerate(group):
        inside = (at != NAT) & (c.edges(at).inside | c.edges(until).inside)
        flags = ((EXPORT, exports[i]), (REBLOCKED, inside))
        own_columns = {
            "coincident": np.where(np.isnan(peak), np.nan, parts[i]),
            "own_peak": np.where(np.isnan(peak) & (at != NAT), np.nan, own[i]),
            "share": np.where(peak > 0, share[i], np.nan),
            "flags": bits[i],
            "named": [[name for name, there in flags if there[k]] for k in range(n)],
        }
        found.append((c, of_all | own_columns))
    return found
