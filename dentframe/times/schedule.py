"""A schedule says which time-of-use window of the local clock each instant falls into.

`Schedule.split` cuts periods into the stretches of each window, from which energy and demand are
then measured. It knows no price.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pandas as pd

from dentframe.errors import ConfigError
from dentframe.times.dates_and_ranges import Ints, ints, local, stamp
from dentframe.times.periods import DAY_MINUTES, clock_grid

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun", "holiday")
HOLIDAY = 7
_SETS = {"weekday": DAYS[:5], "weekend": DAYS[5:7], "holiday": DAYS[7:], "all": DAYS}
_TIME = re.compile(r"^(\d{1,2}):(\d{2})$")
_SEASON_DAY = re.compile(r"^(\d{1,2})-(\d{1,2})$")


@dataclass(frozen=True)
class Window:
    """One time-of-use window: ``[start, end)`` on some days of some season.

    Parameters
    ----------
    name : str
        Windows of one name add up.
    start, end : str
        Local wall times, ``"00:00"`` to ``"24:00"``. An end at or before the start lies on the
        next day; the window belongs to the day it starts on.
    days : str or sequence of str
        ``"all"``, ``"weekday"``, ``"weekend"``, ``"holiday"``, or days such as ``"mon"``. A
        holiday is neither weekday nor weekend.
    season : tuple of two str, optional
        First and last day as ``"06-01"``, ``"09-30"``, both included; across New Year allowed.
        The day on which the window starts counts. A last day ``"02-28"`` is the end of
        February, in a leap year the 29th.

    Raises
    ------
    ConfigError
        For a time, day or season that cannot be read.

    Examples
    --------
    >>> Window("peak", "16:00", "21:00", days="weekday").name
    'peak'
    """

    name: str
    start: str = "00:00"
    end: str = "24:00"
    days: Any = "all"
    season: Any = None
    span: tuple[int, int] = field(init=False, repr=False, compare=False)
    on: frozenset[int] = field(init=False, repr=False, compare=False)
    dates: tuple[tuple[int, int], tuple[int, int]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        first, last = _minute(self.start), _minute(self.end)
        if first == DAY_MINUTES:
            raise ConfigError(f"Cannot start window {self.name!r} at {self.start!r}: use '00:00'.")
        object.__setattr__(self, "span", (first, last if last > first else last + DAY_MINUTES))
        object.__setattr__(self, "on", _days(self.days))
        object.__setattr__(self, "dates", _season(self.season))

    def applies(self, day: dt.date, kind: int) -> bool:
        """Whether the window opens on a local day of that kind (0 Monday to 6, 7 holiday)."""
        (first, last), now = self.dates, (day.month, day.day)
        in_season = first <= now <= last if first <= last else now >= first or now <= last
        return in_season and kind in self.on


@dataclass(frozen=True)
class Schedule:
    """Named windows of the local clock.

    Parameters
    ----------
    windows : sequence of Window
        Where two overlap, the earlier in the list has the time.
    holidays : sequence of date
        Local dates.
    other : str
        The name of the time that no window has.

    Raises
    ------
    ConfigError
        For no window, or a holiday that cannot be read.

    Examples
    --------
    >>> peak = Window("peak", "16:00", "21:00", days="weekday")
    >>> Schedule([peak], holidays=["2023-07-04"]).names
    ('peak', 'other')
    """

    windows: Any
    holidays: Any = ()
    other: str = "other"

    def __post_init__(self) -> None:
        object.__setattr__(self, "windows", _listed(self.windows))
        if not self.windows or not all(isinstance(w, Window) for w in self.windows):
            raise ConfigError(
                "Cannot make a schedule: it needs one Window or more, e.g. "
                'Schedule([Window("peak", "16:00", "21:00", days="weekday")]).'
            )
        object.__setattr__(self, "holidays", frozenset(map(_date, _listed(self.holidays))))

    @property
    def names(self) -> tuple[str, ...]:
        """The windows' names in their order, the rest last."""
        return tuple(dict.fromkeys([*(w.name for w in self.windows), self.other]))

    def split(self, starts: Ints, ends: Ints, tz: dt.tzinfo) -> Stretches:
        """Cut periods into the stretches of each window.

        Parameters
        ----------
        starts, ends : ndarray of int64
            Disjoint periods in order [us UTC], shape (periods,).
        tz : tzinfo
            The zone of the clock.

        Returns
        -------
        Stretches
            In order of time; together they are the periods, without overlap.
        """
        if len(starts) == 0:
            return Stretches(starts, ends, starts, starts)
        edges, name = self._timeline(int(starts[0]), int(ends[-1]), tz)
        instants = np.unique(np.concatenate((edges, starts, ends)))
        period = np.searchsorted(starts, instants, side="right") - 1
        inside = (period >= 0) & (instants < ends[np.maximum(period, 0)])
        s, e = instants[inside], np.append(instants[1:], instants[-1])[inside]
        window = name[np.searchsorted(edges, s, side="right") - 1]
        return Stretches(s, e, period[inside], window)

    def _timeline(self, low: int, high: int, tz: dt.tzinfo) -> tuple[Ints, Ints]:
        """Instants at which the window changes, from before `low`, and the window from each."""
        # Half hours hold every clock change, so that both folds have their own wall times.
        step = int(np.gcd.reduce([30, *(m for w in self.windows for m in w.span)]))
        edges = ints(clock_grid(step, stamp(low), stamp(high), tz))
        walls = local(edges, tz).tz_localize(None)
        day, minute = walls.normalize(), np.asarray(walls.hour * 60 + walls.minute)
        days, place = np.unique(day, return_inverse=True)
        dates = [d.date() for d in pd.DatetimeIndex(days)]
        # With the day before: one of its windows may be open past midnight.
        every = dates[0] - dt.timedelta(days=1), *dates
        kinds = [HOLIDAY if d in self.holidays else d.weekday() for d in every]
        name = np.full(len(edges), len(self.names) - 1, dtype=np.int64)
        for w in reversed(self.windows):
            on, (first, last) = np.array([*map(w.applies, every, kinds)]), w.span
            today = on[place + 1] & (minute >= first) & (minute < last)
            name[today | (on[place] & (minute + DAY_MINUTES < last))] = self.names.index(w.name)
        changes = np.concatenate(([True], name[1:] != name[:-1]))
        return edges[changes], name[changes]


@dataclass(frozen=True)
class Stretches:
    """Pieces of periods, each in one window; every array has shape (pieces,).

    Attributes
    ----------
    s, e : ndarray of int64
        ``[s, e)`` [us UTC].
    period, window : ndarray of int64
        Positions of its period and of its window's name in `Schedule.names`.
    """

    s: Ints
    e: Ints
    period: Ints
    window: Ints


def _minute(text: Any) -> int:
    match = _TIME.match(str(text))
    value = int(match[1]) * 60 + int(match[2]) if match and int(match[2]) < 60 else -1
    if not 0 <= value <= DAY_MINUTES:
        raise ConfigError(
            f"Cannot read {text!r} as a time of day: use '00:00' to '24:00', e.g. '16:00'."
        )
    return value


def _days(days: Any) -> frozenset[int]:
    found: set[int] = set()
    for x in _listed(days):
        name = str(x).lower()
        names = _SETS.get(name, (name[:3],))
        if any(n not in DAYS for n in names):
            raise ConfigError(f"Cannot read {x!r} as a day: use {', '.join(_SETS)}, or mon to sun.")
        found |= {DAYS.index(n) for n in names}
    if not found:
        raise ConfigError("Cannot use a window on no day: days is empty. Leave it out for all.")
    return frozenset(found)


def _season(season: Any) -> tuple[tuple[int, int], tuple[int, int]]:
    season = ("01-01", "12-31") if season is None else season
    try:
        # A leap year has every day that a season may name.
        days = [dt.date(2024, *map(int, _SEASON_DAY.findall(str(x))[0])) for x in season]
        first, last = ((day.month, day.day) for day in days)
    except (TypeError, ValueError, IndexError):
        raise ConfigError(
            f"Cannot read season={season!r}: it is first and last day, e.g. ('06-01', '09-30')."
        ) from None
    return first, (2, 29) if last == (2, 28) else last


def _date(value: Any) -> dt.date:
    found: Any = pd.NaT
    if isinstance(value, str | dt.date | np.datetime64):
        with contextlib.suppress(ValueError):
            found = pd.Timestamp(value)
    if pd.isna(found):
        raise ConfigError(f"Cannot read holiday {value!r}: use a date such as '2023-07-04'.")
    return cast("dt.date", found.date())


def _listed(value: Any) -> tuple[Any, ...]:
    """What is a list, or one of its kind alone, as a tuple."""
    many = isinstance(value, Iterable) and not isinstance(value, str)
    return tuple(value) if many else (value,)
