"""Sources give the emulator its rows: simulated meters, recorded answers, or rows given to it.

The simulated meters are a seeded plant whose readings obey physics. Registers are the integral of
power since the installation, DemandkW is the mean of its window, kVA is the root of kW and kvar
squared, A is kVA over V in each phase, and a main carries its branches and the loss of the
wiring. Whatever the wire shows can therefore be checked against :meth:`Plant.energy` and its
neighbours, which know no gap and no reset.
"""

from __future__ import annotations

import copy
import json
import re
import string
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable
from zoneinfo import ZoneInfo

import numpy as np

from dentframe.emulator import simulated_meters as simulated
from dentframe.emulator.faults_and_quirks import QUIRKS_OF_ROWS, Quirks
from dentframe.emulator.simulated_meters import STAMP, Element, Event, Load, Meter, Row, Table

When = datetime | str
Where = str | tuple[str, str]


@runtime_checkable
class Source(Protocol):
    """Where the emulator takes its answers from; write your own with these three methods.

    Give it a true attribute ``live`` if it must not be asked for the future. A subclass has the
    topics of the API's document, unless it says others.
    """

    def meters(self) -> list[str]:
        """Names of the meters, in the order of getMeters."""
        ...

    def topics(self) -> list[dict[str, str]]:
        """Rows of getTopics: ``unit``, ``requestKey`` and ``description``."""
        return simulated.catalogue()

    def rows(self, meter: str, start: datetime, end: datetime, topics: Sequence[str]) -> Table:
        """Headers and rows of a meter in ``[start, end)``, both empty if there are none.

        ``topics`` are request keys; ``start`` and ``end`` are in UTC.
        """
        ...


def select(
    rows: Sequence[Row],
    start: datetime,
    end: datetime,
    topics: Sequence[str],
    headers: Iterable[str] | None = None,
) -> Table:
    """Rows in ``[start, end)`` in the order they came, with the columns of some topics.

    The columns come in the order of the headers; without any, sorted by name.
    """
    if headers is None:
        headers = [*STAMP, *sorted({c for row in rows for c in row} - set(STAMP))]
    kept = [h for h in headers if h in STAMP or simulated.topic_of(h) in topics]
    lo, hi = f"{start:%Y-%m-%d %H:%M}", f"{end:%Y-%m-%d %H:%M}"
    inside = [
        {c: r[c] for c in kept if c in r} for r in rows if lo <= f"{r['date']} {r['time']}" < hi
    ]
    return (kept, inside) if inside and len(kept) > len(STAMP) else ([], [])


_NAME = re.compile(r"(?P<meter>.+)-(?P<month>\d{4}-\d{2})\.json")


class Recorded(Source):
    """A folder of ``<meter>-<YYYY-MM>.json`` files, each a month's getData answer.

    Headers and rows keep their order and their text; what a file lacks stays lacking.

    Parameters
    ----------
    folder : path
        Where the files are; read when asked for, so that files may be added meanwhile.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise FileNotFoundError(
                f"Cannot serve recorded answers: {self.folder} is not a folder. "
                "It must hold files named <meter>-<YYYY-MM>.json."
            )

    def meters(self) -> list[str]:
        """Names of the meters that have a file, sorted."""
        found = (_NAME.fullmatch(p.name) for p in self.folder.iterdir())
        return sorted({match["meter"] for match in found if match})

    def rows(self, meter: str, start: datetime, end: datetime, topics: Sequence[str]) -> Table:
        """Headers and rows in ``[start, end)``, from the files of its months."""
        days = (start + timedelta(days=n) for n in range((end - start).days + 2))
        paths = dict.fromkeys(self.folder / f"{meter}-{day:%Y-%m}.json" for day in days)
        months = [_load(p, p.stat().st_mtime_ns) for p in paths if p.is_file()]
        headers = dict.fromkeys(h for month in months for h in month["headers"])
        rows = [row for month in months for row in month["topics"]]
        return select(rows, start, end, topics, headers)


@lru_cache(maxsize=8)
def _load(path: Path, _modified: int) -> Any:
    return json.loads(path.read_bytes())


class Fixed(Source):
    """Rows given in Python, for small tests.

    Parameters
    ----------
    meters : mapping
        Meter to rows: ``{"P1": [{"date": "2023-12-12", "time": "02:02", "A/Ch/A1": "1.0"}]}``.
        Values go out as they are; a None becomes null, a number a number.
    topics : sequence of dict, optional
        Rows of getTopics; the document's by default.
    """

    def __init__(
        self, meters: Mapping[str, Sequence[Row]], topics: Sequence[Mapping[str, str]] | None = None
    ) -> None:
        self._meters = meters
        self._topics = simulated.catalogue() if topics is None else [dict(t) for t in topics]

    def meters(self) -> list[str]:
        """Names of the meters, in the order given."""
        return list(self._meters)

    def topics(self) -> list[dict[str, str]]:
        """Rows of getTopics."""
        return [dict(t) for t in self._topics]

    def rows(self, meter: str, start: datetime, end: datetime, topics: Sequence[str]) -> Table:
        """Headers, sorted, and rows in ``[start, end)``, in the order given."""
        return select(self._meters[meter], start, end, topics)


# --- simulated meters ---

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


def _branches(letters: str, loads: dict[str, Load]) -> tuple[Element, ...]:
    named = zip(letters, loads.items(), strict=True)
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
        return simulated.Polls(self, self.layout[meter], first, stop, topics).rows()

    def curve(
        self, meter: str, element: str, start: When, end: When, *, apparent: bool = False
    ) -> simulated.Curve:
        """The exact energy curve of an element over the months of ``[start - 1 h, end]``."""
        opened, closed = instant(start) - timedelta(hours=1), instant(end)
        lo, hi = (simulated.month_of(t.timestamp()) for t in (opened, closed))
        loads, installed = self.elements(meter)[element].loads, int(self.installed.timestamp())
        return simulated.curve(loads, self.seed, self.tz, apparent, installed, lo, hi)

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
        opened, closed = (datetime.fromtimestamp(int(t), UTC) for t in (edges[0], edges[-1]))
        means = {}
        for where in elements:
            meter, element = where.rpartition("_")[::2] if isinstance(where, str) else where
            energy = self.curve(meter, element, opened, closed).energy(edges)
            means[f"{meter}_{element}"] = np.diff(energy) / length
        total = np.sum(list(means.values()), axis=0)
        best = int(total.argmax())
        return Peak(
            datetime.fromtimestamp(int(edges[best]), zone),
            datetime.fromtimestamp(int(edges[best + 1]), zone),
            float(total[best]) / 1000,
            {name: float(mean[best]) / 1000 for name, mean in means.items()},
        )


# --- quirks ---

_AROUND = timedelta(days=1)


class Quirky(Source):
    """A source whose meters or service have quirks.

    Parameters
    ----------
    source : Source
        The source behind it; of a plant also the meters may have quirks.
    quirks : mapping
        Quirks and their values, see :data:`QUIRKS`.
    now : callable
        The present, for what comes late and for a source that is ``live``.
    """

    def __init__(self, source: Source, quirks: Quirks, now: Callable[[], datetime]) -> None:
        changes = {"interval": quirks["interval"]} if "interval" in quirks else {}
        for window in ("block", "sliding"):
            if f"{window}_demand" in quirks:
                changes["demand_window"] = window
        if changes and not isinstance(source, Plant):
            raise ValueError(
                f"Cannot give a {type(source).__name__} another {' and '.join(changes)}: only the "
                "meters of a Plant can be changed."
            )
        if changes and isinstance(source, Plant):
            source = copy.copy(source)
            source.layout = {k: replace(meter, **changes) for k, meter in source.layout.items()}
        self._source, self._quirks, self._now = source, quirks, now

    def meters(self) -> list[str]:
        """Names of the meters."""
        return self._source.meters()

    def topics(self) -> list[dict[str, str]]:
        """The topics that are there."""
        return [t for t in self._source.topics() if f"no_{t['requestKey']}" not in self._quirks]

    def rows(self, meter: str, start: datetime, end: datetime, topics: Sequence[str]) -> Table:
        """Headers and rows of a window, after the quirks; what is not yet, is not there."""
        now, stop = self._now(), end + _AROUND
        if getattr(self._source, "live", False):
            stop = min(stop, now + timedelta.resolution)
        _, rows = self._source.rows(meter, start - _AROUND, stop, topics)
        for name, value in self._quirks.items():
            if name in QUIRKS_OF_ROWS:
                rows = QUIRKS_OF_ROWS[name](rows, value, now)
        return select(rows, start, end, topics)
