"""Single flight: what two threads ask for at once is asked for once."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from typing import TYPE_CHECKING, Generic, TypeVar

from dentframe.cloud.breaker import StoppedError, again
from dentframe.errors import DentError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Flights(Generic[T]):
    """The calls under way, by key."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: dict[str, Future[T]] = {}

    def fly(self, key: str, call: Callable[[], T], check: Callable[[], None]) -> tuple[T, bool]:
        """Call, or wait for the one that does already; the flag says whether it was this one."""
        while True:
            with self._lock:
                future = self._under_way.get(key)
                if mine := future is None:
                    future = self._under_way[key] = Future()
            if mine:
                return self._lead(key, future, call), True
            try:
                return self._follow(future, check), False
            except StoppedError:
                check()  # the leader's read was given up, not this one: go oneself

    def _lead(self, key: str, future: Future[T], call: Callable[[], T]) -> T:
        try:
            found = call()
        except BaseException as error:
            future.set_exception(error if isinstance(error, DentError) else StoppedError("Broken."))
            raise
        else:
            future.set_result(found)
            return found
        finally:
            with self._lock:
                del self._under_way[key]

    def _follow(self, future: Future[T], check: Callable[[], None]) -> T:
        error: DentError | None = None
        while error is None:
            try:
                return future.result(timeout=0.25)
            except NotYet:
                check()
            except DentError as found:
                error = again(found)
        raise error
