"""How an answer goes over the socket: honestly, late, slowly, or not at all."""

from __future__ import annotations

import os
import socket
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from .answer import Answer
    from .connection import Handler

    Delivery = Callable[[Handler, Answer, bytes], None]

_RESET = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
"""Linger for no time: closing sends a reset."""


def _plain(handler: Handler, answer: Answer, body: bytes) -> None:
    if not body or handler.command == "HEAD":
        handler.release()
        handler.head(answer)
        return
    handler.head(answer)
    handler.wfile.write(body[:-1])
    _last(handler, body)


def _last(handler: Handler, body: bytes) -> None:
    """Send the last byte; who has it may ask again at once, so the request is over before."""
    handler.release()
    handler.wfile.write(body[-1:])


def _slow_headers(handler: Handler, answer: Answer, body: bytes) -> None:
    handler.cloud.pause(answer.seconds)
    _plain(handler, answer, body)


def _drip(handler: Handler, answer: Answer, body: bytes) -> None:
    handler.head(answer)
    for i in range(len(body) - 1):
        handler.wfile.write(body[i : i + 1])
        if handler.cloud.pause(answer.seconds):
            return
    _last(handler, body)


def _cut(handler: Handler, answer: Answer, body: bytes) -> None:
    handler.close_connection = True
    handler.head(answer)
    handler.wfile.write(body[: len(body) // 2])


def _reset(handler: Handler, _: Answer, __: bytes) -> None:
    handler.close_connection = True
    reset_on_close(handler.connection)


def _reset_body(handler: Handler, answer: Answer, body: bytes) -> None:
    _cut(handler, answer, body)
    reset_on_close(handler.connection)


def reset_on_close(connection: socket.socket) -> None:
    """Make closing this connection a reset, not an orderly end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


def will_reset(connection: socket.socket) -> bool:
    """Whether closing this connection will be a reset."""
    return connection.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, len(_RESET)) == _RESET


DELIVERIES: dict[str, Delivery] = {
    "plain": _plain,
    "slow_headers": _slow_headers,
    "drip": _drip,
    "cut": _cut,
    "reset": _reset,
    "reset_body": _reset_body,
}
