"""A fleet of meters: the sync of a portfolio into an archive."""

from __future__ import annotations

from dentframe.fleet.report import SyncReport
from dentframe.fleet.sync import sync

__all__ = ["SyncReport", "sync"]
