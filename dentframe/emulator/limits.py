"""How much one account may ask: a token bucket and a number in flight."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Limiter:
    """A token bucket with a limit on requests in flight; None lifts either limit.

    A refused request takes no token.

    Parameters
    ----------
    rate : float or None
        Tokens that flow in [1/s].
    burst : int
        Tokens that the bucket holds, full at first.
    concurrency : int or None
        Requests in flight at once.
    clock : callable
        Seconds that never go back [s].
    """

    def __init__(
        self,
        rate: float | None = 5.0,
        burst: int = 5,
        concurrency: int | None = 5,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rate, self._burst, self._concurrency = rate, burst, concurrency
        self._clock, self._lock = clock, threading.Lock()
        self._tokens, self._filled, self._flying = float(burst), clock(), 0

    def enter(self) -> bool:
        """Whether one more request may begin now; if so, it counts until it leaves."""
        with self._lock:
            if self._concurrency is not None and self._flying >= self._concurrency:
                return False
            if not self._take():
                return False
            self._flying += 1
            return True

    def leaving(self) -> Callable[[], None]:
        """A function that ends the request just entered; calling it again does nothing."""
        pending = [1]

        def leave() -> None:
            with self._lock:
                self._flying -= pending.pop() if pending else 0

        return leave

    def _take(self) -> bool:
        if self._rate is None:
            return True
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._filled) * self._rate)
        self._filled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
