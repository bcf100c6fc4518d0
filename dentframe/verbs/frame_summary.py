"""The repr of ``df.dent`` says what a frame holds: span, interval, topics, coverage, oddities.

It tells what one pass over the rows tells; `gaps` and `quality` look closer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from dentframe.display import Card
from dentframe.errors import first_of
from dentframe.frame import select as selection
from dentframe.metering.series import Ints, is_several, rows, spans, time_index
from dentframe.wire.columns import CHANNEL, ELEMENT, is_wire, wire_columns
from dentframe.wire.topics import RESULTS

_LATE = 1.5  # times the interval: a longer spacing is a gap, for the cache too


class RowCounts(NamedTuple):
    """The rows of one meter, those outside the range that was read left out.

    Attributes
    ----------
    t : ndarray of int64
        Distinct instants, rising [us].
    counts : dict
        Wire column to the number of its readings; a meter among several has only columns
        with a reading, for the others need not be its own.
    repeated : int
        Rows that repeat an instant.
    start, end : int or None
        The half-open range that was read [us], as far as the frame tells it.
    """

    t: Ints
    counts: dict[str, int]
    repeated: int
    start: int | None
    end: int | None

    @property
    def interval(self) -> int:
        """The median spacing [us]; 0 below two rows."""
        return int(np.median(np.diff(self.t))) if len(self.t) > 1 else 0

    @property
    def expected(self) -> int:
        """How many rows the span should have."""
        if not self.interval:
            return len(self.t)
        start = self.t[0] - self.interval if self.start is None else self.start
        end = self.t[-1] if self.end is None else self.end
        return max(round(int(end - start) / self.interval), len(self.t))

    @property
    def lacks(self) -> list[int]:
        """What is missing of each gap between rows and at the ends of the range [us]."""
        if not self.interval:
            return []
        first = self.t[0] if self.start is None else min(self.start, self.t[0])
        last = self.t[-1] if self.end is None else self.end
        steps = np.diff(np.r_[first - self.interval, self.t, last])
        return [int(x) - self.interval for x in steps[steps > _LATE * self.interval]]


def row_counts(frame: pd.DataFrame) -> list[RowCounts]:
    """The rows of each meter, meters in the order of their names.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns over time, or over (meter, time), shape (readings, columns).

    Raises
    ------
    RangeError
        Where rows have no time.
    """
    labels, several, believed = wire_columns(frame.columns), is_several(frame), spans(frame)
    filled = frame.loc[:, [is_wire(x) for x in frame.columns]].notna().to_numpy()
    found = []
    for of in rows(frame):
        cells, span = filled[of.order], believed[of.meter]
        repeated = len(cells) - len(of.t)
        if of.first is not None and len(of.first):
            cells = np.logical_or.reduceat(cells, of.first, axis=0)
        inside = slice(*(None if x is None else int(np.searchsorted(of.t, x)) for x in span))
        sums = cells[inside].sum(axis=0).tolist()
        counts = {x: n for x, n in zip(labels, sums, strict=True) if n or not several}
        found.append(RowCounts(of.t[inside], counts, repeated, *span))
    return found


_NAMED = 6


def card(frame: pd.DataFrame) -> Card:
    """What is shown of a frame.

    Parameters
    ----------
    frame : pandas.DataFrame
        Wire-named columns over time, or over (meter, time), shape (readings, columns).

    Returns
    -------
    Card
        `dentframe.display` renders it.
    """
    table = selection.table(frame)
    if not len(table) and frame.shape[1]:
        return Card(
            f"dent, computed, {len(frame):,} rows",
            facts=[("columns", ", ".join(map(str, frame.columns)))],
            notes=["The table of a verb, not readings: to_csv and to_excel write it."],
        )
    found, meters = row_counts(frame), selection.meters(frame)
    computed = all(topic in RESULTS for topic in table["topic"])
    kind = "dent, computed" if computed else "dent"
    intervals = sorted({of.interval for of in found if of.interval})
    others = frame.shape[1] - len(table)
    notes = _notes(frame, table, found)
    if computed:
        notes = ["Figures of a verb, not readings: .quality() is for those.", *notes]
    return Card(
        title=", ".join(x for x in (kind, _named(meters, "meter"), f"{len(frame):,} rows") if x),
        facts=(
            ("span", _span(frame, found, "period" if computed else "reading")),
            ("interval", ", ".join(map(_minutes, intervals))),
            ("elements", ", ".join(selection.elements(frame))),
            ("channels", _named(selection.channels(frame), "channel")),
            ("other columns", f"{others}, which the verbs ignore" if others else ""),
        ),
        heads=("topic", "kind", "unit", "columns>", "coverage>"),
        rows=[_topic(name, part, found) for name, part in table.groupby("topic", sort=False)],
        notes=notes or ["No gap, no blank cell, no time twice; .quality() looks at the values."],
    )


def _named(names: Sequence[str], what: str) -> str:
    """Names, of many only how many there are, the first and the last."""
    if len(names) > _NAMED:
        return f"{len(names)} {what}s, {names[0]} … {names[-1]}"
    return ", ".join(names)


def _span(frame: pd.DataFrame, found: Sequence[RowCounts], row: str) -> str:
    times = time_index(frame)
    starts = [of.start for of in found if of.start is not None]
    ends = [of.end for of in found if of.end is not None]
    if len(starts) == len(ends) == len(found) > 0:
        ends = [min(starts), max(ends)]
        first, last = pd.to_datetime(ends, unit="us", utc=True).tz_convert(times.tz or "UTC")
        meaning = "the range that was read"
    elif len(times):
        first, last, meaning = times.min(), times.max(), f"first to last {row}"
    else:
        return ""
    zone = "without a zone" if times.tz is None else str(times.tz)
    days = (last - first) / pd.Timedelta(days=1)
    length = f"{days:.4g} days" if days >= 2 else f"{24 * days:.4g} h"
    low, high = (x.strftime("%Y-%m-%d %H:%M:%S").removesuffix(":00") for x in (first, last))
    return f"{low} … {high} {zone} ({meaning}, {length})"


def _minutes(us: int) -> str:
    seconds = us / 1e6
    if seconds < 60:
        return f"{seconds:g} s"
    return f"{seconds / 60:.4g} min" if seconds < 3600 else f"{seconds / 3600:.4g} h"


def _topic(name: Any, part: pd.DataFrame, found: Sequence[RowCounts]) -> tuple[str, ...]:
    kind = str(part["kind"].iloc[0]).replace("_", " ")
    units = ", ".join(dict.fromkeys("unknown" if u is None else str(u) for u in part["unit"]))
    there = sum(of.counts.get(x, 0) for of in found for x in part.index)
    due = sum(of.expected * sum(x in of.counts for x in part.index) for of in found)
    if there and there < due:  # 100 or 0 only where all or nothing is there
        share = f"{min(max(100 * there / due, 0.01), 99.99):.2f} %"
    else:
        share = "–" if not due else "100 %" if there else "0 %"
    return str(name), kind, units, str(len(part)), share


def _notes(frame: pd.DataFrame, table: pd.DataFrame, found: Sequence[RowCounts]) -> list[str]:
    """What a reader should know, one sentence each."""
    lacks = [gap for of in found for gap in of.lacks]
    whole, longest = _minutes(sum(lacks)), _minutes(max(lacks, default=0))
    repeated = sum(of.repeated for of in found)
    counted = [(len(of.t), of.counts.get(x, 0)) for of in found for x in table.index]
    blank = sum(every - there for every, there in counted if there)
    silent = [x for x in table.index if len(frame) and not any(of.counts.get(x) for of in found)]
    known = table["scope"].isin([ELEMENT, CHANNEL]) & (table["kind"] != "unknown")
    strange = list(table.index[~known])
    zone = 'The times have no zone: say df.tz_localize("UTC") if they are UTC.'
    sentences = {
        "There are no readings.": not len(frame),
        zone: time_index(frame).tz is None,
        f"{repeated:,} rows repeat a time; .quality() tells whether they agree.": repeated,
        f"1 gap without a row, of {whole}; .gaps() tells where.": len(lacks) == 1,
        f"{len(lacks):,} gaps without a row, {whole} in all, the longest {longest}; "
        ".gaps() lists them.": len(lacks) > 1,
        f"{blank:,} blank cells in rows that came.": blank,
        f"No reading at all in {first_of(silent, _NAMED)}.": silent,
        f"{len(strange)} columns not understood: {first_of(strange, _NAMED)}.": strange,
    }
    return [note for note, holds in sentences.items() if holds]
