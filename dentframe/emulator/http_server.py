"""The HTTP server of the emulator answers on loopback, honestly or as a fault says."""

from __future__ import annotations

import contextlib
import gzip
import os
import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingTCPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from dentframe.emulator import requests_sources_and_limits as api
from dentframe.emulator.faults_and_quirks import QUIRKS_OF_ROWS, Fault, Faults, Quirks, chosen
from dentframe.emulator.requests_sources_and_limits import Answer, Recorded, Seen, Service, Source
from dentframe.emulator.simulated_meters import Plant, instant

Latency = float | Callable[[random.Random], float]
JSON = "application/json"
_RESET = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
"""Linger for no time: closing sends a reset."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    default_request_version = "HTTP/1.0"  # so that nonsense too is answered with a status line
    error_content_type = JSON
    error_message_format = '{"message":"%(message)s"}'
    disable_nagle_algorithm = True
    release: Callable[[], None] = staticmethod(lambda: None)
    server: Cloud
    raw_requestline: bytes

    def parse_request(self) -> bool:
        """Read the request; spaces within its target, as in the API's document, are kept."""
        words = self.raw_requestline.split(b" ")
        if len(words) > 3:
            target = b"%20".join(words[1:-1])
            self.raw_requestline = b" ".join((words[0], target, words[-1]))
        if not super().parse_request():
            return False
        lengths = {x.strip() for x in self.headers.get_all("Content-Length", [])}
        if len(lengths) > 1 or not all(x.isascii() and x.isdigit() for x in lengths):
            # Where a body ends is then open to reading: the next request might be within it.
            self.send_error(400, "Bad Content-Length")
            return False
        if self.request_version == "HTTP/1.1" and "Host" not in self.headers:
            self.send_error(400, "Bad Request")
            return False
        return True

    def respond(self) -> None:
        """Answer a GET of the API; refuse another method, and another path."""
        # A small body nobody needs is read, so that it is not taken for the next request.
        length = self.headers.get("Content-Length", "0").strip().lstrip("0")
        if "Transfer-Encoding" in self.headers or len(length) > 5:
            self.close_connection = True
        else:
            self.rfile.read(int(length or 0))
        target = urlsplit(self.path)
        if self.command != "GET":
            self.deliver(api.message(405, "Method Not Allowed", Allow="GET"))
        elif target.path not in {"/v1", "/v1/"}:
            self.deliver(api.message(404, "Not Found"))
        else:
            try:
                self.server.handle(self, target.query)
            finally:
                self.release()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = respond  # noqa: N815

    def deliver(self, answer: Answer) -> None:
        """Send an answer whole, or as its fault has it."""
        body, headers = answer.content, {"Content-Type": JSON, **answer.headers}
        packed = accepts_gzip(self.headers.get("Accept-Encoding", ""))
        if packed and body and "Content-Encoding" not in headers:
            body = gzip.compress(body, 1, mtime=0)
            headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        headers["Content-Length"] = str(len(body))
        if answer.delivery in {"cut", "reset", "reset_body"}:
            self.close_connection = True
        if self.close_connection:
            headers["Connection"] = "close"
        if answer.delivery == "slow_headers":
            self.server.pause(answer.seconds)
        if not body:
            self.release()
        if answer.delivery != "reset":
            self.send_response(answer.status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self._write(b"" if self.command == "HEAD" else body, answer)
        if answer.delivery in {"reset", "reset_body"}:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self.connection.close()  # now: an orderly end would come before the reset

    def _write(self, body: bytes, answer: Answer) -> None:
        if answer.delivery in {"cut", "reset_body"}:
            self.wfile.write(body[: len(body) // 2])
            return
        drips = answer.delivery == "drip"
        for piece in (body[i : i + 1] for i in range(len(body) - 1)) if drips else (body[:-1],):
            self.wfile.write(piece)
            if drips and self.server.pause(answer.seconds):
                return
        # Who has the last byte may send again at once, so the request is over before.
        self.release()
        self.wfile.write(body[-1:])

    def version_string(self) -> str:
        """Name the server, not the versions it runs on."""
        return "dentframe-emulator"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its base's
        """Print nothing."""


def accepts_gzip(header: str) -> bool:
    """Whether an Accept-Encoding header asks for gzip."""
    offers = (part.partition(";") for part in header.lower().split(","))
    weights = {name.strip(): rest.replace(" ", "") for name, _, rest in offers}
    weight = weights.get("gzip", weights.get("*", "q=0"))
    return not weight.startswith("q=0") or weight.strip("q=0.") != ""


class Cloud(ThreadingTCPServer):
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
    idle_timeout : float or None
        A connection that says nothing for so long is closed [s].
    """

    allow_reuse_address = True
    request_queue_size = 128

    def __init__(
        self,
        services: Mapping[str, Service],
        faults: Faults,
        address: tuple[str, int],
        latency: Latency = 0.0,
        log: Callable[[str], None] | None = None,
        idle_timeout: float | None = 60.0,
    ) -> None:
        self.idle_timeout = idle_timeout
        self._services, self._latency, self._log = services, latency, log
        self._chance = random.Random(0)  # noqa: S311 - repeatable chance is the point
        self._seen, self._open = list[Seen](), dict[threading.Thread, socket.socket]()
        self._lock, self._closing = threading.Lock(), threading.Event()
        self.faults, self.errors = faults, list[Exception]()
        self.key_id, first = next(iter(services.items()))
        self.api_key = first.api_key
        super().__init__(address, Handler)
        host, port = self.server_address[:2]
        self.url = f"http://{host!s}:{port}/v1"
        self._thread = threading.Thread(
            target=self.serve_forever, args=(0.02,), name="dentframe-emulator", daemon=True
        )
        self._thread.start()

    @property
    def requests(self) -> list[Seen]:
        """What has been asked and answered so far, in order of coming."""
        return sorted(self._seen, key=lambda seen: seen.at)

    @property
    def data_requests(self) -> list[Seen]:
        """The getData requests among :attr:`requests`."""
        return [seen for seen in self.requests if seen.request == "getData"]

    def close(self) -> None:
        """Stop serving: every connection ends at once. Closing twice is harmless."""
        if self._closing.is_set():
            return
        self._closing.set()
        self.shutdown()
        self.server_close()
        for connection in self._open.values():
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        # What is under way is noted before this returns, unless a source is long at work.
        latest = time.monotonic() + 0.4
        for thread in self._open.keys() - {threading.current_thread()}:
            thread.join(max(0.0, latest - time.monotonic()))
        self._thread.join()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer a connection in a thread of its own, which closing waits for."""
        request.settimeout(self.idle_timeout)
        thread = threading.Thread(
            target=self.process_request_thread, args=(request, client_address), daemon=True
        )
        thread.start()
        self._open = {t: c for t, c in self._open.items() if t.is_alive()} | {thread: request}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that goes away is no error of the server."""

    def pause(self, seconds: float) -> bool:
        """Wait, but no longer than the server lives; whether it is closing [s]."""
        return self._closing.wait(seconds) if seconds > 0 else self._closing.is_set()

    def handle(self, handler: Handler, query: str) -> None:
        """Answer one GET of the API, from the key to the last byte."""
        key_id, api_key = handler.headers.get("x-key-id"), handler.headers.get("x-api-key")
        params = {k: v.strip() for k, v in parse_qsl(query, keep_blank_values=True)}
        seen = api.look(params, key_id)
        service = self._services.get(key_id or "")
        if service is None or api_key != service.api_key:
            answer = api.message(403, "Forbidden")
        elif not service.limiter.enter(handler):
            answer = api.message(429, "Too Many Requests")
        else:
            handler.release = partial(service.limiter.leave, handler)
            answer, fault = self.faults.apply(seen, self._answer(service, params))
            seen = replace(seen, fault=fault)
        status = 0 if answer.delivery == "reset" else answer.status
        seen = replace(seen, status=status, size=len(answer.content))
        # It is noted, then answered: who has the answer finds it noted.
        self._seen.append(seen)
        if self._log is not None:
            self._log(_line(seen))
        handler.deliver(answer)

    def _answer(self, service: Service, params: Mapping[str, str]) -> Answer:
        with self._lock:
            seconds = self._latency(self._chance) if callable(self._latency) else self._latency
        self.pause(seconds)
        try:
            return service.answer(params)
        except Exception as error:  # noqa: BLE001 - a source is its author's code; we answer
            self.errors.append(error)
            return api.message(500, "Internal server error")

    def __exit__(self, *_: object) -> None:
        self.close()


def serve(
    source: Source | Mapping[str, Source] | str | Path | None = None,
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
    quirks: Iterable[str] | Mapping[str, Any] = (),
    now: datetime | Callable[[], datetime] | None = None,
    log: Callable[[str], None] | None = None,
    max_body: int | None = None,
    too_large: int = 413,
    idle_timeout: float | None = 60.0,
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
    quirks : iterable of str, or mapping of str to value
        How this service differs from what dentframe assumes; see :data:`QUIRKS`. A quirk
        that is only named has its usual value.
    now : datetime or callable, optional
        The present of a source that is ``live``, such as the plant; naive is UTC.
    log : callable, optional
        Given one line a request, without credentials.
    max_body : int, optional
        Bytes of JSON above which the answer is ``too_large`` instead [B].
    too_large : int
        413, or 502 as some gateways say.
    idle_timeout : float or None
        A connection that says nothing for so long is closed [s].

    Examples
    --------
    >>> from dentframe import emulator
    >>> with emulator.serve() as cloud:
    ...     cloud.url.endswith("/v1")
    True
    """
    if not callable(now):
        now = partial(datetime.now, UTC) if now is None else partial(instant, now)
    differs = chosen(quirks)
    max_body = differs.get("small_answers", max_body)
    if "tight_limits" in differs:
        rate = burst = concurrency = differs["tight_limits"]
    changes = [(QUIRKS_OF_ROWS[k], x) for k, x in differs.items() if k in QUIRKS_OF_ROWS]
    services = {}
    for name, key in (accounts or {key_id: api_key}).items():
        own = source[name] if isinstance(source, Mapping) else Plant() if source is None else source
        own = Recorded(own) if isinstance(own, str | Path) else own
        own = _with_meters(own, differs)
        limiter = api.Limiter(rate, burst, concurrency)
        services[name] = Service(own, key, limiter, now, max_body, too_large, differs, changes)
    return Cloud(services, Faults(faults), (host, port), latency, log, idle_timeout)


def _with_meters(source: Source, quirks: Quirks) -> Source:
    """The source, where quirks are of its meters with the meters that they make of them."""
    changes = {"interval": quirks["interval"]} if "interval" in quirks else {}
    for window in ("block", "sliding"):
        if f"{window}_demand" in quirks:
            changes["demand_window"] = window
    if not changes:
        return source
    if isinstance(source, Plant):
        return source.with_meters(**changes)
    raise ValueError(
        f"Cannot give a {type(source).__name__} another {' and '.join(changes)}: only the "
        "meters of a Plant can be changed."
    )


def _line(seen: Seen) -> str:
    parts: list[Any] = [seen.status, seen.request, seen.meter, seen.window]
    parts += [f"[{','.join(seen.topics)}]" if seen.topics else None, f"{seen.size} B"]
    parts += [f"fault:{seen.fault}" if seen.fault else None]
    return " ".join(str(p) for p in parts if p is not None)
