"""A client's line to the service: its session, made on first use, and all that must be closed."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from dentframe.cloud.account import Account, leave
from dentframe.cloud.retry import Limits, Retrier
from dentframe.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    import requests

    from dentframe.cloud.ask import Ask, Value
    from dentframe.cloud.cache import Shelf
    from dentframe.cloud.credentials import Credentials
    from dentframe.cloud.store import Store

__all__ = ["Line", "account_of"]


@dataclass
class Line:
    """What sends requests; it knows nothing of the client, so that a forgotten one closes it.

    Attributes
    ----------
    name : str
        The account's name.
    account : Account
        What it shares with other clients.
    shelf : Shelf or None
        The kept answers.
    """

    name: str
    credentials: Credentials
    limits: Limits
    now: Callable[[], datetime]
    account: Account
    shelf: Shelf | None
    _session: requests.Session | None = field(default=None, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def fetch(self, ask: Ask) -> tuple[Value, int]:
        """Return the decoded value and the size of its body [B]; asked at once, sent once."""
        found, _ = self.account.flights.fly(
            ask.key(self.name), lambda: self._request(ask), ask.plan.check
        )
        return cast("tuple[Value, int]", found)

    def session(self) -> requests.Session:
        """Return the session; requests is imported here, on first use."""
        with self._lock:
            if self._session is None:
                self._session = self._new_session()
            return self._session

    def close(self) -> None:
        """Close it all."""
        if self._session is not None:
            self._session.close()
        if self.shelf is not None:
            self.shelf.store.close()
        leave(self.name, self.account)

    def _request(self, ask: Ask) -> tuple[Value, int]:
        from dentframe.cloud.session import fetch

        response = fetch(self.session(), self.credentials.base_url, ask)
        value = getattr(response, "value", None)
        return (ask.decode(response.content) if value is None else value), len(response.content)

    def _new_session(self) -> requests.Session:
        from dentframe.cloud.session import DentAdapter, fit_out, plain_session

        retrier = Retrier(self.account, self.limits, self.now, self.credentials.scrub)
        adapter = DentAdapter(self.credentials, retrier)
        if self.shelf is None:
            return fit_out(plain_session(), self.credentials.base_url, adapter)
        from dentframe.cloud.front import cached_session

        return fit_out(cached_session(self.shelf), self.credentials.base_url, adapter)


def account_of(credentials: Credentials, store: Store | None) -> str:
    """The account to read: the credentials', or offline the only one that the cache holds.

    Raises
    ------
    ConfigError
        If that cannot be told.
    """
    if credentials.account is not None:
        return credentials.account
    if store is None:
        raise ConfigError("Cannot be offline without a cache: give a cache, or offline=False.")
    accounts = store.accounts()
    if len(accounts) > 1:
        raise ConfigError(
            f"Cannot tell whose data to read offline: the cache holds {len(accounts)} accounts. "
            "Give the key_id, or set DENTCLOUD_KEY_ID."
        )
    return accounts[0] if accounts else "none"
