"""Fixtures for all tests: an emulator, a private cache, and no way to the network."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "dentframe", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("dentframe")

SHARED = Path(__file__).parents[2] / "shared"
_LOOPBACK = ("127.", "localhost", "::1")
_connect = socket.socket.connect


def _guarded(self, address):
    if isinstance(address, tuple) and not str(address[0]).startswith(_LOOPBACK):
        raise AssertionError(f"a test tried to reach {address[0]}: only loopback is allowed")
    return _connect(self, address)


@pytest.fixture(autouse=True)
def _alone(monkeypatch, tmp_path):
    """No network, no developer's key, no developer's cache."""
    monkeypatch.setattr(socket.socket, "connect", _guarded)
    for name in ("DENTCLOUD_API_KEY", "DENTCLOUD_KEY_ID", "DENTCLOUD_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DENTCLOUD_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def shared() -> Path:
    """The folder of specs and real data beside the project; skips where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"no folder {SHARED.name!r} beside the project")
    return SHARED
