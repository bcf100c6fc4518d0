"""Warnings that arise in worker threads, kept until the caller's thread can give them."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from dentframe.errors import StaleDataWarning, warn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dentframe.cloud.windows import Window
    from dentframe.errors import DentWarning

__all__ = ["LOGGER", "Notices", "warn_stale"]

LOGGER = logging.getLogger("dentframe.cloud")
logging.getLogger("dentframe").addHandler(logging.NullHandler())


class Notices:
    """What there is to warn about, each kind once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._said: set[str] = set()
        self._waiting: list[tuple[str, type[DentWarning]]] = []

    def once(self, message: str, category: type[DentWarning], kind: str | None = None) -> None:
        """Keep a warning, unless its kind (else its text) was kept before."""
        with self._lock:
            if (kind or message) in self._said:
                return
            self._said.add(kind or message)
            self._waiting.append((message, category))
        LOGGER.info("%s", message)

    def flush(self) -> None:
        """Give the warnings, from the line of the caller outside dentframe."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
        for message, category in waiting:
            warn(message, category)


def warn_stale(stale: Sequence[tuple[str, Window, float]]) -> None:
    """Warn about outdated answers, naming windows and ages."""
    if not stale:
        return
    named = ", ".join(f"{meter} {window} ({_age(age)} old)" for meter, window, age in stale[:12])
    more = f" and {len(stale) - 12} more" if len(stale) > 12 else ""
    warn(
        f"DentCloud failed, so outdated answers were served for {named}{more}. "
        "Read them again later.",
        StaleDataWarning,
    )


def _age(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
