"""A watch on one attempt: it keeps the attempt's lease, and cuts its socket when time is up."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Watch", "adopt"]

BEAT = 1.0
STEADY = 10_000
"""An attempt that gets on faster than this may use the whole deadline [B/s]."""
_CURRENT = threading.local()


class Watch:
    """Keeps an attempt's place in flight, and cuts its socket when time is up.

    Parameters
    ----------
    limit : float
        The time for an attempt that does not get on [s].
    left : float
        The time for any attempt [s].
    renew : callable
        Called every second.
    """

    def __init__(self, limit: float, left: float, renew: Callable[[], None]) -> None:
        self.limit, self.left, self._renew = min(limit, left), left, renew
        self.received = 0
        self.fired = False
        self._connection: Any = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dentframe-watch", daemon=True)

    def __enter__(self) -> Watch:
        _CURRENT.watch = self
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        _CURRENT.watch = None
        self._over.set()
        self._thread.join()
        self._connection = None

    def adopt(self, connection: Any) -> None:
        """Take the connection that the attempt uses."""
        self._connection = connection
        if self.fired:
            self.cut()

    def cut(self) -> None:
        """Close the socket for both directions: a read that hangs returns at once."""
        self.fired = True
        # A connection lets go of its socket while the answer may still be read from it.
        connection = self._connection
        sock = getattr(connection, "sock", None) or getattr(connection, "last_sock", None)
        with contextlib.suppress(OSError):
            if isinstance(sock, socket.socket):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def _run(self) -> None:
        start = beat = time.monotonic()
        while not self._over.is_set():
            now = time.monotonic()
            if self.fired or self._late(now - start):
                self.cut()
            if now - beat >= BEAT:
                beat = now
                self._renew()
            ahead = (self.left if now - start >= self.limit else self.limit) - (now - start)
            self._over.wait(min(BEAT, 0.05 if self.fired else max(ahead, 0.05)))

    def _late(self, elapsed: float) -> bool:
        if elapsed >= self.left:
            return True
        return elapsed >= self.limit and self.received < STEADY * elapsed


def adopt(connection: object) -> None:
    """Tell the watch of this thread's attempt, if there is one, which connection it uses."""
    watch = getattr(_CURRENT, "watch", None)
    if watch is not None:
        watch.adopt(connection)
