"""Loads draw power here, and its integral is the energy that meters count.

Power is constant within a step of five minutes and a whole number of watts, so that energies are
exact integers and registers are exactly the integral of power. Chance is a number for every
(key, counter), without a state: a month can be computed without the months before it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Loads = tuple["Load", ...]

# --- chance ---

# The constants of the public-domain SplitMix64 generator.
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX2 = np.uint64(0x94D049BB133111EB)


def key_of(*parts: object) -> int:
    """A 64-bit key from anything that prints: the name of one stream of numbers."""
    text = "\x1f".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


def uniform(key: int, counter: Ints) -> Floats:
    """Numbers in [0, 1), one for each counter, the same for the same key."""
    z = counter.astype(np.uint64) * _GOLDEN + np.uint64(key)
    z = (z ^ (z >> np.uint64(30))) * _MIX1
    z = (z ^ (z >> np.uint64(27))) * _MIX2
    z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-53


def smooth(key: int, counter: Ints, every: int) -> Floats:
    """Numbers in [0, 1) that wander: drawn every so many counters, with straight lines between."""
    knots = np.arange(counter[0] // every, counter[-1] // every + 2, dtype=np.int64)
    return np.interp(counter / every, knots, uniform(key, knots))


# --- power and energy ---

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


def month_of(second: float) -> int:
    """The number of the UTC month (12 x year + month - 1) that holds a Unix second."""
    t = datetime.fromtimestamp(second, UTC)
    return t.year * 12 + t.month - 1


def month_start(month: int) -> int:
    """The Unix second at which a UTC month begins."""
    return int(datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC).timestamp())


@lru_cache(maxsize=256)
def calendar(month: int, tz: str) -> tuple[Ints, Floats, Ints, Floats]:
    """The steps of a UTC month, with local hour of day, weekend and season."""
    start, stop = month_start(month), month_start(month + 1)
    step, zone = np.arange(start // STEP, stop // STEP, dtype=np.int64), ZoneInfo(tz)
    hours = (datetime.fromtimestamp(h, zone) for h in range(start, stop, 3600))
    offsets = [(t.utcoffset() or timedelta(0)) // timedelta(seconds=1) for t in hours]
    local = step * STEP + np.repeat(np.array(offsets, dtype=np.int64), 3600 // STEP)
    day = local // 86400
    season = np.cos((day % _YEAR - _MIDSUMMER) * (2 * np.pi / _YEAR))
    weekend = ((day + 3) % 7 >= 5).astype(np.int64)
    return step, (local - day * 86400) / 3600.0, weekend, season


@lru_cache(maxsize=512)
def power(load: Load, seed: int, tz: str, month: int) -> tuple[Ints, Ints]:
    """Active and reactive power of a load in every step of a UTC month [W], [var].

    Use comes and goes for an hour after opening and before closing. The sun's power is negative:
    longer days in summer, clouds by the hour.
    """
    step, hour, weekend, season = calendar(month, tz)
    key = key_of(seed, load.name)
    if load.solar:
        half_day = 6.0 + 1.3 * season
        height = np.cos((hour - 12.5) / half_day * (np.pi / 2)) * (np.abs(hour - 12.5) < half_day)
        level = -height * (0.25 + 0.75 * smooth(key, step, 18)) * (0.75 + 0.25 * season)
    else:
        opens, closes = load.hours
        busy = np.minimum(hour - opens, closes - hour).clip(0, 1)
        busy = busy * np.where(weekend, load.weekend, 1.0)
        busy = busy * (1 - abs(load.season) + load.season * season)
        level = load.standby + (1 - load.standby) * busy.clip(0, 1)
        level = level * (0.8 + 0.2 * smooth(key, step, 36))
        if load.cycle:
            on = uniform(key + 1, step * STEP // (60 * load.cycle)) < level
            level = np.where(on, 1.0, load.standby)
        else:
            level = level * (0.85 + 0.15 * uniform(key + 2, step))
    p = np.rint(load.watts * level).astype(np.int64)
    q = np.rint(p * load.tan * (0.9 + 0.2 * smooth(key + 3, step, 24)))
    return p, q.astype(np.int64)


def _power_of(loads: Loads, seed: int, tz: str, apparent: bool, months: Iterable[int]) -> Ints:
    """Active or apparent power of some loads together in every step of some months [W], [VA]."""
    p, q = np.hstack([np.sum([power(x, seed, tz, m) for x in loads], axis=0) for m in months])
    return np.asarray(np.rint(np.hypot(p, q)) if apparent else p, dtype=np.int64)


@dataclass(frozen=True)
class Curve:
    """Power and cumulative energy of some loads together over whole months.

    Attributes
    ----------
    first : int
        Number of the first step since 1970.
    power : array
        Active or apparent power in each step [W], [VA].
    before : int
        Energy from the installation to the first step [W s], [VA s].
    """

    first: int
    power: Ints
    before: int

    def energy(self, seconds: Any) -> Any:
        """Energy since the installation at some Unix seconds: whole steps and a part [W s]."""
        sums = np.concatenate([[0], np.cumsum(self.power)]) * STEP + self.before
        edges = (self.first + np.arange(len(sums))) * STEP
        return np.interp(seconds, edges, sums)


@lru_cache(maxsize=128)
def curve(
    loads: Loads, seed: int, tz: str, apparent: bool, installed: int, lo: int, hi: int
) -> Curve:
    """The curve of some loads over months, both included, since a Unix second."""
    home, what = month_of(installed), (loads, seed, tz, apparent)
    months = range(min(home, lo), max(home, lo))
    whole = sum(_energy(*what, m, month_start(m + 1)) for m in months)
    before = (whole if lo >= home else -whole) - _energy(*what, home, installed)
    return Curve(month_start(lo) // STEP, _power_of(*what, range(lo, hi + 1)), before)


@lru_cache(maxsize=131072)
def _energy(loads: Loads, seed: int, tz: str, apparent: bool, month: int, until: int) -> int:
    """Energy from the start of a month to a second in it, or to its end [W s], [VA s]."""
    watts = _power_of(loads, seed, tz, apparent, [month])
    return int(Curve(month_start(month) // STEP, watts, 0).energy(until))
