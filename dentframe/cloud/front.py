"""requests-cache in front of the adapter: what it finds and keeps is the shelf's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests_cache
from requests_cache.backends.base import BaseCache
from requests_cache.models.response import CachedResponse

from dentframe.cloud.session import Call, elsewhere

if TYPE_CHECKING:
    from datetime import datetime

    import requests

    from dentframe.cloud.cache import Shelf

__all__ = ["cached_session"]


def cached_session(shelf: Shelf) -> requests.Session:
    """Make a session that keeps an answer as long as the adapter's ``Cache-Control`` says."""
    return requests_cache.CachedSession(
        backend=AnswerCache(shelf),
        key_fn=lambda request, **_: _key(request, shelf.account),
        cache_control=True,
        allowable_codes=(200,),
        allowable_methods=("GET",),
        stale_if_error=False,
    )


def _key(request: Any, account: str) -> str:
    if not isinstance(request, Call):
        raise elsewhere(str(getattr(request, "url", "")))
    return request.ask.key(account)


class AnswerCache(BaseCache):
    """The backend: bodies alone, by readable keys, never a header, URL or pickle.

    Freshness is the shelf's too, by its own clock, so requests-cache only sees what it may serve.
    """

    def __init__(self, shelf: Shelf) -> None:
        super().__init__(cache_name="dentframe")
        self._shelf = shelf

    def get_response(self, key: str, default: Any = None) -> Any:
        """Return a fresh answer."""
        found = self._shelf.body(key)
        if found is None:
            return default
        answer: Any = CachedResponse  # its parameters are attrs' own, which pyright cannot see
        return answer(status_code=200, reason="OK", content=found[0])

    def save_response(
        self,
        response: Any,
        cache_key: str | None = None,
        expires: datetime | None = None,  # noqa: ARG002 - by its clock; the header says it for ours
    ) -> None:
        """Keep a validated answer."""
        control = response.headers.get("Cache-Control", "")
        seconds = None if control == "immutable" else float(control.removeprefix("max-age="))
        self._shelf.keep(cache_key or "", response.content, seconds)
