"""Money reads an archive as it reads a frame, and asks nobody."""

from __future__ import annotations

import socket

import pytest

from dentframe import Tariff
from dentframe.errors import IncompleteReadError, UnknownMeterError
from dentframe.money import Energy, bill
from tests.dask_kit import LA, TOPICS, portfolio

FLAT = Tariff("Flat", [Energy("Energy", "0.12")], currency="USD")
FEBRUARY = ("2023-02-01", "2023-03-01")


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return portfolio(tmp_path_factory.mktemp("lazy") / "portfolio")


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """No connection, and no key."""

    def refuse(*args, **kwargs):
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.delenv("DENTCLOUD_API_KEY", raising=False)
    monkeypatch.delenv("DENTCLOUD_KEY_ID", raising=False)


def test_a_bill_from_an_archive_is_the_one_from_its_frame(archive):
    """Read by itself, with the readings at both edges: the same lines and total."""
    frame = archive.read(["P1_A"], *FEBRUARY, topics=list(TOPICS), tz=LA, bracket=True)
    expected = bill(frame, FLAT, *FEBRUARY, tz=LA, elements=["P1_A"])
    found = bill(archive, FLAT, *FEBRUARY, tz=LA, elements=["P1_A"])
    assert found.total == expected.total > 0
    assert found.lines == expected.lines
    assert bill(archive, FLAT, *FEBRUARY, tz=LA, elements="P1_A").total == expected.total


def test_an_archive_is_addressed_by_full_ids(archive):
    """A bare letter names no meter of an archive."""
    with pytest.raises(UnknownMeterError, match="'A'"):
        bill(archive, FLAT, *FEBRUARY, tz=LA, elements=["A"])


def test_a_period_that_is_not_held_is_not_billed(archive):
    """Missing is not zero."""
    with pytest.raises(IncompleteReadError):
        bill(archive, FLAT, "2023-04-15", "2023-05-15", tz=LA, elements=["P1_A"])
