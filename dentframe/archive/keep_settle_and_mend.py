"""`Meter` keeps one meter's answers on the disk, settles them in years, mends and reads files.

Answers are written one a file and later settled in the file of their year. Whoever reads looks
at the waiting answers first and at the year's file after them: an answer that is settled
meanwhile is then in the file, and one seen in both counts once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dentframe.archive import file_names_and_metadata as layout
from dentframe.archive import merge_and_monthly_coverage as merge
from dentframe.archive import parquet
from dentframe.archive.file_names_and_metadata import TIME, Record
from dentframe.archive.merge_and_monthly_coverage import Holding
from dentframe.archive.parquet import ArchiveFile, DamagedError
from dentframe.cloud.planner import Window
from dentframe.cloud.requests_and_responses import FOREVER, lifetime
from dentframe.errors import ConfigError, UnknownMeterError, did_you_mean
from dentframe.frame import assemble as _frame
from dentframe.frame import meters_and_topics as _request
from dentframe.frame.assemble import runs
from dentframe.frame.meters_and_topics import Request
from dentframe.wire.columns import ordered, topic_of
from dentframe.wire.pages_and_bad_cells import Page, Report, complete, fingerprint

if TYPE_CHECKING:
    import numpy.typing as npt

    from dentframe.archive.archive import Archive
    from dentframe.archive.merge_and_monthly_coverage import Mask
    from dentframe.cloud.read_in_threads import Answer


_OLD = timedelta(days=300)
"""A younger window is not final for being unchanged, so that what is held is not looked up."""


@dataclass(frozen=True)
class Meter:
    """One meter of an archive, as it was on the disk when it was first looked at.

    Parameters
    ----------
    root : pathlib.Path
        The archive.
    name : str
        The meter.
    damaged : dict, optional
        Takes the years whose files cannot be opened, which hold nothing then; without it that
        is an error.
    """

    root: Path
    name: str
    damaged: dict[int, DamagedError] | None = None

    @cached_property
    def waiting(self) -> dict[int, list[Path]]:
        """The files of waiting answers by year."""
        found: dict[int, list[Path]] = {}
        for path in layout.listed(layout.pending_folder(self.root, self.name), layout.PART):
            found.setdefault(layout.year_of(path), []).append(path)
        return found

    @cached_property
    def parts(self) -> dict[int, list[Holding]]:
        """The waiting answers by year."""
        found: dict[int, list[Holding]] = {}
        for year, paths in self.waiting.items():
            for path in paths:
                with contextlib.suppress(FileNotFoundError):  # settled meanwhile
                    found.setdefault(year, []).append(self._part(path))
        return found

    def _part(self, path: Path) -> Holding:
        with ArchiveFile(path, self.name, layout.year_of(path)) as opened:
            return opened.read()

    @cached_property
    def records(self) -> dict[int, tuple[Record, ...]]:
        """What is held, by year, in the order it was read."""
        waiting, found = self.parts, dict[int, tuple[Record, ...]]()
        for year in self.years():
            by_name: dict[Any, Record] = {}
            try:
                with contextlib.suppress(FileNotFoundError), self.open(year) as opened:
                    by_name = {r.name: r for r in opened.records}
            except DamagedError as error:
                if self.damaged is None:
                    raise
                self.damaged[year] = error
            by_name |= {r.name: r for part in waiting.get(year, ()) for r in part.records}
            if by_name:
                found[year] = tuple(by_name[name] for name in sorted(by_name))
        return found

    def years(self) -> list[int]:
        """The years of which anything is held."""
        waiting = self.waiting  # listed first: what is settled meanwhile has a file then
        return sorted({*waiting, *map(layout.year_of, self.settled())})

    def settled(self) -> list[Path]:
        """The files of the years."""
        return layout.listed(self.root / layout.folder_name(self.name), layout.SUFFIX)

    def open(self, year: int) -> ArchiveFile:
        """The file of a year."""
        return ArchiveFile(layout.year_file(self.root, self.name, year), self.name, year)

    @property
    def topics(self) -> set[str]:
        """The topics that were asked for in any answer that is held."""
        return {t for found in self.records.values() for r in found for t in r.topics}

    # --- reading -------------------------------------------------------------------------

    def of_year(self, year: int) -> contextlib.AbstractContextManager[ArchiveFile | Holding]:
        """What is held of a year: its file, or the readings where some wait to be settled."""
        if year not in self.waiting:
            with contextlib.suppress(FileNotFoundError):
                return self.open(year)
        return contextlib.nullcontext(self.merged(year))

    def merged(self, year: int) -> Holding:
        """Everything of a year, settled and waiting."""
        parts = self.parts.get(year, [])
        with contextlib.suppress(FileNotFoundError), self.open(year) as opened:
            parts = [opened.read(), *parts]
        return merge.merge(year, parts)

    def minutes(self, year: int) -> npt.NDArray[np.int64]:
        """The minutes of all rows of a year [min]."""
        with self.of_year(year) as found:
            return found.read((), None).minutes

    def held(self, topics: Iterable[str], now: datetime, *, stale: bool = False) -> set[Window]:
        """The largest windows that are held for all of these topics, as `merge.held` says."""
        wanted, found = tuple(topics), set[Window]()
        for year, records in self.records.items():
            found |= merge.windows(merge.held(records, wanted, year, now=now, stale=stale), year)
        return found

    def pages(
        self,
        windows: Iterable[Window],
        topics: tuple[str, ...],
        columns: Collection[str] | None = None,
    ) -> list[Page]:
        """What is held of some windows, or some columns of it: one page a year.

        Without a column to read, pages have the names of all, and values of shape (rows, 0). Only
        the months of the windows are read, but for answers that are not settled yet.
        """
        asked: dict[int, Mask] = {}
        for window in windows:
            hours = np.zeros(len(merge.hours_of(window.year)), np.bool_)
            asked.setdefault(window.year, hours)[merge.inside(window)] = True
        found = []
        for year, hours in sorted(asked.items()):
            with self.of_year(year) as held:
                page, names = merge.page(year, held, hours, topics, columns)
            if page is not None:
                some = columns is None or columns
                found.append(page if some else replace(page, columns=names))
        return found

    # --- writing -------------------------------------------------------------------------

    def keep(self, answer: Answer, read_at: datetime, units: Mapping[str, str]) -> None:
        """Write one answer down.

        Raises
        ------
        ConfigError
            Where the answer is an error, or `read_at` has no time zone.
        """
        if answer.error is not None:
            raise ConfigError(
                f"Cannot keep {answer.job.meter} {answer.window}: it was not read "
                f"({answer.error}). Keep answers without an error only."
            )
        if read_at.tzinfo is None:
            raise ConfigError(
                f"Cannot keep {answer.job.meter} {answer.window} as read at {read_at}: that has no "
                "time zone. Give an aware datetime, as datetime.now(UTC)."
            )
        page, topics, read_at = _one_page(answer), answer.job.topics, read_at.astimezone(UTC)
        window, mark, since = answer.window, "", None
        seconds = lifetime(page, topics, read_at)
        if seconds != FOREVER:
            mark, since = fingerprint(page), read_at
            earlier = self._last(window, topics) if read_at - window.end > _OLD else None
            if earlier is not None and earlier.fingerprint == mark:
                since = earlier.same_since
            seconds = lifetime(page, topics, read_at, since)
        record = Record(
            window=window,
            topics=topics,
            read_at=read_at,
            until=None if seconds == FOREVER else read_at.timestamp() + seconds,
            complete=complete(page, topics),
            columns=page.columns,
            report=page.report,
            fingerprint=mark,
            same_since=since,
        )
        holding = Holding((record,), page.columns, page.minutes, page.values)
        data = parquet.encode(self.name, window.year, holding, units, quick=True)
        layout.write(self.root, layout.part_file(self.root, self.name, record), data)

    def _last(self, window: Window, topics: tuple[str, ...]) -> Record | None:
        """The answer to the same request that was read last."""
        now = Meter(self.root, self.name)  # this one may have kept something since its first look
        found = [r for p in now.waiting.get(window.year, ()) for r in self._part(p).records]
        with contextlib.suppress(FileNotFoundError), self.open(window.year) as opened:
            found += opened.records
        same = (r for r in found if (r.window, r.topics) == (window, topics))
        return max(same, key=lambda r: r.read_at, default=None)

    def settle(self, units: Mapping[str, str]) -> None:
        """Put the waiting answers in their years' files."""
        for year, waiting in sorted(Meter(self.root, self.name).waiting.items()):
            merged = Meter(self.root, self.name).merged(year)
            path = layout.columns_file(self.root)
            shown, topics = parquet.open_columns(path)
            if shown is None or not set(merged.columns) <= set(shown):
                columns = ordered(dict.fromkeys((*(shown or ()), *merged.columns)))
                layout.write(self.root, path, parquet.encode_columns(columns, topics))
            self._write(year, merged, units)
            for part in waiting:
                part.unlink(missing_ok=True)

    def _write(self, year: int, holding: Holding, units: Mapping[str, str]) -> None:
        data = parquet.encode(self.name, year, holding, units)
        layout.write(self.root, layout.year_file(self.root, self.name, year), data)

    def mend(self, years: Iterable[int]) -> list[tuple[str, str]]:
        """Set damaged files aside, keep what of them is whole, and give old ones checksums.

        Returns
        -------
        list of (str, str)
            What was lost of these years, a window or a year, and why. Nobody holds it now.
        """
        lost = []
        wanted = {*years}
        parts = [path for paths in self.waiting.values() for path in paths]
        settled = [path for path in self.settled() if layout.year_of(path) in wanted]
        for path in (*parts, *settled):
            try:
                if path in settled:
                    lost += self._mend(path)
                else:
                    self._part(path)
            except DamagedError as error:
                layout.move(path, layout.damaged_file(self.root, path))
                lost.append((path.stem.partition("~")[0], str(error)))
        return lost

    def _mend(self, path: Path) -> list[tuple[str, str]]:
        year = layout.year_of(path)
        with ArchiveFile(path, self.name, year) as opened:
            damaged = opened.damaged()
            if opened.sums is not None and not damaged:
                return []
            whole, units = merge.merge(year, list(_undamaged(opened, damaged))), opened.units
        if damaged:
            layout.write(self.root, layout.damaged_file(self.root, path), path.read_bytes())
        self._write(year, whole, units)
        return [
            (str(Window(year, month)), f"damaged in {path}: {', '.join(columns[:3])}")
            for month, columns in damaged.items()
        ]


def _undamaged(opened: ArchiveFile, damaged: Mapping[int, tuple[str, ...]]) -> Iterator[Holding]:
    """What of a file is whole, month after month: the topics without a damaged column."""
    for month in range(1, 13):
        bad = {topic_of(column) for column in damaged.get(month, ())}
        if TIME in bad:
            continue
        kept = [column for column in opened.columns if topic_of(column) not in bad]
        records = []
        for record in (r for r in opened.records if r.window.month == month):
            columns = tuple(c for c in record.columns if topic_of(c) not in bad)
            topics = tuple(t for t in record.topics if t not in bad)
            report = record.report.narrow(columns) if bad else record.report
            records.append(replace(record, topics=topics, columns=columns, report=report))
        if records:
            found = opened.read(kept, {month})
            yield replace(found, records=tuple(r for r in records if r.topics))


def _one_page(answer: Answer) -> Page:
    """The pages of an answer as one."""
    columns = ordered(dict.fromkeys(c for page in answer.pages for c in page.columns))
    table = _frame.join(answer.pages, columns)
    report = Report.total(page.report for page in answer.pages)
    conflicts = {column: len(minutes) for column, minutes in table.conflicts.items()}
    doubled = {c: tuple(runs(at, table.minutes)) for c, at in table.duplicates.items()}
    report = replace(report, conflicts={**report.conflicts, **conflicts}, doubled=doubled)
    return Page(answer.window, table.columns, table.minutes, table.values, report)


def resolve(
    archive: Archive, meter: Any, span: tuple[Any, Any], topics: Any, *, spare: bool = False
) -> Request:
    """Resolve what is asked for, by what the archive has; refuse what it does not have."""
    meters, there = _request.parse_meters(meter), archive.meters()
    for name in meters:
        if name not in there:
            raise UnknownMeterError(
                f"Cannot read meter {name!r}: the archive {archive.path} holds nothing of it"
                f"{did_you_mean(name, there) or '.'} It holds {len(there)} meter(s); sync the "
                "meter first."
            )
    units = archive.units()
    everything = _request.is_everything(topics)
    known = units
    if everything:  # the topics that the archive holds anything of, in the order of getTopics
        held = {t for m in meters for t in Meter(archive.path, m, {} if spare else None).topics}
        known = {t: unit for t, unit in units.items() if t in held} or units
    keys = _request.resolve_topics(topics, known)
    return Request(meters, isinstance(meter, str), *span, keys, everything, units)
