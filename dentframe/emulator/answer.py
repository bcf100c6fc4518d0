"""An answer before it is sent: status, payload or body, headers, and how to send it (pure)."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, field, replace
from typing import Any

JSON = "application/json"


@dataclass(frozen=True)
class Answer:
    """An HTTP answer.

    Attributes
    ----------
    status : int
        The HTTP status.
    payload : object
        What the body says; ignored where ``body`` is given.
    body : bytes or None
        The body itself.
    headers : dict
        Headers beyond length and type.
    delivery : str
        How to send it, a name of the server's table; ``"plain"`` is the honest way.
    seconds : float
        Pause for deliveries that pause [s].
    """

    status: int = 200
    payload: Any = None
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    delivery: str = "plain"
    seconds: float = 0.0

    @property
    def has_rows(self) -> bool:
        """Whether this is a working answer to getData, with at least one row."""
        return isinstance(self.payload, dict) and bool(self.payload.get("headers"))


def message(status: int, text: str, **headers: str) -> Answer:
    """An answer of the gateway: ``{"message": text}``."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, {"message": text}, headers=named)


def refusal(text: str) -> Answer:
    """The service's observed way to say no: 200 with ``success`` false."""
    return Answer(200, {"success": False, "error": text})


def encode(payload: Any) -> bytes:
    """JSON without spaces, as the service writes it."""
    return json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()


def rendered(answer: Answer) -> Answer:
    """The same answer with its body made."""
    return answer if answer.body is not None else replace(answer, body=encode(answer.payload))


def compressed(answer: Answer) -> Answer:
    """The same answer, rendered and in gzip, unless it is encoded already."""
    ready = rendered(answer)
    if "Content-Encoding" in ready.headers or not ready.body:
        return ready
    headers = {**ready.headers, "Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    return replace(ready, body=gzip.compress(ready.body, 1, mtime=0), headers=headers)


def accepts_gzip(header: str | None) -> bool:
    """Whether an Accept-Encoding header asks for gzip."""
    offers = (part.partition(";") for part in (header or "").lower().split(","))
    weights = {name.strip(): rest.replace(" ", "") for name, _, rest in offers}
    weight = weights.get("gzip", weights.get("*", "q=0"))
    return not weight.startswith("q=0") or weight.strip("q=0.") != ""
