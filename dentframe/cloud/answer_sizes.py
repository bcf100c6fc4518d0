"""A request whose answer would be too large is cut smaller, by what is known of sizes."""

from __future__ import annotations

import contextlib
import json
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from dentframe.cloud.answers import prefix, topic_of
from dentframe.cloud.responses import LARGEST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dentframe.cloud.http_cache import HttpCache
    from dentframe.cloud.planner import Window
    from dentframe.wire.page import Page


GATEWAY = 10_000_000
"""No gateway of this kind lets more through [B]; what it refuses lowers this."""
MEMORY = 30 * 86400.0
"""How long a refusal is remembered [s]."""
_RANK = {"hour": 0, "day": 1, "month": 2}

Refusal = tuple[int, frozenset[str], float]


def pieces(window: Window, topics: Sequence[str]) -> list[tuple[Window, tuple[str, ...]]]:
    """Cut a request in smaller ones that together are the same: topics, then days, then hours.

    An hour of one topic cannot be cut: the result is empty.
    """
    half = (len(topics) + 1) // 2
    if half < len(topics):
        return [(window, tuple(topics[:half])), (window, tuple(topics[half:]))]
    return [(child, tuple(topics)) for child in window.children()]


class Sizes:
    """What is known about the sizes of an account's answers, kept beside them.

    Parameters
    ----------
    cache : HttpCache or None
        Where it is kept; without one it lasts as long as the client.
    """

    def __init__(self, cache: HttpCache | None) -> None:
        self._cache = cache
        self._lock = threading.Lock()
        self._per_hour: dict[str, dict[str, float]] = {}
        self._refused: dict[str, list[Refusal]] = {}
        kept = self._fact("", "limit")
        self._limit = float(kept) if _is_size(kept) else float(GATEWAY)

    def per_hour(self, meter: str, topics: Sequence[str]) -> float | None:
        """How large an hour of these topics is [B/h], where any of them is known."""
        with self._lock:
            known = dict(self._per_hour.setdefault(meter, self._kept_sizes(meter)))
        got = [known[topic] for topic in topics if topic in known]
        if not got:
            return None
        return sum(got) + (len(topics) - len(got)) * sum(got) / len(got)

    def predict(self, meter: str, window: Window, topics: Sequence[str]) -> float | None:
        """How large an answer will be [B]."""
        per_hour = self.per_hour(meter, topics)
        return None if per_hour is None else per_hour * len(window.hours)

    def too_large(self, meter: str, window: Window, topics: Sequence[str], now: float) -> bool:
        """Whether to cut a request before asking."""
        predicted = self.predict(meter, window, topics)
        if predicted is not None and predicted >= self._limit:
            return True
        rank, asked = _RANK[window.kind], frozenset(topics)
        with self._lock:
            refusals = list(self._refused.setdefault(meter, self._kept_refusals(meter)))
        for refused_rank, refused, at in refusals:
            covers = asked >= refused or (predicted is None and len(asked) >= len(refused))
            if rank >= refused_rank and covers and now - at < MEMORY:
                return True
        return False

    def learn(self, meter: str, page: Page, size: int) -> None:
        """Take note of an answer's size [B]."""
        if len(page.minutes) < 2 or not page.columns:
            return
        spacing = float(np.median(np.diff(np.sort(page.minutes)))) or 1.0
        per_cell = size * 60 / (len(page.minutes) * spacing * len(page.columns))
        found: dict[str, float] = {}
        for column in page.columns:
            found[topic_of(column)] = found.get(topic_of(column), 0.0) + per_cell
        with self._lock:
            self._limit = max(self._limit, size + 1)
            self._merge(meter, found)

    def refuse(self, meter: str, window: Window, topics: Sequence[str], now: float) -> None:
        """Remember a request whose answer was too large."""
        predicted = self.predict(meter, window, topics)
        refusal = (_RANK[window.kind], frozenset(topics), now)
        with self._lock:
            found = self._refused.setdefault(meter, self._kept_refusals(meter))
            found.append(refusal)
            if predicted is not None:
                self._limit = min(self._limit, predicted)
            kept = [[rank, sorted(asked), at] for rank, asked, at in found[-64:]]
            self._note(meter, "refused", kept, now)
            self._note("", "limit", self._limit, now)

    def _merge(self, meter: str, found: dict[str, float]) -> None:
        known = self._per_hour.setdefault(meter, self._kept_sizes(meter))
        news = [t for t, b in found.items() if not 0.9 * b < known.get(t, 0.0) < 1.1 * b]
        known |= found
        if news and self._cache is not None:
            rounded = {topic: round(size, 1) for topic, size in known.items()}
            self._note(meter, "sizes", rounded, self._cache.now())

    def _kept_sizes(self, meter: str) -> dict[str, float]:
        kept = self._fact(meter, "sizes")
        if not isinstance(kept, dict):
            return {}
        return {topic: float(size) for topic, size in kept.items() if _is_size(size)}

    def _kept_refusals(self, meter: str) -> list[Refusal]:
        kept = self._fact(meter, "refused")
        found: list[Refusal] = []
        for one in kept if isinstance(kept, list) else ():
            match one:
                case [0 | 1 | 2 as rank, [*topics], float(at)]:
                    found.append((rank, frozenset(map(str, topics)), at))
        return found

    def _note(self, meter: str, name: str, value: object, now: float) -> None:
        if self._cache is not None:
            key = f"{prefix(self._cache.account, meter)}~{name}"
            self._cache.file.note(key, json.dumps(value), now)

    def _fact(self, meter: str, name: str) -> Any:
        if self._cache is None:
            return None
        found = self._cache.file.fact(f"{prefix(self._cache.account, meter)}~{name}")
        if found is None or self._cache.now() - found[1] > MEMORY:
            return None
        with contextlib.suppress(ValueError, RecursionError):
            return json.loads(found[0])
        return None


def _is_size(value: object) -> bool:
    return isinstance(value, (int, float)) and 0 < value < LARGEST
