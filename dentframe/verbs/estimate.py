"""`estimate` fills gaps in columns of their own, by a method, scaled to what the register measured.

An estimate is never a reading: it has its own column, a flag, and a text that says how it came
about. No verb of energy or demand ever takes it by itself.

Where demand has readings, its gaps are those of the interval means, and the register says how
much energy they held: its increment, less what demand knows of it. Without demand the means
are the register's own increments. A method of estimation is any callable
``(series, gap, context) -> values`` with a text that discloses it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias, Unpack

import numpy as np
import numpy.typing as npt
import pandas as pd

from dentframe.errors import ConfigError, CoverageWarning, KindError, warn
from dentframe.metering import series as _series
from dentframe.metering.energy_and_coverage import FOREVER, NAT, Cumulative
from dentframe.metering.register_rules import HOUR
from dentframe.metering.series import Bools, Floats, Ints, element_columns, is_several, time_index
from dentframe.times.dates_and_ranges import ints, local, localize, micros
from dentframe.times.periods import verb_zone
from dentframe.verbs.gaps_and_coverage import pieces
from dentframe.verbs.inputs_and_keywords import MEAN, REGISTER, Keywords, VerbKeywords, verb
from dentframe.verbs.quality_limits_and_findings import runs
from dentframe.verbs.reconcile import Pair, pairs

FLAG, DISCLOSURE, ATTRS = "estimated", "disclosure", "estimates"
SHORT = pd.Timedelta(hours=2)
"""The longest gap that California's VEE standard interpolates."""
REACH = 28
"""How many days before and after a gap reference days are looked for."""
DAYS = 10


@dataclass(frozen=True)
class Gap:
    """A stretch without readings, and the intervals to estimate in it.

    Attributes
    ----------
    start, end : pandas.Timestamp
        Where it begins and ends, in the verb's zone.
    at : pandas.DatetimeIndex
        The end of each interval to estimate, shape (intervals,).
    hours : ndarray of float
        The length of each interval [h], shape (intervals,).
    """

    start: pd.Timestamp
    end: pd.Timestamp
    at: pd.DatetimeIndex
    hours: npt.NDArray[np.float64]

    @property
    def middles(self) -> pd.DatetimeIndex:
        """The middle of each interval."""
        return self.at - pd.to_timedelta(self.hours / 2, unit="h").round("us")


@dataclass(frozen=True)
class Context:
    """What else a method may want to know.

    Attributes
    ----------
    meter, element : str
        Whose gap it is; the meter is None where nothing names it.
    tz : tzinfo
        The zone of days and clocks.
    interval : pandas.Timedelta
        The length of the series' intervals.
    register_kwh : float or None
        The gap's energy by the register [kWh], None where it does not know; the values are
        scaled to it afterwards.
    """

    meter: str | None
    element: str
    tz: dt.tzinfo
    interval: pd.Timedelta
    register_kwh: float | None


Method: TypeAlias = Callable[["pd.Series[float]", Gap, Context], Any]


def linear(series: pd.Series[float], gap: Gap, context: Context) -> Any:
    """A straight line between the means beside the gap; NaN for gaps beyond two hours [kW]."""
    if gap.end - gap.start > SHORT:
        return np.full(len(gap.at), np.nan)
    middles = pd.DatetimeIndex(series.index) - context.interval / 2
    return np.interp(ints(gap.middles), ints(middles), series.to_numpy())


def reference_days(series: pd.Series[float], gap: Gap, context: Context) -> Any:
    """Up to two hours a straight line; beyond, the mean of like days at the same local time [kW].

    Like days are the ten nearest working days, or weekend days, up to 28 days away, that have a
    reading at that time.
    """
    if gap.end - gap.start <= SHORT:
        return linear(series, gap, context)
    ends, values = ints(pd.DatetimeIndex(series.index)), series.to_numpy(dtype=np.float64)
    length = micros(context.interval)
    # The same local times on other days, nearest first; 0 on a day of another kind.
    walls = gap.middles.tz_convert(context.tz).tz_localize(None).as_unit("us")
    days = [sign * distance for distance in range(1, REACH + 1) for sign in (-1, 1)]
    shifted = walls.to_numpy() + np.array(days, dtype="timedelta64[D]")[:, None]
    others = pd.DatetimeIndex(shifted.ravel())
    like = np.asarray(others.day_of_week >= 5).reshape(shifted.shape) == (walls.day_of_week >= 5)
    x = np.where(like, ints(localize(others, context.tz)).reshape(shifted.shape), 0)
    # The mean whose interval holds each of these instants, NaN where none does.
    i = np.searchsorted(ends, x, side="left")
    near = np.minimum(i, len(ends) - 1)
    found = np.where((i < len(ends)) & (ends[near] - x < length), values[near], np.nan)
    known = ~np.isnan(found)
    used = known & (np.cumsum(known, axis=0) <= DAYS)
    count, total = used.sum(axis=0), np.where(used, found, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


METHODS: dict[str, tuple[Method, str]] = {
    "linear": (linear, "linear interpolation between the readings beside the gap, up to 2 h"),
    "reference_days": (
        reference_days,
        (
            "linear interpolation up to 2 h, beyond that the mean of the ten nearest like days "
            "(working days or weekends) at the same local time"
        ),
    ),
}
"""The built-in methods, by California's VEE practice, with what discloses them."""


@verb
def estimate(
    frame: pd.DataFrame,
    method: str | Method = "linear",
    disclosure: str | None = None,
    **keywords: Unpack[Keywords],
) -> pd.DataFrame:
    """Fill the gaps between readings, in columns of their own.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns over time, or over (meter, time), shape (readings, columns), with
        DemandkW or kWHNet. An element without DemandkW is estimated from its register.
    method : str or callable
        ``"linear"`` (gaps up to 2 h), ``"reference_days"`` (beyond 2 h the mean of like days;
        needs a zone), or a callable ``(series, gap, context) -> values`` [kW], one value per
        ``gap.at``, NaN for none: see `Gap` and `Context` of `dentframe.verbs.estimate`.
    disclosure : str, optional
        What tells a reader of the result how it was estimated. A callable needs one; with a
        built-in method it is added to the method's own.
    tz : str or tzinfo, optional
        The zone of days and of naive bounds.
    start, end : str, date, datetime or Timestamp, optional
        Only gaps that lie within are filled.
    registers : RegisterRules
        What is known about the registers.
    interval, demand_lag : str, timedelta, or mapping by meter
        A mean stamped t covers ``(t - demand_lag - interval, t - demand_lag]``.
    elements : str or sequence of str, optional
        The elements asked for, as in `energy`; all by default.
    site : Site, optional
        Gives `tz`, and what is known about the registers, where they are not given.

    Returns
    -------
    pandas.DataFrame
        The frame in order of time, with rows for the intervals that lack one, and

        - ``EstimatedDemandkW/Elm/A [kW]``: an estimate where A lacks a reading, else NaN. Where
          the register spans a gap, the estimates are scaled so that they, and what
          demand knows, add up to it;
        - ``estimated``: whether the row holds an estimate;
        - ``disclosure``: how, per element; None elsewhere.

        ``attrs["estimates"]`` lists element, start, end, energy [kWh], whether it was scaled and
        the disclosure, JSON-safe. Original values are untouched, and gaps before the first or
        after the last reading are not filled. An interval's estimate stays a float column with
        its unit in the label, whatever the frame's representation.

    Raises
    ------
    ConfigError
        For an unknown method, a callable without a disclosure or with values that do not fit.
    KindError
        Where the frame has neither registers nor demand.
    RangeError
        For a naive index, a bound that is no time, or ``"reference_days"`` without a zone.

    Warns
    -----
    CoverageWarning
        Once a call, where gaps stay unfilled.

    Notes
    -----
    Two hours, and reference days beyond, are the practice of California's VEE standard for
    missing intervals.

    Examples
    --------
    >>> dental = df.dent.select(element="D")
    >>> filled = dental.dent.estimate("reference_days", "agreed with the tenant", tz=LA)
    >>> int(filled["estimated"].sum())
    15
    >>> filled[dental.columns].dropna(how="all").equals(dental.dropna(how="all"))
    True
    """
    resolved = VerbKeywords.of(frame, **keywords)
    how, text = _method(method, disclosure)
    zone = verb_zone(time_index(frame).tz, resolved.tz, "D" if method == "reference_days" else None)
    bounds, found = resolved.limits(frame), pairs(frame, resolved)
    if not element_columns(frame, (REGISTER, MEAN)):
        raise KindError(
            f"Cannot estimate: no column of a whole element is {MEAN} or {REGISTER}. "
            f'Read topics=["{MEAN}", "{REGISTER}"].'
        )
    filled = [f for pair in found if (f := fill(pair, how, zone, bounds))]
    left = [(f.of.name, g) for f in filled for g in f.unfilled]
    if left:
        name, g = max(left, key=lambda x: x[1].end - x[1].start)
        beyond = "; method='reference_days' fills gaps beyond 2 h" if method == "linear" else ""
        total = len(left) + sum(len(f.notes) for f in filled)
        warn(
            f"{len(left)} of {total} gaps are not filled by "
            f"{str(method if isinstance(method, str) else text)!r}; the longest is {name} from "
            f"{g.start:%Y-%m-%d %H:%M} to {g.end:%Y-%m-%d %H:%M}{beyond}.",
            CoverageWarning,
        )
    return _joined(frame, filled, text)


def _method(method: str | Method, disclosure: str | None) -> tuple[Method, str]:
    own_text = (disclosure or "").strip()
    if isinstance(method, str):
        if method not in METHODS:
            raise ConfigError(
                f"Cannot estimate with method={method!r}: use one of {', '.join(METHODS)}, or a "
                "callable (series, gap, context) -> values."
            )
        own, text = METHODS[method]
        return own, f"{text}; {own_text}" if own_text else text
    if not callable(method):
        raise ConfigError(
            f"Cannot estimate with method={method!r}: it is neither a name nor a callable."
        )
    if not own_text:
        raise ConfigError(
            f"Cannot estimate with {getattr(method, '__name__', method)!r} without a disclosure: "
            "whoever reads an estimate must be told how it came about. Give disclosure='...'."
        )
    return method, own_text


_SECOND = 1 / 3600
_CLOSE = 0.02
"""A register that shows less than demand, by this share of its step, is rounding."""


class Filled(NamedTuple):
    """The estimates of one element.

    Attributes
    ----------
    of : Cumulative
        Its register, which names the element.
    at : ndarray of int64
        The stamps of the estimates [us UTC], shape (estimates,).
    kw : ndarray of float
        The estimates [kW], shape (estimates,).
    scaled : ndarray of bool
        Which of them the register measures, shape (estimates,).
    notes : list of dict
        One per filled gap, JSON-safe.
    unfilled : list of Gap
        Gaps for which the method has no value.
    """

    of: Cumulative
    at: Ints
    kw: Floats
    scaled: Bools
    notes: list[dict[str, Any]]
    unfilled: list[Gap]


def _known_power(pair: Pair) -> tuple[Ints, Floats, Bools, int]:
    """An element's steps of known power: of its demand, else of its register; none if neither.

    Returns
    -------
    ndarray of int64
        Edges [us UTC], shape (steps + 1,).
    ndarray of float
        Mean power of each step [kW], shape (steps,); 0 where it is not known.
    ndarray of bool
        Whether it is known, shape (steps,).
    int
        How long after its interval's end a row is stamped [us].
    """
    demand, register = pair.demand, pair.register
    if len(demand.at):
        c, ok, lag = demand, demand.ok, pair.lag
    else:
        # Inside a longer spacing the register knows the total, not the power.
        c, ok, lag = register, register.ok & (2 * np.diff(register.t) <= 3 * pair.interval), 0
    first, last = (int(x) for x in np.flatnonzero(ok)[[0, -1]]) if ok.any() else (0, -1)
    t, ok = c.t[first : last + 2], ok[first : last + 1]
    return t, np.where(ok, c.inc[first : last + 1] / (np.diff(t) / HOUR), 0.0), ok, lag


def fill(pair: Pair, method: Method, tz: dt.tzinfo, bounds: tuple[int, int]) -> Filled | None:
    """Estimate the gaps of one element within bounds; None where nothing is known of it.

    Parameters
    ----------
    pair : Pair
        The element's register and demand.
    method : callable
        ``(series, gap, context) -> values`` [kW].
    tz : tzinfo
        The zone of the gap's instants.
    bounds : tuple of int
        Gaps outside are left alone [us UTC].

    Raises
    ------
    ConfigError
        Where the method's values do not fit the gap.
    """
    (t, known_kw, ok, lag), c, window = _known_power(pair), pair.register, pair.interval
    if not len(ok):
        return None
    left = _left_by_demand(c, t, known_kw, ok)
    at = local(t[1:][ok], tz).rename("time")
    series = pd.Series(known_kw[ok], at, name=f"DemandkW/Elm/{c.element}")
    filled, unfilled = [(_series.NONE, _series.NONE, np.empty(0))], []
    for a, b in runs(~ok):
        s, e = int(t[a]), int(t[b])
        if s < bounds[0] or e > bounds[1]:
            continue
        # Whole windows, the last as long as is left.
        n = max((2 * (e - s) + window) // (2 * window), 1)
        ends = np.append(s + window * np.arange(1, n), e).astype(np.int64)
        edges, hours = local(np.array([s, e]), tz), np.diff(ends, prepend=s) / HOUR
        gap = Gap(edges[0], edges[1], local(ends, tz), hours)
        interval = pd.Timedelta(window, unit="us")
        context = Context(c.meter, c.element, tz, interval, left.energy_of(s, e))
        values = _values(method, series, gap, context)
        if np.isnan(values).all():
            unfilled.append(gap)
        else:
            filled.append((np.append(s, ends[:-1]), ends, values))
    starts, ends, raw = (np.concatenate(x) for x in zip(*filled, strict=True))
    kw, scaled = left.scaled(starts, ends, raw)
    there, energies, notes = ~np.isnan(kw), kw * ((ends - starts) / HOUR), []
    until = np.cumsum([len(x) for x, *_ in filled]).tolist()
    for a, b in pairwise(until):
        some, edges = there[a:b], local(np.array([starts[a], ends[b - 1]]), dt.UTC)
        note: dict[str, Any] = {"element": c.name, "start": edges[0].isoformat()}
        note |= {"end": edges[1].isoformat(), "intervals": int(some.sum())}
        note |= {"energy": float(energies[a:b][some].sum())}
        notes.append(note | {"scaled": bool(scaled[a:b][some].all())})
    return Filled(c, ends[there] + lag, kw[there], scaled[there], notes, unfilled)


def _values(method: Method, series: pd.Series[float], gap: Gap, context: Context) -> Floats:
    given = method(series, gap, context)
    try:
        values = np.array(given, dtype=np.float64)
    except (TypeError, ValueError):
        values = np.empty(0)
    if values.shape != (len(gap.at),) or np.isinf(values).any():
        raise ConfigError(
            f"Cannot use what the method gives for {context.element} from {gap.start} to "
            f"{gap.end}: {given!r:.80}. It must give {len(gap.at)} finite numbers [kW], one per "
            "gap.at, or NaN where it has none."
        )
    return values


class _Left(NamedTuple):
    """What a register knows beyond demand, step by step; arrays of shape (steps,).

    The first step lies before the register's readings and the last one after them: of those it
    knows nothing.

    Attributes
    ----------
    t : ndarray of int64
        Edges [us UTC], shape (steps + 1,).
    energy : ndarray of float
        Energy of each step less what demand knows of it [kWh].
    unknown : ndarray of float
        Time of each step that demand does not cover [h].
    known : ndarray of bool
        Whether the register measures the step, and demand does not contradict it.
    """

    t: Ints
    energy: Floats
    unknown: Floats
    known: Bools

    def energy_of(self, s: int, e: int) -> float | None:
        """The energy of a gap [kWh]; None where the register does not know just that."""
        steps = slice(np.searchsorted(self.t, s, side="right") - 1, np.searchsorted(self.t, e))
        hours = self.unknown[steps].sum()
        whole = self.known[steps].all() and abs(hours - (e - s) / HOUR) < _SECOND
        return float(self.energy[steps].sum()) if whole else None

    def scaled(self, s: Ints, e: Ints, kw: Floats) -> tuple[Floats, Bools]:
        """Estimates so scaled that they fill what the register knows and demand does not.

        Every interval is cut at the register's readings, each piece is scaled with its step, and
        the pieces of an interval are joined again: the total of a gap is kept.
        """
        if not self.known.any():
            return kw, np.zeros(len(kw), dtype=np.bool_)
        a, b, step = pieces(s, e, self.t[:-1], self.t[1:])
        of, n = np.searchsorted(s, a, side="right") - 1, len(self.known)
        hours = (b - a) / HOUR
        energy = kw[of] * hours
        given = ~np.isnan(energy)
        guess = np.bincount(step[given], weights=energy[given], minlength=n)
        time = np.bincount(step[given], weights=hours[given], minlength=n)
        # Where some of a step stays unknown, nobody can say how much of the rest is the estimates'.
        known = self.known & (np.abs(time - self.unknown) < _SECOND)
        measured = known[step] & given
        flat = (guess * self.energy <= 0)[step]
        factor = np.divide(self.energy, guess, out=np.ones(n), where=guess != 0)[step]
        level = np.divide(self.energy, time, out=np.zeros(n), where=time > 0)[step]
        new = np.where(flat, level * hours, energy * factor)
        summed = np.bincount(of, weights=np.where(measured, new, energy), minlength=len(s))
        whole = np.bincount(of, weights=~measured, minlength=len(s)) == 0
        return summed / ((e - s) / HOUR), whole


def _left_by_demand(c: Cumulative, t: Ints, kw: Floats, ok: Bools) -> _Left:
    """What a register knows beyond the steps of known power."""
    hours = np.diff(t) / HOUR

    def within(parts: Floats) -> Floats:
        """How much of what is spread over the known steps lies in each step of the register."""
        return np.diff(np.interp(c.t, t, np.concatenate(([0.0], np.cumsum(parts)))))

    left = c.inc - within(kw * hours)
    known = c.ok & ((c.flags & int(_series.ESTIMATES)) == 0)
    known &= (left >= -_CLOSE * np.abs(c.inc) - 1e-9) | (c.inc < 0)
    left = np.where(c.inc < 0, left, np.maximum(left, 0.0))
    unknown = np.diff(c.t) / HOUR - within(hours * ok)
    edges = np.concatenate(([NAT], c.t, [FOREVER]))
    n = len(edges) - 1  # a step before the register's own, and one after them
    return _Left(edges, np.pad(left, 1)[:n], np.pad(unknown, 1)[:n], np.pad(known, 1)[:n])


def _joined(frame: pd.DataFrame, filled: Sequence[Filled], text: str) -> pd.DataFrame:
    """The frame in order of time, with a row for each estimate, and the columns of estimates."""
    index, origin = _with_rows(frame, filled)
    made = frame.set_axis(pd.RangeIndex(len(frame))).reindex(origin).set_axis(index)
    meters, times = _meters_and_times(index)
    texts, estimates = np.full(len(index), None, dtype=object), dict[str, Floats]()
    for f in filled:
        own = np.flatnonzero(meters == (f.of.meter if is_several(frame) else ""))
        where = own[np.searchsorted(times[own], f.at)]  # of rows with one stamp the first
        column = f"EstimatedDemandkW/Elm/{f.of.element} [kW]"
        estimates.setdefault(column, np.full(len(index), np.nan))[where] = f.kw
        for row, scaled in zip(where.tolist(), f.scaled.tolist(), strict=True):
            how = "scaled to the register" if scaled else "not measured by a register"
            before = "" if texts[row] is None else f"{texts[row]} | "
            texts[row] = f"{before}{f.of.name}: {text}; {how}"
    told = pd.Series(texts, index=index, dtype=object)
    made = made.assign(**estimates, **{FLAG: told.notna(), DISCLOSURE: told})
    notes = [note | {"disclosure": text} for f in filled for note in f.notes]
    made.attrs = {**frame.attrs, ATTRS: notes}
    return made


def _with_rows(frame: pd.DataFrame, filled: Sequence[Filled]) -> tuple[pd.Index, Ints]:
    """The frame's index with the estimated instants it lacks, and where each row comes from."""
    whole, own = frame.index, time_index(frame)
    at = np.concatenate([_series.NONE, *(f.at for f in filled)])
    new: Any = local(at, own.tz or dt.UTC).as_unit(own.unit).rename(own.name)
    if isinstance(whole, pd.MultiIndex):
        arrays = [[str(f.of.meter) for f in filled for _ in f.at], new]
        arrays = arrays[::-1] if _series.meter_level(whole) else arrays
        new = pd.MultiIndex.from_arrays(arrays, names=whole.names)
    whole = whole.append(new.difference(whole))
    order = np.lexsort(_meters_and_times(whole)[::-1])
    return whole[order], np.where(order < len(frame), order, -1)


def _meters_and_times(index: pd.Index) -> tuple[Any, Ints]:
    """The meter of each row, empty where the index names none, and its instant [us UTC]."""
    if not isinstance(index, pd.MultiIndex):
        return np.full(len(index), ""), pd.DatetimeIndex(index).as_unit("us").asi8
    level = _series.meter_level(index)
    times = pd.DatetimeIndex(index.get_level_values(1 - level)).as_unit("us").asi8
    return np.asarray(index.get_level_values(level).astype(str)).astype(str), times
