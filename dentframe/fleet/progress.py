"""How long a sync still takes, never less than the rate limit allows, and the bar that says so."""

from __future__ import annotations

import math
import time
import warnings
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Bar", "spoken", "time_to_go"]

_REMEMBERED = 300
"""The pace is that of so many answers: a minute's at the service's limit."""


def time_to_go(left: int, rate: float, times: Sequence[float]) -> float:
    """How long the requests that are left take: at the pace observed, at most the rate limit [s].

    Parameters
    ----------
    left : int
        Requests that are left.
    rate : float
        The rate limit [1/s].
    times : sequence of float
        When the last requests were answered, in order [s].
    """
    seen = times[-1] - times[0] if len(times) > 1 else 0.0
    per_request = seen / (len(times) - 1) if seen > 0 else 0.0
    return max(left, 0) * max(per_request, 1 / rate)


def spoken(seconds: float) -> str:
    """A time as one says it: ``50 s``, ``12 min``, ``3 h 20 min``, ``1 d 9 h``; rounded up."""
    minutes = math.ceil(seconds / 60)
    if seconds <= 90:
        return f"{math.ceil(seconds)} s"
    if minutes < 90:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {rest} min"
    days, hours = divmod(math.ceil(minutes / 60), 24)
    return f"{days} d {hours} h"


class Bar:
    """A progress bar on standard error, over windows, with an honest time to go.

    Parameters
    ----------
    windows, requests : int
        What there is to read, and the requests it takes.
    rate : float
        The rate limit [1/s].
    shown : bool or None
        None: in a terminal or a notebook.
    clock : callable
        As ``time.monotonic``.
    """

    def __init__(
        self,
        windows: int,
        requests: int,
        rate: float,
        shown: bool | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._left, self._rate, self._clock = requests, rate, clock
        self._times: deque[float] = deque(maxlen=_REMEMBERED)
        self._bar = _tqdm(windows, shown) if windows and shown is not False else None
        self._say(refresh=True)

    def step(self, *, asked: bool) -> None:
        """Note a window that is done, and whether it was asked for."""
        if asked:
            self._left -= 1
            self._times.append(self._clock())
        if self._bar is not None:
            self._say(refresh=False)
            self._bar.update()

    def _say(self, *, refresh: bool) -> None:
        if self._bar is not None:
            self._bar.set_postfix_str(f"{spoken(self.to_go)} to go", refresh=refresh)

    @property
    def to_go(self) -> float:
        """How long the rest takes at least [s]."""
        return time_to_go(self._left, self._rate, self._times)

    def close(self) -> None:
        """Clear it."""
        if self._bar is not None:
            self._bar.close()


def _tqdm(windows: int, shown: bool | None) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm
    return tqdm(
        total=windows,
        unit="window",
        leave=False,
        disable=None if shown is None else False,
        bar_format="{l_bar}{bar}| {n_fmt}/{total_fmt} windows [{elapsed}{postfix}]",
    )
