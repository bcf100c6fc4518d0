"""Several ways to do one thing, measured in turn: what every benchmark is made of.

A round measures each way once, and gives a ratio; so what else the machine does meanwhile
spoils the times but hardly the ratios. The order turns round by round, the first round is not
counted, and garbage is collected before each run and not during it, for all ways alike.
"""

from __future__ import annotations

import functools
import gc
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

Way = TypeVar("Way")
Took = dict[str, list[float]]
"""Way to what it took, a figure a round."""


@dataclass(frozen=True)
class Row:
    """What dentframe takes, beside what something else takes.

    Attributes
    ----------
    what, beside : str
        What is done, and what it is compared with.
    ratios : tuple of float
        Ours divided by the other's, one a round: below 1, dentframe takes less.
    of : {"CPU", "wall", "memory", "page faults"}
        What was measured: processor time, elapsed time, memory, or page faults.
    """

    what: str
    beside: str
    ratios: tuple[float, ...]
    of: str = "wall"

    @property
    def median(self) -> float:
        """The ratio to quote."""
        return statistics.median(self.ratios)

    @property
    def cells(self) -> tuple[str, str, str, str, str, str]:
        """The row as text: what, beside, of, median, spread, rounds."""
        spread = f"{digits(min(self.ratios))} – {digits(max(self.ratios))}"
        rounds = str(len(self.ratios))
        return self.what, self.beside, self.of, digits(self.median), spread, rounds


def digits(ratio: float) -> str:
    """A ratio with about two digits that mean something."""
    return f"{ratio:.3f}" if ratio < 0.1 else f"{ratio:.2f}" if ratio < 10 else f"{ratio:.0f}"


def seconds(way: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """The time of a call [s]; what it returns is thrown away after the clock has stopped."""
    gc.collect()
    gc.disable()
    try:
        began = clock()
        kept = way()
        took = clock() - began
    finally:
        gc.enable()
    del kept
    return took


def in_turn(ways: Mapping[str, Way], rounds: int, measure: Callable[[Way], float]) -> Took:
    """Measure all ways in each round, in an order that turns."""
    names = list(ways)
    orders = names, names[::-1]
    with settled():
        for name in names:
            measure(ways[name])
        found = [{n: measure(ways[n]) for n in orders[r % 2]} for r in range(rounds)]
    return {name: [one[name] for one in found] for name in names}


@contextmanager
def settled() -> Iterator[None]:
    """What is there already is no garbage: a collection need not look at it again."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def walls(what: str, ways: Mapping[str, Callable[[], object]], rounds: int) -> list[Row]:
    """Rows of elapsed time, for what waits or works in several threads."""
    return rows_of(what, in_turn(ways, rounds, seconds), "wall")


def cpus(what: str, ways: Mapping[str, Callable[[], object]], rounds: int) -> list[Row]:
    """Rows of processor time, for what works in one thread: others disturb it less."""
    clocked = functools.partial(seconds, clock=time.process_time)
    return rows_of(what, in_turn(ways, rounds, clocked), "CPU")


def rows_of(what: str, took: Took, of: str) -> list[Row]:
    """The first way, which is ours, beside each of the others."""
    ours, *others = took
    return [Row(what, other, ratios(took[ours], took[other]), of) for other in others]


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, ...]:
    """Round by round, what ours is of theirs."""
    return tuple(a / b for a, b in zip(ours, theirs, strict=True))


def show(rows: Iterable[Row]) -> None:
    """Print rows, one below the other."""
    for row in rows:
        what, beside, of, median, spread, rounds = row.cells
        text = f"{of} {median} ({spread}, {rounds} rounds)"
        print(f"{what}\n    beside {beside}: {text}", flush=True)


def wants_quick(argv: Sequence[str]) -> bool:
    """Whether a few small rounds are enough: ``--quick``."""
    return "--quick" in argv
