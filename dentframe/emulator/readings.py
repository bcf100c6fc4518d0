"""From the plant's physics to rows of the wire (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .curve import Curve, sample
from .loads import STEP
from .noise import key_of, smooth, uniform

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from .layout import Element, Event, Meter
    from .loads import Load, Power
    from .noise import Floats, Ints
    from .plant import Plant
    from .source import Row

    Named = tuple[str, Floats]
    Cells = tuple[str, list[str]]
    Total = Callable[[Curve, Any], Any]


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
    return (["date", "time", *columns], rows) if rows else ([], [])


def _columns(polls: Polls, topics: Sequence[str]) -> Iterator[tuple[str, Cells]]:
    """Column name to (element, texts), for every column of the topics asked."""
    for element in polls.meter.elements:
        curve = polls.plant.curve(polls.meter.name, element.name, polls.start, polls.end)
        for topic in topics:
            for name, values in _TOPICS[topic](polls, element, curve):
                yield f"{topic}/{name}", (element.name, _texts(values))


def _texts(values: Floats) -> list[str]:
    """Numbers as the wire writes them: three decimals at most, at least one, never -0.0."""
    distinct, which = np.unique(np.round(values, 3) + 0.0, return_inverse=True)
    texts = list(map(repr, distinct.tolist()))
    return [texts[i] for i in which.tolist()]


def _demand(polls: Polls, element: Element, curve: Curve) -> Iterator[Named]:
    """Mean power of the demand window of each poll [kW]."""
    window = polls.meter.interval * 60
    close = polls.at if polls.meter.demand_window == "sliding" else polls.at // window * window
    mean = (curve.energy(close) - curve.energy(close - window)) / (window * 1000.0)
    yield f"Elm/{element.name}", np.abs(mean) if polls.meter.absolute_demand else mean


def _kwh(polls: Polls, element: Element, curve: Curve) -> Iterator[Named]:
    yield f"Elm/{element.name}", _register(polls, element, curve, Curve.energy)


def _kvah(polls: Polls, element: Element, curve: Curve) -> Iterator[Named]:
    yield f"Elm/{element.name}", _register(polls, element, curve, Curve.apparent)


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


def _volts(polls: Polls, element: Element, _: Curve) -> Iterator[Named]:
    for channel, phase in zip(element.channels, element.phases, strict=True):
        yield f"Ch/{channel}", polls.volts(phase)


def _amperes(polls: Polls, element: Element, _: Curve) -> Iterator[Named]:
    """Current of each channel: its apparent power over its voltage [A]."""
    for channel, phase in zip(element.channels, element.phases, strict=True):
        p, q = _at_polls(polls, element, phase)
        yield f"Ch/{channel}", np.hypot(p, q) / polls.volts(phase)


def _dpf(polls: Polls, element: Element, _: Curve) -> Iterator[Named]:
    """Active over apparent power, negative on export; 1 where nothing flows."""
    for channel, phase in zip(element.channels, element.phases, strict=True):
        yield f"Ch/{channel}", _factor(*_at_polls(polls, element, phase))
    yield f"Elm/{element.name}", _factor(*_at_polls(polls, element, None))


def _factor(p: Floats, q: Floats) -> Floats:
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


_TOPICS: dict[str, Callable[[Polls, Element, Curve], Iterator[Named]]] = {
    "A": _amperes,
    "DemandkW": _demand,
    "V": _volts,
    "dPF": _dpf,
    "kVAHNet": _kvah,
    "kWHNet": _kwh,
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
    names = ["date", "time", *columns]
    cells = zip(dates, times, *(texts for _, texts in columns.values()), strict=True)
    rows = [dict(zip(names, row, strict=True)) for row in cells]
    for element in polls.meter.elements:
        _cut(
            rows, polls, element, [c for c, (owner, _) in columns.items() if owner == element.name]
        )
    return [row for row in rows if len(row) > len(("date", "time"))]


def _cut(rows: list[Row], polls: Polls, element: Element, columns: list[str]) -> None:
    for event in _events(polls, element, "gap"):
        for i in np.flatnonzero(_during(polls.at, event)):
            for column in columns:
                rows[i].pop(column, None)
