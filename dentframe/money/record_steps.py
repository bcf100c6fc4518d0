"""The workings of a split are every step of a meter, every edge in UTC, and corrections by parts.

``check.py``, which lies in the record, computes figures and shares from them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe.metering.corrected_series import mean_factor
from dentframe.metering.register_rules import MINUTE, micros
from dentframe.metering.series import names
from dentframe.money.figures import keyed
from dentframe.money.rounding import EXACT, exact, rounded
from dentframe.money.statement import Part
from dentframe.site.corrections import in_force
from dentframe.verbs import demand as blocks
from dentframe.verbs.energy import energy, figures, moving
from dentframe.verbs.inputs import (
    VerbKeywords,
    demand_source,
    energy_source,
    interval_of,
    series_of,
)
from dentframe.wire.columns import split_element

if TYPE_CHECKING:
    from dentframe.metering.energy_and_coverage import Cumulative
    from dentframe.metering.series import Floats
    from dentframe.money.figures import Figure, Row, Usage
    from dentframe.money.split_bill import Run

STEPS = ("series", "source", "element", "start", "end", "opening", "closing", "raw", "measured",
         "corrected", "verdict", "flags")  # fmt: skip
"""The columns of ``steps.csv``."""
_HOUR = 3_600_000_000


def steps_csv(run: Run) -> str:
    """``steps.csv``: each step of each register and each interval mean that a figure rests on."""
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n")
    write.writerow(STEPS)
    use = run.whole
    low = min(s.start for x in run.uses for s in x.occupancies)
    high = max(s.end for x in run.uses for s in x.occupancies)
    span = micros(low) - 3 * _HOUR, micros(high) + 3 * _HOUR
    bases = {basis for x in run.uses for basis in x.figures}
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
    others = (c.corrected.raw, c.corrected.measured, c) if c.corrected else (c,) * 3
    increments = [_increments(x.energy_at(c.t[first : last + 1])) for x in others]
    factor = mean_factor(s, e, c.corrected.fixes) if c.corrected else np.ones(len(s))
    flags, ok, register = c.flags[first:last].tolist(), c.ok[first:last], c.source == "register"
    opens = dict(zip(c.at.tolist(), map(_text, c.readings.tolist()), strict=True))
    closes = opens | {at: _text(x) for at, x in c.closings.items()}  # two values at an exchange
    rows = zip(s.tolist(), e.tolist(), *increments, (factor == 1.0).tolist(), ok.tolist(),
               flags, strict=True)  # fmt: skip
    for start, end, raw, measured, corrected, single, used, bits in rows:
        # A mean has no opening: its kW stands where it closes.
        opening, closing = opens.get(start, "") if register else "", closes.get(end, "")
        values = raw, measured, corrected
        if opening and closing and single and not bits & ~_PLAIN:
            # What the two readings differ by, as a tenant would subtract them.
            whole = f"{Decimal(closing) - Decimal(opening):f}"
            values = (whole, whole, whole) if used else (raw, "0", "0")
        yield (name, c.source, c.name, _iso(start), _iso(end), opening, closing, *values,
               "use" if used else "missing", " ".join(names(bits)))  # fmt: skip


_PLAIN = sum(1 << k for k in (3, 5, 7, 8, 10, 16))
"""Flags of steps whose energy is what their readings differ by."""


def _increments(E: Floats) -> list[str]:
    """What a running total grows by, so that the parts of a span add up to it."""
    total = [Decimal(_text(x)) for x in E.tolist()]
    return [f"{b - a:f}" for a, b in pairwise(total)]


def _text(value: float) -> str:
    """A number without the noise of a float, as `exact` has it."""
    if abs(value) < 1e5:
        return f"{value:.9f}".rstrip("0").rstrip(".")
    return "" if np.isnan(value) else f"{exact(value):f}"


def _iso(t: int) -> str:
    """An instant [us UTC] as text."""
    return f"{np.datetime64(t, 'us')}Z".replace(".000000Z", "Z")


def edges_of(run: Run) -> list[dict[str, Any]]:
    """``edges.json``: of each use of a line who held what, and its edges as UTC instants."""
    found = []
    for use in run.uses:
        low, high = (
            micros(min(s.start for s in use.occupancies)),
            micros(max(s.end for s in use.occupancies)),
        )
        part: dict[str, Any] = {
            "lines": [x.name for x in run.bill.lines if run.use(x.name) is use],
            "kwh": None if use.bill.kwh is None else str(use.bill.kwh),
            "start": _iso(low),
            "end": _iso(high),
            "stays": list(_occupancies(use)),
            "days": use.holders,
        }
        if {"coincident", "own_peak"} & {*use.figures}:
            how = blocks.cut("block", use.rules.window, None, use.rules.interval)
            s, e = blocks.windows(how, low, high, use.site.zone)
            part["blocks"] = [_iso(x) for x in (*s.tolist(), *e[-1:].tolist())]
            part["window"] = how.window
            part["interval"] = {
                x.element: interval_of(use.rules.interval, split_element(x.element)[0]) // MINUTE
                for x in use.occupancies
            }
        found.append(part)
    return found


def _occupancies(use: Usage) -> Iterator[dict[str, str]]:
    """Who held what, and between which instants its energy was measured."""
    series = _series(use, of_demand=False) if "energy" in use.figures else []
    registers = {c.name: c for c in series}
    for x in use.occupancies:
        start, end = micros(x.start), micros(x.end)
        row = {
            "element": x.element, "kind": x.kind, "party": x.party,
            "start": _iso(start), "end": _iso(end),
        }  # fmt: skip
        if x.element in registers:
            edges = np.array([start]), np.array([end])
            f = figures(registers[x.element], *edges, edges=use.rules.edges)
            row |= {"from": _iso(int(f.s[0])), "to": _iso(int(f.e[0]))}
        yield row


# --- a corrected meter, part by part ------------------------------------------------------


def parts(use: Usage, f: Figure) -> tuple[Part, ...]:
    """What a register that a factor corrects showed and counts for, part by part.

    A reading where the factor changes is calculated: no meter showed it. At an exchange the old
    meter's closing ends a part, and the new one's opening begins the next.
    """
    zone, low, high = use.site.zone, f.row.get("open_at"), f.row.get("close_at")
    key, opening = f.element, f.row.get("open_reading")
    own = [x for x in in_force(use.site.corrections, zone) if x.element == key]
    fixes = [(*x.span(zone), x.factor) for x in own if x.factor is not None]
    if not fixes or low is None or pd.isna(low) or pd.isna(high) or pd.isna(opening):
        return ()
    swaps = {use.site.instant(at): (a, b) for at, a, b in use.site.elements[key].swaps}
    swaps |= {
        x.span(zone)[0]: (float(x.closing), float(x.opening))
        for x in own
        if x.closing is not None and x.opening is not None
    }
    inner = {x for *span, _ in fixes for x in span} | {*swaps}
    edges, found = sorted({low, high} | {x for x in inner if low < x < high}), []
    table = energy(use.frame, edges, detail=True, min_coverage=0, **use.keywords)
    rows, places = keyed(table, "start"), use.rules.places
    mine = [rows[key, x.tz_convert("UTC")] for x in edges[:-1]]
    # What the register closes and opens with at each edge, and whether somebody read it.
    shown = [(opening, opening, True), *map(_register, edges[1:], mine, [*mine[1:], {}])]
    shown = [
        (*swaps[x], True) if x in swaps else read for x, read in zip(edges, shown, strict=True)
    ]
    for (start, end), row, opens, closes in zip(
        pairwise(edges), mine, shown, shown[1:], strict=False
    ):
        times = next((x for a, b, x in fixes if a <= start < b), None) or Decimal(1)
        first, last = rounded(float(opens[1]), places), rounded(float(closes[0]), places)
        by_hand = rounded(EXACT.multiply(EXACT.subtract(last, first), times), places)
        used = rounded(float(row["energy"]), places)
        # What the printed readings give, unless more than their rounding lies between.
        near = abs(by_hand - used) <= (times + 1) * Decimal(1).scaleb(-(places or 9))
        counted = by_hand if near or {start, end} & {*swaps} else used
        unseen = ("opening",) * (not opens[2]) + ("closing",) * (not closes[2])
        found.append(Part(start, end, first, last, times, counted, unseen))
    return tuple(found) if any(x.factor != 1 for x in found) else ()


def _register(at: pd.Timestamp, before: Row, after: Row) -> tuple[float, float, bool]:
    """What a register closes and opens with at an instant, and whether it was read then."""
    high, closing = before["close_at"], float(before["close_reading"])
    if high == at:
        return closing, closing, True
    low, opening = after["open_at"], float(after["open_reading"])
    between = opening + (closing - opening) * ((at - low) / (high - low))
    return between, between, False
