"""Steps and stacks of intervals drawn from their start. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from dentframe.metering.cumulative import Cumulative
    from dentframe.metering.rows import Floats, Ints

_HOUR = 3.6e9


def of_series(c: Cumulative, interval: int) -> tuple[Ints, Ints, Floats]:
    """Start, end and mean power of every interval between a series' readings [kW].

    NaN where it is not covered, and where a register's spacing of more than one and a half
    intervals leaves open when its energy was used.
    """
    s, e = c.t[:-1], c.t[1:]
    known = c.ok & (2 * (e - s) <= 3 * interval)
    kw = np.full(len(s), np.nan)
    np.divide(c.inc, (e - s) / _HOUR, out=kw, where=known)
    return s, e, kw


def layers(parts: Floats) -> tuple[Floats, Floats]:
    """Lower and upper edge of each part of a stack: what draws above 0, what feeds below it.

    Parameters
    ----------
    parts : ndarray of float
        Shape (elements, intervals); NaN takes no room, and its own edges are NaN.
    """
    known = np.nan_to_num(parts)
    up, down = np.maximum(known, 0.0), np.minimum(known, 0.0)
    low = np.where(known < 0, np.cumsum(down, axis=0), np.cumsum(up, axis=0) - up)
    high = np.where(known < 0, np.cumsum(down, axis=0) - down, np.cumsum(up, axis=0))
    lost = np.isnan(parts)
    return np.where(lost, np.nan, low), np.where(lost, np.nan, high)
