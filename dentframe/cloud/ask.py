"""One request to the service as a value: what it asks for, its key in the cache, its history."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote, urlencode

from dentframe.cloud import policy, wire
from dentframe.cloud.breaker import Plan

if TYPE_CHECKING:
    from datetime import datetime

    from dentframe.cloud.windows import Window

__all__ = ["Ask", "Value", "prefix", "topics_in", "window_in"]

Value = wire.Page | list[str] | list[dict[str, str]]


@dataclass(eq=False)
class Ask:
    """A request, and what has become of it so far.

    Attributes
    ----------
    kind : str
        The ``request`` parameter.
    meter, window, topics
        What getData asks for.
    predicted : float or None
        How large the answer will be [B], where that is known.
    probe : bool
        Whether it only looks if the service can answer at all.
    probed : bool
        Whether a probe has failed, so that 502 means an outage.
    store : bool
        Whether the cache may keep the answer.
    sends, failures, gateway, spent, first
        Requests sent; failures, and 502s among them; time used [s]; when it was first sent.
    """

    kind: Literal["getData", "getMeters", "getTopics"]
    meter: str = ""
    window: Window | None = None
    topics: tuple[str, ...] = ()
    plan: Plan = field(default_factory=Plan)
    predicted: float | None = None
    probe: bool = False
    probed: bool = False
    store: bool = True
    sends: int = 0
    failures: int = 0
    gateway: int = 0
    spent: float = 0.0
    first: float | None = None

    def __str__(self) -> str:
        if self.window is None:
            return self.kind
        return f"{self.meter} {self.window} {','.join(self.topics)}"

    def query(self) -> str:
        """The query string of the request."""
        params: dict[str, str] = {"request": self.kind}
        if self.window is not None:
            params |= self.window.params()
            params |= {"topics": f"[{','.join(self.topics)}]", "meter": self.meter}
        return urlencode(params)

    def key(self, account: str) -> str:
        """Its key in the cache, readable by prefix: account, meter, window, sorted topics."""
        if self.window is None:
            return f"{account}//{self.kind}"
        return prefix(account, self.meter, self.window) + ",".join(
            map(_quoted, sorted(self.topics))
        )

    def decode(self, body: bytes) -> Value:
        """Decode and so validate an answer."""
        if self.kind == "getMeters":
            return wire.decode_meters(body)
        if self.kind == "getTopics":
            return wire.decode_topics(body)
        return wire.decode(body, self.window)

    def cache_control(self, value: Value, now: datetime) -> str:
        """How long the cache may keep an answer."""
        if not self.store:
            return policy.cache_control(policy.NEVER)
        if isinstance(value, wire.Page):
            return policy.cache_control(policy.lifetime(value, self.topics, now))
        return policy.cache_control(policy.LISTS if value else policy.NEVER)


def prefix(account: str, meter: str | None = None, window: Window | None = None) -> str:
    """What the keys of an account, of its meter, of a window begin with."""
    parts = [account]
    if meter is not None:
        parts.append(_quoted(meter))
    if window is not None:
        parts.append(str(window))
    return "/".join(parts) + "/"


def window_in(key: str) -> str:
    """The window in a key."""
    return key.rsplit("/", 2)[1]


def topics_in(key: str) -> frozenset[str]:
    """The topics in a key, as they stand in it: compare with :func:`quoted`."""
    return frozenset(key.rsplit("/", 1)[1].split(","))


def quoted(topics: tuple[str, ...]) -> frozenset[str]:
    """Topics as they stand in a key."""
    return frozenset(map(_quoted, topics))


def _quoted(text: str) -> str:
    return quote(text, safe="")
