"""The rows of a meter in an archive, known by their times; their readings come by the month."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from dentframe.cloud.window import Window
from dentframe.errors import ConfigError
from dentframe.xarray_backend.glance import cut

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import numpy.typing as npt

    from dentframe.archive.archive import Archive
    from dentframe.cloud.wire_report import Page

    Ints = npt.NDArray[np.int64]
    Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of one meter, without their readings.

    Attributes
    ----------
    archive : Archive
        Where they are: a path, no open file.
    meter : str
        Whose they are.
    topics : tuple of str
        The request keys.
    columns : tuple of str
        The columns that the archive has, wire names.
    minutes : numpy.ndarray of int64, shape (rows,)
        UTC minutes since 1970, sorted and unique [min].
    """

    archive: Archive
    meter: str
    topics: tuple[str, ...]
    columns: tuple[str, ...]
    minutes: Ints

    def ends(self) -> Rows:
        """The first and the last of them."""
        return replace(self, minutes=np.unique(self.minutes[[0, -1] if len(self.minutes) else []]))

    def read(self, rows: Ints, columns: Sequence[str]) -> Floats:
        """The readings of some rows, in any order, shape (rows, columns); NaN where there is none.

        Raises
        ------
        ConfigError
            Where the archive no longer has these rows.
        """
        out = np.full((len(rows), len(columns)), np.nan)
        here = set(self.columns)
        wanted = {name: i for i, name in enumerate(columns) if name in here}
        years = self.minutes[rows].astype("M8[m]").astype("M8[Y]")
        for year in np.unique(years) if wanted else ():
            mine = np.flatnonzero(years == year)
            page, found = self._page(self.minutes[rows[mine]], wanted)
            target, source = _run(mine), _run(found)
            for j, name in enumerate(page.columns):
                out[target, wanted[name]] = page.values[source, j]
        return out

    def _page(self, minutes: Ints, columns: Collection[str]) -> tuple[Page, Ints]:
        """The readings of the months of some minutes of a year, and where those are in it."""
        windows = [_window(month) for month in np.unique(minutes.astype("M8[m]").astype("M8[M]"))]
        found = cut(self.archive, self.meter, windows, self.topics, columns)
        if found is not None and len(found[1].minutes):
            at = np.searchsorted(found[1].minutes, minutes)
            if np.array_equal(np.take(found[1].minutes, at, mode="clip"), minutes):
                return found[1], at
        months = windows[0] if len(windows) == 1 else f"{windows[0]} to {windows[-1]}"
        raise ConfigError(
            f"Cannot read {self.meter} {months} from {self.archive.path}: the archive no longer "
            "has the rows that it had when the dataset was opened. Open it again."
        )


def _window(month: np.datetime64) -> Window:
    since = int(month.astype(np.int64))
    return Window(1970 + since // 12, since % 12 + 1)


def _run(rows: Ints) -> Ints | slice:
    """Rows that follow one another as a slice: much quicker to copy."""
    if len(rows) and (np.diff(rows) == 1).all():
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows
