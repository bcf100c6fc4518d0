"""The plan of a read, shown before anything is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dentframe.shown import Card, html_of

if TYPE_CHECKING:
    from dentframe.cloud.windows import Window

_BURST = 5
_SHOWN = 10
_HEADS = ("meter", "windows>", "cached>", "to ask>", "first", "last")


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

    Examples
    --------
    >>> plan = plan_dentcloud("P482311252", "2022-01-05", tz="UTC")
    >>> [str(window) for window in plan]
    ['2022-01-05']
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
        meters = _some(list(self.windows))
        span = f"{next(iter(self))} … {list(self)[-1]}" if len(self) else "nothing to ask"
        return (
            f"<Plan {meters}: {self.requests} request(s), {self.cached} cached, "
            f"at least {self.seconds:.1f} s; {span}; "
            f"topics {', '.join(self.topics)} ({self.topics_from})>"
        )

    def _repr_html_(self) -> str:
        return html_of(card, self)


def card(plan: Plan) -> Card:
    """What a notebook shows of a plan."""
    asked = f"{plan.requests} request{'s' * (plan.requests != 1)}"
    left = len(plan.windows) - _SHOWN
    return Card(
        title=f"Plan: {asked}, {plan.cached} cached, at least {plan.seconds:.1f} s",
        facts=(("topics", f"{', '.join(plan.topics)} ({plan.topics_from})"),),
        heads=_HEADS,
        rows=[_row(plan, meter) for meter in list(plan.windows)[:_SHOWN]],
        notes=[f"And {left} more meters."] if left > 0 else [],
    )


def _row(plan: Plan, meter: str) -> list[str]:
    windows = plan.windows[meter]
    cached = len(plan.held[meter] & set(windows))
    counts = [str(len(windows)), str(cached), str(len(windows) - cached)]
    ends = [str(windows[0]), str(windows[-1])] if windows else ["", ""]
    return [meter, *counts, *ends]


def _some(names: list[str]) -> str:
    if len(names) <= _SHOWN:
        return ", ".join(names)
    return f"{', '.join(names[:_SHOWN])} and {len(names) - _SHOWN} more meters"
