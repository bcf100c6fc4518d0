"""Readings become labelled Datasets of xarray here, and Datasets become frames again.

Importing it registers ``Dataset.dent``.
"""

from __future__ import annotations

from dentframe.datasets.accessor import DatasetAccessor, to_xarray
from dentframe.datasets.engine import DentCloudBackendEntrypoint, open_dataset
from dentframe.datasets.frame_and_dataset import to_frame

__all__ = ["DatasetAccessor", "DentCloudBackendEntrypoint", "open_dataset", "to_frame", "to_xarray"]
