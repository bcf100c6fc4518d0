"""How large answers are, which were too large, and how to ask for less at a time."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from dentframe.cloud.answers import prefix, topic_of
from dentframe.cloud.planner import split

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dentframe.cloud.http_cache import Shelf
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
    return [(child, tuple(topics)) for child in split(window)]


class Sizes:
    """What is known about the sizes of an account's answers, kept beside them.

    Parameters
    ----------
    shelf : Shelf or None
        Where it is kept; without one it lasts as long as the client.
    """

    def __init__(self, shelf: Shelf | None) -> None:
        self._shelf = shelf
        self._lock = threading.Lock()
        self._per_hour: dict[str, dict[str, float]] = {}
        self._refused: dict[str, list[Refusal]] = {}
        self._limit = self._kept_limit()

    def per_hour(self, meter: str, topics: Sequence[str]) -> float | None:
        """How large an hour of these topics is [B/h], where any of them is known."""
        known = self._known(meter)
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
        for refused_rank, refused, at in self._refusals(meter):
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
            self._note(self._key(meter, "refused"), kept, now)
            self._note(self._key("", "limit"), self._limit, now)

    def _merge(self, meter: str, found: dict[str, float]) -> None:
        known = self._per_hour.setdefault(meter, self._kept_sizes(meter))
        news = [t for t, b in found.items() if not 0.9 * b < known.get(t, 0.0) < 1.1 * b]
        known |= found
        if news and self._shelf is not None:
            rounded = {topic: round(size, 1) for topic, size in known.items()}
            self._note(self._key(meter, "sizes"), rounded, self._shelf.now())

    def _known(self, meter: str) -> dict[str, float]:
        with self._lock:
            return dict(self._per_hour.setdefault(meter, self._kept_sizes(meter)))

    def _refusals(self, meter: str) -> list[Refusal]:
        with self._lock:
            return list(self._refused.setdefault(meter, self._kept_refusals(meter)))

    def _kept_sizes(self, meter: str) -> dict[str, float]:
        kept = self._fact(self._key(meter, "sizes"), MEMORY)
        if not isinstance(kept, dict):
            return {}
        return {str(t): float(b) for t, b in kept.items() if isinstance(b, (int, float))}

    def _kept_refusals(self, meter: str) -> list[Refusal]:
        kept = self._fact(self._key(meter, "refused"), MEMORY)
        if not isinstance(kept, list):
            return []
        return [
            (int(one[0]), frozenset(map(str, one[1])), float(one[2]))
            for one in kept
            if isinstance(one, list) and len(one) == 3 and isinstance(one[1], list)
        ]

    def _kept_limit(self) -> float:
        kept = self._fact(self._key("", "limit"), MEMORY)
        return float(kept) if isinstance(kept, (int, float)) else float(GATEWAY)

    def _key(self, meter: str, name: str) -> str:
        return "" if self._shelf is None else f"{prefix(self._shelf.account, meter)}~{name}"

    def _note(self, key: str, value: object, now: float) -> None:
        if self._shelf is not None:
            self._shelf.store.note(key, json.dumps(value), now)

    def _fact(self, key: str, longest: float) -> Any:
        found = None if self._shelf is None else self._shelf.store.fact(key)
        if self._shelf is None or found is None or self._shelf.now() - found[1] > longest:
            return None
        try:
            return json.loads(found[0])
        except ValueError:
            return None
