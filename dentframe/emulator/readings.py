"""Sources give the emulator its rows: a plant, a folder of month answers, or rows in Python."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from dentframe.emulator.loads import STEP, Curve, key_of, sample, smooth, uniform
from dentframe.wire.topics import TOPICS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from dentframe.emulator.loads import Floats, Ints, Load, Power
    from dentframe.emulator.plant import Element, Event, Meter, Plant

    Row = dict[str, Any]
    Cells = tuple[str, list[str]]
    Total = Callable[[Curve, Any], Any]

STAMP = ("date", "time")
"""The two columns that every answer starts with."""


@runtime_checkable
class Source(Protocol):
    """Where the emulator takes its answers from; write your own with these three methods.

    Give it a true attribute ``live`` if it must not be asked for the future.
    """

    def meters(self) -> list[str]:
        """Names of the meters, in the order of getMeters."""
        ...

    def topics(self) -> list[dict[str, str]]:
        """Rows of getTopics: ``unit``, ``requestKey`` and ``description``."""
        ...

    def rows(
        self, meter: str, start: datetime, end: datetime, topics: Sequence[str]
    ) -> tuple[list[str], list[Row]]:
        """Headers and rows of a meter in ``[start, end)``, both empty if there are none.

        ``topics`` are request keys; ``start`` and ``end`` are in UTC.
        """
        ...


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


def select(
    headers: Sequence[str],
    rows: Iterable[Row],
    start: datetime,
    end: datetime,
    topics: Sequence[str],
) -> tuple[list[str], list[Row]]:
    """Rows in ``[start, end)`` with the columns of some topics, in the order they came."""
    kept = [h for h in headers if h in STAMP or topic_of(h) in topics]
    lo, hi = f"{start:%Y-%m-%d %H:%M}", f"{end:%Y-%m-%d %H:%M}"
    inside = [
        {c: r[c] for c in kept if c in r} for r in rows if lo <= f"{r['date']} {r['time']}" < hi
    ]
    if not inside or len(kept) <= len(STAMP):
        return [], []
    return kept, inside


_NAME = re.compile(r"(?P<meter>.+)-(?P<month>\d{4}-\d{2})\.json")


class Recorded:
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

    def topics(self) -> list[dict[str, str]]:
        """The document's catalogue of topics."""
        return catalogue()

    def rows(
        self, meter: str, start: datetime, end: datetime, topics: Sequence[str]
    ) -> tuple[list[str], list[Row]]:
        """Headers and rows in ``[start, end)``, from the files of its months."""
        days = (start + timedelta(days=n) for n in range((end - start).days + 2))
        paths = dict.fromkeys(self.folder / f"{meter}-{day:%Y-%m}.json" for day in days)
        months = [_load(p, p.stat().st_mtime_ns) for p in paths if p.is_file()]
        headers = dict.fromkeys(h for month in months for h in month["headers"])
        rows = [row for month in months for row in month["topics"]]
        return select(list(headers), rows, start, end, topics)


@lru_cache(maxsize=8)
def _load(path: Path, _modified: int) -> Any:
    return json.loads(path.read_bytes())


class Fixed:
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
        self._topics = catalogue() if topics is None else [dict(t) for t in topics]

    def meters(self) -> list[str]:
        """Names of the meters, in the order given."""
        return list(self._meters)

    def topics(self) -> list[dict[str, str]]:
        """Rows of getTopics."""
        return [dict(t) for t in self._topics]

    def rows(
        self, meter: str, start: datetime, end: datetime, topics: Sequence[str]
    ) -> tuple[list[str], list[Row]]:
        """Headers, sorted, and rows in ``[start, end)``, in the order given."""
        rows = self._meters[meter]
        columns = sorted({c for row in rows for c in row} - set(STAMP))
        return select([*STAMP, *columns], rows, start, end, topics)


class Polls:
    """The polls of one meter in a window, and what is common to its elements."""

    def __init__(self, plant: Plant, meter: Meter, start: datetime, end: datetime) -> None:
        self.plant, self.meter = plant, meter
        self.start, self.end = start, end
        self.at = poll_times(meter, start, end)
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


def poll_times(meter: Meter, start: datetime, end: datetime) -> Ints:
    """Unix seconds of the polls in ``[start, end)``."""
    every, offset = meter.interval * 60, meter.offset * 60
    first, stop = (-(-(int(-(-t.timestamp() // 1)) - offset) // every) for t in (start, end))
    return np.arange(first, stop, dtype=np.int64) * every + offset


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
