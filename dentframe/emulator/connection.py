"""HTTP/1.1 for the emulator, on the standard library's server."""

from __future__ import annotations

import contextlib
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .answer import JSON, Answer, accepts_gzip, compressed, message, rendered
from .delivery import DELIVERIES, will_reset

if TYPE_CHECKING:
    from collections.abc import Callable

    from .server import Cloud

_PATHS = ("/v1", "/v1/")
_DRAIN = 65536


class HTTPServer(ThreadingHTTPServer):
    """A server whose connections can all be ended at once."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], cloud: Cloud) -> None:
        self.cloud = cloud
        self._open: set[socket.socket] = set()
        self._idle = threading.Condition()
        super().__init__(address, Handler)

    def server_bind(self) -> None:
        """Bind without looking up the machine's name, which can take seconds."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection, and know of it while it lasts."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._idle:
                self._open.discard(request)
                self._idle.notify_all()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Note the connection before its thread starts, so that hanging up misses none."""
        with self._idle:
            self._open.add(request)
        super().process_request(request, client_address)

    def hang_up(self, wait: float = 0.4) -> None:
        """End all connections and give their threads a moment to go [s]."""
        with self._idle:
            for connection in self._open:
                _shut(connection)
            self._idle.wait_for(lambda: not self._open, wait)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection; one that shall reset gets no orderly end first."""
        if will_reset(request):
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that goes away is no error of the server."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    default_request_version = "HTTP/1.0"  # so that nonsense too is answered with a status line
    error_content_type = JSON
    error_message_format = '{"message":"%(message)s"}'
    disable_nagle_algorithm = True
    server: HTTPServer
    raw_requestline: bytes
    release: Callable[[], None] = staticmethod(lambda: None)

    @property
    def cloud(self) -> Cloud:
        """The emulator behind the connection."""
        return self.server.cloud

    def parse_request(self) -> bool:
        """Read the request; spaces within its target, as in the API's document, are kept."""
        words = self.raw_requestline.split(b" ")
        if len(words) > 3:
            target = b"%20".join(words[1:-1])
            self.raw_requestline = b" ".join((words[0], target, words[-1]))
        if not super().parse_request():
            return False
        if self.request_version == "HTTP/1.1" and "Host" not in self.headers:
            self.send_error(400, "Bad Request")
            return False
        return True

    def do_GET(self) -> None:
        """Answer a GET: the API, or 404."""
        self._drain()
        target = urlsplit(self.path)
        if target.path in _PATHS:
            self.cloud.handle(self, target.query)
        else:
            self.deliver(self.ready(message(404, "Not Found"))[0])

    def _refuse(self) -> None:
        """Refuse another method than GET."""
        self._drain()
        self.deliver(self.ready(message(405, "Method Not Allowed", Allow="GET"))[0])

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _refuse  # noqa: N815

    def ready(self, answer: Answer) -> tuple[Answer, int]:
        """The answer with its body as it will be sent, and the body's size before gzip."""
        plain = rendered(answer)
        packed = compressed(plain) if self._gzip else plain
        return packed, len(plain.body or b"")

    def deliver(self, answer: Answer) -> None:
        """Send an answer the way it asks for."""
        try:
            DELIVERIES[answer.delivery](self, answer, answer.body or b"")
        finally:
            self.release()

    def head(self, answer: Answer) -> None:
        """Send the status line and headers."""
        self.send_response(answer.status)
        headers = {"Content-Type": JSON, **answer.headers}
        headers["Content-Length"] = str(len(answer.body or b""))
        if self.close_connection:
            headers["Connection"] = "close"
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def version_string(self) -> str:
        """Name the server, not the versions it runs on."""
        return "dentframe-emulator"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its base's
        """Print nothing."""

    @property
    def _gzip(self) -> bool:
        return accepts_gzip(self.headers.get("Accept-Encoding"))

    def _drain(self) -> None:
        """Read a body nobody needs, so that it is not taken for the next request."""
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdigit() or int(length) > _DRAIN:
            self.close_connection = True
        else:
            self.rfile.read(int(length))


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
