"""`peaks` lists the highest demands: the meter's own, or those of blocks or rolling windows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe.errors import ConfigError
from dentframe.metering import blocks
from dentframe.metering.cumulative import STATUSES, status
from dentframe.metering.figures import NAT
from dentframe.metering.registers import RegisterRules
from dentframe.times.ranges import local
from dentframe.verbs.inputs import (
    Inputs,
    Source,
    VerbKeywords,
    check_share,
    demand_source,
    inputs_of,
)
from dentframe.verbs.maxima import Peaks, flags_in, measured
from dentframe.verbs.results import MISSING, REBLOCKED, attrs_of, flag_tuples, warn_of_coverage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dentframe.metering.blocks import Cut
    from dentframe.metering.series import Floats, Ints
    from dentframe.times.periods import Freq
    from dentframe.times.ranges import Zone


_DEFAULT_RULES = RegisterRules()
KINDS = ("reported", *blocks.KINDS)
COLUMNS = (
    "period",
    "element",
    "rank",
    "peak",
    "start",
    "end",
    "coverage",
    "status",
    "uncovered_hours",
    "uncovered_kw",
    "flags",
)
"""The columns of `peaks`, after `meter` where the frame has several."""


def peaks(
    frame: pd.DataFrame,
    freq: Freq = None,
    *,
    tz: Zone = None,
    window: Any = None,
    kind: str = "reported",
    step: Any = None,
    n: int = 1,
    per_day: bool = False,
    start: Any = None,
    end: Any = None,
    topic: str | None = None,
    source: str = "auto",
    registers: RegisterRules = _DEFAULT_RULES,
    min_coverage: float | None = None,
    interval: Any = "15min",
    demand_lag: Any = "0min",
    elements: Any = None,
    site: Any = None,
    corrections: Any = (),
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
    how = _how(kind, window, step, n, interval)
    check_share(min_coverage)
    asked = VerbKeywords.of(
        frame, site, tz, start, end, registers, interval, demand_lag, elements, corrections
    )
    wanted = demand_source(frame, topic, _source(kind, source, topic))
    _check_reported(kind, wanted)
    of = inputs_of(frame, freq, wanted, asked, *([how.freq] if how else []))
    found = measured(of, how, n=n, per_day=per_day)
    rows = _table(of, found, min_coverage)
    rows.attrs = attrs_of(wanted.result)
    warn_of_coverage(rows, "peaks", of.series, accepted=min_coverage is not None)
    return rows


def _how(kind: str, window: Any, step: Any, n: int, interval: Any) -> Cut | None:
    if not isinstance(n, int) or isinstance(n, bool) or n < 1:
        raise ConfigError(f"Cannot use n={n!r}: it must be a whole number from 1.")
    if kind not in KINDS:
        raise ConfigError(f"Cannot use kind={kind!r}: use one of {', '.join(KINDS)}.")
    if kind != "reported":
        return blocks.cut(kind, "15min" if window is None else window, step, interval)
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


def _check_reported(kind: str, wanted: Source) -> None:
    if kind == "reported" and wanted.mean is None:
        raise ConfigError(
            f"Cannot use topic={wanted.register!r} with kind='reported': a register reports no "
            "demand. Use kind='block'."
        )


def _table(of: Inputs, found: Sequence[Peaks], least: float | None) -> pd.DataFrame:
    """The rows of all elements by meter, period, element and rank, made as one table."""
    names = [*(["meter"] if of.several else []), *COLUMNS]
    if not found:
        return pd.DataFrame(columns=names)
    parts = [_arrays(p, of.s, of.e, least) for p in found]
    data = {k: np.concatenate([x[k] for x in parts]) for k in parts[0]}
    which = np.repeat(np.arange(len(parts)), [len(x["rank"]) for x in parts])
    meters = pd.factorize(np.array([str(p.of.meter) for p in found], dtype=object))[0][which]
    order = np.lexsort((data["rank"], which, data["period"], meters))
    data = {k: values[order] for k, values in data.items()}
    for k in ("meter", "element"):
        data[k] = np.array([getattr(p.of, k) for p in found], dtype=object)[which[order]]
    times = {k: local(data[k], of.tz) for k in ("period", "start", "end")}
    flags = flag_tuples(data["flags"].tolist(), [(REBLOCKED,) if x else () for x in data["cut"]])
    status_of = np.array(STATUSES, dtype=object)[data["status"]]
    made = pd.DataFrame({**data, **times, "status": status_of, "flags": flags})
    return made[names]


def _arrays(p: Peaks, s: Ints, e: Ints, least: float | None) -> dict[str, Any]:
    """The rows of one element, times in microseconds and flags as bits."""
    period, rank, kw, a, b = _padded(p, len(s))
    coverage, bits = p.rest.coverage[period], flags_in(p.of, s, e)[period]
    kw = kw if least is None else np.where(coverage < least, np.nan, kw)
    return {
        "period": s[period],
        "rank": rank,
        "peak": kw,
        "start": a,
        "end": b,
        "coverage": coverage,
        "status": np.where(np.isnan(kw) & (a == NAT), MISSING, status(coverage, bits)),
        "uncovered_hours": p.rest.hours[period],
        "uncovered_kw": p.rest.kw[period],
        "flags": bits,
        "cut": (a != NAT) & blocks.reblocked(p.of, a, b),
    }


def _padded(p: Peaks, periods: int) -> tuple[Ints, Ints, Floats, Ints, Ints]:
    """Peaks by period and rank, and one row of NaN for each period that has none."""
    none = np.setdiff1d(np.arange(periods), p.top.period)
    period = np.concatenate((p.top.period, none))
    order = np.argsort(period, kind="stable")
    rank = np.concatenate((p.rank, np.ones(len(none), dtype=np.int64)))[order]
    kw = np.concatenate((p.top.kw, np.full(len(none), np.nan)))[order]
    blank = np.full(len(none), NAT, dtype=np.int64)
    a, b = np.concatenate((p.top.s, blank))[order], np.concatenate((p.top.e, blank))[order]
    return period[order], rank, kw, a, b
