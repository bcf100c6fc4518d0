"""`sync` copies a portfolio into an archive: it plans, asks, keeps, settles and reports.

What is asked for is what the archive lacks: the windows of each meter that it does not hold for
good. Each answer is on the disk before the next one is taken.
"""

from __future__ import annotations

import contextlib
import math
import time
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

import pandas as pd

from dentframe.archive import file_names_and_metadata as layout
from dentframe.archive.archive import Archive, lock, opened
from dentframe.cloud.client import DentCloud, default_client
from dentframe.cloud.planner import Window, plan
from dentframe.cloud.read_in_threads import Answer, Job, stops_all
from dentframe.display import Card, WithCard
from dentframe.errors import AuthError, ConfigError
from dentframe.frame.meters_and_topics import resolve
from dentframe.times.dates_and_ranges import time_range


class MeterPlan(NamedTuple):
    """What is read of one meter.

    Attributes
    ----------
    windows : tuple of Window
        To be read, in the order of time.
    cached : int
        How many of them the client's cache serves.
    held : int
        How many windows of the span the archive holds already.
    """

    windows: tuple[Window, ...]
    cached: int
    held: int


@lru_cache(maxsize=256)  # a plan that thousands of meters share is in memory once
def plan_meter(
    start: datetime,
    end: datetime,
    now: datetime,
    held: frozenset[Window] = frozenset(),
    cached: frozenset[Window] = frozenset(),
    bytes_per_hour: float | None = None,
) -> MeterPlan:
    """What is to be read of a span of a meter, given what archive and cache hold of it.

    Parameters
    ----------
    start, end, now : datetime
        The half-open span, and the present: nothing that begins later is asked for.
    held, cached : frozenset of Window
        What the archive need not be given again; what the client's cache serves.
    bytes_per_hour : float, optional
        What an hour of the meter weighs in an answer [B/h].
    """
    chosen = plan(start, end, now=now, cached=held | cached, bytes_per_hour=bytes_per_hour)
    windows = tuple(window for window in chosen if window not in held)
    return MeterPlan(windows, len(cached.intersection(windows)), len(chosen) - len(windows))


def jobs(plans: Mapping[str, MeterPlan], topics: tuple[str, ...]) -> Iterator[Job]:
    """The jobs one by one, a meter's years in order, so that few are open at a time."""
    return (Job(m, window, topics) for m, one in plans.items() for window in one.windows)


_SHOWN = 10


class Missing(NamedTuple):
    """One window that is missing."""

    meter: str
    window: str
    reason: str


@dataclass(frozen=True, repr=False)
class SyncReport(WithCard):
    """What a sync did; every window of its span is kept, empty, held or failed.

    Attributes
    ----------
    archive : str
        The archive's folder.
    meters : int
        How many meters were synced.
    start, end : pandas.Timestamp
        The half-open span, UTC.
    topics : tuple of str
        The request keys.
    requests : int
        The getData requests that were sent, retries included.
    kept : int
        Windows that were read and kept.
    empty : int
        Windows for which the service has no reading; that is kept too.
    held : int
        Windows that the archive held already: complete, and 48 h old when they were read.
    failures : tuple of Missing
        Windows that could not be read, each with its reason.
    bytes : int
        The bodies of the answers together, without those from the cache [B].
    seconds : float
        How long it took [s].
    stopped : str or None
        Why it stopped before its end: an outage, a used-up quota.
    damaged : tuple of Missing
        Windows, or years, whose bytes on the disk had changed: the archive no longer holds
        them, what lay in the span was asked for again, and the files are in
        ``.dentframe/damaged``.

    Examples
    --------
    >>> report = sync("P482311252", "2023-12", topics="kWHNet", archive="meters", progress=False)
    >>> len(report.missing)
    0
    """

    archive: str
    meters: int
    start: pd.Timestamp
    end: pd.Timestamp
    topics: tuple[str, ...]
    requests: int = 0
    kept: int = 0
    empty: int = 0
    held: int = 0
    failures: tuple[Missing, ...] = ()
    bytes: int = 0
    seconds: float = 0.0
    stopped: str | None = None
    damaged: tuple[Missing, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is missing."""
        return not self.failures

    @property
    def failed(self) -> int:
        """Windows that could not be read."""
        return len(self.failures)

    @property
    def missing(self) -> pd.DataFrame:
        """What is missing and why, one row a window: ``meter``, ``window``, ``reason``."""
        return pd.DataFrame(list(self.failures), columns=list(Missing._fields), dtype="str")

    def as_dict(self) -> dict[str, Any]:
        """The report as plain values, ready for JSON."""
        plain = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "failures"}
        return plain | {
            "start": self.start.isoformat(),
            "end": self.end.isoformat(),
            "topics": list(self.topics),
            "failed": self.failed,
            "ok": self.ok,
            "damaged": [one._asdict() for one in self.damaged],
            "missing": [one._asdict() for one in self.failures],
        }

    def __str__(self) -> str:
        return "\n".join(self._lines(self.failures[:_SHOWN]))

    __repr__ = __str__

    def _card(self) -> Card:
        """The text, with the missing windows as a table."""
        title, *notes = self._lines(())
        return Card(title, heads=Missing._fields, rows=self.failures[:_SHOWN], notes=notes)

    def _lines(self, missing: Sequence[Missing]) -> list[str]:
        """The text, with a line for each of these windows."""
        span = f"{self.start:%Y-%m-%d %H:%M} to {self.end:%Y-%m-%d %H:%M} UTC"
        kept = f"{self.kept} kept, {self.held} held already, {self.empty} without a reading"
        lines = [
            f"Synced {self.meters} meter(s), {span}, into {self.archive}",
            f"  {self.requests} request(s), {_size(self.bytes)}, {spoken(self.seconds)}",
            f"  windows: {kept}, {self.failed} missing",
        ]
        lines += [f"  stopped: {self.stopped}"] if self.stopped else []
        lines += [f"  damaged {m.meter} {m.window}: {m.reason}" for m in self.damaged[:_SHOWN]]
        lines += [f"  missing {m.meter} {m.window}: {m.reason}" for m in missing]
        return lines + [f"  and {self.failed - _SHOWN} more: see .missing"] * (self.failed > _SHOWN)


def counted(report: SyncReport, answer: Answer) -> SyncReport:
    """The report with one answer more."""
    error, rows = answer.error, bool(answer.rows)
    good = error is None
    return replace(
        report,
        requests=report.requests + answer.sends,
        kept=report.kept + (good and rows),
        empty=report.empty + (good and not rows),
        bytes=report.bytes + (0 if answer.cached else answer.size),
        stopped=str(error) if error is not None and stops_all(error) else report.stopped,
    )


def _size(size: float) -> str:
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


_REMEMBERED = 300
"""The pace is that of so many answers: a minute's at the service's limit."""


def spoken(seconds: float) -> str:
    """A time as one says it: ``50 s``, ``12 min``, ``3 h 20 min``, ``1 d 9 h``; rounded up."""
    minutes = math.ceil(seconds / 60)
    if seconds <= 90:
        return f"{math.ceil(seconds)} s"
    if minutes < 90:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {rest} min"
    days, hours = divmod(math.ceil(minutes / 60), 24)
    return f"{days} d {hours} h"


class Bar:
    """A progress bar on standard error, over windows, with an honest time to go.

    Parameters
    ----------
    windows, requests : int
        What there is to read, and the requests it takes.
    rate : float
        The rate limit [1/s].
    shown : bool or None
        None: in a terminal or a notebook.
    clock : callable
        As ``time.monotonic``.
    """

    def __init__(
        self,
        windows: int,
        requests: int,
        rate: float,
        shown: bool | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._left, self._rate, self._clock = requests, rate, clock
        self._times: deque[float] = deque(maxlen=_REMEMBERED)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from tqdm.auto import tqdm
        off = (None if shown is None else not shown) if windows else True
        form = "{l_bar}{bar}| {n_fmt}/{total_fmt} windows [{elapsed}{postfix}]"
        self._bar = tqdm(total=windows, unit="window", leave=False, disable=off, bar_format=form)
        self._bar.set_postfix_str(f"{spoken(self.to_go)} to go")

    def step(self, *, asked: bool) -> None:
        """Note a window that is done, and whether it was asked for."""
        if asked:
            self._left -= 1
            self._times.append(self._clock())
        self._bar.set_postfix_str(f"{spoken(self.to_go)} to go", refresh=False)
        self._bar.update()

    @property
    def to_go(self) -> float:
        """How long the rest takes: at the pace observed, at most the rate limit [s]."""
        steps = len(self._times) - 1
        pace = (self._times[-1] - self._times[0]) / steps if steps > 0 else 0.0
        return max(self._left, 0) * max(pace, 1 / self._rate)

    def close(self) -> None:
        """Clear it."""
        self._bar.close()


def sync(
    meters: Any,
    start: Any,
    end: Any = None,
    topics: Any = None,
    *,
    archive: Any,
    client: DentCloud | None = None,
    progress: bool | None = None,
) -> SyncReport:
    """Bring an archive up to date with the cloud.

    Asks for the windows of the span that the archive does not hold for good, meter after
    meter, within the account's limits. Each answer is safe on disk before the next is asked
    for, so a sync can be killed at any moment, and the next one asks for the rest. Windows
    that are open, or ended less than 48 h before they were read, or are incomplete, are read
    again as the reader's cache would: late data is picked up.

    Parameters
    ----------
    meters : str, list of str or None
        A meter, several, or None for all of getMeters. An element stands for its whole meter.
    start, end : str, date, datetime, Timestamp or Period
        The half-open range ``[start, end)``, naive values in UTC. ``end=None``: `start`
        names a whole year, month or day; ``end="now"``: up to now. What is synced is the
        whole UTC windows that contain it.
    topics : str or list of str, optional
        Request keys, or units where no key matches. None: all.
    archive : Archive or path-like
        The archive, or its folder, which is made where it is missing.
    client : DentCloud, optional
        By default one per process. Its cache serves what it holds, and is not filled.
    progress : bool, optional
        Show a progress bar on standard error; None: in a terminal or a notebook.

    Returns
    -------
    SyncReport
        Counts of requests and windows, and ``.missing``: what could not be read, and why. A
        window that fails does not stop the others; an outage or a used-up quota does, and
        what is left is missing for that reason.

    Raises
    ------
    RangeError, UnknownTopicError, UnknownMeterError
        Where an argument cannot be meant.
    ConfigError
        Where another sync of the archive is under way, or the archive cannot be written.
    AuthError
        Where the service refuses the key; what was read until then is kept.

    Examples
    --------
    >>> report = sync("P482311252", "2023-12", topics="kWHNet", archive="meters", progress=False)
    >>> report.ok, report.requests
    (True, 1)
    >>> sync("P482311252", "2023-12", topics="kWHNet", archive="meters", progress=False).requests
    0
    """
    client = client or default_client()
    now = pd.Timestamp(client.now())
    span = time_range(start, end, "UTC", now=now)
    request = resolve(client, client.get_meters() if meters is None else meters, span, topics)
    store = opened(archive)
    begun = time.monotonic()
    with lock(store.path):
        with _writing(store):
            for half in (store.path / layout.OWN / "aside").glob("*"):
                half.unlink(missing_ok=True)  # a killed sync was writing it: it has no place yet
            store.keep_topics(client.get_topics())
            # What is damaged of the years to be synced is set aside, and so asked for again.
            years = range(request.start.year, request.end.year + 1)
            mended = {meter: store.meter(meter).mend(years) for meter in request.meters}
            damaged = [Missing(meter, *lost) for meter, all_ in mended.items() for lost in all_]
        topics = request.topics
        plans = {
            meter: plan_meter(
                request.start,
                request.end,
                now,
                frozenset(store.held(meter, topics, now=now)),
                frozenset(client.held(meter, topics)),
                client.bytes_per_hour(meter, topics),
            )
            for meter in request.meters
        }
        windows = sum(len(one.windows) for one in plans.values())
        requests = windows - sum(one.cached for one in plans.values())
        report = SyncReport(
            str(store.path), len(request.meters), request.start, request.end, topics,
            held=sum(one.held for one in plans.values()), damaged=tuple(damaged),
        )  # fmt: skip
        with contextlib.closing(Bar(windows, requests, client.rate, progress)) as bar:
            report = _read_all(store, client, plans, report, bar)
    return replace(report, seconds=time.monotonic() - begun)


def _read_all(
    store: Archive, client: DentCloud, plans: Mapping[str, MeterPlan], report: SyncReport, bar: Bar
) -> SyncReport:
    """Read what the plans say into the archive; after a refused key what was read is settled."""
    failures: list[Missing] = []
    left = Counter({meter: len(one.windows) for meter, one in plans.items()})
    settled: Future[None] = Future()
    settled.set_result(None)

    def to_ask() -> Iterator[Job]:
        for job in jobs(plans, report.topics):
            if report.stopped is None:
                yield job
            else:
                why = f"not asked for, since: {report.stopped}"
                failures.append(Missing(job.meter, str(job.window), why))

    def settle_rest() -> None:  # also what a sync that was killed has left
        with _writing(store):
            settled.result()
            store.settle()

    with ThreadPoolExecutor(1, thread_name_prefix="dentframe-settle") as pool:
        try:
            for answer in client.read(to_ask(), eager=False, store=False):
                report, meter = counted(report, answer), answer.job.meter
                if answer.error is not None:
                    failures.append(Missing(meter, str(answer.job.window), str(answer.error)))
                elif answer.read_at is not None:
                    with _writing(store):
                        store.keep(answer, answer.read_at)
                left[meter] -= 1
                if not left[meter]:
                    with _writing(store):
                        settled.result()
                    # While a meter's years are written, the next one is asked for.
                    settled = pool.submit(store.settle, meter)
                bar.step(asked=not answer.cached)
        except AuthError:
            settle_rest()
            raise
        settle_rest()
    return replace(report, failures=tuple(failures))


@contextlib.contextmanager
def _writing(store: Archive) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"Cannot write to the archive {store.path}: {error}. What was kept before is safe. "
            "Make room, or see who may write there, and sync again: it goes on where it was."
        ) from error
