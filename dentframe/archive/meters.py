"""From an answer of the service to what the archive keeps of it. Pure.

The files of one meter: kept, settled, read. The archive's edge to the disk.

Answers are written one a file and later settled in the file of their year. Whoever reads looks
at the waiting answers first and at the year's file after them: an answer that is settled
meanwhile is then in the file, and one seen in both counts once.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dentframe.archive import files, parquet
from dentframe.archive import files as layout
from dentframe.archive import merge as _hours
from dentframe.archive.merge import Choice, Holding, choose, merge, page
from dentframe.archive.parquet import Record
from dentframe.cloud.answers import FOREVER, complete, lifetime
from dentframe.errors import ConfigError
from dentframe.frame import assemble as _frame
from dentframe.wire.columns import ordered
from dentframe.wire.page import Page, Report

if TYPE_CHECKING:
    import numpy.typing as npt

    from dentframe.archive.merge import Mask, Reach
    from dentframe.cloud.fetch import Answer
    from dentframe.cloud.planner import Window


@dataclass(frozen=True)
class Meter:
    """One meter of an archive, as it is on the disk now.

    Parameters
    ----------
    root : pathlib.Path
        The archive.
    name : str
        The meter.
    """

    root: Path
    name: str

    @cached_property
    def parts(self) -> dict[int, list[Holding]]:
        """The waiting answers by year."""
        found: dict[int, list[Holding]] = {}
        for path in self.part_paths():
            with contextlib.suppress(FileNotFoundError):  # settled meanwhile
                found.setdefault(int(path.name[:4]), []).append(self._part(path))
        return found

    def part_paths(self, year: int | None = None) -> list[Path]:
        """The files of waiting answers."""
        start = "" if year is None else f"{year:04d}"
        folder = layout.pending_folder(self.root, self.name)
        return [p for p in listed(folder, layout.PART) if p.name.startswith(start)]

    def _part(self, path: Path) -> Holding:
        with parquet.open_file(path, self.name, int(path.name[:4])) as opened:
            return opened.read()

    @cached_property
    def settled(self) -> dict[int, tuple[Record, ...]]:
        """What each year's file says it holds."""
        _ = self.parts  # the waiting answers first, see above
        found = {}
        for year in self._settled_years():
            with contextlib.suppress(FileNotFoundError), self._open(year) as opened:
                found[year] = opened.records
        return found

    def _settled_years(self) -> Iterator[int]:
        for path in listed(self.root / layout.folder_name(self.name), layout.SUFFIX):
            year = layout.year_of(path)
            if year is None:
                raise parquet.foreign(path, "its name is no year's")
            yield year

    def _open(self, year: int) -> parquet.Opened:
        return parquet.open_file(layout.year_file(self.root, self.name, year), self.name, year)

    @cached_property
    def records(self) -> dict[int, tuple[Record, ...]]:
        """What is held, by year, in the order it was read."""
        found = {}
        for year in sorted({*self.parts, *self.settled}):
            waiting = (r for part in self.parts.get(year, ()) for r in part.records)
            by_name = {r.name: r for r in (*self.settled.get(year, ()), *waiting)}
            found[year] = tuple(by_name[name] for name in sorted(by_name))
        return found

    def units(self) -> dict[str, str]:
        """Topic to unit, as the files say."""
        found: dict[str, str] = {}
        for year in self.settled:
            with self._open(year) as opened:
                found |= opened.units
        return found

    # --- reading -------------------------------------------------------------------------

    def page(self, year: int, asked: Mask, topics: tuple[str, ...]) -> Page | None:
        """The readings of some hours of a year; None where there is nothing of it."""
        if self.parts.get(year):
            holding = self.merged(year)
            choice = choose(year, holding.records, asked, topics)
            return page(holding, choice) if choice.used else None
        try:
            opened = self._open(year)
        except FileNotFoundError:
            return None
        with opened:
            choice = choose(year, opened.records, asked, topics)
            return page(_read(opened, choice), choice) if choice.used else None

    def merged(self, year: int) -> Holding:
        """Everything of a year, settled and waiting."""
        parts = self.parts.get(year, [])
        try:
            with self._open(year) as opened:
                return merge(year, [opened.read(), *parts])
        except FileNotFoundError:
            return merge(year, parts)

    def minutes(self, year: int) -> npt.NDArray[np.int64]:
        """The minutes of all rows of a year [min]."""
        if self.parts.get(year):
            return self.merged(year).minutes
        try:
            with self._open(year) as opened:
                return opened.read(()).minutes
        except FileNotFoundError:
            return np.empty(0, np.int64)

    # --- writing -------------------------------------------------------------------------

    def keep(self, holding: Holding, units: Mapping[str, str]) -> None:
        """Write one answer down."""
        (record,) = holding.records
        path = layout.part_file(self.root, self.name, record)
        data = parquet.encode(self.name, record.window.year, holding, units, quick=True)
        files.write(path, data, layout.aside(self.root, path))

    def settle(self, units: Mapping[str, str]) -> None:
        """Put the waiting answers in their years' files."""
        for year in sorted({int(path.name[:4]) for path in self.part_paths()}):
            waiting = self.part_paths(year)
            merged = Meter(self.root, self.name).merged(year)
            show_columns(self.root, merged.columns)
            path = layout.year_file(self.root, self.name, year)
            data = parquet.encode(self.name, year, merged, units)
            files.write(path, data, layout.aside(self.root, path))
            for part in waiting:
                files.remove(part)


def _read(opened: parquet.Opened, choice: Choice) -> Holding:
    first = _hours.span(choice.year).start
    hours = np.flatnonzero(choice.asked) + first
    stamps = np.unique((hours * 3600).astype("M8[s]").astype("M8[M]"))
    months = set((stamps.astype(np.int64) % 12 + 1).tolist())
    return opened.read(choice.columns, months)


def show_columns(root: Path, columns: Iterable[str]) -> None:
    """See that the file without rows shows these columns too."""
    path = layout.columns_file(root)
    shown = parquet.columns_of(path)
    if path.exists() and set(columns) <= set(shown):
        return
    data = parquet.encode_columns(ordered(dict.fromkeys((*shown, *columns))))
    files.write(path, data, layout.aside(root, path))


def listed(folder: Path, suffix: str) -> list[Path]:
    """The files of a folder whose names end so, sorted; none where there is no folder."""
    try:
        with os.scandir(folder) as entries:
            found = sorted(entry.name for entry in entries if entry.name.endswith(suffix))
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [folder / name for name in found]


def names(root: Path) -> list[str]:
    """The meters of an archive, sorted."""
    places = (root, layout.pending_folder(root))
    folders = (Path(f) for place in places if place.is_dir() for f in _folders(place))
    return sorted({m for f in folders if (m := layout.meter_of(f)) is not None})


def _folders(place: Path) -> list[str]:
    with os.scandir(place) as entries:
        return [entry.name for entry in entries if entry.is_dir()]


def held(meter: Meter, topics: Iterable[str], reach: Reach) -> set[Window]:
    """The largest windows for which a meter holds all of these topics."""
    wanted = tuple(topics)
    found: set[Window] = set()
    for year, records in meter.records.items():
        owner = _hours.owners(records, year)
        found |= _hours.windows(_hours.held(records, owner, wanted, year, reach), year)
    return found


def pages(meter: Meter, windows: Iterable[Window], topics: tuple[str, ...]) -> tuple[Page, ...]:
    """What a meter holds of some windows: one page a year."""
    by_year: dict[int, list[Window]] = {}
    for window in windows:
        by_year.setdefault(window.year, []).append(window)
    found = (meter.page(y, _hours.mask_of(ws, y), topics) for y, ws in sorted(by_year.items()))
    return tuple(page for page in found if page is not None)


def holding_of(answer: Answer, read_at: datetime) -> Holding:
    """What there is to keep of an answer.

    Raises
    ------
    ConfigError
        Where the answer is an error, or `read_at` has no time zone.
    """
    _check(answer, read_at)
    columns = ordered(dict.fromkeys(c for page in answer.pages for c in page.columns))
    table = _frame.join(answer.pages, columns)
    report = sum((page.report for page in answer.pages), Report.zero())
    report = replace(report, conflicts={**report.conflicts, **table.conflicting})
    page = Page(answer.window, table.columns, table.minutes, table.values, report)
    record = _record(answer, page, read_at.astimezone(UTC))
    return Holding((record,), table.columns, table.minutes, table.values)


def _record(answer: Answer, page: Page, read_at: datetime) -> Record:
    topics = answer.job.topics
    seconds = lifetime(page, topics, read_at)
    return Record(
        window=answer.window,
        topics=topics,
        read_at=read_at,
        until=None if seconds == FOREVER else read_at.timestamp() + seconds,
        complete=complete(page, topics),
        columns=page.columns,
        report=page.report,
    )


def _check(answer: Answer, read_at: datetime) -> None:
    if answer.error is not None:
        raise ConfigError(
            f"Cannot keep {answer.job.meter} {answer.window}: it was not read ({answer.error}). "
            "Keep answers without an error only."
        )
    if read_at.tzinfo is None:
        raise ConfigError(
            f"Cannot keep {answer.job.meter} {answer.window} as read at {read_at}: that has no "
            "time zone. Give an aware datetime, as datetime.now(UTC)."
        )
