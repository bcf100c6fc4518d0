"""`gaps` lists where readings are missing, `coverage` tells how much of each period is covered.

`row_counts` counts the rows of each meter: what came, and what should have come.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dentframe.errors import ConfigError
from dentframe.metering.attrs import is_several, spans
from dentframe.metering.cumulative import from_means
from dentframe.metering.registers import RegisterRules
from dentframe.metering.series import Ints, Rows, rows
from dentframe.times.ranges import local
from dentframe.verbs.inputs import (
    REGISTER,
    Inputs,
    VerbKeywords,
    demand_source,
    energy_source,
    inputs_of,
)
from dentframe.verbs.peaks import registers_of
from dentframe.verbs.results import by_element, periods_index
from dentframe.wire.columns import is_wire, wire_columns

if TYPE_CHECKING:
    from dentframe.metering.cumulative import Cumulative
    from dentframe.metering.series import Floats
    from dentframe.times.periods import Freq
    from dentframe.times.ranges import Zone


_LATE = 1.5  # times the interval: a longer spacing is a gap, as the cache judges it too


@dataclass(frozen=True)
class RowCounts:
    """The rows of one meter, those outside the range that was read left out.

    Attributes
    ----------
    t : ndarray of int64
        Distinct instants, rising [us].
    counts : dict
        Wire column to the number of its readings; a meter among several has only columns
        with a reading, for the others need not be its own.
    repeated : int
        Rows that repeat an instant.
    start, end : int or None
        The half-open range that was read [us], as far as the frame tells it.
    """

    t: Ints
    counts: dict[str, int]
    repeated: int
    start: int | None
    end: int | None

    @property
    def interval(self) -> int:
        """The median spacing [us]; 0 below two rows."""
        return int(np.median(np.diff(self.t))) if len(self.t) > 1 else 0

    @property
    def expected(self) -> int:
        """How many rows the span should have."""
        if not self.interval:
            return len(self.t)
        start = self.t[0] - self.interval if self.start is None else self.start
        end = self.t[-1] if self.end is None else self.end
        return max(round(int(end - start) / self.interval), len(self.t))

    @property
    def lacks(self) -> list[int]:
        """What is missing of each gap between rows and at the ends of the range [us]."""
        if not self.interval:
            return []
        first = self.t[0] if self.start is None else min(self.start, self.t[0])
        last = self.t[-1] if self.end is None else self.end
        steps = np.diff(np.r_[first - self.interval, self.t, last])
        return [int(x) - self.interval for x in steps[steps > _LATE * self.interval]]

    def there(self, labels: Sequence[str]) -> int:
        """How many readings some columns have."""
        return sum(self.counts.get(x, 0) for x in labels)

    def due(self, labels: Sequence[str]) -> int:
        """How many readings some columns should have."""
        return self.expected * sum(x in self.counts for x in labels)

    def blank(self, labels: Sequence[str]) -> int:
        """Cells without a reading in rows that came, of columns that have any."""
        return sum(len(self.t) - n for n in (self.counts.get(x, 0) for x in labels) if n)


def row_counts(frame: pd.DataFrame) -> list[RowCounts]:
    """The rows of each meter, meters in the order of their names.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns over time, or over (meter, time), shape (readings, columns).

    Raises
    ------
    RangeError
        Where rows have no time.
    """
    labels = wire_columns(frame.columns)
    filled = frame.loc[:, [is_wire(x) for x in frame.columns]].notna().to_numpy()
    several, believed = is_several(frame), spans(frame)
    return [_counted(of, labels, filled, believed[of.meter], several) for of in rows(frame)]


def _counted(
    of: Rows,
    labels: Sequence[str],
    filled: npt.NDArray[np.bool_],
    span: tuple[int | None, int | None],
    several: bool,
) -> RowCounts:
    cells = filled[of.order]
    repeated = len(cells) - len(of.t)
    if of.first is not None and len(of.first):
        cells = np.logical_or.reduceat(cells, of.first, axis=0)
    inside = slice(*(None if x is None else int(np.searchsorted(of.t, x)) for x in span))
    sums = cells[inside].sum(axis=0).tolist()
    counts = {x: n for x, n in zip(labels, sums, strict=True) if n or not several}
    return RowCounts(of.t[inside], counts, repeated, *span)


_DEFAULT_RULES = RegisterRules()
COLUMNS = ("element", "start", "end", "missing_intervals", "energy_known")


def coverage(
    frame: pd.DataFrame,
    freq: Freq = None,
    *,
    of: str = "energy",
    tz: Zone = None,
    start: Any = None,
    end: Any = None,
    topic: str | None = None,
    source: str = "auto",
    registers: RegisterRules = _DEFAULT_RULES,
    interval: Any = "15min",
    demand_lag: Any = "0min",
    elements: Any = None,
    site: Any = None,
) -> pd.DataFrame:
    """Share of each period that is covered, per element.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns over time, or over (meter, time), shape (readings, columns).
    freq : str, Monthly, list of edges, or None
        Start-anchored (``"D"``, ``"MS"``, ...); None for one period.
    of : str
        ``"energy"``: the time whose energy is known, as in `energy`: a register bridges a gap.
        ``"readings"``: the time for which readings came, which uses that need the shape of a
        load should ask for.
    tz, start, end, topic, source, registers, interval, demand_lag, elements, site : optional
        As in `energy`.

    Returns
    -------
    pandas.DataFrame
        Period start (in `tz`) to one column per element, 0 to 1, shape (periods, elements).

    Raises
    ------
    RangeError, KindError, ConfigError, UnknownTopicError, UnitError
        As `energy`.

    Examples
    --------
    >>> df.dent.coverage("MS", tz=LA).round(3).T
    time  2023-12-01 00:00:00-08:00
    A                           1.0
    B                           1.0
    C                           1.0
    D                           1.0
    E                           1.0
    F                           1.0
    G                           1.0
    """
    if of not in {"energy", "readings"}:
        raise ConfigError(f"Cannot use of={of!r}: use 'energy' or 'readings'.")
    asked = VerbKeywords.of(frame, site, tz, start, end, registers, interval, demand_lag, elements)
    asked = replace(asked, refuse=False)
    found = inputs_of(frame, freq, energy_source(frame, topic, source), asked)
    series = found.series
    if of == "readings":
        series = [presence(c, found.interval(c)) for c in series]
    values = [c.coverage(found.s, found.e) for c in series]
    return by_element(found, values, periods_index(found))


def presence(c: Cumulative, interval: int) -> Cumulative:
    """The time for which readings of a series came, whatever they say."""
    return c if c.source == "demand" else from_means(c.series, interval)


def gaps(
    frame: pd.DataFrame,
    *,
    tz: Zone = None,
    start: Any = None,
    end: Any = None,
    topic: str | None = None,
    source: str = "auto",
    registers: RegisterRules = _DEFAULT_RULES,
    interval: Any = "15min",
    demand_lag: Any = "0min",
    elements: Any = None,
    site: Any = None,
) -> pd.DataFrame:
    """Where readings are missing.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns over time, or over (meter, time), shape (readings, columns).
    tz : str or tzinfo, optional
        The zone of the result and of naive bounds; None is the index's own.
    start, end : str, date, datetime or Timestamp, optional
        The span. By default the range that was read, else from the first reading to the last;
        then less than an interval lacking at an end of it is no gap.
    topic, source, registers, interval, demand_lag, elements, site : optional
        As in `demand`: the interval means of an element tell, else its register.

    Returns
    -------
    pandas.DataFrame
        Rows of (``meter``,) ``element``, ``start``, ``end``, ``missing_intervals`` (how many
        readings should have come), ``energy_known`` (whether a register bridges the gap).

    Raises
    ------
    RangeError, KindError, ConfigError, UnknownTopicError, UnitError
        As `demand`.

    Notes
    -----
    A spacing up to one and a half intervals is jitter and no gap; a longer one is covered for
    one interval by the reading that ends it. A blank or unreadable value is no reading. An
    element whose register the other verbs refuse, for it falls without being declared as
    exporting, has a row of the whole span: no reading is missing, but the energy is not known.

    Examples
    --------
    >>> found = df.dent.gaps(tz=LA)
    >>> found[["element", "start", "end"]]
      element                     start                       end
    0       C 2023-12-06 09:47:00-08:00 2023-12-06 13:17:00-08:00
    1       D 2023-12-13 22:17:00-08:00 2023-12-14 02:02:00-08:00
    """
    asked = VerbKeywords.of(frame, site, tz, start, end, registers, interval, demand_lag, elements)
    asked = replace(asked, refuse=False)
    of = inputs_of(frame, None, demand_source(frame, topic, source), asked)
    known = registers_of(frame, asked, REGISTER)
    holes = []
    for c in of.series:
        register = known.get((c.meter, c.element))
        holes.append(holes_of(of, c, register))
        if of.source.register and (register or c).refusal:
            none = 0 * of.s[:1]
            holes.append(Holes(c, of.s[:1], of.e[-1:], none, none > 0, np.full(len(none), np.nan)))
    return _table(of, holes)


@dataclass(frozen=True)
class Holes:
    """The gaps of one series; arrays of shape (gaps,)."""

    of: Cumulative
    s: Ints
    e: Ints
    missing: Ints
    known: Any
    kwh: Floats


def holes_of(of: Inputs, c: Cumulative, register: Cumulative | None) -> Holes:
    """The gaps of one series in the verb's span, and their energy by the register [kWh]."""
    w = of.interval(c)
    present = presence(c, w)
    s, e = uncovered(present, of.s, of.e)
    low, high = of.bounds
    if len(of.s):
        # What bracketing rows would give is not lost.
        own_head = (s == of.s[0]) & (s != low)
        own_tail = (e == of.e[-1]) & (e != high)
        keep = (e - s >= w) | ~(own_head | own_tail)
        s, e = s[keep], e[keep]
    if register is None and c.source == "register":
        register = c
    missing = np.maximum((2 * (e - s) + w) // (2 * w), 1)
    known, kwh = _bridged(s, e, register)
    return Holes(c, s, e, missing, known, kwh)


def _bridged(s: Ints, e: Ints, register: Cumulative | None) -> tuple[Any, Floats]:
    if register is None:
        return np.zeros(len(s), dtype=np.bool_), np.full(len(s), np.nan)
    energy, covered = register.measure(s, e)
    known = covered == e - s
    return known, np.where(known, energy, np.nan)


def uncovered(c: Cumulative, starts: Ints, ends: Ints) -> tuple[Ints, Ints]:
    """The uncovered stretches of a run of adjoining periods [us UTC], touching ones as one."""
    if len(starts) == 0:
        return starts, ends
    low, high = int(starts[0]), int(ends[-1])
    a = np.clip(c.t[:-1][c.ok], low, high)
    b = np.clip(c.t[1:][c.ok], low, high)
    s, e = np.concatenate(([low], b)), np.concatenate((a, [high]))
    real = e > s
    return s[real], e[real]


def _table(of: Inputs, found: Sequence[Holes]) -> pd.DataFrame:
    parts = [
        pd.DataFrame(
            {
                **({"meter": h.of.meter} if of.several else {}),
                "element": h.of.element,
                "start": local(h.s, of.tz),
                "end": local(h.e, of.tz),
                "missing_intervals": h.missing,
                "energy_known": h.known,
            }
        )
        for h in found
        if len(h.s)
    ]
    names = [*(["meter"] if of.several else []), *COLUMNS]
    return pd.concat(parts, ignore_index=True)[names] if parts else pd.DataFrame(columns=names)
