"""The doctor compares what a service does with every assumption made here, in few requests.

Each request is sent once, counted and timed, and a refusal is kept: it is an answer too. The report
is a screen of findings, and JSON that can be sent to the maintainers.
"""

from __future__ import annotations

import datetime as dt
import json
import textwrap
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import Any

import msgspec
import pandas as pd

from dentframe.cloud.client import Service
from dentframe.cloud.credentials import Credentials, load
from dentframe.cloud.http_cache import CacheFile, HttpCache
from dentframe.cloud.planner import Window
from dentframe.cloud.requests_and_responses import ApiRequest
from dentframe.cloud.retry import Retrier, join
from dentframe.doctor import findings
from dentframe.doctor.findings import BURST, Finding
from dentframe.errors import ConfigError, DentError
from dentframe.frame.assemble import frame_of
from dentframe.wire.pages_and_bad_cells import Page

__all__ = ["Finding", "Report", "examine"]
MOST = 30
"""The doctor sends no more requests than this."""
METERS = 3
PAUSE = 1.5
"""After a 429 [s]."""
_BACK = (3, 6, 12, 24)
"""Where a meter has nothing this month and last, so many months back are tried."""
BOTH = ("DemandkW", "kWHNet")
MARKS = {"yes": "✓", "no": "✗", "unknown": "?"}


@dataclass(frozen=True)
class Report:
    """What was found about a service.

    Attributes
    ----------
    findings : tuple of Finding
        One an assumption: yes, no or unknown, and the evidence.
    requests : int
        How many requests were sent.
    made : datetime
        When, in UTC.
    rows : dict
        Meter by number to UTC day to rows, to compare with at a later time.
    """

    findings: tuple[Finding, ...]
    requests: int
    made: dt.datetime
    rows: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def wrong(self) -> list[Finding]:
        """The assumptions that do not hold."""
        return [f for f in self.findings if f.verdict == "no"]

    def to_json(self) -> str:
        """The report without keys, names of meters or sites, or readings."""
        whole = {"schema": 1, "dentframe": version("dentframe"), **asdict(self)}
        return json.dumps({**whole, "made": self.made.isoformat()}, indent=2)

    def __str__(self) -> str:
        marks = [MARKS[f.verdict] for f in self.findings]
        counts = ", ".join(f"{marks.count(m)} {m}" for m in MARKS.values())
        lines = [f"{self.requests} requests of at most {MOST}; {counts}"]
        for mark, found in zip(marks, self.findings, strict=True):
            evidence = textwrap.indent(textwrap.fill(found.evidence, 72), "    ")
            lines.append(f"{mark} {found.assumption}\n{evidence}")
        return "\n".join(lines)


def examine(
    api_key: str | None = None,
    key_id: str | None = None,
    *,
    base_url: str | None = None,
    now: dt.datetime | None = None,
    earlier: str | bytes | None = None,
) -> Report:
    """Hold a service against what dentframe assumes about it, with at most 30 requests.

    Parameters
    ----------
    api_key, key_id, base_url : str, optional
        As `dentframe.DentCloud` takes them. Nothing is kept in the cache or taken from it.
    now : datetime, optional
        The present, aware; the machine's by default.
    earlier : str or bytes, optional
        An earlier report's JSON about the same account, to tell which rows came late.

    Returns
    -------
    Report
        ``str(report)`` is a screen, ``report.to_json()`` names no meter, site, key or reading.

    Raises
    ------
    AuthError
        Where there is no key, or the service refuses it.
    ConfigError
        Where `earlier` is no report.
    UnavailableError, RequestError
        Where the service lists neither meters nor topics.
    """
    try:
        # The json module also reads what an editor saved as UTF-16 or with a byte order mark.
        before = None if earlier is None else msgspec.convert(json.loads(earlier), findings.Earlier)
    except (ValueError, TypeError, msgspec.ValidationError):
        raise ConfigError(
            "Cannot compare with this report: it is none that `dentframe doctor` wrote. "
            "Name the JSON file of an earlier run."
        ) from None
    present = now or dt.datetime.now(dt.UTC)
    with closing(Asker(load(api_key, key_id, base_url), lambda: present)) as asker:
        answers = gather(asker, present)
    found = [finding for find in findings.ALL for finding in find(answers)]
    found.append(findings.backfill(answers, before))
    return Report(tuple(found), asker.sent, present, findings.rows_a_day(answers))


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
        self.sent, self.pages = 0, list[Page]()
        self._lock, name = threading.Lock(), str(credentials.account)
        account = join(name, time.monotonic, time.sleep)
        retrier = _SendOnce(account, now, credentials.scrub)
        self._service = Service(credentials, retrier, HttpCache(CacheFile(None), name, now))
        self.close = self._service.close

    def ask(self, request: ApiRequest, *, patient: bool = True) -> Reply:
        """Send one request, unless all are used up; after a 429 once more, where it is patient."""
        with self._lock:
            if self.sent >= MOST:
                return Reply(error=DentError("Cannot ask: the doctor's requests are used up."))
            self.sent += 1
        start = time.monotonic()
        try:
            value, size = self._service.fetch(request)
        except DentError as error:
            if patient and error.status == 429 and error.retryable:
                time.sleep(PAUSE)
                return self.ask(request, patient=False)
            return Reply(error=error)
        return Reply(value, None, size, time.monotonic() - start)

    def page(self, meter: str, window: Window, topics: tuple[str, ...]) -> list[Page]:
        """The readings of one window, which are kept in `pages` too; empty for a refusal."""
        value = self.ask(ApiRequest("getData", meter, window, topics)).value
        found = [value] if isinstance(value, Page) else []
        self.pages += found
        return found


@dataclass
class Answers:
    """What the service answered.

    Attributes
    ----------
    now : datetime
        The present.
    topics : tuple of str
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
        Small requests one after the other, as many as are left, and one about a meter that there
        is not.
    """

    now: dt.datetime
    topics: tuple[str, ...]
    frames: list[pd.DataFrame] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)
    days: list[Page] = field(default_factory=list)
    autumn: Page | None = None
    month: Reply = field(default_factory=Reply)
    burst: list[Reply] = field(default_factory=list)
    strange: Reply = field(default_factory=Reply)


def gather(asker: Asker, now: dt.datetime) -> Answers:
    """Ask what the findings rest on.

    Raises
    ------
    DentError
        Where the service lists neither meters nor topics.
    """
    lists = [asker.ask(ApiRequest(kind)) for kind in ("getMeters", "getTopics")]
    for reply in lists:
        if reply.error is not None:
            raise reply.error
    meters, topics = lists[0].value, tuple(t["requestKey"] for t in lists[1].value)
    found = Answers(now, topics, pages=asker.pages)
    both = tuple(t for t in BOTH if t in topics) or topics[:1]
    last: list[tuple[str, Page]] = []
    for meter in meters[:METERS]:
        for months in ((1, 0), _BACK):
            pages = [p for back in months for p in asker.page(meter, _month(now, back), both)]
            if last or any(len(p.minutes) for p in pages):
                break
        found.frames.append(frame_of(pages, both))
        if len(found.frames[-1]):
            days = asker.page(meter, _day(found.frames[-1].index[-1]), topics)
            last += [(meter, day) for day in days if len(day.minutes)]
    found.days = [day for _, day in last]
    if last:
        _of_a_meter(asker, found, max(last, key=lambda x: len(x[1].columns)), both[:1])
    return found


def _of_a_meter(
    asker: Asker, found: Answers, last: tuple[str, Page], topic: tuple[str, ...]
) -> None:
    """What one meter tells: a month of everything, the clock in autumn, limits and refusals."""
    meter, newest = last
    end = pd.Timestamp(60 * int(newest.minutes[-1]), unit="s", tz="UTC")
    before = _month(end.to_pydatetime(), 1)
    found.month = asker.ask(ApiRequest("getData", meter, before, found.topics))
    found.autumn = next(iter(asker.page(meter, _autumn(end), topic)), None)
    found.strange = asker.ask(ApiRequest("getData", "no-such-meter", _day(end), topic))

    def hour_of(hour: int) -> Reply:
        window = Window(before.year, before.month, 1, hour)
        return asker.ask(ApiRequest("getData", meter, window, topic), patient=False)

    with ThreadPoolExecutor(5) as pool:
        found.burst = list(pool.map(hour_of, range(min(BURST, MOST - asker.sent))))


def _month(now: dt.datetime, back: int) -> Window:
    number = 12 * now.year + now.month - 1 - back
    return Window(number // 12, number % 12 + 1)


def _day(when: pd.Timestamp) -> Window:
    return Window(when.year, when.month, when.day)


def _autumn(end: pd.Timestamp) -> Window:
    """The last first Sunday of November before an instant."""
    days = (end - pd.Timedelta(back, "D") for back in range(1, 400))
    return _day(next(d for d in days if d.month == 11 and d.day <= 7 and d.weekday() == 6))
