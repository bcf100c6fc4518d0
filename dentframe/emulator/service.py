"""The service behind the socket: from a request seen to an honest answer (no sockets)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from .answer import Answer, encode, message, refusal
from .query import REQUESTS, RefusedError, known_meter, topic_keys, window

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .source import Source

    Now = Callable[[], datetime]

_TOO_LARGE = {
    413: "Request Entity Too Large",
    502: "Internal server error",
}


@dataclass(frozen=True)
class Service:
    """What one account is served, and how large an answer may be.

    Attributes
    ----------
    source : Source
        Where the data is.
    now : callable
        The present, for sources that are ``live``.
    max_body : int or None
        Bytes of JSON above which the answer is ``too_large`` [B].
    too_large : int
        413, or 502 as some gateways say.
    """

    source: Source
    now: Now
    max_body: int | None = None
    too_large: int = 413

    def answer(self, params: Mapping[str, str]) -> Answer:
        """The honest answer to the parameters of a request."""
        try:
            answer = self._answer(params)
        except RefusedError as refused:
            return refusal(str(refused))
        if self.max_body is not None and len(encode(answer.payload)) > self.max_body:
            return message(self.too_large, _TOO_LARGE.get(self.too_large, "Too large"))
        return answer

    def _answer(self, params: Mapping[str, str]) -> Answer:
        request = params.get("request")
        if not request:
            raise RefusedError("Missing required parameter: request")
        if request not in REQUESTS:
            raise RefusedError(f"Unknown request: {request}")
        if request == "getMeters":
            return Answer(payload={"success": True, "meters": self.source.meters()})
        if request == "getTopics":
            return Answer(payload={"success": True, "topics": self.source.topics()})
        return self._data(params)

    def _data(self, params: Mapping[str, str]) -> Answer:
        start, end = window(params)
        meter = known_meter(params.get("meter"), self.source.meters())
        topics = topic_keys(params.get("topics"), self.source.topics())
        if getattr(self.source, "live", False):
            end = min(end, self.now() + timedelta.resolution)
        if end <= start:
            return Answer(payload={"headers": [], "topics": []})
        headers, rows = self.source.rows(meter, start, end, topics)
        return Answer(payload={"headers": headers, "topics": rows})


def clock(now: datetime | Now | None) -> Now:
    """A clock from a fixed instant (naive is UTC), a callable, or the real time."""
    if callable(now):
        return now
    if now is None:
        return lambda: datetime.now(UTC)
    fixed = now if now.tzinfo else now.replace(tzinfo=UTC)
    return lambda: fixed
