"""The module makes energy figures: energy with coverage, status, bounds and flags, per period."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe.errors import ConfigError
from dentframe.metering.cumulative import STATUSES, Cumulative, share, status
from dentframe.metering.series import Flag, names
from dentframe.times.ranges import local, stamp

if TYPE_CHECKING:
    from dentframe.metering.series import Bools, Floats, Ints


EDGES = ("interpolate", "last_reading")
NAT = np.iinfo(np.int64).min
COLUMNS = (
    "start",
    "end",
    "element",
    "energy",
    "coverage",
    "status",
    "lo",
    "hi",
    "readings",
    "expected",
    "source",
    "open_at",
    "open_reading",
    "close_at",
    "close_reading",
    "imported",
    "exported",
    "flags",
)
"""The columns of `detail`, after `meter` where the frame has several."""

CORRECTED = ("raw", "agreed")
"""Those that follow where corrections bear on an element."""


@dataclass(frozen=True)
class Figures:
    """The figures of one series; every array has shape (periods,).

    Attributes
    ----------
    of : Cumulative
        The series.
    starts, ends : ndarray of int64
        The periods [us UTC].
    s, e : ndarray of int64
        The edges between which energy was measured [us UTC]; the periods' own, or moved.
    energy : ndarray of float
        [kWh], NaN where missing (or withheld by `min_coverage`).
    coverage : ndarray of float
        0 to 1.
    flags, status : ndarray of int64
        Flag bits; a position in `STATUSES`.
    """

    of: Cumulative
    starts: Ints
    ends: Ints
    s: Ints
    e: Ints
    energy: Floats
    coverage: Floats
    flags: Ints
    status: Ints


def moving(c: Cumulative, edges: str) -> Cumulative:
    """The series that figures with such edges are taken from: agreed spans move as edges do."""
    moves = edges == "last_reading" and c.corrected is not None
    return (c.corrected.moved or c) if moves and c.corrected else c


def check_edges(edges: str) -> None:
    """Refuse a way to treat edges that is not known."""
    if edges not in EDGES:
        raise ConfigError(f"Cannot use edges={edges!r}: use one of {', '.join(EDGES)}.")


def figures(
    c: Cumulative,
    starts: Ints,
    ends: Ints,
    *,
    edges: str = "interpolate",
    min_coverage: float | None = None,
) -> Figures:
    """The energy of each period ``[start, end)`` of one series.

    Parameters
    ----------
    c : Cumulative
        The series.
    starts, ends : ndarray of int64
        The periods [us UTC], shape (periods,).
    edges : str
        ``"interpolate"``, or ``"last_reading"``: each edge moves to the last reading at or
        before it, where that is at most `max_gap` away.
    min_coverage : float, optional
        Energy is NaN where coverage is below this.
    """
    s, e = starts, ends
    if edges == "last_reading":
        c = moving(c, edges)
        s, e = _moved(c, starts), np.where(_closed(c, ends), _moved(c, ends), ends)
    a, b = c.both_edges(s, e)
    covered = b.covered - a.covered
    energy = np.where(covered > 0, b.energy - a.energy, np.nan)
    coverage = share(covered, e - s)
    flags = c.flags_between(a, b) | a.flags | b.flags
    if min_coverage is not None:
        energy = np.where(coverage < min_coverage, np.nan, energy)
    return Figures(c, starts, ends, s, e, energy, coverage, flags, status(coverage, flags))


def all_figures(
    series: Sequence[Cumulative],
    starts: Ints,
    ends: Ints,
    *,
    edges: str = "interpolate",
    min_coverage: float | None = None,
) -> list[Figures]:
    """The figures of every series."""
    return [figures(c, starts, ends, edges=edges, min_coverage=min_coverage) for c in series]


def _moved(c: Cumulative, x: Ints) -> Ints:
    """Each edge at the last reading at or before it, where one is near enough."""
    if len(c.at) == 0:
        return x
    k = np.searchsorted(c.at, x, side="right") - 1
    last = c.at[np.maximum(k, 0)]
    return np.where((k >= 0) & (x - last <= c.max_gap), last, x)


def _closed(c: Cumulative, x: Ints) -> Bools:
    """Where a reading at or after a closing edge is there: a later one would move the edge."""
    return x <= (c.at[-1] if len(c.at) else NAT)


def detail_of(f: Figures, interval: int) -> dict[str, Any]:
    """All columns of `detail` that are numbers or instants, as arrays of shape (periods,)."""
    withheld = np.isnan(f.energy)
    lo, hi = f.of.bounds(f.s, f.e)
    imported, exported = f.of.split(f.s, f.e)
    return {
        "start": f.starts,
        "end": f.ends,
        "energy": f.energy,
        "coverage": f.coverage,
        "status": f.status,
        "lo": np.where(withheld, np.nan, lo),
        "hi": np.where(withheld, np.nan, hi),
        "readings": f.of.readings_in(f.s, f.e),
        "expected": expected(f.s, f.e, interval),
        **_brackets(f),
        "imported": np.where(withheld, np.nan, imported),
        "exported": np.where(withheld, np.nan, exported),
        "flags": f.flags,
        **_uncorrected(f),
    }


def _uncorrected(f: Figures) -> dict[str, Any]:
    """What the meter itself told, and by how much an agreed figure differs from what it measured.

    Both where no correction bears on the element too: a table may have others.
    """
    if f.of.corrected is None:
        return {"raw": f.energy, "agreed": np.zeros(len(f.energy))}
    raw, measured = (x.energy(f.s, f.e) for x in (f.of.corrected.raw, f.of.corrected.measured))
    return {"raw": raw, "agreed": f.energy - measured}


def expected(s: Ints, e: Ints, interval: int) -> Ints:
    """How many readings each period should have, a half rounded up."""
    return (2 * (e - s) + interval) // (2 * interval)


def _brackets(f: Figures) -> dict[str, Any]:
    """The readings at or around the edges; a mean shows no register, so only their times."""
    at = f.of.at
    opens = np.searchsorted(at, f.s, side="right") - 1
    closes = np.searchsorted(at, f.e, side="left")
    found: dict[str, Any] = {}
    for name, found_at in (("open", opens), ("close", closes)):
        there = (found_at >= 0) & (found_at < len(at))
        k = found_at[there]
        when, value = np.full(len(there), NAT), np.full(len(there), np.nan)
        when[there] = at[k]
        if f.of.source == "register":
            value[there] = f.of.readings[k]
            for at_exchange, closing in f.of.closings.items() if name == "close" else ():
                value[when == at_exchange] = closing
        found[f"{name}_at"], found[f"{name}_reading"] = when, value
    return found


def table(
    meter: Sequence[Figures],
    interval: int,
    tz: dt.tzinfo,
    *,
    with_meter: bool,
    corrected: bool = False,
) -> pd.DataFrame:
    """The rows of one meter, by period, then element.

    Parameters
    ----------
    meter : sequence of Figures
        One per element, all over the same periods.
    interval : int
        The meter's interval [us].
    tz : tzinfo
        The zone of the instants.
    with_meter : bool
        Whether rows name their meter.
    corrected : bool
        Whether rows have the raw figure too, as those of a corrected element do anyway.
    """
    parts = [detail_of(f, interval) for f in meter]
    n = len(meter[0].starts)
    data: dict[str, Any] = {k: np.stack([p[k] for p in parts], axis=1).ravel() for k in parts[0]}
    for k in ("start", "end", "open_at", "close_at"):
        data[k] = local(data[k], tz)
    data["status"] = np.array(STATUSES, dtype=object)[data["status"]]
    data["flags"] = _tuples(data["flags"])
    data["element"] = [f.of.element for f in meter] * n
    data["source"] = [f.of.source for f in meter] * n
    corrected = corrected or any(f.of.corrected is not None for f in meter)
    rows = pd.DataFrame({k: data[k] for k in (*COLUMNS, *(CORRECTED if corrected else ()))})
    if with_meter:
        rows.insert(0, "meter", [f.of.meter for f in meter] * n)
    return rows


def _tuples(bits: Ints) -> Any:
    column = np.empty(len(bits), dtype=object)
    for i, b in enumerate(bits.tolist()):
        column[i] = names(b)
    return column


STEPS = (
    Flag.DECREASE_UNCLASSIFIED
    | Flag.UNEXPLAINED_DECREASE
    | Flag.UNEXPLAINED_JUMP
    | Flag.RESET
    | Flag.AMBIGUOUS_FALL
)
"""What happens at one step of a register, and so has a time."""


def when(c: Cumulative, s: int, e: int, tz: dt.tzinfo) -> str:
    """Between which two readings the first doubtful step of a span lies, ``""`` without one.

    Parameters
    ----------
    c : Cumulative
        The element's series.
    s, e : int
        The span [us UTC].
    tz : tzinfo
        The zone of the times.
    """
    if not len(c.flags):
        return ""
    inside = (c.t[1:] > s) & (c.t[:-1] < e) & ((c.flags & int(STEPS)) != 0)
    found = np.flatnonzero(inside)
    if not len(found):
        return ""
    i = int(found[0])
    low, high = (stamp(int(x)).tz_convert(tz) for x in (c.t[i], c.t[i + 1]))
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return f"between {low:%Y-%m-%d %H:%M} and {high:%H:%M}{more}"
