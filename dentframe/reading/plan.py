"""The plan of a read, shown before anything is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dentframe.cloud.windows import Window

_BURST = 5


@dataclass(frozen=True)
class Plan:
    """The windows a read would ask for; a sized iterable of them.

    Attributes
    ----------
    windows : dict
        Meter to its windows, each a UTC month, day or hour, in order.
    held : dict
        Meter to those windows that the cache holds: they are free.
    topics : tuple of str
        The request keys.
    topics_from : str
        Where the topics are known from: ``"kept getTopics"`` or ``"built-in catalogue"``.
    rate : float
        The rate limit [requests/s].
    """

    windows: Mapping[str, tuple[Window, ...]]
    held: Mapping[str, frozenset[Window]]
    topics: tuple[str, ...]
    topics_from: str
    rate: float

    def __iter__(self) -> Iterator[Window]:
        return (w for windows in self.windows.values() for w in windows)

    def __len__(self) -> int:
        return sum(len(windows) for windows in self.windows.values())

    @property
    def cached(self) -> int:
        """How many windows the cache serves."""
        return sum(len(self.held[m] & set(ws)) for m, ws in self.windows.items())

    @property
    def requests(self) -> int:
        """How many getData requests are needed."""
        return len(self) - self.cached

    @property
    def seconds(self) -> float:
        """The least time the rate limit allows for the requests [s]."""
        return max(0, self.requests - _BURST) / self.rate

    def __repr__(self) -> str:
        meters = ", ".join(self.windows)
        span = f"{next(iter(self))} … {list(self)[-1]}" if len(self) else "nothing to ask"
        return (
            f"<Plan {meters}: {self.requests} request(s), {self.cached} cached, "
            f"at least {self.seconds:.1f} s; {span}; "
            f"topics {', '.join(self.topics)} ({self.topics_from})>"
        )
