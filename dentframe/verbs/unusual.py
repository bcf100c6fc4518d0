"""`unusual` ranks nights, weekends or holidays by what an element used beyond its own profile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import pandas as pd

from dentframe.errors import ConfigError
from dentframe.metering.register_rules import HOUR
from dentframe.times.ranges import local
from dentframe.times.schedule import HOLIDAY, Schedule, Window
from dentframe.verbs import demand as blocks
from dentframe.verbs.inputs import Keywords, VerbKeywords, check_share, verb
from dentframe.verbs.profile import block_inputs, working_days
from dentframe.verbs.results import attrs_of, divided, warn_of_coverage

if TYPE_CHECKING:
    from dentframe.metering.series import Bools, Floats, Ints
    from dentframe.verbs.inputs import Inputs


COLUMNS = ("element", "start", "end", "energy", "expected", "excess")
WINDOWS = {
    "night": Window("night", "22:00", "06:00"),
    "weekend": Window("weekend", days=("sat", "sun")),
    "holiday": Window("holiday", days="holiday"),
}
"""What `freq` may name."""
_WEEK = 7 * 24 * HOUR
_HOLIDAY = 2


@verb
def unusual(
    frame: pd.DataFrame,
    freq: str | Window = "night",
    *,
    holidays: Sequence[Any] = (),
    window: Any = "15min",
    topic: str | None = None,
    source: str = "auto",
    min_coverage: float | None = None,
    **keywords: Unpack[Keywords],
) -> pd.DataFrame:
    """Nights, weekends or holidays that used more than the element's own profile, ranked.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns over time, or over (meter, time), shape (readings, columns).
    freq : str or Window
        ``"night"`` (22:00 to 06:00 local time), ``"weekend"`` (Saturday and Sunday),
        ``"holiday"`` (the dates of `holidays`; those that follow each other are one), or a
        `Window` such as ``Window("night", "20:00", "07:00")``.
    holidays : sequence of date
        Local dates. They make no part of a usual day, and are expected to be like a weekend.
    window : str or timedelta
        Length of a block of the local clock, of which the profile is made.
    tz : str or tzinfo, optional
        The zone of the clock; needed on a UTC index.
    start, end, topic, source, registers, interval, demand_lag, elements, site : optional
        As in `demand`.
    min_coverage : float, optional
        Rows with less coverage (0 to 1) are left out, and nothing warns.

    Returns
    -------
    pandas.DataFrame
        Rows of (``meter``,) ``element``, ``start``, ``end``, ``energy``, ``expected`` and
        ``excess`` [kWh, or kVAh of kVAHNet], the greatest excess first. Only those that lie
        wholly in the span, and of which some block is covered; where not all are, ``energy``
        and ``expected`` are both those of the covered blocks, so that they compare.

    Raises
    ------
    RangeError, KindError, ConfigError, UnknownTopicError, UnitError
        As `demand`; ConfigError for another `freq`, or ``"holiday"`` without `holidays`.

    Warns
    -----
    CoverageWarning
        Once a call, where rows are not wholly covered.

    Notes
    -----
    ``expected`` is the median of like stretches: of those that begin on working days, or on days
    of weekends. It comes from the element's mean profile of such days, scaled so that half of
    them lie above: so a stretch of which a part is not covered is compared with that part. A
    holiday is compared with the mean profile of weekends.

    Examples
    --------
    >>> found = df.dent.unusual(elements=["A", "B"], tz=LA)
    >>> found.columns.tolist()
    ['element', 'start', 'end', 'energy', 'expected', 'excess']
    >>> bool(found["excess"].is_monotonic_decreasing)
    True
    """
    clock = _window(freq, holidays)
    check_share(min_coverage)
    asked = VerbKeywords.of(frame, **keywords)
    of, (s, e), kw = block_inputs(frame, None, window, asked, topic, source, "D")
    starts, ends = _whole(of, clock, holidays)
    owner = blocks.owner(s, e, starts, ends)
    kind = working_days(local(starts, of.tz), holidays)
    like = _like(local(s, of.tz), owner, kind, holidays, by_day=freq == "weekend")
    hours = (e - s) / HOUR
    parts = []
    for c, drawn in zip(of.series, kw, strict=True):
        known = (owner >= 0) & ~np.isnan(drawn)
        energy, profile, covered = (
            np.bincount(owner[known], (x * hours)[known], len(starts)).astype(np.float64)
            for x in (drawn, _usual(drawn, *like), np.ones(len(s)))
        )
        expected = profile * _typical(divided(energy, profile), kind)
        names = {"meter": c.meter} if of.several else {}
        columns = {"element": c.element, "start": local(starts, of.tz), "end": local(ends, of.tz)}
        figures = {"energy": energy, "expected": expected, "excess": energy - expected}
        part = pd.DataFrame(names | columns | figures)
        parts.append(part.assign(coverage=covered / ((ends - starts) / HOUR)))
    found = _ranked(parts, freq, min_coverage)
    found.attrs = attrs_of(of.source.result.replace("Demand", "Energy"))
    return found


def _window(freq: Any, holidays: Sequence[Any]) -> Window:
    found = WINDOWS.get(freq) if isinstance(freq, str) else freq
    if not isinstance(found, Window):
        raise ConfigError(
            f"Cannot look for what is unusual by freq={freq!r}: use 'night', 'weekend', 'holiday' "
            'or a Window, e.g. Window("night", "20:00", "07:00").'
        )
    if HOLIDAY in found.on and len(found.on) == 1 and not len(holidays):
        raise ConfigError(
            "Cannot look for unusual holidays: no date is one. Give them, e.g. "
            'holidays=["2023-12-25"].'
        )
    return found


def _whole(of: Inputs, window: Window, holidays: Sequence[Any]) -> tuple[Ints, Ints]:
    """The stretches of a window that lie wholly in the span [us UTC]."""
    if len(of.s) == 0 or of.s[0] == of.e[-1]:
        return of.s[:0], of.e[:0]
    # A weekend is one where one of its days is a holiday as well.
    schedule = Schedule([window], holidays if HOLIDAY in window.on else ())
    found = schedule.split(of.s[:1] - _WEEK, of.e[-1:] + _WEEK, of.tz)
    keep = (found.window == 0) & (found.s >= of.s[0]) & (found.e <= of.e[-1])
    return found.s[keep], found.e[keep]


def _like(
    walls: pd.DatetimeIndex, owner: Ints, kind: Ints, holidays: Sequence[Any], *, by_day: bool
) -> tuple[Ints, Bools]:
    """The group of blocks to which each is compared, and whether it makes part of the usual.

    Blocks of one time of day are alike where their stretches begin on like days. A holiday is
    like the weekends, of which it is no part.
    """
    of_day = working_days(walls, holidays)
    code = np.where(owner >= 0, np.append(kind, 0)[owner], of_day)
    usual = (code < _HOLIDAY) & ((owner >= 0) | bool((kind == _HOLIDAY).all()))
    code = np.minimum(code, 1) + (by_day & (np.asarray(walls.day_of_week) == 6))
    times, place = np.unique(walls.hour * 60 + walls.minute, return_inverse=True)
    return code * len(times) + place, usual


def _usual(kw: Floats, group: Ints, usual: Bools) -> Floats:
    """The mean power of like blocks [kW], shape (blocks,); NaN where there is none."""
    known = usual & ~np.isnan(kw)
    count = np.bincount(group[known], minlength=int(group.max(initial=0)) + 1)
    total = np.bincount(group[known], kw[known], len(count))
    return np.asarray(np.divide(total, count, out=np.nan * total, where=count > 0)[group])


def _typical(ratio: Floats, kind: Ints) -> Floats:
    """The median ratio of energy to profile among stretches that begin on like days; 1 of none."""
    found = np.ones(len(ratio))
    for k in range(_HOLIDAY):
        like = (kind == k) & ~np.isnan(ratio)
        if like.any():
            found[kind == k] = np.median(ratio[like])
    return found


def _ranked(parts: Sequence[pd.DataFrame], freq: Any, min_coverage: float | None) -> pd.DataFrame:
    """The rows of all elements, the greatest excess first; warns of what is not wholly covered."""
    rows = pd.concat(parts) if parts else pd.DataFrame(columns=[*COLUMNS, "coverage"])
    rows = rows[rows["coverage"] > 0 if min_coverage is None else rows["coverage"] >= min_coverage]
    rows = rows.sort_values(["excess", "start"], ascending=[False, True], kind="stable")
    rows = rows.reset_index(drop=True)
    told = rows.assign(status=np.where(rows["coverage"] < 1, "partial", "recorded"))
    name = freq if isinstance(freq, str) else freq.name
    told = told.rename(columns={"start": "period"})
    warn_of_coverage(told, f"figures by {name}", accepted=min_coverage is not None)
    return rows.drop(columns="coverage")
