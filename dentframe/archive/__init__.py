"""Readings of many meters kept in open Parquet files, one a meter and UTC year."""

from dentframe.archive.archive import Archive

__all__ = ["Archive"]
