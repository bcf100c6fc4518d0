"""The workings of a split, as its record keeps them: every step of a meter, and every edge in UTC.

``check.py``, which lies in the record, computes figures and shares from them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from dentframe.metering import blocks
from dentframe.metering.corrections import mean_factor
from dentframe.metering.figures import figures, moving
from dentframe.metering.registers import micros
from dentframe.metering.series import names
from dentframe.money.rounding import exact
from dentframe.times.ranges import stamp
from dentframe.verbs.inputs import VerbKeywords, demand_source, energy_source, series_of

if TYPE_CHECKING:
    import pandas as pd

    from dentframe.metering.cumulative import Cumulative
    from dentframe.metering.series import Floats, Ints
    from dentframe.money.figures import Usage
    from dentframe.money.outcome import Outcome

STEPS = ("series", "source", "element", "start", "end", "opening", "closing", "raw", "measured",
         "corrected", "verdict", "flags")  # fmt: skip
"""The columns of ``steps.csv``."""
_HOUR = 3_600_000_000


def steps_csv(of: Outcome) -> str:
    """``steps.csv``: each step of each register and each interval mean that a figure rests on."""
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n")
    write.writerow(STEPS)
    use = of.whole
    low = min(s.start for x in of.uses for s in x.stays)
    high = max(s.end for x in of.uses for s in x.stays)
    span = micros(low) - 3 * _HOUR, micros(high) + 3 * _HOUR
    bases = {basis for x in of.uses for basis in x.figures}
    if "energy" in bases:
        for c in _series(use, of_demand=False):
            write.writerows(_steps("energy", moving(c, use.rules.edges), span))
    if bases - {"energy"}:
        for c in _series(use, of_demand=True):
            write.writerows(_steps("demand", c, span))
    return out.getvalue()


def _series(use: Usage, *, of_demand: bool) -> list[Cumulative]:
    make = demand_source if of_demand else energy_source
    keywords = VerbKeywords(**use.keywords, refuse=False)
    return series_of(use.frame, make(use.frame, None, "auto"), keywords)


def _steps(name: str, c: Cumulative, span: tuple[int, int]) -> Iterator[tuple[Any, ...]]:
    first = max(int(np.searchsorted(c.t, span[0])) - 1, 0)
    last = min(int(np.searchsorted(c.t, span[1])) + 1, len(c.t) - 1)
    s, e = c.t[first:last], c.t[first + 1 : last + 1]
    raw, measured = (_energies(x, s, e) for x in _others(c))
    corrected, ok, flags = c.inc[first:last], c.ok[first:last], c.flags[first:last]
    shown = _shown(c)
    factor = mean_factor(s, e, c.corrected.fixes) if c.corrected else np.ones(len(s))
    for i in range(len(s)):
        opens, closes = shown.get(int(s[i])), shown.get(int(e[i]))
        opening = None if opens is None else opens[1]
        closing = None if closes is None else closes[0]
        own = _text(raw[i])
        if c.source != "register":
            opening = None  # a mean has no opening: its kW stands where it closes
        plain = opening is not None and closing is not None and factor[i] == 1.0
        if plain and not flags[i] & ~_PLAIN:
            # What the two readings differ by, as a tenant would subtract them.
            whole = exact(closing) - exact(opening)
            told = [f"{whole:f}"] * 3 if ok[i] else [own, "0", "0"]
        else:
            told = [own, _text(measured[i]), _text(corrected[i])]
        yield (
            name, c.source, c.name, _iso(s[i]), _iso(e[i]), _text(opening), _text(closing), *told,
            "use" if ok[i] else "missing", " ".join(names(int(flags[i]))),
        )  # fmt: skip


_PLAIN = sum(1 << k for k in (3, 5, 7, 8, 10, 16))
"""Flags of steps whose energy is what their readings differ by."""


def _others(c: Cumulative) -> tuple[Cumulative, Cumulative]:
    return (c.corrected.raw, c.corrected.measured) if c.corrected else (c, c)


def _energies(c: Cumulative, s: Ints, e: Ints) -> Floats:
    return np.nan_to_num(c.energy(s, e))


def _shown(c: Cumulative) -> dict[int, tuple[float, float]]:
    """What a reading closes and opens with, by instant: two values at an exchange."""
    values = zip(c.at.tolist(), c.readings.tolist(), strict=True)
    return {t: (c.closings.get(t, v), v) for t, v in values}


def _text(value: Any) -> str:
    return "" if value is None or np.isnan(value) else f"{exact(float(value)):f}"


def _iso(t: Any) -> str:
    return stamp(int(t)).strftime("%Y-%m-%dT%H:%M:%S.%fZ").replace(".000000Z", "Z")


def edges_of(of: Outcome) -> list[dict[str, Any]]:
    """``edges.json``: of each use of a line who held what, and its edges as UTC instants."""
    return [_use(of, use) for use in of.uses]


def _use(of: Outcome, use: Usage) -> dict[str, Any]:
    lines = [x.name for x in of.bill.lines if of.use(x.name) is use]
    moved = {}
    if "energy" in use.figures:
        moved = {c.name: c for c in _series(use, of_demand=False)}
    found: dict[str, Any] = {
        "lines": lines,
        "kwh": None if use.bill.kwh is None else str(use.bill.kwh),
        "start": _at(min(s.start for s in use.stays)),
        "end": _at(max(s.end for s in use.stays)),
        "stays": [
            {
                "element": s.element, "kind": s.kind, "party": s.party,
                "start": _at(s.start), "end": _at(s.end),
                **_moved(use, moved.get(s.element), s),
            }
            for s in use.stays
        ],
        "days": use.holders,
    }  # fmt: skip
    if {"coincident", "own_peak"} & {*use.figures}:
        found["blocks"] = [_iso(x) for x in _blocks(use)]
    return found


def _moved(use: Usage, c: Cumulative | None, stay: Any) -> dict[str, str]:
    """Between which instants a stay's energy was measured."""
    if c is None:
        return {}
    s, e = (np.array([micros(x)]) for x in (stay.start, stay.end))
    f = figures(c, s, e, edges=use.rules.edges)
    return {"from": _iso(f.s[0]), "to": _iso(f.e[0])}


def _blocks(use: Usage) -> Iterable[int]:
    how = blocks.cut("block", use.rules.window, None, use.rules.interval)
    low, high = (micros(f(x)) for f, x in (
        (min, [s.start for s in use.stays]), (max, [s.end for s in use.stays])))  # fmt: skip
    s, e = blocks.windows(how, low, high, use.site.zone)
    return [*s.tolist(), *e[-1:].tolist()]


def _at(when: pd.Timestamp) -> str:
    return _iso(micros(when))
