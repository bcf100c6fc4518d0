"""How long an answer may be kept: one rule for the cache and for an archive.

It rests on whether the answer is :func:`complete`, and on how long its readings are the same.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import numpy as np

from dentframe.wire.columns import topic_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from dentframe.cloud.planner import Window
    from dentframe.wire.page import Page


FOREVER = float("inf")
NEVER = 0.0
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
WEEK, YEAR = 7 * DAY, 365 * DAY
SETTLED = 48 * HOUR
"""Meters upload late: after this time a complete window is final [s]."""
OPEN = 5 * MINUTE
"""How long an answer is kept whose window has not ended yet [s]."""
LISTS = DAY
"""How long getTopics and getMeters are kept [s]."""


def complete(page: Page, topics: Iterable[str]) -> bool:
    """Whether a page holds all that its window can hold.

    Every topic returned a column, no cell is absent or unreadable, none is blank in a column
    that has values, not every cell is blank, and every spacing, the window's edges included, is
    at most 1.5 times the median spacing. A column that is blank throughout, where others have
    values, is a spare input of the meter.
    """
    got = {topic_of(column) for column in page.columns}
    if not got.issuperset(topics) or len(page.minutes) < 2:
        return False
    report = page.report
    if report.absent or report.unreadable or report.bad_dates or report.outside:
        return False
    conflicts = np.array([report.conflicts.get(column, 0) for column in page.columns])
    blank = np.isnan(page.values).sum(axis=0) - conflicts
    spare = blank == len(page.minutes)
    if spare.all() or (blank[~spare] > 0).any():
        return False
    minutes, window = np.sort(page.minutes), _window(page).minutes
    spacings = np.diff(minutes, prepend=window.start, append=window.stop)
    return bool(spacings.max() <= 1.5 * float(np.median(spacings[1:-1])))


def _window(page: Page) -> Window:
    if page.window is None:
        raise ValueError("a page without a window has no lifetime")
    return page.window


def fingerprint(page: Page) -> str:
    """A short text that is the same for two answers with the same readings."""
    rows = np.argsort(page.minutes, kind="stable")
    columns = sorted(range(len(page.columns)), key=page.columns.__getitem__)
    digest = hashlib.blake2b(digest_size=16)
    digest.update(json.dumps([page.columns[column] for column in columns]).encode())
    digest.update(page.minutes[rows].tobytes())
    for column in columns:
        digest.update(page.values[rows, column].tobytes())
    return digest.hexdigest()


def lifetime(
    page: Page, topics: Iterable[str], now: datetime, same_since: datetime | None = None
) -> float:
    """How long the answer may be served again [s]; 0 means it is not kept.

    The cache and the archive both keep an answer by this rule.

    Parameters
    ----------
    page : Page
        The decoded answer.
    topics : iterable of str
        What was asked for.
    now : datetime
        When it was read, aware.
    same_since : datetime, optional
        When an answer with the same :func:`fingerprint` was read first, if no other came since.
        A window that did not change for a week, and ended a year ago, is final as it is.
    """
    age = (now - _window(page).end).total_seconds()
    unchanged = 0.0 if same_since is None else (now - same_since).total_seconds()
    if age >= YEAR and unchanged >= WEEK:
        return FOREVER
    if not len(page.minutes):
        return min(age / 10, DAY) if age > SETTLED else NEVER
    if age < 0:
        return OPEN
    if age >= SETTLED and complete(page, topics):
        return FOREVER
    return min(max(age / 10, 5 * MINUTE), 30 * DAY)
