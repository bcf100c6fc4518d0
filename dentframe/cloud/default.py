"""The client of a read that names none."""

from __future__ import annotations

import os
import threading
from typing import cast

from dentframe.cloud import credentials as creds
from dentframe.cloud.cache import cache_folder
from dentframe.cloud.client import DentCloud

_DEFAULT: dict[tuple[object, ...], DentCloud] = {}
_DEFAULT_LOCK = threading.Lock()


def default_client() -> DentCloud:
    """Return the client of a read that names none: one per process, base URL and key id.

    Raises
    ------
    AuthError
        If there are no credentials.
    ConfigError
        If they cannot be used.
    """
    found = creds.load()
    key = (found.base_url, found.key_id, found.api_key, cache_folder(), os.getpid())
    with _DEFAULT_LOCK:
        client = _DEFAULT.get(key)
        if client is None or client.closed:
            keys = cast("tuple[str, str]", (found.api_key, found.key_id))
            client = _DEFAULT[key] = DentCloud(*keys, base_url=found.base_url)
        return client
