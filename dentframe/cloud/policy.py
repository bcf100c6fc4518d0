"""What is complete, and how long an answer is kept. Pure: "now" is an argument."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from dentframe.cloud.windows import Window
    from dentframe.cloud.wire import Page

__all__ = ["FOREVER", "NEVER", "complete", "cover", "lifetime"]

FOREVER = float("inf")
NEVER = 0.0
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
SETTLED = 48 * HOUR
"""Meters upload late: after this time a complete window is final [s]."""
OPEN = 5 * MINUTE
LISTS = DAY
"""How long getTopics and getMeters are kept [s]."""


def topic_of(column: str) -> str:
    """The topic of a column on the wire: what stands before its first slash."""
    return column.partition("/")[0]


def complete(page: Page, topics: Iterable[str]) -> bool:
    """Whether a page holds all that its window can hold.

    Every topic returned a column, no cell is absent or unreadable, and every spacing, its
    edges included, is at most 1.5 times the median spacing.
    """
    got = {topic_of(column) for column in page.columns}
    if not got.issuperset(topics) or len(page.minutes) < 2:
        return False
    return not _lacks_cells(page) and _evenly_spaced(page)


def _lacks_cells(page: Page) -> bool:
    report = page.report
    return bool(report.absent or report.unreadable or report.bad_dates or report.outside)


def _evenly_spaced(page: Page) -> bool:
    minutes = np.sort(page.minutes)
    inner = np.diff(minutes)
    span = _window(page).minutes
    widest = max(int(inner.max()), int(minutes[0]) - span.start, span.stop - int(minutes[-1]))
    return bool(widest <= 1.5 * float(np.median(inner)))


def _window(page: Page) -> Window:
    if page.window is None:
        raise ValueError("a page without a window has no lifetime")
    return page.window


def lifetime(page: Page, topics: Iterable[str], now: datetime) -> float:
    """How long the answer may be served again [s]; 0 means it is not kept.

    Parameters
    ----------
    page : Page
        The decoded answer.
    topics : iterable of str
        What was asked for.
    now : datetime
        The present, aware.
    """
    age = (now - _window(page).end).total_seconds()
    if not len(page.minutes):
        return min(age / 10, DAY) if age > SETTLED else NEVER
    if age < 0:
        return OPEN
    if age >= SETTLED and complete(page, topics):
        return FOREVER
    return min(max(age / 10, 5 * MINUTE), 30 * DAY)


def cache_control(seconds: float) -> str:
    """The header that tells the cache how long to keep an answer."""
    if seconds == FOREVER:
        return "immutable"
    return f"max-age={max(int(seconds), 1)}" if seconds > 0 else "no-store"


def cover(
    held: Iterable[frozenset[str]], topics: Iterable[str]
) -> tuple[list[tuple[frozenset[str], frozenset[str]]], frozenset[str]]:
    """Choose which held sets of topics to use and for which topics, and what is left.

    One that holds all is used alone, the smallest first; else the ones that add most.
    """
    rest = frozenset(topics)
    chosen: list[tuple[frozenset[str], frozenset[str]]] = []
    candidates = sorted(held, key=lambda h: (len(h), sorted(h)))
    while rest and candidates:
        best = max(candidates, key=lambda h: len(h & rest))
        if not best & rest:
            break
        chosen.append((best, best & rest))
        candidates.remove(best)
        rest -= best
    return chosen, rest
