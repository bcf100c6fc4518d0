"""`Archive` is a folder of Parquet files with the readings of many meters; a client has the rest.

`ArchiveSource` is the source of a read: what the archive holds comes first, and a client, if there
is one, is asked for what it lacks.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from dentframe.archive import file_names_and_metadata as layout
from dentframe.archive import merge_and_monthly_coverage as merge
from dentframe.archive import parquet
from dentframe.archive.dask_energy_and_peaks import energy, peaks
from dentframe.archive.dask_readings import to_dask
from dentframe.archive.keep_settle_and_mend import Meter, resolve
from dentframe.atomic_files import make_folder
from dentframe.cloud.read_in_threads import Answer, Job
from dentframe.errors import AuthError, ConfigError, OfflineError, import_extra
from dentframe.frame.meters_and_topics import builtin_units, topic_units
from dentframe.frame.read_job_and_warnings import ReadJob, assemble, check_errors, complete
from dentframe.times.dates_and_ranges import Zone, time_range
from dentframe.wire.columns import ordered

if TYPE_CHECKING:
    from dentframe.archive.file_names_and_metadata import Record
    from dentframe.cloud.client import DentCloud
    from dentframe.cloud.planner import Window
    from dentframe.wire.pages_and_bad_cells import Page


class Archive:
    """The readings of many meters, kept in Parquet files that any tool can read.

    Parameters
    ----------
    path : str or path
        The folder. It is made when something is first kept in it.

    Notes
    -----
    One file a meter and UTC year, ``meter=P482311252/2023.parquet``: a column ``time`` (UTC,
    microseconds), and one of float64 for each wire name, in the units of getTopics. What is
    absent is null. `sync` fills it; one process at a time may write, any number may read.

    Examples
    --------
    >>> Archive("portfolio").meters()
    []
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        if not isinstance(path, str) and not hasattr(path, "__fspath__"):
            raise ConfigError(
                f"Cannot open {path!r} as an archive: it is no path of a folder. "
                'Use Archive("portfolio").'
            )
        self.path = Path(path).expanduser()
        if self.path.exists() and not self.path.is_dir():
            raise ConfigError(f"Cannot open {self.path} as an archive: it is a file, no folder.")

    def __repr__(self) -> str:
        return f"Archive({str(self.path)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Archive) and self.path == other.path

    def __hash__(self) -> int:
        return hash(self.path)

    def meters(self) -> list[str]:
        """The meters of which anything is held.

        Returns
        -------
        list of str
            Sorted.
        """
        return layout.meters(self.path)

    def topics(self) -> list[dict[str, str]] | None:
        """What getTopics said when the archive was last synced, or None.

        Raises
        ------
        ConfigError
            Where the file that keeps it is damaged.
        """
        path = layout.columns_file(self.path)
        _, topics = parquet.open_columns(path)
        old = self.path / layout.OWN / "topics.json"  # where files of version 1 kept it
        if topics is None and old.is_file():
            said = {layout.KEY: old.read_bytes()}
            topics = layout.read_metadata(old, said, layout.Topics).topics
        unnamed = [t for t in topics or () if "requestKey" not in t]
        if unnamed:
            raise layout.foreign(path, f"a topic that it keeps has no `requestKey`: {unnamed[0]}")
        return topics

    def units(self) -> dict[str, str]:
        """Topic to unit, as getTopics said; else from the built-in catalogue."""
        kept = self.topics()
        return builtin_units() if kept is None else topic_units(kept)

    # --- what is held --------------------------------------------------------------------

    def meter(self, name: str) -> Meter:
        """One meter as it is on the disk now."""
        return Meter(self.path, name)

    def records(self, meter: str) -> list[Record]:
        """The answers that are held of a meter, by year and in the order they were read."""
        return [r for found in self.meter(meter).records.values() for r in found]

    def coverage(self) -> pd.DataFrame:
        """What is held of each meter and month, what is missing, and why.

        Returns
        -------
        pandas.DataFrame
            One row a (meter, month), from a meter's first held month to its last; the months
            are UTC, named by their first instant. ``windows``: answers held; ``topics``: a
            tuple of request keys; ``hours`` and ``hours_held`` [h], the latter of all these
            topics; ``readings``; ``expected``: readings that the hours held would have at the
            month's median spacing (NA where nothing tells); ``complete``; ``final``: never to
            be asked again; ``read_at``: the oldest answer (NaT: none); ``missing``: what is
            missing and why, empty where nothing is.

        Raises
        ------
        ConfigError
            Where a file of the archive is damaged or is not the archive's.
        """
        return merge.coverage(map(self.meter, self.meters()))

    def held(
        self, meter: str, topics: Iterable[str], *, now: datetime | None = None
    ) -> set[Window]:
        """The windows that need not be asked again, for all of these topics.

        Parameters
        ----------
        meter : str
            The meter.
        topics : iterable of str
            Request keys.
        now : datetime, optional
            The present, aware.

        Returns
        -------
        set of Window
            The largest ones: a month, not its days. As in the cache, a window is held for ever
            where it is complete and had ended 48 h before it was read; other ones for a while.
        """
        return self.meter(meter).held(topics, now or datetime.now(UTC))

    def pages(self, job: Job) -> list[Page]:
        """What is held for a job, as if the service had answered; nothing where nothing is."""
        return self.meter(job.meter).pages([job.window], job.topics)

    def read(
        self,
        meter: Any,
        start: Any,
        end: Any = None,
        topics: Any = None,
        *,
        tz: Zone = "UTC",
        bracket: bool = False,
        quantify: bool = False,
        errors: str = "raise",
    ) -> pd.DataFrame:
        """Read meter data as one frame, from the archive alone: no key, no network.

        Parameters
        ----------
        meter, start, end, topics, tz, bracket, quantify, errors
            As in `read_dentcloud`. ``topics=None``: all that the archive holds of the meters.

        Returns
        -------
        pandas.DataFrame
            The frame that `read_dentcloud` made from the same answers: shape (readings,
            columns), index ``time`` in UTC, float64 in the units of ``.attrs["dentcloud"]``.

        Raises
        ------
        RangeError, UnknownTopicError, ConfigError
            Where an argument cannot be meant, or a file of the archive is damaged.
        UnknownMeterError
            Where the archive holds nothing of a meter.
        IncompleteReadError
            Where it does not hold all of the range: it has ``.partial``, ``.missing`` and
            ``.resume()``, which looks again.
        MissingExtraError
            Where pyarrow is not installed.
        """
        check_errors(errors)
        now, spare = pd.Timestamp.now("UTC"), errors == "warn"
        request = resolve(self, meter, time_range(start, end, tz, now=now), topics, spare=spare)
        reading = ReadJob(ArchiveSource(self, now, spare=spare), request, bracket=bracket, now=now)
        return complete(partial(assemble, quantify=quantify), reading, errors, False)

    to_dask = to_dask
    energy = energy
    peaks = peaks

    # --- keeping -------------------------------------------------------------------------

    def keep_topics(self, topics: Sequence[Mapping[str, str]]) -> None:
        """Keep what ``DentCloud.get_topics()`` said, so that reading needs no service.

        Nothing is written where the same is kept. A damaged file is mended.
        """
        path, found = layout.columns_file(self.path), [dict(topic) for topic in topics]
        try:
            shown, kept = parquet.open_columns(path)
        except ConfigError:
            kept, settled = None, (p for name in self.meters() for p in self.meter(name).settled())
            shown = tuple(dict.fromkeys(c for p in settled for c in parquet.columns_of(p)))
        if kept != found:
            data = parquet.encode_columns(ordered(shown or ()), found)
            layout.write(self.path, path, data)
        (self.path / layout.OWN / "topics.json").unlink(missing_ok=True)

    def keep(self, answer: Answer, read_at: datetime) -> None:
        """Keep an answer; it is on the disk when this returns.

        It replaces what was read earlier of its window and topics. Keeping it again changes
        nothing. One process at a time may write.

        Parameters
        ----------
        answer : Answer
            An answer of ``DentCloud.read``, without an error.
        read_at : datetime
            When the service was asked, aware.

        Raises
        ------
        ConfigError
            Where the answer is an error, or `read_at` has no time zone.
        MissingExtraError
            Where pyarrow is not installed.
        """
        self.meter(answer.job.meter).keep(answer, read_at, self.units())

    def settle(self, meter: str | None = None) -> None:
        """Put what was kept in the files of the years, of one meter or of all.

        Until then answers wait in files of their own, which `read` sees and other tools do not.
        It may be interrupted at any point, and be called again. One process at a time may write.
        """
        units = self.units()
        for name in self.meters() if meter is None else [meter]:
            self.meter(name).settle(units)


def opened(archive: Any) -> Archive:
    """An archive of an archive or a path."""
    return archive if isinstance(archive, Archive) else Archive(archive)


# --- reading: the archive first, a client for the rest ----------------------------------------

_WHOLE = 1e12
"""An hour so large that the planner leaves out none that is held, whatever windows it takes [B]."""


@dataclass(eq=False)
class ArchiveSource:
    """What an archive holds, and a client, if there is one, for what it does not hold.

    Parameters
    ----------
    archive : Archive
        The archive.
    now : datetime
        The present, aware.
    client : callable, optional
        Makes the client, the first time it is needed. Without it the rest is missing, and what
        is held counts whatever its age.
    spare : bool
        Whether what is damaged is missing, and the rest is read; else it is an error.
    columns : collection of str, optional
        The columns to read, as for `Meter.pages`: none for times, names and reports alone.
    """

    archive: Archive
    now: datetime
    client: Callable[[], DentCloud] | None = None
    spare: bool = field(default=False, kw_only=True)
    columns: Collection[str] | None = field(default=None, kw_only=True)
    _meters: dict[str, Meter] = field(default_factory=dict, init=False)

    def _meter(self, name: str) -> Meter:
        """One look at a meter's files serves the plan and the read that follows it."""
        new = Meter(self.archive.path, name, {} if self.spare else None)
        return self._meters.setdefault(name, new)

    def get_meters(self, *, refresh: bool = False) -> list[str]:
        """The meters of the archive; with `refresh` the account's too."""
        more = self.client().get_meters(refresh=True) if self.client and refresh else ()
        return [*self.archive.meters(), *more]

    def get_topics(self, *, refresh: bool = False) -> list[dict[str, str]]:
        """The topics that the archive keeps; with `refresh`, or where it has none, the client's."""
        kept = None if refresh and self.client is not None else self.archive.topics()
        if kept is None and self.client is not None:
            return self.client().get_topics(refresh=refresh)
        builtin = ({"requestKey": t, "unit": unit} for t, unit in builtin_units().items())
        return list(builtin) if kept is None else kept

    def held(self, meter: str, topics: Sequence[str]) -> set[Window]:
        """The windows that archive or cache hold, and that need not be asked again."""
        found = self._meter(meter).held(topics, self.now, stale=self.client is None)
        if self.client is not None:
            # Without a key: enough where the archive holds all; else reading says so.
            with contextlib.suppress(AuthError):
                found |= self.client().held(meter, topics)
        return found

    def bytes_per_hour(self, meter: str, topics: Sequence[str]) -> float | None:
        """What the client knows of the size; without one all that is held is taken [B/h]."""
        if self.client is None:
            return _WHOLE
        try:
            return self.client().bytes_per_hour(meter, topics)
        except AuthError:
            return None

    def read(self, jobs: Iterable[Job]) -> Iterator[Answer]:
        """The answers of the archive; then the client's, or an error for each window it lacks."""
        groups: dict[tuple[str, tuple[str, ...]], list[Job]] = {}
        for job in jobs:
            groups.setdefault((job.meter, job.topics), []).append(job)
        asked: dict[Job, Job] = {}
        try:
            for (name, topics), group in groups.items():
                meter = self._meter(name)
                here = meter.held(topics, self.now, stale=self.client is None)
                whole = {job for job in group if _in(job.window, here)}
                yield from self._answers(meter, [job for job in group if job in whole])
                rest = [job for job in group if job not in whole]
                if self.client is None:
                    for job in rest:
                        damaged = (meter.damaged or {}).get(job.window.year)
                        yield Answer(job, error=damaged or self._lacks(job, here))
                elif rest:
                    of_topic = {t: meter.held([t], self.now) for t in topics}
                    for job in rest:
                        lacked = (t for t in topics if not _in(job.window, of_topic[t]))
                        # An open window grows: parts of different ages would be ragged.
                        part = topics if job.window.end > self.now else tuple(lacked)
                        asked[replace(job, topics=part)] = job
        finally:
            self._meters = {}  # also where the reading ends early: the next one looks anew
        for answer in self.client().read(list(asked)) if self.client and asked else ():
            job = asked[answer.job]
            kept = tuple(t for t in job.topics if t not in answer.job.topics)
            mine = self.archive.pages(replace(job, topics=kept)) if kept else ()
            yield replace(answer, job=job, pages=(*mine, *answer.pages))

    def _answers(self, meter: Meter, jobs: Sequence[Job]) -> Iterator[Answer]:
        """The answers to jobs that a meter holds: the readings of all come with the first.

        One page a year, cut from the year's file at once, is far quicker than twelve joined.
        Where some are damaged, and the rest is to be read, they come window by window.
        """
        if not jobs:
            return
        try:
            pages = meter.pages([job.window for job in jobs], jobs[0].topics, self.columns)
        except parquet.DamagedError as error:
            if not self.spare:
                raise
            if len(jobs) == 1:
                yield Answer(jobs[0], error=error)
            else:
                for job in jobs:
                    yield from self._answers(meter, [job])
            return
        yield Answer(jobs[0], tuple(pages), cached=True)
        yield from (Answer(job, cached=True) for job in jobs[1:])

    def _lacks(self, job: Job, here: set[Window]) -> OfflineError:
        until = max((w.end for w in here), default=job.window.end)
        after = (job.window.end - timedelta(microseconds=1)).date() + timedelta(days=1)
        # That the archive ends before a window, which that of UTC months does for local ones.
        ends = "" if until > job.window.start else (
            f"What it holds ends at {until:%Y-%m-%dT%H:%M} UTC, and local days and months end at "
            f'other hours: sync up to "{after}" (naive times of sync are UTC), or give the command '
            "dentframe sync your --tz. "
        )  # fmt: skip
        return OfflineError(
            f"Cannot read {job.meter} {job.window} from the archive {self.archive.path}: it does "
            f"not hold all of {', '.join(job.topics)}. {ends}"
            "Sync it (dentframe.sync), or use read_dentcloud(..., archive=) to ask the service "
            "for the rest."
        )


def _in(window: Window, here: set[Window]) -> bool:
    return window in here or any(larger.contains(window) for larger in here)


# --- one sync at a time --------------------------------------------------------------------


@contextlib.contextmanager
def lock(root: Path) -> Iterator[None]:
    """Hold the lock of an archive; killed or not, the process that ends frees it.

    Raises
    ------
    ConfigError
        Where another process, or another thread of this one, holds it.
    MissingExtraError
        Where filelock is not installed.
    """
    filelock = import_extra("filelock", "write an archive", "archive")
    path, holder = root / layout.OWN / "sync.lock", root / layout.OWN / "sync.json"
    make_folder(path.parent)
    try:
        held = filelock.FileLock(path, timeout=0).acquire()
    except filelock.Timeout:
        raise ConfigError(
            f"Cannot sync into {root}: {_holder(holder)} is syncing into it. Wait until it ends, "
            "or end it: what it has read is kept, and the lock goes with its process. Reading "
            "the archive needs no lock.",
            retryable=True,
        ) from None
    except (OSError, NotImplementedError) as error:
        raise ConfigError(
            f"Cannot lock the archive with {path}: {getattr(error, 'strerror', None) or error}. "
            "Remove it where it is a link or a folder, see who may write there, and keep the "
            "archive on a local disk or on a share that has locks."
        ) from None
    with held:
        since = datetime.now(UTC).isoformat(timespec="seconds")
        said = {"pid": os.getpid(), "host": socket.gethostname(), "since": since}
        with contextlib.suppress(OSError):  # the lock holds whether this can be said or not
            layout.write(root, holder, json.dumps(said).encode())
        try:
            yield
        finally:
            holder.unlink(missing_ok=True)


def _holder(path: Path) -> str:
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError, RecursionError):
        said = json.loads(path.read_text(encoding="utf-8"))
        return f"process {said['pid']} on {said['host']}, since {said['since']},"
    return "another process"
