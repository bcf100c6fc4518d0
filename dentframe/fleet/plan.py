"""What a sync has to read: the windows of each meter that its archive lacks. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dentframe.cloud.job import Job
from dentframe.cloud.windows import Window, plan

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

__all__ = ["FleetPlan", "Need", "Planner"]


@dataclass(frozen=True)
class Need:
    """What one meter needs.

    Attributes
    ----------
    windows : tuple of Window
        To be read, in the order of time.
    free : int
        How many of them the client's cache serves.
    held : int
        How many windows of the span the archive holds already.
    """

    windows: tuple[Window, ...]
    free: int
    held: int


@dataclass(frozen=True)
class FleetPlan:
    """What a sync has to read, meter after meter.

    Attributes
    ----------
    needs : dict
        Meter to its need.
    topics : tuple of str
        The request keys.
    """

    needs: Mapping[str, Need]
    topics: tuple[str, ...]

    def jobs(self) -> Iterator[Job]:
        """The jobs one by one, a meter's years in order, so that few are open at a time."""
        for meter, need in self.needs.items():
            for window in need.windows:
                yield Job(meter, window, self.topics)

    @property
    def windows(self) -> int:
        """How many windows are to be read."""
        return sum(len(need.windows) for need in self.needs.values())

    @property
    def requests(self) -> int:
        """How many getData requests that takes, where no answer is too large."""
        return self.windows - sum(need.free for need in self.needs.values())

    @property
    def held(self) -> int:
        """How many windows of the span the archive holds already."""
        return sum(need.held for need in self.needs.values())


@dataclass
class Planner:
    """Plans meter after meter; what many meters need alike is kept once.

    Attributes
    ----------
    start, end : datetime
        The half-open span, aware.
    now : datetime
        Nothing that begins later is asked for.
    """

    start: datetime
    end: datetime
    now: datetime
    _known: dict[tuple[object, ...], Need] = field(default_factory=dict, repr=False)

    def need(
        self, held: Iterable[Window], cached: Iterable[Window], bytes_per_hour: float | None = None
    ) -> Need:
        """What a meter needs, given what archive and cache hold of it.

        Parameters
        ----------
        held : iterable of Window
            What the archive need not be given again.
        cached : iterable of Window
            What the client's cache serves.
        bytes_per_hour : float, optional
            What an hour of the meter weighs in an answer [B/h].
        """
        mine, free = frozenset(held), frozenset(cached)
        key = (mine, free, bytes_per_hour)
        if key not in self._known:
            self._known[key] = self._plan(mine, free, bytes_per_hour)
        return self._known[key]

    def _plan(
        self, held: frozenset[Window], cached: frozenset[Window], bytes_per_hour: float | None
    ) -> Need:
        known = {} if bytes_per_hour is None else {"bytes_per_hour": bytes_per_hour}
        chosen = plan(self.start, self.end, now=self.now, cached=held | cached, **known)
        windows = tuple(window for window in chosen if window not in held)
        free = sum(window in cached for window in windows)
        return Need(windows, free, len(chosen) - len(windows))
