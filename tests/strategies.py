"""Hypothesis strategies: registers with gaps, glitches, resets and exports; demand series.

Values are whole thousandths (Fractions) and times are whole minutes after an origin, so that an
exact oracle and the floats of a frame start from the same decimals.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pandas as pd
from hypothesis import strategies as st

ORIGIN = pd.Timestamp("2024-01-01", tz="UTC")
MILLI = 1000

Row = tuple[int, Fraction | None]


@dataclass(frozen=True)
class Register:
    """Rows of a register and what is known about it."""

    rows: tuple[Row, ...]
    max_kw: Fraction | None = None
    modulus: Fraction | None = None
    allow_export: bool = False
    swaps: tuple[tuple[int, Fraction, Fraction], ...] = ()


def instant(minute: int) -> pd.Timestamp:
    """A minute after the origin as an instant."""
    return ORIGIN + pd.Timedelta(minutes=minute)


def frame_of(rows, column="kWHNet/Elm/A") -> pd.DataFrame:
    """Rows as a frame of one column; a blank is NaN."""
    index = pd.DatetimeIndex([instant(m) for m, _ in rows], tz="UTC", name="time").as_unit("us")
    values = [np.nan if v is None else float(v) for _, v in rows]
    return pd.DataFrame({column: np.array(values, dtype=float)}, index=index)


def thousandths(low, high):
    """Decimals with three places, as Fractions."""
    return st.integers(int(low * MILLI), int(high * MILLI)).map(lambda n: Fraction(n, MILLI))


@st.composite
def minutes(draw, least=2, most=24):
    """Rising minutes: mostly quarter hours with jitter, now and then a gap."""
    spacing = st.one_of(
        st.just(15), st.integers(12, 18), st.just(15), st.integers(1, 90), st.just(180)
    )
    steps = draw(st.lists(spacing, min_size=least - 1, max_size=most - 1))
    return [int(x) for x in np.cumsum([draw(st.integers(0, 20)), *steps])]


def _increments(export):
    low = -3 if export else 0
    return st.one_of(st.just(Fraction(0)), thousandths(low, 4), thousandths(low, 4))


@st.composite
def smooth_registers(draw, least=2, most=24):
    """Registers that only rise, without a rise that could be taken for a jump."""
    at = draw(minutes(least, most))
    start = draw(thousandths(1, 100_000))
    total, values = start, []
    for previous, now in zip([at[0], *at], at, strict=False):
        total += draw(thousandths(1, 2)) * (now - previous) / 15 if now > previous else 0
        values.append(Fraction(round(total * MILLI), MILLI))
    return Register(tuple(zip(at, values, strict=True)))


@st.composite
def registers(draw, least=1, most=24):
    """Registers with what happens: glitches, resets, rollovers, swaps, blanks, copies."""
    at = draw(minutes(max(least, 2), most))
    export = draw(st.booleans())
    max_kw = draw(st.sampled_from([None, Fraction(20), Fraction(50)]))
    export = export and max_kw is not None
    modulus = draw(st.sampled_from([None, Fraction(10_000)])) if max_kw else None
    value = draw(st.sampled_from([Fraction(0), Fraction(3), Fraction(99_990, 10), Fraction(4821)]))
    swap_at = draw(st.one_of(st.none(), st.none(), st.sampled_from(at)))
    rows: list[Row] = []
    swaps = []
    for minute in at:
        if minute == swap_at:
            opening = draw(thousandths(0, 20))
            mistyped = draw(st.sampled_from([0, 0, 0, -1, 9, 9 * value]))
            swaps.append((minute - draw(st.integers(0, 5)), value + mistyped, opening))
            value = opening
        value += draw(_increments(export))
        if modulus is not None and value >= modulus:
            value -= modulus
        event = draw(st.integers(0, 19))
        if event == 0:
            value = draw(thousandths(0, 6))
        if event == 5:
            value += draw(st.sampled_from([Fraction(30), Fraction(130), Fraction(51_789)]))
        seen: Fraction | None = value
        if event == 1:
            seen = draw(st.sampled_from([Fraction(0), value + 500, max(value - 1, Fraction(0))]))
        if event == 2:
            seen = None
        rows.append((minute, seen))
        if event == 3:
            rows.append((minute, seen))
        if event == 4:
            rows.append((minute, draw(st.sampled_from([None, value, value + 1]))))
    rows = draw(st.permutations(rows))
    return Register(tuple(rows), max_kw, modulus, export, tuple(swaps))


@st.composite
def demands_of(draw, register):
    """Interval means at the register's first row of each instant, some near what it says."""
    rows, known = [], dict(reversed(register.rows))
    before = None
    for minute in sorted(known):
        value = known[minute]
        kw = Fraction(0)
        if before is not None and None not in (value, known[before]):
            kw = (value - known[before]) * 60 / (minute - before)
        factor = draw(st.sampled_from([1, 1, Fraction(9, 10), Fraction(7, 10), 2]))
        rows.append((minute, Fraction(round(kw * factor * MILLI), MILLI)))
        before = minute
    return rows


@st.composite
def means(draw, least=1, most=24):
    """Rows of interval means with jitter, early extras, gaps, blanks and copies."""
    at = draw(minutes(max(least, 2), most))
    rows: list[Row] = []
    for minute in at:
        value = draw(thousandths(-2, 30))
        event = draw(st.integers(0, 14))
        rows.append((minute, None if event == 0 else value))
        if event == 1:
            rows.append((minute, value))
        if event == 2:
            rows.append((minute, draw(st.sampled_from([None, value, value + 1]))))
    return tuple(draw(st.permutations(rows)))


@st.composite
def edges(draw, rows, least=2, most=6):
    """Rising edges in and around the rows, often on a row."""
    at = [m for m, _ in rows] or [0]
    near = st.one_of(st.sampled_from(at), st.integers(min(at) - 40, max(at) + 40))
    return sorted(draw(st.sets(near, min_size=least, max_size=most)))
