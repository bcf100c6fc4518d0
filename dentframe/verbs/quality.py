"""`quality` tells what is wrong or strange with the readings, element by element.

Findings are reported and never applied. Nothing in the readings makes `quality` raise: what the
other verbs refuse (a register that falls, a column of text) is a row here.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Unpack

import numpy as np
import pandas as pd

from dentframe.errors import DentError
from dentframe.metering import series as _series
from dentframe.metering.register_rules import check_elements
from dentframe.metering.series import Flag, Series, is_several, time_index
from dentframe.times.dates_and_ranges import instant, micros, naive_zone
from dentframe.times.periods import verb_zone
from dentframe.verbs import inputs_and_keywords as inputs
from dentframe.verbs.elements_by_name import Element, requested_elements
from dentframe.verbs.gaps_and_coverage import gaps_of
from dentframe.verbs.inputs_and_keywords import MEAN, REGISTER, Keywords, VerbKeywords, verb
from dentframe.verbs.quality_limits_and_findings import FINDINGS, ElementReadings
from dentframe.verbs.reconcile import OfElement, pair_of
from dentframe.verbs.result_frames_and_warnings import frame_of_rows
from dentframe.wire.columns import Column, parse

_TOPICS = (REGISTER, MEAN, "A", "V", "dPF")
SEVERITIES = ("info", "warning", "error")
COLUMNS = ("element", "finding", "start", "end", "count", "severity", "kwh_at_risk")


@verb
def quality(
    frame: pd.DataFrame, *, now: Any = None, detail: bool = False, **keywords: Unpack[Keywords]
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
    elements : str or sequence of str, optional
        The elements asked for, as in `energy`; all by default.
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
    RangeError, ConfigError
        For an index without times, or a span or setting that cannot be used; for no reading.

    Notes
    -----
    Nothing is changed: no other verb looks at a finding. Each finding has a section in
    ``docs/guide/quality.md``.

    Examples
    --------
    >>> sorted(set(df.dent.quality(tz=LA)["finding"]))
    ['falling_register', 'gap', 'glitch', 'unused']
    """
    resolved = VerbKeywords.of(frame, **keywords)
    index_tz = time_index(frame).tz
    zone, naive = verb_zone(index_tz, resolved.tz), naive_zone(index_tz, resolved.tz)
    present = None if now is None else micros(instant(now, zone, "now"))
    series, refused = _read(frame)
    there = _elements(frame, series, refused)
    check_elements(resolved.registers, there)
    named, found = requested_elements(frame, (REGISTER, MEAN), resolved.elements) or there, []
    with np.errstate(all="ignore"):
        keys = [k for k in there if k in named]
        pairs = [pair_of(k, series.get(k, {}), resolved, naive) for k in keys]
        main = [p.demand if len(p.demand.at) else p.register for p in pairs]
        s, e = inputs.periods(frame, inputs.default_bounds(frame, main), None, zone, resolved)
        of = inputs.Inputs(frame, inputs.Source((MEAN, REGISTER)), zone, main, s, e, resolved)
        span = (int(s[0]), int(e[-1])) if len(s) else (0, 0)
        inside = {k: {n: _clip(x, *span) for n, x in own.items()} for k, own in series.items()}
        times = defaultdict[str | None, list[int]](list)
        for (meter, _), own in inside.items():
            times[meter] += [int(t) for x in own.values() for t in (*x.t[:1], *x.t[-1:])]
        for k, pair in zip(keys, pairs, strict=True):
            ends, own = times[k[0]], inside.get(k, {})
            # The steps that reach into the span are as they were in the whole column.
            c = pair.register.cut(*span)
            edges = (int(c.t[0]), int(c.t[-1])) if len(c.t) else span
            register = replace(c, series=_clip(c.series, *edges))
            means = own.get((MEAN, k[1]), pair.demand.series)
            demand = inputs.means_of(means, pair.rules, resolved)
            lost = gaps_of(of, *((demand, register) if len(demand.at) else (register, None)))
            x = ElementReadings(
                register, demand, of.interval(c), pair.rules, own, lost, min(ends, default=0),
                max(ends, default=0), refused[k[1]], present,
            )  # fmt: skip
            found += [(*k, look.__name__, *row) for look in FINDINGS for row in look(x)]
    rows = pd.DataFrame(found, columns=["meter", *COLUMNS])
    made = frame_of_rows(frame, rows if detail else _merged(rows), COLUMNS, zone)
    return made.astype({"count": np.int64, "kwh_at_risk": np.float64})


def _read(frame: pd.DataFrame) -> tuple[dict[Element, dict[tuple[str, str], Series]], Counter[str]]:
    """The readings that findings look at, and how many columns of an element cannot be read."""
    found: dict[Element, dict[tuple[str, str], Series]] = {}
    refused, seen = Counter[str](), set[str]()
    meters = _series.rows(frame)
    for i, label in enumerate(frame.columns):
        column = parse(label) if isinstance(label, str) else Column("")
        if column.topic not in _TOPICS or column.element is None:
            continue
        try:
            series = _series.read(meters, frame, [(i, column)]) if column.wire not in seen else []
        except DentError:
            series = []
        seen.add(column.wire)
        refused[column.element] += not series
        # A channel that has a register or demand of its own is looked at as an element is.
        element = column.id if column.topic in {REGISTER, MEAN} else column.element
        for x in series:
            found.setdefault((x.meter, element), {})[column.topic, column.id] = x
    return found, refused


def _elements(
    frame: pd.DataFrame, series: Mapping[Element, OfElement], refused: Mapping[str, int]
) -> list[Element]:
    """The elements with a register or demand, in wire order.

    Among several meters each has the columns of all: there a column of blanks is no element,
    unless it was read by its name.
    """
    named, several = _series.named_elements(frame), is_several(frame)
    found = {(m.meter, x) for m in _series.rows(frame) for x, n in refused.items() if n}
    for key, own in series.items():
        whole = {topic: x for (topic, name), x in own.items() if name == key[1]}
        marks = [x.marks & Flag.CONFLICTING_DUPLICATE for x in whole.values()]
        filled = any(len(x.t) for x in whole.values()) or any(m.any() for m in marks)
        if whole.keys() & {REGISTER, MEAN} and (filled or not several or key in named):
            found.add(key)
    return sorted(found, key=lambda k: (k[0] or "", len(k[1]), k[1]))


def _clip(x: Series, low: int, high: int) -> Series:
    """The readings from one instant to another, both included."""
    keep, marked = (x.t >= low) & (x.t <= high), (x.mark_t >= low) & (x.mark_t <= high)
    return replace(
        x, t=x.t[keep], values=x.values[keep], mark_t=x.mark_t[marked], marks=x.marks[marked]
    )


def _merged(found: pd.DataFrame) -> pd.DataFrame:
    """Findings of one name and element as one, the worst severity of them."""
    found = found.assign(severity=found["severity"].map(SEVERITIES.index))
    by = found.groupby(["meter", "element", "finding"], sort=False, dropna=False)
    made = by.agg({"start": "min", "end": "max", "count": "sum", "severity": "max"})
    made["kwh_at_risk"] = by["kwh_at_risk"].sum(min_count=1)
    made["severity"] = np.array(SEVERITIES, dtype=object)[made["severity"].astype(int)]
    return made.reset_index()[["meter", *COLUMNS]]
