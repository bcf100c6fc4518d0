"""An archive keeps readings of many meters in open Parquet files, one a meter and UTC year."""

from __future__ import annotations

from dentframe.archive.archive import Archive
from dentframe.archive.sync import SyncReport, sync

__all__ = ["Archive", "SyncReport", "sync"]
