"""The state of the data: `quality` gathers each element's readings and lists what is found.

Findings are reported and never applied. Nothing in the readings makes `quality` raise: what the
other verbs refuse (a register that falls, a column of text) is a row here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe.errors import DentError
from dentframe.metering.attrs import is_several, named_elements, time_index
from dentframe.metering.registers import RegisterRules, check_elements, micros, resolve
from dentframe.metering.series import NONE, Flag, Series, read, rows
from dentframe.times.periods import verb_zone
from dentframe.times.ranges import instant, ints, local
from dentframe.verbs.elements import elements_asked
from dentframe.verbs.findings import FINDINGS, Evidence
from dentframe.verbs.gaps import holes_of
from dentframe.verbs.inputs import (
    MEAN,
    REGISTER,
    Inputs,
    VerbKeywords,
    demand_source,
    means_of,
    naive_zone,
    periods,
    register_of,
)
from dentframe.wire.columns import Column, parse

if TYPE_CHECKING:
    from dentframe.metering.cumulative import Cumulative
    from dentframe.times.ranges import Zone


_DEFAULT_RULES = RegisterRules()
_TOPICS = (REGISTER, MEAN, "A", "V", "dPF")
SEVERITIES = ("info", "warning", "error")
COLUMNS = ("element", "finding", "start", "end", "count", "severity", "kwh_at_risk")

Element = tuple[str | None, str]
Found = dict[tuple[str, str | None, str], Series]
"""Readings by topic, meter and name of an element or channel."""


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
    elements: Any = None,
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
    asked = VerbKeywords.of(frame, site, tz, start, end, registers, interval, demand_lag, elements)
    zone = verb_zone(time_index(frame).tz, asked.tz)
    present = None if now is None else micros(instant(now, zone, "now"))
    series, refused = _read(frame)
    there = _elements(frame, series, refused)
    check_elements(asked.registers, there)
    named = elements_asked(frame, (REGISTER, MEAN), elements)
    looked_at = [x for x in there if named is None or x in named]
    with np.errstate(all="ignore"):
        parts = [_element(frame, asked, series, *x) for x in looked_at]
        main = [means if len(means.at) else register for register, means in parts]
        when = periods(frame, main, None, tz=zone, start=start, end=end, naive=asked.tz)
        s, e = ints(when.starts), ints(when.ends)
        of = Inputs(frame, demand_source(frame, None, "auto"), zone, main, s, e, asked)
        span = (int(s[0]), int(e[-1])) if len(s) else (0, 0)
        near = {k: _clip(x, *span) for k, x in series.items()}
        found = [
            dict[str, Any](
                zip(("meter", *COLUMNS), (x.meter, x.element, look.__name__, *row), strict=True)
            )
            for key, (register, _) in zip(looked_at, parts, strict=True)
            for x in [_evidence(of, key, _cut(register, *span), near, refused, present)]
            for look in FINDINGS
            for row in look(x)
        ]
    return _table(of, found if detail else _merged(found))


def _read(frame: pd.DataFrame) -> tuple[Found, Counter[str]]:
    """The readings that findings look at, and how many columns of an element cannot be read."""
    found: Found = {}
    refused = Counter[str]()
    meters = rows(frame)
    seen = set[str]()
    for i, label in enumerate(frame.columns):
        column = parse(label) if isinstance(label, str) else Column("")
        if column.topic not in _TOPICS or column.element is None:
            continue
        try:
            told = read(meters, frame, [(i, column)]) if column.wire not in seen else []
        except DentError:
            told = []
        seen.add(column.wire)
        refused[column.element] += not told
        found |= {(column.topic, x.meter, column.id): x for x in told}
    return found, refused


def _elements(frame: pd.DataFrame, series: Found, refused: Mapping[str, int]) -> list[Element]:
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


def _element(
    frame: pd.DataFrame, asked: VerbKeywords, series: Found, meter: str | None, element: str
) -> tuple[Cumulative, Cumulative]:
    """An element's register and means, both as whole columns; blank where there is none."""
    rules = resolve(asked.registers, meter, element, naive_zone(frame, asked.tz))
    blank = Series(meter, element, MEAN, NONE, np.empty(0), NONE, NONE)
    demand = series.get((MEAN, meter, element), blank)
    means = means_of(demand, rules, asked)
    return register_of(series.get((REGISTER, meter, element), blank), rules, means), means


def _evidence(
    of: Inputs,
    key: Element,
    register: Cumulative,
    series: Found,
    refused: Mapping[str, int],
    now: int | None,
) -> Evidence:
    meter, element = key
    asked = of.keywords
    _, means = _element(of.frame, asked, series, meter, element)
    main, other = (means, register) if len(means.at) else (register, None)
    times = [x.t for (_, m, _), x in series.items() if m == meter and len(x.t)]
    return Evidence(
        meter=meter,
        element=element,
        interval=of.interval(register),
        rules=resolve(asked.registers, meter, element, naive_zone(of.frame, asked.tz)),
        register=register,
        means=means,
        channels={
            (t, name): x
            for (t, m, name), x in series.items()
            if m == meter and t in {"A", "V", "dPF"} and name != element == _letter(name)
        },
        power_factor=series.get(("dPF", meter, element)),
        holes=holes_of(of, main, other),
        first=min((int(t[0]) for t in times), default=0),
        last=max((int(t[-1]) for t in times), default=0),
        refused=refused.get(element, 0),
        now=now,
    )


def _letter(channel: str) -> str:
    return channel.rstrip("0123456789")


def _clip(x: Series, low: int, high: int) -> Series:
    """The readings from one instant to another, both included."""
    keep, marked = (x.t >= low) & (x.t <= high), (x.mark_t >= low) & (x.mark_t <= high)
    return replace(
        x, t=x.t[keep], values=x.values[keep], mark_t=x.mark_t[marked], marks=x.marks[marked]
    )


def _cut(c: Cumulative, low: int, high: int) -> Cumulative:
    """The steps that lie in a span or reach into it as they were in the whole column."""
    made = c.cut(low, high)
    edges = (int(made.t[0]), int(made.t[-1])) if len(made.t) else (low, high)
    return replace(made, series=_clip(c.series, *edges))


def _merged(found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Findings of one name and element as one."""
    groups: dict[Any, list[dict[str, Any]]] = {}
    for x in found:
        groups.setdefault((x["meter"], x["element"], x["finding"]), []).append(x)
    return [
        group[0]
        | {
            "start": min(x["start"] for x in group),
            "end": max(x["end"] for x in group),
            "count": sum(x["count"] for x in group),
            "severity": max((x["severity"] for x in group), key=SEVERITIES.index),
            "kwh_at_risk": pd.Series([x["kwh_at_risk"] for x in group]).sum(min_count=1),
        }
        for group in groups.values()
    ]


def _table(of: Inputs, found: Sequence[dict[str, Any]]) -> pd.DataFrame:
    made = pd.DataFrame(found, columns=["meter", *COLUMNS])
    for k in ("start", "end"):
        made[k] = local(np.array([x[k] for x in found], dtype=np.int64), of.tz)
    made = made.astype({"count": np.int64, "kwh_at_risk": np.float64})
    return made if of.several else made[list(COLUMNS)]
