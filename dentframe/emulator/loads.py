"""Electrical loads: what each draws in every five minutes of a month (pure).

Power is constant within a step of five minutes and a whole number of watts, so that
energies are exact integers and registers are exactly the integral of power.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from .noise import key_of, smooth, uniform

if TYPE_CHECKING:
    from .noise import Floats, Ints

STEP = 300
"""Length of a step of constant power [s]."""

_THREE_PHASES = ((1, 0.36), (2, 0.33), (3, 0.31))
_YEAR = 365.2425
_MIDSUMMER = 200


@dataclass(frozen=True)
class Load:
    """One electrical load.

    Attributes
    ----------
    name : str
        Its identity: the same name and seed draw the same power on every meter.
    watts : int
        About the greatest active power [W]; 0 is a vacant unit.
    standby : float
        Share of ``watts`` that is always on.
    hours : tuple of float
        Local opening and closing hour [h].
    weekend : float
        Use on Saturday and Sunday, as a share of a weekday's.
    season : float
        Swing over the year: positive for cooling, negative for heating.
    cycle : int
        Minutes of one on-off decision of a compressor; 0 for none [min].
    solar : bool
        Whether it is a generator that follows the sun: its power is negative.
    tan : float
        Reactive over active power [kvar/kW].
    split : tuple of (phase, share)
        How the power is shared between the phases 1, 2 and 3.
    """

    name: str
    watts: int
    standby: float = 0.1
    hours: tuple[float, float] = (8.0, 18.0)
    weekend: float = 1.0
    season: float = 0.0
    cycle: int = 0
    solar: bool = False
    tan: float = 0.3
    split: tuple[tuple[int, float], ...] = _THREE_PHASES


class Power(NamedTuple):
    """Active and reactive power in every step of a month [W], [var]."""

    p: Ints
    q: Ints


class Calendar(NamedTuple):
    """The steps of one UTC month and what the local clock says in them."""

    step: Ints
    hour: Floats
    weekend: Ints
    season: Floats


def month_of(second: int) -> int:
    """The number of the UTC month (12 x year + month - 1) that holds a Unix second."""
    t = datetime.fromtimestamp(second, UTC)
    return t.year * 12 + t.month - 1


def month_start(month: int) -> int:
    """The Unix second at which a UTC month begins."""
    return int(datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC).timestamp())


@lru_cache(maxsize=256)
def calendar(month: int, tz: str) -> Calendar:
    """The steps of a UTC month, with local hour of day, weekend and season."""
    first, stop = (month_start(m) // STEP for m in (month, month + 1))
    step = np.arange(first, stop, dtype=np.int64)
    local = step * STEP + np.repeat(_offsets(month, tz), 3600 // STEP)
    day = local // 86400
    season = np.cos((day % _YEAR - _MIDSUMMER) * (2 * np.pi / _YEAR))
    weekend = ((day + 3) % 7 >= 5).astype(np.int64)
    return Calendar(step, (local - day * 86400) / 3600.0, weekend, season)


def _offsets(month: int, tz: str) -> Ints:
    """UTC offset of every hour of a month [s]."""
    zone = ZoneInfo(tz)
    hours = range(month_start(month), month_start(month + 1), 3600)
    return np.array([_offset(h, zone) for h in hours], dtype=np.int64)


def _offset(second: int, zone: ZoneInfo) -> int:
    away = datetime.fromtimestamp(second, zone).utcoffset()
    return int(away.total_seconds()) if away is not None else 0


@lru_cache(maxsize=512)
def power(load: Load, seed: int, tz: str, month: int) -> Power:
    """Active and reactive power of a load in every step of a UTC month [W], [var]."""
    cal = calendar(month, tz)
    key = key_of(seed, load.name)
    level = _sun(key, cal) if load.solar else _use(load, key, cal)
    p = np.rint(load.watts * level).astype(np.int64)
    q = np.rint(p * load.tan * (0.9 + 0.2 * smooth(key + 3, cal.step, 24)))
    return Power(p, q.astype(np.int64))


def _use(load: Load, key: int, cal: Calendar) -> Floats:
    """Share of the load's watts in use, from opening hours, weekend, season and chance."""
    busy = _open(load.hours, cal.hour) * np.where(cal.weekend, load.weekend, 1.0)
    busy = busy * (1 - abs(load.season) + load.season * cal.season)
    level = load.standby + (1 - load.standby) * busy.clip(0, 1)
    level = level * (0.8 + 0.2 * smooth(key, cal.step, 36))
    if load.cycle:
        on = uniform(key + 1, cal.step * STEP // (60 * load.cycle)) < level
        return np.where(on, 1.0, load.standby)
    return np.asarray(level * (0.85 + 0.15 * uniform(key + 2, cal.step)))


def _open(hours: tuple[float, float], hour: Floats) -> Floats:
    """One while open, with an hour of coming and going at both ends."""
    opens, closes = hours
    return np.asarray(np.minimum(hour - opens, closes - hour).clip(0, 1))


def _sun(key: int, cal: Calendar) -> Floats:
    """Share of a solar plant's watts, negative: longer days in summer, clouds by the hour."""
    half = 6.0 + 1.3 * cal.season
    height = np.cos((cal.hour - 12.5) / half * (np.pi / 2)) * (np.abs(cal.hour - 12.5) < half)
    sky = 0.25 + 0.75 * smooth(key, cal.step, 18)
    return np.asarray(-height * sky * (0.75 + 0.25 * cal.season))
