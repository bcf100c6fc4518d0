"""Dask's workers call the verbs `energy` and `peaks` for every meter of an archive.

A call is checked at once, by running the verb on three made-up readings, which also shows the
form of its result. The workers then read one meter after the other and give its frame to the verb.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe.archive.dask_readings import (
    METER,
    check_batch,
    check_dask,
    conform,
    one_meter,
    portfolio,
    text_dtype,
    whole_elements,
)
from dentframe.errors import DentError, KindError, UnknownTopicError
from dentframe.frame.assemble import to_frame
from dentframe.metering.attrs import note
from dentframe.metering.register_rules import RegisterRules, check_elements
from dentframe.methods import check_words
from dentframe.site.site import apply_site
from dentframe.verbs.energy import energy as of_frame
from dentframe.verbs.inputs import MEAN, REGISTER, VerbKeywords
from dentframe.verbs.peaks import peaks as of_frame_peaks
from dentframe.wire.columns import ELEMENT, parse, split_element

if TYPE_CHECKING:
    from dentframe.archive.dask_readings import Batch, Doubled, Elements, Portfolio, Selection
    from dentframe.archive.store import Archive
    from dentframe.frame.assemble import Table


# --- keywords that name meters and elements, cut to what one meter's frame has --------------

_DEFAULTS = {"interval": "15min", "demand_lag": "0min"}
_NO_RULES = RegisterRules()


def _for_meters(
    keywords: Mapping[str, Any], frame: pd.DataFrame, meters: Iterable[str]
) -> dict[str, Any]:
    """The keywords with what a site gives them, checked before anything is computed.

    Raises
    ------
    UnknownMeterError, ConfigError
        As the verb would for a frame of all these meters.
    """
    site, known = keywords["site"], list(meters)
    asked = VerbKeywords.of(
        frame, site, keywords["tz"], registers=keywords["registers"],
        corrections=keywords["corrections"],
    )  # fmt: skip
    tz, rules = asked.tz, asked.registers
    tables = (getattr(rules, f.name) for f in fields(rules))
    keys = (key for table in tables if isinstance(table, Mapping) for key in table)
    named, letters = {split_element(str(k))[0] for k in keys}, sorted(_letters(frame))
    of = dict.fromkeys([*(m for m in known if m in named), *known[:2]])
    check_elements(rules, [(m, e) for m in of for e in letters])
    return {**keywords, "tz": tz, "registers": rules, "site": None, "corrections": ()}


def _for_meter(keywords: Mapping[str, Any], frame: pd.DataFrame, meter: str) -> dict[str, Any]:
    """The keywords with those alone that concern the frame of one meter."""
    rules, letters = keywords["registers"], _letters(frame)
    found = {
        f.name: _cut(value, meter, letters, getattr(_NO_RULES, f.name))
        for f in fields(rules)
        if isinstance(value := getattr(rules, f.name), Mapping)
    }
    fixes = tuple(x for x in rules.corrections if _concerns(x.element, meter, letters))
    own = {
        name: value.get(meter, default)
        for name, default in _DEFAULTS.items()
        if isinstance(value := keywords[name], Mapping)
    }
    return {**keywords, **own, "registers": replace(rules, corrections=fixes, **found)}


def _cut(table: Mapping[Any, Any], meter: str, letters: set[str], default: Any) -> Any:
    return {k: v for k, v in table.items() if _concerns(str(k), meter, letters)} or default


def _concerns(key: str, meter: str, letters: set[str]) -> bool:
    whose, element = split_element(key)
    return key in letters if element is None else (whose == meter and element in letters)


def _letters(frame: pd.DataFrame) -> set[str]:
    return {parse(c).id for c in frame.columns if parse(c).scope == ELEMENT}


# --- a verb on every meter -----------------------------------------------------------------

_PARTITIONS, _LEAST = 128, 8
"""So many partitions by default, of at least so many meters: Dask has work with each of them."""


@dataclass(frozen=True)
class _Figures:
    """Makes a partition: the figures of its meters.

    Attributes
    ----------
    selection : Selection
        What is read of each meter.
    verb : callable
        A function of a frame, by its name in its module.
    keywords : mapping
        The verb's keywords.
    answering : tuple of str
        The topics that may answer; a meter without any has no figures.
    beside : tuple of str
        Topics that are read too, where the meter has them.
    rows : bool
        Whether the result is rows, rather than columns over time.
    names : tuple of str
        The columns that are read.
    several : bool
        Whether the result has several meters, in which an element without a reading is none.
    corrected : bool
        Whether rows of energy say what the meters themselves told.
    meta : pandas.DataFrame
        The form of the result.
    """

    selection: Selection
    verb: Callable[..., pd.DataFrame]
    keywords: Mapping[str, Any]
    answering: tuple[str, ...]
    beside: tuple[str, ...]
    rows: bool
    names: tuple[str, ...]
    several: bool
    corrected: bool
    meta: pd.DataFrame = field(default_factory=pd.DataFrame)

    def __call__(self, batch: Batch) -> pd.DataFrame:
        """The partition."""
        found = (self._of_meter(meter, elements) for meter, elements, _ in batch)
        return conform((f for f in found if f is not None), self.meta)

    def of(self, frame: pd.DataFrame, meter: str) -> pd.DataFrame:
        """The verb's result for the frame of one meter."""
        found = self.verb(frame, **_for_meter(self.keywords, frame, meter))
        more = [n for n in found.index.names if n not in {None, "time"}]
        found = found.reset_index(more) if more else found
        found.insert(0, METER, meter)
        if self.corrected and "raw" not in found:
            found = found.assign(raw=found["energy"], agreed=0.0)
        return found

    def _of_meter(self, meter: str, elements: Elements) -> pd.DataFrame | None:
        table, twice = self._read(meter, elements)
        frame = to_frame(table, shared=False)
        frame = _with(frame, self._named(frame, elements))
        if self.selection.span is None and not len(frame):
            return None
        if self.rows and self.several:
            frame = _without_blank(frame, elements or ())
        if not whole_elements(frame.columns, self.answering):
            if self.rows:
                return None
            frame = _with(frame, whole_elements(self.names, self.answering)[:1])
        ranges = {} if self.selection.span is None else {meter: self.selection.span}
        # Without a range nothing names the meter of a frame that has only its rows.
        named, key = {meter: elements}, meter if ranges else ""
        doubled = {what: {key: found} for what, found in twice.items()}
        frame.attrs["dentcloud"] = note({}, ranges, frame, elements=named, **doubled)
        return self.of(frame, meter)

    def _read(self, meter: str, elements: Elements) -> tuple[Table, Doubled]:
        """The readings: of a register and a mean, means only where a register does not answer."""
        if self.answering != (REGISTER, MEAN) or self.beside:
            table, _, twice = one_meter(self.selection, meter, elements, self.names)
            return table, twice
        first = whole_elements(self.names, (REGISTER,))
        table, here, twice = one_meter(self.selection, meter, elements, first)
        known = _with_readings(table.columns, table.values)
        means = whole_elements(self.names, (MEAN,))
        more = [c for c in means if c in here and parse(c).id not in known]
        if not more:
            return table, twice
        table, _, twice = one_meter(self.selection, meter, elements, [*first, *more])
        return table, twice

    def _named(self, frame: pd.DataFrame, elements: Elements) -> list[str]:
        """Columns, of NaN, for elements that were asked for and have none."""
        here = {parse(c).id for c in whole_elements(frame.columns, (*self.answering, *self.beside))}
        return [f"{self.answering[0]}/{ELEMENT}/{e}" for e in elements or () if e not in here]


def _figures(
    archive: Archive,
    verb: Callable[..., pd.DataFrame],
    keywords: dict[str, Any],
    answering: tuple[str, ...],
    beside: tuple[str, ...] = (),
    *,
    rows: bool,
    strict: bool,
) -> Any:
    """The figures of every meter as a Dask frame."""
    meters, errors, batch = (keywords.pop(name) for name in _OWN)
    start, end = keywords.pop("start"), keywords.pop("end")
    tz = apply_site(keywords["site"], keywords["tz"], keywords["registers"])[0]
    found = portfolio(
        archive, meters, start, end, [*answering, *beside], tz=tz, bracket=True, errors=errors,
        strict=strict,
    )  # fmt: skip
    check_dask("compute on Dask")
    size = check_batch(batch, max(_LEAST, -(-len(found.meters) // _PARTITIONS)))
    names = whole_elements(found.columns, (*answering, *beside))
    here = whole_elements(names, answering)
    frame = _example(names if here else [f"{answering[0]}/{ELEMENT}/A", *names])
    keywords = _for_meters(keywords, frame, found.meters)
    if keywords["min_coverage"] is None:
        # Coverage warnings of a worker would reach nobody; see `energy` for where it is told.
        keywords["min_coverage"] = 0.0
    first, last = found.selection.span or (None, None)
    make = _Figures(
        found.selection, verb, {**keywords, "start": first, "end": last}, answering, beside,
        rows, tuple(names), len(found.meters) > 1,
        bool(rows and verb is of_frame and keywords["registers"].corrections),
    )  # fmt: skip
    # What cannot be meant raises here.
    form = replace(make, keywords={**keywords, "start": None, "end": None}).of(frame, "-")
    if not here:
        raise _no_readings(found, answering, named=keywords["topic"] is not None)
    meta = form.astype({METER: text_dtype()}).iloc[:0]
    return found.graph(replace(make, meta=meta), size, meta)


def _no_readings(found: Portfolio, topics: Sequence[str], *, named: bool) -> DentError:
    """The error that says what the archive has, where it has none of what is needed."""
    archive = found.selection.archive
    held = {t for meter in found.meters for r in archive.records(meter) for t in r.topics}
    return (UnknownTopicError if named else KindError)(
        f"Cannot compute from the archive {archive.path}: that needs "
        f"{' or '.join(topics)} of whole elements, and what it holds of these meters is "
        f"{', '.join(sorted(held)) or 'nothing'}. Sync {topics[0]} as well, or take another source."
    )


def _example(names: Sequence[str]) -> pd.DataFrame:
    """Three readings, so that a verb shows the form of its result."""
    times = pd.date_range("2024-01-01", periods=3, freq="15min", tz="UTC", unit="us", name="time")
    values = np.tile(np.array([[1.0], [1.25], [1.5]]), len(names))
    return pd.DataFrame(values, index=times, columns=list(names))


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


_OWN = ("meters", "errors", "batch")
"""The keywords of an archive's method that its verb has not."""


def _signed_as(verb: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a function the keywords of a verb beside its own; `elements` are among `meters`."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        theirs = dict(list(inspect.signature(verb).parameters.items())[1:])
        theirs.pop("elements")
        mine = inspect.signature(function)
        own = (mine.parameters[name] for name in _OWN)
        signature = mine.replace(parameters=[mine.parameters["archive"], *theirs.values(), *own])

        @functools.wraps(function)
        def call(*args: Any, **keywords: Any) -> Any:
            check_words(call, keywords)
            given = signature.bind(*args, **keywords)
            given.apply_defaults()
            return function(**given.arguments)

        vars(call)["__signature__"] = signature
        return call

    return decorate


@_signed_as(of_frame)
def energy(
    archive: Archive, *, meters: Any = None, errors: str = "raise", batch: int | None = None,
    **keywords: Any,
) -> Any:  # fmt: skip
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
    schedule, site, corrections, detail : optional
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
    topic, own = keywords["topic"], {"meters": meters, "errors": errors, "batch": batch}
    source = keywords["source"]
    topics = {"register": (REGISTER,), "demand": (MEAN,)}.get(source, (REGISTER, MEAN))
    return _figures(
        archive, of_frame, keywords | own, topics if topic is None else (topic,),
        rows=keywords["detail"], strict=topic is not None,
    )  # fmt: skip


_BESIDE = {"kVA": "kVAHNet", "kVAHNet": "kVAHNet"}
"""The register that knows what apparent demand leaves uncovered."""


@_signed_as(of_frame_peaks)
def peaks(
    archive: Archive, *, meters: Any = None, errors: str = "raise", batch: int | None = None,
    **keywords: Any,
) -> Any:  # fmt: skip
    """The highest demands of each period and element of every meter, computed by Dask.

    Parameters
    ----------
    archive : Archive
        The archive; workers must reach its folder by the same path.
    freq, tz, window, kind, step, n, per_day, topic, source, registers, min_coverage : optional
        As in `dentframe.verbs.peaks.peaks`; elements in `registers` by full ids.
    interval, demand_lag, site, corrections : optional
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
    own = {"meters": meters, "errors": errors, "batch": batch}
    topics = _demand_topics(*(keywords[name] for name in ("kind", "topic", "source")))
    return _figures(archive, of_frame_peaks, keywords | own, *topics, rows=True, strict=False)


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
