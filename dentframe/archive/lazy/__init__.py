"""An archive on Dask: nothing is read before it is computed, and never from the cloud."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dentframe.doors import find

if TYPE_CHECKING:
    from dentframe.archive.lazy.energies import energy
    from dentframe.archive.lazy.maxima import peaks
    from dentframe.archive.lazy.readings import to_dask

__all__ = ["energy", "peaks", "to_dask"]

_PLACES = {
    "energy": "dentframe.archive.lazy.energies",
    "peaks": "dentframe.archive.lazy.maxima",
    "to_dask": "dentframe.archive.lazy.readings",
}


def __getattr__(name: str) -> Any:
    return find(__name__, _PLACES, name)
