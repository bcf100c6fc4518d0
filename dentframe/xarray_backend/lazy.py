"""Readings that are read when they are used, as xarray's backend arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from dentframe.xarray_backend.rows import Rows


class Readings(BackendArray):
    """One variable: readings of shape (time, ids), or (meter, time, ids) of several meters.

    Pickles as paths and times; nothing is open between two reads.

    Parameters
    ----------
    meters : sequence of Rows
        The meters, whose rows have the same times.
    columns : sequence of str
        The column of each id, a wire name.
    single : bool
        Whether there is no dimension of meters.
    """

    def __init__(self, meters: Sequence[Rows], columns: Sequence[str], *, single: bool) -> None:
        self.meters, self.columns, self.single = tuple(meters), tuple(columns), single
        size = len(self.meters[0].minutes), len(self.columns)
        self.shape: tuple[int, ...] = size if single else (len(self.meters), *size)
        self.dtype = np.dtype(np.float64)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        support = indexing.IndexingSupport.OUTER
        return indexing.explicit_indexing_adapter(key, self.shape, support, self._read)

    def _read(self, key: tuple[Any, ...]) -> npt.NDArray[np.float64]:
        chosen = [np.atleast_1d(np.arange(n)[k]) for k, n in zip(key, self.shape, strict=True)]
        rows, ids = chosen[-2:]
        columns = [self.columns[i] for i in ids]
        which = [0] if self.single else chosen[0]
        found = [self.meters[i].read(rows, columns) for i in which]
        cube = found[0] if self.single else np.stack(found)
        return cube[tuple(0 if np.ndim(k) == 0 and _is_int(k) else slice(None) for k in key)]

    def variable(self, dims: Sequence[str], attrs: dict[Any, Any]) -> xr.Variable:
        """A variable over these dimensions that reads when it is used."""
        return xr.Variable(dims, indexing.LazilyIndexedArray(self), attrs)


def _is_int(key: Any) -> bool:
    return isinstance(key, int | np.integer)
