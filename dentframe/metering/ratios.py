"""Ratios of periods as frames: load factor and power factor alike. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dentframe.instants import local
from dentframe.metering.cumulative import STATUSES, Cumulative, status
from dentframe.metering.layout import by_element, flag_tuples, periods_index, warn_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dentframe.metering.rows import Floats, Ints
    from dentframe.metering.study import Study


@dataclass(frozen=True)
class Ratio:
    """One element's ratio; arrays of shape (periods,).

    Attributes
    ----------
    of : Cumulative
        The element.
    value : ndarray of float
        The ratio [1].
    energy, other : ndarray of float
        Energy [kWh], and what it was compared with.
    coverage : ndarray of float
        0 to 1.
    flags : ndarray of int64
        Flag bits.
    """

    of: Cumulative
    value: Floats
    energy: Floats
    other: Floats
    coverage: Floats
    flags: Ints


def divided(above: Floats, below: Floats) -> Floats:
    """A ratio, NaN where what it is divided by is not above 0."""
    out = np.full(len(above), np.nan)
    np.divide(above, below, out=out, where=below > 0)
    return out


def result(
    of: Study,
    found: Sequence[Ratio],
    other: str,
    what: str,
    least: float | None,
    *,
    detail: bool,
) -> pd.DataFrame:
    """A frame of ratios, period to element or in rows, and the warning of what is not recorded.

    Parameters
    ----------
    of : Study
        Series and periods.
    found : sequence of Ratio
        One per series.
    other : str
        What the second quantity is called in rows.
    what : str
        What the figures are, for the warning.
    least : float or None
        Figures with less coverage are NaN.
    detail : bool
        Rows instead of columns.
    """
    rows = _rows(of, found, other, least)
    warn_of(rows, what, accepted=least is not None)
    if detail:
        return rows
    values = [np.where(_low(f, least), np.nan, f.value) for f in found]
    return by_element(of, values, periods_index(of))


def _low(f: Ratio, least: float | None) -> Any:
    return np.zeros(len(f.value), dtype=np.bool_) if least is None else f.coverage < least


def _rows(of: Study, found: Sequence[Ratio], other: str, least: float | None) -> pd.DataFrame:
    parts = [
        pd.DataFrame(
            {
                **({"meter": f.of.meter} if of.several else {}),
                "period": local(of.s, of.tz),
                "element": f.of.element,
                "value": np.where(_low(f, least), np.nan, f.value),
                "energy": f.energy,
                other: f.other,
                "coverage": f.coverage,
                "status": np.array(STATUSES, dtype=object)[status(f.coverage, f.flags)],
                "flags": flag_tuples(f.flags.tolist(), [()] * len(f.flags)),
            }
        )
        for f in found
    ]
    by = ["meter", "period"] if of.several else ["period"]
    names = [*by, "element", "value", "energy", other, "coverage", "status", "flags"]
    if not parts:
        return pd.DataFrame(columns=names)
    return pd.concat(parts).sort_values(by, kind="stable", ignore_index=True)[names]
