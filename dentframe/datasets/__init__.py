"""Readings as labelled Datasets of xarray, and back; the engine ``dentcloud``.

Importing it registers ``Dataset.dent``.
"""

from __future__ import annotations

from dentframe.datasets.accessor import DatasetAccessor
from dentframe.datasets.dataset_to_frame import to_frame
from dentframe.datasets.engine import DentCloudBackendEntrypoint, open_dataset
from dentframe.datasets.results import to_xarray

__all__ = ["DatasetAccessor", "DentCloudBackendEntrypoint", "open_dataset", "to_frame", "to_xarray"]
