"""The inputs of a verb are made of its keywords: the series that answer, and the periods.

One topic answers for each element, never one a period. For energy that is its register, else its
interval means; for demand the means first: they know when power flowed, a register only how much
between two readings.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

import numpy as np
import pandas as pd

from dentframe.accessor_methods import with_keywords
from dentframe.errors import ConfigError, KindError, RangeError, ReadingWarning, warn
from dentframe.frame import select as selection
from dentframe.metering import apply_corrections, register_rules
from dentframe.metering import series as _series
from dentframe.metering.energy_and_coverage import FOREVER, NAT, first_covered, from_means, jumps
from dentframe.metering.falls_glitches_and_exchanges import from_register
from dentframe.metering.register_rules import MINUTE, RegisterRules, Rules
from dentframe.metering.series import Ints, Rows, Series, element_columns, meters_of, time_index
from dentframe.site.corrections import corrections_of, in_force
from dentframe.site.site import apply_site
from dentframe.times.dates_and_ranges import Zone, bound, check_order, micros, minutes, naive_zone
from dentframe.times.periods import Freq, build, verb_zone
from dentframe.verbs.elements_by_name import Element, nothing_answers, requested_elements
from dentframe.wire.columns import parse, unit_text, wire_columns
from dentframe.wire.topics import TOPICS, kind_of

if TYPE_CHECKING:
    from dentframe.metering.energy_and_coverage import Cumulative


REGISTER, MEAN = "kWHNet", "DemandkW"
REGISTERS = frozenset(x.key for x in TOPICS.values() if x.kind == "register")
EDGES = ("interpolate", "last_reading")
_ENERGIES = {"kW": "Energy", "kVA": "ApparentEnergy", "kvar": "ReactiveEnergy"}
_DEMANDS = {"kW": "Demand", "kVA": "ApparentDemand"}
"""What a result is called, by the unit of its power."""
_INSTEAD = {
    "sample": "it is a sampled value, and samples hold no energy. Use stats(topic={topic!r}) for "
    "its time-weighted mean, least and greatest value.",
    "ratio": "it is a ratio. Use power_factor() for the energy-weighted power factor.",
    "interval_energy": "it is the energy of periods already. It may be summed: "
    "df.resample(...).sum(), or df.sum().",
    "unknown": "nothing tells whether it is a register or the energy of an interval, and taking "
    "one for the other would bill a whole register. Rename the column to a topic that is known.",
}
TOO_CLOSE, TOO_FAR = 0.6, 1.5
"""A median spacing outside these multiples of `interval` means another interval."""
FEWEST = 6
"""So many readings tell their usual spacing; fewer may be picked ones."""
DEFAULT_RULES = RegisterRules()
Bounds = tuple[pd.Timestamp | None, pd.Timestamp | None]


class Source(NamedTuple):
    """The topics that may answer, and the topic of the result.

    Attributes
    ----------
    topics : tuple of str
        A register, interval means, or both, the preferred first.
    result : str
        ``Energy``, ``Demand`` or their like, by the unit of what answers.
    """

    topics: tuple[str, ...]
    result: str = "Energy"


def energy_source(
    frame: pd.DataFrame, topic: str | None, source: str, what: str = "energy"
) -> Source:
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
    check_one_of("source", source, ("auto", "register", "demand"))
    if topic is None:
        of = {"auto": (REGISTER, MEAN), "register": (REGISTER,), "demand": (MEAN,)}
        return Source(of[source])
    if not isinstance(topic, str) or topic not in TOPICS:
        selection.check_topic(frame, topic)
    if topic in _DEMANDS.values():
        raise KindError(
            f"Cannot compute {what} of {topic!r}: it is a result, labelled by the start of its "
            "blocks. Compute energy() of the readings it was made from."
        )
    label = next((x for x in wire_columns(frame.columns) if parse(x).topic == topic), None)
    kind = kind_of(topic, unit_text(frame, label) if label else None)
    if kind not in {"register", "interval_mean"}:
        raise KindError(f"Cannot compute {what} of {topic!r}: {_INSTEAD[kind].format(topic=topic)}")
    selection.check_topic(frame, topic)
    own = "register" if kind == "register" else "demand"
    if source not in {"auto", own}:
        raise ConfigError(
            f"Cannot use topic={topic!r} with source={source!r}: it is a {own}. Leave source= out."
        )
    return Source((topic,), _ENERGIES.get(TOPICS[topic].unit.removesuffix("h"), ""))


def demand_source(frame: pd.DataFrame, topic: str | None, source: str) -> Source:
    """The same for demand, of which there is active and apparent.

    Raises
    ------
    KindError
        For a topic that is neither a register nor an interval mean.
    UnknownTopicError, ConfigError
        For a topic or source that is not there, or reactive power.
    """
    found = energy_source(frame, topic, source, "demand")
    unit = TOPICS[found.topics[0]].unit.removesuffix("h")
    if unit not in _DEMANDS:
        raise ConfigError(
            f"Cannot compute demand of {topic!r}: only active and apparent power have a demand "
            'here. Use topic="kVAHNet" for kVA.'
        )
    return Source(found.topics[::-1], _DEMANDS[unit])


class Keywords(TypedDict, total=False):
    """The keywords that verbs share; a decorator writes them into a verb's signature."""

    tz: Zone
    start: Any
    end: Any
    registers: RegisterRules
    interval: Any
    demand_lag: Any
    elements: Any
    site: Any


class TopicKeywords(Keywords, total=False):
    """The keywords of verbs that ask one topic of several: a register or interval means."""

    topic: str | None
    source: str


class CorrectedKeywords(TopicKeywords, total=False):
    """The keywords of those that take more corrections than those of the site."""

    corrections: Any


@dataclass(frozen=True)
class VerbKeywords:
    """The keywords that almost every verb takes, as given or as a site gives them.

    Attributes
    ----------
    refuse : bool
        False for verbs that report: a column that is no register is missing, even if named.
    """

    tz: Zone = None
    start: Any = None
    end: Any = None
    registers: RegisterRules = DEFAULT_RULES
    interval: Any = "15min"
    demand_lag: Any = "0min"
    elements: Any = None
    corrections: Any = ()
    topic: str | None = None
    source: str = "auto"
    refuse: bool = True

    @classmethod
    def of(
        cls, frame: pd.DataFrame, site: Any = None, tz: Zone = None, *rest: Any, **more: Any
    ) -> VerbKeywords:
        """The keywords, `tz` and then the others in their order, with what `site` adds to them.

        Raises
        ------
        ConfigError
            For a `site` that is no Site, `registers` that are no RegisterRules, or corrections
            that contradict each other.
        """
        given = cls(tz, *rest, **more)
        registers = given.registers
        if not isinstance(registers, RegisterRules):
            raise ConfigError(
                f"Cannot use registers={registers!r}: it is no RegisterRules. Say e.g. "
                'registers=RegisterRules(max_kw={"A": 40}).'
            )
        stated = registers.corrections, given.corrections
        corrected = [x for y in stated if not isinstance(y, tuple) or y for x in corrections_of(y)]
        if site is not None:
            tz, registers = apply_site(site, tz, registers, frame=frame)
        if corrected:
            own = () if site is None else site.corrections
            every = in_force([*own, *corrected], naive_zone(time_index(frame).tz, tz))
            registers = replace(registers, corrections=tuple(every))
        all_named = isinstance(given.elements, str) and given.elements == "all"
        elements = None if all_named else given.elements
        return replace(given, tz=tz, registers=registers, elements=elements)

    def bounds(self, frame: pd.DataFrame) -> Bounds:
        """The caller's own `start` and `end` as UTC instants, None where not given."""
        if self.start is None and self.end is None:
            return None, None
        own = time_index(frame).tz
        return bound(self.start, own, self.tz, "start"), bound(self.end, own, self.tz, "end")

    def limits(self, frame: pd.DataFrame) -> tuple[int, int]:
        """The caller's own bounds [us UTC]; the least and the greatest int64 where not given."""
        low, high = self.bounds(frame)
        return NAT if low is None else micros(low), FOREVER if high is None else micros(high)


DEFAULTS = {f.name: f.default for f in fields(VerbKeywords)}
verb = with_keywords(Keywords, DEFAULTS)
topic_verb = with_keywords(TopicKeywords, DEFAULTS)
corrected_verb = with_keywords(CorrectedKeywords, DEFAULTS)


def by_meter(value: Any, meter: str | None, default: str, what: str) -> int:
    """A span of time that may be given by meter, for one meter [us]."""
    if isinstance(value, Mapping):
        if meter is None and len(value) > 1:
            raise ConfigError(
                f"Cannot tell which {what} of {list(value)} is this frame's: the frame does not "
                f"name its meter. Give one value, e.g. {what}={default!r}."
            )
        value = next(iter(value.values()), default) if meter is None else value.get(meter, default)
    return minutes(value, what) * MINUTE


def interval_of(interval: Any, meter: str | None) -> int:
    """A meter's interval [us], above 0."""
    window = by_meter(interval, meter, "15min", "interval")
    if window == 0:
        raise RangeError(f"Cannot use interval={interval!r}: it has no length. Use e.g. '15min'.")
    return window


def series_of(frame: pd.DataFrame, source: Source, keywords: VerbKeywords) -> list[Cumulative]:
    """E(t) and C(t) of every element, meters by name, elements in wire order.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns over time or (meter, time), shape (readings, columns).
    source : Source
        The topics that may answer, the preferred one of each element.
    keywords : VerbKeywords
        Rules, interval, lag, the zone of naive swap times, and the elements asked for.

    Returns
    -------
    list of Cumulative
        In a frame of several meters, without those that have only blanks. A column that is no
        register is missing and says why (`refusal`).

    Raises
    ------
    KindError
        Where no column answers, or one that is named outright is not the register that its
        name says.
    """
    meters, answering = readings_of(frame, source, keywords)
    every: bool = keywords.elements is None
    made: list[Cumulative] = []
    for x, rules in answering:
        if x.topic not in REGISTERS:
            made.append(means_of(x, rules, keywords))
            continue
        of_register = apply_corrections.register if rules.fixes else from_register
        c = of_register(x, rules)
        if rules.max_kw is None and x.topic == REGISTER and jumps(c):
            # Steps stand out (rule 7), and the demand of the element may tell that they are use.
            columns = [y for y in element_columns(frame, (MEAN,)) if y[1].id == x.element]
            for means in _series.read([m for m in meters if m.meter == x.meter], frame, columns):
                c = of_register(x, rules, means_of(means, rules, keywords))
        if not every and keywords.refuse and c.refusal:
            raise KindError(c.refusal)
        made.append(c)
    made.sort(key=lambda c: (c.meter or "", len(c.element), c.element))
    if len(meters) < 2 or not every:
        return made
    # Among several meters, an element with only blanks is none, unless it was named somewhere.
    shown = {*_series.named_elements(frame), *getattr(keywords.registers, "named", ())}
    conflict = _series.Flag.CONFLICTING_DUPLICATE  # readings that conflict are missing, not absent
    return [
        c
        for c in made
        if len(c.at) or (c.meter, c.element) in shown or (c.series.marks & conflict).any()
    ]


def readings_of(
    frame: pd.DataFrame, source: Source, keywords: VerbKeywords
) -> tuple[list[Rows], list[tuple[Series, Rules]]]:
    """The rows of each meter, and the readings that answer with what is known of their register.

    Of each element its first topic that has readings answers, else its first. Whatever cannot be
    read is refused here: a column, its unit, a rule or the name of an element.
    """
    topics = source.topics
    columns = element_columns(frame, topics)
    if not columns:
        raise nothing_answers(frame, topics, of_demand=source.result in _DEMANDS.values())
    meters, rules, named = _series.rows(frame), keywords.registers, None
    plain = rules == DEFAULT_RULES
    if not plain:
        rules = register_rules.rules_for(rules, topics, {c.topic for _, c in columns})
        register_rules.check_elements(rules, [(m.meter, c.id) for m in meters for _, c in columns])
    if keywords.elements is not None:
        named = requested_elements(frame, topics, keywords.elements)
    local = None if plain else naive_zone(time_index(frame).tz, keywords.tz)
    found: dict[Element, Series] = {}
    for topic in topics:
        answered = {key for key, x in found.items() if len(x.t)}
        left = {c.id for _, c in columns for m in meters if (m.meter, c.id) not in answered}
        those = [x for x in columns if x[1].topic == topic and x[1].id in left]
        for x in _series.read(meters, frame, those) if those else ():
            key = x.meter, x.element
            if key not in found or (len(x.t) and key not in answered):
                found[key] = x
    return meters, [
        (x, Rules() if plain else register_rules.resolve(rules, *key, local))
        for key, x in found.items()
        if named is None or key in named
    ]


def means_of(series: Series, rules: Rules, keywords: VerbKeywords) -> Cumulative:
    """E(t) and C(t) of interval means, by the caller's interval and lag."""
    window = interval_of(keywords.interval, series.meter)
    lag = by_meter(keywords.demand_lag, series.meter, "0min", "demand_lag")
    if rules.fixes:
        return apply_corrections.demand(series, rules, window, lag)
    return from_means(series, window, lag, rules.max_gap)


def warn_of_spacing(found: Iterable[Series], interval: Any) -> None:
    """Warn once of means that come much closer or farther than a caller's `interval`.

    Nothing tells whether they are means over another interval or most of them are lost; but an
    hourly mean that counts for 15 minutes makes a quarter of the energy, and no demand at all.
    """
    seen: set[int] = set()  # elements of a meter share their times
    for x in (y for y in found if len(y.t) >= FEWEST and y.topic not in REGISTERS):
        if id(x.t) in seen:
            continue
        seen.add(id(x.t))
        usual = interval_of(interval, x.meter)
        spacing = float(np.median(np.diff(x.t)))
        if not TOO_CLOSE * usual <= spacing <= TOO_FAR * usual:
            warn(
                f"{x.topic} of {x.name} comes every {spacing / MINUTE:g} min, and each reading is "
                f"taken for {usual / MINUTE:g} min, by interval=. If it is a mean over its whole "
                f"spacing, say interval='{spacing / MINUTE:g}min'; and note that pandas labels "
                "resampled means by their start, where a reading here is labelled by its end.",
                ReadingWarning,
            )
            return


def default_bounds(frame: pd.DataFrame, series: Sequence[Cumulative]) -> Bounds:
    """The range that was read, as far as it is believed, else what the readings cover."""
    covered = ((c.meter, first_covered(c), int(c.at[-1])) for c in series if len(c.at))
    return _series.span_of(frame, covered)


def periods(
    frame: pd.DataFrame, span: Bounds, freq: Freq, zone: dt.tzinfo, keywords: VerbKeywords
) -> tuple[Ints, Ints]:
    """The start and end of the periods of a verb [us UTC].

    Parameters
    ----------
    frame : pandas.DataFrame
        The readings.
    span : tuple
        Where the readings begin and end, for a bound that the caller does not give.
    freq : str, Monthly, list of edges, or None
        None: one period, the whole span.
    zone : tzinfo
        The zone of the calendar.
    keywords : VerbKeywords
        With the caller's bounds, which cut a period; others keep their whole calendar length.

    Raises
    ------
    RangeError
        Where `start` is not before `end`.
    """
    low, high = keywords.bounds(frame)
    a, b = (span[0] if low is None else low), (span[1] if high is None else high)
    if a is None or b is None:
        return _series.NONE, _series.NONE
    check_order(a, b, strict=(low, high) != (None, None), one=low is None or high is None)
    if a == b and freq is not None:
        b += pd.Timedelta(1, unit="us")
    return build(freq, a, b, zone, cut_start=low is not None, cut_end=high is not None)


class Inputs(NamedTuple):
    """The series of a verb and the periods it asks of them.

    Attributes
    ----------
    frame : pandas.DataFrame
        The input.
    source : Source
        Which topics answer.
    tz : tzinfo
        The zone of the calendar and of the result.
    series : list of Cumulative
        One per (meter and) element.
    s, e : ndarray of int64
        The periods [us UTC], shape (periods,).
    keywords : VerbKeywords
        The caller's.
    """

    frame: pd.DataFrame
    source: Source
    tz: dt.tzinfo
    series: list[Cumulative]
    s: Ints
    e: Ints
    keywords: VerbKeywords

    @property
    def meters(self) -> list[str]:
        """The meters that a result has rows of, where it names them."""
        named = sorted({c.meter or "" for c in self.series})
        return meters_of(self.frame) if self.keywords.elements is None else named

    def interval(self, c: Cumulative) -> int:
        """The interval of a series' readings [us]."""
        return interval_of(self.keywords.interval, c.meter)


def inputs_of(
    frame: pd.DataFrame,
    freq: Freq,
    source: Source,
    keywords: VerbKeywords,
    *blocks: str,
    used: Collection[Element] | None = None,
) -> Inputs:
    """Read the series that answer and build the periods.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns over time, or over (meter, time), shape (readings, columns).
    freq : str, Monthly, list of edges, or None
        The periods.
    source : Source
        Which topics answer.
    keywords : VerbKeywords
        The caller's keywords.
    *blocks : str
        Lengths of blocks: those over 15 minutes need a zone too.
    used : collection of (meter, element), optional
        The only elements whose readings the verb looks at, whatever the caller's `elements`.
    """
    zone = verb_zone(time_index(frame).tz, keywords.tz, freq, *blocks)
    series = series_of(frame, source, keywords)
    if used is not None:
        series = [c for c in series if (c.meter, c.element) in used]
    warn_of_spacing((c.series for c in series), keywords.interval)
    s, e = periods(frame, default_bounds(frame, series), freq, zone, keywords)
    return Inputs(frame, source, zone, series, s, e, keywords)


def is_share(x: Any) -> bool:
    """Whether something is a number from 0 to 1."""
    return isinstance(x, Real | Decimal) and 0 <= float(x) <= 1


def check_share(least: float | None) -> None:
    """Refuse a `min_coverage` that is no share."""
    if least is not None and not is_share(least):
        raise ConfigError(f"Cannot use min_coverage={least!r}: it is a share, from 0 to 1.")


def check_count(n: object, least: int) -> None:
    """Refuse an `n` that is no whole number, or below the least."""
    if not isinstance(n, int) or isinstance(n, bool) or n < least:
        raise ConfigError(f"Cannot use n={n!r}: it must be a whole number from {least}.")


def check_one_of(name: str, value: Any, known: Sequence[str]) -> None:
    """Refuse a keyword's value that is not one of those known."""
    if not isinstance(value, str) or value not in known:
        raise ConfigError(f"Cannot use {name}={value!r}: use one of {', '.join(known)}.")
