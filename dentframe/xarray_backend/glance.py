"""What an archive holds of some windows, without its readings: rows, columns and reports."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from dentframe.archive import hours as _hours
from dentframe.archive import layout, parquet
from dentframe.archive.holding import Choice, Holding, choose, page
from dentframe.archive.source import Alone
from dentframe.cloud.job import Answer, Job, narrow_report
from dentframe.cloud.wire_report import Page, Report

if TYPE_CHECKING:
    from dentframe.archive.archive import Archive
    from dentframe.cloud.windows import Window


class Glance(Alone):
    """An archive as the source of a read that wants no readings yet.

    Its pages have their times, the names of their columns and their report, and values of
    shape (rows, 0).
    """

    def read(self, jobs: Iterable[Job]) -> Iterator[Answer]:
        """The answers of the archive, thin, and an error for each window it does not hold."""
        here: dict[tuple[str, tuple[str, ...]], set[Window]] = {}
        years: dict[tuple[str, tuple[str, ...], int], list[Job]] = {}
        for job in jobs:
            key = job.meter, job.topics
            if key not in here:
                here[key] = self.held(*key)
            if job.window in here[key]:
                years.setdefault((*key, job.window.year), []).append(job)
            else:
                yield from super().read([job])
        for group in years.values():
            yield Answer(group[0], self._thin(group), cached=True)
            yield from (Answer(job, cached=True) for job in group[1:])

    def _thin(self, jobs: list[Job]) -> tuple[Page, ...]:
        """The page of some windows of a year."""
        windows = [job.window for job in jobs]
        found = cut(self.archive, jobs[0].meter, windows, jobs[0].topics, ())
        if found is None:
            return ()
        choice, thin = found
        return (replace(thin, columns=choice.columns, report=_report(choice)),)


def _report(choice: Choice) -> Report:
    reports = (choice.records[place].report for place in choice.used)
    return sum((narrow_report(r, set(choice.columns)) for r in reports), Report.zero())


def cut(
    archive: Archive,
    meter: str,
    windows: Collection[Window],
    topics: tuple[str, ...],
    columns: Collection[str],
) -> tuple[Choice, Page] | None:
    """What answers for some windows of a year, and these columns of it; None where nothing does.

    Only the row groups of their months are read, and of them only these columns, but for
    answers that are not settled in their year's file yet.
    """
    year = next(iter(windows)).year
    found, asked = archive.meter(meter), _hours.mask_of(windows, year)
    if found.part_paths(year):
        holding = found.merged(year)
        choice = choose(year, holding.records, asked, topics)
        return _paged(holding, choice, _kept(choice, columns))
    try:
        opened = parquet.open_file(layout.year_file(archive.path, meter, year), meter, year)
    except FileNotFoundError:
        return None
    with opened:
        choice = choose(year, opened.records, asked, topics)
        kept = _kept(choice, columns)
        return _paged(opened.read(kept, {w.month for w in windows}), choice, kept)


def _kept(choice: Choice, columns: Collection[str]) -> tuple[str, ...]:
    wanted = set(columns)
    return tuple(c for c in choice.columns if c in wanted)


def _paged(
    holding: Holding, choice: Choice, columns: tuple[str, ...]
) -> tuple[Choice, Page] | None:
    if not choice.used:
        return None
    return choice, page(holding, replace(choice, columns=columns))
