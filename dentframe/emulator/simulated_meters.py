"""Simulated meters read loads: their power, its exact integral, and the texts of a poll.

Power is constant within a step of five minutes and a whole number of watts, so that energies are
exact integers and registers are exactly the integral of power. Chance is a number for every
(key, counter), without a state: a month can be computed without the months before it.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo

import numpy as np

from dentframe.wire.topics import TOPICS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from dentframe.emulator.sources import Plant

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]
    Loads = tuple["Load", ...]

Row = dict[str, Any]
Table = tuple[list[str], list[Row]]
"""Headers and rows."""
STAMP = ("date", "time")
"""The two columns that every answer starts with."""


def catalogue() -> list[dict[str, str]]:
    """The topics that the API's document lists, in its order."""
    return [
        {"unit": t.unit, "requestKey": t.key, "description": t.description}
        for t in TOPICS.values()
        if t.served
    ]


def topic_of(column: str) -> str:
    """The topic of a column: ``"A/Ch/A1"`` is of ``"A"``."""
    return column.partition("/")[0]


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


@dataclass(frozen=True)
class Element:
    """One measured circuit: up to three CT channels, on the phases of its loads.

    Attributes
    ----------
    name : str
        The letter.
    label : str
        What it feeds.
    loads : tuple of Load
        What it carries: one load for a branch, all of them for a main.
    role : str
        ``"main"``, ``"branch"`` or ``"export"``.
    """

    name: str
    label: str
    loads: tuple[Load, ...]
    role: Literal["main", "branch", "export"] = "branch"

    @property
    def phases(self) -> tuple[int, ...]:
        """The phases it is wired to; channel 1 is on the first of them."""
        return tuple(sorted({phase for load in self.loads for phase, _ in load.split}))

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of its channels, as in ``A/Ch/A1``."""
        return tuple(f"{self.name}{n}" for n, _ in enumerate(self.phases, 1))


@dataclass(frozen=True)
class Meter:
    """A meter and how it is read.

    Attributes
    ----------
    name : str
        The meter's number.
    elements : tuple of Element
        What it measures.
    offset : int
        Minute of the poll within the quarter hour [min].
    interval : int
        Between polls, and the length of the demand window [min].
    demand_window : {"sliding", "block"}
        Whether DemandkW is the mean of the ``interval`` up to the poll, or of the last
        block that closed on the clock.
    absolute_demand : bool
        Whether DemandkW loses its sign, as the PowerScout 24's manual says.
    volts : float
        Nominal voltage between line and neutral [V].
    """

    name: str
    elements: tuple[Element, ...]
    offset: int = 2
    interval: int = 15
    demand_window: Literal["sliding", "block"] = "sliding"
    absolute_demand: bool = False
    volts: float = 277.0


@dataclass(frozen=True)
class Event:
    """Something that happened to the readings, never to the energy itself.

    Attributes
    ----------
    meter : str
        The meter.
    element : str or None
        The element; None for the whole meter.
    kind : {"gap", "reset", "zero_blip"}
        ``gap``: no readings in ``[start, end)``. ``reset``: registers cleared to 0 at
        ``start``. ``zero_blip``: registers read 0.0 in ``[start, end)``, then go on.
    start, end : datetime
        When, in UTC.
    """

    meter: str
    element: str | None
    kind: Literal["gap", "reset", "zero_blip"]
    start: datetime
    end: datetime


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


# --- polls ---


class Polls:
    """The polls of one meter in a window, and what its elements read at them."""

    def __init__(
        self, plant: Plant, meter: Meter, start: datetime, end: datetime, topics: Sequence[str]
    ) -> None:
        self.plant, self.meter, self.topics = plant, meter, set(topics)
        self.start, self.end = start, end
        every, offset = meter.interval * 60, meter.offset * 60
        edges = (-(-(math.ceil(t.timestamp()) - offset) // every) for t in (start, end))
        self.at = np.arange(*edges, dtype=np.int64) * every + offset
        # A poll sees the step of power that ends at it or holds it.
        self.sampled = (self.at - 1) // STEP

    def rows(self) -> Table:
        """Headers and rows: the wire's order, strings, gaps.

        A gap takes an element's cells away, or the row if nothing is left.
        """
        if not len(self.at):
            return [], []
        columns: dict[str, list[str | None]] = {}
        for element in self.meter.elements:
            gaps = [self.during(event) for event in self.events(element, "gap")]
            lost = np.flatnonzero(np.any([np.zeros_like(self.at), *gaps], axis=0))
            for name, values in self.values(element):
                columns[name] = _texts(values)
                for i in lost:
                    columns[name][i] = None
        names = sorted(columns)
        stamps = np.datetime_as_string(self.at.astype("datetime64[s]"), unit="m").tolist()
        rows = []
        for stamp, *cells in zip(stamps, *(columns[name] for name in names), strict=True):
            row = {"date": stamp[:10], "time": stamp[11:], **dict(zip(names, cells, strict=True))}
            rows.append({name: text for name, text in row.items() if text is not None})
        rows = [row for row in rows if len(row) > len(STAMP)]
        return ([*STAMP, *names], rows) if rows else ([], [])

    def values(self, element: Element) -> Iterator[tuple[str, Floats]]:
        """Name and readings of each column of an element that the topics ask for."""
        if "DemandkW" in self.topics:
            yield f"DemandkW/Elm/{element.name}", self.demand(element)
        for topic, apparent in (("kWHNet", False), ("kVAHNet", True)):
            if topic in self.topics:
                yield f"{topic}/Elm/{element.name}", self.register(element, apparent)
        if "dPF" in self.topics:
            yield f"dPF/Elm/{element.name}", _factor(*self.drawn(element))
        for channel, phase in zip(element.channels, element.phases, strict=True):
            if "A" in self.topics:
                volt_amperes = np.hypot(*self.drawn(element, phase))
                yield f"A/Ch/{channel}", volt_amperes / self.volts(phase)
            if "dPF" in self.topics:
                yield f"dPF/Ch/{channel}", _factor(*self.drawn(element, phase))
            if "V" in self.topics:
                yield f"V/Ch/{channel}", self.volts(phase)

    def demand(self, element: Element) -> Floats:
        """Mean power of the demand window of each poll [kW]."""
        curve = self.plant.curve(self.meter.name, element.name, self.start, self.end)
        window = self.meter.interval * 60
        close = self.at if self.meter.demand_window == "sliding" else self.at // window * window
        mean = (curve.energy(close) - curve.energy(close - window)) / (window * 1000.0)
        return np.asarray(np.abs(mean) if self.meter.absolute_demand else mean)

    def register(self, element: Element, apparent: bool) -> Floats:
        """What the register shows at each poll: the integral since the last clear [kWh]."""
        of = partial(self.plant.curve, self.meter.name, element.name, apparent=apparent)
        shown = of(self.start, self.end).energy(self.at)
        base = np.zeros_like(shown)
        for event in self.events(element, "reset"):
            cleared = int(event.start.timestamp())
            then = of(event.start, event.start).energy(cleared)
            base = np.where(self.at >= cleared, then, base)
        shown = shown - base
        for event in self.events(element, "zero_blip"):
            shown = np.where(self.during(event), 0, shown)
        return np.asarray(np.rint(shown / 3600.0) / 1000.0)

    def drawn(self, element: Element, phase: int | None = None) -> tuple[Floats, Floats]:
        """Power of one phase of an element, or of all, in the step that each poll sees [W]."""
        lo, hi = (month_of(int(self.sampled[i]) * STEP) for i in (0, -1))
        seed, tz, total = self.plant.seed, self.plant.tz, np.zeros((2, len(self.at)))
        for load in element.loads:
            share = 1.0 if phase is None else dict(load.split).get(phase, 0.0)
            whole = np.hstack([power(load, seed, tz, m) for m in range(lo, hi + 1)])
            total += share * whole[:, self.sampled - month_start(lo) // STEP]
        return total[0], total[1]

    def volts(self, phase: int) -> Floats:
        """Voltage of a phase at each poll: the same for all elements on it [V]."""
        key = key_of(self.plant.seed, self.meter.name, "volts", phase)
        swing = 0.02 * smooth(key, self.sampled, 72) + 0.006 * uniform(key + 1, self.sampled)
        return np.round(self.meter.volts * (0.987 + swing), 2)

    def events(self, element: Element, kind: str) -> list[Event]:
        """What happened to an element, or to its whole meter, in order of time."""
        mine = (e for e in self.plant.events if e.meter == self.meter.name and e.kind == kind)
        own = [e for e in mine if e.element in {None, element.name}]
        return sorted(own, key=lambda event: event.start)

    def during(self, event: Event) -> Any:
        """Which polls lie within an event."""
        return (self.at >= event.start.timestamp()) & (self.at < event.end.timestamp())


def _factor(p: Floats, q: Floats) -> Floats:
    """Active over apparent power, negative on export; 1 where nothing flows."""
    s = np.hypot(p, q)
    return np.divide(p, s, out=np.ones_like(p), where=s > 0)


def _texts(values: Floats) -> list[str | None]:
    """Numbers as the wire writes them: three decimals at most, at least one, never -0.0."""
    distinct, which = np.unique(np.round(values, 3) + 0.0, return_inverse=True)
    texts = list(map(repr, distinct.tolist()))
    return [texts[i] for i in which.tolist()]
