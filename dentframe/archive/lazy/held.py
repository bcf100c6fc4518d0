"""The readings of one meter, read from its files on a worker: its year's file, once a year."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe.archive import hours as _hours
from dentframe.archive import layout, parquet
from dentframe.archive.holding import Holding, choose, page
from dentframe.archive.meters import listed
from dentframe.columns import ordered
from dentframe.errors import IncompleteReadError, IncompleteReadWarning, warn
from dentframe.reading import frame as _frame

if TYPE_CHECKING:
    from dentframe.archive.hours import Mask
    from dentframe.archive.lazy.wanted import Span, Wanted
    from dentframe.archive.meters import Meter
    from dentframe.archive.record import Record
    from dentframe.cloud.window import Window
    from dentframe.cloud.wire import Page

    Pick = Callable[[Sequence[str]], Collection[str]]
    Read = Callable[[Sequence[str], Collection[int]], Holding]

_DAY = 24
_NOTHING = Holding((), (), np.empty(0, np.int64), np.empty((0, 0)))


def table(wanted: Wanted, name: str, pick: Pick) -> _frame.Table:
    """What an archive holds of one meter, clipped to the range.

    Parameters
    ----------
    wanted : Wanted
        The archive, the topics, the range.
    name : str
        The meter.
    pick : callable
        Which of the columns that a year has are read; the rows do not depend on it.

    Raises
    ------
    IncompleteReadError
        Where the archive does not hold all of the range, and that is not to be warned of.
    """
    look = _Look(wanted, wanted.archive.meter(name), pick)
    pages = [found for year in look.years() if (found := look.page(year)) is not None]
    look.tell()
    columns = ordered(dict.fromkeys(c for p in pages for c in p.columns), wanted.topics)
    joined = _frame.join(pages, columns)
    return joined if wanted.span is None else _frame.clip(
        joined, *wanted.span, bracket=wanted.bracket
    )  # fmt: skip


class _Look:
    """One look at a meter, a year at a time; it remembers what is missing."""

    def __init__(self, wanted: Wanted, meter: Meter, pick: Pick) -> None:
        self.wanted, self.meter, self.pick = wanted, meter, pick
        self.now = pd.Timestamp.now("UTC")
        self.missing: list[Window] = []

    def years(self) -> range:
        """The UTC years to look at."""
        if self.wanted.span is None:
            found = [year for path in self._paths() if (year := layout.year_of(path)) is not None]
            found += [int(path.name[:4]) for path in self.meter.part_paths()]
            return range(min(found), max(found) + 1) if found else range(0)
        start, end = self._near(self.wanted.span)
        return range(_year_of(start), _year_of(max(end - 1, start)) + 1)

    def _paths(self) -> list[Any]:
        return listed(self.meter.root / layout.folder_name(self.meter.name), layout.SUFFIX)

    def _near(self, span: Span) -> tuple[int, int]:
        """The hours of the range, with the UTC days in which its bracketing readings lie."""
        start, end = _hours_of(span)
        if not self.wanted.bracket:
            return start, end
        return (_hour(span[0] - pd.Timedelta(1, "us")) // _DAY) * _DAY, (
            _hour(span[1]) // _DAY + 1
        ) * _DAY

    def page(self, year: int) -> Page | None:
        """The rows of a year; None where it has none."""
        if self.meter.part_paths(year):
            merged = self.meter.merged(year)
            return self._cut(year, merged.records, lambda *_: merged)
        try:
            path = layout.year_file(self.meter.root, self.meter.name, year)
            opened = parquet.open_file(path, self.meter.name, year)
        except FileNotFoundError:
            return self._cut(year, (), lambda *_: _NOTHING)
        with opened:
            return self._cut(year, opened.records, replace(opened, threads=False).read)

    def _cut(self, year: int, records: Sequence[Record], read: Read) -> Page | None:
        topics = self._topics(records)
        asked = self._asked(year, records, topics)
        choice = choose(year, tuple(records), asked, topics)
        kept = set(self.pick(choice.columns))
        if not choice.used:
            return None
        narrow = replace(choice, columns=tuple(c for c in choice.columns if c in kept))
        if not any(records[place].lacks for place in choice.used):
            narrow = replace(narrow, used=())  # their reports, of which nobody is told here
        return page(read(narrow.columns, _months(asked, year)), narrow)

    def _topics(self, records: Sequence[Record]) -> tuple[str, ...]:
        if self.wanted.strict:
            return self.wanted.topics
        held = {t for r in records for t in (*r.topics, *r.unasked)}
        return tuple(t for t in self.wanted.topics if t in held) or self.wanted.topics

    def _asked(self, year: int, records: Sequence[Record], topics: tuple[str, ...]) -> Mask:
        """The hours to read; those of the range that are not held are missing."""
        span = self.wanted.span
        if span is None:
            return np.ones(len(_hours.span(year)), np.bool_)
        hours = np.arange(_hours.span(year).start, _hours.span(year).stop)
        owner = _hours.owners(records, year)
        reach = _hours.any_reach(self.now.to_pydatetime())
        held = _hours.held(records, owner, topics, year, reach)
        start, end = _hours_of(span)
        inside = (hours >= start) & (hours < min(end, _hour(self.now) + 1))
        self.missing += sorted(_hours.windows(inside & ~held, year))
        low, high = self._near(span)
        return np.asarray(held & (hours >= low) & (hours < high))

    def tell(self) -> None:
        """Raise or warn of what is missing."""
        if not self.missing:
            return
        shown = ", ".join(map(str, self.missing[:6]))
        more = f" and {len(self.missing) - 6} more" if len(self.missing) > 6 else ""
        text = (
            f"Cannot read all of {self.meter.name} from the archive {self.meter.root}: it does "
            f"not hold {shown}{more} of {', '.join(self.wanted.topics)}, and missing is not "
            'zero. Sync it (dentframe.sync), or take what there is with errors="warn".'
        )
        if self.wanted.errors == "raise":
            raise IncompleteReadError(text, missing=self.missing)
        warn(text, IncompleteReadWarning)


def _hours_of(span: Span) -> tuple[int, int]:
    start, end = span
    return _hour(start), _hour(end - pd.Timedelta(1, "us")) + 1


def _hour(instant: pd.Timestamp) -> int:
    return int(instant.timestamp() // 3600)


def _year_of(hour: int) -> int:
    return pd.Timestamp(hour, unit="h").year


def _months(asked: Mask, year: int) -> set[int]:
    return {month for month, hours in enumerate(_hours.months(year), 1) if asked[hours].any()}
