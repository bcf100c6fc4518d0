"""The emulator's shell: a strict DentCloud over HTTP/1.1 on loopback."""

from __future__ import annotations

import hmac
import random
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from .answer import Answer, message
from .connection import HTTPServer
from .faults import Fault, Faults
from .limits import Limiter
from .plant import Plant
from .query import Seen, look, parameters
from .recorded import Recorded
from .service import Service, clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from .connection import Handler
    from .source import Source

    Latency = float | Callable[[random.Random], float]
    Sources = Source | Mapping[str, Source] | str | Path | None


class Cloud:
    """A running emulator; made by :func:`serve`.

    Attributes
    ----------
    url : str
        The base URL, ``"http://127.0.0.1:PORT/v1"``.
    api_key, key_id : str
        Credentials of the first account.
    faults : Faults
        What goes wrong, changeable: ``cloud.faults.add("503", times=2)``.
    errors : list of Exception
        What went wrong in the source itself; each was answered with 500.
    """

    def __init__(
        self,
        services: Mapping[str, Service],
        accounts: Mapping[str, str],
        limiters: Mapping[str, Limiter],
        faults: Faults,
        address: tuple[str, int],
        latency: Latency = 0.0,
        log: Callable[[str], None] | None = None,
    ) -> None:
        self._services, self._accounts, self._limiters = services, accounts, limiters
        self._latency, self._log, self._chance = latency, log, random.Random(0)  # noqa: S311
        self._seen: dict[int, Seen | None] = {}
        self._lock, self._closing = threading.Lock(), threading.Event()
        self.faults, self.errors = faults, list[Exception]()
        self.key_id, self.api_key = next(iter(accounts.items()))
        self._server = HTTPServer(address, self)
        host, port = self._server.server_address[:2]
        self.url = f"http://{host!s}:{port}/v1"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name="dentframe-emulator", daemon=True
        )
        self._thread.start()

    @property
    def requests(self) -> list[Seen]:
        """What has been asked and answered so far, in order of coming."""
        with self._lock:
            return [seen for seen in self._seen.values() if seen is not None]

    @property
    def data_requests(self) -> list[Seen]:
        """The getData requests among :attr:`requests`."""
        return [seen for seen in self.requests if seen.request == "getData"]

    def close(self) -> None:
        """Stop serving: every connection ends at once. Closing twice is harmless."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._server.hang_up()
        self._thread.join()

    def pause(self, seconds: float) -> bool:
        """Wait, but no longer than the server lives; whether it is closing [s]."""
        return self._closing.wait(seconds) if seconds > 0 else self._closing.is_set()

    def handle(self, handler: Handler, query: str) -> None:
        """Answer one GET of the API, from the key to the last byte."""
        number, key_id = self._arrive(), handler.headers.get("x-key-id")
        params = parameters(query)
        seen = look(params, time.monotonic(), key_id)
        if not self._knows(key_id, handler.headers.get("x-api-key")):
            return self._send(handler, number, seen, message(403, "Forbidden"))
        limiter = self._limiters[str(key_id)]
        if not limiter.enter():
            return self._send(handler, number, seen, message(429, "Too Many Requests"))
        handler.release = leave = limiter.leaving()
        try:
            self.pause(self._delay())
            answer, fault = self.faults.apply(seen, self._answer(str(key_id), params))
            self._send(handler, number, replace(seen, fault=fault), answer)
        finally:
            leave()
        return None

    def _arrive(self) -> int:
        with self._lock:
            number = len(self._seen)
            self._seen[number] = None
        return number

    def _send(self, handler: Handler, number: int, seen: Seen, answer: Answer) -> None:
        """Note the request, then answer it: who has the answer finds it noted."""
        ready, size = handler.ready(answer)
        status = 0 if answer.delivery == "reset" else answer.status
        noted = replace(seen, status=status, size=size)
        with self._lock:
            self._seen[number] = noted
        if self._log is not None:
            self._log(_line(noted))
        handler.deliver(ready)

    def _answer(self, key_id: str, params: Mapping[str, str]) -> Answer:
        try:
            return self._services[key_id].answer(params)
        except Exception as error:  # noqa: BLE001 - a source is its author's code; we answer
            self.errors.append(error)
            return message(500, "Internal server error")

    def _knows(self, key_id: str | None, api_key: str | None) -> bool:
        expected = self._accounts.get(key_id or "")
        if expected is None or api_key is None:
            return False
        return hmac.compare_digest(expected.encode(), api_key.encode("utf-8", "replace"))

    def _delay(self) -> float:
        if not callable(self._latency):
            return self._latency
        with self._lock:
            return self._latency(self._chance)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def serve(
    source: Sources = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    api_key: str = "demo-key",
    key_id: str = "demo-id",
    accounts: Mapping[str, str] | None = None,
    rate: float | None = 5.0,
    burst: int = 5,
    concurrency: int | None = 5,
    latency: Latency = 0.0,
    faults: Iterable[Fault | str] = (),
    now: datetime | Callable[[], datetime] | None = None,
    log: Callable[[str], None] | None = None,
    max_body: int | None = None,
    too_large: int = 413,
) -> Cloud:
    """Start a strict DentCloud on this machine; a context manager that stops it.

    What the API's document leaves open is answered so: bad parameters, unknown meters,
    topics and requests with 200 ``{"success":false,"error":...}``, the form that users of
    the service have met; a bad key with 403, too many requests with 429, another path with
    404, another method than GET with 405.

    Parameters
    ----------
    source : Source, folder, or mapping of key id to Source, optional
        Where the data is from: ``Plant(seed=0)`` by default, a folder is :class:`Recorded`.
    host, port : str, int
        Where to listen; port 0 takes a free one.
    api_key, key_id : str
        The one account, unless ``accounts`` is given.
    accounts : mapping, optional
        Key id to key, for several accounts, each with limits of its own.
    rate, burst : float or None, int
        The token bucket of each account; ``rate=None`` lifts it [1/s].
    concurrency : int or None
        Requests of an account in flight at once, from acceptance to the last byte.
    latency : float or callable
        Time to think before an answer, or a function of ``random.Random`` to it [s].
    faults : iterable of Fault or str
        Faults to begin with; see :data:`FAULTS`.
    now : datetime or callable, optional
        The present of a source that is ``live``, such as the plant; naive is UTC.
    log : callable, optional
        Given one line a request, without credentials.
    max_body : int, optional
        Bytes of JSON above which the answer is ``too_large`` instead [B].
    too_large : int
        413, or 502 as some gateways say.

    Examples
    --------
    >>> from dentframe import emulator
    >>> with emulator.serve() as cloud:
    ...     cloud.url.endswith("/v1")
    True
    """
    known = dict(accounts) if accounts else {key_id: api_key}
    services = {
        name: Service(_source(source, name), clock(now), max_body, too_large) for name in known
    }
    limiters = {name: Limiter(rate, burst, concurrency) for name in known}
    return Cloud(services, known, limiters, Faults(faults), (host, port), latency, log)


def _source(source: Sources, key_id: str) -> Source:
    if source is None:
        return Plant()
    if isinstance(source, Mapping):
        return source[key_id]
    return Recorded(source) if isinstance(source, (str, Path)) else source


def _line(seen: Seen) -> str:
    parts: list[Any] = [seen.status, seen.request, seen.meter, seen.window]
    parts += [f"[{','.join(seen.topics)}]" if seen.topics else None, f"{seen.size} B"]
    parts += [f"fault:{seen.fault}" if seen.fault else None]
    return " ".join(str(p) for p in parts if p is not None)
