"""The doctor asks here: each request is sent once, counted and timed, and a refusal is kept."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from dentframe.cloud.planner import Window
from dentframe.cloud.responses import ApiRequest
from dentframe.cloud.retry import Limits, Retrier, join, leave
from dentframe.cloud.transport import DentAdapter, new_session, send
from dentframe.errors import DentError
from dentframe.frame import assemble
from dentframe.wire.page import Page

if TYPE_CHECKING:
    from dentframe.cloud.credentials import Credentials

MOST = 30
"""The doctor sends no more requests than this."""
METERS, BURST = 3, 10
PAUSE = 1.5
"""After a 429 [s]."""
_BACK = (3, 6, 12, 24)
"""Where a meter has nothing this month and last, so many months back are tried."""
BOTH = ("DemandkW", "kWHNet")


@dataclass
class Reply:
    """What one request came to: its value or its error, size [B] and time [s]."""

    value: Any = None
    error: DentError | None = None
    size: int = 0
    seconds: float = 0.0


class _SendOnce(Retrier):
    """A request that fails is not sent again: its answer is what the doctor is after."""

    def _pause(self, request: ApiRequest, error: DentError) -> float:
        request.failures += 1
        self.account.breaker.neither()
        raise error


class Asker:
    """Asks within the limits of the account, at most :data:`MOST` times."""

    def __init__(self, credentials: Credentials, now: Callable[[], dt.datetime]) -> None:
        self.sent, self._name = 0, str(credentials.account)
        self._lock = threading.Lock()
        self._account = join(self._name, time.monotonic, time.sleep)
        self._url = credentials.base_url
        retrier = _SendOnce(self._account, Limits(), now, credentials.scrub)
        self._session = new_session(self._url, DentAdapter(credentials, retrier), None)

    def close(self) -> None:
        """Close its connections."""
        self._session.close()
        leave(self._name, self._account)

    def ask(
        self,
        kind: Any,
        meter: str = "",
        window: Window | None = None,
        topics: Iterable[str] = (),
        *,
        patient: bool = True,
    ) -> Reply:
        """Send one request, unless all are used up; after a 429 once more, where it is patient."""
        with self._lock:
            if self.sent >= MOST:
                return Reply(error=DentError("Cannot ask: the doctor's requests are used up."))
            self.sent += 1
        start = time.monotonic()
        try:
            found = send(self._session, self._url, ApiRequest(kind, meter, window, tuple(topics)))
        except DentError as error:
            if patient and error.status == 429 and error.retryable:
                time.sleep(PAUSE)
                return self.ask(kind, meter, window, topics, patient=False)
            return Reply(error=error)
        return Reply(found.value, None, found.size, time.monotonic() - start)


@dataclass
class Evidence:
    """What the service answered.

    Attributes
    ----------
    now : datetime
        The present.
    topics : list of str
        The request keys of getTopics.
    frames : list of DataFrame
        DemandkW and kWHNet of each meter over some weeks, empty where it has none.
    pages : list of Page
        Every answer with readings.
    days : list of Page
        All topics of the last day of each meter.
    autumn : Page or None
        The day on which clocks in the United States went back last.
    month : Reply
        A month of all topics of the meter with most columns.
    burst, strange : list of Reply, Reply
        Small requests one after the other, and one about a meter that there is not.
    """

    now: dt.datetime
    topics: list[str]
    frames: list[pd.DataFrame] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)
    days: list[Page] = field(default_factory=list)
    autumn: Page | None = None
    month: Reply = field(default_factory=Reply)
    burst: list[Reply] = field(default_factory=list)
    strange: Reply = field(default_factory=Reply)


def gather(asker: Asker, now: dt.datetime) -> Evidence:
    """Ask what the findings rest on.

    Raises
    ------
    DentError
        Where the service lists neither meters nor topics.
    """
    lists = [asker.ask(kind) for kind in ("getMeters", "getTopics")]
    for reply in lists:
        if reply.error is not None:
            raise reply.error
    meters, topics = lists[0].value, [t["requestKey"] for t in lists[1].value]
    found = Evidence(now, topics)
    both = [t for t in BOTH if t in topics] or topics[:1]

    def page(meter: str, window: Window, wanted: Iterable[str]) -> Page | None:
        reply = asker.ask("getData", meter, window, wanted)
        if isinstance(reply.value, Page):
            found.pages.append(reply.value)
        return reply.value if isinstance(reply.value, Page) else None

    last: list[tuple[str, Page]] = []
    for meter in meters[:METERS]:
        months = [_month(now, back) for back in (1, 0)]
        pages = [page(meter, month, both) for month in months]
        if not any(map(_has_rows, pages)) and not last:
            pages = [page(meter, _month(now, back), both) for back in _BACK]
        found.frames.append(frame_of([p for p in pages if p], both))
        if len(found.frames[-1]):
            day = page(meter, _day(found.frames[-1].index[-1]), topics)
            last += [(meter, day)] if day and _has_rows(day) else []
    found.days = [day for _, day in last]
    if last:
        _of_one_meter(asker, found, max(last, key=lambda x: len(x[1].columns)), page, both)
    return found


def _of_one_meter(
    asker: Asker, found: Evidence, last: tuple[str, Page], page: Any, both: list[str]
) -> None:
    """What one meter tells: a month of everything, the clock in autumn, limits and refusals."""
    meter, newest = last
    end = pd.Timestamp(60 * int(newest.minutes[-1]), unit="s", tz="UTC")
    before = _month(end.to_pydatetime(), 1)
    found.month = asker.ask("getData", meter, before, found.topics)
    found.autumn = page(meter, _autumn(end), both[:1])
    found.strange = asker.ask("getData", "no-such-meter", _day(end), both[:1])
    hours = [Window(before.year, before.month, 1, hour) for hour in range(BURST)]
    with ThreadPoolExecutor(5) as pool:
        sent = [
            pool.submit(asker.ask, "getData", meter, hour, both[:1], patient=False)
            for hour in hours
        ]
        found.burst = [x.result() for x in sent]


def frame_of(pages: list[Page], topics: Iterable[str]) -> pd.DataFrame:
    """Pages of one meter as a frame."""
    columns, _ = assemble.wanted_columns(pages, list(topics))
    return assemble.to_frame(assemble.join(pages, columns))


def _has_rows(page: Page | None) -> bool:
    return page is not None and len(page.minutes) > 0


def _month(now: dt.datetime, back: int) -> Window:
    number = 12 * now.year + now.month - 1 - back
    return Window(number // 12, number % 12 + 1)


def _day(when: pd.Timestamp) -> Window:
    return Window(when.year, when.month, when.day)


def _autumn(end: pd.Timestamp) -> Window:
    """The last first Sunday of November before an instant."""
    first = [dt.date(year, 11, 1) for year in (end.year, end.year - 1)]
    sundays = [day + dt.timedelta(days=(6 - day.weekday()) % 7) for day in first]
    day = next(s for s in sundays if s < end.date())
    return Window(day.year, day.month, day.day)
