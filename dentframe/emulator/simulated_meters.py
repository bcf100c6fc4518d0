"""Simulated meters poll their elements, and a plant has such meters: the default ones, or yours.

Its readings obey physics. Registers are the integral of power since the installation, DemandkW is
the mean of its window, kVA is the root of kW and kvar squared, A is kVA over V in each phase, and
a main carries its branches and the loss of the wiring. Whatever the wire shows can therefore be
checked against :meth:`Plant.energy` and its neighbours, which know no gap and no reset.
"""

from __future__ import annotations

import copy
import math
import string
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Literal
from zoneinfo import ZoneInfo

import numpy as np

from dentframe.emulator import loads
from dentframe.emulator.loads import STEP, Curve, Floats, Load
from dentframe.emulator.requests_sources_and_limits import STAMP, Source, Table

When = datetime | str
Where = str | tuple[str, str]


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
        columns = {}
        for element in self.meter.elements:
            gaps = [self.during(event) for event in self.events(element, "gap")]
            lost = np.any([np.zeros_like(self.at), *gaps], axis=0)
            for name, values in self.values(element):
                columns[name] = _texts(np.where(lost, np.nan, values))
        names = sorted(columns)
        stamps = np.datetime_as_string(self.at.astype("datetime64[s]"), unit="m").tolist()
        rows = []
        for stamp, *cells in zip(stamps, *(columns[name] for name in names), strict=True):
            row = {n: text for n, text in zip(names, cells, strict=True) if text is not None}
            if row:
                rows.append({"date": stamp[:10], "time": stamp[11:], **row})
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
        shown = whole = of(self.start, self.end).energy(self.at)
        for event in self.events(element, "reset"):
            cleared = int(event.start.timestamp())
            then = of(event.start, event.start).energy(cleared)
            shown = np.where(self.at >= cleared, whole - then, shown)
        for event in self.events(element, "zero_blip"):
            shown = np.where(self.during(event), 0, shown)
        return np.asarray(np.rint(shown / 3600.0) / 1000.0)

    def drawn(self, element: Element, phase: int | None = None) -> tuple[Floats, Floats]:
        """Power of one phase of an element, or of all, in the step that each poll sees [W]."""
        lo, hi = (loads.month_of(int(self.sampled[i]) * STEP) for i in (0, -1))
        seed, tz, total = self.plant.seed, self.plant.tz, np.zeros((2, len(self.at)))
        for load in element.loads:
            share = 1.0 if phase is None else dict(load.split).get(phase, 0.0)
            whole = np.hstack([loads.power(load, seed, tz, m) for m in range(lo, hi + 1)])
            total += share * whole[:, self.sampled - loads.month_start(lo) // STEP]
        return total[0], total[1]

    def volts(self, phase: int) -> Floats:
        """Voltage of a phase at each poll: the same for all elements on it [V]."""
        key = loads.key_of(self.plant.seed, self.meter.name, "volts", phase)
        slow, quick = loads.smooth(key, self.sampled, 72), loads.uniform(key + 1, self.sampled)
        return np.round(self.meter.volts * (0.987 + (0.02 * slow + 0.006 * quick)), 2)

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
    """Numbers as the wire writes them: three decimals at most, at least one, never -0.0 or NaN."""
    distinct, which = np.unique(np.round(values, 3) + 0.0, return_inverse=True)
    texts = [None if math.isnan(x) else repr(x) for x in distinct.tolist()]
    return [texts[i] for i in which.tolist()]


# --- the plant and its default meters ---

INSTALLED = datetime(2022, 6, 1, tzinfo=UTC)
"""When the default meters were installed; nothing before it."""


def instant(when: When, zone: ZoneInfo | None = None) -> datetime:
    """An instant in UTC; naive is wall time in ``zone``, else UTC."""
    t = datetime.fromisoformat(when) if isinstance(when, str) else when
    return (t if t.tzinfo else t.replace(tzinfo=zone or UTC)).astimezone(UTC)


def panel(name: str, elements: int = 16, channels: int = 3, offset: int = 2) -> Meter:
    """A plain meter of many like elements, for tests of size.

    Parameters
    ----------
    name : str
        The meter's number.
    elements : int
        How many, from A on, at most 26.
    channels : int
        CTs of each element, 1 to 3.
    offset : int
        Minute of the poll within the quarter hour [min].
    """
    split = tuple((n + 1, 1 / channels) for n in range(channels))
    units = []
    for letter in string.ascii_uppercase[:elements]:
        load = Load(f"{name}/{letter}", 6000 + 450 * ord(letter), weekend=0.4, split=split)
        units.append(Element(letter, f"Unit {letter}", (load,)))
    return Meter(name, tuple(units), offset=offset)


_ONE, _TWO = ((1, 1.0),), ((1, 0.52), (2, 0.48))
_OFFICES = ((1, 0.55), (2, 0.45))
_BUILDING = {
    "Bakery": Load("bakery", 18000, standby=0.15, hours=(3, 15), weekend=0.95, tan=0.25),
    "Office": Load("office", 11000, 0.12, hours=(7, 19), weekend=0.1, split=_OFFICES),
    "Dental practice": Load("dental", 8000, 0.08, hours=(8, 17.5), weekend=0.05, tan=0.4),
    "HVAC": Load("hvac", 21000, 0.04, (5.5, 20), weekend=0.35, season=0.3, cycle=10, tan=0.62),
    "Common areas": Load("common", 3200, 0.4, hours=(6, 23), tan=0.2, split=((3, 1.0),)),
    "Vacant unit": Load("vacant", 0, split=((2, 1.0),)),
}
_WIRING = Load("wiring", 520, standby=0.2, hours=(4, 20), weekend=0.6, tan=0.1)
_SOLAR = Load("solar", 7500, solar=True, tan=0.03)
_RESTAURANT = {
    "Restaurant kitchen": Load("kitchen", 24000, standby=0.07, hours=(10, 22.5), tan=0.22),
    "Restaurant dining room": Load("dining", 6500, 0.06, (11, 23), season=0.2, split=_TWO),
    "Walk-in cooler": Load("cooler", 2400, 0.03, (0, 24), season=0.25, cycle=15, split=_ONE),
}
_FLATS = {
    "Flat 1": Load("flat 1", 4200, standby=0.07, hours=(16, 23.5), season=-0.2, split=_TWO),
    "Flat 2": Load("flat 2", 3600, standby=0.09, hours=(6, 22), split=_TWO),
    "Laundry": Load("laundry", 5200, 0.01, (7, 22), cycle=35, tan=0.35, split=_ONE),
}


def _branches(letters: str, named_loads: dict[str, Load]) -> tuple[Element, ...]:
    named = zip(letters, named_loads.items(), strict=True)
    return tuple(Element(letter, label, (load,)) for letter, (label, load) in named)


_MAIN = Element("A", "Main", (*_BUILDING.values(), _WIRING), role="main")
_ROOF = Element("D", "Solar", (_SOLAR,), role="export")
METERS: tuple[Meter, ...] = (
    Meter("P482311252", (_MAIN, *_branches("BCDEFG", _BUILDING))),
    Meter("P482102272", (*_branches("ABC", _RESTAURANT), _ROOF), offset=5, volts=120.0),
    Meter("P482102270", _branches("ABC", _FLATS), 11, demand_window="block", volts=120.0),
)
"""The default meters: a building with a main, a restaurant, two flats."""


EVENTS: tuple[Event, ...] = (
    Event("P482311252", "C", "gap", instant("2023-12-06T18:00"), instant("2023-12-06T21:30")),
    Event("P482311252", "B", "zero_blip", instant("2023-12-11T15:15"), instant("2023-12-11T15:30")),
    Event("P482311252", "D", "gap", instant("2023-12-14T06:20"), instant("2023-12-14T10:10")),
    Event("P482311252", "E", "reset", instant("2023-12-18T17:40"), instant("2023-12-18T17:40")),
    Event("P482102272", None, "gap", instant("2023-12-20T05:20"), instant("2023-12-20T11:40")),
)
"""What happens to the default meters' readings, all in December 2023.

The gaps of P482311252_D and of P482102272 straddle a midnight in Los Angeles (08:00 UTC);
that of P482311252_C lies within a local day.
"""


@dataclass(frozen=True)
class Peak:
    """The greatest mean power of several elements together.

    Attributes
    ----------
    start, end : datetime
        The block in which it was, in the time zone asked for.
    kw : float
        The sum of the elements' mean powers in that block [kW].
    parts : dict
        Each element's mean power in that block [kW].
    """

    start: datetime
    end: datetime
    kw: float
    parts: dict[str, float]


class Plant(Source):
    """A seeded source of meters: the same seed gives the same bytes.

    Parameters
    ----------
    seed : int
        Whatever is left to chance follows from it.
    meters : sequence of Meter, optional
        The meters; the three of the API's document by default.
    events : iterable of Event, optional
        Gaps, resets and zero blips; by default those of :data:`EVENTS` that fall on
        ``meters``. Pass ``()`` for a plant without any.
    tz : str
        Time zone in which the loads live: opening hours, weekends.
    installed : datetime or str
        No reading before it; naive is UTC.
    demand_window : {"sliding", "block"}, optional
        The demand window of every meter, instead of each meter's own.
    """

    live = True
    """The future is empty: the server asks for nothing after its ``now``."""

    def __init__(
        self,
        seed: int = 0,
        *,
        meters: Sequence[Meter] | None = None,
        events: Iterable[Event] | None = None,
        tz: str = "America/Los_Angeles",
        installed: When = INSTALLED,
        demand_window: Literal["sliding", "block"] | None = None,
    ) -> None:
        self.seed = seed
        self.tz = tz
        self.installed = instant(installed)
        self.layout: dict[str, Meter] = {
            m.name: replace(m, demand_window=demand_window or m.demand_window)
            for m in (METERS if meters is None else meters)
        }
        chosen = EVENTS if events is None else events
        self.events: tuple[Event, ...] = tuple(e for e in chosen if e.meter in self.layout)

    def meters(self) -> list[str]:
        """Names of the meters."""
        return list(self.layout)

    def elements(self, meter: str) -> dict[str, Element]:
        """The elements of a meter by their letter."""
        return {e.name: e for e in self.layout[meter].elements}

    def labels(self) -> dict[str, str]:
        """The label of every element, by its address such as ``"P482311252_A"``."""
        return {f"{m.name}_{e.name}": e.label for m in self.layout.values() for e in m.elements}

    def rows(self, meter: str, start: When, end: When, topics: Sequence[str]) -> Table:
        """Readings in ``[start, end)`` as the wire has them (see :class:`Source`)."""
        first, stop = max(instant(start), self.installed), instant(end)
        return Polls(self, self.layout[meter], first, stop, topics).rows()

    def with_meters(self, **changes: Any) -> Plant:
        """The same plant with something changed of every meter, such as ``interval=5``."""
        other = copy.copy(self)
        other.layout = {name: replace(meter, **changes) for name, meter in self.layout.items()}
        return other

    def curve(
        self, meter: str, element: str, start: When, end: When, *, apparent: bool = False
    ) -> Curve:
        """The exact energy curve of an element over the months of ``[start - 1 h, end]``."""
        opened, closed = instant(start) - timedelta(hours=1), instant(end)
        lo, hi = (loads.month_of(t.timestamp()) for t in (opened, closed))
        what, installed = self.elements(meter)[element].loads, int(self.installed.timestamp())
        return loads.curve(what, self.seed, self.tz, apparent, installed, lo, hi)

    def energy(
        self, meter: str, element: str, start: When, end: When, *, apparent: bool = False
    ) -> float:
        """Energy that flowed, import minus export, exact; naive instants are UTC [kWh]."""
        ends = [max(instant(t), self.installed) for t in (start, end)]
        whole = self.curve(meter, element, min(ends), max(ends), apparent=apparent)
        opened, closed = whole.energy(np.array([t.timestamp() for t in ends]))
        return float(closed - opened) / 3.6e6

    def apparent_energy(self, meter: str, element: str, start: When, end: When) -> float:
        """Integral of apparent power; naive instants are UTC [kVAh]."""
        return self.energy(meter, element, start, end, apparent=True)

    def mean_power(self, meter: str, element: str, start: When, end: When) -> float:
        """Mean active power; naive instants are UTC [kW]."""
        hours = (instant(end) - instant(start)) / timedelta(hours=1)
        return self.energy(meter, element, start, end) / hours

    def coincident_peak(
        self, elements: Iterable[Where], start: When, end: When, minutes: int = 15, tz: str = "UTC"
    ) -> Peak:
        """Greatest block of several elements together.

        Parameters
        ----------
        elements : iterable
            ``"P482311252_A"`` or ``("P482311252", "A")``.
        start, end : datetime or str
            Only blocks wholly inside count; naive instants are wall time in ``tz``.
        minutes : int
            Length of a block, at most an hour; blocks start on the local clock [min].
        tz : str
            The clock.
        """
        zone, length = ZoneInfo(tz), minutes * 60
        first, last = instant(start, zone), instant(end, zone)
        away = (first.astimezone(zone).utcoffset() or timedelta(0)).total_seconds()
        begin = -(-(int(first.timestamp()) + int(away)) // length) * length - int(away)
        edges = np.arange(begin, int(last.timestamp()) + 1, length, dtype=np.int64)
        if len(edges) < 2:
            raise ValueError(
                f"Cannot find a peak: no whole block of {length} s in {first} to {last}."
            )
        means = {}
        for where in elements:
            meter, element = where.rpartition("_")[::2] if isinstance(where, str) else where
            energy = self.curve(meter, element, first, last).energy(edges)
            means[f"{meter}_{element}"] = np.diff(energy) / length
        total = np.sum(list(means.values()), axis=0)
        best = int(total.argmax())
        opened, closed = (datetime.fromtimestamp(int(t), zone) for t in edges[best : best + 2])
        parts = {name: float(mean[best]) / 1000 for name, mean in means.items()}
        return Peak(opened, closed, float(total[best]) / 1000, parts)
