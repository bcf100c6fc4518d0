"""`quality` tells what is wrong or strange with the readings, element by element.

Findings are reported and never applied. Nothing in the readings makes `quality` raise: what the
other verbs refuse (a register that falls, a column of text) is a row here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import pandas as pd

from dentframe.errors import DentError
from dentframe.metering.attrs import is_several, named_elements, time_index
from dentframe.metering.register_rules import check_elements, micros
from dentframe.metering.series import Flag, Series, read, rows
from dentframe.times.dates_and_ranges import instant, naive_zone
from dentframe.times.periods import verb_zone
from dentframe.verbs.chosen_elements import requested_elements
from dentframe.verbs.gaps_and_coverage import gaps_of, with_times
from dentframe.verbs.inputs import (
    MEAN,
    REGISTER,
    Inputs,
    Keywords,
    VerbKeywords,
    demand_source,
    means_of,
    periods,
    verb,
)
from dentframe.verbs.quality_findings import FINDINGS, ElementReadings
from dentframe.verbs.reconcile import Pair, pair_of
from dentframe.wire.columns import Column, parse

if TYPE_CHECKING:
    from dentframe.verbs.chosen_elements import Element


_TOPICS = (REGISTER, MEAN, "A", "V", "dPF")
SEVERITIES = ("info", "warning", "error")
COLUMNS = ("element", "finding", "start", "end", "count", "severity", "kwh_at_risk")

AllSeries = dict[tuple[str, str | None, str], Series]
"""Readings by topic, meter and name of an element or channel."""


@verb
def quality(
    frame: pd.DataFrame,
    *,
    now: Any = None,
    detail: bool = False,
    **keywords: Unpack[Keywords],
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
    every, refused = _read(frame)
    there = _elements(frame, every, refused)
    check_elements(resolved.registers, there)
    both, found = (REGISTER, MEAN), []
    named = requested_elements(frame, both, resolved.elements)
    with np.errstate(all="ignore"):
        whole = [
            pair_of(k, {t: every[t, *k] for t in both if (t, *k) in every}, resolved, naive)
            for k in there
            if named is None or k in named
        ]
        main = [p.demand if len(p.demand.at) else p.register for p in whole]
        s, e = periods(frame, main, None, zone, resolved)
        of = Inputs(frame, demand_source(frame, None, "auto"), zone, main, s, e, resolved)
        span = (int(s[0]), int(e[-1])) if len(s) else (0, 0)
        inside = {k: _clip(x, *span) for k, x in every.items()}
        for pair in whole:
            # The steps that reach into the span are as they were in the whole column.
            c = pair.register.cut(*span)
            edges = (int(c.t[0]), int(c.t[-1])) if len(c.t) else span
            register = replace(c, series=_clip(pair.register.series, *edges))
            x = _readings_of(of, replace(pair, register=register), inside, refused, present)
            key = (pair.register.meter, pair.register.element)
            found += [(*key, look.__name__, *row) for look in FINDINGS for row in look(x)]
    made = pd.DataFrame(found, columns=["meter", *COLUMNS])
    made = with_times(made if detail else _merged(made), of.tz)
    made = made.astype({"count": np.int64, "kwh_at_risk": np.float64})
    return made if of.several else made[list(COLUMNS)]


def _read(frame: pd.DataFrame) -> tuple[AllSeries, Counter[str]]:
    """The readings that findings look at, and how many columns of an element cannot be read."""
    found: AllSeries = {}
    refused = Counter[str]()
    meters = rows(frame)
    seen = set[str]()
    for i, label in enumerate(frame.columns):
        column = parse(label) if isinstance(label, str) else Column("")
        if column.topic not in _TOPICS or column.element is None:
            continue
        try:
            series = read(meters, frame, [(i, column)]) if column.wire not in seen else []
        except DentError:
            series = []
        seen.add(column.wire)
        refused[column.element] += not series
        found |= {(column.topic, x.meter, column.id): x for x in series}
    return found, refused


def _elements(frame: pd.DataFrame, series: AllSeries, refused: Mapping[str, int]) -> list[Element]:
    """The elements with a register or demand, in wire order.

    Among several meters each has the columns of all: there a column of blanks is no element,
    unless it was read by its name.
    """
    there = {(x.meter, x.element): 0 for (t, *_), x in series.items() if t in {REGISTER, MEAN}}
    for (_, meter, name), x in series.items():
        if (meter, name) in there:
            there[meter, name] += len(x.t) + int((x.marks & Flag.CONFLICTING_DUPLICATE).sum())
    named = named_elements(frame)
    several = is_several(frame)
    kept = [k for k, n in there.items() if n or not several or k in named]
    bad = [(m.meter, x) for m in rows(frame) for x, n in refused.items() if n]
    return sorted({*kept, *bad}, key=lambda k: (k[0] or "", len(k[1]), k[1]))


def _readings_of(
    of: Inputs, pair: Pair, inside: AllSeries, refused: Mapping[str, int], now: int | None
) -> ElementReadings:
    """One element's readings in the span asked for; its register has its steps already."""
    meter, element = pair.register.meter, pair.register.element
    own = inside.get((MEAN, meter, element))
    means = pair.demand if own is None else means_of(own, pair.rules, of.keywords)
    main, other = (means, pair.register) if len(means.at) else (pair.register, None)
    times = [x.t for (_, m, _), x in inside.items() if m == meter and len(x.t)]
    return ElementReadings(
        interval=pair.interval,
        rules=pair.rules,
        register=pair.register,
        means=means,
        channels={
            (t, name): x
            for (t, m, name), x in inside.items()
            if (m, name.rstrip("0123456789")) == (meter, element) and name != element
        },
        power_factor=inside.get(("dPF", meter, element)),
        gaps=gaps_of(of, main, other),
        first=min((int(t[0]) for t in times), default=0),
        last=max((int(t[-1]) for t in times), default=0),
        refused=refused.get(element, 0),
        now=now,
    )


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
