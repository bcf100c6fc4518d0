"""What an archive holds of each meter and month, what is missing, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe.archive import merge
from dentframe.cloud.answers import topic_of
from dentframe.cloud.planner import Window

if TYPE_CHECKING:
    import numpy.typing as npt

    from dentframe.archive.merge import Mask, Owners
    from dentframe.archive.meters import Meter
    from dentframe.archive.records import Record
    from dentframe.archive.store import Archive


COLUMNS = (
    "windows", "topics", "hours", "hours_held", "readings", "expected", "complete", "final",
    "read_at", "missing",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Month:
    """What is known of a month of a meter."""

    window: Window
    records: tuple[Record, ...]
    topics: tuple[str, ...]
    held: Mask
    minutes: npt.NDArray[np.int64]

    @property
    def spacing(self) -> float | None:
        if len(self.minutes) < 2:
            return None
        return float(np.median(np.diff(self.minutes)))

    @property
    def expected(self) -> Any:
        if not self.held.any():
            return 0
        return pd.NA if self.spacing is None else round(self.held.sum() * 60 / self.spacing)

    @property
    def complete(self) -> bool:
        return bool(self.held.all()) and all(r.complete for r in self.records)


def coverage(archive: Archive) -> pd.DataFrame:
    """The table of `Archive.coverage`."""
    rows: dict[tuple[str, pd.Timestamp], tuple[Any, ...]] = {}
    for name in archive.meters():
        for month in _months(archive.meter(name)):
            rows[name, pd.Timestamp(month.window.start)] = _row(month)
    names, starts = ([key[i] for key in rows] for i in (0, 1))
    months = pd.DatetimeIndex(starts, tz="UTC").as_unit("us")
    index = pd.MultiIndex.from_arrays(
        [pd.Index(names, dtype=object), months], names=["meter", "month"]
    )
    table = pd.DataFrame(list(rows.values()), index=index, columns=list(COLUMNS))
    counts = dict.fromkeys(("windows", "hours", "hours_held", "readings"), "int64")
    flags = dict.fromkeys(("complete", "final"), "bool")
    read_at = pd.to_datetime(table["read_at"], utc=True).dt.as_unit("us")
    return table.astype({**counts, **flags, "expected": "Int64"}).assign(read_at=read_at)


def _row(month: _Month) -> tuple[Any, ...]:
    return (
        len(month.records),
        month.topics,
        len(month.held),
        int(month.held.sum()),
        len(month.minutes),
        month.expected,
        month.complete,
        bool(month.held.all()) and all(r.until is None for r in month.records),
        min((r.read_at for r in month.records), default=None),
        "; ".join(_missing(month)),
    )


def _months(meter: Meter) -> Iterator[_Month]:
    found = [m for year in meter.records for m in _of_year(meter, year)]
    held = [i for i, month in enumerate(found) if month.records]
    known = {(m.window.year, m.window.month): m for m in found}
    if not held:
        return
    first, last = found[held[0]].window, found[held[-1]].window
    for count in range(12 * first.year + first.month - 1, 12 * last.year + last.month):
        window = Window(count // 12, count % 12 + 1)
        nothing = _Month(
            window, (), (), np.zeros(len(window.hours), np.bool_), np.empty(0, np.int64)
        )
        yield known.get((window.year, window.month), nothing)


def _of_year(meter: Meter, year: int) -> Iterator[_Month]:
    records = meter.records[year]
    owner, minutes = merge.owners(records, year), meter.minutes(year)
    for window in (Window(year, m) for m in range(1, 13)):
        first, last = np.searchsorted(minutes, [window.minutes.start, window.minutes.stop])
        yield _month(records, owner, window, minutes[first:last])


def _month(
    records: Sequence[Record],
    owner: Owners,
    window: Window,
    minutes: npt.NDArray[np.int64],
) -> _Month:
    inside = merge.mask_of([window], window.year)
    whose = {t: set(o[inside].tolist()) - {merge.NOBODY} for t, o in owner.items()}
    used = sorted({p for places in whose.values() for p in places})
    topics = tuple(t for p in used for t in records[p].topics)
    topics = tuple(dict.fromkeys(topics))
    held = merge.held(records, owner, topics, window.year, _over_when_read)[inside]
    return _Month(window, tuple(records[p] for p in used), topics, held & bool(topics), minutes)


def _over_when_read(record: Record) -> int:
    return min(record.window.hours.stop, int(record.read_at.timestamp() // 3600))


# --- what is missing, and why ------------------------------------------------------------


def _missing(month: _Month) -> Iterator[str]:
    hours, held = len(month.held), int(month.held.sum())
    if not month.records:
        yield "not read"
    elif held < hours:
        late = any(r.read_at < r.window.end for r in month.records)
        yield f"{hours - held} of {hours} h not {'over when read' if late else 'read'}"
    yield from _lost(month)
    yield from _silent(month)


def _lost(month: _Month) -> Iterator[str]:
    if month.records and not len(month.minutes):
        yield "no readings"
    elif month.expected is not pd.NA and len(month.minutes) < month.expected:
        yield f"{month.expected - len(month.minutes)} of {month.expected} readings"
    # A column that is blank throughout is a spare input of the meter.
    blank = [(n, r.report.rows) for r in month.records for n in r.report.blank.values()]
    kinds = {
        "blank": sum(n for n, rows in blank if n < rows),
        "absent": sum(sum(r.report.absent.values()) for r in month.records),
        "unreadable": sum(n for r in month.records for n, _ in r.report.unreadable.values()),
        "conflicting": sum(sum(r.report.conflicts.values()) for r in month.records),
    }
    yield from (f"{count} {kind} cells" for kind, count in kinds.items() if count)
    rows = sum(r.report.bad_dates + r.report.outside for r in month.records)
    if rows:
        yield f"{rows} rows dropped, their time is unreadable or outside the window"


def _silent(month: _Month) -> Iterator[str]:
    here = {topic_of(c) for r in month.records for c in r.columns}
    silent = [t for t in month.topics if t not in here]
    if silent and len(month.minutes):
        yield f"no column of {', '.join(silent)}"
