"""What all clients of one account in this process share: pace, breaker, single flight."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dentframe.cloud.breaker import Breaker
from dentframe.cloud.flights import Flights
from dentframe.cloud.pacer import Pacer

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Account", "join", "leave"]


@dataclass
class Account:
    """The shared state of an account.

    Attributes
    ----------
    clock, sleep : callable
        As ``time.monotonic`` and ``time.sleep``.
    """

    clock: Callable[[], float]
    sleep: Callable[[float], None]
    users: int = 0
    pacer: Pacer = field(init=False)
    breaker: Breaker = field(init=False)
    flights: Flights[Any] = field(init=False, default_factory=Flights)

    def __post_init__(self) -> None:
        self.pacer = Pacer(self.clock, self.sleep)
        self.breaker = Breaker(self.clock, self.sleep)


_LOCK = threading.Lock()
_ACCOUNTS: dict[tuple[str, Callable[[], float]], Account] = {}


def join(name: str, clock: Callable[[], float], sleep: Callable[[float], None]) -> Account:
    """Return the account's shared state, made where this is its first client."""
    with _LOCK:
        account = _ACCOUNTS.setdefault((name, clock), Account(clock, sleep))
        account.users += 1
        return account


def leave(name: str, account: Account) -> None:
    """Give it back; the last client closes it."""
    with _LOCK:
        account.users -= 1
        if not account.users:
            _ACCOUNTS.pop((name, account.clock), None)
            account.pacer.close()
