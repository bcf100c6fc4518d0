"""A verb on every meter of an archive, as a Dask frame: checked at once, computed by workers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe.archive.lazy import graph
from dentframe.archive.lazy.readings import METER, one_meter
from dentframe.archive.lazy.rising import Part
from dentframe.archive.lazy.rules import for_meter, for_meters
from dentframe.archive.lazy.wanted import whole_elements
from dentframe.columns import ELEMENT, parse
from dentframe.reading.frame import attrs

if TYPE_CHECKING:
    from dentframe.archive.lazy.readings import Found
    from dentframe.archive.lazy.rising import Rising
    from dentframe.archive.lazy.wanted import Batch, Elements, Portfolio, Wanted

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
        named = {} if elements is None else {"elements": {meter: list(elements)}}
        frame.attrs["dentcloud"] = {**attrs({}, ranges), **named}
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
