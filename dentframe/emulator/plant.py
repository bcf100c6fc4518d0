"""A seeded plant of meters whose readings obey physics, and the truth behind them (pure).

Registers are the integral of power since the installation, DemandkW is the mean of its
window, kVA is the root of kW and kvar squared, A is kVA over V in each phase, and a main
carries its branches and the loss of the wiring. Whatever the wire shows can therefore be
checked against :meth:`Plant.energy` and its neighbours, which know no gap and no reset.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo

import numpy as np

from .curve import Curve, curve
from .layout import EVENTS, INSTALLED, METERS, Element, Event, Meter
from .readings import read
from .source import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .source import Row

    When = datetime | str
    Where = str | tuple[str, str]


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


class Plant:
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
        self.installed = _instant(installed)
        self.layout: dict[str, Meter] = {
            m.name: replace(m, demand_window=demand_window or m.demand_window)
            for m in (METERS if meters is None else meters)
        }
        chosen = EVENTS if events is None else events
        self.events: tuple[Event, ...] = tuple(e for e in chosen if e.meter in self.layout)

    def meters(self) -> list[str]:
        """Names of the meters."""
        return list(self.layout)

    def topics(self) -> list[dict[str, str]]:
        """The document's catalogue of topics."""
        return catalogue()

    def elements(self, meter: str) -> dict[str, Element]:
        """The elements of a meter by their letter."""
        return {e.name: e for e in self.layout[meter].elements}

    def labels(self) -> dict[str, str]:
        """The label of every element, by its address such as ``"P482311252_A"``."""
        return {f"{m.name}_{e.name}": e.label for m in self.layout.values() for e in m.elements}

    def rows(
        self, meter: str, start: When, end: When, topics: Sequence[str]
    ) -> tuple[list[str], list[Row]]:
        """Readings in ``[start, end)`` as the wire has them (see :class:`Source`)."""
        first, stop = max(_instant(start), self.installed), _instant(end)
        return read(self, self.layout[meter], first, stop, topics)

    def curve(self, meter: str, element: str, start: When, end: When) -> Curve:
        """The exact energy curve of an element over a span (see :class:`Curve`)."""
        loads = self.elements(meter)[element].loads
        return curve(loads, self.seed, self.tz, self.installed, _instant(start), _instant(end))

    def energy(self, meter: str, element: str, start: When, end: When) -> float:
        """Energy that flowed, import minus export, exact; naive instants are UTC [kWh]."""
        return self._watt_seconds(meter, element, start, end, apparent=False) / 3.6e6

    def apparent_energy(self, meter: str, element: str, start: When, end: When) -> float:
        """Integral of apparent power; naive instants are UTC [kVAh]."""
        return self._watt_seconds(meter, element, start, end, apparent=True) / 3.6e6

    def mean_power(self, meter: str, element: str, start: When, end: When) -> float:
        """Mean active power; naive instants are UTC [kW]."""
        hours = (_instant(end) - _instant(start)) / timedelta(hours=1)
        return self.energy(meter, element, start, end) / hours

    def coincident_peak(
        self,
        elements: Iterable[Where],
        start: When,
        end: When,
        minutes: int = 15,
        tz: str = "UTC",
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
        zone, names = ZoneInfo(tz), [_address(e) for e in elements]
        edges = _blocks(_instant(start, zone), _instant(end, zone), minutes * 60, zone)
        means = {f"{m}_{e}": self._means(m, e, edges) for m, e in names}
        total = np.sum(list(means.values()), axis=0)
        best = int(total.argmax())
        return Peak(
            datetime.fromtimestamp(int(edges[best]), zone),
            datetime.fromtimestamp(int(edges[best + 1]), zone),
            float(total[best]) / 1000,
            {name: float(mean[best]) / 1000 for name, mean in means.items()},
        )

    def _means(self, meter: str, element: str, edges: Any) -> Any:
        """Mean power between edges given in Unix seconds [W]."""
        whole = self.curve(meter, element, _from_unix(edges[0]), _from_unix(edges[-1]))
        return np.diff(whole.energy(edges)) / np.diff(edges)

    def _watt_seconds(
        self, meter: str, element: str, start: When, end: When, *, apparent: bool
    ) -> float:
        ends = [max(_instant(t), self.installed).timestamp() for t in (start, end)]
        first, last = (_from_unix(t) for t in (min(ends), max(ends)))
        whole = self.curve(meter, element, first, last)
        opened, closed = (whole.apparent if apparent else whole.energy)(np.array(ends))
        return float(closed - opened)


def _address(where: Where) -> tuple[str, str]:
    if isinstance(where, tuple):
        return where
    meter, _, element = where.rpartition("_")
    return meter, element


def _from_unix(second: float) -> datetime:
    return datetime.fromtimestamp(float(second), UTC)


def _instant(when: When, zone: ZoneInfo | None = None) -> datetime:
    """An instant in UTC; naive is wall time in ``zone``, else UTC."""
    t = datetime.fromisoformat(when) if isinstance(when, str) else when
    return (t if t.tzinfo else t.replace(tzinfo=zone or UTC)).astimezone(UTC)


def _blocks(start: datetime, end: datetime, length: int, zone: ZoneInfo) -> Any:
    """Edges of the whole blocks inside a span, on the local clock [Unix s]."""
    away = start.astimezone(zone).utcoffset() or timedelta(0)
    shift = int(away.total_seconds())
    first = -(-(int(start.timestamp()) + shift) // length) * length - shift
    edges = np.arange(first, int(end.timestamp()) + 1, length, dtype=np.int64)
    if len(edges) < 2:
        raise ValueError(f"Cannot find a peak: no whole block of {length} s in {start} to {end}.")
    return edges
