"""`SyncReport` tells what a sync did, what is missing and why; a bar tells how long it takes."""

from __future__ import annotations

import math
import time
import warnings
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from dentframe.cards import Card, html_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from dentframe.cloud.fetch import Answer


_REMEMBERED = 300
"""The pace is that of so many answers: a minute's at the service's limit."""


def time_to_go(left: int, rate: float, times: Sequence[float]) -> float:
    """How long the requests that are left take: at the pace observed, at most the rate limit [s].

    Parameters
    ----------
    left : int
        Requests that are left.
    rate : float
        The rate limit [1/s].
    times : sequence of float
        When the last requests were answered, in order [s].
    """
    seen = times[-1] - times[0] if len(times) > 1 else 0.0
    per_request = seen / (len(times) - 1) if seen > 0 else 0.0
    return max(left, 0) * max(per_request, 1 / rate)


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
        self._bar = _tqdm(windows, shown) if windows and shown is not False else None
        self._say(refresh=True)

    def step(self, *, asked: bool) -> None:
        """Note a window that is done, and whether it was asked for."""
        if asked:
            self._left -= 1
            self._times.append(self._clock())
        if self._bar is not None:
            self._say(refresh=False)
            self._bar.update()

    def _say(self, *, refresh: bool) -> None:
        if self._bar is not None:
            self._bar.set_postfix_str(f"{spoken(self.to_go)} to go", refresh=refresh)

    @property
    def to_go(self) -> float:
        """How long the rest takes at least [s]."""
        return time_to_go(self._left, self._rate, self._times)

    def close(self) -> None:
        """Clear it."""
        if self._bar is not None:
            self._bar.close()


def _tqdm(windows: int, shown: bool | None) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm
    return tqdm(
        total=windows,
        unit="window",
        leave=False,
        disable=None if shown is None else False,
        bar_format="{l_bar}{bar}| {n_fmt}/{total_fmt} windows [{elapsed}{postfix}]",
    )


_SHOWN = 10


class Missing(NamedTuple):
    """One window that is missing."""

    meter: str
    window: str
    reason: str


class Counts(NamedTuple):
    """What answers brought; they add up with :meth:`plus`."""

    requests: int = 0
    kept: int = 0
    empty: int = 0
    size: int = 0

    def plus(self, answer: Answer) -> Counts:
        """These and one answer more."""
        good, rows = answer.error is None, bool(answer.rows)
        return Counts(
            self.requests + answer.sends,
            self.kept + (good and rows),
            self.empty + (good and not rows),
            self.size + (0 if answer.cached else answer.size),
        )


@dataclass(frozen=True, repr=False)
class SyncReport:
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
    requests: int
    kept: int
    empty: int
    held: int
    failures: tuple[Missing, ...]
    bytes: int
    seconds: float
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
        import pandas as pd

        return pd.DataFrame(list(self.failures), columns=list(Missing._fields), dtype="str")

    def as_dict(self) -> dict[str, Any]:
        """The report as plain values, ready for JSON."""
        return {
            "archive": self.archive,
            "start": self.start.isoformat(),
            "end": self.end.isoformat(),
            "topics": list(self.topics),
            **self._counts(),
            "ok": self.ok,
            "stopped": self.stopped,
            "damaged": [one._asdict() for one in self.damaged],
            "missing": [one._asdict() for one in self.failures],
        }

    def _counts(self) -> dict[str, Any]:
        names = ("meters", "requests", "kept", "empty", "held", "failed", "bytes", "seconds")
        return {name: getattr(self, name) for name in names}

    def __str__(self) -> str:
        span = f"{self.start:%Y-%m-%d %H:%M} to {self.end:%Y-%m-%d %H:%M} UTC"
        kept = f"{self.kept} kept, {self.held} held already, {self.empty} without a reading"
        lines = [
            f"Synced {self.meters} meter(s), {span}, into {self.archive}",
            f"  {self.requests} request(s), {_size(self.bytes)}, {spoken(self.seconds)}",
            f"  windows: {kept}, {self.failed} missing",
        ]
        lines += [f"  stopped: {self.stopped}"] if self.stopped else []
        lines += [f"  damaged {m.meter} {m.window}: {m.reason}" for m in self.damaged[:_SHOWN]]
        lines += [f"  missing {m.meter} {m.window}: {m.reason}" for m in self.failures[:_SHOWN]]
        more = self.failed - _SHOWN
        lines += [f"  and {more} more: see .missing"] if more > 0 else []
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html_of(_card, self)


def _card(report: SyncReport) -> Card:
    counts = ("kept", "held", "empty", "failed")
    told = ", ".join(f"{getattr(report, name):,} {name}" for name in counts)
    left = report.failed - _SHOWN
    return Card(
        title=str(report).partition("\n")[0],
        facts=(
            ("requests", f"{report.requests:,}, {_size(report.bytes)}, {spoken(report.seconds)}"),
            ("windows", told),
            ("stopped", report.stopped or ""),
        ),
        heads=Missing._fields,
        rows=report.failures[:_SHOWN],
        notes=[f"And {left:,} more: see .missing."] if left > 0 else [],
    )


def _size(size: float) -> str:
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
