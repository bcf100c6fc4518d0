"""`Archive` is a folder of Parquet files that holds the readings of many meters."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from dentframe.archive import file_layout as layout
from dentframe.archive import merge, parquet
from dentframe.archive.dask_frames import energy, peaks, to_dask
from dentframe.archive.meter import Meter
from dentframe.archive.read import ArchiveSource, resolve
from dentframe.atomic_files import make_folder
from dentframe.cloud.planner import Window
from dentframe.errors import ConfigError, missing_extra
from dentframe.frame.meters_topics_and_plan import builtin_units, topic_units
from dentframe.frame.read_job_and_warnings import ReadJob, assemble, check_errors, complete
from dentframe.times.dates_and_ranges import time_range
from dentframe.wire.columns import ordered, topic_of

if TYPE_CHECKING:
    from dentframe.archive.file_layout import Record
    from dentframe.archive.merge import Ints, Mask
    from dentframe.cloud.read_in_threads import Answer, Job
    from dentframe.times.dates_and_ranges import Zone
    from dentframe.wire.page import Page


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
            topics = layout.said_topics(old, old.read_bytes())
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
        return _coverage(self)

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
            kept, folders = None, (self.path / layout.folder_name(name) for name in self.meters())
            settled = (p for folder in folders for p in layout.listed(folder, layout.SUFFIX))
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
    try:
        import filelock
    except ImportError:
        raise missing_extra("write an archive", "archive") from None
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


# --- what is held of each month, what is missing, and why --------------------------------

_COLUMNS = (
    "windows", "topics", "hours", "hours_held", "readings", "expected", "complete", "final",
    "read_at", "missing",
)  # fmt: skip


def _coverage(archive: Archive) -> pd.DataFrame:
    """The table of `Archive.coverage`."""
    found = [(m, *month) for m in archive.meters() for month in _months(archive.meter(m))]
    names = pd.Index([name for name, *_ in found], dtype=object)
    starts = pd.DatetimeIndex([window.start for _, window, _ in found], tz="UTC").as_unit("us")
    index = pd.MultiIndex.from_arrays([names, starts], names=["meter", "month"])
    table = pd.DataFrame([row for *_, row in found], index=index, columns=list(_COLUMNS))
    counts = dict.fromkeys(("windows", "hours", "hours_held", "readings"), "int64")
    flags = dict.fromkeys(("complete", "final"), "bool")
    read_at = pd.to_datetime(table["read_at"], utc=True).dt.as_unit("us")
    return table.astype({**counts, **flags, "expected": "Int64"}).assign(read_at=read_at)


def _months(meter: Meter) -> Iterator[tuple[Window, tuple[Any, ...]]]:
    """The months of a meter, from the first of which anything is held to the last."""
    found = {}
    for year, records in meter.records.items():
        owner, minutes = merge.owners(records, year), meter.minutes(year)
        for window in (Window(year, month) for month in range(1, 13)):
            inside = merge.inside(window)
            places = {place for whose in owner.values() for place in whose[inside].tolist()}
            used = [records[place] for place in sorted(places - {merge.NOBODY})]
            topics = tuple(dict.fromkeys(topic for record in used for topic in record.topics))
            held = merge.held(records, topics, year, stale=True)[inside] & bool(topics)
            first, last = np.searchsorted(minutes, [window.minutes.start, window.minutes.stop])
            if used:
                found[window] = _row(used, topics, held, minutes[first:last])
    starts = [12 * window.year + window.month - 1 for window in found]
    for count in range(min(starts, default=0), max(starts, default=-1) + 1):
        window = Window(count // 12, count % 12 + 1)
        nothing = np.zeros(len(window.hours), np.bool_), np.empty(0, np.int64)
        yield window, found.get(window) or _row((), (), *nothing)


def _row(
    records: Sequence[Record], topics: tuple[str, ...], held: Mask, minutes: Ints
) -> tuple[Any, ...]:
    """What is known of a month: its answers, the hours held, the minutes of its readings."""
    whole, expected = bool(held.all()), cast("Any", pd.NA)
    if not held.any():
        expected = 0
    elif len(minutes) > 1:
        expected = round(held.sum() * 60 / float(np.median(np.diff(minutes))))
    return (
        len(records),
        topics,
        len(held),
        int(held.sum()),
        len(minutes),
        expected,
        whole and all(r.complete for r in records),
        whole and all(r.until is None for r in records),
        min((r.read_at for r in records), default=None),
        "; ".join(_missing(records, topics, held, len(minutes), expected)),
    )


def _missing(
    records: Sequence[Record], topics: Sequence[str], held: Mask, readings: int, expected: Any
) -> Iterator[str]:
    """What is missing of a month, and why."""
    if not records:
        yield "not read"
        return
    if not held.all():
        late = any(r.read_at < r.window.end for r in records)
        lost = len(held) - int(held.sum())
        yield f"{lost} of {len(held)} h not {'over when read' if late else 'read'}"
    if not readings:
        yield "no readings"
    elif expected is not pd.NA and readings < expected:
        yield f"{expected - readings} of {expected} readings"
    reports = [r.report for r in records]
    # A column that is blank throughout is a spare input of the meter.
    kinds = {
        "blank": sum(n for r in reports for n in r.blank.values() if n < r.rows),
        "absent": sum(sum(r.absent.values()) for r in reports),
        "unreadable": sum(n for r in reports for n, _ in r.unreadable.values()),
        "conflicting": sum(sum(r.conflicts.values()) for r in reports),
    }
    yield from (f"{count} {kind} cells" for kind, count in kinds.items() if count)
    rows = sum(r.bad_dates + r.outside for r in reports)
    if rows:
        yield f"{rows} rows dropped, their time is unreadable or outside the window"
    here = {topic_of(c) for r in records for c in r.columns}
    silent = [topic for topic in topics if topic not in here]
    if silent and readings:
        yield f"no column of {', '.join(silent)}"
