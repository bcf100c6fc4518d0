"""`gaps` tells where readings are missing, `coverage` which share of each period is covered.

Other verbs find here what some stretches leave of a period, and what two series both cover.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, Unpack

import numpy as np

from dentframe.metering.energy_and_coverage import FOREVER, NAT, from_means, share, totals
from dentframe.metering.series import Bools, Floats, Ints, element_columns
from dentframe.verbs import inputs_and_keywords as inputs
from dentframe.verbs import result_frames_and_warnings as results
from dentframe.verbs.inputs_and_keywords import REGISTER, TopicKeywords, VerbKeywords, topic_verb
from dentframe.wire.topics import kind_of

if TYPE_CHECKING:
    import pandas as pd

    from dentframe.metering.energy_and_coverage import Cumulative
    from dentframe.times.periods import Freq
    from dentframe.verbs.elements_by_name import Element


GAP_COLUMNS = ("element", "start", "end", "missing_intervals", "energy_known")
Stretches: TypeAlias = tuple[Ints, Ints, Ints]
"""Starts and ends [us UTC] of stretches of time, and the position of the period of each."""


@topic_verb
def coverage(
    frame: pd.DataFrame, freq: Freq = None, *, of: str = "energy", **keywords: Unpack[TopicKeywords]
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
    inputs.check_one_of("of", of, ("energy", "readings"))
    resolved = VerbKeywords.of(frame, **keywords, refuse=False)
    answer = inputs.energy_source(frame, resolved.topic, resolved.source)
    found = inputs.inputs_of(frame, freq, answer, resolved)
    series = found.series
    if of == "readings":
        series = [_with_readings(c, found.interval(c)) for c in series]
    covered = [c.coverage(found.s, found.e) for c in series]
    return results.by_element(found, covered, results.periods_index(found))


def _with_readings(c: Cumulative, interval: int) -> Cumulative:
    """The time for which readings of a series came, whatever they say."""
    return c if c.source == "demand" else from_means(c.series, interval)


@topic_verb
def gaps(frame: pd.DataFrame, **keywords: Unpack[TopicKeywords]) -> pd.DataFrame:
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
    resolved = VerbKeywords.of(frame, **keywords, refuse=False)
    answer = inputs.demand_source(frame, resolved.topic, resolved.source)
    of = inputs.inputs_of(frame, None, answer, resolved)
    registers, found = registers_of(of, REGISTER), []
    by_register = any(kind_of(topic) == "register" for topic in of.source.topics)
    for c in of.series:
        register = registers.get((c.meter, c.element))
        rows: list[tuple[Any, ...]] = list(zip(*gaps_of(of, c, register), strict=True))
        if by_register and (register or c).refusal and len(of.s):
            rows.append((of.s[0], of.e[-1], 0, False))
        found += [(c.meter, c.element, *row) for row in rows]
    return results.frame_of_rows(frame, found, GAP_COLUMNS, of.tz)


class Gaps(NamedTuple):
    """The gaps of one series; arrays of shape (gaps,).

    Attributes
    ----------
    s, e : ndarray of int64
        Where they begin and end [us UTC].
    missing : ndarray of int64
        How many readings should have come.
    known : ndarray of bool
        Whether a register bridges them, so that their energy is known.
    """

    s: Ints
    e: Ints
    missing: Ints
    known: Bools


def gaps_of(of: inputs.Inputs, c: Cumulative, register: Cumulative | None) -> Gaps:
    """The gaps of one series in the verb's span, and whether the register bridges them."""
    w, span = of.interval(c), (of.s[:1], of.e[-1:])
    s, e, _ = uncovered(*_with_readings(c, w).stretches(), *span)
    low, high = of.keywords.limits(of.frame)
    # What bracketing rows would give is not lost.
    at_head, at_tail = (s == span[0]) & (s != low), (e == span[1]) & (e != high)
    keep = (e - s >= w) | ~(at_head | at_tail)
    s, e = s[keep], e[keep]
    if register is None and c.source == "register":
        register = c
    known = register.covered(s, e) == e - s if register else np.zeros(len(s), np.bool_)
    return Gaps(s, e, np.maximum(results.expected(s, e, w), 1), known)


def registers_of(
    of: inputs.Inputs, topic: str, *, needed: bool = True
) -> dict[Element, Cumulative]:
    """The registers of a verb's frame by (meter, element), where it has any of this topic.

    Where they are not needed there are none; but one that cannot be read is refused all the same,
    so that no gap in the readings decides whether a verb raises.
    """
    if not element_columns(of.frame, [topic]):
        return {}
    source, every = inputs.Source((topic,)), replace(of.keywords, elements=None, refuse=False)
    if not needed:
        inputs.readings_of(of.frame, source, every)
        return {}
    return {(c.meter, c.element): c for c in inputs.series_of(of.frame, source, every)}


def uncovered(s: Ints, e: Ints, starts: Ints, ends: Ints) -> Stretches:
    """What intervals leave of periods: the stretches between them, and the period of each.

    Parameters
    ----------
    s, e : ndarray of int64
        Intervals in order of time, which may overlap [us UTC], shape (intervals,).
    starts, ends : ndarray of int64
        Periods in order [us UTC], shape (periods,).
    """
    a = np.append(NAT, np.maximum.accumulate(e))
    b = np.append(s, FOREVER)
    between = b > a
    return pieces(a[between], b[between], starts, ends)


def time_and_share(uncovered: Stretches, starts: Ints, ends: Ints) -> tuple[Ints, Floats]:
    """The uncovered time of each period [us], and the share of it that is covered, 0 to 1."""
    s, e, period = uncovered
    time = totals(e - s, period, len(starts))
    return time, share(ends - starts - time, ends - starts)


def pieces(s: Ints, e: Ints, starts: Ints, ends: Ints) -> Stretches:
    """Disjoint intervals cut at the periods' edges, and the period of each piece."""
    first = np.searchsorted(ends, s, side="right")
    count = np.maximum(np.searchsorted(starts, e, side="left") - first, 0)
    which = np.repeat(np.arange(len(s)), count)
    period = np.arange(len(which)) + np.repeat(first - np.cumsum(count) + count, count)
    a, b = np.maximum(s[which], starts[period]), np.minimum(e[which], ends[period])
    return a[b > a], b[b > a], period[b > a]


def within(c: Cumulative, other: Cumulative, starts: Ints, ends: Ints) -> tuple[Floats, Ints]:
    """Energy of one series in the time that another covers as well, and that time.

    Returns
    -------
    ndarray of float
        Energy of `c` [kWh], NaN where the two have no time in common; shape (periods,).
    ndarray of int64
        The common time [us].
    """
    a, b, period = pieces(*other.stretches(), starts, ends)
    part, time = c.measure(a, b)
    energy = totals(np.nan_to_num(part), period, len(starts))
    both = totals(time, period, len(starts))
    return np.where(both > 0, energy, np.nan), both
