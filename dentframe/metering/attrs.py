"""A frame of readings says here what it is: its times, its meters and the read it came from.

A read leaves a note in ``frame.attrs["dentcloud"]`` (schema 2): units, the range asked for and
the first and last row of each meter, and where readings came twice. pandas copies the note
whatever is done to the frame. So a range is believed only on a side whose outermost row is
still the one that was read: what was sliced, joined, shifted or resampled has its span from its
own rows, and no reading is dropped for a range that is no longer the frame's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from dentframe.errors import RangeError
from dentframe.times.dates_and_ranges import Ints, stamp
from dentframe.wire.columns import ATTRS

SCHEMA = 2
RUNS = 50
"""How many runs of doubled readings a column notes; more are joined to the nearest."""

Side: TypeAlias = int | None
Run: TypeAlias = tuple[int, int, int]
Doubled: TypeAlias = Mapping[str, Mapping[str, Sequence[Run]]]
Names: TypeAlias = Mapping[str, Sequence[str] | None]
_BY_METER = ("ranges", "rows", "conflicts", "duplicates", "elements")


def time_index(frame: pd.DataFrame) -> pd.DatetimeIndex:
    """The frame's times, row by row, whether it holds one meter or several.

    Raises
    ------
    RangeError
        Where the index has no times, or some row has none.
    """
    index = frame.index
    if isinstance(index, pd.MultiIndex):
        index = index.get_level_values(1 - meter_level(index))
    if not isinstance(index, pd.DatetimeIndex):
        kind = "text" if isinstance(index.dtype, pd.StringDtype) else str(index.dtype)
        use = "df.index = pd.to_datetime(df.index, utc=True)"
        if "time" in frame.columns:
            use = 'df = df.set_index(pd.to_datetime(df["time"], utc=True))'
        elif {"element", "start"} <= {*frame.columns}:
            use = "the frame of readings: these are rows that a verb answered"
        elif isinstance(index, pd.RangeIndex):
            use = "df.set_index(...) with a column of times"
        raise RangeError(
            f"Cannot find the times of this frame: its index, {type(index).__name__}, is of "
            f"{kind}; it must be a DatetimeIndex (or a MultiIndex of meter and time). Use {use}."
        )
    if index.hasnans:
        raise RangeError(
            f"Cannot place {int(np.sum(index.isna()))} of {len(index)} rows: they have no time. "
            "Drop them first, e.g. df[df.index.notna()]."
        )
    return index


def meter_level(index: pd.MultiIndex) -> int:
    """Which of the two levels of an index holds the meters; the other one holds the times."""
    levels = [i for i, x in enumerate(index.levels) if isinstance(x, pd.DatetimeIndex)]
    if index.nlevels != 2 or len(levels) != 1:
        raise RangeError(
            f"Cannot read an index of levels {list(index.names)}: the rows of several meters "
            "need exactly two levels, meter and time."
        )
    return 1 - levels[0]


def is_several(frame: pd.DataFrame) -> bool:
    """Whether rows carry their meter: a MultiIndex (meter, time)."""
    return isinstance(frame.index, pd.MultiIndex)


def meter_codes(frame: pd.DataFrame) -> tuple[Ints, dict[str, int]]:
    """Each row's meter as a code, and the code of each meter that has rows."""
    index: Any = frame.index
    level = meter_level(index)
    codes = np.asarray(index.codes[level])
    return codes, {str(index.levels[level][i]): i for i in np.unique(codes).tolist() if i >= 0}


def note_of(frame: pd.DataFrame) -> Mapping[str, Any]:
    """What a read noted in the frame's attrs; nothing where the note is of schema 1."""
    note = frame.attrs.get(ATTRS)
    return note if isinstance(note, Mapping) and note.get("schema") == SCHEMA else {}


def spans(frame: pd.DataFrame) -> dict[str | None, tuple[Side, Side]]:
    """The meters of a frame, and the range that was read of each, as far as it is believed.

    Returns
    -------
    dict
        Meter to start and end [us UTC], each None where nothing tells it or the outermost row
        on that side is not the one that was read. A meter that was read and returned nothing
        is among them. A frame of one meter has one item; None is the meter that nothing names.
    """
    note = note_of(frame)
    ranges, rows = (
        {m: x and _us_of(*x) for m, x in (note.get(of_meters) or {}).items()}
        for of_meters in ("ranges", "rows")
    )
    ends = outermost(frame)
    if is_several(frame):
        silent = [m for m in ranges if rows.get(m) is None]
        meters = sorted({*ends, *silent})
        return {m: _believed(ends.get(m), rows.get(m), ranges.get(m)) for m in meters}
    if not ranges:
        return {None: (None, None)}
    own = ends.get("")
    believed: dict[str | None, tuple[Side, Side]] = {
        m: _believed(own, rows.get(m), span) for m, span in ranges.items()
    }
    if len(ranges) == 1:
        return believed
    # One meter of a read of several, by .loc: its rows tell which, unless others have the same.
    same = [m for m in ranges if own is not None and rows.get(m) == own]
    low, high = ({*side} - {None} for side in zip(*believed.values(), strict=True))
    sides = [found.pop() if len(found) == 1 else None for found in (low, high)]
    return {same[0] if len(same) == 1 else None: (sides[0], sides[1])}


def outermost(frame: pd.DataFrame) -> dict[str, tuple[int, int]]:
    """The first and last instant [us] of each meter that has rows; ``""`` is a single one."""
    found: dict[str, tuple[int, int]] = {}
    with contextlib.suppress(RangeError):  # where there are no times there is nothing to believe
        times = time_index(frame).as_unit("us").asi8
        if not len(times):
            return {}
        if not is_several(frame):
            return {"": (int(times.min()), int(times.max()))}
        codes, names = meter_codes(frame)
        by_code = pd.Series(times).groupby(codes)
        low, high = by_code.min(), by_code.max()
        found = {name: (int(low[i]), int(high[i])) for name, i in names.items()}
    return found


def _believed(own: Any, noted: Any, span: Any) -> tuple[Side, Side]:
    """A range, None on a side where the outermost row is not the one that was noted."""
    if span is None or (own is None) != (noted is None):
        return None, None
    start, end = span
    if own is None:
        return start, end
    return (start if own[0] == noted[0] else None), (end if own[1] == noted[1] else None)


def _us_of(first: Any, last: Any) -> tuple[Any, Any]:
    """Two times of a note as microseconds UTC; None for one that is not known."""

    def us(text: Any) -> Any:
        if text is None:
            return None
        at = pd.Timestamp(text)
        return (at.tz_localize("UTC") if at.tzinfo is None else at).as_unit("us").value // 1000

    return us(first), us(last)


def span_of(
    frame: pd.DataFrame, readings: Iterable[tuple[str | None, int, int]]
) -> tuple[pd.Timestamp | None, pd.Timestamp | None]:
    """The span of a frame: the range that was read, else the time that its readings cover.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns over time or (meter, time).
    readings : iterable of (meter, first, last)
        What each column that has readings covers [us UTC].
    """
    believed, times = spans(frame), time_index(frame)
    covered = [(m, ends) for m, *ends in readings]
    sides: list[pd.Timestamp | None] = []
    for i, furthest in enumerate((min, max)):
        sides_read = [span[i] for span in believed.values()]
        own = [ends[i] for m, ends in covered if believed.get(m, (None, None))[i] is None]
        known = [x for x in [*sides_read, *own] if x is not None]
        outer = (times.min, times.max)[i]
        sides.append(stamp(furthest(known)) if known else outer() if len(times) else None)
    return sides[0], sides[1]


def own_name(frame: pd.DataFrame) -> str | None:
    """The meter of a frame whose rows do not carry it; None where nothing names it."""
    return next(iter(spans(frame)))


def meters_of(frame: pd.DataFrame) -> list[str]:
    """The meters of a frame, in the order of their names, as far as it names them.

    One that was read and returned nothing is among them: it is missing, not absent.
    """
    return [m for m in spans(frame) if m is not None]


def named_elements(frame: pd.DataFrame) -> set[tuple[str, str]]:
    """The elements that were read by their ids (``P1_A``), as (meter, element)."""
    named = note_of(frame).get("elements") or {}
    return {(str(m), str(e)) for m, elements in named.items() for e in elements}


def doubled(frame: pd.DataFrame, what: str, meter: str | None, column: str) -> list[Run]:
    """Where a column had readings twice: the ``"conflicts"`` or ``"duplicates"`` of its read.

    Returns
    -------
    list of (first, last, count)
        The first and last instant of each run of rows [us UTC], and how many there were.
    """
    of_meter = (note_of(frame).get(what) or {}).get(meter or "") or {}
    return [(*_us_of(first, last), int(n)) for first, last, n in of_meter.get(column, ())]


def doubled_columns(frame: pd.DataFrame) -> set[str]:
    """The wire columns that had readings twice, of any meter."""
    kinds = (note_of(frame).get(what) or {} for what in ("conflicts", "duplicates"))
    return {column for by_meter in kinds for columns in by_meter.values() for column in columns}


def runs(at: Ints, among: Ints) -> list[Run]:
    """Instants of rows as runs of rows that follow each other, at most `RUNS` of them.

    Parameters
    ----------
    at : ndarray of int64
        The instants of some rows, rising.
    among : ndarray of int64
        The instants of all rows, rising.
    """
    if not len(at):
        return []
    breaks = np.flatnonzero(np.diff(np.searchsorted(among, at)) > 1)
    edges = [-1, *breaks.tolist(), len(at) - 1]
    return fewer([(int(at[a + 1]), int(at[b]), b - a) for a, b in pairwise(edges)])


def fewer(found: Iterable[Run]) -> list[Run]:
    """Runs in order of time, the nearest of them joined where there are more than `RUNS`."""
    runs = sorted(set(found))
    if len(runs) <= RUNS:
        return runs
    pauses = np.array([b[0] - a[1] for a, b in pairwise(runs)])
    breaks = np.sort(np.argsort(pauses, kind="stable")[-(RUNS - 1) :])
    edges = [0, *(breaks + 1).tolist(), len(runs)]
    groups = [runs[a:b] for a, b in pairwise(edges)]
    return [(g[0][0], max(x[1] for x in g), sum(x[2] for x in g)) for g in groups]


def note(
    units: Mapping[str, str],
    ranges: Mapping[str, tuple[pd.Timestamp, pd.Timestamp]],
    frame: pd.DataFrame,
    *,
    elements: Names = {},  # noqa: B006 - it is read only
    conflicts: Mapping[str, Mapping[str, Sequence[Run]]] = {},
    duplicates: Mapping[str, Mapping[str, Sequence[Run]]] = {},
) -> dict[str, Any]:
    """What a read notes of itself, small and JSON-safe.

    Parameters
    ----------
    units : mapping
        Topic to unit, as getTopics said.
    ranges : mapping
        Meter to the half-open range that was asked for.
    frame : pandas.DataFrame
        What was read; it tells the first and last row of each meter.
    elements : mapping
        Meter to the elements that were asked for by name, if any were.
    conflicts, duplicates : mapping
        Meter to column to the runs of rows that came twice, with different values and the same.
    """
    ends = outermost(frame)
    mine = ends if is_several(frame) else {m: ends[""] for m in ranges if ends}
    rows = {m: mine.get(m) for m in ranges}
    spans = {m: _us_of(a, b) for m, (a, b) in ranges.items()}
    named = {m: list(x) for m, x in elements.items() if x is not None}
    return written(units, spans, rows, named, conflicts, duplicates)


def written(
    units: Mapping[str, str],
    ranges: Mapping[str, tuple[int, int]],
    rows: Mapping[str, tuple[Side, Side] | None],
    elements: Mapping[str, Sequence[str]],
    conflicts: Doubled,
    duplicates: Doubled,
) -> dict[str, Any]:
    """The note of these ranges and rows [us UTC]; a side whose row is None is never believed."""
    return {
        "schema": SCHEMA,
        "units": dict(units),
        "ranges": {m: [iso(a), iso(b)] for m, (a, b) in ranges.items()},
        "rows": {m: None if x is None else [iso(x[0]), iso(x[1])] for m, x in rows.items()},
        "conflicts": _as_text(conflicts),
        "duplicates": _as_text(duplicates),
        **({"elements": dict(elements)} if elements else {}),
    }


def _as_text(found: Doubled) -> dict[str, dict[str, Any]]:
    """Runs as text; columns with the same runs share one list, which is copied once."""
    shared: dict[tuple[Run, ...], list[Any]] = {}

    def text(runs: Sequence[Run]) -> list[Any]:
        return shared.setdefault(tuple(runs), [[iso(a), iso(b), n] for a, b, n in runs])

    whole = {m: {c: text(r) for c, r in columns.items() if r} for m, columns in found.items()}
    return {m: columns for m, columns in whole.items() if columns}


def iso(us: Side) -> str | None:
    """Microseconds UTC as ISO 8601 text."""
    return None if us is None else stamp(us).isoformat()


def keep_meters(frame: pd.DataFrame, meters: Collection[str]) -> None:
    """Take from a frame's note what is not about these meters."""
    whole = note_of(frame)
    if whole:
        about = {k: v for k, v in whole.items() if k in _BY_METER}
        kept = {k: {m: x for m, x in v.items() if m in meters} for k, v in about.items()}
        frame.attrs = {**frame.attrs, ATTRS: {**whole, **kept}}
