"""Connections that print no headers and can be cut."""

from __future__ import annotations

from typing import Any

import urllib3.connection
import urllib3.connectionpool

from dentframe.cloud.watch import adopt

__all__ = ["POOLS"]


class _Quiet:
    """A connection that prints no headers and can be cut."""

    debuglevel = 0  # whatever http.client's own is: at 1 it prints the headers
    sock: Any
    last_sock: Any = None

    def connect(self) -> None:
        adopt(self)
        super().connect()  # type: ignore[misc] # the mixin of a connection class

    def request(self, *args: Any, **kwargs: Any) -> None:
        adopt(self)
        super().request(*args, **kwargs)  # type: ignore[misc] # the mixin of a connection class
        self.last_sock = self.sock

    def set_debuglevel(self, level: int) -> None:
        """Stay quiet."""


class _HTTPConnection(_Quiet, urllib3.connection.HTTPConnection):
    pass


class _HTTPSConnection(_Quiet, urllib3.connection.HTTPSConnection):
    pass


class _HTTPPool(urllib3.connectionpool.HTTPConnectionPool):
    ConnectionCls: Any = _HTTPConnection  # urllib3 types its own by a narrower protocol


class _HTTPSPool(urllib3.connectionpool.HTTPSConnectionPool):
    ConnectionCls: Any = _HTTPSConnection


POOLS = {"http": _HTTPPool, "https": _HTTPSPool}
"""Pools of such connections, by scheme."""
