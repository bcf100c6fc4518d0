"""Energy in whole nano-kWh, its state, and the readings around an edge. Pure, on one series."""

from __future__ import annotations

from dataclasses import dataclass, fields
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from dentframe.instants import local
from dentframe.metering.cumulative import STATUSES, Cumulative, share, status
from dentframe.metering.figures import detail_of, figures
from dentframe.metering.flags import names
from dentframe.metering.plain import Plain
from dentframe.money.lines import Reading
from dentframe.money.rounding import EXACT, exact

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    import pandas as pd

    from dentframe.metering.rows import Floats, Ints

FLOWS = ("net", "import", "export")
NANO = 1_000_000_000


@dataclass(frozen=True)
class State:
    """How sure a figure is: the worst of its elements."""

    coverage: float
    status: str
    flags: tuple[str, ...]


def steady(c: Cumulative) -> Cumulative:
    """The series with increments of whole nano-kWh, so that a long sum does not drift."""
    return c if isinstance(c, Plain) else _with(c, np.diff(c.E))


def flowing(c: Cumulative, flow: str) -> Cumulative:
    """The rising or the falling increments alone."""
    if flow == "net":
        return c
    inc = np.diff(c.E)
    return _with(c, np.maximum(inc if flow == "import" else -inc, 0.0))


def _with(c: Cumulative, inc: Floats) -> Cumulative:
    whole = np.cumsum(np.rint(inc * NANO).astype(np.int64))
    running = np.concatenate(([0], whole))[: len(c.t)] / NANO
    kept = {f.name: getattr(c, f.name) for f in fields(Cumulative)}
    return Cumulative(**{**kept, "E": running})


def nano(c: Cumulative, x: Ints) -> Ints:
    """E(x) in whole nano-kWh."""
    return np.rint(c.energy_at(x) * NANO).astype(np.int64)


def energy_state(c: Cumulative, s: Ints, e: Ints) -> State:
    """How sure the energy of some stretches is, taken together."""
    coverage = share(np.array([c.covered(s, e).sum()]), np.array([(e - s).sum()]))
    bits = np.array([np.bitwise_or.reduce(c.flags_in(s, e))])
    return State(float(coverage[0]), STATUSES[int(status(coverage, bits)[0])], names(int(bits[0])))


def worst(states: Sequence[State]) -> State:
    """The least coverage, the worst status, all flags."""
    return State(
        min(x.coverage for x in states),
        max((x.status for x in states), key=STATUSES.index),
        tuple(sorted({f for x in states for f in x.flags})),
    )


def reading(c: Cumulative, s: int, e: int, tz: dt.tzinfo, rounds: Any) -> Reading:
    """What one element showed around the edges of a span.

    Parameters
    ----------
    c : Cumulative
        The element's series.
    s, e : int
        The span [us UTC].
    tz : tzinfo
        The zone of the times.
    rounds : callable
        Rounds a quantity.
    """
    a, b = np.array([s], dtype=np.int64), np.array([e], dtype=np.int64)
    told = detail_of(figures(c, a, b), 1)
    inside = {k: bool(c.edge_inside(x)[0][0]) for k, x in (("open", a), ("close", b))}
    at = {k: local(np.asarray(told[f"{k}_at"], dtype=np.int64), tz)[0] for k in inside}
    value = {k: float(told[f"{k}_reading"][0]) for k in inside}
    state = energy_state(c, a, b)
    known = state.status != STATUSES[-1]
    energy = EXACT.divide(Decimal(int(nano(c, b)[0] - nano(c, a)[0])), Decimal(NANO))
    return Reading(
        element=c.name,
        open_at=_time(at["open"]),
        open_reading=None if np.isnan(value["open"]) else exact(value["open"]),
        open_interpolated=inside["open"],
        close_at=_time(at["close"]),
        close_reading=None if np.isnan(value["close"]) else exact(value["close"]),
        close_interpolated=inside["close"],
        energy=rounds(energy) if known else None,
        coverage=state.coverage,
        status=state.status,
        flags=state.flags,
        lo=_bound(told["lo"], rounds),
        hi=_bound(told["hi"], rounds),
    )


def _bound(values: Any, rounds: Any) -> Decimal | None:
    return None if np.isnan(values[0]) else rounds(exact(float(values[0])))


def _time(at: pd.Timestamp) -> pd.Timestamp | None:
    return at if at == at else None  # noqa: PLR0124 - NaT is the only such instant
