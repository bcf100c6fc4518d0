"""The demand that a charge bills: highest of blocks, rolling windows or reported means. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from dentframe.errors import ConfigError, CoverageError
from dentframe.instants import ints, local, stamp
from dentframe.metering import blocks
from dentframe.metering.cumulative import STATUSES, share, status
from dentframe.metering.flags import names as flag_names
from dentframe.metering.maxima import flags_in, reported
from dentframe.metering.ranking import Candidates, highest, known
from dentframe.metering.sources import interval_of
from dentframe.money.energies import State
from dentframe.money.meters import Meters, stretches
from dentframe.money.rounding import EXACT, add, exact
from dentframe.periods import calendar

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from dentframe.metering.cumulative import Cumulative
    from dentframe.metering.rows import Ints
    from dentframe.schedule import Schedule

MEASURES = ("block", "rolling", "reported")


@dataclass(frozen=True)
class How:
    """How a demand is measured: kind, window, step, n highest, one of each day, topic."""

    measure: str
    window: str
    step: str | None
    n: int
    one_per_day: bool
    topic: str | None


@dataclass(frozen=True)
class Peak:
    """A measured demand: the mean of the n highest, exact [kW], and the instant of the first."""

    kw: Decimal
    at: pd.Timestamp
    state: State
    elements: str


@dataclass(frozen=True)
class _Found:
    """Candidates in the tariff's windows, how sure each element is of them, and all together."""

    candidates: Candidates
    states: list[tuple[Cumulative, State]]
    coverage: float


def peaks(
    meters: Meters, s: int, e: int, schedule: Schedule | None, how: How, *, daily: bool = False
) -> list[Peak]:
    """The billed demand of a span, or of each local day in it.

    Parameters
    ----------
    meters : Meters
        Whose.
    s, e : int
        The span [us UTC].
    schedule : Schedule or None
        Only intervals that start in its named windows count.
    how : How
        The measure.
    daily : bool
        One of each local day.

    Returns
    -------
    list of Peak
        Empty where the span has no interval in the windows.

    Raises
    ------
    CoverageError
        For a demand whose status is not accepted, or a span without any.
    """
    series = meters.means(how.topic, _source(how, meters))
    spans = _days(s, e, meters) if daily else [(s, e)]
    found = [_peak(meters, series, a, b, schedule, how) for a, b in spans]
    return [p for p in found if p is not None]


def _source(how: How, meters: Meters) -> str:
    if how.topic is not None:
        return "auto"
    return "demand" if how.measure == "reported" else meters.source


def _days(s: int, e: int, meters: Meters) -> list[tuple[int, int]]:
    edges = ints(calendar("D", stamp(s), stamp(e), meters.tz))
    cut = np.unique(np.clip(edges, s, e))
    return list(zip(cut[:-1].tolist(), cut[1:].tolist(), strict=True))


def _peak(
    meters: Meters,
    series: Sequence[Cumulative],
    s: int,
    e: int,
    schedule: Schedule | None,
    how: How,
) -> Peak | None:
    starts, ends, window = stretches(s, e, schedule, meters.tz)
    own = np.array([schedule is None or w != schedule.other for w in window])
    if not own.any():
        return None
    inside = starts[own], ends[own]
    find = _reported if how.measure == "reported" else _blocks
    found = find(meters, series, s, e, inside, how)
    if found is None:
        return None
    state = meters.gated(found.states, *_whole(s, e), f"{how.measure} demand")
    state = replace(state, coverage=found.coverage)
    day = _day_of(found.candidates, meters) if how.one_per_day else None
    top, _ = highest(found.candidates, how.n, day)
    if len(top.kw) == 0:
        raise CoverageError(
            f"Cannot bill {how.measure} demand from {stamp(s)} to {stamp(e)}: no interval in it is "
            "wholly covered. Read the period again, or bill an agreed figure of your own."
        )
    mean = EXACT.divide(add([exact(float(x)) for x in top.kw]), Decimal(len(top.kw)))
    names = ", ".join(c.name for c in series)
    return Peak(mean, local(top.s[:1], meters.tz)[0], state, names)


def _whole(s: int, e: int) -> tuple[Ints, Ints]:
    return np.array([s], dtype=np.int64), np.array([e], dtype=np.int64)


def _day_of(found: Candidates, meters: Meters) -> Ints:
    walls = local(found.e - 1, meters.tz).tz_localize(None).as_unit("us")
    return np.asarray(walls.asi8 // (24 * 3_600_000_000))


def _in(x: Ints, inside: tuple[Ints, Ints]) -> Any:
    """Whether instants lie in some of the stretches."""
    k = np.searchsorted(inside[0], x, side="right") - 1
    return (k >= 0) & (x < inside[1][np.maximum(k, 0)])


def _blocks(
    meters: Meters,
    series: Sequence[Cumulative],
    s: int,
    e: int,
    inside: tuple[Ints, Ints],
    how: How,
) -> _Found | None:
    """Blocks or rolling windows wholly in the span that start in the tariff's windows."""
    cut = blocks.cut(how.measure, how.window, how.step, meters.asked.interval)
    a, b = blocks.windows(cut, s, e, meters.tz)
    held = (a >= s) & (b <= e) & _in(a, inside)
    a, b = a[held], b[held]
    if len(a) == 0:
        return None
    kw, states = np.zeros(len(a)), []
    for c in series:
        own = blocks.means(c, a, b, interval_of(meters.asked.interval, c.meter))
        states.append((c, _state(c, s, e, int((~np.isnan(own)).sum()), len(a))))
        kw = kw + own
    found = known(a, b, kw, np.zeros(len(a), dtype=np.int64))
    return _Found(found, states, len(found.kw) / len(a))


def _reported(
    meters: Meters,
    series: Sequence[Cumulative],
    s: int,
    e: int,
    inside: tuple[Ints, Ints],
    _: How,
) -> _Found:
    """The meter's own means that end in ``(s, e]`` and start in the tariff's windows."""
    if len(series) != 1:
        raise ConfigError(
            f"Cannot add up measure='reported' of {len(series)} elements: their means need not "
            "be of the same time. Use measure='block', or bill each element by itself."
        )
    c = series[0]
    found = reported(c, *_whole(s, e), interval_of(meters.asked.interval, c.meter))
    found = found.only(np.flatnonzero(_in(found.s, inside)))
    covered, whole = c.covered(*inside).sum(), (inside[1] - inside[0]).sum()
    state = _state(c, s, e, int(covered), int(whole))
    return _Found(found, [(c, state)], state.coverage)


def _state(c: Cumulative, s: int, e: int, part: int, whole: int) -> State:
    coverage = share(np.array([part]), np.array([whole]))
    bits = flags_in(c, *_whole(s, e))
    worst = STATUSES[int(status(coverage, bits)[0])]
    return State(float(coverage[0]), worst, flag_names(int(bits[0])))
