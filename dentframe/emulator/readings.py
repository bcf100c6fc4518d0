"""What a plant's meters read: the power of loads, its exact integral, and the texts of each poll.

Power is constant within a step of five minutes and a whole number of watts, so that energies are
exact integers and registers are exactly the integral of power. Chance is a number for every
(key, counter), without a state: a month can be computed without the months before it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from dentframe.wire.topics import TOPICS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from dentframe.emulator.plant import Element, Event, Meter, Plant

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]
    Loads = tuple["Load", ...]
    Row = dict[str, Any]
    Cells = tuple[str, list[str]]
    Total = Callable[["Curve", Any], Any]

STAMP = ("date", "time")
"""The two columns that every answer starts with."""


def catalogue() -> list[dict[str, str]]:
    """The topics that the API's document lists, in its order."""
    return [
        {"unit": t.unit, "requestKey": t.key, "description": t.description}
        for t in TOPICS.values()
        if t.served
    ]


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
    step, zone = np.arange(first, stop, dtype=np.int64), ZoneInfo(tz)
    hours = range(month_start(month), month_start(month + 1), 3600)
    offsets = (datetime.fromtimestamp(h, zone).utcoffset() or timedelta(0) for h in hours)
    seconds = np.array([x.total_seconds() for x in offsets], dtype=np.int64)
    local = step * STEP + np.repeat(seconds, 3600 // STEP)
    day = local // 86400
    season = np.cos((day % _YEAR - _MIDSUMMER) * (2 * np.pi / _YEAR))
    weekend = ((day + 3) % 7 >= 5).astype(np.int64)
    return Calendar(step, (local - day * 86400) / 3600.0, weekend, season)


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
    """Share of the load's watts in use, from opening hours, weekend, season and chance.

    It comes and goes for an hour after opening and before closing.
    """
    opens, closes = load.hours
    is_open = np.minimum(cal.hour - opens, closes - cal.hour).clip(0, 1)
    busy = is_open * np.where(cal.weekend, load.weekend, 1.0)
    busy = busy * (1 - abs(load.season) + load.season * cal.season)
    level = load.standby + (1 - load.standby) * busy.clip(0, 1)
    level = level * (0.8 + 0.2 * smooth(key, cal.step, 36))
    if load.cycle:
        on = uniform(key + 1, cal.step * STEP // (60 * load.cycle)) < level
        return np.where(on, 1.0, load.standby)
    return np.asarray(level * (0.85 + 0.15 * uniform(key + 2, cal.step)))


def _sun(key: int, cal: Calendar) -> Floats:
    """Share of a solar plant's watts, negative: longer days in summer, clouds by the hour."""
    half = 6.0 + 1.3 * cal.season
    height = np.cos((cal.hour - 12.5) / half * (np.pi / 2)) * (np.abs(cal.hour - 12.5) < half)
    sky = 0.25 + 0.75 * smooth(key, cal.step, 18)
    return np.asarray(-height * sky * (0.75 + 0.25 * cal.season))


@dataclass(frozen=True)
class Curve:
    """Power and cumulative energy of some loads together over whole months.

    Attributes
    ----------
    first : int
        Number of the first step since 1970.
    p, q, s : array
        Active, reactive and apparent power in each step [W], [var], [VA].
    sums, sums_s : array
        Active and apparent energy from the first step to each step [W s], [VA s].
    before, before_s : int
        Active and apparent energy from the installation to the first step [W s], [VA s].
    """

    first: int
    p: Ints
    q: Ints
    s: Ints
    sums: Ints
    sums_s: Ints
    before: int
    before_s: int

    def energy(self, seconds: Any) -> Any:
        """Active energy since the installation at some Unix seconds [W s]."""
        return _cumulative(self.p, self.sums, self.first, seconds) + self.before

    def apparent(self, seconds: Any) -> Any:
        """Apparent energy since the installation at some Unix seconds [VA s]."""
        return _cumulative(self.s, self.sums_s, self.first, seconds) + self.before_s


def curve(
    loads: Loads, seed: int, tz: str, installed: datetime, start: datetime, end: datetime
) -> Curve:
    """The curve of some loads over the months that hold ``[start - 1 h, end]``."""
    origin = int(installed.timestamp())
    lo = month_of(int((start - timedelta(hours=1)).timestamp()))
    hi = month_of(int(end.timestamp()))
    return _curve(loads, seed, tz, origin, lo, hi)


@lru_cache(maxsize=64)
def _curve(loads: Loads, seed: int, tz: str, origin: int, lo: int, hi: int) -> Curve:
    p, q = _months(loads, seed, tz, lo, hi)
    s = _apparent(p, q)
    before, before_s = _since(loads, seed, tz, origin, lo)
    return Curve(month_start(lo) // STEP, p, q, s, _sums(p), _sums(s), before, before_s)


def _months(loads: Loads, seed: int, tz: str, lo: int, hi: int) -> Power:
    """Active and reactive power of some loads together in whole months, both included."""
    months = [[power(load, seed, tz, m) for load in loads] for m in range(lo, hi + 1)]
    return Power(
        np.concatenate([np.sum([x.p for x in parts], axis=0) for parts in months]),
        np.concatenate([np.sum([x.q for x in parts], axis=0) for parts in months]),
    )


def sample(load: Load, plant: Plant, steps: Ints) -> Power:
    """Power of a load in some steps, in order [W], [var]."""
    lo, hi = (month_of(int(steps[i]) * STEP) for i in (0, -1))
    whole = _months((load,), plant.seed, plant.tz, lo, hi)
    at = steps - month_start(lo) // STEP
    return Power(whole.p[at], whole.q[at])


def _since(loads: Loads, seed: int, tz: str, origin: int, month: int) -> tuple[int, int]:
    """Energy from the installation to the start of a month, negative before it."""
    home = month_of(origin)
    sign = 1 if month >= home else -1
    span = range(min(home, month), max(home, month))
    sums = [_month_energy(loads, seed, tz, m) for m in span]
    head = _head(loads, seed, tz, origin)
    return (sign * sum(p for p, _ in sums) - head[0], sign * sum(s for _, s in sums) - head[1])


@lru_cache(maxsize=65536)
def _month_energy(loads: Loads, seed: int, tz: str, month: int) -> tuple[int, int]:
    both = _months(loads, seed, tz, month, month)
    return int(both.p.sum()) * STEP, int(_apparent(*both).sum()) * STEP


@lru_cache(maxsize=1024)
def _head(loads: Loads, seed: int, tz: str, origin: int) -> tuple[int, int]:
    """Energy between the start of the installation's month and the installation."""
    month = month_of(origin)
    both, first = _months(loads, seed, tz, month, month), month_start(month) // STEP
    at = np.array([origin])
    p, s = (_cumulative(x, _sums(x), first, at)[0] for x in (both.p, _apparent(*both)))
    return int(p), int(s)


def _apparent(p: Ints, q: Ints) -> Ints:
    return np.rint(np.hypot(p, q)).astype(np.int64)


def _sums(watts: Ints) -> Ints:
    """Energy from the first step to the start of each step, and to the end of the last."""
    return np.concatenate([[0], np.cumsum(watts)]) * STEP


def _cumulative(watts: Ints, sums: Ints, first: int, seconds: Any) -> Any:
    """Energy from the first step to some seconds: whole steps, then the rest in proportion."""
    step = seconds // STEP
    at = np.asarray(step - first).astype(np.int64)
    inside = np.minimum(at, len(watts) - 1)
    return sums[at] + watts[inside] * (seconds - step * STEP) * (at == inside)


# --- the polls of a meter ---


class Polls:
    """The polls of one meter in a window, and what is common to its elements."""

    def __init__(self, plant: Plant, meter: Meter, start: datetime, end: datetime) -> None:
        self.plant, self.meter = plant, meter
        self.start, self.end = start, end
        every, offset = meter.interval * 60, meter.offset * 60
        edges = (-(-(int(-(-t.timestamp() // 1)) - offset) // every) for t in (start, end))
        self.at = np.arange(*edges, dtype=np.int64) * every + offset
        self._volts: dict[int, Floats] = {}
        self._power: dict[Load, Power] = {}

    @property
    def sampled(self) -> Ints:
        """The step of power that each poll sees: the one that ends at it or holds it."""
        return (self.at - 1) // STEP

    def power(self, load: Load) -> Power:
        """Active and reactive power of a load in the step that each poll sees [W], [var]."""
        if load not in self._power:
            self._power[load] = sample(load, self.plant, self.sampled)
        return self._power[load]

    def volts(self, phase: int) -> Floats:
        """Voltage of a phase at each poll: the same for all elements on it [V]."""
        if phase not in self._volts:
            key = key_of(self.plant.seed, self.meter.name, "volts", phase)
            swing = 0.02 * smooth(key, self.sampled, 72) + 0.006 * uniform(key + 1, self.sampled)
            self._volts[phase] = np.round(self.meter.volts * (0.987 + swing), 2)
        return self._volts[phase]


def read(
    plant: Plant, meter: Meter, start: datetime, end: datetime, topics: Sequence[str]
) -> tuple[list[str], list[Row]]:
    """Headers and rows of a meter in ``[start, end)``: the wire's order, strings, gaps."""
    polls = Polls(plant, meter, start, end)
    if not len(polls.at):
        return [], []
    columns = dict(sorted(_columns(polls, topics)))
    rows = _rows(polls, columns)
    return ([*STAMP, *columns], rows) if rows else ([], [])


def _columns(polls: Polls, topics: Sequence[str]) -> Iterator[tuple[str, Cells]]:
    """Column name to (element, texts), for every column of the topics asked."""
    for element in polls.meter.elements:
        curve = polls.plant.curve(polls.meter.name, element.name, polls.start, polls.end)
        for topic in topics:
            if topic in _OF_CHANNELS:
                for channel, phase in zip(element.channels, element.phases, strict=True):
                    values = _OF_CHANNELS[topic](polls, element, phase)
                    yield f"{topic}/Ch/{channel}", (element.name, _texts(values))
            if topic in _OF_ELEMENTS:
                values = _OF_ELEMENTS[topic](polls, element, curve)
                yield f"{topic}/Elm/{element.name}", (element.name, _texts(values))


def _texts(values: Floats) -> list[str]:
    """Numbers as the wire writes them: three decimals at most, at least one, never -0.0."""
    distinct, which = np.unique(np.round(values, 3) + 0.0, return_inverse=True)
    texts = list(map(repr, distinct.tolist()))
    return [texts[i] for i in which.tolist()]


def _demand(polls: Polls, _: Element, curve: Curve) -> Floats:
    """Mean power of the demand window of each poll [kW]."""
    window = polls.meter.interval * 60
    close = polls.at if polls.meter.demand_window == "sliding" else polls.at // window * window
    mean = (curve.energy(close) - curve.energy(close - window)) / (window * 1000.0)
    return np.asarray(np.abs(mean) if polls.meter.absolute_demand else mean)


def _register(polls: Polls, element: Element, curve: Curve, total: Total) -> Floats:
    """What the register shows at each poll: the integral since the last clear [kWh]."""
    shown = total(curve, polls.at)
    base = np.zeros_like(shown)
    for event in _events(polls, element, "reset"):
        cleared = np.array([int(event.start.timestamp())])
        then = polls.plant.curve(polls.meter.name, element.name, event.start, event.start)
        base = np.where(polls.at >= cleared, total(then, cleared), base)
    shown = shown - base
    for event in _events(polls, element, "zero_blip"):
        shown = np.where(_during(polls.at, event), 0, shown)
    return np.asarray(np.rint(shown / 3600.0) / 1000.0)


def _factor(p: Floats, q: Floats) -> Floats:
    """Active over apparent power, negative on export; 1 where nothing flows."""
    s = np.hypot(p, q)
    return np.divide(p, s, out=np.ones_like(p), where=s > 0)


def _at_polls(polls: Polls, element: Element, phase: int | None) -> tuple[Floats, Floats]:
    """Power of one phase of an element, or of all, in the step that each poll sees [W]."""
    p, q = np.zeros(len(polls.at)), np.zeros(len(polls.at))
    for load in element.loads:
        share = 1.0 if phase is None else dict(load.split).get(phase, 0.0)
        if share:
            drawn = polls.power(load)
            p, q = p + share * drawn.p, q + share * drawn.q
    return p, q


_OF_CHANNELS: dict[str, Callable[[Polls, Element, int], Floats]] = {
    "A": lambda polls, element, phase: (
        np.hypot(*_at_polls(polls, element, phase)) / polls.volts(phase)
    ),
    "V": lambda polls, _, phase: polls.volts(phase),
    "dPF": lambda polls, element, phase: _factor(*_at_polls(polls, element, phase)),
}
"""Current is apparent power over voltage [A]."""
_OF_ELEMENTS: dict[str, Callable[[Polls, Element, Curve], Floats]] = {
    "DemandkW": _demand,
    "dPF": lambda polls, element, _: _factor(*_at_polls(polls, element, None)),
    "kVAHNet": partial(_register, total=Curve.apparent),
    "kWHNet": partial(_register, total=Curve.energy),
}


def _events(polls: Polls, element: Element, kind: str) -> list[Event]:
    """What happened to an element, or to its whole meter, in order of time."""
    mine = (e for e in polls.plant.events if e.meter == polls.meter.name and e.kind == kind)
    return sorted(
        (e for e in mine if e.element in {None, element.name}), key=lambda event: event.start
    )


def _during(at: Ints, event: Event) -> Any:
    return (at >= event.start.timestamp()) & (at < event.end.timestamp())


def _rows(polls: Polls, columns: dict[str, Cells]) -> list[Row]:
    """Rows of text; a gap takes an element's cells away, or the row if nothing is left."""
    stamps = np.datetime_as_string(polls.at.astype("datetime64[s]"), unit="m").tolist()
    dates, times = [t[:10] for t in stamps], [t[11:] for t in stamps]
    names = [*STAMP, *columns]
    cells = zip(dates, times, *(texts for _, texts in columns.values()), strict=True)
    rows = [dict(zip(names, row, strict=True)) for row in cells]
    for element in polls.meter.elements:
        own = [c for c, (owner, _) in columns.items() if owner == element.name]
        for event in _events(polls, element, "gap"):
            for i in np.flatnonzero(_during(polls.at, event)):
                for column in own:
                    rows[i].pop(column, None)
    return [row for row in rows if len(row) > len(STAMP)]
