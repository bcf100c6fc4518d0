"""The module finds the column that answers for an element's energy, and reads it.

Per element, never per period: the register, else the interval means. `pairs` reads both, side by
side, without the guard against frames differenced by hand: its verbs are there to find out what
is wrong with a register that falls.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from dentframe.errors import ConfigError, KindError, RangeError, UnknownMeterError, did_you_mean
from dentframe.frame import select as selection
from dentframe.frame.select import check_read, topics
from dentframe.metering import corrections
from dentframe.metering.attrs import is_several, named_elements, time_index
from dentframe.metering.cumulative import (
    first_covered,
    jumps,
    refused,
)
from dentframe.metering.registers import (
    MINUTE,
    RegisterRules,
    Rules,
    SiteRules,
    check_elements,
    resolve,
)
from dentframe.metering.series import NONE, Flag, Rows, Series, element_columns, read, rows
from dentframe.metering.steps import refusal
from dentframe.times.ranges import Zone, is_utc, minutes, zone
from dentframe.wire import units as _units
from dentframe.wire.columns import Column, parse, wire_columns
from dentframe.wire.topics import TOPICS, kind_of

if TYPE_CHECKING:
    import pandas as pd

    from dentframe.metering.cumulative import Cumulative
    from dentframe.verbs.inputs import Asked


REGISTER, MEAN = "kWHNet", "DemandkW"
SOURCES = ("auto", "register", "demand")
RESULTS = {
    "kWh": "Energy",
    "kW": "Energy",
    "kVAh": "ApparentEnergy",
    "kVA": "ApparentEnergy",
    "kvarh": "ReactiveEnergy",
    "kvar": "ReactiveEnergy",
}
"""The topic of a result, by the unit of what it was made from."""
BLOCK_STARTS = ("Demand", "ApparentDemand")


_SAMPLES = "Use stats(topic={topic!r}) for its time-weighted mean, least and greatest value."
_INSTEAD = {
    "sample": "it is a sampled value, and samples hold no energy. " + _SAMPLES,
    "ratio": "it is a ratio. Use power_factor() for the energy-weighted power factor.",
    "interval_energy": "it is the energy of periods already. It may be summed: "
    "df.resample(...).sum(), or df.sum().",
    "unknown": "nothing tells whether it is a register or the energy of an interval, and taking "
    "one for the other would bill a whole register. Rename the column to a topic that is known.",
}


Element: TypeAlias = tuple[str | None, str]
"""An element as (meter, letter); the meter is None where nothing names it."""


@dataclass(frozen=True)
class Wanted:
    """The topics that may answer, and the topic of the result."""

    register: str | None
    mean: str | None

    @property
    def topics(self) -> list[str]:
        """Those asked for, the register first."""
        return [t for t in (self.register, self.mean) if t is not None]

    @property
    def result(self) -> str:
        """``Energy``, ``ApparentEnergy`` or ``ReactiveEnergy``."""
        return RESULTS[TOPICS[self.topics[0]].unit]


def wanted(frame: pd.DataFrame, topic: str | None, source: str) -> Wanted:
    """What `topic` and `source` ask for, kind checked before anything else.

    Raises
    ------
    KindError
        For a topic that holds no energy; the message names the right verb.
    UnknownTopicError
        For a topic that the frame does not have.
    ConfigError
        For an unknown `source`, or one that `topic` is not.
    """
    if source not in SOURCES:
        raise ConfigError(f"Cannot use source={source!r}: use one of {', '.join(SOURCES)}.")
    if topic is None:
        return Wanted(
            REGISTER if source != "demand" else None, MEAN if source != "register" else None
        )
    kind = _check_kind(frame, topic)
    if source not in {"auto", kind}:
        raise ConfigError(
            f"Cannot use topic={topic!r} with source={source!r}: it is a {kind}. Leave source= out."
        )
    return Wanted(topic, None) if kind == "register" else Wanted(None, topic)


def _check_kind(frame: pd.DataFrame, topic: str) -> str:
    if topic not in TOPICS:
        selection.check_topic(frame, topic)
    label = next((x for x in wire_columns(frame.columns) if parse(x).topic == topic), None)
    kind = kind_of(topic, _units.unit_text(frame, label) if label else None)
    if topic in BLOCK_STARTS:
        raise KindError(
            f"Cannot compute energy of {topic!r}: it is a result, labelled by the start of its "
            "blocks. Compute energy() of the readings it was made from."
        )
    if kind not in {"register", "interval_mean"}:
        raise KindError(f"Cannot compute energy of {topic!r}: {_INSTEAD[kind].format(topic=topic)}")
    selection.check_topic(frame, topic)
    return "register" if kind == "register" else "demand"


def cumulatives(
    frame: pd.DataFrame,
    asked: Wanted,
    *,
    tz: Zone = None,
    registers: RegisterRules | None = None,
    interval: Any = "15min",
    demand_lag: Any = "0min",
    elements: Any = None,
    refuse: bool = True,
) -> list[Cumulative]:
    """E(t) and C(t) of every element, meters by name, elements in wire order.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns over time or (meter, time), shape (readings, columns).
    asked : Wanted
        The topics that may answer, from `wanted`.
    tz : str or tzinfo, optional
        The zone of naive swap times; None is the index's own where that is not UTC.
    registers : RegisterRules, optional
        What is known about the registers.
    interval, demand_lag : str, timedelta, or mapping by meter
        A mean stamped t covers ``(t - demand_lag - interval, t - demand_lag]``.
    elements : str, sequence of str, or None
        The elements asked for, by `named_outright`; None is all.
    refuse : bool
        False for verbs that report: a column that is no register is missing, whatever else is.

    Returns
    -------
    list of Cumulative
        In a frame of several meters, without those that have only blanks. A column that is no
        register is missing and says why (`refusal`), while others are registers.

    Raises
    ------
    KindError
        Where no column answers, or no column asked for, or one that is named outright, is the
        register that its name says.
    """
    rules = rules_for(asked, RegisterRules() if registers is None else registers)
    columns = element_columns(frame, asked.topics)
    if not columns:
        selection.check_read(frame)
        raise _nothing(frame, asked)
    meters, local = rows(frame), naive_zone(frame, tz)
    check_elements(rules, [(m.meter, c.id) for m in meters for _, c in columns])
    named = named_outright(frame, asked.topics, elements)
    same = None if rules.by_element else resolve(rules, None, "", local)
    found = []
    for x in _that_answer(frame, meters, columns, asked.topics, named):
        how = same or resolve(rules, x.meter, x.element, local)
        if x.topic == asked.register:
            found.append(_register(x, how, frame, meters, interval, demand_lag))
        else:
            found.append(_means(x, how, interval, demand_lag))
    if refuse:
        _refuse(found, named)
    found.sort(key=wire_order)
    return _without_blank(frame, found, rules, named) if len(meters) > 1 else found


def named_outright(
    frame: pd.DataFrame, topics: Sequence[str], elements: Any
) -> list[Element] | None:
    """The elements that a caller names, as (meter, element); None where all are asked for.

    Parameters
    ----------
    frame : pandas.DataFrame
        The input.
    topics : sequence of str
        The topics that answer: what has no column of them is no element here.
    elements : str, sequence of str, or None
        ``"A"`` in a frame of one meter, ``"P482311252_A"`` in any; ``"all"`` and None are all.

    Raises
    ------
    ConfigError
        Where one is named twice, or none.
    UnknownMeterError
        For an element that is not there.
    """
    if elements is None or (isinstance(elements, str) and elements == "all"):
        return None
    listed = [elements] if isinstance(elements, str) else [str(x) for x in elements]
    if not listed or len(set(listed)) < len(listed):
        raise ConfigError(f"Cannot use elements={listed!r}: name each element once, at least one.")
    letters = dict.fromkeys(c.id for _, c in element_columns(frame, topics))
    several = is_several(frame)
    there = {_full(m.meter, x): (m.meter, x) for m in rows(frame) for x in letters}
    known = there if several else {**there, **{x: key for key in there.values() for x in key[1:]}}
    for name in listed:
        if name not in known:
            shown = list(there) if several else list(letters)
            raise UnknownMeterError(
                f"Cannot use element {name!r}: this frame has {', '.join(shown) or 'none'}"
                f"{did_you_mean(name, shown)}"
            )
    return [known[name] for name in listed]


def _full(meter: str | None, element: str) -> str:
    return element if meter is None else f"{meter}_{element}"


def _that_answer(
    frame: pd.DataFrame,
    meters: Sequence[Rows],
    columns: Sequence[tuple[int, Column]],
    topics: Sequence[str],
    named: Container[Element] | None,
) -> list[Series]:
    """Of each element its first topic that has readings, else its first."""
    found: dict[Element, Series] = {}
    for topic in topics:
        open_ = {c.id for _, c in columns for m in meters if not _answered(found, (m.meter, c.id))}
        own = [x for x in columns if x[1].topic == topic and x[1].id in open_]
        for s in read(meters, frame, own):
            key = s.meter, s.element
            if named is not None and key not in named:
                continue
            if key not in found or (len(s.t) and not _answered(found, key)):
                found[key] = s
    return list(found.values())


def _answered(found: Mapping[Element, Series], key: Element) -> bool:
    return key in found and len(found[key].t) > 0


def _register(
    series: Series,
    rules: Rules,
    frame: pd.DataFrame,
    meters: Sequence[Rows],
    interval: Any,
    lag: Any,
) -> Cumulative:
    """One register; where rule 7 finds steps that stand out, its demand is asked as well."""
    made = judged(series, rules)
    if rules.max_kw is not None or series.topic != REGISTER or not jumps(made):
        return made
    columns = [x for x in element_columns(frame, (MEAN,)) if x[1].id == series.element]
    for means in read([m for m in meters if m.meter == series.meter], frame, columns):
        made = corrections.register(series, rules, _means(means, rules, interval, lag))
    return made


def judged(series: Series, rules: Rules, means: Cumulative | None = None) -> Cumulative:
    """A register as E(t) and C(t); a column that is no register is missing, and says why."""
    why = refusal(series, rules)
    return refused(series, rules, why) if why else corrections.register(series, rules, means)


def _means(series: Series, rules: Rules, interval: Any, demand_lag: Any) -> Cumulative:
    window = interval_of(interval, series.meter)
    lag = by_meter(demand_lag, series.meter, "0min", "demand_lag")
    return corrections.demand(series, rules, window, lag)


def _refuse(found: Sequence[Cumulative], named: Container[Element] | None) -> None:
    """Raise for a column that is no register, where it is named or nothing else is left."""
    left = any(not c.refusal and len(c.at) for c in found)
    for c in found:
        if c.refusal and (named is not None or not left):
            raise KindError(c.refusal)


def rules_for(asked: Wanted, rules: RegisterRules) -> RegisterRules:
    """The rules of the register that answers: a site's swaps are of kWHNet alone."""
    if asked.register != REGISTER and isinstance(rules, SiteRules):
        return rules.of_another_register
    return rules


def naive_zone(frame: pd.DataFrame, tz: Zone) -> dt.tzinfo | None:
    """The zone in which a naive time is wall time; None where nothing tells."""
    if tz is not None:
        return zone(tz)
    own = time_index(frame).tz
    return None if own is None or is_utc(own) else own


def _without_blank(
    frame: pd.DataFrame,
    found: list[Cumulative],
    rules: RegisterRules,
    asked: Container[Element] | None,
) -> list[Cumulative]:
    """Among several meters, an element with only blanks is none, unless it was named somewhere."""
    named = named_elements(frame) | (rules.named if isinstance(rules, SiteRules) else set())
    keys = [(c, (c.meter, c.element)) for c in found]
    return [c for c, key in keys if _has_readings(c) or key in named or key in (asked or ())]


def _has_readings(c: Cumulative) -> bool:
    """Readings that conflict are readings: they are missing, not absent."""
    return len(c.at) > 0 or bool((c.series.marks & Flag.CONFLICTING_DUPLICATE).any())


def _nothing(frame: pd.DataFrame, asked: Wanted) -> KindError:
    labels = wire_columns(frame.columns)
    results = [x for x in labels if kind_of(parse(x).topic) == "interval_energy"]
    there = ", ".join(selection.topics(frame)) or "none"
    head = (
        f"Cannot compute energy: no column of a whole element ({asked.topics[0]}/Elm/...) is "
        f"{' or '.join(asked.topics)}; the frame's topics are {there}. "
    )
    if results:
        return KindError(f"{head}{results[0]!r} is the energy of periods already: use .sum().")
    if any(parse(x).topic in asked.topics for x in labels):
        return KindError(
            f"{head}There are only single channels, and an element need not be their sum "
            "(some are calculated in the meter). Read the element's own column."
        )
    other = next((t for t in selection.topics(frame) if kind_of(t) == "register"), None)
    hint = f"For its energy pass topic={other!r}." if other else 'Read topics=["kWHNet"] as well.'
    return KindError(head + hint)


def interval_of(interval: Any, meter: str | None) -> int:
    """A meter's interval [us], above 0."""
    window = by_meter(interval, meter, "15min", "interval")
    if window == 0:
        raise RangeError(f"Cannot use interval={interval!r}: it has no length. Use e.g. '15min'.")
    return window


def by_meter(value: Any, meter: str | None, default: str, what: str) -> int:
    """A span of time that may be given by meter, for one meter [us]."""
    if not isinstance(value, Mapping):
        return minutes(value, what) * MINUTE
    if meter is None and len(value) > 1:
        raise ConfigError(
            f"Cannot tell which {what} of {list(value)} is this frame's: the frame does not name "
            f"its meter. Give one value, e.g. {what}={default!r}."
        )
    chosen = next(iter(value.values()), default) if meter is None else value.get(meter, default)
    return minutes(chosen, what) * MINUTE


@dataclass(frozen=True)
class Pair:
    """What one element's register and its interval means say.

    Attributes
    ----------
    meter : str or None
        The meter; None where nothing names it.
    element : str
        The element's letter.
    register, demand : Cumulative
        E(t) of each; without breakpoints where the frame has no reading of it.
    interval, lag : int
        The window of the means, and how late they are stamped [us].
    """

    meter: str | None
    element: str
    register: Cumulative
    demand: Cumulative
    interval: int
    lag: int

    @property
    def complete(self) -> bool:
        """Whether both have readings."""
        return len(self.register.at) > 0 and len(self.demand.at) > 0

    @property
    def span(self) -> tuple[int, int] | None:
        """From the later first instant to the earlier last one [us]; None without both."""
        if not self.complete:
            return None
        low = max(first_covered(self.register), first_covered(self.demand))
        high = min(int(self.register.at[-1]), int(self.demand.at[-1]))
        return (low, high) if low < high else None


def pairs(frame: pd.DataFrame, asked: Asked) -> list[Pair]:
    """Every element that has a reading of either kind, meters by name, elements in wire order.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns over time or (meter, time), shape (readings, columns).
    asked : Asked
        The caller's keywords: the zone of naive swap times, the rules, interval and lag.
    """
    found: dict[Element, dict[str, Series]] = {}
    named = named_outright(frame, (REGISTER, MEAN), asked.elements)
    for s in read(rows(frame), frame, element_columns(frame, (REGISTER, MEAN))):
        found.setdefault((s.meter, s.element), {})[s.topic] = s
    check_elements(asked.registers, list(found))
    local = naive_zone(frame, asked.tz)
    made = []
    for (meter, element), series in found.items():
        if named is not None and (meter, element) not in named:
            continue
        own = resolve(asked.registers, meter, element, local)
        demand = series.get(MEAN, _blank(meter, element, MEAN))
        means = _means(demand, own, asked.interval, asked.demand_lag)
        register = judged(series.get(REGISTER, _blank(meter, element, REGISTER)), own, means)
        window = interval_of(asked.interval, meter)
        lag = by_meter(asked.demand_lag, meter, "0min", "demand_lag")
        made.append(Pair(meter, element, register, means, window, lag))
    made.sort(key=lambda p: wire_order(p.register))
    return [p for p in made if len(p.register.at) or len(p.demand.at)]


def _blank(meter: str | None, element: str, topic: str) -> Series:
    return Series(meter, element, topic, NONE, np.empty(0), NONE, NONE)


def wire_order(c: Cumulative) -> tuple[str, int, str]:
    """Meters by name, elements in wire order."""
    return c.meter or "", len(c.element), c.element


def need_both(frame: pd.DataFrame, verb: str) -> None:
    """Refuse a frame in which there is nothing to compare.

    Raises
    ------
    KindError
        Where the registers or the means are not in the frame at all.
    """
    check_read(frame)
    there = topics(frame)
    for topic in (REGISTER, MEAN):
        if topic not in there:
            raise KindError(
                f"Cannot {verb}: the frame has no {topic} column, only {', '.join(there) or 'none'}"
                f'. It compares registers with demand: read topics=["{REGISTER}", "{MEAN}"].'
            )
