"""Energy of meters whose registers only rise: the verb's figures, from arrays alone.

A frame for each meter costs more than its figures do. A meter that is not plain (a blank, a
fall, a jump, an element without its register) takes the verb, with the same result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe.archive.lazy import graph
from dentframe.archive.lazy.readings import METER
from dentframe.columns import ELEMENT, Column, parse
from dentframe.freq import is_edges
from dentframe.instants import ints, local, stamp
from dentframe.metering import sources
from dentframe.metering.figures import all_figures
from dentframe.metering.plain import block_of
from dentframe.metering.results import IMPOSSIBLE_KW
from dentframe.metering.rows import time_index
from dentframe.periods import build, verb_zone
from dentframe.registers import MINUTE, resolve

if TYPE_CHECKING:
    import datetime as dt

    from dentframe.archive.lazy.wanted import Elements, Span
    from dentframe.metering.plain import Plain
    from dentframe.metering.series import Floats, Ints
    from dentframe.reading.frame import Table
    from dentframe.registers import Rules

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
    limit = _NEAR * IMPOSSIBLE_KW * int(np.diff(t).min()) / _US_PER_HOUR
    days = np.append(values[::_DAY], values[-1:], axis=0)
    # No step rises more than all steps of its day together.
    return _greatest(days) > limit and _greatest(values) > limit


def _greatest(values: Floats) -> float:
    return float(np.diff(values, axis=0).max(initial=0.0))


def rising(keywords: Mapping[str, Any], frame: pd.DataFrame, span: Span | None) -> Rising | None:
    """The short way for some keywords of `dentframe.energy.energy`; None where it serves none.

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
