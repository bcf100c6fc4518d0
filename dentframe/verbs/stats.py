"""`stats` computes the time-weighted mean, least and greatest value of samples in each period.

Between two samples the value is taken to change evenly: straight lines between their instants.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe.errors import (
    KindError,
    RangeError,
    UnknownMeterError,
    UnknownTopicError,
    did_you_mean,
)
from dentframe.frame import select as selection
from dentframe.metering.attrs import is_several, span_of, time_index
from dentframe.metering.corrections import samples as scaled_samples
from dentframe.metering.cumulative import share
from dentframe.metering.registers import check_elements, resolve
from dentframe.metering.series import Series, _series, numbers, rows
from dentframe.times.periods import build, parse_freq, verb_zone
from dentframe.times.ranges import ints, local, zone
from dentframe.verbs.inputs import (
    VerbKeywords,
    asked_bounds,
    check_share,
    interval_of,
    naive_zone,
    warn_of_spacing,
)
from dentframe.verbs.results import warn_of_coverage
from dentframe.wire import columns as _columns
from dentframe.wire import units as _units
from dentframe.wire.columns import Column, parse
from dentframe.wire.topics import TOPICS, kind_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dentframe.metering.registers import RegisterRules
    from dentframe.metering.series import Floats, Ints
    from dentframe.times.periods import Freq
    from dentframe.times.ranges import Zone


def _ok(x: Series, w: int) -> Any:
    return 2 * np.diff(x.t) <= 3 * w


def covered_until(x: Series, at: Ints, w: int) -> Ints:
    """Time between samples up to each instant [us]."""
    if len(x.t) < 2:
        return np.zeros(len(at), dtype=np.int64)
    ok, spacing = _ok(x, w), np.diff(x.t)
    total = np.concatenate(([0], np.cumsum(np.where(ok, spacing, 0))))
    i = np.clip(np.searchsorted(x.t, at, side="right") - 1, 0, len(x.t) - 2)
    into = np.clip(at - x.t[i], 0, spacing[i])
    return np.asarray(total[i] + np.where(ok[i], into, 0))


def integral(x: Series, at: Ints, w: int) -> Floats:
    """Area under the straight lines between samples, up to each instant [unit x us]."""
    if len(x.t) < 2:
        return np.zeros(len(at))
    ok, spacing, v = _ok(x, w), np.diff(x.t), x.values
    total = np.concatenate(([0.0], np.cumsum(np.where(ok, (v[1:] + v[:-1]) / 2 * spacing, 0.0))))
    i = np.clip(np.searchsorted(x.t, at, side="right") - 1, 0, len(x.t) - 2)
    into = np.clip(at - x.t[i], 0, spacing[i])
    reached = v[i] + (v[i + 1] - v[i]) * (into / spacing[i])
    return np.asarray(total[i] + np.where(ok[i], (v[i] + reached) / 2 * into, 0.0))


def weighted(x: Series, kw: Series | None, s: Ints, e: Ints) -> Floats:
    """Power-weighted mean of a ratio: sum(kW) / sum(kW / |PF|) over common instants."""
    if kw is None:
        return np.full(len(s), np.nan)
    _, i, j = np.intersect1d(x.t, kw.t, assume_unique=True, return_indices=True)
    power, factor, t = np.abs(kw.values[j]), np.abs(x.values[i]), x.t[i]
    use = factor > 0
    power, apparent, t = power[use], power[use] / factor[use], t[use]
    above, below = (np.concatenate(([0.0], np.cumsum(y))) for y in (power, apparent))
    a, b = np.searchsorted(t, s, side="left"), np.searchsorted(t, e, side="left")
    b = _with_last(t, e, b)
    out = np.full(len(s), np.nan)
    np.divide(above[b] - above[a], below[b] - below[a], out=out, where=below[b] > below[a])
    return out


def _with_last(t: Ints, e: Ints, b: Ints) -> Ints:
    """The span's end includes a sample that lies on it."""
    if len(e) and len(t) and t[-1] == e[-1]:
        b = b.copy()
        b[-1] = len(t)
    return b


def extremes(x: Series, s: Ints, e: Ints) -> tuple[Floats, Floats]:
    """Least and greatest sample with ``s <= t < e`` of each period, the span's end included."""
    a = np.searchsorted(x.t, s, side="left")
    b = _with_last(x.t, e, np.searchsorted(x.t, e, side="left"))
    some = np.flatnonzero(b > a)
    found = np.full((2, len(s)), np.nan)
    if len(some):
        # reduceat takes (start, stop) pairs; every other result is the stretch between periods.
        cuts = np.stack([a[some], b[some]], axis=1).ravel()
        padded = np.append(x.values, np.nan)
        found[0, some] = np.fmin.reduceat(padded, cuts)[::2]
        found[1, some] = np.fmax.reduceat(padded, cuts)[::2]
    return found[0], found[1]


STATISTICS = ("mean", "min", "max", "coverage")
_INSTEAD = {
    "register": "it is a register, a running total whose mean says nothing. Use energy().",
    "interval_mean": "it holds means of intervals, not samples. Use demand(), peaks() or energy().",
    "interval_energy": "it is the energy of periods. It may be summed: df.sum().",
    "unknown": "nothing tells what kind of quantity it is. Rename the column to a known topic, or "
    "write its unit into the label.",
}


def stats(
    frame: pd.DataFrame,
    topic: str,
    freq: Freq = None,
    *,
    tz: Zone = None,
    start: Any = None,
    end: Any = None,
    min_coverage: float | None = None,
    interval: Any = "15min",
    elements: Any = None,
    site: Any = None,
    corrections: Any = (),
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
        More of them, beside those of `site`: a factor multiplies ``A``, its channels too, and the
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
    keywords = VerbKeywords.of(frame, site, tz, corrections=corrections)
    tz, rules = keywords.tz, keywords.registers
    check_share(min_coverage)
    kind = _check_kind(frame, topic)
    local_zone = verb_zone(time_index(frame).tz, tz, freq)
    near = naive_zone(frame, tz)
    found = _corrected(_of_elements(frame, samples(frame, topic), elements), rules, near)
    warn_of_spacing([x for x, _ in found], interval)
    s, e = _periods(frame, [x for x, _ in found], freq, local_zone, start, end, tz)
    weights = _weights(frame, rules, near) if kind == "ratio" else None
    made = [_figures(x, c, s, e, interval, weights) for x, c in found]
    _warn(made, s, local_zone, accepted=min_coverage is not None)
    return _frame(frame, made, local(s, local_zone).rename("time"), min_coverage)


def _of_elements(
    frame: pd.DataFrame, found: list[tuple[Series, Column]], elements: Any
) -> list[tuple[Series, Column]]:
    """The series of the elements asked for, their channels included."""
    if elements is None or (isinstance(elements, str) and elements == "all"):
        return found
    several = is_several(frame)
    letters = [c.element or c.id for _, c in found]
    full = [f"{x.meter}_{y}" for (x, _), y in zip(found, letters, strict=True)]
    listed = [elements] if isinstance(elements, str) else [str(x) for x in elements]
    known = list(dict.fromkeys(full if several else letters))
    for name in listed:
        if name not in {*full, *known}:
            raise UnknownMeterError(
                f"Cannot use element {name!r}: this frame has {', '.join(known)}"
                f"{did_you_mean(name, known)}"
            )
    asked = set(listed)
    return [
        pair
        for pair, letter, name in zip(found, letters, full, strict=True)
        if name in asked or (letter in asked and not several)
    ]


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
    label = next(x for x in _columns.wire_columns(frame.columns) if parse(x).topic == topic)
    kind = kind_of(topic, _units.unit_text(frame, label))
    if kind not in {"sample", "ratio"}:
        raise KindError(f"Cannot compute statistics of {topic!r}: {_INSTEAD[kind]}")
    return kind


def samples(frame: pd.DataFrame, topic: str) -> list[tuple[Series, Column]]:
    """Every series of a topic, channels and elements, meter by meter."""
    labels = enumerate(frame.columns)
    wanted = [(i, parse(x)) for i, x in labels if _columns.is_wire(x) and parse(x).topic == topic]
    wanted.sort(key=lambda x: _columns.sort_key(x[1]))
    values = [(c, _numbers(frame, i, c)) for i, c in wanted]
    return [(_series(m, c, v), c) for m in rows(frame) for c, v in values]


def _corrected(
    found: list[tuple[Series, Column]], rules: RegisterRules, tz: Zone
) -> list[tuple[Series, Column]]:
    """The series times the factors of their elements."""
    if not rules.corrections:
        return found
    names = [(x.meter, c.element or c.id) for x, c in found]
    check_elements(rules, names)
    return [
        (scaled_samples(x, resolve(rules, *name, tz)), c)
        for (x, c), name in zip(found, names, strict=True)
    ]


def _numbers(frame: pd.DataFrame, position: int, column: Column) -> Floats:
    if column.topic in TOPICS:
        return numbers(frame, position, column)
    return frame.iloc[:, position].to_numpy(dtype=np.float64, na_value=np.nan)


def _periods(
    frame: pd.DataFrame,
    found: Sequence[Series],
    freq: Freq,
    tz: Any,
    start: Any,
    end: Any,
    naive: Zone,
) -> tuple[Ints, Ints]:
    low, high = asked_bounds(frame, start, end, naive)
    there = ((x.meter, int(x.t[0]), int(x.t[-1])) for x in found if len(x.t))
    first, last = span_of(frame, there)
    a, b = (first if low is None else low), (last if high is None else high)
    if a is None or b is None or a >= b:
        none = np.empty(0, dtype=np.int64)
        return none, none
    when = build(freq, a, b, zone(tz), cut_start=low is not None, cut_end=high is not None)
    return ints(when.starts), ints(when.ends)


@dataclass(frozen=True)
class Statistics:
    """One column's statistics; arrays of shape (periods,)."""

    meter: str | None
    column: Column
    mean: Floats
    min: Floats
    max: Floats
    coverage: Floats


def _weights(frame: pd.DataFrame, rules: RegisterRules, tz: Zone) -> dict[Any, Series]:
    if "DemandkW" not in selection.topics(frame):
        return {}
    found = _corrected(samples(frame, "DemandkW"), rules, tz)
    return {(x.meter, c.scope, c.id): x for x, c in found}


def _figures(
    x: Series, c: Column, s: Ints, e: Ints, interval: Any, weights: dict[Any, Series] | None
) -> Statistics:
    w = interval_of(interval, x.meter)
    area = integral(x, e, w) - integral(x, s, w)
    covered = covered_until(x, e, w) - covered_until(x, s, w)
    mean = np.full(len(s), np.nan)
    np.divide(area, covered, out=mean, where=covered > 0)
    if weights is not None:
        mean = weighted(x, weights.get((x.meter, c.scope, c.id)), s, e)
    least, greatest = extremes(x, s, e)
    return Statistics(x.meter, c, mean, least, greatest, share(covered, e - s))


def _warn(made: Sequence[Statistics], s: Ints, tz: Any, *, accepted: bool) -> None:
    state = [np.where(x.coverage >= 1, "recorded", "partial") for x in made]
    state = [np.where(x.coverage <= 0, "missing", y) for x, y in zip(made, state, strict=True)]
    parts = [
        pd.DataFrame(
            {
                **({} if x.meter is None else {"meter": x.meter}),
                "element": x.column.id,
                "period": local(s, tz),
                "coverage": x.coverage,
                "status": y,
            }
        )
        for x, y in zip(made, state, strict=True)
        if len(s)
    ]
    if parts:
        warn_of_coverage(pd.concat(parts, ignore_index=True), "statistics", accepted=accepted)


def _frame(
    frame: pd.DataFrame, made: Sequence[Statistics], times: pd.Index, least: float | None
) -> pd.DataFrame:
    several = is_several(frame)
    meters = list(dict.fromkeys(x.meter for x in made))
    parts = {m: _of_meter([x for x in made if x.meter == m], times, least) for m in meters}
    if not several or not parts:
        return next(iter(parts.values()), pd.DataFrame(index=frame.index[:0]))
    return pd.concat(parts, names=["meter", "time"])


def _of_meter(made: Sequence[Statistics], times: pd.Index, least: float | None) -> pd.DataFrame:
    columns: dict[tuple[str, str], Floats] = {}
    for x in made:
        low = np.zeros(len(times), bool) if least is None else x.coverage < least
        for name in STATISTICS:
            values = getattr(x, name)
            shown = values if name == "coverage" else np.where(low, np.nan, values)
            columns[x.column.label, name] = shown
    labels = pd.MultiIndex.from_tuples(list(columns), names=["column", "statistic"])
    return pd.DataFrame(dict(enumerate(columns.values())), index=times).set_axis(labels, axis=1)
