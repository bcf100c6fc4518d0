"""`read_dentcloud` reads meters, a `Plan` foretells the cost of it, `inventory` says what there is.

`inventory` needs few requests: a month of one small topic tells whether a meter had readings then.
The newest month with readings is looked for from the present backwards, the oldest by bisection,
so a meter's first reading is found as long as no whole probed month between it and the present
is empty.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from dentframe.cloud.client import DentCloud, default_client
from dentframe.cloud.planner import Window
from dentframe.cloud.read_in_threads import Job
from dentframe.display import Card, WithCard
from dentframe.frame import meters_and_topics as _request
from dentframe.frame import select
from dentframe.frame.assemble import frame_of
from dentframe.frame.read_job_and_warnings import ReadJob, assemble, check_errors, complete, planned
from dentframe.times.dates_and_ranges import Zone, time_range

if TYPE_CHECKING:
    from dentframe.accessor_methods import DentFrame
    from dentframe.frame.meters_and_topics import Source


def read_dentcloud(
    meter: Any,
    start: Any,
    end: Any = None,
    topics: Any = None,
    *,
    tz: Zone = "UTC",
    bracket: bool = False,
    quantify: bool = False,
    errors: str = "raise",
    client: DentCloud | None = None,
    archive: Any = None,
    progress: bool | None = None,
) -> DentFrame:
    """Read meter data as one frame.

    Parameters
    ----------
    meter : str or list of str
        A meter, ``"P482311252"``, or one element of it, ``"P482311252_A"``. A list gives
        rows under an index ``meter, time``, even for one meter.
    start, end : str, date, datetime, Timestamp or Period
        The half-open range ``[start, end)``. A naive value is wall time in `tz`.
        ``end=None``: `start` names a whole year, month or day; ``end="now"``: up to now.
    topics : str or list of str, optional
        Request keys (``"DemandkW"``), or units where no key matches (``"kW"``). None: all.
    tz : str or tzinfo
        The zone of naive bounds.
    bracket : bool
        Also read the last reading before `start` and the first at or after `end`, so that
        the energy of the first and last minutes is known.
    quantify : bool
        Give every column a pint dtype (needs the extra ``quantify``).
    errors : {"raise", "warn"}
        What to do where windows cannot be read.
    client : DentCloud, optional
        The client; by default one per process from the environment or the profile.
    archive : Archive or path, optional
        Take from this archive what it holds for good, and ask the client for the rest only;
        where it holds all, neither a key nor a network is needed. Nothing is written into
        it: `sync` does that.
    progress : bool, optional
        Show a progress bar; None: in a terminal or a notebook.

    Returns
    -------
    pandas.DataFrame
        Shape (readings, columns). Index ``time``, UTC, sorted, unique. Columns are wire names
        (``DemandkW/Elm/A``) of float64 in the units of getTopics, which
        ``.attrs["dentcloud"]`` and ``.dent.units`` tell. What is absent, blank or no
        number is NaN, never 0.

    Raises
    ------
    RangeError, UnknownTopicError, UnknownMeterError, ConfigError
        Where an argument cannot be meant.
    AuthError
        Where the service refuses the key.
    IncompleteReadError
        Where windows are missing: it has ``.partial``, ``.missing`` and ``.resume()``.

    Examples
    --------
    >>> df = read_dentcloud("P482311252_B", "2023-12", topics="kWHNet", tz=LA, bracket=True)
    >>> df.columns.tolist()
    ['kWHNet/Elm/B']
    >>> str(df.index.dtype)
    'datetime64[us, UTC]'
    """
    check_errors(errors)
    now = pd.Timestamp.now("UTC")
    if archive is None:
        source: Source = client or default_client()
    else:
        from dentframe.archive.archive import ArchiveSource, opened

        source = ArchiveSource(opened(archive), now, lambda: client or default_client())
    request = _request.resolve(source, meter, time_range(start, end, tz, now=now), topics)
    reading = ReadJob(source, request, bracket=bracket, now=now)
    made = complete(partial(assemble, quantify=quantify), reading, errors, progress)
    return cast("DentFrame", made)


def plan_dentcloud(
    meter: Any,
    start: Any,
    end: Any = None,
    topics: Any = None,
    *,
    tz: Zone = "UTC",
    bracket: bool = False,
    client: DentCloud | None = None,
) -> Plan:
    """What `read_dentcloud` with the same arguments would ask for; asks nothing.

    Topics come from the kept getTopics, else from the built-in catalogue. With `bracket`,
    a bracketing reading that is not in its neighbouring hour costs a request more each.

    Returns
    -------
    Plan
        A sized iterable of windows with ``.requests``, ``.cached`` and ``.seconds``.

    Examples
    --------
    >>> plan = plan_dentcloud("P482311252", "2022", topics=["kWHNet"], tz=LA)
    >>> len(plan), plan.cached
    (13, 0)
    """
    client = client or default_client()
    now = pd.Timestamp.now("UTC")
    kept = client.kept_topics()
    units = _request.builtin_units() if kept is None else _request.topic_units(kept)
    keys = _request.resolve_topics(topics, units)
    meters = _request.parse_meters(meter)
    span = time_range(start, end, tz, now=now)
    request = _request.Request(meters, isinstance(meter, str), *span, keys)
    plans = {m: planned(client, request, m, bracket=bracket, now=now) for m in meters}
    return Plan(
        windows={m: tuple(windows) for m, (windows, _) in plans.items()},
        held={m: frozenset(cached) for m, (_, cached) in plans.items()},
        topics=keys,
        topics_from="built-in catalogue" if kept is None else "kept getTopics",
        rate=client.rate,
    )


_BURST = 5
_SHOWN = 10


@dataclass(frozen=True, repr=False)
class Plan(WithCard):
    """The windows a read would ask for; a sized iterable of them.

    Attributes
    ----------
    windows : dict
        Meter to its windows, each a UTC month, day or hour, in order.
    held : dict
        Meter to those windows that the cache holds: they are free.
    topics : tuple of str
        The request keys.
    topics_from : str
        Where the topics are known from: ``"kept getTopics"`` or ``"built-in catalogue"``.
    rate : float
        The rate limit [requests/s].

    Examples
    --------
    >>> plan = plan_dentcloud("P482311252", "2022-01-05", tz="UTC")
    >>> [str(window) for window in plan]
    ['2022-01-05']
    """

    windows: Mapping[str, tuple[Window, ...]]
    held: Mapping[str, frozenset[Window]]
    topics: tuple[str, ...]
    topics_from: str
    rate: float

    def __iter__(self) -> Iterator[Window]:
        return (w for windows in self.windows.values() for w in windows)

    def __len__(self) -> int:
        return sum(len(windows) for windows in self.windows.values())

    @property
    def cached(self) -> int:
        """How many windows the cache serves."""
        return sum(len(self.held[m] & set(ws)) for m, ws in self.windows.items())

    @property
    def requests(self) -> int:
        """How many getData requests are needed."""
        return len(self) - self.cached

    @property
    def seconds(self) -> float:
        """The least time the rate limit allows for the requests [s]."""
        return max(0, self.requests - _BURST) / self.rate

    def _card(self) -> Card:
        """What a terminal and a notebook show of a plan."""
        asked = f"{self.requests} request{'s' * (self.requests != 1)}"
        left, rows = len(self.windows) - _SHOWN, []
        for meter in list(self.windows)[:_SHOWN]:
            windows = self.windows[meter]
            cached = len(self.held[meter] & set(windows))
            counts = [str(len(windows)), str(cached), str(len(windows) - cached)]
            ends = [str(windows[0]), str(windows[-1])] if windows else ["", ""]
            rows.append([meter, *counts, *ends])
        return Card(
            title=f"Plan: {asked}, {self.cached} cached, at least {self.seconds:.1f} s",
            facts=(("topics", f"{', '.join(self.topics)} ({self.topics_from})"),),
            heads=("meter", "windows>", "cached>", "to ask>", "first", "last"),
            rows=rows,
            notes=[f"And {left} more meters."] if left > 0 else [],
        )


def get_meters(client: DentCloud | None = None) -> list[str]:
    """The meters of the account.

    Returns
    -------
    list of str
        As getMeters lists them; kept a day.

    Examples
    --------
    >>> get_meters()
    ['P482311252', 'P482102272', 'P482102270']
    """
    return list((client or default_client()).get_meters())


def get_topics(client: DentCloud | None = None) -> pd.DataFrame:
    """The topics of the service.

    Returns
    -------
    pandas.DataFrame
        Index ``topic`` (the request key); columns ``unit``, ``description``, ``kind`` and
        ``pint unit`` (None where the unit is not known).

    Examples
    --------
    >>> get_topics().loc["kWHNet", ["unit", "kind"]].tolist()
    ['kWh', 'register']
    """
    from dentframe.wire.columns import WIRE_UNITS, parse_unit
    from dentframe.wire.topics import kind_of

    catalogue = (client or default_client()).get_topics()
    known = {unit: parse_unit(unit) for unit in {t["unit"] for t in catalogue} & set(WIRE_UNITS)}
    rows = [
        (t["unit"], t["description"], kind_of(t["requestKey"], t["unit"]), known.get(t["unit"]))
        for t in catalogue
    ]
    index = pd.Index([t["requestKey"] for t in catalogue], name="topic")
    return pd.DataFrame(rows, index=index, columns=["unit", "description", "kind", "pint unit"])


COLUMNS = ("elements", "topics", "interval", "first", "last")
_OLDEST = 12 * 2010
"""January 2010, counted from the year 0: no meter is looked for before it."""
_STEPS_BACK = (0, 1, 2, 3, *range(6, 200, 6))
_LIGHT = ("DemandkW", "kWHNet")


def inventory(meters: Any = None, client: DentCloud | None = None) -> pd.DataFrame:
    """What each meter has: its elements and topics, its interval, first and last reading.

    Parameters
    ----------
    meters : str or list of str, optional
        None: every meter of the account.
    client : DentCloud, optional
        By default one per process.

    Returns
    -------
    pandas.DataFrame
        Index ``meter``; columns ``elements`` and ``topics`` (lists), ``interval``
        (Timedelta, the median spacing of the last day), ``first`` and ``last`` (UTC; NaT
        where no month that was looked at has a reading: the last four, then every sixth).
        About ten requests a meter, which the cache keeps.

    Raises
    ------
    UnknownMeterError
        Where the account has no such meter.

    Examples
    --------
    >>> inventory("P482102270")["elements"].item()
    ['A', 'B', 'C']
    """
    client = client or default_client()
    known = client.get_meters()
    names = list(known) if meters is None else list(_request.parse_meters(meters))
    _request.check_meters(names, known)
    topics = [t["requestKey"] for t in client.get_topics()]
    rows = [_meter(client, name, topics) for name in names]
    frame = pd.DataFrame(rows, index=pd.Index(names, name="meter"), columns=list(COLUMNS))
    spacing = pd.Series(pd.to_timedelta(list(frame["interval"])), frame.index)
    times = {c: pd.to_datetime(frame[c], utc=True).dt.as_unit("us") for c in ("first", "last")}
    return frame.assign(interval=spacing, **times)


def _meter(client: DentCloud, meter: str, topics: Sequence[str]) -> tuple[Any, ...]:
    usual = next((t for t in _LIGHT if t in topics), topics[0])
    # A meter need not have the usual topic: only then are the others worth their size.
    probes = [(usual,), tuple(t for t in topics if t != usual)]
    today = dt.datetime.now(dt.UTC)
    months = [12 * today.year + today.month - 1 - back for back in _STEPS_BACK]
    tried = ((p, m) for p in probes if p for m in months)
    there = ((p, m) for p, m in tried if len(_month(client, meter, m, p)))
    probe, newest = next(there, ((), None))
    if newest is None:
        return [], [], pd.NaT, pd.NaT, pd.NaT
    last = _month(client, meter, newest, probe).index[-1]
    # The oldest one lies between a month known to be empty and one known not to be.
    older = range(_OLDEST, newest)
    oldest = bisect_left(older, True, key=lambda m: len(_month(client, meter, m, probe)) > 0)
    first = _month(client, meter, _OLDEST + oldest, probe).index[0]
    day = _read(client, meter, Window(last.year, last.month, last.day), tuple(topics))
    steps = np.diff(pd.DatetimeIndex(day.index).as_unit("us").asi8)
    spacing = pd.Timedelta(int(np.median(steps)), "us") if len(steps) else pd.NaT
    return select.elements(day), select.topics(day), spacing, first, last


def _month(client: DentCloud, meter: str, month: int, topics: tuple[str, ...]) -> pd.DataFrame:
    """The readings of a month, which is counted from the year 0."""
    return _read(client, meter, Window(month // 12, month % 12 + 1), topics)


def _read(client: DentCloud, meter: str, window: Window, topics: tuple[str, ...]) -> pd.DataFrame:
    (answer,) = client.read([Job(meter, window, topics)])
    if answer.error is not None:
        raise answer.error
    return frame_of(answer.pages, topics)
