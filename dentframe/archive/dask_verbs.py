"""Demand peaks of every meter of an archive, on Dask.

Keywords that name meters and elements, cut to what one meter's frame has.

Energy of meters whose registers only rise: the verb's figures, from arrays alone.

A frame for each meter costs more than its figures do. A meter that is not plain (a blank, a
fall, a jump, an element without its register) takes the verb, with the same result.

A verb on every meter of an archive, as a Dask frame: checked at once, computed by workers.

Energy of every meter of an archive, on Dask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe.archive import dask_frames as graph
from dentframe.archive.dask_frames import METER, one_meter, portfolio, whole_elements
from dentframe.metering.attrs import note, time_index
from dentframe.metering.figures import all_figures
from dentframe.metering.registers import MINUTE, RegisterRules, check_elements, resolve
from dentframe.metering.rising import block_of
from dentframe.site.site import apply_site
from dentframe.times.periods import build, is_edges, verb_zone
from dentframe.times.ranges import ints, local, stamp
from dentframe.verbs import sources
from dentframe.verbs.energy import energy as of_frame
from dentframe.verbs.peaks import peaks as of_frame_peaks
from dentframe.verbs.results import SURPRISING_KW
from dentframe.verbs.sources import MEAN, REGISTER
from dentframe.wire.columns import ELEMENT, Column, parse, split_element

if TYPE_CHECKING:
    import datetime as dt

    from dentframe.archive.dask_frames import Batch, Elements, Found, Portfolio, Span, Wanted
    from dentframe.archive.store import Archive
    from dentframe.frame.assemble import Table
    from dentframe.metering.registers import Rules
    from dentframe.metering.rising import Plain
    from dentframe.metering.series import Floats, Ints
    from dentframe.times.periods import Freq
    from dentframe.times.ranges import Zone


_DEFAULTS = {"interval": "15min", "demand_lag": "0min"}
_NO_RULES = RegisterRules()


def for_meters(
    keywords: Mapping[str, Any], frame: pd.DataFrame, meters: Iterable[str]
) -> dict[str, Any]:
    """The keywords with what a site gives them, checked before anything is computed.

    Raises
    ------
    UnknownMeterError, ConfigError
        As the verb would for a frame of all these meters.
    """
    site, known = keywords["site"], list(meters)
    tz, rules, _ = apply_site(site, keywords["tz"], keywords["registers"], frame=frame)
    keys = (k for f in fields(rules) for k in _table(getattr(rules, f.name)))
    asked, letters = {split_element(str(k))[0] for k in keys}, sorted(_letters(frame))
    of = dict.fromkeys([*(m for m in known if m in asked), *known[:2]])
    check_elements(rules, [(m, e) for m in of for e in letters])
    return {**keywords, "tz": tz, "registers": rules, "site": None}


def for_meter(keywords: Mapping[str, Any], frame: pd.DataFrame, meter: str) -> dict[str, Any]:
    """The keywords with those alone that concern the frame of one meter."""
    rules, letters = keywords["registers"], _letters(frame)
    found = {
        f.name: _cut(value, meter, letters, getattr(_NO_RULES, f.name))
        for f in fields(rules)
        if isinstance(value := getattr(rules, f.name), Mapping)
    }
    own = {
        name: value.get(meter, default)
        for name, default in _DEFAULTS.items()
        if isinstance(value := keywords[name], Mapping)
    }
    return {**keywords, **own, "registers": replace(rules, **found)}


def _cut(table: Mapping[Any, Any], meter: str, letters: set[str], default: Any) -> Any:
    return {k: v for k, v in table.items() if _concerns(str(k), meter, letters)} or default


def _concerns(key: str, meter: str, letters: set[str]) -> bool:
    whose, element = split_element(key)
    return key in letters if element is None else (whose == meter and element in letters)


def _letters(frame: pd.DataFrame) -> set[str]:
    return {parse(c).id for c in frame.columns if parse(c).scope == ELEMENT}


def _table(value: Any) -> Iterable[Any]:
    return value if isinstance(value, Mapping) else ()


_US_PER_HOUR = 60 * MINUTE
_NEAR = 0.999
"""What comes so near to an impossible power is the verb's to judge."""
_DAY = 96


@dataclass(frozen=True, eq=False)
class Part:
    """The energy of one meter.

    Attributes
    ----------
    meter : str
        The meter.
    starts : ndarray of int64
        Starts of the periods [us UTC], shape (periods,).
    columns : mapping
        Label to energy [kWh], shape (periods,).
    """

    meter: str
    starts: Ints
    columns: Mapping[str, Floats]


@dataclass(frozen=True)
class Rising:
    """How energy is asked for, where it is the same for every meter.

    Attributes
    ----------
    register, result : str
        The topic that answers, and the topic of the result.
    freq : object
        As the verb takes it, hashable.
    tz : tzinfo
        The zone of the calendar.
    span : tuple of pandas.Timestamp, or None
        None: each meter's own, from its first reading to its last.
    edges : str
        As the verb takes it.
    least : float or None
        ``min_coverage``.
    rules : Rules
        Of every register.
    """

    register: str
    result: str
    freq: Any
    tz: dt.tzinfo
    span: Span | None
    edges: str
    least: float | None
    rules: Rules

    def part(self, table: Table, meter: str, elements: Elements) -> Part | None:
        """The energy of one meter; None where the verb has to be asked."""
        names = [parse(c).id for c in table.columns]
        if not names or not set(elements or ()) <= set(names) or len(table.minutes) < 2:
            return None
        t, rules = table.minutes * MINUTE, [self.rules] * len(names)
        plain, left = block_of(meter, self.register, names, t, table.values, rules)
        if left or _steep(t, table.values):
            return None
        starts, found = self._figures(plain, t)
        return Part(meter, starts, {self._label(k): v for k, v in found.items()})

    def _figures(self, plain: Sequence[Plain], t: Ints) -> tuple[Ints, dict[str, Floats]]:
        span = self.span or (int(t[0]), int(t[-1]))
        s, e = _edges(self.freq, *span, self.tz)
        found = all_figures(plain, s, e, edges=self.edges, min_coverage=self.least)
        return s, {f.of.element: f.energy for f in found}

    def _label(self, element: str) -> str:
        return Column(self.result, ELEMENT, element).wire

    def frame(self, parts: Sequence[Part], meta: pd.DataFrame) -> pd.DataFrame:
        """Parts one below the other; NaN where a meter lacks an element."""
        lengths = [len(p.starts) for p in parts]
        labels = [c for c in meta.columns if c != METER]
        values = np.full((sum(lengths), len(labels)), np.nan, order="F")
        last = np.cumsum(lengths).tolist()
        for part, stop in zip(parts, last, strict=True):
            rows = slice(stop - len(part.starts), stop)
            for label, energy in part.columns.items():
                values[rows, labels.index(label)] = energy
        time = local(np.concatenate([p.starts for p in parts]), self.tz).rename("time")
        found = pd.DataFrame(values, index=time, columns=labels)
        names = np.repeat(np.array([p.meter for p in parts], dtype=object), lengths)
        meters: Any = pd.array(names, dtype=graph.text_dtype())
        found.insert(0, METER, meters)
        return found


@lru_cache(maxsize=256)
def _edges(freq: Any, first: Any, last: Any, tz: dt.tzinfo) -> tuple[Ints, Ints]:
    """The periods of a span that was asked for, or of readings, which cut none [us UTC]."""
    cut = isinstance(first, pd.Timestamp)
    low, high = (first, last) if cut else (stamp(first), stamp(last))
    found = build(freq, low, high, tz, cut_start=cut, cut_end=cut)
    return ints(found.starts), ints(found.ends)


def _steep(t: Ints, values: Floats) -> bool:
    """Whether some step of rising registers may be of a power that the verb warns of."""
    limit = _NEAR * SURPRISING_KW["register"] * int(np.diff(t).min()) / _US_PER_HOUR
    days = np.append(values[::_DAY], values[-1:], axis=0)
    # No step rises more than all steps of its day together.
    return _greatest(days) > limit and _greatest(values) > limit


def _greatest(values: Floats) -> float:
    return float(np.diff(values, axis=0).max(initial=0.0))


def rising(keywords: Mapping[str, Any], frame: pd.DataFrame, span: Span | None) -> Rising | None:
    """The short way for some keywords of `energy`; None where it serves none.

    Parameters
    ----------
    keywords : mapping
        As `for_meters` leaves them: without a site.
    frame : pandas.DataFrame
        An example of a meter's readings.
    span : tuple of pandas.Timestamp, or None
        The range that is read.
    """
    rules, tz, freq = keywords["registers"], keywords["tz"], keywords["freq"]
    if keywords["schedule"] is not None or keywords["detail"]:
        return None
    asked = sources.wanted(frame, keywords["topic"], keywords["source"])
    if asked.register is None or rules.by_element:
        return None
    rules = sources.rules_for(asked, rules)
    return Rising(
        register=asked.register,
        result=asked.result,
        freq=tuple(freq) if is_edges(freq) else freq,
        tz=verb_zone(time_index(frame).tz, tz, freq),
        span=span,
        edges=keywords["edges"],
        least=keywords["min_coverage"],
        rules=resolve(rules, None, "", sources.naive_zone(frame, tz)),
    )


if TYPE_CHECKING:
    Verb = Callable[..., pd.DataFrame]

_PARTITIONS, _LEAST = 128, 8
"""So many partitions by default, of at least so many meters: Dask has work with each of them."""


@dataclass(frozen=True)
class Task:
    """What is computed of each meter, and how.

    Attributes
    ----------
    verb : callable
        A function of a frame, by its name in its module.
    keywords : mapping
        The verb's keywords.
    answering : tuple of str
        The topics that may answer; a meter without any has no figures.
    beside : tuple of str
        Topics that are read too, where the meter has them.
    either : bool
        Whether the first topic answers alone for an element that has a reading of it.
    rows : bool
        Whether the result is rows, rather than columns over time.
    short : callable, optional
        Of keywords, an example and the range: a shorter way to the same, or None.
    """

    verb: Verb
    keywords: Mapping[str, Any]
    answering: tuple[str, ...]
    beside: tuple[str, ...] = ()
    either: bool = False
    rows: bool = True
    short: Callable[..., Rising | None] | None = None

    @property
    def topics(self) -> tuple[str, ...]:
        """All that is read."""
        return tuple(dict.fromkeys((*self.answering, *self.beside)))

    def of(self, frame: pd.DataFrame, meter: str) -> pd.DataFrame:
        """The verb's result for the frame of one meter."""
        found = self.verb(frame, **for_meter(self.keywords, frame, meter))
        more = [n for n in found.index.names if n not in {None, "time"}]
        found = found.reset_index(more) if more else found
        found.insert(0, METER, meter)
        return found


def figures(found: Portfolio, task: Task, batch: int | None) -> Any:
    """The figures of every meter as a Dask frame."""
    dd = graph.dataframe("compute on Dask")
    size = graph.check_batch(batch, max(_LEAST, -(-len(found.meters) // _PARTITIONS)))
    names = whole_elements(found.columns, task.topics)
    frame = _example(names)
    task = replace(task, keywords=for_meters(task.keywords, frame, found.meters))
    meta = _meta(task, frame)
    # Coverage warnings of a worker would reach nobody; see `energy` for where it is told.
    quiet = {"min_coverage": 0.0} if task.keywords["min_coverage"] is None else {}
    task = replace(task, keywords={**task.keywords, **quiet})
    short = task.short and task.short(task.keywords, frame, found.wanted.span)
    make = Figures(found.wanted, task, tuple(names), meta, len(found.meters) > 1, short or None)
    return graph.assemble(dd, make, found.batches(size), meta)


def _example(names: Sequence[str]) -> pd.DataFrame:
    """Three readings, so that a verb shows the form of its result."""
    times = pd.date_range("2024-01-01", periods=3, freq="15min", tz="UTC", unit="us", name="time")
    values = np.tile(np.array([[1.0], [1.25], [1.5]]), len(names))
    return pd.DataFrame(values, index=times, columns=list(names))


def _meta(task: Task, frame: pd.DataFrame) -> pd.DataFrame:
    """The result's form, from the verb itself: what cannot be meant raises here."""
    share = task.keywords["min_coverage"]
    free = {"start": None, "end": None, "min_coverage": 0.0 if share is None else share}
    made = replace(task, keywords={**task.keywords, **free}).of(frame, "-")
    return made.astype({METER: graph.text_dtype()}).iloc[:0]


@dataclass(frozen=True)
class Figures:
    """Makes a partition: the figures of its meters.

    Parameters
    ----------
    wanted : Wanted
        What is wanted of each meter.
    task : Task
        What is computed.
    names : tuple of str
        The columns that are read.
    meta : pandas.DataFrame
        The form of the result.
    several : bool
        Whether the result has several meters, in which an element without a reading is none.
    short : Rising or None
        A shorter way to the same figures, for the meters that it serves.
    """

    wanted: Wanted
    task: Task
    names: tuple[str, ...]
    meta: pd.DataFrame
    several: bool
    short: Rising | None = None

    def __call__(self, batch: Batch) -> pd.DataFrame:
        """The partition."""
        parts = [self._one(meter, elements) for meter, elements in batch.meters]
        runs = groupby((p for p in parts if p is not None), key=lambda p: isinstance(p, Part))
        frames = [f for short, run in runs for f in self._frames(list(run), short=short)]
        return graph.conform(frames, self.meta)

    def _frames(self, run: list[Any], *, short: bool) -> list[pd.DataFrame]:
        if short and self.short is not None:
            return [self.short.frame(run, self.meta)]
        return run

    def _one(self, meter: str, elements: Elements) -> pd.DataFrame | Part | None:
        found = one_meter(self.wanted, meter, elements, self._first_names)
        more = self._more(found)
        part = None if more or not self.short else self.short.part(found.table, meter, elements)
        if part is not None:
            return part
        if more:
            found = one_meter(self.wanted, meter, elements, [*self._first_names, *more])
        return self._by_verb(self._named(found.frame(), elements), meter, elements)

    def _by_verb(self, frame: pd.DataFrame, meter: str, elements: Elements) -> pd.DataFrame | None:
        if self.wanted.span is None and not len(frame):
            return None
        if self.task.rows and self.several:
            frame = _without_blank(frame, elements or ())
        if not whole_elements(frame.columns, self.task.answering):
            if self.task.rows:
                return None
            frame = _with(frame, whole_elements(self.names, self.task.answering)[:1])
        return self.task.of(self._told(frame, meter, elements), meter)

    @property
    def _first_names(self) -> Sequence[str]:
        """The columns that are read at first: means only where a register does not answer."""
        if not self.task.either:
            return self.names
        return whole_elements(self.names, self.task.answering[:1])

    def _more(self, found: Found) -> list[str]:
        """The columns that the meter has for elements whose first topic does not answer."""
        if not self.task.either:
            return []
        known = _with_readings(found.columns, found.table.values)
        other = whole_elements(self.names, self.task.answering[1:])
        return [c for c in other if c in found.here and parse(c).id not in known]

    def _named(self, frame: pd.DataFrame, elements: Elements) -> pd.DataFrame:
        """With a column of NaN for an element that was asked for and has none."""
        here = {parse(c).id for c in whole_elements(frame.columns, self.task.topics)}
        topic = self.task.answering[0]
        return _with(frame, [f"{topic}/{ELEMENT}/{e}" for e in elements or () if e not in here])

    def _told(self, frame: pd.DataFrame, meter: str, elements: Elements) -> pd.DataFrame:
        """The frame with what it says of itself."""
        ranges = {} if self.wanted.span is None else {meter: self.wanted.span}
        frame.attrs["dentcloud"] = note({}, ranges, frame, elements={meter: elements})
        return frame


def _with(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    return frame.reindex(columns=[*frame.columns, *names]) if names else frame


def _with_readings(columns: Iterable[str], values: Any) -> set[str]:
    """The elements of the columns that have some reading."""
    return {parse(c).id for i, c in enumerate(columns) if np.isfinite(values[:, i]).any()}


def _without_blank(frame: pd.DataFrame, named: Sequence[str]) -> pd.DataFrame:
    """Without the elements that have no reading at all and were not asked for by name."""
    kept = _with_readings(frame.columns, frame.to_numpy()) | set(named)
    columns = [c for c in frame.columns if parse(c).id in kept]
    return frame if len(columns) == frame.shape[1] else frame[columns]


_DEFAULT_RULES = RegisterRules()


def energy(
    archive: Archive,
    freq: Freq = None,
    *,
    meters: Any = None,
    tz: Zone = None,
    start: Any = None,
    end: Any = None,
    topic: str | None = None,
    source: str = "auto",
    registers: RegisterRules = _DEFAULT_RULES,
    edges: str = "interpolate",
    min_coverage: float | None = None,
    interval: Any = "15min",
    demand_lag: Any = "0min",
    schedule: Any = None,
    site: Any = None,
    detail: bool = False,
    errors: str = "raise",
    batch: int | None = None,
) -> Any:
    """Energy of each period and element of every meter, computed by Dask.

    Parameters
    ----------
    archive : Archive
        The archive; workers must reach its folder by the same path.
    freq, tz, topic, source, registers, edges, min_coverage, interval, demand_lag : optional
        As in `dentframe.verbs.energy.energy`; elements in `registers` by full ids.
    meters : str, list of str, optional
        Meters, or elements of them (``"P482311252_A"``). None: all.
    start, end : str, date, datetime, Timestamp or Period, optional
        The half-open range that is read, with its bracketing readings, and the span: only
        these cut a calendar period. ``end=None``: `start` names a whole period. Neither: all
        that is held of each meter, and periods from its own first to its own last reading.
    schedule, site, detail : optional
        As in `dentframe.verbs.energy.energy`.
    errors : str
        ``"raise"``, or ``"warn"`` where the archive does not hold all of the range.
    batch : int, optional
        How many meters a partition has; by default so many that there are about 128.

    Returns
    -------
    dask.dataframe.DataFrame
        Index ``time`` (period start in `tz`), columns ``meter`` (and ``window`` with a
        `schedule`) and ``Energy/Elm/A``... [kWh]; with `detail` the rows of the verb. The
        figures of ``archive.read(...).dent.energy(...)``, a meter after the other.

    Raises
    ------
    RangeError, UnknownTopicError, UnknownMeterError, KindError, ConfigError
        At once, where an argument cannot be meant.
    IncompleteReadError
        When it is computed, where the archive does not hold all of the range.
    MissingExtraError
        Where Dask is not installed.

    Notes
    -----
    Workers give no CoverageWarning, since it would reach nobody: ``detail=True`` tells coverage
    and status of each figure, ``min_coverage=`` withholds. A register answers without its
    element's demand being read.
    """
    topics = _topics(topic, source)
    found = portfolio(
        archive, meters, start, end, list(topics), tz=apply_site(site, tz, registers)[0],
        bracket=True, errors=errors, strict=topic is not None,
    )  # fmt: skip
    first, last = found.wanted.span or (None, None)
    keywords = {
        "freq": freq, "tz": tz, "start": first, "end": last, "topic": topic, "source": source,
        "registers": registers, "edges": edges, "min_coverage": min_coverage,
        "interval": interval, "demand_lag": demand_lag, "schedule": schedule, "site": site,
        "detail": detail,
    }  # fmt: skip
    task = Task(of_frame, keywords, topics, either=len(topics) > 1, rows=detail, short=rising)
    return figures(found, task, batch)


def _topics(topic: str | None, source: str) -> tuple[str, ...]:
    if topic is not None:
        return (topic,)
    return {"register": (REGISTER,), "demand": (MEAN,)}.get(source, (REGISTER, MEAN))


_BESIDE = {"kVA": "kVAHNet", "kVAHNet": "kVAHNet"}
"""The register that knows what apparent demand leaves uncovered."""


def peaks(
    archive: Archive,
    freq: Freq = None,
    *,
    meters: Any = None,
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
    site: Any = None,
    errors: str = "raise",
    batch: int | None = None,
) -> Any:
    """The highest demands of each period and element of every meter, computed by Dask.

    Parameters
    ----------
    archive : Archive
        The archive; workers must reach its folder by the same path.
    freq, tz, window, kind, step, n, per_day, topic, source, registers, min_coverage : optional
        As in `dentframe.verbs.peaks.peaks`; elements in `registers` by full ids.
    interval, demand_lag, site : optional
        As in `dentframe.verbs.peaks.peaks`.
    meters : str, list of str, optional
        Meters, or elements of them (``"P482311252_A"``). None: all.
    start, end : str, date, datetime, Timestamp or Period, optional
        The half-open range that is read, with its bracketing readings, and the span: only
        these cut a calendar period. ``end=None``: `start` names a whole period. Neither: all
        that is held of each meter, and periods from its own first to its own last reading.
    errors : str
        ``"raise"``, or ``"warn"`` where the archive does not hold all of the range.
    batch : int, optional
        How many meters a partition has; by default so many that there are about 128.

    Returns
    -------
    dask.dataframe.DataFrame
        Rows of ``meter, period, element, rank, peak, start, end, coverage, status,
        uncovered_hours, uncovered_kw, flags``: those of ``archive.read(...).dent.peaks(...)``,
        a meter after the other.

    Raises
    ------
    RangeError, UnknownTopicError, UnknownMeterError, KindError, ConfigError
        At once, where an argument cannot be meant.
    IncompleteReadError
        When it is computed, where the archive does not hold all of the range.
    MissingExtraError
        Where Dask is not installed.

    Notes
    -----
    Workers give no CoverageWarning, since it would reach nobody: each row has its status.
    """
    answering, beside = _demand_topics(kind, topic, source)
    found = portfolio(
        archive, meters, start, end, [*answering, *beside], tz=apply_site(site, tz, registers)[0],
        bracket=True, errors=errors, strict=False,
    )  # fmt: skip
    first, last = found.wanted.span or (None, None)
    keywords = {
        "freq": freq, "tz": tz, "window": window, "kind": kind, "step": step, "n": n,
        "per_day": per_day, "start": first, "end": last, "topic": topic, "source": source,
        "registers": registers, "min_coverage": min_coverage, "interval": interval,
        "demand_lag": demand_lag, "site": site,
    }  # fmt: skip
    return figures(found, Task(of_frame_peaks, keywords, answering, beside), batch)


def _demand_topics(
    kind: str, topic: str | None, source: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The topics that answer, and those that tell what they leave uncovered."""
    if topic is not None:
        return (topic,), (_BESIDE.get(topic, REGISTER),)
    if kind == "reported":
        return (MEAN,), (REGISTER,)
    answering = {"register": (REGISTER,), "demand": (MEAN,)}.get(source, (MEAN, REGISTER))
    return answering, (REGISTER,)
