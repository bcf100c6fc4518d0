"""An archive is the source of a read here: alone, or before the client that has the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from dentframe.archive import merge
from dentframe.archive.meters import Meter, held, pages
from dentframe.archive.parquet import DamagedError
from dentframe.cloud.fetch import Answer, Job
from dentframe.errors import AuthError, OfflineError, UnknownMeterError, did_you_mean
from dentframe.frame import request as _request
from dentframe.frame.request import Request

if TYPE_CHECKING:
    from datetime import datetime

    from dentframe.archive.store import Archive
    from dentframe.cloud.client import DentCloud
    from dentframe.cloud.planner import Window


_WHOLE = 1e12
"""An hour so large that the planner leaves out none that is held, whatever windows it takes [B]."""


class ArchiveOnly:
    """The archive and nothing behind it: what it does not hold is missing.

    Parameters
    ----------
    archive : Archive
        The archive.
    now : datetime
        The present, aware.
    spare : bool
        Whether what is damaged is missing, and the rest is read; else it is an error.
    """

    def __init__(self, archive: Archive, now: datetime, *, spare: bool = False) -> None:
        self.archive, self.now, self.spare = archive, now, spare
        self._meters: dict[str, Meter] = {}

    def _meter(self, name: str) -> Meter:
        """One look at a meter's files serves the plan and the read that follows it."""
        new = Meter(self.archive.path, name, {} if self.spare else None)
        return self._meters.setdefault(name, new)

    def get_meters(self, **_: bool) -> list[str]:
        """The meters of the archive."""
        return self.archive.meters()

    def get_topics(self, **_: bool) -> list[dict[str, str]]:
        """The topics that the archive keeps, else those of the built-in catalogue."""
        kept = self.archive.topics()
        builtin = ({"requestKey": t, "unit": u} for t, u in self.archive.units().items())
        return list(builtin) if kept is None else kept

    def held(self, meter: str, topics: Iterable[str]) -> set[Window]:
        """The windows that are held, whatever their age."""
        return self._held(self._meter(meter), topics)

    def _held(self, meter: Meter, topics: Iterable[str]) -> set[Window]:
        return held(meter, topics, merge.any_reach(merge.utc(self.now)))

    def bytes_per_hour(self, *_: Any, **__: Any) -> float | None:
        """A size that makes the planner take all that is held."""
        return _WHOLE

    def read(self, jobs: Iterable[Job]) -> Iterator[Answer]:
        """The answers of the archive, and an error for each window that it does not hold."""
        try:
            for (name, topics), group in _groups(jobs).items():
                meter = self._meter(name)
                here = self._held(meter, topics)
                yield from self._answers(meter, [job for job in group if _in(job.window, here)])
                for job in (job for job in group if not _in(job.window, here)):
                    damaged = (meter.damaged or {}).get(job.window.year)
                    yield Answer(job, error=damaged or self._lacks(job, here))
        finally:
            self._meters = {}  # also where the reading ends early: the next one looks anew

    def _answers(self, meter: Meter, jobs: Sequence[Job]) -> Iterator[Answer]:
        """The answers that are whole; where some are damaged, window by window."""
        try:
            yield from list(answers(meter, jobs))
        except DamagedError as error:
            if not self.spare:
                raise
            if len(jobs) == 1:
                yield Answer(jobs[0], error=error)
            else:
                for job in jobs:
                    yield from self._answers(meter, [job])

    def _lacks(self, job: Job, here: set[Window]) -> OfflineError:
        return OfflineError(
            f"Cannot read {job.meter} {job.window} from the archive {self.archive.path}: it does "
            f"not hold all of {', '.join(job.topics)}. {_held_until(job, here)}"
            "Sync it (dentframe.sync), or use read_dentcloud(..., archive=) to ask the service "
            "for the rest."
        )


def _held_until(job: Job, here: set[Window]) -> str:
    """That the archive ends before a window, which that of UTC months does for local ones."""
    until = max((w.end for w in here), default=job.window.end)
    if until > job.window.start:
        return ""
    after = (job.window.end - timedelta(microseconds=1)).date() + timedelta(days=1)
    return (
        f"What it holds ends at {until:%Y-%m-%dT%H:%M} UTC, and local days and months end at "
        f'other hours: sync up to "{after}" (naive times of sync are UTC), or give the command '
        "dentframe sync your --tz. "
    )


class ArchiveFirst:
    """The archive, and a client for what it does not hold.

    Parameters
    ----------
    archive : Archive
        The archive.
    client : callable
        Makes the client, the first time it is needed.
    now : datetime
        The present, aware.
    """

    def __init__(self, archive: Archive, client: Callable[[], DentCloud], now: datetime) -> None:
        self.archive, self.client, self.now = archive, client, now

    def get_meters(self, *, refresh: bool = False) -> list[str]:
        """The meters of the archive; with `refresh` the account's too."""
        known = self.archive.meters()
        return [*known, *self.client().get_meters(refresh=True)] if refresh else known

    def get_topics(self, *, refresh: bool = False) -> list[dict[str, str]]:
        """The topics that the archive keeps; with `refresh`, or where it has none, the client's."""
        kept = None if refresh else self.archive.topics()
        return self.client().get_topics(refresh=refresh) if kept is None else kept

    def held(self, meter: str, topics: Iterable[str]) -> set[Window]:
        """The windows that archive or cache hold, and that need not be asked again."""
        wanted = tuple(topics)
        found = self.archive.held(meter, wanted, now=self.now)
        try:
            return found | self.client().held(meter, wanted)
        except AuthError:  # no key: enough where the archive holds all; else reading says so
            return found

    def bytes_per_hour(self, meter: str, topics: Sequence[str]) -> float | None:
        """What the client knows of the size [B/h]."""
        try:
            return self.client().bytes_per_hour(meter, topics)
        except AuthError:
            return None

    def read(self, jobs: Iterable[Job]) -> Iterator[Answer]:
        """The answers of the archive, and the client's for what the archive does not hold."""
        asked: dict[Job, Job] = {}
        for (name, topics), group in _groups(jobs).items():
            meter = self.archive.meter(name)
            here = {t: held(meter, [t], merge.fresh_reach(self.now)) for t in topics}
            whole = [job for job in group if all(_in(job.window, here[t]) for t in topics)]
            yield from answers(meter, whole)
            for job in (job for job in group if job not in whole):
                lacking = tuple(t for t in topics if not _in(job.window, here[t]))
                asked[self._rest(job, lacking)] = job
        if asked:
            yield from self._asked(asked)

    def _rest(self, job: Job, lacking: tuple[str, ...]) -> Job:
        # An open window grows: parts of different ages would be ragged.
        return job if job.window.end > self.now else replace(job, topics=lacking)

    def _asked(self, asked: dict[Job, Job]) -> Iterator[Answer]:
        for answer in self.client().read(list(asked)):
            job = asked[answer.job]
            kept = tuple(t for t in job.topics if t not in answer.job.topics)
            mine = self.archive.pages(replace(job, topics=kept)) if kept else ()
            yield replace(answer, job=job, pages=(*mine, *answer.pages))


def answers(meter: Meter, jobs: Sequence[Job]) -> Iterator[Answer]:
    """The answers to jobs that a meter holds: the readings of all come with the first.

    One page a year, cut from the year's file at once, is far quicker than twelve joined.
    """
    if not jobs:
        return
    found = pages(meter, [job.window for job in jobs], jobs[0].topics)
    yield Answer(jobs[0], found, cached=True)
    yield from (Answer(job, cached=True) for job in jobs[1:])


def _groups(jobs: Iterable[Job]) -> dict[tuple[str, tuple[str, ...]], list[Job]]:
    found: dict[tuple[str, tuple[str, ...]], list[Job]] = {}
    for job in jobs:
        found.setdefault((job.meter, job.topics), []).append(job)
    return found


def _in(window: Window, here: set[Window]) -> bool:
    return window in here or any(larger.contains(window) for larger in here)


def resolve(
    archive: Archive, meter: Any, span: tuple[Any, Any], topics: Any, *, spare: bool = False
) -> Request:
    """Resolve what is asked for, by what the archive has; refuse what it does not have."""
    meters = _request.parse_meters(meter)
    _check_meters(archive, list(meters))
    units = archive.units()
    everything = _request.is_everything(topics)
    known = units
    if everything:  # the topics that the archive holds anything of, in the order of getTopics
        each = (Meter(archive.path, m, {} if spare else None) for m in meters)
        held = {t for m in each for found in m.records.values() for r in found for t in r.topics}
        known = {t: unit for t, unit in units.items() if t in held} or units
    keys = _request.resolve_topics(topics, known)
    return Request(meters, isinstance(meter, str), *span, keys, everything, units)


def _check_meters(archive: Archive, meters: list[str]) -> None:
    known = archive.meters()
    for name in meters:
        if name not in known:
            raise UnknownMeterError(
                f"Cannot read meter {name!r}: the archive {archive.path} holds nothing of it"
                f"{did_you_mean(name, known) or '.'} It holds {len(known)} meter(s); sync the "
                "meter first."
            )
