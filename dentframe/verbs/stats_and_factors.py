"""`stats`, `load_factor` and `power_factor` compute means, extremes and ratios of each period.

Between two samples the value is taken to change evenly: straight lines between their instants. The
factors divide the energy of a period by what it is compared with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Unpack

import numpy as np
import pandas as pd

from dentframe.accessor_methods import with_keywords
from dentframe.errors import KindError, RangeError, UnknownTopicError
from dentframe.frame import select as selection
from dentframe.metering import series as _series
from dentframe.metering.apply_corrections import samples as corrected
from dentframe.metering.energy_and_coverage import Cumulative, share, status, totals
from dentframe.metering.register_rules import HOUR, check_elements, resolve
from dentframe.metering.series import Floats, Ints, Series, element_columns, is_several, time_index
from dentframe.times.dates_and_ranges import local, naive_zone
from dentframe.times.periods import Freq, parse_freq, verb_zone
from dentframe.verbs import inputs_and_keywords as inputs
from dentframe.verbs import peaks
from dentframe.verbs import result_frames_and_warnings as results
from dentframe.verbs.demand import cut, in_windows, owner
from dentframe.verbs.elements_by_name import keyed, requested_elements, without_readings
from dentframe.verbs.energy import figures
from dentframe.verbs.gaps_and_coverage import within
from dentframe.wire.columns import Column, is_wire, parse, sort_key, unit_text, wire_columns
from dentframe.wire.topics import kind_of


def _mean(x: Series, s: Ints, e: Ints, interval: int) -> tuple[Floats, Ints]:
    """The mean under the straight lines between samples of each period, and its covered time [us].

    Over a spacing of more than one and a half of the interval nothing is assumed.
    """
    if len(x.t) < 2:
        return np.full(len(s), np.nan), np.zeros(len(s), dtype=np.int64)
    spacing, v = np.diff(x.t), x.values
    known = 2 * spacing <= 3 * interval
    lengths = np.where(known, spacing, 0)
    time = np.concatenate(([0], np.cumsum(lengths)))
    area = np.concatenate(([0.0], np.cumsum((v[1:] + v[:-1]) / 2 * lengths)))

    def until(at: Ints) -> tuple[Floats, Ints]:
        i = np.clip(np.searchsorted(x.t, at, side="right") - 1, 0, len(x.t) - 2)
        into = np.where(known[i], np.clip(at - x.t[i], 0, spacing[i]), 0)
        value = v[i] + (v[i + 1] - v[i]) * (into / spacing[i])
        return area[i] + (v[i] + value) / 2 * into, time[i] + into

    (low, begun), (high, ended) = until(s), until(e)
    return results.divided(high - low, (ended - begun).astype(np.float64)), ended - begun


def _weighted(x: Series, kw: Series | None, s: Ints, e: Ints) -> Floats:
    """Power-weighted mean of a ratio: sum(kW) / sum(kW / |PF|) over common instants."""
    if kw is None:
        return np.full(len(s), np.nan)
    t, i, j = np.intersect1d(x.t, kw.t, assume_unique=True, return_indices=True)
    power, factor, period = np.abs(kw.values[j]), np.abs(x.values[i]), _period_of(t, s, e)
    use = (factor > 0) & (period >= 0)
    power, factor, period = power[use], factor[use], period[use]
    above, below = (totals(y, period, len(s)) for y in (power, power / factor))
    return results.divided(above, below)


def _period_of(t: Ints, s: Ints, e: Ints) -> Ints:
    """The period ``s <= t < e`` of each sample; -1 for none."""
    period = owner(t, t + 1, s, e)
    if len(t) and len(e) and t[-1] == e[-1]:  # the span's end is the last period's
        period[-1] = len(s) - 1
    return period


STATISTICS = ("mean", "min", "max", "coverage")
_INSTEAD = {
    "register": "it is a register, a running total whose mean says nothing. Use energy().",
    "interval_mean": "it holds means of intervals, not samples. Use demand(), peaks() or energy().",
    "interval_energy": "it is the energy of periods. It may be summed: df.sum().",
    "unknown": "nothing tells what kind of quantity it is. Rename the column to a known topic, or "
    "write its unit into the label.",
}


@with_keywords(inputs.Keywords, inputs.DEFAULTS, without=["registers", "demand_lag"])
def stats(
    frame: pd.DataFrame,
    topic: str,
    freq: Freq = None,
    *,
    min_coverage: float | None = None,
    corrections: Any = (),
    **keywords: Unpack[inputs.Keywords],
) -> pd.DataFrame:
    """Time-weighted mean, least, greatest value and coverage of a sampled topic.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns over time, or over (meter, time), shape (readings, columns).
    topic : str
        A sample (``"A"``, ``"V"``, ``"kW"``...) or a ratio (``"dPF"``), channels and elements.
    freq : str, Monthly, list of edges, or None
        Start-anchored (``"D"``, ``"MS"``, ...); None for one period.
    tz : str or tzinfo, optional
        The zone of the calendar and of naive bounds; None is the index's own where not UTC.
    start, end : str, date, datetime or Timestamp, optional
        The span; only these cut a calendar period.
    min_coverage : float, optional
        Statistics of periods with less coverage (0 to 1) are NaN, and nothing warns.
    interval : str, timedelta, or mapping by meter
        The usual spacing of samples; over a spacing of more than one and a half of it nothing
        is assumed.
    elements : str or sequence of str, optional
        The elements asked for, as in `energy`; all by default.
    site : Site, optional
        Gives `tz` where it is not given, and the factors of its corrections.
    corrections : sequence of Correction, optional
        More of them, after those of `site`: a factor multiplies ``A``, its channels too, and the
        power by which a ratio is weighted.

    Returns
    -------
    pandas.DataFrame
        Period start (in `tz`) to (column, statistic), shape (periods, 4 x columns), in the
        topic's unit; over (meter, time) where the frame is.

    Raises
    ------
    KindError
        For a register, an interval mean or an unknown kind; the message names the right verb.
    UnknownTopicError
        For a topic that the frame does not have.
    RangeError, ConfigError, UnitError
        As `energy`.

    Warns
    -----
    CoverageWarning
        Once a call, where some period is not wholly covered.

    Notes
    -----
    Between two samples the value is taken to change evenly (trapezoid), also at a period's
    edge; least and greatest are samples with ``start <= t < end`` (the span's end included).
    A ratio has no time mean: its ``mean`` is weighted by power, sum(kW) / sum(kW / abs(PF)),
    from the DemandkW of the same element or channel at the same instants, and NaN without it.
    Signs of lead and lag never cancel.

    Examples
    --------
    >>> import pandas as pd
    >>> t = pd.date_range("2024-01-01", periods=3, freq="15min", tz="UTC")
    >>> amperes = pd.DataFrame({"A/Ch/A1": [10.0, 20.0, 40.0]}, index=t)
    >>> float(stats(amperes, "A")[("A/Ch/A1", "mean")].iloc[0])
    22.5
    """
    resolved = inputs.VerbKeywords.of(frame, corrections=corrections, **keywords)
    inputs.check_share(min_coverage)
    kind = _check_kind(frame, topic)
    zone = verb_zone(time_index(frame).tz, resolved.tz, freq)
    several = is_several(frame)
    found = _samples(frame, topic, resolved, resolved.elements)
    inputs.warn_of_spacing([x for x, _ in found], resolved.interval)
    ends = ((x.meter, int(x.t[0]), int(x.t[-1])) for x, _ in found if len(x.t))
    s, e = inputs.periods(frame, _series.span_of(frame, ends), freq, zone, resolved)
    weighed = kind == "ratio" and inputs.MEAN in selection.topics(frame)
    power = _samples(frame, inputs.MEAN, resolved) if weighed else []
    weights = {(x.meter, c.scope, c.id): x for x, c in power}
    columns: dict[str | None, dict[tuple[Any, ...], Floats]] = {}
    states = []
    for x, c in found:
        mean, covered = _mean(x, s, e, inputs.interval_of(resolved.interval, x.meter))
        if kind == "ratio":
            mean = _weighted(x, weights.get((x.meter, c.scope, c.id)), s, e)
        extremes = pd.Series(x.values).groupby(_period_of(x.t, s, e)).agg(["min", "max"])
        least, greatest = extremes.reindex(range(len(s))).to_numpy(dtype=np.float64).T
        coverage = share(covered, e - s)
        low = coverage < (min_coverage or 0.0)
        figures = (np.where(low, np.nan, y) for y in (mean, least, greatest))
        labels = ((c.label, name) for name in STATISTICS)
        of_meter = columns.setdefault(x.meter if several else None, {})
        of_meter |= zip(labels, (*figures, coverage), strict=True)
        known = {"period": s, "coverage": coverage, "status": status(coverage, 0 * s)}
        states.append((without_readings(x.meter, c.id), known))
    results.warn_of_coverage(states, "statistics", zone, accepted=min_coverage is not None)
    return results.by_column(columns, local(s, zone).rename("time"), "column", "statistic")


def _check_kind(frame: pd.DataFrame, topic: str) -> str:
    try:
        parse_freq(topic)
    except RangeError:
        selection.check_topic(frame, topic)
    else:
        raise UnknownTopicError(
            f"Cannot find topic {topic!r}: that is a frequency, and the topic comes first. Use "
            f"e.g. stats('A', {topic!r})."
        )
    label = next(x for x in wire_columns(frame.columns) if parse(x).topic == topic)
    kind = kind_of(topic, unit_text(frame, label))
    if kind not in {"sample", "ratio"}:
        raise KindError(f"Cannot compute statistics of {topic!r}: {_INSTEAD[kind]}")
    return kind


def _samples(
    frame: pd.DataFrame, topic: str, resolved: inputs.VerbKeywords, elements: Any = None
) -> list[tuple[Series, Column]]:
    """The corrected series of a topic, channels and elements, meter by meter."""
    labels = ((i, parse(x)) for i, x in enumerate(frame.columns) if is_wire(x))
    columns = sorted((x for x in labels if x[1].topic == topic), key=lambda x: sort_key(x[1]))
    meters = _series.rows(frame)
    series = _series.read(meters, frame, columns)
    found = [(x, c) for x, (_, c) in zip(series, columns * len(meters), strict=True)]
    there = [(x.meter, c.element or c.id) for x, c in found]
    named = requested_elements(frame, [topic], elements, there) or there
    kept = [(*x, key) for x, key in zip(found, there, strict=True) if key in named]
    if not resolved.registers.corrections:
        return [(x, c) for x, c, _ in kept]
    check_elements(resolved.registers, [key for *_, key in kept])
    naive = naive_zone(time_index(frame).tz, resolved.tz)
    return [(corrected(x, resolve(resolved.registers, *key, naive)), c) for x, c, key in kept]


APPARENT = "kVAHNet"
KINDS = ("auto", *peaks.KINDS)


@with_keywords(inputs.TopicKeywords, inputs.DEFAULTS, without=["topic"])
def load_factor(
    frame: pd.DataFrame,
    freq: Freq = None,
    *,
    kind: str = "auto",
    window: Any = "15min",
    min_coverage: float | None = None,
    detail: bool = False,
    **keywords: Unpack[inputs.TopicKeywords],
) -> pd.DataFrame:
    """Load factor: energy over the peak held for all of the period's true hours.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns over time, or over (meter, time), shape (readings, columns).
    freq : str, Monthly, list of edges, or None
        Start-anchored (``"MS"``, ``"D"``, ...); None for one period.
    tz : str or tzinfo, optional
        The zone of the calendar, the blocks and naive bounds.
    kind : str
        Which peak: ``"auto"`` is the reported one, or that of clock blocks where an element
        has a register only; ``"reported"``, ``"block"``, ``"rolling"`` as in `peaks`.
    window : str or timedelta
        Length of a block or rolling window.
    start, end : str, date, datetime or Timestamp, optional
        The span; only these cut a calendar period.
    source : str
        Of the energy, as in `energy`.
    registers, interval, demand_lag, elements, site : optional
        As in `demand`.
    min_coverage : float, optional
        Figures with less coverage (0 to 1) are NaN, and nothing warns.
    detail : bool
        Rows of (``meter``,) ``period, element, value, energy, peak, coverage, status, flags``.

    Returns
    -------
    pandas.DataFrame
        Period start (in `tz`) to one column per element [1], shape (periods, elements).

    Raises
    ------
    RangeError, KindError, ConfigError, UnknownTopicError, UnitError
        As `peaks`.

    Warns
    -----
    CoverageWarning
        Once a call, where figures are not wholly recorded.

    Notes
    -----
    ``energy / (peak * hours)``, with the true hours of the local period: March has 743 of them
    in New York. What is not covered counts as no energy, so that a partial figure is too low.

    Examples
    --------
    >>> df.dent.select(element="A").dent.load_factor("MS", tz=LA).round(2).iloc[0, 0].item()
    0.37
    """
    inputs.check_share(min_coverage)
    inputs.check_one_of("kind", kind, KINDS)
    resolved = inputs.VerbKeywords.of(frame, **keywords)
    of_peaks = replace(resolved, source="demand" if kind == "reported" else "auto")
    how = cut("rolling" if kind == "rolling" else "block", window, None, of_peaks.interval)
    of = in_windows(frame, freq, of_peaks, how)
    answer = inputs.energy_source(frame, None, resolved.source)
    energies = keyed(inputs.series_of(frame, answer, resolved))
    hours, found = (of.e - of.s) / HOUR, []
    for p in peaks.highest_of(of, None if kind == "reported" else how, 1, auto=kind == "auto"):
        c, peak = p.of, np.full(len(of.s), np.nan)
        peak[p.top.period] = p.top.kw
        of_energy = energies.get((c.meter, c.element), c)
        f = figures(of_energy, of.s, of.e)
        arrays = {
            "value": results.divided(f.energy, peak * hours),
            "energy": f.energy,
            "peak": peak,
            "coverage": np.minimum(f.coverage, p.coverage),
            "flags": c.flags_in(of.s, of.e, of_edges=False) | f.flags,
        }
        found.append((c, arrays, of_energy))
    return _ratios(of, found, "load factors", min_coverage, detail=detail)


@inputs.verb
def power_factor(
    frame: pd.DataFrame,
    freq: Freq = None,
    *,
    min_coverage: float | None = None,
    detail: bool = False,
    **keywords: Unpack[inputs.Keywords],
) -> pd.DataFrame:
    """Power factor of each period: active over apparent energy, from the two registers.

    Parameters
    ----------
    frame : pandas.DataFrame
        With ``kWHNet/Elm/...`` and ``kVAHNet/Elm/...``, shape (readings, columns).
    freq : str, Monthly, list of edges, or None
        Start-anchored (``"MS"``, ``"15min"``, ...); None for one period.
    tz, start, end, registers, interval, demand_lag, elements, site : optional
        As in `energy`. `registers` serve both; a greatest kW is taken as a greatest kVA. The swaps
        of a `site` are of kWHNet alone.
    min_coverage : float, optional
        Figures with less coverage (0 to 1) are NaN, and nothing warns.
    detail : bool
        Rows of (``meter``,) ``period, element, value, energy, apparent_energy, coverage,
        status, flags``.

    Returns
    -------
    pandas.DataFrame
        Period start (in `tz`) to one column per element [1], shape (periods, elements).

    Raises
    ------
    KindError
        Where one of the registers is not there.
    RangeError, ConfigError, UnitError
        As `energy`.

    Warns
    -----
    CoverageWarning
        Once a call, where figures are not wholly recorded.

    Notes
    -----
    ``kWHNet / kVAHNet`` over the time that both cover: weighted by energy by nature. The mean
    of signed dPF readings is none (+0.95 and -0.95 would make 0), and kW/dPF leaves out
    harmonics, so dPF is never used here.

    Examples
    --------
    >>> df.dent.select(element="A").dent.power_factor("MS", tz=LA).round(2).iloc[0, 0].item()
    0.94
    """
    inputs.check_share(min_coverage)
    selection.check_read(frame)
    for topic in (inputs.REGISTER, APPARENT):
        if not element_columns(frame, [topic]):
            raise KindError(
                f"Cannot compute power factors: the frame has no {topic}/Elm/... column. Read "
                f"topics=[{inputs.REGISTER!r}, {APPARENT!r}]; dPF readings cannot take its place."
            )
    resolved = inputs.VerbKeywords.of(frame, **keywords)
    of = inputs.inputs_of(frame, freq, inputs.Source((inputs.REGISTER,)), resolved)
    every = replace(resolved, elements=None)
    kvah_registers = keyed(inputs.series_of(frame, inputs.Source((APPARENT,)), every))
    found = []
    for c in of.series:
        apparent = kvah_registers.get((c.meter, c.element))
        other = apparent or without_readings(c.meter, c.element)
        kwh, both = within(c, other, of.s, of.e)
        kvah, _ = within(other, c, of.s, of.e)
        figures = {
            "value": results.divided(kwh, kvah),
            "energy": kwh,
            "apparent_energy": kvah,
            "coverage": share(both, of.e - of.s),
            "flags": c.flags_in(of.s, of.e) | other.flags_in(of.s, of.e) if apparent else 0 * of.s,
        }
        found.append((c, figures, apparent))
    return _ratios(of, found, "power factors", min_coverage, detail=detail)


def _ratios(
    of: inputs.Inputs,
    found: Sequence[tuple[Cumulative, dict[str, Any], Cumulative | None]],
    what: str,
    least: float | None,
    *,
    detail: bool,
) -> pd.DataFrame:
    """A frame of ratios, period to element or in rows, and the warning of what is not recorded.

    Parameters
    ----------
    of : Inputs
        Series and periods.
    found : sequence of (Cumulative, dict, Cumulative or None)
        Each element, its arrays by column, and the other series that they were made from.
    what : str
        What the figures are, for the warning.
    least : float or None
        Figures with less coverage are NaN.
    detail : bool
        Rows instead of columns.
    """
    for _, x, _ in found:
        x["value"] = np.where(x["coverage"] < (least or 0.0), np.nan, x["value"])
        x |= {"period": of.s, "status": status(x["coverage"], x["flags"])}
    other = "peak" if what == "load factors" else "apparent_energy"
    columns = ("period", "element", "value", "energy", other, "coverage", "status", "flags")
    parts = [(c, x) for c, x, _ in found]
    if detail:
        return results.rows_of(of, parts, columns)
    others = [c for *_, c in found if c is not None]
    results.warn_of_coverage(parts, what, of.tz, others=others, accepted=least is not None)
    return results.by_element(of, [x["value"] for _, x in parts], results.periods_index(of))
