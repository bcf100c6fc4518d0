"""How figures per element become frames, and the one warning of a call. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dentframe.errors import CoverageWarning, warn
from dentframe.instants import local
from dentframe.metering.cumulative import STATUSES
from dentframe.metering.flags import names
from dentframe.metering.rows import meters_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dentframe.metering.rows import Floats
    from dentframe.metering.study import Study


def by_element(of: Study, values: Sequence[Floats], index: pd.Index) -> pd.DataFrame:
    """A figure per element as columns ``A, C, E``, over (meter, index) in a frame of several.

    Parameters
    ----------
    of : Study
        Its series, one per array of `values`.
    values : sequence of ndarray
        Each of the index's length.
    index : pandas.Index
        What the rows are, e.g. the periods.
    """
    if not of.several:
        columns = {c.element: x for c, x in zip(of.series, values, strict=True)}
        return pd.DataFrame(columns, index=index)
    by_key = {(c.meter, c.element): x for c, x in zip(of.series, values, strict=True)}
    blank = np.full(len(index), np.nan)
    letters = sorted({c.element for c in of.series}, key=lambda x: (len(x), x))
    meters = meters_of(of.frame)
    data = {x: np.concatenate([by_key.get((m, x), blank) for m in meters]) for x in letters}
    both = pd.MultiIndex.from_product([meters, index], names=["meter", index.name])
    return pd.DataFrame(data, index=both)


def periods_index(of: Study) -> pd.DatetimeIndex:
    """The starts of the periods, in the study's zone."""
    return local(of.s, of.tz).rename("time")


def flag_tuples(bits: Iterable[int], extra: Iterable[Sequence[str]]) -> list[tuple[str, ...]]:
    """Sorted flag names of each figure, those without a bit included."""
    return [
        tuple(sorted({*names(b), *more})) if more else names(b)
        for b, more in zip(bits, extra, strict=True)
    ]


def warn_of(rows: pd.DataFrame, what: str, *, accepted: bool = False) -> None:
    """Warn once of a call's figures that are not recorded, naming the worst.

    Parameters
    ----------
    rows : pandas.DataFrame
        One row a figure, with ``element, period, coverage, status``.
    what : str
        What the figures are, e.g. ``"peaks"``.
    accepted : bool
        Whether `min_coverage` has dealt with them.
    """
    poor = rows[rows["status"] != STATUSES[0]]
    if accepted or poor.empty:
        return
    rank = poor["status"].map(STATUSES.index)
    first = poor[rank == rank.max()].sort_values("coverage", kind="stable").iloc[0]
    counts = Counter(poor["status"])
    told = ", ".join(f"{counts[x]} {x}" for x in reversed(STATUSES) if counts[x])
    name = f"{first['meter']}_{first['element']}" if "meter" in poor else str(first["element"])
    warn(
        f"{len(poor)} of {len(rows)} {what} are not wholly recorded ({told}); the worst is "
        f"{name} from {first['period']:%Y-%m-%d %H:%M}: {first['status']}, coverage "
        f"{first['coverage']:.4g}. Look at status and coverage; min_coverage= accepts or "
        "withholds them without this warning.",
        CoverageWarning,
    )
