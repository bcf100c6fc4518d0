"""Faults by name: what can go wrong between the service and a client, on demand.

A fault is a function from an honest answer to a faulty one. Faults of the rows may come
together; of the others, the first that applies is the last word.
"""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .mischief import ON_ROWS, TABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .answer import Answer
    from .query import Seen

_ALL = {**TABLE, **ON_ROWS}

FAULTS: dict[str, str] = {name: (fault.__doc__ or "").strip() for name, fault in _ALL.items()}
"""Every fault's name and what it does."""


@dataclass
class Fault:
    """One fault and when it strikes; every condition given must hold.

    Attributes
    ----------
    name : str
        A key of :data:`FAULTS`.
    times : int, optional
        Strike at most so often.
    every : int, optional
        Strike only each so manieth time: 3 is the 3rd, 6th, ...
    probability : float, optional
        Strike by chance, repeatably for the same ``seed``.
    request, meter, window : str, optional
        Only such requests: ``"getData"``, a meter's name, ``"2023-12"`` or ``"2023-12-12T02"``.
    where : callable, optional
        Only requests for which this is true; given a :class:`Seen`.
    retry_after : float, optional
        A Retry-After header for the faults that are a status [s].
    seconds : float, optional
        The pause of ``slow_headers``, or between two bytes of ``drip`` [s].
    location : str
        Where ``redirect`` points.
    column, value : str, optional
        The cell of ``text_value`` and its kin (the first column by default), and its text.
    seed : int
        For ``probability`` and ``shuffle_rows``.
    """

    name: str
    times: int | None = None
    every: int | None = None
    probability: float | None = None
    request: str | None = None
    meter: str | None = None
    window: str | None = None
    where: Callable[[Seen], bool] | None = None
    retry_after: float | None = None
    seconds: float | None = None
    location: str = "https://elsewhere.invalid/v1"
    column: str | None = None
    value: str | None = None
    seed: int = 0
    struck: int = field(default=0, init=False)
    met: int = field(default=0, init=False)
    chance: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.name not in FAULTS:
            raise ValueError(
                f"Cannot add the fault {self.name!r}: there is none of that name. "
                f"There are: {', '.join(FAULTS)}."
            )
        self.chance = random.Random(self.seed)  # noqa: S311 - repeatable chance is the point

    def concerns(self, seen: Seen) -> bool:
        """Whether this request is one of those the fault is meant for."""
        pairs = ((self.request, seen.request), (self.meter, seen.meter), (self.window, seen.window))
        asked = all(want is None or want == got for want, got in pairs)
        return asked and (self.where is None or self.where(seen))

    def strikes(self) -> bool:
        """Whether it strikes this time; counts."""
        if self.times is not None and self.struck >= self.times:
            return False
        self.met += 1
        due = self.every is None or self.met % self.every == 0
        hit = due and (self.probability is None or self.chance.random() < self.probability)
        self.struck += hit
        return hit


class Faults:
    """The faults of a running emulator, changeable while it runs.

    Parameters
    ----------
    faults : iterable of Fault or str
        Those to begin with.
    """

    def __init__(self, faults: Iterable[Fault | str] = ()) -> None:
        self._lock = threading.Lock()
        self._faults = [f if isinstance(f, Fault) else Fault(f) for f in faults]

    def add(self, name: str, **settings: Any) -> Fault:
        """Add a fault by name, with the settings of :class:`Fault`; returns it."""
        fault = Fault(name, **settings)
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._faults.clear()

    def __iter__(self) -> Iterator[Fault]:
        with self._lock:
            return iter(tuple(self._faults))

    def __len__(self) -> int:
        return len(self._faults)

    def apply(self, seen: Seen, answer: Answer) -> tuple[Answer, str | None]:
        """The answer after the faults that strike, and their names."""
        names = []
        for fault in self._striking(seen, answer):
            answer = _ALL[fault.name](answer, fault)
            names.append(fault.name)
        return answer, "+".join(names) or None

    def _striking(self, seen: Seen, answer: Answer) -> list[Fault]:
        chosen: list[Fault] = []
        with self._lock:
            for fault in self._faults:
                if not fault.concerns(seen) or (fault.name in ON_ROWS and not answer.has_rows):
                    continue
                if fault.strikes():
                    chosen.append(fault)
                    if fault.name not in ON_ROWS:
                        break
        return chosen
