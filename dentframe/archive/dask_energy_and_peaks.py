"""The energy and the peaks of every meter of an archive are Dask frames here.

A call is checked at once, by running its verb on three made-up readings, which also shows the form
of its result. A worker reads one meter after the other and gives its frame to the verb.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import pandas as pd

from dentframe.accessor_methods import with_keywords
from dentframe.archive.dask_readings import (
    METER,
    Selection,
    joined,
    on_dask,
    read_meter,
    select,
    text_dtype,
)
from dentframe.errors import KindError, UnknownTopicError, import_extra
from dentframe.frame.assemble import note
from dentframe.metering.falls_glitches_and_exchanges import IDLE_KW_OF_LONG, JUMP
from dentframe.metering.register_rules import HOUR, RegisterRules, check_elements
from dentframe.metering.series import least_and_greatest, time_index
from dentframe.site.site import apply_site
from dentframe.times.dates_and_ranges import ints
from dentframe.verbs.energy import energy as energy_of_frame
from dentframe.verbs.inputs_and_keywords import (
    DEFAULT_RULES,
    DEFAULTS,
    MEAN,
    REGISTER,
    CorrectedKeywords,
    VerbKeywords,
)
from dentframe.verbs.peaks import peaks as peaks_of_frame
from dentframe.wire.columns import ELEMENT, parse, split_element

if TYPE_CHECKING:
    from dentframe.archive.archive import Archive
    from dentframe.archive.dask_readings import Batch
    from dentframe.times.periods import Freq


def _whole_elements(labels: Iterable[str], topics: Sequence[str]) -> list[str]:
    """The columns of whole elements of some topics."""
    return [c for c in labels if parse(c).scope == ELEMENT and parse(c).topic in topics]


_PARTITIONS, _METERS = 128, 32
"""By default: partitions at most, and meters of each, for a partition costs as much as a meter."""


def _figures_of(
    batch: Batch, *, selection: Selection, verb: functools.partial[pd.DataFrame],
    registers: RegisterRules, answering: tuple[str, ...], further: tuple[str, ...],
    names: list[str], several: bool, form: pd.DataFrame,
) -> pd.DataFrame:  # fmt: skip
    """A partition: the figures of its meters.

    Parameters
    ----------
    batch : tuple
        The meters, with the elements that are asked for.
    selection : Selection
        What is read of each meter.
    verb : callable
        A function of a frame and `registers`, with its other keywords.
    registers : RegisterRules
        Of all meters.
    answering, further : tuple of str
        The topics that may answer: a meter without any has no figures. Those that are read too,
        where the meter has them.
    names : list of str
        The columns that are read.
    several : bool
        Whether the result has several meters, in which an element without a reading is none.
    form : pandas.DataFrame
        The result without a row.
    """
    rows, parts = "element" in form, {}
    for meter, elements, _ in batch:
        read = functools.partial(read_meter, selection, meter, elements)
        frame = _readings_for(read, names, answering, further)
        if selection.span is None and not len(frame):
            continue
        here = _letters(frame.columns)
        lost = [e for e in elements or () if e not in here]
        frame = _with(frame, [f"{answering[0]}/{ELEMENT}/{e}" for e in lost])
        if rows and several:  # without what has no reading and was not asked for by name
            kept = _with_readings(frame) | {*(elements or ())}
            frame = frame[[c for c in frame.columns if parse(c).id in kept]]
        if not _whole_elements(frame.columns, answering):
            if rows:
                continue
            frame = _with(frame, _whole_elements(names, answering)[:1])
        rules = _without_others(registers, meter, _letters(frame.columns))
        parts[meter] = _as_columns(verb(frame, registers=rules), corrected="raw" in form)
        del frame  # before the next meter's is read
    return joined(parts, form)


def _readings_for(
    read: Callable[[Sequence[str]], tuple[pd.DataFrame, set[str]]],
    names: list[str], answering: tuple[str, ...], further: tuple[str, ...],
) -> pd.DataFrame:  # fmt: skip
    """The readings: those of means beside registers only where they are needed.

    They are where a register does not answer, and where they may confirm a step that stands out.
    """
    if answering[0] != REGISTER or {*answering, *further} != {REGISTER, MEAN}:
        return read(names)[0]
    first = _whole_elements(names, (REGISTER,))
    frame, here = read(first)
    known = _with_readings(frame) if MEAN in answering else _letters(names)
    known -= _with_high_steps(frame)
    more = [c for c in _whole_elements(names, (MEAN,)) if c in here and parse(c).id not in known]
    return read([*first, *more])[0] if more else frame


def _with_high_steps(frame: pd.DataFrame) -> set[str]:
    """The elements whose register has a step that may stand out: more power than most ever draw."""
    shortest, values = least_and_greatest(ints(time_index(frame)))[0], frame.to_numpy()
    most = JUMP * IDLE_KW_OF_LONG * max(int(shortest), 1) / HOUR
    greatest, some = np.zeros(values.shape[1]), max(16384 // max(values.shape[1], 1), 1)
    for i in range(0, len(values) - 1, some):  # part by part, which the cache holds
        steps = values[i + 1 : i + some + 1] - values[i : i + some][: len(values) - 1 - i]
        np.maximum(greatest, steps.max(axis=0), out=greatest)
    for i in np.flatnonzero(np.isnan(greatest)).tolist():  # over blanks too
        known = values[np.isfinite(values[:, i]), i]
        greatest[i] = least_and_greatest(known)[1]
    return {parse(frame.columns[i]).id for i in np.flatnonzero(greatest > most).tolist()}


def _without_others(rules: RegisterRules, meter: str, letters: set[str]) -> RegisterRules:
    """The rules without those of elements that other meters have and this one has not."""
    if rules == DEFAULT_RULES:
        return rules

    def is_of_frame(key: Any) -> bool:
        whose, element = split_element(str(key))
        return (element or whose) in letters and (element is None or whose == meter)

    tables = {f.name: getattr(rules, f.name) for f in fields(rules)}
    own: dict[str, Any] = {
        name: {key: value for key, value in table.items() if is_of_frame(key)}
        for name, table in tables.items()
        if isinstance(table, Mapping)
    }
    own["corrections"] = tuple(x for x in rules.corrections if is_of_frame(x.element))
    return replace(rules, **own)


def _as_columns(figures: pd.DataFrame, *, corrected: bool) -> pd.DataFrame:
    """A verb's result with time alone as its index; some meters have corrections, others not."""
    more = [name for name in figures.index.names if name not in {None, "time"}]
    figures = figures.reset_index(more) if more else figures
    if corrected and "raw" not in figures:
        return figures.assign(raw=figures["energy"], agreed=0.0)
    return figures


def _letters(columns: Iterable[str]) -> set[str]:
    return {parse(c).id for c in columns if parse(c).scope == ELEMENT}


def _with(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    return frame.reindex(columns=[*frame.columns, *names]) if names else frame


def _with_readings(frame: pd.DataFrame) -> set[str]:
    """The elements that have some reading."""
    found, values = set[str](), frame.to_numpy()
    for i, c in enumerate(frame):
        # Most columns have a reading in the last row, and need no look at all others.
        if (len(values) and math.isfinite(values[-1, i])) or np.isfinite(values[:, i]).any():
            found.add(parse(c).id)
    return found


def _figures(
    archive: Archive, verb: functools.partial[pd.DataFrame], keywords: ArchiveKeywords,
    answering: tuple[str, ...], further: tuple[str, ...] = (), *, rows: bool, strict: bool,
) -> Any:  # fmt: skip
    """The figures of every meter as a Dask frame; `verb` has its own keywords already."""
    given: dict[str, Any] = {**_DEFAULTS, **keywords}
    site, tz, registers = given["site"], given["tz"], given["registers"]
    import_extra("dask.dataframe", "compute on Dask", "dask")
    selection, found, known = select(
        archive, given["meters"], given["start"], given["end"], [*answering, *further],
        tz=apply_site(site, tz, registers)[0], bracket=True, errors=given["errors"], strict=strict,
    )  # fmt: skip
    names = _whole_elements(known, (*answering, *further))
    answers = bool(_whole_elements(names, answering))
    columns = names if answers else [f"{answering[0]}/{ELEMENT}/A", *names]
    times = pd.date_range("2024-01-01", periods=3, freq="15min", tz="UTC", unit="us", name="time")
    frame = pd.DataFrame({c: [1.0, 1.25, 1.5] for c in columns}, index=times)
    asked = VerbKeywords.of(frame, site, tz, registers=registers, corrections=given["corrections"])
    # Rules of no element are refused, as the verb would for a frame of all these meters.
    tables = (getattr(asked.registers, f.name) for f in fields(asked.registers))
    keys = (key for table in tables if isinstance(table, Mapping) for key in table)
    ruled = {split_element(str(key))[0] for key in keys}
    shown = dict.fromkeys([*(m for m in found if m in ruled), *[*found][:2]])
    check_elements(asked.registers, [(m, e) for m in shown for e in sorted(_letters(columns))])
    more = {x: given[x] for x in ("interval", "demand_lag", "topic", "source")}
    verb = functools.partial(verb, tz=asked.tz, **more)
    if verb.keywords["min_coverage"] is None:
        # Coverage warnings of a worker would reach nobody; the notes of `energy` say what does.
        verb = functools.partial(verb, min_coverage=0.0)
    # What cannot be meant raises here. The example names a meter: intervals may be given by meter.
    example: Any = {"-": (None, None)}
    frame.attrs["dentcloud"] = note({}, example, frame)
    own = _without_others(asked.registers, "-", _letters(names))
    corrected = rows and verb.func is energy_of_frame and bool(asked.registers.corrections)
    form = _as_columns(verb(frame, registers=own), corrected=corrected)
    if not answers:
        held = {topic for meter in found for topic in archive.meter(meter).topics}
        raise (KindError if verb.keywords["topic"] is None else UnknownTopicError)(
            f"Cannot compute from the archive {selection.archive.path}: that needs "
            f"{' or '.join(answering)} of whole elements, and what it holds of these meters is "
            f"{', '.join(sorted(held)) or 'nothing'}. Sync {answering[0]} as well, or take another "
            "source."
        )
    form.insert(0, METER, pd.Series("-", index=form.index, dtype=text_dtype()))
    first, last = selection.span or (None, None)
    make = functools.partial(
        _figures_of, selection=selection, verb=functools.partial(verb, start=first, end=last),
        registers=asked.registers, answering=answering, further=further, names=names,
        several=len(found) > 1, form=form.iloc[:0],
    )  # fmt: skip
    from dask.system import CPU_COUNT  # a container may have fewer than its machine

    cores = max(CPU_COUNT, 2)  # a multiple of them keeps all of them busy until the end
    partitions = min(len(found), -(-len(found) // (cores * _METERS)) * cores, _PARTITIONS)
    return on_dask(selection, found, make, form.iloc[:0], given["batch"], partitions)


_TOPICS: dict[str, tuple[str, ...]] = {"register": (REGISTER,), "demand": (MEAN,)}
"""The topics that answer, by `source`."""


class ArchiveKeywords(CorrectedKeywords, total=False):
    """The keywords of a verb, but for its elements, and those of an archive."""

    meters: Any
    errors: str
    batch: int | None


_DEFAULTS = {"meters": None, "errors": "raise", "batch": None, "site": None, **DEFAULTS}
archive_verb = with_keywords(ArchiveKeywords, _DEFAULTS, without=("elements",))


@archive_verb
def energy(
    archive: Archive,
    freq: Freq = None,
    *,
    edges: str = "interpolate",
    min_coverage: float | None = None,
    schedule: Any = None,
    detail: bool = False,
    **keywords: Unpack[ArchiveKeywords],
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
    schedule, site, corrections, detail : optional
        As in `dentframe.verbs.energy.energy`.
    errors : str
        ``"raise"``, or ``"warn"`` where the archive does not hold all of the range.
    batch : int, optional
        How many meters a partition has at most; by default 32 or fewer, so that this machine's
        cores have as many each, and more where that makes more than 128 partitions.

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
    verb = functools.partial(
        energy_of_frame, freq=freq, edges=edges, schedule=schedule, min_coverage=min_coverage,
        detail=detail,
    )  # fmt: skip
    topic, source = keywords.get("topic"), str(keywords.get("source", "auto"))
    answering = _TOPICS.get(source, (REGISTER, MEAN)) if topic is None else (topic,)
    further = (MEAN,) if answering == (REGISTER,) and MEAN in archive.units() else ()
    strict = topic is not None
    return _figures(archive, verb, keywords, answering, further, rows=detail, strict=strict)


_REGISTER_OF = {"kVA": "kVAHNet", "kVAHNet": "kVAHNet"}
"""The register that knows what apparent demand leaves uncovered."""


@archive_verb
def peaks(
    archive: Archive,
    freq: Freq = None,
    *,
    window: Any = None,
    kind: str = "reported",
    step: Any = None,
    n: int = 1,
    per_day: bool = False,
    min_coverage: float | None = None,
    **keywords: Unpack[ArchiveKeywords],
) -> Any:
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
        How many meters a partition has at most; by default 32 or fewer, so that this machine's
        cores have as many each, and more where that makes more than 128 partitions.

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
    verb = functools.partial(
        peaks_of_frame, freq=freq, window=window, kind=kind, step=step, n=n, per_day=per_day,
        min_coverage=min_coverage,
    )  # fmt: skip
    topic, source = keywords.get("topic"), str(keywords.get("source", "auto"))
    answering = _TOPICS.get(source, (MEAN, REGISTER))
    further = (REGISTER, MEAN) if MEAN in archive.units() else (REGISTER,)
    if topic is not None:
        answering, further = (topic,), (_REGISTER_OF.get(str(topic), REGISTER),)
    elif kind == "reported":
        answering = (MEAN,)
    return _figures(archive, verb, keywords, answering, further, rows=True, strict=False)
