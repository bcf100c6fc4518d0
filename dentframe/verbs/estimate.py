"""`estimate` fills gaps in columns of their own, scaled to what the register measured.

An estimate is never a reading: it has its own column, a flag, and a text that says how it came
about. No verb of energy or demand ever takes it by itself.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import pandas as pd

from dentframe.errors import ConfigError, CoverageWarning, KindError, warn
from dentframe.metering.attrs import is_several, meter_level, time_index
from dentframe.metering.series import element_columns
from dentframe.times.dates_and_ranges import local
from dentframe.times.periods import verb_zone
from dentframe.verbs.gap_filling import METHODS, Filled, Method, fill, known
from dentframe.verbs.inputs import MEAN, REGISTER, Keywords, VerbKeywords, verb
from dentframe.verbs.register_and_demand import pairs

if TYPE_CHECKING:
    from dentframe.metering.series import Floats, Ints


FLAG, DISCLOSURE, ATTRS = "estimated", "disclosure", "estimates"


def label(element: str) -> str:
    """The column of an element's estimates."""
    return f"EstimatedDemandkW/Elm/{element} [kW]"


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
        ``gap.at``, NaN for none: see `dentframe.verbs.gap_filling`.
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
        For a naive index, or ``"reference_days"`` without a zone.

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
    bounds = resolved.bounds(frame)
    found = pairs(frame, resolved)
    means = [m for p in found for m in known(p)]
    if not element_columns(frame, (REGISTER, MEAN)):
        raise KindError(
            f"Cannot estimate: no column of a whole element is {MEAN} or {REGISTER}. "
            f'Read topics=["{MEAN}", "{REGISTER}"].'
        )
    filled = [fill(m, how, zone, bounds) for m in means]
    _warn_of(filled, str(method if isinstance(method, str) else text))
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


def _warn_of(filled: Sequence[Filled], method: str) -> None:
    left = [(f, g) for f in filled for g in f.unfilled]
    if not left:
        return
    total = sum(len(f.unfilled) + len(f.notes) for f in filled)
    f, g = max(left, key=lambda x: x[1].end - x[1].start)
    beyond = "; method='reference_days' fills gaps beyond 2 h" if method == "linear" else ""
    warn(
        f"{len(left)} of {total} gaps are not filled by {method!r}; the longest is "
        f"{f.means.pair.register.name} from {g.start:%Y-%m-%d %H:%M} to {g.end:%Y-%m-%d %H:%M}"
        f"{beyond}.",
        CoverageWarning,
    )


def _joined(frame: pd.DataFrame, filled: Sequence[Filled], text: str) -> pd.DataFrame:
    """The frame in order of time, with a row for each estimate, and the columns of estimates."""
    index, origin = _with_rows(frame, filled)
    columns = [_taken(frame.iloc[:, i], origin) for i in range(frame.shape[1])]
    made = pd.DataFrame(dict(enumerate(columns)), index=index)
    made.columns = frame.columns
    meters, times = _meters_and_times(index)
    flagged, texts = np.zeros(len(index), dtype=np.bool_), np.full(len(index), None, dtype=object)
    estimates: dict[str, Floats] = {}
    for f in filled:
        pair = f.means.pair
        own = np.flatnonzero(meters == (pair.meter if is_several(frame) else ""))
        where = own[np.searchsorted(times[own], f.at)]  # of rows with one stamp the first
        estimates.setdefault(pair.element, np.full(len(index), np.nan))[where] = f.kw
        flagged[where] = True
        for row, scaled in zip(where.tolist(), f.scaled.tolist(), strict=True):
            how = "scaled to the register" if scaled else "not measured by a register"
            before = "" if texts[row] is None else f"{texts[row]} | "
            texts[row] = f"{before}{pair.register.name}: {text}; {how}"
    made = made.assign(**{label(e): v for e, v in estimates.items()}, **{FLAG: flagged})
    made[DISCLOSURE] = pd.Series(texts, index=index, dtype=object)
    notes = [note | {"disclosure": text} for f in filled for note in f.notes]
    made.attrs = {**frame.attrs, ATTRS: notes}
    return made


def _taken(column: pd.Series[Any], origin: Ints) -> Any:
    """A column's values in a new order, missing where the origin is -1."""
    if not (origin < 0).any():
        return column.array.take(origin)
    plain: Any = column.to_numpy() if isinstance(column.dtype, np.dtype) else column.array
    return pd.api.extensions.take(plain, origin, allow_fill=True)


def _with_rows(frame: pd.DataFrame, filled: Sequence[Filled]) -> tuple[pd.Index, Ints]:
    """The frame's index with the estimated instants it lacks, and where each row comes from."""
    several, own_times = is_several(frame), time_index(frame)
    there = zip(*(x.tolist() for x in _meters_and_times(frame.index)), strict=True)
    wanted = {
        (str(f.means.pair.meter) if several else "", x) for f in filled for x in f.at.tolist()
    }
    added = sorted(wanted - set(there))
    whole = frame.index
    if added:
        times = local(np.array([x for _, x in added], dtype=np.int64), own_times.tz or dt.UTC)
        new: Any = times.as_unit(own_times.unit).rename(own_times.name)
        if isinstance(whole, pd.MultiIndex):
            arrays = [[meter for meter, _ in added], new]
            arrays = arrays[::-1] if meter_level(whole) else arrays
            new = pd.MultiIndex.from_arrays(arrays, names=whole.names)
        whole = whole.append(new)
    order = np.lexsort(_meters_and_times(whole)[::-1])
    return whole[order], np.where(order < len(frame), order, -1)


def _meters_and_times(index: pd.Index) -> tuple[Any, Ints]:
    """The meter of each row, empty where the index names none, and its instant [us UTC]."""
    if not isinstance(index, pd.MultiIndex):
        return np.full(len(index), ""), pd.DatetimeIndex(index).as_unit("us").asi8
    level = meter_level(index)
    times = pd.DatetimeIndex(index.get_level_values(1 - level)).as_unit("us").asi8
    return np.asarray(index.get_level_values(level).astype(str)).astype(str), times
