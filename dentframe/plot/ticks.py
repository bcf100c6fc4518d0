"""Where an axis of local time has its ticks, and what they say. Pure.

Ticks are local calendar edges as UTC instants: the hour that comes twice has two, the one that
is skipped none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dentframe.instants import ints, local, stamp
from dentframe.periods import calendar

if TYPE_CHECKING:
    import datetime as dt

    from dentframe.metering.rows import Ints

_HOUR = 3_600_000_000
_DAY = 24 * _HOUR
STEPS = {
    "15min": _HOUR // 4,
    "h": _HOUR,
    "3h": 3 * _HOUR,
    "6h": 6 * _HOUR,
    "12h": 12 * _HOUR,
    "D": _DAY,
    "2D": 2 * _DAY,
    "W-MON": 7 * _DAY,
    "MS": 30 * _DAY,
    "QS": 91 * _DAY,
    "YS": 365 * _DAY,
}
"""Steps of an axis and about how long they are [us]."""
_NARROW = {"MS", "QS", "YS"}
_ROOM, _SHORT = 0.75, 0.48
"""What a label takes, and a narrow one [inch]."""
_FIRST, _LAST = pd.Timestamp("1900", tz="UTC"), pd.Timestamp("2200", tz="UTC")


def step_of(low: int, high: int, inches: float) -> str:
    """The finest step whose labels have room on an axis of that length [us UTC]."""
    for step, length in STEPS.items():
        room = _SHORT if step in _NARROW else _ROOM
        if (high - low) / length <= max(inches / room, 2):
            return step
    return "YS"


def ticks(low: int, high: int, step: str, tz: dt.tzinfo) -> Ints:
    """The ticks of one step in ``[low, high]`` [us UTC]."""
    low, high = (int(np.clip(x, *ints(pd.DatetimeIndex([_FIRST, _LAST])))) for x in (low, high))
    if low >= high:
        return np.empty(0, dtype=np.int64)
    first, last = (stamp(x).tz_convert(tz) for x in (low, high + 1))
    edges = ints(calendar("D" if step == "2D" else step, first, last, tz))
    if step == "2D":
        walls = local(edges, tz).tz_localize(None).as_unit("us")
        edges = edges[walls.asi8 // _DAY % 2 == 0]
    return edges[(edges >= low) & (edges <= high)]


def texts(at: Ints, tz: dt.tzinfo) -> list[str]:
    """What ticks say, by how far apart they are.

    The first tick that begins a date tells the year, a repeated clock time its own offset.
    """
    if len(at) == 0:
        return []
    walls = local(at, tz)
    step = int(np.median(np.diff(at))) if len(at) > 1 else _HOUR
    if step < 0.9 * _DAY:
        return _clock(walls)
    plain = "%-d %b" if step < 28 * _DAY else "%b" if step < 300 * _DAY else "%Y"
    shown = [_text(x, plain) for x in walls]
    if plain == "%Y":
        return shown
    years = [x.year for x in walls]
    new = [i == 0 or years[i] != years[i - 1] for i in range(len(years))]
    return [f"{x}\n{y}" if n else x for x, y, n in zip(shown, years, new, strict=True)]


def _text(x: pd.Timestamp, how: str) -> str:
    # Windows has no %-d.
    return x.strftime(how.replace("%-d", str(x.day)))


def _clock(walls: pd.DatetimeIndex) -> list[str]:
    naive = walls.tz_localize(None)
    twice = naive.duplicated(keep=False)
    days = naive.normalize()
    found = []
    for i, x in enumerate(walls):
        text = f"{x:%H:%M}" + (f"\n{x:%Z}" if twice[i] else "")
        if i == 0:
            text += "\n" + _text(x, "%a %-d %b") + f"\n{x.year}"
        elif days[i] != days[i - 1]:
            text += "\n" + _text(x, "%a %-d %b")
        found.append(text)
    return found


def moment(us: int, tz: dt.tzinfo) -> str:
    """An instant as text, ``Tue 12 Dec 10:47``."""
    return _text(local(np.array([us], dtype=np.int64), tz)[0], "%a %-d %b %H:%M")


def date(us: int, tz: dt.tzinfo) -> str:
    """A local date as text, ``Tue 12 Dec``."""
    return _text(local(np.array([us], dtype=np.int64), tz)[0], "%a %-d %b")


def amount(x: float) -> str:
    """A quantity with three or four figures."""
    places = 0 if abs(x) >= 1000 else 1 if abs(x) >= 10 else 2 if abs(x) >= 1 else 3
    return f"{x:,.{places}f}"
