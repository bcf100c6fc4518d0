"""The xarray engine ``dentcloud``: meters from the cloud or an archive as Datasets.

Importing it registers ``Dataset.dent``.
"""

from __future__ import annotations

import dentframe.xarray_accessor  # noqa: F401 - it registers Dataset.dent
from dentframe.xarray_backend.door import open_dataset
from dentframe.xarray_backend.entrypoint import DentCloudBackendEntrypoint

__all__ = ["DentCloudBackendEntrypoint", "open_dataset"]
