"""What each meter has and since when, found with few requests.

A month of one small topic tells whether a meter had readings then. The newest month with
readings is looked for from the present backwards, the oldest by bisection, so a meter's first
reading is found as long as no whole probed month between it and the present is empty.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from dentframe import reshape
from dentframe.cloud.client import DentCloud, Job
from dentframe.cloud.default import default_client
from dentframe.cloud.windows import Window
from dentframe.reading import frame as _frame
from dentframe.reading.request import check_meters, parse_meters

COLUMNS = ("elements", "topics", "interval", "first", "last")
_OLDEST = (2010, 1)
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
        where the meter has no reading). About ten requests a meter, which the cache keeps.

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
    names = list(known) if meters is None else list(parse_meters(meters))
    check_meters(names, known)
    topics = [t["requestKey"] for t in client.get_topics()]
    rows = [_meter(client, name, topics) for name in names]
    frame = pd.DataFrame(rows, index=pd.Index(names, name="meter"), columns=list(COLUMNS))
    times = {c: pd.to_datetime(frame[c], utc=True).dt.as_unit("us") for c in ("first", "last")}
    return frame.assign(interval=pd.to_timedelta(frame["interval"]), **times)


def _meter(client: DentCloud, meter: str, topics: Sequence[str]) -> tuple[Any, ...]:
    light = next((t for t in _LIGHT if t in topics), topics[0])
    newest = _newest(client, meter, light)
    if newest is None:
        return [], [], pd.NaT, pd.NaT, pd.NaT
    last = _read(client, meter, _month(newest), (light,)).index[-1]
    first = _read(client, meter, _month(_oldest(client, meter, light, newest)), (light,)).index[0]
    day = _read(client, meter, Window(last.year, last.month, last.day), tuple(topics))
    spacing = _spacing(pd.DatetimeIndex(day.index))
    return reshape.elements(day), reshape.topics(day), spacing, first, last


def _spacing(times: pd.DatetimeIndex) -> Any:
    if len(times) < 2:
        return pd.NaT
    return pd.Timedelta(int(np.median(np.diff(times.as_unit("us").asi8))), "us")


def _newest(client: DentCloud, meter: str, topic: str) -> int | None:
    today = dt.datetime.now(dt.UTC)
    this_month = 12 * today.year + today.month - 1
    probed = (this_month - back for back in _STEPS_BACK)
    return next((m for m in probed if _has_rows(client, meter, m, topic)), None)


def _oldest(client: DentCloud, meter: str, topic: str, newest: int) -> int:
    """The oldest month with readings, between one known empty and one known not to be."""
    empty, held = 12 * _OLDEST[0] + _OLDEST[1] - 2, newest
    while held - empty > 1:
        middle = (held + empty) // 2
        if _has_rows(client, meter, middle, topic):
            held = middle
        else:
            empty = middle
    return held


def _month(number: int) -> Window:
    return Window(number // 12, number % 12 + 1)


def _has_rows(client: DentCloud, meter: str, month: int, topic: str) -> bool:
    return len(_read(client, meter, _month(month), (topic,))) > 0


def _read(client: DentCloud, meter: str, window: Window, topics: tuple[str, ...]) -> pd.DataFrame:
    (answer,) = client.read([Job(meter, window, topics)])
    if answer.error is not None:
        raise answer.error
    columns, _ = _frame.wanted_columns(answer.pages, topics)
    return _frame.to_frame(_frame.join(answer.pages, columns))
